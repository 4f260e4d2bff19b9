/* pipeline.c: batches of row blocks. While the team encodes one batch, whichever thread is first
 * writes the one before: item 0 of a batch is that, items 1 to n are its blocks. */
#include "pipeline.h"
#include "weighting.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_WEIGHTS = 1 << 18, /* of a block, unless one row has more */
    SLICE_WEIGHTS = 1 << 15, /* of what is read, hashed and encoded in one go: they stay in cache */
    REFINED_ROWS = 64,       /* of a block that is refined, at most; it is one slice */
    BATCH_BLOCKS = 64,       /* at most; 4 a thread */
    BLOCKS_A_THREAD = 4,
    FLUSH_SIZE = 8 << 20, /* bytes between two hints to the disk */
};

struct block {
    uint32_t tensor;
    uint64_t first_row;
    uint32_t rows;
    bool is_last; /* of its tensor */
    bool failed;
    uint8_t *bytes;       /* [block_size_max] */
    size_t size;          /* encoded, with the zeros behind a tensor's last */
    struct digest source; /* of its rows */
    struct encode_stats stats;
    struct fault fault;
};

struct batch {
    struct block blocks[BATCH_BLOCKS];
    uint32_t count;
};

struct pipeline {
    const struct pipeline_job *job;
    uint32_t batch_blocks;
    struct batch batches[2];
    uint32_t current;            /* batch that is being encoded; the other is being written */
    uint8_t *bytes;              /* of all blocks, owned */
    float **rows;                /* [thread_count], a slice, owned */
    struct digester **digesters; /* [thread_count], of a block's rows, owned */
    size_t block_size;           /* bytes a block has room for */
    struct weighting *weighting;
    /* the next block to be cut */
    uint32_t tensor;
    uint64_t row;
    /* the writer's: */
    struct digester *digester, *source; /* of the tensor being written, and of its weights */
    struct encode_stats stats;
    uint64_t offset;
    uint64_t flushed; /* what lies before it is on its way to the disk */
    bool failed;
    struct fault fault;
};

static const struct source *source_of(const struct pipeline *pipeline)
{
    return pipeline->job->options->source;
}

/* cutting */

static uint64_t block_rows(const struct pipeline *pipeline, uint32_t index)
{
    const struct source_tensor *tensor = source_tensor_at(source_of(pipeline), index);
    uint64_t rows = BLOCK_WEIGHTS / tensor->dims[0];
    if (rows > REFINED_ROWS && weighting_refines(pipeline->weighting, index))
        rows = REFINED_ROWS;
    rows = rows > 0 ? rows : 1;
    return rows < tensor->rows ? rows : tensor->rows;
}

static size_t row_size(const struct source_tensor *tensor, enum dtype dtype)
{
    const struct dtype_info *info = dtype_find(dtype);
    return (size_t)(tensor->dims[0] / info->block_weights * info->block_size);
}

static bool cut_block(struct pipeline *pipeline, struct block *block)
{
    const struct source *source = source_of(pipeline);
    if (pipeline->tensor >= source_tensor_count(source))
        return false;
    const struct source_tensor *tensor = source_tensor_at(source, pipeline->tensor);
    uint64_t rows = block_rows(pipeline, pipeline->tensor), left = tensor->rows - pipeline->row;
    block->tensor = pipeline->tensor;
    block->first_row = pipeline->row;
    block->rows = (uint32_t)(rows < left ? rows : left);
    block->is_last = rows >= left;
    block->failed = false;
    block->stats = (struct encode_stats){0};
    pipeline->row += block->rows;
    if (block->is_last) {
        pipeline->tensor++;
        pipeline->row = 0;
    }
    return true;
}

/* Blocks of one batch share what their weighting has loaded. */
static void cut_batch(struct pipeline *pipeline, struct batch *batch)
{
    batch->count = 0;
    while (batch->count < pipeline->batch_blocks &&
           (batch->count == 0 || pipeline->tensor >= source_tensor_count(source_of(pipeline)) ||
            weighting_same(pipeline->weighting, batch->blocks[0].tensor, pipeline->tensor)) &&
           cut_block(pipeline, &batch->blocks[batch->count]))
        batch->count++;
}

/* encoding, on every thread */

static void measure_kept(const float *rows, size_t count, struct encode_stats *stats)
{
    for (size_t i = 0; i < count; i++) {
        bool finite = rows[i] - rows[i] == 0;
        stats->nonfinite += !finite;
        stats->signal += finite ? (double)rows[i] * (double)rows[i] : 0;
    }
}

static uint32_t slice_rows(const struct pipeline *pipeline, uint32_t index)
{
    uint64_t rows = SLICE_WEIGHTS / source_tensor_at(source_of(pipeline), index)->dims[0];
    if (weighting_refines(pipeline->weighting, index))
        return REFINED_ROWS;
    return rows > 0 ? (uint32_t)rows : 1;
}

