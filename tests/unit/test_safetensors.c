/* safetensors from strangers: every malformed file has its message, and what is well
 * formed is read as it was written. */
#include "frontend/safetensors.h"
#include "tests/unit/unit.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Bad {
    const char *header;  /* JSON */
    int data;            /* bytes behind it */
    const char *message; /* part of what is said */
} Bad;

#define T(dtype, shape, offsets) \
    "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define TWO(first, second)                                                          \
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" first "},"          \
    "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" second "}}"

static const Bad bad[] = {
    {"", 0, "header is not a JSON object"},
    {"{", 0, "header is not a JSON object"},
    {"}", 0, "header is not a JSON object"},
    {"null", 0, "header is not a JSON object"},
    {"[]", 0, "header is not a JSON object"},
    {"\"a\"", 0, "header is not a JSON object"},
    {"{\"a\":}", 0, "header is not a JSON object"},
    {"{\"a\":1,}", 0, "header is not a JSON object"},
    {"{\"a\":1 \"b\":2}", 0, "header is not a JSON object"},
    {"{\"a\":\"\\u0000\"}", 0, "header is not a JSON object"},
    {"{\"a\":\xff}", 0, "header is not a JSON object"},
    {"{\"\xc3\":{}}", 0, "header is not a JSON object"},
    {"{\"a\":{},\"a\":{}}", 0, "header is not a JSON object"},
    {"{} {}", 0, "header is not a JSON object"},
    {"{\"a\":1e999}", 0, "header is not a JSON object"},
    {"{\"a\":1}", 0, "dtype (none) is not one that is known"},
    {"{\"a\":null}", 0, "dtype (none) is not one that is known"},
    {"{\"a\":[]}", 0, "dtype (none) is not one that is known"},
    {"{\"a\":{}}", 0, "dtype (none) is not one that is known"},
    {T("4", "[1]", "[0,4]"), 4, "dtype (none) is not one that is known"},
    {T("\"\"", "[1]", "[0,4]"), 4, "is not one that is known"},
    {T("\"F64\"", "[1]", "[0,4]"), 4, "take 8 bytes, data_offsets give 4"},
    {T("\"I64\"", "[2]", "[0,8]"), 8, "take 16 bytes, data_offsets give 8"},
    {T("\"I128\"", "[1]", "[0,16]"), 16, "dtype I128 is not one that is known"},
    {T("\"f32\"", "[1]", "[0,4]"), 4, "dtype f32 is not one that is known"},
    {T("\"F32\"", "4", "[0,4]"), 4, "shape must be a list"},
    {T("\"F32\"", "null", "[0,4]"), 4, "shape must be a list"},
    {T("\"F32\"", "{}", "[0,4]"), 4, "shape must be a list"},
    {T("\"F32\"", "[1,1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "shape must be a list of at most"},
    {T("\"F32\"", "[-1]", "[0,4]"), 4, "dimension 0 is not a number"},
    {T("\"F32\"", "[0]", "[0,4]"), 4, "take 0 bytes, data_offsets give 4"},
    {T("\"F32\"", "[0,65536,65536]", "[0,0]"), 0, "too many elements"},
    {T("\"F32\"", "[1.5]", "[0,4]"), 4, "dimension 0 is not a number"},
    {T("\"F32\"", "[\"1\"]", "[0,4]"), 4, "dimension 0 is not a number"},
    {T("\"F32\"", "[1,null]", "[0,4]"), 4, "dimension 1 is not a number"},
    {T("\"F32\"", "[65536,65536]", "[0,4]"), 4, "too many elements"},
    {T("\"F32\"", "[4611686018427387904,4]", "[0,4]"), 4, "too many elements"},
    {T("\"F32\"", "[9223372036854775807]", "[0,4]"), 4, "too many elements"},
    {T("\"F32\"", "[99999999999999999999]", "[0,4]"), 4, "header is not a JSON object"},
    {T("\"F32\"", "[1]", "4"), 4, "data_offsets must be two numbers"},
    {T("\"F32\"", "[1]", "[0]"), 4, "data_offsets must be two numbers"},
    {T("\"F32\"", "[1]", "[0,4,8]"), 8, "data_offsets must be two numbers"},
    {T("\"F32\"", "[1]", "[0,\"4\"]"), 4, "data_offsets must be two numbers"},
    {T("\"F32\"", "[1]", "[0.0,4]"), 4, "data_offsets must be two numbers"},
    {T("\"F32\"", "[1]", "[-4,0]"), 4, "are outside the 4 bytes"},
    {T("\"F32\"", "[1]", "[4,0]"), 4, "are outside the 4 bytes"},
    {T("\"F32\"", "[1]", "[0,4]"), 3, "are outside the 3 bytes"},
    {T("\"F32\"", "[1]", "[4,8]"), 4, "are outside the 4 bytes"},
    {T("\"F32\"", "[1]", "[0,9223372036854775807]"), 4, "are outside the 4 bytes"},
    {T("\"F32\"", "[2]", "[0,4]"), 4, "take 8 bytes, data_offsets give 4"},
    {T("\"F16\"", "[2]", "[0,8]"), 8, "take 4 bytes, data_offsets give 8"},
    {TWO("[0,8]", "[4,12]"), 12, "share bytes"},
    {TWO("[0,8]", "[0,8]"), 8, "share bytes"},
    {TWO("[1,9]", "[2,10]"), 12, "tensors 'a' and 'b' share bytes"},
};

static const char *said(const Diag *diag)
{
    return diag->messages.n ? diag->messages.at[0]->text : "";
}

/* The file that a header and so many bytes of data make; exactly its size. */
static unsigned char *file_of(Arena *arena, const char *header, int data, size_t *size)
{
    size_t n = strlen(header);
    *size = 8 + n + (size_t)data;
    unsigned char *file = NEW(arena, unsigned char, (int64_t)*size);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)(n >> (8 * i));
    memcpy(file + 8, header, n);
    for (int i = 0; i < data; i++)
        file[8 + n + (size_t)i] = (unsigned char)i;
    return file;
}

static void test_bad_headers(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Arena *arena = arena_new();
        Diag *diag = diag_new(arena);
        size_t size;
        unsigned char *file = file_of(arena, bad[i].header, bad[i].data, &size);
        CU_ASSERT_PTR_NULL(safetensors_parse(arena, diag, "w.safetensors", file, size));
        bool right = diag->errors && strstr(said(diag), bad[i].message);
        CU_ASSERT(right);
        if (!right)
            fprintf(stderr, "%s: expected '%s', got '%s'\n", bad[i].header, bad[i].message,
                    said(diag));
        arena_free(arena);
    }
    CU_ASSERT(sizeof bad / sizeof *bad >= 40);
}

