#include "gateway/usage/retirements.h"

#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "base/text/percent.h"
#include "base/text/utf8.h"
#include "gateway/telemetry/telemetry.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Nobody knows what was called in a time in which no gateway has written for so long. */
#define GAP (INT64_C(86400) * SECOND)

enum { WHY_MOST = 1000 };

typedef struct Retirement {
    struct Retirement *next;
    const char *service, *name;
    RetireState state;
    const Version *version; /* of the running config; NULL: it has no `retire` */
    int64_t watched;        /* since when its calls are counted, as far as is known */
    const char *who, *why;  /* of its end: who has ordered it, "" for the gateway itself */
    bool alerted;           /* that it has outlived its sunset */
    bool in_brownout;       /* as was told */
    uint64_t refused;       /* calls, when it began */
    atomic_bool outlives;   /* for metrics */
    _Atomic int64_t unused; /* likewise: nanoseconds; -1: it is not in the config */
} Retirement;

struct Retirements {
    Arena *arena; /* of the list */
    StorePort *port;
    _Atomic(Retirement *) first; /* only added to */
};

static Retirement *first_of(const Retirements *all)
{
    return atomic_load((_Atomic(Retirement *) *)&all->first);
}

Retirements *retirements_new(void)
{
    Retirements *all = calloc(1, sizeof *all);
    CHECK(all);
    all->arena = arena_new(ARENA_UNLIMITED);
    return all;
}

void retirements_free(Retirements *all)
{
    arena_free(all->arena);
    free(all);
}

void retirements_keep(Retirements *all, StorePort *port)
{
    all->port = port;
}

static Retirement *find(const Retirements *all, Bytes service, Bytes version)
{
    Retirement *r = first_of(all);
    while (r && !(bytes_are(service, r->service) && bytes_are(version, r->name)))
        r = r->next;
    return r;
}

static Retirement *find_or_add(Retirements *all, Bytes service, Bytes version, int64_t wall)
{
    Retirement *r = find(all, service, version);
    if (r)
        return r;
    r = arena_make(all->arena, Retirement);
    *r = (Retirement){.next = first_of(all),
                      .service = arena_text(all->arena, service),
                      .name = arena_text(all->arena, version),
                      .watched = wall,
                      .who = "",
                      .why = ""};
    atomic_store(&all->first, r);
    return r;
}

static void use_latest(Retirement *r, int64_t used)
{
    long long known = atomic_load(&r->state.used);
    while (known < used && !atomic_compare_exchange_weak(&r->state.used, &known, used))
        ;
}

/* Of a version that had no `retire` for a while, nobody knows whether it was called. */
static void begin(Retirement *r, const Version *version, int64_t wall)
{
    if (atomic_load(&r->unused) < 0)
        use_latest(r, wall);
    r->version = version;
    atomic_store(&r->unused, 0);
    version->retiring->state = &r->state;
}

static void leave(Retirement *r)
{
    r->version = NULL;
    r->alerted = r->in_brownout = false;
    atomic_store(&r->unused, -1);
    atomic_store(&r->outlives, false);
}

void retirements_use(Retirements *all, const Config *config, int64_t wall)
{
    for (Retirement *r = first_of(all); r; r = r->next)
        r->version = NULL;
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        for (uint32_t k = 0; k < service->n_versions; k++)
            if (service->versions[k].retiring)
                begin(find_or_add(all, bytes_of(service->name), bytes_of(service->versions[k].name),
                                  wall),
                      &service->versions[k], wall);
    }
    for (Retirement *r = first_of(all); r; r = r->next)
        if (!r->version)
            leave(r);
}

/* ---- What is told ---------------------------------------------------------------------------- */

static RetireEvidence evidence_of(const Retirement *r)
{
    return (RetireEvidence){.watched = r->watched, .used = atomic_load(&r->state.used)};
}

static void tell(const Retirement *r, const char *level, const char *event, const char *format, ...)
    PRINTF_LIKE(4, 5);

