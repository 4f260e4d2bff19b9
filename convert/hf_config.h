/* hf_config.h: config.json of a Hugging Face folder, read with bounds. Getters look into
 * text_config first (models that also see or hear), then at the top, then at the defaults of the
 * family, which are those of the original library's configuration class. null counts as absent.
 *
 * names: one key, or several spellings of it, "n_embd|hidden_size", the first that is there.
 * The first failure is kept in config->fault and sets config->failed; getters then return 0. */
#ifndef LICHEN_HF_CONFIG_H
#define LICHEN_HF_CONFIG_H

#include "fault.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct hf_default { /* an array of them ends with key NULL */
    const char *key;
    double value; /* true is 1 */
};

struct hf_config {
    json_t *root;                      /* owned */
    const json_t *text;                /* root's text_config, or root */
    const struct hf_default *defaults; /* NULL = none */
    /* More of them for a text_config, of which transformers writes only what differs. */
    const struct hf_default *nested_defaults; /* NULL = none */
    struct fault *fault;
    bool failed;
};

bool hf_config_parse(const char *bytes, size_t size, struct hf_config *config, struct fault *fault);
void hf_config_free(struct hf_config *config); /* accepts a zeroed one */

/* NULL when none of the names is there. */
const json_t *hf_find(const struct hf_config *config, const char *names);
/* The same inside one object, NULL allowed. */
const json_t *hf_find_in(const json_t *object, const char *names);

/* required: no value in file or defaults is a failure; else fallback. */
uint32_t hf_required_count(struct hf_config *config, const char *names, uint32_t min, uint32_t max);
uint32_t hf_count(struct hf_config *config, const char *names, uint32_t min, uint32_t max,
                  uint32_t fallback);
double hf_number(struct hf_config *config, const char *names, double min, double max,
                 double fallback);
double hf_required_number(struct hf_config *config, const char *names, double min, double max);
bool hf_bool(struct hf_config *config, const char *names, bool fallback);
/* config's; NULL = absent and no fallback */
const char *hf_text(struct hf_config *config, const char *names, const char *fallback);
/* A number of an object inside the configuration ("rope_scaling"), which `where` names. */
double hf_number_in(struct hf_config *config, const json_t *object, const char *where,
                    const char *names, double min, double max, double fallback);

/* Records a failure: "config.json: KEY is a fraction, expected WHAT". */
void hf_config_wrong(struct hf_config *config, const char *key, const json_t *value,
                     const char *expected);

#endif
