#include "gateway/loop/fair_queue.h"

#include "base/result.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENT_BYTES_V6 = 8 };

struct FairClient {
    IpAddress address;       /* first, for the tree */
    FairClient *next, *last; /* in the ring */
    FairWait *first, *end;
    uint32_t n;
};

IpAddress fair_client_of(const IpAddress *address)
{
    IpAddress client = *address;
    if (!client.known)
        memset(client.bytes, 0, sizeof(client.bytes));
    else if (!ip_is_v4(&client))
        memset(client.bytes + CLIENT_BYTES_V6, 0, sizeof(client.bytes) - CLIENT_BYTES_V6);
    return client;
}

static int compare(const void *a, const void *b)
{
    const IpAddress *left = a, *right = b;
    return memcmp(left->bytes, right->bytes, sizeof(left->bytes));
}

static FairClient *find(const FairQueue *queue, const IpAddress *address)
{
    void *found = tfind(address, &queue->clients, compare);
    return found ? *(FairClient **)found : NULL;
}

/* Added at the end of the ring: before the client whose turn it is. */
static FairClient *client_add(FairQueue *queue, const IpAddress *address)
{
    FairClient *client = calloc(1, sizeof(*client));
    CHECK(client);
    client->address = *address;
    client->next = client->last = client;
    if (queue->turn) {
        client->next = queue->turn;
        client->last = queue->turn->last;
        client->last->next = client->next->last = client;
    } else {
        queue->turn = client;
    }
    CHECK(tsearch(client, &queue->clients, compare));
    queue->n_clients++;
    return client;
}

static void client_remove(FairQueue *queue, FairClient *client)
{
    if (queue->turn == client)
        queue->turn = client->next != client ? client->next : NULL;
    client->last->next = client->next;
    client->next->last = client->last;
    tdelete(client, &queue->clients, compare);
    queue->n_clients--;
    free(client);
}

void fair_queue_add(FairQueue *queue, FairWait *wait, const IpAddress *address, int64_t since)
{
    FairClient *client = find(queue, address);
    if (!client)
        client = client_add(queue, address);
    *wait = (FairWait){
        .client = client, .before = client->end, .older = queue->youngest, .since = since};
    if (client->end)
        client->end->behind = wait;
    else
        client->first = wait;
    client->end = wait;
    client->n++;
    if (queue->youngest)
        queue->youngest->younger = wait;
    else
        queue->oldest = wait;
    queue->youngest = wait;
    queue->n++;
}

void fair_queue_remove(FairQueue *queue, FairWait *wait)
{
    FairClient *client = wait->client;
    *(wait->before ? &wait->before->behind : &client->first) = wait->behind;
    *(wait->behind ? &wait->behind->before : &client->end) = wait->before;
    *(wait->older ? &wait->older->younger : &queue->oldest) = wait->younger;
    *(wait->younger ? &wait->younger->older : &queue->youngest) = wait->older;
    *wait = (FairWait){.client = NULL};
    queue->n--;
    if (--client->n == 0)
        client_remove(queue, client);
}

FairWait *fair_queue_next(const FairQueue *queue)
{
    return queue->turn ? queue->turn->first : NULL;
}

FairWait *fair_queue_take(FairQueue *queue)
{
    FairWait *wait = fair_queue_next(queue);
    if (!wait)
        return NULL;
    queue->turn = queue->turn->next;
    fair_queue_remove(queue, wait);
    return wait;
}

FairWait *fair_queue_take_from(FairQueue *queue, bool (*may)(void *owner, const IpAddress *client),
                               void *owner)
{
    FairClient *client = queue->turn;
    for (uint32_t i = 0; i < queue->n_clients; i++, client = client->next) {
        if (!may(owner, &client->address))
            continue;
        queue->turn = client;
        return fair_queue_take(queue);
    }
    return NULL;
}

FairWait *fair_queue_most(const FairQueue *queue)
{
    if (queue->n == queue->n_clients)
        return queue->youngest;
    const FairClient *most = queue->turn;
    for (const FairClient *client = most->next; client != queue->turn; client = client->next) {
        if (client->n > most->n)
            most = client;
    }
    return most->end;
}
