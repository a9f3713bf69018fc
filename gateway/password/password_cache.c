#include "gateway/password/password_cache.h"

#include "base/arena.h"
#include "base/text/base64.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

typedef struct Entry {
    PasswordMark mark;
    int64_t since; /* when it was right */
    bool used;
} Entry;

struct PasswordCache {
    uint8_t key[PASSWORD_MARK_SIZE];
    Entry entries[PASSWORD_CACHE_MOST];
};

PasswordCache *password_cache_new(void)
{
    PasswordCache *cache = calloc(1, sizeof *cache);
    CHECK(cache && RAND_bytes(cache->key, sizeof cache->key) == 1);
    return cache;
}

void password_cache_free(PasswordCache *cache)
{
    if (cache)
        OPENSSL_cleanse(cache, sizeof *cache);
    free(cache);
}

bool password_login_read(Arena *arena, Bytes authorization, PasswordLogin *out, bool *is_basic_out)
{
    static const char scheme[] = "Basic ";
    enum { SCHEME_SIZE = sizeof scheme - 1 };
    Buffer text = buffer_in(arena);
    *out = (PasswordLogin){BYTES_NONE, BYTES_NONE};
    *is_basic_out =
        bytes_equal_nocase(bytes_slice(authorization, 0, SCHEME_SIZE), bytes(scheme, SCHEME_SIZE));
    if (!*is_basic_out ||
        !base64_decode(&text, bytes_trim(bytes_slice(authorization, SCHEME_SIZE, SIZE_MAX))))
        return false;
    Bytes all = buffer_bytes(&text);
    size_t colon = bytes_find(all, ':');
    out->user = bytes_slice(all, 0, colon);
    out->password = bytes_slice(all, colon + 1, SIZE_MAX);
    return colon < all.size && out->user.size && out->password.size <= PASSWORD_BYTES_MOST;
}

/* ---- Marks ----------------------------------------------------------------------------------- */

static void sign(const PasswordCache *cache, Bytes text, PasswordMark *out)
{
    unsigned size = sizeof out->bytes;
    CHECK(HMAC(EVP_sha256(), cache->key, sizeof cache->key, text.data, text.size, out->bytes,
               &size) &&
          size == sizeof out->bytes);
}

/* Each part is signed for itself, so that no two logins run together to the same text. */
PasswordMark password_cache_mark(const PasswordCache *cache, const PasswordLogin *login,
                                 const PasswordHash *hash)
{
    PasswordMark parts[4], mark;
    sign(cache, login->user, &parts[0]);
    sign(cache, login->password, &parts[1]);
    sign(cache, bytes(hash->salt, sizeof hash->salt), &parts[2]);
    sign(cache, bytes(hash->hash, sizeof hash->hash), &parts[3]);
    sign(cache, bytes(parts, sizeof parts), &mark);
    OPENSSL_cleanse(parts, sizeof parts);
    return mark;
}

static bool is_of(const Entry *entry, const PasswordMark *mark)
{
    return entry->used && CRYPTO_memcmp(&entry->mark, mark, sizeof *mark) == 0;
}

bool password_cache_has(const PasswordCache *cache, const PasswordMark *mark, int64_t keep,
                        int64_t now)
{
    for (const Entry *e = cache->entries; e < cache->entries + PASSWORD_CACHE_MOST; e++)
        if (is_of(e, mark) && now - e->since < keep)
            return true;
    return false;
}

/* Whether `a` is a better place for a new one than `b`. */
static bool goes_first(const Entry *a, const Entry *b)
{
    return a->used == b->used ? a->since < b->since : b->used;
}

void password_cache_add(PasswordCache *cache, const PasswordMark *mark, int64_t now)
{
    Entry *place = cache->entries;
    for (Entry *e = cache->entries; e < cache->entries + PASSWORD_CACHE_MOST; e++) {
        if (is_of(e, mark)) {
            place = e;
            break;
        }
        if (goes_first(e, place))
            place = e;
    }
    *place = (Entry){.mark = *mark, .since = now, .used = true};
}

uint32_t password_cache_stand_in(const PasswordCache *cache, Bytes user, uint32_t n)
{
    PasswordMark mark;
    uint32_t number;
    CHECK(n > 0);
    sign(cache, user, &mark);
    memcpy(&number, mark.bytes, sizeof number);
    return number % n;
}
