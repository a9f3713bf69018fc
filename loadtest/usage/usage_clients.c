/*
 * What many clients cost, and how exact what is known of them is: usage_clients CLIENTS CALLS
 * HASHED
 *
 * Drives the table of gateway/usage, with its default memory, by CALLS calls of CLIENTS clients in
 * two methods: each client calls once, and the rest of the calls are of few clients as often as of
 * many. Names are short, or 32 hexadecimal digits (HASHED 1). Then each client is looked up, and
 * compared with what it has done. Fails if memory is above 64 MiB, a sum is wrong, or anything that
 * was used is missed.
 */
#include "base/random.h"
#include "gateway/usage/usage_names.h"
#include "gateway/usage/usage_table.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOON (INT64_C(1772366400) * SECOND)

enum { METHODS = 2, MEMORY = 40 << 20, MOST = 64 << 20 };

/* What a client has really done with a method, and what the table says. */
typedef struct Truth {
    uint32_t calls, last; /* seconds after NOON */
} Truth;

typedef struct Said {
    uint64_t calls;
    int64_t last;
} Said;

typedef struct Check {
    uint32_t clients;
    bool hashed;
    Said *own; /* [client * METHODS + method] */
    Said shared[USAGE_SHARED][METHODS];
    uint64_t calls;
} Check;

static uint64_t hash_of(uint64_t i)
{
    i = (i ^ i >> 33) * UINT64_C(0xff51afd7ed558ccd);
    return i ^ i >> 29;
}

static Bytes name_of(uint32_t client, bool hashed, char name[40])
{
    int size = hashed ? snprintf(name, 40, "%08x%016llx%08x", client,
                                 (unsigned long long)hash_of(client), ~client)
                      : snprintf(name, 40, "client-%06u", client);
    return bytes(name, (size_t)size);
}

static uint32_t client_of(Bytes name, bool hashed)
{
    char text[40] = {0};
    memcpy(text, name.data, hashed ? 8 : name.size);
    return (uint32_t)(hashed ? strtoul(text, NULL, 16) : strtoul(text + 7, NULL, 10));
}

static void note(Said *said, const UsageCount *row)
{
    said->calls += row->calls;
    said->last = said->last > row->last ? said->last : row->last;
}

static void see(void *owner, const UsageCount *row)
{
    Check *check = owner;
    uint32_t method = row->use - 1;
    check->calls += row->calls;
    if (row->shared)
        note(&check->shared[row->shared - 1][method], row);
    else
        note(&check->own[client_of(row->client, check->hashed) * METHODS + method], row);
}

/* Resident memory in bytes. */
static size_t resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        exit(2);
    fclose(file);
    return pages * 4096;
}

/* The first round has each client once; then a client is the more often the smaller it is. */
static uint32_t pick(Random *random, uint32_t call, uint32_t clients)
{
    if (call < clients)
        return call;
    double share = (double)(random_next(random) >> 11) / (double)(UINT64_C(1) << 53);
    return (uint32_t)(share * share * share * clients);
}

static void call_all(UsageTable *table, Truth *truth, const Check *check, uint32_t calls)
{
    Random random;
    random_seed_fixed(&random, 7);
    for (uint32_t i = 0; i < calls; i++) {
        char name[40];
        uint32_t client = pick(&random, i, check->clients), method = random_next(&random) % METHODS;
        uint32_t last = i / 1000;
        usage_table_call(table, method + 1, name_of(client, check->hashed, name),
                         NOON + last * SECOND);
        Truth *t = &truth[client * METHODS + method];
        t->calls++;
        t->last = last;
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    uint32_t clients = (uint32_t)atoi(argv[1]), calls = (uint32_t)atoi(argv[2]);
    Check *check = calloc(1, sizeof *check);
    Truth *truth = malloc((size_t)clients * METHODS * sizeof *truth);
    if (!check || !truth)
        return 2;
    check->clients = clients;
    check->hashed = argv[3][0] == '1';
    memset(truth, 0, (size_t)clients * METHODS * sizeof *truth);

    size_t before = resident();
    UsageTable *table = usage_table_new(MEMORY);
    int64_t began = clock_now();
    call_all(table, truth, check, calls);
    int64_t took = clock_now() - began;
    malloc_trim(0);
    size_t memory = resident() - before;
    UsageTableStats stats = usage_table_stats(table);

    check->own = calloc((size_t)clients * METHODS, sizeof *check->own);
    for (uint32_t i = 0; check->own && i < USAGE_SHARDS; i++)
        usage_table_each(table, i, see, check);
    uint64_t missed = 0, wrong = 0, shared = 0, uses = 0;
    double excess = 0;
    for (uint32_t i = 0; check->own && i < clients * METHODS; i++) {
        char name[40];
        const Truth *t = &truth[i];
        const Said *own = &check->own[i];
        if (!t->calls)
            continue;
        uses++;
        const Said *others =
            &check->shared[usage_shared_of(name_of(i / METHODS, check->hashed, name)) - 1]
                          [i % METHODS];
        bool is_own = own->calls == t->calls && own->last == NOON + t->last * SECOND;
        uint64_t most = own->calls + others->calls;
        int64_t last = own->last > others->last ? own->last : others->last;
        missed += most < t->calls || last < NOON + t->last * SECOND;
        wrong += own->calls > t->calls;
        shared += !is_own;
        excess += is_own ? 0 : (double)(most - t->calls);
    }
    bool good = !missed && !wrong && check->calls == calls && memory < MOST;
    printf("%u clients (%s), %u calls: %.1f MiB resident, %.1f MiB counted, %llu rows, %.0f ns a "
           "call\n  uses of a client: %llu, without a row %llu (%.1f %%), overstated by %.0f calls "
           "on average; missed %llu, sums %s\n",
           clients, check->hashed ? "hashed" : "named", calls, (double)memory / (1 << 20),
           (double)stats.bytes / (1 << 20), (unsigned long long)stats.rows,
           (double)took / (double)calls, (unsigned long long)uses, (unsigned long long)shared,
           100.0 * (double)shared / (double)(uses ? uses : 1),
           shared ? excess / (double)shared : 0.0, (unsigned long long)missed,
           check->calls == calls ? "exact" : "WRONG");
    usage_table_free(table);
    free(check->own);
    free(check);
    free(truth);
    return good ? 0 : 1;
}
