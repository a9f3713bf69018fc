#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/random.h"
#include "gateway/policy/pace.h"
#include "gateway/policy/shedding.h"

#include <math.h>
#include <stdlib.h>

#define MOST (250 * MILLISECOND)

/* ---- A connection ---------------------------------------------------------------------------- */

static int64_t next(Pace *pace, uint32_t admitted, uint32_t refused)
{
    pace->admitted = admitted;
    pace->refused = refused;
    pace_next(pace, MOST, 0);
    return pace->rest;
}

static void
a_connection_rests_twice_as_long_each_time_that_many_of_its_calls_are_refused(void **state)
{
    Pace pace = {0};
    assert_int_equal(next(&pace, 3, 1), 0);
    for (int64_t rest = 2 * MILLISECOND; rest < MOST; rest *= 2)
        assert_int_equal(next(&pace, 2, 2), rest);
    assert_int_equal(next(&pace, 0, 9), MOST);
    assert_int_equal(next(&pace, 0, 9), MOST);
}

static void it_rests_half_as_long_each_time_that_hardly_any_is_refused(void **state)
{
    Pace pace = {.rest = 16 * MILLISECOND};
    assert_int_equal(next(&pace, 6, 2), 16 * MILLISECOND); /* some */
    assert_int_equal(next(&pace, 7, 1), 8 * MILLISECOND);
    assert_int_equal(next(&pace, 1, 0), 4 * MILLISECOND);
    assert_int_equal(next(&pace, 1, 0), 2 * MILLISECOND);
    assert_int_equal(next(&pace, 1, 0), 0);
}

static void after_bytes_without_calls_it_goes_on_at_once(void **state)
{
    Pace pace = {.rest = 16 * MILLISECOND};
    assert_int_equal(pace_next(&pace, MOST, 0), 0);
    assert_int_equal(pace.rest, 16 * MILLISECOND);
}

static void not_all_connections_come_back_at_once(void **state)
{
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t random = 0; random < 100; random++) {
        Pace pace = {.rest = 8 * MILLISECOND, .refused = 1};
        int64_t rest = pace_next(&pace, MOST, random * 87178291199);
        assert_int_equal(pace.rest, 16 * MILLISECOND);
        assert_int_equal(pace.refused, 0);
        least = rest < least ? rest : least;
        most = rest > most ? rest : most;
    }
    assert_true(least >= 8 * MILLISECOND && least < 9 * MILLISECOND);
    assert_true(most <= 16 * MILLISECOND && most > 15 * MILLISECOND);
}

static void pieces_are_read_unless_nothing_is_admitted_at_the_longest_rest(void **state)
{
    Pace pace = {0};
    assert_int_equal(pace_piece(&pace), 0);
    next(&pace, 0, 9);
    assert_int_equal(pace_piece(&pace), PACE_PIECE);
    pace.rest = MOST / 2;
    next(&pace, 1, 9);
    assert_int_equal(pace.rest, MOST);
    assert_int_equal(pace_piece(&pace), PACE_PIECE);
    next(&pace, 0, 9);
    assert_int_equal(pace_piece(&pace), 0);
    next(&pace, 9, 0);
    assert_int_equal(pace_piece(&pace), PACE_PIECE);
}

static void without_a_pause_nothing_rests(void **state)
{
    Pace pace = {.refused = 9};
    assert_int_equal(pace_next(&pace, 0, 1), 0);
    assert_int_equal(pace_piece(&pace), 0);
}

/* ---- A gateway ------------------------------------------------------------------------------- */

/*
 * One loop with clients that do not give way, and a service that is never slow, but may have its
 * processor only now and then. What things take is measured: a call 15 us, a refusal 2 us, a turn
 * and each socket in it some microseconds. loadtest/overload/run has the real ones.
 */
enum { MOST_LINES = 300, CALL_BYTES = 50, MOST_CALLS = 1 << 18, BUCKETS = 100000 };

/* Microseconds. */
#define TURN_US 8.0
#define SERVICE_US 60.0
/* As in read_order.c. */
#define LONG_TURN_US 2000.0
#define READ_US 200.0
#define PATIENCE_US 50000.0

