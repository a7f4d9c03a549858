/* Class maps and score maps drawn over the photograph, as papers show them.
 *
 *     input tensor -> grey photograph -> enlarged -> blended with the colours of
 *                                                    classes or of scores
 *
 * The photograph is read back from the input tensor: it is resized and cropped as
 * the network saw it, so maps lie exactly over it, and tensors can be drawn too. */
#include "picture.h"

#include "inputs.h"
#include "results.h"
#include <math.h>

enum { OVERLAY_SIDE = 384, TILE_SIDE = 192, GAP = 4 };

/* The last dimensions of the input. */
typedef struct Frame {
    int height, width, channels, zoom;
} Frame;

static int64_t last_dim(const VtcTensorInfo *info, int from_end)
{
    return info->rank >= from_end ? info->dims[info->rank - from_end] : 1;
}

static int frame_of(Frame *frame, const VtcTensorInfo *input, int side,
                    VtcError *error)
{
    int64_t h = last_dim(input, 2), w = last_dim(input, 1);
    int64_t channels = last_dim(input, 3), all = vtc_element_count(input);
    bool image = (channels == 1 || channels == 3) && all == h * w * channels &&
                 (input->dtype == VTC_f32 || input->dtype == VTC_u8) &&
                 h > 0 && w > 0 && h <= VTC_MAX_PIXELS / w;
    if (!image)
        return vtc_fail(error, VTC_ERR_MISMATCH,
                        "input '%s' is no image to draw on", input->name);
    int64_t shorter = h < w ? h : w;
    *frame = (Frame){(int)h, (int)w, (int)channels,
                     (int)((side + shorter - 1) / shorter)};
    return VTC_OK;
}

/* ---- the photograph ---------------------------------------------------- */

static double sample(const VtcPhoto *photo, const Frame *f, int channel,
                     int64_t pixel)
{
    int64_t i = channel * (int64_t)f->height * f->width + pixel;
    if (photo->input->dtype == VTC_u8)
        return ((const unsigned char *)photo->tensor)[i];
    double v = ((const float *)photo->tensor)[i];
    const VtcPreprocess *pre = photo->input->preprocess;
    if (pre == NULL)
        return v * 255;
    v = (v * pre->std[channel] + pre->mean[channel]) * pre->range;
    return pre->invert ? 255 - v : v;
}

static unsigned char byte_of(double v)
{
    return v >= 255 ? 255 : v > 0 ? (unsigned char)(v + 0.5) : 0;
}

/* Red, green and blue of a pixel of the input. */
static VtcColour photo_at(const VtcPhoto *photo, const Frame *f, int64_t pixel)
{
    const VtcPreprocess *pre = photo->input->preprocess;
    bool bgr = pre != NULL && pre->order == VTC_BGR;
    int red = f->channels == 1 ? 0 : bgr ? 2 : 0;
    int green = f->channels == 1 ? 0 : 1;
    int blue = f->channels == 1 ? 0 : 2 - red;
    return (VtcColour){byte_of(sample(photo, f, red, pixel)),
                       byte_of(sample(photo, f, green, pixel)),
                       byte_of(sample(photo, f, blue, pixel))};
}

static double grey_of(VtcColour c)
{
    return 0.299 * c.r + 0.587 * c.g + 0.114 * c.b;
}

static void put(VtcImage *picture, int y, int x, VtcColour c)
{
    size_t at = ((size_t)y * (size_t)picture->width + (size_t)x) * 3;
    picture->pixels[at] = c.r;
    picture->pixels[at + 1] = c.g;
    picture->pixels[at + 2] = c.b;
}

/* The grey photograph with `part` of a colour. */
static VtcColour blend(double grey, VtcColour c, double part)
{
    double rest = (1 - part) * grey;
    return (VtcColour){byte_of(rest + part * c.r), byte_of(rest + part * c.g),
                       byte_of(rest + part * c.b)};
}

/* ---- classes ----------------------------------------------------------- */

VtcColour vtc_class_colour(int64_t class_index)
{
    unsigned bits = (unsigned)class_index & 0xff, r = 0, g = 0, b = 0;
    for (int k = 7; bits != 0; k--, bits >>= 3) {
        r |= (bits & 1) << k;
        g |= (bits >> 1 & 1) << k;
        b |= (bits >> 2 & 1) << k;
    }
    return (VtcColour){(unsigned char)r, (unsigned char)g, (unsigned char)b};
}

