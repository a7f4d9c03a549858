/* .npy: magic, version, header length, a Python dict as text, elements.
 *
 *     \x93NUMPY 1 0 <u16 length>
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 4, 4), }   \n
 *
 * The dict is read by a strict little parser: the three keys, each once, in any
 * order, and nothing else. */
#define _POSIX_C_SOURCE 200809L
#include "npy.h"

#include <inttypes.h>
#include <string.h>

/* ---- the header's text ------------------------------------------------- */

typedef struct Cursor {
    const char *at, *end;
} Cursor;

typedef struct Header {
    char descr[8];
    bool fortran;
    int rank;
    int64_t dims[VTC_MAX_RANK];
} Header;

static void skip_spaces(Cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n'))
        c->at++;
}

/* Spaces, then exactly `text`. */
static bool take(Cursor *c, const char *text)
{
    skip_spaces(c);
    size_t n = strlen(text);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, text, n) != 0)
        return false;
    c->at += n;
    return true;
}

static bool take_string(Cursor *c, char *out, size_t size)
{
    if (!take(c, "'"))
        return false;
    size_t n = 0;
    while (c->at < c->end && *c->at != '\'' && n + 1 < size)
        out[n++] = *c->at++;
    out[n] = '\0';
    return take(c, "'");
}

static bool take_number(Cursor *c, int64_t *out)
{
    skip_spaces(c);
    const char *begin = c->at;
    int64_t value = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (value > (INT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (*c->at - '0');
    }
    *out = value;
    return c->at > begin;
}

/* "()", "(3,)", "(1, 3)", "(1, 3,)" */
static bool take_shape(Cursor *c, Header *header)
{
    if (!take(c, "("))
        return false;
    while (!take(c, ")")) {
        if (header->rank == VTC_MAX_RANK ||
            !take_number(c, &header->dims[header->rank]))
            return false;
        header->rank++;
        if (!take(c, ",") && (header->rank < 2 || !take(c, ")")))
            return false;
        if (c->at[-1] == ')')
            return true;
    }
    return true;
}

static bool take_bool(Cursor *c, bool *out)
{
    *out = take(c, "True");
    return *out || take(c, "False");
}

enum { KEY_descr = 1, KEY_fortran = 2, KEY_shape = 4, KEYS_ALL = 7 };

/* One "key: value"; the key's bit, or 0. */
static int take_entry(Cursor *c, Header *header)
{
    char key[16];
    if (!take_string(c, key, sizeof key) || !take(c, ":"))
        return 0;
    if (strcmp(key, "descr") == 0)
        return take_string(c, header->descr, sizeof header->descr) ? KEY_descr
                                                                   : 0;
    if (strcmp(key, "fortran_order") == 0)
        return take_bool(c, &header->fortran) ? KEY_fortran : 0;
    if (strcmp(key, "shape") == 0)
        return take_shape(c, header) ? KEY_shape : 0;
    return 0;
}

static bool header_parse(Header *header, Cursor c)
{
    memset(header, 0, sizeof *header);
    int seen = 0;
    if (!take(&c, "{"))
        return false;
    while (seen != KEYS_ALL) {
        int key = take_entry(&c, header);
        if (key == 0 || (seen & key) != 0)
            return false;
        seen |= key;
        if (!take(&c, ",") && seen != KEYS_ALL)
            return false;
    }
    if (!take(&c, "}"))
        return false;
    skip_spaces(&c);
    return c.at == c.end;
}

/* ---- the file ---------------------------------------------------------- */

static unsigned little(const unsigned char *at, int bytes)
{
    unsigned x = 0;
    for (int i = bytes - 1; i >= 0; i--)
        x = x << 8 | at[i];
    return x;
}

/* Finds the dict and where the elements begin. */
static int locate(const VtcBytes *file, Cursor *dict, const char *name,
                  VtcError *error)
{
    const unsigned char *at = file->at;
    if (file->n < 10)
        return vtc_fail(error, VTC_ERR_SIZE, "%s: truncated .npy header", name);
    if ((at[6] != 1 && at[6] != 2) || at[7] != 0)
        return vtc_fail(error, VTC_ERR_FORMAT,
                        "%s: .npy version %d.%d is not read, 1.0 and 2.0 are",
                        name, at[6], at[7]);
    size_t begin = at[6] == 1 ? 10 : 12;
    size_t length = file->n < begin ? SIZE_MAX : little(at + 8, (int)begin - 8);
    if (file->n < begin || file->n - begin < length)
        return vtc_fail(error, VTC_ERR_SIZE, "%s: truncated .npy header", name);
    const char *text = (const char *)at + begin;
    *dict = (Cursor){text, text + length};
    return VTC_OK;
}

typedef struct Descr {
    const char *code; /* without byte order */
    int dtype;
    size_t bytes;
} Descr;

static const Descr descrs[] = {
    {"f4", VTC_f32, 4},
    {"i4", VTC_i32, 4},
    {"i8", VTC_i32, 8},
    {"u1", VTC_u8,  1},
};

static const Descr *descr_find(const char *text)
{
    char order = text[0];
    for (size_t i = 0; i < sizeof descrs / sizeof *descrs; i++)
        if (order != '\0' && strcmp(text + 1, descrs[i].code) == 0 &&
            (order == '|') == (descrs[i].bytes == 1) &&
            strchr("<>|", order) != NULL)
            return &descrs[i];
    return NULL;
}

static bool host_is_little(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

static void swap_elements(unsigned char *at, int64_t count, size_t bytes)
{
    for (int64_t i = 0; i < count; i++, at += bytes)
        for (size_t j = 0; j < bytes / 2; j++) {
            unsigned char t = at[j];
            at[j] = at[bytes - 1 - j];
            at[bytes - 1 - j] = t;
        }
}

/* In place; false if a value does not fit. */
static bool narrow_i64(unsigned char *at, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t wide;
        memcpy(&wide, at + i * 8, 8);
        if (wide < INT32_MIN || wide > INT32_MAX)
            return false;
        int32_t value = (int32_t)wide;
        memcpy(at + i * 4, &value, 4);
    }
    return true;
}

/* Elements of the shape, or -1 if they cannot be that many in `bytes`. */
static int64_t count_elements(const Header *header, size_t bytes)
{
    int64_t count = 1;
    for (int i = 0; i < header->rank; i++)
        if (header->dims[i] == 0)
            return 0;
    for (int i = 0; i < header->rank; i++) {
        if (header->dims[i] > (int64_t)bytes / count)
            return -1;
        count *= header->dims[i];
    }
    return count;
}

static int header_check(const Header *header, const Descr *descr,
                        const char *name, VtcError *error)
{
    if (descr == NULL)
        return vtc_fail(error, VTC_ERR_FORMAT,
                        "%s: element type '%s' is not read: f4, i4, i8 and u1 "
                        "are",
                        name, header->descr);
    if (header->fortran)
        return vtc_fail(error, VTC_ERR_FORMAT,
                        "%s: Fortran order: save np.ascontiguousarray of it",
                        name);
    return VTC_OK;
}

int vtc_npy_parse(VtcArray *array, VtcBytes *file, const char *name,
                  VtcError *error)
{
    Cursor dict = {0};
    Header header;
    int status = locate(file, &dict, name, error);
    if (status != VTC_OK)
        return status;
    if (!header_parse(&header, dict))
        return vtc_fail(error, VTC_ERR_FORMAT, "%s: malformed .npy header",
                        name);
    const Descr *descr = descr_find(header.descr);
    status = header_check(&header, descr, name, error);
    if (status != VTC_OK)
        return status;
    size_t skip = (size_t)(dict.end - (const char *)file->at);
    size_t bytes = file->n - skip;
    int64_t count = count_elements(&header, bytes);
    if (count < 0 || (uint64_t)count * descr->bytes != bytes)
        return vtc_fail(error, VTC_ERR_SIZE,
                        "%s: %s: %zu bytes of elements do not fill its shape",
                        name, count < 0 ? "truncated" : "wrong size", bytes);
    memmove(file->at, file->at + skip, bytes);
    if (descr->bytes > 1 && (header.descr[0] == '<') != host_is_little())
        swap_elements(file->at, count, descr->bytes);
    if (descr->bytes == 8 && !narrow_i64(file->at, count))
        return vtc_fail(error, VTC_ERR_FORMAT,
                        "%s: an element does not fit 32 bits", name);
    array->dtype = descr->dtype;
    array->rank = header.rank;
    memcpy(array->dims, header.dims, sizeof array->dims);
    array->count = count;
    array->data = (VtcBytes){file->at, (size_t)count * (descr->bytes == 1 ? 1 : 4)};
    return VTC_OK;
}

/* ---- writing ----------------------------------------------------------- */

static const char *descr_code(int dtype)
{
    return dtype == VTC_f32   ? "f4"
           : dtype == VTC_i32 ? "i4"
           : dtype == VTC_u8  ? "u1"
                              : "b1";
}

void vtc_npy_header(char header[VTC_NPY_HEADER_BYTES], int dtype, int rank,
                    const int64_t *dims)
{
    static const char magic[8] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0};
    enum { LENGTH = VTC_NPY_HEADER_BYTES - 10 };
    char order = vtc_dtype_bytes(dtype) == 1 ? '|' : host_is_little() ? '<' : '>';
    memcpy(header, magic, sizeof magic);
    header[8] = (char)(unsigned char)(LENGTH % 256);
    header[9] = LENGTH / 256;
    char *text = header + 10;
    int n = snprintf(text, LENGTH,
                     "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                     order, descr_code(dtype));
    for (int i = 0; i < rank; i++)
        n += snprintf(text + n, (size_t)(LENGTH - n), "%" PRId64 ",%s", dims[i],
                      i + 1 < rank ? " " : "");
    n += snprintf(text + n, (size_t)(LENGTH - n), "), }");
    memset(text + n, ' ', (size_t)(LENGTH - n));
    text[LENGTH - 1] = '\n';
}
