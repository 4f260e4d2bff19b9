/* plan_check.c: every width of a step against every shape, once, so that executors need no checks.
 * First what all operations share (a table: how many inputs and weights, in place or not), then
 * what each operation asks of its numbers. */
#include "plan_check.h"

struct check {
    const struct plan *plan;
    const struct step *step;
    uint32_t index;
    struct fault *fault;
};

enum in_place { PLACE_OTHER, PLACE_SAME, PLACE_ANY };

struct op_form {
    uint8_t input_min, input_max, weight_min, weight_max;
    enum in_place place; /* may or must the output be input[0]? */
};

static const struct op_form op_forms[OP_COUNT] = {
    [OP_EMBED] = {0, 0, 1, 2, PLACE_OTHER},    [OP_NORM] = {1, 1, 1, 2, PLACE_ANY},
    [OP_MATMUL] = {1, 2, 1, 2, PLACE_OTHER},   [OP_ROPE] = {1, 1, 0, 0, PLACE_SAME},
    [OP_KV_STORE] = {2, 2, 0, 0, PLACE_OTHER}, [OP_ATTENTION] = {1, 1, 0, 0, PLACE_OTHER},
    [OP_GLU] = {2, 2, 0, 0, PLACE_ANY},        [OP_ACTIVATION] = {1, 1, 0, 0, PLACE_ANY},
    [OP_ADD] = {2, 2, 0, 0, PLACE_ANY},        [OP_SELECT] = {1, 1, 0, 0, PLACE_OTHER},
    [OP_SOFTCAP] = {1, 1, 0, 0, PLACE_SAME},
};

static const char *step_tensor(const struct check *check)
{
    uint32_t weight = check->step->weight[0].weight;
    return weight < check->plan->weight_count ? check->plan->weights[weight].tensor->name : "";
}

static bool check_fail(const struct check *check, const char *what, uint64_t found,
                       uint64_t expected)
{
    const char *tensor = step_tensor(check);
    return fault_set(check->fault, FAULT_FORMAT, "step %u %s%s%s: %s is %llu, expected %llu",
                     check->index, op_name(check->step->op), *tensor ? " " : "", tensor, what,
                     (unsigned long long)found, (unsigned long long)expected);
}

static bool check_equal(const struct check *check, const char *what, uint64_t found,
                        uint64_t expected)
{
    return found == expected || check_fail(check, what, found, expected);
}

static bool check_broken(const struct check *check, const char *what)
{
    const char *tensor = step_tensor(check);
    return fault_set(check->fault, FAULT_FORMAT, "step %u %s%s%s: %s", check->index,
                     op_name(check->step->op), *tensor ? " " : "", tensor, what);
}

static const struct plan_buffer *input_at(const struct check *check, uint32_t i)
{
    uint32_t buffer = check->step->input[i];
    return buffer == PLAN_NONE ? NULL : &check->plan->buffers[buffer];
}

static const struct plan_buffer *output_of(const struct check *check)
{
    return &check->plan->buffers[check->step->output];
}

static const struct plan_weight *weight_at(const struct check *check, uint32_t i)
{
    uint32_t weight = check->step->weight[i].weight;
    return weight == PLAN_NONE ? NULL : &check->plan->weights[weight];
}

/* ---- what all operations share ---- */

static bool check_inputs(const struct check *check, const struct op_form *form)
{
    for (uint32_t i = 0; i < PLAN_INPUT_MAX; i++) {
        uint32_t buffer = check->step->input[i];
        if (buffer == PLAN_NONE) {
            if (i < form->input_min)
                return check_broken(check, "an input is missing");
            continue;
        }
        if (i >= form->input_max || buffer >= check->plan->buffer_count)
            return check_broken(check, "an input is no buffer or one too many");
        if (check->plan->buffers[buffer].first_step == PLAN_NONE)
            return check_broken(check, "an input was not written by an earlier step");
    }
    return true;
}

static bool check_weights(const struct check *check, const struct op_form *form)
{
    for (uint32_t i = 0; i < PLAN_WEIGHT_MAX; i++) {
        uint32_t weight = check->step->weight[i].weight;
        if (weight == PLAN_NONE) {
            if (i < form->weight_min)
                return check_broken(check, "a weight is missing");
            continue;
        }
        if (i >= form->weight_max || weight >= check->plan->weight_count)
            return check_broken(check, "a weight is not in the plan or one too many");
    }
    return true;
}

static bool check_output(const struct check *check, const struct op_form *form)
{
    uint32_t output = check->step->output;
    if (check->step->op == OP_KV_STORE)
        return output == PLAN_NONE || check_broken(check, "it has no output");
    if (output >= check->plan->buffer_count)
        return check_broken(check, "the output is no buffer");
    if (check->plan->buffers[output].width == 0)
        return check_broken(check, "the output has no width");
    bool same = output == check->step->input[0];
    if (form->place == PLACE_SAME && !same)
        return check_broken(check, "the output must be the input");
    if (form->place == PLACE_OTHER && same)
        return check_broken(check, "the output must not be the input");
    for (uint32_t i = 1; i < PLAN_INPUT_MAX; i++)
        if (output == check->step->input[i])
            return check_broken(check, "the output must not be the second input");
    return true;
}

