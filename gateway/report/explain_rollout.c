/* In which arm of a rollout a call's client is, as far as that can be known without the gateway
   that carries it out. */
#include "gateway/report/explain_internal.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/cohort/cohort_client.h"
#include "gateway/report/rollout_report.h"

static Bytes client_of(const Explained *found, const RolloutDefinition *rollout,
                       const ExplainRequest *request, Arena *arena)
{
    CohortEvidence evidence = {.config = found->config,
                               .identity = &found->identity,
                               .recorded = found->identity.name,
                               .head = &request->fields};
    return cohort_client_find(&rollout->cohort, &evidence, arena).name;
}

/* NULL: the candidate may serve it, for clients that have it. */
static const char *no_part_of(const RolloutDefinition *rollout, const Explained *found)
{
    const Method *method = found->method;
    if (!rollout->version)
        return NULL;
    if (!method || !method->pairs[rollout->version->index].target)
        return "it is no part of it: the candidate has no such method";
    return method->version == rollout->version
               ? "it is no part of it: its client speaks the candidate's version, and gets it"
               : NULL;
}

static ExplainArm known(const ExplainArm *arm, const char *name, const char *why)
{
    ExplainArm known = *arm;
    known.arm = name;
    known.why = why;
    return known;
}

ExplainArm explain_arm(const ExplainRequest *request, const Explained *found, Arena *arena)
{
    const Service *service = found->route ? explain_service(found) : NULL;
    const RolloutDefinition *rollout = service ? service->rollout : NULL;
    ExplainArm arm = {.rollout = rollout};
    if (!rollout)
        return arm;
    const char *no_part = no_part_of(rollout, found);
    if (no_part)
        return known(&arm, NULL, no_part);
    bool has_field = found->method && found->method->extras->cohort_key;
    if (rollout->cohort.field && has_field)
        return known(&arm, NULL,
                     "who the client is stands in the message; it has the candidate if it is a "
                     "pilot, a recorded member, or within the share of the tier");
    arm.client = client_of(found, rollout, request, arena);
    if (!arm.client.size)
        return known(&arm, "baseline", "nothing tells the client; in the tier `all` the candidate");
    if (rollout_is_pilot(rollout, arm.client))
        return known(&arm, "candidate", "it is a pilot; after a rollback the baseline");
    return known(&arm, NULL,
                 "only the gateways know: the candidate if it is a recorded member, or within the "
                 "share of the tier; else the baseline");
}

/* ---- Both forms ------------------------------------------------------------------------------ */

void explain_arm_text(const Explained *found, Buffer *out)
{
    const ExplainArm *arm = &found->arm;
    if (!arm->rollout)
        return;
    buffer_printf(out, "rollout   %s", arm->rollout->name);
    if (arm->client.size)
        buffer_printf(out, ", for %.*s by %s", BYTES_ARGS(arm->client),
                      rollout_cohort_text(&arm->rollout->cohort, out->arena));
    buffer_printf(out, ": %s%s%s\n", arm->arm ? arm->arm : "", arm->arm ? ", " : "", arm->why);
}

void explain_arm_json(const Explained *found, Buffer *out)
{
    const ExplainArm *arm = &found->arm;
    if (!arm->rollout)
        return;
    json_text_add_key(out, "rollout");
    buffer_add_byte(out, '{');
    json_text_add_member(out, "rollout", bytes_of(arm->rollout->name));
    if (arm->client.size)
        json_text_add_member(out, "client", arm->client);
    if (arm->arm)
        json_text_add_member(out, "arm", bytes_of(arm->arm));
    json_text_add_member(out, "why", bytes_of(arm->why));
    buffer_add_byte(out, '}');
}
