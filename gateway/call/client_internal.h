/*
 * The inside of a client, for the files of gateway/call only.
 *
 *      client.c          its stream's events, and the steps until the method is known
 *      client_shed.c     refuses calls of an overloaded loop, and beyond limits
 *
 *      client_resolve.c  finds the method, binding or route
 *
 *      client_policy.c   asks a policy server
 *
 *      client_reply.c    the response: its head, its messages, its end
 */
#ifndef GATEWAY_CLIENT_INTERNAL_H
#define GATEWAY_CLIENT_INTERNAL_H

#include "gateway/authz/authz_port.h"
#include "gateway/builtin/builtin.h"
#include "gateway/call/client.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/headers/forwarding.h"
#include "gateway/headers/request_id.h"
#include "gateway/headers/trace_context.h"
#include "gateway/identity/identity.h"
#include "gateway/limits/rate_limits.h"
#include "gateway/match/destination.h"
#include "gateway/rest/http_body.h"
#include "protocols/http/compression_stream.h"

/*
 * A call about which a policy server is asked (client_policy.c). It is held (KIND_HELD) until the
 * answer is there. In the exchange's arena.
 */
typedef struct ClientPolicy {
    const PolicyServer *server;
    const Builtin *builtin; /* what it is for; NULL: none */
    Buffer http;            /* AuthzAttributes.http */
    bool has_body;          /* of which the server gets a part, */
    bool waits;             /* for which the call waits */
    AuthzAsking *asking;    /* NULL: nobody is asked now */
    AuthzChanges response;  /* that it has ordered, for the response to the client */
    Status said;            /* refused: what the client is told */
} ClientPolicy;

/* Lives in the exchange's arena, and as long. */
struct Client {
    Caller caller;
    Exchange *x;
    ClientConnection *connection;
    Client *next, **at; /* in its connection */
    HttpStream *stream; /* NULL: released */

    /* The request. */
    const HttpHead *head; /* in the memory of the turn: during its event only */
    Forwarding forwarding;
    TraceContext trace;
    char request_id[REQUEST_ID_SIZE]; /* a new one, unless the client's own is accepted:
                                         record.request_id */
    Bytes origin;                     /* of the page that calls, or empty */
    Bytes if_none_match; /* REST: as the client said it; the instance gets its own tags */
    MessageReader reader;
    Buffer early;         /* body that the exchange does not accept yet */
    LimitPass *limits;    /* that it has met and must remember; NULL: none */
    ClientPolicy *policy; /* of the policy server that is asked, or was; NULL: none */
    Timer
        more; /* reports the first of it to the exchange, after everything of this turn was read */
    size_t owed;        /* bytes received and not given back to the client's window yet */
    bool ended;         /* the client has sent everything; */
    bool told;          /* and the exchange was notified */
    bool shed;          /* it is to be refused, with a record: client_refuse */
    bool tunnel;        /* opaque HTTP: upgraded; both sides end by themselves */
    bool has_token;     /* the request brings a bearer token, where clients prove their names */
    bool allow_of_path; /* `allow` is that of a path of REST */
    uint32_t n_interim; /* opaque HTTP: interim responses so far */

    /* The response. */
    Bytes allow;                   /* for the Allow field of a 405 */
    Bytes content_type;            /* of an HttpBody; else empty */
    Framing framing;               /* settled with the head */
    size_t piece_left;             /* of a message that goes out in pieces: not sent yet */
    RestBody *rest_body;           /* JSON messages that follow each other in one body, without
                                      frames that could name a compression; else NULL */
    CompressionStream *compressor; /* of a body that is compressed as a whole while it is made; or
                                      NULL */

    /* Opaque HTTP. */
    HttpHead *opaque_head; /* what is sent on */
};

/* Also opaque HTTP, whose instance may. */
static inline bool client_speaks_grpc(Dialect dialect)
{
    return dialect != DIALECT_REST && dialect != DIALECT_CONNECT &&
           dialect != DIALECT_CONNECT_STREAM;
}

static inline Client *client_of(const Exchange *x)
{
    return (Client *)x->caller;
}

/* In the call's config; NULL: it is no longer there. */
static inline const ListenerConfig *client_listener(const Client *c)
{
    const ClientConnection *connection = c->connection;
    const Config *config = c->x->config;
    bool known = connection->heard_on && connection->generation == config->generation;
    return known ? connection->heard_on : config_listener(config, connection->listener);
}

/* client_resolve.c: assigns a request id and a trace before anything can fail; then fills in the
   call, its dialect, and the method or binding. Forwarding fields are separated from the others:
   see forwarding.h. */
MUST_USE Result client_name(Client *c);
/* *builtin_out: a built-in service, or NULL. */
MUST_USE Result client_resolve(Client *c, const Builtin **builtin_out);
/* To the metadata of a call that is made, last: what is withheld is looked for among few fields. */
void client_pass_on_names(Client *c);
/* After client_resolve, whose result `found` is: who calls, by the credentials that the request
   brings, and whether it may be nobody. Who must prove who he is does not learn before what is
   there. Faults: those of `found`, CREDENTIALS_MISSING, CREDENTIALS_REFUSED, CREDENTIALS_EXPIRED,
   KEYS_UNAVAILABLE. */
