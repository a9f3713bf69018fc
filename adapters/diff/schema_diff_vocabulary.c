/*
 * Words that the new version uses for others: "tenant" where the old one says "organization".
 *
 * If one word in place of another makes many names that are lost into names that are new, it is the
 * same thing under another name. Each pair of such names is a vote:
 *
 *     CreateOrganizationRequest    GetOrganizationResponse    GatewayListItem.organization_id
 *     CreateTenantRequest          GetTenantResponse          GatewayListItem.tenant_id
 *
 * A resource that went away beside another that is new gets votes as well. So what is in them has
 * to be alike, or fields that stand in the same messages have to tell the same.
 */
#include "adapters/diff/schema_diff_internal.h"

enum { MOST_REPLACED = 2, MOST_ALIKE_NAMES = 8, LEAST_VOTES = 3, LEAST_LIKENESS = 55 };

/* A name without some of its words, which follow each other. */
typedef struct Gap {
    const char *phrase;       /* these words */
    const MessageType *owner; /* of a field, or NULL */
    const MessageType *type;  /* of a message's name, or NULL */
} Gap;

typedef struct Replacement {
    const char *from, *to;
    uint32_t votes, of_fields;
    bool alike; /* there are two messages of these names that have much in common */
} Replacement;

typedef struct Learning {
    Diffing *d;
    Table gaps[2];      /* "message: create _ request" -> List of Gap */
    Table types[2];     /* "organization" -> the message of this name */
    Table replacements; /* "organization>tenant" -> Replacement */
    List all;
} Learning;

static const char *phrase_of(Arena *arena, const Words *words, uint32_t from, uint32_t n)
{
    const char *phrase = words->n ? words->word[from] : "";
    for (uint32_t i = 1; i < n; i++)
        phrase = arena_printf(arena, "%s %s", phrase, words->word[from + i]);
    return phrase;
}

/* Of a name with n words, each part of one or two of them that leaves at least one. */
static void add_gaps(Learning *l, int end, const char *kind, const Words *words, Gap gap)
{
    Arena *arena = l->d->arena;
    for (uint32_t n = 1; n <= MOST_REPLACED && n < words->n; n++)
        for (uint32_t at = 0; at + n <= words->n; at++) {
            Buffer key = buffer_in(arena);
            buffer_printf(&key, "%s:", kind);
            for (uint32_t i = 0; i < words->n; i++)
                if (i == at)
                    buffer_add_text(&key, " _");
                else if (i < at || i >= at + n)
                    buffer_printf(&key, " %s", words->word[i]);
            buffer_add_byte(&key, 0);
            Gap *added = arena_make(arena, Gap);
            *added = gap;
            added->phrase = phrase_of(arena, words, at, n);
            lists_add(&l->gaps[end], (const char *)key.data, added);
        }
}

/* ---- Names that only one version has --------------------------------------------------------- */

/* What has a name: a message, or a method. */
typedef struct Named {
    const char *name;
    const MessageType *type; /* NULL: it is a method */
} Named;

static void add_named(Arena *arena, List *list, const char *name, const MessageType *type)
{
    Named *named = arena_make(arena, Named);
    *named = (Named){name, type};
    list_add(arena, list, named);
}

static List messages_of(const Diffing *d, int end)
{
    const ChangeSide *side = &d->sides[end];
    List list = {0};
    for (uint32_t i = 0; i < side->schema->n_messages; i++) {
        const MessageType *type = &side->schema->messages[i];
        if (!type->map_entry && diff_in_package(side, type->full_name))
            add_named(d->arena, &list, type->name, type);
    }
    return list;
}

static List methods_of(const Diffing *d, int end)
{
    const ChangeSide *side = &d->sides[end];
    List list = {0};
    for (uint32_t i = 0; i < side->schema->n_services; i++) {
        const ServiceType *service = &side->schema->services[i];
        bool own = diff_serves(side, service);
        for (uint32_t k = 0; own && k < service->n_methods; k++)
            add_named(d->arena, &list, service->methods[k].name, NULL);
    }
    return list;
}

static Table keys_of(Diffing *d, const List *list)
{
    Table keys = table_in(d->arena);
    for (uint32_t i = 0; i < list->n; i++) {
        const Named *named = list->items[i];
        table_put(&keys, bytes_of(diff_name_key(d, named->name)), (void *)named);
    }
    return keys;
}

static void add_names(Learning *l, const char *kind, List (*names_of)(const Diffing *d, int end))
{
    Diffing *d = l->d;
    const List names[2] = {names_of(d, OLD), names_of(d, NEW)};
    const Table keys[2] = {keys_of(d, &names[OLD]), keys_of(d, &names[NEW])};
    for (int end = 0; end < 2; end++)
        for (uint32_t i = 0; i < names[end].n; i++) {
            const Named *named = names[end].items[i];
            if (table_get(&keys[!end], bytes_of(diff_name_key(d, named->name))))
                continue;
            const Words *words = diff_words_of_type(d, named->name);
            add_gaps(l, end, kind, words, (Gap){.type = named->type});
            if (named->type)
                table_put(&l->types[end], bytes_of(phrase_of(d->arena, words, 0, words->n)),
                          (void *)named->type);
        }
}

/* A name of one word, beside others of its type that its message lost or got. */
static void add_whole(Learning *l, int end, const FieldType *field, const Words *words,
                      const MessageType *owner)
{
    if (words->n != 1)
        return;
    const char *key = arena_printf(l->d->arena, "whole %s %d%d%d", owner->full_name,
                                   (int)field->kind, field->repeated, field->map);
    Gap *gap = arena_make(l->d->arena, Gap);
    *gap = (Gap){.phrase = words->word[0], .owner = owner};
    lists_add(&l->gaps[end], key, gap);
}

