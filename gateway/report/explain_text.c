#include "gateway/report/explain_internal.h"

#include "adapters/mapping/loss.h"
#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "gateway/report/explain_access.h"

static void tell_route(const Route *route, Buffer *out)
{
    buffer_printf(out, "route     %s", route->match);
    if (route->line)
        buffer_printf(out, " (%s:%d)", route->file, route->line);
    else
        buffer_add_text(out, " (none is written: the defaults)");
    buffer_printf(out, ": impact %s, %s, ", impact_name(route->impact),
                  route->on_failure == FAILURE_LOUD ? "loud" : "graceful");
    if (route->timeout != NO_TIMEOUT) {
        buffer_add_text(out, "timeout ");
        spelling_add_duration(out, route->timeout);
        buffer_add_text(out, ", ");
    }
    buffer_printf(out, "%u attempt%s at most\n", route->attempts, route->attempts == 1 ? "" : "s");
}

static void tell_stale(const Route *route, Buffer *out)
{
    buffer_add_text(out, " up to ");
    spelling_add_duration(out, route->stale_for);
    if (route->stale_public)
        buffer_add_text(out, " for everybody");
    if (route->join_for) {
        buffer_add_text(out, ", equal calls wait up to ");
        spelling_add_duration(out, route->join_for);
    }
}

static void tell_fallbacks(const Explained *found, Buffer *out)
{
    PolicyQuestion q = policy_question(found->route, found->method, BYTES_NONE, false);
    for (uint32_t i = 0; i < q.n_fallbacks; i++) {
        buffer_printf(out, "%s%s", i ? ", then " : "fallback  ", fallback_name(q.fallbacks[i]));
        if (q.fallbacks[i] != FALLBACK_STALE)
            continue;
        tell_stale(found->route, out);
    }
    if (q.n_fallbacks)
        buffer_add_byte(out, '\n');
    else if (found->route->on_failure == FAILURE_GRACEFUL)
        buffer_add_text(out, "fallback  none that fits this method\n");
}

static void tell_hedge(const Explained *found, Buffer *out)
{
    const Route *route = found->route;
    if (!route->hedge_after && !route->hedge_p95)
        return;
    buffer_add_text(out, "hedge     ");
    if (explain_hedges(found)) {
        buffer_add_text(out, "a second attempt after ");
        if (route->hedge_p95)
            buffer_add_text(out, "95 % of the calls have a response");
        else
            spelling_add_duration(out, route->hedge_after);
        buffer_printf(out, ", for %u %% of the running calls\n", found->route->hedge_percent);
    } else {
        buffer_add_text(out,
                        "no second attempt: the method may have side effects, or takes a stream\n");
    }
}

static void tell_rules(const Explained *found, Buffer *out)
{
    Buffer rules = buffer_in(out->arena);
    if (!found->method || !found->method->extras->rules)
        return;
    rules_print(found->method->extras->rules, "          ", &rules);
    buffer_add_text(out, "demands ");
    buffer_add_bytes(out, bytes_slice(buffer_bytes(&rules), strlen("demands "), SIZE_MAX));
}

static void tell_failures(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    ExplainFailure failures[EXPLAIN_FAILURES];
    uint32_t n = explain_failures(request, found, failures);
    for (uint32_t i = 0; i < n; i++) {
        const PolicyVerdict *verdict = &failures[i].verdict;
        buffer_printf(out, "%-9s %s: %s%s%s", i ? "" : "failure", failures[i].what,
                      policy_action_name(verdict->action), *failures[i].where ? " " : "",
                      failures[i].where);
        if (verdict->backs_off) {
            buffer_add_text(out, ", after up to ");
            spelling_add_duration(out, found->route->initial_backoff);
        }
        buffer_printf(out, " (%s)\n", verdict->why);
    }
}

static void tell_instances(const Service *service, uint64_t versions, Buffer *out)
{
    const char *between = "";
    if (service_is_listed_afar(service))
        buffer_printf(out, "instances that %s lists, if any do", service->discovery->place);
    for (uint32_t i = 0; i < service->n_instances; i++) {
        const Instance *instance = &service->instances[i];
        if (!explain_serves(instance, versions))
            continue;
        buffer_printf(out, "%s%s (%s, %s", between, instance->address.text,
                      explain_protocol_name(instance->protocol), codec_name(instance->codec));
        if (instance->cell)
            buffer_printf(out, ", cell %s", instance->cell);
        if (instance->weight > 1)
            buffer_printf(out, ", weight %u", instance->weight);
        if (service->rollout && instance->build[0])
            buffer_printf(out, ", build %s", instance->build);
        buffer_add_byte(out, ')');
        between = ", ";
    }
    buffer_add_byte(out, '\n');
}

