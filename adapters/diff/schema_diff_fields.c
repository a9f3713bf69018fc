/* The fields of two messages, written down: what belongs together, and what is lost. */
#include "adapters/diff/schema_diff_internal.h"
#include "adapters/paths/field_mask.h"

/* Two messages whose fields are told. */
typedef struct Fields {
    Diffing *d;
    const Match *match;
    const char *name;
    Buffer lines;
} Fields;

static const char *path_of(Fields *f, const char *path)
{
    return arena_printf(f->d->arena, "%s.%s", f->name, path);
}

static const char *message_name(const Fields *f, int end, ValueType type)
{
    const char *name = side_name(&f->d->sides[end], type.message->full_name);
    return type.kind == KIND_GROUP ? arena_printf(f->d->arena, "group %s", name) : name;
}

static const char *type_name(const Fields *f, int end, const FieldType *field)
{
    ValueType type = value_type_of(field);
    const char *name = type.message ? message_name(f, end, type)
                       : type.enumeration
                           ? side_name(&f->d->sides[end], type.enumeration->full_name)
                           : field_kind_name(type.kind);
    if (field->map) {
        const FieldType *key = message_field_by_number(field->message, 1),
                        *value = message_field_by_number(field->message, 2);
        return arena_printf(f->d->arena, "map of %s to %s", type_name(f, end, key),
                            type_name(f, end, value));
    }
    return field->repeated ? arena_printf(f->d->arena, "list of %s", name) : name;
}

static bool is_required(const FieldType *field)
{
    return field->required || field->side_required;
}

/* ---- What breaks ----------------------------------------------------------------------------- */

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

/* Is its text refused where it is not UTF-8? Of a map, that of its keys or values. */
static bool checks_utf8(const FieldType *field)
{
    return field->map ? message_field_by_number(field->message, 1)->check_utf8 ||
                            message_field_by_number(field->message, 2)->check_utf8
                      : field->check_utf8;
}

static void tell_json_name(Fields *f, const FieldType *a, const FieldType *b)
{
    if (strcmp(a->json_name, b->json_name) != 0)
        diff_add(f->d, BREAKS_JSON, false, path_of(f, a->name), "its JSON name %s became %s",
                 a->json_name, b->json_name);
}

/* Unset and zero are two values of the one, and one value of the other. */
static void tell_presence(Fields *f, const char *path, const FieldType *a, const FieldType *b)
{
    if (a->presence != b->presence && !a->repeated && !b->repeated)
        diff_add(f->d, BREAKS_SOURCE, false, path_of(f, path), "presence became %s",
                 b->presence ? "explicit" : "implicit: a zero that is set is as one that is not");
}

/* Of a field that kept its name and, but for its width, its type. */
static void tell_layout(Fields *f, const FieldType *a, const FieldType *b)
{
    const char *path = path_of(f, a->name);
    FieldKind was_kind = value_type_element(a).kind, is_kind = value_type_element(b).kind;
    if (a->number != b->number)
        diff_add(f->d, BREAKS_WIRE, false, path, "renumbered from %u to %u", a->number, b->number);
    if (was_kind != is_kind)
        diff_add(f->d, kind_breaks(was_kind, is_kind), false, path, "from %s to %s",
                 type_name(f, OLD, a), type_name(f, NEW, b));
    if (checks_utf8(a) != checks_utf8(b) && was_kind == is_kind)
        diff_add(f->d, BREAKS_WIRE, false, path, "its text %s",
                 checks_utf8(b) ? "must be UTF-8 now" : "need not be UTF-8 any more");
    tell_presence(f, a->name, a, b);
    const char *was = a->oneof ? a->oneof->name : "", *is = b->oneof ? b->oneof->name : "";
    if (strcmp(was, is) != 0)
        diff_add(f->d, BREAKS_SOURCE, false, path, "oneof %s became %s", was[0] ? was : "(none)",
                 is[0] ? is : "(none)");
}

