/*
 * ListReader: iterates over the elements of a list, or the entries of a map, in protobuf, in JSON,
 * or in values that the run created. Each is counted (Runner's elements_left) when it is read.
 */
#ifndef ADAPTERS_LIST_H
#define ADAPTERS_LIST_H

#include "adapters/run/scan.h"

/* Neighbouring records of one repeated field, or one packed payload. */
typedef struct WireRun {
    const uint8_t *at, *end;
    uint32_t tag;     /* that each record begins with */
    uint8_t tag_size; /* bytes of it; 0: packed, no tags */
    struct WireRun *next;
} WireRun;

typedef struct ListReader {
    Runner *runner;
    const ElementShape *shape;
    bool from_json;
    bool delimited;    /* from protobuf, and each element stands behind its size */
    bool plain_varint; /* from protobuf, and each element is a varint as it stands */
    const WireRun *run;
    const uint8_t *at; /* in *run */
    const JsonNode *node;
    const Value *items, *items_end;
    Buffer *unknown; /* where values that a closed enum does not know are kept; or NULL */
    uint32_t index;  /* of the element that was read last */
    uint32_t n;      /* read so far */
    bool failed;     /* list_next was false for a fault, not for the end */
    bool gathers;    /* an invalid scalar of JSON is put aside (run_goes_on): whoever reads the list
                        ends it by run_ends_well */
    uint32_t before; /* n_mistakes when it began */
} ListReader;

/* If `list` is of FORM_SOURCE, it is not empty, and `from_json` is its codec. */
ListReader list_reader(Runner *runner, const ElementShape *shape, bool from_json, Value list,
                       Buffer *unknown);

/* list_next, for all cases that the fast paths below do not handle. */
bool list_next_slow(ListReader *reader, Value *value_out);

/* The next of strings, bytes, messages or entries in protobuf, when it is one of the usual. Its
   record was found to be whole when it was scanned. */
static inline bool list_next_delimited(ListReader *reader, bool check_utf8, Value *value_out)
{
    if (!reader->delimited || reader->at == reader->run->end || !reader->runner->elements_left)
        return false;
    const uint8_t *at = reader->at + reader->run->tag_size;
    size_t size = *at++;
    if (size >= 0x80) {
        if (*at >= 0x80)
            return false;
        size = (size & 0x7f) | (size_t)*at++ << 7;
    }
    if (check_utf8 && !text_is_valid(at, size))
        return false;
    *value_out = (Value){.data = at, .size = size};
    reader->at = at + size;
    reader->index = reader->n++;
    reader->runner->elements_left--;
    return true;
}

/* The same of numbers, when it is of one byte. */
static inline bool list_next_varint(ListReader *reader, Value *value_out)
{
    if (!reader->plain_varint || reader->at == reader->run->end || !reader->runner->elements_left)
        return false;
    const uint8_t *at = reader->at + reader->run->tag_size;
    if (*at >= 0x80)
        return false;
    *value_out = (Value){.u = *at};
    reader->at = at + 1;
    reader->index = reader->n++;
    reader->runner->elements_left--;
    return true;
}

/* True: no more records in protobuf. False: unknown. */
static inline bool list_at_end(const ListReader *reader)
{
    return reader->run && reader->at == reader->run->end && !reader->run->next;
}

/* The next element of a list. False at the end, and if the run has failed (`failed`). */
static inline bool list_next(ListReader *reader, Value *value_out)
{
    return list_next_delimited(reader, reader->shape->check_utf8, value_out) ||
           list_next_varint(reader, value_out) ||
           (!list_at_end(reader) && list_next_slow(reader, value_out));
}

/* The next entry of a map, in the same way. */
bool map_next(ListReader *reader, Value *key_out, Value *value_out);

/* One entry of a map in protobuf; missing parts are zero. */
bool map_read_entry(Runner *runner, const ElementShape *shape, Bytes entry, Value *key,
                    Value *value);

/* Reads the rest of a list into FORM_VALUES, in the arena (a map: keys and values in turn). */
bool list_collect(ListReader *reader, Value *values_out);

#endif
