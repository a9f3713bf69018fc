#include "gateway/identity/identity.h"

#include "base/arena.h"
#include "base/random.h"

#include <openssl/hmac.h>
#include <pthread.h>

const Identity identity_anonymous = {.how = PROOF_ADDRESS};

/* ---- Sources --------------------------------------------------------------------------------- */

static Bytes field_of(const IdentityEvidence *evidence, const char *name, Arena *arena)
{
    return name ? bytes_copy(arena, fields_get(evidence->head, name)) : BYTES_NONE;
}

/* Claims whose field is absent are absent; all are, where the arena is full. */
static void take_claims(const IdentityEvidence *evidence, Arena *arena, Identity *found)
{
    const IdentityConfig *config = &evidence->config->identity;
    Claim *claims = config->n_claims ? arena_array(arena, Claim, config->n_claims) : NULL;
    for (uint32_t i = 0; claims && i < config->n_claims; i++) {
        Bytes value = field_of(evidence, config->claims[i].header, arena);
        if (value.size)
            claims[found->n_claims++] = (Claim){config->claims[i].name, value};
    }
    found->claims = claims;
}

static bool by_header(const IdentityEvidence *evidence, Arena *arena, Identity *found)
{
    const IdentityConfig *config = &evidence->config->identity;
    if (!evidence->head || !config->header)
        return false;
    found->name = field_of(evidence, config->header, arena);
    if (!found->name.size)
        return false;
    found->tenant = field_of(evidence, config->tenant_header, arena);
    found->class = field_of(evidence, config->class_header, arena);
    take_claims(evidence, arena, found);
    return true;
}

/* Its names live as long as the connection. */
static bool by_certificate(const IdentityEvidence *evidence, Arena *arena, Identity *found)
{
    if (!evidence->certificate)
        return false;
    found->name = bytes_of(evidence->certificate->names[evidence->config->identity.certificate]);
    return found->name.size > 0;
}

/* In order: what a trusted proxy says of its client comes before the proxy's own certificate. */
static const struct {
    IdentityProof how;
    bool (*prove)(const IdentityEvidence *evidence, Arena *arena, Identity *found);
} sources[] = {
    {PROOF_HEADER, by_header},
    {PROOF_CERTIFICATE, by_certificate},
};

const Identity *identity_find(const IdentityEvidence *evidence, Arena *arena)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        Identity found = {.how = sources[i].how};
        if (!sources[i].prove(evidence, arena, &found))
            continue;
        Identity *identity = arena_make(arena, Identity);
        if (!identity)
            break;
        *identity = found;
        return identity;
    }
    return &identity_anonymous;
}

static size_t copied_size(const Identity *identity)
{
    size_t size = identity->name.size + identity->tenant.size + identity->class.size;
    size += identity->by ? strlen(identity->by) + 1 : 0;
    for (uint32_t i = 0; i < identity->n_claims; i++)
        size += strlen(identity->claims[i].name) + 1 + identity->claims[i].value.size;
    return size;
}

static Bytes move_in(uint8_t **at, Bytes text)
{
    Bytes copy = bytes(*at, text.size);
    if (text.size)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return copy;
}

/* One piece of memory: the identity, its claims, and behind them all texts. */
const Identity *identity_copy(const Identity *identity, Arena *arena)
{
    if (identity == &identity_anonymous)
        return identity;
    uint32_t n = identity->n_claims;
    Identity *copy = arena_alloc(arena, sizeof *copy + n * sizeof(Claim) + copied_size(identity));
    if (!copy)
        return NULL;
    Claim *claims = (Claim *)(copy + 1);
    uint8_t *at = (uint8_t *)(claims + n);
    *copy = (Identity){.how = identity->how, .claims = claims, .n_claims = n};
    copy->name = move_in(&at, identity->name);
    copy->tenant = move_in(&at, identity->tenant);
    copy->class = move_in(&at, identity->class);
    if (identity->by) {
        copy->by = (const char *)at;
        move_in(&at, bytes((const uint8_t *)identity->by, strlen(identity->by) + 1));
    }
    for (uint32_t i = 0; i < n; i++) {
        const Claim *from = &identity->claims[i];
        claims[i].name = (const char *)at;
        move_in(&at, bytes((const uint8_t *)from->name, strlen(from->name) + 1));
        claims[i].value = move_in(&at, from->value);
    }
    return copy;
}

const char *identity_how(const Identity *identity)
{
    static const char *const names[PROOFS] = {
        [PROOF_ADDRESS] = NULL,  [PROOF_HEADER] = "header",   [PROOF_CERTIFICATE] = "certificate",
        [PROOF_TOKEN] = "token", [PROOF_API_KEY] = "api_key",
    };
    return names[identity->how];
}

/* ---- How it is shown ------------------------------------------------------------------------- */

enum { HASH_SHOWN = 16 /* of its 32 bytes */ };

Bytes identity_hash(Bytes name, const Config *config, Arena *arena)
{
    Bytes key = config->identity.hash_key;
    if (!key.size)
        return BYTES_NONE;
    uint8_t hash[EVP_MAX_MD_SIZE];
    if (!HMAC(EVP_sha256(), key.data, (int)key.size, name.data, name.size, hash, NULL))
        return BYTES_NONE;
    Buffer text = buffer_in(arena);
    for (size_t i = 0; i < HASH_SHOWN; i++)
        buffer_printf(&text, "%02x", hash[i]);
    return buffer_bytes(&text);
}

Bytes identity_shown(const Identity *identity, const Config *config, Arena *arena)
{
    if (!identity->name.size || !config->identity.hash_key.size)
        return identity->name;
    return identity_hash(identity->name, config, arena);
}

/* ---- Turns and memory ------------------------------------------------------------------------ */

static uint64_t seeds[2];

static void make_seeds(void)
{
    Random random;
    random_seed(&random);
    seeds[0] = random_next(&random);
    seeds[1] = random_next(&random) | 1;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of the name, with secret seeds: nobody can choose a name that shares another one's place. */
static uint64_t hash_of(Bytes name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CHECK(pthread_once(&once, make_seeds) == 0);
    uint64_t hash = seeds[0] ^ name.size;
    for (size_t at = 0; at < name.size; at += sizeof(uint64_t)) {
        Bytes piece = bytes_slice(name, at, sizeof(uint64_t));
        uint64_t eight = 0;
        memcpy(&eight, piece.data, piece.size);
        hash = mix(hash ^ eight, seeds[1]) + seeds[0];
    }
    return mix(hash, seeds[1]);
}

IpAddress identity_place(const Identity *identity, const IpAddress *address)
{
    if (!identity->name.size)
        return *address;
    IpAddress place = {.known = true};
    uint64_t hash = hash_of(identity->name);
    memcpy(place.bytes, &hash, sizeof hash); /* the half that tells IPv6 clients apart */
    place.bytes[0] = 0x01;
    return place;
}

IpAddress identity_connection_place(const Config *config, const CertificateNames *certificate,
                                    const IpAddress *address)
{
    Identity found = {.how = PROOF_CERTIFICATE};
    by_certificate(&(IdentityEvidence){.config = config, .certificate = certificate}, NULL, &found);
    return identity_place(&found, address);
}
