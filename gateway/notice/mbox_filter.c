#include "gateway/notice/mbox_filter.h"

#include "base/arena.h"
#include "base/file/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "passerelle-mbox"

enum { LINES_MOST = 512 << 20, READ_SIZE = 64 * 1024 };

extern char **environ;

bool mbox_is_one(Bytes text)
{
    return bytes_start_with(text, "From ");
}

/* Beside this program; else the name alone. */
static const char *program_path(Arena *arena)
{
    char own[4096];
    ssize_t size = readlink("/proc/self/exe", own, sizeof own - 1);
    char *slash = size > 0 ? memrchr(own, '/', (size_t)size) : NULL;
    if (!slash)
        return PROGRAM;
    const char *path = arena_printf(arena, "%.*s/" PROGRAM, (int)(slash - own), own);
    return access(path, X_OK) == 0 ? path : PROGRAM;
}

static int start(Arena *arena, int in, char *const words[], int out, pid_t *pid_out)
{
    posix_spawn_file_actions_t actions;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO) == 0);
    int error = posix_spawnp(pid_out, program_path(arena), &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static Result read_all(Arena *arena, int from, Bytes *lines_out)
{
    Buffer lines = buffer_in(arena);
    ssize_t n;
    do {
        if (lines.size > LINES_MOST || !buffer_reserve(&lines, READ_SIZE))
            return FAIL(arena, FAULT_MESSAGE_TOO_LARGE, PROGRAM " writes more than %d MiB",
                        LINES_MOST >> 20);
        n = read(from, lines.data + lines.size, READ_SIZE);
        lines.size += n > 0 ? (size_t)n : 0;
    } while (n > 0 || (n < 0 && errno == EINTR));
    *lines_out = buffer_bytes(&lines);
    return n == 0 ? OK : FAIL(arena, FAULT_SYSTEM, "reading from " PROGRAM ": %s", strerror(errno));
}

static Result wait_for(Arena *arena, pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return FAIL(arena, FAULT_SYSTEM, "waiting for " PROGRAM ": %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return OK;
    return WIFSIGNALED(status)
               ? FAIL(arena, FAULT_SYSTEM, PROGRAM " was ended by signal %d", WTERMSIG(status))
               : FAIL(arena, FAULT_SYSTEM, PROGRAM " ended with %d", WEXITSTATUS(status));
}

/* Its input is `in`. */
static Result run(Arena *arena, int in, char *const words[], Bytes *lines_out)
{
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return FAIL(arena, FAULT_SYSTEM, "a pipe: %s", strerror(errno));
    int error = start(arena, in, words, ends[1], &pid);
    close(ends[1]);
    Result r = error ? FAIL(arena, FAULT_SYSTEM, "starting " PROGRAM ", which reads mailboxes: %s",
                            strerror(error))
                     : read_all(arena, ends[0], lines_out);
    close(ends[0]); /* it ends, if not all was read */
    Result ended = error ? OK : wait_for(arena, pid);
    return failed(r) ? r : ended;
}

Result mbox_filter(Arena *arena, Bytes mbox, const char *client, const char *source,
                   Bytes *lines_out)
{
    const char *words[6] = {PROGRAM};
    int n = 1;
    if (client) {
        words[n++] = "--client";
        words[n++] = client;
    }
    if (source) {
        words[n++] = "--source";
        words[n++] = source;
    }
    int in = memory_file_make("mbox", mbox);
    if (in < 0)
        return FAIL(arena, FAULT_SYSTEM, "a file in memory: %s", strerror(errno));
    Result r = run(arena, in, (char *const *)words, lines_out);
    close(in);
    return r;
}
