#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/config/config.h"
#include "gateway/rollout_run/rollout_story.h"

#include <math.h>

static const RolloutTier tiers[] = {{"1", ROLLOUT_TIER_CLIENTS, 1, 0},
                                    {"10", ROLLOUT_TIER_CLIENTS, 10, 0},
                                    {"all", ROLLOUT_TIER_ALL, 0, 0}};
static const Service service = {.name = "orders"};
static const RolloutDefinition definition = {
    .name = "orders build b",
    .candidate = "build b",
    .service = &service,
    .tiers = tiers,
    .n_tiers = 3,
    .judging = {.alpha = 0.05, .metrics = 1 << ROLLOUT_FAILURES | 1 << ROLLOUT_LATENCY}};
static const RolloutRecord record = {
    .revision = 3, .trial = 1, .state = {.tier = 1, .room = 10, .since = 1700000000 * SECOND}};
static const RolloutFindings findings = {
    .lasted = 90 * SECOND,
    .clients = {[COHORT_BASELINE] = 400, [COHORT_CANDIDATE] = 9},
    .evidence.metrics[ROLLOUT_FAILURES] = {.candidate_failed = 4, .baseline_failed = 12}};

static RolloutJudgement judgement_of(RolloutVerdict verdict)
{
    return (RolloutJudgement){.verdict = verdict,
                              .metric = ROLLOUT_FAILURES,
                              .wealth = log(25),
                              .limit = log(20),
                              .want = verdict == ROLLOUT_UNDECIDED ? ROLLOUT_WANTS_CLIENTS
                                                                   : ROLLOUT_WANTS_NOTHING,
                              .clients_missing = INFINITY,
                              .metrics[ROLLOUT_FAILURES].wealth = 1e6};
}

static RolloutStory story_of(const RolloutJudgement *judgement)
{
    return (RolloutStory){.definition = &definition,
                          .record = &record,
                          .findings = &findings,
                          .judgement = judgement,
                          .capacity = {1, 4},
                          .members = 9,
                          .judge = bytes_of("p"),
                          .short_of = 4};
}

/* The text with a 0 behind it. */
static const char *text_of(Buffer *out)
{
    buffer_add_byte(out, 0);
    return (const char *)out->data;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("%s is not in %s", part, text);
}

static void the_story_has_where_it_stands_and_what_it_waits_for(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    RolloutJudgement judgement = judgement_of(ROLLOUT_UNDECIDED);
    RolloutStory story = story_of(&judgement);
    rollout_story_begin(&story, &out);
    const char *text = text_of(&out);
    assert_has(text,
               "{\"rollout\":\"orders build b\",\"service\":\"orders\",\"candidate\":\"build b\"");
    assert_has(text, "\"state\":\"running\"");
    assert_has(text, "\"tier\":\"10\"");
    assert_has(text,
               "[{\"tier\":\"1\",\"state\":\"passed\"},{\"tier\":\"10\",\"state\":\"running\"},"
               "{\"tier\":\"all\",\"state\":\"to come\"}]");
    assert_has(text, "\"members\":9,\"room\":10");
    assert_has(text, "\"instances\":{\"candidate\":1,\"baseline\":4,\"short_of\":4}");
    assert_has(text, "\"verdict\":\"undecided\"");
    assert_has(
        text,
        "\"wealth\":25,\"limit\":20,\"seconds\":90,\"clients\":{\"candidate\":9,\"baseline\":400}");
    assert_has(text, "\"waits_for\":\"clients\",\"beyond_room\":true,\"metrics\"");
    assert_has(text, "\"failures\":{\"candidate_failed\":4,\"baseline_failed\":12");
    assert_has(text, "\"latency\":{");
    assert_null(strstr(text, "losses"));
    assert_null(strstr(text, "inf"));
    arena_free(arena);
}

/* A tier of 10 has room for 22 at most, and one of `all` for everybody. */
static void whether_a_tier_can_have_the_clients_that_it_needs(void **state)
{
    static const struct {
        uint32_t tier;
        double missing;
        const char *beyond;
    } rows[] = {{1, 22, "\"clients_missing\":22,\"beyond_room\":false"},
                {1, 23, "\"clients_missing\":23,\"beyond_room\":true"},
                {2, 2300, "\"beyond_room\":false"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Buffer out = buffer_in(arena);
        RolloutJudgement judgement = judgement_of(ROLLOUT_UNDECIDED);
        RolloutRecord there = record;
        judgement.clients_missing = rows[i].missing;
        there.state.tier = rows[i].tier;
        RolloutStory story = story_of(&judgement);
        story.record = &there;
        rollout_story_begin(&story, &out);
        assert_has(text_of(&out), rows[i].beyond);
        arena_free(arena);
    }
}

static void what_was_advanced_by_hand_is_not_called_good(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena), of_bad = buffer_in(arena), of_undecided = buffer_in(arena);
    RolloutJudgement judgement = judgement_of(ROLLOUT_GOOD);
    RolloutStory story = story_of(&judgement);
    RolloutRecord complete = record;
    complete.state.phase = ROLLOUT_COMPLETE;
    complete.state.by_hand = 2;
    story.record = &complete;
    rollout_story_begin(&story, &out);
    const char *text = text_of(&out);
    assert_has(text, "\"state\":\"complete\"");
    assert_has(text, "\"by_hand\":true");
    assert_has(text, "{\"tier\":\"10\",\"state\":\"advanced by hand\"},"
                     "{\"tier\":\"all\",\"state\":\"passed\"}]");
    assert_has(text, "\"verdict\":\"not judged\"");
    judgement = judgement_of(ROLLOUT_BAD);
    rollout_story_begin(&story, &of_bad);
    assert_has(text_of(&of_bad), "\"verdict\":\"bad\"");
    judgement.verdict = ROLLOUT_UNDECIDED;
    judgement.want = ROLLOUT_WANTS_OPERATOR;
    rollout_story_begin(&story, &of_undecided);
    assert_has(text_of(&of_undecided), "\"waits_for\":\"operator\"");
    arena_free(arena);
}

