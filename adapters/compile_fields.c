/* The scan tables and the operations of one program. */
#include "adapters/compile.h"

#include <stdlib.h>

enum { MOST_SLOTS = 60000 };

/* A value that operations so far have put into a slot. */
typedef struct Operand {
    uint16_t slot;
    Form form;
    ValueType type;
    const FieldType *source; /* FORM_SOURCE: the field that it is of */
    const char *where;       /* path in the source */
    bool zero_when_unset;
} Operand;

typedef struct Draft {
    Compiler *compiler;
    Arena *arena;
    Program *program;
    ScanTable *root;
    ScanTable **tables;
    uint32_t n_tables;
    PlanOp *ops;
    uint32_t n_ops, op_capacity;
    Codec to; /* what is written now: BUILDs that are values are written as protobuf */
    unsigned open;
    Result failure;
} Draft;

static void refuse(Draft *d, const char *what)
{
    if (!failed(d->failure))
        d->failure = FAIL(d->arena, FAULT_BAD_CHANGES, "%s -> %s: %s",
                          d->program->from->full_name, d->program->to->full_name, what);
}

/* ---- Slots --------------------------------------------------------------------------------------- */

static uint16_t new_slot(Draft *d)
{
    if (d->program->n_slots == MOST_SLOTS) {
        refuse(d, "too many fields for one program");
        return 0;
    }
    return (uint16_t)d->program->n_slots++;
}

static ScanTable *new_table(Draft *d, const MessageType *type)
{
    ScanTable *table = arena_make(d->arena, ScanTable);
    *table = (ScanTable){.type = type, .seen = d->program->n_seen, .oneofs = d->program->n_oneofs};
    table->fields = arena_array(d->arena, ScanField, type->n_fields);
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const FieldType *field = &type->fields[i];
        uint32_t oneof = field->oneof ? table->oneofs + field->oneof->index + 1 : 0;
        table->fields[i] = (ScanField){
            .field = field, .slot = NO_SLOT, .oneof = (uint16_t)oneof, .presence = field->presence,
            .json_size = (uint16_t)strnlen(field->json_name, UINT16_MAX),
            .tag = field->number << 3 |
                   (field->packed ? WIRE_LENGTH : kind_wire_type(field->kind)),
            .check_utf8 = field->check_utf8 && d->program->to_codec == CODEC_PROTO,
        };
    }
    d->program->n_seen += type->n_fields;
    d->program->n_oneofs += type->n_oneofs;
    d->tables = arena_grow(d->arena, d->tables, d->n_tables * sizeof(*d->tables),
                           (d->n_tables + 1) * sizeof(*d->tables));
    d->tables[d->n_tables++] = table;
    return table;
}

static const char *source_name(const Draft *d, const FieldType *field)
{
    return d->program->from_codec == CODEC_JSON ? field->json_name : field->name;
}

/* The slot of a field, by its path. */
static Operand field_operand(Draft *d, const Expr *expr)
{
    ScanTable *table = d->root;
    Buffer where = buffer_in(d->arena);
    ScanField *field = NULL;
    for (uint32_t i = 0; i < expr->n_steps; i++) {
        const FieldType *step = expr->steps[i];
        CHECK(step->parent == table->type);
        field = &table->fields[step->index];
        buffer_add_text(&where, i ? "." : "");
        buffer_add_text(&where, source_name(d, step));
        if (i + 1 == expr->n_steps)
            break;
        if (!field->inside)
            field->inside = new_table(d, step->message);
        table = (ScanTable *)(uintptr_t)field->inside;
    }
    CHECK(field);
    if (field->slot == NO_SLOT)
        field->slot = new_slot(d);
    buffer_add_byte(&where, '\0');
    const FieldType *type = field->field;
    return (Operand){
        .slot = field->slot, .form = FORM_SOURCE, .source = type, .where = (char *)where.data,
        .type = {type->kind, type->repeated, type->message, type->enumeration},
        .zero_when_unset = !type->presence && !type->repeated && expr->n_steps == 1,
    };
}

