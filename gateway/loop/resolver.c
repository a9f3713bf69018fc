#include "gateway/loop/resolver.h"

#include "base/arena.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define TRY_TIME (1 * SECOND) /* doubled with each try */

enum { TRIES = 3, V6 = 0, V4 = 1, FAMILIES = 2, FAMILY_MOST = RESOLVER_MOST / FAMILIES };

/* Identifies the version of /etc/resolv.conf that was read. */
typedef struct FileStamp {
    dev_t device;
    ino_t number;
    off_t size;
    struct timespec changed;
} FileStamp;

/* A socket of c-ares, watched for it. Freed by the loop when it is closed. */
typedef struct Watched {
    uv_poll_t poll;
    Resolver *resolver;
    struct Watched *next;
    ares_socket_t fd;
} Watched;

struct Resolver {
    Loop *loop;
    DnsConfig dns; /* `servers` is a copy */
    bool open;     /* the next three are valid */
    ares_channel channel;
    struct ares_options options; /* search domains, as c-ares read them */
    FileStamp stamp;
    Timer timer; /* when c-ares must be called next */

    Watched *watched;
    Question *questions;   /* all running ones */
    RecordAnswer *answers; /* likewise */
};

/* What comes of a RecordQuery. It lives until c-ares has answered, even if it was cancelled. */
struct RecordAnswer {
    Resolver *resolver;
    RecordAnswer *next, **at;
    RecordQuery *query; /* NULL: cancelled */
    char *name;
    bool pending;
    int status; /* ARES_..., once it is not pending */
    unsigned char *data;
    size_t size;
    LoopWork tell;
};

/* The addresses of one family, for the current candidate. */
typedef struct Family {
    Question *question;
    bool pending;
    bool again; /* the channel was closed while it was pending: query again */
    int status; /* ARES_..., once it is not pending */
    IpAddress addresses[FAMILY_MOST];
    uint32_t n;
    int64_t ttl;
} Family;

/*
 * A running lookup. It lives until c-ares has answered, even if it was cancelled: c-ares can only
 * cancel all queries at once.
 */
struct Question {
    Resolver *resolver;
    Question *next, **at;
    Lookup *lookup; /* NULL: cancelled */
    char *name;
    uint32_t candidate; /* index of the current name: candidate_of */
    bool no_addresses;  /* some candidate exists, but has no addresses */
    int status;         /* ARES_...: why it has failed */
    Family families[FAMILIES];
    Timer delay;
    LoopWork tell;
};

/* ---- The channel ----------------------------------------------------------------------------- */

static pthread_once_t library = PTHREAD_ONCE_INIT;

static void library_init(void)
{
    CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
}

static void process(Resolver *resolver, ares_socket_t readable, ares_socket_t writable);

static void on_timer(Timer *timer)
{
    process((Resolver *)((char *)timer - offsetof(Resolver, timer)), ARES_SOCKET_BAD,
            ARES_SOCKET_BAD);
}

/* To be called after each call of c-ares, which may have changed its next timeout. */
static void set_timer(Resolver *resolver)
{
    struct timeval wait;
    TimerWheel *timers = &resolver->loop->timers;
    if (resolver->open && ares_timeout(resolver->channel, NULL, &wait))
        timer_start(timers, &resolver->timer,
                    resolver->loop->now + wait.tv_sec * SECOND + wait.tv_usec * MICROSECOND);
    else
        timer_stop(timers, &resolver->timer);
}

static void process(Resolver *resolver, ares_socket_t readable, ares_socket_t writable)
{
    ares_process_fd(resolver->channel, readable, writable);
    set_timer(resolver);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    Watched *watched = (Watched *)poll;
    loop_enter(watched->resolver->loop);
    process(watched->resolver, status < 0 || events & UV_READABLE ? watched->fd : ARES_SOCKET_BAD,
            status < 0 || events & UV_WRITABLE ? watched->fd : ARES_SOCKET_BAD);
}

static void on_unwatched(uv_handle_t *handle)
{
    free(handle);
}

static void unwatch(Watched **at)
{
    Watched *watched = *at;
    *at = watched->next;
    uv_close((uv_handle_t *)&watched->poll, on_unwatched);
}

/* NULL: the descriptor cannot be watched, and the query ends with its timeout. */
static Watched *watch(Resolver *resolver, ares_socket_t fd)
{
    Watched *watched = calloc(1, sizeof(*watched));
    CHECK(watched);
    watched->resolver = resolver;
    watched->fd = fd;
    if (uv_poll_init(&resolver->loop->uv, &watched->poll, fd) != 0) {
        free(watched);
        return NULL;
    }
    watched->next = resolver->watched;
    resolver->watched = watched;
    return watched;
}

