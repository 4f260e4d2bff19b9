/* platform_peer.c: lichen-peer over two pipes. */
#include "bench_peer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct bench_peer {
    pid_t child; /* 0 = none */
    FILE *to, *from;
    double load_s;
};

static bool peer_lost(struct fault *fault)
{
    return fault_set(fault, FAULT_FILE, "the peer ended before it answered");
}

static bool peer_answer(struct bench_peer *peer, const char *form, double *value,
                        struct fault *fault)
{
    char line[128];
    if (!fgets(line, sizeof line, peer->from))
        return peer_lost(fault);
    return sscanf(line, form, value) == 1 ||
           fault_set(fault, FAULT_FORMAT, "the peer answered '%.60s'", line);
}

/* Pipes are closed in the child by CLOEXEC, but for the two ends that become its stdin, stdout. */
static bool peer_pipes(int to[2], int from[2], struct fault *fault)
{
    bool made = pipe(to) == 0 && pipe(from) == 0;
    for (int i = 0; made && i < 2; i++)
        made = fcntl(to[i], F_SETFD, FD_CLOEXEC) == 0 && fcntl(from[i], F_SETFD, FD_CLOEXEC) == 0;
    return made || fault_set(fault, FAULT_FILE, "pipe: %s", strerror(errno));
}

static void close_end(int *end)
{
    if (*end >= 0)
        close(*end);
    *end = -1;
}

static bool peer_start(struct bench_peer *peer, char *const *arguments, int to[2], int from[2],
                       struct fault *fault)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    int error = posix_spawn(&peer->child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        peer->child = 0;
        return fault_set(fault, FAULT_FILE, "%s: %s", arguments[0], strerror(error));
    }
    peer->to = fdopen(to[1], "w");
    if (peer->to)
        to[1] = -1;
    peer->from = fdopen(from[0], "r");
    if (peer->from)
        from[0] = -1;
    return (peer->to && peer->from) || fault_set(fault, FAULT_MEMORY, "out of memory");
}

bool bench_peer_open(const char *program, const char *folder, const char *model, uint32_t context,
                     struct bench_peer **out, struct fault *fault)
{
    char number[16];
    int to[2] = {-1, -1}, from[2] = {-1, -1};
    struct bench_peer *peer = calloc(1, sizeof *peer);
    char *copies[] = {strdup(program), strdup(folder), strdup(model), number, NULL};
    snprintf(number, sizeof number, "%" PRIu32, context);
    *out = NULL;
    bool done = peer && copies[0] && copies[1] && copies[2]
                    ? peer_pipes(to, from, fault) && peer_start(peer, copies, to, from, fault)
                    : fault_set(fault, FAULT_MEMORY, "out of memory");
    for (int i = 0; i < 2; i++) {
        close_end(&to[i]);
        close_end(&from[i]);
    }
    for (int i = 0; i < 3; i++)
        free(copies[i]);
    done = done && peer_answer(peer, "ready %lf", &peer->load_s, fault);
    if (!done) {
        bench_peer_close(peer);
        return false;
    }
    *out = peer;
    return true;
}

void bench_peer_close(struct bench_peer *peer)
{
    if (!peer)
        return;
    if (peer->to)
        fclose(peer->to); /* the peer ends at the end of its input */
    if (peer->from)
        fclose(peer->from);
    if (peer->child)
        while (waitpid(peer->child, NULL, 0) < 0 && errno == EINTR)
            ;
    free(peer);
}

double bench_peer_load_s(const struct bench_peer *peer)
{
    return peer->load_s;
}

bool bench_peer_run(struct bench_peer *peer, bool decode, uint32_t tokens, double *time_s,
                    struct fault *fault)
{
    if (fprintf(peer->to, "%s %" PRIu32 "\n", decode ? "decode" : "prefill", tokens) < 0 ||
        fflush(peer->to) != 0)
        return peer_lost(fault);
    return peer_answer(peer, "%lf", time_s, fault) &&
           (*time_s >= 0 ||
            fault_set(fault, FAULT_FILE, "the peer could not run %u tokens", (unsigned)tokens));
}
