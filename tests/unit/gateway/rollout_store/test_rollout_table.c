/* Each test runs on SQLite, and on PostgreSQL where the environment names one (POSTGRESQL). */
#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/rollout_store/rollout_table.h"
#include "gateway/store/store_ear.h"
#include "gateway/store/store_kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST = 2000 };

/* ---- The bench: two gateways on one store ---------------------------------------------------- */

typedef struct Gateway {
    Arena *arena;
    uv_loop_t loop;
    Store *store;
    StorePort *port;
    RolloutTable *table;

    /* Of the last completion. */
    bool done, written;
    const Fault *fault; /* NULL: OK */
    RolloutRow rows[8];
    uint32_t n_rows;
    RolloutMembers members;
    Bytes clients[MOST];
    int64_t numbers[MOST];
    RolloutAct acts[8];
    uint32_t n_acts;
    RolloutHeard heard;
    int64_t now, knows; /* the wall time of what follows; a revision */
    RolloutSample samples[8];
    uint32_t n_samples;
} Gateway;

typedef struct Bench {
    Gateway a, b;
    StoreSettings settings;
    char folder[32], file[48];
} Bench;

static StoreKey one_key[] = {{"k", {1}}};
static const StoreKeys keys = {one_key, 1}, no_keys;

static void gateway_open(Gateway *g, const StoreSettings *settings)
{
    *g = (Gateway){.arena = arena_new(ARENA_UNLIMITED)};
    assert_int_equal(uv_loop_init(&g->loop), 0);
    g->store = store_open(settings);
    g->port = store_port_open(g->store, &g->loop);
    g->table = rollout_table_open(g->store, g->port, &keys);
}

static void gateway_close(Gateway *g)
{
    store_port_close(g->port);
    uv_run(&g->loop, UV_RUN_DEFAULT);
    rollout_table_close(g->table);
    store_close(g->store);
    while (uv_loop_close(&g->loop) != 0)
        uv_run(&g->loop, UV_RUN_ONCE);
    arena_free(g->arena);
}

static StoreTask *run_sql(Gateway *g, const char *sql)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_task_add(task, sql);
    assert_ok(g->arena, store_run(g->store, g->arena, &task));
    return task;
}

static int64_t read_number(Gateway *g, const char *sql)
{
    StoreTask *task = run_sql(g, sql);
    int64_t number = task->first->rows->values[0].integer;
    store_task_free(task);
    return number;
}

