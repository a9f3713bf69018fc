#include "gateway/health/judge.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/handover/handover.h"
#include "gateway/healing/healing.h"
#include "gateway/instances/ejection_text.h"
#include "gateway/instances/instance_counts.h"
#include "gateway/instances/instance_set.h"
#include "gateway/telemetry/telemetry.h"

#include <stdlib.h>
#include <string.h>

/* What is judged of one service, over reloads. */
typedef struct Bench {
    char *service; /* its name */
    JudgedService judged;
    bool begun; /* its first instances are known: those that come now have joined */
} Bench;

/* An instance that gets no calls, as operators were told. */
typedef struct Told {
    KnownInstance *known; /* a reference */
    char *service;
    HealingAct act; /* HEALING_EJECT or HEALING_CHECK */
} Told;

/* What a gateway leaves to the one after it: ejection_text.h. */
static const char blob[] = "ejections";

/* What is wrong where they are used, though they fail. */
static const char last_ones[] = "the last ones of a version";

struct Judge {
    uv_timer_t timer;
    Config *config;
    Bench *benches; /* by index of the service */
    uint32_t n_benches;
    KnownInstance **known; /* those of the service at hand, with room for `capacity`, */
    Judged **all;          /* and what is known of each */
    uint32_t n, capacity;
    Told *told;
    uint32_t n_told, told_capacity;
    uint64_t turn; /* of looks: an instance is judged once in each */
    Random random;
};

/* ---- Telling --------------------------------------------------------------------------------- */

static void begin(const char *service, const Judged *judged, const char *address, int64_t now)
{
    const Sample *mine = &judged->mine, *others = &judged->others;
    double seconds = (double)(judged->until - now) / SECOND;
    if (judged->inherited) {
        healing_begin(HEALING_EJECT, service, address, OK,
                      "for %.0f s: the gateway before this one has ejected it (%s)", seconds,
                      outlier_reason_name(judged->reason));
        return;
    }
    switch (judged->reason) {
    case OUTLIER_NOT: break;
    case OUTLIER_IN_A_ROW:
        healing_begin(HEALING_EJECT, service, address, OK,
                      "for %.0f s: %u calls in a row failed, and %.0f of %.0f to other instances",
                      seconds, judged->reason_row, others->failures, others->calls);
        break;
    case OUTLIER_FAILURES:
        healing_begin(HEALING_EJECT, service, address, OK,
                      "for %.0f s: %.0f of %.0f calls failed, and %.0f of %.0f to other instances",
                      seconds, mine->failures, mine->calls, others->failures, others->calls);
        break;
    case OUTLIER_SLOW:
        healing_begin(HEALING_EJECT, service, address, OK,
                      "for %.0f s: %.0f responses took %.0f ms on average, and %.0f of other "
                      "instances %.0f ms",
                      seconds, mine->timed, sample_time(mine) / MILLISECOND, others->timed,
                      sample_time(others) / MILLISECOND);
        break;
    case OUTLIER_SILENT:
        healing_begin(HEALING_EJECT, service, address, OK,
                      "for %.0f s: %u calls in a row got no response before another instance gave "
                      "one; %.0f of %.0f to other instances",
                      seconds, judged->reason_row, others->unanswered,
                      others->calls + others->unanswered);
        break;
    case OUTLIER_REASONS: break;
    }
}

static void add_told(Judge *judge, KnownInstance *known, const char *service, HealingAct act)
{
    if (judge->n_told == judge->told_capacity) {
        judge->told_capacity = judge->told_capacity ? 2 * judge->told_capacity : 8;
        judge->told = realloc(judge->told, judge->told_capacity * sizeof *judge->told);
        CHECK(judge->told);
    }
    handover_changed(blob);
    judge->told[judge->n_told++] =
        (Told){.known = known_instance_ref(known), .service = text_copy(service), .act = act};
}

