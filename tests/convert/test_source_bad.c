/* test_source_bad.c: bad configurations and checkpoints, each with what the fault or the sentence
 * of an unsupported part must say. */
#include "folder_rig.h"
#include "source_rig.h"
#include "testing.h"

static const struct {
    const char *find, *replace, *expected;
} configs[] = {
    /* types */
    {"\"model_type\": \"llama\"", "\"model_type\": 7", "model_type is an integer, expected the"},
    {"\"model_type\": \"llama\"", "\"model_type\": null", "model_type is null"},
    {"\"model_type\": \"llama\", ", "", "model_type is nothing, expected the name of a family"},
    {"\"llama\"", "\"mamba\"", "model_type mamba (LlamaForCausalLM) is no family"},
    {"\"llama\"", "\"\"", "model_type  (LlamaForCausalLM) is no family"},
    {"\"hidden_size\": 8", "\"hidden_size\": \"8\"", "hidden_size is \"8\", expected an integer"},
    {"\"hidden_size\": 8", "\"hidden_size\": 8.5",
     "hidden_size is a fraction, expected an integer"},
    {"\"hidden_size\": 8", "\"hidden_size\": [8]", "hidden_size is an array, expected an integer"},
    {"\"hidden_size\": 8, ", "", "config.json: hidden_size is missing"},
    {"\"hidden_size\": 8", "\"hidden_size\": null", "hidden_size is missing"},
    {"\"rms_norm_eps\": 1e-5", "\"rms_norm_eps\": true", "rms_norm_eps is a truth value"},
    {"\"attention_bias\": false", "\"attention_bias\": 1",
     "attention_bias is an integer, expected "
     "true or false"},
    {"\"silu\"", "5", "hidden_act is an integer, expected text"},
    {"\"tie_word_embeddings\": false", "\"tie_word_embeddings\": \"no\"",
     "tie_word_embeddings is "
     "\"no\", expected true"},
    /* ranges */
    {"\"hidden_size\": 8", "\"hidden_size\": 0", "hidden_size is 0, expected 1 to 131072"},
    {"\"hidden_size\": 8", "\"hidden_size\": -8", "hidden_size is -8, expected 1 to 131072"},
    {"\"hidden_size\": 8", "\"hidden_size\": 4294967304", "hidden_size is 4.2949673e+09"},
    {"\"num_hidden_layers\": 1", "\"num_hidden_layers\": 1025", "num_hidden_layers is 1025"},
    {"\"num_hidden_layers\": 1", "\"num_hidden_layers\": 0", "num_hidden_layers is 0, expected 1"},
    {"\"num_attention_heads\": 2", "\"num_attention_heads\": 3",
     "8 over 3 heads, expected a whole"},
    {"\"num_attention_heads\": 2", "\"num_attention_heads\": 1025", "is 1025, expected 1 to 1024"},
    {"\"num_key_value_heads\": 1", "\"num_key_value_heads\": 3",
     "2 attention heads are not a mult"},
    {"\"num_key_value_heads\": 1", "\"num_key_value_heads\": 0", "num_key_value_heads is 0"},
    {"\"vocab_size\": 5", "\"vocab_size\": 16777217", "vocab_size is 16777217, expected 1 to"},
    {"\"intermediate_size\": 12", "\"intermediate_size\": 1048577", "intermediate_size is 1048577"},
    {"\"max_position_embeddings\": 64", "\"max_position_embeddings\": 0",
     "is 0, expected 1 to 134"},
    {"\"rms_norm_eps\": 1e-5", "\"rms_norm_eps\": -1", "rms_norm_eps is -1, expected 0 to 0.1"},
    {"10000.0", "0", "rope_theta is 0, expected 1 to 1e+12"},
    {"\"model_type\": \"llama\"",
     "\"model_type\": \"exaone4\", \"sliding_window\": 4, \"sliding_window_pattern\": 0",
     "sliding_window_pattern is 0, expected 1 to"},
    {"10000.0", "1e400", "not valid JSON"},
    {"10000.0", "NaN", "not valid JSON"},
    {"\"attention_bias\": false", "\"head_dim\": 3", "3 of 3 dimensions of a head are rotated"},
    {"\"attention_bias\": false", "\"head_dim\": 2048", "head_dim is 2048, expected 2 to 1024"},
    {"\"attention_bias\": false", "\"partial_rotary_factor\": 2", "partial_rotary_factor is 2"},
    {"\"attention_bias\": false", "\"partial_rotary_factor\": 0", "0 of 4 dimensions of a head"},
    /* rope */
    {"\"rope_scaling\": null", "\"rope_scaling\": 4",
     "rope_scaling is an integer, expected an obj"},
    {"\"rope_scaling\": null", "\"rope_scaling\": {\"type\": 1}", "rope_type is an integer"},
    {"\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"linear\"}",
     "rope_scaling.factor is missing"},
    {"\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}",
     "rope_scaling.factor is 0, expected 0.001"},
    {"\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": \"x\"}",
     "rope_scaling.factor is \"x\", expected a number"},
    {"\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"mrope\"}",
     "rope scaling of type mrope"},
    {"\"rope_scaling\": null",
     "\"rope_scaling\": {\"rope_type\": \"llama3\", \"low_freq_factor\": 4, "
     "\"high_freq_factor\": 4}",
     "low_freq_factor is 4, expected below high_freq_factor 4"},
    {"\"rope_scaling\": null",
     "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, \"truncate\": false}",
     "rope_scaling.truncate is not true"},
    {"\"rope_scaling\": null",
     "\"rope_scaling\": {\"type\": \"longrope\", \"long_factor\": [1, 1], \"short_factor\": [1]}",
     "rope_scaling.short_factor is no array of 2 numbers"},
    {"\"rope_scaling\": null",
     "\"rope_scaling\": {\"type\": \"longrope\", \"long_factor\": [1, -1], \"short_factor\": [1]}",
     "rope_scaling.long_factor[1] is no number from 1e-6 to 1e6"},
    {"\"rope_scaling\": null", "\"rope_parameters\": {\"rope_theta\": 1e13}",
     "rope_parameters.rope_theta is 1e+13"},
    /* parts that are not run */
    {"\"silu\"", "\"relu2\"", "activation relu2: lichen's llama has silu"},
    {"\"attention_bias\": false", "\"num_local_experts\": 8", "a mixture of 8 experts"},
    {"\"attention_bias\": false", "\"num_local_experts\": -1", "num_local_experts is -1"},
    /* packing */
    {"\"attention_bias\": false", "\"quantization_config\": 4",
     "quantization_config is an integer"},
    {"\"attention_bias\": false", "\"quantization_config\": {}", "weights packed by an unnamed"},
    {"\"attention_bias\": false", "\"quantization_config\": {\"quant_method\": \"bitsandbytes\"}",
     "packed by bitsandbytes"},
    {"\"attention_bias\": false",
     "\"quantization_config\": {\"quant_method\": \"compressed-tensors\"}",
     "weights packed by compressed-tensors; gptq, awq and fp8 are read"},
    {"\"attention_bias\": false",
     "\"quantization_config\": {\"quant_method\": \"gptq\", \"checkpoint_format\": \"marlin\"}",
     "GPTQ in the form marlin"},
    {"\"attention_bias\": false",
     "\"quantization_config\": {\"quant_method\": \"awq\", \"version\": \"gemv\"}",
     "AWQ in the form gemv"},
    {"\"attention_bias\": false",
     "\"quantization_config\": {\"quant_method\": \"awq\", \"bits\": 3}", "other than 4 bits"},
    {"\"attention_bias\": false",
     "\"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [128]}",
     "weight_block_size, expected two sizes"},
    {"\"attention_bias\": false",
     "\"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [0, 128]}",
     "weight_block_size, expected two sizes"},
    {"\"attention_bias\": false",
     "\"quantization_config\": {\"quant_method\": \"gptq\", \"group_size\": \"x\"}",
     "quantization_config.group_size is \"x\", expected a number"},
    /* against the checkpoint */
    {"\"attention_bias\": false", "\"attention_bias\": true",
     "tensor 'model.layers.0.self_attn.q_proj.bias' is missing"},
    {"\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2",
     "tensor 'model.layers.1.input_layernorm.weight' is missing"},
    {"\"vocab_size\": 5", "\"vocab_size\": 6",
     "tensor 'model.embed_tokens.weight' is [5, 8], expected [6, 8] by config.json"},
    {"\"intermediate_size\": 12", "\"intermediate_size\": 10",
     "tensor 'model.layers.0.mlp.gate_proj.weight' is [12, 8], expected [10, 8]"},
    {"\"num_key_value_heads\": 1", "\"num_key_value_heads\": 2",
     "self_attn.k_proj.weight' is [4, 8], expected [8, 8]"},
    {"\"num_key_value_heads\": 1, ", "",
     "self_attn.k_proj.weight' is [4, 8], expected [8, 8]: config.json has no num_key_value_heads, "
     "for which the original takes 2"},
    {"\"num_key_value_heads\": 1", "\"text_config\": {\"model_type\": \"mistral\"}",
     "2 attention heads are not a multiple of 8 key-value heads (num_key_value_heads is missing"},
    {"\"num_key_value_heads\": 1",
     "\"text_config\": {\"model_type\": \"mistral\", \"num_key_value_heads\": null}",
     "is [4, 8], expected [8, 8]: config.json has no num_key_value_heads"},
    {"\"vocab_size\": 5, ", "", "config.json: vocab_size is missing"},
    {"\"vocab_size\": 5", "\"padded_vocab_size\": 6, \"vocab_size\": 5",
     "tensor 'model.embed_tokens.weight' is [5, 8], expected [6, 8] by config.json"},
    {"\"llama\"", "\"internlm2\"",
     "tensor 'model.tok_embeddings.weight' is missing: no checkpoint"},
    /* JSON */
    {"\"model_type\"", "\"model_type\": \"a\", \"model_type\"", "duplicate object key"},
    {"{\"model_type\"", "[\"model_type\"", "not valid JSON"},
    {"\"rope_scaling\": null", "\"x\": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",
     "JSON nested deeper than 16"},
};

