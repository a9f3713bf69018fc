/* The oracle's field masks: each target of a change is named if all that it is made of is. */
#include "adapters/prove/oracle_internal.h"

enum { MOST_NEEDS = 512 };

/* What a target is made of: a path of the source message. */
typedef struct Need {
    const FieldPath *field;
    const char *member; /* of that message; or NULL */
    bool presence;      /* only whether it is there */
} Need;

typedef struct Needs {
    Need items[MOST_NEEDS];
    uint32_t n;
    const FieldChange *only; /* the change that the target is taken from as it is; or NULL */
} Needs;

typedef struct Mask {
    Oracle *o;
    const Converter *by;
    const TreeField *named;
    Tree *out;
    Bytes path; /* the one at hand */
    bool known;
} Mask;

static Result refuse(Mask *m, const char *why)
{
    return FAIL(m->o->arena, FAULT_CANNOT_CONVERT, "field_mask: %.*s: %s", BYTES_ARGS(m->path),
                why);
}

static void add(Mask *m, const char *prefix, const char *path, Bytes rest)
{
    const FieldType *paths = message_field_by_number(m->out->type, 1);
    const TreeField *before = tree_field(m->out, paths);
    Bytes text = bytes_of(arena_printf(m->o->arena, "%s%s%s%.*s", prefix, path,
                                       rest.size ? "." : "", BYTES_ARGS(rest)));
    m->known = true;
    for (uint32_t i = 0; i < before->n; i++) {
        if (bytes_equal(before->values[i].plain.bytes, text))
            return; /* no duplicates */
    }
    tree_put(m->o->arena, m->out, paths, (TreeValue){.plain = {.bytes = text}});
}

/* ---- Paths ----------------------------------------------------------------------------------- */

static bool is_in(Bytes inner, Bytes outer)
{
    return inner.size > outer.size && inner.data[outer.size] == '.' &&
           bytes_equal(bytes_slice(inner, 0, outer.size), outer);
}

static bool is_about(Bytes path, Bytes source)
{
    return bytes_equal(path, source) || is_in(path, source) || is_in(source, path);
}

/* The first step of a path: a name, or a key between backticks. */
static Bytes first_step(Bytes path)
{
    bool quoted = false;
    size_t end = 0;
    while (end < path.size && (path.data[end] != '.' || quoted)) {
        quoted ^= path.data[end] == '`' && (end == 0 || quoted);
        end++;
    }
    return bytes_slice(path, 0, end);
}

static Bytes behind(Bytes path, Bytes step)
{
    return bytes_slice(path, step.size + 1, path.size);
}

static bool takes_anything(const MessageType *type)
{
    return type->well_known == WELL_KNOWN_STRUCT || type->well_known == WELL_KNOWN_VALUE ||
           type->well_known == WELL_KNOWN_LIST_VALUE;
}

static bool is_path_of(const MessageType *type, Bytes path)
{
    Bytes name = first_step(path), rest = behind(path, name);
    const FieldType *field = message_field(type, name);
    if (takes_anything(type))
        return true;
    if (!name.size || !field || !bytes_are(name, field->name) || path.size == name.size + 1)
        return false;
    if (path.size == name.size)
        return true;
    if (field->repeated) {
        Bytes element = first_step(rest);
        if (!element.size || (!field->map && !bytes_are(element, "*")))
            return false;
        if (rest.size == element.size)
            return true;
        rest = behind(rest, element);
        if (field->map)
            field = message_field_by_number(field->message, 2);
    }
    return field->message && rest.size && is_path_of(field->message, rest);
}

/* ---- What a target is made of ---------------------------------------------------------------- */

static void need(Needs *needs, Need one)
{
    if (one.field->n_steps && needs->n < MOST_NEEDS)
        needs->items[needs->n++] = one;
}

static void need_all(Needs *needs, const FieldPath *paths, uint32_t n, bool presence)
{
    for (uint32_t i = 0; i < n; i++)
        need(needs, (Need){&paths[i], NULL, presence});
}

/* The members of a message that its converter reads. */
static void need_members(Needs *needs, const Converter *by, const FieldPath *field)
{
    const FieldType *found[] = {by->units, by->seconds, by->nanos, by->year,
                                by->month, by->day,     by->value};
    static const ConverterCode readers[] = {
        CONVERT_UNWRAP,    CONVERT_TIME_UNITS, CONVERT_TIME_TEXT,   CONVERT_TIME_DATE,
        CONVERT_DATE_TIME, CONVERT_DATE_TEXT,  CONVERT_MONEY_AMOUNT};
    bool reads = false;
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        reads |= by->code == readers[i];
    for (size_t i = 0; reads && i < sizeof found / sizeof *found; i++) {
        if (found[i] && found[i]->parent == by->from.message)
            need(needs, (Need){field, found[i]->name, false});
    }
}

