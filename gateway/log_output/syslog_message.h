/*
 * SyslogMessage: one line of the log as a message of syslog. Pure; any thread.
 *
 *   RFC 5424   <134>1 2026-11-30T10:33:00.123Z gw1 passerelle 4711 call - {"time": ...
 *   local      <134>Nov 30 11:33:00 passerelle[4711]: {"time": ...      what libc sends
 *
 * A message that is longer than the receiver may take is cut, in the end of its text and between
 * two characters of UTF-8.
 */
#ifndef GATEWAY_SYSLOG_MESSAGE_H
#define GATEWAY_SYSLOG_MESSAGE_H

#include "gateway/log_output/log_view.h"

enum {
    SYSLOG_LOCAL0 = 16,  /* a facility */
    SYSLOG_LEAST = 480,  /* bytes that each receiver must take: RFC 5424 section 6.1 */
    SYSLOG_MOST = 65000, /* what a datagram holds */
};

typedef struct SyslogForm {
    bool local;       /* as libc sends it, in the time of this machine; else RFC 5424 */
    bool counted;     /* with its length before it, over a stream: RFC 6587 section 3.4.1 */
    uint8_t facility; /* 0 to 23 */
    size_t most;      /* bytes of a message */
    const char *host; /* of RFC 5424 */
    long process;
} SyslogForm;

/* Adds the message, whose text is that of the line in the output's format. False: it was cut. */
bool syslog_message_write(const SyslogForm *form, const LogView *view, Bytes text, Buffer *out);

/* The facility with this name, "local0", "daemon"; -1: there is none. */
int syslog_facility(const char *name);

/* All of them, which end with NULL, in their order. */
extern const char *const syslog_facilities[];

#endif
