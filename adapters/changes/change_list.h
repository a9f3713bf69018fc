/*
 * The data of a change list, for the files that read, check, apply and print it.
 *
 * A list has two ends, OLD and NEW, and every entry is for both: a FieldChange has the paths of
 * both ends that belong together, the conversion between them, and, for each end, what happens if
 * that end gets no value (missing) or its own value has no counterpart (drop). A direction is named
 * by its target end. For adapters/ and its tests only.
 */
#ifndef ADAPTERS_CHANGE_LIST_H
#define ADAPTERS_CHANGE_LIST_H

#include "adapters/changes/changes.h"
#include "adapters/mapping/expr.h"
#include "adapters/text/yaml.h"

enum { OLD = 0, NEW = 1 };

/* A field by its path through single sub-messages, from the message that the change is about. */
typedef struct FieldPath {
    const FieldType *const *steps;
    uint32_t n_steps; /* 0: none */
    const char *text;
} FieldPath;

/* What a field of this end becomes if the other end has no value for it. */
typedef enum Missing {
    MISSING_UNSAID,
    MISSING_LEAVE, /* it stays unset */
    MISSING_LOUD,  /* an error that names the field */
    MISSING_VALUE,
} Missing;

/* The handling of an end's value without a complete counterpart in the other. */
typedef enum Drop { DROP_UNSAID, DROP_COUNTED, DROP_LOUD } Drop;

/* "projects/{project}/topics/{topic}" */
typedef struct Template {
    const Bytes *literals; /* n_names + 1 */
    const Bytes *names;
    uint32_t n_names;
} Template;

/* A part of a template that has no counterpart: written as the value, and lost when it is another.
 */
typedef struct TemplatePart {
    Bytes name, value;
    YamlPlace place;
    int end; /* whose template has it, as said */
    Drop drop;
} TemplatePart;

typedef struct ChangeEnd {
    FieldPath *paths; /* mostly one; several: the variables of the other end's template; none: it is
                         gone */
    uint32_t n_paths;
    Missing missing;
    const Expr *value; /* MISSING_VALUE: of constants only */
    Drop drop;
    bool has_ignored; /* dropped without a word */
    Literal ignored;
    const Template *template; /* of its one string */
    bool has_sentinel;        /* this value means unset at the other end */
    Literal sentinel;
    bool zero_is_set; /* no presence: zero is given to the other end as a value */
    FieldPath when;   /* as a source: only if this field equals when_value */
    Literal when_value;
    FieldPath under; /* what was expanded: it is only there when this message is */
    FieldPath currency;
} ChangeEnd;

typedef struct MessagePair MessagePair;
typedef struct EnumPair EnumPair;

/* What an alternative says that is there beside the chosen one, and zero. */
typedef enum Unused {
    UNUSED_COUNTED, /* by a kind that does not name it, it is left out, and counted */
    UNUSED_LOUD,    /* an error, as for any other value */
    UNUSED_ZERO,    /* nothing, in either direction */
} Unused;

/* A field whose value follows from which of the other end's fields is there: a kind. */
typedef struct Selection {
    const FieldPath *paths; /* at the other end */
    const Literal *values;
    const Literal *equals; /* `means`: a plain alternative is there when it is this; else NULL */
    uint32_t n;
    Unused unused;
} Selection;

/* One value of a field that only one version has, and what it is at the other end: a sentinel, or
   that a message is there. The change's paths are of that end. */
typedef struct Mark {
    FieldPath flag; /* at the end that has the field */
    Literal flag_value;
    Literal value; /* of a plain field */
} Mark;

