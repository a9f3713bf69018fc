/*
 * Mix: which versions the clients of a service speak, and whether that shifts.
 *
 * Each hour the share of each version is compared with its usual share at this hour of the day
 * (season.h). It has shifted when it is off by MIX_SHIFT and by MIX_SPREADS for MIX_HOURS in a row.
 * Calls are not independent: one client makes many, so a share is as uncertain as that of a tenth
 * of the calls. A shift is found once: what the mix is then is expected from then on, until it is
 * what it was. A migration of some percent a day moves the usual shares along and is no news.
 * MIX_VERSIONS of a service are told apart; a new one takes the place of one without calls, or is
 * left out. Owned by one thread; zeros know
 * nothing. Plain functions; time is passed in.
 */
#ifndef GATEWAY_MIX_H
#define GATEWAY_MIX_H

#include "base/bytes.h"
#include "gateway/signal/season.h"

#define MIX_SHIFT 0.1
#define MIX_SPREADS 4.0
enum { MIX_HOURS = 2, MIX_VERSIONS = 8, MIX_NAME_SIZE = 64 /* of a version, with its NUL */ };

typedef struct MixVersion {
    char name[MIX_NAME_SIZE];
    Season share;
    int32_t off; /* hours in a row for which it was above (below: negative) */
    uint8_t was_told;
    float told; /* then: the share that was found */
} MixVersion;

typedef struct Mix {
    MixVersion versions[MIX_VERSIONS];
    uint32_t n;
} Mix;

/* Calls of a version in an hour. */
typedef struct MixCount {
    Bytes version;
    uint64_t calls;
} MixCount;

/* The version whose share has shifted most. */
typedef struct MixFound {
    const char *version;
    double usual, now; /* shares */
    uint64_t calls;    /* of the service, in the hour */
    int64_t since;
} MixFound;

/* The hour that began at `wall` is over. Says nothing if there were fewer than `least` calls. True:
   a shift was found, which is valid as long as the mix. */
bool mix_hour(Mix *mix, const MixCount *counts, uint32_t n, uint64_t least, int64_t wall,
              MixFound *found_out);

bool mix_is_sound(const Mix *mix);

#endif
