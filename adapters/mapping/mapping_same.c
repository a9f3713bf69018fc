/* Which mappings change nothing. All are assumed to, until one is found that does; then so do those
   that lead to it, repeated until there are no more. Recursive types require this direction. */
#include "adapters/mapping/expr.h"

static bool same_enum(const EnumType *a, const EnumType *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->closed != b->closed || a->n_values != b->n_values)
        return false;
    for (uint32_t i = 0; i < a->n_values; i++) {
        const EnumValue *other = enum_value_by_name(b, bytes_of(a->values[i].name));
        if (!other || other->number != a->values[i].number)
            return false;
    }
    return true;
}

static bool same_oneof(const FieldType *a, const FieldType *b)
{
    return !a->oneof == !b->oneof && (!a->oneof || strcmp(a->oneof->name, b->oneof->name) == 0);
}

static bool same_meaning(const FieldType *a, const FieldType *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->json_name, b->json_name) == 0 &&
           a->kind == b->kind && a->repeated == b->repeated && a->map == b->map &&
           a->presence == b->presence && a->required == b->required &&
           a->check_utf8 == b->check_utf8 && same_oneof(a, b) &&
           same_enum(a->enumeration, b->enumeration) &&
           bytes_equal(field_default(a), field_default(b));
}

/* The expression that reads the field if its value is not changed, apart from a mapping of its
   message; else NULL. */
static const Expr *plain_field(const Expr *value, bool same_package)
{
    if (value->kind == EXPR_MESSAGE && value->mapping->identity)
        return plain_field(value->args[0], same_package);
    if (value->kind == EXPR_CONVERT && value->converter->code == CONVERT_FIELD_MASK &&
        value->converter->mapping->identity)
        return plain_field(value->args[0], same_package);
    if (value->kind == EXPR_CONVERT && value->converter->code == CONVERT_TYPE_URL &&
        !value->converter->n_held && same_package)
        return plain_field(value->args[0], same_package);
    return value->kind == EXPR_FIELD && value->n_steps == 1 ? value : NULL;
}

static bool map_keys_same(const FieldType *a, const FieldType *b)
{
    if (!a->map)
        return true;
    return same_meaning(message_field_by_number(a->message, 1),
                        message_field_by_number(b->message, 1)) &&
           same_meaning(message_field_by_number(a->message, 2),
                        message_field_by_number(b->message, 2));
}

static bool still_identity(const Mapping *mapping, bool same_package)
{
    if (mapping->n_guards || mapping->n_rules != mapping->to->n_fields ||
        mapping->n_rules != mapping->from->n_fields ||
        mapping->from->map_entry != mapping->to->map_entry)
        return false;
    for (uint32_t i = 0; i < mapping->n_rules; i++) {
        const Rule *rule = &mapping->rules[i];
        const Expr *source = plain_field(rule->value, same_package);
        if (!source || !same_meaning(source->steps[0], rule->target) ||
            !map_keys_same(source->steps[0], rule->target))
            return false;
    }
    return true;
}

static bool inner_same_wire(const Expr *value)
{
    if (value->kind == EXPR_MESSAGE && !value->mapping->same_wire)
        return false;
    return value->kind == EXPR_FIELD || inner_same_wire(value->args[0]);
}

static bool still_same_wire(const Mapping *mapping)
{
    if (!mapping->identity || mapping->from->message_set != mapping->to->message_set)
        return false;
    for (uint32_t i = 0; i < mapping->n_rules; i++) {
        const Rule *rule = &mapping->rules[i];
        const FieldType *source = plain_field(rule->value, true)->steps[0];
        if (source->number != rule->target->number || source->packed != rule->target->packed ||
            !inner_same_wire(rule->value))
            return false;
    }
    return true;
}

void mappings_settle(Mapping *const *mappings, uint32_t n_mappings, bool same_package)
{
    for (uint32_t i = 0; i < n_mappings; i++)
        mappings[i]->identity = mappings[i]->same_wire = true;
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < n_mappings; i++) {
            if (mappings[i]->identity && !still_identity(mappings[i], same_package)) {
                mappings[i]->identity = false;
                more = true;
            }
        }
    }
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < n_mappings; i++) {
            if (mappings[i]->same_wire && !still_same_wire(mappings[i])) {
                mappings[i]->same_wire = false;
                more = true;
            }
        }
    }
}
