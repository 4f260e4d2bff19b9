/* platform_output.h: a file that appears under its name only when whole. Internal to quant/: the
 * outside uses file_save or gguf_writer. An output is one thread's. */
#ifndef LICHEN_PLATFORM_OUTPUT_H
#define LICHEN_PLATFORM_OUTPUT_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

struct output;

/* Creates PATH.part-<pid> beside path and reserves size bytes, so that a disk too small fails now.
 * mode as for open. */
bool output_create(const char *path, uint64_t size, unsigned mode, struct output **out,
                   struct fault *fault);
/* Writes at the end of what was written. */
bool output_append(struct output *output, const void *bytes, size_t size, struct fault *fault);
/* Makes what was appended durable, then puts the first bytes in their place (size 0: nothing to
 * put), makes that durable too and renames to path, replacing a file there. */
bool output_finish(struct output *output, const void *first, size_t size, struct fault *fault);
/* Frees, and removes the part file unless finished. NULL is allowed. */
void output_destroy(struct output *output);

/* "PATH: DOING: the reason in errno". Always returns false. */
bool platform_fault(const char *path, const char *doing, struct fault *fault);

#endif
