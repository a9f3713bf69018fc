#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/monitoring/alerts.h"
#include "gateway/monitoring/monitored.h"
#include "gateway/monitoring/monitoring_internal.h"

#include <stdlib.h>

/* A rate needs two samples: no window is shorter than some scrapes of one second. */
enum { WINDOW_LEAST_MS = 4000 };

/* ---- Texts ----------------------------------------------------------------------------------- */

static void add_milliseconds(Buffer *out, uint64_t ms)
{
    if (ms % 1000)
        buffer_printf(out, "%llums", (unsigned long long)ms);
    else
        buffer_printf(out, "%llus", (unsigned long long)(ms / 1000));
}

static uint64_t seconds_of(char unit)
{
    return unit == 'd' ? 86400 : unit == 'h' ? 3600 : unit == 'm' ? 60 : 1;
}

/* "$1h" at `at`; returns what is behind it. */
static const char *add_window(const Monitoring *m, Buffer *out, const char *at)
{
    char *unit;
    uint64_t n = strtoull(at + 1, &unit, 10);
    uint64_t ms = n * seconds_of(*unit) * 1000 / m->options->time_scale;
    if (m->options->time_scale == 1)
        buffer_add(out, at + 1, (size_t)(unit + 1 - (at + 1)));
    else
        add_milliseconds(out, ms > WINDOW_LEAST_MS ? ms : WINDOW_LEAST_MS);
    return unit + 1;
}

/* "@3600" at `at`; returns what is behind it. */
static const char *add_seconds(const Monitoring *m, Buffer *out, const char *at)
{
    char *end;
    uint64_t n = strtoull(at + 1, &end, 10);
    buffer_printf(out, "%.6g", (double)n / m->options->time_scale);
    return end;
}

/* An expression of the table, or a text that has %JOB%. */
static Bytes expand(const Monitoring *m, const char *text)
{
    static const char job[] = "%JOB%";
    Buffer out = buffer_in(m->arena);
    for (const char *at = text; *at;) {
        bool number = at[1] >= '0' && at[1] <= '9';
        if (*at == '$' && number)
            at = add_window(m, &out, at);
        else if (*at == '@' && number)
            at = add_seconds(m, &out, at);
        else if (strncmp(at, job, sizeof job - 1) == 0) {
            buffer_add_text(&out, m->options->job);
            at += sizeof job - 1;
        } else
            buffer_add_byte(&out, (uint8_t)*at++);
    }
    return buffer_bytes(&out);
}

/* A block of YAML, each line of `text` behind six blanks. */
static void add_expression(Buffer *out, Bytes text)
{
    buffer_add_text(out, "    expr: |-\n      ");
    for (size_t i = 0; i < text.size; i++) {
        buffer_add_byte(out, text.data[i]);
        if (text.data[i] == '\n')
            buffer_add_text(out, "      ");
    }
    buffer_add_byte(out, '\n');
}

/* A text in quotes of JSON is one of YAML. */
static void add_text(Buffer *out, const char *key, Bytes text)
{
    buffer_printf(out, "%s: ", key);
    json_text_add(out, text);
    buffer_add_byte(out, '\n');
}

/* ---- Recording ------------------------------------------------------------------------------- */

static void add_ratio(const Monitoring *m, Buffer *out, const char *outcome, const char *window)
{
    buffer_printf(out, "  - record: passerelle:%s:ratio_rate%s\n", outcome, window);
    const char *text = arena_printf(
        m->arena,
        "sum by (service, impact) (rate(passerelle_outcomes_total{outcome=\"%s\"}[$%s]))\n"
        "/ (sum by (service, impact) (rate(passerelle_outcomes_total{outcome!=\"client\"}[$%s])) > "
        "0)",
        outcome, window, window);
    add_expression(out, expand(m, text));
}

static void add_budget(Buffer *out, const Service *service, Impact impact, bool pages)
{
    static const char *const recorded[] = {"error_budget", "pages"};
    for (int i = 0; i <= pages; i++) {
        buffer_printf(out, "  - record: passerelle:%s\n", recorded[i]);
        buffer_add_text(out, "    expr: ");
        if (i)
            buffer_add_text(out, "vector(1)");
        else
            buffer_printf(out, "vector(%.8g)", (100 - service->objectives[impact]) / 100);
        buffer_add_text(out, "\n    labels: {service: ");
        json_text_add(out, bytes_of(service->name));
        buffer_printf(out, ", impact: %s}\n", impact_name(impact));
    }
}

