/*
 * Mapping: the conversion of a message of one version to another version, field by field.
 *
 * The interface between change lists and plans: change lists are read and composed over the whole
 * chain into a Mapping per pair of message types (changes/, compose/); plan_compile compiles a
 * Mapping into a program for one pair of codecs. A Mapping is independent of codecs. Immutable;
 * lives in the arena of its config generation.
 *
 * It has an expression over the source message for each field of the target. Guards check source
 * fields that no expression reads: only a value that equals unset may be lost silently.
 */
#ifndef ADAPTERS_MAPPING_H
#define ADAPTERS_MAPPING_H

#include "adapters/schema/schema.h"

typedef struct Mapping Mapping;
typedef struct Expr Expr;
typedef struct Converter Converter;
typedef struct Loss Loss;

/* What a value is: a field's kind, and whether there are many of it. */
typedef struct ValueType {
    FieldKind kind;
    bool repeated;
    const MessageType *message; /* MESSAGE and GROUP (also well-known ones) */
    const EnumType *enumeration;
} ValueType;

typedef enum ExprKind {
    EXPR_FIELD,   /* a field of the source message, by path through single sub-messages: steps[] */
    EXPR_CONST,   /* a literal */
    EXPR_CONVERT, /* converter over args; over a list: over each element */
    EXPR_MESSAGE, /* a sub-message converted by another Mapping; over a list: each; over a map:
                     each value (then the Mapping is that of the values' types, and keys stay; so
                     with CONVERT) */
    EXPR_BUILD, /* a new message: rules[] are evaluated on the same source message. Present when one
                   of its fields is, or when arg[0] (if any; any expression) is */
    EXPR_DEFAULT, /* args[0], or when that is absent args[1] (first present of two) */
    EXPR_REQUIRE, /* args[0]; absent, or n_args 0: FAULT_FIELD_REQUIRED naming `field` */
    EXPR_FIRST,  /* of a list its first element, absent when empty; `loud`: more is an error, else a
                    loss */
    EXPR_WRAP,   /* a single value as a list of one; absent: an empty list */
    EXPR_WHEN,   /* args[0] if args[1] (an enum, string, bool or integer) equals constant; without
                    constants: if args[1] is present (also a message); else absent. args[1] is
                    evaluated first; if it does not match, args[0] is not evaluated, since it may
                    contain a REQUIRE */
    EXPR_UNLESS, /* args[0], unless one of args[1] and on is present; then it is not evaluated */
    EXPR_SELECT, /* the constant constants[i] of the first present args[i]; none: absent */
    EXPR_REST,   /* of a list all but its first element, absent when there is no more */
    EXPR_JOIN,   /* list args[0], then list args[1]; absent when both are */
    EXPR_KEYED,  /* a list of messages as a map: each through `mapping`, which makes an entry. Where
                    a  key comes again, the last one counts; `loud`: that is an error, else a loss */
    EXPR_LISTED, /* a map as a list of messages: each entry through `mapping`, in the order of keys
                  */
} ExprKind;

/* A literal, in the form that its type needs. */
typedef struct Literal {
    union {
        int64_t i;  /* all signed kinds and enums */
        uint64_t u; /* unsigned kinds, bool */
        double d;   /* float, double */
    };
    Bytes bytes; /* string, bytes; a message or a list: its wire bytes (list: records of field 1) */
} Literal;

struct Expr {
    ExprKind kind;
    ValueType type; /* of what it yields */
    const FieldType *const
        *steps; /* FIELD: path from the source message, n_steps >= 1, not through maps */
    uint32_t n_steps;
    const Expr *const *args;
    uint32_t n_args;
    uint32_t n_rules; /* BUILD */
    bool loud;        /* FIRST, KEYED */
    bool rest_kept;   /* FIRST: the others go elsewhere, so that nothing is lost */
    union {
        const Converter *converter; /* CONVERT */
        const Mapping *mapping;     /* MESSAGE, KEYED, LISTED */
        const struct Rule *rules;   /* BUILD */
        const char *field;          /* REQUIRE: its path for the client */
    };
    const Literal *constants; /* CONST: 1; WHEN: 1; SELECT: n_args */
    const Loss *order; /* KEYED: what to count when the list is not in the order of its keys, in
                          which it comes back */
    const Loss *loss;  /* what to count when FIRST or KEYED drops, DEFAULT fills, CONVERT narrows or
                          falls back, and each time for a CONST; or NULL */
};

/* One field of the target (or of a BUILD's message). */
typedef struct Rule {
    const FieldType *target;
    const Expr *value;
    int line; /* in its change list; 0: none */
} Rule;

/* A source field without a counterpart in the target: checked for each message. */
typedef struct Guard {
    const Expr
        *source; /* mostly a FIELD; another expression, if it fed a field of a version between */
    bool loud;   /* present: FAULT_CANNOT_CONVERT naming it; else counted as `loss`, if any */
    bool has_ignored; /* the value `ignored` may be dropped silently (a constant, a default) */
    Literal ignored;
    const Loss *loss;
} Guard;

