/* What the client is told of each leg. */
#include "adapters/schema/wire.h"
#include "base/clock.h"
#include "gateway/compose/composition_internal.h"

static const char *state_name(LegState state)
{
    static const char *const names[] = {
        [LEG_WAITS] = "skipped",     [LEG_RUNS] = "failed",     [LEG_OK] = "ok",
        [LEG_DEGRADED] = "degraded", [LEG_SKIPPED] = "skipped", [LEG_FAILED] = "failed",
    };
    return names[state];
}

/* Of a call that ends while legs run: it has waited for them in vain. */
static const char *reason_of(const LegCall *leg)
{
    if (failed(leg->why))
        return leg->why.error->fault->name;
    return leg->state == LEG_WAITS  ? FAULT_CANCELLED.name
           : leg->state == LEG_RUNS ? FAULT_DEADLINE_EXCEEDED.name
                                    : NULL;
}

/* NULL: its service has not said an error. */
static const char *code_of(const LegCall *leg)
{
    return leg->code == CODE_OK ? NULL : code_name(leg->code);
}

static uint64_t milliseconds_of(const LegCall *leg)
{
    int64_t until = leg->ended ? leg->ended : leg->composition->call.loop->now;
    return leg->began ? (uint64_t)((until - leg->began) / MILLISECOND) : 0;
}

static void add_text(Buffer *out, const FieldType *field, const char *text)
{
    if (field && text)
        wire_add_bytes(out, field->number, bytes_of(text));
}

static void add_number(Buffer *out, const FieldType *field, uint64_t number)
{
    if (field && number)
        wire_add_number(out, field->number, number);
}

void leg_report_write(const Composition *c, Buffer *out)
{
    const Composed *composed = c->composed;
    for (uint32_t i = 0; composed->report && i < composed->n_legs; i++) {
        const LegCall *leg = &c->legs[i];
        Buffer item = buffer_in(c->call.arena);
        add_text(&item, composed->report_name, leg->leg->name);
        add_text(&item, composed->report_state, state_name(leg->state));
        add_text(&item, composed->report_reason, reason_of(leg));
        add_text(&item, composed->report_code, code_of(leg));
        add_number(&item, composed->report_milliseconds, milliseconds_of(leg));
        add_number(&item, composed->report_age, leg->age);
        wire_add_bytes(out, composed->report->number, buffer_bytes(&item));
        out->full |= item.full;
    }
}

Bytes leg_report_text(const Making *making, bool *partial_out)
{
    const Composition *c = (const Composition *)making;
    Buffer text = buffer_in(c->call.arena);
    *partial_out = false;
    for (uint32_t i = 0; i < c->composed->n_legs; i++) {
        const LegCall *leg = &c->legs[i];
        const char *reason = reason_of(leg), *code = code_of(leg);
        buffer_printf(&text, "%s%s; state=%s", i ? ", " : "", leg->leg->name,
                      state_name(leg->state));
        if (reason)
            buffer_printf(&text, "; reason=%s", reason);
        if (code)
            buffer_printf(&text, "; code=%s", code);
        buffer_printf(&text, "; ms=%llu", (unsigned long long)milliseconds_of(leg));
        if (leg->age)
            buffer_printf(&text, "; age=%u", leg->age);
        *partial_out |= leg->state != LEG_OK;
    }
    return text.full ? BYTES_NONE : buffer_bytes(&text);
}
