/* hf_config.c: typed, bounded access to config.json. */
#include "hf_config.h"
#include "strict_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG_DEPTH = 16, KEY_SIZE = 64 };

bool hf_config_parse(const char *bytes, size_t size, struct hf_config *config, struct fault *fault)
{
    *config = (struct hf_config){.fault = fault};
    config->root = strict_json_parse(bytes, size, CONFIG_DEPTH, 0, fault);
    if (!config->root)
        return false;
    config->text = json_object_get(config->root, "text_config");
    if (!json_is_object(config->text))
        config->text = config->root;
    return true;
}

void hf_config_free(struct hf_config *config)
{
    json_decref(config->root);
    *config = (struct hf_config){0};
}

/* The next spelling of names in key; false behind the last. */
static bool next_name(const char **names, char key[KEY_SIZE])
{
    size_t size = strcspn(*names, "|");
    if (size == 0)
        return false;
    snprintf(key, KEY_SIZE, "%.*s", (int)size, *names);
    *names += size + ((*names)[size] == '|');
    return true;
}

static const json_t *find_named(const json_t *object, const char *names, char key[KEY_SIZE])
{
    while (object && next_name(&names, key)) {
        const json_t *value = json_object_get(object, key);
        if (value && !json_is_null(value))
            return value;
    }
    return NULL;
}

static const json_t *find(const struct hf_config *config, const char *names, char key[KEY_SIZE])
{
    const json_t *value = find_named(config->text, names, key);
    return value ? value : find_named(config->root, names, key);
}

const json_t *hf_find(const struct hf_config *config, const char *names)
{
    char key[KEY_SIZE];
    return find(config, names, key);
}

const json_t *hf_find_in(const json_t *object, const char *names)
{
    char key[KEY_SIZE];
    return find_named(object, names, key);
}

static bool find_in_list(const struct hf_default *list, const char *names, double *value)
{
    char key[KEY_SIZE];
    while (list && next_name(&names, key))
        for (const struct hf_default *item = list; item->key; item++)
            if (strcmp(item->key, key) == 0) {
                *value = item->value;
                return true;
            }
    return false;
}

static bool find_default(const struct hf_config *config, const char *names, double *value)
{
    return find_in_list(config->defaults, names, value) ||
           (config->text != config->root && find_in_list(config->nested_defaults, names, value));
}

static void fail(struct hf_config *config)
{
    fault_context(config->fault, "config.json");
    config->failed = true;
}

void hf_config_wrong(struct hf_config *config, const char *key, const json_t *value,
                     const char *expected)
{
    if (config->failed)
        return;
    if (json_is_string(value))
        fault_set(config->fault, FAULT_FORMAT, "%s is \"%.64s\", expected %s", key,
                  json_string_value(value), expected);
    else
        fault_set(config->fault, FAULT_FORMAT, "%s is %s, expected %s", key,
                  strict_json_kind(value), expected);
    fail(config);
}

static void fail_range(struct hf_config *config, const char *key, double value, double min,
                       double max)
{
    fault_set(config->fault, FAULT_FORMAT, "%s is %.9g, expected %.9g to %.9g", key, value, min,
              max);
    fail(config);
}

static void fail_missing(struct hf_config *config, const char *names)
{
    fault_set(config->fault, FAULT_FORMAT, "%.*s is missing", (int)strcspn(names, "|"), names);
    fail(config);
}

static double check_number(struct hf_config *config, const json_t *value, const char *key,
                           double min, double max)
{
    if (!json_is_number(value)) {
        hf_config_wrong(config, key, value, "a number");
        return 0;
    }
    double number = json_number_value(value);
    if (number >= min && number <= max)
        return number;
    fail_range(config, key, number, min, max);
    return 0;
}

/* fallback NAN = required */
static double get_number(struct hf_config *config, const char *names, double min, double max,
                         double fallback)
{
    char key[KEY_SIZE];
    double value = fallback;
    if (config->failed)
        return 0;
    const json_t *found = find(config, names, key);
    if (found)
        return check_number(config, found, key, min, max);
    if (!find_default(config, names, &value) && isnan(value)) {
        fail_missing(config, names);
        return 0;
    }
    return value;
}

static uint32_t get_count(struct hf_config *config, const char *names, uint32_t min, uint32_t max,
                          double fallback)
{
    char key[KEY_SIZE];
    const json_t *found = config->failed ? NULL : find(config, names, key);
    if (found && !json_is_integer(found)) {
        hf_config_wrong(config, key, found, "an integer");
        return 0;
    }
    return (uint32_t)get_number(config, names, min, max, fallback);
}

uint32_t hf_required_count(struct hf_config *config, const char *names, uint32_t min, uint32_t max)
{
    return get_count(config, names, min, max, (double)NAN);
}

uint32_t hf_count(struct hf_config *config, const char *names, uint32_t min, uint32_t max,
                  uint32_t fallback)
{
    return get_count(config, names, min, max, fallback);
}

double hf_number(struct hf_config *config, const char *names, double min, double max,
                 double fallback)
{
    return get_number(config, names, min, max, fallback);
}

double hf_required_number(struct hf_config *config, const char *names, double min, double max)
{
    return get_number(config, names, min, max, (double)NAN);
}

bool hf_bool(struct hf_config *config, const char *names, bool fallback)
{
    char key[KEY_SIZE];
    double value = fallback;
    if (config->failed)
        return false;
    const json_t *found = find(config, names, key);
    if (!found) {
        find_default(config, names, &value);
        return value != 0;
    }
    if (!json_is_boolean(found))
        hf_config_wrong(config, key, found, "true or false");
    return json_is_true(found);
}

const char *hf_text(struct hf_config *config, const char *names, const char *fallback)
{
    char key[KEY_SIZE];
    const json_t *found = config->failed ? NULL : find(config, names, key);
    if (!found)
        return fallback;
    if (!json_is_string(found)) {
        hf_config_wrong(config, key, found, "text");
        return NULL;
    }
    return json_string_value(found);
}

double hf_number_in(struct hf_config *config, const json_t *object, const char *where,
                    const char *names, double min, double max, double fallback)
{
    char key[KEY_SIZE], whole[2 * KEY_SIZE];
    if (config->failed)
        return 0;
    const json_t *found = find_named(object, names, key);
    snprintf(whole, sizeof whole, "%s.%.*s", where, (int)strcspn(names, "|"), names);
    if (found) {
        snprintf(whole, sizeof whole, "%s.%s", where, key);
        return check_number(config, found, whole, min, max);
    }
    if (isnan(fallback))
        fail_missing(config, whole);
    return config->failed ? 0 : fallback;
}
