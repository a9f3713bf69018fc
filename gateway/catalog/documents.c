#include "gateway/catalog/documents.h"

#include "base/arena.h"
#include "gateway/catalog/catalog_internal.h"
#include "gateway/loop/work_pool.h"
#include "gateway/openapi/openapi.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Kept Kept;
typedef struct Making Making;

/* A document, and for whom it is. */
struct Kept {
    Document document; /* first */
    atomic_uint references;
    Kept *next; /* in the table, that which was asked for before it */
    const Version *version;
    uint8_t *json;     /* the document's; allocated */
    uint8_t visible[]; /* a bit for each method of the version */
};

struct DocumentWait {
    DocumentAsk ask; /* owner NULL: it has left, after it was told */
    Making *making;  /* NULL: it was told */
    DocumentWait *next;
    Document *document; /* what it is told */
};

/* It ends with its job; or before that begins, when the last one who waits leaves. */
struct Making {
    WorkJob work;   /* first */
    bool dropped;   /* by the end of the pool, before the document was complete */
    Config *config; /* a reference */
    Making *next;
    Kept *kept;
    DocumentWait *waits;
};

struct DocumentTable {
    uv_mutex_t lock; /* of all that follows */
    Kept *newest;
    Making *makings;
    uint64_t size; /* of what is kept */
};

/* ---- One document ---------------------------------------------------------------------------- */

static size_t visible_size(const Version *version)
{
    return (version->n_methods + 7) / 8;
}

static bool is_visible(const Kept *kept, const Method *method)
{
    size_t i = (size_t)(method - kept->version->methods);
    return kept->visible[i / 8] >> i % 8 & 1;
}

static Kept *kept_new(const CatalogView *view, const Version *version)
{
    Kept *kept = calloc(1, sizeof(*kept) + visible_size(version));
    CHECK(kept);
    atomic_init(&kept->references, 1);
    kept->version = version;
    for (uint32_t i = 0; i < version->n_methods; i++)
        if (catalog_shows_method(view, &version->methods[i]))
            kept->visible[i / 8] |= (uint8_t)(1 << i % 8);
    return kept;
}

static Document *kept_refer(Kept *kept)
{
    atomic_fetch_add_explicit(&kept->references, 1, memory_order_relaxed);
    return &kept->document;
}

static size_t cost_of(const Kept *kept)
{
    return sizeof(*kept) + visible_size(kept->version) + kept->document.json.size;
}

void document_free(Document *document)
{
    Kept *kept = (Kept *)document;
    if (!kept || atomic_fetch_sub_explicit(&kept->references, 1, memory_order_acq_rel) != 1)
        return;
    memory_add(MEMORY_CACHE, -(int64_t)kept->document.json.size);
    free(kept->json);
    free(kept);
}

static bool is_same(const Kept *one, const Kept *other)
{
    return one->version == other->version &&
           memcmp(one->visible, other->visible, visible_size(one->version)) == 0;
}

/* ---- Those that are kept --------------------------------------------------------------------- */

/* Which is the newest from then on. NULL: it is not kept. */
static Kept *find(DocumentTable *table, const Kept *wanted)
{
    for (Kept **at = &table->newest; *at; at = &(*at)->next) {
        Kept *kept = *at;
        if (!is_same(kept, wanted))
            continue;
        *at = kept->next;
        kept->next = table->newest;
        return table->newest = kept;
    }
    return NULL;
}

static void drop_oldest(DocumentTable *table)
{
    Kept **at = &table->newest;
    while ((*at)->next)
        at = &(*at)->next;
    table->size -= cost_of(*at);
    document_free(&(*at)->document);
    *at = NULL;
}

static void keep(DocumentTable *table, Kept *kept, uint64_t most)
{
    kept->next = table->newest;
    table->newest = kept;
    table->size += cost_of(kept);
    kept_refer(kept);
    while (table->size > most)
        drop_oldest(table);
}

static void table_free(DocumentTable *table)
{
    CHECK(!table->makings); /* each has a reference to the config */
    while (table->newest)
        drop_oldest(table);
    uv_mutex_destroy(&table->lock);
    free(table);
}

void catalog_adopt(Config *config)
{
    CatalogConfig *catalog = config->catalog;
    if (!catalog || !catalog->openapi)
        return;
    catalog->documents = calloc(1, sizeof(DocumentTable));
    CHECK(catalog->documents && uv_mutex_init(&catalog->documents->lock) == 0);
    catalog->let_go = table_free;
}

/* ---- Making one, on the pool ----------------------------------------------------------------- */

static bool shows(const void *owner, const Method *method)
{
    return is_visible(((const Making *)owner)->kept, method);
}

static bool is_dropped(const void *owner)
{
    const WorkPool *pool = ((const Making *)owner)->work.loop->pool;
    return pool && work_pool_is_ending(pool);
}

static void write_tag(Document *document)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256(document->json.data, document->json.size, hash);
    char *at = document->tag;
    *at++ = '"';
    for (uint32_t i = 0; i < 16; i++)
        at += sprintf(at, "%02x", hash[i]);
    *at = '"';
}

static void take(Kept *kept, Bytes json)
{
    kept->json = malloc(json.size);
    CHECK(kept->json);
    memcpy(kept->json, json.data, json.size);
    kept->document.json = bytes(kept->json, json.size);
    write_tag(&kept->document);
    memory_add(MEMORY_CACHE, (int64_t)json.size);
}

/* A buffer that grows leaves its smaller ones in the arena: all together are at most four times
   what it holds. */
