/*
 * The program that protobuf's conformance runner tests: each request's payload goes through a plan
 * of the identity, between the codecs that the request asks for.   protobuf_conformee
 * DESCRIPTOR_SET [canonical]
 *
 * Requests and responses are conformance.proto's, on stdin and stdout, each behind its size in four
 * bytes, little-endian.
 */
#include "adapters/compile/plan_compile.h"
#include "adapters/run/plan_run.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_PROTOBUF = 1, OUTPUT_JSON = 2, IGNORE_UNKNOWN_CATEGORY = 3 }; /* conformance.proto */

enum { /* fields of ConformanceResponse */
       PARSE_ERROR = 1,
       RUNTIME_ERROR = 2,
       PROTOBUF_PAYLOAD = 3,
       JSON_PAYLOAD = 4,
       SKIPPED = 5,
       SERIALIZE_ERROR = 6,
};

typedef struct Request {
    Bytes payload, message_type;
    Codec from;
    uint64_t output, category;
    bool skip; /* a payload in another format */
} Request;

typedef struct Testee {
    Arena *arena; /* of the schema and the plans */
    const Schema *schema;
    const MappingSet *set;
    Table plans; /* by type, codecs and policy */
    bool canonical;
} Testee;

static void die(const char *what)
{
    fprintf(stderr, "protobuf_conformee: %s\n", what);
    exit(2);
}

static Request read_request(Bytes from)
{
    Request request = {.skip = true};
    WireReader reader = wire_reader(from);
    for (WireField f; wire_next(&reader, &f);) {
        switch (f.number) {
        case 1:
        case 2:
            request.payload = f.bytes;
            request.from = f.number == 1 ? CODEC_PROTO : CODEC_JSON;
            request.skip = false;
            break;
        case 3: request.output = f.value; break;
        case 4: request.message_type = f.bytes; break;
        case 5: request.category = f.value; break;
        default: break;
        }
    }
    return request;
}

static UnknownFields unknown_policy(const Request *request, Codec to)
{
    if (request->from == CODEC_PROTO)
        return to == CODEC_PROTO ? UNKNOWN_KEEP : UNKNOWN_COUNT;
    return request->category == IGNORE_UNKNOWN_CATEGORY ? UNKNOWN_COUNT : UNKNOWN_REFUSE;
}

static const Plan *find_plan(Testee *testee, const Request *request, const MessageType *type,
                             Codec to)
{
    PlanOptions options = {.from = request->from,
                           .to = to,
                           .types = testee->set,
                           .unknown = unknown_policy(request, to),
                           .walk_all = true,
                           .canonical = testee->canonical};
    const char *key = arena_printf(testee->arena, "%s %d %d %d", type->full_name, options.from,
                                   options.to, options.unknown);
    const Plan *plan = table_get(&testee->plans, bytes_of(key));
    if (plan)
        return plan;
    Result r = plan_compile(testee->arena, mapping_set_find(testee->set, type), &options, &plan);
    if (failed(r))
        die(error_text(testee->arena, r));
    table_put(&testee->plans, bytes_of(key), (void *)(uintptr_t)plan);
    return plan;
}

/* What protobuf calls a parse error is one that shows without writing any JSON. */
static int kind_of_error(Testee *testee, const Request *request, const MessageType *type,
                         const PlanInput *input, Arena *arena)
{
    Buffer ignored = buffer_in(arena);
    PlanRun run = {0};
    Result r =
        plan_run(find_plan(testee, request, type, CODEC_PROTO), input, arena, &ignored, &run);
    return failed(r) ? PARSE_ERROR : SERIALIZE_ERROR;
}

static void answer(Testee *testee, const Request *request, Arena *arena, Buffer *response)
{
    const MessageType *type = schema_message(testee->schema, request->message_type);
    bool supported = request->output == OUTPUT_PROTOBUF || request->output == OUTPUT_JSON;
    if (bytes_are(request->message_type, "conformance.FailureSet")) {
        wire_add_bytes(response, PROTOBUF_PAYLOAD, BYTES_NONE);
        return;
    }
    if (request->skip || !supported || !type) {
        wire_add_bytes(response, SKIPPED, bytes_of("neither protobuf nor JSON, or an edition"));
        return;
    }
    Codec to = request->output == OUTPUT_JSON ? CODEC_JSON : CODEC_PROTO;
    PlanInput input = {.bytes = request->payload};
    PlanRun run = {0};
    Buffer out = buffer_in(arena);
    Result r = plan_run(find_plan(testee, request, type, to), &input, arena, &out, &run);
    if (failed(r))
        wire_add_bytes(response, (uint32_t)kind_of_error(testee, request, type, &input, arena),
                       bytes_of(error_text(arena, r)));
    else
        wire_add_bytes(response, to == CODEC_JSON ? JSON_PAYLOAD : PROTOBUF_PAYLOAD,
                       buffer_bytes(&out));
}

static bool read_exactly(void *to, size_t size)
{
    return fread(to, 1, size, stdin) == size;
}

static bool serve_one(Testee *testee)
{
    uint8_t head[4];
    if (!read_exactly(head, 4))
        return false;
    size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    Arena *arena = arena_new(1 << 28);
    uint8_t *body = arena_alloc(arena, size);
    if (!body || !read_exactly(body, size))
        die("a request that is cut off");

    Buffer response = buffer_in(arena);
    Request request = read_request(bytes(body, size));
    answer(testee, &request, arena, &response);
    for (unsigned i = 0; i < 4; i++)
        head[i] = (uint8_t)(response.size >> (8 * i));
    if (fwrite(head, 1, 4, stdout) != 4 ||
        fwrite(response.data, 1, response.size, stdout) != response.size || fflush(stdout) != 0)
        die("the runner is gone");
    arena_free(arena);
    return true;
}

int main(int argc, char **argv)
{
    Testee testee = {.arena = arena_new(ARENA_UNLIMITED)};
    testee.plans = table_in(testee.arena);
    if (argc != 2 && !(argc == 3 && strcmp(argv[2], "canonical") == 0))
        die("usage: protobuf_conformee DESCRIPTOR_SET [canonical]");
    testee.canonical = argc == 3;
    Result r = schema_load_file(testee.arena, argv[1], &testee.schema);
    if (!failed(r))
        r = mapping_set_identity(testee.arena, testee.schema, &testee.set);
    if (failed(r))
        die(error_text(testee.arena, r));
    while (serve_one(&testee))
        continue;
    arena_free(testee.arena);
    return 0;
}
