/* plan_finish: what it refuses and says, and that no two live buffers share a slot. */
#include "testing.h"

#include "plan.h"

enum { DIM = 8, VOCAB = 16 };

static struct gguf_tensor embedding = {
    .name = "token_embd.weight", .dtype = DTYPE_F32, .dims = {DIM, VOCAB, 1, 1}, .rows = VOCAB};
static struct gguf_tensor square = {
    .name = "square", .dtype = DTYPE_F32, .dims = {DIM, DIM, 1, 1}, .rows = DIM};
static struct gguf_tensor wide = {
    .name = "wide", .dtype = DTYPE_F32, .dims = {DIM, 3 * DIM, 1, 1}, .rows = 3 * DIM};
static struct gguf_tensor vector = {
    .name = "vector", .dtype = DTYPE_F32, .dims = {DIM, 1, 1, 1}, .rows = 1};
static struct gguf_tensor integers = {
    .name = "integers", .dtype = DTYPE_I32, .dims = {DIM, 1, 1, 1}, .rows = 1};

static const double frequencies[DIM / 2] = {1, 0.1, 0.01, 0.001};

struct sketch { /* a plan under construction */
    struct plan plan;
    struct fault fault;
};

static uint32_t buffer(struct sketch *sketch, const char *name, uint32_t width, enum plan_rows rows)
{
    uint32_t index = plan_buffer(&sketch->plan, name, width, rows, &sketch->fault);
    assert_int_not_equal(index, PLAN_NONE);
    return index;
}

static struct weight_ref weight(struct sketch *sketch, const struct gguf_tensor *tensor)
{
    uint32_t index = plan_weight(&sketch->plan, tensor, &sketch->fault);
    assert_int_not_equal(index, PLAN_NONE);
    return (struct weight_ref){index, 0, (uint32_t)tensor->rows};
}

static void add(struct sketch *sketch, const struct step *step)
{
    assert_true(plan_step(&sketch->plan, step, &sketch->fault));
}

static uint32_t add_matmul(struct sketch *sketch, uint32_t input, const struct gguf_tensor *tensor,
                           const char *name)
{
    struct step step;
    step_init(&step, OP_MATMUL, PLAN_NONE);
    step.input[0] = input;
    step.weight[0] = weight(sketch, tensor);
    step.output = buffer(sketch, name, (uint32_t)tensor->rows, sketch->plan.buffers[input].rows);
    add(sketch, &step);
    return step.output;
}

/* Embedding into "x"; one KV layer of 2 heads of 4; one rope table over 4 dims. */
static uint32_t sketch_begin(struct sketch *sketch)
{
    static struct kv_layer layer = {2, 4, 0};
    struct step step;
    memset(sketch, 0, sizeof *sketch);
    plan_init(&sketch->plan);
    sketch->plan.vocab = VOCAB;
    sketch->plan.dim = DIM;
    sketch->plan.layers = &layer;
    sketch->plan.layer_count = 1;
    sketch->plan.rope[0] = (struct rope_table){4, frequencies, 1};
    step_init(&step, OP_EMBED, PLAN_NONE);
    step.weight[0] = weight(sketch, &embedding);
    step.embed.scale = 1;
    step.output = buffer(sketch, "x", DIM, ROWS_TOKENS);
    add(sketch, &step);
    return step.output;
}

static void sketch_end(struct sketch *sketch, uint32_t x)
{
    struct step step;
    step_init(&step, OP_SELECT, PLAN_NONE);
    step.input[0] = x;
    step.output = buffer(sketch, "last", DIM, ROWS_OUTPUTS);
    add(sketch, &step);
    sketch->plan.logits = add_matmul(sketch, step.output, &embedding, "logits");
}

static void refused(struct sketch *sketch, const char *text)
{
    assert_false(plan_finish(&sketch->plan, &sketch->fault));
    assert_int_equal(sketch->fault.kind, FAULT_FORMAT);
    if (!strstr(sketch->fault.text, text))
        fail_msg("\"%s\" does not say \"%s\"", sketch->fault.text, text);
    plan_free(&sketch->plan);
}

