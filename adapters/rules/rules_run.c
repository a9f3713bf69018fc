/*
 * One message through its rules: in one pass over its bytes, and once more over those of a message
 * into which something is written.
 *
 * A message that comes in pieces is put together, as protobuf says. What is written into a message
 * is within its one record: not every reader of protobuf puts pieces together.
 */
#include "adapters/rules/rules_internal.h"

#include "adapters/schema/kinds.h"
#include "base/arena.h"

enum { MOST_MISTAKES = 16 };

/* What is found of one field. */
typedef struct Found {
    bool set, in_pieces;
    uint64_t n;     /* elements */
    WireField last; /* of one message: its content */
    Buffer joined;  /* the pieces */
} Found;

/* A record of a message in place of which another one is written, or nothing. */
typedef struct Edit {
    Bytes record;
    const FieldType *field; /* NULL: nothing */
    Bytes content;
    struct Edit *next;
} Edit;

/* Where a message is: for the path. */
typedef struct Place {
    const struct Place *outer;
    const FieldType *field;
    uint64_t index; /* of a list's element */
} Place;

typedef struct Check {
    Arena *arena;
    bool json_names;
    Result mistakes[MOST_MISTAKES];
    size_t n_mistakes;
    Result broken; /* the message cannot be checked to its end */
} Check;

/* One message while it is checked. */
typedef struct Scope {
    Check *check;
    const FieldRules *rules;
    const Place *place; /* NULL: the whole */
    Found found[RULES_MOST];
    Edit *first, *last; /* in the order of the bytes */
    Buffer more;        /* records that are added */
} Scope;

static bool check_message(Check *check, const FieldRules *rules, const Place *place, Bytes *message,
                          bool *changed_out);

/* ---- Mistakes -------------------------------------------------------------------------------- */

static void add_step(const Check *check, const Place *place, Buffer *path)
{
    if (!place)
        return;
    add_step(check, place->outer, path);
    if (path->size)
        buffer_add_byte(path, '.');
    buffer_add_text(path, check->json_names ? place->field->json_name : place->field->name);
    if (place->field->repeated)
        buffer_printf(path, "[%llu]", (unsigned long long)place->index);
}

/* Of a field of this message; NULL: of the message. */
static const char *path_of(const Scope *s, const FieldType *field)
{
    const Check *check = s->check;
    Buffer path = buffer_in(check->arena);
    add_step(check, s->place, &path);
    if (field && path.size)
        buffer_add_byte(&path, '.');
    if (field)
        buffer_add_text(&path, check->json_names ? field->json_name : field->name);
    buffer_add_byte(&path, '\0');
    return path.full ? "" : (const char *)path.data;
}

/* False: there are so many that it is enough. */
static bool mistake(Scope *s, const FieldRule *rule, const Fault *fault, const char *demand,
                    const char *what, const char *unit)
{
    Check *check = s->check;
    const char *path = path_of(s, rule->field);
    check->mistakes[check->n_mistakes++] = error_new(
        check->arena, fault, OK, path, __FILE__, __LINE__, "%s: %s%s%s", path, demand, what, unit);
    return check->n_mistakes < MOST_MISTAKES;
}

static bool out_of_memory(Check *check)
{
    check->broken = FAIL(check->arena, FAULT_OUT_OF_MEMORY, "checking a message");
    return false;
}

static bool malformed(const Scope *s, const FieldType *field)
{
    const char *path = path_of(s, field);
    s->check->broken = FAIL_FIELD(s->check->arena, FAULT_BAD_MESSAGE, path,
                                  "%s%sthe message is malformed", path, *path ? ": " : "");
    return false;
}

/* ---- Edits ----------------------------------------------------------------------------------- */

/* Where the edit of a record is, or is to be. Most are the last one. */
static Edit **edit_at(Scope *s, Bytes record)
{
    bool behind = s->last && s->last->record.data < record.data;
    Edit **at = behind ? &s->last->next : &s->first;
    while (*at && (*at)->record.data < record.data)
        at = &(*at)->next;
    return at;
}

/* In place of what it was to become before. `field` NULL: the record is left out. False: out of
   memory. */
static bool replace(Scope *s, Bytes record, const FieldType *field, Bytes content)
{
    Edit **at = edit_at(s, record), *next = *at;
    bool again = next && next->record.data == record.data;
    Edit *edit = again ? next : arena_alloc(s->check->arena, sizeof *edit);
    if (!edit)
        return out_of_memory(s->check);
    *edit = (Edit){record, field, content, again ? next->next : next};
    *at = edit;
    s->last = edit->next ? s->last : edit;
    return true;
}