/* The share of calls that may fail; and for which of them somebody is woken. */
static void add_budgets(const Monitoring *m, Buffer *out)
{
    for (uint32_t s = 0; s < m->config->n_services; s++)
        for (int impact = 0; impact < IMPACTS; impact++)
            if (monitored_impact(m->config, &m->config->services[s], (Impact)impact))
                add_budget(out, &m->config->services[s], (Impact)impact, impact > IMPACT_LOW);
}

static void add_recorded(const Monitoring *m, Buffer *out)
{
    static const char *const windows[] = {"5m", "30m", "1h", "2h", "6h", "1d", "3d"};
    if (!(m->has & WITH_SERVICES))
        return;
    buffer_add_text(out, "- name: passerelle.recorded\n  rules:\n");
    add_budgets(m, out);
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        add_ratio(m, out, "failed", windows[i]);
    add_ratio(m, out, "degraded", "5m");
}

/* ---- Alerts ---------------------------------------------------------------------------------- */

static void add_runbook(const Monitoring *m, Buffer *out, const char *name)
{
    Buffer url = buffer_in(m->arena);
    buffer_printf(&url, "%s#", m->options->docs);
    for (const char *at = name; *at; at++)
        buffer_add_byte(&url, (uint8_t)(*at | 0x20)); /* letters only: in lower case */
    add_text(out, "      runbook_url", buffer_bytes(&url));
}

static void add_alert(const Monitoring *m, Buffer *out, const Alert *alert, const char *expression,
                      bool page)
{
    buffer_printf(out, "  - alert: Passerelle%s\n", alert->name);
    add_expression(out, expand(m, expression));
    if (alert->seconds) {
        buffer_add_text(out, "    for: ");
        add_milliseconds(out, (uint64_t)alert->seconds * 1000 / m->options->time_scale);
        buffer_add_byte(out, '\n');
    }
    buffer_printf(out, "    labels: {severity: %s}\n    annotations:\n", page ? "page" : "ticket");
    add_text(out, "      summary", expand(m, alert->summary));
    add_text(out, "      description", expand(m, alert->description));
    add_runbook(m, out, alert->name);
}

/* One for what pages and one for the rest, as far as the config has them. */
static void add_both(const Monitoring *m, Buffer *out, const Alert *alert, const char *labels,
                     bool has_low)
{
    const char *with[] = {"unless", "and"};
    bool there[] = {has_low, monitored_pages(m->config, NULL)};
    for (int page = 1; page >= 0; page--)
        if (there[page])
            add_alert(m, out, alert,
                      arena_printf(m->arena, "(%s)\n%s on (%s) passerelle:pages", alert->expression,
                                   with[page], labels),
                      page);
}

static bool has_low_service(const Config *config)
{
    for (uint32_t s = 0; s < config->n_services; s++)
        if (!monitored_pages(config, &config->services[s]))
            return true;
    return false;
}

static void add_by_severity(const Monitoring *m, Buffer *out, const Alert *alert)
{
    const Config *config = m->config;
    switch (alert->severity) {
    case ALERT_TICKET: add_alert(m, out, alert, alert->expression, false); return;
    case ALERT_PAGE:
        add_alert(m, out, alert, alert->expression, monitored_pages(config, NULL));
        return;
    case ALERT_BY_IMPACT:
        add_both(m, out, alert, "service, impact", monitored_impact(config, NULL, IMPACT_LOW));
        return;
    case ALERT_BY_SERVICE: add_both(m, out, alert, "service", has_low_service(config)); return;
    }
}

Bytes monitoring_rules(const Monitoring *m)
{
    Buffer out = buffer_in(m->arena);
    buffer_add_text(&out, "# Made by `passerelle monitoring`: do not edit; see monitoring.md.\n"
                          "groups:\n");
    add_recorded(m, &out);
    buffer_add_text(&out, "- name: passerelle.alerts\n  rules:\n");
    for (const Alert *alert = alerts; alert->name; alert++)
        if ((m->has & alert->with) == alert->with)
            add_by_severity(m, &out, alert);
    return buffer_bytes(&out);
}
