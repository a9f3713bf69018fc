#include "tests/unit/adapters/prove/random_changes.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "tests/unit/check.h"

#include <stdio.h>

enum {
    MOST_FIELDS = 24,
    MOST_MESSAGES = 12,
    MOST_VALUES = 10,
    N_ENUMS = 2,
    MOST_STRAYS = 40,
    NAME_SIZE = 12,
};

typedef enum Type {
    INT32,
    INT64,
    UINT32,
    DOUBLE,
    BOOL,
    STRING,
    BYTES,
    ENUM,
    MESSAGE,
    TIMESTAMP,
    WRAPPED,
    MASK,
    ANY,
    N_TYPES,
} Type;

typedef enum Label { IMPLICIT, OPTIONAL, LIST, MAP } Label;

typedef struct Field {
    char name[NAME_SIZE];
    Type type;
    Label label;
    uint32_t of;    /* MESSAGE, ENUM: which; MASK: whose fields it names */
    uint32_t oneof; /* from 1; 0: none */
} Field;

typedef struct Message {
    char name[NAME_SIZE];
    Field fields[MOST_FIELDS];
    uint32_t n, n_oneofs;
    bool box; /* made for what was moved into it */
} Message;

typedef struct Named {
    char name[NAME_SIZE];
    int number;
} Named;

typedef struct Enum {
    char name[NAME_SIZE];
    Named values[MOST_VALUES];
    uint32_t n;
} Enum;

/* A message that no field holds: only an Any brings it. */
typedef struct Stray {
    char name[NAME_SIZE];
    bool any; /* there is one in it, too */
} Stray;

typedef struct Method {
    char name[NAME_SIZE];
    uint32_t id;      /* stays, whatever its name is */
    uint32_t request; /* which message */
    bool begins;      /* it answers with an operation */
    uint32_t result;  /* that holds this message */
} Method;

typedef struct Version {
    Message messages[MOST_MESSAGES];
    uint32_t n;
    Enum enums[N_ENUMS];
    Stray strays[MOST_STRAYS];
    uint32_t n_strays;
    char service[NAME_SIZE];
    Method methods[RANDOM_METHODS];
    uint32_t n_methods;
    bool foreign; /* it knows a message of nobody's package, with an Any in it */
} Version;

/* At work on one chain. */
typedef struct Maker {
    Arena *arena;
    Random random;
    unsigned serial;   /* no name comes twice by accident */
    bool same_package; /* of all versions; then without Any, for what a change makes of a message is
                          looked at once more, and with the same names what is in an Any is
                          converted twice */
    bool chain;        /* of several lists */
    bool calm;         /* a long chain of many changes is mostly refused as a whole */
    uint32_t most_strays;
    Buffer types, messages, enums, methods, schemas;
} Maker;

static uint32_t below(Maker *m, uint32_t end)
{
    return (uint32_t)random_below(&m->random, end);
}

static bool chance(Maker *m, uint32_t percent)
{
    return below(m, 100) < percent;
}

static void new_name(Maker *m, const char *prefix, char *name)
{
    snprintf(name, NAME_SIZE, "%s%u", prefix, m->serial++);
}

static bool is_one(const Field *field)
{
    return field->label == IMPLICIT || field->label == OPTIONAL;
}

/* ---- The first version ----------------------------------------------------------------------- */

static Label random_label(Maker *m, Type type)
{
    if (type == MASK)
        return IMPLICIT;
    uint32_t at = below(m, 10);
    if (at == 0)
        return MAP;
    if (at < 3)
        return LIST;
    bool message = type == MESSAGE || type == TIMESTAMP || type == WRAPPED || type == ANY;
    return at < 5 && !message ? OPTIONAL : IMPLICIT;
}

static void random_field(Maker *m, const Version *v, uint32_t at, Field *field)
{
    *field = (Field){.type = (Type)below(m, m->same_package ? ANY : N_TYPES)};
    new_name(m, "f", field->name);
    if (field->type == MESSAGE && at + 1 == v->n)
        field->type = STRING; /* messages hold later ones, and the last none */
    if (field->type == MESSAGE)
        field->of = at + 1 + below(m, v->n - at - 1);
    if (field->type == ENUM)
        field->of = below(m, N_ENUMS);
    if (field->type == MASK)
        field->of = below(m, v->n);
    field->label = random_label(m, field->type);
}

static void add_value(Maker *m, Enum *e, int number)
{
    Named *value = &e->values[e->n++];
    value->number = number;
    new_name(m, "V", value->name);
}

static void add_strays(Maker *m, Version *v, uint32_t n)
{
    for (; n && v->n_strays < MOST_STRAYS; n--) {
        Stray *stray = &v->strays[v->n_strays++];
        stray->any = !m->chain && !m->same_package && chance(m, 30);
        new_name(m, "S", stray->name);
    }
}

static void add_method(Maker *m, Version *v)
{
    Method *method = &v->methods[v->n_methods++];
    method->id = m->serial;
    method->begins = !m->same_package && chance(m, 40);
    method->result = below(m, 2);
    new_name(m, "Do", method->name);
}

/* Now and then a list beside a field of the same type: the two may become one list. */
static void add_twin(Maker *m, Message *message)
{
    const Field *field = &message->fields[below(m, message->n)];
    if (!is_one(field) || field->type == MASK || !chance(m, 50))
        return;
    Field *twin = &message->fields[message->n++];
    *twin = *field;
    twin->label = LIST;
    new_name(m, "f", twin->name);
}

static void first_version(Maker *m, Version *v)
{
    *v = (Version){.n = 2 + below(m, 2), .foreign = chance(m, 50)};
    for (uint32_t i = 0; i < N_ENUMS; i++) {
        new_name(m, "E", v->enums[i].name);
        for (uint32_t k = 0, n = 1 + below(m, 4); k < n; k++)
            add_value(m, &v->enums[i], (int)k);
    }
    for (uint32_t i = 0; i < v->n; i++) {
        Message *message = &v->messages[i];
        new_name(m, "M", message->name);
        message->n = 2 + below(m, 5);
        for (uint32_t k = 0; k < message->n; k++)
            random_field(m, v, i, &message->fields[k]);
        add_twin(m, message);
    }
    add_strays(m, v, below(m, m->most_strays));
    new_name(m, "Things", v->service);
    for (uint32_t n = 1 + below(m, 3); n; n--)
        add_method(m, v);
}

/* ---- What becomes of a field ----------------------------------------------------------------- */

