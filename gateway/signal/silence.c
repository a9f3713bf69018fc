#include "gateway/signal/silence.h"

#include "base/clock.h"
#include "base/result.h"

#include <math.h>
#include <stdlib.h>

#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

/* Of a client that has nearly always called in such an hour. */
#define SURELY 0.75

/* ---- Clients --------------------------------------------------------------------------------- */

static SilentClient *find(const Silence *silence, uint64_t client)
{
    for (uint32_t i = 0; i < silence->n; i++)
        if (silence->clients[i].client == client)
            return &silence->clients[i];
    return NULL;
}

static SilentClient *room(Silence *silence)
{
    if (silence->n == SILENCE_CLIENTS) {
        uint32_t oldest = 0;
        for (uint32_t i = 1; i < silence->n; i++)
            if (silence->clients[i].last < silence->clients[oldest].last)
                oldest = i;
        return &silence->clients[oldest];
    }
    if (silence->n == silence->capacity) {
        silence->capacity = silence->capacity ? 2 * silence->capacity : 32;
        silence->clients = realloc(silence->clients, silence->capacity * sizeof *silence->clients);
        CHECK(silence->clients);
    }
    return &silence->clients[silence->n++];
}

static void see(Silence *silence, const SilenceSeen *seen, int64_t wall)
{
    SilentClient *client = find(silence, seen->client);
    if (!client) {
        client = room(silence);
        *client = (SilentClient){.client = seen->client, .known = wall, .last = seen->last};
        client->present = seen->last >= wall;
        return;
    }
    client->present = seen->last > client->last;
    if (client->present)
        client->last = seen->last;
}

/* ---- An hour --------------------------------------------------------------------------------- */

/* The share of such hours in which it called; cautious where few are known. False: too few. */
static bool share_of(const SilentClient *client, int slot, int64_t wall, double *share_out)
{
    SeasonUsual usual;
    if (wall - client->known < SILENCE_DAYS * DAY || !season_usual(&client->calls, slot, &usual))
        return false;
    double n = client->calls.seen[slot];
    *share_out = (fmin(fmax(usual.level, 0), 1) * n + 0.5) / (n + 1);
    return true;
}

static void come_back(SilentClient *client)
{
    client->overcome = fmaxf(client->overcome, client->surprise);
    client->surprise = 0;
    client->hours = 0;
    client->quiet_since = 0;
    client->told = false;
}

static bool is_surprising(const SilentClient *client)
{
    return !client->told && (double)client->surprise >= SILENCE_LIMIT &&
           (double)client->surprise >= SILENCE_MORE * (double)client->overcome;
}

static void stay_away(SilentClient *client, double share, int64_t wall)
{
    if (!client->quiet_since)
        client->quiet_since = wall;
    client->hours++;
    client->surprise += (float)-log(1 - share);
}

static void judge_client(SilentClient *client, int slot, int64_t wall,
                         void (*on_found)(void *owner, const SilenceFound *found), void *owner)
{
    double share;
    if (client->present)
        come_back(client);
    else if (share_of(client, slot, wall, &share))
        stay_away(client, share, wall);
    season_learn(&client->calls, slot, client->present);
    if (!is_surprising(client))
        return;
    client->told = true;
    on_found(owner, &(SilenceFound){.client = client->client,
                                    .last = client->last,
                                    .hours = client->hours,
                                    .surprise = (double)client->surprise});
}

/* How many should have called in this hour, of those that were there until now; and did not. */
static SilenceFound count_expected(const Silence *silence, int slot, int64_t wall)
{
    SilenceFound found = {.hours = 1};
    double share;
    for (uint32_t i = 0; i < silence->n; i++) {
        const SilentClient *client = &silence->clients[i];
        if (client->told || !share_of(client, slot, wall, &share) || share < SURELY)
            continue;
        found.expected++;
        found.silent += !client->present;
        found.last = client->last > found.last ? client->last : found.last;
    }
    return found;
}

static bool are_most(const SilenceFound *found)
{
    return found->expected >= SILENCE_EXPECTED && 2 * found->silent > found->expected;
}

void silence_hour(Silence *silence, const SilenceSeen *seen, uint32_t n, int64_t wall, bool judge,
                  void (*on_found)(void *owner, const SilenceFound *found), void *owner)
{
    int slot = season_slot(wall);
    for (uint32_t i = 0; i < silence->n; i++)
        silence->clients[i].present = false;
    for (uint32_t i = 0; i < n && i < SILENCE_CLIENTS; i++)
        see(silence, &seen[i], wall);
    if (!judge)
        return;
    SilenceFound most = count_expected(silence, slot, wall);
    if (are_most(&most)) {
        if (!silence->all_told)
            on_found(owner, &most);
        silence->all_told = true;
        return;
    }
    silence->all_told = false;
    for (uint32_t i = 0; i < silence->n; i++)
        judge_client(&silence->clients[i], slot, wall, on_found, owner);
}

void silence_forget(Silence *silence, uint64_t client)
{
    SilentClient *known = find(silence, client);
    if (known)
        *known = silence->clients[--silence->n];
}

void silence_deinit(Silence *silence)
{
    free(silence->clients);
    *silence = (Silence){.n = 0};
}

bool silence_is_sound(const SilentClient *client)
{
    return season_is_sound(&client->calls) && isfinite(client->surprise) &&
           isfinite(client->overcome) && client->surprise >= 0 && client->overcome >= 0;
}
