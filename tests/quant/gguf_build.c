/* gguf_build.c: see gguf_build.h. */
#include "gguf_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int condition, const char *words)
{
    if (condition)
        return;
    fprintf(stderr, "gguf_build: cannot make sense of '%.40s'\n", words);
    exit(1);
}

static void put(struct build *build, const void *bytes, size_t size)
{
    if (build->size + size >= build->capacity) {
        build->capacity = 2 * build->capacity + size + 1024;
        build->bytes = realloc(build->bytes, build->capacity);
        must(build->bytes != NULL, "memory");
    }
    memcpy(build->bytes + build->size, bytes, size);
    build->size += size;
}

static void put_number(struct build *build, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++, value >>= 8)
        put(build, &(uint8_t){(uint8_t)value}, 1);
}

static void put_string(struct build *build, const char *text, size_t size)
{
    put_number(build, size, 8);
    for (size_t i = 0; i < size; i++)
        put(build, text[i] == '~' ? " " : text + i, 1);
}

static void put_repeated(struct build *build, const char *word)
{
    char *end;
    unsigned long count = strtoul(word, &end, 0);
    must(*end == '*', word);
    while (count-- > 0)
        put(build, end + 1, 1);
}

static void put_word(struct build *build, const char *word, size_t size)
{
    if (word[0] == '\'') {
        put(build, word + 1, size - 2);
    } else if (word[0] == '@') {
        for (size_t multiple = strtoul(word + 1, NULL, 0); build->size % multiple != 0;)
            put(build, "", 1);
    } else if (strncmp(word, "s:", 2) == 0) {
        put_string(build, word + 2, size - 2);
    } else if (strncmp(word, "x:", 2) == 0) {
        put_repeated(build, word + 2);
    } else if (strncmp(word, "f:", 2) == 0) {
        float value = strtof(word + 2, NULL);
        put(build, &value, sizeof value);
    } else if (strncmp(word, "data:", 5) == 0) {
        build->file_size += strtoull(word + 5, NULL, 0);
    } else {
        must(strchr("1248", word[0]) && word[1] == ':', word);
        put_number(build, strtoull(word + 2, NULL, 0), (size_t)(word[0] - '0'));
    }
}

struct build build_file(const char *words)
{
    struct build build = {0};
    put(&build, "", 0);
    while (*words) {
        size_t size = strcspn(words, " ");
        if (size > 0)
            put_word(&build, words, size);
        words += size + (words[size] == ' ');
    }
    build.file_size += build.size;
    return build;
}

void build_free(struct build *build)
{
    free(build->bytes);
    *build = (struct build){0};
}

void build_save(const struct build *build, const char *path)
{
    FILE *file = fopen(path, "wb");
    must(file != NULL, path);
    must(fwrite(build->bytes, 1, build->size, file) == build->size, path);
    for (uint64_t i = build->size; i < build->file_size; i++)
        must(fputc(0, file) != EOF, path);
    must(fclose(file) == 0, path);
}

const char build_good_words[] = GGUF_HEAD(2, 26)
    /* scalars */
    "s:general.architecture 4:8 s:llama "
    "s:u8 4:0 1:200 s:i8 4:1 1:-5 s:u16 4:2 2:60000 s:i16 4:3 2:-300 s:u32 4:4 4:4000000000 "
    "s:i32 4:5 4:-70000 s:f32 4:6 f:0.5 s:bool 4:7 1:1 s:u64 4:10 8:0xfedcba9876543210 "
    "s:i64 4:11 8:-5000000000 s:f64 4:12 8:0x3fd0000000000000 "
    /* arrays: item type, count, items */
    "s:array.u8 4:9 4:0 8:2 1:1 1:255 s:array.i8 4:9 4:1 8:2 1:1 1:-1 "
    "s:array.u16 4:9 4:2 8:2 2:1 2:65535 s:array.i16 4:9 4:3 8:2 2:1 2:-1 "
    "s:array.u32 4:9 4:4 8:2 4:1 4:0x7fffffff s:array.i32 4:9 4:5 8:2 4:1 4:-1 "
    "s:array.f32 4:9 4:6 8:2 f:1 f:-0.25 s:array.bool 4:9 4:7 8:2 1:1 1:0 "
    "s:array.text 4:9 4:8 8:3 s:a s: s:bc~d s:array.u64 4:9 4:10 8:2 8:1 8:-1 "
    "s:array.i64 4:9 4:11 8:2 8:1 8:-1 s:array.f64 4:9 4:12 8:2 8:0 8:0x3ff0000000000000 "
    "s:array.empty 4:9 4:5 8:0 s:array.large 4:9 4:4 8:2 4:1 4:0x80000000 "
    /* tensors: name, dims, type, offset */
    "s:token_embd.weight 4:2 8:64 8:3 4:2 8:0 "
    "s:norm.weight 4:1 8:5 4:0 8:128 "
    "@32 data:148";
