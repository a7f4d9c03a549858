/* PNG by stb_image_write, which is compiled here, privately. Warnings are off for
 * this file. */
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

#include "picture.h"

static void write_part(void *context, void *data, int n)
{
    fwrite(data, 1, (size_t)n, context); /* the commit sees what failed */
}

int vtc_png_write(const VtcImage *picture, const char *path, VtcError *error)
{
    VtcOut out;
    int status = vtc_out_open(&out, path, error);
    if (status != VTC_OK)
        return status;
    int row = picture->width * picture->channels;
    if (!stbi_write_png_to_func(write_part, out.file, picture->width,
                                picture->height, picture->channels,
                                picture->pixels, row)) {
        vtc_out_discard(&out);
        return vtc_fail(error, VTC_ERR_MEMORY, "%s: out of memory", path);
    }
    return vtc_out_commit(&out, error);
}