static void make(Making *making)
{
    const CatalogConfig *catalog = making->config->catalog;
    Arena *arena = arena_new(ARENA_FIRST_ROOM + 4 * catalog->document_bytes);
    Buffer out = buffer_in(arena);
    OpenApiQuestion question = {.config = making->config,
                                .version = making->kept->version,
                                .url = *catalog->url ? catalog->url : NULL,
                                .shows = shows,
                                .dropped = is_dropped,
                                .owner = making};
    Result r = openapi_write(&question, &out);
    Bytes json = buffer_bytes(&out);
    making->dropped = failed(r) && r.error->fault == &FAULT_CANCELLED;
    if (failed(r))
        error_ignore(r, "a document that is too large is told by its absence");
    else if (json.size <= catalog->document_bytes)
        take(making->kept, json);
    arena_free(arena);
}

static void run(WorkJob *work)
{
    make((Making *)work);
    memory_settle(); /* this thread may have nothing to do for long */
}

/* ---- Who waits ------------------------------------------------------------------------------- */

static void on_told(Loop *loop, void *argument)
{
    DocumentWait *wait = argument;
    (void)loop;
    if (wait->ask.owner)
        wait->ask.on_made(wait->ask.owner, wait->document);
    else
        document_free(wait->document);
    free(wait);
}

static void tell_all(Making *making, bool made)
{
    while (making->waits) {
        DocumentWait *wait = making->waits;
        making->waits = wait->next;
        wait->making = NULL;
        wait->document = made ? kept_refer(making->kept) : NULL;
        loop_post(wait->ask.loop, on_told, wait);
    }
}

static void unlink_making(DocumentTable *table, const Making *making)
{
    Making **at = &table->makings;
    while (*at != making)
        at = &(*at)->next;
    *at = making->next;
}

static void making_free(Making *making)
{
    document_free(&making->kept->document);
    config_unref(making->config);
    free(making);
}

static void on_done(WorkJob *work, bool has_run)
{
    Making *making = (Making *)work;
    const CatalogConfig *catalog = making->config->catalog;
    DocumentTable *table = catalog->documents;
    bool made = has_run && !making->dropped;
    uv_mutex_lock(&table->lock);
    unlink_making(table, making);
    if (made)
        keep(table, making->kept, catalog->kept_bytes);
    tell_all(making, made);
    uv_mutex_unlock(&table->lock);
    making_free(making);
}

/* The table is locked. NULL: it is not being made. */
static Making *find_making(const DocumentTable *table, const Kept *wanted)
{
    Making *making = table->makings;
    while (making && !is_same(making->kept, wanted))
        making = making->next;
    return making;
}

/* The table is locked. It takes `kept`. */
static Making *making_new(DocumentTable *table, const DocumentAsk *ask, Kept *kept)
{
    Making *making = calloc(1, sizeof(*making));
    CHECK(making);
    *making =
        (Making){.work = {.run = run, .on_done = on_done, .loop = ask->loop, .client = ask->client},
                 .config = config_ref(ask->config),
                 .next = table->makings,
                 .kept = kept};
    table->makings = making;
    return making;
}

/* The table is locked. */
static DocumentWait *wait_for(Making *making, const DocumentAsk *ask)
{
    DocumentWait *wait = calloc(1, sizeof(*wait));
    CHECK(wait);
    *wait = (DocumentWait){.ask = *ask, .making = making, .next = making->waits};
    making->waits = wait;
    return wait;
}

static void on_made_here(Loop *loop, void *argument)
{
    (void)loop;
    on_done(argument, true);
}

static void start(WorkJob *work)
{
    Loop *loop = work->loop;
    if (loop->pool) {
        work_pool_add(loop->pool, work);
        return;
    }
    run(work);
    loop_post(loop, on_made_here, work);
}

Document *document_ask(const DocumentAsk *ask, const CatalogView *view, const Version *version,
                       DocumentWait **wait_out)
{
    DocumentTable *table = ask->config->catalog->documents;
    Kept *wanted = kept_new(view, version);
    Making *begun = NULL;
    uv_mutex_lock(&table->lock);
    Kept *kept = find(table, wanted);
    Document *document = kept ? kept_refer(kept) : NULL;
    Making *making = kept ? NULL : find_making(table, wanted);
    if (!kept && !making) {
        making = begun = making_new(table, ask, wanted);
        wanted = NULL;
    }
    *wait_out = making ? wait_for(making, ask) : NULL;
    uv_mutex_unlock(&table->lock);
    if (wanted)
        document_free(&wanted->document);
    if (begun)
        start(&begun->work);
    return document;
}

static void unlink_wait(DocumentWait *wait)
{
    DocumentWait **at = &wait->making->waits;
    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
}

/* The table is locked, so that the job is not done meanwhile, though its loop may be another one.
   It was added: who began it has left, or would still wait. */
static bool drop_unbegun(DocumentTable *table, Making *making)
{
    WorkPool *pool = making->work.loop->pool;
    if (making->waits || !pool || !work_pool_cancel(pool, &making->work))
        return false;
    unlink_making(table, making);
    return true;
}

void document_leave(DocumentWait *wait)
{
    DocumentTable *table = wait->ask.config->catalog->documents;
    uv_mutex_lock(&table->lock);
    Making *making = wait->making;
    if (making)
        unlink_wait(wait);
    bool dropped = making && drop_unbegun(table, making);
    uv_mutex_unlock(&table->lock);
    if (dropped)
        making_free(making); /* the config stays: the one who leaves has it, too */
    if (making)
        free(wait);
    else
        wait->ask.owner = NULL; /* on_told is on its way, on this thread */
}
