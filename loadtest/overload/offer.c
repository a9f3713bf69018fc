/*
 * Offers calls at given rates, whether or not they are answered: a load that does not give way.
 *
 *      offer PORT DIALECT CONNECTIONS MIXED GATEWAY_SCHEDSTAT SERVICE_SCHEDSTAT PHASE...
 *
 * PHASE: SECONDS:CATASTROPHIC:HIGH:LOW, calls/s; or, as the only one, SECONDS:=N with so many calls
 * of each connection always in flight. DIALECT: connect (unary calls in JSON, over HTTP/2), http1
 * (the same over HTTP/1.1) or grpc; in clear. Calls are due at random times (Poisson). Each impact
 * has connections of its own, or with MIXED 1 all impacts are on each. A call that finds no room on
 * its connections waits, and is given up after a second. Latency counts from when a call was due.
 *
 * The machine has other work: quiet.h says which times are disturbed by it, from the schedstat
 * files of both.
 *
 * For each phase and impact one line: phase impact due good refused failed given_up p50 p99 (us),
 * and of the calls in undisturbed times their number and p99. One more tells what the load itself
 * adds, from when a call was due to when it was first tried, and for how long the gateway waited
 * for its core (us): phase own n 0 0 0 0 p50 p99 0 waited.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/random.h"
#include "loadtest/beside/quiet.h"
#include "protocols/http/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    IMPACTS = 3,
    PHASES = 16,
    CONNECTIONS = 1024,
    WAITING = 1 << 16,
    READ_SIZE = 1 << 16,
    SAMPLES = 1 << 22,
};

#define PATIENCE SECOND
#define TICK (MILLISECOND / 4) /* in which calls that are due are sent together */

static const char *const names[IMPACTS] = {"catastrophic", "high", "low"};
static const char *const paths[IMPACTS] = {"/shop.orders.v1.Orders/Get",
                                           "/shop.orders.v1.Orders/SetStatus",
                                           "/shop.orders.v1.Orders/Create"};

typedef enum Dialect { CONNECT, HTTP1, GRPC, DIALECTS } Dialect;

static const char *const dialects[DIALECTS] = {"connect", "http1", "grpc"};

typedef struct Figures {
    uint64_t due, good, refused, failed, given_up;
    Histogram latency; /* of good ones, nanoseconds */
    Histogram quiet;   /* of those in undisturbed times */
} Figures;

typedef struct Phase {
    int64_t until; /* nanoseconds since the start */
    double rates[IMPACTS];
    int closed;
    Figures figures[IMPACTS];
    Histogram own;  /* how late the load is itself, nanoseconds */
    int64_t waited; /* the gateway for its core, nanoseconds */
} Phase;

typedef struct Line {
    int fd;
    HttpConnection *http;
    bool wants_output, blocked;
} Line;

typedef struct CallOut {
    Phase *phase;
    Line *line;
    int impact;
    int64_t due;
    bool refused, good;
} CallOut;

/* Those that found no room, in their order. */
typedef struct Waiting {
    struct {
        int64_t due;
        Phase *phase;
    } items[WAITING];
    uint32_t first, n;
} Waiting;

static Line lines[CONNECTIONS];
static int n_lines, n_phases;
static bool mixed;
static Dialect dialect;
static Phase phases[PHASES];
static Waiting waiting[IMPACTS];
static int64_t next_due[IMPACTS], started;
static uint32_t turn[IMPACTS];
static Random chance;
static Arena *arena;
static int poll_fd;
static HttpLimits limits;

/* ---- Disturbed times ------------------------------------------------------------------------- */

typedef struct Sample {
    Figures *figures;
    int64_t due, took;
} Sample;

static Sample samples[SAMPLES];
static uint32_t n_samples;

static void note_waits(Phase *phase, int64_t now)
{
    int64_t gateway = quiet_note(now);
    if (phase)
        phase->waited += gateway;
}

