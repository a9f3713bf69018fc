#include "gateway/builtin/reflection.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "gateway/builtin/reflection_fields.h"
#include "gateway/version/negotiate.h"
#include "gateway/version/other_version.h"

/* The version in a request may exist in one service only; other services are then shown in their
   default version. The request is refused if no service has the version. */
typedef struct Refusals {
    const Fault *first; /* NULL: none */
    Buffer text;        /* of all */
    bool known;         /* a service has the requested version */
} Refusals;

static void see_version(const VersionQuestion *question, Arena *arena, ReflectedService *seen,
                        Refusals *refusals)
{
    Negotiation said;
    Result r = negotiate(question, arena, &said);
    if (failed(r)) {
        if (said.rule == RULE_COUNT) /* no version in the request, and no default */
            return;
        buffer_printf(&refusals->text, "%s%s", refusals->first ? "; " : "", r.error->doing);
        if (!refusals->first)
            refusals->first = r.error->fault;
    } else if (said.rule != RULE_DEFAULT) {
        *seen = (ReflectedService){said.client, true};
        refusals->known |= said.rule != RULE_PIN;
    }
}

Result reflection_view(const Config *config, const Fields *head, const Identity *identity,
                       int64_t wall, Arena *arena, ReflectionView *view_out)
{
    ReflectedService *services = arena_array(arena, ReflectedService, config->n_services);
    if (!services)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "choosing what to show");
    Refusals refusals = {.text = buffer_in(arena)};
    const Onlooker onlooker = {config, identity};
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        VersionQuestion question = {
            .service = service, .head = head, .identity = identity->name, .wall = wall};
        services[i] = (ReflectedService){service->default_version, false};
        if (service->n_versions && reflection_shows_versions(&onlooker, service))
            see_version(&question, arena, &services[i], &refusals);
    }
    *view_out = (ReflectionView){onlooker, config, services, wall};
    return refusals.first && !refusals.known
               ? FAIL_TELL(arena, *refusals.first, "%.*s", BYTES_ARGS(buffer_bytes(&refusals.text)))
               : OK;
}

/* ---- Which schemas may be seen --------------------------------------------------------------- */

/* Whether the client may see this file of a version's schema. Files in packages of no version are
   imports. */
static bool shows(const ReflectedService *seen, const Version *version, const SchemaFile *file)
{
    const Service *service = version->service;
    const Version *owner = NULL;
    uint32_t n_owners = 0;
    for (uint32_t i = 0; i < service->n_versions; i++) {
        if (strcmp(service->versions[i].package, file->package) == 0) {
            owner = &service->versions[i];
            n_owners++;
        }
    }
    if (n_owners == 1 && version != owner)
        return false;
    return version == seen->version || (n_owners < 2 && !seen->said);
}

typedef const SchemaFile *FindFile(const Schema *schema, const void *argument);

static const SchemaFile *find_in_version(const ReflectedService *seen, const Version *version,
                                         FindFile *find, const void *argument,
                                         const Schema **schema_out)
{
    const SchemaFile *file = find(version->schema, argument);
    if (!file || !shows(seen, version, file))
        return NULL;
    *schema_out = version->schema;
    return file;
}

/* First in the client's version: others may have a different file of the same name. */
static const SchemaFile *find_in_service(const ReflectedService *seen, FindFile *find,
                                         const void *argument, const Schema **schema_out)
{
    const Service *service = seen->version->service;
    const SchemaFile *file = find_in_version(seen, seen->version, find, argument, schema_out);
    for (uint32_t i = 0; !file && i < service->n_versions; i++)
        file = find_in_version(seen, &service->versions[i], find, argument, schema_out);
    return file;
}

static const SchemaFile *find_file(const ReflectionView *view, FindFile *find, const void *argument,
                                   const Schema **schema_out)
{
    const SchemaFile *file = NULL;
    for (uint32_t i = 0; !file && i < view->config->n_services; i++) {
        if (view->services[i].version)
            file = find_in_service(&view->services[i], find, argument, schema_out);
    }
    if (file && reflection_shows_file(&view->onlooker, file))
        return file;
    *schema_out = view->config->own_schema;
    return find(*schema_out, argument);
}

