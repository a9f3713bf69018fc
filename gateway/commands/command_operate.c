/* passerelle reload, drain: what an operator makes a running gateway do. */
#include "gateway/commands/admin_client.h"

#include "base/arena.h"

static int operate(const CommandLine *line, const char *path)
{
    if (line->n)
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes answer;
    int code = admin_act(line, path, arena, &answer);
    if (code == EXIT_WELL && !command_flag(line, "--quiet"))
        fwrite(answer.data, 1, answer.size, stdout);
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
