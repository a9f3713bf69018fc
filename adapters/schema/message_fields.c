/* Third pass over the wire bytes of descriptor.proto: reads the fields of all messages and links
   their types. */
#include "adapters/schema/schema_internal.h"

#include <stdlib.h>

enum {
    MAX_FIELDS = 16000,   /* in one message: the limit of by_name, which has both spellings */
    DENSE_NUMBERS = 4096, /* field numbers below this are found by array */
    LABEL_REQUIRED = 2,
    LABEL_REPEATED = 3,
    FIELD_BEHAVIOR_OPTION = 1052,
    FIELD_BEHAVIOR_REQUIRED = 2, /* google/api/field_behavior.proto */
};

/* A FieldDescriptorProto, not linked yet. */
typedef struct FieldText {
    Bytes name, extendee, type_name, default_value, json_name;
    uint64_t number, label, type;
    int64_t oneof_index; /* -1: none */
    bool has_default, has_json_name, proto3_optional;
    bool has_packed, packed, behaves_required;
} FieldText;

static void read_behavior(const WireField *f, FieldText *text)
{
    if (f->type == WIRE_VARINT && f->value == FIELD_BEHAVIOR_REQUIRED)
        text->behaves_required = true;
    uint64_t behavior;
    const uint8_t *at = f->bytes.data, *end = at ? at + f->bytes.size : NULL;
    while (f->type == WIRE_LENGTH && at && at < end && (at = wire_varint(at, end, &behavior))) {
        if (behavior == FIELD_BEHAVIOR_REQUIRED)
            text->behaves_required = true;
    }
}

static Result read_field_options(Loader *loader, Bytes from, FieldText *text)
{
    WireReader reader = wire_reader(from);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 2) {
            text->has_packed = true;
            text->packed = f.value != 0;
        } else if (f.number == FIELD_BEHAVIOR_OPTION) {
            read_behavior(&f, text);
        }
    }
    return descriptor_end(loader, &reader, "FieldOptions");
}

static Result read_field(Loader *loader, Bytes from, FieldText *text)
{
    Result r = OK;
    *text = (FieldText){.oneof_index = -1};
    WireReader reader = wire_reader(from);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        switch (f.number) {
        case 1: text->name = f.bytes; break;
        case 2: text->extendee = f.bytes; break;
        case 3: text->number = f.value; break;
        case 4: text->label = f.value; break;
        case 5: text->type = f.value; break;
        case 6: text->type_name = f.bytes; break;
        case 7:
            text->default_value = f.bytes;
            text->has_default = true;
            break;
        case 8: r = read_field_options(loader, f.bytes, text); break;
        case 9: text->oneof_index = (int64_t)f.value; break;
        case 10:
            text->json_name = f.bytes;
            text->has_json_name = true;
            break;
        case 17: text->proto3_optional = f.value != 0; break;
        default: break;
        }
    }
    return failed(r) ? r : descriptor_end(loader, &reader, "FieldDescriptorProto");
}

static bool is_scalar(FieldKind kind)
{
    return kind != KIND_STRING && kind != KIND_BYTES && kind != KIND_MESSAGE && kind != KIND_GROUP;
}

/* Links the message or enum type of a field. */
static Result link_type(Loader *loader, const FieldText *text, FieldType *field)
{
    if (field->kind == KIND_MESSAGE || field->kind == KIND_GROUP)
        field->message = schema_message(loader->schema, text->type_name);
    else if (field->kind == KIND_ENUM)
        field->enumeration = schema_enum(loader->schema, text->type_name);
    else
        return OK;
    if (field->message || field->enumeration)
        return OK;
    return BAD_SCHEMA(loader, "%s: the type %.*s of field %s.%s is not in the set", loader->name,
                      BYTES_ARGS(text->type_name), field->parent->full_name, field->name);
}

/* "customer_id" -> "customerId", as protoc does it. */
static const char *camel_case(Loader *loader, const char *name)
{
    char *camel = (char *)(uintptr_t)loader_text(loader, bytes_of(name)), *to = camel;
    bool upper = false;
    for (const char *from = name; *from; from++) {
        if (*from == '_') {
            upper = true;
            continue;
        }
        *to++ = (char)(upper && *from >= 'a' && *from <= 'z' ? *from - 'a' + 'A' : *from);
        upper = false;
    }
    *to = '\0';
    return camel;
}

static void name_field(Loader *loader, const FieldText *text, FieldType *field)
{
    field->name = loader_name(loader, text->name);
    if (text->has_json_name && bytes_equal(text->json_name, text->name))
        field->json_name = field->name;
    else if (text->has_json_name)
        field->json_name = loader_json_name(loader, text->json_name);
    else if (!strchr(field->name, '_'))
        field->json_name = field->name;
    else
        field->json_name = camel_case(loader, field->name);
}

