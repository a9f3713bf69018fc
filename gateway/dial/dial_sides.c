#include "gateway/dial/dial_sides.h"

#include "adapters/compile/plan_compile.h"
#include "adapters/details/details.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "gateway/call/exchange.h"

static Result make_plan(Arena *arena, const Version *version, const Mapping *mapping,
                        PlanOptions options, const Plan **plan_out)
{
    options.types = version->to[version->index];
    Result r = plan_compile(arena, mapping, &options, plan_out);
    return failed(r) ? FAIL_OVER(arena, r, FAULT_BAD_CONFIG, "compiling %s for its JSON",
                                 mapping->from->full_name)
                     : OK;
}

/* JSON as the route writes it, but without what the sender has not sent. */
static PlanOptions shown_options(const Route *route, Codec from)
{
    return (PlanOptions){.from = from,
                         .to = CODEC_JSON,
                         .unknown = UNKNOWN_COUNT,
                         .enums_as_numbers = route->enums_as_numbers,
                         .proto_names = route->proto_names};
}

Result dial_plans_make(Arena *arena, const Method *method, const Version *served, Codec codec,
                       DialPlans *plans_out)
{
    const Version *own = method->version;
    const MappingSet *set = own->to[own->index], *served_set = served->to[served->index];
    const MethodType *type = method->type, *target = method->pairs[served->index].target->type;
    const Mapping *input = mapping_set_input(set, type), *output = mapping_set_output(set, type);
    const Route *route = method->route;
    PlanOptions read = shown_options(route, CODEC_JSON);
    read.unknown = UNKNOWN_REFUSE;
    *plans_out = (DialPlans){.method = method, .served = served, .codec = codec};
    Result r = make_plan(arena, own, input, read, &plans_out->read);
    if (!failed(r))
        r = make_plan(arena, own, input, (PlanOptions){CODEC_JSON, CODEC_PROTO},
                      &plans_out->to_proto);
    if (!failed(r))
        r = make_plan(arena, own, output, shown_options(route, CODEC_PROTO),
                      &plans_out->from_proto);
    if (!failed(r))
        r = make_plan(arena, served, mapping_set_input(served_set, target),
                      shown_options(route, codec), &plans_out->show_request);
    return failed(r) ? r
                     : make_plan(arena, served, mapping_set_output(served_set, target),
                                 shown_options(route, codec), &plans_out->show_answer);
}

/* ---- Running --------------------------------------------------------------------------------- */

typedef struct Losing {
    Arena *arena;
    DialSides *sides;
} Losing;

static void on_loss(void *owner, const Loss *loss)
{
    const Losing *losing = owner;
    DialSides *sides = losing->sides;
    for (uint32_t i = 0; i < sides->n_losses; i++)
        if (sides->losses[i].loss == loss) {
            sides->losses[i].n++;
            return;
        }
    size_t size = sides->n_losses * sizeof(DialLoss);
    sides->losses = arena_grow(losing->arena, sides->losses, size, size + sizeof(DialLoss));
    sides->losses[sides->n_losses++] = (DialLoss){loss, 1};
}

/* Without a plan the message is in the other form already. */
static Result run(const Plan *plan, const PlanInput *input, Arena *arena, DialSides *sides,
                  Bytes *out)
{
    Losing losing = {arena, sides};
    PlanRun report = {.all_mistakes = true};
    Buffer result = buffer_in(arena);
    *out = input->bytes;
    if (sides) {
        report.on_loss = on_loss;
        report.owner = &losing;
    }
    if (!plan)
        return OK;
    Result r = plan_run(plan, input, arena, &result, &report);
    if (sides)
        sides->n_unknown += report.n_unknown;
    *out = buffer_bytes(&result);
    return r;
}

static Result show(const Plan *plan, Bytes message, Arena *arena, Bytes *json_out)
{
    Bytes json;
    Result r = run(plan, &(PlanInput){.bytes = message}, arena, NULL, &json);
    *json_out = failed(r) ? BYTES_NONE : json;
    return r;
}

Result dial_request_write(const DialPlans *plans, const PlanInput *input, Arena *arena,
                          Bytes *json_out)
{
    return run(plans->read, input, arena, NULL, json_out);
}

/* Between a version and itself JSON needs none; else there is none for a protocol that no instance
   of the version has. */
static Result check_plan(const DialPlans *plans, const Plan *plan, Arena *arena)
{
    if (plan || (plans->codec == CODEC_JSON && plans->served == plans->method->version))
        return OK;
    return FAIL(arena, FAULT_UNSUPPORTED, "no instance of %s in the config takes %s",
                plans->served->name, codec_name(plans->codec));
}