bool vtc_is_class_map(const VtcTensorInfo *info)
{
    bool integer = info->dtype == VTC_i32 || info->dtype == VTC_u8 ||
                   info->dtype == VTC_bool;
    int64_t h = last_dim(info, 2), w = last_dim(info, 1);
    return integer && info->rank >= 2 && h * w > 1 &&
           vtc_element_count(info) == h * w;
}

static int64_t class_at(const VtcTensorInfo *info, const void *data, int64_t i)
{
    return info->dtype == VTC_i32 ? ((const int32_t *)data)[i]
                                  : ((const unsigned char *)data)[i];
}

int vtc_overlay_draw(VtcImage *picture, const VtcPhoto *photo,
                     const VtcTensorInfo *info, const void *data,
                     VtcError *error)
{
    Frame f;
    if (!vtc_is_class_map(info))
        return vtc_fail(error, VTC_ERR_MISMATCH,
                        "output '%s' is no map of classes", info->name);
    int status = frame_of(&f, photo->input, OVERLAY_SIDE, error);
    if (status == VTC_OK)
        status = vtc_image_new(picture, (int64_t)f.width * f.zoom,
                               (int64_t)f.height * f.zoom, 3, error);
    if (status != VTC_OK)
        return status;
    int64_t h = last_dim(info, 2), w = last_dim(info, 1);
    for (int y = 0; y < picture->height; y++)
        for (int x = 0; x < picture->width; x++) {
            int64_t pixel = (int64_t)(y / f.zoom) * f.width + x / f.zoom;
            int64_t cell = y * h / picture->height * w + x * w / picture->width;
            VtcColour c = vtc_class_colour(class_at(info, data, cell));
            put(picture, y, x, blend(grey_of(photo_at(photo, &f, pixel)), c, 0.55));
        }
    return VTC_OK;
}

/* ---- scores ------------------------------------------------------------ */

typedef struct Maps {
    int64_t count, height, width;
} Maps;

/* Whether h x w cells cover the input: as high to wide, to within a cell. */
static bool covers(int64_t h, int64_t w, const VtcTensorInfo *input)
{
    double ih = (double)last_dim(input, 2), iw = (double)last_dim(input, 1);
    double wanted = (double)h * iw / ih;
    return h > 1 && w > 1 && fabs(wanted - (double)w) < 1;
}

/* The rows of n cells that cover the input best; 0 if none do. */
static int64_t rows_of(int64_t n, const VtcTensorInfo *input)
{
    double shape = (double)last_dim(input, 2) / (double)last_dim(input, 1);
    double ideal = sqrt((double)n * shape);
    int64_t best = 0;
    for (int64_t h = 2; h <= n / 2; h++)
        if (n % h == 0 && covers(h, n / h, input) &&
            (best == 0 || fabs((double)h - ideal) < fabs((double)best - ideal)))
            best = h;
    return best;
}

static bool maps_find(Maps *maps, const VtcTensorInfo *info,
                      const VtcTensorInfo *input)
{
    int64_t h = last_dim(info, 2), w = last_dim(info, 1);
    if (info->dtype != VTC_f32 || info->rank < 2 || input->rank < 2)
        return false;
    if (!covers(h, w, input)) {
        h = rows_of(w, input);
        w = h > 0 ? w / h : 0;
    }
    if (h > 0)
        *maps = (Maps){vtc_element_count(info) / (h * w), h, w};
    return h > 0;
}

bool vtc_is_score_maps(const VtcTensorInfo *info, const VtcTensorInfo *input)
{
    Maps maps;
    return maps_find(&maps, info, input);
}

/* Blue, green, red for 0, 1/2, 1. */
static VtcColour heat(double v)
{
    return (VtcColour){byte_of(255 * v), byte_of(255 * 4 * v * (1 - v) * 0.7),
                       byte_of(255 * (1 - v))};
}