MUST_USE Result client_authenticate(Client *c, Result found, const Builtin *builtin);
/* Once the route is known, and the client's version (NULL: it has none): whether the client may
   call it. Faults: NOT_ALLOWED; CREDENTIALS_MISSING: nobody knows who it is. */
MUST_USE Result client_authorize(Client *c, const Version *version);
/* What becomes of a failure from before the client's rights were known: as in client_authorize,
   where it would tell that something is there, or is not, to a client that may not know. */
MUST_USE Result client_conceal(Client *c, Result why);
/* Once the method is known: whether Connect's GET may call it. Fault: METHOD_NOT_ALLOWED. */
MUST_USE Result client_check_get(Client *c);
/* REST, once the binding in the client's version is known: reads the parameters from the head, and
   from the body. Faults: NOT_ACCEPTABLE, UNSUPPORTED_MEDIA, UNKNOWN_FIELD. */
MUST_USE Result client_take_rest(Client *c);
MUST_USE Result client_take_rest_body(Client *c, Message *body); /* empties what is not taken */
/* The 415 of a body with call.foreign_media. */
MUST_USE Result client_refuse_media(Client *c);

/* client_shed.c: remembers by whom what matters most is called. `to`: of a call that was taken. */
void client_note_destination(ClientConnection *connection, const Destination *to);

/* client_shed.c: refuses a call with all that is known of it. Its head is there; the exchange
   ends. */
void client_refuse(Client *c);

/* What the route of the call demands of clients; NULL: no route is known. */
static inline const AccessRules *client_rules(const Exchange *x)
{
    const Method *method = x->method ? x->method : x->binding ? x->binding->method : NULL;
    const Route *route = method ? method->route : x->route;
    return route ? &route->access : NULL;
}

/* client_policy.c: the client may make the call, as far as the gateway knows, whose head is still
   there: it begins at once, or when a policy server has allowed it. `builtin` may be NULL. */
const Step *client_ask_policy(Client *c, const Builtin *builtin);
/* `policy` is not NULL: more of the body has come early, or its end. */
void client_show_body(Client *c);
/* The call is over. */
void client_leave_policy(Client *c);
/* Fields of a response to the client, whoever makes it. */
static inline void client_apply_policy(const Client *c, Fields *fields)
{
    if (c->policy)
        authz_apply(&c->policy->response, fields);
}

/* client_resolve.c: which version the request asks for, by what is known of it now; negotiate(). */
Result client_find_version(const Client *c, Negotiation *out);

/* client_resolve.c: the same RPC in another version of its service; NULL: it has none. */
const Method *client_method_in(const Method *method, const Version *version);

/* client.c: what is allowed begins. */
const Step *client_begin(Client *c, const Builtin *builtin);

/* client.c: a stream of JSON. */
const Step *client_begin_rest_stream(Client *c, const ExchangeKind *kind);

/* client_shed.c: how much the client may do, once it is known who calls what. Faults: RATE_LIMITED,
   OUT_OF_MEMORY. */
MUST_USE Result client_limit(Client *c);
/* Whether the client's address may send credentials, or has sent wrong ones too often. Fault:
   RATE_LIMITED. */
MUST_USE Result client_may_guess(Client *c);
void client_guessed_wrong(Client *c);
/* Of what has passed by now; of a stream that owes too much: RATE_LIMITED. */
MUST_USE Result client_count_flow(Client *c);
static inline Result client_flow(Client *c)
{
    return c->limits && c->limits->flows ? client_count_flow(c) : OK;
}
/* The call is over. */
void client_leave_limits(Client *c);

/* client_reply.c: events of the caller. */
Result client_on_head(Caller *caller);
Result client_on_message(Caller *caller, Message message);
Result client_on_run(Caller *caller, MessageRun run);
Result client_on_piece(Caller *caller, Message piece);
Result client_on_response(Caller *caller, Message message, const Fields *trailers);
const Framing *client_framing(Caller *caller);
Result client_on_framed(Caller *caller, const Framed *framed);
Result client_on_framed_response(Caller *caller, const Framed *framed, const Fields *trailers);
void client_on_end(Caller *caller, const Status *status, const Fields *trailers);
void client_send_end(Client *c, const ReplyEnd *end);

/* exchange_builtin.c: what responses of the built-in service of the call have, which is there. */
void exchange_add_page_fields(const Exchange *x, Fields *fields);

/* Whether the response is a document that the client has: 304. */
bool exchange_page_is_known(const Exchange *x);

/* exchange_builtin.c: built-in services. */
/* Reads nothing of the request yet. Its path and dialect are known. */
const Step *exchange_begin_builtin(Exchange *x, const Builtin *builtin, const Fields *head);

/* exchange_opaque.c: routes without a schema. The request's head outlives its event: it is sent on
   with this path, and the query as it came. */
MUST_USE Result opaque_keep_head(Client *c, Bytes path);

#endif
