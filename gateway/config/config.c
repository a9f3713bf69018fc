#include "gateway/config/config_internal.h"

#include "adapters/compile/plan_compile.h"
#include "base/arena.h"
#include "base/file/file.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONFIG_SIZE_MOST = 16 << 20 };

/* ---- Reporting mistakes ---------------------------------------------------------------------- */

const char *config_path(ConfigReader *reader, const char *format, ...)
{
    char path[512];
    va_list args;
    va_start(args, format);
    text_format(path, sizeof path, format, args);
    va_end(args);
    return arena_string(reader->arena, path);
}

static void PRINTF_LIKE(5, 0) tell(ConfigReader *reader, Problems *problems, const char *path,
                                   const char *hint, const char *format, va_list args)
{
    char reason[1024];
    text_format(reason, sizeof reason, format, args);
    document_tell(&reader->file.document, problems, path, hint, "%s", reason);
}

void config_tell(ConfigReader *reader, const char *path, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(reader, reader->problems, path, hint, format, args);
    va_end(args);
}

void config_doubt(ConfigReader *reader, const char *path, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(reader, &reader->config->doubts, path, hint, format, args);
    va_end(args);
}

const char *config_hint(ConfigReader *reader, const char *word, const char *const *words, size_t n)
{
    return document_hint(reader->arena, bytes_of(word), words, n);
}

/* ---- Single settings ------------------------------------------------------------------------- */

static const char *lower_case(Arena *arena, const char *text)
{
    char *copy = arena_array(arena, char, strlen(text) + 1);
    for (size_t i = 0; text[i]; i++)
        copy[i] = (char)tolower((unsigned char)text[i]);
    return copy;
}

bool config_is_word(const char *text, const char *also)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr(also, *c))
            return false;
    return *text;
}

const char *config_field_name(ConfigReader *reader, const char *name, const char *path)
{
    if (!config_is_word(name, "!#$%&'*+-.^_`|~")) /* a token, RFC 9110, 5.6.2 */
        config_tell(reader, path, NULL, "%s is not the name of a request field", name);
    return lower_case(reader->arena, name);
}

static const char *host_name(Arena *arena)
{
    char name[256];
    if (gethostname(name, sizeof name) != 0)
        return "passerelle";
    name[sizeof name - 1] = '\0';
    return arena_string(arena, name);
}

static void read_cors(ConfigReader *reader)
{
    const Passerelle__Config__Cors *text = reader->file.content->cors;
    if (!text)
        return;
    Cors *cors = &reader->config->cors;
    const char **origins = arena_array(reader->arena, const char *, text->n_origins);
    for (size_t i = 0; i < text->n_origins; i++) {
        const char *path = config_path(reader, "cors.origins[%zu]", i);
        const char *host = strstr(text->origins[i], "://");
        origins[i] = text->origins[i];
        if (strcmp(origins[i], "*") == 0 && text->credentials)
            config_tell(reader, path, "list the origins",
                        "credentials cannot be sent to every origin");
        else if (strcmp(origins[i], "*") != 0 && (!host || strchr(host + 3, '/')))
            config_tell(reader, path, "for example https://panel.example",
                        "%s is not an origin: scheme, host and, if any, port", origins[i]);
    }
    cors->origins = origins;
    cors->n_origins = (uint32_t)text->n_origins;
    cors->credentials = text->credentials;
    cors->max_age_seconds = (uint32_t)(text->max_age / 1000000000);
}

ErrorsTold config_errors(bool said, Passerelle__Config__Errors errors)
{
    if (!said)
        return ERRORS_UNSAID;
    return errors == PASSERELLE__CONFIG__ERRORS__ERRORS_FULL ? ERRORS_FULL : ERRORS_PUBLIC;
}

/* `{reason}` is replaced once; whatever else is in braces would be sent to clients as it is. */
static void check_places(ConfigReader *reader, const char *url)
{
    static const char place[] = "{reason}";
    const char *reason = strstr(url, place);
    for (const char *at = url; (at = strpbrk(at, "{}")) != NULL; at++) {
        if (at == reason) {
            at += strlen(place) - 1;
            continue;
        }
        config_tell(reader, "error_help", "https://docs.example.com/errors#{reason}",
                    "the only placeholder is {reason}, once: there is no %.*s",
                    *at == '{' ? (int)strcspn(at, "}") + 1 : 1, at);
        return;
    }
}

