/* tokenizer_import.c: see tokenizer_import.h: which file of a folder is the tokenizer, and what is
 * written of it. */
#include "tokenizer_table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

typedef bool read_bytes(struct tokenizer_import *import, const char *bytes, size_t size,
                        struct fault *fault);

/* Runs reader over a file; *found = it is there. */
static bool read_file(struct tokenizer_import *import, const char *folder, const char *name,
                      read_bytes *reader, bool *found, struct fault *fault)
{
    char *bytes;
    size_t size;
    struct fault own = {0};
    *found = import_load(import, folder, name, &bytes, &size, &own);
    if (!*found)
        return own.kind == FAULT_NONE || fault_set(fault, own.kind, "%s", own.text);
    bool read = reader(import, bytes, size, fault);
    free(bytes);
    return read || fault_file(fault, import->files[import->file_count - 1]);
}

static bool read_json(struct tokenizer_import *import, const char *bytes, size_t size,
                      struct fault *fault)
{
    import->from_json = true;
    return tokenizer_json_read(import, bytes, size, fault);
}

/* Two formats have this name. */
static bool read_model(struct tokenizer_import *import, const char *bytes, size_t size,
                       struct fault *fault)
{
    return tokenizer_is_tiktoken(bytes, size) ? tokenizer_tiktoken_read(import, bytes, size, fault)
                                              : tokenizer_spm_read(import, bytes, size, fault);
}

static bool read_ice(struct tokenizer_import *import, const char *bytes, size_t size,
                     struct fault *fault)
{
    import->from_ice = true;
    return tokenizer_ice_read(import, bytes, size, fault);
}

static const struct {
    const char *name;
    read_bytes *reader;
    const char *merges; /* a second file that it needs */
} vocabularies[] = {
    {"tokenizer.json", read_json, NULL},
    {"tokenizer.model", read_model, NULL},
    {"ice_text.model", read_ice, NULL},
    {"qwen.tiktoken", tokenizer_tiktoken_read, NULL},
    {"tokenizer.tiktoken", tokenizer_tiktoken_read, NULL},
    {"vocab.json", tokenizer_vocab_read, "merges.txt"},
};

static bool read_vocabulary(struct tokenizer_import *import, const char *folder,
                            struct fault *fault)
{
    bool found = false;
    for (size_t i = 0; i < sizeof vocabularies / sizeof *vocabularies; i++) {
        const char *merges = vocabularies[i].merges;
        if (!read_file(import, folder, vocabularies[i].name, vocabularies[i].reader, &found, fault))
            return false;
        if (found && !merges)
            return true;
        if (found && !read_file(import, folder, merges, tokenizer_merges_read, &found, fault))
            return false;
        if (found)
            return true;
    }
    return fault_set(fault, FAULT_FILE,
                     "%s: no tokenizer that lichen reads: tokenizer.json, tokenizer.model, "
                     "ice_text.model, qwen.tiktoken, or vocab.json with merges.txt",
                     folder);
}

/* ---- special ids ---- */

static int64_t hinted(const struct tokenizer_import *import, int64_t id)
{
    bool known = id >= 0 && id < import->count && import->pieces[id].kind != PIECE_NONE;
    return known ? id : -1;
}

static void add_end(struct tokenizer_import *import, int64_t id)
{
    if (hinted(import, id) < 0 || id == import->specials[SPECIAL_EOS])
        return;
    for (uint32_t i = 0; i < import->end_count; i++)
        if (import->ends[i] == id)
            return;
    import->ends[import->end_count++] = (int32_t)id;
}

/* config.json fills what the tokenizer's files leave open; whatever ends an answer by any file
 * does so. */
