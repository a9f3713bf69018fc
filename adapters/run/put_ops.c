/* The operations that write one field of the target. */
#include "adapters/run/put.h"
#include "adapters/text/json_bytes.h"
#include "adapters/text/number_text.h"

static bool from_json(const Program *program, const PlanOp *op)
{
    return program->from_codec == CODEC_JSON && op->form == FORM_SOURCE;
}

/* Writes a field that is unset. */
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

static bool put_other(Runner *runner, const PlanOp *op, Value value)
{
    put_name(runner->out, op->put, 0);
    if (!op->json)
        put_wire_scalar(runner->out, (FieldKind)op->kind, value);
    else if (!put_json_scalar(runner, (FieldKind)op->kind, op->put->field->enumeration, value))
        return run_failed_in(runner, op->where);
    return true;
}

/* Reserves memory once for both the name and the value. */
static inline bool put_varint_value(Runner *runner, const PlanOp *op, Value value)
{
    Buffer *out = runner->out;
    if (op->omit_zero && value.u == 0)
        return put_unset(runner, op);
    if (!buffer_reserve(out, sizeof(op->tag) + 10))
        return true; /* Buffer.full is checked at the end */
    uint8_t *to = out->data + out->size;
    memcpy(to, &op->tag, sizeof(op->tag));
    out->size = (size_t)(wire_put_varint(to + op->tag_size, value.u) - out->data);
    return true;
}

static inline bool put_bytes_value(Runner *runner, const PlanOp *op, Value value)
{
    Buffer *out = runner->out;
    if (op->omit_zero && value.size == 0)
        return put_unset(runner, op);
    if (!buffer_reserve(out, sizeof(op->tag) + 10 + value.size))
        return true;
    uint8_t *to = out->data + out->size;
    memcpy(to, &op->tag, sizeof(op->tag));
    to = wire_put_varint(to + op->tag_size, value.size);
    copy_bytes(to, value.data, value.size);
    out->size = (size_t)(to - out->data) + value.size;
    return true;
}

static inline bool put_text_value(Runner *runner, const PlanOp *op, Value value)
{
    Buffer *out = runner->out;
    if (op->omit_zero && value.size == 0)
        return put_unset(runner, op);
    if (!put_name(out, op->put, value.size + 2))
        return true;
    return json_add_plain(out, value.data, value.size) ||
           put_json_scalar(runner, KIND_STRING, NULL, value) || run_failed_in(runner, op->where);
}

/* Writes an integer, in quotes if JavaScript's numbers cannot hold its kind. */
static bool put_number_value(Runner *runner, const PlanOp *op, Value value)
{
    Buffer *out = runner->out;
    if (op->omit_zero && value.u == 0)
        return put_unset(runner, op);
    if (!put_name(out, op->put, NUMBER_TEXT_MAX))
        return true;
    uint8_t *to = out->data + out->size;
    bool quoted = op->put_as == PUT_AS_JSON_LONG;
    *to = '"';
    to += quoted;
    to += number_write_i64(to, value.i);
    *to = '"';
    to += quoted;
    out->size = (size_t)(to - out->data);
    return true;
}

bool put_value(Runner *runner, const PlanOp *op, const Frame *frame)
{
    if (!frame_has(frame, op->a))
        return put_unset(runner, op);
    Value value = frame->values[op->a];
    switch ((PutAs)op->put_as) {
    case PUT_AS_VARINT: return put_varint_value(runner, op, value);
    case PUT_AS_BYTES: return put_bytes_value(runner, op, value);
    case PUT_AS_JSON_TEXT: return put_text_value(runner, op, value);
    case PUT_AS_JSON_INT:
    case PUT_AS_JSON_LONG: return put_number_value(runner, op, value);
    case PUT_AS_OTHER: break;
    }
    if (op->omit_zero && value_is_zero((FieldKind)op->kind, value))
        return put_unset(runner, op);
    return put_other(runner, op, value);
}

static bool put_list(Runner *runner, const PlanOp *op, ListReader *reader)
{
    Buffer *out = runner->out;
    Value value;
    while (list_next(reader, &value)) {
        put_name(out, op->put, 0);
        put_wire_scalar(out, (FieldKind)op->kind, value);
    }
    return !reader->failed && run_ends_well(runner, reader->before);
}

/* The same kind, packed on both sides and in one record: the bytes are copied. */
static bool copy_packed(Runner *runner, const PlanOp *op, const ListReader *reader)
{
    const WireRun *run = reader->run;
    const EnumType *values = reader->shape->enumeration;
    if (!run || run->tag_size || run->next || reader->shape->kind != (FieldKind)op->kind ||
        (values && values->closed) || runner->set->options.canonical)
        return false;
    Bytes list = bytes(run->at, (size_t)(run->end - run->at));
    size_t n = packed_count((FieldKind)op->kind, list);
    if (n > runner->elements_left)
        return false; /* the caller goes element by element, to find the error */
    runner->elements_left -= (uint32_t)n;
    put_name(runner->out, op->put, 0);
    put_wire_scalar(runner->out, KIND_BYTES, value_of_bytes(list));
    return true;
}