/* As the gateway does it: what the route demands is checked in protobuf, which then goes on. */
static Result apply_rules(const DialPlans *plans, Bytes json, Arena *arena, Bytes *message_out)
{
    Result r =
        run(plans->method->extras->to_rules, &(PlanInput){.bytes = json}, arena, NULL, message_out);
    return failed(r) ? r : rules_check(plans->method->extras->rules, true, arena, message_out);
}

Result dial_request_convert(const DialPlans *plans, Bytes json, Arena *arena, DialSides *sides_out,
                            Bytes *sent_out)
{
    const MethodPair *pair = &plans->method->pairs[plans->served->index];
    Codec from = CODEC_JSON;
    Bytes message = json;
    Result r = OK;
    *sides_out = (DialSides){.client = json};
    if (plans->method->extras->rules) {
        r = apply_rules(plans, json, arena, &message);
        from = CODEC_PROTO;
    }
    const Plan *plan = pair->request[from][plans->codec];
    if (!failed(r) && from == CODEC_JSON)
        r = check_plan(plans, plan, arena);
    if (!failed(r))
        r = run(plan, &(PlanInput){.bytes = message}, arena, sides_out, sent_out);
    return failed(r) ? r : show(plans->show_request, *sent_out, arena, &sides_out->instance);
}

static Result answer_failed(const DialPlans *plans, Result r, Arena *arena)
{
    const MethodType *target = plans->method->pairs[plans->served->index].target->type;
    if (!failed(r))
        return r;
    return FAIL_OVER(arena, r, *exchange_answer_fault(r.error->fault), "converting %s of %s to %s",
                     target->output->name, plans->served->name, plans->method->version->name);
}

Result dial_response_convert(const DialPlans *plans, Bytes message, Arena *arena,
                             DialSides *sides_out)
{
    const MethodPair *pair = &plans->method->pairs[plans->served->index];
    const Plan *plan = pair->response[plans->codec][CODEC_JSON];
    *sides_out = (DialSides){.client = BYTES_NONE};
    Result r = show(plans->show_answer, message, arena, &sides_out->instance);
    if (failed(r))
        return answer_failed(plans, r, arena);
    r = check_plan(plans, plan, arena);
    if (failed(r))
        return r;
    Bytes json = BYTES_NONE;
    r = run(plan, &(PlanInput){.bytes = message}, arena, sides_out, &json);
    sides_out->client = failed(r) ? BYTES_NONE : json;
    return answer_failed(plans, r, arena);
}

/* ---- Details of errors ----------------------------------------------------------------------- */

enum { STATUS_DETAILS = 3 /* a field of google.rpc.Status */ };

static Bytes list_details(const Version *version, Bytes status, Arena *arena)
{
    Buffer out = buffer_in(arena);
    WireReader reader = wire_reader(status);
    buffer_add_byte(&out, '[');
    for (WireField f; wire_next(&reader, &f);) {
        Buffer one = buffer_in(arena);
        if (f.number != STATUS_DETAILS || f.type != WIRE_LENGTH ||
            !detail_to_json(version->details.to_json, f.bytes, arena, &one))
            continue;
        buffer_add_text(&out, out.size > 1 ? "," : "");
        buffer_add_bytes(&out, buffer_bytes(&one));
    }
    buffer_add_byte(&out, ']');
    return buffer_bytes(&out);
}

Result dial_details_convert(const DialPlans *plans, Bytes details, Arena *arena,
                            DialSides *sides_out)
{
    const Version *own = plans->method->version, *served = plans->served;
    Losing losing = {arena, sides_out};
    DetailsRun report = {.plan = {.on_loss = on_loss, .owner = &losing}};
    Bytes converted = details;
    Result r = OK;
    *sides_out = (DialSides){.instance = list_details(served, details, arena)};
    if (own != served) {
        const MethodType *asked = plans->method->pairs[served->index].target->type;
        r = details_convert(served->details.to[own->index],
                            mapping_set_input(served->to[own->index], asked), details, arena,
                            &report, &converted);
    }
    sides_out->client = failed(r) ? BYTES_NONE : list_details(own, converted, arena);
    return r;
}

bool dial_sides_lose(const DialSides *sides)
{
    for (uint32_t i = 0; i < sides->n_losses; i++)
        if (sides->losses[i].loss->kind != LOSS_DEFAULTED)
            return true;
    return sides->n_unknown > 0;
}
