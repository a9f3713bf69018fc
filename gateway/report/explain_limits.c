/* Which limits there are, and which ones a call meets: of how much clients may do. */
#include "gateway/report/explain_internal.h"
#include "gateway/report/limit_words.h"

#include "base/clock.h"
#include "base/text/json_text.h"

static const char *const counted[] = {
    [LIMIT_CALLS] = "calls", [LIMIT_MESSAGES] = "messages", [LIMIT_BYTES] = "bytes"};

/* In the order of the bits of LimitPer. */
static const char *const per_names[] = {"client", "tenant", "class",  "service",
                                        "route",  "method", "version"};
enum { PER_NAMES = sizeof per_names / sizeof *per_names };

static const char *period_of(const RateLimit *limit)
{
    return limit->period == SECOND          ? "second"
           : limit->period == 60 * SECOND   ? "minute"
           : limit->period == 3600 * SECOND ? "hour"
                                            : "day";
}

static const MethodLimits *limits_of(const Explained *found)
{
    return found->method ? found->method->limits : found->route ? found->route->limits : NULL;
}

static void tell_per(const RateLimit *limit, Buffer *out)
{
    const char *between = "of each ";
    if (!limit->per)
        buffer_add_text(out, "of all");
    for (uint32_t i = 0; i < PER_NAMES; i++) {
        if (!(limit->per >> i & 1))
            continue;
        buffer_printf(out, "%s%s", between, per_names[i]);
        between = " and ";
    }
}

static void tell_list(const char *what, const char *const *names, Buffer *out)
{
    for (uint32_t i = 0; names && names[i]; i++)
        buffer_printf(out, "%s%s", i ? " or " : what, names[i]);
}

static void tell_test(const char *what, const LimitTest *test, bool versions, Buffer *out)
{
    versions &= test->versions != NULL;
    if (!test->classes && !test->clients && !test->anonymous && !versions)
        return;
    buffer_add_text(out, what);
    if (versions)
        tell_list(" version ", test->versions, out);
    tell_list(" class ", test->classes, out);
    tell_list(" client ", test->clients, out);
    if (test->anonymous)
        buffer_add_text(out, " clients without an identity");
}

void limit_words_add(const RateLimit *limit, bool costs, bool versions, Buffer *out)
{
    buffer_printf(out, "%s: ", limit->name);
    if (limit->concurrent)
        buffer_printf(out, "%u calls at a time, ", limit->concurrent);
    else
        buffer_printf(out, "%llu %s per %s, %llu at once, ", (unsigned long long)limit->rate,
                      counted[limit->count], period_of(limit), (unsigned long long)limit->burst);
    tell_per(limit, out);
    if (costs)
        buffer_printf(out, "; a call costs its %s, 1 to %llu", limit->cost,
                      (unsigned long long)limit->most_cost);
    tell_test("; only", &limit->on, versions, out);
    tell_test("; not", &limit->unless, versions, out);
}

void explain_limits_text(const Explained *found, Buffer *out)
{
    const MethodLimits *limits = limits_of(found);
    for (uint32_t i = 0; limits && i < limits->n; i++) {
        buffer_add_text(out, "limit     ");
        limit_words_add(limits->items[i].limit, limits->items[i].cost != NULL, false, out);
        buffer_add_byte(out, '\n');
    }
}

static void add_names(Buffer *out, const char *name, const char *const *names)
{
    if (!names)
        return;
    json_text_open_list(out, name);
    for (; *names; names++) {
        json_text_add_element(out);
        json_text_add(out, bytes_of(*names));
    }
    buffer_add_byte(out, ']');
}

static void add_test(Buffer *out, const char *name, const LimitTest *test)
{
    if (!test->said)
        return;
    json_text_add_key(out, name);
    buffer_add_byte(out, '{');
    add_names(out, "version", test->versions);
    add_names(out, "class", test->classes);
    add_names(out, "client", test->clients);
    if (test->anonymous)
        json_text_add_bool(out, "anonymous", true);
    buffer_add_byte(out, '}');
}

static void add_per(Buffer *out, const RateLimit *limit)
{
    json_text_open_list(out, "per");
    for (uint32_t i = 0; i < PER_NAMES; i++) {
        if (!(limit->per >> i & 1))
            continue;
        json_text_add_element(out);
        json_text_add(out, bytes_of(per_names[i]));
    }
    buffer_add_byte(out, ']');
}

void limit_words_add_json(const RateLimit *limit, bool costs, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_member(out, "name", bytes_of(limit->name));
    if (limit->scope)
        json_text_add_member(out, limit->of_service ? "service" : "route", bytes_of(limit->scope));
    add_per(out, limit);
    if (limit->concurrent) {
        json_text_add_number(out, "concurrent", limit->concurrent);
    } else {
        json_text_add_number(out, "rate", limit->rate);
        json_text_add_member(out, "in", bytes_of(period_of(limit)));
        json_text_add_number(out, "burst", limit->burst);
        json_text_add_member(out, "count", bytes_of(counted[limit->count]));
    }
    if (costs) {
        json_text_add_member(out, "cost", bytes_of(limit->cost));
        json_text_add_number(out, "most", limit->most_cost);
    }
    add_test(out, "on", &limit->on);
    add_test(out, "unless", &limit->unless);
    buffer_add_byte(out, '}');
}

void explain_limits_json(const Explained *found, Buffer *out)
{
    const MethodLimits *limits = limits_of(found);
    if (!limits)
        return;
    json_text_open_list(out, "rate_limits");
    for (uint32_t i = 0; i < limits->n; i++) {
        json_text_add_element(out);
        limit_words_add_json(limits->items[i].limit, limits->items[i].cost != NULL, out);
    }
    buffer_add_byte(out, ']');
}
