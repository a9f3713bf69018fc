#include "adapters/mapping/loss.h"

#include "adapters/mapping/expr.h"
#include "adapters/text/json.h"
#include "adapters/text/time_text.h"

#include <stdarg.h>
#include <stdio.h>

const char *loss_kind_name(LossKind kind)
{
    switch (kind) {
    case LOSS_KEPT: return "kept";
    case LOSS_CONVERTED: return "converted";
    case LOSS_RESPELLED: return "respelled";
    case LOSS_DEFAULTED: return "defaulted";
    case LOSS_NARROWED: return "narrowed";
    case LOSS_DROPPED: return "dropped";
    }
    return "";
}

static void add_line(LossReport *report, Loss line)
{
    if (report->n_lines == report->capacity) {
        uint32_t capacity = report->capacity ? report->capacity * 2 : 32;
        report->lines = arena_grow(report->arena, (void *)report->lines,
                                   report->n_lines * sizeof(Loss), capacity * sizeof(Loss));
        report->capacity = capacity;
    }
    line.index = report->n_lines;
    ((Loss *)report->lines)[report->n_lines++] = line;
    if (line.loud)
        report->n_loud++;
    else
        report->counts[line.kind]++;
}

/* ---- Describing an expression ---------------------------------------------------------------- */

/* The result of walking through one expression. */
typedef struct Sight {
    Arena *arena;
    const MessageType *from;
    Buffer paths, how;
    LossKind kind;
    unsigned traits; /* of the line: LossTrait flags */
    bool loud;
    bool counted; /* it may lose something without an error */
    bool any;     /* it reads an Any, whose content is not examined */
    const Loss *said;
} Sight;

static void see_kind(Sight *sight, LossKind kind)
{
    if (kind > sight->kind)
        sight->kind = kind;
}

/* Whether the text is one of the comma-separated phrases. */
static bool is_said(Bytes phrases, const char *text)
{
    size_t size = strlen(text);
    if (!phrases.size)
        return false;
    for (const uint8_t *at = phrases.data, *end = at + phrases.size;
         (at = memmem(at, (size_t)(end - at), text, size)); at++) {
        bool begins = at == phrases.data || at[-1] == ' ';
        if (begins && (at + size == end || at[size] == ','))
            return true;
    }
    return false;
}

/* Adds a phrase, unless it is there already. Without an arena, no text is made. */
static void say(Sight *sight, const char *text)
{
    if (!sight->arena || is_said(buffer_bytes(&sight->how), text))
        return;
    if (sight->how.size)
        buffer_add_text(&sight->how, ", ");
    buffer_add_text(&sight->how, text);
}

static void say_of(Sight *sight, const char *format, ...) PRINTF_LIKE(2, 3);

static void say_of(Sight *sight, const char *format, ...)
{
    va_list args;
    if (!sight->arena)
        return;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_array(sight->arena, char, (size_t)size + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)size + 1, format, args);
    va_end(args);
    say(sight, text);
}

static void see_path(Sight *sight, const Expr *field)
{
    if (!sight->arena)
        return;
    const char *path = arena_printf(sight->arena, "%s.%s", sight->from->name,
                                    steps_text(sight->arena, field->steps, field->n_steps));
    Bytes seen = buffer_bytes(&sight->paths), one;
    while (seen.size && bytes_split(&seen, ',', &one)) {
        if (bytes_are(bytes_slice(one, one.data[0] == ' ', one.size), path))
            return;
    }
    if (sight->paths.size)
        buffer_add_text(&sight->paths, ", ");
    buffer_add_text(&sight->paths, path);
}

static const char *value_text(Sight *sight, const Expr *value)
{
    if (!sight->arena)
        return "";
    Buffer text = buffer_in(sight->arena);
    expr_print(value, &text);
    buffer_add_byte(&text, 0);
    return (const char *)text.data;
}

static void see(Sight *sight, const Expr *expr);

static const EnumEntry *entry_of(const Converter *converter, int32_t number)
{
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        if (converter->entries[i].from == number)
            return &converter->entries[i];
    }
    return NULL;
}

static const char *number_name(Sight *sight, const EnumType *type, int32_t number)
{
    const EnumValue *value = enum_value_by_number(type, number);
    if (value || !sight->arena)
        return value ? value->name : "";
    return arena_printf(sight->arena, "%d", number);
}

/* An earlier entry whose value becomes the same one; or NULL. */
static const EnumEntry *first_alike(const Converter *converter, const EnumEntry *entry)
{
    for (const EnumEntry *other = converter->entries; other < entry; other++) {
        if (other->to == entry->to)
            return other;
    }
    return NULL;
}

