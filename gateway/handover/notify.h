/*
 * Notify: what a service manager is told of this process: sd_notify(3), whose protocol is a text in
 * one datagram. Any thread, but for notify_begin.
 */
#ifndef GATEWAY_NOTIFY_H
#define GATEWAY_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* First, before other threads. The variables of the environment stay: a successor needs them. */
void notify_begin(void);

/* Sends the lines, such as "READY=1\nSTATUS=...". Does nothing if nobody listens. */
void notify_send(const char *lines);

/* "RELOADING=1" with the time that systemd wants with it. */
void notify_reloading(void);

/* How often it wants to hear that the process works, in nanoseconds; 0: it does not. */
int64_t notify_watchdog(void);

#endif
