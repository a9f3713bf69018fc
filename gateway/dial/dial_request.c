#include "gateway/dial/dial_request.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/file/file.h"
#include "base/text/json_text.h"

#include <ctype.h>

typedef struct Reading {
    Arena *arena;
    PlanParameter *fields;
    uint32_t n_fields;
    Bytes *messages;
    uint32_t n, capacity;
} Reading;

static Result add_message(Reading *reading, Bytes message)
{
    if (reading->n == DIAL_MESSAGES_MOST)
        return FAIL(reading->arena, FAULT_BAD_VALUE, "more than %d messages", DIAL_MESSAGES_MOST);
    if (reading->n == reading->capacity) {
        uint32_t capacity = reading->capacity ? reading->capacity * 2 : 8;
        reading->messages = arena_grow(reading->arena, reading->messages,
                                       reading->capacity * sizeof(Bytes), capacity * sizeof(Bytes));
        reading->capacity = capacity;
    }
    reading->messages[reading->n++] = message;
    return OK;
}

static bool is_blank(Bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isspace(text.data[i]))
            return false;
    return true;
}

/* The cursor says that something is wrong, the parser where. */
static Result bad_json(Arena *arena, Bytes text, const char *where)
{
    JsonNode *root;
    Result r = json_parse(arena, text, &(JsonLimits){0}, &root);
    if (!failed(r))
        r = FAIL(arena, FAULT_BAD_JSON, "it is not JSON");
    return FAIL_OVER(arena, r, *r.error->fault, "reading %s", where);
}

static Result add_messages(Reading *reading, Bytes text, const char *where)
{
    JsonCursor cursor = json_cursor(text, reading->arena);
    while (!is_blank(bytes(cursor.at, (size_t)(cursor.end - cursor.at)))) {
        Bytes rest = bytes(cursor.at, (size_t)(cursor.end - cursor.at));
        Bytes message = json_cursor_skip(&cursor);
        if (cursor.bad)
            return bad_json(reading->arena, rest, where);
        Result r = add_message(reading, message);
        if (failed(r))
            return r;
    }
    return OK;
}

static Result add_file(Reading *reading, const char *path)
{
    Bytes text;
    Result r = file_read(reading->arena, path, DIAL_FILE_MOST, &text);
    return failed(r) ? r : add_messages(reading, text, path);
}

static Result add_field(Reading *reading, const char *argument)
{
    Bytes text = bytes_of(argument);
    size_t at = bytes_find(text, '=');
    if (at == 0 || at == text.size)
        return FAIL(reading->arena, FAULT_BAD_VALUE,
                    "%s is neither field=value nor JSON, @FILE or -", argument);
    reading->fields[reading->n_fields++] =
        (PlanParameter){.field_path = bytes_slice(text, 0, at),
                        .text = bytes_slice(text, at + 1, text.size),
                        .called = "argument"};
    return OK;
}

static Result add(Reading *reading, const char *argument)
{
    if (strcmp(argument, "-") == 0)
        return add_file(reading, "/dev/stdin");
    if (argument[0] == '@')
        return add_file(reading, argument + 1);
    if (argument[0] == '{')
        return add_messages(reading, bytes_of(argument), "the argument");
    return add_field(reading, argument);
}

Result dial_request_read(Arena *arena, char *const *arguments, int n, DialRequest *request_out)
{
    Reading reading = {.arena = arena, .fields = arena_array(arena, PlanParameter, (uint32_t)n)};
    Result r = OK;
    for (int i = 0; i < n && !failed(r); i++)
        r = add(&reading, arguments[i]);
    *request_out = (DialRequest){reading.fields, reading.n_fields, reading.messages, reading.n};
    return r;
}
