/* passerelle rollout plan: what each tier can reveal for a service's traffic, and how long it
   takes. */
#include "gateway/commands/command_rollout_plan.h"
#include "gateway/commands/admin_client.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/rollout/rollout_planning.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

/* Of a tier that has been counted for less nothing can be told. */
#define COUNTED_LEAST 1.0 /* seconds */

/* ---- Traffic --------------------------------------------------------------------------------- */

/* The value of an option, times `unit`, above or at `least`; NAN: it was not given. False: it is no
   such number, which is told. */
static bool take_number(const CommandLine *line, const char *name, double unit, double least,
                        double most, double *number_out)
{
    const char *text = command_option(line, name);
    *number_out = NAN;
    if (!text)
        return true;
    char *end;
    double number = strtod(text, &end);
    if (unit < 1 && strspn(end, " %") == strlen(end))
        end += strlen(end);
    if (end != text && !*end && number * unit >= least && number * unit <= most) {
        *number_out = number * unit;
        return true;
    }
    command_tell(line, "%s: \"%s\" is no number between %g and %g", name, text, least / unit,
                 most / unit);
    return false;
}

static bool take_traffic(const CommandLine *line, RolloutTraffic *traffic_out)
{
    return take_number(line, "--clients", 1, 1, 1e9, &traffic_out->clients) &&
           take_number(line, "--clients-per-hour", 1, 0.001, 1e9, &traffic_out->clients_per_hour) &&
           take_number(line, "--failing", 0.01, 0, 0.99, &traffic_out->failing);
}

static bool is_complete(const RolloutTraffic *traffic)
{
    return isfinite(traffic->clients) && isfinite(traffic->clients_per_hour) &&
           isfinite(traffic->failing);
}

static double number_of(const JsonNode *node, const char *name)
{
    Bytes text = node ? json_member_text(node, name) : BYTES_NONE;
    char digits[64] = "";
    if (text.size < sizeof digits)
        memcpy(digits, text.data, text.size);
    return strtod(digits, NULL);
}

static const JsonNode *find_rollout(const JsonNode *root, const char *name)
{
    const JsonNode *rollouts = json_member(root, "rollouts");
    const JsonNode *at = rollouts ? rollouts->first : NULL;
    while (at && !bytes_equal(json_member_text(at, "rollout"), bytes_of(name)))
        at = at->next;
    return at;
}

static void set_missing(double *number, double value)
{
    if (isnan(*number))
        *number = value;
}

/* What the gateway has counted in the present tier stands for what was not given; the seconds for
   which it has counted, 0: it has not. */
static double use_counts(RolloutTraffic *traffic, const JsonNode *judgement)
{
    const JsonNode *sides = judgement ? json_member(judgement, "clients") : NULL;
    const JsonNode *metrics = judgement ? json_member(judgement, "metrics") : NULL;
    const JsonNode *failures = metrics ? json_member(metrics, "failures") : NULL;
    double baseline = number_of(sides, "baseline"), seconds = number_of(judgement, "seconds");
    double clients = baseline + number_of(sides, "candidate");
    if (baseline < 1 || seconds < COUNTED_LEAST)
        return 0;
    set_missing(&traffic->clients, clients);
    set_missing(&traffic->clients_per_hour, clients / fmax(seconds / 3600, 1));
    set_missing(&traffic->failing, fmin(number_of(failures, "baseline_failed") / baseline, 0.99));
    return seconds;
}

static int ask_traffic(const CommandLine *line, const RolloutDefinition *rollout, Arena *arena,
                       RolloutTraffic *traffic, double *counted_for_out)
{
    Bytes page;
    int code = admin_get(line, "/rollouts", arena, &page);
    if (code != EXIT_WELL) {
        command_tell(line, "what is not given is asked of a running gateway: without one give "
                           "--clients, --clients-per-hour and --failing");
        return code;
    }
    JsonNode *root;
    Result r = json_parse(arena, page, &(JsonLimits){.elements = 100000000}, &root);
    error_ignore(r, "the gateway's own page; told by the caller");
    if (failed(r))
        return admin_tell_stranger(line);
    const JsonNode *found = find_rollout(root, rollout->name);
    if (found)
        *counted_for_out = use_counts(traffic, json_member(found, "judgement"));
    return EXIT_WELL;
}

/* ---- Words ----------------------------------------------------------------------------------- */

static const double faults[] = {0.01, 0.001, 0.00001};

enum { N_FAULTS = sizeof faults / sizeof *faults };

/* "27 %"; "nothing" where it is no share. */
static void add_share(Buffer *out, double share)
{
    if (isfinite(share))
        buffer_printf(out, share < 0.0995 ? "%.2g %%" : "%.0f %%", share * 100);
    else
        buffer_add_text(out, "nothing");
}