/* All buffers of a step have the same rows; SELECT and EMBED are the exceptions. */
static bool check_rows(const struct check *check)
{
    enum plan_rows rows = ROWS_TOKENS;
    for (uint32_t i = 0; i < PLAN_INPUT_MAX; i++) {
        const struct plan_buffer *input = input_at(check, i);
        if (!input)
            continue;
        if (i == 0)
            rows = input->rows;
        else if (input->rows != rows)
            return check_broken(check, "the inputs differ in rows (tokens, outputs)");
    }
    if (check->step->op == OP_SELECT) {
        if (rows != ROWS_TOKENS)
            return check_broken(check, "the input must have a row a token");
        rows = ROWS_OUTPUTS;
    }
    if (check->step->output != PLAN_NONE && output_of(check)->rows != rows)
        return check_broken(check, "the output has other rows (tokens, outputs)");
    return true;
}

/* ---- weights ---- */

static bool check_vector(const struct check *check, uint32_t i, const char *what, uint64_t length)
{
    const struct plan_weight *weight = weight_at(check, i);
    if (!weight)
        return true;
    return check_equal(check, what, weight->rows == 1 ? weight->cols : 0, length);
}

static bool check_row_range(const struct check *check, uint32_t i)
{
    const struct weight_ref *ref = &check->step->weight[i];
    uint64_t end = (uint64_t)ref->row_first + ref->row_count;
    uint32_t rows = weight_at(check, i)->rows;
    if (ref->row_count == 0 || end > rows)
        return check_fail(check, "the end of the row range", end, rows);
    return true;
}

static bool check_whole(const struct check *check, uint32_t i)
{
    const struct weight_ref *ref = &check->step->weight[i];
    if (!weight_at(check, i))
        return true;
    if (ref->row_first != 0)
        return check_fail(check, "the first row", ref->row_first, 0);
    return check_equal(check, "the row count", ref->row_count, weight_at(check, i)->rows);
}

/* ---- operations ---- */

static bool check_embed(const struct check *check)
{
    const struct plan_weight *table = weight_at(check, 0), *positions = weight_at(check, 1);
    uint32_t width = output_of(check)->width;
    return check_whole(check, 0) && check_whole(check, 1) &&
           check_equal(check, "the output width", width, table->cols) &&
           check_equal(check, "the rows of the embedding", table->rows, check->plan->vocab) &&
           (!positions || check_equal(check, "the width of the positions", positions->cols, width));
}

static bool check_norm(const struct check *check)
{
    uint32_t width = input_at(check, 0)->width, group = check->step->norm.group;
    if (group == 0 || width % group != 0)
        return check_fail(check, "the input width", width, group);
    if (!(check->step->norm.eps >= 0))
        return check_broken(check, "eps is negative or not a number");
    if (check->step->norm.kind == NORM_RMS && weight_at(check, 1))
        return check_broken(check, "an RMS norm has no bias");
    return check_equal(check, "the output width", output_of(check)->width, width) &&
           check_vector(check, 0, "the length of the weight", group) &&
           check_vector(check, 1, "the length of the bias", group);
}

static bool check_matmul(const struct check *check)
{
    const struct plan_weight *matrix = weight_at(check, 0);
    const struct plan_buffer *residual = input_at(check, 1);
    const struct weight_ref *ref = &check->step->weight[0], *bias = &check->step->weight[1];
    if (!check_row_range(check, 0) ||
        !check_equal(check, "the input width", input_at(check, 0)->width, matrix->cols) ||
        !check_equal(check, "the output width", output_of(check)->width, ref->row_count) ||
        !check_vector(check, 1, "the length of the bias", matrix->rows))
        return false;
    if (residual && !check_equal(check, "the residual width", residual->width, ref->row_count))
        return false;
    return bias->weight == PLAN_NONE ||
           (check_equal(check, "the first row of the bias", bias->row_first, ref->row_first) &&
            check_equal(check, "the rows of the bias", bias->row_count, ref->row_count));
}

static bool check_rope(const struct check *check)
{
    const struct rope_params *rope = &check->step->rope;
    uint64_t width = (uint64_t)rope->head_count * rope->head_dim;
    if (rope->table >= PLAN_ROPE_MAX || !check->plan->rope[rope->table].inv_freq)
        return check_broken(check, "there is no such rope table");
    uint32_t room = rope->two_streams ? rope->head_dim / 2 : rope->head_dim;
    if (rope->dims == 0 || rope->dims % 2 != 0 || rope->dims > room)
        return check_fail(check, "rotated dims (even, at most those of a head)", rope->dims, room);
    return check_equal(check, "the input width", input_at(check, 0)->width, width) &&
           check_equal(check, "rotated dims", rope->dims, check->plan->rope[rope->table].dims);
}

