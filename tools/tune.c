/* vtc tune: the schedule of each layer by measurement.
 *
 * The network is compiled once as the cost model chooses, and once for every other
 * schedule, in which all layers have it that can. Their steps are timed in turns,
 * inside whole runs, so that caches hold what they will hold; each layer takes the
 * schedule with the least time. What all choices together give is then measured beside
 * the cost model's: where it is not faster, the cost model stands. How well the cost
 * model told the order of the times measured is said as well. */
#include "tools/tune.h"
#include "backends/llvm/llvm.h"
#include "frontend/tuning.h"
#include "ir/bilinear.h"
#include "passes/schedule.h"
#include "passes/strassen.h"
#include "passes/toom_cook.h"
#include "support/progress.h"
#include "support/rank.h"
#include <stdio.h>
#include <string.h>

enum { MOST_CANDIDATES = 18, LEAST_ROUNDS = 3, FINAL_ROUNDS = 20 };

/* Faster by less is noise: the cost model's choice stands. */
static const double worth = 0.97;

typedef struct Candidate {
    Schedule wish;   /* of all layers that can; unused in the first */
    Program *program;
    VtcSession session;
    double *least;   /* ms of each step */
    double build_ms;
} Candidate;

typedef struct Tune {
    Context *c;
    double deadline;             /* ms */
    Candidate candidate[MOST_CANDIDATES];
    int n, wished; /* built; that there would be */
} Tune;

/* ---- candidates -------------------------------------------------------- */

static bool build(Tune *t, Candidate *candidate, Tuning *tuning)
{
    Context *c = t->c;
    double begin = bench_now_ms();
    Graph *graph = load_model(c, c->o.models[0], false);
    if (!graph)
        return false;
    if (!is_bound(graph))
        weights_init(graph, c->o.seed);
    graph->options.tuning = tuning;
    if (!run_passes(c, graph, &candidate->program, NULL, NULL) ||
        !bench_open(c, &candidate->session, candidate->program))
        return false;
    candidate->least = NEW(c->arena, double, candidate->program->steps.n);
    candidate->build_ms = bench_now_ms() - begin;
    return true;
}

static bool same(Schedule a, Schedule b)
{
    return a.algorithm == b.algorithm && a.tile == b.tile;
}

static bool is_layer(const Value *v)
{
    return v->group >= 0 && v->label && op_info[v->op].class == CLASS_conv;
}

/* All layers that can be computed so and are not; NULL: there are none. */
static Tuning *tuning_of(const Tune *t, Schedule wish)
{
    const Graph *graph = t->candidate[0].program->graph;
    Tuning *tuning = NEW(t->c->arena, Tuning, 1);
    FOR_VALUES(v, graph)
        if (is_layer(v) && !same(v->schedule, wish) &&
            schedule_allowed(graph, v, wish, t->c->target))
            VEC_PUSH(t->c->arena, tuning->layers, (Tuned){v->label, wish, {0}, false});
    return tuning->layers.n ? tuning : NULL;
}

/* Half of the time is for compiling; what does not fit is left out, and said. */
static bool add_candidate(Tune *t, Schedule wish)
{
    Tuning *tuning = tuning_of(t, wish);
    if (!tuning || t->n == MOST_CANDIDATES)
        return true;
    t->wished++;
    double left = t->deadline - bench_now_ms();
    if (left < 3 * t->candidate[0].build_ms)
        return true;
    progress("tune: compiling candidate %d of %d", t->n, t->n);
    Candidate *candidate = &t->candidate[t->n];
    candidate->wish = wish;
    if (!build(t, candidate, tuning))
        return false;
    t->n++;
    return true;
}

static bool add_candidates(Tune *t)
{
    bool good = add_candidate(t, (Schedule){ALGORITHM_direct, 0}) &&
                add_candidate(t, (Schedule){ALGORITHM_toom_cook, TOOM_COOK_TILE}) &&
                add_candidate(t, (Schedule){ALGORITHM_strassen, STRASSEN_LEVELS}) &&
                add_candidate(t, (Schedule){ALGORITHM_blas, 0});
    for (int tile = 2; good && tile <= BILINEAR_MOST; tile++)
        good = add_candidate(t, (Schedule){ALGORITHM_winograd, tile}) &&
               add_candidate(t, (Schedule){ALGORITHM_winograd_online, tile});
    return good;
}

