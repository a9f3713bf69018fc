#include "gateway/shadow/shadow_finding.h"

#include "adapters/compare/compare.h"
#include "adapters/compare/settle.h"
#include "adapters/run/plan_run.h"
#include "base/arena.h"
#include "gateway/redaction/redaction.h"

enum { SHOWN = SHADOW_TEXT_MOST - 8 /* bytes of a value; "..." follows what is cut */ };

bool shadow_is_refusal(const Fault *fault)
{
    return fault == &FAULT_CANNOT_CONVERT || fault == &FAULT_FIELD_REQUIRED;
}

/* Without a plan the message is in the other form already. */
static Result run(Arena *arena, const Plan *plan, Bytes *message)
{
    Buffer out = buffer_in(arena);
    if (!plan)
        return OK;
    Result r = plan_run(plan, &(PlanInput){.bytes = *message}, arena, &out, NULL);
    *message = buffer_bytes(&out);
    return !failed(r) && out.full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "converting a response") : r;
}

/* To that version and back; false: there is no need to. */
static bool way_to(const Method *method, const Version *version, ThereAndBack *way_out)
{
    const MethodPair *pair = &method->pairs[version->index];
    if (version == method->version || !pair->target)
        return false;
    const MethodPair *back = &pair->target->pairs[method->version->index];
    *way_out = (ThereAndBack){back->response[CODEC_PROTO][CODEC_PROTO],
                              pair->response[CODEC_PROTO][CODEC_PROTO]};
    return true;
}

/* What can be compared of the response of this side. */
static Result bring(const ShadowQuestion *q, const ShadowSide *side, Arena *arena, Bytes *message,
                    bool *settled_out)
{
    const MethodPair *pair = &q->method->pairs[side->version->index];
    ThereAndBack ways[2];
    uint32_t n = way_to(q->method, q->shadow.version, &ways[0]);
    if (q->real.version != q->shadow.version)
        n += way_to(q->method, q->real.version, &ways[n]);
    *message = side->response;
    Result r = run(arena, pair->response[side->codec][CODEC_PROTO], message);
    return failed(r) ? r : settle_message(ways, n, arena, message, settled_out);
}

static bool hides(const void *names, Bytes path)
{
    return redaction_hides(path, names);
}

static void take_differences(const Comparison *comparison, Arena *arena, ShadowFinding *finding)
{
    finding->differences = arena_array(arena, ShadowDifference, comparison->n);
    if (!finding->differences)
        return;
    for (const Difference *each = comparison->first; each; each = each->next)
        finding->differences[finding->n++] =
            (ShadowDifference){.path = arena_text(arena, each->path),
                               .shape = difference_shape_name(each->shape),
                               .n = each->n,
                               .real = each->first,
                               .shadow = each->second};
}

static Result compare_responses(const ShadowQuestion *q, Arena *arena, ShadowFinding *finding)
{
    CompareRules rules = {.ignored = q->method->extras->shadow->rules->ignored,
                          .show = {.most = SHOWN, .hides = hides, .owner = q->redact}};
    Bytes real, shadow;
    Comparison comparison = {.n = 0};
    bool settled = true;
    Result r = bring(q, &q->real, arena, &real, &settled);
    if (!failed(r) && settled)
        r = bring(q, &q->shadow, arena, &shadow, &settled);
    if (!failed(r) && !settled) {
        *finding = (ShadowFinding){.outcome = SHADOW_UNLIKE, .reason = "the change lists"};
        return OK;
    }
    if (!failed(r))
        r = compare_messages(q->method->type->output, real, shadow, &rules, arena, &comparison);
    if (failed(r) || !comparison.n)
        return r;
    finding->outcome = SHADOW_DIFFERENT;
    take_differences(&comparison, arena, finding);
    return OK;
}

static void tell_status(const ShadowQuestion *q, Arena *arena, ShadowFinding *finding)
{
    ShadowDifference *difference = arena_make(arena, ShadowDifference);
    finding->outcome = SHADOW_DIFFERENT;
    if (!difference)
        return;
    *difference = (ShadowDifference){.path = "",
                                     .shape = "status",
                                     .n = 1,
                                     .real = bytes_of(code_name(q->real.code)),
                                     .shadow = bytes_of(code_name(q->shadow.code))};
    finding->differences = difference;
    finding->n = 1;
}

void shadow_find(const ShadowQuestion *q, Arena *arena, ShadowFinding *finding_out)
{
    *finding_out = (ShadowFinding){.outcome = SHADOW_EQUAL};
    if (q->real.code != q->shadow.code) {
        tell_status(q, arena, finding_out);
        return;
    }
    Result r = q->real.code == CODE_OK ? compare_responses(q, arena, finding_out) : OK;
    if (!failed(r))
        return;
    const Fault *fault = r.error->fault;
    finding_out->outcome = shadow_is_refusal(fault) ? SHADOW_UNLIKE : SHADOW_FAILED;
    finding_out->reason = fault->name;
}
