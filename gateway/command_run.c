/* passerelle run CONFIG: the gateway at work, until it is told to stop. */
#include "gateway/command.h"
#include "gateway/process.h"

#include "base/arena.h"

#include <stdio.h>

int command_run(const Command *command, int n, char **arguments)
{
    if (n != 1)
        return command_usage(command);
    Config *config = command_config(arguments[0]);
    if (!config)
        return EXIT_NO;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = process_run(arena, config, arguments[0]);
    if (failed(r))
        fprintf(stderr, "passerelle: %s\n", error_text(arena, r));
    int code = failed(r) ? EXIT_NO : EXIT_WELL;
    arena_free(arena);
    return code;
}