/* Between the cells' middles linear, beyond the outermost ones constant. */
static double smooth_at(const float *at, const Maps *m, double y, double x)
{
    double fy = fmin(fmax(y * (double)m->height - 0.5, 0), (double)(m->height - 1));
    double fx = fmin(fmax(x * (double)m->width - 0.5, 0), (double)(m->width - 1));
    int64_t y0 = (int64_t)fy, x0 = (int64_t)fx;
    int64_t y1 = y0 + (y0 + 1 < m->height), x1 = x0 + (x0 + 1 < m->width);
    double dy = fy - (double)y0, dx = fx - (double)x0;
    const float *top = at + y0 * m->width, *bottom = at + y1 * m->width;
    return (1 - dy) * ((1 - dx) * top[x0] + dx * top[x1]) +
           dy * ((1 - dx) * bottom[x0] + dx * bottom[x1]);
}

/* Where a tile lies and what it shows; scores NULL: the photograph alone. */
typedef struct Tile {
    int top, left;
    const float *scores;
    double low, high;
} Tile;

static void tile_range(Tile *tile, const Maps *maps)
{
    tile->low = INFINITY;
    tile->high = -INFINITY;
    for (int64_t i = 0; i < maps->height * maps->width; i++) {
        tile->low = fmin(tile->low, tile->scores[i]);
        tile->high = fmax(tile->high, tile->scores[i]);
    }
}

static VtcColour tile_colour(const Tile *tile, const Maps *maps, VtcColour photo,
                             double y, double x)
{
    if (tile->scores == NULL)
        return photo;
    double v = smooth_at(tile->scores, maps, y, x);
    double range = tile->high - tile->low;
    v = range > 0 && isfinite(range) && isfinite(v) ? (v - tile->low) / range : 0;
    return blend(grey_of(photo), heat(v), 0.5);
}

static void tile_draw(VtcImage *picture, const VtcPhoto *photo, const Frame *f,
                      const Maps *maps, const Tile *tile)
{
    int height = f->height * f->zoom, width = f->width * f->zoom;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int64_t pixel = (int64_t)(y / f->zoom) * f->width + x / f->zoom;
            VtcColour c = tile_colour(tile, maps, photo_at(photo, f, pixel),
                                      (y + 0.5) / height, (x + 0.5) / width);
            put(picture, tile->top + y, tile->left + x, c);
        }
}

static int maps_check(Maps *maps, const VtcPhoto *photo,
                      const VtcTensorInfo *info, VtcError *error)
{
    if (!maps_find(maps, info, photo->input))
        return vtc_fail(error, VTC_ERR_MISMATCH,
                        "output '%s' is no maps over input '%s'", info->name,
                        photo->input->name);
    if (maps->count > VTC_MAX_MAPS)
        return vtc_fail(error, VTC_ERR_LIMIT,
                        "output '%s' is %lld maps, at most %d are drawn",
                        info->name, (long long)maps->count, VTC_MAX_MAPS);
    return VTC_OK;
}

int vtc_maps_draw(VtcImage *picture, const VtcPhoto *photo,
                  const VtcTensorInfo *info, const void *data, VtcError *error)
{
    Frame f;
    Maps maps = {0};
    int status = frame_of(&f, photo->input, TILE_SIDE, error);
    if (status == VTC_OK)
        status = maps_check(&maps, photo, info, error);
    if (status != VTC_OK)
        return status;
    int tiles = (int)maps.count + 1, columns = (int)ceil(sqrt(tiles));
    int rows = (tiles + columns - 1) / columns;
    int down = f.height * f.zoom + GAP, across = f.width * f.zoom + GAP;
    status = vtc_image_new(picture, (int64_t)across * columns - GAP,
                           (int64_t)down * rows - GAP, 3, error);
    if (status != VTC_OK)
        return status;
    for (int64_t i = 0; i < (int64_t)picture->width * picture->height * 3; i++)
        picture->pixels[i] = 255;
    for (int i = 0; i < tiles; i++) {
        Tile tile = {.top = i / columns * down, .left = i % columns * across};
        if (i > 0) {
            tile.scores = (const float *)data + (i - 1) * maps.height * maps.width;
            tile_range(&tile, &maps);
        }
        tile_draw(picture, photo, &f, &maps, &tile);
    }
    return VTC_OK;
}
