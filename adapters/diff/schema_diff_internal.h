/*
 * What the files of the schema diff share.
 *
 * The order: words that stand for each other are learned (schema_diff_vocabulary.c), and everything
 * is indexed by them (schema_diff_index.c). Methods and types find their counterparts
 * (schema_diff_methods.c, schema_diff_types.c), the fields of two messages theirs
 * (schema_diff_match.c; schema_diff_merges.c, where several became one), which tells more about
 * types; this goes on until nothing new is found. Then each pair is written down
 * (schema_diff_fields.c, schema_diff_enums.c). Scores are from 0 to 100.
 *
 * Nothing is compared with everything: candidates are looked up, and what is compared has bounds
 * (MOST_...), so that the time grows with the schemas' size.
 */
#ifndef ADAPTERS_SCHEMA_DIFF_INTERNAL_H
#define ADAPTERS_SCHEMA_DIFF_INTERNAL_H

#include "adapters/changes/change_list.h"
#include "adapters/diff/schema_diff.h"

/* Two messages that belong together in one place only, and are no counterparts. */
typedef struct ExtraPair {
    const MessageType *ends[2];
    const FieldType *keys[2]; /* the field that is the key of a map at the other end, or NULL */
} ExtraPair;

enum { MOST_WORDS = 24 };

/* A name as its words, each in its simplest form: the same word of both names is the same text. */
typedef struct Words {
    const char *word[MOST_WORDS];
    uint32_t n;
} Words;

/* What has one name, or one word, or one field. */
typedef struct List {
    const void **items;
    uint32_t n, capacity;
} List;

/* Memory that each match uses anew. */
typedef struct Scratch {
    void *data;
    size_t size;
} Scratch;

/* One comparison, from schema_diff's begin to its end. The arena is the caller's. */
typedef struct Diffing {
    Arena *arena;
    SchemaDiff *diff;
    const ChangeSide *sides; /* OLD, NEW */
    Table used[2];           /* full name of what the package uses, of any package -> its type */
    Table partners[2];       /* full name -> the message or enum type at the other end */
    Table methods[2];        /* path -> the method at the other end */
    Table spoken;     /* full name of an old request or response of such a method -> its type */
    Table reached[2]; /* full name of what methods with a counterpart lead to -> its type */
    Table matches;    /* full name of the old message -> Match */
    ExtraPair *extras;
    uint32_t n_extras, extras_capacity;
    Table claimed[2]; /* full name of a field that belongs to one outside of its message */
    Table words;      /* name of a field -> its Words */
    Table type_names; /* innermost name of a type or name of a method -> its TypeName */
    Words subject;    /* what the only service of both versions is about, or no words */
    List same_words;  /* phrases of one or two words, each with what it is called here: Phrase */
    Table bare_names; /* address of an enum -> BareNames */
    Table by_name[2], by_words[2], by_field[2], users[2]; /* Lists of messages */
    Table enums_by_name[2], enums_by_words[2], enums_by_value[2];
    List all_methods[2]; /* of the package */
    Table methods_by_name[2], methods_by_word[2], methods_by_noun[2], methods_by_type[2];
    Table methods_by_http[2], methods_by_path[2]; /* the last: path -> MethodType */
    Table services_by_words[2];                   /* Lists of them */
    Table services[2];                            /* name -> ServiceType */
    Table service_partners[2]; /* full name -> the service that has the first counterpart */
    Table free_methods[2];     /* full name of a service -> how many have none (uint32_t) */
    Table extra_pairs;         /* "OLD NEW" of each extra -> the old message */
    Table rarity;              /* name of a field -> how many messages have it (uint32_t) */
    uint8_t *stale[2];     /* by the index of a message: how far up something in it changed, or 0 */
    Scratch fits, between; /* of the match that is made */
    uint64_t compared;     /* slots with slots, in all matches: it bounds the time */
    Buffer types, messages, enums, method_lines;
    Buffer unsure; /* questions about what has no counterpart */
} Diffing;

