/* .npy and idx files: what is read, and what is refused with which message. */
#include "array.h"

#include "../unit/unit.h"
#include <stdlib.h>
#include <string.h>

/* Parses a copy of `n` bytes in memory of exactly that size, so that the address
 * sanitizer sees any read beyond them. */
static int parse(VtcArray *array, const void *bytes, size_t n, VtcError *error)
{
    VtcBytes file = {malloc(n > 0 ? n : 1), n};
    memcpy(file.at, bytes, n);
    int status = vtc_array_parse(array, &file, "x", error);
    CU_ASSERT_PTR_NULL(file.at);
    if (status != VTC_OK)
        CU_ASSERT_TRUE(array->data.at == NULL && array->rank == 0);
    return status;
}

/* A version 1 file: `dict` padded as written, then `elements` zero bytes. */
static size_t npy(unsigned char *out, const char *dict, size_t elements)
{
    size_t n = strlen(dict);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (unsigned char)(n % 256);
    out[9] = (unsigned char)(n / 256);
    memcpy(out + 10, dict, n);
    memset(out + 10 + n, 0, elements);
    return 10 + n + elements;
}

typedef struct Case {
    const char *dict;
    size_t elements;
    int status;
    const char *message; /* a part of it; NULL: success */
} Case;

#define F4 "{'descr': '<f4', 'fortran_order': False, "

static const Case cases[] = {
    {F4 "'shape': (2, 3), }\n",                    24, VTC_OK,         NULL               },
    {F4 "'shape': (2, 3)}",                        24, VTC_OK,         NULL               },
    {F4 "'shape': (2, 3,), }",                     24, VTC_OK,         NULL               },
    {F4 "'shape': (6,), }",                        24, VTC_OK,         NULL               },
    {F4 "'shape': (), }",                          4,  VTC_OK,         NULL               },
    {F4 "'shape': (0, 3), }",                      0,  VTC_OK,         NULL               },
    {F4 "'shape': (1,1,1,1,1,1,1,2), }",           8,  VTC_OK,         NULL               },
    {"{'shape': (2,), 'descr': '|u1', 'fortran_order': False}", 2, VTC_OK, NULL           },
    {"{'shape': (2,), 'descr': '>i8', 'fortran_order': False}", 16, VTC_OK, NULL          },
    {F4 "'shape': (2, 3), }",                      23, VTC_ERR_SIZE,   "do not fill"      },
    {F4 "'shape': (2, 3), }",                      25, VTC_ERR_SIZE,   "wrong size"       },
    {F4 "'shape': (2, 3), }",                      0,  VTC_ERR_SIZE,   "truncated"        },
    {F4 "'shape': (0, 3), }",                      4,  VTC_ERR_SIZE,   "wrong size"       },
    {F4 "'shape': (65536, 65536, 65536, 65536), }", 16, VTC_ERR_SIZE,  "truncated"        },
    {F4 "'shape': (4611686018427387905, 4), }",    16, VTC_ERR_SIZE,   "truncated"        },
    {F4 "'shape': (99999999999999999999999,), }",  16, VTC_ERR_FORMAT, "malformed"        },
    {F4 "'shape': (-1,), }",                       4,  VTC_ERR_FORMAT, "malformed"        },
    {F4 "'shape': (1.5,), }",                      4,  VTC_ERR_FORMAT, "malformed"        },
    {F4 "'shape': (6), }",                         24, VTC_ERR_FORMAT, "malformed"        },
    {F4 "'shape': (2 3), }",                       24, VTC_ERR_FORMAT, "malformed"        },
    {F4 "'shape': (2, 3, }",                       24, VTC_ERR_FORMAT, "malformed"        },
    {F4 "'shape': [2, 3], }",                      24, VTC_ERR_FORMAT, "malformed"        },
    {F4 "'shape': (1,1,1,1,1,1,1,1,1), }",         4,  VTC_ERR_FORMAT, "malformed"        },
    {F4 "}",                                       4,  VTC_ERR_FORMAT, "malformed"        },
    {F4 "'shape': (1,), 'shape': (1,), }",         4,  VTC_ERR_FORMAT, "malformed"        },
    {F4 "'shape': (1,), 'x': 1, }",                4,  VTC_ERR_FORMAT, "malformed"        },
    {F4 "'shape': (1,), } x",                      4,  VTC_ERR_FORMAT, "malformed"        },
    {F4 "'shape': (1,), ",                         4,  VTC_ERR_FORMAT, "malformed"        },
    {F4 "'descr': '<f4', 'shape': (1,), }",        4,  VTC_ERR_FORMAT, "malformed"        },
    {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", 4, VTC_ERR_FORMAT, "malformed"},
    {"{'descr': '<f4' 'fortran_order': False, 'shape': (1,), }", 4, VTC_ERR_FORMAT, "malformed"},
    {"{'descr': '<f4567890123456789', 'fortran_order': False, 'shape': (1,), }", 4, VTC_ERR_FORMAT, "malformed"},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4, VTC_ERR_FORMAT, "malformed"},
    {"{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", 4, VTC_ERR_FORMAT, "Fortran order"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", 8, VTC_ERR_FORMAT, "element type '<f8'"},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8, VTC_ERR_FORMAT, "element type '|O'"},
    {"{'descr': '|f4', 'fortran_order': False, 'shape': (1,), }", 4, VTC_ERR_FORMAT, "element type"},
    {"{'descr': '', 'fortran_order': False, 'shape': (1,), }", 4, VTC_ERR_FORMAT, "element type ''"},
    {"",                                           0,  VTC_ERR_FORMAT, "malformed"        },
    {"{",                                          0,  VTC_ERR_FORMAT, "malformed"        },
};

static void test_npy_headers(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char file[512];
        size_t n = npy(file, cases[i].dict, cases[i].elements);
        VtcArray array;
        VtcError error = {0, ""};
        int status = parse(&array, file, n, &error);
        bool as_expected =
            status == cases[i].status &&
            (cases[i].message == NULL || strstr(error.text, cases[i].message));
        if (!as_expected)
            printf("\n%s: %d %s", cases[i].dict, status, error.text);
        CU_ASSERT_TRUE(as_expected);
        vtc_array_free(&array);
    }
}

