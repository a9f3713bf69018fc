#include "base/arena.h"
#include "base/clock.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/metrics_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_LABELS = 9 };

static const ServiceCounters *service_of(const Telemetry *loop, uint32_t number)
{
    return atomic_load_explicit(&loop->services[number], memory_order_acquire);
}

/* The three labels of a method; returns how many. */
static size_t method_labels(const TelemetryProcess *p, uint32_t number, const char *version_label,
                            Label *labels)
{
    labels[0] = (Label){"service", series_label(p, SERIES_METHOD, number, 0)};
    labels[1] = (Label){"method", series_label(p, SERIES_METHOD, number, 1)};
    labels[2] = (Label){version_label, series_label(p, SERIES_METHOD, number, 2)};
    return 3;
}

/* ---- Counts by key, over all loops ----------------------------------------------------------- */

typedef struct KeyCount {
    uint64_t key, count;
} KeyCount;

typedef struct KeyCounts {
    KeyCount *items;
    size_t n, capacity;
    Arena *arena;
} KeyCounts;

static void gather(KeyCounts *counts, const CountCells *cells)
{
    const CountCell *cell = atomic_load_explicit(&cells->first, memory_order_acquire);
    for (; cell; cell = atomic_load_explicit(&cell->next, memory_order_relaxed)) {
        if (counts->n == counts->capacity) {
            size_t capacity = counts->capacity ? counts->capacity * 2 : 64;
            counts->items = arena_grow(counts->arena, counts->items, counts->n * sizeof(KeyCount),
                                       capacity * sizeof(KeyCount));
            CHECK(counts->items); /* the arena has no limit */
            counts->capacity = capacity;
        }
        counts->items[counts->n++] = (KeyCount){cell->key, count_read(&cell->count)};
    }
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const KeyCount *)a)->key, y = ((const KeyCount *)b)->key;
    return (x > y) - (x < y);
}