/* Describes the values without a counterpart. */
static void see_refused_values(Sight *sight, const Converter *converter)
{
    const EnumType *from = converter->from.enumeration;
    for (uint32_t i = 0; i < from->n_values; i++) {
        if (entry_of(converter, from->values[i].number) || converter->has_fallback)
            continue;
        see_kind(sight, LOSS_NARROWED);
        sight->loud = true;
        say_of(sight, "%s is an error", from->values[i].name);
    }
}

/* Describes the values that become the same one. */
static void see_shared_values(Sight *sight, const Converter *converter)
{
    const EnumType *from = converter->from.enumeration, *to = converter->to.enumeration;
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        const EnumEntry *entry = &converter->entries[i], *alike = first_alike(converter, entry);
        if (!alike)
            continue;
        see_kind(sight, LOSS_NARROWED);
        sight->traits |= LOSS_MERGES;
        say_of(sight, "%s and %s become %s", number_name(sight, from, alike->from),
               number_name(sight, from, entry->from), number_name(sight, to, entry->to));
    }
}

/* Describes the values that become the fallback. */
static void see_fallback(Sight *sight, const Converter *converter)
{
    const EnumType *from = converter->from.enumeration, *to = converter->to.enumeration;
    const char *numbers = converter_lacks_numbers(converter);
    if (!sight->arena)
        return;
    Buffer values = buffer_in(sight->arena);
    uint32_t n = 0;
    for (uint32_t i = 0; i < from->n_values; i++) {
        if (!entry_of(converter, from->values[i].number))
            buffer_printf(&values, "%s%s", n++ ? " and " : "", from->values[i].name);
    }
    if (numbers)
        buffer_printf(&values, "%s%s", n++ ? " and " : "", numbers);
    if (n)
        say_of(sight, "%.*s %s %s", BYTES_ARGS(buffer_bytes(&values)),
               n == 1 ? "becomes" : "become", number_name(sight, to, converter->fallback.to));
}

/* Describes the texts that become the same one: each, and the one that comes back for it. */
static void see_shared_texts(Sight *sight, const Converter *converter)
{
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        const EnumEntry *entry = &converter->entries[i];
        if (!entry->merges)
            continue;
        see_kind(sight, LOSS_NARROWED);
        sight->traits |= LOSS_MERGES;
        if (!sight->arena)
            continue;
        bool first = bytes_compare(entry->text, entry->back) < 0;
        say(sight,
            arena_printf(sight->arena, "%.*s and %.*s become %.*s",
                         BYTES_ARGS(first ? entry->text : entry->back),
                         BYTES_ARGS(first ? entry->back : entry->text), BYTES_ARGS(entry->into)));
    }
}

static void see_convert(Sight *sight, const Expr *expr)
{
    const Converter *converter = expr->converter;
    const char *refuses = converter_refuses(converter);
    see_kind(sight, LOSS_CONVERTED);
    sight->any |= converter->code == CONVERT_TYPE_URL;
    say(sight, converter->name);
    if (converter_drops(converter))
        sight->traits |= LOSS_MERGES;
    if (converter->code == CONVERT_ENUM || converter->code == CONVERT_ENUM_TEXT)
        see_refused_values(sight, converter);
    if (converter->code == CONVERT_ENUM)
        see_shared_values(sight, converter);
    if (converter->code == CONVERT_TEXT_TABLE)
        see_shared_texts(sight, converter);
    if (refuses) {
        see_kind(sight, converter_respells(converter) ? LOSS_RESPELLED : LOSS_NARROWED);
        sight->loud = true;
        say(sight, refuses);
    }
    if (expr->loss && !expr->loss->loud) {
        see_kind(sight, expr->loss->kind);
        sight->counted = true;
        if (converter->code == CONVERT_ENUM && converter->has_fallback)
            see_fallback(sight, converter);
        else if (converter->code != CONVERT_ENUM &&
                 (converter->code != CONVERT_TEXT_TABLE || expr->loss->kind == LOSS_RESPELLED))
            say(sight, expr->loss->how); /* those that become the same one are said already */
        if (converter_respells(converter))
            say(sight, RESPELLED_HOW);
    }
}

/* The parts of a composed text; a message may not have all of them. */
static void see_parts(Sight *sight, const Expr *template)
{
    for (uint32_t i = 0; i < template->n_args; i++) {
        const Expr *part = template->args[i];
        const Expr *value = part->kind == EXPR_WHEN ? part->args[0] : part;
        if (value->kind == EXPR_CONST) {
            see_kind(sight, LOSS_DEFAULTED);
            sight->traits |= LOSS_COMPLETES;
            say_of(sight, "one part is always %s", value_text(sight, value));
        } else {
            see(sight, part);
        }
    }
}

/* An argument that is not described as a source may fail, too. */
static void see_aside(Sight *sight, const Expr *expr)
{
    Sight aside = {.from = sight->from};
    see(&aside, expr);
    sight->loud |= aside.loud;
    sight->any |= aside.any;
}

