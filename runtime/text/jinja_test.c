/* jinja_test.c: what may stand behind `is`. */
#include "jinja_run.h"
#include "jinja_string_method.h"

#include <string.h>

static bool answer(struct value *out, bool boolean)
{
    *out = value_bool(boolean);
    return true;
}

#define KIND_TEST(name, condition)                                                                 \
    static bool test_##name(struct run *run, const struct value *subject, const struct call *call, \
                            struct value *out)                                                     \
    {                                                                                              \
        (void)run, (void)call;                                                                     \
        return answer(out, condition);                                                             \
    }

KIND_TEST(defined, subject->kind != VALUE_UNDEFINED)
KIND_TEST(undefined, subject->kind == VALUE_UNDEFINED)
KIND_TEST(none, subject->kind == VALUE_NONE)
KIND_TEST(boolean, subject->kind == VALUE_BOOL)
KIND_TEST(true, subject->kind == VALUE_BOOL && subject->boolean)
KIND_TEST(false, subject->kind == VALUE_BOOL && !subject->boolean)
KIND_TEST(integer, subject->kind == VALUE_INT)
KIND_TEST(float, subject->kind == VALUE_FLOAT)
KIND_TEST(number, value_is_number(subject))
KIND_TEST(string, subject->kind == VALUE_STRING)
KIND_TEST(mapping, subject->kind == VALUE_DICT)
KIND_TEST(escaped, subject->markup)
KIND_TEST(callable, subject->kind == VALUE_MACRO || subject->kind == VALUE_FUNCTION ||
                        subject->kind == VALUE_METHOD || subject->kind == VALUE_UNDEFINED)
KIND_TEST(sequence, subject->kind == VALUE_UNDEFINED ||
                        (subject->kind >= VALUE_STRING && subject->kind <= VALUE_RANGE))
KIND_TEST(iterable, subject->kind == VALUE_UNDEFINED || subject->kind == VALUE_LOOP ||
                        (subject->kind >= VALUE_STRING && subject->kind <= VALUE_ITERATOR))

static bool remainder_is(struct run *run, const struct value *subject, const struct value *by,
                         int64_t wanted, struct value *out)
{
    struct value rest, expected = value_int(wanted);
    bool equal;
    if (!value_binary(run, LEXEME_MODULO, subject, by, &rest) ||
        !value_equal(run, &rest, &expected, &equal))
        return false;
    return answer(out, equal);
}

static bool test_odd(struct run *run, const struct value *subject, const struct call *call,
                     struct value *out)
{
    struct value two = value_int(2);
    (void)call;
    return remainder_is(run, subject, &two, 1, out);
}

static bool test_even(struct run *run, const struct value *subject, const struct call *call,
                      struct value *out)
{
    struct value two = value_int(2);
    (void)call;
    return remainder_is(run, subject, &two, 0, out);
}

static bool test_divisibleby(struct run *run, const struct value *subject, const struct call *call,
                             struct value *out)
{
    return remainder_is(run, subject, &call->values[0], 0, out);
}

static bool test_upper(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    struct value text;
    return value_string(run, subject, &text) && string_isupper(run, &text, call, out);
}

static bool test_lower(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    struct value text;
    return value_string(run, subject, &text) && string_islower(run, &text, call, out);
}

static bool test_equal(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    bool equal;
    return value_equal(run, subject, &call->values[0], &equal) && answer(out, equal);
}

static bool test_not_equal(struct run *run, const struct value *subject, const struct call *call,
                           struct value *out)
{
    bool equal;
    return value_equal(run, subject, &call->values[0], &equal) && answer(out, !equal);
}

static bool test_less(struct run *run, const struct value *subject, const struct call *call,
                      struct value *out)
{
    int order;
    return value_compare(run, subject, &call->values[0], &order) && answer(out, order == -1);
}

static bool test_less_equal(struct run *run, const struct value *subject, const struct call *call,
                            struct value *out)
{
    int order;
    return value_compare(run, subject, &call->values[0], &order) && answer(out, order <= 0);
}

static bool test_greater(struct run *run, const struct value *subject, const struct call *call,
                         struct value *out)
{
    int order;
    return value_compare(run, subject, &call->values[0], &order) && answer(out, order == 1);
}

