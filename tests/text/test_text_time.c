/* test_text_time.c: a megabyte of one character or of a short pattern takes no more than a moment,
 * whatever the pre-tokenizer; see reliability.md C7. */
#include "pre_patterns.h"
#include "pretokenize.h"
#include "published.h"
#include "testing.h"

#include <stdlib.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { TEXT_SIZE = SANITIZED ? 1 << 17 : 1 << 20 };

/* Of processor time, and generous: the usual is a tenth of it. */
static const double limit_s = 2.0;

static double seconds_since(clock_t start)
{
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* One of every class that a pattern tells apart, and what makes patterns go back. */
static const char *const fills[] = {
    "a",
    "A",
    "ß",
    "ǅ",
    "ʰ",
    "中",
    "カ",
    "한",
    "ا",
    "न",
    "\xCC\x81",
    "1",
    "٣",
    "²",
    "Ⅷ",
    ".",
    "'",
    "$",
    "_",
    "😀",
    "。",
    " ",
    "\t",
    "\n",
    "\r\n",
    "　",
    "\xC2\x85",
    "\x01",
    "\xE2\x80\x8B",
    "\xEE\x80\x80",
    " a",
    "a ",
    "  a",
    " \n",
    "\n ",
    " 1",
    "'s",
    "aA",
    "Aa",
    "a'",
    "1a",
    "1 ",
    "a\xCC\x81",
    "न\xE0\xA4\xBF",
    "!!\n",
    "<s",
    "/",
    " !",
    "a中",
    "中1",
    "    x",
    "〇",
    "IMGIMG",
    "\xFF",
    "\xE4\xBD",
};

static char *filled(const char *fill, size_t *size)
{
    size_t step = strlen(fill);
    char *text = malloc(TEXT_SIZE + 16);
    for (*size = 0; *size + step <= TEXT_SIZE; *size += step)
        memcpy(text + *size, fill, step);
    return text;
}

static double slowest(const struct pretokenizer *pre, const char **where)
{
    double worst = 0;
    struct splitter splitter = {0};
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
        if ((unsigned char)fills[i][0] == 0xFF || strcmp(fills[i], "\xE4\xBD") == 0)
            continue; /* the patterns see valid text only */
        size_t size;
        char *text = filled(fills[i], &size);
        text[size++] = 'x'; /* a run that ends; one to the end is in the vocabularies below */
        struct fault fault = {0};
        clock_t start = clock();
        if (!pretokenizer_split(pre, text, size, &splitter, &fault))
            fail_msg("\"%s\": %s", fills[i], fault.text);
        double seconds = seconds_since(start);
        if (seconds > worst) {
            worst = seconds;
            *where = fills[i];
        }
        free(text);
    }
    splitter_free(&splitter);
    return worst;
}

static void test_pretokenizers(void **state)
{
    (void)state;
    double worst_of_all = 0;
    for (unsigned i = 0; pre_recipe_at(i); i++) {
        const struct pre_recipe *recipe = pre_recipe_at(i);
        bool seen = false; /* many names share their patterns */
        for (unsigned j = 0; j < i; j++)
            seen = seen || pre_recipe_at(j)->stages == recipe->stages;
        if (seen)
            continue;
        struct pretokenizer *pre;
        const char *where = "";
        assert_true(pretokenizer_create(recipe->name, &pre, NULL));
        double seconds = slowest(pre, &where);
        if (seconds > limit_s)
            fail_msg("%s: %.2f s for %d bytes of \"%s\"", recipe->name, seconds, TEXT_SIZE, where);
        if (seconds > 0.25)
            print_message("%s: %.2f s for %d bytes of \"%s\"\n", recipe->name, seconds, TEXT_SIZE,
                          where);
        worst_of_all = seconds > worst_of_all ? seconds : worst_of_all;
        pretokenizer_destroy(pre);
    }
    print_message("slowest pre-tokenizer: %.2f s\n", worst_of_all);
}

static void time_vocabulary(const char *name)
{
    struct tokenizer *tokenizer = published_tokenizer(name);
    if (!tokenizer)
        SKIP("%s is not there", name);
    double worst = 0;
    const char *where = "";
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
        size_t size, decoded_size;
        char *text = filled(fills[i], &size), *decoded;
        struct token_list list = {0};
        struct fault fault = {0};
        clock_t start = clock();
        if (!tokenizer_encode(tokenizer, text, size, (struct tokenize_options){.special = true},
                              &list, &fault))
            fail_msg("%s: \"%s\": %s", name, fills[i], fault.text);
        double seconds = seconds_since(start);
        if (seconds > worst) {
            worst = seconds;
            where = fills[i];
        }
        assert_true(tokenizer_decode_all(tokenizer, list.ids, list.count, true, &decoded,
                                         &decoded_size, NULL));
        if (strcmp(name, "bert-bge") != 0) {
            assert_int_equal(decoded_size, size);
            assert_memory_equal(decoded, text, size);
        }
        free(decoded);
        free(text);
        token_list_free(&list);
    }
    print_message("%s: at most %.2f s, for \"%s\"\n", name, worst, where);
    if (worst > limit_s)
        fail_msg("%s: %.2f s for %d bytes of \"%s\"", name, worst, TEXT_SIZE, where);
    tokenizer_destroy(tokenizer);
}

static void test_vocabulary(void **state)
{
    time_vocabulary(*state);
}

int main(void)
{
    static const char *const names[] = {"gpt-2", "qwen2", "llama-spm", "bert-bge"};
    struct CMUnitTest tests[1 + sizeof names / sizeof *names] = {
        cmocka_unit_test(test_pretokenizers)};
    size_t count = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        tests[count++] =
            (struct CMUnitTest){names[i], test_vocabulary, NULL, NULL, (void *)(uintptr_t)names[i]};
    return _cmocka_run_group_tests("text_time", tests, count, NULL, NULL);
}
