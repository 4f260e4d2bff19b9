/* convert.h: the converter: a source in, one GGUF file out, all or nothing.
 *
 *   source.h       tensors with GGUF names and dims, float rows; metadata
 *   recipe.h       a type for every tensor (presets with llama.cpp's mixture rules, --type-for,
 *                  a byte budget)
 *   pipeline.c     row blocks: read -> encode (threads) -> write in order; bounded memory
 *   journal.c      what is already on the disk, for --resume
 *
 * The file is NAME.part until it is whole: size known and reserved first, magic last, read again and
 * compared, fsync, rename, fsync of the folder. Its bytes do not depend on the thread count. */
#ifndef LICHEN_CONVERT_H
#define LICHEN_CONVERT_H

#include "calibration.h"
#include "recipe.h"
#include "source.h"

struct convert_progress {
    uint64_t bytes_done, bytes_total; /* of the output */
    const char *tensor;               /* being encoded */
};

struct convert_options {
    const char *output;
    const struct source *source;
    const struct recipe *recipe;
    const struct calibration *calibration; /* NULL: the types' own weighting */
    bool refine;                           /* against the calibration's Hessians */
    float damping;                         /* refine_options.damping */
    bool resume, force, allow_nonfinite;
    uint32_t threads; /* 0 = all processors */
    /* Returns false to stop (FAULT_CANCELLED); what is done stays for --resume. May be NULL. */
    bool (*progress)(void *context, const struct convert_progress *progress);
    /* Called on the finished, verified part file whose magic is not written yet: fills in the proof
     * (convert_prove.h). May be NULL: then the file carries no golden ids, text and logits. */
    bool (*prove)(void *context, const char *part_path, struct convert_proof *proof,
                  struct fault *fault);
    void *context; /* of progress and prove */
};

struct convert_result {      /* one a tensor, in the file's order */
    const char *name;        /* source's */
    enum dtype dtype;
    uint64_t size;           /* bytes */
    double rmse, relative;   /* sqrt(mean e^2), sqrt(sum e^2 / sum x^2) */
    double error_max;
    uint64_t nonfinite;
    uint64_t hash[2];        /* XXH3-128: low, high */
};

#endif