/* One message of the next version, and its lines. */
typedef struct Turn {
    Maker *m;
    const Version *old;
    Version *next;
    const Message *was;
    uint32_t at; /* in next->messages: more may be added behind it */
    Buffer lines;
    bool taken[MOST_FIELDS]; /* what becomes of them is said */
} Turn;

static void line(Turn *t, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_printf(&t->lines, "    %s\n", text);
}

static Field *put(Turn *t, Field field)
{
    Message *message = &t->next->messages[t->at];
    if (message->n == MOST_FIELDS)
        fail_msg("too many fields for this test");
    message->fields[message->n] = field;
    return &message->fields[message->n++];
}

/* Mostly it gets another name, too. */
static Field renamed(Turn *t, const Field *was)
{
    Field field = *was;
    field.oneof = 0;
    if (chance(t->m, 60))
        new_name(t->m, "f", field.name);
    return field;
}

static bool is_number(Type type)
{
    return type == INT32 || type == INT64 || type == UINT32;
}

static const char *value_of_enum(Turn *t, const Enum *e)
{
    return e->values[below(t->m, e->n)].name;
}

static const char *value_of(Turn *t, const Version *v, const Field *field)
{
    switch (field->type) {
    case INT32:
    case INT64:
    case UINT32:
    case DOUBLE: return chance(t->m, 30) ? "0" : "7";
    case BOOL: return chance(t->m, 50) ? "true" : "false";
    case STRING: return "text";
    case BYTES: return "AAEC";
    case ENUM: return value_of_enum(t, &v->enums[field->of]);
    case TIMESTAMP: return "\"2026-03-01T00:00:00Z\"";
    default: return NULL;
    }
}

static const char *mask_subject(const Turn *t, const Field *mask)
{
    return arena_printf(t->m->arena, ", of: %s", t->old->messages[mask->of].name);
}

/* Of a field that only has another name or place, or the same. A mask has to say whose fields it
   names. */
static void tell_place(Turn *t, const Field *was, const char *path, const char *to)
{
    if (was->type == MASK)
        line(t, "%s: {to: %s%s}", path, to, mask_subject(t, was));
    else if (strcmp(path, to) != 0)
        line(t, "%s: %s", path, to);
}

static void keep(Turn *t, const Field *was)
{
    Field field = renamed(t, was);
    tell_place(t, was, was->name, field.name);
    put(t, field);
}

static void retype(Turn *t, const Field *was, Type type, const char *by)
{
    Field field = renamed(t, was);
    field.type = type;
    line(t, "%s: {to: %s, by: %s}", was->name, field.name, by);
    put(t, field);
}

static void drop(Turn *t, const Field *was)
{
    bool one = was->label == IMPLICIT || was->label == OPTIONAL;
    const char *value = one && !was->oneof ? value_of(t, t->old, was) : NULL;
    uint32_t how = below(t->m, 10);
    if (how == 0)
        line(t, "%s: {removed: loud}", was->name);
    else if (how < 4 && value && was->type != TIMESTAMP)
        line(t, "%s: {removed: %s, ignored: %s, back: %s}", was->name,
             how == 1 ? "loud" : "graceful", value, value_of(t, t->old, was));
    else
        line(t, "%s: {removed: graceful}", was->name);
}

/* One becomes a list, or a list one. In a chain not of messages: what another list drops of the one
   that is taken out is told in the names of the version between. */
static void relist(Turn *t, const Field *was)
{
    Field field = renamed(t, was);
    bool number = is_number(was->type) && chance(t->m, 40);
    field.label = was->label == LIST ? IMPLICIT : LIST;
    if (number)
        field.type = STRING;
    line(t, "%s: {to: %s, more: %s%s}", was->name, field.name,
         chance(t->m, 50) ? "loud" : "graceful", number ? ", by: text" : "");
    put(t, field);
}

static void revalue(Turn *t, const Field *was)
{
    Field field = renamed(t, was);
    uint32_t how = below(t->m, 4);
    const char *value = value_of(t, t->old, was);
    field.label = OPTIONAL;
    if (how == 0 && was->label == IMPLICIT)
        line(t, "%s: {to: %s, zero: set}", was->name, field.name);
    else if (how == 1 && was->type != ENUM)
        line(t, "%s: {to: %s, sentinel: %s}", was->name, field.name, value);
    else if (how == 2 && was->type != ENUM)
        line(t, "%s: {to: %s, sentinel: {new: %s}}", was->name, field.name, value);
    else if (was->type != ENUM)
        line(t, "%s: {to: %s, required: %s, optional: %s}", was->name, field.name, value,
             value_of(t, t->old, was));
    else
        line(t, "%s: %s", was->name, field.name);
    put(t, field);
}

/* Into a message that is made for it, beside others that went there. */
static void move_in(Turn *t, const Field *was)
{
    Message *mine = &t->next->messages[t->at];
    Field *holder = NULL;
    for (uint32_t i = 0; i < mine->n; i++) {
        if (mine->fields[i].type == MESSAGE && t->next->messages[mine->fields[i].of].box &&
            mine->fields[i].of >= t->old->n)
            holder = &mine->fields[i];
    }
    if (!holder && t->next->n == MOST_MESSAGES) {
        keep(t, was);
        return;
    }
    if (!holder) {
        Field field = {.type = MESSAGE, .of = t->next->n++};
        Message *box = &t->next->messages[field.of];
        *box = (Message){.box = true};
        new_name(t->m, "B", box->name);
        new_name(t->m, "f", field.name);
        holder = put(t, field);
    }
    Message *box = &t->next->messages[holder->of];
    Field inner = renamed(t, was);
    tell_place(t, was, was->name, arena_printf(t->m->arena, "%s.%s", holder->name, inner.name));
    box->fields[box->n++] = inner;
}

/* All that is inside it, out of it. */
static bool move_out(Turn *t, const Field *was)
{
    const Message *inner = &t->old->messages[was->of];
    bool room = t->next->messages[t->at].n + inner->n + t->was->n <= MOST_FIELDS;
    if (!inner->n || was->label != IMPLICIT || was->oneof || !room)
        return false;
    for (uint32_t i = 0; i < inner->n; i++) {
        Field field = inner->fields[i];
        field.oneof = 0;
        new_name(t->m, "f", field.name);
        tell_place(t, &inner->fields[i],
                   arena_printf(t->m->arena, "%s.%s", was->name, inner->fields[i].name),
                   field.name);
        put(t, field);
    }
    return true;
}

/* In a chain, what an Any brings goes from end to end, also where a list between drops the
   field. */
