/*
 * How fast plans are, beside libprotobuf's JSON utilities and protobuf-c, on the same messages in
 * one run.
 *
 * The two sides of a comparison take turns, in many rounds of about a millisecond. The times are
 * those of their fastest rounds; the ratio is the median of those of neighbouring rounds, which
 * other work on the machine slows alike. All is CPU time, and figures travel only as ratios. Both
 * sides use the allocator that the gateway is linked with; the peers' libraries are the
 * distribution's.
 */
#include "adapters/changes/changes.h"
#include "adapters/compile/plan_compile.h"
#include "adapters/run/plan_run.h"
#include "base/arena.h"
#include "loadtest/plans/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 200, CALL_ARENA = 1 << 28, N_VERSIONS = 5 };
#define ROUND_SECONDS 0.001

/* One way of doing a job once; gives the size of what came out. */
typedef struct Job {
    size_t (*run)(const struct Job *job);
    const Plan *plan;
    const char *type; /* of the peers */
    int list;
    Bytes input;
    Arena *arena; /* of one call */
} Job;

static void die(Arena *arena, Result r)
{
    fprintf(stderr, "bench_plans: %s\n", error_text(arena, r));
    exit(1);
}

static size_t run_plan(const Job *job)
{
    PlanInput input = {.bytes = job->input};
    PlanRun run = {0};
    arena_reset(job->arena);
    Buffer out = buffer_in(job->arena);
    Result r = plan_run(job->plan, &input, job->arena, &out, &run);
    if (failed(r))
        die(job->arena, r);
    return out.size;
}

static size_t run_from_json(const Job *job)
{
    return libprotobuf_from_json(job->type, job->input.data, job->input.size);
}

static size_t run_to_json(const Job *job)
{
    return libprotobuf_to_json(job->type, job->input.data, job->input.size);
}

static size_t run_round_trip(const Job *job)
{
    return protobuf_c_round_trip(job->list, job->input.data, job->input.size);
}

