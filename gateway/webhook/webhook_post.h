/*
 * WebhookPost: one POST of JSON to a webhook, by libcurl.
 *
 * All of libcurl's settings are here. It sends no signal and asks no proxy, follows no redirect,
 * verifies certificates, and resolves names on a thread of its own, which a timeout does not wait
 * for. Of a response only the status counts: what is longer than WEBHOOK_RESPONSE_MOST is not read.
 * One thread.
 */
#ifndef GATEWAY_WEBHOOK_POST_H
#define GATEWAY_WEBHOOK_POST_H

#include "gateway/config/config.h"

#include <curl/curl.h>

enum { WEBHOOK_RESPONSE_MOST = 64 * 1024 /* bytes of head and body */ };

/* `begin` makes it from zeros, but for `body`; `end` leaves zeros. */
typedef struct WebhookPost {
    Buffer *body; /* takes the response's; NULL: nobody reads it */
    CURL *handle; /* NULL: none is under way */
    struct curl_slist *fields;
    size_t received;
    bool refused; /* the address is internal */
    char told[CURL_ERROR_SIZE];
} WebhookPost;

typedef enum WebhookOutcome {
    WEBHOOK_TAKEN,   /* 2xx */
    WEBHOOK_AGAIN,   /* it may be taken later */
    WEBHOOK_REFUSED, /* it never will */
} WebhookOutcome;

/* Nothing is borrowed: the config may go while it is under way. `type`: the content's, which
   is JSON. `id` is the same for all attempts.
   `wall`: nanoseconds since 1970, of this one. */
void webhook_post_begin(WebhookPost *post, CURLM *multi, const WebhookConfig *to, const char *type,
                        const char *id, Bytes json, int64_t wall);

/* "v1,K5oZ...=": what a receiver computes again, by Standard Webhooks 1.0: the HMAC-SHA256 of
   "ID.TIMESTAMP.BODY". In the arena. */
Bytes webhook_signature(Bytes secret, const char *id, int64_t seconds, Bytes body, Arena *arena);

/* Of one that libcurl says has ended with this code. `why_out` is a failure unless it was taken; it
   never has the URL. `after_out`: nanoseconds that the receiver wants to be left alone; 0: it said
   nothing. */
WebhookOutcome webhook_post_outcome(const WebhookPost *post, CURLcode code, Arena *arena,
                                    Result *why_out, int64_t *after_out);

/* Also for one that is under way, which is cut off, or that never began. */
void webhook_post_end(WebhookPost *post, CURLM *multi);

#endif
