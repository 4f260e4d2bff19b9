/* jinja_filter.c: which filters there are, and `default`. */
#include "jinja_filter.h"

#include <string.h>

static bool filter_default(struct run *run, const struct value *subject, const struct call *call,
                           struct value *out)
{
    bool boolean = call->values[1].kind != VALUE_ABSENT && value_truth(&call->values[1]);
    (void)run;
    *out = *subject;
    if (subject->kind == VALUE_UNDEFINED || (boolean && !value_truth(subject)))
        *out = call->values[0].kind == VALUE_ABSENT ? value_text("") : call->values[0];
    return true;
}

static const struct builtin filters[] = {
    {"abs", "", 0, filter_abs},
    {"attr", "name", 1, filter_attr},
    {"capitalize", "", 0, filter_capitalize},
    {"center", "width", 0, filter_center},
    {"count", "", 0, filter_length},
    {"d", "default_value boolean", 0, filter_default},
    {"default", "default_value boolean", 0, filter_default},
    {"dictsort", "case_sensitive by reverse", 0, filter_dictsort},
    {"e", "", 0, filter_escape},
    {"escape", "", 0, filter_escape},
    {"first", "", 0, filter_first},
    {"float", "default", 0, filter_float},
    {"format", NULL, 0, filter_format},
    {"indent", "width first blank", 0, filter_indent},
    {"int", "default base", 0, filter_int},
    {"items", "", 0, filter_items},
    {"join", "d attribute", 0, filter_join},
    {"last", "", 0, filter_last},
    {"length", "", 0, filter_length},
    {"list", "", 0, filter_list},
    {"lower", "", 0, filter_lower},
    {"map", NULL, 0, filter_map},
    {"max", "case_sensitive attribute", 0, filter_max},
    {"min", "case_sensitive attribute", 0, filter_min},
    {"reject", NULL, 0, filter_reject},
    {"rejectattr", NULL, 0, filter_rejectattr},
    {"replace", "old new count", 2, filter_replace},
    {"reverse", "", 0, filter_reverse},
    {"round", "precision method", 0, filter_round},
    {"safe", "", 0, filter_safe},
    {"select", NULL, 0, filter_select},
    {"selectattr", NULL, 0, filter_selectattr},
    {"sort", "reverse case_sensitive attribute", 0, filter_sort},
    {"string", "", 0, filter_string},
    {"sum", "attribute start", 0, filter_sum},
    {"title", "", 0, filter_title},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, value_tojson},
    {"trim", "chars", 0, filter_trim},
    {"unique", "case_sensitive attribute", 0, filter_unique},
    {"upper", "", 0, filter_upper},
};

static const char *const refused[] = {
    "batch",     "filesizeformat", "forceescape", "groupby", "pprint",    "random",   "slice",
    "striptags", "truncate",       "urlencode",   "urlize",  "wordcount", "wordwrap", "xmlattr",
};

static bool is_name(const char *wanted, const char *name, size_t size)
{
    return strlen(wanted) == size && memcmp(wanted, name, size) == 0;
}

const struct builtin *filter_find(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (is_name(filters[i].name, name, size))
            return &filters[i];
    return NULL;
}

bool filter_is_refused(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (is_name(refused[i], name, size))
            return true;
    return false;
}

bool run_filter_named(struct run *run, const struct value *name, const struct value *subject,
                      const struct call *call, struct value *out)
{
    if (name->kind != VALUE_STRING)
        return run_fail(run, "a filter's name must be a string");
    if (filter_is_refused(name->bytes, name->size))
        return run_refuse(run, "filter '%.*s'", (int)name->size, name->bytes);
    const struct builtin *filter = filter_find(name->bytes, name->size);
    if (!filter)
        return run_fail(run, "No filter named '%.*s' found.", (int)name->size, name->bytes);
    return run_builtin(run, filter, subject, call, out);
}
