/* bench_peer.h: the peer of the comparison as a child process: the program lichen-peer, which
 * loads a prebuilt library that is not lichen's (peer_llama.c has its protocol). */
#ifndef LICHEN_BENCH_PEER_H
#define LICHEN_BENCH_PEER_H

#include "fault.h"
#include <stdint.h>

struct bench_peer;

/* program: path of lichen-peer; folder: of the library. Waits until the model is loaded. */
bool bench_peer_open(const char *program, const char *folder, const char *model, uint32_t context,
                     struct bench_peer **out, struct fault *fault);
void bench_peer_close(struct bench_peer *peer); /* NULL is allowed */
double bench_peer_load_s(const struct bench_peer *peer);
bool bench_peer_run(struct bench_peer *peer, bool decode, uint32_t tokens, double *time_s,
                    struct fault *fault);

#endif
