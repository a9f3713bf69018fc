/* The values of enums: kept, renamed, and guesses about the rest. */
#include "adapters/diff/schema_diff_internal.h"

#include <ctype.h>
#include <stdlib.h>

/* How many characters up to a "_" all names begin with. */
static size_t common_prefix(const EnumType *type)
{
    size_t common = type->n_values > 1 ? strlen(type->values[0].name) : 0;
    for (uint32_t i = 1; i < type->n_values; i++) {
        size_t n = 0;
        while (n < common && type->values[i].name[n] == type->values[0].name[n])
            n++;
        common = n;
    }
    while (common && type->values[0].name[common - 1] != '_')
        common--;
    return common;
}

/* "TIER_" of the enum Tier, where not all of its values begin with it. */
static size_t own_prefix(Arena *arena, const EnumType *type, const char *value)
{
    const char *dot = strrchr(type->name, '.'), *name = dot ? dot + 1 : type->name;
    Buffer prefix = buffer_in(arena);
    for (size_t i = 0; name[i]; i++) {
        if (i && isupper((unsigned char)name[i]) && !isupper((unsigned char)name[i - 1]))
            buffer_add_byte(&prefix, '_');
        buffer_add_byte(&prefix, (uint8_t)toupper((unsigned char)name[i]));
    }
    buffer_add_byte(&prefix, '_');
    bool begins = strlen(value) > prefix.size && memcmp(value, prefix.data, prefix.size) == 0;
    return begins ? prefix.size : 0;
}

/* The last word, of the value that stands for none: whatever stands before it is the enum's name.
 */
static const char *unspecified_part(const char *name)
{
    static const char unspecified[] = "UNSPECIFIED";
    return bytes_end_with(bytes_of(name), unspecified) ? unspecified : name;
}

const char *const *enum_bare_names(Arena *arena, const EnumType *type)
{
    const char **names = arena_array(arena, const char *, type->n_values + 1);
    size_t common = common_prefix(type);
    for (uint32_t i = 0; i < type->n_values; i++) {
        const char *name = type->values[i].name;
        names[i] = unspecified_part(name + (common ? common : own_prefix(arena, type, name)));
    }
    return names;
}

const BareNames *diff_bare_names(Diffing *d, const EnumType *type)
{
    BareNames *known = table_get(&d->bare_names, bytes(&type, sizeof type));
    if (known)
        return known;
    known = arena_make(d->arena, BareNames);
    *known = (BareNames){type, enum_bare_names(d->arena, type), table_in(d->arena)};
    for (uint32_t i = 0; i < type->n_values; i++)
        table_put(&known->by_name, bytes_of(known->names[i]), (void *)&type->values[i]);
    table_put(&d->bare_names, bytes(&known->type, sizeof known->type), known);
    return known;
}

bool enum_is_unspecified(const char *bare)
{
    static const char *const words[] = {"UNSPECIFIED", "UNKNOWN", "NONE", "UNDEFINED", "INVALID"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(bare, words[i]) == 0)
            return true;
    return false;
}

typedef struct Values {
    Diffing *d;
    const EnumType *ends[2];
    const char *const *bare[2];
    const EnumValue **others; /* by the index of the old value */
    const EnumValue **became; /* what its number became, by the index of its first name */
    bool *used;               /* by the index of the new value */
    int *scores;
    const char **whys;
    Table by_word[2];
    const char **asked; /* what an old value without a counterpart may have become, or NULL */
    bool numbered;      /* values that kept their names kept their numbers */
    bool left_zero;     /* nobody can tell what zero became */
} Values;

static uint32_t index_of(const EnumType *type, const EnumValue *value)
{
    return (uint32_t)(value - type->values);
}

static uint32_t first_name(const EnumType *type, uint32_t value)
{
    return index_of(type, enum_value_by_number(type, type->values[value].number));
}

/* What another name of the same number became; NULL where there is none. */
static const EnumValue *alias_became(const Values *v, uint32_t old)
{
    return v->became[first_name(v->ends[OLD], old)];
}

static void pair(Values *v, uint32_t old, uint32_t new_value, int score, const char *why)
{
    v->others[old] = &v->ends[NEW]->values[new_value];
    v->became[first_name(v->ends[OLD], old)] = v->others[old];
    v->used[new_value] = true;
    v->scores[old] = score;
    v->whys[old] = why;
}

static void pair_if_free(Values *v, uint32_t old, const EnumValue *other, const char *why)
{
    if (other && !v->others[old] && !v->used[index_of(v->ends[NEW], other)])
        pair(v, old, index_of(v->ends[NEW], other), why ? 95 : 100, why);
}