static bool may_bring_any(const Version *v, const Field *field)
{
    bool found = field->type == ANY;
    const Message *message = &v->messages[field->of];
    for (uint32_t i = 0; field->type == MESSAGE && i < message->n; i++)
        found |= may_bring_any(v, &message->fields[i]);
    return found;
}

/* A message whose members have the names that its converter looks for. */
static uint32_t new_message(Turn *t, const char *prefix)
{
    Message *message = &t->next->messages[t->next->n];
    *message = (Message){0};
    new_name(t->m, prefix, message->name);
    return t->next->n++;
}

static void add_member(Message *message, const char *name, Type type)
{
    Field *field = &message->fields[message->n++];
    *field = (Field){.type = type};
    snprintf(field->name, NAME_SIZE, "%s", name);
}

/* What another list loses of a message that is made for a converter is told in the names of a
   version between: not in a chain. */
static bool has_room_for_message(const Turn *t)
{
    return t->next->n + 1 < MOST_MESSAGES && !t->m->chain;
}

static bool dated(Turn *t, const Field *was, const char *by)
{
    if (!has_room_for_message(t) || was->label == MAP)
        return false;
    Field field = renamed(t, was);
    field.type = MESSAGE;
    field.label = was->label == LIST ? LIST : IMPLICIT;
    field.of = new_message(t, "D");
    Message *date = &t->next->messages[field.of];
    add_member(date, "year", INT32);
    add_member(date, "month", INT32);
    add_member(date, "day", INT32);
    line(t, "%s: {to: %s, by: %s}", was->name, field.name, by);
    put(t, field);
    return true;
}

static void other_type(Turn *t, const Field *was)
{
    static const char *const texts[] = {"base64", "hex", "utf8"};
    switch (was->type) {
    case INT32:
    case INT64:
    case UINT32:
    case DOUBLE:
        if (was->label == OPTIONAL && chance(t->m, 50)) {
            Field field = renamed(t, was);
            field.type = WRAPPED;
            field.label = IMPLICIT;
            line(t, "%s: {to: %s, by: wrapper}", was->name, field.name);
            put(t, field);
            return;
        }
        if (was->type == DOUBLE) {
            keep(t, was);
            return;
        }
        if (chance(t->m, 30))
            retype(t, was, DOUBLE, chance(t->m, 50) ? "number" : "scale, times: 8");
        else if (chance(t->m, 50))
            retype(t, was, STRING, "text");
        else
            retype(t, was, (Type)below(t->m, 3), "number");
        return;
    case BOOL: retype(t, was, STRING, "text"); return;
    case BYTES: retype(t, was, STRING, texts[below(t->m, 3)]); return;
    case STRING:
        if (!chance(t->m, 25) || !dated(t, was, "date_text"))
            retype(t, was, BYTES, texts[below(t->m, 3)]);
        return;
    case MESSAGE:
        if (t->m->chain || may_bring_any(t->old, was) || was->label == MAP)
            keep(t, was);
        else
            retype(t, was, BYTES, "serialized");
        return;
    case TIMESTAMP:
        if (chance(t->m, 30) && dated(t, was, chance(t->m, 50) ? "date, round: graceful" : "date"))
            return;
        if (was->label == MAP || chance(t->m, 50))
            retype(t, was, STRING, "time_text");
        else
            retype(t, was, INT64, chance(t->m, 50) ? "milliseconds" : "hours, round: graceful");
        return;
    case ENUM: retype(t, was, STRING, "enum_name"); return;
    case WRAPPED: retype(t, was, (Type)below(t->m, 4), "wrapper"); return;
    default: keep(t, was);
    }
}

static const char *loud_or_not(Turn *t)
{
    return chance(t->m, 50) ? "loud" : "graceful";
}

/* A new field of another kind; its name. */
static const char *put_new(Turn *t, Type type, Label label, uint32_t of)
{
    Field field = {.type = type, .label = label, .of = of};
    new_name(t->m, "f", field.name);
    return put(t, field)->name;
}

static bool has_room(const Turn *t, uint32_t more)
{
    uint32_t left = t->was->n + 2; /* what is still to come, and what is added */
    return t->next->messages[t->at].n + more + left <= MOST_FIELDS;
}

/* ---- Several fields and one ------------------------------------------------------------------ */

/* Of one list a field and the others. */
static void part_list(Turn *t, const Field *was)
{
    const char *first = put_new(t, was->type, IMPLICIT, was->of);
    const char *others = put_new(t, was->type, LIST, was->of);
    line(t, "%s: {to: [%s, %s], first: %s%s}", was->name, first, others, loud_or_not(t),
         was->type == MASK ? mask_subject(t, was) : "");
}

/* A field and a list of its type, which nothing took yet; false: there are none. */
static bool merge_list(Turn *t, uint32_t at)
{
    const Field *one = &t->was->fields[at];
    for (uint32_t i = 0; is_one(one) && !one->oneof && i < t->was->n; i++) {
        const Field *list = &t->was->fields[i];
        if (t->taken[i] || i == at || list->label != LIST || list->type != one->type ||
            list->of != one->of)
            continue;
        bool number = is_number(one->type) && chance(t->m, 40);
        const char *whole = put_new(t, number ? STRING : one->type, LIST, one->of);
        line(t, "%s: {from: [%s, %s], first: %s%s}", whole, one->name, list->name, loud_or_not(t),
             number              ? ", by: text"
             : one->type == MASK ? mask_subject(t, one)
                                 : "");
        t->taken[at] = t->taken[i] = true;
        return true;
    }
    return false;
}

static bool is_text(const Field *field)
{
    return field->type == STRING && is_one(field) && !field->oneof;
}

/* Two texts as one, by a template. */
static bool compose_text(Turn *t, uint32_t at)
{
    for (uint32_t i = at + 1; is_text(&t->was->fields[at]) && i < t->was->n; i++) {
        if (t->taken[i] || !is_text(&t->was->fields[i]))
            continue;
        const char *whole = put_new(t, STRING, IMPLICIT, 0);
        const char *part = chance(t->m, 30) ? "/{z}" : "";
        const char *first = t->was->fields[at].name, *second = t->was->fields[i].name;
        bool turned = chance(t->m, 50); /* the names tell which is which */
        line(t, "%s: {template: \"a/{%s}%s/{%s}\", from: [%s, %s]%s}", whole, first, part, second,
             turned ? second : first, turned ? first : second,
             !*part             ? ""
             : chance(t->m, 50) ? ", parts: {z: {added: here, back: loud}}"
                                : ", parts: {z: {added: here}}");
        t->taken[at] = t->taken[i] = true;
        return true;
    }
    return false;
}

