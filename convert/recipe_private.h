/* recipe_private.h: struct recipe, for recipe*.c alone. */
#ifndef LICHEN_RECIPE_PRIVATE_H
#define LICHEN_RECIPE_PRIVATE_H

#include "recipe.h"

enum { RECIPE_TEXT_SIZE = 4096 };

struct recipe {
    const struct source *source;
    const struct recipe_preset *preset;
    struct recipe_choice *choices; /* [source_tensor_count], owned */
    char text[RECIPE_TEXT_SIZE];   /* "q4_k_m; ffn_down=q6_k" */
};

struct recipe_preset {
    const char *name;
    enum dtype base;
    uint32_t file_type; /* enum llama_ftype */
};

/* Is the tensor one that presets quantize? Vectors, norms, routers and positions are not. */
bool recipe_quantizes(const struct source_tensor *tensor);
/* Sets type and size; a type whose blocks do not divide the row is a fault. */
bool recipe_set(struct recipe *recipe, uint32_t tensor, enum dtype dtype, enum recipe_reason reason,
                struct fault *fault);
/* llama.cpp's mixture rules. choices[i].dtype and .reason of all tensors that recipe_quantizes;
 * fallbacks for rows that the block does not divide are left to the caller. */
bool mixture_choose(const struct source *source, const struct recipe_preset *preset,
                    bool with_imatrix, struct recipe_choice *choices, struct fault *fault);

#endif
