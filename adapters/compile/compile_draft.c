#include "adapters/compile/compile_draft.h"

enum { MOST_SLOTS = 60000, MOST_FRAME = 1 << 21 };

void draft_refuse(Draft *d, const char *what)
{
    if (!failed(d->failure))
        d->failure = FAIL(d->compiler->arena, FAULT_BAD_CHANGES, "%s -> %s: %s",
                          d->program->from->full_name, d->program->to->full_name, what);
}

/* ---- Slots ----------------------------------------------------------------------------------- */

uint16_t draft_slot(Draft *d)
{
    if (d->program->n_slots == MOST_SLOTS) {
        draft_refuse(d, "too many fields for one program");
        return 0;
    }
    return (uint16_t)d->program->n_slots++;
}

ScanTable *draft_table(Draft *d, const MessageType *type)
{
    ScanTable *table = arena_make(d->arena, ScanTable);
    *table = (ScanTable){.type = type, .seen = d->program->n_seen, .oneofs = d->program->n_oneofs};
    table->fields = arena_array(d->arena, ScanField, type->n_fields + 1) + 1;
    table->fields[-1].read = READ_TAG;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const FieldType *field = &type->fields[i];
        uint32_t oneof = field->oneof ? table->oneofs + field->oneof->index + 1 : 0;
        table->fields[i] = (ScanField){
            .field = field,
            .slot = NO_SLOT,
            .oneof = (uint16_t)oneof,
            .presence = field->presence,
            .json_size = (uint16_t)strnlen(field->json_name, UINT16_MAX),
            .tag = field->number << 3 | (field->packed ? WIRE_LENGTH : kind_wire_type(field->kind)),
            .check_utf8 = field->check_utf8 && d->program->to_codec == CODEC_PROTO,
        };
    }
    if (d->program->from_codec == CODEC_JSON)
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

ScanField *draft_scanned(Draft *d, const Expr *path)
{
    ScanTable *table = d->root;
    ScanField *field = NULL;
    for (uint32_t i = 0; i < path->n_steps; i++) {
        const FieldType *step = path->steps[i];
        CHECK(step->parent == table->type);
        field = &table->fields[step->index];
        if (i + 1 == path->n_steps)
            break;
        if (!field->inside)
            field->inside = draft_table(d, step->message);
        table = (ScanTable *)(uintptr_t)field->inside;
    }
    CHECK(field);
    return field;
}

static const char *path_name(const Draft *d, const Expr *path)
{
    const char *name = source_name(d, path->steps[0]);
    for (uint32_t i = 1; i < path->n_steps; i++)
        name = arena_printf(d->arena, "%s.%s", name, source_name(d, path->steps[i]));
    return name;
}

Operand draft_field(Draft *d, const Expr *expr)
{
    ScanField *field = draft_scanned(d, expr);
    if (field->slot == NO_SLOT)
        field->slot = draft_slot(d);
    const FieldType *type = field->field;
    return (Operand){
        .slot = field->slot,
        .form = FORM_SOURCE,
        .source = type,
        .where = path_name(d, expr),
        .type = {type->kind, type->repeated, type->message, type->enumeration},
        .zero_when_unset = !type->presence && !type->repeated && expr->n_steps == 1,
    };
}

static ScanRead choose_read(const ScanField *scan)
{
    const FieldType *field = scan->field;
    if (scan->pass && scan->slot == NO_SLOT)
        return straight_read(field, scan->pass->program);
    if (scan->pass && scan->pass->fits)
        return PASS_FITTING;
    if (field->parent->message_set && field->extension)
        return READ_OTHER;
    if (field->kind == KIND_MESSAGE && !field->repeated)
        return READ_MESSAGE;
    if (scan->slot == NO_SLOT || scan->oneof)
        return READ_OTHER;
    if (scan->ignored)
        return READ_UNLESS;
    if (field->packed)
        return READ_PACKED;
    if (field->repeated)
        return field->kind == KIND_GROUP ? READ_OTHER : READ_RECORDS;
    switch (field->kind) {
    case KIND_INT64:
    case KIND_UINT64: return READ_VARINT_64;
    case KIND_INT32: return READ_VARINT_32;
    case KIND_UINT32: return READ_VARINT_U32;
    case KIND_BOOL: return READ_BOOL;
    case KIND_ENUM: return field->enumeration->closed ? READ_OTHER : READ_VARINT_32;
    case KIND_DOUBLE:
    case KIND_FIXED64:
    case KIND_SFIXED64: return READ_FIXED_64;
    case KIND_STRING:
    case KIND_BYTES: return READ_BYTES;
    default: return READ_OTHER;
    }
}

static bool reads(const PlanOp *op, uint16_t slot)
{
    for (uint32_t i = 0; op->code == PLAN_CONVERT && i < op->n_args; i++) {
        if (op->args[i] == slot)
            return true;
    }
    return op->a == slot || op->b == slot;
}