/* ---- measuring --------------------------------------------------------- */

static void time_candidate(Candidate *candidate, bool first)
{
    for (int i = 0; i < candidate->program->steps.n; i++) {
        double ms = bench_time_steps(&candidate->session, i, i + 1);
        candidate->least[i] = first || ms < candidate->least[i] ? ms : candidate->least[i];
    }
}

static void time_candidates(Tune *t)
{
    int rounds = 0;
    for (; rounds < LEAST_ROUNDS || bench_now_ms() < t->deadline; rounds++) {
        progress("tune: round %d of %d", rounds + 1, rounds + 1);
        for (int i = 0; i < t->n; i++)
            time_candidate(&t->candidate[i], rounds == 0);
    }
}

static double layer_ms(const Candidate *candidate, const char *label)
{
    double ms = 0;
    const Program *p = candidate->program;
    for (int i = 0; i < p->steps.n; i++) {
        const char *own = step_product(p, &p->steps.at[i])->label;
        ms += own && strcmp(own, label) == 0 ? candidate->least[i] : 0;
    }
    return ms;
}

/* Was it measured of this layer? The first candidate has each layer's own schedule. */
static bool is_measured(const Tune *t, const Value *v, int i)
{
    return i == 0 || (!same(t->candidate[i].wish, v->schedule) &&
                      schedule_allowed(t->candidate[0].program->graph, v, t->candidate[i].wish,
                                       t->c->target));
}

/* ---- choosing ---------------------------------------------------------- */

static Tuning *choose(const Tune *t)
{
    const Graph *graph = t->candidate[0].program->graph;
    Tuning *tuning = NEW(t->c->arena, Tuning, 1);
    FOR_VALUES(v, graph) {
        if (!is_layer(v))
            continue;
        double least = worth * layer_ms(&t->candidate[0], v->label);
        const Schedule *best = NULL;
        for (int i = 1; i < t->n; i++) {
            const Candidate *candidate = &t->candidate[i];
            double ms = layer_ms(candidate, v->label);
            if (ms < least && is_measured(t, v, i)) {
                least = ms;
                best = &candidate->wish;
            }
        }
        if (best)
            VEC_PUSH(t->c->arena, tuning->layers, (Tuned){v->label, *best, {0}, false});
    }
    return tuning;
}

/* ---- the cost model ---------------------------------------------------- */

/* What was thought of every layer's schedules, and what was measured. */
typedef struct Pairs {
    VEC(double) cost, ms;
} Pairs;

static void add_pairs(const Tune *t, const Value *v, Pairs *pairs)
{
    const Graph *graph = t->candidate[0].program->graph;
    const Target *target = t->c->target;
    for (int i = 0; i < t->n; i++) {
        Schedule schedule = i ? t->candidate[i].wish : v->schedule;
        double cost = is_measured(t, v, i) ? schedule_cost(graph, v, schedule, target) : 0;
        if (cost <= 0)
            continue;
        VEC_PUSH(t->c->arena, pairs->cost, cost);
        VEC_PUSH(t->c->arena, pairs->ms, layer_ms(&t->candidate[i], v->label));
    }
}

/* Over all candidates of all layers, and the mean of those of one layer with three or
 * more: the first asks whether costs are times, the second whether choices are good. */
static const char *judge_model(const Tune *t)
{
    enum { LEAST = 3 };
    Arena *arena = t->c->arena;
    Pairs all = {0};
    double within = 0;
    int layers = 0, judged = 0;
    FOR_VALUES(v, t->candidate[0].program->graph) {
        int before = all.cost.n;
        if (is_layer(v))
            add_pairs(t, v, &all);
        int n = all.cost.n - before;
        layers += n > 0;
        if (n < LEAST)
            continue;
        judged++;
        within += rank_correlation(arena, all.cost.at + before, all.ms.at + before, n);
    }
    const char *mean = judged ? arena_printf(arena, ", %.2f within a layer (mean of %d)",
                                             within / judged, judged) : "";
    return arena_printf(arena, "cost model: rank correlation %.2f over %d candidates of %d "
                               "layers%s",
                        rank_correlation(arena, all.cost.at, all.ms.at, all.cost.n),
                        all.cost.n, layers, mean);
}

