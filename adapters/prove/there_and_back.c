#include "adapters/prove/there_and_back.h"

#include "adapters/mapping/expr.h"
#include "adapters/mapping/loss.h"

#include <float.h>
#include <math.h>

enum { DEEPEST = 100 };

/* ---- Declarations ---------------------------------------------------------------------------- */

/* Adds each of the paths in "Order.cents, Order.currency". */
static void note_paths(Arena *arena, Table *table, const char *paths)
{
    Bytes rest = bytes_of(paths), one;
    while (rest.size && bytes_split(&rest, ',', &one)) {
        one = bytes_slice(one, one.size && one.data[0] == ' ', one.size);
        if (one.size)
            table_put(table, bytes_copy(arena, one), table);
    }
}

Counted counted_in(Arena *arena)
{
    return (Counted){arena, table_in(arena), table_in(arena)};
}

void note_loss(Counted *counted, const Loss *loss)
{
    Table *table = loss->traits & LOSS_REORDERS ? &counted->reordered : &counted->lost;
    note_paths(counted->arena, table, loss->path);
    note_paths(counted->arena, table, loss->into);
}

/* Lines that declare a loss, whatever is counted: defaults that are always given, and values that
   become another one, which are counted in the names of the version where that happens. A dropped
   value must be counted. */
static void declare_lines(Declared *d, const MappingSet *set)
{
    LossReport report;
    loss_report_all(d->arena, set, &report);
    for (uint32_t i = 0; i < report.n_lines; i++) {
        const Loss *line = &report.lines[i];
        if (line->traits & LOSS_COMPLETES)
            note_paths(d->arena, &d->completed, line->into);
        bool given = line->kind == LOSS_DEFAULTED && !(line->traits & LOSS_UNSETS);
        bool narrowed =
            line->kind == LOSS_NARROWED && !(line->traits & (LOSS_REORDERS | LOSS_UNSETS_ZERO));
        bool merges = line->traits & LOSS_MERGES;
        if (!(given || narrowed) || (line->loud && !merges))
            continue;
        note_paths(d->arena, &d->lost, line->path);
        note_paths(d->arena, &d->lost, line->into);
    }
}

static void declare_source(Declared *d, const Mapping *mapping, const Expr *expr)
{
    const Expr *chosen = expr;
    while (chosen->kind != EXPR_SELECT && chosen->n_args)
        chosen = chosen->args[0];
    for (uint32_t i = 0; chosen != expr && chosen->kind == EXPR_SELECT && i < chosen->n_args; i++)
        declare_source(d, mapping, chosen->args[i]); /* a kind by each of them */
    const Expr *source = expr_source(expr);
    if (source)
        note_paths(d->arena, &d->lost,
                   arena_printf(d->arena, "%s.%s", mapping->from->name,
                                steps_text(d->arena, source->steps, source->n_steps)));
}

/* An enum value may become unset on the way to the version that drops it. */
static void declare_tables(Declared *d, const Mapping *mapping, const Expr *expr)
{
    if (expr->kind == EXPR_CONVERT && expr->converter->code == CONVERT_ENUM)
        declare_source(d, mapping, expr);
    for (uint32_t i = 0; i < expr->n_args; i++)
        declare_tables(d, mapping, expr->args[i]);
    for (uint32_t i = 0; i < expr->n_rules; i++)
        declare_tables(d, mapping, expr->rules[i].value);
}

/* Declares values that are dropped without a count (`ignored`). */
static void declare_ignored(Declared *d, const MappingSet *set)
{
    for (uint32_t i = 0; i < set->n_mappings; i++) {
        const Mapping *mapping = set->mappings[i];
        for (uint32_t k = 0; k < mapping->n_guards; k++) {
            const Guard *guard = &mapping->guards[k];
            bool message = guard->source->kind == EXPR_CONVERT && guard->source->type.message;
            if (guard->has_ignored || message)
                declare_source(d, mapping, guard->source);
            declare_tables(d, mapping, guard->source);
        }
    }
}

