#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/access/access.h"
#include "gateway/identity/known_client.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static const Claim scopes[] = {{"scope", {(const uint8_t *)"orders.read orders.write", 24}}};

static Identity ada_of(void)
{
    return (Identity){.name = bytes_of("ada"),
                      .tenant = bytes_of("north"),
                      .class = bytes_of("partner"),
                      .claims = scopes,
                      .n_claims = 1,
                      .how = PROOF_TOKEN};
}

static void an_entry_is_a_whole_name_or_the_begin_of_one(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool matches;
    } rows[] = {
        {"ada", "ada", true},      {"ada", "ad", false},      {"ada", "adam", false},
        {"ada", "", false},        {"Ada", "ada", false},     {"test-*", "test-1", true},
        {"test-*", "test-", true}, {"test-*", "test", false}, {"test-*", "x-test-1", false},
        {"*", "ada", true},        {"*", "", false},          {"a*b", "a*b", true},
        {"a*b", "axb", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (access_matches(rows[i].pattern, bytes_of(rows[i].name)) != rows[i].matches)
            fail_msg("%s and \"%s\"", rows[i].pattern, rows[i].name);
}

static void a_claim_has_words(void **state)
{
    assert_true(access_has_word(scopes[0].value, "orders.read"));
    assert_true(access_has_word(scopes[0].value, "orders.write"));
    assert_false(access_has_word(scopes[0].value, "orders"));
    assert_false(access_has_word(scopes[0].value, "orders.read orders.write"));
    assert_false(access_has_word(scopes[0].value, ""));
    assert_false(access_has_word(bytes_of("  "), ""));
}

static bool allows(const AllowRule *rules, uint32_t n, const Identity *identity,
                   const char *version)
{
    AccessRules of = {.allow = rules, .n_allow = n};
    return access_allows(&(AccessConfig){0}, &of, identity, version);
}

static void all_that_a_rule_names_must_hold(void **state)
{
    Identity ada = ada_of();
    const ClaimRule write = {"scope", "orders.write"}, admin = {"scope", "orders.admin"},
                    other = {"role", "orders.write"};
    const struct {
        AllowRule rule;
        bool allows;
    } rows[] = {
        {{.clients = LIST("bob", "ada")}, true},
        {{.clients = LIST("bob")}, false},
        {{.tenants = LIST("north")}, true},
        {{.tenants = LIST("south")}, false},
        {{.classes = LIST("part*")}, true},
        {{.classes = LIST("staff")}, false},
        {{.versions = LIST("v2", "v3")}, true},
        {{.versions = LIST("v1")}, false},
        {{.claims = &write, .n_claims = 1}, true},
        {{.claims = &admin, .n_claims = 1}, false},
        {{.claims = &other, .n_claims = 1}, false},
        {{.clients = LIST("ada"), .classes = LIST("staff")}, false},
        {{.clients = LIST("ada"), .classes = LIST("partner"), .claims = &write, .n_claims = 1},
         true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (allows(&rows[i].rule, 1, &ada, "v3") != rows[i].allows)
            fail_msg("row %zu", i);
}

static void one_of_the_rules_must_hold(void **state)
{
    Identity ada = ada_of();
    const AllowRule rules[] = {{.clients = LIST("bob")}, {.classes = LIST("partner")}};
    assert_true(allows(rules, 2, &ada, "v1"));
    assert_false(allows(rules, 1, &ada, "v1"));
    assert_false(allows(rules, 2, &identity_anonymous, "v1"));
}

static void where_there_are_no_versions_a_rule_that_names_one_does_not_hold(void **state)
{
    Identity ada = ada_of();
    const AllowRule rules[] = {{.clients = LIST("*"), .versions = LIST("*")}};
    assert_true(allows(rules, 1, &ada, "v1"));
    assert_false(allows(rules, 1, &ada, NULL));
    assert_false(allows(rules, 1, &identity_anonymous, "v1"));
}

/* Routes more than verdicts that are remembered, so that they take each other's places. */
static void a_rule_may_ask_how_the_name_was_proved(void **state)
{
    static const struct {
        const char *by[3];
        IdentityProof how;
        const char *method;
        bool holds;
    } cases[] = {
        {{"token"}, PROOF_TOKEN, NULL, true},
        {{"token"}, PROOF_TOKEN, "people", true},
        {{"token"}, PROOF_API_KEY, "people", false},
        {{"people"}, PROOF_TOKEN, "people", true},
        {{"people"}, PROOF_TOKEN, "others", false},
        {{"people"}, PROOF_TOKEN, NULL, false},
        {{"people*"}, PROOF_TOKEN, "people", false}, /* no patterns */
        {{"api_key", "certificate"}, PROOF_CERTIFICATE, NULL, true},
        {{"api_key", "certificate"}, PROOF_HEADER, NULL, false},
        {{"header"}, PROOF_HEADER, NULL, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Identity client = {.name = bytes_of("ada"), .how = cases[i].how, .by = cases[i].method};
        const AllowRule rules[] = {{.clients = LIST("ada"), .by = cases[i].by}},
                        others[] = {{.clients = LIST("bob"), .by = cases[i].by}};
        assert_int_equal(allows(rules, 1, &client, "v1"), cases[i].holds);
        assert_false(allows(others, 1, &client, "v1"));
        assert_false(allows(rules, 1, &identity_anonymous, "v1"));
    }
}

static void what_is_remembered_of_a_client_is_what_the_rules_say(void **state)
{
    enum { ROUTES = 3 * KNOWN_VERDICTS };
    static const char *const versions[] = {"v1", "v2", NULL};
    static const Config config;
    static AccessRules routes[ROUTES];
    const AllowRule for_ada = {.clients = LIST("ada")}, for_bob = {.clients = LIST("bob")},
                    for_v2 = {.clients = LIST("ada"), .versions = LIST("v2")};
    const AllowRule *const rules[] = {&for_ada, &for_bob, &for_v2};
    const AccessConfig access = {.deny = true};
    Identity ada = ada_of();
    KnownClient *known = known_client_new(&ada, &config);
    for (int i = 0; i < ROUTES; i++)
        routes[i] = (AccessRules){.allow = rules[i % 3], .n_allow = i % 4 != 3};
    for (int i = 0; i < 6 * ROUTES; i++) {
        const AccessRules *of = &routes[i * 7 % ROUTES];
        const char *version = versions[i / 2 % 3];
        bool right = access_allows(&access, of, &ada, version);
        assert_int_equal(access_allows_call(&access, of, &ada, version), right);
        assert_int_equal(access_allows_call(&access, of, &known->identity, version), right);
        assert_int_equal(access_allows_call(&access, of, &known->identity, version), right);
    }
    known_client_release(known);
}

static void without_rules_the_config_decides(void **state)
{
    Identity ada = ada_of();
    AccessRules none = {0};
    assert_true(access_allows(&(AccessConfig){0}, &none, &ada, "v1"));
    assert_false(access_allows(&(AccessConfig){.deny = true}, &none, &ada, "v1"));
}

static void a_rule_of_a_version_holds_in_some_version(void **state)
{
    Identity ada = ada_of();
    const AllowRule rules[] = {{.clients = LIST("ada"), .versions = LIST("v3")}};
    AccessRules of = {.allow = rules, .n_allow = 1};
    assert_false(access_allows(&(AccessConfig){0}, &of, &ada, "v1"));
    assert_true(access_allows_some(&(AccessConfig){0}, &of, &ada));
    assert_false(access_allows_some(&(AccessConfig){0}, &of, &identity_anonymous));
    assert_true(access_allows_some(&(AccessConfig){0}, &(AccessRules){0}, &ada));
    assert_false(access_allows_some(&(AccessConfig){.deny = true}, &(AccessRules){0}, &ada));
    const AccessRules open = {.authenticate = AUTHENTICATE_NONE};
    assert_true(access_allows(&(AccessConfig){.deny = true}, &open, &identity_anonymous, NULL));
    assert_true(access_allows_some(&(AccessConfig){.deny = true}, &open, &identity_anonymous));
    const AccessRules optional = {.authenticate = AUTHENTICATE_OPTIONAL};
    assert_false(
        access_allows(&(AccessConfig){.deny = true}, &optional, &identity_anonymous, NULL));
    const AccessRules known = {.authenticate = AUTHENTICATE_REQUIRED};
    assert_true(access_allows_some(&(AccessConfig){0}, &known, &ada));
    assert_false(access_allows_some(&(AccessConfig){0}, &known, &identity_anonymous));
}

static void a_client_has_nothing_hidden_from_it_that_may_call_each_route(void **state)
{
    Identity ada = ada_of();
    const AllowRule for_ada = {.clients = LIST("ada")}, for_bob = {.clients = LIST("bob")};
    Route routes[] = {{.access = {.allow = &for_ada, .n_allow = 1}}, {0}};
    Config config = {.routes = routes, .n_routes = 2, .access.has_rules = true};
    assert_false(access_hides_some(&config, &ada));
    assert_true(access_hides_some(&config, &identity_anonymous));
    routes[1].access = (AccessRules){.allow = &for_bob, .n_allow = 1};
    assert_true(access_hides_some(&config, &ada));
    config.access.has_rules = false; /* none was read */
    assert_false(access_hides_some(&config, &ada));
}

static void what_the_gateway_calls_for_a_client_needs_its_right(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Identity ada = ada_of();
    const AllowRule rule = {.classes = LIST("partner"), .versions = LIST("v3")};
    Route route = {.match = "orders", .access = {.allow = &rule, .n_allow = 1}};
    Version v1 = {.name = "v1"}, v3 = {.name = "v3"};
    MethodType type = {.path = "/shop.orders.v3.Orders/Get"};
    Method method = {.type = &type, .version = &v3, .route = &route, .extras = &method_no_extras};
    Config config = {.access.has_rules = true};
    assert_ok(arena, access_check(&config, &method, &ada, BYTES_NONE, arena));
    assert_fault(access_check(&config, &method, &identity_anonymous, BYTES_NONE, arena),
                 FAULT_NOT_ALLOWED);
    method.version = &v1;
    assert_fault(access_check(&config, &method, &ada, BYTES_NONE, arena), FAULT_NOT_ALLOWED);
    route.access = (AccessRules){.authenticate = AUTHENTICATE_REQUIRED};
    assert_ok(arena, access_check(&config, &method, &ada, BYTES_NONE, arena));
    assert_fault(access_check(&config, &method, &identity_anonymous, BYTES_NONE, arena),
                 FAULT_CREDENTIALS_MISSING);
    arena_free(arena);
}

static void a_rule_of_fields_holds_for_requests_that_have_them(void **state)
{
    Identity ada = ada_of();
    const FieldType name = {.name = "name", .number = 1, .kind = KIND_STRING};
    const FieldType *const path[] = {&name, NULL}, *const *const paths[] = {NULL, path};
    const AllowField owned = {.path = "name", .value = ALLOW_CLIENT};
    const AllowRule rules[] = {{.clients = LIST("*"), .fields = &owned, .n_fields = 1},
                               {.clients = LIST("*"), .fields = &owned, .n_fields = 1},
                               {.classes = LIST("staff")}};
    Route route = {.match = "orders", .access = {.allow = rules, .n_allow = 1}};
    Version v1 = {.name = "v1"};
    const AllowPaths found = {.paths = paths};
    const MethodExtras extras = {.allow_paths = &found};
    Method method = {.version = &v1, .route = &route, .extras = &extras};
    Config config = {.access.has_rules = true};
    Bytes of_ada = bytes("\x0a\x03"
                         "ada",
                         5),
          of_bob = bytes("\x0a\x03"
                         "bob",
                         5);
    /* The first rule alone: the method has no such field. */
    assert_false(access_allows_request(&config, &method, &ada, of_ada));
    route.access.n_allow = 3;
    assert_true(access_allows_request(&config, &method, &ada, of_ada));
    assert_false(access_allows_request(&config, &method, &ada, of_bob));
    assert_false(access_allows_request(&config, &method, &ada, BYTES_NONE));
    assert_true(access_allows(&config.access, &route.access, &ada, "v1"));
    ada.class = bytes_of("staff");
    assert_true(access_allows_request(&config, &method, &ada, BYTES_NONE));
}

static void the_route_decides_before_the_listener_and_this_before_the_config(void **state)
{
    AccessConfig config = {.authenticate = AUTHENTICATE_REQUIRED};
    ListenerConfig unsaid = {0}, optional = {.authenticate = AUTHENTICATE_OPTIONAL};
    AccessRules silent = {0}, none = {.authenticate = AUTHENTICATE_NONE};
    assert_int_equal(access_authenticate(&config, NULL, NULL), AUTHENTICATE_REQUIRED);
    assert_int_equal(access_authenticate(&config, &unsaid, &silent), AUTHENTICATE_REQUIRED);
    assert_int_equal(access_authenticate(&config, &optional, &silent), AUTHENTICATE_OPTIONAL);
    assert_int_equal(access_authenticate(&config, &optional, NULL), AUTHENTICATE_OPTIONAL);
    assert_int_equal(access_authenticate(&config, &optional, &none), AUTHENTICATE_NONE);
}

static void a_challenge_names_what_counts_and_says_that_a_token_was_bad(void **state)
{
    static const CredentialConfig token = {.kind = CREDENTIAL_TOKEN, .bearer = true},
                                  key = {.kind = CREDENTIAL_API_KEY},
                                  certificate = {.kind = CREDENTIAL_CERTIFICATE};
    const CredentialConfig *const all[] = {&key, &token, &certificate, NULL},
                                  *const tokens[] = {&token, NULL}, *const keys[] = {&key, NULL},
                                  *const certificates[] = {&certificate, NULL};
    assert_string_equal(access_challenge(all, false), "Bearer, ApiKey");
    assert_string_equal(access_challenge(all, true), "Bearer error=\"invalid_token\", ApiKey");
    assert_string_equal(access_challenge(tokens, true), "Bearer error=\"invalid_token\"");
    assert_string_equal(access_challenge(tokens, false), "Bearer");
    assert_string_equal(access_challenge(keys, true), "ApiKey");
    assert_string_equal(access_challenge(certificates, false), "ClientCertificate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_a_whole_name_or_the_begin_of_one),
        cmocka_unit_test(a_claim_has_words),
        cmocka_unit_test(a_challenge_names_what_counts_and_says_that_a_token_was_bad),
        cmocka_unit_test(all_that_a_rule_names_must_hold),
        cmocka_unit_test(one_of_the_rules_must_hold),
        cmocka_unit_test(where_there_are_no_versions_a_rule_that_names_one_does_not_hold),
        cmocka_unit_test(a_rule_may_ask_how_the_name_was_proved),
        cmocka_unit_test(what_is_remembered_of_a_client_is_what_the_rules_say),
        cmocka_unit_test(without_rules_the_config_decides),
        cmocka_unit_test(a_rule_of_a_version_holds_in_some_version),
        cmocka_unit_test(a_client_has_nothing_hidden_from_it_that_may_call_each_route),
        cmocka_unit_test(what_the_gateway_calls_for_a_client_needs_its_right),
        cmocka_unit_test(a_rule_of_fields_holds_for_requests_that_have_them),
        cmocka_unit_test(the_route_decides_before_the_listener_and_this_before_the_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
