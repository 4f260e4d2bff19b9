/* proof.c: writes and reads lichen.proof.*. */
#include "proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    IDS = sizeof((struct convert_proof *)0)->ids[0] / sizeof(int32_t),
    REASON_SIZE = sizeof((struct convert_proof *)0)->reason - 1,
    KEY_SIZE = 64,
};

#define PREFIX "lichen.proof."

const char *const proof_prompts[CONVERT_PROOF_PROMPTS] = {
    "The quick brown fox jumps over the lazy dog. It was 1984, and the clocks struck",
    "\xe4\xbb\x8a\xe5\xa4\xa9\xe5\xa4\xa9\xe6\xb0\x94\xe5\xbe\x88\xe5\xa5\xbd\xef\xbc\x8c"
    "\xe6\x88\x91\xe4\xbb\xac\xe5\x8e\xbb\xe5\x85\xac\xe5\x9b\xad\xe6\x95\xa3\xe6\xad\xa5 "
    "\xf0\x9f\x99\x82",
    "int main(void)\n{\n    for (int i = 0; i < 10; i++)\n        printf(\"%d\\n\", i",
};

/* writing */

static bool put_digest(struct gguf_writer *writer, const char *key, struct digest digest,
                       struct fault *fault)
{
    char text[DIGEST_TEXT_SIZE];
    digest_text(digest, text);
    return gguf_put_text(writer, key, text, DIGEST_TEXT_SIZE - 1, fault);
}

static bool put_digests(struct gguf_writer *writer, const struct proof_tensors *tensors,
                        struct fault *fault)
{
    size_t count = tensors->count;
    char(*texts)[DIGEST_TEXT_SIZE] = calloc(count ? count : 1, sizeof *texts);
    struct gguf_string *items = calloc(count ? count : 1, sizeof *items);
    bool done = (texts && items) || fault_set(fault, FAULT_MEMORY, "no memory for hashes");
    for (size_t i = 0; done && i < count; i++) {
        digest_text(tensors->digests ? tensors->digests[i] : (struct digest){0, 0}, texts[i]);
        items[i] = (struct gguf_string){texts[i], DIGEST_TEXT_SIZE - 1};
    }
    done = done && gguf_put_array(writer, PREFIX "tensor_hashes", GGUF_STRING, items, count, fault);
    free(items);
    free(texts);
    return done;
}

static bool put_errors(struct gguf_writer *writer, const struct proof_tensors *tensors,
                       struct fault *fault)
{
    float *errors = calloc(tensors->count ? tensors->count : 1, sizeof *errors);
    if (!errors)
        return fault_set(fault, FAULT_MEMORY, "no memory for errors");
    if (tensors->errors)
        memcpy(errors, tensors->errors, tensors->count * sizeof *errors);
    bool done =
        gguf_put_array(writer, PREFIX "tensor_errors", GGUF_F32, errors, tensors->count, fault);
    free(errors);
    return done;
}

static bool put_prompts(struct gguf_writer *writer, struct fault *fault)
{
    struct gguf_string items[CONVERT_PROOF_PROMPTS];
    for (size_t i = 0; i < CONVERT_PROOF_PROMPTS; i++)
        items[i] = (struct gguf_string){proof_prompts[i], strlen(proof_prompts[i])};
    return gguf_put_array(writer, PREFIX "prompts", GGUF_STRING, items, CONVERT_PROOF_PROMPTS,
                          fault);
}

static bool put_run(struct gguf_writer *writer, const struct convert_proof *proof, uint32_t prompt,
                    struct fault *fault)
{
    char key[KEY_SIZE];
    int32_t ids[IDS];
    for (uint32_t i = 0; i < IDS; i++)
        ids[i] = i < proof->id_count[prompt] ? proof->ids[prompt][i] : -1;
    snprintf(key, sizeof key, PREFIX "ids.%u", prompt);
    if (!gguf_put_array(writer, key, GGUF_I32, ids, IDS, fault))
        return false;
    snprintf(key, sizeof key, PREFIX "top_ids.%u", prompt);
    if (!gguf_put_array(writer, key, GGUF_I32, proof->top_ids[prompt], CONVERT_PROOF_TOP, fault))
        return false;
    snprintf(key, sizeof key, PREFIX "top_logits.%u", prompt);
    return gguf_put_array(writer, key, GGUF_F32, proof->top_logits[prompt], CONVERT_PROOF_TOP,
                          fault);
}

