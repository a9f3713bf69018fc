/*
 * LedgerWebhooks: the webhooks of the config, with the kinds of failures that each was told of.
 *
 * Runs over the rows of the ledger after each collection, and hands what is due to the sender,
 * whose thread there is from the first webhook on. Belongs to the main thread, but for the metrics.
 */
#ifndef GATEWAY_LEDGER_WEBHOOKS_H
#define GATEWAY_LEDGER_WEBHOOKS_H

#include "gateway/ledger/triggers.h"
#include "gateway/webhook/webhook_sender.h"

typedef struct LedgerWebhook LedgerWebhook;

/* Zeros are the beginning. */
typedef struct LedgerWebhooks {
    WebhookSender *_Atomic sender; /* NULL: there never was a webhook */
    LedgerWebhook *items;
    uint32_t n;
    const Config *config; /* borrowed */
} LedgerWebhooks;

/* Those of this config, which stays until another one is used. One with the name of one before
   knows what that was told of. */
void ledger_webhooks_use(LedgerWebhooks *webhooks, const Config *config, int64_t wall);

/* `page->redact` has the names of members that tell who clients are, too. `now`: clock_now. */
void ledger_webhooks_run(LedgerWebhooks *webhooks, const LedgerPage *page, int64_t now);

/* A weak signal: one bit of WebhookConfig.signals, its id, and what is told as JSON. */
typedef struct LedgerSignal {
    uint32_t kind;
    const char *id;
    Bytes json;
} LedgerSignal;

/* Posts it to those who are told of such signals. */
void ledger_webhooks_tell_signal(LedgerWebhooks *webhooks, const LedgerSignal *signal,
                                 const char *node, int64_t wall);

/* Waits a moment for what is under way. */
void ledger_webhooks_stop(LedgerWebhooks *webhooks);

void ledger_webhooks_free(LedgerWebhooks *webhooks);

/* Any thread. */
void ledger_webhooks_metrics_write(Exposition *e, const LedgerWebhooks *webhooks);

#endif
