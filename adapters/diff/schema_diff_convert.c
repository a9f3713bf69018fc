/* Which converter goes from one field to another, by their types and by the units in their names.
 */
#include "adapters/diff/schema_diff_internal.h"

/* ---- Units ----------------------------------------------------------------------------------- */

/* A word for a unit, in its simplest form. */
typedef struct Unit {
    const char *word, *time, *money; /* the converters for it, or NULL */
    int64_t nanoseconds;             /* of a unit of time, or 0 */
    int64_t bytes;                   /* of a unit of size, or 0 */
} Unit;

static const Unit units[] = {
    {"nanosecond", "nanoseconds", NULL, 1, 0},
    {"nano", "nanoseconds", "nanos_to_money", 1, 0},
    {"ns", "nanoseconds", NULL, 1, 0},
    {"microsecond", "microseconds", NULL, 1000, 0},
    {"micro", "microseconds", "micros_to_money", 1000, 0},
    {"usec", "microseconds", NULL, 1000, 0},
    {"us", "microseconds", NULL, 1000, 0},
    {"millisecond", "milliseconds", NULL, 1000000, 0},
    {"milli", "milliseconds", NULL, 1000000, 0},
    {"msec", "milliseconds", NULL, 1000000, 0},
    {"ms", "milliseconds", NULL, 1000000, 0},
    {"second", "seconds", NULL, 1000000000, 0},
    {"sec", "seconds", NULL, 1000000000, 0},
    {"minut", "minutes", NULL, 60000000000, 0},
    {"hour", "hours", NULL, 3600000000000, 0},
    {"day", "days", NULL, 86400000000000, 0},
    {"cent", NULL, "cents_to_money", 0, 0},
    {"mill", NULL, "mills_to_money", 0, 0},
    {"unit", NULL, "units_to_money", 0, 0},
    {"byte", NULL, NULL, 0, 1},
    {"kb", NULL, NULL, 0, 1000},
    {"mb", NULL, NULL, 0, 1000000},
    {"gb", NULL, NULL, 0, 1000000000},
    {"tb", NULL, NULL, 0, 1000000000000},
    {"kib", NULL, NULL, 0, INT64_C(1) << 10},
    {"mib", NULL, NULL, 0, INT64_C(1) << 20},
    {"gib", NULL, NULL, 0, INT64_C(1) << 30},
    {"tib", NULL, NULL, 0, INT64_C(1) << 40},
    {"percent", NULL, NULL, 0, 0},
    {"percentag", NULL, NULL, 0, 0},
};
enum { N_UNITS = sizeof units / sizeof *units };

static const Unit *unit_of(const Words *words)
{
    for (size_t i = 0; i < N_UNITS; i++)
        if (words_have(words, units[i].word))
            return &units[i];
    return NULL;
}

bool diff_is_unit(const char *word)
{
    Words words = {{word}, 1};
    return unit_of(&words) != NULL;
}

/* ---- Types ----------------------------------------------------------------------------------- */

static bool is_message(ValueType type)
{
    return type.kind == KIND_MESSAGE || type.kind == KIND_GROUP;
}

static bool is_number(ValueType type)
{
    return kind_is_number(type.kind);
}

static bool elements_agree(const Diffing *d, ValueType a, ValueType b)
{
    if (is_message(a) && is_message(b))
        return diff_partner(d, OLD, a.message) == b.message;
    if (a.kind == KIND_ENUM && b.kind == KIND_ENUM)
        return diff_enum_partner(d, OLD, a.enumeration) == b.enumeration;
    return a.kind == b.kind || (kind_is_integer(a.kind) && kind_is_integer(b.kind)) ||
           (kind_is_float(a.kind) && kind_is_float(b.kind));
}

static bool maps_agree(const FieldType *a, const FieldType *b)
{
    return a->map == b->map && (!a->map || message_field_by_number(a->message, 1)->kind ==
                                               message_field_by_number(b->message, 1)->kind);
}

bool diff_types_agree(const Diffing *d, const FieldType *a, const FieldType *b)
{
    return a->repeated == b->repeated && maps_agree(a, b) &&
           elements_agree(d, value_type_element(a), value_type_element(b));
}

