#include "gateway/cohort/cohort_client.h"

#include <string.h>

const CohortClient cohort_nobody = {.name = {NULL, 0}};

static Bytes claimed(const Identity *identity, const char *claim)
{
    if (strcmp(claim, "tenant") == 0)
        return identity->tenant;
    if (strcmp(claim, "class") == 0)
        return identity->class;
    for (uint32_t i = 0; i < identity->n_claims; i++)
        if (strcmp(identity->claims[i].name, claim) == 0)
            return identity->claims[i].value;
    return BYTES_NONE;
}

static CohortClient named(Bytes name, const CohortEvidence *evidence, Arena *arena)
{
    CohortClient client = {.name = name, .recorded = name};
    if (name.size && evidence->config->identity.hash_key.size)
        client.recorded = identity_hash(name, evidence->config, arena);
    return client.recorded.size ? client : cohort_nobody;
}

CohortClient cohort_client_find(const CohortSource *source, const CohortEvidence *evidence,
                                Arena *arena)
{
    if (source->field)
        return named(evidence->field, evidence, arena);
    if (source->claim)
        return named(claimed(evidence->identity, source->claim), evidence, arena);
    if (!source->header)
        return (CohortClient){.name = evidence->identity->name, .recorded = evidence->recorded};
    return evidence->head ? named(fields_get(evidence->head, source->header), evidence, arena)
                          : cohort_nobody;
}
