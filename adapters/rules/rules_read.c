/* Rules from the config. */
#include "adapters/changes/literal.h"
#include "adapters/rules/rules_internal.h"

#include "base/arena.h"

#include <math.h>

/* One rule while it is read. */
typedef struct Reading {
    const YamlDocument *document;
    Problems *problems;
    Arena *arena;
    const RuleText *text;
    FieldRule *rule;
} Reading;

/* ---- Mistakes -------------------------------------------------------------------------------- */

/* At one of its keys, or at the rule. */
static bool refuse(const Reading *r, const char *key, const char *hint, const char *reason)
{
    const JsonNode *node = key ? json_member(r->text->node, key) : NULL;
    const YamlPlace *place = yaml_place(r->document, node ? node : r->text->node);
    const char *path = node ? arena_printf(r->arena, "%s.%s", r->text->path, key) : r->text->path;
    problem_add(r->problems, place->file, place->name_line, place->name_column, path, hint, "%s",
                reason);
    return false;
}

/* The value of a key as it is written; NULL: it is not there. */
static const char *text_of(const Reading *r, const char *key)
{
    const JsonNode *node = json_member(r->text->node, key);
    Buffer text = buffer_in(r->arena);
    if (!node)
        return NULL;
    bool plain = node->kind == JSON_TEXT || node->kind == JSON_STRING;
    plain ? buffer_add_bytes(&text, node->text) : json_write(&text, node);
    return arena_text(r->arena, buffer_bytes(&text));
}

