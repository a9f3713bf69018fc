#include "gateway/monitoring/panels.h"

#include "gateway/monitoring/monitored.h"

#include <stddef.h>

/* clang-format off */

#define RATE(metric, labels) "rate(" metric "{" labels "}[$__rate_interval])"
/* Of classic buckets, or where Prometheus stores native ones in place of them (which have no le), of
   these. */
#define QUANTILE_OF(metric, q, by, labels) "histogram_quantile(" q ", sum by (le" by ") (" RATE(metric, labels) "))"
#define QUANTILE(q, by, labels) QUANTILE_OF("passerelle_call_duration_seconds_bucket", q, by, labels) " or " QUANTILE_OF("passerelle_call_duration_seconds", q, by, labels)
#define SERVICE "service=~\"$service\""

static const Panel overview[] = {
    {"Gateways that answer", 0, PANEL_NUMBER, "none", {{"count(passerelle_loops)", NULL}}},
    {"Alerts", 0, PANEL_NUMBER, "none", {{"count(ALERTS{alertname=~\"Passerelle.*\", alertstate=\"firing\"}) or vector(0)", NULL}}},
    {"Calls a second", WITH_SERVICES, PANEL_LINES, "reqps", {{"sum by (service) (" RATE("passerelle_outcomes_total", "") ")", "{{service}}"}}},
    {"Calls by how they ended", WITH_SERVICES, PANEL_LINES, "reqps", {{"sum by (outcome) (" RATE("passerelle_outcomes_total", "") ")", "{{outcome}}"}}},
    {"Share that fails, of what may fail", WITH_SERVICES, PANEL_LINES, "none", {{"passerelle:failed:ratio_rate1h / on (service, impact) passerelle:error_budget", "{{service}} {{impact}}"}}},
    {"Failures by side and fault", 0, PANEL_LINES, "reqps", {{"sum by (side, fault) (" RATE("passerelle_errors_total", "side!=\"client\"") ")", "{{side}} {{fault}}"}}},
    {"95th percentile of durations", WITH_SERVICES, PANEL_LINES, "s", {{QUANTILE("0.95", ", service", ""), "{{service}}"}}},
    {"Instances that cannot be reached, or get no calls", WITH_SERVICES, PANEL_LINES, "none", {{"count by (service) (passerelle_upstream_up == 0)", "{{service}} down"}, {"sum by (service, reason) (passerelle_instance_barred)", "{{service}} {{reason}}"}}},
    {"Client connections", 0, PANEL_LINES, "none", {{"passerelle_connections", "{{instance}}"}}},
    {"Memory of calls, of its limit", 0, PANEL_LINES, "percentunit", {{"sum without (kind) (passerelle_memory_bytes) / passerelle_memory_limit_bytes", "{{instance}}"}}},
    {"CPU of loops", 0, PANEL_LINES, "percentunit", {{"sum by (instance) (" RATE("passerelle_loop_cpu_seconds_total", "") ")", "{{instance}}"}}},
    {"Log lines lost", 0, PANEL_LINES, "short", {{RATE("passerelle_log_dropped_total", ""), "{{instance}} dropped"}, {RATE("passerelle_log_failed_total", ""), "{{instance}} failed"}}},
    {"Store: tasks that wait", WITH_STORE, PANEL_LINES, "none", {{"passerelle_store_waiting", "{{instance}}"}, {"passerelle_store_up - 1", "{{instance}} down"}}},
    {"Seconds until certificates end", WITH_CERTIFICATES, PANEL_TABLE, "s", {{"min by (where) (passerelle_certificate_ends_timestamp_seconds) - time()", NULL}}},
    {"Calls refused by limits", WITH_LIMITS, PANEL_LINES, "reqps", {{"sum by (limit) (" RATE("passerelle_rate_limited_total", "") ")", "{{limit}}"}}},
    {"Configs and builds", 0, PANEL_TABLE, "none", {{"passerelle_config_info", NULL}, {"passerelle_build_info", NULL}}},
    {NULL, 0, PANEL_LINES, NULL, {{NULL, NULL}}},
};

