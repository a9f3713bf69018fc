#include "gateway/dial/command_call.h"

#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/dial/dial_method.h"
#include "gateway/dial/dial_peer.h"
#include "gateway/dial/dial_request.h"
#include "gateway/dial/dial_show.h"
#include "gateway/telemetry/telemetry.h"

#include <openssl/ssl.h>
#include <unistd.h>

#define TIMEOUT (30 * SECOND) /* where neither --timeout nor the route says one */

typedef struct Calling {
    const CommandLine *line;
    Config *config;
    Arena *arena;
    const Method *method;
    DialRequest request;
    Fields fields; /* -H */
    int64_t timeout;
    Buffer out;
    DialShow show;
    DialPlans plans; /* for the place that is called */
    Instance peer;   /* of --to, or an --instance that the config does not have */
    DialEnd end;
} Calling;

/* ---- What is printed ------------------------------------------------------------------------- */

static bool watches(const Calling *c)
{
    return isatty(STDERR_FILENO) && !command_flag(c->line, "--quiet");
}

static void flush(Calling *c)
{
    if (watches(c))
        fputs("\r\x1b[K", stderr);
    if (!command_wants_json(c->line) && !command_flag(c->line, "--quiet"))
        fwrite(c->out.data, 1, c->out.size, stdout);
    fflush(stdout);
    if (!command_wants_json(c->line))
        c->out.size = 0;
}

static void progress(const Calling *c, const Instance *instance)
{
    if (watches(c))
        fprintf(stderr, "calling %s ...", instance->address.text);
}

/* The call ends here without having begun. */
static int refuse(Calling *c, Result r, int code)
{
    Status status = {.code = (Code)r.error->fault->grpc_status, .error = r.error};
    c->end = (DialEnd){.status = status, .unreached = true};
    dial_show_end(&c->show, c->plans.method ? &c->plans : NULL, &c->end);
    if (command_wants_json(c->line))
        command_print_json(c->line, buffer_bytes(&c->out));
    else
        command_tell(c->line, "%s", error_text(c->arena, r));
    return code;
}

/* ---- One place ------------------------------------------------------------------------------- */

/* The instance's side is not seen through a gateway. */
static Result read_message(const Calling *c, Bytes message, DialSides *sides)
{
    if (!c->show.through)
        return dial_response_convert(&c->plans, message, c->arena, sides);
    Buffer json = buffer_in(c->arena);
    Result r = plan_run(c->plans.from_proto, &(PlanInput){.bytes = message}, c->arena, &json, NULL);
    *sides = (DialSides){.client = failed(r) ? BYTES_NONE : buffer_bytes(&json)};
    return r;
}

static Result on_message(void *owner, Bytes message)
{
    Calling *c = owner;
    DialSides sides;
    Result r = read_message(c, message, &sides);
    if (sides.client.data || sides.instance.data)
        dial_show_response(&c->show, &c->plans, &sides);
    flush(c);
    return r;
}

/* Messages of the request: as they are written, then as they are sent. */
typedef struct Messages {
    Bytes *items;
    uint32_t n;
} Messages;

/* A method of one message takes an empty one where none is written. */
static Result write_all(Calling *c, Messages *messages)
{
    const DialRequest *request = &c->request;
    bool none = !request->n && !request->n_fields && c->method->type->client_streaming;
    messages->n = request->n || none ? request->n : 1;
    messages->items = arena_array(c->arena, Bytes, messages->n);
    Result r = OK;
    for (uint32_t i = 0; i < messages->n && !failed(r); i++)
        r = dial_request_write(&c->plans,
                               &(PlanInput){.bytes = request->n ? request->messages[i] : BYTES_NONE,
                                            .no_body = !request->n,
                                            .parameters = request->fields,
                                            .n_parameters = request->n_fields},
                               c->arena, &messages->items[i]);
    return r;
}

/* Through a gateway it goes in the client's version. */
static Result convert(Calling *c, Bytes *message)
{
    DialSides sides;
    Buffer proto = buffer_in(c->arena);
    PlanInput json = {.bytes = *message};
    Result r = dial_request_convert(&c->plans, json.bytes, c->arena, &sides, message);
    dial_show_request(&c->show, &c->plans, &sides);
    if (failed(r) || !c->show.through)
        return r;
    r = plan_run(c->plans.to_proto, &json, c->arena, &proto, NULL);
    *message = buffer_bytes(&proto);
    return r;
}

static Result make_request(Calling *c, const DialPlace *place, Messages *messages)
{
    const Instance *instance = place->instance;
    Result r = dial_plans_make(c->arena, c->method, place->served, instance->codec, &c->plans);
    if (!failed(r))
        r = write_all(c, messages);
    if (failed(r))
        return r;
    dial_show_begin(&c->show, &c->plans, instance->address.text);
    for (uint32_t i = 0; i < messages->n && !failed(r); i++)
        r = convert(c, &messages->items[i]);
    flush(c);
    return r;
}

static Result call(Calling *c, const DialPlace *place)
{
    const MethodPair *pair = &c->method->pairs[place->served->index];
    Messages messages;
    Result r = make_request(c, place, &messages);
    if (failed(r))
        return r;
    progress(c, place->instance);
    return dial_call(c->config,
                     &(DialCall){.instance = place->instance,
                                 .type = c->show.through ? c->method->type : pair->target->type,
                                 .codec = place->instance->codec,
                                 .metadata = &c->fields,
                                 .timeout = c->timeout,
                                 .messages = messages.items,
                                 .n = messages.n,
                                 .on_message = on_message,
                                 .owner = c},
                     c->arena, &c->end);
}