static void what_nobody_knows_is_not_told(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    RolloutStory story = {.definition = &definition, .store_down = true};
    rollout_story_begin(&story, &out);
    assert_string_equal(text_of(&out),
                        "{\"rollout\":\"orders build b\",\"service\":\"orders\",\"candidate\":"
                        "\"build b\",\"store_down\":true,\"state\":\"unknown\"");
    arena_free(arena);
}

static void a_deed_says_who_and_why_with_the_numbers(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    RolloutJudgement judgement = judgement_of(ROLLOUT_BAD);
    RolloutStory story = story_of(&judgement);
    RolloutState after = {.phase = ROLLOUT_ROLLED_BACK, .tier = 1};
    RolloutDeed deed = {.act = rollout_act_name(ROLLOUT_FOUND_BAD, &after),
                        .node = "gw1",
                        .why = rollout_story_why(&story, arena),
                        .state = &after};
    rollout_story_deed(&story, &deed, &out);
    const char *text = text_of(&out);
    assert_has(
        text,
        "{\"act\":\"rollback\",\"who\":\"judge\",\"node\":\"gw1\",\"why\":\"failures: 4 of 9 "
        "clients of "
        "the candidate, 12 of 400 of the baseline; wealth 25 of 20\",\"state\":\"rolled back\","
        "\"tier\":\"10\",\"members\":9,\"judgement\":{\"verdict\":\"bad\"");
    arena_free(arena);
}

static void each_step_has_its_name(void **state)
{
    static const struct {
        RolloutEvent event;
        RolloutPhase after;
        const char *name;
    } cases[] = {
        {ROLLOUT_FOUND_GOOD, ROLLOUT_RUNNING, "advance"},
        {ROLLOUT_FOUND_GOOD, ROLLOUT_WAITING, "wait"},
        {ROLLOUT_FOUND_GOOD, ROLLOUT_COMPLETE, "complete"},
        {ROLLOUT_FOUND_BAD, ROLLOUT_PAUSED, "pause"},
        {ROLLOUT_FOUND_BAD, ROLLOUT_ROLLED_BACK, "rollback"},
        {ROLLOUT_CANDIDATE_GONE, ROLLOUT_RUNNING, "gone"},
        {ROLLOUT_CANDIDATE_BACK, ROLLOUT_RUNNING, "back"},
        {ROLLOUT_ORDER_START, ROLLOUT_RUNNING, "start"},
        {ROLLOUT_ORDER_ADVANCE, ROLLOUT_RUNNING, "advance"},
        {ROLLOUT_ORDER_ADVANCE, ROLLOUT_COMPLETE, "complete"},
        {ROLLOUT_ORDER_PAUSE, ROLLOUT_PAUSED, "pause"},
        {ROLLOUT_ORDER_RESUME, ROLLOUT_RUNNING, "resume"},
        {ROLLOUT_ORDER_ROLL_BACK, ROLLOUT_ROLLED_BACK, "rollback"},
        {ROLLOUT_EVENTS, ROLLOUT_RUNNING, "widen"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RolloutState after = {.phase = cases[i].after};
        assert_string_equal(rollout_act_name(cases[i].event, &after), cases[i].name);
    }
}

static void the_trail_has_times_tiers_and_clients(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    RolloutTrail trail = {
        .n = 2,
        .points = {{1700000000 * SECOND, 0, log(2), 1, 8}, {1700000060 * SECOND, 7, 1e6, 10, 40}}};
    rollout_story_trail(&definition, &trail, &out);
    assert_string_equal(text_of(&out),
                        "[{\"at\":\"2023-11-14T22:13:20Z\",\"tier\":\"1\",\"wealth\":2,"
                        "\"candidate\":1,\"baseline\":8},"
                        "{\"at\":\"2023-11-14T22:14:20Z\",\"tier\":\"all\","
                        "\"wealth\":1.94243e+130,\"candidate\":10,\"baseline\":40}]");
    arena_free(arena);
}

static void the_latest_members_come_first_and_some_do_not_have_it_yet(void **state)
{
    static RolloutRoster roster;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    for (int i = 1; i <= ROLLOUT_NAMED + 1; i++)
        rollout_roster_add(&roster, bytes_of(arena_printf(arena, "c%d", i)), i,
                           i == ROLLOUT_NAMED ? 0 : 1700000000 * SECOND);
    roster.settled = ROLLOUT_NAMED;
    rollout_story_members(&roster, &out);
    const char *text = text_of(&out);
    assert_has(text, "[{\"client\":\"c101\",\"at\":\"2023-11-14T22:13:20Z\",\"has_it\":false},"
                     "{\"client\":\"c100\",\"has_it\":true},");
    assert_has(text, "\"c2\"");
    assert_null(strstr(text, "\"c1\""));
    rollout_roster_clear(&roster);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_story_has_where_it_stands_and_what_it_waits_for),
        cmocka_unit_test(what_was_advanced_by_hand_is_not_called_good),
        cmocka_unit_test(whether_a_tier_can_have_the_clients_that_it_needs),
        cmocka_unit_test(what_nobody_knows_is_not_told),
        cmocka_unit_test(a_deed_says_who_and_why_with_the_numbers),
        cmocka_unit_test(each_step_has_its_name),
        cmocka_unit_test(the_trail_has_times_tiers_and_clients),
        cmocka_unit_test(the_latest_members_come_first_and_some_do_not_have_it_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