typedef struct FieldChange {
    YamlPlace place;
    bool automatic; /* by its name; not in the list */
    bool same_type; /* nothing becomes of the value */
    ChangeEnd ends[2];
    const JsonNode *node;        /* how it was said, or NULL */
    const char *by;              /* the converter's name, or NULL */
    const Converter *convert[2]; /* towards that end; NULL: none */
    MessagePair *pair;           /* a message by its own changes */
    Drop more;                   /* list to single, when there are more */
    bool merged;                 /* one end has a field and a list, and the other a list of both */
    Drop first;                  /* merged: when the first element is not there */
    bool keyed;                  /* a list of messages at one end, and a map at the other */
    Drop duplicates;             /* keyed: when a key comes twice */
    MessagePair *entries;        /* keyed: the list's messages, and the map's entries */
    bool constant;               /* the only end that has paths always has the same value */
    const Selection *select;     /* of the only end that has paths */
    const Mark *mark;            /* of the only end that has paths */
    const TemplatePart *parts;   /* of one template only */
    uint32_t n_parts;
    const char *currency;       /* the text of a money's currency, when it is always the same */
    const MessageType *mask_of; /* FieldMask: the message at the OLD end that the mask is about */
} FieldChange;

struct MessagePair {
    const MessageType *ends[2];
    const JsonNode *node; /* its part of the list, or NULL */
    YamlPlace place;
    FieldChange *own; /* as said, then what is the same by name */
    uint32_t n_own, own_capacity;
    FieldChange *changes; /* own, with sub-messages expanded where a path goes into them */
    uint32_t n_changes, changes_capacity;
    FieldPath (*expanded)[2]; /* the messages that were */
    uint32_t n_expanded;
    Mapping *mappings[2]; /* towards that end */
    bool canonical;       /* it is the type map's */
    bool said;            /* read from the list */
    bool wanted;          /* something gives the one as the other, whole */
    bool bad;             /* it has problems, which may be untold: nothing but an Any asks for it */
    bool has_own, checked;
    bool misread;            /* some of it could not be read, and that is told */
    const MessagePair *rest; /* of a map's entry: what says what is in its value; or NULL */
    bool in_entries;         /* it is such a one, and nothing gives its messages whole by itself */
    bool cyclic;             /* it cannot be expanded to an end */
};

struct EnumPair {
    const EnumType *ends[2];
    const JsonNode *node;
    YamlPlace place;
    bool canonical, built, bad;
    const Converter *convert[2]; /* NULL: the numbers mean the same at both ends */
};

/* A message that only one version has, as said. */
typedef struct TypeGone {
    const MessageType *type;
    TypeFate fate;
    YamlPlace place;
} TypeGone;

typedef enum HeldPart { HELD_RESPONSE, HELD_METADATA, N_HELD } HeldPart;

typedef struct MethodEntry {
    const MethodType *ends[2]; /* NULL: none */
    const char *reason;
    const MessageType *held[2][N_HELD]; /* what is in the operation that it begins; or NULL */
    const JsonNode *operations_of; /* of those that began the operations that it gives; or NULL */
} MethodEntry;

struct ChangeList {
    Arena *arena;
    Arena *working; /* the changes of the pairs, and texts of problems that are none */
    const char *file;
    ChangeSide sides[2];
    Problems *problems;
    YamlDocument document;
    Table types[2];      /* full name at this end -> full name at the other (const char *) */
    Table fates[2];      /* full name at this end -> TypeGone */
    MessagePair **pairs; /* stable addresses */
    uint32_t n_pairs, pairs_capacity;
    Table pairs_by_ends;
    EnumPair **enum_pairs;
    uint32_t n_enum_pairs, enum_pairs_capacity;
    Table enum_pairs_by_ends;
    bool misread; /* a section of it is not known */
    MethodEntry *methods;
    uint32_t n_methods, methods_capacity;
    MappingSet sets[2]; /* towards that end */
};

/* ---- change_list.c: places, problems, names -------------------------------------------------- */

void change_problem(ChangeList *list, YamlPlace place, const char *path, const char *hint,
                    const char *format, ...) PRINTF_LIKE(5, 6);

/* A name relative to a side's package, or in full. NULL when there is none. */
const MessageType *side_message(const ChangeSide *side, Arena *arena, Bytes name);
const EnumType *side_enum(const ChangeSide *side, Arena *arena, Bytes name);