static WellKnown well_known(ValueType type)
{
    return is_message(type) ? type.message->well_known : WELL_KNOWN_NONE;
}

static bool is_time(ValueType type)
{
    return well_known(type) == WELL_KNOWN_TIMESTAMP || well_known(type) == WELL_KNOWN_DURATION;
}

static bool has_integer(ValueType type, const char *name)
{
    const FieldType *field = is_message(type) ? message_field(type.message, bytes_of(name)) : NULL;
    return field && !field->repeated && kind_is_integer(field->kind);
}

static bool is_date(ValueType type)
{
    return has_integer(type, "year") && has_integer(type, "month") && has_integer(type, "day");
}

static bool is_money(ValueType type)
{
    return has_integer(type, "units") && has_integer(type, "nanos");
}

static const char *currency_of(ValueType money)
{
    static const char *const names[] = {"currency_code", "currency"};
    for (int i = 0; i < 2; i++) {
        const FieldType *field = message_field(money.message, bytes_of(names[i]));
        if (field && !field->repeated && field->kind == KIND_STRING)
            return names[i];
    }
    return NULL;
}

/* ---- One converter each: the first value that fits, seen from either side -------------------- */

/* What is converted: from x, at the end x_end, to y. */
typedef struct Ends {
    Diffing *d;
    ValueType x, y;
    const FieldType *x_field, *y_field;
    Words x_words, y_words;
    int x_end;
} Ends;

static Fit convert(const char *by, int certainty)
{
    return (Fit){.kind = FIT_CONVERT, .by = by, .parameters = "", .certainty = certainty};
}

/* A converter between types that much else has, too. */
static Fit convert_weakly(const char *by, int certainty)
{
    Fit fit = convert(by, certainty);
    fit.weak = true;
    return fit;
}

static Fit fit_time(const Ends *e)
{
    const Unit *unit = unit_of(&e->y_words);
    bool date = well_known(e->x) == WELL_KNOWN_TIMESTAMP && is_date(e->y);
    Fit fit = convert(date ? "date" : "time_text", 90);
    fit.time = true;
    if (date || e->y.kind == KIND_STRING)
        return fit;
    if (!is_number(e->y))
        return (Fit){0};
    fit = convert(unit && unit->time ? unit->time : "seconds", unit && unit->time ? 100 : 70);
    fit.time = true;
    if (unit && unit->time)
        fit.units[!e->x_end] = unit->word;
    else
        fit.decide = "is it a number of seconds?";
    return fit;
}

/* The field beside the amount that has its currency, if nothing else takes it. */
static const FieldType *currency_beside(const Ends *e)
{
    const MessageType *around = e->x_field->parent, *other = e->y_field->parent;
    static const char *const names[] = {"currency_code", "currency"};
    for (int i = 0; i < 2; i++) {
        const FieldType *field = message_field(around, bytes_of(names[i]));
        if (field && !field->repeated && field->kind == KIND_STRING &&
            !message_field(other, bytes_of(names[i])))
            return field;
    }
    return NULL;
}

static Fit fit_money(const Ends *e)
{
    const Unit *unit = unit_of(&e->x_words);
    Fit fit = convert(unit && unit->money ? unit->money : "units_to_money",
                      unit && unit->money ? 100 : 70);
    if (unit && unit->money)
        fit.units[e->x_end] = unit->word;
    else
        fit.decide = "is it a number of whole units?";
    if (!currency_of(e->y))
        return fit;
    fit.currency = currency_beside(e);
    if (fit.currency) {
        fit.currency_end = e->x_end;
    } else {
        fit.parameters = ", currency: XXX";
        fit.decide = "which currency is it, in place of XXX?";
    }
    return fit;
}

/* Both of time, or both of size: how many of the smaller one are one of the larger one; else 0. */
static int64_t factor_between(int64_t a, int64_t b)
{
    int64_t more = a > b ? a : b, less = a > b ? b : a;
    return less && more % less == 0 ? more / less : 0;
}

/* "kb" may be 1000 bytes or 1024. */
static bool is_decimal(const Unit *unit)
{
    return unit->bytes % 1000 == 0 && unit->bytes;
}