static void begin_check(const Service *service, const KnownInstance *known)
{
    if (!healing_goes_on(HEALING_CHECK, service->name, known->address.text))
        healing_begin(HEALING_CHECK, service->name, known->address.text, OK,
                      "%u checks in a row have failed: %s", service->check.unhealthy_after,
                      check_result_name((CheckResult)known->unhealthy));
}

static void tell_out(Judge *judge, KnownInstance *known, const Service *service, int64_t now)
{
    Judged *judged = &known->judged;
    const char *address = known->address.text;
    if (judged_is_ejected(judged) && !known->told_ejected) {
        known->told_ejected = true;
        if (!healing_goes_on(HEALING_EJECT, service->name, address))
            begin(service->name, judged, address, now);
        add_told(judge, known, service->name, HEALING_EJECT);
    }
    if (judged->barred_unhealthy && !known->told_unhealthy) {
        known->told_unhealthy = true;
        begin_check(service, known);
        add_told(judge, known, service->name, HEALING_CHECK);
    }
}

/* NULL: nothing has ended. */
static const char *why_ended(const Judge *judge, const Told *told)
{
    const Judged *judged = &told->known->judged;
    if (told->known->judged_in != judge->turn)
        return "it has left the service";
    if (told->act == HEALING_EJECT ? judged_is_ejected(judged) : judged->barred_unhealthy)
        return NULL;
    if (told->act == HEALING_CHECK && !judged->unhealthy)
        return "its checks are good again";
    if (told->act == HEALING_EJECT && judged->news == EJECTION_PARDONED)
        return "an operator has returned it";
    if (judged->needed)
        return "no other instance of its version can be used";
    return told->act == HEALING_EJECT && judged->news == EJECTION_ENDED
               ? "its time is over"
               : "it is used like all instances";
}

static void set_bars(KnownInstance *known, bool ejected, bool unhealthy)
{
    known_instance_bar(known, BAR_EJECTED, ejected);
    known_instance_bar(known, BAR_UNHEALTHY, unhealthy);
}

static void let_go(Judge *judge, Told *told, const char *why)
{
    KnownInstance *known = told->known;
    healing_end(told->act, told->service, known->address.text, "%s", why);
    if (told->act == HEALING_EJECT)
        known->told_ejected = false;
    else
        known->told_unhealthy = false;
    if (known->judged_in != judge->turn)
        set_bars(known, false, false);
    known_instance_unref(known);
    free(told->service);
    handover_changed(blob);
}

static void tell_ends(Judge *judge)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < judge->n_told; i++) {
        Told told = judge->told[i];
        const char *why = why_ended(judge, &told);
        if (why)
            let_go(judge, &told, why);
        else
            judge->told[n++] = told;
    }
    judge->n_told = n;
}

/* Instances that fail are used: all of a service, or the last ones of a version. */
static void tell_all_used(const Service *service, const JudgedService *judged)
{
    const char *name = service->name;
    if (judged->all_used) {
        telemetry_event("warning", "instances_all_used", OK,
                        "%s: %u of %u instances fail, more than max_percent: %u; all are used",
                        name, judged->n_bad, judged->n, service->eject.max_percent);
        healing_begin(HEALING_ALL_USED, name, NULL, OK,
                      "%u of %u instances fail, more than max_percent: %u", judged->n_bad,
                      judged->n, service->eject.max_percent);
    } else {
        telemetry_event("info", "instances_all_used_over", OK,
                        "%s: %u of %u instances fail; those are no longer used", name,
                        judged->n_bad, judged->n);
        healing_end(HEALING_ALL_USED, name, NULL, "%u of %u instances fail", judged->n_bad,
                    judged->n);
    }
}

