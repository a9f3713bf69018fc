#include "gateway/telemetry/metrics.h"

#include "base/arena.h"
#include "base/memory/budget.h"
#include "gateway/instances/instance_set.h"
#include "gateway/log_output/log_outputs.h"
#include "gateway/log_output/tail.h"
#include "gateway/loop/work_pool.h"
#include "gateway/telemetry/metrics_internal.h"

#include <pthread.h>
#include <stdlib.h>

/* ---- Connections ----------------------------------------------------------------------------- */

static const struct {
    const char *name, *help;
} counter_names[COUNTER_COUNT] = {
    [COUNTER_CONNECTIONS_OPENED] = {"passerelle_connections_opened",
                                    "Client connections accepted."},
    [COUNTER_CONNECTIONS_CLOSED] = {"passerelle_connections_closed", "Client connections ended."},
    [COUNTER_CONNECTIONS_REFUSED] = {"passerelle_connections_refused",
                                     "Client connections refused at the limit."},
    [COUNTER_HANDSHAKE_FAILED] = {"passerelle_handshakes_failed", "TLS handshakes that failed."},
    [COUNTER_CONNECTION_BROKEN] = {"passerelle_connections_broken",
                                   "Client connections ended because of a protocol error, or "
                                   "lost before all responses were sent."},
    [COUNTER_CONNECTION_LOST] = {"passerelle_connections_lost",
                                 "Client connections lost while no call was on them."},
    [COUNTER_CONNECTION_TIMEOUT] = {"passerelle_connection_timeouts",
                                    "Client connections ended by a timeout."},
    [COUNTER_UPSTREAM_CONNECTED] = {"passerelle_upstream_connections",
                                    "Connections made to instances."},
    [COUNTER_UPSTREAM_CONNECT_FAILED] = {"passerelle_upstream_connect_failures",
                                         "Failed connects to instances."},
    [COUNTER_UPSTREAM_LOST] = {"passerelle_upstream_connections_lost",
                               "Connections to instances that were lost while calls ran."},
    [COUNTER_RETRIES] = {"passerelle_retries",
                         "Retries: calls that were sent again after a failed attempt."},
    [COUNTER_HEDGES] =
        {"passerelle_hedges",
         "Calls that were sent to a second instance while the first had not responded."},
    [COUNTER_ATTEMPTS_CANCELLED] =
        {"passerelle_attempts_cancelled",
         "Attempts that were cancelled since another one responded first."},
    [COUNTER_CHECKS] = {"passerelle_checks", "Active checks of instances that have a result."},
    [COUNTER_CHECKS_FAILED] = {"passerelle_checks_failed", "Those of them that failed."},
    [COUNTER_JOIN_WAITS] = {"passerelle_calls_join_waits",
                            "Calls that waited for an equal one that was under way."},
    [COUNTER_JOINED] = {"passerelle_calls_joined", "Those of them that got its response."},
    [COUNTER_MEMORY_SHARE] = {"passerelle_memory_refused_clients",
                              "Calls and unfinished heads refused because their client held more "
                              "than its share of the memory (side: client)."},
    [COUNTER_MEMORY_FULL] = {"passerelle_memory_refused",
                             "Calls and unfinished heads refused because the memory of "
                             "limits.memory was in use (side: gateway)."},
    [COUNTER_DETAILS_UNCONVERTED] =
        {"passerelle_error_details_unconverted",
         "Error details that could not be converted to the client's version."},
    [COUNTER_POLICY_ASKED] = {"passerelle_policy_asked",
                              "Calls about which a policy server was asked."},
    [COUNTER_POLICY_DENIED] = {"passerelle_policy_denied", "Those of them that it refused."},
    [COUNTER_POLICY_FAILED] = {"passerelle_policy_failed",
                               "Those of them about which it gave no answer that can be used."},
    [COUNTER_POLICY_ADMITTED] = {"passerelle_policy_admitted",
                                 "Those of these that were made nevertheless (on_error: admit)."},
    [COUNTER_POLICY_UNFIT] = {"passerelle_policy_fields_refused",
                              "Changes of fields by policy servers that may not be made."},
    [COUNTER_BAGGAGE_CUT] = {"passerelle_baggage_cut",
                             "Requests whose baggage was passed on in part, for it was more than "
                             "baggage.members or baggage.bytes."},
};

