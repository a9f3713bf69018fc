/*
 * Program: a Mapping compiled for one pair of codecs; Runner: one run of a Plan.
 *
 * A program reads its source message once, into a frame of slots (scan), one slot for each source
 * field that some expression reads; fields of sub-messages that are moved out have slots of the
 * same frame. Then a flat list of operations computes and writes the target in the order of its
 * fields.
 *
 *     source bytes or JsonNode --scan--> slots --operations--> output
 *
 * Sub-messages and lists stay where they are: their slot points at them, and the operation that
 * writes them reads them, through a program of their own. Inside the folder and its tests only.
 */
#ifndef ADAPTERS_PLAN_INTERNAL_H
#define ADAPTERS_PLAN_INTERNAL_H

#include "adapters/program/plan.h"
#include "adapters/schema/wire.h"
#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/utf8.h"

typedef struct Program Program;
typedef struct Runner Runner;

/* ---- Values
 * -------------------------------------------------------------------------------------- */

/*
 * One value. What it is, is known when the plan is compiled:
 *   integers, bool, enum: i or u, extended to 64 bits; double: d; float: its 32 bits in u
 *   string, bytes: data, size
 *   message, FORM_SOURCE, from protobuf and FORM_WIRE: data, size: its fields as bytes
 *   message, FORM_SOURCE, from JSON: node
 *   list or map, FORM_SOURCE, from protobuf: run, last; from JSON: node
 *   list, FORM_VALUES: items, size; map, FORM_VALUES: keys and values in turn, size: of both
 */
typedef struct Value {
    union {
        int64_t i;
        uint64_t u;
        double d;
        const uint8_t *data;
        const JsonNode *node;
        struct WireRun *run;
        const struct Value *items;
    };
    union {
        size_t size;
        struct WireRun *last;
    };
} Value;

typedef enum Form {
    FORM_SOURCE, /* still where it was read */
    FORM_WIRE, /* a message as protobuf bytes that the run made; as a list, FORM_VALUES of those */
    FORM_VALUES, /* a list that the run made */
} Form;

/* Neighbouring records of one repeated field, or one packed payload. */
typedef struct WireRun {
    const uint8_t *at, *end;
    uint32_t tag;     /* that each record begins with */
    uint8_t tag_size; /* bytes of it; 0: packed, no tags */
    struct WireRun *next;
} WireRun;

static inline Bytes value_bytes(Value v)
{
    return bytes(v.data, v.size);
}

static inline Value value_of_bytes(Bytes b)
{
    return (Value){.data = b.data, .size = b.size};
}

static inline float value_float(Value v)
{
    uint32_t bits = (uint32_t)v.u;
    float number;
    memcpy(&number, &bits, sizeof(number));
    return number;
}

static inline Value value_of_float(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof(bits));
    return (Value){.u = bits};
}

static inline bool kind_is_bytes(FieldKind kind)
{
    return kind == KIND_STRING || kind == KIND_BYTES;
}

static inline bool kind_is_message(FieldKind kind)
{
    return kind == KIND_MESSAGE || kind == KIND_GROUP;
}

/* Zero, or empty: what a field without presence is when unset. -0.0 is not zero. */
static inline bool value_is_zero(FieldKind kind, Value v)
{
    return kind_is_bytes(kind) ? v.size == 0 : v.u == 0;
}

extern const uint8_t kind_wire_types[];

static inline WireType kind_wire_type(FieldKind kind)
{
    return (WireType)kind_wire_types[kind];
}

/* ---- Programs
 * ------------------------------------------------------------------------------------ */

typedef enum PlanCode {
#define PLAN_OP(name, letter, meaning) PLAN_##name,
#include "adapters/program/plan_ops.def"
#undef PLAN_OP
    PLAN_END,
} PlanCode;

enum {
    NO_SLOT = UINT16_MAX,
    MOST_ARGS = 8,    /* of one converter */
    MOST_BUILDS = 12, /* BUILDs within BUILDs */
};

/* The usual ways to read a field, each without a question more than it needs; READ_OTHER asks them
   all. What is PASSed goes straight to the output. */
