#include "tests/unit/protocols/http2/http2_script.h"

const uint8_t *find_frame(Bytes wire, uint8_t type, uint32_t id)
{
    if (bytes_start_with(wire, HTTP2_PREFACE))
        wire = bytes_slice(wire, strlen(HTTP2_PREFACE), SIZE_MAX);
    while (wire.size >= 9) {
        size_t size = 9 + ((size_t)wire.data[0] << 16 | (size_t)wire.data[1] << 8 | wire.data[2]);
        uint32_t on = (uint32_t)wire.data[5] << 24 | (uint32_t)wire.data[6] << 16 |
                      (uint32_t)wire.data[7] << 8 | wire.data[8];
        if (wire.data[3] == type && on == id)
            return wire.data;
        wire = bytes_slice(wire, size, SIZE_MAX);
    }
    return NULL;
}

Script script_in(Arena *arena, bool client)
{
    Script script = {buffer_in(arena)};
    if (client)
        buffer_add_text(&script.text, HTTP2_PREFACE);
    buffer_add(&script.text, "\0\0\0\4\0\0\0\0\0", 9); /* SETTINGS */
    return script;
}

void frame(Script *script, uint8_t type, uint8_t flags, uint32_t id, Bytes payload)
{
    uint8_t head[9] = {
        (uint8_t)(payload.size >> 16),
        (uint8_t)(payload.size >> 8),
        (uint8_t)payload.size,
        type,
        flags,
        (uint8_t)(id >> 24),
        (uint8_t)(id >> 16),
        (uint8_t)(id >> 8),
        (uint8_t)id,
    };
    buffer_add(&script->text, head, sizeof head);
    buffer_add_bytes(&script->text, payload);
}

Bytes block(Arena *arena, const char *lines)
{
    Buffer text = buffer_in(arena);
    Bytes rest = bytes_of(lines), line;
    while (bytes_split(&rest, '\n', &line)) {
        if (line.size == 0)
            continue;
        size_t colon = 1 + bytes_find(bytes_slice(line, 1, SIZE_MAX), ':');
        Bytes parts[2] = {bytes_slice(line, 0, colon), bytes_slice(line, colon + 2, SIZE_MAX)};
        buffer_add_byte(&text, 0);
        for (int i = 0; i < 2; i++) {
            size_t size = parts[i].size;
            buffer_add_byte(&text, size < 127 ? (uint8_t)size : 127);
            for (size_t n = size - 127; size >= 127; n >>= 7) {
                buffer_add_byte(&text, n > 127 ? (uint8_t)(n | 128) : (uint8_t)n);
                if (n <= 127)
                    break;
            }
            buffer_add_bytes(&text, parts[i]);
        }
    }
    return buffer_bytes(&text);
}

void request(Script *script, uint32_t id, uint8_t flags, const char *lines)
{
    frame(script, HEADERS, flags | END_HEADERS, id, block(script->text.arena, lines));
}

void window_update(Script *script, uint32_t id, uint32_t size)
{
    const uint8_t increment[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16),
                                  (uint8_t)(size >> 8), (uint8_t)size};
    frame(script, WINDOW_UPDATE, 0, id, bytes(increment, sizeof increment));
}

Result script_feed(Script *script, Side *side, int64_t now)
{
    Result r = http_connection_feed(side->connection, buffer_bytes(&script->text), now);
    side_take_output(side);
    script->text.size = 0;
    return r;
}

uint32_t number_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void expect_goaway(Side *side, uint32_t code)
{
    const uint8_t *goaway = find_frame(buffer_bytes(&side->wire), GOAWAY, 0);
    assert_non_null(goaway);
    assert_int_equal(number_at(goaway + 13), code);
    assert_int_equal(http_connection_phase(side->connection), HTTP_CLOSED);
}

void expect_reset(Side *side, uint32_t id, uint32_t code)
{
    const uint8_t *reset = find_frame(buffer_bytes(&side->wire), RST_STREAM, id);
    assert_non_null(reset);
    assert_int_equal(number_at(reset + 9), code);
}
