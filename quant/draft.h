/* draft.h: a file that is being made and stays on the disk when the program dies, so that work can
 * go on with it. Written and read at offsets; locked against a second writer; put under its final
 * name by draft_publish. Writing is one thread's, reading is thread-safe. */
#ifndef LICHEN_DRAFT_H
#define LICHEN_DRAFT_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

struct draft;

/* Creates path (mode as for open) or opens what is there: keep = as it is, else emptied. A link
 * there, or another program's lock on it, is a fault. */
bool draft_open(const char *path, bool keep, unsigned mode, struct draft **out,
                struct fault *fault);
void draft_close(struct draft *draft);  /* the file stays; NULL is allowed */
void draft_remove(struct draft *draft); /* close, and the file goes; NULL is allowed */

uint64_t draft_size(const struct draft *draft); /* bytes the file has now; 0 when unknown */
/* Reserves size bytes of the disk, so that one too small fails now: "needs X, the disk has Y". A
 * longer file is cut to size. */
bool draft_reserve(struct draft *draft, uint64_t size, struct fault *fault);
bool draft_cut(struct draft *draft, uint64_t size, struct fault *fault);
bool draft_write(struct draft *draft, uint64_t offset, const void *bytes, size_t size,
                 struct fault *fault);
bool draft_read(const struct draft *draft, uint64_t offset, void *dst, size_t size,
                struct fault *fault);
/* A hint: begin to write these bytes to the disk, so that draft_sync has less to do. */
void draft_flush(struct draft *draft, uint64_t offset, uint64_t size);
bool draft_sync(struct draft *draft, struct fault *fault); /* what was written is durable */
/* Renames to path (replacing a file there) and makes that durable. Close it afterwards. */
bool draft_publish(struct draft *draft, const char *path, struct fault *fault);

#endif
