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

/* A part of a template that only one end's template has: on the way to that end the part is
   `value`; on the way back the part is lost if it has another value. */
typedef struct TemplatePart {
    Bytes name, value;
    YamlPlace place;
    int end; /* the end whose template has the part */
    Drop drop;
} TemplatePart;

typedef struct ChangeEnd {
    FieldPath *paths; /* usually one; several: the variables of the other end's template, or the
                         parts of a merge; none: the field has no counterpart at this end */
    uint32_t n_paths;
    Missing missing;
    const Expr *value; /* MISSING_VALUE: of constants only */
    Drop drop;
    bool has_ignored; /* a source value equal to `ignored` is dropped without being counted */
    Literal ignored;
    const Template *template; /* of its one string */
    bool has_sentinel;        /* this value means unset at the other end */
    Literal sentinel;
    bool zero_is_set; /* without presence: zero is converted as a value, not taken for unset */
    FieldPath when;   /* as a source: only if this field equals when_value */
    Literal when_value;
    FieldPath under; /* a change of an expanded sub-message: that sub-message */
    FieldPath currency;
} ChangeEnd;

typedef struct MessagePair MessagePair;
typedef struct EnumPair EnumPair;

/* What happens to an alternative that is set although the kind does not select it. */
typedef enum Unused {
    UNUSED_COUNTED, /* zero is dropped and counted; another value is an error */
    UNUSED_LOUD,    /* also zero is an error */
    UNUSED_ZERO,    /* zero counts as unset, in both directions */
} Unused;

/* A "kind" field: its value tells which of the other end's fields (the alternatives) is set. */
typedef struct Selection {
    const FieldPath *paths; /* at the other end */
    const Literal *values;
    const Literal *equals; /* `means`: a plain alternative is set if it has this value; else NULL */
    uint32_t n;
    Unused unused;
} Selection;

/* `means`: one value (flag_value) of a field that only one version has (flag), and what it stands
   for at the other end: a value of a plain field, or the presence of a message. The paths of the
   change are those of that other end. */
typedef struct Mark {
    FieldPath flag; /* the field, at the end that has it */
    Literal flag_value;
    Literal value; /* if a plain field stands for it */
} Mark;

typedef struct FieldChange {
    YamlPlace place;
    bool automatic; /* by its name; not in the list */
    bool same_type; /* the value is not converted */
    ChangeEnd ends[2];
    const JsonNode *node;        /* its node in the list, or NULL */
    const char *by;              /* the converter's name, or NULL */
    const Converter *convert[2]; /* towards that end; NULL: none */
    MessagePair *pair;           /* messages: the pair whose changes convert them; or NULL */
    Drop more;                   /* a list becomes a single value: if it has several elements */
    bool merged;                 /* one end has a field and a list, and the other a list of both */
    Drop first;                  /* merged: if there is no first element */
    bool keyed;                  /* a list of messages at one end, and a map at the other */
    Drop duplicates;             /* keyed: of duplicate keys */
    MessagePair *entries;        /* keyed: the list's messages, and the map's entries */
    bool constant;               /* the only end that has paths always has the same value */
    const Selection *select;     /* of the only end that has paths */
    const Mark *mark;            /* of the only end that has paths */
    const TemplatePart *parts;   /* of one template only */
    uint32_t n_parts;
    const char *currency;       /* the text of a money's currency, when it is always the same */
    const MessageType *mask_of; /* FieldMask: the message at the OLD end that the mask is about */
    Drop wider;                 /* FieldMask: of a path that would name more there */
} FieldChange;

struct MessagePair {
    const MessageType *ends[2];
    const JsonNode *node; /* its part of the list, or NULL */
    YamlPlace place;
    FieldChange *own; /* those in the list, then those of fields with the same name */
    uint32_t n_own, own_capacity;
    FieldChange *changes; /* own; a sub-message that a path leads into is replaced by the changes of
                             its fields */
    uint32_t n_changes, changes_capacity;
    FieldPath (*expanded)[2]; /* the sub-messages that were replaced */
    uint32_t n_expanded;
    Mapping *mappings[2]; /* towards that end */
    bool canonical;       /* the two are counterparts of each other in the type map */
    bool said;            /* it has an entry in the list */
    bool wanted;          /* some field or method converts whole messages of this pair */
    bool bad;             /* it has problems; not reported if only an Any can contain the message */
    bool has_own, checked;
    bool misread;            /* some of it could not be read; that was reported */
    const MessagePair *rest; /* of a map's entry: the pair of what is in its value; or NULL */
    bool in_entries;         /* it is the `rest` of another pair */
    bool cyclic;             /* its expansion would not end */
};

