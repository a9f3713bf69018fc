#include "gateway/commands/explain.h"

#include "adapters/mapping/loss.h"
#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/call/opaque_route.h"
#include "gateway/policy/policy.h"
#include "gateway/version/negotiate.h"

/* What was found for a request. */
typedef struct Found {
    const Method *method;
    const RestBinding *binding; /* REST */
    const Route *opaque;        /* a path that is passed through */
    bool exact_path;            /* the path names one version */
} Found;

static const char *const protocol_names[] = {"grpc", "connect", "grpc_web", "rest", "http"};
static const char *const impact_names[] = {"low", "high", "catastrophic"};

/* ---- Finding --------------------------------------------------------------------------------- */

static Result find(const Config *config, const ExplainRequest *request, Arena *arena, Found *found)
{
    Bytes path = bytes_slice(request->path, 0, bytes_find(request->path, '?'));
    found->method = table_get(&config->methods, path);
    if (found->method) {
        found->exact_path = !found->method->next_same_path;
        return OK;
    }
    RestMatch match;
    bool matched = false;
    Result r = rest_table_match(config->rest, request->verb, path, arena, &match, &matched);
    if (failed(r))
        return r;
    if (matched) {
        found->binding = match.value;
        found->method = found->binding->method;
        found->exact_path = !found->binding->next;
        return OK;
    }
    Bytes normal;
    r = opaque_route_find(config, request->verb, path, arena, &found->opaque, &normal);
    if (failed(r) || found->opaque)
        return r;
    if (match.allowed.size)
        return FAIL(arena, FAULT_METHOD_NOT_ALLOWED, "this path takes %.*s",
                    BYTES_ARGS(match.allowed));
    return FAIL(arena, FAULT_UNKNOWN_PATH, "%.*s is no RPC, no REST path and no prefix of a route",
                BYTES_ARGS(path));
}

/* The same request in the version that was negotiated. */
static Result settle(const Version *version, Arena *arena, Found *found)
{
    if (found->binding) {
        while (found->binding && found->binding->method->version != version)
            found->binding = found->binding->next;
        found->method = found->binding ? found->binding->method : NULL;
    } else {
        const Method *same = found->method;
        while (same && same->version != version)
            same = same->next_same_path;
        found->method = same ? same : found->method->pairs[version->index].target;
    }
    if (!found->method)
        return FAIL(arena, FAULT_UNKNOWN_METHOD, "it is not in %s", version->name);
    return OK;
}