static void keep_default(Loader *loader, const FieldType *field, Bytes text)
{
    loader->defaults[loader->schema->n_defaults++] =
        (FieldDefault){field->parent->index, field->number, bytes_of(loader_text(loader, text))};
}

static Result define_field(Loader *loader, const FileScope *file, const FieldText *text,
                           FieldType *field)
{
    if (text->type < KIND_DOUBLE || text->type > KIND_SINT64 || text->number == 0 ||
        text->number > WIRE_MAX_NUMBER)
        return BAD_SCHEMA(loader, "%s: field %s.%s has type %u and number %u", loader->name,
                          field->parent->full_name, field->name, (unsigned)text->type,
                          (unsigned)text->number);
    field->number = (uint32_t)text->number;
    field->kind = (FieldKind)text->type;
    Result r = link_type(loader, text, field);
    if (failed(r))
        return r;

    bool message = field->message != NULL;
    field->repeated = text->label == LABEL_REPEATED;
    field->required = text->label == LABEL_REQUIRED;
    field->map = field->repeated && message && field->message->map_entry;
    field->packed = field->repeated && is_scalar(field->kind) &&
                    (text->has_packed ? text->packed : file->proto3);
    field->presence = !field->repeated && (message || !file->proto3 || text->proto3_optional ||
                                           text->oneof_index >= 0 || field->extension);
    field->check_utf8 = file->proto3 && field->kind == KIND_STRING;
    field->side_required = text->behaves_required;
    if (text->has_default)
        keep_default(loader, field, text->default_value);
    return OK;
}

static int by_field_number(const void *a, const void *b)
{
    uint32_t i = ((const FieldType *)a)->number, j = ((const FieldType *)b)->number;
    return (i > j) - (i < j);
}

/* An extension's name in its message is its JSON name. */
static const char *field_key(const FieldType *field)
{
    return field->extension ? field->json_name : field->name;
}

/* by_number of every message whose few fields have the numbers 1, 2, 3, ... */
static const uint16_t numbered[FEW_NAMES + 1] = {0, 1, 2, 3, 4, 5, 6, 7, 8};

static Result sort_fields(Loader *loader, MessageType *type)
{
    qsort(type->fields, type->n_fields, sizeof(FieldType), by_field_number);
    for (uint32_t i = 0; i < type->n_fields; i++) {
        type->fields[i].index = (uint16_t)i;
        if (i && type->fields[i].number == type->fields[i - 1].number)
            return BAD_SCHEMA(loader, "%s: %s has two fields with the number %u", loader->name,
                              type->full_name, type->fields[i].number);
    }
    return OK;
}

static uint32_t largest_dense(const MessageType *type)
{
    uint32_t largest = 0, limit = type->n_fields * 8 + 64;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        if (type->fields[i].number < limit && type->fields[i].number < DENSE_NUMBERS)
            largest = type->fields[i].number;
    }
    return largest;
}

static bool is_numbered(const MessageType *type)
{
    return !type->n_fields || type->fields[type->n_fields - 1].number == type->n_fields;
}

/* Names that have slots. */
static uint32_t count_names(const MessageType *type)
{
    uint32_t n = type->n_fields;
    for (uint32_t i = 0; i < type->n_fields; i++)
        n += field_key(&type->fields[i]) != type->fields[i].json_name;
    return n;
}

/* Numbers, and room for the names behind them. NULL: there are few names. */
static uint16_t *index_numbers(Loader *loader, MessageType *type)
{
    uint32_t n = largest_dense(type) + 1;
    bool few = type->n_fields <= FEW_NAMES;
    type->by_number_n = (uint16_t)n;
    type->by_number = numbered;
    if (few && is_numbered(type))
        return NULL;
    type->by_name_mask = few ? 0 : loader_name_mask(count_names(type));
    uint16_t *dense = arena_array(loader->arena, uint16_t, n + type->by_name_mask + !few);
    for (uint32_t i = 0; i < type->n_fields && type->fields[i].number < n; i++)
        dense[type->fields[i].number] = (uint16_t)(i + 1);
    type->by_number = dense;
    return few ? NULL : dense + n;
}

static Result two_fields(Loader *loader, const MessageType *type, const char *name)
{
    return BAD_SCHEMA(loader, "%s: %s has two fields %s", loader->name, type->full_name, name);
}

static Result check_few_names(Loader *loader, const MessageType *type)
{
    for (uint32_t i = 1; i < type->n_fields; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(field_key(&type->fields[i]), field_key(&type->fields[k])) == 0)
                return two_fields(loader, type, field_key(&type->fields[i]));
        }
    }
    return OK;
}

