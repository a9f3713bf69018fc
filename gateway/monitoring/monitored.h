/* Monitored: what of a config can go wrong: only that gets alerts and panels. */
#ifndef GATEWAY_MONITORED_H
#define GATEWAY_MONITORED_H

#include "gateway/config/config.h"

typedef enum Monitorable {
    WITH_SERVICES = 1 << 0,
    WITH_LOSSES = 1 << 1,   /* some conversion can lose a field */
    WITH_VERSIONS = 1 << 2, /* some service has more than one */
    WITH_REFLECTION = 1 << 3,
    WITH_CERTIFICATES = 1 << 4,
    WITH_ROLLOUTS = 1 << 5,
    WITH_JOBS = 1 << 6,
    WITH_JOB_WEBHOOKS = 1 << 7,
    WITH_STORE = 1 << 8,
    WITH_DISCOVERY = 1 << 9,
    WITH_KEYS = 1 << 10, /* that check credentials */
    WITH_WEBHOOKS = 1 << 11,
    WITH_RETIRING = 1 << 12,
    WITH_LIMITS = 1 << 13,
    WITH_IDEMPOTENCY = 1 << 14,
    WITH_SANDBOX = 1 << 15,
    WITH_USAGE = 1 << 16,
    WITH_POLICY = 1 << 17, /* a policy server */
    WITH_OTLP = 1 << 18,
} Monitorable;

/* The bits of what the config has. */
uint32_t monitored_of(const Config *config);

/* Whether a service has routes of this impact; or, with NULL, any service. */
bool monitored_impact(const Config *config, const Service *service, Impact impact);

/* Whether failures of it page somebody; or, with NULL, those of any service. */
bool monitored_pages(const Config *config, const Service *service);

#endif