static void tell_cells(const ExplainBalance *balance, Buffer *out)
{
    const CellPolicy *cells = balance->cells;
    if (!cells)
        return;
    buffer_printf(out, "cell      %s: ", cells->own);
    if (balance->n_near)
        buffer_printf(out,
                      "%u of %u instances are in it; calls leave it while fewer than %u %% of them "
                      "are up, at most %u %% of the calls\n",
                      balance->n_near, balance->n_near + balance->n_far, cells->healthy,
                      cells->spill);
    else
        buffer_add_text(out, "none of the instances is in it, so that calls leave it freely\n");
}

static void tell_affinity(const ExplainBalance *balance, Buffer *out)
{
    const Affinity *affinity = balance->affinity;
    if (!affinity || affinity->by == AFFINITY_NONE)
        return;
    buffer_printf(out, "affinity  by the %s", explain_affinity_name(affinity->by));
    if (affinity->by != AFFINITY_CLIENT)
        buffer_printf(out, " %s", affinity->name);
    if (balance->owner)
        buffer_printf(out, ": %s, while it has at most %g times the mean of the calls\n",
                      balance->owner->address.text, (double)affinity->bound);
    else
        buffer_add_text(out, affinity->by == AFFINITY_FIELD
                                 ? " of the message\n"
                                 : ", which this request does not tell: it goes by load\n");
}

/* What keeps calls away from a service that fails, or has too many. */
static void tell_guards(const Service *service, Buffer *out)
{
    const BreakerConfig *breaker = service ? service->breaker : NULL;
    const ConcurrencyConfig *limit = explain_limit(service);
    if (breaker) {
        buffer_printf(out, "breaker   opens for ");
        spelling_add_duration(out, breaker->open);
        buffer_printf(out, " when %u %% of at least %u calls of a loop in ", breaker->percent,
                      breaker->calls);
        spelling_add_duration(out, breaker->window);
        buffer_printf(out, " fail; then %u probe%s it\n", breaker->probes,
                      breaker->probes == 1 ? "s" : "");
    }
    if (limit && limit->adaptive)
        buffer_printf(out, "limit     calls in flight of a loop: as many as it learns, %u at least",
                      limit->least);
    else if (limit)
        buffer_printf(out, "limit     calls in flight of a loop: %u", limit->calls);
    if (limit)
        buffer_printf(out, "; %u wait at most\n", limit->waiting);
}

static void tell_balance(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    ExplainBalance balance = explain_balance(request, found, out->arena);
    tell_cells(&balance, out);
    tell_affinity(&balance, out);
}

static void tell_keys(const Explained *found, Buffer *out)
{
    const KeyPolicy *keys = found->method ? found->method->extras->keys : NULL;
    if (!keys)
        return;
    buffer_printf(out, "key       %s; the response is kept for ",
                  keys->required ? "required" : "optional");
    spelling_add_duration(out, keys->keep);
    buffer_printf(
        out, "%s%s\n",
        keys->honoured ? ", and with a key the call may be made again: instances honour it" : "",
        keys->proceeds ? "; without the store it is made all the same" : "");
}

static void tell_shadow(const Explained *found, Buffer *out)
{
    const ShadowRules *rules = found->method && found->method->extras->shadow
                                   ? found->method->extras->shadow->rules
                                   : NULL;
    if (!rules)
        return;
    buffer_printf(out, "copied    %s to %s, at most %u a second", rules->share_text, rules->target,
                  rules->per_second);
    for (const char *const *text = rules->ignored_texts; text && *text; text++)
        buffer_printf(out, "%s%s", text == rules->ignored_texts ? "; may differ: " : ", ", *text);
    buffer_add_byte(out, '\n');
}

