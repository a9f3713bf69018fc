#include "adapters/prove/tree_random.h"

#include "adapters/mapping/expr.h"
#include "adapters/text/time_text.h"

#include <math.h>

enum { DEPTH = 4, MOST_ELEMENTS = 3 };

/* ---- Hints ----------------------------------------------------------------------------------- */

static TreeHint *hint_of(TreeHints *hints, const FieldType *field)
{
    Bytes key = bytes(&field, sizeof field);
    TreeHint *hint = table_get(&hints->by_field, key);
    if (!hint) {
        hint = arena_make(hints->arena, TreeHint);
        table_put(&hints->by_field, bytes_copy(hints->arena, key), hint);
    }
    return hint;
}

static const FieldType *source_field(const Expr *expr)
{
    const Expr *source = expr_source(expr);
    return source ? source->steps[source->n_steps - 1] : NULL;
}

static bool has_spellings(const Converter *converter)
{
    switch (converter->code) {
    case CONVERT_TEXT_NUMBER:
    case CONVERT_TEXT_BYTES:
    case CONVERT_TEXT_TIME:
    case CONVERT_TEXT_DATE:
    case CONVERT_TEXT_ENUM:
    case CONVERT_TEXT_TABLE: return true;
    case CONVERT_SERIALIZED: return converter->to.kind != KIND_BYTES;
    default: return false;
    }
}

static void hint_converter(TreeHint *hint, const Converter *converter)
{
    hint->spelled |= has_spellings(converter);
    hint->serialized |= converter->code == CONVERT_SERIALIZED && converter->to.kind != KIND_BYTES;
    hint->flag |= converter->code == CONVERT_BOOL_ENUM;
    hint->taken_apart |= converter->from.message && !converter->to.message;
}

/* Values in the list, such as kinds and sentinels. */
static void hint_constant(TreeHints *hints, const Expr *expr)
{
    bool when = expr->kind == EXPR_WHEN && expr->constants;
    bool sentinel = expr->kind == EXPR_CONVERT && expr->converter->code == CONVERT_SENTINEL;
    const Expr *asked = when ? expr->args[1] : sentinel ? expr->args[0] : NULL;
    const FieldType *field = asked ? source_field(asked) : NULL;
    if (!field || field->message)
        return;
    TreeHint *hint = hint_of(hints, field);
    hint->sentinel |= sentinel && asked->kind != EXPR_FIELD;
    if (field->kind != asked->type.kind)
        return;
    if (hint->n_asked == MOST_ASKED)
        return;
    hint->asked[hint->n_asked++] = when ? *expr->constants : expr->converter->sentinel;
}

static void hint_mapping(TreeHints *hints, const Mapping *mapping);

/* Whether the hint's converter has more types for operations, and so is kept. */
static bool keeps_held(const TreeHint *hint, const Converter *converter)
{
    return hint->reader && hint->reader->n_held && !converter->n_held;
}

