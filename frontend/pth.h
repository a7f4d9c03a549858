/* PyTorch's own checkpoints: a zip archive of `data.pkl`, a pickle that names tensors,
 * and `data/KEY`, their elements. Files come from strangers: the pickle is read as data
 * only (pickle.h), and every size, offset and stride is checked. */
#ifndef VTC_FRONTEND_PTH_H
#define VTC_FRONTEND_PTH_H

#include "frontend/tensor_file.h"

/* The tensors of a state dict, or of a dictionary that holds one ("state_dict", ...).
 * NULL and errors in diag; `path` is for messages. Elements stay in `data`. */
TensorFile *pth_parse(Arena *arena, Diag *diag, const char *path, const unsigned char *data,
                      size_t n);
/* What PyTorch wrote before version 1.6: pth_parse refuses it with a word. */
bool pth_is_old(const unsigned char *data, size_t n);

#endif
