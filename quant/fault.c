/* fault.c: recording failures; clean_text is what keeps bytes of a file from reaching a terminal.
 */
#include "fault.h"
#include "clean.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 sequence that lead opens, 0 when no sequence opens so. */
static int sequence_size(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead < 0xe0)
        return 2;
    if (lead >= 0xe0 && lead < 0xf0)
        return 3;
    if (lead >= 0xf0 && lead < 0xf5)
        return 4;
    return 0;
}

/* The first continuation byte rules out overlong forms, surrogates and what lies above U+10FFFF. */
static int second_is_allowed(uint8_t lead, uint8_t second)
{
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high;
}

static int is_control(const uint8_t *bytes)
{
    if (bytes[0] < 0x20 || bytes[0] == 0x7f)
        return 1;
    if (bytes[0] == 0xc2 && bytes[1] < 0xa0) /* C1 */
        return 1;
    if (bytes[0] != 0xe2)
        return 0;
    /* line and paragraph separator, bidirectional overrides and isolates */
    return (bytes[1] == 0x80 && bytes[2] >= 0xa8 && bytes[2] <= 0xae) ||
           (bytes[1] == 0x81 && bytes[2] >= 0xa6 && bytes[2] <= 0xa9);
}

/* Bytes of the well-formed sequence at bytes; 0 when ill-formed; -1 when the text ends inside. */
static int well_formed_size(const uint8_t *bytes)
{
    int size = sequence_size(bytes[0]);
    for (int i = 1; i < size; i++) {
        if (bytes[i] == 0)
            return -1;
        if ((bytes[i] & 0xc0) != 0x80 || (i == 1 && !second_is_allowed(bytes[0], bytes[1])))
            return 0;
    }
    return size;
}

void clean_text(char *text)
{
    const uint8_t *src = (const uint8_t *)text;
    char *dst = text;
    while (*src) {
        int size = well_formed_size(src);
        if (size < 0)
            break;
        if (size == 0 || is_control(src)) {
            *dst++ = '?';
            src += size ? size : 1;
            continue;
        }
        while (size-- > 0)
            *dst++ = (char)*src++;
    }
    *dst = 0;
}

bool fault_set(struct fault *fault, enum fault_kind kind, const char *format, ...)
{
    if (!fault || fault->kind != FAULT_NONE)
        return false;
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(fault->text, sizeof fault->text, format, arguments) < 0)
        fault->text[0] = 0;
    va_end(arguments);
    clean_text(fault->text);
    fault->kind = kind;
    return false;
}

bool fault_context(struct fault *fault, const char *format, ...)
{
    if (!fault || fault->kind == FAULT_NONE)
        return false;
    char text[2 * sizeof fault->text + 2];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof fault->text, format, arguments);
    va_end(arguments);
    if (size < 0)
        return false;
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, ": %s", fault->text);
    text[sizeof fault->text - 1] = 0;
    memcpy(fault->text, text, sizeof fault->text);
    clean_text(fault->text);
    return false;
}

bool fault_file(struct fault *fault, const char *path)
{
    if (fault && strncmp(fault->text, path, strlen(path)) != 0)
        fault_context(fault, "%s", path);
    return false;
}