static void tell_losses(const Version *from, const Version *to, const MethodType *method,
                        bool response, Buffer *out)
{
    const MappingSet *set;
    const Mapping *mapping = explain_mapping(from, to, method, response, &set);
    LossReport report;
    if (!mapping)
        return;
    loss_report(out->arena, set, mapping, &report);
    buffer_printf(out, "%-9s %s of %s as %s's: %s\n", response ? "answer" : "request",
                  mapping->from->name, from->name, to->name,
                  loss_report_is_clean(&report) ? "nothing is lost" : "not all is kept");
    loss_report_text(&report, false, out);
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

static void tell_timeout(const Route *route, Buffer *out)
{
    if (route->timeout == NO_TIMEOUT)
        return;
    buffer_add_text(out, ", timeout ");
    spelling_add_duration(out, route->timeout);
}

static void tell_needs(const Composed *composed, const Leg *leg, Buffer *out)
{
    const char *between = ", after ";
    for (uint64_t left = leg->needs; left; left &= left - 1, between = " and ")
        buffer_printf(out, "%s%s", between, composed->legs[__builtin_ctzll(left)].name);
}

static void tell_leg(const Composed *composed, const Leg *leg, Buffer *out)
{
    PolicyQuestion q = policy_question(leg->route, leg->method, BYTES_NONE, false);
    buffer_printf(out, "leg       %s: %s in %s", leg->name, leg->method->type->path,
                  leg->method->version->name);
    tell_needs(composed, leg, out);
    tell_timeout(leg->route, out);
    buffer_printf(out, ", impact %s, %s", impact_name(leg->route->impact),
                  leg->route->on_failure == FAILURE_LOUD ? "loud" : "graceful");
    for (uint32_t i = 0; i < q.n_fallbacks; i++)
        buffer_printf(out, "%s%s", i ? ", then " : ": ", fallback_name(q.fallbacks[i]));
    if (leg->required)
        buffer_add_text(out, ", required");
    for (const char *const *name = leg->forward; *name; name++)
        buffer_printf(out, "%s%s", name == leg->forward ? ", with " : ", ", *name);
    buffer_add_byte(out, '\n');
}

/* In their order: each after those that it waits for, which run at the same time as others. */
static void tell_legs(const Composed *composed, Buffer *out)
{
    uint64_t told = 0;
    buffer_printf(out, "the gateway, out of %u leg%s, %u at a time\n", composed->n_legs,
                  composed->n_legs == 1 ? "" : "s", composed->fan_out);
    for (uint64_t before = 1; before != told;) {
        before = told;
        for (uint32_t i = 0; i < composed->n_legs; i++) {
            if ((told >> i & 1) || (composed->legs[i].needs & ~before))
                continue;
            tell_leg(composed, &composed->legs[i], out);
            told |= UINT64_C(1) << i;
        }
    }
}

static void tell_served(const Explained *found, const Version *served, Buffer *out)
{
    const Method *method = found->method;
    const Method *served_as = method->pairs[served->index].target;
    const MethodType *target = served_as->type;
    buffer_printf(out, "served    %s, %s: %s by ", served->name,
                  served == method->version ? "natively" : "converted", target->path);
    if (served_as->extras->composed)
        tell_legs(served_as->extras->composed, out);
    else if (served_as->extras->job && served_as->extras->job->use == JOB_BEGINS)
        explain_job_text(served_as->extras->job->definition, out);
    else
        tell_instances(served->service, UINT64_C(1) << served->index, out);
    tell_losses(method->version, served, method->type, false, out);
    tell_losses(served, found->negotiation.reply, target, true, out);
}

static void tell_method(const Explained *found, Buffer *out)
{
    buffer_printf(out, "method    %s", found->method->type->path);
    if (found->binding)
        buffer_printf(out, " (%s %s)", found->binding->rule->verb, found->binding->rule->path);
    buffer_add_byte(out, '\n');
}

static void tell_version(const Negotiation *negotiation, Buffer *out)
{
    buffer_printf(out, "version   %s of %s, by the rule %s", negotiation->client->name,
                  negotiation->client->service->name, version_rule_name(negotiation->rule));
    if (negotiation->reply != negotiation->client)
        buffer_printf(out, "; the answer in %s", negotiation->reply->name);
    buffer_add_byte(out, '\n');
}

static void tell_way(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    if (found->method) {
        tell_method(found, out);
    } else {
        buffer_add_text(out, "passed    through unread, to ");
        tell_instances(found->route->service, 0, out);
    }
    tell_route(found->route, out);
    explain_arm_text(found, out);
    explain_access_text(request, found, out);
    tell_balance(request, found, out);
    if (!found->method || !found->method->extras->made_as)
        tell_guards(explain_service(found), out);
    explain_limits_text(found, out);
    tell_keys(found, out);
    tell_shadow(found, out);
    tell_fallbacks(found, out);
    if (!found->method || !method_is_made(found->method)) { /* else it is told of its legs */
        tell_hedge(found, out);
        tell_failures(request, found, out);
    }
    tell_rules(found, out);
    if (found->method && found->method->extras->made_as &&
        found->method->extras->made_as->extras->job)
        explain_job_use_text(found->method->extras->made_as->extras->job, out);
    for (uint32_t i = 0; i < found->n_served; i++) {
        tell_served(found, found->served[i], out);
        if (request->plan)
            tell_plans(&found->method->pairs[found->served[i]->index],
                       explain_client_codec(request, found), out);
    }
}

void explain_text(const ExplainRequest *request, const Explained *found, Buffer *out)
{
    if (found->negotiation.client)
        tell_version(&found->negotiation, out);
    if (found->route)
        tell_way(request, found, out);
    if (found->by_gateway)
        buffer_add_text(out, "answered  by the gateway itself\n");
    if (found->allow.size)
        buffer_printf(out, "answered  by the gateway itself, 204 with Allow: %.*s\n",
                      BYTES_ARGS(found->allow));
    if (failed(found->refused))
        buffer_printf(out, "refused   %s\n", error_text(out->arena, found->refused));
}
