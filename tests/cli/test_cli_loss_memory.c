/* test_cli_loss_memory.c: what lichen loss with four candidates needs, by the real program with the
 * C executor:
 *
 *   resident memory <= weights + KV caches + 64 MiB + 8 * vocab floats a stream
 *   every file is read three times, to load it, to hash it and to compare its weights, the base as
 *   often as a candidate
 *
 * The C executor keeps weights in the process's own memory, so they count. */
#include "program.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORIES LICHEN_SHARED "/golden/models/stories260K/derived-stories260K-f32.gguf"
#define TEXT LICHEN_SHARED "/golden/text/tinyshakespeare.txt"
#define FOLDER LICHEN_TEST_OUTPUT "/loss-memory"
#define SMOLLM2 "SmolLM2-135M-Instruct.Q4_1.gguf"

enum { STREAMS = 5, PROCESS_BYTES = 64 << 20, ROWS = 8 };

struct model {
    long layers, kv_heads, head, vocab;
};

static const struct model stories = {5, 4, 8, 512};
static const struct model smollm2 = {30, 3, 64, 49152};

static const char *const files[STREAMS] = {FOLDER "/base.gguf", FOLDER "/a.gguf", FOLDER "/b.gguf",
                                           FOLDER "/c.gguf", FOLDER "/d.gguf"};

static long size_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (long)status.st_size;
}

/* Bytes; keys and values of 16 bits. */
static long bound(const struct model *model, long ctx)
{
    long kv = model->layers * model->kv_heads * model->head * 2 * 2 * ctx;
    long rows = ROWS * model->vocab * 4, sum = PROCESS_BYTES + STREAMS * (kv + rows);
    for (int i = 0; i < STREAMS; i++)
        sum += size_of(files[i]);
    return sum;
}

static void assert_within(struct ran *ran, const struct model *model, long ctx)
{
    long most = bound(model, ctx) / 1024;
    if (ran->status != 0)
        print_error("%s\n", ran->err);
    assert_int_equal(ran->status, 0);
    print_message("%ld KiB of memory, at most %ld\n", ran->peak_kib, most);
    assert_true(ran->peak_kib > 1024); /* it was measured */
#ifndef __SANITIZE_ADDRESS__
    assert_true(ran->peak_kib <= most);
#endif
    ran_free(ran);
}

static void clean(void)
{
    for (int i = 0; i < STREAMS; i++)
        unlink(files[i]);
    assert_true(mkdir(FOLDER, 0700) == 0 || errno == EEXIST);
}

static void copy_file(const char *from, const char *to)
{
    size_t size = 0;
    char *bytes = file_bytes(from, &size);
    assert_non_null(bytes);
    file_put(to, bytes, size);
    free(bytes);
}

static void make_stories(void)
{
    static const char *const types[STREAMS] = {NULL, "q8_0", "q4_0", "q5_0", "q4_1"};
    clean();
    copy_file(STORIES, files[0]);
    for (int i = 1; i < STREAMS; i++) {
        struct ran ran = LICHEN("convert", STORIES, "-o", files[i], "--type", types[i], "--proof",
                                "never", "--quiet");
        assert_int_equal(ran.status, 0);
        ran_free(&ran);
    }
}

#define FILES files[0], files[1], files[2], files[3], files[4]

/* Everything that a run does: weights, floor, long answer. */
static void test_four_types(void **state)
{
    (void)state;
    if (!test_file_exists(STORIES) || !test_file_exists(TEXT))
        SKIP("stories260K is not there");
    make_stories();
    struct ran ran = LICHEN("loss", FILES, "--text", TEXT, "--device", "cpu", "--ctx", "64",
                            "--chunks", "4", "--stability", "20", "--quiet");
    assert_within(&ran, &stories, 64);
    clean();
}

/* A vocabulary of 49,152: rows of logits and five tokenizers are what counts here. Five names of
 * one file are five files to the program. */
static void test_real_model(void **state)
{
    (void)state;
    char path[1024];
    test_model_path(SMOLLM2, path, sizeof path);
    if (!test_file_exists(path) || !test_file_exists(TEXT))
        SKIP(SMOLLM2 " is not there");
    clean();
    for (int i = 0; i < STREAMS; i++)
        assert_int_equal(symlink(path, files[i]), 0);
    char text[2049];
    FILE *file = fopen(TEXT, "rb");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, 2048, file), 2048);
    fclose(file);
    file_put(FOLDER "/text.txt", text, 2048);
    struct ran ran = LICHEN("loss", FILES, "--text", FOLDER "/text.txt", "--device", "cpu", "--ctx",
                            "24", "--protocol", "hf", "--chunks", "1", "--stability", "0",
                            "--no-floor", "--no-tensors", "--quiet");
    assert_within(&ran, &smollm2, 24);
    clean();
}

/* Bytes that the trace says were read of a file, and how often it was opened. */
static long traced(const char *path, int *opened)
{
    char line[4096], handle[1024], *end;
    long sum = 0;
    FILE *trace = fopen(FOLDER "/trace", "r");
    assert_non_null(trace);
    snprintf(handle, sizeof handle, "<%s>", path);
    *opened = 0;
    while (fgets(line, sizeof line, trace)) {
        char *result = strstr(line, ") = ");
        if (!strstr(line, handle) || !result)
            continue;
        assert_null(strstr(line, "mmap(")); /* what is mapped would be read unseen */
        if (strstr(line, "open"))
            ++*opened;
        else
            sum += strtol(result + 4, &end, 10);
    }
    fclose(trace);
    return sum;
}

static void test_reads_once(void **state)
{
    (void)state;
    char command[4096];
#ifdef __SANITIZE_ADDRESS__
    SKIP("strace and the leak checker do not go together");
#endif
    if (!test_file_exists(STORIES) || !test_file_exists(TEXT))
        SKIP("stories260K is not there");
    if (system("strace -o /dev/null true >/dev/null 2>&1") != 0)
        SKIP("strace is not here");
    make_stories();
    snprintf(
        command, sizeof command,
        "strace -f -y -o %s/trace -e trace=openat,read,pread64,readv,preadv,mmap %s loss %s %s "
        "%s %s %s --text %s --device cpu --ctx 64 --chunks 4 --stability 20 --quiet >/dev/null",
        FOLDER, LICHEN_PROGRAM, FILES, TEXT);
    assert_int_equal(system(command), 0);
    for (int i = 0; i < STREAMS; i++) {
        int opened;
        long bytes = traced(files[i], &opened), size = size_of(files[i]);
        print_message("%s: opened %d times, %ld of %ld bytes read\n", files[i], opened, bytes,
                      size);
        assert_int_equal(opened, 3);
        assert_true(bytes >= size);               /* the trace sees what is read */
        assert_true(bytes <= 3 * (size + 65536)); /* of the header whole windows are read */
    }
    unlink(FOLDER "/trace");
    clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_types),
        cmocka_unit_test(test_real_model),
        cmocka_unit_test(test_reads_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
