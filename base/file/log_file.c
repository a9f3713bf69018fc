#include "base/file/log_file.h"

#include "base/arena.h"
#include "base/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct LogFile {
    LogTarget target; /* first */
    int file;
    bool stands_in; /* it is stderr, in place of one that could not be opened */
    bool torn;      /* its last line has no end */
} LogFile;

/* ---- Writing --------------------------------------------------------------------------------- */

/* Writes everything, in several calls if needed; returns how many bytes: fewer after an error of
   the file. */
static size_t write_all(int file, struct iovec *parts, int n)
{
    size_t done = 0;
    while (n) {
        ssize_t written = writev(file, parts, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            break;
        done += (size_t)written;
        while (n && (size_t)written >= parts->iov_len) {
            written -= (ssize_t)parts->iov_len;
            parts++;
            n--;
        }
        if (n) {
            parts->iov_base = (uint8_t *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
    return done;
}

/* Those that end behind the first `done` bytes. `torn_out`: of the first one a piece is before. */
static uint64_t count_lines(const struct iovec parts[2], size_t done, bool *torn_out)
{
    uint64_t lines = 0;
    size_t at = 0;
    *torn_out = false;
    for (int i = 0; i < 2; i++) {
        const uint8_t *text = parts[i].iov_base;
        for (size_t k = 0; k < parts[i].iov_len; k++, at++) {
            lines += at >= done && text[k] == '\n';
            if (at + 1 == done)
                *torn_out = text[k] != '\n';
        }
    }
    return lines;
}

/* What a full disk has cut off is a line of its own, so that the next one is whole. */
static bool end_torn_line(LogFile *log)
{
    if (log->torn)
        log->torn = write(log->file, "\n", 1) != 1;
    return !log->torn;
}

static uint64_t file_write(LogTarget *target, const struct iovec parts[2])
{
    LogFile *log = (LogFile *)target;
    struct iovec left[2] = {parts[0], parts[1]};
    size_t size = parts[0].iov_len + parts[1].iov_len;
    bool torn = false;
    size_t done = end_torn_line(log) ? write_all(log->file, left, 2) : 0;
    if (done == size && !log->stands_in)
        return 0;
    uint64_t lost = count_lines(parts, log->stands_in ? 0 : done, &torn);
    log->torn = log->torn || (torn && !log->stands_in);
    return lost;
}

static void file_free(LogTarget *target)
{
    LogFile *log = (LogFile *)target;
    if (log->file != STDOUT_FILENO && !log->stands_in)
        close(log->file);
    free(log);
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* A FIFO that nobody reads is an error: to wait for its reader would be to do nothing, in silence.
 */
static Result open_file(Arena *arena, const char *path, int *file_out)
{
    if (strcmp(path, "-") == 0) {
        *file_out = STDOUT_FILENO;
        return OK;
    }
    *file_out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
    if (*file_out < 0)
        return FAIL(arena, FAULT_NO_FILE, "opening the log %s: %s", path,
                    errno == ENXIO ? "it is a FIFO or a socket that nobody reads"
                                   : strerror(errno));
    fcntl(*file_out, F_SETFL, O_APPEND);
    return OK;
}

Result log_file_check(Arena *arena, const char *path)
{
    struct stat found;
    int error = 0;
    if (strcmp(path, "-") == 0)
        return OK;
    if (stat(path, &found) == 0)
        error = S_ISDIR(found.st_mode)                             ? EISDIR
                : faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0 ? errno
                                                                   : 0;
    else if (errno != ENOENT ||
             faccessat(AT_FDCWD, file_folder(arena, path), W_OK | X_OK, AT_EACCESS) != 0)
        error = errno;
    return error ? FAIL(arena, FAULT_NO_FILE, "the log %s cannot be opened: %s", path,
                        strerror(error))
                 : OK;
}

Result log_file_open(Arena *arena, const char *path, LogTarget **target_out)
{
    int file = STDERR_FILENO;
    Result r = path ? open_file(arena, path, &file) : OK;
    if (failed(r))
        return r;
    LogFile *log = malloc(sizeof *log);
    CHECK(log);
    *log = (LogFile){{file_write, file_free}, file, !path};
    *target_out = &log->target;
    return OK;
}
