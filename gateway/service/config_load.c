#include "gateway/service/config_load.h"

#include "adapters/compile/plan_compile.h"
#include "base/arena.h"
#include "base/file/file.h"
#include "gateway/config/config_tree.h"
#include "gateway/service/service_internal.h"

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

/* ---- Loading --------------------------------------------------------------------------------- */

static Result compile(ConfigReader *reader)
{
    service_read_methods(reader);
    config_check_ledger(reader);
    service_note_jobs(reader);
    Result r = service_read_error_types(reader);
    if (!failed(r))
        r = service_read_changes(reader);
    if (failed(r))
        return r;
    config_assign_routes(reader);
    config_assign_rate_limits(reader);
    config_make_shown(reader);
    r = service_make_pairs(reader);
    if (!failed(r))
        r = service_read_parameters(reader);
    if (!failed(r))
        r = service_make_keys(reader);
    if (!failed(r))
        r = service_make_costs(reader);
    if (!failed(r))
        r = service_make_allow_paths(reader);
    if (!failed(r))
        r = service_make_log_fields(reader);
    if (!failed(r))
        r = service_make_cohort_keys(reader);
    if (!failed(r))
        r = service_make_idempotency(reader);
    if (failed(r))
        return r;
    r = service_make_rest(reader);
    if (failed(r))
        return r;
    conventions_choose_masks(reader);
    service_note_demands(reader);
    r = service_make_details(reader);
    if (!failed(r))
        r = service_make_fallbacks(reader);
    if (!failed(r))
        r = service_make_compositions(reader);
    if (!failed(r))
        r = service_make_jobs(reader);
    if (failed(r))
        return r;
    service_choose_made(reader);
    config_check_webhooks(reader);
    config_check_job_webhooks(reader);
    return service_make_shadows(reader);
}

static Result read_config(ConfigReader *reader)
{
    config_read_limits(reader);
    config_read_dns(reader);
    config_read_store(reader);
    config_read_ledger(reader);
    config_read_job_webhooks(reader);
    config_read_usage(reader);
    config_read_otlp(reader);
    config_read_baggage(reader);
    config_read_signals(reader);
    config_read_feedback(reader);
    config_read_cache(reader);
    config_read_healing(reader);
    config_read_all_objectives(reader);
    config_read_overload(reader);
    config_read_process(reader);
    config_read_log(reader);
    config_read_identity(reader);
    config_read_access(reader);
    config_read_cors(reader);
    config_read_catalog(reader);
    config_read_listeners(reader);
    config_check_identity(reader);
    config_read_services(reader);
    config_read_routes(reader);
    config_read_rollouts(reader);
    config_read_rate_limits(reader);
    config_read_failures(reader);
    Result r = schema_load(reader->arena, own_set, "passerelle", &reader->config->own_schema);
    if (!failed(r))
        r = compile(reader);
    if (!failed(r))
        read_cors_verbs(reader);
    return r;
}

static void add_source(void *owner, const char *path)
{
    Config *config = owner;
    ConfigSource *source = arena_array(config->arena, ConfigSource, 1);
    *source = (ConfigSource){arena_string(config->arena, path), config->sources};
    config->sources = source;
}

/* Whatever the config is made of counts in its hash, also what is not in its texts. */
static void note_texts(ConfigReader *reader)
{
    reader->config->texts = reader->file.texts;
    for (const ConfigText *one = reader->file.texts; one; one = one->next)
        config_hash_add(reader, one->text, false);
    if (reader->file.used.size)
        config_hash_add(reader, reader->file.used, false);
    for (const SecretFile *one = reader->file.secrets; one; one = one->next)
        config_secret_file(reader, one->path, one->file);
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
    config->doubts = config->deprecated = config->hidden = problems_in(arena);
    atomic_init(&config->references, 1);
    Arena *working = arena_new(ARENA_UNLIMITED);
    ConfigReader reader = {
        .arena = arena, .working = working, .problems = problems, .config = config, .ask = ask};
    reader.schemas = reader.caches = reader.plans = reader.identities = reader.answers =
        reader.shown = table_in(working);
    reader.programs = plan_cache_new(config->programs, working);
    config->methods = table_in(arena);
    config_hash_begin(&reader);
    add_source(config, config->file);
    file_note_tell(add_source, config);
    Result r = config_file_read(arena, working, text, config->file, problems, &config->doubts,
                                &config->deprecated, &reader.file);
    note_texts(&reader);
    if (!failed(r) && reader.file.content)
        r = read_config(&reader);
    file_note_tell(NULL, NULL);
    problems_forget_following(problems, reader.file.n_told);
    config_hash_end(&reader);
    r = failed(r) ? error_copy(arena, r) : OK;
    arena_free(working);
    if (failed(r) || problems->n) {
        config_free_parts(config);
        return r;
    }
    config_share_descriptors(config);
    config_hash_contracts(config);
    config->generation = atomic_fetch_add(&generation, 1) + 1;
    *config_out = config;
    return OK;
}

Result config_load(const char *path, const SchemaAsk *ask, Arena *arena, Problems *problems,
                   Config **config_out)
{
    *config_out = NULL;
    Bytes text = BYTES_NONE;
    const char *from = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    Result r = file_read(arena, from, CONFIG_SIZE_MOST, &text);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_BAD_CONFIG, "reading the config %s", path);
    return config_load_text(text, path, ask, arena, problems, config_out);
}