/* Of two fields that are guessed to be the same. */
static void tell_guess(Fields *f, const Pairing *pairing)
{
    const Slot *old = pairing->ends[OLD], *new_slot = pairing->ends[NEW];
    const FieldType *a = slot_field(old), *b = slot_field(new_slot);
    bool moved = old->n_steps > 1 || new_slot->n_steps > 1;
    bool same_bytes = !moved && a->number == b->number &&
                      wire_family(a->kind) == wire_family(b->kind) && pairing->fit.kind != FIT_LIST;
    bool same_json = !moved && pairing->fit.kind == FIT_SAME &&
                     strcmp(a->json_name, b->json_name) == 0 &&
                     is_quoted(a->kind) == is_quoted(b->kind);
    unsigned breaks =
        BREAKS_SOURCE | (same_json ? 0 : BREAKS_JSON) | (same_bytes ? 0 : BREAKS_WIRE);
    if (moved && old->n_steps > 1)
        diff_add(f->d, breaks, true, path_of(f, new_slot->text), "moved here from %s", old->text);
    else
        diff_add(f->d, breaks, true, path_of(f, old->text), moved ? "moved to %s" : "renamed to %s",
                 new_slot->text);
    if (pairing->fit.kind == FIT_SAME || pairing->fit.kind == FIT_ALIKE)
        tell_presence(f, old->text, a, b);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* The parts of a line: "a: {to: b, by: seconds}", or "a: b" where `to` is all. */
typedef struct Line {
    Buffer parts;
    const char *to;
    uint32_t n;
} Line;

static void add_part(Line *line, const char *name, const char *value)
{
    buffer_printf(&line->parts, "%s%s: %s", line->n++ ? ", " : "", name, value);
}

/* Whether a text can stand between quotes in a change list. */
static bool is_plain(Bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            return false;
    }
    return true;
}

/* NULL where the list cannot say it. */
static const char *default_text(const Fields *f, const FieldType *field)
{
    Literal value;
    Buffer text = buffer_in(f->d->arena);
    if (field->message || field->repeated || field->kind == KIND_BYTES ||
        !is_plain(field_default(field)) || !literal_of_default(field, &value))
        return NULL;
    literal_print(&text, &value, value_type_of(field));
    buffer_add_byte(&text, 0);
    return (const char *)text.data;
}

/* May the field have this value? An enum of another version may not have its name. */
static bool is_value_of(const FieldType *field, const char *text)
{
    return field->kind != KIND_ENUM || enum_value_by_name(field->enumeration, bytes_of(text));
}

/* An unset enum of proto2 is its first value. Does the new version begin with another one? */
static bool first_value_moved(const FieldType *a, const FieldType *b)
{
    if (!a->enumeration || !b->enumeration || !a->enumeration->n_values ||
        !b->enumeration->n_values || !(a->enumeration->closed || b->enumeration->closed))
        return false;
    const EnumValue *was = &a->enumeration->values[0], *is = &b->enumeration->values[0];
    const EnumValue *namesake = enum_value_by_name(b->enumeration, bytes_of(was->name));
    return namesake && namesake->number != is->number;
}

/* proto2's defaults, where one of them says one: unset means another thing then. */
static bool add_defaults(Fields *f, Line *line, const FieldType *a, const FieldType *b, bool moved)
{
    const char *was = default_text(f, a), *is = default_text(f, b);
    bool one = !a->message && !b->message && !a->repeated && !b->repeated;
    if (!one || (!field_default(a).data && !field_default(b).data && !first_value_moved(a, b)) ||
        (was && is && strcmp(was, is) == 0 && is_value_of(a, was) && is_value_of(b, is) &&
         kind_is_float(a->kind) == kind_is_float(b->kind)) ||
        (a->kind != KIND_ENUM && a->kind == b->kind && field_default(a).data &&
         field_default(b).data && bytes_equal(field_default(a), field_default(b))))
        return false;
    diff_add(f->d, BREAKS_WIRE | BREAKS_JSON, false, path_of(f, a->name),
             "its default %s became %s", was ? was : "(unknown)", is ? is : "(unknown)");
    bool same =
        a->kind == b->kind && was && is && !moved; /* a value would make the message around it */
    add_part(line, "required", same && is_value_of(b, was) ? was : "graceful");
    add_part(line, "optional", same && is_value_of(a, is) ? is : "graceful");
    return true;
}

