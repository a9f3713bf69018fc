/*
 * Result: success, or an error with its chain of causes.
 *
 * A function that can fail returns a Result and is MUST_USE. FAIL starts a chain at the place where
 * something went wrong; FAIL_OVER adds a link that says what was being attempted. The chain lives
 * in an arena, usually the call's, and dies with it. It ends in exactly one place per lifetime,
 * which turns it into an answer, logs it and counts it under the name of its fault.
 *
 * Three kinds of trouble, never mixed: an *outcome* (need more bytes, would block) is a small enum
 * of the function that has it; a *fault* is a Result; a *bug* is a failed CHECK, for what we alone
 * control, never for a peer's input.
 */
#ifndef BASE_RESULT_H
#define BASE_RESULT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Arena Arena;

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/* Whose mistake a fault is; the ledger keeps them apart. */
typedef enum FaultSide {
    SIDE_CLIENT,   /* the caller's: asking again the same way will fail again */
    SIDE_GATEWAY,  /* ours, or our operator's */
    SIDE_UPSTREAM, /* the service behind us */
} FaultSide;

/* A kind of failure: one row of base/faults.def. Constant, compared by address. */
typedef struct Fault {
    const char *name;     /* "UPSTREAM_DOWN": the machine-readable reason, the metric's label */
    const char *text;     /* one sentence for a person */
    uint16_t http_status; /* RFC 9110 section 15 */
    uint8_t grpc_status;  /* google.rpc.Code */
    bool retryable;       /* the same call may succeed later, and asking again does no harm */
    FaultSide side;
} Fault;

#define FAULT(name, http, grpc, retryable, side, text) extern const Fault FAULT_##name;
#include "base/faults.def"
#undef FAULT

typedef struct Error {
    const Fault *fault;
    const struct Error *cause; /* the error beneath, or NULL at the origin */
    const char *doing;         /* what was being attempted, with its particulars */
    const char *field; /* path of the message field at fault, in the caller's version; or NULL */
    bool told; /* `doing` is for the caller: it speaks of what the caller sent, of nothing else */
    const char *file; /* our source, for the log only */
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

/* Starts a chain that names the message field at fault, and is told to the caller. */
#define FAIL_FIELD(arena, fault, field, ...)                                                       \
    error_new((arena), &(fault), OK, (field), __FILE__, __LINE__, __VA_ARGS__)

/* Starts a chain whose text is told to the caller, whoever that is. It must not name what the
   caller does not know already: no address, file or instance. */
#define FAIL_TELL(arena, fault, ...)                                                               \
    error_new((arena), &(fault), OK, "", __FILE__, __LINE__, __VA_ARGS__)

/* Adds a link over `cause`. Both live in arenas that outlive the Result. */
#define FAIL_OVER(arena, cause, fault, ...)                                                        \
    error_new((arena), &(fault), (cause), NULL, __FILE__, __LINE__, __VA_ARGS__)

/*
 * Never fails: when the arena is at its limit, its spare error is used, without particulars. A copy
 * of the text and of `field` is made in the arena. `field` may be "": the text is told, and no
 * field is at fault.
 */
MUST_USE Result error_new(Arena *arena, const Fault *fault, Result cause, const char *field,
                          const char *file, int line, const char *format, ...) PRINTF_LIKE(7, 8);

/* Says why an error may be dropped here. The reason is for the reader; nothing is done with it. */
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

/* The deepest error of the chain: where it began. NULL for success. */
const Error *error_origin(Result r);

/* The row with this name, or NULL. */
const Fault *fault_by_name(const char *name);

/* All rows, ended by NULL, in the order of faults.def. */
extern const Fault *const fault_table[];

/* A bug of ours: says where and what, then aborts. Stays in release builds. */
#define CHECK(condition)                                                                           \
    (__builtin_expect(!!(condition), 1) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

__attribute__((noreturn)) void check_failed(const char *condition, const char *file, int line);

#endif
