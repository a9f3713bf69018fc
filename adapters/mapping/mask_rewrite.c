#include "adapters/mapping/mask_rewrite.h"

#include "adapters/mapping/expr.h"
#include "adapters/mapping/target_path.h"
#include "adapters/schema/wire.h"

enum { MOST_DEPTH = 32, MOST_READS = 256, MOST_TOLD = 8 };

typedef struct Work {
    Arena *arena;
    MaskRewrite *out;
    Bytes *named; /* all paths of the mask */
    uint32_t n_named, n_paths;
    Bytes path; /* the one at hand */
    MaskFate fate;
    bool widen, found;
    unsigned depth;
} Work;

/* ---- Paths ----------------------------------------------------------------------------------- */

/* Takes the first step off the path, up to the next dot; a key of a map that is no word is between
   backticks. False: there is none. */
static bool take_step(Bytes *path, Bytes *step_out)
{
    size_t quoted = path->size && path->data[0] == '`'
                        ? 1 + bytes_find(bytes_slice(*path, 1, SIZE_MAX), '`')
                        : 0;
    size_t end = quoted + bytes_find(bytes_slice(*path, quoted, SIZE_MAX), '.');
    *step_out = bytes_slice(*path, 0, end);
    *path = bytes_slice(*path, end + 1, SIZE_MAX);
    return step_out->size;
}

static bool is_inside(Bytes path, Bytes outer)
{
    return path.size > outer.size && path.data[outer.size] == '.' &&
           memcmp(path.data, outer.data, outer.size) == 0;
}

static bool takes_any_name(const MessageType *message)
{
    return message->well_known == WELL_KNOWN_STRUCT || message->well_known == WELL_KNOWN_VALUE ||
           message->well_known == WELL_KNOWN_LIST_VALUE;
}

/* Whether the path names something that a message of this type can have. */
static bool exists(const MessageType *message, Bytes path)
{
    Bytes step;
    if (path.size && path.data[path.size - 1] == '.')
        return false;
    while (message && !takes_any_name(message)) {
        const FieldType *field = take_step(&path, &step) ? message_field(message, step) : NULL;
        if (!field || !bytes_are(step, field->name))
            return false;
        if (path.size && field->repeated) {
            if (!take_step(&path, &step) || (!field->map && !bytes_are(step, "*")))
                return false;
        }
        if (!path.size)
            return true;
        message = field_element_message(field);
    }
    return message;
}

/* `rest`: the part of the source path below the field that the target was made of. */
static void add_path(Work *w, const TargetPath *target, Bytes rest)
{
    Bytes path = target_path_text(&w->out->paths, target, rest);
    w->found = true;
    if (target_paths_have(&w->out->paths, path))
        return;
    if (w->n_paths++ == MASK_REWRITE_MOST) /* each is compared with the others */
        w->fate = MASK_TOO_LONG;
    else
        wire_add_bytes(&w->out->paths, 1, path);
}

/* ---- What a value is made of ----------------------------------------------------------------- */

/* A field that is read, or one member of a message that is. */
typedef struct Read {
    const Expr *field;
    const FieldType *member; /* or NULL: all of it */
    bool presence;           /* it only matters whether the field is there */
} Read;

typedef struct Reads {
    Read items[MOST_READS];
    uint32_t n;
} Reads;

enum { MOST_MEMBERS = 3 };

/* The members that the converter reads of its message; false: all of it. */
static bool find_members(const Converter *by, const FieldType **members)
{
    memset((void *)members, 0, MOST_MEMBERS * sizeof *members);
    switch (by->code) {
    case CONVERT_UNWRAP:
    case CONVERT_MEMBER: members[0] = by->value; return true;
    case CONVERT_TIME_UNITS:
    case CONVERT_TIME_TEXT:
    case CONVERT_TIME_DATE: members[0] = by->seconds, members[1] = by->nanos; return true;
    case CONVERT_MONEY_AMOUNT: members[0] = by->units, members[1] = by->nanos; return true;
    case CONVERT_DATE_TIME:
    case CONVERT_DATE_TEXT:
        members[0] = by->year, members[1] = by->month, members[2] = by->day;
        return true;
    default: return false;
    }
}

