/*
 * PostgreSQL, through libpq in pipeline mode: the statements of many tasks are sent without waiting
 * for results. What lies between two synchronization points is one transaction, which the server
 * commits at the second one (PostgreSQL manual, 34.5). A task with conditions needs a look at the
 * results before the commit, and travels twice.
 *
 * The socket is not blocking, so that a server that is silent costs the store's `time` at most.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/store/store_backend.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>

enum { NUMBER_SIZE = 24, NAME_SIZE = 24, MOST_PREPARED = 128 };
enum { LOCKS_WAIT = 5 /* one part of `time`, for the locks of a change of the schema */ };

/* Of pg_type: they never change. */
enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23 };

/* The server plans a prepared statement for the sizes that tables have then; and sizes change. */
#define PLANNED_AGAIN (10 * SECOND)

typedef struct Prepared {
    const char *sql;
    bool good; /* else it is sent as it is, for the server to say what is wrong with it */
} Prepared;

struct StoreSession {
    PGconn *connection;
    int64_t time, due; /* of what is under way */
    bool prepares;
    int64_t planned; /* when the plans were made, or later */
    Prepared prepared[MOST_PREPARED];
    size_t n_prepared;
};

/* Not durable at once: for one transaction. */
static const char commit_soon[] = "SELECT set_config('synchronous_commit', 'off', true)";

/* ---- Failures
 * ------------------------------------------------------------------------------------ */

/* libpq's texts end with a line break, and may have several lines. */
static const char *one_line(Arena *arena, const char *text)
{
    char *line = (char *)arena_string(arena, text);
    for (char *c = line; *c; c++)
        if (*c == '\n')
            *c = ' ';
    for (size_t n = strlen(line); n && line[n - 1] == ' '; n--)
        line[n - 1] = 0;
    return line;
}

static Result fail_connection(StoreSession *s, Arena *arena, const char *doing)
{
    const char *why = one_line(arena, PQerrorMessage(s->connection));
    return FAIL(arena, FAULT_STORE_DOWN, "%s: %s", doing, *why ? why : "no answer in time");
}

/* PostgreSQL manual, appendix A. */
static const Fault *fault_of(const char *state)
{
    static const struct {
        const char *prefix;
        const Fault *fault;
    } faults[] = {
        {"23", &FAULT_STORE_CONFLICT},    /* a constraint */
        {"40", &FAULT_STORE_CONFLICT},    /* serialization, deadlock */
        {"42P07", &FAULT_STORE_CONFLICT}, /* a table that another session made just now, */
        {"42710", &FAULT_STORE_CONFLICT}, /* or the type of its rows */
        {"55P03", &FAULT_STORE_CONFLICT}, /* locked */
        {"08", &FAULT_STORE_DOWN},        /* connection */
        {"25006", &FAULT_STORE_DOWN},     /* read only: a standby */
        {"28", &FAULT_STORE_DOWN},        /* who we are */
        {"53", &FAULT_STORE_DOWN},        /* disk full, out of memory, too many connections */
        {"57", &FAULT_STORE_DOWN},        /* shut down by its operator */
        {"58", &FAULT_STORE_DOWN},        /* input and output */
        {"XX", &FAULT_STORE_DOWN},        /* damaged */
    };
    for (size_t i = 0; state && i < sizeof faults / sizeof *faults; i++) {
        if (strncmp(state, faults[i].prefix, strlen(faults[i].prefix)) == 0)
            return faults[i].fault;
    }
    return state ? &FAULT_INTERNAL : &FAULT_STORE_DOWN;
}

static Result fail_result(Arena *arena, const PGresult *result, const char *doing)
{
    return FAIL(arena, *fault_of(PQresultErrorField(result, PG_DIAG_SQLSTATE)), "%s: %s", doing,
                one_line(arena, PQresultErrorMessage(result)));
}

static bool is_lost(const StoreSession *s)
{
    return PQstatus(s->connection) != CONNECTION_OK;
}

/* ---- Waiting
 * ------------------------------------------------------------------------------------- */

/* False: not in time. */
static bool wait_for(StoreSession *s, short events)
{
    int64_t left = s->due - clock_now();
    struct pollfd socket = {.fd = PQsocket(s->connection), .events = events};
    return left > 0 && poll(&socket, 1, (int)(left / MILLISECOND) + 1) > 0;
}

