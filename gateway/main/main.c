/* passerelle: the table of commands, the lookup in it, and what the program says of itself. */
#include "gateway/commands/command.h"
#include "gateway/commands/command_rollout_plan.h"
#include "gateway/config_view/command_config.h"
#include "gateway/dial/command_call.h"
#include "gateway/draft/command_init.h"
#include "gateway/follow/command_tail.h"
#include "gateway/key_file/command_key.h"
#include "gateway/key_file/command_password.h"
#include "gateway/main/command_manual.h"
#include "gateway/monitoring/command_monitoring.h"
#include "gateway/notice/command_notice.h"
#include "gateway/openapi_file/command_openapi.h"
#include "gateway/profile_file/command_profile.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/memory/tls_memory.h"
#include "gateway/thread/signals.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <uv.h>

/* For jemalloc. What was freed goes back to the system after a second, so that the process holds
   little more than limits.memory counts, and also while nothing happens: by itself it looks only
   when it is called. Allocations can be sampled, but are not until heap_watch says so: whether they
   can is decided before the first one. */
extern const char *malloc_conf;
const char *malloc_conf =
    "background_thread:true,dirty_decay_ms:1000,prof:true,prof_active:false,lg_prof_sample:19";

static int help(const CommandLine *line);
static int version(const CommandLine *line);

