/* jinja_global.c: the functions a template sees as globals, and how arguments meet parameters. */
#include "jinja_run.h"
#include "jinja_text.h"

#include <string.h>
#include <time.h>

enum { MOST_PARAMETERS = 4 };

static bool check_integers(struct run *run, const struct call *call)
{
    if (call->keyword_count > 0)
        return run_fail(run, "range() takes no keyword arguments");
    if (call->count < 1 || call->count > 3)
        return run_fail(run, "range expected 1 to 3 arguments, got %zu", call->count);
    for (size_t i = 0; i < call->count; i++) {
        if (call->values[i].kind == VALUE_UNDEFINED)
            return value_fail_undefined(run, &call->values[i]);
        if (!value_is_integer(&call->values[i]))
            return run_fail(run, "'%s' object cannot be interpreted as an integer",
                            value_type(&call->values[i]));
    }
    return true;
}

static bool global_range(struct run *run, const struct value *subject, const struct call *call,
                         struct value *out)
{
    (void)subject;
    if (!check_integers(run, call))
        return false;
    struct range *range = run_alloc(run, 1, sizeof *range);
    if (!range)
        return false;
    range->start = call->count > 1 ? value_integer(&call->values[0]) : 0;
    range->stop = value_integer(&call->values[call->count > 1]);
    range->step = call->count > 2 ? value_integer(&call->values[2]) : 1;
    if (range->step == 0)
        return run_fail(run, "range() arg 3 must not be zero");
    bool down = range->step < 0;
    uint64_t step = down ? 0 - (uint64_t)range->step : (uint64_t)range->step;
    uint64_t span = down ? (uint64_t)range->start - (uint64_t)range->stop
                         : (uint64_t)range->stop - (uint64_t)range->start;
    if (down ? range->start > range->stop : range->stop > range->start)
        range->count = (size_t)((span - 1) / step) + 1;
    if (range->count > RUN_RANGE)
        return run_fail(run, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).",
                        RUN_RANGE);
    *out = (struct value){.kind = VALUE_RANGE, .range = range};
    return true;
}

static bool add_pairs(struct run *run, struct dict *dict, const struct value *source)
{
    struct list pairs, pair;
    if (!value_items(run, source, &pairs))
        return false;
    for (size_t i = 0; i < pairs.count; i++) {
        if (!value_items(run, &pairs.items[i], &pair))
            return false;
        if (pair.count != 2)
            return run_fail(run,
                            "dictionary update sequence element #%zu has length %zu; 2 is "
                            "required",
                            i, pair.count);
        if (!run_spend(run, 0) || !dict_set(run, dict, &pair.items[0], &pair.items[1]))
            return false;
    }
    return true;
}

static bool make_dict(struct run *run, const struct call *call, enum value_kind kind,
                      struct value *out)
{
    struct value items;
    if (call->count > 1)
        return run_fail(run, "dict expected at most 1 argument, got %zu", call->count);
    if (!value_dict(run, kind, call->keyword_count, out))
        return false;
    if (call->count == 1) {
        items = call->values[0];
        if (items.kind == VALUE_DICT) {
            items.kind = VALUE_VIEW;
            items.view = VIEW_ITEMS;
        }
        if (!add_pairs(run, out->dict, &items))
            return false;
    }
    for (size_t i = 0; i < call->keyword_count; i++)
        if (!dict_set(run, out->dict, &call->keywords[i].name, &call->keywords[i].value))
            return false;
    return true;
}

static bool global_dict(struct run *run, const struct value *subject, const struct call *call,
                        struct value *out)
{
    (void)subject;
    return make_dict(run, call, VALUE_DICT, out);
}

static bool global_namespace(struct run *run, const struct value *subject, const struct call *call,
                             struct value *out)
{
    (void)subject;
    return make_dict(run, call, VALUE_NAMESPACE, out);
}

static bool global_raise(struct run *run, const struct value *subject, const struct call *call,
                         struct value *out)
{
    struct value message;
    (void)subject, (void)out;
    if (!value_string(run, &call->values[0], &message))
        return false;
    run->failed = true;
    return fault_set(run->fault, FAULT_ARGUMENT, "%.*s", (int)message.size, message.bytes);
}