/* Strings that go to JSON are checked when they are written. */
static ScanRead choose_read(const ScanField *scan)
{
    const FieldType *field = scan->field;
    if (scan->pass)
        return straight_read(field, scan->pass->program);
    if (scan->slot == NO_SLOT || scan->inside || scan->oneof ||
        (field->parent->message_set && field->extension))
        return READ_OTHER;
    if (field->packed)
        return READ_PACKED;
    if (field->repeated)
        return field->kind == KIND_GROUP ? READ_OTHER : READ_RECORDS;
    switch (field->kind) {
    case KIND_INT64:
    case KIND_UINT64: return READ_VARINT_64;
    case KIND_INT32: return READ_VARINT_32;
    case KIND_ENUM: return field->enumeration->closed ? READ_OTHER : READ_VARINT_32;
    case KIND_DOUBLE:
    case KIND_FIXED64:
    case KIND_SFIXED64: return READ_FIXED_64;
    case KIND_STRING:
    case KIND_BYTES: return READ_BYTES;
    case KIND_MESSAGE: return READ_MESSAGE;
    default: return READ_OTHER;
    }
}

/* Members of a oneof unset each other, so when one is read all must be seen. */
static void finish_tables(Draft *d)
{
    for (uint32_t t = 0; t < d->n_tables; t++) {
        ScanTable *table = d->tables[t];
        for (uint32_t i = 0; i < table->type->n_fields; i++) {
            if (table->fields[i].oneof && table->fields[i].slot == NO_SLOT && !table->fields[i].pass)
                table->fields[i].slot = new_slot(d);
            table->fields[i].read = (uint8_t)choose_read(&table->fields[i]);
            if (table->fields[i].tag < 128)
                table->by_tag[table->fields[i].tag] = (uint16_t)(i + 1);
        }
    }
    Program *p = d->program;
    if (p->n_oneofs > UINT16_MAX - 1)
        refuse(d, "too many oneofs for one program");
    p->frame_clear = (p->n_slots + 63) / 64 * 8 + (p->n_seen + 63) / 64 * 8 +
                     (p->n_oneofs + 3) / 4 * 8;
    p->frame_class =
        32 - (uint32_t)__builtin_clz((uint32_t)(p->n_slots * sizeof(Value) + p->frame_clear) | 63);
    p->scan = d->root;
}

/* ---- Operations ---------------------------------------------------------------------------------- */

static PlanOp *add_op(Draft *d, PlanOp op)
{
    if (d->n_ops == d->op_capacity) {
        uint32_t capacity = d->op_capacity ? d->op_capacity * 2 : 8;
        d->ops = arena_grow(d->arena, d->ops, d->n_ops * sizeof(PlanOp), capacity * sizeof(PlanOp));
        d->op_capacity = capacity;
    }
    d->ops[d->n_ops] = op;
    return &d->ops[d->n_ops++];
}

/* A jump over what is added until jump_here. */
static uint32_t add_jump(Draft *d, PlanOp op)
{
    add_op(d, op);
    return d->n_ops - 1;
}

static void jump_here(Draft *d, uint32_t jump)
{
    d->ops[jump].skip = d->n_ops - jump - 1;
}

static Codec operand_codec(const Draft *d, const Operand *from)
{
    return from->form == FORM_SOURCE ? d->program->from_codec : CODEC_PROTO;
}

static const FieldType *entry_field(const MessageType *entry, uint32_t number)
{
    return message_field_by_number(entry, number);
}

static bool is_map(ValueType type)
{
    return type.repeated && type.message && type.message->map_entry;
}

/* Of a map, its values' message. */
static const MessageType *value_message(ValueType type)
{
    return is_map(type) ? entry_field(type.message, 2)->message : type.message;
}

static const ElementShape *shape_of(Draft *d, const Operand *from)
{
    ElementShape *shape = arena_make(d->arena, ElementShape);
    const FieldType *source = from->form == FORM_SOURCE ? from->source : NULL;
    *shape = (ElementShape){.source = source, .kind = from->type.kind, .form = from->form,
                            .enumeration = from->type.enumeration, .map = is_map(from->type)};
    bool check = d->to == CODEC_PROTO;
    if (source)
        shape->check_utf8 = check && source->check_utf8;
    const MessageType *message = from->type.message;
    if (shape->map) {
        const FieldType *key = entry_field(message, 1), *value = entry_field(message, 2);
        shape->key = key->kind;
        shape->kind = value->kind;
        shape->enumeration = value->enumeration;
        shape->key_tag = (uint8_t)(1 << 3 | kind_wire_type(key->kind));
        shape->value_tag = (uint8_t)(2 << 3 | kind_wire_type(value->kind));
        shape->key_check_utf8 = check && key->check_utf8;
        shape->check_utf8 = check && value->check_utf8;
        message = value->message;
    }
    shape->nulls = (message && message->well_known == WELL_KNOWN_VALUE) ||
                   (shape->enumeration && shape->enumeration->is_null_value);
    return shape;
}