static void tell(const Retirement *r, const char *level, const char *event, const char *format, ...)
{
    char text[1500];
    va_list args;
    va_start(args, format);
    text_format(text, sizeof text, format, args);
    va_end(args);
    telemetry_event(level, event, OK, "%s of %s %s", r->name, r->service, text);
}

static const char *duration(Arena *arena, int64_t time)
{
    Buffer text = buffer_in(arena);
    spelling_add_duration(&text, time / SECOND * SECOND);
    return arena_text(arena, buffer_bytes(&text));
}

static void tell_sunset(Retirement *r, int64_t wall)
{
    RetireEvidence evidence = evidence_of(r);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    bool outlives = version_outlives_sunset(r->version, wall);
    atomic_store(&r->outlives, outlives);
    atomic_store(&r->unused, retire_unused(&evidence, wall));
    if (outlives && !r->alerted)
        tell(r, "warning", "version_past_sunset",
             "is past its sunset and still served: it was called within the last %s, or nobody has "
             "watched for as long; it ends when it is unused for %s",
             duration(arena, r->version->retiring->unused_for),
             duration(arena, r->version->retiring->unused_for));
    r->alerted = outlives;
    arena_free(arena);
}

static void tell_brownout(Retirement *r, int64_t wall)
{
    const Brownout *now = brownout_now(r->version, wall);
    uint64_t refused = atomic_load(&r->state.refused);
    if (now && !r->in_brownout) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        tell(r, "warning", "brownout_began", "fails for %u.%02u %% of its clients, for %s",
             now->share / 100, now->share % 100, duration(arena, now->until - wall));
        arena_free(arena);
        r->refused = refused;
    } else if (!now && r->in_brownout) {
        tell(r, "info", "brownout_ended", "is served again: %" PRIu64 " calls were refused",
             refused - r->refused);
    }
    r->in_brownout = now != NULL;
}

void retirements_look(Retirements *all, int64_t wall)
{
    for (Retirement *r = first_of(all); r; r = r->next) {
        if (!r->version)
            continue;
        tell_brownout(r, wall);
        tell_sunset(r, wall);
    }
}

int64_t retirements_next(const Retirements *all, int64_t wall)
{
    int64_t next = INT64_MAX;
    for (const Retirement *r = first_of(all); r; r = r->next) {
        if (!r->version)
            continue;
        int64_t change = brownout_next(r->version, wall), sunset = r->version->sunset;
        change = sunset > wall && sunset < change ? sunset : change;
        next = change < next ? change : next;
    }
    return next;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

static void set_end(Retirements *all, Retirement *r, int64_t retired, Bytes who, Bytes why)
{
    int64_t before = atomic_exchange(&r->state.retired, retired);
    if ((before != 0) == (retired != 0))
        return;
    r->who = arena_text(all->arena, who);
    r->why = arena_text(all->arena, why);
    if (retired)
        tell(r, "warning", "version_retired", "is not served any more: %s%s%s", r->why,
             r->who[0] ? ", says " : "", r->who);
    else
        tell(r, "warning", "version_served_again", "is served again: %s", r->why);
}

static const char *why_unused(Arena *arena, const Retirement *r)
{
    return arena_printf(arena, "nobody has called it for %s",
                        duration(arena, r->version->retiring->unused_for));
}

static bool is_unused(const Retirement *r, int64_t wall)
{
    RetireEvidence evidence = evidence_of(r);
    return r->version && !atomic_load(&r->state.retired) &&
           retire_judge(r->version, &evidence, wall) == RETIRE_UNUSED;
}

static void judge_alone(Retirements *all, int64_t wall)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (Retirement *r = first_of(all); r; r = r->next)
        if (is_unused(r, wall))
            set_end(all, r, wall, BYTES_NONE, bytes_of(why_unused(arena, r)));
    arena_free(arena);
}

/* ---- The store ------------------------------------------------------------------------------- */

/* Whoever has ended a version did not know of a call that another gateway had seen just before: it
   is served again. $6: the earliest call that would have prevented the end, before that end. */
