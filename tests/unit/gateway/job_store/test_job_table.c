/* Each test runs on SQLite, and on PostgreSQL where the environment names one (POSTGRESQL). */
#include "tests/unit/gateway/job_store/job_bench.h"
#include "tests/unit/gateway/store/clock_double.h"

#include "gateway/job_store/job_census.h"
#include "gateway/job_store/job_table_internal.h"
#include "gateway/store/store_ear.h"
#include "gateway/store/store_kinds.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* ---- The bench ------------------------------------------------------------------------------- */

enum { HOUR_SECONDS = 3600 };

#define WALL (1700000000 * SECOND) /* of the tests: the clock of the jobs stands still */
#define LEASE (60 * SECOND)

typedef struct Bench {
    Gateway a, b;
    StoreSettings settings;
    char folder[32], file[48];
    int n_ids;
} Bench;

static StoreKey one_key[] = {{"k", {1}}};
static const StoreKeys keys = {one_key, 1}, no_keys;

static int setup(void **state)
{
    bool postgresql = **(bool **)state;
    Bench *b = calloc(1, sizeof *b);
    later = jumped = 0;
    strcpy(b->folder, "/tmp/jobsXXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->settings = (StoreSettings){.connections = 1, .queue = 1000, .time = 10 * SECOND};
    snprintf(b->file, sizeof b->file, "%s/store.db", b->folder);
    if (postgresql)
        b->settings.postgresql = getenv("POSTGRESQL");
    else
        b->settings.sqlite = b->file;
    gateway_open(&b->a, "a", &b->settings, &keys);
    static const char *const tables[] = {"DELETE FROM jobs", "DELETE FROM job_queues",
                                         "DELETE FROM job_owners", "DELETE FROM job_parks"};
    for (size_t i = 0; i < 4; i++)
        run_sql(&b->a, tables[i]);
    gateway_open(&b->b, "b", &b->settings, &keys);
    renew(&b->a, LEASE);
    renew(&b->b, LEASE);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    gateway_close(&b->a);
    gateway_close(&b->b);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    assert_int_equal(system(command), 0);
    free(b);
    return 0;
}

/* Of the client, with an id behind all earlier ones. */
static JobRecord *make(Bench *b, const char *client)
{
    uint8_t chance[JOB_ID_CHANCE] = {0};
    char id[JOB_ID_SIZE + 1];
    job_id_make(WALL + b->n_ids++ * MILLISECOND, chance, id);
    JobRecord *record = arena_make(b->a.arena, JobRecord);
    record->id = bytes_of(arena_string(b->a.arena, id));
    record->definition = bytes_of("hosting.Sites/Create");
    record->revision = 1;
    record->structure = UINT64_MAX - 1; /* larger than what a column holds as a positive number */
    record->client = bytes_of(client);
    record->request = bytes_of("request");
    record->created = WALL;
    record->keep = HOUR_SECONDS * SECOND;
    record->position = job_accepted(WALL);
    return record;
}

static JobRecord *add(Bench *b, const char *client)
{
    JobRecord *record = make(b, client);
    assert_int_equal(accept_job(&b->a, record, false, 0), JOB_ACCEPTED);
    assert_null(b->a.fault);
    return record;
}

static JobRecord *add_of(Bench *b, const char *client, const char *resource)
{
    JobRecord *record = make(b, client);
    record->resource = bytes_of(resource);
    assert_int_equal(accept_job(&b->a, record, false, 0), JOB_ACCEPTED);
    return record;
}

static const JobLimit any = {
    .definition = {(const uint8_t *)"hosting.Sites/Create", 20},
    .revision = 1,
    .structure = UINT64_MAX - 1,
};

static uint32_t claim(Gateway *g, uint32_t most)
{
    return claim_at(g, &any, 1, most, WALL);
}

/* The one job that is to be had. */
static JobRecord *claim_one(Gateway *g)
{
    assert_int_equal(claim(g, 1), 1);
    return (JobRecord *)g->jobs_out[0];
}

static void set(JobRecord *record, JobState state, const char *step)
{
    record->position.state = state;
    record->position.due = 0;
    record->step = bytes_of(step);
    record->order.given = false;
}

static void end(Gateway *g, JobRecord *record, JobState state)
{
    set(record, state, "last");
    assert_true(write_job(g, record, false, true, WALL));
}

/* ---- Accepting ------------------------------------------------------------------------------- */

static void a_job_is_read_as_it_was_accepted(void **state)
{
    Bench *b = *state;
    JobRecord *record = make(b, "ann");
    record->resource = bytes_of("site/one");
    record->request_id = bytes_of("r-1");
    record->impact = IMPACT_CATASTROPHIC;
    record->position.due = WALL + 5;
    record->request = bytes("a\0b", 3);
    record->forwarded = fields_in(b->a.arena);
    fields_add(&record->forwarded, bytes_of("accept-language"), bytes_of("fr"));
    assert_int_equal(accept_job(&b->a, record, true, 1), JOB_ACCEPTED);

    const JobRecord *read = read_job(&b->b, record->id);
    assert_non_null(read);
    assert_int_equal(read->damage.size, 0);
    assert_true(bytes_equal(read->id, record->id));
    assert_bytes(read->definition, "hosting.Sites/Create");
    assert_int_equal(read->revision, 1);
    assert_true(read->structure == UINT64_MAX - 1);
    assert_bytes(read->client, "ann");
    assert_bytes(read->resource, "site/one");
    assert_bytes(read->request_id, "r-1");
    assert_int_equal(read->impact, IMPACT_CATASTROPHIC);
    assert_true(read->created == WALL && read->since == WALL && read->changed == WALL);
    assert_true(read->keep == HOUR_SECONDS * SECOND);
    assert_int_equal(read->position.state, JOB_QUEUED);
    assert_true(read->position.due == WALL + 5);
    assert_true(bytes_equal(read->request, bytes("a\0b", 3)));
    assert_bytes(fields_get(&read->forwarded, "accept-language"), "fr");
    assert_int_equal(read->owner.size, 0);
    assert_false(read->behind);
    assert_false(read->order.given);
    assert_int_equal(read->failure.fault.size, 0);
    assert_null(read_job(&b->b, bytes_of("01arz3ndekzzzzzzzzzzzzzzzz")));
    assert_null(b->b.fault);
}

static void what_calls_say_is_sealed(void **state)
{
    Bench *b = *state;
    JobRecord *record = add(b, "ann");
    order_job(&b->a, record->id, JOB_CANCEL, "a reason");
    job_table_use_keys(b->b.table, &no_keys);
    const JobRecord *read = read_job(&b->b, record->id);
    assert_true(read->damage.size > 0);
    assert_int_equal(read->request.size, 0);
    assert_false(bytes_are(read->order.why, "a reason"));
    job_table_use_keys(b->b.table, &keys);
    assert_bytes(read_job(&b->b, record->id)->request, "request");
    assert_bytes(read_job(&b->b, record->id)->order.why, "a reason");
}

static void a_job_is_accepted_once(void **state)
{
    Bench *b = *state;
    JobRecord *record = add(b, "ann");
    assert_int_equal(accept_job(&b->b, record, false, 0), JOB_ACCEPTED_BEFORE);
    assert_int_equal(accept_job(&b->a, record, true, 1), JOB_ACCEPTED_BEFORE);
    assert_int_equal(read_number(&b->a, "SELECT queued FROM job_queues"), 1);
}

static void a_client_may_have_so_many_queued(void **state)
{
    Bench *b = *state;
    assert_int_equal(accept_job(&b->a, make(b, "ann"), false, 2), JOB_ACCEPTED);
    assert_int_equal(accept_job(&b->b, make(b, "ann"), false, 2), JOB_ACCEPTED);
    assert_int_equal(accept_job(&b->a, make(b, "ann"), false, 2), JOB_TOO_MANY);
    assert_null(b->a.fault);
    assert_int_equal(accept_job(&b->a, make(b, "bob"), false, 2), JOB_ACCEPTED);
    assert_int_equal(claim(&b->a, 1), 1); /* is not queued any more */
    assert_int_equal(accept_job(&b->a, make(b, "ann"), false, 2), JOB_ACCEPTED);
    assert_int_equal(accept_job(&b->a, make(b, "ann"), false, 2), JOB_TOO_MANY);
    assert_int_equal(accept_job(&b->a, make(b, "ann"), false, UINT32_MAX), JOB_ACCEPTED);
}

/* Of one client, with so many bytes stored at most. */
static JobAcceptance store_job(Gateway *g, const JobRecord *record, uint64_t most)
{
    JobAdmission admission = {.record = record, .stored_per_client = most};
    g->jobs->accept(g->jobs, &admission, on_accepted, g);
    wait_for(g);
    assert_null(g->fault);
    return g->acceptance;
}

static int64_t stored(Bench *b)
{
    return read_number(&b->a, "SELECT CAST(sum(stored) AS BIGINT) FROM job_queues");
}

static void a_client_may_have_so_much_stored(void **state)
{
    Bench *b = *state;
    JobRecord *first = make(b, "ann");
    uint64_t size = (uint64_t)job_record_size(first);
    assert_int_equal(size, JOB_ROW + sizeof "request" - 1);
    assert_int_equal(store_job(&b->a, first, 2 * size), JOB_ACCEPTED);
    assert_int_equal(store_job(&b->a, make(b, "ann"), 2 * size - 1), JOB_TOO_MUCH);
    assert_int_equal(store_job(&b->b, make(b, "ann"), 2 * size), JOB_ACCEPTED);
    assert_int_equal(store_job(&b->a, make(b, "ann"), 2 * size), JOB_TOO_MUCH);
    assert_int_equal(store_job(&b->a, first, 2 * size), JOB_ACCEPTED_BEFORE);
    assert_int_equal(store_job(&b->a, make(b, "bob"), 2 * size), JOB_ACCEPTED);
    assert_int_equal(store_job(&b->a, make(b, "ann"), 0), JOB_ACCEPTED);
    assert_int_equal(stored(b), 4 * (int64_t)size);
}

static void what_has_ended_counts_until_it_is_removed(void **state)
{
    Bench *b = *state;
    JobRecord *job = make(b, "ann");
    uint64_t size = (uint64_t)job_record_size(job);
    assert_int_equal(store_job(&b->a, job, size), JOB_ACCEPTED);
    end(&b->a, claim_one(&b->a), JOB_DONE);
    assert_int_equal(store_job(&b->a, make(b, "ann"), size), JOB_TOO_MUCH);
    for (int i = 0; i < 2; i++) { /* once only */
        b->a.jobs->remove(b->a.jobs, job->id, on_ordered, &b->a);
        wait_for(&b->a);
        assert_int_equal(stored(b), 0);
    }
    assert_int_equal(store_job(&b->a, make(b, "ann"), size), JOB_ACCEPTED);
}

/* ---- Resources ------------------------------------------------------------------------------- */

/* PostgreSQL: the row of the queue stays in its page, so that no index is written (HOT). */
static void another_job_of_a_queue_is_accepted_without_its_indexes(void **state)
{
    static const char hot[] = "SELECT pg_stat_get_tuples_hot_updated('job_queues'::regclass)";
    Bench *b = *state;
    if (!b->settings.postgresql)
        return;
    add(b, "ann"); /* its first one makes the row */
    run_sql(&b->a, "SELECT pg_stat_force_next_flush()");
    int64_t before = read_number(&b->a, hot);
    for (int i = 0; i < 3; i++)
        add(b, "ann");
    run_sql(&b->a, "SELECT pg_stat_force_next_flush()");
    assert_int_equal(read_number(&b->a, hot), before + 3);
    assert_int_equal(claim(&b->a, 10), 4);
}

static void a_busy_resource_is_refused(void **state)
{
    Bench *b = *state;
    JobRecord *first = add_of(b, "ann", "site/one");
    JobRecord *second = make(b, "bob"), *other = make(b, "bob");
    second->resource = bytes_of("site/one");
    other->resource = bytes_of("site/two");
    assert_int_equal(accept_job(&b->b, second, true, 0), JOB_RESOURCE_BUSY);
    assert_string_equal(b->b.busy, (const char *)first->id.data);
    assert_int_equal(accept_job(&b->b, other, true, 0), JOB_ACCEPTED);
    assert_int_equal(accept_job(&b->b, make(b, "bob"), true, 0), JOB_ACCEPTED); /* of nothing */

    JobRecord *taken = claim_one(&b->a);
    assert_true(bytes_equal(taken->id, first->id));
    assert_int_equal(accept_job(&b->b, second, true, 0), JOB_RESOURCE_BUSY);
    end(&b->a, taken, JOB_FAILED); /* nothing happens with it by itself */
    assert_int_equal(accept_job(&b->b, second, true, 0), JOB_ACCEPTED);
}

static void jobs_of_one_resource_are_executed_one_after_the_other(void **state)
{
    Bench *b = *state;
    JobRecord *jobs[3];
    for (int i = 0; i < 3; i++)
        jobs[i] = add_of(b, i == 1 ? "bob" : "ann", "site/one");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(claim(&b->a, 8), 1);
        JobRecord *taken = (JobRecord *)b->a.jobs_out[0];
        assert_true(bytes_equal(taken->id, jobs[i]->id));
        assert_int_equal(claim(&b->b, 8), 0);
        set(taken, JOB_WAITING, "ready");
        taken->position.due = WALL + SECOND;
        assert_true(write_job(&b->a, taken, false, true, WALL)); /* its resource stays busy */
        assert_int_equal(claim(&b->b, 8), 0);
        assert_int_equal(claim_at(&b->b, &any, 1, 8, WALL + SECOND), 1);
        end(&b->b, (JobRecord *)b->b.jobs_out[0], i == 1 ? JOB_UNDONE : JOB_DONE);
    }
    assert_int_equal(claim(&b->a, 8), 0);
}

