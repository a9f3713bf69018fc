/* Lists in DNS: addresses of names, or their SRV records. */
#include "gateway/discovery/dns_answer.h"
#include "gateway/discovery/inbox.h"
#include "gateway/discovery/source.h"
#include "gateway/discovery/source_loop.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "gateway/healing/healing.h"
#include "gateway/telemetry/telemetry.h"

#include <stdlib.h>

enum { TYPES_MOST = 2 }; /* of records of one name: A and AAAA, or SRV */

typedef struct DnsSource DnsSource;
typedef struct NameState NameState;

/* The records of one type, asked for again and again. */
typedef struct Asking {
    RecordQuery query;
    NameState *name;
    uint16_t type;
    Timer timer;      /* while the query runs: its end; else the next query */
    Arena *arena;     /* of `answer` */
    DnsAnswer answer; /* the last good one */
    bool known;       /* there was a good one */
    Result why;       /* failed: the last query; in why_arena */
    Arena *why_arena;
} Asking;

struct NameState {
    DnsSource *of;
    uint32_t index; /* in Discovery.names */
    Asking askings[TYPES_MOST];
    uint32_t n_askings;
    Arena *kept_arena;
    DnsRecord *kept; /* the last records that there were, of all types: while there are none */
    uint32_t n_kept;
    Timer empty; /* runs while there are none, but kept ones */
};

/* Belongs to the loop of sources once it was started. */
struct DnsSource {
    Source source;
    SourceOwner *owner;
    uint64_t number;
    Loop *loop;
    Config *config; /* a reference; NULL: not used yet */
    Service *service;
    NameState *names;
    uint32_t n_names;
    bool told;    /* a list was delivered for this config */
    bool emptied; /* kept records have left, because their time was over */
};

static const Discovery *discovery_of(const DnsSource *source)
{
    return source->service->discovery;
}

/* ---- Records --------------------------------------------------------------------------------- */

static int compare_records(const void *a, const void *b)
{
    const DnsRecord *first = a, *second = b;
    int order = first->target ? strcmp(first->target, second->target)
                              : memcmp(first->ip.bytes, second->ip.bytes, sizeof first->ip.bytes);
    if (!order)
        order = (first->port > second->port) - (first->port < second->port);
    return order ? order : (first->weight > second->weight) - (first->weight < second->weight);
}

/* Name servers send records in any order. */
static bool same_records(const DnsAnswer *a, const DnsAnswer *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (compare_records(&a->records[i], &b->records[i]) != 0)
            return false;
    return true;
}

static uint32_t n_records(const NameState *name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < name->n_askings; i++)
        n += name->askings[i].answer.n;
    return n;
}

static void keep_records(NameState *name)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    name->kept = arena_array(arena, DnsRecord, n_records(name));
    name->n_kept = 0;
    for (uint32_t i = 0; i < name->n_askings; i++) {
        const DnsAnswer *answer = &name->askings[i].answer;
        for (uint32_t k = 0; k < answer->n; k++) {
            DnsRecord record = answer->records[k];
            if (record.target)
                record.target = arena_string(arena, record.target);
            name->kept[name->n_kept++] = record;
        }
    }
    arena_free(name->kept_arena);
    name->kept_arena = arena;
}

static const char *text_of(const NameState *name)
{
    return discovery_of(name->of)->names[name->index].text;
}

/* There are no records any more: those from before are used. */
static void begin_empty(NameState *name)
{
    const char *service = name->of->service->name;
    int64_t wait = discovery_of(name->of)->empty_after;
    telemetry_event("warning", "instances_empty", OK,
                    "%s: DNS has no records of %s: its %u instances stay for %.1f s", service,
                    text_of(name), name->n_kept, (double)wait / SECOND);
    healing_begin(HEALING_DISCOVERY, service, text_of(name), OK,
                  "DNS has no records of it: its %u instances stay for %.1f s", name->n_kept,
                  (double)wait / SECOND);
    timer_start(&name->of->loop->timers, &name->empty, name->of->loop->now + wait);
}

static void end_empty(NameState *name, const char *how)
{
    if (timer_running(&name->empty))
        healing_end(HEALING_DISCOVERY, name->of->service->name, text_of(name), "%s", how);
    timer_stop(&name->of->loop->timers, &name->empty);
}

/* After an answer: the records of the name stay for a while if there are none any more. */
static void settle_records(NameState *name)
{
    if (n_records(name)) {
        end_empty(name, "DNS has records of it again");
        keep_records(name);
    } else if (name->n_kept && !timer_running(&name->empty)) {
        begin_empty(name);
    }
}

/* ---- The list -------------------------------------------------------------------------------- */

