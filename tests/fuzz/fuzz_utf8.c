/* fuzz_utf8.c: utf8.c against utf8proc, and the helper of stream.h against the definition. */
#include "fuzz.h"

#include "stream.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_one(const uint8_t *bytes, size_t size)
{
    struct utf8_char next = utf8_read((const char *)bytes, size);
    utf8proc_int32_t code;
    utf8proc_ssize_t length = utf8proc_iterate(bytes, (utf8proc_ssize_t)size, &code);
    must((next.state == UTF8_WHOLE) == (length > 0));
    must(next.size >= 1 && next.size <= size && next.size <= 4);
    if (next.state == UTF8_WHOLE) {
        char again[4];
        must(next.size == (size_t)length && next.code == (uint32_t)code);
        must(utf8_write(next.code, again) == next.size && memcmp(again, bytes, next.size) == 0);
    }
    must(next.state != UTF8_CUT || (next.size == size && size < 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    size_t broken, at = 0;
    for (size_t i = 0; i < size; i++)
        check_one(bytes + i, size - i);
    while (at < size) {
        size_t valid = utf8_valid_prefix((const char *)bytes + at, size - at, &broken);
        must(valid <= size - at && valid + broken <= size - at);
        at += valid + broken;
        if (broken == 0) {
            must(size - at <= 3);
            break;
        }
    }
    return 0;
}
