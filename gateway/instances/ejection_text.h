/*
 * EjectionText: what is known of ejections and checks, as a text for the gateway that takes the
 * place of this one on the same machine since its last start.
 *
 *      "ejected_at until returned_at times reason unhealthy warm_since address\n", for each
 * instance
 *
 * Times are monotonic nanoseconds. Instances are found again by their address.
 */
#ifndef GATEWAY_EJECTION_TEXT_H
#define GATEWAY_EJECTION_TEXT_H

#include "base/bytes.h"
#include "gateway/instances/instances.h"

/* Adds a line for each known instance of which there is something to tell. On the thread of the
   judge. */
void ejections_write(Buffer *out);

/* Takes such a text over into the instances that are known now, and returns for how many. Lines
   that are wrong, or of others, are left out. On the thread of the judge, before checks begin. */
uint32_t ejections_read(Bytes text, int64_t now);

#endif
