/*
 * The file of a unix socket: who may connect to it. Any thread.
 */
#ifndef GATEWAY_SOCKET_FILE_H
#define GATEWAY_SOCKET_FILE_H

#include "gateway/config/config.h"

/*
 * Gives the file of a unix socket these rights; on the way, nobody has more than before or after.
 * Without a file, which somebody has removed, nothing happens. Fault: SYSTEM.
 */
MUST_USE Result socket_file_give(Arena *arena, const Address *address, const SocketRights *rights);

#endif
