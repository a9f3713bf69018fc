/* Compiles an expression to the operations that write it to a field of the target. */
#include "adapters/compile/compile_draft.h"

/* ---- Writing --------------------------------------------------------------------------------- */

/* A copy of which NAME_PADDING bytes are readable; equal names share one. */
static Bytes padded_name(Draft *d, const Buffer *name)
{
    Table *names = &d->compiler->names;
    Bytes *known = table_get(names, buffer_bytes(name));
    if (known)
        return *known;
    Arena *arena = d->compiler->arena;
    uint8_t *copy = arena_calloc(arena, 1, name->size + NAME_PADDING);
    memcpy(copy, name->data, name->size);
    known = arena_make(arena, Bytes);
    *known = bytes(copy, name->size);
    table_put(names, *known, known);
    return *known;
}

/* The buffer in which names are composed; it is reused. */
static Buffer *new_name(Draft *d)
{
    d->compiler->text.size = 0;
    return &d->compiler->text;
}

/* What is written to JSON for an unset field, if unset fields are written. */
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
    case KIND_GROUP: return bytes_of(field->message->well_known == WELL_KNOWN_NONE ? "{}" : "null");
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

static bool emits_null(const Draft *d, const FieldType *field)
{
    return d->to == CODEC_JSON && d->compiler->set->options.emit_nulls && field_emits_null(field);
}

static void json_name(Draft *d, PutField *put)
{
    const FieldType *field = put->field;
    Buffer *name = new_name(d);
    bool proto = d->compiler->set->options.proto_names && !field->extension;
    buffer_add_byte(name, ',');
    json_write_string(name, bytes_of(proto ? field->name : field->json_name));
    buffer_add_byte(name, ':');
    put->name = padded_name(d, name);
    put->unset = emits_null(d, field)                           ? bytes_of("null")
                 : field->kind == KIND_ENUM && !field->repeated ? unset_enum(d, field->enumeration)
                                                                : unset_text(field);
}

/* An item of a message set is a group of the extension's number and its message. */
static void wire_name(Draft *d, PutField *put)
{
    const FieldType *field = put->field;
    Buffer *name = new_name(d), suffix = buffer_in(d->arena);
    put->delimited = field->kind == KIND_MESSAGE;
    if (field->parent->message_set && field->extension && put->delimited) {
        wire_add_tag(name, 1, WIRE_GROUP);
        wire_add_number(name, 2, field->number);
        wire_add_tag(name, 3, WIRE_LENGTH);
        wire_add_tag(&suffix, 1, WIRE_GROUP_END);
    } else {
        wire_add_tag(name, field->number,
                     field->packed ? WIRE_LENGTH : kind_wire_type(field->kind));
        if (field->kind == KIND_GROUP)
            wire_add_tag(&suffix, field->number, WIRE_GROUP_END);
    }
    put->name = padded_name(d, name);
    put->suffix = buffer_bytes(&suffix);
}

static PutAs put_as_json(FieldKind kind)
{
    switch (kind) {
    case KIND_STRING: return PUT_AS_JSON_TEXT;
    case KIND_INT32:
    case KIND_SINT32:
    case KIND_SFIXED32:
    case KIND_UINT32:
    case KIND_FIXED32: return PUT_AS_JSON_INT;
    case KIND_INT64:
    case KIND_SINT64:
    case KIND_SFIXED64: return PUT_AS_JSON_LONG;
    default: return PUT_AS_OTHER;
    }
}

static PutAs put_as_wire(FieldKind kind)
{
    if (kind_is_bytes(kind))
        return PUT_AS_BYTES;
    bool zigzag = kind == KIND_SINT32 || kind == KIND_SINT64;
    return kind_wire_type(kind) == WIRE_VARINT && !zigzag ? PUT_AS_VARINT : PUT_AS_OTHER;
}

