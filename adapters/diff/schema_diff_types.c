/* Messages and enums: which are the same under another name. */
#include "adapters/diff/schema_diff_internal.h"

const MessageType *diff_partner(const Diffing *d, int end, const MessageType *message)
{
    const MessageType *said = table_get(&d->partners[end], bytes_of(message->full_name));
    if (said || diff_is_own(d, end, message->full_name))
        return said;
    return schema_message(d->sides[!end].schema, bytes_of(message->full_name));
}

const EnumType *diff_enum_partner(const Diffing *d, int end, const EnumType *type)
{
    const EnumType *said = table_get(&d->partners[end], bytes_of(type->full_name));
    if (said || diff_is_own(d, end, type->full_name))
        return said;
    return schema_enum(d->sides[!end].schema, bytes_of(type->full_name));
}

static bool is_free(const Diffing *d, int end, const char *full_name)
{
    return diff_is_own(d, end, full_name) && !table_get(&d->partners[end], bytes_of(full_name));
}

static bool is_free_message(const Diffing *d, int end, const MessageType *message)
{
    return !message->map_entry && is_free(d, end, message->full_name);
}

static void marry(Diffing *d, const char *old, void *old_type, const char *new_name, void *new_type)
{
    diff_changed(d, OLD, old);
    diff_changed(d, NEW, new_name);
    table_put(&d->partners[OLD], bytes_of(old), new_type);
    table_put(&d->partners[NEW], bytes_of(new_name), old_type);
}

bool diff_marry_messages(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    if (!is_free_message(d, OLD, old) || !is_free_message(d, NEW, new_type))
        return false;
    marry(d, old->full_name, (void *)old, new_type->full_name, (void *)new_type);
    return true;
}

bool diff_marry_enums(Diffing *d, const EnumType *old, const EnumType *new_type)
{
    if (!is_free(d, OLD, old->full_name) || !is_free(d, NEW, new_type->full_name))
        return false;
    marry(d, old->full_name, (void *)old, new_type->full_name, (void *)new_type);
    return true;
}

/* ---- The same name --------------------------------------------------------------------------- */

/* The message of the same relative name; else the message itself, where the new version uses it. */
static const MessageType *same_message(const Diffing *d, const MessageType *old)
{
    const ChangeSide *side = &d->sides[NEW];
    const char *name = side_name(&d->sides[OLD], old->full_name);
    const MessageType *same = side_message(side, d->arena, bytes_of(name));
    return same && diff_in_package(side, same->full_name) ? same : NULL;
}

static const EnumType *same_enum(const Diffing *d, const EnumType *old)
{
    const ChangeSide *side = &d->sides[NEW];
    const char *name = side_name(&d->sides[OLD], old->full_name);
    const EnumType *same = side_enum(side, d->arena, bytes_of(name));
    return same && diff_in_package(side, same->full_name) ? same : NULL;
}

/* Does the new version use this type of the old one's package? */
static bool is_borrowed(const Diffing *d, const char *full_name)
{
    return diff_in_package(&d->sides[OLD], full_name) &&
           !diff_in_package(&d->sides[NEW], full_name) &&
           table_get(&d->used[NEW], bytes_of(full_name));
}

static const MessageType *borrowed_message(const Diffing *d, const MessageType *old)
{
    return is_borrowed(d, old->full_name) ? table_get(&d->used[NEW], bytes_of(old->full_name))
                                          : NULL;
}

static const EnumType *borrowed_enum(const Diffing *d, const EnumType *old)
{
    return is_borrowed(d, old->full_name) ? table_get(&d->used[NEW], bytes_of(old->full_name))
                                          : NULL;
}

/* ---- The same name in another package -------------------------------------------------------- */

/* Types of a package that goes along with the version ("shop.common.v1", "shop.common.v2"), and
   types that went into such a package or came from it. NULL: there is none, or more than one. */
static const MessageType *namesake_message(const Diffing *d, int end, const MessageType *type)
{
    const List *list = lists_get(&d->by_name[!end], type->name);
    const MessageType *namesake = NULL;
    for (uint32_t i = 0; list->n <= MOST_NAMESAKES && i < list->n; i++) {
        if (!is_free_message(d, !end, list->items[i]))
            continue;
        if (namesake)
            return NULL;
        namesake = list->items[i];
    }
    return namesake;
}

