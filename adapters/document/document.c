#include "adapters/document/document_value.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The state of one read of a document. */
typedef struct Reading {
    Arena *arena;
    const DocumentRules *rules; /* NULL: not a config but a value of an API */
    const YamlDocument *document;
    Problems *problems, *doubts, *deprecated;
    Buffer *out;
} Reading;

static bool read_message(Reading *reading, const MessageType *type, const JsonNode *node,
                         const char *path);

/* ---- Problems -------------------------------------------------------------------------------- */

__attribute__((format(printf, 6, 7))) static bool tell(Reading *reading, const JsonNode *node,
                                                       bool at_name, const char *path,
                                                       const char *hint, const char *format, ...)
{
    char reason[512];
    va_list args;
    va_start(args, format);
    text_format(reason, sizeof reason, format, args);
    va_end(args);
    const YamlPlace *place = yaml_place(reading->document, node);
    problem_add(reading->problems, place->file, at_name ? place->name_line : place->line,
                at_name ? place->name_column : place->column, path, hint, "%s", reason);
    return false;
}

/* The names of the fields that are not set yet, for hints. */
static const char **field_names(const Reading *reading, const MessageType *type, size_t *n_out)
{
    const char **names = arena_array(reading->arena, const char *, type->n_fields);
    *n_out = 0;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const FieldRules *rules = field_rules(reading->rules, &type->fields[i]);
        if (!rules->replaced_by && !rules->deprecated_for)
            names[(*n_out)++] = type->fields[i].name;
    }
    return names;
}

static const char *path_of_member(Reading *reading, const char *path, const char *name)
{
    return arena_printf(reading->arena, "%s%s%s", path, *path ? "." : "", name);
}

static bool is_scalar(const JsonNode *node)
{
    return node->kind == JSON_STRING || node->kind == JSON_TEXT;
}

/* ---- Output ---------------------------------------------------------------------------------- */

/* Adds a comma, unless this is the first member or element. */
static void separate(Buffer *out)
{
    if (out->size && out->data[out->size - 1] != '{' && out->data[out->size - 1] != '[' &&
        out->data[out->size - 1] != ':')
        buffer_add_byte(out, ',');
}

/* Begins a member. Returns the previous out->size, to which the caller resets it if the value is
   invalid. */
