/* jinja_number.c: numbers to text and back as Python does it, whatever the process's locale. */
#include "jinja_number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char decimal_point(void)
{
    return localeconv()->decimal_point[0];
}

static void replace_point(char *text, char from, char to)
{
    char *point = from != to ? strchr(text, from) : NULL;
    if (point)
        *point = to;
}

double number_parse(const char *text)
{
    char copy[512];
    size_t size = strlen(text);
    if (size >= sizeof copy)
        return NAN;
    memcpy(copy, text, size + 1);
    replace_point(copy, '.', decimal_point());
    return strtod(copy, NULL);
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
        return (c | 0x20) - 'a' + 10;
    return 99;
}

bool number_parse_integer(const char *text, size_t size, int base, int64_t *out)
{
    int64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        int digit = digit_of(text[i]);
        if (digit >= base || number > (INT64_MAX - digit) / base)
            return false;
        number = number * base + digit;
    }
    *out = number;
    return size > 0;
}

size_t number_print(double number, int precision, char conversion, char *out, size_t room)
{
    char format[8] = {'%', '.', '*', conversion, 0};
    int size = snprintf(out, room, format, precision, number);
    if (size < 0 || (size_t)size >= room)
        return 0;
    replace_point(out, decimal_point(), '.');
    return (size_t)size;
}

/* The fewest significant digits that read back, as "d.ddde+XX". */
static void shortest(double number, char *text, size_t room)
{
    for (int precision = 0; precision < 17; precision++) {
        number_print(number, precision, 'e', text, room);
        if (number_parse(text) == number)
            return;
    }
}

static size_t plain_repr(const char *digits, int count, int exponent, char *out)
{
    size_t used = 0;
    for (int i = exponent < 0 ? exponent : 0; i < count || i <= exponent + 1; i++) {
        if (i == exponent + 1)
            out[used++] = '.';
        out[used++] = i >= 0 && i < count ? digits[i] : '0';
    }
    return used;
}

size_t number_repr(double number, char out[32])
{
    char text[40], digits[24] = "";
    size_t used = 0;
    int count = 0;
    if (isnan(number))
        return (size_t)snprintf(out, 32, "nan");
    if (signbit(number))
        out[used++] = '-';
    if (isinf(number))
        return used + (size_t)snprintf(out + used, 32 - used, "inf");
    shortest(fabs(number), text, sizeof text);
    const char *rest = strchr(text, 'e');
    int exponent = atoi(rest + 1);
    for (const char *p = text; p < rest; p++)
        if (*p != '.')
            digits[count++] = *p;
    if (exponent >= -4 && exponent < 16)
        return used + plain_repr(digits, count, exponent, out + used);
    out[used++] = digits[0];
    if (count > 1) {
        out[used++] = '.';
        memcpy(out + used, digits + 1, (size_t)count - 1);
        used += (size_t)count - 1;
    }
    return used + (size_t)snprintf(out + used, 32 - used, "e%c%02d", exponent < 0 ? '-' : '+',
                                   abs(exponent));
}