static void test_truncated(void)
{
    const char *header = T("\"F32\"", "[3]", "[0,12]");
    Arena *arena = arena_new();
    size_t size;
    unsigned char *file = file_of(arena, header, 12, &size);
    for (size_t n = 0; n < size; n++) {
        Diag *diag = diag_new(arena);
        CU_ASSERT_PTR_NULL(safetensors_parse(arena, diag, "w", file, n));
        CU_ASSERT(diag->errors > 0);
    }
    CU_ASSERT_PTR_NOT_NULL(safetensors_parse(arena, diag_new(arena), "w", file, size));
    arena_free(arena);
}

static void test_header_length(void)
{
    const unsigned char lengths[][8] = {{255, 255, 255, 255, 255, 255, 255, 255},
                                        {0, 0, 0, 0, 0, 0, 0, 128},
                                        {3, 0, 0, 0, 0, 0, 0, 0},
                                        {0, 0, 0, 8, 0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        Arena *arena = arena_new();
        Diag *diag = diag_new(arena);
        unsigned char *file = NEW(arena, unsigned char, 10);
        memcpy(file, lengths[i], 8);
        memcpy(file + 8, "{}", 2);
        CU_ASSERT_PTR_NULL(safetensors_parse(arena, diag, "w", file, 10));
        CU_ASSERT_PTR_NOT_NULL(strstr(said(diag), "truncated: the header is said"));
        arena_free(arena);
    }
}

/* All that is wrong is told in one run. */
static void test_all_at_once(void)
{
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    size_t size;
    unsigned char *file = file_of(
        arena,
        "{\"a\":{\"dtype\":\"F64\"},\"b\":{\"dtype\":\"F32\",\"shape\":3},"
        "\"__metadata__\":{\"format\":\"pt\"},"
        "\"c\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,3]}}", 3, &size);
    CU_ASSERT_PTR_NULL(safetensors_parse(arena, diag, "w", file, size));
    CU_ASSERT_EQUAL(diag->errors, 3);
    arena_free(arena);
}

static void test_types(void)
{
    Arena *arena = arena_new();
    size_t size;
    /* 1.5 in each type; the odd header leaves the data unaligned */
    const char *header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                         "\"b\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[4,6]},"
                         "\"c\":{\"dtype\":\"BF16\",\"shape\":[1,1],\"data_offsets\":[6,8]},"
                         "\"d\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[8,12]}, "
                         "\"e\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[12,13]},"
                         "\"f\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[13,21]},"
                         "\"g\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[21,29]},"
                         "\"h\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[29,29]}}";
    const unsigned char data[29] = {0, 0, 0xc0, 0x3f, 0, 0x3e, 0xc0, 0x3f, 7, 0, 0, 0, 1,
                                    0, 0, 0, 0, 0, 0, 0xf8, 0x3f};
    unsigned char *file = file_of(arena, header, sizeof data, &size);
    memcpy(file + size - sizeof data, data, sizeof data);
    Diag *diag = diag_new(arena);
    TensorFile *s = safetensors_parse(arena, diag, "w", file, size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    const char *names[] = {"a", "b", "c", "d", "e", "f"};
    const double values[] = {1.5, 1.5, 1.5, 7, 1, 1.5};
    for (int i = 0; i < 6; i++) {
        const NamedTensor *t = tensor_file_find(s, names[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(t);
        CU_ASSERT_EQUAL(tensor_get(&t->tensor, 0), values[i]);
    }
    CU_ASSERT_PTR_NULL(tensor_file_find(s, "z"));
    CU_ASSERT_STRING_EQUAL(tensor_file_find(s, "g")->foreign, "I64[]");
    CU_ASSERT_STRING_EQUAL(tensor_file_find(s, "h")->foreign, "F32[0,3]");
    arena_free(arena);
}

static void test_written_reads_back(void)
{
    char path[] = "/tmp/vtc-test-XXXXXX";
    int fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    Arena *arena = arena_new();
    Diag *diag = diag_new(arena);
    NamedTensor tensors[2];
    for (int i = 0; i < 2; i++) {
        Tensor *t = tensor_new(arena, (Type){DT_f32, shape_of(2, (int64_t[]){2, 3 + i})});
        for (int k = 0; k < 6 + 2 * i; k++)
            tensor_set(t, k, k * 0.5 - i);
        tensors[i] = (NamedTensor){i ? "a \"quoted\" name" : "plain", *t, NULL};
    }
    CU_ASSERT(safetensors_write(arena, diag, path, tensors, 2));
    TensorFile *s = tensor_file_read(arena, diag, path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    for (int i = 0; i < 2; i++) {
        const NamedTensor *t = tensor_file_find(s, tensors[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(t);
        CU_ASSERT(shape_equal(&t->tensor.type.shape, &tensors[i].tensor.type.shape));
        CU_ASSERT_EQUAL(tensor_get(&t->tensor, 5), 2.5 - i);
    }
    unlink(path);
    CU_ASSERT_PTR_NULL(tensor_file_read(arena, diag, path));
    CU_ASSERT_PTR_NOT_NULL(strstr(diag->messages.at[0]->text, path));
    arena_free(arena);
}

int main(void)
{
    static const UnitTest tests[] = {
        {"malformed headers", test_bad_headers},
        {"every truncation", test_truncated},
        {"lengths of the header", test_header_length},
        {"all errors at once", test_all_at_once},
        {"types, aligned or not", test_types},
        {"written and read back", test_written_reads_back},
    };
    return UNIT_RUN(tests);
}