/* What the model is judged by, a line each: to fit it by. */
static void show_measured(const Tune *t)
{
    const Graph *graph = t->candidate[0].program->graph;
    FOR_VALUES(v, graph) {
        for (int i = 0; is_layer(v) && i < t->n; i++) {
            Schedule schedule = i ? t->candidate[i].wish : v->schedule;
            if (!is_measured(t, v, i))
                continue;
            fprintf(stderr, "%s\t%s\t%.4f ms\tcost %.3fM\n", v->label,
                    schedule_text(t->c->arena, schedule),
                    layer_ms(&t->candidate[i], v->label),
                    1e-6 * schedule_cost(graph, v, schedule, t->c->target));
        }
    }
}

/* ---- the result -------------------------------------------------------- */

static double least_run(const VtcSession *session, int steps, double least)
{
    double ms = bench_time_steps(session, 0, steps);
    return ms < least ? ms : least;
}

/* The tuned network beside the other, whole, in turns. */
static bool compare(Tune *t, Tuning *tuning, double ms[2])
{
    Candidate tuned = {0}, *plain = &t->candidate[0];
    if (!build(t, &tuned, tuning))
        return false;
    ms[0] = ms[1] = 1e30;
    for (int i = 0; i < FINAL_ROUNDS; i++) {
        progress("tune: comparing, round %d of %d", i + 1, FINAL_ROUNDS);
        ms[0] = least_run(&plain->session, plain->program->steps.n, ms[0]);
        ms[1] = least_run(&tuned.session, tuned.program->steps.n, ms[1]);
    }
    vtc_session_close(&tuned.session);
    return true;
}

static bool write_result(Tune *t, Tuning *tuning, const double ms[2])
{
    Context *c = t->c;
    Text out = text_new(c->arena);
    bool faster = tuning->layers.n > 0 && ms[1] < ms[0];
    const char *model = judge_model(t);
    text_printf(&out, "# vtc tune: %s for %s\n# %s\n", t->candidate[0].program->name,
                c->target->name, model);
    if (faster)
        tuning_write(tuning, &out);
    else
        text_add(&out, "# nothing measured was faster than the cost model's choices\n");
    OutFile *file = outfile_open(c->arena, c->o.out, c->diag);
    if (!file)
        return false;
    outfile_write(file, text_str(&out), out.n);
    if (!outfile_close(file, c->diag))
        return false;
    printf("%s\n%d layers tuned: %.3f ms, %.3f ms before\n", model, faster ? tuning->layers.n : 0,
           faster ? ms[1] : ms[0], ms[0]);
    return true;
}

/* ---- the command ------------------------------------------------------- */

static int tune(Tune *t)
{
    double ms[2] = {0};
    if (!build(t, &t->candidate[0], NULL))
        return EXIT_INPUT;
    t->n = 1;
    if (!add_candidates(t))
        return EXIT_INPUT;
    if (t->n - 1 < t->wished)
        diag_warning(t->c->diag, (Span){0}, "%d of %d candidates fit into the time",
                     t->n - 1, t->wished);
    time_candidates(t);
    Tuning *tuning = choose(t);
    if (tuning->layers.n && !compare(t, tuning, ms))
        return EXIT_INPUT;
    if (!tuning->layers.n)
        ms[0] = least_run(&t->candidate[0].session, t->candidate[0].program->steps.n, 1e30);
    progress_end();
    if (t->c->o.verbose)
        show_measured(t);
    return write_result(t, tuning, ms) ? EXIT_OK : EXIT_ENVIRONMENT;
}

int command_tune(Context *c)
{
    const char *wrong = !c->o.out ? "-o FILE is needed" : c->o.tuned ? "--tuned is its result"
                      : !target_runs_here(c->target) ? "the target does not run here" : NULL;
    if (wrong) {
        fprintf(stderr, "vtc: tune: %s\n", wrong);
        return EXIT_CALL;
    }
    Tune t = {.c = c, .deadline = bench_now_ms() + 1e3 * c->o.time};
    if (!c->o.backend && llvm_available(diag_new(c->arena)))
        c->backend = BACKEND_llvm; /* compiles sooner; kernels are alike */
    int code = tune(&t);
    for (int i = 0; i < t.n; i++)
        vtc_session_close(&t.candidate[i].session);
    return context_finish(c, code);
}
