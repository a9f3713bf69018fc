/* Lists in files: one, or all those of a folder. */
#include "gateway/discovery/inbox.h"
#include "gateway/discovery/source.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/thread/chore.h"
#include "gateway/thread/thread.h"

#include <stdlib.h>
#include <sys/stat.h>

#define LOOK_SLOW (5 * SECOND) /* from then on, the list cannot be read */

/* Identifies the content of a file: if any of these differs, it may have changed. All zeros: no
   file. */
typedef struct Stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    int64_t modified;
} Stamp;

typedef struct ListFile {
    char *path;
    Stamp seen;  /* at the last look */
    Stamp taken; /* when it was last read; zeros: it is read again, changed or not */
    char *text;  /* what was read then; NULL: nothing */
    size_t size;
    char *good; /* the text that is used while the new one is no list; NULL: none */
    size_t good_size;
    bool listed; /* it is there, by the present look */
} ListFile;

typedef struct ListFiles {
    ListFile *items; /* by path */
    uint32_t n;
} ListFiles;

typedef struct FilesSource FilesSource;

/* One look at the list, on a thread of its own: the file may be on a mount that hangs. */
typedef struct Look {
    FilesSource *source; /* not for the thread */
    Chore *chore;
    int64_t began;
    ListFiles files; /* the source's, while the look is under way */
    Reading *reading;
    bool anew;    /* make a reading in any case */
    bool settled; /* the reading has a list, or says why not */
} Look;

struct FilesSource {
    Source source;
    uv_timer_t timer;
    SourceOwner *owner;
    uint64_t number;
    Config *config; /* a reference */
    Service *service;
    ListFiles files;
    Look *look; /* under way; or NULL */
    bool anew;  /* the list is of another service now */
    bool bad;   /* what was read last is no list, or not all of it */
    bool slow;  /* it was said that the look under way does not end */
};

/* ---- Files, on the thread -------------------------------------------------------------------- */

static bool same_stamp(const Stamp *a, const Stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified == b->modified;
}

static Stamp stamp_of(const char *file)
{
    struct stat found;
    if (stat(file, &found) != 0)
        return (Stamp){0};
    return (Stamp){.device = found.st_dev,
                   .inode = found.st_ino,
                   .size = found.st_size,
                   .modified = found.st_mtim.tv_sec * SECOND + found.st_mtim.tv_nsec};
}

/* Another file has taken the name, and is complete; one that is written in place may not be. */
static bool is_complete(const Stamp *now, const Stamp *seen)
{
    return same_stamp(now, seen) || now->inode != seen->inode || now->device != seen->device;
}

static void file_free(ListFile *file)
{
    free(file->path);
    free(file->text);
    free(file->good);
}

static void files_free(ListFiles *files)
{
    for (uint32_t i = 0; i < files->n; i++)
        file_free(&files->items[i]);
    free(files->items);
    *files = (ListFiles){0};
}

/* The files of these names, with what is known of them; both are sorted. True: the names have
   changed. */
static bool files_follow(ListFiles *files, const char *const *names, uint32_t n)
{
    ListFile *items = calloc(n + 1, sizeof *items);
    CHECK(items);
    bool changed = n != files->n;
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) {
        while (k < files->n && strcmp(files->items[k].path, names[i]) < 0)
            file_free(&files->items[k++]);
        if (k < files->n && strcmp(files->items[k].path, names[i]) == 0) {
            items[i] = files->items[k++];
            continue;
        }
        items[i].path = text_copy(names[i]);
        changed = true;
    }
    while (k < files->n)
        file_free(&files->items[k++]);
    free(files->items);
    *files = (ListFiles){items, n};
    return changed;
}

/* Reads the file if it may have changed, and is complete. True: there is a new text. */
static bool file_look(ListFile *file, Reading *reading)
{
    Stamp now = stamp_of(file->path);
    bool complete = is_complete(&now, &file->seen);
    file->seen = now;
    if (!complete || (now.inode && same_stamp(&now, &file->taken)))
        return false;
    Bytes text;
    Result r = config_list_text(reading->arena, file->path, &text);
    if (failed(r)) {
        file->taken = (Stamp){0};
        reading_fail(reading, r);
        return false;
    }
    file->taken = now;
    free(file->text);
    file->text = text_copy_bytes(text);
    file->size = text.size;
    return true;
}

/* ---- The list, on the thread ----------------------------------------------------------------- */

static uint32_t make_documents(const ListFiles *files, Arena *arena, ListDocument **documents_out)
{
    ListDocument *documents = arena_array(arena, ListDocument, files->n);
    uint32_t n = 0;
    for (uint32_t i = 0; i < files->n; i++) {
        const ListFile *file = &files->items[i];
        const char *name = arena_string(arena, file->path);
        if (file->text)
            documents[n++] =
                (ListDocument){.name = name, .base = name, .text = bytes(file->text, file->size)};
    }
    *documents_out = documents;
    return n;
}

static void keep_good(ListFiles *files, const ListDocument *documents)
{
    for (uint32_t i = 0; i < files->n; i++) {
        ListFile *file = &files->items[i];
        if (!file->text || (documents++)->bad)
            continue;
        free(file->good);
        file->good = text_copy_bytes(bytes(file->text, file->size));
        file->good_size = file->size;
    }
}

/* Texts that are no lists are replaced by what their files had before. True: any was. */
static bool use_good(const ListFiles *files, ListDocument *documents)
{
    bool any = false;
    for (uint32_t i = 0; i < files->n; i++) {
        const ListFile *file = &files->items[i];
        if (!file->text || !(documents++)->bad || !file->good)
            continue;
        documents[-1].text = bytes(file->good, file->good_size);
        any = true;
    }
    return any;
}