void declared_losses(Arena *arena, const MappingSet *there, const MappingSet *back,
                     const TreeHints *hints, Declared *declared_out)
{
    *declared_out = (Declared){arena, table_in(arena), table_in(arena), hints, true};
    declare_lines(declared_out, there);
    declare_lines(declared_out, back);
    declare_ignored(declared_out, there);
}

/* ---- Comparing ------------------------------------------------------------------------------- */

typedef struct Comparing {
    Arena *arena;
    const Declared *declared;
    const Counted *counted;
    const FieldType *way[DEEPEST]; /* from the message to the current field */
    uint32_t n_way;
    bool respelled;
    bool strict; /* ignore declarations */
    const char *found;
} Comparing;

static bool begins_inside(const Table *table, const char *path)
{
    size_t at = 0, size = strlen(path);
    for (const TableEntry *entry; (entry = table_next(table, &at));) {
        if (entry->key.size > size && memcmp(entry->key.data, path, size) == 0 &&
            entry->key.data[size] == '.')
            return true;
    }
    return false;
}

static bool tells_of(const Table *table, const char *path)
{
    return table_get(table, bytes_of(path)) || begins_inside(table, path);
}

/* Whether the path from step number `from` on is declared. A list may name any message on the
   path. */
static bool is_declared_as(const Comparing *c, const Table *table, uint32_t from, const char *path)
{
    for (uint32_t i = from; i < c->n_way; i++) {
        path = arena_printf(c->arena, "%s.%s", path, c->way[i]->name);
        if (table_get(table, bytes_of(path)))
            return true;
    }
    return begins_inside(table, path);
}

/* Removes the first part of the name: a list has names without the package. */
static const char *shorter(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot ? dot + 1 : NULL;
}

/* Whether the current field is in the table, by a path from any message on the way to it. */
static bool is_in(const Comparing *c, const Table *table)
{
    const FieldType *field = c->way[c->n_way - 1];
    for (uint32_t from = 0; from < c->n_way; from++) {
        for (const char *name = c->way[from]->parent->name; name; name = shorter(name)) {
            if (is_declared_as(c, table, from, name))
                return true;
        }
    }
    for (const char *name = field->message ? field->message->name : NULL; name;
         name = shorter(name)) {
        if (tells_of(table, name))
            return true;
    }
    return false;
}

static bool is_declared(const Comparing *c, bool was_there)
{
    return is_in(c, &c->declared->lost) || is_in(c, &c->counted->lost) ||
           (!was_there && is_in(c, &c->declared->completed));
}

static const TreeHint *hint_of(const Comparing *c, const FieldType *field)
{
    static const TreeHint none = {0};
    const TreeHint *hint = table_get(&c->declared->read->by_field, bytes(&field, sizeof field));
    return hint ? hint : &none;
}

/* Floating-point numbers must be equal in the precision of a float. */
static bool plain_alike(const FieldType *field, const Literal *a, const Literal *b)
{
    if (!kind_is_float(field->kind))
        return literal_equal(a, b, value_type_of(field));
    if (a->d == 0 && b->d == 0)
        return signbit(a->d) == signbit(b->d);
    return a->d == b->d || (isnan(a->d) && isnan(b->d)) ||
           fabs(a->d - b->d) <= 1e-6 * fmax(fabs(a->d), fabs(b->d));
}

/* Also true for numbers too small for a float, but not for -0.0. */
static bool plain_is_zero(const FieldType *field, const Literal *value)
{
    ValueType type = value_type_of(field);
    type.repeated = false;
    return literal_is_zero(value, type) ||
           (kind_is_float(field->kind) && value->d != 0 && fabs(value->d) < FLT_MIN);
}

/* Whether the content of this field of the current message is declared lost. */
static bool is_lost_inside(Comparing *c, const FieldType *field)
{
    if (c->n_way == DEEPEST)
        return false;
    c->way[c->n_way++] = field;
    bool lost = is_declared(c, true);
    c->n_way--;
    return lost;
}

/* Also true for the text "0" if the field is a number in the other version, and for a message whose
   content is all declared lost. */
