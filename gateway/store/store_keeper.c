#include "gateway/store/store_keeper.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/store/store_apart.h"
#include "gateway/store/store_report.h"
#include "gateway/telemetry/telemetry.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Of one kind. */
typedef struct Kept {
    StoreKeeper *keeper;
    const StoreKind *kind;
    int64_t keep;
    bool deleting; /* a step is under way */
    _Atomic int64_t rows, bytes, oldest;
    atomic_ullong n_deleted;
} Kept;

struct StoreKeeper {
    uv_timer_t timer;
    Store *store;
    StorePort *port;
    const StoreKinds *kinds;
    Kept *kept; /* one for each kind */
    size_t n;
    int64_t wall, now;    /* of the last beat */
    int64_t steady_since; /* monotonic */
    StoreSurvey measuring;
    _Atomic int64_t bytes;
    atomic_bool measured;
};

/* ---- Measuring ------------------------------------------------------------------------------- */

static void show(StoreKeeper *keeper, const StoreReport *report)
{
    for (uint32_t i = 0; i < report->n_tables; i++) {
        const StoreTable *table = &report->tables[i];
        atomic_store(&keeper->kept[i].rows, table->rows);
        atomic_store(&keeper->kept[i].bytes, table->bytes);
        atomic_store(&keeper->kept[i].oldest, table->oldest);
    }
    atomic_store(&keeper->bytes, report->bytes);
    atomic_store(&keeper->measured, true);
}

static void measure(void *owner)
{
    StoreKeeper *keeper = owner;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    StoreReport report;
    Result r = store_report(store_settings(keeper->store), keeper->kinds, false, arena, &report);
    if (failed(r))
        error_ignore(r, "the store tells when it cannot be used; the next beat tries again");
    else if (report.n_tables == keeper->n)
        show(keeper, &report);
    arena_free(arena);
}

void store_keeper_wait(StoreKeeper *keeper)
{
    store_survey_wait(&keeper->measuring);
}

/* ---- Deleting -------------------------------------------------------------------------------- */

static void delete_old(Kept *kept);

static void on_deleted(void *owner, Result result, StoreTask *task)
{
    Kept *kept = owner;
    kept->deleting = false;
    if (failed(result))
        return; /* the next beat tries again */
    atomic_fetch_add(&kept->n_deleted, (unsigned long long)task->last->changed);
    if (task->last->changed == STORE_STEP_ROWS)
        delete_old(kept);
}

/* Other gateways wait for the row until this transaction has ended, and then see what it left. */
static const char one_at_a_time[] = "UPDATE store_schema SET number = number WHERE number = 1";

static void delete_old(Kept *kept)
{
    if (kept->deleting || uv_is_closing((uv_handle_t *)&kept->keeper->timer))
        return;
    StoreTask *task = store_task_new(STORE_SOON);
    int64_t before = clock_wall() - kept->keep;
    if (kept->kind->uncount) {
        store_task_add(task, one_at_a_time);
        store_bind_integer(store_task_add(task, kept->kind->uncount), before);
    }
    store_bind_integer(store_task_add(task, kept->kind->delete_old), before);
    kept->deleting = true;
    store_submit(kept->keeper->port, task, on_deleted, kept);
}

/* ---- Beats ----------------------------------------------------------------------------------- */

static bool is_steady(StoreKeeper *keeper)
{
    int64_t wall = clock_wall(), now = clock_now();
    int64_t jump = (wall - keeper->wall) - (now - keeper->now);
    if (jump > KEEPER_JUMP || jump < -KEEPER_JUMP) {
        keeper->steady_since = now;
        telemetry_event("warning", "clock_jumped", OK,
                        "by %lld s: for an hour nothing is deleted from the store for its age",
                        (long long)(jump / SECOND));
    }
    keeper->wall = wall;
    keeper->now = now;
    return now - keeper->steady_since >= KEEPER_STEADY;
}

void store_keeper_beat(StoreKeeper *keeper)
{
    bool steady = is_steady(keeper);
    for (size_t i = 0; steady && i < keeper->n; i++)
        delete_old(&keeper->kept[i]);
    store_survey_begin(&keeper->measuring);
}

