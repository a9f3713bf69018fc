#include "gateway/commands/admin_client.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file/file.h"
#include "base/text/base64.h"
#include "base/text/json_text.h"
#include "base/text/percent.h"
#include "base/text/utf8.h"
#include "gateway/admin/admin_action.h"
#include "gateway/audit/audit.h"
#include "gateway/password/password_hash.h"
#include "gateway/remote/admin_link.h"
#include "protocols/http/http.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READ_SIZE = 1 << 16,
    BODY_MOST = 64 << 20,
    VECTORS = 16,
    TOKEN_MOST = 4096,
    TOKEN_FILE_MOST = 1 << 16,
    SHOWN_MOST = 1000, /* of a body that is no problem document */
};

#define GET_TIME (10 * SECOND)
#define ACT_TIME (60 * SECOND)
#define FOLLOW_TIME (45 * SECOND) /* without a byte: three heartbeats */

/* ---- Options --------------------------------------------------------------------------------- */

/* What the command line says about the gateway and about us. */
typedef struct Access {
    const char *text; /* of the address */
    AdminAddress address;
    TlsFiles files;
    Bytes token, why; /* or empty */
    const char *user; /* NULL: no password is sent */
    Bytes password;
} Access;

static const char *address_of(const CommandLine *line)
{
    const char *given = command_option(line, "--admin"), *said = getenv("PASSERELLE_ADMIN");
    return given ? given : said && *said ? said : ADMIN_DEFAULT;
}

static bool take_address(const CommandLine *line, Arena *arena, Access *access)
{
    access->text = address_of(line);
    if (admin_address_read(arena, access->text, &access->address))
        return true;
    command_tell(line,
                 "%s is not an address: for example unix:/run/x.sock, 127.0.0.1:9901 or "
                 "https://gw1:9901",
                 access->text);
    return false;
}

static bool take_files(const CommandLine *line, Access *access)
{
    access->files = (TlsFiles){.authorities = command_option(line, "--ca"),
                               .certificate = command_option(line, "--cert"),
                               .key = command_option(line, "--key")};
    const TlsFiles *files = &access->files;
    if (!files->certificate != !files->key)
        command_tell(line, "--cert and --key belong together");
    else if ((files->authorities || files->key) && !access->address.tls)
        command_tell(line, "--ca, --cert and --key are for TLS: --admin https://HOST:PORT, not %s",
                     access->text);
    else
        return true;
    return false;
}

static bool is_token(Bytes token)
{
    for (size_t i = 0; i < token.size; i++)
        if (token.data[i] <= ' ' || token.data[i] >= 0x7f)
            return false;
    return token.size > 0 && token.size < TOKEN_MOST;
}

static void warn_of_readers(const CommandLine *line, const char *path, const char *what)
{
    struct stat info;
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & S_IRWXO))
        command_tell(line, "warning: every user of this machine may use the %s in %s: chmod 600",
                     what, path);
}