static void a_resource_is_found_by_its_unfinished_job(void **state)
{
    Bench *b = *state;
    JobRecord *first = add_of(b, "ann", "site/one"), *second = add_of(b, "ann", "site/one");
    b->a.jobs->find(b->a.jobs, bytes_of("site/one"), on_job, &b->a);
    wait_for(&b->a);
    assert_true(bytes_equal(b->a.jobs_out[0]->id, first->id));
    assert_bytes(b->a.jobs_out[0]->request, "request");
    end(&b->a, claim_one(&b->a), JOB_DONE);
    end(&b->a, claim_one(&b->a), JOB_DONE);
    b->a.jobs->find(b->a.jobs, bytes_of("site/one"), on_job, &b->a);
    wait_for(&b->a);
    assert_true(bytes_equal(b->a.jobs_out[0]->id, second->id)); /* the latest one */
    b->a.jobs->find(b->a.jobs, bytes_of("site/none"), on_job, &b->a);
    wait_for(&b->a);
    assert_int_equal(b->a.n, 0);
    b->a.jobs->find(b->a.jobs, bytes_of(""), on_job, &b->a);
    wait_for(&b->a);
    assert_int_equal(b->a.n, 0);
}

/* ---- Claiming -------------------------------------------------------------------------------- */

static void a_claim_takes_as_many_as_asked_for(void **state)
{
    Bench *b = *state;
    for (int i = 0; i < 40; i++)
        add(b, i % 3 ? "ann" : "bob");
    assert_int_equal(claim(&b->a, 0), 0);
    assert_int_equal(claim(&b->a, 1), 1);
    assert_int_equal(claim(&b->a, 5), 5);
    assert_int_equal(claim(&b->b, 1000), JOB_CLAIM_MOST);
    assert_int_equal(claim(&b->a, 8), 2);
    assert_int_equal(claim(&b->a, 8), 0);
    const JobRecord *one = b->b.jobs_out[0];
    assert_bytes(one->owner, "b");
    assert_true(one->token == 1);
    assert_bytes(one->request, "request");
    assert_int_equal(read_number(&b->a, "SELECT count(*) FROM jobs WHERE owner = 'a'"), 8);
    assert_int_equal(read_number(&b->a, "SELECT sum(queued) + sum(ready) FROM job_queues"), 0);
}

static void only_who_shows_that_it_lives_gets_jobs(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    b->a.name = "stranger";
    assert_int_equal(claim(&b->a, 1), 0);
    assert_true(renew(&b->a, LEASE));
    assert_int_equal(claim(&b->a, 1), 1);
}

static void unknown_definitions_are_left_alone(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    JobLimit others[3] = {any, any, any};
    others[0].revision = 2;
    others[1].structure = 7;
    others[2].definition = bytes_of("hosting.Sites/Delete");
    assert_int_equal(claim_at(&b->a, others, 3, 8, WALL), 0);
    assert_int_equal(claim_at(&b->a, NULL, 0, 8, WALL), 0);
    JobRecord *taken = claim_one(&b->a);
    set(taken, JOB_RUNNING, "reserve");
    assert_true(write_job(&b->a, taken, false, true, WALL));
    assert_int_equal(claim_at(&b->a, others, 3, 8, WALL), 0); /* nor those that have begun */
    assert_int_equal(claim(&b->a, 8), 1);
}

static void so_many_jobs_of_a_definition_run_in_all_gateways(void **state)
{
    Bench *b = *state;
    JobLimit two = any;
    two.running = 2;
    for (int i = 0; i < 4; i++)
        add(b, i % 2 ? "ann" : "bob");
    assert_int_equal(claim_at(&b->a, &two, 1, 1, WALL), 1);
    JobRecord *first = (JobRecord *)b->a.jobs_out[0];
    assert_int_equal(claim_at(&b->b, &two, 1, 8, WALL), 1);
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 0);
    set(first, JOB_WAITING, "ready"); /* what waits leaves its place to another one */
    first->position.due = WALL + SECOND;
    assert_true(write_job(&b->a, first, false, true, WALL));
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 1);
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 0);
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL + SECOND), 1); /* it goes on all the same */
    first = (JobRecord *)b->a.jobs_out[0];
    set(first, JOB_RUNNING, "ready");
    assert_true(write_job(&b->a, first, false, false, WALL)); /* three run now */
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 0);
    two.running = 3;
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 0);
    end(&b->a, first, JOB_DONE);
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 1);
}

static void what_waits_holds_no_place_of_its_client(void **state)
{
    Bench *b = *state;
    JobLimit one = any;
    one.running_per_client = 1;
    add(b, "ann");
    add(b, "ann");
    assert_int_equal(claim_at(&b->a, &one, 1, 8, WALL), 1);
    JobRecord *first = (JobRecord *)b->a.jobs_out[0];
    set(first, JOB_WAITING, "approval");
    first->position.due = WALL + SECOND;
    assert_true(write_job(&b->a, first, false, true, WALL));
    assert_int_equal(claim_at(&b->a, &one, 1, 8, WALL), 1);
}

static void so_many_jobs_of_a_client_run_in_all_gateways(void **state)
{
    Bench *b = *state;
    JobLimit two = any;
    two.running_per_client = 2;
    for (int i = 0; i < 4; i++)
        add(b, "ann");
    add(b, "bob");
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 3);
    assert_int_equal(claim_at(&b->b, &two, 1, 8, WALL), 0);
    for (int i = 0; i < 3; i++)
        if (bytes_are(b->a.jobs_out[i]->client, "ann")) {
            end(&b->a, (JobRecord *)b->a.jobs_out[i], JOB_DONE);
            break;
        }
    assert_int_equal(claim_at(&b->b, &two, 1, 8, WALL), 1);
    assert_bytes(b->b.jobs_out[0]->client, "ann");
}

