/* cmd_info.c: lichen info: what a model file says about itself. */
#include "command.h"
#include "text.h"
#include <string.h>

enum { VALUE_SIZE = 512, TYPE_COUNT_MAX = 32 };

struct info {
    struct common common;
    bool tensors;
    struct lichen_engine *engine;
    struct lichen_model_info model;
};

struct type_share {
    const char *name;
    uint32_t count;
    uint64_t size;
};

/* Types of the tensors and how many of each; returns how many types. */
static size_t type_shares(const struct info *info, struct type_share shares[TYPE_COUNT_MAX])
{
    size_t count = 0;
    for (uint32_t i = 0; i < info->model.tensor_count; i++) {
        struct lichen_tensor tensor;
        lichen_tensor(info->engine, i, &tensor);
        size_t k = 0;
        while (k < count && strcmp(shares[k].name, tensor.type) != 0)
            k++;
        if (k == TYPE_COUNT_MAX)
            continue;
        if (k == count)
            shares[count++] = (struct type_share){tensor.type, 0, 0};
        shares[k].count++;
        shares[k].size += tensor.size;
    }
    return count;
}

static bool print_text(struct info *info, const char *text)
{
    return text_print_safe(stdout, text, strlen(text), &info->common.fault);
}

static bool print_named(struct info *info, const char *name, const char *value)
{
    printf("%-18s", name);
    bool done = print_text(info, value[0] ? value : "-");
    putchar('\n');
    return done;
}

static void print_types(const struct info *info)
{
    struct type_share shares[TYPE_COUNT_MAX];
    size_t count = type_shares(info, shares);
    char size[32];
    printf("%-18s%u", "tensors", (unsigned)info->model.tensor_count);
    for (size_t i = 0; i < count; i++)
        printf("%s%u %s (%s)", i ? ", " : ": ", (unsigned)shares[i].count, shares[i].name,
               size_text(shares[i].size, size));
    putchar('\n');
}

static bool print_template(struct info *info)
{
    const char *source = info->model.chat_template;
    printf("%-18s", "template");
    if (!source) {
        printf("none (lichen run --raw still works)\n");
        return true;
    }
    printf("%zu bytes%s\n", strlen(source),
           info->common.output.verbose ? ":" : " (--verbose prints it)");
    if (!info->common.output.verbose)
        return true;
    bool done = print_text(info, source);
    putchar('\n');
    return done;
}

static bool is_provenance(const char *key)
{
    static const char *const skip[] = {"general.architecture", "general.name", "general.alignment",
                                       "general.file_type"};
    if (strncmp(key, "general.", 8) != 0 && strncmp(key, "lichen.", 7) != 0)
        return false;
    for (size_t i = 0; i < sizeof skip / sizeof skip[0]; i++)
        if (strcmp(key, skip[i]) == 0)
            return false;
    return true;
}

/* Metadata: what tells where the file comes from, or all of it. */
static bool print_entries(struct info *info, bool all)
{
    bool done = true;
    for (uint32_t i = 0; done && i < info->model.entry_count; i++) {
        const char *key;
        char type[64], value[VALUE_SIZE];
        lichen_entry(info->engine, i, &key, type, value, sizeof value);
        if (!all && !is_provenance(key))
            continue;
        done = print_text(info, "  ") && print_text(info, key);
        if (all)
            printf(" (%s)", type);
        done = done && print_text(info, " = ") && print_text(info, value);
        putchar('\n');
    }
    return done;
}

static bool print_tensors(struct info *info)
{
    bool done = true;
    for (uint32_t i = 0; done && i < info->model.tensor_count; i++) {
        struct lichen_tensor tensor;
        char shape[96] = "", size[32];
        lichen_tensor(info->engine, i, &tensor);
        for (uint32_t k = 0; k < tensor.dim_count; k++)
            snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%llu", k ? " x " : "",
                     (unsigned long long)tensor.dims[k]);
        printf("%12llu  %-8s %-20s %10s  ", (unsigned long long)tensor.offset, tensor.type, shape,
               size_text(tensor.size, size));
        done = print_text(info, tensor.name);
        putchar('\n');
    }
    return done;
}

static bool print_model(struct info *info)
{
    const struct lichen_model_info *model = &info->model;
    char size[32], line[160];
    bool done = print_named(info, "file", model->path);
    done = print_named(info, "size", size_text(model->file_size, size)) && done;
    done = print_named(info, "name", model->name) && done;
    done = print_named(info, "architecture", model->architecture) && done;
    snprintf(line, sizeof line, "%.1f M, %.2f bits per weight", (double)model->parameters / 1e6,
             model->bits_per_weight);
    done = print_named(info, "parameters", line) && done;
    snprintf(line, sizeof line, "%u layers, width %u, %u heads of %u, %u for keys, FFN %u",
             (unsigned)model->layers, (unsigned)model->dim, (unsigned)model->heads,
             (unsigned)model->head_dim, (unsigned)model->kv_heads, (unsigned)model->ffn_dim);
    done = print_named(info, "shape", line) && done;
    snprintf(line, sizeof line, "%u positions in training", (unsigned)model->context_trained);
    done = print_named(info, "context", line) && done;
    snprintf(line, sizeof line, "%.60s%s%.60s, %u tokens", model->tokenizer,
             model->pre[0] ? " / " : "", model->pre, (unsigned)model->vocab);
    done = print_named(info, "tokenizer", line) && done;
    done = print_template(info) && done;
    print_types(info);
    printf("provenance\n");
    return print_entries(info, info->common.output.verbose) && done;
}

