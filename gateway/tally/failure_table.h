/*
 * FailureTable: failures grouped by their fingerprint, in bounded memory.
 *
 * A fingerprint is a hash of what makes failures one problem: side, fault, code, route, method,
 * versions, leg, and the innermost cause without its particulars (cause.h). It is the same in all
 * gateways and after a restart. Counts are exact. If the table is full and a new kind of failure
 * comes, the row that matters least gives way: impact times the failures of the last hour; of equal
 * ones the one that was not seen for the longest time. It is counted with its failures, unless it
 * is stored as it is.
 *
 * A route has at most FAILURE_CAUSES causes for each fault and code: a service may quote what
 * clients send. What has another cause is one kind, whose cause is FAILURE_OTHER. Rows that were
 * not seen for a day give way to new causes.
 *
 * Owned by one thread. Zeros with a limit are an empty table.
 */
#ifndef GATEWAY_FAILURE_TABLE_H
#define GATEWAY_FAILURE_TABLE_H

#include "base/call.h"
#include "gateway/config/config.h"
#include "gateway/tally/cause.h"
#include "gateway/tally/recent_clients.h"
#include "gateway/tally/window.h"

enum {
    FAILURE_CAUSES = 20,            /* of one route, fault and code */
    FAILURE_TEXT_SIZE = 128,        /* bytes of each other text of a key; the rest is cut off */
    FAILURE_INSTANCES = 8,          /* names that a row has at most */
    FAILURE_NAME_SIZE = 64,         /* of an instance; the rest is cut off */
    FAILURE_SAMPLES = 5,            /* calls that a row has at most */
    FAILURE_ID_SIZE = 64,           /* of a request id, with its NUL */
    FAILURE_RECORD_SIZE = 8 * 1024, /* of one call; a sample with a longer one has its id only */
    FAILURE_BUCKETS = 1024,
};

/* The cause of all kinds above FAILURE_CAUSES. */
#define FAILURE_OTHER "one of many other causes"

/* What makes failures one problem. All texts may be empty. */
typedef struct FailureKey {
    bool attempt; /* of a call, which went on: another attempt made it good, or failed otherwise */
    FaultSide side;
    const Fault *fault;
    Code code;
    Bytes route, method;
    Bytes client_version, served_version;
    Bytes leg; /* of a compose route */
    Bytes cause;
} FailureKey;

/* What became of the call. */
typedef enum FailureOutcome {
    FAILURE_SEEN,     /* the client got the error */
    FAILURE_DEGRADED, /* it got a fallback */
    FAILURE_RETRIED,  /* it was that of an attempt only */
} FailureOutcome;

/* One failure. All is borrowed. */
typedef struct Failure {
    FailureKey key;
    FailureOutcome outcome;
    Impact impact;
    uint32_t series;  /* of its method or path, in telemetry */
    int64_t at;       /* wall time */
    uint64_t client;  /* a hash */
    Bytes instance;   /* empty: none */
    Bytes request_id; /* empty: it is no sample */
    Bytes record;     /* of the call, as JSON */
} Failure;

typedef struct FailureSample {
    char id[FAILURE_ID_SIZE];
    int64_t at;
    char *record; /* JSON; NULL: it was too long */
} FailureSample;

typedef struct FailureInstances {
    uint32_t n;
    bool more; /* than these */
    char names[FAILURE_INSTANCES][FAILURE_NAME_SIZE];
} FailureInstances;

/* All calls of the method of a failure, as the store had it: a process that has just begun knows
   nothing of them. */
typedef struct FailureMethod {
    int64_t process; /* when the process began that stored it: wall time */
    int64_t seen;    /* wall time; 0: nothing is known */
    uint64_t clients;
    Window hour; /* calls */
} FailureMethod;

/* What has changed since an operator acknowledged a kind. */
typedef enum FailureChange {
    FAILURE_UNCHANGED,
    FAILURE_NEW_INSTANCE,
    FAILURE_MORE_OFTEN,
    FAILURE_CAME_BACK,
} FailureChange;

/* How a kind was when it was acknowledged, and whether it has changed since. Zeros: it never was.
 */
