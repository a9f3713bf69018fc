/*
 * Annotations: what operators say of kinds of failures, by fingerprint: who looks after it, the
 * cause, a ticket, and whether it is known.
 *
 * One that is acknowledged is muted until it changes (muting.h). Belongs to the main thread.
 */
#ifndef GATEWAY_ANNOTATIONS_H
#define GATEWAY_ANNOTATIONS_H

#include "base/bytes.h"
#include "base/result.h"

enum {
    ANNOTATIONS_MOST = 10000,    /* known at a time */
    ANNOTATION_TEXT_SIZE = 1024, /* bytes of each text; longer ones are refused */
};

/* Texts may be empty. */
typedef struct Annotation {
    uint64_t fingerprint;
    Bytes owner, cause, ticket;
    int64_t acknowledged; /* wall time; 0: it is not */
    Bytes who, why;       /* the operator who said it, and why */
    int64_t at;           /* wall time */
    bool closed; /* its texts are sealed with a key that is not known here: they are empty */
} Annotation;

typedef struct Annotations {
    Arena *arena; /* of the texts */
    Annotation *items;
    uint32_t n, room;
} Annotations;

/* NULL: nobody has said anything. */
const Annotation *annotations_find(const Annotations *annotations, uint64_t fingerprint);

/* Adds it, or takes the place of what was said before. The texts are copied. */
void annotations_put(Annotations *annotations, const Annotation *annotation);

/* Forgets all, and frees what they hold. */
void annotations_clear(Annotations *annotations);

/* The texts as one, for a store that seals them, and back. The fault is BAD_VALUE: it is no such
   text. What is read is borrowed from the arena. */
void annotation_write_texts(const Annotation *annotation, Buffer *out);
MUST_USE Result annotation_read_texts(Arena *arena, Bytes text, Annotation *annotation);

/*
 * What an operator wants to say, as a JSON object: "owner", "cause", "ticket" (texts),
 * "acknowledged" (true or false). Members that are not there stay as they are in `annotation`,
 * which the texts are put into; they are borrowed from the arena. It is acknowledged at `wall`.
 * Faults: BAD_JSON; BAD_VALUE: an unknown member, a wrong kind of value, a text that is too long,
 * or no member at all.
 */
MUST_USE Result annotation_change(Arena *arena, Bytes json, int64_t wall, Annotation *annotation);

/* 16 hexadecimal digits. False: it is none. */
bool fingerprint_read(Bytes text, uint64_t *fingerprint_out);

#endif