static const char *address_of(Arena *arena, const DnsRecord *record, uint16_t port)
{
    char ip[IP_TEXT_SIZE];
    if (record->target)
        return arena_printf(arena, "%s:%u", record->target, record->port);
    ip_write(&record->ip, ip);
    return arena_printf(arena, ip_is_v4(&record->ip) ? "%s:%u" : "[%s]:%u", ip, port);
}

static ListDocument make_document(const NameState *name, Arena *arena)
{
    const Discovery *discovery = discovery_of(name->of);
    const DiscoveredName *said = &discovery->names[name->index];
    Buffer out = buffer_in(arena);
    buffer_add_text(&out, "{\"instances\":[");
    for (uint32_t i = 0; i < name->n_kept; i++) {
        buffer_add_text(&out, i ? ",{\"address\":" : "{\"address\":");
        if (!json_write_checked(&out, bytes_of(address_of(arena, &name->kept[i], said->port))))
            buffer_add_text(&out, "\"\"");
        if (!said->port && !said->weighted)
            buffer_printf(&out, ",\"weight\":%u", name->kept[i].weight);
        buffer_add(&out, said->members.data, said->members.size);
        buffer_add_byte(&out, '}');
    }
    buffer_add_text(&out, "]}");
    return (ListDocument){.name = arena_printf(arena, "DNS %s", said->text),
                          .base = arena_string(arena, discovery->base),
                          .text = buffer_bytes(&out)};
}

/* Something is known of it: a type that its server never answers for is not waited for if there are
   records of another one. */
static bool is_known(const NameState *name)
{
    bool all = true;
    for (uint32_t i = 0; i < name->n_askings; i++)
        all &= name->askings[i].known;
    return all || name->n_kept;
}

static Result failure_of(const DnsSource *source)
{
    for (uint32_t i = 0; i < source->n_names; i++)
        for (uint32_t k = 0; k < source->names[i].n_askings; k++)
            if (failed(source->names[i].askings[k].why))
                return source->names[i].askings[k].why;
    return OK;
}

/* Every query has ended once, so that what is missing is missing. */
static bool has_settled(const DnsSource *source)
{
    for (uint32_t i = 0; i < source->n_names; i++)
        for (uint32_t k = 0; k < source->names[i].n_askings; k++)
            if (!source->names[i].askings[k].known && !failed(source->names[i].askings[k].why))
                return false;
    return true;
}

static void take_list(DnsSource *source, Reading *reading)
{
    ListDocument *documents = arena_array(reading->arena, ListDocument, source->n_names);
    for (uint32_t i = 0; i < source->n_names; i++)
        documents[i] = make_document(&source->names[i], reading->arena);
    reading_take(reading, documents, source->n_names);
    reading->empty_is_old = source->emptied;
    source->told = true;
}

static void deliver(DnsSource *source, bool changed)
{
    if (!has_settled(source))
        return;
    bool known = true;
    for (uint32_t i = 0; i < source->n_names; i++)
        known &= is_known(&source->names[i]);
    Result why = failure_of(source);
    Reading *reading = reading_new(source->number, source->config, source->service);
    if (failed(why))
        reading_fail(reading, why);
    if (known && (changed || !source->told))
        take_list(source, reading);
    else
        reading->same = !failed(why);
    inbox_put(source->owner->inbox, reading);
}

static void on_empty(Timer *timer)
{
    NameState *name = (NameState *)((char *)timer - offsetof(NameState, empty));
    healing_end(HEALING_DISCOVERY, name->of->service->name, text_of(name),
                "there are none still: its instances leave");
    name->n_kept = 0;
    name->of->emptied = true;
    deliver(name->of, true);
}

/* ---- Queries --------------------------------------------------------------------------------- */

static void wait_for(Asking *asking, int64_t time)
{
    Loop *loop = asking->name->of->loop;
    timer_start(&loop->timers, &asking->timer, loop->now + time);
}

static void has_failed(Asking *asking, Result why)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    asking->why = error_copy(arena, why);
    arena_free(asking->why_arena);
    asking->why_arena = arena;
    wait_for(asking, discovery_of(asking->name->of)->every);
    deliver(asking->name->of, false);
}

/* How long the answer is valid. */
static int64_t time_of(const Asking *asking)
{
    int64_t every = discovery_of(asking->name->of)->every, time = asking->answer.ttl * SECOND;
    if (!asking->answer.n || time < every)
        return every;
    return time < RESOLVER_TTL_MOST ? time : RESOLVER_TTL_MOST;
}

/* Takes the arena. */
static void has_answer(Asking *asking, Arena *arena, DnsAnswer answer)
{
    NameState *name = asking->name;
    bool changed = !asking->known || !same_records(&asking->answer, &answer);
    arena_free(asking->arena);
    asking->arena = arena;
    asking->answer = answer;
    asking->known = true;
    asking->why = OK;
    if (answer.n)
        name->of->emptied = false;
    settle_records(name);
    wait_for(asking, time_of(asking));
    deliver(name->of, changed);
}

