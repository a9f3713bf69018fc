#include "gateway/instances/latency.h"

void latency_add_more(Latency *latency, int64_t time, bool answered, int64_t now)
{
    double before = (double)latency->value;
    if (time < latency->value) {
        double faded = latency_faded(before, now - latency->at);
        double share = before > 0 ? faded / before : 0; /* of what was measured before */
        time = (int64_t)(answered ? before * share + (double)time * (1 - share) : faded);
    }
    *latency = (Latency){.value = time, .at = now};
}

static bool alike(double a, double b)
{
    return a < b ? b - a < a / 4 : a - b < b / 4;
}

bool burden_is_less(const Burden *a, const Burden *b)
{
    double calls_a = a->calls / a->weight + 1, calls_b = b->calls / b->weight + 1;
    return alike(a->latency, b->latency) ? calls_a < calls_b
                                         : calls_a * a->latency < calls_b * b->latency;
}
