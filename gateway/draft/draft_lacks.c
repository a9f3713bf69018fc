/* What a config, and change lists, that are there already lack of a draft; and how the config calls
   its lists. */
#include "gateway/draft/draft.h"

#include "adapters/text/yaml.h"
#include "base/arena.h"
#include "base/file/file.h"

enum { LIST_MOST = 1 << 26 };

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

/* "shipping" is named by "shipping", and by "shipping.street". */
static bool is_name_of(Bytes text, Bytes name)
{
    return text.size >= name.size && bytes_equal(bytes_slice(text, 0, name.size), name) &&
           (text.size == name.size || text.data[name.size] == '.');
}

static bool has_name(const JsonNode *object, Bytes name)
{
    for (const JsonNode *each = first_in(object); each; each = each->next)
        if (is_name_of(each->name, name))
            return true;
    return false;
}

/* `is_name`: a text there is a name of what a change is about, as under `to`. */
static bool names(const JsonNode *node, Bytes name, bool is_name);

/* `unlimited: {means: {true: {max_attempts: -1}}}` */
static bool means(const JsonNode *meanings, Bytes name)
{
    for (const JsonNode *each = first_in(meanings); each; each = each->next)
        if (has_name(each, name))
            return true;
    return false;
}

/* Members of a change that have names of the other version beside its key. */
static bool member_names(const JsonNode *member, Bytes name)
{
    static const char *const names_are_values[] = {"to", "from", "currency", NULL};
    static const char *const names_are_keys[] = {"select", "when", NULL};
    if (bytes_are_one_of(member->name, names_are_values))
        return names(member, name, true);
    if (bytes_are_one_of(member->name, names_are_keys))
        return has_name(member, name);
    return bytes_are(member->name, "means") && means(member, name);
}

static bool names(const JsonNode *node, Bytes name, bool is_name)
{
    if (node->kind != JSON_OBJECT && node->kind != JSON_ARRAY)
        return is_name && is_name_of(node->text, name);
    for (const JsonNode *each = node->first; each; each = each->next)
        if (node->kind == JSON_ARRAY ? names(each, name, is_name) : member_names(each, name))
            return true;
    return false;
}

/* Whether a line is about it, by its key or as the target of another one. */
static bool has_line(const JsonNode *section, Bytes name)
{
    for (const JsonNode *line = first_in(section); line; line = line->next)
        if (is_name_of(line->name, name) || names(line, name, true))
            return true;
    return false;
}

/* "GetRequest" of "GetRequest to CancelRequest". */
static Bytes first_of_pair(Bytes name)
{
    const char between[] = " to ";
    const uint8_t *at = memmem(name.data, name.size, between, sizeof between - 1);
    return at ? bytes_slice(name, 0, (size_t)(at - name.data)) : name;
}

/* Types and methods stand by themselves; a message and an enum are told line by line. */
static bool is_told_by_lines(const JsonNode *section)
{
    return bytes_are(section->name, "messages") || bytes_are(section->name, "enums");
}

/* Also where the message is written with its counterpart: "Item to Line". */
static bool has_line_in(const JsonNode *section, Bytes message, Bytes name)
{
    for (const JsonNode *each = first_in(section); each; each = each->next)
        if (bytes_equal(first_of_pair(each->name), first_of_pair(message)) && has_line(each, name))
            return true;
    return false;
}

static void add_lacking_lines(const JsonNode *kept, const JsonNode *made, const char *name,
                              Buffer *out)
{
    for (const JsonNode *line = first_in(made); line; line = line->next)
        if (!has_line_in(kept, made->name, line->name))
            buffer_printf(out, "%s has no line for %.*s.%.*s\n", name, BYTES_ARGS(made->name),
                          BYTES_ARGS(line->name));
}

/* A renamed type may be a line of the messages or enums, `Item: Line`; and a service's is one of
   all its methods. */
