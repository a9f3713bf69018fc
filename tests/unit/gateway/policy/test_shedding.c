#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/random.h"
#include "gateway/policy/shedding.h"

static const OverloadConfig limits = {.shed = true,
                                      .delay = 20 * MILLISECOND,
                                      .interval = 100 * MILLISECOND,
                                      .calm = 500 * MILLISECOND};

/* Turns of this length that follow each other, until `lasted` is over; the last change. */
static SheddingChange late_turns(Shedding *s, int64_t busy, int64_t slept, int n)
{
    static int64_t now;
    SheddingChange change = SHEDDING_SAME;
    for (int i = 0; i < n && change == SHEDDING_SAME; i++) {
        now += slept + busy;
        change = shedding_turn(s, &limits, &(LoopTurn){.ended = now, .slept = slept, .busy = busy});
    }
    return change;
}

static uint32_t n_admitted(Shedding *s)
{
    uint32_t n = 0;
    while (shedding_admits(s, s->last, 0))
        n++;
    return n;
}

/* ---- When it begins -------------------------------------------------------------------------- */

static void it_begins_when_turns_are_late_for_the_interval_without_a_pause(void **state)
{
    static const struct {
        int64_t busy, slept;
        int n;
        SheddingChange change;
    } rows[] = {
        {20 * MILLISECOND, 0, 4, SHEDDING_SAME}, /* 80 ms */
        {20 * MILLISECOND, 0, 5, SHEDDING_BEGUN},
        {20 * MILLISECOND - 1, 0, 1000, SHEDDING_SAME},         /* long, and not late */
        {20 * MILLISECOND, MILLISECOND - 1, 5, SHEDDING_BEGUN}, /* no pause */
        {20 * MILLISECOND, MILLISECOND, 1000, SHEDDING_SAME},   /* a pause after each */
        {10 * SECOND, 0, 3, SHEDDING_SAME},                     /* three hiccups */
        {10 * SECOND, 0, 4, SHEDDING_BEGUN},
        {34 * MILLISECOND, 0, 3, SHEDDING_SAME}, /* 102 ms, and three turns */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Shedding s = {0};
        assert_int_equal(late_turns(&s, rows[i].busy, rows[i].slept, rows[i].n), rows[i].change);
        assert_int_equal(s.active, rows[i].change == SHEDDING_BEGUN);
    }
}

static void a_short_turn_in_between_begins_a_new_run(void **state)
{
    Shedding s = {0};
    for (int i = 0; i < 10; i++) {
        assert_int_equal(late_turns(&s, 30 * MILLISECOND, 0, 3), SHEDDING_SAME);
        assert_int_equal(late_turns(&s, 19 * MILLISECOND, 0, 1), SHEDDING_SAME);
    }
    assert_int_equal(late_turns(&s, 30 * MILLISECOND, 0, 4), SHEDDING_BEGUN);
}

static void neither_its_turns_nor_its_time_count_those_of_the_run_before(void **state)
{
    Shedding s = {0};
    late_turns(&s, 34 * MILLISECOND, 0, 1);
    late_turns(&s, MILLISECOND, 0, 1);
    assert_int_equal(late_turns(&s, 34 * MILLISECOND, 0, 3), SHEDDING_SAME); /* 102 ms */
    s = (Shedding){0};
    late_turns(&s, 20 * MILLISECOND, 0, 1);
    late_turns(&s, MILLISECOND, 0, 1);
    assert_int_equal(late_turns(&s, 20 * MILLISECOND, 0, 4), SHEDDING_SAME); /* 80 ms */
}

/* So does input that has waited for twice the time without being read, however short turns are. */
/* It is calm from the end of the first window on in which all could be admitted. */
static void it_ends_when_it_was_calm_for_so_long(void **state)
{
    enum { BEGUN = 100 * MILLISECOND };
    Shedding s = {.active = true, .window_since = BEGUN};
    int64_t now = BEGUN;
    SheddingChange change = SHEDDING_SAME;
    shedding_leave_unread(&s);
    for (int windows = 0; !change; windows++) {
        assert_in_range(windows, 0, 26);
        now += 20 * MILLISECOND;
        change = shedding_turn(&s, &limits, &(LoopTurn){.ended = now, .busy = 20 * MILLISECOND});
    }
    assert_int_equal(now, BEGUN + 40 * MILLISECOND + limits.calm);
}

