/* fail_io.c: preloaded into lichen: lets one call of one function fail, write less, or be the last
 * thing the process does.
 *
 *   FAIL_IO=FUNCTION:NUMBER:ACTION   ACTION: kill, short, or the number of an errno
 *   FAIL_IO_COUNTS=FILE              writes "FUNCTION COUNT" lines there when the process ends
 *
 * FUNCTION: write (pwrite), sync (fsync), rename, cut (ftruncate), reserve (posix_fallocate),
 * remove (unlink). Only what converters use is covered. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum call { CALL_WRITE, CALL_SYNC, CALL_RENAME, CALL_CUT, CALL_RESERVE, CALL_REMOVE, CALL_COUNT };
static const char *const names[] = {"write", "sync", "rename", "cut", "reserve", "remove"};
static atomic_int counts[CALL_COUNT];

enum { PASS = 0, SHORT = -1 };

/* What is to happen to this call: PASS, SHORT or an errno. */
static int next(enum call call)
{
    int number = atomic_fetch_add(&counts[call], 1) + 1;
    const char *wanted = getenv("FAIL_IO");
    char name[16] = "", action[16] = "";
    int at = 0;
    if (!wanted || sscanf(wanted, "%15[a-z]:%d:%15s", name, &at, action) != 3 || at != number ||
        strcmp(name, names[call]) != 0)
        return PASS;
    if (strcmp(action, "kill") == 0)
        kill(getpid(), SIGKILL);
    return strcmp(action, "short") == 0 ? SHORT : atoi(action);
}

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int failed(int error)
{
    errno = error;
    return -1;
}

EXPORT ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t offset);
EXPORT ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t offset)
{
    ssize_t (*call)(int, const void *, size_t, off64_t);
    *(void **)&call = real("pwrite64");
    int fate = next(CALL_WRITE);
    if (fate > 0)
        return failed(fate);
    return call(descriptor, bytes, fate == SHORT ? (size + 1) / 2 : size, offset);
}

EXPORT int fsync(int descriptor)
{
    int (*call)(int);
    *(void **)&call = real("fsync");
    int fate = next(CALL_SYNC);
    return fate > 0 ? failed(fate) : call(descriptor);
}

EXPORT int rename(const char *from, const char *to)
{
    int (*call)(const char *, const char *);
    *(void **)&call = real("rename");
    int fate = next(CALL_RENAME);
    return fate > 0 ? failed(fate) : call(from, to);
}

EXPORT int ftruncate64(int descriptor, off64_t size);
EXPORT int ftruncate64(int descriptor, off64_t size)
{
    int (*call)(int, off64_t);
    *(void **)&call = real("ftruncate64");
    int fate = next(CALL_CUT);
    return fate > 0 ? failed(fate) : call(descriptor, size);
}

EXPORT int posix_fallocate64(int descriptor, off64_t offset, off64_t size);
EXPORT int posix_fallocate64(int descriptor, off64_t offset, off64_t size)
{
    int (*call)(int, off64_t, off64_t);
    *(void **)&call = real("posix_fallocate64");
    int fate = next(CALL_RESERVE);
    return fate > 0 ? fate : call(descriptor, offset, size);
}

EXPORT int unlink(const char *path)
{
    int (*call)(const char *);
    *(void **)&call = real("unlink");
    int fate = next(CALL_REMOVE);
    return fate > 0 ? failed(fate) : call(path);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAIL_IO_COUNTS");
    FILE *file = path ? fopen(path, "w") : NULL;
    for (int i = 0; file && i < CALL_COUNT; i++)
        fprintf(file, "%s %d\n", names[i], atomic_load(&counts[i]));
    if (file)
        fclose(file);
}
