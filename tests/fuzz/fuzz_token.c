/*
 * Tokens of any bytes are never good; payloads of any bytes, signed with the right key, are good
 * only if an independent look at them finds the issuer, and an end that is ahead.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/base64.h"
#include "gateway/token/token.h"

#include <openssl/hmac.h>
#include <string.h>

#define NOW (1700000000 * SECOND)
#define SECRET "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static TokenKeys *keys_of(void)
{
    static TokenKeys *set;
    if (set)
        return set;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    buffer_printf(&text, "{\"keys\": [{\"kty\": \"oct\", \"k\": \"");
    base64_encode(&text, bytes_of(SECRET), BASE64_URL, false);
    buffer_printf(&text, "\"}]}");
    Result r = token_keys_read(arena, buffer_bytes(&text), true, &set);
    CHECK(!failed(r));
    arena_free(arena);
    return set;
}

static Bytes sign(Arena *arena, Bytes payload)
{
    uint8_t mac[32];
    unsigned mac_size = 0;
    Buffer out = buffer_in(arena);
    base64_encode(&out, bytes_of("{\"alg\": \"HS256\"}"), BASE64_URL, false);
    buffer_add_byte(&out, '.');
    base64_encode(&out, payload, BASE64_URL, false);
    CHECK(HMAC(EVP_sha256(), SECRET, sizeof SECRET - 1, out.data, out.size, mac, &mac_size));
    buffer_add_byte(&out, '.');
    base64_encode(&out, bytes(mac, mac_size), BASE64_URL, false);
    return buffer_bytes(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const TokenRules rules = {.issuer = "me", .algorithms = (1u << TOKEN_ALGORITHMS) - 1};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Token token;
    bool unknown_key;
    Result r = token_verify(bytes(data, size), keys_of(), &rules, NOW, arena, &token, &unknown_key);
    CHECK(failed(r));
    r = token_verify(sign(arena, bytes(data, size)), keys_of(), &rules, NOW, arena, &token,
                     &unknown_key);
    CHECK(failed(r) ||
          (token.expires > NOW && bytes_are(json_member_text(token.claims, "iss"), "me") &&
           memmem(data, size, "exp", 3)));
    arena_free(arena);
    return 0;
}
