/* test_gguf_split.c: a model in several files, whole and broken. */
#include "testing.h"

#include "gguf.h"
#include "gguf_build.h"

#include <stdlib.h>
#include <unistd.h>

#define SPLIT(no, count)                                                                           \
    "s:split.no 4:2 2:" #no " s:split.count 4:2 2:" #count " s:split.tensors.count 4:5 4:4 "

static char folder[512];

/* The three files of one model. The first has the model's metadata and, as gguf-split can do, no
 * tensor; the last has another alignment. */
static const char *const good[3] = {
    GGUF_HEAD(0, 4) SPLIT(0, 3) "s:general.architecture 4:8 s:llama ",
    GGUF_HEAD(2, 3) SPLIT(1, 3) "s:a 4:1 8:2 4:0 8:0 s:b 4:1 8:3 4:0 8:32 @32 x:8*a @32 x:12*b",
    GGUF_HEAD(2, 4) SPLIT(2, 3) "s:general.alignment 4:4 4:64 s:c 4:1 8:1 4:0 8:0 "
                                "s:d 4:1 8:2 4:0 8:64 @64 x:4*c @64 x:8*d",
};

static const char *shard(int number)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/model-%05d-of-00003.gguf", folder, number);
    return path;
}

static void save(const char *words, const char *path)
{
    struct build build = build_file(words);
    build_save(&build, path);
    build_free(&build);
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/split-XXXXXX", LICHEN_TEST_OUTPUT);
    if (!mkdtemp(folder))
        return -1;
    for (int i = 0; i < 3; i++)
        save(good[i], shard(i + 1));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void test_whole(void **state)
{
    (void)state;
    for (int number = 1; number <= 3; number++) { /* named by any of its files */
        struct gguf *gguf;
        struct fault fault = {0};
        if (!gguf_open(shard(number), &gguf, &fault))
            fail_msg("%s", fault.text);
        assert_string_equal(gguf_path(gguf), shard(1));
        assert_int_equal(gguf_tensor_count(gguf), 4);
        assert_int_equal(gguf_entry_count(gguf), 4);
        for (uint32_t i = 0; i < 4; i++) {
            const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
            const char name[2] = {(char)('a' + i), 0};
            assert_string_equal(tensor->name, name);
            assert_ptr_equal(gguf_tensor_find(gguf, name), tensor);
            assert_int_equal(tensor->file, 1 + i / 2);
            char bytes[16] = {0};
            assert_true(gguf_read(gguf, tensor, 0, bytes, (size_t)tensor->size, &fault));
            assert_int_equal(strspn(bytes, name), tensor->size);
        }
        gguf_close(gguf);
    }
}

static void assert_refused(int number, const char *expected)
{
    struct gguf *gguf;
    struct fault fault = {0};
    assert_false(gguf_open(shard(number), &gguf, &fault));
    assert_null(gguf);
    if (!strstr(fault.text, expected))
        fail_msg("'%s' does not say '%s'", fault.text, expected);
}

static void test_missing_file(void **state)
{
    (void)state;
    remove(shard(2));
    assert_refused(1, "file 2 of the 3 of this model");
    assert_refused(3, "00002-of-00003.gguf: cannot open: No such file");
}

static void test_broken_file(void **state)
{
    (void)state;
    assert_int_equal(truncate(shard(3), 150), 0);
    assert_refused(1, "file 3 of the 3 of this model");
}

static void test_swapped_files(void **state)
{
    (void)state;
    save(good[1], shard(3));
    save(good[2], shard(2));
    assert_refused(1, "says it is file 3 of 3 (split.no, split.count), expected 2 of 3");
}

static void test_file_of_another_model(void **state)
{
    (void)state;
    save(GGUF_HEAD(0, 3) SPLIT(1, 4), shard(2));
    assert_refused(1, "says it is file 2 of 4");
    save(GGUF_HEAD(0, 0), shard(2));
    assert_refused(1, "has no metadata 'split.no'");
}

static void test_wrong_types(void **state)
{
    (void)state;
    save(GGUF_HEAD(0, 1) "s:split.count 4:2 2:3", shard(1));
    assert_refused(1, "has no metadata 'split.no'");
    save(GGUF_HEAD(0, 3) "s:split.no 4:2 2:0 s:split.count 4:2 2:3 s:split.tensors.count 4:6 f:4",
         shard(1));
    assert_refused(1, "'split.tensors.count' is f32, expected an integer");
}

static void test_duplicate_tensor(void **state)
{
    (void)state;
    save(GGUF_HEAD(2, 3) SPLIT(2, 3) "s:c 4:1 8:1 4:0 8:0 s:a 4:1 8:1 4:0 8:32 @32 data:64",
         shard(3));
    assert_refused(1, "tensor 'a' occurs twice");
}

static void test_wrong_tensor_count(void **state)
{
    (void)state;
    save(GGUF_HEAD(1, 3) SPLIT(2, 3) "s:c 4:1 8:1 4:0 8:0 @32 data:64", shard(3));
    assert_refused(1, "have 3 tensors, expected 4");
}

static void test_name_without_suffix(void **state)
{
    (void)state;
    char path[600];
    struct gguf *gguf;
    struct fault fault = {0};
    snprintf(path, sizeof path, "%s/renamed.gguf", folder);
    save(good[0], path);
    assert_false(gguf_open(path, &gguf, &fault));
    assert_non_null(strstr(fault.text, "its name must end in -00001-of-00003.gguf"));
    snprintf(path, sizeof path, "%s/x.gguf", folder); /* shorter than any suffix */
    save(good[1], path);
    assert_false(gguf_open(path, &gguf, NULL));
}

static void test_absurd_counts(void **state)
{
    (void)state;
    save(GGUF_HEAD(0, 2) "s:split.no 4:2 2:0 s:split.count 4:2 2:65535 ", shard(1));
    assert_refused(1, "a model in 65535 files");
    save(GGUF_HEAD(0, 1) "s:split.count 4:8 s:three ", shard(1));
    assert_refused(1, "'split.count' is string, expected an integer");
    save(GGUF_HEAD(0, 2) "s:split.no 4:4 4:4294967295 s:split.count 4:2 2:3 ", shard(1));
    assert_refused(1, "its name must end in");
}

/* split.count 1 says that the model is whole; its name is free. */
static void test_count_of_one(void **state)
{
    (void)state;
    char path[600];
    struct gguf *gguf;
    snprintf(path, sizeof path, "%s/one.gguf", folder);
    save(GGUF_HEAD(0, 2) "s:split.no 4:2 2:0 s:split.count 4:2 2:1 ", path);
    assert_true(gguf_open(path, &gguf, NULL));
    gguf_close(gguf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole),
        TEST(test_missing_file),
        TEST(test_broken_file),
        TEST(test_swapped_files),
        TEST(test_file_of_another_model),
        TEST(test_wrong_types),
        TEST(test_duplicate_tensor),
        TEST(test_wrong_tensor_count),
        TEST(test_name_without_suffix),
        TEST(test_absurd_counts),
        TEST(test_count_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