/* A new slot with what is computed from `from`. */
static Operand computed(Draft *d, const Operand *from, Form form, ValueType type)
{
    return (Operand){.slot = new_slot(d), .form = form, .type = type,
                     .where = from ? from->where : NULL};
}

/* ---- Literals ------------------------------------------------------------------------------------ */

static Value scalar_literal(FieldKind kind, const Literal *literal)
{
    if (kind_is_bytes(kind) || kind_is_message(kind))
        return value_of_bytes(literal->bytes);
    if (kind == KIND_FLOAT)
        return value_of_float((float)literal->d);
    return (Value){.u = literal->u};
}

/* A list's literal is its wire bytes, as records of field 1. */
static Value list_literal(Draft *d, FieldKind kind, Bytes records)
{
    Buffer items = buffer_in(d->arena);
    Runner runner = {.arena = d->arena};
    WireReader reader = wire_reader(records);
    for (WireField f; wire_next(&reader, &f);) {
        Value value = value_of_bytes(f.bytes);
        uint64_t tag;
        const uint8_t *end = f.record.data + f.record.size;
        const uint8_t *payload = wire_varint(f.record.data, end, &tag);
        if (!kind_is_message(kind) && !wire_scalar(&runner, kind, false, payload, end, &value))
            refuse(d, "a literal list that is not well-formed");
        buffer_add(&items, &value, sizeof(value));
    }
    return (Value){.items = (const Value *)(const void *)items.data,
                   .size = items.size / sizeof(Value)};
}

static Operand compile_const(Draft *d, const Expr *expr)
{
    Operand into = computed(d, NULL, expr->type.repeated ? FORM_VALUES : FORM_WIRE, expr->type);
    Value value = expr->type.repeated
                      ? list_literal(d, expr->type.kind, expr->constants[0].bytes)
                      : scalar_literal(expr->type.kind, &expr->constants[0]);
    add_op(d, (PlanOp){.code = PLAN_CONST, .kind = (uint8_t)expr->type.kind, .into = into.slot,
                       .constant = value});
    if (expr->loss)
        add_op(d, (PlanOp){.code = PLAN_LOSS, .loss = expr->loss});
    return into;
}

/* ---- Expressions --------------------------------------------------------------------------------- */

static Operand compile_value(Draft *d, const Expr *expr);

/* The same value in a form that does not depend on the source's codec: messages as protobuf bytes,
   lists as FORM_VALUES. */
static Operand normal(Draft *d, Operand from)
{
    bool message = kind_is_message(from.type.kind);
    if (from.form != FORM_SOURCE || (!message && !from.type.repeated))
        return from;
    if (!from.type.repeated && d->program->from_codec == CODEC_PROTO) {
        from.form = FORM_WIRE;
        return from;
    }
    Operand into = computed(d, &from, from.type.repeated ? FORM_VALUES : FORM_WIRE, from.type);
    const MessageType *type = value_message(from.type);
    bool convert = type && d->program->from_codec == CODEC_JSON;
    add_op(d, (PlanOp){
        .code = from.type.repeated ? PLAN_NORMAL_LIST : PLAN_NORMAL, .a = from.slot,
        .into = into.slot, .form = (uint8_t)from.form, .where = from.where,
        .map = is_map(from.type), .shape = from.type.repeated ? shape_of(d, &from) : NULL,
        .program = convert ? compiler_identity(d->compiler, type, CODEC_JSON, CODEC_PROTO) : NULL,
    });
    return into;
}

static Operand compile_convert_list(Draft *d, const Expr *expr, Operand from)
{
    if (kind_is_message(from.type.kind) && !is_map(from.type))
        from = normal(d, from);
    Operand into = computed(d, &from, FORM_VALUES, expr->type);
    bool map = is_map(from.type);
    if (map && entry_field(from.type.message, 2)->message)
        from = normal(d, from);
    add_op(d, (PlanOp){
        .code = map ? PLAN_CONVERT_MAP : PLAN_CONVERT_LIST, .a = from.slot, .into = into.slot,
        .form = (uint8_t)from.form, .shape = shape_of(d, &from), .converter = expr->converter,
        .where = from.where, .loss = expr->loss, .map = map,
    });
    return into;
}