struct EnumPair {
    const EnumType *ends[2];
    const JsonNode *node;
    YamlPlace place;
    bool canonical, built, bad;
    const Converter *convert[2]; /* NULL: the numbers mean the same at both ends */
};

/* A message that only one version has, and what the list specifies for it. */
typedef struct TypeGone {
    const MessageType *type;
    TypeFate fate;
    YamlPlace place;
} TypeGone;

typedef enum HeldPart { HELD_RESPONSE, HELD_METADATA, N_HELD } HeldPart;

typedef struct MethodEntry {
    const MethodType *ends[2]; /* NULL: no counterpart */
    const char *reason;
    const MessageType *held[2][N_HELD]; /* the types in the operation that it starts; or NULL */
    const JsonNode *operations_of;      /* the methods whose operations it returns; or NULL */
} MethodEntry;

struct ChangeList {
    Arena *arena;
    Arena *working; /* for the changes of the pairs, and for problems that are not reported */
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
    bool misread; /* it has an unknown section */
    MethodEntry *methods;
    uint32_t n_methods, methods_capacity;
    MappingSet sets[2]; /* towards that end */
};

/* ---- change_list.c: places, problems, names -------------------------------------------------- */

void change_problem(ChangeList *list, YamlPlace place, const char *path, const char *hint,
                    const char *format, ...) PRINTF_LIKE(5, 6);

/* The type with this name: relative to the side's package, or a full name. NULL if there is
   none. */
const MessageType *side_message(const ChangeSide *side, Arena *arena, Bytes name);
const EnumType *side_enum(const ChangeSide *side, Arena *arena, Bytes name);

/* The name as it is written in the list: without the side's package. Points into full_name. */
const char *side_name(const ChangeSide *side, const char *full_name);

/* The pair as it is written in the list: "Order", or "Order to Line" if the two are not
   counterparts. */
const char *pair_name(ChangeList *list, const MessagePair *pair);

/* The name that is most similar, for "did you mean X?"; NULL if none is similar. In the arena. */
const char *nearest_message(const ChangeSide *side, Arena *arena, Bytes name);
const char *nearest_enum(const ChangeSide *side, Arena *arena, Bytes name);
const char *nearest_field(const MessageType *message, Arena *arena, Bytes name);

/* The hint "did you mean loud?" for an unquoted word that is nearly loud or graceful; else NULL. */
const char *change_near_word(ChangeList *list, const JsonNode *node);

/* The counterpart at the other end: by the list's type map, else the type with the same name; NULL
   if there is none. */
const MessageType *message_counterpart(ChangeList *list, int end, const MessageType *message);
/* The same, also if the list says that the two are not counterparts. */
const MessageType *message_namesake(ChangeList *list, int end, const MessageType *message);
const EnumType *enum_counterpart(ChangeList *list, int end, const EnumType *type);

/* The pair of these two, created at the first call. */
MessagePair *message_pair(ChangeList *list, const MessageType *old, const MessageType *new_type);
EnumPair *enum_pair(ChangeList *list, const EnumType *old, const EnumType *new_type);

/* Reserves memory for this many more changes. */
void pair_reserve(ChangeList *list, MessagePair *pair, uint32_t more);
FieldChange *pair_add(ChangeList *list, MessagePair *pair);
bool path_equal(const FieldPath *a, const FieldPath *b);
bool path_inside(const FieldPath *inner, const FieldPath *outer); /* not equal */
FieldPath path_join(Arena *arena, const FieldPath *outer, const FieldPath *inner);
const FieldType *path_field(const FieldPath *path);

const Loss *change_loss(ChangeList *list, int towards, LossKind kind, bool loud, int line,
                        const char *path, const char *into, const char *how);

/* The list that is applied i-th in this direction; `lists` is in the order of the versions, upwards
   or downwards. */
const ChangeList *chain_list(const ChangeList *const *lists, uint32_t n_lists, bool upwards,
                             uint32_t i);

/* ---- change_read.c: from YAML ---------------------------------------------------------------- */

/* The fields of one message. */
void change_read_fields(ChangeList *list, MessagePair *pair, const JsonNode *node);
/* Resolves a field path in a message. False, and a problem is reported, if it does not exist. */
bool change_read_path(ChangeList *list, YamlPlace place, const char *where,
                      const MessageType *message, Bytes text, FieldPath *path_out);

/* ---- change_type.c --------------------------------------------------------------------------- */

void change_read_types(ChangeList *list);
void change_read_messages(ChangeList *list);
void change_read_enum_keys(ChangeList *list);
void change_check_types(ChangeList *list);
/* Fills the set's list of types that have no mapping towards this end. */
void change_strand_types(ChangeList *list, int to);