static bool settle_specials(struct tokenizer_import *import, const struct tokenizer_hints *hints,
                            struct fault *fault)
{
    const struct {
        enum tokenizer_special special;
        int64_t id;
    } hint[] = {
        {SPECIAL_BOS, hints->bos}, {SPECIAL_EOS, hints->eos}, {SPECIAL_PADDING, hints->pad}};
    for (size_t i = 0; i < sizeof hint / sizeof *hint; i++)
        if (import->specials[hint[i].special] < 0)
            import->specials[hint[i].special] = hinted(import, hint[i].id);
    if (import->specials[SPECIAL_EOS] < 0 && hints->eos_all_count > 0)
        import->specials[SPECIAL_EOS] = hinted(import, hints->eos_all[0]);
    import->ends =
        arena_alloc(&import->arena, (size_t)hints->eos_all_count + 1, sizeof *import->ends);
    if (!import->ends)
        return import_no_memory(fault);
    add_end(import, hints->eos);
    for (uint32_t i = 0; i < hints->eos_all_count; i++)
        add_end(import, hints->eos_all[i]);
    return true;
}

/* Rows of the embedding that no token names. */
static bool pad(struct tokenizer_import *import, struct fault *fault)
{
    uint32_t rows = import->hints.vocab_size;
    uint32_t count = rows > import->count ? rows : import->count;
    for (uint32_t id = 0; id < count; id++) {
        char name[32];
        int size = snprintf(name, sizeof name, "[PAD%u]", id);
        if (id < import->count && import->pieces[id].kind != PIECE_NONE)
            continue;
        while (piece_find(import, name, (size_t)size) >= 0 && size < 30) {
            name[size++] = '_';
            name[size] = 0;
        }
        if (!piece_add(import, name, (size_t)size, id, PIECE_UNUSED, 0, fault))
            return false;
    }
    return true;
}

struct tokenizer_import *import_create(const struct tokenizer_hints *hints, struct fault *fault)
{
    struct tokenizer_import *import = calloc(1, sizeof *import);
    if (!import) {
        import_no_memory(fault);
        return NULL;
    }
    arena_init(&import->arena, 0);
    import->hints = *hints;
    import->add_bos = import->add_eos = TRI_UNKNOWN;
    import->add_space_prefix = import->remove_extra_whitespaces = TRI_UNKNOWN;
    import->lowercase = import->strip_accents = import->ignore_merges = TRI_UNKNOWN;
    for (int i = 0; i < SPECIAL_COUNT; i++)
        import->specials[i] = -1;
    return import;
}

bool import_finish(struct tokenizer_import *import, struct fault *fault)
{
    return settle_specials(import, &import->hints, fault) && pad(import, fault);
}

bool tokenizer_import_open(const char *folder, const struct tokenizer_hints *hints,
                           struct tokenizer_import **out, struct fault *fault)
{
    struct tokenizer_import *import = import_create(hints, fault);
    if (!import)
        return false;
    if (!tokenizer_config_open(import, folder, fault) || !read_vocabulary(import, folder, fault) ||
        !tokenizer_config_apply(import, folder, fault) || !import_finish(import, fault)) {
        tokenizer_import_close(import);
        return false;
    }
    *out = import;
    return true;
}

void tokenizer_import_close(struct tokenizer_import *import)
{
    if (!import)
        return;
    free(import->pieces);
    free(import->slots);
    free(import->merges);
    free(import->pair_slots);
    json_decref(import->config);
    json_decref(import->map);
    arena_free(&import->arena);
    free(import);
}

uint32_t tokenizer_import_token_count(const struct tokenizer_import *import)
{
    return import->count;
}

uint32_t tokenizer_import_file_count(const struct tokenizer_import *import)
{
    return import->file_count;
}

const char *tokenizer_import_file_path(const struct tokenizer_import *import, uint32_t index)
{
    assert(index < import->file_count);
    return import->files[index];
}

/* ---- writing ---- */

static bool put_text(struct gguf_writer *writer, const char *key, const char *value,
                     struct fault *fault)
{
    return !value || gguf_put_text(writer, key, value, strlen(value), fault);
}

static bool put_switch(struct gguf_writer *writer, const char *key, int state, struct fault *fault)
{
    return state == TRI_UNKNOWN || gguf_put_bool(writer, key, state == TRI_TRUE, fault);
}