/* The only line of the file that the option names. */
static bool read_secret(const CommandLine *line, const char *option, const char *what, Arena *arena,
                        Bytes *secret_out)
{
    const char *path = command_option(line, option);
    Bytes text;
    Result r = file_read(arena, path, TOKEN_FILE_MOST, &text);
    if (failed(r)) {
        command_tell(line, "%s: %s", option, r.error->doing);
        return false;
    }
    warn_of_readers(line, path, what);
    while (text.size && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
        text.size--;
    *secret_out = text;
    return true;
}

static bool read_token(const CommandLine *line, const char *path, Arena *arena, Bytes *token_out)
{
    if (!read_secret(line, "--token-file", "token", arena, token_out))
        return false;
    if (is_token(*token_out))
        return true;
    command_tell(line, "--token-file: %s has no token: one line of at most %d visible characters",
                 path, TOKEN_MOST - 1);
    return false;
}

static bool take_token(const CommandLine *line, Arena *arena, Access *access)
{
    const char *file = command_option(line, "--token-file"), *said = getenv("PASSERELLE_TOKEN");
    if (file)
        return read_token(line, file, arena, &access->token);
    access->token = bytes_of(said);
    if (!access->token.size || is_token(access->token))
        return true;
    command_tell(line, "PASSERELLE_TOKEN is not a token: it has other than visible characters");
    return false;
}

/* One line, as `passerelle password` takes it. */
static bool is_password(Bytes password)
{
    return password.size > 0 && password.size <= PASSWORD_BYTES_MOST &&
           bytes_find(password, '\n') == password.size;
}

static bool take_password(const CommandLine *line, Arena *arena, Access *access)
{
    const char *file = command_option(line, "--password-file");
    access->user = command_option(line, "--user");
    if (!access->user) {
        if (file)
            command_tell(line, "--password-file is for --user NAME");
        return !file;
    }
    if (access->token.size) {
        command_tell(line, "--user and a token are two proofs: give one of them");
        return false;
    }
    access->password = bytes_of(getenv("PASSERELLE_PASSWORD"));
    if (file && !read_secret(line, "--password-file", "password", arena, &access->password))
        return false;
    if (is_password(access->password) && *access->user && !strchr(access->user, ':'))
        return true;
    command_tell(line,
                 "--user NAME, without a colon, needs a password of one line, at most %d bytes: "
                 "--password-file FILE, or PASSERELLE_PASSWORD",
                 PASSWORD_BYTES_MOST);
    return false;
}

static bool take_why(const CommandLine *line, Access *access)
{
    Bytes why = bytes_trim(bytes_of(command_option(line, "--why")));
    bool good = why.size <= AUDIT_WHY_MOST && utf8_valid(why);
    for (size_t i = 0; i < why.size; i++)
        good &= why.data[i] >= ' ' && why.data[i] != 0x7f;
    access->why = why;
    if (!good)
        command_tell(line, "--why is one line of text, at most %d bytes", AUDIT_WHY_MOST);
    return good;
}

static bool take_access(const CommandLine *line, Arena *arena, Access *access)
{
    return take_address(line, arena, access) && take_files(line, access) &&
           take_token(line, arena, access) && take_password(line, arena, access) &&
           take_why(line, access);
}

/* ---- The response ---------------------------------------------------------------------------- */

typedef struct Asked {
    Arena *arena;
    AdminTake *take; /* gets the body of a good response; NULL: it is kept */
    void *taker;
    AdminLink *link;
    Bytes said;      /* the body of the request; empty: there is none */
    unsigned status; /* 0: no response yet */
    Buffer body;
    bool done, broken;
} Asked;

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    ((Asked *)owner)->status = head->status;
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Asked *asked = owner;
    if (asked->take && asked->status == 200) {
        admin_link_extend(asked->link, clock_now() + FOLLOW_TIME);
        asked->broken = asked->broken || !asked->take(asked->taker, piece);
    } else if (asked->body.size + piece.size > BODY_MOST)
        asked->broken = true;
    else
        buffer_add(&asked->body, piece.data, piece.size);
    http_stream_consume(stream, piece.size);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    ((Asked *)owner)->done = true;
}

static void on_drain(void *owner, HttpStream *stream)
{
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    ((Asked *)owner)->broken = true;
}

static const HttpStreamEvents stream_events = {on_head, on_body, on_end, on_drain, on_reset};

/* ---- The exchange ---------------------------------------------------------------------------- */

static Result flush(HttpConnection *http, AdminLink *link)
{
    struct iovec vectors[VECTORS];
    while (http_connection_output(http, vectors, VECTORS) > 0) {
        size_t sent;
        Result r = admin_link_send(link, bytes(vectors[0].iov_base, vectors[0].iov_len), &sent);
        if (failed(r))
            return r;
        http_connection_sent(http, sent);
    }
    return OK;
}