static const Command commands[] = {
    {"run",
     "CONFIG",
     "run the gateway until it is stopped",
     0,
     {{"--supervise", NULL, "with a parent that restarts it after a crash, and upgrades it"},
      {"--prove", NULL, "start nothing: an upgrade asks a new build so whether it can supervise"}},
     command_run,
     {"passerelle run gateway.yaml", "passerelle run --supervise gateway.yaml"}},
    {"init",
     "SOURCE...",
     "write a first config, change lists and notes, from descriptor sets, folders of .proto files, "
     "or instances",
     COMMAND_PRINTS,
     {{"--out", "FOLDER", "where the files go; default: the current folder"},
      {"--instance", "[NAME=]ADDRESS", "an instance, of the package NAME; may be repeated"},
      {"--include", "FOLDER", "where .proto files import from, too; may be repeated"},
      {"--listen", "ADDRESS", "where clients connect; default 127.0.0.1:8080"},
      {"--ca", "FILE", "authorities of instances that are named https:// (PEM)"},
      {"--cert", "FILE", "certificate for them (PEM)"},
      {"--key", "FILE", "the key of --cert (PEM)"}},
     command_init,
     {"passerelle init proto --instance shop.orders.v1=127.0.0.1:7001",
      "passerelle init orders.binpb --out /etc/passerelle", "passerelle init 127.0.0.1:7001"}},
    {"check",
     "CONFIG",
     "print all mistakes of a config, or its versions and losses",
     COMMAND_PRINTS,
     {{"--strict", NULL, "exit with 1 also for warnings"}},
     command_check,
     {"passerelle check gateway.yaml", "passerelle check --strict --json gateway.yaml"}},
    {"config",
     "show|schema [CONFIG]",
     "show: print each value of a config, and where it is from; schema: the JSON Schema of configs",
     COMMAND_PRINTS,
     {{"--written", NULL, "show: leave out the defaults"}},
     command_config_view,
     {"passerelle config show gateway.yaml", "passerelle config show --written --json gateway.yaml",
      "passerelle config schema > passerelle.schema.json"}},
    {"explain",
     "CONFIG [VERB] PATH",
     "print how a request would be handled: version, rule, route, plan, losses; without VERB as "
     "GET, or as the only verb that REST has for the path, or an RPC as POST",
     COMMAND_PRINTS,
     {{"-H", "'NAME: VALUE'", "a field of the request; may be repeated"},
      {"--client", "NAME", "the identity of the client"},
      {"--tenant", "NAME", "its tenant"},
      {"--class", "NAME", "its class"},
      {"--claim", "NAME=VALUE", "what else is known of it; may be repeated"},
      {"--by", "PROOF", "what has proved that: a method of `authentication`, or a kind of proof"},
      {"--plan", NULL, "print the programs that convert the messages"}},
     command_explain,
     {"passerelle explain gateway.yaml GET /v1/orders/7",
      "passerelle explain gateway.yaml /shop.orders.v1.Orders/Get -H 'API-Version: v2'"}},
    {"call",
     "CONFIG METHOD [FIELD=VALUE|JSON|@FILE|-]...",
     "call a method, and print the request and the response on both sides of the conversion",
     COMMAND_PRINTS,
     {{"--version", "NAME", "the client's version; the service's default by default"},
      {"--as", "NAME", "the version in which an instance is asked; the best one by default"},
      {"--instance", "ADDRESS", "this one; by default the first that can be reached"},
      {"--to", "URL", "through a running gateway, in gRPC"},
      {"--timeout", "TIME", "for the call; that of its route by default, or 30s"},
      {"-H", "'NAME: VALUE'", "a field of the request; may be repeated"},
      {"--ca", "FILE", "authorities of an https:// --to or --instance (PEM)"},
      {"--cert", "FILE", "certificate for it (PEM)"},
      {"--key", "FILE", "the key of --cert (PEM)"},
      {"--strict", NULL, "exit with 1 also for losses"}},
     command_call,
     {"passerelle call gateway.yaml orders.Orders/Get id=7 --version v1",
      "passerelle call gateway.yaml orders.Orders/Create @order.json --version v1 --as v3",
      "passerelle call gateway.yaml orders.Orders/Get id=7 --to https://gw.example"}},
    {"diff",
     "OLD[:PACKAGE] NEW[:PACKAGE]",
     "print the changes between two descriptor sets, what they break, and a first change list",
     COMMAND_PRINTS,
     {{"--changes", NULL, "print the change list only; not together with --json"}},
     command_diff,
     {"passerelle diff old.binpb new.binpb",
      "passerelle diff --changes orders.binpb:shop.orders.v1 orders.binpb:shop.orders.v2"}},
    {"prove",
     "CONFIG",
     "compare every plan with a simple interpreter, on random messages",
     COMMAND_PRINTS,
     {{"--messages", "N", "for each direction of each pair of versions; default 10000"},
      {"--seed", "N", "the same seed gives the same messages; default 1"}},
     command_prove,
     {"passerelle prove gateway.yaml", "passerelle prove --messages 1000 --seed 7 gateway.yaml"}},
    {"openapi",
     "CONFIG",
     "print how REST clients call a version of a service, as OpenAPI 3.1",
     COMMAND_PRINTS,
     {{"--service", "NAME", "the service; needed if the config has several"},
      {"--version", "NAME", "the version; the newest by default"},
      {"--url", "URL",
       "where clients reach the gateway, as https://api.example.com; default: `url` of `catalog`"}},
     command_openapi,
     {"passerelle openapi gateway.yaml --service orders --version v3",
      "passerelle openapi gateway.yaml --service orders --url https://api.example.com > v3.json"}},
    {"monitoring",
     "CONFIG",
     "write alerts and recording rules for Prometheus, dashboards for Grafana, and a list of "
     "probes",
     COMMAND_PRINTS,
     {{"--out", "FOLDER", "write them there; without it the rules are printed"},
      {"--job", "NAME", "the job by which Prometheus scrapes the gateways; default passerelle"},
      {"--host", "NAME", "the machine, for probes of addresses like 0.0.0.0; default `node`"},
      {"--docs", "URL", "where monitoring.md is, for links; default docs/monitoring.md"},
      {"--time-scale", "N", "all times of the rules N times shorter, for tests; default 1"}},
     command_monitoring,
     {"passerelle monitoring gateway.yaml --out /etc/prometheus/passerelle",
      "passerelle monitoring gateway.yaml | promtool check rules"}},
    {"fleet",
     "",
     "print the gateways that share the store of a running one, and where they differ",
     COMMAND_PRINTS | COMMAND_ASKS,
     {{NULL}},
     command_fleet,
     {"passerelle fleet", "passerelle fleet --admin 10.0.0.7:9901 --json"}},
    {"reload",
     "",
     "make a running gateway read its config again, and wait for the result",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{NULL}},
     command_reload,
     {"passerelle reload --why 'orders v3'", "passerelle reload --admin /run/gw2/admin.sock",
      "passerelle reload --admin https://gw2:9901 --ca ca.pem --token-file ops.token"}},
    {"drain",
     "",
     "make a running gateway stop in order, as SIGTERM does",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{NULL}},
     command_drain,
     {"passerelle drain --why 'new kernel'"}},
    {"upgrade",
     "",
     "make a new process of the installed build take the place of a running gateway, without a "
     "lost "
     "call",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{NULL}},
     command_upgrade,
     {"passerelle upgrade --why 'passerelle 0.2'"}},
    {"audit",
     "",
     "print what operators changed, newest first",
     COMMAND_PRINTS | COMMAND_ASKS,
     {{NULL}},
     command_audit,
     {"passerelle audit", "passerelle audit --json"}},
    {"store",
     "check|backup CONFIG [FILE]",
     "print what is in the store of a config and whether it is sound, or copy it to FILE",
     COMMAND_PRINTS,
     {{NULL}},
     command_store,
     {"passerelle store check gateway.yaml",
      "passerelle store backup gateway.yaml /backup/store.db"}},
    {"client",
     "forget NAME",
     "take a client out of all records in the store of a running gateway",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{NULL}},
     command_client,
     {"passerelle client forget CN=panel --why 'request 4711'"}},
    {"key",
     "make|list|revoke FILE [CLIENT|ID]",
     "make an API key for a client, list the keys of a file, or take one out of it",
     COMMAND_PRINTS | COMMAND_ASKS,
     {{"--tenant", "NAME", "make: the client's tenant"},
      {"--class", "NAME", "make: the client's class"},
      {"--claim", "NAME=VALUE", "make: a claim, for the rules of routes; may be given again"},
      {"--expires", "DATE", "make: the day from which on it is refused, as 2027-01-31"},
      {"--used", NULL, "list: also when each was last used, and how often, by a running gateway"}},
     command_key,
     {"passerelle key make api-keys.yaml ada --class partner --expires 2027-01-31",
      "passerelle key list api-keys.yaml --used",
      "passerelle key revoke api-keys.yaml key_1f0c9a2e"}},
    {"password",
     "",
     "print the hash of an operator's password, which is read from the standard input",
     COMMAND_PRINTS,
     {{NULL}},
     command_password,
     {"passerelle password", "passerelle password < ada.password"}},
    {"errors",
     "[annotate FINGERPRINT]",
     "print the failures of a running gateway by their kind, the most critical first; or annotate "
     "one",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{"--watch", NULL, "print it again every 2 s, until it is stopped"},
      {"--limit", "N", "print at most so many failures, and as many mistakes; 20 by default"},
      {"--owner", "TEXT", "annotate: who looks after it"},
      {"--cause", "TEXT", "annotate: why it happens"},
      {"--ticket", "TEXT", "annotate: where it is worked on"},
      {"--acknowledge", NULL, "annotate: it is known, and is shown last until it changes"},
      {"--unmute", NULL, "annotate: it is shown as the others again"}},
     command_errors,
     {"passerelle errors", "passerelle errors --watch",
      "passerelle errors annotate 52de81fa7cda618d --owner ada --ticket T-1 --acknowledge"}},
    {"feedback",
     "[list|show ID|add WORDS|import FILE]",
     "print what customers have said and what happened to them then; or enter it",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{"--client", "NAME", "list: only of this client; add, or mails: who said it"},
      {"--request", "ID", "add: the request that it is about"},
      {"--source", "WORD", "add: where it was said: phone, forum"},
      {"--at", "TIME", "add: when, for example 2026-11-30T09:00:00Z; now by default"},
      {"--watch", NULL, "list: print it again every 2 s, until it is stopped"},
      {"--limit", "N", "list: print at most so many; 20 by default"}},
     command_feedback,
     {"passerelle feedback --client ada",
      "passerelle feedback add 'my order is empty' --client ada --source phone",
      "passerelle feedback import - --source list < list.mbox"}},
    {"signals",
     "[acknowledge ID]",
     "print what a running gateway has found unusual; or tell it that somebody has seen it",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{"--watch", NULL, "print it again every 2 s, until it is stopped"},
      {"--limit", "N", "print at most so many; 20 by default"}},
     command_signals,
     {"passerelle signals", "passerelle signals --json",
      "passerelle signals acknowledge 3f0c9a2e77b1d204 --why 'ada moves to v3'"}},
    {"tail",
     "[FILTER=VALUE]...",
     "follow the log of a running gateway; filters: service, method, client, code, fault, level, "
     "log, "
     "path, min_ms, instance, version, request_id",
     COMMAND_PRINTS | COMMAND_ASKS,
     {{"--lines", "N", "end after so many lines"}},
     command_tail,
     {"passerelle tail", "passerelle tail service=orders level=warning",
      "passerelle tail code=UNAVAILABLE min_ms=100 --json"}},
    {"healing",
     "",
     "print what a running gateway does about what is broken: now, before, and how often",
     COMMAND_PRINTS | COMMAND_ASKS,
     {{"--watch", NULL, "print it again every 2 s, until it is stopped"},
      {"--limit", "N", "print at most so many entries of each list; 20 by default"}},
     command_healing,
     {"passerelle healing", "passerelle healing --watch", "passerelle healing --json"}},
    {"limits",
     "",
     "print which clients a running gateway refuses most by rate_limits, and since when",
     COMMAND_PRINTS | COMMAND_ASKS,
     {{"--watch", NULL, "print it again every 2 s, until it is stopped"},
      {"--limit", "N", "print at most so many clients; 20 by default"}},
     command_limits,
     {"passerelle limits", "passerelle limits --watch", "passerelle limits --json"}},
    {"shadow",
     "[SERVICE]",
     "print how the responses to copies of calls differ from the real ones",
     COMMAND_PRINTS | COMMAND_ASKS,
     {{"--watch", NULL, "print it again every 2 s, until it is stopped"},
      {"--limit", "N", "print at most so many differences of each method; 20 by default"}},
     command_shadow,
     {"passerelle shadow", "passerelle shadow orders --watch", "passerelle shadow --json"}},
    {"instance",
     "eject|drain|return ADDRESS",
     "make a running gateway send no calls to an instance, or calls again",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{"--for", "TIME", "eject, drain: how long, from 1s to 720h; 1h by default"},
      {"--wait", NULL, "drain: return when no call runs there any more"},
      {"--timeout", "TIME", "--wait: no longer than this; 10m by default"}},
     command_instance,
     {"passerelle instance eject 10.0.0.7:7001 --for 10m --why 'disk is failing'",
      "passerelle instance drain 10.0.0.7:7001 --wait --timeout 5m --why 'new kernel'",
      "passerelle instance return 10.0.0.7:7001"}},
    {"service",
     "pin|unpin [SERVICE] [VERSION|BUILD]",
     "make a running gateway send the calls of a service to a version or build only",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{"--for", "TIME", "pin: how long, from 1s to 720h; 1h by default"}},
     command_service,
     {"passerelle service pin orders v2 --for 30m --why 'v3 loses orders'",
      "passerelle service pin orders 3.1.0", "passerelle service unpin orders"}},
    {"jobs",
     "list|show|retry|skip-step|cancel|undo|event|migrate|replay|unpark [ID|METHOD] [EVENT]",
     "print the jobs of a running gateway's store, or do something with one",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{"--client", "NAME", "list: of this client; '' for those without a name"},
      {"--service", "NAME", "list: of a service, an RPC service of it, or a method"},
      {"--state", "STATES", "list: queued, running, waiting, failed, undoing, undone, done"},
      {"--step", "NAME", "list: in this step"},
      {"--resource", "NAME", "list: that work on this, as site/NAME"},
      {"--older", "TIME", "list: in their state and step for longer than this"},
      {"--limit", "N", "list: print at most so many, up to 1000; 100 by default"},
      {"--after", "ID", "list: go on behind this job"},
      {"--to", "REVISION", "migrate: to this one; the one that accepts new jobs by default"}},
     command_jobs,
     {"passerelle jobs list --state failed --older 1h",
      "passerelle jobs retry 01jd2v7w3zcmq9e3f5h8k0n4rt --why 'the disk has room again'",
      "passerelle jobs event 01jd2v7w3zcmq9e3f5h8k0n4rt approved"}},
    {"idempotency",
     "show|forget KEY",
     "print what a running gateway's store keeps of an idempotency key, or forget it",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{"--client", "NAME", "of this client only"}},
     command_idempotency,
     {"passerelle idempotency show 8e03978e-40d5-43e8-bc93-6e29ec5f6e2b --client ada",
      "passerelle idempotency forget 8e03978e-40d5-43e8-bc93-6e29ec5f6e2b --why 'ada has no such "
      "order'"}},
    {"usage",
     "SERVICE [VERSION]",
     "print who uses a service: which versions and methods, how often, and when last",
     COMMAND_PRINTS | COMMAND_ASKS,
     {{"--fields", NULL, "also the fields of requests, where the service counts them"},
      {"--client", "NAME", "of this client only"},
      {"--limit", "N", "list at most so many clients, up to 10000; 20 by default"},
      {"--watch", NULL, "print it again every 2 s, until it is stopped"}},
     command_usage_of,
     {"passerelle usage orders v1", "passerelle usage orders --client ada --json"}},
    {"retire",
     "SERVICE VERSION",
     "end an old version that has `retire`, whoever still uses it",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {{"--again", NULL, "serve it again; the evidence that nobody uses it begins anew"}},
     command_retire,
     {"passerelle retire orders v1 --why 'ada moves on Monday'",
      "passerelle retire orders v1 --again --why 'ada needs a week more'"}},
    {"rollout",
     "status|plan|start|advance|pause|resume|rollback [CONFIG] [ROLLOUT]",
     "print how far new builds and versions have come, or steer one; plan: what its tiers can show",
     COMMAND_PRINTS | COMMAND_ASKS | COMMAND_CHANGES,
     {ROLLOUT_PLAN_OPTIONS},
     command_rollout,
     {"passerelle rollout plan gateway.yaml orders --clients 9000 --clients-per-hour 700 --failing "
      "1",
      "passerelle rollout rollback orders --why 'complaints by telephone'",
      "passerelle rollout status orders"}},
    {"profile",
     "",
     "write what the threads of a running gateway do into a file for pprof",
     COMMAND_PRINTS | COMMAND_ASKS,
     {{"--heap", NULL, "who holds memory, instead (admin.profiles.heap)"},
      {"--seconds", "N", "for how long; 10 by default"},
      {"-o", "FILE", "the file"}},
     command_profile,
     {"passerelle profile --seconds 30 -o cpu.pb.gz", "passerelle profile --heap -o heap.pb.gz"}},
    {"request",
     "ID",
     "print what a running gateway knows of a call of the last hour",
     COMMAND_PRINTS | COMMAND_ASKS,
     {{NULL}},
     command_request,
     {"passerelle request 0af7651916cd43dd8448eb211c80319c"}},
    {"version",
     "",
     "print the version of the build and of its libraries",
     COMMAND_PRINTS,
     {{NULL}},
     version,
     {"passerelle version"}},
    {"help",
     "[COMMAND]",
     "print the commands, or the usage of one",
     COMMAND_PRINTS,
     {{"--man", NULL, "print the man page of all commands"},
      {"--bash", NULL, "print a completion script for bash"},
      {"--zsh", NULL, "print one for zsh"},
      {"--fish", NULL, "print one for fish"}},
     help,
     {"passerelle help check", "passerelle help --man | man -l -",
      "source <(passerelle help --bash)"}},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_commands(FILE *out)
{
    fprintf(out, "usage: passerelle COMMAND ...\n\n");
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].text);
    fprintf(out, "\npasserelle COMMAND --help prints the usage of a command.\n");
}

