/* passerelle reload, drain: what an operator makes a running gateway do. */
#include "gateway/commands/admin_client.h"

#include "base/arena.h"
#include "base/text/json_text.h"

/* {"action": "reload", "generation": 2, "config": "230c..."} as a line. False: it is none. */
static bool add_done(Arena *arena, Bytes answer, Buffer *out)
{
    JsonCursor cursor = json_cursor(answer, arena);
    Bytes name, action = BYTES_NONE, generation = BYTES_NONE, config = BYTES_NONE;
    for (bool first = true; json_cursor_member(&cursor, &first, &name);) {
        if (bytes_are(name, "action"))
            action = json_cursor_string(&cursor);
        else if (bytes_are(name, "config"))
            config = json_cursor_string(&cursor);
        else if (bytes_are(name, "generation"))
            generation = json_cursor_skip(&cursor);
        else
            json_cursor_skip(&cursor);
    }
    buffer_printf(out, "%.*s: generation %.*s, config %.*s\n", BYTES_ARGS(action),
                  BYTES_ARGS(generation), BYTES_ARGS(config));
    return json_cursor_finish(&cursor) && action.size;
}

static int operate(const CommandLine *line, const char *path)
{
    if (line->n)
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer done = buffer_in(arena);
    Bytes answer;
    int code = admin_act(line, path, arena, &answer);
    if (code == EXIT_WELL && !add_done(arena, answer, &done)) {
        code = admin_tell_stranger(line);
    } else if (code == EXIT_WELL) {
        command_print(line, &done);
        command_print_json(line, answer);
    }
    arena_free(arena);
    return code;
}

int command_reload(const CommandLine *line)
{
    return operate(line, "/reload");
}

int command_drain(const CommandLine *line)
{
    return operate(line, "/drain");
}
