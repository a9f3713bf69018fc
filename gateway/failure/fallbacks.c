#include "gateway/failure/fallbacks.h"

#include "gateway/cache/response_cache.h"
#include "gateway/failure/kept.h"

#include <stdlib.h>

struct Fallbacks {
    FallbackTable table; /* first */
    ResponseCache *cache;
    KeySeed seed;
    uint64_t contracts; /* of the config in use */
};

static Fallbacks *fallbacks_of(const FallbackCall *call)
{
    return (Fallbacks *)(uintptr_t)call->loop->fallbacks;
}

/* ---- Of the config --------------------------------------------------------------------------- */

/* Of both: compiled with the config, in each version and codec. */
static bool give_default(const FallbackCall *call, FallbackReply *reply_out)
{
    const RestBinding *binding = call->binding;
    Bytes of_leg = call->route->leg_default;
    Bytes of_binding = binding ? binding->default_body : BYTES_NONE;
    Bytes of_method = call->method->extras->default_reply[call->call->reply_codec];
    *reply_out = (FallbackReply){.message = of_leg.data       ? of_leg
                                            : of_binding.data ? of_binding
                                                              : of_method};
    return true;
}

/* A stream is empty without messages. */
static bool give_empty(const FallbackCall *call, FallbackReply *reply_out)
{
    *reply_out = (FallbackReply){.age = 0};
    return call->method->type->server_streaming || give_default(call, reply_out);
}

/* ---- Kept ------------------------------------------------------------------------------------ */

static bool give_kept(const FallbackCall *call, FallbackReply *reply_out)
{
    Fallbacks *fallbacks = fallbacks_of(call);
    int64_t now = call->loop->now, kept;
    KeptPlace place;
    if (!kept_place(call, &fallbacks->seed, &place) || place.no_store ||
        !response_cache_find(fallbacks->cache, &place.key, now - call->route->stale_for,
                             call->arena, &reply_out->message, &kept))
        return false;
    reply_out->age = now > kept ? now - kept : 0; /* loops read their clocks at different times */
    return true;
}

/* A response that may not be kept is the last good one all the same: the one before it goes. */
static bool keep(const FallbackCall *call, const Fields *head, const Fields *trailers,
                 Bytes message)
{
    Fallbacks *fallbacks = fallbacks_of(call);
    KeptPlace place;
    if (!kept_place(call, &fallbacks->seed, &place))
        return false;
    bool may_be = kept_may_be(&place, head, trailers);
    if (may_be)
        response_cache_keep(fallbacks->cache, &place.key, call->client, message, call->loop->now);
    else
        response_cache_drop(fallbacks->cache, &place.key);
    return may_be;
}

static bool find_key(const FallbackCall *call, ResponseKey *key_out)
{
    KeptPlace place;
    bool found = kept_place(call, &fallbacks_of(call)->seed, &place) && !place.no_store;
    *key_out = place.key;
    return found;
}

static void drop(const FallbackCall *call)
{
    Fallbacks *fallbacks = fallbacks_of(call);
    KeptPlace place;
    if (kept_place(call, &fallbacks->seed, &place))
        response_cache_drop(fallbacks->cache, &place.key);
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* A quarter of all memory at most: kept responses alone do not make it short. */
static ResponseLimits limits_of(const Config *config)
{
    uint64_t quarter = limits_memory(&config->limits) / 4;
    size_t memory = config->cache.memory < quarter ? config->cache.memory : (size_t)quarter;
    return (ResponseLimits){.memory = memory, .client_percent = config->cache.client_percent};
}

Fallbacks *fallbacks_new(const Config *config)
{
    Fallbacks *fallbacks = calloc(1, sizeof *fallbacks);
    CHECK(fallbacks);
    ResponseLimits limits = limits_of(config);
    fallbacks->table = (FallbackTable){
        .give = {[FALLBACK_STALE] = give_kept,
                 [FALLBACK_DEFAULT] = give_default,
                 [FALLBACK_SKIP] = give_empty},
        .keep = keep,
        .key = find_key,
        .drop = drop,
    };
    fallbacks->cache = response_cache_new(&limits);
    fallbacks->seed = key_seed_new();
    fallbacks->contracts = config->contracts;
    return fallbacks;
}

void fallbacks_free(Fallbacks *fallbacks)
{
    if (!fallbacks)
        return;
    response_cache_free(fallbacks->cache);
    free(fallbacks);
}

void fallbacks_use(Fallbacks *fallbacks, const Config *config)
{
    ResponseLimits limits = limits_of(config);
    response_cache_limit(fallbacks->cache, &limits);
    if (config->contracts != fallbacks->contracts)
        response_cache_clear(fallbacks->cache);
    fallbacks->contracts = config->contracts;
}

const FallbackTable *fallbacks_table(const Fallbacks *fallbacks)
{
    return &fallbacks->table;
}

void fallbacks_metrics_write(Exposition *e, void *owner)
{
    ResponseStats stats = response_cache_stats(((Fallbacks *)owner)->cache);
    exposition_single(e, "passerelle_cache_responses", METRIC_GAUGE,
                      "Responses that are kept for calls that fail.", stats.entries);
    exposition_single(e, "passerelle_cache_clients", METRIC_GAUGE,
                      "Clients that they are kept for, in each sixteenth of the cache.",
                      stats.clients);
    exposition_single(e, "passerelle_cache_kept", METRIC_COUNTER,
                      "Responses that were kept, each in place of the one before it.", stats.kept);
    exposition_single(e, "passerelle_cache_evicted", METRIC_COUNTER,
                      "Responses that gave way to others.", stats.evicted);
    exposition_family(e, "passerelle_cache_asked", METRIC_COUNTER,
                      "How often a failed call asked for a kept response.");
    exposition_number(e, "", &(Label){"result", "found"}, 1, stats.found);
    exposition_number(e, "", &(Label){"result", "missed"}, 1, stats.missed);
}
