/* Anchors, aliases, and the key `<<`, which merges maps into another one. */
#include "adapters/text/yaml_reader.h"

#include "base/arena.h"

void yaml_note_anchor(YamlReader *reader, const yaml_char_t *anchor, JsonNode *node)
{
    if (!anchor)
        return;
    const char *name_text = arena_string(reader->arena, (const char *)anchor);
    Bytes name = bytes_of(name_text);
    const JsonNode *before = table_get(&reader->anchors, name);
    if (before)
        yaml_tell(reader, *yaml_place(reader->document, node),
                  arena_printf(reader->arena, "&%s_2", name_text),
                  "the anchor &%.*s is here twice, first in line %d", BYTES_ARGS(name),
                  yaml_place(reader->document, before)->line);
    else
        table_put(&reader->anchors, name, node);
}

/* ---- Aliases --------------------------------------------------------------------------------- */

static const char *anchor_hint(YamlReader *reader, const char *name)
{
    const char **names = arena_array(reader->arena, const char *, reader->anchors.n);
    size_t n = 0, at = 0;
    for (const TableEntry *entry; (entry = table_next(&reader->anchors, &at));)
        names[n++] = arena_text(reader->arena, entry->key);
    const char *nearest = nearest_word(bytes_of(name), names, n);
    return nearest ? arena_printf(reader->arena, "did you mean *%s", nearest)
                   : arena_printf(reader->arena, "\"*%s\" if it is a text", name);
}

static bool is_open(const YamlReader *reader, const JsonNode *node)
{
    for (uint32_t i = 0; i < reader->depth; i++)
        if (reader->levels[i].node == node)
            return true;
    return false;
}

/* Whether the copy may have one node more, at this depth. */
static bool has_room(YamlReader *reader, uint32_t depth, YamlPlace place)
{
    if (depth > reader->limits.depth)
        yaml_tell(reader, place, NULL, "nested deeper than %u levels", reader->limits.depth);
    else if (reader->n_copied == YAML_COPIES_MOST)
        yaml_tell(reader, place, NULL, "aliases stand for more than %d values", YAML_COPIES_MOST);
    else if (reader->document->n_nodes == reader->limits.elements)
        yaml_tell(reader, place, NULL, "more than %u values", reader->limits.elements);
    else
        return true;
    return false;
}

/* Copies keep the places of their originals: mistakes are to be mended there. */
static bool copy_children(YamlReader *reader, const JsonNode *from, JsonNode *into, uint32_t depth,
                          YamlPlace place)
{
    JsonNode **end = &into->first;
    into->count = from->count;
    into->text = from->text;
    for (const JsonNode *child = from->first; child; child = child->next) {
        bool nests = child->kind == JSON_ARRAY || child->kind == JSON_OBJECT;
        if (!has_room(reader, depth + nests, place))
            return false;
        JsonNode *copy = arena_make(reader->arena, JsonNode);
        *copy = (JsonNode){.kind = child->kind, .offset = child->offset, .name = child->name};
        reader->n_copied++;
        reader->document->n_nodes++;
        *end = copy;
        end = &copy->next;
        if (!copy_children(reader, child, copy, depth + nests, place))
            return false;
    }
    return true;
}

bool yaml_add_alias(YamlReader *reader, const yaml_char_t *anchor, YamlPlace place)
{
    const char *name = (const char *)anchor;
    const JsonNode *original = table_get(&reader->anchors, bytes_of(name));
    bool loops = original && is_open(reader, original);
    if (!original)
        yaml_tell(reader, place, anchor_hint(reader, name),
                  "there is no anchor &%s before this alias", name);
    if (loops)
        yaml_tell(reader, place, NULL, "*%s is inside of &%s, which so would never end", name,
                  name);
    if (!original || loops)
        return yaml_add_node(reader, JSON_NULL, place);
    bool nests = original->kind == JSON_ARRAY || original->kind == JSON_OBJECT;
    uint32_t depth = reader->depth + nests;
    if (!has_room(reader, depth, place))
        return false;
    JsonNode *copy = yaml_add_node(reader, original->kind, place);
    reader->n_copied++;
    return copy_children(reader, original, copy, depth, place);
}

/* ---- Merging --------------------------------------------------------------------------------- */

static JsonNode *take_member(JsonNode *object, const char *name)
{
    JsonNode **at = &object->first;
    while (*at && !bytes_are((*at)->name, name))
        at = &(*at)->next;
    JsonNode *member = *at;
    if (member) {
        *at = member->next;
        member->next = NULL;
        object->count--;
    }
    return member;
}

/* Keys that the map has stay as they are. */
static void merge_map(YamlLevel *level, JsonNode *map)
{
    JsonNode *next;
    for (JsonNode *member = map->first; member; member = next) {
        next = member->next;
        if (table_get(&level->names, member->name))
            continue;
        table_put(&level->names, member->name, member);
        member->next = NULL;
        *level->end = member;
        level->end = &member->next;
        level->node->count++;
    }
}

static void merge_value(YamlReader *reader, JsonNode *value)
{
    if (value->kind == JSON_OBJECT)
        merge_map(yaml_innermost(reader), value);
    else
        yaml_tell(reader, *yaml_place(reader->document, value), "*ANCHOR of a map",
                  "<< takes a map, or a list of maps");
}

void yaml_merge(YamlReader *reader)
{
    YamlLevel *level = yaml_innermost(reader);
    JsonNode *value = level->merges ? take_member(level->node, "<<") : NULL;
    if (!value)
        return;
    level->end = &level->node->first;
    while (*level->end)
        level->end = &(*level->end)->next;
    if (value->kind != JSON_ARRAY) {
        merge_value(reader, value);
        return;
    }
    JsonNode *next;
    for (JsonNode *one = value->first; one; one = next) {
        next = one->next;
        merge_value(reader, one);
    }
}