/* True: the field became required, and calls without it fail. */
static bool add_required(Fields *f, Line *line, const Slot *old, const Slot *new_slot)
{
    const FieldType *a = slot_field(old), *b = slot_field(new_slot);
    bool direct = old->n_steps == 1 && new_slot->n_steps == 1;
    if (add_defaults(f, line, a, b, !direct) || is_required(a) == is_required(b))
        return false;
    if (is_required(b)) {
        diff_add(f->d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, false, path_of(f, old->text),
                 "became required");
        add_part(line, "required", "loud");
        return true;
    }
    /* A reader refuses bytes without what proto2 requires. */
    diff_add(f->d, a->required ? BREAKS_WIRE : 0, false, path_of(f, old->text),
             "is no longer required");
    add_part(line, "optional", direct ? "graceful" : "loud");
    return false;
}

static void write_line(Fields *f, const char *key, const Line *line, const char *comment)
{
    Bytes parts = buffer_bytes(&line->parts);
    if (line->n == 1 && line->to)
        buffer_printf(&f->lines, "    %s: %s%s\n", key, line->to, comment);
    else
        buffer_printf(&f->lines, "    %s: {%.*s}%s\n", key, BYTES_ARGS(parts), comment);
}

static const char *decide(const Fields *f, const char *what)
{
    return arena_printf(f->d->arena, "  # decide: %s", what);
}

/* What stands for itself: a slot of the message, or one in a message that is told part by part. */
static bool is_lost(const Slot *slot)
{
    return !slot->pairing && !slot->opened && !slot->shared && !slot->merged &&
           (slot->n_steps == 1 || (slot->parent && slot->parent->opened));
}

/* The new field of this name, where the old one became another and nothing became this one. */
static const Slot *lost_namesake(const Fields *f, const Slot *old)
{
    for (uint32_t i = 0; i < f->match->n_slots[NEW]; i++) {
        const Slot *slot = &f->match->slots[NEW][i];
        if (is_lost(slot) && strcmp(slot->text, old->text) == 0)
            return slot;
    }
    return NULL;
}

static bool is_told_with_namesake(const Fields *f, const Slot *new_slot)
{
    for (uint32_t i = 0; i < f->match->n_slots[OLD]; i++) {
        const Slot *slot = &f->match->slots[OLD][i];
        if (slot->pairing && strcmp(slot->text, new_slot->text) == 0)
            return true;
    }
    return false;
}

/* Neither of them has a place in the other version, and both have the same name. */
static void tell_replaced(Fields *f, const FieldType *a, const FieldType *b, const char *why)
{
    buffer_printf(&f->lines, "    %s: [{removed: graceful%s}, {added: %s}]%s\n", a->name,
                  is_required(a) ? ", back: loud" : "", is_required(b) ? "loud" : "graceful",
                  decide(f, why));
}

/* The field that has the currency, from where the amount is told. */
static const char *currency_path(const Fields *f, const Pairing *pairing)
{
    const Slot *amount = pairing->ends[pairing->fit.currency_end];
    const char *name = pairing->fit.currency->name;
    return amount->parent ? arena_printf(f->d->arena, "%s.%s", amount->parent->text, name) : name;
}

/* Does an amount beside it take it as its currency? */
static bool is_currency(const Fields *f, int end, const Slot *slot)
{
    for (uint32_t i = 0; i < f->match->n_pairings; i++) {
        const Pairing *pairing = &f->match->pairings[i];
        if (pairing->fit.currency == slot_field(slot) && pairing->fit.currency_end == end &&
            pairing->ends[end]->parent == slot->parent)
            return true;
    }
    return false;
}

/* ---- Masks ----------------------------------------------------------------------------------- */

/* What the message has one list of, and a page of it; NULL otherwise. */
static const MessageType *listed_in(const MessageType *page)
{
    const MessageType *listed = NULL;
    for (uint32_t i = 0; i < page->n_fields; i++) {
        const FieldType *field = &page->fields[i];
        if (!field->message || !field->repeated || field->map)
            continue;
        if (listed)
            return NULL;
        listed = field->message;
    }
    return message_field(page, bytes_of("next_page_token")) ? listed : NULL;
}

/* What a method with this request answers, or what it lists: a mask in it most likely names their
   fields. */
