/*
 * Makes calls of one kind, and looks at each response. See usage() for its options.
 *
 * It connects, and reads what to do from its input, one line at a time. To each it says one line of
 * JSON:
 *
 *      probe            one call, whose response goes to the file of --save; all others must be as
 *                       that one, byte for byte
 *      run SECONDS      as many as are always in flight; begins none after that time, and ends with
 *                       the last response
 *      open RATE SECONDS  calls due at random times (Poisson; the same ones each time), so many per
 *                       second, whether or not others are answered; latency from when one was due
 *
 * A response is right when its status and body are those of the probe, and, in gRPC, its trailers
 * say 0. Those of gRPC-Web are the last part of the body, and may be in any order. A call without a
 * response in 20 s is lost.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/random.h"
#include "loadtest/beside/quiet.h"
#include "loadtest/beside/wire.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MAX_EVENTS = 512, WAITING = 1 << 20, SAMPLES = 1 << 22, ADDRESSES = 200, TAIL = 160 };

#define PATIENCE (20 * SECOND)
#define SEED 20261130

typedef struct Options {
    uint16_t port;
    bool h1, fresh; /* fresh: a connection of its own for each call */
    bool grpc, web; /* the status is in trailers; those are in the body */
    uint32_t connections, streams, window, numbered;
    const char *method, *path, *authority, *ca, *save;
    Fields fields;
    Bytes body;
} Options;

typedef struct Line {
    Wire wire;
    uint32_t calls; /* in flight */
    bool used;      /* since it was connected */
} Line;

typedef struct CallOut {
    Line *line;
    int64_t due;
    size_t size;       /* of the body so far */
    const char *wrong; /* NULL: right so far */
    bool ended_well;   /* gRPC: the status is 0 */
    char tail[TAIL];   /* gRPC-Web: the trailers */
} CallOut;

/* Of one command. */
typedef struct Figures {
    uint64_t due, good, wrong, bytes, connected, refused;
    const char *why; /* the first that was wrong */
    Histogram latency, quiet, own;
} Figures;

typedef struct Sample {
    int64_t due, took;
} Sample;

static Options options = {
    .connections = 1, .streams = 1, .method = "GET", .path = "/", .authority = "localhost"};
static Line *lines;
static Figures *figures;
static Arena *arena;
static HttpLimits limits;
static SSL_CTX *tls;
static int poll_fd;
static uint64_t in_flight;
static bool filling;  /* closed loop: responses are followed by calls */
static FILE *probing; /* NULL: not */
static Sample samples[SAMPLES];
static uint32_t n_samples;
static struct {
    uint16_t status;
    uint8_t *body;
    size_t size, capacity;
    size_t exact; /* so much must be equal: all of it, or what is before the trailers */
} right;

/* ---- Responses ------------------------------------------------------------------------------- */

static void is_wrong(CallOut *call, const char *why)
{
    if (!call->wrong)
        call->wrong = why;
}

static void save_fields(const Fields *fields)
{
    for (uint32_t i = 0; i < fields->n; i++)
        fprintf(probing, "%.*s: %.*s\n", (int)fields->items[i].name.size,
                (const char *)fields->items[i].name.data, (int)fields->items[i].value.size,
                (const char *)fields->items[i].value.data);
    fputc('\n', probing);
}

static void note_grpc_status(CallOut *call, const Fields *fields)
{
    call->ended_well |= bytes_are(fields_get(fields, "grpc-status"), "0");
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    CallOut *call = owner;
    if (probing) {
        right.status = head->status;
        fprintf(probing, "status: %u\n", head->status);
        save_fields(&head->fields);
    }
    if (head->status != right.status)
        is_wrong(call, http_status_phrase(head->status));
    note_grpc_status(call, &head->fields);
}

static void right_append(Bytes piece)
{
    if (right.size + piece.size > right.capacity) {
        right.capacity = 2 * (right.size + piece.size);
        right.body = realloc(right.body, right.capacity);
        CHECK(right.body);
    }
    memcpy(right.body + right.size, piece.data, piece.size);
    right.size += piece.size;
}

