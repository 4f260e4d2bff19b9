/* platform.h: everything that needs the operating system; platform_posix*.c are the only files of
 * quant/ that include its headers. Files are read by pread, so a truncated file is a fault and
 * never a signal. Thread-safe. */
#ifndef LICHEN_PLATFORM_H
#define LICHEN_PLATFORM_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

struct file; /* an open file */

/* Opens for reading. The fault names path and the system's reason. */
bool file_open(const char *path, struct file **out, struct fault *fault);
void file_close(struct file *file); /* NULL is allowed */
uint64_t file_size(const struct file *file);
const char *file_path(const struct file *file);
/* Reads exactly size bytes at offset, retrying short reads and EINTR; a shorter file is a fault. */
bool file_read(struct file *file, uint64_t offset, void *dst, size_t size, struct fault *fault);

/* Whole small file (at most limit bytes) as malloc'd bytes with a NUL behind them. */
bool file_load(const char *path, size_t limit, char **bytes, size_t *size, struct fault *fault);
/* All or nothing: writes path.part-<pid>, fsync, rename, fsync of the folder. mode e.g. 0600. */
bool file_save(const char *path, const void *bytes, size_t size, unsigned mode,
               struct fault *fault);
enum path_kind { PATH_NONE, PATH_FILE, PATH_FOLDER }; /* PATH_NONE: nothing that can be looked at */
enum path_kind path_kind(const char *path);           /* of what a link leads to */
bool path_is_regular(const char *path);
bool path_is_broken_link(const char *path); /* a link that leads to nothing */
/* What a link says, NUL-terminated; false, and empty, when it is none or longer. */
bool path_link(const char *path, char *target, size_t size);
/* The absolute path without links and dots; false, and empty, when there is none or it is longer.
 */
bool path_whole(const char *path, char *whole, size_t size);
/* True when path may become a file: the folder that it is to stand in exists, and it is not itself
 * a folder. The fault says which, and names both. */
bool path_check_output(const char *path, struct fault *fault);
bool path_same(const char *a, const char *b);              /* both lead to one file */
bool folder_create(const char *path, struct fault *fault); /* with parents; existing is success */
/* Calls visit for the name of each entry until it returns false. No folder: no entry. */
void folder_list(const char *path, bool (*visit)(void *context, const char *name), void *context);

uint64_t clock_ns(void);         /* monotonic */
uint32_t processor_count(void);  /* usable by this process, >= 1 */
uint64_t memory_available(void); /* bytes of host memory that could be used now; 0 = unknown */
/* The same from a machine's /proc and the mount of its control groups (v2): the least of what the
 * machine has and what the limits of this process's groups leave. */
uint64_t memory_available_in(const char *proc, const char *groups);

#endif
