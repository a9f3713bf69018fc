#include "adapters/rules/rules_internal.h"

#include "base/arena.h"

static void add_part(Buffer *out, bool *first, const char *word, const char *text)
{
    buffer_add_text(out, *first ? ": " : ", ");
    buffer_add_text(out, word);
    buffer_add_text(out, text);
    *first = false;
}

static void print_rule(const FieldRule *rule, Buffer *out)
{
    bool first = true;
    if (rule->required)
        add_part(out, &first, "required", "");
    if (rule->has_default)
        add_part(out, &first, "default ", rule->default_text);
    if (rule->least.text)
        add_part(out, &first, "at least ", rule->least.text);
    if (rule->most.text)
        add_part(out, &first, "at most ", rule->most.text);
    if (rule->clamp)
        add_part(out, &first, "clamped", "");
    if (rule->n_one_of)
        add_part(out, &first, "one of ", rule->one_of_text);
}

/* `path` is that of the message, with a dot behind it; or empty. */
static void print(const FieldRules *rules, const char *indent, Bytes path, Buffer *out)
{
    for (uint32_t i = 0; i < rules->n; i++) {
        const FieldRule *rule = &rules->fields[i];
        Buffer inside = buffer_in(out->arena);
        buffer_add_bytes(&inside, path);
        buffer_add_text(&inside, rule->field->name);
        if (rule_demands(rule)) {
            buffer_add_text(out, indent);
            buffer_add_bytes(out, buffer_bytes(&inside));
            print_rule(rule, out);
            buffer_add_byte(out, '\n');
        }
        buffer_add_byte(&inside, '.');
        if (rule->inside)
            print(rule->inside, indent, buffer_bytes(&inside), out);
    }
}

void rules_print(const FieldRules *rules, const char *indent, Buffer *out)
{
    print(rules, indent, BYTES_NONE, out);
}

static void see_inside(const FieldRules *rules, const char *before, Arena *arena, RuleSees *see,
                       void *owner)
{
    for (uint32_t i = 0; i < rules->n; i++) {
        const FieldRule *rule = &rules->fields[i];
        const char *path = arena_printf(arena, "%s%s", before, rule->field->name);
        if (rule->required)
            see(owner, path);
        if (rule->inside)
            see_inside(rule->inside, arena_printf(arena, "%s.", path), arena, see, owner);
    }
}

void rules_see_required(const FieldRules *rules, Arena *arena, RuleSees *see, void *owner)
{
    see_inside(rules, "", arena, see, owner);
}