/* One turn: sends what there is, and takes what comes. */
static Result turn(Asked *asked, HttpConnection *http, AdminLink *link, uint8_t *room)
{
    size_t n;
    Result r = flush(http, link);
    if (!failed(r))
        r = admin_link_receive(link, room, READ_SIZE, &n);
    if (failed(r))
        return r;
    if (n == 0) {
        http_connection_eof(http);
        return asked->done ? OK : FAIL(asked->arena, FAULT_SYSTEM, "it broke off");
    }
    bool alert = asked->status == 0 && n > 1 && room[0] == 0x15 && room[1] == 3;
    if (alert)
        return FAIL(asked->arena, FAULT_SYSTEM, "it wants TLS: write https://HOST:PORT");
    r = http_connection_feed(http, bytes(room, n), clock_now());
    if (!asked->done && (failed(r) || asked->broken))
        return FAIL(asked->arena, FAULT_SYSTEM, "what answers there does not speak HTTP");
    return OK;
}

static Bytes basic_of(const Access *access, Arena *arena)
{
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, "Basic ");
    base64_encode(
        &text, bytes_of(arena_printf(arena, "%s:%.*s", access->user, BYTES_ARGS(access->password))),
        BASE64_STANDARD, true);
    return buffer_bytes(&text);
}

static Fields fields_for(const Access *access, Arena *arena)
{
    Fields fields = fields_in(arena);
    if (access->token.size && !access->address.path)
        fields_add(&fields, bytes_of("authorization"),
                   bytes_of(arena_printf(arena, "Bearer %.*s", BYTES_ARGS(access->token))));
    if (access->user && !access->address.path)
        fields_add(&fields, bytes_of("authorization"), basic_of(access, arena));
    if (access->why.size)
        fields_add(&fields, bytes_of(ADMIN_REASON), access->why);
    return fields;
}

