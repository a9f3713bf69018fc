/*
 * AdminLink: a connection to the admin listener of a gateway: a unix socket, TCP, or TLS over TCP.
 *
 * Functions block, all together until the deadline that admin_link_open was given; only the lookup
 * of a host name may take longer. One thread.
 */
#ifndef GATEWAY_ADMIN_LINK_H
#define GATEWAY_ADMIN_LINK_H

#include "base/bytes.h"
#include "base/result.h"
#include "gateway/remote/admin_address.h"
#include "gateway/tls/tls_context.h"

typedef struct AdminLink AdminLink;

/*
 * Connects, and with TLS verifies that the peer's certificate is one for this host. `files`: the
 * authorities (NULL: the system's), and our certificate and key (may be NULL). Faults: BAD_CONFIG,
 * with the field of `files` that is wrong; TLS; SYSTEM. Results live in `arena`, as does the link,
 * which admin_link_close ends.
 */
MUST_USE Result admin_link_open(Arena *arena, const AdminAddress *address, const TlsFiles *files,
                                int64_t deadline, AdminLink **link_out);

/* Sends some of the bytes. Faults: as above. */
MUST_USE Result admin_link_send(AdminLink *link, Bytes bytes, size_t *sent_out);

/* Waits for bytes; 0: the peer has ended. Faults: as above. */
MUST_USE Result admin_link_receive(AdminLink *link, uint8_t *room, size_t size, size_t *size_out);

/* From now on its functions have until then. */
void admin_link_extend(AdminLink *link, int64_t deadline);

/* Whether what is sent can be read on the way: TCP without TLS, and not to this machine. */
bool admin_link_is_open_to_others(const AdminLink *link);

void admin_link_close(AdminLink *link);

#endif
