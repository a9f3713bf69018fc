/*
 * Access: whether a client may make a call. Pure: it knows the identity, the rules and the version.
 */
#ifndef GATEWAY_ACCESS_H
#define GATEWAY_ACCESS_H

#include "gateway/identity/identity.h"

/* Whether clients must prove who they are: what the route says, else the listener, else the config.
   `rules` may be NULL: no route is known. */
Authenticate access_authenticate(const AccessConfig *config, const ListenerConfig *listener,
                                 const AccessRules *rules);

/* The methods by which clients may prove it: likewise. Ends with NULL. */
CredentialList access_credentials(const AccessConfig *config, const ListenerConfig *listener,
                                  const AccessRules *rules);

/* The policy server that is asked about the call: likewise. NULL: none. */
const PolicyServer *access_policy_server(const AccessConfig *config, const ListenerConfig *listener,
                                         const AccessRules *rules);

/* Whether a route without rules is for everybody: the config says so, or the route itself, by not
   wanting to know who calls. */
bool access_is_open(const AccessConfig *config, const AccessRules *rules);

/* Whether one of the rules holds; without rules, access_is_open. `version`: the client's, or
   NULL where there are none (path prefixes): rules that name a version do not hold then. Rules of
   fields count as if the request had them: access_allows_request decides. */
bool access_allows(const AccessConfig *config, const AccessRules *rules, const Identity *identity,
                   const char *version);

/* The same, remembered with a client that is known. `identity` is of one loop, and of `config`. */
bool access_allows_call(const AccessConfig *config, const AccessRules *rules,
                        const Identity *identity, const char *version);

/* Whether one holds for this request, in protobuf of the method's version. Empty: there is none to
   look at, and no rule of fields holds. The method has a route. */
bool access_allows_request(const Config *config, const Method *method, const Identity *identity,
                           Bytes request);

/* Whether the request has the value of the rule in the field at `path`, which ends with NULL. Where
   the field, or a message that it is in, is there several times, each must have it: readers differ
   in which one counts. Likewise nothing else of its oneof may be there. */
bool access_field_holds(const AllowField *field, const FieldType *const *path, Bytes request,
                        const Identity *identity);

/* Whether the client may call the method, which has a route, with some request: what reflection
 * shows. */
bool access_allows_method(const Config *config, const Method *method, const Identity *identity);

/* Whether one of them could hold, in some version, for a client that is as well known as it must
 * be. */
bool access_allows_some(const AccessConfig *config, const AccessRules *rules,
                        const Identity *identity);

/*
 * Whether a call that the gateway makes for the client is one that the client may make: a leg, a
 * job's step. `method` has a route, and `request` is in protobuf of its version. Faults:
 * NOT_ALLOWED; CREDENTIALS_MISSING: it is for clients who have proved who they are.
 */
MUST_USE Result access_check(const Config *config, const Method *method, const Identity *identity,
                             Bytes request, Arena *arena);

/* Whether there is anything that the client may not call. */
bool access_hides_some(const Config *config, const Identity *identity);

/* The WWW-Authenticate of a 401: the schemes of the methods (RFC 9110, section 11.6.1).
   `bad_token`: the request has a token, which is why (RFC 6750, section 3.1). A literal. */
const char *access_challenge(CredentialList methods, bool bad_token);

/* Whether the name is the pattern's; "*" at its end stands for any text. */
bool access_matches(const char *pattern, Bytes name);

/* Whether the word is among those of a claim, between spaces. */
bool access_has_word(Bytes value, const char *word);

#endif