static void test_configs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        char *config = folder_config_with(configs[i].find, configs[i].replace);
        rig_source_refused(folder_write("bad-config", config, NULL), configs[i].expected);
        free(config);
    }
}

#define Q "model.layers.0.self_attn.q_proj.weight"

static const struct {
    struct folder_tensor changes[6];
    const char *expected;
} checkpoints[] = {
    {{{Q, "F16", NULL, 0}}, "tensor '" Q "' is missing"},
    {{{Q, "F16", "[8, 4]", 0}}, "tensor '" Q "' is [8, 4], expected [8, 8] by config.json"},
    {{{Q, "F16", "[64]", 0}}, "is [64], expected [8, 8]"},
    {{{Q, "F16", "[8, 8, 1]", 0}}, "is [8, 8, 1], expected [8, 8]"},
    {{{Q, "F16", "[]", 0}}, "is [], expected [8, 8]"},
    {{{Q, "I64", "[8, 8]", 0}}, "tensor '" Q "' is I64, expected floats"},
    {{{Q, "BOOL", "[8, 8]", 0}}, "tensor '" Q "' is BOOL, expected floats"},
    {{{Q, "I8", "[8, 8]", 0}}, "tensor '" Q "' is I8, expected floats"},
    {{{Q, "F8_E4M3", "[8, 8]", 0}}, "is F8_E4M3, but quantization_config does not say fp8"},
    {{{"model.norm.weight", "F16", "[1, 8]", 0}}, "is [1, 8], expected [8]"},
    {{{"model.norm.weight", "F8_E5M2", "[8]", 0}}, "is F8_E5M2, expected F32"},
    {{{"model.norm.weight", "F16", NULL, 0}}, "tensor 'model.norm.weight' is missing"},
    {{{"lm_head.weight", "F16", NULL, 0}}, "tensor 'lm_head.weight' is missing"},
    {{{"model.embed_tokens.weight", "F16", NULL, 0}}, "embed_tokens.weight' is missing: no"},
    {{{"lm_head.bias", "F16", "[5]", 0}}, "tensor 'lm_head.bias' has no place in llama"},
    {{{"model.layers.1.mlp.up_proj.weight", "F16", "[12, 8]", 0}},
     "tensor 'model.layers.1.mlp.up_proj.weight' has no place in llama"},
    {{{"extra", "I64", "[]", 0}}, "tensor 'extra' has no place in llama"},
    {{{"model.layers.0.self_attn.q_proj.bias", "F16", "[4]", 0}}, "is [4], expected [8]"},
    /* ChatGLM's integers */
    {{{Q, "I8", "[8, 8]", 0}, {Q "_scale", "F16", "[4]", 0}}, "is [4], expected [8]"},
    {{{Q, "I8", "[8, 8]", 0}, {Q "_scale", "I32", "[8]", 0}}, "is I32, expected floats"},
    {{{Q, "I8", "[8, 3]", 0}, {Q "_scale", "F16", "[8]", 0}}, "is [8, 3], expected [8, 8]"},
};