typedef enum ScanRead {
    READ_OTHER,
    READ_VARINT_64,
    READ_VARINT_32,
    READ_FIXED_64,
    READ_BYTES,
    READ_MESSAGE,
    READ_RECORDS,
    READ_PACKED,
    PASS_VARINT,
    PASS_FIXED_64,
    PASS_FIXED_32,
    PASS_BYTES,
    PASS_PACKED,
    PASS_MESSAGE,
    PASS_ENTRY,
} ScanRead;

/* What is done with one field of the source. */
typedef struct ScanField {
    const FieldType *field;
    const struct ScanTable
        *inside;               /* sub-message whose fields have slots in this frame too; or NULL */
    const struct PlanOp *pass; /* between protobuf and protobuf: written when it is read; or NULL */
    uint32_t tag;              /* that its records begin with in protobuf, as it should be */
    uint16_t slot;             /* or NO_SLOT: known, but nobody asks */
    uint16_t oneof;            /* in the frame + 1; 0: in none */
    uint16_t json_size;        /* of field->json_name */
    uint8_t read;              /* ScanRead, of records with that tag */
    bool check_utf8, presence;
    bool keeps_tag; /* passed as it is, its tag included */
} ScanField;

/* One message type of the source, as it is read into a frame. */
typedef struct ScanTable {
    const MessageType *type;
    ScanField *fields;    /* beside type->fields */
    uint32_t seen;        /* index of its first field among the frame's "seen" bits */
    uint32_t oneofs;      /* index of its first oneof in the frame */
    uint16_t by_tag[128]; /* tags of one byte -> index + 1 of the field whose `tag` it is */
} ScanTable;

enum { NAME_PADDING = 32 };

/* Where an operation writes: one field of the target, with what its name looks like there. */
typedef struct PutField {
    const FieldType *field;
    Bytes name;     /* JSON: `,"customerId":`; protobuf: the tag. NAME_PADDING bytes can be read */
    Bytes unset;    /* JSON: what stands for an unset one ("0", "[]") */
    Bytes suffix;   /* protobuf: the end tag of a group, or of an item of a message set */
    bool delimited; /* protobuf: a length stands before a message */
} PutField;

/* How the values of a list or map are read. */
typedef struct ElementShape {
    const FieldType *source; /* of FORM_SOURCE: the list's field; else NULL */
    FieldKind kind;          /* of the elements, or of the map's values */
    FieldKind key;           /* maps */
    const EnumType *enumeration;
    uint8_t key_tag, value_tag; /* maps: the usual ones in an entry */
    bool check_utf8, key_check_utf8, map;
    bool nulls; /* JSON: null is a value of it */
    Form form;
} ElementShape;

/* How a scalar is written. */
typedef enum PutAs {
    PUT_AS_OTHER,
    PUT_AS_VARINT,
    PUT_AS_BYTES,
    PUT_AS_JSON_TEXT,
    PUT_AS_JSON_INT,
    PUT_AS_JSON_LONG,
} PutAs;

typedef struct PlanOp {
    uint8_t code;
    uint8_t kind;     /* FieldKind of what is written or computed */
    uint8_t form;     /* Form of a */
    uint8_t put_as;   /* PUT_VALUE: PutAs */
    uint8_t tag_size; /* PUT_VALUE, as VARINT and BYTES: the tag again, close at hand */
    uint64_t tag;     /* its bytes, as they are in memory */
    bool json;        /* PUT: writes JSON */
    bool omit_zero;   /* PUT: the field has no presence */
    bool put_unset;   /* PUT: what is unset is written too */
    bool required;    /* PUT: unset is a fault */
    bool map;         /* a is a map */
    bool loud;
    bool always;         /* CLOSE, END_BUILD: there is no a: written when not empty */
    uint16_t a, b, into; /* slots */
    uint32_t skip;
    const char *where; /* path in the source, for errors */
    const PutField *put;
    const Program *program;
    const ScanTable *inside; /* PUT_INSIDE: of a */
    const ElementShape *shape;
    const Converter *converter;
    const uint16_t *args; /* slots of CONVERT's arguments */
    uint32_t n_args;
    Value constant;
    FieldKind constant_kind;
    bool zero_when_unset; /* WHEN: the source field has no presence, so unset is zero */
    const Loss *loss;
} PlanOp;

