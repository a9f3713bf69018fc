/*
 * MailJson: the messages of a mailbox (mbox), each as a line of JSON that `passerelle feedback
 * import` enters: {"id": ..., "client": ..., "at": ..., "source": ..., "words": ...}.
 *
 * For a program of its own (passerelle-mbox), which is all that is linked with libgmime: mails are
 * hostile, and neither the gateway nor its operators' command has to hold what a MIME parser does
 * with them. Of a message the subject and the first text are taken, without what it quotes of
 * others; HTML without its tags. One thread.
 */
#ifndef GATEWAY_MAIL_JSON_H
#define GATEWAY_MAIL_JSON_H

#include "base/bytes.h"

enum {
    MAIL_WORDS_MOST = 8192,  /* bytes of words */
    MAIL_PARTS_MOST = 100,   /* of a message that are looked at */
    MAIL_FIELD_MOST = 16384, /* bytes of a field of a head; a message with a longer one, or with
                                what may be one, is left out */
};

typedef struct MailRules {
    const char *client; /* whose all messages are; NULL: their senders' */
    const char *source; /* NULL: "mail" */
} MailRules;

typedef struct MailCounts {
    uint64_t taken,
        left_out; /* messages; those without words or a sender, or with a field too long */
} MailCounts;

/* Reads all of it; `on_line` gets each line with its end. */
MailCounts mail_json_write(Bytes mbox, const MailRules *rules,
                           void (*on_line)(void *owner, Bytes line), void *owner);

#endif
