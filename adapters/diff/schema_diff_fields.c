/* The fields of two messages: kept, retyped, renumbered, and guesses about the rest. */
#include "adapters/diff/schema_diff_internal.h"

enum { LIKELY = 55 };

/* Two messages whose fields are compared. */
typedef struct Fields {
    Diffing *d;
    const MessageType *ends[2];
    const char *name;
    bool *used[2]; /* by the field's index: it is told */
    Buffer lines;
} Fields;

static const char *path_of(Fields *f, const FieldType *field)
{
    return arena_printf(f->d->arena, "%s.%s", f->name, field->name);
}

static const char *type_name(const Fields *f, int end, const FieldType *field)
{
    ValueType type = value_type_of(field);
    const char *name = type.message ? side_name(&f->d->sides[end], type.message->full_name)
                       : type.enumeration
                           ? side_name(&f->d->sides[end], type.enumeration->full_name)
                           : field_kind_name(type.kind);
    return field->map        ? "a map"
           : field->repeated ? arena_printf(f->d->arena, "list of %s", name)
                             : name;
}

static bool is_message(ValueType type)
{
    return type.kind == KIND_MESSAGE || type.kind == KIND_GROUP;
}

/* Would these go together without a word about their types? */
static bool elements_agree(const Fields *f, ValueType a, ValueType b)
{
    if (is_message(a) && is_message(b))
        return diff_partner(f->d, OLD, a.message) == b.message;
    if (a.kind == KIND_ENUM && b.kind == KIND_ENUM)
        return diff_enum_partner(f->d, OLD, a.enumeration) == b.enumeration;
    return a.kind == b.kind || (kind_is_integer(a.kind) && kind_is_integer(b.kind)) ||
           (kind_is_float(a.kind) && kind_is_float(b.kind));
}

static bool types_agree(const Fields *f, const FieldType *a, const FieldType *b)
{
    if (a->map != b->map || a->repeated != b->repeated)
        return false;
    if (a->map && message_field_by_number(a->message, 1)->kind !=
                      message_field_by_number(b->message, 1)->kind)
        return false;
    return elements_agree(f, value_type_element(a), value_type_element(b));
}

static bool is_required(const FieldType *field)
{
    return field->required || field->side_required;
}

static const char *default_text(const Fields *f, const FieldType *field)
{
    Literal value;
    Buffer text = buffer_in(f->d->arena);
    if (field->message || field->repeated || field->kind == KIND_BYTES ||
        !literal_of_default(field, &value))
        return NULL;
    literal_print(&text, &value, value_type_of(field));
    buffer_add_byte(&text, 0);
    return (const char *)text.data;
}

/* proto2's, where one of them says one: unset means another thing then. False: nothing to tell. */
static bool tell_default(Fields *f, const FieldType *a, const FieldType *b, const char *to)
{
    const char *was = default_text(f, a), *is = default_text(f, b);
    if (!was || !is || (!a->default_value.data && !b->default_value.data) || strcmp(was, is) == 0)
        return false;
    diff_add(f->d, BREAKS_WIRE | BREAKS_JSON, false, path_of(f, a), "its default %s became %s", was,
             is);
    buffer_printf(&f->lines, "    %s: {%s%s%srequired: %s, optional: %s}%s\n", a->name,
                  to ? "to: " : "", to ? to : "", to ? ", " : "",
                  a->kind == b->kind ? was : "graceful", a->kind == b->kind ? is : "graceful",
                  to ? "  # guess" : "");
    return true;
}

static void tell_required(Fields *f, const FieldType *a, const FieldType *b, const char *to)
{
    if (tell_default(f, a, b, to) || (is_required(a) == is_required(b) && !to))
        return;
    const char *word = is_required(a) == is_required(b) ? NULL
                       : is_required(b)                 ? "required"
                                                        : "optional";
    if (word)
        diff_add(f->d, 0, false, path_of(f, a),
                 is_required(b) ? "became required" : "is no longer required");
    buffer_printf(&f->lines, "    %s: ", a->name);
    if (to && word)
        buffer_printf(&f->lines, "{to: %s, %s: %s}  # guess\n", to, word,
                      is_required(b) ? "loud" : "graceful");
    else if (to)
        buffer_printf(&f->lines, "%s  # guess\n", to);
    else
        buffer_printf(&f->lines, "{%s: %s}\n", word, is_required(b) ? "loud" : "graceful");
}

/* Kinds that read each other's bytes, as protobuf promises: those of one number here. */
static int wire_family(FieldKind kind)
{
    switch (kind) {
    case KIND_INT32:
    case KIND_INT64:
    case KIND_UINT32:
    case KIND_UINT64: return 1;
    case KIND_SINT32:
    case KIND_SINT64: return 2;
    case KIND_FIXED32:
    case KIND_SFIXED32: return 3;
    case KIND_FIXED64:
    case KIND_SFIXED64: return 4;
    default: return 4 + (int)kind;
    }
}

