/* Times of layers as a table and as JSON. */
#include "tools/bench.h"

enum { B_layer, B_operator, B_shape, B_algorithm, B_ms, B_share, B_macs, B_lowered, B_gflops,
       B_peak, B_bytes, B_bound, B_reached, BENCH_COLUMNS };

static const Column bench_columns[BENCH_COLUMNS] = {
    [B_layer] =     {"name",          "layer",     true,  1,   0},
    [B_operator] =  {"operator",      "operator",  true,  1,   0},
    [B_shape] =     {"shape",         "shape",     true,  1,   0},
    [B_algorithm] = {"algorithm",     "algorithm", true,  1,   0},
    [B_ms] =        {"min_ms",        "ms",        false, 1,   3},
    [B_share] =     {"share_percent", "% time",    false, 1,   1},
    [B_macs] =      {"macs",          "MMAC",      false, 1e6, 2},
    [B_lowered] =   {"macs_lowered",  "lowered",   false, 1e6, 2},
    [B_gflops] =    {"gflops",        "GFLOP/s",   false, 1,   1},
    [B_peak] =      {"peak_percent",  "% peak",    false, 1,   1},
    [B_bytes] =     {"bytes",         "MB",        false, 1e6, 2},
    [B_bound] =     {"bound",         "bound",     true,  1,   0},
    [B_reached] =   {"bound_percent", "% bound",   false, 1,   1},
};

static double sum_ms(const Bench *bench)
{
    double sum = 0;
    for (int i = 0; i < bench->layers.n; i++)
        sum += bench->layers.at[i].ms;
    return sum;
}

static SheetRow bench_row(const Bench *bench, const LayerTime *time)
{
    double compute = layer_compute_ms(bench, time), memory = layer_memory_ms(bench, time);
    SheetRow row = {0};
    row.cell[B_layer] = cell_text(time->row->name);
    row.cell[B_operator] = cell_text(time->row->op);
    row.cell[B_shape] = cell_text(time->row->shape);
    row.cell[B_algorithm] = cell_text(time->algorithm);
    row.cell[B_ms] = cell_number(time->ms);
    row.cell[B_share] = cell_number(100 * time->ms / sum_ms(bench));
    row.cell[B_macs] = cell_number((double)time->row->cost.macs);
    row.cell[B_lowered] = cell_number((double)time->row->cost.macs_lowered);
    row.cell[B_gflops] = cell_number(2e-6 * (double)time->row->cost.macs_lowered / time->ms);
    row.cell[B_peak] = cell_number(100 * compute / time->ms);
    row.cell[B_bytes] = cell_number((double)time->bytes);
    row.cell[B_bound] = cell_text(compute >= memory ? "compute" : "memory");
    row.cell[B_reached] = cell_number(100 * (compute >= memory ? compute : memory) / time->ms);
    return row;
}

/* Sums of what can be added; the whole against its peak. */
static SheetRow total_row(const Bench *bench)
{
    double lowered = 0, macs = 0, bytes = 0, bound = 0;
    for (int i = 0; i < bench->layers.n; i++) {
        const LayerTime *time = &bench->layers.at[i];
        double compute = layer_compute_ms(bench, time), memory = layer_memory_ms(bench, time);
        bound += compute >= memory ? compute : memory;
        macs += (double)time->row->cost.macs;
        lowered += (double)time->row->cost.macs_lowered;
        bytes += (double)time->bytes;
    }
    SheetRow row = {.ruled = true};
    row.cell[B_layer] = cell_text("layers together");
    row.cell[B_ms] = cell_number(sum_ms(bench));
    row.cell[B_share] = cell_number(100);
    row.cell[B_macs] = cell_number(macs);
    row.cell[B_lowered] = cell_number(lowered);
    row.cell[B_gflops] = cell_number(2e-6 * lowered / sum_ms(bench));
    row.cell[B_peak] = cell_number(200e-6 * lowered / bench->peak_gflops / sum_ms(bench));
    row.cell[B_bytes] = cell_number(bytes);
    row.cell[B_reached] = cell_number(100 * bound / sum_ms(bench));
    return row;
}

static const char bench_note[] =
    "ms is the least of a layer's steps run one by one. Lowered, GFLOP/s and % peak are of "
    "the multiplications that run, two operations each; MMAC of those the network states (a "
    "layer that passes merged into another is in the other's line). Bound is what takes "
    "longer, the arithmetic at the measured peak or each byte once at the measured rate; % "
    "bound how near the layer comes. What lies in a cache can be faster than the rate.";

Sheet *sheet_of_bench(Arena *arena, const Bench *bench)
{
    Sheet *sheet = NEW(arena, Sheet, 1);
    sheet->title = arena_printf(
        arena, "%s: min %.3f ms, median %.3f ms, %d runs, %d thread%s, %s by %s", bench->model,
        bench->min_ms, bench->median_ms, bench->runs, bench->threads,
        bench->threads > 1 ? "s" : "", bench->target, bench->backend);
    sheet->columns = BENCH_COLUMNS;
    for (int k = 0; k < BENCH_COLUMNS; k++)
        sheet->column[k] = bench_columns[k];
    for (int i = 0; i < bench->layers.n; i++)
        VEC_PUSH(arena, sheet->rows, bench_row(bench, &bench->layers.at[i]));
    VEC_PUSH(arena, sheet->rows, total_row(bench));
    VEC_PUSH(arena, sheet->notes,
             arena_printf(arena, "Measured in the same run: peak %.1f GFLOP/s, memory %.1f GB/s.",
                          bench->peak_gflops, bench->bandwidth_gbs));
    VEC_PUSH(arena, sheet->notes, bench_note);
    return sheet;
}

void json_bench(const Bench *bench, Text *out)
{
    const Sheet *sheet = sheet_of_bench(out->arena, bench);
    text_printf(out, "{\"name\": \"%s\", \"target\": \"%s\", \"backend\": \"%s\", ",
                bench->model, bench->target, bench->backend);
    text_printf(out,
                "\"min_ms\": %.6f, \"median_ms\": %.6f, \"runs\": %d, \"threads\": %d, "
                "\"peak_gflops\": %.3f, \"bandwidth_gbs\": %.3f, \"layers\": [",
                bench->min_ms, bench->median_ms, bench->runs, bench->threads,
                bench->peak_gflops, bench->bandwidth_gbs);
    for (int i = 0; i < bench->layers.n; i++) {
        text_add(out, i ? ",\n  " : "\n  ");
        json_sheet_row(sheet, i, out);
    }
    text_add(out, "\n]}\n");
}
