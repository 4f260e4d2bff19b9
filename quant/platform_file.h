/* platform_file.h: what platform_posix_output.c and platform_posix_draft.c share. Internal to
 * quant/. path is for faults. */
#ifndef LICHEN_PLATFORM_FILE_H
#define LICHEN_PLATFORM_FILE_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

bool descriptor_reserve(int descriptor, const char *path, uint64_t size, struct fault *fault);
bool descriptor_write(int descriptor, const char *path, uint64_t offset, const void *bytes,
                      size_t size, struct fault *fault);
bool descriptor_cut(int descriptor, const char *path, uint64_t size, struct fault *fault);
bool descriptor_sync(int descriptor, const char *path, struct fault *fault);
/* The folder that path lies in: a rename is durable only when the folder is. */
bool folder_sync(const char *path, struct fault *fault);

#endif