static const MessageType *answer_of(const Fields *f)
{
    const List *methods = lists_get(&f->d->methods_by_type[OLD], f->match->ends[OLD]->full_name);
    for (uint32_t i = 0; i < methods->n; i++) {
        const MethodType *method = methods->items[i];
        if (method->input != f->match->ends[OLD])
            continue;
        const MessageType *answer =
            method->operation_response ? method->operation_response : method->output;
        const MessageType *listed = listed_in(answer);
        if (listed && diff_partner(f->d, OLD, listed))
            return listed;
        if (diff_in_package(&f->d->sides[OLD], answer->full_name) &&
            diff_partner(f->d, OLD, answer))
            return answer;
    }
    return f->match->ends[OLD];
}

static bool names_nothing(const Fields *f, const Pairing *pairing)
{
    const FieldType *field = slot_field(pairing->ends[OLD]);
    const MessageType *subject = field_is_mask(field) ? field_mask_subject(field) : NULL;
    return subject && !diff_partner(f->d, OLD, subject);
}

/* Whose fields a mask names, where that is not plain. */
static bool add_subject(const Fields *f, Line *line, const Pairing *pairing)
{
    const FieldType *field = slot_field(pairing->ends[OLD]);
    if (!field_is_mask(field) || field_mask_subject(field))
        return false;
    add_part(line, "of", side_name(&f->d->sides[OLD], answer_of(f)->full_name));
    return true;
}

/* An old field became another, and the new version calls something else by its name. */
static void tell_with_namesake(Fields *f, const Pairing *pairing, const Line *line,
                               const Slot *namesake)
{
    const FieldType *field = slot_field(namesake);
    diff_add(f->d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, false, path_of(f, namesake->text),
             "another field of this name added");
    buffer_printf(&f->lines, "    %s: [{%.*s}, {added: %s}]%s\n", pairing->ends[OLD]->text,
                  BYTES_ARGS(buffer_bytes(&line->parts)), is_required(field) ? "loud" : "graceful",
                  decide(f, arena_printf(f->d->arena, "a guess, %s; %s of %s is another field",
                                         pairing->why, namesake->text, f->d->sides[NEW].version)));
}

/* ---- Fields that belong together ------------------------------------------------------------- */

static const char *comment_of(const Fields *f, const Pairing *pairing, bool subject)
{
    if (pairing->fit.decide)
        return decide(f, pairing->fit.decide);
    if (!pairing->same)
        return diff_guess(f->d, pairing->score, pairing->why);
    if (pairing->fit.by || pairing->fit.key)
        return diff_guess(f->d, DIFF_SURE, "by its types");
    return subject ? diff_guess(f->d, DIFF_SURE, "it names fields of the response") : "";
}

/* What else there is to decide comes first. */
static const char *required_comment(const Fields *f, const Pairing *pairing)
{
    const char *else_why =
        pairing->fit.decide ? arena_printf(f->d->arena, "%s; ", pairing->fit.decide)
        : !pairing->same    ? arena_printf(f->d->arena, "a guess, %s; ", pairing->why)
                            : "";
    return decide(f,
                  arena_printf(f->d->arena,
                               "%srequired: calls of %s without it fail; or say a value for them",
                               else_why, f->d->sides[OLD].version));
}

static void tell_pairing(Fields *f, const Pairing *pairing)
{
    const Slot *old = pairing->ends[OLD], *new_slot = pairing->ends[NEW];
    Line line = {.parts = buffer_in(f->d->arena)};
    if (strcmp(old->text, new_slot->text) != 0) {
        line.to = new_slot->text;
        add_part(&line, "to", line.to);
    }
    if (pairing->fit.by)
        buffer_printf(&line.parts, "%sby: %s%s", line.n++ ? ", " : "", pairing->fit.by,
                      pairing->fit.parameters);
    if (pairing->fit.key)
        buffer_printf(&line.parts, "%skey: %s%s, duplicates: loud", line.n++ ? ", " : "",
                      pairing->fit.key, pairing->fit.parameters);
    if (pairing->fit.extra)
        diff_add_extra(f->d, *pairing->fit.extra);
    if (pairing->fit.currency)
        add_part(&line, "currency", currency_path(f, pairing));
    if (pairing->fit.kind == FIT_LIST)
        add_part(&line, "more", "loud");
    bool required = add_required(f, &line, old, new_slot);
    bool subject = add_subject(f, &line, pairing);
    if (!line.n)
        return;
    const char *comment = required ? required_comment(f, pairing) : comment_of(f, pairing, subject);
    const Slot *namesake = lost_namesake(f, old);
    if (namesake)
        tell_with_namesake(f, pairing, &line, namesake);
    else
        write_line(f, old->text, &line, comment);
}

