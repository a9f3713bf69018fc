/*
 * Details: converts the details of an error (the google.protobuf.Any of google.rpc.Status) from one
 * version to another.
 *
 * A detail never replaces the error itself: one that cannot be converted stays as it is, and the
 * error is sent. Plans of details are compiled by plan_compile_any (plan_compile.h).
 */
#ifndef ADAPTERS_DETAILS_H
#define ADAPTERS_DETAILS_H

#include "adapters/run/plan_run.h"

/* Events of a conversion. Unused members are zero. */
typedef struct DetailsRun {
    PlanRun plan; /* fields that were lost inside details */
    /* A detail whose type has a counterpart, but whose value has none, or is malformed. It stays as
       it is, under its own type's name. If the client's version has another message of that name,
       and would misread it, it is left out (`kept` is false). */
    void (*on_unconverted)(void *owner, Bytes type, bool kept, Result why);
    void *owner;
} DetailsRun;

/*
 * Converts the details of a serialized google.rpc.Status by a plan from Any to Any, both protobuf;
 * NULL: the types are the same. Types without a counterpart stay as they are. `request`, if any, is
 * the mapping from the request in the error's version to that in the client's: the fields that a
 * google.rpc.BadRequest names are replaced by the client's fields that they are computed from. A
 * malformed status stays as it is. Fault: OUT_OF_MEMORY.
 */
MUST_USE Result details_convert(const Plan *any, const Mapping *request, Bytes status, Arena *arena,
                                DetailsRun *run, Bytes *status_out);

/* Leaves out of a serialized google.rpc.Status the details whose types are not among the full
   names, which end with NULL; of a malformed status all of it. Fault: OUT_OF_MEMORY. */
MUST_USE Result details_keep(const char *const *types, Bytes status, Arena *arena,
                             Bytes *status_out);

/* One detail (a serialized google.protobuf.Any) as JSON, by a plan from protobuf to JSON; the value
   of an unknown type as base64. False: it is malformed; `json` is unchanged. */
bool detail_to_json(const Plan *any, Bytes detail, Arena *arena, Buffer *json);

/* The reverse. An object that cannot be read as the type in "@type", or has none, is kept as a
   google.protobuf.Struct. False: it is not a JSON object. */
bool detail_from_json(const Plan *any, Bytes json, Arena *arena, Bytes *detail_out);

#endif
