/* main.c: the program lichen: finds the subcommand and runs it. */
#include "command.h"
#include "interrupt.h"
#include "terminal.h"
#include <string.h>

static int help_main(const struct command *command, int argc, char **argv);

static const struct command command_help_entry = {"help", "[COMMAND]",
                                                  "this list, or how one "
                                                  "command is used",
                                                  NULL, help_main};
static const struct command not_yet[] = {
    {"doctor", "", "(not yet) one page on what is wrong and what to do", NULL, NULL},
    {"serve", "", "(not yet) an HTTP server on this machine", NULL, NULL},
};

static const struct command *const commands[] = {
    &command_chat,      &command_run,        &command_bench,  &command_convert,
    &command_calibrate, &command_loss,       &command_verify, &command_devices,
    &command_info,      &command_plan,       &command_logits, &command_tokenize,
    &command_template,  &command_help_entry, &not_yet[0],     &not_yet[1],
};

static void print_usage(FILE *stream)
{
    fprintf(stream, "usage: lichen COMMAND [operands] [options]\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(stream, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(stream, "\nlichen COMMAND --help shows the options; lichen --version the version.\n"
                    "MODEL is a GGUF file, or the name of one in the models folder "
                    "(./setup models).\n");
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    struct fault fault = {0};
    fault_set(&fault, FAULT_ARGUMENT, "%.40s: no such command; lichen help lists them", name);
    return output_fault(&fault);
}

static int run(const struct command *command, int argc, char **argv)
{
    if (command->run)
        return command->run(command, argc, argv);
    struct fault fault = {0};
    fault_set(&fault, FAULT_ARGUMENT, "%s: not yet in version %s; README.md says what works",
              command->name, lichen_version());
    return output_fault(&fault);
}

static int help_main(const struct command *command, int argc, char **argv)
{
    (void)command;
    struct fault fault = {0};
    if (argc > 1 && argv[1][0] != '-') {
        const struct command *about = find(argv[1]);
        if (!about)
            return unknown(argv[1]);
        if (about != &command_help_entry) {
            char *arguments[] = {argv[1], "--help", NULL};
            return run(about, 2, arguments);
        }
    }
    print_usage(stdout);
    return output_end(true, &fault);
}

int main(int argc, char **argv)
{
    streams_open();
    process_private();
    terminal_utf8();
    interrupt_catch();
    if (argc < 2) {
        print_usage(stderr);
        return STATUS_USAGE;
    }
    struct fault fault = {0};
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("lichen %s\n", lichen_version());
        return output_end(true, &fault);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help_main(NULL, 1, argv);
    const struct command *command = find(argv[1]);
    return command ? run(command, argc - 1, argv + 1) : unknown(argv[1]);
}