/* The name as the list would say it: without the side's package. */
const char *side_name(const ChangeSide *side, const char *full_name);

/* A pair as the list would say it: "Order", or "Order to Line" of no counterparts. */
const char *pair_name(ChangeList *list, const MessagePair *pair);

/* The name that is most similar, for "did you mean X?"; NULL if none is similar. In the arena. */
const char *nearest_message(const ChangeSide *side, Arena *arena, Bytes name);
const char *nearest_enum(const ChangeSide *side, Arena *arena, Bytes name);
const char *nearest_field(const MessageType *message, Arena *arena, Bytes name);

/* The hint "did you mean loud?" for an unquoted word that is nearly loud or graceful; else NULL. */
const char *change_near_word(ChangeList *list, const JsonNode *node);

/* The counterpart at the other end by the type map, by its name, or NULL. */
const MessageType *message_counterpart(ChangeList *list, int end, const MessageType *message);
/* The same, also where the list says that the two have nothing to do with each other. */
const MessageType *message_namesake(ChangeList *list, int end, const MessageType *message);
const EnumType *enum_counterpart(ChangeList *list, int end, const EnumType *type);

/* The pair of these, made when it is asked for the first time. */
MessagePair *message_pair(ChangeList *list, const MessageType *old, const MessageType *new_type);
EnumPair *enum_pair(ChangeList *list, const EnumType *old, const EnumType *new_type);

/* Room for so many more changes, in one piece. */
void pair_reserve(ChangeList *list, MessagePair *pair, uint32_t more);
FieldChange *pair_add(ChangeList *list, MessagePair *pair);
bool path_equal(const FieldPath *a, const FieldPath *b);
bool path_inside(const FieldPath *inner, const FieldPath *outer); /* strictly */
FieldPath path_join(Arena *arena, const FieldPath *outer, const FieldPath *inner);
const FieldType *path_field(const FieldPath *path);

const Loss *change_loss(ChangeList *list, int towards, LossKind kind, bool loud, int line,
                        const char *path, const char *into, const char *how);

/* The list that is applied i-th; the chain may be given from either of its ends. */
const ChangeList *chain_list(const ChangeList *const *lists, uint32_t n_lists, bool upwards,
                             uint32_t i);

/* ---- change_read.c: from YAML ---------------------------------------------------------------- */

/* The fields of one message. */
void change_read_fields(ChangeList *list, MessagePair *pair, const JsonNode *node);
/* The path at an end, told when it is not there. */
bool change_read_path(ChangeList *list, YamlPlace place, const char *where,
                      const MessageType *message, Bytes text, FieldPath *path_out);

/* ---- change_type.c --------------------------------------------------------------------------- */

void change_read_types(ChangeList *list);
void change_read_messages(ChangeList *list);
void change_read_enum_keys(ChangeList *list);
void change_check_types(ChangeList *list);
/* What becomes of each type that has no mapping towards this end. */
void change_strand_types(ChangeList *list, int to);

/* ---- literal.c ------------------------------------------------------------------------------- */

/* Reads one value of this type, of a message its wire bytes; a problem when it is none. */
bool change_literal(ChangeList *list, const JsonNode *node, const char *path, ValueType type,
                    Literal *literal_out);
/* A scalar that is no enum, of its text; false when it is none. Bytes are made in the arena, which
   may be NULL for other types. */
bool change_scalar(Arena *arena, Bytes text, ValueType type, Literal *literal_out);
/* The value of any field: messages are built of their fields. NULL and a problem when it is
   none. */
const Expr *change_value(ChangeList *list, const JsonNode *node, const char *path,
                         const FieldType *field);

/* ---- literal_message.c ----------------------------------------------------------------------- */

/* A message of its fields, or as JSON spells a well-known type: its wire bytes. */
bool change_literal_message(ChangeList *list, const JsonNode *node, const char *path,
                            const MessageType *type, Literal *literal_out);
