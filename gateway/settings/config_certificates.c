/* The certificates that a config shows to others. */
#include "gateway/config/config.h"

#include "base/arena.h"
#include "gateway/tls/certificate_time.h"
#include "gateway/tls/renewal.h"
#include "gateway/tls/tls_context.h"

typedef struct Seeing {
    CertificateSeen *see;
    void *owner;
    const char *where;
} Seeing;

static void see_one(void *owner, X509 *certificate, int place)
{
    const Seeing *seeing = owner;
    const char *what = place == 0 ? "the certificate" : "a certificate of the chain";
    seeing->see(seeing->owner, seeing->where, what, certificate_begins(certificate),
                certificate_ends(certificate));
}

static void see_all(Seeing *seeing, SSL_CTX *tls, const char *where)
{
    seeing->where = where;
    if (!tls)
        return;
    tls_context_certificates(tls, see_one, seeing);
    int64_t end = revocations_end(tls, INT64_MIN);
    if (end != INT64_MAX)
        seeing->see(seeing->owner, where, "a revocation list", INT64_MIN, end);
}

/* Instances of a service mostly show the same one. */
static void see_service(Seeing *seeing, Arena *arena, const Service *service)
{
    const char *where = arena_printf(arena, "%s: instances", service->name);
    for (uint32_t i = 0; i < service->n_instances; i++)
        see_all(seeing, service->instances[i].tls, where);
}

void config_certificates(const Config *config, Arena *arena, CertificateSeen *see, void *owner)
{
    Seeing seeing = {.see = see, .owner = owner};
    for (uint32_t i = 0; i < config->n_listeners; i++)
        see_all(&seeing, config->listeners[i].tls,
                arena_printf(arena, "listener %s", config->listeners[i].address.text));
    see_all(&seeing, config->admin_tls, "admin");
    for (uint32_t i = 0; i < config->n_services; i++)
        see_service(&seeing, arena, &config->services[i]);
}

/* ---- Renewed by themselves ------------------------------------------------------------------- */

typedef struct Renewing {
    RenewalSeen *see;
    void *owner;
} Renewing;

static void renew(const Renewing *renewing, SSL_CTX *tls, const char *where)
{
    Renewal *renewal = tls ? renewal_of(tls) : NULL;
    if (renewal)
        renewing->see(renewing->owner, where, renewal);
}

void config_renewals(const Config *config, Arena *arena, RenewalSeen *see, void *owner)
{
    Renewing renewing = {see, owner};
    for (uint32_t i = 0; i < config->n_listeners; i++)
        renew(&renewing, config->listeners[i].tls,
              arena_printf(arena, "listener %s", config->listeners[i].address.text));
    renew(&renewing, config->admin_tls, "admin");
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        for (uint32_t k = 0; k < service->n_instances; k++)
            renew(&renewing, service->instances[k].tls,
                  arena_printf(arena, "%s: instance %s", service->name,
                               service->instances[k].address.text));
    }
}
