/* Scores, their softmax and the product that reads it as one group: the members before
 * the anchor are the scores, [pixels] x [tokens], and the softmax over one or the other;
 * the anchor is the product (fuse_attention.c, lower_attention.c).
 *
 * Pixels are taken a chunk at a time; the shape alone says how many, and how chunks are
 * shared out. */
#ifndef VTC_PASSES_ATTENTION_H
#define VTC_PASSES_ATTENTION_H

#include "ir/graph.h"
#include "passes/temporary.h"

typedef struct Attention {
    const Value *scores;  /* X M: a 1x1 convolution or a product */
    const Value *map;     /* X, [1,C,HW] */
    const Value *matrix;  /* M, [1,C,L], or the convolution's weight */
    const Value *bias;    /* of the convolution; NULL none */
    const Value *values;  /* V, [1,D,L], of a softmax over tokens; NULL: over pixels */
    /* Over tokens there may be heads, [1,heads,C,HW] and so on, each by itself: `rows` is the
     * dimension of C, then 2, else 1. */
    int rows;
    int64_t heads;
    int64_t pixels, channels, tokens; /* channels of a head */
    int64_t least;        /* as softmax clamps its exponents */
    bool channels_last;   /* the result's channels are neighbours (once it has a layout) */
    int64_t chunk, chunks; /* pixels of a chunk; chunks */
    int64_t last;          /* pixels of the last chunk */
    int64_t tasks, rounds; /* tasks, and chunks of a task (of the last: maybe fewer) */
    int64_t part;          /* over pixels: f32 elements that a task leaves */
} Attention;

enum { ATTENTION_MOST_TASKS = 8 }; /* over pixels */

/* What a product computes with the softmax it reads; false where it is no such product,
 * or is not worth it. Uses must be counted. */
bool attention_match(const Graph *graph, const Value *product, Attention *attention);
/* The same of a group that was made so; false of all others. */
bool attention_of(const Group *group, Attention *attention);
/* X as it lies: its channels are neighbours. */
bool attention_is_channels_last(const Attention *attention);
/* From one head of an operand to the next, in elements. */
int64_t attention_head_step(const Attention *attention, const Value *operand);
/* Over pixels, where they are neighbours in X: lanes of the scores lie along them first. */
bool attention_scores_by_token(const Attention *attention);
Temporary attention_temporary(const Attention *attention);

#endif
