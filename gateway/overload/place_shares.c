#include "gateway/overload/place_shares.h"

#include "base/result.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct PlaceHolder {
    IpAddress address; /* first, for the tree */
    uint32_t n;
};

static int compare(const void *a, const void *b)
{
    const IpAddress *left = a, *right = b;
    return memcmp(left->bytes, right->bytes, sizeof left->bytes);
}

static PlaceHolder *find(const PlaceShares *shares, const IpAddress *client)
{
    void *found = tfind(client, &shares->holders, compare);
    return found ? *(PlaceHolder **)found : NULL;
}

void place_shares_come(PlaceShares *shares, const IpAddress *client, int64_t now)
{
    if (shares->any && compare(client, &shares->latest) == 0)
        return;
    if (shares->any)
        shares->mixed_at = now;
    shares->any = true;
    shares->latest = *client;
}

bool place_shares_may(const PlaceShares *shares, const IpAddress *client, uint32_t most,
                      int64_t now)
{
    if (!shares->mixed_at || now - shares->mixed_at >= SHARE_TIME)
        return true;
    const PlaceHolder *holder = find(shares, client);
    return !holder || holder->n < most;
}

PlaceHolder *place_shares_take(PlaceShares *shares, const IpAddress *client)
{
    PlaceHolder *holder = find(shares, client);
    if (!holder) {
        holder = calloc(1, sizeof *holder);
        CHECK(holder);
        holder->address = *client;
        CHECK(tsearch(holder, &shares->holders, compare));
    }
    holder->n++;
    return holder;
}

void place_shares_give(PlaceShares *shares, PlaceHolder *holder)
{
    if (!holder || --holder->n)
        return;
    tdelete(holder, &shares->holders, compare);
    free(holder);
}
