/* Idempotency keys: the policy of routes, whether it can be kept, and the plans by which requests
   of different versions and codecs are compared. */
#include "gateway/service/service_internal.h"

#include "base/arena.h"

void config_read_keys(ConfigReader *reader, const Passerelle__Config__Idempotency *text,
                      const char *path, Route *route)
{
    if (!text || !text->has_key) /* which was reported */
        return;
    if (route->match[0] == '/') {
        config_tell(reader, config_path(reader, "%s.idempotency", path),
                    "to match an RPC write service.RpcService/Method",
                    "what passes through a path prefix is not read, so that no two requests can be "
                    "compared");
        return;
    }
    KeyPolicy *keys = arena_make(reader->arena, KeyPolicy);
    *keys = (KeyPolicy){
        .required = text->key == PASSERELLE__CONFIG__KEY_DEMAND__KEY_DEMAND_REQUIRED,
        .honoured = text->honoured,
        .proceeds = text->store_down == PASSERELLE__CONFIG__KEY_STORE_DOWN__KEY_STORE_DOWN_PROCEED,
        .keep = text->keep,
        .response_bytes = text->response_bytes,
        .key_bytes = text->key_bytes,
    };
    route->keys = keys;
}

/* ---- Checking -------------------------------------------------------------------------------- */

static bool may_have_keys(const Method *method)
{
    return !method->safe && !method->type->client_streaming && !method->type->server_streaming;
}

/* Credentials prove who a client is: tokens, API keys, certificates. */
static bool knows_clients(const Config *config)
{
    bool knows =
        config->identity.header || config->identity.hash_key.size || config->access.n_credentials;
    for (uint32_t i = 0; i < config->n_listeners && !knows; i++)
        knows = config->listeners[i].client_certificate;
    return knows;
}

static void check_route(ConfigReader *reader, const Route *route)
{
    const Config *config = reader->config;
    const char *path =
        config_path(reader, "%s.idempotency", reader->route_paths[route - config->routes]);
    if (!config->store.sqlite && !config->store.postgresql)
        config_tell(reader, path, "store: {sqlite: /var/lib/passerelle/store.db}",
                    "responses are kept in the store, and there is none");
    if (!knows_clients(config))
        config_tell(
            reader, path,
            "authentication, identity_header, client certificates, or clients: {recorded: hashed, "
            "key: FILE}",
            "a key belongs to a client, and nothing tells clients apart");
    if (route->keys->keep > config->identity.retention)
        config_tell(reader, config_path(reader, "%s.keep", path), "a longer clients.retention",
                    "records of clients are kept no longer than clients.retention says");
    if (route->timeout == NO_TIMEOUT && !config->limits.call_time)
        config_tell(reader, path, "timeout: 30s",
                    "without a timeout nobody knows when the call of a gateway that died is over");
    if (route->writes)
        config_tell(reader, path, "leave out writes: true in on_failure",
                    "a response that no instance has given would be taken for that of the key");
    if (route_find_method(route, NULL) && !route_find_method(route, may_have_keys))
        config_tell(reader, path, "leave it out",
                    "%s matches no method with side effects that takes one message and gives one",
                    route->match);
}

/* ---- Fingerprints ---------------------------------------------------------------------------- */

static Result make_print(ConfigReader *reader, const Method *method, const Version *version)
{
    MethodPair *pair = &method->pairs[version->index];
    const Mapping *mapping = service_request(method, version);
    bool own = version == method->version;
    Result r = OK;
    for (Codec codec = 0; mapping && codec < CODEC_COUNT && !failed(r); codec++) {
        PlanOptions options = {.from = codec,
                               .to = CODEC_PROTO,
                               .unknown = UNKNOWN_COUNT,
                               .types = method->version->to[version->index]};
        if (!own || codec != CODEC_PROTO)
            r = service_plan(reader, mapping, &options,
                             &pair_extras(reader->arena, pair)->print[codec]);
    }
    return r;
}

static Result make_method(ConfigReader *reader, Method *method)
{
    const Service *service = method->version->service;
    MethodExtras *extras = method_extras(reader->arena, method);
    Result r = OK;
    extras->keys = method->route->keys;
    extras->print_in = method->version;
    for (uint32_t i = 0; i < service->n_versions && !failed(r); i++) {
        const Version *version = &service->versions[i];
        if (version != method->version && !method->pairs[i].target)
            continue;
        if (version->index > extras->print_in->index)
            extras->print_in = version;
        r = make_print(reader, method, version);
        if (!failed(r))
            r = service_make_responses(reader, method, version);
    }
    return r;
}

Result service_make_idempotency(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_routes; i++)
        if (config->routes[i].keys && config->routes[i].service)
            check_route(reader, &config->routes[i]);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++) {
            Version *version = &config->services[i].versions[j];
            for (uint32_t k = 0; k < version->n_methods; k++) {
                Method *method = &version->methods[k];
                bool keyed = method->route->keys && may_have_keys(method);
                Result r = keyed ? make_method(reader, method) : OK;
                if (failed(r))
                    return r;
            }
        }
    return OK;
}
