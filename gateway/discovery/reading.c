#include "gateway/discovery/reading.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/telemetry/telemetry.h"

#include <openssl/ssl.h>
#include <stdlib.h>

Reading *reading_new(uint64_t watch, Config *config, Service *service)
{
    Reading *reading = calloc(1, sizeof *reading);
    CHECK(reading);
    reading->watch = watch;
    reading->arena = arena_new(ARENA_UNLIMITED);
    reading->config = config_ref(config);
    reading->service = service;
    reading->at = clock_now();
    reading->problems = problems_in(reading->arena);
    reading->had = table_in(reading->arena);
    return reading;
}

static bool is_new(const Reading *reading, const Instance *instance)
{
    return table_get(&reading->had, instance->said) != instance;
}

/* New instances that are in no set have a TLS context of their own. */
static void drop_list(Reading *reading)
{
    for (uint32_t i = 0; !reading->used && i < reading->list.n; i++)
        if (is_new(reading, reading->list.items[i]))
            SSL_CTX_free(reading->list.items[i]->tls);
    reading->list = (InstanceList){0};
}

static void note_had(Reading *reading)
{
    reading->before = instance_set_of(reading->service);
    for (uint32_t i = 0; reading->before && i < reading->before->n; i++) {
        Instance *instance = reading->before->instances[i];
        if (instance->said.size)
            table_put(&reading->had, instance->said, instance);
    }
}

void reading_take(Reading *reading, ListDocument *documents, uint32_t n)
{
    if (!reading->before)
        note_had(reading);
    drop_list(reading);
    Result r = config_list_read(reading->arena, reading->service, documents, n, &reading->had,
                                &reading->problems, &reading->list);
    reading->has_list = !failed(r);
    if (failed(r))
        reading->why = r;
}

void reading_again(Reading *reading, const InstanceSet *before)
{
    Result r = config_list_again(reading->arena, reading->service, before->instances, before->n,
                                 &reading->problems, &reading->list);
    CHECK(!failed(r)); /* they were entries: only their meaning depends on the config */
    reading->has_list = true;
}

void reading_fail(Reading *reading, Result why)
{
    reading->why = error_copy(reading->arena, why);
}

InstanceSet *reading_set(Reading *reading)
{
    const InstanceList *list = &reading->list;
    Instance **instances = arena_array(reading->arena, Instance *, list->n);
    CHECK(!reading->used);
    reading->used = true;
    for (uint32_t i = 0; i < list->n; i++) {
        Instance *item = list->items[i];
        if (!is_new(reading, item)) {
            instances[i] = instance_ref(item);
            continue;
        }
        telemetry_describe(item, reading->arena);
        instances[i] = instance_discovered(item, item->said);
        SSL_CTX_free(item->tls); /* it has its own reference */
    }
    return instance_set_new(reading->service, instances, list->n);
}

void reading_free(Reading *reading)
{
    drop_list(reading);
    instance_set_unref(reading->before);
    config_unref(reading->config);
    arena_free(reading->arena);
    free(reading);
}