static void count_quiet(void)
{
    for (uint32_t i = 0; i < n_samples; i++) {
        const Sample *sample = &samples[i];
        if (quiet_was(sample->due, sample->due + sample->took))
            histogram_record(&sample->figures->quiet, (uint64_t)sample->took);
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void record_latency(Figures *f, int64_t due, int64_t took)
{
    histogram_record(&f->latency, (uint64_t)took);
    if (n_samples < SAMPLES)
        samples[n_samples++] = (Sample){.figures = f, .due = due, .took = took};
}

static void finish(CallOut *call, HttpStream *stream)
{
    Figures *f = &call->phase->figures[call->impact];
    f->good += call->good;
    f->refused += call->refused;
    f->failed += !call->good && !call->refused;
    if (call->good)
        record_latency(f, call->due, clock_now() - call->due);
    http_stream_release(stream);
    free(call);
}

/* 14 is UNAVAILABLE. */
static void take_grpc_status(CallOut *call, const Fields *fields)
{
    Bytes status = fields_get(fields, "grpc-status");
    call->good |= bytes_are(status, "0");
    call->refused |= bytes_are(status, "14");
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    CallOut *call = owner;
    if (dialect == GRPC) {
        take_grpc_status(call, &head->fields);
        return;
    }
    call->good = head->status == 200;
    call->refused = head->status == 503;
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    http_stream_consume(stream, piece.size);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    if (dialect == GRPC && trailers)
        take_grpc_status(owner, trailers);
    finish(owner, stream);
}

static void on_drain(void *owner, HttpStream *stream)
{
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    finish(owner, stream);
}

static const HttpStreamEvents stream_events = {on_head, on_body, on_end, on_drain, on_reset};

static void add_fields(Fields *fields)
{
    if (dialect == GRPC) {
        fields_add(fields, bytes_of("content-type"), bytes_of("application/grpc"));
        fields_add(fields, bytes_of("te"), bytes_of("trailers"));
    } else {
        fields_add(fields, bytes_of("content-type"), bytes_of("application/json"));
        fields_add(fields, bytes_of("connect-protocol-version"), bytes_of("1"));
    }
}

static bool call_begin(Line *line, int impact, Phase *phase, int64_t due)
{
    if (line->blocked || http_connection_capacity(line->http) == 0)
        return false;
    static const uint8_t empty[5];
    Bytes body = dialect == GRPC ? bytes(empty, sizeof empty) : bytes_of("{}");
    CallOut *call = calloc(1, sizeof *call);
    CHECK(call);
    *call = (CallOut){.phase = phase, .line = line, .impact = impact, .due = due};
    HttpHead head = {.method = bytes_of("POST"),
                     .scheme = bytes_of("http"),
                     .authority = bytes_of("gateway"),
                     .path = bytes_of(paths[impact]),
                     .content_length = (int64_t)body.size,
                     .fields = fields_in(arena)};
    add_fields(&head.fields);
    HttpStream *stream = http_stream_open(line->http, &head, false, &stream_events, call);
    CHECK(stream);
    http_stream_send_body(stream, body);
    http_stream_send_end(stream, NULL);
    arena_reset(arena);
    return true;
}

/* Tries the connections of the impact, in turn. */
static bool call_begin_any(int impact, Phase *phase, int64_t due)
{
    int n = mixed ? n_lines : n_lines / IMPACTS, first = mixed ? 0 : impact * n;
    for (int i = 0; i < n; i++)
        if (call_begin(&lines[first + (int)(turn[impact]++ % (uint32_t)n)], impact, phase, due))
            return true;
    return false;
}

/* ---- Rates ----------------------------------------------------------------------------------- */

static Phase *phase_at(int64_t time)
{
    for (int i = 0; i < n_phases; i++)
        if (time < started + phases[i].until)
            return &phases[i];
    return NULL;
}

static void serve_waiting(int impact, int64_t now)
{
    Waiting *w = &waiting[impact];
    while (w->n) {
        uint32_t at = w->first % WAITING;
        Phase *phase = w->items[at].phase;
        if (now - w->items[at].due >= PATIENCE)
            phase->figures[impact].given_up++;
        else if (!call_begin_any(impact, phase, w->items[at].due))
            return;
        w->first++;
        w->n--;
    }
}

static void add_waiting(int impact, Phase *phase, int64_t due)
{
    Waiting *w = &waiting[impact];
    if (w->n == WAITING) {
        phase->figures[impact].given_up++;
        return;
    }
    uint32_t at = (w->first + w->n++) % WAITING;
    w->items[at].due = due;
    w->items[at].phase = phase;
}

static int64_t pause_before_next(double rate)
{
    double part = ((double)(random_next(&chance) >> 11) + 1) / 9007199254740993.0;
    return (int64_t)(-log(part) / rate * SECOND);
}

static void offer_due(int impact, int64_t now)
{
    serve_waiting(impact, now);
    for (Phase *phase; next_due[impact] <= now && (phase = phase_at(next_due[impact]));) {
        if (phase->rates[impact] <= 0) {
            next_due[impact] = started + phase->until;
            continue;
        }
        phase->figures[impact].due++;
        histogram_record(&phase->own, (uint64_t)(now - next_due[impact]));
        if (waiting[impact].n || !call_begin_any(impact, phase, next_due[impact]))
            add_waiting(impact, phase, next_due[impact]);
        next_due[impact] += pause_before_next(phase->rates[impact]);
    }
}

static void keep_in_flight(int n, int64_t now)
{
    for (int i = 0; i < n_lines; i++)
        while (http_connection_streams(lines[i].http) < (uint32_t)n &&
               call_begin(&lines[i], i % IMPACTS, &phases[0], now))
            phases[0].figures[i % IMPACTS].due++;
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void on_output(void *owner, HttpConnection *connection)
{
    ((Line *)owner)->wants_output = true;
}

static const HttpConnectionEvents connection_events = {.on_output = on_output};

static void flush(Line *line)
{
    line->wants_output = false;
    while (!line->blocked) {
        struct iovec vectors[64];
        int n = http_connection_output(line->http, vectors, 64);
        if (n == 0)
            return;
        ssize_t sent = writev(line->fd, vectors, n);
        line->blocked = sent < 0;
        CHECK(sent >= 0 || errno == EAGAIN);
        if (sent > 0)
            http_connection_sent(line->http, (size_t)sent);
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = line};
    CHECK(epoll_ctl(poll_fd, EPOLL_CTL_MOD, line->fd, &event) == 0);
}

static void ready(Line *line, uint32_t events)
{
    static uint8_t input[READ_SIZE];
    if (events & EPOLLOUT) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = line};
        CHECK(epoll_ctl(poll_fd, EPOLL_CTL_MOD, line->fd, &event) == 0);
        line->blocked = false;
        line->wants_output = true;
    }
    ssize_t n = events & EPOLLIN ? read(line->fd, input, sizeof input) : -1;
    CHECK(n > 0 || (n < 0 && !(events & EPOLLHUP)));
    if (n > 0)
        CHECK(!failed(http_connection_feed(line->http, bytes(input, (size_t)n), clock_now())));
}

static void line_open(Line *line, uint16_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    line->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(line->fd, (struct sockaddr *)&name, sizeof name) == 0);
    setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    CHECK(fcntl(line->fd, F_SETFL, O_NONBLOCK) == 0);
    line->http = dialect == HTTP1 ? http1_client_new(&limits, false, &connection_events, line)
                                  : http2_client_new(&limits, false, &connection_events, line);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = line};
    CHECK(epoll_ctl(poll_fd, EPOLL_CTL_ADD, line->fd, &event) == 0);
    flush(line);
}