static size_t begin_member(Buffer *out, Bytes name)
{
    size_t before = out->size;
    separate(out);
    json_write_string(out, name);
    buffer_add_byte(out, ':');
    return before;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static bool read_scalar(Reading *reading, const FieldType *field, const JsonNode *node,
                        const char *path)
{
    bool secret = field_rules(reading->rules, field)->secret;
    if (secret && node->kind == JSON_OBJECT)
        return false;
    if (!is_scalar(node))
        return tell(
            reading, node, false, path, document_example(field, field_rules(reading->rules, field)),
            "one value is expected here, not a %s", node->kind == JSON_ARRAY ? "list" : "map");
    ValueMistake mistake;
    if (document_scalar(reading->arena, field, field_rules(reading->rules, field),
                        reading->rules != NULL, reading->document, node, reading->out, &mistake))
        return true;
    return tell(reading, node, false, path, mistake.hint, "%s", mistake.reason);
}

/* A message whose JSON is not an object of its fields. */
static bool read_well_known(Reading *reading, const MessageType *type, const JsonNode *node,
                            const char *path)
{
    switch (type->well_known) {
    case WELL_KNOWN_WRAPPER: return read_scalar(reading, &type->fields[0], node, path);
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION:
    case WELL_KNOWN_FIELD_MASK:
        if (!is_scalar(node))
            return tell(reading, node, false, path, NULL, "a text is expected here");
        json_write_string(reading->out, node->text);
        return true;
    case WELL_KNOWN_ANY:
    case WELL_KNOWN_STRUCT:
    case WELL_KNOWN_VALUE:
    case WELL_KNOWN_LIST_VALUE: document_tree(node, reading->out); return true;
    case WELL_KNOWN_EMPTY:
    case WELL_KNOWN_NONE: break;
    }
    return read_message(reading, type, node, path);
}

static bool read_value(Reading *reading, const FieldType *field, const JsonNode *node,
                       const char *path)
{
    bool may_be_null = !reading->rules && field->kind == KIND_MESSAGE &&
                       field->message->well_known == WELL_KNOWN_VALUE;
    if (field_rules(reading->rules, field)->spelled == SPELLED_TREE) {
        Buffer tree = buffer_in(reading->arena);
        document_tree(node, &tree);
        json_write_string(reading->out, buffer_bytes(&tree));
        return true;
    }
    if (node->kind == JSON_NULL && !may_be_null)
        return tell(reading, node, false, path, NULL, "there is no value");
    if (field->kind == KIND_MESSAGE || field->kind == KIND_GROUP)
        return read_well_known(reading, field->message, node, path);
    return read_scalar(reading, field, node, path);
}

static bool read_list(Reading *reading, const FieldType *field, const JsonNode *node,
                      const char *path)
{
    if (node->kind != JSON_ARRAY)
        return tell(reading, node, false, path,
                    is_scalar(node) ? arena_printf(reading->arena, "[%.*s]", BYTES_ARGS(node->text))
                                    : "- before each element",
                    "a list is expected here");
    if (!node->count && field_rules(reading->rules, field)->needed)
        return tell(reading, node, false, path, NULL, "at least one is needed");

    uint32_t i = 0;
    buffer_add_byte(reading->out, '[');
    for (const JsonNode *element = node->first; element; element = element->next, i++) {
        size_t before = reading->out->size;
        separate(reading->out);
        if (!read_value(reading, field, element, arena_printf(reading->arena, "%s[%u]", path, i))) {
            /* For an invalid element an empty one is written, so that the indexes of the later ones
               are right. */
            bool message =
                field->kind == KIND_MESSAGE && field->message->well_known == WELL_KNOWN_NONE;
            reading->out->size = before;
            if (message) {
                separate(reading->out);
                buffer_add_text(reading->out, "{}");
            }
        }
    }
    buffer_add_byte(reading->out, ']');
    return true;
}

static bool read_map(Reading *reading, const FieldType *field, const JsonNode *node,
                     const char *path)
{
    const FieldType *key = message_field_by_number(field->message, 1);
    const FieldType *value = message_field_by_number(field->message, 2);
    if (node->kind != JSON_OBJECT)
        return tell(reading, node, false, path, NULL, "a map is expected here");
    buffer_add_byte(reading->out, '{');
    for (const JsonNode *member = node->first; member; member = member->next) {
        const char *member_path =
            path_of_member(reading, path, arena_text(reading->arena, member->name));
        JsonNode name = {.kind = JSON_TEXT, .offset = member->offset, .text = member->name};
        Buffer checked = buffer_in(reading->arena);
        ValueMistake mistake;
        if (!document_scalar(reading->arena, key, field_rules(NULL, key), false, reading->document,
                             &name, &checked, &mistake)) {
            tell(reading, member, true, member_path, mistake.hint, "%s", mistake.reason);
            continue;
        }
        size_t before = begin_member(reading->out, member->name);
        if (!read_value(reading, value, member, member_path))
            reading->out->size = before;
    }
    buffer_add_byte(reading->out, '}');
    return true;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static const FieldType *find_field(Reading *reading, const MessageType *type, Bytes name)
{
    const FieldType *field = message_field(type, name);
    /* In a config, only the proto name is valid. */
    return field && reading->rules && !bytes_are(name, field->name) ? NULL : field;
}

/* Two members of one oneof: the second is a mistake. */
static bool is_second(Reading *reading, const FieldType *field, const JsonNode *member,
                      const FieldType **chosen, const char *path)
{
    if (!field->oneof)
        return false;
    const FieldType *before = chosen[field->oneof->index];
    chosen[field->oneof->index] = field;
    return before && !tell(reading, member, true, path, NULL, "only one of %s and %s may be said",
                           before->name, field->name);
}

/* About a key: what is to be written instead. */
static void advise(Reading *reading, Problems *told, const JsonNode *member, const char *path,
                   const char *instead, const char *reason)
{
    const YamlPlace *place = yaml_place(reading->document, member);
    problem_add(told, place->file, place->name_line, place->name_column, path,
                arena_printf(reading->arena, "write %s", instead), "%s", reason);
}

static void read_member(Reading *reading, const MessageType *type, const JsonNode *member,
                        const FieldType **chosen, bool *seen, const char *path)
{
    const FieldType *field = find_field(reading, type, member->name);
    if (!field) {
        const char *name = arena_text(reading->arena, member->name);
        size_t n;
        const char **names = field_names(reading, type, &n);
        tell(reading, member, true, path_of_member(reading, path, name),
             document_hint(reading->arena, member->name, names, n), "there is no such key");
        return;
    }
    const char *member_path = path_of_member(reading, path, field->name);
    const FieldRules *rules = field_rules(reading->rules, field);
    if (rules->deprecated_for)
        advise(reading, reading->deprecated, member, member_path, rules->deprecated_for,
               "this key is deprecated: a later release does not read it");
    if (rules->replaced_by) {
        advise(reading, reading->doubts, member, member_path, rules->replaced_by,
               "this key is no longer read");
        return;
    }
    if (seen[field->index]) {
        tell(reading, member, true, member_path, NULL, "this is here in both spellings");
        return;
    }
    seen[field->index] = true;
    if (!reading->rules && member->kind == JSON_NULL &&
        !(field->kind == KIND_MESSAGE && field->message->well_known == WELL_KNOWN_VALUE))
        return; /* in the JSON of an API, null means unset */
    if (is_second(reading, field, member, chosen, member_path))
        return;

    size_t before = begin_member(reading->out, bytes_of(field->name));
    bool good = field->map        ? read_map(reading, field, member, member_path)
                : field->repeated ? read_list(reading, field, member, member_path)
                                  : read_value(reading, field, member, member_path);
    if (!good)
        reading->out->size = before;
}

/* What is to be written for a key that is missing; NULL: a map or a list, which may be long. */
static const char *line_of(const Reading *reading, const FieldType *field)
{
    bool message = field->kind == KIND_MESSAGE && !field->repeated && !field->map;
    const FieldType *value = message ? bare_field(reading->rules, field->message, false) : field;
    if (!value || value->kind != KIND_STRING || value->repeated || value->map)
        return NULL;
    bool file = field_rules(reading->rules, value)->spelled == SPELLED_FILE;
    return arena_printf(reading->arena, "add %s: %s", field->name, file ? "FILE" : "TEXT");
}

static void read_members(Reading *reading, const MessageType *type, const JsonNode *node,
                         const char *path)
{
    bool *seen = arena_array(reading->arena, bool, type->n_fields + 1);
    const FieldType **chosen = arena_array(reading->arena, const FieldType *, type->n_oneofs + 1);
    buffer_add_byte(reading->out, '{');
    for (const JsonNode *member = node->first; member; member = member->next)
        read_member(reading, type, member, chosen, seen, path);
    buffer_add_byte(reading->out, '}');

    for (uint32_t i = 0; i < type->n_fields; i++)
        if (!seen[i] && field_rules(reading->rules, &type->fields[i])->needed)
            tell(reading, node, false, path, line_of(reading, &type->fields[i]),
                 "the key %s is missing", type->fields[i].name);
}

/* A scalar in place of a message that is the name of a field: the field is set, and empty. */
static bool read_word(Reading *reading, const MessageType *type, const JsonNode *node,
                      const char *path)
{
    const FieldType *field = find_field(reading, type, node->text);
    size_t n;
    const char **names = field_names(reading, type, &n);
    if (!field)
        return tell(reading, node, false, path, document_hint(reading->arena, node->text, names, n),
                    "%.*s is not known here", BYTES_ARGS(node->text));
    buffer_add_byte(reading->out, '{');
    begin_member(reading->out, bytes_of(field->name));
    JsonNode empty = {.kind = JSON_OBJECT, .offset = node->offset};
    read_value(reading, field, &empty, path_of_member(reading, path, field->name));
    buffer_add_byte(reading->out, '}');
    return true;
}

/* The value of one field, or of a list, in place of the message. False: it was told. */
static bool read_only_member(Reading *reading, const FieldType *field, const JsonNode *node,
                             const char *path)
{
    buffer_add_byte(reading->out, '{');
    size_t before = begin_member(reading->out, bytes_of(field->name));
    bool good = field->repeated ? read_list(reading, field, node, path)
                                : read_value(reading, field, node, path);
    if (!good)
        reading->out->size = before;
    buffer_add_byte(reading->out, '}');
    return good;
}

/* The scalar that was told may be an element of the list that could be here. */
static void hint_list(Reading *reading, const MessageType *type, const JsonNode *node)
{
    if (!bare_field(reading->rules, type, true))
        return;
    Problem *told = &reading->problems->items[reading->problems->n - 1];
    told->hint =
        arena_printf(reading->problems->arena, "%s%sa list: [%.*s]", told->hint ? told->hint : "",
                     told->hint ? ", or " : "", BYTES_ARGS(node->text));
}

/* The list in place of a message, if it has a list with the `bare` rule. */
static bool read_bare_list(Reading *reading, const MessageType *type, const JsonNode *node,
                           const char *path)
{
    const FieldType *field = bare_field(reading->rules, type, true);
    if (field)
        read_only_member(reading, field, node, path);
    return field != NULL;
}

/* A scalar in place of a message: the value of the field with the `bare` rule. */
static bool read_bare(Reading *reading, const MessageType *type, const JsonNode *node,
                      const char *path)
{
    if (message_has_words(reading->rules, type))
        return read_word(reading, type, node, path);
    const FieldType *field = bare_field(reading->rules, type, false);
    if (field) {
        if (!read_only_member(reading, field, node, path))
            hint_list(reading, type, node);
        return true;
    }
    size_t n;
    const char **names = field_names(reading, type, &n);
    n = n < DOCUMENT_CHOICE_MOST ? n : DOCUMENT_CHOICE_MOST;
    return tell(reading, node, false, path,
                n ? arena_printf(reading->arena, "with keys such as %s",
                                 document_choice(reading->arena, names, n))
                  : NULL,
                "a map is expected here, not one value");
}

static bool read_message(Reading *reading, const MessageType *type, const JsonNode *node,
                         const char *path)
{
    if (node->kind == JSON_OBJECT) {
        read_members(reading, type, node, path);
        return true;
    }
    if (is_scalar(node) && reading->rules)
        return read_bare(reading, type, node, path);
    if (node->kind == JSON_ARRAY && reading->rules && read_bare_list(reading, type, node, path))
        return true;
    return tell(reading, node, false, path, NULL, "a map is expected here, not %s",
                node->kind == JSON_ARRAY  ? "a list"
                : node->kind == JSON_NULL ? "nothing"
                                          : "one value");
}

void document_read(const DocumentRules *rules, const MessageType *type,
                   const YamlDocument *document, const JsonNode *node, const char *path,
                   Problems *problems, Problems *doubts, Problems *deprecated, Buffer *json_out)
{
    Reading reading = {json_out->arena, rules, document, problems, doubts, deprecated, json_out};
    size_t before = json_out->size;
    if (!read_well_known(&reading, type, node, path)) {
        json_out->size = before;
        buffer_add_text(json_out, "{}");
    }
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* Follows a path as far as the document has it; *whole_out: whether it has all of it. */
static const JsonNode *follow(const YamlDocument *document, const char *path, bool *whole_out)
{
    const JsonNode *node = document->root;
    *whole_out = true;
    while (node && *path) {
        const JsonNode *child = NULL;
        if (*path == '[') {
            uint32_t index = (uint32_t)strtoul(path + 1, NULL, 10);
            if (node->kind == JSON_ARRAY && index < node->count)
                for (child = node->first; index; index--)
                    child = child->next;
            path = strchr(path, ']');
            CHECK(path);
            path++;
        } else {
            path += *path == '.';
            size_t size = strcspn(path, ".[");
            if (node->kind == JSON_OBJECT)
                for (child = node->first; child; child = child->next)
                    if (bytes_equal(child->name, bytes(path, size)))
                        break;
            path += size;
        }
        if (!child) {
            *whole_out = false;
            return node;
        }
        node = child;
    }
    return node;
}

const JsonNode *document_node(const YamlDocument *document, const char *path)
{
    bool whole;
    const JsonNode *node = follow(document, path, &whole);
    return whole ? node : NULL;
}

const char *document_file(const YamlDocument *document, const char *path)
{
    bool whole;
    const JsonNode *node = follow(document, path, &whole);
    return node ? yaml_place(document, node)->file : document->file;
}

void document_tell(const YamlDocument *document, Problems *problems, const char *path,
                   const char *hint, const char *reason_format, ...)
{
    char reason[1024];
    va_list args;
    va_start(args, reason_format);
    text_format(reason, sizeof reason, reason_format, args);
    va_end(args);
    bool whole;
    const JsonNode *node = follow(document, path, &whole);
    const YamlPlace *place =
        node ? yaml_place(document, node) : &(YamlPlace){.file = document->file};
    problem_add(problems, place->file, place->line, place->column, path, hint, "%s", reason);
}