/* RPCs use POST, or Connect's GET if they have no side effects. */
static Result check_verb(const ExplainRequest *request, const Found *found, Arena *arena)
{
    bool get = (bytes_are(request->verb, "GET") || bytes_are(request->verb, "HEAD")) &&
               found->method->takes_get;
    if (found->binding || get || bytes_are(request->verb, "POST"))
        return OK;
    return FAIL(arena, FAULT_METHOD_NOT_ALLOWED, "%s does not accept %.*s",
                found->method->type->path, BYTES_ARGS(request->verb));
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void tell_route(const Route *route, Buffer *out)
{
    buffer_printf(out, "route     %s", route->match);
    if (route->line)
        buffer_printf(out, " (%s:%d)", route->file, route->line);
    else
        buffer_add_text(out, " (none is written: the defaults)");
    buffer_printf(out, ": impact %s, %s, ", impact_names[route->impact],
                  route->on_failure == FAILURE_LOUD ? "loud" : "graceful");
    if (route->timeout != NO_TIMEOUT) {
        buffer_add_text(out, "timeout ");
        spelling_add_duration(out, route->timeout);
        buffer_add_text(out, ", ");
    }
    buffer_printf(out, "%u attempt%s at most\n", route->attempts, route->attempts == 1 ? "" : "s");
}

static void tell_hedge(const Route *route, const Method *method, Buffer *out)
{
    PolicyQuestion q = policy_question(route, method, BYTES_NONE, false);
    if (!route->hedge_after)
        return;
    buffer_add_text(out, "hedge     ");
    if (policy_may_hedge(&q)) {
        buffer_add_text(out, "a second attempt after ");
        spelling_add_duration(out, route->hedge_after);
        buffer_printf(out, ", for %u %% of the running calls\n", route->hedge_percent);
    } else {
        buffer_add_text(out,
                        "no second attempt: the method may have side effects, or takes a stream\n");
    }
}

/* What the data plane would do after the first attempt. */
static void tell_policy(const Route *route, const Method *method, Bytes verb, Buffer *out)
{
    static const struct {
        const char *what;
        PolicyQuestion happened;
    } rows[] = {
        {"cannot be reached", {.fault = &FAULT_UPSTREAM_DOWN, .attempted = true}},
        {"refuses the call", {.fault = &FAULT_UPSTREAM_REFUSED, .attempted = true, .sent = true}},
        {"breaks off", {.fault = &FAULT_UPSTREAM_RESET, .attempted = true, .sent = true}},
        {"answers UNAVAILABLE",
         {.event = POLICY_STATUS, .code = CODE_UNAVAILABLE, .attempted = true}},
        {"answers INTERNAL", {.event = POLICY_STATUS, .code = CODE_INTERNAL, .attempted = true}},
        {"lets the deadline pass", {.fault = &FAULT_DEADLINE_EXCEEDED, .sent = true}},
    };
    static const char *const where[] = {" at another instance",
                                        " at another instance, or else the same", " at any"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!method && rows[i].happened.event == POLICY_STATUS)
            continue; /* its responses pass unread */
        PolicyQuestion q = policy_question(route, method, verb, true);
        q.event = rows[i].happened.event;
        q.fault = rows[i].happened.fault;
        q.code = rows[i].happened.code;
        q.attempted = rows[i].happened.attempted;
        q.sent = rows[i].happened.sent;
        q.attempts = q.sent;
        PolicyVerdict verdict = policy_decide(&q);
        buffer_printf(out, "%-9s an instance %s: %s%s (%s)\n", i ? "" : "failure", rows[i].what,
                      policy_action_name(verdict.action),
                      verdict.action == POLICY_RETRY ? where[verdict.where] : "", verdict.why);
    }
}

static void tell_instances(const Service *service, uint64_t versions, Buffer *out)
{
    const char *between = "";
    for (uint32_t i = 0; i < service->n_instances; i++) {
        const Instance *instance = &service->instances[i];
        if (service->n_versions && !(instance->versions & versions))
            continue;
        buffer_printf(out, "%s%s (%s, %s)", between, instance->address.text,
                      protocol_names[instance->protocol], codec_name(instance->codec));
        between = ", ";
    }
    buffer_add_byte(out, '\n');
}

static void tell_losses(const Version *from, const Version *to, const MethodType *method,
                        const Mapping *(*of)(const MappingSet *set, const MethodType *method),
                        const char *what, Buffer *out)
{
    const MappingSet *set = from->to[to->index];
    const Mapping *mapping = set ? of(set, method) : NULL;
    LossReport report;
    if (!mapping)
        return;
    loss_report(out->arena, set, mapping, &report);
    buffer_printf(out, "%-9s %s of %s as %s's: %s\n", what, mapping->from->name, from->name,
                  to->name, loss_report_is_clean(&report) ? "nothing is lost" : "");
    loss_report_text(&report, false, out);
}

/* The codec of the client's messages, by its header fields. */
static Codec client_codec(const ExplainRequest *request, const Found *found)
{
    Bytes type = fields_get(&request->fields, "content-type");
    bool json = bytes_find(type, '/') < type.size &&
                bytes_end_with(bytes_slice(type, 0, bytes_find(type, ';')), "json");
    return found->binding || json ? CODEC_JSON : CODEC_PROTO;
}

