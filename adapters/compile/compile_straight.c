/*
 * Which fields are straight: protobuf to protobuf, their records mean the same on both sides, apart
 * from the field number, so they are written while they are read.
 *
 * They are written in the order of the source, and repeated if the source repeats them; for readers
 * the meaning is the same. Other fields are read to slots. A straight field has a slot, too, when
 * an expression reads it besides, and when only some of its values mean the same (`fits`): the
 * others are converted, and written behind, where they count.
 */
#include "adapters/compile/compile.h"

static bool is_open(const EnumType *type)
{
    return !type || !type->closed;
}

static bool same_entries(const MessageType *from, const MessageType *to)
{
    for (uint32_t number = 1; number <= 2; number++) {
        const FieldType *a = message_field_by_number(from, number);
        const FieldType *b = message_field_by_number(to, number);
        if (a->kind != b->kind || !is_open(a->enumeration))
            return false;
    }
    return true;
}

/* Whether a record of `from` is a record of `to`, if its value means the same there. */
static bool same_place(const FieldType *from, const FieldType *to)
{
    return from->repeated == to->repeated && from->packed == to->packed && from->map == to->map &&
           is_open(from->enumeration) && !from->parent->message_set && !to->parent->message_set &&
           !to->required &&                     /* its presence must be checked */
           (from->presence || !to->presence) && /* a zero would become set */
           !from->oneof == !to->oneof;
}

/* Whether a record of `from` is a valid record of `to` with the same meaning, regardless of other
   fields. */
static bool same_records(const FieldType *from, const FieldType *to)
{
    return from->kind == to->kind && from->kind != KIND_GROUP && same_place(from, to) &&
           (!from->map || same_entries(from->message, to->message));
}

static const EnumEntry *entry_of(const Converter *by, int32_t number)
{
    for (uint32_t i = 0; i < by->n_entries; i++) {
        if (by->entries[i].from == number)
            return &by->entries[i];
    }
    return NULL;
}

static bool all_stay(const Converter *by, const EnumType *type)
{
    for (uint32_t i = 0; i < type->n_values; i++) {
        const EnumEntry *entry = entry_of(by, type->values[i].number);
        if (!entry || entry->to != type->values[i].number)
            return false;
    }
    return true;
}

bool converter_keeps_numbers(const Converter *by)
{
    return by->code == CONVERT_ENUM && by->keep_unknown && is_open(by->from.enumeration) &&
           all_stay(by, by->from.enumeration) && all_stay(by, by->to.enumeration);
}

/* The field that the expression reads without a change: of the source, or of the message `inside`
   in it; or NULL. */
static const FieldType *plain_field(const Expr *value, const FieldType *inside)
{
    if (value->kind == EXPR_CONVERT && converter_keeps_numbers(value->converter))
        return plain_field(value->args[0], inside);
    if (value->kind != EXPR_FIELD || value->n_steps != (inside ? 2 : 1) ||
        (inside && value->steps[0] != inside))
        return NULL;
    return value->steps[value->n_steps - 1];
}

static bool is_plain_scalar(const FieldType *field)
{
    return !field->repeated && !field->oneof && !kind_is_message(field->kind);
}

static const Program *program_for(Compiler *c, const Rule *rule)
{
    const MessageType *type = rule->target->message;
    if (rule->value->kind == EXPR_MESSAGE)
        return compiler_program(c, rule->value->mapping, CODEC_PROTO, CODEC_PROTO);
    if (rule->target->map)
        type = message_field_by_number(type, 2)->message;
    return type ? compiler_identity(c, type, CODEC_PROTO, CODEC_PROTO) : NULL;
}

static Straight straight_rule(Compiler *c, const Rule *rule, const FieldType *inside)
{
    const Expr *value = rule->value->kind == EXPR_MESSAGE ? rule->value->args[0] : rule->value;
    const FieldType *source = plain_field(value, inside);
    if (!source || !same_records(source, rule->target))
        return (Straight){.source = NULL};
    Straight straight = {.source = source, .program = program_for(c, rule)};
    /* The message may be split in several records, which must be merged before the conversion. */
    if (!rule->target->repeated && straight.program && straight.program->style != PROGRAM_COPY)
        return (Straight){.source = NULL};
    return straight;
}