static const EnumType *namesake_enum(const Diffing *d, int end, const EnumType *type)
{
    const List *list = lists_get(&d->enums_by_name[!end], type->name);
    const EnumType *namesake = NULL;
    for (uint32_t i = 0; list->n <= MOST_NAMESAKES && i < list->n; i++) {
        if (!is_free(d, !end, ((const EnumType *)list->items[i])->full_name))
            continue;
        if (namesake)
            return NULL;
        namesake = list->items[i];
    }
    return namesake;
}

/* Is it in a message whose counterpart has another name? Then it is not the one of its own name. */
static bool left_its_name(const Diffing *d, const char *full_name)
{
    const char *dot = strrchr(full_name, '.');
    const MessageType *around =
        dot ? schema_message(d->sides[OLD].schema, bytes(full_name, (size_t)(dot - full_name)))
            : NULL;
    const MessageType *partner =
        around ? table_get(&d->partners[OLD], bytes_of(around->full_name)) : NULL;
    return partner && strcmp(side_name(&d->sides[OLD], around->full_name),
                             side_name(&d->sides[NEW], partner->full_name)) != 0;
}

static void marry_namesakes(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *old = &schema->messages[i];
        const MessageType *other =
            is_free_message(d, OLD, old) ? namesake_message(d, OLD, old) : NULL;
        if (other && !left_its_name(d, old->full_name) && namesake_message(d, NEW, other) == old)
            diff_marry_messages(d, old, other);
    }
    for (uint32_t i = 0; i < schema->n_enums; i++) {
        const EnumType *old = &schema->enums[i];
        const EnumType *other = is_free(d, OLD, old->full_name) ? namesake_enum(d, OLD, old) : NULL;
        if (other && !left_its_name(d, old->full_name) && namesake_enum(d, NEW, other) == old)
            diff_marry_enums(d, old, other);
    }
}

void diff_same_types(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    diff_displaced_types(d);
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *old = &schema->messages[i];
        if (!is_free_message(d, OLD, old))
            continue;
        const MessageType *same = left_its_name(d, old->full_name) ? NULL : same_message(d, old);
        if (!same)
            same = borrowed_message(d, old);
        if (same && !table_get(&d->partners[NEW], bytes_of(same->full_name)))
            marry(d, old->full_name, (void *)old, same->full_name, (void *)same);
    }
    for (uint32_t i = 0; i < schema->n_enums; i++) {
        const EnumType *old = &schema->enums[i];
        if (!is_free(d, OLD, old->full_name))
            continue;
        const EnumType *same = left_its_name(d, old->full_name) ? NULL : same_enum(d, old);
        if (!same)
            same = borrowed_enum(d, old);
        if (same)
            marry(d, old->full_name, (void *)old, same->full_name, (void *)same);
    }
    marry_namesakes(d);
}

/* ---- Likeness -------------------------------------------------------------------------------- */

/* A name that many messages have a field of ("name", "create_time") tells little about one. */
static int weight_of(const Diffing *d, const FieldType *field)
{
    const uint32_t *n = table_get(&d->rarity, bytes_of(field->name));
    return !n || *n <= 4 ? 100 : *n < 400 ? (int)(400 / *n) : 1;
}

typedef struct Overlap {
    int share;     /* of the fields' weight, 0 to 100; more where one has most of the other's */
    int plain;     /* of the fields' number */
    uint32_t rare; /* fields that both have, and few others */
} Overlap;

/* How many of their fields have a namesake in the other, 0 to 100. */
static int share_of_names(const MessageType *a, const MessageType *b)
{
    uint32_t common = 0, n = a->n_fields + b->n_fields;
    for (uint32_t i = 0; i < a->n_fields; i++)
        common += message_field(b, bytes_of(a->fields[i].name)) != NULL;
    return n ? (int)(200 * common / n) : 100;
}

/* Could the types of two fields of one name be counterparts? Messages that have little in common
   are not: "spec" is in many. */
static bool could_agree(const Diffing *d, const FieldType *a, const FieldType *b)
{
    enum { LITTLE = 40 };
    return !a->message || !b->message || !is_free_message(d, OLD, a->message) ||
           !is_free_message(d, NEW, b->message) || share_of_names(a->message, b->message) >= LITTLE;
}

