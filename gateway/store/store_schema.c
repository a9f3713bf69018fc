#include "gateway/store/store_schema.h"

#include "base/arena.h"

typedef struct Migration {
    int64_t oldest_reader; /* a gateway must know this migration to use the database after it */
    const char *sql;
    const char *postgresql; /* what is done there besides, or NULL */
} Migration;

/* The types are those that both databases know: SQLite takes any name, and keeps 64-bit numbers,
   texts and bytes as they are. Times are nanoseconds since 1970. */
static const Migration migrations[] = {
    /* Which gateways share the store. */
    {1, "CREATE TABLE gateways ("
        " node TEXT NOT NULL PRIMARY KEY,"
        " version TEXT NOT NULL,"
        " generation BIGINT NOT NULL,"
        " config_hash TEXT NOT NULL,"
        " started BIGINT NOT NULL,"
        " last_seen BIGINT NOT NULL)"},
    /* What operators changed. */
    {1, "CREATE TABLE audit ("
        " id TEXT NOT NULL PRIMARY KEY,"
        " at BIGINT NOT NULL,"
        " node TEXT NOT NULL,"
        " who TEXT NOT NULL,"
        " proved_by TEXT NOT NULL,"
        " action TEXT NOT NULL,"
        " why TEXT NOT NULL,"
        " generation_before BIGINT NOT NULL,"
        " hash_before TEXT NOT NULL,"
        " generation_after BIGINT NOT NULL,"
        " hash_after TEXT NOT NULL,"
        " result TEXT NOT NULL);"
        "CREATE INDEX audit_at ON audit (at)"},
    /* The reason, where it is sealed; `why` is empty then. */
    {1, "ALTER TABLE audit ADD COLUMN why_sealed BYTEA"},
    /* The ledger: the kinds of failures that each gateway has seen, and what operators say of them.
       The key is the gateway with the fingerprint. */
    {1, "CREATE TABLE failures ("
        " id TEXT NOT NULL PRIMARY KEY,"
        " node TEXT NOT NULL,"
        " last BIGINT NOT NULL,"
        " content BYTEA NOT NULL);"
        "CREATE INDEX failures_last ON failures (last);"
        "CREATE TABLE annotations ("
        " fingerprint TEXT NOT NULL PRIMARY KEY,"
        " owner TEXT NOT NULL,"
        " cause TEXT NOT NULL,"
        " ticket TEXT NOT NULL,"
        " acknowledged BIGINT NOT NULL,"
        " criticality BIGINT NOT NULL,"
        " who TEXT NOT NULL,"
        " why TEXT NOT NULL,"
        " at BIGINT NOT NULL)"},
    /* Mistakes of clients apart from failures, and how often each kind was counted; what operators
       say, where it is sealed: the texts are empty then. */
    {1, "ALTER TABLE failures ADD COLUMN mistake BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE failures ADD COLUMN times BIGINT NOT NULL DEFAULT 0;"
        "CREATE INDEX failures_of_node ON failures (node, mistake, last);"
        "ALTER TABLE annotations ADD COLUMN sealed BYTEA"},
    /* Jobs: gateway/job_store/job_sql.h. Most indexes hold only those that are looked for by them,
       so that accepting a job adds to few. */
    {1, "CREATE TABLE jobs ("
        " id TEXT NOT NULL PRIMARY KEY,"
        " definition TEXT NOT NULL,"
        " revision BIGINT NOT NULL,"
        " structure BIGINT NOT NULL,"
        " client TEXT NOT NULL,"
        " resource TEXT NOT NULL,"
        " request_id TEXT NOT NULL,"
        " impact BIGINT NOT NULL,"
        " created BIGINT NOT NULL,"
        " keep BIGINT NOT NULL,"
        " expires BIGINT NOT NULL DEFAULT 0,"
        " stage BIGINT NOT NULL,"
        " behind BIGINT NOT NULL,"
        " state TEXT NOT NULL,"
        " step TEXT NOT NULL DEFAULT '',"
        " since BIGINT NOT NULL,"
        " changed BIGINT NOT NULL,"
        " step_number BIGINT NOT NULL DEFAULT 0,"
        " begun BIGINT NOT NULL DEFAULT 0,"
        " undone BIGINT NOT NULL DEFAULT 0,"
        " undoing BIGINT NOT NULL DEFAULT 0,"
        " cancelled BIGINT NOT NULL DEFAULT 0,"
        " tries BIGINT NOT NULL DEFAULT 0,"
        " step_began BIGINT NOT NULL DEFAULT 0,"
        " due BIGINT NOT NULL,"
        " wake BIGINT NOT NULL,"
        " fault TEXT NOT NULL DEFAULT '',"
        " fault_step TEXT NOT NULL DEFAULT '',"
        " code BIGINT NOT NULL DEFAULT 0,"
        " message BYTEA,"
        " owner TEXT NOT NULL DEFAULT '',"
        " token BIGINT NOT NULL DEFAULT 0,"
        " claim BIGINT NOT NULL DEFAULT 0,"
        " ordered TEXT NOT NULL DEFAULT '',"
        " ordered_by TEXT NOT NULL DEFAULT '',"
        " ordered_why BYTEA,"
        " content BYTEA NOT NULL);"
        "CREATE INDEX jobs_next ON jobs (definition, revision, structure, client, id)"
        " WHERE stage = 0 AND behind = 0;"
        "CREATE INDEX jobs_wake ON jobs (wake) WHERE stage = 1 AND owner = '';"
        "CREATE INDEX jobs_ahead ON jobs (changed) WHERE stage = 1 AND owner = '';"
        "CREATE INDEX jobs_running ON jobs (definition, client) WHERE stage = 1;"
        "CREATE INDEX jobs_owner ON jobs (owner) WHERE owner <> '';"
        "CREATE INDEX jobs_busy ON jobs (resource, id) WHERE stage < 2 AND resource <> '';"
        "CREATE INDEX jobs_resource ON jobs (resource, id) WHERE resource <> '';"
        "CREATE INDEX jobs_state ON jobs (state, id);"
        "CREATE INDEX jobs_client ON jobs (client, id);"
        "CREATE INDEX jobs_expires ON jobs (expires) WHERE expires > 0;"
        "CREATE TABLE job_queues ("
        " definition TEXT NOT NULL,"
        " revision BIGINT NOT NULL,"
        " structure BIGINT NOT NULL,"
        " client TEXT NOT NULL,"
        " queued BIGINT NOT NULL,"
        " ready BIGINT NOT NULL,"
        " served BIGINT NOT NULL,"
        " latest TEXT NOT NULL,"
        " changed BIGINT NOT NULL,"
        " PRIMARY KEY (definition, revision, structure, client));"
        "CREATE INDEX job_queues_turn ON job_queues (definition, revision, structure, served)"
        " WHERE ready > 0;"
        "CREATE TABLE job_owners ("
        " owner TEXT NOT NULL PRIMARY KEY,"
        " beat BIGINT NOT NULL,"
        " lease BIGINT NOT NULL,"
        " seen BIGINT NOT NULL,"
        " turn BIGINT NOT NULL DEFAULT 0,"
        " definition TEXT,"
        " revision BIGINT,"
        " structure BIGINT,"
        " client TEXT);"
        "CREATE TABLE job_parks ("
        " definition TEXT NOT NULL PRIMARY KEY,"
        " cause TEXT NOT NULL,"
        " client TEXT NOT NULL,"
        " times BIGINT NOT NULL,"
        " at BIGINT NOT NULL)"},
    /* Calls with an idempotency key. `state`: ClaimState; `content`: a sealed ClaimRecord. */
    {1, "CREATE TABLE idempotency ("
        " id TEXT NOT NULL PRIMARY KEY,"
        " token TEXT NOT NULL,"
        " client TEXT NOT NULL,"
        " node TEXT NOT NULL,"
        " state BIGINT NOT NULL,"
        " at BIGINT NOT NULL,"
        " until BIGINT NOT NULL,"
        " expires BIGINT NOT NULL,"
        " content BYTEA NOT NULL);"
        "CREATE INDEX idempotency_expires ON idempotency (expires);"
        "CREATE INDEX idempotency_at ON idempotency (at);"
        "CREATE INDEX idempotency_client ON idempotency (client)"},
    /* Rollouts: gateway/rollout_store/rollout_table.h. */
    {1, "CREATE TABLE rollouts ("
        " id TEXT NOT NULL PRIMARY KEY,"
        " revision BIGINT NOT NULL,"
        " trial BIGINT NOT NULL,"
        " room BIGINT NOT NULL,"
        " open BIGINT NOT NULL,"
        " content BYTEA NOT NULL,"
        " evidence BYTEA NOT NULL,"
        " changed BIGINT NOT NULL,"
        " judge TEXT NOT NULL,"
        " token BIGINT NOT NULL,"
        " beat BIGINT NOT NULL);"
        "CREATE TABLE rollout_members ("
        " rollout TEXT NOT NULL,"
        " trial BIGINT NOT NULL,"
        " client TEXT NOT NULL,"
        " number BIGINT NOT NULL,"
        " at BIGINT NOT NULL,"
        " PRIMARY KEY (rollout, trial, client));"
        "CREATE UNIQUE INDEX rollout_members_number ON rollout_members (rollout, trial, number);"
        "CREATE INDEX rollout_members_client ON rollout_members (client);"
        "CREATE TABLE rollout_samples ("
        " rollout TEXT NOT NULL,"
        " node TEXT NOT NULL,"
        " trial BIGINT NOT NULL,"
        " at BIGINT NOT NULL,"
        " content BYTEA NOT NULL,"
        " PRIMARY KEY (rollout, node));"
        "CREATE TABLE rollout_acts ("
        " rollout TEXT NOT NULL,"
        " revision BIGINT NOT NULL,"
        " trial BIGINT NOT NULL,"
        " at BIGINT NOT NULL,"
        " content BYTEA NOT NULL,"
        " PRIMARY KEY (rollout, revision))"},
    /* What is to be told of jobs: gateway/job_hook/job_outbox.h. */
    {1, "ALTER TABLE jobs ADD COLUMN told BIGINT NOT NULL DEFAULT 0;"
        "CREATE TABLE job_events ("
        " webhook TEXT NOT NULL,"
        " job TEXT NOT NULL,"
        " number BIGINT NOT NULL,"
        " at BIGINT NOT NULL,"
        " due BIGINT NOT NULL,"
        " tries BIGINT NOT NULL DEFAULT 0,"
        " client TEXT NOT NULL,"
        " content BYTEA NOT NULL,"
        " PRIMARY KEY (webhook, job, number));"
        "CREATE INDEX job_events_due ON job_events (webhook, due);"
        "CREATE INDEX job_events_at ON job_events (at);"
        "CREATE INDEX job_events_client ON job_events (client)"},
    /* After how many failures a definition is parked, as of the last one; 0: it is not known. */
    {1, "ALTER TABLE job_parks ADD COLUMN most BIGINT NOT NULL DEFAULT 0"},
    /* Who uses what: the sum of what all gateways have counted, in periods of 10 days. `shared`:
       which of the rows that several clients have; 0: the client's own. And versions that end when
       nobody uses them any more: since when they are watched, and when they ended (0: they are
       served). */
    {1, "CREATE TABLE usage ("
        " service TEXT NOT NULL,"
        " version TEXT NOT NULL,"
        " method TEXT NOT NULL,"
        " field TEXT NOT NULL,"
        " client TEXT NOT NULL,"
        " shared BIGINT NOT NULL,"
        " period BIGINT NOT NULL,"
        " calls BIGINT NOT NULL,"
        " last BIGINT NOT NULL,"
        " PRIMARY KEY (service, version, method, field, client, shared, period));"
        "CREATE INDEX usage_client ON usage (client);"
        "CREATE INDEX usage_last ON usage (last);"
        "CREATE TABLE retirements ("
        " service TEXT NOT NULL,"
        " version TEXT NOT NULL,"
        " since BIGINT NOT NULL,"
        " watched BIGINT NOT NULL,"
        " used BIGINT NOT NULL,"
        " retired BIGINT NOT NULL DEFAULT 0,"
        " who TEXT NOT NULL DEFAULT '',"
        " why TEXT NOT NULL DEFAULT '',"
        " PRIMARY KEY (service, version))"},
    /* Jobs that wait hold no place: they are not counted, however many there are. */
    {1, "CREATE INDEX jobs_place ON jobs (definition, client)"
        " WHERE stage = 1 AND state <> 'waiting';"
        "DROP INDEX jobs_running"},
    /* Orders for jobs that nobody has, to be carried out or given up. */
    {1, "CREATE INDEX jobs_ordered ON jobs (id) WHERE ordered <> '' AND owner = ''"},
    /* What a job counts for, and all jobs of a client: job_record_size. */
    {1, "ALTER TABLE jobs ADD COLUMN size BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE job_queues ADD COLUMN stored BIGINT NOT NULL DEFAULT 0"},
    /* Bits of steps whose undos have failed for good. */
    {1, "ALTER TABLE jobs ADD COLUMN undo_failed BIGINT NOT NULL DEFAULT 0"},
    /* With its sample a gateway writes the revision and the number of the latest member that it
       knows; when it did so last in an earlier cell of time, and what it knew then; and with what
       it has begun: a time and a number. */
    {1, "ALTER TABLE rollout_samples ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE rollout_samples ADD COLUMN member BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE rollout_samples ADD COLUMN earlier BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE rollout_samples ADD COLUMN earlier_revision BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE rollout_samples ADD COLUMN earlier_member BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE rollout_samples ADD COLUMN begun BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE rollout_samples ADD COLUMN settled BIGINT NOT NULL DEFAULT 0"},
    /* Jobs that wait for another try: while there are many of them, none begins. */
    {1, "CREATE INDEX jobs_retrying ON jobs (definition, client)"
        " WHERE stage = 1 AND state = 'waiting' AND tries > 0"},
    /* By which operators find the records of a key; empty: an older gateway has recorded it. */
    {1, "ALTER TABLE idempotency ADD COLUMN key TEXT NOT NULL DEFAULT '';"
        "CREATE INDEX idempotency_key ON idempotency (key) WHERE key <> ''"},
    /* What clients that are limited need at each gateway, of RATE_WHOLE; and the seed of the hashes
       that name their buckets. */
    {1, "CREATE TABLE limit_needs ("
        " part BIGINT NOT NULL,"
        " key BIGINT NOT NULL,"
        " node TEXT NOT NULL,"
        " need BIGINT NOT NULL,"
        " asks BIGINT NOT NULL,"
        " at BIGINT NOT NULL,"
        " PRIMARY KEY (part, key, node));"
        "CREATE INDEX limit_needs_at ON limit_needs (at);"
        "CREATE TABLE limit_seeds ("
        " id BIGINT PRIMARY KEY,"
        " low BIGINT NOT NULL,"
        " high BIGINT NOT NULL,"
        " at BIGINT NOT NULL)"},
    /* PostgreSQL changes a row without its indexes if none of their columns has another value, and
       the page has room (HOT). A job more in a queue that has some does not change `turns`. */
    {1, "",
     "ALTER TABLE job_queues ADD COLUMN turns BOOLEAN GENERATED ALWAYS AS (ready > 0) STORED;"
     "ALTER TABLE job_queues SET (fillfactor = 50);"
     "DROP INDEX job_queues_turn;"
     "CREATE INDEX job_queues_turn ON job_queues (definition, revision, structure, served)"
     " WHERE turns"},
    /* Which process of a gateway it is (gateway/fleet/process_mark.h), so that what a dead one was
       doing is told from what another one of the same name does; empty: an older gateway's.
       `rival`: when another gateway of the same name was last seen. */
    {1, "ALTER TABLE gateways ADD COLUMN process TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE gateways ADD COLUMN rival BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE idempotency ADD COLUMN process TEXT NOT NULL DEFAULT ''"},
    /* When each gateway has seen an API key used last, and how often; `since`: since when it knows
       the key, `seen`: when it last said that it does. */
    {1, "CREATE TABLE key_uses ("
        " key TEXT NOT NULL,"
        " node TEXT NOT NULL,"
        " since BIGINT NOT NULL,"
        " last BIGINT NOT NULL,"
        " calls BIGINT NOT NULL,"
        " seen BIGINT NOT NULL,"
        " PRIMARY KEY (key, node))"},
    /* Weak signals, one row for all times that one was found: `content` is its evidence. What each
       gateway remembers to find them. And what customers say: `content` has their words, and what
       happened to them; `kinds` are fingerprints of the ledger. */
    {1, "CREATE TABLE signals ("
        " id TEXT NOT NULL PRIMARY KEY,"
        " kind TEXT NOT NULL,"
        " subject TEXT NOT NULL,"
        " client TEXT NOT NULL,"
        " since BIGINT NOT NULL,"
        " at BIGINT NOT NULL,"
        " times BIGINT NOT NULL,"
        " node TEXT NOT NULL,"
        " content BYTEA NOT NULL,"
        " acknowledged BIGINT NOT NULL,"
        " who TEXT NOT NULL,"
        " why BYTEA NOT NULL);"
        "CREATE INDEX signals_at ON signals (at);"
        "CREATE TABLE signal_states ("
        " node TEXT NOT NULL PRIMARY KEY,"
        " at BIGINT NOT NULL,"
        " content BYTEA NOT NULL);"
        "CREATE TABLE feedback ("
        " id TEXT NOT NULL PRIMARY KEY,"
        " at BIGINT NOT NULL,"
        " client TEXT NOT NULL,"
        " kinds TEXT NOT NULL,"
        " entered BIGINT NOT NULL,"
        " content BYTEA NOT NULL);"
        "CREATE INDEX feedback_at ON feedback (at);"
        "CREATE INDEX feedback_entered ON feedback (entered)"},
};

