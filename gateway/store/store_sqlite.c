/*
 * SQLite: one file, one session. WAL, so that other processes may read while we write.
 *
 * All tasks of a batch share one transaction, each in a savepoint of its own: one wait for the disk
 * for all of them. A failure that ends the whole transaction fails one task only, because the tasks
 * are then executed one by one.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/store/sqlite_file.h"
#include "gateway/store/store_backend.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PREPARED = 128, LONGEST_TEXT = 1 << 30 };

typedef struct Prepared {
    const char *sql;
    sqlite3_stmt *statement;
} Prepared;

struct StoreSession {
    sqlite3 *db;
    const char *path;
    bool syncs; /* as `synchronous` is now: FULL, or NORMAL */
    bool read_only;
    struct stat wal; /* the file beside it, with what is not merged; st_ino 0: not seen yet */
    Prepared prepared[MOST_PREPARED];
    size_t n_prepared;
};

/* ---- Failures
 * ------------------------------------------------------------------------------------ */

static Result fail(StoreSession *s, Arena *arena, int code, const char *doing)
{
    const char *why = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code);
    const char *file = s->path;
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT: return FAIL(arena, FAULT_STORE_CONFLICT, "%s: %s", doing, why);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return FAIL(arena, FAULT_STORE_DOWN, "%s: another process uses %s all the time (%s)", doing,
                    file, why);
    case SQLITE_FULL:
        return FAIL(arena, FAULT_STORE_DOWN, "%s: the disk of %s is full (%s)", doing, file, why);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FAIL_OVER(arena, FAIL(arena, FAULT_STORE_DAMAGED, "%s", why), FAULT_STORE_DOWN,
                         "%s: %s is damaged, or no database; restore a backup, or move it away",
                         doing, file);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL: return FAIL(arena, FAULT_STORE_DOWN, "%s %s: %s", doing, file, why);
    default: return FAIL(arena, FAULT_INTERNAL, "%s: %s", doing, why);
    }
}

/* Whether the file has to be opened again. */
static bool is_lost(int code)
{
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY: return true;
    default: return false;
    }
}

/* ---- Opening
 * ------------------------------------------------------------------------------------- */

static void close_session(StoreSession *s)
{
    for (size_t i = 0; i < s->n_prepared; i++)
        sqlite3_finalize(s->prepared[i].statement);
    sqlite3_close(s->db);
    free(s);
}

static int run_text(StoreSession *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

/* SQLite does not wait where another process makes the same file into one with a WAL. */
static int make_wal(StoreSession *s, int64_t time)
{
    static const struct timespec pause = {.tv_nsec = 5 * MILLISECOND};
    int64_t until = clock_now() + time;
    int code = run_text(s, "PRAGMA journal_mode = WAL");
    while ((code & 0xff) == SQLITE_BUSY && clock_now() < until) {
        nanosleep(&pause, NULL);
        code = run_text(s, "PRAGMA journal_mode = WAL");
    }
    return code;
}

static int set_up(StoreSession *s, int64_t time)
{
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, (int)(time / MILLISECOND));
    if (s->read_only)
        return SQLITE_OK;
    int code = make_wal(s, time);
    if (code == SQLITE_OK)
        code = run_text(s, "PRAGMA synchronous = FULL");
    s->syncs = true;
    return code;
}

/* It has names and reasons in it: a new one is for its owner only, and SQLite gives the files
   beside it the same mode. Only one that is new is opened and closed here, for that ends all locks
   that this process has on the file. */