/* A plan whose second step is *step on x, refused with text. */
static void refused_step(struct step *step, const char *text)
{
    struct sketch sketch;
    uint32_t x = sketch_begin(&sketch);
    if (step->input[0] == 0)
        step->input[0] = x;
    add(&sketch, step);
    sketch_end(&sketch, x);
    refused(&sketch, text);
}

static void test_good(void **state)
{
    (void)state;
    struct sketch sketch;
    uint32_t x = sketch_begin(&sketch);
    sketch_end(&sketch, x);
    assert_true(plan_finish(&sketch.plan, &sketch.fault));
    assert_int_equal(sketch.plan.slot_count, 3);
    plan_free(&sketch.plan);
    plan_free(&sketch.plan); /* a zeroed plan */
}

static void test_matmul_widths(void **state)
{
    (void)state;
    struct sketch sketch;
    uint32_t x = sketch_begin(&sketch);
    uint32_t three = add_matmul(&sketch, x, &wide, "three");
    add_matmul(&sketch, three, &square, "bad");
    sketch_end(&sketch, x);
    refused(&sketch, "step 2 matmul square: the input width is 24, expected 8");

    x = sketch_begin(&sketch);
    struct step step;
    step_init(&step, OP_MATMUL, PLAN_NONE);
    step.input[0] = x;
    step.weight[0] = weight(&sketch, &wide);
    step.weight[0].row_first = 20;
    step.weight[0].row_count = 8;
    step.output = buffer(&sketch, "range", 8, ROWS_TOKENS);
    add(&sketch, &step);
    sketch_end(&sketch, x);
    refused(&sketch, "step 1 matmul wide: the end of the row range is 28, expected 24");
}

static void test_matmul_extras(void **state)
{
    (void)state;
    struct sketch sketch;
    struct step step;
    for (int fault = 0; fault < 3; fault++) {
        uint32_t x = sketch_begin(&sketch);
        step_init(&step, OP_MATMUL, PLAN_NONE);
        step.input[0] = x;
        step.weight[0] = weight(&sketch, fault == 0 ? &wide : &square);
        step.output = buffer(&sketch, "y", fault == 0 ? 3 * DIM : DIM, ROWS_TOKENS);
        if (fault == 0)
            step.weight[1] = weight(&sketch, &vector);
        if (fault == 1)
            step.output = step.input[0];
        if (fault == 2)
            step.input[1] = step.output;
        add(&sketch, &step);
        sketch_end(&sketch, x);
        refused(&sketch, fault == 0   ? "the length of the bias is 8, expected 24"
                         : fault == 1 ? "the output must not be the input"
                                      : "an input was not written by an earlier step");
    }
}

static void test_norm(void **state)
{
    (void)state;
    struct sketch sketch;
    uint32_t x = sketch_begin(&sketch);
    struct step step;
    step_init(&step, OP_NORM, 3);
    step.input[0] = x;
    step.weight[0] = weight(&sketch, &vector);
    step.norm = (struct norm_params){NORM_RMS, 1e-5f, 4};
    step.output = buffer(&sketch, "norm", DIM, ROWS_TOKENS);
    add(&sketch, &step);
    sketch_end(&sketch, x);
    refused(&sketch, "step 1 norm vector: the length of the weight is 8, expected 4");

    step_init(&step, OP_NORM, 3);
    step.input[0] = 0;
    step.output = 0;
    refused_step(&step, "a weight is missing");
}

