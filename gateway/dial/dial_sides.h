/*
 * DialSides: one message on both sides of its conversion, as JSON, and what was lost between them.
 *
 *      request:   client, v1 --[the gateway's plan]--> instance, v3
 *      response:  client, v1 <--[the gateway's plan]-- instance, v3
 *
 * The plans are those of the config, so that the result is what the gateway gives to a client of
 * JSON. Pure; everything lives in the arena. One thread, since plans are completed when they are
 * run.
 */
#ifndef GATEWAY_DIAL_SIDES_H
#define GATEWAY_DIAL_SIDES_H

#include "adapters/run/plan_run.h"
#include "gateway/config/config.h"

typedef struct DialLoss {
    const Loss *loss;
    uint32_t n; /* how often */
} DialLoss;

typedef struct DialSides {
    Bytes client, instance; /* JSON; data NULL: it did not come so far */
    DialLoss *losses;
    uint32_t n_losses;  /* kinds of losses, defaults included */
    uint32_t n_unknown; /* fields that the schema does not have, which were dropped */
} DialSides;

/* What converts, and what shows, the messages of one method at one instance. */
typedef struct DialPlans {
    const Method *method; /* in the client's version */
    const Version *served;
    Codec codec;                            /* of the instance's messages */
    const Plan *read;                       /* a request, JSON, as the client may write it */
    const Plan *to_proto, *from_proto;      /* between the client's JSON and protobuf */
    const Plan *show_request, *show_answer; /* the instance's, from its codec to JSON */
} DialPlans;

/* Faults: BAD_CONFIG. */
MUST_USE Result dial_plans_make(Arena *arena, const Method *method, const Version *served,
                                Codec codec, DialPlans *plans_out);

/* The request as its client sends it, from a message and fields: JSON with the fields' own names.
   Faults: those of plan_run. */
MUST_USE Result dial_request_write(const DialPlans *plans, const PlanInput *input, Arena *arena,
                                   Bytes *json_out);

/* From the client's JSON to the instance; *sent_out is in its codec. What a failure leaves of
   `sides_out` can be shown. Faults: those of plan_run, and of the rules of the route. */
MUST_USE Result dial_request_convert(const DialPlans *plans, Bytes json, Arena *arena,
                                     DialSides *sides_out, Bytes *sent_out);

/* Likewise from the instance, whose message is in its codec, to the client. Faults: as the gateway
   tells them to the client, UPSTREAM_CONVERT, UPSTREAM_MESSAGE; UNSUPPORTED. */
MUST_USE Result dial_response_convert(const DialPlans *plans, Bytes message, Arena *arena,
                                      DialSides *sides_out);

/* The details of an error, a serialized google.rpc.Status, as two lists of JSON. What cannot be
   converted stays as it is. Fault: OUT_OF_MEMORY. */
MUST_USE Result dial_details_convert(const DialPlans *plans, Bytes details, Arena *arena,
                                     DialSides *sides_out);

/* Whether anything was lost: a default for an absent field is no loss. */
bool dial_sides_lose(const DialSides *sides);

#endif
