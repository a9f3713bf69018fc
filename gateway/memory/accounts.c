#include "gateway/memory/accounts.h"

#include "base/random.h"
#include "base/result.h"
#include "gateway/loop/fair_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CHAINS = 4096 };

typedef struct ClientAccount {
    Account account; /* first */
    IpAddress client;
    uint32_t references;
    struct ClientAccount *next;
} ClientAccount;

static struct {
    pthread_mutex_t lock;
    ClientAccount *chains[CHAINS];
    uint32_t n;
    uint64_t seed; /* so that peers cannot cause collisions */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock. */
static uint64_t seed(void)
{
    Random random;
    while (!all.seed) {
        random_seed(&random);
        all.seed = random_next(&random);
    }
    return all.seed;
}

static ClientAccount **chain_of(const IpAddress *client)
{
    uint64_t halves[2];
    memcpy(halves, client->bytes, sizeof halves);
    uint64_t mixed = (halves[0] ^ seed()) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 32 ^ halves[1]) * 0x9e3779b97f4a7c15u;
    return &all.chains[mixed >> 52];
}

static ClientAccount **find(const IpAddress *client)
{
    ClientAccount **at = chain_of(client);
    while (*at && !ip_equal(&(*at)->client, client))
        at = &(*at)->next;
    return at;
}

static ClientAccount *account_new(const IpAddress *client)
{
    ClientAccount *made = calloc(1, sizeof *made);
    CHECK(made);
    made->client = *client;
    all.n++;
    return made;
}

Account *account_open(const IpAddress *address)
{
    IpAddress client = fair_client_of(address);
    pthread_mutex_lock(&all.lock);
    ClientAccount **at = find(&client);
    if (!*at)
        *at = account_new(&client);
    ClientAccount *found = *at;
    found->references++;
    pthread_mutex_unlock(&all.lock);
    return &found->account;
}

void account_keep(Account *account)
{
    if (!account)
        return;
    pthread_mutex_lock(&all.lock);
    ((ClientAccount *)account)->references++;
    pthread_mutex_unlock(&all.lock);
}

bool account_is_of(const Account *account, const IpAddress *address)
{
    IpAddress client = fair_client_of(address);
    return ip_equal(&((const ClientAccount *)account)->client, &client);
}

void account_close(Account *account)
{
    ClientAccount *closed = (ClientAccount *)account;
    if (!account)
        return;
    pthread_mutex_lock(&all.lock);
    if (--closed->references == 0) {
        ClientAccount **at = find(&closed->client);
        *at = closed->next;
        all.n--;
        free(closed);
    }
    pthread_mutex_unlock(&all.lock);
}

uint32_t accounts_open(void)
{
    pthread_mutex_lock(&all.lock);
    uint32_t n = all.n;
    pthread_mutex_unlock(&all.lock);
    return n;
}