static void hint_expr(TreeHints *hints, const Expr *expr)
{
    const FieldType *field = source_field(expr);
    if (expr_has_mapping(expr))
        hint_mapping(hints, expr->mapping);
    if (field && expr->kind == EXPR_CONVERT)
        hint_converter(hint_of(hints, field), expr->converter);
    if (expr->kind == EXPR_CONVERT && expr->converter->code == CONVERT_SERIALIZED)
        hints->serialized = true;
    if (field && expr->kind == EXPR_CONVERT && expr->args[0]->kind == EXPR_FIELD) {
        if (!keeps_held(hint_of(hints, field), expr->converter))
            hint_of(hints, field)->reader = expr->converter;
        if (expr->converter->code == CONVERT_FIELD_MASK)
            hint_of(hints, field)->about = expr->converter->mapping;
    }
    if (field && expr->kind == EXPR_REQUIRE) {
        const Expr *source = expr_source(expr);
        for (uint32_t i = 0; i < source->n_steps; i++)
            hint_of(hints, source->steps[i])->needed = true;
    }
    hint_constant(hints, expr);
    if (field && expr->kind == EXPR_FIRST && expr->loud)
        hint_of(hints, field)->one = true;
    if (field && expr->kind == EXPR_FIRST && !expr->rest_kept)
        hint_of(hints, field)->single = true;
    for (uint32_t i = 0; expr->kind == EXPR_SELECT && i < expr->n_args; i++) {
        const FieldType *alternative = source_field(expr->args[i]);
        if (alternative)
            hint_of(hints, alternative)->selects = true;
    }
    if (field && expr->kind == EXPR_KEYED)
        hint_of(hints, field)->unordered = true;
    if (expr->kind == EXPR_CONVERT && expr->converter->code == CONVERT_TEMPLATE) {
        for (uint32_t i = 0; i < expr->n_args; i++) {
            TreeHint *hint =
                source_field(expr->args[i]) ? hint_of(hints, source_field(expr->args[i])) : NULL;
            if (!hint)
                continue;
            hint->needed = true;
            if (expr->args[i]->kind == EXPR_FIELD)
                hint->reader = expr->converter;
        }
    }
    for (uint32_t i = 0; i < expr->n_args; i++)
        hint_expr(hints, expr->args[i]);
    for (uint32_t i = 0; i < expr->n_rules; i++)
        hint_expr(hints, expr->rules[i].value);
}

static void hint_guard(TreeHints *hints, const Guard *guard)
{
    const FieldType *field = source_field(guard->source);
    hint_expr(hints, guard->source);
    if (!field || !guard->loud || guard->source->kind == EXPR_WHEN ||
        guard->source->kind == EXPR_UNLESS)
        return;
    TreeHint *hint = hint_of(hints, field);
    hint->refused = true;
    hint->has_value = guard->has_ignored && guard->source->kind == EXPR_FIELD;
    hint->value = guard->ignored;
}

/* Collects each mapping once; composed mappings also lead to those of the lists between. */
static void hint_mapping(TreeHints *hints, const Mapping *mapping)
{
    Bytes key = bytes(&mapping, sizeof mapping);
    if (table_get(&hints->visited, key))
        return;
    table_put(&hints->visited, bytes_copy(hints->arena, key), (void *)(uintptr_t)mapping);
    for (uint32_t k = 0; k < mapping->n_rules; k++)
        hint_expr(hints, mapping->rules[k].value);
    for (uint32_t k = 0; k < mapping->n_guards; k++)
        hint_guard(hints, &mapping->guards[k]);
}

void tree_hints(Arena *arena, const MappingSet *set, TreeHints *hints_out)
{
    *hints_out = (TreeHints){
        .arena = arena, .by_field = table_in(arena), .visited = table_in(arena), .set = set};
    for (uint32_t i = 0; i < set->n_mappings; i++)
        hint_mapping(hints_out, set->mappings[i]);
    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(&set->by_method, &at));) {
        const MethodMapping *method = entry->value;
        if (method->output)
            hint_mapping(hints_out, method->output);
    }
}

/* ---- Values ---------------------------------------------------------------------------------- */

typedef struct Maker {
    Arena *arena;
    Random *random;
    const TreeHints *hints;
} Maker;

static bool chance(Maker *m, unsigned percent)
{
    return random_below(m->random, 100) < percent;
}

static uint64_t below(Maker *m, uint64_t end)
{
    return random_below(m->random, end);
}

static Bytes random_text(Maker *m)
{
    static const char *const texts[] = {"",
                                        "a",
                                        "b-1",
                                        "projects/p/topics/t",
                                        "\xc3\xa9t\xc3\xa9",
                                        "0",
                                        "some longer text",
                                        "x/y",
                                        "\xf0\x9f\x9a\xa2",
                                        "true",
                                        "42"};
    return bytes_of(texts[below(m, sizeof texts / sizeof *texts)]);
}