static bool put_pieces(const struct tokenizer_import *import, struct gguf_writer *writer,
                       struct fault *fault)
{
    struct gguf_string *texts = malloc(import->count * sizeof *texts);
    int32_t *kinds = malloc(import->count * sizeof *kinds);
    float *scores = malloc(import->count * sizeof *scores);
    bool put = (texts && kinds && scores) || import_no_memory(fault);
    for (uint32_t i = 0; put && i < import->count; i++) {
        texts[i] = (struct gguf_string){import->pieces[i].bytes, import->pieces[i].size};
        kinds[i] = (int32_t)import->pieces[i].kind;
        scores[i] = import->pieces[i].score;
    }
    put =
        put &&
        gguf_put_array(writer, "tokenizer.ggml.tokens", GGUF_STRING, texts, import->count, fault) &&
        (!import->has_scores ||
         gguf_put_array(writer, "tokenizer.ggml.scores", GGUF_F32, scores, import->count, fault)) &&
        gguf_put_array(writer, "tokenizer.ggml.token_type", GGUF_I32, kinds, import->count, fault);
    free(texts);
    free(kinds);
    free(scores);
    return put;
}

/* "left right" */
static bool put_merges(const struct tokenizer_import *import, struct gguf_writer *writer,
                       struct fault *fault)
{
    const struct piece *pieces = import->pieces;
    size_t total = 0;
    for (uint32_t i = 0; i < import->merge_count; i++)
        total += (size_t)pieces[import->merges[i].joined].size + 1;
    struct gguf_string *texts = malloc((import->merge_count + 1) * sizeof *texts);
    char *bytes = malloc(total + 1), *end = bytes;
    bool put = (texts && bytes) || import_no_memory(fault);
    for (uint32_t i = 0; put && i < import->merge_count; i++) {
        const struct piece *left = &pieces[import->merges[i].left];
        const struct piece *right = &pieces[import->merges[i].right];
        texts[i] = (struct gguf_string){end, (size_t)left->size + right->size + 1};
        memcpy(end, left->bytes, left->size);
        end[left->size] = ' ';
        memcpy(end + left->size + 1, right->bytes, right->size);
        end += texts[i].size;
    }
    put = put && gguf_put_array(writer, "tokenizer.ggml.merges", GGUF_STRING, texts,
                                import->merge_count, fault);
    free(texts);
    free(bytes);
    return put;
}

/* The ids of the tokens that take white space on one side, if there are any. */
static bool put_strips(const struct tokenizer_import *import, struct gguf_writer *writer,
                       const char *key, unsigned flag, struct fault *fault)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < import->count; i++)
        count += (import->pieces[i].strips & flag) != 0;
    if (count == 0)
        return true;
    int32_t *ids = malloc(count * sizeof *ids);
    if (!ids)
        return import_no_memory(fault);
    count = 0;
    for (uint32_t i = 0; i < import->count; i++)
        if (import->pieces[i].strips & flag)
            ids[count++] = (int32_t)i;
    bool put = gguf_put_array(writer, key, GGUF_I32, ids, count, fault);
    free(ids);
    return put;
}

static bool put_specials(const struct tokenizer_import *import, struct gguf_writer *writer,
                         struct fault *fault)
{
    static const char *const keys[SPECIAL_COUNT] = {
        [SPECIAL_BOS] = "tokenizer.ggml.bos_token_id",
        [SPECIAL_EOS] = "tokenizer.ggml.eos_token_id",
        [SPECIAL_UNKNOWN] = "tokenizer.ggml.unknown_token_id",
        [SPECIAL_SEPARATOR] = "tokenizer.ggml.seperator_token_id", /* GGUF spells it so */
        [SPECIAL_PADDING] = "tokenizer.ggml.padding_token_id",
        [SPECIAL_CLS] = "tokenizer.ggml.cls_token_id",
        [SPECIAL_MASK] = "tokenizer.ggml.mask_token_id",
    };
    for (int i = 0; i < SPECIAL_COUNT; i++)
        if (import->specials[i] >= 0 &&
            !gguf_put_u32(writer, keys[i], (uint32_t)import->specials[i], fault))
            return false;
    static const char *const end_keys[] = {"tokenizer.ggml.eot_token_id",
                                           "tokenizer.ggml.eom_token_id"};
    for (uint32_t i = 0; i < import->end_count && i < 2; i++)
        if (!gguf_put_u32(writer, end_keys[i], (uint32_t)import->ends[i], fault))
            return false;
    return import->end_count <= 2 ||
           gguf_put_array(writer, "tokenizer.ggml.end_token_ids", GGUF_I32, import->ends,
                          import->end_count, fault);
}

