/* answer.c: the smallest use of lichen's API: one question, one streamed answer.
 * usage: answer MODEL.gguf "QUESTION" [DEVICE] */
#include "lichen.h"
#include <stdio.h>

static bool answer(struct lichen_engine *engine, struct lichen_session *session,
                   const char *question, struct fault *fault)
{
    const struct lichen_message message = {"user", question};
    struct lichen_stream *stream = NULL;
    struct lichen_ids prompt = {0};
    const char *text;
    size_t size;
    bool stopped = false, good = lichen_chat_ids(engine, &message, 1, true, &prompt, fault) &&
                                 lichen_feed(session, prompt.ids, prompt.count, fault) &&
                                 lichen_stream_open(engine, NULL, 0, &stream, fault);
    while (good && !stopped && lichen_session_count(session) < lichen_session_context(session)) {
        int32_t id;
        good = lichen_next(session, &id, fault);
        if (!good || lichen_token_ends(engine, id))
            break;
        good = lichen_stream_push(stream, id, &text, &size, &stopped, fault);
        if (good)
            fwrite(text, 1, size, stdout);
        fflush(stdout);
    }
    if (good) {
        lichen_stream_flush(stream, &text, &size);
        printf("%.*s\n", (int)size, text);
    }
    lichen_stream_close(stream);
    lichen_free(prompt.ids);
    return good;
}

int main(int argc, char **argv)
{
    struct lichen_engine_options options;
    struct lichen_session_options shape;
    struct lichen_engine *engine = NULL;
    struct lichen_session *session = NULL;
    struct fault fault = {0};
    if (argc < 3)
        return 2;
    lichen_engine_defaults(&options);
    lichen_session_defaults(&shape);
    options.model = argv[1];
    options.device = argc > 3 ? argv[3] : NULL;
    shape.context = 512;
    bool good = lichen_engine_open(&options, &engine, &fault) &&
                lichen_session_open(engine, &shape, &session, &fault) &&
                answer(engine, session, argv[2], &fault);
    if (!good)
        fprintf(stderr, "answer: %s\n", fault.text);
    lichen_session_close(session);
    lichen_engine_close(engine);
    return good ? 0 : 1;
}
