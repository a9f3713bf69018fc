/*
 * Scene: exchanges without sockets and clocks. The test plays all clients and all instances, over
 * the real HTTP engines in memory; a Peer is one connection, with the test at its far end.
 *
 *      Peer (client) <--> server engine <--> [ Exchange ] <--> client engine <--> Peer (instance)
 *
 * In place of the pools stands a double of upstream.h, whose instances do as the test says; in
 * place of telemetry one that keeps what it is told; in place of the work pool one whose jobs run
 * when the test says so. Time moves by scene_pass only.
 *
 * Messages are converted on the loop, however large, until scene_use_pool; or, where the
 * environment has SCENE_POOL, on the pool, however small: no test may see a difference.
 */
#ifndef TESTS_UNIT_GATEWAY_CALL_SCENE_H
#define TESTS_UNIT_GATEWAY_CALL_SCENE_H

#include "gateway/call/client.h"
#include "gateway/failure/fallbacks.h"
#include "gateway/healing/healing.h"
#include "gateway/loop/work_pool.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/upstream/upstream.h"
#include "tests/unit/check.h"
#include "tests/unit/gateway/garage.h"
#include "tests/unit/protocols/http/http_chaos.h"

typedef struct Scene Scene;
typedef struct Peer Peer;

enum { SCENE_PEERS = 128, SCENE_INSTANCES = 16, SCENE_RECORDS = 128 };

/* What an instance's pool does when a connection is wanted. */
typedef enum Want {
    WANT_AT_HAND, /* gives one at once */
    WANT_WAITS,   /* until scene_connect, scene_connect_fails or scene_connect_is_late */
    WANT_FULL,    /* gives one at once, on which no stream can be opened */
} Want;

struct Upstream {
    const char *address;
    UpstreamState state;
    bool worth_a_try;
    bool silent;
    uint32_t n_doubts;
    bool connected; /* while a call waits for it, others have its connections */
    uint32_t load;
    Result failure;
    Want want;
    UpstreamWait *wait;
    const Instance *instance;
    Candidate *candidates;
    InstanceCounts counts;
};

enum { SCENE_JOBS = 16 };

/* Jobs in the order in which they came. */
struct WorkPool {
    WorkJob *jobs[SCENE_JOBS];
    bool has_begun[SCENE_JOBS];
    uint32_t n;
    bool eager; /* whatever comes is done when the bytes have moved */
    uint32_t n_run, n_cancelled;
};

/* A connection that is cut when so many bytes have passed in one direction and more are to come.
   What is exchanged before its first stream does not count. */
typedef struct Cut {
    bool of_client;    /* else of the instance that is connected to first */
    bool from_gateway; /* the direction */
    bool by_end; /* the gateway hears of the end of the other side's bytes, and not of a failure */
    size_t after;
    bool happened;
} Cut;

/* What was heard over one connection; of its latest stream. */
struct Peer {
    Scene *scene;
    HttpConnection *connection;     /* the test's end */
    HttpConnection *gateway;        /* the other one */
    ClientConnection *client;       /* of a client's; else NULL */
    const Instance *instance;       /* of an instance's; else NULL */
    const char *authority;          /* of a client; NULL: example.com */
    HttpStream *stream;             /* NULL: none, or released */
    uint32_t n_streams, n_accepted; /* opened by either side; begun for the gateway */
    HttpHead head;
    bool headed, ended;
    Buffer body;
    Fields trailers;
    const char *reset; /* the fault's name, or NULL */
    unsigned drains, interims;
    bool ended_by_test, ended_by_gateway; /* the other end has heard that no more comes */
    bool held;                            /* nothing moves */
    Cut *cut;                             /* NULL: it stays */
    size_t passed;                        /* bytes in the direction of the cut */
    bool keeps;                           /* gives back nothing of what it receives */
    size_t owed;
};

