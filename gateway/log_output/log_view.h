/*
 * LogView: a line of the log, read: its members by their names.
 *
 * What is shown of a line in another form than JSON (a template, syslog, the journal, a terminal)
 * is made of this, on the thread of the log's writer or of whoever reads the log: the line that a
 * loop has written says all there is. A view borrows the line; what it decodes is in its arena.
 */
#ifndef GATEWAY_LOG_VIEW_H
#define GATEWAY_LOG_VIEW_H

#include "base/bytes.h"

enum { LOG_VIEW_MEMBERS = 96 }; /* what is beyond is as if it were not there */

typedef struct LogMember {
    Bytes name;
    Bytes value; /* JSON, as it is in the line */
} LogMember;

typedef struct LogView {
    Arena *arena;
    Bytes line;
    LogMember members[LOG_VIEW_MEMBERS];
    uint32_t n;
} LogView;

/* False: it is not a JSON object. */
bool log_view_read(Bytes line, Arena *arena, LogView *view_out);

/* The JSON at a path: "code", "causes.0.fault", "fields.order.id". Empty: there is nothing. */
Bytes log_view_find(const LogView *view, Bytes path);

/* The same as a text: of a string what it says; of a number, an object or a list its JSON. */
Bytes log_view_text(const LogView *view, Bytes path);

static inline Bytes log_view_get(const LogView *view, const char *path)
{
    return log_view_text(view, bytes_of(path));
}

/* What a JSON value says, as above. In the arena, or in the value. */
Bytes log_value_text(Bytes value, Arena *arena);

/* The address of the client: as trusted proxies tell it, else of the peer, without its port. */
Bytes log_view_address(const LogView *view);

/* Whether the line is one of an event; else it is one of a call. */
bool log_view_is_event(const LogView *view);

/* How bad it is, by its member `level`: 3 error, 4 warning, 6 information, as syslog counts. */
int log_view_severity(const LogView *view);

#endif
