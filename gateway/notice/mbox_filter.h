/*
 * MboxFilter: a mailbox as lines of JSON, by the program passerelle-mbox, which lies beside this
 * one or is in the path: mails are read by a process that has little memory and time, and nothing
 * to lose.
 */
#ifndef GATEWAY_MBOX_FILTER_H
#define GATEWAY_MBOX_FILTER_H

#include "base/bytes.h"
#include "base/result.h"

/* Whether the text is a mailbox: its first line begins with "From ". */
bool mbox_is_one(Bytes text);

/* `client`, `source`: for all messages; NULL: what each says. The lines are in the arena. Faults:
   SYSTEM: there is no such program, or it ended badly; MESSAGE_TOO_LARGE. */
MUST_USE Result mbox_filter(Arena *arena, Bytes mbox, const char *client, const char *source,
                            Bytes *lines_out);

#endif
