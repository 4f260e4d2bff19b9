/* merge.h: joins neighbouring symbols, the pair with the lowest rank first and of equal ranks the
 * leftmost, until no pair can be joined: the loop of byte-level BPE and of SentencePiece's BPE.
 * A heap of (rank, left symbol) makes it O(n log n). */
#ifndef LICHEN_MERGE_H
#define LICHEN_MERGE_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

enum { MERGE_END = -1 };

struct symbol {
    int32_t id;             /* token, -1 = none yet */
    int32_t start, size;    /* bytes of the text; size 0 = joined to a symbol on its left */
    int32_t previous, next; /* symbols, MERGE_END */
};

struct merger {             /* scratch for one call; init by zeroing */
    struct symbol *symbols; /* [capacity] */
    uint64_t *heap;         /* [3 * capacity], rank << 32 | left */
    size_t count;           /* symbols */
    size_t heap_count;
    size_t capacity;
};

/* Room for count symbols; the symbols there were are gone. */
bool merger_begin(struct merger *merger, size_t count, struct fault *fault);
void merger_free(struct merger *merger);
void merger_push(struct merger *merger, int32_t id, size_t start, size_t size);
/* pair: true when left and right can be joined, with the rank (below 2^31) and the id of the whole.
 * It must always answer the same for the same two symbols. Symbol 0 is the first afterwards. */
void merger_run(struct merger *merger,
                bool (*pair)(const void *context, const struct symbol *left,
                             const struct symbol *right, uint32_t *rank, int32_t *id),
                const void *context);

#endif
