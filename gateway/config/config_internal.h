/*
 * ConfigReader: one loading of a config, while it goes on. Private to config*.c and service*.c.
 *
 * Each file reads its part of the ConfigFile into the Config and tells what is wrong with it. What
 * was left out because it was wrong already (NULL, 0) is passed over without another word. The
 * compiling (service_*.c) runs over what could be read, so that its mistakes are told in the same
 * run.
 */
#ifndef GATEWAY_CONFIG_INTERNAL_H
#define GATEWAY_CONFIG_INTERNAL_H

#include "gateway/config/config.h"
#include "gateway/config/config_file.h"

typedef struct ServicePlan ServicePlan;

typedef struct ConfigReader {
    Arena *arena;
    Problems *problems;
    ConfigFile file;
    Config *config;
    const SchemaAsk *ask;     /* NULL: no instance can be asked */
    Table schemas;            /* file -> LoadedSchema */
    Table caches;             /* file -> the ReflectedSchema that is kept in it */
    ServicePlan *services;    /* what is known of config->services[i] only while it is loaded */
    const char **route_paths; /* of config->routes[i]: "routes[0]"; NULL: nobody wrote it */
    Table identities; /* Schema (its address) -> the MappingSet in which all stays as it is */
    Table answers;    /* AnswerKey -> DefaultAnswer: of graceful routes */
    Table plans;      /* PlanKey -> Plan: many methods share a message and a pair of codecs */
    const MappingSet *error_types; /* google.rpc's, known to all versions */
    struct LossCounter *losses;    /* of all mappings; while pairs are made */
    PlanCache *programs;           /* what those plans have in common; made with the first one */
} ConfigReader;

/* What is needed of a service until it is compiled. */
struct ServicePlan {
    const Passerelle__Config__Service *text; /* NULL: made for the instances of an opaque route */
    const char *path;                        /* "services[0]" */
    const ChangeList **lists;                /* [i]: between versions i and i + 1; NULL: no way */
};

/* Tells a mistake at a path of the config: a printf of the path, and one of the reason. */
const char *config_path(ConfigReader *reader, const char *format, ...) PRINTF_LIKE(2, 3);
void config_tell(ConfigReader *reader, const char *path, const char *hint, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* The same for what a running gateway is safe from, though nobody can have meant it. */
void config_doubt(ConfigReader *reader, const char *path, const char *hint, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* "did you mean x", or "a, b or c" when they are few; in the arena. May be NULL. */
const char *config_hint(ConfigReader *reader, const char *word, const char *const *words, size_t n);

/* The whole file. Fault: NO_FILE, also when it is larger than `most`. */
MUST_USE Result config_read_file(Arena *arena, const char *path, size_t most, Bytes *text_out);

/* The name of a request field, in lower case; told when it cannot be one. */
const char *config_field_name(ConfigReader *reader, const char *name, const char *path);

/* Tells a failure of tls_context.h at the key under `path` that it names. */
void config_tell_tls(ConfigReader *reader, Result r, const char *path);

/* An address to listen on or to connect to (then the port must not be 0). False: told. */
bool config_address(ConfigReader *reader, const char *text, bool listening, const char *path,
                    Address *address_out);

/* Whether it can stand where host names are listed: a name, "*." and a name, or "*". */
bool config_is_host_pattern(Bytes host);

/* Reads Config.dns. */
void config_read_dns(ConfigReader *reader);

/* config_reach.c: a doubt, when an instance's address is one that the gateway itself listens on.
   After the listeners. */
void config_doubt_loop(ConfigReader *reader, const Address *instance, const char *path);

/* What `errors` says; UNSAID where it is not there. */
ErrorsTold config_errors(bool said, Passerelle__Config__Errors errors);

/* config_listener.c */
void config_read_listeners(ConfigReader *reader);

/* config_limits.c */
void config_read_limits(ConfigReader *reader);

/* config_service.c: names, versions with their schemas, negotiation. */
void config_read_services(ConfigReader *reader);

/* config_schema.c: Version.schema, or told why there is none. */
void config_read_schema(ConfigReader *reader, Version *version,
                        const Passerelle__Config__Schema *text, const char *path);

/* config_instance.c; one that is only asked for its schema: false when it cannot be, which is
   told. */
bool config_read_reflecting(ConfigReader *reader, const Passerelle__Config__Reflection *text,
                            const char *path, Instance *instance);
void config_read_instances(ConfigReader *reader, Service *service,
                           Passerelle__Config__Instance *const *texts, size_t n, const char *path);

/* The same for those that are listed elsewhere; what is wrong there is a doubt. After the versions.
 */
void config_read_discovery(ConfigReader *reader, Service *service,
                           const Passerelle__Config__Discovery *text, const char *path);

/* config_route.c: reads all routes; then gives each method its own, once there are methods. */
void config_read_routes(ConfigReader *reader);
void config_assign_routes(ConfigReader *reader);

/* service_methods.c: Version.methods, Config.methods. */
void service_read_methods(ConfigReader *reader);

/* service_changes.c: change lists, Version.to, Config.losses, and what each method is in other
   versions. */
MUST_USE Result service_read_changes(ConfigReader *reader);

/* service_pairs.c: plans between all versions and codecs that can meet. */
MUST_USE Result service_make_pairs(ConfigReader *reader);

/* How a method's requests are given to a version that serves them, and the answers of that back;
   NULL: not at all. */
const Mapping *service_request(const Method *method, const Version *served);
const Mapping *service_answer(const Method *method, const Version *served);

/* The codecs of the instances that serve a version natively: a bit each. */
uint32_t service_codecs(const Version *version);

/* service_rest.c: Config.rest and the bindings. */
MUST_USE Result service_make_rest(ConfigReader *reader);

/* service_default.c: the answers of graceful routes, in every version's shape. */
MUST_USE Result service_make_defaults(ConfigReader *reader);

/* service_details.c: the types that all errors may carry, before any plan; then Version.details and
   Config.details. */
MUST_USE Result service_read_error_types(ConfigReader *reader);
MUST_USE Result service_make_details(ConfigReader *reader);

/* Fills in what all plans have in common: limits, the types that everybody knows, the cache. */
void service_complete_options(ConfigReader *reader, PlanOptions *options);

/* A plan for this mapping, made once; NULL when there is no mapping. */
MUST_USE Result service_plan(ConfigReader *reader, const Mapping *mapping,
                             const PlanOptions *options, const Plan **plan_out);

#endif
