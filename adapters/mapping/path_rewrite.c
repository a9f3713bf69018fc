#include "adapters/mapping/path_rewrite.h"

#include "adapters/mapping/target_path.h"
#include "adapters/schema/wire.h"

enum { MOST_DEPTH = 32 };

/* `rest`: the part of the source path below the matched field. */
static void add_path(PathRewrite *r, const TargetPath *target, Bytes rest)
{
    Bytes path = target_path_text(&r->paths, target, rest);
    r->found = true;
    if (target_paths_have(&r->paths, path))
        return;
    r->full |=
        r->n_paths++ >= PATH_REWRITE_MOST; /* limited, because each is compared with the others */
    wire_add_bytes(&r->paths, 1, path);
}

/* ---- Matching a path and a field ------------------------------------------------------------- */

/* One step of a path, "lines[2]" or `labels["a.b"]`, split into name and element. */
typedef struct PathPart {
    Bytes name, element;
} PathPart;

static size_t element_end(Bytes path, size_t at)
{
    bool quoted = false;
    for (; at < path.size && (quoted || path.data[at] != ']'); at++) {
        if (path.data[at] == '\\')
            at++;
        else if (path.data[at] == '"')
            quoted = !quoted;
    }
    return at + 1;
}

/* Removes the first step from the path. False: there is none. */
static bool take_step(Bytes *path, PathPart *step_out)
{
    Bytes rest = *path;
    step_out->element = BYTES_NONE;
    if (!rest.size)
        return false;
    size_t end = 0;
    while (end < rest.size && rest.data[end] != '.' && rest.data[end] != '[')
        end++;
    step_out->name = bytes_slice(rest, 0, end);
    size_t after = end;
    while (after < rest.size && rest.data[after] == '[')
        after = element_end(rest, after);
    step_out->element = bytes_slice(rest, end, after > end ? after - end : 0);
    *path = bytes_slice(rest, after < rest.size && rest.data[after] == '.' ? after + 1 : after,
                        SIZE_MAX);
    return true;
}

static bool is_named(const FieldType *field, Bytes name)
{
    return bytes_are(name, field->name) || bytes_are(name, field->json_name);
}

typedef enum Match { MATCH_NONE, MATCH_ABOVE, MATCH_EXACT, MATCH_BELOW } Match;

/* Whether the path names the field that is read, something above it, or something below it. */
static Match match_steps(const Expr *field, Bytes path, Bytes *element_out, Bytes *rest_out)
{
    PathPart step;
    *rest_out = *element_out = BYTES_NONE;
    for (uint32_t i = 0; i < field->n_steps; i++) {
        if (!take_step(&path, &step))
            return MATCH_ABOVE;
        if (!is_named(field->steps[i], step.name))
            return MATCH_NONE;
        *element_out = step.element; /* only the last step may have an element */
    }
    *rest_out = path;
    return path.data && path.size ? MATCH_BELOW : MATCH_EXACT;
}

/* ---- Through the mapping --------------------------------------------------------------------- */

static void rewrite_mapping(PathRewrite *r, const Mapping *mapping, const TargetPath *outer,
                            Bytes path);

static void rewrite_rules(PathRewrite *r, const Rule *rules, uint32_t n_rules,
                          const TargetPath *outer, Bytes path);

/* How the value that is read is converted on the way to the target. */
typedef struct Reading {
    const Mapping *inner; /* a message goes through this */
    bool into_many;       /* the target is a list or map */
    bool converted;       /* by a converter: fields inside have no counterpart of their own */
    bool taken;           /* only element number `shift` of the list is used */
    int shift;            /* added to the index of an element */
} Reading;

