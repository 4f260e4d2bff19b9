/* hf_name.c: the model's name and what GGUF's naming convention (ggml, docs/gguf.md) reads from it:
 * "SmolLM2-135M-Instruct-v0.2" is basename SmolLM2, finetune Instruct, version v0.2; the size label
 * is counted from the weights. */
#include "hf_builder.h"
#include "platform.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 4096, PARTS_MAX = 32, PART_SIZE = 64 };

enum part_kind { PART_NONE, PART_BASE, PART_VERSION, PART_SIZE_LABEL, PART_ENCODING, PART_TUNE };

struct part {
    char text[PART_SIZE];
    enum part_kind kind;
};

/* where the name comes from */

static const char *base_of(char *path)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        path[--size] = 0;
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* HUB/models--OWNER--NAME/snapshots/REVISION: NAME, NULL when path is another. path is changed. */
static const char *cached_name(char *path)
{
    char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 0;
    if (size < 10 || memcmp(slash - 10, "/snapshots", 10) != 0)
        return NULL;
    slash[-10] = 0;
    const char *model = base_of(path), *last = NULL;
    if (strncmp(model, "models--", 8) != 0)
        return NULL;
    for (const char *at = strstr(model, "--"); at; at = strstr(at + 2, "--"))
        last = at + 2;
    return *last ? last : NULL;
}

static const char *name_of(struct hf_builder *builder)
{
    char given[PATH_SIZE], whole[PATH_SIZE];
    if (snprintf(given, sizeof given, "%s", builder->folder) >= PATH_SIZE)
        return "model";
    const char *name = base_of(given);
    if (path_whole(given, whole, sizeof whole)) {
        bool is_dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
        char copy[PATH_SIZE];
        memcpy(copy, whole, sizeof copy);
        const char *cached = cached_name(copy);
        name = cached ? cached : is_dots ? base_of(whole) : name;
        return hf_format(builder, "%s", name);
    }
    return hf_format(builder, "%s", name);
}

/* "smollm2-135M" -> "Smollm2 135M" */
static const char *title_of(struct hf_builder *builder, const char *name)
{
    size_t size = strlen(name);
    char *title = hf_alloc(builder, size + 1, 1);
    if (!title)
        return NULL;
    for (size_t i = 0; i < size; i++)
        title[i] = name[i] == '-' ? ' ' : name[i];
    for (size_t i = 0; i < size; i += strcspn(title + i, " ") + 1) {
        size_t length = strcspn(title + i, " ");
        bool is_plain = length > 0 && islower((unsigned char)title[i]) &&
                        !(title[i] == 'v' && isdigit((unsigned char)title[i + 1]));
        for (size_t k = 0; k < length; k++)
            is_plain &= !isupper((unsigned char)title[i + k]);
        if (is_plain)
            title[i] = (char)toupper((unsigned char)title[i]);
    }
    return title;
}

/* what its parts are */

static const char *skip_number(const char *text)
{
    const char *end = text + strspn(text, "0123456789");
    while (end > text && (*end == '.' || *end == '_') && isdigit((unsigned char)end[1]))
        end += 1 + strspn(end + 1, "0123456789");
    return end;
}

