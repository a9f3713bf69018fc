#include "gateway/feedback/feedback_entry.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"

#include <openssl/evp.h>
#include <stdio.h>

static const JsonLimits limits = {.elements = 64};

/* ---- One member ------------------------------------------------------------------------------ */

static Result read_text(Arena *arena, const JsonNode *member, size_t most, Bytes *text_out)
{
    if (member->kind != JSON_STRING)
        return FAIL(arena, FAULT_BAD_VALUE, "%.*s is not a text", BYTES_ARGS(member->name));
    if (member->text.size > most)
        return FAIL(arena, FAULT_BAD_VALUE, "%.*s has more than %zu bytes",
                    BYTES_ARGS(member->name), most);
    *text_out = member->text;
    return OK;
}

static Result read_time(Arena *arena, const JsonNode *member, int64_t wall, int64_t *at_out)
{
    int64_t seconds;
    int32_t nanos;
    if (member->kind != JSON_STRING || !date_read_rfc3339(member->text, &seconds, &nanos) ||
        seconds < 0 || seconds > wall / SECOND + 24 * 3600)
        return FAIL(arena, FAULT_BAD_VALUE,
                    "at is no time until now: for example 2026-11-30T09:00:00Z");
    *at_out = seconds * SECOND;
    return OK;
}

static Result read_member(Arena *arena, const JsonNode *member, const FeedbackRules *rules,
                          FeedbackEntry *entry, Bytes *message)
{
    Bytes name = member->name;
    if (bytes_are(name, "words"))
        return read_text(arena, member, SIZE_MAX, &entry->words);
    if (bytes_are(name, "client"))
        return read_text(arena, member, FEEDBACK_NAME_SIZE, &entry->client);
    if (bytes_are(name, "request"))
        return read_text(arena, member, FEEDBACK_NAME_SIZE, &entry->request);
    if (bytes_are(name, "source"))
        return read_text(arena, member, FEEDBACK_NAME_SIZE, &entry->source);
    if (bytes_are(name, "id"))
        return read_text(arena, member, SIZE_MAX, message);
    if (bytes_are(name, "at"))
        return read_time(arena, member, rules->wall, &entry->at);
    return FAIL(arena, FAULT_BAD_VALUE,
                "an entry has words, client, request, at, source and id, and not %.*s",
                BYTES_ARGS(bytes_cut_text(name, 64)));
}

/* ---- An entry -------------------------------------------------------------------------------- */

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The first word of so many hexadecimal digits. */
static Bytes request_among(Bytes words)
{
    size_t run = 0;
    for (size_t i = 0; i <= words.size; i++) {
        bool hex = i < words.size && is_hex(words.data[i]);
        if (!hex && run == FEEDBACK_REQUEST_SIZE)
            return bytes_slice(words, i - run, run);
        run = hex ? run + 1 : 0;
    }
    return BYTES_NONE;
}

/* A cryptographic hash: nobody writes a message that passes for another one. */
static void make_id(FeedbackEntry *entry, Bytes message)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context);
    CHECK(EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    Bytes parts[] = {entry->source, message, entry->client, entry->words};
    size_t n = message.size ? 2 : 4;
    for (size_t i = 0; i < n; i++) {
        uint64_t size = parts[i].size;
        CHECK(EVP_DigestUpdate(context, &size, sizeof size) == 1);
        CHECK(EVP_DigestUpdate(context, size ? parts[i].data : (const uint8_t *)"", size) == 1);
    }
    if (!message.size)
        CHECK(EVP_DigestUpdate(context, &entry->at, sizeof entry->at) == 1);
    CHECK(EVP_DigestFinal_ex(context, digest, NULL) == 1);
    EVP_MD_CTX_free(context);
    for (int i = 0; i < FEEDBACK_ID_SIZE / 2; i++)
        snprintf(entry->id + 2 * i, 3, "%02x", digest[i]);
}

Result feedback_entry_read(Arena *arena, Bytes json, const FeedbackRules *rules,
                           FeedbackEntry *entry_out)
{
    JsonNode *root;
    Bytes message = BYTES_NONE;
    *entry_out = (FeedbackEntry){.at = rules->wall};
    Result r = json_parse(arena, json, &limits, &root);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_BAD_JSON, "reading what a customer says");
    if (root->kind != JSON_OBJECT)
        return FAIL(arena, FAULT_BAD_VALUE, "an entry is an object");
    for (const JsonNode *member = root->first; member && !failed(r); member = member->next)
        r = read_member(arena, member, rules, entry_out, &message);
    if (failed(r))
        return r;
    if (!entry_out->words.size)
        return FAIL(arena, FAULT_BAD_VALUE, "an entry has words");
    if (!entry_out->request.size)
        entry_out->request = request_among(entry_out->words);
    if (!entry_out->client.size && !entry_out->request.size)
        return FAIL(arena, FAULT_BAD_VALUE, "an entry has a client or a request");
    make_id(entry_out, message);
    entry_out->words = bytes_cut_text(entry_out->words, rules->size);
    return OK;
}

Result feedback_entries_read(Arena *arena, Bytes lines, const FeedbackRules *rules,
                             FeedbackEntry **entries_out, uint32_t *n_out)
{
    FeedbackEntry *entries = arena_array(arena, FeedbackEntry, FEEDBACK_LINES_MOST);
    uint32_t n = 0, number = 0;
    for (Bytes line; bytes_split(&lines, '\n', &line);) {
        number++;
        if (!bytes_trim(line).size || bytes_are(line, "\r"))
            continue;
        if (n == FEEDBACK_LINES_MOST)
            return FAIL(arena, FAULT_BAD_VALUE, "there are more than %d entries at once",
                        (int)FEEDBACK_LINES_MOST);
        Result r = feedback_entry_read(arena, line, rules, &entries[n++]);
        if (failed(r))
            return FAIL_OVER(arena, r, FAULT_BAD_VALUE, "line %u", number);
    }
    *entries_out = entries;
    *n_out = n;
    return n ? OK : FAIL(arena, FAULT_BAD_VALUE, "there is no entry");
}
