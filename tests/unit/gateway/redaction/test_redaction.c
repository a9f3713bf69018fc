#include "tests/unit/check.h"

#include "gateway/redaction/redaction.h"

#include "base/random.h"

static void check(const char *record, const char *const *names, const char *expected)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    redact_record(bytes_of(record), names, &out);
    assert_bytes(buffer_bytes(&out), expected);
    arena_free(arena);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char record[] = "{\"client\":\"ada\",\"path\":\"/v1/orders/7\",\"causes\":[{\"fault\":"
                             "\"A\",\"doing\":\"reading ada\"},{\"fault\":\"B\",\"doing\":\"it is "
                             "'ada'\",\"field\":\"order.items[3].name\"}]}";

static void without_names_nothing_is_taken_out(void **state)
{
    check(record, NULL, record);
    check(record, NAMES(NULL), record);
    check(record, NAMES("clients", "order.items.names", "order.item", "items"), record);
}

static void a_member_is_taken_out(void **state)
{
    check("{\"client\":\"ada\",\"path\":{\"a\":1},\"n\":7}", NAMES("client", "path", "n"),
          "{\"client\":\"redacted\",\"path\":\"redacted\",\"n\":\"redacted\"}");
}

static void what_a_terminal_obeys_stays_escaped(void **state)
{
    static const char *const names[] = {"client", NULL};
    check("{\"client\":\"ada\",\"path\":\"/\\u009b2J\\u0080\\u00a0\"}", names,
          "{\"client\":\"redacted\",\"path\":\"/\\u009b2J\\u0080\xc2\xa0\"}");
}

static void an_error_of_a_field_has_no_texts(void **state)
{
    static const char expected[] =
        "{\"client\":\"ada\",\"path\":\"/v1/orders/7\",\"causes\":[{\"fault\":\"A\",\"doing\":"
        "\"redacted\"},{\"fault\":\"B\",\"doing\":\"redacted\",\"field\":\"order.items[3].name\"}]"
        "}";
    check(record, NAMES("order.items.name"), expected);
    check(record, NAMES("order.items"), expected);
    check(record, NAMES("order"), expected);
}

static void both_spellings_of_a_field_are_meant(void **state)
{
    static const char spelled[] =
        "{\"causes\":[{\"doing\":\"x\",\"field\":\"the_order.totalCents[1]\"}]}";
    static const char hidden[] =
        "{\"causes\":[{\"doing\":\"redacted\",\"field\":\"the_order.totalCents[1]\"}]}";
    check(spelled, NAMES("theOrder.total_cents"), hidden);
    check(spelled, NAMES("the_order"), hidden);
    check(spelled, NAMES("theOrder"), hidden);
    check(spelled, NAMES("the_order.total"), spelled);
    check(spelled, NAMES("the_order.total_cents_more"), spelled);
    check("{\"client\":\"x\",\"client_by\":\"y\"}", NAMES("client_by"),
          "{\"client\":\"x\",\"client_by\":\"redacted\"}");
    check("{\"client\":\"x\",\"client_by\":\"y\"}", NAMES("client"),
          "{\"client\":\"redacted\",\"client_by\":\"y\"}");
}

static void a_text_that_quotes_a_member_is_taken_out(void **state)
{
    check("{\"client\":\"ada\",\"causes\":[{\"doing\":\"calling\"},{\"doing\":\"it is ada's\"},{"
          "\"doing\":\"adamant\"}]}",
          NAMES("client"),
          "{\"client\":\"redacted\",\"causes\":[{\"doing\":\"calling\"},{\"doing\":\"redacted\"},{"
          "\"doing\":\"adamant\"}]}");
}

