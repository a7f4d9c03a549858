/* One picture for each item that is run. */
#include "draw.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const option_name[] = {
    [VTC_DRAW_OVERLAY] = "--overlay", [VTC_DRAW_MAPS] = "--maps"};

/* The first input that takes images, else the first. */
static int photo_input(const VtcModel *model)
{
    for (int i = 0; i < model->input_count; i++)
        if (model->inputs[i].preprocess != NULL)
            return i;
    return 0;
}

static bool drawable(const VtcDraw *draw, const VtcModel *model, int output)
{
    const VtcTensorInfo *info = &model->outputs[output];
    switch (draw->drawing) {
    case VTC_DRAW_OVERLAY:
        return vtc_is_class_map(info);
    case VTC_DRAW_MAPS:
        return vtc_is_score_maps(info, &model->inputs[draw->input]);
    }
    return false;
}

int vtc_draw_open(VtcDraw *draw, const VtcModel *model, const char *path,
                  const char *output, VtcError *error)
{
    draw->path = path;
    if (path == NULL)
        return VTC_OK;
    draw->input = photo_input(model);
    for (int i = 0; model->input_count > 0 && i < model->output_count; i++) {
        const VtcTensorInfo *info = &model->outputs[i];
        bool wanted = output != NULL ? strcmp(output, info->name) == 0
                                     : !vtc_is_vector(info); /* rather classes */
        if (wanted && drawable(draw, model, i)) {
            draw->output = i;
            return VTC_OK;
        }
    }
    const char *what = draw->drawing == VTC_DRAW_OVERLAY
                           ? "a map of classes, integers [1, H, W]"
                           : "maps over the input, f32 [.., H, W] or [.., H*W]";
    if (output == NULL)
        return vtc_fail(error, VTC_ERR_RANGE, "%s: no output is %s",
                        option_name[draw->drawing], what);
    return vtc_fail(error, VTC_ERR_RANGE, "%s: output '%s' is not %s",
                    option_name[draw->drawing], output, what);
}

/* The path with the number in place of the '*'; from malloc. */
static char *numbered(const VtcDraw *draw)
{
    const char *star = strchr(draw->path, '*');
    size_t n = strlen(draw->path) + 24;
    char *path = malloc(n);
    if (path == NULL)
        return NULL;
    if (star == NULL)
        memcpy(path, draw->path, strlen(draw->path) + 1);
    else
        snprintf(path, n, "%.*s%" PRId64 "%s", (int)(star - draw->path),
                 draw->path, draw->drawn, star + 1);
    return path;
}

static int picture_write(const VtcDraw *draw, const VtcImage *picture,
                         VtcError *error)
{
    char *path = numbered(draw);
    if (path == NULL)
        return vtc_fail(error, VTC_ERR_MEMORY, "out of memory");
    int status = vtc_png_write(picture, path, error);
    free(path);
    return status;
}

int vtc_draw_add(VtcDraw *draw, const VtcSession *session, VtcError *error)
{
    if (draw->path == NULL)
        return VTC_OK;
    if (draw->drawn > 0 && strchr(draw->path, '*') == NULL)
        return vtc_fail(error, VTC_ERR_RANGE,
                        "%s=%s: for several inputs write a '*' into the name, in "
                        "whose place their numbers come",
                        option_name[draw->drawing], draw->path);
    VtcPhoto photo = {&session->model->inputs[draw->input],
                      session->inputs[draw->input]};
    const VtcTensorInfo *info = &session->model->outputs[draw->output];
    const void *data = session->outputs[draw->output];
    VtcImage picture;
    int status = draw->drawing == VTC_DRAW_OVERLAY
                     ? vtc_overlay_draw(&picture, &photo, info, data, error)
                     : vtc_maps_draw(&picture, &photo, info, data, error);
    if (status != VTC_OK)
        return status;
    status = picture_write(draw, &picture, error);
    vtc_image_free(&picture);
    draw->drawn++;
    return status;
}

/* ---- the legend -------------------------------------------------------- */

enum { CLASSES = 256 }; /* colours repeat beyond */

void vtc_legend_print(FILE *out, const VtcTensorInfo *info, const void *data,
                      const VtcStyle *style)
{
    bool seen[CLASSES] = {false};
    const char *between = "";
    int64_t n = vtc_element_count(info);
    for (int64_t i = 0; i < n; i++) {
        int64_t c = info->dtype == VTC_i32 ? ((const int32_t *)data)[i]
                                           : ((const unsigned char *)data)[i];
        if (c >= 0 && c < CLASSES)
            seen[c] = true;
    }
    for (int c = 0; c < CLASSES; c++) {
        if (!seen[c])
            continue;
        VtcColour colour = vtc_class_colour(c);
        if (c < style->label_count)
            fprintf(out, "%s%s", between, style->labels[c]);
        else
            fprintf(out, "%sclass %d", between, c);
        fprintf(out, " #%02x%02x%02x", colour.r, colour.g, colour.b);
        between = ", ";
    }
}
