/* jinja_json.c: the variables, JSON text to values (jansson), and tojson, values to JSON text as
 * transformers sets it up: json.dumps(x, ensure_ascii=False, indent=None, separators=None,
 * sort_keys=False). */
#include "jinja_run.h"
#include "jinja_number.h"
#include "jinja_sort.h"
#include "jinja_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Reading */

static bool from_json(struct run *run, const json_t *json, struct value *out, int nesting);

static bool string_from_json(struct run *run, const char *bytes, size_t size, struct value *out)
{
    char *copy = run_alloc(run, size, 1);
    if (!copy)
        return false;
    if (size > 0)
        memcpy(copy, bytes, size);
    *out = value_bytes(copy, size);
    return true;
}

static bool list_from_json(struct run *run, const json_t *json, struct value *out, int nesting)
{
    size_t count = json_array_size(json);
    if (!value_list(run, VALUE_LIST, count, out))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!from_json(run, json_array_get(json, i), &out->list->items[i], nesting + 1))
            return false;
    return true;
}

static bool dict_from_json(struct run *run, json_t *json, struct value *out, int nesting)
{
    if (!value_dict(run, VALUE_DICT, json_object_size(json), out))
        return false;
    for (void *i = json_object_iter(json); i; i = json_object_iter_next(json, i)) {
        struct pair *pair = &out->dict->pairs[out->dict->count++];
        const char *key = json_object_iter_key(i);
        if (!string_from_json(run, key, strlen(key), &pair->key) ||
            !from_json(run, json_object_iter_value(i), &pair->value, nesting + 1))
            return false;
    }
    return true;
}

static bool from_json(struct run *run, const json_t *json, struct value *out, int nesting)
{
    if (nesting > RUN_NESTING)
        return fault_set(run->fault, FAULT_ARGUMENT,
                         "variables of the chat template: more than %d arrays and objects in one "
                         "another",
                         RUN_NESTING);
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return dict_from_json(run, (json_t *)json, out, nesting);
    case JSON_ARRAY:
        return list_from_json(run, json, out, nesting);
    case JSON_STRING:
        return string_from_json(run, json_string_value(json), json_string_length(json), out);
    case JSON_INTEGER:
        *out = value_int(json_integer_value(json));
        return true;
    case JSON_REAL:
        *out = value_float(json_real_value(json));
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = value_bool(json_typeof(json) == JSON_TRUE);
        return true;
    default:
        *out = value_none();
        return true;
    }
}

bool value_from_json(struct run *run, const char *text, size_t size, struct value *out)
{
    json_error_t error;
    json_t *json = json_loadb(text, size, JSON_ALLOW_NUL, &error);
    if (!json)
        return fault_set(run->fault, FAULT_ARGUMENT,
                         "variables of the chat template: line %d, column %d: %s", error.line,
                         error.column, error.text);
    bool done = json_is_object(json)
                    ? from_json(run, json, out, 0)
                    : fault_set(run->fault, FAULT_ARGUMENT,
                                "variables of the chat template: not a JSON object");
    json_decref(json);
    return done;
}

/* Writing */

struct json_style {
    const char *indent; /* one level, NULL: all on one line */
    size_t indent_size;
    struct value item_separator;
    struct value key_separator;
    bool ascii;
    bool sort_keys;
    int nesting;
};

static bool write_json(struct builder *out, struct json_style *style, const struct value *value);

static bool write_ascii(struct builder *out, int32_t character)
{
    char text[16];
    if (character < 0x10000)
        snprintf(text, sizeof text, "\\u%04x", (unsigned)character);
    else
        snprintf(text, sizeof text, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (character >> 10)),
                 (unsigned)(0xDC00 + (character & 0x3FF)));
    return builder_text(out, text);
}

static bool write_json_character(struct builder *out, const char *bytes, size_t length,
                                 int32_t character, bool ascii)
{
    static const char special[] = "\"\\\n\r\t\f\b", letters[] = "\"\\nrtfb";
    const char *found = character > 0 && character < 128 ? strchr(special, (char)character) : NULL;
    if (found)
        return builder_character(out, '\\') && builder_character(out, letters[found - special]);
    if (character < 0x20 || (ascii && character > 0x7E))
        return write_ascii(out, character);
    return builder_add(out, bytes, length);
}

static bool write_json_string(struct builder *out, const struct value *value, bool ascii)
{
    size_t position = 0, length;
    if (!builder_character(out, '"') || !run_spend(out->run, value->size))
        return false;
    while (position < value->size) {
        const char *bytes = value->bytes + position;
        int32_t character = text_decode(bytes, value->size - position, &length);
        if (!write_json_character(out, bytes, length, character, ascii))
            return false;
        position += length;
    }
    return builder_character(out, '"');
}

static bool write_json_number(struct builder *out, const struct value *value)
{
    char text[32];
    size_t size;
    if (value->kind == VALUE_INT)
        size = (size_t)snprintf(text, sizeof text, "%" PRId64, value->integer);
    else
        size = number_repr(value->real, text);
    if (value->kind == VALUE_FLOAT && strstr(text, "inf"))
        return builder_text(out, value->real < 0 ? "-Infinity" : "Infinity");
    if (value->kind == VALUE_FLOAT && strcmp(text, "nan") == 0)
        return builder_text(out, "NaN");
    return builder_add(out, text, size);
}