/* A list's elements, as records of field 1. `node` is an ARRAY. */
bool change_literal_list(ChangeList *list, const JsonNode *node, const char *path,
                         const FieldType *field, Literal *literal_out);

/* ---- change_enum.c --------------------------------------------------------------------------- */

void enum_pair_build(ChangeList *list, EnumPair *pair);
/* Enum and bool, by `values:`. */
bool change_flag_values(ChangeList *list, FieldChange *change, Converter *to_old, Converter *to_new,
                        const char *path);
const char *nearest_value(Arena *arena, const EnumType *type, Bytes name);

/* What an unset field of proto2 is: its default, or zero. False for bytes that are not told apart,
   and messages. */
bool literal_of_default(const FieldType *field, Literal *literal_out);

/* ---- change_template.c ----------------------------------------------------------------------- */

/* Names, fields and parts go together; told when they do not. */
void change_check_template(ChangeList *list, FieldChange *change, const char *path);
/* The part that only one end has, by its name; or NULL. */
const TemplatePart *change_part(const FieldChange *change, Bytes name);
/* Which of the fields beside the template this name's is. */
uint32_t change_part_field(const FieldChange *change, const Template *template, uint32_t name);

/* ---- change_merge.c -------------------------------------------------------------------------- */

/* Several fields that are no template's: meant to be a merge, also a wrong one. */
bool change_is_merge(const FieldChange *change);
/* False: the fields cannot be merged, which is told. */
bool change_check_merge(ChangeList *list, FieldChange *change, const char *path);
void change_check_merges(ChangeList *list, const MessagePair *pair);

/* ---- change_keyed.c -------------------------------------------------------------------------- */

/* Makes the pairs of lists' messages and maps' entries, for what the pair has of them; what does
   not fit is told. */
void change_check_keyed(ChangeList *list, MessagePair *pair);

/* ---- change_operation.c ---------------------------------------------------------------------- */

/* What a method's entry, an OBJECT, says of the operation. */
void change_read_operation(ChangeList *list, const JsonNode *node, MethodEntry *entry);
/* When all methods are read: what the schemas say of the others, and names. */
void change_check_operations(ChangeList *list);
void change_want_operations(ChangeList *list);
/* The mapping of the method's answers, from that of any such answers. */
const Mapping *making_operation(ChangeList *list, int to, const MethodEntry *entry,
                                const Mapping *answer);

/* ---- change_text.c --------------------------------------------------------------------------- */

/* Enum and text, by `values:` or by the values' names. */
bool change_enum_texts(ChangeList *list, FieldChange *change, Converter *to_old, Converter *to_new,
                       const char *path);
/* Text and text, by `values:`. */
bool change_text_table(ChangeList *list, FieldChange *change, Converter *to_old, Converter *to_new,
                       const char *path);
/* `others:` of a table: what a value becomes that is not in it. NULL: nothing is said. */
bool change_read_others(ChangeList *list, const JsonNode *node, Converter *converter,
                        const char *path);
/* The keys of a flag's `values:` are true and false. */
bool change_check_truths(ChangeList *list, const JsonNode *values, const char *path);

/* ---- change_default.c ------------------------------------------------------------------------ */

/* Tells a field that, unset, would say another thing to the other version. */
void change_check_default(ChangeList *list, const FieldChange *change, const char *path);

/* ---- change_oneof.c -------------------------------------------------------------------------- */

/* Do the paths part where only one way can be taken? */
bool paths_exclude_each_other(const FieldPath *a, const FieldPath *b);
void change_check_oneofs(ChangeList *list, const MessagePair *pair);
void change_check_kinds(ChangeList *list, const MessagePair *pair);
/* The change that says what this kind, at this end, is on the way back; or NULL. */
const FieldChange *change_selection(const MessagePair *pair, int end, const FieldPath *kind);
/* The selection that this field, at this end, is an alternative of, and which; or NULL. */
const FieldChange *change_alternative(const MessagePair *pair, int end, const FieldPath *path,
                                      uint32_t *which_out);