static void pair_same(Values *v)
{
    for (uint32_t i = 0; i < v->ends[OLD]->n_values; i++)
        pair_if_free(v, i, enum_value_by_name(v->ends[NEW], bytes_of(v->ends[OLD]->values[i].name)),
                     NULL);
    const Table *bare = &diff_bare_names(v->d, v->ends[NEW])->by_name;
    for (uint32_t i = 0; i < v->ends[OLD]->n_values; i++)
        pair_if_free(v, i, table_get(bare, bytes_of(v->bare[OLD][i])), "by its name");
    Table letters = table_in(v->d->arena);
    for (uint32_t i = 0; i < v->ends[NEW]->n_values; i++)
        table_put(&letters, bytes_of(diff_letters(v->d, v->bare[NEW][i])),
                  &v->ends[NEW]->values[i]);
    for (uint32_t i = 0; i < v->ends[OLD]->n_values; i++)
        pair_if_free(v, i, table_get(&letters, bytes_of(diff_letters(v->d, v->bare[OLD][i]))),
                     "by its name");
}

/* Do those that go together so far have the same numbers? */
static bool keep_numbers(const Values *v)
{
    uint32_t kept = 0, moved = 0;
    for (uint32_t i = 0; i < v->ends[OLD]->n_values; i++) {
        const EnumValue *other = v->others[i];
        if (!other || other->number == 0)
            continue;
        kept += other->number == v->ends[OLD]->values[i].number;
        moved += other->number != v->ends[OLD]->values[i].number;
    }
    return kept >= moved && !(moved && kept < 3);
}

/* The values of each end by the words in their names. */
static void index_words(Values *v)
{
    for (int end = 0; end < 2; end++) {
        v->by_word[end] = table_in(v->d->arena);
        for (uint32_t i = 0; i < v->ends[end]->n_values; i++) {
            const Words *words = diff_words(v->d, v->bare[end][i]);
            for (uint32_t k = 0; k < words->n; k++)
                lists_add(&v->by_word[end], words->word[k], &v->ends[end]->values[i]);
        }
    }
}

/* A word that only these two have says more than one that all have. */
static bool share_rare_word(const Values *v, const Words *a, const Words *b)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (words_have(b, a->word[i]) && lists_get(&v->by_word[OLD], a->word[i])->n == 1 &&
            lists_get(&v->by_word[NEW], a->word[i])->n == 1)
            return true;
    return false;
}

static int value_likeness(const Values *v, uint32_t old, uint32_t new_value)
{
    const Words *a = diff_words(v->d, v->bare[OLD][old]),
                *b = diff_words(v->d, v->bare[NEW][new_value]);
    int score = words_alike(a, b);
    if (score < 60 && !share_rare_word(v, a, b))
        return 0;
    bool number = v->ends[OLD]->values[old].number == v->ends[NEW]->values[new_value].number;
    return score ? score + (number ? 15 : 0) : 0;
}

/* An old value and a new one that are alike. */
typedef struct Alike {
    uint32_t old, new_value;
    int score;
} Alike;

static int by_score(const void *p, const void *q)
{
    const Alike *a = p, *b = q;
    return a->score != b->score ? b->score - a->score
           : a->old != b->old   ? (a->old < b->old ? -1 : 1)
                                : (a->new_value > b->new_value) - (a->new_value < b->new_value);
}

/* Free, and no other name of what went elsewhere. */
static bool is_open(const Values *v, const Alike *alike)
{
    const EnumValue *other = alias_became(v, alike->old);
    return !v->others[alike->old] && !v->used[alike->new_value] &&
           (!other || other->number == v->ends[NEW]->values[alike->new_value].number);
}

enum { MOST_ALIKE = 1 << 13, LEAST_ALIKE = 40 };

/* All that are alike, the best first; of words that many have none are made. */
static uint32_t find_alike(Values *v, Alike **alike_out)
{
    uint32_t n = 0, capacity = 0;
    *alike_out = NULL;
    for (uint32_t i = 0; i < v->ends[OLD]->n_values && n < MOST_ALIKE; i++) {
        Candidates candidates = {.n = 0};
        const Words *words = diff_words(v->d, v->bare[OLD][i]);
        for (uint32_t k = 0; !v->others[i] && k < words->n; k++)
            candidates_add(&candidates, lists_get(&v->by_word[NEW], words->word[k]));
        for (uint32_t k = 0; k < candidates.n; k++) {
            Alike one = {.old = i, .new_value = index_of(v->ends[NEW], candidates.items[k])};
            one.score = v->used[one.new_value] ? 0 : value_likeness(v, i, one.new_value);
            if (one.score < LEAST_ALIKE - 5)
                continue;
            if (n == capacity) {
                capacity = capacity ? capacity * 2 : 16;
                *alike_out =
                    arena_grow(v->d->arena, *alike_out, n * sizeof one, capacity * sizeof one);
            }
            (*alike_out)[n++] = one;
        }
    }
    if (n)
        qsort(*alike_out, n, sizeof **alike_out, by_score);
    return n;
}

