#include "gateway/headers/trace_sample.h"

static bool is_drawn(const TracingConfig *config, Random *random)
{
    return config->share && (random_next(random) & UINT32_MAX) < config->share;
}

void trace_sample(TraceContext *context, const TracingConfig *config, Random *random)
{
    if (context->known && config->parent) {
        context->recorded = context->flags & TRACE_SAMPLED;
        return;
    }
    if (!is_drawn(config, random))
        return;
    if (!context->known)
        trace_context_start(context, random);
    context->recorded = true;
    context->flags |= TRACE_SAMPLED;
}