static void tell_needed(const Service *service, const JudgedService *judged)
{
    const char *name = service->name;
    if (judged->some_needed) {
        telemetry_event("warning", "instances_needed", OK,
                        "%s: %u of %u instances are used although they fail, since no other one "
                        "of their version can be used",
                        name, judged->n_needed, judged->n);
        healing_begin(HEALING_ALL_USED, name, last_ones, OK,
                      "%u of %u instances fail, and no other one of their version can be used",
                      judged->n_needed, judged->n);
    } else {
        telemetry_event("info", "instances_needed_over", OK,
                        "%s: each version has instances that can be used", name);
        healing_end(HEALING_ALL_USED, name, last_ones,
                    "each version has instances that can be used");
    }
}

/* The service is judged no longer. */
static void end_all_used(const Bench *bench)
{
    if (bench->judged.all_used)
        healing_end(HEALING_ALL_USED, bench->service, NULL, "it has left the config");
    if (bench->judged.some_needed)
        healing_end(HEALING_ALL_USED, bench->service, last_ones, "it has left the config");
}

/* ---- Judging --------------------------------------------------------------------------------- */

static void make_room(Judge *judge, uint32_t n)
{
    if (n <= judge->capacity)
        return;
    judge->capacity = n;
    judge->known = realloc(judge->known, n * sizeof *judge->known);
    judge->all = realloc(judge->all, n * sizeof *judge->all);
    CHECK(judge->known && judge->all);
}

/* Begins the slow start of those that were not there, or were down. */
static void watch_comings(KnownInstance *known, bool joins, int64_t now)
{
    bool down = atomic_load_explicit(&known->n_down, memory_order_relaxed) > 0;
    if ((joins && !known->was_seen) || (known->was_down && !down))
        known_instance_warm_up(known, now);
    known->was_seen = true;
    known->was_down = known->judged.down = down;
}

static bool is_aside(const Instance *instance)
{
    return (instance_barred(instance) & ~(uint32_t)BARS_OF_FAILURES) != 0;
}

/* In which arm of the service's rollout it is: who has the candidate gets it, or all others. */
static EjectionArm arm_of(const Service *service, const Instance *instance)
{
    const RolloutDefinition *rollout = service->rollout;
    bool speaks = rollout && rollout->version && instance->versions >> rollout->version->index & 1;
    return speaks || instance_is_candidate(service, instance) ? EJECTION_CANDIDATE
                                                              : EJECTION_BASELINE;
}

/* An instance of several services is judged in the first one. */
static void gather(Judge *judge, const InstanceSet *set, bool joins, int64_t now)
{
    judge->n = 0;
    make_room(judge, set->n);
    for (uint32_t i = 0; i < set->n; i++) {
        KnownInstance *known = set->instances[i]->known;
        if (known->judged_in == judge->turn)
            continue;
        known->judged_in = judge->turn;
        uint32_t row;
        Sample fresh = known_instance_look(known, &row);
        judged_observe(&known->judged, &fresh, row);
        known->judged.unhealthy = set->service->check.kind &&
                                  atomic_load_explicit(&known->unhealthy, memory_order_relaxed);
        known->judged.aside = is_aside(set->instances[i]);
        known->judged.versions = instance_lists(set->service, set->instances[i]);
        known->judged.arm = arm_of(set->service, set->instances[i]);
        watch_comings(known, joins, now);
        judge->known[judge->n] = known;
        judge->all[judge->n++] = &known->judged;
    }
}

static void apply(Judge *judge, KnownInstance *known, const Service *service, bool all_used,
                  int64_t now)
{
    Judged *judged = &known->judged;
    uint32_t before = atomic_load_explicit(&known->barred, memory_order_relaxed);
    bool is_out = judged_is_ejected(judged) || judged->barred_unhealthy;
    if (judged->news > EJECTION_BEGUN)
        known_instance_forget_row(known);
    if ((before & BARS_OF_FAILURES) && !is_out && !all_used && !judged->needed)
        known_instance_warm_up(known, now);
    set_bars(known, judged_is_ejected(judged), judged->barred_unhealthy);
    tell_out(judge, known, service, now);
}

