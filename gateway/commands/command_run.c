/* passerelle run CONFIG: runs the gateway until a signal stops it. */
#include "gateway/commands/command.h"
#include "gateway/process/process.h"
#include "gateway/thread/thread.h"

#include "base/arena.h"

#include <unistd.h>

int command_run(const CommandLine *line)
{
    if (line->n != 1)
        return command_usage(line->command);
    const char *path = line->arguments[0];
    signals_hold();
    Arena *arena = arena_new(ARENA_UNLIMITED);
    EarlyStop stop;
    Result r = early_stop_begin(&stop, arena);
    Config *config = failed(r) ? NULL : command_config(line, 0);
    if (config)
        config_forget_lists(config);
    if (config)
        r = process_run(arena, config, path, &stop);
    early_stop_end(&stop);
    if (failed(r))
        command_tell(line, "%s", error_text(arena, r));
    int code = config && !failed(r) ? EXIT_WELL : EXIT_NO;
    if (threads_left())
        _exit(code);
    arena_free(arena);
    return code;
}
