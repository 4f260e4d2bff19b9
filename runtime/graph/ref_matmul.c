/* ref_matmul.c:  y[t][r] = sum_c W[r][c] x[t][c]  (+ bias[r])  (+ residual[t][r])
 * A few rows of W are decoded once and meet every token of the run. */
#include "ref.h"

enum { PARTIAL_SUMS = 8, ROWS_PER_ITEM = 16 };

struct matmul {
    struct exec_ref *ref;
    const struct step *step;
    uint32_t row_first, row_count, cols, tokens;
    const float *x;        /* [tokens, cols] */
    const float *bias;     /* of all rows of W, or NULL */
    const float *residual; /* [tokens, row_count] or NULL */
    float *y;              /* [tokens, row_count] */
};

static float sum_partial(const float sum[PARTIAL_SUMS])
{
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

void ref_dot_rows(const float *rows, const float *x, uint32_t cols, float out[REF_MATMUL_ROWS])
{
    float sum[REF_MATMUL_ROWS][PARTIAL_SUMS] = {{0}};
    uint32_t whole = cols - cols % PARTIAL_SUMS;
    for (uint32_t c = 0; c < whole; c += PARTIAL_SUMS)
        for (uint32_t i = 0; i < REF_MATMUL_ROWS; i++)
            for (uint32_t j = 0; j < PARTIAL_SUMS; j++)
                sum[i][j] += rows[(size_t)i * cols + c + j] * x[c + j];
    for (uint32_t c = whole; c < cols; c++)
        for (uint32_t i = 0; i < REF_MATMUL_ROWS; i++)
            sum[i][c - whole] += rows[(size_t)i * cols + c] * x[c];
    for (uint32_t i = 0; i < REF_MATMUL_ROWS; i++)
        out[i] = sum_partial(sum[i]);
}

float ref_dot(const float *a, const float *b, uint32_t count)
{
    float sum[PARTIAL_SUMS] = {0};
    uint32_t whole = count - count % PARTIAL_SUMS;
    for (uint32_t i = 0; i < whole; i += PARTIAL_SUMS)
        for (uint32_t j = 0; j < PARTIAL_SUMS; j++)
            sum[j] += a[i + j] * b[i + j];
    for (uint32_t i = whole; i < count; i++)
        sum[i - whole] += a[i] * b[i];
    return sum_partial(sum);
}

/* Rows row .. row+count (count <= REF_MATMUL_ROWS) of the step's range, all tokens. */
static void matmul_rows(const struct matmul *matmul, uint32_t row, uint32_t count, float *scratch)
{
    uint32_t weight = matmul->step->weight[0].weight;
    ref_weights_decode(matmul->ref->weights, weight, matmul->row_first + row, count, scratch);
    for (uint32_t t = 0; t < matmul->tokens; t++) {
        float out[REF_MATMUL_ROWS];
        ref_dot_rows(scratch, matmul->x + (size_t)t * matmul->cols, matmul->cols, out);
        for (uint32_t i = 0; i < count; i++) {
            size_t index = (size_t)t * matmul->row_count + row + i;
            if (matmul->bias)
                out[i] += matmul->bias[matmul->row_first + row + i];
            if (matmul->residual)
                out[i] += matmul->residual[index];
            matmul->y[index] = out[i];
        }
    }
}

static void matmul_item(void *context, uint32_t item, uint32_t thread)
{
    const struct matmul *matmul = context;
    uint32_t row = item * ROWS_PER_ITEM;
    uint32_t end =
        row + ROWS_PER_ITEM < matmul->row_count ? row + ROWS_PER_ITEM : matmul->row_count;
    for (; row < end; row += REF_MATMUL_ROWS) {
        uint32_t count = end - row < REF_MATMUL_ROWS ? end - row : REF_MATMUL_ROWS;
        matmul_rows(matmul, row, count, matmul->ref->scratch[thread]);
    }
}

void ref_matmul(struct exec_ref *ref, const struct step *step)
{
    struct matmul matmul = {
        .ref = ref,
        .step = step,
        .row_first = step->weight[0].row_first,
        .row_count = step->weight[0].row_count,
        .cols = ref->exec.plan->weights[step->weight[0].weight].cols,
        .tokens = ref_rows(ref, step->output),
        .x = ref_data(ref, step->input[0]),
        .bias = ref_vector(ref, step->weight[1]),
        .residual = step->input[1] == PLAN_NONE ? NULL : ref_data(ref, step->input[1]),
        .y = ref_data(ref, step->output),
    };
    if (matmul.tokens == 0)
        return;
    uint32_t items = matmul.row_count / ROWS_PER_ITEM + (matmul.row_count % ROWS_PER_ITEM != 0);
    parallel_for(ref->parallel, items, matmul_item, &matmul);
}
