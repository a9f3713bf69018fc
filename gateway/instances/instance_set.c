#include "gateway/instances/instance_set.h"

#include "base/result.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards Service.set of all services */

/* ---- Discovered instances -------------------------------------------------------------------- */

/* Pointers to the text members of an instance. */
enum { TEXTS = 7 };
static void texts_of(Instance *instance, const char **texts[TEXTS])
{
    texts[0] = &instance->address.text;
    texts[1] = &instance->address.host;
    texts[2] = &instance->address.path;
    texts[3] = &instance->tls_name;
    texts[4] = &instance->authority;
    texts[5] = &instance->build;
    texts[6] = &instance->cell;
}

static Bytes copy_to(char **at, Bytes from)
{
    Bytes copy = bytes(*at, from.size);
    if (from.size)
        memcpy(*at, from.data, from.size);
    *at += from.size;
    return copy;
}

Instance *instance_discovered(const Instance *read, Bytes said)
{
    Instance head = *read;
    const char **texts[TEXTS];
    texts_of(&head, texts);
    size_t size = said.size + read->log_part.size;
    for (int i = 0; i < TEXTS; i++)
        size += *texts[i] ? strlen(*texts[i]) + 1 : 0;

    /* One block: the instance, then its entry (`said`) and log part, then the texts. */
    Instance *instance = malloc(sizeof(*instance) + size);
    CHECK(instance);
    char *at = (char *)(instance + 1);
    head.said = copy_to(&at, said);
    head.log_part = copy_to(&at, read->log_part);
    for (int i = 0; i < TEXTS; i++) {
        if (*texts[i]) {
            char *copy = strcpy(at, *texts[i]);
            at += strlen(copy) + 1;
            *texts[i] = copy;
        }
    }
    head.discovered = true;
    *instance = head;
    atomic_init(&instance->references, 1);
    if (instance->tls)
        SSL_CTX_up_ref(instance->tls);
    instance->known = known_instance_of(instance);
    return instance;
}

Instance *instance_ref(Instance *instance)
{
    if (instance->discovered)
        atomic_fetch_add_explicit(&instance->references, 1, memory_order_relaxed);
    return instance;
}

static void instance_unref(Instance *instance)
{
    if (!instance->discovered ||
        atomic_fetch_sub_explicit(&instance->references, 1, memory_order_acq_rel) != 1)
        return;
    known_instance_unref(instance->known);
    SSL_CTX_free(instance->tls);
    free(instance);
}

/* ---- Rings ----------------------------------------------------------------------------------- */

uint32_t instance_weight(const Instance *instance)
{
    return instance->weight ? instance->weight : 1;
}

static uint32_t n_lists(const Service *service)
{
    return service->n_versions ? service->n_versions : 1;
}

uint64_t instance_lists(const Service *service, const Instance *instance)
{
    return service->n_versions ? instance->versions : 1;
}

bool instance_is_candidate(const Service *service, const Instance *instance)
{
    const RolloutDefinition *rollout = service->rollout;
    return rollout && rollout->build && strcmp(instance->build, rollout->build) == 0;
}

/* What a list has instances of. */
typedef struct ListOf {
    uint32_t version;
    bool far, candidate;
} ListOf;

static bool belongs(const Service *service, const Instance *instance, const ListOf *list)
{
    return instance->far == list->far &&
           instance_is_candidate(service, instance) == list->candidate &&
           (instance_lists(service, instance) >> list->version & 1);
}

/* Of the instances that one list has. */
static Ring *ring_of(const InstanceSet *set, const ListOf *list, RingMember *space)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        const Instance *instance = set->instances[i];
        if (belongs(set->service, instance, list))
            space[n++] = (RingMember){.name = bytes_hash(bytes_of(instance->address.text)),
                                      .member = i,
                                      .weight = instance_weight(instance)};
    }
    return ring_new(space, n);
}

static void make_rings(InstanceSet *set)
{
    uint32_t n = n_lists(set->service), n_of_arm = set->has_far ? 2 * n : n;
    bool has_arms = set->service->rollout && set->service->rollout->build;
    set->n_rings = has_arms ? 2 * n_of_arm : n_of_arm;
    set->rings = calloc(set->n_rings, sizeof *set->rings);
    RingMember *space = malloc((set->n + 1) * sizeof *space);
    CHECK(set->rings && space);
    for (uint32_t i = 0; i < set->n_rings; i++)
        set->rings[i] = ring_of(
            set, &(ListOf){i % n, .far = i % n_of_arm >= n, .candidate = i >= n_of_arm}, space);
    free(space);
}

/* ---- Sets ------------------------------------------------------------------------------------ */

