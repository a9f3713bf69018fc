/*
 * Program: a Mapping compiled for one pair of codecs. All of it is read-only data: made by compile/
 * when a plan is compiled or when it is first needed (program_need), run by any thread (run/). It
 * lives in the arena of the plan or of its cache, and borrows from the mapping and its schemas.
 *
 * A program reads its source message once, into a frame of slots (scan), one slot for each source
 * field that some expression reads. Fields that are moved out of sub-messages have slots in the
 * same frame. Then a flat list of operations computes and writes the target in the order of its
 * fields.
 *
 *     source bytes or JsonNode --scan--> slots --operations--> output
 *
 * Sub-messages and lists are not copied: their slot points at them in the source, and the operation
 * that writes them converts them by a program of their own. For compile/, run/ and details/.
 */
#ifndef ADAPTERS_PROGRAM_H
#define ADAPTERS_PROGRAM_H

#include "adapters/program/plan.h"
#include "adapters/program/value.h"

#include <stdatomic.h>

typedef struct Program Program;

typedef enum PlanCode {
#define PLAN_OP(name, letter, meaning) PLAN_##name,
#include "adapters/program/plan_ops.def"
#undef PLAN_OP
    PLAN_END,
} PlanCode;

enum {
    NO_SLOT = UINT16_MAX,
    MOST_ARGS = 8,    /* of one converter */
    MOST_BUILDS = 12, /* nesting of BUILDs */
    MOST_WOKEN = 64,  /* slots, and likewise operations, of a program with `wakes` */
};

/* How a field is read: one case for each common kind of field, with no more checks than it needs;
   READ_OTHER is the general case. PASS: the record is written to the output at once. READ of a
   field with ScanField.pass: both. */
typedef enum ScanRead {
    READ_OTHER,
    READ_VARINT_64,
    READ_VARINT_32,
    READ_VARINT_U32,
    READ_BOOL,
    READ_FIXED_64,
    READ_BYTES,
    READ_UNLESS, /* bytes, unless they are ScanField.ignored */
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
    PASS_FITTING, /* if it is among PlanOp.fits; else its value goes into the slot */
    READ_TAG,     /* not of a field: a tag that is not in `by_tag` */
} ScanRead;

/* How one field of the source is read. */
typedef struct ScanField {
    const FieldType *field;
    const struct ScanTable *inside; /* a sub-message with slots in this frame; or NULL */
    const struct PlanOp *pass;      /* protobuf to protobuf: writes it during the scan; or NULL */
    const Value *ignored; /* protobuf: what means as much as no value: to a guard, the only
                             operation that reads the slot; or NULL */
    uint32_t tag;         /* protobuf: the expected tag of its records */
    uint16_t slot;        /* or NO_SLOT: no expression reads it */
    uint16_t oneof;       /* index in the frame + 1; 0: not in a oneof */
    uint16_t json_size;   /* of field->json_name */
    uint8_t read;         /* ScanRead, for records with `tag` */
    bool check_utf8, presence;
    bool keeps_tag; /* PASS: including its tag */
    bool counts;    /* PASS: a record is an element */
} ScanField;

/* How one message type of the source is read into a frame. */
typedef struct ScanTable {
    const MessageType *type;
    ScanField *fields;   /* parallel to type->fields; fields[-1] is for READ_TAG */
    uint32_t seen;       /* index of its first field among the frame's "seen" bits */
    uint32_t oneofs;     /* index of its first oneof in the frame */
    uint8_t by_tag[256]; /* first byte of a record -> index + 1 of the field with that `tag`; 0:
                            none, or the tag has more than one byte */
} ScanTable;

enum { NAME_PADDING = 32 };

/* The target field of an operation, with its encoded name. */
typedef struct PutField {
    const FieldType *field;
    Bytes name;     /* JSON: `,"customerId":`; protobuf: the tag. NAME_PADDING bytes are readable */
    Bytes unset;    /* JSON: what is written if it is unset ("0", "[]") */
    Bytes suffix;   /* protobuf: the end tag of a group, or of an item of a message set */
    bool delimited; /* protobuf: a message has a length in front */
} PutField;