/* Names first, so that a JSON name never hides another field's name. */
static Result index_names(Loader *loader, MessageType *type)
{
    uint16_t *slots = index_numbers(loader, type);
    if (!slots)
        return check_few_names(loader, type);
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const char *name = field_key(&type->fields[i]);
        if (message_field(type, bytes_of(name)))
            return two_fields(loader, type, name);
        *loader_free_slot(slots, type->by_name_mask, name) = (uint16_t)(2 * i + 1);
    }
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const char *name = type->fields[i].json_name;
        if (!message_field(type, bytes_of(name)))
            *loader_free_slot(slots, type->by_name_mask, name) = (uint16_t)(2 * i + 2);
    }
    return OK;
}

/* The oneof of a proto3 `optional` field is synthetic: it only gives presence. */
static bool is_in_real_oneof(const FieldText *text)
{
    return text->oneof_index >= 0 && !text->proto3_optional;
}

/* The oneofs of one message while it is read; synthetic ones are left out. */
typedef struct OneofDraft {
    Bytes name;
    uint32_t n_fields;
    OneofType *oneof;
} OneofDraft;

static void keep_real_oneofs(Loader *loader, MessageType *type, OneofDraft *drafts, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        type->n_oneofs += drafts[i].n_fields > 0;
    type->oneofs = type->n_oneofs ? arena_array(loader->arena, OneofType, type->n_oneofs) : NULL;
    uint32_t index = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (drafts[i].n_fields == 0)
            continue;
        OneofType *oneof = &type->oneofs[index];
        *oneof = (OneofType){.name = loader_name(loader, drafts[i].name), .index = index};
        oneof->fields = arena_array(loader->arena, const FieldType *, drafts[i].n_fields);
        drafts[i].oneof = oneof;
        index++;
    }
}

/* Call after the fields have been sorted, when their addresses are final. */
static void link_oneofs(MessageType *type)
{
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const OneofType *of = type->fields[i].oneof;
        if (of) {
            OneofType *oneof = &type->oneofs[of->index];
            oneof->fields[oneof->n_fields++] = &type->fields[i];
        }
    }
}

/* Counts the fields and oneofs, and reads the options of the message. */
static Result read_shape(Loader *loader, const DeclaredMessage *declared, MessageType *type,
                         uint32_t *n_fields_out, uint32_t *n_oneofs_out)
{
    WireReader reader = wire_reader(declared->descriptor);
    *n_fields_out = *n_oneofs_out = 0;
    for (WireField f; wire_next(&reader, &f);) {
        *n_fields_out += f.number == 2;
        *n_oneofs_out += f.number == 8;
    }
    if (*n_fields_out + declared->n_extensions > MAX_FIELDS)
        return BAD_SCHEMA(loader, "%s: %s has more than %d fields", loader->name, type->full_name,
                          MAX_FIELDS);
    return OK;
}

static void read_message_options(const DeclaredMessage *declared, MessageType *type)
{
    WireReader reader = wire_reader(wire_find_bytes(declared->descriptor, 7));
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1)
            type->message_set = f.value != 0;
        else if (f.number == 7)
            type->map_entry = f.value != 0;
    }
}

static Result read_fields(Loader *loader, const DeclaredMessage *declared, MessageType *type,
                          FieldText *texts, OneofDraft *drafts, uint32_t n_oneofs)
{
    Result r = OK;
    uint32_t n = 0, oneof = 0;
    WireReader reader = wire_reader(declared->descriptor);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        if (f.number == 2)
            r = read_field(loader, f.bytes, &texts[n++]);
        else if (f.number == 8)
            drafts[oneof++].name = wire_find_bytes(f.bytes, 1);
    }
    for (uint32_t i = 0; !failed(r) && i < n; i++) {
        if (texts[i].oneof_index >= (int64_t)n_oneofs || texts[i].oneof_index < -1)
            return BAD_SCHEMA(loader, "%s: a field of %s is in a oneof that is not there",
                              loader->name, type->full_name);
        if (is_in_real_oneof(&texts[i]))
            drafts[texts[i].oneof_index].n_fields++;
    }
    return r;
}

static Result define_message(Loader *loader, uint32_t index, Arena *scratch)
{
    const DeclaredMessage *declared = &loader->messages[index];
    MessageType *type = &loader->schema->messages[index];
    uint32_t n_fields, n_oneofs;
    Result r = read_shape(loader, declared, type, &n_fields, &n_oneofs);
    if (failed(r))
        return r;

    FieldText *texts = arena_array(scratch, FieldText, n_fields);
    OneofDraft *drafts = arena_array(scratch, OneofDraft, n_oneofs);
    r = read_fields(loader, declared, type, texts, drafts, n_oneofs);
    keep_real_oneofs(loader, type, drafts, n_oneofs);
    type->fields = loader->fields;
    loader->fields += n_fields + declared->n_extensions;
    CHECK(loader->fields <= loader->fields_end);
    for (uint32_t i = 0; !failed(r) && i < n_fields; i++) {
        FieldType *field = &type->fields[type->n_fields++];
        field->parent = type;
        name_field(loader, &texts[i], field);
        r = define_field(loader, declared->file, &texts[i], field);
        if (is_in_real_oneof(&texts[i]))
            field->oneof = drafts[texts[i].oneof_index].oneof;
    }
    return r;
}