static void need_value(Mask *m, const MessagePair *pair, const FieldChange *change, Needs *needs)
{
    const ChangeEnd *from = &change->ends[!m->o->to], *to = &change->ends[m->o->to];
    const Converter *by = change->convert[m->o->to];
    const FieldType *field = path_field(&from->paths[0]);
    uint32_t which, before = needs->n;
    const FieldChange *kind = change_alternative(pair, !m->o->to, &from->paths[0], &which);
    if (by && !field->repeated)
        need_members(needs, by, &from->paths[0]);
    if (needs->n == before)
        need(needs, (Need){&from->paths[0], NULL, false});
    need(needs, (Need){&from->when, NULL, false});
    if (by && by->code == CONVERT_AMOUNT_MONEY)
        need(needs, (Need){&from->currency, NULL, false});
    bool chosen = kind && kind->select->unused == UNUSED_ZERO;
    if (chosen)
        need_all(needs, kind->select->paths, kind->select->n, true);
    bool as_it_is = !by && !chosen && !from->when.n_steps &&
                    field->repeated == path_field(&to->paths[0])->repeated;
    needs->only = as_it_is ? change : NULL;
}

static void need_change(Mask *m, const MessagePair *pair, const FieldChange *change, Needs *needs)
{
    const ChangeEnd *from = &change->ends[!m->o->to];
    needs->only = NULL;
    if (change->mark)
        need(needs, (Need){&change->mark->flag, NULL, false});
    else if (change->select)
        need_all(needs, change->select->paths, change->select->n, true);
    else if (change->ends[OLD].template || change->ends[NEW].template || change->merged ||
             change->keyed)
        need_all(needs, from->paths, from->n_paths, false);
    else if (from->n_paths)
        need_value(m, pair, change, needs);
}

/* All changes that give a value to this target. False: an earlier one was asked for it before. */
static bool find_needs(Mask *m, const MessagePair *pair, const FieldChange *change,
                       const FieldPath *target, Needs *needs)
{
    uint32_t n_feeding = 0;
    *needs = (Needs){.n = 0};
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *other = &pair->changes[i];
        const ChangeEnd *to = &other->ends[m->o->to];
        for (uint32_t k = 0; k < to->n_paths; k++) {
            if (!path_equal(&to->paths[k], target))
                continue;
            if (other < change)
                return false;
            uint32_t before = needs->n;
            need_change(m, pair, other, needs);
            n_feeding += needs->n > before;
        }
    }
    if (n_feeding > 1)
        needs->only = NULL;
    return true;
}

/* ---- Whether the mask names it --------------------------------------------------------------- */

static Bytes need_text(Mask *m, Bytes prefix, const Need *one)
{
    return bytes_of(arena_printf(m->o->arena, "%.*s%s%s%s", BYTES_ARGS(prefix), one->field->text,
                                 one->member ? "." : "", one->member ? one->member : ""));
}

static bool is_named(const Mask *m, Bytes path, bool in_part)
{
    for (uint32_t i = 0; i < m->named->n; i++) {
        Bytes named = m->named->values[i].plain.bytes;
        if (bytes_are(named, "*") || bytes_equal(named, path) || is_in(path, named) ||
            (in_part && is_in(named, path)))
            return true;
    }
    return false;
}

/* Of a oneof, one member stands for all. */
static bool a_sibling_is_named(Mask *m, Bytes prefix, const FieldPath *field)
{
    const char *above = "";
    for (uint32_t i = 0; i < field->n_steps; i++) {
        const FieldType *step = field->steps[i];
        for (uint32_t k = 0; step->oneof && k < step->parent->n_fields; k++) {
            const FieldType *other = &step->parent->fields[k];
            if (other->oneof == step->oneof && other != step &&
                is_named(m,
                         bytes_of(arena_printf(m->o->arena, "%.*s%s%s", BYTES_ARGS(prefix), above,
                                               other->name)),
                         true))
                return true;
        }
        above = arena_printf(m->o->arena, "%s%s.", above, step->name);
    }
    return false;
}

static bool is_needed_named(Mask *m, Bytes prefix, const Need *one)
{
    return is_named(m, need_text(m, prefix, one), one->presence) ||
           a_sibling_is_named(m, prefix, one->field);
}

static Result name_whole(Mask *m, Bytes source, const char *prefix, const char *target,
                         const Needs *needs)
{
    bool about = false, all = true;
    for (uint32_t i = 0; i < needs->n; i++) {
        about |= is_about(m->path, need_text(m, source, &needs->items[i]));
        all &= is_needed_named(m, source, &needs->items[i]);
    }
    if (!about)
        return OK;
    if (!all && !m->by->widen)
        return refuse(m, "it is only a part");
    add(m, prefix, target, BYTES_NONE);
    return OK;
}