static Operand compile_convert(Draft *d, const Expr *expr)
{
    if (converter_keeps_numbers(expr->converter))
        return compile_value(d, expr->args[0]);
    if (expr->n_args == 0 || expr->n_args > MOST_ARGS) {
        refuse(d, "a converter with no arguments, or too many");
        return (Operand){0};
    }
    Operand first = compile_value(d, expr->args[0]);
    if (first.type.repeated && !expr->converter->from.repeated)
        return compile_convert_list(d, expr, first);

    uint16_t *args = arena_array(d->arena, uint16_t, expr->n_args);
    for (uint32_t i = 0; i < expr->n_args; i++)
        args[i] = normal(d, i ? compile_value(d, expr->args[i]) : first).slot;
    Operand into = computed(d, &first, expr->type.repeated ? FORM_VALUES : FORM_WIRE, expr->type);
    add_op(d, (PlanOp){
        .code = PLAN_CONVERT, .into = into.slot, .args = args, .n_args = expr->n_args,
        .converter = expr->converter, .where = first.where, .loss = expr->loss,
    });
    return into;
}

static Operand compile_message(Draft *d, const Expr *expr)
{
    Operand from = compile_value(d, expr->args[0]);
    Operand into = computed(d, &from, from.type.repeated ? FORM_VALUES : FORM_WIRE, expr->type);
    add_op(d, (PlanOp){
        .code = from.type.repeated ? PLAN_MAKE_LIST : PLAN_MAKE, .a = from.slot, .into = into.slot,
        .form = (uint8_t)from.form, .map = is_map(from.type), .where = from.where,
        .shape = from.type.repeated ? shape_of(d, &from) : NULL,
        .program = compiler_program(d->compiler, expr->mapping, operand_codec(d, &from),
                                    CODEC_PROTO),
    });
    return into;
}

/* What is in an Any goes through the program of its type, when it runs. */
static Operand compile_any(Draft *d, const Expr *expr)
{
    Operand from = compile_value(d, expr->args[0]);
    Operand into = computed(d, &from, from.type.repeated ? FORM_VALUES : FORM_WIRE, expr->type);
    add_op(d, (PlanOp){
        .code = from.type.repeated ? PLAN_MAKE_LIST : PLAN_MAKE, .a = from.slot, .into = into.slot,
        .form = (uint8_t)from.form, .map = is_map(from.type), .where = from.where,
        .shape = from.type.repeated ? shape_of(d, &from) : NULL,
        .program = compiler_identity(d->compiler, value_message(from.type),
                                     operand_codec(d, &from), CODEC_PROTO),
    });
    return into;
}

static void compile_rules(Draft *d, const Rule *rules, uint32_t n_rules);

static bool open_more(Draft *d)
{
    if (d->open == MOST_BUILDS)
        refuse(d, "messages are built within messages too deeply");
    return d->open++ < MOST_BUILDS;
}

static Operand compile_build(Draft *d, const Expr *expr)
{
    Operand presence = {.slot = NO_SLOT};
    if (expr->n_args)
        presence = compile_value(d, expr->args[0]);
    Operand into = computed(d, NULL, FORM_WIRE, expr->type);
    Codec to = d->to;
    if (!open_more(d))
        return into;
    d->to = CODEC_PROTO;
    add_op(d, (PlanOp){.code = PLAN_BUILD});
    compile_rules(d, expr->rules, expr->n_rules);
    add_op(d, (PlanOp){.code = PLAN_END_BUILD, .a = presence.slot, .into = into.slot});
    d->to = to;
    d->open--;
    return into;
}

static Operand compile_default(Draft *d, const Expr *expr)
{
    Operand first = normal(d, compile_value(d, expr->args[0]));
    Operand second = normal(d, compile_value(d, expr->args[1]));
    Operand into = computed(d, &first, second.form, expr->type);
    add_op(d, (PlanOp){.code = PLAN_EITHER, .a = first.slot, .b = second.slot, .into = into.slot,
                       .loss = expr->loss, .where = first.where});
    return into;
}

static Operand compile_first(Draft *d, const Expr *expr)
{
    Operand from = compile_value(d, expr->args[0]);
    Operand into = computed(d, &from, from.form == FORM_SOURCE ? FORM_SOURCE : FORM_WIRE,
                            expr->type);
    into.source = from.source;
    add_op(d, (PlanOp){.code = PLAN_FIRST, .a = from.slot, .into = into.slot, .loud = expr->loud,
                       .form = (uint8_t)from.form, .shape = shape_of(d, &from),
                       .where = from.where, .loss = expr->loss});
    return into;
}

static Operand compile_wrap(Draft *d, const Expr *expr)
{
    Operand from = normal(d, compile_value(d, expr->args[0]));
    Operand into = computed(d, &from, FORM_VALUES, expr->type);
    add_op(d, (PlanOp){.code = PLAN_WRAP, .a = from.slot, .into = into.slot, .where = from.where});
    return into;
}

