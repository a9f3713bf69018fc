#include "gateway/report/config_report.h"

#include "adapters/mapping/loss.h"
#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "gateway/access_report/access_report.h"
#include "gateway/report/limit_words.h"
#include "gateway/report/rollout_report.h"

/* ---- Text ------------------------------------------------------------------------------------ */

static const char *plural(uint32_t n)
{
    return n == 1 ? "" : "s";
}

/* Who answers calls of a version: instances that speak it, else the versions that it is given
   in. */
static void add_answerers(const Version *version, Buffer *out)
{
    const Service *service = version->service;
    uint32_t n_native = 0;
    uint64_t spoken = 0;
    for (uint32_t i = 0; i < service->n_instances; i++) {
        n_native += service->instances[i].versions >> version->index & 1;
        spoken |= service->instances[i].versions;
    }
    for (uint32_t i = 0; i < service->n_versions; i++)
        spoken |= (uint64_t)service->versions[i].composes << i;
    if (version->composes)
        buffer_add_text(out, "composed by the gateway");
    else if (service_is_listed_afar(service))
        buffer_add_text(out, "instances as listed");
    else if (n_native)
        buffer_printf(out, "%u instance%s", n_native, plural(n_native));
    else
        buffer_add_text(out, "no instance");
    for (uint32_t i = 0; i < service->n_versions; i++)
        if (i != version->index && (spoken >> i & 1) && version->to[i])
            buffer_printf(out, ", by way of %s", service->versions[i].name);
}

static void add_losses(const Version *from, const Version *to, Buffer *out)
{
    const MappingSet *set = from->to[to->index];
    if (!set) {
        buffer_printf(out, "  %s -> %s: no way\n", from->name, to->name);
        return;
    }
    LossReport report;
    loss_report_all(out->arena, set, &report);
    buffer_printf(out, "  %s -> %s\n", from->name, to->name);
    loss_report_text(&report, false, out);
}

static void add_stale(const Version *version, Buffer *out)
{
    const ReflectedSchema *reflected = version->reflected;
    if (reflected && failed(reflected->stale))
        buffer_printf(out, "    note: its schema is the one that %s keeps: %s\n", reflected->cache,
                      error_text(out->arena, reflected->stale));
}

/* REST instances serve methods with an HTTP rule that are not streams. */
static void add_out_of_reach(const Version *version, Buffer *out)
{
    bool rest = false;
    for (uint32_t i = 0; i < version->service->n_instances; i++) {
        const Instance *instance = &version->service->instances[i];
        rest |= instance->protocol == UPSTREAM_REST && (instance->versions >> version->index & 1);
    }
    for (uint32_t i = 0; rest && i < version->n_methods; i++) {
        const MethodType *type = version->methods[i].type;
        if (!type->http || type->client_streaming || type->server_streaming)
            buffer_printf(out, "    note: %s %s: REST instances cannot answer it\n", type->path,
                          type->http ? "is a stream" : "has no HTTP rule");
    }
}

static void add_day(Buffer *out, const char *what, int64_t wall)
{
    char text[DATE_DAY_SIZE];
    if (!wall)
        return;
    date_write_day(wall / SECOND, text);
    buffer_printf(out, "; %s %.*s", what, (int)sizeof text, text);
}

static void add_service(const Service *service, Buffer *out)
{
    if (service_is_listed_afar(service))
        buffer_printf(out, "%s: instances are listed in %s, which is not asked here", service->name,
                      service->discovery->place);
    else
        buffer_printf(out, "%s: %u instance%s%s%s", service->name, service->n_instances,
                      plural(service->n_instances), service->discovery ? ", listed in " : "",
                      service->discovery ? service->discovery->place : "");
    buffer_add_byte(out, '\n');
    for (uint32_t i = 0; i < service->n_versions; i++) {
        const Version *version = &service->versions[i];
        buffer_printf(out, "  %s: %u method%s of %s; ", version->name, version->n_methods,
                      plural(version->n_methods), version->package);
        add_answerers(version, out);
        add_day(out, "released", version->released);
        add_day(out, "deprecated", version->deprecated);
        add_day(out, "sunset", version->sunset);
        buffer_add_text(out, version == service->default_version ? "; the default\n" : "\n");
        add_stale(version, out);
        add_out_of_reach(version, out);
    }
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t j = 0; j < service->n_versions; j++)
            if (i != j)
                add_losses(&service->versions[i], &service->versions[j], out);
}

