/* Reads lists and maps element by element, from protobuf, JSON or values. */
#include "adapters/run/list.h"

ListReader list_reader(Runner *runner, const ElementShape *shape, bool from_json, Value list,
                       Buffer *unknown)
{
    ListReader reader = {.runner = runner, .shape = shape, .unknown = unknown};
    if (shape->form != FORM_SOURCE) {
        reader.items = list.items;
        reader.items_end = list.items + list.size;
    } else if (from_json) {
        reader.from_json = true;
        reader.node = list.node->first;
    } else {
        /* The scan has checked that the records are well-formed. */
        reader.delimited = shape->map || kind_wire_type(shape->kind) == WIRE_LENGTH;
        reader.plain_varint =
            !shape->map && (shape->kind == KIND_INT32 || shape->kind == KIND_INT64 ||
                            shape->kind == KIND_UINT32 || shape->kind == KIND_UINT64);
        reader.run = list.run;
        reader.at = list.run->at;
    }
    return reader;
}

static bool stop(ListReader *reader)
{
    reader->failed = true;
    return run_failed_at(reader->runner, reader->index);
}

/* Counts the element, and gives it its index. */
static bool count(ListReader *reader)
{
    reader->index = reader->n++;
    return run_count_element(reader->runner) || stop(reader);
}

/* ---- From protobuf --------------------------------------------------------------------------- */

/* Reads the next record's payload, or the next packed value. 0: none left. */
static int next_wire(ListReader *reader, FieldKind kind, Value *value_out)
{
    const WireRun *run = reader->run;
    while (run && reader->at == run->end) {
        run = reader->run = run->next;
        reader->at = run ? run->at : NULL;
    }
    if (!run) {
        reader->delimited = reader->plain_varint = false;
        return 0;
    }
    const uint8_t *at = reader->at + run->tag_size, *payload_end;
    if (kind == KIND_GROUP) {
        value_out->data = at;
        at = wire_skip_group(at, run->end, run->tag >> 3, &payload_end);
        value_out->size = (size_t)(payload_end - value_out->data);
    } else {
        at = wire_scalar(reader->runner, kind, reader->shape->check_utf8, at, run->end, value_out);
    }
    reader->at = at;
    return at ? 1 : -1;
}

/* Whether a closed enum does not have the value, which makes it an unknown field. */
static bool is_foreign(const ListReader *reader, Value value)
{
    const EnumType *type = reader->shape->enumeration;
    return reader->shape->kind == KIND_ENUM && type->closed &&
           !enum_value_by_number(type, (int32_t)value.i);
}

static bool take_foreign(ListReader *reader, Bytes record)
{
    Runner *runner = reader->runner;
    if (runner->unknown == UNKNOWN_REFUSE)
        return run_fail(runner, &FAULT_BAD_VALUE, "%s has no value with this number",
                        reader->shape->enumeration->full_name);
    if (reader->unknown)
        buffer_add_bytes(reader->unknown, record);
    else
        runner->report->n_unknown++;
    return true;
}

static bool take_foreign_element(ListReader *reader, Value value)
{
    uint8_t record[20],
        *end = wire_put_varint(record, (uint64_t)reader->shape->source->number << 3);
    end = wire_put_varint(end, value.u);
    return take_foreign(reader, bytes(record, (size_t)(end - record)));
}

static bool next_from_wire(ListReader *reader, Value *value_out)
{
    for (;;) {
        int got = next_wire(reader, reader->shape->kind, value_out);
        if (got == 0)
            return false;
        if (!count(reader))
            return false;
        if (got < 0)
            return stop(reader);
        if (!is_foreign(reader, *value_out))
            return true;
        if (!take_foreign_element(reader, *value_out))
            return stop(reader);
    }
}

/* ---- From JSON ------------------------------------------------------------------------------- */

/* 1: a value; 0: to be skipped; -1: a fault. */
static int read_json(ListReader *reader, const JsonNode *node, Value *value_out)
{
    const ElementShape *shape = reader->shape;
    if (node->kind == JSON_NULL && !shape->nulls) {
        run_fail(reader->runner, &FAULT_BAD_VALUE, "null inside a list or map");
        return -1;
    }
    if (kind_is_message(shape->kind)) {
        value_out->node = node;
        return 1;
    }
    switch (json_scalar(reader->runner, shape->kind, shape->enumeration, node, value_out)) {
    case JSON_SCALAR_OK: return 1;
    case JSON_SCALAR_BAD: return -1;
    case JSON_SCALAR_UNKNOWN_ENUM: break;
    }
    reader->runner->report->n_unknown++;
    return 0;
}

/* False: the list ends with the fault. */
static __attribute__((cold)) bool put_aside(ListReader *reader)
{
    stop(reader);
    reader->failed = !reader->gathers || !run_goes_on(reader->runner, reader->before);
    return !reader->failed;
}

static bool next_from_json(ListReader *reader, Value *value_out)
{
    while (reader->node) {
        const JsonNode *node = reader->node;
        reader->node = node->next;
        if (!count(reader))
            return false;
        int got = read_json(reader, node, value_out);
        if (got > 0)
            return true;
        if (got < 0 && !put_aside(reader))
            return false;
    }
    return false;
}

bool list_next_slow(ListReader *reader, Value *value_out)
{
    if (reader->shape->form == FORM_SOURCE)
        return reader->from_json ? next_from_json(reader, value_out)
                                 : next_from_wire(reader, value_out);
    if (reader->items == reader->items_end)
        return false;
    *value_out = *reader->items++;
    return count(reader);
}

