/* hf_general.c: what the file says of the model itself: licence and languages from the model
 * card (README.md), sampling defaults from generation_config.json, under llama.cpp's keys. */
#include "hf_builder.h"
#include "platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CARD_SIZE_MAX = 4 << 20, LANGUAGES_MAX = 64, VALUE_SIZE = 128, PATH_SIZE = 4096 };

/* A scalar of the card without quotes and comment; empty when it is none. */
static void card_value(const char *text, size_t size, char value[VALUE_SIZE])
{
    while (size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    while (size > 0 && strchr(" \t\r", text[size - 1]))
        size--;
    if (size >= 2 && (text[0] == '"' || text[0] == '\'') && text[size - 1] == text[0]) {
        text++;
        size -= 2;
    }
    bool plain = size > 0 && size < VALUE_SIZE && !memchr(text, '[', size) &&
                 !memchr(text, '{', size) && !memchr(text, '#', size);
    snprintf(value, VALUE_SIZE, "%.*s", plain ? (int)size : 0, text);
}

struct card {
    char licence[VALUE_SIZE], licence_name[VALUE_SIZE], licence_link[VALUE_SIZE];
    struct gguf_string languages[LANGUAGES_MAX];
    uint32_t language_count;
};

static bool starts(const char *line, size_t size, const char *word)
{
    size_t length = strlen(word);
    return size >= length && memcmp(line, word, length) == 0;
}

static void add_language(struct hf_builder *builder, struct card *card, const char *text,
                         size_t size)
{
    char value[VALUE_SIZE];
    card_value(text, size, value);
    if (!value[0] || card->language_count == LANGUAGES_MAX)
        return;
    const char *copy = hf_format(builder, "%s", value);
    if (copy)
        card->languages[card->language_count++] = (struct gguf_string){copy, strlen(copy)};
}

/* "language: en", "language: [en, zh]", or a list on the lines below. */
static void add_languages(struct hf_builder *builder, struct card *card, const char *text,
                          size_t size)
{
    const char *open = memchr(text, '[', size), *close = memchr(text, ']', size);
    if (!open || !close || close < open) {
        add_language(builder, card, text, size);
        return;
    }
    for (const char *item = open + 1; item < close;) {
        const char *comma = memchr(item, ',', (size_t)(close - item));
        const char *end = comma ? comma : close;
        add_language(builder, card, item, (size_t)(end - item));
        item = end + 1;
    }
}

static void card_line(struct hf_builder *builder, struct card *card, const char *line, size_t size,
                      bool *in_languages)
{
    if (starts(line, size, "- ") || starts(line, size, "  - ")) {
        size_t skip = line[0] == '-' ? 2 : 4;
        if (*in_languages)
            add_language(builder, card, line + skip, size - skip);
        return;
    }
    *in_languages = starts(line, size, "language:");
    if (*in_languages)
        add_languages(builder, card, line + 9, size - 9);
    else if (starts(line, size, "license:"))
        card_value(line + 8, size - 8, card->licence);
    else if (starts(line, size, "license_name:"))
        card_value(line + 13, size - 13, card->licence_name);
    else if (starts(line, size, "license_link:"))
        card_value(line + 13, size - 13, card->licence_link);
}

/* The lines between the first two "---". */
static void read_card(struct hf_builder *builder, struct card *card, const char *text)
{
    bool in_languages = false;
    if (strncmp(text, "---", 3) != 0)
        return;
    for (const char *line = strchr(text, '\n'); line && *line;) {
        line++;
        size_t size = strcspn(line, "\n");
        if (starts(line, size, "---"))
            return;
        card_line(builder, card, line, size, &in_languages);
        line = line[size] ? line + size : NULL;
    }
}

static void put_card(struct hf_builder *builder)
{
    char path[PATH_SIZE], *text = NULL;
    size_t size;
    struct card *card = hf_alloc(builder, 1, sizeof *card);
    int length = snprintf(path, sizeof path, "%s/README.md", builder->folder);
    if (!card || length < 0 || length >= PATH_SIZE || path_kind(path) != PATH_FILE)
        return;
    struct fault fault = {0};
    if (!file_load(path, CARD_SIZE_MAX, &text, &size, &fault)) {
        if (fault.kind == FAULT_MEMORY)
            hf_fail(builder, FAULT_MEMORY, "%s", fault.text);
        return; /* too long a card: nothing is lost that the model needs */
    }
    read_card(builder, card, text);
    free(text);
    if (card->licence[0])
        hf_put_text(builder, "general.license", card->licence);
    if (card->licence_name[0])
        hf_put_text(builder, "general.license.name", card->licence_name);
    if (card->licence_link[0])
        hf_put_text(builder, "general.license.link", card->licence_link);
    if (card->language_count)
        hf_put_texts(builder, "general.languages", card->languages, card->language_count);
}

/* A published value out of range is passed over: it is advice. */
static void put_sampling(struct hf_builder *builder, const char *name, const char *key, double min,
                         double max, bool is_count)
{
    const json_t *value = hf_find_in(builder->generation, name);
    double number = json_number_value(value);
    if (!json_is_number(value) || number < min || number > max)
        return;
    if (is_count)
        hf_put_u32(builder, key, (uint32_t)number);
    else
        hf_put_f32(builder, key, number);
}

void hf_general_read(struct hf_builder *builder)
{
    hf_put_text(builder, "general.architecture", builder->family->architecture);
    hf_put_text(builder, "general.type", "model");
    put_card(builder);
    put_sampling(builder, "temperature", "general.sampling.temp", 0, 100, false);
    put_sampling(builder, "top_k", "general.sampling.top_k", 0, 1e6, true);
    put_sampling(builder, "top_p", "general.sampling.top_p", 0, 1, false);
    put_sampling(builder, "min_p", "general.sampling.min_p", 0, 1, false);
    put_sampling(builder, "repetition_penalty", "general.sampling.penalty_repeat", 0.01, 100,
                 false);
}
