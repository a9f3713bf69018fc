#include "adapters/schema/schema.h"

#include "adapters/schema/schema_internal.h"
#include "base/file/file.h"
#include "base/problem.h"
#include "base/text/utf8.h"

#include <stdlib.h>

/* ---- Names ----------------------------------------------------------------------------------- */

/* Names were counted, but for a few unusual ones. */
char *loader_text_room(Loader *loader, size_t size)
{
    if ((size_t)(loader->names_end - loader->names) < size)
        return arena_alloc(loader->arena, size);
    char *room = loader->names;
    loader->names += size;
    return room;
}

const char *loader_text(Loader *loader, Bytes text)
{
    char *copy = loader_text_room(loader, text.size + 1);
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

static void note_bad(Loader *loader, Bytes name)
{
    if (!loader->bad_name.data)
        loader->bad_name = bytes(name.size ? name.data : (const uint8_t *)"", name.size);
}

static bool is_word(Bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_')
            return false;
    }
    return name.size > 0;
}

void loader_check_name(Loader *loader, Bytes name)
{
    if (!is_word(name))
        note_bad(loader, name);
}

const char *loader_name(Loader *loader, Bytes name)
{
    loader_check_name(loader, name);
    return loader_text(loader, name);
}

const char *loader_package(Loader *loader, Bytes name)
{
    Bytes left = name;
    while (left.size) {
        size_t dot = bytes_find(left, '.');
        if (!is_word(bytes_slice(left, 0, dot)) || dot + 1 == left.size)
            note_bad(loader, name);
        left = bytes_slice(left, dot + 1, left.size);
    }
    return loader_text(loader, name);
}

const char *loader_json_name(Loader *loader, Bytes name)
{
    if (!utf8_valid(name) || bytes_find(name, '\0') < name.size)
        note_bad(loader, name);
    return loader_text(loader, name);
}

const char *loader_join(Loader *loader, const char *scope, Bytes name)
{
    size_t size = strlen(scope);
    loader_check_name(loader, name);
    if (size == 0)
        return loader_text(loader, name);
    char *joined = loader_text_room(loader, size + 1 + name.size + 1);
    memcpy(joined, scope, size);
    joined[size] = '.';
    if (name.size)
        memcpy(joined + size + 1, name.data, name.size);
    joined[size + 1 + name.size] = '\0';
    return joined;
}

/* ---- Loading --------------------------------------------------------------------------------- */

typedef Result (*FilePass)(Loader *loader, const FileScope *file);

static Result each_file(Loader *loader, FilePass pass)
{
    Result r = OK;
    for (const FileScope *file = loader->files; !failed(r) && file; file = file->next)
        r = pass(loader, file);
    return r;
}

/* All was counted, so that each kind is one array that never moves. */
static void make_room(Loader *loader)
{
    Schema *schema = loader->schema;
    const LoaderCounts *counts = &loader->counts;
    schema->messages = arena_array(loader->arena, MessageType, schema->n_messages);
    schema->enums = arena_array(loader->arena, EnumType, schema->n_enums);
    schema->services = arena_array(loader->arena, ServiceType, schema->n_services);
    loader->fields = arena_array(loader->arena, FieldType, counts->fields);
    loader->fields_end = loader->fields + counts->fields;
    loader->values = arena_array(loader->arena, EnumValue, counts->values);
    loader->methods = arena_array(loader->arena, MethodType, counts->methods);
    if (counts->defaults)
        loader->defaults = arena_array(loader->arena, FieldDefault, counts->defaults);
    schema->defaults = loader->defaults;
    loader->names = arena_alloc(loader->arena, counts->names);
    loader->names_end = loader->names + counts->names;
    loader->messages = arena_array(loader->scratch, DeclaredMessage, schema->n_messages);
    loader_make_index(loader);
    loader_make_files(loader);
}

static Result load(Loader *loader, Bytes set)
{
    Result r = loader_find_files(loader, set);
    if (!failed(r))
        r = each_file(loader, descriptor_count);
    if (failed(r))
        return r;

    make_room(loader);
    r = each_file(loader, descriptor_declare);
    if (!failed(r))
        r = descriptor_define(loader);
    if (!failed(r))
        r = each_file(loader, descriptor_define_services);
    return r;
}

Result schema_load(Arena *arena, Bytes descriptor_set, const char *name, const Schema **schema_out)
{
    Schema *schema = arena_make(arena, Schema);
    CHECK(schema);
    *schema = (Schema){.name = arena_string(arena, name)};

    Loader loader = {.arena = arena, .schema = schema, .name = schema->name};
    loader.scratch = arena_new(ARENA_UNLIMITED);
    Result r = load(&loader, descriptor_set);
    if (!failed(r) && loader.bad_name.data)
        r = BAD_SCHEMA(&loader, "%s: \"%.*s\" cannot be a name", loader.name,
                       BYTES_ARGS(loader.bad_name));
    arena_free(loader.scratch);
    *schema_out = failed(r) ? NULL : schema;
    return r;
}

