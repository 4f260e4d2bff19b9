/* utf8.c: see utf8.h and the end of stream.h. */
#include "utf8.h"
#include "stream.h"

/* What may follow a lead byte: how many bytes, and the range of the first of them. */
struct follow {
    size_t count; /* 0: not a lead byte */
    uint8_t low, high;
};

static struct follow follow_of(uint8_t lead)
{
    if (lead >= 0xC2 && lead <= 0xDF)
        return (struct follow){1, 0x80, 0xBF};
    if (lead >= 0xE0 && lead <= 0xEF)
        return (struct follow){2, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF};
    if (lead >= 0xF0 && lead <= 0xF4)
        return (struct follow){3, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF};
    return (struct follow){0, 0, 0};
}

struct utf8_char utf8_read(const char *bytes, size_t size)
{
    uint8_t lead = (uint8_t)bytes[0];
    if (lead < 0x80)
        return (struct utf8_char){UTF8_WHOLE, lead, 1};
    struct follow follow = follow_of(lead);
    if (follow.count == 0)
        return (struct utf8_char){UTF8_BROKEN, 0, 1};
    uint32_t code = lead & (0x3Fu >> follow.count);
    for (size_t i = 1; i <= follow.count; i++) {
        if (i == size)
            return (struct utf8_char){UTF8_CUT, 0, i};
        uint8_t byte = (uint8_t)bytes[i];
        if (byte < (i == 1 ? follow.low : 0x80) || byte > (i == 1 ? follow.high : 0xBF))
            return (struct utf8_char){UTF8_BROKEN, 0, i};
        code = code << 6 | (byte & 0x3Fu);
    }
    return (struct utf8_char){UTF8_WHOLE, code, follow.count + 1};
}

size_t utf8_write(uint32_t code, char dst[4])
{
    if (code < 0x80) {
        dst[0] = (char)code;
        return 1;
    }
    size_t follow = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (size_t i = follow; i > 0; i--, code >>= 6)
        dst[i] = (char)(0x80 | (code & 0x3F));
    dst[0] = (char)((0xF00u >> (follow + 1)) | code);
    return follow + 1;
}

size_t utf8_valid_prefix(const char *bytes, size_t size, size_t *broken_size)
{
    size_t valid = 0;
    *broken_size = 0;
    while (valid < size) {
        struct utf8_char next = utf8_read(bytes + valid, size - valid);
        if (next.state == UTF8_BROKEN)
            *broken_size = next.size;
        if (next.state != UTF8_WHOLE)
            break;
        valid += next.size;
    }
    return valid;
}