static bool write_break(struct builder *out, const struct json_style *style)
{
    if (!style->indent)
        return true;
    if (!builder_character(out, '\n'))
        return false;
    for (int i = 0; i < style->nesting; i++)
        if (!builder_add(out, style->indent, style->indent_size))
            return false;
    return true;
}

static bool write_between(struct builder *out, const struct json_style *style, bool first)
{
    if (!first && !builder_add(out, style->item_separator.bytes, style->item_separator.size))
        return false;
    return run_spend(out->run, 0) && write_break(out, style);
}

static bool write_json_list(struct builder *out, struct json_style *style, const struct list *list)
{
    if (list->count == 0)
        return builder_text(out, "[]");
    style->nesting++;
    if (!builder_character(out, '['))
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (!write_between(out, style, i == 0) || !write_json(out, style, &list->items[i]))
            return false;
    style->nesting--;
    return write_break(out, style) && builder_character(out, ']');
}

static bool write_json_key(struct builder *out, const struct json_style *style,
                           const struct value *key)
{
    if (key->kind == VALUE_STRING)
        return write_json_string(out, key, style->ascii);
    if (key->kind != VALUE_NONE && !value_is_number(key))
        return run_fail(out->run, "keys must be str, int, float, bool or None, not %s",
                        value_type(key));
    return builder_character(out, '"') && write_json(out, (struct json_style *)style, key) &&
           builder_character(out, '"');
}

static bool write_json_pair(struct builder *out, struct json_style *style, const struct pair *pair)
{
    return write_json_key(out, style, &pair->key) &&
           builder_add(out, style->key_separator.bytes, style->key_separator.size) &&
           write_json(out, style, &pair->value);
}

static bool write_json_dict(struct builder *out, struct json_style *style, const struct dict *dict)
{
    struct pair *pairs = dict->pairs;
    if (dict->count == 0)
        return builder_text(out, "{}");
    if (style->sort_keys && !sort_pairs(out->run, dict, &pairs))
        return false;
    style->nesting++;
    if (!builder_character(out, '{'))
        return false;
    for (size_t i = 0; i < dict->count; i++)
        if (!write_between(out, style, i == 0) || !write_json_pair(out, style, &pairs[i]))
            return false;
    style->nesting--;
    return write_break(out, style) && builder_character(out, '}');
}

static bool write_json(struct builder *out, struct json_style *style, const struct value *value)
{
    if (style->nesting > RUN_NESTING)
        return run_fail(out->run, "more than %d containers in one another", RUN_NESTING);
    switch (value->kind) {
    case VALUE_NONE:
        return builder_text(out, "null");
    case VALUE_BOOL:
        return builder_text(out, value->boolean ? "true" : "false");
    case VALUE_INT:
    case VALUE_FLOAT:
        return write_json_number(out, value);
    case VALUE_STRING:
        return write_json_string(out, value, style->ascii);
    case VALUE_LIST:
    case VALUE_TUPLE:
        return write_json_list(out, style, value->list);
    case VALUE_DICT:
        return write_json_dict(out, style, value->dict);
    default:
        return run_fail(out->run, "Object of type %s is not JSON serializable", value_type(value));
    }
}

static bool read_indent(struct run *run, const struct value *indent, struct json_style *style)
{
    struct value space = value_text(" "), spaces;
    if (indent->kind == VALUE_ABSENT || indent->kind == VALUE_NONE)
        return true;
    if (indent->kind == VALUE_STRING)
        spaces = *indent;
    else if (!value_is_integer(indent))
        return run_fail(run, "indent must be an integer or a string");
    else if (!value_repeat(run, &space, value_integer(indent), &spaces))
        return false;
    style->indent = spaces.bytes;
    style->indent_size = spaces.size;
    style->item_separator = value_text(",");
    return true;
}

static bool read_separators(struct run *run, const struct value *pair, struct json_style *style)
{
    if (pair->kind == VALUE_ABSENT || pair->kind == VALUE_NONE)
        return true;
    if ((pair->kind != VALUE_TUPLE && pair->kind != VALUE_LIST) || pair->list->count != 2 ||
        pair->list->items[0].kind != VALUE_STRING || pair->list->items[1].kind != VALUE_STRING)
        return run_fail(run, "separators must be two strings");
    style->item_separator = pair->list->items[0];
    style->key_separator = pair->list->items[1];
    return true;
}

bool value_tojson(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    const struct value *values = call->values; /* ensure_ascii indent separators sort_keys */
    struct builder text = {.run = run};
    struct json_style style = {.item_separator = value_text(", "),
                               .key_separator = value_text(": ")};
    style.ascii = values[0].kind != VALUE_ABSENT && value_truth(&values[0]);
    style.sort_keys = values[3].kind != VALUE_ABSENT && value_truth(&values[3]);
    if (!read_indent(run, &values[1], &style) || !read_separators(run, &values[2], &style) ||
        !write_json(&text, &style, subject))
        return false;
    *out = builder_value(&text);
    return true;
}