static void test_rope(void **state)
{
    (void)state;
    struct step step;
    step_init(&step, OP_ROPE, 0);
    step.input[0] = step.output = 0;
    step.rope = (struct rope_params){2, 4, 4, ROPE_HALF, 1, false};
    refused_step(&step, "there is no such rope table");
    step.rope = (struct rope_params){2, 4, 3, ROPE_HALF, 0, false};
    refused_step(&step, "rotated dims");
    step.rope = (struct rope_params){2, 4, 2, ROPE_HALF, 0, false};
    refused_step(&step, "rotated dims is 2, expected 4");
    step.rope = (struct rope_params){2, 4, 4, ROPE_HALF, 0, true};
    refused_step(&step, "rotated dims (even, at most those of a head) is 4, expected 2");
    step.rope = (struct rope_params){3, 4, 4, ROPE_HALF, 0, false};
    refused_step(&step, "the input width is 8, expected 12");
}

static void test_kv(void **state)
{
    (void)state;
    struct step step;
    step_init(&step, OP_KV_STORE, 0);
    step.input[0] = step.input[1] = 0;
    step.kv_store = (struct kv_store_params){1, 2, 4};
    refused_step(&step, "the layer is 1, expected 1");
    step.kv_store = (struct kv_store_params){0, 1, 8};
    refused_step(&step, "kv heads is 1, expected 2");
    step_init(&step, OP_ATTENTION, 0);
    step.input[0] = 0;
    step.output = 0;
    step.attention = (struct attention_params){0, 2, 2, 4, 1, 0, 0, MASK_CAUSAL, NULL};
    refused_step(&step, "the output must not be the input");
}

static void test_attention(void **state)
{
    (void)state;
    static const struct {
        uint32_t heads;
        const char *text;
    } cases[] = {{3, "heads (a multiple of kv heads) is 3, expected 2"},
                 {4, "the input width is 8, expected 16"},
                 {0, "heads (a multiple of kv heads) is 0, expected 2"},
                 {2, "its keys were not stored by an earlier step"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sketch sketch;
        uint32_t x = sketch_begin(&sketch);
        struct step step;
        step_init(&step, OP_KV_STORE, 0);
        step.input[0] = step.input[1] = x;
        step.kv_store = (struct kv_store_params){0, 2, 4};
        if (cases[i].heads != 2)
            add(&sketch, &step);
        step_init(&step, OP_ATTENTION, 0);
        step.input[0] = x;
        step.output = buffer(&sketch, "attention", DIM, ROWS_TOKENS);
        step.attention =
            (struct attention_params){0, cases[i].heads, 2, 4, 1, 0, 0, MASK_CAUSAL, NULL};
        add(&sketch, &step);
        sketch_end(&sketch, x);
        refused(&sketch, cases[i].text);
    }
}

static void test_logits(void **state)
{
    (void)state;
    struct sketch sketch;
    sketch_begin(&sketch);
    refused(&sketch, "the last step does not write the logits");
    uint32_t x = sketch_begin(&sketch);
    sketch.plan.logits = add_matmul(&sketch, x, &embedding, "logits");
    refused(&sketch, "the logits are 16 wide");
    plan_init(&sketch.plan);
    memset(&sketch.fault, 0, sizeof sketch.fault);
    refused(&sketch, "the plan has no steps");
}

static void test_weights(void **state)
{
    (void)state;
    struct sketch sketch;
    struct fault fault = {0};
    sketch_begin(&sketch);
    assert_int_equal(plan_weight(&sketch.plan, &square, &fault), 1);
    assert_int_equal(plan_weight(&sketch.plan, &square, &fault), 1);
    assert_int_equal(plan_weight(&sketch.plan, &integers, &fault), PLAN_NONE);
    assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    struct gguf_tensor huge = embedding;
    huge.rows = 1ULL << 32;
    memset(&fault, 0, sizeof fault);
    assert_int_equal(plan_weight(&sketch.plan, &huge, &fault), PLAN_NONE);
    assert_int_equal(fault.kind, FAULT_FORMAT);
    plan_free(&sketch.plan);
}

static void test_describe(void **state)
{
    (void)state;
    struct sketch sketch;
    char line[128], small[8];
    uint32_t x = sketch_begin(&sketch);
    x = add_matmul(&sketch, x, &square, "y");
    sketch_end(&sketch, x);
    assert_true(plan_finish(&sketch.plan, &sketch.fault));
    plan_describe(&sketch.plan, 1, line, sizeof line);
    assert_string_equal(line, "1 matmul square [8x8] x -> y");
    plan_describe(&sketch.plan, 1, small, sizeof small);
    assert_string_equal(small, "1 matmu");
    plan_describe(&sketch.plan, 99, line, sizeof line);
    assert_string_equal(line, "");
    plan_free(&sketch.plan);
}

/* ---- liveness ---- */

/* The steps in which a buffer is written first and touched last, found from the steps alone. */
static void life(const struct plan *plan, uint32_t index, uint32_t *first, uint32_t *last)
{
    *first = PLAN_NONE;
    *last = 0;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        bool touched = plan->steps[i].output == index;
        for (uint32_t j = 0; j < PLAN_INPUT_MAX; j++)
            touched = touched || plan->steps[i].input[j] == index;
        if (touched && *first == PLAN_NONE)
            *first = i;
        if (touched)
            *last = i;
    }
}

