"""The table of modules: the layers of the tree, and in each its modules from the bottom up.

A file may include its own module, the modules before it in its layer, and the layers that its layer sees.
tests/arrows.py checks that, and makes the diagram of docs/tour.md from this table.
"""
from typing import NamedTuple


class Module(NamedTuple):
    name: str   # the folder: LAYER/NAME; "" is the layer's own folder
    what: str   # what it holds, in a few words
    type: str   # its main type or function
    start: str  # the file of the folder to read first


class Layer(NamedTuple):
    name: str
    sees: tuple  # the layers below
    modules: tuple


LAYERS = (
    Layer("base", (), (
        Module("memory", "what the process and its clients hold, against a limit", "Account", "budget.h"),
        Module("thread", "which signals a thread leaves to others", "thread_signals_of_others", "thread_signals.h"),
        Module("", "results and faults, arenas, bytes, calls, logs, clocks", "Result", "result.h"),
        Module("text", "base64, dates, numbers, escapes, UTF-8", "Base64Alphabet", "utf8.h"),
        Module("net", "addresses, and whom to trust by them", "IpAddress", "ip.h"),
        Module("file", "files, read whole; which one a thread waits for", "FileNote", "file.h"),
    )),
    Layer("protocols", ("base",), (
        Module("http", "what both engines share; compression", "HttpStream", "http.h"),
        Module("http1", "the HTTP/1.1 engine", "Http1", "http1.h"),
        Module("http2", "the HTTP/2 engine, and HPACK", "Http2", "http2.h"),
        Module("rest", "path templates, queries, Accept", "RestTable", "rest.h"),
        Module("dialect", "gRPC, gRPC-Web, Connect, REST", "MessageReader", "dialect.h"),
    )),
    Layer("adapters", ("base",), (
        Module("text", "JSON, YAML, numbers, times", "JsonNode", "json.h"),
        Module("schema", "descriptor sets, linked; wire format", "Schema", "schema.h"),
        Module("document", "our own messages, read from YAML", "DocumentRules", "document.h"),
        Module("mapping", "how each field gets its value", "Mapping", "mapping.h"),
        Module("place", "a message of fields of other messages", "Placement", "placement.h"),
        Module("compose", "two steps of a chain become one", "Composing", "compose.h"),
        Module("changes", "change lists: read, checked, composed", "ChangeList", "changes.h"),
        Module("rules", "what a route demands of its requests", "FieldRules", "rules.h"),
        Module("diff", "a first change list of two schemas", "SchemaDiff", "schema_diff.h"),
        Module("program", "what a plan is: read-only data", "Program", "program.h"),
        Module("run", "one message through a plan", "Runner", "plan_run.h"),
        Module("compare", "how two messages differ in what they mean", "Comparison", "compare.h"),
        Module("details", "the details of errors, converted", "DetailsRun", "details.h"),
        Module("compile", "mappings into plans", "Compiler", "plan_compile.h"),
        Module("prove", "plans against a slow, obvious twin", "Tree", "prove.h"),
    )),
    Layer("gateway", ("base", "protocols", "adapters"), (
        Module("tls", "TLS of listeners and towards instances: certificates", "TlsFiles", "tls_context.h"),
        Module("rest", "a message as REST path, query and body", "RestRequest", "rest_request.h"),
        Module("token", "signed tokens, and the keys that check them", "Token", "token.h"),
        Module("password", "passwords of operators: Argon2id", "PasswordHash", "password_hash.h"),
        Module("redaction", "what is never shown: fields and members by their paths", "redact_record", "redaction.h"),
        Module("log_output", "where log lines go, in which form; who follows them", "LogOutputs", "log_outputs.h"),
        Module("config", "the configuration: one generation, and how mistakes are told", "Config", "config.h"),
        Module("settings", "what of a config belongs to no service, read and checked", "ConfigReader", "settings.h"),
        Module("inventory", "instances, read from the config or from lists", "InstanceList", "instance_list.h"),
        Module("service", "services, compiled: versions, plans, bindings", "ConfigReader", "config_load.h"),
        Module("thread", "threads that are not loops; signals", "Chore", "chore.h"),
        Module("handover", "what a gateway leaves to the one after it", "Notice", "handover.h"),
        Module("supervisor", "the parent that restarts and upgrades the gateway", "Supervised", "supervisor.h"),
        Module("loop", "event loop, timers, names, sockets, TLS, the pump", "Loop", "loop.h"),
        Module("memory", "accounts of clients; calls that wait for memory", "MemoryWait", "accounts.h"),
        Module("cache", "good responses, kept for calls that fail", "ResponseCache", "response_cache.h"),
        Module("version", "which API version a client speaks", "Negotiation", "negotiate.h"),
        Module("headers", "header fields: CORS, forwarding, request id, trace", "Forwarding", "forwarding.h"),
        Module("identity", "who makes a call, and how that was proved", "Identity", "identity.h"),
        Module("access", "whether a client may call: its credentials, and what routes demand", "Authenticated", "authenticator.h"),
        Module("authz", "what policy servers are asked, and what they say", "AuthzResponse", "authz_request.h"),
        Module("policy", "retry, fall back, respond or fail: pure decisions", "PolicyVerdict", "policy.h"),
        Module("rollout", "how a rollout is judged, and how far it has come", "RolloutJudgement", "rollout_judge.h"),
        Module("job", "how far slow work has come: its state", "JobPosition", "job_state.h"),
        Module("instances", "the instances of each service, and what all loops know of them", "InstanceSet", "instance_set.h"),
        Module("telemetry", "access log, counters, metrics", "CallRecord", "telemetry.h"),
        Module("certificates", "when certificates end, and which secrets are open, told in time", "CertificateEnd", "certificate_watch.h"),
        Module("sandbox", "what the process gives up before it serves", "SandboxConfig", "sandbox_watch.h"),
        Module("profile", "what threads do, and who holds memory: profiles of the process", "StackBook", "profiling.h"),
        Module("job_watch", "who waits for changes of a job", "JobWatch", "job_watch.h"),
        Module("store", "what outlives the process: SQLite, PostgreSQL", "StoreTask", "store.h"),
        Module("job_store", "jobs in the store: leases, turns, orders", "JobRecord", "job_storage.h"),
        Module("rollout_store", "rollouts in the store: acts, members, samples, judges", "RolloutTable", "rollout_table.h"),
        Module("idempotency", "calls with a key: made once, their responses given again", "Claims", "claim_verdict.h"),
        Module("fleet", "the gateways that share a store", "Fleet", "fleet.h"),
        Module("limits", "how much each client may do: buckets, shares, who is limited", "RateLimits", "rate_limits.h"),
        Module("audit", "what operators change, recorded", "AuditEntry", "audit.h"),
        Module("webhook", "posts about failures to receivers elsewhere", "WebhookSender", "webhook_sender.h"),
        Module("keys", "keys that check credentials, kept fresh: files, URLs", "KeyKeeper", "key_keeper.h"),
        Module("key_use", "when API keys were used last, and how often", "KeyUses", "key_uses.h"),
        Module("tally", "failures by kind, counted and ranked", "Tally", "failure_table.h"),
        Module("healing", "what is being healed, counted and limited", "HealingBook", "healing.h"),
        Module("overload", "which calls are refused or wait, when there are too many", "ServiceGate", "loop_load.h"),
        Module("requests", "the records of the newest calls, and which of them are asked for", "RequestRing", "request_ring.h"),
        Module("ledger", "failures of all loops, and the records of calls", "Ledger", "ledger.h"),
        Module("cohort", "which clients have the candidate of a rollout, and how they fare", "CohortTable", "cohort_table.h"),
        Module("job_hook", "webhooks of jobs: an outbox in the store, and who empties it", "JobPostman", "job_outbox.h"),
        Module("usage", "who uses which version, and when an old one ends", "UsageTable", "usage.h"),
        Module("signal", "weak signals: what is new, shifts, falls silent or drifts", "Watch", "watch.h"),
        Module("upstream", "choice of an instance, and connections to it", "Upstream", "pick.h"),
        Module("builtin", "built-in services: health and reflection", "Health", "health.h"),
        Module("match", "what the path of a request belongs to", "Destination", "destination.h"),
        Module("call", "one call, from its head to its log line", "Exchange", "exchange.h"),
        Module("failure", "what stands in for the response of a failed call", "Fallbacks", "fallbacks.h"),
        Module("compose", "one response of several calls", "Composition", "composition.h"),
        Module("shadow", "copies of calls, and how their responses differ", "Shadows", "shadows.h"),
        Module("authz_call", "policy servers are asked, by calls of the gateway", "AuthzAsking", "authz_asking.h"),
        Module("job_run", "jobs: their steps are executed", "JobRunner", "job_runner.h"),
        Module("job_view", "what clients see of jobs", "JobDesk", "job_desk.h"),
        Module("job_admin", "what operators see of jobs, and do with them", "JobAdmin", "job_admin.h"),
        Module("claim_admin", "what operators see of idempotency keys", "ClaimAdmin", "claim_admin.h"),
        Module("rollout_run", "rollouts: carried out, judged, steered", "RolloutRunner", "rollout_runner.h"),
        Module("otlp", "signals on their way to a collector: metrics, lines of the log", "OtlpExporter", "otlp.h"),
        Module("trace", "spans of calls", "TraceBook", "span_write.h"),
        Module("reflect", "schemas fetched from instances by reflection", "Gathering", "gathering.h"),
        Module("health", "which instances get no calls: ejected, or by their checks", "Judge", "judge.h"),
        Module("listen", "listeners and client connections", "Connection", "connection.h"),
        Module("page", "the web page of operators: its files, what it shows live", "Asset", "asset.h"),
        Module("in_force", "which config is in force, where its values are from, and which were refused", "RefusedConfig", "in_force.h"),
        Module("admin", "metrics, health and configuration for operators", "Admin", "admin.h"),
        Module("discovery", "lists of instances outside of the config, watched", "Watching", "discovery.h"),
        Module("process", "workers, reload, drain", "Worker", "process.h"),
        Module("access_report", "who may call what, told; rules that never hold", "access_report", "access_report.h"),
        Module("report", "what a config means, and what becomes of one request", "Explained", "explain.h"),
        Module("remote", "connections to the admin listener of a gateway", "AdminLink", "admin_link.h"),
        Module("commands", "the subcommands", "Command", "command.h"),
        Module("key_file", "API keys in a file, and hashes of passwords: made", "command_key", "command_key.h"),
        Module("profile_file", "profiles of a running gateway, in a file", "command_profile", "command_profile.h"),
        Module("monitoring", "alerts, dashboards and probes, made from the config", "Alert", "monitoring.h"),
        Module("main", "the table of commands, and what is made of it", "Command", "command_manual.h"),
    )),
)
