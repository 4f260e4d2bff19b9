/* command.c: from a command line to a parsed command; help texts; JSON parts. */
#include "command.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void help_option(const struct option_spec *spec, FILE *stream)
{
    char left[64];
    int size = spec->letter ? snprintf(left, sizeof left, "-%c, ", spec->letter)
                            : snprintf(left, sizeof left, "    ");
    snprintf(left + size, sizeof left - (size_t)size, "--%s%s%s", spec->name,
             spec->value ? " " : "", spec->value ? spec->value : "");
    fprintf(stream, "  %-30s", left);
    if (strlen(left) > 30)
        fprintf(stream, "\n  %-30s", "");
    const char *help = spec->help ? spec->help : "";
    fprintf(stream, "%s%s\n", spec->kind == OPTION_NOT_YET ? "(not yet) " : "", help);
}

void command_help(const struct command *command, const struct option_set *set, FILE *stream)
{
    fprintf(stream, "usage: lichen %s %s%s[options]\n%s\n", command->name, command->operands,
            command->operands[0] ? " " : "", command->summary);
    if (command->details)
        fprintf(stream, "\n%s\n", command->details);
    fprintf(stream, "\noptions:\n");
    for (size_t i = 0; i < set->count; i++)
        help_option(&set->specs[i], stream);
}

bool command_begin(const struct command *command, struct common *common,
                   const struct option_set *set, int argc, char **argv, int *first, int *status)
{
    if (!options_parse(set, argc, argv, first, &common->fault) ||
        !sampler_check(&common->sampler, INT32_MAX, &common->fault)) {
        fault_context(&common->fault, "%s", command->name);
        *status = output_fault(&common->fault);
        return false;
    }
    if (common->help) {
        command_help(command, set, stdout);
        *status = output_end(true, &common->fault);
        return false;
    }
    return true;
}

bool command_begin_model(const struct command *command, struct common *common,
                         const struct option_set *set, int argc, char **argv, int *status)
{
    int first;
    if (!command_begin(command, common, set, argc, argv, &first, status))
        return false;
    if (!common->model && first < argc)
        common->model = argv[first++];
    if (first == argc)
        return true;
    fault_set(&common->fault, FAULT_ARGUMENT, "%s: unexpected '%.80s'; usage: lichen %s %s",
              command->name, argv[first], command->name, command->operands);
    *status = output_fault(&common->fault);
    return false;
}

json_t *json_of_device(const struct lichen_device *device)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", device->name, "uuid", device->uuid,
                     "type", device->type, "driver", device->driver, "api", device->api);
}

json_t *json_of_model(const struct lichen_engine *engine)
{
    struct lichen_model_info info;
    lichen_model_info(engine, &info);
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:f}", "path",
                     json_of_text(info.path, strlen(info.path)), "name",
                     json_of_text(info.name, strlen(info.name)), "architecture",
                     json_of_text(info.architecture, strlen(info.architecture)), "bytes",
                     (json_int_t)info.file_size, "parameters", (json_int_t)info.parameters,
                     "bits_per_weight", info.bits_per_weight);
}

json_t *json_of_ids(const int32_t *ids, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++)
        json_array_append_new(array, json_integer(ids[i]));
    return array;
}

static size_t ids_possible(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text >= '0' && *text <= '9';
    return count;
}

bool parse_ids(const char *text, const char *name, struct lichen_ids *ids, struct fault *fault)
{
    static const char separators[] = ", \t\r\n";
    *ids = (struct lichen_ids){0};
    ids->ids = malloc((ids_possible(text) + 1) * sizeof *ids->ids);
    if (!ids->ids)
        return fault_set(fault, FAULT_MEMORY, "out of memory for the list of ids");
    for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
        char *end;
        errno = 0;
        long value = strtol(text, &end, 10);
        bool digit = *text >= '0' && *text <= '9';
        if (!digit || errno || value > INT32_MAX || (*end && !strchr(separators, *end))) {
            free(ids->ids);
            *ids = (struct lichen_ids){0};
            return fault_set(fault, FAULT_ARGUMENT,
                             "%s: expected token ids as 1,2,3, found '%.20s'", name, text);
        }
        ids->ids[ids->count++] = (int32_t)value;
        text = end;
    }
    return true;
}
