#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/random.h"
#include "gateway/policy/policy.h"

/* A row says what it shares with others by a macro first, and then what is otherwise. */
#pragma GCC diagnostic ignored "-Woverride-init"

/* An attempt that was sent, of a request that is kept and may be repeated; the rest of a row says
   what is otherwise. */
#define ATTEMPT                                                                                    \
    .attempted = true, .sent = true, .kept = true, .repeatable = true, .attempts = 1,              \
    .attempts_most = 2, .time_left = NO_TIMEOUT
#define REFUSED(n) FAULT_OF(UPSTREAM_REFUSED), ATTEMPT, .refusals = (n), .attempts = (n)-1
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
#define OLDER .picked = true, .fallbacks = {FALLBACK_OLDER}, .n_fallbacks = 1
#define USED(kind) (1u << FALLBACK_##kind)

static const Row rows[] = {
    /* never sent: again, until all have been tried */
    {"not reached",
     {FAULT_OF(UPSTREAM_DOWN), .attempted = true, .time_left = MILLISECOND},
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
    {"refused at first", {REFUSED(1)}, POLICY_RETRY, POLICY_OTHERS_FIRST},
    {"refused at first, where one attempt is allowed",
     {REFUSED(1), .attempts_most = 1},
     POLICY_RETRY,
     POLICY_OTHERS_FIRST},
    {"refused twice", {REFUSED(2)}, POLICY_RETRY, POLICY_OTHERS_FIRST},
    {"refused twice, where one attempt is allowed",
     {REFUSED(2), .attempts_most = 1},
     POLICY_FAIL,
     0},
    {"refused a third time", {REFUSED(3)}, POLICY_FAIL, 0},
    {"refused, not repeatable",
     {REFUSED(1), .repeatable = false},
     POLICY_RETRY,
     POLICY_OTHERS_FIRST},
    {"refused before anything was sent, not kept",
     {REFUSED(1), .sent = false, .kept = false},
     POLICY_RETRY,
     POLICY_OTHERS_FIRST},
    {"refused, not kept", {REFUSED(1), .kept = false}, POLICY_FAIL, 0},
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
     POLICY_OTHERS_FIRST},
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
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .time_left = MILLISECOND - 1},
     POLICY_FAIL,
     0},
    {"broken off, just enough time left",
     {FAULT_OF(UPSTREAM_RESET), ATTEMPT, .time_left = MILLISECOND},
     POLICY_RETRY,
     POLICY_OTHERS_FIRST},
    {"a response that is none", {FAULT_OF(UPSTREAM_PROTOCOL), ATTEMPT}, POLICY_FAIL, 0},
    {"a connection with garbage",
     {FAULT_OF(UPSTREAM_PROTOCOL), ATTEMPT, .broken = true},
     POLICY_RETRY,
     POLICY_OTHERS_FIRST},
    {"a connection with garbage, and not repeatable",
     {FAULT_OF(UPSTREAM_PROTOCOL), ATTEMPT, .broken = true, .repeatable = false},
     POLICY_FAIL,
     0},
    {"a head that is too large",
     {FAULT_OF(UPSTREAM_TOO_LARGE), ATTEMPT, .broken = true},
     POLICY_FAIL,
     0},
    {"a message too large", {FAULT_OF(UPSTREAM_TOO_LARGE), ATTEMPT}, POLICY_FAIL, 0},
    /* what the service says */
    {"UNAVAILABLE", {STATUS_OF(UNAVAILABLE), ATTEMPT}, POLICY_RETRY, POLICY_OTHERS_FIRST},
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
    {"ABORTED, with one: the service did not resolve a conflict between calls",
     {STATUS_OF(ABORTED), ATTEMPT, .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"UNIMPLEMENTED, of all: the instance lacks the method",
     {STATUS_OF(UNIMPLEMENTED), ATTEMPT, ALL},
     POLICY_FALL_BACK,
     0,
     FALLBACK_OLDER},
    {"a wrong number of messages, with one",
     {FAULT_OF(UPSTREAM_CARDINALITY), ATTEMPT, .attempted = false, .fallbacks = {FALLBACK_DEFAULT},
      .n_fallbacks = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"what the gateway cannot do, with one",
     {FAULT_OF(UNSUPPORTED), .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1, .time_left = 1},
     POLICY_FALL_BACK,
     0,
     FALLBACK_DEFAULT},
    {"the client's share of memory, with one",
     {FAULT_OF(MEMORY_SHARE), .fallbacks = {FALLBACK_DEFAULT}, .n_fallbacks = 1, .time_left = 1},
     POLICY_FAIL,
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
     POLICY_OTHERS_FIRST},
    {"the deadline, of all",
     {FAULT_OF(DEADLINE_EXCEEDED), ATTEMPT, ALL, .attempted = false, .time_left = 0},
     POLICY_FALL_BACK,
     0,
     FALLBACK_STALE},
    {"a moment before the deadline, of all",
     {FAULT_OF(DEADLINE_EXCEEDED), ATTEMPT, ALL, .attempted = false, .time_left = MILLISECOND},
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

static void a_fallback_replaces_every_code_but_those_of_the_callers_mistakes(void **state)
{
    static const Code told[] = {
        CODE_CANCELLED,           CODE_INVALID_ARGUMENT,  CODE_NOT_FOUND,
        CODE_ALREADY_EXISTS,      CODE_PERMISSION_DENIED, CODE_UNAUTHENTICATED,
        CODE_FAILED_PRECONDITION, CODE_OUT_OF_RANGE,
    };
    for (Code code = CODE_CANCELLED; code < CODE_COUNT; code++) {
        PolicyQuestion q = {ATTEMPT,
                            .event = POLICY_STATUS,
                            .code = code,
                            .attempted = false,
                            .fallbacks = {FALLBACK_DEFAULT},
                            .n_fallbacks = 1};
        bool is_told = false;
        for (size_t i = 0; i < sizeof told / sizeof *told; i++)
            is_told |= told[i] == code;
        PolicyAction action = policy_decide(&q).action;
        if (action != (is_told ? POLICY_RESPOND : POLICY_FALL_BACK))
            fail_msg("%s: %s", code_name(code), policy_action_name(action));
    }
}

/* ---- The rules of others, line by line ------------------------------------------------------- */

/* An attempt of a route as gRFC A6 has it in its examples. */
#define A6                                                                                         \
    ATTEMPT, .attempts_most = 4, .initial_backoff = 100 * MILLISECOND, .max_backoff = SECOND,      \
             .random = UINT64_MAX
#define UNAVAILABLE_A6 STATUS_OF(UNAVAILABLE), A6
#define PUSHED(ms) .advice = ADVICE_AFTER, .advised = (ms)*MILLISECOND

typedef struct Ruling {
    const char *rule; /* "A6 ...": gRFC A6, by its headings. "AIP-194 ..." */
    PolicyQuestion question;
    PolicyAction action;
    RetryRefusal refusal;
    int64_t wait_below; /* of a retry; 0: at once */
    PolicyCharge charge;
} Ruling;

static const Ruling rules[] = {
    /* Maximum Number of Retries */
    {"A6 maxAttempts includes the original: the third of four may be followed",
     {UNAVAILABLE_A6, .attempts = 3, .backoffs = 2},
     POLICY_RETRY,
     0,
     400 * MILLISECOND,
     CHARGE_RETRY},
    {"A6 maxAttempts includes the original: the fourth of four is the last",
     {UNAVAILABLE_A6, .attempts = 4},
     POLICY_RESPOND,
     RETRY_REFUSED_ATTEMPTS},
    {"A6 the deadline applies across all attempts: nothing begins behind it",
     {UNAVAILABLE_A6, .time_left = 0},
     POLICY_RESPOND,
     RETRY_REFUSED_DEADLINE},
    {"A6 the deadline applies across all attempts: a wait that leaves less than a millisecond",
     {UNAVAILABLE_A6, PUSHED(50), .time_left = 51 * MILLISECOND - 1},
     POLICY_RESPOND,
     RETRY_REFUSED_DEADLINE},
    {"A6 the deadline applies across all attempts: a wait that leaves a millisecond",
     {UNAVAILABLE_A6, PUSHED(50), .time_left = 51 * MILLISECOND},
     POLICY_RETRY,
     0,
     50 * MILLISECOND + 1,
     CHARGE_RETRY},
    /* Exponential Backoff */
    {"A6 the initial retry occurs at random(0, initialBackoff)",
     {UNAVAILABLE_A6},
     POLICY_RETRY,
     0,
     100 * MILLISECOND,
     CHARGE_RETRY},
    {"A6 the nth at random(0, initialBackoff * multiplier ** (n - 1))",
     {UNAVAILABLE_A6, .attempts = 2, .backoffs = 1},
     POLICY_RETRY,
     0,
     200 * MILLISECOND,
     CHARGE_RETRY},
    {"A6 but never above maxBackoff",
     {UNAVAILABLE_A6, .attempts_most = 10, .attempts = 9, .backoffs = 8},
     POLICY_RETRY,
     0,
     SECOND,
     CHARGE_RETRY},
    /* Retryable Status Codes; AIP-194 says which */
    {"AIP-194 UNAVAILABLE should be retried where a repetition has no unintended effect",
     {UNAVAILABLE_A6},
     POLICY_RETRY,
     0,
     100 * MILLISECOND,
     CHARGE_RETRY},
    {"AIP-194 requests whose repetition has an effect should not be retried",
     {UNAVAILABLE_A6, .repeatable = false},
     POLICY_RESPOND},
    {"AIP-194 does not cover streams of requests: what is not kept is not sent again",
     {UNAVAILABLE_A6, .kept = false},
     POLICY_RESPOND},
    {"AIP-194 CANCELLED should not be retried", {STATUS_OF(CANCELLED), A6}, POLICY_RESPOND},
    {"AIP-194 DEADLINE_EXCEEDED should not be retried",
     {STATUS_OF(DEADLINE_EXCEEDED), A6},
     POLICY_RESPOND},
    {"AIP-194 INVALID_ARGUMENT should not be retried",
     {STATUS_OF(INVALID_ARGUMENT), A6},
     POLICY_RESPOND},
    {"AIP-194 DATA_LOSS should not be retried", {STATUS_OF(DATA_LOSS), A6}, POLICY_RESPOND},
    {"AIP-194 RESOURCE_EXHAUSTED generally should not be retried",
     {STATUS_OF(RESOURCE_EXHAUSTED), A6},
     POLICY_RESPOND},
    {"AIP-194 INTERNAL should be surfaced at once", {STATUS_OF(INTERNAL), A6}, POLICY_RESPOND},
    {"AIP-194 UNKNOWN should be surfaced at once", {STATUS_OF(UNKNOWN), A6}, POLICY_RESPOND},
    {"AIP-194 ABORTED should be retried at a higher level",
     {STATUS_OF(ABORTED), A6},
     POLICY_RESPOND},
    {"AIP-194 NOT_FOUND should not be retried", {STATUS_OF(NOT_FOUND), A6}, POLICY_RESPOND},
    {"AIP-194 ALREADY_EXISTS should not be retried",
     {STATUS_OF(ALREADY_EXISTS), A6},
     POLICY_RESPOND},
    {"AIP-194 PERMISSION_DENIED should not be retried",
     {STATUS_OF(PERMISSION_DENIED), A6},
     POLICY_RESPOND},
    {"AIP-194 UNAUTHENTICATED should not be retried",
     {STATUS_OF(UNAUTHENTICATED), A6},
     POLICY_RESPOND},
    {"AIP-194 FAILED_PRECONDITION should not be retried",
     {STATUS_OF(FAILED_PRECONDITION), A6},
     POLICY_RESPOND},
    {"AIP-194 OUT_OF_RANGE should not be retried", {STATUS_OF(OUT_OF_RANGE), A6}, POLICY_RESPOND},
    {"AIP-194 UNIMPLEMENTED should not be retried", {STATUS_OF(UNIMPLEMENTED), A6}, POLICY_RESPOND},
    /* Hedging Policy */
    {"A6 a non-fatal status sends the next hedged request at once",
     {UNAVAILABLE_A6, .hedges = true},
     POLICY_RETRY,
     0,
     0,
     CHARGE_RETRY},
    {"A6 a non-fatal status leaves the other hedged request running",
     {UNAVAILABLE_A6, .hedges = true, .other = true},
     POLICY_WAIT},
    {"A6 any other status of a hedged request is the response",
     {STATUS_OF(INTERNAL), A6, .hedges = true, .other = true},
     POLICY_RESPOND},
    /* Throttling */
    {"A6 a retry that is throttled is not made, and the failure returned",
     {UNAVAILABLE_A6, .budget_spent = true},
     POLICY_RESPOND,
     RETRY_REFUSED_BUDGET},
    {"A6 the same for a call that was broken off",
     {FAULT_OF(UPSTREAM_RESET), A6, .budget_spent = true},
     POLICY_FAIL,
     RETRY_REFUSED_BUDGET},
    {"A6 malformed requests are not what is throttled",
     {STATUS_OF(INVALID_ARGUMENT), A6, .budget_spent = true},
     POLICY_RESPOND},
    /* Pushback */
    {"A6 pushback: no retry",
     {UNAVAILABLE_A6, .advice = ADVICE_STOP},
     POLICY_RESPOND,
     RETRY_REFUSED_PUSHBACK},
    {"A6 pushback: no retry where the next would come at once, either",
     {UNAVAILABLE_A6, .advice = ADVICE_STOP, .hedges = true},
     POLICY_RESPOND,
     RETRY_REFUSED_PUSHBACK},
    {"A6 pushback: retry in 7 ms, whatever the backoff",
     {UNAVAILABLE_A6, PUSHED(7), .backoffs = 3},
     POLICY_RETRY,
     0,
     7 * MILLISECOND + 1,
     CHARGE_RETRY},
    {"A6 pushback: retry in 1 s, which is maxBackoff",
     {UNAVAILABLE_A6, PUSHED(1000)},
     POLICY_RETRY,
     0,
     1 * SECOND + 1,
     CHARGE_RETRY},
    {"not A6: a pushback above maxBackoff is left to the client",
     {UNAVAILABLE_A6, PUSHED(1001)},
     POLICY_RESPOND,
     RETRY_REFUSED_PUSHBACK},
    {"A6 pushback: not when maxAttempts are used up",
     {UNAVAILABLE_A6, PUSHED(7), .attempts = 4},
     POLICY_RESPOND,
     RETRY_REFUSED_ATTEMPTS},
    {"A6 pushback delays hedged requests, too",
     {UNAVAILABLE_A6, PUSHED(7), .hedges = true},
     POLICY_RETRY,
     0,
     7 * MILLISECOND + 1,
     CHARGE_RETRY},
    /* When Retries are Valid */
    {"A6 a call is committed when its client has some of the response",
     {FAULT_OF(UPSTREAM_RESET), A6, .responding = true},
     POLICY_FAIL},
    {"A6 a call is committed when its messages are not kept",
     {FAULT_OF(UPSTREAM_RESET), A6, .kept = false},
     POLICY_FAIL},
    /* Transparent Retries */
    {"A6 what never left the client is sent elsewhere until it succeeds",
     {FAULT_OF(UPSTREAM_DOWN), A6, .sent = false, .attempts = 9, .repeatable = false},
     POLICY_RETRY,
     0,
     0,
     CHARGE_NOTHING},
    {"A6 or until the deadline passes",
     {FAULT_OF(UPSTREAM_DOWN), A6, .sent = false, .time_left = 0},
     POLICY_FAIL,
     RETRY_REFUSED_DEADLINE},
    {"A6 what never left the client is not throttled",
     {FAULT_OF(UPSTREAM_DOWN), A6, .sent = false, .budget_spent = true},
     POLICY_RETRY,
     0,
     0,
     CHARGE_NOTHING},
    {"A6 what no application has seen is sent again at once, and counts only if it fails again",
     {A6, REFUSED(1), .repeatable = false},
     POLICY_RETRY,
     0,
     0,
     CHARGE_TRIAL},
    {"A6 whatever maxAttempts are",
     {A6, REFUSED(1), .attempts_most = 1},
     POLICY_RETRY,
     0,
     0,
     CHARGE_TRIAL},
    {"A6 if that fails, the configured policy applies: its backoff",
     {A6, REFUSED(2), .attempts_most = 4},
     POLICY_RETRY,
     0,
     100 * MILLISECOND,
     CHARGE_RETRY},
    {"A6 if that fails, the configured policy applies: its attempts",
     {A6, REFUSED(2), .attempts_most = 1},
     POLICY_FAIL,
     RETRY_REFUSED_ATTEMPTS},
    {"stricter than A6: where all refuse, a refusal is not free",
     {A6, REFUSED(1), .budget_spent = true},
     POLICY_FAIL,
     RETRY_REFUSED_BUDGET},
    /* Exposed Retry Metadata */
    {"A6 grpc-previous-rpc-attempts of a gateway in front counts with the attempts here",
     {UNAVAILABLE_A6, .attempts = 1 + 3},
     POLICY_RESPOND,
     RETRY_REFUSED_ATTEMPTS},
    /* An attempt at another version */
    {"another version counts in the budget",
     {STATUS_OF(INTERNAL), A6, OLDER, .budget_spent = true},
     POLICY_RESPOND,
     RETRY_REFUSED_BUDGET},
    {"another version: the instance asked for no other attempt",
     {STATUS_OF(INTERNAL), A6, OLDER, .advice = ADVICE_STOP},
     POLICY_RESPOND,
     RETRY_REFUSED_PUSHBACK},
    {"another version has no time left",
     {STATUS_OF(INTERNAL), A6, OLDER, .time_left = MILLISECOND - 1},
     POLICY_RESPOND,
     RETRY_REFUSED_DEADLINE},
    {"another version: a passed deadline is no news",
     {FAULT_OF(DEADLINE_EXCEEDED), A6, OLDER, .attempted = false, .time_left = 0},
     POLICY_FAIL},
    {"another version is not held back by the budget alone",
     {STATUS_OF(INTERNAL), A6, OLDER, .repeatable = false, .budget_spent = true},
     POLICY_RESPOND},
    {"another version: what is used up is not refused",
     {STATUS_OF(INTERNAL), A6, OLDER, .used_up = USED(OLDER), .budget_spent = true},
     POLICY_RESPOND},
    {"another version costs no budget if no instance has seen the call",
     {FAULT_OF(UPSTREAM_DOWN), A6, OLDER, .attempted = false, .sent = false, .budget_spent = true},
     POLICY_FALL_BACK},
    {"another version that the budget holds back is said beside the fallback that follows",
     {STATUS_OF(INTERNAL), A6, ALL, .budget_spent = true},
     POLICY_FALL_BACK,
     RETRY_REFUSED_BUDGET},
};

static void check_rule(const Ruling *row)
{
    PolicyVerdict verdict = policy_decide(&row->question);
    if (verdict.action != row->action || verdict.refusal != row->refusal)
        fail_msg("%s: %s, %s", row->rule, policy_action_name(verdict.action), verdict.why);
    if (verdict.action != POLICY_RETRY)
        return;
    if (verdict.wait > row->wait_below || (row->wait_below && verdict.wait == row->wait_below))
        fail_msg("%s: waits %lld ns", row->rule, (long long)verdict.wait);
    if (row->question.advice == ADVICE_AFTER && verdict.wait != row->question.advised)
        fail_msg("%s: waits %lld ns", row->rule, (long long)verdict.wait);
    if (verdict.charge != row->charge)
        fail_msg("%s: it is charged as %d", row->rule, (int)verdict.charge);
}

static void each_rule_of_a6_and_aip_194_is_followed(void **state)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        check_rule(&rules[i]);
}

static void the_next_of_two_attempts_hurries_where_the_rules_say_so(void **state)
{
    PolicyQuestion q = {UNAVAILABLE_A6, .hedges = true, .other = true};
    assert_true(policy_decide(&q).hurry && policy_decide(&q).wait == 0);
    q.advised = 7;
    assert_int_equal(policy_decide(&q).wait, 7);
    q.hedges = false;
    assert_false(policy_decide(&q).hurry);
    PolicyQuestion lost = {FAULT_OF(UPSTREAM_RESET), A6, .hedges = true, .other = true};
    assert_true(policy_decide(&lost).hurry);
    PolicyQuestion garbage = {FAULT_OF(UPSTREAM_MESSAGE), A6, .hedges = true, .other = true};
    assert_int_equal(policy_decide(&garbage).action, POLICY_WAIT);
    assert_false(policy_decide(&garbage).hurry);
}

static void the_wait_is_evenly_between_nothing_and_its_limit(void **state)
{
    enum { DRAWN = 100000, PARTS = 10 };
    uint32_t counts[PARTS] = {0};
    Random random;
    random_seed_fixed(&random, 14);
    for (int i = 0; i < DRAWN; i++) {
        int64_t wait = policy_backoff(100, 10000, 3, random_next(&random));
        assert_in_range(wait, 0, 399);
        counts[wait / 40]++;
    }
    for (int i = 0; i < PARTS; i++)
        assert_in_range(counts[i], DRAWN / PARTS * 9 / 10, DRAWN / PARTS * 11 / 10);
}

static void no_wait_overflows(void **state)
{
    for (uint32_t n = 1; n < 100; n++) {
        assert_in_range(policy_backoff(1, INT64_MAX, n, UINT64_MAX), 0, INT64_MAX - 1);
        assert_in_range(policy_backoff(7, 10, n, UINT64_MAX), 0, 9);
        assert_int_equal(policy_backoff(0, 0, n, UINT64_MAX), 0);
    }
}

static void only_an_own_wait_makes_the_next_one_longer(void **state)
{
    PolicyQuestion q = {UNAVAILABLE_A6};
    assert_true(policy_decide(&q).backs_off);
    q.advice = ADVICE_AFTER;
    assert_false(policy_decide(&q).backs_off);
    q.advice = ADVICE_NONE;
    q.hedges = true;
    assert_false(policy_decide(&q).backs_off);
}

/* ---- What the wire says ---------------------------------------------------------------------- */

typedef struct Said {
    const char *pushback, *retry_after;
    PolicyAdvice advice;
    int64_t advised;
} Said;

static void advice_is_read_as_its_standards_say(void **state)
{
    static const Said said[] = {
        {NULL, NULL, ADVICE_NONE, 0},
        {"0", NULL, ADVICE_AFTER, 0},
        {"1500", NULL, ADVICE_AFTER, 1500 * MILLISECOND},
        {"2147483647", NULL, ADVICE_AFTER, INT32_MAX * MILLISECOND},
        {"2147483648", NULL, ADVICE_STOP, 0},
        {"-1", NULL, ADVICE_STOP, 0},
        {"-2147483648", NULL, ADVICE_STOP, 0},
        {"01", NULL, ADVICE_STOP, 0},
        {"+1", NULL, ADVICE_STOP, 0},
        {"1.5", NULL, ADVICE_STOP, 0},
        {"", NULL, ADVICE_STOP, 0},
        {"soon", NULL, ADVICE_STOP, 0},
        {"5", "60", ADVICE_AFTER, 5 * MILLISECOND},
        {"-1", "60", ADVICE_STOP, 0},
        {NULL, "0", ADVICE_AFTER, 0},
        {NULL, "60", ADVICE_AFTER, 60 * SECOND},
        {NULL, "99999999999999999", ADVICE_AFTER, INT64_MAX},
        {NULL, "Sun, 06 Nov 1994 08:49:37 GMT", ADVICE_AFTER, 17 * SECOND},
        {NULL, "Sunday, 06-Nov-94 08:49:37 GMT", ADVICE_AFTER, 17 * SECOND},
        {NULL, "Sun Nov  6 08:49:37 1994", ADVICE_AFTER, 17 * SECOND},
        {NULL, "Sun, 06 Nov 1994 08:49:20 GMT", ADVICE_AFTER, 0},
        {NULL, "Sun, 06 Nov 1994 08:49:19 GMT", ADVICE_AFTER, 0},
        {NULL, "-5", ADVICE_NONE, 0},
        {NULL, "soon", ADVICE_NONE, 0},
    };
    int64_t wall = 784111760 * SECOND; /* 08:49:20 */
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        int64_t advised;
        PolicyAdvice advice = policy_read_advice(bytes_of(said[i].pushback),
                                                 bytes_of(said[i].retry_after), wall, &advised);
        if (advice != said[i].advice || (advice == ADVICE_AFTER && advised != said[i].advised))
            fail_msg("row %zu: %d, %lld", i, (int)advice, (long long)advised);
    }
}

static void attempts_of_gateways_in_front_are_a_number_or_none(void **state)
{
    assert_int_equal(policy_read_previous(bytes_of("3")), 3);
    assert_int_equal(policy_read_previous(bytes_of("0")), 0);
    assert_int_equal(policy_read_previous(bytes_of("-3")), 0);
    assert_int_equal(policy_read_previous(bytes_of("1, 2")), 0);
    assert_int_equal(policy_read_previous(bytes_of("")), 0);
    assert_int_equal(policy_read_previous(bytes_of("18446744073709551615")), 1 << 20);
}

/* ---- All questions --------------------------------------------------------------------------- */

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
        .time_left = bits & 1024 ? MILLISECOND : MILLISECOND - 1,
        .other = bits & 2048,
        .safe = bits & 4096,
        .picked = bits & 8192,
        .older = bits & 16384,
        .used_up = bits & 32768 ? USED(OLDER) : 0,
        .budget_spent = bits & 1 << 16,
        .advice = bits & 1 << 17 ? ADVICE_STOP : ADVICE_NONE,
        .refusals = fault == &FAULT_UPSTREAM_REFUSED ? 1 + (bits >> 9 & 1) : 0,
    };
}

