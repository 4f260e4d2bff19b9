/* utf8.h: one character of UTF-8 at a time (Unicode 15, table 3-7: no surrogates, no overlong
 * forms, nothing above U+10FFFF). For the folder's own use; stream.h has the public helper. */
#ifndef LICHEN_UTF8_H
#define LICHEN_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum utf8_state {
    UTF8_WHOLE,  /* a character */
    UTF8_CUT,    /* the bytes end inside what may become a character */
    UTF8_BROKEN, /* can never become one */
};

struct utf8_char {
    enum utf8_state state;
    uint32_t code; /* when whole */
    size_t size;   /* bytes: of the character, or of the maximal broken or cut part (>= 1) */
};

/* size must not be 0. */
struct utf8_char utf8_read(const char *bytes, size_t size);

/* code must be a Unicode scalar value. Returns the number of bytes, 1 to 4. */
size_t utf8_write(uint32_t code, char dst[4]);

#endif
