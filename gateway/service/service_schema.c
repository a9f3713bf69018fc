/* Schemas of versions: from a file, or from an instance by reflection. */
#include "gateway/service/service_internal.h"

#include <sys/stat.h>

#include "base/arena.h"
#include "base/file/file.h"
#include "gateway/config/schema_ask.h"

/* A schema file that was read already; `schema` NULL: with a failure, which was reported. */
typedef struct LoadedSchema {
    const Schema *schema;
} LoadedSchema;

/* Reports the outermost and the innermost error of the chain. */
static void tell_failure(ConfigReader *reader, Result r, const char *path, const char *hint)
{
    const Error *origin = error_origin(r);
    bool more = origin != r.error;
    config_tell(reader, path, hint, "%s%s%s", r.error->doing, more ? ": " : "",
                more ? origin->doing : "");
}

/* Loads a descriptor set, and adds it to the hash of the config. */
static Result load_set(ConfigReader *reader, const char *file, const Schema **schema_out)
{
    Bytes set = BYTES_NONE;
    Arena *scratch = arena_new(ARENA_UNLIMITED);
    Result r = file_read(scratch, file, SIZE_MAX, &set);
    if (failed(r)) {
        r = error_copy(reader->arena, r);
    } else {
        config_hash_add(reader, set, true);
        set = schema_set_copy(reader->arena, set);
    }
    arena_free(scratch);
    return failed(r) ? r : schema_load(reader->arena, set, file, schema_out);
}

static bool ends_with(const char *text, const char *end)
{
    return bytes_end_with(bytes_of(text), end);
}

static bool is_folder(const char *file)
{
    struct stat found;
    return stat(file, &found) == 0 && S_ISDIR(found.st_mode);
}

static const char *set_hint(ConfigReader *reader, Result r, const char *file, const char *path)
{
    if (error_origin(r)->fault == &FAULT_NO_FILE)
        return config_file_hint(reader->arena, document_file(&reader->file.document, path), file);
    if (is_folder(file))
        return config_path(reader, "passerelle init %s writes a first config and a descriptor set",
                           file);
    if (ends_with(file, ".proto")) {
        int stem = (int)(strlen(file) - strlen(".proto"));
        return config_path(reader,
                           "a source; protoc --include_imports --descriptor_set_out=%.*s.binpb %s "
                           "makes a descriptor set of it",
                           stem, file, file);
    }
    return strstr(r.error->doing, "not a well-formed") ||
                   strstr(error_origin(r)->doing, "not a well-formed")
               ? "FILE, which protoc --include_imports --descriptor_set_out=FILE makes of sources"
               : NULL;
}

/* Each file is read once, and its mistakes are reported once; `alone`: it is read for one version,
   which changes it. */
static const Schema *load_file(ConfigReader *reader, const char *file, bool alone, const char *path)
{
    LoadedSchema *loaded = alone ? NULL : table_get(&reader->schemas, bytes_of(file));
    if (loaded)
        return loaded->schema;
    loaded = arena_make(reader->arena, LoadedSchema);
    if (!alone)
        table_put(&reader->schemas, bytes_of(file), loaded);
    Result r = load_set(reader, file, &loaded->schema);
    if (failed(r)) {
        loaded->schema = NULL;
        tell_failure(reader, r, path, set_hint(reader, r, file, path));
    }
    return loaded->schema;
}

/* ---- By reflection --------------------------------------------------------------------------- */

static void check_cache(ConfigReader *reader, const Version *version, const char *path)
{
    const char *cache = version->reflected->cache;
    if (cache && table_put(&reader->caches, bytes_of(cache), version->reflected))
        config_tell(reader, config_path(reader, "%s.cache", path), NULL,
                    "%s is already the cache of another version", cache);
}

/* The cached schema of an instance that cannot be reached now. */
static void use_cache(ConfigReader *reader, Version *version, Result why, const char *path)
{
    ReflectedSchema *reflected = version->reflected;
    Result r = load_set(reader, reflected->cache, &version->schema);
    if (!failed(r)) {
        reflected->stale = why;
        return;
    }
    version->schema = NULL;
    tell_failure(reader, why, path, NULL);
    tell_failure(reader, r, config_path(reader, "%s.cache", path),
                 "the gateway creates it when it has a schema");
}

static void ask(ConfigReader *reader, Version *version, const Passerelle__Config__Reflection *text,
                const char *path)
{
    ReflectedSchema *reflected = version->reflected;
    SchemaQuery query = {
        .instance = &reflected->instance,
        .package = version->package,
        .mixins = version->service->mixins,
        .n_mixins = version->service->n_mixins,
        .version_header = "api-version",
        .version = version->name,
        .timeout = text->timeout,
        .most = text->bytes,
    };
    Result r = reader->ask->ask(reader->ask->owner, reader->config, &query, reader->arena,
                                &reflected->set, &version->schema);
    if (!failed(r)) {
        config_hash_add(reader, reflected->set, true);
        return;
    }
    version->schema = NULL;
    bool unreachable = r.error->fault->retryable;
    if (unreachable && reflected->cache)
        use_cache(reader, version, r, path);
    else
        tell_failure(reader, r, path,
                     unreachable ? "with the key cache the gateway can start without it" : NULL);
}

static void read_reflection(ConfigReader *reader, Version *version,
                            const Passerelle__Config__Reflection *text, const char *path)
{
    version->reflected = arena_make(reader->arena, ReflectedSchema);
    version->reflected->cache = text->cache;
    check_cache(reader, version, path);
    PeerText peer = {text->address, text->authority, text->tls};
    bool good = config_read_peer(reader, &peer, path, &version->reflected->instance);
    if (!reader->ask)
        config_tell(reader, path, "name a file", "schemas by reflection are not available here");
    else if (good && *version->package)
        ask(reader, version, text, path);
}

void config_read_schema(ConfigReader *reader, Version *version,
                        const Passerelle__Config__Schema *text, bool alone, const char *path)
{
    switch (text->from_case) {
    case PASSERELLE__CONFIG__SCHEMA__FROM_FILE:
        version->schema = load_file(reader, text->file, alone, path);
        break;
    case PASSERELLE__CONFIG__SCHEMA__FROM_REFLECTION:
        read_reflection(reader, version, text->reflection,
                        config_path(reader, "%s.reflection", path));
        break;
    case PASSERELLE__CONFIG__SCHEMA__FROM__NOT_SET:
    case _PASSERELLE__CONFIG__SCHEMA__FROM__CASE_IS_INT_SIZE:
        config_tell(reader, path, "file or reflection", "the schema has no source");
    }
}