typedef enum ProgramStyle {
    PROGRAM_COPY,   /* protobuf to protobuf, nothing changes: the bytes */
    PROGRAM_FIELDS, /* scan, then operations */
    PROGRAM_READ,   /* a well-known type out of its JSON, to protobuf */
    PROGRAM_WRITE,  /* a well-known type from protobuf into its JSON */
    PROGRAM_STAGED, /* through protobuf: first, then second */
    PROGRAM_ANY,    /* google.protobuf.Any, with what is in it */
} ProgramStyle;

struct Program {
    ProgramStyle style;
    Codec from_codec, to_codec;
    const Mapping *mapping;
    const MessageType *from, *to;
    const ScanTable *scan;
    uint32_t n_slots, n_oneofs, n_seen;
    uint32_t frame_class, frame_clear; /* log2 of a frame's size; bytes that begin as zero */
    const PlanOp *ops;                 /* ended by PLAN_END */
    uint32_t n_ops;
    bool keep_unknown;
    bool bare;                     /* only_field: the value without its name and braces */
    const Program *first, *second; /* STAGED; second may be NULL */
};

/* What is done with a type that is met inside an Any. */
typedef struct AnyType {
    const Program *program;   /* or NULL: its bytes stay */
    const Stranded *stranded; /* or it has no counterpart */
    bool bytes_in, bytes_out; /* the source, or the target, does not know it: bytes also in JSON */
} AnyType;

/* What all programs of a compilation share. */
typedef struct ProgramSet {
    PlanOptions options;
    Program **programs; /* all of them */
    uint32_t n, capacity;
    Table any[CODEC_COUNT][CODEC_COUNT]; /* from, to: full name -> AnyType */
} ProgramSet;

struct Plan {
    const Program *program;
    Codec from, to;
    const Mapping *mapping;
    const ProgramSet *set;
};

/* ---- Running
 * ------------------------------------------------------------------------------------- */

typedef struct Frame {
    Value *values;
    uint64_t *set;          /* a bit per slot */
    uint64_t *seen;         /* a bit per field: duplicates in JSON */
    uint16_t *oneof_chosen; /* per oneof: index + 1 of the member that was set last */
    Buffer *unknown;        /* kept unknown fields */
} Frame;

static inline bool frame_has(const Frame *frame, uint16_t slot)
{
    return frame->set[slot >> 6] >> (slot & 63) & 1;
}

static inline void frame_set(Frame *frame, uint16_t slot)
{
    frame->set[slot >> 6] |= UINT64_C(1) << (slot & 63);
}

static inline void frame_clear(Frame *frame, uint16_t slot)
{
    frame->set[slot >> 6] &= ~(UINT64_C(1) << (slot & 63));
}

enum { FRAME_CLASSES = 22, PATH_LIMIT = 24 }; /* MOST_SLOTS slots fit the largest class */

/* A step of the path to a fault, collected from the inside out. */
typedef struct PathStep {
    const char *name; /* or NULL: an element */
    Bytes key;        /* of a map's entry */
    uint32_t index;   /* of a list's element; when key.data is NULL */
} PathStep;

struct Runner {
    Arena *arena;
    Buffer *out;
    PlanRun *report;
    const ProgramSet *set;
    uint32_t depth, max_depth; /* nesting so far */
    uint32_t elements_left;
    void *frames[FRAME_CLASSES]; /* free ones, by size class */
    const Fault *fault;          /* what went wrong, or NULL */
    const char *text;
    PathStep path[PATH_LIMIT];
    uint32_t n_path;
};

/* Notes what went wrong. Always false. */
bool run_fail(Runner *runner, const Fault *fault, const char *format, ...) PRINTF_LIKE(3, 4);
bool run_out_of_memory(Runner *runner);

/* Adds to the path on the way out. Always false. */
bool run_failed_in(Runner *runner, const char *name);
bool run_failed_at(Runner *runner, uint32_t index);
bool run_failed_at_key(Runner *runner, Bytes key);

void run_loss(Runner *runner, const Loss *loss);

