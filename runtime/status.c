/* Statuses in words. */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>

const char *vtc_strerror(int status)
{
    switch ((VtcStatus)status) {
    case VTC_OK: return "done";
    case VTC_ERR_NULL: return "a pointer that must be given is NULL";
    case VTC_ERR_ALIGN: return "weights or workspace are not aligned";
    case VTC_ERR_THREADS: return "more threads than the network was built for";
    case VTC_ERR_RANGE: return "no such steps";
    case VTC_ERR_ABI: return "the network was built for another runtime";
    case VTC_ERR_OPEN: return "cannot read the file";
    case VTC_ERR_FORMAT: return "the file is malformed";
    case VTC_ERR_VERSION: return "the file has another format version";
    case VTC_ERR_ORDER: return "the file has the other byte order";
    case VTC_ERR_SIZE: return "the file has the wrong size";
    case VTC_ERR_HASH: return "the file's content does not match its hash";
    case VTC_ERR_MISMATCH: return "the file is not for this network";
    case VTC_ERR_LIMIT: return "the file is larger than is accepted";
    case VTC_ERR_MEMORY: return "out of memory";
    case VTC_ERR_SYSTEM: return "the system refused";
    }
    return "unknown status";
}

int vtc_fail(VtcError *error, int status, const char *format, ...)
{
    if (error == NULL)
        return status;
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    error->status = status;
    return status;
}
