#include "gateway/store/store_metrics.h"

#include "gateway/store/store.h"

void store_metrics_write(Exposition *e, void *store)
{
    StoreStats stats = store_stats(store);
    const struct {
        const char *result;
        uint64_t n;
    } results[] = {{"done", stats.done},
                   {"conflict", stats.conflicts},
                   {"failed", stats.failed},
                   {"given_up", stats.given_up}};
    exposition_family(e, "passerelle_store_up", METRIC_GAUGE,
                      "Whether the store can be used; all its connections.");
    exposition_number(e, "", &(Label){"kind", stats.kind}, 1, stats.up);
    exposition_single(e, "passerelle_store_made_empty", METRIC_COUNTER,
                      "New, empty stores that were made in place of one that had gone.",
                      stats.made_empty);
    exposition_single(e, "passerelle_store_waiting", METRIC_GAUGE, "Tasks that wait for the store.",
                      stats.waiting);
    exposition_family(e, "passerelle_store_tasks", METRIC_COUNTER,
                      "Tasks of the store, by their result.");
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        exposition_number(e, "", &(Label){"result", results[i].result}, 1, results[i].n);
    exposition_single(e, "passerelle_store_batches", METRIC_COUNTER,
                      "Groups of tasks that were executed together.", stats.batches);
    exposition_family(e, "passerelle_store_busy_seconds", METRIC_COUNTER,
                      "Time that the store's threads spent executing tasks.");
    exposition_seconds(e, "", NULL, 0, stats.busy);
}
