/* What operators order, from the query to the answer. */
#include "gateway/healing/manual_internal.h"

#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "base/text/query.h"
#include "base/text/utf8.h"

#define TIME_DEFAULT (3600 * SECOND)
#define TIME_MOST (30 * 86400 * SECOND)

enum { WHY_MOST = 300 }; /* bytes of a reason; the audit has more of it */

/* ---- The query ------------------------------------------------------------------------------- */

/* What the query says; "" and TIME_DEFAULT where it does not. */
typedef struct Query {
    const char *address, *service, *to;
    int64_t time;
    bool has_time;
} Query;

static Result read_time(Arena *arena, Bytes text, Query *query)
{
    if (!spelling_duration(text, &query->time) || query->time < SECOND || query->time > TIME_MOST)
        return FAIL(arena, FAULT_BAD_VALUE, "for=%.*s is no time from 1s to 720h",
                    BYTES_ARGS(text));
    query->has_time = true;
    return OK;
}

static Result read_part(Arena *arena, const QueryPair *pair, Query *query)
{
    Bytes name = pair->name;
    const char **text = bytes_are(name, "address")   ? &query->address
                        : bytes_are(name, "service") ? &query->service
                        : bytes_are(name, "to")      ? &query->to
                                                     : NULL;
    if (!pair->good || bytes_find(pair->value, 0) < pair->value.size)
        return FAIL(arena, FAULT_BAD_VALUE, "%.*s cannot be decoded", BYTES_ARGS(name));
    if (bytes_are(name, "for") && !query->has_time)
        return read_time(arena, pair->value, query);
    if (!text || (*text)[0])
        return FAIL(arena, FAULT_BAD_VALUE, "%.*s: it is unknown, or there twice",
                    BYTES_ARGS(name));
    *text = arena_text(arena, pair->value);
    return OK;
}

static Result read_query(Arena *arena, Bytes text, Query *query)
{
    *query = (Query){.address = "", .service = "", .to = "", .time = TIME_DEFAULT};
    Result r = OK;
    for (QueryPair pair; !failed(r) && query_next(&text, arena, &pair);)
        r = read_part(arena, &pair, query);
    return r;
}

/* The parts that an order takes, and no other one. */
static Result check_query(Arena *arena, const Query *query, const char *word, bool of_instance,
                          bool has_to, bool may_have_time)
{
    if (of_instance != (query->address[0] != 0) || (of_instance && query->service[0]) ||
        has_to != (query->to[0] != 0) || (query->has_time && !may_have_time))
        return FAIL(arena, FAULT_BAD_VALUE, "%s takes %s%s%s", word,
                    of_instance ? "address=ADDRESS" : "service=SERVICE",
                    has_to ? "&to=VERSION or BUILD" : "", may_have_time ? "&for=TIME" : "");
    return OK;
}

/* ---- What it is about ------------------------------------------------------------------------ */

static Result find_address(Arena *arena, const char *address)
{
    if (manual_service_at(address))
        return OK;
    return FAIL(arena, FAULT_UNKNOWN_PATH,
                "no service has an instance at %s: GET /config lists them", address);
}

/* The service of that name, or the only one. */
static Result find_service(Arena *arena, const char *name, const Service **found_out)
{
    const Config *config = manual_config();
    for (uint32_t i = 0; config && i < config->n_services; i++) {
        *found_out = &config->services[i];
        if (strcmp((*found_out)->name, name) == 0 || (!name[0] && config->n_services == 1))
            return OK;
    }
    if (!name[0])
        return FAIL(arena, FAULT_BAD_VALUE, "there are %u services: say which",
                    config ? config->n_services : 0);
    return FAIL(arena, FAULT_UNKNOWN_PATH, "there is no service %s", name);
}

/* A pin that leaves no instance would be an outage. */
static Result find_target(Arena *arena, const Service *service, const char *to)
{
    InstanceSet *set = instance_set_of(service);
    uint32_t n = manual_count_pinned(set, to);
    instance_set_unref(set);
    return n ? OK
             : FAIL(arena, FAULT_UNKNOWN_PATH,
                    "no instance of %s has the version or build %s: GET /config lists them",
                    service->name, to);
}

/* ---- The answer ------------------------------------------------------------------------------ */

/* How many instances a service has, and how many of them get calls. */
static void add_left(Buffer *out, const Service *service)
{
    InstanceSet *set = instance_set_of(service);
    uint32_t left = 0;
    for (uint32_t i = 0; i < set->n; i++)
        left += !instance_barred(set->instances[i]) && !instance_loops_down(set->instances[i]);
    json_text_open_item(out);
    json_text_add_member(out, "service", bytes_of(service->name));
    json_text_add_number(out, "instances", set->n);
    json_text_add_number(out, "left", left);
    buffer_add_byte(out, '}');
    instance_set_unref(set);
}

static bool is_about(const Service *service, const char *address, const char *name)
{
    if (!address[0])
        return strcmp(service->name, name) == 0;
    InstanceSet *set = instance_set_of(service);
    bool has = manual_has_address(set, address);
    instance_set_unref(set);
    return has;
}

static void add_services(Buffer *out, const char *address, const char *name)
{
    const Config *config = manual_config();
    json_text_open_list(out, "services");
    for (uint32_t i = 0; config && i < config->n_services; i++)
        if (is_about(&config->services[i], address, name))
            add_left(out, &config->services[i]);
    buffer_add_byte(out, ']');
}

static void begin_answer(Buffer *out, const char *action, const char *target)
{
    buffer_add_byte(out, '{');
    json_text_add_member(out, "action", bytes_of(action));
    json_text_add_member(out, "target", bytes_of(target));
}

