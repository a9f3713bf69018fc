/*
 * Config: one generation of the configuration, read, checked and compiled.
 *
 * Immutable (except for the fields `series` and `log_part`, which telemetry_adopt fills in before
 * any loop has it, and the instances of its services: instance_set.h) and reference-counted. A
 * reload creates a new generation; a call keeps the one that it began with. Everything in it lives
 * in its arena and may be read by any loop. Made from YAML by config_load (gateway/service).
 */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include "adapters/changes/changes.h"
#include "adapters/program/plan.h"
#include "adapters/rules/rules.h"
#include "adapters/schema/schema.h"
#include "base/memory/descriptors.h"
#include "base/net/trusted_peers.h"
#include "base/problem.h"
#include "gateway/config/access_config.h"
#include "gateway/config/baggage_config.h"
#include "gateway/config/catalog_config.h"
#include "gateway/config/healing_act.h"
#include "gateway/config/impact.h"
#include "gateway/config/job_config.h"
#include "gateway/config/limit_config.h"
#include "gateway/config/rollout_config.h"
#include "gateway/config/shadow_config.h"
#include "gateway/config/tracing_config.h"
#include "gateway/log_output/log_config.h"
#include "gateway/password/password_hash.h"
#include "gateway/tls/certificate_names.h"
#include "protocols/http/http.h"
#include "protocols/rest/rest.h"

#include <stdatomic.h>
#include <sys/types.h>

typedef struct ssl_ctx_st SSL_CTX; /* OpenSSL's */

typedef struct Config Config;
typedef struct Service Service;
typedef struct Version Version;
typedef struct Method Method;
typedef struct Instance Instance;
typedef struct Route Route;
typedef struct RestBinding RestBinding;
typedef struct Composed Composed;
typedef struct SchemaAsk SchemaAsk;         /* schema_ask.h */
typedef struct KnownInstance KnownInstance; /* instances.h */
typedef struct InstanceSet InstanceSet;     /* instance_set.h */

/* Where to listen or connect: "127.0.0.1:8080", "[::1]:8080", "name:port", "unix:/path". */
typedef struct Address {
    const char *text; /* as written */
    const char *host; /* NULL for unix sockets */
    uint16_t port;
    const char *path; /* unix sockets; relative names are resolved against the config */
} Address;

/* Who makes the response of a method, if no instance does. */
typedef enum Maker { MAKER_COMPOSE, MAKER_JOB, MAKERS } Maker;

enum { CONFIG_HASH_SIZE = 17 }; /* 16 hexadecimal digits and NUL */

/* How much detail the gateway's own errors have. */
typedef enum ErrorsTold { ERRORS_UNSAID, ERRORS_PUBLIC, ERRORS_FULL } ErrorsTold;

/* How errors are written for REST clients. */
typedef enum ErrorsWritten { SHAPE_UNSAID, SHAPE_PROBLEM, SHAPE_GOOGLE } ErrorsWritten;

typedef struct ErrorStyle {
    ErrorsTold told;
    ErrorsWritten written;
} ErrorStyle;

/* Of the file of a unix socket. */
typedef struct SocketRights {
    mode_t mode;
    uid_t owner; /* (uid_t)-1: it stays */
    gid_t group; /* (gid_t)-1: it stays */
} SocketRights;

typedef struct ListenerConfig {
    Address address;
    SSL_CTX *tls; /* NULL: cleartext. ALPN h2 and http/1.1 set up. Freed with the Config */
    bool client_certificate;    /* mutual TLS */
    TrustedPeers trusted;       /* peers whose forwarding fields are accepted */
    bool proxy_protocol;        /* connections of trusted peers begin with a PROXY header */
    bool private;               /* a unix socket that only its owner may connect to */
    const SocketRights *rights; /* these instead; NULL: not said */
    const char *place;          /* "gateway.yaml:3:5", where it is written; NULL: nowhere */
    ErrorStyle errors;
    Authenticate authenticate;  /* UNSAID: as Config.access */
    CredentialList credentials; /* NULL: all */
    PolicyUse policy;           /* not said: as Config.access */
} ListenerConfig;

/* Where the admin listens if the config names no address. */
#define CONFIG_ADMIN_SOCKET "/run/passerelle/admin.sock"

/* Every limit of the data plane, each a setting with a safe default. Times in nanoseconds. */
typedef struct Limits {
    HttpLimits http;
    int64_t head_time;          /* from the first byte of a head to its last */
    int64_t body_time;          /* without progress while a body is incomplete */
    int64_t idle_time;          /* keep-alive */
    int64_t max_age;            /* of a client's connection; 0: none */
    int64_t send_time;          /* without progress while data waits to be sent */
    int64_t handshake_time;     /* TLS */
    int64_t session_time;       /* how long TLS sessions can be resumed; 0: not at all */
    int64_t call_time;          /* a call without any other timeout (unary); 0: none */
    uint32_t connections;       /* client connections in the whole process */
    size_t message_bytes;       /* one message of a request, before and after decompression */
    size_t answer_bytes;        /* one message of a response, likewise */
    uint32_t compress_least;    /* bytes from which messages and bodies are compressed */
    uint32_t compression_ratio; /* of a client's messages beyond the first MiB; 0: no limit */
    size_t work_bytes;          /* a larger message is converted on the work pool */
    uint32_t work_waits;        /* messages that may wait for it */
    size_t call_memory;         /* arena of one call */
    uint64_t memory;            /* of the process; 0: limits_memory says */
    uint32_t depth, elements;   /* of messages */
    /* Towards instances; 0 in any of these: the default. */
    int64_t connect_time; /* name resolution, TCP and TLS; also the wait of a call for capacity */
    int64_t connect_patience;   /* after which a call goes elsewhere, if it can */
    int64_t instance_idle_time; /* a connection without calls */
    int64_t instance_max_age;   /* age at which a connection is replaced */
    int64_t ping_time; /* HTTP/2: without data, while there are calls, until a PING is sent; its
                          response has the same timeout */
    uint32_t http1_connections, http2_connections; /* to one instance, per loop */
    uint32_t http1_uploads;  /* of the former, for requests whose body is still arriving; 0: half */
    uint32_t instance_waits; /* calls that may wait for capacity on them */
    uint32_t warm_connections; /* of the whole process, that are kept ready */
    uint32_t series;           /* of metrics, of one kind; 0: as many as there can be */
    uint32_t max_hops;         /* gateways that a call may have passed before this one */
} Limits;

