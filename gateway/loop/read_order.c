#include "gateway/loop/read_order.h"

#include "base/clock.h"
#include "gateway/loop/socket.h"

#include <stdlib.h>

#define URGENT_FOR (200 * MILLISECOND)  /* an urgent call makes the loop watch its turns */
#define CROWDED_FOR (100 * MILLISECOND) /* after the last one that had to wait */
#define LONG_TURN (2 * MILLISECOND)     /* with it the order begins */
#define READ_FOR (MILLISECOND / 4)      /* then come the writes */
#define PATIENCE (50 * MILLISECOND)     /* who has waited so long is read in any case */

enum { ASKED_FOR_TIME = 8 /* sockets, for each of which the clock is read */ };

/* ---- A queue --------------------------------------------------------------------------------- */

static ReadWait *queue_at(const ReadQueue *queue, uint32_t place)
{
    return &queue->items[place & (queue->room - 1)];
}

static void grow(ReadQueue *queue)
{
    ReadQueue grown = *queue;
    grown.room = queue->room ? 2 * queue->room : 64;
    grown.items = malloc(grown.room * sizeof *grown.items);
    CHECK(grown.items);
    for (uint32_t i = 0; i < queue->n; i++)
        *queue_at(&grown, queue->first + i) = *queue_at(queue, queue->first + i);
    free(queue->items);
    *queue = grown;
}

static void queue_add(ReadQueue *queue, Socket *socket, int64_t now)
{
    if (queue->n == queue->room)
        grow(queue);
    socket->wait_place = queue->first + queue->n++;
    *queue_at(queue, socket->wait_place) = (ReadWait){.socket = socket, .since = now};
}

static void drop_those_who_left(ReadQueue *queue)
{
    while (queue->n && !queue_at(queue, queue->first)->socket) {
        queue->first++;
        queue->n--;
    }
}

static void queue_remove(ReadQueue *queue, uint32_t place)
{
    queue_at(queue, place)->socket = NULL;
    drop_those_who_left(queue);
}

/* ---- The order ------------------------------------------------------------------------------- */

static bool is_crowded(ReadOrder *order, int64_t turn_began)
{
    if (order->crowded_until)
        return true;
    if (!order->urgent_at || turn_began - order->urgent_at > URGENT_FOR)
        return false;
    if (++order->n_asked % ASKED_FOR_TIME)
        return false;
    int64_t now = clock_now();
    if (now - turn_began > LONG_TURN)
        order->crowded_until = now + CROWDED_FOR;
    return order->crowded_until != 0;
}

static void wait_for(ReadOrder *order, Socket *socket, int64_t since)
{
    uint8_t rank = socket->rank;
    if (rank > READ_INSTANCE && sender_shares_is_over(&order->shares, socket->client))
        rank++;
    socket->waits = rank;
    queue_add(&order->ranks[rank], socket, since);
}

bool read_order_waits(ReadOrder *order, Socket *socket, int64_t turn_began)
{
    if (socket->waits)
        return true;
    if (!is_crowded(order, turn_began))
        return false;
    wait_for(order, socket, turn_began);
    return true;
}

static bool has_time(int64_t turn_began)
{
    return clock_now() - turn_began < READ_FOR;
}

static int64_t waited(const ReadQueue *queue, int64_t now)
{
    return queue->n ? now - queue_at(queue, queue->first)->since : 0;
}

/* What it has more than the piece that is read waits behind the others. */
static void read_first(ReadOrder *order, ReadQueue *queue, int64_t turn_began)
{
    Socket *socket = queue_at(queue, queue->first)->socket;
    uint8_t rank = socket->rank, client = socket->client;
    read_order_forget(order, socket);
    ReadNow got = socket_read_now(socket);
    if (rank > READ_INSTANCE)
        sender_shares_add(&order->shares, client, got.bytes, turn_began);
    if (got.more && socket->rank && !socket->waits)
        wait_for(order, socket, turn_began);
}

static void read_rank(ReadOrder *order, ReadRank rank, int64_t turn_began)
{
    ReadQueue *queue = &order->ranks[rank];
    if (queue->n && (rank == READ_INSTANCE || waited(queue, turn_began) >= PATIENCE))
        read_first(order, queue, turn_began);
    while (queue->n && has_time(turn_began))
        read_first(order, queue, turn_began);
}

void read_order_run(ReadOrder *order, int64_t turn_began)
{
    if (!order->crowded_until)
        return;
    for (ReadRank rank = READ_INSTANCE; rank < READ_RANKS; rank++)
        read_rank(order, rank, turn_began);
    if (read_order_has_left(order))
        order->crowded_until = turn_began + CROWDED_FOR;
    else if (turn_began > order->crowded_until)
        order->crowded_until = 0;
}

bool read_order_has_left(const ReadOrder *order)
{
    ReadRank rank = READ_INSTANCE;
    while (rank < READ_RANKS && !order->ranks[rank].n)
        rank++;
    return rank < READ_RANKS;
}

int64_t read_order_waited(const ReadOrder *order, int64_t now)
{
    int64_t longest = 0;
    for (ReadRank rank = READ_INSTANCE; rank < READ_RANKS; rank++) {
        int64_t here = waited(&order->ranks[rank], now);
        longest = here > longest ? here : longest;
    }
    return longest;
}

void read_order_forget(ReadOrder *order, Socket *socket)
{
    queue_remove(&order->ranks[socket->waits], socket->wait_place);
    socket->waits = READ_URGENT;
}

void read_order_deinit(ReadOrder *order)
{
    for (int rank = 0; rank < READ_RANKS; rank++)
        free(order->ranks[rank].items);
    *order = (ReadOrder){.urgent_at = 0};
}
