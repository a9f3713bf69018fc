/* What a config that is there already lacks of a draft. */
#include "gateway/draft/draft.h"

#include "adapters/text/yaml.h"
#include "base/arena.h"

static bool is_version(const JsonNode *node, const DraftVersion *version)
{
    return bytes_are(json_member_text(node, "package"), version->package) &&
           (!version->guessed || bytes_are(json_member_text(node, "name"), version->name));
}

static const JsonNode *items_of(const JsonNode *object, const char *name)
{
    const JsonNode *list = object && object->kind == JSON_OBJECT ? json_member(object, name) : NULL;
    return list && list->kind == JSON_ARRAY ? list->first : NULL;
}

static bool has_version(const JsonNode *config, const DraftVersion *version)
{
    for (const JsonNode *s = items_of(config, "services"); s; s = s->next)
        for (const JsonNode *v = items_of(s, "versions"); v; v = v->next)
            if (v->kind == JSON_OBJECT && is_version(v, version))
                return true;
    return false;
}

static void add_lacking_versions(const DraftService *service, const JsonNode *config,
                                 const char *name, Buffer *out)
{
    for (uint32_t i = 0; i < service->n_versions; i++)
        if (!has_version(config, &service->versions[i]))
            buffer_printf(out, "%s has no version %s of %s (%s)\n", name, service->versions[i].name,
                          service->name, service->versions[i].package);
}

static void add_lacking_instances(const DraftService *service, Bytes text, const char *name,
                                  Buffer *out)
{
    for (uint32_t i = 0; i < service->n_instances; i++) {
        const char *address = service->instances[i].address;
        if (!memmem(text.data, text.size, address, strlen(address)))
            buffer_printf(out, "%s has no instance %s of %s\n", name, address, service->name);
    }
}

void draft_lacks(const Draft *draft, Bytes text, const char *name, Buffer *out)
{
    Problems problems = problems_in(draft->arena);
    YamlDocument document;
    yaml_parse(draft->arena, text, name, NULL, &problems, &document);
    for (uint32_t i = 0; i < draft->n_services; i++) {
        add_lacking_versions(&draft->services[i], document.root, name, out);
        add_lacking_instances(&draft->services[i], text, name, out);
    }
}
