#include "gateway/cohort/cohort_sample.h"

#include "base/arena.h"
#include "base/result.h"
#include "gateway/cohort/key_set.h"

#include <stdlib.h>

/* What is written: numbers of 64 bits, little endian.
 *
 *      format  rollout  round  unserved  [ limit  n  key ... ] for each set
 */
enum { FORMAT = 1, HEAD_NUMBERS = 4 };

typedef struct ArmSets {
    KeySet clients;
    KeySet failed[ROLLOUT_METRICS];
} ArmSets;

struct CohortSample {
    uint64_t rollout, round, unserved;
    ArmSets arms[COHORT_ARMS];
};

enum { SETS_OF_ARM = 1 + ROLLOUT_METRICS, SETS = COHORT_ARMS * SETS_OF_ARM };

static KeySet *set_of(CohortSample *sample, int i)
{
    ArmSets *arm = &sample->arms[i / SETS_OF_ARM];
    int k = i % SETS_OF_ARM;
    return k == 0 ? &arm->clients : &arm->failed[k - 1];
}

static const KeySet *set_at(const CohortSample *sample, int i)
{
    const ArmSets *arm = &sample->arms[i / SETS_OF_ARM];
    int k = i % SETS_OF_ARM;
    return k == 0 ? &arm->clients : &arm->failed[k - 1];
}

CohortSample *cohort_sample_new(uint64_t rollout, uint64_t round)
{
    CohortSample *sample = calloc(1, sizeof *sample);
    CHECK(sample);
    sample->rollout = rollout;
    sample->round = round;
    for (int i = 0; i < SETS; i++)
        key_set_init(set_of(sample, i), i % SETS_OF_ARM ? SAMPLE_FAILED : SAMPLE_CLIENTS);
    return sample;
}

void cohort_sample_free(CohortSample *sample)
{
    if (!sample)
        return;
    for (int i = 0; i < SETS; i++)
        key_set_deinit(set_of(sample, i));
    free(sample);
}

CohortSample *cohort_sample_copy(const CohortSample *sample)
{
    CohortSample *copy = cohort_sample_new(sample->rollout, sample->round);
    copy->unserved = sample->unserved;
    for (int i = 0; i < SETS; i++)
        key_set_copy(set_of(copy, i), set_at(sample, i));
    return copy;
}

uint64_t cohort_sample_rollout(const CohortSample *sample)
{
    return sample->rollout;
}

uint64_t cohort_sample_round(const CohortSample *sample)
{
    return sample->round;
}

/* ---- Counting -------------------------------------------------------------------------------- */

/* Whoever has a small hash is in the candidate's arm of a larger tier: what is kept of an arm must
   not depend on that. Each number has one that it becomes (MurmurHash3, fmix64). */
static uint64_t shuffled(uint64_t client)
{
    client = (client ^ client >> 33) * UINT64_C(0xff51afd7ed558ccd);
    client = (client ^ client >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return client ^ client >> 33;
}

void cohort_sample_add(CohortSample *sample, CohortArm arm, uint64_t client, uint32_t failed)
{
    ArmSets *sets = &sample->arms[arm];
    uint64_t key = shuffled(client);
    key_set_add(&sets->clients, key);
    for (; failed; failed &= failed - 1) {
        int metric = __builtin_ctz(failed);
        if (metric < ROLLOUT_METRICS)
            key_set_add(&sets->failed[metric], key);
    }
}

bool cohort_sample_may_have(const CohortSample *sample, CohortArm arm, uint64_t client)
{
    const KeySet *clients = &sample->arms[arm].clients;
    uint64_t key = shuffled(client);
    return (clients->limit && key >= clients->limit) || key_set_has(clients, key);
}

void cohort_sample_merge(CohortSample *sample, const CohortSample *from)
{
    if (sample->rollout != from->rollout || sample->round != from->round)
        return;
    if (sample->unserved < from->unserved)
        sample->unserved = from->unserved;
    for (int i = 0; i < SETS; i++)
        key_set_merge(set_of(sample, i), set_at(from, i));
}

CohortCount cohort_sample_count(const CohortSample *sample, CohortArm arm)
{
    const ArmSets *sets = &sample->arms[arm];
    CohortCount count = {.clients = key_set_count(&sets->clients),
                         .clients_error = key_set_error(&sets->clients)};
    for (int i = 0; i < ROLLOUT_METRICS; i++) {
        count.failed[i] = key_set_count(&sets->failed[i]);
        count.failed_error[i] = key_set_error(&sets->failed[i]);
    }
    return count;
}

void cohort_sample_unserved(CohortSample *sample)
{
    sample->unserved++;
}

uint64_t cohort_sample_n_unserved(const CohortSample *sample)
{
    return sample->unserved;
}

/* ---- As bytes -------------------------------------------------------------------------------- */

static void write_number(Buffer *out, uint64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
    buffer_add(out, bytes, sizeof bytes);
}

static void write_set(const KeySet *set, Arena *arena, Buffer *out)
{
    uint64_t *keys = arena_array(arena, uint64_t, set->n + 1);
    if (!keys) {
        out->full = true;
        return;
    }
    key_set_list(set, keys);
    write_number(out, set->limit);
    write_number(out, set->n);
    for (uint32_t i = 0; i < set->n; i++)
        write_number(out, keys[i]);
}

Bytes cohort_sample_write(const CohortSample *sample, Arena *arena)
{
    Buffer out = buffer_in(arena);
    write_number(&out, FORMAT);
    write_number(&out, sample->rollout);
    write_number(&out, sample->round);
    write_number(&out, sample->unserved);
    for (int i = 0; i < SETS; i++)
        write_set(set_at(sample, i), arena, &out);
    return out.full ? BYTES_NONE : buffer_bytes(&out);
}

static bool read_number(Bytes *rest, uint64_t *number_out)
{
    if (rest->size < 8)
        return false;
    *number_out = 0;
    for (int i = 0; i < 8; i++)
        *number_out |= (uint64_t)rest->data[i] << 8 * i;
    *rest = bytes_slice(*rest, 8, rest->size);
    return true;
}

static bool read_set(Bytes *rest, KeySet *set)
{
    uint64_t limit, n, key;
    if (!read_number(rest, &limit) || !read_number(rest, &n) || n > rest->size / 8)
        return false;
    key_set_lower(set, limit);
    while (n-- && read_number(rest, &key))
        key_set_add(set, key);
    return true;
}

CohortSample *cohort_sample_read(Bytes written)
{
    uint64_t head[HEAD_NUMBERS];
    for (int i = 0; i < HEAD_NUMBERS; i++)
        if (!read_number(&written, &head[i]))
            return NULL;
    if (head[0] != FORMAT)
        return NULL;
    CohortSample *sample = cohort_sample_new(head[1], head[2]);
    sample->unserved = head[3];
    for (int i = 0; i < SETS; i++) {
        if (!read_set(&written, set_of(sample, i))) {
            cohort_sample_free(sample);
            return NULL;
        }
    }
    return sample;
}