static void create_file(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static Result open_session(const StoreSettings *settings, Arena *arena, StoreSession **out)
{
    Result kind = sqlite_file_check_kind(arena, settings->sqlite);
    if (failed(kind))
        return kind;
    StoreSession *s = calloc(1, sizeof *s);
    CHECK(s);
    s->path = settings->sqlite;
    s->read_only = settings->read_only;
    if (!s->read_only)
        create_file(s->path);
    int flags = s->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int code = sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = set_up(s, settings->time);
    if (code != SQLITE_OK) {
        Result r = fail(s, arena, code, "opening the store");
        close_session(s);
        return r;
    }
    *out = s;
    return OK;
}

/* ---- One statement
 * --------------------------------------------------------------------------------- */

/* Prepared once for each text; where there are too many, for this time only. */
static int prepare(StoreSession *s, const char *sql, sqlite3_stmt **out, bool *kept)
{
    for (size_t i = 0; i < s->n_prepared; i++) {
        if (s->prepared[i].sql == sql) {
            *out = s->prepared[i].statement;
            *kept = true;
            return SQLITE_OK;
        }
    }
    int code = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    *kept = code == SQLITE_OK && s->n_prepared < MOST_PREPARED;
    if (*kept)
        s->prepared[s->n_prepared++] = (Prepared){sql, *out};
    return code;
}

/* SQLite numbers "$7" by its first place in the text, not by its digits. */
static int bind_parameter(sqlite3_stmt *prepared, uint32_t number, const StoreValue *value)
{
    char name[12];
    snprintf(name, sizeof name, "$%u", number);
    int at = sqlite3_bind_parameter_index(prepared, name);
    const char *data = value->bytes.size ? (const char *)value->bytes.data : "";
    switch (value->type) {
    case STORE_NULL: return sqlite3_bind_null(prepared, at);
    case STORE_INTEGER: return sqlite3_bind_int64(prepared, at, value->integer);
    case STORE_TEXT:
        return sqlite3_bind_text64(prepared, at, data, value->bytes.size, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case STORE_BYTES:
        return sqlite3_bind_blob64(prepared, at, data, value->bytes.size, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static void read_column(StoreTask *task, sqlite3_stmt *prepared, int i, StoreValue *value)
{
    const void *data = NULL;
    switch (sqlite3_column_type(prepared, i)) {
    case SQLITE_NULL: value->type = STORE_NULL; return;
    case SQLITE_INTEGER:
        value->type = STORE_INTEGER;
        value->integer = sqlite3_column_int64(prepared, i);
        return;
    case SQLITE_BLOB:
        value->type = STORE_BYTES;
        data = sqlite3_column_blob(prepared, i);
        break;
    default: value->type = STORE_TEXT; data = sqlite3_column_text(prepared, i);
    }
    size_t size = (size_t)sqlite3_column_bytes(prepared, i);
    value->bytes = bytes_copy(task->arena, bytes(data, size));
}

static int read_rows(StoreTask *task, StoreStatement *statement, sqlite3_stmt *prepared)
{
    StoreRow *last = NULL;
    int code;
    while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
        statement->n_columns = (uint32_t)sqlite3_column_count(prepared);
        StoreRow *row = store_add_row(task, statement, &last);
        for (uint32_t i = 0; i < statement->n_columns; i++)
            read_column(task, prepared, (int)i, &row->values[i]);
    }
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int run_statement(StoreSession *s, StoreTask *task, StoreStatement *statement)
{
    sqlite3_stmt *prepared = NULL;
    bool kept;
    int code = prepare(s, statement->sql, &prepared, &kept);
    for (uint32_t i = 0; code == SQLITE_OK && i < statement->n_parameters; i++)
        code = bind_parameter(prepared, i + 1, &statement->parameters[i]);
    if (code == SQLITE_OK)
        code = read_rows(task, statement, prepared);
    if (code == SQLITE_OK && !sqlite3_stmt_readonly(prepared))
        statement->changed = sqlite3_changes64(s->db);
    if (code != SQLITE_OK)
        task->result = fail(s, task->arena, code, "executing a statement of");
    if (kept)
        sqlite3_reset(prepared);
    else
        sqlite3_finalize(prepared);
    return code;
}

/* ---- Tasks
 * ----------------------------------------------------------------------------------------- */

/* SQLITE_OK also where a condition of the task does not hold. */
static int run_statements(StoreSession *s, StoreTask *task)
{
    for (StoreStatement *statement = task->first; statement; statement = statement->next) {
        int code = run_statement(s, task, statement);
        if (code != SQLITE_OK)
            return code;
        if (statement->expected != STORE_ANY_CHANGES && statement->changed != statement->expected) {
            task->result =
                FAIL(task->arena, FAULT_STORE_CONFLICT, "%lld rows were changed, not %lld",
                     (long long)statement->changed, (long long)statement->expected);
            return SQLITE_OK;
        }
    }
    return SQLITE_OK;
}

/* False: the transaction around it is over. */
static bool run_task(StoreSession *s, StoreTask *task, int *code)
{
    task->result = OK;
    *code = run_text(s, "SAVEPOINT task");
    if (*code != SQLITE_OK)
        task->result = fail(s, task->arena, *code, "beginning in");
    else
        *code = run_statements(s, task);
    if (sqlite3_get_autocommit(s->db))
        return false;
    if (failed(task->result)) {
        store_task_forget(task);
        run_text(s, "ROLLBACK TO task");
    }
    run_text(s, "RELEASE task");
    return true;
}

static void fail_all(StoreSession *s, StoreTask **tasks, size_t n, int code, const char *doing)
{
    for (size_t i = 0; i < n; i++) {
        store_task_forget(tasks[i]);
        tasks[i]->result = fail(s, tasks[i]->arena, code, doing);
    }
}

static int begin(StoreSession *s, StoreTask **tasks, size_t n)
{
    bool sync = false;
    if (s->read_only)
        return run_text(s, "BEGIN");
    for (size_t i = 0; i < n; i++)
        sync |= tasks[i]->durability == STORE_PROMISED;
    if (sync != s->syncs)
        run_text(s, sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    s->syncs = sync;
    return run_text(s, "BEGIN IMMEDIATE");
}

/* Where the disk failed during the commit, nobody knows what is on it. */
static void fail_commit(StoreSession *s, StoreTask **tasks, size_t n, int code)
{
    fail_all(s, tasks, n, code, "committing in");
    if ((code & 0xff) != SQLITE_IOERR)
        return;
    for (size_t i = 0; i < n; i++)
        tasks[i]->result = FAIL_OVER(tasks[i]->arena, tasks[i]->result, FAULT_STORE_UNKNOWN,
                                     "the disk failed during the commit");
}

static bool execute(StoreSession *s, StoreTask **tasks, size_t n);

static bool execute_one_by_one(StoreSession *s, StoreTask **tasks, size_t n)
{
    bool lives = true;
    for (size_t i = 0; i < n; i++) {
        store_task_forget(tasks[i]);
        lives &= execute(s, &tasks[i], 1);
    }
    return lives;
}

/* What is written to a file that has been removed or replaced is lost with the last descriptor. */
static bool has_moved(StoreSession *s)
{
    int moved = 0;
    return sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved;
}

static const char *wal_of(const StoreSession *s, Arena *arena)
{
    return arena_printf(arena, "%s-wal", s->path);
}

/* It is there from the first transaction on, as long as the session lives. */
static void see_wal(StoreSession *s, Arena *arena)
{
    if (!s->wal.st_ino && stat(wal_of(s, arena), &s->wal) != 0)
        s->wal.st_ino = 0;
}

/* The WAL goes with the file by its name only: SQLite would merge that of the removed file into the
   one that has taken its place. */
static void set_wal_aside(StoreSession *s, Arena *arena)
{
    struct stat now;
    const char *wal = wal_of(s, arena);
    if (stat(wal, &now) == 0 && now.st_ino == s->wal.st_ino && now.st_dev == s->wal.st_dev)
        rename(wal, arena_printf(arena, "%s.replaced", wal)); /* if it cannot be, nor can the next
                                                                 session write anything there */
}

static bool fail_moved(StoreSession *s, StoreTask **tasks, size_t n)
{
    set_wal_aside(s, tasks[0]->arena);
    for (size_t i = 0; i < n; i++)
        tasks[i]->result = FAIL(tasks[i]->arena, FAULT_STORE_DOWN,
                                "%s was removed or replaced while it was in use", s->path);
    return false;
}

static bool execute(StoreSession *s, StoreTask **tasks, size_t n)
{
    if (has_moved(s))
        return fail_moved(s, tasks, n);
    int code = begin(s, tasks, n);
    if (code != SQLITE_OK) {
        fail_all(s, tasks, n, code, "beginning in");
        return !is_lost(code);
    }
    see_wal(s, tasks[0]->arena);
    for (size_t i = 0; i < n; i++) {
        if (run_task(s, tasks[i], &code))
            continue;
        if (n > 1)
            return execute_one_by_one(s, tasks, n);
        return !is_lost(code);
    }
    code = run_text(s, "COMMIT");
    if (code == SQLITE_OK)
        return true;
    fail_commit(s, tasks, n, code); /* before anything else has its error in the session */
    run_text(s, "ROLLBACK");        /* fails where SQLite has done so already */
    return n > 1 && !is_lost(code) ? execute_one_by_one(s, tasks, n) : !is_lost(code);
}

static Result run_script(StoreSession *s, Arena *arena, const char *sql)
{
    int code = run_text(s, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK)
        code = run_text(s, sql);
    if (code == SQLITE_OK)
        code = run_text(s, "COMMIT");
    if (code == SQLITE_OK)
        return OK;
    Result r = fail(s, arena, code, "changing the schema of");
    run_text(s, "ROLLBACK");
    return r;
}

const StoreBackend store_sqlite = {
    .name = "sqlite",
    .size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    .has_table = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
    .table_size = "SELECT sum(pgsize) FROM dbstat WHERE name IN"
                  " (SELECT name FROM sqlite_master WHERE tbl_name = $1)",
    .integrity = "PRAGMA integrity_check",
    .open = open_session,
    .close = close_session,
    .script = run_script,
    .execute = execute,
};
