/* convert.h: the converter: a source in, one GGUF file out, all or nothing.
 *
 *   source.h       tensors with GGUF names and dims, float rows; metadata
 *   recipe.h       a type for every tensor (presets with llama.cpp's mixture rules, --type-for,
 *                  a byte budget)
 *   pipeline.c     row blocks: read -> encode (threads) -> write in order; bounded memory
 *   journal.c      what is already on the disk, for --resume
 *
 * The file is NAME.part until it is whole: size known and reserved first, magic last, read again
 * and compared, fsync, rename, fsync of the folder. Its bytes do not depend on the thread count. */
#ifndef LICHEN_CONVERT_H
#define LICHEN_CONVERT_H

#include "calibration.h"
#include "recipe.h"
#include "source.h"

enum { CONVERT_PROOF_PROMPTS = 3, CONVERT_PROOF_TOP = 8 };

/* What a finished file says of itself, so that any copy of it can be checked by `lichen verify`:
 * key-values lichen.proof.*, ignored by other readers. Made by running the file itself on
 * the C executor with float32 cache. */
struct convert_proof {
    bool present; /* false: nothing could run it, `reason` says why */
    char reason[256];
    const char *prompts[CONVERT_PROOF_PROMPTS]; /* set by convert_run, fixed texts */
    int32_t ids[CONVERT_PROOF_PROMPTS][64];     /* of the prompt, by the file's tokenizer */
    uint32_t id_count[CONVERT_PROOF_PROMPTS];
    int32_t top_ids[CONVERT_PROOF_PROMPTS][CONVERT_PROOF_TOP]; /* after the last id, best first */
    float top_logits[CONVERT_PROOF_PROMPTS][CONVERT_PROOF_TOP];
    uint64_t
        template_hash[2]; /* XXH3-128 of the template rendered for the first prompt; 0, 0 none */
};

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
    /* Called on the complete part file whose magic is not written yet: runs it and fills in the
     * proof, which is then patched into key-values of fixed size. May be NULL: then the file
     * carries no golden ids, text and logits. */
    bool (*prove)(void *context, const char *part_path, struct convert_proof *proof,
                  struct fault *fault);
    void *context; /* of progress and prove */
};

struct convert_result { /* one a tensor, in the file's order */
    const char *name;   /* source's */
    enum dtype dtype;
    uint64_t size;         /* bytes */
    double rmse, relative; /* sqrt(mean e^2), sqrt(sum e^2 / sum x^2) */
    double error_max;
    uint64_t nonfinite;
    uint64_t hash[2]; /* XXH3-128: low, high */
};

/* Is there something that --resume could go on with? */
bool convert_can_resume(const char *output);
/* Bytes that the file will have, without reading the source. */
bool convert_size(const struct convert_options *options, uint64_t *size, struct fault *fault);

/* Writes a file with the header of the one to come and a hole for its tensors: enough for a memory
 * plan. The caller removes it. */
bool convert_outline(const struct convert_options *options, const char *path, struct fault *fault);

/* results: [source_tensor_count], filled; may be NULL. */
bool convert_run(const struct convert_options *options, struct convert_result *results,
                 struct fault *fault);

#endif