static int end(Calling *c)
{
    dial_show_end(&c->show, &c->plans, &c->end);
    flush(c);
    command_print_json(c->line, buffer_bytes(&c->out));
    if (c->end.unreached)
        return EXIT_UNREACHED;
    bool strict = command_flag(c->line, "--strict") && c->show.lost;
    return c->end.status.code == CODE_OK && !strict ? EXIT_WELL : EXIT_NO;
}

/* ---- Places ---------------------------------------------------------------------------------- */

static Result read_peer(Calling *c, const char *address)
{
    DialPeer peer = {.address = address,
                     .ca = command_option(c->line, "--ca"),
                     .certificate = command_option(c->line, "--cert"),
                     .key = command_option(c->line, "--key")};
    return dial_peer_read(c->arena, &peer, &c->peer);
}

static bool is_wanted(const Calling *c, const DialPlace *place)
{
    const char *address = command_option(c->line, "--instance");
    const char *served = command_option(c->line, "--as");
    return (!address || strcmp(address, place->instance->address.text) == 0) &&
           (!served || strcmp(served, place->served->name) == 0);
}

static void keep_wanted(const Calling *c, DialPlaces *places)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < places->n; i++)
        if (is_wanted(c, &places->items[i]))
            places->items[n++] = places->items[i];
    places->n = n;
}

/* The version of --as, in which a peer is called that the config does not have; else the best. */
static Result find_served(const Calling *c, const DialPlaces *places, const Version **served_out)
{
    const char *as = command_option(c->line, "--as");
    *served_out = places->best;
    Result r = as ? dial_version_find(c->method->version->service, as, c->arena, served_out) : OK;
    if (failed(r) || (*served_out && c->method->pairs[(*served_out)->index].target))
        return r;
    return FAIL(c->arena, FAULT_UNKNOWN_VERSION, "%s cannot be served as %s", c->method->type->path,
                as ? as : "any version");
}

static Result use_peer(Calling *c, const char *address, const Version *served, DialPlaces *places)
{
    Result r = read_peer(c, address);
    if (failed(r))
        return r;
    places->items = arena_make(c->arena, DialPlace);
    places->items[0] = (DialPlace){&c->peer, served};
    places->n = 1;
    return OK;
}

static Result find_places(Calling *c, DialPlaces *places)
{
    const char *to = command_option(c->line, "--to");
    const char *address = command_option(c->line, "--instance");
    const Version *served;
    Result r = dial_places_find(c->config, c->method, &c->fields, c->arena, places);
    if (!failed(r))
        r = find_served(c, places, &served);
    if (failed(r))
        return r;
    c->show.through = to != NULL;
    if (to)
        return use_peer(c, to, served, places);
    keep_wanted(c, places);
    if (address && !places->n)
        return use_peer(c, address, served, places);
    return places->n ? OK
                     : FAIL(c->arena, FAULT_NO_INSTANCE,
                            "the config names no instance for it: say one with --instance ADDRESS");
}

/* The next one is called where the one before cannot be reached. */
static int call_places(Calling *c, const DialPlaces *places)
{
    for (uint32_t i = 0;; i++) {
        Result r = call(c, &places->items[i]);
        if (failed(r))
            return refuse(c, r, EXIT_NO);
        if (!c->end.unreached || i + 1 == places->n)
            return end(c);
        flush(c);
        command_tell(c->line, "%s cannot be reached: %s", places->items[i].instance->address.text,
                     error_text(c->arena, (Result){c->end.status.error}));
        c->out.size = 0;
    }
}

/* ---- The command ----------------------------------------------------------------------------- */

static int run(Calling *c)
{
    const CommandLine *line = c->line;
    DialPlaces places;
    Result r = dial_method_find(c->config, line->arguments[1], command_option(line, "--version"),
                                c->arena, &c->method);
    if (!failed(r))
        r = dial_request_read(c->arena, line->arguments + 2, line->n - 2, &c->request);
    if (!failed(r))
        r = find_places(c, &places);
    if (failed(r))
        return refuse(c, r, EXIT_NO);
    if (c->request.n > 1 && !c->method->type->client_streaming)
        return refuse(c,
                      FAIL(c->arena, FAULT_UNSUPPORTED, "%s takes one message, and %u are written",
                           c->method->type->path, c->request.n),
                      EXIT_NO);
    if (c->show.through)
        fields_set(&c->fields, c->method->version->service->version_header,
                   bytes_of(c->method->version->name));
    if (!c->timeout)
        c->timeout = c->method->route->timeout == NO_TIMEOUT ? TIMEOUT : c->method->route->timeout;
    return call_places(c, &places);
}

/* False: it is no time, which was told. */
static bool read_timeout(Calling *c)
{
    const char *text = command_option(c->line, "--timeout");
    if (!text || (spelling_duration(bytes_of(text), &c->timeout) && c->timeout > 0))
        return true;
    command_tell(c->line, "--timeout takes a time as 500ms or 10s, not %s", text);
    return false;
}

int command_call(const CommandLine *line)
{
    if (line->n < 2)
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Calling c = {.line = line, .arena = arena, .fields = fields_in(arena), .out = buffer_in(arena)};
    int code = EXIT_USAGE;
    c.show = dial_show_in(arena, &c.out);
    c.show.json = command_wants_json(line);
    c.show.colours = command_colours() && !c.show.json;
    if (command_take_fields(line, arena, &c.fields) && read_timeout(&c)) {
        c.config = command_config(line, 0);
        telemetry_be_silent();
        code = c.config ? run(&c) : EXIT_NO;
        SSL_CTX_free(c.peer.tls);
        if (c.config)
            config_unref(c.config);
    }
    arena_free(arena);
    return code;
}