static Overlap message_overlap(const Diffing *d, const MessageType *a, const MessageType *b)
{
    enum { FEW = 3 }; /* so many tell that one grew out of the other */
    int both = 0, all = 0;
    uint32_t rare = 0, common_fields = 0;
    for (uint32_t i = 0; i < a->n_fields; i++) {
        int weight = weight_of(d, &a->fields[i]);
        const FieldType *other = message_field(b, bytes_of(a->fields[i].name));
        bool common = other && could_agree(d, &a->fields[i], other);
        both += common ? 2 * weight : 0;
        rare += common && weight == 100;
        common_fields += common;
        all += weight;
    }
    int least_weight = all;
    for (uint32_t i = 0; i < b->n_fields; i++)
        all += weight_of(d, &b->fields[i]);
    if (all - least_weight < least_weight)
        least_weight = all - least_weight;
    uint32_t n = a->n_fields + b->n_fields;
    int share = n ? 100 * both / all : 0;
    int of_smaller = least_weight ? 50 * both / least_weight : 0;
    if (rare >= FEW && 4 * of_smaller / 5 > share)
        share = 4 * of_smaller / 5;
    return (Overlap){share, n ? (int)(200 * common_fields / n) : 0, rare};
}

/* Without the words that requests, responses and lists of whatever have. */
static Words noun_of(const Words *name)
{
    static const char *const usual[] = {"request", "respons", "result", "reply", "list",  "item",
                                        "get",     "creat",   "updat",  "delet", "batch", "info"};
    Words noun = *name;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        words_drop(&noun, usual[i]);
    return noun;
}

/* "ListBooksRequest" and "ListShelvesRequest" have nothing in common. */
static int name_likeness(Diffing *d, const char *a, const char *b)
{
    const Words *old = diff_words_of_type(d, a), *is = diff_words_of_type(d, b);
    Words nouns[2] = {noun_of(old), noun_of(is)};
    bool unlike = nouns[OLD].n && nouns[NEW].n && !words_alike(&nouns[OLD], &nouns[NEW]);
    Words within[2] = {*old, *is}; /* "TraceSpan" of the only service, Trace */
    for (int end = 0; end < 2; end++)
        for (uint32_t i = 0; i < d->subject.n; i++)
            words_drop(&within[end], d->subject.word[i]);
    if (within[OLD].n && words_alike(&within[OLD], &within[NEW]) == 100)
        return words_alike(old, is) == 100 ? 100 : 90;
    return unlike ? 0 : words_alike(old, is);
}

/* The same innermost name takes a part of the content; another one takes most of it. */
static int likeness(int names, int share, uint32_t rare)
{
    if (names == 100)
        return share >= 25 ? 75 + share / 4 : 0;
    if (names >= 50 && share >= 40 && rare)
        return (names + share) / 2;
    return share >= 75 && rare >= 3 ? share - 10 : 0;
}

/* "Jwt" and "JwtRule": all words of the one are in the other. */
static bool is_longer_name(Diffing *d, const char *a, const char *b)
{
    const Words *old = diff_words_of_type(d, a), *is = diff_words_of_type(d, b);
    return words_have_all(old, is) || words_have_all(is, old);
}

/* Types with less than this are not even asked about. */
enum { ASKED = 50 };

static int message_likeness(Diffing *d, const MessageType *a, const MessageType *b)
{
    enum { MOST = 60, SOME = 2, LEAST_RARE = 3 };
    Overlap overlap = message_overlap(d, a, b);
    int names = name_likeness(d, a->name, b->name);
    if (!names && overlap.share >= MOST && overlap.rare >= SOME)
        names = words_alike(diff_words_of_type(d, a->name), diff_words_of_type(d, b->name));
    if (!a->n_fields && !b->n_fields)
        return names == 100 ? names : 0;
    int score = likeness(names, overlap.share, overlap.rare);
    bool longer = is_longer_name(d, a->name, b->name) && overlap.rare >= LEAST_RARE;
    return longer && score >= ASKED && score < DIFF_LIKELY ? DIFF_LIKELY : score;
}