/* What is behind the part that has to be equal. */
static void take_tail(CallOut *call, Bytes piece, size_t at)
{
    for (size_t i = 0; i < piece.size; i++, at++)
        if (at >= right.exact && at - right.exact < TAIL - 1)
            call->tail[at - right.exact] = (char)piece.data[i];
}

static void check_body(CallOut *call, Bytes piece)
{
    size_t equal = call->size < right.exact ? right.exact - call->size : 0;
    if (piece.size > right.size - call->size)
        is_wrong(call, "the body is too long");
    else if (memcmp(piece.data, right.body + call->size, MIN(equal, piece.size)) != 0)
        is_wrong(call, "the body is another one");
    else if (options.web)
        take_tail(call, piece, call->size);
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    CallOut *call = owner;
    if (probing)
        right_append(piece);
    else if (!call->wrong)
        check_body(call, piece);
    if (!call->wrong)
        call->size += piece.size;
    http_stream_consume(stream, piece.size);
}

/* Where the trailers of a gRPC-Web body begin; its end, if there are none. */
static size_t web_trailers(void)
{
    size_t at = 0;
    while (at + 5 <= right.size && !(right.body[at] & 0x80)) {
        uint32_t size;
        memcpy(&size, right.body + at + 1, sizeof size);
        at += 5 + (size_t)ntohl(size);
    }
    return MIN(at, right.size);
}

static bool web_ended_well(const CallOut *call)
{
    const char *status =
        call->size > right.exact + 5 ? strcasestr(call->tail + 5, "grpc-status:") : NULL;
    return status && strtol(status + strlen("grpc-status:"), NULL, 10) == 0;
}

static void record_latency(int64_t due)
{
    int64_t took = clock_now() - due;
    histogram_record(&figures->latency, (uint64_t)took);
    if (n_samples < SAMPLES)
        samples[n_samples++] = (Sample){.due = due, .took = took};
}

static void finish(CallOut *call, HttpStream *stream)
{
    call->line->calls--;
    in_flight--;
    figures->bytes += call->size;
    if (call->wrong) {
        figures->wrong++;
        if (!figures->why)
            figures->why = call->wrong;
    } else {
        figures->good++;
        if (call->due)
            record_latency(call->due);
    }
    http_stream_release(stream);
    free(call);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    CallOut *call = owner;
    note_grpc_status(call, trailers);
    if (probing)
        save_fields(trailers);
    else if (call->size != right.size)
        is_wrong(call, "the body is too short");
    if (options.web && !probing && !web_ended_well(call))
        is_wrong(call, "the body does not say grpc-status 0");
    if (options.grpc && !call->ended_well)
        is_wrong(call, "there is no grpc-status 0");
    finish(call, stream);
}

static void on_drain(void *owner, HttpStream *stream)
{
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    is_wrong(owner, "the stream was reset");
    finish(owner, stream);
}

static const HttpStreamEvents stream_events = {on_head, on_body, on_end, on_drain, on_reset};

/* ---- Calls and connections ------------------------------------------------------------------- */

static const HttpConnectionEvents connection_events = {.on_output = wire_on_output};

/* Many addresses, or a client runs out of ports that are not in use. */
static uint32_t next_address(void)
{
    static uint32_t turn;
    return INADDR_LOOPBACK + 1 + turn++ % ADDRESSES;
}

static void line_open(Line *line)
{
    figures->connected++;
    if (!wire_connect(&line->wire, poll_fd, options.port, next_address())) {
        perror("connecting");
        exit(1);
    }
    if (tls)
        wire_secure(&line->wire, tls, options.h1 ? "http/1.1" : "h2");
    line->wire.http = options.h1 ? http1_client_new(&limits, tls, &connection_events, line)
                                 : http2_client_new(&limits, tls, &connection_events, line);
    line->wire.wants_output = !options.h1;
    line->used = false;
}