static void test_npy_every_truncation(void)
{
    unsigned char file[512];
    size_t n = npy(file, F4 "'shape': (2, 3), }\n", 24);
    for (size_t cut = 0; cut < n; cut++) {
        VtcArray array;
        VtcError error = {0, ""};
        int status = parse(&array, file, cut, &error);
        CU_ASSERT_EQUAL(status, cut < 6 ? VTC_ERR_FORMAT : VTC_ERR_SIZE);
    }
    file[6] = 3; /* a version that is not read */
    VtcArray array;
    CU_ASSERT_EQUAL(parse(&array, file, n, NULL), VTC_ERR_FORMAT);
    memcpy(file + 6, "\x02\x00\xff\xff\xff\xff", 6); /* 4 GB of header */
    CU_ASSERT_EQUAL(parse(&array, file, n, NULL), VTC_ERR_SIZE);
    CU_ASSERT_EQUAL(parse(&array, file, 11, NULL), VTC_ERR_SIZE);
}

static void test_npy_version_2(void)
{
    static const char dict[] = F4 "'shape': (1,)}";
    unsigned char file[128] = "\x93NUMPY\x02\x00";
    const float value = 1.5f;
    file[8] = sizeof dict - 1;
    memcpy(file + 12, dict, sizeof dict - 1);
    memcpy(file + 12 + sizeof dict - 1, "\x00\x00\xc0\x3f", 4);
    VtcArray array;
    CU_ASSERT_EQUAL_FATAL(parse(&array, file, 12 + sizeof dict - 1 + 4, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(array.data.at, &value, 4), 0);
    vtc_array_free(&array);
}

static void test_npy_integers(void)
{
    static const char dict[] =
        "{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}";
    unsigned char file[128];
    size_t n = npy(file, dict, 16);
    memcpy(file + n - 16, "\x05\0\0\0\0\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff", 16);
    VtcArray array;
    VtcError error;
    CU_ASSERT_EQUAL_FATAL(parse(&array, file, n, NULL), VTC_OK);
    const int32_t expected[] = {5, -2};
    CU_ASSERT_EQUAL(array.dtype, VTC_i32);
    CU_ASSERT_EQUAL(array.data.n, sizeof expected);
    CU_ASSERT_EQUAL(memcmp(array.data.at, expected, sizeof expected), 0);
    vtc_array_free(&array);
    file[n - 1] = 1;
    CU_ASSERT_EQUAL(parse(&array, file, n, &error), VTC_ERR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "32 bits"));
    memcpy(strstr((char *)file + 10, "<i8"), ">i4", 3);
    memcpy(file + n - 16, "\0\0\0\x07\xff\xff\xff\xfd", 8);
    CU_ASSERT_EQUAL_FATAL(parse(&array, file, n - 8, NULL), VTC_OK);
    const int32_t swapped[] = {7, -3};
    CU_ASSERT_EQUAL(memcmp(array.data.at, swapped, sizeof swapped), 0);
    vtc_array_free(&array);
}