static bool encode_slice(struct pipeline *pipeline, struct block *block, uint64_t first_row,
                         uint32_t row_count, uint8_t *dst, uint32_t thread)
{
    float *rows = pipeline->rows[thread];
    const struct source *source = source_of(pipeline);
    const struct source_tensor *tensor = source_tensor_at(source, block->tensor);
    size_t count = (size_t)(row_count * tensor->dims[0]);
    if (!source_read(source, block->tensor, first_row, row_count, rows, &block->fault))
        return false;
    digester_add(pipeline->digesters[thread], rows, count * sizeof *rows);
    if (recipe_choice(pipeline->job->options->recipe, block->tensor)->dtype != tensor->lossless)
        return weighting_encode(pipeline->weighting, block->tensor, rows, row_count, thread, dst,
                                &block->stats, &block->fault);
    measure_kept(rows, count, &block->stats);
    return source_read_lossless(source, block->tensor, first_row, row_count, dst, &block->fault);
}

static bool encode_block(struct pipeline *pipeline, struct block *block, uint32_t thread)
{
    const struct source_tensor *tensor = source_tensor_at(source_of(pipeline), block->tensor);
    const struct recipe_choice *choice =
        recipe_choice(pipeline->job->options->recipe, block->tensor);
    uint32_t alignment = pipeline->job->alignment;
    uint32_t step = slice_rows(pipeline, block->tensor);
    size_t size = row_size(tensor, choice->dtype);
    digester_reset(pipeline->digesters[thread]);
    for (uint32_t row = 0; row < block->rows; row += step) {
        uint32_t left = block->rows - row;
        if (!encode_slice(pipeline, block, block->first_row + row, left < step ? left : step,
                          block->bytes + row * size, thread))
            return false;
    }
    block->source = digester_result(pipeline->digesters[thread]);
    block->size = block->rows * size;
    size_t zeros =
        block->is_last ? (size_t)((alignment - choice->size % alignment) % alignment) : 0;
    memset(block->bytes + block->size, 0, zeros);
    return true;
}

/* writing, on one thread at a time, in order */

static bool end_tensor(struct pipeline *pipeline, const struct block *block, struct fault *fault)
{
    const struct pipeline_job *job = pipeline->job;
    const char *name = source_tensor_at(source_of(pipeline), block->tensor)->name;
    struct journal_entry entry = {digester_result(pipeline->digester),
                                  digester_result(pipeline->source), pipeline->stats};
    if (entry.stats.nonfinite && !job->options->allow_nonfinite)
        return fault_set(fault, FAULT_FORMAT,
                         "tensor '%s': %llu of its weights are NaN or infinite; the checkpoint is "
                         "damaged, --allow-nonfinite converts it all the same (with 0 for them)",
                         name, (unsigned long long)entry.stats.nonfinite);
    digester_reset(pipeline->digester);
    digester_reset(pipeline->source);
    pipeline->stats = (struct encode_stats){0};
    return journal_add(job->journal, &entry, fault);
}

static void add_stats(struct encode_stats *sum, const struct encode_stats *stats)
{
    sum->error += stats->error;
    sum->signal += stats->signal;
    sum->nonfinite += stats->nonfinite;
    if (stats->error_max > sum->error_max)
        sum->error_max = stats->error_max;
}

static bool write_block(struct pipeline *pipeline, const struct block *block, struct fault *fault)
{
    const struct pipeline_job *job = pipeline->job;
    if (block->failed)
        return fault_set(fault, block->fault.kind, "%s", block->fault.text);
    uint64_t size = recipe_choice(job->options->recipe, block->tensor)->size;
    size_t zeros =
        block->is_last ? (size_t)((job->alignment - size % job->alignment) % job->alignment) : 0;
    if (block->first_row == 0)
        pipeline->offset = job->offsets[block->tensor];
    if (!draft_write(job->draft, pipeline->offset, block->bytes, block->size + zeros, fault))
        return false;
    pipeline->offset += block->size;
    digester_add(pipeline->digester, block->bytes, block->size);
    digester_add(pipeline->source, &block->source, sizeof block->source);
    add_stats(&pipeline->stats, &block->stats);
    return !block->is_last || end_tensor(pipeline, block, fault);
}

static void write_batch(struct pipeline *pipeline, const struct batch *batch)
{
    for (uint32_t i = 0; !pipeline->failed && i < batch->count; i++)
        pipeline->failed = !write_block(pipeline, &batch->blocks[i], &pipeline->fault);
    if (pipeline->offset < pipeline->flushed + FLUSH_SIZE)
        return;
    draft_flush(pipeline->job->draft, pipeline->flushed, pipeline->offset - pipeline->flushed);
    pipeline->flushed = pipeline->offset;
}