InstanceSet *instance_set_new(const Service *service, Instance *const *instances, uint32_t n)
{
    InstanceSet *set = calloc(1, sizeof(*set));
    Instance **copy = calloc(n + 1, sizeof(*copy));
    CHECK(set && copy);
    *set = (InstanceSet){.service = service, .instances = copy, .n = n, .generation = 1};
    atomic_init(&set->references, 1);
    for (uint32_t i = 0; i < n; i++) {
        copy[i] = instances[i];
        if (!copy[i]->known)
            copy[i]->known = known_instance_of(copy[i]);
        set->has_far |= copy[i]->far;
    }
    if (service->has_affinity)
        make_rings(set);
    return set;
}

InstanceSet *instance_set_ref(InstanceSet *set)
{
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void instance_set_unref(InstanceSet *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < set->n; i++)
        instance_unref(set->instances[i]);
    for (uint32_t i = 0; i < set->n_rings; i++)
        ring_free(set->rings[i]);
    free(set->rings);
    free(set->instances);
    free(set);
}

InstanceSet *instance_set_of(const Service *service)
{
    pthread_mutex_lock(&lock);
    InstanceSet *set = service->set ? instance_set_ref(service->set) : NULL;
    pthread_mutex_unlock(&lock);
    return set;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static int compare_addresses(const void *a, const void *b)
{
    const Instance *const *first = a, *const *second = b;
    return strcmp((*first)->address.text, (*second)->address.text);
}

static const Instance **sorted(const InstanceSet *set)
{
    const Instance **instances = malloc((set->n + 1) * sizeof(*instances));
    CHECK(instances);
    for (uint32_t i = 0; i < set->n; i++)
        instances[i] = set->instances[i];
    qsort(instances, set->n, sizeof(*instances), compare_addresses);
    return instances;
}

InstanceChanges instance_set_compare(const InstanceSet *before, const InstanceSet *after)
{
    InstanceChanges changes = {0};
    const Instance **old = sorted(before), **new = sorted(after);
    uint32_t i = 0, k = 0;
    while (i < before->n || k < after->n) {
        int order = i == before->n ? 1 : k == after->n ? -1 : compare_addresses(&old[i], &new[k]);
        changes.left += order < 0;
        changes.joined += order > 0;
        changes.altered += order == 0 && old[i] != new[k];
        i += order <= 0;
        k += order >= 0;
    }
    free(old);
    free(new);
    return changes;
}

/* ---- Replacing ------------------------------------------------------------------------------- */

static void follow(InstanceSet *set, const InstanceSet *before)
{
    InstanceChanges changes = {.joined = set->n};
    if (before) {
        changes = instance_set_compare(before, set);
        set->generation = before->generation + 1;
        set->n_joined = before->n_joined;
        set->n_left = before->n_left;
    }
    set->n_joined += changes.joined;
    set->n_left += changes.left;
}

static void put(Service *service, InstanceSet *set)
{
    pthread_mutex_lock(&lock);
    InstanceSet *before = service->set;
    service->set = set;
    pthread_mutex_unlock(&lock);
    instance_set_unref(before);
}

void instance_set_use(Service *service, InstanceSet *set)
{
    follow(set, service->set);
    put(service, set);
}

void instance_set_restore(Service *service, InstanceSet *set, const InstanceSet *before)
{
    follow(set, before);
    set->generation = service->set->generation + 1;
    put(service, set);
}

/* ---- Configs --------------------------------------------------------------------------------- */

static void let_go(Config *config)
{
    for (uint32_t i = 0; i < config->n_services; i++) {
        Service *service = &config->services[i];
        instance_set_unref(service->set);
        service->set = NULL;
        for (uint32_t k = 0; k < service->n_instances; k++) {
            known_instance_unref(service->instances[k].known);
            service->instances[k].known = NULL;
        }
    }
}

/* The previous set of the service with this name; NULL: none. */
static const InstanceSet *set_before(const Config *before, const char *name)
{
    const Service *service = before ? config_service(before, name) : NULL;
    return service ? service->set : NULL;
}

void instances_adopt(Config *config, const Config *before)
{
    CHECK(!config->let_go);
    config->let_go = let_go;
    for (uint32_t i = 0; i < config->n_services; i++) {
        Service *service = &config->services[i];
        Instance **instances = calloc(service->n_instances + 1, sizeof(*instances));
        CHECK(instances);
        for (uint32_t k = 0; k < service->n_instances; k++)
            instances[k] = &service->instances[k];
        InstanceSet *set = instance_set_new(service, instances, service->n_instances);
        follow(set, set_before(before, service->name));
        put(service, set);
        free(instances);
    }
}