/* The name in Host is one that each gateway accepts. */
static Result exchange(Asked *asked, AdminLink *link, const char *verb, const char *path,
                       const Access *access)
{
    static const HttpConnectionEvents events = {NULL};
    HttpConnection *http = http1_client_new(&http_limits_default, false, &events, NULL);
    HttpHead head = {.method = bytes_of(verb),
                     .scheme = bytes_of("http"),
                     .authority = bytes_of("localhost"),
                     .path = bytes_of(path),
                     .content_length = asked->said.size ? (int64_t)asked->said.size : -1,
                     .fields = fields_for(access, asked->arena)};
    HttpStream *stream = http_stream_open(http, &head, !asked->said.size, &stream_events, asked);
    uint8_t *room = arena_alloc(asked->arena, READ_SIZE);
    CHECK(stream && room);
    if (asked->said.size) {
        http_stream_send_body(stream, asked->said);
        http_stream_send_end(stream, NULL);
    }
    Result r = OK;
    while (!asked->done && !failed(r))
        r = turn(asked, http, link, room);
    http_stream_release(stream);
    http_connection_lost(http, OK);
    http_connection_free(http);
    return r;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* A problem document has a detail; anything else is shown as it is. */
static Bytes detail_of(const Asked *asked, bool *is_problem_out)
{
    JsonCursor cursor = json_cursor(buffer_bytes(&asked->body), asked->arena);
    Bytes name, detail = BYTES_NONE;
    for (bool first = true; json_cursor_member(&cursor, &first, &name);) {
        if (bytes_are(name, "detail"))
            detail = json_cursor_string(&cursor);
        else
            json_cursor_skip(&cursor);
    }
    *is_problem_out = json_cursor_finish(&cursor) && detail.size;
    return *is_problem_out ? detail : bytes_slice(buffer_bytes(&asked->body), 0, SHOWN_MOST);
}

static int tell_refusal(const CommandLine *line, const Asked *asked)
{
    bool is_problem;
    Bytes detail = detail_of(asked, &is_problem);
    command_tell(line, "the gateway refuses (%u): %.*s", asked->status, BYTES_ARGS(detail));
    if (is_problem)
        command_print_json(line, buffer_bytes(&asked->body));
    return asked->status == 503 ? EXIT_UNREACHED : EXIT_NO; /* the store, or it is stopping */
}

int admin_tell_stranger(const CommandLine *line)
{
    command_tell(line, "this is not the admin listener of a gateway");
    return EXIT_NO;
}

int admin_print(const CommandLine *line, AdminAsk *ask, const char *path, AdminAnswerWriter *write,
                Arena *arena)
{
    Buffer text = buffer_in(arena);
    Bytes answer;
    int code = ask(line, path, arena, &answer);
    if (code == EXIT_WELL && !write(&text, answer)) {
        code = admin_tell_stranger(line);
    } else if (code == EXIT_WELL) {
        command_print(line, &text);
        command_print_json(line, answer);
    }
    return code;
}

static int tell_unreached(const CommandLine *line, const Access *access, Arena *arena, Result r)
{
    if (r.error->fault == &FAULT_BAD_CONFIG) {
        command_tell(line, "%s", r.error->doing);
        return EXIT_USAGE;
    }
    command_tell(line, "no gateway answers at %s: %s", access->text, r.error->doing);
    return EXIT_UNREACHED;
}

/* A token can be taken back; a password is often used elsewhere, too. */
static int tell_open(const CommandLine *line, const Access *access)
{
    if (access->user) {
        command_tell(line, "the password would go over the network unencrypted: it is not sent; "
                           "write https://HOST:PORT");
        return EXIT_USAGE;
    }
    if (access->token.size)
        command_tell(line, "warning: the token goes over the network unencrypted");
    return EXIT_WELL;
}

static int ask_with(const CommandLine *line, const char *verb, const char *path, int64_t patience,
                    Asked *asked)
{
    Access access = {.text = NULL};
    Arena *arena = asked->arena;
    if (!take_access(line, arena, &access))
        return EXIT_USAGE;
    Result r = admin_link_open(arena, &access.address, &access.files, clock_now() + patience,
                               &asked->link);
    if (!failed(r)) {
        int code = admin_link_is_open_to_others(asked->link) ? tell_open(line, &access) : EXIT_WELL;
        if (code == EXIT_WELL)
            r = exchange(asked, asked->link, verb, path, &access);
        admin_link_close(asked->link);
        if (code != EXIT_WELL)
            return code;
    }
    if (failed(r) && asked->take && asked->status == 200) {
        error_ignore(r, "what is followed breaks off in the end");
        return EXIT_WELL;
    }
    if (failed(r))
        return tell_unreached(line, &access, arena, r);
    return asked->status == 200 ? EXIT_WELL : tell_refusal(line, asked);
}

static int ask_gateway(const CommandLine *line, const char *verb, const char *path,
                       int64_t patience, Bytes said, Arena *arena, Bytes *body_out)
{
    Asked asked = {.arena = arena, .said = said, .body = buffer_in(arena)};
    int code = ask_with(line, verb, path, patience, &asked);
    *body_out = buffer_bytes(&asked.body);
    return code;
}

int admin_follow(const CommandLine *line, const char *path, AdminTake *take, void *owner,
                 Arena *arena, bool *answered_out)
{
    Asked asked = {.arena = arena, .body = buffer_in(arena), .take = take, .taker = owner};
    int code = ask_with(line, "GET", path, GET_TIME, &asked);
    *answered_out = asked.status != 0;
    return code;
}

int admin_get(const CommandLine *line, const char *path, Arena *arena, Bytes *body_out)
{
    return ask_gateway(line, "GET", path, GET_TIME, BYTES_NONE, arena, body_out);
}

int admin_get_within(const CommandLine *line, const char *path, int64_t patience, Arena *arena,
                     Bytes *body_out)
{
    return ask_gateway(line, "GET", path, patience, BYTES_NONE, arena, body_out);
}

int admin_act(const CommandLine *line, const char *path, Arena *arena, Bytes *body_out)
{
    return ask_gateway(line, "POST", path, ACT_TIME, BYTES_NONE, arena, body_out);
}

int admin_say(const CommandLine *line, const char *path, Bytes json, Arena *arena, Bytes *body_out)
{
    return ask_gateway(line, "POST", path, ACT_TIME, json, arena, body_out);
}

void admin_path_add(Buffer *path, const char *name, const char *value)
{
    if (!value)
        return;
    bool first = !memchr(path->data, '?', path->size);
    buffer_printf(path, "%c%s=", first ? '?' : '&', name);
    percent_encode(path, bytes_of(value), PERCENT_KEEP_UNRESERVED);
}
