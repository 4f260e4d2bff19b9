/* pipeline.h: tensors of a source through the encoders into a draft: row blocks are read and
 * encoded by a team of threads, written in order. Memory is bounded by a few blocks a thread; how a
 * tensor is cut into blocks depends on its shape alone, so that neither bytes nor errors depend on
 * the number of threads. The hash of a tensor's weights is that of the hashes of its blocks'
 * float32 rows: it tells checkpoints apart whatever files they come in. */
#ifndef LICHEN_PIPELINE_H
#define LICHEN_PIPELINE_H

#include "draft.h"
#include "journal.h"
#include "parallel.h"
#include "convert.h"

struct pipeline_job {
    const struct convert_options *options;
    const uint64_t *offsets; /* [source_tensor_count], in the draft */
    uint64_t total;          /* bytes of the finished file, for progress */
    uint32_t alignment;      /* zeros are written up to a multiple of it behind each tensor */
    struct parallel *team;
    struct draft *draft;
    struct journal *journal; /* tensors it holds are skipped */
};

/* Every tensor behind journal_count, each entered in the journal when it is written. */
bool pipeline_run(const struct pipeline_job *job, struct fault *fault);

#endif