static void test_checkpoints(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof checkpoints / sizeof checkpoints[0]; i++)
        rig_source_refused(folder_write("bad-checkpoint", folder_config, checkpoints[i].changes),
                           checkpoints[i].expected);
}

#define PROJ "model.layers.0.self_attn.q_proj."
#define NO_WEIGHT                                                                                  \
    {                                                                                              \
        Q, "F16", NULL, 0                                                                          \
    }
#define WORDS(dims)                                                                                \
    {                                                                                              \
        PROJ "qweight", "I32", dims, 0                                                             \
    }
#define ZEROS(dims)                                                                                \
    {                                                                                              \
        PROJ "qzeros", "I32", dims, 0                                                              \
    }
#define SCALES(dims)                                                                               \
    {                                                                                              \
        PROJ "scales", "F16", dims, 0                                                              \
    }
#define GROUPS(dims, fill)                                                                         \
    {                                                                                              \
        PROJ "g_idx", "I32", dims, fill                                                            \
    }

/* q_proj of 8 inputs and 8 outputs in one group. */
static const struct {
    struct folder_tensor changes[6];
    const char *expected; /* NULL = it is good */
} gptq[] = {
    {{NO_WEIGHT, WORDS("[1, 8]"), ZEROS("[1, 1]"), SCALES("[1, 8]"), GROUPS("[8]", 0)}, NULL},
    {{NO_WEIGHT, WORDS("[1, 8]"), ZEROS("[1, 1]"), SCALES("[1, 8]")}, NULL},
    {{NO_WEIGHT, WORDS("[2, 8]"), ZEROS("[1, 2]"), SCALES("[1, 8]")}, NULL},
    {{NO_WEIGHT, WORDS("[1, 8]"), SCALES("[1, 8]")}, "q_proj.qzeros' is missing"},
    {{NO_WEIGHT, WORDS("[1, 8]"), ZEROS("[1, 1]")}, "q_proj.scales' is missing"},
    {{NO_WEIGHT, ZEROS("[1, 1]"), SCALES("[1, 8]")}, "q_proj.weight' is missing"},
    {{NO_WEIGHT, WORDS("[1, 4]"), ZEROS("[1, 1]"), SCALES("[1, 8]")}, "[1, 4], expected [1, 8]"},
    {{NO_WEIGHT, WORDS("[8]"), ZEROS("[1, 1]"), SCALES("[1, 8]")}, "is [8], expected [1, 8]"},
    {{NO_WEIGHT, WORDS("[3, 8]"), ZEROS("[1, 1]"), SCALES("[1, 8]")},
     "packs 8 inputs into 3 words"},
    {{NO_WEIGHT, WORDS("[8, 8]"), ZEROS("[1, 1]"), SCALES("[1, 8]")},
     "packs 8 inputs into 8 words"},
    {{NO_WEIGHT, WORDS("[0, 8]"), ZEROS("[1, 1]"), SCALES("[1, 8]")},
     "packs 8 inputs into 0 words"},
    {{NO_WEIGHT, WORDS("[1, 8]"), ZEROS("[1, 2]"), SCALES("[1, 8]")}, "[1, 2], expected [1, 1]"},
    {{NO_WEIGHT, WORDS("[1, 8]"), ZEROS("[1, 1]"), SCALES("[1, 7]")}, "[1, 7], expected [1, 8]"},
    {{NO_WEIGHT, WORDS("[1, 8]"), ZEROS("[3, 1]"), SCALES("[3, 8]")}, "has 3 groups"},
    {{NO_WEIGHT, WORDS("[1, 8]"), ZEROS("[8, 1]"), SCALES("[8, 8]")}, "has 8 groups of 1 inputs"},
    {{NO_WEIGHT, WORDS("[1, 8]"), ZEROS("[0, 1]"), SCALES("[0, 8]")}, "has 0 groups"},
    {{NO_WEIGHT, WORDS("[1, 8]"), ZEROS("[1, 1]"), SCALES("[1, 8]"), GROUPS("[7]", 0)},
     "q_proj.g_idx' is [7], expected [8]"},
    {{NO_WEIGHT, WORDS("[1, 8]"), ZEROS("[1, 1]"), SCALES("[1, 8]"), GROUPS("[8]", 1)},
     "group 16843009 of input 0, expected 0 to 0"},
    {{NO_WEIGHT, WORDS("[1, 8]"), ZEROS("[1, 1]"), SCALES("[1, 8]"), GROUPS("[8]", 255)},
     "group -1 of input 0, expected 0 to 0"},
    {{NO_WEIGHT, {PROJ "qweight", "I64", "[1, 8]", 0}, ZEROS("[1, 1]"), SCALES("[1, 8]")},
     "is I64, expected I32"},
    {{WORDS("[1, 8]")}, "q_proj.qzeros' is missing"},
};

