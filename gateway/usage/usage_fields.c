#include "gateway/usage/usage_fields.h"

#include "adapters/paths/parameter_path.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "base/text/json_text.h"

enum { DEPTH = 100 /* of messages in messages; what is deeper is refused as too deep anyway */ };

typedef struct Slot {
    const FieldType *field; /* NULL: free */
    uint32_t set, mask;     /* numbers of its uses */
} Slot;

struct UsageFields {
    const MessageType *input, *output;
    UsageTable *table;
    Slot *slots;
    uint32_t n_slots; /* a power of 2 */
};

/* ---- The fields of a method ------------------------------------------------------------------ */

static Slot *slot_of(const UsageFields *fields, const FieldType *field)
{
    uint32_t at = (uint32_t)((uintptr_t)field / sizeof *field * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    while (fields->slots[at & (fields->n_slots - 1)].field &&
           fields->slots[at & (fields->n_slots - 1)].field != field)
        at++;
    return &fields->slots[at & (fields->n_slots - 1)];
}

/* Messages whose fields are told: not those with a meaning of their own, such as Timestamp. */
static bool has_fields(const MessageType *type)
{
    return type && type->well_known == WELL_KNOWN_NONE;
}

/* Of a map the message of its values. NULL: none. */
static const MessageType *message_behind(const FieldType *field)
{
    return field->map ? field->message->fields[field->message->n_fields - 1].message
                      : field->message;
}

typedef struct Types {
    const MessageType **items;
    uint32_t n;
    bool *seen; /* [MessageType.index] */
} Types;

static void add_type(Types *types, const MessageType *type)
{
    if (!has_fields(type) || types->seen[type->index])
        return;
    types->seen[type->index] = true;
    types->items[types->n++] = type;
}

/* All that can be reached from the messages of the method. */
static Types reach(const UsageFields *fields, const Schema *schema, Arena *arena)
{
    Types types = {.items = arena_array(arena, const MessageType *, schema->n_messages),
                   .seen = arena_array(arena, bool, schema->n_messages)};
    add_type(&types, fields->input);
    add_type(&types, fields->output);
    for (uint32_t i = 0; i < types.n; i++)
        for (uint32_t k = 0; k < types.items[i]->n_fields; k++)
            add_type(&types, message_behind(&types.items[i]->fields[k]));
    return types;
}

static void number_field(UsageFields *fields, const Method *method, const FieldType *field,
                         UsageNames *names, Arena *arena)
{
    UsageName name = {.service = bytes_of(method->version->service->name),
                      .version = bytes_of(method->version->name),
                      .method = bytes_of(method->type->path + 1)};
    Slot *slot = slot_of(fields, field);
    slot->field = field;
    name.field = bytes_of(arena_printf(arena, "%s.%s", field->parent->name, field->name));
    slot->set = usage_names_number(names, &name);
    name.field = bytes_of(arena_printf(arena, "mask:%s.%s", field->parent->name, field->name));
    slot->mask = usage_names_number(names, &name);
}

const UsageFields *usage_fields_new(const Method *method, UsageNames *names, UsageTable *table,
                                    Arena *arena)
{
    UsageFields *fields = arena_make(arena, UsageFields);
    *fields = (UsageFields){
        .input = method->type->input, .output = method->type->output, .table = table, .n_slots = 1};
    Arena *scratch = arena_new(ARENA_UNLIMITED);
    Types types = reach(fields, method->version->schema, scratch);
    uint32_t n = 0;
    for (uint32_t i = 0; i < types.n; i++)
        n += types.items[i]->n_fields;
    while (fields->n_slots < 2 * n + 1)
        fields->n_slots *= 2;
    fields->slots = arena_array(arena, Slot, fields->n_slots);
    for (uint32_t i = 0; i < types.n; i++)
        for (uint32_t k = 0; k < types.items[i]->n_fields; k++)
            number_field(fields, method, &types.items[i]->fields[k], names, scratch);
    arena_free(scratch);
    return fields;
}

/* ---- Reading a request ----------------------------------------------------------------------- */

typedef struct Seeing {
    const UsageFields *fields;
    Arena *arena;
    uint64_t *set, *mask; /* a bit per slot */
    int depth;
} Seeing;

static void mark(Seeing *seeing, uint64_t *bits, const FieldType *field)
{
    uint32_t at = (uint32_t)(slot_of(seeing->fields, field) - seeing->fields->slots);
    if (seeing->fields->slots[at].field)
        bits[at / 64] |= UINT64_C(1) << (at % 64);
}

/* The field that the path leads to, where all of it is known. */
static void mark_path(Seeing *seeing, uint64_t *bits, const MessageType *type, Bytes text)
{
    ParameterPath path = parameter_path(type, text);
    const FieldType *last = NULL;
    while (parameter_path_next(&path) == PARAMETER_FIELD)
        last = path.field;
    if (last && !path.rest.data)
        mark(seeing, bits, last);
}

/* What a mask names is a field of a message beside it, or of the response. */
static void see_mask_path(Seeing *seeing, const MessageType *beside, Bytes path)
{
    for (uint32_t i = 0; i < beside->n_fields; i++)
        if (has_fields(beside->fields[i].message))
            mark_path(seeing, seeing->mask, beside->fields[i].message, path);
    mark_path(seeing, seeing->mask, seeing->fields->output, path);
}

/* ---- Protobuf -------------------------------------------------------------------------------- */

static void see_wire(Seeing *seeing, const MessageType *type, Bytes message);

static void see_wire_mask(Seeing *seeing, const MessageType *beside, Bytes mask)
{
    WireReader reader = wire_reader(mask);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == 1 && field.type == WIRE_LENGTH)
            see_mask_path(seeing, beside, field.bytes);
}

