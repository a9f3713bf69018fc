/* passerelle rollout: new builds and versions, how far they have come, and what operators do. */
#include "gateway/commands/admin_page.h"
#include "gateway/commands/command_rollout_plan.h"

#include "adapters/text/json.h"
#include "base/arena.h"

/* ---- Parts of the page ----------------------------------------------------------------------- */

static Bytes text_of(const JsonNode *node, const char *name)
{
    return node ? json_member_text(node, name) : bytes("", 0);
}

static bool is_true(const JsonNode *node, const char *name)
{
    const JsonNode *member = json_member(node, name);
    return member && member->kind == JSON_TRUE;
}

static void add_line(Buffer *out, const char *name, Bytes text)
{
    if (text.size)
        buffer_printf(out, "  %-12s%.*s\n", name, BYTES_ARGS(text));
}

static void add_tiers(Buffer *out, const JsonNode *tiers)
{
    buffer_printf(out, "  %-12s", "tiers");
    for (const JsonNode *tier = tiers ? tiers->first : NULL; tier; tier = tier->next)
        buffer_printf(out, "%s%.*s %.*s", tier == tiers->first ? "" : ", ",
                      BYTES_ARGS(text_of(tier, "tier")), BYTES_ARGS(text_of(tier, "state")));
    buffer_add_byte(out, '\n');
}

/* What the judge waits for, in words. */
static void add_waits(Buffer *out, const JsonNode *rollout, const JsonNode *judgement)
{
    Bytes what = text_of(judgement, "waits_for"), clients = text_of(judgement, "clients_missing");
    Bytes seconds = text_of(judgement, "seconds_missing");
    Bytes short_of = text_of(json_member(rollout, "instances"), "short_of");
    Bytes silent = text_of(rollout, "silent");
    if (bytes_are(what, "clients"))
        buffer_printf(out, "  %-12s%s%.*s more clients, for %.*s%s%.*s%s\n", "needs",
                      clients.size ? "" : "more clients than it can have: ", BYTES_ARGS(clients),
                      BYTES_ARGS(text_of(judgement, "metric")), seconds.size ? "; about " : "",
                      BYTES_ARGS(seconds), seconds.size ? " s at this rate" : "");
    else if (bytes_are(what, "time"))
        buffer_printf(out, "  %-12s%.*s s more of this tier\n", "needs", BYTES_ARGS(seconds));
    else if (bytes_are(what, "operator"))
        buffer_printf(out,
                      "  %-12san operator: earlier tiers have shown more failures (%.*s) than the "
                      "impact allows; advance completes it, rollback ends it\n",
                      "needs", BYTES_ARGS(text_of(judgement, "metric")));
    if (is_true(judgement, "beyond_room"))
        add_line(out, "but",
                 bytes_of("its room can become no larger than twice its clients and two more: it "
                          "does not pass by itself, and waits for an operator"));
    if (short_of.size)
        buffer_printf(out, "  %-12s%.*s instances of the candidate for the next tier\n", "needs",
                      BYTES_ARGS(short_of));
    if (silent.size)
        buffer_printf(out, "  %-12sword from the gateway %.*s\n", "needs", BYTES_ARGS(silent));
}

static const struct {
    const char *name, *member;
    size_t width;
} columns[] = {{"METRIC", NULL, 16},
               {"CANDIDATE", "candidate_failed", 10},
               {"BASELINE", "baseline_failed", 10},
               {"EXPECTED", "expected", 10},
               {"WEALTH", "wealth", 10},
               {"RULES OUT", "rules_out", 10},
               {"MUST", "must_rule_out", 0}};

enum { N_COLUMNS = sizeof columns / sizeof *columns };

/* How many clients failed in each arm. */
static void add_metrics(Buffer *out, const JsonNode *judgement)
{
    const JsonNode *metrics = json_member(judgement, "metrics");
    const JsonNode *clients = json_member(judgement, "clients");
    buffer_printf(out, "  %-12scandidate %.*s, baseline %.*s in this tier\n", "clients",
                  BYTES_ARGS(text_of(clients, "candidate")),
                  BYTES_ARGS(text_of(clients, "baseline")));
    buffer_printf(out, "  %-12s%.*s of %.*s, at which it is bad\n", "wealth",
                  BYTES_ARGS(text_of(judgement, "wealth")),
                  BYTES_ARGS(text_of(judgement, "limit")));
    buffer_add_text(out, "\n  ");
    for (size_t i = 0; i < N_COLUMNS; i++)
        command_add_cell(out, bytes_of(columns[i].name), columns[i].width);
    for (const JsonNode *m = metrics ? metrics->first : NULL; m; m = m->next) {
        buffer_add_text(out, "  ");
        for (size_t i = 0; i < N_COLUMNS; i++)
            command_add_cell(out, columns[i].member ? text_of(m, columns[i].member) : m->name,
                             columns[i].width);
    }
}

