/* tokenizer_spm.c: a SentencePiece model file (tokenizer.model, ice_text.model), a protobuf message
 * (google/sentencepiece src/sentencepiece_model.proto):
 *
 *   1 repeated piece { 1 text, 2 float score, 3 kind }     2 trainer { 3 model, 35 byte_fallback,
 * .. } 3 normalizer { 2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces, 5
 * escape_whitespaces }
 *
 * A message is fields: varint (number << 3 | wire), then a varint (wire 0), 8 bytes (1), a varint
 * size and bytes (2) or 4 bytes (5). Later values replace earlier ones. */
#include "tokenizer_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct message { /* what is left of one */
    const uint8_t *bytes, *end;
    const uint8_t *start; /* of the file, for faults */
};

struct field {
    uint32_t number;
    uint32_t wire;
    uint64_t value;         /* wires 0, 1, 5 */
    struct message message; /* wire 2 */
};

struct spm {
    struct message file;
    uint64_t model;                  /* 1 unigram, 2 BPE, 3 words, 4 characters */
    uint64_t unknown, bos, eos, pad; /* ids, as two's complement */
    bool byte_fallback, dummy_prefix, remove_extra, escape, suffix;
    struct message charsmap;
};

static bool cut_off(const struct message *message, struct fault *fault)
{
    return fault_set(fault, FAULT_FORMAT, "byte %td: the protobuf message ends inside a field",
                     message->bytes - message->start);
}

static bool read_varint(struct message *message, uint64_t *value, struct fault *fault)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (message->bytes == message->end)
            return cut_off(message, fault);
        uint8_t byte = *message->bytes++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return true;
    }
    return fault_set(fault, FAULT_FORMAT, "byte %td: a number of more than 64 bits",
                     message->bytes - message->start);
}

static bool read_fixed(struct message *message, unsigned size, uint64_t *value, struct fault *fault)
{
    if ((size_t)(message->end - message->bytes) < size)
        return cut_off(message, fault);
    *value = 0;
    for (unsigned i = 0; i < size; i++)
        *value |= (uint64_t)*message->bytes++ << 8 * i;
    return true;
}

static bool read_field(struct message *message, struct field *field, struct fault *fault)
{
    uint64_t key, size;
    if (!read_varint(message, &key, fault))
        return false;
    *field = (struct field){.number = (uint32_t)(key >> 3), .wire = (uint32_t)(key & 7)};
    if (key >> 3 == 0 || key >> 3 > 0x1FFFFFFF)
        return fault_set(fault, FAULT_FORMAT,
                         "byte %td: field %llu: not a SentencePiece model (protobuf)",
                         message->bytes - message->start, (unsigned long long)(key >> 3));
    switch (field->wire) {
    case 0:
        return read_varint(message, &field->value, fault);
    case 1:
        return read_fixed(message, 8, &field->value, fault);
    case 5:
        return read_fixed(message, 4, &field->value, fault);
    case 2:
        if (!read_varint(message, &size, fault))
            return false;
        if (size > (uint64_t)(message->end - message->bytes))
            return cut_off(message, fault);
        field->message = (struct message){message->bytes, message->bytes + size, message->start};
        message->bytes += size;
        return true;
    default:
        return fault_set(fault, FAULT_FORMAT,
                         "byte %td: wire type %u: not a SentencePiece model (protobuf)",
                         message->bytes - message->start, field->wire);
    }
}

/* ---- pieces ---- */

static bool read_piece(struct tokenizer_import *import, struct message message, int64_t id,
                       struct fault *fault)
{
    struct message text = {message.start, message.start, message.start};
    uint32_t bits = 0;
    uint64_t kind = PIECE_NORMAL;
    while (message.bytes < message.end) {
        struct field field;
        if (!read_field(&message, &field, fault))
            return false;
        if (field.number == 1 && field.wire == 2)
            text = field.message;
        else if (field.number == 2 && field.wire == 5)
            bits = (uint32_t)field.value;
        else if (field.number == 3 && field.wire == 0)
            kind = field.value;
    }
    float score;
    memcpy(&score, &bits, sizeof score);
    if (kind < PIECE_NORMAL || kind > PIECE_BYTE || !isfinite(score) || text.bytes == text.end)
        return fault_set(fault, FAULT_FORMAT,
                         "piece %lld: kind %llu, score %g, %td bytes: not a SentencePiece model?",
                         (long long)id, (unsigned long long)kind, (double)score,
                         text.end - text.bytes);
    return piece_add(import, (const char *)text.bytes, (size_t)(text.end - text.bytes), id,
                     (enum piece_kind)kind, score, fault);
}

/* ---- how it was trained, how it normalizes ---- */

