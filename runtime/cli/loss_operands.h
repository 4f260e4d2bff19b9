/* loss_operands.h: BASE and candidates of lichen loss: files, settings (kv=q8_0, activations=8,
 * device=cpu), and lists that multiply them. */
#ifndef LICHEN_LOSS_OPERANDS_H
#define LICHEN_LOSS_OPERANDS_H

#include "loss_stream.h"
#include "models.h"

struct loss_choice {         /* options; NULL = not given */
    const char *device;      /* of base and candidates that name none */
    const char *kv;          /* "f16,q8_0": every candidate once with each */
    const char *activations; /* "float,16,8": as kv */
    bool no_base;            /* all operands are candidates */
};

struct loss_operands {
    char paths[LOSS_STREAM_MAX][PATH_SIZE]; /* files found: the base, then the candidates */
    struct loss_variant base;
    struct loss_variant candidates[LOSS_STREAM_MAX];
    size_t candidate_count;
};

/* Operands are cut at their commas and kept pointing to. */
bool loss_operands_parse(struct loss_operands *loss, const struct loss_choice *choice,
                         char **operands, int count, struct fault *fault);

#endif