/* Sends what is queued, and reads meanwhile: the server may wait for that. */
static bool flush(StoreSession *s)
{
    int more;
    while ((more = PQflush(s->connection)) == 1) {
        if (!wait_for(s, POLLIN | POLLOUT) || !PQconsumeInput(s->connection))
            return false;
    }
    return more == 0;
}

/* False: the connection was lost, or is too slow. `*out` may be NULL: the end of one statement. */
static bool next_result(StoreSession *s, PGresult **out)
{
    while (PQisBusy(s->connection)) {
        if (!wait_for(s, POLLIN) || !PQconsumeInput(s->connection))
            return false;
    }
    *out = PQgetResult(s->connection);
    return true;
}

/* ---- Opening
 * ------------------------------------------------------------------------------------- */

static void close_session(StoreSession *s)
{
    PQfinish(s->connection);
    free(s);
}

static void ignore_notice(void *argument, const PGresult *result)
{
}

static bool connect_in_time(StoreSession *s)
{
    for (;;) {
        switch (PQconnectPoll(s->connection)) {
        case PGRES_POLLING_OK: return true;
        case PGRES_POLLING_READING:
            if (!wait_for(s, POLLIN))
                return false;
            break;
        case PGRES_POLLING_WRITING:
            if (!wait_for(s, POLLOUT))
                return false;
            break;
        default: return false;
        }
    }
}

/* Whether the server at the other end is the one that we have connected to. A pooler between us
   takes any server for each transaction, where nothing is that we have prepared. */
static bool is_direct(StoreSession *s)
{
    bool direct = false;
    if (!PQsendQuery(s->connection, "SELECT pg_backend_pid()") || !flush(s))
        return false;
    for (PGresult *result; next_result(s, &result) && result; PQclear(result))
        if (PQresultStatus(result) == PGRES_TUPLES_OK)
            direct = strtol(PQgetvalue(result, 0, 0), NULL, 10) == PQbackendPID(s->connection);
    return direct;
}

/* The server would compile a statement anew each time that it executes it, if it takes its cost for
   large: for those that we have that costs a hundred times what it saves. Only on a server of our
   own: a pooler would give the setting to others. False: the connection is of no use. */
static bool spare_compiling(StoreSession *s)
{
    PGresult *result;
    if (!PQsendQuery(s->connection, "SET jit = off") || !flush(s))
        return false;
    while (next_result(s, &result) && result)
        PQclear(result); /* a server that cannot compile does not know the setting */
    return !is_lost(s);
}

/* Our own options stand first: those of the operator's text win. */
static Result open_session(const StoreSettings *settings, Arena *arena, StoreSession **out)
{
    static const char *const keys[] = {"fallback_application_name", "client_encoding", "dbname",
                                       NULL};
    const char *values[] = {"passerelle", "UTF8", settings->postgresql, NULL};
    StoreSession *s = calloc(1, sizeof *s);
    CHECK(s);
    s->time = settings->time;
    s->due = clock_now() + s->time;
    s->connection = PQconnectStartParams(keys, values, true);
    CHECK(s->connection);
    if (PQstatus(s->connection) == CONNECTION_BAD || !connect_in_time(s) ||
        PQsetnonblocking(s->connection, 1) != 0) {
        Result r = PQstatus(s->connection) == CONNECTION_BAD
                       ? fail_connection(s, arena, "connecting to PostgreSQL")
                       : FAIL(arena, FAULT_STORE_DOWN, "PostgreSQL does not answer within %.1f s",
                              (double)s->time / SECOND);
        close_session(s);
        return r;
    }
    PQsetNoticeReceiver(s->connection, ignore_notice, NULL);
    s->prepares = !settings->read_only && is_direct(s) && spare_compiling(s);
    *out = s;
    return OK;
}

/* A change of the schema does not wait long for its locks, for whatever comes after it waits behind
   it: a long backup would hold up all gateways. The server's limit ends first, so that the
   connection is not lost with a statement in the queue. */