/* Nothing of the value is looked at when the other is not there. */
static Operand compile_when_present(Draft *d, const Expr *expr)
{
    Operand told = compile_value(d, expr->args[1]);
    uint16_t slot = new_slot(d);
    add_op(d, (PlanOp){.code = PLAN_CLEAR, .into = slot});
    uint32_t to_end = add_jump(d, (PlanOp){.code = PLAN_SKIP_UNLESS, .a = told.slot});
    Operand into = compile_value(d, expr->args[0]);
    add_op(d, (PlanOp){.code = PLAN_WHEN, .a = into.slot, .b = told.slot, .into = slot,
                       .where = into.where});
    jump_here(d, to_end);
    into.slot = slot;
    return into;
}

static Operand compile_when(Draft *d, const Expr *expr)
{
    if (!expr->constants)
        return compile_when_present(d, expr);
    Operand value = compile_value(d, expr->args[0]), told = compile_value(d, expr->args[1]);
    Operand into = value;
    into.slot = new_slot(d);
    add_op(d, (PlanOp){.code = PLAN_WHEN, .a = value.slot, .b = told.slot, .into = into.slot,
                       .constant = scalar_literal(told.type.kind, &expr->constants[0]),
                       .constant_kind = told.type.kind, .where = value.where,
                       .zero_when_unset = told.zero_when_unset});
    return into;
}

static Operand compile_select(Draft *d, const Expr *expr)
{
    Operand into = computed(d, NULL, FORM_WIRE, expr->type);
    uint32_t *to_end = arena_array(d->arena, uint32_t, expr->n_args);
    add_op(d, (PlanOp){.code = PLAN_CLEAR, .into = into.slot});
    for (uint32_t i = 0; i < expr->n_args; i++) {
        Operand arg = compile_value(d, expr->args[i]);
        uint32_t next = add_jump(d, (PlanOp){.code = PLAN_SKIP_UNLESS, .a = arg.slot});
        add_op(d, (PlanOp){.code = PLAN_CONST, .kind = (uint8_t)expr->type.kind, .into = into.slot,
                           .constant = scalar_literal(expr->type.kind, &expr->constants[i])});
        to_end[i] = add_jump(d, (PlanOp){.code = PLAN_SKIP});
        jump_here(d, next);
    }
    for (uint32_t i = 0; i < expr->n_args; i++)
        jump_here(d, to_end[i]);
    return into;
}

static void require(Draft *d, const Expr *expr, const Operand *value)
{
    add_op(d, (PlanOp){.code = PLAN_REQUIRE, .a = value->slot,
                       .where = expr->field ? expr->field : value->where});
}

static Operand compile_require(Draft *d, const Expr *expr)
{
    Operand value = expr->n_args ? compile_value(d, expr->args[0])
                                 : (Operand){.slot = NO_SLOT, .type = expr->type};
    require(d, expr, &value);
    return value;
}

static Operand compile_value(Draft *d, const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_FIELD: return field_operand(d, expr);
    case EXPR_CONST: return compile_const(d, expr);
    case EXPR_CONVERT:
        return expr->converter->code == CONVERT_TYPE_URL ? compile_any(d, expr)
                                                         : compile_convert(d, expr);
    case EXPR_MESSAGE: return compile_message(d, expr);
    case EXPR_BUILD: return compile_build(d, expr);
    case EXPR_DEFAULT: return compile_default(d, expr);
    case EXPR_REQUIRE: return compile_require(d, expr);
    case EXPR_FIRST: return compile_first(d, expr);
    case EXPR_WRAP: return compile_wrap(d, expr);
    case EXPR_WHEN: return compile_when(d, expr);
    case EXPR_SELECT: return compile_select(d, expr);
    }
    return (Operand){0};
}

/* ---- Writing ------------------------------------------------------------------------------------- */

/* A copy that may be read as if it were NAME_PADDING long. */
static Bytes padded_name(Draft *d, const Buffer *name)
{
    uint8_t *copy = arena_calloc(d->arena, 1, name->size + NAME_PADDING);
    memcpy(copy, name->data, name->size);
    return bytes(copy, name->size);
}

/* What JSON says for a field that is not set, when it must say something. */
static Bytes unset_text(const FieldType *field)
{
    if (field->repeated)
        return bytes_of(field->map ? "{}" : "[]");
    switch (field->kind) {
    case KIND_STRING:
    case KIND_BYTES: return bytes_of("\"\"");
    case KIND_BOOL: return bytes_of("false");
    case KIND_INT64:
    case KIND_UINT64:
    case KIND_FIXED64:
    case KIND_SFIXED64:
    case KIND_SINT64: return bytes_of("\"0\"");
    case KIND_MESSAGE:
    case KIND_GROUP:
        return bytes_of(field->message->well_known == WELL_KNOWN_NONE ? "{}" : "null");
    default: return bytes_of("0");
    }
}

