/*
 * What the config says of who may call: read-only, in the Config's arena. Read by config_access.c;
 * decided by gateway/access.
 */
#ifndef GATEWAY_ACCESS_CONFIG_H
#define GATEWAY_ACCESS_CONFIG_H

#include "gateway/config/limit_config.h"
#include "gateway/config/policy_server.h"
#include "gateway/tls/certificate_names.h"
#include "gateway/token/key_source.h"
#include "gateway/token/token.h"

typedef struct FieldType FieldType;
typedef struct Plan Plan;

typedef enum CredentialKind {
    CREDENTIAL_TOKEN,
    CREDENTIAL_API_KEY,
    CREDENTIAL_CERTIFICATE,
} CredentialKind;

/* A claim's name for rules and logs, and the path in the token that has its value. */
typedef struct ClaimPath {
    const char *name, *path;
} ClaimPath;

enum { CREDENTIALS_MOST = 16, CLAIMS_MOST = 32 };

/* One kind of proof, and what follows from it. */
typedef struct CredentialConfig {
    CredentialKind kind;
    const char *name; /* NULL: it has none */
    Bytes header;     /* the request field that has it, in lower case; empty: a certificate */
    uint32_t field;   /* a bit, the same of all with that header; 0: a certificate */
    bool bearer;      /* behind "Bearer " (RFC 6750, section 2.1) */
    bool forward;     /* instances get it, too */
    int64_t renew;    /* nanoseconds after which calls end, as if it had; 0: no such limit */
    /* CREDENTIAL_TOKEN: */
    TokenRules rules;
    const char *client, *tenant, *class; /* paths in its claims; NULL: none */
    const ClaimPath *claims;
    uint32_t n_claims;
    /* Of both: */
    KeySource *source; /* the config's count */
    /* CREDENTIAL_CERTIFICATE, whose tenant and class are texts: */
    CertificateName of;
    const char *const *names; /* patterns, as in an AllowRule */
} CredentialConfig;

/* In the order in which they are tried; ends with NULL. */
typedef const CredentialConfig *const *CredentialList;

typedef enum Authenticate {
    AUTHENTICATE_UNSAID,
    AUTHENTICATE_NONE,     /* credentials are not looked at: the service does that, or nobody */
    AUTHENTICATE_OPTIONAL, /* those that are there must be good */
    AUTHENTICATE_REQUIRED,
} Authenticate;

typedef struct ClaimRule {
    const char *name, *word; /* which is among the claim's words */
} ClaimRule;

/* Whose value a field of the request must have. */
typedef enum AllowValue {
    ALLOW_TEXT, /* the rule's */
    ALLOW_CLIENT,
    ALLOW_TENANT,
    ALLOW_CLASS,
    ALLOW_CLAIM, /* one of the words of a claim */
} AllowValue;

typedef struct AllowField {
    const char *path; /* in the request of the client's version */
    AllowValue value;
    const char *text;     /* ALLOW_TEXT: a pattern; ALLOW_CLAIM: the claim's name */
    const char *said;     /* as the config has it */
    const char *document; /* where: while the config is loaded */
} AllowField;

/* Where the requests of a method have the fields that rules of its route name. */
typedef struct AllowPaths {
    const FieldType *const *const *paths; /* of each field of all rules, in their order; each ends
                                             with NULL; NULL: requests have no such field */
    const Plan *to_proto; /* from JSON; strict: it refuses what another reader could take for one of
                             the fields */
} AllowPaths;

/* All that it names must hold. Lists end with NULL, and "*" at the end of an entry stands for any
   text; NULL: anything. */
typedef struct AllowRule {
    const char *const *clients, *const *tenants, *const *classes, *const *versions;
    const ClaimRule *claims;
    uint32_t n_claims;
    const AllowField *fields;
    uint32_t n_fields;
    const char *const *by; /* kinds of proof (identity_how), or names of methods */
} AllowRule;

/* Of a route. */
typedef struct AccessRules {
    Authenticate authenticate;  /* UNSAID: as the listener */
    CredentialList credentials; /* NULL: those of the listener */
    const AllowRule *allow;     /* one of them must hold */
    uint32_t n_allow;           /* 0: as the next wider route, or AccessConfig.deny */
    PolicyUse policy;           /* who is asked besides */
    const PolicyContext *context;
    uint32_t n_context; /* 0: as the next wider route */
} AccessRules;

typedef struct AccessConfig {
    CredentialConfig *credentials;
    uint32_t n_credentials;
    uint64_t name_sizes; /* access_size_bit of each name of a field with credentials */
    CredentialList all;
    bool by_certificate;       /* one of them is a certificate: others prove nothing */
    Authenticate authenticate; /* of listeners that say nothing; never UNSAID */
    bool deny;                 /* calls of routes without rules are refused */
    bool deny_said;            /* the config says what becomes of them */
    bool has_rules;            /* some call may be refused to somebody */
    PolicyServer *policy_servers;
    uint32_t n_policy_servers;
    PolicyUse policy;            /* of routes and listeners that say nothing */
    RateLimit *failures;         /* of credentials, by address; NULL: they are not counted */
    const MethodLimits *guesses; /* then: that, as calls meet it */
    int64_t cache_time;     /* nanoseconds for which a proof that was seen is not checked again */
    uint32_t cache_entries; /* on each loop */
    uint32_t key_unused;    /* seconds after which an API key that nobody uses is told */
} AccessConfig;

/* One of 64, by which most names of fields are told from those that may have credentials. */
static inline uint64_t access_size_bit(size_t name_size)
{
    return UINT64_C(1) << (name_size & 63);
}

#endif
