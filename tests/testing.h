/* testing.h: what every test program includes: cmocka, a seeded generator, paths of test data and
 * the counted skip. */
#ifndef LICHEN_TESTING_H
#define LICHEN_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Leaves the test as skipped, with a reason in the log. */
#define SKIP(...)                                                                                  \
    do {                                                                                           \
        print_message("skip: " __VA_ARGS__);                                                       \
        print_message("\n");                                                                       \
        skip();                                                                                    \
    } while (0)

/* xorshift64*, from any seed but 0. */
static inline uint64_t test_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717ULL;
}

/* Uniform in [-1, 1). */
static inline float test_uniform(uint64_t *state)
{
    return (float)((double)(test_random(state) >> 11) / 4503599627370496.0 - 1.0);
}

/* Where a model file of the catalogue would be: the folder LICHEN_MODELS, else the user's models
 * folder, where `./setup get NAME` puts it. */
static inline void test_model_path(const char *name, char *path, size_t size)
{
    const char *models = getenv("LICHEN_MODELS"), *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    if (models)
        snprintf(path, size, "%s/%s", models, name);
    else if (data && data[0])
        snprintf(path, size, "%s/lichen/models/%s", data, name);
    else
        snprintf(path, size, "%s/.local/share/lichen/models/%s", home ? home : "", name);
}

static inline int test_file_exists(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file)
        fclose(file);
    return file != NULL;
}

#endif
