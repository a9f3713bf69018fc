/*
 * What the files of the ledger share: ledger.c, ledger_page.c and their tests.
 */
#ifndef GATEWAY_LEDGER_INTERNAL_H
#define GATEWAY_LEDGER_INTERNAL_H

#include "gateway/ledger/annotations.h"
#include "gateway/ledger/ledger.h"
#include "gateway/requests/request_ring.h"
#include "gateway/tally/criticality.h"

/* Calls that ended longer ago are not shown. */
#define LEDGER_REQUEST_AGE (3600 * SECOND)

typedef struct LedgerErrand LedgerErrand;
typedef struct LedgerQuestion LedgerQuestion;

/* What a loop owns. */
struct LedgerBook {
    LedgerBook *next; /* of all */
    Ledger *ledger;
    Loop *loop;       /* NULL: closed */
    Tally *tally;     /* the one that counts now */
    RequestRing bad;  /* records of calls that failed or were degraded */
    RequestRing good; /* of all others */
    Arena *arena;     /* of the next one */
    Buffer record;    /* of the call that has just ended */

    /* For the main thread. */
    Tally *spare; /* empty; NULL: the loop has it */
};

/* A kind of failures, as it is ranked. */
typedef struct LedgerRank {
    const FailureRow *row;
    Criticality criticality;
    const Annotation *annotation; /* NULL: nobody has said anything */
    bool muted;
} LedgerRank;

/* The page. `redact`: what records do not show. */
typedef struct LedgerPage {
    const Tally *all;
    const Annotations *annotations;
    const char *node;
    const char *const *redact;
    int64_t wall;
    LedgerComplaints *complaints; /* NULL: nobody knows of any */
    void *complaints_owner;
} LedgerPage;

/* The rows of the table, the most critical first; of equal ones the last seen. Behind them come
   failed attempts, and behind these the rows that are muted. In the arena. */
LedgerRank *ledger_rank(Arena *arena, const LedgerPage *page, const FailureTable *table);

void ledger_page_write(const LedgerPage *page, Buffer *out);

/* One row of it; and a member with a time. */
void ledger_row_write(const LedgerPage *page, const LedgerRank *rank, Buffer *out);
void ledger_add_time(Buffer *out, const char *name, int64_t wall);

/* Whether there is more to tell than the line of the log has: of conversions, or of attempts. */
static inline bool ledger_has_more(const CallRecord *record)
{
    const AttemptRecord *a = record->attempts;
    return record->lost.size || (a && (a->next || failed(a->why)));
}

/* The line of the log with that, in `out`, whose content is replaced. */
Bytes ledger_write_record(const CallRecord *record, Bytes line, Buffer *out);

#endif