/* ---- Orders ---------------------------------------------------------------------------------- */

static Result act_until(const ManualOrder *order, const Query *query, ManualKind kind,
                        const char *target, Arena *arena, Buffer *answer)
{
    int64_t now = clock_now(), wall = clock_wall();
    Buffer why = buffer_in(arena);
    utf8_add_repaired(&why, bytes_cut_text(order->why, WHY_MOST));
    ManualAct act = {.kind = kind,
                     .target = target,
                     .to = query->to,
                     .who = order->who,
                     .by = order->by,
                     .why = arena_text(arena, buffer_bytes(&why)),
                     .since = now,
                     .until = now + query->time,
                     .since_wall = wall};
    Result r = manual_begin(arena, &act);
    if (failed(r))
        return r;
    bool of_instance = kind != MANUAL_PIN;
    begin_answer(
        answer,
        arena_printf(arena, "%s_%s", of_instance ? "instance" : "service", manual_kind_name(kind)),
        target);
    if (!of_instance)
        json_text_add_member(answer, "to", bytes_of(query->to));
    json_text_add_time(answer, "until", (wall + query->time) / SECOND, 0);
    add_services(answer, of_instance ? target : "", target);
    buffer_add_text(answer, "}\n");
    return OK;
}

/* "10.0.0.7:7001", "orders to v2", and for how long. */
static const char *say(Arena *arena, const Query *query, const char *target, bool lasts)
{
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, target);
    if (query->to[0])
        buffer_printf(&text, " to %s", query->to);
    if (lasts)
        buffer_add_text(&text, " for ");
    if (lasts)
        spelling_add_duration(&text, query->time);
    return arena_text(arena, buffer_bytes(&text));
}

static Result order_instance(const ManualOrder *order, const Query *query, ManualKind kind,
                             Arena *arena, Buffer *answer, const char **subject_out)
{
    Result r = check_query(arena, query, manual_kind_name(kind), true, false, true);
    if (!failed(r))
        r = find_address(arena, query->address);
    if (failed(r))
        return r;
    *subject_out = say(arena, query, query->address, true);
    return act_until(order, query, kind, query->address, arena, answer);
}

/* What the gateway itself has decided of it. */
static bool pardon(const char *address)
{
    uint32_t n;
    bool ejected = false;
    KnownInstance **all = known_instances_all(&n);
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(all[i]->address.text, address) == 0)
            ejected |= known_instance_pardon(all[i], clock_now());
    }
    known_instances_let_go(all, n);
    return ejected;
}

/* One that has left meanwhile is lifted, too. */
static Result order_return(const ManualOrder *order, const Query *query, Arena *arena,
                           Buffer *answer, const char **subject_out)
{
    Result r = check_query(arena, query, "return", true, false, false);
    if (failed(r))
        return r;
    bool ejected = manual_lift(MANUAL_EJECT, query->address, order->who);
    bool drained = manual_lift(MANUAL_DRAIN, query->address, order->who);
    bool pardoned = pardon(query->address);
    if (!ejected && !drained && failed(r = find_address(arena, query->address)))
        return r;
    manual_changed();
    *subject_out = say(arena, query, query->address, false);
    begin_answer(answer, "instance_return", query->address);
    json_text_add_bool(answer, "lifted", ejected || drained || pardoned);
    add_services(answer, query->address, "");
    buffer_add_text(answer, "}\n");
    return OK;
}

static Result order_pin(const ManualOrder *order, const Query *query, Arena *arena, Buffer *answer,
                        const char **subject_out)
{
    const Service *service = NULL;
    Result r = check_query(arena, query, "pin", false, true, true);
    if (!failed(r))
        r = find_service(arena, query->service, &service);
    if (!failed(r))
        r = find_target(arena, service, query->to);
    if (failed(r))
        return r;
    *subject_out = say(arena, query, service->name, true);
    return act_until(order, query, MANUAL_PIN, service->name, arena, answer);
}

static Result order_unpin(const ManualOrder *order, const Query *query, Arena *arena,
                          Buffer *answer, const char **subject_out)
{
    const Service *service = NULL;
    Result r = check_query(arena, query, "unpin", false, false, false);
    if (!failed(r))
        r = find_service(arena, query->service, &service);
    if (failed(r))
        return r;
    bool lifted = manual_lift(MANUAL_PIN, service->name, order->who);
    manual_changed();
    *subject_out = say(arena, query, service->name, false);
    begin_answer(answer, "service_unpin", service->name);
    json_text_add_bool(answer, "lifted", lifted);
    add_services(answer, "", service->name);
    buffer_add_text(answer, "}\n");
    return OK;
}

Result manual_order(const ManualOrder *order, Arena *arena, Buffer *answer,
                    const char **subject_out)
{
    Query query;
    *subject_out = "";
    Result r = read_query(arena, order->query, &query);
    if (failed(r))
        return r;
    if (bytes_are(order->word, "eject"))
        return order_instance(order, &query, MANUAL_EJECT, arena, answer, subject_out);
    if (bytes_are(order->word, "drain"))
        return order_instance(order, &query, MANUAL_DRAIN, arena, answer, subject_out);
    if (bytes_are(order->word, "return"))
        return order_return(order, &query, arena, answer, subject_out);
    if (bytes_are(order->word, "pin"))
        return order_pin(order, &query, arena, answer, subject_out);
    CHECK(bytes_are(order->word, "unpin"));
    return order_unpin(order, &query, arena, answer, subject_out);
}
