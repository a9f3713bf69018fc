/* What keeps a service from being asked too much: its breaker, and its calls in flight. */
#include "base/arena.h"
#include "gateway/inventory/instance_read.h"

static const BreakerConfig *read_breaker(ConfigReader *reader,
                                         const Passerelle__Config__Breaker *text, const char *path)
{
    BreakerConfig *breaker = arena_make(reader->arena, BreakerConfig);
    *breaker = (BreakerConfig){.percent = text->percent,
                               .calls = text->calls,
                               .window = text->window,
                               .open = text->open,
                               .probes = text->probes};
    if (text->probes > text->calls)
        config_tell(reader, config_path(reader, "%s.breaker.probes", path), "probes: 1",
                    "to close it takes more calls than to open it, which is %u (calls)",
                    text->calls);
    return breaker;
}

static const ConcurrencyConfig *read_concurrency(ConfigReader *reader,
                                                 const Passerelle__Config__Concurrency *text,
                                                 const char *path)
{
    ConcurrencyConfig *concurrency = arena_make(reader->arena, ConcurrencyConfig);
    *concurrency = (ConcurrencyConfig){.calls = text->calls ? text->calls : UINT32_MAX,
                                       .waiting = text->waiting,
                                       .wait = text->wait,
                                       .adaptive = text->adaptive,
                                       .least = text->least,
                                       .start = text->start,
                                       .client_percent = text->client_percent};
    path = config_path(reader, "%s.concurrency", path);
    if (!text->calls && !text->adaptive)
        config_tell(reader, path, "calls: 100, or adaptive: true", "it limits nothing");
    if (text->adaptive && text->calls && text->least > text->calls)
        config_tell(reader, config_path(reader, "%s.least", path), NULL,
                    "it is more than calls, which is %u", text->calls);
    return concurrency;
}

void config_read_guards(ConfigReader *reader, Service *service,
                        const Passerelle__Config__Breaker *breaker,
                        const Passerelle__Config__Concurrency *concurrency, const char *path)
{
    if (breaker)
        service->breaker = read_breaker(reader, breaker, path);
    if (concurrency)
        service->concurrency = read_concurrency(reader, concurrency, path);
}