static void it_also_begins_when_something_is_left_unread_for_long(void **state)
{
    static const struct {
        int64_t busy, waited;
        SheddingChange change;
    } rows[] = {
        {MILLISECOND, 40 * MILLISECOND, SHEDDING_BEGUN},
        {MILLISECOND, 40 * MILLISECOND - 1, SHEDDING_SAME},
        {20 * MILLISECOND, 0, SHEDDING_BEGUN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Shedding s = {0};
        SheddingChange change = SHEDDING_SAME;
        for (int64_t now = SECOND; now < 2 * SECOND && !change; now += rows[i].busy)
            change = shedding_turn(
                &s, &limits,
                &(LoopTurn){.ended = now, .busy = rows[i].busy, .waited = rows[i].waited});
        assert_int_equal(change, rows[i].change);
    }
}

static void it_does_not_end_while_something_is_left_unread_for_long(void **state)
{
    static const struct {
        int64_t waited;
        SheddingChange change;
    } rows[] = {{40 * MILLISECOND - 1, SHEDDING_ENDED},
                {40 * MILLISECOND, SHEDDING_SAME},
                {SECOND, SHEDDING_SAME}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Shedding s = {.active = true, .window_since = SECOND};
        SheddingChange change = SHEDDING_SAME;
        for (int64_t now = SECOND; now < 3 * SECOND && !change; now += MILLISECOND)
            change = shedding_turn(&s, &limits,
                                   &(LoopTurn){.ended = now,
                                               .busy = MILLISECOND / 2,
                                               .slept = MILLISECOND / 2,
                                               .waited = rows[i].waited});
        assert_int_equal(change, rows[i].change);
    }
}

/* Others on the machine have the processor: refusing calls would not help. */
static void it_does_not_begin_where_the_loop_hardly_runs(void **state)
{
    static const struct {
        int64_t stood; /* of 20 ms */
        SheddingChange change;
    } rows[] = {{17500000, SHEDDING_BEGUN}, {17500001, SHEDDING_SAME}, {20000000, SHEDDING_SAME}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Shedding s = {0};
        SheddingChange change = SHEDDING_SAME;
        for (int n = 1; n < 20 && !change; n++)
            change = shedding_turn(&s, &limits,
                                   &(LoopTurn){.ended = SECOND + n * 20 * MILLISECOND,
                                               .busy = 20 * MILLISECOND,
                                               .stood = rows[i].stood});
        assert_int_equal(change, rows[i].change);
        late_turns(&s, MILLISECOND, 0, 1);
        assert_int_equal(s.late_stood, 0);
    }
}

static void what_comes_while_it_does_not_run_may_come_together(void **state)
{
    Shedding s = {.active = true, .last = IMPACT_LOW, .spare = 5000};
    shedding_turn(&s, &limits, &(LoopTurn){.busy = 10 * MILLISECOND, .stood = 3 * MILLISECOND});
    assert_int_equal(n_admitted(&s), 20); /* of 4 ms, as always */
    shedding_turn(&s, &limits, &(LoopTurn){.busy = 10 * MILLISECOND, .stood = 9 * MILLISECOND});
    assert_int_equal(n_admitted(&s), 45);
}

/* ---- Who is refused -------------------------------------------------------------------------- */

static void the_last_impact_gets_tokens_those_above_it_all_and_those_below_it_nothing(void **state)
{
    Shedding s = {.active = true, .last = IMPACT_HIGH, .tokens = 2.5};
    for (int i = 0; i < 5; i++) {
        assert_false(shedding_admits(&s, IMPACT_LOW, UINT64_MAX));
        assert_int_equal(shedding_admits(&s, IMPACT_HIGH, 0), i < 2);
        assert_true(shedding_admits(&s, IMPACT_CATASTROPHIC, 0));
    }
    for (int i = 0; i < IMPACTS; i++)
        assert_int_equal(s.arrived[i], 5);
    assert_int_equal(s.admitted, 7);
}

static void tokens_come_with_time_and_few_are_kept(void **state)
{
    Shedding s = {.active = true, .last = IMPACT_LOW, .spare = 5000};
    shedding_turn(&s, &limits, &(LoopTurn){.slept = MILLISECOND / 2, .busy = MILLISECOND / 2});
    assert_int_equal(n_admitted(&s), 5);
    shedding_turn(&s, &limits, &(LoopTurn){.busy = 9 * MILLISECOND});
    assert_int_equal(n_admitted(&s), 20); /* of 4 ms */
    s.spare = 20;
    shedding_turn(&s, &limits, &(LoopTurn){.busy = 9 * MILLISECOND});
    assert_int_equal(n_admitted(&s), 0);
    for (int i = 0; i < 10; i++)
        shedding_turn(&s, &limits, &(LoopTurn){.busy = 9 * MILLISECOND});
    assert_int_equal(n_admitted(&s), 1);
}

static void an_impact_is_spared_when_none_of_its_calls_was_refused_for_a_second(void **state)
{
    Shedding s = {.active = true, .cut = 1.5, .window_since = 10 * SECOND};
    assert_false(shedding_spares(&s, IMPACT_LOW));
    assert_false(shedding_spares(&s, IMPACT_HIGH));
    assert_true(shedding_spares(&s, IMPACT_CATASTROPHIC));
    s.cut = 0;
    s.refused_at[IMPACT_LOW] = 9 * SECOND + 1;
    s.refused_at[IMPACT_HIGH] = 9 * SECOND;
    assert_false(shedding_spares(&s, IMPACT_LOW));
    assert_true(shedding_spares(&s, IMPACT_HIGH));
    s.refused_at[IMPACT_HIGH] = 5 * SECOND;
    assert_true(shedding_spares(&s, IMPACT_HIGH));
    s.cut = 1;
    assert_true(shedding_spares(&s, IMPACT_HIGH));
    s = (Shedding){.active = true, .window_since = SECOND / 2};
    assert_true(shedding_spares(&s, IMPACT_LOW)); /* none ever was */
}

static void memory_above_its_limit_refuses_low_and_then_high_impact(void **state)
{
    static const struct {
        int64_t used;
        double cut;
    } rows[] = {{50, 0},  {700, 0},   {790, 0},    {800, 0}, {825, 0.5},
                {850, 1}, {875, 1.5}, {899, 1.98}, {900, 0}, {1650, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Shedding s = {0};
        shedding_set_memory(&s, rows[i].used, 800);
        assert_float_equal(s.cut, rows[i].cut, 1e-9);
        assert_int_equal(shedding_on(&s), rows[i].cut > 0);
        assert_true(shedding_admits(&s, IMPACT_CATASTROPHIC, 0));
        shedding_set_memory(&s, 800, 800);
        assert_false(shedding_on(&s));
        assert_true(shedding_admits(&s, IMPACT_LOW, 0));
    }
}

static void what_time_refuses_memory_does_not_admit(void **state)
{
    Shedding s = {.active = true, .cut = 0.5};
    shedding_set_memory(&s, 850, 800);
    assert_float_equal(s.cut, 1, 1e-9);
    s.cut = 1.5;
    shedding_set_memory(&s, 850, 800);
    assert_float_equal(s.cut, 1.5, 1e-9);
}

/* ---- A loop ---------------------------------------------------------------------------------- */

/* One loop, a service that is never slow, and calls that arrive at random times: each turn takes in
   what has arrived, and passes on what the service has responded to the calls of the turn before.
 */
typedef struct Sim {
    Shedding s;
    Random random;
    int64_t now, cost, refusal; /* nanoseconds: of a call, half of it for its response */
    double rates[IMPACTS];
    double due[IMPACTS]; /* calls that have arrived and are not taken in, and a part of one */
    uint32_t responses;
    bool on;      /* it refuses at all */
    int64_t gone; /* in each turn the processor does something else for so long */
    /* Since sim_forget: */
    int64_t since, longest;
    uint64_t arrived[IMPACTS], admitted[IMPACTS];
} Sim;

static Sim sim_of(double factor, int64_t refusal)
{
    enum { CAPACITY = 20000 };
    static const double shares[IMPACTS] = {0.7, 0.2, 0.1};
    Sim sim = {.now = SECOND, .cost = SECOND / CAPACITY, .refusal = refusal, .on = true};
    random_seed_fixed(&sim.random, 1);
    for (int i = 0; i < IMPACTS; i++)
        sim.rates[i] = factor * CAPACITY * shares[i];
    return sim;
}

static double uniform(Sim *sim)
{
    return (double)(random_next(&sim->random) >> 11) / 0x1p53;
}

/* A turn's calls of one impact; returns what they take. */
static int64_t take_in(Sim *sim, Impact impact)
{
    int64_t took = 0;
    for (; sim->due[impact] >= 1; sim->due[impact] -= 1) {
        bool admitted = !shedding_on(&sim->s) || !sim->on ||
                        shedding_admits(&sim->s, impact, random_next(&sim->random));
        sim->arrived[impact]++;
        sim->admitted[impact] += admitted;
        sim->responses += admitted;
        took += admitted ? sim->cost / 2 : sim->refusal;
    }
    return took;
}

/* Clients have so many calls under way at most. */
enum { MOST_DUE = 2000 /* of each impact */ };

static SheddingChange turn(Sim *sim)
{
    int64_t slept = 0, busy = sim->responses * (sim->cost / 2);
    sim->responses = 0;
    for (int i = 0; i < IMPACTS; i++)
        busy += take_in(sim, (Impact)i);
    if (busy == 0)
        slept = busy = 10 * MILLISECOND / 1000;
    int64_t stood = slept ? 0 : sim->gone;
    busy += stood;
    int64_t passed = slept + busy;
    sim->now += passed;
    for (int i = 0; i < IMPACTS; i++) {
        sim->due[i] += sim->rates[i] * (double)passed / SECOND * 2 * uniform(sim);
        sim->due[i] = sim->due[i] < MOST_DUE ? sim->due[i] : MOST_DUE;
    }
    sim->longest = busy > sim->longest ? busy : sim->longest;
    return shedding_turn(
        &sim->s, &limits,
        &(LoopTurn){.ended = sim->now, .slept = slept, .busy = busy, .stood = stood});
}

static void run(Sim *sim, int64_t time)
{
    for (int64_t until = sim->now + time; sim->now < until;)
        turn(sim);
}

static void forget(Sim *sim)
{
    sim->since = sim->now;
    sim->longest = 0;
    memset(sim->arrived, 0, sizeof sim->arrived);
    memset(sim->admitted, 0, sizeof sim->admitted);
}

static double share(const Sim *sim, Impact impact)
{
    return sim->arrived[impact] ? (double)sim->admitted[impact] / (double)sim->arrived[impact] : 1;
}

/* Of the capacity. */
static double goodput(const Sim *sim)
{
    double n = 0;
    for (int i = 0; i < IMPACTS; i++)
        n += (double)sim->admitted[i];
    return n * (double)sim->cost / (double)(sim->now - sim->since);
}

static void a_loop_below_its_capacity_refuses_nothing(void **state)
{
    for (int tenths = 1; tenths <= 9; tenths++) {
        Sim sim = sim_of(tenths / 10.0, 1000);
        run(&sim, 5 * SECOND);
        assert_false(shedding_on(&sim.s));
    }
}

static void a_loop_that_others_keep_from_running_refuses_nothing_that_it_can_do(void **state)
{
    Sim sim = sim_of(0.05, 500);
    sim.gone = 15 * MILLISECOND;
    run(&sim, 20 * SECOND);
    assert_false(sim.s.active);
}

static void
at_three_times_the_capacity_it_does_what_it_can_and_the_last_to_be_refused_are_not(void **state)
{
    for (int halves = 3; halves <= 6; halves++) {
        double factor = halves / 2.0;
        Sim sim = sim_of(factor, 500); /* a hundredth of a call */
        run(&sim, 2 * SECOND);
        assert_true(sim.s.active);
        forget(&sim);
        run(&sim, 20 * SECOND);
        assert_true(sim.s.active);
        assert_true(goodput(&sim) > 0.9);
        assert_int_equal(sim.admitted[IMPACT_CATASTROPHIC], sim.arrived[IMPACT_CATASTROPHIC]);
        assert_true(share(&sim, IMPACT_HIGH) > 0.9);
        assert_true(share(&sim, IMPACT_LOW) < 1 / factor);
        assert_true(sim.longest < 10 * MILLISECOND);
    }
}

static void if_there_are_too_many_of_the_last_some_of_them_are_refused_too(void **state)
{
    Sim sim = sim_of(20, 500); /* twice the capacity of catastrophic ones */
    run(&sim, 3 * SECOND);
    forget(&sim);
    run(&sim, 5 * SECOND);
    assert_true(share(&sim, IMPACT_CATASTROPHIC) > 0.1);
    assert_true(share(&sim, IMPACT_CATASTROPHIC) < 0.6);
    assert_true(share(&sim, IMPACT_HIGH) == 0);
    assert_true(share(&sim, IMPACT_LOW) == 0);
}

static void it_is_well_again_within_a_second(void **state)
{
    Sim sim = sim_of(3, 500);
    run(&sim, 5 * SECOND);
    for (int i = 0; i < IMPACTS; i++)
        sim.rates[i] /= 10;
    run(&sim, SECOND);
    assert_false(shedding_on(&sim.s));
    forget(&sim);
    run(&sim, SECOND);
    assert_float_equal(share(&sim, IMPACT_LOW), 1, 0);
}

static void it_goes_on_while_connections_are_left_unread(void **state)
{
    Sim sim = sim_of(3, 500);
    run(&sim, 5 * SECOND);
    for (int i = 0; i < IMPACTS; i++)
        sim.rates[i] /= 10;
    for (int64_t until = sim.now + 2 * SECOND; sim.now < until; turn(&sim))
        shedding_leave_unread(&sim.s);
    assert_true(shedding_on(&sim.s));
    run(&sim, SECOND);
    assert_false(shedding_on(&sim.s));
}

static void it_ends_also_if_nothing_arrives_any_more(void **state)
{
    Shedding s = {0};
    late_turns(&s, 100 * MILLISECOND, 0, 10);
    assert_true(s.active);
    assert_int_equal(late_turns(&s, MILLISECOND, 499 * MILLISECOND, 1), SHEDDING_SAME);
    s = (Shedding){0};
    late_turns(&s, 100 * MILLISECOND, 0, 10);
    assert_int_equal(late_turns(&s, MILLISECOND, 500 * MILLISECOND, 1), SHEDDING_ENDED);
    s = (Shedding){0};
    late_turns(&s, 100 * MILLISECOND, 0, 10);
    assert_int_equal(late_turns(&s, MILLISECOND, 501 * MILLISECOND, 1), SHEDDING_ENDED);
    assert_false(shedding_on(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_when_turns_are_late_for_the_interval_without_a_pause),
        cmocka_unit_test(a_short_turn_in_between_begins_a_new_run),
        cmocka_unit_test(neither_its_turns_nor_its_time_count_those_of_the_run_before),
        cmocka_unit_test(what_time_refuses_memory_does_not_admit),
        cmocka_unit_test(it_does_not_begin_where_the_loop_hardly_runs),
        cmocka_unit_test(what_comes_while_it_does_not_run_may_come_together),
        cmocka_unit_test(a_loop_that_others_keep_from_running_refuses_nothing_that_it_can_do),
        cmocka_unit_test(it_ends_when_it_was_calm_for_so_long),
        cmocka_unit_test(it_also_begins_when_something_is_left_unread_for_long),
        cmocka_unit_test(it_does_not_end_while_something_is_left_unread_for_long),
        cmocka_unit_test(the_last_impact_gets_tokens_those_above_it_all_and_those_below_it_nothing),
        cmocka_unit_test(tokens_come_with_time_and_few_are_kept),
        cmocka_unit_test(an_impact_is_spared_when_none_of_its_calls_was_refused_for_a_second),
        cmocka_unit_test(memory_above_its_limit_refuses_low_and_then_high_impact),
        cmocka_unit_test(a_loop_below_its_capacity_refuses_nothing),
        cmocka_unit_test(
            at_three_times_the_capacity_it_does_what_it_can_and_the_last_to_be_refused_are_not),
        cmocka_unit_test(if_there_are_too_many_of_the_last_some_of_them_are_refused_too),
        cmocka_unit_test(it_is_well_again_within_a_second),
        cmocka_unit_test(it_goes_on_while_connections_are_left_unread),
        cmocka_unit_test(it_ends_also_if_nothing_arrives_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
