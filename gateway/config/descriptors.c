#include "gateway/config/descriptors.h"

#include "gateway/config/config.h"

#include <sys/resource.h>
#include <uv.h>

enum {
    BASE = 20,              /* always open: standard streams, the log, the main loop, admin */
    BASE_PER_LOOP = 6,      /* epoll, wake-up, signals, the spare one of the listeners */
    ADMIN_CONNECTIONS = 64, /* at most half of the reserve */
    OWN = 2 * ADMIN_CONNECTIONS,
    OWN_PER_LOOP = 2, /* for new listeners at a reload */
    SHARE = 4,        /* each reserve is at most 1 / SHARE of the rest */
};

static uint32_t least(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

uint32_t descriptors_most(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? least(limit.rlim_max, INT32_MAX) : INT32_MAX;
}

/* The most connections to instances, including instances that may join later. */
static uint64_t instance_connections(const Config *config, uint32_t n_loops)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < config->n_services; i++) {
        if (config->services[i].discovery)
            return UINT32_MAX;
        for (uint32_t k = 0; k < config->services[i].n_instances; k++)
            n += limits_connections(&config->limits, config->services[i].instances[k].http2);
    }
    return n * n_loops;
}

Descriptors descriptors_share(uint32_t most, const Config *config)
{
    uint32_t n_loops = config->n_loops ? config->n_loops : uv_available_parallelism();
    uint32_t base = least(BASE + (uint64_t)n_loops * (BASE_PER_LOOP + config->n_listeners), most);
    uint32_t part = (most - base) / SHARE;
    uint32_t own = least(OWN + (uint64_t)n_loops * OWN_PER_LOOP, part);
    uint32_t instances = least(instance_connections(config, n_loops), part);
    return (Descriptors){
        .most = most,
        .clients = most - own - instances,
        .instances = most - own,
        .admin = own < 2 ? 1 : least(ADMIN_CONNECTIONS, own / 2),
        .room = most - own - instances - base,
    };
}

bool descriptors_warn(const Config *config, Buffer *out)
{
    const Descriptors *d = &config->descriptors;
    if (d->most == 0 || d->room >= config->limits.connections)
        return false;
    buffer_printf(
        out,
        "limits.connections is %u, but of the %u file descriptors that the process may have "
        "(ulimit -Hn, LimitNOFILE=) about %u are left for clients: more are refused",
        config->limits.connections, d->most, d->room);
    return true;
}
