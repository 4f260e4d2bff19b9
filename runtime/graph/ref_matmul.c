/* ref_matmul.c:  y[t][r] = sum_c W[r][c] x[t][c]  (+ bias[r])  (+ residual[t][r])
 * A few rows of W are decoded once and meet every token of the run (ref_tile.c). */
#include "ref.h"
#include "ref_tile.h"
#include <string.h>

enum { PARTIAL_SUMS = REF_PARTIAL_SUMS, TOKENS_AT_ONCE = 24 };

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

uint64_t ref_matmul_scratch(uint32_t cols)
{
    uint64_t padded = (uint64_t)cols + PARTIAL_SUMS - 1;
    return (padded - padded % PARTIAL_SUMS) * REF_TILE_ROWS + cols;
}

/* Decodes rows row .. row+count into the order of ref_tile.h. scratch: ref_matmul_scratch floats,
 * the packed rows first. */
static void pack_rows(const struct matmul *matmul, uint32_t row, uint32_t count, float *scratch)
{
    uint32_t weight = matmul->step->weight[0].weight, cols = matmul->cols;
    uint32_t groups = cols / PARTIAL_SUMS + (cols % PARTIAL_SUMS != 0);
    float *decoded = scratch + (size_t)groups * PARTIAL_SUMS * REF_TILE_ROWS;
    if (count < REF_TILE_ROWS || cols % PARTIAL_SUMS != 0)
        memset(scratch, 0, (size_t)(decoded - scratch) * sizeof *scratch);
    for (uint32_t i = 0; i < count; i++) {
        ref_weights_decode(matmul->ref->weights, weight, matmul->row_first + row + i, 1, decoded);
        for (uint32_t c = 0; c < cols; c += PARTIAL_SUMS) {
            size_t left = cols - c < PARTIAL_SUMS ? cols - c : PARTIAL_SUMS;
            memcpy(scratch + (size_t)c * REF_TILE_ROWS + i * PARTIAL_SUMS, decoded + c,
                   left * sizeof *decoded);
        }
    }
}

static void finish_rows(const struct matmul *matmul, uint32_t token, uint32_t row, uint32_t count,
                        const float *product)
{
    size_t index = (size_t)token * matmul->row_count + row;
    float *y = matmul->y + index, value[REF_TILE_ROWS];
    memcpy(value, product, sizeof value);
    if (matmul->bias)
        for (uint32_t i = 0; i < count; i++)
            value[i] += matmul->bias[matmul->row_first + row + i];
    if (matmul->residual) /* may be y */
        for (uint32_t i = 0; i < count; i++)
            value[i] += matmul->residual[index + i];
    memcpy(y, value, count * sizeof *y);
}

static void matmul_item(void *context, uint32_t item, uint32_t thread)
{
    static ref_tile *const products[INSTRUCTION_SET_COUNT] =
        INSTRUCTION_SET_TABLE(ref_tile_product);
    const struct matmul *matmul = context;
    uint32_t row = item * REF_TILE_ROWS, left = matmul->row_count - row;
    uint32_t count = left < REF_TILE_ROWS ? left : REF_TILE_ROWS;
    float *scratch = matmul->ref->scratch[thread], out[TOKENS_AT_ONCE * REF_TILE_ROWS];
    pack_rows(matmul, row, count, scratch);
    for (uint32_t first = 0; first < matmul->tokens; first += TOKENS_AT_ONCE) {
        uint32_t tokens = matmul->tokens - first;
        tokens = tokens < TOKENS_AT_ONCE ? tokens : TOKENS_AT_ONCE;
        products[instruction_set_best()](scratch, matmul->x + (size_t)first * matmul->cols,
                                         matmul->cols, tokens, out);
        for (uint32_t t = 0; t < tokens; t++)
            finish_rows(matmul, first + t, row, count, out + (size_t)t * REF_TILE_ROWS);
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
    uint32_t items = matmul.row_count / REF_TILE_ROWS + (matmul.row_count % REF_TILE_ROWS != 0);
    parallel_for(ref->parallel, items, matmul_item, &matmul);
}