static uint64_t count_events(const TelemetryProcess *p, Counter counter)
{
    uint64_t sum = 0;
    for (const Telemetry *loop = p->loops; loop; loop = loop->next)
        sum += count_read(&loop->events[counter]);
    return sum;
}

static void write_connections(Exposition *e, const TelemetryProcess *p)
{
    /* Closed ones are read first, so that there are never more closed than opened. */
    uint64_t closed = count_events(p, COUNTER_CONNECTIONS_CLOSED);
    uint64_t opened = count_events(p, COUNTER_CONNECTIONS_OPENED);
    exposition_single(e, "passerelle_connections", METRIC_GAUGE, "Client connections open now.",
                      opened > closed ? opened - closed : 0);
    for (Counter counter = 0; counter < COUNTER_COUNT; counter++)
        exposition_single(e, counter_names[counter].name, METRIC_COUNTER,
                          counter_names[counter].help, count_events(p, counter));
}

/* ---- Instances ------------------------------------------------------------------------------- */

typedef struct InstanceSums {
    const char *address;
    uint64_t calls[CODE_COUNT], head_count;
    int64_t head_sum;
} InstanceSums;

static void add_instance(const TelemetryProcess *p, const KnownInstance *known, InstanceSums *sums)
{
    for (const Telemetry *loop = p->loops; loop; loop = loop->next) {
        const InstanceCounters *i =
            known->number < INSTANCES_COUNTED
                ? atomic_load_explicit(&loop->instances[known->number], memory_order_acquire)
                : NULL;
        if (!i || atomic_load_explicit(&i->serial, memory_order_acquire) != known->serial)
            continue;
        for (int code = 0; code < CODE_COUNT; code++)
            sums->calls[code] += count_read(&i->calls[code]);
        sums->head_sum += (int64_t)count_read(&i->head_sum);
        sums->head_count += count_read(&i->head_count);
    }
}

static int compare_addresses(const void *a, const void *b)
{
    const KnownInstance *const *first = a, *const *second = b;
    return strcmp((*first)->address.text, (*second)->address.text);
}

/* Instances with the same address (for example with and without TLS) are one here. */
static InstanceSums *sum_instances(const TelemetryProcess *p, KnownInstance **all, uint32_t n,
                                   Arena *arena, uint32_t *n_out)
{
    InstanceSums *sums = arena_array(arena, InstanceSums, n);
    uint32_t n_sums = 0;
    qsort(all, n, sizeof(KnownInstance *), compare_addresses);
    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 || compare_addresses(&all[i - 1], &all[i]) != 0)
            sums[n_sums++].address = all[i]->address.text;
        add_instance(p, all[i], &sums[n_sums - 1]);
    }
    *n_out = n_sums;
    return sums;
}

static void write_sums(Exposition *e, const InstanceSums *sums, uint32_t n)
{
    exposition_family(e, "passerelle_upstream_calls", METRIC_COUNTER,
                      "Attempts by their instance and outcome.");
    for (uint32_t i = 0; i < n; i++) {
        for (int code = 0; code < CODE_COUNT; code++) {
            Label labels[] = {{"instance", sums[i].address}, {"code", code_name((Code)code)}};
            if (sums[i].calls[code])
                exposition_number(e, "", labels, 2, sums[i].calls[code]);
        }
    }
    exposition_family(e, "passerelle_upstream_head_seconds", METRIC_SUMMARY,
                      "Time from sending a request to an instance to the head of its response.");
    for (uint32_t i = 0; i < n; i++) {
        Label label = {"instance", sums[i].address};
        if (sums[i].head_count == 0)
            continue;
        exposition_seconds(e, "_sum", &label, 1, sums[i].head_sum);
        exposition_number(e, "_count", &label, 1, sums[i].head_count);
    }
}

/* All known instances, including those of replaced sets that calls still use. */
static void write_instances(Exposition *e, const TelemetryProcess *p, Arena *arena)
{
    uint32_t n_known, n;
    KnownInstance **all = known_instances_all(&n_known);
    const InstanceSums *sums = sum_instances(p, all, n_known, arena, &n);
    write_sums(e, sums, n);
    known_instances_let_go(all, n_known);
}

