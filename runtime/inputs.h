/* What INPUT arguments mean: which files, and what a file gives the network. */
#ifndef VTC_INPUTS_H
#define VTC_INPUTS_H

#include "array.h"
#include "image.h"

/* Paths, in the order in which they are run. */
typedef struct VtcPaths {
    char **at;
    size_t n, capacity;
} VtcPaths;

/* Adds what `input` stands for: the images and arrays of a folder by name (not
 * of folders in it), the lines of a .txt (relative to its folder; empty lines
 * and lines that begin with # do not count), or itself. VTC_ERR_OPEN, _FORMAT
 * when it stands for nothing, _MEMORY. */
int vtc_paths_add(VtcPaths *paths, const char *input, VtcError *error);
void vtc_paths_free(VtcPaths *paths);

/* One file, read: `count` values for one network input. */
typedef struct VtcItems {
    const char *path; /* the caller's */
    int64_t count;
    bool tensors;   /* array holds input tensors, not images */
    VtcArray array; /* empty if the file is an encoded image */
    VtcImage image; /* if it is */
} VtcItems;

/* A .npy or idx file is tensors if its type and dimensions are the input's, or
 * the input's with N for a leading 1; else it must be images. Anything else must
 * be an image. VTC_ERR_MISMATCH and the errors of array.h and image.h. */
int vtc_items_open(VtcItems *items, const VtcTensorInfo *input, const char *path,
                   VtcError *error);
/* Item `index` into a tensor of input->bytes. Errors of vtc_preprocess. */
int vtc_items_fill(const VtcItems *items, const VtcTensorInfo *input,
                   int64_t index, void *tensor, VtcError *error);
void vtc_items_close(VtcItems *items);

/* "1x3x224x224", for messages; cut to the size. */
void vtc_shape_text(char *text, size_t size, int rank, const int64_t *dims);

#endif