/* 2000 of "timeout_ms" is 2 of "timeout_seconds". */
static Fit fit_scale(const Ends *e)
{
    const Unit *a = unit_of(&e->x_words), *b = unit_of(&e->y_words);
    if (!a || !b || a == b)
        return (Fit){0};
    int64_t time = factor_between(a->nanoseconds, b->nanoseconds);
    int64_t factor = time ? time : factor_between(a->bytes, b->bytes);
    if (factor <= 1)
        return (Fit){0};
    bool finer = a->nanoseconds < b->nanoseconds || a->bytes < b->bytes;
    Fit fit = convert("scale", 95);
    fit.parameters =
        arena_printf(e->d->arena, ", %s: %lld", finer ? "divided_by" : "times", (long long)factor);
    fit.units[e->x_end] = a->word;
    fit.units[!e->x_end] = b->word;
    if (is_decimal(a) || is_decimal(b))
        fit.decide = "is it times 1000, or times 1024?";
    return fit;
}

static const EnumValue *value_called(const Ends *e, const char *const *words, size_t n)
{
    const EnumType *type = e->y.enumeration;
    const char *const *bare = diff_bare_names(e->d, type)->names;
    for (uint32_t i = 0; i < type->n_values; i++) {
        Words name = *diff_words(e->d, bare[i]);
        for (size_t k = 0; k < n && name.n == 1; k++)
            if (strcmp(name.word[0], words[k]) == 0)
                return &type->values[i];
    }
    return NULL;
}

/* Has it only two values beside zero, as a bool has? */
static bool is_two_valued(const EnumType *type)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < type->n_values; i++)
        n += type->values[i].number != 0;
    return n <= 2;
}

/* The value of a bool's name in an enum: SEPARATE_PER_CHANNEL of "enable_separate_per_channel". One
   word is enough where there are only two values. */
static const EnumValue *value_named_by(const Ends *e, uint32_t *n_words_out)
{
    const EnumType *type = e->y.enumeration;
    const char *const *bare = diff_bare_names(e->d, type)->names;
    bool one_word = e->x_words.n <= 2 && is_two_valued(type);
    for (uint32_t i = 0; i < type->n_values; i++) {
        Words name = *diff_words(e->d, bare[i]);
        if (type->values[i].number != 0 && name.n && (name.n > 1 || one_word) &&
            words_have_all(&e->x_words, &name)) {
            *n_words_out = name.n;
            return &type->values[i];
        }
    }
    return NULL;
}

/* What is false, where it has no name: the only other value, or zero. */
static const EnumValue *other_value(const EnumType *type, const EnumValue *yes)
{
    const EnumValue *zero = enum_value_by_number(type, 0), *other = NULL;
    for (uint32_t i = 0; i < type->n_values; i++) {
        const EnumValue *value = &type->values[i];
        if (value->number == 0 || value == yes)
            continue;
        if (other)
            return zero;
        other = value;
    }
    return other ? other : zero;
}

static Fit fit_flag(const Ends *e)
{
    static const char *const on[] = {"enabl", "on", "true", "yes"};
    static const char *const off[] = {"disabl", "off", "fals", "no"};
    uint32_t n_words = 0;
    const EnumValue *named = value_named_by(e, &n_words);
    const EnumValue *yes = named ? named : value_called(e, on, 4);
    const EnumValue *no = named ? other_value(e->y.enumeration, yes) : value_called(e, off, 4);
    if (!yes || !no || yes == no)
        return (Fit){0};
    Fit fit = convert("flag", 95);
    fit.named = n_words;
    fit.parameters = arena_printf(e->d->arena, ", values: {false: %s, true: %s}, others: loud",
                                  no->name, yes->name);
    return fit;
}

static bool is_any_in(const Ends *e, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (words_have(&e->x_words, words[i]) || words_have(&e->y_words, words[i]))
            return true;
    return false;
}

/* Bytes that are no text are most often in base64, as in JSON. */
static Fit fit_bytes(const Ends *e)
{
    static const char *const hex[] = {"hex"}, *const base64[] = {"base64"};
    static const char *const opaque[] = {"hash",     "digest", "md5",        "sha1",
                                         "sha256",   "sha512", "crc32c",     "key",
                                         "signatur", "cipher", "certificat", "token"};
    if (is_any_in(e, hex, 1))
        return convert_weakly("hex", 90);
    if (is_any_in(e, base64, 1))
        return convert_weakly("base64", 90);
    bool is_opaque = is_any_in(e, opaque, sizeof opaque / sizeof *opaque);
    Fit fit = convert_weakly(is_opaque ? "base64" : "utf8", 80);
    fit.decide = "is the text utf8, base64 or hex?";
    return fit;
}

