/* Do networks with random weights depend on every weight? Each tensor in turn is set to
 * zero: the output must move by more than 100 times what compiled code may differ, else
 * comparing the two would not notice what is computed from that tensor.
 *
 *   zeroed_weights FILE.vt [MODEL...]
 *
 * The input is the one that `vtc verify` takes. Names what moves too little. */
#include "backends/verify.h"
#include "frontend/frontend.h"
#include "frontend/weights.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What cannot move the output so far, by how its name ends; how far it does. */
static const struct Exempt {
    const char *ending, *why;
    double least, most;
} exempt[] = {
#define SHIFT(ending) {ending, "added to all scores of a softmax, which takes it away", 0, 1e-5}
    SHIFT("tokenizer.w_a.bias"), SHIFT("transformer.w_k.bias"), SHIFT("projector.w_k.bias"),
    SHIFT("score.bn.bias"), SHIFT("score.bn.running_mean"), SHIFT("key.bn.bias"),
    SHIFT("key.bn.running_mean"), SHIFT("sam.conv_p.bias"), SHIFT("sam.conv_w.5.bias"),
    SHIFT("gp.l2.bias"),
#undef SHIFT
#define QUERY(ending) {ending, "what all queries have in common", 1e-3, INFINITY}
    QUERY("transformer.w_q.bias"), QUERY("transformer.query.bn.running_mean"),
    QUERY("projector.query.bn.running_mean"),
#undef QUERY
    {"vt.2.projector.w_q.weight", "what follows reads only the mean of all places", 1e-3, INFINITY},
    {"gp.l1.bias", "the same for all of a window's places", 1e-3, INFINITY},
};

typedef struct Network {
    Graph *graph;
    Result *base, *now; /* by value id; of `now`, what the tensor in turn changes */
} Network;

static void make_room(Result *result, const Value *v)
{
    *result = (Result){.type = v->type,
                       .quick = calloc((size_t)shape_count(&v->type.shape) + 1, sizeof(float))};
    if (!result->quick)
        bug("zeroed_weights: out of memory");
}

static void evaluate(const Network *net, const Value *v, Result *results)
{
    Result args[64];
    for (int i = 0; i < v->nargs; i++) {
        int id = v->args[i]->id;
        args[i] = results[id].quick ? results[id] : net->base[id];
    }
    make_room(&results[v->id], v);
    value_eval(v, EVAL_quick, args, &results[v->id]);
}

static void evaluate_all(Arena *arena, const Network *net)
{
    FOR_VALUES(v, net->graph) {
        if (op_info[v->op].class != CLASS_source) {
            evaluate(net, v, net->base);
            continue;
        }
        const Tensor *data = v->op == OP_input ? random_input(arena, &v->type, 1) : v->data;
        make_room(&net->base[v->id], v);
        for (int64_t i = 0; i < shape_count(&v->type.shape); i++)
            net->base[v->id].quick[i] = (float)(data ? tensor_get(data, i) : v->attr.value);
    }
}

/* In parts of the range of an output. */
static double moved(const Network *net, const Value *output)
{
    const float *base = net->base[output->id].quick, *now = net->now[output->id].quick;
    float low = INFINITY, high = -INFINITY, most = 0;
    for (int64_t i = 0; now && i < shape_count(&output->type.shape); i++) {
        low = fminf(low, base[i]);
        high = fmaxf(high, base[i]);
        most = fmaxf(most, fabsf(base[i] - now[i]));
    }
    return high > low ? (double)(most / (high - low)) : 0;
}

static double moved_without(const Network *net, const Value *weight)
{
    make_room(&net->now[weight->id], weight); /* zeros */
    FOR_VALUES(v, net->graph) {
        bool changes = false;
        for (int i = 0; i < v->nargs; i++)
            changes = changes || net->now[v->args[i]->id].quick;
        if (changes)
            evaluate(net, v, net->now);
    }
    double most = 0;
    for (int i = 0; i < net->graph->outputs.n; i++) {
        const Value *v = net->graph->outputs.at[i].value;
        if (v->type.dtype == DT_f32)
            most = fmax(most, moved(net, v));
    }
    FOR_VALUES(v, net->graph) {
        free(net->now[v->id].quick);
        net->now[v->id].quick = NULL;
    }
    return most;
}

static bool enough(const char *name, double part)
{
    size_t length = strlen(name);
    if (part > 100 * verify_output_tolerance)
        return true;
    for (size_t i = 0; i < sizeof exempt / sizeof *exempt; i++) {
        size_t n = strlen(exempt[i].ending);
        if (length < n || strcmp(name + length - n, exempt[i].ending) != 0)
            continue;
        if (part >= exempt[i].least && part <= exempt[i].most)
            return true;
        printf("  %s: moves the output by %.2g, not by %g to %g (%s)\n", name, part,
               exempt[i].least, exempt[i].most, exempt[i].why);
        return false;
    }
    printf("  %s: moves the output by %.2g\n", name, part);
    return false;
}

static int check(const char *file, const char *model)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    Graph *graph = frontend_load(arena, diag, file, model);
    int tensors = 0, failed = !graph;
    double least = INFINITY;
    diag_print(diag, stderr, 0);
    if (graph) {
        weights_init(graph, 1);
        size_t values = (size_t)graph->next_id + 1;
        Network net = {graph, NEW(arena, Result, values), NEW(arena, Result, values)};
        evaluate_all(arena, &net);
        FOR_VALUES(v, graph)
            if (v->op == OP_weight) {
                double part = moved_without(&net, v);
                least = fmin(least, part);
                failed += !enough(v->attr.name, part);
                tensors++;
            }
        FOR_VALUES(v, graph)
            free(net.base[v->id].quick);
    }
    printf("%s %s: %d weights, the least moves the output by %.2g, %d too little\n", file,
           model ? model : "", tensors, least, failed);
    fflush(stdout);
    arena_free(arena);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: zeroed_weights FILE.vt [MODEL...]\n");
        return 2;
    }
    int failed = argc == 2 ? check(argv[1], NULL) : 0;
    for (int i = 2; i < argc; i++)
        failed += check(argv[1], argv[i]);
    return failed != 0;
}
