/* tokenizer_chatglm.c: what the tokenizers of ChatGLM-6B, ChatGLM2/3, GLM-4 and Qwen know besides
 * their files (their Python code has it): names of control tokens, and that ChatGLM-6B writes line
 * ends, tabs and runs of spaces as tokens. Facts: THUDM/chatglm-6b, chatglm3-6b, glm-4-9b and
 * Qwen-7B, tokenization_*.py. */
#include "tokenizer_table.h"

#include <stdio.h>
#include <string.h>

/* ---- ChatGLM-6B ---- */

enum { BLANKS_MAX = 80 };

static bool respell(struct tokenizer_import *import, const char *name, const char *text,
                    size_t size, struct fault *fault)
{
    int64_t id = piece_find(import, name, strlen(name));
    if (id < 0)
        return true;
    import->pieces[id].kind = PIECE_USER_DEFINED;
    return piece_respell(import, (uint32_t)id, text, size, fault);
}

bool tokenizer_ice_read(struct tokenizer_import *import, const char *bytes, size_t size,
                        struct fault *fault)
{
    char blanks[BLANKS_MAX + 1], name[32];
    memset(blanks, ' ', sizeof blanks);
    if (!tokenizer_spm_read(import, bytes, size, fault) ||
        !respell(import, "<n>", "\n", 1, fault) || !respell(import, "<|tab|>", "\t", 1, fault))
        return false;
    for (int count = 2; count <= BLANKS_MAX; count++) {
        snprintf(name, sizeof name, "<|blank_%d|>", count);
        if (!respell(import, name, blanks, (size_t)count, fault))
            return false;
    }
    static const char *const marks[] = {"[MASK]", "[gMASK]", "[sMASK]", "<sop>",
                                        "<eop>",  "<ENC>",   "<dBLOCK>"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        int64_t id = piece_find(import, marks[i], strlen(marks[i]));
        if (id >= 0)
            import->pieces[id].kind = PIECE_CONTROL;
    }
    import->space_prefix = "opening"; /* the code puts these tokens into the text first */
    import->add_bos = import->add_eos = TRI_FALSE;
    return pieces_reindex(import, fault);
}

/* ---- names that only the code has ---- */

static bool add_names(struct tokenizer_import *import, const char *const *names, size_t count,
                      uint32_t first, struct fault *fault)
{
    for (size_t i = 0; i < count; i++)
        if (!added_token(import, names[i], strlen(names[i]), first + (int64_t)i, ADDED_SPECIAL,
                         fault))
            return false;
    return true;
}

#define COUNT(names) (sizeof names / sizeof *names)

static bool name_qwen(struct tokenizer_import *import, struct fault *fault)
{
    static const char *const names[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
    uint32_t first = import->count;
    if (!add_names(import, names, COUNT(names), first, fault))
        return false;
    for (uint32_t i = 0; i < 205; i++) {
        char name[32];
        int size = snprintf(name, sizeof name, "<|extra_%u|>", i);
        if (!added_token(import, name, (size_t)size, (int64_t)first + 3 + i, ADDED_SPECIAL, fault))
            return false;
    }
    return true;
}

/* Llama 3's tiktoken file has just its 128,000 ranks; which names its code adds differs between 3,
 * 3.1 and 3.2. */
static bool check_llama(const struct tokenizer_import *import, struct fault *fault)
{
    return import->count != 128000 ||
           fault_set(fault, FAULT_UNSUPPORTED,
                     "the tokenizer has no control tokens (<|begin_of_text|>, ...), which Llama's "
                     "own code adds; put the model's tokenizer.json there, or its "
                     "tokenizer_config.json");
}

bool tokenizer_names_add(struct tokenizer_import *import, struct fault *fault)
{
    static const char *const glm3[] = {"[MASK]",   "[gMASK]",       "[sMASK]",
                                       "sop",      "eop",           "<|system|>",
                                       "<|user|>", "<|assistant|>", "<|observation|>"};
    static const char *const glm4[] = {"<|endoftext|>",
                                       "[MASK]",
                                       "[gMASK]",
                                       "[sMASK]",
                                       "<sop>",
                                       "<eop>",
                                       "<|system|>",
                                       "<|user|>",
                                       "<|assistant|>",
                                       "<|observation|>",
                                       "<|begin_of_image|>",
                                       "<|end_of_image|>",
                                       "<|begin_of_video|>",
                                       "<|end_of_video|>"};
    const char *type = import->hints.model_type ? import->hints.model_type : "";
    const char *class = tokenizer_class(import);
    bool spm = strcmp(import->model, "llama") == 0;
    if (strcmp(type, "qwen") == 0 || strcmp(class, "QWenTokenizer") == 0)
        return name_qwen(import, fault);
    if (strcmp(class, "ChatGLM4Tokenizer") == 0 || (strcmp(type, "chatglm") == 0 && !spm))
        return add_names(import, glm4, COUNT(glm4), import->count, fault);
    if (strcmp(type, "llama") == 0 && !spm)
        return check_llama(import, fault);
    if (strcmp(class, "ChatGLMTokenizer") != 0 && strcmp(type, "chatglm") != 0)
        return true;
    import->pre = "chatglm-spm";
    import->add_bos = import->add_eos = TRI_FALSE;
    return add_names(import, glm3, COUNT(glm3), import->count, fault);
}
