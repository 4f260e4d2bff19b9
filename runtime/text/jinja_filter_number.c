/* jinja_filter_number.c: abs, int, float, round. */
#include "jinja_filter.h"
#include "jinja_number.h"
#include "jinja_text.h"

#include <math.h>
#include <string.h>

bool filter_abs(struct run *run, const struct value *subject, const struct call *call,
                struct value *out)
{
    (void)call;
    if (subject->kind == VALUE_UNDEFINED || !value_is_number(subject))
        return subject->kind == VALUE_UNDEFINED
                   ? value_fail_undefined(run, subject)
                   : run_fail(run, "bad operand type for abs(): '%s'", value_type(subject));
    if (subject->kind == VALUE_FLOAT) {
        *out = value_float(fabs(subject->real));
        return true;
    }
    if (value_integer(subject) < 0)
        return value_unary(run, LEXEME_SUBTRACT, subject, out);
    *out = value_int(value_integer(subject));
    return true;
}

/* The text without the white space around it and without single underscores between digits. */
static size_t clean_digits(const struct value *text, char *out, size_t room)
{
    size_t start = text_space(text->bytes, text->size), used = 0;
    size_t end = text->size - text_space_before(text->bytes + start, text->size - start);
    for (size_t i = start; i < end && used + 1 < room; i++)
        if (text->bytes[i] != '_' || i == start || i + 1 == end || text->bytes[i - 1] == '_')
            out[used++] = text->bytes[i];
    out[used] = 0;
    return end - start < room ? used : 0;
}

static bool parse_int(const struct value *text, int64_t base, int64_t *out)
{
    char digits[80];
    size_t size = clean_digits(text, digits, sizeof digits);
    size_t start = size > 0 && (digits[0] == '-' || digits[0] == '+');
    bool negative = start && digits[0] == '-';
    const char *prefix = base == 16 ? "xX" : base == 8 ? "oO" : base == 2 ? "bB" : "";
    if (size > start + 2 && digits[start] == '0' && *prefix && strchr(prefix, digits[start + 1]))
        start += 2;
    if (base < 2 || base > 36 ||
        !number_parse_integer(digits + start, size - start, (int)base, out))
        return false;
    *out = negative ? -*out : *out;
    return true;
}

static size_t skip_digits(const char *text, size_t position)
{
    while (text[position] >= '0' && text[position] <= '9')
        position++;
    return position;
}

static bool is_decimal(const char *text)
{
    size_t whole = skip_digits(text, 0);
    size_t end = text[whole] == '.' ? skip_digits(text, whole + 1) : whole;
    if (end == 0 || (end == 1 && text[0] == '.'))
        return false;
    if (text[end] == 'e' || text[end] == 'E') {
        size_t exponent = end + 1 + (text[end + 1] == '+' || text[end + 1] == '-');
        end = skip_digits(text, exponent);
        if (end == exponent)
            return false;
    }
    return text[end] == 0;
}

static bool parse_float(const struct value *text, double *out)
{
    char digits[128];
    size_t size = clean_digits(text, digits, sizeof digits);
    bool negative = size > 0 && digits[0] == '-';
    const char *number = digits + (size > 0 && (digits[0] == '-' || digits[0] == '+'));
    for (char *c = digits; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
    if (strcmp(number, "inf") == 0 || strcmp(number, "infinity") == 0)
        *out = HUGE_VAL;
    else if (strcmp(number, "nan") == 0)
        *out = (double)NAN;
    else if (is_decimal(number))
        *out = number_parse(number);
    else
        return false;
    *out = negative ? -*out : *out;
    return true;
}

static bool truncate_real(struct run *run, double real, struct value *out)
{
    if (isnan(real) || isinf(real))
        return run_fail(run, "cannot convert float %s to integer",
                        isnan(real) ? "NaN" : "infinity");
    if (fabs(real) >= 9.2e18)
        return run_fail(run, "integer beyond 64 bits");
    *out = value_int((int64_t)real);
    return true;
}

bool filter_int(struct run *run, const struct value *subject, const struct call *call,
                struct value *out)
{
    int64_t base = call->values[1].kind == VALUE_INT ? call->values[1].integer : 10, integer;
    double real;
    if (subject->kind == VALUE_UNDEFINED)
        return value_fail_undefined(run, subject);
    if (value_is_integer(subject)) {
        *out = value_int(value_integer(subject));
        return true;
    }
    if (subject->kind == VALUE_FLOAT && !isnan(subject->real))
        return truncate_real(run, subject->real, out);
    *out = call->values[0].kind == VALUE_ABSENT ? value_int(0) : call->values[0];
    if (subject->kind == VALUE_STRING && parse_int(subject, base, &integer))
        *out = value_int(integer);
    else if (subject->kind == VALUE_STRING && parse_float(subject, &real) && !isnan(real))
        return truncate_real(run, real, out);
    return true;
}

bool filter_float(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    double real;
    if (subject->kind == VALUE_UNDEFINED)
        return value_fail_undefined(run, subject);
    *out = call->values[0].kind == VALUE_ABSENT ? value_float(0) : call->values[0];
    if (value_is_number(subject))
        *out = value_float(value_real(subject));
    else if (subject->kind == VALUE_STRING && parse_float(subject, &real))
        *out = value_float(real);
    return true;
}

/* round(real, digits): the decimal that is nearest to the exact value, ties to even. */
static double round_decimal(double real, int64_t digits)
{
    char text[800];
    if (!isfinite(real) || digits > 300)
        return real;
    if (digits < 0) {
        double unit = pow(10.0, (double)(digits < -308 ? 308 : -digits));
        return nearbyint(real / unit) * unit;
    }
    if (number_print(real, (int)digits, 'f', text, sizeof text) == 0)
        return real;
    return number_parse(text);
}

static bool round_integer(struct run *run, const struct value *subject, int64_t digits,
                          struct value *out)
{
    if (digits < 0)
        return run_refuse(run, "rounding an integer to tens");
    *out = value_int(value_integer(subject));
    return true;
}

bool filter_round(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    const struct value *precision = &call->values[0], *method = &call->values[1];
    int64_t digits = precision->kind == VALUE_ABSENT ? 0 : value_integer(precision);
    bool common = method->kind == VALUE_ABSENT || value_is_text(method, "common");
    bool ceiling = value_is_text(method, "ceil");
    if (subject->kind == VALUE_UNDEFINED)
        return value_fail_undefined(run, subject);
    if (!value_is_number(subject))
        return run_fail(run, "type %s doesn't define __round__ method", value_type(subject));
    if (!common && !ceiling && !value_is_text(method, "floor"))
        return run_fail(run, "method must be common, ceil or floor");
    if (precision->kind != VALUE_ABSENT && !value_is_integer(precision))
        return run_fail(run, "precision must be an integer");
    if (common && value_is_integer(subject))
        return round_integer(run, subject, digits, out);
    double real = value_real(subject), scale = pow(10.0, (double)digits);
    *out = value_float(common    ? round_decimal(real, digits)
                       : ceiling ? ceil(real * scale) / scale
                                 : floor(real * scale) / scale);
    return true;
}