static void add_read(Reads *reads, Read read)
{
    if (reads->n < MOST_READS)
        reads->items[reads->n++] = read;
}

static void collect(const Expr *expr, const Converter *by, bool presence, Reads *reads)
{
    const FieldType *members[MOST_MEMBERS];
    if (expr->kind == EXPR_FIELD) {
        if (!by || expr->type.repeated || !find_members(by, members)) {
            add_read(reads, (Read){expr, NULL, presence});
            return;
        }
        for (int i = 0; i < MOST_MEMBERS && members[i]; i++)
            add_read(reads, (Read){expr, members[i], presence});
        return;
    }
    if (expr->kind == EXPR_CONVERT && expr->converter->code != CONVERT_SENTINEL)
        by = expr->converter;
    bool first_only = expr->kind == EXPR_UNLESS || (expr->kind == EXPR_WHEN && !expr->constants);
    for (uint32_t i = 0; expr->kind != EXPR_BUILD && i < expr->n_args && !(i && first_only); i++)
        collect(expr->args[i], expr->kind == EXPR_WHEN && i ? NULL : by,
                presence || expr->kind == EXPR_SELECT, reads);
    for (uint32_t i = 0; expr->kind == EXPR_BUILD && i < expr->n_rules; i++)
        collect(expr->rules[i].value, NULL, presence, reads);
}

static void collect_all(const Expr *expr, Reads *reads)
{
    reads->n = 0; /* the items are many, and are not cleared */
    collect(expr, NULL, false, reads);
}

static bool reads_nothing(const Expr *expr)
{
    Reads reads;
    collect_all(expr, &reads);
    return !reads.n;
}

/* The path of what is read, below `prefix`; only its first steps, and with `last` for the last one.
 */
static Bytes read_path(Work *w, Bytes prefix, const Read *read, uint32_t n_steps,
                       const FieldType *last)
{
    Buffer path = buffer_in(w->arena);
    buffer_add_bytes(&path, prefix);
    for (uint32_t i = 0; i < n_steps; i++) {
        if (i)
            buffer_add_byte(&path, '.');
        const FieldType *step = last && i + 1 == n_steps ? last : read->field->steps[i];
        buffer_add_text(&path, step->name);
    }
    if (!last && read->member && n_steps == read->field->n_steps)
        buffer_printf(&path, ".%s", read->member->name);
    w->out->paths.full |= path.full;
    return buffer_bytes(&path);
}

static bool is_named(const Work *w, Bytes path, bool in_part)
{
    for (uint32_t i = 0; i < w->n_named; i++) {
        Bytes named = w->named[i];
        if (bytes_equal(named, path) || is_inside(path, named) || bytes_are(named, "*") ||
            (in_part && is_inside(named, path)))
            return true;
    }
    return false;
}

/* Whether the mask names all of what is read. A mask that names a member of a oneof names the
   others too, which are unset then. */
static bool is_covered(Work *w, Bytes prefix, const Read *read)
{
    const Expr *field = read->field;
    if (is_named(w, read_path(w, prefix, read, field->n_steps, NULL), read->presence))
        return true;
    for (uint32_t i = 0; i < field->n_steps; i++) {
        const OneofType *oneof = field->steps[i]->oneof;
        for (uint32_t k = 0; oneof && k < oneof->n_fields; k++) {
            const FieldType *other = oneof->fields[k];
            if (other != field->steps[i] &&
                is_named(w, read_path(w, prefix, read, i + 1, other), true))
                return true;
        }
    }
    return false;
}

/* Whether the path names what is read, something above it, or something in it. */
static bool is_touched(Bytes rest, const Read *read)
{
    Bytes step;
    for (uint32_t i = 0; rest.size && i < read->field->n_steps; i++) {
        take_step(&rest, &step);
        if (!bytes_are(step, read->field->steps[i]->name))
            return false;
    }
    return !rest.size || !read->member ||
           (take_step(&rest, &step) && bytes_are(step, read->member->name));
}

