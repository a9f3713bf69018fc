#include "gateway/store/sqlite_file.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MILLIS = 10000, LOOK_EVERY = 10000 /* instructions of SQLite */ };

#define LOOK_TIME SECOND

/* ---- SQLite ---------------------------------------------------------------------------------- */

static Result fail(Arena *arena, sqlite3 *db, int code, const char *file)
{
    const char *why = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    code &= 0xff;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return FAIL_OVER(arena, FAIL(arena, FAULT_STORE_DAMAGED, "%s", why), FAULT_STORE_DOWN,
                         "%s is damaged, or no database", file);
    return FAIL(arena, FAULT_STORE_DOWN, "%s: %s", file, why);
}

Result sqlite_file_check_kind(Arena *arena, const char *file)
{
    struct stat found, wal;
    const char *wrong = file_not_regular(file);
    if (wrong)
        return FAIL(arena, FAULT_STORE_DOWN, "%s: %s", file, wrong);
    bool cut_off = stat(file, &found) == 0 && found.st_size == 0 &&
                   stat(arena_printf(arena, "%s-wal", file), &wal) == 0 && wal.st_size > 0;
    if (cut_off)
        return FAIL_OVER(arena,
                         FAIL(arena, FAULT_STORE_DAMAGED,
                              "it is empty, but %s-wal beside it is not: it was cut off", file),
                         FAULT_STORE_DOWN, "%s is damaged; restore a backup, or move both away",
                         file);
    return OK;
}

static Result open_file(Arena *arena, const char *file, int flags, sqlite3 **db_out)
{
    Result kind = sqlite_file_check_kind(arena, file);
    if (failed(kind))
        return kind;
    int code = sqlite3_open_v2(file, db_out, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        Result r = fail(arena, *db_out, code, file);
        sqlite3_close(*db_out);
        *db_out = NULL;
        return r;
    }
    sqlite3_busy_timeout(*db_out, BUSY_MILLIS);
    return OK;
}

/* The first thing that is wrong in the whole file, or that the time is over. */
static Result check(Arena *arena, sqlite3 *db, const char *file)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(s);
    Result r = OK;
    if (code != SQLITE_ROW && code != SQLITE_INTERRUPT)
        r = fail(arena, db, code, file);
    else if (code == SQLITE_ROW &&
             !bytes_are(bytes_of((const char *)sqlite3_column_text(s, 0)), "ok"))
        r = FAIL_OVER(
            arena, FAIL(arena, FAULT_STORE_DAMAGED, "%s", (const char *)sqlite3_column_text(s, 0)),
            FAULT_STORE_DOWN, "%s is damaged", file);
    sqlite3_finalize(s);
    return r;
}

/* ---- Looking --------------------------------------------------------------------------------- */

static Result check_access(Arena *arena, const char *file, bool *is_there)
{
    const char *folder = file_folder(arena, file);
    Result kind = sqlite_file_check_kind(arena, file);
    *is_there = access(file, F_OK) == 0;
    if (failed(kind))
        return kind;
    if (access(folder, W_OK | X_OK) != 0)
        return FAIL(arena, FAULT_STORE_DOWN, "the folder %s cannot be written: %s", folder,
                    strerror(errno));
    if (*is_there && access(file, R_OK | W_OK) != 0)
        return FAIL(arena, FAULT_STORE_DOWN, "%s cannot be written: %s", file, strerror(errno));
    return OK;
}

static int is_over(void *end)
{
    return clock_now() > *(int64_t *)end;
}

Result sqlite_file_look(Arena *arena, const char *file)
{
    sqlite3 *db = NULL;
    bool is_there;
    int64_t end = clock_now() + LOOK_TIME;
    Result r = check_access(arena, file, &is_there);
    if (failed(r) || !is_there)
        return r;
    r = open_file(arena, file, SQLITE_OPEN_READONLY, &db);
    if (failed(r))
        return r;
    sqlite3_progress_handler(db, LOOK_EVERY, is_over, &end);
    r = check(arena, db, file);
    sqlite3_close(db);
    return r;
}

/* ---- Copying --------------------------------------------------------------------------------- */

/* All pages in one step: a step that comes after a write of another process begins anew. */
static Result copy_pages(Arena *arena, sqlite3 *from, const char *file, sqlite3 *to,
                         const char *copy)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (!backup)
        return FAIL(arena, FAULT_NO_FILE, "write %s: %s", copy, sqlite3_errmsg(to));
    int code = sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);
    if (code == SQLITE_DONE)
        return OK;
    if (sqlite3_errcode(from) == code)
        return fail(arena, from, code, file);
    return FAIL(arena, FAULT_NO_FILE, "write %s: %s", copy, sqlite3_errstr(code));
}

