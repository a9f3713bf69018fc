#include "tests/unit/check.h"

#include "gateway/policy/policy.h"

/* A row says what it shares with others by a macro first, and then what is otherwise. */
#pragma GCC diagnostic ignored "-Woverride-init"

/* An attempt that was sent, of a request that is kept and may be repeated; the rest of a row says
   what is otherwise. */
#define ATTEMPT                                                                                    \
    .attempted = true, .sent = true, .kept = true, .repeatable = true, .attempts = 1,              \
    .attempts_most = 2, .time_left = NO_TIMEOUT
#define FAULT_OF(name) .event = POLICY_FAULT, .fault = &FAULT_##name
#define STATUS_OF(name) .event = POLICY_STATUS, .code = CODE_##name, .answered = true

typedef struct Row {
    const char *what;
    PolicyQuestion question;
    PolicyAction action;
    PolicyWhere where;
    Fallback fallback;
} Row;

/* A route with all of them. */
#define ALL                                                                                        \
    .picked = true, .fallbacks = {FALLBACK_OLDER, FALLBACK_STALE, FALLBACK_DEFAULT},               \
    .n_fallbacks = 3
#define USED(kind) (1u << FALLBACK_##kind)

static const Row rows[] = {
    /* never sent: again, until all have been tried */
    {"not reached",
     {FAULT_OF(UPSTREAM_DOWN), .attempted = true, .time_left = 1},
     POLICY_RETRY,
     POLICY_OTHERS},
    {"not reached, and not repeatable, and the attempts used up",
     {FAULT_OF(UPSTREAM_DOWN), .attempted = true, .attempts = 9, .attempts_most = 1,
      .time_left = NO_TIMEOUT},
     POLICY_RETRY,
     POLICY_OTHERS},
    {"not reached, and nobody is left",
     {FAULT_OF(UPSTREAM_DOWN), .time_left = NO_TIMEOUT},
     POLICY_FAIL,
     0},
    {"not reached in time",
     {FAULT_OF(UPSTREAM_DOWN), .attempted = true, .time_left = 0},
     POLICY_FAIL,
     0},
    /* refused: the instance did not touch it */
    {"refused at first", {FAULT_OF(UPSTREAM_REFUSED), ATTEMPT}, POLICY_RETRY, POLICY_ALL},
    {"refused twice",
     {FAULT_OF(UPSTREAM_REFUSED), ATTEMPT, .attempts = 2},
     POLICY_RETRY,
     POLICY_ALL},
    {"refused a third time",
     {FAULT_OF(UPSTREAM_REFUSED), ATTEMPT, .attempts = 3},
     POLICY_RETRY,
     POLICY_OTHERS},
    {"refused, not repeatable",
     {FAULT_OF(UPSTREAM_REFUSED), ATTEMPT, .repeatable = false},
     POLICY_RETRY,
     POLICY_ALL},
    {"refused, not kept", {FAULT_OF(UPSTREAM_REFUSED), ATTEMPT, .kept = false}, POLICY_FAIL, 0},
    /* another attempt is under way */
    {"not reached, another is under way",
     {FAULT_OF(UPSTREAM_DOWN), .attempted = true, .other = true, .time_left = 1},
     POLICY_WAIT,
     0},
    {"broken off, another is under way",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .other = true},
     POLICY_WAIT,
     0},
    {"a response that is none, another is under way",
     {FAULT_OF(UPSTREAM_MESSAGE), ATTEMPT, .attempted = false, .other = true},
     POLICY_WAIT,
     0},
    {"UNAVAILABLE, another is under way",
     {STATUS_OF(UNAVAILABLE), ATTEMPT, .other = true},
     POLICY_WAIT,
     0},
    {"NOT_FOUND, another is under way",
     {STATUS_OF(NOT_FOUND), ATTEMPT, .other = true},
     POLICY_RESPOND,
     0},
    {"INTERNAL with a fallback, another is under way",
     {STATUS_OF(INTERNAL), ATTEMPT, .other = true, .fallbacks = {FALLBACK_DEFAULT},
      .n_fallbacks = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"broken off, another is under way, the client has some",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .other = true, .responding = true},
     POLICY_FAIL,
     0},
    /* lost under way */
    {"broken off", {FAULT_OF(UPSTREAM_RESET), ATTEMPT}, POLICY_RETRY, POLICY_OTHERS_FIRST},
    {"broken off behind the head",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .answered = true},
     POLICY_RETRY,
     POLICY_OTHERS},
    {"broken off, the last attempt",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .attempts = 2},
     POLICY_FAIL,
     0},
    {"broken off, one of three left",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .attempts = 2, .attempts_most = 3},
     POLICY_RETRY,
     POLICY_OTHERS_FIRST},
    {"broken off, not repeatable",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .repeatable = false},
     POLICY_FAIL,
     0},
    {"broken off, not kept", {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .kept = false}, POLICY_FAIL, 0},
    {"broken off, the client has some",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .responding = true},
     POLICY_FAIL,
     0},
    {"broken off, no time left",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .time_left = 0},
     POLICY_FAIL,
     0},
    {"broken off, a moment left",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .time_left = 1},
     POLICY_RETRY,
     POLICY_OTHERS_FIRST},
    {"garbage", {FAULT_OF(UPSTREAM_PROTOCOL), ATTEMPT}, POLICY_FAIL, 0},
    {"a message too large", {FAULT_OF(UPSTREAM_TOO_LARGE), ATTEMPT}, POLICY_FAIL, 0},
    /* what the service says */
    {"UNAVAILABLE", {STATUS_OF(UNAVAILABLE), ATTEMPT}, POLICY_RETRY, POLICY_OTHERS},
    {"UNAVAILABLE, the last attempt",
     {STATUS_OF(UNAVAILABLE), ATTEMPT, .attempts = 2},
     POLICY_RESPOND,
     0},
    {"UNAVAILABLE, nobody is left",
     {STATUS_OF(UNAVAILABLE), ATTEMPT, .attempted = false},
     POLICY_RESPOND,
     0},
    {"UNAVAILABLE, not repeatable",
     {STATUS_OF(UNAVAILABLE), ATTEMPT, .repeatable = false},
     POLICY_RESPOND,
     0},
    {"UNAVAILABLE, not kept", {STATUS_OF(UNAVAILABLE), ATTEMPT, .kept = false}, POLICY_RESPOND, 0},
    {"NOT_FOUND before any message was sent",
     {STATUS_OF(NOT_FOUND), ATTEMPT, .sent = false},
     POLICY_RESPOND,
     0},
    {"UNAVAILABLE to a stream before any message was sent",
     {STATUS_OF(UNAVAILABLE), ATTEMPT, .sent = false, .kept = false},
     POLICY_RESPOND,
     0},
    {"ABORTED", {STATUS_OF(ABORTED), ATTEMPT}, POLICY_RESPOND, 0},
    {"INTERNAL", {STATUS_OF(INTERNAL), ATTEMPT}, POLICY_RESPOND, 0},
    {"DEADLINE_EXCEEDED", {STATUS_OF(DEADLINE_EXCEEDED), ATTEMPT}, POLICY_RESPOND, 0},
    {"NOT_FOUND", {STATUS_OF(NOT_FOUND), ATTEMPT}, POLICY_RESPOND, 0},
    /* fallbacks */
    {"not reached, with one",
     {FAULT_OF(UPSTREAM_DOWN), .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1, .time_left = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"a retry comes before one",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1},
     POLICY_RETRY,
     POLICY_OTHERS_FIRST},
    {"the deadline, with one",
     {FAULT_OF(DEADLINE_EXCEEDED), .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"memory, with one",
     {FAULT_OF(OUT_OF_MEMORY), .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1, .time_left = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"memory, for one",
     {FAULT_OF(OUT_OF_MEMORY), .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1,
      .fallen_back = true},
     POLICY_FAIL,
     0},
    {"broken off, for one",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1,
      .fallen_back = true},
     POLICY_FAIL,
     0},
    {"the client's mistake",
     {FAULT_OF(BAD_JSON), .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1, .time_left = 1},
     POLICY_FAIL,
     0},
    {"the client's mistake with an innocent code",
     {FAULT_OF(HEAD_TOO_LARGE), .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1, .time_left = 1},
     POLICY_FAIL,
     0},
    {"no such method",
     {FAULT_OF(METHOD_REMOVED), .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1, .time_left = 1},
     POLICY_FAIL,
     0},
    {"half a response, with one",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1,
      .responding = true},
     POLICY_FAIL,
     0},
    {"INTERNAL, with one",
     {STATUS_OF(INTERNAL), ATTEMPT, .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"UNKNOWN, with one",
     {STATUS_OF(UNKNOWN), ATTEMPT, .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"DATA_LOSS, with one",
     {STATUS_OF(DATA_LOSS), ATTEMPT, .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"RESOURCE_EXHAUSTED, with one",
     {STATUS_OF(RESOURCE_EXHAUSTED), ATTEMPT, .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"NOT_FOUND, with one",
     {STATUS_OF(NOT_FOUND), ATTEMPT, .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1},
     POLICY_RESPOND,
     0},
    {"ABORTED, with one",
     {STATUS_OF(ABORTED), ATTEMPT, .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1},
     POLICY_RESPOND,
     0},
    /* another version: by the rules of a retry, but for the limit of attempts */
    {"INTERNAL, of all", {STATUS_OF(INTERNAL), ATTEMPT, ALL}, POLICY_FALL_BACK, 0, FALLBACK_OLDER},
    {"INTERNAL, of all, the last attempt",
     {STATUS_OF(INTERNAL), ATTEMPT, ALL, .attempts = 2},
     POLICY_FALL_BACK,
     0,
     FALLBACK_OLDER},
    {"INTERNAL, of all, not repeatable",
     {STATUS_OF(INTERNAL), ATTEMPT, ALL, .repeatable = false},
     POLICY_FALL_BACK,
     0,
     FALLBACK_STALE},
    {"INTERNAL, of all, not kept",
     {STATUS_OF(INTERNAL), ATTEMPT, ALL, .kept = false},
     POLICY_FALL_BACK,
     0,
     FALLBACK_STALE},
    {"UNAVAILABLE: a retry comes before all",
     {STATUS_OF(UNAVAILABLE), ATTEMPT, ALL},
     POLICY_RETRY,
     POLICY_OTHERS},
    {"the deadline, of all",
     {FAULT_OF(DEADLINE_EXCEEDED), ATTEMPT, ALL, .attempted = false, .time_left = 0},
     POLICY_FALL_BACK,
     0,
     FALLBACK_STALE},
    {"a moment before the deadline, of all",
     {FAULT_OF(DEADLINE_EXCEEDED), ATTEMPT, ALL, .attempted = false, .time_left = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_OLDER},
    {"no instance at all, of all",
     {FAULT_OF(UPSTREAM_DOWN), ALL, .picked = false, .time_left = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_STALE},
    {"refused by all that there are, not repeatable",
     {FAULT_OF(UPSTREAM_REFUSED), ATTEMPT, ALL, .attempted = false, .repeatable = false},
     POLICY_FALL_BACK,
     0,
     FALLBACK_OLDER},
    {"NOT_FOUND, of all", {STATUS_OF(NOT_FOUND), ATTEMPT, ALL}, POLICY_RESPOND, 0},
    {"NOT_FOUND by another version",
     {STATUS_OF(NOT_FOUND), ATTEMPT, ALL, .older = true, .used_up = USED(OLDER)},
     POLICY_FALL_BACK,
     0,
     FALLBACK_STALE},
    {"the client's mistake, for another version",
     {FAULT_OF(CANNOT_CONVERT), ATTEMPT, ALL, .older = true, .used_up = USED(OLDER)},
     POLICY_FALL_BACK,
     0,
     FALLBACK_STALE},
    /* what is used up */
    {"nothing was kept",
     {STATUS_OF(INTERNAL), ATTEMPT, ALL, .used_up = USED(OLDER) | USED(STALE)},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"all are used up",
     {STATUS_OF(INTERNAL), ATTEMPT, ALL, .used_up = USED(OLDER) | USED(STALE) | USED(DEFAULT)},
     POLICY_RESPOND,
     0},
    {"all are used up, and a fault",
     {FAULT_OF(UPSTREAM_MESSAGE), ATTEMPT, ALL, .attempted = false,
      .used_up = USED(OLDER) | USED(STALE) | USED(DEFAULT)},
     POLICY_FAIL,
     0},
    {"UNAUTHENTICATED, with one",
     {STATUS_OF(UNAUTHENTICATED), ATTEMPT, .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1},
     POLICY_RESPOND,
     0},
};

static void each_verdict_is_the_one_of_its_row(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        PolicyVerdict verdict = policy_decide(&rows[i].question);
        if (verdict.action != rows[i].action)
            fail_msg("%s: %s, not %s", rows[i].what, policy_action_name(verdict.action),
                     policy_action_name(rows[i].action));
        if (verdict.action == POLICY_RETRY && verdict.where != rows[i].where)
            fail_msg("%s: where is %d, not %d", rows[i].what, verdict.where, rows[i].where);
        if (verdict.action == POLICY_FALL_BACK && verdict.fallback != rows[i].fallback)
            fail_msg("%s: by %s, not %s", rows[i].what, fallback_name(verdict.fallback),
                     fallback_name(rows[i].fallback));
        assert_non_null(verdict.why);
    }
}

/* Every combination of what a question can say. */
static PolicyQuestion question_of(uint32_t bits, const Fault *fault, Code code)
{
    return (PolicyQuestion){
        .event = fault ? POLICY_FAULT : POLICY_STATUS,
        .fault = fault,
        .code = code,
        .attempted = bits & 1,
        .sent = bits & 2,
        .answered = bits & 4,
        .kept = bits & 8,
        .repeatable = bits & 16,
        .responding = bits & 32,
        .fallen_back = bits & 64,
        .fallbacks = {FALLBACK_OLDER, FALLBACK_DEFAULT},
        .n_fallbacks = bits & 128 ? 2 : 0,
        .attempts = bits >> 8 & 3,
        .attempts_most = 2,
        .time_left = bits & 1024 ? 1 : 0,
        .other = bits & 2048,
        .safe = bits & 4096,
        .picked = bits & 8192,
        .older = bits & 16384,
        .used_up = bits & 32768 ? USED(OLDER) : 0,
    };
}

static void check_promises(const PolicyQuestion *q)
{
    PolicyVerdict verdict = policy_decide(q);
    bool touched = q->event == POLICY_STATUS || (q->sent && q->fault != &FAULT_UPSTREAM_REFUSED);
    if (verdict.action == POLICY_RETRY) {
        assert_true(q->attempted && q->time_left > 0 && !q->responding && !q->fallen_back);
        assert_true(!touched || (q->repeatable && q->kept && q->attempts < q->attempts_most));
    }
    if (verdict.action == POLICY_FALL_BACK && verdict.fallback == FALLBACK_OLDER)
        assert_true(q->picked && q->time_left > 0 && (!touched || (q->repeatable && q->kept)));
    if (verdict.action == POLICY_FALL_BACK)
        assert_false(q->used_up >> verdict.fallback & 1);
    if (verdict.action == POLICY_WAIT)
        assert_true(q->other && !q->responding);
    if (verdict.action == POLICY_FALL_BACK)
        assert_true(q->n_fallbacks && !q->fallen_back && !q->responding);
    assert_int_equal(verdict.action == POLICY_RESPOND && q->event == POLICY_FAULT, 0);
    assert_int_equal(verdict.action == POLICY_FAIL && q->event == POLICY_STATUS, 0);
}

static void no_question_leads_to_a_broken_promise(void **state)
{
    static const Fault *const faults[] = {&FAULT_UPSTREAM_DOWN,     &FAULT_UPSTREAM_RESET,
                                          &FAULT_UPSTREAM_REFUSED,  &FAULT_UPSTREAM_MESSAGE,
                                          &FAULT_DEADLINE_EXCEEDED, &FAULT_BAD_JSON,
                                          &FAULT_OUT_OF_MEMORY};
    for (uint32_t bits = 0; bits < 65536; bits++) {
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
            PolicyQuestion q = question_of(bits, faults[i], CODE_OK);
            check_promises(&q);
        }
        for (Code code = CODE_CANCELLED; code < CODE_COUNT; code++) {
            PolicyQuestion q = question_of(bits, NULL, code);
            check_promises(&q);
        }
    }
}

static void a_second_attempt_needs_all_of_this(void **state)
{
    PolicyQuestion q = {
        .safe = true, .kept = true, .attempts = 1, .attempts_most = 2, .time_left = 1};
    assert_true(policy_may_hedge(&q));
    PolicyQuestion lacking[7] = {q, q, q, q, q, q, q};
    lacking[0].safe = false;
    lacking[1].kept = false;
    lacking[2].other = true;
    lacking[3].responding = true;
    lacking[4].fallen_back = true;
    lacking[5].attempts = 2;
    lacking[6].time_left = 0;
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++)
        assert_false(policy_may_hedge(&lacking[i]));
}

static void actions_have_names(void **state)
{
    assert_string_equal(policy_action_name(POLICY_WAIT), "wait");
    assert_string_equal(policy_action_name(POLICY_RETRY), "retry");
    assert_string_equal(policy_action_name(POLICY_FALL_BACK), "fall back");
    assert_string_equal(policy_action_name(POLICY_RESPOND), "respond");
    assert_string_equal(policy_action_name(POLICY_FAIL), "fail");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_verdict_is_the_one_of_its_row),
        cmocka_unit_test(no_question_leads_to_a_broken_promise),
        cmocka_unit_test(a_second_attempt_needs_all_of_this),
        cmocka_unit_test(actions_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
