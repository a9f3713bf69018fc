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
    _Atomic uint32_t references; /* the first is taken, and the last returned, under the lock */
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

static void give_last(ClientAccount *account)
{
    pthread_mutex_lock(&all.lock);
    if (atomic_fetch_sub(&account->references, 1) == 1) {
        ClientAccount **at = find(&account->client);
        *at = account->next;
        all.n--;
        free(account);
    }
    pthread_mutex_unlock(&all.lock);
}

/* Without the lock, unless the account goes. */
static void refer(Account *account, int more)
{
    ClientAccount *of = (ClientAccount *)account;
    uint32_t now = atomic_load(&of->references);
    do {
        if (more < 0 && now == 1) {
            give_last(of);
            return;
        }
    } while (!atomic_compare_exchange_weak(&of->references, &now, now + (uint32_t)more));
}

static ClientAccount *account_new(const IpAddress *client)
{
    ClientAccount *made = calloc(1, sizeof *made);
    CHECK(made);
    made->account.refer = refer;
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
    atomic_fetch_add(&found->references, 1);
    pthread_mutex_unlock(&all.lock);
    return &found->account;
}

bool account_is_of(const Account *account, const IpAddress *address)
{
    IpAddress client = fair_client_of(address);
    return ip_equal(&((const ClientAccount *)account)->client, &client);
}

uint32_t accounts_open(void)
{
    pthread_mutex_lock(&all.lock);
    uint32_t n = all.n;
    pthread_mutex_unlock(&all.lock);
    return n;
}