static void a_part_of_a_path_is_quoted_too(void **state)
{
    check(
        "{\"path\":\"/v1/orders/a%20b\",\"service\":\"orders\",\"causes\":[{\"doing\":\"orders is "
        "away\"},{\"doing\":\"finding /v1/orders/a%20b\"},{\"doing\":\"no order a "
        "b\"},{\"doing\":\"no "
        "order a bit\"}]}",
        NAMES("path"),
        "{\"path\":\"redacted\",\"service\":\"orders\",\"causes\":[{\"doing\":\"orders is "
        "away\"},{\"doing\":\"redacted\"},{\"doing\":\"redacted\"},{\"doing\":\"no order a "
        "bit\"}]}");
    check("{\"path\":\"/7/\",\"causes\":[{\"doing\":\"it is 17\"},{\"doing\":\"7 is it\"}]}",
          NAMES("path"),
          "{\"path\":\"redacted\",\"causes\":[{\"doing\":\"it is 17\"},{\"doing\":\"redacted\"}]}");
}

static void errors_of_attempts_are_redacted_too(void **state)
{
    check("{\"tries\":[{\"causes\":[{\"doing\":\"x\",\"field\":\"a\"}]},{\"causes\":[{\"doing\":"
          "\"x\",\"field\":\"b\"}]}]}",
          NAMES("a"),
          "{\"tries\":[{\"causes\":[{\"doing\":\"redacted\",\"field\":\"a\"}]},{\"causes\":[{"
          "\"doing\":\"x\",\"field\":\"b\"}]}]}");
}

static void what_is_no_record_says_nothing(void **state)
{
    check("{\"client\":", NULL, "{}");
    check("[1]", NULL, "{}");
    check("", NAMES("client"), "{}");
}

static void check_job(const char *page, const char *const *names, const char *expected)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    redact_job(bytes_of(page), names, &out);
    assert_bytes(buffer_bytes(&out), expected);
    arena_free(arena);
}

static void fields_of_messages_of_jobs_are_hidden_by_their_paths(void **state)
{
    static const char page[] =
        "{\"client\":\"ada\",\"name\":\"n\",\"request\":{\"spec\":{\"name\":\"blog\",\"plan\":1}},"
        "\"steps\":[{\"name\":\"s\",\"response\":{\"parts\":[{\"name\":\"x\"},{\"name\":\"y\"}]}}]"
        "}";
    check_job(page, NULL, page);
    check_job(page, NAMES("name", "spec.names", "parts.n", "response"), page);
    check_job(
        page, NAMES("spec.name", "client"),
        "{\"client\":\"redacted\",\"name\":\"n\",\"request\":{\"spec\":{\"name\":\"redacted\","
        "\"plan\":1}},\"steps\":[{\"name\":\"s\",\"response\":{\"parts\":[{\"name\":\"x\"},{"
        "\"name\":\"y\"}]}}]}");
    check_job(
        page, NAMES("spec", "parts.name"),
        "{\"client\":\"ada\",\"name\":\"n\",\"request\":{\"spec\":\"redacted\"},\"steps\":[{"
        "\"name\":\"s\",\"response\":{\"parts\":[{\"name\":\"redacted\"},{\"name\":\"redacted\"}]}}"
        "]}");
    check_job("{\"request\":", NAMES("spec"), "{}");
}

static void texts_about_a_job_that_quote_a_field_are_hidden(void **state)
{
    check_job("{\"resource\":\"site/blog\",\"failure\":{\"step\":\"a\",\"message\":\"no 'blog'\"},"
              "\"order\":{\"why\":\"blogs\"},\"request\":{\"spec\":{\"name\":\"blog\"}}}",
              NAMES("spec"),
              "{\"resource\":\"redacted\",\"failure\":{\"step\":\"a\",\"message\":\"redacted\"},"
              "\"order\":{\"why\":\"blogs\"},\"request\":{\"spec\":\"redacted\"}}");
}

