/* test_gguf_write.c: what is written is read back the same; what is refused leaves nothing behind.
 */
#include "testing.h"

#include "gguf_build.h"
#include "gguf_write.h"
#include "platform.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static char folder[512];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/write-XXXXXX", LICHEN_TEST_OUTPUT);
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *target(void)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/out.gguf", folder);
    return path;
}

static int entries(void)
{
    int count = 0;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; (entry = readdir(listing));)
        count += entry->d_name[0] != '.';
    closedir(listing);
    return count;
}

static struct gguf_writer *create(void)
{
    struct gguf_writer *writer;
    assert_true(gguf_writer_create(&writer, NULL));
    return writer;
}

/* Writes source again, entry by entry and tensor by tensor. */
static void write_again(const struct gguf *source, const uint8_t *data, size_t data_size)
{
    struct fault fault = {0};
    struct gguf_writer *writer = create();
    for (uint32_t i = 0; i < gguf_entry_count(source); i++)
        assert_true(gguf_put_entry(writer, source, gguf_entry_at(source, i), &fault));
    for (uint32_t i = 0; i < gguf_tensor_count(source); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(source, i);
        assert_true(gguf_put_tensor(writer, tensor->name, tensor->dtype, tensor->dim_count,
                                    tensor->dims, &fault));
    }
    uint64_t size = gguf_writer_size(writer);
    assert_true(gguf_writer_begin(writer, target(), &fault));
    assert_true(gguf_writer_size(writer) == size);
    assert_true(gguf_writer_write(writer, data, data_size, &fault));
    if (!gguf_writer_finish(writer, &fault))
        fail_msg("%s", fault.text);
    gguf_writer_destroy(writer);
    assert_int_equal(entries(), 1);
}

static void load(const char *path, char **bytes, size_t *size)
{
    struct fault fault = {0};
    if (!file_load(path, 1 << 26, bytes, size, &fault))
        fail_msg("%s", fault.text);
}

/* An entry of each type and an array of each item type come back byte for byte. */
static void test_rewrite_is_identical(void **state)
{
    (void)state;
    struct build good = build_file(build_good_words);
    struct gguf *source;
    static const uint8_t data[128] = {1, 2, 3};
    assert_true(gguf_parse(good.bytes, good.size, good.file_size, &source, NULL));
    write_again(source, data, 108 + 20);
    char *bytes;
    size_t size;
    load(target(), &bytes, &size);
    assert_int_equal(size, good.size + 128 + 32); /* the last tensor is padded too */
    assert_memory_equal(bytes, good.bytes, good.size);
    assert_memory_equal(bytes + good.size, data, 108);
    free(bytes);
    gguf_close(source);
    build_free(&good);
}

static void test_rewrite_of_vocabularies(void **state)
{
    (void)state;
    const char *names[] = {"baichuan", "bert-bge", "deepseek-llm", "llama-spm", "phi-3"};
    if (!test_file_exists(LICHEN_SHARED "/golden/vocab/ggml-vocab-phi-3.gguf"))
        SKIP("no vocabularies in %s", LICHEN_SHARED);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/golden/vocab/ggml-vocab-%s.gguf", LICHEN_SHARED, names[i]);
        struct gguf *source;
        assert_true(gguf_open(path, &source, NULL));
        write_again(source, NULL, 0);
        gguf_close(source);
        char *expected, *bytes;
        size_t expected_size, size;
        load(path, &expected, &expected_size);
        load(target(), &bytes, &size);
        assert_int_equal(size, expected_size);
        assert_memory_equal(bytes, expected, size);
        free(bytes);
        free(expected);
    }
}