/* ---- Maps ------------------------------------------------------------------------------------ */

static bool read_entry_field(Runner *runner, const ElementShape *shape, const WireField *f,
                             Value *key, Value *value)
{
    FieldKind kind = f->number == 1 ? shape->key : shape->kind;
    bool check = f->number == 1 ? shape->key_check_utf8 : shape->check_utf8;
    if (kind == KIND_MESSAGE && value->size)
        return wire_join(runner, value, f->bytes);
    uint64_t tag;
    const uint8_t *end = f->record.data + f->record.size;
    const uint8_t *payload = wire_varint(f->record.data, end, &tag);
    return wire_scalar(runner, kind, check, payload, end, f->number == 1 ? key : value);
}

/* An entry is a message {1: key, 2: value}; a missing part is zero. */
static bool read_entry(Runner *runner, const ElementShape *shape, Bytes entry, Value *key,
                       Value *value)
{
    *key = *value = (Value){0};
    WireReader fields = wire_reader(entry);
    for (WireField f; wire_next(&fields, &f);) {
        uint32_t tag = f.number << 3 | f.type;
        if (tag != shape->key_tag && tag != shape->value_tag)
            runner->report->n_unknown++;
        else if (!read_entry_field(runner, shape, &f, key, value))
            return false;
    }
    return !fields.bad || wire_malformed(runner);
}

static inline const uint8_t *entry_scalar(Runner *runner, FieldKind kind, bool check_utf8,
                                          const uint8_t *at, const uint8_t *end, Value *value)
{
    if (kind != KIND_STRING || at == end || *at >= 0x80 || *at >= end - at ||
        (check_utf8 && !text_is_valid(at + 1, *at)))
        return wire_scalar(runner, kind, check_utf8, at, end, value);
    *value = (Value){.data = at + 1, .size = *at};
    return at + 1 + *at;
}

/* Fast path for the usual entry: key, then value, and nothing else. False for any other: use
   read_entry. */
static bool read_usual_entry(Runner *runner, const ElementShape *shape, Bytes entry, Value *key,
                             Value *value)
{
    if (entry.size < 4 || *entry.data != shape->key_tag)
        return false;
    const uint8_t *at = entry.data, *end = at + entry.size;
    at = entry_scalar(runner, shape->key, shape->key_check_utf8, at + 1, end, key);
    if (!at || at == end || *at != shape->value_tag)
        return false;
    return entry_scalar(runner, shape->kind, shape->check_utf8, at + 1, end, value) == end;
}

bool map_read_entry(Runner *runner, const ElementShape *shape, Bytes entry, Value *key,
                    Value *value)
{
    return read_usual_entry(runner, shape, entry, key, value) ||
           read_entry(runner, shape, entry, key, value);
}

static bool next_entry(ListReader *reader, Value *entry)
{
    if (list_next_delimited(reader, false, entry))
        return true;
    int got = next_wire(reader, KIND_MESSAGE, entry);
    return got != 0 && count(reader) && (got > 0 || stop(reader));
}

static bool entry_from_wire(ListReader *reader, Value *key, Value *value)
{
    Value entry;
    for (;;) {
        const uint8_t *before = reader->at;
        const WireRun *run = reader->run;
        if (list_at_end(reader) || !next_entry(reader, &entry))
            return false;
        if (!map_read_entry(reader->runner, reader->shape, value_bytes(entry), key, value))
            return stop(reader);
        if (!is_foreign(reader, *value))
            return true;
        const uint8_t *start = reader->run == run && before != run->end ? before : reader->run->at;
        if (!take_foreign(reader, bytes(start, (size_t)(reader->at - start))))
            return stop(reader);
    }
}

static bool entry_from_json(ListReader *reader, Value *key, Value *value)
{
    while (reader->node) {
        const JsonNode *node = reader->node;
        JsonNode name = {.kind = JSON_TEXT, .text = node->name};
        reader->node = node->next;
        if (!count(reader))
            return false;
        int got = -1;
        if (json_scalar(reader->runner, reader->shape->key, NULL, &name, key) == JSON_SCALAR_OK)
            got = read_json(reader, node, value);
        if (got > 0)
            return true;
        if (got < 0) {
            reader->failed = true;
            return run_failed_at_key(reader->runner, node->name);
        }
    }
    return false;
}

bool map_next(ListReader *reader, Value *key_out, Value *value_out)
{
    if (reader->shape->form == FORM_SOURCE)
        return reader->from_json ? entry_from_json(reader, key_out, value_out)
                                 : entry_from_wire(reader, key_out, value_out);
    if (reader->items == reader->items_end)
        return false;
    *key_out = *reader->items++;
    *value_out = *reader->items++;
    return count(reader);
}

bool list_collect(ListReader *reader, Value *values_out)
{
    Buffer items = buffer_in(reader->runner->arena);
    Value pair[2];
    bool map = reader->shape->map;
    while (map ? map_next(reader, &pair[0], &pair[1]) : list_next(reader, &pair[0]))
        buffer_add(&items, pair, map ? sizeof(pair) : sizeof(*pair));
    if (reader->failed)
        return false;
    if (items.full)
        return run_out_of_memory(reader->runner);
    *values_out = (Value){.items = (const Value *)(const void *)items.data,
                          .size = items.size / sizeof(Value)};
    return true;
}