static void check_error_help(ConfigReader *reader, const char *url)
{
    check_places(reader, url);
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
        config_tell(reader, "error_help", "https://docs.example.com/errors#{reason}",
                    "%s is not a URL", url);
}

static void read_process(ConfigReader *reader)
{
    static const Passerelle__Config__Drain defaults = PASSERELLE__CONFIG__DRAIN__INIT;
    const Passerelle__Config__Config *text = reader->file.content;
    const Passerelle__Config__Drain *drain = text->drain ? text->drain : &defaults;
    Config *config = reader->config;
    config->n_loops = text->loops;
    config->n_work_threads = text->work_threads;
    config->drain_delay = drain->delay;
    config->drain_time = drain->time;
    config->node = text->node ? text->node : host_name(reader->arena);
    config->errors = config_errors(true, text->errors);
    config->error_help = text->error_help;
    if (text->error_help)
        check_error_help(reader, text->error_help);
    config->no_reflection = !text->reflection;
    config->untyped_json =
        text->untyped_bodies == PASSERELLE__CONFIG__UNTYPED_BODIES__UNTYPED_BODIES_JSON;
    config->log_file = text->log ? text->log->file : "-";
}

static void read_cache(ConfigReader *reader)
{
    static const Passerelle__Config__Cache defaults = PASSERELLE__CONFIG__CACHE__INIT;
    const Passerelle__Config__Cache *said = reader->file.content->cache;
    const Passerelle__Config__Cache *text = said ? said : &defaults;
    reader->config->cache = (CacheConfig){
        .memory = text->memory, .client_percent = text->client_percent, .joined = text->joined};
}

static bool is_usual_verb(Bytes verb)
{
    static const char *const usual[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (bytes_are(verb, usual[i]))
            return true;
    return false;
}

static void note_verbs(Cors *cors, const Method *method, Table *seen, Buffer *verbs)
{
    for (uint32_t i = 0; i < method->n_bindings; i++) {
        Bytes verb = bytes_of(method->bindings[i].rule->verb);
        if (bytes_are(verb, "*"))
            cors->any_verb = true;
        else if (!is_usual_verb(verb) && !table_put(seen, verb, cors))
            buffer_printf(verbs, ", %.*s", BYTES_ARGS(verb));
    }
}

/* Pages of other origins may use the HTTP methods of all bindings. */
static void read_cors_verbs(ConfigReader *reader)
{
    Config *config = reader->config;
    Table seen = table_in(reader->arena);
    Buffer verbs = buffer_in(reader->arena);
    config->cors.any_verb = config->n_http_routes > 0;
    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(&config->methods, &at));)
        for (const Method *m = entry->value; m; m = m->next_same_path)
            note_verbs(&config->cors, m, &seen, &verbs);
    config->cors.verbs = arena_text(reader->arena, buffer_bytes(&verbs));
}

/* ---- The hash over all texts that a config is made from ----------------------------------------
 */

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
    const uint8_t style[] = {route->emit_defaults, route->proto_names, route->enums_as_numbers};
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
    if (method->composed_as) /* it means what its legs do */
        hash_add(hash, bytes_of(config->hash));
    hash_end(hash, digest);
    memcpy(&contract, digest, sizeof contract);
    return contract;
}

/* A method may also be a leg, with a route of its own. */
static void hash_contract(const Config *config, const Method *method, const Route *route)
{
    if (route->stale_for)
        ((Method *)(uintptr_t)method)->contract = contract_of(config, method);
}

static void hash_leg_contracts(const Config *config, const Composed *composed)
{
    for (uint32_t i = 0; composed && i < composed->n_legs; i++)
        hash_contract(config, composed->legs[i].method, composed->legs[i].route);
}

static void hash_contracts(const Config *config)
{
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++) {
            Version *version = &config->services[i].versions[k];
            for (uint32_t m = 0; m < version->n_methods; m++) {
                hash_contract(config, &version->methods[m], version->methods[m].route);
                hash_leg_contracts(config, version->methods[m].composed);
            }
        }
}

/* ---- Loading --------------------------------------------------------------------------------- */