static bool read_flag(const Reading *r, const char *key)
{
    const char *text = text_of(r, key);
    return text && strcmp(text, "true") == 0; /* anything else but false was reported */
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

static Measure measure_of(const FieldType *field)
{
    if (field->map)
        return MEASURE_NOTHING;
    if (field->repeated)
        return MEASURE_ELEMENTS;
    if (field->message)
        return field->message->well_known == WELL_KNOWN_TIMESTAMP ||
                       field->message->well_known == WELL_KNOWN_DURATION
                   ? MEASURE_TIME
                   : MEASURE_NOTHING;
    return field->kind == KIND_STRING    ? MEASURE_CHARACTERS
           : field->kind == KIND_BYTES   ? MEASURE_BYTES
           : kind_is_number(field->kind) ? MEASURE_NUMBER
                                         : MEASURE_NOTHING;
}

static bool refuse_bound(const Reading *r, const char *key)
{
    const FieldType *field = r->rule->field;
    bool wrapper = field->message && field->message->well_known == WELL_KNOWN_WRAPPER;
    const char *hint = wrapper && !field->repeated
                           ? arena_printf(r->arena, "write %s.value", r->text->field)
                       : field->enumeration ? "write one_of"
                                            : NULL;
    return refuse(
        r, key, hint,
        field->map ? "a map has no bounds"
                   : arena_printf(r->arena, "values of %s have no bounds", field_type_name(field)));
}

static bool read_bound(const Reading *r, const char *key, Bound *bound)
{
    const FieldType *field = r->rule->field;
    const JsonNode *node = json_member(r->text->node, key);
    const char *path = arena_printf(r->arena, "%s.%s", r->text->path, key);
    Measure measure = r->rule->measure;
    bool value = measure == MEASURE_NUMBER || measure == MEASURE_TIME;
    if (!node)
        return true;
    if (measure == MEASURE_NOTHING)
        return refuse_bound(r, key);
    ValueType type = value ? value_type_of(field) : (ValueType){.kind = KIND_UINT32};
    if (!literal_read(r->arena, r->document, node, path, type, r->problems, &bound->value))
        return false;
    bound->text = text_of(r, key);
    if (measure == MEASURE_TIME) {
        bound->record = bound->value.bytes;
        return rule_time(bound->value.bytes, &bound->time);
    }
    if (measure == MEASURE_NUMBER && kind_is_float(field->kind) && isnan(bound->value.d))
        return refuse(r, key, NULL, "no value is below or above NaN");
    if (measure == MEASURE_NUMBER) {
        Buffer record = buffer_in(r->arena);
        FieldType written = *field;
        written.presence = true; /* also a zero is written, over another value */
        literal_read_field(r->document, node, path, &written, r->problems, &record);
        bound->record = buffer_bytes(&record);
    }
    return true;
}

static bool is_less(const FieldRule *rule, const Bound *a, const Bound *b)
{
    return rule->measure == MEASURE_TIME     ? time_is_less(a->time, b->time)
           : rule->measure == MEASURE_NUMBER ? number_is_less(rule->field->kind, a->value, b->value)
                                             : a->value.u < b->value.u;
}

static bool read_bounds(const Reading *r)
{
    FieldRule *rule = r->rule;
    rule->measure = measure_of(rule->field);
    bool good = read_bound(r, "at_least", &rule->least);
    good &= read_bound(r, "at_most", &rule->most);
    if (good && rule->least.text && rule->most.text && is_less(rule, &rule->most, &rule->least))
        return refuse(r, "at_least", "a smaller one, or a larger at_most",
                      "it is more than at_most: no value fits");
    rule->clamp = read_flag(r, "clamp");
    if (!good || !rule->clamp)
        return good;
    if (!rule->least.text && !rule->most.text)
        return refuse(r, "clamp", "at_most: VALUE", "there is no bound that a value could become");
    if (rule->measure != MEASURE_NUMBER && rule->measure != MEASURE_TIME)
        return refuse(r, "clamp", "leave it out", "only numbers and times can become their bound");
    return true;
}

/* ---- Choices --------------------------------------------------------------------------------- */

static bool read_choices(const Reading *r)
{
    FieldRule *rule = r->rule;
    const FieldType *field = rule->field;
    const JsonNode *node = json_member(r->text->node, "one_of");
    if (!node)
        return true;
    if (field->repeated || field->message || field->kind == KIND_BOOL)
        return refuse(r, "one_of", NULL, "only for one number, text, bytes or enum value");
    if (node->kind != JSON_ARRAY || !node->count)
        return refuse(r, "one_of", "for example [a, b]", "a list of values is expected");
    Literal *values = arena_array(r->arena, Literal, node->count);
    Buffer text = buffer_in(r->arena);
    const char *path = arena_printf(r->arena, "%s.one_of", r->text->path);
    bool good = true;
    for (const JsonNode *item = node->first; item; item = item->next) {
        good &= literal_read(r->arena, r->document, item, path, value_type_of(field), r->problems,
                             &values[rule->n_one_of]);
        if (rule->n_one_of++)
            buffer_add_text(&text, ", ");
        buffer_add_bytes(&text, item->text);
    }
    rule->one_of = values;
    rule->one_of_text = arena_text(r->arena, buffer_bytes(&text));
    return good;
}

/* ---- Defaults -------------------------------------------------------------------------------- */

static bool is_a_choice(const FieldRule *rule, const Literal *value)
{
    for (uint32_t i = 0; i < rule->n_one_of; i++) {
        if (literal_equal(value, &rule->one_of[i], value_type_of(rule->field)))
            return true;
    }
    return !rule->n_one_of;
}

/* The default as the bounds have it. */
static Bound measured(const FieldRule *rule, const JsonNode *node, const Literal *value)
{
    Bound bound = {.value = *value};
    switch (rule->measure) {
    case MEASURE_TIME: rule_time(value->bytes, &bound.time); break;
    case MEASURE_CHARACTERS: bound.value.u = rule_characters(value->bytes); break;
    case MEASURE_BYTES: bound.value.u = value->bytes.size; break;
    case MEASURE_ELEMENTS: bound.value.u = node->kind == JSON_ARRAY ? node->count : 1; break;
    case MEASURE_NOTHING:
    case MEASURE_NUMBER: break;
    }
    return bound;
}

static bool check_default(const Reading *r, const JsonNode *node, const Literal *value)
{
    const FieldRule *rule = r->rule;
    Bound bound = measured(rule, node, value);
    if (rule->least.text && is_less(rule, &bound, &rule->least))
        return refuse(r, "default", arena_printf(r->arena, "%s or more", rule->least.text),
                      "it is less than at_least allows");
    if (rule->most.text && is_less(rule, &rule->most, &bound))
        return refuse(r, "default", arena_printf(r->arena, "%s or less", rule->most.text),
                      "it is more than at_most allows");
    if (!is_a_choice(rule, value))
        return refuse(r, "default", rule->one_of_text, "it is not among the values of one_of");
    return true;
}

static bool read_default(const Reading *r)
{
    FieldRule *rule = r->rule;
    const FieldType *field = rule->field;
    const JsonNode *node = json_member(r->text->node, "default");
    const char *path = arena_printf(r->arena, "%s.default", r->text->path);
    Buffer records = buffer_in(r->arena);
    Literal value = {0};
    if (!node)
        return true;
    if (rule->required)
        return refuse(r, "required", "leave it out", "a field with a default is never missing");
    if (rule_is_of_one_message(field) || !field->repeated) {
        if (!literal_read(r->arena, r->document, node, path, value_type_element(field), r->problems,
                          &value))
            return false;
    }
    if (!rule_is_of_one_message(field) &&
        !literal_read_field(r->document, node, path, field, r->problems, &records))
        return false;
    rule->has_default = true;
    rule->default_text = text_of(r, "default");
    rule->otherwise = rule_is_of_one_message(field) ? value.bytes : buffer_bytes(&records);
    if (!rule_is_of_one_message(field) && !rule->otherwise.size)
        return refuse(r, "default", "leave it out", "the field has this value without it");
    return check_default(r, node, &value);
}

/* ---- One rule -------------------------------------------------------------------------------- */

static void read_rule(const Reading *r)
{
    r->rule->required = read_flag(r, "required");
    bool good = read_bounds(r);
    good &= read_choices(r);
    if (good && read_default(r) && !rule_demands(r->rule))
        refuse(r, NULL, "required: true, or default: VALUE, or at_most: VALUE",
               "it demands nothing");
    /* Without bounds nothing is to be compared. A time is read all the same: it may be malformed.
     */
    if (!r->rule->least.text && !r->rule->most.text && r->rule->measure != MEASURE_TIME)
        r->rule->measure = MEASURE_NOTHING;
}

/* ---- The tree -------------------------------------------------------------------------------- */

static FieldRules *rules_new(Arena *arena)
{
    FieldRules *rules = arena_make(arena, FieldRules);
    rules->fields = arena_array(arena, FieldRule, RULES_MOST);
    return rules;
}

static FieldRule *add_field(FieldRules *rules, const FieldType *field)
{
    int i = rules_find(rules, field->number);
    if (i >= 0)
        return &rules->fields[i];
    if (rules->n == RULES_MOST)
        return NULL;
    FieldRule *rule = &rules->fields[rules->n++];
    rule->field = field;
    if (field->number < sizeof rules->by_number)
        rules->by_number[field->number] = (uint8_t)rules->n;
    return rule;
}

/* With the other members of its oneof. */
static FieldRule *add_with_others(FieldRules *rules, const FieldType *field)
{
    FieldRule *rule = add_field(rules, field);
    for (uint32_t i = 0; rule && field->oneof && i < field->oneof->n_fields; i++) {
        if (!add_field(rules, field->oneof->fields[i]))
            return NULL;
    }
    return rule;
}

/* The rule at the end of the path; NULL: there are too many beside it. */
static FieldRule *add_path(Arena *arena, FieldRules *rules, const MessageType *type,
                           const char *path)
{
    Bytes rest = bytes_of(path), name;
    FieldRule *rule = NULL;
    while (bytes_split(&rest, '.', &name)) {
        if (rule) {
            type = rule->field->message;
            rules = rule->inside = rule->inside ? rule->inside : rules_new(arena);
        }
        rule = add_with_others(rules, message_field(type, name));
        if (!rule)
            return NULL;
    }
    return rule;
}

const FieldRules *rules_read(Arena *arena, const MessageType *type, const RuleText *texts,
                             uint32_t n, const YamlDocument *document, Problems *problems)
{
    FieldRules *rules = rules_new(arena);
    for (uint32_t i = 0; i < n; i++) {
        Reading r = {document, problems, arena, &texts[i], NULL};
        r.rule = add_path(arena, rules, type, texts[i].field);
        if (!r.rule)
            refuse(&r, NULL, NULL, "there are too many rules in one message");
        else if (rule_demands(r.rule))
            refuse(&r, NULL, "one rule with both, or other versions",
                   arena_printf(arena, "%s has a rule already", texts[i].field));
        else
            read_rule(&r);
    }
    return rules;
}
