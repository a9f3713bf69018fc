#include "gateway/reflect/gathering.h"

#include "adapters/schema/package.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "base/call.h"
#include "gateway/builtin/reflection_fields.h"

enum {
    ASKS_MOST = 100000, /* requests for one schema */
    SHOWN_MOST = 200,   /* bytes of each text of a peer in an error */
    NAMED_MOST = 20,    /* services in an error */
};

#define SHOWN(text) BYTES_ARGS(bytes_cut_text((text), SHOWN_MOST))

static Result add_ask(Gathering *g, uint32_t field, Bytes name, Bytes importer)
{
    if (g->n_asks == ASKS_MOST)
        return FAIL(g->arena, FAULT_UPSTREAM_TOO_LARGE,
                    "more than %d services and files in its reflection", ASKS_MOST);
    if (g->n_asks == g->capacity) {
        size_t capacity = g->capacity ? g->capacity * 2 : 16;
        g->asks = arena_grow(g->arena, g->asks, g->capacity * sizeof *g->asks,
                             capacity * sizeof *g->asks);
        g->capacity = capacity;
    }
    g->asks[g->n_asks++] = (GatheringAsk){field, name, importer};
    return OK;
}

void gathering_begin(Gathering *g, Arena *arena, const char *package, size_t limit)
{
    *g = (Gathering){.arena = arena, .package = package, .limit = limit, .set = buffer_in(arena)};
    g->files = g->asked = table_in(arena);
    Result r = add_ask(g, ASK_SERVICES, bytes_of("*"), BYTES_NONE);
    CHECK(!failed(r));
}

/* A file that was returned with another one needs no request. */
static bool is_there(const Gathering *g, const GatheringAsk *ask)
{
    return ask->field == ASK_FILE && table_get(&g->files, ask->name);
}

bool gathering_ask(Gathering *g, Buffer *request)
{
    while (g->n_asked < g->n_asks && is_there(g, &g->asks[g->n_asked]))
        g->n_asked++;
    if (g->n_asked == g->n_asks)
        return false;
    const GatheringAsk *ask = &g->asks[g->n_asked++];
    wire_add_bytes(request, ask->field, ask->name);
    g->awaits = true;
    return true;
}

/* ---- Services -------------------------------------------------------------------------------- */

static bool is_in_package(Bytes service, const char *package)
{
    if (!package)
        return !package_is_common(service);
    size_t size = strlen(package);
    return service.size > size + 1 && bytes_start_with(service, package) &&
           service.data[size] == '.' &&
           !memchr(service.data + size + 1, '.', service.size - size - 1);
}

/* Without a package: operations, locations and the like, which come with the services. */
static bool is_mixin(const Gathering *g, Bytes service)
{
    if (!g->package)
        return bytes_start_with(service, "google.");
    for (size_t i = 0; i < g->n_mixins; i++)
        if (bytes_are(service, g->mixins[i]))
            return true;
    return false;
}

static Result no_service(Gathering *g, Bytes list)
{
    Buffer names = buffer_in(g->arena);
    WireReader reader = wire_reader(list);
    size_t n = 0;
    for (WireField f; wire_next(&reader, &f); n++) {
        if (n < NAMED_MOST)
            buffer_printf(&names, "%s%.*s", n ? ", " : "", SHOWN(wire_find_bytes(f.bytes, 1)));
    }
    return FAIL(g->arena, FAULT_BAD_SCHEMA, "it has no RPC service%s%s; its services: %s%s",
                g->package ? " in the package " : " of its own", g->package ? g->package : "",
                n ? arena_text(g->arena, buffer_bytes(&names)) : "none",
                n > NAMED_MOST ? ", ..." : "");
}

static Result take_services(Gathering *g, Bytes list)
{
    size_t in_package = 0;
    Result r = OK;
    WireReader reader = wire_reader(list);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        Bytes name =
            f.number == 1 && f.type == WIRE_LENGTH ? wire_find_bytes(f.bytes, 1) : BYTES_NONE;
        in_package += is_in_package(name, g->package);
        if (is_in_package(name, g->package) || is_mixin(g, name))
            r = add_ask(g, ASK_SYMBOL, name, BYTES_NONE);
    }
    return failed(r) || in_package ? r : no_service(g, list);
}