static void fields_of_requests_are_taken_out_by_their_paths(void **state)
{
    static const char line[] = "{\"fields\":{\"order.id\":\"7a\",\"order_by\":\"x\"},\"causes\":[{"
                               "\"doing\":\"no order 7a\"}]}";
    check(line, NAMES("order.idea", "id", "orderb"), line);
    check(line, NAMES("order.id"),
          "{\"fields\":{\"order.id\":\"redacted\",\"order_by\":\"x\"},\"causes\":[{\"doing\":"
          "\"redacted\"}]}");
    check(line, NAMES("order"),
          "{\"fields\":{\"order.id\":\"redacted\",\"order_by\":\"x\"},\"causes\":[{\"doing\":"
          "\"redacted\"}]}");
    check(line, NAMES("orderBy"),
          "{\"fields\":{\"order.id\":\"7a\",\"order_by\":\"redacted\"},\"causes\":[{\"doing\":"
          "\"no order 7a\"}]}");
    check(line, NAMES("fields"), "{\"fields\":\"redacted\",\"causes\":[{\"doing\":\"redacted\"}]}");
}

/* ---- Against a slow, obvious one ------------------------------------------------------------- */

enum { CAUSES = 3, TEXT_WORDS = 3 };

static const char *const words[] = {"ada", "bob", "cyd", "7", "adam", "orders"};
static const char *const names[] = {"client", "client_by", "path",     "service",
                                    "order",  "order.id",  "Order.Id", "items.na_me",
                                    "fields", "owner_id",  "ownerId",  "id"};
static const char *const paths[] = {"order.id", "order", "items[2].name", "ownerId", "items"};

#define PICK(random, list) list[random_below(random, sizeof list / sizeof *list)]

typedef struct Cause {
    const char *text[TEXT_WORDS]; /* with blanks between */
    const char *field;            /* NULL: it is about none */
} Cause;

/* A record before it is a text. */
typedef struct Sample {
    const char *client, *client_by, *service, *steps[2]; /* path: "/a/b" */
    const char *id, *owner;                              /* fields: order.id, owner_id */
    Cause causes[CAUSES];
    uint32_t n_causes;
    const char *names[4];
} Sample;

static Sample sample_of(Random *random)
{
    Sample s = {.client = PICK(random, words),
                .client_by = PICK(random, words),
                .service = PICK(random, words),
                .steps = {PICK(random, words), PICK(random, words)},
                .id = PICK(random, words),
                .owner = PICK(random, words),
                .n_causes = (uint32_t)random_below(random, CAUSES + 1)};
    for (uint32_t i = 0; i < s.n_causes; i++) {
        for (int k = 0; k < TEXT_WORDS; k++)
            s.causes[i].text[k] = PICK(random, words);
        s.causes[i].field = random_below(random, 4) ? NULL : PICK(random, paths);
    }
    for (uint64_t n = 1 + random_below(random, 3); n;)
        s.names[--n] = PICK(random, names);
    return s;
}

/* "items[2].na_me" as "items.name". */
static const char *normal(Arena *arena, const char *path)
{
    Buffer out = buffer_in(arena);
    for (bool inside = false; *path; path++) {
        inside |= *path == '[';
        if (!inside && *path != '_')
            buffer_add_byte(&out, ascii_lower((uint8_t)*path));
        inside &= *path != ']';
    }
    return arena_text(arena, buffer_bytes(&out));
}

static bool hides(Arena *arena, const Sample *s, const char *path)
{
    for (const char *const *name = s->names; *name; name++)
        if (bytes_start_with(bytes_of(arena_printf(arena, "%s.", normal(arena, path))),
                             arena_printf(arena, "%s.", normal(arena, *name))))
            return true;
    return false;
}

static bool is_secret_word(Arena *arena, const Sample *s, const char *word)
{
    bool of_client = strcmp(word, s->client) == 0, of_by = strcmp(word, s->client_by) == 0;
    bool of_service = strcmp(word, s->service) == 0;
    bool shown = (of_client && !hides(arena, s, "client")) ||
                 (of_by && !hides(arena, s, "client_by")) ||
                 (of_service && !hides(arena, s, "service"));
    bool all = hides(arena, s, "fields");
    return (of_client && hides(arena, s, "client")) || (of_by && hides(arena, s, "client_by")) ||
           (of_service && hides(arena, s, "service")) ||
           (strcmp(word, s->id) == 0 && (all || hides(arena, s, "order.id"))) ||
           (strcmp(word, s->owner) == 0 && (all || hides(arena, s, "owner_id"))) ||
           (!shown && hides(arena, s, "path") &&
            (strcmp(word, s->steps[0]) == 0 || strcmp(word, s->steps[1]) == 0));
}