/* What the process may use for calls, buffers and connections, in bytes: limits.memory, or by
   default half of what the machine has. Reads files. */
uint64_t limits_memory(const Limits *limits);

/* Connections to one instance, per loop: as set, or the default. */
uint32_t limits_connections(const Limits *limits, bool http2);

/* How host names of instances are resolved. 0 and NULL: the default. */
typedef struct DnsConfig {
    const char *servers; /* "10.0.0.2:53,[2001:db8::1]:5353"; NULL: those of /etc/resolv.conf */
    int64_t timeout;     /* until the next try; doubled with each */
    uint32_t attempts;   /* for each server */
} DnsConfig;

enum { STORE_KEY_SIZE = 32 /* AES-256 */, STORE_KEY_ID_MOST = 32 };

typedef struct StoreKey {
    const char *id; /* 1 to STORE_KEY_ID_MOST letters, digits, "-", "." and "_" */
    uint8_t key[STORE_KEY_SIZE];
    const char *file; /* from which it came */
} StoreKey;

/* For payloads in the store; the first one encrypts, all decrypt. */
typedef struct StoreKeys {
    StoreKey *keys;
    uint32_t n;
} StoreKeys;

/* What must outlive the process: gateway/store. Times in nanoseconds. */
typedef struct StoreConfig {
    const char *sqlite;     /* path of the file, or NULL */
    const char *postgresql; /* connection string, or NULL. Both NULL: there is no store */
    uint32_t connections, queue;
    int64_t time;
    int64_t keep_gateways, keep_audit, keep_failures, keep_annotations, keep_idempotency;
    StoreKeys keys;
    int64_t job_lease, job_look; /* gateway/job_run */
    uint32_t jobs_held;
    uint32_t job_waits, job_waits_per_client; /* gateway/job_view: of each loop */
    int64_t job_wait;                         /* the longest one */
} StoreConfig;

/* Who uses what: gateway/usage. Times in nanoseconds. */
typedef struct UsageConfig {
    bool on;
    size_t memory; /* bytes */
    int64_t every, keep;
} UsageConfig;

/* Weak signals: gateway/signal. Times in nanoseconds. */
typedef struct SignalsConfig {
    bool on;
    int64_t warm_up, forgotten;
    uint32_t failures, clients; /* of a new kind, in an hour */
    uint64_t calls;             /* of an hour that says anything */
    int64_t every, keep;
    uint32_t per_hour; /* of each kind */
} SignalsConfig;

/* What customers say: gateway/feedback. Times in nanoseconds. */
typedef struct FeedbackConfig {
    int64_t keep, window;
    size_t size; /* bytes of one */
    uint64_t entries;
} FeedbackConfig;

/* Kinds of failures for which something is to be done: all of it must hold. Lists end with NULL;
   NULL: any. */
typedef struct FailureTrigger {
    Impact impact;      /* at least */
    double criticality; /* at least */
    uint64_t failures;  /* of the last hour, at least */
    bool new_only;
    const Fault *const *faults;
    const char *const *routes; /* what they match */
    const char *const *services;
} FailureTrigger;

enum { WEBHOOKS_MOST = 64 };

/* A receiver of posts about failures: gateway/webhook. Times in nanoseconds. */
typedef struct WebhookConfig {
    const char *name, *url;
    FailureTrigger when;
    int64_t every; /* between two posts about the same kind */
    uint32_t per_hour;
    int64_t timeout, backoff;
    uint32_t attempts, queue;
    Bytes ca;          /* certificates, PEM; empty: the system's */
    Bytes token;       /* empty: none */
    Bytes secret;      /* that signs; empty: none */
    bool is_public;    /* nothing is sent to internal addresses */
    uint32_t signals;  /* bits 1 << FindingKind (gateway/signal) */
    bool signals_only; /* it is told of no failures */
} WebhookConfig;

/* Who is told of states of jobs: gateway/job_hook. Of `to` only what says where and how: name, url,
   timeout, backoff, ca, token, secret, is_public. */
typedef struct JobWebhookConfig {
    WebhookConfig to;
    const char *const *methods; /* names of definitions, ends with NULL; NULL: all */
    uint32_t states;            /* bits 1 << JobState */
    int64_t tries_for;          /* nanoseconds */
    uint32_t at_once;
} JobWebhookConfig;

/* The ledger: gateway/ledger. */
typedef struct LedgerConfig {
    uint32_t rows;             /* of failures, and as many of mistakes of clients */
    size_t requests;           /* bytes of records of calls, per loop */
    int64_t every;             /* nanoseconds between two collections */
    const char *const *redact; /* ends with NULL */
    uint32_t unmute_rate;      /* times as often as when it was acknowledged */
    int64_t unmute_pause;      /* nanoseconds without failures */
    WebhookConfig *webhooks;
    uint32_t n_webhooks;
} LedgerConfig;

/* A claim about a client, and the field that has its value. */
typedef struct ClaimHeader {
    const char *name; /* needs no escapes in JSON */
    const char *header;
} ClaimHeader;

/* What says who a client is. Field names are in lower case; NULL: none. */
typedef struct IdentityConfig {
    CertificateName certificate;                       /* which of its names is the identity */
    const char *header, *tenant_header, *class_header; /* of trusted proxies */
    const ClaimHeader *claims;
    uint32_t n_claims;
    const char *const *headers; /* all of these, ending with NULL; NULL: there are none */
    Bytes hash_key;             /* for names in logs and in the store; empty: names as they are */
    int64_t retention;          /* nanoseconds: of what the store keeps about clients */
} IdentityConfig;

