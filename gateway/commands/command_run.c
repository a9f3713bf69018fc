/* passerelle run CONFIG: runs the gateway until a signal stops it. */
#include "gateway/commands/command.h"
#include "gateway/handover/channel.h"
#include "gateway/handover/crash.h"
#include "gateway/handover/handover.h"
#include "gateway/handover/notify.h"
#include "gateway/process/process.h"
#include "gateway/supervisor/supervisor.h"
#include "gateway/thread/thread.h"

#include "base/arena.h"
#include "base/file/file.h"

#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

/* What the process before has left, and who wants to hear of this one. */
static void take_place(void)
{
    handover_begin();
    notify_begin();
    if (!handover_supervised())
        return;
    crash_watch(handover_crash_file());
    prctl(PR_SET_NAME, "passerelle"); /* a restart executes /proc/self/exe, and would be "exe" */
}

/* The supervisor tells it to the gateway that goes on. */
static void tell_supervisor(const char *why)
{
    if (handover_supervised())
        channel_send(handover_channel(), NOTICE_FAILED, bytes_of(why), NULL, 0);
}

int command_run(const CommandLine *line)
{
    if (line->n != 1)
        return command_usage(line->command);
    const char *path = line->arguments[0];
    if (command_flag(line, "--prove"))
        return supervisor_prove();
    if (command_flag(line, "--supervise") && file_ends(path)) {
        command_tell(line, "with --supervise the config is a file: each restart reads it again");
        return EXIT_USAGE;
    }
    if (command_flag(line, "--supervise"))
        return supervisor_run(program_invocation_name, path);
    take_place();
    Arena *arena = arena_new(ARENA_UNLIMITED);
    EarlyStop stop;
    Result r = early_stop_begin(&stop, arena);
    Config *config = failed(r) ? NULL : command_config(line, 0);
    if (config)
        config_forget_lists(config);
    else
        tell_supervisor("the config cannot be loaded: `passerelle check` prints its mistakes");
    if (config)
        r = process_run(arena, config, path, &stop);
    early_stop_end(&stop);
    if (failed(r))
        tell_supervisor(error_text(arena, r));
    if (failed(r))
        command_tell(line, "%s", error_text(arena, r));
    int code = config && !failed(r) ? EXIT_WELL : EXIT_NO;
    if (threads_left())
        _exit(code);
    arena_free(arena);
    return code;
}