static bool put_packed(Runner *runner, const PlanOp *op, ListReader *reader)
{
    if (copy_packed(runner, op, reader))
        return true;
    Buffer *out = runner->out;
    Value value;
    size_t start = out->size;
    buffer_add_bytes(out, op->put->name);
    size_t guess =
        reader->run && !reader->run->tag_size ? (size_t)(reader->run->end - reader->at) : 1;
    size_t reserved = length_begin(out, guess), content = out->size;
    while (list_next(reader, &value))
        put_wire_scalar(out, (FieldKind)op->kind, value);
    if (out->size == content)
        out->size = start; /* no element was left */
    else
        length_end(out, content, reserved);
    return !reader->failed && run_ends_well(runner, reader->before);
}

/* If all elements of a list or map were dropped (values that a closed enum does not have), the
   field is unset. */
bool put_nothing(Runner *runner, const PlanOp *op, size_t before)
{
    runner->out->size = before;
    return put_unset(runner, op);
}

/* Whether the list goes on after an element that has failed. */
static bool element_left(const ListReader *reader, uint32_t before)
{
    run_failed_at(reader->runner, reader->index);
    return run_goes_on(reader->runner, before);
}

/* Writes a JSON array. */
static bool put_json_list(Runner *runner, const PlanOp *op, ListReader *reader)
{
    Buffer *out = runner->out;
    Value value;
    uint32_t mistakes = runner->n_mistakes;
    size_t before = out->size;
    put_name(out, op->put, 0);
    size_t start = out->size;
    while (list_next(reader, &value)) {
        buffer_add_byte(out, ',');
        if (op->kind == KIND_STRING && json_add_plain(out, value.data, value.size))
            continue;
        bool ok = op->program ? program_run(runner, op->program, value)
                              : put_json_scalar(runner, (FieldKind)op->kind,
                                                op->put->field->enumeration, value);
        if (!ok && !element_left(reader, mistakes))
            return false;
    }
    if (out->size == start)
        return put_nothing(runner, op, before) && !reader->failed &&
               run_ends_well(runner, mistakes);
    if (!out->full)
        out->data[start] = '[';
    buffer_add_byte(out, ']');
    return !reader->failed && run_ends_well(runner, mistakes);
}

/* Estimates the size of a message: JSON takes about twice the bytes of protobuf. */
static size_t size_guess(bool json, Value message)
{
    return json ? message.node->text.size / 2 : message.size;
}

bool put_one_message(Runner *runner, const PlanOp *op, bool json_source, Value message)
{
    if (op->json || !op->put->delimited ||
        (op->program->style != PROGRAM_COPY && !message_is_same(runner, op->program, message)))
        return put_converted(runner, op, json_source, message);
    put_name(runner->out, op->put, 0);
    put_wire_scalar(runner->out, KIND_MESSAGE, message);
    if (op->put->suffix.size)
        buffer_add_bytes(runner->out, op->put->suffix);
    return true;
}

bool put_converted(Runner *runner, const PlanOp *op, bool json_source, Value message)
{
    Buffer *out = runner->out;
    put_name(out, op->put, 0);
    if (op->json || !op->put->delimited) {
        if (!program_run(runner, op->program, message))
            return false;
    } else {
        size_t reserved = length_begin(out, size_guess(json_source, message)), content = out->size;
        if (!program_run(runner, op->program, message))
            return false;
        length_end(out, content, reserved);
    }
    if (op->put->suffix.size)
        buffer_add_bytes(out, op->put->suffix);
    return true;
}

static bool put_messages(Runner *runner, const PlanOp *op, ListReader *reader)
{
    uint32_t before = runner->n_mistakes;
    Value message;
    while (list_next(reader, &message)) {
        if (!put_one_message(runner, op, reader->from_json, message) &&
            !element_left(reader, before))
            return false;
    }
    return !reader->failed && run_ends_well(runner, before);
}

bool put_list_of(Runner *runner, const Program *program, const PlanOp *op, Frame *frame)
{
    if (!frame_has(frame, op->a))
        return put_unset(runner, op);
    ListReader reader = list_reader(runner, op->shape, from_json(program, op), frame->values[op->a],
                                    frame->unknown);
    bool ok = false;
    reader.gathers = op->code != PLAN_PUT_MAP && op->code != PLAN_PUT_MESSAGES;
    reader.before = runner->n_mistakes;
    if (op->code == PLAN_PUT_MAP) {
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