typedef struct Shape {
    int lines, streams;           /* connections, and calls on each at most */
    int closed;                   /* of them in flight, to find out the capacity */
    double call, refusal, socket; /* microseconds; of a socket: read, or written to */
} Shape;

static const Shape http2 = {30, 100, 3, 15, 2, 2.5}, http1 = {300, 1, 1, 20, 3, 5};

typedef struct Ring {
    double *due;
    size_t first, n, most;
} Ring;

typedef struct Line {
    Impact impact;
    Pace pace;
    double rests_until;
    int in_flight;
    Ring sent;    /* not read yet */
    bool floods;  /* its last read has brought many calls */
    double waits; /* to be read, since then; 0: it does not */
} Line;

typedef struct Answer {
    double at, due;
    int line;
} Answer;

/* Calls on a connection of the service, in their order. */
typedef struct Lane {
    Answer *items;
    size_t first, n;
    size_t n_read, n_new; /* the response is read, and not sent yet; the request is not sent yet */
} Lane;

enum { URGENT, OTHER, LANES };

typedef struct Sim {
    Shape shape;
    Shedding shedding;
    OverloadConfig limits;
    Random random;
    double now; /* microseconds */
    double rates[IMPACTS], next_due[IMPACTS];
    int closed; /* calls of each line that are always in flight */
    Line lines[MOST_LINES];
    Ring waiting[IMPACTS]; /* with the client */
    Lane lanes[LANES];
    bool one_lane;            /* all calls are on one connection of the service */
    double rest;              /* the service responds once in so many microseconds; 0: always */
    double busy;              /* for so long the turn has lasted */
    bool written[MOST_LINES]; /* there is something to write */
    bool sheds;
    bool unordered;       /* the loop has no order of reading (read_order.h), */
    double crowded_until; /* which it uses until then; 0: not now */
    int queues[IMPACTS][MOST_LINES], n_queued[IMPACTS]; /* those that wait: their numbers */
    uint32_t turn_of[IMPACTS];
    /* Since forget: */
    double since;
    uint64_t due[IMPACTS], good[IMPACTS], refused[IMPACTS];
    uint32_t took[BUCKETS]; /* of catastrophic ones, in 10 us */
} Sim;

static Ring ring_new(size_t most)
{
    return (Ring){.due = malloc(most * sizeof(double)), .most = most};
}

static void push(Ring *ring, double due)
{
    assert_true(ring->n < ring->most);
    ring->due[(ring->first + ring->n++) % ring->most] = due;
}

static double pop(Ring *ring)
{
    ring->n--;
    return ring->due[ring->first++ % ring->most];
}

static double uniform(Sim *sim)
{
    return ((double)(random_next(&sim->random) >> 11) + 1) / 0x1p53;
}

static Sim *sim_new(Shape shape)
{
    Sim *sim = calloc(1, sizeof *sim);
    sim->shape = shape;
    sim->limits = (OverloadConfig){.shed = true,
                                   .delay = 10 * MILLISECOND,
                                   .interval = 100 * MILLISECOND,
                                   .calm = 500 * MILLISECOND,
                                   .pause = MOST};
    random_seed_fixed(&sim->random, 7);
    for (int i = 0; i < LANES; i++)
        sim->lanes[i].items = malloc(MOST_CALLS * sizeof(Answer));
    for (int i = 0; i < shape.lines; i++) {
        sim->lines[i].impact = (Impact)(i * IMPACTS / shape.lines);
        sim->lines[i].sent = ring_new((size_t)shape.streams);
    }
    for (int i = 0; i < IMPACTS; i++)
        sim->waiting[i] = ring_new(MOST_CALLS);
    return sim;
}

static void sim_free(Sim *sim)
{
    for (int i = 0; i < sim->shape.lines; i++)
        free(sim->lines[i].sent.due);
    for (int i = 0; i < IMPACTS; i++)
        free(sim->waiting[i].due);
    for (int i = 0; i < LANES; i++)
        free(sim->lanes[i].items);
    free(sim);
}