static const Command *find(const char *name)
{
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return find("help");
    return strcmp(name, "--version") == 0 ? find("version") : NULL;
}

/* Gives EXIT_USAGE. */
static int tell_unknown(const char *name)
{
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *nearest = nearest_word(bytes_of(name), names, N_COMMANDS);
    fprintf(stderr, "passerelle: there is no command %s%s%s\n", name,
            nearest ? "; did you mean " : "", nearest ? nearest : "");
    print_commands(stderr);
    return EXIT_USAGE;
}

typedef void WriteTable(const Command *table, int n, FILE *out);

/* What --man, --bash and the like print; NULL: none of them was given. */
static WriteTable *form_of(const CommandLine *line)
{
    static const struct {
        const char *option;
        WriteTable *write;
    } forms[] = {{"--man", command_write_manual},
                 {"--bash", command_write_bash},
                 {"--zsh", command_write_zsh},
                 {"--fish", command_write_fish}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (command_flag(line, forms[i].option))
            return forms[i].write;
    return NULL;
}

static void print_help(const CommandLine *line, const Command *only)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer json = buffer_in(arena);
    command_write_json(only ? only : commands, only ? 1 : N_COMMANDS, &json);
    command_print_json(line, buffer_bytes(&json));
    arena_free(arena);
    if (command_wants_json(line) || command_flag(line, "--quiet"))
        return;
    if (only)
        command_help(only, stdout);
    else
        print_commands(stdout);
}