/* What an operator may do on the admin listener. */
typedef enum OperatorRole {
    ROLE_GUEST,   /* what everybody may: health, metrics, pages without names of people */
    ROLE_READ,    /* see everything */
    ROLE_OPERATE, /* change something */
} OperatorRole;

enum { TOKEN_HASH_SIZE = 32 /* SHA-256 */ };

/* Of a gateway with a supervisor; times in nanoseconds. */
typedef struct UpgradeConfig {
    int64_t prove; /* for a new process to answer */
    int64_t drain; /* for the calls of the old one */
    uint32_t restarts;
    int64_t steady, wait, longest_wait, hung;
} UpgradeConfig;

/* Responses for when calls fail: gateway/cache. */
typedef struct CacheConfig {
    size_t memory; /* bytes */
    uint32_t client_percent;
    uint32_t joined; /* calls of each loop that wait for an equal one */
} CacheConfig;

/* What is refused while a loop has more to do than it can: gateway/policy/shedding.h. Times in
   nanoseconds. */
typedef struct OverloadConfig {
    bool shed;
    int64_t delay, interval, calm, retry_after, pause;
} OverloadConfig;

/* Who may do more than a guest; has a certificate, a token or a password. */
typedef struct OperatorConfig {
    const char *name;
    OperatorRole role;
    const char
        *certificate; /* the name in it, of the kind of IdentityConfig.certificate; or NULL */
    bool has_token;
    uint8_t token_hash[TOKEN_HASH_SIZE];
    const PasswordHash *password; /* NULL: none */
} OperatorConfig;

/* How an RPC fails. */
typedef enum FailureMode { FAILURE_LOUD, FAILURE_GRACEFUL } FailureMode;

/* What stands in for the response of a failed call. */
typedef enum Fallback {
    FALLBACK_OLDER,   /* an instance of another version */
    FALLBACK_STALE,   /* a response that was kept: gateway/cache */
    FALLBACK_DEFAULT, /* of the config */
    FALLBACK_SKIP,    /* an empty success */
    FALLBACKS,
} Fallback;

/* Which responses are compressed, for clients that accept it. */
typedef enum CompressAnswers {
    COMPRESS_WEB,      /* those that the instance compressed, and REST and Connect unary */
    COMPRESS_INSTANCE, /* those that the instance compressed */
    COMPRESS_ALWAYS,
    COMPRESS_NEVER,
} CompressAnswers;

/* What keeps the calls of one key at one instance. */
typedef enum AffinityBy {
    AFFINITY_NONE,
    AFFINITY_HEADER,
    AFFINITY_FIELD,
    AFFINITY_CLIENT
} AffinityBy;
typedef struct Affinity {
    AffinityBy by;
    const char *name; /* of the request field, in lower case; path of the field of the message */
    float bound;      /* calls of an instance, as a multiple of the mean of all */
} Affinity;

/* Calls with a key are made once: gateway/idempotency. */
typedef struct KeyPolicy {
    bool required; /* a call without a key is refused */
    bool honoured; /* instances execute calls with the same key once, too */
    bool proceeds; /* while the store is down calls are made without any promise; else refused */
    int64_t keep;  /* nanoseconds, at least */
    size_t response_bytes;
    uint32_t key_bytes;
} KeyPolicy;

/* Policy for the methods that it matches; the most specific match wins. */
/* One entry of `response_fields`. */
typedef struct ShownField {
    const char *path;
    const char *const *versions; /* ends with NULL; NULL: all */
} ShownField;

/* What leaves the gateway of the responses of a route. */
typedef struct ShownFields {
    const ShownField *fields;
    uint32_t n;
    const char *const *details; /* full names of types; ends with NULL */
    const char *document;       /* "routes[0]": while the config is loaded */
    Bytes text;                 /* `response_fields` as JSON */
} ShownFields;

/* What becomes of parameters in queries that name no field of the request. */
typedef struct QueryRule {
    bool ignore;        /* all are dropped; else those of these names are, and others refused */
    char *const *names; /* so many */
    size_t n_names;
} QueryRule;

/* Conventions of other servers for REST clients. */
typedef struct RestStyle {
    bool alt;                /* the parameter $alt is read */
    bool update_masks;       /* they are derived from bodies */
    const char *status_from; /* metadata with the HTTP status of a success; in lower case; NULL:
                                none */
} RestStyle;

