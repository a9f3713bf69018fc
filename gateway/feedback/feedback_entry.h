/*
 * FeedbackEntry: what a customer has said, as support or an import enters it, a JSON object:
 *
 *      {"words": "...",            what was said; its end is cut off where it is too long
 *       "client": "ada",           who has said it, by the name that the gateway knows
 *       "request": "0f3c...",      the id of the request that it is about
 *       "at": "2026-11-30T09:00:00Z",    when; by default now
 *       "source": "forum",         where
 *       "id": "<1@example>"}       of the message there: the same one is entered once
 *
 * There are words, and a client or a request; where no request is named, a word that looks like the
 * id of one is it. What customers write is hostile: texts are bounded, and nothing reads them but
 * people. Plain functions; time is passed in.
 */
#ifndef GATEWAY_FEEDBACK_ENTRY_H
#define GATEWAY_FEEDBACK_ENTRY_H

#include "base/bytes.h"
#include "base/result.h"

enum {
    FEEDBACK_ID_SIZE = 17,    /* 16 hexadecimal digits, and NUL */
    FEEDBACK_NAME_SIZE = 256, /* bytes of each other text; longer ones are refused */
    FEEDBACK_LINES_MOST = 200,
    FEEDBACK_REQUEST_SIZE = 32, /* of an id that is found among words: hexadecimal digits */
};

typedef struct FeedbackEntry {
    char id[FEEDBACK_ID_SIZE];
    int64_t at; /* wall time */
    Bytes client, request, source, words;
} FeedbackEntry;

typedef struct FeedbackRules {
    size_t size; /* bytes of words */
    int64_t wall;
} FeedbackRules;

/* One entry; texts are in the arena or borrowed from the text. Faults: BAD_JSON; BAD_VALUE: a
   member is missing, unknown, or of the wrong kind. */
MUST_USE Result feedback_entry_read(Arena *arena, Bytes json, const FeedbackRules *rules,
                                    FeedbackEntry *entry_out);

/* One in each line that is not empty; the fault names the line. */
MUST_USE Result feedback_entries_read(Arena *arena, Bytes lines, const FeedbackRules *rules,
                                      FeedbackEntry **entries_out, uint32_t *n_out);

#endif
