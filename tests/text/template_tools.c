/* template_tools.c: what the tests of the template engine share. */
#include "testing.h"

#include "template_tools.h"

#include <stdlib.h>

char *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    size_t capacity = 1 << 16;
    char *bytes = malloc(capacity + 1);
    *size = 0;
    while (bytes) {
        *size += fread(bytes + *size, 1, capacity - *size, file);
        if (*size < capacity)
            break;
        capacity *= 2;
        bytes = realloc(bytes, capacity + 1);
    }
    fclose(file);
    assert_non_null(bytes);
    bytes[*size] = 0;
    return bytes;
}

static void take_fault(struct rendered *out, const char *kind)
{
    out->kind = kind;
    out->size = strlen(out->fault.text);
    out->text = malloc(out->size + 1);
    assert_non_null(out->text);
    memcpy(out->text, out->fault.text, out->size + 1);
}

void render(const char *source, size_t source_size, const char *variables, struct rendered *out)
{
    struct template *template;
    memset(out, 0, sizeof *out);
    if (!template_create(source, source_size, &template, &out->fault)) {
        take_fault(out, "error");
        return;
    }
    out->kind = "text";
    if (!template_render(template, variables, strlen(variables), TEMPLATE_TIME, &out->text,
                         &out->size, &out->fault))
        take_fault(out, out->fault.kind == FAULT_ARGUMENT ? "raise" : "error");
    template_destroy(template);
}

const char *render_text(const char *source, const char *variables)
{
    static char *last;
    struct rendered rendered;
    free(last);
    render(source, strlen(source), variables, &rendered);
    last = rendered.text;
    return last;
}