static const SchemaFile *by_name(const Schema *schema, const void *name)
{
    return schema_file(schema, *(const Bytes *)name);
}

static const SchemaFile *by_symbol(const Schema *schema, const void *symbol)
{
    return schema_file_with(schema, *(const Bytes *)symbol);
}

static const SchemaFile *by_message(const Schema *schema, const void *name)
{
    return schema_message(schema, *(const Bytes *)name) ? by_symbol(schema, name) : NULL;
}

typedef struct ExtensionQuestion {
    Bytes type; /* full name */
    uint64_t number;
} ExtensionQuestion;

static const SchemaFile *by_extension(const Schema *schema, const void *argument)
{
    const ExtensionQuestion *question = argument;
    const MessageType *type = schema_message(schema, question->type);
    if (!type || question->number > WIRE_MAX_NUMBER)
        return NULL;
    const FieldType *field = message_field_by_number(type, (uint32_t)question->number);
    return field && field->extension ? schema_file_with(schema, bytes_of(field->name)) : NULL;
}

/* ---- Responses ------------------------------------------------------------------------------- */

static void say_error(Buffer *out, Arena *arena, Code code, const char *what, Bytes name)
{
    Buffer error = buffer_in(arena);
    Bytes shown = bytes_cut_text(name, 200);
    wire_add_number(&error, 1, code);
    wire_add_bytes(&error, 2,
                   bytes_of(arena_printf(arena, "%s \"%.*s\"", what, BYTES_ARGS(shown))));
    wire_add_bytes(out, SAY_ERROR, buffer_bytes(&error));
}

/* A file and all its dependencies, each once, the file first. */
static void say_files(Buffer *out, Arena *arena, const ReflectionView *view, const Schema *schema,
                      const SchemaFile *file)
{
    Buffer files = buffer_in(arena);
    Table said = table_in(arena);
    const SchemaFile **queue = arena_array(arena, const SchemaFile *, schema->n_files + 1);
    size_t n = 0;
    queue[n++] = file;
    table_put(&said, bytes_of(file->name), (void *)(uintptr_t)file);
    for (size_t i = 0; i < n; i++) {
        wire_add_bytes(&files, 1, reflection_descriptor(&view->onlooker, queue[i], arena));
        for (uint32_t d = 0; d < queue[i]->n_dependencies; d++) {
            const SchemaFile *needed = queue[i]->dependencies[d];
            if (!table_put(&said, bytes_of(needed->name), (void *)(uintptr_t)needed))
                queue[n++] = needed;
        }
    }
    wire_add_bytes(out, SAY_FILES, buffer_bytes(&files));
}

/* Each name once: several services of the config may have it. */
static void say_service(Buffer *services, Table *said, const ServiceType *service)
{
    Bytes name = bytes_of(service->full_name);
    if (table_put(said, name, (void *)(uintptr_t)service))
        return;
    Buffer one = buffer_in(said->arena);
    wire_add_bytes(&one, 1, name);
    wire_add_bytes(services, 1, buffer_bytes(&one));
}

static void say_services(Buffer *out, Arena *arena, const ReflectionView *view)
{
    Buffer services = buffer_in(arena);
    Table said = table_in(arena);
    for (uint32_t i = 0; i < view->config->n_services; i++) {
        const Version *version = view->services[i].version;
        for (uint32_t k = 0; version && k < version->schema->n_services; k++) {
            const ServiceType *type = &version->schema->services[k];
            if (version_serves(version, type) &&
                reflection_shows_service(&view->onlooker, type->full_name))
                say_service(&services, &said, type);
        }
    }
    const Schema *own = view->config->own_schema;
    for (uint32_t i = 0; i < own->n_services; i++) {
        const ServiceType *service = &own->services[i];
        bool is_of_jobs = !bytes_start_with(bytes_of(service->full_name), "grpc.");
        if (!is_of_jobs || view->config->n_jobs)
            say_service(&services, &said, service);
    }
    wire_add_bytes(out, SAY_SERVICES, buffer_bytes(&services));
}

