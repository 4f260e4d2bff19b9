/* bench_memory.c: what reading host memory reaches: the bar for a device that lives in it. */
#include "bench_speed.h"
#include "parallel.h"
#include "platform.h"
#include <stdlib.h>

enum { WORDS = 256 << 17, PIECES = 256, PIECE = WORDS / PIECES, RUNS = 5 };

struct memory {
    uint64_t *words;       /* [WORDS] */
    uint64_t sums[PIECES]; /* keeps the reads from being left out */
};

static void fill_piece(void *context, uint32_t item, uint32_t thread)
{
    struct memory *memory = context;
    uint64_t *words = memory->words + (size_t)item * PIECE;
    (void)thread;
    for (size_t i = 0; i < PIECE; i++)
        words[i] = i * 0x9E3779B97F4A7C15u;
}

static void read_piece(void *context, uint32_t item, uint32_t thread)
{
    struct memory *memory = context;
    const uint64_t *words = memory->words + (size_t)item * PIECE;
    uint64_t sums[8] = {0};
    (void)thread;
    for (size_t i = 0; i < PIECE; i += 8)
        for (size_t k = 0; k < 8; k++)
            sums[k] += words[i + k];
    for (size_t k = 0; k < 8; k++)
        memory->sums[item] += sums[k];
}

bool bench_memory(uint32_t threads, double *bandwidth, struct fault *fault)
{
    struct memory memory = {.words = malloc((size_t)WORDS * 8)};
    struct parallel *parallel = NULL;
    if (!memory.words)
        return fault_set(fault, FAULT_MEMORY, "out of memory to measure the memory bandwidth");
    bool done = parallel_create(threads ? threads : processor_count(), &parallel, fault);
    *bandwidth = 0;
    if (done)
        parallel_for(parallel, PIECES, fill_piece, &memory);
    for (int i = 0; done && i < RUNS; i++) {
        uint64_t begin = clock_ns();
        parallel_for(parallel, PIECES, read_piece, &memory);
        double rate = (double)WORDS * 8e9 / (double)(clock_ns() - begin);
        *bandwidth = rate > *bandwidth ? rate : *bandwidth;
    }
    parallel_destroy(parallel);
    free(memory.words);
    return done;
}