/* It is claimed, its call fails, and it waits until the next try. */
static JobRecord *break_one(Gateway *g, const JobLimit *limit)
{
    assert_int_equal(claim_at(g, limit, 1, 1, WALL), 1);
    JobRecord *job = (JobRecord *)g->jobs_out[0];
    set(job, JOB_WAITING, "reserve");
    job->position.tries = 1;
    job->position.due = WALL + SECOND;
    assert_true(write_job(g, job, false, true, WALL));
    return job;
}

static void while_so_many_wait_for_another_try_no_job_begins(void **state)
{
    Bench *b = *state;
    JobLimit two = any;
    two.retrying = 2;
    for (int i = 0; i < 4; i++)
        add(b, i % 2 ? "ann" : "bob");
    break_one(&b->a, &two);
    break_one(&b->b, &two); /* one waits: another one may begin */
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 0);
    assert_int_equal(claim_at(&b->a, &two, 1, 1, WALL + SECOND), 1); /* it is tried again */
    JobRecord *first = (JobRecord *)b->a.jobs_out[0];
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 0);
    set(first, JOB_RUNNING, "ready");
    first->position.tries = 0;
    assert_true(write_job(&b->a, first, false, false, WALL)); /* it goes on: so does the queue */
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 2);
}

static void what_waits_for_something_else_holds_no_other_job_back(void **state)
{
    Bench *b = *state;
    JobLimit one = any;
    one.retrying = one.retrying_per_client = 1;
    add(b, "ann");
    add(b, "ann");
    assert_int_equal(claim_at(&b->a, &one, 1, 1, WALL), 1);
    JobRecord *first = (JobRecord *)b->a.jobs_out[0];
    set(first, JOB_WAITING, "approval");
    first->position.due = WALL + SECOND;
    assert_true(write_job(&b->a, first, false, true, WALL));
    assert_int_equal(claim_at(&b->a, &one, 1, 8, WALL), 1);
}

static void jobs_of_a_client_that_wait_for_another_try_hold_back_its_own_only(void **state)
{
    Bench *b = *state;
    JobLimit two = any;
    two.retrying_per_client = 2;
    for (int i = 0; i < 3; i++)
        add(b, "ann");
    break_one(&b->a, &two);
    break_one(&b->a, &two);
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 0);
    add(b, "bob");
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 1);
    assert_bytes(b->a.jobs_out[0]->client, "bob");
    two.retrying_per_client = 3;
    assert_int_equal(claim_at(&b->a, &two, 1, 8, WALL), 1);
}

/* Of a revision that only `g` knows, which runs there. */
static JobRecord *run_unknown(Bench *b, Gateway *g, const char *resource)
{
    JobRecord *record = make(b, "ann");
    JobLimit limit = any;
    limit.revision = record->revision = 9;
    record->resource = bytes_of(resource);
    assert_int_equal(accept_job(g, record, false, 0), JOB_ACCEPTED);
    assert_int_equal(claim_at(g, &limit, 1, 1, WALL), 1);
    record = (JobRecord *)g->jobs_out[0];
    set(record, JOB_RUNNING, "reserve");
    assert_true(write_job(g, record, false, false, WALL));
    return record;
}

static void a_job_that_nobody_can_execute_holds_no_place(void **state)
{
    Bench *b = *state;
    JobLimit one = any;
    one.running = one.running_per_client = 1;
    JobRecord *unknown = run_unknown(b, &b->b, "");
    add(b, "ann");
    assert_int_equal(claim_at(&b->a, &one, 1, 8, WALL), 0); /* somebody can, and does */
    assert_true(write_job(&b->b, unknown, false, true, WALL));
    assert_int_equal(claim_at(&b->a, &one, 1, 8, WALL), 1);
}

static const JobRecord *only_ordered(Gateway *g)
{
    JobFilter filter = {.ordered = true, .most = 8};
    g->jobs->list(g->jobs, &filter, on_jobs, g);
    wait_for(g);
    return g->n == 1 ? g->jobs_out[0] : NULL;
}

static bool abandon_job(Gateway *g, const JobRecord *record)
{
    g->jobs->abandon(g->jobs, record, WALL, on_written, g);
    wait_for(g);
    return g->written;
}

static void an_order_that_nobody_can_carry_out_is_given_up(void **state)
{
    Bench *b = *state;
    JobRecord *unknown = run_unknown(b, &b->b, "site/x");
    JobRecord *next = add_of(b, "ann", "site/x");
    assert_int_equal(order_job(&b->a, unknown->id, JOB_CANCEL, "why"), JOB_ORDERED);
    assert_null(only_ordered(&b->a)); /* it has an owner, who hears of it */
    assert_true(write_job(&b->b, unknown, false, true, WALL));
    JobRecord *found = (JobRecord *)only_ordered(&b->a);
    assert_non_null(found);
    JobRecord *old = job_record_copy(found, b->a.arena);
    assert_int_equal(claim(&b->a, 8), 0);
    assert_true(job_give_up(found, b->a.arena));
    assert_true(abandon_job(&b->a, found));
    assert_false(abandon_job(&b->a, old)); /* it has had an owner since */
    const JobRecord *given_up = read_job(&b->a, unknown->id);
    assert_int_equal(given_up->position.state, JOB_FAILED);
    assert_false(given_up->order.given);
    assert_int_equal(given_up->owner.size, 0);
    assert_true(given_up->token > old->token);
    assert_non_null(
        memmem(given_up->failure.message.data, given_up->failure.message.size, "definition", 10));
    assert_int_equal(claim(&b->a, 8), 1); /* who waits for the resource has its turn */
    assert_true(bytes_equal(b->a.jobs_out[0]->id, next->id));
}

static void clients_take_turns(void **state)
{
    Bench *b = *state;
    for (int i = 0; i < 6; i++)
        add(b, "ann");
    for (int i = 0; i < 2; i++)
        assert_int_equal(claim(&b->a, 1), 1);
    add(b, "bob");
    add(b, "bob");
    add(b, "cay");
    static const char *const turns[] = {"bob", "cay", "ann", "bob", "ann", "ann", "ann"};
    assert_int_equal(claim(&b->a, 8), 7);
    for (int i = 0; i < 7; i++)
        assert_bytes(b->a.jobs_out[i]->client, turns[i]);
}

