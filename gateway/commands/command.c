#include "gateway/commands/command.h"

#include "base/arena.h"
#include "gateway/reflect/reflection_client.h"

#include <stdio.h>

int command_usage(const Command *command)
{
    fprintf(stderr, "usage: passerelle %s%s%s\n", command->name, *command->arguments ? " " : "",
            command->arguments);
    return EXIT_USAGE;
}

static void take_out(int *n, char **arguments, int at, int how_many)
{
    *n -= how_many;
    for (int i = at; i < *n; i++)
        arguments[i] = arguments[i + how_many];
}

bool command_flag(int *n, char **arguments, const char *flag)
{
    for (int i = 0; i < *n; i++)
        if (strcmp(arguments[i], flag) == 0) {
            take_out(n, arguments, i, 1);
            return true;
        }
    return false;
}

const char *command_option(int *n, char **arguments, const char *name)
{
    size_t size = strlen(name);
    for (int i = 0; i < *n; i++) {
        char *argument = arguments[i];
        if (strncmp(argument, name, size) != 0)
            continue;
        if (argument[size] == '=') {
            take_out(n, arguments, i, 1);
            return argument + size + 1;
        }
        if (argument[size] == '\0' && i + 1 < *n) {
            const char *value = arguments[i + 1];
            take_out(n, arguments, i, 2);
            return value;
        }
    }
    return NULL;
}

Config *command_config(const char *path)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Config *config;
    SchemaAsk ask = reflection_ask(NULL);
    Result r = config_load(path, &ask, arena, &problems, &config);
    if (config)
        return config;

    Buffer out = buffer_in(arena);
    problems_print(&problems, &out);
    if (failed(r))
        buffer_printf(&out, "%s\n", error_text(arena, r));
    fwrite(out.data, 1, out.size, stderr);
    arena_free(arena);
    return NULL;
}
