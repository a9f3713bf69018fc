/*
 * SignalList: the signals that were found, each once, with how often: of a gateway without a store;
 * and how one is written. SIGNALS_LISTED of them; then the one that was found longest ago goes.
 * Owned by one thread; zeros are empty. Plain functions; time is passed in.
 */
#ifndef GATEWAY_SIGNAL_LIST_H
#define GATEWAY_SIGNAL_LIST_H

#include "base/arena.h"
#include "gateway/signal/finding.h"

enum { SIGNALS_LISTED = 1000, SIGNAL_ID_SIZE = 17 /* 16 hexadecimal digits, and NUL */ };

/* Texts are borrowed from whoever has made it. */
typedef struct SignalEntry {
    char id[SIGNAL_ID_SIZE];
    const char *kind; /* finding_kind_name, or that of a newer gateway */
    Bytes subject, client, node;
    Bytes evidence; /* a JSON object */
    int64_t since, at;
    uint64_t times;       /* 0: it is not known, and not written */
    int64_t acknowledged; /* wall time; 0: it is not, since it was found last */
    Bytes who, why;       /* then: by whom */
} SignalEntry;

typedef struct ListedSignal {
    SignalEntry entry;
    Arena *arena; /* of its texts */
} ListedSignal;

typedef struct SignalList {
    ListedSignal *items; /* in no order */
    uint32_t n;
} SignalList;

/* An entry of what was found at `at`; its texts are in the arena. */
SignalEntry signal_entry_of(const Finding *finding, const char *node, int64_t at, Arena *arena);

/* Lists it; false: it was found less than `every` ago. */
bool signal_list_take(SignalList *list, const SignalEntry *entry, int64_t every);

/* False: no such signal is listed. */
bool signal_list_acknowledge(SignalList *list, Bytes id, Bytes who, Bytes why, int64_t wall);

/* Takes out those that name the client. */
void signal_list_forget_client(SignalList *list, Bytes client);

/* The entries, the one that was found last first; in the arena. */
const SignalEntry **signal_list_sorted(const SignalList *list, Arena *arena);

void signal_list_deinit(SignalList *list);

/* As a JSON object. */
void signal_entry_write(const SignalEntry *entry, Buffer *out);

/* {"node": ..., "as_of": ..., "signals": [...]} */
void signal_page_write(const char *node, const SignalEntry *const *entries, uint32_t n,
                       int64_t wall, Buffer *out);

#endif
