/* gguf_build.h: makes small files, good or bad, from a line of text. Words, separated by spaces:
 *   N:VALUE    VALUE as a little-endian number of N bytes (1, 2, 4, 8); decimal, 0x.. or -..
 *   'TEXT'     the bytes of TEXT, without a length
 *   s:TEXT     a GGUF string: its length in 8 bytes, then TEXT; "~" in TEXT stands for a space
 *   x:COUNT*C  COUNT times the character C
 *   f:VALUE    a float of 4 bytes
 *   @N         zeros up to a multiple of N
 *   data:N     N bytes that the file is said to have behind these, but which are not there */
#ifndef LICHEN_GGUF_BUILD_H
#define LICHEN_GGUF_BUILD_H

#include <stddef.h>
#include <stdint.h>

struct build {
    uint8_t *bytes; /* [size], malloc'd */
    size_t size;
    size_t capacity;
    uint64_t file_size; /* size and what data: adds */
};

struct build build_file(const char *words);
void build_free(struct build *build);
/* Writes the bytes, and zeros for what is not there, to path. */
void build_save(const struct build *build, const char *path);

#define GGUF_HEAD(tensors, keys) "'GGUF' 4:3 8:" #tensors " 8:" #keys " "

/* Two tensors, an entry of each type and an array of each item type. */
extern const char build_good_words[];

#endif