static bool alone_reads(const Draft *d, const PlanOp *guard)
{
    for (const PlanOp *op = d->ops; op->code != PLAN_END; op++) {
        if (op != guard && reads(op, guard->a))
            return false;
    }
    return true;
}

static ScanField *field_of_slot(Draft *d, uint16_t slot)
{
    for (uint32_t t = 0; t < d->n_tables; t++) {
        ScanTable *table = d->tables[t];
        for (uint32_t i = 0; i < table->type->n_fields; i++) {
            if (table->fields[i].slot == slot)
                return &table->fields[i];
        }
    }
    return NULL;
}

/* A text that a guard lets pass needs no slot, if nothing else reads it. */
static void find_ignored(Draft *d)
{
    for (const PlanOp *op = d->ops; op->code != PLAN_END; op++) {
        if (op->code != PLAN_GUARD || !kind_is_bytes((FieldKind)op->constant_kind) ||
            !alone_reads(d, op))
            continue;
        ScanField *field = field_of_slot(d, op->a);
        if (field && !field->field->repeated && kind_is_bytes(field->field->kind))
            field->ignored = &op->constant;
    }
}

/* Members of a oneof unset each other: if an expression reads one, all of them get slots. */
void draft_finish_tables(Draft *d)
{
    find_ignored(d);
    for (uint32_t t = 0; t < d->n_tables; t++) {
        ScanTable *table = d->tables[t];
        for (uint32_t i = 0; i < table->type->n_fields; i++) {
            if (table->fields[i].oneof && table->fields[i].slot == NO_SLOT &&
                !table->fields[i].pass)
                table->fields[i].slot = draft_slot(d);
            table->fields[i].read = (uint8_t)choose_read(&table->fields[i]);
            if (table->fields[i].tag < 128)
                table->by_tag[table->fields[i].tag] = (uint8_t)(i + 1);
        }
    }
    Program *p = d->program;
    if (p->n_oneofs > UINT16_MAX - 1)
        draft_refuse(d, "too many oneofs for one program");
    p->frame_seen = p->n_slots / 64 * 8 + 8; /* 64 bits at least, for woken() */
    p->frame_oneofs = p->frame_seen + (p->n_seen + 63) / 64 * 8;
    p->frame_clear = p->frame_oneofs + (p->n_oneofs + 3) / 4 * 8;
    p->frame_size = p->frame_clear + (uint32_t)(p->n_slots * sizeof(Value));
    if (p->frame_size > MOST_FRAME)
        draft_refuse(d, "too many fields for one program");
    p->scan = d->root;
}

/* ---- Operations ------------------------------------------------------------------------------ */

PlanOp *draft_op(Draft *d, PlanOp op)
{
    Compiler *c = d->compiler;
    if (d->n_ops == c->op_capacity) {
        uint32_t capacity = c->op_capacity ? c->op_capacity * 2 : 64;
        d->ops = arena_grow(c->arena, d->ops, d->n_ops * sizeof(PlanOp), capacity * sizeof(PlanOp));
        c->ops = d->ops;
        c->op_capacity = capacity;
    }
    d->ops[d->n_ops] = op;
    return &d->ops[d->n_ops++];
}

uint32_t draft_jump(Draft *d, PlanOp op)
{
    draft_op(d, op);
    return d->n_ops - 1;
}

void draft_jump_here(Draft *d, uint32_t jump)
{
    d->ops[jump].skip = d->n_ops - jump - 1;
}

static WhenUnset when_unset(const PlanOp *op)
{
    switch ((PlanCode)op->code) {
    case PLAN_GUARD:
    case PLAN_SKIP_IF:
    case PLAN_PUT_INSIDE: return UNSET_NOTHING;
    case PLAN_PUT_VALUE:
    case PLAN_PUT_LIST:
    case PLAN_PUT_PACKED:
    case PLAN_PUT_MESSAGE:
    case PLAN_PUT_MESSAGES:
    case PLAN_PUT_MAP: return op->put_unset || op->required ? UNSET_OTHER : UNSET_NOTHING;
    case PLAN_CONVERT: return op->n_args == 1 ? UNSET_CLEARS : UNSET_OTHER;
    case PLAN_CONVERT_LIST:
    case PLAN_CONVERT_MAP:
    case PLAN_NORMAL:
    case PLAN_NORMAL_LIST:
    case PLAN_MAKE:
    case PLAN_MAKE_LIST:
    case PLAN_FIRST:
    case PLAN_WRAP:
    case PLAN_REST:
    case PLAN_KEYED:
    case PLAN_LISTED:
    case PLAN_WHEN: return UNSET_CLEARS;
    default: return UNSET_OTHER;
    }
}