static void add_act(Buffer *out, const JsonNode *act)
{
    const JsonNode *deed = json_member(act, "deed");
    buffer_printf(out, "  %.*s  %.*s by %.*s: %.*s, tier %.*s", BYTES_ARGS(text_of(act, "at")),
                  BYTES_ARGS(text_of(deed, "act")), BYTES_ARGS(text_of(deed, "who")),
                  BYTES_ARGS(text_of(deed, "state")), BYTES_ARGS(text_of(deed, "tier")));
    if (text_of(deed, "why").size)
        buffer_printf(out, ": %.*s", BYTES_ARGS(text_of(deed, "why")));
    buffer_add_byte(out, '\n');
}

static void add_history(Buffer *out, const JsonNode *history)
{
    if (!history)
        return;
    buffer_add_text(out, history->count ? "\n  history, the latest first:\n" : "");
    for (const JsonNode *act = history->first; act; act = act->next)
        add_act(out, act);
}

/* ---- One rollout ----------------------------------------------------------------------------- */

static bool is_complete_by_hand(const JsonNode *rollout)
{
    return bytes_are(text_of(rollout, "state"), "complete") && is_true(rollout, "by_hand");
}

static void add_rollout(Buffer *out, const JsonNode *rollout)
{
    const JsonNode *judgement = json_member(rollout, "judgement");
    const JsonNode *instances = json_member(rollout, "instances");
    buffer_printf(out, "%.*s: %.*s%s%s\n", BYTES_ARGS(text_of(rollout, "rollout")),
                  BYTES_ARGS(text_of(rollout, "state")),
                  is_true(rollout, "bad")        ? ", found bad"
                  : is_complete_by_hand(rollout) ? ", not judged"
                                                 : "",
                  is_true(rollout, "gone") ? ", without instances" : "");
    if (is_true(rollout, "store_down"))
        add_line(out, "store",
                 bytes_of("it is down: clients stay where they are, nothing advances"));
    if (is_true(rollout, "withdrawn"))
        add_line(out, "entry",
                 bytes_of("the config has none: instances of the build get no calls while another "
                          "one has any. Put it back, or take them away"));
    if (!judgement)
        return;
    add_line(out, "since", text_of(rollout, "since"));
    add_tiers(out, json_member(rollout, "tiers"));
    buffer_printf(out, "  %-12s%.*s of %.*s\n", "members", BYTES_ARGS(text_of(rollout, "members")),
                  BYTES_ARGS(text_of(rollout, "room")));
    buffer_printf(out, "  %-12scandidate %.*s, baseline %.*s\n", "instances",
                  BYTES_ARGS(text_of(instances, "candidate")),
                  BYTES_ARGS(text_of(instances, "baseline")));
    add_line(out, "judged", text_of(judgement, "verdict"));
    add_waits(out, rollout, judgement);
    add_metrics(out, judgement);
    add_history(out, json_member(rollout, "history"));
}

/* False: it is no such page. */
static bool add_status(Buffer *out, Bytes page)
{
    const JsonNode *root = admin_page_read(out->arena, page);
    const JsonNode *rollouts = json_member(root, "rollouts");
    if (!rollouts)
        return false;
    for (const JsonNode *rollout = rollouts->first; rollout; rollout = rollout->next) {
        add_rollout(out, rollout);
        if (rollout->next)
            buffer_add_byte(out, '\n');
    }
    if (!rollouts->count)
        buffer_add_text(out, "no rollouts\n");
    return true;
}

/* "orders build 3.1.0: rolled back" */
static bool add_done(Buffer *out, Bytes answer)
{
    const JsonNode *root = admin_page_read(out->arena, answer);
    if (!json_member(root, "rollout"))
        return false;
    buffer_printf(out, "%.*s: %.*s\n", BYTES_ARGS(json_member_text(root, "rollout")),
                  BYTES_ARGS(json_member_text(root, "state")));
    return true;
}

/* ---- The command line ------------------------------------------------------------------------ */

static int ask_for(const CommandLine *line, const char *word, const char *name)
{
    bool shows = strcmp(word, "status") == 0;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    buffer_add_text(&path, "/rollouts");
    if (!shows)
        buffer_printf(&path, "/%s", word);
    admin_path_add(&path, "name", name);
    int code =
        admin_print(line, shows ? admin_get : admin_act, arena_text(arena, buffer_bytes(&path)),
                    shows ? add_status : add_done, arena);
    arena_free(arena);
    return code;
}

int command_rollout(const CommandLine *line)
{
    static const char *const words[] = {"start", "advance", "pause", "resume", "rollback", NULL};
    const char *word = line->n ? line->arguments[0] : "";
    bool shows = strcmp(word, "status") == 0;
    if (strcmp(word, "plan") == 0)
        return command_rollout_plan(line);
    const char *planning = command_rollout_plan_option(line);
    if (planning) {
        command_tell(line, "%s: it is for plan", planning);
        return EXIT_USAGE;
    }
    if (shows ? line->n > 2 : line->n != 2 || !bytes_are_one_of(bytes_of(word), words))
        return command_usage(line->command);
    if (strcmp(word, "start") == 0 && !command_has_reason(line)) {
        command_tell(line, "start tries again what was rolled back: say why with --why");
        return EXIT_USAGE;
    }
    return ask_for(line, word, line->n == 2 ? line->arguments[1] : NULL);
}
