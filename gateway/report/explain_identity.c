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

/* False: nothing has that name. */
static bool find_proof(const Config *config, const char *by, Identity *out)
{
    static const IdentityProof of_methods[] = {[CREDENTIAL_TOKEN] = PROOF_TOKEN,
                                               [CREDENTIAL_API_KEY] = PROOF_API_KEY,
                                               [CREDENTIAL_CERTIFICATE] = PROOF_CERTIFICATE};
    for (IdentityProof how = 0; how < PROOFS; how++)
        if (text_equal(identity_how(&(Identity){.how = how}), by)) {
            out->how = how;
            return true;
        }
    for (uint32_t i = 0; i < config->access.n_credentials; i++) {
        const CredentialConfig *method = &config->access.credentials[i];
        if (text_equal(method->name, by)) {
            out->how = of_methods[method->kind];
            out->by = method->name;
            return true;
        }
    }
    return false;
}

bool explain_knows_proof(const Config *config, const char *by)
{
    Identity found;
    return find_proof(config, by, &found);
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
    Identity identity = {.name = request->identity,
                         .tenant = said_by(request, named->tenant_header, request->tenant),
                         .class = said_by(request, named->class_header, request->class),
                         .claims = claims,
                         .n_claims = n,
                         .how = PROOF_HEADER};
    if (request->by)
        CHECK(find_proof(config, request->by, &identity));
    return identity;
}
