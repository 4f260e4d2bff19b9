/* journal.h: what of a part file is already whole, for --resume. A text file beside it:
 *
 *   lichen convert journal 1        the head: what the file is made from, one fact a line; work can
 *   version 0.1.0                   go on only where all of them are still the same
 *   source HASH SIZE PATH
 *   ...
 *   begin HASH                      of the head
 *   tensor INDEX HASH SOURCE NONFINITE ERROR SIGNAL MAX CHECK     in order; numbers in hexadecimal
 *
 * A line is valid when it ends and its check is right, so a torn one counts as not written. Nothing
 * here is synced: what the part file holds is compared with the hashes before it is believed. */
#ifndef LICHEN_JOURNAL_H
#define LICHEN_JOURNAL_H

#include "digest.h"
#include "encode.h"

struct journal;

struct journal_entry {
    struct digest digest; /* of the tensor's bytes */
    struct digest source; /* of the float32 weights that they were made of (pipeline.h) */
    struct encode_stats stats;
};

/* head: lines "NAME VALUE\n". keep: reads what an earlier run wrote; *count entries (at most
 * `limit`), journal's; another head is a fault that names what changed. Without a valid head, or
 * with keep false, it is begun anew. */
bool journal_open(const char *path, const char *head, bool keep, uint32_t limit,
                  struct journal **out, struct fault *fault);
void journal_close(struct journal *journal);  /* the file stays; NULL is allowed */
void journal_remove(struct journal *journal); /* the file goes; NULL is allowed */

uint32_t journal_count(const struct journal *journal);
const struct journal_entry *journal_at(const struct journal *journal, uint32_t tensor);
bool journal_cut(struct journal *journal, uint32_t count, struct fault *fault); /* keeps count */
/* The next tensor is on the disk, whole. */
bool journal_add(struct journal *journal, const struct journal_entry *entry, struct fault *fault);

#endif