struct Mapping {
    const MessageType *from, *to;
    const Rule
        *rules; /* in the order of the target's field numbers; without fields that have no value */
    const Guard *guards;
    /* By FieldType.index of the target: never written, not even as a default. NULL: none is. See
       field_list.h. */
    const bool *hidden;
    uint32_t n_rules, n_guards;
    uint32_t index; /* in its MappingSet */
    bool identity;  /* nothing changes by name and meaning, including sub-messages */
    bool same_wire; /* and the wire bytes may be copied */
    bool unwritten; /* of mapping_set_identity: each field is itself, and there are no rules yet
                       (mapping_with_rules) */
};

/* ---- Converters ------------------------------------------------------------------------------ */

typedef enum ConverterCode {
    CONVERT_NUMBER, /* between integer kinds, floats and bool by the target's range; out of range:
                       fault */
    CONVERT_NUMBER_TEXT, /* number -> decimal text */
    CONVERT_TEXT_NUMBER,
    CONVERT_ENUM,      /* by table: number -> number */
    CONVERT_ENUM_TEXT, /* number -> text by table */
    CONVERT_TEXT_ENUM,
    CONVERT_TEXT_TABLE, /* text -> text by table */
    CONVERT_BOOL_ENUM,  /* by table with 0 and 1 */
    CONVERT_BYTES_TEXT, /* bytes -> UTF-8 text: checked; or base64/hex by `format` */
    CONVERT_TEXT_BYTES,
    CONVERT_WRAP, /* scalar -> google.protobuf.*Value */
    CONVERT_UNWRAP,
    CONVERT_TIME_UNITS, /* Timestamp/Duration -> integer or float count of `unit` nanoseconds */
    CONVERT_UNITS_TIME,
    CONVERT_TIME_TEXT, /* Timestamp/Duration <-> RFC 3339 / "1.5s" text */
    CONVERT_TEXT_TIME,
    CONVERT_TIME_DATE, /* Timestamp <-> google.type.Date-like {year, month, day} at UTC midnight */
    CONVERT_DATE_TIME,
    CONVERT_DATE_TEXT, /* {year, month, day} <-> "2026-03-01" */
    CONVERT_TEXT_DATE,
    CONVERT_AMOUNT_MONEY, /* integer of `unit` parts (100: cents) -> {units, nanos}; args[1], if
                             any: the text for the field `currency` */
    CONVERT_MONEY_AMOUNT,
    CONVERT_SCALE,    /* number times numerator / denominator; not whole: fault or loss */
    CONVERT_SENTINEL, /* one value (-1, "") means absent, towards `to`; the inverse is DEFAULT */
    CONVERT_TEMPLATE, /* args put into a string template: "projects/{0}/topics/{1}" */
    CONVERT_TEMPLATE_PART, /* part `index` of a string that matches the template; no match: fault */
    CONVERT_FIELD_MASK, /* FieldMask paths rewritten by the rules of a mapping; unknown path: fault
                         */
    CONVERT_TYPE_URL,   /* Any: type URL and content through the mapping of its type */
    CONVERT_SERIALIZED, /* a message <-> bytes that hold it serialized */
    CONVERT_MEMBER, /* a message -> its field `value`, also a list or a map; only in compositions */
} ConverterCode;

typedef struct EnumEntry {
    int32_t from, to;
    Bytes text;  /* for the TEXT converters; in lower case where they ignore case */
    Bytes into;  /* TEXT_TABLE */
    Bytes back;  /* TEXT_ENUM, TEXT_TABLE: the text that comes back for it */
    bool merges; /* another comes back: counted */
} EnumEntry;

/* TYPE_URL: a type that is another's counterpart in this Any than elsewhere. */
typedef struct Held {
    const MessageType *from;
    const Mapping *mapping; /* NULL: a later list has no counterpart for it, which is an error */
    bool several;           /* private: while the list is read */
} Held;

struct Converter {
    ConverterCode code;
    ValueType from, to;
    const char *name;         /* as in the change list, "cents_to_money" */
    const EnumEntry *entries; /* sorted by `from` (TEXT_ENUM, TEXT_TABLE: by text) */
    uint32_t n_entries;
    bool has_fallback; /* a value not in the table becomes `fallback`, counted; else a fault */
    EnumEntry fallback;
    bool keep_unknown; /* open enums: a number known to neither side goes through; so does a text of
                          neither side of a TEXT_TABLE */
    bool ignore_case;  /* TEXT_ENUM, TEXT_TABLE: of ASCII letters */
    int64_t unit, numerator, denominator;
    bool round; /* SCALE, MONEY, TIME: cut what does not fit, counted; else a fault */
    Literal sentinel;
    const Bytes *template_parts; /* literal texts around the variables: n_variables + 1 of them */
    uint32_t n_variables, part;
    const Mapping *mapping; /* FIELD_MASK (of the message that the mask is about) */
    bool widen;             /* FIELD_MASK: a part becomes the whole, counted; else a fault */
    const Held *held;       /* TYPE_URL, of a long-running operation */
    uint32_t n_held;
    const char *format; /* BYTES_TEXT: "utf8", "base64", "hex" */
    /* Where the message type on either side keeps them: */
    const FieldType *value, *seconds, *nanos, *units, *currency, *year, *month, *day;
};

