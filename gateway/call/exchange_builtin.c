/* The built-in services: gRPC health, server reflection, operations. */
#include "gateway/builtin/health.h"
#include "gateway/builtin/reflection.h"
#include "gateway/call/client_internal.h"
#include "gateway/catalog/documents.h"
#include "gateway/headers/etags.h"

typedef struct BuiltinCall BuiltinCall;

struct BuiltinCall {
    Exchange *x;
    const Builtin *builtin;
    ReflectionView reflection;
    HealthWatch watch;
    Telling *telling; /* of an operation; NULL: nothing was begun */
    Bytes response;   /* where it is no stream, no operation and no document */

    CatalogPage page;   /* of the catalog */
    Document *document; /* a reference; NULL: there is none (yet) */
    DocumentWait *wait; /* for it; NULL: it waits for none */
    bool is_known;      /* the client has the document */
};

/* ---- Health ---------------------------------------------------------------------------------- */

static Result read_name(Exchange *x, Bytes request, Bytes *name_out)
{
    return health_read(request, name_out) ? OK
                                          : FAIL_TELL(x->arena, FAULT_BAD_MESSAGE,
                                                      "HealthCheckRequest is cut off or malformed");
}

static Result answer_check(Exchange *x, Bytes request, Buffer *out)
{
    Bytes name;
    Result r = read_name(x, request, &name);
    if (failed(r))
        return r;
    Health health = health_of(x->loop, x->config, name);
    Bytes shown = bytes_cut_text(name, 200);
    if (health == HEALTH_SERVICE_UNKNOWN)
        return FAIL_TELL(x->arena, FAULT_UNKNOWN_SERVICE, "health of %.*s", BYTES_ARGS(shown));
    health_write(health, out);
    return OK;
}

static const Step *send_health(Exchange *x)
{
    Buffer out = buffer_in(exchange_scratch(x));
    health_write(x->builtin->watch.health, &out);
    return exchange_give_message(x, (Message){.bytes = buffer_bytes(&out)});
}

static const Step *end_well(Exchange *x)
{
    Status ok = {.code = CODE_OK};
    return exchange_give_end(x, &ok, NULL);
}

static void tell_health(HealthWatch *watch)
{
    Exchange *x = ((BuiltinCall *)((char *)watch - offsetof(BuiltinCall, watch)))->x;
    const Step *step = send_health(x);
    exchange_forget_messages(x);
    if (step == STEP_WAIT && x->loop->draining)
        step = end_well(x);
    exchange_run(x, step);
}

static Result answer_watch(Exchange *x, Bytes request, Buffer *out)
{
    Bytes name;
    Result r = read_name(x, request, &name);
    if (failed(r))
        return r;
    HealthWatch *watch = &x->builtin->watch;
    watch->name = bytes_copy(x->arena, name);
    watch->tell = tell_health;
    health_watch_start(watch, x->loop);
    health_write(watch->health, out);
    return OK;
}

/* ---- Reflection ------------------------------------------------------------------------------ */

static Result answer_reflection(Exchange *x, Bytes request, Buffer *out)
{
    return reflection_answer(&x->builtin->reflection, request, exchange_scratch(x), out);
}

/* ---- Operations ------------------------------------------------------------------------------ */

/* The request is complete. */
static const Step *begin_operation(Exchange *x)
{
    BuiltinCall *call = x->builtin;
    const OperationTable *table = x->loop->operations;
    if (!table)
        return exchange_fail(x, FAIL(x->arena, FAULT_STORE_DOWN, "this gateway has no store"));
    OperationCall operation = {.x = x,
                               .loop = x->loop,
                               .config = x->config,
                               .builtin = call->builtin,
                               .call = &x->call,
                               .request = call->response,
                               .identity = x->identity,
                               .record = &x->record,
                               .deadline = x->deadline,
                               .arena = x->arena};
    call->telling = table->begin(&operation);
    return call->telling ? STEP_WAIT
                         : exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "calling %s",
                                                 call->builtin->path));
}

/* A state that a slow reader did not take is not kept for it: it would wait for others. */
static const Step *give_state(Exchange *x, const Told *told)
{
    if (!caller_has_room(x->caller))
        return exchange_fail(x, FAIL(x->arena, FAULT_CLIENT_STALLED,
                                     "%u states of the operation wait to be read",
                                     x->record.messages_out));
    const Step *step = exchange_give_message(x, (Message){.bytes = told->message});
    exchange_forget_messages(x);
    return step == STEP_WAIT && !told->more ? end_well(x) : step;
}