/* The instances of the current sets only: one that has left is not down. */
static void write_states(Exposition *e, InstanceSet *const *sets, uint32_t n)
{
    exposition_family(
        e, "passerelle_upstream_up", METRIC_GAUGE,
        "1 while all loops consider the instance up, 0 while a loop considers it down.");
    for (uint32_t s = 0; s < n; s++) {
        for (uint32_t i = 0; i < sets[s]->n; i++) {
            const Instance *instance = sets[s]->instances[i];
            Label labels[] = {{"service", sets[s]->service->name},
                              {"instance", instance->address.text}};
            exposition_number(e, "", labels, 2, instance_loops_down(instance) == 0);
        }
    }
}

/* A series for each bar that is up: most instances have none. */
static void write_bars(Exposition *e, InstanceSet *const *sets, uint32_t n)
{
    exposition_family(e, "passerelle_instance_barred", METRIC_GAUGE,
                      "1 while the instance gets no calls for this reason.");
    for (uint32_t s = 0; s < n; s++) {
        for (uint32_t i = 0; i < sets[s]->n; i++) {
            const Instance *instance = sets[s]->instances[i];
            for (uint32_t bars = instance_barred(instance); bars; bars &= bars - 1) {
                Label labels[] = {{"service", sets[s]->service->name},
                                  {"instance", instance->address.text},
                                  {"reason", bar_name(bars)}};
                exposition_number(e, "", labels, 3, 1);
            }
        }
    }
}

static void write_set(Exposition *e, const char *suffix, const InstanceSet *set, uint64_t number)
{
    exposition_number(e, suffix, &(Label){"service", set->service->name}, 1, number);
}

static void write_sets(Exposition *e, InstanceSet *const *sets, uint32_t n)
{
    write_states(e, sets, n);
    write_bars(e, sets, n);
    exposition_family(e, "passerelle_service_all_used", METRIC_GAUGE,
                      "1 while too many instances fail, so that none is barred for it.");
    for (uint32_t s = 0; s < n; s++)
        write_set(e, "", sets[s],
                  atomic_load_explicit(&sets[s]->service->all_used, memory_order_relaxed));
    exposition_family(e, "passerelle_instances", METRIC_GAUGE, "Instances of the service.");
    for (uint32_t s = 0; s < n; s++)
        write_set(e, "", sets[s], sets[s]->n);
    exposition_family(e, "passerelle_instances_joined", METRIC_COUNTER,
                      "Instances that joined the service, the first ones included.");
    for (uint32_t s = 0; s < n; s++)
        write_set(e, "", sets[s], sets[s]->n_joined);
    exposition_family(e, "passerelle_instances_left", METRIC_COUNTER,
                      "Instances that left the service.");
    for (uint32_t s = 0; s < n; s++)
        write_set(e, "", sets[s], sets[s]->n_left);
}

static void write_services(Exposition *e, const TelemetryProcess *p, Arena *arena)
{
    if (!p->generations)
        return;
    const Config *config = p->generations->config;
    InstanceSet **sets = arena_array(arena, InstanceSet *, config->n_services);
    uint32_t n = 0;
    for (uint32_t s = 0; s < config->n_services; s++) {
        InstanceSet *set = instance_set_of(&config->services[s]);
        if (set)
            sets[n++] = set;
    }
    write_sets(e, sets, n);
    for (uint32_t s = 0; s < n; s++)
        instance_set_unref(sets[s]);
}

/* ---- The process ----------------------------------------------------------------------------- */

static void write_config(Exposition *e, const TelemetryProcess *p)
{
    if (!p->generations)
        return;
    exposition_single(e, "passerelle_config_generation", METRIC_GAUGE,
                      "Number of the running config.", p->generations->config->generation);
    exposition_family(e, "passerelle_config", METRIC_INFO,
                      "The running config, as a hash: gateways of a fleet have the same.");
    exposition_number(e, "", &(Label){"hash", p->generations->config->hash}, 1, 1);
    exposition_family(e, "passerelle_config_loaded_timestamp_seconds", METRIC_GAUGE,
                      "When the running config was loaded, in seconds since 1970.");
    exposition_seconds(e, "", NULL, 0, p->adopted);
    exposition_single(e, "passerelle_config_last_reload_success", METRIC_GAUGE,
                      "0 after a reload that was refused: the running config is an older one.",
                      !p->last_reload_failed);
    exposition_family(e, "passerelle_config_reloads", METRIC_COUNTER, "Reloads, by outcome.");
    exposition_number(e, "", &(Label){"outcome", "taken"}, 1, p->reloads);
    exposition_number(e, "", &(Label){"outcome", "refused"}, 1, p->reloads_failed);
}