/* Merges the items of each key. */
static void fold(KeyCounts *counts)
{
    size_t kept = 0;
    if (counts->n == 0)
        return;
    qsort(counts->items, counts->n, sizeof(KeyCount), by_key);
    for (size_t i = 1; i < counts->n; i++) {
        if (counts->items[i].key == counts->items[kept].key)
            counts->items[kept].count += counts->items[i].count;
        else
            counts->items[++kept] = counts->items[i];
    }
    counts->n = kept + 1;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void write_other_calls(Exposition *e, Label *labels, uint64_t count)
{
    static const char *const names[] = {"client_version", "served_version", "dialect",
                                        "code",           "fault",          "degraded"};
    for (int i = 0; i < 6; i++)
        labels[2 + i] = (Label){names[i], "other"};
    exposition_number(e, "", labels, 8, count);
}

static void write_calls_of(Exposition *e, const TelemetryProcess *p, uint32_t number,
                           KeyCounts *counts)
{
    counts->n = 0;
    for (const Telemetry *loop = p->loops; loop; loop = loop->next) {
        const MethodCounters *m = method_counters(loop, number);
        if (m)
            gather(counts, &m->calls);
    }
    fold(counts);
    for (size_t i = 0; i < counts->n; i++) {
        CallKey key = call_key_of(counts->items[i].key);
        Label labels[MAX_LABELS];
        size_t n = method_labels(p, number, "client_version", labels);
        if (counts->items[i].key == CELL_OTHER) {
            write_other_calls(e, labels, counts->items[i].count);
            continue;
        }
        labels[2].value = series_label(p, SERIES_VERSION, key.client_version, 0);
        labels[n++] =
            (Label){"served_version", series_label(p, SERIES_VERSION, key.served_version, 0)};
        labels[n++] = (Label){"dialect", dialect_name(key.dialect)};
        labels[n++] = (Label){"code", code_name(key.code)};
        labels[n++] = (Label){"fault", key.fault ? fault_table[key.fault - 1]->name : ""};
        labels[n++] = (Label){"degraded", key.by ? "true" : "false"};
        if (key.by)
            labels[n++] = (Label){"by", fallback_name(key.by - 1)};
        exposition_number(e, "", labels, n, counts->items[i].count);
    }
}

static void write_calls(Exposition *e, const TelemetryProcess *p, Arena *arena)
{
    KeyCounts counts = {.arena = arena};
    exposition_family(e, "passerelle_calls", METRIC_COUNTER,
                      "Finished calls by outcome; degraded ones had a fallback's response, by its "
                      "kind, instead of an error.");
    for (uint32_t number = 0; number < p->series[SERIES_METHOD].n; number++)
        write_calls_of(e, p, number, &counts);
}

static const char *side_name(FaultSide side)
{
    static const char *const names[] = {"client", "gateway", "upstream"};
    return names[side];
}

static void write_other_errors(Exposition *e, const char *service, uint64_t count)
{
    Label labels[] = {{"service", service},
                      {"fault", "other"},
                      {"side", "other"},
                      {"origin", "other"},
                      {"degraded", "other"}};
    exposition_number(e, "", labels, 5, count);
}

static void write_errors_of(Exposition *e, const TelemetryProcess *p, uint32_t number,
                            KeyCounts *counts)
{
    counts->n = 0;
    for (const Telemetry *loop = p->loops; loop; loop = loop->next) {
        const ServiceCounters *s = service_of(loop, number);
        if (s)
            gather(counts, &s->errors);
    }
    fold(counts);
    for (size_t i = 0; i < counts->n; i++) {
        if (counts->items[i].key == CELL_OTHER) {
            write_other_errors(e, series_label(p, SERIES_SERVICE, number, 0),
                               counts->items[i].count);
            continue;
        }
        ErrorKey key = error_key_of(counts->items[i].key);
        const Fault *fault = fault_table[key.fault];
        Label labels[] = {
            {"service", series_label(p, SERIES_SERVICE, number, 0)},
            {"fault", fault->name},
            {"side", side_name(key.side)},
            {"origin", fault_table[key.origin]->name},
            {"degraded", key.by ? "true" : "false"},
            {"by", key.by ? fallback_name(key.by - 1) : ""},
        };
        size_t n = sizeof labels / sizeof *labels - !key.by;
        exposition_number(e, "", labels, n, counts->items[i].count);
    }
}

static void write_errors(Exposition *e, const TelemetryProcess *p, Arena *arena)
{
    KeyCounts counts = {.arena = arena};
    exposition_family(e, "passerelle_errors", METRIC_COUNTER,
                      "Failed calls by fault, by responsible side and by root cause.");
    for (uint32_t number = 0; number < p->series[SERIES_SERVICE].n; number++)
        write_errors_of(e, p, number, &counts);
}

static uint64_t sum_outcome(const TelemetryProcess *p, uint32_t number, Impact impact,
                            Outcome outcome)
{
    uint64_t sum = 0;
    for (const Telemetry *loop = p->loops; loop; loop = loop->next) {
        const ServiceCounters *s = service_of(loop, number);
        sum += s ? count_read(&s->outcomes[impact][outcome]) : 0;
    }
    return sum;
}

static void write_outcomes_of(Exposition *e, const TelemetryProcess *p, uint32_t number,
                              Impact impact)
{
    static const char *const outcomes[OUTCOMES] = {"good", "degraded", "client", "failed"};
    for (Outcome outcome = 0; outcome < OUTCOMES; outcome++) {
        Label labels[] = {{"service", series_label(p, SERIES_SERVICE, number, 0)},
                          {"impact", impact_name(impact)},
                          {"outcome", outcomes[outcome]}};
        exposition_number(e, "", labels, 3, sum_outcome(p, number, impact, outcome));
    }
}

/* Also those that have not happened: a rate needs the number from before the first failure. */
static void write_outcomes(Exposition *e, const TelemetryProcess *p)
{
    exposition_family(e, "passerelle_outcomes", METRIC_COUNTER,
                      "Finished calls by the impact of their route and by how they ended: good, "
                      "degraded, failed by the client's mistake, failed.");
    for (uint32_t number = 0; number < p->series[SERIES_SERVICE].n; number++)
        for (int impact = 0; impact < IMPACTS; impact++)
            if (p->impacts[number] & 1 << impact)
                write_outcomes_of(e, p, number, (Impact)impact);
}

static void write_refused_retries(Exposition *e, const TelemetryProcess *p)
{
    exposition_family(e, "passerelle_retries_refused", METRIC_COUNTER,
                      "Calls that had no other attempt only for this reason.");
    for (uint32_t number = 0; number < p->series[SERIES_SERVICE].n; number++) {
        for (RetryRefusal refusal = RETRY_NOT_REFUSED + 1; refusal < RETRY_REFUSALS; refusal++) {
            uint64_t sum = 0;
            for (const Telemetry *loop = p->loops; loop; loop = loop->next) {
                const ServiceCounters *s = service_of(loop, number);
                sum += s ? count_read(&s->retries_refused[refusal]) : 0;
            }
            Label labels[] = {{"service", series_label(p, SERIES_SERVICE, number, 0)},
                              {"reason", retry_refusal_name(refusal)}};
            if (sum)
                exposition_number(e, "", labels, 2, sum);
        }
    }
}

/* ---- Durations ------------------------------------------------------------------------------- */

/* The newest of all loops. */
static void read_exemplars(const MethodCounters *m, Exemplar *newest)
{
    ExemplarCell *cells = atomic_load_explicit(&m->exemplars, memory_order_acquire);
    for (int i = 0; cells && i <= DURATION_BOUNDS; i++)
        exemplar_read(&cells[i], &newest[i]);
}

static void write_durations_of(Exposition *e, const TelemetryProcess *p, uint32_t number)
{
    uint64_t buckets[DURATION_BOUNDS + 1] = {0}, sum = 0, seen = 0;
    Exemplar exemplars[DURATION_BOUNDS + 1] = {0};
    NativeCounts native = {0};
    bool any = false;
    for (const Telemetry *loop = p->loops; loop; loop = loop->next) {
        const MethodCounters *m = method_counters(loop, number);
        if (!m)
            continue;
        any = true;
        sum += count_read(&m->duration_sum);
        for (int i = 0; i <= DURATION_BOUNDS; i++)
            buckets[i] += count_read(&m->durations[i]);
        read_exemplars(m, exemplars);
        method_durations_add(&native, m, NULL);
    }
    if (!any)
        return;

    Label labels[MAX_LABELS];
    size_t n = method_labels(p, number, "version", labels);
    for (int i = 0; i <= DURATION_BOUNDS; i++) {
        char bound[32] = "+Inf";
        if (i < DURATION_BOUNDS)
            snprintf(bound, sizeof bound, "%g", (double)duration_bounds[i] / (double)SECOND);
        seen += buckets[i];
        labels[n] = (Label){"le", bound};
        exposition_bucket(e, labels, n + 1, seen, exemplars[i].at ? &exemplars[i] : NULL);
    }
    exposition_seconds(e, "_sum", labels, n, (int64_t)sum);
    exposition_number(e, "_count", labels, n, seen);
    exposition_native(e, &native);
}

static void write_durations(Exposition *e, const TelemetryProcess *p)
{
    exposition_family(e, "passerelle_call_duration_seconds", METRIC_HISTOGRAM,
                      "Time from the first byte of a call to its end.");
    for (uint32_t number = 0; number < p->series[SERIES_METHOD].n; number++)
        write_durations_of(e, p, number);
}

static void write_quantiles_of(Exposition *e, const TelemetryProcess *p, uint32_t number,
                               Histogram *sum)
{
    static const struct {
        double quantile;
        const char *label;
    } quantiles[] = {{0.5, "0.5"}, {0.9, "0.9"}, {0.99, "0.99"}, {0.999, "0.999"}};

    memset(sum, 0, sizeof *sum);
    for (const Telemetry *loop = p->loops; loop; loop = loop->next) {
        const ServiceCounters *s = service_of(loop, number);
        if (s)
            histogram_merge(sum, &s->durations);
    }
    uint64_t count = histogram_count(sum);
    if (count == 0)
        return;
    Label labels[2] = {{"service", series_label(p, SERIES_SERVICE, number, 0)}};
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        labels[1] = (Label){"quantile", quantiles[i].label};
        exposition_seconds(e, "", labels, 2,
                           (int64_t)histogram_quantile(sum, quantiles[i].quantile));
    }
    exposition_seconds(e, "_sum", labels, 1, (int64_t)histogram_sum(sum));
    exposition_number(e, "_count", labels, 1, count);
}