static bool test_greater_equal(struct run *run, const struct value *subject,
                               const struct call *call, struct value *out)
{
    int order;
    return value_compare(run, subject, &call->values[0], &order) &&
           answer(out, order == 0 || order == 1);
}

static bool test_in(struct run *run, const struct value *subject, const struct call *call,
                    struct value *out)
{
    bool found;
    return value_contains(run, &call->values[0], subject, &found) && answer(out, found);
}

/* Identity: of equal small values Python has one object, so they are the same here. */
static bool test_sameas(struct run *run, const struct value *subject, const struct call *call,
                        struct value *out)
{
    const struct value *other = &call->values[0];
    bool equal;
    if (subject->kind != other->kind)
        return answer(out, false);
    if (subject->kind == VALUE_FLOAT || subject->kind == VALUE_STRING)
        return run_refuse(run, "sameas of a %s", value_type(subject));
    if (subject->kind < VALUE_STRING)
        return value_equal(run, subject, other, &equal) && answer(out, equal);
    return answer(out, subject->list == other->list);
}

static bool test_filter(struct run *run, const struct value *subject, const struct call *call,
                        struct value *out)
{
    (void)run, (void)call;
    return answer(out, subject->kind == VALUE_STRING &&
                           (filter_find(subject->bytes, subject->size) ||
                            filter_is_refused(subject->bytes, subject->size)));
}

static bool test_test(struct run *run, const struct value *subject, const struct call *call,
                      struct value *out)
{
    (void)run, (void)call;
    return answer(out, subject->kind == VALUE_STRING && test_find(subject->bytes, subject->size));
}

static const struct builtin tests[] = {
    {"defined", "", 0, test_defined},
    {"undefined", "", 0, test_undefined},
    {"none", "", 0, test_none},
    {"boolean", "", 0, test_boolean},
    {"true", "", 0, test_true},
    {"false", "", 0, test_false},
    {"integer", "", 0, test_integer},
    {"float", "", 0, test_float},
    {"number", "", 0, test_number},
    {"string", "", 0, test_string},
    {"mapping", "", 0, test_mapping},
    {"sequence", "", 0, test_sequence},
    {"iterable", "", 0, test_iterable},
    {"callable", "", 0, test_callable},
    {"escaped", "", 0, test_escaped},
    {"odd", "", 0, test_odd},
    {"even", "", 0, test_even},
    {"divisibleby", "num", 1, test_divisibleby},
    {"upper", "", 0, test_upper},
    {"lower", "", 0, test_lower},
    {"in", "seq", 1, test_in},
    {"sameas", "other", 1, test_sameas},
    {"filter", "", 0, test_filter},
    {"test", "", 0, test_test},
    {"equalto", "other", 1, test_equal},
    {"eq", "other", 1, test_equal},
    {"==", "other", 1, test_equal},
    {"ne", "other", 1, test_not_equal},
    {"!=", "other", 1, test_not_equal},
    {"lessthan", "other", 1, test_less},
    {"lt", "other", 1, test_less},
    {"<", "other", 1, test_less},
    {"le", "other", 1, test_less_equal},
    {"<=", "other", 1, test_less_equal},
    {"greaterthan", "other", 1, test_greater},
    {"gt", "other", 1, test_greater},
    {">", "other", 1, test_greater},
    {"ge", "other", 1, test_greater_equal},
    {">=", "other", 1, test_greater_equal},
};

const struct builtin *test_find(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (strlen(tests[i].name) == size && memcmp(tests[i].name, name, size) == 0)
            return &tests[i];
    return NULL;
}

bool run_test_named(struct run *run, const struct value *name, const struct value *subject,
                    const struct call *call, bool *out)
{
    struct value result;
    const struct builtin *test =
        name->kind == VALUE_STRING ? test_find(name->bytes, name->size) : NULL;
    if (!test)
        return run_fail(run, "No test named '%.*s' found.",
                        name->kind == VALUE_STRING ? (int)name->size : 0, name->bytes);
    if (!run_builtin(run, test, subject, call, &result))
        return false;
    *out = result.boolean;
    return true;
}
