/*
 * Lines: the version that the path says (a digit), the version's field, Content-Type, Accept. Where
 * all words agree on a version, it is the path's if that says one, and the first word alone leads
 * to a version, too.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/version/negotiate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_VERSIONS = 3 };

static Version versions[N_VERSIONS];
static Service service = {
    .name = "s",
    .versions = versions,
    .n_versions = N_VERSIONS,
    .rules = {RULE_HEADER, RULE_PATH, RULE_MEDIA_TYPE, RULE_DEFAULT},
    .n_rules = 4,
    .version_header = "api-version",
    .default_version = &versions[2],
};

static void set_up(void)
{
    static const char *const names[] = {"v1", "v2", "v3"};
    for (uint32_t i = 0; i < N_VERSIONS; i++)
        versions[i] = (Version){.name = names[i],
                                .index = i,
                                .service = &service,
                                .released = (INT64_C(1700000000) + i * 31536000) * SECOND};
    versions[0].sunset = INT64_C(1790000000) * SECOND;
}

static bool is_good(const VersionQuestion *question, Arena *arena, Negotiation *n)
{
    Result r = negotiate(question, arena, n);
    if (failed(r))
        CHECK(r.error->fault == &FAULT_UNKNOWN_VERSION ||
              r.error->fault == &FAULT_VERSION_CONFLICT || r.error->fault == &FAULT_VERSION_SUNSET);
    else
        CHECK(n->client && n->reply);
    return !failed(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {NULL, "api-version", "content-type", "accept"};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Fields head = fields_in(arena);
    Bytes rest = bytes(data, size), line;
    Negotiation n, other;
    VersionQuestion question = {.service = &service, .wall = INT64_C(1795000000) * SECOND};
    set_up();
    for (int i = 0; i < 4 && bytes_split(&rest, '\n', &line); i++) {
        if (i > 0 && line.size)
            fields_add(&head, bytes_of(names[i]), line);
        else if (line.size && line.data[0] >= '1' && line.data[0] <= '3')
            question.by_path = &versions[line.data[0] - '1'];
    }
    question.head = &head;
    service.first_on_conflict = false;
    bool agreed = is_good(&question, arena, &n);
    service.first_on_conflict = true;
    bool first = is_good(&question, arena, &other);
    CHECK(first || !agreed);
    CHECK(!agreed || !question.by_path || n.client == question.by_path);
    arena_free(arena);
    return 0;
}
