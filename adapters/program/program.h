/*
 * Program: a Mapping compiled for one pair of codecs. All of it is read-only data: made by compile/
 * when a plan is compiled or when it is first needed (program_need), run by any thread (run/). It
 * lives in the arena of the plan or of its cache, and borrows from the mapping and its schemas.
 *
 * A program reads its source message once, into a frame of slots (scan), one slot for each source
 * field that some expression reads; fields of sub-messages that are moved out have slots of the
 * same frame. Then a flat list of operations computes and writes the target in the order of its
 * fields.
 *
 *     source bytes or JsonNode --scan--> slots --operations--> output
 *
 * Sub-messages and lists stay where they are: their slot points at them, and the operation that
 * writes them reads them, through a program of their own. For compile/, run/ and details/.
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
    MOST_BUILDS = 12, /* BUILDs within BUILDs */
    MOST_WOKEN = 64,  /* slots, and operations, of a program with `wakes` */
};

/* The usual ways to read a field, each without a question more than it needs; READ_OTHER asks them
   all. What is PASSed goes straight to the output. */
typedef enum ScanRead {
    READ_OTHER,
    READ_TAG, /* of no field, but of tags that `by_tag` does not have */
    READ_VARINT_64,
    READ_VARINT_32,
    READ_VARINT_U32,
    READ_BOOL,
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
    ScanField *fields;   /* beside type->fields; the one in front of them is for READ_TAG */
    uint32_t seen;       /* index of its first field among the frame's "seen" bits */
    uint32_t oneofs;     /* index of its first oneof in the frame */
    uint8_t by_tag[256]; /* first byte of a record -> index + 1 of the field whose `tag` it is: one
                            of the first 15; 0: there is none */
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

/* What an operation does when its slot `a` is not set, as far as that is known beforehand. */
typedef enum WhenUnset {
    UNSET_OTHER,
    UNSET_NOTHING,
    UNSET_CLEARS, /* `into` is not set either */
} WhenUnset;

/* A large schema has millions of them: what only some kinds have shares its place. */
typedef struct PlanOp {
    uint8_t code;
    uint8_t when_unset;    /* WhenUnset */
    uint8_t kind;          /* FieldKind of what is written or computed */
    uint8_t form;          /* Form of a */
    uint8_t put_as;        /* PUT_VALUE: PutAs */
    uint8_t tag_size;      /* PUT_VALUE, as VARINT and BYTES: of `tag` */
    uint8_t constant_kind; /* FieldKind of `constant`; 0: there is none */
    bool json;             /* PUT: writes JSON */
    bool omit_zero;        /* PUT: the field has no presence */
    bool put_unset;        /* PUT: what is unset is written too */
    bool required;         /* PUT: unset is a fault */
    bool map;              /* a is a map */
    bool loud;
    bool always;          /* CLOSE, END_BUILD: there is no a: written when not empty */
    bool zero_when_unset; /* WHEN: the source field has no presence, so unset is zero */
    uint16_t a, b, into;  /* slots */
    uint16_t n_args;
    uint32_t skip;
    const char *where; /* path in the source, for errors */
    const Program *program;
    const ElementShape *shape;
    const Loss *loss;
    union {
        struct { /* PUT */
            const PutField *put;
            uint64_t tag;            /* the tag again, close at hand: its bytes as in memory */
            const ScanTable *inside; /* PUT_INSIDE: of a */
        };
        struct { /* CONVERT */
            const Converter *converter;
            const uint16_t *args; /* slots of its arguments */
        };
        Value constant; /* CONST, WHEN, GUARD */
    };
} PlanOp;

typedef enum ProgramStyle {
    PROGRAM_COPY,   /* protobuf to protobuf, nothing changes: the bytes */
    PROGRAM_FIELDS, /* scan, then operations */
    PROGRAM_READ,   /* a well-known type out of its JSON, to protobuf */
    PROGRAM_WRITE,  /* a well-known type from protobuf into its JSON */
    PROGRAM_STAGED, /* through protobuf: first, then second */
    PROGRAM_ANY,    /* google.protobuf.Any, with what is in it */
} ProgramStyle;

/* What stands before `compiled` is known from the start; of what stands behind it READ, WRITE and
   COPY need nothing. */
struct Program {
    ProgramStyle style;
    Codec from_codec, to_codec;
    const Mapping *mapping;
    const MessageType *from, *to;
    const FieldType *only; /* only_field: its value alone, without name and braces; or NULL */
    atomic_bool compiled;
    const ScanTable *scan;
    uint32_t n_slots, n_oneofs, n_seen;
    uint32_t frame_size, frame_clear; /* bytes of a frame, in eights; those that begin as zero */
    const PlanOp *ops;                /* ended by PLAN_END */
    /* By slot: the operations that do something only when it is set, a bit each. NULL: the program
       has more than MOST_WOKEN, and each operation looks for itself. */
    const uint64_t *wakes;
    uint64_t always; /* with `wakes`: the operations that are in none of them */
    bool keep_unknown;
    const Program *first, *second; /* STAGED; second may be NULL */
    const Converter *holder; /* ANY: which types go another way in it than elsewhere, or NULL */
    const Table *held;       /* full name -> AnyType, of those; or NULL */
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
    /* Compiles a program that is not compiled, for any thread. It cannot fail: that all programs
       can be compiled was found out with their plan. NULL: all are compiled. */
    void (*compile)(const struct ProgramSet *set, const Program *program);
} ProgramSet;

/* Before anything behind Program.compiled is read, and before ProgramSet.any is read for a program
   of its codecs. */
static inline void program_need(const ProgramSet *set, const Program *program)
{
    if (__builtin_expect(!atomic_load_explicit(&program->compiled, memory_order_acquire), 0))
        set->compile(set, program);
}

struct Plan {
    const Program *program;
    Codec from, to;
    uint8_t cost;          /* plan_cost */
    UnknownFields unknown; /* programs that keep none are the same whatever becomes of them */
    const Mapping *mapping;
    const ProgramSet *set;
};

/* The full name of the type that an Any holds, by which ProgramSet.any knows it: what stands behind
   the last slash of its URL. Borrowed from `url`. */
Bytes any_type_name(Bytes url);

#endif