static void test_npy_round_trip(void)
{
    char file[VTC_NPY_HEADER_BYTES + 24];
    const int64_t dims[] = {1, 2, 3};
    const float values[] = {1, -2, 0.1f, 4, 5, 6};
    vtc_npy_header(file, VTC_f32, 3, dims);
    memcpy(file + VTC_NPY_HEADER_BYTES, values, sizeof values);
    VtcArray array;
    CU_ASSERT_EQUAL_FATAL(parse(&array, file, sizeof file, NULL), VTC_OK);
    CU_ASSERT_TRUE(array.rank == 3 && array.dims[0] == 1 && array.dims[1] == 2 &&
                   array.dims[2] == 3 && array.count == 6);
    CU_ASSERT_EQUAL(memcmp(array.data.at, values, sizeof values), 0);
    vtc_array_free(&array);
    const int64_t long_dims[VTC_MAX_RANK] = {
        INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX,
        INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    vtc_npy_header(file, VTC_u8, VTC_MAX_RANK, long_dims); /* has room */
    CU_ASSERT_EQUAL(file[VTC_NPY_HEADER_BYTES - 1], '\n');
    CU_ASSERT_PTR_NOT_NULL(memchr(file, '}', VTC_NPY_HEADER_BYTES));
}

static void test_idx(void)
{
    static const unsigned char images[] = "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0"
                                          "\0\x03"
                                          "abcdef";
    static const unsigned char labels[] = "\0\0\x08\x01\0\0\0\x02\x03\x09";
    VtcArray array;
    VtcError error;
    CU_ASSERT_EQUAL_FATAL(parse(&array, images, 22, NULL), VTC_OK);
    CU_ASSERT_TRUE(array.rank == 4 && array.dims[0] == 2 && array.dims[1] == 1 &&
                   array.dims[2] == 3 && array.dims[3] == 1);
    CU_ASSERT_EQUAL(memcmp(array.data.at, "abcdef", 6), 0);
    vtc_array_free(&array);
    CU_ASSERT_EQUAL_FATAL(parse(&array, labels, 10, NULL), VTC_OK);
    CU_ASSERT_TRUE(array.rank == 1 && array.dims[0] == 2);
    vtc_array_free(&array);
    for (size_t cut = 4; cut < 22; cut++)
        CU_ASSERT_EQUAL(parse(&array, images, cut, NULL), VTC_ERR_SIZE);
    CU_ASSERT_EQUAL(parse(&array, images, 23, &error), VTC_ERR_SIZE);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "wrong size"));
    static const unsigned char huge[] = "\0\0\x08\x04\xff\xff\xff\xff\xff\xff\xff"
                                        "\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    CU_ASSERT_EQUAL(parse(&array, huge, 20, NULL), VTC_ERR_SIZE);
}

static void test_files(void)
{
    VtcArray array;
    VtcError error;
    CU_ASSERT_EQUAL(vtc_array_load(&array, "/no/such", &error), VTC_ERR_OPEN);
    CU_ASSERT_EQUAL(vtc_array_load(&array, "/tmp", &error), VTC_ERR_OPEN);
    CU_ASSERT_EQUAL(vtc_array_load(&array, "/dev/zero", &error), VTC_ERR_OPEN);
    CU_ASSERT_EQUAL(parse(&array, "plain", 5, &error), VTC_ERR_FORMAT);
    VtcBytes bytes;
    CU_ASSERT_EQUAL(vtc_bytes_read(&bytes, DATA_DIR "/gray.png", 10, &error),
                    VTC_ERR_LIMIT);
    CU_ASSERT_PTR_NULL(bytes.at);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"npy headers, good and malformed", test_npy_headers         },
        {"npy truncated at every byte",     test_npy_every_truncation},
        {"npy version 2",                   test_npy_version_2       },
        {"npy integers",                    test_npy_integers        },
        {"npy round trip",                  test_npy_round_trip      },
        {"idx",                             test_idx                 },
        {"files",                           test_files               },
    };
    return UNIT_RUN(tests);
}
