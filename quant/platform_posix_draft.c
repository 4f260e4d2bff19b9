/* platform_posix_draft.c: drafts on Linux. */
#define _GNU_SOURCE /* flock, sync_file_range */
#include "draft.h"
#include "platform_file.h"
#include "platform_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct draft {
    int descriptor; /* -1 when closed */
    char path[];
};

static bool lock(const struct draft *draft, struct fault *fault)
{
    int result;
    do
        result = flock(draft->descriptor, LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR);
    if (result == 0 || errno == ENOLCK || errno == EOPNOTSUPP || errno == EINVAL)
        return true; /* a file system without locks */
    if (errno == EWOULDBLOCK)
        return fault_set(fault, FAULT_FILE, "%s: another program is writing it", draft->path);
    return platform_fault(draft->path, "cannot lock", fault);
}

static bool is_regular(const struct draft *draft, struct fault *fault)
{
    struct stat status;
    if (fstat(draft->descriptor, &status) != 0)
        return platform_fault(draft->path, "cannot open", fault);
    return S_ISREG(status.st_mode) ||
           fault_set(fault, FAULT_FILE, "%s: is not a regular file", draft->path);
}

/* *created: the file is new. */
static int open_or_create(const char *path, unsigned mode, bool *created)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int descriptor;
    do {
        descriptor = open(path, flags | O_CREAT | O_EXCL, (mode_t)mode);
        *created = descriptor >= 0;
        if (descriptor < 0 && errno == EEXIST)
            descriptor = open(path, flags);
    } while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

bool draft_open(const char *path, bool keep, unsigned mode, struct draft **out, struct fault *fault)
{
    *out = NULL;
    bool created = false;
    size_t size = strlen(path) + 1;
    struct draft *draft = malloc(sizeof *draft + size);
    if (!draft)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to write it", path);
    memcpy(draft->path, path, size);
    draft->descriptor = open_or_create(path, mode, &created);
    if (draft->descriptor < 0)
        platform_fault(path, "cannot create", fault);
    else if (is_regular(draft, fault) && lock(draft, fault) &&
             (keep || descriptor_cut(draft->descriptor, path, 0, fault))) {
        *out = draft;
        return true;
    }
    if (created)
        draft_remove(draft);
    else
        draft_close(draft);
    return false;
}

void draft_close(struct draft *draft)
{
    if (!draft)
        return;
    if (draft->descriptor >= 0)
        close(draft->descriptor);
    free(draft);
}

void draft_remove(struct draft *draft)
{
    if (draft)
        unlink(draft->path);
    draft_close(draft);
}

uint64_t draft_size(const struct draft *draft)
{
    struct stat status;
    return fstat(draft->descriptor, &status) == 0 ? (uint64_t)status.st_size : 0;
}

bool draft_reserve(struct draft *draft, uint64_t size, struct fault *fault)
{
    if (size > INT64_MAX)
        return fault_set(fault, FAULT_FILE, "%s: %llu bytes are more than a file can hold",
                         draft->path, (unsigned long long)size);
    return descriptor_reserve(draft->descriptor, draft->path, size, fault) &&
           descriptor_cut(draft->descriptor, draft->path, size, fault);
}

bool draft_cut(struct draft *draft, uint64_t size, struct fault *fault)
{
    return descriptor_cut(draft->descriptor, draft->path, size, fault);
}

bool draft_write(struct draft *draft, uint64_t offset, const void *bytes, size_t size,
                 struct fault *fault)
{
    return descriptor_write(draft->descriptor, draft->path, offset, bytes, size, fault);
}

bool draft_read(const struct draft *draft, uint64_t offset, void *dst, size_t size,
                struct fault *fault)
{
    char *next = dst;
    while (size > 0) {
        ssize_t got = pread(draft->descriptor, next, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return platform_fault(draft->path, "cannot read again", fault);
        if (got == 0)
            return fault_set(fault, FAULT_FILE, "%s: ends at byte %llu, expected %zu bytes more",
                             draft->path, (unsigned long long)offset, size);
        next += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

void draft_flush(struct draft *draft, uint64_t offset, uint64_t size)
{
    (void)sync_file_range(draft->descriptor, (off_t)offset, (off_t)size, SYNC_FILE_RANGE_WRITE);
}

bool draft_sync(struct draft *draft, struct fault *fault)
{
    return descriptor_sync(draft->descriptor, draft->path, fault);
}

bool draft_publish(struct draft *draft, const char *path, struct fault *fault)
{
    if (rename(draft->path, path) != 0)
        return platform_fault(path, "cannot rename the part file", fault);
    return folder_sync(path, fault);
}
