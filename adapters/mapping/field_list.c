#include "adapters/mapping/field_list.h"

#include "adapters/mapping/expr.h"

/* Of one message. */
struct FieldList {
    const MessageType *type;
    FieldList **fields; /* by FieldType.index; NULL: hidden. Of a field without fields: whole */
    bool whole;         /* all of it, whatever `fields` say */
};

/* ---- Paths ----------------------------------------------------------------------------------- */

/* The message that a path goes on in: of a map that of its values; NULL: there is none. */
static const MessageType *inside_of(const FieldType *field)
{
    const MessageType *type = field->message;
    if (field->map)
        type = message_field_by_number(type, 2)->message;
    bool value = type && type->well_known != WELL_KNOWN_NONE;
    return value ? NULL : type;
}

FieldList *field_list_new(Arena *arena, const MessageType *type)
{
    FieldList *list = arena_make(arena, FieldList);
    *list = (FieldList){.type = type};
    if (type)
        list->fields = arena_array(arena, FieldList *, type->n_fields + 1);
    return list;
}

FieldListMistake field_list_add(Arena *arena, FieldList *list, Bytes path,
                                FieldListPlace *place_out)
{
    bool all = bytes_are(path, "*");
    for (Bytes name; !all && bytes_split(&path, '.', &name);) {
        const FieldType *field = message_field(list->type, name);
        *place_out = (FieldListPlace){list->type, name};
        if (!field)
            return FIELD_LIST_NO_FIELD;
        if (path.data && !inside_of(field))
            return FIELD_LIST_NO_WAY;
        FieldList **inside = &list->fields[field->index];
        if (!*inside)
            *inside = field_list_new(arena, inside_of(field));
        list = *inside;
    }
    list->whole = true;
    return FIELD_LIST_FITS;
}

const FieldType *field_list_lacks(const FieldList *list)
{
    const FieldType *lacking = NULL;
    for (uint32_t i = 0; !list->whole && i < list->type->n_fields && !lacking; i++) {
        if (list->fields[i])
            lacking = field_list_lacks(list->fields[i]);
        else if (list->type->fields[i].required)
            lacking = &list->type->fields[i];
    }
    return lacking;
}

bool field_list_hides(const FieldList *list, Bytes path)
{
    for (Bytes name; list && !list->whole && bytes_split(&path, '.', &name);) {
        const FieldType *field = message_field(list->type, name);
        if (!field)
            return false;
        list = list->fields[field->index];
    }
    return !list;
}

static void add_hidden(const FieldList *list, const char *prefix, bool *first, Buffer *out)
{
    for (uint32_t i = 0; !list->whole && i < list->type->n_fields; i++) {
        const char *path = arena_printf(out->arena, "%s%s", prefix, list->type->fields[i].name);
        if (list->fields[i]) {
            add_hidden(list->fields[i], arena_printf(out->arena, "%s.", path), first, out);
        } else {
            buffer_printf(out, "%s%s", *first ? "" : ", ", path);
            *first = false;
        }
    }
}

void field_list_add_hidden(const FieldList *list, Buffer *out)
{
    bool first = true;
    add_hidden(list, "", &first, out);
}

bool field_list_shows_all(const FieldList *list)
{
    return list->whole;
}

/* ---- Restricting ----------------------------------------------------------------------------- */

typedef struct Restricting {
    Arena *arena;
    const MappingSet *same;
} Restricting;

static const Mapping *restrict_mapping(const Restricting *r, const FieldList *list,
                                       const Mapping *mapping);

static const Expr *restrict_value(const Restricting *r, const FieldList *list, const Expr *value);

/* The rules for fields that are shown. */
static Rule *restrict_rules(const Restricting *r, const FieldList *list, const Rule *rules,
                            uint32_t n_rules, uint32_t *n_out)
{
    Rule *shown = arena_array(r->arena, Rule, n_rules + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_rules; i++) {
        const FieldList *inside = list->fields[rules[i].target->index];
        if (!inside)
            continue;
        shown[n] = rules[i];
        if (!inside->whole)
            shown[n].value = restrict_value(r, inside, rules[i].value);
        n++;
    }
    *n_out = n;
    return shown;
}

/* The message itself, of which the list shows a part. */
static const Expr *part_of(const Restricting *r, const FieldList *list, const Expr *message)
{
    const Mapping *same = mapping_set_find(r->same, list->type);
    CHECK(same);
    return expr_message(r->arena, restrict_mapping(r, list, same), message);
}

/* A new message is there if the whole one is: also if all that makes it so is hidden. */
static const Expr *restrict_build(const Restricting *r, const FieldList *list, const Expr *build)
{
    uint32_t n;
    Rule *rules = restrict_rules(r, list, build->rules, build->n_rules, &n);
    return expr_build(r->arena, list->type, rules, n, build);
}

static const Expr *restrict_value(const Restricting *r, const FieldList *list, const Expr *value)
{
    Expr *copy;
    switch (value->kind) {
    case EXPR_MESSAGE:
    case EXPR_LISTED:
        copy = expr_copy(r->arena, value);
        copy->mapping = restrict_mapping(r, list, value->mapping);
        return copy;
    case EXPR_BUILD: return restrict_build(r, list, value);
    default: return part_of(r, list, value);
    }
}

static const bool *hidden_of(Arena *arena, const FieldList *list)
{
    uint32_t n = list->type->n_fields;
    bool *hidden = arena_array(arena, bool, n + 1);
    for (uint32_t i = 0; i < n; i++)
        hidden[i] = !list->fields[i];
    return hidden;
}

/* What is lost of a message that is shown in part is not told: it would tell of what is hidden.
   What must not be lost is an error as before. */
static const Guard *loud_guards(const Restricting *r, const Mapping *mapping, uint32_t *n_out)
{
    Guard *guards = arena_array(r->arena, Guard, mapping->n_guards + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < mapping->n_guards; i++)
        if (mapping->guards[i].loud)
            guards[n++] = mapping->guards[i];
    *n_out = n;
    return guards;
}

static const Mapping *restrict_mapping(const Restricting *r, const FieldList *list,
                                       const Mapping *mapping)
{
    CHECK(mapping->to == list->type);
    if (list->whole)
        return mapping;
    Mapping *made = arena_make(r->arena, Mapping);
    mapping = mapping_with_rules(r->arena, mapping);
    *made = *mapping;
    made->rules = restrict_rules(r, list, mapping->rules, mapping->n_rules, &made->n_rules);
    made->guards = loud_guards(r, mapping, &made->n_guards);
    made->hidden = hidden_of(r->arena, list);
    made->identity = made->same_wire = false;
    return made;
}

const Mapping *field_list_restrict(Arena *arena, const FieldList *list, const Mapping *mapping,
                                   const MappingSet *same)
{
    return restrict_mapping(&(Restricting){arena, same}, list, mapping);
}