struct Route {
    const char *match; /* "orders", "orders.Orders/Get", or "/path/prefix" for opaque HTTP */
    Impact impact;
    int64_t timeout; /* of a unary call, over all attempts; NO_TIMEOUT */
    FailureMode on_failure;
    Fallback fallbacks[FALLBACKS]; /* GRACEFUL: in their order */
    uint32_t n_fallbacks;
    bool has_older;              /* FALLBACK_OLDER is one of them */
    bool writes;                 /* also of methods with side effects */
    bool stale_public;           /* responses are kept for clients that nothing tells apart */
    int64_t stale_for;           /* nanoseconds; 0: none are kept */
    int64_t join_for;            /* nanoseconds that a call waits for an equal one; 0: none does */
    const char *default_version; /* of the default response; by default the newest */
    Bytes leg_default;   /* of a leg's own fallbacks: the response, in protobuf; data NULL: the
                            method's */
    uint32_t attempts;   /* maximum, including the first; more than 1 only for idempotent methods or
                            if the request was certainly not processed */
    int64_t hedge_after; /* nanoseconds until a second attempt starts beside the first; 0: none */
    bool hedge_p95;      /* or: after the 95th percentile of what was measured */
    uint32_t
        hedge_percent; /* of a loop's running calls of the service: the most that may have one */
    int64_t initial_backoff, max_backoff; /* nanoseconds: before the first retry, and before any */
    UnknownFields unknown_fields;         /* of requests */
    UnknownFields unknown_answer_fields;  /* of responses */
    bool emit_defaults, emit_nulls, proto_names, enums_as_numbers; /* JSON responses */
    RestStream json_stream; /* of messages, for REST clients whose Accept does not decide */
    const RestStyle *rest;  /* conventions of other servers; NULL: none */
    const QueryRule *query; /* parameters that name no field; NULL: as unknown_fields */
    CompressAnswers compress_answers;
    ErrorStyle errors;
    const KeyPolicy *keys;      /* NULL: idempotency keys are passed on, and mean nothing here */
    const ShadowRules *shadow;  /* NULL: none of its calls are copied */
    Bytes parameters;           /* as JSON, as they are written; empty: none */
    AccessRules access;         /* who may call */
    const ShownFields *shown;   /* NULL: responses leave whole */
    Affinity affinity;          /* its own, or that of its service */
    char *const *log_fields;    /* of requests, which its lines of the log have: paths, ... */
    uint32_t n_log_fields;      /* so many */
    const MethodLimits *limits; /* of opaque HTTP; NULL: none */
    const Service *service;     /* of opaque HTTP: a service without versions, for the instances */
    const char *path_prefix;    /* opaque HTTP */
    Bytes loose_prefix;         /* the same, read loosely (http_path.h) */
    const char *file;
    int line;
    uint32_t series; /* telemetry's, for opaque calls */
    Bytes log_part;  /* telemetry's: its members in a log line */
};

/* Whether its clients may ask for enums as numbers, and do not have them anyway. */
static inline bool route_asks_for_numbers(const Route *route)
{
    return route->rest && route->rest->alt && !route->enums_as_numbers;
}

typedef enum UpstreamProtocol {
    UPSTREAM_GRPC,    /* HTTP/2 */
    UPSTREAM_CONNECT, /* HTTP/2 or HTTP/1.1 */
    UPSTREAM_GRPC_WEB,
    UPSTREAM_REST, /* HTTP/1.1, google.api.http */
    UPSTREAM_HTTP, /* opaque, HTTP/1.1 */
} UpstreamProtocol;

struct Instance {
    Address address;
    UpstreamProtocol protocol;
    Codec codec;             /* of its messages; by default proto */
    bool http2;              /* speaks HTTP/2 (gRPC always) */
    Compression compression; /* of messages sent to it */
    SSL_CTX *tls;            /* NULL: cleartext. Freed with the Config */
    const char *tls_name;    /* name to verify */
    const char *authority;
    bool authority_said; /* set in the config; else it is the address */
    uint64_t versions;   /* bit i: service->versions[i] is served natively */
    const char *build;   /* or "" */
    const char *cell;    /* or NULL: it is of every cell */
    bool far;            /* its cell is not the gateway's */
    uint32_t weight;     /* its share of the calls, in relation to the others; 0: as 1 */
    const Service *service;
    Bytes log_part;         /* telemetry's: its members in a log line */
    KnownInstance *known;   /* state shared by all loops; NULL until it is in a set */
    atomic_uint set_aside;  /* by what is said of its service: BAR_PINNED, BAR_WITHDRAWN */
    Bytes said;             /* if it is from a list outside of the config: its entry, as JSON */
    bool discovered;        /* after the config was read: it belongs to the sets that contain it, */
    atomic_uint references; /* which count it here; else it belongs to the config */
};

/* Plans for the details of errors, each a google.protobuf.Any. The JSON plans include the version's
   own types if it has REST clients, or instances; else only those of google.rpc. */
typedef struct Details {
    const Plan *to_json, *from_json;
    const Plan **to; /* [version index]: to details of that version; NULL: no conversion, or the
                        same version */
} Details;

/* A schema fetched by reflection. */
typedef struct ReflectedSchema {
    Instance instance; /* of no service. Its TLS is freed with the Config */
    const char *cache; /* the cache file, or NULL */
    Bytes set;         /* the FileDescriptorSet as fetched */
    Result stale;      /* if it has failed: why the instance could not be reached; the schema is the
                          cached one */
} ReflectedSchema;

typedef struct RetireState RetireState; /* gateway/version/retiring.h */

enum { BROWNOUT_WHOLE = 10000 /* a share of all clients */ };

/* Calls of some clients fail at this time. Wall time in nanoseconds. */
typedef struct Brownout {
    int64_t from, until;
    uint32_t share; /* of BROWNOUT_WHOLE */
} Brownout;

/* An old version that ends when nobody uses it any more. */
typedef struct Retiring {
    int64_t unused_for; /* nanoseconds */
    Brownout *brownouts;
    uint32_t n_brownouts;
    RetireState *state; /* gateway/usage's; outlives the config. NULL: nobody judges it */
} Retiring;

struct Version {
    const char *name; /* "v1" */
    uint32_t index;   /* in the service, oldest first */
    const Service *service;
    const Schema *schema;
    ReflectedSchema *reflected; /* NULL: the schema is a file's */
    const char *package;
    int64_t released;           /* wall time in nanoseconds, for dates in headers; 0: not said */
    int64_t deprecated, sunset; /* wall time in nanoseconds; 0: not */
    const char *successor_link; /* Link: <...>; rel="successor-version", or NULL */
    Retiring *retiring;         /* NULL: it ends at its sunset */
    Method *methods;
    uint32_t n_methods;
    bool composes;    /* its methods have no instances: see Composed */
    bool begins_jobs; /* definitions of jobs are written in it */
    const MappingSet *
        *to; /* [version index]: conversion of messages of this version to that one; NULL: none */
    Details details; /* of its errors */
    uint32_t series; /* telemetry's */
};

