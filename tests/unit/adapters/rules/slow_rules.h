/* Rules on a message that was decoded: slow and obvious. Their reading is shared with what it is
   compared with; finding, checking and writing are not. */
#ifndef TESTS_UNIT_ADAPTERS_SLOW_RULES_H
#define TESTS_UNIT_ADAPTERS_SLOW_RULES_H

#include "adapters/prove/tree.h"
#include "adapters/rules/rules_internal.h"

enum { SLOW_MISTAKES = 16 };

typedef struct SlowRules {
    Arena *arena;
    Buffer paths; /* of mistakes, each with a blank behind it */
    uint32_t n;
} SlowRules;

static void slow_message(SlowRules *slow, const FieldRules *rules, Tree *tree, const char *where);

static void slow_mistake(SlowRules *slow, const char *path)
{
    if (slow->n++ < SLOW_MISTAKES)
        buffer_printf(&slow->paths, "%s ", path);
}

static void slow_put_all(SlowRules *slow, Tree *tree, const FieldType *field, Bytes records)
{
    Tree *other;
    Result r = tree_parse(slow->arena, tree->type, records, &other);
    CHECK(!failed(r));
    const TreeField *from = tree_field(other, field);
    for (uint32_t i = 0; i < from->n; i++)
        tree_put(slow->arena, tree, field, from->values[i]);
}

static void slow_put_message(SlowRules *slow, Tree *tree, const FieldType *field, Bytes content)
{
    TreeValue value = {.message = NULL};
    Result r = tree_parse(slow->arena, field->message, content, &value.message);
    CHECK(!failed(r));
    tree_put(slow->arena, tree, field, value);
}

static bool slow_is_in_oneof_that_is_set(const Tree *tree, const FieldType *field)
{
    for (uint32_t i = 0; field->oneof && i < field->oneof->n_fields; i++)
        if (tree_field(tree, field->oneof->fields[i])->n)
            return true;
    return false;
}

static void slow_absent(SlowRules *slow, const FieldRule *rule, Tree *tree, const char *path)
{
    const FieldType *field = rule->field;
    if (rule->required)
        slow_mistake(slow, path);
    if (!rule->has_default || slow_is_in_oneof_that_is_set(tree, field))
        return;
    if (!field->message || field->repeated)
        slow_put_all(slow, tree, field, rule->otherwise);
    else
        slow_put_message(slow, tree, field, rule->otherwise);
    if (rule->inside && !field->repeated)
        slow_message(slow, rule->inside, tree_field(tree, field)->values[0].message, path);
}

static int64_t slow_plain(const Tree *message, uint32_t number)
{
    const TreeField *found = tree_field(message, message_field_by_number(message->type, number));
    return found->n ? found->values[0].plain.i : 0;
}

/* A value as two numbers, of which the first decides. NaN is beyond every bound. */
typedef struct SlowValue {
    long double first, second;
} SlowValue;

static SlowValue slow_number(FieldKind kind, Literal value)
{
    return (SlowValue){kind_is_float(kind)      ? (long double)value.d
                       : kind_is_unsigned(kind) ? (long double)value.u
                                                : (long double)value.i,
                       0};
}

static SlowValue slow_value(const FieldRule *rule, const TreeField *found)
{
    const TreeValue *value = &found->values[0];
    switch (rule->measure) {
    case MEASURE_NUMBER: return slow_number(rule->field->kind, value->plain);
    case MEASURE_TIME:
        return (SlowValue){slow_plain(value->message, 1), slow_plain(value->message, 2)};
    case MEASURE_CHARACTERS: return (SlowValue){rule_characters(value->plain.bytes), 0};
    case MEASURE_BYTES: return (SlowValue){value->plain.bytes.size, 0};
    case MEASURE_ELEMENTS: return (SlowValue){found->n, 0};
    case MEASURE_NOTHING: break;
    }
    return (SlowValue){0, 0};
}

static SlowValue slow_bound(const FieldRule *rule, const Bound *bound)
{
    if (rule->measure == MEASURE_TIME)
        return (SlowValue){bound->time.seconds, bound->time.nanos};
    return slow_number(rule->measure == MEASURE_NUMBER ? rule->field->kind : KIND_UINT64,
                       bound->value);
}

static bool slow_in_order(SlowValue a, SlowValue b)
{
    return a.first == b.first ? a.second <= b.second : a.first < b.first;
}

/* Less than 0: below; more than 0: above. */
static int slow_side(const FieldRule *rule, const TreeField *found)
{
    SlowValue value = slow_value(rule, found);
    if (rule->least.text && !slow_in_order(slow_bound(rule, &rule->least), value))
        return -1;
    return rule->most.text && !slow_in_order(value, slow_bound(rule, &rule->most)) ? 1 : 0;
}

static void slow_bounds(SlowRules *slow, const FieldRule *rule, Tree *tree, const char *path)
{
    int side = slow_side(rule, tree_field(tree, rule->field));
    if (!side)
        return;
    Bytes record = side < 0 ? rule->least.record : rule->most.record;
    if (!rule->clamp) {
        slow_mistake(slow, path);
        return;
    }
    tree_field(tree, rule->field)->n = 0;
    if (rule->field->message)
        slow_put_message(slow, tree, rule->field, record);
    else
        slow_put_all(slow, tree, rule->field, record); /* nothing for a zero without presence */
}

static bool slow_is_choice(const FieldRule *rule, const Literal *value)
{
    for (uint32_t i = 0; i < rule->n_one_of; i++)
        if (literal_equal(value, &rule->one_of[i], value_type_of(rule->field)))
            return true;
    return rule->n_one_of == 0;
}

static void slow_field(SlowRules *slow, const FieldRule *rule, Tree *tree, const char *path)
{
    const FieldType *field = rule->field;
    TreeField *found = tree_field(tree, field);
    if (!found->n) {
        slow_absent(slow, rule, tree, path);
        return;
    }
    bool text = !field->repeated && (field->kind == KIND_STRING || field->kind == KIND_BYTES);
    if (rule->required && text && !found->values[0].plain.bytes.size) {
        slow_mistake(slow, path);
        return;
    }
    if (!slow_is_choice(rule, &found->values[0].plain))
        slow_mistake(slow, path);
    for (uint32_t i = 0; rule->inside && i < found->n; i++)
        slow_message(slow, rule->inside, found->values[i].message,
                     field->repeated ? arena_printf(slow->arena, "%s[%u]", path, i) : path);
    slow_bounds(slow, rule, tree, path);
}

static void slow_message(SlowRules *slow, const FieldRules *rules, Tree *tree, const char *where)
{
    for (uint32_t i = 0; i < rules->n; i++) {
        const FieldType *field = rules->fields[i].field;
        slow_field(slow, &rules->fields[i], tree,
                   arena_printf(slow->arena, "%s%s%s", where, *where ? "." : "", field->name));
    }
}

#endif
