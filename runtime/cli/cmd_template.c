/* cmd_template.c: lichen template: the file's chat template on a JSON object. */
#include "command.h"
#include "text.h"

enum { JSON_MAX = 64 << 20 };

static bool render(struct common *common, const struct lichen_engine *engine,
                   const struct text *json)
{
    char *prompt = NULL;
    size_t size = 0;
    if (!lichen_render(engine, json->bytes, json->size, &prompt, &size, &common->fault))
        return false;
    bool done = true;
    if (common->output.to_terminal)
        done = text_print_safe(stdout, prompt, size, &common->fault);
    else
        fwrite(prompt, 1, size, stdout);
    lichen_free(prompt);
    return done;
}

static int template_main(const struct command *command, int argc, char **argv)
{
    struct common common;
    struct option_set set = {.count = 0};
    struct text json = {0};
    struct lichen_engine *engine = NULL;
    const char *file = NULL;
    int status;
    common_init(&common);
    const struct option_spec specs[] = {
        {"file", 'f', OPTION_TEXT, &file, "FILE", "instead of standard input", 0},
        {"model", 'm', OPTION_TEXT, &common.model, "MODEL", "instead of the operand MODEL", 0},
    };
    option_set_add(&set, specs, sizeof specs / sizeof specs[0]);
    common_add_output(&common, &set, false);
    if (!command_begin_model(command, &common, &set, argc, argv, &status))
        return status;
    bool done = common_open(&common, true, &engine, NULL) &&
                text_read_path(&json, file, JSON_MAX, &common.fault) &&
                render(&common, engine, &json);
    status = output_end(done, &common.fault);
    text_free(&json);
    lichen_engine_close(engine);
    return status;
}

const struct command command_template = {
    "template", "[MODEL]", "the model's chat template, rendered",
    "Reads a JSON object {\"messages\": [...], \"tools\": [...]} and prints the prompt, byte for\n"
    "byte. add_generation_prompt is true unless the object says false; every other key is a\n"
    "variable of the template.",
    template_main};