/* What few pairs have. The others share pair_no_extras. */
typedef struct PairExtras {
    const char *reason; /* of a pair without a target: why, for the client */
    uint32_t n_lossy;   /* fields that the pair may drop or narrow: fewest is preferred */
    /* [instance's codec]: to JSON with enums as numbers, for a route whose clients may ask for it
       and do not have it anyway; else NULL. */
    const Plan *numbers[CODEC_COUNT];
    /* [client's codec]: of a method with keys: to protobuf, for fingerprints. NULL: it is that. */
    const Plan *print[CODEC_COUNT];
} PairExtras;

extern const PairExtras pair_no_extras;

/* The counterpart of a method in another version. */
typedef struct MethodPair {
    const Method *target; /* NULL: no counterpart, or no change lists between */
    /* [client's codec][instance's codec] */
    const Plan *request[CODEC_COUNT][CODEC_COUNT];
    const Plan *response[CODEC_COUNT][CODEC_COUNT]; /* [instance's codec][client's codec] */
    const PairExtras *extras;                       /* never NULL */
} MethodPair;

/* What few methods have. The others share method_no_extras: a gateway has thousands. */
typedef struct MethodExtras {
    const FieldRules *rules;     /* what the route demands of requests; NULL: nothing */
    const Plan *to_rules;        /* then: from JSON to the protobuf that is checked */
    const FieldType *const *key; /* of a route with affinity by a field: its path, ending with NULL;
                                    NULL: requests have no such field */
    const Plan *to_key;          /* then: from JSON to the protobuf that has it */
    const FieldType *const
        *cohort_key; /* of a rollout whose clients a field tells apart: likewise */
    const Plan *to_cohort_key;
    const struct LogFields *log_fields; /* of requests, in the log; NULL: none */
    const AllowPaths *allow_paths;      /* NULL: no rule of its route is of fields */
    const struct FieldList *shown;      /* of its responses; NULL: all. Its plans heed it */
    const KeyPolicy *keys;   /* its route's, if its calls may have idempotency keys; else NULL */
    const Version *print_in; /* then: the newest version that has a counterpart */
    bool has_default;        /* graceful: the default response in this version, or the empty one */
    Maker maker;             /* of made_as */
    Bytes default_reply[CODEC_COUNT];
    /* The gateway makes the response itself, in that method's version: */
    const Method *made_as;      /* the same method in it, maybe this one; NULL: instances do */
    size_t made_bytes;          /* of that one: of a request, at most */
    const Composed *composed;   /* likewise: MAKER_COMPOSE */
    const JobMethod *job;       /* likewise: MAKER_JOB */
    const ShadowMethod *shadow; /* NULL: its calls are not copied */
    uint64_t contract; /* of a route with `stale`: hash of what its messages mean and look like:
                          Config.contracts, and its names */
    uint32_t delays;   /* its place among those of the service with Route.hedge_p95 */
} MethodExtras;

extern const MethodExtras method_no_extras;

struct Method {
    const Version *version;
    const MethodType *type;
    const Route *route;
    Method
        *next_same_path; /* the same RPC path in another version of the service (shared package) */
    MethodPair *pairs;   /* [version index]; the own version's is the identity */
    /* The versions in which it may be served, best first: its own, then those with the fewest lossy
       fields, newer ones first. */
    const Version *const *preferred;
    RestBinding *bindings;
    uint32_t n_preferred, n_bindings;
    const MethodExtras *extras;       /* never NULL */
    MethodLimits *limits;             /* that calls in this version meet; NULL: none */
    const struct UsageFields *fields; /* gateway/usage's; NULL: those of requests are not counted */
    uint32_t id;                      /* in the Config, for counters */
    uint32_t series;                  /* telemetry's */
    uint32_t use;                     /* gateway/usage's; 0: it is not counted */
    /* In all versions that may serve it: */
    bool takes_get;      /* NO_SIDE_EFFECTS: Connect's GET */
    bool safe;           /* NO_SIDE_EFFECTS, or a rule of GET */
    bool safe_to_repeat; /* that, or IDEMPOTENT */
    bool demands_differ; /* a request with its path may be for another method in the end, by its
                            version, whose route demands other credentials */
};

/* Whether the gateway makes all of its responses itself, and never asks an instance. */
static inline bool method_is_made(const Method *method)
{
    const Method *made = method->extras->made_as;
    return made && (!made->extras->job || made->extras->job->use == JOB_BEGINS);
}

enum { LEGS_MOST = 64 /* bits of Leg.needs */ };

/* One call of a composed method. Sources of an envelope (adapters/place): the request, then the
   responses of the legs, in their order. */
typedef struct Leg {
    const char *name;
    const Method *method;       /* in the version in which it is called */
    const Route *route;         /* its method's, with what the leg says */
    uint64_t needs;             /* bit i: its request has fields of the response of leg i */
    bool needs_request;         /* or of the request */
    const Plan *request;        /* an envelope to its request */
    const Plan *response;       /* an envelope with its response to a part of the composed one */
    const char *const *forward; /* names in lower case, ending with NULL */
    bool required;              /* graceful: without a response of it or a fallback there is none */
} Leg;

/* Of what the response of a method is made. Fields of the report: NULL: its message has none. */
typedef struct Composed {
    const Leg *legs;
    uint32_t n_legs, fan_out;
    size_t bytes;            /* of the request and all responses */
    const FieldType *report; /* NULL: none */
    const FieldType *report_name, *report_state, *report_reason, *report_code, *report_milliseconds,
        *report_age;
} Composed;

/* A bit for each of its legs. */
static inline uint64_t composed_all_legs(const Composed *composed)
{
    return composed->n_legs ? UINT64_MAX >> (LEGS_MOST - composed->n_legs) : 0;
}