static void test_every_put(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct gguf_writer *writer = create();
    const int32_t i32s[] = {-1, 2};
    const float f32s[] = {0.5f};
    const struct gguf_string texts[] = {{"a", 1}, {NULL, 0}, {"b\0c", 3}};
    const uint64_t dims[] = {32, 2};
    uint8_t data[36] = {7};
    assert_true(gguf_put_u32(writer, "u32", 5, &fault));
    assert_true(gguf_put_u64(writer, "u64", 1ull << 40, &fault));
    assert_true(gguf_put_f32(writer, "f32", -0.25f, &fault));
    assert_true(gguf_put_bool(writer, "bool", true, &fault));
    assert_true(gguf_put_text(writer, "text", "hello", 5, &fault));
    assert_true(gguf_put_array(writer, "i32s", GGUF_I32, i32s, 2, &fault));
    assert_true(gguf_put_array(writer, "f32s", GGUF_F32, f32s, 1, &fault));
    assert_true(gguf_put_array(writer, "texts", GGUF_STRING, texts, 3, &fault));
    assert_true(gguf_put_array(writer, "none", GGUF_U8, NULL, 0, &fault));
    assert_true(gguf_put_u32(writer, "general.alignment", 1024, &fault));
    assert_true(gguf_put_tensor(writer, "w", DTYPE_Q4_0, 2, dims, &fault));
    assert_true(gguf_writer_begin(writer, target(), &fault));
    for (size_t i = 0; i < sizeof data; i++) /* in any pieces */
        assert_true(gguf_writer_write(writer, &data[i], 1, &fault));
    assert_false(test_file_exists(target())); /* not before it is whole */
    assert_true(gguf_writer_finish(writer, &fault));
    gguf_writer_destroy(writer);

    struct gguf *gguf;
    if (!gguf_open(target(), &gguf, &fault))
        fail_msg("%s", fault.text);
    struct gguf_string text;
    const struct gguf_string *strings;
    const int32_t *numbers;
    size_t count;
    uint64_t u64;
    assert_true(gguf_u64(gguf, "u64", true, &u64, NULL) && u64 == 1ull << 40);
    assert_true(gguf_text(gguf, "text", true, &text, NULL) && text.size == 5);
    assert_true(gguf_i32_array(gguf, "i32s", true, 2, &numbers, &count, NULL));
    assert_true(numbers[0] == -1 && numbers[1] == 2);
    assert_true(gguf_text_array(gguf, "texts", true, 3, &strings, &count, NULL));
    assert_memory_equal(strings[2].bytes, "b\0c", 3);
    assert_int_equal(gguf_tensor_at(gguf, 0)->offset, 1024);
    assert_int_equal(gguf_size(gguf), 2048);
    uint8_t back[36];
    assert_true(gguf_read(gguf, gguf_tensor_at(gguf, 0), 0, back, sizeof back, NULL));
    assert_memory_equal(back, data, sizeof data);
    gguf_close(gguf);
}

static void assert_fault(struct fault *fault, enum fault_kind kind, const char *expected)
{
    assert_int_equal(fault->kind, kind);
    if (!strstr(fault->text, expected))
        fail_msg("'%s' does not say '%s'", fault->text, expected);
    *fault = (struct fault){0};
}

static void test_put_refuses(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct gguf_writer *writer = create();
    const uint64_t odd[] = {33};
    const uint64_t zero[] = {32, 0};
    const uint64_t huge[] = {1ull << 62, 1};
    char name[65];
    memset(name, 'n', 64);
    name[64] = 0;
    assert_false(gguf_put_tensor(writer, name, DTYPE_F32, 1, odd, &fault));
    assert_fault(&fault, FAULT_ARGUMENT, "a name of 64 bytes, 1 to 63");
    assert_false(gguf_put_tensor(writer, "", DTYPE_F32, 1, odd, &fault));
    assert_fault(&fault, FAULT_ARGUMENT, "a name of 0 bytes");
    assert_false(gguf_put_tensor(writer, "w", DTYPE_Q8_0, 1, odd, &fault));
    assert_fault(&fault, FAULT_FORMAT, "tensor 'w': rows of 33 weights, Q8_0 needs");
    assert_false(gguf_put_tensor(writer, "w", DTYPE_F32, 2, zero, &fault));
    assert_fault(&fault, FAULT_FORMAT, "dimension 1 is 0");
    assert_false(gguf_put_tensor(writer, "w", DTYPE_F32, 1, huge, &fault));
    assert_fault(&fault, FAULT_FORMAT, "overflows 64 bits");
    assert_false(gguf_put_tensor(writer, "w", DTYPE_F16, 1, huge, &fault));
    assert_fault(&fault, FAULT_ARGUMENT, "the file would be too large");
    assert_false(gguf_put_u32(writer, "general.alignment", 48, &fault));
    assert_fault(&fault, FAULT_ARGUMENT, "general.alignment 48");
    assert_false(gguf_put_array(writer, "k", GGUF_U64, odd, SIZE_MAX / 4, &fault));
    assert_fault(&fault, FAULT_MEMORY, "metadata 'k'");
    /* nothing of all that is in the file */
    assert_true(gguf_writer_begin(writer, target(), &fault));
    assert_true(gguf_writer_finish(writer, &fault));
    gguf_writer_destroy(writer);
    struct gguf *gguf;
    assert_true(gguf_open(target(), &gguf, NULL));
    assert_int_equal(gguf_entry_count(gguf) + gguf_tensor_count(gguf), 0);
    assert_int_equal(gguf_size(gguf), 24);
    gguf_close(gguf);
}

static void test_too_many_tensors(void **state)
{
    (void)state;
    struct fault fault = {0};
    const uint64_t dims[] = {1};
    struct gguf_writer *writer = create();
    for (int i = 0; i < 65536; i++)
        assert_true(gguf_put_tensor(writer, "same", DTYPE_F32, 1, dims, NULL));
    assert_false(gguf_put_tensor(writer, "one more", DTYPE_F32, 1, dims, &fault));
    assert_fault(&fault, FAULT_ARGUMENT, "more than 65536 tensors");
    gguf_writer_destroy(writer);
}