static bool wraps(FieldKind kind, ValueType scalar)
{
    bool number = kind_is_number(kind);
    return kind == scalar.kind || (number && is_number(scalar));
}

static Fit fit_one_way(const Ends *e)
{
    if (is_time(e->x))
        return fit_time(e);
    if (is_date(e->x) && e->y.kind == KIND_STRING)
        return convert("date_text", 90);
    if (kind_is_integer(e->x.kind) && is_money(e->y))
        return fit_money(e);
    if (well_known(e->x) == WELL_KNOWN_WRAPPER && e->x.message->n_fields &&
        wraps(e->x.message->fields[0].kind, e->y))
        return convert("wrapper", 100);
    if (e->x.kind == KIND_ENUM && e->y.kind == KIND_STRING)
        return convert_weakly("enum_name", 80);
    if (e->x.kind == KIND_BOOL && e->y.kind == KIND_ENUM)
        return fit_flag(e);
    if (e->x.kind == KIND_BYTES && e->y.kind == KIND_STRING)
        return fit_bytes(e);
    if ((is_number(e->x) || e->x.kind == KIND_BOOL) && e->y.kind == KIND_STRING)
        return convert_weakly("text", 90);
    if (kind_is_integer(e->x.kind) && (kind_is_float(e->y.kind) || e->y.kind == KIND_ENUM))
        return convert_weakly("number", 90);
    return (Fit){0};
}

static Fit fit_by_converter(Diffing *d, const FieldType *old, const FieldType *new_field)
{
    if (!maps_agree(old, new_field) || old->repeated != new_field->repeated)
        return (Fit){0};
    Ends up = {.d = d,
               .x = value_type_element(old),
               .y = value_type_element(new_field),
               .x_field = old,
               .y_field = new_field,
               .x_words = *diff_words(d, old->name),
               .y_words = *diff_words(d, new_field->name),
               .x_end = OLD};
    Ends down = {d, up.y, up.x, up.y_field, up.x_field, up.y_words, up.x_words, NEW};
    Fit fit = fit_one_way(&up);
    return fit.kind ? fit : fit_one_way(&down);
}

static int elements_alike(Diffing *d, ValueType a, ValueType b)
{
    if (is_message(a) && is_message(b))
        return diff_free_messages_alike(d, a.message, b.message);
    if (a.kind == KIND_ENUM && b.kind == KIND_ENUM)
        return diff_free_enums_alike(d, a.enumeration, b.enumeration);
    return 0;
}

/* ---- Messages that are no counterparts, and maps of them ------------------------------------- */

/* Two own messages that have other counterparts, or none, and almost the same fields. */
static Fit fit_by_message(Diffing *d, const FieldType *old, const FieldType *new_field)
{
    const MessageType *a = old->message, *b = new_field->message;
    if (!a || !b || old->map || new_field->map || old->repeated != new_field->repeated ||
        a->well_known != WELL_KNOWN_NONE || b->well_known != WELL_KNOWN_NONE ||
        (!diff_partner(d, OLD, a) && !diff_partner(d, NEW, b)) ||
        !diff_have_much_in_common(d, a, b))
        return (Fit){0};
    ExtraPair *extra = arena_make(d->arena, ExtraPair);
    *extra = (ExtraPair){{a, b}, {NULL, NULL}};
    Fit fit = convert_weakly("message", 60);
    fit.extra = extra;
    return fit;
}

/* The field of a list's messages that says which one it is, and could be a map's key. */
static const FieldType *key_in(const MessageType *message, const FieldType *key)
{
    static const char *const names[] = {"key", "name", "id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const FieldType *field = message_field(message, bytes_of(names[i]));
        if (field && !field->repeated &&
            (field->kind == key->kind ||
             (kind_is_integer(field->kind) && kind_is_integer(key->kind))))
            return field;
    }
    return NULL;
}