static void call_send(Sim *sim, Line *line, double due)
{
    line->in_flight++;
    push(&line->sent, due);
    sim->due[line->impact] += sim->closed > 0;
}

/* Calls that are due go to lines with room, in turn; those that wait for a second are given up. */
static void send_due(Sim *sim, int impact)
{
    int n_lines = sim->shape.lines / IMPACTS;
    Ring *waiting = &sim->waiting[impact];
    for (; sim->rates[impact] > 0 && sim->next_due[impact] <= sim->now; sim->due[impact]++) {
        push(waiting, sim->next_due[impact]);
        sim->next_due[impact] += -log(uniform(sim)) / sim->rates[impact] * 1e6;
    }
    while (waiting->n && sim->now - waiting->due[waiting->first % waiting->most] > 1e6)
        pop(waiting);
    for (int tried = 0; waiting->n && tried < n_lines; tried++) {
        Line *line =
            &sim->lines[impact * n_lines + (int)(sim->turn_of[impact]++ % (uint32_t)n_lines)];
        for (; line->in_flight < sim->shape.streams && waiting->n; tried = 0) {
            call_send(sim, line, pop(waiting));
            line =
                &sim->lines[impact * n_lines + (int)(sim->turn_of[impact]++ % (uint32_t)n_lines)];
        }
    }
}

static void clients(Sim *sim)
{
    for (int i = 0; i < sim->shape.lines && sim->closed; i++)
        while (sim->lines[i].in_flight < sim->closed)
            call_send(sim, &sim->lines[i], sim->now);
    for (int i = 0; i < IMPACTS; i++)
        send_due(sim, i);
}

