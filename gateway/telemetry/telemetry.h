/*
 * Telemetry: records each finished call: one line in the access log, counters and histograms.
 *
 * Each loop has its own counters, written by its thread only and read by the admin thread with
 * relaxed atomics; the log line is written into a bounded ring on the loop, and to the file by the
 * log's own thread. If the ring is full, the line is dropped and counted
 * (passerelle_log_dropped_total).
 */
#ifndef GATEWAY_TELEMETRY_H
#define GATEWAY_TELEMETRY_H

#include "base/call.h"
#include "base/log.h"
#include "gateway/config/healing_act.h"
#include "gateway/headers/trace_context.h"
#include "gateway/identity/identity.h"
#include "gateway/policy/policy.h"

typedef struct WorkPool WorkPool; /* gateway/loop/work_pool.h */
typedef struct Loop Loop;
typedef struct Telemetry Telemetry;

/* One attempt of a call. Times are monotonic nanoseconds; 0: not reached. */
typedef struct AttemptRecord {
    const struct AttemptRecord *next; /* the next one */
    const Instance *instance;         /* NULL: none was picked */
    const Version *served;            /* the version of the request to it; NULL: of none */
    int64_t began;                    /* the instance was picked */
    int64_t asked;                    /* the request's head was sent */
    int64_t headed;                   /* the response's head arrived */
    int64_t ended;
    uint64_t span; /* its id in the trace, which the instance was told; 0: none */
    Code code;
    Result why; /* of a code other than OK */
} AttemptRecord;

/* The job that a call has begun, or was answered from (gateway/job). */
typedef struct JobNote {
    Bytes name;           /* "operations/ID"; needs no escapes */
    const char *state;    /* "running" */
    bool begun;           /* by this call: a REST client is told where it is */
    bool accepted;        /* the response is not the last word: 202 for a REST client */
    uint32_t retry_after; /* a REST client is told to look again in so many seconds; 0: it is not */
} JobNote;

/* What the config wants in the log besides; in the call's arena. */
typedef struct CallNotes {
    const char *protocol;      /* "HTTP/1.1"; NULL: none of the first three is wanted */
    Bytes user_agent, referer; /* as the client said it, without the query of the latter */
    bool has_fields;           /* the message that they are of was there */
    Bytes fields;              /* of the request: log_fields_write */
} CallNotes;

/* What a call was by its idempotency key. */
typedef enum KeyedAs {
    KEYED_AS_NONE, /* it had none, or is refused for it */
    KEYED_AS_FIRST,
    KEYED_AS_REPLAYED,    /* its response is that of an earlier call */
    KEYED_AS_AGAIN,       /* made once more: instances honour the key */
    KEYED_AS_UNPROTECTED, /* made without a record: the store was down */
} KeyedAs;

/* Which arm of a rollout has served a call. */
typedef enum ArmServed {
    ARM_NONE, /* its service has no rollout */
    ARM_BASELINE,
    ARM_CANDIDATE,
    ARM_INSTEAD, /* the other one, since that of its client has no usable instance */
} ArmServed;