static void write_seconds(Exposition *e, const char *name, const char *help, int64_t time)
{
    exposition_family(e, name, METRIC_COUNTER, help);
    exposition_seconds(e, "", NULL, 0, time);
}

static void write_pool(Exposition *e, WorkPool *pool)
{
    if (!pool)
        return;
    WorkPoolFigures figures = work_pool_figures(pool);
    exposition_single(e, "passerelle_work_threads", METRIC_GAUGE, "Threads of the work pool.",
                      figures.n_threads);
    exposition_single(e, "passerelle_work_waiting", METRIC_GAUGE,
                      "Large messages that wait for a thread of the work pool.", figures.n_waiting);
    exposition_single(e, "passerelle_work_running", METRIC_GAUGE,
                      "Large messages that are being converted on the work pool.",
                      figures.n_running);
    exposition_single(e, "passerelle_work_jobs", METRIC_COUNTER,
                      "Large messages that were converted on the work pool.", figures.n_run);
    exposition_single(e, "passerelle_work_refused", METRIC_COUNTER,
                      "Large messages that were refused because too many were waiting.",
                      figures.n_refused);
    write_seconds(e, "passerelle_work_run_seconds", "Time that the threads spent on them.",
                  figures.time_run);
    write_seconds(e, "passerelle_work_wait_seconds", "Time that they waited for a thread.",
                  figures.time_waited);
}

static void write_outputs(Exposition *e)
{
    LogOutputFigures figures[LOG_FIGURES_MOST];
    uint32_t n = log_outputs_figures(figures);
    exposition_family(e, "passerelle_log_output_lost", METRIC_COUNTER,
                      "Log lines that an output did not take; they count as failed, too.");
    for (uint32_t i = 0; i < n; i++)
        exposition_number(e, "", &(Label){"output", figures[i].name}, 1, figures[i].lost);
    exposition_family(e, "passerelle_log_output_cut", METRIC_COUNTER,
                      "Messages to syslog that were too long, and lack their end.");
    for (uint32_t i = 0; i < n; i++)
        exposition_number(e, "", &(Label){"output", figures[i].name}, 1, figures[i].cut);
    exposition_single(e, "passerelle_tail_readers", METRIC_GAUGE,
                      "Operators that follow the log by /tail.", tail_readers());
    exposition_single(e, "passerelle_tail_lost", METRIC_COUNTER,
                      "Log lines that they did not get, since they read too slowly.", tail_lost());
}

static void write_log(Exposition *e, TelemetryProcess *p)
{
    exposition_single(e, "passerelle_log_dropped", METRIC_COUNTER,
                      "Log lines dropped because the log was too slow.", log_dropped(p->log));
    exposition_single(e, "passerelle_log_failed", METRIC_COUNTER,
                      "Log lines that an output of the log did not take, and times that a file "
                      "could not be opened again.",
                      log_failed(p->log));
    write_outputs(e);
    exposition_family(e, "passerelle_events", METRIC_COUNTER,
                      "Log events by level and name (calls are not events).");
    telemetry_lock_events();
    for (uint32_t number = 1; number < p->series[SERIES_EVENT].n; number++) {
        Label labels[] = {{"level", series_label(p, SERIES_EVENT, number, 0)},
                          {"event", series_label(p, SERIES_EVENT, number, 1)}};
        if (p->events[number])
            exposition_number(e, "", labels, 2, p->events[number]);
    }
    telemetry_unlock_events();
}