static void add_message(Buffer *out, const FieldType *field, Bytes content)
{
    if (field->kind != KIND_GROUP) {
        wire_add_bytes(out, field->number, content);
        return;
    }
    wire_add_tag(out, field->number, WIRE_GROUP);
    buffer_add_bytes(out, content);
    wire_add_tag(out, field->number, WIRE_GROUP_END);
}

/* The message with all edits. */
static bool write(Scope *s, Bytes *message)
{
    Buffer out = buffer_in(s->check->arena);
    size_t at = 0;
    buffer_reserve(&out, message->size + s->more.size);
    for (const Edit *edit = s->first; edit; edit = edit->next) {
        size_t begin = (size_t)(edit->record.data - message->data);
        buffer_add_bytes(&out, bytes_slice(*message, at, begin - at));
        if (edit->field)
            add_message(&out, edit->field, edit->content);
        at = begin + edit->record.size;
    }
    buffer_add_bytes(&out, bytes_slice(*message, at, SIZE_MAX));
    buffer_add_bytes(&out, buffer_bytes(&s->more));
    *message = out.data ? buffer_bytes(&out) : bytes("", 0);
    return (!out.full && !s->more.full) || out_of_memory(s->check);
}

/* ---- Finding --------------------------------------------------------------------------------- */

static uint64_t count_packed(FieldKind kind, Bytes content)
{
    uint64_t n = 0;
    WireType type = kind_wire_type(kind);
    if (type != WIRE_VARINT)
        return content.size / (type == WIRE_FIXED64 ? 8 : 4);
    for (size_t i = 0; i < content.size; i++)
        n += content.data[i] < 0x80;
    return n;
}

static bool take_element(Scope *s, const FieldRule *rule, Found *found, const WireField *record)
{
    const FieldType *field = rule->field;
    Place place = {s->place, field, found->n++};
    Bytes content = record->bytes;
    bool changed;
    if (!rule->inside)
        return true;
    return check_message(s->check, rule->inside, &place, &content, &changed) &&
           (!changed || replace(s, record->record, field, content));
}

static bool take_elements(Scope *s, const FieldRule *rule, Found *found, const WireField *record)
{
    const FieldType *field = rule->field;
    WireType type = kind_wire_type(field->kind);
    if (record->type == type)
        return take_element(s, rule, found, record);
    if (record->type == WIRE_LENGTH && type != WIRE_GROUP)
        found->n += count_packed(field->kind, record->bytes);
    return true;
}

/* The last member of a oneof unsets the others. */
static void unset_others(Scope *s, const FieldType *field)
{
    for (uint32_t i = 0; i < s->rules->n; i++) {
        const FieldType *other = s->rules->fields[i].field;
        if (other->oneof == field->oneof && other != field)
            s->found[i].set = s->found[i].in_pieces = false;
    }
}

/* Another piece of a message: the one before is left out, and this one has both. */
static bool join(Scope *s, Found *found, const WireField *record)
{
    if (!found->in_pieces) {
        found->joined = buffer_in(s->check->arena);
        buffer_add_bytes(&found->joined, found->last.bytes);
    }
    buffer_add_bytes(&found->joined, record->bytes);
    if (found->joined.full)
        return out_of_memory(s->check);
    found->in_pieces = true;
    return replace(s, found->last.record, NULL, BYTES_NONE);
}

/* A number that a closed enum (proto2) does not have is an unknown field. */
static bool is_unknown_enum(const FieldType *field, uint64_t number)
{
    return field->kind == KIND_ENUM && field->enumeration->closed &&
           !enum_value_by_number(field->enumeration, (int32_t)number);
}

static bool take(Scope *s, uint32_t i, const WireField *record)
{
    const FieldRule *rule = &s->rules->fields[i];
    const FieldType *field = rule->field;
    Found *found = &s->found[i];
    if (field->repeated)
        return take_elements(s, rule, found, record);
    if (record->type != kind_wire_type(field->kind) || is_unknown_enum(field, record->value))
        return true; /* an unknown field */
    if (field->oneof)
        unset_others(s, field);
    if (found->set && field->message && !join(s, found, record))
        return false;
    found->set = true;
    found->last = *record;
    if (found->in_pieces)
        found->last.bytes = buffer_bytes(&found->joined);
    return true;
}

/* ---- Demands --------------------------------------------------------------------------------- */

static bool is_text(const FieldType *field)
{
    return field->kind == KIND_STRING || field->kind == KIND_BYTES;
}