/* "project, topic and zone" */
static const char *told(Work *w, Bytes prefix, const Reads *reads)
{
    Bytes paths[MOST_TOLD];
    uint32_t n = 0;
    for (uint32_t i = 0; i < reads->n && n < MOST_TOLD; i++) {
        Read whole = {.field = reads->items[i].field};
        Bytes path = read_path(w, prefix, &whole, whole.field->n_steps, NULL);
        uint32_t k = 0;
        while (k < n && !bytes_equal(paths[k], path))
            k++;
        if (k == n)
            paths[n++] = path;
    }
    Buffer text = buffer_in(w->arena);
    for (uint32_t i = 0; i < n; i++) {
        buffer_add_text(&text, !i ? "" : i + 1 == n ? " and " : ", ");
        buffer_add_bytes(&text, paths[i]);
    }
    buffer_add_byte(&text, 0);
    return text.full ? "the whole" : (const char *)text.data;
}

static void refuse_part(Work *w, Bytes prefix, const TargetPath *target, const Reads *reads)
{
    Buffer whole = buffer_in(w->arena);
    target_path_write(&whole, target);
    buffer_add_byte(&whole, 0);
    w->fate = MASK_PART;
    w->out->whole = whole.full ? "" : (const char *)whole.data;
    w->out->instead = told(w, prefix, reads);
}

/* ---- Through the mapping --------------------------------------------------------------------- */

static void rewrite_rules(Work *w, const Rule *rules, uint32_t n_rules, const TargetPath *outer,
                          Bytes rest);

static Bytes prefix_of(const Work *w, Bytes rest)
{
    return bytes_slice(w->path, 0, w->path.size - rest.size);
}

/* The target is made of all that is read, as a whole. */
static void rewrite_whole(Work *w, const TargetPath *target, Bytes rest, const Reads *reads)
{
    bool touched = false, covered = true;
    Bytes prefix = prefix_of(w, rest);
    for (uint32_t i = 0; i < reads->n && !touched; i++)
        touched = is_touched(rest, &reads->items[i]);
    for (uint32_t i = 0; touched && covered && i < reads->n; i++)
        covered = is_covered(w, prefix, &reads->items[i]);
    if (!touched)
        return;
    if (!covered && !w->widen) {
        refuse_part(w, prefix, target, reads);
        return;
    }
    w->out->widened |= !covered;
    add_path(w, target, BYTES_NONE);
}

/* An amount and its currency, which are two fields, as one message: each is a part of it. */
static bool rewrite_money(Work *w, const Expr *expr, const TargetPath *target, Bytes rest)
{
    const Converter *by = expr->converter;
    Bytes prefix = prefix_of(w, rest);
    Reads amount, currency;
    collect_all(expr->args[0], &amount);
    collect_all(expr->args[1], &currency);
    if (amount.n != 1 || currency.n != 1 ||
        (is_covered(w, prefix, amount.items) && is_covered(w, prefix, currency.items)))
        return false;
    TargetPath units = {target, by->units, BYTES_NONE}, nanos = {target, by->nanos, BYTES_NONE},
               code = {target, by->currency, BYTES_NONE};
    rewrite_whole(w, &units, rest, &amount);
    rewrite_whole(w, &nanos, rest, &amount);
    rewrite_whole(w, &code, rest, &currency);
    return true;
}

static void rewrite_made(Work *w, const Expr *expr, const TargetPath *target, Bytes rest)
{
    Reads reads;
    if (expr->kind == EXPR_CONVERT && expr->converter->code == CONVERT_AMOUNT_MONEY &&
        expr->n_args == 2 && !target->field->repeated && rewrite_money(w, expr, target, rest))
        return;
    collect_all(expr, &reads);
    rewrite_whole(w, target, rest, &reads);
}

/* A field that is taken as it is, or through `inner`; so paths lead on below it. */
static void rewrite_field(Work *w, const Expr *field, const Mapping *inner,
                          const TargetPath *target, Bytes rest)
{
    TargetPath at = *target;
    const FieldType *last = field->steps[field->n_steps - 1];
    Bytes step;
    for (uint32_t i = 0; i < field->n_steps && rest.size; i++) {
        take_step(&rest, &step);
        if (!bytes_are(step, field->steps[i]->name))
            return;
    }
    if (rest.size && last->repeated) {
        take_step(&rest, &step);
        at.element = bytes(step.data - 1, step.size + 1); /* with the dot in front of it */
    }
    if (rest.size && inner && !inner->identity)
        rewrite_rules(w, inner->rules, inner->n_rules, &at, rest);
    else
        add_path(w, &at, rest);
}

