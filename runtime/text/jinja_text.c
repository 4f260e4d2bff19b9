/* jinja_text.c: UTF-8 by code points, character classes and case, by utf8proc's tables. */
#include "jinja_text.h"

#include <string.h>
#include <utf8proc.h>

bool text_is_valid(const char *bytes, size_t size)
{
    size_t position = 0;
    while (position < size) {
        utf8proc_int32_t character;
        size_t left = size - position;
        utf8proc_ssize_t length =
            utf8proc_iterate((const utf8proc_uint8_t *)bytes + position,
                             (utf8proc_ssize_t)(left > 4 ? 4 : left), &character);
        if (length <= 0)
            return false;
        position += (size_t)length;
    }
    return true;
}

int32_t text_decode(const char *bytes, size_t size, size_t *length)
{
    unsigned char first = (unsigned char)bytes[0];
    utf8proc_int32_t character;
    if (first < 0x80) {
        *length = 1;
        return first;
    }
    utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)bytes,
                                             (utf8proc_ssize_t)(size > 4 ? 4 : size), &character);
    *length = used > 0 ? (size_t)used : 1;
    return used > 0 ? character : 0xFFFD;
}

size_t text_encode(int32_t character, char out[4])
{
    return (size_t)utf8proc_encode_char(character, (utf8proc_uint8_t *)out);
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

int32_t text_decode_before(const char *bytes, size_t size, size_t *length)
{
    size_t start = size - 1;
    while (start > 0 && size - start < 4 && is_continuation(bytes[start]))
        start--;
    return text_decode(bytes + start, size - start, length);
}

size_t text_count(const char *bytes, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += !is_continuation(bytes[i]);
    return count;
}

size_t text_offset(const char *bytes, size_t size, size_t index)
{
    size_t position = 0;
    for (; index > 0 && position < size; index--) {
        position++;
        while (position < size && is_continuation(bytes[position]))
            position++;
    }
    return position;
}

size_t text_space(const char *bytes, size_t size)
{
    size_t position = 0, length;
    while (position < size &&
           text_is(text_decode(bytes + position, size - position, &length), CLASS_SPACE))
        position += length;
    return position;
}

size_t text_space_before(const char *bytes, size_t size)
{
    size_t left = size, length;
    while (left > 0 && text_is(text_decode_before(bytes, left, &length), CLASS_SPACE))
        left -= length;
    return size - left;
}

size_t text_find(const char *bytes, size_t size, const char *part, size_t part_size)
{
    if (part_size == 0)
        return 0;
    size_t position = 0;
    while (size - position >= part_size) {
        const char *found = memchr(bytes + position, part[0], size - position - part_size + 1);
        if (!found)
            return SIZE_MAX;
        position = (size_t)(found - bytes);
        if (memcmp(found, part, part_size) == 0)
            return position;
        position++;
    }
    return SIZE_MAX;
}

size_t text_find_last(const char *bytes, size_t size, const char *part, size_t part_size)
{
    if (part_size > size)
        return SIZE_MAX;
    for (size_t position = size - part_size + 1; position > 0; position--)
        if (memcmp(bytes + position - 1, part, part_size) == 0)
            return position - 1;
    return SIZE_MAX;
}

static bool is_space(int32_t character)
{
    if (character < 0x80)
        return (character >= 9 && character <= 13) || (character >= 28 && character <= 32);
    return character == 0x85 || character == 0xA0 || character == 0x1680 ||
           (character >= 0x2000 && character <= 0x200A) || character == 0x2028 ||
           character == 0x2029 || character == 0x202F || character == 0x205F || character == 0x3000;
}

static bool is_printable(utf8proc_category_t category)
{
    switch (category) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
        return false;
    default:
        return true;
    }
}

static bool is_letter(utf8proc_category_t category)
{
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool text_is(int32_t character, enum text_class class)
{
    if (class == CLASS_SPACE)
        return is_space(character);
    if (class == CLASS_PRINTABLE && character == ' ')
        return true;
    utf8proc_category_t category = utf8proc_category(character);
    switch (class) {
    case CLASS_PRINTABLE:
        return is_printable(category);
    case CLASS_ALPHA:
        return is_letter(category);
    case CLASS_DIGIT:
        return category == UTF8PROC_CATEGORY_ND;
    case CLASS_NUMERIC:
        return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
    case CLASS_UPPER:
        return category == UTF8PROC_CATEGORY_LU;
    default:
        return category == UTF8PROC_CATEGORY_LL;
    }
}

/* Characters whose upper or title case is more than one (Unicode SpecialCasing.txt, without
 * conditions). */
static const struct {
    int32_t character;
    const char *upper, *title;
} special_cases[] = {
    {0xDF, "SS", "Ss"},
    {0x149, "\xCA\xBCN", "\xCA\xBCN"},
    {0x1F0, "J\xCC\x8C", "J\xCC\x8C"},
    {0xFB00, "FF", "Ff"},
    {0xFB01, "FI", "Fi"},
    {0xFB02, "FL", "Fl"},
    {0xFB03, "FFI", "Ffi"},
    {0xFB04, "FFL", "Ffl"},
    {0xFB05, "ST", "St"},
    {0xFB06, "ST", "St"},
    {0x587, "\xD4\xB5\xD5\x92", "\xD4\xB5\xD6\x82"},
    {0x1E96, "H\xCC\xB1", "H\xCC\xB1"},
    {0x1E97, "T\xCC\x88", "T\xCC\x88"},
    {0x1E98, "W\xCC\x8A", "W\xCC\x8A"},
    {0x1E99, "Y\xCC\x8A", "Y\xCC\x8A"},
    {0x390, "\xCE\x99\xCC\x88\xCC\x81", "\xCE\x99\xCC\x88\xCC\x81"},
    {0x3B0, "\xCE\xA5\xCC\x88\xCC\x81", "\xCE\xA5\xCC\x88\xCC\x81"},
};

static size_t copy_text(const char *text, char out[12])
{
    size_t size = strlen(text);
    memcpy(out, text, size);
    return size;
}

size_t text_case(int32_t character, enum text_case to, char out[12])
{
    if (to == CASE_LOWER) {
        if (character == 0x130)
            return copy_text("i\xCC\x87", out);
        return text_encode(utf8proc_tolower(character), out);
    }
    for (size_t i = 0; i < sizeof special_cases / sizeof *special_cases; i++)
        if (special_cases[i].character == character)
            return copy_text(to == CASE_UPPER ? special_cases[i].upper : special_cases[i].title,
                             out);
    return text_encode(to == CASE_UPPER ? utf8proc_toupper(character) : utf8proc_totitle(character),
                       out);
}
