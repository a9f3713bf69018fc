/* An instance's last words, in each dialect, are always some status; and that status can be said to
   every client. The first byte chooses the dialect. */
#include "base/arena.h"
#include "base/text/json_text.h"
#include "protocols/dialect/dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(Bytes body, Arena *arena)
{
    JsonCursor cursor = json_cursor(body, arena);
    json_cursor_skip(&cursor);
    CHECK(json_cursor_finish(&cursor));
}

static void say_to_clients(const Status *status, const Fields *trailers, Arena *arena)
{
    static const Fields no_fields;
    for (int dialect = DIALECT_GRPC; dialect <= DIALECT_REST; dialect++) {
        Call call = {.dialect = (Dialect)dialect, .verb = bytes_of("POST"), .head = &no_fields};
        ReplyEnd end;
        Result r = reply_write_end(&call, status, NULL, trailers, false, NULL, arena, &end);
        CHECK(!failed(r));
        CHECK(end.has_head);
        if (status->code != CODE_OK && (dialect == DIALECT_CONNECT || dialect == DIALECT_REST))
            check_json(end.body, arena);
        if (dialect == DIALECT_CONNECT_STREAM)
            check_json(bytes_slice(end.body, 5, SIZE_MAX), arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const Dialect dialects[] = {DIALECT_GRPC_WEB, DIALECT_CONNECT, DIALECT_CONNECT_STREAM};
    if (size == 0)
        return 0;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Answer answer = {.dialect = dialects[data[0] % 3],
                     .http_status = 200,
                     .metadata = fields_in(arena),
                     .trailers = fields_in(arena),
                     .had_body = true};
    if (answer.dialect == DIALECT_CONNECT) {
        answer.is_error = true;
        answer.status.code = CODE_UNKNOWN;
    }
    Result r = answer_end(&answer, NULL, bytes(data + 1, size - 1), arena);
    Status status = failed(r) ? status_of_error(arena, r) : answer.status;
    say_to_clients(&status, &answer.trailers, arena);
    arena_free(arena);
    return 0;
}
