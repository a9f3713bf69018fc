#include "adapters/schema/schema.h"

#include "adapters/schema/schema_internal.h"
#include "base/file/file.h"
#include "base/problem.h"
#include "base/text/utf8.h"

#include <stdlib.h>

enum {
    FIRST_NAMES = 1 << 9, /* bytes of the first block of names; each has twice as many, up to */
    MOST_NAMES = 1 << 16,
    MAX_FILES = 100000,
};

extern const Bytes well_known_set; /* google/protobuf/ *.proto, compiled into the program */

/* ---- Names ----------------------------------------------------------------------------------- */

static char *name_room(Loader *loader, size_t size)
{
    if (size > FIRST_NAMES / 4)
        return arena_alloc(loader->arena, size);
    if ((size_t)(loader->names_end - loader->names) < size) {
        size_t block = loader->name_block ? loader->name_block : FIRST_NAMES;
        loader->names = arena_alloc(loader->arena, block);
        loader->names_end = loader->names + block;
        loader->name_block = block < MOST_NAMES ? block * 2 : block;
    }
    char *room = loader->names;
    loader->names += size;
    return room;
}

const char *loader_text(Loader *loader, Bytes text)
{
    char *copy = name_room(loader, text.size + 1);
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

const char *loader_name(Loader *loader, Bytes name)
{
    if (!is_word(name))
        note_bad(loader, name);
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
    if (!is_word(name))
        note_bad(loader, name);
    if (size == 0)
        return loader_text(loader, name);
    char *joined = name_room(loader, size + 1 + name.size + 1);
    memcpy(joined, scope, size);
    joined[size] = '.';
    if (name.size)
        memcpy(joined + size + 1, name.data, name.size);
    joined[size + 1 + name.size] = '\0';
    return joined;
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* The files of a descriptor set in its order, and the well-known files that it lacks. */
typedef struct FileList {
    FileScope *items;
    size_t n, capacity;
} FileList;

static Result file_list_add(Loader *loader, FileList *list, FileScope scope)
{
    if (list->n == MAX_FILES)
        return FAIL(loader->arena, FAULT_BAD_SCHEMA, "%s: more than %d files", loader->name,
                    MAX_FILES);
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        list->items = arena_grow(loader->scratch, list->items, list->n * sizeof(FileScope),
                                 capacity * sizeof(FileScope));
        list->capacity = capacity;
    }
    list->items[list->n++] = scope;
    return OK;
}

static Result read_syntax(Loader *loader, FileScope *scope, Bytes syntax)
{
    scope->proto3 = bytes_are(syntax, "proto3");
    if (scope->proto3 || syntax.size == 0 || bytes_are(syntax, "proto2"))
        return OK;
    return FAIL(loader->arena, FAULT_BAD_SCHEMA,
                "%s: %s has the syntax \"%.*s\": only proto2 and "
                "proto3 are read",
                loader->name, scope->name, BYTES_ARGS(syntax));
}

/* Adds one FileDescriptorProto. A duplicate is ignored; a different file with the same name is an
   error. */
static Result add_file(Loader *loader, FileList *list, Bytes descriptor)
{
    FileScope scope = {.name = "", .package = "", .descriptor = descriptor};
    Bytes syntax = BYTES_NONE;
    uint32_t n_dependencies = 0;
    WireReader reader = wire_reader(descriptor), again = reader;
    for (WireField f; wire_next(&reader, &f);) {
        switch (f.number) {
        case 1: scope.name = loader_text(loader, f.bytes); break;
        case 2: scope.package = loader_package(loader, f.bytes); break;
        case 3: n_dependencies++; break;
        case 12: syntax = f.bytes; break;
        default: break;
        }
    }
    Result r = descriptor_end(loader, &reader, "FileDescriptorProto");
    if (!failed(r))
        r = read_syntax(loader, &scope, syntax);
    if (failed(r))
        return r;

    const SchemaFile *before = table_get(&loader->schema->files, bytes_of(scope.name));
    if (before && bytes_equal(before->descriptor, descriptor))
        return OK;
    if (before || !*scope.name)
        return FAIL(loader->arena, FAULT_BAD_SCHEMA, "%s: the set has two files named \"%s\"",
                    loader->name, scope.name);

    const char **dependencies = arena_array(loader->arena, const char *, n_dependencies);
    SchemaFile *file = arena_make(loader->arena, SchemaFile);
    *file = (SchemaFile){scope.name, scope.package, descriptor, dependencies, n_dependencies};
    for (WireField f; wire_next(&again, &f);) {
        if (f.number == 3)
            *dependencies++ = loader_text(loader, f.bytes);
    }
    table_put(&loader->schema->files, bytes_of(scope.name), file);
    return file_list_add(loader, list, scope);
}

static Result add_files(Loader *loader, FileList *list, Bytes set)
{
    Result r = OK;
    WireReader reader = wire_reader(set);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH)
            r = add_file(loader, list, f.bytes);
    }
    return failed(r) ? r : descriptor_end(loader, &reader, "FileDescriptorSet");
}

