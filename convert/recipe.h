/* recipe.h: a type for every tensor of a source. Presets follow llama.cpp's mixture rules under its
 * names (quantization.md section 2), so that files can be compared; rows that do not divide 256
 * fall back as there (Q4_K to Q5_0, Q5_K to Q5_1, Q6_K to Q8_0, IQ4_XS to IQ4_NL), rows that do not
 * divide 32 to F16, and say so. */
#ifndef LICHEN_RECIPE_H
#define LICHEN_RECIPE_H

#include "calibration.h"
#include "source.h"

enum recipe_reason {
    RECIPE_PRESET,    /* the preset's base type */
    RECIPE_MIXTURE,   /* a mixture rule raised or lowered it */
    RECIPE_FALLBACK,  /* the row does not divide the block */
    RECIPE_UNCHANGED, /* norms, biases, positions: F32, as every reader expects */
    RECIPE_OVERRIDE,  /* --type-for */
    RECIPE_BUDGET,    /* --fit, --bpw: the knapsack's choice */
    RECIPE_LOSSLESS,  /* keeps the checkpoint's own codes */
};

struct recipe_choice {
    enum dtype dtype;
    enum recipe_reason reason;
    enum dtype wanted; /* before a fallback; = dtype otherwise */
    uint64_t size;     /* bytes */
};

struct recipe;

/* preset: "q4_k_m"; case does not matter. with_imatrix: some rules differ (Q4_0, IQ4_NL). */
bool recipe_create(const struct source *source, const char *preset, bool with_imatrix,
                   struct recipe **out, struct fault *fault);
void recipe_destroy(struct recipe *recipe); /* NULL is allowed */
/* "REGEX=TYPE" over GGUF names (PCRE2 syntax, whole-name search); a pattern that matches nothing
 * and a type that does not fit the rows are faults. Later ones win. */
bool recipe_override(struct recipe *recipe, const char *rule, struct fault *fault);
/* Tensors that hold a checkpoint's own block codes keep them, overrides apart; a source without
 * any is a fault. */
bool recipe_keep_codes(struct recipe *recipe, struct fault *fault);
/* Chooses types by Lagrangian knapsack so that the tensors take at most `bytes`: least sum of
 * sensitivity * weighted error. Tensors without a measured sensitivity share their class's median;
 * a calibration without any is refused and `lichen calibrate --sensitivity` named. Overrides
 * stay. error[tensor] of a candidate type is measured on sampled rows with the calibration. */
bool recipe_fit(struct recipe *recipe, const struct calibration *calibration, uint64_t bytes,
                uint32_t threads, struct fault *fault);

const char *recipe_preset(const struct recipe *recipe);
/* llama.cpp's LLAMA_FTYPE number for general.file_type. */
uint32_t recipe_file_type(const struct recipe *recipe);
const struct recipe_choice *recipe_choice(const struct recipe *recipe, uint32_t tensor);
/* What it is made of, for people and for the file: "q4_k_m; ffn_down=q6_k". */
const char *recipe_text(const struct recipe *recipe);
/* Adds "; words" to that; an overlong text is cut. What is said decides whether --resume may go on
 * with a part file. */
void recipe_say(struct recipe *recipe, const char *words);
uint64_t recipe_size(const struct recipe *recipe); /* bytes of all tensors */
double recipe_bits_per_weight(const struct recipe *recipe);
/* What presets there are, NULL-terminated, for help. */
const char *const *recipe_presets(void);

#endif