/* What only decides whether there is a value, and what stands in for one, is no part of it. */
static const Expr *without_conditions(const Expr *expr)
{
    for (;;) {
        bool passes = (expr->kind == EXPR_DEFAULT && reads_nothing(expr->args[1])) ||
                      (expr->kind == EXPR_REQUIRE && expr->n_args) || expr->kind == EXPR_UNLESS ||
                      (expr->kind == EXPR_WHEN && !expr->constants) ||
                      (expr->kind == EXPR_CONVERT && expr->converter->code == CONVERT_SENTINEL);
        if (!passes)
            return expr;
        expr = expr->args[0];
    }
}

static void rewrite_value(Work *w, const Expr *value, const TargetPath *target, Bytes rest)
{
    const Expr *expr = without_conditions(value);
    bool message = expr->kind == EXPR_MESSAGE && expr->args[0]->kind == EXPR_FIELD;
    if (w->depth == MOST_DEPTH)
        return;
    w->depth++;
    if (expr->kind == EXPR_BUILD)
        rewrite_rules(w, expr->rules, expr->n_rules, target, rest);
    else if (expr->kind == EXPR_FIELD)
        rewrite_field(w, expr, NULL, target, rest);
    else if (message)
        rewrite_field(w, expr->args[0], expr->mapping, target, rest);
    else
        rewrite_made(w, expr, target, rest);
    w->depth--;
}

static void rewrite_rules(Work *w, const Rule *rules, uint32_t n_rules, const TargetPath *outer,
                          Bytes rest)
{
    for (uint32_t i = 0; i < n_rules && w->fate == MASK_OK; i++) {
        TargetPath target = {outer, rules[i].target, BYTES_NONE};
        rewrite_value(w, rules[i].value, &target, rest);
    }
}

/* ---- The mask -------------------------------------------------------------------------------- */

static void rewrite_path(Work *w, const Mapping *mapping, Bytes path)
{
    w->path = path;
    w->found = false;
    if (bytes_are(path, "*"))
        wire_add_bytes(&w->out->paths, 1, path);
    else if (!exists(mapping->from, path))
        w->fate = MASK_NO_FIELD;
    else
        rewrite_rules(w, mapping->rules, mapping->n_rules, NULL, path);
    if (w->fate == MASK_OK && !w->found && !bytes_are(path, "*"))
        w->fate = MASK_NO_COUNTERPART;
    if (w->fate != MASK_OK)
        w->out->path = path;
}

static MaskFate read_named(Work *w, Bytes mask)
{
    WireReader reader = wire_reader(mask);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number != 1 || f.type != WIRE_LENGTH)
            continue;
        if (w->n_named == MASK_REWRITE_MOST)
            return MASK_TOO_LONG;
        w->named[w->n_named++] = f.bytes;
    }
    return reader.bad ? MASK_MALFORMED : MASK_OK;
}

static uint32_t count_paths(Bytes mask)
{
    uint32_t n = 0;
    WireReader reader = wire_reader(mask);
    for (WireField f; n < MASK_REWRITE_MOST && wire_next(&reader, &f);)
        n++;
    return n;
}

MaskFate mask_rewrite(Arena *arena, const Mapping *mapping, Bytes mask, bool widen,
                      MaskRewrite *rewrite_out)
{
    *rewrite_out = (MaskRewrite){.paths = buffer_in(arena)};
    Work w = {.arena = arena, .out = rewrite_out, .widen = widen};
    w.named = arena_array(arena, Bytes, count_paths(mask) + 1);
    if (!w.named) {
        rewrite_out->paths.full = true;
        return MASK_OK;
    }
    w.fate = read_named(&w, mask);
    for (uint32_t i = 0; i < w.n_named && w.fate == MASK_OK; i++)
        rewrite_path(&w, mapping, w.named[i]);
    return w.fate;
}
