#include "adapters/place/placement.h"

#include "adapters/mapping/expr.h"

#include <stdarg.h>

/* The fields of the message that have a value, as a tree: inner nodes are messages that are made.
 */
typedef struct Node {
    const FieldType *field;
    const Expr *value; /* NULL: of the nodes below */
    struct Node *first, *next;
} Node;

struct Placement {
    Arena *arena;
    const MessageType *envelope, *into;
    Node root;
    Table pairs; /* the two types -> their Mapping */
    Mapping **mappings;
    uint32_t n_mappings;
    PlaceMistake mistake; /* the first one of the current move */
};

/* ---- The envelope ---------------------------------------------------------------------------- */

const MessageType *place_envelope(Arena *arena, const PlaceSource *sources, uint32_t n)
{
    Schema *schema = arena_make(arena, Schema);
    MessageType *type = arena_make(arena, MessageType);
    FieldType *fields = arena_array(arena, FieldType, n);
    *schema = (Schema){.name = "envelope", .messages = type, .n_messages = 1};
    *type = (MessageType){.name = "Envelope",
                          .full_name = "Envelope",
                          .package = "",
                          .fields = fields,
                          .n_fields = n,
                          .proto3 = true,
                          .schema = schema};
    for (uint32_t i = 0; i < n; i++)
        fields[i] = (FieldType){.name = sources[i].name,
                                .json_name = sources[i].name,
                                .number = i + 1,
                                .index = i,
                                .kind = KIND_MESSAGE,
                                .presence = true,
                                .message = sources[i].message,
                                .parent = type};
    return type;
}

void place_record(Buffer *envelope, uint32_t source, Bytes message)
{
    wire_add_bytes(envelope, source + 1, message);
}

/* ---- Mistakes -------------------------------------------------------------------------------- */

static void PRINTF_LIKE(3, 4) tell(Placement *p, const char *hint, const char *format, ...)
{
    char text[512];
    va_list args;
    if (p->mistake.what)
        return;
    va_start(args, format);
    text_format(text, sizeof text, format, args);
    va_end(args);
    p->mistake = (PlaceMistake){arena_string(p->arena, text), hint};
}

static const FieldType *field_at(Placement *p, const MessageType *message, Bytes name)
{
    const FieldType *field = message_field(message, name);
    const char *near = field ? NULL : message_nearest_field(message, name, p->arena);
    if (!field)
        tell(p, near ? arena_printf(p->arena, "did you mean %s?", near) : NULL,
             "%s has no field %.*s", message->full_name, BYTES_ARGS(bytes_cut_text(name, 100)));
    return field;
}

static bool leads_on(Placement *p, const FieldType *field)
{
    if (field->message && !field->repeated)
        return true;
    tell(p, "take the whole field",
         field->repeated ? "%s.%s is a list: there is no way into its elements"
                         : "%s.%s is no message: there is nothing in it",
         field->parent->full_name, field->name);
    return false;
}

/* ---- Types ----------------------------------------------------------------------------------- */

static const Mapping *pair_of(Placement *p, const MessageType *from, const MessageType *to);

static bool has_all_values(Placement *p, const EnumType *from, const EnumType *to)
{
    for (uint32_t i = 0; from != to && i < from->n_values; i++) {
        const EnumValue *value = enum_value_by_name(to, bytes_of(from->values[i].name));
        if (value && value->number == from->values[i].number)
            continue;
        tell(p, "an enum that is placed as another one has the same names and numbers",
             "%s has no value %s = %d, which %s has", to->full_name, from->values[i].name,
             from->values[i].number, from->full_name);
        return false;
    }
    return true;
}

static const char *type_shown(const FieldType *field)
{
    return field->map ? "a map" : field_type_name(field);
}

static const char *place_shown(const Placement *p, const FieldType *field)
{
    return field->parent == p->envelope
               ? arena_printf(p->arena, "(all of %s)", field->name)
               : arena_printf(p->arena, "%s.%s", field->parent->full_name, field->name);
}

static const Expr *unfit(Placement *p, const FieldType *from, const FieldType *to)
{
    tell(p, "both need the same type, or integers the wider one", "%s%s %s does not fit %s%s %s",
         from->repeated && !from->map ? "repeated " : "", type_shown(from), place_shown(p, from),
         to->repeated && !to->map ? "repeated " : "", type_shown(to), place_shown(p, to));
    return NULL;
}

