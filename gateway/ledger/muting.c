#include "gateway/ledger/muting.h"

static uint32_t count_instances(const FailureRow *row)
{
    return row->instances.n + row->instances.more;
}

static uint64_t rate_of(const FailureRow *row, int64_t wall)
{
    return window_count(&row->hour, WINDOW_HOUR, wall);
}

static FailureChange change_of(const FailureRow *row, const MutingRules *rules, int64_t wall)
{
    const FailureMute *mute = &row->mute;
    uint64_t rate = mute->rate ? mute->rate : 1;
    if (count_instances(row) > mute->instances)
        return FAILURE_NEW_INSTANCE;
    if (rate_of(row, wall) > rules->rate * rate)
        return FAILURE_MORE_OFTEN;
    if (row->resumed > mute->acknowledged && row->pause >= rules->pause)
        return FAILURE_CAME_BACK;
    return FAILURE_UNCHANGED;
}

static bool is_of(const FailureRow *row, const Annotation *annotation)
{
    return annotation && annotation->acknowledged &&
           row->mute.acknowledged == annotation->acknowledged;
}

void muting_notice(FailureRow *row, const Annotation *annotation, const MutingRules *rules,
                   int64_t wall)
{
    if (!annotation || !annotation->acknowledged)
        return;
    if (!is_of(row, annotation)) {
        row->mute = (FailureMute){.acknowledged = annotation->acknowledged,
                                  .rate = rate_of(row, wall),
                                  .instances = count_instances(row)};
        row->changed = true;
    }
    if (row->mute.change)
        return;
    row->mute.change = change_of(row, rules, wall);
    row->changed |= row->mute.change != FAILURE_UNCHANGED;
}

bool muting_is_muted(const FailureRow *row, const Annotation *annotation)
{
    return is_of(row, annotation) && !row->mute.change;
}

const char *muting_change(const FailureRow *row, const Annotation *annotation)
{
    static const char *const names[] = {NULL, "new instance", "more often", "came back"};
    return is_of(row, annotation) ? names[row->mute.change] : NULL;
}