void exchange_told(Exchange *x, const Told *told)
{
    x->record.job = told->job;
    if (failed(told->why))
        exchange_run(x, exchange_fail(x, error_copy(x->arena, told->why)));
    else if (x->builtin->builtin->stream)
        exchange_run(x, give_state(x, told));
    else
        exchange_run(x, exchange_give_response(x, (Message){.bytes = told->message}, NULL));
}

static void drop_telling(BuiltinCall *call)
{
    Telling *telling = call->telling;
    call->telling = NULL;
    if (telling)
        telling->table->drop(telling);
}

/* ---- Pages of the catalog -------------------------------------------------------------------- */

static CatalogView view_of(const Exchange *x)
{
    return (CatalogView){x->config, x->identity, x->record.began};
}

static Result answer_page(Exchange *x, Bytes request, Buffer *out)
{
    (void)request;
    CatalogPage *page = &x->builtin->page;
    const CatalogView view = view_of(x);
    if (!catalog_find(x->config, x->call.path, page)) /* which has found it before */
        return FAIL(x->arena, FAULT_UNKNOWN_PATH, "%.*s", BYTES_ARGS(x->call.path));
    client_of(x)->content_type = bytes_of(catalog_media(page->kind));
    Result r = catalog_check(&view, page, x->call.path, x->arena);
    if (!failed(r))
        r = exchange_check_acceptable(x);
    return failed(r) ? r : catalog_write(&view, page, out);
}

static Result too_large(const Exchange *x)
{
    const Version *version = x->builtin->page.version;
    return FAIL_TELL(x->arena, FAULT_UNSUPPORTED,
                     "the document of %s %s is larger than catalog.document_bytes (%llu); "
                     "`passerelle openapi` prints it",
                     version->service->name, version->name,
                     (unsigned long long)x->config->catalog->document_bytes);
}

static const Step *give_document(Exchange *x, Document *document)
{
    BuiltinCall *call = x->builtin;
    call->document = document;
    if (!document->json.size)
        return exchange_fail(x, too_large(x));
    Bytes known = etags_restore(fields_joined(x->call.head, "if-none-match"), x->arena);
    call->is_known = etags_have(known, bytes_of(document->tag));
    if (!call->is_known && exchange_must_compress(x) &&
        document->json.size > x->config->limits.work_bytes) /* it would hold the loop */
        return exchange_fail(x, FAIL_TELL(x->arena, FAULT_NOT_ACCEPTABLE,
                                          "identity is refused, and a document of %zu bytes is not "
                                          "compressed",
                                          document->json.size));
    Bytes sent = call->is_known ? BYTES_NONE : document->json;
    return exchange_give_response(x, (Message){.bytes = sent}, NULL);
}

static void on_made(void *owner, Document *document)
{
    Exchange *x = owner;
    x->builtin->wait = NULL;
    exchange_run(x,
                 document ? give_document(x, document) : exchange_fail(x, exchange_refuse_work(x)));
}

static const Step *begin_document(Exchange *x)
{
    BuiltinCall *call = x->builtin;
    const CatalogView view = view_of(x);
    const DocumentAsk ask = {x->loop, x->config, x->client, x, on_made};
    Document *document = document_ask(&ask, &view, call->page.version, &call->wait);
    return document ? give_document(x, document) : STEP_WAIT;
}

static void drop_document(BuiltinCall *call)
{
    if (call->wait)
        document_leave(call->wait);
    document_free(call->document);
    call->wait = NULL;
    call->document = NULL;
}

bool exchange_page_is_known(const Exchange *x)
{
    return x->builtin && x->builtin->is_known;
}

void exchange_add_page_fields(const Exchange *x, Fields *fields)
{
    if (x->builtin->builtin->method != BUILTIN_PAGE)
        return;
    const Document *document = x->builtin->document;
    if (document && document->json.size)
        fields_add(fields, bytes_of("etag"), bytes_of(document->tag));
    const char *who = x->config->access.has_rules ? "private, no-cache" : "max-age=60";
    fields_add(fields, bytes_of("vary"), bytes_of("accept-encoding")); /* for want of identity */
    fields_add(fields, bytes_of("link"), bytes_of(catalog_link(x->config, x->arena)));
    fields_add(fields, bytes_of("cache-control"), bytes_of(who));
}

