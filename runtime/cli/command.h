/* command.h: what the subcommands share: their table entry, the common options, the way from the
 * command line to an open engine and session. */
#ifndef LICHEN_COMMAND_H
#define LICHEN_COMMAND_H

#include "json_text.h"
#include "lichen.h"
#include "models.h"
#include "options.h"
#include "output.h"

struct command {
    const char *name;
    const char *operands; /* "[MODEL]" */
    const char *summary;  /* one line */
    const char *details;  /* paragraphs of --help; NULL = none */
    int (*run)(const struct command *command, int argc, char **argv); /* NULL = not yet */
};

extern const struct command command_chat, command_run, command_logits, command_tokenize,
    command_template, command_devices, command_info, command_plan, command_bench, command_convert,
    command_calibrate, command_loss, command_verify;

struct common {
    struct output output;
    struct fault fault;
    bool help;
    const char *model;  /* --model, or the first operand */
    const char *device; /* NULL = best */
    uint32_t ctx, threads;
    uint32_t kv;          /* enum lichen_kv */
    uint32_t activations; /* 0 = 16, 1 = 8, 2 = float */
    bool exact;
    bool leave_room;        /* opening is refused where the session would not fit */
    const char *gpu_layers; /* NULL = auto */
    const char *memory;     /* NULL = what is free */
    struct sampler_options sampler;
    bool seed_given;
    char path[PATH_SIZE];     /* of the model, once found; of a shape its name */
    const char *shape, *type; /* NULL = a file; type NULL = q4_k_m */
};

void common_init(struct common *common);
/* Groups of options for a command's set. */
void common_add_output(struct common *common, struct option_set *set, bool json);
void common_add_model(struct common *common, struct option_set *set);   /* --model --device ... */
void common_add_shape(struct common *common, struct option_set *set);   /* --shape --type */
void common_add_session(struct common *common, struct option_set *set); /* --ctx --kv */
void common_add_sampler(struct common *common, struct option_set *set);

/* Parses the command line; *first = index of the first operand. False: the command is over, with
 * exit status *status (--help was printed, or a wrong option). */
bool command_begin(const struct command *command, struct common *common,
                   const struct option_set *set, int argc, char **argv, int *first, int *status);
/* For commands that take at most the operand MODEL. */
bool command_begin_model(const struct command *command, struct common *common,
                         const struct option_set *set, int argc, char **argv, int *status);
void command_help(const struct command *command, const struct option_set *set, FILE *stream);

/* The header of a model without a file. */
struct common_shape {
    void *header; /* owned */
    struct lichen_synthetic synthetic;
};
void common_shape_free(struct common_shape *shape);
/* Finds the model, or makes its shape, and fills options from the common ones. options points into
 * common and shape. */
bool common_engine_options(struct common *common, struct common_shape *shape,
                           struct lichen_engine_options *options);
void common_session_options(const struct common *common, struct lichen_session_options *options);
/* Opens with a progress bar. vocabulary_only: tokenizer, template and metadata. */
bool common_open(struct common *common, bool vocabulary_only, struct lichen_engine **engine,
                 double *load_s);
/* Opens a session and makes Ctrl-C cancel it; close with common_session_close. */
bool common_session_open(struct common *common, struct lichen_engine *engine,
                         const struct lichen_session_options *options,
                         struct lichen_session **session);
void common_session_close(struct lichen_session *session);
/* Sampler options may need the vocabulary: the default breakers of DRY. */
struct dry_breakers {
    int32_t ids[8];
};
void common_dry_breakers(struct common *common, const struct lichen_engine *engine,
                         struct dry_breakers *breakers);

/* Parts of JSON documents; NULL = out of memory. */
json_t *json_of_device(const struct lichen_device *device);
json_t *json_of_model(const struct lichen_engine *engine);
json_t *json_of_ids(const int32_t *ids, size_t count);

/* Ids separated by white space or commas; ids->ids is freed with free. */
bool parse_ids(const char *text, const char *name, struct lichen_ids *ids, struct fault *fault);

#endif