bool gathering_service(const Gathering *g, size_t *at, Bytes *name_out)
{
    while (*at < g->n_asks) {
        const GatheringAsk *ask = &g->asks[(*at)++];
        *name_out = ask->name;
        if (ask->field == ASK_SYMBOL)
            return true;
    }
    return false;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static Result ask_for_imports(Gathering *g, Bytes file, Bytes name)
{
    Result r = OK;
    WireReader reader = wire_reader(file);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        if (f.number == 3 && f.type == WIRE_LENGTH && !table_put(&g->asked, f.bytes, g))
            r = add_ask(g, ASK_FILE, f.bytes, name);
    }
    return r;
}

static Result take_file(Gathering *g, Bytes file)
{
    Bytes name = wire_find_bytes(file, 1);
    WireReader reader = wire_reader(file);
    for (WireField f; wire_next(&reader, &f);)
        continue;
    if (reader.bad || !name.size)
        return FAIL(g->arena, FAULT_UPSTREAM_MESSAGE,
                    "a file descriptor from its reflection is truncated or malformed");

    const Bytes *before = table_get(&g->files, name);
    if (before && bytes_equal(*before, file))
        return OK;
    if (before)
        return FAIL(g->arena, FAULT_UPSTREAM_MESSAGE, "it returned two different files named %.*s",
                    SHOWN(name));
    Bytes *kept = arena_make(g->arena, Bytes);
    *kept = file;
    table_put(&g->files, name, kept);
    wire_add_bytes(&g->set, 1, file);
    return ask_for_imports(g, file, name);
}

static Result take_files(Gathering *g, const GatheringAsk *ask, Bytes files)
{
    Result r = OK;
    WireReader reader = wire_reader(files);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH)
            r = take_file(g, f.bytes);
    }
    if (!failed(r) && ask->field == ASK_FILE && !is_there(g, ask))
        r = FAIL(g->arena, FAULT_UPSTREAM_MESSAGE,
                 "it returned other files than the requested %.*s", SHOWN(ask->name));
    return r;
}

/* ---- Errors ---------------------------------------------------------------------------------- */

/* schema_load adds protobuf's own files if they are missing. */
static bool is_optional(const GatheringAsk *ask, Code code)
{
    return code == CODE_NOT_FOUND && ask->field == ASK_FILE &&
           bytes_start_with(ask->name, "google/protobuf/");
}

static Result take_error(Gathering *g, const GatheringAsk *ask, Bytes error)
{
    Code code = CODE_UNKNOWN;
    Bytes message = BYTES_NONE;
    WireReader reader = wire_reader(error);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_VARINT && f.value < CODE_COUNT)
            code = (Code)f.value;
        if (f.number == 2 && f.type == WIRE_LENGTH)
            message = f.bytes;
    }
    if (is_optional(ask, code))
        return OK;
    bool imported = ask->importer.size;
    return FAIL(g->arena, FAULT_UPSTREAM_STATUS, "the request for %.*s%s%.*s%s returned %s: %.*s",
                SHOWN(ask->name), imported ? " (imported by " : "", SHOWN(ask->importer),
                imported ? ")" : "", code_name(code), SHOWN(message));
}

/* ---- Responses ------------------------------------------------------------------------------- */

static Result take(Gathering *g, const GatheringAsk *ask, const WireField *said)
{
    bool services = ask->field == ASK_SERVICES;
    if (said->number == SAY_ERROR)
        return take_error(g, ask, said->bytes);
    if (said->number == SAY_SERVICES && services)
        return take_services(g, said->bytes);
    if (said->number == SAY_FILES && !services)
        return take_files(g, ask, said->bytes);
    return FAIL(g->arena, FAULT_UPSTREAM_MESSAGE, "the response is not for the requested %.*s",
                SHOWN(ask->name));
}

Result gathering_take(Gathering *g, Bytes answer)
{
    if (!g->awaits)
        return FAIL(g->arena, FAULT_UPSTREAM_MESSAGE, "it sent a response without a request");
    g->awaits = false;
    g->size += answer.size;
    if (g->size > g->limit)
        return FAIL(g->arena, FAULT_UPSTREAM_TOO_LARGE,
                    "its responses are larger than %zu bytes together", g->limit);

    WireField said = {0};
    answer = bytes_copy(g->arena, answer);
    WireReader reader = wire_reader(answer);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.type == WIRE_LENGTH && f.number >= SAY_FILES && f.number <= SAY_ERROR)
            said = f;
    }
    if (reader.bad)
        return FAIL(g->arena, FAULT_UPSTREAM_MESSAGE, "its response is truncated or malformed");
    GatheringAsk ask = g->asks[g->n_asked - 1];
    return take(g, &ask, &said);
}