static const char watch[] =
    "INSERT INTO retirements (service, version, since, watched, used) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (service, version) DO UPDATE SET"
    " since = CASE WHEN retirements.watched < $4 - $7 THEN excluded.watched"
    " ELSE retirements.since END,"
    " watched = CASE WHEN retirements.watched > $4 THEN retirements.watched ELSE $4 END,"
    " used = CASE WHEN retirements.used > $5 THEN retirements.used ELSE $5 END,"
    " retired = CASE WHEN retirements.who = '' AND retirements.retired > 0"
    " AND $5 > retirements.retired - $6 AND $5 < retirements.retired THEN 0"
    " ELSE retirements.retired END";

static const char look_up[] = "SELECT service, version, since, used, retired, who, why"
                              " FROM retirements WHERE service = $1 AND version = $2";

static const char end_unused[] =
    "UPDATE retirements SET retired = $3, who = '', why = $4"
    " WHERE service = $1 AND version = $2 AND retired = 0 AND used <= $5";

static const char order_row[] = "UPDATE retirements SET retired = $3, who = $4, why = $5,"
                                " since = CASE WHEN CAST($3 AS BIGINT) = 0 THEN $6 ELSE since END "
                                "WHERE service = $1 AND version = $2";

static StoreStatement *about(StoreTask *task, const char *sql, const Retirement *r)
{
    StoreStatement *s = store_task_add(task, sql);
    store_bind_text(task, s, bytes_of(r->service));
    store_bind_text(task, s, bytes_of(r->name));
    return s;
}

static void end_in_store(Retirements *all, Retirement *r, int64_t wall)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = about(task, end_unused, r);
    store_bind_integer(s, wall);
    store_bind_text(task, s, bytes_of(why_unused(task->arena, r)));
    store_bind_integer(s, atomic_load(&r->state.used));
    store_submit(all->port, task, NULL, NULL);
}

static void take_row(Retirements *all, const StoreValue *v, int64_t wall)
{
    Retirement *r = find(all, v[0].bytes, v[1].bytes);
    if (!r || !r->version)
        return;
    r->watched = v[2].integer;
    use_latest(r, v[3].integer);
    set_end(all, r, v[4].integer, v[5].bytes, v[6].bytes);
    if (is_unused(r, wall))
        end_in_store(all, r, wall);
}

static void on_looked(void *owner, Result result, StoreTask *task)
{
    Retirements *all = owner;
    if (failed(result))
        return; /* the store tells that it is down; nothing ends without it */
    int64_t wall = clock_wall();
    for (const StoreStatement *s = task->first; s; s = s->next)
        if (s->rows)
            take_row(all, s->rows->values, wall);
    retirements_look(all, wall);
}

static void watch_in_store(Retirements *all, int64_t wall)
{
    StoreTask *task = store_task_new(STORE_SOON);
    for (const Retirement *r = first_of(all); r; r = r->next) {
        if (!r->version)
            continue;
        StoreStatement *s = about(task, watch, r);
        store_bind_integer(s, r->watched);
        store_bind_integer(s, wall);
        store_bind_integer(s, atomic_load(&r->state.used));
        store_bind_integer(s, r->version->retiring->unused_for);
        store_bind_integer(s, GAP);
        about(task, look_up, r);
    }
    if (task->first)
        store_submit(all->port, task, on_looked, all);
    else
        store_task_free(task);
}

void retirements_beat(Retirements *all, int64_t wall)
{
    if (all->port)
        watch_in_store(all, wall);
    else
        judge_alone(all, wall);
    retirements_look(all, wall);
}

/* ---- Orders ---------------------------------------------------------------------------------- */

typedef struct Ordering {
    Retirements *all;
    Arena *arena;
    Retirement *retirement;
    int64_t wall;
    RetireOrder order;
    void (*on_done)(void *owner, Result result);
    void *owner;
} Ordering;

static void end_order(Ordering *o, Result result)
{
    if (!failed(result)) {
        if (o->order.again)
            o->retirement->watched = o->wall;
        set_end(o->all, o->retirement, o->order.again ? 0 : o->wall, bytes_of(o->order.who),
                o->order.why);
        if (o->retirement->version)
            tell_sunset(o->retirement, o->wall);
    }
    o->on_done(o->owner, result);
    arena_free(o->arena);
}