/* One google.api.http rule of one method: the value in the RestTable. */
struct RestBinding {
    const Method *method;
    const HttpRule *rule;
    const RestTemplate *template;
    bool raw_request, raw_answer; /* the body is the data of a google.api.HttpBody: http_body.h */
    bool demands_differ; /* the routes of its method and of those in `next` demand different
                            credentials */
    const Bytes
        *variables; /* field paths, in order: versions may share a template with other fields */
    size_t n_variables;
    const FieldType *mask; /* of requests: derived from the body where it is left out; NULL: none */
    /* Plans for responses of one field only (response_body), per served version; NULL entries: the
       method's plan */
    const Plan **response_body[CODEC_COUNT]; /* [instance's codec][version index] */
    const Plan **number_body[CODEC_COUNT]; /* likewise, with enums as numbers: MethodPair.numbers */
    Bytes default_body; /* graceful, with response_body: the field's value as JSON; data NULL: the
                           method's default */
    const RestBinding *next;      /* the same requests in another version */
    const RestBinding *hidden_by; /* another binding matches the same requests in the same version
                                     and takes precedence; or NULL */
};

/* The rules that determine a version, in their default order. */
typedef enum VersionRule {
    RULE_PATH,       /* the RPC path's package */
    RULE_PREFIX,     /* the URL of a REST call: /v2/... */
    RULE_HEADER,     /* API-Version */
    RULE_MEDIA_TYPE, /* Accept and Content-Type */
    RULE_PIN,        /* the client's identity */
    RULE_DEFAULT,
    RULE_COUNT,
} VersionRule;

/* A status code that a service defines itself, and its HTTP status. */
typedef struct StatusCode {
    uint32_t code;
    uint16_t http_status;
} StatusCode;

/* A name in DNS whose records are instances. */
typedef struct DiscoveredName {
    const char *text; /* as in the config */
    const char *name; /* the full name that is asked for */
    uint16_t port;    /* of its addresses (A, AAAA); 0: they are in SRV records */
    Bytes members;    /* of each of its instances, as JSON: `,"versions":["v3"]`; or empty */
    bool weighted;    /* `members` has a weight: that of SRV records does not count */
} DiscoveredName;

/* The etcd that lists instances. */
typedef struct EtcdSource {
    Instance *endpoints; /* of no service. Their TLS is freed with the Config */
    uint32_t n_endpoints;
    const char *prefix;
    const char *user;     /* NULL: without authentication */
    const char *password; /* from the password_file */
    int64_t silence;      /* after it, etcd is asked whether it is there */
} EtcdSource;

typedef enum DiscoveryKind {
    DISCOVERY_FILE,
    DISCOVERY_FOLDER,
    DISCOVERY_DNS,
    DISCOVERY_ETCD
} DiscoveryKind;

/* Where a service's instances are listed, outside of the config. Times in nanoseconds. */
typedef struct Discovery {
    DiscoveryKind kind;
    const char *place;     /* "file list.yaml", for messages; the same for the same list */
    const char *path;      /* of the file or folder */
    DiscoveredName *names; /* in DNS */
    uint32_t n_names;
    EtcdSource *etcd; /* NULL: another kind */
    const char *base; /* the config's file: names of files in DNS and etcd are relative to it */
    int64_t every, empty_after;
    int64_t timeout; /* of one answer, of DNS or etcd */
} Discovery;

/* What of a service's calls leaves the gateway's cell: spill.h. */
typedef struct CellPolicy {
    const char *own;         /* NULL: the gateway has no cell */
    uint32_t healthy, spill; /* per cent */
} CellPolicy;

/* Retries that the instances of a service may get. */
typedef struct RetryAllowance {
    uint32_t percent;  /* of its calls */
    uint32_t at_least; /* in a second, of all loops: */
    uint32_t n_loops;
} RetryAllowance;

/* When an instance is not used for a while because its calls fail or take long: ejection.h. 0 in
   one of the first three: not by that. Times in nanoseconds. */
typedef struct EjectRules {
    bool off;
    uint32_t consecutive;     /* failures in a row */
    uint32_t failure_percent; /* so many points more than the others */
    uint32_t slower;          /* so many times the time of the others, */
    int64_t slower_by;        /* and at least so much more */
    uint32_t min_calls;       /* of it, and of the others, for a comparison */
    uint32_t max_percent;     /* of the instances; if more are out, all are used */
    int64_t first, most;      /* how long, at first and in the end */
} EjectRules;

typedef enum CheckKind { CHECK_NONE, CHECK_GRPC, CHECK_HTTP, CHECK_TCP } CheckKind;

enum { CHECK_NAME_MOST = 256 }; /* bytes of CheckRules.service */

/* Active checks of each instance. Times in nanoseconds. */
typedef struct CheckRules {
    CheckKind kind;
    const char *service; /* CHECK_GRPC: the name to ask for */
    const char *path;    /* CHECK_HTTP, and the statuses that are good; none: 200 to 299 */
    const uint32_t *statuses;
    size_t n_statuses;
    int64_t every, timeout;
    uint32_t unhealthy_after, healthy_after; /* results in a row */
} CheckRules;

/* When calls of a service fail at once: gateway/policy/breaker.h. Times in nanoseconds. */
typedef struct BreakerConfig {
    uint32_t percent, calls; /* that fail, of at least so many, opens it */
    int64_t window, open;
    uint32_t probes;
} BreakerConfig;

/* How many calls of a service a loop has in flight. */
typedef struct ConcurrencyConfig {
    uint32_t calls, waiting; /* calls: UINT32_MAX: no limit */
    int64_t wait;            /* nanoseconds */
    bool adaptive;           /* gateway/policy/gradient.h */
    uint32_t least;          /* then */
    int64_t start;           /* nanoseconds: a stream has a place for about so long */
    uint32_t client_percent; /* of the limit, for one client while there are several; 100: all */
} ConcurrencyConfig;

enum { SERVICE_VERSIONS_MOST = 64 /* bits of Instance.versions */ };

