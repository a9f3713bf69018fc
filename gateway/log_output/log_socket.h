/*
 * LogSocket: messages to syslog or the journal, by a datagram socket or a stream.
 *
 * It never waits for long: a receiver that takes nothing for a moment is waited for, once; until it
 * takes something again, what it does not take at once is lost. A connection that is lost is made
 * again with the next message; one that has taken nothing, at most once a second. One thread: the
 * writer's.
 */
#ifndef GATEWAY_LOG_SOCKET_H
#define GATEWAY_LOG_SOCKET_H

#include "base/bytes.h"
#include "gateway/log_output/log_config.h"

#include <sys/socket.h>

typedef struct LogSocket {
    struct sockaddr_storage address;
    socklen_t address_size;
    bool stream;
    bool by_memory; /* a message that is too large for a datagram goes as a file in memory */
    bool stalled;   /* it has not taken what it was waited for */
    bool proved;    /* this connection has taken something: another one may replace it at once */
    int fd;         /* -1: not connected */
    int64_t next;   /* clock_now from which it may connect again */
} LogSocket;

/* Connects nothing yet. False: the path is too long for a socket, or the host is no IP address. */
bool log_socket_init(LogSocket *socket, const LogOutputConfig *config);

/* False: the message is lost, or a part of it. */
bool log_socket_send(LogSocket *socket, Bytes message);

void log_socket_close(LogSocket *socket);

#endif