bool proof_put(struct gguf_writer *writer, struct digest metadata,
               const struct proof_tensors *tensors, const struct convert_proof *proof,
               struct fault *fault)
{
    char reason[REASON_SIZE + 1];
    snprintf(reason, sizeof reason, "%-*.*s", REASON_SIZE, REASON_SIZE, proof->reason);
    struct digest template = {proof->template_hash[0], proof->template_hash[1]};
    bool done = put_digest(writer, PREFIX "metadata_hash", metadata, fault) &&
                put_digest(writer, PREFIX "weights_hash", tensors->weights, fault) &&
                put_digests(writer, tensors, fault) && put_errors(writer, tensors, fault) &&
                gguf_put_bool(writer, PREFIX "run", proof->present, fault) &&
                gguf_put_text(writer, PREFIX "reason", reason, REASON_SIZE, fault) &&
                put_prompts(writer, fault) &&
                put_digest(writer, PREFIX "template_hash", template, fault);
    for (uint32_t i = 0; done && i < CONVERT_PROOF_PROMPTS; i++)
        done = put_run(writer, proof, i, fault);
    return done;
}

/* reading */

static bool get_digest(const struct gguf *gguf, const char *key, struct digest *digest,
                       struct fault *fault)
{
    struct gguf_string text;
    return gguf_text(gguf, key, true, &text, fault) &&
           (digest_parse(text.bytes, text.size, digest) ||
            fault_set(fault, FAULT_FORMAT, "metadata '%s' is no XXH3-128", key));
}

static bool get_tensors(const struct gguf *gguf, struct proof_found *found, struct fault *fault)
{
    uint32_t count = gguf_tensor_count(gguf);
    const struct gguf_string *texts;
    size_t got;
    if (!gguf_text_array(gguf, PREFIX "tensor_hashes", true, count, &texts, &got, fault) ||
        !gguf_f32_array(gguf, PREFIX "tensor_errors", true, count, &found->errors, &got, fault))
        return false;
    found->digests = calloc(count ? count : 1, sizeof *found->digests);
    if (!found->digests)
        return fault_set(fault, FAULT_MEMORY, "no memory for %u hashes", count);
    for (uint32_t i = 0; i < count; i++)
        if (!digest_parse(texts[i].bytes, texts[i].size, &found->digests[i]))
            return fault_set(fault, FAULT_FORMAT,
                             "metadata '" PREFIX "tensor_hashes'[%u] is no XXH3-128", i);
    return true;
}

static bool get_prompts(const struct gguf *gguf, struct proof_found *found, struct fault *fault)
{
    const struct gguf_string *texts;
    size_t got;
    if (!gguf_text_array(gguf, PREFIX "prompts", true, CONVERT_PROOF_PROMPTS, &texts, &got, fault))
        return false;
    for (size_t i = 0; i < CONVERT_PROOF_PROMPTS; i++) {
        found->prompts[i] = calloc(1, texts[i].size + 1);
        if (!found->prompts[i])
            return fault_set(fault, FAULT_MEMORY, "no memory for a prompt");
        memcpy(found->prompts[i], texts[i].bytes, texts[i].size);
        found->run.prompts[i] = found->prompts[i];
    }
    return true;
}

