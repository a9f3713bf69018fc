/* Each test runs on SQLite, and on PostgreSQL where the environment names one (POSTGRESQL). */
#include "tests/unit/gateway/job_store/job_bench.h"

#include "gateway/job/job_told.h"
#include "gateway/job_hook/job_outbox.h"
#include "gateway/job_hook/job_postman.h"

#define WALL (1700000000 * SECOND)
#define LEASE (60 * SECOND)

typedef struct Bench {
    Gateway a, b;
    StoreSettings settings;
    Config config;
    JobWebhookConfig webhooks[2];
    JobHooks hooks;
    char folder[32], file[48];
    int n_ids;
} Bench;

static StoreKey one_key[] = {{"k", {1}}};
static const StoreKeys keys = {one_key, 1}, other_keys;

static int setup(void **state)
{
    bool postgresql = **(bool **)state;
    Bench *b = calloc(1, sizeof *b);
    strcpy(b->folder, "/tmp/jobsXXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->settings = (StoreSettings){.connections = 1, .queue = 1000, .time = 10 * SECOND};
    snprintf(b->file, sizeof b->file, "%s/store.db", b->folder);
    if (postgresql)
        b->settings.postgresql = getenv("POSTGRESQL");
    else
        b->settings.sqlite = b->file;
    b->webhooks[0] = (JobWebhookConfig){.to.name = "all", .states = UINT32_MAX};
    b->webhooks[1] = (JobWebhookConfig){.to.name = "ends", .states = 1u << JOB_DONE};
    b->config = (Config){.store.keys = keys, .job_webhooks = b->webhooks, .n_job_webhooks = 2};
    gateway_open(&b->a, "a", &b->settings, &keys);
    static const char *const tables[] = {"DELETE FROM jobs", "DELETE FROM job_queues",
                                         "DELETE FROM job_owners", "DELETE FROM job_events"};
    for (size_t i = 0; i < 4; i++)
        run_sql(&b->a, tables[i]);
    gateway_open(&b->b, "b", &b->settings, &keys);
    job_hooks_init(&b->hooks, &b->config, job_postman_start(b->a.store, &b->config));
    job_table_use_outbox(b->a.table, &b->hooks.outbox);
    renew(&b->a, LEASE);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    job_postman_stop(b->hooks.postman);
    job_postman_free(b->hooks.postman);
    gateway_close(&b->a);
    gateway_close(&b->b);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    assert_int_equal(system(command), 0);
    free(b);
    return 0;
}

static JobRecord *add(Bench *b)
{
    uint8_t chance[JOB_ID_CHANCE] = {0};
    char id[JOB_ID_SIZE + 1];
    job_id_make(WALL + b->n_ids++ * MILLISECOND, chance, id);
    JobRecord *record = arena_make(b->a.arena, JobRecord);
    record->id = bytes_of(arena_string(b->a.arena, id));
    record->definition = bytes_of("hosting.Sites/Create");
    record->revision = 1;
    record->client = bytes_of("ann");
    record->created = WALL;
    record->keep = SECOND;
    record->position = job_accepted(WALL);
    assert_int_equal(accept_job(&b->a, record, false, 0), JOB_ACCEPTED);
    return record;
}

static JobRecord *claim_one(Gateway *g)
{
    static const JobLimit any = {.definition = {(const uint8_t *)"hosting.Sites/Create", 20},
                                 .revision = 1};
    assert_int_equal(claim_at(g, &any, 1, 1, WALL), 1);
    return (JobRecord *)g->jobs_out[0];
}

/* As a runner writes it. */
static bool write_state(Gateway *g, JobRecord *record, JobState state)
{
    record->position.state = state;
    record->is_news = job_told_next(&record->told, &record->position);
    return write_job(g, record, false, false, WALL);
}

static uint32_t take_at(Gateway *g, const char *webhook, uint32_t most, int64_t wall,
                        JobLetter **letters_out)
{
    uint32_t n = 0;
    assert_ok(g->arena, job_outbox_take(g->store, &keys, webhook, most, wall, wall + 10 * SECOND,
                                        g->arena, letters_out));
    for (const JobLetter *letter = *letters_out; letter; letter = letter->next)
        n++;
    return n;
}

static void free_letters(JobLetter *letters)
{
    for (JobLetter *next; letters; letters = next) {
        next = letters->next;
        arena_free(letters->arena);
    }
}

/* The id of the one that is to be had at this time, which is done then; "" if there is none. */
static const char *next_id(Bench *b, const char *webhook, int64_t wall)
{
    JobLetter *letter;
    if (!take_at(&b->a, webhook, 1, wall, &letter))
        return "";
    const char *id = arena_string(b->a.arena, letter->id);
    assert_ok(b->a.arena, job_outbox_done(b->a.store, webhook, letter, b->a.arena));
    free_letters(letter);
    return id;
}

static const char *id_of(Bench *b, const JobRecord *record, unsigned number)
{
    return arena_printf(b->a.arena, "%.*s-%u", BYTES_ARGS(record->id), number);
}

static void what_a_job_comes_to_is_told_in_order_to_whom_it_concerns(void **state)
{
    Bench *b = *state;
    JobRecord *added = add(b), *record = claim_one(&b->a);
    assert_true(write_state(&b->a, record, JOB_RUNNING));
    assert_true(write_state(&b->a, record, JOB_RUNNING));
    assert_true(write_state(&b->a, record, JOB_DONE));
    for (unsigned i = 1; i <= 3; i++)
        assert_string_equal(next_id(b, "all", WALL), id_of(b, added, i));
    assert_string_equal(next_id(b, "all", WALL), "");
    assert_string_equal(next_id(b, "ends", WALL), id_of(b, added, 3));
    assert_string_equal(next_id(b, "ends", WALL), "");
    assert_string_equal(next_id(b, "nobody", WALL), "");
}

static void a_job_that_is_not_accepted_is_not_told(void **state)
{
    Bench *b = *state;
    JobRecord *record = add(b);
    next_id(b, "all", WALL);
    assert_int_equal(accept_job(&b->a, record, false, 0), JOB_ACCEPTED_BEFORE);
    assert_string_equal(next_id(b, "all", WALL), "");
}

static void what_somebody_writes_whose_job_it_is_no_more_is_not_told(void **state)
{
    Bench *b = *state;
    add(b);
    next_id(b, "all", WALL);
    JobRecord *record = claim_one(&b->a);
    run_sql(&b->a, "UPDATE jobs SET token = token + 1");
    assert_false(write_state(&b->a, record, JOB_DONE));
    assert_int_equal(read_number(&b->a, "SELECT count(*) FROM job_events"), 0);
}

static void the_next_of_a_job_waits_for_the_one_before_and_other_jobs_do_not(void **state)
{
    Bench *b = *state;
    add(b);
    JobRecord *first = claim_one(&b->a);
    assert_true(write_state(&b->a, first, JOB_RUNNING));
    add(b);
    JobLetter *letters, *more;
    assert_int_equal(take_at(&b->a, "all", 10, WALL, &letters), 2);
    assert_int_equal(letters->number, 1);
    assert_int_equal(letters->next->number, 1);
    assert_int_equal(take_at(&b->a, "all", 10, WALL, &more), 0);
    for (JobLetter *letter = letters; letter; letter = letter->next)
        assert_ok(b->a.arena, job_outbox_done(b->a.store, "all", letter, b->a.arena));
    free_letters(letters);
    assert_string_equal(next_id(b, "all", WALL), id_of(b, first, 2));
}

static void what_somebody_took_and_died_with_is_due_again(void **state)
{
    Bench *b = *state;
    JobRecord *record = add(b);
    JobLetter *letters;
    assert_int_equal(take_at(&b->a, "all", 1, WALL, &letters), 1);
    assert_int_equal(letters->tries, 1);
    free_letters(letters);
    assert_int_equal(take_at(&b->b, "all", 1, WALL + 10 * SECOND - 1, &letters), 0);
    assert_int_equal(take_at(&b->b, "all", 1, WALL + 10 * SECOND, &letters), 1);
    assert_int_equal(letters->tries, 2);
    assert_string_equal(letters->id, id_of(b, record, 1));
    free_letters(letters);
}

static void what_was_not_taken_is_told_later_unless_another_one_has_it(void **state)
{
    Bench *b = *state;
    add(b);
    JobLetter *old, *letters;
    assert_int_equal(take_at(&b->a, "all", 1, WALL, &old), 1);
    assert_ok(b->a.arena, job_outbox_later(b->a.store, "all", old, WALL + 5, b->a.arena));
    assert_int_equal(take_at(&b->b, "all", 1, WALL + 4, &letters), 0);
    assert_int_equal(take_at(&b->b, "all", 1, WALL + 5, &letters), 1);
    free_letters(letters);
    assert_ok(b->a.arena, job_outbox_later(b->a.store, "all", old, WALL, b->a.arena));
    assert_int_equal(take_at(&b->a, "all", 1, WALL + 6, &letters), 0);
    free_letters(old);
}

static void what_a_clock_that_was_ahead_has_put_off_is_due(void **state)
{
    Bench *b = *state;
    JobRecord *record = add(b);
    int64_t year = 365 * INT64_C(86400) * SECOND;
    JobLetter *letters;
    assert_int_equal(take_at(&b->a, "all", 1, WALL + year, &letters), 1);
    free_letters(letters);
    assert_string_equal(next_id(b, "all", WALL), id_of(b, record, 1));
}

static void an_event_is_sealed_and_one_that_does_not_open_says_why(void **state)
{
    Bench *b = *state;
    add(b);
    JobLetter *letters;
    assert_ok(b->a.arena,
              job_outbox_take(b->a.store, &other_keys, "all", 1, WALL, WALL, b->a.arena, &letters));
    assert_int_equal(failed(letters->damage), true);
    assert_int_equal(letters->json.size, 0);
    free_letters(letters);
    assert_ok(b->a.arena,
              job_outbox_take(b->a.store, &keys, "all", 1, WALL, WALL, b->a.arena, &letters));
    assert_ok(b->a.arena, letters->damage);
    assert_non_null(strstr(arena_text(b->a.arena, letters->json), "\"client\":\"ann\""));
    free_letters(letters);
}

/* The two gateways never have the same one, however they take turns. */
static void gateways_share_what_is_to_be_told(void **state)
{
    Bench *b = *state;
    JobLetter *of_a, *of_b;
    for (int i = 0; i < 6; i++)
        add(b);
    assert_int_equal(take_at(&b->a, "all", 4, WALL, &of_a), 4);
    assert_int_equal(take_at(&b->b, "all", 4, WALL, &of_b), 2);
    for (const JobLetter *a = of_a; a; a = a->next)
        for (const JobLetter *other = of_b; other; other = other->next)
            assert_string_not_equal(a->id, other->id);
    free_letters(of_a);
    free_letters(of_b);
}

static int run_on(const bool *kind)
{
#define TEST(test) cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, (void *)kind)
    const struct CMUnitTest tests[] = {
        TEST(what_a_job_comes_to_is_told_in_order_to_whom_it_concerns),
        TEST(a_job_that_is_not_accepted_is_not_told),
        TEST(what_somebody_writes_whose_job_it_is_no_more_is_not_told),
        TEST(the_next_of_a_job_waits_for_the_one_before_and_other_jobs_do_not),
        TEST(what_somebody_took_and_died_with_is_due_again),
        TEST(what_was_not_taken_is_told_later_unless_another_one_has_it),
        TEST(what_a_clock_that_was_ahead_has_put_off_is_due),
        TEST(an_event_is_sealed_and_one_that_does_not_open_says_why),
        TEST(gateways_share_what_is_to_be_told),
    };
    return cmocka_run_group_tests_name(*kind ? "PostgreSQL" : "SQLite", tests, NULL, NULL);
}

int main(void)
{
    static const bool sqlite = false, postgresql = true;
    int failures = run_on(&sqlite);
    return getenv("POSTGRESQL") ? failures + run_on(&postgresql) : failures;
}