static Bytes unset_enum(Draft *d, const EnumType *type)
{
    const EnumValue *zero = enum_value_by_number(type, 0);
    if (type->is_null_value)
        return bytes_of("null");
    if (!zero || d->compiler->set->options.enums_as_numbers)
        return bytes_of("0");
    return bytes_of(arena_printf(d->arena, "\"%s\"", zero->name));
}

static void json_name(Draft *d, PutField *put)
{
    const FieldType *field = put->field;
    Buffer name = buffer_in(d->arena);
    bool proto = d->compiler->set->options.proto_names && !field->extension;
    buffer_add_byte(&name, ',');
    json_write_string(&name, bytes_of(proto ? field->name : field->json_name));
    buffer_add_byte(&name, ':');
    put->name = padded_name(d, &name);
    put->unset = field->kind == KIND_ENUM && !field->repeated ? unset_enum(d, field->enumeration)
                                                              : unset_text(field);
}

/* An item of a message set is a group with the extension's number and its message. */
static void wire_name(Draft *d, PutField *put)
{
    const FieldType *field = put->field;
    Buffer name = buffer_in(d->arena), suffix = buffer_in(d->arena);
    put->delimited = field->kind == KIND_MESSAGE;
    if (field->parent->message_set && field->extension && put->delimited) {
        wire_add_tag(&name, 1, WIRE_GROUP);
        wire_add_number(&name, 2, field->number);
        wire_add_tag(&name, 3, WIRE_LENGTH);
        wire_add_tag(&suffix, 1, WIRE_GROUP_END);
    } else {
        wire_add_tag(&name, field->number,
                     field->packed ? WIRE_LENGTH : kind_wire_type(field->kind));
        if (field->kind == KIND_GROUP)
            wire_add_tag(&suffix, field->number, WIRE_GROUP_END);
    }
    put->name = padded_name(d, &name);
    put->suffix = buffer_bytes(&suffix);
}

static PutAs put_as(bool json, FieldKind kind)
{
    if (json)
        return kind == KIND_STRING ? PUT_AS_JSON_TEXT : PUT_AS_OTHER;
    if (kind_is_bytes(kind))
        return PUT_AS_BYTES;
    bool zigzag = kind == KIND_SINT32 || kind == KIND_SINT64;
    return kind_wire_type(kind) == WIRE_VARINT && !zigzag ? PUT_AS_VARINT : PUT_AS_OTHER;
}

static PlanOp put_op(Draft *d, PlanCode code, const FieldType *target)
{
    PutField *put = arena_make(d->arena, PutField);
    put->field = target;
    bool json = d->to == CODEC_JSON, bare = d->program->bare && d->open == 0;
    if (json)
        json_name(d, put);
    else
        wire_name(d, put);
    if (bare)
        put->name.size = 0;
    PlanOp op = {
        .code = (uint8_t)code, .kind = (uint8_t)target->kind, .json = json,
        .put_as = (uint8_t)put_as(json, target->kind),
        .put = put, .where = target->name, .omit_zero = !target->presence && !target->repeated,
        .put_unset = bare || (json && d->compiler->set->options.emit_defaults &&
                              !target->presence),
        .required = target->required,
    };
    if (!json && put->name.size <= sizeof(op.tag)) {
        memcpy(&op.tag, put->name.data, put->name.size);
        op.tag_size = (uint8_t)put->name.size;
    }
    return op;
}

/* Through which program a message goes that is not given one: its own type's. */
static const Program *own_program(Draft *d, const Operand *from, const FieldType *target)
{
    const MessageType *from_type = from->type.message, *to_type = target->message;
    if (is_map(from->type)) {
        from_type = entry_field(from_type, 2)->message;
        to_type = entry_field(to_type, 2)->message;
    }
    if (!from_type || !to_type)
        return NULL;
    Codec codec = operand_codec(d, from);
    return compiler_identity(d->compiler, codec == CODEC_JSON ? from_type : to_type, codec, d->to);
}

static PlanCode list_code(const Draft *d, const FieldType *target)
{
    if (target->map)
        return PLAN_PUT_MAP;
    if (kind_is_message(target->kind))
        return PLAN_PUT_MESSAGES;
    return target->packed && d->to == CODEC_PROTO ? PLAN_PUT_PACKED : PLAN_PUT_LIST;
}

