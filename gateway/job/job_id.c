#include "gateway/job/job_id.h"

#include "base/clock.h"
#include "base/result.h"

#include <openssl/evp.h>

enum {
    TIME_CHARACTERS = 10, /* 50 bits, of which the first two are 0 */
    GROUP = 5,            /* bytes that are 8 characters */
};

/* Crockford's: without i, l, o and u. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void put(uint64_t number, int n, char *out)
{
    for (int i = n; i-- > 0; number >>= 5)
        out[i] = digits[number & 31];
}

void job_id_make(int64_t wall, const uint8_t chance[JOB_ID_CHANCE], char id_out[JOB_ID_SIZE + 1])
{
    uint64_t milliseconds = wall < 0 ? 0 : (uint64_t)(wall / MILLISECOND);
    put(milliseconds & ((UINT64_C(1) << 48) - 1), TIME_CHARACTERS, id_out);
    for (int at = 0; at < JOB_ID_CHANCE; at += GROUP) {
        uint64_t bits = 0;
        for (int i = 0; i < GROUP; i++)
            bits = bits << 8 | chance[at + i];
        put(bits, 8, id_out + TIME_CHARACTERS + at / GROUP * 8);
    }
    id_out[JOB_ID_SIZE] = 0;
}

void job_id_new(Random *random, int64_t wall, char id_out[JOB_ID_SIZE + 1])
{
    uint8_t chance[JOB_ID_CHANCE];
    for (size_t i = 0; i < sizeof chance; i++)
        chance[i] = (uint8_t)(random_next(random) >> 32);
    job_id_make(wall, chance, id_out);
}

void job_id_of_time(Bytes definition, int64_t wall, char id_out[JOB_ID_SIZE + 1])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
          EVP_DigestUpdate(context, &wall, sizeof wall) == 1 &&
          EVP_DigestUpdate(context, definition.data, definition.size) == 1 &&
          EVP_DigestFinal_ex(context, hash, NULL) == 1);
    EVP_MD_CTX_free(context);
    job_id_make(wall, hash, id_out);
}

bool job_id_is_valid(Bytes id)
{
    if (id.size != JOB_ID_SIZE || id.data[0] > '7')
        return false;
    for (size_t i = 0; i < id.size; i++)
        if (!id.data[i] || !strchr(digits, id.data[i]))
            return false;
    return true;
}
