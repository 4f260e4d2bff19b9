/* test_refine.c: refine reaches numpy's objective, never raises it, and depends on nothing but the
 * row; blocks survive unpacking and packing. */
#include "testing.h"

#include "block.h"
#include "half.h"
#include "refine.h"
#include "refine_block.h"
#include "refine_golden.h"

#include <math.h>

enum { ROWS = 24, COLUMNS = 128, TOKENS = 600, WIDE = 512 };

static const enum dtype types[] = {DTYPE_Q4_0,   DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q8_0,
                                   DTYPE_IQ4_NL, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_IQ4_XS};

enum { TYPE_COUNT = sizeof types / sizeof types[0] };

struct problem {
    uint32_t columns;
    float *weight;  /* [ROWS, columns] */
    float *hessian; /* [columns, columns] */
};

static float *floats(size_t count)
{
    float *memory = calloc(count, sizeof *memory);
    assert_non_null(memory);
    return memory;
}

/* As make_refine_golden.py makes it. */
static struct problem problem_make(uint64_t seed, uint32_t columns)
{
    struct problem problem = {columns, floats((size_t)ROWS * columns),
                              floats((size_t)columns * columns)};
    double *sums = calloc((size_t)columns * columns, sizeof *sums);
    double *x = calloc(columns, sizeof *x);
    assert_true(sums && x);
    for (size_t i = 0; i < (size_t)ROWS * columns; i++) {
        double u = (double)test_uniform(&seed);
        problem.weight[i] = (float)(u * u * u * 0.05);
    }
    for (int t = 0; t < TOKENS; t++) {
        double before = 0;
        for (uint32_t j = 0; j < columns; j++) {
            before = 0.8 * before + (double)test_uniform(&seed) * (j % 17 == 0 ? 4.0 : 1.0);
            x[j] = before;
        }
        for (uint32_t i = 0; i < columns; i++)
            for (uint32_t j = 0; j < columns; j++)
                sums[(size_t)i * columns + j] += x[i] * x[j];
    }
    for (size_t i = 0; i < (size_t)columns * columns; i++)
        problem.hessian[i] = (float)(sums[i] / TOKENS);
    free(sums);
    free(x);
    return problem;
}

static void problem_free(struct problem *problem)
{
    free(problem->weight);
    free(problem->hessian);
}

static struct refine *must_create(const struct problem *problem, float damping, uint32_t sweeps,
                                  uint64_t tokens)
{
    const struct refine_options options = {.damping = damping, .sweeps = sweeps};
    struct refine *refine;
    struct fault fault = {0};
    if (!refine_create(problem->hessian, problem->columns, tokens, &options, &refine, &fault))
        fail_msg("%s", fault.text);
    return refine;
}

static size_t row_size(enum dtype dtype, uint32_t columns)
{
    const struct dtype_info *info = dtype_find(dtype);
    return (size_t)(columns / info->block_weights) * info->block_size;
}

/* tr(E (H + damping mean(diag H) I) E^T) in double, from the bytes. */
static double objective(const struct problem *problem, enum dtype dtype, const void *blocks,
                        float damping)
{
    uint32_t columns = problem->columns;
    float *decoded = floats((size_t)ROWS * columns);
    double sum = 0, mean = 0;
    dtype_find(dtype)->decode(blocks, decoded,
                              (size_t)ROWS * columns / dtype_find(dtype)->block_weights);
    for (uint32_t i = 0; i < columns; i++)
        mean += (double)problem->hessian[(size_t)i * columns + i] / columns;
    for (uint32_t r = 0; r < ROWS; r++)
        for (uint32_t i = 0; i < columns; i++) {
            const float *w = problem->weight + (size_t)r * columns;
            const float *q = decoded + (size_t)r * columns;
            double e = (double)w[i] - (double)q[i], product = (double)damping * mean * e;
            for (uint32_t j = 0; j < columns; j++)
                product += ((double)w[j] - (double)q[j]) *
                           (double)problem->hessian[(size_t)j * columns + i];
            sum += e * product;
        }
    free(decoded);
    return sum;
}

/* All rows at once; what refine says of its objective must be what the bytes say. */
static double run(const struct problem *problem, enum dtype dtype, float damping, uint32_t sweeps,
                  void *dst, double said[2])
{
    struct refine *refine = must_create(problem, damping, sweeps, 1000000);
    void *scratch = malloc(refine_scratch_size(refine, ROWS));
    assert_non_null(scratch);
    said[0] = said[1] = 0;
    refine_rows(refine, dtype, problem->weight, ROWS, dst, scratch, NULL, said);
    free(scratch);
    refine_destroy(refine);
    double found = objective(problem, dtype, dst, damping);
    assert_true(fabs(found - said[1]) <= 2e-3 * found);
    return found;
}

static void test_golden(void **state)
{
    (void)state;
    struct problem problem = problem_make(20261125, COLUMNS);
    for (size_t i = 0; i < sizeof refine_golden / sizeof refine_golden[0]; i++) {
        const struct refine_golden *golden = &refine_golden[i];
        uint8_t blocks[ROWS * COLUMNS * 2];
        double said[2];
        double found = run(&problem, golden->dtype, golden->damping, 3, blocks, said);
        print_message("%s damping %.1f: %.4e -> %.4e, numpy %.4e -> %.4e\n",
                      dtype_find(golden->dtype)->name, (double)golden->damping, said[0], found,
                      golden->start, golden->end);
        assert_true(found <= golden->end * 1.03);
    }
    problem_free(&problem);
}

