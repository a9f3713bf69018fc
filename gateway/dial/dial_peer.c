#include "gateway/dial/dial_peer.h"

#include "base/arena.h"
#include "gateway/remote/admin_address.h"
#include "gateway/tls/tls_context.h"

#include <stdlib.h>

static Result read_tls(Arena *arena, const DialPeer *peer, Instance *instance)
{
    TlsFiles files = {
        .certificate = peer->certificate, .key = peer->key, .authorities = peer->ca, .http2 = true};
    instance->tls_name = instance->address.host;
    return tls_client_context(arena, &files, &instance->tls);
}

Result dial_peer_read(Arena *arena, const DialPeer *peer, Instance *instance_out)
{
    AdminAddress at;
    if (!admin_address_read(arena, peer->address, &at))
        return FAIL(arena, FAULT_BAD_VALUE,
                    "%s is not an address: write host:port, https://host or unix:/path",
                    peer->address);
    *instance_out = (Instance){
        .address = {.text = peer->address, .path = at.path, .host = at.host},
        .protocol = UPSTREAM_GRPC,
        .codec = CODEC_PROTO,
        .http2 = true,
        .authority = at.path ? "localhost" : arena_printf(arena, "%s:%s", at.host, at.port)};
    if (at.host)
        instance_out->address.port = (uint16_t)strtoul(at.port, NULL, 10);
    return at.tls ? read_tls(arena, peer, instance_out) : OK;
}