static void test_gptq(void **state)
{
    (void)state;
    char *config = folder_config_with("\"attention_bias\": false",
                                      "\"quantization_config\": {\"quant_method\": \"gptq\"}");
    for (size_t i = 0; i < sizeof gptq / sizeof gptq[0]; i++) {
        const char *folder = folder_write("bad-gptq", config, gptq[i].changes);
        if (gptq[i].expected)
            rig_source_refused(folder, gptq[i].expected);
        else
            source_close(rig_source(folder));
    }
    free(config);
}

/* Without a word about packing, qweight is GPTQ's (MOSS says only wbits). */
static void test_gptq_unsaid(void **state)
{
    (void)state;
    struct source *source = rig_source(folder_write("gptq-unsaid", folder_config, gptq[0].changes));
    float *rows = rig_rows(source, rig_tensor(source, "blk.0.attn_q.weight"));
    free(rows);
    source_close(source);
}

static void test_good(void **state)
{
    (void)state;
    struct source *source = rig_source(folder_write("good", folder_config, NULL));
    assert_null(source_unsupported(source));
    assert_int_equal(source_tensor_count(source), folder_tensor_count);
    assert_int_equal(source_file_count(source), 2);
    source_close(source);
}

static void test_files(void **state)
{
    (void)state;
    char path[4096];
    const char *folder = folder_write("bad-files", NULL, NULL);
    rig_source_refused(folder, "bad-files: no config.json there; weights alone");
    folder = folder_write("bad-files", "", NULL);
    rig_source_refused(folder, "bad-files/config.json: is an empty file");
    folder = folder_write("bad-files", " ", NULL);
    rig_source_refused(folder, "bad-files/config.json: byte 1: not valid JSON");
    folder = folder_write("bad-files", folder_config, NULL);
    snprintf(path, sizeof path, "%s/generation_config.json", folder);
    rig_save(path, "[]", 2);
    rig_source_refused(folder, "generation_config.json: byte 0: JSON is an array");
    remove(path);
    snprintf(path, sizeof path, "%s/quantize_config.json", folder);
    rig_save(path, "{", 1);
    rig_source_refused(folder, "quantize_config.json: byte 1: not valid JSON");
    remove(path);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    rig_save(path, "{}", 2);
    rig_source_refused(folder, "model.safetensors: ");
    remove(path);
    rig_source_refused(folder, "no model.safetensors or pytorch_model.bin there");
}

/* Any prefix of config.json is refused in one line. */
static void test_prefixes(void **state)
{
    (void)state;
    char config[1024];
    assert_true(strlen(folder_config) < sizeof config);
    for (size_t i = 1; i < strlen(folder_config); i += 3) {
        snprintf(config, sizeof config, "%.*s", (int)i, folder_config);
        rig_source_refused(folder_write("bad-prefix", config, NULL), "not valid JSON");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),        cmocka_unit_test(test_configs),
        cmocka_unit_test(test_checkpoints), cmocka_unit_test(test_gptq),
        cmocka_unit_test(test_gptq_unsaid), cmocka_unit_test(test_files),
        cmocka_unit_test(test_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