static void on_ordered(void *owner, Result result, StoreTask *task)
{
    end_order(owner, result);
}

static void order_in_store(Ordering *o)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    StoreStatement *s = about(task, watch, o->retirement);
    store_bind_integer(s, o->retirement->watched);
    store_bind_integer(s, o->wall);
    store_bind_integer(s, atomic_load(&o->retirement->state.used));
    store_bind_integer(s, o->retirement->version->retiring->unused_for);
    store_bind_integer(s, GAP);
    s = about(task, order_row, o->retirement);
    store_bind_integer(s, o->order.again ? 0 : o->wall);
    store_bind_text(task, s, bytes_of(o->order.who));
    store_bind_text(task, s, o->order.why);
    store_bind_integer(s, o->wall);
    s->expected = 1;
    store_submit(o->all->port, task, on_ordered, o);
}

static Result check_order(const Ordering *o)
{
    if (!o->retirement || !o->retirement->version)
        return FAIL(o->arena, FAULT_UNKNOWN_PATH, "no version %.*s of %.*s has `retire`",
                    BYTES_ARGS(bytes_cut_text(o->order.version, 100)),
                    BYTES_ARGS(bytes_cut_text(o->order.service, 100)));
    return o->order.why.size ? OK
                             : FAIL(o->arena, FAULT_BAD_VALUE,
                                    "this needs a reason: --why, or the field passerelle-why");
}

void retirements_order(Retirements *all, const RetireOrder *order, int64_t wall,
                       void (*on_done)(void *owner, Result result), void *owner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer why = buffer_in(arena);
    utf8_add_repaired(&why, bytes_cut_text(order->why, WHY_MOST));
    Ordering *o = arena_make(arena, Ordering);
    *o = (Ordering){.all = all,
                    .arena = arena,
                    .retirement = find(all, order->service, order->version),
                    .wall = wall,
                    .order = *order,
                    .on_done = on_done,
                    .owner = owner};
    o->order.who = arena_string(arena, order->who);
    o->order.why = buffer_bytes(&why);
    Result r = check_order(o);
    if (failed(r) || !all->port)
        end_order(o, r);
    else
        order_in_store(o);
}

/* ---- Pages, the next process, metrics -------------------------------------------------------- */

static const char *state_of(const Retirement *r, int64_t wall)
{
    if (atomic_load(&r->state.retired))
        return "retired";
    if (brownout_now(r->version, wall))
        return "brownout";
    return version_outlives_sunset(r->version, wall) ? "past_sunset" : "served";
}

static void write_one(const Retirement *r, int64_t wall, Buffer *out)
{
    RetireEvidence evidence = evidence_of(r);
    int64_t next = brownout_next(r->version, wall), retired = atomic_load(&r->state.retired);
    json_text_open_item(out);
    json_text_add_member(out, "service", bytes_of(r->service));
    json_text_add_member(out, "version", bytes_of(r->name));
    json_text_add_member(out, "state", bytes_of(state_of(r, wall)));
    if (r->version->sunset)
        json_text_add_time(out, "sunset", r->version->sunset / SECOND, 0);
    json_text_add_time(out, "watched_since", evidence.watched / SECOND, 0);
    if (evidence.used)
        json_text_add_time(out, "last", evidence.used / SECOND, 0);
    json_text_add_number(out, "unused_s", (uint64_t)(retire_unused(&evidence, wall) / SECOND));
    json_text_add_number(out, "unused_for_s",
                         (uint64_t)(r->version->retiring->unused_for / SECOND));
    if (next != INT64_MAX)
        json_text_add_time(out, brownout_now(r->version, wall) ? "brownout_until" : "brownout_at",
                           next / SECOND, 0);
    json_text_add_number(out, "brownout_refused", atomic_load(&r->state.refused));
    if (retired) {
        json_text_add_time(out, "retired", retired / SECOND, 0);
        json_text_add_member(out, "who", bytes_of(r->who));
        json_text_add_member(out, "why", bytes_of(r->why));
    }
    buffer_add_byte(out, '}');
}