/* Whether the constant is the text of a time, and so is printed as that. */
static bool is_time(const Converter *converter, const Literal *text)
{
    TimeParts time;
    return converter->code == CONVERT_TEXT_TIME &&
           (converter->to.message->well_known == WELL_KNOWN_DURATION
                ? duration_read(text->bytes, &time)
                : timestamp_read(text->bytes, &time));
}

/* Whether the expression is a constant, which no conversion can refuse. */
static bool is_given(const Expr *expr)
{
    if (expr->kind == EXPR_WRAP)
        return is_given(expr->args[0]);
    if (expr->kind != EXPR_CONVERT || expr->args[0]->kind != EXPR_CONST || expr->n_args > 1)
        return expr->kind == EXPR_CONST;
    return is_time(expr->converter, expr->args[0]->constants) ||
           (expr->converter->code == CONVERT_WRAP && !converter_refuses(expr->converter));
}

static void see_default(Sight *sight, const Expr *expr)
{
    const Expr *other = expr->args[1];
    const Expr *value = other->kind == EXPR_WHEN ? other->args[0] : other;
    see(sight, expr->args[0]);
    if (is_given(value) || value->kind == EXPR_BUILD) {
        if (expr->loss)
            see_kind(sight, LOSS_DEFAULTED);
        sight->traits |= LOSS_COMPLETES;
        say_of(sight, "%s when it is absent", value_text(sight, value));
    } else {
        see(sight, other);
    }
}

static void see(Sight *sight, const Expr *expr)
{
    if (expr->loss && !sight->said)
        sight->said = expr->loss;
    switch (expr->kind) {
    case EXPR_FIELD: see_path(sight, expr); return;
    case EXPR_CONST:
        see_kind(sight, LOSS_DEFAULTED);
        sight->traits |= LOSS_COMPLETES;
        say_of(sight, "always %s", value_text(sight, expr));
        return;
    case EXPR_DEFAULT: see_default(sight, expr); return;
    case EXPR_REQUIRE:
        if (!expr->n_args)
            see_kind(sight, LOSS_DEFAULTED);
        sight->loud = true;
        say(sight, expr->n_args ? "an error when it is absent" : "an error: it cannot be had");
        break;
    case EXPR_CONVERT:
        if (is_given(expr)) {
            see_kind(sight, LOSS_DEFAULTED);
            sight->traits |= LOSS_COMPLETES;
            say_of(sight, "always %s", value_text(sight, expr));
            return;
        }
        see_convert(sight, expr);
        if (expr->converter->code == CONVERT_TEMPLATE) {
            see_parts(sight, expr);
            return;
        }
        if (expr->n_args == 2 && expr->args[1]->kind == EXPR_CONST) { /* a currency */
            say(sight, value_text(sight, expr->args[1]));
            see(sight, expr->args[0]);
            return;
        }
        break;
    case EXPR_FIRST:
        sight->traits |= LOSS_COMPLETES; /* of a list that was a field and a list */
        if (expr->rest_kept) {
            see_kind(sight, LOSS_CONVERTED);
            say(sight, "the first of the list");
            break;
        }
        see_kind(sight, LOSS_NARROWED);
        sight->loud |= expr->loud;
        sight->counted |= !expr->loud;
        say(sight, expr->loud ? "more than one is an error" : "the first of the list");
        break;
    case EXPR_WRAP:
        see_kind(sight, LOSS_CONVERTED);
        say(sight, "a list of one");
        break;
    case EXPR_REST:
        sight->traits |= LOSS_COMPLETES;
        see_kind(sight, LOSS_CONVERTED);
        say(sight, "all but the first of the list");
        break;
    case EXPR_JOIN:
        see_kind(sight, LOSS_CONVERTED);
        say(sight, "in one list");
        break;
    case EXPR_KEYED:
        see_kind(sight, LOSS_NARROWED);
        sight->traits |= LOSS_REORDERS;
        sight->loud |= expr->loud;
        sight->counted = true;
        say(sight, ORDER_HOW);
        say(sight, expr->loud ? "a key twice is an error" : "of a key that comes twice the last");
        break;
    case EXPR_LISTED:
        see_kind(sight, LOSS_CONVERTED);
        say(sight, "in the order of the keys");
        break;
    case EXPR_WHEN:
        if (expr->constants)
            say_of(sight, "only when %s", value_text(sight, expr->args[1]));
        see_aside(sight, expr->args[1]);
        see(sight, expr->args[0]);
        return;
    case EXPR_UNLESS:
        for (uint32_t i = 1; i < expr->n_args; i++)
            see_aside(sight, expr->args[i]);
        see(sight, expr->args[0]);
        return;
    case EXPR_SELECT:
        see_kind(sight, LOSS_CONVERTED);
        sight->traits |= LOSS_COMPLETES;
        say(sight, "by which field is there");
        break;
    case EXPR_MESSAGE:
    case EXPR_BUILD: break;
    }
    for (uint32_t i = 0; i < expr->n_args; i++)
        see(sight, expr->args[i]);
    for (uint32_t i = 0; i < expr->n_rules; i++)
        see(sight, expr->rules[i].value);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static const char *text_of(Buffer *buffer)
{
    buffer_add_byte(buffer, 0);
    return (const char *)buffer->data;
}

/* Whether it may be absent for a message that has all fields which its version requires. */
static bool may_be_absent(const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_CONST:
    case EXPR_REQUIRE: return false;
    case EXPR_DEFAULT: return may_be_absent(expr->args[0]) && may_be_absent(expr->args[1]);
    case EXPR_MESSAGE: return may_be_absent(expr->args[0]);
    case EXPR_CONVERT:
        return expr->converter->code == CONVERT_SENTINEL || may_be_absent(expr->args[0]);
    case EXPR_FIELD:
        for (uint32_t i = 0; i < expr->n_steps; i++) {
            if (!expr->steps[i]->required)
                return true;
        }
        return false;
    default: return true;
    }
}