static bool is_zero(Comparing *c, const FieldType *field, const TreeValue *value)
{
    if (!field->message)
        return plain_is_zero(field, &value->plain) || hint_of(c, field)->spelled;
    for (uint32_t i = 0; i < field->message->n_fields; i++) {
        const FieldType *inner = &field->message->fields[i];
        const TreeField *values = tree_field(value->message, inner);
        if (values->n && !(values->n == 1 && is_zero(c, inner, &values->values[0])) &&
            !is_lost_inside(c, inner))
            return false;
    }
    return true;
}

static bool is_empty(const Tree *tree)
{
    uint32_t i = 0;
    while (i < tree->type->n_fields && !tree->fields[i].n)
        i++;
    return i == tree->type->n_fields;
}

/* If the other version has no presence, zero counts as unset: a single value, a list of one zero,
   or a message of zeros. The presence of an empty message must be kept if it is a message there,
   too. */
static bool is_nothing(Comparing *c, const FieldType *field, const TreeField *values)
{
    if (!values->n)
        return true;
    if (c->declared->choices && field->oneof && field->oneof->n_fields > 1 && !field->message &&
        !hint_of(c, field)->selects)
        return false; /* that it is there says which one of the oneof it is */
    return values->n == 1 && !field->map && is_zero(c, field, &values->values[0]) &&
           (!field->message || hint_of(c, field)->taken_apart ||
            !is_empty(values->values[0].message));
}

static void compare(Comparing *c, const Tree *a, const Tree *b);

static void find(Comparing *c)
{
    c->found = c->way[0]->parent->name;
    for (uint32_t i = 0; i < c->n_way; i++)
        c->found = arena_printf(c->arena, "%s.%s", c->found, c->way[i]->name);
}

static void note(Comparing *c, bool was_there)
{
    if (!c->found && (c->strict || !is_declared(c, was_there)))
        find(c);
}

/* A sentinel counts as unset, and so does zero without presence. */
static bool means_unset(const FieldType *field, const TreeHint *hint, const Literal *value)
{
    if (hint->sentinel || (!field->message && plain_is_zero(field, value)))
        return true;
    for (uint32_t i = 0; !field->message && i < hint->n_asked; i++) {
        if (literal_equal(&hint->asked[i], value, value_type_of(field)))
            return true;
    }
    return false;
}

static void compare_value(Comparing *c, const FieldType *field, const TreeValue *a,
                          const TreeValue *b)
{
    const TreeHint *hint = hint_of(c, field);
    if (hint->serialized) {
        c->respelled = true;
    } else if (!field->message) {
        if (!plain_alike(field, &a->plain, &b->plain))
            note(c, !means_unset(field, hint, &a->plain));
    } else if (field->message->well_known != WELL_KNOWN_ANY &&
               field->message->well_known != WELL_KNOWN_FIELD_MASK) {
        compare(c, a->message, b->message); /* the content of an Any is proved on its own */
    }
}

static const TreeValue *entry_like(const TreeField *entries, const Tree *entry)
{
    const FieldType *key = message_field_by_number(entry->type, 1);
    ValueType type = value_type_of(key);
    for (uint32_t i = 0; i < entries->n; i++) {
        const Tree *other = entries->values[i].message;
        const TreeField *a = tree_field(entry, key), *b = tree_field(other, key);
        Literal zero = {0};
        if (literal_equal(a->n ? &a->values[0].plain : &zero, b->n ? &b->values[0].plain : &zero,
                          type))
            return &entries->values[i];
    }
    return NULL;
}

/* Removes an equal value from those that are left; false if there is none. */
static bool take_alike(Comparing *c, const FieldType *field, const TreeValue *value, bool strict,
                       TreeField *left)
{
    for (uint32_t i = 0; i < left->n; i++) {
        Comparing trial = *c;
        trial.strict = strict;
        compare_value(&trial, field, value, &left->values[i]);
        if (trial.found)
            continue;
        c->respelled |= trial.respelled;
        left->values[i] = left->values[--left->n];
        return true;
    }
    return false;
}