static void line_reopen(Line *line)
{
    wire_close(&line->wire);
    line_open(line);
}

/* Valid until the next one. */
static Bytes next_path(void)
{
    static uint32_t number;
    static char path[512];
    const char *at = options.numbered > 1 ? strstr(options.path, "0000") : NULL;
    if (!at)
        return bytes_of(options.path);
    snprintf(path, sizeof path, "%.*s%04u%s", (int)(at - options.path), options.path,
             number++ % options.numbered, at + 4);
    return bytes_of(path);
}

static bool call_begin(Line *line, int64_t due)
{
    if (line->calls == options.streams || http_connection_capacity(line->wire.http) == 0)
        return false;
    HttpHead head = {.method = bytes_of(options.method),
                     .scheme = bytes_of(tls ? "https" : "http"),
                     .authority = bytes_of(options.authority),
                     .path = next_path(),
                     .content_length = options.body.data ? (int64_t)options.body.size : -1,
                     .fields = options.fields};
    CallOut *call = calloc(1, sizeof *call);
    CHECK(call);
    *call = (CallOut){.line = line, .due = due};
    HttpStream *stream =
        http_stream_open(line->wire.http, &head, !options.body.data, &stream_events, call);
    CHECK(stream);
    if (options.body.data) {
        http_stream_send_body(stream, options.body);
        http_stream_send_end(stream, NULL);
    }
    line->used = true;
    line->calls++;
    in_flight++;
    figures->due++;
    return true;
}

static void line_fill(Line *line)
{
    while (filling && call_begin(line, 0)) {
    }
}

/* In which all that is to be sent is sent. */
static void line_serve(Line *line)
{
    bool spent = options.fresh && line->used && line->calls == 0;
    if (spent || (line->calls == 0 && http_connection_going(line->wire.http)))
        line_reopen(line);
    line_fill(line);
    if (line->wire.wants_output && !wire_flush(&line->wire))
        line_reopen(line);
}

/* Returns how many connections had something. */
static int poll_once(int64_t wait)
{
    struct epoll_event events[MAX_EVENTS];
    struct timespec time = {.tv_sec = wait / SECOND, .tv_nsec = wait % SECOND};
    int n = epoll_pwait2(poll_fd, events, MAX_EVENTS, &time, NULL);
    for (int i = 0; i < n; i++) {
        Line *line = events[i].data.ptr;
        if (!wire_ready(&line->wire, events[i].events))
            line_reopen(line);
        line_serve(line);
    }
    return n;
}

static void drain(void)
{
    for (int64_t until = clock_now() + PATIENCE; in_flight && clock_now() < until;)
        poll_once(MILLISECOND);
}

/* ---- Commands -------------------------------------------------------------------------------- */

static double microseconds(const Histogram *histogram, double quantile)
{
    return (double)histogram_quantile(histogram, quantile) / 1e3;
}

static void print_quantiles(const char *name, const Histogram *histogram)
{
    printf(", \"%s\": {\"n\": %llu, \"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f}", name,
           (unsigned long long)histogram_count(histogram), microseconds(histogram, 0.5),
           microseconds(histogram, 0.99), microseconds(histogram, 0.999));
}

static void print_figures(int64_t took)
{
    printf("{\"due\": %llu, \"good\": %llu, \"wrong\": %llu, \"lost\": %llu, \"why\": \"%s\", "
           "\"bytes\": %llu, "
           "\"connected\": %llu, \"seconds\": %.6f",
           (unsigned long long)figures->due, (unsigned long long)figures->good,
           (unsigned long long)figures->wrong, (unsigned long long)in_flight,
           figures->why ? figures->why : "", (unsigned long long)figures->bytes,
           (unsigned long long)figures->connected, (double)took / 1e9);
    if (histogram_count(&figures->own)) {
        print_quantiles("latency", &figures->latency);
        print_quantiles("quiet", &figures->quiet);
        print_quantiles("own", &figures->own);
    }
    puts("}");
    fflush(stdout);
}