static void what_matters_more_comes_first(void **state)
{
    Bench *b = *state;
    JobLimit limits[2] = {any, any};
    limits[1].definition = bytes_of("hosting.Sites/Repair");
    limits[1].impact = IMPACT_HIGH;
    limits[1].running = 2;
    for (int i = 0; i < 3; i++) {
        add(b, "ann");
        JobRecord *repair = make(b, "ann");
        repair->definition = limits[1].definition;
        assert_int_equal(accept_job(&b->a, repair, false, 0), JOB_ACCEPTED);
    }
    assert_int_equal(claim_at(&b->a, limits, 2, 8, WALL), 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(bytes_are(b->a.jobs_out[i]->definition, "hosting.Sites/Repair"), i < 2);
}

static void definitions_that_matter_the_same_take_turns(void **state)
{
    Bench *b = *state;
    JobLimit limits[2] = {any, any};
    limits[1].definition = bytes_of("hosting.Sites/Repair");
    for (int i = 0; i < 2; i++)
        add(b, "ann");
    for (int i = 0; i < 2; i++) {
        JobRecord *repair = make(b, "ann");
        repair->definition = limits[1].definition;
        assert_int_equal(accept_job(&b->a, repair, false, 0), JOB_ACCEPTED);
    }
    assert_int_equal(claim_at(&b->a, limits, 2, 2, WALL), 2);
    assert_false(bytes_equal(b->a.jobs_out[0]->definition, b->a.jobs_out[1]->definition));
}

static void a_job_that_waits_is_claimed_at_its_time(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    JobRecord *job = claim_one(&b->a);
    set(job, JOB_WAITING, "ready");
    job->position.due = WALL + 10 * SECOND;
    job->position.begun = UINT64_C(1) << 62 | 1;
    job->position.undone = 1;
    job->position.step = 62;
    job->position.tries = 3;
    job->position.step_began = WALL - SECOND;
    job->position.cancelled = job->position.undoing = true;
    job->responses[62] = bytes_of("response");
    job->failure = (JobFailure){bytes_of("ready"), bytes_of("UPSTREAM_DOWN"), CODE_UNAVAILABLE,
                                bytes_of("it is away")};
    assert_true(write_job(&b->a, job, true, true, WALL + SECOND));
    assert_int_equal(claim_at(&b->b, &any, 1, 8, WALL + 10 * SECOND - 1), 0);
    assert_int_equal(claim_at(&b->b, &any, 1, 8, WALL + 10 * SECOND), 1);

    const JobRecord *read = b->b.jobs_out[0];
    assert_memory_equal(&read->position.begun, &job->position.begun, sizeof(uint64_t));
    assert_int_equal(read->position.state, JOB_WAITING);
    assert_int_equal(read->position.undone, 1);
    assert_int_equal(read->position.step, 62);
    assert_int_equal(read->position.tries, 3);
    assert_true(read->position.step_began == WALL - SECOND);
    assert_true(read->position.due == WALL + 10 * SECOND);
    assert_true(read->position.cancelled && read->position.undoing);
    assert_bytes(read->responses[62], "response");
    assert_bytes(read->request, "request");
    assert_bytes(read->failure.step, "ready");
    assert_bytes(read->failure.fault, "UPSTREAM_DOWN");
    assert_int_equal(read->failure.code, CODE_UNAVAILABLE);
    assert_bytes(read->failure.message, "it is away");
    assert_true(read->since == WALL + SECOND && read->changed == WALL + SECOND);
    assert_true(read->token == 2);
}

static void content_stays_where_only_the_position_is_written(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    JobRecord *job = claim_one(&b->a);
    job->responses[0] = bytes_of("one");
    set(job, JOB_RUNNING, "configure");
    assert_true(write_job(&b->a, job, true, false, WALL + 1));
    job->responses[0] = bytes_of("two");
    assert_true(write_job(&b->a, job, false, false, WALL + 2));
    const JobRecord *read = read_job(&b->b, job->id);
    assert_bytes(read->responses[0], "one");
    assert_true(read->since == WALL + 1 && read->changed == WALL + 2); /* the same step */
    assert_bytes(read->owner, "a");
}

/* ---- Leases ---------------------------------------------------------------------------------- */

static void who_is_silent_for_its_lease_loses_its_jobs(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    renew(&b->a, LEASE / 2);
    assert_false(renew(&b->b, LEASE)); /* sees the beat of the other one */
    JobRecord *job = claim_one(&b->a);
    later = LEASE / 2 - 10 * SECOND;
    assert_false(renew(&b->b, LEASE)); /* not yet */
    assert_int_equal(claim(&b->b, 8), 0);
    later = LEASE / 2;
    assert_false(renew(&b->b, LEASE));
    JobRecord *taken = claim_one(&b->b);
    assert_true(bytes_equal(taken->id, job->id));
    assert_true(taken->token > job->token + 1);

    end(&b->b, taken, JOB_DONE);
    set(job, JOB_FAILED, "reserve"); /* it comes back, and knows nothing of it */
    assert_false(write_job(&b->a, job, true, true, WALL));
    assert_null(b->a.fault);
    assert_int_equal(read_job(&b->a, job->id)->position.state, JOB_DONE);
    assert_true(renew(&b->a, LEASE)); /* lost */
    assert_false(renew(&b->a, LEASE));
}

/* c knows that a has died. */
static void a_gateway_that_starts_anew_goes_on_at_once_with_what_it_had(void **state)
{
    Bench *b = *state;
    b->a.name = "gw/1/aa";
    renew(&b->a, LEASE);
    add(b, "ann");
    add(b, "ann");
    JobRecord *job = claim_one(&b->a);
    Gateway c;
    gateway_open(&c, "gw/2/bb", &b->settings, &keys);
    job_table_mourn(c.table, bytes_of("gw/1/aa"));
    renew(&c, LEASE);
    renew(&b->b, LEASE);
    assert_int_equal(claim(&c, 8), 2);
    for (uint32_t i = 0; i < 2; i++)
        if (bytes_equal(c.jobs_out[i]->id, job->id))
            assert_true(c.jobs_out[i]->token > job->token + 1);
    assert_false(write_job(&b->a, job, false, false, WALL));
    assert_false(renew(&b->b, LEASE)); /* of another node: it has lost nothing */
    gateway_close(&c);
}

/* The store was away for longer than the lease, and nobody else was there: the jobs that it has
   given up are not its own for ever. */
static void who_renews_too_late_has_lost_its_jobs(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    JobRecord *job = claim_one(&b->a);
    later = LEASE - 10 * SECOND;
    assert_false(renew(&b->a, LEASE));
    later += LEASE;
    assert_true(renew(&b->a, LEASE));
    assert_false(write_job(&b->a, job, false, false, WALL));
    assert_int_equal(claim(&b->a, 8), 1);
    assert_false(renew(&b->a, LEASE));
}

static void who_renews_keeps_its_jobs_whatever_clocks_say(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    JobRecord *job = claim_one(&b->a);
    for (int i = -3; i <= 3; i++) {
        later += LEASE / 2;
        jumped = i * 365 * 86400 * SECOND;
        assert_false(renew(&b->b, LEASE));
        assert_int_equal(claim_at(&b->b, &any, 1, 8, clock_wall()), 0);
        assert_false(renew(&b->a, LEASE));
    }
    set(job, JOB_RUNNING, "reserve");
    assert_true(write_job(&b->a, job, false, false, WALL));
}

static void a_former_owner_writes_nothing_although_it_has_claimed_it_again(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    JobRecord *first = claim_one(&b->a);
    set(first, JOB_RUNNING, "reserve");
    assert_true(write_job(&b->a, first, false, true, WALL));
    assert_false(write_job(&b->a, first, false, false, WALL)); /* released */
    JobRecord *second = claim_one(&b->a);
    assert_false(write_job(&b->a, first, false, false, WALL)); /* its token is an older one */
    set(second, JOB_RUNNING, "reserve");
    assert_true(write_job(&b->a, second, false, false, WALL));
}

static void who_stops_hands_over_at_once(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    add(b, "bob");
    assert_int_equal(claim(&b->a, 8), 2);
    JobRecord *waits = (JobRecord *)b->a.jobs_out[0], *job = (JobRecord *)b->a.jobs_out[1];
    set(waits, JOB_WAITING, "ready");
    waits->position.due = WALL + SECOND;
    assert_true(write_job(&b->a, waits, false, false, WALL));
    b->a.jobs->release_all(b->a.jobs, bytes_of("a"), on_done, &b->a);
    wait_for(&b->a);
    assert_null(b->a.fault);
    assert_int_equal(claim(&b->a, 8), 0); /* it is none any more */
    assert_int_equal(claim(&b->b, 8), 1); /* the other one waits for its time */
    assert_true(bytes_equal(b->b.jobs_out[0]->id, job->id));
    assert_false(write_job(&b->a, job, false, false, WALL));
    assert_int_equal(read_number(&b->a, "SELECT count(*) FROM job_owners"), 1);
}

static void a_clock_that_was_ahead_does_not_hide_a_job(void **state)
{
    Bench *b = *state;
    int64_t day = 86400 * SECOND;
    for (int i = 0; i < 2; i++) {
        add(b, "ann");
        JobRecord *job = claim_one(&b->a);
        set(job, JOB_WAITING, "ready");
        int64_t now = i ? WALL + HOUR_SECONDS * SECOND : WALL + day;
        job->position.due = now + 10 * SECOND;
        assert_true(write_job(&b->a, job, false, true, now));
    }
    /* The wait of the first one begins anew, by the right clock. */
    assert_int_equal(claim(&b->b, 8), 0);
    assert_int_equal(claim_at(&b->b, &any, 1, 8, WALL + 10 * SECOND - 1), 0);
    assert_int_equal(claim_at(&b->b, &any, 1, 8, WALL + 10 * SECOND), 1);
    assert_int_equal(claim_at(&b->b, &any, 1, 8, WALL + HOUR_SECONDS * SECOND + 10 * SECOND), 1);
}

/* The answer to a claim was lost: nobody knows of the jobs that it has taken. */
static void what_a_claim_with_an_unknown_end_has_taken_is_released(void **state)
{
    Bench *b = *state;
    Gateway lost;
    add(b, "ann");
    add(b, "ann");
    JobRecord *held = claim_one(&b->a);
    gateway_open(&lost, "a", &b->settings, &keys);
    JobUnsure *unsure = calloc(1, sizeof *unsure);
    lost.table->n_turns = unsure->first = 100;
    assert_int_equal(claim(&lost, 8), 1);
    unsure->last = lost.table->n_turns;
    assert_int_equal(claim(&b->a, 8), 0);
    b->a.table->unsure = unsure;
    assert_int_equal(claim(&b->a, 8), 1);
    assert_false(bytes_equal(b->a.jobs_out[0]->id, held->id));
    assert_null(b->a.table->unsure);
    end(&b->a, held, JOB_DONE); /* what is known stays */
    gateway_close(&lost);
}

/* ---- Orders ---------------------------------------------------------------------------------- */

static void orders_are_taken_where_they_fit(void **state)
{
    Bench *b = *state;
    for (JobState from = JOB_QUEUED; from < JOB_STATES; from++)
        for (JobEvent order = JOB_ARRIVED; order <= JOB_UNDO; order++) {
            JobRecord *job = add(b, "ann");
            if (from != JOB_QUEUED) {
                job = claim_one(&b->a);
                set(job, from, "reserve");
                assert_true(write_job(&b->a, job, false, false, WALL));
            }
            JobOrderOutcome outcome = order_job(&b->b, job->id, order, "it must be");
            assert_int_equal(outcome, job_order_fits(order, from) ? JOB_ORDERED : JOB_UNFIT);
            const JobRecord *read = read_job(&b->a, job->id);
            assert_int_equal(read->order.given, job_order_fits(order, from));
            if (read->order.given) {
                assert_int_equal(read->order.event, order);
                assert_bytes(read->order.who, "ann");
                assert_bytes(read->order.why, "it must be");
            }
            run_sql(&b->a, "DELETE FROM jobs");
            run_sql(&b->a, "DELETE FROM job_queues");
        }
    assert_int_equal(order_job(&b->a, bytes_of("none"), JOB_CANCEL, ""), JOB_NOT_THERE);
}

static void one_order_waits_at_a_time_and_to_cancel_is_stronger(void **state)
{
    Bench *b = *state;
    JobRecord *job = add(b, "ann");
    JobRecord *waits = claim_one(&b->a);
    set(waits, JOB_WAITING, "approval");
    assert_true(write_job(&b->a, waits, false, true, WALL));
    assert_int_equal(order_job(&b->a, job->id, JOB_ARRIVED, ""), JOB_ORDERED);
    assert_int_equal(order_job(&b->a, job->id, JOB_ARRIVED, ""), JOB_UNFIT);
    assert_int_equal(order_job(&b->a, job->id, JOB_CANCEL, ""), JOB_ORDERED);
    assert_int_equal(read_job(&b->a, job->id)->order.event, JOB_CANCEL);
}

static void an_order_wakes_a_job_that_nobody_has(void **state)
{
    Bench *b = *state;
    JobLimit one = any;
    one.running = 1;
    add(b, "ann");
    JobRecord *waits = claim_one(&b->a);
    set(waits, JOB_WAITING, "approval");
    waits->position.due = WALL + HOUR_SECONDS * SECOND;
    assert_true(write_job(&b->a, waits, false, true, WALL));
    add(b, "ann");
    claim_one(&b->a);
    JobRecord *queued = add(b, "ann");
    assert_int_equal(claim_at(&b->a, &one, 1, 8, WALL), 0);
    assert_int_equal(order_job(&b->b, queued->id, JOB_CANCEL, ""), JOB_ORDERED);
    assert_int_equal(claim_at(&b->a, &one, 1, 8, WALL), 1); /* whatever the limits are */
    JobRecord *taken = (JobRecord *)b->a.jobs_out[0];
    assert_int_equal(taken->order.event, JOB_CANCEL);
    taken->position.state = JOB_UNDONE;
    assert_true(write_job(&b->a, taken, false, true, WALL));
    assert_int_equal(read_number(&b->a, "SELECT queued + ready FROM job_queues"), 0);

    assert_int_equal(order_job(&b->b, waits->id, JOB_ARRIVED, ""), JOB_ORDERED);
    assert_int_equal(claim_at(&b->a, &one, 1, 8, WALL), 1);
    taken = (JobRecord *)b->a.jobs_out[0];
    assert_true(taken->position.due == WALL + HOUR_SECONDS * SECOND); /* as it was */
    set(taken, JOB_RUNNING, "publish");
    taken->order = (JobOrder){true, JOB_ARRIVED, BYTES_NONE, BYTES_NONE};
    assert_true(write_job(&b->a, taken, false, false, WALL));
    assert_false(read_job(&b->a, taken->id)->order.given); /* it is carried out */
}

static void an_owner_is_told_of_orders_when_it_renews(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    add(b, "ann");
    assert_int_equal(claim(&b->a, 2), 2);
    JobRecord *job = (JobRecord *)b->a.jobs_out[1];
    assert_int_equal(order_job(&b->b, job->id, JOB_CANCEL, "too late"), JOB_ORDERED);
    assert_int_equal(claim(&b->b, 8), 0); /* it has an owner */
    renew(&b->a, LEASE);
    assert_int_equal(b->a.n_orders, 1);
    assert_true(bytes_equal(b->a.orders[0].id, job->id));
    assert_int_equal(b->a.orders[0].order.event, JOB_CANCEL);
    assert_bytes(b->a.orders[0].order.why, "too late");
    renew(&b->b, LEASE);
    assert_int_equal(b->b.n_orders, 0);

    set(job, JOB_WAITING, "ready"); /* written without having heard of it: it is not lost */
    job->position.due = WALL + HOUR_SECONDS * SECOND;
    assert_true(write_job(&b->a, job, false, true, WALL));
    assert_int_equal(claim(&b->b, 8), 1);
    assert_int_equal(b->b.jobs_out[0]->order.event, JOB_CANCEL);
}

static void an_order_for_a_job_that_fails_meanwhile_is_carried_out(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    JobRecord *job = claim_one(&b->a);
    assert_int_equal(order_job(&b->b, job->id, JOB_CANCEL, ""), JOB_ORDERED);
    set(job, JOB_FAILED, "reserve");
    assert_true(write_job(&b->a, job, false, true, WALL));
    assert_int_equal(claim(&b->b, 8), 1);
    assert_int_equal(b->b.jobs_out[0]->position.state, JOB_FAILED);
    assert_int_equal(b->b.jobs_out[0]->order.event, JOB_CANCEL);

    add(b, "ann");
    job = claim_one(&b->a);
    assert_int_equal(order_job(&b->b, job->id, JOB_CANCEL, ""), JOB_ORDERED);
    end(&b->a, job, JOB_DONE); /* nothing to cancel any more */
    assert_int_equal(claim(&b->b, 8), 0);
    assert_false(read_job(&b->a, job->id)->order.given);
}

static void a_failed_job_that_is_tried_again_waits_for_its_resource(void **state)
{
    Bench *b = *state;
    add_of(b, "ann", "site/one");
    JobRecord *failed_one = claim_one(&b->a);
    end(&b->a, failed_one, JOB_FAILED);
    add_of(b, "bob", "site/one");
    JobRecord *other = claim_one(&b->a);
    assert_int_equal(order_job(&b->b, failed_one->id, JOB_RETRY, ""), JOB_ORDERED);
    assert_true(read_job(&b->a, failed_one->id)->behind);
    assert_int_equal(claim(&b->b, 8), 0);
    end(&b->a, other, JOB_DONE);
    assert_int_equal(claim(&b->b, 8), 1);
    assert_int_equal(b->b.jobs_out[0]->order.event, JOB_RETRY);
}

static void a_job_behind_another_one_can_be_cancelled(void **state)
{
    Bench *b = *state;
    add_of(b, "ann", "site/one");
    JobRecord *second = add_of(b, "ann", "site/one"), *third = add_of(b, "ann", "site/one");
    JobRecord *first = claim_one(&b->a);
    assert_int_equal(order_job(&b->b, second->id, JOB_CANCEL, ""), JOB_ORDERED);
    assert_int_equal(claim(&b->b, 8), 1);
    end(&b->b, (JobRecord *)b->b.jobs_out[0], JOB_UNDONE);
    assert_int_equal(claim(&b->b, 8), 0);
    end(&b->a, first, JOB_DONE);
    assert_int_equal(claim(&b->b, 8), 1);
    assert_true(bytes_equal(b->b.jobs_out[0]->id, third->id));
    assert_int_equal(read_number(&b->a, "SELECT queued + ready FROM job_queues"), 0);
}

/* ---- Parked definitions ---------------------------------------------------------------------- */

static void fail_one_of(Bench *b, const char *client, const char *step, const char *fault)
{
    JobLimit limit = any;
    limit.park_after = 3;
    add(b, client);
    assert_int_equal(claim_at(&b->a, &limit, 1, 1, WALL), 1);
    JobRecord *job = (JobRecord *)b->a.jobs_out[0];
    job->failure.step = bytes_of(step);
    job->failure.fault = bytes_of(fault);
    end(&b->a, job, JOB_FAILED);
}

/* Each of another client than the one before. */
static void fail_one(Bench *b, const char *step, const char *fault)
{
    static unsigned n;
    fail_one_of(b, n++ % 2 ? "ann" : "bob", step, fault);
}

static void what_fails_for_one_client_only_parks_nothing(void **state)
{
    Bench *b = *state;
    JobLimit limit = any;
    limit.park_after = 3;
    for (int i = 0; i < 5; i++)
        fail_one_of(b, "eve", "reserve", "UPSTREAM_STATUS");
    add(b, "ann");
    assert_int_equal(claim_at(&b->a, &limit, 1, 1, WALL), 1);
}

static void jobs_that_were_cancelled_park_nothing(void **state)
{
    Bench *b = *state;
    JobLimit limit = any;
    limit.park_after = 3;
    for (int i = 0; i < 4; i++)
        fail_one(b, "reserve", "CANCELLED");
    add(b, "ann");
    assert_int_equal(claim_at(&b->a, &limit, 1, 8, WALL), 1);
}

typedef struct Parked {
    int n;
    char cause[64];
} Parked;

static void on_parked(void *owner, Bytes definition, Bytes cause, uint32_t times)
{
    Parked *parked = owner;
    parked->n++;
    assert_bytes(definition, "hosting.Sites/Create");
    assert_int_equal(times, 3);
    snprintf(parked->cause, sizeof parked->cause, "%.*s", BYTES_ARGS(cause));
}

static void jobs_that_fail_in_the_same_way_again_and_again_are_parked(void **state)
{
    Bench *b = *state;
    Parked parked = {0};
    job_table_tell_parked(b->a.table, on_parked, &parked);
    JobLimit limit = any;
    limit.park_after = 3;
    fail_one(b, "reserve", "UPSTREAM_DOWN");
    fail_one(b, "reserve", "UPSTREAM_DOWN");
    fail_one(b, "configure", "UPSTREAM_DOWN"); /* another kind */
    fail_one(b, "configure", "UPSTREAM_DOWN");
    add(b, "ann");
    assert_int_equal(claim_at(&b->a, &limit, 1, 1, WALL), 1);
    end(&b->a, (JobRecord *)b->a.jobs_out[0], JOB_DONE); /* one that is good */
    for (int i = 0; i < 2; i++)
        fail_one(b, "configure", "UPSTREAM_DOWN");
    add(b, "ann");
    assert_int_equal(claim_at(&b->a, &limit, 1, 1, WALL), 1); /* begun before the third failure */
    JobRecord *begun = (JobRecord *)b->a.jobs_out[0];
    assert_int_equal(parked.n, 0);
    fail_one(b, "configure", "UPSTREAM_DOWN");
    assert_int_equal(parked.n, 1);
    assert_string_equal(parked.cause, "configure UPSTREAM_DOWN");
    JobRecord *waits = add(b, "ann");
    assert_bytes(read_job(&b->a, waits->id)->parked, "configure UPSTREAM_DOWN");
    assert_int_equal(read_job(&b->a, begun->id)->parked.size, 0);
    assert_int_equal(claim_at(&b->a, &limit, 1, 8, WALL), 0);
    assert_int_equal(claim_at(&b->b, &limit, 1, 8, WALL), 0);
    end(&b->a, begun, JOB_DONE); /* it stays parked until somebody says so */
    assert_int_equal(claim_at(&b->a, &limit, 1, 8, WALL), 0);
    b->b.jobs->unpark(b->b.jobs, limit.definition, on_done, &b->b);
    wait_for(&b->b);
    assert_int_equal(read_job(&b->a, waits->id)->parked.size, 0);
    assert_int_equal(claim_at(&b->a, &limit, 1, 8, WALL), 1);
}

/* ---- Other revisions ------------------------------------------------------------------------- */

static const JobLimit second = {
    .definition = {(const uint8_t *)"hosting.Sites/Create", 20},
    .revision = 2,
    .structure = 7,
};

static JobOrderOutcome migrate(Gateway *g, const JobRecord *record)
{
    g->jobs->migrate(g->jobs, record, second.revision, second.structure, on_ordered, g);
    wait_for(g);
    assert_null(g->fault);
    return g->outcome;
}

static void a_queued_job_is_moved_to_another_revision(void **state)
{
    Bench *b = *state;
    JobRecord *moved = add(b, "ann"), *stays = add(b, "ann");
    assert_int_equal(migrate(&b->a, moved), JOB_ORDERED);
    assert_int_equal(claim_at(&b->a, &second, 1, 8, WALL), 1);
    assert_true(bytes_equal(b->a.jobs_out[0]->id, moved->id));
    assert_int_equal(b->a.jobs_out[0]->revision, 2);
    assert_int_equal(b->a.jobs_out[0]->structure, 7);
    assert_true(bytes_equal(claim_one(&b->a)->id, stays->id));
    assert_int_equal(read_number(&b->a, "SELECT sum(abs(queued) + abs(ready)) FROM job_queues"), 0);
}

static void a_job_behind_another_one_is_moved_and_gets_its_turn(void **state)
{
    Bench *b = *state;
    add_of(b, "ann", "site/one");
    JobRecord *behind = add_of(b, "ann", "site/one");
    assert_int_equal(migrate(&b->a, behind), JOB_ORDERED);
    assert_int_equal(claim_at(&b->a, &second, 1, 8, WALL), 0);
    end(&b->a, claim_one(&b->a), JOB_DONE);
    assert_int_equal(claim_at(&b->a, &second, 1, 8, WALL), 1);
}

static void what_somebody_has_or_has_had_since_is_not_moved(void **state)
{
    Bench *b = *state;
    JobRecord *read = add(b, "ann");
    JobRecord *taken = claim_one(&b->a);
    assert_int_equal(migrate(&b->b, read), JOB_UNFIT);
    assert_int_equal(migrate(&b->b, taken), JOB_UNFIT);
    set(taken, JOB_WAITING, "ready");
    taken->position.due = WALL + SECOND;
    assert_true(write_job(&b->a, taken, false, true, WALL));
    assert_int_equal(migrate(&b->b, read), JOB_UNFIT); /* its token is another one */
    const JobRecord *now = read_job(&b->b, read->id);
    assert_int_equal(migrate(&b->b, now), JOB_ORDERED);
    assert_int_equal(migrate(&b->b, now), JOB_UNFIT); /* it is of that revision */
    assert_int_equal(claim_at(&b->a, &second, 1, 8, WALL), 1);
    end(&b->a, (JobRecord *)b->a.jobs_out[0], JOB_DONE);
    assert_int_equal(migrate(&b->b, read_job(&b->b, read->id)), JOB_UNFIT);
    assert_int_equal(migrate(&b->b, make(b, "ann")), JOB_NOT_THERE);
}

static void what_is_moved_to_another_revision_counts_there(void **state)
{
    Bench *b = *state;
    JobRecord *waits = make(b, "ann"), *has_begun = make(b, "bob");
    store_job(&b->a, has_begun, 0);
    JobRecord *taken = claim_one(&b->a);
    set(taken, JOB_WAITING, "ready");
    taken->position.due = WALL + SECOND;
    assert_true(write_job(&b->a, taken, false, true, WALL));
    store_job(&b->a, waits, 0);
    int64_t all = stored(b);
    assert_int_equal(migrate(&b->a, read_job(&b->a, waits->id)), JOB_ORDERED);
    assert_int_equal(migrate(&b->a, read_job(&b->a, has_begun->id)), JOB_ORDERED);
    assert_int_equal(stored(b), all);
    assert_int_equal(
        read_number(&b->a, "SELECT CAST(sum(stored) AS BIGINT) FROM job_queues WHERE revision = 2"),
        all);
    assert_int_equal(read_number(&b->a, "SELECT CAST(sum(queued) AS BIGINT) FROM job_queues"), 1);
    assert_int_equal(read_number(&b->a, "SELECT CAST(sum(ready) AS BIGINT) FROM job_queues"), 1);
}

/* ---- Lists, and the end ---------------------------------------------------------------------- */

static uint32_t list(Gateway *g, JobFilter filter)
{
    filter.most = filter.most ? filter.most : 100;
    g->jobs->list(g->jobs, &filter, on_jobs, g);
    wait_for(g);
    assert_null(g->fault);
    for (uint32_t i = 1; i < g->n; i++)
        assert_true(bytes_compare(g->jobs_out[i - 1]->id, g->jobs_out[i]->id) > 0);
    return g->n;
}

static void a_list_has_the_content_of_what_is_done(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    end(&b->a, claim_one(&b->a), JOB_DONE);
    assert_int_equal(list(&b->a, (JobFilter){.content = JOB_CONTENT_OF_DONE}), 1);
    assert_bytes(b->a.jobs_out[0]->request, "request");
    assert_int_equal(list(&b->a, (JobFilter){.content = JOB_BARE}), 1);
    assert_int_equal(b->a.jobs_out[0]->request.size, 0);
}

static void lists_have_what_was_asked_for(void **state)
{
    Bench *b = *state;
    Bytes ann = bytes_of("ann"), bob = bytes_of("bob"), nobody = bytes_of("");
    for (int i = 0; i < 3; i++)
        add(b, "ann");
    JobRecord *of_bob = make(b, "bob");
    of_bob->definition = bytes_of("hosting.Sites2/Create");
    of_bob->resource = bytes_of("site/one");
    of_bob->created = WALL - SECOND;
    accept_job(&b->a, of_bob, false, 0);
    JobRecord *taken = claim_one(&b->a);
    set(taken, JOB_WAITING, "ready");
    assert_true(write_job(&b->a, taken, false, true, WALL + SECOND));

    assert_int_equal(list(&b->a, (JobFilter){0}), 4);
    assert_int_equal(b->a.jobs_out[0]->request.size, 0);
    assert_int_equal(b->a.jobs_out[0]->damage.size, 0);
    assert_int_equal(list(&b->a, (JobFilter){.content = JOB_CONTENT_OF_ALL}), 4);
    assert_bytes(b->a.jobs_out[0]->request, "request");
    assert_int_equal(list(&b->a, (JobFilter){.content = JOB_CONTENT_OF_DONE}), 4);
    assert_int_equal(b->a.jobs_out[0]->request.size, 0);
    assert_int_equal(list(&b->a, (JobFilter){.client = &ann}), 3);
    assert_int_equal(list(&b->a, (JobFilter){.client = &bob}), 1);
    assert_int_equal(list(&b->a, (JobFilter){.client = &nobody}), 0);
    assert_int_equal(list(&b->a, (JobFilter){.client = &ann, .states = 1 << JOB_WAITING}), 1);
    assert_int_equal(list(&b->a, (JobFilter){.states = 1 << JOB_QUEUED}), 3);
    assert_int_equal(list(&b->a, (JobFilter){.states = 1 << JOB_QUEUED | 1 << JOB_WAITING}), 4);
    assert_int_equal(list(&b->a, (JobFilter){.states = 1 << JOB_DONE}), 0);
    assert_int_equal(list(&b->a, (JobFilter){.method = bytes_of("hosting.Sites/Create")}), 3);
    assert_int_equal(list(&b->a, (JobFilter){.method = bytes_of("hosting.Sites")}), 3);
    assert_int_equal(list(&b->a, (JobFilter){.method = bytes_of("hosting.Sites2")}), 1);
    assert_int_equal(list(&b->a, (JobFilter){.method = bytes_of("hosting")}), 4);
    assert_int_equal(list(&b->a, (JobFilter){.method = bytes_of("host")}), 0);
    assert_int_equal(list(&b->a, (JobFilter){.step = bytes_of("ready")}), 1);
    assert_int_equal(list(&b->a, (JobFilter){.resource = bytes_of("site/one")}), 1);
    assert_int_equal(list(&b->a, (JobFilter){.since_before = WALL - SECOND}), 0);
    assert_int_equal(list(&b->a, (JobFilter){.since_before = WALL - SECOND + 1}), 1);
    assert_int_equal(list(&b->a, (JobFilter){.since_before = WALL + 1}), 3);
}

static void a_page_goes_on_where_the_one_before_ended(void **state)
{
    Bench *b = *state;
    for (int i = 0; i < 5; i++) {
        add(b, "ann");
        if (i % 2)
            end(&b->a, claim_one(&b->a), JOB_DONE);
    }
    Bytes after = BYTES_NONE, ann = bytes_of("ann");
    for (int by_client = 0; by_client < 2; by_client++, after = BYTES_NONE)
        for (uint32_t expected = 2, seen = 0; seen < 5; seen += expected) {
            expected = seen == 4 ? 1 : 2;
            JobFilter filter = {.after = after, .most = 2, .client = by_client ? &ann : NULL};
            assert_int_equal(list(&b->a, filter), expected);
            after = b->a.jobs_out[expected - 1]->id;
        }
    assert_int_equal(list(&b->a, (JobFilter){.most = 5}), 5);
}

static void jobs_end_when_they_were_kept_for_their_time(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    add(b, "ann");
    JobRecord *job = claim_one(&b->a);
    end(&b->a, job, JOB_DONE);
    const StoreKind *kind = store_kinds.kinds;
    while (strcmp(kind->table, "jobs") != 0)
        kind++;
    Config config = {.identity = {.retention = INT64_MAX}};
    assert_int_equal(store_kind_keep(kind, &config), 0);
    for (int i = 0; i < 2; i++) {
        StoreTask *task = store_task_new(STORE_SOON);
        int64_t before = WALL + HOUR_SECONDS * SECOND + i;
        store_bind_integer(store_task_add(task, kind->uncount), before);
        store_bind_integer(store_task_add(task, kind->delete_old), before);
        assert_ok(b->a.arena, store_run(b->a.store, b->a.arena, &task));
        assert_int_equal(task->last->changed, i); /* the one that is queued stays */
        store_task_free(task);
        assert_int_equal(stored(b), (2 - i) * job_record_size(job));
    }
    assert_null(read_job(&b->a, job->id));
}

static void only_what_is_at_rest_can_be_removed(void **state)
{
    Bench *b = *state;
    JobRecord *job = add(b, "ann");
    b->a.jobs->remove(b->a.jobs, job->id, on_ordered, &b->a);
    wait_for(&b->a);
    assert_int_equal(b->a.outcome, JOB_UNFIT);
    end(&b->a, claim_one(&b->a), JOB_DONE);
    b->a.jobs->remove(b->a.jobs, job->id, on_ordered, &b->a);
    wait_for(&b->a);
    assert_int_equal(b->a.outcome, JOB_ORDERED);
    b->a.jobs->remove(b->a.jobs, job->id, on_ordered, &b->a);
    wait_for(&b->a);
    assert_int_equal(b->a.outcome, JOB_NOT_THERE);
}

static void a_client_that_is_forgotten_has_its_jobs_done(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    JobRecord *hashed = add(b, "hash-of-ann");
    StoreTask *task = store_kinds_forget_client(&store_kinds, bytes_of("forgotten-1"),
                                                bytes_of("ann"), bytes_of("hash-of-ann"));
    assert_ok(b->a.arena, store_run(b->a.store, b->a.arena, &task));
    store_task_free(task);
    assert_int_equal(read_number(&b->a, "SELECT count(*) FROM jobs WHERE client LIKE '%ann'"), 0);
    assert_int_equal(read_number(&b->a, "SELECT count(*) FROM job_queues WHERE client LIKE '%ann'"),
                     0);
    assert_int_equal(claim(&b->a, 8), 2);
    assert_bytes(read_job(&b->a, hashed->id)->client, "forgotten-1*");
}

static void jobs_are_counted_by_what_becomes_of_them(void **state)
{
    Bench *b = *state;
    for (int i = 0; i < 3; i++)
        add(b, "ann");
    JobRecord *job = claim_one(&b->a);
    set(job, JOB_WAITING, "ready");
    assert_true(write_job(&b->a, job, false, true, WALL + SECOND));
    JobCensus counts;
    assert_ok(b->a.arena, job_census_read(&b->settings, b->a.arena, &counts));
    assert_int_equal(counts.n, 2);
    assert_bytes(counts.counts[0].definition, "hosting.Sites/Create");
    assert_int_equal(counts.counts[0].state, JOB_QUEUED);
    assert_bytes(counts.counts[0].step, "");
    assert_int_equal(counts.counts[0].n, 2);
    assert_true(counts.counts[0].oldest == WALL);
    assert_int_equal(counts.counts[1].state, JOB_WAITING);
    assert_bytes(counts.counts[1].step, "ready");
    assert_int_equal(counts.counts[1].n, 1);
    assert_true(counts.counts[1].oldest == WALL + SECOND);
    assert_int_equal(counts.n_retrying, 0); /* it waits for its time */
    assert_int_equal(counts.event, 0);
    break_one(&b->a, &any);
    assert_ok(b->a.arena, job_census_read(&b->settings, b->a.arena, &counts));
    assert_int_equal(counts.n_retrying, 1);
    assert_bytes(counts.retrying[0].definition, "hosting.Sites/Create");
    assert_int_equal(counts.retrying[0].n, 1);
}

typedef struct Heard {
    int n;
    char last[JOB_ID_SIZE + 1];
} Heard;

static void on_notice(void *owner, Bytes text)
{
    Heard *heard = owner;
    heard->n++;
    snprintf(heard->last, sizeof heard->last, "%.*s", BYTES_ARGS(text));
}

static void wait_until_heard(Gateway *g, Heard *heard, const char *text)
{
    while (heard->n == 0 || strcmp(heard->last, text) != 0)
        uv_run(&g->loop, UV_RUN_ONCE);
    heard->n = 0;
}

/* Only PostgreSQL can tell. */
static void other_gateways_hear_of_changes(void **state)
{
    Bench *b = *state;
    Heard heard = {0};
    StoreEar *ear = store_ear_open(b->b.store, &b->b.loop, JOB_CHANNEL, on_notice, &heard);
    assert_int_equal(ear != NULL, b->settings.postgresql != NULL);
    if (!ear)
        return;
    wait_until_heard(&b->b, &heard, ""); /* it listens from now on */
    JobRecord *job = add(b, "ann");
    wait_until_heard(&b->b, &heard, (const char *)job->id.data);
    end(&b->a, claim_one(&b->a), JOB_FAILED);
    wait_until_heard(&b->b, &heard, (const char *)job->id.data);
    order_job(&b->a, job->id, JOB_RETRY, "");
    wait_until_heard(&b->b, &heard, (const char *)job->id.data);
    run_sql(&b->a, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE"
                   " 'LISTEN%'");
    wait_until_heard(&b->b, &heard, ""); /* again, after a pause */
    b->a.jobs->release_all(b->a.jobs, bytes_of("a"), on_done, &b->a);
    wait_for(&b->a);
    wait_until_heard(&b->b, &heard, "");
    store_ear_close(ear);
}

/* ---- Failures of the store ------------------------------------------------------------------- */

static void a_store_that_is_away_is_told_and_nothing_is_lost(void **state)
{
    Bench *b = *state;
    add(b, "ann");
    JobRecord *job = claim_one(&b->a);
    Gateway away;
    StoreSettings nowhere = b->settings;
    nowhere.postgresql = b->settings.postgresql ? "host=/nowhere" : NULL;
    nowhere.sqlite = b->settings.sqlite ? "/nowhere/store.db" : NULL;
    gateway_open(&away, "a", &nowhere, &keys);
    accept_job(&away, make(b, "ann"), false, 1);
    assert_ptr_equal(away.fault, &FAULT_STORE_DOWN);
    renew(&away, LEASE);
    assert_ptr_equal(away.fault, &FAULT_STORE_DOWN);
    assert_false(away.lost);
    assert_int_equal(claim(&away, 1), 0);
    assert_ptr_equal(away.fault, &FAULT_STORE_DOWN);
    assert_false(write_job(&away, job, true, true, WALL));
    assert_ptr_equal(away.fault, &FAULT_STORE_DOWN);
    order_job(&away, job->id, JOB_CANCEL, "");
    assert_ptr_equal(away.fault, &FAULT_STORE_DOWN);
    assert_null(read_job(&away, job->id));
    assert_ptr_equal(away.fault, &FAULT_STORE_DOWN);
    gateway_close(&away);
    end(&b->a, job, JOB_DONE); /* the former gateway goes on where it was */
}

/* SQLite only: a PostgreSQL whose disk is full says so in the same way (53100). */
static void a_full_disk_is_told_and_what_was_stored_stays(void **state)
{
    Bench *b = *state;
    if (b->settings.postgresql)
        return;
    JobRecord *first = add(b, "ann"), *job = claim_one(&b->a), *large = make(b, "ann");
    char *content = arena_calloc(b->a.arena, 1, 1 << 20);
    run_sql(&b->a, "PRAGMA max_page_count = 100");
    large->request = bytes(content, 1 << 20);
    accept_job(&b->a, large, false, 0);
    assert_ptr_equal(b->a.fault, &FAULT_STORE_DOWN);
    assert_null(read_job(&b->a, large->id));
    assert_int_equal(read_number(&b->a, "SELECT sum(queued) FROM job_queues"), 0);
    job->responses[0] = large->request;
    assert_false(write_job(&b->a, job, true, false, WALL));
    assert_ptr_equal(b->a.fault, &FAULT_STORE_DOWN);
    assert_int_equal(read_job(&b->a, first->id)->position.state, JOB_QUEUED);
    run_sql(&b->a, "PRAGMA max_page_count = 100000");
    assert_true(write_job(&b->a, job, true, false, WALL)); /* the same, once there is room */
    assert_int_equal(accept_job(&b->a, large, false, 0), JOB_ACCEPTED);
    assert_int_equal(read_job(&b->a, first->id)->responses[0].size, 1 << 20);
}

/* ---- Two gateways at once -------------------------------------------------------------------- */

enum { JOBS = 60, RUN_MOST = 5, CLIENT_MOST = 3 };

typedef struct Racer {
    pthread_t thread;
    const StoreSettings *settings;
    const char *name;
    int n_done, n_double, n_over;
} Racer;

static atomic_int running, done, held_by_ann;
static _Atomic(const char *) holder[JOBS];

/* Nobody else has it. */
static void hold(Racer *racer, const JobRecord *job, bool begins)
{
    int i = atoi((const char *)job->request.data);
    const char *nobody = NULL;
    racer->n_double += !atomic_compare_exchange_strong(&holder[i], &nobody, racer->name);
    if (!begins)
        return;
    racer->n_over += atomic_fetch_add(&running, 1) >= RUN_MOST;
    if (bytes_are(job->client, "ann"))
        racer->n_over += atomic_fetch_add(&held_by_ann, 1) >= CLIENT_MOST;
}

/* One that begins waits from now on, and leaves its place; the other one is done. */
static void let_go(const JobRecord *job, bool begins)
{
    atomic_store(&holder[atoi((const char *)job->request.data)], NULL);
    if (begins)
        atomic_fetch_sub(&running, 1);
    if (begins && bytes_are(job->client, "ann"))
        atomic_fetch_sub(&held_by_ann, 1);
    if (!begins)
        atomic_fetch_add(&done, 1);
}

/* Each job waits once, and is done then. */
static void execute(Racer *racer, Gateway *g, JobRecord *job)
{
    bool begins = job->position.state == JOB_QUEUED;
    hold(racer, job, begins);
    set(job, begins ? JOB_WAITING : JOB_DONE, "only");
    let_go(job, begins); /* before others can have it */
    racer->n_done += write_job(g, job, false, true, WALL) && !begins;
}

static void *race(void *argument)
{
    Racer *racer = argument;
    Gateway g;
    JobLimit limit = any;
    limit.running = RUN_MOST;
    limit.running_per_client = CLIENT_MOST;
    gateway_open(&g, racer->name, racer->settings, &keys);
    renew(&g, LEASE);
    while (atomic_load(&done) < JOBS) {
        uint32_t n = claim_at(&g, &limit, 1, 3, WALL);
        JobRecord *jobs[3];
        memcpy(jobs, g.jobs_out, sizeof jobs);
        for (uint32_t i = 0; i < n; i++)
            execute(racer, &g, jobs[i]);
    }
    gateway_close(&g);
    return NULL;
}

static void gateways_that_race_share_the_jobs(void **state)
{
    Bench *b = *state;
    atomic_store(&done, 0);
    for (int i = 0; i < JOBS; i++) {
        JobRecord *job = make(b, i % 3 ? "ann" : "bob");
        job->request = bytes_of(arena_printf(b->a.arena, "%d ", i));
        assert_int_equal(accept_job(&b->a, job, false, 0), JOB_ACCEPTED);
    }
    Racer racers[2] = {{.name = "left"}, {.name = "right"}};
    for (int i = 0; i < 2; i++) {
        racers[i].settings = &b->settings;
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
    assert_int_equal(racers[0].n_double + racers[1].n_double, 0);
    assert_int_equal(racers[0].n_over + racers[1].n_over, 0);
    assert_int_equal(racers[0].n_done + racers[1].n_done, JOBS);
    assert_int_equal(read_number(&b->a, "SELECT sum(queued) + sum(ready) FROM job_queues"), 0);
}

typedef struct Taker {
    pthread_t thread;
    const StoreSettings *settings;
    JobRecord *const *jobs;
    bool refuse;
    uint32_t most;
    int n[4];
} Taker;

static void *accept_all(void *argument)
{
    Taker *taker = argument;
    Gateway g;
    gateway_open(&g, "taker", taker->settings, &keys);
    for (int i = 0; i < JOBS; i++)
        if (taker->jobs[i]) {
            accept_job(&g, taker->jobs[i], taker->refuse, taker->most);
            taker->n[g.acceptance] += !g.fault;
        }
    gateway_close(&g);
    return NULL;
}

static void accept_in_two(Bench *b, Taker takers[2], JobRecord *const *left,
                          JobRecord *const *right)
{
    takers[0].jobs = left;
    takers[1].jobs = right;
    for (int i = 0; i < 2; i++) {
        takers[i].settings = &b->settings;
        assert_int_equal(pthread_create(&takers[i].thread, NULL, accept_all, &takers[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(takers[i].thread, NULL), 0);
}

/* As the jobs of a schedule: both gateways accept all of them. */
static void what_two_gateways_accept_with_one_id_is_one_job(void **state)
{
    Bench *b = *state;
    JobRecord *jobs[JOBS];
    Taker takers[2] = {{.refuse = false}};
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = make(b, "");
        char id[JOB_ID_SIZE + 1];
        job_id_of_time(jobs[i]->definition, WALL + i * SECOND, id);
        jobs[i]->id = bytes_of(arena_string(b->a.arena, id));
    }
    accept_in_two(b, takers, jobs, jobs);
    assert_int_equal(takers[0].n[JOB_ACCEPTED] + takers[1].n[JOB_ACCEPTED], JOBS);
    assert_int_equal(takers[0].n[JOB_ACCEPTED_BEFORE] + takers[1].n[JOB_ACCEPTED_BEFORE], JOBS);
    assert_int_equal(read_number(&b->a, "SELECT queued FROM job_queues"), JOBS);
    assert_int_equal(read_number(&b->a, "SELECT ready FROM job_queues"), JOBS);
}

static void two_gateways_do_not_exceed_what_a_client_may_have_queued(void **state)
{
    Bench *b = *state;
    JobRecord *left[JOBS], *right[JOBS];
    Taker takers[2] = {{.most = JOBS}, {.most = JOBS}};
    for (int i = 0; i < JOBS; i++) {
        left[i] = make(b, "ann");
        right[i] = make(b, "ann");
    }
    accept_in_two(b, takers, left, right);
    assert_int_equal(takers[0].n[JOB_ACCEPTED] + takers[1].n[JOB_ACCEPTED], JOBS);
    assert_int_equal(takers[0].n[JOB_TOO_MANY] + takers[1].n[JOB_TOO_MANY], JOBS);
}

static void of_two_gateways_one_gets_a_resource(void **state)
{
    Bench *b = *state;
    JobRecord *left[JOBS], *right[JOBS];
    Taker takers[2] = {{.refuse = true}, {.refuse = true}};
    for (int i = 0; i < JOBS; i++) {
        left[i] = make(b, "ann");
        right[i] = make(b, "bob");
        left[i]->resource = right[i]->resource = bytes_of(arena_printf(b->a.arena, "site/%d", i));
    }
    accept_in_two(b, takers, left, right);
    assert_int_equal(takers[0].n[JOB_ACCEPTED] + takers[1].n[JOB_ACCEPTED], JOBS);
    assert_int_equal(takers[0].n[JOB_RESOURCE_BUSY] + takers[1].n[JOB_RESOURCE_BUSY], JOBS);
}

#define TEST(f) cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, (void *)kind)
static int run_on(const bool *kind)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_is_read_as_it_was_accepted),
        TEST(what_calls_say_is_sealed),
        TEST(a_job_is_accepted_once),
        TEST(a_client_may_have_so_many_queued),
        TEST(a_client_may_have_so_much_stored),
        TEST(what_has_ended_counts_until_it_is_removed),
        TEST(what_is_moved_to_another_revision_counts_there),
        TEST(another_job_of_a_queue_is_accepted_without_its_indexes),
        TEST(a_busy_resource_is_refused),
        TEST(jobs_of_one_resource_are_executed_one_after_the_other),
        TEST(a_resource_is_found_by_its_unfinished_job),
        TEST(a_claim_takes_as_many_as_asked_for),
        TEST(only_who_shows_that_it_lives_gets_jobs),
        TEST(unknown_definitions_are_left_alone),
        TEST(so_many_jobs_of_a_definition_run_in_all_gateways),
        TEST(so_many_jobs_of_a_client_run_in_all_gateways),
        TEST(while_so_many_wait_for_another_try_no_job_begins),
        TEST(what_waits_for_something_else_holds_no_other_job_back),
        TEST(jobs_of_a_client_that_wait_for_another_try_hold_back_its_own_only),
        TEST(what_waits_holds_no_place_of_its_client),
        TEST(a_job_that_nobody_can_execute_holds_no_place),
        TEST(an_order_that_nobody_can_carry_out_is_given_up),
        TEST(clients_take_turns),
        TEST(what_matters_more_comes_first),
        TEST(definitions_that_matter_the_same_take_turns),
        TEST(a_job_that_waits_is_claimed_at_its_time),
        TEST(content_stays_where_only_the_position_is_written),
        TEST(who_is_silent_for_its_lease_loses_its_jobs),
        TEST(a_gateway_that_starts_anew_goes_on_at_once_with_what_it_had),
        TEST(who_renews_too_late_has_lost_its_jobs),
        TEST(who_renews_keeps_its_jobs_whatever_clocks_say),
        TEST(a_former_owner_writes_nothing_although_it_has_claimed_it_again),
        TEST(who_stops_hands_over_at_once),
        TEST(a_clock_that_was_ahead_does_not_hide_a_job),
        TEST(what_a_claim_with_an_unknown_end_has_taken_is_released),
        TEST(orders_are_taken_where_they_fit),
        TEST(one_order_waits_at_a_time_and_to_cancel_is_stronger),
        TEST(an_order_wakes_a_job_that_nobody_has),
        TEST(an_owner_is_told_of_orders_when_it_renews),
        TEST(an_order_for_a_job_that_fails_meanwhile_is_carried_out),
        TEST(a_failed_job_that_is_tried_again_waits_for_its_resource),
        TEST(a_job_behind_another_one_can_be_cancelled),
        TEST(what_fails_for_one_client_only_parks_nothing),
        TEST(jobs_that_were_cancelled_park_nothing),
        TEST(jobs_that_fail_in_the_same_way_again_and_again_are_parked),
        TEST(a_queued_job_is_moved_to_another_revision),
        TEST(a_job_behind_another_one_is_moved_and_gets_its_turn),
        TEST(what_somebody_has_or_has_had_since_is_not_moved),
        TEST(lists_have_what_was_asked_for),
        TEST(a_list_has_the_content_of_what_is_done),
        TEST(a_page_goes_on_where_the_one_before_ended),
        TEST(jobs_end_when_they_were_kept_for_their_time),
        TEST(only_what_is_at_rest_can_be_removed),
        TEST(a_client_that_is_forgotten_has_its_jobs_done),
        TEST(jobs_are_counted_by_what_becomes_of_them),
        TEST(other_gateways_hear_of_changes),
        TEST(a_store_that_is_away_is_told_and_nothing_is_lost),
        TEST(a_full_disk_is_told_and_what_was_stored_stays),
        TEST(gateways_that_race_share_the_jobs),
        TEST(what_two_gateways_accept_with_one_id_is_one_job),
        TEST(two_gateways_do_not_exceed_what_a_client_may_have_queued),
        TEST(of_two_gateways_one_gets_a_resource),
    };
    return cmocka_run_group_tests_name(*kind ? "PostgreSQL" : "SQLite", tests, NULL, NULL);
}

int main(void)
{
    static const bool sqlite = false, postgresql = true;
    int failures = run_on(&sqlite);
    return getenv("POSTGRESQL") ? failures + run_on(&postgresql) : failures;
}