/* A scalar of a message within the source. If one of the messages were in a oneof, the field could
   be unset again. */
static Straight straight_path(const Rule *rule)
{
    const Expr *value = rule->value;
    if (value->kind == EXPR_CONVERT && converter_keeps_numbers(value->converter))
        value = value->args[0];
    if (value->kind != EXPR_FIELD || value->n_steps < 2)
        return (Straight){.source = NULL};
    const FieldType *source = value->steps[value->n_steps - 1];
    bool good = same_records(source, rule->target) && is_plain_scalar(source);
    for (uint32_t i = 0; i + 1 < value->n_steps; i++)
        good &= !value->steps[i]->oneof && !value->steps[i]->parent->message_set;
    return (Straight){.source = good ? source : NULL, .path = value};
}

/* The highest number of a kind of which records are varints, as they are. */
static uint64_t highest(FieldKind kind)
{
    switch (kind) {
    case KIND_INT32: return INT32_MAX;
    case KIND_UINT32: return UINT32_MAX;
    case KIND_INT64: return INT64_MAX;
    case KIND_UINT64: return UINT64_MAX;
    default: return 0;
    }
}

/* A bit for each value, of those below 64, that is the same in both versions. Without zero there
   are none: it unsets the field, so it must not be left to the slot. */
static uint64_t values_that_stay(const Converter *by)
{
    uint64_t stay = 0;
    for (uint32_t i = 0; i < by->n_entries; i++) {
        const EnumEntry *entry = &by->entries[i];
        if (entry->from == entry->to && !entry->merges && entry->from >= 0 && entry->from < 64)
            stay |= UINT64_C(1) << entry->from;
    }
    return stay & 1 ? stay : 0;
}

static uint64_t numbers_that_fit(const Converter *by)
{
    uint64_t from = highest(by->from.kind), to = highest(by->to.kind);
    switch (by->code) {
    case CONVERT_NUMBER: return from < to ? from : to;
    case CONVERT_ENUM: return by->from.enumeration && by->to.enumeration ? values_that_stay(by) : 0;
    default: return 0;
    }
}

/* A number of which most values stay as they are, such as an int64 that becomes an int32. */
static Straight straight_number(const Rule *rule)
{
    const Expr *value = rule->value;
    const Expr *field = value->kind == EXPR_CONVERT ? value->args[0] : NULL;
    if (!field || field->kind != EXPR_FIELD || field->n_steps != 1)
        return (Straight){.source = NULL};
    const FieldType *source = field->steps[0];
    bool good = same_place(source, rule->target) && is_plain_scalar(source);
    uint64_t fits = good ? numbers_that_fit(value->converter) : 0;
    return (Straight){.source = fits ? source : NULL, .fits = fits};
}

const Straight *straight_rules(Compiler *c, const Mapping *mapping)
{
    Straight *rules = arena_array(c->room, Straight, mapping->n_rules);
    for (uint32_t i = 0; i < mapping->n_rules; i++) {
        const Rule *rule = &mapping->rules[i];
        rules[i] = straight_rule(c, rule, NULL);
        if (!rules[i].source)
            rules[i] = straight_path(rule);
        if (!rules[i].source)
            rules[i] = straight_number(rule);
    }
    return rules;
}

/* The only straight rule of a field of the source itself; n_rules if there are none or several. */
static uint32_t rule_of(const Mapping *mapping, const Straight *rules, const FieldType *source)
{
    uint32_t found = mapping->n_rules;
    for (uint32_t i = 0; i < mapping->n_rules; i++) {
        if (rules[i].source != source || rules[i].path)
            continue;
        if (found != mapping->n_rules)
            return mapping->n_rules;
        found = i;
    }
    return found;
}

