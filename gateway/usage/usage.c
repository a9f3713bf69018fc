#include "gateway/usage/usage.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/handover/handover.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/usage/usage_fields.h"
#include "gateway/usage/usage_page.h"
#include "gateway/usage/usage_store.h"
#include "gateway/usage/usage_text.h"

#include <stdlib.h>

/* The names of what a successor gets. */
#define HANDED "usage"
#define HANDED_RETIREMENTS "retirements"

/* Rows that are too old are looked for so often. */
#define FORGETTING (INT64_C(3600) * SECOND)

/* Somebody waits for the page. */
typedef struct UsageAsking {
    struct UsageAsking *next;
    Usage *usage;
    Arena *arena;
    UsageQuestion question;
    bool submitted; /* the store has the question */
    void (*on_done)(void *owner, Result result, Bytes json);
    void *owner;
} UsageAsking;

struct Usage {
    uv_timer_t timer;
    UsageTable *table;
    UsageNames *names;
    Retirements *retirements;
    UsageStore store; /* port NULL: there is none */
    const Config *config;
    int64_t beat_at, forget_at; /* wall time of the next ones */
    UsageAsking *asking;
    bool handed_on; /* blobs are offered */
    atomic_ullong n_unwritten;
};

/* ---- Counting: on loops ---------------------------------------------------------------------- */

/* Nothing is used where the gateway has refused the version as one that has ended. */
static bool is_refused(const CallRecord *record)
{
    return failed(record->why) && record->why.error->fault == &FAULT_VERSION_SUNSET;
}

/* The same call in the version; NULL: it has none. */
static const Method *method_in(const Method *method, const Version *version)
{
    for (const Method *same = method; same; same = same->next_same_path)
        if (same->version == version)
            return same;
    return method->pairs ? method->pairs[version->index].target : NULL;
}

/* Loops write it to the second, so that they do not fight for it. */
static void note_use(const Retiring *retiring, const CallRecord *record)
{
    RetireState *state = retiring->state;
    if (atomic_load_explicit(&state->used, memory_order_relaxed) + SECOND <= record->began)
        atomic_store_explicit(&state->used, record->began, memory_order_relaxed);
    if (failed(record->why) && record->why.error->fault == &FAULT_VERSION_BROWNOUT)
        atomic_fetch_add_explicit(&state->refused, 1, memory_order_relaxed);
}

static void count_in(Usage *usage, const CallRecord *record, const Version *version)
{
    const Method *method = method_in(record->method, version);
    if (method && method->use)
        usage_table_call(usage->table, method->use, record->client, record->began);
    if (version->retiring && version->retiring->state)
        note_use(version->retiring, record);
}

/* Legs and steps are uses by whoever they are made for. */
static void on_call(void *owner, const CallRecord *record, Bytes line)
{
    const Version *version = record->client_version, *reply = record->reply_version;
    (void)line;
    if (!record->method || !record->method->use || !version || is_refused(record))
        return;
    count_in(owner, record, version);
    if (reply && reply != version)
        count_in(owner, record, reply);
}

void usage_count(Usage *usage, Loop *loop)
{
    telemetry_feed(loop->telemetry, on_call, usage);
}

/* ---- Configs --------------------------------------------------------------------------------- */

static void number_version(Usage *usage, Version *version, Arena *arena)
{
    for (uint32_t i = 0; i < version->n_methods; i++) {
        Method *method = &version->methods[i];
        method->use = usage_names_number(usage->names,
                                         &(UsageName){.service = bytes_of(version->service->name),
                                                      .version = bytes_of(version->name),
                                                      .method = bytes_of(method->type->path + 1)});
        if (version->service->counts_fields)
            method->fields = usage_fields_new(method, usage->names, usage->table, arena);
    }
}

static void number_config(Usage *usage, Config *config)
{
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++)
            number_version(usage, &config->services[i].versions[k], config->arena);
}

static void write_rows(void *owner, Buffer *out)
{
    Usage *usage = owner;
    usage_text_write(usage->table, usage->names, USAGE_TEXT_SIZE, out);
}

static void write_retirements(void *owner, Buffer *out)
{
    const Usage *usage = owner;
    retirements_hand_on(usage->retirements, out);
}

static void restore(Usage *usage)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    usage_text_read(usage->table, usage->names, handover_take(HANDED, arena));
    retirements_restore(usage->retirements, handover_take(HANDED_RETIREMENTS, arena));
    handover_offer(HANDED, write_rows, usage);
    handover_offer(HANDED_RETIREMENTS, write_retirements, usage);
    usage->handed_on = true;
    arena_free(arena);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void on_time(uv_timer_t *timer);

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Until the next beat, or until a version begins or ends to fail. */
static void set_timer(Usage *usage, int64_t wall)
{
    int64_t next = earlier(usage->beat_at, retirements_next(usage->retirements, wall));
    int64_t wait = next > wall ? (next - wall + MILLISECOND - 1) / MILLISECOND : 0;
    CHECK(uv_timer_start(&usage->timer, on_time, (uint64_t)wait, 0) == 0);
}