static void probe(void)
{
    probing = fopen(options.save, "wbe");
    CHECK(probing);
    right.size = 0;
    if (call_begin(&lines[0], 0))
        line_serve(&lines[0]);
    drain();
    right.exact = options.web ? web_trailers() : right.size;
    fwrite(right.body, 1, right.size, probing);
    fclose(probing);
    probing = NULL;
}

static void run(double seconds)
{
    int64_t until = clock_now() + (int64_t)(seconds * SECOND);
    filling = true;
    for (uint32_t i = 0; i < options.connections; i++)
        line_serve(&lines[i]);
    while (clock_now() < until)
        poll_once(MILLISECOND);
    filling = false;
    drain();
}

static int64_t waiting[WAITING];
static uint32_t first_waiting, end_waiting, turn;

static bool call_begin_any(int64_t due)
{
    for (uint32_t i = 0; i < options.connections; i++) {
        Line *line = &lines[turn++ % options.connections];
        if (call_begin(line, due)) {
            line_serve(line);
            return true;
        }
    }
    return false;
}

static int64_t pause_before_next(Random *chance, double rate)
{
    double part = ((double)(random_next(chance) >> 11) + 1) / 9007199254740993.0;
    return (int64_t)(-log(part) / rate * SECOND);
}

static void begin_waiting(void)
{
    while (first_waiting != end_waiting && call_begin_any(waiting[first_waiting % WAITING]))
        first_waiting++;
}

static void count_quiet(void)
{
    for (uint32_t i = 0; i < n_samples; i++)
        if (quiet_was(samples[i].due, samples[i].due + samples[i].took))
            histogram_record(&figures->quiet, (uint64_t)samples[i].took);
}

static void offer(double rate, double seconds)
{
    int64_t due = clock_now(), until = due + (int64_t)(seconds * SECOND);
    Random chance;
    random_seed_fixed(&chance, SEED);
    n_samples = first_waiting = end_waiting = 0;
    quiet_start(due);
    for (int64_t now; (now = clock_now()) < until || first_waiting != end_waiting;) {
        (void)quiet_note(now);
        for (; due <= now && due < until; due += pause_before_next(&chance, rate)) {
            CHECK(end_waiting - first_waiting < WAITING);
            histogram_record(&figures->own, (uint64_t)(now - due));
            waiting[end_waiting++ % WAITING] = due;
        }
        begin_waiting();
        now = clock_now();
        poll_once(due > now ? due - now : 0);
    }
    drain();
    count_quiet();
}

static bool obey(const char *command)
{
    double rate, seconds;
    int64_t began = clock_now();
    memset(figures, 0, sizeof *figures);
    while (poll_once(0) > 0) {
    } /* what has come since the last one: connections that were closed */
    if (strncmp(command, "probe", 5) == 0)
        probe();
    else if (sscanf(command, "run %lf", &seconds) == 1)
        run(seconds);
    else if (sscanf(command, "open %lf %lf", &rate, &seconds) == 2)
        offer(rate, seconds);
    else
        return false;
    print_figures(clock_now() - began);
    return true;
}

/* ---- The process ----------------------------------------------------------------------------- */

static void usage(void)
{
    fputs("usage: caller PORT h1|h2 OPTIONS\n"
          "  --connections N  --streams N   as many in flight on each\n"
          "  --fresh                        a new connection for each call\n"
          "  --numbered N                   0000 of the path is 0000, 0001, ... in turn\n"
          "  --method M  --path P  --field 'NAME: VALUE'  --body FILE\n"
          "  --grpc                         trailers must say grpc-status: 0\n"
          "  --web                          the body must say so\n"
          "  --tls CA                       for localhost, signed by it\n"
          "  --window BYTES                 that it is ready to receive on a stream\n"
          "  --save FILE                    for what the probe receives\n"
          "  --quiet GATEWAY,SERVICE        their schedstat files\n",
          stderr);
    exit(2);
}

