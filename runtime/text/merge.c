/* merge.c: see merge.h. */
#include "merge.h"
#include "vocab.h"

#include <assert.h>
#include <stdlib.h>

bool merger_begin(struct merger *merger, size_t count, struct fault *fault)
{
    merger->count = 0;
    merger->heap_count = 0;
    if (count <= merger->capacity)
        return true;
    size_t capacity = count < 64 ? 64 : count;
    merger_free(merger);
    /* n - 1 pairs at first, and each of at most n - 1 joins adds two. */
    merger->symbols = malloc(capacity * sizeof *merger->symbols);
    merger->heap = malloc(3 * capacity * sizeof *merger->heap);
    if (!merger->symbols || !merger->heap) {
        merger_free(merger);
        return vocab_no_memory(fault);
    }
    merger->capacity = capacity;
    return true;
}

void merger_free(struct merger *merger)
{
    free(merger->symbols);
    free(merger->heap);
    *merger = (struct merger){0};
}

void merger_push(struct merger *merger, int32_t id, size_t start, size_t size)
{
    assert(merger->count < merger->capacity);
    int32_t at = (int32_t)merger->count++;
    merger->symbols[at] = (struct symbol){id, (int32_t)start, (int32_t)size, at - 1, MERGE_END};
    if (at > 0)
        merger->symbols[at - 1].next = at;
}

static void heap_push(struct merger *merger, uint64_t key)
{
    uint64_t *heap = merger->heap;
    size_t i = merger->heap_count++;
    assert(i < 3 * merger->capacity);
    for (; i > 0 && heap[(i - 1) / 2] > key; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = key;
}

static uint64_t heap_pop(struct merger *merger)
{
    uint64_t *heap = merger->heap, top = heap[0], last = heap[--merger->heap_count];
    size_t count = merger->heap_count, i = 0;
    for (size_t child = 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

void merger_run(struct merger *merger,
                bool (*pair)(const void *context, const struct symbol *left,
                             const struct symbol *right, uint32_t *rank, int32_t *id),
                const void *context)
{
    struct symbol *symbols = merger->symbols;
    uint32_t rank;
    int32_t id;
    for (int32_t i = 0; i + 1 < (int32_t)merger->count; i++)
        if (pair(context, &symbols[i], &symbols[i + 1], &rank, &id))
            heap_push(merger, (uint64_t)rank << 32 | (uint32_t)i);
    while (merger->heap_count > 0) {
        uint64_t key = heap_pop(merger);
        struct symbol *left = &symbols[(uint32_t)key];
        /* Out of date when the pair is no longer this one. A pair that is there now is in the heap
         * under its own key, so asking for the rank again is enough to know. */
        if (left->size == 0 || left->next == MERGE_END)
            continue;
        struct symbol *right = &symbols[left->next];
        if (!pair(context, left, right, &rank, &id) || rank != (uint32_t)(key >> 32))
            continue;
        left->id = id;
        left->size += right->size;
        left->next = right->next;
        right->size = 0;
        if (left->next != MERGE_END) {
            symbols[left->next].previous = (int32_t)(left - symbols);
            if (pair(context, left, &symbols[left->next], &rank, &id))
                heap_push(merger, (uint64_t)rank << 32 | (uint32_t)key);
        }
        if (left->previous != MERGE_END &&
            pair(context, &symbols[left->previous], left, &rank, &id))
            heap_push(merger, (uint64_t)rank << 32 | (uint32_t)left->previous);
    }
}