/* Whether its zero is that of what it converts. */
static bool keeps_zero(const Converter *converter)
{
    switch (converter->code) {
    case CONVERT_NUMBER:
    case CONVERT_SCALE:
    case CONVERT_UNWRAP:
    case CONVERT_BYTES_TEXT:
    case CONVERT_TEXT_BYTES: return true;
    case CONVERT_ENUM:
    case CONVERT_BOOL_ENUM: {
        const EnumEntry *zero = entry_of(converter, 0);
        return zero && zero->to == 0;
    }
    default: return false;
    }
}

/* Whether zero and unset differ in the source, and no longer in the target. Of a member of a oneof
   a guard says so. */
static bool unsets_zero(const FieldType *target, const Expr *value)
{
    if (!field_is_implicit(target))
        return false;
    while (value->kind == EXPR_CONVERT && keeps_zero(value->converter))
        value = value->args[0];
    const FieldType *source = value->kind == EXPR_FIELD ? value->steps[value->n_steps - 1] : NULL;
    return source && source->presence && !source->required && !source->oneof;
}

static void see_zero(Sight *sight)
{
    if (sight->kind < LOSS_NARROWED)
        sight->traits |= LOSS_UNSETS_ZERO;
    see_kind(sight, LOSS_NARROWED);
    say(sight, "zero becomes unset");
}

/* Describes a rule; `value` is NULL for a field without a rule. */
static void see_rule(Sight *sight, const FieldType *target, const Expr *value)
{
    if (value)
        see(sight, value);
    else
        sight->kind = LOSS_DEFAULTED;
    if (value && unsets_zero(target, value))
        see_zero(sight);
    if (target->required && (!value || may_be_absent(value))) {
        sight->loud = true;
        say(sight, "an error when it is absent");
    } else if (!value) {
        sight->traits |= LOSS_UNSETS;
        say(sight, "stays unset");
    }
}

static void report_value(LossReport *report, const Mapping *mapping, const FieldType *target,
                         const Expr *value, const char *into)
{
    Sight sight = {.arena = report->arena,
                   .from = mapping->from,
                   .paths = buffer_in(report->arena),
                   .how = buffer_in(report->arena)};
    see_rule(&sight, target, value);
    add_line(report, (Loss){.kind = sight.kind,
                            .traits = sight.traits,
                            .loud = sight.loud,
                            .path = text_of(&sight.paths),
                            .into = into,
                            .how = text_of(&sight.how),
                            .file = sight.said ? sight.said->file : NULL,
                            .line = sight.said ? sight.said->line : 0});
}

static const Rule *rule_of(const Rule *rules, uint32_t n_rules, const FieldType *field)
{
    for (uint32_t i = 0; i < n_rules; i++) {
        if (rules[i].target == field)
            return &rules[i];
    }
    return NULL;
}

static void report_rules(LossReport *report, const Mapping *mapping, const MessageType *message,
                         const Rule *rules, uint32_t n_rules, const char *into)
{
    for (uint32_t i = 0; i < message->n_fields; i++) {
        const FieldType *field = &message->fields[i];
        const Rule *rule = rule_of(rules, n_rules, field);
        const char *path = arena_printf(report->arena, "%s.%s", into, field->name);
        if (rule && rule->value->kind == EXPR_BUILD)
            report_rules(report, mapping, rule->value->type.message, rule->value->rules,
                         rule->value->n_rules, path);
        else
            report_value(report, mapping, field, rule ? rule->value : NULL, path);
    }
}

