#include "adapters/document/document_rules.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"

#include <stdio.h>

/* Field numbers of descriptor.proto. */
enum {
    SET_FILE = 1,
    FILE_PACKAGE = 2,
    FILE_MESSAGE = 4,
    MESSAGE_NAME = 1,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_OPTIONS = 7,
    FIELD_NAME = 1,
    FIELD_OPTIONS = 8,
};

/* Field numbers of document.proto. */
enum {
    OPTION_BARE = 50100,
    OPTION_SPELLED,
    OPTION_NEEDED,
    OPTION_LEAST,
    OPTION_MOST,
    OPTION_REPLACED_BY,
    OPTION_SECRET,
    OPTION_DEPRECATED_FOR,
    OPTION_WORDS = 50100,
};

static const FieldRules plain;

const FieldRules *field_rules(const DocumentRules *rules, const FieldType *field)
{
    if (!rules)
        return &plain;
    char key[512];
    int size = snprintf(key, sizeof key, "%s.%s", field->parent->full_name, field->name);
    const FieldRules *found =
        size < (int)sizeof key ? table_get(&rules->fields, bytes(key, (size_t)size)) : NULL;
    return found ? found : &plain;
}

const FieldType *bare_field(const DocumentRules *rules, const MessageType *type, bool list)
{
    for (uint32_t i = 0; i < type->n_fields; i++)
        if (type->fields[i].repeated == list && field_rules(rules, &type->fields[i])->bare)
            return &type->fields[i];
    return NULL;
}

bool message_has_words(const DocumentRules *rules, const MessageType *type)
{
    return rules && table_get(&rules->words, bytes_of(type->full_name));
}

static void read_options(Arena *arena, Bytes options, FieldRules *rules)
{
    WireReader reader = wire_reader(options);
    for (WireField field; wire_next(&reader, &field);)
        switch (field.number) {
        case OPTION_BARE: rules->bare = field.value; break;
        case OPTION_SPELLED: rules->spelled = (FieldSpelling)field.value; break;
        case OPTION_NEEDED: rules->needed = field.value; break;
        case OPTION_LEAST:
            rules->has_least = true;
            rules->least = (int64_t)field.value;
            break;
        case OPTION_MOST:
            rules->has_most = true;
            rules->most = (int64_t)field.value;
            break;
        case OPTION_REPLACED_BY: rules->replaced_by = arena_text(arena, field.bytes); break;
        case OPTION_DEPRECATED_FOR: rules->deprecated_for = arena_text(arena, field.bytes); break;
        case OPTION_SECRET: rules->secret = field.value; break;
        default: break; /* options that have no effect on documents */
        }
}

static void read_field(DocumentRules *rules, const char *message, Bytes descriptor)
{
    Arena *arena = rules->fields.arena;
    Bytes name = BYTES_NONE, options = BYTES_NONE;
    WireReader reader = wire_reader(descriptor);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == FIELD_NAME)
            name = field.bytes;
        else if (field.number == FIELD_OPTIONS)
            options = field.bytes;
    if (!options.size)
        return;
    FieldRules *read = arena_make(arena, FieldRules);
    read_options(arena, options, read);
    table_put(&rules->fields, bytes_of(arena_printf(arena, "%s.%.*s", message, BYTES_ARGS(name))),
              read);
}

static bool options_have_words(Bytes options)
{
    bool words = false;
    WireReader reader = wire_reader(options);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == OPTION_WORDS)
            words = field.value;
    return words;
}

static void read_message(DocumentRules *rules, const char *scope, Bytes descriptor)
{
    Arena *arena = rules->fields.arena;
    const char *name = scope;
    WireReader reader = wire_reader(descriptor);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == MESSAGE_NAME)
            name = arena_printf(arena, "%s.%.*s", scope, BYTES_ARGS(field.bytes));

    reader = wire_reader(descriptor);
    for (WireField field; wire_next(&reader, &field);)
        switch (field.number) {
        case MESSAGE_FIELD: read_field(rules, name, field.bytes); break;
        case MESSAGE_NESTED: read_message(rules, name, field.bytes); break;
        case MESSAGE_OPTIONS:
            if (options_have_words(field.bytes))
                table_put(&rules->words, bytes_of(name), rules);
            break;
        default: break;
        }
}

static void read_file(DocumentRules *rules, Bytes descriptor)
{
    const char *package = "";
    WireReader reader = wire_reader(descriptor);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == FILE_PACKAGE)
            package = arena_text(rules->fields.arena, field.bytes);

    reader = wire_reader(descriptor);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == FILE_MESSAGE)
            read_message(rules, package, field.bytes);
}

Result document_rules_load(Arena *arena, Bytes descriptor_set, const DocumentRules **rules_out)
{
    DocumentRules *rules = arena_make(arena, DocumentRules);
    rules->fields = rules->words = table_in(arena);
    WireReader reader = wire_reader(descriptor_set);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == SET_FILE)
            read_file(rules, field.bytes);
    if (reader.bad)
        return FAIL(arena, FAULT_BAD_SCHEMA, "reading options of a descriptor set");
    *rules_out = rules;
    return OK;
}