/* ---- What is answered at once ---------------------------------------------------------------- */

/* Answers one request with one message, into `out`. */
static Result (*const answers[])(Exchange *x, Bytes request, Buffer *out) = {
    [BUILTIN_CHECK] = answer_check,
    [BUILTIN_WATCH] = answer_watch,
    [BUILTIN_REFLECT] = answer_reflection,
    [BUILTIN_PAGE] = answer_page,
};

/* ---- The call -------------------------------------------------------------------------------- */

static const Step *wrong_count(Exchange *x, const char *how_many)
{
    return exchange_fail(x, FAIL_TELL(x->arena, FAULT_UNSUPPORTED, "%s takes one message, and %s",
                                      x->builtin->builtin->path, how_many));
}

/* Requests are small and responses large: no response is made before the caller accepts it. */
static bool caller_takes_more(const Exchange *x)
{
    return caller_has_room(x->caller);
}

static const Step *keep_request(Exchange *x, Message request)
{
    Bytes *kept = &x->builtin->response;
    *kept = bytes_copy(x->arena, request.bytes);
    return kept->data || !request.bytes.size
               ? STEP_WAIT
               : exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping a request"));
}

static const Step *answer(Exchange *x, Message request)
{
    BuiltinCall *call = x->builtin;
    if (call->builtin->one_request && x->has_message)
        return wrong_count(x, "more were sent");
    x->has_message = true;
    x->record.messages_in++;
    if (builtin_is_operation(call->builtin))
        return keep_request(x, request);
    Buffer out = buffer_in(exchange_scratch(x));
    Result r = answers[call->builtin->method](x, request.bytes, &out);
    if (failed(r))
        return exchange_fail(x, error_copy(x->arena, r));
    call->response = buffer_bytes(&out);
    return call->builtin->stream ? exchange_give_message(x, (Message){.bytes = call->response})
                                 : STEP_WAIT;
}

static const Step *end(Exchange *x, const Message *last)
{
    const BuiltinCall *call = x->builtin;
    const Step *step = last ? answer(x, *last) : STEP_WAIT;
    if (step != STEP_WAIT)
        return step;
    if (call->builtin->one_request && !x->has_message)
        return wrong_count(x, "none was sent");
    if (builtin_is_operation(call->builtin))
        return begin_operation(x);
    if (call->page.kind == CATALOG_OPENAPI)
        return begin_document(x);
    if (!call->builtin->stream)
        return exchange_give_response(x, (Message){.bytes = call->response}, NULL);
    return call->watch.at ? STEP_WAIT : end_well(x);
}

static void release(Exchange *x)
{
    health_watch_stop(&x->builtin->watch);
    drop_telling(x->builtin);
    drop_document(x->builtin);
}

const ExchangeKind KIND_BUILTIN = {
    .name = "built-in",
    .wants = caller_takes_more,
    .has_room = caller_takes_more,
    .take = answer,
    .end = end,
    .room = exchange_ask_for_more,
    .first = STEP_WAIT,
    .release = release,
};

const Step *exchange_begin_builtin(Exchange *x, const Builtin *builtin, const Fields *head)
{
    bool is_rest = x->call.dialect == DIALECT_REST;
    if (x->call.codec != CODEC_PROTO && !builtin->json)
        return exchange_fail(x, FAIL_TELL(x->arena, FAULT_UNSUPPORTED_MEDIA,
                                          "%s speaks protobuf only", builtin->path));
    if (builtin->stream && !dialect_is_framed(x->call.dialect) && !is_rest)
        return exchange_fail(
            x, FAIL_TELL(x->arena, FAULT_UNSUPPORTED_MEDIA, "%s is a stream", builtin->path));
    BuiltinCall *call = arena_make(x->arena, BuiltinCall);
    if (!call)
        return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "calling %s", builtin->path));
    call->x = x;
    call->builtin = builtin;
    Result r = builtin->method == BUILTIN_REFLECT
                   ? reflection_view(x->config, head, x->identity, x->record.began, x->arena,
                                     &call->reflection)
                   : OK;
    if (failed(r))
        return exchange_fail(x, r);
    x->builtin = call;
    if (builtin->stream)
        x->scratch = NULL;
    return builtin->stream && is_rest ? client_begin_rest_stream(client_of(x), &KIND_BUILTIN)
                                      : exchange_begin(x, &KIND_BUILTIN);
}