static void say_extension_numbers(Buffer *out, Arena *arena, const ReflectionView *view, Bytes name)
{
    const Schema *schema = NULL;
    if (!find_file(view, by_message, &name, &schema)) {
        say_error(out, arena, CODE_NOT_FOUND, "no such message", name);
        return;
    }
    const MessageType *type = schema_message(schema, name);
    Buffer numbers = buffer_in(arena);
    wire_add_bytes(&numbers, 1, name);
    for (uint32_t i = 0; i < type->n_fields; i++) {
        if (type->fields[i].extension)
            wire_add_number(&numbers, 2, type->fields[i].number);
    }
    wire_add_bytes(out, SAY_EXTENSION_NUMBERS, buffer_bytes(&numbers));
}

static ExtensionQuestion read_extension(Bytes request)
{
    ExtensionQuestion question = {0};
    WireReader reader = wire_reader(request);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH)
            question.type = f.bytes;
        if (f.number == 2 && f.type == WIRE_VARINT)
            question.number = f.value;
    }
    return question;
}

/* What is said of a name that is unknown. Where only its version is, also which versions there are,
   if the client may know of them. */
static const char *other_versions(const ReflectionView *view, Bytes symbol, Arena *arena)
{
    for (uint32_t i = 0; i < view->config->n_services; i++) {
        const Service *service = &view->config->services[i];
        for (uint32_t k = service->n_versions; k-- > 0;) {
            const Version *version = &service->versions[k];
            Bytes said, same;
            if (reflection_shows_versions(&view->onlooker, service) &&
                version_in_name(version, symbol, arena, &said, &same) &&
                schema_file_with(version->schema, same) &&
                reflection_shows_symbol(&view->onlooker, same))
                return arena_printf(arena, "%s has no version %.*s, there are %s; not found:",
                                    service->name, BYTES_ARGS(bytes_cut_text(said, 100)),
                                    versions_served(service, view->wall, NULL, arena));
        }
    }
    return "not found:";
}

static void say_file_with(Buffer *out, Arena *arena, const ReflectionView *view, FindFile *find,
                          const void *argument, Bytes name)
{
    const Schema *schema = NULL;
    const SchemaFile *file = find_file(view, find, argument, &schema);
    if (file)
        say_files(out, arena, view, schema, file);
    else
        say_error(out, arena, CODE_NOT_FOUND,
                  find == by_symbol ? other_versions(view, name, arena) : "not found:", name);
}

static void say(const ReflectionView *view, const WireField *ask, Arena *arena, Buffer *out)
{
    ExtensionQuestion extension;
    switch (ask->number) {
    case ASK_SERVICES: say_services(out, arena, view); break;
    case ASK_EXTENSION_NUMBERS: say_extension_numbers(out, arena, view, ask->bytes); break;
    case ASK_FILE: say_file_with(out, arena, view, by_name, &ask->bytes, ask->bytes); break;
    case ASK_SYMBOL:
        if (reflection_shows_symbol(&view->onlooker, ask->bytes))
            say_file_with(out, arena, view, by_symbol, &ask->bytes, ask->bytes);
        else
            say_error(out, arena, CODE_NOT_FOUND, "not found:", ask->bytes);
        break;
    case ASK_EXTENSION:
        extension = read_extension(ask->bytes);
        say_file_with(out, arena, view, by_extension, &extension, extension.type);
        break;
    default: say_error(out, arena, CODE_INVALID_ARGUMENT, "the request is empty", BYTES_NONE);
    }
}

Result reflection_answer(const ReflectionView *view, Bytes request, Arena *arena, Buffer *out)
{
    WireField ask = {0};
    Bytes host = BYTES_NONE;
    WireReader reader = wire_reader(request);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.type != WIRE_LENGTH)
            continue;
        if (f.number == ASK_HOST)
            host = f.bytes;
        else
            ask = f;
    }
    if (reader.bad)
        return FAIL_TELL(arena, FAULT_BAD_MESSAGE,
                         "the ServerReflectionRequest is truncated or malformed");
    if (host.size)
        wire_add_bytes(out, SAY_HOST, host);
    wire_add_bytes(out, SAY_REQUEST, request);
    Arena *scratch =
        arena_new(ARENA_UNLIMITED); /* limited by the config's schemas, not by the client */
    say(view, &ask, scratch, out);
    arena_free(scratch);
    return out->full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "writing descriptors") : OK;
}