static Bytes random_bytes(Maker *m)
{
    size_t size = below(m, 6);
    uint8_t *data = arena_alloc(m->arena, size + 1);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(chance(m, 70) ? 'a' + below(m, 26) : below(m, 256));
    return bytes(data, size);
}

/* The limit of a range, or one past it. */
static uint64_t range_end(Maker *m)
{
    static const uint64_t ends[] = {INT32_MAX,
                                    (uint64_t)INT32_MAX + 1,
                                    (uint64_t)(int64_t)INT32_MIN,
                                    UINT32_MAX,
                                    (uint64_t)UINT32_MAX + 1,
                                    INT64_MAX,
                                    (uint64_t)INT64_MAX + 1,
                                    UINT64_MAX,
                                    (UINT64_C(1) << 53) + 1};
    return ends[below(m, sizeof ends / sizeof *ends)];
}

static Literal random_integer(Maker *m, FieldKind kind)
{
    bool wide = kind == KIND_INT64 || kind == KIND_UINT64 || kind == KIND_FIXED64 ||
                kind == KIND_SFIXED64 || kind == KIND_SINT64;
    uint64_t raw = chance(m, 70) ? below(m, 200) : random_next(m->random) >> below(m, 64);
    if (chance(m, 5))
        raw = UINT64_MAX >> below(m, 40);
    if (chance(m, 4)) {
        raw = range_end(m);
        return kind_is_unsigned(kind) ? (Literal){.u = wide ? raw : (uint32_t)raw}
                                      : (Literal){.i = wide ? (int64_t)raw : (int32_t)raw};
    }
    if (chance(m, 6))
        raw = 0;
    if (kind_is_unsigned(kind))
        return (Literal){.u = wide ? raw : (uint32_t)raw};
    int64_t value = chance(m, 25) ? -(int64_t)(raw >> 1) : (int64_t)(raw >> 1);
    return (Literal){.i = wide ? value : (int32_t)value};
}

static Literal random_enum(Maker *m, const EnumType *type)
{
    if (!type->closed && chance(m, 4))
        return (Literal){.i = (int64_t)below(m, 1000) - 100};
    return (Literal){.i = type->values[below(m, type->n_values)].number};
}

static Literal random_double(Maker *m, FieldKind kind)
{
    static const double odd[] = {-0.0, INFINITY, -INFINITY, NAN, 1e300, 5e-324, 0.1};
    if (chance(m, 4)) {
        double value = odd[below(m, sizeof odd / sizeof *odd)];
        return (Literal){.d = kind == KIND_FLOAT ? (double)(float)value : value};
    }
    double value = (double)(int64_t)below(m, 2000) - 500;
    if (chance(m, 40))
        value /= 8;
    if (chance(m, 10))
        value *= 1e12;
    return (Literal){.d = kind == KIND_FLOAT ? (double)(float)value : value};
}

/* A part of a template; sometimes a difficult one, which contains a literal text of the template,
   or an empty one. */
static void add_part(Maker *m, const Converter *by, Buffer *text)
{
    if (chance(m, 4))
        return;
    buffer_printf(text, chance(m, 60) ? "%u" : "v%u", (unsigned)below(m, 100));
    if (chance(m, 6))
        buffer_add_bytes(text, by->template_parts[below(m, by->n_variables + 1)]);
    if (chance(m, 6))
        buffer_add_text(text, "x");
}

/* A text of the table, in random letter case if the table ignores case; sometimes one of its
   results. */
static Bytes table_text(Maker *m, const Converter *reader)
{
    Buffer text = buffer_in(m->arena);
    if (!reader->n_entries || chance(m, 5))
        return random_text(m);
    const EnumEntry *entry = &reader->entries[below(m, reader->n_entries)];
    if (chance(m, 5))
        return entry->into;
    for (size_t i = 0; i < entry->text.size; i++) {
        uint8_t c = entry->text.data[i];
        bool upper = reader->ignore_case && c >= 'a' && c <= 'z' && chance(m, 50);
        buffer_add_byte(&text, upper ? c & ~0x20 : c);
    }
    return buffer_bytes(&text);
}