static const Converter *part_of(const Expr *expr)
{
    return expr->kind == EXPR_CONVERT && expr->converter->code == CONVERT_TEMPLATE_PART
               ? expr->converter
               : NULL;
}

static bool same_source(const Expr *a, const Expr *b)
{
    const Expr *p = expr_source(a), *q = expr_source(b);
    return p && q && p->n_steps == q->n_steps &&
           memcmp((const void *)p->steps, (const void *)q->steps, p->n_steps * sizeof *p->steps) ==
               0;
}

/* Whether it splits the text of the same field by the same template as `part`. */
static bool splits(const Expr *expr, const Expr *part)
{
    const Converter *own = part_of(expr);
    if (own && own->template_parts == part->converter->template_parts && same_source(expr, part))
        return true;
    for (uint32_t i = 0; i < expr->n_args; i++) {
        if (splits(expr->args[i], part))
            return true;
    }
    for (uint32_t i = 0; i < expr->n_rules; i++) {
        if (splits(expr->rules[i].value, part))
            return true;
    }
    return false;
}

static const Converter *converter_of(const Expr *expr)
{
    while (expr->kind == EXPR_WHEN)
        expr = expr->args[1];
    return expr->kind == EXPR_CONVERT ? expr->converter : NULL;
}

static bool converts_by(const Expr *expr, const Converter *converter)
{
    if (expr->kind == EXPR_CONVERT && expr->converter == converter)
        return true;
    for (uint32_t i = 0; i < expr->n_args; i++) {
        if (converts_by(expr->args[i], converter))
            return true;
    }
    for (uint32_t i = 0; i < expr->n_rules; i++) {
        if (converts_by(expr->rules[i].value, converter))
            return true;
    }
    return false;
}

/* Whether a line of these rules is about the guard's expression. What only makes a message present
   has no line. */
static bool are_told(const Rule *rules, uint32_t n_rules, const Expr *guarded)
{
    const Converter *converter = converter_of(guarded);
    for (uint32_t i = 0; converter && i < n_rules; i++) {
        const Expr *value = rules[i].value;
        if (value->kind == EXPR_BUILD ? are_told(value->rules, value->n_rules, guarded)
            : part_of(guarded)        ? splits(value, guarded)
                                      : converts_by(value, converter))
            return true;
    }
    return false;
}

/* Whether an error of the guard's expression is reported elsewhere already: the guard is for a lost
   part of a template, of which there are others, or for one value of what a rule converts. */
static bool is_told_of_others(const Mapping *mapping, const Guard *guard)
{
    return are_told(mapping->rules, mapping->n_rules, guard->source);
}

static bool guard_is_loud(const Mapping *mapping, const Guard *guard, const Sight *sight)
{
    return guard->loud || (sight->loud && !is_told_of_others(mapping, guard));
}

static void report_guard(LossReport *report, const Mapping *mapping, const Guard *guard)
{
    Sight sight = {.arena = report->arena,
                   .from = mapping->from,
                   .paths = buffer_in(report->arena),
                   .how = buffer_in(report->arena)};
    see(&sight, guard->source);
    Buffer how = buffer_in(report->arena);
    if (guard->loss)
        buffer_add_text(&how, guard->loss->how);
    if (guard->has_ignored) {
        buffer_add_text(&how, how.size ? ": " : "");
        literal_print(&how, &guard->ignored, guard->source->type);
    }
    bool loud = guard_is_loud(mapping, guard, &sight);
    if (loud && !guard->loud && part_of(guard->source))
        buffer_printf(&how, ", %s", converter_refuses(guard->source->converter));
    add_line(report, (Loss){.kind = LOSS_DROPPED,
                            .loud = loud,
                            .path = text_of(&sight.paths),
                            .into = "",
                            .how = text_of(&how),
                            .file = guard->loss ? guard->loss->file : NULL,
                            .line = guard->loss ? guard->loss->line : 0});
}

/* ---- All that a mapping leads to ------------------------------------------------------------- */

typedef struct Visited {
    const Mapping **mappings;
    uint32_t n, capacity;
    Arena *arena;
    Table seen;
    bool any; /* there is an Any somewhere */
} Visited;

static void visit(Visited *visited, const Mapping *mapping)
{
    if (table_get(&visited->seen, bytes(&mapping, sizeof mapping)))
        return;
    table_put(&visited->seen, bytes_copy(visited->arena, bytes(&mapping, sizeof mapping)),
              (void *)mapping);
    if (visited->n == visited->capacity) {
        uint32_t capacity = visited->capacity ? visited->capacity * 2 : 32;
        visited->mappings =
            arena_grow(visited->arena, visited->mappings, visited->n * sizeof *visited->mappings,
                       capacity * sizeof *visited->mappings);
        visited->capacity = capacity;
    }
    visited->mappings[visited->n++] = mapping;
}

