/* Weights files: one good file, and every way in which it can be wrong. */
#include "weights.h"

#include "../unit/unit.h"
#include "vtc_blob.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAYLOAD = 1000, FILE_BYTES = VTC_BLOB_HEADER_BYTES + PAYLOAD };

static char path[] = "/tmp/vtc_weights_XXXXXX";
static unsigned char payload[PAYLOAD];
static unsigned char content[FILE_BYTES + 8];
static VtcModel model = {.name = "net", .align = 64, .weights_bytes = PAYLOAD};

/* A good file in `content`. */
static void fill(void)
{
    for (int i = 0; i < PAYLOAD; i++)
        payload[i] = (unsigned char)(i * 7 + 3);
    model.weights_hash = vtc_blob_hash(payload, PAYLOAD);
    VtcBlobHeader header = {.order = VTC_BLOB_ORDER,
                            .version = VTC_BLOB_VERSION,
                            .payload_bytes = PAYLOAD,
                            .hash = model.weights_hash,
                            .name = "net"};
    memcpy(header.magic, VTC_BLOB_MAGIC, sizeof header.magic);
    memset(content, 0, sizeof content);
    memcpy(content, &header, sizeof header);
    memcpy(content + sizeof header, payload, PAYLOAD);
}

/* What opening the first n bytes of `content` gives; nothing may stay held. */
static int open_first(size_t n, VtcError *error)
{
    VtcWeights weights;
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(content, 1, n, file) != n || fclose(file) != 0)
        return -1;
    int status = vtc_weights_open(&weights, &model, path, error);
    if (status == VTC_OK)
        CU_ASSERT_EQUAL(memcmp(weights.data, payload, PAYLOAD), 0);
    if (status == VTC_OK)
        CU_ASSERT_EQUAL((uintptr_t)weights.data % 64, 0);
    if (status != VTC_OK)
        CU_ASSERT_TRUE(weights.map == NULL && weights.data == NULL);
    vtc_weights_close(&weights);
    vtc_weights_close(&weights);
    return status;
}

/* One byte changed: the status, and a part of the message. */
static void expect_damage(size_t at, int flip, int status, const char *text)
{
    VtcError error = {0, ""};
    fill();
    content[at] ^= (unsigned char)flip;
    CU_ASSERT_EQUAL(open_first(FILE_BYTES, &error), status);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, text));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, path));
}

static void test_hash(void)
{
    /* From the algorithm's specification and its reference program. */
    CU_ASSERT_EQUAL(vtc_blob_hash("", 0), UINT64_C(0xef46db3751d8e999));
    CU_ASSERT_EQUAL(vtc_blob_hash("abc", 3), UINT64_C(0x44bc2cf5ad770999));
    const char *text = "Nobody inspects the spammish repetition";
    CU_ASSERT_EQUAL(vtc_blob_hash(text, strlen(text)),
                    UINT64_C(0xfbcea83c8a378bf1));
}

static void test_good(void)
{
    fill();
    CU_ASSERT_EQUAL(open_first(FILE_BYTES, NULL), VTC_OK);
}

static void test_truncated(void)
{
    VtcError error;
    fill();
    for (size_t n = 0; n < FILE_BYTES; n += n < 70 ? 1 : 13) {
        CU_ASSERT_EQUAL(open_first(n, &error), VTC_ERR_SIZE);
        CU_ASSERT_PTR_NOT_NULL(
            strstr(error.text, n < 64 || n == 64 ? "header" : "says 1000"));
    }
    CU_ASSERT_EQUAL(open_first(FILE_BYTES + 8, &error), VTC_ERR_SIZE);
}

static void test_damaged(void)
{
    for (size_t i = 0; i < 8; i++)
        expect_damage(i, 1, VTC_ERR_FORMAT, "not a weights file");
    expect_damage(8, 0x10, VTC_ERR_FORMAT, "byte order mark");
    expect_damage(12, 2, VTC_ERR_VERSION, "format version 3");
    expect_damage(16, 1, VTC_ERR_SIZE, "header says 1001");
    expect_damage(23, 0x80, VTC_ERR_SIZE, "header says");
    expect_damage(24, 1, VTC_ERR_MISMATCH, "another build of 'net'");
    for (size_t i = 0; i < PAYLOAD; i += 37)
        expect_damage(64 + i, 0x40, VTC_ERR_HASH, "damaged");
    expect_damage(FILE_BYTES - 1, 1, VTC_ERR_HASH, "damaged");
}