/* Could one of the two as well go elsewhere? Those that are about as good are near. */
static bool has_rival(const Values *v, const Alike *all, uint32_t n, uint32_t at)
{
    enum { CLEARLY = 5 };
    uint32_t from = at;
    while (from > 0 && all[from - 1].score < all[at].score + CLEARLY)
        from--;
    for (uint32_t i = from; i < n && all[i].score > all[at].score - CLEARLY; i++)
        if ((all[i].old == all[at].old) != (all[i].new_value == all[at].new_value) &&
            is_open(v, &all[i]))
            return true;
    return false;
}

/* By words: the best first, if it is better than any other of the two. */
static void pair_alike(Values *v)
{
    Alike *all;
    uint32_t n = find_alike(v, &all);
    bool more = true;
    for (uint32_t pass = 0; pass < 8 && more; pass++) {
        more = false;
        for (uint32_t i = 0; i < n && all[i].score >= LEAST_ALIKE; i++) {
            if (!is_open(v, &all[i]) || has_rival(v, all, n, i))
                continue;
            pair(v, all[i].old, all[i].new_value, all[i].score > 95 ? 95 : all[i].score,
                 "by its name");
            more = true;
        }
    }
}

/* Zero that said something, and is "unspecified" now: that value may have another number. */
static bool may_have_left_zero(const Values *v, uint32_t old, uint32_t new_value)
{
    if (enum_is_unspecified(v->bare[OLD][old]) || !enum_is_unspecified(v->bare[NEW][new_value]))
        return false;
    for (uint32_t k = 0; k < v->ends[NEW]->n_values; k++)
        if (!v->used[k] && k != new_value)
            return true;
    return false;
}

static bool is_left(const Values *v, int32_t number)
{
    const EnumValue *value = enum_value_by_number(v->ends[NEW], number);
    return value && !v->used[index_of(v->ends[NEW], value)];
}

/* Does each value without a namesake find its number? Else the numbers were given to others. */
static bool all_kept_numbers(const Values *v)
{
    for (uint32_t i = 0; i < v->ends[OLD]->n_values; i++) {
        int32_t number = v->ends[OLD]->values[i].number;
        if (!alias_became(v, i) && number != 0 && !is_left(v, number))
            return false;
    }
    return true;
}

static bool share_word(const Values *v, uint32_t old, uint32_t new_value)
{
    Words a = *diff_words(v->d, v->bare[OLD][old]), b = *diff_words(v->d, v->bare[NEW][new_value]);
    return words_alike(&a, &b) > 0;
}

static void pair_by_number(Values *v)
{
    bool telling = v->numbered && all_kept_numbers(v);
    for (uint32_t i = 0; i < v->ends[OLD]->n_values; i++) {
        int32_t number = v->ends[OLD]->values[i].number;
        if (alias_became(v, i) || !is_left(v, number))
            continue;
        uint32_t k = index_of(v->ends[NEW], enum_value_by_number(v->ends[NEW], number));
        if (number == 0 && may_have_left_zero(v, i, k))
            v->left_zero = true;
        else if (number == 0)
            pair(v, i, k, 95, "both are zero");
        else if (telling || (v->numbered && share_word(v, i, k)))
            pair(v, i, k, 65, "the same number");
        else if (v->numbered)
            v->asked[i] = v->ends[NEW]->values[k].name;
    }
}

static void match_values(Values *v)
{
    pair_same(v);
    index_words(v);
    pair_alike(v);
    v->numbered = keep_numbers(v);
    pair_by_number(v);
}

/* "; or did it become CREATED or UNSPECIFIED?", of zero. */
static const char *question(const Values *v)
{
    enum { MOST_ASKED = 3 };
    const char *asked = "; or did it become";
    uint32_t n = 0;
    for (uint32_t k = 0; k < v->ends[NEW]->n_values && n < MOST_ASKED; k++)
        if (!v->used[k])
            asked = arena_printf(v->d->arena, "%s %s%s", asked, n++ ? "or " : "",
                                 v->ends[NEW]->values[k].name);
    return arena_printf(v->d->arena, "%s?", asked);
}