/* ---- The process ----------------------------------------------------------------------------- */

static void poll_once(int64_t wait)
{
    struct epoll_event events[CONNECTIONS];
    struct timespec time = {.tv_sec = wait / SECOND, .tv_nsec = wait % SECOND};
    int n = epoll_pwait2(poll_fd, events, CONNECTIONS, &time, NULL);
    for (int i = 0; i < n; i++)
        ready(events[i].data.ptr, events[i].events);
    for (int i = 0; i < n_lines; i++)
        if (lines[i].wants_output)
            flush(&lines[i]);
}

static void run(int64_t until)
{
    for (int64_t now; (now = clock_now()) < until;) {
        note_waits(phase_at(now), now);
        if (phases[0].closed && now < started + phases[0].until)
            keep_in_flight(phases[0].closed, now);
        for (int i = 0; i < IMPACTS && !phases[0].closed; i++)
            offer_due(i, now);
        for (int i = 0; i < n_lines; i++)
            if (lines[i].wants_output)
                flush(&lines[i]);
        poll_once(TICK);
    }
}

static void print_phase(int at)
{
    for (int i = 0; i < IMPACTS; i++) {
        Figures *f = &phases[at].figures[i];
        printf("%d %s %llu %llu %llu %llu %llu %.0f %.0f %llu %.0f\n", at, names[i],
               (unsigned long long)f->due, (unsigned long long)f->good,
               (unsigned long long)f->refused, (unsigned long long)f->failed,
               (unsigned long long)f->given_up, (double)histogram_quantile(&f->latency, 0.5) / 1e3,
               (double)histogram_quantile(&f->latency, 0.99) / 1e3,
               (unsigned long long)histogram_count(&f->quiet),
               (double)histogram_quantile(&f->quiet, 0.99) / 1e3);
    }
    Histogram *own = &phases[at].own;
    printf("%d own %llu 0 0 0 0 %.0f %.0f 0 %.0f\n", at, (unsigned long long)histogram_count(own),
           (double)histogram_quantile(own, 0.5) / 1e3, (double)histogram_quantile(own, 0.99) / 1e3,
           (double)phases[at].waited / 1e3);
}