static void add_field(char *text)
{
    char *colon = strstr(text, ": ");
    if (!colon)
        usage();
    *colon = '\0';
    fields_add(&options.fields, bytes_of(text), bytes_of(colon + 2));
}

static void open_quiet(char *files)
{
    char *comma = strchr(files, ',');
    if (!comma)
        usage();
    *comma = '\0';
    if (!quiet_open(files, comma + 1)) {
        perror(files);
        exit(1);
    }
}

static void trust(const char *ca)
{
    tls = SSL_CTX_new(TLS_client_method());
    CHECK(tls);
    if (SSL_CTX_load_verify_file(tls, ca) != 1) {
        fprintf(stderr, "%s: no certificates\n", ca);
        exit(1);
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static const struct option long_options[] = {
    {"connections", required_argument, NULL, 'c'},
    {"streams", required_argument, NULL, 's'},
    {"fresh", no_argument, NULL, 'n'},
    {"method", required_argument, NULL, 'm'},
    {"path", required_argument, NULL, 'p'},
    {"field", required_argument, NULL, 'f'},
    {"body", required_argument, NULL, 'b'},
    {"grpc", no_argument, NULL, 'g'},
    {"numbered", required_argument, NULL, 'u'},
    {"web", no_argument, NULL, 'e'},
    {"tls", required_argument, NULL, 't'},
    {"window", required_argument, NULL, 'w'},
    {"save", required_argument, NULL, 'o'},
    {"quiet", required_argument, NULL, 'q'},
    {NULL, 0, NULL, 0},
};

static void read_option(int option)
{
    switch (option) {
    case 'c': options.connections = (uint32_t)atoi(optarg); break;
    case 's': options.streams = (uint32_t)atoi(optarg); break;
    case 'n': options.fresh = true; break;
    case 'u': options.numbered = (uint32_t)atoi(optarg); break;
    case 'm': options.method = optarg; break;
    case 'p': options.path = optarg; break;
    case 'f': add_field(optarg); break;
    case 'b': options.body = wire_read_file(optarg); break;
    case 'g': options.grpc = true; break;
    case 'e': options.web = true; break;
    case 't': trust(optarg); break;
    case 'w': options.window = (uint32_t)atoi(optarg); break;
    case 'o': options.save = optarg; break;
    case 'q': open_quiet(optarg); break;
    default: usage();
    }
}

static void read_options(int argc, char **argv)
{
    options.fields = fields_in(arena);
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        read_option(option);
    if (argc - optind != 2 || !options.save || options.connections == 0)
        usage();
    options.port = (uint16_t)atoi(argv[optind]);
    options.h1 = strcmp(argv[optind + 1], "h1") == 0;
    if (options.h1)
        options.streams = 1;
}

static void connect_all(void)
{
    limits = wire_limits();
    if (options.window) {
        limits.stream_window = options.window;
        limits.connection_window = options.window > 65535 ? options.window : 65535;
    }
    lines = calloc(options.connections, sizeof *lines);
    CHECK(lines);
    for (uint32_t i = 0; i < options.connections; i++) {
        line_open(&lines[i]);
        line_serve(&lines[i]);
        poll_once(0);
    }
}

int main(int argc, char **argv)
{
    char command[128];
    arena = arena_new(ARENA_UNLIMITED);
    read_options(argc, argv);
    wire_raise_file_limit();
    prctl(PR_SET_TIMERSLACK, 1);
    signal(SIGPIPE, SIG_IGN);
    figures = calloc(1, sizeof *figures);
    CHECK(figures);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    connect_all();
    for (int i = 0; i < 20; i++)
        poll_once(10 * MILLISECOND); /* until all have their SETTINGS */
    while (fgets(command, sizeof command, stdin))
        if (!obey(command))
            usage();
    return 0;
}