static Result run_script(StoreSession *s, Arena *arena, const char *script)
{
    const char *sql = arena_printf(arena, "SELECT set_config('lock_timeout', '%lldms', true);%s",
                                   (long long)(s->time / LOCKS_WAIT / MILLISECOND), script);
    s->due = clock_now() + s->time;
    if (!PQsendQuery(s->connection, sql) || !flush(s))
        return fail_connection(s, arena, "changing the schema");
    Result r = OK;
    for (PGresult *result;;) {
        if (!next_result(s, &result))
            return fail_connection(s, arena, "changing the schema");
        if (!result)
            return r;
        ExecStatusType status = PQresultStatus(result);
        if (!failed(r) && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
            r = fail_result(arena, result, "changing the schema");
        PQclear(result);
    }
}

/* ---- Sending
 * ------------------------------------------------------------------------------------- */

static void name_prepared(size_t at, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "p%zu", at);
}

/* Where it is, or would be: n_prepared. */
static size_t find_prepared(const StoreSession *s, const char *sql)
{
    size_t at = 0;
    while (at < s->n_prepared && s->prepared[at].sql != sql)
        at++;
    return at;
}

static bool send_statement(StoreSession *s, const StoreStatement *statement)
{
    const char *values[STORE_MAX_PARAMETERS];
    int sizes[STORE_MAX_PARAMETERS], formats[STORE_MAX_PARAMETERS];
    char numbers[STORE_MAX_PARAMETERS][NUMBER_SIZE];
    for (uint32_t i = 0; i < statement->n_parameters; i++) {
        const StoreValue *value = &statement->parameters[i];
        sizes[i] = (int)value->bytes.size;
        formats[i] = value->type == STORE_TEXT || value->type == STORE_BYTES;
        values[i] = value->bytes.size ? (const char *)value->bytes.data : "";
        if (value->type == STORE_NULL)
            values[i] = NULL;
        if (value->type == STORE_INTEGER) {
            snprintf(numbers[i], NUMBER_SIZE, "%lld", (long long)value->integer);
            values[i] = numbers[i];
        }
    }
    size_t at = find_prepared(s, statement->sql);
    if (at == s->n_prepared || !s->prepared[at].good)
        return PQsendQueryParams(s->connection, statement->sql, (int)statement->n_parameters, NULL,
                                 values, sizes, formats, 0);
    char name[NAME_SIZE];
    name_prepared(at, name);
    return PQsendQueryPrepared(s->connection, name, (int)statement->n_parameters, values, sizes,
                               formats, 0);
}

static bool has_conditions(const StoreTask *task)
{
    for (const StoreStatement *statement = task->first; statement; statement = statement->next) {
        if (statement->expected != STORE_ANY_CHANGES)
            return true;
    }
    return false;
}

static bool send_task(StoreSession *s, const StoreTask *task)
{
    static const StoreStatement soon = {.sql = commit_soon};
    bool sent = task->durability == STORE_PROMISED || send_statement(s, &soon);
    for (StoreStatement *statement = task->first; statement; statement = statement->next)
        sent = sent && send_statement(s, statement);
    return sent;
}

/* ---- Reading
 * ------------------------------------------------------------------------------------- */

static void read_value(StoreTask *task, const PGresult *result, int row, int column,
                       StoreValue *value)
{
    if (PQgetisnull(result, row, column)) {
        value->type = STORE_NULL;
        return;
    }
    const char *text = PQgetvalue(result, row, column);
    switch (PQftype(result, column)) {
    case OID_INT8:
    case OID_INT4:
    case OID_INT2:
        value->type = STORE_INTEGER;
        value->integer = strtoll(text, NULL, 10);
        return;
    case OID_BOOL:
        value->type = STORE_INTEGER;
        value->integer = *text == 't';
        return;
    case OID_BYTEA: {
        size_t size;
        uint8_t *plain = PQunescapeBytea((const uint8_t *)text, &size);
        CHECK(plain);
        value->type = STORE_BYTES;
        value->bytes = bytes_copy(task->arena, bytes(plain, size));
        PQfreemem(plain);
        return;
    }
    default:
        value->type = STORE_TEXT;
        value->bytes =
            bytes_copy(task->arena, bytes(text, (size_t)PQgetlength(result, row, column)));
    }
}