/* ---- Losses ---------------------------------------------------------------------------------- */

typedef enum LossKind {
    LOSS_KEPT,
    LOSS_CONVERTED,
    LOSS_RESPELLED, /* the same value comes back as another text */
    LOSS_DEFAULTED,
    LOSS_NARROWED,
    LOSS_DROPPED
} LossKind;

/* What else a line of the report says, for a program. */
typedef enum LossTrait {
    LOSS_UNSETS = 1,       /* DEFAULTED: the target has nothing for it, and stays unset */
    LOSS_COMPLETES = 2,    /* the target may be set although the source is not */
    LOSS_MERGES = 4,       /* NARROWED: values become the same one */
    LOSS_REORDERS = 8,     /* NARROWED: a list may come back in another order; of a counted loss: it
                              does */
    LOSS_UNSETS_ZERO = 16, /* NARROWED: by nothing but that zero becomes unset */
} LossTrait;

/* One line of the loss report. */
struct Loss {
    LossKind kind;
    unsigned traits;  /* LossTrait flags */
    bool loud;        /* when it happens it is an error, not a loss */
    const char *path; /* "Order.comment", in the source's names (DEFAULTED: the target's) */
    const char *into; /* the target's path, or "" */
    const char *how;  /* converter, default or reason, for a person */
    const char *file; /* where the change list says so */
    int line;
    uint32_t index; /* in its MappingSet: the run-time counter */
};

/* The handling of a type without a counterpart inside an Any, where only its name is known. */
typedef enum TypeFate {
    TYPE_LOUD,    /* FAULT_CANNOT_CONVERT naming it */
    TYPE_DROPPED, /* the Any becomes an empty one, counted */
    TYPE_KEPT,    /* it stays unchanged, under its name */
} TypeFate;

typedef struct Stranded {
    const MessageType *type; /* of the source version */
    TypeFate fate;
    bool at_end; /* of a chain: it is a type of the source version, not only of a version between */
    const Loss *loss; /* its line in the report; DROPPED: what to count */
} Stranded;

/* The mappings of one method's messages: mostly to their types' counterparts, but methods may no
   longer share a type. */
typedef struct MethodMapping {
    const MethodType *to;
    const Mapping *input,
        *output; /* both of the source version's messages; NULL: they do not fit */
} MethodMapping;

/* All mappings between two versions in one direction, and what they lose. */
typedef struct MappingSet {
    bool identity; /* of a schema with itself: the tables are empty */
    const Schema *from, *to;
    const char *from_version, *to_version;
    const char *file;         /* its change list; NULL: none, or several */
    const Mapping **mappings; /* of the source's types */
    uint32_t n_mappings;
    const Loss **losses;
    uint32_t n_losses;
    Table by_type;   /* source full name -> Mapping; the type map for Any, details, operations. Of a
                        chain: also the type names of the versions between */
    Table by_method; /* source MethodType's path -> MethodMapping */
    const Stranded
        *stranded; /* types of the source's package that are not in by_type; so with a chain's */
    uint32_t n_stranded;
    const MessageType *const *between; /* of a chain: types that only a version between has, and
                                          that may contain an Any */
    uint32_t n_between;
} MappingSet;

/* The mapping of the source message type with this full name, or NULL. Of a chain: also with the
   name that a version between has. */
const Mapping *mapping_set_named(const MappingSet *set, Bytes full_name);

/* The mapping of a source message type, or NULL: it has no counterpart. */
const Mapping *mapping_set_find(const MappingSet *set, const MessageType *from);

/* The mapping of a method's requests, or its responses, to those of its counterpart. NULL: it has
   none, or its messages do not fit. */
const Mapping *mapping_set_input(const MappingSet *set, const MethodType *method);
const Mapping *mapping_set_output(const MappingSet *set, const MethodType *method);

/* Gives the loss its index in the set. */
const Loss *mapping_set_add_loss(Arena *arena, MappingSet *set, Loss *loss);

/*
 * The identity set of a schema. Most of its mappings are never read, since the bytes are passed on.
 * So their rules are made where they are read: all of them would be half of the memory of a schema.
 */
MUST_USE Result mapping_set_identity(Arena *arena, const Schema *schema,
                                     const MappingSet **set_out);

/* The mapping, with its rules: an `unwritten` one is copied into the arena, and gets them there.
   NULL: the arena is full. */
const Mapping *mapping_with_rules(Arena *arena, const Mapping *mapping);

#endif
