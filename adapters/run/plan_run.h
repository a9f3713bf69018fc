/*
 * plan_run: converts one message by a plan.
 *
 * Any thread may run any plan. A run allocates from the call's arena only, costs a bounded amount,
 * and never touches a socket, a clock or global state.
 */
#ifndef ADAPTERS_PLAN_RUN_H
#define ADAPTERS_PLAN_RUN_H

#include "adapters/program/plan.h"

/* A value that is not in the body: from the path or the query of a REST request. */
typedef struct PlanParameter {
    Bytes field_path; /* "order.id": either spelling; "labels[a]" and "labels.a": see
                         parameter_path.h */
    Bytes text; /* decoded; "true", "42", "QUEUED", base64 ... by the field's type; booleans also
                   as 1, 0, t, f, in any case */
    const char *called; /* what errors call it, in front of its path; NULL: "parameter" */
} PlanParameter;

/* What those of the path of a REST call are called. */
#define PARAMETER_OF_PATH "path parameter"

/* One message to convert. Unused members are zero. */
typedef struct PlanInput {
    Bytes bytes;
    Bytes body_field; /* JSON in: the bytes are the value of this field (google.api.http body);
                         empty: of all */
    bool no_body;     /* JSON in: there is no body at all, only parameters */
    const PlanParameter *parameters;
    uint32_t n_parameters;
} PlanInput;

/* Losses of the conversion. */
typedef struct PlanRun {
    void (*on_loss)(void *owner, const Loss *loss); /* for each loss that occurs; may be NULL */
    void *owner;
    uint32_t n_losses;
    uint32_t n_unknown; /* unknown fields dropped */
    bool all_mistakes; /* in: if the message has an invalid field, look for all of them, at the cost
                          of reading it once more. They are beside the error (Error.also) */
    Buffer *rest;  /* in: for the output of a JSON message without its invalid fields, if its fields
                      are what makes it invalid; NULL: nobody wants it */
    bool has_rest; /* then: it is there */
} PlanRun;

/*
 * Converts one message and appends the result to `out`, which then borrows nothing from the input.
 * `run` may be NULL. If it fails, `out` is unchanged; losses were already reported.
 *
 * Faults (of the message's sender): BAD_JSON, BAD_MESSAGE, BAD_VALUE, UNKNOWN_FIELD,
 * FIELD_REQUIRED, CANNOT_CONVERT, TOO_DEEP, MESSAGE_TOO_LARGE (elements), OUT_OF_MEMORY, with the
 * field's path in the sender's names: "items[2].price".
 */
MUST_USE Result plan_run(const Plan *plan, const PlanInput *input, Arena *arena, Buffer *out,
                         PlanRun *run);

/* Messages of one plan, one after the other, for which all that can be is prepared once. It lives
   on the caller's stack; what is in it is plan_run.c's. */
typedef struct PlanSeries {
    uint64_t room[384];
} PlanSeries;

/* All are borrowed for the series; `run` is not NULL. */
void plan_series_begin(PlanSeries *series, const Plan *plan, Arena *arena, Buffer *out,
                       PlanRun *run);

/* As plan_run. The arena may be reset before each message. A failure ends the series. */
MUST_USE Result plan_series_next(PlanSeries *series, Bytes message);

#endif