static const Expr *convert_map(Placement *p, const Expr *value, const FieldType *from,
                               const FieldType *to)
{
    const FieldType *key = message_field_by_number(from->message, 1);
    const FieldType *to_key = message_field_by_number(to->message, 1);
    const FieldType *element = message_field_by_number(from->message, 2);
    const FieldType *to_element = message_field_by_number(to->message, 2);
    if (!key || !to_key || !element || !to_element || key->kind != to_key->kind ||
        element->kind != to_element->kind)
        return unfit(p, from, to);
    if (element->enumeration && !has_all_values(p, element->enumeration, to_element->enumeration))
        return NULL;
    if (!element->message)
        return value;
    const Mapping *mapping = pair_of(p, element->message, to_element->message);
    return mapping ? expr_message(p->arena, mapping, value) : NULL;
}

/* The value of one field as one of another; NULL: it does not fit, which was told. */
static const Expr *convert(Placement *p, const Expr *value, const FieldType *from,
                           const FieldType *to)
{
    if (from->repeated != to->repeated || from->map != to->map)
        return unfit(p, from, to);
    if (from->map)
        return convert_map(p, value, from, to);
    if (kind_is_number(from->kind) && kind_is_number(to->kind) &&
        !number_narrows(from->kind, to->kind))
        return expr_number(p->arena, value, from->kind, to->kind);
    if (from->kind != to->kind)
        return unfit(p, from, to);
    if (from->enumeration)
        return has_all_values(p, from->enumeration, to->enumeration) ? value : NULL;
    if (!from->message)
        return value;
    const Mapping *mapping = pair_of(p, from->message, to->message);
    return mapping ? expr_message(p->arena, mapping, value) : NULL;
}

static const Expr *field_expr(Placement *p, const FieldType *field)
{
    const FieldType **steps = arena_array(p->arena, const FieldType *, 1);
    steps[0] = field;
    return expr_field(p->arena, steps, 1);
}

static void map_by_name(Placement *p, Mapping *mapping)
{
    const MessageType *from = mapping->from, *to = mapping->to;
    Rule *rules = arena_array(p->arena, Rule, to->n_fields);
    mapping->rules = rules;
    for (uint32_t i = 0; i < to->n_fields; i++) {
        const FieldType *target = &to->fields[i];
        const FieldType *source = message_field(from, bytes_of(target->name));
        const Expr *value = source ? convert(p, field_expr(p, source), source, target) : NULL;
        if (value)
            rules[mapping->n_rules++] = (Rule){.target = target, .value = value};
    }
    if (!mapping->n_rules && from->n_fields && to->n_fields)
        tell(p, "place its fields, each by its path", "%s and %s have no field in common",
             from->full_name, to->full_name);
}

static const Mapping *pair_of(Placement *p, const MessageType *from, const MessageType *to)
{
    enum { FIRST_ROOM = 16 };
    const void *pair[2] = {from, to};
    Mapping *mapping = table_get(&p->pairs, bytes(pair, sizeof pair));
    if (mapping)
        return mapping;
    if (from->well_known != to->well_known) {
        tell(p, NULL, "%s does not fit %s", from->full_name, to->full_name);
        return NULL;
    }
    uint32_t n = p->n_mappings;
    if (n == 0 || (n >= FIRST_ROOM && (n & (n - 1)) == 0))
        p->mappings = arena_grow(p->arena, p->mappings, n * sizeof *p->mappings,
                                 (n ? 2 * n : FIRST_ROOM) * sizeof *p->mappings);
    mapping = p->mappings[p->n_mappings++] = arena_make(p->arena, Mapping);
    *mapping = (Mapping){.from = from, .to = to, .index = n};
    table_put(&p->pairs, bytes_copy(p->arena, bytes(pair, sizeof pair)), mapping);
    map_by_name(p, mapping);
    return mapping;
}

/* ---- Moves ----------------------------------------------------------------------------------- */

Placement *placement_new(Arena *arena, const MessageType *envelope, const MessageType *into)
{
    Placement *p = arena_make(arena, Placement);
    *p = (Placement){.arena = arena, .envelope = envelope, .into = into, .pairs = table_in(arena)};
    return p;
}

