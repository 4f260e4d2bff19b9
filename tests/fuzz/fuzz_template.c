/* fuzz_template.c: any bytes as template and variables: "TEMPLATE\0JSON". What compiles is
 * rendered; the budgets keep it short. */
#include "fuzz.h"

#include "template.h"

#include <stdlib.h>
#include <string.h>

static const char DEFAULTS[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\" "
    "h\\u00e9 \"},"
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"x\",\"function\":{\"name\":"
    "\"f\","
    "\"arguments\":{\"a\":1.5,\"b\":[true,null]}}}]}],\"tools\":[{\"type\":\"function\","
    "\"function\":"
    "{\"name\":\"f\",\"parameters\":{}}}],\"add_generation_prompt\":true,\"bos_token\":\"<s>\"}";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *source = (const char *)bytes;
    const uint8_t *end = size ? memchr(bytes, 0, size) : NULL;
    size_t source_size = end ? (size_t)(end - bytes) : size;
    const char *variables = end ? (const char *)end + 1 : DEFAULTS;
    size_t variables_size = end ? size - source_size - 1 : sizeof DEFAULTS - 1;
    struct fault fault = {0};
    struct template *template;
    char *text;
    size_t text_size;
    if (!template_create(source, source_size, &template, &fault)) {
        if (fault.kind == FAULT_NONE)
            abort();
        return 0;
    }
    bool done =
        template_render(template, variables, variables_size, 1721995200, &text, &text_size, &fault);
    if (done != (fault.kind == FAULT_NONE) || done != (text != NULL))
        abort();
    free(text);
    template_destroy(template);
    return 0;
}
