/* What --overlay and --maps ask for: one picture for each item that is run. */
#ifndef VTC_DRAW_H
#define VTC_DRAW_H

#include "picture.h"
#include "results.h"
#include "session.h"

typedef enum VtcDrawing { VTC_DRAW_OVERLAY, VTC_DRAW_MAPS } VtcDrawing;

typedef struct VtcDraw {
    VtcDrawing drawing;
    const char *path; /* a '*' in it stands for the item's number; NULL: none */
    int input, output;
    int64_t drawn;
} VtcDraw;

/* Chooses the output: the one called `output`, or with NULL the first that can be
 * drawn so. path NULL: nothing is drawn. VTC_ERR_RANGE if there is none. */
int vtc_draw_open(VtcDraw *draw, const VtcModel *model, const char *path,
                  const char *output, VtcError *error);
/* Draws the last run. VTC_ERR_RANGE for a second item without a '*', and the
 * errors of picture.h. */
int vtc_draw_add(VtcDraw *draw, const VtcSession *session, VtcError *error);

/* "background #000000, coat #008080": the classes of a map and their colours. */
void vtc_legend_print(FILE *out, const VtcTensorInfo *info, const void *data,
                      const VtcStyle *style);

#endif