static void check_slots(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->buffer_count; i++) {
        uint32_t first, last;
        const struct plan_buffer *a = &plan->buffers[i];
        life(plan, i, &first, &last);
        assert_int_equal(a->first_step, first);
        assert_int_equal(a->last_step, last);
        assert_true(a->slot < plan->slot_count);
        assert_true(a->width <= plan->slot_width[a->slot]);
        assert_int_equal(a->rows, plan->slot_rows[a->slot]);
        for (uint32_t j = 0; j < i; j++) {
            const struct plan_buffer *b = &plan->buffers[j];
            bool apart = a->last_step < b->first_step || b->last_step < a->first_step;
            assert_true(a->slot != b->slot || apart);
        }
    }
}

/* One random step on random earlier buffers of width DIM. */
static uint32_t random_step(struct sketch *sketch, uint64_t *seed, uint32_t x)
{
    struct step step;
    uint32_t other = (uint32_t)(test_random(seed) >> 33) % (x + 1);
    if (test_random(seed) >> 63)
        return add_matmul(sketch, x, &square, "y");
    step_init(&step, OP_ADD, PLAN_NONE);
    step.input[0] = x;
    step.input[1] = other;
    step.add = (struct add_params){1, 1};
    bool in_place = other != x && test_random(seed) >> 63;
    step.output = in_place ? x : buffer(sketch, "sum", DIM, ROWS_TOKENS);
    add(sketch, &step);
    return step.output;
}

static void test_liveness(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sketch sketch;
        uint64_t random = seed;
        uint32_t x = sketch_begin(&sketch);
        uint32_t count = 1 + (uint32_t)(seed % 60);
        for (uint32_t i = 0; i < count; i++)
            x = random_step(&sketch, &random, x);
        sketch_end(&sketch, x);
        if (!plan_finish(&sketch.plan, &sketch.fault))
            fail_msg("%s", sketch.fault.text);
        check_slots(&sketch.plan);
        plan_free(&sketch.plan);
    }
}

/* A chain needs two slots of tokens however long it is. */
static void test_chain(void **state)
{
    (void)state;
    struct sketch sketch;
    uint32_t x = sketch_begin(&sketch);
    for (int i = 0; i < 100; i++)
        x = add_matmul(&sketch, x, &square, "y");
    sketch_end(&sketch, x);
    assert_true(plan_finish(&sketch.plan, &sketch.fault));
    assert_int_equal(sketch.plan.slot_count, 4);
    check_slots(&sketch.plan);
    plan_free(&sketch.plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),          cmocka_unit_test(test_matmul_widths),
        cmocka_unit_test(test_matmul_extras), cmocka_unit_test(test_norm),
        cmocka_unit_test(test_rope),          cmocka_unit_test(test_kv),
        cmocka_unit_test(test_attention),     cmocka_unit_test(test_logits),
        cmocka_unit_test(test_weights),       cmocka_unit_test(test_describe),
        cmocka_unit_test(test_liveness),      cmocka_unit_test(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