static inline bool run_count_elements(Runner *runner, size_t n)
{
    if (__builtin_expect(n <= runner->elements_left, 1)) {
        runner->elements_left -= (uint32_t)n;
        return true;
    }
    return run_fail(runner, &FAULT_MESSAGE_TOO_LARGE, "more elements than allowed");
}

static inline bool run_count_element(Runner *runner)
{
    return run_count_elements(runner, 1);
}

/* Runs a program on one message, and writes to runner->out: to protobuf the fields alone, to JSON
   the whole value. */
bool program_run(Runner *runner, const Program *program, Value source);

/* JSON without the braces, each member with its comma in front; what Any puts behind its "@type".
 */
bool program_run_members(Runner *runner, const Program *program, Value source);

/* The same into bytes of its own. */
bool program_make(Runner *runner, const Program *program, Value source, Bytes *bytes_out);

/* scan_wire.c, scan_json.c: the source into a frame. */
bool scan_wire(Runner *runner, const ScanTable *table, Frame *frame, Bytes message);
bool scan_json(Runner *runner, const ScanTable *table, Frame *frame, const JsonNode *node);

/* What became of reading a scalar from JSON. */
typedef enum JsonScalar { JSON_SCALAR_OK, JSON_SCALAR_BAD, JSON_SCALAR_UNKNOWN_ENUM } JsonScalar;

JsonScalar json_scalar(Runner *runner, FieldKind kind, const EnumType *enumeration,
                       const JsonNode *node, Value *value_out);

/* Notes that the bytes are no message. Always NULL. */
const uint8_t *wire_malformed(Runner *runner);

/* The same of a string that is not UTF-8. */
const uint8_t *wire_bad_text(Runner *runner);

/* Messages that come in pieces are one: their bytes in a row mean the same. */
bool wire_join(Runner *runner, Value *whole, Bytes more);

bool kind_may_be_packed(FieldKind kind);

/* How many values; SIZE_MAX when they are not well-formed. */
size_t packed_count(FieldKind kind, Bytes list);

/* Reads a scalar behind its tag; NULL when it is not well-formed (the fault is noted). */
const uint8_t *wire_scalar(Runner *runner, FieldKind kind, bool check_utf8, const uint8_t *at,
                           const uint8_t *end, Value *value_out);

/* Strings are mostly ASCII, and mostly short. */
static inline bool text_is_valid(const uint8_t *text, size_t size)
{
    uint64_t bits = 0, eight;
    uint32_t four;
    if (size >= 8) {
        for (size_t i = 0; i + 8 <= size; i += 8) {
            memcpy(&eight, text + i, 8);
            bits |= eight;
        }
        memcpy(&eight, text + size - 8, 8);
        bits |= eight;
    } else if (size >= 4) {
        memcpy(&four, text, 4);
        bits = four;
        memcpy(&four, text + size - 4, 4);
        bits |= four;
    } else if (size) {
        bits = text[0] | text[size / 2] | text[size - 1];
    }
    return (bits & UINT64_C(0x8080808080808080)) == 0 || utf8_valid(bytes(text, size));
}

/* Walks over the elements of a list or the entries of a map, whatever their form. */
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
} ListReader;

ListReader list_reader(Runner *runner, const ElementShape *shape, bool from_json, Value list,
                       Buffer *unknown);
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

static inline bool list_at_end(const ListReader *reader)
{
    return reader->run && reader->at == reader->run->end && !reader->run->next;
}

static inline bool list_next(ListReader *reader, Value *value_out)
{
    return list_next_delimited(reader, reader->shape->check_utf8, value_out) ||
           list_next_varint(reader, value_out) ||
           (!list_at_end(reader) && list_next_slow(reader, value_out));
}

bool map_next(ListReader *reader, Value *key_out, Value *value_out);

/* One entry of a map in protobuf; what is missing is zero. */
bool map_read_entry(Runner *runner, const ElementShape *shape, Bytes entry, Value *key,
                    Value *value);

/* Reads a whole list into FORM_VALUES (a map: keys and values in turn). */
bool list_collect(ListReader *reader, Value *values_out);

