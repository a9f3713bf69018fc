/*
 * WebhookSender: posts about failures on their way to receivers elsewhere.
 *
 *      main thread   send ----> queue of the receiver
 *      its thread               first of each queue ----> POST ----> taken, or again later, or lost
 *
 * A thread of its own, so that no loop waits for a name, a handshake or a response. Each receiver
 * has a queue and one request under way: one that hangs holds up nobody else. What fails is tried
 * again with exponential backoff and full jitter, then told as the event `webhook_failed`; what the
 * queue has no room for is told as `webhook_dropped`. All functions are for the main thread, except
 * for webhook_sender_metrics_write.
 */
#ifndef GATEWAY_WEBHOOK_SENDER_H
#define GATEWAY_WEBHOOK_SENDER_H

#include "gateway/config/config.h"
#include "gateway/telemetry/exposition.h"

typedef struct WebhookSender WebhookSender;

/* Starts the thread. Never NULL. */
WebhookSender *webhook_sender_start(void);

/* The receivers from now on, which are known by their names; the config is copied. What waits for
   one that is gone is dropped, and its request is cut off. */
void webhook_sender_use(WebhookSender *sender, const WebhookConfig *webhooks, uint32_t n);

/* One post of JSON; both are copied. `id` tells the receiver that it has had it already. False: it
   was dropped. */
bool webhook_sender_send(WebhookSender *sender, const char *name, const char *id, Bytes json);

/* The id of a post that was not taken, each once; NULL: there are no more. In the arena. Of many at
   a time only as many as the queue has room for are remembered. */
const char *webhook_sender_lost(WebhookSender *sender, const char *name, Arena *arena);

/* Counts one that its limits held back. */
void webhook_sender_count_limited(WebhookSender *sender, const char *name);

/* Ends when all is sent that need not be tried again, a second later at most; the rest is dropped.
 */
void webhook_sender_stop(WebhookSender *sender);

/* After it was stopped; NULL is allowed. */
void webhook_sender_free(WebhookSender *sender);

/* For metrics; any thread. */
void webhook_sender_metrics_write(Exposition *e, WebhookSender *sender);

#endif
