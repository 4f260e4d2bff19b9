/* test_gguf_limits.c: no allocation may fail badly, no header may take more memory or time than it
 * deserves. The linker's --wrap puts the functions below between lichen and the allocator. */
#include "testing.h"

#include "gguf_build.h"
#include "gguf_write.h"

#include <malloc.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct {
    long until_failure; /* allocations to go; < 0: none fails */
    long count;
    size_t live, peak; /* bytes */
} heap = {.until_failure = -1};

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __real_free(void *memory);
void __wrap_free(void *memory);
char *__wrap_strdup(const char *text);

static bool must_fail(void)
{
    heap.count++;
    return heap.until_failure >= 0 && heap.until_failure-- == 0;
}

static void *count_in(void *memory)
{
    heap.live += memory ? malloc_usable_size(memory) : 0;
    heap.peak = heap.live > heap.peak ? heap.live : heap.peak;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : count_in(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : count_in(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    if (must_fail())
        return NULL;
    size_t before = old ? malloc_usable_size(old) : 0;
    void *grown = __real_realloc(old, size);
    heap.live -= grown ? before : 0;
    return count_in(grown);
}

void __wrap_free(void *memory)
{
    heap.live -= memory ? malloc_usable_size(memory) : 0;
    __real_free(memory);
}

char *__wrap_strdup(const char *text)
{
    char *copy = __wrap_malloc(strlen(text) + 1);
    return copy ? strcpy(copy, text) : NULL;
}

static void heap_reset(void)
{
    heap.until_failure = -1;
    heap.count = 0;
    heap.peak = heap.live;
}

static bool open_good(struct fault *fault)
{
    struct gguf *gguf;
    bool done = gguf_open(LICHEN_TEST_OUTPUT "/limits.gguf", &gguf, fault);
    assert_true(done == (gguf != NULL));
    gguf_close(gguf);
    return done;
}

static bool open_split(struct fault *fault)
{
    struct gguf *gguf;
    bool done = gguf_open(LICHEN_TEST_OUTPUT "/limits-00002-of-00002.gguf", &gguf, fault);
    gguf_close(gguf);
    return done;
}

static bool write_small(struct fault *fault)
{
    const uint64_t dims[] = {64};
    static const float data[64];
    struct gguf_writer *writer = NULL;
    bool done = gguf_writer_create(&writer, fault) &&
                gguf_put_text(writer, "general.name", "x", 1, fault) &&
                gguf_put_array(writer, "k", GGUF_F32, data, 64, fault) &&
                gguf_put_tensor(writer, "w", DTYPE_F32, 1, dims, fault) &&
                gguf_writer_begin(writer, LICHEN_TEST_OUTPUT "/limits-out.gguf", fault) &&
                gguf_writer_write(writer, data, sizeof data, fault) &&
                gguf_writer_finish(writer, fault);
    gguf_writer_destroy(writer);
    return done;
}

/* Fails the k-th allocation for every k: a fault about memory, and nothing leaks. */
static void sweep(bool (*work)(struct fault *fault))
{
    struct fault fault = {0};
    heap_reset();
    size_t before = heap.live;
    if (!work(&fault))
        fail_msg("%s", fault.text);
    long count = heap.count;
    assert_true(count >= 5);
    for (long k = 0; k < count; k++) {
        fault = (struct fault){0};
        heap.until_failure = k;
        bool done = work(&fault);
        heap.until_failure = -1;
        assert_false(done);
        if (fault.kind != FAULT_MEMORY)
            fail_msg("allocation %ld: '%s'", k, fault.text);
        assert_int_equal(heap.live, before);
    }
}

static void save(const char *words, const char *path)
{
    struct build build = build_file(words);
    build_save(&build, path);
    build_free(&build);
}

static void test_every_allocation_fails(void **state)
{
    (void)state;
    save(build_good_words, LICHEN_TEST_OUTPUT "/limits.gguf");
    save(GGUF_HEAD(1, 2) "s:split.no 4:2 2:0 s:split.count 4:2 2:2 s:a 4:1 8:1 4:0 8:0 @32 4:0",
         LICHEN_TEST_OUTPUT "/limits-00001-of-00002.gguf");
    save(GGUF_HEAD(1, 2) "s:split.no 4:2 2:1 s:split.count 4:2 2:2 s:b 4:1 8:1 4:0 8:0 @32 4:0",
         LICHEN_TEST_OUTPUT "/limits-00002-of-00002.gguf");
    sweep(open_good);
    sweep(open_split);
    sweep(write_small);
    remove(LICHEN_TEST_OUTPUT "/limits.gguf");
    remove(LICHEN_TEST_OUTPUT "/limits-00001-of-00002.gguf");
    remove(LICHEN_TEST_OUTPUT "/limits-00002-of-00002.gguf");
    remove(LICHEN_TEST_OUTPUT "/limits-out.gguf");
}

/* A file whose header ends in an array of count items, all zero bytes (a hole on the disk). Checks
 * the memory that opening takes, and whether it opens. */
static void check_zeros(const char *item_type, uint64_t count, size_t item_size, bool opens,
                        const char *expected)
{
    const char *path = LICHEN_TEST_OUTPUT "/zeros.gguf";
    char words[200];
    snprintf(words, sizeof words, GGUF_HEAD(0, 1) "s:k 4:9 4:%s 8:%llu", item_type,
             (unsigned long long)count);
    save(words, path);
    uint64_t header = 24 + 9 + 4 + 4 + 8 + count * item_size;
    assert_int_equal(truncate(path, (off_t)header), 0);
    heap_reset();
    size_t before = heap.live;
    struct gguf *gguf;
    struct fault fault = {0};
    bool done = gguf_open(path, &gguf, &fault);
    if (done != opens || !strstr(fault.text, expected))
        fail_msg("%llu of type %s: %s", (unsigned long long)count, item_type, fault.text);
    size_t taken = heap.peak - before;
    if (taken > header + (64 << 20))
        fail_msg("%llu of type %s: %zu bytes", (unsigned long long)count, item_type, taken);
    gguf_close(gguf);
    assert_int_equal(heap.live, before);
    remove(path);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    check_zeros("8", 1 << 20, 8, true, ""); /* empty strings: 17 bytes each */
    check_zeros("8", 1 << 23, 8, false, "no memory for 8388608 items");
    check_zeros("0", 1 << 23, 1, true, ""); /* bytes, kept as i32 */
    check_zeros("0", 1 << 25, 1, false, "no memory for 33554432 items");
    check_zeros("5", 1 << 24, 4, true, "");
    check_zeros("7", 1 << 20, 1, true, "");
    check_zeros("10", 1ull << 35, 8, false, "does not fit");  /* 256 GiB */
    check_zeros("0", (256u << 20), 1, false, "does not fit"); /* more than a header may have */
}

static void append(struct build *build, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        build->bytes[build->size++] = (uint8_t)(value >> (8 * i));
}

/* count one-byte values under names that share a long beginning, in descending order. */
static struct build many_keys(uint32_t count)
{
    struct build build = {.bytes = malloc(64 + count * 64ull)};
    assert_non_null(build.bytes);
    memcpy(build.bytes, "GGUF", 4);
    build.size = 4;
    append(&build, 3, 4);
    append(&build, 0, 8);
    append(&build, count, 8);
    for (uint32_t i = 0; i < count; i++) {
        char key[48];
        snprintf(key, sizeof key, "a.long.and.common.beginning.of.it.%06u", count - i);
        append(&build, 40, 8);
        memcpy(build.bytes + build.size, key, 40);
        build.size += 40;
        append(&build, GGUF_U8, 4);
        append(&build, 1, 1);
    }
    return build;
}

/* Processor seconds, the best of several runs. */
static double parse_time(uint32_t count)
{
    struct build build = many_keys(count);
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        struct gguf *gguf;
        clock_t start = clock();
        assert_true(gguf_parse(build.bytes, build.size, build.size, &gguf, NULL));
        double taken = (double)(clock() - start) / CLOCKS_PER_SEC;
        best = taken < best ? taken : best;
        gguf_close(gguf);
    }
    build_free(&build);
    return best;
}

/* Sixteen times the keys in about sixteen times the time; a check of every pair would take 256. */
static void test_time_is_linear(void **state)
{
    (void)state;
    double few = parse_time(4096);
    double many = parse_time(65536);
    print_message("4096 keys in %.2f ms, 65536 in %.2f ms\n", few * 1e3, many * 1e3);
    assert_true(many < 60 * (few + 1e-3));
    assert_true(many < 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_fails),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_time_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