/* JSON writes integers of 64 bits in quotes. */
static bool is_quoted(FieldKind kind)
{
    return kind == KIND_INT64 || kind == KIND_UINT64 || kind == KIND_SINT64 ||
           kind == KIND_FIXED64 || kind == KIND_SFIXED64;
}

static unsigned kind_breaks(FieldKind a, FieldKind b)
{
    return BREAKS_SOURCE | (wire_family(a) != wire_family(b) ? BREAKS_WIRE : 0) |
           (is_quoted(a) != is_quoted(b) ? BREAKS_JSON : 0);
}

static void tell_layout(Fields *f, const FieldType *a, const FieldType *b)
{
    if (a->number != b->number)
        diff_add(f->d, BREAKS_WIRE, false, path_of(f, a), "renumbered from %u to %u", a->number,
                 b->number);
    if (a->kind != b->kind)
        diff_add(f->d, kind_breaks(a->kind, b->kind), false, path_of(f, a), "from %s to %s",
                 type_name(f, OLD, a), type_name(f, NEW, b));
    if (a->presence != b->presence && !a->repeated)
        diff_add(f->d, BREAKS_SOURCE, false, path_of(f, a), "presence became %s",
                 b->presence ? "explicit" : "implicit");
    const char *was = a->oneof ? a->oneof->name : "", *is = b->oneof ? b->oneof->name : "";
    if (strcmp(was, is) != 0)
        diff_add(f->d, BREAKS_SOURCE, false, path_of(f, a), "oneof %s became %s",
                 was[0] ? was : "(none)", is[0] ? is : "(none)");
}

/* A converter that is likely meant, or NULL. */
static const char *likely_converter(ValueType a, ValueType b)
{
    ValueType both[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        ValueType x = both[i], y = both[!i];
        WellKnown known = is_message(x) ? x.message->well_known : WELL_KNOWN_NONE;
        if (x.kind == KIND_ENUM && y.kind == KIND_STRING)
            return "enum_name";
        if (x.kind == KIND_BYTES && y.kind == KIND_STRING)
            return "utf8";
        if ((kind_is_integer(x.kind) || kind_is_float(x.kind) || x.kind == KIND_BOOL) &&
            y.kind == KIND_STRING)
            return "text";
        if (kind_is_integer(x.kind) && kind_is_float(y.kind))
            return "number";
        if (known == WELL_KNOWN_WRAPPER && x.message->fields[0].kind == y.kind)
            return "wrapper";
        if (known == WELL_KNOWN_TIMESTAMP || known == WELL_KNOWN_DURATION)
            return y.kind == KIND_STRING ? "time_text" : kind_is_integer(y.kind) ? "seconds" : NULL;
    }
    return NULL;
}

static void tell_replaced(Fields *f, const FieldType *a, const FieldType *b, const char *why)
{
    buffer_printf(&f->lines, "    %s: [{removed: graceful%s}, {added: %s}]  # %s\n", a->name,
                  is_required(a) ? ", back: loud" : "", is_required(b) ? "loud" : "graceful", why);
}

static void tell_retyped(Fields *f, const FieldType *a, const FieldType *b)
{
    diff_add(f->d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, false, path_of(f, a), "from %s to %s",
             type_name(f, OLD, a), type_name(f, NEW, b));
    ValueType x = value_type_element(a), y = value_type_element(b);
    if (!a->map && !b->map && a->repeated != b->repeated && elements_agree(f, x, y)) {
        buffer_printf(&f->lines, "    %s: {more: loud}\n", a->name);
        return;
    }
    const char *by = a->map || b->map || a->repeated != b->repeated ? NULL : likely_converter(x, y);
    if (by)
        buffer_printf(&f->lines, "    %s: {by: %s}  # guess\n", a->name, by);
    else
        tell_replaced(f, a, b, "no converter fits");
}

/* ---- Guesses --------------------------------------------------------------------------------- */

static bool becomes_list(const Fields *f, const FieldType *a, const FieldType *b)
{
    return !a->map && !b->map && a->repeated != b->repeated &&
           elements_agree(f, value_type_element(a), value_type_element(b));
}

static int rename_likeness(const Fields *f, const FieldType *a, const FieldType *b)
{
    int alike = diff_likeness(a->name, b->name);
    if (becomes_list(f, a, b))
        return alike < 80 ? 0 : alike - 20; /* "urls" of "url" */
    if (!types_agree(f, a, b))
        return 0;
    if (a->number == b->number)
        alike += 15;
    if (a->message && !a->map)
        alike += 10;
    return alike;
}