static void add_job(const JobDefinition *job, Buffer *out)
{
    buffer_printf(out, "jobs of %s in %s: revision %u, %u step%s%s\n", job->name,
                  job->method->version->name, job->revision, job->rules.n_steps,
                  plural(job->rules.n_steps), job->accepts ? "" : "; begins none any more");
}

static void add_shadow(const Route *route, Buffer *out)
{
    const ShadowRules *rules = route->shadow;
    buffer_printf(out,
                  "%s: %s of its calls are copied to %s, at most %u a second: %u method%s of all "
                  "versions\n",
                  route->match, rules->share_text, rules->target, rules->per_second,
                  rules->n_methods, plural(rules->n_methods));
}

static void add_limit(const RateLimit *limit, Buffer *out)
{
    buffer_printf(out, "limit%s%s ", limit->scope ? " of " : "", limit->scope ? limit->scope : "");
    limit_words_add(limit, limit->cost != NULL, true, out);
    buffer_add_byte(out, '\n');
}

void config_report(const Config *config, Buffer *out)
{
    for (uint32_t i = 0; i < config->n_listeners; i++)
        buffer_printf(out, "listens on %s%s\n", config->listeners[i].address.text,
                      config->listeners[i].tls ? " with TLS" : "");
    if (config->admin.text)
        buffer_printf(out, "admin on %s\n", config->admin.text);
    for (uint32_t i = 0; i < config->n_services; i++)
        add_service(&config->services[i], out);
    for (uint32_t i = 0; i < config->n_jobs; i++)
        add_job(&config->jobs[i], out);
    for (uint32_t i = 0; i < config->n_routes; i++)
        if (config->routes[i].shadow)
            add_shadow(&config->routes[i], out);
    for (uint32_t i = 0; i < config->n_rollouts; i++)
        rollout_report(&config->rollouts[i], out);
    for (uint32_t i = 0; i < config->n_rate_limits; i++)
        add_limit(&config->rate_limits[i], out);
    access_report(config, out);
    buffer_printf(out, "%s is good\n", config->file);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_text_member(Buffer *out, const char *name, const char *text)
{
    buffer_printf(out, "\"%s\":", name);
    if (text)
        json_write_string(out, bytes_of(text));
    else
        buffer_add_text(out, "null");
}

static void add_date_member(Buffer *out, const char *name, int64_t wall)
{
    char text[DATE_RFC3339_SIZE];
    if (wall)
        buffer_printf(out, ",\"%s\":\"%.*s\"", name,
                      (int)date_write_rfc3339(wall / SECOND, 0, text), text);
}

static void add_problem_json(const Problem *problem, Buffer *out)
{
    buffer_add_byte(out, '{');
    add_text_member(out, "file", problem->file);
    buffer_printf(out, ",\"line\":%d,\"column\":%d,", problem->line, problem->column);
    add_text_member(out, "path", problem->path);
    buffer_add_byte(out, ',');
    add_text_member(out, "reason", problem->reason);
    buffer_add_byte(out, ',');
    add_text_member(out, "hint", problem->hint);
    buffer_add_byte(out, '}');
}

static void add_pair_json(const Version *from, const Version *to, Buffer *out)
{
    const MappingSet *set = from->to[to->index];
    buffer_add_byte(out, '{');
    add_text_member(out, "from", from->name);
    buffer_add_byte(out, ',');
    add_text_member(out, "to", to->name);
    buffer_add_text(out, ",\"losses\":");
    if (set) {
        LossReport report;
        loss_report_all(out->arena, set, &report);
        loss_report_json(&report, out);
    } else {
        buffer_add_text(out, "null");
    }
    buffer_add_byte(out, '}');
}

static void add_service_json(const Service *service, Buffer *out)
{
    const char *between = "";
    buffer_add_byte(out, '{');
    add_text_member(out, "name", service->name);
    if (service_is_listed_afar(service))
        buffer_add_text(out, ",\"instances\":null");
    else
        buffer_printf(out, ",\"instances\":%u", service->n_instances);
    if (service->discovery) {
        buffer_add_byte(out, ',');
        add_text_member(out, "listed_in", service->discovery->place);
    }
    buffer_add_text(out, ",\"versions\":[");
    for (uint32_t i = 0; i < service->n_versions; i++) {
        buffer_add_text(out, i ? ",{" : "{");
        add_text_member(out, "name", service->versions[i].name);
        buffer_add_byte(out, ',');
        add_text_member(out, "package", service->versions[i].package);
        buffer_printf(out, ",\"methods\":%u", service->versions[i].n_methods);
        add_date_member(out, "released", service->versions[i].released);
        add_date_member(out, "deprecated", service->versions[i].deprecated);
        add_date_member(out, "sunset", service->versions[i].sunset);
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, "],\"pairs\":[");
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t j = 0; j < service->n_versions; j++)
            if (i != j) {
                buffer_add_text(out, between);
                add_pair_json(&service->versions[i], &service->versions[j], out);
                between = ",";
            }
    buffer_add_text(out, "]}");
}

