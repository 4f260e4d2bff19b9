/* jinja_operator.c: + - * / // % ** on values, as Python computes them. Integers are 64 bits; where
 * Python would go beyond, the template fails. */
#include "jinja_run.h"

#include <math.h>
#include <string.h>

static const char *operator_text(enum lexeme_kind operator)
{
    static const char *const texts[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};
    return texts[operator - LEXEME_ADD];
}

static bool fail_types(struct run *run, enum lexeme_kind operator, const struct value * left,
                       const struct value *right)
{
    if (operator== LEXEME_ADD && left->kind == VALUE_STRING)
        return run_fail(run, "can only concatenate str (not \"%s\") to str", value_type(right));
    return run_fail(run, "unsupported operand type(s) for %s: '%s' and '%s'",
                    operator_text(operator), value_type(left), value_type(right));
}

static bool fail_overflow(struct run *run)
{
    return run_fail(run, "integer beyond 64 bits");
}

static bool fail_zero(struct run *run)
{
    return run_fail(run, "division by zero");
}

/* Both functions round to minus infinity, as Python does. */
static bool divide_floor(struct run *run, int64_t left, int64_t right, struct value *out)
{
    if (right == 0)
        return fail_zero(run);
    if (left == INT64_MIN && right == -1)
        return fail_overflow(run);
    int64_t quotient = left / right;
    if (left % right != 0 && (left < 0) != (right < 0))
        quotient--;
    *out = value_int(quotient);
    return true;
}

static bool modulo_floor(struct run *run, int64_t left, int64_t right, struct value *out)
{
    if (right == 0)
        return fail_zero(run);
    int64_t rest = right == -1 ? 0 : left % right;
    if (rest != 0 && (rest < 0) != (right < 0))
        rest += right;
    *out = value_int(rest);
    return true;
}

static bool power_integer(struct run *run, int64_t base, int64_t exponent, struct value *out)
{
    int64_t result = 1;
    if (exponent < 0) {
        if (base == 0)
            return run_fail(run, "0.0 cannot be raised to a negative power");
        *out = value_float(pow((double)base, (double)exponent));
        return true;
    }
    while (exponent > 0) {
        if ((exponent & 1) && __builtin_mul_overflow(result, base, &result))
            return fail_overflow(run);
        exponent >>= 1;
        if (exponent > 0 && __builtin_mul_overflow(base, base, &base))
            return fail_overflow(run);
    }
    *out = value_int(result);
    return true;
}

static bool integer_binary(struct run *run, enum lexeme_kind operator, int64_t left, int64_t right,
                           struct value *out)
{
    int64_t result;
    bool overflow;
    switch (operator) {
    case LEXEME_ADD:
        overflow = __builtin_add_overflow(left, right, &result);
        break;
    case LEXEME_SUBTRACT:
        overflow = __builtin_sub_overflow(left, right, &result);
        break;
    case LEXEME_MULTIPLY:
        overflow = __builtin_mul_overflow(left, right, &result);
        break;
    case LEXEME_FLOOR_DIVIDE:
        return divide_floor(run, left, right, out);
    case LEXEME_MODULO:
        return modulo_floor(run, left, right, out);
    case LEXEME_POWER:
        return power_integer(run, left, right, out);
    default:
        *out = value_float((double)left / (double)right);
        return right != 0 || fail_zero(run);
    }
    *out = value_int(result);
    return !overflow || fail_overflow(run);
}

static double modulo_real(double left, double right)
{
    double rest = fmod(left, right);
    if (rest == 0)
        return copysign(0.0, right);
    return (rest < 0) != (right < 0) ? rest + right : rest;
}

static double divide_floor_real(double left, double right)
{
    double quotient = (left - modulo_real(left, right)) / right;
    if (quotient == 0)
        return copysign(0.0, left / right);
    double floored = floor(quotient);
    return quotient - floored > 0.5 ? floored + 1 : floored;
}

static bool real_binary(struct run *run, enum lexeme_kind operator, double left, double right,
                        struct value *out)
{
    if (right == 0 &&
        (operator== LEXEME_DIVIDE || operator== LEXEME_FLOOR_DIVIDE || operator== LEXEME_MODULO))
        return fail_zero(run);
    switch (operator) {
    case LEXEME_ADD:
        *out = value_float(left + right);
        return true;
    case LEXEME_SUBTRACT:
        *out = value_float(left - right);
        return true;
    case LEXEME_MULTIPLY:
        *out = value_float(left * right);
        return true;
    case LEXEME_DIVIDE:
        *out = value_float(left / right);
        return true;
    case LEXEME_FLOOR_DIVIDE:
        *out = value_float(divide_floor_real(left, right));
        return true;
    case LEXEME_MODULO:
        *out = value_float(modulo_real(left, right));
        return true;
    default:
        if (left < 0 && right != floor(right))
            return run_refuse(run, "a complex number");
        *out = value_float(pow(left, right));
        return !isinf(out->real) || isinf(left) || isinf(right) ||
               run_fail(run, "result of ** is out of range");
    }
}

/* Copies `left` to where it may grow up to `capacity` bytes. */
static bool move_to_tail(struct run *run, const struct value *left, size_t capacity,
                         const char **bytes)
{
    char *copy = run_alloc(run, capacity, 1);
    if (!copy || !run_spend(run, left->size))
        return false;
    if (left->size > 0)
        memcpy(copy, left->bytes, left->size);
    run->tail_room = capacity - left->size;
    run->tail_end = copy + left->size;
    *bytes = copy;
    return true;
}

