#include "gateway/ledger/ledger_webhooks.h"

#include "base/arena.h"
#include "base/text/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct LedgerWebhook {
    char *name;
    const WebhookConfig *to; /* of the config */
    Trigger trigger;
};

/* ---- What is posted -------------------------------------------------------------------------- */

static void write_post(const LedgerPage *page, const LedgerRank *rank, const LedgerWebhook *webhook,
                       const char *reason, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_member(out, "webhook", bytes_of(webhook->name));
    json_text_add_member(out, "reason", bytes_of(reason));
    json_text_add_member(out, "node", bytes_of(page->node));
    ledger_add_time(out, "at", page->wall);
    json_text_add_key(out, "failure");
    ledger_row_write(page, rank, out);
    buffer_add_byte(out, '}');
}

/* False: it was dropped. */
static bool post(LedgerWebhooks *webhooks, const LedgerPage *page, const LedgerRank *rank,
                 const LedgerWebhook *webhook, const char *reason)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer json = buffer_in(arena);
    const char *id = arena_printf(arena, "%016" PRIx64 "-%016" PRIx64, rank->row->fingerprint,
                                  (uint64_t)page->wall);
    write_post(page, rank, webhook, reason, &json);
    bool waits = webhook_sender_send(webhooks->sender, webhook->name, id, buffer_bytes(&json));
    arena_free(arena);
    return waits;
}

/* By the ids of post(). */
static void take_lost(LedgerWebhooks *webhooks, LedgerWebhook *webhook, Arena *arena)
{
    const char *id;
    while ((id = webhook_sender_lost(webhooks->sender, webhook->name, arena)))
        trigger_lost(&webhook->trigger, strtoull(id, NULL, 16));
}

/* ---- What is due ----------------------------------------------------------------------------- */

/* The service of an RPC; empty: it is none, or not of this config. */
static Bytes service_of(const Config *config, const FailureRow *row, Arena *arena)
{
    const char *path = arena_printf(arena, "/%.*s", BYTES_ARGS(row->key.method));
    const Method *method = table_get(&config->methods, bytes_of(path));
    return method ? bytes_of(method->version->service->name) : BYTES_NONE;
}

/* Held back, it counts when it fails anew, not with each run. */
static void try_kind(LedgerWebhooks *webhooks, const LedgerPage *page, LedgerWebhook *webhook,
                     const LedgerRank *rank, Bytes service, int64_t now)
{
    const WebhookConfig *to = webhook->to;
    if (to->signals_only)
        return;
    TriggerLimits limits = {.every = to->every, .per_hour = to->per_hour};
    const char *reason =
        trigger_reason(&webhook->trigger, &to->when, to->every, rank, service, page->wall, now);
    if (!reason)
        return;
    if (trigger_take(&webhook->trigger, &limits, rank->row, now)) {
        if (!post(webhooks, page, rank, webhook, reason))
            trigger_lost(&webhook->trigger, rank->row->fingerprint);
    } else if (trigger_held_anew(&webhook->trigger, rank->row)) {
        webhook_sender_count_limited(webhooks->sender, webhook->name);
    }
}

void ledger_webhooks_run(LedgerWebhooks *webhooks, const LedgerPage *page, int64_t now)
{
    if (!webhooks->n)
        return;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (uint32_t k = 0; k < webhooks->n; k++)
        take_lost(webhooks, &webhooks->items[k], arena);
    const LedgerRank *ranks = ledger_rank(arena, page, &page->all->failures);
    for (uint32_t i = 0; i < page->all->failures.n; i++) {
        Bytes service = service_of(webhooks->config, ranks[i].row, arena);
        for (uint32_t k = 0; k < webhooks->n; k++)
            try_kind(webhooks, page, &webhooks->items[k], &ranks[i], service, now);
    }
    arena_free(arena);
}

/* ---- Signals --------------------------------------------------------------------------------- */

static void post_signal(LedgerWebhooks *webhooks, const LedgerWebhook *webhook,
                        const LedgerSignal *signal, const char *node, int64_t wall)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer json = buffer_in(arena);
    buffer_add_byte(&json, '{');
    json_text_add_member(&json, "webhook", bytes_of(webhook->name));
    json_text_add_member(&json, "node", bytes_of(node));
    ledger_add_time(&json, "at", wall);
    json_text_add_key(&json, "signal");
    buffer_add_bytes(&json, signal->json);
    buffer_add_byte(&json, '}');
    webhook_sender_send(webhooks->sender, webhook->name, signal->id, buffer_bytes(&json));
    arena_free(arena);
}

void ledger_webhooks_tell_signal(LedgerWebhooks *webhooks, const LedgerSignal *signal,
                                 const char *node, int64_t wall)
{
    for (uint32_t i = 0; i < webhooks->n; i++)
        if (webhooks->items[i].to->signals & signal->kind)
            post_signal(webhooks, &webhooks->items[i], signal, node, wall);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void free_item(LedgerWebhook *webhook)
{
    trigger_deinit(&webhook->trigger);
    free(webhook->name);
}

static LedgerWebhook *find(const LedgerWebhooks *webhooks, const char *name)
{
    for (uint32_t i = 0; i < webhooks->n; i++)
        if (webhooks->items[i].name && strcmp(webhooks->items[i].name, name) == 0)
            return &webhooks->items[i];
    return NULL;
}

/* Moves what the one of before knows. */
static LedgerWebhook make_item(LedgerWebhooks *before, const WebhookConfig *to, int64_t wall)
{
    LedgerWebhook *known = find(before, to->name);
    LedgerWebhook item = {.name = text_copy(to->name), .trigger = {.since = wall}};
    if (known) {
        item.trigger = known->trigger;
        known->trigger = (Trigger){.since = 0};
    }
    item.to = to;
    return item;
}

void ledger_webhooks_use(LedgerWebhooks *webhooks, const Config *config, int64_t wall)
{
    const LedgerConfig *ledger = &config->ledger;
    LedgerWebhook *items = calloc(ledger->n_webhooks + 1, sizeof *items);
    CHECK(items);
    for (uint32_t i = 0; i < ledger->n_webhooks; i++)
        items[i] = make_item(webhooks, &ledger->webhooks[i], wall);
    for (uint32_t i = 0; i < webhooks->n; i++)
        free_item(&webhooks->items[i]);
    free(webhooks->items);
    webhooks->items = items;
    webhooks->n = ledger->n_webhooks;
    webhooks->config = config;
    if (!webhooks->sender && webhooks->n)
        webhooks->sender = webhook_sender_start();
    if (webhooks->sender)
        webhook_sender_use(webhooks->sender, ledger->webhooks, ledger->n_webhooks);
}

void ledger_webhooks_stop(LedgerWebhooks *webhooks)
{
    if (webhooks->sender)
        webhook_sender_stop(webhooks->sender);
}

void ledger_webhooks_free(LedgerWebhooks *webhooks)
{
    for (uint32_t i = 0; i < webhooks->n; i++)
        free_item(&webhooks->items[i]);
    free(webhooks->items);
    webhook_sender_free(webhooks->sender);
}

void ledger_webhooks_metrics_write(Exposition *e, const LedgerWebhooks *webhooks)
{
    WebhookSender *sender = webhooks->sender;
    if (sender)
        webhook_sender_metrics_write(e, sender);
}
