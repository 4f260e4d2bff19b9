/* top.c: k entries are kept as a heap whose root is the worst of them; a better one replaces it. In
 * the end the heap is taken apart, worst first. */
#include "top.h"

struct heap {
    int32_t *ids;
    float *values;
    uint32_t count;
};

static bool worse(const struct heap *heap, uint32_t a, uint32_t b)
{
    if (heap->values[a] != heap->values[b])
        return heap->values[a] < heap->values[b];
    return heap->ids[a] > heap->ids[b];
}

static void heap_swap(struct heap *heap, uint32_t a, uint32_t b)
{
    float value = heap->values[a];
    int32_t id = heap->ids[a];
    heap->values[a] = heap->values[b];
    heap->ids[a] = heap->ids[b];
    heap->values[b] = value;
    heap->ids[b] = id;
}

static void heap_sink(struct heap *heap, uint32_t i)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= heap->count)
            return;
        if (child + 1 < heap->count && worse(heap, child + 1, child))
            child++;
        if (!worse(heap, child, i))
            return;
        heap_swap(heap, child, i);
        i = child;
    }
}

static void heap_sort(struct heap *heap)
{
    while (heap->count > 1) {
        heap->count--;
        heap_swap(heap, 0, heap->count);
        heap_sink(heap, 0);
    }
}

bool top_select(const float *logits, uint32_t count, uint32_t k, int32_t *ids, float *values,
                struct fault *fault)
{
    struct heap heap = {ids, values, k};
    for (uint32_t i = 0; i < count; i++) {
        if (logits[i] != logits[i])
            return fault_set(fault, FAULT_FORMAT, "the logit of token %u is not a number", i);
        if (i < k) {
            ids[i] = (int32_t)i;
            values[i] = logits[i];
            if (i + 1 == k)
                for (uint32_t j = k / 2; j-- > 0;)
                    heap_sink(&heap, j);
        } else if (logits[i] > values[0]) {
            ids[0] = (int32_t)i;
            values[0] = logits[i];
            heap_sink(&heap, 0);
        }
    }
    heap_sort(&heap);
    return true;
}