static void write_quantiles(Exposition *e, const TelemetryProcess *p, Arena *arena)
{
    Histogram *sum = arena_make(arena, Histogram);
    exposition_family(e, "passerelle_service_duration_seconds", METRIC_SUMMARY,
                      "The same by service, as quantiles since the start (within 2 percent).");
    for (uint32_t number = 0; number < p->series[SERIES_SERVICE].n; number++)
        write_quantiles_of(e, p, number, sum);
}

/* ---- Sums by method -------------------------------------------------------------------------- */

static const struct {
    const char *name, *help;
    size_t offset;
} method_sums[] = {
    {"passerelle_received_bytes", "Bytes of request messages.", offsetof(MethodCounters, bytes_in)},
    {"passerelle_sent_bytes", "Bytes of response messages.", offsetof(MethodCounters, bytes_out)},
    {"passerelle_received_messages", "Request messages.", offsetof(MethodCounters, messages_in)},
    {"passerelle_sent_messages", "Response messages.", offsetof(MethodCounters, messages_out)},
    {"passerelle_unknown_fields", "Fields that the message's type does not have.",
     offsetof(MethodCounters, unknown_fields)},
    {"passerelle_call_losses", "Losses of conversions, by method.",
     offsetof(MethodCounters, losses)},
};

static void write_method_sums(Exposition *e, const TelemetryProcess *p, size_t sum_index)
{
    exposition_family(e, method_sums[sum_index].name, METRIC_COUNTER, method_sums[sum_index].help);
    for (uint32_t number = 0; number < p->series[SERIES_METHOD].n; number++) {
        uint64_t sum = 0;
        for (const Telemetry *loop = p->loops; loop; loop = loop->next) {
            const MethodCounters *m = method_counters(loop, number);
            if (m)
                sum += count_read((const Count *)((const char *)m + method_sums[sum_index].offset));
        }
        Label labels[MAX_LABELS];
        if (sum)
            exposition_number(e, "", labels, method_labels(p, number, "version", labels), sum);
    }
}

