/* Preprocesses one image as told, for test_preprocess.py.
 *
 *   preprocess_driver IMAGE OUT C H W dtype key=value...
 *     resize_short resize_h resize_w filter crop_h crop_w order invert range
 *     mean0..2 std0..2
 * OUT gets the tensor's bytes. Exit status: the VtcStatus. */
#include "preprocess.h"

#include <stdlib.h>
#include <string.h>

static void set(VtcPreprocess *p, const char *argument)
{
    const struct {
        const char *key;
        int32_t *number;
        float *real;
    } table[] = {
        {"resize_short=", &p->resize_short, NULL}, {"resize_h=", &p->resize_h, NULL},
        {"resize_w=", &p->resize_w, NULL}, {"filter=", &p->filter, NULL},
        {"crop_h=", &p->crop_h, NULL}, {"crop_w=", &p->crop_w, NULL},
        {"order=", &p->order, NULL}, {"invert=", &p->invert, NULL},
        {"range=", NULL, &p->range}, {"mean0=", NULL, &p->mean[0]},
        {"mean1=", NULL, &p->mean[1]}, {"mean2=", NULL, &p->mean[2]},
        {"std0=", NULL, &p->std[0]}, {"std1=", NULL, &p->std[1]},
        {"std2=", NULL, &p->std[2]},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t n = strlen(table[i].key);
        if (strncmp(argument, table[i].key, n) != 0)
            continue;
        if (table[i].number != NULL)
            *table[i].number = atoi(argument + n);
        else
            *table[i].real = strtof(argument + n, NULL);
        return;
    }
    exit(99);
}

int main(int argc, char **argv)
{
    VtcPreprocess how = {.range = 255, .std = {1, 1, 1, 1}};
    VtcImage image;
    VtcError error;
    if (argc < 7)
        return 99;
    VtcTensorInfo info = {.name = "x", .dtype = atoi(argv[6]), .rank = 4,
                          .dims = {1, atoi(argv[3]), atoi(argv[4]),
                                   atoi(argv[5])},
                          .preprocess = &how};
    info.bytes = (uint64_t)(info.dims[1] * info.dims[2] * info.dims[3]) *
                 (info.dtype == VTC_u8 ? 1 : 4);
    for (int i = 7; i < argc; i++)
        set(&how, argv[i]);
    void *tensor = malloc((size_t)info.bytes);
    FILE *out = fopen(argv[2], "wb");
    int status = vtc_image_load(&image, argv[1], &error);
    if (status == VTC_OK)
        status = vtc_preprocess(&info, &image, tensor, &error);
    if (status == VTC_OK)
        fwrite(tensor, 1, (size_t)info.bytes, out);
    else
        fprintf(stderr, "%s\n", error.text);
    vtc_image_free(&image);
    free(tensor);
    fclose(out);
    return status;
}
