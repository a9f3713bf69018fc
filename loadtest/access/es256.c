/*
 * What the check of a token costs that was not seen before, beside OpenSSL's verification of the
 * same signature: at most 1.1 times as much. Blocks of both take turns; the medians count.
 * access_es256 [BLOCKS]
 */
#include "base/clock.h"
#include "base/text/base64.h"
#include "gateway/token/token.h"
#include "tests/unit/gateway/token/signer.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <stdlib.h>

enum { BLOCKS = 60, IN_A_BLOCK = 200 };

#define NOW (1700000000 * SECOND)

static const char header[] = "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"2026-11\"}";
static const char payload[] =
    "{\"iss\":\"https://login.example\",\"aud\":[\"shop\"],\"sub\":\"ada@shop.example\","
    "\"scope\":\"orders.read orders.write\",\"realm\":{\"roles\":[\"partner\",\"staff\"]},"
    "\"iat\":1699999000,\"nbf\":1699999000,\"exp\":1700003600,\"jti\":"
    "\"0af7651916cd43dd8448eb211c\"}";

typedef struct Bench {
    Arena *arena, *call;
    EVP_PKEY *key;
    TokenKeys *keys;
    TokenRules rules;
    Bytes token, text, der;
} Bench;

static void check_token(Bench *b)
{
    Token token;
    bool unknown;
    CHECK(!failed(token_verify(b->token, b->keys, &b->rules, NOW, b->call, &token, &unknown)));
    arena_reset(b->call);
}

static void check_signature(Bench *b)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(EVP_DigestVerifyInit_ex(context, NULL, "SHA256", NULL, NULL, b->key, NULL) == 1);
    CHECK(EVP_DigestVerify(context, b->der.data, b->der.size, b->text.data, b->text.size) == 1);
    EVP_MD_CTX_free(context);
}

/* Of the processor: others may use the machine. */
static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double time_of(Bench *b, void (*check)(Bench *b))
{
    double began = microseconds();
    for (int i = 0; i < IN_A_BLOCK; i++)
        check(b);
    return (microseconds() - began) / IN_A_BLOCK;
}

/* The signature as OpenSSL wants it: DER of r and s. */
static Bytes der_of(Arena *arena, Bytes token)
{
    Bytes part, rest = token;
    while (bytes_split(&rest, '.', &part) && bytes_find(rest, '.') < rest.size)
        ;
    Buffer raw = buffer_in(arena);
    uint8_t der[80], *end = der;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    CHECK(base64_decode(&raw, rest) && raw.size == 64);
    CHECK(ECDSA_SIG_set0(pair, BN_bin2bn(raw.data, 32, NULL), BN_bin2bn(raw.data + 32, 32, NULL)));
    int size = i2d_ECDSA_SIG(pair, &end);
    ECDSA_SIG_free(pair);
    return bytes_copy(arena, bytes(der, (size_t)size));
}

static Bench make(void)
{
    static const char *const audiences[] = {"shop"};
    Bench b = {.arena = arena_new(ARENA_UNLIMITED), .call = arena_new(ARENA_UNLIMITED)};
    b.key = EVP_EC_gen("P-256");
    b.rules = (TokenRules){.issuer = "https://login.example",
                           .audiences = audiences,
                           .n_audiences = 1,
                           .algorithms = algorithms_of_public_keys(),
                           .skew = 30 * SECOND};
    const char *set =
        arena_printf(b.arena, "{\"keys\": [%s]}", jwk_of(b.arena, b.key, "\"kid\": \"2026-11\""));
    CHECK(!failed(token_keys_read(b.arena, bytes_of(set), false, &b.keys)));
    b.token = token_of(b.arena, &(Signer){.digest = "SHA256", .key = b.key}, header, payload);
    b.der = der_of(b.arena, b.token);
    size_t end = b.token.size;
    while (b.token.data[end - 1] != '.')
        end--;
    b.text = bytes(b.token.data, end - 1);
    return b;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int n, char **arguments)
{
    int blocks = n > 1 ? atoi(arguments[1]) : BLOCKS;
    double *ours = calloc((size_t)blocks, sizeof *ours),
           *openssl = calloc((size_t)blocks, sizeof *openssl);
    CHECK(blocks > 0 && ours && openssl);
    Bench b = make();
    for (int i = 0; i < blocks; i++) {
        openssl[i] = time_of(&b, check_signature);
        ours[i] = time_of(&b, check_token);
    }
    qsort(ours, (size_t)blocks, sizeof *ours, compare);
    qsort(openssl, (size_t)blocks, sizeof *openssl, compare);
    double ratio = ours[blocks / 2] / openssl[blocks / 2];
    printf("ES256: a token %.1f us, OpenSSL alone %.1f us: %.3f times (limit 1.1)\n",
           ours[blocks / 2], openssl[blocks / 2], ratio);
    return ratio <= 1.1 ? 0 : 1;
}
