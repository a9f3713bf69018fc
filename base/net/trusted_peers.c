#include "base/net/trusted_peers.h"

bool trusted_peers_have(const TrustedPeers *trusted, const IpAddress *peer)
{
    if (!peer->known)
        return trusted->unix_sockets;
    for (uint32_t i = 0; i < trusted->n; i++) {
        if (ip_range_has(&trusted->ranges[i], peer))
            return true;
    }
    return false;
}