/* ---- literal.c ------------------------------------------------------------------------------- */

/* Reads one value of this type; of a message as wire bytes. False, and a problem is reported, if it
   is not one. */
bool change_literal(ChangeList *list, const JsonNode *node, const char *path, ValueType type,
                    Literal *literal_out);
/* Reads a scalar other than an enum from its text; false if it is not valid. Bytes are allocated in
   the arena, which may be NULL for other types. */
bool change_scalar(Arena *arena, Bytes text, ValueType type, Literal *literal_out);
/* The value for any field, as an expression: messages are built from their fields. NULL, and a
   problem is reported, if it is not valid. */
const Expr *change_value(ChangeList *list, const JsonNode *node, const char *path,
                         const FieldType *field);

/* No list, but what values are read by: literal.h. */
ChangeList literal_reader(Arena *arena, const YamlDocument *document, Problems *problems);

/* ---- literal_message.c ----------------------------------------------------------------------- */

/* Reads a message, written as its fields or as the JSON form of a well-known type, to wire
   bytes. */
bool change_literal_message(ChangeList *list, const JsonNode *node, const char *path,
                            const MessageType *type, Literal *literal_out);
/* Reads the elements of a list to wire bytes: records of field 1. `node` is an ARRAY. */
bool change_literal_list(ChangeList *list, const JsonNode *node, const char *path,
                         const FieldType *field, Literal *literal_out);

/* ---- change_enum.c --------------------------------------------------------------------------- */

void enum_pair_build(ChangeList *list, EnumPair *pair);
/* Enum and bool, by `values:`. */
bool change_flag_values(ChangeList *list, FieldChange *change, Converter *to_old, Converter *to_new,
                        const char *path);
const char *nearest_value(Arena *arena, const EnumType *type, Bytes name);

/* The value of an unset proto2 field: its default, or zero; of bytes the default as escaped text.
   False for messages. */
bool literal_of_default(const FieldType *field, Literal *literal_out);

/* ---- change_template.c ----------------------------------------------------------------------- */

/* Checks that the names, fields and parts fit each other; reports problems. */
void change_check_template(ChangeList *list, FieldChange *change, const char *path);
/* The part with this name that only one end has; or NULL. */
const TemplatePart *change_part(const FieldChange *change, Bytes name);
/* The index, in the other end's paths, of the field for the template's variable number `name`. */
uint32_t change_part_field(const FieldChange *change, const Template *template, uint32_t name);

/* ---- change_merge.c -------------------------------------------------------------------------- */

/* Whether one end has several fields without a template: a merge, whether valid or not. */
bool change_is_merge(const FieldChange *change);
/* False, and a problem is reported, if the fields cannot be merged. */
bool change_check_merge(ChangeList *list, FieldChange *change, const char *path);
void change_check_merges(ChangeList *list, const MessagePair *pair);

/* ---- change_keyed.c -------------------------------------------------------------------------- */

/* Makes the pair (list element, map entry) for each keyed change of the pair; reports what does not
   fit. */
void change_check_keyed(ChangeList *list, MessagePair *pair);

/* ---- change_operation.c ---------------------------------------------------------------------- */

/* Reads the keys about operations from a method's entry, which is an OBJECT. */
void change_read_operation(ChangeList *list, const JsonNode *node, MethodEntry *entry);
/* Call after all methods were read: takes the types that the schemas declare where the list has
   none, and checks names. */
void change_check_operations(ChangeList *list);
void change_want_operations(ChangeList *list);
/* The mapping for the method's response, given that for any response of this type. */
const Mapping *making_operation(ChangeList *list, int to, const MethodEntry *entry,
                                const Mapping *answer);

/* ---- change_text.c --------------------------------------------------------------------------- */

/* Enum to and from text, by `values:` or by the names of the values. */
bool change_enum_texts(ChangeList *list, FieldChange *change, Converter *to_old, Converter *to_new,
                       const char *path);
/* Text to text, by `values:`. */
bool change_text_table(ChangeList *list, FieldChange *change, Converter *to_old, Converter *to_new,
                       const char *path);
/* `others:` of a table: what a value becomes that is not in the table. `node` may be NULL: not
   specified. */
bool change_read_others(ChangeList *list, const JsonNode *node, Converter *converter,
                        const char *path);
/* Checks that the keys of a flag's `values:` are true and false. */
bool change_check_truths(ChangeList *list, const JsonNode *values, const char *path);

/* ---- change_default.c ------------------------------------------------------------------------ */

/* Reports a field whose default differs between the versions, so that an unset field would change
   its value. */
