#include "gateway/draft/draft.h"

#include "adapters/diff/schema_diff.h"
#include "adapters/schema/package.h"
#include "base/arena.h"

#include <string.h>

/* ---- Packages -------------------------------------------------------------------------------- */

/* "shop.orders" of "shop.orders.v1", of "shop.v1.orders", and of itself. */
static const char *stem_of(Arena *arena, const char *package)
{
    Bytes version = package_version(package);
    if (!version.size)
        return package;
    int before = (int)((const char *)version.data - package);
    const char *after = package + before + version.size;
    if (*after)
        return arena_printf(arena, "%.*s%s", before, package, after + 1);
    return arena_text(arena, bytes(package, before ? (size_t)before - 1 : 0));
}

static uint32_t add_doubt(Draft *draft, const char *text)
{
    draft->doubts = arena_grow(draft->arena, draft->doubts, draft->n_doubts * sizeof *draft->doubts,
                               (draft->n_doubts + 1) * sizeof *draft->doubts);
    draft->doubts[draft->n_doubts] = text;
    return draft->n_doubts++;
}

static DraftService *service_with(Draft *draft, const char *stem)
{
    for (uint32_t i = 0; i < draft->n_services; i++)
        if (strcmp(draft->services[i].stem, stem) == 0)
            return &draft->services[i];
    DraftService *service = &draft->services[draft->n_services++];
    service->stem = stem;
    service->versions = arena_array(draft->arena, DraftVersion, DRAFT_VERSIONS_MOST);
    return service;
}

static bool differ(Arena *arena, const DraftVersion *a, const DraftSource *b)
{
    if (a->source == b)
        return false;
    SchemaDiff diff;
    const ChangeSide old = {.version = "old", .schema = a->source->schema, .package = a->package};
    const ChangeSide new = {.version = "new", .schema = b->schema, .package = a->package};
    schema_diff(arena, &old, &new, &diff);
    return diff.n_items > 0;
}

/* Whether the package is there already. Of another content it is a version of its own, unless its
   name says which version it is: then the first source has it. */
static bool is_there(Draft *draft, const DraftService *service, const char *package,
                     const DraftSource *source)
{
    for (uint32_t i = 0; i < service->n_versions; i++) {
        const DraftVersion *version = &service->versions[i];
        if (strcmp(version->package, package) != 0)
            continue;
        bool other = differ(draft->arena, version, source);
        if (other && !package_version(package).size)
            continue;
        if (other)
            add_doubt(draft, arena_printf(draft->arena,
                                          "%s and %s have different schemas of %s: that of %s is "
                                          "used",
                                          version->source->said, source->said, package,
                                          version->source->said));
        return true;
    }
    return false;
}

static Result add_package(Draft *draft, const char *package, const DraftSource *source)
{
    DraftService *service = service_with(draft, stem_of(draft->arena, package));
    if (is_there(draft, service, package, source))
        return OK;
    if (service->n_versions == DRAFT_VERSIONS_MOST)
        return FAIL(draft->arena, FAULT_BAD_CONFIG, "%s has more than %d versions", service->stem,
                    DRAFT_VERSIONS_MOST);
    Bytes version = package_version(package);
    service->versions[service->n_versions++] =
        (DraftVersion){.name = version.size ? arena_text(draft->arena, version) : NULL,
                       .package = package,
                       .source = source};
    return OK;
}

static bool is_first_of_package(const Schema *schema, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (strcmp(schema->services[i].package, schema->services[at].package) == 0)
            return false;
    return true;
}