static void tell_plans(const MethodPair *pair, Codec client, Buffer *out)
{
    for (Codec instance = 0; instance < CODEC_COUNT; instance++) {
        if (!pair->request[client][instance])
            continue;
        buffer_printf(out, "plan      request, %s to %s\n", codec_name(client),
                      codec_name(instance));
        plan_print(pair->request[client][instance], out);
        buffer_printf(out, "plan      answer, %s to %s\n", codec_name(instance),
                      codec_name(client));
        plan_print(pair->response[instance][client], out);
    }
}

static void tell_served(const Method *method, const Version *reply, const Version *served,
                        bool native, Buffer *out)
{
    const MethodPair *pair = &method->pairs[served->index];
    buffer_printf(out, "served    %s, %s: %s by ", served->name, native ? "natively" : "converted",
                  pair->target->type->path);
    tell_instances(served->service, UINT64_C(1) << served->index, out);
    if (!native)
        tell_losses(method->version, served, method->type, mapping_set_input, "request", out);
    if (reply != served)
        tell_losses(served, reply, pair->target->type, mapping_set_output, "answer", out);
}

/* Versions that instances speak and that the method converts to, best first. */
static uint32_t candidates(const Method *method, const Version **list)
{
    const Service *service = method->version->service;
    uint64_t spoken = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < service->n_instances; i++)
        spoken |= service->instances[i].versions;
    for (uint32_t i = 0; i < method->n_preferred; i++) {
        if (spoken >> method->preferred[i]->index & 1)
            list[n++] = method->preferred[i];
    }
    return n;
}

static Result tell_method(const ExplainRequest *request, const Found *found,
                          const Negotiation *negotiation, Arena *arena, Buffer *out)
{
    const Method *method = found->method;
    const Version *served[64];
    buffer_printf(out, "method    %s", method->type->path);
    if (found->binding)
        buffer_printf(out, " (%s %s)", found->binding->rule->verb, found->binding->rule->path);
    buffer_add_byte(out, '\n');
    tell_route(method->route, out);
    tell_hedge(method->route, method, out);
    tell_policy(method->route, method, request->verb, out);

    uint32_t n = candidates(method, served);
    for (uint32_t i = 0; i < n; i++) {
        tell_served(method, negotiation->reply, served[i], served[i] == method->version, out);
        if (request->plan)
            tell_plans(&method->pairs[served[i]->index], client_codec(request, found), out);
    }
    if (n)
        return OK;
    for (uint32_t i = 0; i < method->version->service->n_versions; i++)
        if (!method->pairs[i].target)
            return FAIL(arena, FAULT_METHOD_REMOVED, "%s: %s", method->type->path,
                        method->pairs[i].reason);
    return FAIL(arena, FAULT_NO_INSTANCE, "no instance serves %s", method->version->name);
}

Result explain(const Config *config, const ExplainRequest *request, Arena *arena, Buffer *out)
{
    Found found = {0};
    Result r = find(config, request, arena, &found);
    if (failed(r))
        return r;
    if (found.opaque) {
        buffer_add_text(out, "passed    through unread, to ");
        tell_instances(found.opaque->service, 0, out);
        tell_route(found.opaque, out);
        tell_policy(found.opaque, NULL, request->verb, out);
        return OK;
    }
    const Version *own = found.method->version;
    VersionQuestion question = {
        .service = own->service,
        .by_path = !found.binding && found.exact_path ? own : NULL,
        .by_prefix = found.binding && found.exact_path ? own : NULL,
        .head = &request->fields,
        .identity = request->identity,
        .wall = clock_wall(),
    };
    Negotiation negotiation = {0};
    r = negotiate(&question, arena, &negotiation);
    if (failed(r))
        return r;
    buffer_printf(out, "version   %s of %s, by the rule %s", negotiation.client->name,
                  own->service->name, version_rule_name(negotiation.rule));
    if (negotiation.reply != negotiation.client)
        buffer_printf(out, "; the answer in %s", negotiation.reply->name);
    buffer_add_byte(out, '\n');
    r = settle(negotiation.client, arena, &found);
    if (!failed(r))
        r = check_verb(request, &found, arena);
    return failed(r) ? r : tell_method(request, &found, &negotiation, arena, out);
}