static const Panel service[] = {
    {"Calls by how they ended", 0, PANEL_LINES, "reqps", {{"sum by (impact, outcome) (" RATE("passerelle_outcomes_total", SERVICE) ")", "{{impact}} {{outcome}}"}}},
    {"Share that fails: 5 minutes, an hour, 3 days", 0, PANEL_LINES, "percentunit", {{"passerelle:failed:ratio_rate5m{" SERVICE "}", "{{impact}} 5m"}, {"passerelle:failed:ratio_rate1h{" SERVICE "}", "{{impact}} 1h"}, {"passerelle:failed:ratio_rate3d{" SERVICE "}", "{{impact}} 3d"}}},
    {"Calls by method", 0, PANEL_LINES, "reqps", {{"sum by (method) (" RATE("passerelle_calls_total", SERVICE) ")", "{{method}}"}}},
    {"Calls by code", 0, PANEL_LINES, "reqps", {{"sum by (code) (" RATE("passerelle_calls_total", SERVICE) ")", "{{code}}"}}},
    {"Failures by fault and cause", 0, PANEL_LINES, "reqps", {{"sum by (side, fault, origin) (" RATE("passerelle_errors_total", SERVICE) ")", "{{side}} {{fault}} {{origin}}"}}},
    {"Durations", 0, PANEL_LINES, "s", {{QUANTILE("0.5", "", SERVICE), "half"}, {QUANTILE("0.95", "", SERVICE), "95 %"}, {QUANTILE("0.99", "", SERVICE), "99 %"}}},
    {"Durations, as a map", 0, PANEL_HEAT, "s", {{"sum by (le) (increase(passerelle_call_duration_seconds_bucket{" SERVICE "}[$__rate_interval]))", "{{le}}"}}},
    {"95th percentile by method", 0, PANEL_LINES, "s", {{QUANTILE("0.95", ", method", SERVICE), "{{method}}"}}},
    {"Instances", 0, PANEL_TABLE, "none", {{"passerelle_upstream_up{" SERVICE "}", NULL}, {"passerelle_instance_barred{" SERVICE "}", NULL}}},
    {"Attempts by instance and code", 0, PANEL_LINES, "reqps", {{"sum by (exported_instance, code) (" RATE("passerelle_upstream_calls_total", "") " * on (instance, exported_instance) group_left () (passerelle_upstream_up{" SERVICE "} >= bool 0))", "{{exported_instance}} {{code}}"}}},
    {"Calls in flight, and their limit", 0, PANEL_LINES, "none", {{"sum by (instance) (passerelle_concurrency_in_flight{" SERVICE "})", "{{instance}}"}, {"sum by (instance) (passerelle_concurrency_limit{" SERVICE "})", "{{instance}} limit"}}},
    {"Losses of conversions", WITH_LOSSES, PANEL_LINES, "short", {{"sum by (field, kind) (" RATE("passerelle_losses_total", SERVICE) ")", "{{field}} {{kind}}"}}},
    {NULL, 0, PANEL_LINES, NULL, {{NULL, NULL}}},
};

static const Panel versions[] = {
    {"Calls of the last hour: version of clients by version of instances", 0, PANEL_TABLE, "short", {{"sum by (client_version, served_version) (increase(passerelle_calls_total{" SERVICE "}[1h]))", NULL}}},
    {"Share of them that fails", 0, PANEL_TABLE, "percentunit", {{"sum by (client_version, served_version) (increase(passerelle_calls_total{" SERVICE ", fault!=\"\"}[1h])) / sum by (client_version, served_version) (increase(passerelle_calls_total{" SERVICE "}[1h]))", NULL}}},
    {"Calls by the version of clients", 0, PANEL_LINES, "reqps", {{"sum by (client_version) (" RATE("passerelle_calls_total", SERVICE) ")", "{{client_version}}"}}},
    {"Calls by the version that serves", 0, PANEL_LINES, "reqps", {{"sum by (served_version) (" RATE("passerelle_calls_total", SERVICE) ")", "{{served_version}}"}}},
    {"95th percentile of durations, by the version of clients", 0, PANEL_LINES, "s", {{QUANTILE("0.95", ", version", SERVICE), "{{version}}"}}},
    {"Fields that conversions lost in the last hour", WITH_LOSSES, PANEL_TABLE, "short", {{"sum by (from, to, field, kind) (increase(passerelle_losses_total{" SERVICE "}[1h])) > 0", NULL}}},
    {"Fields that types do not have", 0, PANEL_LINES, "short", {{"sum by (method, version) (" RATE("passerelle_unknown_fields_total", SERVICE) ")", "{{version}} {{method}}"}}},
    {"Versions that retire: since when nobody calls them", WITH_RETIRING, PANEL_TABLE, "s", {{"passerelle_version_unused_seconds{" SERVICE "}", NULL}, {"passerelle_version_past_sunset{" SERVICE "}", NULL}, {"passerelle_version_retired{" SERVICE "}", NULL}}},
    {NULL, 0, PANEL_LINES, NULL, {{NULL, NULL}}},
};