static void read_rows(StoreTask *task, StoreStatement *statement, const PGresult *result)
{
    StoreRow *last = NULL;
    statement->n_columns = (uint32_t)PQnfields(result);
    for (int row = 0; row < PQntuples(result); row++) {
        StoreRow *read = store_add_row(task, statement, &last);
        for (uint32_t i = 0; i < statement->n_columns; i++)
            read_value(task, result, row, (int)i, &read->values[i]);
    }
}

/* "INSERT 0 3", "UPDATE 3"; "SELECT 3" changes nothing. */
static int64_t count_changes(PGresult *result)
{
    return bytes_start_with(bytes_of(PQcmdStatus(result)), "SELECT")
               ? 0
               : strtoll(PQcmdTuples(result), NULL, 10);
}

/* The first failure of a task counts; what follows it was skipped by the server. */
static void take_result(StoreTask *task, StoreStatement *statement, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        if (statement) {
            read_rows(task, statement, result);
            statement->changed = count_changes(result);
        }
    } else if (!failed(task->result)) {
        task->result = fail_result(task->arena, result, "executing a statement");
    }
}

/* The one result of a statement, and the NULL behind it. */
static bool read_statement(StoreSession *s, PGresult **out)
{
    PGresult *end;
    return next_result(s, out) && *out && next_result(s, &end) && !end;
}

static bool read_sync(StoreSession *s)
{
    PGresult *result;
    if (!next_result(s, &result) || !result)
        return false;
    bool is_sync = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    PQclear(result);
    return is_sync;
}

/* `statement` NULL: its rows are of no interest. */
static bool read_into(StoreSession *s, StoreTask *task, StoreStatement *statement)
{
    PGresult *result;
    if (!read_statement(s, &result))
        return false;
    take_result(task, statement, result);
    PQclear(result);
    return true;
}

static bool read_task(StoreSession *s, StoreTask *task)
{
    bool read = task->durability == STORE_PROMISED || read_into(s, task, NULL);
    for (StoreStatement *statement = task->first; statement; statement = statement->next)
        read = read && read_into(s, task, statement);
    return read;
}

/* ---- Preparing
 * ----------------------------------------------------------------------------------- */

/* Waits for the server, once for each statement in a session. False: the connection is of no use.
 */
static bool prepare(StoreSession *s, const char *sql)
{
    char name[NAME_SIZE];
    PGresult *result;
    name_prepared(s->n_prepared, name);
    if (!PQsendPrepare(s->connection, name, sql, 0, NULL) || !PQpipelineSync(s->connection) ||
        !flush(s) || !read_statement(s, &result))
        return false;
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    s->prepared[s->n_prepared++] = (Prepared){sql, good};
    return read_sync(s);
}

static bool need_prepared(StoreSession *s, const char *sql)
{
    bool is_new = find_prepared(s, sql) == s->n_prepared && s->n_prepared < MOST_PREPARED;
    return !is_new || prepare(s, sql);
}

static bool prepare_all(StoreSession *s, const StoreTask *task)
{
    bool lives = task->durability == STORE_PROMISED || need_prepared(s, commit_soon);
    for (const StoreStatement *st = task->first; lives && st; st = st->next)
        lives = need_prepared(s, st->sql);
    return lives;
}

static bool discard_plans(StoreSession *s)
{
    PGresult *result;
    s->planned = clock_now();
    if (!PQsendQueryParams(s->connection, "DISCARD PLANS", 0, NULL, NULL, NULL, NULL, 0) ||
        !PQpipelineSync(s->connection) || !flush(s) || !read_statement(s, &result))
        return false;
    PQclear(result);
    return read_sync(s);
}

static bool get_ready(StoreSession *s, StoreTask **tasks, size_t n)
{
    if (!s->prepares)
        return true;
    if (clock_now() - s->planned >= PLANNED_AGAIN && !discard_plans(s))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!prepare_all(s, tasks[i]))
            return false;
    return true;
}

/* ---- Tasks
 * --------------------------------------------------------------------------------------- */

/* Tasks without conditions, all sent before any result is read. `*n_ended` tasks have theirs. */
static bool pipeline(StoreSession *s, StoreTask **tasks, size_t n, size_t *n_ended)
{
    for (size_t i = 0; i < n; i++) {
        if (!send_task(s, tasks[i]) || !PQpipelineSync(s->connection))
            return false;
    }
    if (!flush(s))
        return false;
    for (*n_ended = 0; *n_ended < n; ++*n_ended) {
        StoreTask *task = tasks[*n_ended];
        if (!read_task(s, task) || !read_sync(s))
            return false;
    }
    return true;
}

