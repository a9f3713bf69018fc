/* A plan as text: its programs, and in each one operation a line. */
#include "adapters/plan_internal.h"

typedef struct CodeText {
    const char *name;
    char letter;
} CodeText;

static const CodeText code_texts[] = {
#define PLAN_OP(name, letter, meaning) {#name, #letter[0]},
#include "adapters/plan_ops.def"
#undef PLAN_OP
};

static const char *style_text(ProgramStyle style)
{
    static const char *const texts[] = {"copy", "fields", "read", "write", "staged", "any"};
    return texts[style];
}

static void print_slot(Buffer *out, const char *label, uint16_t slot)
{
    if (slot != NO_SLOT)
        buffer_printf(out, " %s%u", label, slot);
}

static bool reads_slot(PlanCode code)
{
    return code != PLAN_CONST && code != PLAN_CONVERT && code != PLAN_BUILD &&
           code != PLAN_SKIP && code != PLAN_CLEAR && code != PLAN_LOSS &&
           code != PLAN_PUT_OPEN && code != PLAN_PUT_DEFAULT && code != PLAN_PUT_UNKNOWN;
}

static bool writes_slot(PlanCode code)
{
    return code < PLAN_PUT_VALUE && code != PLAN_BUILD && code != PLAN_SKIP &&
           code != PLAN_SKIP_UNLESS && code != PLAN_LOSS && code != PLAN_GUARD &&
           code != PLAN_REQUIRE;
}

static void print_program_name(Buffer *out, const Program *program)
{
    if (program->style == PROGRAM_COPY)
        buffer_add_text(out, " copy");
    else if (program->index != UINT32_MAX)
        buffer_printf(out, " #%u", program->index);
}

static void print_flags(Buffer *out, const PlanOp *op)
{
    if (op->required)
        buffer_add_text(out, " required");
    if (op->omit_zero)
        buffer_add_text(out, " unless-zero");
    if (op->put_unset)
        buffer_add_text(out, " also-unset");
    if (op->loud)
        buffer_add_text(out, " loud");
}

static void print_op(Buffer *out, const PlanOp *op)
{
    PlanCode code = (PlanCode)op->code;
    buffer_printf(out, "    %c %-12s", code_texts[code].letter, code_texts[code].name);
    if (reads_slot(code))
        print_slot(out, "s", op->a);
    if (code == PLAN_EITHER || code == PLAN_WHEN)
        print_slot(out, "s", op->b);
    for (uint32_t i = 0; i < op->n_args; i++)
        print_slot(out, "s", op->args[i]);
    if (writes_slot(code))
        print_slot(out, "-> s", op->into);
    if (op->converter)
        buffer_printf(out, " by %s", op->converter->name ? op->converter->name : "?");
    if (code == PLAN_SKIP || code == PLAN_SKIP_UNLESS)
        buffer_printf(out, " +%u", op->skip);
    if (op->put)
        buffer_printf(out, " %s %s", op->put->field->name, field_kind_name(op->put->field->kind));
    if (op->program)
        print_program_name(out, op->program);
    print_flags(out, op);
    if (op->where && (!op->put || strcmp(op->where, op->put->field->name) != 0))
        buffer_printf(out, "  (%s)", op->where);
    buffer_add_byte(out, '\n');
}

static void print_scan(Buffer *out, const ScanTable *table, unsigned indent)
{
    for (uint32_t i = 0; i < table->type->n_fields; i++) {
        const ScanField *field = &table->fields[i];
        if (field->slot == NO_SLOT && !field->inside)
            continue;
        buffer_printf(out, "%*s%u %s", (int)indent, "", field->field->number, field->field->name);
        print_slot(out, "-> s", field->slot);
        buffer_add_byte(out, '\n');
        if (field->inside)
            print_scan(out, field->inside, indent + 4);
    }
}

static void print_program(Buffer *out, const Program *program)
{
    static const char *const codecs[] = {"proto", "json"};
    if (program->index != UINT32_MAX)
        buffer_printf(out, "#%u ", program->index);
    buffer_printf(out, "%s %s -> %s %s: %s\n", codecs[program->from_codec],
                  program->from->full_name, codecs[program->to_codec], program->to->full_name,
                  style_text(program->style));
    if (program->style == PROGRAM_STAGED)
        buffer_printf(out, "  #%u, then #%u\n", program->first->index, program->second->index);
    if (program->style != PROGRAM_FIELDS)
        return;
    buffer_printf(out, "  scan, %u slots\n", program->n_slots);
    print_scan(out, program->scan, 4);
    buffer_add_text(out, "  operations\n");
    for (const PlanOp *op = program->ops; op->code != PLAN_END; op++)
        print_op(out, op);
}

void plan_print(const Plan *plan, Buffer *out)
{
    if (plan->program->index == UINT32_MAX)
        print_program(out, plan->program);
    for (uint32_t i = 0; i < plan->set->n; i++) {
        if (plan->set->programs[i]->style != PROGRAM_COPY || plan->set->n == 1)
            print_program(out, plan->set->programs[i]);
    }
}