static const FieldType *likely_rename(const Fields *f, const FieldType *old)
{
    const FieldType *best = NULL;
    int most = LIKELY;
    for (uint32_t i = 0; i < f->ends[NEW]->n_fields; i++) {
        const FieldType *field = &f->ends[NEW]->fields[i];
        int alike = f->used[NEW][i] ? 0 : rename_likeness(f, old, field);
        if (alike > most) {
            most = alike;
            best = field;
        }
    }
    return best;
}

static const FieldType *inner_same(const Fields *f, const MessageType *inner, int end,
                                   const FieldType *field)
{
    const FieldType *same = inner ? message_field(inner, bytes_of(field->name)) : NULL;
    if (!same)
        return NULL;
    bool agree = end == OLD ? types_agree(f, field, same) : types_agree(f, same, field);
    return agree ? same : NULL;
}

static bool can_hold(const Fields *f, int end, const FieldType *field)
{
    return field->message && !field->repeated && field->message->well_known == WELL_KNOWN_NONE &&
           diff_in_package(&f->d->sides[end], field->message->full_name);
}

static void tell_unfed(Fields *f, int end, const FieldType *outer, const bool *fed)
{
    const MessageType *inner = outer->message;
    for (uint32_t i = 0; i < inner->n_fields; i++) {
        if (fed[i])
            continue;
        buffer_printf(&f->lines, "    %s.%s: {%s: graceful}\n", outer->name, inner->fields[i].name,
                      end == NEW ? "added" : "removed");
    }
}

static void tell_moved(Fields *f, const char *from, const char *to, const FieldType *old,
                       const FieldType *new_field)
{
    if (is_required(old) == is_required(new_field))
        buffer_printf(&f->lines, "    %s: %s  # guess\n", from, to);
    else
        buffer_printf(&f->lines, "    %s: {to: %s, %s: loud}  # guess\n", from, to,
                      is_required(old) ? "optional" : "required");
}

static uint32_t count_inside(const Fields *f, int holder_end, const FieldType *holder)
{
    const MessageType *flat = f->ends[!holder_end];
    uint32_t n = 0;
    for (uint32_t i = 0; i < flat->n_fields; i++)
        n += !f->used[!holder_end][i] &&
             inner_same(f, holder->message, !holder_end, &flat->fields[i]);
    return n;
}

/* Might the field as well be inside another message, which takes as many or more? */
static bool has_rival(const Fields *f, int holder_end, const FieldType *holder,
                      const FieldType *field)
{
    const MessageType *message = f->ends[holder_end];
    uint32_t n = count_inside(f, holder_end, holder);
    for (uint32_t i = 0; i < message->n_fields; i++) {
        const FieldType *other = &message->fields[i];
        if (other != holder && !f->used[holder_end][i] && can_hold(f, holder_end, other) &&
            inner_same(f, other->message, !holder_end, field) &&
            count_inside(f, holder_end, other) >= n)
            return true;
    }
    return false;
}

/* Fields that are inside a message at the other end: all into the one that takes most of them. */
static void guess_moves(Fields *f, int holder_end)
{
    int flat_end = !holder_end;
    for (uint32_t k = 0; k < f->ends[holder_end]->n_fields; k++) {
        const FieldType *holder = &f->ends[holder_end]->fields[k];
        if (f->used[holder_end][k] || !can_hold(f, holder_end, holder))
            continue;
        bool *fed = arena_array(f->d->arena, bool, holder->message->n_fields + 1);
        uint32_t n = 0;
        for (uint32_t i = 0; i < f->ends[flat_end]->n_fields; i++) {
            const FieldType *field = &f->ends[flat_end]->fields[i];
            const FieldType *same =
                f->used[flat_end][i] ? NULL : inner_same(f, holder->message, flat_end, field);
            if (!same || fed[same->index] || has_rival(f, holder_end, holder, field))
                continue;
            const char *inside = arena_printf(f->d->arena, "%s.%s", holder->name, same->name);
            diff_add(f->d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, true, path_of(f, field),
                     holder_end == NEW ? "moved to %s" : "moved here from %s", inside);
            if (holder_end == NEW)
                tell_moved(f, field->name, inside, field, same);
            else
                tell_moved(f, inside, field->name, same, field);
            f->used[flat_end][i] = fed[same->index] = true;
            n++;
        }
        if (n) {
            f->used[holder_end][k] = true;
            tell_unfed(f, holder_end, holder, fed);
        }
    }
}

static void tell_listed(Fields *f, const FieldType *a, const FieldType *b)
{
    const char *word = is_required(a) == is_required(b) ? ""
                       : is_required(b)                 ? ", required: loud"
                                                        : ", optional: graceful";
    buffer_printf(&f->lines, "    %s: {to: %s, more: loud%s}  # guess\n", a->name, b->name, word);
}