/* A string that is appended to again and again, as ns.text = ns.text + more, grows in place: what
 * stands behind its end belongs to nobody else. */
bool value_join(struct run *run, const struct value *left, const struct value *right,
                struct value *out)
{
    const char *bytes = left->bytes;
    size_t size = left->size + right->size;
    bool grows = left->size > 0 && left->bytes + left->size == run->tail_end;
    if (!run_spend(run, right->size))
        return false;
    if ((!grows || right->size > run->tail_room) &&
        !move_to_tail(run, left, grows ? 2 * size : size, &bytes))
        return false;
    if (right->size > 0)
        memcpy(run->tail_end, right->bytes, right->size);
    run->tail_end += right->size;
    run->tail_room -= right->size;
    *out = value_bytes(bytes, size);
    return true;
}

/* str + str; where one side is Markup, the other is escaped. */
static bool add_strings(struct run *run, const struct value *left, const struct value *right,
                        struct value *out)
{
    struct value a = *left, b = *right;
    bool markup = a.markup || b.markup;
    if (markup && ((!a.markup && !value_escape(run, left, &a)) ||
                   (!b.markup && !value_escape(run, right, &b))))
        return false;
    if (!value_join(run, &a, &b, out))
        return false;
    out->markup = markup;
    return true;
}

static void copy_values(struct value *out, const struct list *list)
{
    if (list->count > 0)
        memcpy(out, list->items, list->count * sizeof *out);
}

static bool add_lists(struct run *run, const struct value *left, const struct value *right,
                      struct value *out)
{
    const struct list *a = left->list, *b = right->list;
    if (!run_spend(run, (a->count + b->count) * sizeof *a->items) ||
        !value_list(run, left->kind, a->count + b->count, out))
        return false;
    copy_values(out->list->items, a);
    copy_values(out->list->items + a->count, b);
    return true;
}

static bool repeat_string(struct run *run, const struct value *value, size_t times,
                          struct value *out)
{
    if (value->size > 0 && times > RUN_MEMORY / value->size)
        times = RUN_MEMORY;
    char *bytes = run_alloc(run, times, value->size);
    if (!bytes || !run_spend(run, times * value->size))
        return false;
    for (size_t i = 0; value->size > 0 && i < times; i++)
        memcpy(bytes + i * value->size, value->bytes, value->size);
    *out = value_bytes(bytes, times * value->size);
    out->markup = value->markup;
    return true;
}

bool value_repeat(struct run *run, const struct value *value, int64_t times, struct value *out)
{
    size_t count = times > 0 ? (size_t)times : 0;
    if (value->kind == VALUE_STRING)
        return repeat_string(run, value, count, out);
    const struct list *list = value->list;
    if (list->count == 0)
        count = 0;
    else if (count > RUN_MEMORY / list->count)
        count = RUN_MEMORY / list->count;
    if (!value_list(run, value->kind, count * list->count, out))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!run_spend(run, list->count * sizeof *list->items))
            return false;
        copy_values(out->list->items + i * list->count, list);
    }
    return true;
}

static bool is_sequence(const struct value *value)
{
    return value->kind == VALUE_STRING || value->kind == VALUE_LIST || value->kind == VALUE_TUPLE;
}

static bool other_binary(struct run *run, enum lexeme_kind operator, const struct value * left,
                         const struct value *right, struct value *out)
{
    bool lists = left->kind == VALUE_LIST || left->kind == VALUE_TUPLE;
    if (operator== LEXEME_ADD && left->kind == VALUE_STRING && right->kind == VALUE_STRING)
        return add_strings(run, left, right, out);
    if (operator== LEXEME_ADD && lists && left->kind == right->kind)
        return add_lists(run, left, right, out);
    if (operator== LEXEME_MULTIPLY && is_sequence(left) && value_is_integer(right))
        return value_repeat(run, left, value_integer(right), out);
    if (operator== LEXEME_MULTIPLY && is_sequence(right) && value_is_integer(left))
        return value_repeat(run, right, value_integer(left), out);
    return fail_types(run, operator, left, right);
}

bool value_binary(struct run *run, enum lexeme_kind operator, const struct value * left,
                  const struct value *right, struct value *out)
{
    if (operator== LEXEME_MODULO && left->kind == VALUE_STRING)
        return value_format(run, left, right, out);
    if (left->kind == VALUE_UNDEFINED)
        return value_fail_undefined(run, left);
    if (right->kind == VALUE_UNDEFINED)
        return value_fail_undefined(run, right);
    if (value_is_integer(left) && value_is_integer(right))
        return integer_binary(run, operator, value_integer(left), value_integer(right), out);
    if (value_is_number(left) && value_is_number(right))
        return real_binary(run, operator, value_real(left), value_real(right), out);
    return other_binary(run, operator, left, right, out);
}

bool value_unary(struct run *run, enum lexeme_kind operator, const struct value * operand,
                 struct value *out)
{
    bool negative = operator== LEXEME_SUBTRACT;
    if (operand->kind == VALUE_UNDEFINED)
        return value_fail_undefined(run, operand);
    if (!value_is_number(operand))
        return run_fail(run, "bad operand type for unary %c: '%s'", negative ? '-' : '+',
                        value_type(operand));
    if (operand->kind == VALUE_FLOAT) {
        *out = value_float(negative ? -operand->real : operand->real);
        return true;
    }
    int64_t integer = value_integer(operand);
    if (negative && integer == INT64_MIN)
        return fail_overflow(run);
    *out = value_int(negative ? -integer : integer);
    return true;
}