static bool is_same_word(const char *a, const char *b)
{
    while (*a && tolower((unsigned char)*a) == tolower((unsigned char)*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

static bool is_one_of(const char *text, const char *const words[])
{
    for (size_t i = 0; words[i]; i++)
        if (is_same_word(text, words[i]))
            return true;
    return false;
}

static bool is_version(const char *text)
{
    const char *number = text + (tolower((unsigned char)*text) == 'v');
    const char *end = skip_number(number);
    return end > number && *end == 0;
}

/* "1.5B", "360M"; *weights = how many that are, 0 when it is none. */
static bool is_size(const char *text, double *weights)
{
    static const char *const words[] = {"small", "mini", "medium", "large", "xl", "xxl", NULL};
    const char *end = skip_number(text);
    const char *unit = *end ? strchr("kmbt", tolower((unsigned char)*end)) : NULL;
    double number = 0;
    *weights = 0;
    if (is_one_of(text, words))
        return true;
    if (end == text || !unit || end[1] != 0 || sscanf(text, "%lf", &number) != 1)
        return false;
    *weights = number * pow(1000, (double)(unit - "kmbt" + 1));
    return true;
}

static enum part_kind kind_of(const char *text, bool is_first, double total)
{
    static const char *const encodings[] = {"f16", "f32", "fp16", "fp32", "bf16", NULL};
    static const char *const tunes[] = {"chat", "instruct", "vision", "lora", NULL};
    double weights;
    if (is_version(text))
        return PART_VERSION;
    if (is_one_of(text, encodings))
        return PART_ENCODING;
    if (!is_first && is_size(text, &weights)) /* 128k is a context */
        return weights > 0 && fabs(weights - total) > 7 * total / 8 ? PART_TUNE : PART_SIZE_LABEL;
    return !is_first && is_one_of(text, tunes) ? PART_TUNE : PART_NONE;
}

static size_t split(const char *name, double total, struct part parts[PARTS_MAX])
{
    size_t count = 0;
    for (size_t size; *name; name += size + (name[size] == '-')) {
        size = strcspn(name, "-");
        if (size == 0)
            continue;
        if (size >= PART_SIZE || count == PARTS_MAX)
            return 0;
        snprintf(parts[count].text, PART_SIZE, "%.*s", (int)size, name);
        parts[count].kind = kind_of(parts[count].text, count == 0, total);
        count++;
    }
    return count;
}

/* The base name is what stands first, versions in its middle included; what is left is a tune. */
static void find_base(struct part *parts, size_t count)
{
    size_t end = 0, i;
    while (end < count &&
           (parts[end].kind == PART_VERSION ||
            (parts[end].kind == PART_NONE && isalpha((unsigned char)parts[end].text[0]))))
        end++;
    for (i = end; i < count; i++)
        if (parts[i].kind == PART_NONE)
            parts[i].kind = PART_TUNE;
    while (end > 0 && parts[end - 1].kind == PART_VERSION)
        end--;
    for (i = 0; i < end; i++)
        parts[i].kind = PART_BASE;
}

static void put_parts(struct hf_builder *builder, const char *key, const struct part *parts,
                      size_t count, enum part_kind kind)
{
    char text[PARTS_MAX * PART_SIZE] = "";
    for (size_t i = 0; i < count; i++)
        if (parts[i].kind == kind) {
            strcat(text, *text ? "-" : "");
            strcat(text, parts[i].text);
        }
    if (*text)
        hf_put_text(builder, key, text);
}

/* "135M", "1.5B": two digits at least. */
static void put_size_label(struct hf_builder *builder, double total)
{
    static const char units[] = "KMBT";
    double scaled = total / 1000;
    size_t unit = 0;
    while (scaled >= 1000 && unit < 3) {
        scaled /= 1000;
        unit++;
    }
    const char *text = hf_format(builder, "%.*f%c",
                                 scaled < 0.5   ? 2
                                 : scaled < 9.5 ? 1
                                                : 0,
                                 scaled, units[unit]);
    if (text)
        hf_put_text(builder, "general.size_label", text);
}

void hf_name_read(struct hf_builder *builder)
{
    struct part parts[PARTS_MAX];
    const struct source *source = &builder->source->source;
    const char *given = builder->options ? builder->options->name : NULL;
    const char *name = given ? given : name_of(builder);
    double total = 0;
    for (uint32_t i = 0; i < source->tensor_count; i++)
        total += (double)source->tensors[i].dims[0] * (double)source->tensors[i].rows;
    const char *title = name && !given ? title_of(builder, name) : name;
    if (!title)
        return;
    hf_put_text(builder, "general.name", title);
    put_size_label(builder, total);
    size_t count = strchr(name, ' ') ? 0 : split(name, total, parts);
    find_base(parts, count);
    bool is_whole = true; /* all of it base name: too little to tell */
    for (size_t i = 0; i < count; i++)
        is_whole &= parts[i].kind == PART_BASE || parts[i].kind == PART_ENCODING;
    if (is_whole)
        return;
    put_parts(builder, "general.basename", parts, count, PART_BASE);
    put_parts(builder, "general.finetune", parts, count, PART_TUNE);
    put_parts(builder, "general.version", parts, count, PART_VERSION);
}
