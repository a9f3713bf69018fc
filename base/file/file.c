#include "base/file/file.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 65536 };

/* ---- What a thread reads --------------------------------------------------------------------- */

static _Thread_local FileNote *own_note;
static _Thread_local FileSeen *own_see;
static _Thread_local void *own_seer;

static bool opened_by_shell(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (strncmp(path, folders[i], strlen(folders[i])) == 0)
            return true;
    return strcmp(path, "/dev/stdin") == 0;
}

bool file_ends(const char *path)
{
    return strcmp(path, "-") == 0 || opened_by_shell(path);
}

void file_note_init(FileNote *note)
{
    CHECK(pthread_mutex_init(&note->mutex, NULL) == 0);
}

void file_note_deinit(FileNote *note)
{
    pthread_mutex_destroy(&note->mutex);
}

void file_note_use(FileNote *note)
{
    own_note = note;
}

void file_note_tell(FileSeen *see, void *owner)
{
    own_see = see;
    own_seer = owner;
}

void file_note_reading(const char *path)
{
    if (own_see && path && !opened_by_shell(path))
        own_see(own_seer, path);
    if (!own_note)
        return;
    pthread_mutex_lock(&own_note->mutex);
    snprintf(own_note->path, sizeof own_note->path, "%s", path ? path : "");
    pthread_mutex_unlock(&own_note->mutex);
}

const char *file_note_read(FileNote *note, Arena *arena)
{
    pthread_mutex_lock(&note->mutex);
    const char *path = *note->path ? arena_string(arena, note->path) : NULL;
    pthread_mutex_unlock(&note->mutex);
    return path;
}

/* ---- What is a file -------------------------------------------------------------------------- */

/* NULL: it is a regular file. */
static const char *not_a_file(mode_t mode)
{
    return S_ISREG(mode)    ? NULL
           : S_ISDIR(mode)  ? "it is a folder"
           : S_ISFIFO(mode) ? "it is a FIFO, not a file"
           : S_ISSOCK(mode) ? "it is a socket, not a file"
                            : "it is a device, not a file";
}

const char *file_not_regular(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 ? not_a_file(found.st_mode) : NULL;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Not blocking where it must be a regular file: what has taken the name since the check may be a
   FIFO. */
static Result open_file(Arena *arena, const char *path, int *file_out)
{
    bool any = opened_by_shell(path);
    const char *wrong = any ? NULL : file_not_regular(path);
    if (wrong)
        return FAIL(arena, FAULT_NO_FILE, "open %s: %s", path, wrong);
    *file_out = open(path, O_RDONLY | O_CLOEXEC | (any ? 0 : O_NONBLOCK));
    return *file_out >= 0 ? OK : FAIL(arena, FAULT_NO_FILE, "open %s: %s", path, strerror(errno));
}

/* The size of the file, and a byte for the read that finds its end. So the buffer need not grow,
   which would leave garbage in the arena. */
static size_t first_room(int file, size_t most)
{
    struct stat found;
    size_t size =
        fstat(file, &found) == 0 && found.st_size > 0 ? (size_t)found.st_size : READ_SIZE - 1;
    return (size < most ? size : most) + 1;
}

static Result read_all(Arena *arena, int file, const char *path, size_t most, Bytes *content_out)
{
    Buffer content = buffer_in(arena);
    size_t room = first_room(file, most);
    ssize_t got;
    do {
        if (!buffer_reserve(&content, room > content.size ? room - content.size : 1))
            return FAIL(arena, FAULT_OUT_OF_MEMORY, "read %s", path);
        do
            got = read(file, content.data + content.size, content.capacity - content.size);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            return FAIL(arena, FAULT_NO_FILE, "read %s: %s", path, strerror(errno));
        content.size += (size_t)got;
        if (content.size > most)
            return FAIL(arena, FAULT_NO_FILE, "read %s: it is larger than %zu bytes", path, most);
    } while (got);
    *content_out = buffer_bytes(&content);
    return OK;
}

Result file_read(Arena *arena, const char *path, size_t most, Bytes *content_out)
{
    int file = -1;
    file_note_reading(path);
    Result r = open_file(arena, path, &file);
    if (!failed(r))
        r = read_all(arena, file, path, most, content_out);
    if (file >= 0)
        close(file);
    file_note_reading(NULL);
    return r;
}

/* ---- Replacing ------------------------------------------------------------------------------- */

static bool write_all(int file, Bytes content)
{
    while (content.size) {
        ssize_t n = write(file, content.data, content.size);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            content = bytes_slice(content, (size_t)n, content.size);
    }
    return fsync(file) == 0;
}

static bool make_like(int file, const struct stat *like)
{
    bool gives = like && geteuid() == 0; /* nobody else may give files away */
    return !gives || fchown(file, like->st_uid, like->st_gid) == 0;
}

Result file_replace(Arena *arena, const char *path, Bytes content, const struct stat *like)
{
    const char *fresh = arena_printf(arena, "%s.%d.part", path, (int)getpid());
    int file =
        open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, like ? like->st_mode & 0777 : 0644);
    if (file < 0)
        return FAIL(arena, FAULT_NO_FILE, "open %s: %s", fresh, strerror(errno));
    bool good = write_all(file, content) && make_like(file, like);
    int error = errno;
    close(file);
    if (good && rename(fresh, path) == 0)
        return OK;
    error = good ? errno : error;
    unlink(fresh);
    return FAIL(arena, FAULT_NO_FILE, "write %s: %s", path, strerror(error));
}

const char *file_folder(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/" : arena_text(arena, bytes(path, (size_t)(slash - path)));
}
