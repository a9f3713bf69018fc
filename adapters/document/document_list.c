#include "adapters/document/document_list.h"

#include "adapters/document/document_value.h"
#include "base/arena.h"

#include <stdlib.h>

typedef struct Listing {
    const DocumentRules *rules;
    const YamlDocument *document;
    Arena *arena;
    DocumentOnValue *on_value;
    void *owner;
} Listing;

static void list_message(const Listing *listing, const MessageType *type, JsonNode *node,
                         const char *path);

static bool is_message(const FieldType *field)
{
    return field->kind == KIND_MESSAGE && field->message->well_known == WELL_KNOWN_NONE;
}

static const char *path_of(const Listing *listing, const char *path, Bytes name)
{
    return arena_printf(listing->arena, "%s%s%.*s", path, *path ? "." : "", BYTES_ARGS(name));
}

/* ---- What is there --------------------------------------------------------------------------- */

static Bytes text_of(const Listing *listing, const JsonNode *node)
{
    if (node->kind == JSON_STRING || node->kind == JSON_TEXT)
        return node->text;
    Buffer tree = buffer_in(listing->arena);
    document_tree(node, &tree);
    return buffer_bytes(&tree);
}

static void list_scalar(const Listing *listing, const FieldType *field, JsonNode *node,
                        const char *path)
{
    bool secret = field && field_rules(listing->rules, field)->secret;
    DocumentValue value = {.path = path,
                           .text = secret ? BYTES_NONE : text_of(listing, node),
                           .file = yaml_place(listing->document, node)->file,
                           .line = yaml_place(listing->document, node)->line,
                           .secret = secret,
                           .node = node};
    listing->on_value(listing->owner, &value);
}

static void list_value(const Listing *listing, const FieldType *field, JsonNode *node,
                       const char *path)
{
    bool tree = field_rules(listing->rules, field)->spelled == SPELLED_TREE;
    if (!tree && is_message(field))
        list_message(listing, field->message, node, path);
    else
        list_scalar(listing, field, node, path);
}

static void list_elements(const Listing *listing, const FieldType *field, JsonNode *node,
                          const char *path)
{
    uint32_t i = 0;
    for (JsonNode *element = node->first; element; element = element->next, i++)
        list_value(listing, field, element, arena_printf(listing->arena, "%s[%u]", path, i));
}

static void list_map(const Listing *listing, const FieldType *field, JsonNode *node,
                     const char *path)
{
    const FieldType *value = message_field_by_number(field->message, 2);
    for (JsonNode *member = node->first; member; member = member->next)
        list_value(listing, value, member, path_of(listing, path, member->name));
}

static void list_member(const Listing *listing, const FieldType *field, JsonNode *member,
                        const char *path)
{
    if (field->map)
        list_map(listing, field, member, path);
    else if (field->repeated)
        list_elements(listing, field, member, path);
    else
        list_value(listing, field, member, path);
}

/* ---- What is not ----------------------------------------------------------------------------- */

/* "DURATION" of an enum is "duration" in a document; numbers are in their spelling. */
static Bytes default_text(const Listing *listing, const FieldType *field)
{
    Bytes text = field_default(field);
    FieldSpelling spelled = field_rules(listing->rules, field)->spelled;
    if (field->enumeration) {
        for (uint32_t i = 0; i < field->enumeration->n_values; i++) {
            const EnumValue *value = &field->enumeration->values[i];
            if (bytes_are(text, value->name))
                return bytes_of(document_word(listing->arena, field->enumeration, value));
        }
    }
    if (spelled != SPELLED_DURATION && spelled != SPELLED_SIZE)
        return text;
    Buffer spelling = buffer_in(listing->arena);
    document_add_number(&spelling, spelled, strtoll(arena_text(listing->arena, text), NULL, 10));
    return buffer_bytes(&spelling);
}

static void list_defaults(const Listing *listing, const MessageType *type, const bool *seen,
                          const char *path)
{
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const FieldType *field = &type->fields[i];
        if (seen[i] || !field_default(field).data ||
            field_rules(listing->rules, field)->replaced_by)
            continue;
        DocumentValue value = {.path = path_of(listing, path, bytes_of(field->name)),
                               .text = default_text(listing, field)};
        listing->on_value(listing->owner, &value);
    }
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void list_members(const Listing *listing, const MessageType *type, JsonNode *node,
                         const char *path)
{
    bool *seen = arena_array(listing->arena, bool, type->n_fields + 1);
    for (JsonNode *member = node->first; member; member = member->next) {
        const FieldType *field = message_field(type, member->name);
        if (!field || field_rules(listing->rules, field)->replaced_by)
            continue;
        seen[field->index] = true;
        list_member(listing, field, member, path_of(listing, path, member->name));
    }
    list_defaults(listing, type, seen, path);
}

static void list_message(const Listing *listing, const MessageType *type, JsonNode *node,
                         const char *path)
{
    const FieldType *elements =
        node->kind == JSON_ARRAY ? bare_field(listing->rules, type, true) : NULL;
    if (node->kind == JSON_OBJECT)
        list_members(listing, type, node, path);
    else if (elements)
        list_elements(listing, elements, node, path);
    else /* without such a field it is the name of one */
        list_scalar(listing, bare_field(listing->rules, type, false), node, path);
}

void document_list(const DocumentRules *rules, const MessageType *type,
                   const YamlDocument *document, Arena *arena, DocumentOnValue *on_value,
                   void *owner)
{
    Listing listing = {rules, document, arena, on_value, owner};
    if (document->root && document->root->kind == JSON_OBJECT)
        list_message(&listing, type, document->root, "");
}
