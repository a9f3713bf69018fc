/*
 * message_check: whether bytes are a message of a type, as a service that parses them sees it.
 *
 * For a message that passed unread and with which a service then failed: is it to blame? So it is
 * as strict as the strictest of protobuf's implementations: all strings are UTF-8, known fields
 * have their own wire type, required ones are there. Unknown fields are allowed. Pure; any thread.
 */
#ifndef ADAPTERS_MESSAGE_CHECK_H
#define ADAPTERS_MESSAGE_CHECK_H

#include "adapters/schema/schema.h"

typedef enum MessageCheck {
    MESSAGE_CHECK_VALID,
    MESSAGE_CHECK_NOT_WIRE,   /* the wire format is broken, or a field has another wire type */
    MESSAGE_CHECK_NOT_UTF8,   /* a string */
    MESSAGE_CHECK_TOO_DEEP,   /* more than `depth` messages in one another */
    MESSAGE_CHECK_INCOMPLETE, /* a required field is missing */
    MESSAGE_CHECK_TOO_LONG,   /* it would take more than `most`: not known */
} MessageCheck;

/* `most`: about how many bytes are looked at. Those of bytes fields are none. */
MessageCheck message_check(const MessageType *type, Bytes message, uint32_t depth, size_t most);

#endif