/* The record of one finished call. All pointers are borrowed during telemetry_record. */
typedef struct CallRecord {
    Bytes request_id; /* sent to the client and the instance, and logged; needs no escapes */
    const TraceContext *trace; /* NULL: the call belongs to none */
    const char *peer, *listener;
    const IpAddress *address; /* the client's: behind trusted proxies the one that they tell; NULL:
                                 of nobody */
    Bytes forwarded_for;      /* the client's address from a trusted proxy; or empty */
    Bytes client;             /* its identity, as it may be recorded; empty: anonymous */
    const Identity *identity; /* of the client; NULL: anonymous */
    Dialect dialect;
    Codec codec;
    Bytes verb, path;     /* of the request, without query */
    const Method *method; /* NULL: unknown */
    const Route *route;
    const Version *client_version, *reply_version, *served_version; /* or NULL */
    const char *rule;       /* which rule decided the client's version: "header" */
    const char *served_why; /* "native", "fewest losses", ... */
    const Instance *instance;
    const AttemptRecord *attempts; /* in order; without those that had no instance */
    uint32_t n_attempts;           /* number of those that were sent */
    uint32_t n_spilled;            /* attempts out of the gateway's cell, which lacks instances */
    uint16_t http_status;
    RetryRefusal retry_refused : 8; /* what alone has prevented another attempt */
    bool claimed;                   /* what the identity claims may be recorded, too */
    bool partial;                   /* composed: not all legs are ok */
    uint8_t key;                    /* KeyedAs */
    uint8_t arm;                    /* ArmServed */
    bool quiet; /* it is one of many that are refused alike: it is counted, and has neither a line
                   in   the log nor a record */
    Status status; /* the client's status; OK also when degraded */
    Result why;    /* the chain of the error, also when degraded */
    Result
        detail_why; /* the first error detail that could not be converted to the client's version */
    const char *degraded;  /* fault name if a fallback's response was sent; else NULL */
    Fallback degraded_by;  /* then: which one, */
    uint32_t degraded_age; /* and of a kept response its age in seconds */
    const JobNote *job;    /* NULL: the call has to do with none */
    CallNotes *notes;      /* NULL: none are wanted */
    Bytes joined;    /* whose response it was, of an equal call: its request id; empty: its own */
    const char *leg; /* of a composed call that it is made for: its name; else NULL */
    const char *step_of;    /* the id of the job that it is a step of; else NULL */
    Bytes legs;             /* composed: the state of each leg: "sites; state=ok; ms=3, ..." */
    const char *failed_leg; /* composed: whose error the call's is; or NULL, */
    const Status *said; /* whose own words the error has, of a leg's service or of a policy server;
                           else NULL */
    Bytes lost; /* paths of the fields that conversions lost: "Order.comment, ..."; may be empty */
    uint32_t n_losses, n_unknown;
    uint64_t bytes_in, bytes_out;
    uint32_t messages_in, messages_out;
    int64_t began;                                            /* wall, nanoseconds */
    int64_t time_total, time_to_upstream, time_upstream_head; /* nanoseconds; 0: not reached */
} CallRecord;

void telemetry_record(Loop *loop, const CallRecord *record);

/* The same for what is no failure of a call: it is not counted, and only the sinks get it. */
void telemetry_record_apart(Loop *loop, const CallRecord *record);

/* A request that was refused before it was a call: it is not counted as one, and the log has it as
   an event. Its failure is counted by fault, and the sink gets it as a call that failed. */
void telemetry_record_refused(Loop *loop, const CallRecord *record);

/* Whoever else has to know of each call: gets its record and its line of the log, on the loop's
   thread. */
typedef void TelemetrySink(void *owner, const CallRecord *record, Bytes line);

enum { TELEMETRY_SINKS = 4 };

/* For a sink, while it is told of a call: its spans are recorded there, so that the metrics of its
   duration point to them. Nothing is kept of what is not counted. */
void telemetry_exemplar(Loop *loop, const CallRecord *record, const TraceContext *trace);

/* The responsible side of a failed call: by its fault, or by the code of the service's own error.
   `why` has failed. */
FaultSide telemetry_side(const CallRecord *record);

