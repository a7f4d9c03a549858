/* Strides, views and padding in memory: questions that the layout pass, memory
 * planning and lowering all ask. */
#ifndef VTC_PASSES_LAYOUT_H
#define VTC_PASSES_LAYOUT_H

#include "ir/graph.h"
#include "ir/target.h"

/* Elements per step of each dimension of a dense value in its layout. */
void layout_strides(const Shape *shape, const Layout *layout, int64_t *stride);
/* Can this view operator be read in place of a value with these strides? Then
 * the view's strides and its first element's offset (elements). */
bool view_strides(const Value *view, const int64_t *source, int64_t *stride,
                  int64_t *offset);
/* Follows free views (those with place.home views) to the value that owns the
 * storage. */
Value *view_root(Value *value);
/* A view that costs nothing: it is in no group. */
bool value_is_view(const Value *value);
/* Every argument, directly or not, is a weight or constant. */
bool value_is_static(const Value *value);
/* Elements of storage: the dense value and its pad pixel. */
int64_t storage_count(const Value *value);
/* conv2d/conv1d forms that have kernels of their own. */
bool conv_is_depthwise(const Value *conv);
/* A convolution of few channels: its padding is made explicit, so that rows of its
 * input are dense runs. */
bool conv_reads_rows(const Value *conv);
/* The window of a conv or pooling, 1-d as 2-d with height 1. */
typedef struct Window {
    int64_t in_h, in_w, out_h, out_w;
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int64_t pad_top, pad_left;
} Window;
Window window_of(const Value *value);
/* Some window position falls outside the map. */
bool window_leaves_map(const Window *window);

#endif