static void add_shadow_json(const Route *route, Buffer *out)
{
    buffer_add_byte(out, '{');
    add_text_member(out, "match", route->match);
    buffer_add_byte(out, ',');
    add_text_member(out, "to", route->shadow->target);
    buffer_add_byte(out, ',');
    add_text_member(out, "share", route->shadow->share_text);
    buffer_printf(out, ",\"methods\":%u}", route->shadow->n_methods);
}

static void add_limits_json(const Config *config, Buffer *out)
{
    if (!config || !config->n_rate_limits)
        return;
    buffer_add_text(out, ",\"limits\":[");
    for (uint32_t i = 0; i < config->n_rate_limits; i++) {
        buffer_add_text(out, i ? "," : "");
        limit_words_add_json(&config->rate_limits[i], config->rate_limits[i].cost != NULL, out);
    }
    buffer_add_byte(out, ']');
}

void config_report_json(const Config *config, const Problems *problems, const Problems *warnings,
                        Buffer *out)
{
    buffer_printf(out, "{\"ok\":%s,\"problems\":[", config ? "true" : "false");
    for (size_t i = 0; i < problems->n; i++) {
        buffer_add_text(out, i ? "," : "");
        add_problem_json(&problems->items[i], out);
    }
    buffer_add_text(out, "],\"services\":[");
    for (uint32_t i = 0; config && i < config->n_services; i++) {
        buffer_add_text(out, i ? "," : "");
        add_service_json(&config->services[i], out);
    }
    buffer_add_text(out, "],\"shadows\":[");
    const char *between = "";
    for (uint32_t i = 0; config && i < config->n_routes; i++) {
        if (!config->routes[i].shadow)
            continue;
        buffer_add_text(out, between);
        add_shadow_json(&config->routes[i], out);
        between = ",";
    }
    buffer_add_text(out, "],\"rollouts\":[");
    for (uint32_t i = 0; config && i < config->n_rollouts; i++) {
        buffer_add_text(out, i ? "," : "");
        rollout_report_json(&config->rollouts[i], out);
    }
    buffer_add_byte(out, ']');
    add_limits_json(config, out);
    if (config)
        access_report_json(config, out);
    buffer_add_text(out, ",\"warnings\":[");
    for (size_t i = 0; i < warnings->n; i++) {
        buffer_add_text(out, i ? "," : "");
        json_write_string(out, bytes_of(warnings->items[i].reason));
    }
    buffer_add_text(out, "]}\n");
}