/* Adds a difference: `breaks` are BREAKS_ flags, `path` and the formatted text are copied. */
void diff_add(Diffing *d, unsigned breaks, bool guess, const char *path, const char *format, ...)
    PRINTF_LIKE(5, 6);

/* Does this belong to the package of that version? */
bool diff_in_package(const ChangeSide *side, const char *full_name);

/* Whether its methods are the version's: those of exactly its package, not of one inside it. */
bool diff_serves(const ChangeSide *side, const ServiceType *service);

/* Is it a type of this version alone: of its package, or of one that only this version uses? A type
   of another package that both versions use is its own counterpart. */
bool diff_is_own(const Diffing *d, int end, const char *full_name);

/* The counterpart of this type, or something in it, is known now, or another one: what has it is
   matched again. */
void diff_changed(Diffing *d, int end, const char *full_name);
/* The match of these is another one: the messages that have them are matched again. */
void diff_rematched(Diffing *d, const MessageType *old, const MessageType *new_type);
/* Is it to be matched again? Then it is, by the caller. */
bool diff_take_stale(Diffing *d, const MessageType *old, const MessageType *new_type);

/* Adds the message and what it leads to: full name -> its type. */
void diff_add_with_all(Diffing *d, Table *into, const MessageType *message);

/* Has the two told as "Order to Line"; once. */
void diff_add_extra(Diffing *d, ExtraPair extra);

/* A guess that is made on less than this is marked for a decision. */
enum { DIFF_LIKELY = 60, DIFF_SURE = 80 };

/* "  # guess: by its name" or, when the score is low, "  # decide: a guess, by its name". */
const char *diff_guess(Diffing *d, int score, const char *why);

/* ---- schema_diff_index.c: where to look for counterparts ------------------------------------- */

/* Names that more things have than this tell nothing about one, and are not followed. */
enum { MOST_NAMESAKES = 64, MOST_CANDIDATES = 256 };

typedef struct Candidates {
    const void *items[MOST_CANDIDATES];
    uint32_t n;
} Candidates;

void list_add(Arena *arena, List *list, const void *item);
void lists_add(Table *lists, const char *key, const void *item);
/* An empty one where there is none. */
const List *lists_get(const Table *lists, const char *key);

/* Fills the lists of both ends. */
void diff_index(Diffing *d);

/* Adds what is not among them, if the list is not too long to tell anything. */
void candidates_add(Candidates *candidates, const List *list);
/* What is at that end and may be like this type, which is at the other one. */
void diff_message_candidates(Diffing *d, int end, const MessageType *type, Candidates *out);
void diff_enum_candidates(Diffing *d, int end, const EnumType *type, Candidates *out);

/* ---- schema_diff_words.c --------------------------------------------------------------------- */

Words words_of(Arena *arena, const char *name);
/* The same, kept: of a name that is asked for often. */
const Words *diff_words(Diffing *d, const char *name);
/* Of the innermost name of a type: "Instance.DiskType" is disk type, "MetadataV1" metadata. */
Words words_of_type(Arena *arena, const char *name);
/* The same, kept; of a method's name, too. */
const Words *diff_words_of_type(Diffing *d, const char *name);
/* The same text for all names of types that have the same words, in whatever order; kept. */
const char *diff_name_key(Diffing *d, const char *name);
/* Of the words behind the first, of a method's name. */
const char *diff_noun_key(Diffing *d, const char *name);
const char *diff_key_of_words(Diffing *d, const Words *words);
bool words_have(const Words *words, const char *word);
bool words_have_all(const Words *words, const Words *some);
bool word_is_one_of(const char *word, const char *const *words, size_t n);
void words_drop(Words *words, const char *word);
void words_join(Words *words, const Words *more);
/* The share of words that both have. */
int words_alike(const Words *a, const Words *b);

/* The same text for "THINGSBOARD" and "THINGS_BOARD": without case, and without where words begin.
 */
const char *diff_letters(Diffing *d, const char *name);
/* From now on, these words in names stand for each other. */
void diff_same_words(Diffing *d, const char *old, const char *new_words);