/* More sweeps never raise the objective, and the first lowers it much. */
static void test_monotone(void **state)
{
    (void)state;
    struct problem problem = problem_make(7, WIDE);
    uint8_t *blocks = malloc((size_t)ROWS * WIDE * 2);
    assert_non_null(blocks);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        double before = INFINITY, first = 0, said[2];
        for (uint32_t sweeps = 1; sweeps <= 4; sweeps++) {
            double found = run(&problem, types[i], 0.1f, sweeps, blocks, said);
            assert_true(said[1] <= said[0]);
            assert_true(found <= before * 1.00001);
            first = sweeps == 1 ? said[0] : first;
            before = found;
        }
        print_message("%s: %.4e -> %.4e (%.2f)\n", dtype_find(types[i])->name, first, before,
                      before / first);
        assert_true(before < 0.8 * first);
    }
    free(blocks);
    problem_free(&problem);
}

/* One row at a time, or all: the same bytes; the statistics are those of the bytes. */
static void test_rows_alone(void **state)
{
    (void)state;
    struct problem problem = problem_make(11, WIDE);
    struct refine *refine = must_create(&problem, 0.1f, 3, 1000000);
    void *scratch = malloc(refine_scratch_size(refine, ROWS));
    uint8_t *all = malloc((size_t)ROWS * WIDE * 2), *alone = malloc((size_t)ROWS * WIDE * 2);
    assert_true(scratch && all && alone);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        size_t size = row_size(types[i], WIDE);
        struct encode_stats together = {0}, summed = {0};
        refine_rows(refine, types[i], problem.weight, ROWS, all, scratch, &together, NULL);
        for (uint32_t r = 0; r < ROWS; r++)
            refine_rows(refine, types[i], problem.weight + (size_t)r * WIDE, 1, alone + r * size,
                        scratch, &summed, NULL);
        assert_memory_equal(all, alone, ROWS * size);
        assert_true(fabs(together.error - summed.error) <= 1e-12);
        assert_true(together.error > 0 && together.signal > together.error);
        assert_int_equal(together.nonfinite, 0);
    }
    free(all);
    free(alone);
    free(scratch);
    refine_destroy(refine);
    problem_free(&problem);
}

/* Random block bytes, decoded and after unpack and pack: the same weights. */
static void test_blocks(void **state)
{
    (void)state;
    uint64_t random = 99;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        const struct dtype_info *info = dtype_find(types[i]);
        for (int n = 0; n < 2000; n++) {
            uint8_t bytes[BLOCK_Q6_K_SIZE], packed[BLOCK_Q6_K_SIZE];
            float before[256], after[256];
            struct refine_block block;
            for (uint32_t j = 0; j < info->block_size; j++)
                bytes[j] = (uint8_t)(test_random(&random) >> 56);
            if (types[i] == DTYPE_Q8_0) /* -128 is never written */
                for (uint32_t j = 2; j < info->block_size; j++)
                    bytes[j] = bytes[j] == 128 ? 0 : bytes[j];
            info->decode(bytes, before, 1);
            refine_unpack(types[i], bytes, &block);
            refine_pack(types[i], &block, packed);
            info->decode(packed, after, 1);
            for (uint32_t j = 0; j < info->block_weights; j++)
                assert_true(before[j] == after[j] || before[j] != before[j]);
        }
    }
}

/* Columns that no token reached, no token at all, NaN weights, zero rows: whole bytes come out. */
static void test_edges(void **state)
{
    (void)state;
    struct problem problem = problem_make(5, WIDE);
    uint8_t *blocks = malloc((size_t)ROWS * WIDE * 2);
    float *decoded = floats((size_t)ROWS * WIDE);
    assert_non_null(blocks);
    for (uint32_t i = 0; i < WIDE; i++)
        for (uint32_t j = 0; j < 40; j++)
            problem.hessian[(size_t)i * WIDE + j] = problem.hessian[(size_t)j * WIDE + i] = 0;
    for (uint32_t i = 0; i < WIDE; i++)
        problem.weight[i] = 0;
    problem.weight[WIDE] = NAN;
    problem.weight[WIDE + 1] = INFINITY;
    problem.weight[2 * WIDE] = 1e30f;
    problem.weight[3 * WIDE + 5] = 1e-30f;
    for (int dead = 0; dead < 2; dead++) {
        if (dead)
            memset(problem.hessian, 0, (size_t)WIDE * WIDE * sizeof(float));
        struct refine *refine = must_create(&problem, 0, 0, 100);
        void *scratch = malloc(refine_scratch_size(refine, ROWS));
        for (size_t i = 0; i < TYPE_COUNT; i++) {
            const struct dtype_info *info = dtype_find(types[i]);
            struct encode_stats stats = {0};
            refine_rows(refine, types[i], problem.weight, ROWS, blocks, scratch, &stats, NULL);
            info->decode(blocks, decoded, (size_t)ROWS * WIDE / info->block_weights);
            assert_int_equal(stats.nonfinite, 2);
            for (size_t j = 0; j < (size_t)ROWS * WIDE; j++)
                assert_true(isfinite(decoded[j]));
            for (uint32_t j = 0; j < WIDE; j++)
                assert_true(decoded[j] == 0);
        }
        free(scratch);
        refine_destroy(refine);
    }
    free(decoded);
    free(blocks);
    problem_free(&problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),     cmocka_unit_test(test_monotone),
        cmocka_unit_test(test_rows_alone), cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
