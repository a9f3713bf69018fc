/*
 * KeySource: keys that may change while a config is used: those of a file, or of a URL.
 *
 *      keeper's thread   key_source_offer ------> [ SourceKeys ] ------> key_source_take   any loop
 *                                       <------ wanted ------------ key_source_want
 *
 * Sources are known by their place, in the whole process: a new config that names the same one goes
 * on with the keys that are known already, so that a server which is down has no effect. Counted:
 * each config holds those that it names. A set is never changed, and counted, too. All functions
 * may be called from any thread.
 */
#ifndef GATEWAY_KEY_SOURCE_H
#define GATEWAY_KEY_SOURCE_H

#include "gateway/token/api_keys.h"
#include "gateway/token/key_schedule.h"
#include "gateway/token/token_keys.h"

typedef struct SourceKeys {
    TokenKeys *tokens;       /* of tokens; or NULL */
    const ApiKeys *api_keys; /* in the arena; or NULL */
    Arena *arena;            /* its own; NULL: it needs none */
} SourceKeys;

/* Where keys come from. Texts are copied; of the URL only key_place_name is told. */
typedef struct KeyPlace {
    const char *file; /* that is read; of a URL: where the last good keys are kept; or NULL */
    const char *url;  /* NULL: the file alone */
    Bytes ca;         /* PEM: authorities for the URL's server; empty: those of the system */
    bool api_keys;    /* the file has API keys, not a set for tokens */
    bool secrets;     /* a file may have shared secrets: token_keys_read */
    int64_t every;    /* nanoseconds until it is looked at again */
    int64_t timeout;  /* of one request */
} KeyPlace;

/* How logs name it: the file; or the URL without what may be a secret, its user and its query. */
const char *key_place_name(Arena *arena, const KeyPlace *place);

typedef struct KeySource KeySource;

/* One count of the source with this place; a new one has no keys yet. */
KeySource *key_source_use(const KeyPlace *place);
KeySource *key_source_keep(KeySource *source);
/* `source` may be NULL. */
void key_source_drop(KeySource *source);

const KeyPlace *key_source_place(const KeySource *source);

/* Takes the set, which replaces the one before. */
void key_source_offer(KeySource *source, const SourceKeys *set);

/* Whether it has keys: some were offered. */
bool key_source_has(KeySource *source);

/* What it has now, until key_source_return; all NULL: nothing yet. */
typedef struct KeyHold KeyHold;
KeyHold *key_source_take(KeySource *source, const SourceKeys **set_out);
/* `hold` may be NULL. */
void key_source_return(KeyHold *hold);

/* A token was signed with a key that is not there, at `issued`: both are monotonic nanoseconds.
   True: the key may be newer than the set, which is fetched again as soon as that is allowed,
   within *wait_out. False: the set would have it, or it is a file's. */
bool key_source_want(KeySource *source, int64_t now, int64_t issued, int64_t *wait_out);
bool key_source_is_wanted(KeySource *source);

/* What the keeper knows of it; its thread only, which changes the schedule by key_source_scheduled:
   a wish has been met then, as far as it can be. */
typedef struct KeyWatch {
    KeySchedule schedule;
    int64_t mtime, size; /* of the file that was read; size -1: there was none */
    uint64_t inode;
} KeyWatch;
KeyWatch *key_source_watch(KeySource *source);
void key_source_scheduled(KeySource *source, const KeySchedule *schedule);

/* How often sets were replaced, of all sources: what was proved with keys before may be so no
   more. */
uint64_t key_sources_changes(void);

/* Whether a URL has given no keys yet, while the gateway may wait for them: until `until`, of
   key_sources_await. Monotonic nanoseconds. */
void key_sources_await(int64_t until);
bool key_sources_are_awaited(int64_t now);

/* The next source behind this one, with a count (that of `before` is dropped); NULL: the first; and
   at the end. */
KeySource *key_sources_next(KeySource *before);

#endif
