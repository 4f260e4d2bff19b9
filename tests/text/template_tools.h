/* template_tools.h: what the tests of the template engine share. */
#ifndef LICHEN_TEMPLATE_TOOLS_H
#define LICHEN_TEMPLATE_TOOLS_H

#include "template.h"

#define TEMPLATE_TIME 1721995200 /* 26 Jul 2024 12:00:00 UTC, as render_golden.py */

struct rendered {
    const char *kind; /* "text", "raise" or "error", as render_golden.py names them */
    char *text;       /* malloc'd: the result, or the fault's text */
    size_t size;
    struct fault fault;
};

char *read_whole(const char *path, size_t *size); /* malloc'd, NUL behind; NULL: not there */
void render(const char *source, size_t source_size, const char *variables, struct rendered *out);
/* The same from a text, for short tests: free nothing, it stays until the next call. */
const char *render_text(const char *source, const char *variables);

#endif