static bool get_run(const struct gguf *gguf, struct convert_proof *run, uint32_t prompt,
                    struct fault *fault)
{
    char key[KEY_SIZE];
    const int32_t *ids;
    const float *logits;
    size_t got;
    snprintf(key, sizeof key, PREFIX "ids.%u", prompt);
    if (!gguf_i32_array(gguf, key, true, IDS, &ids, &got, fault))
        return false;
    while (run->id_count[prompt] < IDS && ids[run->id_count[prompt]] >= 0)
        run->id_count[prompt]++;
    memcpy(run->ids[prompt], ids, sizeof run->ids[prompt]);
    snprintf(key, sizeof key, PREFIX "top_ids.%u", prompt);
    if (!gguf_i32_array(gguf, key, true, CONVERT_PROOF_TOP, &ids, &got, fault))
        return false;
    memcpy(run->top_ids[prompt], ids, sizeof run->top_ids[prompt]);
    snprintf(key, sizeof key, PREFIX "top_logits.%u", prompt);
    if (!gguf_f32_array(gguf, key, true, CONVERT_PROOF_TOP, &logits, &got, fault))
        return false;
    memcpy(run->top_logits[prompt], logits, sizeof run->top_logits[prompt]);
    return true;
}

static void trim(char *text)
{
    size_t size = strlen(text);
    while (size > 0 && text[size - 1] == ' ')
        text[--size] = 0;
}

static bool get_reason(const struct gguf *gguf, struct convert_proof *run, struct fault *fault)
{
    struct gguf_string reason;
    if (!gguf_text(gguf, PREFIX "reason", true, &reason, fault))
        return false;
    snprintf(run->reason, sizeof run->reason, "%.*s", (int)(reason.size % sizeof run->reason),
             reason.bytes);
    trim(run->reason);
    return true;
}

bool proof_get(const struct gguf *gguf, struct proof_found *found, struct fault *fault)
{
    struct digest template;
    *found = (struct proof_found){.has_proof = false};
    if (!gguf_entry_find(gguf, PREFIX "tensor_hashes"))
        return true;
    found->has_proof = true;
    bool done = get_digest(gguf, PREFIX "metadata_hash", &found->metadata, fault) &&
                get_tensors(gguf, found, fault) &&
                gguf_bool(gguf, PREFIX "run", true, &found->run.present, fault) &&
                get_reason(gguf, &found->run, fault) && get_prompts(gguf, found, fault) &&
                get_digest(gguf, PREFIX "template_hash", &template, fault);
    for (uint32_t i = 0; done && i < CONVERT_PROOF_PROMPTS; i++)
        done = get_run(gguf, &found->run, i, fault);
    if (!done) {
        proof_found_free(found);
        return false;
    }
    found->run.template_hash[0] = template.low;
    found->run.template_hash[1] = template.high;
    return true;
}

void proof_found_free(struct proof_found *found)
{
    free(found->digests);
    for (size_t i = 0; i < CONVERT_PROOF_PROMPTS; i++)
        free(found->prompts[i]);
    *found = (struct proof_found){.has_proof = false};
}

static bool describe(const struct gguf *gguf, struct gguf_writer *writer, struct fault *fault)
{
    bool done = true;
    for (uint32_t i = 0; done && i < gguf_entry_count(gguf); i++) {
        const struct gguf_entry *entry = gguf_entry_at(gguf, i);
        if (strncmp(entry->key, PREFIX, strlen(PREFIX)) != 0)
            done = gguf_put_entry(writer, gguf, entry, fault);
    }
    for (uint32_t i = 0; done && i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        done = gguf_put_tensor(writer, tensor->name, tensor->dtype, tensor->dim_count, tensor->dims,
                               fault);
    }
    return done;
}

bool proof_metadata(const struct gguf *gguf, struct digest *digest, struct fault *fault)
{
    struct gguf_writer *writer;
    uint8_t *header;
    size_t size;
    if (!gguf_writer_create(&writer, fault))
        return false;
    bool done = describe(gguf, writer, fault) && gguf_writer_header(writer, &header, &size, fault);
    if (done) {
        *digest = digest_of(header, size);
        free(header);
    }
    gguf_writer_destroy(writer);
    return done;
}