static bool read_phase(const char *text, int64_t *from)
{
    Phase *p = &phases[n_phases++];
    double seconds;
    bool good =
        sscanf(text, "%lf:=%d", &seconds, &p->closed) == 2 ||
        sscanf(text, "%lf:%lf:%lf:%lf", &seconds, &p->rates[0], &p->rates[1], &p->rates[2]) == 4;
    *from += (int64_t)(seconds * SECOND);
    p->until = *from;
    return good;
}

static Dialect dialect_named(const char *name)
{
    Dialect found = 0;
    while (found < DIALECTS && strcmp(dialects[found], name) != 0)
        found++;
    return found;
}

enum { FIRST_PHASE = 7 /* of the arguments */ };

static bool read_arguments(int argc, char **argv, int64_t *end)
{
    bool good = argc > FIRST_PHASE && argc - FIRST_PHASE <= PHASES;
    for (int i = FIRST_PHASE; good && i < argc; i++)
        good = read_phase(argv[i], end);
    if (!good)
        return false;
    dialect = dialect_named(argv[2]);
    n_lines = atoi(argv[3]);
    mixed = atoi(argv[4]);
    bool found = quiet_open(argv[5], argv[6]);
    return found && dialect < DIALECTS && n_lines >= IMPACTS && n_lines <= CONNECTIONS;
}

int main(int argc, char **argv)
{
    int64_t end = 0;
    if (!read_arguments(argc, argv, &end)) {
        fprintf(stderr, "usage: offer PORT DIALECT CONNECTIONS MIXED GATEWAY_SCHEDSTAT "
                        "SERVICE_SCHEDSTAT SECONDS:RATE:RATE:RATE...\n");
        return 2;
    }
    arena = arena_new(ARENA_UNLIMITED);
    random_seed(&chance);
    limits = http_limits_default;
    limits.streams = UINT32_MAX;
    limits.control_frames = limits.resets_per_second = UINT32_MAX;
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < n_lines; i++)
        line_open(&lines[i], (uint16_t)atoi(argv[1]));
    for (int i = 0; i < 50; i++)
        poll_once(10 * MILLISECOND); /* until all have their SETTINGS */
    started = clock_now();
    quiet_start(started);
    for (int i = 0; i < IMPACTS; i++)
        next_due[i] = started;
    run(started + end + SECOND); /* what is late has another second */
    count_quiet();
    for (int i = 0; i < n_phases; i++)
        print_phase(i);
    return 0;
}