enum {
    N_MIGRATIONS = sizeof migrations / sizeof *migrations,
    TRIES = N_MIGRATIONS + 2 /* others may be first with the table of them, and with each */
};

int64_t store_schema_number(void)
{
    return N_MIGRATIONS;
}

static Result read_number(const StoreBackend *backend, StoreSession *session, Arena *arena,
                          int64_t *number_out, int64_t *oldest_reader_out)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(
        task, "SELECT coalesce(max(number), 0), coalesce(max(oldest_reader), 0) FROM store_schema");
    backend->execute(session, &task, 1);
    Result r = task->result;
    if (failed(r)) {
        r = error_copy(arena, r);
    } else {
        *number_out = s->rows->values[0].integer;
        *oldest_reader_out = s->rows->values[1].integer;
    }
    store_task_free(task);
    return r;
}

/* One transaction; whoever comes second waits for the first row, and then conflicts with it. */
static Result migrate(const StoreBackend *backend, StoreSession *session, Arena *arena,
                      int64_t number)
{
    const Migration *migration = &migrations[number - 1];
    bool more = backend == &store_postgresql && migration->postgresql;
    return backend->script(
        session, arena,
        arena_printf(arena,
                     "INSERT INTO store_schema (number, oldest_reader) VALUES (%lld, %lld);%s%s",
                     (long long)number, (long long)migration->oldest_reader, migration->sql,
                     more ? migration->postgresql : ""));
}

