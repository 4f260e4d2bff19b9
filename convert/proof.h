/* proof.h: the key-values by which a converted file proves itself (lichen.*):
 *
 *   lichen.version                 of the converter
 *   lichen.recipe                  "q4_k_m; ffn_down=q6_k"
 *   lichen.source.files, .hashes   names and XXH3-128 of the files that it was made of, but for
 *                                  those of weights alone
 *   lichen.calibration.corpus      names of the texts of the calibration, where there was one (its
 *                                  XXH3-128 stands in the recipe)
 *   lichen.proof.metadata_hash     XXH3-128 of the header that the file would have without any
 *                                  lichen.proof.* and with the magic
 *   lichen.proof.weights_hash      XXH3-128 of the weights that it was made of, as float32, the
 *                                  same whatever files they came in (pipeline.h)
 *   lichen.proof.tensor_hashes     XXH3-128 of each tensor's bytes, in the file's order
 *   lichen.proof.tensor_errors     relative error of each tensor, sqrt(sum e^2 / sum x^2)
 *   lichen.proof.run, .reason      whether the file was run, and if not why (padded with spaces)
 *   lichen.proof.prompts           the texts
 *   lichen.proof.ids.N             their tokens, [64], -1 behind the last
 *   lichen.proof.top_ids.N, .top_logits.N   best first, after the last token
 *   lichen.proof.template_hash     XXH3-128 of the template's text for the first prompt; 0 = none
 *
 * All have a fixed size, so that they can be filled in when the rest of the file stands. Hashes are
 * written as `xxhsum -H128` writes them. */
#ifndef LICHEN_PROOF_H
#define LICHEN_PROOF_H

#include "convert.h"
#include "digest.h"
#include "gguf_write.h"

extern const char *const proof_prompts[CONVERT_PROOF_PROMPTS];

struct proof_tensors {            /* NULL: not known yet */
    const struct digest *digests; /* [count] */
    const float *errors;          /* [count] */
    uint32_t count;
    struct digest weights; /* of the source */
};

bool proof_put(struct gguf_writer *writer, struct digest metadata,
               const struct proof_tensors *tensors, const struct convert_proof *proof,
               struct fault *fault);

/* What a file carries. present false: nothing was run, or there is no proof at all. */
struct proof_found {
    bool has_proof;
    struct digest metadata;
    struct digest *digests; /* [gguf_tensor_count], owned */
    const float *errors;    /* the same, gguf's */
    struct convert_proof run;
    char *prompts[CONVERT_PROOF_PROMPTS]; /* owned; run.prompts point here */
};

bool proof_get(const struct gguf *gguf, struct proof_found *found, struct fault *fault);
void proof_found_free(struct proof_found *found); /* accepts a zeroed one */
/* lichen.proof.metadata_hash as it should be for this file. */
bool proof_metadata(const struct gguf *gguf, struct digest *digest, struct fault *fault);

#endif
