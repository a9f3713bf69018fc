#include "gateway/claim_admin/claim_page.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/store/seal.h"
#include "tests/unit/check.h"

#define WALL (1700000000 * SECOND)

static void the_time_of_a_call_says_whether_it_runs_or_nobody_knows(void **state)
{
    static const struct {
        ClaimState state;
        int64_t after; /* its time is over */
        ClaimState told;
        const char *name;
    } rows[] = {
        {CLAIM_RUNNING, -1, CLAIM_RUNNING, "running"}, {CLAIM_RUNNING, 0, CLAIM_RUNNING, "running"},
        {CLAIM_RUNNING, 1, CLAIM_UNKNOWN, "unknown"},  {CLAIM_DONE, 1, CLAIM_DONE, "done"},
        {CLAIM_UNKNOWN, -1, CLAIM_UNKNOWN, "unknown"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        StoredClaim claim = {.state = rows[i].state, .until = WALL};
        ClaimState told = stored_claim_state(&claim, WALL + rows[i].after);
        assert_int_equal(told, rows[i].told);
        assert_string_equal(claim_state_name(told), rows[i].name);
    }
}

/* Of a call that a v1 client made; of a good response the record, which v3 served, is added. */
static StoredClaim claim_of(Arena *arena, const StoreKeys *keys, bool done)
{
    StoredClaim claim = {.id = bytes_of("id"),
                         .client = bytes_of("ada"),
                         .node = bytes_of("one"),
                         .state = done ? CLAIM_DONE : CLAIM_RUNNING,
                         .at = WALL - 10 * SECOND,
                         .until = WALL + 10 * SECOND,
                         .expires = WALL + 100 * SECOND};
    ClaimRecord record = {.prints = {{bytes_of("v1"), {{0xab, 1}}}},
                          .n_prints = 1,
                          .method = bytes_of("/shop.v1.Shop/Make")};
    if (done)
        record.response = (ClaimResponse){.version = bytes_of("v3"),
                                          .message = bytes_of("\n\1x"),
                                          .metadata = fields_in(arena),
                                          .trailers = fields_in(arena),
                                          .at = WALL};
    Buffer text = buffer_in(arena), content = buffer_in(arena);
    SealPlace place = {"idempotency", "content", claim.id};
    claim_record_write(&record, &text);
    seal(keys, &place, buffer_bytes(&text), &content);
    claim.content = buffer_bytes(&content);
    return claim;
}

static const char *page_of(Arena *arena, const Config *config, const StoredClaim *claims,
                           uint32_t n)
{
    Buffer out = buffer_in(arena);
    claim_page_write(config, claims, n, WALL, &out);
    return arena_text(arena, buffer_bytes(&out));
}

#define HEAD                                                                                       \
    "\"node\":\"one\",\"since\":\"2023-11-14T22:13:10Z\",\"until\":\"2023-11-14T22:13:30Z\","      \
    "\"expires\":\"2023-11-14T22:15:00Z\","
#define CALL                                                                                       \
    "\"method\":\"/shop.v1.Shop/Make\",\"version\":\"v1\","                                        \
    "\"fingerprints\":{\"v1\":\"ab01000000000000\"}"

static void a_call_that_runs_is_shown_with_its_time(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    static Config config;
    StoredClaim claim = claim_of(arena, &config.store.keys, false);
    assert_string_equal(page_of(arena, &config, NULL, 0), "{\"records\":[]}");
    assert_string_equal(page_of(arena, &config, &claim, 1),
                        "{\"records\":[{\"client\":\"ada\",\"state\":\"running\"," HEAD CALL "}]}");
    arena_free(arena);
}

static void what_cannot_be_shown_says_why(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    static Config config;
    StoredClaim claims[] = {claim_of(arena, &config.store.keys, true),
                            claim_of(arena, &config.store.keys, false)};
    claims[1].content = bytes_of("\7"); /* neither plain nor sealed */
    const char *page = page_of(arena, &config, claims, 2);
    assert_non_null(strstr(page, "\"served_version\":\"v3\",\"code\":\"OK\""));
    assert_non_null(
        strstr(page, "\"unreadable\":\"the config does not have its method in that version\""));
    assert_non_null(strstr(page, "\"unreadable\":\"STORE_SEALED"));
    assert_null(strstr(page, "\"response\":"));
    arena_free(arena);
}

static void what_is_hidden_is_not_shown(void **state)
{
    static const char *const hidden[] = {"client", NULL};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    static Config config;
    config.ledger.redact = hidden;
    StoredClaim claim = claim_of(arena, &config.store.keys, false);
    assert_null(strstr(page_of(arena, &config, &claim, 1), "ada"));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_of_a_call_says_whether_it_runs_or_nobody_knows),
        cmocka_unit_test(a_call_that_runs_is_shown_with_its_time),
        cmocka_unit_test(what_cannot_be_shown_says_why),
        cmocka_unit_test(what_is_hidden_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
