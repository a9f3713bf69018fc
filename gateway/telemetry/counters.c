#include "gateway/telemetry/counters.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/instances/instances.h"

enum { MAX_CELLS = 1 << 16 }; /* per loop; calls with further keys are counted as one key */

const int64_t duration_bounds[DURATION_BOUNDS] = {
    500 * MICROSECOND, 1 * MILLISECOND,    2500 * MICROSECOND, 5 * MILLISECOND,   10 * MILLISECOND,
    25 * MILLISECOND,  50 * MILLISECOND,   100 * MILLISECOND,  250 * MILLISECOND, 500 * MILLISECOND,
    1 * SECOND,        2500 * MILLISECOND, 5 * SECOND,         10 * SECOND,       30 * SECOND,
};

/* The fault's row in fault_table. */
static uint32_t fault_index(const Fault *fault)
{
    uint32_t i = 0;
    while (fault_table[i] != fault && fault_table[i + 1])
        i++;
    return i;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

/* client_version : 16 | served_version : 16 | by : 8 | fault : 8 | dialect : 8 | code : 8 */
static uint64_t call_key(const CallKey *key)
{
    return (uint64_t)key->client_version << 48 | (uint64_t)key->served_version << 32 |
           key->by << 24 | key->fault << 16 | (uint32_t)key->dialect << 8 | (uint32_t)key->code;
}

CallKey call_key_of(uint64_t key)
{
    return (CallKey){
        .client_version = key >> 48,
        .served_version = key >> 32 & 0xffff,
        .by = key >> 24 & 0xff,
        .fault = key >> 16 & 0xff,
        .dialect = (Dialect)(key >> 8 & 0xff),
        .code = (Code)(key & 0xff),
    };
}

ErrorKey error_key_of(uint64_t key)
{
    return (ErrorKey){
        .side = (FaultSide)(key >> 24),
        .fault = key >> 16 & 0xff,
        .origin = key >> 8 & 0xff,
        .by = key & 0xff,
    };
}

static uint64_t error_key(const ErrorKey *key)
{
    return (uint64_t)((uint32_t)key->side << 24 | key->fault << 16 | key->origin << 8 | key->by);
}

static CountCell *cell_find(const CountCells *cells, uint64_t key)
{
    CountCell *cell = atomic_load_explicit(&cells->first, memory_order_relaxed);
    while (cell && cell->key != key)
        cell = atomic_load_explicit(&cell->next, memory_order_relaxed);
    return cell;
}

static CountCell *cell_add(Telemetry *telemetry, CountCells *cells, uint64_t key)
{
    telemetry->n_cells++;
    CountCell *cell = arena_make(telemetry->arena, CountCell);
    cell->key = key;
    atomic_init(&cell->next, atomic_load_explicit(&cells->first, memory_order_relaxed));
    atomic_store_explicit(&cells->first, cell, memory_order_release);
    return cell;
}

/* The cell of a new key; or, if there are too many, the one of all such keys of a method. */
static CountCell *cell_new(Telemetry *telemetry, CountCells *cells, uint64_t key)
{
    if (telemetry->n_cells < MAX_CELLS)
        return cell_add(telemetry, cells, key);
    count_add(&telemetry->cells_beyond, 1);
    CountCell *other = cell_find(cells, CELL_OTHER);
    return other ? other : cell_add(telemetry, cells, CELL_OTHER);
}

static void cells_count(Telemetry *telemetry, CountCells *cells, uint64_t key)
{
    CountCell *cell = cells->latest;
    if (!cell || cell->key != key) {
        cell = cell_find(cells, key);
        if (!cell)
            cell = cell_new(telemetry, cells, key);
        if (cell->key == key)
            cells->latest = cell;
    }
    count_add(&cell->count, 1);
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* Each block is allocated when its series is first counted; only this thread writes the
   pointers. */
static MethodCounters *method_counters(Telemetry *telemetry, uint32_t series)
{
    MethodCounters *block = atomic_load_explicit(&telemetry->methods[series], memory_order_relaxed);
    if (!block) {
        block = arena_make(telemetry->arena, MethodCounters);
        atomic_store_explicit(&telemetry->methods[series], block, memory_order_release);
    }
    return block;
}

static ServiceCounters *service_counters(Telemetry *telemetry, uint32_t series)
{
    ServiceCounters *block =
        atomic_load_explicit(&telemetry->services[series], memory_order_relaxed);
    if (!block) {
        block = arena_make(telemetry->arena, ServiceCounters);
        atomic_store_explicit(&telemetry->services[series], block, memory_order_release);
    }
    return block;
}

/* Resets all numbers except the serial. */
static void clear(InstanceCounters *block)
{
    for (int code = 0; code < CODE_COUNT; code++)
        atomic_store_explicit(&block->calls[code], 0, memory_order_relaxed);
    atomic_store_explicit(&block->head_sum, 0, memory_order_relaxed);
    atomic_store_explicit(&block->head_count, 0, memory_order_relaxed);
}

/* NULL: there are too many instances. */
static InstanceCounters *instance_counters(Telemetry *telemetry, const KnownInstance *known)
{
    uint32_t number = known->number;
    if (number >= INSTANCES_COUNTED)
        return NULL;
    InstanceCounters *block =
        atomic_load_explicit(&telemetry->instances[number], memory_order_relaxed);
    if (!block) {
        block = arena_make(telemetry->arena, InstanceCounters);
        atomic_store_explicit(&block->serial, known->serial, memory_order_relaxed);
        atomic_store_explicit(&telemetry->instances[number], block, memory_order_release);
    } else if (count_read(&block->serial) != known->serial) {
        clear(block); /* the counts of a former instance */
        atomic_store_explicit(&block->serial, known->serial, memory_order_release);
    }
    return block;
}

static ServedDurations *served_durations(Telemetry *telemetry, MethodCounters *m, uint32_t version)
{
    ServedDurations *served = m->latest;
    if (served && served->served_version == version)
        return served;
    served = atomic_load_explicit(&m->served, memory_order_relaxed);
    while (served && served->served_version != version)
        served = atomic_load_explicit(&served->next, memory_order_relaxed);
    if (!served) {
        served = arena_make(telemetry->arena, ServedDurations);
        served->served_version = version;
        atomic_init(&served->next, atomic_load_explicit(&m->served, memory_order_relaxed));
        atomic_store_explicit(&m->served, served, memory_order_release);
    }
    m->latest = served;
    return served;
}

void method_durations_add(NativeCounts *sum, const MethodCounters *method,
                          const uint32_t *served_version)
{
    const ServedDurations *served = atomic_load_explicit(&method->served, memory_order_acquire);
    for (; served; served = atomic_load_explicit(&served->next, memory_order_relaxed))
        if (!served_version || served->served_version == *served_version)
            native_add(sum, &served->native);
}

/* ---- One call -------------------------------------------------------------------------------- */

/* A service may return a number that is not a gRPC code. */
static Code known_code(Code code)
{
    return code < CODE_COUNT ? code : CODE_UNKNOWN;
}

static MethodCounters *method_of(Telemetry *telemetry, const CallRecord *r)
{
    return method_counters(telemetry, r->method  ? r->method->series
                                      : r->route ? r->route->series
                                                 : 0);
}

static int bucket_of(int64_t duration)
{
    int bucket = 0;
    while (bucket < DURATION_BOUNDS && duration > duration_bounds[bucket])
        bucket++;
    return bucket;
}

static void record_method(Telemetry *telemetry, const CallRecord *r)
{
    MethodCounters *m = method_of(telemetry, r);
    CallKey key = {
        .client_version = r->client_version ? r->client_version->series : 0,
        .served_version = r->served_version ? r->served_version->series : 0,
        .dialect = r->dialect,
        .code = known_code(r->status.code),
        .fault = failed(r->why) ? fault_index(r->why.error->fault) + 1 : 0,
        .by = r->degraded ? r->degraded_by + 1 : 0,
    };
    cells_count(telemetry, &m->calls, call_key(&key));

    count_add(&m->durations[bucket_of(r->time_total)], 1);
    count_add(&m->duration_sum, (uint64_t)r->time_total);
    native_record(&served_durations(telemetry, m, key.served_version)->native, telemetry->arena,
                  r->time_total);

    count_add(&m->bytes_in, r->bytes_in);
    count_add(&m->bytes_out, r->bytes_out);
    count_add(&m->messages_in, r->messages_in);
    count_add(&m->messages_out, r->messages_out);
    count_add(&m->unknown_fields, r->n_unknown);
    count_add(&m->losses, r->n_losses);
}

static ServiceCounters *counters_of(Telemetry *telemetry, const CallRecord *r)
{
    const Service *service = r->method  ? r->method->version->service
                             : r->route ? r->route->service
                                        : NULL;
    return service_counters(telemetry, service ? service->series : 0);
}

void counters_record_failure(Telemetry *telemetry, const CallRecord *r)
{
    ErrorKey key = {
        .fault = fault_index(r->why.error->fault),
        .origin = fault_index(error_origin(r->why)->fault),
        .side = telemetry_side(r),
        .by = r->degraded ? r->degraded_by + 1 : 0,
    };
    cells_count(telemetry, &counters_of(telemetry, r)->errors, error_key(&key));
}

static Outcome outcome_of(const CallRecord *r)
{
    if (r->degraded)
        return OUTCOME_DEGRADED;
    if (!failed(r->why))
        return OUTCOME_GOOD;
    return telemetry_side(r) == SIDE_CLIENT ? OUTCOME_CLIENT : OUTCOME_FAILED;
}

static void record_service(Telemetry *telemetry, const CallRecord *r)
{
    ServiceCounters *s = counters_of(telemetry, r);
    count_add(&s->calls, 1);
    count_add(&s->outcomes[r->route ? r->route->impact : IMPACT_LOW][outcome_of(r)], 1);
    histogram_record(&s->durations, (uint64_t)r->time_total);
    if (r->retry_refused)
        count_add(&s->retries_refused[r->retry_refused], 1);
    if (failed(r->why))
        counters_record_failure(telemetry, r);
}

/* Each attempt is counted for its own instance, even if a later attempt succeeded. */
static void record_attempt(Telemetry *telemetry, const AttemptRecord *attempt)
{
    InstanceCounters *i = instance_counters(telemetry, attempt->instance->known);
    if (!i)
        return;
    count_add(&i->calls[known_code(attempt->code)], 1);
    if (attempt->headed) {
        count_add(&i->head_sum, (uint64_t)(attempt->headed - attempt->asked));
        count_add(&i->head_count, 1);
    }
}

void counters_record(Telemetry *telemetry, const CallRecord *record)
{
    record_method(telemetry, record);
    record_service(telemetry, record);
    for (const AttemptRecord *at = record->attempts; at; at = at->next)
        record_attempt(telemetry, at);
}

void counters_exemplar(Telemetry *telemetry, const CallRecord *record, const TraceContext *trace)
{
    MethodCounters *m = method_of(telemetry, record);
    ExemplarCell *cells = atomic_load_explicit(&m->exemplars, memory_order_relaxed);
    Exemplar exemplar = {.value = record->time_total, .at = record->began + record->time_total};
    memcpy(exemplar.trace, trace->trace_id, TRACE_ID_SIZE);
    memcpy(exemplar.span, trace->span, TRACE_SPAN_SIZE);
    if (!cells) {
        cells = arena_array(telemetry->arena, ExemplarCell, DURATION_BOUNDS + 1);
        atomic_store_explicit(&m->exemplars, cells, memory_order_release);
    }
    exemplar_write(&cells[bucket_of(record->time_total)], &exemplar);
}

void counters_heal(Telemetry *telemetry, HealingAct act, uint32_t service)
{
    count_add(&service_counters(telemetry, service)->healing[act], 1);
}
