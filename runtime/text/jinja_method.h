/* jinja_method.h: the methods of str (jinja_string_method.c). Private to text/. */
#ifndef LICHEN_JINJA_METHOD_H
#define LICHEN_JINJA_METHOD_H

#include "jinja_run.h"

extern const struct builtin string_methods[]; /* ends with a NULL name */

#endif