/* Whether all differences of two lists of one length are declared losses, value by value. */
static bool is_in_order(Comparing *c, const FieldType *field, const TreeField *a,
                        const TreeField *b)
{
    Comparing trial = *c;
    for (uint32_t i = 0; i < a->n; i++)
        compare_value(&trial, field, &a->values[i], &b->values[i]);
    if (!trial.found)
        c->respelled = trial.respelled;
    return !trial.found;
}

/* A list that is a map in the other version may lose its order, which is counted. Elements are
   matched first with equal ones, then with ones that differ only by declared losses. */
static void compare_unordered(Comparing *c, const FieldType *field, const TreeField *a,
                              const TreeField *b)
{
    TreeField left = {arena_array(c->arena, TreeValue, b->n + 1), b->n, b->n};
    bool *found = arena_array(c->arena, bool, a->n + 1);
    memcpy(left.values, b->values, b->n * sizeof *b->values);
    for (uint32_t i = 0; i < a->n; i++)
        found[i] = take_alike(c, field, &a->values[i], true, &left);
    for (uint32_t i = 0; i < a->n; i++) {
        if (!found[i] && !take_alike(c, field, &a->values[i], false, &left))
            note(c, true);
    }
}

/* Whether only the last element did not come back: a zero that was a single value without presence
   in the other version, behind elements that were not. */
static bool is_short_of_zero(Comparing *c, const FieldType *field, const TreeField *a,
                             const TreeField *b)
{
    return hint_of(c, field)->single && a->n == b->n + 1 && is_zero(c, field, &a->values[b->n]);
}

/* Whether values are missing, or are others. Of a list that comes back longer, some were not set:
   a list of the other version had parts of it in fields of their own. */
static bool was_there(const FieldType *field, const TreeHint *hint, const TreeField *a,
                      const TreeField *b)
{
    if (field->repeated && a->n < b->n)
        return false;
    return a->n > 1 || (a->n && !means_unset(field, hint, &a->values[0].plain));
}

static void compare_field(Comparing *c, const FieldType *field, const TreeField *a,
                          const TreeField *b)
{
    bool made_empty = !a->n && b->n == 1 && field->message && is_zero(c, field, &b->values[0]);
    if (made_empty || (is_nothing(c, field, a) && is_nothing(c, field, b)))
        return; /* an empty message that was created for fields which other lists moved in and out
                 */
    const TreeHint *hint = hint_of(c, field);
    if (!a->n && hint->flag)
        return; /* false, or the value that stands for it */
    if (a->n != b->n && hint->serialized && a->n < 2 && b->n < 2)
        c->respelled = true;
    else if (a->n != b->n && !is_short_of_zero(c, field, a, b))
        note(c, was_there(field, hint, a, b));
    if (a->n == b->n && hint->unordered) {
        if (is_in_order(c, field, a, b))
            return;
        compare_unordered(c, field, a, b);
        if (!c->found && (c->strict || !is_in(c, &c->counted->reordered)))
            find(c);
        return;
    }
    bool same = a->n == b->n || is_short_of_zero(c, field, a, b);
    for (uint32_t i = 0; same && i < b->n; i++) {
        const TreeValue *other = field->map ? entry_like(b, a->values[i].message) : &b->values[i];
        if (other)
            compare_value(c, field, &a->values[i], other);
        else
            note(c, true);
    }
}

static void compare(Comparing *c, const Tree *a, const Tree *b)
{
    if (c->n_way == DEEPEST)
        return;
    for (uint32_t i = 0; i < a->type->n_fields && !c->found; i++) {
        const FieldType *field = &a->type->fields[i];
        c->way[c->n_way++] = field;
        compare_field(c, field, tree_field(a, field), tree_field(b, field));
        c->n_way--;
    }
}

const char *find_undeclared(Arena *arena, const Declared *declared, const Counted *counted,
                            const Tree *before, const Tree *after, bool *respelled_out)
{
    Comparing c = {.arena = arena, .declared = declared, .counted = counted};
    compare(&c, before, after);
    *respelled_out = c.respelled;
    return c.found;
}
