/*
 * Telemetry: what became of each call: one line in the access log, counters and histograms.
 *
 * Each loop has its own counters, written by its thread only and read by the admin thread with
 * relaxed atomics; the log line is made on the loop into a bounded ring and written by the log's
 * own thread. A ring that is full drops the line and counts the drop
 * (passerelle_log_dropped_total).
 */
#ifndef GATEWAY_TELEMETRY_H
#define GATEWAY_TELEMETRY_H

#include "base/call.h"
#include "gateway/config/config.h"

typedef struct Loop Loop;
typedef struct Telemetry Telemetry;

/* One request to one instance, by which a call was tried. Times are monotonic nanoseconds; 0: it
   did not come to it. */
typedef struct AttemptRecord {
    const struct AttemptRecord *next; /* the one after it */
    const Instance *instance;         /* NULL: it came to none */
    int64_t began;                    /* the instance was picked */
    int64_t asked;                    /* the request's head was sent */
    int64_t headed;                   /* the response's head was there */
    int64_t ended;
    Code code;
    Result why; /* of a code other than OK */
} AttemptRecord;

/* Everything that is said of one finished call. All pointers are borrowed for the call of
   record. */
typedef struct CallRecord {
    Bytes request_id; /* quoted to the client and the instance, in the log; needs no escapes */
    Bytes trace_id;   /* W3C, 32 hex digits; or empty */
    const char *peer, *listener;
    Bytes forwarded_for; /* the client's address, as a trusted proxy tells it; or empty */
    Bytes client;        /* identity, or empty */
    Dialect dialect;
    Codec codec;
    Bytes verb, path;     /* as asked, without query */
    const Method *method; /* or NULL when it came to none */
    const Route *route;
    const Version *client_version, *reply_version, *served_version; /* or NULL */
    const char *rule;       /* which rule decided the client's version: "header" */
    const char *served_why; /* "native", "fewest losses", ... */
    const Instance *instance;
    const AttemptRecord *attempts; /* in their order; those without an instance are not here */
    uint32_t n_attempts;           /* of them, those that were sent */
    Status status;                 /* how it ended for the client; OK also when degraded */
    uint16_t http_status;
    Result why;           /* the chain: of the error, or of what was degraded */
    Result detail_why;    /* the first of an error's details that could not be given in the client's
                             version */
    const char *degraded; /* reason (fault name) when a graceful answer was given; else NULL */
    uint32_t n_losses, n_unknown;
    uint64_t bytes_in, bytes_out;
    uint32_t messages_in, messages_out;
    int64_t began; /* wall, nanoseconds */
    int64_t time_total, time_to_upstream,
        time_upstream_head; /* nanoseconds; 0: did not come to it */
} CallRecord;

void telemetry_record(Loop *loop, const CallRecord *record);

/* Whose mistake a failed call is: by its fault, or by the code where the service itself has
   answered so. `why` has failed. */
FaultSide telemetry_side(const CallRecord *record);

/* Other things that are counted: connections, TLS failures, protocol errors below any call. */
typedef enum Counter {
    COUNTER_CONNECTIONS_OPENED,
    COUNTER_CONNECTIONS_CLOSED,
    COUNTER_CONNECTIONS_REFUSED,
    COUNTER_HANDSHAKE_FAILED,
    COUNTER_CONNECTION_BROKEN,
    COUNTER_CONNECTION_TIMEOUT,
    COUNTER_UPSTREAM_CONNECTED,
    COUNTER_UPSTREAM_CONNECT_FAILED,
    COUNTER_UPSTREAM_LOST,
    COUNTER_RETRIES,
    COUNTER_DETAILS_UNCONVERTED,
    COUNTER_COUNT,
} Counter;
void telemetry_count(Loop *loop, Counter counter);

/* A thing that happened to the process or a connection, not to a call: one structured line (level
   "info", "warning", "error") with the chain of `why`. Any thread. */
void telemetry_event(const char *level, const char *event, Result why, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* The same with a list of mistakes, each a line of the text; it may be empty. */
void telemetry_event_mistakes(const char *level, const char *event, Result why, Bytes mistakes,
                              const char *format, ...) PRINTF_LIKE(5, 6);

/* ---- For the process ----------------------------------------------------------------------------
 */

/* Opens the log ("-": stdout) and begins to count. Before any loop; from the main thread. `node` is
   copied. What is said before goes to stderr. Faults: NO_FILE, SYSTEM. */
MUST_USE Result telemetry_start(Arena *arena, const char *log_file, const char *node);

/* The log's file is opened anew: after a rotation, or where a new config says another. When that
   fails, lines go on to the one that is open. */
MUST_USE Result telemetry_reopen(Arena *arena, const char *log_file);

/* Ends the log, lets go of all configs, frees the counters. After all loops and the admin
   listener. */
void telemetry_stop(void);

/* Counters for one loop, for loop->telemetry; that may stay NULL where nothing is to be counted.
   Freed by telemetry_stop. Any thread. */
Telemetry *telemetry_new(void);

/*
 * A config that was loaded, before any loop has it: gives its services, methods, instances and
 * routes their places among the counters, so that what was counted under the same names goes on.
 * Keeps a reference until the next one is adopted and no call uses it any more.
 */
void telemetry_adopt(Config *config);

/* Fills in `log_part` of an instance, in the arena; one of the config's has it by the former. */
void telemetry_describe(Instance *instance, Arena *arena);

/* A reload that was refused: the config that runs is older than the operator thinks. */
void telemetry_reload_failed(void);

/* A reference to the config that was adopted last, or NULL. Any thread. */
Config *telemetry_config(void);

#endif