/* Whether it is a database: else SQLite says so of the copy. */
static Result check_header(Arena *arena, sqlite3 *from, const char *file)
{
    int code = sqlite3_exec(from, "PRAGMA schema_version", NULL, NULL, NULL);
    return code == SQLITE_OK ? OK : fail(arena, from, code, file);
}

/* A copy needs no files beside it, so that it can be moved and read anywhere. It has the pages of
   `file`: what is wrong in them is wrong there. */
static Result finish_copy(Arena *arena, sqlite3 *to, const char *copy, const char *file)
{
    int code = sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    return code == SQLITE_OK ? check(arena, to, file)
                             : FAIL(arena, FAULT_NO_FILE, "write %s: %s", copy, sqlite3_errmsg(to));
}

static Result make_copy(Arena *arena, const char *file, const char *copy)
{
    sqlite3 *from = NULL, *to = NULL;
    Result r = open_file(arena, file, SQLITE_OPEN_READONLY, &from);
    if (!failed(r))
        r = check_header(arena, from, file);
    if (!failed(r))
        r = open_file(arena, copy, SQLITE_OPEN_READWRITE, &to);
    if (!failed(r))
        r = copy_pages(arena, from, file, to, copy);
    if (!failed(r))
        r = finish_copy(arena, to, copy, file);
    sqlite3_close(to);
    sqlite3_close(from);
    return r;
}

/* Empty, and for its owner only, before anything is in it. */
static Result create(Arena *arena, const char *path)
{
    unlink(path); /* what a backup that was killed has left */
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return FAIL(arena, FAULT_NO_FILE, "write %s: %s", path, strerror(errno));
    close(fd);
    return OK;
}

/* SQLite has written the file to the disk; its new name is there after this. */
static Result give_name(Arena *arena, const char *part, const char *copy)
{
    if (rename(part, copy) != 0)
        return FAIL(arena, FAULT_NO_FILE, "rename %s to %s: %s", part, copy, strerror(errno));
    int fd = open(file_folder(arena, copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    return good ? OK
                : FAIL(arena, FAULT_NO_FILE, "sync the folder of %s: %s", copy, strerror(error));
}

static bool is_same(const char *file, const char *other)
{
    struct stat a, b;
    return stat(file, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Also where no file has the name now. */
static bool is_same_name(Arena *arena, const char *path, const char *other)
{
    return strcmp(name_of(path), name_of(other)) == 0 &&
           is_same(file_folder(arena, path), file_folder(arena, other));
}

/* The file that SQLite uses, which has its companions beside it. */
static const char *without_links(Arena *arena, const char *file)
{
    char *path = realpath(file, NULL);
    const char *kept = path ? arena_string(arena, path) : file;
    free(path);
    return kept;
}

/* A gateway that writes to a store would go on in files that have no name any more. */
static Result check_no_part(Arena *arena, const char *file, const char *path)
{
    static const char *const companions[] = {"", "-wal", "-shm", "-journal"};
    const char *store = without_links(arena, file);
    for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
        const char *part = arena_printf(arena, "%s%s", store, companions[i]);
        if (is_same(part, path) || is_same_name(arena, part, path))
            return FAIL(arena, FAULT_NO_FILE, "write %s: it is %sthe store itself", path,
                        i ? "a part of " : "");
    }
    return OK;
}

/* What is replaced is a file: whoever removes a device or a FIFO harms other programs. */
static Result check_place(Arena *arena, const char *file, const char *path)
{
    struct stat found;
    if (lstat(path, &found) == 0 && !S_ISREG(found.st_mode)) {
        const char *why = S_ISLNK(found.st_mode) ? "it is a symbolic link" : file_not_regular(path);
        return FAIL(arena, FAULT_NO_FILE, "write %s: %s", path, why ? why : "it is no file");
    }
    return check_no_part(arena, file, path);
}

Result sqlite_file_back_up(Arena *arena, const char *file, const char *copy)
{
    const char *part = arena_printf(arena, "%s.part", copy);
    Result r = check_place(arena, file, copy);
    if (!failed(r))
        r = check_place(arena, file, part);
    if (failed(r))
        return r;
    r = create(arena, part);
    if (!failed(r))
        r = make_copy(arena, file, part);
    if (!failed(r))
        r = give_name(arena, part, copy);
    if (failed(r))
        unlink(part);
    return r;
}