/* What a naive datetime of Python puts for %f, %z and %Z. */
static bool expand_format(const struct value *format, struct builder *out)
{
    for (size_t i = 0; i < format->size; i++) {
        char next = format->bytes[i] == '%' && i + 1 < format->size ? format->bytes[i + 1] : 0;
        if (next == 'f' && !builder_text(out, "000000"))
            return false;
        if (next && strchr("fzZ", next)) {
            i++;
            continue;
        }
        if (!builder_character(out, format->bytes[i]) ||
            (next && !builder_character(out, format->bytes[++i])))
            return false;
    }
    return builder_text(out, "|") && builder_character(out, 0); /* an end that is never empty */
}

static bool global_strftime(struct run *run, const struct value *subject, const struct call *call,
                            struct value *out)
{
    struct builder format = {.run = run};
    struct tm now;
    time_t seconds = (time_t)run->time_unix;
    char *text = run_alloc(run, 4096, 1);
    (void)subject;
    if (call->values[0].kind != VALUE_STRING)
        return run_fail(run, "strftime() argument 1 must be str, not %s",
                        value_type(&call->values[0]));
    if (!text || !expand_format(&call->values[0], &format))
        return false;
    if (!localtime_r(&seconds, &now))
        return run_fail(run, "this time has no date");
    size_t size = strftime(text, 4096, format.bytes, &now);
    if (size == 0 || !text_is_valid(text, size))
        return run_fail(run, "the date is too long or not UTF-8");
    *out = value_bytes(text, size - 1);
    return true;
}

static const struct builtin globals[] = {
    {"range", NULL, 0, global_range},
    {"dict", NULL, 0, global_dict},
    {"namespace", NULL, 0, global_namespace},
    {"raise_exception", "message", 1, global_raise},
    {"strftime_now", "format", 1, global_strftime},
    {"cycler", NULL, 0, NULL},
    {"joiner", NULL, 0, NULL},
    {"lipsum", NULL, 0, NULL},
};

const struct builtin *global_find(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (strlen(globals[i].name) == size && memcmp(globals[i].name, name, size) == 0)
            return &globals[i];
    return NULL;
}

/* Which of the parameters "a b c" a name is; *count becomes how many there are. */
static size_t parameter_index(const char *parameters, const struct value *name, size_t *count)
{
    size_t found = SIZE_MAX;
    *count = 0;
    while (*parameters) {
        size_t size = strcspn(parameters, " ");
        if (name && size == name->size && memcmp(parameters, name->bytes, size) == 0)
            found = *count;
        ++*count;
        parameters += size + (parameters[size] == ' ');
    }
    return found;
}

static bool bind(struct run *run, const struct builtin *builtin, const struct call *call,
                 struct value *slots)
{
    size_t count;
    parameter_index(builtin->parameters, NULL, &count);
    if (call->count > count)
        return run_fail(run, "%s takes at most %zu arguments (%zu given)", builtin->name, count,
                        call->count);
    for (size_t i = 0; i < call->count; i++)
        slots[i] = call->values[i];
    for (size_t i = 0; i < call->keyword_count; i++) {
        const struct value *name = &call->keywords[i].name;
        size_t index = parameter_index(builtin->parameters, name, &count);
        if (index == SIZE_MAX || slots[index].kind != VALUE_ABSENT)
            return run_fail(run, "%s got an unexpected keyword argument '%.*s'", builtin->name,
                            (int)name->size, name->bytes);
        slots[index] = call->keywords[i].value;
    }
    for (size_t i = 0; i < builtin->required; i++)
        if (slots[i].kind == VALUE_ABSENT)
            return run_fail(run, "%s is missing argument %zu", builtin->name, i + 1);
    return true;
}

bool run_builtin(struct run *run, const struct builtin *builtin, const struct value *subject,
                 const struct call *call, struct value *out)
{
    struct value slots[MOST_PARAMETERS] = {{0}};
    struct call bound = {.values = slots, .count = MOST_PARAMETERS};
    bool done = false;
    if (!builtin->function)
        return run_refuse(run, "'%s'", builtin->name);
    if (!run_enter(run))
        return false;
    if (run_spend(run, 0) && (!builtin->parameters || bind(run, builtin, call, slots)))
        done = builtin->function(run, subject, builtin->parameters ? &bound : call, out);
    run_leave(run);
    return done;
}
