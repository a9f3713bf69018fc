/* Runs the operations of a program. */
#include "adapters/run/put.h"

/* A message that is being written. */
typedef struct OpenMessage {
    size_t start, content, reserved;
    Buffer made; /* BUILD: what it is written to */
    Buffer *out; /* and what comes after it */
} OpenMessage;

typedef struct Eval {
    Runner *runner;
    const Program *program;
    Frame *frame;
    OpenMessage open[MOST_BUILDS];
    unsigned n_open;
} Eval;

static inline bool has(const Eval *e, uint16_t slot)
{
    return slot != NO_SLOT && frame_has(e->frame, slot);
}

static void give(Eval *e, const PlanOp *op, Value value)
{
    e->frame->values[op->into] = value;
    frame_set(e->frame, op->into);
}

static ListReader read_list(Eval *e, const PlanOp *op)
{
    bool from_json = e->program->from_codec == CODEC_JSON && op->form == FORM_SOURCE;
    return list_reader(e->runner, op->shape, from_json, e->frame->values[op->a], NULL);
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* If only some of a template's parts are set, the text cannot be composed, and those would be
   lost. */
static bool check_template_parts(Eval *e, const PlanOp *op)
{
    for (uint32_t i = 0; i < op->n_args; i++) {
        if (frame_has(e->frame, op->args[i]))
            return run_fail(e->runner, &FAULT_CANNOT_CONVERT, "only a part of what %s needs is set",
                            op->converter->name);
    }
    return true;
}

/* Absent if an argument is; but an amount of money may have no currency. */
static bool run_convert(Eval *e, const PlanOp *op)
{
    Value args[MOST_ARGS], value;
    uint32_t n_args = op->n_args;
    bool set = false;
    frame_clear(e->frame, op->into);
    for (uint32_t i = 0; i < n_args; i++) {
        if (frame_has(e->frame, op->args[i]))
            args[i] = e->frame->values[op->args[i]];
        else if (i == 1 && op->converter->code == CONVERT_AMOUNT_MONEY)
            n_args = 1;
        else
            return op->converter->code != CONVERT_TEMPLATE || check_template_parts(e, op);
    }
    if (!convert(e->runner, op->converter, args, n_args, op->loss, &value, &set))
        return false;
    if (set)
        give(e, op, value);
    return true;
}

static bool convert_each(Eval *e, const PlanOp *op, bool map)
{
    frame_clear(e->frame, op->into);
    if (!has(e, op->a))
        return true;
    ListReader reader = read_list(e, op);
    Buffer items = buffer_in(e->runner->arena);
    Value key, from, to;
    bool set;
    while (map ? map_next(&reader, &key, &from) : list_next(&reader, &from)) {
        if (!convert(e->runner, op->converter, &from, 1, op->loss, &to, &set))
            return run_failed_at(e->runner, reader.index);
        if (set && map)
            buffer_add(&items, &key, sizeof(key));
        if (set)
            buffer_add(&items, &to, sizeof(to));
    }
    if (reader.failed)
        return false;
    if (items.full)
        return run_out_of_memory(e->runner);
    if (items.size)
        give(e, op,
             (Value){.items = (const Value *)(const void *)items.data,
                     .size = items.size / sizeof(Value)});
    return true;
}

static bool make(Eval *e, const PlanOp *op)
{
    Bytes made;
    frame_clear(e->frame, op->into);
    if (!has(e, op->a))
        return true;
    if (!program_make(e->runner, op->program, e->frame->values[op->a], &made))
        return false;
    give(e, op, value_of_bytes(made));
    return true;
}

/* Makes a list of each element through the program; without a program, of the elements
   unchanged. */
static bool make_list(Eval *e, const PlanOp *op)
{
    Value list;
    frame_clear(e->frame, op->into);
    if (!has(e, op->a))
        return true;
    ListReader reader = read_list(e, op);
    if (!list_collect(&reader, &list))
        return false;
    Value *items = arena_array(e->runner->arena, Value, list.size);
    if (!items)
        return run_out_of_memory(e->runner);
    memcpy(items, list.items, list.size * sizeof(Value));
    unsigned step = op->map ? 2 : 1;
    for (size_t i = step - 1; op->program && i < list.size; i += step) {
        Bytes made;
        if (!program_make(e->runner, op->program, items[i], &made))
            return run_failed_at(e->runner, (uint32_t)(i / step));
        items[i] = value_of_bytes(made);
    }
    give(e, op, (Value){.items = items, .size = list.size});
    return true;
}

static bool take_first(Eval *e, const PlanOp *op)
{
    Value value, more;
    frame_clear(e->frame, op->into);
    if (!has(e, op->a))
        return true;
    ListReader reader = read_list(e, op);
    if (!list_next(&reader, &value))
        return !reader.failed;
    give(e, op, value);
    bool left = list_next(&reader, &more);
    if (reader.failed)
        return false;
    if (left && op->loud)
        return run_fail(e->runner, &FAULT_CANNOT_CONVERT,
                        "more than one element, where the version it is converted to has one");
    if (left && op->loss)
        run_loss(e->runner, op->loss);
    return true;
}

static bool wrap(Eval *e, const PlanOp *op)
{
    frame_clear(e->frame, op->into);
    if (!has(e, op->a))
        return true;
    Value *item = arena_alloc(e->runner->arena, sizeof(Value));
    if (!item)
        return run_out_of_memory(e->runner);
    *item = e->frame->values[op->a];
    give(e, op, (Value){.items = item, .size = 1});
    return true;
}

static bool rest(Eval *e, const PlanOp *op)
{
    frame_clear(e->frame, op->into);
    Value list = has(e, op->a) ? e->frame->values[op->a] : (Value){0};
    if (list.size > 1)
        give(e, op, (Value){.items = list.items + 1, .size = list.size - 1});
    return true;
}

static bool join(Eval *e, const PlanOp *op)
{
    bool first = has(e, op->a), second = has(e, op->b);
    Value a = first ? e->frame->values[op->a] : (Value){0};
    Value b = second ? e->frame->values[op->b] : (Value){0};
    frame_clear(e->frame, op->into);
    if (!first || !second) {
        if (first || second)
            give(e, op, first ? a : b);
        return true;
    }
    Value *items = arena_array(e->runner->arena, Value, a.size + b.size);
    if (!items)
        return run_out_of_memory(e->runner);
    memcpy(items, a.items, a.size * sizeof(Value));
    memcpy(items + a.size, b.items, b.size * sizeof(Value));
    give(e, op, (Value){.items = items, .size = a.size + b.size});
    return true;
}

static bool key_or_list(Eval *e, const PlanOp *op)
{
    Value made;
    frame_clear(e->frame, op->into);
    if (!has(e, op->a))
        return true;
    Value from = e->frame->values[op->a];
    if (op->code == PLAN_KEYED ? !map_of_entries(e->runner, op, from, &made)
                               : !map_as_list(e->runner, op, from, &made))
        return false;
    give(e, op, made);
    return true;
}

static void either(Eval *e, const PlanOp *op)
{
    bool first = has(e, op->a);
    frame_clear(e->frame, op->into);
    if (!first && op->loss)
        run_loss(e->runner, op->loss);
    if (first || has(e, op->b))
        give(e, op, e->frame->values[first ? op->a : op->b]);
}

static inline bool equals_constant(const PlanOp *op, Value value)
{
    if (!op->constant_kind)
        return true;
    if (kind_is_bytes(op->constant_kind))
        return value.size == op->constant.size &&
               bytes_are_at(value.data, value_bytes(op->constant));
    return value.u == op->constant.u;
}

static void when(Eval *e, const PlanOp *op)
{
    bool told = has(e, op->b);
    Value value = told ? e->frame->values[op->b] : (Value){0};
    bool set = has(e, op->a) && (told || op->zero_when_unset) && equals_constant(op, value);
    frame_clear(e->frame, op->into);
    if (set)
        give(e, op, e->frame->values[op->a]);
}

/* "value has no place in the version it is converted to (no alternative takes it)" */
static bool refuse(Runner *runner, const PlanOp *op)
{
    const char *how = op->loss ? op->loss->how : "it has no counterpart";
    return run_fail(runner, &FAULT_CANNOT_CONVERT,
                    "%s has no place in the version it is converted to (%s)", op->where, how);
}

/* What has no counterpart is there. */
static bool guard_meets(Runner *runner, const PlanOp *op)
{
    if (op->loud)
        return refuse(runner, op);
    if (op->loss)
        run_loss(runner, op->loss);
    return true;
}

static inline bool guard(Runner *runner, const PlanOp *op, const Frame *frame)
{
    bool meets = frame_has(frame, op->a) &&
                 !(op->constant_kind && equals_constant(op, frame->values[op->a]));
    return !meets || guard_meets(runner, op);
}

/* ---- New messages ---------------------------------------------------------------------------- */

static void open_message(Eval *e, const PlanOp *op)
{
    OpenMessage *m = &e->open[e->n_open++];
    Buffer *out = e->runner->out;
    m->start = out->size;
    buffer_add_bytes(out, op->put->name);
    m->reserved = op->json || !op->put->delimited ? 0 : length_begin(out, 1);
    m->content = out->size;
}

static bool put_inside(Eval *e, const PlanOp *op)
{
    Runner *runner = e->runner;
    if (!has(e, op->a))
        return true;
    if (runner->depth == runner->max_depth)
        return run_fail(runner, &FAULT_TOO_DEEP, "nested deeper than allowed (limits.depth)");
    runner->depth++;
    bool ok = scan_wire(runner, op->inside, e->frame, value_bytes(e->frame->values[op->a]));
    runner->depth--;
    return ok || run_failed_in(runner, op->where);
}

static bool close_message(Eval *e, const PlanOp *op)
{
    OpenMessage *m = &e->open[--e->n_open];
    Buffer *out = e->runner->out;
    bool empty = out->size == m->content;
    if (empty && !has(e, op->a)) {
        out->size = m->start;
        return put_unset(e->runner, op);
    }
    if (op->json) {
        if (empty)
            buffer_add_byte(out, ',');
        if (!out->full)
            out->data[m->content] = '{';
        buffer_add_byte(out, '}');
    } else {
        if (op->put->delimited)
            length_end(out, m->content, m->reserved);
        buffer_add_bytes(out, op->put->suffix);
    }
    return true;
}

static void begin_build(Eval *e)
{
    OpenMessage *m = &e->open[e->n_open++];
    m->made = buffer_in(e->runner->arena);
    m->out = e->runner->out;
    e->runner->out = &m->made;
}

static bool end_build(Eval *e, const PlanOp *op)
{
    OpenMessage *m = &e->open[--e->n_open];
    e->runner->out = m->out;
    frame_clear(e->frame, op->into);
    if (m->made.full)
        return run_out_of_memory(e->runner);
    if (m->made.size || has(e, op->a))
        give(e, op, value_of_bytes(buffer_bytes(&m->made)));
    return true;
}

/* ---- The loop -------------------------------------------------------------------------------- */

/* All operations except jumps. */
static bool run_op(Eval *e, const PlanOp *op)
{
    Runner *runner = e->runner;
    switch ((PlanCode)op->code) {
    case PLAN_PUT_MESSAGE: return put_message(runner, e->program, op, e->frame);
    case PLAN_PUT_LIST:
    case PLAN_PUT_PACKED:
    case PLAN_PUT_MESSAGES:
    case PLAN_PUT_MAP: return put_list_of(runner, e->program, op, e->frame);
    case PLAN_PUT_DEFAULT: return put_unset(runner, op);
    case PLAN_PUT_UNKNOWN:
        buffer_add_bytes(runner->out, buffer_bytes(e->frame->unknown));
        return true;
    case PLAN_PUT_OPEN: open_message(e, op); return true;
    case PLAN_PUT_INSIDE: return put_inside(e, op);
    case PLAN_PUT_CLOSE: return close_message(e, op);
    case PLAN_BUILD: begin_build(e); return true;
    case PLAN_END_BUILD: return end_build(e, op);
    case PLAN_CONST: give(e, op, op->constant); return true;
    case PLAN_CONVERT: return run_convert(e, op);
    case PLAN_CONVERT_LIST: return convert_each(e, op, false);
    case PLAN_CONVERT_MAP: return convert_each(e, op, true);
    case PLAN_MAKE:
    case PLAN_NORMAL: return make(e, op);
    case PLAN_MAKE_LIST:
    case PLAN_NORMAL_LIST: return make_list(e, op);
    case PLAN_EITHER: either(e, op); return true;
    case PLAN_FIRST: return take_first(e, op);
    case PLAN_WRAP: return wrap(e, op);
    case PLAN_REST: return rest(e, op);
    case PLAN_JOIN: return join(e, op);
    case PLAN_KEYED:
    case PLAN_LISTED: return key_or_list(e, op);
    case PLAN_WHEN: when(e, op); return true;
    case PLAN_REQUIRE:
        return has(e, op->a) ||
               run_fail(runner, &FAULT_FIELD_REQUIRED, "%s is required", op->where);
    case PLAN_GUARD: return guard(runner, op, e->frame);
    case PLAN_LOSS: run_loss(runner, op->loss); return true;
    case PLAN_CLEAR: frame_clear(e->frame, op->into); return true;
    case PLAN_PUT_VALUE:
    case PLAN_SKIP:
    case PLAN_SKIP_UNLESS:
    case PLAN_SKIP_IF:
    case PLAN_END: break;
    }
    return true;
}

/* Operations that write have added their field to the path of the fault; for the others it is done
   here. */
static bool fail_at(Runner *runner, const PlanOp *op)
{
    bool named = op->code >= PLAN_PUT_VALUE || !op->where;
    return named ? false : run_failed_in(runner, op->where);
}

static inline bool is_jump(const PlanOp *op)
{
    return op->code >= PLAN_SKIP_UNLESS && op->code <= PLAN_SKIP;
}

/* Whether the jump is taken. */
static inline bool jumps(const PlanOp *op, const Frame *frame)
{
    return op->code == PLAN_SKIP || frame_has(frame, op->a) == (op->code == PLAN_SKIP_IF);
}

/* The mask of the operations after this index. */
static inline uint64_t behind(uint32_t index)
{
    return ~UINT64_C(1) << index;
}

static inline uint32_t lowest(uint64_t bits)
{
    return (uint32_t)__builtin_ctzll(bits);
}

/* The operations that have something to do when these slots are set, of a program with `wakes`. */
static SlotOps woken(const Program *program, uint64_t set)
{
    SlotOps ops = {program->always, 0};
    for (; set; set &= set - 1) {
        const SlotOps *slot = &program->wakes[lowest(set)];
        ops.wakes |= slot->wakes;
        ops.silences |= slot->silences;
    }
    ops.wakes &= ~ops.silences;
    return ops;
}

/* Runs only these operations, because most fields of most messages are not set. If an operation
   sets its slot, the later operations that depend on it are added. */
static bool run_woken(Eval *e, SlotOps ops)
{
    const Program *program = e->program;
    Frame *frame = e->frame;
    uint64_t waiting = ops.wakes;
    while (waiting) {
        uint32_t index = lowest(waiting);
        const PlanOp *op = &program->ops[index];
        waiting &= waiting - 1;
        if (op->code == PLAN_PUT_VALUE) {
            if (!put_value(e->runner, op, frame))
                return false;
        } else if (is_jump(op)) {
            if (jumps(op, frame))
                waiting &= behind(index + op->skip);
        } else if (op->code == PLAN_GUARD) {
            if (!guard(e->runner, op, frame))
                return fail_at(e->runner, op);
        } else if (!run_op(e, op)) {
            return fail_at(e->runner, op);
        } else if (op->code <= PLAN_WHEN && frame_has(frame, op->into)) {
            waiting |= program->wakes[op->into].wakes & behind(index) & ~ops.silences;
        }
    }
    return true;
}

/* Runs one operation. Returns the next one, or NULL when it has failed. */
static inline const PlanOp *run_next(Eval *e, const PlanOp *op)
{
    Frame *frame = e->frame;
    if (op->when_unset && !frame_has(frame, op->a)) {
        if (op->when_unset == UNSET_CLEARS)
            frame_clear(frame, op->into);
        return op + 1;
    }
    if (op->code == PLAN_PUT_VALUE)
        return put_value(e->runner, op, frame) ? op + 1 : NULL;
    if (is_jump(op))
        return op + 1 + (jumps(op, frame) ? op->skip : 0);
    return run_op(e, op) || fail_at(e->runner, op) ? op + 1 : NULL;
}

/* Runs all operations in order. */
static bool run_all(Eval *e)
{
    const PlanOp *op = e->program->ops;
    while (op && op->code != PLAN_END)
        op = run_next(e, op);
    return op;
}

static void begin(Eval *e, Runner *runner, const Program *program, Frame *frame)
{
    e->runner = runner; /* e->open is not cleared, for speed: it is written before it is read */
    e->program = program;
    e->frame = frame;
    e->n_open = 0;
}

static __attribute__((noinline)) bool run(Runner *runner, const Program *program, Frame *frame,
                                          SlotOps ops)
{
    Eval e;
    begin(&e, runner, program, frame);
    Buffer *out = runner->out;
    bool ok = program->wakes ? run_woken(&e, ops) : run_all(&e);
    runner->out = out; /* a BUILD that failed may have left its own buffer there */
    return ok;
}

bool run_ops(Runner *runner, const Program *program, Frame *frame)
{
    if (!program->wakes)
        return run(runner, program, frame, (SlotOps){0, 0});
    uint64_t set = frame->set[0];
    if (runner->asked != program || runner->asked_set != set) {
        runner->asked = program;
        runner->asked_set = set;
        runner->asked_ops = woken(program, set);
    }
    return !runner->asked_ops.wakes || run(runner, program, frame, runner->asked_ops);
}

bool run_ops_through(Runner *runner, const Program *program, Frame *frame)
{
    Eval e;
    begin(&e, runner, program, frame);
    Buffer *whole = runner->out;
    uint32_t before = runner->n_mistakes;
    for (const PlanOp *op = program->ops, *next; op->code != PLAN_END; op = next) {
        Buffer *out = runner->out;
        size_t size = out->size;
        next = run_next(&e, op);
        if (next)
            continue;
        runner->out = out;
        out->size = size;
        next = op + 1;
        if (!run_goes_on(runner, before))
            break;
    }
    runner->out = whole;
    return !runner->fault && run_ends_well(runner, before);
}
