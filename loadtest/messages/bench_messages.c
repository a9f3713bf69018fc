/*
 * How long one message holds a loop: what is just too small for the work pool (256 KiB, or less
 * where plan_cost says so), in the kinds that cost most for their size. Prints milliseconds of CPU
 * for each step that a message may need, and fails if all of one take more than MOST_MS:
 *
 *      open       decompression, for each compression
 *      convert    by a plan, from JSON or protobuf to JSON or protobuf of the next version
 *      close      compression of what came out, for each compression; none if that is so large that
 *                 the pool compresses it
 *
 * Each is the fastest of some runs. A message takes one of each at most.
 */
#include "adapters/changes/changes.h"
#include "adapters/compile/plan_compile.h"
#include "adapters/run/plan_run.h"
#include "base/arena.h"
#include "protocols/http/compression.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIZE = 256 * 1024, CLOSED = SIZE / 4, RUNS = 5, CALL_ARENA = 1 << 30, MOST_MS = 5 };

static const struct {
    Compression compression;
    const char *name;
} compressions[] = {{COMPRESSION_GZIP, "gzip"},
                    {COMPRESSION_BR, "br"},
                    {COMPRESSION_ZSTD, "zstd"},
                    {COMPRESSION_DEFLATE, "deflate"}};
enum { N_COMPRESSIONS = sizeof(compressions) / sizeof(*compressions) };

static void die(Arena *arena, Result r)
{
    fprintf(stderr, "bench_messages: %s\n", error_text(arena, r));
    exit(1);
}

/* ---- Messages: a beginning, as many units as fit, an end ------------------------------------- */

typedef struct Kind {
    const char *name, *type;
    const char *begin, *unit, *end; /* JSON; "%u" in a unit is its number */
    const char *separator;
    const char *wire; /* a unit in protobuf, repeated */
    size_t wire_size;
    bool in_field; /* the units are what field 2 consists of; else each stands alone */
} Kind;

#define WIRE(text) .wire = (text), .wire_size = sizeof(text) - 1
#define LIST(unit_text) .begin = "{\"list\":[", .unit = (unit_text), .separator = ",", .end = "]}"
#define NODES(unit_text)                                                                           \
    .type = "Nodes", .begin = "{\"node\":{\"children\":[", .unit = (unit_text), .separator = ",",  \
    .end = "]}}", .in_field = true
#define DEEP                                                                                       \
    "{\"child\":{\"child\":{\"child\":{\"child\":{\"child\":{\"child\":{\"child\":{}}}}}}}}"
#define LONG_NAME "A_NAME_AS_LONG_AS_GENERATORS_MAKE_THEM_FROM_MODULES_AND_STATES_PENDING"