/* ---- All of a message ------------------------------------------------------------------------ */

/* "; or did it become body?", where the evidence is too weak for a guess. */
static const char *question(const Fields *f, const Slot *old)
{
    return old->asked ? arena_printf(f->d->arena, "; or did it become %s?", old->asked) : "";
}

static void tell_same(Fields *f, const Pairing *pairing)
{
    const FieldType *a = slot_field(pairing->ends[OLD]), *b = slot_field(pairing->ends[NEW]);
    tell_json_name(f, a, b);
    if (pairing->fit.kind == FIT_SAME || pairing->fit.kind == FIT_ALIKE) {
        tell_layout(f, a, b);
        if (names_nothing(f, pairing))
            tell_replaced(f, a, b, "the message whose fields it names has no counterpart");
        else
            tell_pairing(f, pairing);
        return;
    }
    diff_add(f->d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, false, path_of(f, a->name),
             "from %s to %s", type_name(f, OLD, a), type_name(f, NEW, b));
    if (pairing->fit.kind == FIT_NONE)
        tell_replaced(f, a, b,
                      arena_printf(f->d->arena, "%s and %s: no converter fits%s",
                                   type_name(f, OLD, a), type_name(f, NEW, b),
                                   question(f, pairing->ends[OLD])));
    else
        tell_pairing(f, pairing);
}

static void tell_lost(Fields *f, int end, const Slot *slot)
{
    const FieldType *field = slot_field(slot);
    const char *type = type_name(f, end, field), *other = f->d->sides[!end].version;
    bool required = is_required(field), direct = slot->n_steps == 1;
    if (end == OLD) {
        if (direct)
            diff_add(f->d, BREAKS_JSON | BREAKS_SOURCE, false, path_of(f, slot->text), "removed");
        buffer_printf(&f->lines, "    %s: {removed: graceful%s}%s\n", slot->text,
                      required ? ", back: graceful" : "",
                      decide(f, arena_printf(f->d->arena, "%s, lost towards %s%s", type, other,
                                             question(f, slot))));
        return;
    }
    if (direct)
        diff_add(f->d, required ? BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE : 0, false,
                 path_of(f, slot->text), required ? "added, and required" : "added");
    const char *why =
        required && direct
            ? arena_printf(f->d->arena, "%s, required: calls of %s fail; or say a value for them",
                           type, other)
            : arena_printf(f->d->arena, "%s, %slost towards %s", type,
                           required ? "required, and " : "", other);
    buffer_printf(&f->lines, "    %s: {added: %s}%s\n", slot->text,
                  required && direct ? "loud" : "graceful", decide(f, why));
}

static void tell_together(Fields *f, const Slot *slot)
{
    if (slot->pairing->same) {
        tell_same(f, slot->pairing);
    } else if (names_nothing(f, slot->pairing)) {
        tell_lost(f, OLD, slot->pairing->ends[OLD]);
        tell_lost(f, NEW, slot->pairing->ends[NEW]);
    } else {
        tell_guess(f, slot->pairing);
        tell_pairing(f, slot->pairing);
    }
}

static void tell_slots(Fields *f, int end)
{
    for (uint32_t i = 0; i < f->match->n_slots[end]; i++) {
        const Slot *slot = &f->match->slots[end][i];
        if (slot->pairing && end == OLD)
            tell_together(f, slot);
        else if (is_lost(slot) && !is_currency(f, end, slot) &&
                 !(end == NEW && is_told_with_namesake(f, slot)))
            tell_lost(f, end, slot);
    }
}

