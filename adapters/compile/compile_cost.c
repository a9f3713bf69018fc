/*
 * What a plan may cost for a byte, at worst, by the types of its messages.
 *
 * For each type: the time of a unit of it, divided by the bytes of the shortest message that has
 * such a unit. A list of an enum, say, has a byte for each value, and JSON a name. Then each
 * message gets the highest of what it may contain. The figures are measured, and rounded up:
 * `loadtest/messages` prints what the worst messages take with them.
 */
#include "adapters/compile/compile.h"

enum {
    /* nanoseconds for a byte of input */
    COST_DOUBLE = 180, /* "9e307": a long division for few letters */
    COST_FLOAT = 96,
    COST_TIME = 24,
    COST_MESSAGE = 20, /* two bytes in a list of empty ones */
    /* nanoseconds for a unit */
    NS_PER_VALUE = 15,
    LETTERS_PER_NS = 2,
};

static uint8_t level_of(size_t cost)
{
    uint8_t level = 0;
    while (level < PLAN_HIGHEST_COST && (size_t)PLAN_USUAL_NS << level < cost)
        level++;
    return level;
}

static size_t greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t of_name(const char *name)
{
    return NS_PER_VALUE + strlen(name) / LETTERS_PER_NS;
}

static size_t of_enum(const EnumType *type)
{
    size_t cost = 0;
    for (uint32_t i = 0; i < type->n_values; i++)
        cost = greater(cost, of_name(type->values[i].name));
    return cost;
}

static size_t of_field(const PlanOptions *options, const FieldType *field)
{
    switch (field->kind) {
    case KIND_DOUBLE: return COST_DOUBLE;
    case KIND_FLOAT: return COST_FLOAT;
    case KIND_ENUM: return options->enums_as_numbers ? 0 : of_enum(field->enumeration);
    case KIND_MESSAGE:
    case KIND_GROUP: return COST_MESSAGE;
    default: return 0;
    }
}

/* A field with its name has two bytes; a message without fields has them too, and if defaults or
   nulls are written, all names. */
static size_t of_fields(const PlanOptions *options, const MessageType *type)
{
    size_t cost = 0, names = 0;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        size_t name = of_name(type->fields[i].json_name);
        cost = greater(cost, greater(of_field(options, &type->fields[i]), name / 2));
        names += name;
    }
    return options->emit_defaults || options->emit_nulls ? greater(cost, names / 2) : cost;
}

static size_t of_type(const PlanOptions *options, const MessageType *type)
{
    switch (type->well_known) {
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION: return COST_TIME;
    case WELL_KNOWN_ANY: /* all_levels */
    case WELL_KNOWN_STRUCT:
    case WELL_KNOWN_VALUE: /* which has a double */
    case WELL_KNOWN_LIST_VALUE:
    case WELL_KNOWN_FIELD_MASK:
    case WELL_KNOWN_EMPTY:
    case WELL_KNOWN_WRAPPER:
    case WELL_KNOWN_NONE: break;
    }
    return of_fields(options, type);
}

/* In an Any may be whatever the schema has. */
static uint8_t *all_levels(Compiler *c, const Schema *schema)
{
    uint8_t *levels = arena_array(c->arena, uint8_t, schema->n_messages), highest = 0;
    CHECK(levels); /* a config generation's arena has no limit */
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        levels[i] = level_of(of_type(&c->set->options, &schema->messages[i]));
        highest = levels[i] > highest ? levels[i] : highest;
    }
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        if (schema->messages[i].well_known == WELL_KNOWN_ANY)
            levels[i] = highest;
    }
    reach_spread(schema, levels);
    return levels;
}

uint8_t compiler_cost(Compiler *c, const MessageType *type)
{
    Bytes key = bytes(&type->schema, sizeof(type->schema));
    const uint8_t *levels = table_get(&c->costs, key);
    if (!levels) {
        levels = all_levels(c, type->schema);
        table_put(&c->costs, bytes_copy(c->arena, key), (void *)(uintptr_t)levels);
    }
    return levels[type->index];
}
