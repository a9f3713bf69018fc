/*
 * Channel: notices between the supervisor and a gateway that it runs, over a socket pair that
 * keeps their bounds. Descriptors travel with a notice.
 *
 *      gateway --> supervisor   KEEP, MORE, DROP, PREPARED, SERVING, FAILED, UPGRADE, WRITTEN,
 *                               LEAVING, ALIVE, NOTIFY, LIMITS
 *      supervisor --> gateway   WRITE, GO, DRAIN, STAYS, LEFT
 *
 * A notice is one letter, and a text behind it. Nothing here takes memory: the supervisor uses it.
 * Plain functions over descriptors; any thread.
 */
#ifndef GATEWAY_CHANNEL_H
#define GATEWAY_CHANNEL_H

#include "base/bytes.h"

enum { CHANNEL_TEXT = 4096, CHANNEL_FDS = 64, CHANNEL_NAME = 160 };

/* Letter, name, meaning. */
#define CHANNEL_NOTICES(NOTICE)                                                                    \
    NOTICE('k', KEEP)     /* the descriptors have this name from now on, and no others do */       \
    NOTICE('m', MORE)     /* these have it, too */                                                 \
    NOTICE('d', DROP)     /* none has it any more */                                               \
    NOTICE('p', PREPARED) /* of a successor: it has proved that it can answer */                   \
    NOTICE('s', SERVING)  /* it takes calls; the text names its config */                          \
    NOTICE('f', FAILED)   /* the text says why it is about to end */                               \
    NOTICE('u', UPGRADE)  /* somebody wants one */                                                 \
    NOTICE('w', WRITTEN)  /* what the successor needs is kept */                                   \
    NOTICE('e', LEAVING)  /* it ends in order, and has no successor */                             \
    NOTICE('a', ALIVE)    /* all its threads turn */                                               \
    NOTICE('n', NOTIFY)   /* the text is for the service manager */                                \
    NOTICE('l', LIMITS)   /* settings of the supervisor, as limits_write writes them */            \
    NOTICE('W', WRITE)    /* keep what a successor needs, then say WRITTEN */                      \
    NOTICE('G', GO)       /* take calls, then say SERVING */                                       \
    NOTICE('D', DRAIN)    /* the successor serves, and has said this text */                       \
    NOTICE('S', STAYS)    /* there will be no successor; the text says why */                      \
    NOTICE('L', LEFT)     /* after LEAVING: the supervisor has closed its sockets */

typedef enum NoticeKind {
    NOTICE_NONE,
#define NOTICE(letter, name) NOTICE_##name,
    CHANNEL_NOTICES(NOTICE)
#undef NOTICE
} NoticeKind;

typedef struct Notice {
    NoticeKind kind;
    Bytes text;           /* no NUL in it; borrowed from `bytes` of a notice that was received */
    int fds[CHANNEL_FDS]; /* of one that was received: owned by the receiver */
    uint32_t n_fds;
    uint8_t bytes[1 + CHANNEL_TEXT];
} Notice;

typedef enum ChannelOutcome {
    CHANNEL_NOTICE,
    CHANNEL_EMPTY,  /* nothing more for now */
    CHANNEL_CLOSED, /* the other side has ended */
} ChannelOutcome;

/* Two ends that do not block, closed on exec. False: there are no descriptors. */
bool channel_open(int ends_out[2]);

/* Sends it, with `n` <= CHANNEL_FDS descriptors, which stay the caller's. Waits up to a second for
   room. A text that is too long is cut. False: it was not sent. */
bool channel_send(int channel, NoticeKind kind, Bytes text, const int *fds, uint32_t n);

/* Receives one; what is no notice is passed over. */
ChannelOutcome channel_receive(int channel, Notice *notice_out);

/* Reads what was received in `bytes`. False: it is no notice. */
bool notice_read(Notice *notice, size_t size);

/* Closes descriptors that nobody has taken; those that were are -1. */
void notice_close(Notice *notice);

#endif