static bool check_kv_layer(const struct check *check, uint32_t layer, uint32_t kv_heads,
                           uint32_t head_dim)
{
    if (layer >= check->plan->layer_count)
        return check_fail(check, "the layer", layer, check->plan->layer_count);
    const struct kv_layer *kv = &check->plan->layers[layer];
    if (kv_heads == 0 || head_dim == 0)
        return check_broken(check, "heads and head_dim must not be 0");
    return check_equal(check, "kv heads", kv_heads, kv->kv_heads) &&
           check_equal(check, "head_dim", head_dim, kv->head_dim);
}

static bool check_kv_store(const struct check *check)
{
    const struct kv_store_params *store = &check->step->kv_store;
    uint64_t width = (uint64_t)store->kv_heads * store->head_dim;
    if (input_at(check, 0)->rows != ROWS_TOKENS)
        return check_broken(check, "keys must have a row a token");
    return check_kv_layer(check, store->layer, store->kv_heads, store->head_dim) &&
           check_equal(check, "the width of k", input_at(check, 0)->width, width) &&
           check_equal(check, "the width of v", input_at(check, 1)->width, width);
}

static bool kv_stored(const struct check *check, uint32_t layer)
{
    for (uint32_t i = check->index; i-- > 0;) {
        const struct step *step = &check->plan->steps[i];
        if (step->op == OP_KV_STORE && step->kv_store.layer == layer)
            return true;
    }
    return false;
}

static bool check_attention(const struct check *check)
{
    const struct attention_params *attention = &check->step->attention;
    uint64_t width = (uint64_t)attention->heads * attention->head_dim;
    if (!check_kv_layer(check, attention->layer, attention->kv_heads, attention->head_dim))
        return false;
    if (attention->heads == 0 || attention->heads % attention->kv_heads != 0)
        return check_fail(check, "heads (a multiple of kv heads)", attention->heads,
                          attention->kv_heads);
    if (input_at(check, 0)->rows != ROWS_TOKENS)
        return check_broken(check, "queries must have a row a token");
    if (!kv_stored(check, attention->layer))
        return check_broken(check, "its keys were not stored by an earlier step");
    if (attention->mask == MASK_PREFIX && attention->window != 0)
        return check_broken(check, "a prefix and a window");
    uint32_t kept = check->plan->layers[attention->layer].window;
    if (kept != 0 && (attention->window == 0 || attention->window > kept))
        return check_fail(check, "the window (at most what the cache keeps)", attention->window,
                          kept);
    return check_equal(check, "the input width", input_at(check, 0)->width, width) &&
           check_equal(check, "the output width", output_of(check)->width, width);
}

/* GLU, ACTIVATION, ADD, SELECT, SOFTCAP: all widths are equal. */
static bool check_same_width(const struct check *check)
{
    uint32_t width = output_of(check)->width;
    for (uint32_t i = 0; i < PLAN_INPUT_MAX; i++) {
        const struct plan_buffer *input = input_at(check, i);
        if (input && !check_equal(check, "an input width", input->width, width))
            return false;
    }
    return true;
}

static bool (*const op_checks[OP_COUNT])(const struct check *check) = {
    [OP_EMBED] = check_embed,        [OP_NORM] = check_norm,
    [OP_MATMUL] = check_matmul,      [OP_ROPE] = check_rope,
    [OP_KV_STORE] = check_kv_store,  [OP_ATTENTION] = check_attention,
    [OP_GLU] = check_same_width,     [OP_ACTIVATION] = check_same_width,
    [OP_ADD] = check_same_width,     [OP_SELECT] = check_same_width,
    [OP_SOFTCAP] = check_same_width,
};

bool plan_check_step(const struct plan *plan, uint32_t index, struct fault *fault)
{
    struct check check = {plan, &plan->steps[index], index, fault};
    if ((unsigned)check.step->op >= OP_COUNT)
        return check_broken(&check, "there is no such operation");
    const struct op_form *form = &op_forms[check.step->op];
    return check_inputs(&check, form) && check_weights(&check, form) &&
           check_output(&check, form) && check_rows(&check) && op_checks[check.step->op](&check);
}

bool plan_check_logits(const struct plan *plan, struct fault *fault)
{
    if (plan->step_count == 0)
        return fault_set(fault, FAULT_FORMAT, "the plan has no steps");
    if (plan->logits >= plan->buffer_count ||
        plan->steps[plan->step_count - 1].output != plan->logits)
        return fault_set(fault, FAULT_FORMAT, "the last step does not write the logits");
    const struct plan_buffer *logits = &plan->buffers[plan->logits];
    if (logits->rows != ROWS_OUTPUTS || logits->width != plan->vocab)
        return fault_set(fault, FAULT_FORMAT, "the logits are %u wide, expected %u a wanted token",
                         logits->width, plan->vocab);
    return true;
}