static bool read_trainer(struct spm *spm, struct message message, struct fault *fault)
{
    while (message.bytes < message.end) {
        struct field field;
        if (!read_field(&message, &field, fault))
            return false;
        if (field.wire != 0)
            continue;
        switch (field.number) {
        case 3:
            spm->model = field.value;
            break;
        case 24:
            spm->suffix = field.value != 0;
            break;
        case 35:
            spm->byte_fallback = field.value != 0;
            break;
        case 40:
            spm->unknown = field.value;
            break;
        case 41:
            spm->bos = field.value;
            break;
        case 42:
            spm->eos = field.value;
            break;
        case 43:
            spm->pad = field.value;
            break;
        }
    }
    return true;
}

static bool read_normalizer(struct spm *spm, struct message message, struct fault *fault)
{
    while (message.bytes < message.end) {
        struct field field;
        if (!read_field(&message, &field, fault))
            return false;
        if (field.number == 2 && field.wire == 2)
            spm->charsmap = field.message;
        else if (field.number == 3 && field.wire == 0)
            spm->dummy_prefix = field.value != 0;
        else if (field.number == 4 && field.wire == 0)
            spm->remove_extra = field.value != 0;
        else if (field.number == 5 && field.wire == 0)
            spm->escape = field.value != 0;
    }
    return true;
}

static bool read_message(struct tokenizer_import *import, struct spm *spm, struct fault *fault)
{
    struct message message = spm->file;
    int64_t count = 0;
    while (message.bytes < message.end) {
        struct field field;
        if (!read_field(&message, &field, fault))
            return false;
        bool read = true;
        if (field.number == 1 && field.wire == 2)
            read = read_piece(import, field.message, count++, fault);
        else if (field.number == 2 && field.wire == 2)
            read = read_trainer(spm, field.message, fault);
        else if (field.number == 3 && field.wire == 2)
            read = read_normalizer(spm, field.message, fault);
        if (!read)
            return false;
    }
    return count > 0 || fault_set(fault, FAULT_FORMAT, "no piece: not a SentencePiece model");
}

/* ---- what becomes of it ---- */

/* User-defined pieces are looked for in text that still has its spaces. */
static bool respell_spaces(struct tokenizer_import *import, uint32_t id, struct fault *fault)
{
    const struct piece *piece = &import->pieces[id];
    char *text = malloc((size_t)piece->size + 1);
    size_t size = 0;
    if (!text)
        return import_no_memory(fault);
    for (uint32_t at = 0; at < piece->size;) {
        bool mark = at + 3 <= piece->size && memcmp(piece->bytes + at, "\xE2\x96\x81", 3) == 0;
        text[size++] = mark ? ' ' : piece->bytes[at];
        at += mark ? 3 : 1;
    }
    bool respelled = size == piece->size || piece_respell(import, id, text, size, fault);
    free(text);
    return respelled;
}

static bool respell_users(struct tokenizer_import *import, struct fault *fault)
{
    for (uint32_t id = 0; id < import->count; id++)
        if (import->pieces[id].kind == PIECE_USER_DEFINED && !respell_spaces(import, id, fault))
            return false;
    return pieces_reindex(import, fault);
}

static void set_special(struct tokenizer_import *import, enum tokenizer_special special,
                        uint64_t id)
{
    if (id < import->count)
        import->specials[special] = (int64_t)id;
}

static bool settle(struct tokenizer_import *import, const struct spm *spm, struct fault *fault)
{
    if (spm->model != 1 && spm->model != 2)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "a SentencePiece model of kind %llu, lichen reads unigram (1) and BPE (2)",
                         (unsigned long long)spm->model);
    if (spm->suffix || !spm->escape)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "a SentencePiece model with %s, which GGUF cannot express",
                         spm->suffix ? "spaces as suffixes" : "spaces that are not escaped");
    import->model = spm->model == 1 ? "t5" : "llama";
    import->has_scores = true;
    import->add_space_prefix = spm->dummy_prefix;
    import->remove_extra_whitespaces = spm->remove_extra;
    import->charsmap_size = (size_t)(spm->charsmap.end - spm->charsmap.bytes);
    if (import->charsmap_size > 0) {
        import->charsmap = arena_copy(&import->arena, spm->charsmap.bytes, import->charsmap_size);
        if (!import->charsmap)
            return import_no_memory(fault);
    }
    set_special(import, SPECIAL_UNKNOWN, spm->unknown);
    set_special(import, SPECIAL_BOS, spm->bos);
    set_special(import, SPECIAL_EOS, spm->eos);
    set_special(import, SPECIAL_PADDING, spm->pad);
    return true;
}

bool tokenizer_spm_read(struct tokenizer_import *import, const char *bytes, size_t size,
                        struct fault *fault)
{
    const uint8_t *start = (const uint8_t *)bytes;
    struct spm spm = {.file = {start, start + size, start},
                      .model = 1,
                      .unknown = 0,
                      .bos = 1,
                      .eos = 2,
                      .pad = UINT64_MAX,
                      .dummy_prefix = true,
                      .remove_extra = true,
                      .escape = true};
    return read_message(import, &spm, fault) && settle(import, &spm, fault) &&
           respell_users(import, fault);
}
