/* What a ShadowBook has, for operators: the page as JSON, and the metrics. */
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/shadow/shadow_book_internal.h"

/* ---- The page -------------------------------------------------------------------------------- */

static void add_time(Buffer *out, const char *name, int64_t wall)
{
    json_text_add_time(out, name, wall / SECOND, (int32_t)(wall % SECOND));
}

static void write_group(Buffer *out, const ShadowGroup *group)
{
    json_text_open_item(out);
    json_text_add_member(out, "path", bytes_of(group->path));
    json_text_add_member(out, "shape", bytes_of(group->shape));
    json_text_add_number(out, "calls", group->calls);
    json_text_add_number(out, "places", group->places);
    add_time(out, "first", group->first);
    add_time(out, "last", group->last);
    json_text_add_key(out, "sample");
    buffer_add_byte(out, '{');
    json_text_add_member(out, "request_id", bytes_of(group->request_id));
    json_text_add_member(out, "real", bytes_of(group->real));
    json_text_add_member(out, "shadow", bytes_of(group->shadow));
    buffer_add_text(out, "}}");
}

static void write_row(Buffer *out, const ShadowRow *row)
{
    json_text_open_item(out);
    json_text_add_member(out, "service", bytes_of(row->service));
    json_text_add_member(out, "method", bytes_of(row->method));
    json_text_add_member(out, "version", bytes_of(row->version));
    json_text_add_member(out, "to", bytes_of(row->target));
    json_text_add_number(out, "compared", row->n[SHADOW_EQUAL] + row->n[SHADOW_DIFFERENT]);
    for (ShadowOutcome i = 0; i < SHADOW_OUTCOMES; i++)
        json_text_add_number(out, shadow_outcome_name(i), row->n[i]);
    if (row->last_reason)
        json_text_add_member(out, "reason", bytes_of(row->last_reason));
    add_time(out, "last", row->last);
    json_text_add_number(out, "other_differences", row->others);
    json_text_open_list(out, "differences");
    for (const ShadowGroup *group = row->groups; group; group = group->next)
        write_group(out, group);
    buffer_add_text(out, "]}");
}

void shadow_book_write(ShadowBook *book, Bytes service, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_number(out, "running", atomic_load(&book->running));
    json_text_add_key(out, "not_copied");
    buffer_add_byte(out, '{');
    for (ShadowSkip i = 0; i < SHADOW_SKIPS; i++)
        json_text_add_number(out, shadow_skip_name(i), atomic_load(&book->skipped[i]));
    buffer_add_byte(out, '}');
    json_text_open_list(out, "shadows");
    pthread_mutex_lock(&book->mutex);
    for (const ShadowRow *row = book->rows; row; row = row->next)
        if (!service.size || bytes_are(service, row->service))
            write_row(out, row);
    pthread_mutex_unlock(&book->mutex);
    buffer_add_text(out, "]}");
}

/* ---- Metrics --------------------------------------------------------------------------------- */

static void expose_outcomes(Exposition *e, const ShadowRow *row)
{
    for (ShadowOutcome i = 0; i < SHADOW_OUTCOMES; i++) {
        Label labels[] = {{"service", row->service},
                          {"method", row->method},
                          {"version", row->version},
                          {"to", row->target},
                          {"outcome", shadow_outcome_name(i)}};
        if (row->n[i])
            exposition_number(e, "", labels, 5, row->n[i]);
    }
}

/* Groups of one shape together: a path is no label. */
static void expose_shapes(Exposition *e, const ShadowRow *row)
{
    for (const ShadowGroup *group = row->groups; group; group = group->next) {
        const ShadowGroup *before = row->groups;
        uint64_t n = 0;
        while (before != group && !text_equal(before->shape, group->shape))
            before = before->next;
        if (before != group)
            continue;
        for (; before; before = before->next)
            n += text_equal(before->shape, group->shape) ? before->calls : 0;
        Label labels[] = {{"service", row->service},
                          {"method", row->method},
                          {"version", row->version},
                          {"to", row->target},
                          {"shape", group->shape}};
        exposition_number(e, "", labels, 5, n);
    }
}

void shadow_book_metrics(Exposition *e, void *owner)
{
    ShadowBook *book = owner;
    exposition_single(e, "passerelle_shadow_running", METRIC_GAUGE, "Copies of calls that run now.",
                      atomic_load(&book->running));
    exposition_family(e, "passerelle_shadow_not_copied", METRIC_COUNTER,
                      "Calls that were drawn and not copied, by why.");
    for (ShadowSkip i = 0; i < SHADOW_SKIPS; i++)
        exposition_number(e, "", &(Label){"reason", shadow_skip_name(i)}, 1,
                          atomic_load(&book->skipped[i]));
    pthread_mutex_lock(&book->mutex);
    if (book->rows)
        exposition_family(e, "passerelle_shadow_calls", METRIC_COUNTER,
                          "Copies of calls that have ended, by how the two responses compare.");
    for (const ShadowRow *row = book->rows; row; row = row->next)
        expose_outcomes(e, row);
    if (book->n_groups)
        exposition_family(e, "passerelle_shadow_differences", METRIC_COUNTER,
                          "Differences between the two responses, by their shape: each path once "
                          "for each call.");
    for (const ShadowRow *row = book->rows; row; row = row->next)
        expose_shapes(e, row);
    pthread_mutex_unlock(&book->mutex);
}