/* ---- Losses ---------------------------------------------------------------------------------- */

static void write_losses(Exposition *e, TelemetryProcess *p, Arena *arena)
{
    uint64_t *sums = arena_array(arena, uint64_t, SERIES_LIMIT);
    memcpy(sums, p->losses, sizeof p->losses);
    for (const Generation *g = p->generations; g; g = g->next)
        telemetry_add_losses(p, g->config, sums);

    exposition_family(e, "passerelle_losses", METRIC_COUNTER,
                      "Fields that a conversion dropped, narrowed or filled in, by path.");
    for (uint32_t number = 0; number < p->series[SERIES_LOSS].n; number++) {
        static const char *const names[SERIES_LABELS] = {"service", "from", "to", "field", "kind"};
        Label labels[SERIES_LABELS];
        for (uint32_t i = 0; i < SERIES_LABELS; i++)
            labels[i] = (Label){names[i], series_label(p, SERIES_LOSS, number, i)};
        if (sums[number])
            exposition_number(e, "", labels, SERIES_LABELS, sums[number]);
    }
}

/* ---- What had no room ------------------------------------------------------------------------ */

static void write_beyond(Exposition *e, const TelemetryProcess *p)
{
    static const char *const kinds[SERIES_KINDS] = {"method", "service", "version", "loss",
                                                    "event"};
    exposition_family(
        e, "passerelle_series_other", METRIC_COUNTER,
        "How often there was no room for further labels, so that they are \"other\".");
    for (int kind = 0; kind < SERIES_KINDS; kind++)
        if (kind != SERIES_EVENT)
            exposition_number(e, "", &(Label){"kind", kinds[kind]}, 1, p->series[kind].beyond);
    uint64_t calls = 0;
    for (const Telemetry *loop = p->loops; loop; loop = loop->next)
        calls += count_read(&loop->cells_beyond);
    exposition_number(e, "", &(Label){"kind", "call"}, 1, calls);
}

void metrics_write_calls(Exposition *e, TelemetryProcess *process, Arena *arena)
{
    write_calls(e, process, arena);
    write_errors(e, process, arena);
    write_outcomes(e, process);
    write_refused_retries(e, process);
    write_durations(e, process);
    write_quantiles(e, process, arena);
    for (size_t i = 0; i < sizeof method_sums / sizeof *method_sums; i++)
        write_method_sums(e, process, i);
    write_losses(e, process, arena);
    write_beyond(e, process);
}

/* ---- Totals of methods ---------------------------------------------------------------------- */

static bool has_failed(uint64_t key)
{
    CallKey call = call_key_of(key);
    return call.by || (call.code != CODE_OK && !call_key_is_mistake(&call));
}

static void add_cells(MethodTotals *totals, const CountCells *cells)
{
    const CountCell *cell = atomic_load_explicit(&cells->first, memory_order_acquire);
    for (; cell; cell = atomic_load_explicit(&cell->next, memory_order_relaxed)) {
        uint64_t n = count_read(&cell->count);
        totals->calls += n;
        totals->failures += cell->key != CELL_OTHER && has_failed(cell->key) ? n : 0;
    }
}

static void add_loop(MethodTotals *totals, const Telemetry *loop, uint32_t number)
{
    const MethodCounters *m = method_counters(loop, number);
    if (!m)
        return;
    add_cells(totals, &m->calls);
    totals->losses += count_read(&m->losses);
    totals->seconds += (double)count_read(&m->duration_sum) / (double)SECOND;
}

void method_totals_read(void (*read)(void *owner, const MethodTotals *totals), void *owner)
{
    TelemetryProcess *p = telemetry_lock();
    if (!p)
        return;
    const SeriesSet *methods = &p->series[SERIES_METHOD];
    for (uint32_t number = 0; number < methods->n; number++) {
        MethodTotals totals = {.service = series_text(methods, number, 0),
                               .method = series_text(methods, number, 1),
                               .version = series_text(methods, number, 2)};
        for (const Telemetry *loop = p->loops; loop; loop = loop->next)
            add_loop(&totals, loop, number);
        if (totals.calls)
            read(owner, &totals);
    }
    telemetry_unlock();
}