void change_check_default(ChangeList *list, const FieldChange *change, const char *path);

/* ---- change_oneof.c -------------------------------------------------------------------------- */

/* Whether at most one of the two can be set: where the paths diverge, they take different members
   of one oneof. */
bool paths_exclude_each_other(const FieldPath *a, const FieldPath *b);
void change_check_oneofs(ChangeList *list, const MessagePair *pair);
void change_check_kinds(ChangeList *list, const MessagePair *pair);
/* Reports values that mean the same, so that the way back could not tell them apart. */
void change_check_meanings(ChangeList *list, const MessagePair *pair);
/* The change with the selection for this kind field at this end; or NULL. */
const FieldChange *change_selection(const MessagePair *pair, int end, const FieldPath *kind);
/* The change that converts this kind field at this end from and to a field of the other end; or
   NULL. */
const FieldChange *change_of_kind(const MessagePair *pair, int end, const FieldPath *kind);
/* The change with the selection of which this field at this end is an alternative, and its index;
   or NULL. */
const FieldChange *change_alternative(const MessagePair *pair, int end, const FieldPath *path,
                                      uint32_t *which_out);

/* The message at this end that the change's field is alone in, where the field of the other end has
   presence: the two are there together, also when the field is zero. False: there is none. The path
   has no text. */
bool change_box(const MessagePair *pair, const FieldChange *change, int end, FieldPath *box_out);
/* Whether it takes a member of a oneof to a field without presence: where that is zero, nothing
   says which member it was. */
bool change_loses_choice(const MessagePair *pair, const FieldChange *change, int to);

/* ---- converter.c ----------------------------------------------------------------------------- */

/* Chooses the converters between the two ends of the change. Problems name the converters that
   fit. */
void change_choose_converter(ChangeList *list, FieldChange *change, const char *path);
/* The same for the elements, regardless of whether the fields are lists. */
void change_choose_for_elements(ChangeList *list, FieldChange *change, const char *path);
bool converter_exists(Bytes name);

/* ---- change_marks.c -------------------------------------------------------------------------- */

/* Reports each comment "# decide: ..." of the text as a problem: a list with one is refused. */
void change_check_marks(ChangeList *list, Bytes yaml);

/* ---- change_check.c -------------------------------------------------------------------------- */

/* Completes and checks the changes of all pairs; reports fields for which the list specifies
   nothing. */
void pairs_check(ChangeList *list);

/* Completes the pair's own changes, and chooses their converters. */
void pair_own(ChangeList *list, MessagePair *pair);
void change_check_ends(ChangeList *list, const MessagePair *pair, FieldChange *change);
/* Prefixes all paths of the change at this end with the path of a message. */
void change_put_inside(ChangeList *list, FieldChange *change, int end, const FieldPath *outer);

/* The change with the mark for a value of this field; or NULL. */
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
const Expr *making_kind(Making *m, const FieldPath *path);        /* zero if unset */
/* Alternative number `which` of a selection, absent if it is not the selected one. */
const Expr *making_alternative(Making *m, const Selection *select, uint32_t which);
/* The field, absent unless it has this value. */
const Expr *making_equal(Making *m, const FieldPath *path, const Literal *value);
/* The value of this field, absent if it has a mark, that is, stands for something else at the
   target. */
const Expr *making_unmarked(Making *m, const FieldPath *path, const Expr *value);
/* The value, or each element of a list, through the converter of the change. */
const Expr *making_converted(Making *m, const FieldChange *change, const Expr *value,
                             const FieldType *source);
/* The value that the source gives to the change's target number `which`, without defaults; or
   NULL. */
const Expr *making_given(Making *m, const FieldChange *change, uint32_t which);
/* change_template.c: the same for a change with templates, and its guards. */
const Expr *making_template(Making *m, const FieldChange *change, uint32_t which);
void making_template_guards(Making *m, const FieldChange *change);
/* change_merge.c: likewise for a merge. */
const Expr *making_merged(Making *m, const FieldChange *change, uint32_t which);
/* change_keyed.c: likewise for a list that becomes a map, and the reverse. */
const Expr *making_keyed(Making *m, const FieldChange *change);
void making_merge_guards(Making *m, const FieldChange *change);
const Loss *making_loss(Making *m, const FieldChange *change, LossKind kind, bool loud,
                        const char *how);
void making_guard(Making *m, Guard guard); /* does nothing if guard.source is NULL */

/* ---- change_guard.c -------------------------------------------------------------------------- */

/* Adds the guards of a mapping: what is lost, or refused. */
void making_guards(Making *m);

/* ---- change_method.c ------------------------------------------------------------------------- */

void change_read_methods(ChangeList *list);

#endif