static const char *bad_name(const ListDocument *documents, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (documents[i].bad)
            return documents[i].name;
    return NULL;
}

static void read_files(Look *look, bool folder)
{
    Reading *reading = look->reading;
    ListDocument *documents;
    uint32_t n = make_documents(&look->files, reading->arena, &documents);
    reading_take(reading, documents, n);
    keep_good(&look->files, documents);
    const char *bad = bad_name(documents, n);
    if (!folder || !bad)
        return;
    Problems problems = reading->problems;
    Result why = FAIL(reading->arena, FAULT_BAD_CONFIG, "%s has no list of instances", bad);
    if (use_good(&look->files, documents)) {
        reading_take(reading, documents, n);
        reading->problems = problems; /* those of the new texts */
    }
    reading->why = why;
}

static void run_look(void *owner)
{
    Look *look = owner;
    Reading *reading = look->reading;
    const Discovery *discovery = reading->service->discovery;
    const char *const *names = &discovery->path;
    const char **found;
    uint32_t n = 1;
    bool folder = discovery->kind == DISCOVERY_FOLDER;
    if (folder) {
        Result r = config_list_names(reading->arena, discovery->path, &found, &n);
        if (failed(r)) {
            reading_fail(reading, r);
            look->settled = true;
            return;
        }
        names = found;
    }
    bool changed = files_follow(&look->files, names, n) && folder;
    for (uint32_t i = 0; i < n; i++)
        changed |= file_look(&look->files.items[i], reading);
    bool unreadable = failed(reading->why);
    look->settled = changed || look->anew || unreadable;
    bool has_text = false;
    for (uint32_t i = 0; i < n; i++)
        has_text |= look->files.items[i].text != NULL;
    if (look->settled && (folder ? !unreadable || has_text : !unreadable && has_text))
        read_files(look, folder);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static void free_look(void *owner)
{
    Look *look = owner;
    files_free(&look->files);
    if (look->reading)
        reading_free(look->reading);
    free(look);
}

static void look_at(FilesSource *source);

static void on_looked(void *owner)
{
    Look *look = owner;
    FilesSource *source = look->source;
    source->look = NULL;
    source->slow = false;
    source->files = look->files;
    look->files = (ListFiles){0};
    bool current = look->reading->service == source->service;
    look->reading->same = !look->settled;
    if (look->settled)
        source->bad = failed(look->reading->why);
    if (current && (look->settled || !source->bad)) {
        source->anew = false;
        inbox_put(source->owner->inbox, look->reading);
        look->reading = NULL;
    }
    free_look(look);
    if (!current)
        look_at(source);
}

/* It is told, and looked for anew at the next time. */
static void on_refused(void *owner)
{
    Look *look = owner;
    FilesSource *source = look->source;
    look->settled = true;
    reading_fail(look->reading, FAIL(look->reading->arena, FAULT_SYSTEM, "reading %s: " THREAD_NONE,
                                     look->reading->service->discovery->path));
    on_looked(look);
    source->anew = true;
}

static void begin_look(FilesSource *source)
{
    Look *look = calloc(1, sizeof *look);
    CHECK(look);
    look->source = source;
    look->began = clock_now();
    look->files = source->files;
    source->files = (ListFiles){0};
    look->anew = source->anew;
    look->reading = reading_new(source->number, source->config, source->service);
    source->look = look;
    look->chore = chore_start(source->owner->loop, &(ChoreWork){.run = run_look,
                                                                .on_done = on_looked,
                                                                .on_refused = on_refused,
                                                                .on_left = free_look,
                                                                .owner = look});
}

static void tell_slow(FilesSource *source)
{
    int64_t time = clock_now() - source->look->began;
    if (time < LOOK_SLOW || source->slow)
        return;
    source->slow = true;
    Reading *reading = reading_new(source->number, source->config, source->service);
    reading_fail(reading,
                 FAIL(reading->arena, FAULT_NO_FILE, "%s does not arrive; %.0f s have passed",
                      source->service->discovery->path, (double)time / SECOND));
    inbox_put(source->owner->inbox, reading);
}

static void look_at(FilesSource *source)
{
    if (source->look)
        tell_slow(source);
    else
        begin_look(source);
}

static void on_timer(uv_timer_t *timer)
{
    look_at(timer->data);
}

/* ---- The source ------------------------------------------------------------------------------ */

static Source *start(SourceOwner *owner, uint64_t number)
{
    FilesSource *source = calloc(1, sizeof *source);
    CHECK(source);
    source->source.kind = &source_files;
    source->owner = owner;
    source->number = number;
    CHECK(uv_timer_init(owner->loop, &source->timer) == 0);
    source->timer.data = source;
    return &source->source;
}

static void use(Source *base, Config *config, Service *service)
{
    FilesSource *source = (FilesSource *)base;
    if (source->config)
        config_unref(source->config);
    source->config = config_ref(config);
    source->service = service;
    source->anew = true;
    look_at(source);
    uint64_t every = (uint64_t)(service->discovery->every / MILLISECOND);
    CHECK(uv_timer_start(&source->timer, on_timer, every, every) == 0);
}

static void on_closed(uv_handle_t *timer)
{
    FilesSource *source = timer->data;
    files_free(&source->files);
    config_unref(source->config);
    free(source);
}

static void stop(Source *base)
{
    FilesSource *source = (FilesSource *)base;
    if (source->look)
        chore_leave(source->look->chore);
    uv_close((uv_handle_t *)&source->timer, on_closed);
}

const SourceKind source_files = {start, use, stop};
