#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/random.h"
#include "gateway/rollout/beginning.h"

#define FROM (1000 * SECOND)
#define STEP SECOND
#define CELL (STEP / 2)

static int64_t again;

static bool begins(int64_t wall, int64_t looked)
{
    return beginning_is_now(7, FROM, STEP, &(BeginningNow){wall, looked, 0, 7}, &again);
}

static void it_begins_at_its_time_where_the_store_was_read_in_the_cell_before(void **state)
{
    assert_false(begins(FROM - 1, FROM - 1));
    assert_true(again == FROM);
    assert_true(begins(FROM, FROM - 1));
    assert_true(begins(FROM, FROM - STEP / 2));
    assert_true(begins(FROM + STEP - 1, FROM - 1)); /* a loop that was busy */
    assert_false(begins(FROM, FROM - STEP / 2 - 1));
    assert_true(again == FROM + STEP);
}

static void who_is_late_begins_with_all_others_that_are(void **state)
{
    assert_false(begins(FROM + 1, FROM));
    assert_true(again == FROM + STEP);
    assert_false(begins(FROM + STEP - 1, FROM + STEP - 1));
    assert_true(begins(FROM + STEP, FROM + STEP - 1));
    assert_false(begins(FROM + 7 * STEP + 2, FROM + 7 * STEP + 1));
    assert_true(again == FROM + 8 * STEP);
    assert_false(begins(FROM + STEP, 0)); /* the store has never answered */
}

static void nobody_begins_before_all_know(void **state)
{
    BeginningNow now = {FROM, FROM - 1, 0, 6};
    assert_false(beginning_is_now(7, FROM, STEP, &now, &again));
    assert_true(again == FROM + STEP);
}

static void who_has_missed_a_look_does_not_begin(void **state)
{
    BeginningNow now = {FROM, FROM - 1, FROM - STEP / 2, 7};
    assert_false(beginning_is_now(7, FROM, STEP, &now, &again));
    now.failed--; /* before the second cell */
    assert_true(beginning_is_now(7, FROM, STEP, &now, &again));
}

static void a_clock_far_ahead_delays_nobody(void **state)
{
    assert_false(begins(FROM - 2 * STEP, 0));
    assert_true(begins(FROM - 2 * STEP - 1, 0));
    assert_true(beginning_is_now(7, 0, STEP, &(BeginningNow){FROM, 0, 0, 6}, &again));
}

static void it_is_announced_for_the_end_of_a_step(void **state)
{
    assert_true(beginning_from(FROM - STEP, STEP) == FROM);
    assert_true(beginning_from(FROM - STEP + 1, STEP) == FROM + STEP);
    assert_true(beginning_from(FROM - 1, STEP) == FROM + STEP);
}

static void a_step_has_three_looks_and_a_second(void **state)
{
    RolloutDefinition definition = {.judging = {.every = 10 * SECOND}};
    assert_true(beginning_step(&definition) == 30 * SECOND);
    assert_true(beginning_cell(&definition) == 15 * SECOND);
    definition.judging.every = SECOND / 3;
    assert_true(beginning_step(&definition) == SECOND);
    definition.judging.every = SECOND / 10;
    assert_true(beginning_step(&definition) == SECOND);
    assert_true(beginning_look(FROM, STEP) < FROM);
    assert_true(beginning_look(FROM, STEP) > FROM - STEP / 2);
}

/* ---- Gateways that share a store that comes and goes ----------------------------------------- */

#define EVERY (STEP / 10)
#define TICK (STEP / 1000)

typedef struct Outage {
    int64_t from, until;
} Outage;

typedef struct Peer {
    int64_t next;        /* its next beat */
    int64_t at, earlier; /* when it wrote */
    int64_t what[2];     /* what it knew then */
    int64_t pause;       /* after an outage, until it has the store again */
    int64_t looked, failed;
    int64_t knows, known;
    int64_t begun;
} Peer;

enum { PEERS = 3 };

static void write_beat(Peer *peer, int64_t wall)
{
    if (peer->at / CELL < wall / CELL) {
        peer->earlier = peer->at;
        peer->what[1] = peer->what[0];
    }
    peer->at = wall;
    peer->what[0] = peer->knows;
}

