#include "gateway/tls/pair_mistake.h"

#include "base/arena.h"
#include "base/file/file.h"

#include <openssl/pem.h>
#include <string.h>

enum { PAIR_FILE_MOST = 1 << 20 };

static bool has(Arena *arena, const char *path, const char *words)
{
    Bytes text = BYTES_NONE;
    Result r = file_read(arena, path, PAIR_FILE_MOST, &text);
    if (failed(r))
        error_ignore(r, "whoever reads it next tells it");
    return text.size && memmem(text.data, text.size, words, strlen(words));
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *pair_mistake(Arena *arena, const TlsPair *pair, bool *of_key_out)
{
    const char *certificate = pair->certificate, *key = pair->key;
    bool key_first = has(arena, certificate, "PRIVATE KEY-----");
    *of_key_out = false;
    if (key_first && !has(arena, certificate, "BEGIN CERTIFICATE-----") &&
        has(arena, key, "BEGIN CERTIFICATE-----"))
        return arena_printf(arena,
                            "%s has a private key, and %s a certificate: they are swapped "
                            "(write certificate: %s and key: %s)",
                            certificate, key, name_of(key), name_of(certificate));
    *of_key_out = true;
    if (has(arena, key, "ENCRYPTED"))
        return arena_printf(arena,
                            "the key %s is encrypted, and nobody is there to type its password "
                            "(openssl pkey -in %s -out plain-%s, chmod 600, and write key: "
                            "plain-%s)",
                            key, key, name_of(key), name_of(key));
    return NULL;
}

static bool is_pair(const char *certificate, const char *key)
{
    FILE *first = fopen(certificate, "r"), *second = fopen(key, "r");
    X509 *x509 = first ? PEM_read_X509(first, NULL, NULL, NULL) : NULL;
    EVP_PKEY *pkey = second ? PEM_read_PrivateKey(second, NULL, NULL, (void *)"") : NULL;
    bool pair = x509 && pkey && X509_check_private_key(x509, pkey) == 1;
    EVP_PKEY_free(pkey);
    X509_free(x509);
    if (first)
        fclose(first);
    if (second)
        fclose(second);
    return pair;
}

const char *pair_mismatch(Arena *arena, const TlsPair *pair)
{
    const char *dot = strrchr(name_of(pair->certificate), '.');
    size_t stem = dot ? (size_t)(dot - pair->certificate) : strlen(pair->certificate);
    const char *other = arena_printf(arena, "%.*s.key", (int)stem, pair->certificate);
    const char *reason = arena_printf(arena, "the key %s does not match the certificate %s",
                                      pair->key, pair->certificate);
    return is_pair(pair->certificate, other)
               ? arena_printf(arena, "%s (write key: %s)", reason, name_of(other))
               : reason;
}