static bool has_item(const JsonNode *list, const JsonNode *section, const JsonNode *item)
{
    size_t dot = bytes_find(item->name, '.');
    const JsonNode *same = namesake(list, section);
    if (has_line(same, item->name))
        return true;
    if (bytes_are(section->name, "methods"))
        return dot < item->name.size && has_line(same, bytes_slice(item->name, 0, dot));
    for (const JsonNode *each = first_in(list); each; each = each->next)
        if (is_told_by_lines(each) && has_line(each, item->name))
            return true;
    return false;
}

static void add_lacking_of_section(const JsonNode *list, const JsonNode *made, const char *name,
                                   Buffer *out)
{
    for (const JsonNode *item = first_in(made); item; item = item->next)
        if (is_told_by_lines(made) && item->kind == JSON_OBJECT)
            add_lacking_lines(namesake(list, made), item, name, out);
        else if (!has_item(list, made, item))
            buffer_printf(out, "%s has no line for %.*s\n", name, BYTES_ARGS(item->name));
}

void draft_lacks_lines(Arena *arena, Bytes kept, Bytes made, const char *name, Buffer *out)
{
    Problems problems = problems_in(arena);
    YamlDocument kept_list, made_list;
    yaml_parse(arena, kept, name, NULL, &problems, &kept_list);
    yaml_parse(arena, made, name, NULL, &problems, &made_list);
    for (const JsonNode *section = first_in(made_list.root); section; section = section->next)
        add_lacking_of_section(kept_list.root, section, name, out);
}

/* ---- Names of change lists ------------------------------------------------------------------- */

static const JsonNode *service_with(const JsonNode *config, const DraftVersion *version)
{
    for (const JsonNode *s = items_of(config, "services"); s; s = s->next)
        for (const JsonNode *v = items_of(s, "versions"); v; v = v->next)
            if (v->kind == JSON_OBJECT &&
                bytes_are(json_member_text(v, "package"), version->package))
                return s;
    return NULL;
}

/* What the config calls a version of the draft; NONE: it has none. */
static Bytes name_in(const JsonNode *service, const DraftVersion *version)
{
    for (const JsonNode *v = items_of(service, "versions"); v; v = v->next)
        if (v->kind == JSON_OBJECT && bytes_are(json_member_text(v, "package"), version->package))
            return json_member_text(v, "name");
    return BYTES_NONE;
}

/* Whether the list in the file is from one version to the other. */
static bool is_between(Arena *arena, const char *path, Bytes from, Bytes to)
{
    Problems problems = problems_in(arena);
    YamlDocument list;
    Bytes text;
    Result r = file_read(arena, path, LIST_MOST, &text);
    if (failed(r)) {
        error_ignore(r, "a list that is not there has the name of the draft");
        return false;
    }
    yaml_parse(arena, text, path, NULL, &problems, &list);
    return list.root && list.root->kind == JSON_OBJECT && from.size && to.size &&
           bytes_equal(json_member_text(list.root, "from"), from) &&
           bytes_equal(json_member_text(list.root, "to"), to);
}

static const char *path_in(Arena *arena, const char *folder, const char *name)
{
    return name[0] == '/' ? name : arena_printf(arena, "%s/%s", folder, name);
}

static void keep_names_of(Draft *draft, DraftService *service, const JsonNode *said,
                          const char *folder)
{
    for (uint32_t i = 0; i + 1 < service->n_versions; i++) {
        Bytes from = name_in(said, &service->versions[i]);
        Bytes to = name_in(said, &service->versions[i + 1]);
        for (const JsonNode *file = items_of(said, "changes"); file; file = file->next) {
            const char *name = arena_text(draft->arena, file->text);
            if (is_between(draft->arena, path_in(draft->arena, folder, name), from, to))
                service->versions[i].changes = name;
        }
    }
}

void draft_keep_names(Draft *draft, Bytes config, const char *folder)
{
    Problems problems = problems_in(draft->arena);
    YamlDocument document;
    yaml_parse(draft->arena, config, "config", NULL, &problems, &document);
    for (uint32_t i = 0; i < draft->n_services; i++) {
        DraftService *service = &draft->services[i];
        const JsonNode *said = service_with(document.root, &service->versions[0]);
        if (said)
            keep_names_of(draft, service, said, folder);
    }
}