typedef struct FailureMute {
    int64_t acknowledged; /* wall time */
    uint64_t rate;        /* failures of the hour before */
    uint32_t instances;   /* known then */
    FailureChange change; /* the first one */
} FailureMute;

/* Of a row of the sum: whether what a store has of it is in it. */
typedef enum FailureStored {
    STORED_UNKNOWN,
    STORED_KNOWN,
    STORED_APART, /* it cannot be opened, and stays as it is: the row is stored beside it */
} FailureStored;

typedef struct FailureRow {
    struct FailureRow *next; /* in its bucket */
    uint64_t fingerprint;
    FailureKey key; /* its texts are in `text` */
    Impact impact;
    uint32_t series; /* 0: not seen since the start of the process */
    uint64_t count;  /* of all outcomes */
    uint64_t degraded, retried;
    int64_t first, last;    /* wall time */
    int64_t pause, resumed; /* the last time without failures, of an hour or more; when it ended */
    Window minute, hour, day;
    Sketch clients;
    RecentClients recent_clients;
    FailureInstances instances;
    uint32_t n_samples;
    FailureSample samples[FAILURE_SAMPLES];
    FailureMethod method;
    FailureMute mute;
    FailureStored stored;
    bool changed; /* set by each failure and each merge; cleared by whoever has stored it */
    char text[5 * FAILURE_TEXT_SIZE + CAUSE_SIZE];
} FailureRow;

/* How many rows there are with each cause of one route, fault and code. */
typedef struct FailureGroup {
    struct FailureGroup *next; /* in its bucket */
    uint64_t hash;
    int64_t cleaned; /* wall time at which rows had to give way to new causes */
    uint32_t n;
    struct {
        uint64_t cause; /* a hash */
        uint32_t rows;
    } causes[FAILURE_CAUSES];
} FailureGroup;

typedef struct FailureTable {
    uint32_t limit; /* rows; at least 1 */
    uint32_t n;
    uint64_t evicted, evicted_failures;
    FailureRow **rows; /* [n], in no order */
    uint32_t capacity; /* of rows */
    FailureRow *buckets[FAILURE_BUCKETS];
    FailureGroup *groups[FAILURE_BUCKETS];
} FailureTable;

uint64_t failure_fingerprint(const FailureKey *key);

/* Counts one failure. A row takes the first FAILURE_SAMPLES calls that it sees. */
void failure_table_add(FailureTable *table, const Failure *failure);

/*
 * Adds the row of another table, or of a store. Of the samples the newest ones stay. If the table
 * is full and no other row matters less, this one gives way. `row` stays the caller's, but for the
 * records of its samples.
 */
void failure_table_merge(FailureTable *table, FailureRow *row);

/* The same for all rows and for what was evicted; `from` is empty then. */
void failure_table_take(FailureTable *table, FailureTable *from);

/* Whether a new row may have this cause, or FAILURE_OTHER has to stand for it. */
bool failure_table_admits(const FailureTable *table, const FailureKey *key);

/* The row, or NULL. */
FailureRow *failure_table_find(const FailureTable *table, uint64_t fingerprint);

/* Removes rows down to the limit, after it was lowered: those that matter least. */
void failure_table_trim(FailureTable *table, int64_t wall);

/* Removes rows that are stored as they are, down to `rows`: those that matter least. */
void failure_table_trim_stored(FailureTable *table, uint32_t rows, int64_t wall);

/* Frees what it holds. */
void failure_table_clear(FailureTable *table);

/* An empty row with this key, its texts copied. Freed by failure_row_free. */
FailureRow *failure_row_new(const FailureKey *key, uint64_t fingerprint);
void failure_row_free(FailureRow *row);

/* Keeps the name, unless it is there or there is no room. */
void failure_instances_add(FailureInstances *instances, Bytes name);

/* Keeps a call; if there are FAILURE_SAMPLES, instead of the oldest one, if that is older. Takes
   the record, which was allocated by malloc. */
void failure_row_sample(FailureRow *row, Bytes id, int64_t at, char *record);

/* What a failure of this impact weighs: 1, 10 or 100. */
uint32_t impact_weight(Impact impact);

#endif