static void work(void *context, uint32_t item, uint32_t thread)
{
    struct pipeline *pipeline = context;
    if (item == 0) {
        write_batch(pipeline, &pipeline->batches[!pipeline->current]);
        return;
    }
    struct block *block = &pipeline->batches[pipeline->current].blocks[item - 1];
    block->failed = !encode_block(pipeline, block, thread);
}

/* the run */

static bool report(const struct pipeline *pipeline, struct fault *fault)
{
    const struct convert_options *options = pipeline->job->options;
    const struct source *source = options->source;
    uint32_t count = source_tensor_count(source);
    bool over = pipeline->tensor >= count;
    struct convert_progress progress = {
        .bytes_done = over ? pipeline->job->total : pipeline->job->offsets[pipeline->tensor],
        .bytes_total = pipeline->job->total,
        .tensor = source_tensor_at(source, over ? count - 1 : pipeline->tensor)->name,
    };
    return !options->progress || options->progress(options->context, &progress) ||
           fault_set(fault, FAULT_CANCELLED, "interrupted");
}

static bool run_batches(struct pipeline *pipeline, struct fault *fault)
{
    const struct parallel *team = pipeline->job->team;
    for (;;) {
        struct batch *batch = &pipeline->batches[pipeline->current];
        cut_batch(pipeline, batch);
        if (batch->count > 0 &&
            !weighting_prepare(pipeline->weighting, batch->blocks[0].tensor, fault))
            return false;
        const struct batch *before = &pipeline->batches[!pipeline->current];
        if (batch->count == 0 && before->count == 0)
            return true;
        parallel_for((struct parallel *)team, batch->count + 1, work, pipeline);
        if (pipeline->failed)
            return fault_set(fault, pipeline->fault.kind, "%s", pipeline->fault.text);
        if (before->count > 0 && !report(pipeline, fault))
            return false;
        pipeline->current = !pipeline->current;
        pipeline->batches[pipeline->current].count = 0;
    }
}

/* Room for the largest block, and for as many blocks as the threads keep busy. */
static bool make_room(struct pipeline *pipeline, struct fault *fault)
{
    const struct source *source = source_of(pipeline);
    uint32_t threads = parallel_thread_count(pipeline->job->team);
    size_t floats = 0;
    for (uint32_t i = 0; i < source_tensor_count(source); i++) {
        const struct source_tensor *tensor = source_tensor_at(source, i);
        size_t rows = (size_t)block_rows(pipeline, i);
        size_t size =
            rows * row_size(tensor, recipe_choice(pipeline->job->options->recipe, i)->dtype);
        if (size + pipeline->job->alignment > pipeline->block_size)
            pipeline->block_size = size + pipeline->job->alignment;
        rows = rows < slice_rows(pipeline, i) ? rows : slice_rows(pipeline, i);
        if (rows * tensor->dims[0] > floats)
            floats = rows * (size_t)tensor->dims[0];
    }
    uint32_t wanted = threads * BLOCKS_A_THREAD;
    pipeline->batch_blocks = wanted < BATCH_BLOCKS ? wanted : BATCH_BLOCKS;
    pipeline->bytes = calloc(2 * (size_t)pipeline->batch_blocks, pipeline->block_size);
    pipeline->rows = calloc(threads, sizeof *pipeline->rows);
    pipeline->digesters = calloc(threads, sizeof *pipeline->digesters);
    bool done = pipeline->bytes && pipeline->rows && pipeline->digesters;
    for (uint32_t i = 0; done && i < threads; i++)
        done = (pipeline->rows[i] = malloc(floats * sizeof(float))) != NULL &&
               digester_create(&pipeline->digesters[i], NULL);
    for (uint32_t i = 0; done && i < 2 * pipeline->batch_blocks; i++)
        pipeline->batches[i % 2].blocks[i / 2].bytes = pipeline->bytes + i * pipeline->block_size;
    return done || fault_set(fault, FAULT_MEMORY, "no memory for blocks of %zu weights", floats);
}

bool pipeline_run(const struct pipeline_job *job, struct fault *fault)
{
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline)
        return fault_set(fault, FAULT_MEMORY, "no memory to convert");
    pipeline->job = job;
    pipeline->tensor = journal_count(job->journal);
    bool done = weighting_create(job->options, parallel_thread_count(job->team),
                                 &pipeline->weighting, fault) &&
                make_room(pipeline, fault) && digester_create(&pipeline->digester, fault) &&
                digester_create(&pipeline->source, fault) && run_batches(pipeline, fault);
    digester_destroy(pipeline->source);
    digester_destroy(pipeline->digester);
    weighting_destroy(pipeline->weighting);
    for (uint32_t i = 0; i < parallel_thread_count(job->team); i++) {
        if (pipeline->rows)
            free(pipeline->rows[i]);
        if (pipeline->digesters)
            digester_destroy(pipeline->digesters[i]);
    }
    free(pipeline->digesters);
    free(pipeline->rows);
    free(pipeline->bytes);
    free(pipeline);
    return done;
}
