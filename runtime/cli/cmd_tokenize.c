/* cmd_tokenize.c: lichen tokenize: text to token ids and back. */
#include "command.h"
#include "text.h"
#include <stdlib.h>

enum { TEXT_MAX = 256 << 20 };

struct tokenize {
    struct common common;
    const char *file;
    bool decode, special, no_bos;
    struct text input;
    struct lichen_engine *engine;
    struct lichen_ids ids; /* of the engine, or when decoding our own */
    char *text;            /* [size], decoded, the engine's */
    size_t size;
};

static void tokenize_options(struct tokenize *tokenize, struct option_set *set)
{
    const struct option_spec specs[] = {
        {"file", 'f', OPTION_TEXT, &tokenize->file, "FILE", "instead of standard input", 0},
        {"decode", 'd', OPTION_FLAG, &tokenize->decode, NULL, "ids to text", 0},
        {"special", 0, OPTION_FLAG, &tokenize->special, NULL,
         "control tokens spelled in the text are meant (decode: are spelled)", 0},
        {"no-bos", 0, OPTION_FLAG, &tokenize->no_bos, NULL,
         "without the begin and end tokens that the file asks for", 0},
        {"model", 'm', OPTION_TEXT, &tokenize->common.model, "MODEL",
         "instead of the operand MODEL", 0},
    };
    option_set_add(set, specs, sizeof specs / sizeof specs[0]);
    common_add_output(&tokenize->common, set, true);
}

static bool print_ids(struct tokenize *tokenize)
{
    const struct lichen_ids *ids = &tokenize->ids;
    if (tokenize->common.output.json)
        return output_json(json_pack("{s:i, s:I, s:o}", "schema", 1, "count",
                                     (json_int_t)ids->count, "ids",
                                     json_of_ids(ids->ids, ids->count)),
                           &tokenize->common.fault);
    for (size_t i = 0; i < ids->count; i++)
        printf(i ? " %d" : "%d", (int)ids->ids[i]);
    putchar('\n');
    return true;
}

static bool encode(struct tokenize *tokenize)
{
    return lichen_tokenize(tokenize->engine, tokenize->input.bytes, tokenize->input.size,
                           !tokenize->no_bos, tokenize->special, &tokenize->ids,
                           &tokenize->common.fault) &&
           print_ids(tokenize);
}

static bool print_text(struct tokenize *tokenize)
{
    const char *text = tokenize->text ? tokenize->text : "";
    if (tokenize->common.output.json)
        return output_json(
            json_pack("{s:i, s:o}", "schema", 1, "text", json_of_text(text, tokenize->size)),
            &tokenize->common.fault);
    if (tokenize->common.output.to_terminal)
        return text_print_safe(stdout, text, tokenize->size, &tokenize->common.fault);
    fwrite(text, 1, tokenize->size, stdout);
    return true;
}

static bool decode(struct tokenize *tokenize)
{
    struct lichen_ids ids;
    if (!parse_ids(tokenize->input.bytes, tokenize->file ? tokenize->file : "standard input", &ids,
                   &tokenize->common.fault))
        return false;
    bool done = lichen_detokenize(tokenize->engine, ids.ids, ids.count, tokenize->special,
                                  &tokenize->text, &tokenize->size, &tokenize->common.fault) &&
                print_text(tokenize);
    free(ids.ids);
    return done;
}

static int tokenize_main(const struct command *command, int argc, char **argv)
{
    struct tokenize tokenize = {.file = NULL};
    struct option_set set = {.count = 0};
    int status;
    common_init(&tokenize.common);
    tokenize_options(&tokenize, &set);
    if (!command_begin_model(command, &tokenize.common, &set, argc, argv, &status))
        return status;
    bool done = common_open(&tokenize.common, true, &tokenize.engine, NULL) &&
                text_read_path(&tokenize.input, tokenize.file, TEXT_MAX, &tokenize.common.fault) &&
                (tokenize.decode ? decode(&tokenize) : encode(&tokenize));
    status = output_end(done, &tokenize.common.fault);
    lichen_free(tokenize.ids.ids);
    lichen_free(tokenize.text);
    text_free(&tokenize.input);
    lichen_engine_close(tokenize.engine);
    return status;
}

const struct command command_tokenize = {
    "tokenize", "[MODEL]", "text to token ids, or back with --decode",
    "Reads the exact bytes of standard input (or -f FILE) and prints the ids on one line;\n"
    "--decode reads ids and prints the exact bytes. A GGUF file with a vocabulary and no\n"
    "tensors is enough.",
    tokenize_main};