/* Other counters: connections, TLS failures, protocol errors outside of a call. */
typedef enum Counter {
    COUNTER_CONNECTIONS_OPENED,
    COUNTER_CONNECTIONS_CLOSED,
    COUNTER_CONNECTIONS_REFUSED,
    COUNTER_HANDSHAKE_FAILED,
    COUNTER_CONNECTION_BROKEN,
    COUNTER_CONNECTION_LOST,
    COUNTER_CONNECTION_TIMEOUT,
    COUNTER_UPSTREAM_CONNECTED,
    COUNTER_UPSTREAM_CONNECT_FAILED,
    COUNTER_UPSTREAM_LOST,
    COUNTER_RETRIES,
    COUNTER_HEDGES,
    COUNTER_ATTEMPTS_CANCELLED,
    COUNTER_CHECKS,
    COUNTER_CHECKS_FAILED,
    COUNTER_JOINED,
    COUNTER_JOIN_WAITS,
    COUNTER_MEMORY_SHARE,
    COUNTER_MEMORY_FULL,
    COUNTER_DETAILS_UNCONVERTED,
    COUNTER_POLICY_ASKED,
    COUNTER_POLICY_DENIED,
    COUNTER_POLICY_FAILED,
    COUNTER_POLICY_ADMITTED,
    COUNTER_POLICY_UNFIT,
    COUNTER_BAGGAGE_CUT,
    COUNTER_COUNT,
} Counter;
void telemetry_count(Loop *loop, Counter counter);

/* An act of self-healing for a call of this service; NULL: of none. For gateway/healing. */
void telemetry_count_healing(Loop *loop, HealingAct act, const Service *service);

/* Logs an event of the process or a connection, not of a call: one structured line (level "info",
   "warning", "error") with the chain of `why`. Any thread. */
void telemetry_event(const char *level, const char *event, Result why, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* The same with members of its own, written by log_line.h with their commas. */
void telemetry_event_members(const char *level, const char *event, Result why, Bytes members,
                             const char *format, ...) PRINTF_LIKE(5, 6);

/* ---- For the process ------------------------------------------------------------------------- */

/* Opens the log and starts counting. Before any loop; from the main thread. `log` and `node` are
   copied. Earlier events go to stderr. Faults: those of log_outputs_open; SYSTEM. */
MUST_USE Result telemetry_start(Arena *arena, const LogConfig *log, const char *node);

/* Of a command, which has no log, and tells itself what becomes of its calls: events go nowhere.
   Instead of telemetry_start. */
void telemetry_be_silent(void);

/* Opens the files of the log again after a rotation, or what a new config says. If that fails,
   lines continue to go where they go. */
MUST_USE Result telemetry_reopen(Arena *arena, const LogConfig *log);

/* From now on `tap` gets all lines of the log, or nobody: log_tap. Between start and stop; main
   thread. */
void telemetry_tap(LogTap *tap, void *owner);

/* Closes the log, releases all configs, frees the counters. After all loops and the admin listener.
 */
void telemetry_stop(void);

/* Counters for one loop, for loop->telemetry, which may stay NULL if nothing is to be counted.
   Freed by telemetry_stop. Any thread. */
Telemetry *telemetry_new(void);

/* From now on the sink gets what this loop records, after those that were added before. At most
   TELEMETRY_SINKS. On the loop's thread, or while it does not run. */
void telemetry_feed(Telemetry *telemetry, TelemetrySink *sink, void *owner);

/* The metrics tell of the pool, until NULL is passed. Any thread. */
void telemetry_show_pool(WorkPool *pool);

/*
 * For a loaded config, before any loop has it: assigns series numbers to its services, methods,
 * instances and routes, so that counters with the same names continue. Keeps a reference until the
 * next config is adopted and no call uses this one.
 */
void telemetry_adopt(Config *config);

/* Fills in `log_part` of an instance, in the arena. telemetry_adopt does so for instances of the
   config. */
void telemetry_describe(Instance *instance, Arena *arena);

/* Counts a refused reload. */
void telemetry_reload_failed(void);

/* The calls of a method, or of a path without one, that have ended so far: by its series number.
   Any thread. */
uint64_t telemetry_calls(uint32_t series);

/* What was counted for each service, once for each, and with "" for calls of none. `read` must not
   use telemetry. Any thread. */
void telemetry_read_healing(void (*read)(void *owner, const char *service,
                                         const HealingFigures *figures),
                            void *owner);

/* A reference to the latest adopted config, or NULL. Any thread. */
Config *telemetry_config(void);

#endif
