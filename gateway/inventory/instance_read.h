/*
 * What a config says of the instances of a service, or of where they are listed: for config_load.
 * Each reports the mistakes that it finds; values with a mistake are left out.
 */
#ifndef GATEWAY_INSTANCE_READ_H
#define GATEWAY_INSTANCE_READ_H

#include "gateway/settings/settings.h"

/* instance_reach.c: reports a doubt if an instance's address is one of the gateway's listeners.
   After config_read_listeners. */
void config_doubt_loop(ConfigReader *reader, const Address *instance, const char *path);

/* One of no service, which speaks gRPC: for a schema, or for telemetry. */
typedef struct PeerText {
    const char *address, *authority; /* NULL: not said */
    const Passerelle__Config__InstanceTls *tls;
} PeerText;

/* False: a mistake, which was reported. */
bool config_read_peer(ConfigReader *reader, const PeerText *text, const char *path,
                      Instance *instance);

/* otlp_read.c: reads Config.otlp and Config.tracing. */
void config_read_otlp(ConfigReader *reader);

/* Those of a service, once it has its versions. */
void config_read_instances(ConfigReader *reader, Service *service,
                           Passerelle__Config__Instance *const *texts, size_t n, const char *path);

/* One instance. Opaque: of a path that is passed through. */
void config_read_instance(ConfigReader *reader, const Service *service, bool opaque,
                          const Passerelle__Config__Instance *text, const char *path,
                          Instance *instance);

/* instance_discovery.c: a list outside of the config; mistakes in it are doubts. After the
 * versions.
 */
void config_read_discovery(ConfigReader *reader, Service *service,
                           const Passerelle__Config__Discovery *text, const char *path);

/* instance_health.c: the checks and the ejection of a service; `text` may be NULL. After the
 * instances. */
void config_read_health(ConfigReader *reader, Service *service,
                        const Passerelle__Config__Health *text, const char *path);

/* instance_guards.c: Service.breaker and Service.concurrency; both may be NULL. */
void config_read_guards(ConfigReader *reader, Service *service,
                        const Passerelle__Config__Breaker *breaker,
                        const Passerelle__Config__Concurrency *concurrency, const char *path);

#endif
