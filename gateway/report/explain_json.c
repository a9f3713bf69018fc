#include "gateway/report/explain_internal.h"

#include "adapters/mapping/loss.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/report/explain_access.h"

static void open(Buffer *out, const char *name, char bracket)
{
    json_text_add_key(out, name);
    buffer_add_byte(out, (uint8_t)bracket);
}

static void open_element(Buffer *out)
{
    json_text_open_item(out);
}

static void add_text(Buffer *out, const char *name, const char *text)
{
    json_text_add_member(out, name, bytes_of(text));
}

static void add_millis(Buffer *out, const char *name, int64_t nanoseconds)
{
    json_text_add_number(out, name, (uint64_t)(nanoseconds / MILLISECOND));
}

static void add_refused(Result refused, Buffer *out)
{
    open(out, "refused", '{');
    add_text(out, "reason", error_origin(refused)->fault->name);
    add_text(out, "text", error_text(out->arena, refused));
    buffer_add_byte(out, '}');
}

static void add_version(const Negotiation *negotiation, Buffer *out)
{
    open(out, "version", '{');
    add_text(out, "service", negotiation->client->service->name);
    add_text(out, "request", negotiation->client->name);
    add_text(out, "response", negotiation->reply->name);
    add_text(out, "rule", version_rule_name(negotiation->rule));
    buffer_add_byte(out, '}');
}

/* Those that fit the method, in their order. */
static void add_fallbacks(const Explained *found, Buffer *out)
{
    PolicyQuestion q = policy_question(found->route, found->method, BYTES_NONE, false);
    open(out, "fallbacks", '[');
    for (uint32_t i = 0; i < q.n_fallbacks; i++) {
        json_text_add_element(out);
        buffer_printf(out, "\"%s\"", fallback_name(q.fallbacks[i]));
    }
    buffer_add_byte(out, ']');
    if (!found->route->stale_for)
        return;
    add_millis(out, "stale_ms", found->route->stale_for);
    json_text_add_bool(out, "stale_public", found->route->stale_public);
    if (found->route->join_for)
        add_millis(out, "join_ms", found->route->join_for);
}

static void add_route(const Explained *found, Buffer *out)
{
    const Route *route = found->route;
    open(out, "route", '{');
    add_text(out, "match", route->match);
    if (route->line) {
        add_text(out, "file", route->file);
        json_text_add_number(out, "line", (uint64_t)route->line);
    }
    add_text(out, "impact", impact_name(route->impact));
    add_text(out, "on_failure", route->on_failure == FAILURE_LOUD ? "loud" : "graceful");
    if (route->timeout != NO_TIMEOUT)
        add_millis(out, "timeout_ms", route->timeout);
    json_text_add_number(out, "attempts", route->attempts);
    if (route->on_failure == FAILURE_GRACEFUL)
        add_fallbacks(found, out);
    if (explain_hedges(found)) {
        if (route->hedge_p95)
            add_text(out, "hedge_after", "p95");
        else
            add_millis(out, "hedge_after_ms", route->hedge_after);
        json_text_add_number(out, "hedge_percent", route->hedge_percent);
    }
    buffer_add_byte(out, '}');
}

/* The lines that a person gets. */
static void add_rules(const Explained *found, Buffer *out)
{
    Buffer lines = buffer_in(out->arena);
    if (!found->method || !found->method->extras->rules)
        return;
    rules_print(found->method->extras->rules, "", &lines);
    Bytes rest = buffer_bytes(&lines), line;
    open(out, "demands", '[');
    while (bytes_split(&rest, '\n', &line) && line.size) {
        json_text_add_element(out);
        json_text_add(out, line);
    }
    buffer_add_byte(out, ']');
}