/* ---- Extensions ------------------------------------------------------------------------------ */

static Result count_extension(Loader *loader, DeclaredExtension *extension)
{
    Bytes extendee = wire_find_bytes(extension->descriptor, 2);
    extension->extended = schema_message(loader->schema, extendee);
    if (!extension->extended)
        return BAD_SCHEMA(loader, "%s: %.*s, which %s extends, is not in the set", loader->name,
                          BYTES_ARGS(extendee), extension->scope);
    loader->messages[extension->extended->index].n_extensions++;
    return OK;
}

static Result define_extension(Loader *loader, const DeclaredExtension *extension)
{
    FieldText text;
    Result r = read_field(loader, extension->descriptor, &text);
    if (failed(r))
        return r;
    MessageType *type = &loader->schema->messages[extension->extended->index];
    FieldType *field = &type->fields[type->n_fields++];
    field->parent = type;
    field->extension = true;
    field->name = loader_join(loader, extension->scope, text.name);
    char *json_name = arena_alloc(loader->scratch, strlen(field->name) + 3);
    json_name[0] = '[';
    memcpy(json_name + 1, field->name, strlen(field->name));
    memcpy(json_name + 1 + strlen(field->name), "]", 2);
    field->json_name = loader_text(loader, bytes_of(json_name));
    return define_field(loader, extension->file, &text, field);
}

static int by_message(const void *a, const void *b)
{
    const FieldDefault *i = a, *j = b;
    return i->message != j->message ? (i->message > j->message) - (i->message < j->message)
                                    : (i->number > j->number) - (i->number < j->number);
}

Bytes field_default(const FieldType *field)
{
    const MessageType *type = field->parent;
    if (!type || !type->schema->n_defaults)
        return BYTES_NONE;
    const FieldDefault *found =
        bsearch(&(FieldDefault){.message = type->index, .number = field->number},
                type->schema->defaults, type->schema->n_defaults, sizeof *found, by_message);
    return found ? found->text : BYTES_NONE;
}

/* Plans rely on a map entry having exactly a key and a value. */
static Result check_map_entry(Loader *loader, const MessageType *type)
{
    const FieldType *key = message_field_by_number(type, 1);
    const FieldType *value = message_field_by_number(type, 2);
    if (type->n_fields == 2 && key && value && !key->repeated && !value->repeated &&
        !key->message && !key->enumeration && key->kind != KIND_BYTES && key->kind != KIND_FLOAT &&
        key->kind != KIND_DOUBLE)
        return OK;
    return BAD_SCHEMA(loader, "%s: %s is no valid map entry", loader->name, type->full_name);
}

Result descriptor_define(Loader *loader)
{
    Result r = OK;
    Schema *schema = loader->schema;
    Arena *scratch = arena_new(ARENA_UNLIMITED);
    for (uint32_t i = 0; i < schema->n_messages; i++)
        read_message_options(&loader->messages[i], &schema->messages[i]);
    for (size_t i = 0; !failed(r) && i < loader->n_extensions; i++)
        r = count_extension(loader, &loader->extensions[i]);
    for (uint32_t i = 0; !failed(r) && i < schema->n_messages; i++) {
        arena_reset(scratch);
        r = define_message(loader, i, scratch);
    }
    arena_free(scratch);
    for (size_t i = 0; !failed(r) && i < loader->n_extensions; i++)
        r = define_extension(loader, &loader->extensions[i]);
    if (schema->n_defaults)
        qsort(loader->defaults, schema->n_defaults, sizeof(FieldDefault), by_message);
    for (uint32_t i = 0; !failed(r) && i < schema->n_messages; i++) {
        r = sort_fields(loader, &schema->messages[i]);
        if (!failed(r))
            r = index_names(loader, &schema->messages[i]);
        if (!failed(r) && schema->messages[i].map_entry)
            r = check_map_entry(loader, &schema->messages[i]);
        if (!failed(r))
            link_oneofs(&schema->messages[i]);
    }
    for (uint32_t i = 0; !failed(r) && i < schema->n_messages; i++)
        r = well_known_check(loader, &schema->messages[i]);
    return r;
}
