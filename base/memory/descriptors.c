#include "base/memory/descriptors.h"

#include <sys/resource.h>

enum {
    /* Always open: standard streams, the log, the main loop, admin, what a supervisor has given;
       and what is open for a moment. */
    BASE = 27,
    BASE_PER_LOOP = 6,      /* epoll, wake-up, signals, the spare one of the listeners */
    ADMIN_CONNECTIONS = 96, /* at most half of the reserve */
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

Descriptors descriptors_share(uint32_t most, const DescriptorNeeds *needs)
{
    uint32_t base = least(
        BASE + (uint64_t)needs->loops * (BASE_PER_LOOP + needs->listeners) + needs->store, most);
    uint32_t part = (most - base) / SHARE;
    uint32_t own = least(OWN + (uint64_t)needs->loops * OWN_PER_LOOP, part);
    uint32_t instances = least(needs->instances, part);
    return (Descriptors){
        .most = most,
        .clients = most - own - instances,
        .instances = most - own,
        .admin = own < 2 ? 1 : least(ADMIN_CONNECTIONS, own / 2),
        .room = most - own - instances - base,
    };
}