static bool run_command(StoreSession *s, const char *sql, StoreTask *task)
{
    return PQsendQueryParams(s->connection, sql, 0, NULL, NULL, NULL, NULL, 0) &&
           PQpipelineSync(s->connection) && flush(s) && read_into(s, task, NULL) && read_sync(s);
}

static void check_conditions(StoreTask *task)
{
    for (StoreStatement *st = task->first; st && !failed(task->result); st = st->next) {
        if (st->expected != STORE_ANY_CHANGES && st->changed != st->expected)
            task->result =
                FAIL(task->arena, FAULT_STORE_CONFLICT, "%lld rows were changed, not %lld",
                     (long long)st->changed, (long long)st->expected);
    }
}

/* `*committing`: from here on nobody knows what took effect if the connection is lost. */
static bool run_with_conditions(StoreSession *s, StoreTask *task, bool *committing)
{
    *committing = false;
    if (!run_command(s, "BEGIN", task))
        return false;
    if (!send_task(s, task) || !PQpipelineSync(s->connection) || !flush(s) || !read_task(s, task) ||
        !read_sync(s))
        return false;
    check_conditions(task);
    if (failed(task->result))
        return run_command(s, "ROLLBACK", task);
    *committing = true;
    return run_command(s, "COMMIT", task);
}

static void lose(StoreSession *s, StoreTask **tasks, size_t n, const Fault *fault)
{
    for (size_t i = 0; i < n; i++) {
        const char *why = one_line(tasks[i]->arena, PQerrorMessage(s->connection));
        tasks[i]->result =
            FAIL(tasks[i]->arena, *fault, "the connection to PostgreSQL was lost: %s",
                 *why ? why : "no answer in time");
    }
}

static void forget_failed(StoreTask **tasks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (failed(tasks[i]->result))
            store_task_forget(tasks[i]);
    }
}

static bool run_all(StoreSession *s, StoreTask **tasks, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t run = 0, n_ended = 0;
        while (i + run < n && !has_conditions(tasks[i + run]))
            run++;
        if (run && !pipeline(s, &tasks[i], run, &n_ended)) {
            lose(s, &tasks[i + n_ended], run - n_ended, &FAULT_STORE_UNKNOWN);
            lose(s, &tasks[i + run], n - i - run, &FAULT_STORE_DOWN);
            return false;
        }
        i += run;
        bool committing;
        if (i < n && !run_with_conditions(s, tasks[i], &committing)) {
            lose(s, &tasks[i], 1, committing ? &FAULT_STORE_UNKNOWN : &FAULT_STORE_DOWN);
            lose(s, &tasks[i + 1], n - i - 1, &FAULT_STORE_DOWN);
            return false;
        }
        i += i < n;
    }
    return true;
}

/* What a server sends before it is asked is its farewell, as a rule; what is sent after it would
   have an unknown end. */
static bool is_connected(StoreSession *s)
{
    struct pollfd socket = {.fd = PQsocket(s->connection), .events = POLLIN};
    while (poll(&socket, 1, 0) > 0)
        if (!PQconsumeInput(s->connection))
            return false;
    return true;
}

static bool execute(StoreSession *s, StoreTask **tasks, size_t n)
{
    s->due = clock_now() + s->time;
    for (size_t i = 0; i < n; i++)
        tasks[i]->result = OK;
    bool lives = is_connected(s) && PQenterPipelineMode(s->connection) && get_ready(s, tasks, n);
    if (lives)
        lives = run_all(s, tasks, n) && PQexitPipelineMode(s->connection);
    else
        lose(s, tasks, n, &FAULT_STORE_DOWN);
    forget_failed(tasks, n);
    return lives && !is_lost(s);
}

const StoreBackend store_postgresql = {
    .name = "postgresql",
    .size = "SELECT pg_database_size(current_database())",
    .has_table = "SELECT count(*) FROM (SELECT to_regclass($1) AS found) f WHERE found IS NOT NULL",
    .table_size = "SELECT pg_total_relation_size(to_regclass($1))",
    .open = open_session,
    .close = close_session,
    .script = run_script,
    .execute = execute,
};
