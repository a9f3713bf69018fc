/* Which config a gateway runs: a hash over all texts that it was made from. */
#include "gateway/config/config_internal.h"

#include <openssl/evp.h>
#include <stdio.h>

enum { SHA256_SIZE = 32 };

void config_hash_begin(ConfigReader *reader)
{
    reader->hash = EVP_MD_CTX_new();
    CHECK(reader->hash && EVP_DigestInit_ex(reader->hash, EVP_sha256(), NULL));
}

/* Includes the size, so that the boundaries between texts count. */
void config_hash_add(ConfigReader *reader, Bytes text)
{
    uint64_t size = text.size;
    CHECK(EVP_DigestUpdate(reader->hash, &size, sizeof size) &&
          EVP_DigestUpdate(reader->hash, text.data, text.size));
}

void config_hash_end(ConfigReader *reader)
{
    uint8_t digest[SHA256_SIZE];
    CHECK(EVP_DigestFinal_ex(reader->hash, digest, NULL));
    EVP_MD_CTX_free(reader->hash);
    char *out = reader->config->hash;
    for (size_t i = 0; i < (CONFIG_HASH_SIZE - 1) / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