static void judge_service(Judge *judge, Service *service, Bench *bench, int64_t now)
{
    InstanceSet *set = instance_set_of(service);
    JudgedService *judged = &bench->judged;
    gather(judge, set, bench->begun, now);
    bench->begun = true;
    judged->no_more_ejected = !healing_may(HEALING_EJECT, service->name);
    judged->no_more_unhealthy = !healing_may(HEALING_CHECK, service->name);
    ejections_judge(&service->eject, judged, judge->all, judge->n, now, &judge->random);
    for (uint32_t i = 0; i < judge->n; i++)
        apply(judge, judge->known[i], service, judged->all_used, now);
    atomic_store_explicit(&service->all_used, judged->all_used, memory_order_relaxed);
    if (judged->changed)
        tell_all_used(service, judged);
    if (judged->needs_changed)
        tell_needed(service, judged);
    instance_set_unref(set);
}

void judge_look(Judge *judge, int64_t now)
{
    judge->turn++;
    for (uint32_t i = 0; i < judge->n_benches; i++)
        judge_service(judge, &judge->config->services[i], &judge->benches[i], now);
    tell_ends(judge);
    if (judge->turn == 1) {
        healing_settle(HEALING_EJECT);
        healing_settle(HEALING_CHECK);
    }
}

static void on_timer(uv_timer_t *timer)
{
    judge_look(timer->data, clock_now());
}

/* ---- Lifetime -------------------------------------------------------------------------------- */

static void write_blob(void *owner, Buffer *out)
{
    (void)owner;
    ejections_write(out);
}

Judge *judge_new(uv_loop_t *loop)
{
    Judge *judge = calloc(1, sizeof *judge);
    CHECK(judge);
    CHECK(uv_timer_init(loop, &judge->timer) == 0);
    judge->timer.data = judge;
    random_seed(&judge->random);
    uint64_t every = EJECTION_EVERY / MILLISECOND;
    CHECK(uv_timer_start(&judge->timer, on_timer, every, every) == 0);
    handover_offer(blob, write_blob, NULL);
    return judge;
}

/* What is known of the service goes on. */
static Bench take_bench(Bench *before, uint32_t n, const char *service)
{
    for (uint32_t i = 0; i < n; i++) {
        if (before[i].service && strcmp(before[i].service, service) == 0) {
            Bench bench = before[i];
            before[i].service = NULL;
            return bench;
        }
    }
    return (Bench){.service = text_copy(service)};
}

static void free_benches(Bench *benches, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        free(benches[i].service);
    free(benches);
}

/* From the gateway before this one. */
static void inherit(void)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    uint32_t n = ejections_read(handover_take(blob, arena), clock_now());
    if (n)
        telemetry_event("info", "ejections_taken_over", OK,
                        "what was known of %u instances goes on", n);
    arena_free(arena);
}

void judge_use(Judge *judge, Config *config)
{
    if (!judge->config)
        inherit();
    Bench *before = judge->benches;
    uint32_t n_before = judge->n_benches;
    judge->config = config;
    judge->n_benches = config->n_services;
    judge->benches = calloc(config->n_services + 1, sizeof *judge->benches);
    CHECK(judge->benches);
    for (uint32_t i = 0; i < config->n_services; i++)
        judge->benches[i] = take_bench(before, n_before, config->services[i].name);
    for (uint32_t i = 0; i < n_before; i++)
        if (before[i].service)
            end_all_used(&before[i]);
    free_benches(before, n_before);
}

static void on_closed(uv_handle_t *timer)
{
    Judge *judge = timer->data;
    free_benches(judge->benches, judge->n_benches);
    for (uint32_t i = 0; i < judge->n_told; i++) {
        known_instance_unref(judge->told[i].known);
        free(judge->told[i].service);
    }
    free(judge->told);
    free(judge->known);
    free(judge->all);
    free(judge);
}

void judge_end(Judge *judge)
{
    handover_withdraw(blob);
    uv_close((uv_handle_t *)&judge->timer, on_closed);
}
