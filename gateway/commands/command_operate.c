/* passerelle reload, drain, upgrade, client forget: what an operator makes a running gateway do. */
#include "gateway/commands/admin_client.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "base/text/percent.h"

#include <stdio.h>
#include <string.h>

/* {"action": "reload", "generation": 2, "config": "230c..."} as a line; of a reload also why the
   log could not be opened again. False: it is none. */
static bool add_done(Buffer *out, Bytes answer)
{
    JsonCursor cursor = json_cursor(answer, out->arena);
    Bytes name, action = BYTES_NONE, generation = BYTES_NONE, config = BYTES_NONE, log = BYTES_NONE;
    for (bool first = true; json_cursor_member(&cursor, &first, &name);) {
        if (bytes_are(name, "action"))
            action = json_cursor_string(&cursor);
        else if (bytes_are(name, "config"))
            config = json_cursor_string(&cursor);
        else if (bytes_are(name, "generation"))
            generation = json_cursor_skip(&cursor);
        else if (bytes_are(name, "log_failure"))
            log = json_cursor_string(&cursor);
        else
            json_cursor_skip(&cursor);
    }
    if (log.size)
        fprintf(stderr, "passerelle: the log cannot be opened again: %.*s\n", BYTES_ARGS(log));
    buffer_printf(out, "%.*s: generation %.*s, config %.*s\n", BYTES_ARGS(action),
                  BYTES_ARGS(generation), BYTES_ARGS(config));
    return json_cursor_finish(&cursor) && action.size;
}

static int operate_at(const CommandLine *line, const char *path)
{
    if (line->n)
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    int code = admin_print(line, admin_act, path, add_done, arena);
    arena_free(arena);
    return code;
}

int command_reload(const CommandLine *line)
{
    return operate_at(line, "/reload");
}

int command_drain(const CommandLine *line)
{
    return operate_at(line, "/drain");
}

int command_upgrade(const CommandLine *line)
{
    return operate_at(line, "/upgrade");
}

/* {"action": "client_forget", "records": 3} as a line. False: it is none. */
static bool add_forgotten(Buffer *out, Bytes answer)
{
    JsonCursor cursor = json_cursor(answer, out->arena);
    Bytes name, records = BYTES_NONE;
    for (bool first = true; json_cursor_member(&cursor, &first, &name);) {
        if (bytes_are(name, "records"))
            records = json_cursor_skip(&cursor);
        else
            json_cursor_skip(&cursor);
    }
    buffer_printf(out, "forgotten: %.*s records\n", BYTES_ARGS(records));
    return json_cursor_finish(&cursor) && records.size;
}

int command_client(const CommandLine *line)
{
    if (line->n != 2 || strcmp(line->arguments[0], "forget") != 0 || !*line->arguments[1])
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    buffer_add_text(&path, "/client/forget?name=");
    percent_encode(&path, bytes_of(line->arguments[1]), PERCENT_KEEP_UNRESERVED);
    buffer_add_byte(&path, 0);
    int code = admin_print(line, admin_act, (const char *)path.data, add_forgotten, arena);
    arena_free(arena);
    return code;
}
