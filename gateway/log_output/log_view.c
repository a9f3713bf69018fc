#include "gateway/log_output/log_view.h"

#include "base/text/json_text.h"

bool log_view_read(Bytes line, Arena *arena, LogView *view_out)
{
    JsonCursor cursor = json_cursor(line, arena);
    Bytes name;
    view_out->arena = arena;
    view_out->line = line;
    view_out->n = 0;
    for (bool first = true; json_cursor_member(&cursor, &first, &name);) {
        Bytes value = json_cursor_skip(&cursor);
        if (!cursor.bad && view_out->n < LOG_VIEW_MEMBERS)
            view_out->members[view_out->n++] = (LogMember){name, value};
    }
    return json_cursor_finish(&cursor);
}

/* What is left of the path behind this name: empty, or with a dot before it. False: it begins with
   another name. */
static bool go_behind(Bytes path, Bytes name, Bytes *rest_out)
{
    if (!name.size || path.size < name.size || memcmp(path.data, name.data, name.size) != 0)
        return false;
    *rest_out = bytes_slice(path, name.size, SIZE_MAX);
    return !rest_out->size || rest_out->data[0] == '.';
}

static Bytes find_in(Bytes value, Bytes rest, Arena *arena);

static Bytes find_member(JsonCursor *cursor, Bytes path)
{
    Bytes name, rest, found = BYTES_NONE;
    for (bool first = true; !found.size && json_cursor_member(cursor, &first, &name);) {
        Bytes value = json_cursor_skip(cursor);
        if (go_behind(path, name, &rest))
            found = find_in(value, rest, cursor->arena);
    }
    return found;
}

static Bytes find_element(JsonCursor *cursor, Bytes path)
{
    uint64_t wanted, at = 0;
    size_t dot = bytes_find(path, '.');
    if (!bytes_to_u64(bytes_slice(path, 0, dot), &wanted))
        return BYTES_NONE;
    for (bool first = true; json_cursor_element(cursor, &first); at++) {
        Bytes value = json_cursor_skip(cursor);
        if (at == wanted)
            return find_in(value, bytes_slice(path, dot, SIZE_MAX), cursor->arena);
    }
    return BYTES_NONE;
}

/* `rest` is empty, or a dot and a path. */
static Bytes find_in(Bytes value, Bytes rest, Arena *arena)
{
    if (!rest.size)
        return value;
    JsonCursor cursor = json_cursor(value, arena);
    Bytes path = bytes_slice(rest, 1, SIZE_MAX);
    switch (json_cursor_peek(&cursor)) {
    case JSON_KIND_OBJECT: return find_member(&cursor, path);
    case JSON_KIND_ARRAY: return find_element(&cursor, path);
    default: return BYTES_NONE;
    }
}

Bytes log_view_find(const LogView *view, Bytes path)
{
    Bytes rest;
    for (uint32_t i = 0; i < view->n; i++) {
        if (!go_behind(path, view->members[i].name, &rest))
            continue;
        Bytes found = find_in(view->members[i].value, rest, view->arena);
        if (found.size)
            return found;
    }
    return BYTES_NONE;
}

Bytes log_value_text(Bytes value, Arena *arena)
{
    JsonCursor cursor = json_cursor(value, arena);
    if (value.size && json_cursor_peek(&cursor) == JSON_KIND_STRING)
        return json_cursor_string(&cursor);
    return value;
}

Bytes log_view_text(const LogView *view, Bytes path)
{
    return log_value_text(log_view_find(view, path), view->arena);
}

/* "192.0.2.1:4711", "[2001:db8::1]:4711" and "192.0.2.1"; "unix" stays as it is. */
static Bytes without_port(Bytes address)
{
    if (address.size && address.data[0] == '[')
        return bytes_slice(address, 1, bytes_find(address, ']') - 1);
    size_t first = bytes_find(address, ':'), last = address.size;
    while (last && address.data[last - 1] != ':')
        last--;
    return first + 1 == last ? bytes_slice(address, 0, first) : address;
}

Bytes log_view_address(const LogView *view)
{
    Bytes told = log_view_get(view, "forwarded_for");
    return told.size ? told : without_port(log_view_get(view, "peer"));
}

bool log_view_is_event(const LogView *view)
{
    return bytes_are(log_view_get(view, "log"), "event");
}

int log_view_severity(const LogView *view)
{
    Bytes level = log_view_get(view, "level");
    return bytes_are(level, "error") ? 3 : bytes_are(level, "warning") ? 4 : 6;
}