static uint32_t count_steps(Bytes path)
{
    uint32_t n = 1;
    for (size_t i = 0; i < path.size; i++)
        n += path.data[i] == '.';
    return n;
}

/* What is at the path of the source; NULL: a mistake. */
static const Expr *read(Placement *p, uint32_t source, Bytes path)
{
    const FieldType **steps = arena_array(p->arena, const FieldType *, count_steps(path) + 1);
    const FieldType *field = &p->envelope->fields[source];
    uint32_t n = 0;
    steps[n++] = field;
    if (bytes_are(path, "."))
        return expr_field(p->arena, steps, n);
    do {
        Bytes name = bytes_slice(path, 0, bytes_find(path, '.'));
        path = bytes_slice(path, name.size + 1, SIZE_MAX);
        if (!leads_on(p, field) || !(field = field_at(p, field->message, name)))
            return NULL;
        steps[n++] = field;
    } while (path.size);
    return expr_field(p->arena, steps, n);
}

/* Members of one oneof exclude each other. */
static bool is_free(Placement *p, const Node *parent, const FieldType *field)
{
    for (const Node *other = parent->first; field->oneof && other; other = other->next) {
        if (other->field->oneof != field->oneof || other->field == field)
            continue;
        tell(p, NULL, "%s and %s are in the oneof %s: a message has one of them", field->name,
             other->field->name, field->oneof->name);
        return false;
    }
    return true;
}

static Node *child_of(Placement *p, Node *parent, const FieldType *field)
{
    for (Node *child = parent->first; child; child = child->next) {
        if (child->field == field)
            return child;
    }
    Node *child = arena_make(p->arena, Node);
    *child = (Node){.field = field, .next = parent->first};
    parent->first = child;
    return child;
}

/* The node at the path, which has no value yet; NULL: a mistake. */
static Node *find(Placement *p, Bytes path)
{
    const MessageType *message = p->into;
    Node *node = &p->root;
    Bytes left = path;
    do {
        Bytes name = bytes_slice(left, 0, bytes_find(left, '.'));
        left = bytes_slice(left, name.size + 1, SIZE_MAX);
        const FieldType *field = field_at(p, message, name);
        if (!field || !is_free(p, node, field) || (left.size && !leads_on(p, field)))
            return NULL;
        node = child_of(p, node, field);
        if (node->value || (!left.size && node->first)) {
            tell(p, NULL, "%s has a value already%s", field->name,
                 node->value ? "" : ", in a part of it");
            return NULL;
        }
        message = field->message;
    } while (left.size);
    return node;
}

PlaceMistake placement_move(Placement *p, Bytes into, uint32_t source, Bytes from)
{
    p->mistake = (PlaceMistake){NULL, NULL};
    const Expr *value = read(p, source, from);
    Node *node = value ? find(p, into) : NULL;
    if (node) {
        const FieldType *field = value->steps[value->n_steps - 1];
        node->value = convert(p, value, field, node->field);
    }
    return p->mistake;
}

/* ---- The mapping ----------------------------------------------------------------------------- */

static Rule *rules_of(Placement *p, const Node *parent, uint32_t *n_out)
{
    uint32_t n = 0;
    for (const Node *child = parent->first; child; child = child->next)
        n++;
    Rule *rules = arena_array(p->arena, Rule, n);
    *n_out = 0;
    for (const Node *child = parent->first; child; child = child->next) {
        uint32_t n_inner;
        const Expr *value = child->value;
        if (!value) {
            Rule *inner = rules_of(p, child, &n_inner);
            value = expr_build(p->arena, child->field->message, inner, n_inner, NULL);
        }
        if (value)
            rules[(*n_out)++] = (Rule){.target = child->field, .value = value};
    }
    rules_sort(rules, *n_out);
    return rules;
}

const Mapping *placement_mapping(Placement *p)
{
    Mapping *mapping = arena_make(p->arena, Mapping);
    *mapping = (Mapping){.from = p->envelope, .to = p->into, .index = p->n_mappings};
    mapping->rules = rules_of(p, &p->root, &mapping->n_rules);
    mappings_settle(p->mappings, p->n_mappings, true);
    return mapping;
}
