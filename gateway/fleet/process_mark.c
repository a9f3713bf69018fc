#include "gateway/fleet/process_mark.h"

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MOST = 1024 /* bytes of a file in /proc */, PATH_MOST = 64 };

/* What the system says of a process. */
typedef struct Status {
    ProcessLife life;
    uint64_t pid, parent, start;
} Status;

typedef struct Mark {
    Bytes place; /* "BOOT.NAMESPACE" */
    uint64_t pid, start;
} Mark;

static bool read_mark(Bytes text, Mark *mark_out)
{
    Bytes boot, space, pid;
    *mark_out = (Mark){.place = text};
    if (!bytes_split(&text, '.', &boot) || !bytes_split(&text, '.', &space) ||
        !bytes_split(&text, '.', &pid))
        return false;
    mark_out->place.size = boot.size + 1 + space.size;
    return bytes_to_u64(pid, &mark_out->pid) && bytes_to_u64(text, &mark_out->start);
}

/* -1: it could not be read; `errno` says why. */
static ssize_t read_small(const char *path, char text[FILE_MOST])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, FILE_MOST - 1);
    int error = errno;
    close(fd);
    errno = error;
    if (n >= 0)
        text[n] = '\0';
    return n;
}

/* "4711 (any name) S 1 ...": the 3rd field is the state, the 4th the parent, the 22nd the start. */
static bool read_fields(const char *text, Status *status)
{
    char state;
    unsigned long long pid, parent, start;
    const char *behind = strrchr(text, ')');
    if (!behind || sscanf(text, "%llu", &pid) != 1 ||
        sscanf(behind + 1,
               " %c %llu %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
               &state, &parent, &start) != 3)
        return false;
    bool dead = state == 'Z' || state == 'X'; /* nobody has waited for it yet */
    *status = (Status){dead ? PROCESS_GONE : PROCESS_LIVES, pid, parent, start};
    return true;
}

static Status status_of(const char *process)
{
    Status status = {PROCESS_UNSURE};
    char path[PATH_MOST], text[FILE_MOST];
    snprintf(path, sizeof path, "/proc/%s/stat", process);
    ssize_t n = read_small(path, text);
    bool gone = n < 0 && (errno == ENOENT || errno == ESRCH);
    if (n >= 0 && !read_fields(text, &status))
        status.life = PROCESS_UNSURE;
    /* Processes of other users may be hidden (hidepid): then the first one is, too. */
    if (gone && read_small("/proc/1/stat", text) >= 0)
        status.life = PROCESS_GONE;
    return status;
}

/* Also true of itself, if /proc is that of this process's own namespace. */
static bool read_own(Status *status_out)
{
    *status_out = status_of("self");
    return status_out->life == PROCESS_LIVES && status_out->pid == (uint64_t)getpid();
}

/* In a place that no other process is in. */
static Bytes own_by_chance(Arena *arena)
{
    Random random;
    random_seed(&random);
    return bytes_of(arena_printf(arena, "unknown.%016llx.%ld.0",
                                 (unsigned long long)random_next(&random), (long)getpid()));
}

Bytes process_mark_own(Arena *arena)
{
    char boot[FILE_MOST], space[PATH_MOST];
    Status own;
    ssize_t n_boot = read_small("/proc/sys/kernel/random/boot_id", boot);
    ssize_t n_space = readlink("/proc/self/ns/pid", space, sizeof space);
    if (n_boot <= 0 || n_space <= 0 || n_space == sizeof space || !read_own(&own))
        return own_by_chance(arena);
    boot[strcspn(boot, "\n.")] = '\0';
    return bytes_of(arena_printf(arena, "%s.%.*s.%llu.%llu", boot, (int)n_space, space,
                                 (unsigned long long)own.pid, (unsigned long long)own.start));
}

/* The process that has the mark, if it runs where this one does. */
static Status status_of_mark(Bytes text, Bytes own_text)
{
    Mark mark, own;
    if (!read_mark(text, &mark) || !read_mark(own_text, &own) ||
        !bytes_equal(mark.place, own.place))
        return (Status){PROCESS_UNSURE};
    char process[24];
    snprintf(process, sizeof process, "%llu", (unsigned long long)mark.pid);
    Status status = status_of(process);
    if (status.life == PROCESS_LIVES && status.start != mark.start)
        status.life = PROCESS_GONE; /* its number is used again */
    return status;
}

ProcessLife process_mark_life(Bytes mark, Bytes own)
{
    return status_of_mark(mark, own).life;
}

pid_t process_mark_pid(Bytes text)
{
    Mark mark;
    return read_mark(text, &mark) ? (pid_t)mark.pid : 0;
}

bool process_mark_is_sibling(Bytes mark, Bytes own)
{
    Status status = status_of_mark(mark, own);
    return status.life == PROCESS_LIVES && status.parent == (uint64_t)getppid();
}
