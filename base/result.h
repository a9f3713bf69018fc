/*
 * Result: success, or an error with its chain of causes.
 *
 * A function that can fail returns a Result and is MUST_USE. FAIL starts a chain at the origin of a
 * failure; FAIL_OVER adds a link with what was being attempted. The chain lives in an arena,
 * usually the call's. It ends in exactly one place per lifetime, which converts it to a response,
 * logs it and counts it under the name of its fault.
 *
 * Three kinds of results are never mixed: an *outcome* (need more bytes, would block) is a small
 * enum of its function; a *fault* is a Result; a *bug* is a failed CHECK, only for conditions that
 * this program controls, never for a peer's input.
 */
#ifndef BASE_RESULT_H
#define BASE_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Arena Arena;

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/* The side that is responsible for a fault. */
typedef enum FaultSide {
    SIDE_CLIENT,   /* the client: the same request will fail again */
    SIDE_GATEWAY,  /* the gateway, or its operator */
    SIDE_UPSTREAM, /* the service */
} FaultSide;

/* A kind of failure: one row of base/faults.def. Constant, compared by address. */
typedef struct Fault {
    const char *name;     /* "UPSTREAM_DOWN": the machine-readable reason, the metric's label */
    const char *text;     /* one sentence for a person */
    uint16_t http_status; /* RFC 9110 section 15 */
    uint8_t grpc_status;  /* google.rpc.Code */
    bool retryable;       /* the same call may succeed later, and a retry does no harm */
    FaultSide side;
} Fault;

#define FAULT(name, http, grpc, retryable, side, text, advice) extern const Fault FAULT_##name;
#include "base/faults.def"
#undef FAULT

typedef struct Error {
    const Fault *fault;
    const struct Error *cause; /* the cause, or NULL at the origin */
    const struct Error *also;  /* another invalid field of the same message, or NULL */
    const char *doing;         /* what was being attempted, with its particulars */
    const char *field; /* path of the invalid message field, in the client's version; or NULL */
    bool told;        /* `doing` may be sent to the client: it is only about what the client sent */
    const char *file; /* of the source, for the log only */
    int line;
} Error;

typedef struct Result {
    const Error *error; /* NULL: success */
} Result;

#define OK ((Result){0})

static inline bool failed(Result r)
{
    return __builtin_expect(r.error != 0, 0);
}

/* Starts a chain. `arena` outlives the Result. */
#define FAIL(arena, fault, ...)                                                                    \
    error_new((arena), &(fault), OK, NULL, __FILE__, __LINE__, __VA_ARGS__)

/* Starts a chain with the path of the invalid message field. Its text may be sent to the client. */
#define FAIL_FIELD(arena, fault, field, ...)                                                       \
    error_new((arena), &(fault), OK, (field), __FILE__, __LINE__, __VA_ARGS__)

/* Starts a chain whose text may be sent to any client. It must contain nothing that the client does
   not know already: no address, file or instance. */
#define FAIL_TELL(arena, fault, ...)                                                               \
    error_new((arena), &(fault), OK, "", __FILE__, __LINE__, __VA_ARGS__)

/* Adds a link over `cause`. Both live in arenas that outlive the Result. */
#define FAIL_OVER(arena, cause, fault, ...)                                                        \
    error_new((arena), &(fault), (cause), NULL, __FILE__, __LINE__, __VA_ARGS__)

/*
 * Never fails: at the arena's limit its spare error is used, without text. The text and `field` are
 * copied into the arena. `field` may be "": the text may be sent to the client, and no field is
 * invalid.
 */
MUST_USE Result error_new(Arena *arena, const Fault *fault, Result cause, const char *field,
                          const char *file, int line, const char *format, ...) PRINTF_LIKE(7, 8);

/* The first of n mistakes of one message, with the others beside it. All have failed. OK if there
   are none. */
MUST_USE Result error_with_others(Arena *arena, const Result *mistakes, size_t n);

/* Documents why an error may be dropped here. `why` is for the reader of the code; it is not used.
 */
static inline void error_ignore(Result r, const char *why)
{
    (void)r;
    (void)why;
}

/* A copy of the whole chain in another arena, for an error that outlives its first one. */
MUST_USE Result error_copy(Arena *arena, Result r);

/* The chain as one line, "NAME: doing; because NAME: doing; ...", in the arena. "ok" for
   success. */
const char *error_text(Arena *arena, Result r);

/* The first error of the chain that names a field, or NULL. */
const Error *error_with_field(Result r);

/* The last error of the chain, its origin. NULL for success. */
const Error *error_origin(Result r);

/* The row with this name, or NULL. */
const Fault *fault_by_name(const char *name);

/* All rows, ended by NULL, in the order of faults.def. */
extern const Fault *const fault_table[];

/* For bugs of this program: prints place and condition, then aborts. Also in release builds. */
#define CHECK(condition)                                                                           \
    (__builtin_expect(!!(condition), 1) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

__attribute__((noreturn)) void check_failed(const char *condition, const char *file, int line);

#endif
