/*
 * What of a config belongs to no service: listeners, the admin address, identities, the store, and
 * the like. Each file reads its part of the ConfigFile into the Config, and reports mistakes in it;
 * gateway/service/config_load.c says in which order.
 */
#ifndef GATEWAY_SETTINGS_H
#define GATEWAY_SETTINGS_H

#include "gateway/config/config_reader.h"

/* An address to listen on or to connect to (then the port must not be 0). False: a mistake, which
   was reported. */
bool config_address(ConfigReader *reader, const char *text, bool listening, const char *path,
                    Address *address_out);

/* Whether it is a valid entry of a list of host names: a name, "*." and a name, or "*". */
bool config_is_host_pattern(Bytes host);

/* Reports a failure of tls_context.h, at the key under `path` that it names. */
void config_tell_tls(ConfigReader *reader, Result r, const char *path);

/* config_process.c: reads what belongs to the process as a whole; Config.cache; Config.usage;
   Config.overload; and Config.cors, without the verbs of bindings. */
void config_read_process(ConfigReader *reader);

/* config_rights.c: who may connect to a unix socket, as the file has it; each may be NULL. */
typedef struct RightsText {
    const char *mode, *owner, *group;
} RightsText;

/* NULL: nothing is said. Mistakes are reported at the keys under `path`. */
const SocketRights *config_socket_rights(ConfigReader *reader, const RightsText *text,
                                         const Address *address, const char *path);

/* Reads Config.baggage. */
void config_read_baggage(ConfigReader *reader);
void config_read_cache(ConfigReader *reader);
void config_read_usage(ConfigReader *reader);
void config_read_overload(ConfigReader *reader);
void config_read_cors(ConfigReader *reader);

/* config_store.c: reads Config.store. */
void config_read_store(ConfigReader *reader);

/* config_rates.c: reads Config.rate_limits, once services and routes are known; then gives methods,
   which have their routes, and path prefixes the limits that they meet. */
void config_read_rate_limits(ConfigReader *reader);
/* AccessConfig.failures, and Config.admin_failures; after credentials and operators. */
void config_read_failures(ConfigReader *reader);
void config_assign_rate_limits(ConfigReader *reader);

/* config_healing.c: reads Config.healing. */
void config_read_healing(ConfigReader *reader);

/* config_objectives.c: reads Config.objectives. */
void config_read_all_objectives(ConfigReader *reader);
/* Those that are said at `path` replace what is in `objectives`; `text` may be NULL. */
void config_read_objectives(ConfigReader *reader, const Passerelle__Config__Objectives *text,
                            const char *path, double objectives[IMPACTS]);

/* config_ledger.c: reads Config.ledger; then, with services, routes and schemas, what is only known
   by them. */
void config_read_ledger(ConfigReader *reader);
void config_check_ledger(ConfigReader *reader);

/* config_signals.c: reads Config.signals; and Config.feedback, after the store. */
void config_read_signals(ConfigReader *reader);
void config_read_feedback(ConfigReader *reader);

/* config_webhook.c: what says of a webhook who it is and where, as the file has it: name, URL, and
   files; each may be NULL. */
typedef struct ReceiverText {
    const char *name, *url, *ca, *token_file, *secret_file;
} ReceiverText;

/* Reads it into the config of a webhook, whose other settings stay. */
void config_read_receiver(ConfigReader *reader, const ReceiverText *text, const char *path,
                          WebhookConfig *webhook);

/* Reads Config.job_webhooks; then, with jobs, the methods that they name. */
void config_read_job_webhooks(ConfigReader *reader);
void config_check_job_webhooks(ConfigReader *reader);

/* The routes and services that webhooks name; once methods are composed. */
void config_check_webhooks(ConfigReader *reader);

/* config_log.c: reads Config.log. */
void config_read_log(ConfigReader *reader);

/* Reads Config.dns. */
void config_read_dns(ConfigReader *reader);

/* config_identity.c: reads Config.identity; then, with the listeners, whether it can work. */
void config_read_identity(ConfigReader *reader);
void config_check_identity(ConfigReader *reader);

CertificateName config_certificate_name(Passerelle__Config__CertificateName name);

/* config_access.c: reads Config.access; the rules of a route; `authenticate` of either. */
void config_read_access(ConfigReader *reader);
AccessRules config_read_rules(ConfigReader *reader, const Passerelle__Config__Route *text,
                              const char *path);
Authenticate config_authenticate(bool said, Passerelle__Config__Authenticate text);
/* The methods with these names; NULL if none are named. */
CredentialList config_credentials(ConfigReader *reader, char *const *names, size_t n,
                                  const char *path);
/* The policy server with this name, "none" or NULL (it is not said), at `path`.policy_server. */
PolicyUse config_policy_use(ConfigReader *reader, const char *name, const char *path);
/* The keys in a file, or from a URL, as a set of the caller's. `arena`: of the Result. Fault:
   BAD_VALUE. */
enum { KEYS_FILE_MOST = 64 << 20 };
MUST_USE Result key_set_read(Arena *arena, const KeyPlace *place, Bytes text, SourceKeys *set_out);
/* Once all routes were read: what they do not say, of wider ones. */
void config_assign_access(Config *config);
/* Whether what the route matches, of methods, is part of what the other one matches. */
bool route_is_within(const Route *route, const Route *other);

/* config_shown.c: Route.shown; */
void config_read_shown(ConfigReader *reader, const Passerelle__Config__Route *text,
                       const char *path, Route *route);
/* then, once methods have their routes, Method.shown. */
void config_make_shown(ConfigReader *reader);

/* The mapping, which makes a response of the method in its version, without what is hidden. NULL
   stays NULL. */
const Mapping *config_restrict(ConfigReader *reader, const Method *method, const Mapping *mapping);

/* What plans of such a mapping need. */
void config_show_options(const Method *method, PlanOptions *options);

/* Reports that the config takes a field of the method's response that is hidden: nobody would ever
   see a value of it. `field` is its path; NONE, and ".": the whole response. */
void config_check_shown(ConfigReader *reader, const Method *method, Bytes field, const char *path);

/* config_admin.c: reads Config.admin and what belongs to it. After the listeners. */
void config_read_admin(ConfigReader *reader);

/* The context of a listener; NULL: a mistake, which was reported. The caller frees it. */
SSL_CTX *config_server_tls(ConfigReader *reader, const Passerelle__Config__ListenerTls *text,
                           const char *path, bool http1_only);

/* config_catalog.c: reads Config.catalog. */
void config_read_catalog(ConfigReader *reader);

/* config_listener.c */
void config_read_listeners(ConfigReader *reader);

#endif
