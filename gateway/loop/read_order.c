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

static ReadWait *queue_at(const ReadQueue *queue, uint32_t i)
{
    return &queue->items[(queue->first + i) & (queue->room - 1)];
}

static void grow(ReadQueue *queue)
{
    uint32_t room = queue->room ? 2 * queue->room : 64;
    ReadWait *items = malloc(room * sizeof *items);
    CHECK(items);
    for (uint32_t i = 0; i < queue->n; i++)
        items[i] = *queue_at(queue, i);
    free(queue->items);
    *queue = (ReadQueue){.items = items, .n = queue->n, .room = room};
}

static void queue_add(ReadQueue *queue, Socket *socket, int64_t now)
{
    if (queue->n == queue->room)
        grow(queue);
    *queue_at(queue, queue->n++) = (ReadWait){.socket = socket, .since = now};
}

static void drop_first(ReadQueue *queue)
{
    queue->first++;
    queue->n--;
}

/* NULL: nobody waits. */
static Socket *queue_take(ReadQueue *queue)
{
    Socket *socket = NULL;
    while (queue->n && !socket) {
        socket = queue_at(queue, 0)->socket;
        drop_first(queue);
    }
    return socket;
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

bool read_order_waits(ReadOrder *order, Socket *socket, int64_t turn_began)
{
    if (socket->waits)
        return true;
    if (!is_crowded(order, turn_began))
        return false;
    socket->waits = true;
    queue_add(&order->ranks[socket->rank], socket, turn_began);
    return true;
}

static bool has_time(int64_t turn_began)
{
    return clock_now() - turn_began < READ_FOR;
}

static int64_t waited(const ReadQueue *queue, int64_t now)
{
    return queue->n ? now - queue_at(queue, 0)->since : 0;
}

static void read_first(ReadQueue *queue)
{
    Socket *socket = queue_take(queue);
    if (socket)
        socket_read_now(socket);
}

/* True: some are left. */
static bool read_rank(ReadQueue *queue, int64_t turn_began)
{
    if (waited(queue, turn_began) >= PATIENCE)
        read_first(queue);
    while (queue->n && has_time(turn_began))
        read_first(queue);
    return queue->n > 0;
}

void read_order_run(ReadOrder *order, int64_t turn_began)
{
    if (!order->crowded_until)
        return;
    bool left = false;
    for (int rank = 1; rank < READ_RANKS; rank++)
        left |= read_rank(&order->ranks[rank], turn_began);
    if (left)
        order->crowded_until = turn_began + CROWDED_FOR;
    else if (turn_began > order->crowded_until)
        order->crowded_until = 0;
}

int64_t read_order_waited(const ReadOrder *order, int64_t now)
{
    int64_t longest = 0;
    for (int rank = 1; rank < READ_RANKS; rank++) {
        int64_t here = waited(&order->ranks[rank], now);
        longest = here > longest ? here : longest;
    }
    return longest;
}

void read_order_forget(ReadOrder *order, Socket *socket)
{
    for (int rank = 1; rank < READ_RANKS && socket->waits; rank++) {
        ReadQueue *queue = &order->ranks[rank];
        for (uint32_t i = 0; i < queue->n; i++)
            if (queue_at(queue, i)->socket == socket)
                queue_at(queue, i)->socket = NULL;
    }
    socket->waits = false;
}

void read_order_deinit(ReadOrder *order)
{
    for (int rank = 0; rank < READ_RANKS; rank++)
        free(order->ranks[rank].items);
    *order = (ReadOrder){.urgent_at = 0};
}