/* What writes an operand; messages through `program`. */
static PlanOp operand_op(Draft *d, const FieldType *target, const Operand *from,
                         const Program *program)
{
    PlanCode code = target->repeated ? list_code(d, target)
                    : kind_is_message(target->kind) ? PLAN_PUT_MESSAGE
                                                    : PLAN_PUT_VALUE;
    if (from->type.repeated != target->repeated ||
        kind_is_message(from->type.kind) != kind_is_message(target->kind)) {
        refuse(d, target->name);
        return (PlanOp){.code = PLAN_END};
    }
    PlanOp op = put_op(d, code, target);
    op.a = from->slot;
    op.form = (uint8_t)from->form;
    op.program = program;
    if (from->where)
        op.where = from->where;
    if (target->repeated)
        op.shape = shape_of(d, from);
    return op;
}

static void put_operand(Draft *d, const FieldType *target, const Operand *from,
                        const Program *program)
{
    add_op(d, operand_op(d, target, from, program));
}

static void compile_put(Draft *d, const FieldType *target, const Expr *expr);

static void put_message_expr(Draft *d, const FieldType *target, const Expr *expr)
{
    Operand from = compile_value(d, expr->args[0]);
    put_operand(d, target, &from,
                compiler_program(d->compiler, expr->mapping, operand_codec(d, &from), d->to));
}

static void put_build(Draft *d, const FieldType *target, const Expr *expr)
{
    Operand presence = {.slot = NO_SLOT};
    if (expr->n_args)
        presence = compile_value(d, expr->args[0]);
    PlanOp open = put_op(d, PLAN_PUT_OPEN, target);
    if (!open_more(d))
        return;
    add_op(d, open);
    compile_rules(d, expr->rules, expr->n_rules);
    PlanOp close = open;
    close.code = PLAN_PUT_CLOSE;
    close.a = presence.slot;
    add_op(d, close);
    d->open--;
}

/* Only the one that is needed is read and written. */
static void put_default(Draft *d, const FieldType *target, const Expr *expr)
{
    const Expr *message = expr->args[0];
    Operand from = compile_value(d, message->args[0]);
    uint32_t to_second = add_jump(d, (PlanOp){.code = PLAN_SKIP_UNLESS, .a = from.slot});
    put_operand(d, target, &from,
                compiler_program(d->compiler, message->mapping, operand_codec(d, &from), d->to));
    uint32_t to_end = add_jump(d, (PlanOp){.code = PLAN_SKIP});
    jump_here(d, to_second);
    if (expr->loss)
        add_op(d, (PlanOp){.code = PLAN_LOSS, .loss = expr->loss});
    compile_put(d, target, expr->args[1]);
    jump_here(d, to_end);
}

static void put_required(Draft *d, const FieldType *target, const Expr *expr)
{
    const Expr *message = expr->args[0];
    Operand from = compile_value(d, message->args[0]);
    require(d, expr, &from);
    put_operand(d, target, &from,
                compiler_program(d->compiler, message->mapping, operand_codec(d, &from), d->to));
}

/* Messages are written straight to where they belong; what is computed goes by way of a slot. */
static void compile_put(Draft *d, const FieldType *target, const Expr *expr)
{
    bool special = target->message && target->message->well_known != WELL_KNOWN_NONE &&
                   target->message->well_known != WELL_KNOWN_EMPTY;
    if (expr->kind == EXPR_MESSAGE) {
        put_message_expr(d, target, expr);
    } else if (expr->kind == EXPR_BUILD && !(special && d->to == CODEC_JSON)) {
        put_build(d, target, expr);
    } else if (expr->kind == EXPR_DEFAULT && expr->args[0]->kind == EXPR_MESSAGE) {
        put_default(d, target, expr);
    } else if (expr->kind == EXPR_REQUIRE && expr->n_args && expr->args[0]->kind == EXPR_MESSAGE) {
        put_required(d, target, expr);
    } else if (expr->kind == EXPR_CONVERT && expr->converter->code == CONVERT_TYPE_URL) {
        Operand from = compile_value(d, expr->args[0]);
        put_operand(d, target, &from, own_program(d, &from, target));
    } else {
        Operand from = compile_value(d, expr);
        put_operand(d, target, &from, own_program(d, &from, target));
    }
}

static void compile_rules(Draft *d, const Rule *rules, uint32_t n_rules)
{
    for (uint32_t i = 0; i < n_rules && !failed(d->failure); i++)
        compile_put(d, rules[i].target, rules[i].value);
}

