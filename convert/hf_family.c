/* hf_family.c: the list of all families. */
#include "hf_family.h"

#include <string.h>

const struct hf_family *hf_family_at(size_t index)
{
    static const struct hf_family *const *const lists[] = {hf_families_llama, hf_families_fused,
                                                           hf_families_gemma, hf_families_glm,
                                                           hf_families_layernorm};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (const struct hf_family *const *family = lists[i]; *family; family++)
            if (index-- == 0)
                return *family;
    return NULL;
}

bool hf_list_has(const char *list, const char *item)
{
    size_t size = strlen(item);
    while (*list) {
        size_t length = strcspn(list, "|");
        if (length == size && memcmp(list, item, size) == 0)
            return true;
        list += length + (list[length] == '|');
    }
    return false;
}