static bool text_is_hidden(Arena *arena, const Sample *s, const Cause *cause)
{
    for (uint32_t i = 0; i < s->n_causes; i++)
        if (s->causes[i].field && hides(arena, s, s->causes[i].field))
            return true;
    for (int k = 0; k < TEXT_WORDS; k++)
        if (is_secret_word(arena, s, cause->text[k]))
            return true;
    return false;
}

static const char *told(Arena *arena, const Sample *s, bool obey, const char *path,
                        const char *value)
{
    return obey && hides(arena, s, path) ? "redacted" : value;
}

/* As it is, or as the obvious one says that it must be. */
static const char *record_of(Arena *arena, const Sample *s, bool obey)
{
    Buffer out = buffer_in(arena);
    buffer_printf(
        &out, "{\"client\":\"%s\",\"client_by\":\"%s\",\"path\":\"%s\",\"service\":\"%s\"",
        told(arena, s, obey, "client", s->client), told(arena, s, obey, "client_by", s->client_by),
        told(arena, s, obey, "path", arena_printf(arena, "/%s/%s", s->steps[0], s->steps[1])),
        told(arena, s, obey, "service", s->service));
    if (obey && hides(arena, s, "fields"))
        buffer_add_text(&out, ",\"fields\":\"redacted\"");
    else
        buffer_printf(&out, ",\"fields\":{\"order.id\":\"%s\",\"owner_id\":\"%s\"}",
                      told(arena, s, obey, "order.id", s->id),
                      told(arena, s, obey, "owner_id", s->owner));
    buffer_add_text(&out, ",\"causes\":[");
    for (uint32_t i = 0; i < s->n_causes; i++) {
        const Cause *cause = &s->causes[i];
        if (obey && text_is_hidden(arena, s, cause))
            buffer_printf(&out, "%s{\"doing\":\"redacted\"", i ? "," : "");
        else
            buffer_printf(&out, "%s{\"doing\":\"%s %s-%s\"", i ? "," : "", cause->text[0],
                          cause->text[1], cause->text[2]);
        if (cause->field)
            buffer_printf(&out, ",\"field\":\"%s\"", cause->field);
        buffer_add_text(&out, "}");
    }
    buffer_add_text(&out, "]}");
    return arena_text(arena, buffer_bytes(&out));
}

static void it_agrees_with_a_slow_and_obvious_one(void **state)
{
    Random random;
    uint32_t n_changed = 0;
    random_seed_fixed(&random, 88);
    for (int i = 0; i < 5000; i++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Sample s = sample_of(&random);
        const char *before = record_of(arena, &s, false), *after = record_of(arena, &s, true);
        check(before, s.names, after);
        n_changed += strcmp(before, after) != 0;
        arena_free(arena);
    }
    assert_in_range(n_changed, 2500, 4999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_names_nothing_is_taken_out),
        cmocka_unit_test(a_member_is_taken_out),
        cmocka_unit_test(what_a_terminal_obeys_stays_escaped),
        cmocka_unit_test(an_error_of_a_field_has_no_texts),
        cmocka_unit_test(both_spellings_of_a_field_are_meant),
        cmocka_unit_test(a_text_that_quotes_a_member_is_taken_out),
        cmocka_unit_test(a_part_of_a_path_is_quoted_too),
        cmocka_unit_test(errors_of_attempts_are_redacted_too),
        cmocka_unit_test(fields_of_requests_are_taken_out_by_their_paths),
        cmocka_unit_test(it_agrees_with_a_slow_and_obvious_one),
        cmocka_unit_test(what_is_no_record_says_nothing),
        cmocka_unit_test(fields_of_messages_of_jobs_are_hidden_by_their_paths),
        cmocka_unit_test(texts_about_a_job_that_quote_a_field_are_hidden),
    };
    return cmocka_run_group_tests_name("redaction", tests, NULL, NULL);
}