static void split_text(Turn *t, const Field *was)
{
    if (chance(t->m, 30)) {
        const char *is = put_new(t, STRING, was->label, 0);
        line(t,
             "%s: {to: %s, template: \"a/{x}/{y}\", into: \"{y}/b/{x}/{z}\", parts: {z: {added: "
             "here}}}",
             was->name, is);
        return;
    }
    const char *part = chance(t->m, 30) ? "/{z}" : "";
    const char *first = put_new(t, STRING, IMPLICIT, 0);
    const char *second = put_new(t, chance(t->m, 40) ? INT64 : STRING, IMPLICIT, 0);
    line(t, "%s: {template: \"a/{%s}/b/{%s}%s\", to: [%s, %s]%s}", was->name, first, second, part,
         second, first, *part ? ", parts: {z: {removed: graceful, back: here}}" : "");
}

/* A kind beside a text, as one of two; false: it has no kind. */
static bool choose_text(Turn *t, uint32_t at)
{
    Message *mine = &t->next->messages[t->at];
    for (uint32_t i = 0; is_text(&t->was->fields[at]) && i < t->was->n && !mine->n_oneofs; i++) {
        const Field *kind = &t->was->fields[i];
        if (t->taken[i] || kind->type != ENUM || kind->label != IMPLICIT || kind->oneof ||
            t->was->fields[at].label != IMPLICIT)
            continue;
        const Enum *e = &t->old->enums[kind->of];
        if (e->n < 3)
            continue;
        const char *a = put_new(t, STRING, IMPLICIT, 0), *b = put_new(t, STRING, IMPLICIT, 0);
        mine->fields[mine->n - 1].oneof = mine->fields[mine->n - 2].oneof = mine->n_oneofs = 1;
        const char *text = t->was->fields[at].name;
        line(t, "%s: [{to: %s, when: {%s: %s}}, {to: %s, when: {%s: %s}}]", text, a, kind->name,
             e->values[1].name, b, kind->name, e->values[2].name);
        line(t, "%s: {select: {%s: %s, %s: %s}%s}", kind->name, a, e->values[1].name, b,
             e->values[2].name, chance(t->m, 30) ? ", others: loud" : "");
        t->taken[at] = t->taken[i] = true;
        return true;
    }
    return false;
}

static bool join_others(Turn *t, uint32_t at)
{
    switch (below(t->m, 3)) {
    case 0: return merge_list(t, at);
    case 1: return compose_text(t, at);
    default: return choose_text(t, at);
    }
}

/* ---- Lists by a key -------------------------------------------------------------------------- */

/* The messages of a list or of a map, made new, without `key` or with it; how the list calls the
   two. */
static void turn_fields(Maker *m, const Version *old, Version *next, const Message *was,
                        uint32_t at, const char *key);

static void turn_others(Turn *t, const Message *was, const char *name, uint32_t at)
{
    turn_fields(t->m, t->old, t->next, was, at,
                arena_printf(t->m->arena, "%s to %s", name, t->next->messages[at].name));
}

static bool key_list(Turn *t, const Field *was)
{
    const Message *element = &t->old->messages[was->of];
    uint32_t key = 0;
    while (key < element->n && (!is_text(&element->fields[key]) || element->fields[key].oneof))
        key++;
    if (key == element->n || t->next->n + 1 >= MOST_MESSAGES)
        return false;
    Message others = *element;
    others.n--;
    memmove(&others.fields[key], &others.fields[key + 1], (others.n - key) * sizeof *others.fields);
    uint32_t value = new_message(t, "K");
    line(t, "%s: {to: %s, key: %s, duplicates: %s}", was->name, put_new(t, MESSAGE, MAP, value),
         element->fields[key].name, loud_or_not(t));
    turn_others(t, &others, element->name, value);
    return true;
}

static bool list_map(Turn *t, const Field *was)
{
    if (t->next->n + 1 >= MOST_MESSAGES || was->type == ANY)
        return false;
    uint32_t element = new_message(t, "L");
    Message *message = &t->next->messages[element];
    Field key = {.type = STRING, .label = chance(t->m, 20) ? OPTIONAL : IMPLICIT};
    new_name(t->m, "f", key.name);
    message->fields[message->n++] = key;
    const char *to = put_new(t, MESSAGE, LIST, element);
    if (was->type == MESSAGE) {
        line(t, "%s: {to: %s, key: %s, duplicates: %s}", was->name, to, key.name, loud_or_not(t));
        turn_others(t, &t->old->messages[was->of], t->old->messages[was->of].name, element);
        return true;
    }
    Field value = {.type = was->type, .of = was->of};
    bool number = is_number(was->type) && chance(t->m, 40);
    new_name(t->m, "f", value.name);
    value.type = number ? STRING : value.type;
    message->fields[message->n++] = value;
    bool told = chance(t->m, 50);
    line(t, "%s: {to: %s, key: %s%s%s, duplicates: %s%s}", was->name, to, key.name,
         told ? ", value: " : "", told ? value.name : "", loud_or_not(t),
         number ? ", by: text" : "");
    return true;
}

/* ---- Values that stand for others ------------------------------------------------------------ */

static void tabled(Turn *t, const Field *was)
{
    static const char *const others[] = {"loud", "kept", "{old: a, new: b}"};
    const char *is = put_new(t, STRING, was->label, 0);
    line(t,
         "%s: {to: %s, by: text_table, values: {a: b, \"42\": [one, Two], \"x/y\": \"x/y\"}, "
         "others: "
         "%s%s}",
         was->name, is, others[below(t->m, 3)], chance(t->m, 40) ? ", ignore_case: true" : "");
}

static void named(Turn *t, const Field *was)
{
    const Enum *e = &t->old->enums[was->of];
    const char *is = put_new(t, STRING, was->label, 0);
    line(t, "%s: {to: %s, by: enum_name, values: {%s: [none, \"no\"]}, others: %s%s}", was->name,
         is, e->values[0].name, chance(t->m, 50) ? "loud" : e->values[0].name,
         chance(t->m, 40) ? ", ignore_case: true" : "");
}