/* begin asks the reader. */
static void test_begin_refuses(void **state)
{
    (void)state;
    struct fault fault = {0};
    const uint64_t dims[] = {8};
    struct gguf_writer *writer = create();
    assert_true(gguf_put_u32(writer, "k", 1, NULL) && gguf_put_bool(writer, "k", true, NULL));
    assert_false(gguf_writer_begin(writer, target(), &fault));
    assert_fault(&fault, FAULT_FORMAT, "'k' occurs twice");
    gguf_writer_destroy(writer);
    writer = create();
    assert_true(gguf_put_tensor(writer, "w", DTYPE_F32, 1, dims, NULL));
    assert_true(gguf_put_tensor(writer, "w", DTYPE_F16, 1, dims, NULL));
    assert_false(gguf_writer_begin(writer, target(), &fault));
    assert_fault(&fault, FAULT_FORMAT, "tensor 'w' occurs twice");
    gguf_writer_destroy(writer);
    writer = create();
    assert_true(gguf_put_u64(writer, "general.alignment", 64, NULL));
    assert_false(gguf_writer_begin(writer, target(), &fault));
    assert_fault(&fault, FAULT_FORMAT, "expected u32");
    gguf_writer_destroy(writer);
    gguf_writer_destroy(NULL);
    assert_int_equal(entries(), 0);
}

static struct gguf_writer *begin_one(uint64_t weights, struct fault *fault)
{
    struct gguf_writer *writer = create();
    assert_true(gguf_put_tensor(writer, "w", DTYPE_F32, 1, &weights, NULL));
    if (gguf_writer_begin(writer, target(), fault))
        return writer;
    gguf_writer_destroy(writer);
    return NULL;
}

static void test_wrong_amount_of_data(void **state)
{
    (void)state;
    static const float data[9];
    struct fault fault = {0};
    struct gguf_writer *writer = begin_one(8, &fault);
    assert_true(gguf_writer_write(writer, data, 28, &fault));
    assert_int_equal(entries(), 1); /* the part file */
    assert_false(gguf_writer_finish(writer, &fault));
    assert_fault(&fault, FAULT_ARGUMENT, "the data ends inside tensor 'w'");
    gguf_writer_destroy(writer);
    assert_int_equal(entries(), 0);
    writer = begin_one(8, &fault);
    assert_false(gguf_writer_write(writer, data, 36, &fault));
    assert_fault(&fault, FAULT_ARGUMENT, "4 bytes more than the tensors have");
    gguf_writer_destroy(writer);
    assert_int_equal(entries(), 0);
}

/* While it is written a file begins with zeros, so no reader takes it for a model. */
static void test_part_is_no_model(void **state)
{
    (void)state;
    static const float data[8];
    struct gguf_writer *writer = begin_one(8, NULL);
    assert_true(gguf_writer_write(writer, data, sizeof data, NULL));
    char path[700];
    snprintf(path, sizeof path, "%s.part-%ld", target(), (long)getpid());
    struct gguf *gguf;
    struct fault fault = {0};
    assert_false(gguf_open(path, &gguf, &fault));
    assert_fault(&fault, FAULT_UNSUPPORTED, "it begins with zeros");
    gguf_writer_destroy(writer);
    assert_int_equal(entries(), 0);
}

/* A disk too small is known before the first byte. */
static void test_too_large_for_the_disk(void **state)
{
    (void)state;
    struct fault fault = {0};
    assert_null(begin_one(1ull << 58, &fault));
    assert_fault(&fault, FAULT_FILE, "out.gguf: needs ");
    assert_int_equal(entries(), 0);
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit small = {.rlim_cur = 1 << 16, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    struct gguf_writer *writer = begin_one(1 << 16, &fault);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_null(writer);
    assert_fault(&fault, FAULT_FILE, "out.gguf: ");
    assert_int_equal(entries(), 0);
}

/* A file system of 1 MiB: really full, both when reserving and when another file takes the room. */
static void test_full_tmpfs(void **state)
{
    (void)state;
    char command[700];
    struct fault fault = {0};
    snprintf(command, sizeof command, "mount -t tmpfs -o size=1m tmpfs '%s' 2>/dev/null", folder);
    if (system(command) != 0)
        SKIP("mounting needs root");
    struct gguf_writer *writer = begin_one(1 << 19, &fault);
    int left = entries();
    char *bytes = calloc(1, 1 << 20);
    bool saved = file_save(target(), bytes, 1 << 20, 0600, NULL) &&
                 file_save(target(), bytes, 1 << 20, 0600, NULL);
    int left_by_save = entries();
    free(bytes);
    snprintf(command, sizeof command, "umount '%s'", folder);
    assert_int_equal(system(command), 0);
    assert_null(writer);
    assert_int_equal(left, 0);
    assert_fault(&fault, FAULT_FILE, "out.gguf: needs 2.1 MB, the disk has 1.0 MB free");
    assert_false(saved);
    assert_int_equal(left_by_save, 1); /* the first one, whole */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rewrite_is_identical),
        TEST(test_rewrite_of_vocabularies),
        TEST(test_every_put),
        TEST(test_put_refuses),
        TEST(test_too_many_tensors),
        TEST(test_begin_refuses),
        TEST(test_wrong_amount_of_data),
        TEST(test_part_is_no_model),
        TEST(test_too_large_for_the_disk),
        TEST(test_full_tmpfs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