static void keep_in_memory(Usage *usage, int64_t wall)
{
    if (wall >= usage->forget_at) {
        int64_t keep = earlier(usage->config->usage.keep, usage->config->identity.retention);
        usage_table_forget_old(usage->table, wall - keep);
        usage->forget_at = wall + FORGETTING;
    }
    handover_changed(HANDED);
    handover_changed(HANDED_RETIREMENTS);
}

static void beat(Usage *usage, int64_t wall)
{
    usage->beat_at = wall + usage->config->usage.every;
    retirements_beat(usage->retirements, wall);
    if (usage->store.port)
        usage_store_begin(&usage->store);
    else
        keep_in_memory(usage, wall);
}

/* The wall clock may have been set back. */
static void on_time(uv_timer_t *timer)
{
    Usage *usage = timer->data;
    int64_t wall = clock_wall();
    if (wall >= usage->beat_at || wall + usage->config->usage.every < usage->beat_at)
        beat(usage, wall);
    else
        retirements_look(usage->retirements, wall);
    set_timer(usage, wall);
}

void usage_use(Usage *usage, Config *config)
{
    int64_t wall = clock_wall();
    usage->config = config;
    usage_table_limit(usage->table, config->usage.memory);
    if (config->usage.on && !usage->store.port && !usage->handed_on)
        restore(usage);
    retirements_use(usage->retirements, config, wall);
    if (!config->usage.on) {
        uv_timer_stop(&usage->timer);
        return;
    }
    number_config(usage, config);
    usage->beat_at = wall;
    set_timer(usage, wall);
}

/* ---- The page -------------------------------------------------------------------------------- */

static const char *service_list(const Config *config, Arena *arena)
{
    Buffer list = buffer_in(arena);
    for (uint32_t i = 0; i < config->n_services; i++)
        buffer_printf(&list, "%s%s", i ? ", " : "", config->services[i].name);
    return arena_text(arena, buffer_bytes(&list));
}

/* What is not in the config any more may have been used; what never was is a mistake. */
static Result check_names(const UsageAsking *asking)
{
    const Config *config = asking->usage->config;
    const UsageQuestion *question = &asking->question;
    Arena *arena = asking->arena;
    if (!question->service.size)
        return OK;
    const Service *service = config_service(config, arena_text(arena, question->service));
    if (!service)
        return FAIL(arena, FAULT_UNKNOWN_PATH, "there is no service %.*s; there are %s",
                    BYTES_ARGS(question->service), service_list(config, arena));
    if (question->version.size && !service_version(service, question->version))
        return FAIL(
            arena, FAULT_UNKNOWN_PATH, "there is no version %.*s; the versions of %s are %s",
            BYTES_ARGS(question->version), service->name, service_version_names(service, arena));
    return OK;
}

/* Whether fields of requests are counted of a service that was asked for. */
static bool counts_fields(const UsageAsking *asking)
{
    const Config *config = asking->usage->config;
    Bytes name = asking->question.service;
    for (uint32_t i = 0; i < config->n_services; i++)
        if (config->services[i].counts_fields &&
            (!name.size || bytes_are(name, config->services[i].name)))
            return true;
    return false;
}

static void answer(UsageAsking *asking, Result result, const UsageFound *found)
{
    const Usage *usage = asking->usage;
    Buffer out = buffer_in(asking->arena);
    if (!failed(result) && !found->n_methods && !found->n_clients)
        result = check_names(asking);
    UsagePage page = {.question = &asking->question,
                      .found = found,
                      .retirements = usage->retirements,
                      .all_gateways = usage->store.port,
                      .fields_counted = counts_fields(asking),
                      .wall = clock_wall(),
                      .keep = usage->config->usage.keep};
    if (!failed(result))
        usage_page_write(&page, &out);
    asking->on_done(asking->owner, result, buffer_bytes(&out));
    arena_free(asking->arena);
}

static void take_out(UsageAsking *asking)
{
    UsageAsking **at = &asking->usage->asking;
    while (*at != asking)
        at = &(*at)->next;
    *at = asking->next;
}

static void on_found(void *owner, Result result, StoreTask *task)
{
    UsageAsking *asking = owner;
    UsageFound found = {0};
    take_out(asking);
    if (!failed(result))
        usage_find_read(task, asking->arena, &found);
    answer(asking, result, &found);
}

