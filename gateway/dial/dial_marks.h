/*
 * DialMarks: one side of a message, line by line, and in what each line differs from the other
 * side.
 *
 *        {
 *          "id": "7",
 *      -   "customer": "ada",          not so on the other side: renamed, moved or converted
 *      !   "comment": "ring twice",    lost: dropped (orders-v1-v2.yaml:10)
 *        }
 *
 * A line is the same if the other side has the same value at the same place. What a conversion has
 * counted as lost is marked at the fields that it may have come from; the marks are for people, the
 * counts are exact. Pure; everything lives in the arena.
 */
#ifndef GATEWAY_DIAL_MARKS_H
#define GATEWAY_DIAL_MARKS_H

#include "gateway/dial/dial_sides.h"

typedef enum DialMark { DIAL_SAME, DIAL_DIFFERS, DIAL_LOST } DialMark;

typedef struct DialLine {
    uint32_t depth; /* of its indentation */
    Bytes text;     /* one line of JSON, not made printable */
    DialMark mark;
    const DialLoss *loss; /* why; NULL: nothing is said of it */
} DialLine;

typedef struct DialLines {
    DialLine *items;
    uint32_t n, capacity;
} DialLines;

typedef struct DialSide {
    const MessageType *type; /* of `json` */
    Bytes json, other;       /* `other` empty: there is nothing to compare it with */
    const DialLoss *losses;
    uint32_t n_losses;
    bool source; /* what is dropped and narrowed is here; else what was filled in by a default */
} DialSide;

/* Faults: BAD_JSON, TOO_DEEP, MESSAGE_TOO_LARGE. */
MUST_USE Result dial_marks_make(const DialSide *side, Arena *arena, DialLines *lines_out);

#endif