static Result add_source(Draft *draft, const DraftSource *source)
{
    Result r = OK;
    for (uint32_t i = 0; i < source->schema->n_services && !failed(r); i++) {
        const ServiceType *type = &source->schema->services[i];
        if (package_is_common(bytes_of(type->package)))
            continue;
        if (!type->package[0])
            add_doubt(draft,
                      arena_printf(draft->arena,
                                   "%s: the RPC service %s has no package and is left out: begin "
                                   "its source with \"package shop.orders.v1;\"",
                                   source->said, type->name));
        else if (is_first_of_package(source->schema, i))
            r = add_package(draft, type->package, source);
    }
    return r;
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* Oldest first. Versions without a name keep their order, before the others. */
static void sort_versions(DraftService *service)
{
    for (uint32_t i = 1; i < service->n_versions; i++)
        for (uint32_t k = i; k > 0; k--) {
            DraftVersion *a = &service->versions[k - 1], *b = &service->versions[k];
            if (version_rank(a->name ? a->name : "") <= version_rank(b->name ? b->name : ""))
                break;
            DraftVersion held = *a;
            *a = *b;
            *b = held;
        }
}

/* What packages without a version are called: by their order, or "old" beside others with one. */
static void name_versions(Arena *arena, DraftService *service)
{
    bool beside = service->versions[service->n_versions - 1].name != NULL;
    for (uint32_t i = 0; i < service->n_versions; i++) {
        DraftVersion *version = &service->versions[i];
        if (version->name)
            continue;
        version->guessed = true;
        version->name = beside ? arena_printf(arena, i ? "old-%u" : "old", i + 1)
                               : arena_printf(arena, "v%u", i + 1);
    }
}

static const char *last_part(const char *stem)
{
    const char *dot = strrchr(stem, '.');
    const char *last = dot ? dot + 1 : stem;
    return *last ? last : "service";
}

static const char *name_of(Arena *arena, const Draft *draft, uint32_t at)
{
    const char *stem = draft->services[at].stem, *name = last_part(stem);
    for (uint32_t i = 0; i < draft->n_services; i++) {
        if (i == at || strcmp(last_part(draft->services[i].stem), name) != 0)
            continue;
        char *whole = (char *)arena_string(arena, stem);
        for (char *c = whole; *c; c++)
            if (*c == '.')
                *c = '-';
        return whole;
    }
    return name;
}

/* ---- Instances ------------------------------------------------------------------------------- */

static void add_instance(Draft *draft, DraftService *service, const char *address,
                         const DraftTls *tls, uint64_t versions)
{
    for (uint32_t i = 0; i < service->n_instances; i++)
        if (strcmp(service->instances[i].address, address) == 0) {
            service->instances[i].versions |= versions;
            return;
        }
    size_t size = service->n_instances * sizeof *service->instances;
    service->instances =
        arena_grow(draft->arena, service->instances, size, size + sizeof *service->instances);
    service->instances[service->n_instances++] = (DraftInstance){address, tls, versions};
}

static void add_mixin(Draft *draft, DraftService *service, const char *name)
{
    for (uint32_t i = 0; i < service->n_mixins; i++)
        if (strcmp(service->mixins[i], name) == 0)
            return;
    size_t size = service->n_mixins * sizeof *service->mixins;
    service->mixins =
        arena_grow(draft->arena, service->mixins, size, size + sizeof *service->mixins);
    service->mixins[service->n_mixins++] = name;
}

static bool has_package(const Schema *schema, const char *package)
{
    for (uint32_t i = 0; i < schema->n_services; i++)
        if (strcmp(schema->services[i].package, package) == 0)
            return true;
    return false;
}

/* Which versions of the service the instance told. */
static uint64_t told_versions(Arena *arena, const DraftService *service, const DraftSource *source)
{
    uint64_t versions = 0;
    for (uint32_t i = 0; i < service->n_versions; i++) {
        const DraftVersion *version = &service->versions[i];
        if (has_package(source->schema, version->package) &&
            (package_version(version->package).size || !differ(arena, version, source)))
            versions |= UINT64_C(1) << i;
    }
    return versions;
}

/* An RPC service can be the mixin of one service only: of the first that its instance has. */
static void add_told_mixins(Draft *draft, DraftService *service, const DraftSource *source)
{
    for (uint32_t i = 0; i < source->schema->n_services; i++)
        if (bytes_start_with(bytes_of(source->schema->services[i].package), "google."))
            add_mixin(draft, service, source->schema->services[i].full_name);
}

static void add_told_instances(Draft *draft, const DraftSource *source)
{
    bool first = true;
    for (uint32_t i = 0; source->address && i < draft->n_services; i++) {
        DraftService *service = &draft->services[i];
        uint64_t versions = told_versions(draft->arena, service, source);
        if (!versions)
            continue;
        add_instance(draft, service, source->address, source->tls, versions);
        if (first)
            add_told_mixins(draft, service, source);
        first = false;
    }
}

/* The service that a name means, by itself or by one of its versions. NULL: none, or several. */
static DraftService *find_named(const Draft *draft, Bytes name, uint64_t *versions_out)
{
    for (uint32_t i = 0; i < draft->n_services; i++) {
        DraftService *service = &draft->services[i];
        *versions_out = service->n_versions == 1;
        if (bytes_are(name, service->name) || bytes_are(name, service->stem))
            return service;
        for (uint32_t k = 0; k < service->n_versions; k++) {
            *versions_out = UINT64_C(1) << k;
            if (bytes_are(name, service->versions[k].package) ||
                (draft->n_services == 1 && bytes_are(name, service->versions[k].name)))
                return service;
        }
    }
    return NULL;
}

/* What may stand before an address. */
static const char *names(const Draft *draft)
{
    const char *text = "";
    for (uint32_t i = 0; i < draft->n_services; i++)
        for (uint32_t k = 0; k < draft->services[i].n_versions; k++)
            text = arena_printf(draft->arena, "%s%s%s", text, *text ? ", " : "",
                                draft->services[i].versions[k].package);
    return text;
}

Result draft_add_instance(Draft *draft, const char *text, const DraftTls *tls)
{
    Bytes whole = bytes_of(text);
    size_t at = bytes_find(whole, '=');
    bool named = at < whole.size;
    const char *address = named ? text + at + 1 : text;
    uint64_t versions = draft->services[0].n_versions == 1;
    DraftService *service = named                    ? find_named(draft, bytes(text, at), &versions)
                            : draft->n_services == 1 ? &draft->services[0]
                                                     : NULL;
    if (!strchr(address, ':'))
        return FAIL(draft->arena, FAULT_BAD_CONFIG,
                    "%s is no address: write 127.0.0.1:7001, https://orders.internal or "
                    "unix:orders.sock",
                    address);
    if (!service)
        return FAIL(draft->arena, FAULT_BAD_CONFIG,
                    "which service the instance %s belongs to is not clear: write PACKAGE=ADDRESS, "
                    "with one of %s",
                    text, names(draft));
    add_instance(draft, service, address, tls, versions);
    return OK;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static Result nothing_found(Arena *arena, const Draft *draft, const DraftSource *sources,
                            uint32_t n)
{
    if (draft->n_doubts)
        return FAIL(arena, FAULT_BAD_CONFIG, "%s", draft->doubts[0]);
    const char *said = "";
    for (uint32_t i = 0; i < n; i++)
        said = arena_printf(arena, "%s%s%s", said, i ? ", " : "", sources[i].said);
    return FAIL(arena, FAULT_BAD_CONFIG, "there is no RPC service in %s", said);
}

Result draft_make(Arena *arena, const DraftSource *sources, uint32_t n, Draft *draft_out)
{
    *draft_out = (Draft){.arena = arena};
    uint32_t most = 0;
    for (uint32_t i = 0; i < n; i++)
        most += sources[i].schema->n_services;
    draft_out->services = arena_array(arena, DraftService, most);
    Result r = OK;
    for (uint32_t i = 0; i < n && !failed(r); i++)
        r = add_source(draft_out, &sources[i]);
    if (failed(r))
        return r;
    if (!draft_out->n_services)
        return nothing_found(arena, draft_out, sources, n);
    for (uint32_t i = 0; i < draft_out->n_services; i++) {
        sort_versions(&draft_out->services[i]);
        name_versions(arena, &draft_out->services[i]);
        draft_out->services[i].name = name_of(arena, draft_out, i);
    }
    for (uint32_t i = 0; i < n; i++)
        add_told_instances(draft_out, &sources[i]);
    return OK;
}