static void visit_expr(Visited *visited, const Expr *expr)
{
    if (expr_has_mapping(expr))
        visit(visited, expr->mapping);
    if (expr->kind == EXPR_CONVERT && expr->converter->code == CONVERT_TYPE_URL)
        visited->any = true;
    for (uint32_t i = 0; expr->kind == EXPR_CONVERT && i < expr->converter->n_held; i++) {
        if (expr->converter->held[i].mapping)
            visit(visited, expr->converter->held[i].mapping);
    }
    for (uint32_t i = 0; i < expr->n_args; i++)
        visit_expr(visited, expr->args[i]);
    for (uint32_t i = 0; i < expr->n_rules; i++)
        visit_expr(visited, expr->rules[i].value);
}

/* Types inside an Any that have no counterpart: a line for each type in the list, and one line for
   all others. */
static void report_stranded(LossReport *report, const MappingSet *set)
{
    Buffer unsaid = buffer_in(report->arena);
    for (uint32_t i = 0; i < set->n_stranded; i++) {
        const Loss *loss = set->stranded[i].loss;
        if (!set->stranded[i].at_end)
            continue; /* the source version has no such message */
        if (loss->file)
            add_line(report, *loss);
        else
            buffer_printf(&unsaid, unsaid.size ? ", %s" : "%s", loss->path);
    }
    if (unsaid.size)
        add_line(report, (Loss){.kind = LOSS_DROPPED,
                                .loud = true,
                                .path = text_of(&unsaid),
                                .into = "",
                                .how = "inside an Any: no counterpart"});
}

/* Also visits the guards: the conversion of a field that a later list drops may be an error,
   too. */
static void visit_rules(Visited *visited, const Mapping *mapping)
{
    for (uint32_t k = 0; k < mapping->n_rules; k++)
        visit_expr(visited, mapping->rules[k].value);
    for (uint32_t k = 0; k < mapping->n_guards; k++)
        visit_expr(visited, mapping->guards[k].source);
}

static void report_visited(LossReport *report, const MappingSet *set, Visited *visited)
{
    for (uint32_t i = 0; i < visited->n; i++) {
        const Mapping *mapping = mapping_with_rules(report->arena, visited->mappings[i]);
        visit_rules(visited, mapping);
        report_rules(report, mapping, mapping->to, mapping->rules, mapping->n_rules,
                     mapping->to->name);
        for (uint32_t k = 0; k < mapping->n_guards; k++)
            report_guard(report, mapping, &mapping->guards[k]);
    }
    if (visited->any)
        report_stranded(report, set);
}

void loss_report(Arena *arena, const MappingSet *set, const Mapping *mapping,
                 LossReport *report_out)
{
    *report_out = (LossReport){.arena = arena};
    Visited visited = {.arena = arena, .seen = table_in(arena)};
    visit(&visited, mapping);
    report_visited(report_out, set, &visited);
}

void loss_report_all(Arena *arena, const MappingSet *set, LossReport *report_out)
{
    *report_out = (LossReport){.arena = arena};
    Visited visited = {.arena = arena, .seen = table_in(arena)};
    for (uint32_t i = 0; i < set->n_mappings; i++)
        visit(&visited, set->mappings[i]);
    report_visited(report_out, set, &visited);
}

/* ---- Counts without text --------------------------------------------------------------------- */

/* A strongly connected component: mappings that lead to each other, or a single one. */
typedef struct LossGroup {
    LossCounts own, all; /* `all`: including those of all groups that it leads to */
    struct LossGroup **inner;
    uint32_t n_inner;
    uint64_t seen; /* the number of the count that last included it */
    bool counted;
} LossGroup;

/* One mapping and those that it leads to. */
typedef struct LossNode {
    const Mapping *mapping;
    LossCounts own;
    struct LossNode **inner;
    uint32_t n_inner, n_looked_at;
    uint32_t number; /* in the order of the visit; 0: not yet visited */
    uint32_t
        oldest; /* the smallest number of an ungrouped node that it leads to, as far as known */
    LossGroup *group;
} LossNode;

typedef struct LossStack {
    void **items;
    size_t n, capacity;
} LossStack;

struct LossCounter {
    Arena *arena;
    Table nodes;                       /* Mapping pointer -> LossNode */
    LossStack path, ungrouped, groups; /* groups: those still to be counted */
    uint32_t n_numbers;
    uint64_t n_counts;
};

LossCounter *loss_counter_new(Arena *arena)
{
    LossCounter *counter = arena_make(arena, LossCounter);
    *counter = (LossCounter){.arena = arena, .nodes = table_in(arena)};
    return counter;
}