/* By one in the cell before. */
static int64_t known_by(const Peer *peer, int64_t before)
{
    if (peer->at / CELL == before)
        return peer->what[0];
    return peer->at / CELL > before && peer->earlier / CELL == before ? peer->what[1] : 0;
}

static int64_t known_by_all(const Peer *peers, int64_t wall)
{
    int64_t known = INT64_MAX;
    for (int i = 0; i < PEERS; i++) {
        int64_t by = known_by(&peers[i], wall / CELL - 1);
        known = by < known ? by : known;
    }
    return known;
}

static void live(Peer *peers, int i, const Outage *outage, int64_t wall)
{
    Peer *peer = &peers[i];
    BeginningNow now = {wall, peer->looked, peer->failed, peer->known};
    again = 0;
    if (peer->knows && !peer->begun && beginning_is_now(7, FROM, STEP, &now, &again))
        peer->begun = wall;
    bool beats = wall >= peer->next;
    if (!beats && wall != beginning_look(again, STEP))
        return;
    if (beats)
        peer->next = wall + EVERY;
    if (wall >= outage->from && wall < outage->until + peer->pause) {
        peer->failed = wall;
        return;
    }
    peer->looked = wall;
    peer->known = known_by_all(peers, wall);
    peer->knows = 7;
    if (beats)
        write_beat(peer, wall);
}

/* Nobody can know of the others: only some may notice it, for it begins just before the end or is
   short for them; or some have the store again before the second cell, and others have not, and all
   had written in the first. */
static bool is_unclear(const Outage *outage, const Peer *peers)
{
    int64_t into = outage->from % STEP, second = outage->from - into + CELL;
    uint32_t n_back = 0, n_short = 0;
    for (int i = 0; i < PEERS; i++) {
        n_back += outage->until + peers[i].pause < second + EVERY;
        n_short += outage->until + peers[i].pause <= outage->from + EVERY;
    }
    if (into < CELL)
        return n_back > 0 && n_back < PEERS;
    return into >= STEP - EVERY || (n_short > 0 && n_short < PEERS);
}

/* Each has the store back at another time. */
static void gateways_begin_together_also_if_the_store_is_down_in_between(void **state)
{
    Random random;
    uint32_t n_late = 0, n_unclear = 0;
    random_seed_fixed(&random, 5);
    for (int round = 0; round < 1000; round++) {
        Peer peers[PEERS] = {{0}};
        Outage outage = {FROM - STEP + (int64_t)random_below(&random, STEP), 0};
        outage.until = outage.from + (int64_t)random_below(&random, 3 * STEP);
        for (int i = 0; i < PEERS; i++) {
            peers[i].pause = (int64_t)random_below(&random, 2 * STEP);
            peers[i].next = FROM - STEP + (int64_t)random_below(&random, EVERY);
            peers[i].at = peers[i].next - EVERY;
        }
        for (int64_t wall = FROM - STEP; wall < FROM + 9 * STEP; wall += TICK)
            for (int i = 0; i < PEERS; i++)
                live(peers, i, &outage, wall);
        for (int i = 0; i < PEERS; i++) {
            assert_true(peers[i].begun >= FROM && (peers[i].begun - FROM) % STEP == 0);
            assert_true(peers[i].begun <= outage.until + 5 * STEP);
            assert_true(is_unclear(&outage, peers) || peers[i].begun == peers[0].begun);
        }
        n_late += peers[0].begun > FROM;
        n_unclear += is_unclear(&outage, peers);
    }
    assert_true(n_late > 500 && n_unclear < 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_at_its_time_where_the_store_was_read_in_the_cell_before),
        cmocka_unit_test(who_is_late_begins_with_all_others_that_are),
        cmocka_unit_test(a_clock_far_ahead_delays_nobody),
        cmocka_unit_test(who_has_missed_a_look_does_not_begin),
        cmocka_unit_test(nobody_begins_before_all_know),
        cmocka_unit_test(it_is_announced_for_the_end_of_a_step),
        cmocka_unit_test(a_step_has_three_looks_and_a_second),
        cmocka_unit_test(gateways_begin_together_also_if_the_store_is_down_in_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
