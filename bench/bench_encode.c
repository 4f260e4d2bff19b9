/* bench_encode.c: how fast one thread encodes and how well: a line a type with the relative error
 * |w - w'| / |w| on Gaussian and on Student-t weights, without and with (even) importance, and
 * weights a second of processor time. usage: bench-encode [plain|avx2|avx512] */
#include "encode.h"
#include "encode_block.h"
#include "table_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct measure {
    double error;   /* relative */
    double seconds; /* for TABLE_WEIGHTS */
};

static struct measure measure(enum encode_set set, enum dtype dtype, const float *weights,
                              const float *importance)
{
    static uint8_t bytes[TABLE_COLS * 4];
    static float decoded[TABLE_COLS];
    const struct dtype_info *info = dtype_find(dtype);
    double error = 0.0, signal = 0.0;
    clock_t spent = 0;
    for (size_t row = 0; row < TABLE_ROWS; row++) {
        const float *src = weights + row * TABLE_COLS;
        clock_t start = clock();
        encode_row_with(set, dtype, src, importance, TABLE_COLS, bytes);
        spent += clock() - start;
        info->decode(bytes, decoded, TABLE_COLS / info->block_weights);
        for (size_t i = 0; i < TABLE_COLS; i++) {
            double x = (double)src[i], miss = x - (double)decoded[i];
            error += miss * miss;
            signal += x * x;
        }
    }
    return (struct measure){sqrt(error / signal), (double)spent / CLOCKS_PER_SEC};
}

static void print_type(enum encode_set set, enum dtype dtype, const float *gaussian,
                       const float *student)
{
    static float even[TABLE_COLS];
    for (size_t i = 0; i < TABLE_COLS; i++)
        even[i] = 1.0f;
    struct measure none = measure(set, dtype, gaussian, NULL);
    struct measure with = measure(set, dtype, gaussian, even);
    struct measure none_t = measure(set, dtype, student, NULL);
    struct measure with_t = measure(set, dtype, student, even);
    printf("%-7s %9.5f %9.5f %9.5f %9.5f %9.1f %9.1f\n", dtype_find(dtype)->name, none.error,
           with.error, none_t.error, with_t.error,
           2e-6 * TABLE_WEIGHTS / (none.seconds + none_t.seconds),
           2e-6 * TABLE_WEIGHTS / (with.seconds + with_t.seconds));
}

int main(int count, char **arguments)
{
    static const char *const names[ENCODE_SET_COUNT] = {"plain", "avx2", "avx512"};
    enum encode_set set = encode_set_best();
    for (enum encode_set i = 0; count > 1 && i <= encode_set_best(); i++)
        if (strcmp(arguments[1], names[i]) == 0)
            set = i;
    float *gaussian = malloc(TABLE_WEIGHTS * sizeof *gaussian);
    float *student = malloc(TABLE_WEIGHTS * sizeof *student);
    if (!gaussian || !student)
        return 1;
    table_weights(gaussian, student);
    printf("instruction set %s, one thread, %d x %d weights\n", names[set], TABLE_ROWS, TABLE_COLS);
    printf("%-7s %9s %9s %9s %9s %9s %9s\n", "type", "Gaussian", "with imp.", "t5", "with imp.",
           "Mw/s", "with imp.");
    for (uint32_t id = 0; id < DTYPE_ID_COUNT; id++)
        if (encode_supported((enum dtype)id))
            print_type(set, (enum dtype)id, gaussian, student);
    free(student);
    free(gaussian);
    return 0;
}