struct Service {
    const char *name;
    Version *versions; /* oldest first, at most SERVICE_VERSIONS_MOST */
    uint32_t index;
    uint32_t n_versions;
    uint32_t n_instances;
    bool counts_fields;         /* of requests: UsageFields */
    bool unlisted;              /* the catalog does not have it */
    Instance *instances;        /* those read with the config */
    const Discovery *discovery; /* NULL: they are in the config */
    InstanceSet *set;           /* the current ones: instance_set_of. NULL until instances_adopt */
    VersionRule rules[RULE_COUNT];
    uint32_t n_rules;
    const char *version_header; /* lower case: "api-version" */
    const Version *default_version;
    bool first_on_conflict; /* if a request has contradicting versions, the first rule decides */
    const Table *pins;      /* client identity -> Version */
    const StatusCode *status_codes; /* in the config's order */
    uint32_t n_status_codes;
    const char *const *mixins; /* RPC services of other packages that every version has, too */
    uint32_t n_mixins;
    const ChangeList *const *changes; /* [i]: between versions i and i + 1; NULL: no conversion */
    double objectives[IMPACTS];       /* percent of the calls that must not fail; below 100 */
    RetryAllowance retries;
    CellPolicy cells;
    const RolloutDefinition *rollout; /* NULL: none */
    Affinity affinity;                /* of routes without their own */
    bool has_affinity;                /* it, or one of its routes */
    bool no_baggage;                  /* its requests have none */
    uint32_t warm;                    /* connections that each loop keeps ready to each instance */
    CheckRules check;
    EjectRules eject;
    int64_t slow_start;   /* of an instance that is new or back; 0: none */
    atomic_bool all_used; /* too many instances fail: none is out for it. The judge says so */
    const BreakerConfig *breaker;         /* NULL: none */
    const ConcurrencyConfig *concurrency; /* NULL: no limit */
    uint32_t n_delays;                    /* methods with Route.hedge_p95 */
    uint32_t series;                      /* telemetry's */
};

/* Whether its instances are listed in a network, so that whoever only reads the config does not
   know them. */
static inline bool service_is_listed_afar(const Service *service)
{
    const Discovery *discovery = service->discovery;
    return discovery && (discovery->kind == DISCOVERY_DNS || discovery->kind == DISCOVERY_ETCD);
}

/* Pages of other origins that may call; no origins: none. */
typedef struct Cors {
    const char *const
        *origins; /* "https://panel.example"; a star in it matches labels; alone it matches all */
    uint32_t n_origins;
    bool credentials;
    const char *verbs;        /* of bindings, beyond the usual ones: ", PURGE"; or "" */
    bool any_verb;            /* some binding or path prefix accepts all verbs */
    uint32_t max_age_seconds; /* how long a browser may cache a preflight */
} Cors;

/* How operators may look into the process. */
typedef struct ProfilesConfig {
    int64_t longest; /* nanoseconds */
    bool heap;       /* allocations are sampled */
} ProfilesConfig;

/* What the process gives up when its sockets are open. */
typedef struct SandboxConfig {
    bool on;
    const char *user, *group; /* NULL: as it was started; the user's own */
    bool root;                /* that user is root */
} SandboxConfig;

/* A file or folder that was read for the config, and will be again. */
typedef struct ConfigSource {
    const char *file;
    struct ConfigSource *next;
} ConfigSource;

/* A text that the config is written in: its file, and those that are included. */
typedef struct ConfigText {
    const char *file;
    Bytes text;
    const struct ConfigText *by; /* the text that includes it; NULL: it is the config's file */
    dev_t device;                /* which file it was; 0: none */
    ino_t inode;
    struct ConfigText *next;
} ConfigText;

/* A file with a key, a token or a password, or with what shows which ones are good. */
typedef struct SecretFile {
    const char *path, *file; /* "listen[0].tls.key", "server.key" */
    bool shown;              /* others may read it, but not write in it */
    struct SecretFile *next;
} SecretFile;

