/* What a config, and change lists, that are there already lack of a draft. */
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
        if (!text.size || !memmem(text.data, text.size, address, strlen(address)))
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

bool draft_config_names(Arena *arena, Bytes text, const char *schema)
{
    Problems problems = problems_in(arena);
    YamlDocument document;
    yaml_parse(arena, text, "config", NULL, &problems, &document);
    for (const JsonNode *s = items_of(document.root, "services"); s; s = s->next)
        for (const JsonNode *v = items_of(s, "versions"); v; v = v->next)
            if (v->kind == JSON_OBJECT && bytes_are(json_member_text(v, "schema"), schema))
                return true;
    return false;
}

/* ---- Change lists ---------------------------------------------------------------------------- */

static const JsonNode *first_in(const JsonNode *object)
{
    return object && object->kind == JSON_OBJECT ? object->first : NULL;
}

static const JsonNode *namesake(const JsonNode *object, const JsonNode *member)
{
    for (const JsonNode *each = first_in(object); each; each = each->next)
        if (bytes_equal(each->name, member->name))
            return each;
    return NULL;
}

/* Types and methods stand by themselves; a message and an enum are told line by line. */
static bool is_told_by_lines(const JsonNode *section)
{
    return bytes_are(section->name, "messages") || bytes_are(section->name, "enums");
}

static void add_lacking_lines(const JsonNode *kept, const JsonNode *made, const char *name,
                              Buffer *out)
{
    for (const JsonNode *line = first_in(made); line; line = line->next)
        if (!namesake(kept, line))
            buffer_printf(out, "%s has no line for %.*s.%.*s\n", name, BYTES_ARGS(made->name),
                          BYTES_ARGS(line->name));
}

static void add_lacking_of_section(const JsonNode *kept, const JsonNode *made, const char *name,
                                   Buffer *out)
{
    for (const JsonNode *item = first_in(made); item; item = item->next) {
        const JsonNode *same = namesake(kept, item);
        if (is_told_by_lines(made))
            add_lacking_lines(same, item, name, out);
        else if (!same)
            buffer_printf(out, "%s has no line for %.*s\n", name, BYTES_ARGS(item->name));
    }
}

void draft_lacks_lines(Arena *arena, Bytes kept, Bytes made, const char *name, Buffer *out)
{
    Problems problems = problems_in(arena);
    YamlDocument kept_list, made_list;
    yaml_parse(arena, kept, name, NULL, &problems, &kept_list);
    yaml_parse(arena, made, name, NULL, &problems, &made_list);
    for (const JsonNode *section = first_in(made_list.root); section; section = section->next) {
        const JsonNode *same = namesake(kept_list.root, section);
        add_lacking_of_section(same, section, name, out);
    }
}
