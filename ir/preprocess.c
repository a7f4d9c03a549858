/* Preprocessing as text. */
#include "ir/graph.h"

static void numbers_add(Text *out, const char *name, const double *at, int n)
{
    text_printf(out, "; %s", name);
    for (int i = 0; i < n; i++) {
        text_add(out, " ");
        text_double(out, at[i]);
    }
}

void preprocess_text(const Preprocess *p, Text *out)
{
    static const char *const orders[] = {[ORDER_rgb] = "rgb", [ORDER_bgr] = "bgr",
                                         [ORDER_gray] = "gray"};
    int channels = p->order == ORDER_gray ? 1 : 3;
    if (p->resize_short)
        text_printf(out, "resize %d %s; ", p->resize_short, mode_name[p->filter]);
    else if (p->resize_h)
        text_printf(out, "resize %d %d %s; ", p->resize_h, p->resize_w, mode_name[p->filter]);
    if (p->crop_h)
        text_printf(out, "crop %d %d; ", p->crop_h, p->crop_w);
    text_add(out, orders[p->order]);
    numbers_add(out, "mean", p->mean, channels);
    numbers_add(out, "std", p->std, channels);
}