/* What was counted before it was asked is stored, or is not: then it is counted later. */
static void on_round(void *owner)
{
    Usage *usage = owner;
    atomic_store(&usage->n_unwritten, usage->store.n_unwritten);
    for (UsageAsking *asking = usage->asking; asking; asking = asking->next) {
        if (asking->submitted)
            continue;
        asking->submitted = true;
        store_submit(usage->store.port, usage_find_task(&asking->question), on_found, asking);
    }
}

static Result read_question(UsageAsking *asking, Bytes query)
{
    const Config *config = asking->usage->config;
    UsageQuestion *question = &asking->question;
    if (!config->usage.on)
        return FAIL(asking->arena, FAULT_UNKNOWN_PATH,
                    "nothing is counted: the config has no `usage`");
    Result r = usage_question_read(query, asking->arena, question);
    Identity client = {.name = question->client, .how = PROOF_HEADER};
    question->client = identity_shown(&client, config, asking->arena);
    return r;
}

void usage_ask(Usage *usage, Bytes query, void (*on_done)(void *owner, Result result, Bytes json),
               void *owner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    UsageAsking *asking = arena_make(arena, UsageAsking);
    *asking = (UsageAsking){.usage = usage, .arena = arena, .on_done = on_done, .owner = owner};
    UsageFound found = {0};
    Result r = read_question(asking, query);
    if (!failed(r) && usage->store.port) {
        asking->next = usage->asking;
        usage->asking = asking;
        usage_store_begin(&usage->store);
        return;
    }
    if (!failed(r))
        usage_find(usage->table, usage->names, &asking->question, arena, &found);
    answer(asking, r, &found);
}

void usage_each_client(Usage *usage, void (*see)(void *owner, const UsageCount *row), void *owner)
{
    for (uint32_t i = 0; i < USAGE_SHARDS; i++)
        usage_table_each(usage->table, i, see, owner);
}

/* ---- The rest -------------------------------------------------------------------------------- */

void usage_retire(Usage *usage, const RetireOrder *order,
                  void (*on_done)(void *owner, Result result), void *owner)
{
    retirements_order(usage->retirements, order, clock_wall(), on_done, owner);
    if (usage->handed_on)
        handover_changed(HANDED_RETIREMENTS);
}

void usage_forget_client(Usage *usage, Bytes client)
{
    usage_table_forget_client(usage->table, client);
}

Usage *usage_new(uv_loop_t *loop, StorePort *port)
{
    Usage *usage = calloc(1, sizeof *usage);
    CHECK(usage);
    usage->table = usage_table_new(0);
    usage->names = usage_names_new();
    usage->retirements = retirements_new();
    usage->store = (UsageStore){.port = port,
                                .table = usage->table,
                                .names = usage->names,
                                .on_round = on_round,
                                .owner = usage};
    retirements_keep(usage->retirements, port);
    CHECK(uv_timer_init(loop, &usage->timer) == 0);
    usage->timer.data = usage;
    return usage;
}

void usage_stop(Usage *usage)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    while (usage->asking) {
        UsageAsking *asking = usage->asking;
        usage->asking = asking->next;
        answer(asking, FAIL(arena, FAULT_SHUTTING_DOWN, "the gateway stops"), NULL);
    }
    arena_free(arena);
    if (usage->store.port) {
        usage_store_end(&usage->store);
        retirements_beat(usage->retirements, clock_wall());
        retirements_keep(usage->retirements, NULL);
    }
    uv_close((uv_handle_t *)&usage->timer, NULL);
}

void usage_free(Usage *usage)
{
    if (usage->handed_on) {
        handover_withdraw(HANDED);
        handover_withdraw(HANDED_RETIREMENTS);
    }
    usage_table_free(usage->table);
    usage_names_free(usage->names);
    retirements_free(usage->retirements);
    free(usage);
}

void usage_metrics_write(Exposition *e, void *owner)
{
    Usage *usage = owner;
    UsageTableStats stats = usage_table_stats(usage->table);
    exposition_single(e, "passerelle_usage_rows", METRIC_GAUGE,
                      "Rows of usage in memory: of a client and what it uses.", stats.rows);
    exposition_single(e, "passerelle_usage_bytes", METRIC_GAUGE, "Their memory.", stats.bytes);
    exposition_single(e, "passerelle_usage_shared_calls", METRIC_COUNTER,
                      "Calls of clients that had no room for a row of their own.",
                      stats.shared_calls);
    exposition_single(e, "passerelle_usage_unwritten", METRIC_COUNTER,
                      "Groups of rows that the store did not take; they are written again.",
                      atomic_load(&usage->n_unwritten));
    retirements_metrics_write(e, usage->retirements);
}