static void guess_renames(Fields *f)
{
    for (uint32_t i = 0; i < f->ends[OLD]->n_fields; i++) {
        const FieldType *old = &f->ends[OLD]->fields[i];
        const FieldType *other = f->used[OLD][i] ? NULL : likely_rename(f, old);
        if (!other)
            continue;
        f->used[OLD][i] = f->used[NEW][other->index] = true;
        diff_add(f->d,
                 BREAKS_JSON | BREAKS_SOURCE | (old->number != other->number ? BREAKS_WIRE : 0),
                 true, path_of(f, old), "renamed to %s", other->name);
        if (becomes_list(f, old, other))
            tell_listed(f, old, other);
        else
            tell_required(f, old, other, other->name);
    }
}

static void tell_rest(Fields *f)
{
    for (uint32_t i = 0; i < f->ends[OLD]->n_fields; i++) {
        const FieldType *field = &f->ends[OLD]->fields[i];
        if (f->used[OLD][i])
            continue;
        diff_add(f->d, BREAKS_JSON | BREAKS_SOURCE, false, path_of(f, field), "removed");
        buffer_printf(&f->lines, "    %s: {removed: graceful%s}\n", field->name,
                      is_required(field) ? ", back: graceful" : "");
    }
    for (uint32_t i = 0; i < f->ends[NEW]->n_fields; i++) {
        const FieldType *field = &f->ends[NEW]->fields[i];
        if (f->used[NEW][i])
            continue;
        diff_add(f->d, is_required(field) ? BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE : 0, false,
                 path_of(f, field), is_required(field) ? "added, and required" : "added");
        buffer_printf(&f->lines, "    %s: {added: %s}\n", field->name,
                      is_required(field) ? "loud" : "graceful");
    }
}

/* ---- Masks ----------------------------------------------------------------------------------- */

/* What a method with this request answers: a mask in it most likely names the answer's fields. */
static const MessageType *answer_of(const Fields *f)
{
    const Schema *schema = f->d->sides[OLD].schema;
    for (uint32_t i = 0; i < schema->n_services; i++) {
        for (uint32_t k = 0; k < schema->services[i].n_methods; k++) {
            const MethodType *method = &schema->services[i].methods[k];
            if (method->input == f->ends[OLD] && diff_partner(f->d, OLD, method->output))
                return method->output;
        }
    }
    return f->ends[OLD];
}

static void tell_mask(Fields *f, const FieldType *mask, const FieldType *new_mask)
{
    uint32_t subjects = 0;
    const MessageType *subject = NULL;
    for (uint32_t i = 0; i < f->ends[OLD]->n_fields; i++) {
        const FieldType *field = &f->ends[OLD]->fields[i];
        if (!field->message || field->repeated || field->message->well_known != WELL_KNOWN_NONE)
            continue;
        subject = field->message;
        subjects++;
    }
    if (subjects == 1 && !diff_partner(f->d, OLD, subject))
        tell_replaced(f, mask, new_mask, "what it names has no counterpart");
    else if (subjects != 1)
        buffer_printf(&f->lines, "    %s: {of: %s}  # guess\n", mask->name,
                      side_name(&f->d->sides[OLD], answer_of(f)->full_name));
}

/* ---- One message ----------------------------------------------------------------------------- */

static void same_names(Fields *f)
{
    for (uint32_t i = 0; i < f->ends[OLD]->n_fields; i++) {
        const FieldType *a = &f->ends[OLD]->fields[i];
        const FieldType *b = message_field(f->ends[NEW], bytes_of(a->name));
        if (!b || strcmp(a->name, b->name) != 0)
            continue;
        f->used[OLD][i] = f->used[NEW][b->index] = true;
        if (!types_agree(f, a, b)) {
            tell_retyped(f, a, b);
            continue;
        }
        tell_layout(f, a, b);
        tell_required(f, a, b, NULL);
        if (a->message && a->message->well_known == WELL_KNOWN_FIELD_MASK)
            tell_mask(f, a, b);
    }
}

static void diff_fields(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    Fields f = {.d = d,
                .ends = {old, new_type},
                .name = side_name(&d->sides[OLD], old->full_name),
                .lines = buffer_in(d->arena)};
    for (int end = 0; end < 2; end++)
        f.used[end] = arena_array(d->arena, bool, f.ends[end]->n_fields + 1);
    same_names(&f);
    guess_moves(&f, NEW);
    guess_moves(&f, OLD);
    guess_renames(&f);
    tell_rest(&f);
    if (f.lines.size) {
        buffer_printf(&d->messages, "  %s:\n", f.name);
        buffer_add_bytes(&d->messages, buffer_bytes(&f.lines));
    }
}

void diff_messages(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *old = &schema->messages[i];
        const MessageType *partner = table_get(&d->partners[OLD], bytes_of(old->full_name));
        if (partner && diff_in_package(&d->sides[OLD], old->full_name))
            diff_fields(d, old, partner);
    }
}