/* The well-known file with this name, or nothing. */
static Bytes well_known_file(const char *name)
{
    WireReader reader = wire_reader(well_known_set);
    for (WireField f; wire_next(&reader, &f);) {
        WireReader file = wire_reader(f.bytes);
        for (WireField g; wire_next(&file, &g);) {
            if (g.number == 1 && bytes_are(g.bytes, name))
                return f.bytes;
        }
    }
    return BYTES_NONE;
}

/* The list grows during the loop: added files may import others in turn. */
static Result supply_missing(Loader *loader, FileList *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const SchemaFile *file = table_get(&loader->schema->files, bytes_of(list->items[i].name));
        for (uint32_t d = 0; d < file->n_dependencies; d++) {
            const char *name = file->dependencies[d];
            if (table_get(&loader->schema->files, bytes_of(name)))
                continue;
            Bytes supplied = well_known_file(name);
            if (!supplied.data)
                return FAIL(loader->arena, FAULT_BAD_SCHEMA,
                            "%s: %s imports %s, which is not in the "
                            "set (protoc --include_imports --descriptor_set_out=%s %s puts it "
                            "there)",
                            loader->name, file->name, name, loader->name, file->name);
            Result r = add_file(loader, list, supplied);
            if (failed(r))
                return r;
        }
    }
    return OK;
}

/* ---- Loading --------------------------------------------------------------------------------- */

typedef Result (*FilePass)(Loader *loader, const FileScope *file);

static Result each_file(Loader *loader, const FileList *list, FilePass pass)
{
    Result r = OK;
    for (size_t i = 0; !failed(r) && i < list->n; i++)
        r = pass(loader, &list->items[i]);
    return r;
}

/* Types were counted first, so that each kind is one array that never moves. */
static void make_room(Loader *loader)
{
    Schema *schema = loader->schema;
    schema->messages = arena_array(loader->arena, MessageType, schema->n_messages);
    schema->enums = arena_array(loader->arena, EnumType, schema->n_enums);
    schema->services = arena_array(loader->arena, ServiceType, schema->n_services);
    loader->messages = arena_array(loader->scratch, DeclaredMessage, schema->n_messages);
    schema->n_messages = schema->n_enums = schema->n_services = 0;
}

static Result load(Loader *loader, Bytes set)
{
    FileList list = {0};
    Result r = add_files(loader, &list, set);
    if (!failed(r))
        r = supply_missing(loader, &list);
    if (!failed(r))
        r = each_file(loader, &list, descriptor_count);
    if (failed(r))
        return r;

    make_room(loader);
    r = each_file(loader, &list, descriptor_declare);
    if (!failed(r))
        r = descriptor_define(loader);
    if (!failed(r))
        r = each_file(loader, &list, descriptor_define_services);
    if (!failed(r))
        r = each_file(loader, &list, schema_note_names);
    return r;
}

Result schema_load(Arena *arena, Bytes descriptor_set, const char *name, const Schema **schema_out)
{
    Schema *schema = arena_make(arena, Schema);
    CHECK(schema);
    *schema = (Schema){.name = arena_string(arena, name)};
    schema->messages_by_name = schema->enums_by_name = schema->services_by_name = schema->files =
        schema->declared = table_in(arena);

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

static void *find_by_name(const Table *table, Bytes name)
{
    if (name.size && name.data[0] == '.')
        name = bytes(name.data + 1, name.size - 1);
    return table_get(table, name);
}

const MessageType *schema_message(const Schema *schema, Bytes full_name)
{
    return find_by_name(&schema->messages_by_name, full_name);
}

const EnumType *schema_enum(const Schema *schema, Bytes full_name)
{
    return find_by_name(&schema->enums_by_name, full_name);
}

const ServiceType *schema_service(const Schema *schema, Bytes full_name)
{
    return find_by_name(&schema->services_by_name, full_name);
}

static bool is_name(const char *name, Bytes wanted)
{
    return strlen(name) == wanted.size && memcmp(name, wanted.data, wanted.size) == 0;
}

const FieldType *message_field(const MessageType *message, Bytes name)
{
    const NameIndex *index = &message->by_name;
    if (name.size == 0)
        return NULL;
    for (uint32_t at = (uint32_t)bytes_hash(name) & index->mask; index->slots[at];
         at = (at + 1) & index->mask) {
        const FieldType *field = &message->fields[index->slots[at] - 1];
        if (is_name(field->json_name, name) || (!field->extension && is_name(field->name, name)))
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
    const NameIndex *index = &type->by_name;
    if (name.size == 0)
        return NULL;
    for (uint32_t at = (uint32_t)bytes_hash(name) & index->mask; index->slots[at];
         at = (at + 1) & index->mask) {
        const EnumValue *value = &type->values[index->slots[at] - 1];
        if (is_name(value->name, name))
            return value;
    }
    return NULL;
}

const EnumValue *enum_value_by_number(const EnumType *type, int32_t number)
{
    uint32_t low = 0, high = type->n_values;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (type->values[type->by_number[middle]].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == type->n_values || type->values[type->by_number[low]].number != number)
        return NULL;
    return &type->values[type->by_number[low]];
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
