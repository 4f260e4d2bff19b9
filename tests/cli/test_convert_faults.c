/* test_convert_faults.c: lichen convert while the machine fails: every write, sync, rename,
 * truncation, reservation and removal of a small conversion is the last thing that happens, or
 * fails, or is short. Whatever happens there is no loadable partial file, and --resume ends with
 * the bytes of an undisturbed run. */
#include "gguf_model.h"
#include "program.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER LICHEN_TEST_OUTPUT "/convert_faults"
#define SOURCE FOLDER "/source.gguf"
#define OUTPUT FOLDER "/out.gguf"
#define PART OUTPUT ".part"
#define JOURNAL PART ".journal"
#define COUNTS FOLDER "/counts"

static char *golden; /* bytes of an undisturbed conversion */
static size_t golden_size;

static void clean(void)
{
    unlink(OUTPUT);
    unlink(PART);
    unlink(JOURNAL);
}

static struct ran convert(const char *fate, bool resume)
{
    if (fate)
        setenv("FAIL_IO", fate, 1);
    setenv("LD_PRELOAD", LICHEN_FAIL_IO, 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
    struct ran ran = LICHEN("convert", SOURCE, "-o", OUTPUT, "--type", "q4_k_m", "--threads", "2",
                            resume ? "--resume" : "--quiet");
    unsetenv("LD_PRELOAD");
    unsetenv("FAIL_IO");
    return ran;
}

static bool is_golden(const char *path)
{
    size_t size = 0;
    char *bytes = file_bytes(path, &size);
    bool same = bytes && size == golden_size && memcmp(bytes, golden, size) == 0;
    free(bytes);
    return same;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A part file is not loadable, or is the whole file to the last byte. */
static void assert_part_harmless(const char *fate)
{
    char magic[4] = {0};
    FILE *file = fopen(PART, "rb");
    if (!file)
        return;
    size_t read = fread(magic, 1, sizeof magic, file);
    fclose(file);
    if (read == 4 && memcmp(magic, "\0\0\0\0", 4) != 0 && !is_golden(PART))
        fail_msg("%s: a part file that begins with GGUF is not whole", fate);
}

static void assert_resumes(const char *fate)
{
    struct ran ran = convert(NULL, true);
    if (ran.status != 0 && !exists(OUTPUT))
        fail_msg("%s: --resume: status %d: %s", fate, ran.status, ran.err);
    ran_free(&ran);
    if (!is_golden(OUTPUT))
        fail_msg("%s: --resume gives other bytes", fate);
}

/* One disturbed run and what must be true after it; then it is resumed. must_fail: the fate cannot
 * be survived. */
static void disturb(const char *call, int number, const char *action, bool must_fail)
{
    char fate[64];
    snprintf(fate, sizeof fate, "%s:%d:%s", call, number, action);
    clean();
    struct ran ran = convert(fate, false);
    if (must_fail && ran.status == 0)
        fail_msg("%s: the conversion says that it succeeded", fate);
    if (ran.status == 0 && !is_golden(OUTPUT))
        fail_msg("%s: success, but other bytes", fate);
    if (exists(OUTPUT) && !is_golden(OUTPUT))
        fail_msg("%s: a file is there that is not whole", fate);
    if (ran.status == 1 && strncmp(ran.err, "lichen: ", 8) != 0)
        fail_msg("%s: stderr: %s", fate, ran.err);
    ran_free(&ran);
    assert_part_harmless(fate);
    if (!exists(OUTPUT))
        assert_resumes(fate);
}

static int count_of(const char *call)
{
    char *text = file_bytes(COUNTS, NULL), name[16];
    assert_non_null(text);
    int count = -1, value;
    for (char *line = text; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (sscanf(line, "%15s %d", name, &value) == 2 && strcmp(name, call) == 0)
            count = value;
    free(text);
    assert_true(count >= 0);
    return count;
}

static int prepare(void **state)
{
    (void)state;
    static const struct gguf_model model = {
        .layers = 2, .dim = 256, .ffn = 512, .kv_dim = 128, .vocab = 300, .dtype = DTYPE_F16};
    mkdir(LICHEN_TEST_OUTPUT "/home", 0700);
    mkdir(FOLDER, 0700);
    gguf_model_write(SOURCE, &model);
    clean();
    setenv("FAIL_IO_COUNTS", COUNTS, 1);
    struct ran ran = convert(NULL, false);
    unsetenv("FAIL_IO_COUNTS");
    if (ran.status != 0)
        print_error("%s", ran.err);
    bool done = ran.status == 0;
    ran_free(&ran);
    golden = file_bytes(OUTPUT, &golden_size);
    return done && golden ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    free(golden);
    clean();
    return 0;
}

static void test_the_shim_is_there(void **state)
{
    (void)state;
    assert_true(count_of("write") > 20); /* a part file and a journal of some 20 tensors */
    assert_true(count_of("sync") >= 3);
    assert_int_equal(count_of("rename"), 1);
    assert_int_equal(count_of("reserve"), 1);
    assert_false(exists(PART));
    assert_false(exists(JOURNAL));
}

static void test_killed_everywhere(void **state)
{
    (void)state;
    static const char *const calls[] = {"write", "sync", "rename", "cut", "reserve", "remove"};
    int total = 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        for (int k = 1; k <= count_of(calls[i]); k++, total++)
            disturb(calls[i], k, "kill", true);
    print_message("killed at %d places\n", total);
}

static void test_errors_everywhere(void **state)
{
    (void)state;
    static const char *const calls[] = {"write", "sync", "rename", "cut", "reserve"};
    static const int errors[] = {ENOSPC, EIO};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        for (int k = 1; k <= count_of(calls[i]); k++) {
            char action[16];
            snprintf(action, sizeof action, "%d", errors[k % 2]);
            disturb(calls[i], k, action, true);
        }
}

static void test_interrupted_and_short_calls(void **state)
{
    (void)state;
    char interrupted[16];
    snprintf(interrupted, sizeof interrupted, "%d", EINTR);
    for (int k = 1; k <= count_of("write"); k++) {
        disturb("write", k, "short", false);
        assert_true(is_golden(OUTPUT));
        disturb("write", k, interrupted, false);
        assert_true(is_golden(OUTPUT));
    }
    for (int k = 1; k <= count_of("sync"); k++) {
        disturb("sync", k, interrupted, false);
        assert_true(is_golden(OUTPUT));
    }
}

/* The messages that people see. */
static void test_a_full_disk_says_so(void **state)
{
    (void)state;
    clean();
    struct ran ran = convert("reserve:1:28", false);
    assert_int_equal(ran.status, 1);
    assert_non_null(strstr(ran.err, "needs "));
    assert_non_null(strstr(ran.err, "free"));
    ran_free(&ran);
    assert_false(exists(PART));
    assert_false(exists(JOURNAL));
}

/* A larger conversion, killed at any time. */
static void test_killed_at_random(void **state)
{
    (void)state;
    static const struct gguf_model model = {
        .layers = 6, .dim = 512, .ffn = 1536, .kv_dim = 256, .vocab = 4000, .dtype = DTYPE_F16};
    uint64_t random = 20261125;
    size_t size;
    clean();
    gguf_model_write(FOLDER "/large.gguf", &model);
    const char *const arguments[] = {
        "convert", FOLDER "/large.gguf", "-o",        OUTPUT, "--type", "q4_k_m",
        "--quiet", "--resume",           "--threads", "2",    NULL};
    struct ran ran = run_lichen(NULL, 0, arguments);
    assert_int_equal(ran.status, 0);
    ran_free(&ran);
    char *whole = file_bytes(OUTPUT, &size);
    int killed = 0;
    for (int i = 0; i < 50; i++) {
        if (i % 10 == 0)
            clean();
        unlink(OUTPUT);
        int status = run_and_signal(SIGKILL, (int)(test_random(&random) % 120), arguments);
        killed += status == 128 + SIGKILL;
        char *bytes = file_bytes(OUTPUT, NULL);
        if (bytes)
            assert_memory_equal(bytes, whole, size);
        free(bytes);
    }
    unlink(OUTPUT);
    ran = run_lichen(NULL, 0, arguments);
    assert_int_equal(ran.status, 0);
    ran_free(&ran);
    char *bytes = file_bytes(OUTPUT, NULL);
    assert_non_null(bytes);
    assert_memory_equal(bytes, whole, size);
    free(bytes);
    free(whole);
    unlink(FOLDER "/large.gguf");
    print_message("killed %d of 50\n", killed);
    assert_true(killed >= 10);
}

/* Ctrl-C: status 130, the part file stays, its magic is not there. */
static void test_interrupted_by_the_user(void **state)
{
    (void)state;
    static const struct gguf_model model = {
        .layers = 8, .dim = 1024, .ffn = 4096, .kv_dim = 512, .vocab = 8000, .dtype = DTYPE_F16};
    gguf_model_write(FOLDER "/large.gguf", &model);
    const char *const arguments[] = {
        "convert", FOLDER "/large.gguf", "-o", OUTPUT, "--type", "iq4_nl",
        "--quiet", "--threads",          "1",  NULL};
    clean();
    int status = 130;
    for (int wait = 50; status != 0 && !exists(PART); wait *= 2) {
        clean();
        status = run_and_signal(SIGINT, wait, arguments);
    }
    assert_int_equal(status, 130);
    assert_true(exists(PART));
    assert_true(exists(JOURNAL));
    assert_false(exists(OUTPUT));
    assert_part_harmless("SIGINT");
    unlink(FOLDER "/large.gguf");
    clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_shim_is_there),
        cmocka_unit_test(test_killed_everywhere),
        cmocka_unit_test(test_errors_everywhere),
        cmocka_unit_test(test_interrupted_and_short_calls),
        cmocka_unit_test(test_a_full_disk_says_so),
        cmocka_unit_test(test_killed_at_random),
        cmocka_unit_test(test_interrupted_by_the_user),
    };
    return cmocka_run_group_tests(tests, prepare, finish);
}