/* One thing at a time. */
static int help(const CommandLine *line)
{
    WriteTable *write = form_of(line);
    if (line->n > 1 || (write && (line->n || line->n_given > 1)))
        return command_usage(line->command);
    if (write) {
        write(commands, N_COMMANDS, stdout);
        return EXIT_WELL;
    }
    const Command *only = line->n ? find(line->arguments[0]) : NULL;
    if (line->n && !only)
        return tell_unknown(line->arguments[0]);
    print_help(line, only);
    return EXIT_WELL;
}

/* Of the program and its libraries. */
static int version(const CommandLine *line)
{
    if (line->n)
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena), json = buffer_in(arena);
    const char *uv = uv_version_string(), *ssl = OpenSSL_version(OPENSSL_VERSION);
    buffer_printf(&text, "passerelle %s (libuv %s, %s)\n", VERSION, uv, ssl);
    buffer_add_byte(&json, '{');
    json_text_add_member(&json, "version", bytes_of(VERSION));
    json_text_add_member(&json, "libuv", bytes_of(uv));
    json_text_add_member(&json, "openssl", bytes_of(ssl));
    buffer_add_byte(&json, '}');
    command_print(line, &text);
    command_print_json(line, buffer_bytes(&json));
    arena_free(arena);
    return EXIT_WELL;
}

/* A result that could not be written is no result. */
static int close_output(const CommandLine *line, int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    command_tell(line, "writing the result: %s", strerror(errno));
    return EXIT_NO;
}

/* Libraries that use OpenSSL allocate in their constructors, before main: after that it no longer
   takes other functions. Should it fail, OpenSSL is missing in the budget: no reason to stop. */
static void count_tls_memory(void)
{
    tls_memory_count();
}

__attribute__((section(".preinit_array"),
               used)) static void (*const before_constructors)(void) = count_tls_memory;

int main(int n, char **arguments)
{
    if (n > 1 && strcmp(arguments[1], "run") == 0)
        signals_hold(); /* first: a signal from now on has the effect that is documented */
    if (n < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    const Command *command = find(arguments[1]);
    if (!command)
        return tell_unknown(arguments[1]);
    if (command_wants_help(command, n - 2, arguments + 2)) {
        command_help(command, stdout);
        return EXIT_WELL;
    }
    CommandLine line;
    if (!command_parse(command, n - 2, arguments + 2, &line))
        return command_usage(command);
    return close_output(&line, command->run(&line));
}