/* ---- schema_diff_vocabulary.c: words that the new version has for others --------------------- */

/* Before names are compared: it finds them, and has them stand for each other. */
void diff_learn_words(Diffing *d);

/* ---- schema_diff_types.c: messages and enums under another name ------------------------------ */

/* By their names, and by the places that counterparts have them in. */
void diff_same_types(Diffing *d);
/* By their names and what is in them, with at least this score. True: there was one. */
bool diff_alike_types(Diffing *d, int least);
/* By the fields of the same name that have them, whatever is in them. True: there was one. */
bool diff_types_in_place(Diffing *d);
/* Does nothing but the fields that have them say that these two are counterparts? */
bool diff_is_doubtful(Diffing *d, const MessageType *old, const MessageType *new_type);
/* They become counterparts, if neither has one. */
bool diff_marry_messages(Diffing *d, const MessageType *old, const MessageType *new_type);
bool diff_marry_enums(Diffing *d, const EnumType *old, const EnumType *new_type);
/* Writes down the types that are not the same by name. */
void diff_types(Diffing *d);

/* The counterpart at the other end of what is at this one; NULL if none is known. A type of another
   package is its own counterpart. */
const MessageType *diff_partner(const Diffing *d, int end, const MessageType *message);
const EnumType *diff_enum_partner(const Diffing *d, int end, const EnumType *type);
/* How many of their fields have a namesake in the other, from 0 to 100. */
int diff_shared_fields(const Diffing *d, const MessageType *old, const MessageType *new_type);
/* How many of their fields have one that is called alike in the other, from 0 to 100. */
int diff_similar_fields(Diffing *d, const MessageType *old, const MessageType *new_type);
/* Could one be converted to the other where a field has them, though they are no counterparts? */
bool diff_have_much_in_common(const Diffing *d, const MessageType *old,
                              const MessageType *new_type);
/* Are both without a counterpart, and how alike are they? 0: not enough, or one has one. */
int diff_free_messages_alike(Diffing *d, const MessageType *old, const MessageType *new_type);
/* Both without a counterpart, and with some words in common. */
bool diff_may_be_renamed(Diffing *d, const MessageType *old, const MessageType *new_type);
int diff_free_enums_alike(Diffing *d, const EnumType *old, const EnumType *new_type);

/* ---- schema_diff_displaced.c: names that went to something else ------------------------------ */

/* Before the others: what kept its content under a longer name, while its name is another's. */
void diff_displaced_types(Diffing *d);

/* ---- schema_diff_convert.c: what goes into what ---------------------------------------------- */

typedef enum FitKind {
    FIT_NONE,
    FIT_SAME,    /* without a word */
    FIT_LIST,    /* one value and a list of them */
    FIT_CONVERT, /* by a converter */
    FIT_ALIKE,   /* types without a counterpart, which could be each other's */
} FitKind;

typedef struct Fit {
    FitKind kind;
    bool agreed;     /* FIT_LIST: the elements are counterparts */
    uint32_t named;  /* so many words of a value of the one are the other's name */
    bool weak;       /* many unrelated fields would fit as well: the names have to agree */
    bool time;       /* from or to a time */
    const char *by;  /* the converter, or NULL */
    const char *key; /* of a list of messages that becomes a map, or back: its field; or NULL */
    const ExtraPair *extra; /* the messages that it converts, which are no counterparts; or NULL */
    const FieldType *currency; /* the field beside an amount that has its currency, or NULL */
    int currency_end;          /* where it is */
    const char *parameters;    /* of it: ", times: 1000", or "" */
    const char *decide;        /* what it needs a person for, or NULL */
    const char *units[2];      /* the word in either name that the converter explains, or NULL */
    int certainty;             /* from 0 to 100: that these types are meant to go together */
} Fit;

Fit diff_fit(Diffing *d, const FieldType *old, const FieldType *new_field);
/* Would these go together without a word about their types? */
bool diff_types_agree(const Diffing *d, const FieldType *old, const FieldType *new_field);
/* Is this a word for a unit, of time, of money or of size? Then it is not dropped without a reason.
 */