static void write_memory(Exposition *e)
{
    exposition_family(e, "passerelle_memory_bytes", METRIC_GAUGE,
                      "Memory in use that limits.memory limits, by kind.");
    for (int kind = 0; kind < MEMORY_KINDS; kind++) {
        int64_t used = memory_used((MemoryKind)kind);
        Label label = {"kind", memory_kind_names[kind]};
        exposition_number(e, "", &label, 1, used > 0 ? (uint64_t)used : 0);
    }
    exposition_single(e, "passerelle_memory_limit_bytes", METRIC_GAUGE, "limits.memory.",
                      memory_limit());
    exposition_single(e, "passerelle_memory_clients", METRIC_GAUGE,
                      "Clients that hold so much memory that the shares are divided among them.",
                      (uint64_t)memory_clients());
}

static void write_gateway(Exposition *e)
{
    TelemetryProcess *p = telemetry_lock();
    if (!p)
        return;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    telemetry_retire(p);
    exposition_single(e, "passerelle_loops", METRIC_GAUGE, "Event loops.", p->n_loops);
    write_pool(e, p->pool);
    write_config(e, p);
    metrics_write_calls(e, p, arena);
    write_connections(e, p);
    write_memory(e);
    write_instances(e, p, arena);
    write_services(e, p, arena);
    write_log(e, p);
    arena_free(arena);
    telemetry_unlock();
}

/* There are few writers: a small array is enough. */
static struct {
    MetricsWriter *write;
    void *owner;
} writers[32];
enum { MOST_WRITERS = sizeof writers / sizeof *writers };
static pthread_mutex_t writers_mutex = PTHREAD_MUTEX_INITIALIZER;

void metrics_add_writer(MetricsWriter *write, void *owner)
{
    int i = 0;
    pthread_mutex_lock(&writers_mutex);
    while (i < MOST_WRITERS && writers[i].write)
        i++;
    CHECK(i < MOST_WRITERS);
    writers[i].write = write;
    writers[i].owner = owner;
    pthread_mutex_unlock(&writers_mutex);
}

void metrics_remove_writer(void *owner)
{
    pthread_mutex_lock(&writers_mutex);
    for (int i = 0; i < MOST_WRITERS; i++) {
        if (writers[i].owner == owner)
            writers[i].write = NULL;
    }
    pthread_mutex_unlock(&writers_mutex);
}

static void write_others(Exposition *e)
{
    pthread_mutex_lock(&writers_mutex);
    for (int i = 0; i < MOST_WRITERS; i++) {
        if (writers[i].write)
            writers[i].write(e, writers[i].owner);
    }
    pthread_mutex_unlock(&writers_mutex);
}

static void write_all(Exposition *e)
{
    exposition_family(e, "passerelle_build", METRIC_INFO, "The version of the gateway.");
    exposition_number(e, "", &(Label){"version", VERSION}, 1, 1);
    write_gateway(e);
    write_others(e);
    metrics_write_process(e);
    exposition_end(e);
}

void metrics_write(MetricsFormat format, Buffer *out)
{
    write_all(&(Exposition){.out = out, .format = format});
}

void metrics_read(FamilyTaker *take, void *owner)
{
    write_all(&(Exposition){.format = METRICS_PROTOBUF, .take = take, .owner = owner});
}

static const char *const media_types[] = {
    [METRICS_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
    [METRICS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
    [METRICS_PROTOBUF] = ("application/vnd.google.protobuf; "
                          "proto=io.prometheus.client.MetricFamily; encoding=delimited"),
};

const char *metrics_media_type(MetricsFormat format)
{
    return media_types[format];
}

/* Of a media range with its parameters, without blanks. */
static MetricsFormat format_of(Bytes range)
{
    if (bytes_start_with(range, "application/vnd.google.protobuf;proto=io.prometheus.client."
                                "MetricFamily;encoding=delimited"))
        return METRICS_PROTOBUF;
    if (bytes_start_with(range, "application/openmetrics-text"))
        return METRICS_OPENMETRICS;
    return METRICS_TEXT;
}

static Bytes without_blanks(Bytes range, char *buffer, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < range.size && n < most; i++)
        if (range.data[i] != ' ' && range.data[i] != '\t')
            buffer[n++] = (char)range.data[i];
    return bytes(buffer, n);
}

MetricsFormat metrics_format(Bytes accept)
{
    MetricsFormat best = METRICS_TEXT;
    Bytes range;
    while (bytes_split(&accept, ',', &range)) {
        char buffer[128];
        MetricsFormat format = format_of(without_blanks(range, buffer, sizeof buffer));
        best = format > best ? format : best;
    }
    return best;
}