/* "10"; "1 in 100". */
static void add_hits(Buffer *out, double hits)
{
    if (hits >= 1)
        buffer_printf(out, "%.0f", hits);
    else
        buffer_printf(out, "1 in %.0f", 1 / hits);
}

static void add_time(Buffer *out, double hours)
{
    if (!isfinite(hours))
        buffer_add_text(out, "never");
    else if (hours < 1.5 / 60)
        buffer_printf(out, "%.0f s", hours * 3600);
    else if (hours < 1.5)
        buffer_printf(out, "%.0f min", hours * 60);
    else if (hours < 48)
        buffer_printf(out, "%.1f h", hours);
    else
        buffer_printf(out, "%.1f days", hours / 24);
}

typedef void AddNumber(Buffer *out, double number);

static void add_cell(Buffer *out, AddNumber *add, double number, size_t width)
{
    Buffer text = buffer_in(out->arena);
    add(&text, number);
    command_add_cell(out, buffer_bytes(&text), width);
}

static void add_count(Buffer *out, double number)
{
    buffer_printf(out, "%.0f", number);
}

static void add_row(Buffer *out, const RolloutTier *tier, const TierPlan *plan)
{
    command_add_cell(out, bytes_of(tier->text), 8);
    add_cell(out, add_count, plan->clients, 10);
    for (int i = 0; i < N_FAULTS; i++)
        add_cell(out, add_hits, plan->clients * faults[i], 12);
    add_cell(out, add_share, plan->found_half, 12);
    add_cell(out, add_share, plan->found_most, 12);
    add_cell(out, add_share, plan->compared ? plan->rules_out : INFINITY, 10);
    add_cell(out, add_time, plan->hours, 0);
}

static void add_table(Buffer *out, const RolloutDefinition *rollout, const TierPlan *plans)
{
    static const struct {
        const char *name;
        size_t width;
    } columns[] = {{"TIER", 8},        {"CLIENTS", 10},   {"1 % HITS", 12},
                   {"0.1 % HITS", 12}, {"0.001 %", 12},   {"FOUND 50 %", 12},
                   {"FOUND 95 %", 12}, {"RULES OUT", 10}, {"TAKES", 0}};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        command_add_cell(out, bytes_of(columns[i].name), columns[i].width);
    for (uint32_t i = 0; i < rollout->n_tiers; i++)
        add_row(out, &rollout->tiers[i], &plans[i]);
}

static void add_found(Buffer *out, const TierPlan *plan)
{
    if (!isfinite(plan->found_half)) {
        buffer_add_text(out,
                        "  It has too few clients to prove any fault: it limits who is hit.\n");
        return;
    }
    buffer_add_text(out, "  It finds, with a probability of 50 %, a fault that breaks ");
    add_share(out, plan->found_half);
    buffer_add_text(out, " of its clients; with 95 %, ");
    add_share(out, plan->found_most);
    buffer_printf(out, ". It takes %.0f broken clients; fewer may be chance.\n", plan->needs_hits);
}

static void add_passing(Buffer *out, const TierPlan *plan)
{
    buffer_add_text(out, "  When it passes, a fault that breaks more than ");
    add_share(out, fmin(plan->rules_out, plan->must_rule_out));
    buffer_add_text(out, " is ruled out; smaller ones may be there.\n");
    if (plan->rules_out > plan->must_rule_out) {
        buffer_add_text(out, "  It does not pass by itself: its clients rule out ");
        add_share(out, plan->rules_out);
        buffer_add_text(out, " only. A larger tier before `all` would, or an operator advances.\n");
    } else if (!isfinite(plan->hours)) {
        buffer_add_text(out, "  It does not pass by itself: its clients do not come in a year.\n");
    }
    if (plan->approval)
        buffer_add_text(out, "  Its impact is catastrophic: then an operator lets it advance.\n");
}

static void add_words(Buffer *out, const RolloutTier *tier, const TierPlan *plan)
{
    buffer_printf(out, "\n%s: %.0f client%s", tier->text, plan->clients,
                  plan->clients == 1 ? "" : "s");
    if (isfinite(plan->hours)) {
        buffer_add_text(out, ", for ");
        add_time(out, plan->hours);
    }
    buffer_add_byte(out, '\n');
    if (plan->compared) {
        add_found(out, plan);
        add_passing(out, plan);
    } else if (tier->kind == ROLLOUT_TIER_ALL) {
        buffer_add_text(out, "  There are no others to compare with: nothing is found here.\n");
    } else {
        buffer_add_text(out, "  There are not so many clients: it does not pass by itself.\n");
    }
}