struct Config {
    atomic_uint references;
    uint64_t generation;
    Arena *arena;
    Arena *lists;    /* change lists for `prove`; NULL: freed */
    Arena *programs; /* of the plans, compiled when they are first needed: see plan_compile.h */
    const char *file;
    const ConfigText *texts;     /* its file, then those that are included */
    char hash[CONFIG_HASH_SIZE]; /* of the text and of the change lists and schemas that it names:
                                    equal on gateways that do the same */
    Problems doubts;             /* mistakes that `check` refuses and a running gateway only logs */
    Problems deprecated;         /* keys that a later release does not read */
    Problems hidden;             /* REST rules that another method of the same version has taken */
    Limits limits;
    DnsConfig dns;
    StoreConfig store;
    LedgerConfig ledger;
    UsageConfig usage;
    SignalsConfig signals;
    FeedbackConfig feedback;
    TracingConfig tracing;
    OtlpConfig otlp;
    BaggageConfig baggage;
    CacheConfig cache;
    HealingLimit healing[HEALING_ACTS];
    double objectives[IMPACTS]; /* of services that say nothing else */
    OverloadConfig overload;
    RateLimit *rate_limits; /* of all calls, then of services, then of routes */
    uint32_t n_rate_limits;
    LimitRoom limit_room;
    uint64_t contracts;      /* hash of the schemas and change lists: what messages mean */
    Descriptors descriptors; /* those of the hard limit when it was loaded; zeros until then */
    bool connections_said;   /* limits.connections is in the config; else it is the default */
    ListenerConfig *listeners;
    uint32_t n_listeners;
    Address admin;                  /* host and path NULL: none */
    const char *admin_place;        /* "gateway.yaml:4:8", where it is written; NULL: nowhere */
    const char *const *admin_hosts; /* additional host names that it accepts: admin_host.h */
    uint32_t n_admin_hosts;
    Address admin_socket;                    /* another one, a unix socket; path NULL: none */
    const char *admin_socket_place;          /* likewise */
    bool admin_socket_said;                  /* else it is the default, and may be missing */
    const SocketRights *admin_socket_rights; /* NULL: it is for the gateway's user alone */
    SSL_CTX *admin_tls;                      /* NULL: cleartext. Freed with the Config */
    OperatorConfig *operators;
    uint32_t n_operators;
    uint32_t admin_refused_events; /* in a minute */
    uint32_t admin_live_readers;   /* at once, of each listener */
    ProfilesConfig profiles;
    int64_t admin_password_time;       /* nanoseconds for which a right password is remembered */
    RateLimit *admin_failures;         /* wrong passwords, by address; NULL: they are not counted */
    const MethodLimits *admin_guesses; /* then: that, as calls meet it */
    const char *cell;                  /* of this gateway; NULL: none */
    uint32_t n_loops;                  /* 0: one per core */
    uint32_t n_work_threads;           /* of the work pool; 0: one per core */
    int64_t watch_every; /* nanoseconds: files of certificates that are renewed by themselves */
    int64_t drain_delay; /* at shutdown: from the first signal on, while it still serves */
    int64_t drain_time;  /* then: for running calls */
    UpgradeConfig upgrade;
    SandboxConfig sandbox;
    ConfigSource *sources; /* the config itself is the last one */
    SecretFile *secrets;   /* all that it names, in the order in which they were read */
    LogConfig log;
    Cors cors;
    bool method_override; /* X-HTTP-Method-Override */
    bool grpc_metadata;   /* Grpc-Metadata-NAME */
    bool untyped_json; /* bodies without a content-type are read as JSON; else they are refused */
    ErrorStyle errors; /* nothing of it is UNSAID */
    const char *error_help; /* URL; "{reason}" in it becomes the fault's name; or NULL */
    IdentityConfig identity;
    AccessConfig access;
    const char *node;         /* name of this gateway in request ids and logs */
    const Schema *own_schema; /* of the built-in services */
    bool no_reflection;
    CatalogConfig *catalog; /* NULL: none */
    Service *services;
    uint32_t n_services;
    Route *routes;
    uint32_t n_routes;
    Table methods;            /* "/pkg.Service/Method" -> Method */
    RestTable *rest;          /* -> RestBinding */
    const Route *http_routes; /* opaque ones, longest prefix first */
    uint32_t n_http_routes;
    uint32_t n_methods;
    const JobDefinition *jobs; /* in the order of the config */
    uint32_t n_jobs;
    const RolloutDefinition *rollouts; /* likewise; each of another service: Service.rollout */
    uint32_t n_rollouts;
    const char *rollouts_file; /* of a gateway without a store */
    JobWebhookConfig *job_webhooks;
    uint32_t n_job_webhooks;
    Details details; /* of errors that belong to no version */
    /* The losses of all MappingSets, for counting; Loss.index is the index in this array. */
    const Loss **losses;
    uint32_t n_losses;
    atomic_ullong *loss_counts; /* [loss], relaxed */
    /* Releases what upper modules have filled in; NULL: nothing. Called with the last reference, on
       its thread. */
    void (*let_go)(Config *config);
};

/* "older", "stale", "default", "skip". */
const char *fallback_name(Fallback fallback);

/* Its own extras, to be filled in while the config is made. */
MethodExtras *method_extras(Arena *arena, Method *method);
PairExtras *pair_extras(Arena *arena, MethodPair *pair);

/* Fills in `preferred` from the method's pairs. */
void method_prefer(Arena *arena, Method *method);

/* The service with this name. NULL: there is none. */
const Service *config_service(const Config *config, const char *name);

/* The version of exactly this name. NULL: there is none. */
const Version *service_version(const Service *service, Bytes name);

/* "v1, v2, v3", in the arena. */
const char *service_version_names(const Service *service, Arena *arena);

/* The listener of this address as written, or NULL; `config` may be NULL. */
const ListenerConfig *config_listener(const Config *config, const char *address);

/* Is this an RPC service of the version: of its package, or a mixin? `type` is of its schema. */
bool version_serves(const Version *version, const ServiceType *type);
bool version_mixes_in(const Version *version, const ServiceType *type);

/* Whether errors include causes and instances. The route's setting takes precedence over the
   listener's, and that over the config's. `listener` is an address, which a newer config may not
   have any more; `route` may be NULL. */
bool config_errors_full(const Config *config, const char *listener, const Route *route);

/* Whether errors have the shape of Google's for a REST client of this listener. `route` may be
   NULL. */
bool config_errors_google(const Config *config, const char *listener, const Route *route);

/*
 * Calls `see` for each certificate that the gateway shows: those of listeners, of the admin
 * listener and towards instances, with their chains; and for the first revocation list there that
 * ends. `where` ("listener 127.0.0.1:443") is in `arena`; `what` is static; times are wall time in
 * nanoseconds.
 */
typedef void CertificateSeen(void *owner, const char *where, const char *what, int64_t begin,
                             int64_t end);
void config_certificates(const Config *config, Arena *arena, CertificateSeen *see, void *owner);

/* Calls `see` for each context whose certificates are renewed by themselves (renewal.h): a
   listener, the admin, an instance. */
typedef struct Renewal Renewal;
typedef void RenewalSeen(void *owner, const char *where, Renewal *renewal);
void config_renewals(const Config *config, Arena *arena, RenewalSeen *see, void *owner);

/* Calls `see` for each such file that other users may use; `text`: which, how, and what to do. */
typedef void SecretSeen(void *owner, const char *text);
void config_open_secrets(const Config *config, SecretSeen *see, void *owner);

/*
 * Adds those of the files that a reload reads again which this process may not read with its rights
 * of now, and why: "/etc/server.key (of root, mode 600), ...". False: it may read all of them.
 */
bool config_unreadable(const Config *config, Buffer *out);

/* Whether there are fewer file descriptors than limits.connections needs; then adds a warning, one
   line without newline. */
bool config_few_descriptors(const Config *config, Buffer *out);

/* The HTTP status that the config assigns to a status code of the service; 0: none. */
uint16_t service_http_status(const Service *service, uint32_t service_code);

/* Frees the change lists that only `prove` needs. Before any other thread has the config. */
void config_forget_lists(Config *config);

Config *config_ref(Config *config);
void config_unref(Config *config); /* the last one frees; any thread */

#endif