static const Kind kinds[] = {
    {"empty messages in a list", NODES("{}"), WIRE("\x12\x00")},
    {"messages of one number", NODES("{\"number\":7}"), WIRE("\x12\x02\x18\x07")},
    {"messages nested eight deep", NODES(DEEP),
     WIRE("\x12\x0e\x0a\x0c\x0a\x0a\x0a\x08\x0a\x06\x0a\x04\x0a\x02\x0a\x00")},
    {"long names of enums", "LongEnums", LIST("\"" LONG_NAME "\""), WIRE("\x01"), .in_field = true},
    {"enums by number", "LongEnums", LIST("1"), WIRE("\x10\x01")},
    {"short names of enums", "ShortEnums", LIST("\"PENDING\""), WIRE("\x01"), .in_field = true},
    {"short enums by number", "ShortEnums", LIST("1"), WIRE("\x10\x01")},
    {"booleans", "Booleans", LIST("false"), WIRE("\x00"), .in_field = true},
    {"a map of numbers", "NumberMap", "{\"map\":{", "\"%u\":%u", "}}", ",",
     WIRE("\x12\x05\x0a\x01z\x10\x01")},
    {"a map of messages", "NodeMap", "{\"map\":{", "\"%u\":{}", "}}", ",",
     WIRE("\x12\x04\x08\x05\x12\x00")},
    {"a Struct", "OneStruct", "{\"struct\":{", "\"%u\":[0]", "}}", ",",
     WIRE("\x0a\x0b\x0a\x01z\x12\x06\x32\x04\x0a\x02\x20\x01"), .in_field = true},
    {"a Struct of numbers", "OneStruct", "{\"struct\":{\"a\":[", "9e307", "]}}", ",",
     WIRE("\x0a\x0e\x0a\x01z\x12\x09\x11\x01\0\0\0\0\0\0\0"), .in_field = true},
    {"doubles", "Doubles", LIST("1.2345678901234567e-300"),
     WIRE("\x11\xfb\x21\x09\x40\x54\x2d\x18\x09")},
    {"short doubles", "Doubles", LIST("9e307"), WIRE("\x01\0\0\0\0\0\0\0"), .in_field = true},
    {"floats", "Floats", LIST("1.2345678e-30"), WIRE("\x15\xdb\x0f\x49\x40")},
    {"short floats", "Floats", LIST("9e37"), WIRE("\x01\0\0\0"), .in_field = true},
    {"text to be escaped", "Texts", "{\"list\":[\"", "\\u0001", "\"]}", "",
     WIRE("\x12\x08\1\1\1\1\1\1\1\1")},
    {"short texts", "Texts", LIST("\"a\""),
     WIRE("\x12\x01"
          "a")},
    {"bytes", "Binaries", LIST("\"AQ==\""), WIRE("\x12\x01\x01")},
    {"timestamps", "Times", LIST("\"1970-01-01T00:00:00Z\""), WIRE("\x12\x00")},
    {"durations", "Durations", LIST("\"1.000000001s\""), WIRE("\x12\x00")},
    {"short durations", "Durations", LIST("\"1s\""), WIRE("\x12\x02\x08\x01")},
    {"wrappers", "Wrappers", LIST("\"1\""), WIRE("\x12\x00")},
    {"long integers", "Longs", LIST("\"-9223372036854775808\""), WIRE("\x10\x01")},
    {"an Any", "Anys", LIST("{\"@type\":\"a/hard.v1.Node\",\"number\":7}"),
     WIRE("\x12\x13\x0a\x0f\x61/hard.v1.Nodes\x12\x00")},
};

static Bytes json_of(Arena *arena, const Kind *kind, size_t size)
{
    Buffer out = buffer_in(arena);
    size_t most = size - strlen(kind->end);
    buffer_add_text(&out, kind->begin);
    for (unsigned i = 0;; i++) {
        size_t before = out.size;
        if (i)
            buffer_add_text(&out, kind->separator);
        buffer_printf(&out, kind->unit, i, i);
        if (out.size > most) {
            out.size = before;
            break;
        }
    }
    buffer_add_text(&out, kind->end);
    return buffer_bytes(&out);
}

static Bytes wire_of(Arena *arena, const Kind *kind, size_t size)
{
    enum { HEAD = 4 }; /* field 2, and a size of three bytes */
    Buffer out = buffer_in(arena);
    size_t room = size;
    if (kind->in_field) {
        room = (room - HEAD) / kind->wire_size * kind->wire_size;
        uint8_t head[HEAD] = {0x12, (uint8_t)(room | 0x80), (uint8_t)(room >> 7 | 0x80),
                              (uint8_t)(room >> 14)};
        buffer_add(&out, head, sizeof(head));
    }
    for (size_t i = 0; i + kind->wire_size <= room; i += kind->wire_size)
        buffer_add(&out, kind->wire, kind->wire_size);
    return buffer_bytes(&out);
}

/* ---- Timing ---------------------------------------------------------------------------------- */

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double time_convert(Arena *call, const Plan *plan, Bytes input, Bytes *output)
{
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        arena_reset(call);
        double start = now_ms();
        Buffer out = buffer_in(call);
        PlanInput in = {.bytes = input};
        PlanRun report = {0};
        Result r = plan_run(plan, &in, call, &out, &report);
        double took = now_ms() - start;
        if (failed(r))
            die(call, r);
        best = took < best ? took : best;
        *output = buffer_bytes(&out);
    }
    return best;
}

static double time_close(Arena *arena, Compression compression, Bytes message, Bytes *output)
{
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        Buffer out = buffer_in(arena);
        double start = now_ms();
        Result r = compress_message(arena, compression, message, &out);
        double took = now_ms() - start;
        if (failed(r))
            die(arena, r);
        best = took < best ? took : best;
        *output = buffer_bytes(&out);
    }
    return best;
}

