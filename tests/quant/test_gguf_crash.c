/* test_gguf_crash.c: all or nothing. Each system call that the writer makes is made to fail, to be
 * interrupted, to write short, or to be the last one before a kill -9 (the linker's --wrap puts the
 * functions below in between). Afterwards the target is the old file or the new one, whole. The
 * reader's calls fail too: then there is a fault and no description. */
#include "testing.h"

#include "gguf_write.h"
#include "platform.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum injury { NONE, FAIL, INTERRUPT, SHORT, KILL_BEFORE, KILL_AFTER };

static struct {
    enum injury injury;
    int error;     /* errno of FAIL */
    int countdown; /* calls to go; 0: now */
    bool struck;
    bool reading; /* pread counts */
} plan;

/* True when this call is the one; it may not return. */
static bool strike(void)
{
    if (plan.injury == NONE || plan.countdown-- != 0)
        return false;
    plan.struck = true;
    if (plan.injury == KILL_BEFORE)
        raise(SIGKILL);
    return true;
}

/* The result of a call that was struck: FAIL and INTERRUPT fail it, KILL_AFTER lets it happen. */
#define STRUCK(call)                                                                               \
    do {                                                                                           \
        if (plan.injury == FAIL || plan.injury == INTERRUPT) {                                     \
            errno = plan.injury == FAIL ? plan.error : EINTR;                                      \
            return -1;                                                                             \
        }                                                                                          \
        if (plan.injury == KILL_AFTER) {                                                           \
            (void)!(call);                                                                         \
            raise(SIGKILL);                                                                        \
        }                                                                                          \
    } while (0)

ssize_t __real_pread64(int descriptor, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread64(int descriptor, void *bytes, size_t size, off_t offset);
ssize_t __real_pwrite64(int descriptor, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int descriptor, const void *bytes, size_t size, off_t offset);
int __real_fsync(int descriptor);
int __wrap_fsync(int descriptor);
int __real_ftruncate64(int descriptor, off_t size);
int __wrap_ftruncate64(int descriptor, off_t size);
int __real_posix_fallocate64(int descriptor, off_t offset, off_t size);
int __wrap_posix_fallocate64(int descriptor, off_t offset, off_t size);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_close(int descriptor);
int __wrap_close(int descriptor);

ssize_t __wrap_pwrite64(int descriptor, const void *bytes, size_t size, off_t offset)
{
    if (strike()) {
        STRUCK(__real_pwrite64(descriptor, bytes, size, offset));
        if (plan.injury == SHORT)
            return __real_pwrite64(descriptor, bytes, (size + 1) / 2, offset);
    }
    return __real_pwrite64(descriptor, bytes, size, offset);
}

/* Counted only when reading is what is tested. */
ssize_t __wrap_pread64(int descriptor, void *bytes, size_t size, off_t offset)
{
    if (plan.reading && strike()) {
        STRUCK(__real_pread64(descriptor, bytes, size, offset));
        if (plan.injury == SHORT)
            return __real_pread64(descriptor, bytes, (size + 1) / 2, offset);
    }
    return __real_pread64(descriptor, bytes, size, offset);
}

int __wrap_fsync(int descriptor)
{
    if (strike())
        STRUCK(__real_fsync(descriptor));
    return __real_fsync(descriptor);
}

int __wrap_ftruncate64(int descriptor, off_t size)
{
    if (strike())
        STRUCK(__real_ftruncate64(descriptor, size));
    return __real_ftruncate64(descriptor, size);
}

/* Returns the error instead of setting errno. */
int __wrap_posix_fallocate64(int descriptor, off_t offset, off_t size)
{
    if (strike()) {
        if (plan.injury == FAIL || plan.injury == INTERRUPT)
            return plan.injury == FAIL ? plan.error : EINTR;
        STRUCK(__real_posix_fallocate64(descriptor, offset, size));
    }
    return __real_posix_fallocate64(descriptor, offset, size);
}

int __wrap_rename(const char *from, const char *to)
{
    if (strike())
        STRUCK(__real_rename(from, to));
    return __real_rename(from, to);
}

/* Linux closes the descriptor even when close fails. */
int __wrap_close(int descriptor)
{
    if (strike()) {
        STRUCK(__real_close(descriptor));
    }
    return __real_close(descriptor);
}

static char folder[512];
static char target[600];

static bool write_model(uint8_t fill, struct fault *fault)
{
    static uint8_t data[1000];
    memset(data, fill, sizeof data);
    const uint64_t dims[] = {250};
    struct gguf_writer *writer = NULL;
    bool done = gguf_writer_create(&writer, fault) &&
                gguf_put_text(writer, "general.name", "crash", 5, fault) &&
                gguf_put_tensor(writer, "a", DTYPE_F32, 1, dims, fault) &&
                gguf_put_tensor(writer, "b", DTYPE_F16, 1, dims, fault) &&
                gguf_writer_begin(writer, target, fault) &&
                gguf_writer_write(writer, data, 700, fault) &&
                gguf_writer_write(writer, data, 300, fault) &&
                gguf_writer_write(writer, data, 500, fault) && gguf_writer_finish(writer, fault);
    gguf_writer_destroy(writer);
    return done;
}

/* The fill byte of the model at path when it is whole, -1 when it is none. */
static int model_fill(const char *path)
{
    struct gguf *gguf;
    if (!gguf_open(path, &gguf, NULL))
        return -1;
    uint8_t data[1500];
    assert_int_equal(gguf_tensor_count(gguf), 2);
    assert_true(gguf_read(gguf, gguf_tensor_at(gguf, 0), 0, data, 1000, NULL));
    assert_true(gguf_read(gguf, gguf_tensor_at(gguf, 1), 0, data + 1000, 500, NULL));
    gguf_close(gguf);
    for (size_t i = 1; i < sizeof data; i++)
        assert_int_equal(data[i], data[0]);
    return data[0];
}

static int setup(void **state)
{
    (void)state;
    plan.injury = NONE;
    snprintf(folder, sizeof folder, "%s/crash-XXXXXX", LICHEN_TEST_OUTPUT);
    if (!mkdtemp(folder))
        return -1;
    snprintf(target, sizeof target, "%s/model.gguf", folder);
    return write_model(1, NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[600];
    plan.injury = NONE;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* Checks the files beside the target: none, or, after a kill, nothing that looks like a model and
 * is not a whole one. Removes them. */
static void check_others(bool killed)
{
    DIR *listing = opendir(folder);
    for (struct dirent *entry; (entry = readdir(listing));) {
        char path[900];
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "model.gguf") == 0)
            continue;
        assert_true(killed);
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        int fill = model_fill(path);
        assert_true(fill == -1 || fill == 2);
        remove(path);
    }
    closedir(listing);
}

/* One struck run over the model of 1s; false when the run had fewer than k calls. */
static bool run_struck(enum injury injury, int error, int k)
{
    struct fault fault = {0};
    plan.injury = injury;
    plan.error = error;
    plan.countdown = k;
    plan.struck = false;
    bool done = write_model(2, &fault);
    plan.injury = NONE;
    assert_true(done == (fault.kind == FAULT_NONE));
    if (!done)
        assert_int_equal(fault.kind, FAULT_FILE);
    int fill = model_fill(target);
    assert_true(done ? fill == 2 : fill == 1 || fill == 2);
    if (!done)
        assert_non_null(strstr(fault.text, "model.gguf: "));
    check_others(false);
    if (plan.struck && injury != FAIL)
        assert_true(done); /* an interruption or a short write is no failure */
    assert_true(write_model(1, NULL));
    return plan.struck;
}

static void test_failing_calls(void **state)
{
    (void)state;
    const int errors[] = {EIO, ENOSPC, EDQUOT};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        int k = 0;
        while (run_struck(FAIL, errors[i], k))
            k++;
        assert_true(k >= 12); /* the wrapping works */
    }
}