/* A text that the converter can usually read. */
static Bytes text_for(Maker *m, const Converter *reader)
{
    static const char *const times[] = {"2026-03-01T10:00:20.021Z", "1970-01-01T00:00:00Z",
                                        "1999-12-31T23:59:59.5Z", "2026-03-01T01:00:00+01:00",
                                        "2026-03-01T00:00:00-00:00"};
    static const char *const durations[] = {"1.5s", "0s", "-3s", "86400s", "-0s", "1.500s"};
    static const char *const numbers[] = {"1e3", "1.0", "-0", "0", "0.0", "25e-1", "0.10"};
    static const char *const bytes_of_text[] = {
        "abcd", "00ff", "ABCD", "00Ff", "4w==", "42==", "4w", "-_8=", "+/8=", ""};
    Buffer text = buffer_in(m->arena);
    switch (reader->code) {
    case CONVERT_TEMPLATE_PART:
        for (uint32_t i = 0; i < reader->n_variables; i++) {
            buffer_add_bytes(&text, reader->template_parts[i]);
            add_part(m, reader, &text);
        }
        buffer_add_bytes(&text, reader->template_parts[reader->n_variables]);
        return buffer_bytes(&text);
    case CONVERT_TEMPLATE: add_part(m, reader, &text); return buffer_bytes(&text);
    case CONVERT_TEXT_TIME:
        return bytes_of(reader->to.message->well_known == WELL_KNOWN_DURATION
                            ? durations[below(m, 6)]
                            : times[below(m, 5)]);
    case CONVERT_TEXT_DATE:
        buffer_printf(&text, "%04u-%02u-%02u", (unsigned)(1 + below(m, 9999)),
                      (unsigned)(1 + below(m, 12)), (unsigned)(1 + below(m, 28)));
        return buffer_bytes(&text);
    case CONVERT_TEXT_ENUM:
    case CONVERT_TEXT_TABLE: return table_text(m, reader);
    case CONVERT_TEXT_NUMBER:
        if (reader->to.kind == KIND_BOOL)
            return bytes_of(chance(m, 50) ? "true" : "false");
        if (chance(m, 20))
            return bytes_of(numbers[below(m, 7)]);
        buffer_printf(&text, "%u", (unsigned)below(m, 5000));
        return buffer_bytes(&text);
    case CONVERT_TEXT_BYTES: return bytes_of(bytes_of_text[below(m, 10)]);
    case CONVERT_ENUM_TEXT:
    case CONVERT_SENTINEL:
    default: return random_text(m);
    }
}

static Tree *random_message(Maker *m, const MessageType *type, unsigned depth,
                            const TreeHint *hint);

/* Bytes that the converter can usually read. */
static Bytes bytes_for(Maker *m, const Converter *reader)
{
    Buffer wire = buffer_in(m->arena);
    if (reader->code == CONVERT_BYTES_TEXT)
        return random_text(m);
    if (reader->code != CONVERT_SERIALIZED)
        return random_bytes(m);
    if (chance(m, 10))
        return bytes_of(chance(m, 50) ? "abcde" : "Zdays");
    tree_write(random_message(m, reader->to.message, DEPTH - 1, NULL), &wire);
    return buffer_bytes(&wire);
}

