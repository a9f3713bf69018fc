/* When instances of a service get no calls: active checks, and ejection. */
#include "gateway/inventory/instance_read.h"

#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "protocols/http/http_rules.h"

/* ---- Checks ---------------------------------------------------------------------------------- */

static bool speaks_grpc(const Instance *instance)
{
    return instance->protocol == UPSTREAM_GRPC || instance->protocol == UPSTREAM_GRPC_WEB ||
           instance->protocol == UPSTREAM_CONNECT;
}

/* Those of a list outside of the config are its own matter: they are not checked. */
static void check_speech(ConfigReader *reader, const Service *service, const char *path)
{
    if (service->discovery)
        return;
    for (uint32_t i = 0; i < service->n_instances; i++) {
        const Instance *instance = &service->instances[i];
        if (speaks_grpc(instance))
            continue;
        config_tell(reader, config_path(reader, "%s.grpc", path), "check: {http: /healthz}",
                    "the instance %s does not speak gRPC", instance->address.text);
        return;
    }
}

static void read_http(ConfigReader *reader, CheckRules *check,
                      const Passerelle__Config__HttpCheck *text, const char *path)
{
    check->kind = CHECK_HTTP;
    check->path = text->path;
    check->statuses = text->status;
    check->n_statuses = text->n_status;
    if (text->path && !http_is_path(bytes_of(text->path)))
        config_tell(reader, config_path(reader, "%s.http.path", path), "path: /healthz",
                    "%s is not a valid path", text->path);
    for (size_t i = 0; i < text->n_status; i++)
        if (text->status[i] < 200 || text->status[i] > 599)
            config_tell(reader, config_path(reader, "%s.http.status[%zu]", path, i), NULL,
                        "the status of a response is 200 to 599, not %u", text->status[i]);
}

static void read_check(ConfigReader *reader, Service *service,
                       const Passerelle__Config__Check *text, const char *path)
{
    CheckRules *check = &service->check;
    *check = (CheckRules){.every = text->every,
                          .timeout = text->timeout,
                          .unhealthy_after = text->unhealthy_after,
                          .healthy_after = text->healthy_after};
    switch (text->how_case) {
    case PASSERELLE__CONFIG__CHECK__HOW_GRPC:
        check->kind = CHECK_GRPC;
        check->service = text->grpc->service ? text->grpc->service : "";
        if (strlen(check->service) > CHECK_NAME_MOST)
            config_tell(reader, config_path(reader, "%s.grpc.service", path), NULL,
                        "the name has more than %d bytes", CHECK_NAME_MOST);
        check_speech(reader, service, path);
        break;
    case PASSERELLE__CONFIG__CHECK__HOW_HTTP: read_http(reader, check, text->http, path); break;
    case PASSERELLE__CONFIG__CHECK__HOW_TCP: check->kind = CHECK_TCP; break;
    case PASSERELLE__CONFIG__CHECK__HOW__NOT_SET:
    case _PASSERELLE__CONFIG__CHECK__HOW__CASE_IS_INT_SIZE:
        config_tell(reader, path, "check: grpc", "it does not say what is checked");
    }
    if (text->timeout > text->every)
        config_tell(reader, config_path(reader, "%s.timeout", path), NULL,
                    "a check must end before the next one begins");
}

/* ---- Ejection -------------------------------------------------------------------------------- */

/* Whether an instance that goes on failing is ejected more often than `most` times in the time. */
static bool is_ejected_more(int64_t first, int64_t longest, int64_t time, uint64_t most)
{
    int64_t each = first;
    for (uint64_t n = 0; time > 0; n++) {
        if (n == most)
            return true;
        time -= each;
        each = each < longest / 2 ? 2 * each : longest;
    }
    return false;
}

static const char *spell(Arena *arena, int64_t time)
{
    Buffer text = buffer_in(arena);
    spelling_add_duration(&text, time);
    return arena_text(arena, buffer_bytes(&text));
}

/* By default one instance cannot use up what all may. Those of a list outside of the config are as
   many as they are now. */
static void doubt_times(ConfigReader *reader, const Service *service,
                        const Passerelle__Config__Eject *defaults, const char *path)
{
    const EjectRules *rules = &service->eject;
    const HealingLimit *limit = &reader->config->healing[HEALING_EJECT];
    uint64_t share = (uint64_t)service->n_instances * limit->percent / 100;
    uint64_t most = share > limit->at_most ? share : limit->at_most;
    bool is_default = rules->first == defaults->first && rules->most == defaults->most;
    if (rules->off || is_default || !limit->stop || rules->most < rules->first ||
        !is_ejected_more(rules->first, rules->most, limit->per, most))
        return;
    bool default_fits = !is_ejected_more(defaults->first, defaults->most, limit->per, most);
    config_doubt(reader, path, default_fits ? "first: 30s, most: 5m" : NULL,
                 "one instance that goes on failing uses up the %llu ejections in %s of "
                 "healing.eject, and gets calls then",
                 (unsigned long long)most, spell(reader->arena, limit->per));
}

static void read_eject(ConfigReader *reader, Service *service,
                       const Passerelle__Config__Eject *text, const char *path)
{
    static const Passerelle__Config__Eject defaults = PASSERELLE__CONFIG__EJECT__INIT;
    text = text ? text : &defaults;
    service->eject = (EjectRules){
        .off = text->off,
        .consecutive = text->consecutive,
        .failure_percent = text->failure_percent,
        .slower = text->slower,
        .slower_by = text->slower_by,
        .min_calls = text->min_calls,
        .max_percent = text->max_percent,
        .first = text->first,
        .most = text->most,
    };
    if (text->slower == 1)
        config_tell(reader, config_path(reader, "%s.slower", path), "slower: 4",
                    "half of all instances are slower than the others");
    if (text->most < text->first)
        config_tell(reader, config_path(reader, "%s.most", path), NULL,
                    "the longest ejection is shorter than the first one");
    doubt_times(reader, service, &defaults, path);
}

void config_read_health(ConfigReader *reader, Service *service,
                        const Passerelle__Config__Health *text, const char *path)
{
    static const Passerelle__Config__Health none = PASSERELLE__CONFIG__HEALTH__INIT;
    text = text ? text : &none;
    path = config_path(reader, "%s.health", path);
    if (text->check)
        read_check(reader, service, text->check, config_path(reader, "%s.check", path));
    read_eject(reader, service, text->eject, config_path(reader, "%s.eject", path));
    service->slow_start = text->slow_start;
}