/* Of two messages with one name: the fields that only one of them has. */
static void add_fields(Learning *l)
{
    const ChangeSide *sides = l->d->sides;
    for (int end = 0; end < 2; end++)
        for (uint32_t i = 0; i < sides[end].schema->n_messages; i++) {
            const MessageType *type = &sides[end].schema->messages[i];
            const MessageType *other =
                type->map_entry || !diff_in_package(&sides[end], type->full_name)
                    ? NULL
                    : side_message(&sides[!end], l->d->arena,
                                   bytes_of(side_name(&sides[end], type->full_name)));
            const MessageType *owner = end == OLD ? type : other;
            for (uint32_t k = 0; other && k < type->n_fields; k++) {
                const FieldType *field = &type->fields[k];
                if (message_field(other, bytes_of(field->name)))
                    continue;
                const Words *words = diff_words(l->d, field->name);
                add_gaps(l, end,
                         arena_printf(l->d->arena, "field %s%s", owner->full_name,
                                      field->repeated ? " list" : ""),
                         words, (Gap){.owner = owner});
                add_whole(l, end, field, words, owner);
            }
        }
}

/* ---- Votes ----------------------------------------------------------------------------------- */

static Replacement *replacement_of(Learning *l, const char *from, const char *to)
{
    const char *key = arena_printf(l->d->arena, "%s>%s", from, to);
    Replacement *found = table_get(&l->replacements, bytes_of(key));
    if (!found) {
        found = arena_make(l->d->arena, Replacement);
        *found = (Replacement){.from = from, .to = to};
        table_put(&l->replacements, bytes_of(key), found);
        list_add(l->d->arena, &l->all, found);
    }
    return found;
}

static bool are_alike(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    return old && new_type && old->n_fields >= LEAST_VOTES &&
           diff_shared_fields(d, old, new_type) >= LEAST_LIKENESS;
}

/* A unit is never another one: a converter goes between them. */
static bool has_unit(Diffing *d, const char *phrase)
{
    Words words = words_of(d->arena, phrase);
    for (uint32_t i = 0; i < words.n; i++)
        if (diff_is_unit(words.word[i]))
            return true;
    return false;
}

static void vote(Learning *l, const Gap *old, const Gap *new_gap)
{
    if (strcmp(old->phrase, new_gap->phrase) == 0 || has_unit(l->d, old->phrase) ||
        has_unit(l->d, new_gap->phrase))
        return;
    Replacement *replacement = replacement_of(l, old->phrase, new_gap->phrase);
    replacement->votes++;
    replacement->of_fields += old->owner != NULL;
    replacement->alike |= are_alike(l->d, old->type, new_gap->type);
}

static void count_votes(Learning *l)
{
    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(&l->gaps[OLD], &at));) {
        const List *old = entry->value, *is = table_get(&l->gaps[NEW], entry->key);
        if (!is || old->n > MOST_ALIKE_NAMES || is->n > MOST_ALIKE_NAMES)
            continue;
        for (uint32_t i = 0; i < old->n; i++)
            for (uint32_t k = 0; k < is->n; k++)
                vote(l, old->items[i], is->items[k]);
    }
}

/* ---- What is learned ------------------------------------------------------------------------- */

/* The best for each phrase, and how many votes the next best has. */
typedef struct Winner {
    const Replacement *best;
    uint32_t second;
} Winner;

static void run_for(Learning *l, Table *winners, const char *phrase, const Replacement *candidate)
{
    Winner *winner = table_get(winners, bytes_of(phrase));
    if (!winner) {
        winner = arena_make(l->d->arena, Winner);
        table_put(winners, bytes_of(phrase), winner);
    }
    uint32_t most = winner->best ? winner->best->votes : 0;
    if (candidate->votes > most) {
        winner->second = most;
        winner->best = candidate;
    } else if (candidate->votes > winner->second) {
        winner->second = candidate->votes;
    }
}

static bool has_won(const Table *winners, const char *phrase, const Replacement *candidate)
{
    const Winner *winner = table_get(winners, bytes_of(phrase));
    return winner->best == candidate && candidate->votes >= 2 * winner->second;
}

static void learn(Learning *l)
{
    Table winners[2] = {table_in(l->d->arena), table_in(l->d->arena)};
    for (uint32_t i = 0; i < l->all.n; i++) {
        const Replacement *one = l->all.items[i];
        run_for(l, &winners[OLD], one->from, one);
        run_for(l, &winners[NEW], one->to, one);
    }
    for (uint32_t i = 0; i < l->all.n; i++) {
        const Replacement *one = l->all.items[i];
        bool alike = one->alike || are_alike(l->d, table_get(&l->types[OLD], bytes_of(one->from)),
                                             table_get(&l->types[NEW], bytes_of(one->to)));
        if (one->votes < LEAST_VOTES || (!alike && one->of_fields < LEAST_VOTES) ||
            !has_won(&winners[OLD], one->from, one) || !has_won(&winners[NEW], one->to, one))
            continue;
        diff_same_words(l->d, one->from, one->to);
    }
}

void diff_learn_words(Diffing *d)
{
    Arena *arena = d->arena;
    Learning l = {.d = d,
                  .gaps = {table_in(arena), table_in(arena)},
                  .types = {table_in(arena), table_in(arena)},
                  .replacements = table_in(arena),
                  .all = {0}};
    add_names(&l, "message", messages_of);
    add_names(&l, "method", methods_of);
    add_fields(&l);
    count_votes(&l);
    learn(&l);
}