/* The value is field 2 of an entry. */
static void see_wire_entry(Seeing *seeing, const MessageType *value, Bytes entry)
{
    WireReader reader = wire_reader(entry);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == 2 && field.type == WIRE_LENGTH)
            see_wire(seeing, value, field.bytes);
}

static void see_wire(Seeing *seeing, const MessageType *type, Bytes message)
{
    WireReader reader = wire_reader(message);
    if (seeing->depth++ < DEPTH)
        for (WireField read; wire_next(&reader, &read);) {
            const FieldType *field = message_field_by_number(type, read.number);
            if (!field)
                continue;
            mark(seeing, seeing->set, field);
            const MessageType *behind = message_behind(field);
            if (read.type != WIRE_LENGTH && read.type != WIRE_GROUP)
                continue;
            if (behind && behind->well_known == WELL_KNOWN_FIELD_MASK)
                see_wire_mask(seeing, type, read.bytes);
            else if (has_fields(behind) && field->map)
                see_wire_entry(seeing, behind, read.bytes);
            else if (has_fields(behind))
                see_wire(seeing, behind, read.bytes);
        }
    seeing->depth--;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void see_json(Seeing *seeing, const MessageType *type, JsonCursor *cursor);

static void see_json_mask(Seeing *seeing, const MessageType *beside, JsonCursor *cursor)
{
    Bytes paths = json_cursor_string(cursor), path;
    while (bytes_split(&paths, ',', &path))
        see_mask_path(seeing, beside, path);
}

/* One message: an element of a list, the value of an entry. */
static void see_json_message(Seeing *seeing, const MessageType *type, JsonCursor *cursor)
{
    if (has_fields(type) && json_cursor_peek(cursor) == JSON_KIND_OBJECT)
        see_json(seeing, type, cursor);
    else
        json_cursor_skip(cursor);
}

static void see_json_value(Seeing *seeing, const FieldType *field, const MessageType *beside,
                           JsonCursor *cursor)
{
    const MessageType *behind = message_behind(field);
    JsonTextKind kind = json_cursor_peek(cursor);
    bool first = true;
    Bytes name;
    if (behind && behind->well_known == WELL_KNOWN_FIELD_MASK && kind == JSON_KIND_STRING)
        see_json_mask(seeing, beside, cursor);
    else if (field->map && kind == JSON_KIND_OBJECT)
        while (json_cursor_member(cursor, &first, &name))
            see_json_message(seeing, behind, cursor);
    else if (field->repeated && kind == JSON_KIND_ARRAY)
        while (json_cursor_element(cursor, &first))
            see_json_message(seeing, behind, cursor);
    else
        see_json_message(seeing, behind, cursor);
}

/* A field that is null is not set. */
static void see_json(Seeing *seeing, const MessageType *type, JsonCursor *cursor)
{
    bool first = true;
    if (seeing->depth++ >= DEPTH)
        cursor->bad = true;
    for (Bytes name; json_cursor_member(cursor, &first, &name);) {
        const FieldType *field = message_field(type, name);
        if (!field || json_cursor_peek(cursor) == JSON_KIND_NULL) {
            json_cursor_skip(cursor);
            continue;
        }
        mark(seeing, seeing->set, field);
        see_json_value(seeing, field, type, cursor);
    }
    seeing->depth--;
}

/* The body is all of the message, or one field of it. */
static void see_body(Seeing *seeing, const PlanInput *input)
{
    const MessageType *type = seeing->fields->input;
    JsonCursor cursor = json_cursor(input->bytes, seeing->arena);
    if (!input->body_field.size) {
        see_json_message(seeing, type, &cursor);
        return;
    }
    const FieldType *field = message_field(type, input->body_field);
    if (!field)
        return;
    mark(seeing, seeing->set, field);
    see_json_value(seeing, field, type, &cursor);
}

/* Each field on the way to the value is set by it; a mask names others. */
static void see_parameter(Seeing *seeing, const PlanParameter *parameter)
{
    ParameterPath path = parameter_path(seeing->fields->input, parameter->field_path);
    while (parameter_path_next(&path) == PARAMETER_FIELD) {
        Bytes paths = parameter->text, name;
        const MessageType *behind = message_behind(path.field);
        mark(seeing, seeing->set, path.field);
        if (behind && behind->well_known == WELL_KNOWN_FIELD_MASK)
            while (bytes_split(&paths, ',', &name))
                see_mask_path(seeing, path.field->parent, name);
    }
}

/* ---- Counting -------------------------------------------------------------------------------- */

static void count_bits(const UsageFields *fields, const UsageRequest *request, uint64_t *bits,
                       bool is_mask)
{
    for (uint32_t i = 0; i < (fields->n_slots + 63) / 64; i++)
        for (; bits[i]; bits[i] &= bits[i] - 1) {
            const Slot *slot = &fields->slots[i * 64 + (uint32_t)__builtin_ctzll(bits[i])];
            usage_table_call(fields->table, is_mask ? slot->mask : slot->set, request->client,
                             request->wall);
        }
}

void usage_fields_see(const UsageFields *fields, const UsageRequest *request, Arena *arena)
{
    const PlanInput *input = request->input;
    uint32_t n = (fields->n_slots + 63) / 64;
    uint64_t *bits = arena_array(arena, uint64_t, 2 * (size_t)n);
    Seeing seeing = {.fields = fields, .arena = arena, .set = bits, .mask = bits + n};
    if (!bits)
        return;
    if (!request->json)
        see_wire(&seeing, fields->input, input->bytes);
    else if (!input->no_body)
        see_body(&seeing, input);
    for (uint32_t i = 0; i < input->n_parameters; i++)
        see_parameter(&seeing, &input->parameters[i]);
    count_bits(fields, request, seeing.set, false);
    count_bits(fields, request, seeing.mask, true);
}
