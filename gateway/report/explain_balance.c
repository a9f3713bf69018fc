/* Among which instances a call is chosen, and why: cells and affinity. */
#include "gateway/report/explain_internal.h"

#include "base/arena.h"
#include "gateway/instances/ring.h"

/* What the call has for its affinity; data NULL: nothing, or it is in the message. */
static Bytes value_of(const ExplainRequest *request, const Affinity *affinity)
{
    switch (affinity->by) {
    case AFFINITY_HEADER: return fields_get(&request->fields, affinity->name);
    case AFFINITY_CLIENT: return request->identity.size ? request->identity : BYTES_NONE;
    case AFFINITY_NONE:
    case AFFINITY_FIELD: break;
    }
    return BYTES_NONE;
}

static const Instance *owner_of(const Instance *instances, const RingMember *members, uint32_t n,
                                Bytes value)
{
    Ring *ring = ring_new(members, n);
    uint32_t at = ring ? ring_find(ring, ring_key(value)) : 0;
    const Instance *owner = ring ? &instances[ring->points[at].member] : NULL;
    ring_free(ring);
    return owner;
}

/* As instance_set.c makes its rings, of the instances in the own cell, or else of the others. */
static const Instance *find_owner(const Service *service, uint64_t versions, Bytes value,
                                  Arena *arena)
{
    RingMember *members = arena_array(arena, RingMember, service->n_instances + 1);
    for (int far = 0; members && far < 2; far++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < service->n_instances; i++) {
            const Instance *instance = &service->instances[i];
            if (instance->far == far && explain_serves(instance, versions))
                members[n++] = (RingMember){.name = bytes_hash(bytes_of(instance->address.text)),
                                            .member = i,
                                            .weight = instance->weight ? instance->weight : 1};
        }
        if (n)
            return owner_of(service->instances, members, n, value);
    }
    return NULL;
}

ExplainBalance explain_balance(const ExplainRequest *request, const Explained *found, Arena *arena)
{
    const Service *service = found->route->service;
    uint64_t versions = found->n_served ? UINT64_C(1) << found->served[0]->index : 0;
    ExplainBalance balance = {.affinity = &found->route->affinity};
    if (!service || (found->method && method_is_made(found->method)))
        return (ExplainBalance){.affinity = NULL};
    for (uint32_t i = 0; i < service->n_instances && service->cells.own; i++) {
        if (!explain_serves(&service->instances[i], versions))
            continue;
        balance.n_near += !service->instances[i].far;
        balance.n_far += service->instances[i].far;
    }
    balance.cells = balance.n_far ? &service->cells : NULL;
    balance.value = value_of(request, balance.affinity);
    if (balance.value.size)
        balance.owner = find_owner(service, versions, balance.value, arena);
    return balance;
}

const char *explain_affinity_name(AffinityBy by)
{
    static const char *const names[] = {"none", "header", "field", "client"};
    return names[by];
}
