#include "gateway/shadow/shadow_book.h"

#include "base/result.h"
#include "gateway/shadow/shadow_book_internal.h"

#include <stdlib.h>

#define OTHER "other"

const char *shadow_outcome_name(ShadowOutcome outcome)
{
    static const char *const names[SHADOW_OUTCOMES] = {[SHADOW_EQUAL] = "equal",
                                                       [SHADOW_DIFFERENT] = "different",
                                                       [SHADOW_UNLIKE] = "unlike",
                                                       [SHADOW_FAILED] = "failed"};
    return names[outcome];
}

const char *shadow_skip_name(ShadowSkip skip)
{
    static const char *const names[SHADOW_SKIPS] = {
        [SHADOW_SKIP_RATE] = "per_second",   [SHADOW_SKIP_FLIGHT] = "in_flight",
        [SHADOW_SKIP_SIZE] = "bytes",        [SHADOW_SKIP_LOAD] = "load",
        [SHADOW_SKIP_INSTANCE] = "instance", [SHADOW_SKIP_SAME] = "same",
        [SHADOW_SKIP_MESSAGE] = "message",   [SHADOW_SKIP_ACCESS] = "access"};
    return names[skip];
}

ShadowBook *shadow_book_new(void)
{
    ShadowBook *book = calloc(1, sizeof *book);
    CHECK(book && pthread_mutex_init(&book->mutex, NULL) == 0);
    return book;
}

static void free_row(ShadowRow *row)
{
    for (ShadowGroup *next, *group = row->groups; group; group = next) {
        next = group->next;
        free(group);
    }
    free(row->service);
    free(row->method);
    free(row->version);
    free(row->target);
    free(row);
}

void shadow_book_free(ShadowBook *book)
{
    if (!book)
        return;
    for (ShadowRow *next, *row = book->rows; row; row = next) {
        next = row->next;
        free_row(row);
    }
    pthread_mutex_destroy(&book->mutex);
    free(book);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static bool is_about(const ShadowRow *row, const ShadowSubject *subject)
{
    return text_equal(row->method, subject->method) && text_equal(row->target, subject->target) &&
           text_equal(row->version, subject->version) && text_equal(row->service, subject->service);
}

static ShadowRow *row_of(ShadowBook *book, const ShadowSubject *subject)
{
    static const ShadowSubject other = {OTHER, OTHER, OTHER, OTHER};
    ShadowRow *row = book->rows;
    while (row && !is_about(row, subject))
        row = row->next;
    if (row)
        return row;
    if (book->n_rows >= SHADOW_ROWS_MOST && subject != &other)
        return row_of(book, &other);
    row = calloc(1, sizeof *row);
    CHECK(row);
    *row = (ShadowRow){.next = book->rows,
                       .service = text_copy(subject->service),
                       .method = text_copy(subject->method),
                       .version = text_copy(subject->version),
                       .target = text_copy(subject->target)};
    book->n_rows++;
    return book->rows = row;
}

/* ---- Groups ---------------------------------------------------------------------------------- */

static void put(char *to, size_t size, Bytes from)
{
    Bytes cut = bytes_cut_text(from, size - 1);
    if (cut.size)
        memcpy(to, cut.data, cut.size);
    to[cut.size] = '\0';
}

/* NULL: there is no room for another one. */
static ShadowGroup *group_of(ShadowBook *book, ShadowRow *row, const ShadowDifference *difference)
{
    char path[SHADOW_TEXT_MOST];
    put(path, sizeof path, bytes_of(difference->path));
    ShadowGroup *group = row->groups;
    while (group && !(text_equal(group->shape, difference->shape) && text_equal(group->path, path)))
        group = group->next;
    if (group || book->n_groups >= SHADOW_GROUPS_MOST)
        return group;
    group = calloc(1, sizeof *group);
    CHECK(group);
    group->next = row->groups;
    group->shape = difference->shape;
    memcpy(group->path, path, sizeof path);
    book->n_groups++;
    return row->groups = group;
}

static void add_difference(ShadowBook *book, ShadowRow *row, const ShadowResult *result,
                           const ShadowDifference *difference)
{
    ShadowGroup *group = group_of(book, row, difference);
    if (!group) {
        row->others++;
        return;
    }
    group->calls++;
    group->places += difference->n;
    group->first = group->first ? group->first : result->at;
    group->last = result->at;
    put(group->request_id, sizeof group->request_id, result->request_id);
    put(group->real, sizeof group->real, difference->real);
    put(group->shadow, sizeof group->shadow, difference->shadow);
}

void shadow_book_add(ShadowBook *book, const ShadowSubject *subject, const ShadowResult *result)
{
    pthread_mutex_lock(&book->mutex);
    ShadowRow *row = row_of(book, subject);
    row->n[result->outcome]++;
    row->last = result->at;
    if (result->reason)
        row->last_reason = result->reason;
    for (uint32_t i = 0; i < result->n; i++)
        add_difference(book, row, result, &result->differences[i]);
    pthread_mutex_unlock(&book->mutex);
}

void shadow_book_skip(ShadowBook *book, ShadowSkip why)
{
    atomic_fetch_add_explicit(&book->skipped[why], 1, memory_order_relaxed);
}

void shadow_book_begin(ShadowBook *book)
{
    atomic_fetch_add_explicit(&book->running, 1, memory_order_relaxed);
}

void shadow_book_end(ShadowBook *book)
{
    atomic_fetch_sub_explicit(&book->running, 1, memory_order_relaxed);
}
