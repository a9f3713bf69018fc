/* Log lines: whatever a peer puts into a text, the line is one JSON object on one line. */
#include "base/arena.h"
#include "base/text/json_text.h"
#include "base/text/utf8.h"
#include "gateway/telemetry/log_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer line = buffer_in(arena);
    Bytes text = bytes(data, size), half = bytes_slice(text, 0, size / 2);
    log_line_begin(&line, (int64_t)size, "call", "info");
    log_line_text(&line, LOG_KEY("path"), text);
    log_line_causes(
        &line, LOG_KEY("causes"),
        FAIL_FIELD(arena, FAULT_BAD_VALUE, arena_text(arena, half), "%.*s", BYTES_ARGS(text)));
    log_line_end(&line);

    Bytes whole = buffer_bytes(&line);
    CHECK(utf8_valid(whole) && bytes_find(whole, '\n') == whole.size);
    JsonCursor cursor = json_cursor(whole, arena);
    json_cursor_skip(&cursor);
    CHECK(json_cursor_finish(&cursor));
    arena_free(arena);
    return 0;
}
