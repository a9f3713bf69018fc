#include "gateway/cohort/cohort_knock.h"

#include "base/result.h"

#include <pthread.h>
#include <stdlib.h>

/* A ring: the oldest is at `first`. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of it */
static CohortKnock *knocks;
static uint32_t first, n;
static void (*on_first)(void *owner);
static void *owner_of_first;

bool cohort_knock(uint64_t rollout, uint64_t round, Bytes client)
{
    if (client.size > COHORT_CLIENT_MOST)
        return false;
    pthread_mutex_lock(&lock);
    if (!knocks)
        knocks = calloc(COHORT_KNOCKS_MOST, sizeof *knocks);
    CHECK(knocks);
    bool has_room = n < COHORT_KNOCKS_MOST;
    if (has_room) {
        CohortKnock *knock = &knocks[(first + n++) % COHORT_KNOCKS_MOST];
        *knock = (CohortKnock){.rollout = rollout, .round = round, .size = (uint32_t)client.size};
        memcpy(knock->client, client.data, client.size);
        if (n == 1 && on_first)
            on_first(owner_of_first);
    }
    pthread_mutex_unlock(&lock);
    return has_room;
}

bool cohort_knock_take(CohortKnock *knock_out)
{
    pthread_mutex_lock(&lock);
    bool has = n > 0;
    if (has) {
        *knock_out = knocks[first];
        first = (first + 1) % COHORT_KNOCKS_MOST;
        n--;
    }
    pthread_mutex_unlock(&lock);
    return has;
}

void cohort_on_knock(void (*on_knock)(void *owner), void *owner)
{
    pthread_mutex_lock(&lock);
    on_first = on_knock;
    owner_of_first = owner;
    pthread_mutex_unlock(&lock);
}
