/*
 * DialPeer: an instance, or a gateway, that the config does not have: reached by what the command
 * line says, in gRPC.
 *
 *      127.0.0.1:7001   http://gw:8080   unix:/run/x.sock     cleartext
 *      https://gw                                             TLS, with the system's authorities
 */
#ifndef GATEWAY_DIAL_PEER_H
#define GATEWAY_DIAL_PEER_H

#include "gateway/config/config.h"

typedef struct DialPeer {
    const char *address;
    const char *ca, *certificate, *key; /* files, PEM; NULL: none */
} DialPeer;

/* Texts are borrowed from `peer`; the caller frees instance_out->tls. Faults: BAD_VALUE (no
   address), NO_FILE, TLS and others of tls_client_context. */
MUST_USE Result dial_peer_read(Arena *arena, const DialPeer *peer, Instance *instance_out);

#endif
