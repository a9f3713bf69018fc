#include "base/net/sender_shares.h"

#include "base/bytes.h"

uint8_t sender_of(const IpAddress *address, uint64_t seed)
{
    uint64_t hash = bytes_hash(bytes(address->bytes, sizeof address->bytes)) ^ seed;
    hash *= UINT64_C(0x9E3779B97F4A7C15); /* so that all bits count */
    return (uint8_t)(hash >> 56);
}

static void halve(SenderShares *shares)
{
    shares->total = 0;
    shares->n_clients = 0;
    for (int i = 0; i < SENDERS; i++) {
        shares->bytes[i] /= 2;
        shares->total += shares->bytes[i];
        shares->n_clients += shares->bytes[i] > 0;
    }
}

/* In a long pause it is halved as often as counts. */
static void age(SenderShares *shares, int64_t now)
{
    int64_t times = (now - shares->halved_at) / SENDER_HALF_TIME;
    if (times <= 0)
        return;
    for (int64_t i = 0; i < times && shares->n_clients; i++)
        halve(shares);
    shares->halved_at = now;
}

void sender_shares_add(SenderShares *shares, uint8_t client, uint32_t n, int64_t now)
{
    age(shares, now);
    shares->n_clients += shares->bytes[client] == 0 && n > 0;
    shares->bytes[client] += n;
    shares->total += n;
}

bool sender_shares_is_over(const SenderShares *shares, uint8_t client)
{
    return (uint64_t)shares->bytes[client] * shares->n_clients * 4 > shares->total * 5;
}