static bool flagged(Turn *t, const Field *was)
{
    uint32_t of = below(t->m, N_ENUMS);
    const Enum *e = &t->next->enums[of];
    if (e->n < 2)
        return false;
    line(t, "%s: {to: %s, by: flag, values: {false: %s, true: %s}, others: %s}", was->name,
         put_new(t, ENUM, was->label, of), e->values[0].name, e->values[1].name,
         chance(t->m, 50) ? "loud" : "true");
    return true;
}

/* True is a value of a new number. */
static void meant(Turn *t, const Field *was)
{
    const char *is = put_new(t, INT32, chance(t->m, 50) ? OPTIONAL : IMPLICIT, 0);
    line(t, "%s: {means: {true: {%s: 7}}%s}", was->name, is,
         chance(t->m, 30) ? ", others: loud" : "");
    line(t, "%s: {added: %s}", is, chance(t->m, 50) ? "graceful" : "3");
}

/* The text behind this field that says which currency it is; NULL where there is none. */
static const Field *take_currency(Turn *t, const Field *was)
{
    for (uint32_t i = (uint32_t)(was - t->was->fields) + 1; i < t->was->n; i++) {
        const Field *field = &t->was->fields[i];
        if (t->taken[i] || !is_text(field) || field->label != IMPLICIT)
            continue;
        t->taken[i] = true;
        return field;
    }
    return NULL;
}

/* An integer as money, which has its members by these names. */
static bool priced(Turn *t, const Field *was)
{
    if (!has_room_for_message(t))
        return false;
    uint32_t money = new_message(t, "C");
    Message *message = &t->next->messages[money];
    add_member(message, "units", INT64);
    add_member(message, "nanos", INT32);
    const char *currency = "";
    if (chance(t->m, 60)) {
        const Field *said = chance(t->m, 50) ? take_currency(t, was) : NULL;
        add_member(message, "currency", STRING);
        currency = arena_printf(t->m->arena, ", currency: %s", said ? said->name : "EUR");
    }
    line(t, "%s: {to: %s, by: %s_to_money, round: %s%s}", was->name,
         put_new(t, MESSAGE, IMPLICIT, money), chance(t->m, 50) ? "cents" : "units", loud_or_not(t),
         currency);
    return true;
}

/* Of what only some types have. */
static bool special(Turn *t, const Field *was)
{
    bool one = is_one(was) && !was->oneof;
    if (!has_room(t, 2))
        return false;
    bool may_vanish = was->type == WRAPPED && t->m->chain; /* the first one, if it is zero */
    if (was->label == LIST && was->type != MESSAGE && !may_vanish && chance(t->m, 50)) {
        part_list(t, was);
        return true;
    }
    if (was->label == LIST && was->type == MESSAGE) {
        if (t->m->chain)
            return false; /* what other lists lose of it is told in the names of a version between
                           */
        if (chance(t->m, 60) && key_list(t, was))
            return true;
        part_list(t, was);
        return true;
    }
    if (was->label == MAP)
        return list_map(t, was);
    if (was->type == STRING && was->label != MAP && !one)
        return false;
    switch (was->type) {
    case STRING:
        if (chance(t->m, 50))
            tabled(t, was);
        else
            split_text(t, was);
        return true;
    case ENUM:
        if (one)
            named(t, was);
        return one;
    case BOOL:
        if (one && was->label == IMPLICIT && chance(t->m, 50)) {
            meant(t, was);
            return true;
        }
        return one && flagged(t, was);
    case INT32:
    case INT64: return one && priced(t, was);
    default: return false;
    }
}

static void join_oneof(Turn *t, const Field *was)
{
    Message *mine = &t->next->messages[t->at];
    Field field = renamed(t, was);
    if (!mine->n_oneofs)
        mine->n_oneofs = 1;
    field.oneof = 1;
    field.label = IMPLICIT;
    tell_place(t, was, was->name, field.name);
    put(t, field);
}

static void turn_field(Turn *t, const Field *was)
{
    uint32_t what = below(t->m, 100);
    bool plain = is_one(was) && was->type < MESSAGE;
    if ((t->m->chain && may_bring_any(t->old, was)) || (t->m->calm && chance(t->m, 70)))
        keep(t, was);
    else if (what < 25 && special(t, was))
        return;
    else if (what < 12)
        drop(t, was);
    else if (what < 32)
        other_type(t, was);
    else if (what < 42 && was->label != MAP && was->label != OPTIONAL && was->type != ANY &&
             was->type != MASK && !was->oneof && !(t->m->chain && was->type == MESSAGE))
        relist(t, was);
    else if (what < 56 && plain && !was->oneof)
        revalue(t, was);
    else if (what < 68 && !was->oneof)
        move_in(t, was);
    else if (what < 78 && is_one(was))
        join_oneof(t, was);
    else if (what > 84 && was->type == MESSAGE && move_out(t, was))
        return;
    else
        keep(t, was);
}

static void add_fields(Turn *t)
{
    for (uint32_t n = below(t->m, 3); n && t->next->messages[t->at].n < MOST_FIELDS; n--) {
        Field field;
        Version alone = *t->next;
        random_field(t->m, &alone, t->at, &field);
        if (field.type == MESSAGE || (t->m->chain && field.type == ANY))
            field.type = STRING;
        const char *value = is_one(&field) ? value_of(t, t->next, &field) : NULL;
        uint32_t how = below(t->m, 10);
        if (value && how < 5 && field.type != TIMESTAMP)
            line(t, "%s: {added: %s%s}", field.name, value, how < 2 ? ", back: loud" : "");
        else if (value && how == 5 && field.type != TIMESTAMP)
            line(t, "%s: {constant: %s}", field.name, value);
        else
            line(t, "%s: {added: graceful}", field.name);
        put(t, field);
    }
}

/* `key`: how the list calls the two. */
static void turn_fields(Maker *m, const Version *old, Version *next, const Message *was,
                        uint32_t at, const char *key)
{
    Turn t = {.m = m, .old = old, .next = next, .was = was, .at = at, .lines = buffer_in(m->arena)};
    for (uint32_t i = 0; i < was->n; i++) {
        bool keep_any = m->chain && may_bring_any(old, &was->fields[i]);
        if (!t.taken[i] && !keep_any && has_room(&t, 2) && chance(m, 12) && join_others(&t, i))
            continue;
        if (!t.taken[i])
            turn_field(&t, &was->fields[i]);
        t.taken[i] = true;
    }
    add_fields(&t);
    if (t.lines.size)
        buffer_printf(&m->messages, "  %s:\n%.*s", key, BYTES_ARGS(buffer_bytes(&t.lines)));
}