/* ---- converter.c ----------------------------------------------------------------------------- */

/* Chooses what becomes of the value between the change's two ends. Problems name what would fit. */
void change_choose_converter(ChangeList *list, FieldChange *change, const char *path);
/* The same for the elements, whether there is one or a list of them. */
void change_choose_for_elements(ChangeList *list, FieldChange *change, const char *path);
bool converter_exists(Bytes name);

/* ---- change_marks.c -------------------------------------------------------------------------- */

/* Tells each comment "# decide: ..." of the text: a list is not used while one is left. */
void change_check_marks(ChangeList *list, Bytes yaml);

/* ---- change_check.c -------------------------------------------------------------------------- */

/* All the changes of this and of the pairs that it leads to, complete and checked; what is unsaid
   is told. */
void pairs_check(ChangeList *list);

/* The pair's own changes, complete, each with its converters. */
void pair_own(ChangeList *list, MessagePair *pair);
void change_check_ends(ChangeList *list, const MessagePair *pair, FieldChange *change);
/* All that the change has at this end is inside a message. */
void change_put_inside(ChangeList *list, FieldChange *change, int end, const FieldPath *outer);

/* Is the field, or this alternative of a kind, what a mark speaks of beside other values? */
const FieldChange *change_mark(const MessagePair *pair, int end, const FieldPath *path);

/* ---- change_map.c ---------------------------------------------------------------------------- */

/* Fills the pair's two mappings. */
void pair_map(ChangeList *list, MessagePair *pair);

/* One mapping while it is made. */
typedef struct Making {
    ChangeList *list;
    const MessagePair *pair;
    Arena *arena;
    int to; /* the end that it goes to */
    Guard *guards;
    uint32_t n_guards, guards_capacity;
} Making;

/* "Order.customer" at the source. */
const char *making_source_name(const Making *m, const FieldPath *path);
const Expr *making_field(const Making *m, const FieldPath *path); /* NULL for the empty path */
const Expr *making_kind(Making *m, const FieldPath *path);        /* a kind that is unset is zero */
/* Alternative number `which` of a selection, present when it is the one. */
const Expr *making_alternative(Making *m, const Selection *select, uint32_t which);
/* The field when it has this value. */
const Expr *making_equal(Making *m, const FieldPath *path, const Literal *value);
/* The value of this field, absent when it is one that means something at the target. */
const Expr *making_unmarked(Making *m, const FieldPath *path, const Expr *value);
/* What the change makes of a value, or of each of a list. */
const Expr *making_converted(Making *m, const FieldChange *change, const Expr *value,
                             const FieldType *source);
/* What the source gives for the change's target number `which`, without what is made up. */
const Expr *making_given(Making *m, const FieldChange *change, uint32_t which);
/* change_template.c: the same, of a change with templates; and what is lost of their parts. */
const Expr *making_template(Making *m, const FieldChange *change, uint32_t which);
void making_template_guards(Making *m, const FieldChange *change);
/* change_merge.c: likewise, of a field and a list. */
const Expr *making_merged(Making *m, const FieldChange *change, uint32_t which);
/* change_keyed.c: likewise, of a list that is a map, or a map that is a list. */
const Expr *making_keyed(Making *m, const FieldChange *change);
void making_merge_guards(Making *m, const FieldChange *change);
const Loss *making_loss(Making *m, const FieldChange *change, LossKind kind, bool loud,
                        const char *how);
void making_guard(Making *m, Guard guard); /* none when its source is NULL */

/* ---- change_guard.c -------------------------------------------------------------------------- */

/* What is lost, or refused, on the way. */
void making_guards(Making *m);

/* ---- change_method.c ------------------------------------------------------------------------- */

void change_read_methods(ChangeList *list);

#endif
