/* loss_run.c: the lock-step. */
#include "loss_run.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct run {
    struct loss_streams *streams;
    const struct loss_run_options *options;
    struct loss_series *series;
    struct loss_progress progress;
    int32_t *tokens; /* [ctx], the window */
    uint32_t chunk;  /* window's number */
    struct loss_window window;
    uint32_t position;                                         /* of the first row held */
    size_t stream;                                             /* whose rows are held */
    double nll_sum[LOSS_STREAM_MAX], kld_sum[LOSS_STREAM_MAX]; /* over the chunks done */
};

/* Does stream i run this window? */
static bool runs(const struct loss_streams *streams, size_t i, uint32_t chunk)
{
    uint32_t limit = streams->items[i].variant.chunks_max;
    return !limit || chunk < limit;
}

static bool series_init(struct loss_series *series, const struct loss_windows *windows,
                        const struct loss_streams *streams, struct fault *fault)
{
    size_t count = loss_windows_scored(windows, windows->chunks);
    *series = (struct loss_series){.windows = *windows};
    series->base = calloc(count, sizeof *series->base);
    bool got = series->base != NULL;
    for (size_t i = 1; got && i < streams->count; i++) {
        series->tokens[i] = calloc(count, sizeof *series->tokens[i]);
        got = series->tokens[i] != NULL;
    }
    return got || fault_set(fault, FAULT_MEMORY, "out of memory for figures of %zu tokens", count);
}

void loss_series_free(struct loss_series *series)
{
    free(series->base);
    for (size_t i = 0; i < LOSS_STREAM_MAX; i++)
        free(series->tokens[i]);
    memset(series, 0, sizeof *series);
}

/* ---- one piece: the same rows of all streams, one after the other ---- */

static void compare_row(void *context, uint32_t item, uint32_t thread)
{
    (void)thread;
    struct run *run = context;
    struct loss_streams *streams = run->streams;
    uint32_t vocab = streams->vocab, position = run->position + item;
    size_t at = run->window.at + position - run->window.first;
    int32_t target = run->tokens[position + 1];
    const struct loss_stream *base = &streams->items[0], *stream = &streams->items[run->stream];
    const float *base_row = base->rows + (size_t)item * vocab;
    const float *row = stream->rows + (size_t)item * vocab;
    loss_row_read(row, vocab, stream->file != NULL, &stream->about[item]);
    if (run->stream == 0)
        loss_row_score(row, &stream->about[item], target, &run->series->base[at]);
    else
        loss_row_compare(base_row, &base->about[item], row, &stream->about[item], vocab, target,
                         &run->series->tokens[run->stream][at]);
}

static bool check_rows(const struct run *run, uint32_t count, struct fault *fault)
{
    const struct loss_stream *stream = &run->streams->items[run->stream];
    for (uint32_t row = 0; row < count; row++)
        if (!stream->about[row].finite)
            return fault_set(fault, FAULT_FORMAT,
                             "%s: its logits are no numbers at token %u of window %u: the file or "
                             "the device is broken (lichen loss with device=cpu tells which)",
                             stream->variant.path, (unsigned)(run->position + row),
                             (unsigned)run->chunk);
    return true;
}

static bool write_rows(const struct run *run, uint32_t count, struct fault *fault)
{
    const struct loss_stream *base = &run->streams->items[0];
    for (uint32_t i = 0; run->options->writer && i < count; i++)
        if (!loss_logits_append(run->options->writer, base->rows + (size_t)i * run->streams->vocab,
                                &base->about[i], fault))
            return false;
    return true;
}

static bool report_progress(struct run *run, uint64_t tokens, struct fault *fault)
{
    run->progress.done += tokens;
    return !run->options->progress ||
           run->options->progress(run->options->context, &run->progress) ||
           fault_set(fault, FAULT_CANCELLED, "interrupted");
}

static bool run_piece(struct run *run, uint32_t count, struct fault *fault)
{
    uint32_t first = run->window.first;
    bool begins = run->position == first;
    uint64_t fed = count + (begins ? first : 0);
    for (run->stream = 0; run->stream < run->streams->count; run->stream++) {
        struct loss_stream *stream = &run->streams->items[run->stream];
        if (!runs(run->streams, run->stream, run->chunk))
            continue;
        if (begins)
            loss_stream_begin(stream);
        if (!loss_stream_rows(run->streams, stream, run->tokens, run->chunk, first, run->position,
                              count, fault) ||
            !report_progress(run, fed, fault))
            return false;
        parallel_for(run->options->parallel, count, compare_row, run);
        if (!check_rows(run, count, fault))
            return false;
    }
    return write_rows(run, count, fault);
}

/* ---- windows ---- */

static void running_figures(struct run *run)
{
    const struct loss_series *series = run->series;
    size_t first = run->window.at, end = first + run->window.scored;
    for (size_t i = 0; i < run->streams->count; i++) {
        if (!runs(run->streams, i, run->chunk))
            continue;
        for (size_t k = first; k < end; k++) {
            run->nll_sum[i] += i ? series->tokens[i][k].nll : series->base[k].nll;
            run->kld_sum[i] += i ? series->tokens[i][k].kld : 0;
        }
        double count = (double)end;
        run->progress.nll[i] = run->nll_sum[i] / count;
        run->progress.kld[i] = run->kld_sum[i] / count;
    }
    run->progress.chunks = series->chunks;
}

static bool run_window(struct run *run, struct fault *fault)
{
    const struct loss_windows *windows = &run->series->windows;
    run->window = loss_window_at(windows, run->chunk);
    uint32_t end = run->window.first + run->window.scored, piece = run->streams->piece;
    loss_window_tokens(windows, run->chunk, run->tokens);
    for (run->position = run->window.first; run->position < end; run->position += piece)
        if (!run_piece(run, end - run->position < piece ? end - run->position : piece, fault))
            return false;
    run->series->chunks = run->chunk + 1;
    running_figures(run);
    return true;
}

static void progress_init(struct run *run)
{
    const struct loss_windows *windows = &run->series->windows;
    run->progress.chunks_total = windows->chunks;
    run->progress.count = run->streams->count;
    for (size_t i = 0; i < run->streams->count; i++) {
        uint32_t limit = run->streams->items[i].variant.chunks_max;
        uint32_t chunks = limit && limit < windows->chunks ? limit : windows->chunks;
        for (uint32_t k = 0; k < chunks; k++)
            run->progress.total += loss_window_at(windows, k).size - 1;
        run->progress.nll[i] = run->progress.kld[i] = NAN;
    }
}

bool loss_run(struct loss_streams *streams, const struct loss_windows *windows,
              const struct loss_run_options *options, struct loss_series *series,
              struct fault *fault)
{
    struct run run = {.streams = streams, .options = options, .series = series};
    if (!series_init(series, windows, streams, fault))
        return false;
    run.tokens = malloc(windows->ctx * sizeof *run.tokens);
    bool done =
        run.tokens || fault_set(fault, FAULT_MEMORY, "out of memory for a window of tokens");
    progress_init(&run);
    for (run.chunk = 0; done && run.chunk < windows->chunks; run.chunk++)
        done = run_window(&run, fault);
    if (streams->watch)
        streams->watch(NULL);
    free(run.tokens);
    return done;
}
