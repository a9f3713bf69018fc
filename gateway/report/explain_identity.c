#include "base/arena.h"
#include "gateway/report/explain_internal.h"

static Bytes said_by(const ExplainRequest *request, const char *header, Bytes given)
{
    return given.size || !header ? given : fields_get(&request->fields, header);
}

static bool is_given(const ExplainRequest *request, const char *claim)
{
    for (uint32_t i = 0; i < request->n_claims; i++)
        if (strcmp(request->claims[i].name, claim) == 0)
            return true;
    return false;
}

/* A claim that is given may also be one that only tokens have. */
Identity explain_identity(const Config *config, const ExplainRequest *request, Arena *arena)
{
    const IdentityConfig *named = &config->identity;
    Claim *claims = arena_array(arena, Claim, request->n_claims + named->n_claims);
    uint32_t n = 0;
    for (uint32_t i = 0; i < request->n_claims; i++)
        claims[n++] = request->claims[i];
    for (uint32_t i = 0; i < named->n_claims; i++) {
        const ClaimHeader *claim = &named->claims[i];
        Bytes value = fields_get(&request->fields, claim->header);
        if (value.size && !is_given(request, claim->name))
            claims[n++] = (Claim){.name = claim->name, .value = value};
    }
    return (Identity){.name = request->identity,
                      .tenant = said_by(request, named->tenant_header, request->tenant),
                      .class = said_by(request, named->class_header, request->class),
                      .claims = claims,
                      .n_claims = n,
                      .how = PROOF_HEADER};
}
