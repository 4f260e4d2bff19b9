/* json_text.c: bytes that may be anything, as a JSON string. */
#include "json_text.h"
#include <stdlib.h>
#include <string.h>

json_t *json_of_text(const char *bytes, size_t size)
{
    json_t *string = json_stringn(bytes, size);
    if (string)
        return string;
    char *clean = malloc(3 * size + 1);
    size_t length = 0;
    for (size_t i = 0; clean && i < size; i++) {
        size_t width = 4; /* the longest character that is valid here */
        while (width > 0 && (i + width > size || !(string = json_stringn(bytes + i, width))))
            width--;
        json_decref(string);
        memcpy(clean + length, width ? bytes + i : "\xEF\xBF\xBD", width ? width : 3);
        length += width ? width : 3;
        i += width ? width - 1 : 0;
    }
    string = clean ? json_stringn(clean, length) : NULL;
    free(clean);
    return string;
}
