#include "gateway/overload/shed_reply.h"

#include "base/arena.h"
#include "gateway/config/config.h"
#include "gateway/overload/loop_load.h"

#include <stdlib.h>

#define WRITTEN_FOR (10 * MILLISECOND)

enum { DIALECTS = DIALECT_HTTP + 1 };

typedef struct ShedReply {
    Arena *arena; /* NULL: it was never written */
    HttpReady ready;
    Fields trailers;
    bool good;
    int64_t until;
    uint64_t generation; /* of the config that it is from */
} ShedReply;

struct ShedReplies {
    ShedReply of[DIALECTS];
};

static ShedReply *reply_of(Loop *loop, Dialect dialect)
{
    if (!loop->shed_replies) {
        loop->shed_replies = calloc(1, sizeof *loop->shed_replies);
        CHECK(loop->shed_replies);
    }
    return &loop->shed_replies->of[dialect];
}

static bool says_pushback(Dialect dialect)
{
    return dialect == DIALECT_GRPC || dialect == DIALECT_GRPC_WEB ||
           dialect == DIALECT_GRPC_WEB_TEXT;
}

static void make_ready(ShedReply *reply, ReplyEnd *end, const Loop *loop)
{
    fields_add(&end->head.fields, bytes_of("date"),
               bytes_copy(reply->arena, bytes(loop->date, DATE_HTTP_SIZE)));
    reply->trailers = end->trailers;
    reply->ready = http_ready_of(&end->head, end->body, end->has_trailers ? &reply->trailers : NULL,
                                 reply->arena);
}

static void renew(ShedReply *reply, Loop *loop, Dialect dialect)
{
    if (!reply->arena)
        reply->arena = arena_new(ARENA_UNLIMITED);
    Arena *arena = reply->arena;
    arena_reset(arena);
    uint32_t after = overload_retry_after(loop);
    Call call = {.dialect = dialect, .reply_codec = CODEC_JSON};
    Status status = status_of_error(arena, FAIL(arena, FAULT_SHED, "not recorded"));
    bool google = loop->config->errors.written == SHAPE_GOOGLE;
    ReplyOptions options = {.help = loop->config->error_help,
                            .shape = google ? ERROR_SHAPE_GOOGLE : ERROR_SHAPE_PROBLEM};
    Fields fields = fields_in(arena), trailers = fields_in(arena);
    fields_add_number(&fields, "retry-after", after);
    if (says_pushback(dialect))
        fields_add_number(&trailers, "grpc-retry-pushback-ms", (uint64_t)after * 1000);
    ReplyEnd end;
    Result r = reply_write_end(&call, &status, &fields, &trailers, false, &options, arena, &end);
    error_ignore(r, "the caller writes another response");
    reply->good = !failed(r);
    if (reply->good)
        make_ready(reply, &end, loop);
    reply->until = loop->now + WRITTEN_FOR;
    reply->generation = loop->config->generation;
}

const HttpReady *shed_reply(Loop *loop, Dialect dialect)
{
    ShedReply *reply = reply_of(loop, dialect);
    bool is_old =
        !reply->arena || loop->now >= reply->until || reply->generation != loop->config->generation;
    if (is_old)
        renew(reply, loop, dialect);
    return reply->good ? &reply->ready : NULL;
}

void shed_replies_free(Loop *loop)
{
    for (int i = 0; loop->shed_replies && i < DIALECTS; i++)
        arena_free(loop->shed_replies->of[i].arena);
    free(loop->shed_replies);
    loop->shed_replies = NULL;
}
