#include "adapters/mapping/mapping.h"

#include "base/arena.h"

const Mapping *mapping_set_named(const MappingSet *set, Bytes full_name)
{
    if (!set->identity)
        return table_get(&set->by_type, full_name);
    const MessageType *type = schema_message(set->from, full_name);
    return type ? set->mappings[type->index] : NULL;
}

const Mapping *mapping_set_find(const MappingSet *set, const MessageType *from)
{
    const Mapping *found = mapping_set_named(set, bytes_of(from->full_name));
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

const Loss *mapping_set_add_loss(Arena *arena, MappingSet *set, Loss *loss)
{
    enum { FIRST_ROOM = 32 };
    uint32_t n = set->n_losses;
    const Loss **losses = set->losses;
    if (n == 0 || (n >= FIRST_ROOM && (n & (n - 1)) == 0))
        losses = arena_grow(arena, losses, n * sizeof(Loss *),
                            (n ? 2 * n : FIRST_ROOM) * sizeof(Loss *));
    loss->index = n;
    losses[set->n_losses++] = loss;
    set->losses = losses;
    return loss;
}

/* Memory for the rules of an identity, allocated in few blocks. */
typedef struct IdentityRoom {
    Expr *fields;            /* one for each field */
    const FieldType **steps; /* likewise */
    Expr *messages;          /* one for each field with messages */
    const Expr **args;       /* likewise */
} IdentityRoom;

static ValueType field_value_type(const FieldType *field)
{
    return (ValueType){field->kind, field->repeated, field->message, field->enumeration};
}

/* The message type of the field, or of a map's values; NULL if they are not messages. */
static const MessageType *message_in(const FieldType *field)
{
    return field->map ? message_field_by_number(field->message, 2)->message : field->message;
}

/* The expression for a field: the field itself, or its message through that type's identity. */
static const Expr *identity_of(const FieldType *field, const Mapping *mappings, IdentityRoom *room)
{
    const MessageType *message = message_in(field);
    Expr *value = &room->fields[field->index];
    room->steps[field->index] = field;
    *value = (Expr){.kind = EXPR_FIELD,
                    .type = field_value_type(field),
                    .steps = &room->steps[field->index],
                    .n_steps = 1};
    if (!message)
        return value;
    *room->args = value;
    *room->messages = (Expr){.kind = EXPR_MESSAGE,
                             .type = value->type,
                             .args = room->args++,
                             .n_args = 1,
                             .mapping = &mappings[message->index]};
    return room->messages++;
}

const Mapping *mapping_with_rules(Arena *arena, const Mapping *mapping)
{
    if (!mapping->unwritten)
        return mapping;
    const MessageType *type = mapping->to;
    const Mapping *all = mapping - mapping->index;
    uint32_t n = type->n_fields, n_messages = 0;
    for (uint32_t i = 0; i < n; i++)
        n_messages += message_in(&type->fields[i]) != NULL;
    Mapping *made = arena_make(arena, Mapping);
    Rule *rules = arena_array(arena, Rule, n);
    IdentityRoom room = {.fields = arena_array(arena, Expr, n),
                         .steps = arena_array(arena, const FieldType *, n),
                         .messages = arena_array(arena, Expr, n_messages),
                         .args = arena_array(arena, const Expr *, n_messages)};
    if (!made || !rules || !room.fields || !room.steps || !room.messages || !room.args)
        return NULL;
    for (uint32_t i = 0; i < n; i++)
        rules[i] = (Rule){&type->fields[i], identity_of(&type->fields[i], all, &room)};
    *made = *mapping;
    made->rules = rules;
    made->n_rules = n;
    made->unwritten = false;
    return made;
}

Result mapping_set_identity(Arena *arena, const Schema *schema, const MappingSet **set_out)
{
    MappingSet *set = arena_make(arena, MappingSet);
    Mapping *mappings = arena_array(arena, Mapping, schema->n_messages);
    const Mapping **list = arena_array(arena, const Mapping *, schema->n_messages);
    *set_out = NULL;
    if (!set || !mappings || !list)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "mapping %s to itself", schema->name);

    *set = (MappingSet){.identity = true,
                        .from = schema,
                        .to = schema,
                        .from_version = "",
                        .to_version = "",
                        .mappings = list,
                        .n_mappings = schema->n_messages};
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *type = &schema->messages[i];
        mappings[i] = (Mapping){.from = type,
                                .to = type,
                                .identity = true,
                                .same_wire = true,
                                .unwritten = true,
                                .index = i};
        list[i] = &mappings[i];
    }
    *set_out = set;
    return OK;
}