struct Scene {
    Arena *arena;
    Config *config;
    Loop loop;
    Fallbacks *fallbacks;
    Peer peers[SCENE_PEERS];
    uint32_t n_peers;
    struct Upstream upstreams[SCENE_INSTANCES];
    uint32_t n_cancelled; /* waits */
    uint32_t n_measured;  /* latencies of instances that have answered */
    CallRecord records[SCENE_RECORDS];
    const char *record_texts[SCENE_RECORDS];
    uint32_t n_records;
    uint32_t n_apart; /* records of what is no call */
    unsigned counted[COUNTER_COUNT], healed[HEALING_ACTS];
    bool healing_stopped; /* healing_may */
    Cut *cut;             /* of the next connections; NULL: none */
    uint32_t n_unused;    /* how often a client's connection became unused */
    WorkPool pool;
};

/* The yard: yard_v1.proto, yard_v2.proto and yard.yaml; YARD begins a service's instances. */
#define YARD                                                                                       \
    "  - name: yard\n"                                                                             \
    "    versions:\n"                                                                              \
    "      - {name: v1, package: yard.v1, schema: yard.binpb}\n"                                   \
    "      - {name: v2, package: yard.v2, schema: yard.binpb}\n"                                   \
    "    changes: [yard.yaml]\n"                                                                   \
    "    instances:\n"

/* The garage in v3 at 7003 and 7004, the yard in v1 at 7101 and 7102, and an opaque route. */
#define SCENE_INSTANCES_TEXT                                                                       \
    GOOD "      - {address: '127.0.0.1:7004', versions: [v3]}\n" YARD                              \
         "      - {address: '127.0.0.1:7101', versions: [v1]}\n"                                   \
         "      - {address: '127.0.0.1:7102', versions: [v1]}\n"
#define SCENE_TEXT                                                                                 \
    SCENE_INSTANCES_TEXT                                                                           \
    "routes:\n"                                                                                    \
    "  - {match: /old/, instances: ['127.0.0.1:7201', '127.0.0.1:7202']}\n"

Scene *scene_new(const char *config);

/* Sees that nothing is left: no exchange, no wait, no stream, a record for each call. All peers and
   records go. */
void scene_clear(Scene *scene);

/* The same, and the scene goes with them. */
void scene_free(Scene *scene);

/* For cmocka: with SCENE_TEXT. */
int scene_set_up(void **state);
int scene_tear_down(void **state);

/* The scene that is played, where a test has two. The latest one is it by itself. */
void scene_now(Scene *scene);

/* For the doubles: the scene, and a connection to an instance, of which it gets the near end. */
Scene *scene_playing(void);
HttpConnection *instance_new(Scene *scene, const struct Upstream *upstream);

/* Another config for the same test. */
Scene *scene_again(void **state, const char *config);

/* Moves bytes until all is quiet. */
void scene_pump(Scene *scene);

/* Time passes; timers fire. */
void scene_pass(Scene *scene, int64_t milliseconds);

/* The wait before a first retry is over, however long it was. */
void scene_back_off(Scene *scene);

/* The double of the instance at 127.0.0.1:port. */
struct Upstream *scene_upstream(Scene *scene, int port);

/* Ends the wait for an instance, one way or the other. */
void scene_connect(Scene *scene, int port);
void scene_connect_fails(Scene *scene, int port);
/* It has not connected for long. */
void scene_connect_is_late(Scene *scene, int port);

/* From here on messages of more than `size` bytes are converted on the pool. */
void scene_use_pool(Scene *scene, size_t size);

/* The oldest job that has not begun begins: it can no longer be cancelled. */
void scene_begin_job(Scene *scene);
/* The same, and it has run; but its loop has not heard of it. */
void scene_run_job(Scene *scene);
/* The oldest job runs, and is done; or it is refused, for the queue is full. */
void scene_do_job(Scene *scene);
void scene_refuse_job(Scene *scene);

/* Another loop considers all instances down, or no longer. */
void scene_set_down(Scene *scene, bool down);

/* The last call's record, in one line: "UNAVAILABLE UPSTREAM_RESET, 2 sent: 7003 UNAVAILABLE, 7004
   UNAVAILABLE". */
