/*
 * What jobs cost in the store: job_costs STORE [JOBS...]
 *
 * STORE: a file of SQLite, or a connection string of PostgreSQL (with a "="). For each number of
 * queued jobs: the times of accepting one and of claiming one, and of a bare INSERT of the same
 * content with its commit in the same store, in turns, so that a busy machine disturbs all alike.
 * Writes a line of CSV each: jobs, what, median and 99th percentile in microseconds.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/random.h"
#include "gateway/job_store/job_table.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 400, CLIENTS = 100, FILL = 2000 /* jobs of one task */, CONTENT = 300 };

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
    int64_t n_jobs;
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
    for (; b->n_jobs < n_jobs; b->n_jobs += FILL)
        fill_some(b);
    run_sql(b, "DELETE FROM job_queues");
    run_sql(b, "INSERT INTO job_queues SELECT definition, revision, structure, client, count(*),"
               " count(*), 0, '', 0 FROM jobs WHERE stage = 0 GROUP BY definition, revision,"
               " structure, client");
}

/* ---- Figures --------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void tell(Bench *b, const char *what, int64_t times[ROUNDS])
{
    enum { MEDIAN = ROUNDS / 2, HIGH = ROUNDS * 99 / 100 };
    qsort(times, ROUNDS, sizeof *times, compare);
    printf("%lld,%s,%.0f,%.0f\n", (long long)b->n_jobs, what, (double)times[MEDIAN] / MICROSECOND,
           (double)times[HIGH] / MICROSECOND);
    fflush(stdout);
}

static void measure(Bench *b)
{
    static const struct {
        const char *what;
        void (*act)(Bench *b);
    } acts[] = {{"insert", insert_one}, {"accept", accept_one}, {"claim", claim_one}};
    static int64_t times[3][ROUNDS];
    b->jobs->renew(b->jobs, bytes_of("bench"), 3600 * SECOND, clock_now(), on_renewed, b);
    wait_for(b);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < 3; i++) {
            int64_t began = clock_now();
            acts[i].act(b);
            times[i][round] = clock_now() - began;
        }
    for (int i = 0; i < 3; i++)
        tell(b, acts[i].what, times[i]);
}

int main(int argc, char **argv)
{
    static Bench b;
    StoreSettings settings = {.connections = 1, .queue = 1000, .time = 600 * SECOND};
    if (argc < 2)
        return fprintf(stderr, "job_costs STORE [JOBS...]\n"), 2;
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
    run_sql(&b, "CREATE TABLE bare (id TEXT NOT NULL PRIMARY KEY, content BYTEA NOT NULL)");
    for (int i = 2; i < argc; i++) {
        fill(&b, atoll(argv[i]));
        measure(&b);
    }
    store_port_close(b.port);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    job_table_close(b.table);
    store_close(b.store);
    return 0;
}