static bool is_absent(const FieldType *field, const Found *found)
{
    if (field->repeated)
        return found->n == 0;
    if (!found->set || field->presence)
        return !found->set;
    if (is_text(field))
        return found->last.bytes.size == 0;
    Literal value = literal_of_wire(field->kind, &found->last);
    return literal_is_zero(&value, value_type_of(field));
}

static bool is_empty_text(const FieldType *field, const Found *found)
{
    return !field->repeated && is_text(field) && found->last.bytes.size == 0;
}

/* No text has more characters than bytes: most need not be read. */
static uint64_t characters_of(const FieldRule *rule, Bytes text)
{
    bool fits = !rule->least.text && rule->most.text && text.size <= rule->most.value.u;
    return fits ? text.size : rule_characters(text);
}

/* The value as the bounds have it. False: it is malformed. */
static bool measure(const FieldRule *rule, const Found *found, Bound *value_out)
{
    const FieldType *field = rule->field;
    *value_out = (Bound){.text = NULL};
    switch (rule->measure) {
    case MEASURE_NOTHING: break;
    case MEASURE_NUMBER: value_out->value = literal_of_wire(field->kind, &found->last); break;
    case MEASURE_TIME: return rule_time(found->last.bytes, &value_out->time);
    case MEASURE_CHARACTERS: value_out->value.u = characters_of(rule, found->last.bytes); break;
    case MEASURE_BYTES: value_out->value.u = found->last.bytes.size; break;
    case MEASURE_ELEMENTS: value_out->value.u = found->n; break;
    }
    return true;
}

static bool is_in_order(const FieldRule *rule, const Bound *low, const Bound *high)
{
    if (rule->measure == MEASURE_TIME)
        return !time_is_less(high->time, low->time);
    FieldKind kind = rule->measure == MEASURE_NUMBER ? rule->field->kind : KIND_UINT64;
    /* NaN is in no order. */
    return kind_is_float(kind) ? low->value.d <= high->value.d
                               : !number_is_less(kind, high->value, low->value);
}

static const char *unit_of(Measure measure)
{
    switch (measure) {
    case MEASURE_CHARACTERS: return " characters";
    case MEASURE_BYTES: return " bytes";
    case MEASURE_ELEMENTS: return " elements";
    case MEASURE_NOTHING:
    case MEASURE_NUMBER:
    case MEASURE_TIME: break;
    }
    return "";
}

/* A value that is out of bounds becomes the bound, or is a mistake. */
static bool out_of_bounds(Scope *s, const FieldRule *rule, Found *found, const Bound *bound)
{
    bool low = bound == &rule->least, length = *unit_of(rule->measure);
    if (!rule->clamp)
        return mistake(s, rule, &FAULT_VALUE_NOT_ALLOWED,
                       length ? (low ? "must have at least " : "must have at most ")
                              : (low ? "must be at least " : "must be at most "),
                       bound->text, unit_of(rule->measure));
    if (rule->field->message)
        return replace(s, found->last.record, rule->field, bound->record);
    buffer_add_bytes(&s->more, bound->record); /* the last one counts */
    return true;
}

static bool check_bounds(Scope *s, const FieldRule *rule, Found *found)
{
    Bound value;
    if (rule->measure == MEASURE_NOTHING)
        return true;
    if (!measure(rule, found, &value))
        return malformed(s, rule->field);
    if (rule->least.text && !is_in_order(rule, &rule->least, &value))
        return out_of_bounds(s, rule, found, &rule->least);
    if (rule->most.text && !is_in_order(rule, &value, &rule->most))
        return out_of_bounds(s, rule, found, &rule->most);
    return true;
}

static bool check_choice(Scope *s, const FieldRule *rule, const Found *found)
{
    ValueType type = value_type_of(rule->field);
    Literal value = literal_of_wire(type.kind, &found->last);
    for (uint32_t i = 0; i < rule->n_one_of; i++) {
        if (literal_equal(&value, &rule->one_of[i], type))
            return true;
    }
    return mistake(s, rule, &FAULT_VALUE_NOT_ALLOWED, "must be one of ", rule->one_of_text, "");
}

/* The message in the field, which is there. */
static bool check_inside(Scope *s, const FieldRule *rule, Found *found)
{
    Place place = {s->place, rule->field, 0};
    Bytes content = found->last.bytes;
    bool changed = false;
    if (rule->inside && !check_message(s->check, rule->inside, &place, &content, &changed))
        return false;
    return (!changed && !found->in_pieces) || replace(s, found->last.record, rule->field, content);
}

