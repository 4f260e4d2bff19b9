/* source_private.h: struct source, for source.c and the source_*.c alone. A kind of source embeds
 * it as its first member, fills it in while it opens, and gives the four functions. */
#ifndef LICHEN_SOURCE_PRIVATE_H
#define LICHEN_SOURCE_PRIVATE_H

#include "source.h"

/* Ranges are checked by source.c before read and read_lossless are called: rows inside the tensor,
 * row_count > 0, and for read_lossless a tensor that has a lossless type. */
struct source_kind {
    void (*close)(struct source *source); /* frees all of it, source too; accepts half-built ones */
    bool (*read)(const struct source *source, uint32_t index, uint64_t first_row,
                 uint64_t row_count, float *dst, struct fault *fault);
    /* NULL when no tensor of the kind has a lossless type */
    bool (*read_lossless)(const struct source *source, uint32_t index, uint64_t first_row,
                          uint64_t row_count, void *dst, struct fault *fault);
    bool (*put_metadata)(const struct source *source, struct gguf_writer *writer,
                         struct fault *fault);
};

struct source { /* all that it points to is the kind's */
    const struct source_kind *kind;
    const char *architecture;            /* GGUF's */
    const char *unsupported;             /* NULL, or the sentence */
    bool has_tokenizer;
    uint32_t layer_count;                /* 0 where there are none */
    uint32_t gqa;                        /* >= 1 */
    uint32_t expert_count;               /* 0 without */
    const struct source_tensor *tensors; /* [tensor_count], in the file's order */
    uint32_t tensor_count;
    const char *const *files; /* [file_count] */
    uint32_t file_count;
};

/* Called by source_open with a path that exists. hf: a folder, a .safetensors or .bin file or an
 * index of them; gguf: a file that begins with "GGUF". *out is set only on success. */
bool source_hf_open(const char *path, const struct source_options *options, struct source **out,
                    struct fault *fault);
bool source_gguf_open(const char *path, const struct source_options *options, struct source **out,
                      struct fault *fault);

/* Fills the derived members: unused dims = 1, rows; checks the length of the name, the dims and
 * that lossless fits the row. */
bool source_tensor_check(struct source_tensor *tensor, struct fault *fault);

#endif
