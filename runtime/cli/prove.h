/* prove.h: runs a model to write down, or to compare with, what it answers: token ids, the
 * rendered template, the best logits after three prompts (convert_proof). */
#ifndef LICHEN_CLI_PROVE_H
#define LICHEN_CLI_PROVE_H

#include "convert.h"
#include "lichen.h"

/* ids[64] of a prompt by the file's tokenizer, cut to 64 and to what the model was trained for. */
bool prove_ids(const struct lichen_engine *engine, const char *prompt, int32_t ids[64],
               uint32_t *count, struct fault *fault);
/* XXH3-128 of the template rendered for one question; {0, 0}: the file has none, or its text
 * depends on the day. */
bool prove_template(const struct lichen_engine *engine, const char *question, uint64_t hash[2],
                    struct fault *fault);
/* A session fit for prove_logits. */
bool prove_session(struct lichen_engine *engine, struct lichen_session **session,
                   struct fault *fault);
/* logits[vocab] after the last of ids. */
bool prove_logits(struct lichen_session *session, const int32_t *ids, uint32_t count, float *logits,
                  struct fault *fault);

enum prove_when { PROVE_AUTO, PROVE_ALWAYS, PROVE_NEVER };

/* Fills in all of proof by running the part file at path on the C executor, unless that takes more
 * memory than there is, or more than 1 GiB and always is false. What cannot be run leaves
 * proof->present false and the reason; false only where the conversion must end (interrupted). */
bool prove_part(const char *path, uint32_t threads, bool always, struct convert_proof *proof,
                struct fault *fault);

#endif