static void on_records(RecordQuery *query, Bytes response, Result why)
{
    Asking *asking = (Asking *)query;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    DnsAnswer answer;
    Result r = failed(why) ? why : dns_answer_read(arena, response, asking->type, &answer);
    if (failed(r)) {
        has_failed(asking, r);
        arena_free(arena);
        return;
    }
    dns_answer_prefer(&answer);
    if (answer.n)
        qsort(answer.records, answer.n, sizeof *answer.records, compare_records);
    has_answer(asking, arena, answer);
}

static void ask(Asking *asking)
{
    const DnsSource *source = asking->name->of;
    const Discovery *discovery = discovery_of(source);
    records_begin(source_loop_resolver(source->loop), &asking->query,
                  discovery->names[asking->name->index].name, asking->type);
    wait_for(asking, discovery->timeout);
}

static void on_timer(Timer *timer)
{
    Asking *asking = (Asking *)((char *)timer - offsetof(Asking, timer));
    const DnsSource *source = asking->name->of;
    if (!asking->query.answer) {
        ask(asking);
        return;
    }
    const Discovery *discovery = discovery_of(source);
    records_cancel(&asking->query);
    has_failed(asking, FAIL(loop_scratch(source->loop), FAULT_SYSTEM,
                            "resolving %s: no answer within %.1f s",
                            discovery->names[asking->name->index].name,
                            (double)discovery->timeout / SECOND));
}

/* ---- The source ------------------------------------------------------------------------------ */

static void name_begin(DnsSource *source, uint32_t index)
{
    NameState *name = &source->names[index];
    bool addresses = discovery_of(source)->names[index].port != 0;
    *name = (NameState){.of = source, .index = index, .n_askings = addresses ? 2 : 1};
    name->empty.fire = on_empty;
    for (uint32_t i = 0; i < name->n_askings; i++)
        name->askings[i] = (Asking){.query.on_records = on_records,
                                    .name = name,
                                    .type = !addresses ? DNS_SRV
                                            : i        ? DNS_AAAA
                                                       : DNS_A,
                                    .timer.fire = on_timer};
}

static void ask_all(DnsSource *source)
{
    for (uint32_t i = 0; i < source->n_names; i++)
        for (uint32_t k = 0; k < source->names[i].n_askings; k++) {
            Asking *asking = &source->names[i].askings[k];
            if (!asking->query.answer)
                ask(asking);
        }
}

/* The names are the same in each config, or the source would be another one: what is known of them
   stays. */
static void run_use(Loop *loop, void *argument)
{
    SourceUse *use = argument;
    DnsSource *source = (DnsSource *)use->source;
    bool first = !source->config;
    if (source->config)
        config_unref(source->config);
    source->loop = loop;
    source->config = use->config;
    source->service = use->service;
    source->told = false;
    free(use);
    if (first) {
        source->n_names = discovery_of(source)->n_names;
        source->names = calloc(source->n_names, sizeof *source->names);
        CHECK(source->names);
        for (uint32_t i = 0; i < source->n_names; i++)
            name_begin(source, i);
    }
    ask_all(source);
}

static void name_end(NameState *name)
{
    TimerWheel *timers = &name->of->loop->timers;
    for (uint32_t i = 0; i < name->n_askings; i++) {
        Asking *asking = &name->askings[i];
        records_cancel(&asking->query);
        timer_stop(timers, &asking->timer);
        arena_free(asking->arena);
        arena_free(asking->why_arena);
    }
    end_empty(name, "the list is watched no longer");
    arena_free(name->kept_arena);
}

static void run_stop(Loop *loop, void *argument)
{
    DnsSource *source = argument;
    (void)loop;
    for (uint32_t i = 0; i < source->n_names; i++)
        name_end(&source->names[i]);
    free(source->names);
    config_unref(source->config);
    free(source);
}

static Source *start(SourceOwner *owner, uint64_t number)
{
    DnsSource *source = calloc(1, sizeof *source);
    CHECK(source);
    source->source.kind = &source_dns;
    source->owner = owner;
    source->number = number;
    return &source->source;
}

static void use(Source *base, Config *config, Service *service)
{
    DnsSource *source = (DnsSource *)base;
    source_loop_tell(source->owner, &(SourceUse){base, config, service}, run_use);
}

static void stop(Source *base)
{
    DnsSource *source = (DnsSource *)base;
    source_loop_post(source->owner->sources, run_stop, source);
}

const SourceKind source_dns = {start, use, stop};