/* `counted_for`: so many hours were counted; 0: all of it was given. */
static void add_plan(Buffer *out, const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                     double counted_for, const TierPlan *plans)
{
    buffer_printf(out, "%s: impact %s, %.0f clients, %.0f in an hour, of which ", rollout->name,
                  impact_name(rollout->impact), traffic->clients, traffic->clients_per_hour);
    add_share(out, traffic->failing);
    buffer_add_text(out, " fail in the time of a tier\n");
    if (counted_for > 0) {
        buffer_add_text(out, "What was not given was counted by the gateway, for ");
        add_time(out, counted_for);
        buffer_add_text(out, counted_for < 24 ? ": more clients may call in a day\n" : "\n");
    }
    buffer_add_byte(out, '\n');
    add_table(out, rollout, plans);
    for (uint32_t i = 0; i < rollout->n_tiers; i++)
        add_words(out, &rollout->tiers[i], &plans[i]);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_real(Buffer *out, const char *name, double value)
{
    if (!isfinite(value))
        return;
    json_text_add_key(out, name);
    buffer_printf(out, "%.6g", value);
}

static void add_json(Buffer *out, const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                     double counted_for, const TierPlan *plans)
{
    buffer_add_byte(out, '{');
    json_text_add_member(out, "rollout", bytes_of(rollout->name));
    json_text_add_member(out, "impact", bytes_of(impact_name(rollout->impact)));
    add_real(out, "clients", traffic->clients);
    add_real(out, "clients_per_hour", traffic->clients_per_hour);
    add_real(out, "failing", traffic->failing);
    if (counted_for > 0)
        add_real(out, "counted_seconds", counted_for);
    json_text_open_list(out, "tiers");
    for (uint32_t i = 0; i < rollout->n_tiers; i++) {
        json_text_open_item(out);
        json_text_add_member(out, "tier", bytes_of(rollout->tiers[i].text));
        add_real(out, "clients", plans[i].clients);
        add_real(out, "needs_hits", plans[i].needs_hits);
        add_real(out, "found_half", plans[i].found_half);
        add_real(out, "found_most", plans[i].found_most);
        add_real(out, "rules_out", plans[i].compared ? plans[i].rules_out : INFINITY);
        add_real(out, "must_rule_out", plans[i].must_rule_out);
        add_real(out, "hours", plans[i].hours);
        json_text_add_bool(out, "approval", plans[i].approval);
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, "]}");
}

/* ---- The command ----------------------------------------------------------------------------- */

/* The one of the service, or the only one. NULL: there is none, which is told. */
static const RolloutDefinition *find_definition(const CommandLine *line, const Config *config,
                                                const char *service)
{
    for (uint32_t i = 0; i < config->n_rollouts; i++) {
        const RolloutDefinition *rollout = &config->rollouts[i];
        if (service
                ? text_equal(rollout->service->name, service) || text_equal(rollout->name, service)
                : config->n_rollouts == 1)
            return rollout;
    }
    if (service)
        command_tell(line, "the config has no rollout of %s", service);
    else
        command_tell(line, "the config has %u rollouts: name the service", config->n_rollouts);
    return NULL;
}

static int print_plan(const CommandLine *line, const RolloutDefinition *rollout,
                      RolloutTraffic *traffic, Arena *arena)
{
    double counted_for = 0;
    int code =
        is_complete(traffic) ? EXIT_WELL : ask_traffic(line, rollout, arena, traffic, &counted_for);
    if (code != EXIT_WELL)
        return code;
    if (!is_complete(traffic)) {
        command_tell(line,
                     "the gateway has not yet counted clients of %s for %.0f s in its present "
                     "tier: give --clients, --clients-per-hour and --failing",
                     rollout->name, COUNTED_LEAST);
        return EXIT_NO;
    }
    TierPlan plans[ROLLOUT_TIERS_MOST];
    Buffer text = buffer_in(arena), json = buffer_in(arena);
    rollout_plan(rollout, traffic, plans);
    add_plan(&text, rollout, traffic, counted_for / 3600, plans);
    add_json(&json, rollout, traffic, counted_for, plans);
    command_print(line, &text);
    command_print_json(line, buffer_bytes(&json));
    return EXIT_WELL;
}

const char *command_rollout_plan_option(const CommandLine *line)
{
    static const CommandOption options[] = {ROLLOUT_PLAN_OPTIONS};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (command_option(line, options[i].name))
            return options[i].name;
    return NULL;
}

int command_rollout_plan(const CommandLine *line)
{
    RolloutTraffic traffic;
    if (line->n < 2 || line->n > 3)
        return command_usage(line->command);
    if (!take_traffic(line, &traffic))
        return EXIT_USAGE;
    if (access(line->arguments[1], F_OK) != 0) {
        command_tell(line, "there is no config %s: passerelle rollout plan CONFIG [SERVICE]",
                     line->arguments[1]);
        return EXIT_USAGE;
    }
    Config *config = command_config(line, 1);
    if (!config)
        return EXIT_NO;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const RolloutDefinition *rollout =
        find_definition(line, config, line->n == 3 ? line->arguments[2] : NULL);
    int code = rollout ? print_plan(line, rollout, &traffic, arena) : EXIT_NO;
    arena_free(arena);
    config_unref(config);
    return code;
}
