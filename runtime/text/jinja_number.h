/* jinja_number.h: numbers to text and back as Python does it, whatever the process's locale. */
#ifndef LICHEN_JINJA_NUMBER_H
#define LICHEN_JINJA_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* text: what strtod reads, with '.', NUL-terminated. */
double number_parse(const char *text);
/* Digits in a base from 2 to 36, no sign, no space. False: not digits, or beyond 63 bits. */
bool number_parse_integer(const char *text, size_t size, int base, int64_t *out);
/* float.__repr__: the shortest text that reads back as the number. Returns its size. */
size_t number_repr(double number, char out[32]);
/* snprintf("%.*CONVERSIONf") with '.', conversion one of e f g E F G. Returns the size. */
size_t number_print(double number, int precision, char conversion, char *out, size_t room);

#endif