static double time_open(Arena *arena, Compression compression, Bytes message)
{
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        Buffer out = buffer_in(arena);
        double start = now_ms();
        if (!decompress_small(compression, message, SIZE, &out))
            return 0; /* it is for the pool */
        double took = now_ms() - start;
        best = took < best ? took : best;
    }
    return best;
}

typedef struct Bench {
    Arena *arena, *call, *pieces;
    const MappingSet *set;
    const Schema *from;
    double worst;
} Bench;

static void row(Bench *b, const Kind *kind, Codec from, Codec to)
{
    static const char *names[] = {[CODEC_JSON] = "JSON", [CODEC_PROTO] = "protobuf"};
    const Plan *plan;
    const MessageType *type =
        schema_message(b->from, bytes_of(arena_printf(b->arena, "hard.v1.%s", kind->type)));
    PlanOptions options = {.from = from, .to = to, .types = b->set};
    Result r = plan_compile(b->arena, mapping_set_find(b->set, type), &options, &plan);
    if (failed(r))
        die(b->arena, r);
    size_t size = SIZE >> plan_cost(plan);
    Bytes input =
              from == CODEC_JSON ? json_of(b->arena, kind, size) : wire_of(b->arena, kind, size),
          output;
    arena_reset(b->pieces);
    double open = 0, close = 0;
    printf("%-28s %-8s to %-8s %8zu", kind->name, names[from], names[to], input.size);
    for (int i = 0; i < N_COMPRESSIONS; i++) {
        Bytes small;
        time_close(b->pieces, compressions[i].compression, input, &small);
        double took = time_open(b->pieces, compressions[i].compression, small);
        open = took > open ? took : open;
    }
    double convert = time_convert(b->call, plan, input, &output);
    for (int i = 0; i < N_COMPRESSIONS && output.size <= CLOSED; i++) {
        Bytes small;
        double took = time_close(b->pieces, compressions[i].compression, output, &small);
        close = took > close ? took : close;
    }
    printf(" %9zu %7.2f %7.2f %7.2f %7.2f\n", output.size, open, convert, close,
           open + convert + close);
    b->worst = open + convert + close > b->worst ? open + convert + close : b->worst;
}

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

static void load(Bench *b)
{
    const Schema *schemas[2];
    ChangeSide sides[2];
    for (int i = 0; i < 2; i++) {
        const char *path = arena_printf(b->arena, SCHEMAS "hard_v%d.binpb", i + 1);
        Result r = schema_load_file(b->arena, path, &schemas[i]);
        if (failed(r))
            die(b->arena, r);
        sides[i] = (ChangeSide){arena_printf(b->arena, "v%d", i + 1), schemas[i],
                                arena_printf(b->arena, "hard.v%d", i + 1)};
    }
    Problems problems = problems_in(b->arena);
    const ChangeList *list;
    Result r = changes_load(b->arena, read_file(b->arena, CHANGES "hard-v1-v2.yaml"),
                            "hard-v1-v2.yaml", &sides[0], &sides[1], &problems, &list);
    if (!failed(r) && list)
        r = changes_compose(b->arena, &list, 1, true, &problems, &b->set);
    if (failed(r))
        die(b->arena, r);
    if (!list) {
        Buffer text = buffer_in(b->arena);
        problems_print(&problems, &text);
        fprintf(stderr, "%.*s", BYTES_ARGS(buffer_bytes(&text)));
        exit(1);
    }
    b->from = schemas[0];
}

int main(void)
{
    Bench b = {.arena = arena_new(ARENA_UNLIMITED),
               .call = arena_new(CALL_ARENA),
               .pieces = arena_new(ARENA_UNLIMITED)};
    load(&b);
    printf("%-28s %-20s %8s %9s %7s %7s %7s %7s\n", "kind", "", "bytes", "become", "open",
           "convert", "close", "all ms");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        for (int from = 0; from < 2; from++)
            for (int to = 0; to < 2; to++)
                row(&b, &kinds[i], from ? CODEC_JSON : CODEC_PROTO, to ? CODEC_JSON : CODEC_PROTO);
    }
    printf("the worst: %.2f ms, where %d are allowed\n", b.worst, MOST_MS);
    arena_free(b.pieces);
    arena_free(b.call);
    arena_free(b.arena);
    return b.worst > MOST_MS;
}