/* ---- Whole programs ------------------------------------------------------------------------------ */

static void compile_guard(Draft *d, const Guard *guard)
{
    Operand source = compile_value(d, guard->source);
    if (!source.where)
        source.where = guard->loss ? guard->loss->path : "a value";
    add_op(d, (PlanOp){
        .code = PLAN_GUARD, .a = source.slot, .loud = guard->loud, .loss = guard->loss,
        .where = source.where,
        .constant = guard->has_ignored ? scalar_literal(source.type.kind, &guard->ignored)
                                       : (Value){.u = 0},
        .constant_kind = guard->has_ignored ? source.type.kind : (FieldKind)0,
    });
}

static const Expr *rule_for(const Mapping *mapping, const FieldType *target)
{
    for (uint32_t i = 0; i < mapping->n_rules; i++) {
        if (mapping->rules[i].target == target)
            return mapping->rules[i].value;
    }
    return NULL;
}

/* Written when it is read, without a slot. */
static void put_straight(Draft *d, const FieldType *target, const Straight *straight)
{
    const FieldType *source = straight->source;
    ScanField *field = &d->root->fields[source->index];
    Operand from = {.slot = NO_SLOT, .form = FORM_SOURCE, .source = source, .where = source->name,
                    .type = {source->kind, source->repeated, source->message, source->enumeration}};
    PlanOp *op = arena_make(d->arena, PlanOp);
    *op = operand_op(d, target, &from, straight->program);
    field->pass = op;
    field->keeps_tag = source->number == target->number;
}

/* What cannot go straight after all is written behind the rest: in protobuf any order will do. */
static void compile_straight(Draft *d, const Mapping *mapping, const Straight *straight)
{
    for (uint32_t i = 0; i < mapping->n_rules && !failed(d->failure); i++) {
        if (!straight[i].source)
            continue;
        if (straight_stands(mapping, straight, d->root, i))
            put_straight(d, mapping->rules[i].target, &straight[i]);
        else
            compile_put(d, mapping->rules[i].target, mapping->rules[i].value);
    }
}

/* All fields of the target, in their order, with what stands for those that nothing feeds. */
static void compile_target(Draft *d, const Mapping *mapping)
{
    uint32_t rule = 0;
    bool wire = d->program->from_codec == CODEC_PROTO && d->to == CODEC_PROTO;
    const Straight *straight = wire ? straight_rules(d->compiler, mapping) : NULL;
    for (uint32_t i = 0; i < mapping->to->n_fields && !failed(d->failure); i++) {
        const FieldType *target = &mapping->to->fields[i];
        PlanOp unset = put_op(d, PLAN_PUT_DEFAULT, target);
        if (rule == mapping->n_rules || mapping->rules[rule].target != target) {
            if (unset.put_unset || unset.required)
                add_op(d, unset);
        } else {
            if (!straight || !straight[rule].source)
                compile_put(d, target, mapping->rules[rule].value);
            rule++;
        }
    }
    if (straight)
        compile_straight(d, mapping, straight);
    if (rule != mapping->n_rules)
        refuse(d, "rules that are not in the order of the target's fields");
}

static void compile_only(Draft *d, const Mapping *mapping, const FieldType *only)
{
    const Expr *value = rule_for(mapping, only);
    if (value)
        compile_put(d, only, value);
    else
        add_op(d, put_op(d, PLAN_PUT_DEFAULT, only));
}

Result compile_fields(Compiler *compiler, Program *program, const FieldType *only)
{
    const Mapping *mapping = program->mapping;
    Draft d = {.compiler = compiler, .arena = compiler->arena, .program = program,
               .to = program->to_codec};
    program->bare = only != NULL;
    program->keep_unknown = compiler->set->options.unknown == UNKNOWN_KEEP && mapping->identity &&
                            program->from_codec == CODEC_PROTO && program->to_codec == CODEC_PROTO;
    d.root = new_table(&d, mapping->from);
    for (uint32_t i = 0; i < mapping->n_guards; i++)
        compile_guard(&d, &mapping->guards[i]);
    if (only)
        compile_only(&d, mapping, only);
    else
        compile_target(&d, mapping);
    if (program->keep_unknown)
        add_op(&d, (PlanOp){.code = PLAN_PUT_UNKNOWN});
    program->n_ops = d.n_ops;
    add_op(&d, (PlanOp){.code = PLAN_END});
    program->ops = d.ops;
    finish_tables(&d);
    return d.failure;
}
