/* The operations that write: one field of the target each. */
#include "adapters/plan_internal.h"

static bool from_json(const Program *program, const PlanOp *op)
{
    return program->from_codec == CODEC_JSON && op->form == FORM_SOURCE;
}

/* A field that has nothing to write. */
bool put_unset(Runner *runner, const PlanOp *op)
{
    if (op->required)
        return run_fail(runner, &FAULT_FIELD_REQUIRED, "%s is required", op->put->field->name) ||
               run_failed_in(runner, op->where);
    if (op->put_unset) {
        buffer_add_bytes(runner->out, op->put->name);
        buffer_add_bytes(runner->out, op->put->unset);
    }
    return true;
}

bool put_value(Runner *runner, const PlanOp *op, const Frame *frame)
{
    Value value = frame->values[op->a];
    if (!frame_has(frame, op->a) || (op->omit_zero && value_is_zero((FieldKind)op->kind, value)))
        return put_unset(runner, op);
    buffer_add_bytes(runner->out, op->put->name);
    if (!op->json)
        put_wire_scalar(runner->out, (FieldKind)op->kind, value);
    else if (!put_json_scalar(runner, (FieldKind)op->kind, op->put->field->enumeration, value))
        return run_failed_in(runner, op->where);
    return true;
}

static bool put_list(Runner *runner, const PlanOp *op, ListReader *reader)
{
    Buffer *out = runner->out;
    Value value;
    while (list_next(reader, &value)) {
        buffer_add_bytes(out, op->put->name);
        put_wire_scalar(out, (FieldKind)op->kind, value);
    }
    return !reader->failed;
}

static bool put_packed(Runner *runner, const PlanOp *op, ListReader *reader)
{
    Buffer *out = runner->out;
    Value value;
    size_t start = out->size;
    buffer_add_bytes(out, op->put->name);
    size_t guess = reader->run && reader->run->packed ? (size_t)(reader->run->end - reader->at) : 1;
    size_t reserved = length_begin(out, guess), content = out->size;
    while (list_next(reader, &value))
        put_wire_scalar(out, (FieldKind)op->kind, value);
    if (out->size == content)
        out->size = start; /* nothing was left of it */
    else
        length_end(out, content, reserved);
    return !reader->failed;
}

/* The elements behind one another with commas, in brackets. */
static bool put_json_list(Runner *runner, const PlanOp *op, ListReader *reader)
{
    Buffer *out = runner->out;
    Value value;
    buffer_add_bytes(out, op->put->name);
    size_t start = out->size;
    while (list_next(reader, &value)) {
        buffer_add_byte(out, ',');
        bool ok = op->program ? program_run(runner, op->program, value)
                              : put_json_scalar(runner, (FieldKind)op->kind,
                                                op->put->field->enumeration, value);
        if (!ok)
            return run_failed_at(runner, reader->index);
    }
    if (out->size == start)
        buffer_add_byte(out, ',');
    if (!out->full)
        out->data[start] = '[';
    buffer_add_byte(out, ']');
    return !reader->failed;
}

/* How large a message will be, roughly: JSON says the same in about twice the space. */
static size_t size_guess(bool json, Value message)
{
    return json ? message.node->text.size / 2 : message.size;
}

static bool put_one_message(Runner *runner, const PlanOp *op, bool json_source, Value message)
{
    Buffer *out = runner->out;
    buffer_add_bytes(out, op->put->name);
    if (op->json || !op->put->delimited) {
        if (!program_run(runner, op->program, message))
            return false;
    } else if (op->program->style == PROGRAM_COPY) {
        put_wire_scalar(out, KIND_MESSAGE, message);
    } else {
        size_t reserved = length_begin(out, size_guess(json_source, message)), content = out->size;
        if (!program_run(runner, op->program, message))
            return false;
        length_end(out, content, reserved);
    }
    buffer_add_bytes(out, op->put->suffix);
    return true;
}

static bool put_messages(Runner *runner, const PlanOp *op, ListReader *reader)
{
    Value message;
    while (list_next(reader, &message)) {
        if (!put_one_message(runner, op, reader->from_json, message))
            return run_failed_at(runner, reader->index);
    }
    return !reader->failed;
}

bool put_list_of(Runner *runner, const Program *program, const PlanOp *op, Frame *frame)
{
    if (!frame_has(frame, op->a))
        return put_unset(runner, op);
    ListReader reader = list_reader(runner, op->shape, from_json(program, op),
                                    frame->values[op->a], frame->unknown);
    bool ok = false;
    if (op->code == PLAN_PUT_MAP) {
        if (op->json)
            buffer_add_bytes(runner->out, op->put->name);
        ok = put_map(runner, op, &reader);
    } else if (op->json) {
        ok = put_json_list(runner, op, &reader);
    } else if (op->code == PLAN_PUT_MESSAGES) {
        ok = put_messages(runner, op, &reader);
    } else {
        ok = op->code == PLAN_PUT_PACKED ? put_packed(runner, op, &reader)
                                         : put_list(runner, op, &reader);
    }
    return ok || run_failed_in(runner, op->where);
}

bool put_message(Runner *runner, const Program *program, const PlanOp *op, Frame *frame)
{
    if (!frame_has(frame, op->a))
        return put_unset(runner, op);
    return put_one_message(runner, op, from_json(program, op), frame->values[op->a]) ||
           run_failed_in(runner, op->where);
}