/* Values that stand for no value are in every enum, and tell nothing. */
static int enum_overlap(Diffing *d, const EnumType *a, const EnumType *b, uint32_t *common_out)
{
    const BareNames *old = diff_bare_names(d, a), *is = diff_bare_names(d, b);
    uint32_t both = 0, all = 0;
    for (uint32_t i = 0; i < a->n_values; i++) {
        if (enum_is_unspecified(old->names[i]))
            continue;
        all++;
        both += table_get(&is->by_name, bytes_of(old->names[i])) != NULL;
    }
    for (uint32_t k = 0; k < b->n_values; k++)
        all += !enum_is_unspecified(is->names[k]);
    *common_out = both;
    return all ? (int)(200 * both / all) : 0;
}

static int enum_likeness(Diffing *d, const EnumType *a, const EnumType *b)
{
    uint32_t common;
    int share = enum_overlap(d, a, b, &common);
    return likeness(name_likeness(d, a->name, b->name), share, common);
}

/* As types of fields that may be each other's, less is enough: the place tells the rest. */
static int in_place(int names, int share, int least_share, int whole)
{
    enum { SOME = 30 };
    return whole                                 ? whole
           : names >= 50 && share >= least_share ? 40 + names / 5
           : share >= SOME                       ? 45
                                                 : 0;
}

int diff_shared_fields(const Diffing *d, const MessageType *old, const MessageType *new_type)
{
    return message_overlap(d, old, new_type).plain;
}

bool diff_have_much_in_common(const Diffing *d, const MessageType *old, const MessageType *new_type)
{
    enum { MUCH = 60 };
    Overlap overlap = message_overlap(d, old, new_type);
    return overlap.plain >= MUCH && overlap.share >= MUCH;
}

/* The field of the other message whose name has most of this one's words: "leaf" of "leaf_node". */
static bool has_similar_field(Diffing *d, const FieldType *field, const MessageType *other)
{
    enum { MOST_WORDS_ALIKE = 60 };
    const Words *name = diff_words(d, field->name);
    for (uint32_t i = 0; i < other->n_fields; i++)
        if (other->fields[i].repeated == field->repeated &&
            words_alike(name, diff_words(d, other->fields[i].name)) >= MOST_WORDS_ALIKE)
            return true;
    return false;
}

int diff_similar_fields(Diffing *d, const MessageType *a, const MessageType *b)
{
    uint32_t similar = 0, n = a->n_fields + b->n_fields;
    for (uint32_t i = 0; i < a->n_fields; i++)
        similar += has_similar_field(d, &a->fields[i], b);
    for (uint32_t i = 0; i < b->n_fields; i++)
        similar += has_similar_field(d, &b->fields[i], a);
    return n ? (int)(100 * similar / n) : 0;
}

int diff_free_messages_alike(Diffing *d, const MessageType *a, const MessageType *b)
{
    enum { SOME = 30, MANY = 60 };
    if (!is_free_message(d, OLD, a) || !is_free_message(d, NEW, b))
        return 0;
    int whole = message_likeness(d, a, b), plain = message_overlap(d, a, b).plain;
    int similar = whole || plain >= SOME ? 0 : diff_similar_fields(d, a, b);
    return in_place(name_likeness(d, a->name, b->name), similar >= MANY ? similar : plain, 20,
                    whole);
}

bool diff_may_be_renamed(Diffing *d, const MessageType *a, const MessageType *b)
{
    enum { SOME = 30 };
    return is_free_message(d, OLD, a) && is_free_message(d, NEW, b) &&
           name_likeness(d, a->name, b->name) >= SOME;
}

int diff_free_enums_alike(Diffing *d, const EnumType *a, const EnumType *b)
{
    uint32_t common;
    if (!is_free(d, OLD, a->full_name) || !is_free(d, NEW, b->full_name))
        return 0;
    enum { MOST = 75, LEAST_COMMON = 2 };
    int names = name_likeness(d, a->name, b->name), share = enum_overlap(d, a, b, &common);
    if (share >= MOST && common >= LEAST_COMMON)
        return DIFF_LIKELY + 2;
    return in_place(names, share, 0, enum_likeness(d, a, b));
}

bool diff_is_doubtful(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    enum { LITTLE = 30 };
    return name_likeness(d, old->name, new_type->name) < 100 &&
           !table_get(&d->spoken, bytes_of(old->full_name)) &&
           message_overlap(d, old, new_type).share < LITTLE;
}

/* ---- Alike types ----------------------------------------------------------------------------- */

