#include "gateway/instances/check_row.h"

enum { JITTER_PERCENT = 20 };

const char *check_result_name(CheckResult result)
{
    switch (result) {
    case CHECK_GOOD: break;
    case CHECK_UNREACHABLE: return "it cannot be reached";
    case CHECK_LATE: return "it has not responded in time";
    case CHECK_REFUSED: return "it responded that it is not healthy";
    case CHECK_UNDECIDED: return "it could not be asked";
    }
    return "it is healthy";
}

bool check_row_add(CheckRow *row, const CheckRules *rules, CheckResult result)
{
    bool before = row->unhealthy;
    if (result == CHECK_UNDECIDED)
        return false;
    if (result == CHECK_GOOD) {
        row->bad = 0;
        if (++row->good >= rules->healthy_after)
            row->unhealthy = false;
    } else {
        row->good = 0;
        if (++row->bad >= rules->unhealthy_after)
            row->unhealthy = true;
    }
    return row->unhealthy != before;
}

bool check_status_is_good(const CheckRules *rules, unsigned status)
{
    for (size_t i = 0; i < rules->n_statuses; i++)
        if (rules->statuses[i] == status)
            return true;
    return rules->n_statuses == 0 && status >= 200 && status < 300;
}

int64_t check_first_wait(const CheckRules *rules, Random *random)
{
    return (int64_t)random_below(random, (uint64_t)rules->every);
}

int64_t check_next_wait(const CheckRules *rules, Random *random)
{
    int64_t jitter = rules->every * JITTER_PERCENT / 100;
    return rules->every - jitter + (int64_t)random_below(random, (uint64_t)(2 * jitter + 1));
}
