/* Compiles one program on a draft: the fields of the target in order. */
#include "adapters/compile/compile_draft.h"

/* Adds a jump over the following operations, taken if another value is set. */
static void skip_if_there(Draft *d, const Expr *other, uint32_t *jump_out)
{
    Operand there = compile_value(d, other);
    *jump_out = draft_jump(d, (PlanOp){.code = PLAN_SKIP_IF, .a = there.slot});
}

static void guard_value(Draft *d, const Guard *guard, const Expr *value)
{
    Operand source = compile_value(d, value);
    if (!source.where)
        source.where = guard->loss ? guard->loss->path : "a value";
    draft_op(d,
             (PlanOp){
                 .code = PLAN_GUARD,
                 .a = source.slot,
                 .loud = guard->loud,
                 .loss = guard->loss,
                 .where = source.where,
                 .constant = guard->has_ignored ? draft_literal(source.type.kind, &guard->ignored)
                                                : (Value){.u = 0},
                 .constant_kind = guard->has_ignored ? source.type.kind : (FieldKind)0,
             });
}

static void compile_guard(Draft *d, const Guard *guard)
{
    const Expr *source = guard->source;
    bool unless = source->kind == EXPR_UNLESS;
    uint32_t *jumps = arena_array(d->arena, uint32_t, source->n_args + 1);
    for (uint32_t i = 1; unless && i < source->n_args; i++)
        skip_if_there(d, source->args[i], &jumps[i]);
    guard_value(d, guard, unless ? source->args[0] : source);
    for (uint32_t i = 1; unless && i < source->n_args; i++)
        draft_jump_here(d, jumps[i]);
}

static const Expr *rule_for(const Mapping *mapping, const FieldType *target)
{
    for (uint32_t i = 0; i < mapping->n_rules; i++) {
        if (mapping->rules[i].target == target)
            return mapping->rules[i].value;
    }
    return NULL;
}

/* A number that does not fit is converted and written as usual; also when it becomes zero, which
   has to replace what went straight before. */
static void compile_unfitting(Draft *d, const Rule *rule)
{
    compile_put(d, rule->target, rule->value);
    d->ops[d->n_ops - 1].omit_zero = false;
}

/* Rules that turn out not to be straight are added at the end: in protobuf fields may be in any
   order. */
static void compile_straight(Draft *d, const Mapping *mapping, const Straight *straight)
{
    for (uint32_t i = 0; i < mapping->n_rules && !failed(d->failure); i++) {
        const Rule *rule = &mapping->rules[i];
        const Straight *is = &straight[i];
        if (!is->source)
            continue;
        ScanField *field =
            is->path ? draft_scanned(d, is->path) : &d->root->fields[is->source->index];
        if (!straight_stands(mapping, straight, d->root, i) || field->pass) {
            compile_put(d, rule->target, rule->value);
            continue;
        }
        put_straight(d, field, rule->target, is);
        if (is->fits)
            compile_unfitting(d, rule);
    }
}

/* All fields of the target in order, with the default for those that no rule feeds. */
static void compile_target(Draft *d, const Mapping *mapping)
{
    uint32_t rule = 0;
    bool wire = d->program->from_codec == CODEC_PROTO && d->to == CODEC_PROTO;
    bool may_go_straight = wire && !d->compiler->set->options.canonical;
    const Straight *straight = may_go_straight ? straight_rules(d->compiler, mapping) : NULL;
    for (uint32_t i = 0; i < mapping->to->n_fields && !failed(d->failure); i++) {
        const FieldType *target = &mapping->to->fields[i];
        if (rule == mapping->n_rules || mapping->rules[rule].target != target) {
            if (!mapping->hidden || !mapping->hidden[target->index])
                compile_put_nothing(d, target);
        } else {
            if (!straight || !straight[rule].source)
                compile_put(d, target, mapping->rules[rule].value);
            rule++;
        }
    }
    if (straight)
        compile_straight(d, mapping, straight);
    if (rule != mapping->n_rules)
        draft_refuse(d, "rules that are not in the order of the target's fields");
}

static void compile_only(Draft *d, const Mapping *mapping, const FieldType *only)
{
    const Expr *value = rule_for(mapping, only);
    if (value)
        compile_put(d, only, value);
    else
        draft_op(d, put_op(d, PLAN_PUT_DEFAULT, only));
}

Result compile_fields(Compiler *compiler, Program *program)
{
    const Mapping *mapping = mapping_with_rules(compiler->room, program->mapping);
    CHECK(mapping); /* a config generation's arena has no limit */
    Draft d = {.compiler = compiler,
               .arena = compiler->room,
               .program = program,
               .ops = compiler->ops,
               .to = program->to_codec};
    bool wire = program->from_codec == CODEC_PROTO && program->to_codec == CODEC_PROTO;
    program->keep_unknown =
        compiler->set->options.unknown == UNKNOWN_KEEP && mapping->identity && wire;
    program->wire = wire && !program->keep_unknown;
    d.root = draft_table(&d, mapping->from);
    for (uint32_t i = 0; i < mapping->n_guards; i++)
        compile_guard(&d, &mapping->guards[i]);
    if (program->only)
        compile_only(&d, mapping, program->only);
    else
        compile_target(&d, mapping);
    if (program->keep_unknown)
        draft_op(&d, (PlanOp){.code = PLAN_PUT_UNKNOWN});
    draft_op(&d, (PlanOp){.code = PLAN_END});
    draft_finish_ops(&d);
    program->ops = d.ops;
    draft_finish_tables(&d);
    draft_finish_wakes(&d);
    draft_finish_same(&d);
    return d.failure;
}
