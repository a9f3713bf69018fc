/*
 * The parts of one config_load that make services: each file reads or compiles its own, in the
 * order of config_load.c. Private to this module.
 */
#ifndef GATEWAY_SERVICE_INTERNAL_H
#define GATEWAY_SERVICE_INTERNAL_H

#include "adapters/place/placement.h"
#include "gateway/conventions/conventions.h"
#include "gateway/inventory/instance_read.h"
#include "gateway/settings/settings.h"

/* The retry budget of a service; `text` may be NULL. After Config.n_loops. */
void config_read_retry_budget(ConfigReader *reader, Service *service,
                              const Passerelle__Config__RetryBudget *text, const char *path);

/* service_balance.c: Config.cell, before the services; then the policy of each. */
void config_read_cells(ConfigReader *reader);
void config_use_cells(ConfigReader *reader, Service *service);

/* `text` may be NULL: then it stays as it is. */
void config_read_affinity(ConfigReader *reader, const Passerelle__Config__Affinity *text,
                          const char *path, Affinity *affinity);

/* Routes without an affinity get that of their service. Before methods get their routes. */
void config_inherit_affinity(Config *config);

/* Method.key, once methods have their routes and mappings. */
MUST_USE Result service_make_keys(ConfigReader *reader);

/* The field of the method's requests at this path, a text or whole number, and from JSON to the
   protobuf that has it; NULL: there is no such field. */
MUST_USE Result service_make_key(ConfigReader *reader, const Method *method, const char *field,
                                 const FieldType *const **key_out, const Plan **plan_out);

/* Method.allow_paths of all methods, likewise. */
MUST_USE Result service_make_allow_paths(ConfigReader *reader);

/* MethodLimit.cost of all methods, likewise. */
MUST_USE Result service_make_costs(ConfigReader *reader);

/* Reports that `matcher` matches methods, but the request of none of them, such as this one, has
   the field `name`. */
void service_tell_no_key(ConfigReader *reader, const char *path, const char *matcher,
                         const char *name, const Method *method);
/* service_idempotency.c: Route.keys; then, once methods have their plans, Method.keys. */
void config_read_keys(ConfigReader *reader, const Passerelle__Config__Idempotency *text,
                      const char *path, Route *route);
MUST_USE Result service_make_idempotency(ConfigReader *reader);
/* service_parameters.c: Route.log_fields; then Method.log_fields, once methods have their routes.
 */
void config_read_log_fields(ConfigReader *reader, const Passerelle__Config__RouteLog *text,
                            const char *path, Route *route);
MUST_USE Result service_make_log_fields(ConfigReader *reader);
/* service_rollout.c: Config.rollouts and Service.rollout; after the routes. */
void config_read_rollouts(ConfigReader *reader);
/* Then Method.cohort_key, as Method.key. */
MUST_USE Result service_make_cohort_keys(ConfigReader *reader);

/* service_read.c: names, versions with their schemas, negotiation. */
void config_read_services(ConfigReader *reader);
/* The version with this name; NULL: none, which was reported. */
const Version *config_find_version(ConfigReader *reader, const Service *service, const char *name,
                                   const char *path);

/* service_retire.c: reads Service.retire; after its versions. */
void config_read_retiring(ConfigReader *reader, Service *service, const ServicePlan *plan);

/* service_schema.c: reads Version.schema; reports why there is none. `alone`: the version has one
   of its own, which it may change. */
void config_read_schema(ConfigReader *reader, Version *version,
                        const Passerelle__Config__Schema *text, bool alone, const char *path);

/* service_routes.c: reads all routes; then gives each method its own, once there are methods. */
void config_read_routes(ConfigReader *reader);
/* The service that this text begins with, up to a dot; NULL: none, which was reported. */
const Service *config_find_service(ConfigReader *reader, const char *match, const char *path);
/* What a leg says of its own, over the route of its method, of which `route` is a copy. */
MUST_USE Result config_read_leg_policy(ConfigReader *reader, const Passerelle__Config__Leg *text,
                                       const char *path, const Method *method, Route *route);
/* The first method of the route for which the test is so (NULL: any); NULL: there is none. Once
   routes are assigned. */
typedef bool MethodTest(const Method *method);
const Method *route_find_method(const Route *route, MethodTest *test);
void config_assign_routes(ConfigReader *reader);

/* service_changes.c: change lists, Version.to, Config.losses, and the counterparts of each method.
 */
MUST_USE Result service_read_changes(ConfigReader *reader);

/* service_pairs.c: Version.methods, Config.methods; */
void service_read_methods(ConfigReader *reader);

/* then, with routes and change lists, plans between all combinations of versions and codecs. */
MUST_USE Result service_make_pairs(ConfigReader *reader);

/* The plans for responses in that version, of all codecs, also if no instance serves it now: for
   those that are kept. */
MUST_USE Result service_make_responses(ConfigReader *reader, const Method *method,
                                       const Version *from);

/* The mapping of a method's requests to the served version, and of the responses back, of what its
   route shows; NULL: none. */
const Mapping *service_request(const Method *method, const Version *served);
const Mapping *service_answer(ConfigReader *reader, const Method *method, const Version *served);

/* The codecs of the instances that serve a version natively: a bit each. */
uint32_t service_codecs(const Version *version);