static bool puts_unset(const Draft *d, const FieldType *target)
{
    return (d->program->only && d->open == 0) ||
           (d->to == CODEC_JSON && d->compiler->set->options.emit_defaults && !target->presence) ||
           emits_null(d, target);
}

void compile_put_nothing(Draft *d, const FieldType *target)
{
    if (target->required || puts_unset(d, target))
        draft_op(d, put_op(d, PLAN_PUT_DEFAULT, target));
}

PlanOp put_op(Draft *d, PlanCode code, const FieldType *target)
{
    PutField *put = arena_make(d->arena, PutField);
    put->field = target;
    bool json = d->to == CODEC_JSON, bare = d->program->only && d->open == 0;
    if (json)
        json_name(d, put);
    else
        wire_name(d, put);
    if (bare)
        put->name.size = 0;
    PlanOp op = {
        .code = (uint8_t)code,
        .kind = (uint8_t)target->kind,
        .json = json,
        .put_as = (uint8_t)(json ? put_as_json(target->kind) : put_as_wire(target->kind)),
        .put = put,
        .where = target->name,
        .omit_zero = !target->presence && !target->repeated,
        .put_unset = puts_unset(d, target),
        .required = target->required,
    };
    if (!json && put->name.size <= sizeof(op.tag)) {
        memcpy(&op.tag, put->name.data, put->name.size);
        op.tag_size = (uint8_t)put->name.size;
    }
    return op;
}

