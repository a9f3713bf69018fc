/* The details of a service's error, for a client of another version or codec. */
#include "adapters/details/details.h"
#include "gateway/call/exchange_internal.h"

/* ---- As JSON --------------------------------------------------------------------------------- */

static bool write_json(void *owner, Bytes detail, Arena *arena, Buffer *json)
{
    const Details *details = owner;
    return detail_to_json(details->to_json, detail, arena, json);
}

static bool read_json(void *owner, Bytes json, Arena *arena, Bytes *detail_out)
{
    const Details *details = owner;
    return detail_from_json(details->from_json, json, arena, detail_out);
}

DetailJson exchange_detail_json(const Exchange *x, const Version *version)
{
    const Details *details = version ? &version->details : &x->config->details;
    return (DetailJson){write_json, read_json, (void *)(uintptr_t)details};
}

/* ---- In the client's version ----------------------------------------------------------------- */

static void on_unconverted(void *owner, Bytes type, bool kept, Result why)
{
    const Attempt *attempt = owner;
    Exchange *x = attempt->exchange;
    telemetry_count(x->loop, COUNTER_DETAILS_UNCONVERTED);
    losses_name(&x->losses, bytes_copy(x->arena, type));
    if (!failed(x->record.detail_why))
        x->record.detail_why =
            FAIL_OVER(x->arena, why, FAULT_UPSTREAM_CONVERT,
                      "converting the error detail %.*s of %s to %s: %s",
                      BYTES_ARGS(bytes_cut_text(type, 200)), attempt->pick.served->name,
                      x->version.reply->name, kept ? "it stays as it is" : "it is left out");
}

/* The mapping from the service's version of the request back to the client's. */
static const Mapping *request_back(const Attempt *attempt)
{
    const MethodType *asked = attempt->pick.pair->target->type;
    const MappingSet *set = attempt->pick.served->to[attempt->exchange->version.client->index];
    CHECK(set); /* the request was converted */
    return mapping_set_input(set, asked);
}

void attempt_convert_details(Attempt *attempt, Status *status)
{
    Exchange *x = attempt->exchange;
    const Version *served = attempt->pick.served;
    bool same = !served || (served == x->version.client && served == x->version.reply);
    if (same || !status->details.size)
        return;
    const Plan *any =
        served == x->version.reply ? NULL : served->details.to[x->version.reply->index];
    const Mapping *request = served == x->version.client ? NULL : request_back(attempt);
    DetailsRun run = {.plan = {.on_loss = losses_on_loss, .owner = &x->losses},
                      .on_unconverted = on_unconverted,
                      .owner = attempt};
    Bytes converted;
    Result r = details_convert(any, request, status->details, x->arena, &run, &converted);
    x->record.n_unknown += run.plan.n_unknown;
    if (failed(r)) { /* the arena is full: the error goes without details */
        x->record.detail_why = r;
        converted = BYTES_NONE;
    }
    status->details = converted;
}