bool diff_is_unit(const char *word);

/* ---- schema_diff_match.c: which fields of two messages belong together ----------------------- */

enum { MOST_STEPS = 4, MOST_SLOTS = 256, MOST_OPEN = 512 };

/* A place for a value in a message: a field by its path. */
typedef struct Slot {
    const FieldType *steps[MOST_STEPS];
    uint32_t n_steps;
    const char *text;
    const struct Slot *parent;   /* the message that it is in, or NULL */
    const Words *leaf, *context; /* of its own name, of the path to it */
    const Words *inside;         /* of the path to what is in it, or NULL: not known yet */
    bool shared; /* inside of a message that goes with its counterpart: it only takes what fits best
                  */
    bool opened; /* something inside of it has a counterpart: it is told part by part */
    bool closed; /* it is inside of a message that goes as a whole, or whose parts do */
    const struct Pairing *pairing;
    uint32_t open;  /* its place among those without a counterpart, plus one; 0: it has one */
    uint32_t first; /* its first candidate, plus one; 0: there is none */
    bool merged; /* it is a part of several others, or they are its parts: it is told with them */
    const char *asked; /* the new fields that it may have become, or NULL: a person has to say */
    uint32_t n_asked;
} Slot;

/* Two slots that belong together. */
typedef struct Pairing {
    Slot *ends[2];
    Fit fit;
    int score; /* 100 and `same`: by name */
    bool same;
    const char *why;
} Pairing;

/* Fields that became one, or one that became several. */
enum { MOST_PARTS = 4, MOST_MERGES = 8 };

typedef struct Merge {
    Slot *whole, *parts[MOST_PARTS];
    int end_of_whole; /* the version that has the whole */
    uint32_t n_parts;
    const char *template; /* of the parts, or NULL: a field and a list */
    const char *question; /* that a person has to decide */
} Merge;

typedef struct Merges {
    Merge items[MOST_MERGES];
    uint32_t n;
} Merges;

/* The fields of two messages that are counterparts. */
typedef struct Match {
    const MessageType *ends[2];
    Slot *slots[2];
    uint32_t n_slots[2], room[2];
    Pairing *pairings;
    uint32_t n_pairings;
    Merges merges;
} Match;

const FieldType *slot_field(const Slot *slot);

/* Makes or renews the match of these; types that follow from it become counterparts. */
const Match *diff_match(Diffing *d, const MessageType *old, const MessageType *new_type);
/* The match of two that are no counterparts: nothing follows from it. */
const Match *diff_match_extra(Diffing *d, const ExtraPair *extra);

/* ---- schema_diff_merges.c -------------------------------------------------------------------- */

/* Finds them among the fields that have no counterpart yet: these need none any more. */
void diff_find_merges(Diffing *d, Match *match);

/* ---- schema_diff_fields.c, schema_diff_enums.c, schema_diff_methods.c ------------------------ */

/* Goes over all messages that are counterparts, in the order of the old schema. */
void diff_all_matches(Diffing *d);
void diff_messages(Diffing *d);
void diff_enums(Diffing *d);

/* Values without what all values of their enum begin with: "OPEN" of STATUS_OPEN. In its order. */
const char *const *enum_bare_names(Arena *arena, const EnumType *type);
/* The same, kept. */
typedef struct BareNames {
    const EnumType *type;
    const char *const *names;
    Table by_name; /* bare name -> EnumValue */
} BareNames;

const BareNames *diff_bare_names(Diffing *d, const EnumType *type);
/* Does this bare name stand for no value: "UNSPECIFIED", "UNKNOWN", "NONE"? */
bool enum_is_unspecified(const char *bare);

/* Fills the lists of methods. */
void diff_index_methods(Diffing *d);
/* Finds the counterparts of methods, and by them those of types. True: there was a new one. */
bool diff_pair_methods(Diffing *d);
/* Finds the requests and responses that belong together by their method alone. */
void diff_method_types(Diffing *d);
void diff_methods(Diffing *d);

#endif