/* How the values of a list or map are read. */
typedef struct ElementShape {
    const FieldType *source; /* FORM_SOURCE: the field of the list; else NULL */
    FieldKind kind;          /* of the elements, or of the map's values */
    FieldKind key;           /* maps */
    const EnumType *enumeration;
    uint8_t key_tag, value_tag; /* maps: the expected tags in an entry */
    bool check_utf8, key_check_utf8, map;
    bool nulls; /* JSON: null is a value of the element type */
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

/* What an operation does if its slot `a` is not set, where that can be decided at compile time. */
typedef enum WhenUnset {
    UNSET_OTHER,
    UNSET_NOTHING,
    UNSET_CLEARS, /* it clears `into` */
} WhenUnset;

/* A large schema has millions of these, so members of different kinds share memory. */
typedef struct PlanOp {
    uint8_t code;
    uint8_t when_unset;    /* WhenUnset */
    uint8_t kind;          /* FieldKind of the value written or computed */
    uint8_t form;          /* Form of a */
    uint8_t put_as;        /* PUT_VALUE: PutAs */
    uint8_t tag_size;      /* PUT_VALUE as VARINT or BYTES: size of `tag` in bytes */
    uint8_t constant_kind; /* FieldKind of `constant`; 0: there is none */
    bool json;             /* PUT: writes JSON */
    bool omit_zero;        /* PUT: the field has no presence */
    bool put_unset;        /* PUT: unset is written, too (`unset`) */
    bool required;         /* PUT: unset is an error */
    bool map;              /* a is a map */
    bool loud;
    bool always;          /* CLOSE, END_BUILD: there is no a: written if not empty */
    bool zero_when_unset; /* WHEN: the source field has no presence, so unset is zero */
    uint16_t a, b, into;  /* slots */
    uint16_t n_args;
    uint32_t skip;
    const char *where; /* path in the source, for errors */
    const Program *program;
    union {
        const ElementShape *shape; /* of a list or map */
        uint64_t
            fits; /* PUT_VALUE during the scan, of a number that is converted: the highest that
                     stays as it is; of an enum, a bit for each such value; 0: all of them do */
    };
    const Loss *loss;
    union {
        struct { /* PUT */
            const PutField *put;
            uint64_t tag;            /* copy of the tag's bytes, for one store */
            const ScanTable *inside; /* PUT_INSIDE: of a */
        };
        struct { /* CONVERT */
            const Converter *converter;
            const uint16_t *args; /* slots of its arguments */
        };
        Value constant;    /* CONST, WHEN, GUARD */
        const Loss *order; /* KEYED */
    };
} PlanOp;

/* Whether a number, as its record has it, is the same in the target (PASS_FITTING). */
static inline bool op_fits(const PlanOp *op, uint64_t raw)
{
    if (op->kind == KIND_ENUM)
        return raw < 64 && op->fits >> raw & 1;
    return raw <= op->fits;
}

/* What it means for the operations of a program, by their bits, that a slot is set. */
typedef struct SlotOps {
    uint64_t wakes;    /* they are run */
    uint64_t silences; /* they are not: for slots that the scan sets, in place of SKIP_IF */
} SlotOps;

typedef enum ProgramStyle {
    PROGRAM_COPY,   /* protobuf to protobuf, nothing changes: the bytes */
    PROGRAM_FIELDS, /* scan, then operations */
    PROGRAM_READ,   /* the JSON of a well-known type to protobuf */
    PROGRAM_WRITE,  /* protobuf to the JSON of a well-known type */
    PROGRAM_STAGED, /* by way of protobuf: first, then second */
    PROGRAM_ANY,    /* google.protobuf.Any and its content */
} ProgramStyle;

/* The members before `compiled` are valid from the start, those after it once program_need
   returned. READ, WRITE and COPY use none of the latter. */
struct Program {
    ProgramStyle style;
    Codec from_codec, to_codec;
    const Mapping *mapping;
    const MessageType *from, *to;
    const FieldType *only; /* only_field: write its value alone, without name and braces; or NULL */
    atomic_bool compiled;
    const ScanTable *scan;
    uint32_t n_slots, n_oneofs, n_seen;
    /* Bytes of a frame, multiples of 8: the part that is zeroed at the start, which has the bits of
       the slots, then those of fields seen, then the oneofs; and with the values, behind that. */
    uint32_t frame_seen, frame_oneofs, frame_clear, frame_size;
    const PlanOp *ops; /* ended by PLAN_END */
    /* For each slot. NULL: the program has more than MOST_WOKEN; all operations are run, and each
       checks its slots. */
    const SlotOps *wakes;
    uint64_t always; /* with `wakes`: the operations that are always run, unless silenced */
    bool wire;       /* FIELDS, protobuf to protobuf, and unknown fields are not kept */
    bool keep_unknown;
    bool often_same; /* protobuf to protobuf: most messages only have fields that keep their
                        records, and then come out as they are: message_is_same (run/) */
    const Program *first, *second; /* STAGED; second may be NULL */
    const Converter *holder; /* ANY: which types have a different mapping in this Any; or NULL */
    const Table *held;       /* full name -> AnyType, of those types; or NULL */
};

/* How a type inside an Any is converted. */
typedef struct AnyType {
    const Program *program;   /* NULL: its bytes are kept */
    const Stranded *stranded; /* not NULL: it has no counterpart */
    bool bytes_in, bytes_out; /* the source, or the target, has no such type: bytes also in JSON */
} AnyType;

/* The shared data of all programs of a compilation. */
typedef struct ProgramSet {
    PlanOptions options;
    Program **programs; /* all of them */
    uint32_t n, capacity;
    Table *any[CODEC_COUNT][CODEC_COUNT]; /* from, to: full name -> AnyType */
    /* Make the program of a plan, and compile one, at their first use; thread-safe. They cannot
       fail: plan_compile has checked that all programs can be compiled. NULL: all are there. */
    const Program *(*make)(const struct ProgramSet *set, const Plan *plan);
    void (*compile)(const struct ProgramSet *set, const Program *program);
} ProgramSet;

/* Call it before reading members after Program.compiled, or ProgramSet.any for the codecs of the
   program; not for what plan_program gives, which is compiled. Any thread. */
static inline void program_need(const ProgramSet *set, const Program *program)
{
    if (__builtin_expect(!atomic_load_explicit(&program->compiled, memory_order_acquire), 0))
        set->compile(set, program);
}

struct Plan {
    _Atomic(const Program *) program; /* NULL: nobody needed it yet. See plan_program */
    const ProgramSet *set;            /* with the other options */
    const Mapping *mapping;
    const FieldType *only;     /* as Program.only */
    Codec from : 8, to : 8;    /* small, because a config has many plans */
    UnknownFields unknown : 8; /* a shared program only knows whether it is UNKNOWN_KEEP */
    uint8_t cost;              /* plan_cost */
    bool copies;               /* its program is a PROGRAM_COPY */
};

/* What is run, compiled. Any thread. */
static inline const Program *plan_program(const Plan *plan)
{
    const Program *program = atomic_load_explicit(&plan->program, memory_order_acquire);
    return __builtin_expect(program != NULL, 1) ? program : plan->set->make(plan->set, plan);
}

/* The full name of the type in an Any, the key of ProgramSet.any: the part of the URL after the
   last slash. Borrowed from `url`. */
Bytes any_type_name(Bytes url);

#endif