/* ---- Timing ---------------------------------------------------------------------------------- */

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double time_round(const Job *job, unsigned n)
{
    double start = cpu_seconds();
    for (unsigned i = 0; i < n; i++) {
        if (job->run(job) == 0) {
            fprintf(stderr, "bench_plans: nothing came out\n");
            exit(1);
        }
    }
    return (cpu_seconds() - start) / n;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static unsigned calls_per_round(const Job *job)
{
    double once = time_round(job, 1);
    for (unsigned n = 2; n < 1u << 20; n *= 2) {
        once = time_round(job, n);
        if (once * n > ROUND_SECONDS / 4)
            break;
    }
    double calls = ROUND_SECONDS / once;
    return calls < 1 ? 1 : (unsigned)calls;
}

static bool compare(const char *what, const Job *ours, const Job *theirs, double least)
{
    unsigned n_ours = calls_per_round(ours), n_theirs = calls_per_round(theirs);
    double best_ours = 1e9, best_theirs = 1e9;
    double ratios[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        double a = time_round(ours, n_ours), b = time_round(theirs, n_theirs);
        best_ours = a < best_ours ? a : best_ours;
        best_theirs = b < best_theirs ? b : best_theirs;
        ratios[i] = b / a;
    }
    qsort(ratios, ROUNDS, sizeof *ratios, by_size);
    double ratio = ratios[ROUNDS / 2];
    bool good = ratio >= least;
    printf("%-44s %9.3f us %9.3f us  ratio %6.2f (at least %.2f)%s\n", what, best_ours * 1e6,
           best_theirs * 1e6, ratio, least, good ? "" : "  MISSED");
    return good;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void add_item(Buffer *json, unsigned i)
{
    buffer_printf(json,
                  "{\"sku\":\"SKU-%06u\",\"title\":\"A thing of some use, number %u\","
                  "\"quantity\":%u,\"priceCents\":\"%u\",\"tags\":[\"new\",\"blue\"]}",
                  i * 7919 % 1000000, i, i % 9 + 1, i * 37 % 100000);
}

/* An order of about `size` bytes in protobuf, and about twice that in JSON. */
static void add_order(Buffer *json, unsigned number, size_t size)
{
    size_t start = json->size;
    buffer_printf(json,
                  "{\"id\":\"ord-%08u\",\"customer\":\"ada\",\"status\":\"SHIPPED\","
                  "\"totalCents\":\"12995\",\"createdAt\":\"1767225600%03u\",\"weight\":1.25,"
                  "\"gift\":true,\"street\":\"12 Long Lane\",\"shipping\":{\"city\":\"London\","
                  "\"zip\":\"N1 9GU\",\"country\":\"GB\"},\"ratings\":[5,4,200,3]",
                  number, number % 1000);
    if (size > 100) {
        buffer_printf(json, ",\"labels\":{\"channel\":\"web\",\"campaign\":\"spring\"},"
                            "\"comment\":\"Leave it with the neighbour, please.\","
                            "\"items\":[");
        for (unsigned i = 0; i == 0 || (json->size - start) / 2 + 60 < size; i++) {
            if (i)
                buffer_add_byte(json, ',');
            add_item(json, i);
        }
        buffer_add_byte(json, ']');
    }
    buffer_add_byte(json, '}');
}

static void add_list(Buffer *json, unsigned n)
{
    buffer_add_text(json, "{\"orders\":[");
    for (unsigned i = 0; i < n; i++) {
        if (i)
            buffer_add_byte(json, ',');
        add_order(json, i, 250);
    }
    buffer_add_text(json, "]}");
}

/* ---- Versions -------------------------------------------------------------------------------- */

typedef struct Bench {
    Arena *arena, *call;
    const Schema *schemas[N_VERSIONS];
    const MappingSet *identity, *chain, *direct;
} Bench;

static Bytes read_file(Arena *arena, const char *path)
{
    Buffer content = buffer_in(arena);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    for (int c; (c = fgetc(file)) != EOF;)
        buffer_add_byte(&content, (uint8_t)c);
    fclose(file);
    return buffer_bytes(&content);
}

static const ChangeList *load_list(Bench *b, int from, int to)
{
    Problems problems = problems_in(b->arena);
    const ChangeList *list;
    const char *path = arena_printf(b->arena, CHANGES "v%d-v%d.yaml", from + 1, to + 1);
    ChangeSide sides[2];
    for (int i = 0; i < 2; i++) {
        int version = i ? to : from;
        sides[i] = (ChangeSide){arena_printf(b->arena, "v%d", version + 1), b->schemas[version],
                                arena_printf(b->arena, "bench.v%d", version + 1)};
    }
    Result r = changes_load(b->arena, read_file(b->arena, path), path, &sides[0], &sides[1],
                            &problems, &list);
    if (failed(r))
        die(b->arena, r);
    if (!list) {
        Buffer text = buffer_in(b->arena);
        problems_print(&problems, &text);
        fprintf(stderr, "%.*s", BYTES_ARGS(buffer_bytes(&text)));
        exit(1);
    }
    return list;
}

static const MappingSet *compose(Bench *b, const ChangeList *const *lists, uint32_t n)
{
    Problems problems = problems_in(b->arena);
    const MappingSet *set;
    Result r = changes_compose(b->arena, lists, n, true, &problems, &set);
    if (failed(r))
        die(b->arena, r);
    return set;
}

static void load(Bench *b)
{
    b->arena = arena_new(ARENA_UNLIMITED);
    b->call = arena_new(CALL_ARENA);
    for (int i = 0; i < N_VERSIONS; i++) {
        const char *path = arena_printf(b->arena, SCHEMAS "order_v%d.binpb", i + 1);
        Result r = schema_load_file(b->arena, path, &b->schemas[i]);
        if (failed(r))
            die(b->arena, r);
    }
    Result r = mapping_set_identity(b->arena, b->schemas[0], &b->identity);
    if (failed(r))
        die(b->arena, r);
    const ChangeList *lists[4], *whole = load_list(b, 0, 4);
    for (int i = 0; i < 4; i++)
        lists[i] = load_list(b, i, i + 1);
    b->chain = compose(b, lists, 4);
    b->direct = compose(b, &whole, 1);
}

static Job plan_job(Bench *b, const MappingSet *set, const char *type, Codec from, Codec to,
                    Bytes input)
{
    Job job = {.run = run_plan, .input = input, .arena = b->call};
    const MessageType *message = schema_message(b->schemas[0], bytes_of(type));
    PlanOptions options = {.from = from, .to = to};
    Result r = plan_compile(b->arena, mapping_set_find(set, message), &options, &job.plan);
    if (failed(r))
        die(b->arena, r);
    return job;
}

static bool bench_message(Bench *b, const char *what, const char *type, Bytes json)
{
    bool list = strcmp(type, "bench.v1.OrderList") == 0, good = true;
    Job from_json = plan_job(b, b->identity, type, CODEC_JSON, CODEC_PROTO, json);
    PlanInput input = {.bytes = json};
    PlanRun run = {0};
    Buffer wire = buffer_in(b->arena);
    Result r = plan_run(from_json.plan, &input, b->arena, &wire, &run);
    if (failed(r))
        die(b->arena, r);

    printf("%s: %zu bytes of JSON, %zu of protobuf\n", what, json.size, wire.size);
    Bytes bytes = buffer_bytes(&wire);
    Job to_json = plan_job(b, b->identity, type, CODEC_PROTO, CODEC_JSON, bytes);
    Job chain = plan_job(b, b->chain, type, CODEC_PROTO, CODEC_PROTO, bytes);
    Job direct = plan_job(b, b->direct, type, CODEC_PROTO, CODEC_PROTO, bytes);
    Job json_chain = plan_job(b, b->chain, type, CODEC_JSON, CODEC_PROTO, json);
    Job peer = {.type = type, .list = list, .input = json, .run = run_from_json};
    good &= compare("  JSON to protobuf, beside libprotobuf", &from_json, &peer, 5);
    peer.input = bytes;
    peer.run = run_to_json;
    good &= compare("  protobuf to JSON, beside libprotobuf", &to_json, &peer, 5);
    peer.run = run_round_trip;
    good &= compare("  protobuf v1 to v5, beside protobuf-c", &chain, &peer, 3);
    good &= compare("  a chain of four, beside a chain of one", &chain, &direct, 1 / 1.02);
    good &= compare("  JSON v1 to protobuf v5, beside v1 to v1", &json_chain, &from_json, 0.5);
    return good;
}

int main(void)
{
    Bench b;
    bool good = true;
    load(&b);
    struct {
        const char *what;
        size_t size;
    } sizes[] = {{"100 B", 100}, {"1 KB", 1024}, {"64 KB", 65536}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        Buffer json = buffer_in(b.arena);
        add_order(&json, 1, sizes[i].size);
        good &= bench_message(&b, sizes[i].what, "bench.v1.Order", buffer_bytes(&json));
    }
    Buffer json = buffer_in(b.arena);
    add_list(&json, 1000);
    good &= bench_message(&b, "a list of 1,000", "bench.v1.OrderList", buffer_bytes(&json));
    arena_free(b.call);
    arena_free(b.arena);
    return good ? 0 : 1;
}