void assert_record(Scene *scene, const char *expected);

/* ---- Clients --------------------------------------------------------------------------------- */

Peer *client_new(Scene *scene, HttpMaker *client, HttpMaker *server);

/* Fields are "name: value\n" lines. Everything here pumps. */
void client_head(Peer *client, const char *verb, const char *path, const char *fields,
                 int64_t length, bool end);

/* A whole request on a new HTTP/2 connection. */
Peer *ask(Scene *scene, const char *verb, const char *path, const char *fields, Bytes body);
Peer *ask_grpc(Scene *scene, const char *path, Bytes message);

/* Its head only: of a gRPC call. */
Peer *begin_grpc(Scene *scene, const char *path, const char *more_fields);

/* A GET over HTTP/1.1 with a head of more than HUGE_HEAD bytes. */
Peer *ask_huge(Scene *scene, const char *path);

/* ---- Both ------------------------------------------------------------------------------------ */

void say(Peer *peer, Bytes piece);
void say_frame(Peer *peer, Bytes message);
void say_end(Peer *peer);
void break_off(Peer *peer, uint32_t http2_error);
void give_back(Peer *peer); /* what it owes, and all that comes */

/* The connection is gone: for the gateway; or the instance has closed it. */
void lose(Peer *peer);
void lose_by_instance(Peer *peer);

/* Nothing moves over its connection, either way. */
void scene_hold(Peer *peer, bool held);

/* The five bytes and the message. */
Bytes framed(Scene *scene, Bytes message);
#define BYTES(literal) bytes(literal, sizeof literal - 1)

const char *field_of(const Peer *peer, const char *name); /* "": none */
const char *trailer_of(const Peer *peer, const char *name);
/* In the trailers, or else in the head: where gRPC says how a call ended. */
const char *said(const Peer *peer, const char *name);

void assert_body(const Peer *peer, Bytes expected);

/* Messages of the garage and the yard. */
#define GET_X BYTES("\n\1x")
#define CAR_V3 BYTES("\n\1x\x10\4\x1a\3bob")
#define CAR_V1 "\0\0\0\0\x0a\n\1x\x18\4\x12\3bob" /* with its five bytes */
#define ITEM BYTES("\n\1x\x12\3bob")
#define ITEM_JSON "{\"name\":\"x\",\"owner\":\"bob\"}"
#define GET_ITEM "/yard.v1.Yard/Get"
#define MAKE_ITEM "/yard.v1.Yard/Make"
#define LOAD_ITEMS "/yard.v1.Yard/Load"
#define WATCH_ITEM "/yard.v1.Yard/Watch"
#define TRADE_ITEMS "/yard.v1.Yard/Trade"

/* The yard with one instance, at 7101, which is said to be so. */
#define YARD_OF(kind) LISTEN "services:\n" YARD "      - {address: '127.0.0.1:7101', " kind "}\n"

/* Less memory than what a stream's window admits. */
#define LITTLE_MEMORY                                                                              \
    "limits: {call_memory: 1MiB, message_bytes: 900KiB, answer_bytes: 900KiB, "                    \
    "stream_window: 4MiB, connection_window: 8MiB}\n"

/* Heads that are larger than the memory of a call. */
#define HUGE_HEADS                                                                                 \
    "limits: {call_memory: 1MiB, message_bytes: 900KiB, answer_bytes: 900KiB, head_bytes: 4MiB, "  \
    "path_bytes: 2MiB}\n"
enum { HUGE_HEAD = 1200 << 10 };

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

/* ---- Instances ------------------------------------------------------------------------------- */

/* The one that was connected to last. */
Peer *instance(Scene *scene);
uint32_t n_instances(const Scene *scene);

void answer_head(Peer *peer, unsigned status, const char *fields, int64_t length, bool end);
void answer_trailers(Peer *peer, const char *fields);
/* All of it, over gRPC. */
void answer(Peer *peer, Bytes message);
void answer_error(Peer *peer, int code, const char *message);
void answer_grpc_head(Peer *peer);

#endif
