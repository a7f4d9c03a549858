/* Inputs of a contraction that are computed as it reads them: members of its group
 * before the anchor. They are evaluated for some pixels at a time into scratch,
 * [pixel][channel], from which the contraction reads.
 *
 * All dimensions of an input, in row-major order, are one sequence of axes that a
 * reshape only cuts differently: it is cut as finely as any member wants it. A concat
 * of channels makes one sequence for each of its parts. */
#ifndef VTC_PASSES_INPUTS_H
#define VTC_PASSES_INPUTS_H

#include "ir/graph.h"

enum { MAX_CUTS = 12 };

/* One part of the channels; all pixels. */
typedef struct InputPart {
    int64_t extent[MAX_CUTS]; /* outermost first */
    int64_t start;            /* first channel of the anchor's */
    const Value *joint;       /* the concat; NULL none */
    int part;                 /* its argument */
    int n;                    /* axes */
} InputPart;

/* Which axes make a dimension: [begin, end), and what is added to their index. */
typedef struct Run {
    int begin, end;
    int64_t start;
} Run;

/* Does the group have such inputs? Is a member one of them? */
bool group_has_inputs(const Group *group);
bool group_is_input(const Group *group, const Value *member);
/* The parts of what the anchor reads; 0 where the members do not fit together. */
enum { MAX_PARTS = 8 };
int inputs_describe(const Group *group, InputPart *parts);
/* The runs of the anchor's input, and from a member's those of an argument. */
void input_runs(const Group *group, const InputPart *part, Run *runs);
void argument_runs(const InputPart *part, const Value *member, const Run *runs, int argument,
                   Run *out);
/* Pixels that are computed at a time: neighbours in a row. */
int64_t inputs_pixels(const Group *group);

#endif