static const Panel healing[] = {
    {"What is being healed", 0, PANEL_TABLE, "none", {{"passerelle_healing_now > 0", NULL}}},
    {"Too much is healed", 0, PANEL_TABLE, "none", {{"passerelle_healing_excess == 1", NULL}}},
    {"Acts of healing", 0, PANEL_LINES, "short", {{"sum by (act) (" RATE("passerelle_healing_total", "") ")", "{{act}}"}}},
    {"Acts of healing by service", 0, PANEL_LINES, "short", {{"sum by (service, act) (" RATE("passerelle_healing_total", "") ")", "{{service}} {{act}}"}}},
    {"Instances that get no calls", 0, PANEL_TABLE, "none", {{"passerelle_instance_barred", NULL}, {"passerelle_upstream_up == 0", NULL}}},
    {"Retries, hedges, cancelled attempts", 0, PANEL_LINES, "reqps", {{"sum(" RATE("passerelle_retries_total", "") ")", "retries"}, {"sum(" RATE("passerelle_hedges_total", "") ")", "hedges"}, {"sum(" RATE("passerelle_attempts_cancelled_total", "") ")", "cancelled"}}},
    {"Retries that were refused", 0, PANEL_LINES, "reqps", {{"sum by (service, reason) (" RATE("passerelle_retries_refused_total", "") ")", "{{service}} {{reason}}"}}},
    {"Calls refused for overload", 0, PANEL_LINES, "reqps", {{"sum by (impact) (" RATE("passerelle_calls_shed_total", "") ")", "{{impact}}"}}},
    {"Active checks that fail", 0, PANEL_LINES, "short", {{"sum by (instance) (" RATE("passerelle_checks_failed_total", "") ")", "{{instance}}"}}},
    {"By hand: seconds left", 0, PANEL_TABLE, "s", {{"passerelle_manual_seconds", NULL}}},
    {NULL, 0, PANEL_LINES, NULL, {{NULL, NULL}}},
};

static const Panel rollouts[] = {
    {"States", 0, PANEL_TABLE, "none", {{"max by (rollout, state) (passerelle_rollout_state) == 1", NULL}}},
    {"Tier", 0, PANEL_LINES, "none", {{"max by (rollout) (passerelle_rollout_tier)", "{{rollout}}"}}},
    {"Evidence against the candidate: at 100 % it is found bad", 0, PANEL_LINES, "percent", {{"max by (rollout) (passerelle_rollout_evidence_percent)", "{{rollout}}"}}},
    {"Clients that have the candidate, and may", 0, PANEL_LINES, "none", {{"max by (rollout) (passerelle_rollout_members)", "{{rollout}}"}, {"max by (rollout) (passerelle_rollout_room)", "{{rollout}} room"}}},
    {"Share of clients with a bad call", 0, PANEL_LINES, "percentunit", {{"max by (rollout, arm, metric) (passerelle_rollout_failed_clients) / on (rollout, arm) group_left () max by (rollout, arm) (passerelle_rollout_clients)", "{{rollout}} {{arm}} {{metric}}"}}},
    {"Clients by arm", 0, PANEL_LINES, "none", {{"max by (rollout, arm) (passerelle_rollout_clients)", "{{rollout}} {{arm}}"}}},
    {"Candidates without instances", 0, PANEL_TABLE, "none", {{"max by (rollout) (passerelle_rollout_gone) == 1", NULL}}},
    {NULL, 0, PANEL_LINES, NULL, {{NULL, NULL}}},
};

static const Panel jobs[] = {
    {"Jobs by state", 0, PANEL_LINES, "none", {{"sum by (method, state) (max by (method, state, step) (passerelle_jobs))", "{{method}} {{state}}"}}},
    {"The oldest of each state", 0, PANEL_LINES, "s", {{"max by (method, state) (passerelle_jobs_oldest_seconds)", "{{method}} {{state}}"}}},
    {"By step", 0, PANEL_TABLE, "none", {{"max by (method, state, step) (passerelle_jobs)", NULL}}},
    {"Calls of steps by result", 0, PANEL_LINES, "reqps", {{"sum by (method, step, result) (" RATE("passerelle_job_calls_total", "") ")", "{{method}} {{step}} {{result}}"}}},
    {"Jobs that each gateway executes", 0, PANEL_LINES, "none", {{"sum by (instance) (passerelle_jobs_held)", "{{instance}}"}}},
    {"Jobs that wait for another try", 0, PANEL_LINES, "none", {{"max by (method) (passerelle_jobs_retrying)", "{{method}}"}}},
    {"Methods whose jobs do not begin", 0, PANEL_TABLE, "none", {{"max by (method) (passerelle_jobs_parked) == 1", NULL}, {"max by (method) (passerelle_jobs_begins_held) == 1", NULL}}},
    {"The oldest event that a webhook has not taken", WITH_JOB_WEBHOOKS, PANEL_LINES, "s", {{"max(passerelle_job_events_oldest_seconds)", "oldest"}}},
    {NULL, 0, PANEL_LINES, NULL, {{NULL, NULL}}},
};

const Dashboard dashboards[] = {
    {"overview", "Passerelle: overview", 0, NULL, overview},
    {"service", "Passerelle: a service", WITH_SERVICES, "service", service},
    {"versions", "Passerelle: versions", WITH_VERSIONS, "service", versions},
    {"healing", "Passerelle: healing", WITH_SERVICES, NULL, healing},
    {"rollouts", "Passerelle: rollouts", WITH_ROLLOUTS, NULL, rollouts},
    {"jobs", "Passerelle: jobs", WITH_JOBS, NULL, jobs},
    {NULL, NULL, 0, NULL, NULL},
};