static Literal random_plain(Maker *m, const FieldType *field, ValueType type)
{
    const TreeHint *hint = table_get(&m->hints->by_field, bytes(&field, sizeof field));
    const Converter *reader = hint && chance(m, 92) ? hint->reader : NULL;
    if (hint && hint->has_value && chance(m, 90))
        return hint->value;
    if (hint && hint->n_asked && chance(m, 40))
        return hint->asked[below(m, hint->n_asked)];
    switch (type.kind) {
    case KIND_STRING: return (Literal){.bytes = reader ? text_for(m, reader) : random_text(m)};
    case KIND_BYTES: return (Literal){.bytes = reader ? bytes_for(m, reader) : random_bytes(m)};
    case KIND_BOOL: return (Literal){.u = below(m, 2)};
    case KIND_ENUM: return random_enum(m, type.enumeration);
    case KIND_DOUBLE:
    case KIND_FLOAT: return random_double(m, type.kind);
    default: return random_integer(m, type.kind);
    }
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void set_integer(Maker *m, Tree *tree, uint32_t number, int64_t value)
{
    tree_put(m->arena, tree, message_field_by_number(tree->type, number),
             (TreeValue){.plain = {.i = value}});
}

static Tree *random_time(Maker *m, const MessageType *type, const TreeHint *hint)
{
    Tree *tree = tree_new(m->arena, type);
    int64_t seconds = (int64_t)below(m, 4000000000) - 2000000000;
    int64_t nanos = chance(m, 60) ? 0 : (int64_t)below(m, 1000) * 1000000;
    if (chance(m, 3)) {
        bool duration = type->well_known == WELL_KNOWN_DURATION;
        int64_t least = duration ? -DURATION_MAX : TIMESTAMP_MIN;
        seconds = chance(m, 50) ? least : duration ? DURATION_MAX : TIMESTAMP_MAX;
        nanos = chance(m, 50) ? 0 : 999999999;
    }
    if (hint && hint->reader && hint->reader->code == CONVERT_TIME_DATE && chance(m, 80)) {
        seconds -= seconds % 86400;
        nanos = 0;
    }
    if (type->well_known == WELL_KNOWN_DURATION && seconds < 0)
        nanos = -nanos;
    set_integer(m, tree, 1, seconds);
    set_integer(m, tree, 2, nanos);
    return tree;
}

/* The path of a field with a counterpart: one that a rule reads without a conversion. */
static const char *mask_path(Maker *m, const Mapping *about)
{
    if (!about->n_rules)
        return NULL;
    const Expr *value = about->rules[below(m, about->n_rules)].value;
    while (value->kind == EXPR_MESSAGE)
        value = value->args[0];
    return value->kind == EXPR_FIELD ? steps_text(m->arena, value->steps, value->n_steps) : NULL;
}

static bool has_text(const TreeField *field, Bytes text)
{
    for (uint32_t i = 0; i < field->n; i++) {
        if (bytes_equal(field->values[i].plain.bytes, text))
            return true;
    }
    return false;
}

/* JSON has no spelling for an underscore that no small letter follows. */
static bool is_sayable(const char *name)
{
    for (; *name; name++) {
        if (*name == '_' && !(name[1] >= 'a' && name[1] <= 'z'))
            return false;
        if (*name >= 'A' && *name <= 'Z')
            return false;
    }
    return true;
}

/* Any path, also of what is no field and of parts of what other fields are made of. */
static Bytes random_path(Maker *m, const MessageType *type)
{
    Buffer path = buffer_in(m->arena);
    for (unsigned depth = 0; type && type->n_fields; depth++) {
        const FieldType *field = &type->fields[below(m, type->n_fields)];
        if (!is_sayable(field->name))
            break;
        buffer_printf(&path, depth ? ".%s" : "%s", field->name);
        type = field->message;
        if (field->repeated && chance(m, 50)) {
            buffer_add_text(
                &path, field->map && chance(m, 70) ? (chance(m, 70) ? ".key1" : ".`key.2`") : ".*");
            if (field->map)
                type = message_field_by_number(field->message, 2)->message;
        } else if (field->repeated) {
            break;
        }
        if (chance(m, 40))
            break;
    }
    if (chance(m, 5))
        buffer_add_text(&path, chance(m, 50) ? ".no" : ".");
    return buffer_bytes(&path);
}

static void add_path(Maker *m, Tree *mask, Bytes path)
{
    const FieldType *paths = message_field_by_number(mask->type, 1);
    if (path.size && !has_text(tree_field(mask, paths), path))
        tree_put(m->arena, mask, paths, (TreeValue){.plain = {.bytes = path}});
}

/* A random field mask, without duplicate paths: of fields with a counterpart, of all fields, or of
   any. */
static Tree *random_mask(Maker *m, const MessageType *type, const TreeHint *hint)
{
    Tree *tree = tree_new(m->arena, type);
    if (!hint || !hint->about)
        return tree;
    const MessageType *about = hint->about->from;
    for (uint32_t i = chance(m, 10) ? 0 : about->n_fields; i < about->n_fields; i++) {
        if (is_sayable(about->fields[i].name) && chance(m, 80))
            add_path(m, tree, bytes_of(about->fields[i].name));
    }
    for (uint64_t n = below(m, 4); n; n--) {
        const char *path = mask_path(m, hint->about);
        if (chance(m, 25))
            add_path(m, tree, random_path(m, about));
        else if (path)
            add_path(m, tree, bytes_of(path));
    }
    return tree;
}

/* A type with a mapping; also one of a version between, which the first does not have. */
static const MessageType *type_with_counterpart(Maker *m)
{
    const MappingSet *set = m->hints->set;
    const Table *by_type = &set->by_type;
    if (!by_type->n)
        return set->mappings[below(m, set->n_mappings)]->from;
    size_t at = 0;
    const TableEntry *entry = table_next(by_type, &at);
    for (uint64_t n = below(m, by_type->n); n; n--)
        entry = table_next(by_type, &at);
    return ((const Mapping *)entry->value)->from;
}

static const MessageType *any_of(Maker *m, const Schema *schema)
{
    return &schema->messages[below(m, schema->n_messages)];
}

/* Usually a type with a counterpart; sometimes one without, or one outside of the versions'
   packages, or none. */
static const MessageType *any_type(Maker *m)
{
    const MappingSet *set = m->hints->set;
    if (set->n_stranded && chance(m, 10))
        return set->stranded[below(m, set->n_stranded)].type;
    if (chance(m, 10))
        return any_of(m, set->from);
    if (chance(m, 20) && m->hints->known.n)
        return any_of(m, m->hints->known.schemas[below(m, m->hints->known.n)]);
    return set->n_mappings ? type_with_counterpart(m) : NULL;
}

static const MessageType *type_in_any(Maker *m)
{
    const MessageType *type = any_type(m);
    return type && !type->map_entry ? type : NULL;
}

/* Usually a type with its own mapping in this Any. */
static const MessageType *held_type(Maker *m, const TreeHint *hint)
{
    const Converter *reader = hint ? hint->reader : NULL;
    bool holds = reader && reader->n_held && chance(m, 60);
    return holds ? reader->held[below(m, reader->n_held)].from : NULL;
}

static Tree *random_any(Maker *m, const MessageType *type, unsigned depth, const TreeHint *hint)
{
    Tree *tree = tree_new(m->arena, type);
    const MessageType *held = held_type(m, hint);
    const MessageType *inner = depth >= DEPTH ? NULL : held ? held : type_in_any(m);
    if (!inner)
        return tree;
    Buffer content = buffer_in(m->arena);
    tree_write(random_message(m, inner, depth + 1, NULL), &content);
    const char *name = chance(m, 2) ? "unknown.Type" : inner->full_name;
    const char *url = arena_printf(m->arena, "type.googleapis.com/%s", name);
    tree_put(m->arena, tree, message_field_by_number(type, 1),
             (TreeValue){.plain = {.bytes = bytes_of(url)}});
    tree_put(m->arena, tree, message_field_by_number(type, 2),
             (TreeValue){.plain = {.bytes = buffer_bytes(&content)}});
    return tree;
}

static Tree *random_date(Maker *m, const MessageType *type)
{
    Tree *tree = tree_new(m->arena, type);
    const char *const names[] = {"year", "month", "day"};
    const int64_t ends[] = {9999, 12, 28};
    for (int i = 0; i < 3; i++)
        tree_put(m->arena, tree, message_field(type, bytes_of(names[i])),
                 (TreeValue){.plain = {.i = 1 + (int64_t)below(m, (uint64_t)ends[i])}});
    return tree;
}

static Tree *random_money(Maker *m, const Converter *reader)
{
    Tree *tree = tree_new(m->arena, reader->from.message);
    int64_t part = 1000000000 / reader->unit;
    tree_put(m->arena, tree, reader->units, (TreeValue){.plain = {.i = (int64_t)below(m, 10000)}});
    tree_put(m->arena, tree, reader->nanos,
             (TreeValue){.plain = {.i = (int64_t)below(m, (uint64_t)reader->unit) * part}});
    if (reader->currency)
        tree_put(m->arena, tree, reader->currency,
                 (TreeValue){
                     .plain = random_plain(m, reader->currency, (ValueType){.kind = KIND_STRING})});
    return tree;
}

static TreeValue random_value(Maker *m, const FieldType *field, unsigned depth);

/* google.protobuf.Value has no JSON form without a kind, or with NaN or an infinity. */
static Tree *random_json_value(Maker *m, const MessageType *type, unsigned depth)
{
    Tree *tree = tree_new(m->arena, type);
    const FieldType *field = &type->fields[below(m, depth >= DEPTH ? 4 : type->n_fields)];
    TreeValue value = random_value(m, field, depth);
    if (field->kind == KIND_ENUM || (field->kind == KIND_DOUBLE && !isfinite(value.plain.d)))
        value = (TreeValue){0};
    tree_put(m->arena, tree, field, value);
    return tree;
}

static Tree *random_special(Maker *m, const MessageType *type, unsigned depth, const TreeHint *hint)
{
    const Converter *reader = hint ? hint->reader : NULL;
    if (type->well_known == WELL_KNOWN_TIMESTAMP || type->well_known == WELL_KNOWN_DURATION)
        return random_time(m, type, hint);
    if (type->well_known == WELL_KNOWN_FIELD_MASK)
        return random_mask(m, type, hint);
    if (type->well_known == WELL_KNOWN_VALUE)
        return random_json_value(m, type, depth);
    if (type->well_known == WELL_KNOWN_ANY)
        return random_any(m, type, depth, hint);
    if (reader && (reader->code == CONVERT_DATE_TEXT || reader->code == CONVERT_DATE_TIME))
        return random_date(m, type);
    if (reader && reader->code == CONVERT_MONEY_AMOUNT)
        return random_money(m, reader);
    return NULL;
}

static TreeValue random_value(Maker *m, const FieldType *field, unsigned depth)
{
    const TreeHint *hint = table_get(&m->hints->by_field, bytes(&field, sizeof field));
    if (field->message)
        return (TreeValue){.message = random_message(m, field->message, depth + 1, hint)};
    return (TreeValue){.plain = random_plain(m, field, value_type_of(field))};
}

/* A random map without duplicate keys. */
static void random_map(Maker *m, Tree *tree, const FieldType *field, unsigned depth)
{
    const FieldType *key = message_field_by_number(field->message, 1);
    const FieldType *value = message_field_by_number(field->message, 2);
    uint64_t n = 1 + below(m, MOST_ELEMENTS);
    for (uint64_t i = 0; i < n; i++) {
        Tree *entry = tree_new(m->arena, field->message);
        Literal literal = {.u = i};
        if (key->kind == KIND_STRING)
            literal.bytes = bytes_of(arena_printf(m->arena, "key%u", (unsigned)i));
        if (key->kind == KIND_BOOL && i > 1)
            return;
        tree_put(m->arena, entry, key, (TreeValue){.plain = literal});
        tree_put(m->arena, entry, value, random_value(m, value, depth));
        tree_put(m->arena, tree, field, (TreeValue){.message = entry});
    }
}

static unsigned presence_chance(Maker *m, const FieldType *field, unsigned depth)
{
    const TreeHint *hint = table_get(&m->hints->by_field, bytes(&field, sizeof field));
    if (field->required)
        return 100;
    if (hint && hint->needed)
        return 97;
    if (depth >= DEPTH && field->message)
        return 0;
    if (hint && hint->refused)
        return hint->has_value ? 40 : 4;
    return depth > 1 ? 35 : 55;
}

static void random_field(Maker *m, Tree *tree, const FieldType *field, unsigned depth)
{
    const TreeHint *hint = table_get(&m->hints->by_field, bytes(&field, sizeof field));
    if (!chance(m, presence_chance(m, field, depth)))
        return;
    if (field->map) {
        random_map(m, tree, field, depth);
        return;
    }
    uint64_t n =
        !field->repeated || (hint && hint->one && chance(m, 90)) ? 1 : 1 + below(m, MOST_ELEMENTS);
    for (uint64_t i = 0; i < n; i++)
        tree_put(m->arena, tree, field, random_value(m, field, depth));
}

static Tree *random_message(Maker *m, const MessageType *type, unsigned depth, const TreeHint *hint)
{
    Tree *special = random_special(m, type, depth, hint);
    if (special)
        return special;
    Tree *tree = tree_new(m->arena, type);
    for (uint32_t i = 0; i < type->n_fields; i++)
        random_field(m, tree, &type->fields[i], depth);
    return tree;
}

Tree *tree_random(Arena *arena, Random *random, const TreeHints *hints, const MessageType *type)
{
    Maker maker = {arena, random, hints};
    return random_message(&maker, type, 0, NULL);
}

/* ---- Shrinking ------------------------------------------------------------------------------- */

typedef struct Shrinking {
    Tree *root;
    bool (*fails)(void *owner, const Tree *tree);
    void *owner;
    unsigned tries;
} Shrinking;

static bool still_fails(Shrinking *s)
{
    if (!s->tries)
        return false;
    s->tries--;
    return s->fails(s->owner, s->root);
}

/* Removes one value; restores it if the failure disappears. */
static bool drop_value(Shrinking *s, TreeField *field, uint32_t at)
{
    TreeValue value = field->values[at];
    memmove(&field->values[at], &field->values[at + 1], (field->n - at - 1) * sizeof value);
    field->n--;
    if (still_fails(s))
        return true;
    memmove(&field->values[at + 1], &field->values[at], (field->n - at) * sizeof value);
    field->values[at] = value;
    field->n++;
    return false;
}

/* An Any must keep its type as long as it has content. */
static bool may_go(const Tree *tree, uint32_t field)
{
    return !tree->type->fields[field].required &&
           (tree->type->well_known != WELL_KNOWN_ANY || field > 0 || !tree->fields[1].n);
}

static bool shrink_message(Shrinking *s, Tree *tree)
{
    bool less = false;
    for (uint32_t i = 0; i < tree->type->n_fields; i++) {
        TreeField *field = &tree->fields[i];
        for (uint32_t k = field->n; k-- > 0;) {
            if (may_go(tree, i) && drop_value(s, field, k))
                less = true;
            else if (tree->type->fields[i].message)
                less |= shrink_message(s, field->values[k].message);
        }
    }
    return less;
}

void tree_shrink(Tree *tree, bool (*fails)(void *owner, const Tree *tree), void *owner,
                 unsigned tries)
{
    Shrinking s = {tree, fails, owner, tries};
    while (s.tries && shrink_message(&s, tree))
        ;
}
