/* The hashes over all texts that a config is made from. */
#include "gateway/config/config_reader.h"

#include <openssl/evp.h>
#include <stdio.h>

enum { SHA256_SIZE = 32 };

static struct evp_md_ctx_st *hash_new(void)
{
    struct evp_md_ctx_st *hash = EVP_MD_CTX_new();
    CHECK(hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL));
    return hash;
}

/* With its size: two texts are not the same as one that was cut elsewhere. */
static void hash_add(struct evp_md_ctx_st *hash, Bytes text)
{
    uint64_t size = text.size;
    CHECK(EVP_DigestUpdate(hash, &size, sizeof size) &&
          EVP_DigestUpdate(hash, text.data, text.size));
}

static void hash_end(struct evp_md_ctx_st *hash, uint8_t digest[SHA256_SIZE])
{
    CHECK(EVP_DigestFinal_ex(hash, digest, NULL));
    EVP_MD_CTX_free(hash);
}

void config_hash_begin(ConfigReader *reader)
{
    reader->hash = hash_new();
    reader->contracts = hash_new();
}

void config_hash_add(ConfigReader *reader, Bytes text, bool contract)
{
    hash_add(reader->hash, text);
    if (contract)
        hash_add(reader->contracts, text);
}

void config_hash_end(ConfigReader *reader)
{
    uint8_t digest[SHA256_SIZE];
    hash_end(reader->hash, digest);
    char *out = reader->config->hash;
    for (size_t i = 0; i < (CONFIG_HASH_SIZE - 1) / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    hash_end(reader->contracts, digest);
    memcpy(&reader->config->contracts, digest, sizeof reader->config->contracts);
}

/* The same names of versions in the same order, so that an index means the same one; and the same
   style of JSON. */
static uint64_t contract_of(const Config *config, const Method *method)
{
    const Service *service = method->version->service;
    const Route *route = method->route;
    const uint8_t unset = (uint8_t)(route->emit_defaults | route->emit_nulls << 1);
    const uint8_t style[] = {unset, route->proto_names, route->enums_as_numbers};
    uint8_t digest[SHA256_SIZE];
    uint64_t contract;
    struct evp_md_ctx_st *hash = hash_new();
    hash_add(hash, bytes(&config->contracts, sizeof config->contracts));
    hash_add(hash, bytes_of(service->name));
    for (uint32_t i = 0; i < service->n_versions; i++)
        hash_add(hash, bytes_of(service->versions[i].name));
    hash_add(hash, bytes_of(method->version->name));
    hash_add(hash, bytes_of(method->type->path));
    hash_add(hash, bytes(style, sizeof style));
    hash_add(hash, method->route->parameters);
    hash_add(hash, method->route->shown ? method->route->shown->text : BYTES_NONE);
    if (method->extras->made_as) /* it means what its legs do */
        hash_add(hash, bytes_of(config->hash));
    hash_end(hash, digest);
    memcpy(&contract, digest, sizeof contract);
    return contract;
}

/* A method may also be a leg, with a route of its own. */
static void hash_contract(const Config *config, const Method *method, const Route *route)
{
    if (route->stale_for)
        method_extras(config->arena, (Method *)(uintptr_t)method)->contract =
            contract_of(config, method);
}

static void hash_leg_contracts(const Config *config, const Composed *composed)
{
    for (uint32_t i = 0; composed && i < composed->n_legs; i++)
        hash_contract(config, composed->legs[i].method, composed->legs[i].route);
}

void config_hash_contracts(const Config *config)
{
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++) {
            Version *version = &config->services[i].versions[k];
            for (uint32_t m = 0; m < version->n_methods; m++) {
                hash_contract(config, &version->methods[m], version->methods[m].route);
                hash_leg_contracts(config, version->methods[m].extras->composed);
            }
        }
}