static void check_promises(const PolicyQuestion *q)
{
    PolicyVerdict verdict = policy_decide(q);
    bool touched = q->event == POLICY_STATUS || (q->sent && q->fault != &FAULT_UPSTREAM_REFUSED);
    bool refused = q->event == POLICY_FAULT && q->fault == &FAULT_UPSTREAM_REFUSED;
    bool seen = touched || refused;
    if (verdict.action == POLICY_RETRY) {
        assert_true(q->attempted && q->time_left - verdict.wait >= MILLISECOND);
        assert_true(!q->responding && !q->fallen_back && !verdict.refusal);
        assert_true(!touched || (q->repeatable && q->kept && q->attempts < q->attempts_most));
        assert_true(!seen || (!q->budget_spent && q->advice != ADVICE_STOP));
        assert_int_equal(verdict.charge == CHARGE_NOTHING, !seen);
    }
    if (verdict.action == POLICY_FALL_BACK && verdict.fallback == FALLBACK_OLDER) {
        assert_true(q->picked && q->time_left >= MILLISECOND);
        assert_true(!touched || (q->repeatable && q->kept));
        assert_true(!seen || (!q->budget_spent && q->advice != ADVICE_STOP));
    }
    if (verdict.action == POLICY_FALL_BACK)
        assert_false(q->used_up >> verdict.fallback & 1);
    bool has_older = q->n_fallbacks && q->picked && !q->fallen_back && !(q->used_up & USED(OLDER));
    assert_true(!verdict.refusal || q->attempted || (has_older && seen));
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
    for (uint32_t bits = 0; bits < 1 << 18; bits++) {
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
    RetryRefusal refusal;
    PolicyQuestion q = {
        .safe = true, .kept = true, .attempts = 1, .attempts_most = 2, .time_left = MILLISECOND};
    assert_true(policy_may_hedge(&q, &refusal));
    PolicyQuestion lacking[9] = {q, q, q, q, q, q, q, q, q};
    lacking[0].safe = false;
    lacking[1].kept = false;
    lacking[2].other = true;
    lacking[3].responding = true;
    lacking[4].fallen_back = true;
    lacking[5].time_left = MILLISECOND - 1;
    lacking[6].attempts = 2;
    lacking[7].budget_spent = true;
    lacking[8].advice = ADVICE_STOP;
    static const RetryRefusal refusals[9] = {
        [6] = RETRY_REFUSED_ATTEMPTS, [7] = RETRY_REFUSED_BUDGET, [8] = RETRY_REFUSED_PUSHBACK};
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++) {
        assert_false(policy_may_hedge(&lacking[i], &refusal));
        assert_int_equal(refusal, refusals[i]);
    }
}