/* service_rest.c: Config.rest and the bindings. */
MUST_USE Result service_make_rest(ConfigReader *reader);

/* service_pairs.c: which requests may be for one of several methods, whose routes demand different
   proofs of who calls; once routes, counterparts and bindings are there. */
void service_note_demands(ConfigReader *reader);

/* service_fallbacks.c: the fallbacks of a route; then, once methods have their counterparts,
   whether they can be used, and the default responses in every version. */
void config_read_fallbacks(ConfigReader *reader, const Passerelle__Config__OnFailure *text,
                           const char *path, Route *route);
MUST_USE Result service_make_fallbacks(ConfigReader *reader);

/* service_parameters.c: what routes demand of requests. Once methods have their routes. */
MUST_USE Result service_read_parameters(ConfigReader *reader);

/* The same for a leg: whether they fit its method, and its default response. `path` is the leg's.
 */
MUST_USE Result service_make_leg_fallbacks(ConfigReader *reader, const char *path,
                                           const Method *method, Route *route);

/* A message that is written in the config at `path`, in protobuf; `mapping` is that of its type to
   itself. Empty: there is none, or a mistake, which was reported: `what` does not fit. */
MUST_USE Result service_json_message(ConfigReader *reader, const char *path, const char *what,
                                     const Mapping *mapping, const MappingSet *types,
                                     Bytes *made_out);

/* service_compose.c: Method.composed and made_as. Methods have routes, and plans. */
MUST_USE Result service_make_compositions(ConfigReader *reader);

/* service_job.c: Version.begins_jobs, before change lists are read; then Config.jobs, Method.job
   and made_as. */
void service_note_jobs(ConfigReader *reader);
MUST_USE Result service_make_jobs(ConfigReader *reader);

/* service_made.c: made_as of the methods of other versions. Last. */
void service_choose_made(ConfigReader *reader);

/* service_shadow.c: Route.shadow; then Method.shadow, when it is known what the gateway makes. */
void config_read_shadow(ConfigReader *reader, const Passerelle__Config__Shadow *text,
                        const char *path, Route *route);
MUST_USE Result service_make_shadows(ConfigReader *reader);

/* service_details.c: the types of details in all errors, before any plan; then Version.details and
   Config.details. */
MUST_USE Result service_read_error_types(ConfigReader *reader);
MUST_USE Result service_make_details(ConfigReader *reader);

/* Fills in the options of all plans: limits, the common types, the cache. */
void service_complete_options(ConfigReader *reader, PlanOptions *options);

/* A plan for this mapping, compiled once; NULL if there is no mapping. */
MUST_USE Result service_plan(ConfigReader *reader, const Mapping *mapping,
                             const PlanOptions *options, const Plan **plan_out);

/* ---- service_place.c: fields that get their values by paths ---------------------------------- */

/* The messages that a path may begin with, beside the request, which is source 0. */
typedef struct PlaceNames {
    const char *all, *one;    /* "legs", "leg" */
    const char *const *names; /* of source 1 and so on; "" where none was said */
    uint32_t n;
    const char *last; /* of source n + 1: "job"; NULL: there is none */
} PlaceNames;

/* "Sites/List" */
const char *service_method_text(ConfigReader *reader, const Method *method);

/* That of this text in the version; NULL: there is none, which was reported. */
Method *service_find_method(ConfigReader *reader, const Version *version, const char *name,
                            const char *path);

/* It takes one message and gives one; false: it does not, which was reported. */
bool service_check_unary(ConfigReader *reader, const Method *method, const char *path);

/* The unary method "hosting.Sites/List" in a version, by default the service's; `path` has the keys
   `method` and `version`. NULL: none, which was reported, or it was not said. */
Method *service_named_method(ConfigReader *reader, const char *name, const char *version_name,
                             const char *path);

/* Calls of `caller` make the gateway call the other one, by itself: reports that nobody would ask
   the policy server of its route. */
void service_check_policy(ConfigReader *reader, const char *path, const Method *caller,
                          const Method *called);

/* Reports what is wrong with the name of source i + 1. */
void service_check_source_name(ConfigReader *reader, const PlaceNames *names, uint32_t i,
                               const char *path);

/* Splits the path `said`. False: a mistake, which was reported. */
bool service_take_source(ConfigReader *reader, const PlaceNames *names, const char *said,
                         const char *path, uint32_t *source_out, Bytes *rest_out);

/* placement_move, with its mistake reported at `path`.`into`. */
void service_place(ConfigReader *reader, Placement *placement, const char *into, uint32_t source,
                   Bytes from, const char *path);

/* The fields of a path through single messages, ending with NULL, of which the last one is single
   and fits; NULL: a mistake, which was reported: it must be `what`. */
typedef bool FieldTest(const FieldType *field);
const FieldType *const *service_field_path(ConfigReader *reader, const MessageType *type,
                                           Bytes said, const char *path, FieldTest *fits,
                                           const char *what);

/* An integer of any kind; no enum. */
bool service_is_whole(const FieldType *field);

/* The plan, once there were no mistakes. `read`: also what could be copied as it is, since nobody
   has read it yet. */
MUST_USE Result service_place_plan(ConfigReader *reader, Placement *placement, bool read,
                                   const Plan **plan_out);

/* service_read.c: whether its requests have `baggage`. */
void service_read_baggage(ConfigReader *reader, Service *service, bool has);

#endif