static void push(LossCounter *counter, LossStack *stack, void *item)
{
    if (stack->n == stack->capacity) {
        size_t capacity = stack->capacity ? stack->capacity * 2 : 64;
        stack->items = arena_grow(counter->arena, stack->items, stack->n * sizeof(void *),
                                  capacity * sizeof(void *));
        stack->capacity = capacity;
    }
    stack->items[stack->n++] = item;
}

static void *pop(LossStack *stack)
{
    return stack->items[--stack->n];
}

static void add_counts(LossCounts *sum, const LossCounts *more)
{
    sum->n_lossy += more->n_lossy;
    sum->n_loud += more->n_loud;
    sum->any |= more->any;
}

static void count(const Sight *sight, LossCounts *counts)
{
    bool lost = sight->kind == LOSS_DROPPED || sight->kind == LOSS_NARROWED;
    counts->n_lossy += sight->counted || (lost && !sight->loud);
    counts->n_loud += sight->loud;
    counts->any |= sight->any;
}

static void count_rules(const Mapping *mapping, const MessageType *message, const Rule *rules,
                        uint32_t n_rules, LossCounts *counts)
{
    for (uint32_t i = 0; i < message->n_fields; i++) {
        const Rule *rule = rule_of(rules, n_rules, &message->fields[i]);
        const Expr *value = rule ? rule->value : NULL;
        Sight sight = {.from = mapping->from};
        if (value && value->kind == EXPR_BUILD) {
            count_rules(mapping, value->type.message, value->rules, value->n_rules, counts);
            continue;
        }
        see_rule(&sight, &message->fields[i], value);
        count(&sight, counts);
    }
}

static void count_guard(const Mapping *mapping, const Guard *guard, LossCounts *counts)
{
    Sight sight = {.from = mapping->from};
    see(&sight, guard->source);
    sight.kind = LOSS_DROPPED;
    sight.loud = guard_is_loud(mapping, guard, &sight);
    count(&sight, counts);
}

static LossNode *find_node(LossCounter *counter, const Mapping *mapping)
{
    LossNode *node = table_get(&counter->nodes, bytes(&mapping, sizeof mapping));
    if (node)
        return node;
    node = arena_make(counter->arena, LossNode);
    *node = (LossNode){.mapping = mapping};
    table_put(&counter->nodes, bytes(&node->mapping, sizeof mapping), node);
    return node;
}

/* Determines the node's own losses, and the mappings that it leads to. */
static void look_at(LossCounter *counter, LossNode *node)
{
    Arena *scratch = arena_new(ARENA_UNLIMITED);
    const Mapping *mapping = mapping_with_rules(scratch, node->mapping);
    Visited visited = {.arena = scratch, .seen = table_in(scratch)};
    visit_rules(&visited, mapping);
    node->inner = arena_array(counter->arena, LossNode *, visited.n + 1);
    for (uint32_t i = 0; i < visited.n; i++)
        node->inner[node->n_inner++] = find_node(counter, visited.mappings[i]);
    count_rules(mapping, mapping->to, mapping->rules, mapping->n_rules, &node->own);
    for (uint32_t i = 0; i < mapping->n_guards; i++)
        count_guard(mapping, &mapping->guards[i], &node->own);
    arena_free(scratch);
}

static void enter(LossCounter *counter, LossNode *node)
{
    look_at(counter, node);
    node->number = node->oldest = ++counter->n_numbers;
    push(counter, &counter->path, node);
    push(counter, &counter->ungrouped, node);
}

/* Adds the groups that the nodes from `first` on lead to, without duplicates. */
static void add_inner_groups(LossCounter *counter, LossGroup *group, size_t first)
{
    size_t before = counter->groups.n;
    group->seen = ++counter->n_counts;
    for (size_t i = first; i < counter->ungrouped.n; i++) {
        const LossNode *node = counter->ungrouped.items[i];
        for (uint32_t k = 0; k < node->n_inner; k++) {
            LossGroup *inner = node->inner[k]->group;
            if (inner->seen != counter->n_counts)
                push(counter, &counter->groups, inner);
            inner->seen = counter->n_counts;
        }
    }
    group->n_inner = (uint32_t)(counter->groups.n - before);
    group->inner = arena_array(counter->arena, LossGroup *, group->n_inner);
    for (uint32_t i = 0; i < group->n_inner; i++)
        group->inner[i] = pop(&counter->groups);
}

/* The oldest node of a group is finished: all younger ungrouped nodes belong to the group. */
static void make_group(LossCounter *counter, const LossNode *oldest)
{
    LossGroup *group = arena_make(counter->arena, LossGroup);
    size_t first = counter->ungrouped.n;
    do {
        LossNode *node = counter->ungrouped.items[--first];
        node->group = group;
        add_counts(&group->own, &node->own);
    } while (counter->ungrouped.items[first] != oldest);
    add_inner_groups(counter, group, first);
    counter->ungrouped.n = first;
}

