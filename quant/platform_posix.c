/* platform_posix.c: files, clock and machine on Linux. Whole-or-nothing output is
 * platform_posix_output.c, threads are platform_posix_thread.c. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "platform.h"
#include "platform_output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct file {
    int descriptor;
    uint64_t size; /* when opened */
    char path[];
};

/* A download that did not finish leaves such links in a cache. */
static bool broken_link_fault(const char *path, struct fault *fault)
{
    char target[PATH_MAX];
    path_link(path, target, sizeof target);
    return fault_set(fault, FAULT_FILE,
                     "%s: is a link to %.256s, which is not there; if it was downloaded, download "
                     "it again",
                     path, target);
}

/* O_NONBLOCK: a FIFO put in the place of a model must not hang the program. */
static int open_regular(const char *path, uint64_t *size, struct fault *fault)
{
    int descriptor;
    do
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) {
        if (errno == ENOENT && path_is_broken_link(path))
            broken_link_fault(path, fault);
        else
            platform_fault(path, "cannot open", fault);
        return -1;
    }
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        platform_fault(path, "cannot open", fault);
        close(descriptor);
        return -1;
    }
    if (!S_ISREG(status.st_mode)) {
        fault_set(fault, FAULT_FILE, "%s: cannot open: %s", path,
                  S_ISDIR(status.st_mode) ? "it is a folder" : "it is not a regular file");
        close(descriptor);
        return -1;
    }
    *size = (uint64_t)status.st_size;
    return descriptor;
}

bool file_open(const char *path, struct file **out, struct fault *fault)
{
    *out = NULL;
    size_t path_size = strlen(path) + 1;
    struct file *file = malloc(sizeof *file + path_size);
    if (!file)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to open it", path);
    memcpy(file->path, path, path_size);
    file->descriptor = open_regular(path, &file->size, fault);
    if (file->descriptor < 0) {
        free(file);
        return false;
    }
    *out = file;
    return true;
}

void file_close(struct file *file)
{
    if (!file)
        return;
    close(file->descriptor);
    free(file);
}

uint64_t file_size(const struct file *file)
{
    return file->size;
}

const char *file_path(const struct file *file)
{
    return file->path;
}

bool file_read(struct file *file, uint64_t offset, void *dst, size_t size, struct fault *fault)
{
    uint64_t end;
    if (__builtin_add_overflow(offset, (uint64_t)size, &end) || end > file->size)
        return fault_set(fault, FAULT_FILE, "%s: byte %llu: %zu bytes wanted, the file has %llu",
                         file->path, (unsigned long long)offset, size,
                         (unsigned long long)file->size);
    char *next = dst;
    while (size > 0) {
        ssize_t got = pread(file->descriptor, next, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return platform_fault(file->path, "cannot read", fault);
        if (got == 0)
            return fault_set(fault, FAULT_FILE, "%s: ends at byte %llu, it had %llu when opened",
                             file->path, (unsigned long long)offset,
                             (unsigned long long)file->size);
        next += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

bool file_load(const char *path, size_t limit, char **bytes, size_t *size, struct fault *fault)
{
    *bytes = NULL;
    *size = 0;
    struct file *file;
    if (!file_open(path, &file, fault))
        return false;
    char *loaded = NULL;
    if (file->size > limit || file->size == SIZE_MAX) {
        fault_set(fault, FAULT_FILE, "%s: has %llu bytes, more than the %zu allowed", path,
                  (unsigned long long)file->size, limit);
        goto cleanup;
    }
    loaded = malloc((size_t)file->size + 1);
    if (!loaded) {
        fault_set(fault, FAULT_MEMORY, "%s: no memory for its %llu bytes", path,
                  (unsigned long long)file->size);
        goto cleanup;
    }
    if (!file_read(file, 0, loaded, (size_t)file->size, fault))
        goto cleanup;
    loaded[file->size] = 0;
    *bytes = loaded;
    *size = (size_t)file->size;
    loaded = NULL;
cleanup:
    free(loaded);
    file_close(file);
    return *bytes != NULL;
}

bool file_save(const char *path, const void *bytes, size_t size, unsigned mode, struct fault *fault)
{
    struct output *output;
    if (!output_create(path, size, mode, &output, fault))
        return false;
    bool done = output_append(output, bytes, size, fault) && output_finish(output, NULL, 0, fault);
    output_destroy(output);
    return done;
}

enum path_kind path_kind(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return PATH_NONE;
    return S_ISDIR(status.st_mode) ? PATH_FOLDER : PATH_FILE;
}

bool path_is_broken_link(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISLNK(status.st_mode) && stat(path, &status) != 0;
}

bool path_link(const char *path, char *target, size_t size)
{
    ssize_t length = readlink(path, target, size);
    bool whole = length >= 0 && (size_t)length < size;
    target[whole ? (size_t)length : 0] = 0;
    return whole;
}

bool path_whole(const char *path, char *whole, size_t size)
{
    char *found = realpath(path, NULL);
    bool fits = found && strlen(found) < size;
    strcpy(whole, fits ? found : "");
    free(found);
    return fits;
}

bool path_is_regular(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

bool path_check_output(const char *path, struct fault *fault)
{
    const char *slash = strrchr(path, '/');
    if (path_kind(path) == PATH_FOLDER)
        return fault_set(fault, FAULT_ARGUMENT, "%s: is a folder; name a file in it", path);
    if (path_kind(path) == PATH_FILE && !path_is_regular(path))
        return true; /* a device or a pipe, which is written where it is */
    char *folder = slash == path ? strdup("/")
                   : slash       ? strndup(path, (size_t)(slash - path))
                                 : strdup(".");
    if (!folder)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to write it", path);
    enum path_kind kind = path_kind(folder);
    bool done = kind == PATH_FOLDER ||
                fault_set(fault, FAULT_FILE, "%s: cannot be written: %s %s", path, folder,
                          kind == PATH_NONE ? "does not exist; create that folder first"
                                            : "is a file, not a folder");
    if (done && access(folder, W_OK | X_OK) != 0)
        done = platform_fault(path, "cannot be written in its folder", fault);
    free(folder);
    return done;
}

bool path_same(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

bool folder_create(const char *path, struct fault *fault)
{
    char *name = strdup(path);
    if (!name)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to create the folder", path);
    bool done = *path != 0 || fault_set(fault, FAULT_ARGUMENT, "the name of a folder is empty");
    /* Each parent in turn: the path is cut at every '/' but a leading one, and at its end. */
    for (char *end = name; done && *end; end++) {
        if (end[1] != '/' && end[1] != 0)
            continue;
        char after = end[1];
        end[1] = 0;
        if (mkdir(name, 0777) != 0 && path_kind(name) != PATH_FOLDER)
            done = platform_fault(name, "cannot create the folder", fault);
        end[1] = after;
    }
    free(name);
    return done;
}

void folder_list(const char *path, bool (*visit)(void *context, const char *name), void *context)
{
    DIR *folder = opendir(path);
    if (!folder)
        return;
    struct dirent *entry;
    while ((entry = readdir(folder)) && visit(context, entry->d_name))
        ;
    closedir(folder);
}

uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint32_t processor_count(void)
{
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof usable, &usable) == 0) {
        int count = CPU_COUNT(&usable);
        return count > 0 ? (uint32_t)count : 1;
    }
    /* more processors than cpu_set_t holds */
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (uint32_t)count : 1;
}
