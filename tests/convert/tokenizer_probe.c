/* tokenizer_probe.c: imports a tokenizer folder and compares ids with a golden file of
 * gen_tokenizer_golden.py, for hand use and for that script.
 * usage: tokenizer_probe FOLDER OUT.gguf [GOLDEN.json [ROWS]] */
#include "imported.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same(const struct token_list *list, const json_t *ids)
{
    if (list->count != json_array_size(ids))
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (list->ids[i] != json_integer_value(json_array_get(ids, i)))
            return false;
    return true;
}

/* [text, ids with the tokens that begin and end a text, whether it has control tokens] */
static size_t check(const struct tokenizer *tokenizer, const json_t *rows)
{
    size_t i, wrong = 0;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        json_t *text = json_array_get(row, 0), *ids = json_array_get(row, 1);
        struct token_list list = {0};
        struct fault fault = {0};
        if (!tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text),
                              (struct tokenize_options){
                                  .bos = true, .special = json_is_true(json_array_get(row, 2))},
                              &list, &fault))
            printf("fault: %s\n", fault.text);
        if (!same(&list, ids) && wrong++ < 12) {
            printf("%s\n  expected %s\n  found    [", json_dumps(text, JSON_ENCODE_ANY),
                   json_dumps(ids, JSON_COMPACT));
            for (size_t k = 0; k < list.count; k++)
                printf("%s%d", k ? "," : "", list.ids[k]);
            printf("]\n");
        }
        token_list_free(&list);
    }
    printf("%zu of %zu differ\n", wrong, json_array_size(rows));
    return wrong;
}

int main(int argc, char **argv)
{
    struct fault fault = {0};
    struct tokenizer_hints hints = imported_no_hints();
    struct gguf *gguf;
    if (argc < 3)
        return 2;
    if (argc > 4)
        hints.vocab_size = (uint32_t)strtoul(argv[4], NULL, 10);
    struct tokenizer *tokenizer = imported_tokenizer(argv[1], &hints, argv[2], &gguf, &fault);
    if (!tokenizer) {
        printf("%s\n", fault.text);
        return 1;
    }
    size_t wrong = 0;
    if (argc > 3) {
        json_t *rows = json_load_file(argv[3], JSON_ALLOW_NUL, NULL);
        wrong = check(tokenizer, rows);
        json_decref(rows);
    }
    tokenizer_destroy(tokenizer);
    gguf_close(gguf);
    return wrong > 0;
}