static void test_other_order(void)
{
    VtcError error;
    fill();
    for (int i = 0; i < 4; i++)
        content[8 + i] = (unsigned char)(VTC_BLOB_ORDER >> 8 * (3 - i));
    const uint32_t host = VTC_BLOB_ORDER;
    if (memcmp(content + 8, &host, 4) == 0) /* a big-endian host */
        for (int i = 0; i < 4; i++)
            content[8 + i] = (unsigned char)(VTC_BLOB_ORDER >> 8 * i);
    CU_ASSERT_EQUAL(open_first(FILE_BYTES, &error), VTC_ERR_ORDER);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "byte order"));
}

static void test_of_another_network(void)
{
    VtcError error;
    fill();
    memset(content + 32, '\x1b', 32); /* a name that must not reach a terminal */
    model.weights_bytes = PAYLOAD + 4;
    CU_ASSERT_EQUAL(open_first(FILE_BYTES, &error), VTC_ERR_MISMATCH);
    CU_ASSERT_PTR_NULL(strchr(error.text, '\x1b'));
    model.weights_bytes = PAYLOAD;
}

static void test_no_file(void)
{
    VtcWeights weights;
    VtcError error;
    CU_ASSERT_EQUAL(vtc_weights_open(&weights, &model, "/no/such", &error),
                    VTC_ERR_OPEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "No such file"));
    CU_ASSERT_EQUAL(vtc_weights_open(&weights, &model, "/tmp", &error),
                    VTC_ERR_OPEN);
    CU_ASSERT_EQUAL(vtc_weights_open(&weights, &model, NULL, &error),
                    VTC_ERR_OPEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "give their file"));
}

static void test_embedded(void)
{
    VtcWeights weights;
    model.weights = payload;
    CU_ASSERT_EQUAL(vtc_weights_open(&weights, &model, NULL, NULL), VTC_OK);
    CU_ASSERT_PTR_EQUAL(weights.data, payload);
    vtc_weights_close(&weights);
    model.weights = NULL;
    const VtcModel none = {.name = "none", .align = 64};
    CU_ASSERT_EQUAL(vtc_weights_open(&weights, &none, NULL, NULL), VTC_OK);
    CU_ASSERT_PTR_NULL(weights.data);
}

static void test_check_call(void)
{
    _Alignas(64) static const unsigned char at[128];
    VtcModel m = {.align = 64, .max_threads = 2, .weights_bytes = 4,
                  .workspace_bytes = 4};
    const VtcExecutor one = {1, NULL, NULL}, three = {3, NULL, NULL};
    const VtcExecutor none = {0, NULL, NULL};
    CU_ASSERT_EQUAL(vtc_check_call(&m, at, at, NULL), VTC_OK);
    CU_ASSERT_EQUAL(vtc_check_call(&m, at, at, &one), VTC_OK);
    CU_ASSERT_EQUAL(vtc_check_call(&m, NULL, at, NULL), VTC_ERR_NULL);
    CU_ASSERT_EQUAL(vtc_check_call(&m, at, NULL, NULL), VTC_ERR_NULL);
    CU_ASSERT_EQUAL(vtc_check_call(&m, at + 32, at, NULL), VTC_ERR_ALIGN);
    CU_ASSERT_EQUAL(vtc_check_call(&m, at, at + 1, NULL), VTC_ERR_ALIGN);
    CU_ASSERT_EQUAL(vtc_check_call(&m, at, at, &three), VTC_ERR_THREADS);
    CU_ASSERT_EQUAL(vtc_check_call(&m, at, at, &none), VTC_ERR_THREADS);
    m.weights_bytes = m.workspace_bytes = 0;
    CU_ASSERT_EQUAL(vtc_check_call(&m, NULL, NULL, NULL), VTC_OK);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"hash has its published values",    test_hash              },
        {"a good file",                      test_good              },
        {"truncated or too long",            test_truncated         },
        {"one byte changed",                 test_damaged           },
        {"the other byte order",             test_other_order       },
        {"weights of another network",       test_of_another_network},
        {"no file",                          test_no_file           },
        {"embedded weights",                 test_embedded          },
        {"the checks that run begins with",  test_check_call        },
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = UNIT_RUN(tests);
    unlink(path);
    return failed;
}