/* Is it unset when it is zero, and may it be? A map's entry says nothing else of its value. */
static bool has_plain_default(const FieldType *field)
{
    return !field_default(field).data && !field->required &&
           (!field->enumeration || field->enumeration->values[0].number == 0);
}

/* The only other field, if it is what the map holds. */
static const FieldType *value_beside(Diffing *d, int list_end, const MessageType *message,
                                     const FieldType *key, const FieldType *value)
{
    const FieldType *other = message->n_fields == 2 ? &message->fields[!key->index] : NULL;
    return other && has_plain_default(other) && has_plain_default(value) &&
                   (list_end == OLD ? diff_types_agree(d, other, value)
                                    : diff_types_agree(d, value, other))
               ? other
               : NULL;
}

/* A list of messages becomes a map, at the other end. */
static Fit fit_map(Diffing *d, int list_end, const FieldType *list, const FieldType *map)
{
    if (!list->repeated || list->map || !map->map || !list->message)
        return (Fit){0};
    const MessageType *message = list->message;
    const FieldType *key = key_in(message, message_field_by_number(map->message, 1));
    const FieldType *value = message_field_by_number(map->message, 2);
    if (!key || !has_plain_default(key) ||
        !has_plain_default(message_field_by_number(map->message, 1)))
        return (Fit){0};
    Fit fit = {.kind = FIT_CONVERT, .key = key->name, .parameters = "", .certainty = 90};
    if (value_beside(d, list_end, message, key, value))
        return fit;
    const MessageType *old = list_end == OLD ? message : value->message,
                      *new_type = list_end == OLD ? value->message : message;
    if (!value->message || value->message->well_known != WELL_KNOWN_NONE ||
        diff_shared_fields(d, old, new_type) < 50)
        return (Fit){0};
    ExtraPair *extra = arena_make(d->arena, ExtraPair);
    *extra =
        (ExtraPair){{old, new_type}, {list_end == OLD ? key : NULL, list_end == NEW ? key : NULL}};
    fit.extra = extra;
    fit.certainty = 80;
    return fit;
}

/* Lists of messages whose content says nothing, in fields of one number. */
static Fit fit_list(Diffing *d, const FieldType *old, const FieldType *new_field)
{
    if (!old->repeated || !new_field->repeated || old->map || new_field->map || !old->message ||
        !new_field->message || old->number != new_field->number ||
        !diff_may_be_renamed(d, old->message, new_field->message))
        return (Fit){0};
    return (Fit){.kind = FIT_ALIKE, .parameters = "", .certainty = 35};
}

Fit diff_fit(Diffing *d, const FieldType *old, const FieldType *new_field)
{
    ValueType a = value_type_element(old), b = value_type_element(new_field);
    bool one_to_list = old->repeated != new_field->repeated && !old->map && !new_field->map;
    bool alike = !one_to_list && old->repeated == new_field->repeated && maps_agree(old, new_field);
    if (diff_types_agree(d, old, new_field)) {
        Ends ends = {.d = d,
                     .x = a,
                     .y = b,
                     .x_words = *diff_words(d, old->name),
                     .y_words = *diff_words(d, new_field->name)};
        Fit scaled = !old->repeated && is_number(a) ? fit_scale(&ends) : (Fit){0};
        return scaled.kind ? scaled : (Fit){.kind = FIT_SAME, .parameters = "", .certainty = 100};
    }
    if (one_to_list && elements_agree(d, a, b))
        return (Fit){.kind = FIT_LIST, .agreed = true, .parameters = "", .certainty = 90};
    int likeness = alike || one_to_list ? elements_alike(d, a, b) : 0;
    if (one_to_list ? likeness >= DIFF_LIKELY : likeness)
        return (Fit){.kind = one_to_list ? FIT_LIST : FIT_ALIKE,
                     .parameters = "",
                     .certainty = one_to_list ? likeness - 10 : likeness};
    Fit fit = fit_by_converter(d, old, new_field);
    if (!fit.kind)
        fit = fit_by_message(d, old, new_field);
    if (!fit.kind)
        fit = fit_map(d, OLD, old, new_field);
    if (!fit.kind)
        fit = fit_map(d, NEW, new_field, old);
    return fit.kind ? fit : fit_list(d, old, new_field);
}
