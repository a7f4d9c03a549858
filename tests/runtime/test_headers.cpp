// The headers a user includes, in C++: they parse, have C linkage and can be
// included together with a record defined by the program.
#include "array.h"
#include "file.h"
#include "image.h"
#include "preprocess.h"
#include "program.h"
#include "status.h"
#include "threads.h"
#include "vtc_abi.h"
#include "vtc_blob.h"
#include "weights.h"

#include <cstring>
#include <vector>

static_assert(sizeof(VtcBlobHeader) == VTC_BLOB_HEADER_BYTES, "as documented");
static_assert(sizeof(VtcDtype) == 4, "enums are ints in records");

static void count(void *context, int task, int)
{
    static_cast<std::vector<int> *>(context)->at(static_cast<size_t>(task))++;
}

int main()
{
    VtcPool *pool = nullptr;
    VtcError error;
    if (vtc_pool_create(&pool, 2, &error) != VTC_OK)
        return 1;
    std::vector<int> runs(10);
    vtc_dispatch(vtc_pool_executor(pool), count, &runs, 10);
    vtc_pool_destroy(pool);
    if (runs != std::vector<int>(10, 1) || vtc_blob_hash("", 0) == 0)
        return 2;
    return std::strcmp(vtc_strerror(VTC_OK), "done");
}