void retirements_write(const Retirements *all, int64_t wall, Buffer *out)
{
    buffer_add_byte(out, '[');
    for (const Retirement *r = first_of(all); r; r = r->next)
        if (r->version)
            write_one(r, wall, out);
    buffer_add_byte(out, ']');
}

/* "orders v1 1772366400000000000 1772366400000000000 0 who why": a line each, percent-encoded. */
void retirements_hand_on(const Retirements *all, Buffer *out)
{
    for (const Retirement *r = first_of(all); r; r = r->next) {
        if (!r->version)
            continue;
        buffer_printf(out, "%s %s %" PRId64 " %lld %lld ", r->service, r->name, r->watched,
                      (long long)atomic_load(&r->state.used),
                      (long long)atomic_load(&r->state.retired));
        percent_encode(out, bytes_of(r->who), PERCENT_KEEP_UNRESERVED);
        buffer_add_byte(out, ' ');
        percent_encode(out, bytes_of(r->why), PERCENT_KEEP_UNRESERVED);
        buffer_add_byte(out, '\n');
    }
}

static bool read_time(Bytes *line, int64_t *time_out)
{
    Bytes word;
    uint64_t number;
    if (!bytes_split(line, ' ', &word) || !bytes_to_u64(word, &number) || number > INT64_MAX)
        return false;
    *time_out = (int64_t)number;
    return true;
}

static void restore_one(Retirements *all, Bytes line)
{
    Bytes service, version, who;
    int64_t watched, used, retired;
    Buffer by = buffer_in(all->arena), why = buffer_in(all->arena);
    if (!bytes_split(&line, ' ', &service) || !bytes_split(&line, ' ', &version) ||
        !read_time(&line, &watched) || !read_time(&line, &used) || !read_time(&line, &retired) ||
        !bytes_split(&line, ' ', &who) || !percent_decode(&by, who, PERCENT_LEAVE_NOTHING) ||
        !percent_decode(&why, line, PERCENT_LEAVE_NOTHING))
        return;
    Retirement *r = find_or_add(all, service, version, watched);
    atomic_store(&r->state.used, used);
    atomic_store(&r->state.retired, retired);
    r->who = arena_text(all->arena, buffer_bytes(&by));
    r->why = arena_text(all->arena, buffer_bytes(&why));
}

void retirements_restore(Retirements *all, Bytes text)
{
    for (Bytes line; bytes_split(&text, '\n', &line);)
        restore_one(all, line);
}

/* One family over all versions of the config. */
static void write_family(Exposition *e, const Retirements *all, const char *name, MetricType type,
                         const char *help, uint64_t (*value)(const Retirement *r))
{
    exposition_family(e, name, type, help);
    for (const Retirement *r = first_of(all); r; r = r->next)
        if (atomic_load(&r->unused) >= 0)
            exposition_number(e, "", (Label[]){{"service", r->service}, {"version", r->name}}, 2,
                              value(r));
}

static uint64_t is_outliving(const Retirement *r)
{
    return atomic_load(&r->outlives);
}

static uint64_t is_retired(const Retirement *r)
{
    return atomic_load(&r->state.retired) != 0;
}

static uint64_t seconds_unused(const Retirement *r)
{
    return (uint64_t)(atomic_load(&r->unused) / SECOND);
}

static uint64_t n_refused(const Retirement *r)
{
    return atomic_load(&r->state.refused);
}

void retirements_metrics_write(Exposition *e, void *owner)
{
    const Retirements *all = owner;
    write_family(e, all, "passerelle_version_past_sunset", METRIC_GAUGE,
                 "1 while a version is served past its sunset.", is_outliving);
    write_family(e, all, "passerelle_version_retired", METRIC_GAUGE,
                 "1 once a version with `retire` has ended.", is_retired);
    write_family(e, all, "passerelle_version_unused_seconds", METRIC_GAUGE,
                 "For how long nobody has called a version with `retire`, as far as is known.",
                 seconds_unused);
    write_family(e, all, "passerelle_brownout_refused", METRIC_COUNTER,
                 "Calls that a brown-out of a version has refused.", n_refused);
}