static void on_beat(uv_timer_t *timer)
{
    store_keeper_beat(timer->data);
}

StoreKeeper *store_keeper_start(uv_loop_t *loop, Store *store, StorePort *port,
                                const StoreKinds *kinds)
{
    StoreKeeper *keeper = calloc(1, sizeof *keeper);
    CHECK(keeper);
    keeper->store = store;
    keeper->measuring = (StoreSurvey){.store = store, .run = measure, .owner = keeper};
    keeper->port = port;
    keeper->kinds = kinds;
    keeper->n = kinds->n;
    keeper->kept = calloc(kinds->n, sizeof *keeper->kept);
    CHECK(keeper->kept);
    for (size_t i = 0; i < kinds->n; i++) {
        keeper->kept[i].keeper = keeper;
        keeper->kept[i].kind = &kinds->kinds[i];
    }
    keeper->wall = clock_wall();
    keeper->now = keeper->steady_since = clock_now();
    keeper->timer.data = keeper;
    CHECK(uv_timer_init(loop, &keeper->timer) == 0);
    CHECK(uv_timer_start(&keeper->timer, on_beat, KEEPER_FIRST_BEAT / MILLISECOND,
                         KEEPER_BEAT / MILLISECOND) == 0);
    return keeper;
}

void store_keeper_use(StoreKeeper *keeper, const Config *config)
{
    for (size_t i = 0; i < keeper->n; i++)
        keeper->kept[i].keep = store_kind_keep(keeper->kept[i].kind, config);
}

void store_keeper_stop(StoreKeeper *keeper)
{
    uv_close((uv_handle_t *)&keeper->timer, NULL);
}

void store_keeper_free(StoreKeeper *keeper)
{
    if (!store_survey_end(&keeper->measuring))
        return;
    free(keeper->kept);
    free(keeper);
}

/* ---- Metrics --------------------------------------------------------------------------------- */

static void add_kinds(Exposition *e, StoreKeeper *keeper)
{
    exposition_family(e, "passerelle_store_rows", METRIC_GAUGE, "Records in the store.");
    for (size_t i = 0; i < keeper->n; i++)
        exposition_number(e, "", &(Label){"table", keeper->kept[i].kind->table}, 1,
                          (uint64_t)atomic_load(&keeper->kept[i].rows));
    exposition_family(e, "passerelle_store_table_bytes", METRIC_GAUGE,
                      "Bytes of a table of the store, with its indexes.");
    for (size_t i = 0; i < keeper->n; i++)
        if (atomic_load(&keeper->kept[i].bytes) >= 0)
            exposition_number(e, "", &(Label){"table", keeper->kept[i].kind->table}, 1,
                              (uint64_t)atomic_load(&keeper->kept[i].bytes));
    exposition_family(e, "passerelle_store_oldest_timestamp_seconds", METRIC_GAUGE,
                      "The time from which the oldest record counts.");
    for (size_t i = 0; i < keeper->n; i++)
        if (atomic_load(&keeper->kept[i].rows))
            exposition_seconds(e, "", &(Label){"table", keeper->kept[i].kind->table}, 1,
                               atomic_load(&keeper->kept[i].oldest));
    exposition_single(e, "passerelle_store_bytes", METRIC_GAUGE,
                      "Size of the store: of the file, or of the PostgreSQL database.",
                      (uint64_t)atomic_load(&keeper->bytes));
}

void store_keeper_metrics_write(Exposition *e, void *owner)
{
    StoreKeeper *keeper = owner;
    if (atomic_load(&keeper->measured))
        add_kinds(e, keeper);
    exposition_family(e, "passerelle_store_expired", METRIC_COUNTER,
                      "Records that were deleted because of their age.");
    for (size_t i = 0; i < keeper->n; i++)
        exposition_number(e, "", &(Label){"table", keeper->kept[i].kind->table}, 1,
                          atomic_load(&keeper->kept[i].n_deleted));
}
