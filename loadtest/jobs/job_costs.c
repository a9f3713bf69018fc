/*
 * What jobs cost in the store: job_costs STORE JOBS
 *
 * STORE: a file of SQLite, or a connection string of PostgreSQL (with a "="). With so many
 * queued jobs, or more: what accepting one and claiming one costs, and a bare INSERT of the same
 * content with its commit in the same store. They take turns of a few milliseconds, so that a busy
 * machine disturbs all alike. Writes a line of CSV each: what, median of its time, the median of
 * how many times that of the INSERT in the same round it is, the CPU time of this process and of
 * the server (that of SQLite is in this process), bytes that were written; times in microseconds.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/random.h"
#include "gateway/job_store/job_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ROUNDS = 100,
    SLICE = 8, /* of a kind in a round */
    KINDS = 3,
    CLIENTS = 100,
    FILL = 2000, /* jobs of one task */
    CONTENT = 300
};

static const StoreKeys no_keys;
static const JobLimit limit = {
    .definition = {(const uint8_t *)"hosting.Sites/Create", 20}, .revision = 1, .structure = 1};

typedef struct Bench {
    uv_loop_t loop;
    Store *store;
    StorePort *port;
    JobTable *table;
    JobStorage *jobs;
    Random random;
    bool done;
    int64_t n_jobs, answer;
    int64_t server; /* the process that serves us; 0: there is none */
    char content[CONTENT];
} Bench;

static void check(Result result)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    if (failed(result)) {
        fprintf(stderr, "%s\n", error_text(arena, result));
        exit(1);
    }
    arena_free(arena);
}

static void finish(void *owner, Result result)
{
    Bench *b = owner;
    check(result);
    b->done = true;
}

static void on_accepted(void *owner, Result result, JobAcceptance acceptance, Bytes busy)
{
    CHECK(failed(result) || acceptance == JOB_ACCEPTED);
    finish(owner, result);
}

static void on_claimed(void *owner, Result result, const JobRecord *const *jobs, uint32_t n)
{
    CHECK(failed(result) || n == 1);
    finish(owner, result);
}

static void on_renewed(void *owner, Result result, bool lost, const JobOrdered *orders, uint32_t n)
{
    finish(owner, result);
}

static void on_inserted(void *owner, Result result, StoreTask *task)
{
    finish(owner, result);
}

static void wait_for(Bench *b)
{
    while (!b->done)
        uv_run(&b->loop, UV_RUN_ONCE);
    b->done = false;
}

/* ---- What is measured ------------------------------------------------------------------------ */

static void make_id(Bench *b, char id[JOB_ID_SIZE + 1])
{
    uint8_t chance[JOB_ID_CHANCE];
    for (int i = 0; i < JOB_ID_CHANCE; i++)
        chance[i] = (uint8_t)random_next(&b->random);
    job_id_make(clock_wall(), chance, id);
}

static void accept_one(Bench *b)
{
    char id[JOB_ID_SIZE + 1], client[16];
    make_id(b, id);
    snprintf(client, sizeof client, "client-%d", (int)random_below(&b->random, CLIENTS));
    JobRecord record = {
        .id = bytes_of(id),
        .definition = limit.definition,
        .revision = 1,
        .structure = 1,
        .client = bytes_of(client),
        .created = clock_wall(),
        .position = job_accepted(clock_wall()),
        .request = bytes(b->content, CONTENT),
    };
    JobAdmission admission = {&record, false, 1000000000};
    b->jobs->accept(b->jobs, &admission, on_accepted, b);
    wait_for(b);
}

static void claim_one(Bench *b)
{
    b->jobs->claim(b->jobs, bytes_of("bench"), &limit, 1, 1, clock_wall(), on_claimed, b);
    wait_for(b);
}

static void insert_one(Bench *b)
{
    char id[JOB_ID_SIZE + 1];
    make_id(b, id);
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = store_task_add(task, "INSERT INTO bare (id, content) VALUES ($1, $2)");
    store_bind_text(task, s, bytes_of(id));
    store_bind_bytes(task, s, bytes(b->content, CONTENT));
    store_submit(b->port, task, on_inserted, b);
    wait_for(b);
}

/* ---- Filling --------------------------------------------------------------------------------- */

static void run_sql(Bench *b, const char *sql)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_task_add(task, sql);
    store_submit(b->port, task, on_inserted, b);
    wait_for(b);
}

/* As the jobs of CLIENTS clients that are all queued. */
static void fill_some(Bench *b)
{
    static const char insert[] =
        "INSERT INTO jobs (id, definition, revision, structure, client, resource, request_id,"
        " impact, created, keep, stage, behind, state, since, changed, due, wake, content)"
        " VALUES ($1, 'hosting.Sites/Create', 1, 1, $2, '', '', 0, $3, 1, 0, 0, 'queued', $3, $3,"
        " $3, $3, $4)";
    StoreTask *task = store_task_new(STORE_SOON);
    for (int i = 0; i < FILL; i++) {
        char id[JOB_ID_SIZE + 1], client[16];
        make_id(b, id);
        snprintf(client, sizeof client, "client-%d", i % CLIENTS);
        StoreStatement *s = store_task_add(task, insert);
        store_bind_text(task, s, bytes_of(id));
        store_bind_text(task, s, bytes_of(client));
        store_bind_integer(s, clock_wall());
        store_bind_bytes(task, s, bytes(b->content, CONTENT));
    }
    store_submit(b->port, task, on_inserted, b);
    wait_for(b);
}

