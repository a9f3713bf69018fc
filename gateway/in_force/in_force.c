#include "gateway/in_force/in_force.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/in_force/config_values.h"

#include <pthread.h>

/* A RefusedConfig, as JSON. */
typedef struct Refusal {
    Arena *arena; /* NULL: there is none */
    Bytes json;
} Refusal;

static struct {
    uint64_t generation;
    int64_t since;
    Refusal refusals[IN_FORCE_REFUSALS]; /* the oldest one is at `n` modulo their number */
    uint32_t n;
    /* The values of the config that was asked for last: they are the same until the next one. */
    Arena *arena;
    uint64_t shown;
    Bytes values;
    uint32_t left_out;
} state;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- What is told ---------------------------------------------------------------------------- */

void in_force_use(uint64_t generation, int64_t wall)
{
    pthread_mutex_lock(&lock);
    state.generation = generation;
    state.since = wall;
    pthread_mutex_unlock(&lock);
}

static void add_time(Buffer *out, const char *name, int64_t wall)
{
    int64_t millis = wall / MILLISECOND;
    json_text_add_time(out, name, millis / 1000, (int32_t)(millis % 1000 * MILLISECOND));
}

static void add_lines(Buffer *out, const char *name, Bytes lines)
{
    Bytes rest = bytes_cut_text(lines, IN_FORCE_MISTAKES), line;
    json_text_open_list(out, name);
    while (bytes_split(&rest, '\n', &line)) {
        if (!line.size)
            continue;
        json_text_add_element(out);
        json_text_add(out, line);
    }
    buffer_add_byte(out, ']');
}

static void write_refusal(const RefusedConfig *refused, Buffer *out)
{
    buffer_add_byte(out, '{');
    add_time(out, "at", refused->at);
    if (refused->who)
        json_text_add_member(out, "who", bytes_of(refused->who));
    if (refused->why.size)
        json_text_add_member(out, "why", refused->why);
    json_text_add_member(out, "cause", bytes_of(refused->cause));
    add_lines(out, "mistakes", refused->mistakes);
    buffer_add_byte(out, '}');
}

void in_force_refuse(const RefusedConfig *refused)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer json = buffer_in(arena);
    write_refusal(refused, &json);
    pthread_mutex_lock(&lock);
    Refusal *place = &state.refusals[state.n++ % IN_FORCE_REFUSALS];
    Arena *oldest = place->arena;
    *place = (Refusal){arena, buffer_bytes(&json)};
    pthread_mutex_unlock(&lock);
    arena_free(oldest);
}

/* ---- The page -------------------------------------------------------------------------------- */

static bool is_seen(const ConfigSource *first, const ConfigSource *until)
{
    for (; first != until; first = first->next)
        if (text_equal(first->file, until->file))
            return true;
    return false;
}

static void add_sources(const Config *config, Buffer *out)
{
    json_text_open_list(out, "sources");
    for (const ConfigSource *one = config->sources; one; one = one->next) {
        if (is_seen(config->sources, one))
            continue;
        json_text_add_element(out);
        json_text_add(out, bytes_of(one->file));
    }
    buffer_add_byte(out, ']');
}

static void read_values(const Config *config)
{
    if (state.arena && state.shown == config->generation)
        return;
    arena_free(state.arena);
    state.arena = arena_new(ARENA_UNLIMITED);
    state.shown = config->generation;
    Buffer values = buffer_in(state.arena);
    state.left_out = config_values_write(config->texts, &values);
    state.values = buffer_bytes(&values);
}

static void add_values(const Config *config, Buffer *out)
{
    read_values(config);
    json_text_add_key(out, "values");
    buffer_add_bytes(out, state.values);
    if (state.left_out)
        json_text_add_number(out, "values_left_out", state.left_out);
}

static void add_refusals(Buffer *out)
{
    uint32_t n = state.n < IN_FORCE_REFUSALS ? state.n : IN_FORCE_REFUSALS;
    json_text_open_list(out, "refused");
    for (uint32_t i = 1; i <= n; i++) {
        json_text_add_element(out);
        buffer_add_bytes(out, state.refusals[(state.n - i) % IN_FORCE_REFUSALS].json);
    }
    buffer_add_byte(out, ']');
}

void in_force_write(const Config *config, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_number(out, "generation", config->generation);
    json_text_add_member(out, "file", bytes_of(config->file));
    json_text_add_member(out, "hash", bytes_of(config->hash));
    pthread_mutex_lock(&lock);
    if (state.generation == config->generation)
        add_time(out, "since", state.since);
    add_sources(config, out);
    add_values(config, out);
    add_refusals(out);
    pthread_mutex_unlock(&lock);
    buffer_add_byte(out, '}');
}

void in_force_forget(void)
{
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < IN_FORCE_REFUSALS; i++) {
        arena_free(state.refusals[i].arena);
        state.refusals[i] = (Refusal){NULL};
    }
    arena_free(state.arena);
    state.arena = NULL;
    state.n = 0;
    state.generation = 0;
    pthread_mutex_unlock(&lock);
}
