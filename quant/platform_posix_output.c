/* platform_posix_output.c: whole-or-nothing output: a part file beside the target, reserved up
 * front, synced before and after its first bytes, renamed, the folder synced. */
#include "platform_output.h"
#include "platform_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct output {
    int descriptor; /* -1 when closed */
    bool present;   /* the part file exists and is ours */
    uint64_t end;   /* bytes appended */
    char *path;     /* owned */
    char *part;     /* owned */
};

bool platform_fault(const char *path, const char *doing, struct fault *fault)
{
    int error = errno;
    char reason[128] = "";
    strerror_r(error, reason, sizeof reason);
    return fault_set(fault, error == ENOMEM ? FAULT_MEMORY : FAULT_FILE, "%s: %s: %s", path, doing,
                     reason);
}

static bool disk_full(const char *path, uint64_t size, uint64_t left, struct fault *fault)
{
    return fault_set(fault, FAULT_FILE, "%s: needs %.1f MB, the disk has %.1f MB free", path,
                     (double)size / 1e6, (double)left / 1e6);
}

bool descriptor_reserve(int descriptor, const char *path, uint64_t size, struct fault *fault)
{
    if (size == 0)
        return true;
    /* Asked first: some file systems fill the disk to its end before they say no. */
    struct statvfs status;
    struct stat file;
    uint64_t left = UINT64_MAX, have = 0;
    if (fstatvfs(descriptor, &status) == 0 &&
        __builtin_mul_overflow((uint64_t)status.f_bavail, (uint64_t)status.f_frsize, &left))
        left = UINT64_MAX;
    if (fstat(descriptor, &file) == 0)
        have = (uint64_t)file.st_blocks * 512; /* reserved already */
    if (size > have && size - have > left)
        return disk_full(path, size - have, left, fault);
    int error;
    do
        error = posix_fallocate(descriptor, 0, (off_t)size);
    while (error == EINTR);
    /* A file system that cannot reserve is told at each write instead. */
    if (error == 0 || error == EOPNOTSUPP || error == EINVAL || error == ENOSYS)
        return true;
    if (error == ENOSPC)
        return disk_full(path, size, left, fault);
    errno = error;
    return platform_fault(path, "cannot reserve its size", fault);
}

bool descriptor_write(int descriptor, const char *path, uint64_t offset, const void *bytes,
                      size_t size, struct fault *fault)
{
    const char *next = bytes;
    while (size > 0) {
        ssize_t put = pwrite(descriptor, next, size, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            if (put == 0)
                errno = EIO;
            return platform_fault(path, "cannot write", fault);
        }
        next += put;
        offset += (uint64_t)put;
        size -= (size_t)put;
    }
    return true;
}

static int sync_retried(int descriptor)
{
    int result;
    do
        result = fsync(descriptor);
    while (result != 0 && errno == EINTR);
    return result;
}

bool descriptor_sync(int descriptor, const char *path, struct fault *fault)
{
    return sync_retried(descriptor) == 0 || platform_fault(path, "cannot make it durable", fault);
}

bool descriptor_cut(int descriptor, const char *path, uint64_t size, struct fault *fault)
{
    int result;
    do
        result = ftruncate(descriptor, (off_t)size);
    while (result != 0 && errno == EINTR);
    return result == 0 || platform_fault(path, "cannot set its size", fault);
}

bool folder_sync(const char *path, struct fault *fault)
{
    const char *slash = strrchr(path, '/');
    char *folder = strdup(slash ? path : ".");
    if (!folder)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to write it", path);
    if (slash)
        folder[slash - path + 1] = 0;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (descriptor < 0)
        return platform_fault(path, "cannot open its folder", fault);
    /* EINVAL: a file system whose folders need no sync */
    bool done = sync_retried(descriptor) == 0 || errno == EINVAL ||
                platform_fault(path, "cannot make its folder durable", fault);
    close(descriptor);
    return done;
}

static bool output_fault(const struct output *output, const char *doing, struct fault *fault)
{
    return platform_fault(output->path, doing, fault);
}

/* A number behind the pid: in a container each run may have the same pid, and what a killed run
 * left behind must not stop the next one. */
static bool open_part(struct output *output, unsigned mode, struct fault *fault)
{
    size_t size = strlen(output->path) + 64;
    output->part = malloc(size);
    if (!output->part)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to write it", output->path);
    long pid = (long)getpid();
    snprintf(output->part, size, "%s.part-%ld", output->path, pid);
    for (int i = 1; i <= 100; i++) {
        output->descriptor =
            open(output->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
        if (output->descriptor >= 0) {
            output->present = true;
            return true;
        }
        if (errno != EEXIST && errno != EINTR)
            break;
        if (errno == EEXIST)
            snprintf(output->part, size, "%s.part-%ld-%d", output->path, pid, i);
    }
    return output_fault(output, "cannot create a part file beside it", fault);
}

bool output_create(const char *path, uint64_t size, unsigned mode, struct output **out,
                   struct fault *fault)
{
    *out = NULL;
    struct output *output = calloc(1, sizeof *output);
    if (!output)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to write it", path);
    output->descriptor = -1;
    output->path = strdup(path);
    if (!output->path)
        fault_set(fault, FAULT_MEMORY, "%s: no memory to write it", path);
    else if (size > INT64_MAX)
        fault_set(fault, FAULT_FILE, "%s: %llu bytes are more than a file can hold", path,
                  (unsigned long long)size);
    else if (open_part(output, mode, fault) &&
             descriptor_reserve(output->descriptor, output->path, size, fault)) {
        *out = output;
        return true;
    }
    output_destroy(output);
    return false;
}

bool output_append(struct output *output, const void *bytes, size_t size, struct fault *fault)
{
    if (!descriptor_write(output->descriptor, output->path, output->end, bytes, size, fault))
        return false;
    output->end += size;
    return true;
}

static bool close_part(struct output *output, struct fault *fault)
{
    int descriptor = output->descriptor;
    output->descriptor = -1;
    /* EINTR: Linux has closed the descriptor all the same */
    return close(descriptor) == 0 || errno == EINTR || output_fault(output, "cannot close", fault);
}

bool output_finish(struct output *output, const void *first, size_t size, struct fault *fault)
{
    int descriptor = output->descriptor;
    if (!descriptor_cut(descriptor, output->path, output->end, fault) ||
        !descriptor_sync(descriptor, output->path, fault))
        return false;
    if (size > 0 && (!descriptor_write(descriptor, output->path, 0, first, size, fault) ||
                     !descriptor_sync(descriptor, output->path, fault)))
        return false;
    if (!close_part(output, fault))
        return false;
    if (rename(output->part, output->path) != 0)
        return output_fault(output, "cannot rename the part file", fault);
    output->present = false;
    return folder_sync(output->path, fault);
}

void output_destroy(struct output *output)
{
    if (!output)
        return;
    if (output->descriptor >= 0)
        close(output->descriptor);
    if (output->present)
        unlink(output->part);
    free(output->path);
    free(output->part);
    free(output);
}