/* c-ares calls this to start or change the watching of a socket, and before it closes it. */
static void on_socket(void *owner, ares_socket_t fd, int readable, int writable)
{
    Resolver *resolver = owner;
    Watched **at = &resolver->watched;
    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    if (!events) {
        if (*at)
            unwatch(at);
        return;
    }
    Watched *watched = *at ? *at : watch(resolver, fd);
    if (watched)
        uv_poll_start(&watched->poll, events, on_poll);
}

static FileStamp stamp_of(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return (FileStamp){0};
    return (FileStamp){info.st_dev, info.st_ino, info.st_size, info.st_mtim};
}

static bool same_stamp(const FileStamp *a, const FileStamp *b)
{
    return a->device == b->device && a->number == b->number && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool has_one_server(ares_channel channel)
{
    struct ares_addr_port_node *servers = NULL;
    bool one =
        ares_get_servers_ports(channel, &servers) == ARES_SUCCESS && servers && !servers->next;
    ares_free_data(servers);
    return one;
}

/* ares_getaddrinfo uses /etc/hosts only ("f"), and ares_query DNS only. 0, or a status. */
static int channel_init(Resolver *resolver, int flags)
{
    const DnsConfig *dns = &resolver->dns;
    struct ares_options options = {
        .flags = flags,
        .timeout = (int)((dns->timeout ? dns->timeout : TRY_TIME) / MILLISECOND),
        .tries = (int)(dns->attempts ? dns->attempts : TRIES),
        .lookups = (char *)"f",
        .sock_state_cb = on_socket,
        .sock_state_cb_data = resolver,
    };
    int status = ares_init_options(&resolver->channel, &options,
                                   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                       ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS)
        return status;
    if (dns->servers)
        status = ares_set_servers_ports_csv(resolver->channel, dns->servers);
    if (status != ARES_SUCCESS)
        ares_destroy(resolver->channel);
    return status;
}

/* With several servers, c-ares asks the next one after a failure (SERVFAIL, REFUSED), and does not
   report the first failure. With one server, its failure is reported. */
static int channel_open(Resolver *resolver)
{
    int set;
    resolver->stamp = stamp_of(RESOLV_CONF);
    int status = channel_init(resolver, 0);
    if (status == ARES_SUCCESS && has_one_server(resolver->channel)) {
        ares_destroy(resolver->channel);
        status = channel_init(resolver, ARES_FLAG_NOCHECKRESP);
    }
    if (status != ARES_SUCCESS)
        return status;
    status = ares_save_options(resolver->channel, &resolver->options, &set);
    if (status != ARES_SUCCESS)
        ares_destroy(resolver->channel);
    resolver->open = status == ARES_SUCCESS;
    return status;
}

/* Running queries are marked (Family.again), and sent again later. */
static void channel_close(Resolver *resolver)
{
    if (!resolver->open)
        return;
    resolver->open = false;
    ares_destroy(resolver->channel);
    ares_destroy_options(&resolver->options);
    set_timer(resolver);
}

/* ---- Results --------------------------------------------------------------------------------- */

static void question_free(Question *question)
{
    *question->at = question->next;
    if (question->next)
        question->next->at = question->at;
    if (question->lookup)
        question->lookup->question = NULL;
    timer_stop(&question->resolver->loop->timers, &question->delay);
    loop_undefer(question->resolver->loop, &question->tell);
    free(question->name);
    free(question);
}

static bool is_pending(const Question *question)
{
    return question->families[V6].pending || question->families[V4].pending;
}

static uint32_t n_addresses(const Question *question)
{
    return question->families[V6].n + question->families[V4].n;
}

static const char *reason(int status)
{
    switch (status) {
    case ARES_ENOTFOUND: return "there is no such name (NXDOMAIN)";
    case ARES_ENODATA: return "the name has no addresses";
    case ARES_ESERVFAIL: return "the name server failed (SERVFAIL)";
    case ARES_EREFUSED: return "the name server refused the query (REFUSED)";
    case ARES_ETIMEOUT: return "no name server responds";
    case ARES_ECONNREFUSED: return "the name servers cannot be reached, or fail";
    case ARES_EDESTRUCTION: return "the name servers have changed meanwhile";
    case ARES_EBADRESP: return "the name server's response is malformed";
    default: return ares_strerror(status);
    }
}

static bool is_answer_without_addresses(int status)
{
    return status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

static int64_t out_of_date(const Question *question)
{
    int64_t ttl = RESOLVER_TTL_MOST;
    for (int i = 0; i < FAMILIES; i++) {
        const Family *family = &question->families[i];
        if (family->n > 0 && family->ttl < ttl)
            ttl = family->ttl;
    }
    return question->resolver->loop->now + (ttl > RESOLVER_TTL_LEAST ? ttl : RESOLVER_TTL_LEAST);
}

static void tell_addresses(Question *question)
{
    IpAddress addresses[RESOLVER_MOST];
    const Family *v6 = &question->families[V6], *v4 = &question->families[V4];
    memcpy(addresses, v6->addresses, v6->n * sizeof(addresses[0]));
    memcpy(addresses + v6->n, v4->addresses, v4->n * sizeof(addresses[0]));
    Resolved resolved = {addresses, v6->n + v4->n, out_of_date(question), is_pending(question)};
    Lookup *lookup = question->lookup;
    if (!resolved.more)
        question_free(question); /* so that the lookup can begin again */
    lookup->on_resolved(lookup, &resolved, OK);
}

static void tell_failure(Question *question)
{
    Lookup *lookup = question->lookup;
    Resolved none = {.until = question->resolver->loop->now + RESOLVER_TTL_LEAST};
    bool is_known = is_answer_without_addresses(question->status);
    Result why = FAIL(loop_scratch(question->resolver->loop), FAULT_SYSTEM, "resolving %s: %s",
                      question->name, reason(question->status));
    question_free(question);
    lookup->on_resolved(lookup, is_known ? &none : NULL, why);
}

static void run_tell(LoopWork *work)
{
    Question *question = (Question *)((char *)work - offsetof(Question, tell));
    if (!question->lookup) {
        if (!is_pending(question))
            question_free(question);
    } else if (n_addresses(question) > 0) {
        tell_addresses(question);
    } else {
        tell_failure(question);
    }
}

static void tell_later(Question *question)
{
    timer_stop(&question->resolver->loop->timers, &question->delay);
    loop_defer(question->resolver->loop, &question->tell);
}

static void on_delay(Timer *timer)
{
    tell_later((Question *)((char *)timer - offsetof(Question, delay)));
}

/* ---- Queries --------------------------------------------------------------------------------- */

static uint32_t dots_in(const char *name)
{
    uint32_t n = 0;
    for (; *name; name++)
        n += *name == '.';
    return n;
}

static char *text_of(const char *a, const char *between, const char *b)
{
    char *text = NULL;
    CHECK(asprintf(&text, "%s%s%s", a, between, b) >= 0);
    return text;
}

/*
 * The names to query, in this order: a name with enough dots (ndots) is queried unchanged first and
 * then in each search domain, other names in the search domains first. NULL after the last one; the
 * caller frees the result.
 */
static char *candidate_of(const Question *question)
{
    const char *name = question->name;
    const struct ares_options *options = &question->resolver->options;
    uint32_t n_domains = name[strlen(name) - 1] == '.' ? 0 : (uint32_t)options->ndomains;
    bool as_it_is_first = n_domains == 0 || dots_in(name) >= (uint32_t)options->ndots;
    uint32_t at = question->candidate, as_it_is = as_it_is_first ? 0 : n_domains;
    if (at > n_domains)
        return NULL;
    if (at == as_it_is)
        return text_of(name, "", "");
    return text_of(name, ".", options->domains[at - as_it_is_first]);
}

static void settle(Question *question);

static void family_add(Family *family, Bytes raw, int ttl)
{
    int64_t time = ttl * SECOND;
    if (family->n == 0 || time < family->ttl)
        family->ttl = time;
    if (family->n < FAMILY_MOST)
        family->addresses[family->n++] = ip_of_bytes(raw);
}

static int read_answer(Family *family, const unsigned char *answer, int size)
{
    int n = FAMILY_MOST, status;
    if (family == &family->question->families[V6]) {
        struct ares_addr6ttl found[FAMILY_MOST];
        status = ares_parse_aaaa_reply(answer, size, NULL, found, &n);
        for (int i = 0; status == ARES_SUCCESS && i < n; i++)
            family_add(family, bytes(&found[i].ip6addr, 16), found[i].ttl);
    } else {
        struct ares_addrttl found[FAMILY_MOST];
        status = ares_parse_a_reply(answer, size, NULL, found, &n);
        for (int i = 0; status == ARES_SUCCESS && i < n; i++)
            family_add(family, bytes(&found[i].ipaddr, 4), found[i].ttl);
    }
    return status == ARES_SUCCESS && family->n == 0 ? ARES_ENODATA : status;
}

static void on_answer(void *owner, int status, int timeouts, unsigned char *answer, int size)
{
    Family *family = owner;
    (void)timeouts;
    family->pending = false;
    family->again = status == ARES_EDESTRUCTION;
    if (family->again)
        return;
    family->status = status == ARES_SUCCESS ? read_answer(family, answer, size) : status;
    settle(family->question);
}

/* False: the question is settled, there is no further candidate. */
static bool ask_candidate(Question *question)
{
    char *name = candidate_of(question);
    if (!name)
        return false;
    for (int i = 0; i < FAMILIES; i++)
        question->families[i] = (Family){.question = question, .pending = true};
    for (int i = 0; i < FAMILIES; i++)
        ares_query(question->resolver->channel, name, ns_c_in, i == V6 ? ns_t_aaaa : ns_t_a,
                   on_answer, &question->families[i]);
    free(name);
    return true;
}

/* No family has addresses. The search continues if the name does not exist or has no addresses, but
   not if a name server failed. */
static void settle_without_addresses(Question *question)
{
    int v6 = question->families[V6].status, v4 = question->families[V4].status;
    question->no_addresses |= v6 == ARES_ENODATA || v4 == ARES_ENODATA;
    question->status = !is_answer_without_addresses(v4)   ? v4
                       : !is_answer_without_addresses(v6) ? v6
                       : question->no_addresses           ? ARES_ENODATA
                                                          : ARES_ENOTFOUND;
    question->candidate++;
    if (!is_answer_without_addresses(question->status) || !question->lookup ||
        !ask_candidate(question))
        tell_later(question);
}

/* A response for one family arrived. */
static void settle(Question *question)
{
    const Family *v6 = &question->families[V6], *v4 = &question->families[V4];
    if (!is_pending(question)) {
        if (n_addresses(question) > 0)
            tell_later(question);
        else
            settle_without_addresses(question);
    } else if (v6->n > 0) {
        tell_later(question);
    } else if (v4->n > 0) {
        Loop *loop = question->resolver->loop;
        timer_start(&loop->timers, &question->delay, loop->now + RESOLVER_DELAY);
    }
}

static void on_file(void *owner, int status, int timeouts, struct ares_addrinfo *found)
{
    Question *question = owner;
    (void)timeouts;
    if (status != ARES_SUCCESS)
        return;
    for (struct ares_addrinfo_node *node = found->nodes; node; node = node->ai_next) {
        if (node->ai_family == AF_INET6)
            family_add(&question->families[V6],
                       bytes(&((struct sockaddr_in6 *)node->ai_addr)->sin6_addr, 16), 0);
        else if (node->ai_family == AF_INET)
            family_add(&question->families[V4],
                       bytes(&((struct sockaddr_in *)node->ai_addr)->sin_addr, 4), 0);
    }
    ares_freeaddrinfo(found);
}

/* A name in /etc/hosts is not looked up in DNS. c-ares reads the file within the call. */
static bool find_in_files(Question *question)
{
    struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT};
    ares_getaddrinfo(question->resolver->channel, question->name, NULL, &hints, on_file, question);
    return n_addresses(question) > 0;
}

/* Opens the channel; opens it again if /etc/resolv.conf has changed. 0, or a status. */
static int channel_ready(Resolver *resolver)
{
    FileStamp now = stamp_of(RESOLV_CONF);
    if (resolver->open && same_stamp(&now, &resolver->stamp))
        return ARES_SUCCESS;
    channel_close(resolver);
    int status = channel_open(resolver);
    for (Question *question = resolver->questions; question; question = question->next) {
        if (!question->families[V6].again && !question->families[V4].again)
            continue;
        question->candidate = 0;
        question->status = status;
        if (n_addresses(question) > 0 || status != ARES_SUCCESS || !ask_candidate(question))
            tell_later(question);
    }
    return status;
}

void lookup_begin(Resolver *resolver, Lookup *lookup, const char *name)
{
    CHECK(!lookup->question && *name);
    Question *question = calloc(1, sizeof(*question));
    CHECK(question);
    question->status = channel_ready(resolver);
    question->resolver = resolver;
    question->lookup = lookup;
    lookup->question = question;
    question->name = text_of(name, "", "");
    question->delay.fire = on_delay;
    question->tell.run = run_tell;
    question->next = resolver->questions;
    question->at = &resolver->questions;
    if (question->next)
        question->next->at = &question->next;
    resolver->questions = question;

    if (question->status != ARES_SUCCESS || find_in_files(question) || !ask_candidate(question))
        tell_later(question);
    set_timer(resolver);
}

void lookup_cancel(Lookup *lookup)
{
    Question *question = lookup->question;
    if (!question)
        return;
    lookup->question = NULL;
    question->lookup = NULL;
    if (!is_pending(question))
        tell_later(question); /* which frees it */
}

/* ---- Records --------------------------------------------------------------------------------- */

static void record_answer_free(RecordAnswer *answer)
{
    *answer->at = answer->next;
    if (answer->next)
        answer->next->at = answer->at;
    if (answer->query)
        answer->query->answer = NULL;
    loop_undefer(answer->resolver->loop, &answer->tell);
    free(answer->name);
    free(answer->data);
    free(answer);
}

static void run_tell_records(LoopWork *work)
{
    RecordAnswer *answer = (RecordAnswer *)((char *)work - offsetof(RecordAnswer, tell));
    RecordQuery *query = answer->query;
    Arena *scratch = loop_scratch(answer->resolver->loop);
    Bytes response = BYTES_NONE;
    Result why = OK;
    if (answer->status == ARES_SUCCESS)
        response = bytes_copy(scratch, bytes(answer->data, answer->size));
    else if (!is_answer_without_addresses(answer->status))
        why = FAIL(scratch, FAULT_SYSTEM, "resolving %s: %s", answer->name, reason(answer->status));
    record_answer_free(answer);
    if (query)
        query->on_records(query, response, why);
}

static void on_records(void *owner, int status, int timeouts, unsigned char *data, int size)
{
    RecordAnswer *answer = owner;
    (void)timeouts;
    answer->pending = false;
    answer->status = status;
    if (status == ARES_SUCCESS) {
        answer->size = (size_t)size;
        answer->data = malloc(answer->size + 1);
        CHECK(answer->data);
        memcpy(answer->data, data, answer->size);
    }
    loop_defer(answer->resolver->loop, &answer->tell);
}

void records_begin(Resolver *resolver, RecordQuery *query, const char *name, uint16_t type)
{
    CHECK(!query->answer && *name);
    RecordAnswer *answer = calloc(1, sizeof(*answer));
    CHECK(answer);
    *answer = (RecordAnswer){.resolver = resolver, .query = query, .name = text_of(name, "", "")};
    answer->tell.run = run_tell_records;
    answer->next = resolver->answers;
    answer->at = &resolver->answers;
    if (answer->next)
        answer->next->at = &answer->next;
    resolver->answers = answer;
    query->answer = answer;

    answer->status = channel_ready(resolver);
    answer->pending = answer->status == ARES_SUCCESS;
    if (answer->pending)
        ares_query(resolver->channel, name, ns_c_in, type, on_records, answer);
    else
        loop_defer(resolver->loop, &answer->tell);
    set_timer(resolver);
}

void records_cancel(RecordQuery *query)
{
    RecordAnswer *answer = query->answer;
    if (!answer)
        return;
    query->answer = NULL;
    answer->query = NULL;
    if (!answer->pending)
        loop_defer(answer->resolver->loop, &answer->tell); /* which frees it */
}

/* ---- The resolver ---------------------------------------------------------------------------- */

Resolver *resolver_new(Loop *loop)
{
    pthread_once(&library, library_init);
    Resolver *resolver = calloc(1, sizeof(*resolver));
    CHECK(resolver);
    resolver->loop = loop;
    resolver->timer.fire = on_timer;
    return resolver;
}

void resolver_use(Resolver *resolver, const DnsConfig *dns)
{
    DnsConfig *old = &resolver->dns;
    if (text_equal(old->servers, dns->servers) && old->timeout == dns->timeout &&
        old->attempts == dns->attempts)
        return;
    free((char *)old->servers);
    *old = *dns;
    if (dns->servers)
        old->servers = text_of(dns->servers, "", "");
    if (!resolver->open)
        return;
    channel_close(resolver);
    channel_ready(resolver);
    set_timer(resolver);
}

void resolver_free(Resolver *resolver)
{
    if (!resolver)
        return;
    channel_close(resolver);
    while (resolver->watched) /* c-ares should have closed them all */
        unwatch(&resolver->watched);
    while (resolver->questions)
        question_free(resolver->questions);
    while (resolver->answers)
        record_answer_free(resolver->answers);
    free((char *)resolver->dns.servers);
    free(resolver);
}