static int digit(uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, ascii_lower(c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool config_read_hex(Bytes text, uint8_t *out, size_t size)
{
    if (text.size != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = digit(text.data[2 * i]), low = digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static Result compile(ConfigReader *reader)
{
    service_read_methods(reader);
    config_check_ledger(reader);
    Result r = service_read_error_types(reader);
    if (!failed(r))
        r = service_read_changes(reader);
    if (failed(r))
        return r;
    config_assign_routes(reader);
    r = service_make_pairs(reader);
    if (!failed(r))
        r = service_read_parameters(reader);
    if (failed(r))
        return r;
    r = service_make_rest(reader);
    if (!failed(r))
        r = service_make_details(reader);
    if (!failed(r))
        r = service_make_fallbacks(reader);
    return failed(r) ? r : service_make_compositions(reader);
}

static Result read_config(ConfigReader *reader)
{
    config_read_limits(reader);
    config_read_dns(reader);
    config_read_store(reader);
    config_read_ledger(reader);
    read_cache(reader);
    read_process(reader);
    config_read_identity(reader);
    read_cors(reader);
    config_read_listeners(reader);
    config_check_identity(reader);
    config_read_services(reader);
    config_read_routes(reader);
    Result r = schema_load(reader->arena, own_set, "passerelle", &reader->config->own_schema);
    if (!failed(r))
        r = compile(reader);
    if (!failed(r))
        read_cors_verbs(reader);
    return r;
}

static void free_service_contexts(const Service *service)
{
    for (uint32_t i = 0; i < service->n_instances; i++)
        SSL_CTX_free(service->instances[i].tls);
    for (uint32_t i = 0; i < service->n_versions; i++)
        if (service->versions[i].reflected)
            SSL_CTX_free(service->versions[i].reflected->instance.tls);
}

static void free_contexts(Config *config)
{
    for (uint32_t i = 0; i < config->n_listeners; i++)
        SSL_CTX_free(config->listeners[i].tls);
    SSL_CTX_free(config->admin_tls);
    for (uint32_t i = 0; i < config->n_services; i++)
        free_service_contexts(&config->services[i]);
}

/* Frees everything outside of the config's arena. */
static void free_parts(Config *config)
{
    free_contexts(config);
    config_forget_lists(config);
    arena_free(config->programs);
}

Result config_load_text(Bytes text, const char *path, const SchemaAsk *ask, Arena *arena,
                        Problems *problems, Config **config_out)
{
    static atomic_ullong generation;
    *config_out = NULL;
    Config *config = arena_make(arena, Config);
    config->arena = arena;
    config->lists = arena_new(ARENA_UNLIMITED);
    config->programs = arena_new(ARENA_UNLIMITED);
    config->file = arena_string(arena, path);
    config->doubts = problems_in(arena);
    atomic_init(&config->references, 1);
    ConfigReader reader = {.arena = arena, .problems = problems, .config = config, .ask = ask};
    reader.schemas = reader.caches = reader.plans = reader.identities = reader.answers =
        table_in(arena);
    Arena *proof = arena_new(ARENA_UNLIMITED);
    reader.programs = plan_cache_new(config->programs, proof);
    config->methods = table_in(arena);
    config_hash_begin(&reader);
    config_hash_add(&reader, text, false);

    Result r = config_file_read(arena, text, config->file, problems, &config->doubts, &reader.file);
    if (!failed(r) && reader.file.content)
        r = read_config(&reader);
    config_hash_end(&reader);
    arena_free(proof);
    if (failed(r) || problems->n) {
        free_parts(config);
        return r;
    }
    config_share_descriptors(config);
    hash_contracts(config);
    config->generation = atomic_fetch_add(&generation, 1) + 1;
    *config_out = config;
    return OK;
}

Result config_load(const char *path, const SchemaAsk *ask, Arena *arena, Problems *problems,
                   Config **config_out)
{
    *config_out = NULL;
    Bytes text = BYTES_NONE;
    Result r = file_read(arena, path, CONFIG_SIZE_MOST, &text);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_BAD_CONFIG, "reading the config %s", path);
    return config_load_text(text, path, ask, arena, problems, config_out);
}

void config_forget_lists(Config *config)
{
    if (config->lists)
        arena_free(config->lists);
    config->lists = NULL;
}

Config *config_ref(Config *config)
{
    atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

void config_unref(Config *config)
{
    /* acq_rel: the thread that frees the config sees all changes of the others. */
    if (atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) != 1)
        return;
    if (config->let_go)
        config->let_go(config);
    free_parts(config);
    arena_free(config->arena);
}