static Result apply(const StoreBackend *backend, StoreSession *session, Arena *arena,
                    bool *made_out)
{
    *made_out = false;
    Result r = backend->script(session, arena,
                               "CREATE TABLE IF NOT EXISTS store_schema ("
                               " number BIGINT NOT NULL PRIMARY KEY,"
                               " oldest_reader BIGINT NOT NULL)");
    while (!failed(r)) {
        int64_t number = 0, oldest_reader = 0;
        r = read_number(backend, session, arena, &number, &oldest_reader);
        if (!failed(r) && oldest_reader > N_MIGRATIONS)
            return FAIL(arena, FAULT_STORE_DOWN,
                        "the store has schema %lld, which needs a gateway that knows schema %lld; "
                        "this one knows %d",
                        (long long)number, (long long)oldest_reader, (int)N_MIGRATIONS);
        if (failed(r) || number >= N_MIGRATIONS)
            return r;
        *made_out |= number == 0;
        r = migrate(backend, session, arena, number + 1);
    }
    return r;
}

/* Another gateway that migrates at the same time makes conflicts, also over the very first table:
   what it did is there when we look again. */
Result store_schema_apply(const StoreBackend *backend, StoreSession *session, Arena *arena,
                          bool *made_out)
{
    Result r = OK;
    for (int i = 0; i < TRIES; i++) {
        r = apply(backend, session, arena, made_out);
        if (!failed(r) || error_origin(r)->fault != &FAULT_STORE_CONFLICT)
            break;
    }
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_STORE_DOWN, "bringing the store's schema up to %d",
                         (int)N_MIGRATIONS);
    return r;
}