/* Types that calls bring come first; the others only inside an Any, if at all. */
static bool may_marry(Diffing *d, const char *old, const char *new_name, bool reached)
{
    bool all = d->methods[OLD].n == 0;
    bool both = all || (table_get(&d->reached[OLD], bytes_of(old)) &&
                        table_get(&d->reached[NEW], bytes_of(new_name)));
    return reached ? both : !both && name_likeness(d, old, new_name) == 100;
}

static bool is_nested(const char *name)
{
    return strchr(name, '.') != NULL;
}

/* No call tells whether types that only an Any may bring belong together. Where the one is nested
   in a message and the other is not, or in another one, their content has to. */
static bool tells_enough(const Diffing *d, const char *old, const char *new_name, int share)
{
    enum { ALMOST_ALL = 90 };
    const char *names[2] = {side_name(&d->sides[OLD], old), side_name(&d->sides[NEW], new_name)};
    return share >= ALMOST_ALL || (!is_nested(names[OLD]) && !is_nested(names[NEW]));
}

enum { CLEARLY = 5 }; /* by so much the best is to be better than the second */

/* The best of several types, and how good the second best is. */
typedef struct Best {
    const void *type;
    int most, second;
} Best;

static Best best_from(int least)
{
    return (Best){.most = least - 1};
}

static void best_add(Best *best, const void *type, int score)
{
    if (score > best->most) {
        best->second = best->type ? best->most : 0;
        best->most = score;
        best->type = type;
    } else if (score > best->second) {
        best->second = score;
    }
}

/* NULL: none is, or not clearly. */
static const void *best_of(const Best *best)
{
    return best->most - best->second >= CLEARLY ? best->type : NULL;
}

/* Of the other end's free types the one that is most like this, and clearly; NULL when none is. */
static const MessageType *most_alike_message(Diffing *d, int end, const MessageType *type,
                                             bool reached, int least)
{
    Candidates candidates;
    diff_message_candidates(d, !end, type, &candidates);
    Best best = best_from(least);
    for (uint32_t i = 0; i < candidates.n; i++) {
        const MessageType *other = candidates.items[i];
        const MessageType *old = end == OLD ? type : other, *new_type = end == OLD ? other : type;
        if (is_free_message(d, !end, other) &&
            may_marry(d, old->full_name, new_type->full_name, reached) &&
            (reached || tells_enough(d, old->full_name, new_type->full_name,
                                     message_overlap(d, old, new_type).share)))
            best_add(&best, other, message_likeness(d, old, new_type));
    }
    return best_of(&best);
}

static const EnumType *most_alike_enum(Diffing *d, int end, const EnumType *type, bool reached,
                                       int least)
{
    Candidates candidates;
    diff_enum_candidates(d, !end, type, &candidates);
    Best best = best_from(least);
    for (uint32_t i = 0; i < candidates.n; i++) {
        const EnumType *other = candidates.items[i];
        const EnumType *old = end == OLD ? type : other, *new_type = end == OLD ? other : type;
        uint32_t common;
        if (is_free(d, !end, other->full_name) &&
            may_marry(d, old->full_name, new_type->full_name, reached) &&
            (reached || tells_enough(d, old->full_name, new_type->full_name,
                                     enum_overlap(d, old, new_type, &common))))
            best_add(&best, other, enum_likeness(d, old, new_type));
    }
    return best_of(&best);
}

static bool marry_alike_messages(Diffing *d, bool reached, int least)
{
    const Schema *schema = d->sides[OLD].schema;
    bool more = false;
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *old = &schema->messages[i];
        if (!is_free_message(d, OLD, old))
            continue;
        const MessageType *alike = most_alike_message(d, OLD, old, reached, least);
        if (alike && most_alike_message(d, NEW, alike, reached, least) == old)
            more |= diff_marry_messages(d, old, alike);
    }
    return more;
}

static bool marry_alike_enums(Diffing *d, bool reached, int least)
{
    const Schema *schema = d->sides[OLD].schema;
    bool more = false;
    for (uint32_t i = 0; i < schema->n_enums; i++) {
        const EnumType *old = &schema->enums[i];
        if (!is_free(d, OLD, old->full_name))
            continue;
        const EnumType *alike = most_alike_enum(d, OLD, old, reached, least);
        if (alike && most_alike_enum(d, NEW, alike, reached, least) == old)
            more |= diff_marry_enums(d, old, alike);
    }
    return more;
}