static json_t *json_of_types(const struct info *info)
{
    struct type_share shares[TYPE_COUNT_MAX];
    size_t count = type_shares(info, shares);
    json_t *types = json_array();
    for (size_t i = 0; types && i < count; i++)
        json_array_append_new(types,
                              json_pack("{s:s, s:i, s:I}", "type", shares[i].name, "count",
                                        (int)shares[i].count, "bytes", (json_int_t)shares[i].size));
    return types;
}

static json_t *json_of_entries(const struct info *info)
{
    json_t *entries = json_array();
    for (uint32_t i = 0; entries && i < info->model.entry_count; i++) {
        const char *key;
        char type[64], value[VALUE_SIZE];
        lichen_entry(info->engine, i, &key, type, value, sizeof value);
        json_array_append_new(entries,
                              json_pack("{s:o, s:s, s:o}", "key", json_of_text(key, strlen(key)),
                                        "type", type, "value", json_of_text(value, strlen(value))));
    }
    return entries;
}

static json_t *json_of_tensors(const struct info *info)
{
    json_t *tensors = json_array();
    for (uint32_t i = 0; tensors && i < info->model.tensor_count; i++) {
        struct lichen_tensor tensor;
        lichen_tensor(info->engine, i, &tensor);
        json_t *dims = json_array();
        for (uint32_t k = 0; dims && k < tensor.dim_count; k++)
            json_array_append_new(dims, json_integer((json_int_t)tensor.dims[k]));
        json_array_append_new(tensors,
                              json_pack("{s:o, s:s, s:o, s:I, s:I}", "name",
                                        json_of_text(tensor.name, strlen(tensor.name)), "type",
                                        tensor.type, "dims", dims, "bytes", (json_int_t)tensor.size,
                                        "offset", (json_int_t)tensor.offset));
    }
    return tensors;
}

static json_t *json_of_info(const struct info *info)
{
    const struct lichen_model_info *model = &info->model;
    const char *source = model->chat_template;
    json_t *document = json_pack(
        "{s:i, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}, s:{s:o, s:o}, s:o, s:o, s:o}",
        "schema", 1, "model", json_of_model(info->engine), "shape", "layers",
        (json_int_t)model->layers, "dim", (json_int_t)model->dim, "heads", (json_int_t)model->heads,
        "kv_heads", (json_int_t)model->kv_heads, "head_dim", (json_int_t)model->head_dim, "ffn_dim",
        (json_int_t)model->ffn_dim, "vocab", (json_int_t)model->vocab, "context",
        (json_int_t)model->context_trained, "tokenizer", "model",
        json_of_text(model->tokenizer, strlen(model->tokenizer)), "pre",
        json_of_text(model->pre, strlen(model->pre)), "template",
        source ? json_of_text(source, strlen(source)) : json_null(), "types", json_of_types(info),
        "metadata", json_of_entries(info));
    if (document && info->tensors)
        json_object_set_new(document, "tensors", json_of_tensors(info));
    return document;
}

static int info_main(const struct command *command, int argc, char **argv)
{
    struct info info = {.engine = NULL};
    struct option_set set = {.count = 0};
    int status;
    common_init(&info.common);
    const struct option_spec specs[] = {
        {"tensors", 0, OPTION_FLAG, &info.tensors, NULL, "the table of tensors", 0},
        {"model", 'm', OPTION_TEXT, &info.common.model, "MODEL", "instead of the operand", 0},
    };
    option_set_add(&set, specs, sizeof specs / sizeof specs[0]);
    common_add_output(&info.common, &set, true);
    if (!command_begin_model(command, &info.common, &set, argc, argv, &status))
        return status;
    bool done = common_open(&info.common, true, &info.engine, NULL);
    if (done) {
        lichen_model_info(info.engine, &info.model);
        done = info.common.output.json ? output_json(json_of_info(&info), &info.common.fault)
               : info.tensors          ? print_tensors(&info)
                                       : print_model(&info);
    }
    status = output_end(done, &info.common.fault);
    lichen_engine_close(info.engine);
    return status;
}

const struct command command_info = {
    "info", "[MODEL]", "what a model file holds",
    "--tensors prints the table of tensors; --verbose all metadata and the chat template.",
    info_main};