void draft_finish_ops(Draft *d)
{
    PlanOp *ops = arena_array(d->arena, PlanOp, d->n_ops);
    CHECK(ops); /* a config generation's arena has no limit */
    memcpy(ops, d->ops, d->n_ops * sizeof(PlanOp));
    d->ops = ops; /* the draft's array is reused */
    for (uint32_t i = 0; i < d->n_ops; i++) {
        PlanOp *op = &d->ops[i];
        if (op->code == PLAN_CONVERT && op->n_args == 1)
            op->a = op->args[0];
        op->when_unset = (uint8_t)(op->a == NO_SLOT ? UNSET_OTHER : when_unset(op));
    }
}

/* The bits of the operations over which a jump leads. */
static uint64_t skipped_by(const PlanOp *ops, uint32_t jump)
{
    uint64_t bits = 0;
    for (uint32_t i = jump + 1; i <= jump + ops[jump].skip; i++)
        bits |= UINT64_C(1) << i;
    return bits;
}

static bool is_set_by_operation(const PlanOp *ops, uint16_t slot)
{
    for (; ops->code != PLAN_END; ops++) {
        if (ops->code <= PLAN_WHEN && ops->code != PLAN_BUILD && ops->into == slot)
            return true;
    }
    return false;
}

/* Whether a SKIP_IF may be taken before any operation is run: what it reads does not change, and
   each jump over it leads over all that it leads over. */
static bool is_known_early(const PlanOp *ops, uint32_t jump)
{
    if (is_set_by_operation(ops, ops[jump].a))
        return false;
    for (uint32_t i = 0; i < jump; i++) {
        uint64_t beyond = skipped_by(ops, jump) & ~skipped_by(ops, i);
        if (ops[i].skip && i + ops[i].skip >= jump && beyond)
            return false;
    }
    return true;
}

/* An operation need not run only to clear its slot, because no earlier operation sets that slot. */
void draft_finish_wakes(Draft *d)
{
    Program *p = d->program;
    if (p->n_slots > MOST_WOKEN || d->n_ops > MOST_WOKEN + 1) /* without PLAN_END */
        return;
    SlotOps *slots = arena_array(d->arena, SlotOps, p->n_slots);
    for (uint32_t i = 0; d->ops[i].code != PLAN_END; i++) {
        const PlanOp *op = &d->ops[i];
        uint64_t bit = UINT64_C(1) << i;
        if (op->code == PLAN_CONVERT) {
            for (uint32_t k = 0; k < op->n_args; k++)
                slots[op->args[k]].wakes |= bit;
        } else if (op->code == PLAN_SKIP_IF && is_known_early(d->ops, i)) {
            slots[op->a].silences |= skipped_by(d->ops, i);
        } else if (op->when_unset) {
            slots[op->a].wakes |= bit;
        } else {
            p->always |= bit;
        }
    }
    p->wakes = slots;
}

/* Most fields keep their records, and where no slot is set, no operation does anything. */
void draft_finish_same(Draft *d)
{
    Program *p = d->program;
    uint32_t kept = 0, n = d->root->type->n_fields;
    for (uint32_t i = 0; i < n; i++)
        kept += d->root->fields[i].keeps_tag && d->root->fields[i].read >= PASS_VARINT;
    p->often_same = p->wakes && !p->always && kept * 2 > n;
}

bool draft_open(Draft *d)
{
    if (d->open == MOST_BUILDS)
        draft_refuse(d, "messages are built within messages too deeply");
    return d->open++ < MOST_BUILDS;
}

/* ---- Operands -------------------------------------------------------------------------------- */

Codec draft_codec(const Draft *d, const Operand *from)
{
    return from->form == FORM_SOURCE ? d->program->from_codec : CODEC_PROTO;
}

bool operand_is_map(ValueType type)
{
    return type.repeated && type.message && type.message->map_entry;
}

const MessageType *operand_message(ValueType type)
{
    return operand_is_map(type) ? message_field_by_number(type.message, 2)->message : type.message;
}

const ElementShape *draft_shape(Draft *d, const Operand *from)
{
    ElementShape *shape = arena_make(d->arena, ElementShape);
    const FieldType *source = from->form == FORM_SOURCE ? from->source : NULL;
    *shape = (ElementShape){.source = source,
                            .kind = from->type.kind,
                            .form = from->form,
                            .enumeration = from->type.enumeration,
                            .map = operand_is_map(from->type)};
    bool check = d->to == CODEC_PROTO;
    if (source)
        shape->check_utf8 = check && source->check_utf8;
    const MessageType *message = from->type.message;
    if (shape->map) {
        const FieldType *key = message_field_by_number(message, 1);
        const FieldType *value = message_field_by_number(message, 2);
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

Operand draft_computed(Draft *d, const Operand *from, Form form, ValueType type)
{
    return (Operand){
        .slot = draft_slot(d), .form = form, .type = type, .where = from ? from->where : NULL};
}