static void tell_value(Values *v, uint32_t i, const char *name, Buffer *lines)
{
    Diffing *d = v->d;
    const EnumValue *value = &v->ends[OLD]->values[i], *other = v->others[i];
    const char *path = arena_printf(d->arena, "%s.%s", name, value->name);
    const EnumValue *alias = alias_became(v, i);
    if (!other && alias) { /* the list says of the number what becomes of it */
        diff_add(d, BREAKS_JSON | BREAKS_SOURCE, false, path, "a second name of %s, removed",
                 alias->name);
        return;
    }
    if (!other) {
        diff_add(d, BREAKS_JSON | BREAKS_SOURCE, false, path, "value removed");
        const char *asked = v->left_zero && value->number == 0 ? question(v) : "";
        if (v->asked[i])
            asked = arena_printf(d->arena, "; or did it become %s?", v->asked[i]);
        buffer_printf(lines, "    %s: {removed: loud}  # decide: lost towards %s%s\n", value->name,
                      d->sides[NEW].version, asked);
        return;
    }
    if (other->number != value->number)
        diff_add(d, BREAKS_WIRE, false, path, "renumbered from %d to %d", value->number,
                 other->number);
    if (strcmp(other->name, value->name) == 0)
        return;
    diff_add(d, BREAKS_JSON | BREAKS_SOURCE, true, path, "renamed to %s", other->name);
    buffer_printf(lines, "    %s: %s%s\n", value->name, other->name,
                  diff_guess(d, v->scores[i], v->whys[i]));
}

/* A second name of a value that has a counterpart is nothing that gets lost. */
static void tell_added(Values *v, const char *name, Buffer *lines)
{
    Diffing *d = v->d;
    const EnumType *type = v->ends[NEW];
    bool *known = arena_array(d->arena, bool, type->n_values + 1);
    for (uint32_t k = 0; k < type->n_values; k++)
        known[first_name(type, k)] |= v->used[k];
    for (uint32_t k = 0; k < type->n_values; k++) {
        if (v->used[k])
            continue;
        const char *path = arena_printf(d->arena, "%s.%s", name, type->values[k].name);
        if (known[first_name(type, k)]) {
            diff_add(d, 0, false, path, "a second name of a value, added");
            continue;
        }
        diff_add(d, 0, false, path, "value added");
        buffer_printf(lines, "    %s: {added: loud}  # decide: lost towards %s\n",
                      type->values[k].name, d->sides[OLD].version);
    }
}

static void diff_enum(Diffing *d, const EnumType *old, const EnumType *new_type)
{
    const char *name = side_name(&d->sides[OLD], old->full_name);
    Values v = {.d = d,
                .ends = {old, new_type},
                .bare = {diff_bare_names(d, old)->names, diff_bare_names(d, new_type)->names},
                .others = arena_array(d->arena, const EnumValue *, old->n_values + 1),
                .became = arena_array(d->arena, const EnumValue *, old->n_values + 1),
                .used = arena_array(d->arena, bool, new_type->n_values + 1),
                .scores = arena_array(d->arena, int, old->n_values + 1),
                .whys = arena_array(d->arena, const char *, old->n_values + 1),
                .asked = arena_array(d->arena, const char *, old->n_values + 1)};
    match_values(&v);
    if (old->closed != new_type->closed)
        diff_add(d, BREAKS_WIRE | BREAKS_JSON, false, name,
                 new_type->closed ? "became closed: a number without a name is no value any more"
                                  : "became open: a number without a name is a value now");
    Buffer lines = buffer_in(d->arena);
    for (uint32_t i = 0; i < old->n_values; i++)
        tell_value(&v, i, name, &lines);
    tell_added(&v, name, &lines);
    if (lines.size) {
        buffer_printf(&d->enums, "  %s:\n", name);
        buffer_add_bytes(&d->enums, buffer_bytes(&lines));
    }
}

void diff_enums(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    for (uint32_t i = 0; i < schema->n_enums; i++) {
        const EnumType *old = &schema->enums[i];
        if (!table_get(&d->used[OLD], bytes_of(old->full_name)) &&
            !diff_in_package(&d->sides[OLD], old->full_name))
            continue;
        const EnumType *partner = diff_enum_partner(d, OLD, old);
        if (partner)
            diff_enum(d, old, partner);
        else if (diff_in_package(&d->sides[OLD], old->full_name))
            diff_add(d, BREAKS_SOURCE, false, side_name(&d->sides[OLD], old->full_name),
                     "enum removed");
    }
}
