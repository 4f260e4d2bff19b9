/* json_walk.c: see json_walk.h. What a text with escapes or beyond ASCII means is jansson's to say;
 * so is whether a small value is JSON at all. */
#include "json_walk.h"
#include "strict_json.h"

#include <stdlib.h>
#include <string.h>

enum { TREE_DEPTH_MAX = 64 };

void json_walk_begin(struct json_walk *walk, const char *bytes, size_t size)
{
    *walk = (struct json_walk){.bytes = bytes, .size = size};
}

void json_walk_free(struct json_walk *walk)
{
    free(walk->text);
    *walk = (struct json_walk){0};
}

static void skip_space(struct json_walk *walk)
{
    while (walk->at < walk->size) {
        char c = walk->bytes[walk->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            break;
        walk->at++;
    }
}

char json_walk_peek(struct json_walk *walk)
{
    skip_space(walk);
    return walk->at < walk->size ? walk->bytes[walk->at] : 0;
}

static bool unexpected(struct json_walk *walk, const char *expected, struct fault *fault)
{
    if (walk->at >= walk->size)
        return fault_set(fault, FAULT_FORMAT, "byte %zu: the JSON ends, expected %s", walk->at,
                         expected);
    return fault_set(fault, FAULT_FORMAT, "byte %zu: '%c', expected %s", walk->at,
                     walk->bytes[walk->at], expected);
}

static bool take(struct json_walk *walk, char c, const char *expected, struct fault *fault)
{
    if (json_walk_peek(walk) != c || walk->at >= walk->size)
        return unexpected(walk, expected, fault);
    walk->at++;
    return true;
}

bool json_walk_enter(struct json_walk *walk, char open, struct json_level *level,
                     struct fault *fault)
{
    *level = (struct json_level){open == '{' ? '}' : ']', true};
    return take(walk, open, open == '{' ? "an object" : "an array", fault);
}

bool json_walk_next(struct json_walk *walk, struct json_level *level, bool *more,
                    struct fault *fault)
{
    bool first = level->first;
    level->first = false;
    *more = json_walk_peek(walk) != level->close || walk->at >= walk->size;
    if (!*more)
        walk->at++;
    return !*more || first ||
           take(walk, ',', level->close == '}' ? "',' or '}'" : "',' or ']'", fault);
}

bool json_walk_key(struct json_walk *walk, struct fault *fault)
{
    return json_walk_text(walk, fault) && take(walk, ':', "':'", fault);
}

/* ---- values ---- */

static bool keep_text(struct json_walk *walk, const char *bytes, size_t size, struct fault *fault)
{
    if (size >= walk->text_capacity) {
        size_t capacity = 2 * size + 64;
        char *text = realloc(walk->text, capacity);
        if (!text)
            return fault_set(fault, FAULT_MEMORY, "no memory for a text of %zu bytes", size);
        walk->text = text;
        walk->text_capacity = capacity;
    }
    memcpy(walk->text, bytes, size);
    walk->text[size] = 0;
    walk->text_size = size;
    return true;
}

/* The end of the text whose quote is at `at`, size when it has none. *plain: as it stands. */
static size_t text_end(const struct json_walk *walk, size_t at, bool *plain)
{
    *plain = true;
    for (size_t i = at + 1; i < walk->size; i++) {
        unsigned char c = (unsigned char)walk->bytes[i];
        if (c == '"')
            return i + 1;
        *plain = *plain && c >= 0x20 && c < 0x80 && c != '\\';
        i += c == '\\';
    }
    return walk->size;
}

static json_t *parse(const struct json_walk *walk, size_t size, struct fault *fault)
{
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES |
                         (walk->as_reals ? JSON_DECODE_INT_AS_REAL : 0);
    json_error_t error;
    json_t *value = json_loadb(walk->bytes + walk->at, size, flags, &error);
    if (!value) {
        size_t position = error.position > 0 ? (size_t)error.position : 0;
        fault_set(fault, FAULT_FORMAT, "byte %zu: not valid JSON: %s", walk->at + position,
                  error.text);
    }
    return value;
}

bool json_walk_text(struct json_walk *walk, struct fault *fault)
{
    if (json_walk_peek(walk) != '"')
        return unexpected(walk, "text", fault);
    bool plain;
    size_t end = text_end(walk, walk->at, &plain);
    if (plain && walk->bytes[end - 1] == '"' && end - walk->at >= 2) {
        if (!keep_text(walk, walk->bytes + walk->at + 1, end - walk->at - 2, fault))
            return false;
        walk->at = end;
        return true;
    }
    json_t *value = parse(walk, end - walk->at, fault);
    if (!value)
        return false;
    bool kept = keep_text(walk, json_string_value(value), json_string_length(value), fault);
    json_decref(value);
    walk->at = end;
    return kept;
}

/* The end of a number or word. */
static size_t word_end(const struct json_walk *walk)
{
    size_t end = walk->at;
    while (end < walk->size && walk->bytes[end] && !strchr(" \n\r\t,]}:[{\"", walk->bytes[end]))
        end++;
    return end;
}

bool json_walk_integer(struct json_walk *walk, int64_t *value, struct fault *fault)
{
    char c = json_walk_peek(walk);
    if (c != '-' && (c < '0' || c > '9'))
        return unexpected(walk, "an integer", fault);
    json_t *number = parse(walk, word_end(walk) - walk->at, fault);
    if (!number)
        return false;
    bool is_integer = json_is_integer(number);
    *value = json_integer_value(number);
    json_decref(number);
    if (!is_integer)
        return unexpected(walk, "an integer, not a fraction", fault);
    walk->at = word_end(walk);
    return true;
}

/* The end of the value at hand. values_max: of a value inside, SIZE_MAX = no limit. */
static bool value_end(struct json_walk *walk, size_t values_max, size_t *end, struct fault *fault)
{
    size_t depth = 0, values = 0, at = walk->at;
    bool plain;
    char c = json_walk_peek(walk);
    *end = word_end(walk);
    if (c != '"' && c != '[' && c != '{')
        return *end > walk->at || unexpected(walk, "a value", fault);
    do {
        if (at >= walk->size)
            return fault_set(fault, FAULT_FORMAT, "byte %zu: the JSON ends inside a value", at);
        c = walk->bytes[at];
        depth += c == '[' || c == '{';
        values += c == ',' || c == ':' || c == '[' || c == '{';
        if (depth > TREE_DEPTH_MAX || values > values_max)
            return fault_set(fault, FAULT_FORMAT,
                             "byte %zu: JSON nested deeper than %d or of more than %zu values", at,
                             TREE_DEPTH_MAX, values_max);
        if ((c == ']' || c == '}') && depth > 0)
            depth--;
        at = c == '"' ? text_end(walk, at, &plain) : at + 1;
    } while (depth > 0);
    *end = at;
    return true;
}

bool json_walk_tree(struct json_walk *walk, json_t **value, struct fault *fault)
{
    size_t end;
    json_walk_peek(walk);
    if (!value_end(walk, STRICT_JSON_VALUE_MAX, &end, fault))
        return false;
    *value = parse(walk, end - walk->at, fault);
    walk->at = *value ? end : walk->at;
    return *value;
}

bool json_walk_skip(struct json_walk *walk, size_t *start, struct fault *fault)
{
    size_t end;
    json_walk_peek(walk);
    *start = walk->at;
    if (!value_end(walk, SIZE_MAX, &end, fault))
        return false;
    walk->at = end;
    return true;
}

bool json_walk_end(struct json_walk *walk, struct fault *fault)
{
    return (json_walk_peek(walk) == 0 && walk->at >= walk->size) ||
           unexpected(walk, "the end of the file", fault);
}
