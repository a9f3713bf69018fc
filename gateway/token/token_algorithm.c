#include "gateway/token/token_algorithm.h"

const TokenAlgorithm token_algorithms[TOKEN_ALGORITHMS] = {
    {"RS256", KEY_RSA, "SHA256", NULL, false, 0},
    {"RS384", KEY_RSA, "SHA384", NULL, false, 0},
    {"RS512", KEY_RSA, "SHA512", NULL, false, 0},
    {"PS256", KEY_RSA, "SHA256", NULL, true, 0},
    {"PS384", KEY_RSA, "SHA384", NULL, true, 0},
    {"PS512", KEY_RSA, "SHA512", NULL, true, 0},
    {"ES256", KEY_EC, "SHA256", "P-256", false, 32},
    {"ES384", KEY_EC, "SHA384", "P-384", false, 48},
    {"ES512", KEY_EC, "SHA512", "P-521", false, 66},
    {"EdDSA", KEY_OKP, NULL, NULL, false, 0},
    {"HS256", KEY_OCT, "SHA256", NULL, false, 0},
    {"HS384", KEY_OCT, "SHA384", NULL, false, 0},
    {"HS512", KEY_OCT, "SHA512", NULL, false, 0},
};

AlgorithmSet algorithms_of_public_keys(void)
{
    AlgorithmSet set = 0;
    for (int i = 0; i < TOKEN_ALGORITHMS; i++)
        if (token_algorithms[i].type != KEY_OCT)
            set |= 1u << i;
    return set;
}

int token_algorithm_by_name(Bytes name)
{
    for (int i = 0; i < TOKEN_ALGORITHMS; i++)
        if (bytes_equal(name, bytes_of(token_algorithms[i].name)))
            return i;
    return -1;
}