static void add_failures(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    ExplainFailure failures[EXPLAIN_FAILURES];
    uint32_t n = explain_failures(request, found, failures);
    open(out, "failure", '[');
    for (uint32_t i = 0; i < n; i++) {
        open_element(out);
        add_text(out, "when", failures[i].what);
        add_text(out, "action", policy_action_name(failures[i].verdict.action));
        if (*failures[i].where)
            add_text(out, "where", failures[i].where);
        if (failures[i].verdict.backs_off)
            add_millis(out, "wait_most_ms", found->route->initial_backoff);
        add_text(out, "why", failures[i].verdict.why);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void add_instances(const Service *service, uint64_t versions, Buffer *out)
{
    if (service_is_listed_afar(service))
        add_text(out, "listed_in", service->discovery->place);
    open(out, "instances", '[');
    for (uint32_t i = 0; i < service->n_instances; i++) {
        const Instance *instance = &service->instances[i];
        if (!explain_serves(instance, versions))
            continue;
        open_element(out);
        add_text(out, "address", instance->address.text);
        add_text(out, "protocol", explain_protocol_name(instance->protocol));
        add_text(out, "codec", codec_name(instance->codec));
        if (instance->cell)
            add_text(out, "cell", instance->cell);
        if (instance->weight > 1)
            json_text_add_number(out, "weight", instance->weight);
        if (instance->build[0])
            add_text(out, "build", instance->build);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void add_balance(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    ExplainBalance balance = explain_balance(request, found, out->arena);
    if (balance.cells) {
        open(out, "cell", '{');
        add_text(out, "own", balance.cells->own);
        json_text_add_number(out, "inside", balance.n_near);
        json_text_add_number(out, "elsewhere", balance.n_far);
        json_text_add_number(out, "healthy", balance.cells->healthy);
        json_text_add_number(out, "spill", balance.cells->spill);
        buffer_add_byte(out, '}');
    }
    if (balance.affinity && balance.affinity->by) {
        open(out, "affinity", '{');
        add_text(out, "by", explain_affinity_name(balance.affinity->by));
        if (balance.affinity->name)
            add_text(out, "name", balance.affinity->name);
        if (balance.owner)
            add_text(out, "instance", balance.owner->address.text);
        buffer_add_byte(out, '}');
    }
}

static void add_guards(const Service *service, Buffer *out)
{
    const BreakerConfig *breaker = service ? service->breaker : NULL;
    const ConcurrencyConfig *limit = explain_limit(service);
    if (breaker) {
        open(out, "breaker", '{');
        json_text_add_number(out, "percent", breaker->percent);
        json_text_add_number(out, "calls", breaker->calls);
        add_millis(out, "window_ms", breaker->window);
        add_millis(out, "open_ms", breaker->open);
        json_text_add_number(out, "probes", breaker->probes);
        buffer_add_byte(out, '}');
    }
    if (limit) {
        open(out, "concurrency", '{');
        json_text_add_bool(out, "adaptive", limit->adaptive);
        json_text_add_number(out, limit->adaptive ? "least" : "calls",
                             limit->adaptive ? limit->least : limit->calls);
        json_text_add_number(out, "waiting", limit->waiting);
        buffer_add_byte(out, '}');
    }
}

static void add_keys(const KeyPolicy *keys, Buffer *out)
{
    open(out, "idempotency", '{');
    json_text_add_bool(out, "required", keys->required);
    add_millis(out, "keep_ms", keys->keep);
    json_text_add_bool(out, "honoured", keys->honoured);
    json_text_add_number(out, "response_bytes", keys->response_bytes);
    add_text(out, "store_down", keys->proceeds ? "proceed" : "refuse");
    buffer_add_byte(out, '}');
}

static void add_shadow(const ShadowRules *rules, Buffer *out)
{
    open(out, "copied", '{');
    add_text(out, "to", rules->target);
    add_text(out, "share", rules->share_text);
    json_text_add_number(out, "per_second", rules->per_second);
    buffer_add_byte(out, '}');
}

static void add_losses(const Version *from, const Version *to, const MethodType *method,
                       bool response, Buffer *out)
{
    const MappingSet *set;
    const Mapping *mapping = explain_mapping(from, to, method, response, &set);
    LossReport report;
    if (!mapping)
        return;
    loss_report(out->arena, set, mapping, &report);
    json_text_add_key(out, response ? "response_losses" : "request_losses");
    loss_report_json(&report, out);
}

static void add_plan(const char *direction, Codec from, Codec to, const Plan *plan, Buffer *out)
{
    Buffer text = buffer_in(out->arena);
    plan_print(plan, &text);
    open_element(out);
    add_text(out, "direction", direction);
    add_text(out, "from", codec_name(from));
    add_text(out, "to", codec_name(to));
    json_text_add_member(out, "text", buffer_bytes(&text));
    buffer_add_byte(out, '}');
}

static void add_plans(const MethodPair *pair, Codec client, Buffer *out)
{
    open(out, "plans", '[');
    for (Codec instance = 0; instance < CODEC_COUNT; instance++) {
        if (!pair->request[client][instance])
            continue;
        add_plan("request", client, instance, pair->request[client][instance], out);
        add_plan("response", instance, client, pair->response[instance][client], out);
    }
    buffer_add_byte(out, ']');
}

static void add_leg(const Composed *composed, const Leg *leg, Buffer *out)
{
    open_element(out);
    add_text(out, "name", leg->name);
    add_text(out, "method", leg->method->type->path);
    add_text(out, "version", leg->method->version->name);
    open(out, "after", '[');
    for (uint64_t left = leg->needs; left; left &= left - 1) {
        if (left != leg->needs)
            buffer_add_byte(out, ',');
        json_text_add(out, bytes_of(composed->legs[__builtin_ctzll(left)].name));
    }
    buffer_add_byte(out, ']');
    if (leg->route->timeout != NO_TIMEOUT)
        add_millis(out, "timeout_ms", leg->route->timeout);
    add_text(out, "impact", impact_name(leg->route->impact));
    add_text(out, "on_failure", leg->route->on_failure == FAILURE_LOUD ? "loud" : "graceful");
    json_text_add_bool(out, "required", leg->required);
    buffer_add_byte(out, '}');
}

static void add_legs(const Composed *composed, Buffer *out)
{
    open(out, "legs", '[');
    for (uint32_t i = 0; i < composed->n_legs; i++)
        add_leg(composed, &composed->legs[i], out);
    buffer_add_byte(out, ']');
}

static void add_served(const ExplainRequest *request, const Explained *found, const Version *served,
                       Buffer *out)
{
    const Method *method = found->method;
    const MethodPair *pair = &method->pairs[served->index];
    open_element(out);
    add_text(out, "version", served->name);
    json_text_add_bool(out, "native", served == method->version);
    add_text(out, "method", pair->target->type->path);
    if (pair->target->extras->composed)
        add_legs(pair->target->extras->composed, out);
    else if (!method_is_made(pair->target))
        add_instances(served->service, UINT64_C(1) << served->index, out);
    add_losses(method->version, served, method->type, false, out);
    add_losses(served, found->negotiation.reply, pair->target->type, true, out);
    if (request->plan)
        add_plans(pair, explain_client_codec(request, found), out);
    buffer_add_byte(out, '}');
}

static void add_method(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    add_text(out, "method", found->method->type->path);
    if (found->binding)
        add_text(out, "rest",
                 arena_printf(out->arena, "%s %s", found->binding->rule->verb,
                              found->binding->rule->path));
    if (found->method->extras->made_as && found->method->extras->made_as->extras->job)
        explain_job_json(found->method->extras->made_as->extras->job, out);
    if (found->method->extras->keys)
        add_keys(found->method->extras->keys, out);
    if (found->method->extras->shadow)
        add_shadow(found->method->extras->shadow->rules, out);
    open(out, "served", '[');
    for (uint32_t i = 0; i < found->n_served; i++)
        add_served(request, found, found->served[i], out);
    buffer_add_byte(out, ']');
}

void explain_json(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_bool(out, "ok", !failed(found->refused));
    if (failed(found->refused))
        add_refused(found->refused, out);
    if (found->by_gateway)
        json_text_add_bool(out, "by_gateway", true);
    if (found->allow.size)
        json_text_add_member(out, "allow", found->allow);
    if (found->negotiation.client)
        add_version(&found->negotiation, out);
    if (found->route) {
        add_route(found, out);
        explain_arm_json(found, out);
        explain_access_json(request, found, out);
        add_balance(request, found, out);
        if (!found->method || !found->method->extras->made_as)
            add_guards(explain_service(found), out);
        explain_limits_json(found, out);
        add_rules(found, out);
        if (!found->method || !method_is_made(found->method)) /* else it is of its legs */
            add_failures(request, found, out);
        if (found->method)
            add_method(request, found, out);
        else
            add_instances(found->route->service, 0, out);
    }
    buffer_add_text(out, "}\n");
}