static void tell_merge(Fields *f, const Merge *merge)
{
    const char *whole = merge->whole->text, *parts = "";
    for (uint32_t i = 0; i < merge->n_parts; i++)
        parts = arena_printf(f->d->arena, "%s%s%s", parts, i ? ", " : "", merge->parts[i]->text);
    bool joined = merge->end_of_whole == NEW;
    diff_add(f->d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, true,
             path_of(f, joined ? merge->parts[0]->text : whole),
             joined ? "joined with others as %s" : "split into %s", joined ? whole : parts);
    Line line = {.parts = buffer_in(f->d->arena)};
    if (merge->template)
        add_part(&line, "template", arena_printf(f->d->arena, "\"%s\"", merge->template));
    add_part(&line, joined ? "from" : "to", arena_printf(f->d->arena, "[%s]", parts));
    if (!merge->template)
        add_part(&line, "first", "loud");
    write_line(f, whole, &line, decide(f, merge->question));
}

/* "Order", or "Order to Line" if the two are not counterparts. */
static const char *name_of(const Diffing *d, const Match *match)
{
    const MessageType *old = match->ends[OLD], *new_type = match->ends[NEW];
    const char *name = side_name(&d->sides[OLD], old->full_name);
    return diff_partner(d, OLD, old) == new_type
               ? name
               : arena_printf(d->arena, "%s to %s", name,
                              side_name(&d->sides[NEW], new_type->full_name));
}

static void diff_fields(Diffing *d, const Match *match)
{
    Fields f = {.d = d, .match = match, .name = name_of(d, match), .lines = buffer_in(d->arena)};
    tell_slots(&f, OLD);
    tell_slots(&f, NEW);
    for (uint32_t i = 0; i < match->merges.n; i++)
        tell_merge(&f, &match->merges.items[i]);
    if (f.lines.size) {
        buffer_printf(&d->messages, "  %s:\n", f.name);
        buffer_add_bytes(&d->messages, buffer_bytes(&f.lines));
    }
}

/* The counterpart of what the version uses, also of another package: NULL where there is none. */
static const MessageType *partner_of(const Diffing *d, const MessageType *old)
{
    bool used = table_get(&d->used[OLD], bytes_of(old->full_name));
    return used && !old->map_entry && old->well_known == WELL_KNOWN_NONE ? diff_partner(d, OLD, old)
                                                                         : NULL;
}

/* Matches those whose types, or the types in them, are known better now. True: there was one. */
static bool match_stale(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    bool any = false;
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *old = &schema->messages[i], *partner = partner_of(d, old);
        if (!partner || !diff_take_stale(d, old, partner))
            continue;
        diff_match(d, old, partner);
        any = true;
    }
    return any;
}

void diff_all_matches(Diffing *d)
{
    enum { MOST_PASSES = 64, LAST = 2 }; /* so many more when nothing new is found */
    size_t before = 0, known;
    for (int i = 0, idle = 0; i < MOST_PASSES && idle < LAST && match_stale(d); i++) {
        known = d->partners[OLD].n + d->claimed[OLD].n + d->claimed[NEW].n;
        idle = known == before ? idle + 1 : 0;
        before = known;
    }
}

static void tell_alone(Diffing *d, int end)
{
    const Schema *schema = d->sides[end].schema;
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *message = &schema->messages[i];
        const char *name = side_name(&d->sides[end], message->full_name);
        if (name != message->full_name && !message->map_entry &&
            !table_get(&d->partners[end], bytes_of(message->full_name)))
            diff_add(d, end == OLD ? BREAKS_SOURCE : 0, false, name,
                     end == OLD ? "message removed" : "message added");
    }
}

void diff_messages(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    tell_alone(d, OLD);
    tell_alone(d, NEW);
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *old = &schema->messages[i];
        const Match *match =
            partner_of(d, old) ? table_get(&d->matches, bytes_of(old->full_name)) : NULL;
        if (match)
            diff_fields(d, match);
    }
    for (uint32_t i = 0; i < d->n_extras; i++) /* telling one may add others */
        diff_fields(
            d, diff_match_extra(d, &(ExtraPair){{d->extras[i].ends[OLD], d->extras[i].ends[NEW]},
                                                {d->extras[i].keys[OLD], d->extras[i].keys[NEW]}}));
}
