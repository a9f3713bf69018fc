#include "gateway/version/negotiate.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "base/text/media_range.h"
#include "gateway/version/other_version.h"
#include "gateway/version/retiring.h"
#include "gateway/version/version_media.h"

const char *version_rule_name(VersionRule rule)
{
    static const char *const names[RULE_COUNT] = {
        "path", "prefix", "header", "media_type", "pin", "default",
    };
    return rule < RULE_COUNT ? names[rule] : "";
}

/* ---- The versions in a request --------------------------------------------------------------- */

typedef struct Words {
    const VersionQuestion *question;
    Bytes header; /* the value of the version field; empty: none */
    VersionMedia media;
} Words;

/* Whether a list has a non-empty element. */
static bool says_something(Bytes list)
{
    MediaRange element;
    while (media_range_next(&list, &element)) {
        if (element.type.size)
            return true;
    }
    return false;
}

/* One pass over the fields, because most requests have none of these. */
static Words read_words(const VersionQuestion *question)
{
    Words words = {.question = question};
    const char *header = question->service->version_header;
    Bytes header_name = bytes_of(header), content_type = BYTES_NONE;
    bool has_header = false, has_accept = false;
    for (uint32_t i = 0; i < question->head->n; i++) {
        const Field *field = &question->head->items[i];
        has_header |= bytes_equal(field->name, header_name);
        has_accept |= bytes_are(field->name, "accept");
        if (!content_type.data && bytes_are(field->name, "content-type"))
            content_type = field->value;
    }
    if (has_header) {
        Bytes said = fields_joined(question->head, header);
        words.header = says_something(said) ? said : BYTES_NONE;
    }
    words.media = version_media(content_type,
                                has_accept ? fields_joined(question->head, "accept") : BYTES_NONE);
    return words;
}

