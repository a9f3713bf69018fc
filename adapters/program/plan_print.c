/* A plan as text: its programs, and in each one operation a line. */
#include "adapters/program/program.h"
#include "base/arena.h"

typedef struct CodeText {
    const char *name;
    char letter;
} CodeText;

static const CodeText code_texts[] = {
#define PLAN_OP(name, letter, meaning) {#name, #letter[0]},
#include "adapters/program/plan_ops.def"
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
    return code != PLAN_CONST && code != PLAN_CONVERT && code != PLAN_BUILD && code != PLAN_SKIP &&
           code != PLAN_CLEAR && code != PLAN_LOSS && code != PLAN_PUT_OPEN &&
           code != PLAN_PUT_DEFAULT && code != PLAN_PUT_UNKNOWN;
}

static bool writes_slot(PlanCode code)
{
    return code < PLAN_PUT_VALUE && code != PLAN_BUILD && code != PLAN_SKIP &&
           code != PLAN_SKIP_UNLESS && code != PLAN_SKIP_IF && code != PLAN_LOSS &&
           code != PLAN_GUARD && code != PLAN_REQUIRE;
}

/* The programs of one plan, in the order of their first use; without those for the contents of an
   Any. */
typedef struct Listing {
    Buffer *out;
    const ProgramSet *set;
    Arena *arena;
    const Program **items;
    uint32_t n, capacity;
    Table indexes; /* Program pointer -> index in items + 1 */
} Listing;

static uint32_t list_program(Listing *list, const Program *program)
{
    Bytes key = bytes(&program, sizeof(program));
    uintptr_t known = (uintptr_t)table_get(&list->indexes, key);
    if (known)
        return (uint32_t)known - 1;
    if (list->n == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 16;
        list->items = arena_grow(list->arena, list->items, list->n * sizeof(Program *),
                                 capacity * sizeof(Program *));
        list->capacity = capacity;
    }
    list->items[list->n++] = program;
    table_put(&list->indexes, bytes_copy(list->arena, key), (void *)(uintptr_t)list->n);
    return list->n - 1;
}

static void print_program_name(Listing *list, const Program *program)
{
    if (program->style == PROGRAM_COPY)
        buffer_add_text(list->out, " copy");
    else
        buffer_printf(list->out, " #%u", list_program(list, program));
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

/* A field that is written while the source is scanned. */
static void print_pass(Listing *list, const PlanOp *op)
{
    buffer_printf(list->out, " => %u %s", op->put->field->number, op->put->field->name);
    if (op->program)
        print_program_name(list, op->program);
}

static void print_scan(Listing *list, const ScanTable *table, unsigned indent)
{
    Buffer *out = list->out;
    for (uint32_t i = 0; i < table->type->n_fields; i++) {
        const ScanField *field = &table->fields[i];
        if (field->slot == NO_SLOT && !field->inside && !field->pass)
            continue;
        buffer_printf(out, "%*s%u %s", (int)indent, "", field->field->number, field->field->name);
        bool fits = field->read == PASS_FITTING;
        if (field->pass)
            print_pass(list, field->pass);
        print_slot(out, fits ? "or -> s" : "-> s", field->slot);
        buffer_add_byte(out, '\n');
        if (field->inside)
            print_scan(list, field->inside, indent + 4);
    }
}

static void print_op(Listing *list, const PlanOp *op)
{
    Buffer *out = list->out;
    PlanCode code = (PlanCode)op->code;
    buffer_printf(out, "    %c %-12s", code_texts[code].letter, code_texts[code].name);
    if (reads_slot(code))
        print_slot(out, "s", op->a);
    if (code == PLAN_EITHER || code == PLAN_WHEN || code == PLAN_JOIN)
        print_slot(out, "s", op->b);
    for (uint32_t i = 0; code == PLAN_CONVERT && i < op->n_args; i++)
        print_slot(out, "s", op->args[i]);
    if (writes_slot(code))
        print_slot(out, "-> s", op->into);
    if (code == PLAN_CONVERT || code == PLAN_CONVERT_LIST || code == PLAN_CONVERT_MAP)
        buffer_printf(out, " by %s", op->converter->name ? op->converter->name : "?");
    if (code == PLAN_SKIP || code == PLAN_SKIP_UNLESS || code == PLAN_SKIP_IF)
        buffer_printf(out, " +%u", op->skip);
    const PutField *put = code >= PLAN_PUT_VALUE ? op->put : NULL;
    if (put)
        buffer_printf(out, " %s %s", put->field->name, field_kind_name(put->field->kind));
    if (op->program)
        print_program_name(list, op->program);
    print_flags(out, op);
    if (op->where && (!put || strcmp(op->where, put->field->name) != 0))
        buffer_printf(out, "  (%s)", op->where);
    buffer_add_byte(out, '\n');
    if (code == PLAN_PUT_INSIDE)
        print_scan(list, op->inside, 8);
}

static void print_program(Listing *list, uint32_t index)
{
    const Program *program = list->items[index];
    Buffer *out = list->out;
    program_need(list->set, program);
    buffer_printf(out, "#%u %s %s -> %s %s: %s\n", index, codec_name(program->from_codec),
                  program->from->full_name, codec_name(program->to_codec), program->to->full_name,
                  style_text(program->style));
    if (program->style == PROGRAM_STAGED) {
        uint32_t first = list_program(list, program->first);
        buffer_printf(out, "  #%u, then #%u\n", first, list_program(list, program->second));
    }
    if (program->style != PROGRAM_FIELDS)
        return;
    buffer_printf(out, "  scan, %u slots\n", program->n_slots);
    print_scan(list, program->scan, 4);
    buffer_add_text(out, "  operations\n");
    for (const PlanOp *op = program->ops; op->code != PLAN_END; op++)
        print_op(list, op);
}

void plan_print(const Plan *plan, Buffer *out)
{
    Listing list = {.out = out, .set = plan->set, .arena = arena_new(ARENA_UNLIMITED)};
    list.indexes = table_in(list.arena);
    list_program(&list, plan_program(plan));
    for (uint32_t i = 0; i < list.n; i++)
        print_program(&list, i);
    arena_free(list.arena);
}