static bool put_switches(const struct tokenizer_import *import, struct gguf_writer *writer,
                         struct fault *fault)
{
    bool bos = import->add_bos == TRI_TRUE && import->specials[SPECIAL_BOS] >= 0;
    enum tokenizer_special end = import->model_has_separator ? SPECIAL_SEPARATOR : SPECIAL_EOS;
    bool eos = import->add_eos == TRI_TRUE && import->specials[end] >= 0;
    const char *end_key = import->model_has_separator ? "tokenizer.ggml.add_sep_token"
                                                      : "tokenizer.ggml.add_eos_token";
    return gguf_put_bool(writer, "tokenizer.ggml.add_bos_token", bos, fault) &&
           gguf_put_bool(writer, end_key, eos, fault) &&
           put_switch(writer, "tokenizer.ggml.add_space_prefix", import->add_space_prefix, fault) &&
           put_switch(writer, "tokenizer.ggml.remove_extra_whitespaces",
                      import->remove_extra_whitespaces, fault) &&
           put_switch(writer, "tokenizer.ggml.ignore_merges", import->ignore_merges, fault) &&
           put_switch(writer, "tokenizer.ggml.normalizer.lowercase", import->lowercase, fault) &&
           put_switch(writer, "tokenizer.ggml.normalizer.strip_accents", import->strip_accents,
                      fault) &&
           put_text(writer, "tokenizer.ggml.normalizer.unicode", import->normalizer, fault) &&
           put_text(writer, "tokenizer.ggml.space_prefix_scheme", import->space_prefix, fault) &&
           (import->word_chars == 0 ||
            gguf_put_u32(writer, "tokenizer.ggml.max_word_chars", import->word_chars, fault)) &&
           (!import->charsmap ||
            gguf_put_array(writer, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, import->charsmap,
                           import->charsmap_size, fault));
}

/* The default under its own key, the others by name, and their names. */
static bool put_templates(const struct tokenizer_import *import, struct gguf_writer *writer,
                          struct fault *fault)
{
    struct gguf_string names[TEMPLATE_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < import->template_count; i++) {
        const struct chat_template *template = &import->templates[i];
        char key[128] = "tokenizer.chat_template";
        if (strcmp(template->name, "default") != 0) {
            snprintf(key, sizeof key, "tokenizer.chat_template.%s", template->name);
            names[count++] = (struct gguf_string){template->name, strlen(template->name)};
        }
        if (!gguf_put_text(writer, key, template->text, template->size, fault))
            return false;
    }
    return count == 0 ||
           gguf_put_array(writer, "tokenizer.chat_templates", GGUF_STRING, names, count, fault);
}

bool tokenizer_import_put(const struct tokenizer_import *import, struct gguf_writer *writer,
                          struct fault *fault)
{
    return put_text(writer, "tokenizer.ggml.model", import->model, fault) &&
           put_text(writer, "tokenizer.ggml.pre", import->pre, fault) &&
           put_pieces(import, writer, fault) &&
           (import->merge_count == 0 || import->has_scores || put_merges(import, writer, fault)) &&
           put_strips(import, writer, "tokenizer.ggml.lstrip_token_ids", ADDED_LSTRIP, fault) &&
           put_strips(import, writer, "tokenizer.ggml.rstrip_token_ids", ADDED_RSTRIP, fault) &&
           put_specials(import, writer, fault) && put_switches(import, writer, fault) &&
           put_templates(import, writer, fault);
}
