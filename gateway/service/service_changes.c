/* Change lists: read, composed for every pair of versions, and followed by every method. */
#include "gateway/service/service_internal.h"

#include "adapters/text/yaml.h"
#include "base/arena.h"
#include "base/file/file.h"

enum { CHANGES_SIZE_MOST = 16 << 20 };

/* ---- Reading --------------------------------------------------------------------------------- */

static ChangeSide side_of(const Version *version)
{
    const Service *service = version->service;
    return (ChangeSide){version->name, version->schema, version->package, service->mixins,
                        service->n_mixins};
}

static const Version *version_named(const Service *service, const YamlDocument *document,
                                    const char *key)
{
    const JsonNode *node = document_node(document, key);
    for (uint32_t i = 0; node && i < service->n_versions; i++)
        if (bytes_are(node->text, service->versions[i].name))
            return &service->versions[i];
    return NULL;
}

/*
 * The index of the older one of the list's two versions: by its keys `from` and `to`, or by its
 * place among the lists if these are not valid, which is reported when the list is read.
 */
static uint32_t place_of(ConfigReader *reader, const Service *service, Bytes text, const char *file,
                         uint32_t row, const char *path)
{
    YamlDocument document;
    Problems ignored = problems_in(reader->arena);
    yaml_parse(reader->arena, text, file, NULL, &ignored, &document);
    const Version *from = version_named(service, &document, "from");
    const Version *to = version_named(service, &document, "to");
    if (!from || !to)
        return row;
    if (to->index == from->index + 1)
        return from->index;
    config_tell(reader, path, "one list for each two neighbouring versions",
                "%s is from %s to %s, which are not neighbouring versions", file, from->name,
                to->name);
    return service->n_versions;
}

static Result read_list(ConfigReader *reader, const Service *service, ServicePlan *plan,
                        uint32_t row, bool *said)
{
    const char *path = config_path(reader, "%s.changes[%u]", plan->path, row);
    const char *file = plan->text->changes[row];
    Bytes text;
    Result r = file_read(reader->arena, file, CHANGES_SIZE_MOST, &text);
    if (failed(r)) {
        config_tell(
            reader, path,
            config_file_hint(reader->arena, document_file(&reader->file.document, path), file),
            "%s", r.error->doing);
        return OK;
    }
    config_hash_add(reader, text, true);
    uint32_t at = place_of(reader, service, text, file, row, path);
    if (at + 1 >= service->n_versions) {
        if (at == row)
            config_tell(reader, path, NULL, "there are no two versions left for this list");
        return OK;
    }
    if (said[at]) {
        config_tell(reader, path, NULL, "there already is a list from %s to %s",
                    service->versions[at].name, service->versions[at + 1].name);
        return OK;
    }
    said[at] = true;
    ChangeSide from = side_of(&service->versions[at]), to = side_of(&service->versions[at + 1]);
    if (!from.schema || !to.schema)
        return OK;
    return changes_load_in(reader->arena, reader->config->lists, text, file, &from, &to,
                           reader->problems, &plan->lists[at]);
}

/* Without a change list, neighbouring versions are matched by name, or cannot be converted. */
static Result try_without(ConfigReader *reader, const Service *service, ServicePlan *plan,
                          uint32_t at)
{
    ChangeSide from = side_of(&service->versions[at]), to = side_of(&service->versions[at + 1]);
    Problems why_not = problems_in(reader->arena);
    if (!from.schema || !to.schema)
        return OK;
    return changes_none(reader->arena, reader->config->lists, &from, &to, &why_not,
                        &plan->lists[at]);
}

static Result read_lists(ConfigReader *reader, const Service *service, ServicePlan *plan)
{
    bool said[64] = {false};
    plan->lists = arena_array(reader->arena, const ChangeList *, service->n_versions);
    for (uint32_t i = 0; i < plan->text->n_changes; i++) {
        Result r = read_list(reader, service, plan, i, said);
        if (failed(r))
            return r;
    }
    for (uint32_t i = 0; i + 1 < service->n_versions; i++) {
        Result r = said[i] ? OK : try_without(reader, service, plan, i);
        if (failed(r))
            return r;
    }
    return OK;
}

/* ---- Composing ------------------------------------------------------------------------------- */

/* Also of a version that no instance speaks: its clients' messages are read before they are
   converted. Versions that share a schema share its identity. */
static Result add_identity(ConfigReader *reader, Version *version)
{
    if (!version->schema)
        return OK;
    Bytes key = bytes(&version->schema, sizeof version->schema);
    const MappingSet *same = table_get(&reader->identities, key);
    if (!same) {
        Result r = mapping_set_identity(reader->arena, version->schema, &same);
        if (failed(r))
            return r;
        table_put(&reader->identities, key, (void *)(uintptr_t)same);
    }
    version->to[version->index] = same;
    return OK;
}

static bool is_connected(const ServicePlan *plan, uint32_t older, uint32_t newer)
{
    for (uint32_t i = older; i < newer; i++)
        if (!plan->lists[i])
            return false;
    return true;
}

static Result compose(ConfigReader *reader, const Service *service, const ServicePlan *plan)
{
    for (uint32_t newer = 0; newer < service->n_versions; newer++) {
        Result r = add_identity(reader, &service->versions[newer]);
        for (uint32_t older = 0; older < newer && !failed(r); older++) {
            if (!is_connected(plan, older, newer))
                continue;
            const ChangeList *const *lists = plan->lists + older;
            r = changes_compose(reader->arena, lists, newer - older, true, reader->problems,
                                &service->versions[older].to[newer]);
            if (!failed(r))
                r = changes_compose(reader->arena, lists, newer - older, false, reader->problems,
                                    &service->versions[newer].to[older]);
        }
        if (failed(r))
            return r;
    }
    return OK;
}