static void actions_have_names(void **state)
{
    assert_string_equal(policy_action_name(POLICY_WAIT), "wait");
    assert_string_equal(policy_action_name(POLICY_RETRY), "retry");
    assert_string_equal(policy_action_name(POLICY_FALL_BACK), "fall back");
    assert_string_equal(policy_action_name(POLICY_RESPOND), "respond");
    assert_string_equal(policy_action_name(POLICY_FAIL), "fail");
    assert_null(retry_refusal_name(RETRY_NOT_REFUSED));
    assert_string_equal(retry_refusal_name(RETRY_REFUSED_BUDGET), "budget");
    assert_string_equal(retry_refusal_name(RETRY_REFUSED_PUSHBACK), "pushback");
    assert_string_equal(retry_refusal_name(RETRY_REFUSED_ATTEMPTS), "attempts");
    assert_string_equal(retry_refusal_name(RETRY_REFUSED_DEADLINE), "deadline");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_verdict_is_the_one_of_its_row),
        cmocka_unit_test(a_fallback_replaces_every_code_but_those_of_the_callers_mistakes),
        cmocka_unit_test(each_rule_of_a6_and_aip_194_is_followed),
        cmocka_unit_test(the_next_of_two_attempts_hurries_where_the_rules_say_so),
        cmocka_unit_test(the_wait_is_evenly_between_nothing_and_its_limit),
        cmocka_unit_test(no_wait_overflows),
        cmocka_unit_test(only_an_own_wait_makes_the_next_one_longer),
        cmocka_unit_test(advice_is_read_as_its_standards_say),
        cmocka_unit_test(attempts_of_gateways_in_front_are_a_number_or_none),
        cmocka_unit_test(no_question_leads_to_a_broken_promise),
        cmocka_unit_test(a_second_attempt_needs_all_of_this),
        cmocka_unit_test(actions_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
