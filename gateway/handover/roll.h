/*
 * Roll: what a supervisor hands to a process that it starts, as a text of lines in a memory file:
 * which descriptors it has, and what they are.
 *
 *      channel 5                      to the supervisor
 *      crash 6                        where a backtrace goes
 *      successor                      another gateway serves until this one does
 *      kept 7 127.0.0.1:8080          a descriptor with the name under which it is kept
 *
 * A supervisor that replaces itself hands on what it has in the same way, with the lines of
 * supervisor_state.h besides. Pure.
 */
#ifndef GATEWAY_ROLL_H
#define GATEWAY_ROLL_H

#include "base/bytes.h"

/* The variable of the environment with the number of the memory file. */
#define ROLL_VARIABLE "PASSERELLE_ROLL"

typedef struct RollLine {
    Bytes word;
    int fd;     /* -1: the line has none */
    Bytes rest; /* behind the number, to the end of the line; may be empty */
} RollLine;

/* The next line; false: there is none. Lines that cannot be read are passed over. */
bool roll_next(Bytes *rest, RollLine *line_out);

/* Whether the name may be on a line: not empty, shorter than CHANNEL_NAME, no control characters.
 */
bool roll_name(Bytes name);

#endif