static void leave(LossCounter *counter, LossNode *node)
{
    pop(&counter->path);
    if (node->oldest == node->number) {
        make_group(counter, node);
        return;
    }
    LossNode *parent = counter->path.items[counter->path.n - 1];
    if (parent->oldest > node->oldest)
        parent->oldest = node->oldest;
}

/* Tarjan's algorithm for strongly connected components; without recursion, because schemas may be
   deep. */
static void find_groups(LossCounter *counter, LossNode *root)
{
    enter(counter, root);
    while (counter->path.n) {
        LossNode *node = counter->path.items[counter->path.n - 1];
        if (node->n_looked_at == node->n_inner) {
            leave(counter, node);
            continue;
        }
        LossNode *inner = node->inner[node->n_looked_at++];
        if (!inner->number)
            enter(counter, inner);
        else if (!inner->group && inner->number < node->oldest)
            node->oldest = inner->number;
    }
}

static void wait_for(LossCounter *counter, LossGroup *group)
{
    if (group->seen != counter->n_counts)
        push(counter, &counter->groups, group);
    group->seen = counter->n_counts;
}

static void count_group(LossCounter *counter, LossGroup *group)
{
    counter->n_counts++;
    wait_for(counter, group);
    while (counter->groups.n) {
        const LossGroup *next = pop(&counter->groups);
        add_counts(&group->all, &next->own);
        for (uint32_t i = 0; i < next->n_inner; i++)
            wait_for(counter, next->inner[i]);
    }
    group->counted = true;
}

LossCounts loss_count(LossCounter *counter, const Mapping *mapping)
{
    LossNode *node = find_node(counter, mapping);
    if (!node->group)
        find_groups(counter, node);
    if (!node->group->counted)
        count_group(counter, node->group);
    return node->group->all;
}

bool loss_report_is_clean(const LossReport *report)
{
    return !report->n_loud && !report->counts[LOSS_RESPELLED] && !report->counts[LOSS_DEFAULTED] &&
           !report->counts[LOSS_NARROWED] && !report->counts[LOSS_DROPPED];
}

/* ---- Text and JSON --------------------------------------------------------------------------- */

void loss_report_text(const LossReport *report, bool all, Buffer *out)
{
    for (uint32_t i = 0; i < report->n_lines; i++) {
        const Loss *line = &report->lines[i];
        if (line->kind == LOSS_KEPT && !line->loud && !line->how[0] && !all)
            continue;
        buffer_printf(out, "  %-9s %s", loss_kind_name(line->kind), line->path);
        if (line->into[0] && strcmp(line->into, line->path) != 0)
            buffer_printf(out, "%s%s", line->path[0] ? " -> " : "", line->into);
        if (line->how[0])
            buffer_printf(out, ": %s", line->how);
        if (line->loud)
            buffer_add_text(out, " (loud)");
        if (line->file)
            buffer_printf(out, "  [%s:%d]", line->file, line->line);
        buffer_add_byte(out, '\n');
    }
    for (LossKind kind = LOSS_KEPT; kind <= LOSS_DROPPED; kind++)
        buffer_printf(out, "%s%u %s", kind ? ", " : "  ", report->counts[kind],
                      loss_kind_name(kind));
    buffer_printf(out, ", %u loud\n", report->n_loud);
}

static void write_member(Buffer *out, const char *name, const char *value)
{
    buffer_printf(out, "\"%s\":", name);
    json_write_string(out, bytes_of(value));
}

void loss_report_json(const LossReport *report, Buffer *out)
{
    buffer_add_byte(out, '{');
    for (LossKind kind = LOSS_KEPT; kind <= LOSS_DROPPED; kind++)
        buffer_printf(out, "\"%s\":%u,", loss_kind_name(kind), report->counts[kind]);
    buffer_printf(out, "\"loud\":%u,\"fields\":[", report->n_loud);
    for (uint32_t i = 0; i < report->n_lines; i++) {
        const Loss *line = &report->lines[i];
        buffer_add_text(out, i ? ",{" : "{");
        write_member(out, "what", loss_kind_name(line->kind));
        buffer_add_byte(out, ',');
        write_member(out, "from", line->path);
        buffer_add_byte(out, ',');
        write_member(out, "to", line->into);
        buffer_add_byte(out, ',');
        write_member(out, "how", line->how);
        buffer_printf(out, ",\"loud\":%s", line->loud ? "true" : "false");
        if (line->file) {
            buffer_add_byte(out, ',');
            write_member(out, "file", line->file);
            buffer_printf(out, ",\"line\":%d", line->line);
        }
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, "]}");
}
