/*
 * FieldMask: its paths rewritten by the rules of the message that it is about.
 *
 * For a path of the source, every field of the target that is made from it, from a part of it or from
 * what it is a part of. A path that feeds nothing cannot be said in the served version.
 */
#include "adapters/convert.h"

#include "base/utf8.h"

enum { MOST_MASK_DEPTH = 32, MOST_PATHS = 1000 };

typedef struct Rewrite {
    Conversion *conversion;
    Buffer out;       /* the new mask */
    unsigned depth, n_paths;
    bool found;
    bool full;        /* more paths than allowed: each is looked for among the others */
} Rewrite;

/* The target's path so far, from the inside out. */
typedef struct TargetPath {
    const struct TargetPath *outer;
    const char *name;
} TargetPath;

static void write_path(Buffer *out, const TargetPath *path)
{
    if (path->outer) {
        write_path(out, path->outer);
        buffer_add_byte(out, '.');
    }
    buffer_add_text(out, path->name);
}

static bool has_path(const Rewrite *r, Bytes path)
{
    WireReader reader = wire_reader(buffer_bytes(&r->out));
    for (WireField f; wire_next(&reader, &f);) {
        if (bytes_equal(f.bytes, path))
            return true;
    }
    return false;
}

/* `rest`: what the source's path says below the field that was matched. */
static void add_path(Rewrite *r, const TargetPath *target, Bytes rest)
{
    Buffer path = buffer_in(r->conversion->runner->arena);
    write_path(&path, target);
    if (rest.size) {
        buffer_add_byte(&path, '.');
        buffer_add_bytes(&path, rest);
    }
    r->found = true;
    if (has_path(r, buffer_bytes(&path)))
        return;
    r->full = r->n_paths++ == MOST_PATHS;
    wire_add_bytes(&r->out, 1, buffer_bytes(&path));
}

typedef enum Match { MATCH_NONE, MATCH_ABOVE, MATCH_EXACT, MATCH_BELOW } Match;

/* How the mask's path lies to the field that is read: it names something above it, itself, or below. */
static Match match_steps(const Expr *field, Bytes path, Bytes *rest_out)
{
    Bytes rest = path, part;
    *rest_out = BYTES_NONE;
    for (uint32_t i = 0; i < field->n_steps; i++) {
        if (!bytes_split(&rest, '.', &part))
            return MATCH_ABOVE;
        if (!bytes_are(part, field->steps[i]->name))
            return MATCH_NONE;
    }
    *rest_out = rest;
    return rest.data && rest.size ? MATCH_BELOW : MATCH_EXACT;
}

static void rewrite_rules(Rewrite *r, const Rule *rules, uint32_t n_rules,
                          const TargetPath *outer, Bytes path);

static void rewrite_field(Rewrite *r, const Expr *field, const TargetPath *target, Bytes path,
                          const Mapping *inner)
{
    Bytes rest;
    Match match = match_steps(field, path, &rest);
    if (match == MATCH_NONE)
        return;
    if (match == MATCH_BELOW && inner && !field->type.repeated)
        rewrite_rules(r, inner->rules, inner->n_rules, target, rest);
    else
        add_path(r, target, match == MATCH_BELOW && !inner && field->type.message ? rest
                                                                                  : BYTES_NONE);
}

/* `inner`: the mapping that what is read goes through. */
static void rewrite_expr(Rewrite *r, const Expr *expr, const TargetPath *target, Bytes path,
                         const Mapping *inner)
{
    if (r->depth == MOST_MASK_DEPTH)
        return;
    r->depth++;
    if (expr->kind == EXPR_FIELD)
        rewrite_field(r, expr, target, path, inner);
    else if (expr->kind == EXPR_BUILD)
        rewrite_rules(r, expr->rules, expr->n_rules, target, path);
    else if (expr->kind == EXPR_MESSAGE)
        rewrite_expr(r, expr->args[0], target, path, expr->mapping);
    for (uint32_t i = 0; expr->kind > EXPR_BUILD && i < expr->n_args; i++)
        rewrite_expr(r, expr->args[i], target, path, inner);
    for (uint32_t i = 0; expr->kind == EXPR_CONVERT && i < expr->n_args; i++)
        rewrite_expr(r, expr->args[i], target, path, inner);
    r->depth--;
}

static void rewrite_rules(Rewrite *r, const Rule *rules, uint32_t n_rules,
                          const TargetPath *outer, Bytes path)
{
    for (uint32_t i = 0; i < n_rules; i++) {
        TargetPath target = {outer, rules[i].target->name};
        rewrite_expr(r, rules[i].value, &target, path, NULL);
    }
}

static bool rewrite_path(Rewrite *r, Bytes path)
{
    const Mapping *about = r->conversion->converter->mapping;
    if (bytes_are(path, "*")) {
        wire_add_bytes(&r->out, 1, path);
        return true;
    }
    r->found = false;
    rewrite_rules(r, about->rules, about->n_rules, NULL, path);
    if (r->full)
        return run_fail(r->conversion->runner, &FAULT_MESSAGE_TOO_LARGE,
                        "a field mask with more than %d paths", MOST_PATHS);
    if (r->found)
        return true;
    Bytes shown = bytes_slice(path, 0, 80);
    return cannot_convert(r->conversion,
                          utf8_valid(shown)
                              ? arena_printf(r->conversion->runner->arena,
                                             "the path %.*s has no place in the served version",
                                             BYTES_ARGS(shown))
                              : "a path that is no text");
}

bool convert_field_mask(Conversion *c)
{
    Rewrite r = {.conversion = c, .out = buffer_in(c->runner->arena)};
    WireReader reader = wire_reader(value_bytes(c->args[0]));
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH && !rewrite_path(&r, f.bytes))
            return false;
    }
    if (reader.bad)
        return run_fail(c->runner, &FAULT_BAD_MESSAGE, "the protobuf bytes are not well-formed");
    c->value = value_of_bytes(buffer_bytes(&r.out));
    return !r.out.full || run_out_of_memory(c->runner);
}