static bool add_default(Scope *s, const FieldRule *rule)
{
    Place place = {s->place, rule->field, 0};
    Bytes content = rule->otherwise;
    bool changed;
    if (!rule_is_of_one_message(rule->field)) {
        buffer_add_bytes(&s->more, content);
        return true;
    }
    if (rule->inside && !check_message(s->check, rule->inside, &place, &content, &changed))
        return false;
    add_message(&s->more, rule->field, content);
    return true;
}

/* Whether a default would take the place of something. */
static bool other_is_set(const Scope *s, const FieldType *field)
{
    for (uint32_t i = 0; field->oneof && i < s->rules->n; i++) {
        if (s->rules->fields[i].field->oneof == field->oneof && s->found[i].set)
            return true;
    }
    return false;
}

static bool check_absent(Scope *s, const FieldRule *rule, Found *found)
{
    if (rule->required)
        return mistake(s, rule, &FAULT_FIELD_REQUIRED, "is required", "", "");
    if (!rule->has_default || other_is_set(s, rule->field))
        return true;
    found->set = true;
    return add_default(s, rule);
}

static bool check_field(Scope *s, const FieldRule *rule, Found *found)
{
    if (is_absent(rule->field, found))
        return check_absent(s, rule, found);
    if (rule->required && is_empty_text(rule->field, found))
        return mistake(s, rule, &FAULT_FIELD_REQUIRED, "must not be empty", "", "");
    if (rule->n_one_of && !check_choice(s, rule, found))
        return false;
    return (!rule_is_of_one_message(rule->field) || check_inside(s, rule, found)) &&
           check_bounds(s, rule, found);
}

static bool check_message(Check *check, const FieldRules *rules, const Place *place, Bytes *message,
                          bool *changed_out)
{
    Scope s;
    WireField record;
    s.check = check;
    s.rules = rules;
    s.place = place;
    s.first = s.last = NULL;
    s.more = buffer_in(check->arena);
    for (uint32_t i = 0; i < rules->n; i++) {
        s.found[i].set = s.found[i].in_pieces = false;
        s.found[i].n = 0;
    }
    WireReader reader = wire_reader(*message);
    while (wire_next(&reader, &record)) {
        int i = rules_find(rules, record.number);
        if (i >= 0 && !take(&s, (uint32_t)i, &record))
            return false;
    }
    if (reader.bad)
        return malformed(&s, NULL);
    for (uint32_t i = 0; i < rules->n; i++) {
        if (!check_field(&s, &rules->fields[i], &s.found[i]))
            return false;
    }
    *changed_out = s.first || s.more.size || s.more.full;
    return !*changed_out || write(&s, message);
}

Result rules_check(const FieldRules *rules, bool json_names, Arena *arena, Bytes *message)
{
    Check check; /* most have no mistakes to clear */
    Bytes checked = *message;
    bool changed;
    check.arena = arena;
    check.json_names = json_names;
    check.n_mistakes = 0;
    check.broken = OK;
    bool whole = check_message(&check, rules, NULL, &checked, &changed);
    if (failed(check.broken))
        return check.broken;
    if (check.n_mistakes)
        return error_with_others(arena, check.mistakes, check.n_mistakes);
    CHECK(whole);
    *message = checked;
    return OK;
}

/* ---- Beside other mistakes ------------------------------------------------------------------- */

/* Whether the path begins with the field, in either spelling of its names: page_size, pageSize. */
static bool is_at_or_within(const char *path, const char *field)
{
    for (; *field; path++, field++) {
        path += *path == '_';
        field += *field == '_';
        if (ascii_lower((uint8_t)*path) != ascii_lower((uint8_t)*field))
            return false;
    }
    return *path == '\0' || *path == '.' || *path == '[';
}

/* What was left out is no mistake of its own. */
static bool is_of(Result told, const Error *mistake)
{
    for (const Error *error = told.error; error; error = error->also) {
        if (error->field && is_at_or_within(error->field, mistake->field))
            return true;
    }
    return false;
}

Result rules_check_rest(const FieldRules *rules, bool json_names, Arena *arena, Result told,
                        Bytes rest)
{
    Result all[MOST_MISTAKES], more = rules_check(rules, json_names, arena, &rest);
    size_t n = 0;
    for (const Error *error = told.error; error && n < MOST_MISTAKES; error = error->also)
        all[n++] = (Result){error};
    for (const Error *error = more.error; error && n < MOST_MISTAKES; error = error->also) {
        if (error->field && !is_of(told, error))
            all[n++] = (Result){error};
    }
    return error_with_others(arena, all, n);
}