static void answer(Sim *sim, const Answer *a)
{
    Line *line = &sim->lines[a->line];
    line->in_flight--;
    sim->good[line->impact]++;
    if (line->impact != IMPACT_CATASTROPHIC)
        return;
    size_t bucket = (size_t)((sim->now + sim->busy - a->due) / 10);
    sim->took[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

static Answer *call_at(Lane *lane, size_t i)
{
    return &lane->items[(lane->first + i) % MOST_CALLS];
}

static void ask(Sim *sim, int at, double due)
{
    bool urgent = sim->one_lane || sim->lines[at].impact == IMPACT_CATASTROPHIC;
    Lane *lane = &sim->lanes[urgent ? URGENT : OTHER];
    assert_true(lane->n < MOST_CALLS);
    *call_at(lane, lane->n++) = (Answer){.at = 1e18, .due = due, .line = at};
    lane->n_new++;
}

static void read_line(Sim *sim, int at)
{
    Line *line = &sim->lines[at];
    uint32_t piece = sim->sheds ? pace_piece(&line->pace) : 0;
    if (line->waits > 0 && line->floods && !piece)
        piece = PACE_PIECE;
    int n_before = (int)line->sent.n;
    sim->busy += sim->shape.socket;
    for (int left = piece ? (int)piece / CALL_BYTES : INT32_MAX; line->sent.n && left; left--) {
        double due = pop(&line->sent);
        bool admitted =
            !sim->sheds || shedding_admits(&sim->shedding, line->impact, random_next(&sim->random));
        if (sim->sheds)
            pace_count(&line->pace, admitted);
        sim->busy += admitted ? sim->shape.call / 2 : sim->shape.refusal;
        if (admitted) {
            ask(sim, at, due);
            continue;
        }
        sim->refused[line->impact]++;
        line->in_flight--;
    }
    line->waits = 0;
    line->floods = n_before - (int)line->sent.n >= 4;
    sim->written[at] = true;
}

static void rest(Sim *sim, Line *line)
{
    if (!sim->sheds) {
        line->pace = (Pace){0};
        return;
    }
    int64_t rest = pace_next(&line->pace, sim->limits.pause, random_next(&sim->random));
    if (shedding_spares(&sim->shedding, line->impact))
        line->pace = (Pace){0};
    else if (rest)
        line->rests_until = sim->now + (double)rest / 1000;
    if (line->rests_until > sim->now)
        shedding_leave_unread(&sim->shedding);
}

static bool is_read(const Sim *sim, const Line *line)
{
    return line->sent.n && !(sim->sheds && line->rests_until > sim->now);
}

/* What came from the service before the turn. */
static bool has_answer(Lane *lane, double now)
{
    return lane->n_read < lane->n && call_at(lane, lane->n_read)->at <= now;
}

/* Until the turn has lasted for so long. */
static void read_answers(Sim *sim, Lane *lane, double until)
{
    sim->busy += has_answer(lane, sim->now) ? sim->shape.socket : 0;
    for (; has_answer(lane, sim->now) && sim->busy < until; lane->n_read++) {
        sim->written[call_at(lane, lane->n_read)->line] = true;
        sim->busy += sim->shape.call / 2;
    }
}

static double answered_at(const Sim *sim)
{
    double at = sim->now + sim->busy + SERVICE_US;
    return sim->rest > 0 ? ceil(at / sim->rest) * sim->rest : at;
}

static void flush(Sim *sim)
{
    for (int i = 0; i < sim->shape.lines; i++) {
        sim->busy += sim->written[i] ? sim->shape.socket : 0;
        sim->written[i] = false;
    }
    for (Lane *lane = sim->lanes; lane < sim->lanes + LANES; lane++) {
        for (; lane->n_read; lane->n_read--, lane->n--)
            answer(sim, &lane->items[lane->first++ % MOST_CALLS]);
        sim->busy += lane->n_new ? sim->shape.socket : 0;
        for (; lane->n_new; lane->n_new--)
            call_at(lane, lane->n - lane->n_new)->at = answered_at(sim);
    }
}

/* Whether a line that has input is not read now. */
static bool has_to_wait(Sim *sim, int at)
{
    Line *line = &sim->lines[at];
    if (sim->unordered || line->impact == IMPACT_CATASTROPHIC)
        return false;
    if (line->waits > 0)
        return true;
    if (sim->busy > LONG_TURN_US)
        sim->crowded_until = sim->now + 100e3;
    if (sim->crowded_until > 0) {
        line->waits = sim->now;
        sim->queues[line->impact][sim->n_queued[line->impact]++] = at;
    }
    return line->waits > 0;
}

static void read_now(Sim *sim, int at)
{
    read_line(sim, at);
    rest(sim, &sim->lines[at]);
}

/* Those of one rank, while there is time, and one that has waited for long. */
static void read_waiting(Sim *sim, int rank)
{
    int n = 0;
    for (; n < sim->n_queued[rank]; n++) {
        int at = sim->queues[rank][n];
        bool is_due = n == 0 && sim->now - sim->lines[at].waits >= PATIENCE_US;
        if (!is_due && sim->busy >= READ_US)
            break;
        if (is_read(sim, &sim->lines[at]))
            read_now(sim, at);
        sim->lines[at].waits = 0;
    }
    sim->n_queued[rank] -= n;
    memmove(sim->queues[rank], sim->queues[rank] + n, (size_t)sim->n_queued[rank] * sizeof(int));
}

/* As read_order_run. */
static void read_others(Sim *sim)
{
    Lane *lane = &sim->lanes[OTHER];
    flush(sim);
    read_answers(sim, lane, sim->busy < READ_US ? READ_US : sim->busy + 1);
    for (int rank = IMPACT_HIGH; rank >= IMPACT_LOW; rank--)
        read_waiting(sim, rank);
    if (has_answer(lane, sim->now) || sim->n_queued[IMPACT_LOW] || sim->n_queued[IMPACT_HIGH])
        sim->crowded_until = sim->now + 100e3;
    else if (sim->now > sim->crowded_until)
        sim->crowded_until = 0;
}

static double longest_wait(const Sim *sim)
{
    double longest = 0;
    for (int rank = IMPACT_LOW; rank <= IMPACT_HIGH; rank++) {
        double since = sim->n_queued[rank] ? sim->lines[sim->queues[rank][0]].waits : sim->now;
        longest = sim->now - since > longest ? sim->now - since : longest;
    }
    return longest;
}

static void turn(Sim *sim)
{
    sim->busy = 0;
    clients(sim);
    read_answers(sim, &sim->lanes[URGENT], 1e18);
    if (!sim->crowded_until)
        read_answers(sim, &sim->lanes[OTHER], 1e18);
    for (int i = 0; i < sim->shape.lines; i++)
        if (is_read(sim, &sim->lines[i]) && !has_to_wait(sim, i))
            read_now(sim, i);
    if (sim->crowded_until > 0)
        read_others(sim);
    flush(sim);
    double slept = sim->busy > 0 ? 0 : 20, busy = sim->busy > 0 ? sim->busy + TURN_US : 0;
    sim->now += slept + busy;
    shedding_turn(&sim->shedding, &sim->limits,
                  &(LoopTurn){.ended = (int64_t)(sim->now * 1000),
                              .slept = (int64_t)(slept * 1000),
                              .busy = (int64_t)(busy * 1000),
                              .waited = (int64_t)(longest_wait(sim) * 1000)});
    sim->sheds = sim->limits.shed && shedding_on(&sim->shedding);
}

static void forget(Sim *sim)
{
    sim->since = sim->now;
    memset(sim->due, 0, sizeof sim->due);
    memset(sim->good, 0, sizeof sim->good);
    memset(sim->refused, 0, sizeof sim->refused);
    memset(sim->took, 0, sizeof sim->took);
}

static void run(Sim *sim, double seconds)
{
    for (double until = sim->now + seconds * 1e6; sim->now < until;)
        turn(sim);
}

/* Calls in a second. */
static double goodput(const Sim *sim)
{
    uint64_t n = 0;
    for (int i = 0; i < IMPACTS; i++)
        n += sim->good[i];
    return (double)n / (sim->now - sim->since) * 1e6;
}

/* Of catastrophic calls, in microseconds. */
static double p99(const Sim *sim)
{
    uint64_t n = 0, left = sim->good[IMPACT_CATASTROPHIC] / 100;
    int bucket = BUCKETS;
    while (bucket > 0 && n <= left)
        n += sim->took[--bucket];
    return bucket * 10.0;
}

static void offer(Sim *sim, double rate)
{
    static const double shares[IMPACTS] = {0.7, 0.2, 0.1};
    sim->closed = 0;
    for (int i = 0; i < IMPACTS; i++) {
        sim->rates[i] = rate * shares[i];
        sim->next_due[i] = sim->now;
    }
}

static double capacity(Shape shape)
{
    Sim *sim = sim_new(shape);
    sim->limits.shed = false;
    sim->closed = shape.closed;
    run(sim, 0.2);
    forget(sim);
    run(sim, 0.5);
    double rate = goodput(sim);
    sim_free(sim);
    return rate;
}

static Sim *overloaded(Sim *sim, double rate)
{
    offer(sim, 3 * rate);
    run(sim, 1.5);
    forget(sim);
    run(sim, 2);
    assert_int_equal(sim->refused[IMPACT_CATASTROPHIC], 0);
    assert_true(sim->good[IMPACT_CATASTROPHIC] > sim->due[IMPACT_CATASTROPHIC] * 998 / 1000);
    return sim;
}

static void
at_three_times_the_capacity_most_of_it_is_used_and_catastrophic_calls_are_quick(void **state)
{
    static const Shape *const shapes[] = {&http2, &http1};
    for (int i = 0; i < 2; i++) {
        double rate = capacity(*shapes[i]);
        Sim *sim = overloaded(sim_new(*shapes[i]), rate);
        assert_true(goodput(sim) > 0.9 * rate);
        assert_true(sim->good[IMPACT_HIGH] > sim->due[IMPACT_HIGH] / 10 * 9);
        assert_true(p99(sim) < 1200);
        sim_free(sim);
    }
}

/* A service that shares its processor. */
static Sim *overloaded_with_rests(Shape shape, double rate, bool one_lane)
{
    Sim *sim = sim_new(shape);
    sim->rest = 1000;
    sim->one_lane = one_lane;
    return overloaded(sim, rate);
}

static void also_if_the_responses_of_the_service_come_many_at_a_time(void **state)
{
    static const Shape *const shapes[] = {&http2, &http1};
    for (int i = 0; i < 2; i++) {
        double rate = capacity(*shapes[i]);
        Sim *sim = overloaded_with_rests(*shapes[i], rate, false);
        assert_true(goodput(sim) > 0.9 * rate);
        assert_true(p99(sim) < 2000);
        sim_free(sim);
    }
}

static void
with_one_connection_of_the_service_for_all_urgent_responses_wait_for_others(void **state)
{
    Sim *sim = overloaded_with_rests(http2, capacity(http2), true);
    assert_true(p99(sim) > 2400);
    sim_free(sim);
}

static void also_in_the_first_second(void **state)
{
    double rate = capacity(http2);
    Sim *sim = sim_new(http2);
    offer(sim, 3 * rate);
    run(sim, 1);
    assert_true(p99(sim) < 4000);
    sim_free(sim);
}

static void without_an_order_of_reading_rests_keep_most_of_it(void **state)
{
    double rate = capacity(http2);
    Sim *sim = sim_new(http2);
    sim->unordered = true;
    overloaded(sim, rate);
    assert_true(goodput(sim) > 0.87 * rate);
    assert_true(sim->good[IMPACT_HIGH] > sim->due[IMPACT_HIGH] / 10 * 9);
    assert_true(p99(sim) < 3500);
    sim_free(sim);
}

static void without_rests_either_refusals_take_much_of_it(void **state)
{
    double rate = capacity(http2);
    Sim *sim = sim_new(http2);
    sim->unordered = true;
    sim->limits.pause = 0;
    overloaded(sim, rate);
    assert_true(goodput(sim) < 0.75 * rate);
    sim_free(sim);
}

static void without_an_order_all_wait_alike_whose_clients_have_one_call_each(void **state)
{
    double rate = capacity(http1);
    Sim *sim = sim_new(http1);
    sim->unordered = true;
    overloaded(sim, rate);
    assert_int_equal(sim->refused[IMPACT_LOW], 0);
    assert_true(p99(sim) > 10000);
    sim_free(sim);
}

static void a_second_afterwards_nothing_is_refused_or_late(void **state)
{
    double rate = capacity(http2);
    Sim *sim = overloaded(sim_new(http2), rate);
    for (int i = 0; i < IMPACTS; i++)
        sim->rates[i] /= 30;
    run(sim, 1.1); /* by then what has waited with the clients is answered or given up */
    forget(sim);
    run(sim, 1);
    for (int i = 0; i < IMPACTS; i++)
        assert_int_equal(sim->refused[i], 0);
    assert_true(p99(sim) < 1000);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_connection_rests_twice_as_long_each_time_that_many_of_its_calls_are_refused),
        cmocka_unit_test(it_rests_half_as_long_each_time_that_hardly_any_is_refused),
        cmocka_unit_test(after_bytes_without_calls_it_goes_on_at_once),
        cmocka_unit_test(not_all_connections_come_back_at_once),
        cmocka_unit_test(pieces_are_read_unless_nothing_is_admitted_at_the_longest_rest),
        cmocka_unit_test(without_a_pause_nothing_rests),
        cmocka_unit_test(
            at_three_times_the_capacity_most_of_it_is_used_and_catastrophic_calls_are_quick),
        cmocka_unit_test(also_if_the_responses_of_the_service_come_many_at_a_time),
        cmocka_unit_test(
            with_one_connection_of_the_service_for_all_urgent_responses_wait_for_others),
        cmocka_unit_test(also_in_the_first_second),
        cmocka_unit_test(without_an_order_of_reading_rests_keep_most_of_it),
        cmocka_unit_test(without_rests_either_refusals_take_much_of_it),
        cmocka_unit_test(without_an_order_all_wait_alike_whose_clients_have_one_call_each),
        cmocka_unit_test(a_second_afterwards_nothing_is_refused_or_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