static void turn_message(Maker *m, const Version *old, Version *next, uint32_t at)
{
    const Message *was = &old->messages[at];
    turn_fields(m, old, next, was, at, was->name);
    if (strcmp(was->name, next->messages[at].name) != 0)
        buffer_printf(&m->types, "  %s: %s\n", was->name, next->messages[at].name);
}

/* ---- What becomes of an enum ----------------------------------------------------------------- */

static void turn_enum(Maker *m, const Enum *was, Enum *is)
{
    Buffer lines = buffer_in(m->arena);
    *is = (Enum){0};
    memcpy(is->name, was->name, NAME_SIZE);
    if (chance(m, 20)) {
        new_name(m, "E", is->name);
        buffer_printf(&m->types, "  %s: %s\n", was->name, is->name);
    }
    for (uint32_t i = 0; i < was->n; i++) {
        const Named *value = &was->values[i];
        uint32_t what = i ? below(m, 10) : 9;
        Named same = {.number = (int)is->n};
        memcpy(same.name, value->name, NAME_SIZE);
        if (what == 0) {
            buffer_printf(&lines, "    %s: {removed: loud}\n", value->name);
        } else if (what == 1) {
            buffer_printf(&lines, "    %s: {removed: %s}\n", value->name, was->values[0].name);
        } else if (what < 5) {
            new_name(m, "V", same.name);
            buffer_printf(&lines, "    %s: %s\n", value->name, same.name);
            is->values[is->n++] = same;
        } else {
            is->values[is->n++] = same;
        }
    }
    if (is->n < MOST_VALUES && chance(m, 40)) {
        add_value(m, is, (int)is->n + 3);
        const char *name = is->values[is->n - 1].name;
        if (chance(m, 50))
            buffer_printf(&lines, "    %s: {added: loud}\n", name);
        else
            buffer_printf(&lines, "    %s: {added: %s}\n", name, was->values[0].name);
    }
    if (lines.size)
        buffer_printf(&m->enums, "  %s:\n%.*s", was->name, BYTES_ARGS(buffer_bytes(&lines)));
}

/* ---- What becomes of what no field holds ----------------------------------------------------- */

/* What is kept keeps its version's name, and what an Any in it brings gets another version's: on
   the way back it would be neither's. */
static const char *fate(Maker *m, const Stray *stray)
{
    static const char *const fates[] = {"loud", "graceful", "kept"};
    return fates[below(m, stray->any ? 2 : 3)];
}

/* Another message of the same name, which is no counterpart. */
static void add_namesake(Maker *m, Version *next, const Stray *was)
{
    Stray *is = &next->strays[next->n_strays++];
    *is = *was;
    is->any = !m->chain && !m->same_package && chance(m, 50);
    buffer_printf(&m->types, "  %s: [{removed: %s}, {added: %s}]\n", was->name,
                  chance(m, 50) ? "loud" : "graceful", chance(m, 50) ? "loud" : "graceful");
}

static void turn_strays(Maker *m, const Version *old, Version *next)
{
    for (uint32_t i = 0; i < old->n_strays; i++) {
        Stray stray = old->strays[i];
        uint32_t what = below(m, 10);
        if (what == 0 && chance(m, 50)) {
            add_namesake(m, next, &stray);
            continue;
        }
        if (what == 0)
            continue;
        if (what < 3) {
            buffer_printf(&m->types, "  %s: {removed: %s}\n", stray.name, fate(m, &stray));
            continue;
        }
        if (what < 5) {
            new_name(m, "S", stray.name);
            buffer_printf(&m->types, "  %s: %s\n", old->strays[i].name, stray.name);
        }
        next->strays[next->n_strays++] = stray;
    }
    uint32_t shared = next->n_strays;
    add_strays(m, next, below(m, m->most_strays));
    for (uint32_t i = shared; i < next->n_strays; i++) {
        if (chance(m, 60))
            buffer_printf(&m->types, "  %s: {added: %s}\n", next->strays[i].name,
                          fate(m, &next->strays[i]));
    }
}

/* The method gets a message of its own, which goes with the one that it shared. */
static void part_message(Maker *m, const Version *old, Version *next, uint32_t *message)
{
    const Message *was = &old->messages[*message];
    Message *parted = &next->messages[next->n];
    *parted = (Message){0};
    new_name(m, "P", parted->name);
    *message = next->n++;
    turn_fields(m, old, next, was, *message,
                arena_printf(m->arena, "%s to %s", was->name, parted->name));
}

static void turn_methods(Maker *m, const Version *old, Version *next)
{
    memcpy(next->service, old->service, NAME_SIZE);
    if (chance(m, 20)) {
        new_name(m, "Things", next->service);
        buffer_printf(&m->methods, "  %s: %s\n", old->service, next->service);
    }
    for (uint32_t i = 0; i < old->n_methods; i++) {
        Method method = old->methods[i];
        uint32_t what = below(m, 10);
        if (what == 0) {
            buffer_printf(&m->methods, "  %s.%s: {removed: loud}\n", old->service, method.name);
            continue;
        }
        if (what < 4) {
            new_name(m, "Do", method.name);
            buffer_printf(&m->methods, "  %s.%s: %s.%s\n", old->service, old->methods[i].name,
                          next->service, method.name);
        }
        if (next->n < MOST_MESSAGES && chance(m, 15))
            part_message(m, old, next, &method.request);
        if (next->n < MOST_MESSAGES && method.begins && chance(m, 40))
            part_message(m, old, next, &method.result);
        next->methods[next->n_methods++] = method;
    }
    if (next->n_methods < RANDOM_METHODS && chance(m, 40))
        add_method(m, next);
}

/* ---- From one version to the next ------------------------------------------------------------ */

static const char *turn(Maker *m, const Version *old, Version *next, unsigned number)
{
    m->types = m->messages = m->enums = m->methods = buffer_in(m->arena);
    *next = (Version){.n = old->n, .foreign = chance(m, 50)};
    for (uint32_t i = 0; i < N_ENUMS; i++)
        turn_enum(m, &old->enums[i], &next->enums[i]);
    for (uint32_t i = 0; i < old->n; i++) {
        memcpy(next->messages[i].name, old->messages[i].name, NAME_SIZE);
        next->messages[i].box = old->messages[i].box;
        if (chance(m, 20))
            new_name(m, "M", next->messages[i].name);
    }
    for (uint32_t i = 0; i < old->n; i++)
        turn_message(m, old, next, i);
    turn_strays(m, old, next);
    turn_methods(m, old, next);
    return arena_printf(m->arena,
                        "from: v%u\nto: v%u\ntypes:\n%.*smessages:\n%.*senums:\n%.*smethods:\n%.*s",
                        number, number + 1, BYTES_ARGS(buffer_bytes(&m->types)),
                        BYTES_ARGS(buffer_bytes(&m->messages)), BYTES_ARGS(buffer_bytes(&m->enums)),
                        BYTES_ARGS(buffer_bytes(&m->methods)));
}