static void fill(Bench *b, int64_t n_jobs)
{
    if (b->n_jobs >= n_jobs)
        return;
    for (; b->n_jobs < n_jobs; b->n_jobs += FILL)
        fill_some(b);
    run_sql(b, "DELETE FROM job_queues");
    run_sql(b, "INSERT INTO job_queues (definition, revision, structure, client, queued, ready, "
               "served, latest, changed)"
               " SELECT definition, revision, structure, client, count(*),"
               " count(*), 0, '', 0 FROM jobs WHERE stage = 0 GROUP BY definition, revision,"
               " structure, client");
}

/* ---- What it takes --------------------------------------------------------------------------- */

static void on_asked(void *owner, Result result, StoreTask *task)
{
    Bench *b = owner;
    finish(owner, result);
    b->answer = task->first->rows->values[0].integer;
}

static int64_t ask(Bench *b, const char *sql)
{
    StoreTask *task = store_task_new(STORE_SOON);
    store_task_add(task, sql);
    store_submit(b->port, task, on_asked, b);
    wait_for(b);
    return b->answer;
}

/* The number behind the text in a file of /proc. */
static int64_t number_in(const char *path, const char *behind)
{
    char text[4096];
    FILE *file = fopen(path, "r");
    CHECK(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    const char *at = strstr(text, behind);
    CHECK(at);
    return strtoll(at + strlen(behind), NULL, 10);
}

static int64_t bytes_written(Bench *b)
{
    return b->server ? ask(b, "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint")
                     : number_in("/proc/self/io", "wchar: ");
}

static int64_t cpu_of_server(const Bench *b)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%lld/schedstat", (long long)b->server);
    return b->server ? number_in(path, "") : 0;
}

static int64_t cpu_of_self(void)
{
    struct timespec used;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0);
    return used.tv_sec * SECOND + used.tv_nsec;
}

/* ---- Figures --------------------------------------------------------------------------------- */

typedef struct Kind {
    const char *what;
    void (*act)(Bench *b);
    double times[ROUNDS], ratios[ROUNDS]; /* microseconds; to the INSERT of the same round */
    int64_t cpu, server, written;         /* of all rounds */
} Kind;

static Kind kinds[KINDS] = {
    {"insert", insert_one},
    {"accept", accept_one},
    {"claim", claim_one},
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static void run_slice(Bench *b, Kind *kind, int round)
{
    int64_t written = bytes_written(b), server = cpu_of_server(b), cpu = cpu_of_self();
    int64_t began = clock_now();
    for (int i = 0; i < SLICE; i++)
        kind->act(b);
    kind->times[round] = (double)(clock_now() - began) / SLICE / MICROSECOND;
    kind->cpu += cpu_of_self() - cpu;
    kind->server += cpu_of_server(b) - server;
    kind->written += bytes_written(b) - written;
}

static void tell(Kind *kind)
{
    const double n = ROUNDS * SLICE;
    printf("%s,%.0f,%.3f,%.0f,%.0f,%.0f\n", kind->what, median(kind->times), median(kind->ratios),
           (double)kind->cpu / n / MICROSECOND, (double)kind->server / n / MICROSECOND,
           (double)kind->written / n);
    fflush(stdout);
}

/* Each round begins with another kind, for which there are some jobs more than are claimed. The
   first round is not counted: statements are prepared. */
static void measure(Bench *b)
{
    for (int i = 0; i < SLICE; i++)
        accept_one(b);
    for (int i = 0; i < KINDS; i++) {
        run_slice(b, &kinds[i], 0);
        kinds[i].cpu = kinds[i].server = kinds[i].written = 0;
    }
    for (int round = 0; round < ROUNDS; round++) {
        b->jobs->renew(b->jobs, bytes_of("bench"), 3600 * SECOND, clock_now(), on_renewed, b);
        wait_for(b);
        for (int i = 0; i < KINDS; i++)
            run_slice(b, &kinds[(i + round) % KINDS], round);
        for (int i = 0; i < KINDS; i++)
            kinds[i].ratios[round] = kinds[i].times[round] / kinds[0].times[round];
    }
    for (int i = 0; i < KINDS; i++)
        tell(&kinds[i]);
}

int main(int argc, char **argv)
{
    static Bench b;
    StoreSettings settings = {.connections = 1, .queue = 1000, .time = 600 * SECOND};
    if (argc != 3)
        return fprintf(stderr, "job_costs STORE JOBS\n"), 2;
    if (strchr(argv[1], '='))
        settings.postgresql = argv[1];
    else
        settings.sqlite = argv[1];
    uv_loop_init(&b.loop);
    random_seed(&b.random);
    for (int i = 0; i < CONTENT; i++)
        b.content[i] = (char)random_next(&b.random);
    b.store = store_open(&settings);
    b.port = store_port_open(b.store, &b.loop);
    b.table = job_table_open(b.store, b.port, &no_keys);
    b.jobs = job_table_storage(b.table);
    if (settings.postgresql)
        b.server = ask(&b, "SELECT pg_backend_pid()");
    b.jobs->renew(b.jobs, bytes_of("bench"), 3600 * SECOND, clock_now(), on_renewed, &b);
    wait_for(&b);
    run_sql(
        &b,
        "CREATE TABLE IF NOT EXISTS bare (id TEXT NOT NULL PRIMARY KEY, content BYTEA NOT NULL)");
    b.n_jobs = ask(&b, "SELECT count(*) FROM jobs");
    fill(&b, atoll(argv[2]));
    measure(&b);
    store_port_close(b.port);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    job_table_close(b.table);
    store_close(b.store);
    return 0;
}