static bool nobody_else_reads(const ScanTable *table, const FieldType *source)
{
    const ScanField *field = &table->fields[source->index];
    return field->slot == NO_SLOT && !field->inside;
}

/* If all members of both oneofs are straight, they unset each other in the target as in the
   source. */
static bool whole_oneof(const Mapping *mapping, const Straight *rules, const ScanTable *table,
                        const OneofType *from, const OneofType *to)
{
    uint32_t n_fed = 0;
    for (uint32_t i = 0; i < mapping->n_rules; i++)
        n_fed += mapping->rules[i].target->oneof == to;
    for (uint32_t i = 0; i < from->n_fields; i++) {
        uint32_t rule = rule_of(mapping, rules, from->fields[i]);
        if (rule == mapping->n_rules || mapping->rules[rule].target->oneof != to ||
            !nobody_else_reads(table, from->fields[i]))
            return false;
    }
    return n_fed == from->n_fields;
}

bool straight_stands(const Mapping *mapping, const Straight *rules, const ScanTable *table,
                     uint32_t rule)
{
    const FieldType *source = rules[rule].source, *target = mapping->rules[rule].target;
    bool may_be_kept = is_plain_scalar(source) && !rules[rule].fits;
    if (rules[rule].path)
        return true;
    if (rule_of(mapping, rules, source) != rule ||
        !(may_be_kept || nobody_else_reads(table, source)))
        return false;
    return !source->oneof || whole_oneof(mapping, rules, table, source->oneof, target->oneof);
}

/* ---- A new message from one of the source ---------------------------------------------------- */

/* How many times an expression reads a field inside the message. */
static uint32_t count_reads(const Expr *expr, const FieldType *inside)
{
    uint32_t n = expr->kind == EXPR_FIELD && expr->n_steps > 1 && expr->steps[0] == inside;
    for (uint32_t i = 0; i < expr->n_args; i++)
        n += count_reads(expr->args[i], inside);
    for (uint32_t i = 0; i < expr->n_rules; i++)
        n += count_reads(expr->rules[i].value, inside);
    return n;
}

static uint32_t count_all_reads(const Mapping *mapping, const FieldType *inside)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < mapping->n_rules; i++)
        n += count_reads(mapping->rules[i].value, inside);
    for (uint32_t i = 0; i < mapping->n_guards; i++)
        n += count_reads(mapping->guards[i].source, inside);
    return n;
}

static bool is_met_before(const Straight *rules, uint32_t rule)
{
    for (uint32_t i = 0; i < rule; i++) {
        if (rules[i].source == rules[rule].source)
            return true;
    }
    return false;
}

const Straight *straight_inside(Compiler *c, const Mapping *mapping, const Expr *build)
{
    const Expr *presence = build->n_args ? build->args[0] : NULL;
    if (!presence || presence->kind != EXPR_FIELD || presence->n_steps != 1 ||
        presence->type.kind != KIND_MESSAGE || presence->type.repeated)
        return NULL;
    const FieldType *inside = presence->steps[0];
    Straight *rules = arena_array(c->room, Straight, build->n_rules);
    uint32_t n = 0;
    for (uint32_t i = 0; i < build->n_rules; i++) {
        rules[i] = straight_rule(c, &build->rules[i], inside);
        if (!rules[i].source)
            continue;
        if (rules[i].source->oneof || is_met_before(rules, i))
            return NULL;
        n++;
    }
    return n && n == count_all_reads(mapping, inside) ? rules : NULL;
}

ScanRead straight_read(const FieldType *field, const Program *program)
{
    if (field->map)
        return PASS_ENTRY;
    if (field->packed)
        return PASS_PACKED;
    if (program && program->style != PROGRAM_COPY)
        return PASS_MESSAGE;
    switch (kind_wire_type(field->kind)) {
    case WIRE_FIXED64: return PASS_FIXED_64;
    case WIRE_FIXED32: return PASS_FIXED_32;
    case WIRE_LENGTH: return PASS_BYTES;
    default: return PASS_VARINT;
    }
}