/* ---- A version as a descriptor set ----------------------------------------------------------- */

static const struct {
    FieldKind kind;
    const char *name;
} kinds[N_TYPES] = {
    [INT32] = {KIND_INT32, "int32"},
    [INT64] = {KIND_INT64, "int64"},
    [UINT32] = {KIND_UINT32, "uint32"},
    [DOUBLE] = {KIND_DOUBLE, "double"},
    [BOOL] = {KIND_BOOL, "bool"},
    [STRING] = {KIND_STRING, "string"},
    [BYTES] = {KIND_BYTES, "bytes"},
    [ENUM] = {KIND_ENUM, NULL},
    [MESSAGE] = {KIND_MESSAGE, NULL},
    [TIMESTAMP] = {KIND_MESSAGE, "google.protobuf.Timestamp"},
    [WRAPPED] = {KIND_MESSAGE, "google.protobuf.Int32Value"},
    [MASK] = {KIND_MESSAGE, "google.protobuf.FieldMask"},
    [ANY] = {KIND_MESSAGE, "google.protobuf.Any"},
};

static const char *type_name(Maker *m, const Version *v, const char *package, const Field *field)
{
    if (field->type == ENUM)
        return arena_printf(m->arena, "%s.%s", package, v->enums[field->of].name);
    if (field->type == MESSAGE)
        return arena_printf(m->arena, "%s.%s", package, v->messages[field->of].name);
    return kinds[field->type].name;
}

static void add_text(Buffer *out, uint32_t number, const char *text)
{
    wire_add_bytes(out, number, bytes_of(text));
}

static void add_field_type(Maker *m, Buffer *out, const Version *v, const char *package,
                           const Field *field)
{
    FieldKind kind = kinds[field->type].kind;
    wire_add_number(out, 5, kind);
    if (kind == KIND_MESSAGE || kind == KIND_ENUM)
        add_text(out, 6, arena_printf(m->arena, ".%s", type_name(m, v, package, field)));
}

static void add_map_entry(Maker *m, Buffer *out, const Version *v, const char *package,
                          const Field *field)
{
    Buffer entry = buffer_in(m->arena), key = entry, value = entry;
    add_text(&entry, 1, arena_printf(m->arena, "F%sEntry", field->name + 1));
    add_text(&key, 1, "key");
    wire_add_number(&key, 3, 1);
    wire_add_number(&key, 4, 1);
    wire_add_number(&key, 5, KIND_STRING);
    add_text(&value, 1, "value");
    wire_add_number(&value, 3, 2);
    wire_add_number(&value, 4, 1);
    add_field_type(m, &value, v, package, field);
    wire_add_bytes(&entry, 2, buffer_bytes(&key));
    wire_add_bytes(&entry, 2, buffer_bytes(&value));
    wire_add_bytes(&entry, 7, bytes("\x38\x01", 2)); /* map_entry */
    wire_add_bytes(out, 3, buffer_bytes(&entry));
}

static void add_field(Maker *m, Buffer *message, const Version *v, const char *package,
                      const Message *in, const Field *field, uint32_t number)
{
    static const char *const labels[] = {"", "optional ", "repeated ", "map<string> "};
    Buffer out = buffer_in(m->arena);
    buffer_printf(&m->schemas, "  %s%s %s = %u;%s\n", labels[field->label],
                  type_name(m, v, package, field), field->name, number,
                  field->oneof ? " // in the oneof" : "");
    add_text(&out, 1, field->name);
    wire_add_number(&out, 3, number);
    wire_add_number(&out, 4, field->label >= LIST ? 3 : 1);
    if (field->label == MAP) {
        add_map_entry(m, message, v, package, field);
        wire_add_number(&out, 5, KIND_MESSAGE);
        add_text(&out, 6,
                 arena_printf(m->arena, ".%s.%s.F%sEntry", package, in->name, field->name + 1));
    } else {
        add_field_type(m, &out, v, package, field);
    }
    if (field->oneof)
        wire_add_number(&out, 9, field->oneof - 1);
    else if (field->label == OPTIONAL)
        wire_add_number(&out, 17, 1);
    wire_add_bytes(message, 2, buffer_bytes(&out));
}

static void add_message(Maker *m, Buffer *file, const Version *v, const char *package,
                        const Message *message)
{
    Buffer out = buffer_in(m->arena);
    uint32_t number = 1;
    add_text(&out, 1, message->name);
    buffer_printf(&m->schemas, "message %s.%s {\n", package, message->name);
    for (uint32_t i = 0; i < message->n; i++) {
        add_field(m, &out, v, package, message, &message->fields[i], number);
        number += 1 + below(m, 2);
    }
    for (uint32_t i = 0; i < message->n_oneofs; i++)
        wire_add_bytes(&out, 8, bytes("\x0a\x02is", 4));
    buffer_add_text(&m->schemas, "}\n");
    wire_add_bytes(file, 4, buffer_bytes(&out));
}

static void add_enum(Maker *m, Buffer *file, const Enum *e)
{
    Buffer out = buffer_in(m->arena);
    add_text(&out, 1, e->name);
    buffer_printf(&m->schemas, "enum %s {", e->name);
    for (uint32_t i = 0; i < e->n; i++) {
        Buffer value = buffer_in(m->arena);
        buffer_printf(&m->schemas, " %s = %d;", e->values[i].name, e->values[i].number);
        add_text(&value, 1, e->values[i].name);
        wire_add_number(&value, 2, (uint64_t)e->values[i].number);
        wire_add_bytes(&out, 2, buffer_bytes(&value));
    }
    buffer_add_text(&m->schemas, " }\n");
    wire_add_bytes(file, 5, buffer_bytes(&out));
}

static void add_stray(Maker *m, Buffer *file, const Version *v, const char *package,
                      const Stray *stray)
{
    Message message = {.n = stray->any ? 2 : 1,
                       .fields = {{.name = "f", .type = STRING}, {.name = "g", .type = ANY}}};
    memcpy(message.name, stray->name, NAME_SIZE);
    add_message(m, file, v, package, &message);
}