/* Adjusts the index in "[2]". False: the element is not converted to this target. */
static bool move_element(PathRewrite *r, Reading how, Bytes *element)
{
    uint64_t index;
    if (!element->size || (!how.shift && !how.taken))
        return true;
    if (element->size < 3 || !bytes_to_u64(bytes_slice(*element, 1, element->size - 2), &index))
        return !how.taken;
    if (how.taken) {
        *element = BYTES_NONE;
        return index == 0;
    }
    if (how.shift < 0 && index == 0)
        return false;
    Buffer moved = buffer_in(r->paths.arena);
    buffer_printf(&moved, "[%llu]", (unsigned long long)index + (unsigned long long)how.shift);
    *element = buffer_bytes(&moved);
    return true;
}

static Reading through(Reading how, const Mapping *inner)
{
    how.inner = inner;
    return how;
}

static void rewrite_field(PathRewrite *r, const Expr *field, const TargetPath *target, Reading how,
                          Bytes path)
{
    Bytes rest, element;
    Match match = match_steps(field, path, &element, &rest);
    bool named = element.size;
    if (match == MATCH_NONE || !move_element(r, how, &element))
        return;
    TargetPath at = *target;
    if (field->type.repeated && how.into_many)
        at.element = element;
    /* A path leads into a list or a map only to one of its elements. */
    bool leads_on = match == MATCH_BELOW && !how.converted && (!field->type.repeated || named);
    if (leads_on && how.inner)
        rewrite_mapping(r, how.inner, &at, rest);
    else
        add_path(r, &at, leads_on && field->type.message ? rest : BYTES_NONE);
}

/* How many arguments, from the first on, get into the value; the others only say whether there is
   one. A kind says which alternative it is, so that a mask with it means all of them. */
static uint32_t n_feeding(const Expr *expr)
{
    if (expr->kind <= EXPR_BUILD && expr->kind != EXPR_CONVERT)
        return 0;
    bool guarded = expr->kind == EXPR_UNLESS || (expr->kind == EXPR_WHEN && !expr->constants);
    return guarded && expr->n_args ? 1 : expr->n_args;
}

static void rewrite_expr(PathRewrite *r, const Expr *expr, const TargetPath *target, Reading how,
                         Bytes path)
{
    if (r->depth == MOST_DEPTH)
        return;
    r->depth++;
    if (expr->kind == EXPR_FIELD)
        rewrite_field(r, expr, target, how, path);
    else if (expr->kind == EXPR_BUILD)
        rewrite_rules(r, expr->rules, expr->n_rules, target, path);
    else if (expr->kind == EXPR_MESSAGE)
        rewrite_expr(r, expr->args[0], target, through(how, expr->mapping), path);
    bool keyed = expr->kind == EXPR_KEYED || expr->kind == EXPR_LISTED;
    how.converted |= expr->kind == EXPR_CONVERT || keyed;
    how.into_many &= !keyed; /* the index of the resulting element is not known */
    how.taken |= expr->kind == EXPR_FIRST && expr->rest_kept;
    how.shift -= expr->kind == EXPR_REST;
    for (uint32_t i = 0; i < n_feeding(expr); i++) {
        how.shift += expr->kind == EXPR_JOIN && i == 1;
        rewrite_expr(r, expr->args[i], target, how, path);
    }
    r->depth--;
}

static void rewrite_rules(PathRewrite *r, const Rule *rules, uint32_t n_rules,
                          const TargetPath *outer, Bytes path)
{
    for (uint32_t i = 0; i < n_rules; i++) {
        TargetPath target = {outer, rules[i].target, BYTES_NONE};
        rewrite_expr(r, rules[i].value, &target, (Reading){.into_many = rules[i].target->repeated},
                     path);
    }
}

static void rewrite_mapping(PathRewrite *r, const Mapping *mapping, const TargetPath *outer,
                            Bytes path)
{
    const Mapping *whole = mapping_with_rules(r->paths.arena, mapping);
    if (whole)
        rewrite_rules(r, whole->rules, whole->n_rules, outer, path);
    else
        r->paths.full = true;
}

bool path_rewrite(PathRewrite *rewrite, const Mapping *mapping, Bytes path)
{
    rewrite->found = false;
    rewrite_mapping(rewrite, mapping, NULL, path);
    return rewrite->found;
}
