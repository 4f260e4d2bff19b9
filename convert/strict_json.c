/* strict_json.c: a scan that only counts, then jansson. The scan bounds jansson's memory and
 * recursion; whether the text is JSON at all is jansson's to say. */
#include "strict_json.h"

static bool scan(const char *bytes, size_t size, int depth_max, size_t base, struct fault *fault)
{
    size_t values = 0;
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        char c = bytes[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        values += c == ',' || c == ':' || c == '[' || c == '{';
        depth += (c == '[' || c == '{') - (c == ']' || c == '}');
        if (depth > depth_max)
            return fault_set(fault, FAULT_FORMAT, "byte %zu: JSON nested deeper than %d", base + i,
                             depth_max);
        if (values > STRICT_JSON_VALUE_MAX)
            return fault_set(fault, FAULT_FORMAT, "byte %zu: JSON of more than %d values", base + i,
                             STRICT_JSON_VALUE_MAX);
    }
    return true;
}

json_t *strict_json_parse(const char *bytes, size_t size, int depth_max, size_t base,
                          struct fault *fault)
{
    if (!scan(bytes, size, depth_max, base, fault))
        return NULL;
    json_error_t error;
    json_t *root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        size_t position = error.position > 0 ? (size_t)error.position : 0;
        fault_set(fault, FAULT_FORMAT, "byte %zu: not valid JSON: %s", base + position, error.text);
        return NULL;
    }
    if (json_is_object(root))
        return root;
    fault_set(fault, FAULT_FORMAT, "byte %zu: JSON is %s, expected an object", base,
              strict_json_kind(root));
    json_decref(root);
    return NULL;
}

const char *strict_json_kind(const json_t *value)
{
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "text";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a fraction";
    case JSON_NULL:
        return "null";
    default:
        return "a truth value";
    }
}