/* Copies a few bytes without a call; more with one. */
static inline void copy_bytes(uint8_t *to, const uint8_t *from, size_t size)
{
    uint64_t first, last;
    uint32_t first_half, last_half;
    if (size > 64) {
        memcpy(to, from, size);
    } else if (size > 16) {
        memcpy(to, from, 16);
        if (size > 32) {
            memcpy(to + 16, from + 16, 16);
            memcpy(to + size - 32, from + size - 32, 16);
        }
        memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
        memcpy(&first, from, 8);
        memcpy(&last, from + size - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + size - 8, &last, 8);
    } else if (size >= 4) {
        memcpy(&first_half, from, 4);
        memcpy(&last_half, from + size - 4, 4);
        memcpy(to, &first_half, 4);
        memcpy(to + size - 4, &last_half, 4);
    } else if (size) {
        uint8_t middle = from[size / 2], end = from[size - 1];
        to[0] = from[0];
        to[size / 2] = middle;
        to[size - 1] = end;
    }
}

/* The name of a field, and room for `more` behind it. */
static inline bool put_name(Buffer *out, const PutField *put, size_t more)
{
    if (!buffer_reserve(out, put->name.size + NAME_PADDING + more))
        return false;
    uint8_t *to = out->data + out->size;
    if (put->name.size <= 8)
        memcpy(to, put->name.data, 8);
    else if (__builtin_expect(put->name.size <= NAME_PADDING, 1))
        memcpy(to, put->name.data, NAME_PADDING);
    else
        memcpy(to, put->name.data, put->name.size);
    out->size += put->name.size;
    return true;
}

/* put.c: values into the output. */
void put_wire_scalar(Buffer *out, FieldKind kind, Value value);
bool put_json_scalar(Runner *runner, FieldKind kind, const EnumType *enumeration, Value value);

/* put_ops.c, put_map.c: operations that write one field. */
bool put_unset(Runner *runner, const PlanOp *op);
bool put_nothing(Runner *runner, const PlanOp *op, size_t before);
const PlanOp *put_values(Runner *runner, const PlanOp *op,
                         const Frame *frame); /* up to the next that is none;
                                                 NULL: a fault */
bool put_one_message(Runner *runner, const PlanOp *op, bool json_source, Value message);
bool put_map_entry(Runner *runner, const PlanOp *op, Value key, Value value); /* to protobuf */
bool put_message(Runner *runner, const Program *program, const PlanOp *op, Frame *frame);
bool put_list_of(Runner *runner, const Program *program, const PlanOp *op, Frame *frame);
bool put_map(Runner *runner, const PlanOp *op, ListReader *reader);

/* eval.c: all operations of a program. */
bool run_ops(Runner *runner, const Program *program, Frame *frame);

/* Room for a length that is not known yet, guessed to need as much as `guess`; then the length. */
static inline size_t length_begin(Buffer *out, size_t guess)
{
    size_t reserved = wire_varint_size(guess);
    if (buffer_reserve(out, 10))
        out->size += reserved;
    return reserved;
}

void length_end_slow(Buffer *out, size_t content, size_t reserved);

static inline void length_end(Buffer *out, size_t content, size_t reserved)
{
    size_t size = out->size - content;
    if (reserved == 1 && size < 0x80 && !out->full)
        out->data[content - 1] = (uint8_t)size;
    else
        length_end_slow(out, content, reserved);
}

/* convert.c: one converter on one set of arguments. Messages come and go as protobuf bytes.
   `set_out` false: the value is absent. */
bool convert(Runner *runner, const Converter *converter, const Value *args, uint32_t n_args,
             const Loss *loss, Value *value_out, bool *set_out);

/* well_known.c: between a well-known type's JSON and its protobuf bytes; both to runner->out. */
bool well_known_read(Runner *runner, const MessageType *type, const JsonNode *node);
bool well_known_write(Runner *runner, const MessageType *type, Bytes message);

/* any.c */
bool any_run(Runner *runner, const Program *program, Value source);
Bytes any_type_name(Bytes url); /* the full name behind the last slash */

/* parameters.c: body and parameters as one tree. */
MUST_USE Result input_tree(const Plan *plan, const PlanInput *input, Arena *arena, PlanRun *run,
                           JsonNode **root_out);

#endif