static int setup(void **state)
{
    bool postgresql = **(bool **)state;
    Bench *b = calloc(1, sizeof *b);
    strcpy(b->folder, "/tmp/rolloutsXXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->settings = (StoreSettings){.connections = 2, .queue = 1000, .time = 10 * SECOND};
    snprintf(b->file, sizeof b->file, "%s/store.db", b->folder);
    if (postgresql)
        b->settings.postgresql = getenv("POSTGRESQL");
    else
        b->settings.sqlite = b->file;
    gateway_open(&b->a, &b->settings);
    static const char *const tables[] = {"DELETE FROM rollouts", "DELETE FROM rollout_members",
                                         "DELETE FROM rollout_samples", "DELETE FROM rollout_acts"};
    for (size_t i = 0; i < 4; i++)
        store_task_free(run_sql(&b->a, tables[i]));
    gateway_open(&b->b, &b->settings); /* SQLite is not made by two at once */
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

/* ---- Operations, and waiting for them -------------------------------------------------------- */

static void take(Gateway *g, Result result)
{
    g->done = true;
    g->fault = failed(result) ? result.error->fault : NULL;
    if (g->fault == &FAULT_INTERNAL)
        fail_msg("%s", error_text(g->arena, result));
}

static void wait_for(Gateway *g)
{
    while (!g->done)
        uv_run(&g->loop, UV_RUN_ONCE);
    g->done = false;
}

static void on_written(void *owner, Result result, bool written)
{
    Gateway *g = owner;
    take(g, result);
    g->written = written;
}

static void keep_members(Gateway *g, const RolloutMembers *members)
{
    g->members = *members;
    for (uint32_t i = 0; i < members->n; i++) {
        g->clients[i] = bytes_copy(g->arena, members->clients[i]);
        g->numbers[i] = members->numbers[i];
    }
}

static void on_members(void *owner, Result result, const RolloutMembers *members)
{
    take(owner, result);
    keep_members(owner, members);
}

static void on_seen(void *owner, Result result, const RolloutSeen *seen)
{
    Gateway *g = owner;
    take(g, result);
    g->n_rows = seen->n_rows;
    for (uint32_t i = 0; i < seen->n_rows && i < 8; i++) {
        g->rows[i] = seen->rows[i];
        g->rows[i].id = bytes_copy(g->arena, seen->rows[i].id);
        g->rows[i].content = bytes_copy(g->arena, seen->rows[i].content);
        g->rows[i].evidence = bytes_copy(g->arena, seen->rows[i].evidence);
        g->rows[i].judge.name = bytes_copy(g->arena, seen->rows[i].judge.name);
    }
    if (seen->members)
        keep_members(g, seen->members);
    if (seen->heard) {
        g->heard = *seen->heard;
        g->heard.node = bytes_copy(g->arena, seen->heard->node);
    }
}

static void on_history(void *owner, Result result, const RolloutAct *acts, uint32_t n)
{
    Gateway *g = owner;
    take(g, result);
    g->n_acts = n;
    for (uint32_t i = 0; i < n && i < 8; i++) {
        g->acts[i] = acts[i];
        g->acts[i].content = bytes_copy(g->arena, acts[i].content);
    }
}

static void on_samples(void *owner, Result result, const RolloutSample *samples, uint32_t n)
{
    Gateway *g = owner;
    take(g, result);
    g->n_samples = n;
    for (uint32_t i = 0; i < n && i < 8; i++) {
        g->samples[i] = samples[i];
        g->samples[i].node = bytes_copy(g->arena, samples[i].node);
        g->samples[i].content = bytes_copy(g->arena, samples[i].content);
    }
}

#define ID ((Bytes){(const uint8_t *)"orders build 3.1.0", 18})

static RolloutRow row_of(int64_t revision, int64_t room)
{
    return (RolloutRow){.id = ID,
                        .revision = revision,
                        .trial = 1,
                        .room = room,
                        .open = true,
                        .content = bytes("a\0b", 3),
                        .evidence = bytes_of("seen"),
                        .changed = 5 * SECOND};
}

static bool put(Gateway *g, RolloutRow row)
{
    rollout_table_put(g->table, &row, &(RolloutMembers){0}, on_written, g);
    wait_for(g);
    return g->written;
}

static bool act(Gateway *g, RolloutRow row, bool by_judge, const char *content)
{
    rollout_table_act(g->table, &row, by_judge, bytes_of(content), on_written, g);
    wait_for(g);
    return g->written;
}

static RolloutRow look(Gateway *g, int64_t after)
{
    RolloutAsk ask = {ID, 1, after, .since = 20, .now = g->now, .cell = 10};
    rollout_table_look(g->table, &ask, 1, on_seen, g);
    wait_for(g);
    return g->rows[0];
}

static void begin_claim(Gateway *g, const char *const *names, uint32_t n)
{
    Bytes clients[ROLLOUT_CLAIM_MOST];
    for (uint32_t i = 0; i < n; i++)
        clients[i] = bytes_of(names[i]);
    rollout_table_claim(g->table, &(RolloutAsk){ID, 1, 0}, clients, n, on_members, g);
}

/* How many members there are afterwards. */
static uint32_t claim(Gateway *g, const char *const *names, uint32_t n)
{
    begin_claim(g, names, n);
    wait_for(g);
    return g->members.n;
}

static bool judge(Gateway *g, const char *before, int64_t token_before, const char *name,
                  int64_t token)
{
    RolloutJudge old = {bytes_of(before), token_before, token_before ? 1 : 0};
    RolloutJudge next = {bytes_of(name), token, 1};
    rollout_table_take(g->table, ID, &old, &next, on_written, g);
    wait_for(g);
    return g->written;
}

static bool renew(Gateway *g, const char *name, int64_t token, int64_t beat, const char *evidence)
{
    RolloutJudge who = {bytes_of(name), token, beat};
    rollout_table_renew(g->table, ID, &who, bytes_of(evidence), on_written, g);
    wait_for(g);
    return g->written;
}

static bool put_sample(Gateway *g, const char *node, int64_t trial, const char *content)
{
    RolloutSample sample = {bytes_of(node), g->now,       bytes_of(content), g->knows,
                            g->knows + 1,   g->knows + 2, g->knows + 3,      10};
    rollout_table_put_sample(g->table, ID, trial, &sample, on_written, g);
    wait_for(g);
    return g->written;
}

static uint32_t read_samples(Gateway *g, int64_t trial, const char *node)
{
    rollout_table_samples(g->table, ID, trial, bytes_of(node), on_samples, g);
    wait_for(g);
    return g->n_samples;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static void a_rollout_is_read_as_it_was_put(void **state)
{
    Bench *b = *state;
    assert_true(put(&b->a, row_of(1, 10)));
    RolloutRow row = look(&b->b, 0);
    assert_int_equal(b->b.n_rows, 1);
    assert_true(bytes_equal(row.id, ID));
    assert_true(row.revision == 1 && row.trial == 1 && row.room == 10 && row.open);
    assert_true(bytes_equal(row.content, bytes("a\0b", 3)));
    assert_true(row.changed == 5 * SECOND);
    assert_bytes(row.evidence, "seen");
    assert_int_equal(row.judge.name.size, 0);
    assert_true(row.judge.token == 0);
    assert_int_equal(b->b.members.n, 0);
    assert_int_equal(b->b.members.last, 0);
}

static void a_row_never_goes_back(void **state)
{
    Bench *b = *state;
    assert_true(put(&b->a, row_of(5, 10)));
    assert_false(put(&b->b, row_of(5, 20)));
    assert_false(put(&b->b, row_of(4, 20)));
    assert_true(look(&b->a, 0).room == 10);
    assert_true(put(&b->b, row_of(6, 20)));
    assert_true(look(&b->a, 0).room == 20);
}

/* ---- Members --------------------------------------------------------------------------------- */

static void clients_become_members_as_far_as_there_is_room(void **state)
{
    static const char *const first[] = {"ada", "bob"}, *const more[] = {"bob", "cyd", "dan"};
    Bench *b = *state;
    put(&b->a, row_of(1, 3));
    assert_int_equal(claim(&b->a, first, 2), 2);
    assert_int_equal(claim(&b->b, more, 3), 3);
    assert_bytes(b->b.clients[0], "ada");
    assert_bytes(b->b.clients[1], "bob");
    assert_bytes(b->b.clients[2], "cyd");
    assert_true(b->b.numbers[2] == 3);
    assert_true(b->b.members.last == 3 && b->b.members.count == 3);
    look(&b->a, 2);
    assert_int_equal(b->a.members.n, 1);
    assert_bytes(b->a.clients[0], "cyd");
}

static void nobody_becomes_a_member_where_none_are_taken(void **state)
{
    static const char *const names[] = {"ada"};
    Bench *b = *state;
    RolloutRow closed = row_of(1, 3), none = row_of(2, 0), other = row_of(3, 3);
    closed.open = false;
    other.trial = 2;
    assert_int_equal(claim(&b->a, names, 1), 0);
    put(&b->a, closed);
    assert_int_equal(claim(&b->a, names, 1), 0);
    put(&b->a, none);
    assert_int_equal(claim(&b->a, names, 1), 0);
    put(&b->a, other);
    assert_int_equal(claim(&b->a, names, 1), 0);
}

static void there_are_no_more_members_than_a_tier_may_have(void **state)
{
    Bench *b = *state;
    put(&b->a, row_of(1, ROLLOUT_MEMBERS_MOST + 500));
    assert_true(look(&b->a, 0).room == ROLLOUT_MEMBERS_MOST);
}

/* Each at the same time, each in a transaction of its own. */
static void gateways_that_race_do_not_exceed_the_room(void **state)
{
    Bench *b = *state;
    put(&b->a, row_of(1, 100));
    for (int round = 0; round < 20; round++) {
        const char *of_a[8], *of_b[8];
        for (int i = 0; i < 8; i++) {
            of_a[i] = arena_printf(b->a.arena, "a%d", round * 8 + i);
            of_b[i] = arena_printf(b->a.arena, "%c%d", i % 2 ? 'a' : 'b', round * 8 + i);
        }
        begin_claim(&b->a, of_a, 8);
        begin_claim(&b->b, of_b, 8);
        wait_for(&b->a);
        wait_for(&b->b);
        assert_null(b->a.fault);
        assert_null(b->b.fault);
    }
    assert_true(read_number(&b->a, "SELECT count(*) FROM rollout_members") == 100);
    assert_true(read_number(&b->a, "SELECT max(number) FROM rollout_members") == 100);
}

static void a_client_that_is_forgotten_is_no_member_and_leaves_no_room(void **state)
{
    static const char *const first[] = {"ada", "bob"}, *const more[] = {"ada", "cyd"};
    Bench *b = *state;
    put(&b->a, row_of(1, 2));
    claim(&b->a, first, 2);
    StoreTask *task = store_kinds_forget_client(&store_kinds, bytes_of("forgotten"),
                                                bytes_of("ada"), bytes_of("ada"));
    assert_ok(b->a.arena, store_run(b->a.store, b->a.arena, &task));
    store_task_free(task);
    assert_int_equal(claim(&b->a, more, 2), 1);
    assert_bytes(b->a.clients[0], "bob");
    assert_true(b->a.members.last == 2 && b->a.members.count == 1);
}

static void what_a_store_has_forgotten_is_put_back(void **state)
{
    static const char *const names[] = {"ada", "eve"}, *const other[] = {"fay"};
    static const int64_t numbers[] = {1, 2, 3}, at[] = {11, 12, 13};
    Bench *b = *state;
    Bytes clients[] = {bytes_of("ada"), bytes_of("bob"), bytes_of("cyd")};
    RolloutMembers members = {.clients = clients, .numbers = numbers, .at = at, .n = 3};
    RolloutRow row = row_of(4, 3);
    put(&b->a, row_of(3, 3));
    claim(&b->a, names, 2); /* it has forgotten bob, whose number has been given again */
    rollout_table_put(b->b.table, &row, &members, on_written, &b->b);
    wait_for(&b->b);
    assert_true(b->b.written);
    assert_int_equal(claim(&b->b, other, 1), 3);
    assert_bytes(b->b.clients[0], "ada");
    assert_bytes(b->b.clients[1], "eve");
    assert_bytes(b->b.clients[2], "cyd");
    assert_true(read_number(&b->a, "SELECT at FROM rollout_members WHERE client = 'cyd'") == 13);
    row.revision = 3; /* of an older trial, by now */
    row.trial = 0;
    clients[0] = bytes_of("gus");
    rollout_table_put(b->b.table, &row, &members, on_written, &b->b);
    wait_for(&b->b);
    assert_false(b->b.written);
    assert_true(read_number(&b->a, "SELECT count(*) FROM rollout_members") == 3);
}

/* ---- Acts ------------------------------------------------------------------------------------ */

static void of_two_acts_at_the_same_time_one_takes_effect(void **state)
{
    Bench *b = *state;
    RolloutRow next = row_of(2, 20);
    put(&b->a, row_of(1, 10));
    rollout_table_act(b->a.table, &next, false, bytes_of("one"), on_written, &b->a);
    rollout_table_act(b->b.table, &next, false, bytes_of("two"), on_written, &b->b);
    wait_for(&b->a);
    wait_for(&b->b);
    assert_null(b->a.fault);
    assert_null(b->b.fault);
    assert_int_equal(b->a.written + b->b.written, 1);
    assert_true(read_number(&b->a, "SELECT count(*) FROM rollout_acts") == 1);
    assert_false(act(&b->a, next, false, "again"));
}

static void only_who_judges_acts_as_judge(void **state)
{
    Bench *b = *state;
    RolloutRow next = row_of(2, 20);
    put(&b->a, row_of(1, 10));
    assert_true(judge(&b->a, "", 0, "a", 1));
    next.judge = (RolloutJudge){bytes_of("a"), 1, 0};
    assert_true(act(&b->a, next, true, "good"));
    assert_true(judge(&b->b, "a", 1, "b", 2));
    next.revision = 3;
    assert_false(act(&b->a, next, true, "too late"));
    next.judge.token = 2; /* of somebody else */
    assert_false(act(&b->a, next, true, "too late"));
    assert_true(act(&b->a, next, false, "by an operator"));
    assert_true(look(&b->a, 0).revision == 3);
    assert_bytes(b->a.rows[0].judge.name, "b");
}

static void the_history_has_all_acts_and_is_sealed(void **state)
{
    Bench *b = *state;
    put(&b->a, row_of(1, 10));
    act(&b->a, row_of(2, 10), false, "paused");
    act(&b->b, row_of(3, 10), false, "resumed");
    rollout_table_history(b->b.table, ID, on_history, &b->b);
    wait_for(&b->b);
    assert_int_equal(b->b.n_acts, 2);
    assert_true(b->b.acts[0].revision == 3 && b->b.acts[0].trial == 1);
    assert_true(b->b.acts[0].at == 5 * SECOND);
    assert_bytes(b->b.acts[0].content, "resumed");
    assert_bytes(b->b.acts[1].content, "paused");
    rollout_table_use_keys(b->b.table, &no_keys);
    rollout_table_history(b->b.table, ID, on_history, &b->b);
    wait_for(&b->b);
    assert_int_equal(b->b.n_acts, 2);
    assert_int_equal(b->b.acts[0].content.size, 0);
}

static void members_and_samples_go_with_their_trial(void **state)
{
    static const char *const names[] = {"ada"};
    Bench *b = *state;
    RolloutRow advanced = row_of(2, 10), back = row_of(3, 0), again = row_of(4, 10);
    put(&b->a, row_of(1, 1));
    claim(&b->a, names, 1);
    put_sample(&b->a, "p", 1, "seen");
    act(&b->a, advanced, false, "advanced");
    look(&b->b, 0);
    assert_int_equal(b->b.members.n, 1);
    assert_int_equal(read_samples(&b->a, 1, ""), 1);
    back.open = false;
    act(&b->a, back, false, "rolled back");
    look(&b->b, 0);
    assert_int_equal(b->b.members.n, 0);
    assert_int_equal(read_samples(&b->a, 1, ""), 0);
    again.trial = 2;
    claim(&b->a, names, 1);
    put_sample(&b->a, "p", 1, "late");
    act(&b->a, again, false, "started");
    assert_int_equal(read_samples(&b->a, 1, ""), 0);
    assert_true(read_number(&b->a, "SELECT count(*) FROM rollout_members") == 0);
}

/* ---- Judges ---------------------------------------------------------------------------------- */

static void of_two_that_want_to_judge_one_does(void **state)
{
    Bench *b = *state;
    RolloutJudge nobody = {BYTES_NONE, 0, 0};
    RolloutJudge a = {bytes_of("a"), 1, 1}, other = {bytes_of("b"), 1, 1};
    put(&b->a, row_of(1, 10));
    rollout_table_take(b->a.table, ID, &nobody, &a, on_written, &b->a);
    rollout_table_take(b->b.table, ID, &nobody, &other, on_written, &b->b);
    wait_for(&b->a);
    wait_for(&b->b);
    assert_int_equal(b->a.written + b->b.written, 1);
    assert_bytes(look(&b->a, 0).judge.name, b->a.written ? "a" : "b");
}

static void a_judge_shows_that_it_lives_and_what_it_has_seen(void **state)
{
    Bench *b = *state;
    put(&b->a, row_of(1, 10));
    judge(&b->a, "", 0, "a", 1);
    assert_true(renew(&b->a, "a", 1, 2, "more"));
    assert_bytes(look(&b->b, 0).evidence, "more");
    assert_true(b->b.rows[0].judge.beat == 2);
    act(&b->b, row_of(2, 20), false, "advanced");
    assert_bytes(look(&b->b, 0).evidence, "more");
    assert_true(renew(&b->a, "a", 1, 3, "even more"));
    assert_false(judge(&b->b, "a", 1, "b", 2)); /* it has seen the first beat only */
    assert_true(renew(&b->a, "a", 1, 1, "even more"));
    assert_true(judge(&b->b, "a", 1, "b", 2));
    assert_false(renew(&b->a, "a", 1, 4, "too late"));
    assert_false(renew(&b->a, "a", 2, 4, "too late"));
    assert_bytes(look(&b->b, 0).evidence, "even more");
}

static void who_leaves_judges_no_more_and_what_it_still_writes_changes_nothing(void **state)
{
    Bench *b = *state;
    put(&b->a, row_of(1, 10));
    judge(&b->a, "", 0, "a", 1);
    rollout_table_leave(b->b.table, bytes_of("b"), bytes_of("two"));
    assert_bytes(look(&b->b, 0).judge.name, "a");
    rollout_table_leave(b->a.table, bytes_of("a"), bytes_of("one"));
    RolloutRow row = look(&b->a, 0);
    assert_int_equal(row.judge.name.size, 0);
    assert_true(row.judge.token == 2);
    row = row_of(2, 10);
    row.judge = (RolloutJudge){bytes_of("a"), 1, 0};
    assert_false(act(&b->a, row, true, "too late"));
}

/* ---- Samples --------------------------------------------------------------------------------- */

static void a_gateway_has_one_sample_of_the_latest_trial(void **state)
{
    Bench *b = *state;
    b->a.now = b->b.now = 9;
    put(&b->a, row_of(1, 10));
    assert_true(put_sample(&b->a, "p", 1, "one"));
    assert_true(put_sample(&b->a, "p", 1, "two"));
    assert_true(put_sample(&b->b, "q", 1, "other"));
    assert_int_equal(read_samples(&b->b, 1, ""), 2);
    assert_bytes(b->b.samples[0].node, "p");
    assert_bytes(b->b.samples[0].content, "two");
    assert_true(b->b.samples[0].at == 9);
    assert_int_equal(read_samples(&b->a, 1, "q"), 1);
    assert_bytes(b->a.samples[0].content, "other");
    assert_int_equal(read_samples(&b->a, 1, "r"), 0);
    assert_int_equal(read_samples(&b->b, 2, ""), 0);
    assert_true(put_sample(&b->a, "p", 2, "three"));
    assert_false(put_sample(&b->a, "p", 1, "late"));
    assert_int_equal(read_samples(&b->b, 2, ""), 1);
}

static void the_sample_of_a_gateway_that_has_left_stays_and_says_so(void **state)
{
    Bench *b = *state;
    put(&b->a, row_of(1, 10));
    b->a.now = b->b.now = 9;
    put_sample(&b->a, "p", 1, "one");
    put_sample(&b->b, "q", 1, "two");
    rollout_table_leave(b->a.table, bytes_of("a"), bytes_of("p"));
    look(&b->a, 0); /* the same port: it has been done */
    assert_int_equal(read_samples(&b->a, 1, ""), 2);
    assert_true(b->a.samples[0].at == 0 && b->a.samples[1].at == 9);
    assert_bytes(b->a.samples[0].content, "one");
}

/* Known by all, by a look at this time. */
static int64_t known_at(Gateway *g, int64_t now)
{
    g->now = now;
    look(g, 0);
    assert_true(g->heard.member == INT64_MAX ||
                g->heard.member == g->heard.revision + (g->heard.revision > 0 ? 1 : 0));
    return g->heard.revision;
}

static void sample_at(Gateway *g, const char *node, int64_t now, int64_t knows)
{
    g->now = now;
    g->knows = knows;
    assert_true(put_sample(g, node, 1, "x"));
}

static void what_all_gateways_knew_in_the_cell_before_is_seen(void **state)
{
    Bench *b = *state;
    put(&b->a, row_of(1, 10));
    assert_true(known_at(&b->a, 55) == INT64_MAX);
    assert_int_equal(b->a.heard.node.size, 0);
    sample_at(&b->a, "p", 49, 3);
    sample_at(&b->b, "q", 40, 1);
    sample_at(&b->b, "q", 45, 2);
    assert_int_equal(known_at(&b->a, 50), 2);
    assert_int_equal(known_at(&b->a, 59), 2);
    assert_int_equal(known_at(&b->a, 60), 0);
    assert_bytes(b->a.heard.node, "q");
    assert_true(b->a.heard.at == 45);
    sample_at(&b->a, "p", 50, 4); /* in the cell itself: it changes nothing */
    sample_at(&b->b, "q", 52, 4);
    sample_at(&b->b, "q", 59, 5);
    assert_int_equal(known_at(&b->a, 59), 2);
    assert_int_equal(known_at(&b->a, 60), 4);
    sample_at(&b->a, "p", 70, 6);
    assert_int_equal(known_at(&b->a, 75), 0); /* nobody has written in 60 to 69 */
    sample_at(&b->a, "p", 19, 1);             /* long ago */
    sample_at(&b->b, "q", 95, 7);
    assert_int_equal(known_at(&b->a, 100), 7);
    assert_true(b->a.heard.begun == 9 && b->a.heard.settled == 10);
    rollout_table_leave(b->a.table, bytes_of("a"), bytes_of("q"));
    assert_true(known_at(&b->a, 100) == INT64_MAX); /* but what has begun has begun: */
    assert_true(b->a.heard.begun == 9 && b->a.heard.settled == 10);
}

/* ---- Others ---------------------------------------------------------------------------------- */

static void on_notice(void *owner, Bytes text)
{
    *(int *)owner += 1;
}

static void other_gateways_hear_of_changes(void **state)
{
    static const char *const names[] = {"ada"};
    Bench *b = *state;
    int heard = 0;
    StoreEar *ear = store_ear_open(b->b.store, &b->b.loop, ROLLOUT_CHANNEL, on_notice, &heard);
    if (b->settings.sqlite) {
        assert_null(ear);
        return;
    }
    while (heard < 1) /* it listens */
        uv_run(&b->b.loop, UV_RUN_ONCE);
    put(&b->a, row_of(1, 1));
    while (heard < 2)
        uv_run(&b->b.loop, UV_RUN_ONCE);
    claim(&b->a, names, 1);
    while (heard < 3)
        uv_run(&b->b.loop, UV_RUN_ONCE);
    claim(&b->a, names, 1); /* is one already */
    act(&b->a, row_of(2, 1), false, "act");
    while (heard < 4)
        uv_run(&b->b.loop, UV_RUN_ONCE);
    store_ear_close(ear);
}

static void a_store_that_is_away_is_told(void **state)
{
    static const char *const names[] = {"ada"};
    Bench *b = *state;
    Gateway *g = calloc(1, sizeof *g);
    gateway_open(g, &(StoreSettings){.sqlite = "/nowhere/store.db", .queue = 10, .time = SECOND});
    claim(g, names, 1);
    assert_ptr_equal(g->fault, &FAULT_STORE_DOWN);
    assert_int_equal(g->members.n, 0);
    look(g, 0);
    assert_ptr_equal(g->fault, &FAULT_STORE_DOWN);
    assert_int_equal(g->n_rows, 0);
    assert_false(act(g, row_of(2, 1), false, "act"));
    assert_ptr_equal(g->fault, &FAULT_STORE_DOWN);
    assert_int_equal(read_samples(g, 1, ""), 0);
    assert_ptr_equal(g->fault, &FAULT_STORE_DOWN);
    gateway_close(g);
    free(g);
    (void)b;
}

#define TEST(name)                                                                                 \
    {                                                                                              \
#name, name, setup, teardown, (void *)kind                                                 \
    }

static int run_on(const bool *kind)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rollout_is_read_as_it_was_put),
        TEST(a_row_never_goes_back),
        TEST(clients_become_members_as_far_as_there_is_room),
        TEST(nobody_becomes_a_member_where_none_are_taken),
        TEST(there_are_no_more_members_than_a_tier_may_have),
        TEST(gateways_that_race_do_not_exceed_the_room),
        TEST(a_client_that_is_forgotten_is_no_member_and_leaves_no_room),
        TEST(what_a_store_has_forgotten_is_put_back),
        TEST(of_two_acts_at_the_same_time_one_takes_effect),
        TEST(only_who_judges_acts_as_judge),
        TEST(the_history_has_all_acts_and_is_sealed),
        TEST(members_and_samples_go_with_their_trial),
        TEST(of_two_that_want_to_judge_one_does),
        TEST(a_judge_shows_that_it_lives_and_what_it_has_seen),
        TEST(who_leaves_judges_no_more_and_what_it_still_writes_changes_nothing),
        TEST(a_gateway_has_one_sample_of_the_latest_trial),
        TEST(the_sample_of_a_gateway_that_has_left_stays_and_says_so),
        TEST(what_all_gateways_knew_in_the_cell_before_is_seen),
        TEST(other_gateways_hear_of_changes),
        TEST(a_store_that_is_away_is_told),
    };
    return cmocka_run_group_tests_name(*kind ? "PostgreSQL" : "SQLite", tests, NULL, NULL);
}

int main(void)
{
    static const bool sqlite = false, postgresql = true;
    int failures = run_on(&sqlite);
    return getenv("POSTGRESQL") ? failures + run_on(&postgresql) : failures;
}
