/*
 * Channel: messages between the supervisor and a gateway that it runs, over a socket pair that
 * keeps their bounds. Descriptors travel with a message.
 *
 *      gateway --> supervisor   KEEP, MORE, DROP, PREPARED, SERVING, FAILED, UPGRADE, WRITTEN,
 *                               LEAVING, ALIVE, NOTIFY, LIMITS
 *      supervisor --> gateway   WRITE, GO, DRAIN, STAYS, LEFT
 *
 * A message is one letter, and a text behind it. Nothing here takes memory: the supervisor uses it.
 * Plain functions over descriptors; any thread.
 */
#ifndef GATEWAY_CHANNEL_H
#define GATEWAY_CHANNEL_H

#include "base/bytes.h"

enum { CHANNEL_TEXT = 4096, CHANNEL_FDS = 64, CHANNEL_NAME = 160 };

/* Letter, name, meaning. */
#define CHANNEL_MESSAGES(MESSAGE)                                                                  \
    MESSAGE('k', KEEP)     /* the descriptors have this name from now on, and no others do */      \
    MESSAGE('m', MORE)     /* these have it, too */                                                \
    MESSAGE('d', DROP)     /* none has it any more */                                              \
    MESSAGE('p', PREPARED) /* of a successor: it has proved that it can answer */                  \
    MESSAGE('s', SERVING)  /* it takes calls */                                                    \
    MESSAGE('f', FAILED)   /* the text says why it is about to end */                              \
    MESSAGE('u', UPGRADE)  /* somebody wants one */                                                \
    MESSAGE('w', WRITTEN)  /* what the successor needs is kept */                                  \
    MESSAGE('e', LEAVING)  /* it ends in order, and has no successor */                            \
    MESSAGE('a', ALIVE)    /* all its threads turn */                                              \
    MESSAGE('n', NOTIFY)   /* the text is for the service manager */                               \
    MESSAGE('l', LIMITS)   /* settings of the supervisor, as limits_write writes them */           \
    MESSAGE('W', WRITE)    /* keep what a successor needs, then say WRITTEN */                     \
    MESSAGE('G', GO)       /* take calls, then say SERVING */                                      \
    MESSAGE('D', DRAIN)    /* the successor serves */                                              \
    MESSAGE('S', STAYS)    /* there will be no successor; the text says why */                     \
    MESSAGE('L', LEFT)     /* after LEAVING: the supervisor has closed its sockets */

typedef enum MessageKind {
    MESSAGE_NONE,
#define MESSAGE(letter, name) MESSAGE_##name,
    CHANNEL_MESSAGES(MESSAGE)
#undef MESSAGE
} MessageKind;

typedef struct Message {
    MessageKind kind;
    Bytes text;           /* no NUL in it; borrowed from `bytes` of a message that was received */
    int fds[CHANNEL_FDS]; /* of one that was received: owned by the receiver */
    uint32_t n_fds;
    uint8_t bytes[1 + CHANNEL_TEXT];
} Message;

typedef enum ChannelOutcome {
    CHANNEL_MESSAGE,
    CHANNEL_EMPTY,  /* nothing more for now */
    CHANNEL_CLOSED, /* the other side has ended */
} ChannelOutcome;

/* Two ends that do not block, closed on exec. False: there are no descriptors. */
bool channel_open(int ends_out[2]);

/* Sends it, with `n` <= CHANNEL_FDS descriptors, which stay the caller's. Waits up to a second for
   room. A text that is too long is cut. False: it was not sent. */
bool channel_send(int channel, MessageKind kind, Bytes text, const int *fds, uint32_t n);

/* Receives one; what is no message is passed over. */
ChannelOutcome channel_receive(int channel, Message *message_out);

/* Reads what was received in `bytes`. False: it is no message. */
bool message_read(Message *message, size_t size);

/* Closes descriptors that nobody has taken; those that were are -1. */
void message_close(Message *message);

#endif