/* ---- Methods --------------------------------------------------------------------------------- */

static const Method *method_of(const Version *version, const MethodType *type)
{
    for (uint32_t i = 0; i < version->n_methods; i++)
        if (version->methods[i].type == type)
            return &version->methods[i];
    return NULL;
}

static void follow_to(ConfigReader *reader, const ServicePlan *plan, Method *method,
                      const Version *to)
{
    const Version *from = method->version;
    MethodPair *pair = &method->pairs[to->index];
    bool upwards = from->index < to->index;
    uint32_t older = upwards ? from->index : to->index, newer = upwards ? to->index : from->index;
    if (from == to) {
        pair->target = method;
        return;
    }
    if (!from->to[to->index] || !to->to[from->index]) {
        pair_extras(reader->arena, pair)->reason =
            arena_printf(reader->arena, "there is no change list all the way from %s to %s",
                         from->name, to->name);
        return;
    }
    MethodChange change =
        changes_method(plan->lists + older, newer - older, upwards, method->type, reader->arena);
    pair->target = change.target ? method_of(to, change.target) : NULL;
    if (!pair->target)
        pair_extras(reader->arena, pair)->reason =
            change.reason ? change.reason
                          : arena_printf(reader->arena, "it is not served in %s", to->name);
}

static void follow_methods(ConfigReader *reader, const Service *service, const ServicePlan *plan)
{
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t j = 0; j < service->versions[i].n_methods; j++)
            for (uint32_t k = 0; k < service->n_versions; k++)
                follow_to(reader, plan, &service->versions[i].methods[j], &service->versions[k]);
}

/* A hint that names the missing list between the version and the nearest one that an instance
   serves; NULL: none is missing. */
static const char *missing_list(ConfigReader *reader, const Service *service,
                                const ServicePlan *plan, uint32_t version, uint64_t native)
{
    uint32_t n = service->n_versions, native_at = n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t distance = i < version ? version - i : i - version;
        uint32_t nearest = native_at < version ? version - native_at : native_at - version;
        if ((native >> i & 1) && (native_at == n || distance < nearest))
            native_at = i;
    }
    uint32_t older = native_at < version ? native_at : version, newer = native_at + version - older;
    for (uint32_t i = older; i < newer && newer < n; i++)
        if (!plan->lists[i])
            return arena_printf(reader->arena,
                                "add an instance that serves it, or a change list from %s to %s",
                                service->versions[i].name, service->versions[i + 1].name);
    return NULL;
}

/* A version that no instance can serve is a mistake. */
static void check_served(ConfigReader *reader, const Service *service, const ServicePlan *plan)
{
    uint64_t native = 0;
    if (service->discovery) /* instances of any version may join */
        return;
    for (uint32_t i = 0; i < service->n_instances; i++)
        native |= service->instances[i].versions;
    for (uint32_t i = 0; i < service->n_versions; i++)
        native |= (uint64_t)service->versions[i].composes << i;
    for (uint32_t i = 0; i < service->n_versions; i++) {
        const Version *version = &service->versions[i];
        bool served = !native || !version->schema; /* reported elsewhere */
        for (uint32_t j = 0; j < service->n_versions; j++)
            served |= (native >> j & 1) && (version->to[j] || i == j);
        if (!served && !reader->problems->n)
            config_tell(reader, config_path(reader, "%s.versions[%u]", plan->path, i),
                        missing_list(reader, service, plan, i, native),
                        "no instance can serve calls of %s", version->name);
    }
}

/* ---- Losses ---------------------------------------------------------------------------------- */

/* Adds each loss once to Config.losses, and sets its index. */
static void number_losses(ConfigReader *reader, const MappingSet *set)
{
    Config *config = reader->config;
    config->losses =
        arena_grow(reader->arena, config->losses, config->n_losses * sizeof *config->losses,
                   (config->n_losses + set->n_losses) * sizeof *config->losses);
    for (uint32_t i = 0; i < set->n_losses; i++) {
        Loss *loss = (Loss *)(uintptr_t)set->losses[i];
        if (loss->index < config->n_losses && config->losses[loss->index] == loss)
            continue; /* shared by two sets */
        loss->index = config->n_losses;
        config->losses[config->n_losses++] = loss;
    }
}

static void number_all_losses(ConfigReader *reader)
{
    Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++)
            for (uint32_t k = 0; k < config->services[i].n_versions; k++) {
                const MappingSet *set = config->services[i].versions[j].to[k];
                if (set && set->n_losses)
                    number_losses(reader, set);
            }
    config->loss_counts = arena_array(reader->arena, atomic_ullong, config->n_losses + 1);
}

Result service_read_changes(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_services; i++) {
        Service *service = &config->services[i];
        ServicePlan *plan = &reader->services[i];
        if (!plan->text)
            continue;
        Result r = read_lists(reader, service, plan);
        if (!failed(r))
            r = compose(reader, service, plan);
        if (failed(r))
            return FAIL_OVER(reader->arena, r, FAULT_BAD_CONFIG, "reading the changes of %s",
                             service->name);
        service->changes = plan->lists;
        follow_methods(reader, service, plan);
        check_served(reader, service, plan);
    }
    number_all_losses(reader);
    return OK;
}