/* The program for a message without a mapping: the identity of its type. */
static const Program *own_program(Draft *d, const Operand *from, const FieldType *target)
{
    const MessageType *from_type = from->type.message, *to_type = target->message;
    if (operand_is_map(from->type)) {
        from_type = message_field_by_number(from_type, 2)->message;
        to_type = message_field_by_number(to_type, 2)->message;
    }
    if (!from_type || !to_type)
        return NULL;
    Codec codec = draft_codec(d, from);
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

/* The operation that writes an operand; messages are converted by `program`. */
static PlanOp operand_op(Draft *d, const FieldType *target, const Operand *from,
                         const Program *program)
{
    PlanCode code = target->repeated                ? list_code(d, target)
                    : kind_is_message(target->kind) ? PLAN_PUT_MESSAGE
                                                    : PLAN_PUT_VALUE;
    if (from->type.repeated != target->repeated ||
        kind_is_message(from->type.kind) != kind_is_message(target->kind)) {
        draft_refuse(d, target->name);
        return (PlanOp){.code = PLAN_END};
    }
    PlanOp op = put_op(d, code, target);
    /* A single message that is copied is written like bytes. */
    if (code == PLAN_PUT_MESSAGE && program->style == PROGRAM_COPY && op.put->delimited &&
        !op.put->suffix.size) {
        op.code = PLAN_PUT_VALUE;
        op.put_as = PUT_AS_BYTES;
    }
    op.a = from->slot;
    op.form = (uint8_t)from->form;
    op.program = program;
    if (from->where)
        op.where = from->where;
    if (target->repeated)
        op.shape = draft_shape(d, from);
    return op;
}

static void put_operand(Draft *d, const FieldType *target, const Operand *from,
                        const Program *program)
{
    draft_op(d, operand_op(d, target, from, program));
}

void put_straight(Draft *d, ScanField *field, const FieldType *target, const Straight *straight)
{
    const FieldType *source = straight->source;
    Operand from = {.slot = NO_SLOT,
                    .form = FORM_SOURCE,
                    .source = source,
                    .where = source->name,
                    .type = {source->kind, source->repeated, source->message, source->enumeration}};
    PlanOp *op = arena_make(d->arena, PlanOp);
    *op = operand_op(d, target, &from, straight->program);
    if (straight->fits)
        op->fits = straight->fits;
    field->pass = op;
    field->keeps_tag = source->number == target->number && !straight->path;
    field->counts = source->repeated;
}

static void put_message_expr(Draft *d, const FieldType *target, const Expr *expr)
{
    Operand from = compile_value(d, expr->args[0]);
    put_operand(d, target, &from,
                compiler_program(d->compiler, expr->mapping, draft_codec(d, &from), d->to));
}

/* The fields of a new message. Fields that are copied from `old` are read directly from its bytes
   (straight_inside). */
static void put_build_rules(Draft *d, const Expr *expr, const Operand *old)
{
    bool wire = d->program->from_codec == CODEC_PROTO && d->to == CODEC_PROTO;
    const Straight *straight =
        wire && d->open == 1 ? straight_inside(d->compiler, d->program->mapping, expr) : NULL;
    ScanTable *inside = straight ? draft_table(d, old->type.message) : NULL;
    if (straight)
        draft_op(
            d, (PlanOp){
                   .code = PLAN_PUT_INSIDE, .a = old->slot, .inside = inside, .where = old->where});
    for (uint32_t i = 0; i < expr->n_rules && !failed(d->failure); i++) {
        if (straight && straight[i].source)
            put_straight(d, &inside->fields[straight[i].source->index], expr->rules[i].target,
                         &straight[i]);
        else
            compile_put(d, expr->rules[i].target, expr->rules[i].value);
    }
}

static void put_build(Draft *d, const FieldType *target, const Expr *expr)
{
    Operand presence = {.slot = NO_SLOT};
    if (expr->n_args)
        presence = compile_value(d, expr->args[0]);
    PlanOp open = put_op(d, PLAN_PUT_OPEN, target);
    if (!draft_open(d))
        return;
    draft_op(d, open);
    put_build_rules(d, expr, &presence);
    PlanOp close = open;
    close.code = PLAN_PUT_CLOSE;
    close.a = presence.slot;
    draft_op(d, close);
    d->open--;
}

/* Writes the first alternative that is set; the others are neither computed nor written. */
static void put_default(Draft *d, const FieldType *target, const Expr *expr)
{
    const Expr *message = expr->args[0];
    Operand from = compile_value(d, message->args[0]);
    uint32_t to_second = draft_jump(d, (PlanOp){.code = PLAN_SKIP_UNLESS, .a = from.slot});
    put_operand(d, target, &from,
                compiler_program(d->compiler, message->mapping, draft_codec(d, &from), d->to));
    uint32_t to_end = draft_jump(d, (PlanOp){.code = PLAN_SKIP});
    draft_jump_here(d, to_second);
    if (expr->loss)
        draft_op(d, (PlanOp){.code = PLAN_LOSS, .loss = expr->loss});
    compile_put(d, target, expr->args[1]);
    draft_jump_here(d, to_end);
}

static void put_required(Draft *d, const FieldType *target, const Expr *expr)
{
    const Expr *message = expr->args[0];
    Operand from = compile_value(d, message->args[0]);
    draft_require(d, expr, &from);
    put_operand(d, target, &from,
                compiler_program(d->compiler, message->mapping, draft_codec(d, &from), d->to));
}

static void put_any(Draft *d, const FieldType *target, const Expr *expr)
{
    Operand from = compile_value(d, expr->args[0]);
    const Program *program = own_program(d, &from, target);
    if (expr->converter->n_held)
        program = compiler_any(d->compiler, expr->converter, program->from, program->from_codec,
                               program->to_codec);
    put_operand(d, target, &from, program);
}

/* Messages are written directly to the output; computed values are first stored in a slot. */
void compile_put(Draft *d, const FieldType *target, const Expr *expr)
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
        put_any(d, target, expr);
    } else {
        Operand from = compile_value(d, expr);
        put_operand(d, target, &from, own_program(d, &from, target));
    }
}

void compile_rules(Draft *d, const Rule *rules, uint32_t n_rules)
{
    for (uint32_t i = 0; i < n_rules && !failed(d->failure); i++)
        compile_put(d, rules[i].target, rules[i].value);
}
