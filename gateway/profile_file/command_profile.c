/* passerelle profile: what the threads of a running gateway do, or who holds its memory, in a file
   for `go tool pprof`. */
#include "gateway/profile_file/command_profile.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/commands/admin_client.h"
#include "gateway/profile/profiling.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SPARE_TIME (20 * SECOND) /* for all but the sampling */

enum { SECONDS_MOST = 600 }; /* what admin.profiles.longest may be */

/* What is asked for. False: the options are wrong, which was told. */
static bool read_options(const CommandLine *line, uint64_t *seconds_out)
{
    const char *seconds = command_option(line, "--seconds");
    *seconds_out = PROFILE_SECONDS;
    if (!command_option(line, "-o"))
        command_tell(line, "-o FILE: where the profile is written");
    else if (seconds && command_flag(line, "--heap"))
        command_tell(line, "--heap is of one moment: it has no --seconds");
    else if (seconds &&
             (!bytes_to_u64(bytes_of(seconds), seconds_out) || *seconds_out > SECONDS_MOST))
        command_tell(line, "--seconds: %s is no number up to %d", seconds, SECONDS_MOST);
    else
        return true;
    return false;
}

static bool write_all(int file, Bytes rest)
{
    while (rest.size) {
        ssize_t n = write(file, rest.data, rest.size);
        if (n < 0 && errno != EINTR)
            return false;
        rest = bytes_slice(rest, n < 0 ? 0 : (size_t)n, SIZE_MAX);
    }
    return true;
}

static int write_file(const CommandLine *line, const char *name, Bytes content)
{
    int file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = file >= 0 && write_all(file, content);
    int error = errno;
    if (file >= 0 && close(file) != 0 && written) {
        error = errno;
        written = false;
    }
    if (!written)
        command_tell(line, "%s cannot be written: %s", name, strerror(error));
    return written ? EXIT_WELL : EXIT_NO;
}

static Bytes json_of(Arena *arena, const char *file, size_t size)
{
    Buffer json = buffer_in(arena);
    buffer_add_byte(&json, '{');
    json_text_add_member(&json, "file", bytes_of(file));
    buffer_printf(&json, ",\"bytes\":%zu}", size);
    return buffer_bytes(&json);
}

static int take(const CommandLine *line, uint64_t seconds, Arena *arena)
{
    const char *file = command_option(line, "-o");
    bool heap = command_flag(line, "--heap");
    const char *path =
        heap ? "/debug/heap"
             : arena_printf(arena, "/debug/profile?seconds=%llu", (unsigned long long)seconds);
    Bytes profile;
    Buffer text = buffer_in(arena);
    int code =
        admin_get_within(line, path, (int64_t)seconds * SECOND + SPARE_TIME, arena, &profile);
    if (code == EXIT_WELL)
        code = write_file(line, file, profile);
    if (code != EXIT_WELL)
        return code;
    buffer_printf(&text, "%s: %zu bytes. go tool pprof -http=localhost:8000 %s\n", file,
                  profile.size, file);
    command_print(line, &text);
    command_print_json(line, json_of(arena, file, profile.size));
    return EXIT_WELL;
}

int command_profile(const CommandLine *line)
{
    uint64_t seconds;
    if (line->n)
        return command_usage(line->command);
    if (!read_options(line, &seconds))
        return EXIT_USAGE;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    int code = take(line, seconds, arena);
    arena_free(arena);
    return code;
}