/* An amount and its currency are two fields at one end, and parts of one message at the other. */
static Result name_money(Mask *m, const FieldChange *change, Bytes source, const char *prefix)
{
    const ChangeEnd *from = &change->ends[!m->o->to], *to = &change->ends[m->o->to];
    const Converter *by = change->convert[m->o->to];
    Need amount = {&from->paths[0], NULL, false}, code = {&from->currency, NULL, false};
    bool has_amount = is_needed_named(m, source, &amount),
         has_code = is_needed_named(m, source, &code);
    const char *inside = arena_printf(m->o->arena, "%s%s.", prefix, to->paths[0].text);
    if (is_about(m->path, need_text(m, source, &amount)) && !has_code) {
        add(m, inside, by->units->name, BYTES_NONE);
        add(m, inside, by->nanos->name, BYTES_NONE);
    }
    if (is_about(m->path, need_text(m, source, &code)) && !has_amount)
        add(m, inside, by->currency->name, BYTES_NONE);
    if (has_code && has_amount &&
        (is_about(m->path, need_text(m, source, &amount)) ||
         is_about(m->path, need_text(m, source, &code))))
        add(m, prefix, to->paths[0].text, BYTES_NONE);
    return OK;
}

static Result name_pair(Mask *m, const MessagePair *pair, Bytes source, const char *prefix);

/* A value that is taken as it is: paths lead on inside it. */
static Result name_inside(Mask *m, const FieldChange *change, const FieldPath *target, Bytes source,
                          const char *prefix)
{
    const FieldPath *field = &change->ends[!m->o->to].paths[0];
    Bytes text = need_text(m, source, &(Need){field, NULL, false});
    if (!is_in(m->path, text)) {
        if (is_about(m->path, text))
            add(m, prefix, target->text, BYTES_NONE);
        return OK;
    }
    Bytes rest = behind(m->path, text);
    const char *there = target->text;
    if (path_field(field)->repeated) {
        Bytes element = first_step(rest);
        there = arena_printf(m->o->arena, "%s.%s", there, arena_text(m->o->arena, element));
        rest = behind(rest, element);
    }
    if (!rest.size || !change->pair || takes_anything(change->pair->ends[!m->o->to])) {
        add(m, prefix, there, rest);
        return OK;
    }
    return name_pair(m, change->pair, bytes_slice(m->path, 0, m->path.size - rest.size),
                     arena_printf(m->o->arena, "%s%s.", prefix, there));
}

static Result name_target(Mask *m, const MessagePair *pair, const FieldChange *change,
                          const FieldPath *target, Bytes source, const char *prefix)
{
    Needs needs;
    if (!find_needs(m, pair, change, target, &needs))
        return OK;
    const Converter *by = change->convert[m->o->to];
    if (needs.only)
        return name_inside(m, needs.only, target, source, prefix);
    if (by && by->code == CONVERT_AMOUNT_MONEY && change->ends[!m->o->to].currency.n_steps &&
        !path_field(target)->repeated)
        return name_money(m, change, source, prefix);
    return name_whole(m, source, prefix, target->text, &needs);
}

/* The currency beside an amount is taken out of the money. */
static Result name_currency(Mask *m, const FieldChange *change, Bytes source, const char *prefix)
{
    const ChangeEnd *from = &change->ends[!m->o->to], *to = &change->ends[m->o->to];
    Needs needs = {.n = 0};
    if (!to->currency.n_steps || !change->convert[m->o->to])
        return OK;
    need(&needs, (Need){&from->paths[0], change->convert[m->o->to]->currency->name, false});
    return name_whole(m, source, prefix, to->currency.text, &needs);
}

static Result name_pair(Mask *m, const MessagePair *pair, Bytes source, const char *prefix)
{
    Result r = OK;
    for (uint32_t i = 0; !failed(r) && i < pair->n_changes; i++) {
        const FieldChange *change = &pair->changes[i];
        for (uint32_t k = 0; !failed(r) && k < change->ends[m->o->to].n_paths; k++)
            r = name_target(m, pair, change, &change->ends[m->o->to].paths[k], source, prefix);
        if (!failed(r))
            r = name_currency(m, change, source, prefix);
    }
    return r;
}

Result oracle_mask(Oracle *o, const Converter *by, const Tree *from, Tree *to)
{
    const FieldType *paths = message_field_by_number(from->type, 1);
    const MessagePair *pair = oracle_find_pair(o, by->mapping->from);
    Mask m = {.o = o, .by = by, .named = tree_field(from, paths), .out = to};
    for (uint32_t i = 0; i < m.named->n; i++) {
        m.path = m.named->values[i].plain.bytes;
        m.known = false;
        if (bytes_are(m.path, "*") || by->mapping->identity) {
            add(&m, arena_text(o->arena, m.path), "", BYTES_NONE);
            continue;
        }
        bool ends = m.path.size && m.path.data[m.path.size - 1] != '.';
        if (!ends || !is_path_of(pair->ends[!o->to], m.path))
            return refuse(&m, "no such path");
        Result r = name_pair(&m, pair, BYTES_NONE, "");
        if (failed(r))
            return r;
        if (!m.known)
            return refuse(&m, "no counterpart");
    }
    return OK;
}
