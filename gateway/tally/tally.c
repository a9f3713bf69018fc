#include "gateway/tally/tally.h"

#include "gateway/identity/known_client.h"
#include "gateway/tally/failure_cause.h"
#include "gateway/telemetry/series.h"

#include <stdlib.h>

/* ---- One call -------------------------------------------------------------------------------- */

static const Route *route_of(const CallRecord *r)
{
    return r->route ? r->route : r->method ? r->method->route : NULL;
}

static uint32_t series_of(const CallRecord *r)
{
    return r->method ? r->method->series : r->route ? r->route->series : 0;
}

/* A client is its identity, else its address. */
static uint64_t client_of(const CallRecord *r)
{
    if (r->identity && r->identity->known)
        return r->identity->known->hash;
    if (r->client.size)
        return bytes_hash(r->client);
    uint64_t halves[2] = {0};
    if (r->address)
        memcpy(halves, r->address->bytes, sizeof halves);
    return halves[0] * UINT64_C(0x9e3779b97f4a7c15) ^ halves[1];
}

static Bytes version_name(const Version *version)
{
    return version ? bytes_of(version->name) : BYTES_NONE;
}

/* What a failure is told of: an attempt, or the call as a whole. */
typedef struct Blamed {
    const Instance *instance; /* or NULL */
    const Version *served;    /* or NULL */
    FaultSide side;
    Code code;
    Result why;
} Blamed;

/* `cause` has CAUSE_SIZE bytes, and lives as long as the key. */
static FailureKey key_of(const CallRecord *r, const Blamed *blamed, char *cause)
{
    const Route *route = route_of(r);
    size_t size = failure_cause_write(r, blamed->served, blamed->side, blamed->why, cause);
    return (FailureKey){
        .side = blamed->side,
        .fault = blamed->why.error->fault,
        .code = blamed->code < CODE_COUNT ? blamed->code : CODE_UNKNOWN,
        .route = route ? bytes_of(route->match) : BYTES_NONE,
        .method = r->method ? bytes_of(r->method->type->path + 1) : BYTES_NONE,
        .client_version = version_name(r->client_version),
        .served_version = version_name(blamed->served),
        .cause = bytes(cause, size),
    };
}

static Failure failure_of(const CallRecord *r, const Blamed *blamed, int64_t wall, uint64_t client,
                          Bytes line)
{
    const Route *route = route_of(r);
    return (Failure){
        .outcome = r->degraded ? FAILURE_DEGRADED : FAILURE_SEEN,
        .impact = route ? route->impact : IMPACT_LOW,
        .series = series_of(r),
        .at = wall,
        .client = client,
        .request_id = r->request_id,
        .record = line,
        .instance = blamed->instance ? bytes_of(blamed->instance->address.text) : BYTES_NONE,
    };
}

static void add(Tally *tally, const Failure *failure)
{
    bool clients = failure->key.side == SIDE_CLIENT;
    failure_table_add(clients ? &tally->mistakes : &tally->failures, failure);
}

/* Whether the call failed by what this attempt failed by. */
static bool is_failure_of_call(const CallRecord *r, const AttemptRecord *a)
{
    const Error *error = r->why.error;
    while (error && error != a->why.error)
        error = error->cause;
    return error != NULL;
}

/* The attempt by which the call failed, which another version may have made good; NULL: by none. */
static const AttemptRecord *failed_attempt(const CallRecord *r)
{
    const AttemptRecord *a = r->attempts;
    while (a && !(failed(a->why) && is_failure_of_call(r, a)))
        a = a->next;
    return a;
}

/* Of a degraded call the client's status is OK: the code is that of the attempt that failed, or of
   the fault. */
static Blamed blamed_for_call(const CallRecord *r)
{
    const AttemptRecord *a = failed_attempt(r);
    Blamed blamed = {a ? a->instance : r->instance, a ? a->served : r->served_version,
                     telemetry_side(r), r->status.code, r->why};
    if (r->degraded)
        blamed.code = a ? a->code : (Code)r->why.error->fault->grpc_status;
    return blamed;
}

static void add_failed_call(Tally *tally, const CallRecord *r, int64_t wall, uint64_t client,
                            Bytes line)
{
    char cause[CAUSE_SIZE];
    Blamed blamed = blamed_for_call(r);
    Failure failure = failure_of(r, &blamed, wall, client, line);
    failure.key = key_of(r, &blamed, cause);
    add(tally, &failure);
}

/* One that was cancelled because another one was faster has not failed. */
static bool is_for_itself(const CallRecord *r, const AttemptRecord *a)
{
    return failed(a->why) && a->why.error->fault != &FAULT_SUPERSEDED && !is_failure_of_call(r, a);
}