bool diff_alike_types(Diffing *d, int least)
{
    for (int reached = 1; reached >= 0; reached--) {
        bool more = marry_alike_messages(d, reached, least);
        more |= marry_alike_enums(d, reached, least);
        if (more)
            return true;
    }
    return false;
}

/* ---- The same place -------------------------------------------------------------------------- */

static bool marry_types_in(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    bool more = false;
    for (uint32_t i = 0; i < old->n_fields; i++) {
        const FieldType *a = &old->fields[i];
        const FieldType *b = message_field(new_type, bytes_of(a->name));
        if (!b || strcmp(a->name, b->name) != 0 || a->map != b->map)
            continue;
        ValueType x = value_type_element(a), y = value_type_element(b);
        if (x.message && y.message)
            more |= diff_marry_messages(d, x.message, y.message);
        if (x.enumeration && y.enumeration)
            more |= diff_marry_enums(d, x.enumeration, y.enumeration);
    }
    return more;
}

bool diff_types_in_place(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    bool more = false;
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *old = &schema->messages[i];
        const MessageType *other = table_get(&d->partners[OLD], bytes_of(old->full_name));
        if (other)
            more |= marry_types_in(d, old, other);
    }
    return more;
}

/* ---- Told ------------------------------------------------------------------------------------ */

static void tell_type(Diffing *d, const char *old_full, const char *new_full, int score)
{
    const char *old = side_name(&d->sides[OLD], old_full),
               *name = side_name(&d->sides[NEW], new_full);
    if (strcmp(old, name) == 0)
        return;
    bool itself = strcmp(old_full, new_full) == 0;
    diff_add(d, itself ? 0 : BREAKS_SOURCE, !itself, old,
             itself ? "is used as %s" : "renamed to %s", name);
    buffer_printf(&d->types, "  %s: %s%s\n", old, name,
                  itself ? "" : diff_guess(d, score, score ? "by what is in it" : "by its place"));
}

/* The type that is most like this one, where the two do not have to be the same for that. */

static void ask_about(Diffing *d, const char *old, const char *new_name)
{
    buffer_printf(&d->unsure, "# unsure: did %s become %s?\n", side_name(&d->sides[OLD], old),
                  side_name(&d->sides[NEW], new_name));
}

static void ask_about_message(Diffing *d, const MessageType *old)
{
    Candidates candidates;
    diff_message_candidates(d, NEW, old, &candidates);
    Best best = best_from(ASKED);
    for (uint32_t i = 0; i < candidates.n; i++) {
        const MessageType *other = candidates.items[i];
        if (is_free_message(d, NEW, other))
            best_add(&best, other, message_likeness(d, old, other));
    }
    const MessageType *alike = best_of(&best);
    if (alike)
        ask_about(d, old->full_name, alike->full_name);
}

static void ask_about_enum(Diffing *d, const EnumType *old)
{
    Candidates candidates;
    diff_enum_candidates(d, NEW, old, &candidates);
    Best best = best_from(ASKED);
    for (uint32_t i = 0; i < candidates.n; i++) {
        const EnumType *other = candidates.items[i];
        if (is_free(d, NEW, other->full_name))
            best_add(&best, other, enum_likeness(d, old, other));
    }
    const EnumType *alike = best_of(&best);
    if (alike)
        ask_about(d, old->full_name, alike->full_name);
}

void diff_types(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *old = &schema->messages[i];
        const MessageType *other = table_get(&d->partners[OLD], bytes_of(old->full_name));
        if (other)
            tell_type(d, old->full_name, other->full_name, message_likeness(d, old, other));
        else if (is_free_message(d, OLD, old) && diff_in_package(&d->sides[OLD], old->full_name))
            ask_about_message(d, old);
    }
    for (uint32_t i = 0; i < schema->n_enums; i++) {
        const EnumType *old = &schema->enums[i];
        const EnumType *other = table_get(&d->partners[OLD], bytes_of(old->full_name));
        if (other)
            tell_type(d, old->full_name, other->full_name, enum_likeness(d, old, other));
        else if (is_free(d, OLD, old->full_name) && diff_in_package(&d->sides[OLD], old->full_name))
            ask_about_enum(d, old);
    }
}