Result schema_load_file(Arena *arena, const char *path, const Schema **schema_out)
{
    Bytes set = BYTES_NONE;
    *schema_out = NULL;
    Result r = file_read(arena, path, SIZE_MAX, &set);
    return failed(r) ? r : schema_load(arena, set, path, schema_out);
}

/* ---- Finding --------------------------------------------------------------------------------- */

static bool is_name(const char *name, Bytes wanted)
{
    return strlen(name) == wanted.size && memcmp(name, wanted.data, wanted.size) == 0;
}

/* A slot of a name is twice the index of a field, with 1 for its JSON name, + 1. */
static const char *spelling(const FieldType *field, bool json)
{
    return json || field->extension ? field->json_name : field->name;
}

/* Names first, so that a JSON name never hides another field's name. */
static const FieldType *find_among_few(const MessageType *message, Bytes name)
{
    for (uint32_t json = 0; json <= 1; json++) {
        for (uint32_t i = 0; i < message->n_fields; i++) {
            if (is_name(spelling(&message->fields[i], json), name))
                return &message->fields[i];
        }
    }
    return NULL;
}

const FieldType *message_field(const MessageType *message, Bytes name)
{
    uint16_t mask = message->by_name_mask;
    if (name.size == 0)
        return NULL;
    if (!mask)
        return find_among_few(message, name);
    const uint16_t *slots = message->by_number + message->by_number_n;
    for (uint32_t at = bytes_hash(name) & mask; slots[at]; at = (at + 1) & mask) {
        const FieldType *field = &message->fields[(slots[at] - 1) / 2];
        if (is_name(spelling(field, (slots[at] - 1) & 1), name))
            return field;
    }
    return NULL;
}

const char *message_nearest_field(const MessageType *message, Bytes name, Arena *arena)
{
    const char **names = arena_array(arena, const char *, message->n_fields);
    for (uint32_t i = 0; names && i < message->n_fields; i++)
        names[i] = message->fields[i].json_name;
    return names ? nearest_word(name, names, message->n_fields) : NULL;
}

const FieldType *message_field_by_number(const MessageType *message, uint32_t number)
{
    if (number < message->by_number_n)
        return message->by_number[number] ? &message->fields[message->by_number[number] - 1] : NULL;

    uint32_t low = 0, high = message->n_fields;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (message->fields[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < message->n_fields && message->fields[low].number == number ? &message->fields[low]
                                                                            : NULL;
}

const MessageType *field_element_message(const FieldType *field)
{
    const FieldType *value = field->map ? message_field_by_number(field->message, 2) : field;
    return value ? value->message : NULL;
}

bool field_emits_null(const FieldType *field)
{
    return field->message && !field->repeated && !field->oneof && !field->extension &&
           field->message->well_known != WELL_KNOWN_VALUE;
}

const EnumValue *enum_value_by_name(const EnumType *type, Bytes name)
{
    const uint16_t *slots = type->by_name;
    uint16_t mask = type->by_name_mask;
    if (name.size == 0)
        return NULL;
    for (uint32_t i = 0; !slots && i < type->n_values; i++) {
        if (is_name(type->values[i].name, name))
            return &type->values[i];
    }
    for (uint32_t at = bytes_hash(name) & mask; slots && slots[at]; at = (at + 1) & mask) {
        const EnumValue *value = &type->values[slots[at] - 1];
        if (is_name(value->name, name))
            return value;
    }
    return NULL;
}

static const EnumValue *value_in_order(const EnumType *type, uint32_t i)
{
    return &type->values[type->by_number ? type->by_number[i] : i];
}

const EnumValue *enum_value_by_number(const EnumType *type, int32_t number)
{
    uint32_t low = 0, high = type->n_values;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (value_in_order(type, middle)->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    const EnumValue *found = low < type->n_values ? value_in_order(type, low) : NULL;
    return found && found->number == number ? found : NULL;
}

const char *field_kind_name(FieldKind kind)
{
    static const char *const names[] = {
        "?",       "double",   "float",    "int64",  "uint64",  "int32", "fixed64",
        "fixed32", "bool",     "string",   "group",  "message", "bytes", "uint32",
        "enum",    "sfixed32", "sfixed64", "sint32", "sint64",
    };
    return (size_t)kind < sizeof(names) / sizeof(*names) ? names[kind] : "?";
}

const char *field_type_name(const FieldType *field)
{
    return field->message       ? field->message->full_name
           : field->enumeration ? field->enumeration->full_name
                                : field_kind_name(field->kind);
}
