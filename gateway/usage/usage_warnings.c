#include "gateway/usage/usage_warnings.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "gateway/store/store_apart.h"

#define LATELY (INT64_C(7) * 86400 * SECOND)

enum { CLIENTS_MOST = 1000, NAMED = 3 };

static const char find_clients[] =
    "SELECT client, shared, max(last) FROM usage WHERE service = $1 AND version = $2"
    " AND field = '' AND last >= $3 GROUP BY client, shared ORDER BY max(last) DESC, client"
    " LIMIT $4";

static bool will_hit(const Version *version)
{
    return version->sunset && !version->retiring;
}

static void ask(const Config *config, int64_t wall, StoreTask *task)
{
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        for (uint32_t k = 0; k < service->n_versions; k++) {
            if (!will_hit(&service->versions[k]))
                continue;
            StoreStatement *s = store_task_add(task, find_clients);
            store_bind_text(task, s, bytes_of(service->name));
            store_bind_text(task, s, bytes_of(service->versions[k].name));
            store_bind_integer(s, wall - LATELY);
            store_bind_integer(s, CLIENTS_MOST + 1);
        }
    }
}

/* ": ada, bob, and 3 more"; those that share rows are some at least. */
static void name_clients(const StoreStatement *s, Buffer *out)
{
    uint32_t n = 0, named = 0;
    for (const StoreRow *row = s->rows; row; row = row->next, n++) {
        if (row->values[1].integer || named == NAMED)
            continue;
        Bytes name = row->values[0].bytes;
        buffer_add_text(out, named++ ? ", " : "");
        buffer_add_bytes(out, name.size ? name : bytes_of("anonymous ones"));
    }
    if (n > CLIENTS_MOST)
        buffer_printf(out, "%sat least %u more", named ? ", and " : "", n - named);
    else if (n > named)
        buffer_printf(out, "%s%u more", named ? ", and " : "", n - named);
}

static void warn(const StoreStatement *s, const Config *config, int64_t wall, Arena *arena,
                 Problems *warnings)
{
    Bytes service = s->parameters[0].bytes, name = s->parameters[1].bytes;
    const Version *version = NULL;
    Buffer clients = buffer_in(arena);
    char day[DATE_DAY_SIZE + 1] = {0};
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++)
            if (bytes_are(service, config->services[i].name) &&
                bytes_are(name, config->services[i].versions[k].name))
                version = &config->services[i].versions[k];
    if (!s->rows || !version)
        return;
    name_clients(s, &clients);
    date_write_day(version->sunset / SECOND, day);
    problem_add(warnings, "", 0, 0, "", NULL,
                "%s: the sunset of %s, %s, %s clients that called in the last week: %.*s; see "
                "`retire`, and passerelle usage %s %s",
                version->service->name, version->name, day,
                version->sunset > wall ? "will hit" : "hits", BYTES_ARGS(buffer_bytes(&clients)),
                version->service->name, version->name);
}

static void ask_store(const Config *config, int64_t wall, StoreTask *task, Problems *warnings)
{
    const StoreConfig *store = &config->store;
    StoreSettings settings = {.sqlite = store->sqlite,
                              .postgresql = store->postgresql,
                              .connections = 1,
                              .queue = 1,
                              .time = store->time,
                              .read_only = true};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = store_run_apart(&settings, arena, task);
    if (failed(r))
        error_ignore(r, "no usage is known");
    else
        for (const StoreStatement *s = task->first; s; s = s->next)
            warn(s, config, wall, arena, warnings);
    arena_free(arena);
}

void usage_warnings(const Config *config, int64_t wall, Problems *warnings)
{
    if (!config->store.sqlite && !config->store.postgresql)
        return;
    StoreTask *task = store_task_new(STORE_SOON);
    ask(config, wall, task);
    if (task->first)
        ask_store(config, wall, task, warnings);
    store_task_free(task);
}
