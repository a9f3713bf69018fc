#include "gateway/admin/operator.h"

#include "base/arena.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/socket.h>
#include <unistd.h>

const char *operator_role_name(OperatorRole role)
{
    static const char *const names[] = {"guest", "read", "operate"};
    return names[role];
}

static bool by_socket(const OperatorProof *proof, Arena *arena, Operator *found)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(proof->unix_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    bool ours = peer.uid == 0 || peer.uid == geteuid() || proof->admitted;
    *found = (Operator){.role = ours ? ROLE_OPERATE : ROLE_GUEST,
                        .name = arena_printf(arena, "uid %u", (unsigned)peer.uid),
                        .by = "socket"};
    return ours;
}

static void by_certificate(const Config *config, const CertificateNames *certificate,
                           Operator *found)
{
    const char *name = certificate->names[config->identity.certificate];
    for (uint32_t i = 0; name && i < config->n_operators; i++) {
        const OperatorConfig *one = &config->operators[i];
        if (one->certificate && strcmp(one->certificate, name) == 0)
            *found = (Operator){one->role, one->name, "certificate"};
    }
}

/* Of all tokens, whether or not one has matched: the time says nothing. */
static void by_token(const Config *config, Bytes token, Operator *found)
{
    if (!token.size)
        return; /* no operator has none */
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256(token.data, token.size, hash);
    for (uint32_t i = 0; i < config->n_operators; i++) {
        const OperatorConfig *one = &config->operators[i];
        if (one->has_token && CRYPTO_memcmp(one->token_hash, hash, sizeof hash) == 0)
            *found = (Operator){one->role, one->name, "token"};
    }
}

bool operator_find(const Config *config, const OperatorProof *proof, Arena *arena,
                   Operator *operator_out)
{
    static const char scheme[] = "Bearer ";
    enum { SCHEME_SIZE = sizeof scheme - 1 };
    *operator_out = (Operator){.role = ROLE_GUEST};
    if (proof->unix_fd >= 0)
        return by_socket(proof, arena, operator_out);
    if (!config)
        return true;
    if (proof->certificate)
        by_certificate(config, proof->certificate, operator_out);
    Bytes said = proof->authorization;
    if (!operator_out->name &&
        bytes_equal_nocase(bytes_slice(said, 0, SCHEME_SIZE), bytes(scheme, SCHEME_SIZE)))
        by_token(config, bytes_trim(bytes_slice(said, SCHEME_SIZE, SIZE_MAX)), operator_out);
    return true;
}

/* ---- Passwords ------------------------------------------------------------------------------- */

const OperatorConfig *operator_with_password(const Config *config, Bytes name)
{
    for (uint32_t i = 0; i < config->n_operators; i++)
        if (config->operators[i].password && bytes_are(name, config->operators[i].name))
            return &config->operators[i];
    return NULL;
}

const OperatorConfig *operator_password_at(const Config *config, uint32_t at)
{
    for (uint32_t i = 0; i < config->n_operators; i++)
        if (config->operators[i].password && at-- == 0)
            return &config->operators[i];
    return NULL;
}

uint32_t operator_passwords(const Config *config)
{
    uint32_t n = 0;
    while (operator_password_at(config, n))
        n++;
    return n;
}
