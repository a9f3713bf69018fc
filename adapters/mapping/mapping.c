#include "adapters/mapping/mapping.h"

#include "base/arena.h"

const Mapping *mapping_set_find(const MappingSet *set, const MessageType *from)
{
    const Mapping *found = table_get(&set->by_type, bytes_of(from->full_name));
    return found && found->from == from ? found : NULL;
}

static const MethodMapping *find_method(const MappingSet *set, const MethodType *method)
{
    return table_get(&set->by_method, bytes_of(method->path));
}

const Mapping *mapping_set_input(const MappingSet *set, const MethodType *method)
{
    const MethodMapping *found = find_method(set, method);
    return found ? found->input : set->by_method.n ? NULL : mapping_set_find(set, method->input);
}

const Mapping *mapping_set_output(const MappingSet *set, const MethodType *method)
{
    const MethodMapping *found = find_method(set, method);
    return found ? found->output : set->by_method.n ? NULL : mapping_set_find(set, method->output);
}

/* Everything that one field's rule needs, side by side. */
typedef struct IdentityField {
    Expr field, message;
    const FieldType *step;
    const Expr *arg;
} IdentityField;

static ValueType field_value_type(const FieldType *field)
{
    return (ValueType){field->kind, field->repeated, field->message, field->enumeration};
}

/* What the field holds: itself, or a message through its own identity. */
static const Expr *identity_of(const FieldType *field, const Mapping *mappings, IdentityField *room)
{
    room->step = field;
    room->field = (Expr){
        .kind = EXPR_FIELD, .type = field_value_type(field), .steps = &room->step, .n_steps = 1};
    const MessageType *message =
        field->map ? message_field_by_number(field->message, 2)->message : field->message;
    if (!message)
        return &room->field;
    room->arg = &room->field;
    room->message = (Expr){.kind = EXPR_MESSAGE,
                           .type = room->field.type,
                           .args = &room->arg,
                           .n_args = 1,
                           .mapping = &mappings[message->index]};
    return &room->message;
}

static bool make_identity(Arena *arena, const MessageType *type, Mapping *mappings)
{
    Rule *rules = arena_array(arena, Rule, type->n_fields);
    IdentityField *rooms = arena_array(arena, IdentityField, type->n_fields);
    if (!rules || !rooms)
        return false;
    for (uint32_t i = 0; i < type->n_fields; i++)
        rules[i] = (Rule){&type->fields[i], identity_of(&type->fields[i], mappings, &rooms[i])};
    mappings[type->index] = (Mapping){
        .from = type,
        .to = type,
        .rules = rules,
        .n_rules = type->n_fields,
        .identity = true,
        .same_wire = true,
        .index = type->index,
    };
    return true;
}

Result mapping_set_identity(Arena *arena, const Schema *schema, const MappingSet **set_out)
{
    MappingSet *set = arena_make(arena, MappingSet);
    Mapping *mappings = arena_array(arena, Mapping, schema->n_messages);
    const Mapping **list = arena_array(arena, const Mapping *, schema->n_messages);
    *set_out = NULL;
    if (!set || !mappings || !list)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "mapping %s to itself", schema->name);

    *set = (MappingSet){.from = schema,
                        .to = schema,
                        .from_version = "",
                        .to_version = "",
                        .mappings = list,
                        .n_mappings = schema->n_messages,
                        .by_type = table_in(arena)};
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        if (!make_identity(arena, &schema->messages[i], mappings))
            return FAIL(arena, FAULT_OUT_OF_MEMORY, "mapping %s to itself", schema->name);
        list[i] = &mappings[i];
        table_put(&set->by_type, bytes_of(schema->messages[i].full_name), &mappings[i]);
    }
    *set_out = set;
    return OK;
}
