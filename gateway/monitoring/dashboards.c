#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/monitoring/monitored.h"
#include "gateway/monitoring/monitoring_internal.h"
#include "gateway/monitoring/panels.h"

enum { GRAFANA_SCHEMA = 38, WIDTH = 12, HEIGHT = 8, PER_ROW = 2 };

static void add(Buffer *out, const char *key, const char *text)
{
    json_text_add_member(out, key, bytes_of(text));
}

static void add_source(Buffer *out)
{
    json_text_add_key(out, "datasource");
    buffer_add_text(out, "{\"type\":\"prometheus\",\"uid\":\"${datasource}\"}");
}

static const char *kind_name(PanelKind kind)
{
    switch (kind) {
    case PANEL_LINES: return "timeseries";
    case PANEL_NUMBER: return "stat";
    case PANEL_TABLE: return "table";
    case PANEL_HEAT: break;
    }
    return "heatmap";
}

static void add_query(Buffer *out, const Panel *panel, int at)
{
    const PanelQuery *query = &panel->queries[at];
    json_text_open_item(out);
    add(out, "refId", (const char *[]){"A", "B", "C"}[at]);
    add_source(out);
    add(out, "expr", query->expression);
    if (query->legend)
        add(out, "legendFormat", query->legend);
    if (panel->kind == PANEL_TABLE || panel->kind == PANEL_HEAT)
        add(out, "format", panel->kind == PANEL_TABLE ? "table" : "heatmap");
    json_text_add_bool(out, "instant", panel->kind == PANEL_TABLE);
    buffer_add_byte(out, '}');
}

/* The `n`th panel that is shown: two in a row. */
static void add_panel(Buffer *out, const Panel *panel, int n)
{
    json_text_open_item(out);
    json_text_add_number(out, "id", (uint64_t)n + 1);
    add(out, "type", kind_name(panel->kind));
    add(out, "title", panel->title);
    add_source(out);
    json_text_add_key(out, "gridPos");
    buffer_printf(out, "{\"x\":%d,\"y\":%d,\"w\":%d,\"h\":%d}", n % PER_ROW * WIDTH,
                  n / PER_ROW * HEIGHT, WIDTH, HEIGHT);
    json_text_add_key(out, "fieldConfig");
    buffer_add_text(out, "{\"defaults\":{");
    add(out, "unit", panel->unit);
    json_text_add_number(out, "min", 0);
    buffer_add_text(out, "},\"overrides\":[]}");
    json_text_open_list(out, "targets");
    for (int at = 0; at < PANEL_QUERIES_MOST && panel->queries[at].expression; at++)
        add_query(out, panel, at);
    buffer_add_text(out, "]}");
}

static void add_variables(Buffer *out, const Dashboard *dashboard)
{
    json_text_add_key(out, "templating");
    buffer_add_text(out, "{\"list\":[{\"name\":\"datasource\",\"type\":\"datasource\","
                         "\"query\":\"prometheus\"}");
    if (dashboard->variable) {
        buffer_add_text(out, ",{");
        add(out, "name", dashboard->variable);
        add(out, "type", "query");
        add_source(out);
        json_text_add_key(out, "query");
        buffer_printf(out, "\"label_values(passerelle_outcomes_total, %s)\"", dashboard->variable);
        json_text_add_number(out, "refresh", 2);
        json_text_add_number(out, "sort", 1);
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, "]}");
}

static Bytes write_dashboard(const Monitoring *m, const Dashboard *dashboard)
{
    Buffer out = buffer_in(m->arena);
    buffer_add_byte(&out, '{');
    add(&out, "uid", arena_printf(m->arena, "passerelle-%s", dashboard->name));
    add(&out, "title", dashboard->title);
    json_text_add_number(&out, "schemaVersion", GRAFANA_SCHEMA);
    json_text_add_key(&out, "tags");
    buffer_add_text(&out, "[\"passerelle\"]");
    json_text_add_key(&out, "time");
    buffer_add_text(&out, "{\"from\":\"now-6h\",\"to\":\"now\"}");
    add(&out, "refresh", "30s");
    json_text_add_key(&out, "annotations");
    buffer_add_text(&out, "{\"list\":[]}");
    add_variables(&out, dashboard);
    json_text_open_list(&out, "panels");
    int n = 0;
    for (const Panel *panel = dashboard->panels; panel->title; panel++)
        if ((m->has & panel->with) == panel->with)
            add_panel(&out, panel, n++);
    buffer_add_text(&out, "]}\n");
    return buffer_bytes(&out);
}

uint32_t monitoring_dashboards(const Monitoring *m, MonitoringFile *files_out, uint32_t most)
{
    uint32_t n = 0;
    for (const Dashboard *at = dashboards; at->name; at++) {
        if ((m->has & at->with) != at->with)
            continue;
        CHECK(n < most);
        files_out[n++] =
            (MonitoringFile){arena_printf(m->arena, "dashboards/passerelle-%s.json", at->name),
                             write_dashboard(m, at)};
    }
    return n;
}