static void test_interrupted_calls(void **state)
{
    (void)state;
    /* all calls before the rename, which Linux does not interrupt */
    for (int k = 0; k < 13; k++)
        assert_true(run_struck(INTERRUPT, 0, k));
    for (int k = 0; run_struck(SHORT, 0, k); k++)
        ;
}

static bool run_killed(enum injury injury, int k)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        plan.injury = injury;
        plan.countdown = k;
        write_model(2, NULL);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    assert_true(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    int fill = model_fill(target);
    assert_true(killed ? fill == 1 || fill == 2 : fill == 2);
    check_others(killed);
    assert_true(write_model(1, NULL)); /* the next run succeeds */
    return killed;
}

static void test_killed(void **state)
{
    (void)state;
    const enum injury injuries[] = {KILL_BEFORE, KILL_AFTER};
    for (int i = 0; i < 2; i++) {
        int k = 0;
        while (run_killed(injuries[i], k))
            k++;
        assert_true(k >= 12);
    }
}

/* A header of several windows, so that the reader calls several times. */
static bool open_struck(enum injury injury, int k, bool *struck)
{
    struct gguf *gguf;
    struct fault fault = {0};
    plan.injury = injury;
    plan.error = EIO;
    plan.countdown = k;
    plan.struck = false;
    plan.reading = true;
    bool done = gguf_open(target, &gguf, &fault);
    plan.injury = NONE;
    plan.reading = false;
    *struck = plan.struck;
    assert_true(done == (gguf != NULL));
    if (!done)
        assert_non_null(strstr(fault.text, "model.gguf: cannot read: Input/output error"));
    gguf_close(gguf);
    return done;
}

static void test_failing_reads(void **state)
{
    (void)state;
    static uint32_t items[100000];
    struct gguf_writer *writer;
    assert_true(gguf_writer_create(&writer, NULL));
    assert_true(gguf_put_array(writer, "k", GGUF_U32, items, 100000, NULL));
    assert_true(gguf_writer_begin(writer, target, NULL) && gguf_writer_finish(writer, NULL));
    gguf_writer_destroy(writer);
    bool struck;
    for (int k = 0; k < 6; k++) {
        assert_false(open_struck(FAIL, k, &struck));
        assert_true(open_struck(INTERRUPT, k, &struck) && struck);
        assert_true(open_struck(SHORT, k, &struck) && struck);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_failing_calls),
        TEST(test_interrupted_calls),
        TEST(test_killed),
        TEST(test_failing_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
