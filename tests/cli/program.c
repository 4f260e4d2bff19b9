/* program.c: child processes, pipes and pseudo-terminals for the tests of the program. */
#define _GNU_SOURCE
#include "program.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOME_FOLDER LICHEN_TEST_OUTPUT "/home"
enum { ARGUMENT_MAX = 64, WAIT_MS = 60000 };

static void child_exec(const char *const *arguments)
{
    const char *all[ARGUMENT_MAX] = {LICHEN_PROGRAM};
    size_t count = 1;
    while (*arguments && count + 1 < ARGUMENT_MAX)
        all[count++] = *arguments++;
    all[count] = NULL;
    setenv("HOME", HOME_FOLDER, 1);
    setenv("XDG_DATA_HOME", HOME_FOLDER "/data", 1);
    setenv("XDG_CACHE_HOME", HOME_FOLDER "/cache", 1);
    setenv("TERM", "dumb", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    execv(LICHEN_PROGRAM, (char *const *)(uintptr_t)all);
    _exit(127);
}

static int wait_peak(int child, long *peak_kib)
{
    int status = 0;
    struct rusage usage = {0};
    while (wait4(child, &status, 0, &usage) < 0 && errno == EINTR)
        ;
    *peak_kib = usage.ru_maxrss;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int wait_status(int child)
{
    long peak_kib;
    return wait_peak(child, &peak_kib);
}

char *file_bytes(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    struct stat status;
    assert_int_equal(fstat(fileno(file), &status), 0);
    char *bytes = malloc((size_t)status.st_size + 1);
    assert_non_null(bytes);
    size_t read = fread(bytes, 1, (size_t)status.st_size, file);
    bytes[read] = 0;
    if (size)
        *size = read;
    fclose(file);
    return bytes;
}

void file_put(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (size > 0)
        assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void redirect(const char *path, int flags, int handle)
{
    int opened = open(path, flags, 0600);
    if (opened < 0 || dup2(opened, handle) < 0)
        _exit(126);
}

struct ran run_lichen(const char *input, size_t input_size, const char *const *arguments)
{
    char in[] = LICHEN_TEST_OUTPUT "/in-XXXXXX", out[] = LICHEN_TEST_OUTPUT "/out-XXXXXX",
         err[] = LICHEN_TEST_OUTPUT "/err-XXXXXX";
    close(mkstemp(in));
    close(mkstemp(out));
    close(mkstemp(err));
    file_put(in, input, input_size);
    int child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        redirect(input ? in : "/dev/null", O_RDONLY, STDIN_FILENO);
        redirect(out, O_WRONLY, STDOUT_FILENO);
        redirect(err, O_WRONLY, STDERR_FILENO);
        child_exec(arguments);
    }
    struct ran ran = {0};
    ran.status = wait_peak(child, &ran.peak_kib);
    ran.out = file_bytes(out, &ran.out_size);
    ran.err = file_bytes(err, NULL);
    unlink(in);
    unlink(out);
    unlink(err);
    return ran;
}

void ran_free(struct ran *ran)
{
    free(ran->out);
    free(ran->err);
}

void assert_refused(struct ran *ran, int status, const char *part)
{
    if (ran->status != status || !strstr(ran->err, part))
        print_error("status %d, stderr: %s\nexpected %d and: %s\n", ran->status, ran->err, status,
                    part);
    assert_int_equal(ran->status, status);
    assert_non_null(strstr(ran->err, part));
    assert_int_equal(strncmp(ran->err, "lichen: ", 8), 0);
    char *end = strchr(ran->err, '\n');
    assert_non_null(end);
    assert_int_equal(end[1], 0); /* one line */
    assert_int_equal(ran->out_size, 0);
    ran_free(ran);
}

int run_and_signal(int signal, int after_ms, const char *const *arguments)
{
    int child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        redirect("/dev/null", O_RDONLY, STDIN_FILENO);
        redirect("/dev/null", O_WRONLY, STDOUT_FILENO);
        redirect("/dev/null", O_WRONLY, STDERR_FILENO);
        child_exec(arguments);
    }
    struct timespec wait = {after_ms / 1000, after_ms % 1000 * 1000000L};
    nanosleep(&wait, NULL);
    kill(child, signal);
    return wait_status(child);
}

/* ---- pseudo-terminal ---- */

void terminal_start(struct terminal *terminal, const char *const *arguments)
{
    struct winsize size = {.ws_row = 40, .ws_col = 200};
    terminal->size = 0;
    terminal->seen[0] = 0;
    terminal->child = forkpty(&terminal->handle, NULL, NULL, &size);
    assert_true(terminal->child >= 0);
    if (terminal->child == 0)
        child_exec(arguments);
}

/* Reads what is there within so many milliseconds; false at the end of the program. */
static bool terminal_read(struct terminal *terminal, int wait_ms)
{
    struct pollfd ready = {.fd = terminal->handle, .events = POLLIN};
    if (poll(&ready, 1, wait_ms) <= 0)
        return true;
    ssize_t size = read(terminal->handle, terminal->seen + terminal->size,
                        sizeof terminal->seen - terminal->size - 1);
    if (size <= 0)
        return false;
    terminal->size += (size_t)size;
    terminal->seen[terminal->size] = 0;
    return true;
}

size_t terminal_expect(struct terminal *terminal, size_t from, const char *text)
{
    for (int waited = 0; waited < WAIT_MS; waited += 20) {
        char *found = strstr(terminal->seen + from, text);
        if (found)
            return (size_t)(found - terminal->seen) + strlen(text);
        if (!terminal_read(terminal, 20))
            break;
    }
    print_error("no '%s' in: %s\n", text, terminal->seen + from);
    fail();
    return 0;
}

void terminal_send(struct terminal *terminal, const char *text)
{
    assert_int_equal(write(terminal->handle, text, strlen(text)), strlen(text));
}

int terminal_end(struct terminal *terminal)
{
    while (terminal->size + 1 < sizeof terminal->seen && terminal_read(terminal, WAIT_MS))
        ;
    int status = wait_status(terminal->child);
    close(terminal->handle);
    return status;
}

/* ---- folders ---- */

static const char *wanted;
static int found_count;

static int visit(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)ftw;
    size_t size = 0;
    char *bytes = type == FTW_F ? file_bytes(path, &size) : NULL;
    if (bytes && memmem(bytes, size, wanted, strlen(wanted)))
        found_count++;
    free(bytes);
    return 0;
}

int count_files_with(const char *folder, const char *text)
{
    wanted = text;
    found_count = 0;
    nftw(folder, visit, 16, FTW_PHYS);
    return found_count;
}

int count_entries(const char *folder, const char *part)
{
    DIR *directory = opendir(folder);
    int count = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        count += strstr(entry->d_name, part) != NULL;
    if (directory)
        closedir(directory);
    return count;
}