/* Attempts that another one made good, or after which the call failed by something else. */
static void add_failed_attempts(Tally *tally, const CallRecord *r, int64_t wall, uint64_t client,
                                Bytes line)
{
    char cause[CAUSE_SIZE];
    for (const AttemptRecord *a = r->attempts; a; a = a->next) {
        if (!is_for_itself(r, a))
            continue;
        Blamed blamed = {a->instance, a->served, a->why.error->fault->side, a->code, a->why};
        Failure failure = failure_of(r, &blamed, wall, client, line);
        failure.outcome = FAILURE_RETRIED;
        failure.key = key_of(r, &blamed, cause);
        failure.key.attempt = true;
        add(tally, &failure);
    }
}

/* A leg is cancelled by its composed call only, whose own record says why; the call of a job's step
   by a gateway that hands the job over. */
static bool is_cancelled_part(const CallRecord *r)
{
    return (r->leg || r->step_of) && r->why.error->fault == &FAULT_CANCELLED;
}

static MethodUse *use_of(Tally *tally, uint32_t series)
{
    MethodUse *use = tally->use_of[series];
    if (__builtin_expect(!use, 0)) {
        use = calloc(1, sizeof *use);
        CHECK(use);
        use->series = series;
        use->next = tally->uses;
        tally->uses = tally->use_of[series] = use;
    }
    return use;
}

static void see_client(MethodUse *use, int64_t wall, uint64_t client)
{
    if (client == use->latest && wall < use->until)
        return;
    use->latest = client;
    use->until = (wall / WINDOW_HOUR + 1) * WINDOW_HOUR;
    recent_clients_add(&use->clients, wall, client);
}

void tally_record(Tally *tally, const CallRecord *record, Bytes line)
{
    int64_t wall = record->began + record->time_total;
    uint64_t client = client_of(record);
    see_client(use_of(tally, series_of(record)), wall, client);
    if (failed(record->why) && !is_cancelled_part(record))
        add_failed_call(tally, record, wall, client, line);
    if (record->attempts && record->attempts->next)
        add_failed_attempts(tally, record, wall, client, line);
}

/* ---- The whole ------------------------------------------------------------------------------- */

Tally *tally_new(uint32_t rows)
{
    Tally *tally = calloc(1, sizeof *tally);
    CHECK(tally);
    tally->failures.limit = tally->mistakes.limit = rows;
    tally->use_of = calloc(SERIES_LIMIT, sizeof *tally->use_of);
    CHECK(tally->use_of);
    return tally;
}

static void free_uses(Tally *tally)
{
    for (MethodUse *next, *use = tally->uses; use; use = next) {
        next = use->next;
        free(use);
    }
}

void tally_free(Tally *tally)
{
    if (!tally)
        return;
    failure_table_clear(&tally->failures);
    failure_table_clear(&tally->mistakes);
    free_uses(tally);
    free(tally->use_of);
    free(tally);
}

void tally_count_calls(Tally *tally, int64_t wall)
{
    for (MethodUse *use = tally->uses; use; use = use->next) {
        uint64_t calls = telemetry_calls(use->series);
        window_add(&use->hour, WINDOW_HOUR, wall, calls - use->calls);
        use->calls = calls;
    }
}

void tally_take(Tally *tally, Tally *from)
{
    failure_table_take(&tally->failures, &from->failures);
    failure_table_take(&tally->mistakes, &from->mistakes);
    for (MethodUse *use = from->uses; use; use = use->next) {
        MethodUse *into = use_of(tally, use->series);
        recent_clients_merge(&into->clients, &use->clients);
        *use = (MethodUse){.next = use->next, .series = use->series};
    }
}

void tally_limit(Tally *tally, uint32_t rows, int64_t wall)
{
    tally->failures.limit = tally->mistakes.limit = rows;
    failure_table_trim(&tally->failures, wall);
    failure_table_trim(&tally->mistakes, wall);
}

static uint32_t series_of_method(const Version *version, Bytes path)
{
    for (uint32_t i = 0; i < version->n_methods; i++)
        if (bytes_are(path, version->methods[i].type->path + 1))
            return version->methods[i].series;
    return 0;
}

static uint32_t series_of_path(const Config *config, Bytes match)
{
    for (uint32_t i = 0; i < config->n_http_routes; i++)
        if (bytes_are(match, config->http_routes[i].match))
            return config->http_routes[i].series;
    return 0;
}

uint32_t tally_series(const Config *config, const FailureKey *key)
{
    uint32_t series = 0;
    if (!key->method.size)
        return series_of_path(config, key->route);
    for (uint32_t i = 0; !series && i < config->n_services; i++)
        for (uint32_t v = 0; !series && v < config->services[i].n_versions; v++)
            series = series_of_method(&config->services[i].versions[v], key->method);
    return series;
}

const MethodUse *tally_use(const Tally *tally, uint32_t series)
{
    return series ? tally->use_of[series] : NULL;
}