/* Whether the request has a value for this rule. */
static bool is_said(const Words *words, VersionRule rule)
{
    switch (rule) {
    case RULE_PATH: return words->question->by_path;
    case RULE_PREFIX: return words->question->by_prefix;
    case RULE_HEADER: return words->header.size;
    case RULE_MEDIA_TYPE: return words->media.sent.size || words->media.accept.size;
    case RULE_PIN:
    case RULE_DEFAULT:
    case RULE_COUNT: break;
    }
    return false;
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static const char *day_text(Arena *arena, int64_t wall)
{
    CivilTime day = date_from_seconds(wall / SECOND);
    return arena_printf(arena, "%04lld-%02d-%02d", (long long)day.year, day.month, day.day);
}

/* Without `but` (NULL: none). */
static const char *supported_but(const VersionQuestion *question, Arena *arena, const Version *but)
{
    return versions_served(question->service, question->wall, but, arena);
}

static const char *supported_text(const VersionQuestion *question, Arena *arena)
{
    return supported_but(question, arena, NULL);
}

static Result unknown_version(const VersionQuestion *question, Arena *arena, const char *where,
                              Bytes said)
{
    return FAIL_TELL(arena, FAULT_UNKNOWN_VERSION, "%s says \"%.*s\": the versions of %s are %s",
                     where, BYTES_ARGS(bytes_cut_text(said, 100)), question->service->name,
                     supported_text(question, arena));
}

static Result refuse_sunset(const VersionQuestion *question, Arena *arena, const Version *version)
{
    if (!version_is_sunset(version, question->wall))
        return OK;
    return FAIL_TELL(arena, FAULT_VERSION_SUNSET,
                     "%s of %s is no longer served since %s: use %s%s%s", version->name,
                     question->service->name, day_text(arena, version_end(version)),
                     supported_text(question, arena), version->successor_link ? ", see " : "",
                     version->successor_link ? version->successor_link : "");
}

static const char *time_text(Arena *arena, int64_t wall)
{
    char text[DATE_RFC3339_SIZE];
    size_t size = date_write_rfc3339(wall / SECOND, 0, text);
    return arena_text(arena, bytes(text, size));
}

static Result refuse_brownout(const VersionQuestion *question, Arena *arena, const Version *version,
                              uint32_t *retry_after)
{
    const Brownout *brownout = brownout_now(version, question->wall);
    if (!brownout || !brownout_hits(brownout, question->client))
        return OK;
    *retry_after = (uint32_t)((brownout->until - question->wall + SECOND - 1) / SECOND);
    return FAIL_TELL(arena, FAULT_VERSION_BROWNOUT,
                     "%s of %s will end, and is not served until %s so that its clients notice: "
                     "use %s%s%s",
                     version->name, question->service->name, time_text(arena, brownout->until),
                     supported_but(question, arena, version),
                     version->successor_link ? ", see " : "",
                     version->successor_link ? version->successor_link : "");
}

/* Whether this version may be used now. Most never end. */
static Result check_served(const VersionQuestion *question, Arena *arena, const Version *version,
                           uint32_t *retry_after)
{
    Result r = refuse_sunset(question, arena, version);
    return failed(r) || !version->retiring ? r
                                           : refuse_brownout(question, arena, version, retry_after);
}

/* The value that a rule found, for error messages. */
static const char *word_text(const Words *words, VersionRule rule, Arena *arena)
{
    const VersionQuestion *question = words->question;
    const VersionMedia *media = &words->media;
    const char *where = "the path";
    Bytes said = BYTES_NONE;
    switch (rule) {
    case RULE_PATH: said = bytes_of(question->by_path->name); break;
    case RULE_PREFIX: said = bytes_of(question->by_prefix->name); break;
    case RULE_HEADER:
        where = question->service->version_header;
        said = words->header;
        break;
    case RULE_MEDIA_TYPE:
        where = media->sent.size ? "content-type" : "accept";
        said = media->sent.size ? media->sent : media->accept;
        break;
    case RULE_PIN:
    case RULE_DEFAULT:
    case RULE_COUNT: break;
    }
    return arena_printf(arena, "%s says \"%.*s\"", where, BYTES_ARGS(bytes_cut_text(said, 100)));
}

static Result contradiction(const Words *words, VersionRule first, VersionRule other, Arena *arena)
{
    return FAIL_TELL(arena, FAULT_VERSION_CONFLICT, "%s, but %s", word_text(words, first, arena),
                     word_text(words, other, arena));
}

/* ---- One rule -------------------------------------------------------------------------------- */

static VersionScope scope_of(const Words *words, uint64_t among)
{
    return (VersionScope){words->question->service, among, words->question->wall};
}

/* The version of the response, if Accept has another one than the request. */
static Result read_accept(const Words *words, uint64_t among, Arena *arena,
                          const Version **version_out)
{
    VersionScope scope = scope_of(words, among);
    Bytes text;
    switch (version_of_accept(&scope, words->media.accept, version_out, &text)) {
    case MEDIA_SAYS_NOTHING:
    case MEDIA_SAYS_VERSION: break;
    case MEDIA_SAYS_UNKNOWN:
        return unknown_version(words->question, arena, "the Accept field", text);
    }
    return OK;
}

static Result read_media(const Words *words, uint64_t among, Arena *arena, Negotiation *n)
{
    VersionScope scope = scope_of(words, among);
    if (!words->media.sent.size)
        return read_accept(words, among, arena, &n->client);
    n->client = version_of_text(&scope, words->media.sent);
    if (!n->client)
        return unknown_version(words->question, arena, "the media type", words->media.sent);
    return read_accept(words, VERSIONS_ALL, arena, &n->reply);
}

static const Version *among_these(const Version *version, uint64_t among)
{
    return version && (among & version_bit(version)) ? version : NULL;
}

/* Applies one rule to these versions. n->client stays NULL if the request has no value for it. */
static Result ask_rule(const Words *words, VersionRule rule, uint64_t among, Arena *arena,
                       Negotiation *n)
{
    const VersionQuestion *question = words->question;
    const Service *service = question->service;
    VersionScope scope = scope_of(words, among);
    switch (rule) {
    case RULE_PATH: n->client = among_these(question->by_path, among); return OK;
    case RULE_PREFIX: n->client = among_these(question->by_prefix, among); return OK;
    case RULE_HEADER:
        if (!words->header.size)
            return OK;
        n->client = version_of_list(&scope, words->header);
        return n->client ? OK
                         : unknown_version(question, arena, service->version_header, words->header);
    case RULE_MEDIA_TYPE: return is_said(words, rule) ? read_media(words, among, arena, n) : OK;
    case RULE_PIN:
        if (service->pins && question->identity.size)
            n->client = table_get(service->pins, question->identity);
        return OK;
    case RULE_DEFAULT: n->client = service->default_version; return OK;
    case RULE_COUNT: break;
    }
    return OK;
}

/* ---- Several rules --------------------------------------------------------------------------- */

/* Whether the value that this rule found also fits this version. */
static bool allows(const Words *words, VersionRule rule, const Version *version)
{
    VersionScope scope = scope_of(words, version_bit(version));
    const Version *found;
    Bytes text;
    switch (rule) {
    case RULE_PATH: return words->question->by_path == version;
    case RULE_PREFIX: return words->question->by_prefix == version;
    case RULE_HEADER: return version_of_list(&scope, words->header);
    case RULE_MEDIA_TYPE:
        if (words->media.sent.size)
            return version_of_text(&scope, words->media.sent);
        return version_of_accept(&scope, words->media.accept, &found, &text) != MEDIA_SAYS_UNKNOWN;
    case RULE_PIN:
    case RULE_DEFAULT:
    case RULE_COUNT: break;
    }
    return true;
}

static uint64_t allowed_by(const Words *words, VersionRule rule)
{
    const Service *service = words->question->service;
    uint64_t allowed = 0;
    for (uint32_t i = 0; i < service->n_versions; i++) {
        if (allows(words, rule, &service->versions[i]))
            allowed |= version_bit(&service->versions[i]);
    }
    return allowed;
}

/* The best version by the rule that decided, among those that fit the first `n_rules` rules. */
static bool narrow(const Words *words, uint32_t n_rules, Arena *arena, Negotiation *n)
{
    Negotiation narrowed = {.rule = n->rule};
    uint64_t among = VERSIONS_ALL;
    for (uint32_t i = 0; i < n_rules; i++) {
        VersionRule rule = words->question->service->rules[i];
        if (is_said(words, rule))
            among &= allowed_by(words, rule);
    }
    Result r = ask_rule(words, n->rule, among, arena, &narrowed);
    if (failed(r)) {
        error_ignore(r, "the rules contradict each other, which is reported instead");
        return false;
    }
    if (narrowed.client)
        *n = narrowed;
    return narrowed.client;
}

/* The error if a rule contradicts the one that decided: it names another version, or an unknown
   one. */
static Result disagreement(const Words *words, VersionRule first, VersionRule other, Arena *arena)
{
    Negotiation heard = {.rule = other};
    Result r = ask_rule(words, other, VERSIONS_ALL, arena, &heard);
    return failed(r) ? r : contradiction(words, first, other, arena);
}

/* The rules after the one that decided must not contradict it. */
static Result hear_the_rest(const Words *words, uint32_t decided, Arena *arena, Negotiation *n)
{
    const Service *service = words->question->service;
    for (uint32_t i = decided + 1; i < service->n_rules; i++) {
        VersionRule rule = service->rules[i];
        if (!is_said(words, rule) ||
            (allows(words, rule, n->client) || narrow(words, i + 1, arena, n)))
            continue;
        Result r = disagreement(words, n->rule, rule, arena);
        *n = (Negotiation){.rule = rule};
        return r;
    }
    bool two = n->rule != RULE_MEDIA_TYPE && words->media.sent.size && words->media.accept.size;
    return two ? read_accept(words, VERSIONS_ALL, arena, &n->reply) : OK;
}

static bool is_of_request(VersionRule rule)
{
    return rule != RULE_PIN && rule != RULE_DEFAULT;
}

static Result decide(const Words *words, Arena *arena, Negotiation *n)
{
    const Service *service = words->question->service;
    for (uint32_t i = 0; i < service->n_rules; i++) {
        *n = (Negotiation){.rule = service->rules[i]};
        Result r = ask_rule(words, n->rule, VERSIONS_ALL, arena, n);
        if (failed(r)) {
            *n = (Negotiation){.rule = n->rule};
            return r;
        }
        if (n->client)
            return is_of_request(n->rule) && !service->first_on_conflict
                       ? hear_the_rest(words, i, arena, n)
                       : OK;
    }
    *n = (Negotiation){.rule = RULE_COUNT};
    return FAIL_TELL(
        arena, FAULT_UNKNOWN_VERSION,
        "the request specifies no version of %s, and there is no default: the versions are %s",
        service->name, supported_text(words->question, arena));
}

Result negotiate(const VersionQuestion *question, Arena *arena, Negotiation *negotiation_out)
{
    Words words = read_words(question);
    Result r = decide(&words, arena, negotiation_out);
    if (failed(r))
        return r;
    if (!negotiation_out->reply)
        negotiation_out->reply = negotiation_out->client;
    uint32_t *retry_after = &negotiation_out->retry_after;
    r = check_served(question, arena, negotiation_out->client, retry_after);
    if (failed(r) || negotiation_out->reply == negotiation_out->client)
        return r;
    return check_served(question, arena, negotiation_out->reply, retry_after);
}
