/* Zip archives as PyTorch writes them: parts stored without compression, the 64-bit form
 * included. Only where parts lie is read; every offset and size is checked. */
#ifndef VTC_FRONTEND_ZIP_H
#define VTC_FRONTEND_ZIP_H

#include "support/diag.h"
#include "support/strmap.h"

typedef struct ZipPart {
    const char *name;
    const unsigned char *at; /* in the file's memory */
    size_t n;
} ZipPart;

typedef struct Zip {
    VEC(ZipPart) parts;
    StrMap by_name; /* -> ZipPart */
} Zip;

bool zip_begins(const unsigned char *data, size_t n);
/* NULL and an error at `span` when the archive is damaged or truncated, has a part that
 * is compressed or encrypted, or two of one name. */
Zip *zip_read(Arena *arena, Diag *diag, Span span, const unsigned char *data, size_t n);
const ZipPart *zip_find(const Zip *zip, const char *name); /* NULL: none */

#endif
