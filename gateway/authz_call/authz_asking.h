/*
 * AuthzAsking: one call of envoy.service.auth.v3.Authorization/Check: the caller of its exchange
 * (gateway/call/caller.h), which chooses an instance of the policy server, retries, and keeps to
 * its breaker and deadline as with any other service.
 *
 * It ends in a timer of the turn in which the exchange ends, so that no call ends in the event of
 * another one. It owns itself until then, or until it is dropped. One loop, its thread only.
 */
#ifndef GATEWAY_AUTHZ_ASKING_H
#define GATEWAY_AUTHZ_ASKING_H

#include "gateway/authz/authz_port.h"

extern const AuthzPort authz_asking_port;

#endif
