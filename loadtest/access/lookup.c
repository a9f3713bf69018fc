/*
 * Does the time in which an API key is looked up tell anything of the keys that are there? As
 * dudect asks it (Reparaz, Balasch, Verbauwhede, "dude, is my code constant time?", 2017): two
 * classes of wrong keys, in an order of chance; Welch's t of their times.
 *
 *      near   a key that is there, with another end
 *      far    random characters behind the id of one that is there
 *
 * |t| above 4.5 means that the two can be told apart. access_lookup [ROUNDS]
 */
#include "base/arena.h"
#include "base/random.h"
#include "gateway/token/api_keys.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { KEYS = 1000, ROUNDS = 2000000, END = 3 /* characters that differ */ };

typedef struct Sample {
    double n, mean, square; /* of Welford's sums */
} Sample;

static void add(Sample *sample, double value)
{
    double delta = value - sample->mean;
    sample->n++;
    sample->mean += delta / sample->n;
    sample->square += delta * (value - sample->mean);
}

static double t_of(const Sample *a, const Sample *b)
{
    double noise = a->square / (a->n - 1) / a->n + b->square / (b->n - 1) / b->n;
    return noise > 0 ? (a->mean - b->mean) / sqrt(noise) : 0;
}

static double nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static char texts[KEYS][API_KEY_SIZE + 1];

static ApiKeys *make_keys(Arena *arena)
{
    ApiKey *list = arena_array(arena, ApiKey, KEYS);
    ApiKeys *keys;
    uint32_t twin;
    for (int i = 0; i < KEYS; i++)
        api_key_make(texts[i], list[i].hash);
    CHECK(!failed(api_keys_new(arena, list, KEYS, &keys, &twin)));
    return keys;
}

/* A new one for each lookup: of a few texts, those of one class could by chance have better places
   in the table. Both classes cost the same here, so that caches know neither better. */
static void make_text(Random *random, bool is_near, char text[API_KEY_SIZE])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *key = texts[random_next(random) % KEYS];
    int kept = is_near ? API_KEY_SIZE - END : API_KEY_ID_SIZE + 1;
    for (int i = 0; i < API_KEY_SIZE; i++) {
        char digit = digits[random_next(random) >> 58];
        int taken =
            (i - kept) >> 31; /* all bits, or none: a branch would tell the processor more */
        text[i] = (char)((key[i] & taken) | (digit & ~taken));
    }
}

/* What is slower than most was disturbed: such times say nothing of the code. */
static double most_of(const ApiKeys *keys, Random *random)
{
    enum { TRIED = 20000 };
    double sum = 0;
    char text[API_KEY_SIZE];
    for (int i = 0; i < TRIED; i++) {
        make_text(random, i & 1, text);
        double began = nanoseconds();
        (void)api_keys_find(keys, bytes(text, API_KEY_SIZE));
        sum += nanoseconds() - began;
    }
    return 2 * sum / TRIED;
}

int main(int n, char **arguments)
{
    long rounds = n > 1 ? atol(arguments[1]) : ROUNDS;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Random random;
    Sample samples[2] = {{0}, {0}};
    random_seed(&random);
    ApiKeys *keys = make_keys(arena);
    double most = most_of(keys, &random);
    for (long i = 0; i < rounds; i++) {
        char text[API_KEY_SIZE];
        bool is_near = random_next(&random) >> 63;
        make_text(&random, is_near, text);
        double began = nanoseconds();
        const ApiKey *found = api_keys_find(keys, bytes(text, API_KEY_SIZE));
        double took = nanoseconds() - began;
        if (!found && took < most)
            add(&samples[is_near], took);
    }
    double t = t_of(&samples[1], &samples[0]);
    printf("near: %.1f ns, far: %.1f ns, of %.0f and %.0f lookups; t = %.2f (limit 4.5)\n",
           samples[1].mean, samples[0].mean, samples[1].n, samples[0].n, t);
    arena_free(arena);
    return fabs(t) < 4.5 ? 0 : 1;
}