/* The answer, and google.longrunning.operation_info. */
static void add_operation(Maker *m, Buffer *method, const char *result)
{
    Buffer options = buffer_in(m->arena), info = options;
    add_text(method, 3, ".google.longrunning.Operation");
    add_text(&info, 1, result);
    wire_add_bytes(&options, 1049, buffer_bytes(&info));
    wire_add_bytes(method, 4, buffer_bytes(&options));
}

static void add_service(Maker *m, Buffer *file, const Version *v, const char *package)
{
    Buffer out = buffer_in(m->arena);
    add_text(&out, 1, v->service);
    for (uint32_t i = 0; i < v->n_methods; i++) {
        Buffer method = buffer_in(m->arena);
        add_text(&method, 1, v->methods[i].name);
        const Message *request = &v->messages[v->methods[i].request], *answer = &v->messages[1];
        add_text(&method, 2, arena_printf(m->arena, ".%s.%s", package, request->name));
        if (v->methods[i].begins)
            add_operation(m, &method, v->messages[v->methods[i].result].name);
        else
            add_text(&method, 3, arena_printf(m->arena, ".%s.%s", package, answer->name));
        buffer_printf(&m->schemas, "rpc %s(%s)%s%s\n", v->methods[i].name, request->name,
                      v->methods[i].begins ? " // an operation with " : "",
                      v->methods[i].begins ? v->messages[v->methods[i].result].name : "");
        wire_add_bytes(&out, 2, buffer_bytes(&method));
    }
    wire_add_bytes(file, 6, buffer_bytes(&out));
}

/* A file of its own, the same for all: as google.longrunning is. */
static void add_foreign(Maker *m, Buffer *set)
{
    Buffer file = buffer_in(m->arena), holder = file;
    Field field = {.name = "g", .type = ANY};
    Message message = {.name = "Holder"};
    Version none = {0};
    add_text(&file, 1, "foreign.proto");
    add_text(&file, 2, "foreign");
    add_text(&file, 3, "google/protobuf/any.proto");
    add_text(&file, 12, "proto3");
    add_text(&holder, 1, message.name);
    add_field(m, &holder, &none, "foreign", &message, &field, 1);
    wire_add_bytes(&file, 4, buffer_bytes(&holder));
    wire_add_bytes(set, 1, buffer_bytes(&file));
}

static void add_longrunning(Maker *m, Buffer *set)
{
    static const char *const names[] = {"metadata", "response"};
    static const uint32_t numbers[] = {2, 5};
    Buffer file = buffer_in(m->arena), operation = file;
    Message message = {.name = "Operation"};
    Version none = {0};
    add_text(&file, 1, "google/longrunning/operations.proto");
    add_text(&file, 2, "google.longrunning");
    add_text(&file, 3, "google/protobuf/any.proto");
    add_text(&file, 12, "proto3");
    add_text(&operation, 1, message.name);
    for (size_t i = 0; i < 2; i++) {
        Field field = {.type = ANY};
        snprintf(field.name, NAME_SIZE, "%s", names[i]);
        add_field(m, &operation, &none, "google.longrunning", &message, &field, numbers[i]);
    }
    wire_add_bytes(&file, 4, buffer_bytes(&operation));
    wire_add_bytes(set, 1, buffer_bytes(&file));
}

static void add_side(Maker *m, const Version *v, unsigned number, ChangeSide *side)
{
    static const char *const imports[] = {"timestamp", "wrappers", "any", "field_mask"};
    const char *package = m->same_package ? "r" : arena_printf(m->arena, "r.v%u", number);
    Buffer file = buffer_in(m->arena), set = file;
    Enum alone = {.n = 1, .values = {{.name = "ALONE"}}}; /* of this version only */
    snprintf(alone.name, NAME_SIZE, "Alone%u", number);
    add_text(&file, 1, arena_printf(m->arena, "r%u.proto", number));
    add_text(&file, 2, package);
    add_text(&file, 12, "proto3");
    for (size_t i = 0; i < sizeof imports / sizeof *imports; i++)
        add_text(&file, 3, arena_printf(m->arena, "google/protobuf/%s.proto", imports[i]));
    for (uint32_t i = 0; i < v->n; i++)
        add_message(m, &file, v, package, &v->messages[i]);
    for (uint32_t i = 0; i < v->n_strays; i++)
        add_stray(m, &file, v, package, &v->strays[i]);
    for (uint32_t i = 0; i < N_ENUMS; i++)
        add_enum(m, &file, &v->enums[i]);
    add_enum(m, &file, &alone);
    add_service(m, &file, v, package);
    add_text(&file, 3, "google/longrunning/operations.proto");
    wire_add_bytes(&set, 1, buffer_bytes(&file));
    add_longrunning(m, &set);
    if (v->foreign && !m->same_package)
        add_foreign(m, &set);
    *side = (ChangeSide){arena_printf(m->arena, "v%u", number), NULL, package};
    assert_ok(m->arena, schema_load(m->arena, buffer_bytes(&set), package, &side->schema));
}

static void add_version(Maker *m, const Version *v, RandomChain *chain)
{
    RandomMethods *methods = &chain->methods[chain->n_versions];
    for (uint32_t i = 0; i < v->n_methods; i++)
        methods->ids[i] = v->methods[i].id;
    methods->service = arena_printf(m->arena, "%s", v->service);
    add_side(m, v, chain->n_versions + 1, &chain->sides[chain->n_versions]);
    chain->n_versions++;
}

void random_chain(Arena *arena, uint64_t seed, RandomChain *chain_out)
{
    Maker m = {.arena = arena, .schemas = buffer_in(arena)};
    random_seed_fixed(&m.random, seed);
    Version *now = arena_make(arena, Version);
    uint32_t n_lists = 1 + below(&m, RANDOM_VERSIONS - 1);
    *chain_out = (RandomChain){0};
    m.same_package = chance(&m, 20);
    m.chain = n_lists > 1;
    m.calm = n_lists > 2;
    m.most_strays = 1 + below(&m, chance(&m, 20) ? MOST_STRAYS : 4);
    first_version(&m, now);
    add_version(&m, now, chain_out);
    while (chain_out->n_lists < n_lists) {
        Version *next = arena_make(arena, Version);
        chain_out->lists[chain_out->n_lists++] = turn(&m, now, next, chain_out->n_versions);
        add_version(&m, next, chain_out);
        now = next;
    }
    chain_out->schemas = arena_text(arena, buffer_bytes(&m.schemas));
}
