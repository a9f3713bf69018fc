/*
 * TrustedPeers: peers whose forwarding fields are accepted, by address. In the config's arena;
 * immutable.
 */
#ifndef BASE_TRUSTED_PEERS_H
#define BASE_TRUSTED_PEERS_H

#include "base/net/ip.h"

typedef struct TrustedPeers {
    const IpRange *ranges;
    uint32_t n;
    bool unix_sockets; /* every peer on one */
} TrustedPeers;

/* A peer without an address is on a unix socket. */
bool trusted_peers_have(const TrustedPeers *trusted, const IpAddress *peer);

static inline bool trusted_peers_are_none(const TrustedPeers *trusted)
{
    return !trusted->n && !trusted->unix_sockets;
}

#endif
