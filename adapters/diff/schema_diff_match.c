/*
 * Which fields of two messages belong together.
 *
 * What has the same name and a type that goes with it is the same. All other fields, and those
 * inside of messages that only one version has, are slots. Each two slots whose types fit get a
 * score by the words of their paths and by what else speaks for them; then the best go together
 * first, and what two others would take as well stays alone.
 *
 *     old: boot_disk_type ------ 94 ------ gce_setup.boot_disk.disk_type :new
 *          data_disk_type ------ 71 ------'
 */
#include "adapters/diff/schema_diff_internal.h"

#include <stdlib.h>

typedef struct Candidate {
    Slot *ends[2];
    Fit fit;
    int score, of_holders;
    uint32_t next[2];   /* the next one with the same end, plus one; 0 at the end */
    uint32_t placed[2]; /* how many fields of the message that it is in have somewhere to go to */
    const char *why;
} Candidate;

typedef struct Matching {
    Diffing *d;
    Match *match;
    Words around[2];        /* of the messages' own names */
    bool numbered;          /* fields that kept their names kept their numbers */
    const ExtraPair *extra; /* the two, if they are no counterparts; else NULL */
    bool doubtful; /* only their place says that these are counterparts: nothing moves in them */
    Candidate *candidates;
    uint32_t n, capacity;
    Slot **open[2]; /* what has no counterpart yet, and how many of them there are */
    uint32_t n_open[2];
    Fit *fits;            /* of each old one of these with each new one */
    uint16_t *between;    /* how many fields in the one have their namesake in the other */
    uint32_t *fitting[2]; /* how many slots at the other end each fits without a converter */
    uint32_t n_free[2];   /* fields without a counterpart */
    bool *placed[2];      /* something speaks clearly for a place at the other end */
} Matching;

const FieldType *slot_field(const Slot *slot)
{
    return slot->steps[slot->n_steps - 1];
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* ---- Slots ----------------------------------------------------------------------------------- */

/* Is it the key of a map at the other end? Then it is not in the value. */
static bool is_key(const Matching *m, int end, const FieldType *field)
{
    return m->extra && m->extra->keys[end] == field;
}

static bool can_open(const Matching *m, int end, const FieldType *field)
{
    return field->message && !field->repeated && field->message->well_known == WELL_KNOWN_NONE &&
           diff_is_own(m->d, end, field->message->full_name);
}

static bool is_inside_itself(const Slot *slot)
{
    const MessageType *message = slot_field(slot)->message;
    for (uint32_t i = 0; i < slot->n_steps; i++)
        if (slot->steps[i]->parent == message)
            return true;
    return false;
}

static const Words empty_path;

/* Of the path to what is in it. */
static const Words *words_inside(Diffing *d, Slot *slot)
{
    if (!slot->inside) {
        Words *words = arena_make(d->arena, Words);
        *words = *slot->context;
        words_join(words, slot->leaf);
        slot->inside = words;
    }
    return slot->inside;
}

static Slot *add_slot(Matching *m, int end, Slot *parent, const FieldType *field)
{
    Match *match = m->match;
    if (match->n_slots[end] == match->room[end] || (parent && parent->n_steps == MOST_STEPS))
        return NULL;
    Slot *slot = &match->slots[end][match->n_slots[end]++];
    *slot = (Slot){.parent = parent, .context = &empty_path};
    if (parent) {
        memcpy(slot->steps, parent->steps, sizeof slot->steps);
        slot->n_steps = parent->n_steps;
        slot->context = words_inside(m->d, parent);
        slot->shared = parent->shared;
    }
    slot->steps[slot->n_steps++] = field;
    slot->text = steps_text(m->d->arena, slot->steps, slot->n_steps);
    slot->leaf = diff_words(m->d, field->name);
    return slot;
}

/* The field, and what is in it. */
static void add_slots(Matching *m, int end, Slot *parent, const FieldType *field)
{
    Slot *slot = add_slot(m, end, parent, field);
    if (!slot || !can_open(m, end, field) || is_inside_itself(slot))
        return;
    for (uint32_t i = 0; i < field->message->n_fields; i++)
        add_slots(m, end, slot, &field->message->fields[i]);
}

/* Is it told with its own message already? */
static bool is_matched_there(const Matching *m, int end, const FieldType *field)
{
    const MessageType *old = end == OLD ? field->parent : diff_partner(m->d, NEW, field->parent);
    const Match *match = old ? table_get(&m->d->matches, bytes_of(old->full_name)) : NULL;
    for (uint32_t i = 0; match && i < match->n_pairings; i++) {
        const Slot *slot = match->pairings[i].ends[end];
        if (slot->n_steps == 1 && slot_field(slot) == field &&
            match->pairings[i].score >= DIFF_SURE)
            return true;
    }
    return false;
}

/* A message that is at both ends: what only one of them has in it. */
static void add_shared_slots(Matching *m, const FieldType *fields[2])
{
    for (int end = 0; end < 2; end++) {
        const MessageType *message = fields[end]->message, *other = fields[!end]->message;
        Slot *holder = add_slot(m, end, NULL, fields[end]);
        if (!holder)
            continue;
        holder->shared = holder->closed = true;
        for (uint32_t i = 0; i < message->n_fields; i++) {
            const FieldType *field = &message->fields[i];
            if (!message_field(other, bytes_of(field->name)) && !is_matched_there(m, end, field))
                add_slot(m, end, holder, field);
        }
    }
}

/* How many slots there are at most. */
static uint32_t count_slots(const Matching *m, int end, const FieldType *field, uint32_t depth)
{
    uint32_t n = 1;
    if (depth == MOST_STEPS || !can_open(m, end, field))
        return n;
    for (uint32_t i = 0; i < field->message->n_fields && n < MOST_SLOTS; i++)
        n += count_slots(m, end, &field->message->fields[i], depth + 1);
    return n;
}

/* A field that kept its name and goes with its namesake: nothing deep in it is looked at. */
static bool goes_whole(const Matching *m, int end, const FieldType *field, const FieldType *same)
{
    return same && (end == OLD ? diff_fit(m->d, field, same) : diff_fit(m->d, same, field)).kind;
}

/* The more was compared, the less is looked at: the time for two schemas has a bound. Those of real
   APIs with hundreds of methods take a tenth of MUCH. */
enum { MUCH = 400000 };

static uint32_t most_inside(const Diffing *d)
{
    return d->compared < MUCH ? MOST_SLOTS : d->compared < 2 * MUCH ? MOST_SLOTS / 8 : 0;
}

static uint32_t most_open(const Diffing *d)
{
    return d->compared < 8 * MUCH ? MOST_OPEN : MOST_OPEN / 32;
}

static void make_room(Matching *m)
{
    for (int end = 0; end < 2; end++) {
        const MessageType *message = m->match->ends[end], *other = m->match->ends[!end];
        uint32_t most = 0, own = 0;
        for (uint32_t i = 0; i < message->n_fields; i++) {
            const FieldType *field = &message->fields[i];
            const FieldType *same = message_field(other, bytes_of(field->name));
            uint32_t depth = goes_whole(m, end, field, same) ? MOST_STEPS - 1 : 1;
            most += count_slots(m, end, field, depth) - 1;
            own += 1 + (same != NULL);
        }
        m->match->room[end] = own + (uint32_t)least((int)most, (int)most_inside(m->d));
        m->match->slots[end] = arena_array(m->d->arena, Slot, m->match->room[end] + 1);
    }
    m->match->pairings = arena_array(m->d->arena, Pairing, m->match->room[OLD] + 1);
}

/* ---- The same name --------------------------------------------------------------------------- */

static void pair(Matching *m, Slot *old, Slot *new_slot, Pairing pairing)
{
    Pairing *added = &m->match->pairings[m->match->n_pairings++];
    pairing.ends[OLD] = old;
    pairing.ends[NEW] = new_slot;
    *added = pairing;
    old->pairing = new_slot->pairing = added;
}

/* The types of what is paired belong together as well. */
static void marry_types(Matching *m, const FieldType *old, const FieldType *new_field)
{
    if (m->extra)
        return;
    ValueType a = value_type_element(old), b = value_type_element(new_field);
    if (a.message && b.message)
        diff_marry_messages(m->d, a.message, b.message);
    if (a.enumeration && b.enumeration)
        diff_marry_enums(m->d, a.enumeration, b.enumeration);
}

static bool is_shared_message(const Matching *m, const FieldType *old, const FieldType *new_field)
{
    return can_open(m, OLD, old) && can_open(m, NEW, new_field) &&
           diff_partner(m->d, OLD, old->message) == new_field->message;
}

/* "Length" with its "seconds", and a Duration. */
static bool is_only_unit(const Matching *m, const FieldType *holder, const FieldType *old,
                         const FieldType *new_field)
{
    Fit fit = holder->message->n_fields == 1 ? diff_fit(m->d, old, new_field) : (Fit){0};
    return fit.time && (fit.units[OLD] || fit.units[NEW]);
}

/* Counts what is in the message and of the other's type; the one with the least number, which was
   there first, is *first_out. */
static uint32_t count_inner(const Matching *m, int end, const FieldType *holder,
                            const FieldType *other, const FieldType **first_out)
{
    uint32_t n = 0;
    *first_out = NULL;
    for (uint32_t i = 0; can_open(m, end, holder) && i < holder->message->n_fields; i++) {
        const FieldType *inner = &holder->message->fields[i];
        const FieldType *old = end == OLD ? inner : other, *new_field = end == OLD ? other : inner;
        if ((diff_types_agree(m->d, old, new_field) || is_only_unit(m, holder, old, new_field)) &&
            n++ == 0)
            *first_out = inner;
    }
    return n;
}

static Slot *slot_within(const Matching *m, int end, const FieldType *holder,
                         const FieldType *inner)
{
    for (uint32_t i = 0; i < m->match->n_slots[end]; i++) {
        Slot *slot = &m->match->slots[end][i];
        if (slot->n_steps == 2 && slot->steps[0] == holder && slot->steps[1] == inner)
            return slot;
    }
    return NULL;
}

static void close_around(Matching *m, int end, Slot *taken);

/* Of several lists in a message that stands for one, the first is what the list was: what it is a
   list of ("uris"), or what its field is called. Of several single fields nothing tells which. */
static bool is_telling_inner(const Matching *m, const FieldType *holder, const FieldType *inner)
{
    const Words *name = diff_words(m->d, inner->name), *outer = diff_words(m->d, holder->name);
    return inner->index == 0 && (inner->repeated || words_have_all(outer, name));
}

/* "account: string" and "account: Account" of one string: the text went inside, or came out. */
static bool pair_with_inner(Matching *m, int end, const FieldType *holder, const FieldType *other)
{
    const FieldType *inner;
    uint32_t n = count_inner(m, end, holder, other, &inner);
    if (n == 0 || (n > 1 && !is_telling_inner(m, holder, inner)) ||
        holder->message == holder->parent ||
        m->match->n_slots[end] + count_slots(m, end, holder, 1) > m->match->room[end] ||
        m->match->n_slots[!end] == m->match->room[!end])
        return false;
    Slot *outer = add_slot(m, !end, NULL, other);
    add_slots(m, end, NULL, holder);
    Slot *within = slot_within(m, end, holder, inner);
    CHECK(outer && within);
    Slot *ends[2] = {end == OLD ? within : outer, end == OLD ? outer : within};
    pair(m, ends[OLD], ends[NEW],
         (Pairing){.fit = diff_fit(m->d, slot_field(ends[OLD]), slot_field(ends[NEW])),
                   .score = DIFF_SURE - 5,
                   .why = n == 1 ? "the only field in it of this type"
                                 : "the first field in it, of this type"});
    close_around(m, end, within);
    return true;
}

enum { MOST_ASKED = 3 };

static void ask(Matching *m, Slot *old, const char *path)
{
    if (old->n_asked < MOST_ASKED)
        old->asked =
            old->n_asked++ ? arena_printf(m->d->arena, "%s or %s", old->asked, path) : path;
}

/* Several fields in the message of this name could have it. */
static void ask_for_inner(Matching *m, Slot *old, const FieldType *holder)
{
    for (uint32_t i = 0; can_open(m, NEW, holder) && i < holder->message->n_fields; i++) {
        const FieldType *inner = &holder->message->fields[i];
        if (diff_types_agree(m->d, slot_field(old), inner))
            ask(m, old, arena_printf(m->d->arena, "%s.%s", holder->name, inner->name));
    }
}

/* Messages without counterparts in places of one name: that they are each other's may still come
   out. */
static bool may_be_each_others(const Matching *m, const FieldType *a, const FieldType *b)
{
    return a->message && b->message && a->repeated == b->repeated && !a->map && !b->map &&
           !diff_partner(m->d, OLD, a->message) && !diff_partner(m->d, NEW, b->message);
}

static void pair_same_names(Matching *m)
{
    const MessageType *old = m->match->ends[OLD], *new_type = m->match->ends[NEW];
    uint32_t kept = 0, moved = 0;
    for (uint32_t i = 0; i < old->n_fields; i++) {
        const FieldType *a = &old->fields[i];
        const FieldType *b = message_field(new_type, bytes_of(a->name));
        if (!b || strcmp(a->name, b->name) != 0 || is_key(m, OLD, a) || is_key(m, NEW, b))
            continue;
        Fit fit = diff_fit(m->d, a, b);
        if (!fit.kind && (pair_with_inner(m, NEW, b, a) || pair_with_inner(m, OLD, a, b)))
            continue;
        if (!fit.kind && !may_be_each_others(m, a, b))
            continue;
        Slot *slots[2] = {add_slot(m, OLD, NULL, a), add_slot(m, NEW, NULL, b)};
        if (slots[OLD] && slots[NEW])
            pair(m, slots[OLD], slots[NEW],
                 (Pairing){.fit = fit, .score = 100, .same = true, .why = "by its name"});
        if (fit.kind == FIT_ALIKE || fit.kind == FIT_LIST)
            marry_types(m, a, b);
        kept += a->number == b->number;
        moved += a->number != b->number;
    }
    m->numbered = kept > moved || !moved;
}

/* Do these go together by their name alone? Then nothing else is looked for. */
static bool is_paired(const Matching *m, int end, const FieldType *field)
{
    for (uint32_t i = 0; i < m->match->n_slots[end]; i++) {
        const Slot *slot = &m->match->slots[end][i];
        if (slot->steps[0] == field)
            return true;
    }
    return false;
}

static void add_all_slots(Matching *m)
{
    for (int end = 0; end < 2; end++) {
        const MessageType *message = m->match->ends[end], *other = m->match->ends[!end];
        for (uint32_t i = 0; i < message->n_fields; i++) {
            const FieldType *field = &message->fields[i];
            const FieldType *same = message_field(other, bytes_of(field->name));
            if (is_key(m, end, field))
                continue;
            if (!is_paired(m, end, field))
                add_slots(m, end, NULL, field);
            else if (end == OLD && same && is_shared_message(m, field, same))
                add_shared_slots(m, (const FieldType *[2]){field, same});
        }
    }
}

static Slot *direct_slot(const Matching *m, int end, const FieldType *field)
{
    for (uint32_t i = 0; i < m->match->n_slots[end]; i++) {
        Slot *slot = &m->match->slots[end][i];
        if (slot->n_steps == 1 && slot_field(slot) == field)
            return slot;
    }
    return NULL;
}

/* What kept its name, has a type that does not fit, and found nothing else. */
static void pair_replaced(Matching *m)
{
    const MessageType *old = m->match->ends[OLD], *new_type = m->match->ends[NEW];
    for (uint32_t i = 0; i < old->n_fields; i++) {
        const FieldType *a = &old->fields[i], *b = message_field(new_type, bytes_of(a->name));
        Slot *slots[2] = {direct_slot(m, OLD, a), b ? direct_slot(m, NEW, b) : NULL};
        if (!slots[OLD] || !slots[NEW] || strcmp(a->name, b->name) != 0 || slots[OLD]->pairing ||
            slots[NEW]->pairing || slots[OLD]->opened || slots[NEW]->opened || slots[OLD]->closed ||
            slots[NEW]->closed)
            continue;
        ask_for_inner(m, slots[OLD], b);
        pair(m, slots[OLD], slots[NEW],
             (Pairing){.score = 100, .same = true, .why = "by its name"});
    }
}

/* ---- Scores ---------------------------------------------------------------------------------- */

/* Words that say what kind of a value it is, more than which: they may come and go. */
static int cost_of_word(const char *word)
{
    static const struct {
        const char *word;
        int cost;
    } words[] = {{"name", 2}, {"count", 2}, {"valu", 2}, {"field", 2}, {"id", 6}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i].word) == 0)
            return words[i].cost;
    return 0;
}

static const char *const yes_words[] = {"enabl", "can",     "is",   "has",    "allow", "us",
                                        "use",   "install", "with", "should", "flag"};
static const char *const no_words[] = {"no", "not", "disabl", "without", "skip", "never"};
static const char *const time_words[] = {"time",     "timestamp", "at",     "on",      "date",
                                         "duration", "offset",    "period", "interval"};
#define IS_ONE_OF(word, words) word_is_one_of((word), (words), sizeof(words) / sizeof *(words))

static bool is_time(const FieldType *field)
{
    return field->message && (field->message->well_known == WELL_KNOWN_TIMESTAMP ||
                              field->message->well_known == WELL_KNOWN_DURATION);
}

/* Does the word say nothing but what the field's type says, too? */
static bool says_type(const FieldType *field, const char *word, bool time)
{
    return (field->kind == KIND_BOOL && IS_ONE_OF(word, yes_words)) ||
           (field->kind == KIND_BYTES && strcmp(word, "byte") == 0) ||
           ((time || is_time(field)) && IS_ONE_OF(word, time_words));
}

/* Without the words that are in every name of its type: "start" of start_time. */
static Words telling_words(const FieldType *field, const Words *words, const Fit *fit, int end,
                           bool *no_out)
{
    const char *unit = fit->units[end];
    Words telling = {0};
    *no_out = false;
    for (uint32_t i = 0; i < words->n; i++) {
        const char *word = words->word[i];
        bool no = field->kind == KIND_BOOL && IS_ONE_OF(word, no_words);
        *no_out |= no;
        if (no || says_type(field, word, fit->time) || (unit && strcmp(word, unit) == 0))
            continue;
        telling.word[telling.n++] = word;
    }
    return telling.n ? telling : *words;
}

/* What two names have of each other, in points, and how many there could be. */
typedef struct Tally {
    int found[2], all[2], cost;
} Tally;

/* Has a field that kept its name this word, too? Then it tells little about the two: of
   "exact_match", "regex_match" and "contains_match" each has "match". */
static bool is_usual_word(const Matching *m, const char *word)
{
    for (uint32_t i = 0; i < m->match->n_pairings; i++)
        if (m->match->pairings[i].same && words_have(m->match->pairings[i].ends[OLD]->leaf, word))
            return true;
    return false;
}

/* Of the words of this end, those that the other has: in its name, in the path to it or around it.
   `alike`: the other has no other words, so that all of them tell. */
static void tally_words(const Matching *m, Tally *tally, int end, const Words *leaf,
                        const Slot *other, bool moved, bool alike)
{
    for (uint32_t i = 0; i < leaf->n; i++) {
        const char *word = leaf->word[i];
        bool there = words_have(other->leaf, word) || words_have(other->context, word);
        int cost = there || (moved && strcmp(word, "id") == 0) ? 0 : cost_of_word(word);
        if (cost && (leaf->n > 1 || moved)) {
            tally->cost += cost;
            continue;
        }
        tally->all[end] += 2;
        if (there)
            tally->found[end] += !alike && is_usual_word(m, word) ? 1 : 2;
        else
            tally->found[end] += words_have(&m->around[!end], word);
    }
}

static int unshared(const Words *context, const Words *leaf, const Words *other_context,
                    const Words *around)
{
    int n = 0;
    for (uint32_t i = 0; i < context->n; i++)
        n += !words_have(leaf, context->word[i]) && !words_have(other_context, context->word[i]) &&
             !words_have(around, context->word[i]);
    return n;
}

static bool drops_unit(const Words *a, const Words *b)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (diff_is_unit(a->word[i]) && !words_have(b, a->word[i]))
            return true;
    return false;
}

/* "name" of the one is "name" of the other only where the path says so, too. */
static bool is_common_word(const Words *leaf)
{
    static const char *const common[] = {"name", "id",          "type",     "kind",  "uri",
                                         "valu", "description", "descript", "label", "status",
                                         "vers", "key",         "content",  "titl",  "data"};
    return leaf->n == 1 && IS_ONE_OF(leaf->word[0], common);
}

/* So is what many messages have, like "etag". */
static bool is_common_name(const Matching *m, const Slot *slot)
{
    enum { MANY = 5 };
    const uint32_t *n = table_get(&m->d->rarity, bytes_of(slot_field(slot)->name));
    return is_common_word(slot->leaf) || (slot->leaf->n == 1 && n && *n >= MANY);
}

static bool are_opposites(const Candidate *c)
{
    bool no[2];
    for (int end = 0; end < 2; end++)
        telling_words(slot_field(c->ends[end]), c->ends[end]->leaf, &c->fit, end, &no[end]);
    return no[OLD] != no[NEW];
}

/* "pipeline_version_id" for the "id" of a PipelineVersion: the whole name of its message before its
   own. */
static bool is_full_name(const Words *own, const Words *other, const Words *around)
{
    Words full = *around;
    words_join(&full, own);
    return other->n > own->n && words_alike(&full, other) == 100;
}

/* By the words of both paths. 0: nothing in them speaks for it, or something against it. */
static int score_of_words(const Matching *m, const Slot *old, const Slot *new_slot, const Fit *fit)
{
    bool no[2];
    Words a = telling_words(slot_field(old), old->leaf, fit, OLD, &no[OLD]);
    Words b = telling_words(slot_field(new_slot), new_slot->leaf, fit, NEW, &no[NEW]);
    if (no[OLD] != no[NEW])
        return 0;
    if (fit->kind == FIT_CONVERT && (drops_unit(&a, &b) || drops_unit(&b, &a)))
        return 0;
    bool moved = old->n_steps != new_slot->n_steps;
    Tally tally = {0};
    bool alike = words_alike(&a, &b) == 100;
    tally_words(m, &tally, OLD, &a, new_slot, moved, alike);
    tally_words(m, &tally, NEW, &b, old, moved, alike);
    int all = tally.all[OLD] + tally.all[NEW];
    if (!all || !tally.found[OLD] != !tally.all[OLD] || !tally.found[NEW] != !tally.all[NEW])
        return 0;
    int share = 100 * (tally.found[OLD] + tally.found[NEW]) / all;
    bool contained = fit->decide && (words_have_all(&a, &b) || words_have_all(&b, &a));
    if (fit->weak && !contained && (share < 90 || tally.cost))
        return 0;
    int far = unshared(old->context, &b, new_slot->context, &m->around[NEW]) +
              unshared(new_slot->context, &a, old->context, &m->around[OLD]);
    share +=
        is_full_name(&a, &b, &m->around[NEW]) || is_full_name(&b, &a, &m->around[OLD]) ? 30 : 0;
    bool synonyms = alike && strcmp(slot_field(old)->name, slot_field(new_slot)->name) != 0;
    return share - (synonyms ? 3 : 0) - tally.cost - least(3 * far, 12);
}

static uint32_t index_of(const Matching *m, int end, const Slot *slot)
{
    return (uint32_t)(slot - m->match->slots[end]);
}

/* Where two open slots are in a table of all of them. */
static size_t cell_of(const Matching *m, const Slot *old, const Slot *new_slot)
{
    return (size_t)(old->open - 1) * m->n_open[NEW] + new_slot->open - 1;
}

static const Fit *fit_of(const Matching *m, const Slot *old, const Slot *new_slot)
{
    static const Fit none;
    return old->open && new_slot->open ? &m->fits[cell_of(m, old, new_slot)] : &none;
}

static bool is_free(const Slot *slot)
{
    return !slot->pairing && !slot->closed;
}

/* Without a converter, if at all. */
static bool fits_well(const Fit *fit)
{
    return fit->kind == FIT_SAME || (fit->kind == FIT_ALIKE && fit->certainty >= DIFF_LIKELY) ||
           fit->kind == FIT_LIST;
}

/* Is there no other slot at either end that a value of this kind could go to? */
static bool is_only_of_its_type(const Matching *m, const Candidate *c)
{
    uint32_t these = fits_well(&c->fit);
    for (int end = 0; end < 2; end++)
        if (m->fitting[end][index_of(m, end, c->ends[end])] > these)
            return false;
    return true;
}

/* Are they all that is left? */
static bool are_left_alone(const Matching *m, const Candidate *c)
{
    return c->ends[OLD]->n_steps == 1 && c->ends[NEW]->n_steps == 1 && m->n_free[OLD] == 1 &&
           m->n_free[NEW] == 1;
}

/* Types that few fields have, so that having the same one tells something. */
static bool is_telling_type(const FieldType *field)
{
    ValueType type = value_type_element(field);
    return field->map || type.enumeration ||
           (type.message && type.message->well_known == WELL_KNOWN_NONE);
}

static bool has_oneof(const MessageType *message, const char *name)
{
    for (uint32_t i = 0; i < message->n_oneofs; i++)
        if (strcmp(message->oneofs[i].name, name) == 0)
            return true;
    return false;
}

/* Are both in a oneof, and could it be the same? */
static bool share_oneof(const Matching *m, const FieldType *a, const FieldType *b)
{
    return a->oneof && b->oneof &&
           (strcmp(a->oneof->name, b->oneof->name) == 0 ||
            !has_oneof(m->match->ends[NEW], a->oneof->name));
}

/* Is there no other field left that has a message, or an enum, of the package as these two have? */
static bool is_only_of_its_kind(const Matching *m, const Candidate *c)
{
    FieldKind kind = slot_field(c->ends[OLD])->kind;
    for (int end = 0; end < 2; end++)
        for (uint32_t i = 0; i < m->match->n_slots[end]; i++) {
            const Slot *slot = &m->match->slots[end][i];
            if (slot != c->ends[end] && slot->n_steps == 1 && !slot->pairing && !slot->closed &&
                slot_field(slot)->kind == kind && is_telling_type(slot_field(slot)))
                return false;
        }
    return true;
}

/* On this, and less than DIFF_LIKELY, nothing is guessed: the mark of the lost field asks. */
enum { ASKED = 40 };

enum { CLEARLY = 3 }; /* by so much the best is better than a rival */

/* Of "port_id" and "client_id" the common word says nothing; of two versions it says something. */
static bool share_telling_word(const Candidate *c)
{
    const Words *a = c->ends[OLD]->leaf, *b = c->ends[NEW]->leaf;
    for (uint32_t i = 0; i < a->n; i++)
        if (!cost_of_word(a->word[i]) && words_have(b, a->word[i]))
            return true;
    return false;
}

/* Is it free, and could it go to the field at the other end? */
static bool could_be(const Matching *m, int end, const Slot *slot, const Slot *other)
{
    return slot->n_steps == 1 && is_free(slot) &&
           (end == OLD ? fit_of(m, slot, other) : fit_of(m, other, slot))->kind == FIT_SAME;
}

static bool has_number(const Matching *m, const Slot *old, uint32_t number)
{
    for (uint32_t i = 0; i < m->match->n_slots[NEW]; i++) {
        const Slot *slot = &m->match->slots[NEW][i];
        if (slot_field(slot)->number == number && could_be(m, NEW, slot, old))
            return true;
    }
    return false;
}

/* Where each old field that could become the new one finds its number at the other end, it is no
   chance that this one does. */
static bool all_kept_numbers(const Matching *m, const Candidate *c)
{
    for (uint32_t i = 0; i < m->match->n_slots[OLD]; i++) {
        const Slot *slot = &m->match->slots[OLD][i];
        if (could_be(m, OLD, slot, c->ends[NEW]) &&
            !has_number(m, c->ends[OLD], slot_field(slot)->number))
            return false;
    }
    return true;
}

/* What speaks for it when the names do not. 0: nothing. */
static int score_without_names(const Matching *m, Candidate *c, bool only)
{
    const FieldType *a = slot_field(c->ends[OLD]), *b = slot_field(c->ends[NEW]);
    bool direct = c->ends[OLD]->n_steps == 1 && c->ends[NEW]->n_steps == 1;
    if (a->oneof && b->oneof && !share_oneof(m, a, b))
        return 0;
    if (only && is_telling_type(a) &&
        (c->fit.certainty >= DIFF_LIKELY ||
         (c->fit.certainty >= 50 && is_only_of_its_kind(m, c)))) {
        c->why = "the only one of its type";
        return 72;
    }
    bool alone = are_left_alone(m, c);
    if (!direct || a->number != b->number || (!m->numbered && !alone) || is_time(a))
        return 0;
    if (c->fit.kind == FIT_ALIKE && a->message && is_only_of_its_kind(m, c)) {
        c->why = "the same number, and the only message left";
        return DIFF_LIKELY + 10;
    }
    if (c->fit.kind == FIT_SAME) {
        c->why = "the same number and type";
        return only || share_oneof(m, a, b)                      ? 72
               : share_telling_word(c) || all_kept_numbers(m, c) ? 65
                                                                 : ASKED;
    }
    c->why = "the same number, and the only fields left";
    return alone && c->fit.kind != FIT_LIST ? 68 : 0;
}

/* "end_block" and "finalize_block": half of the words are others. */
static bool is_half_replaced(const Candidate *c)
{
    bool no;
    Words words[2];
    for (int end = 0; end < 2; end++)
        words[end] = telling_words(slot_field(c->ends[end]), c->ends[end]->leaf, &c->fit, end, &no);
    bool long_names = words[OLD].n > 2 && words[NEW].n > 2;
    for (int end = 0; end < 2 && long_names; end++)
        for (uint32_t i = 0; i < words[end].n; i++)
            if (cost_of_word(words[end].word[i]))
                words_drop(&words[end], words[end].word[i--]);
    return words_alike(&words[OLD], &words[NEW]) <= 50 &&
           !words_have_all(&words[OLD], &words[NEW]) && !words_have_all(&words[NEW], &words[OLD]);
}

/* What else than their names speaks for two fields. */
static void score_of_place(const Matching *m, Candidate *c)
{
    const FieldType *a = slot_field(c->ends[OLD]), *b = slot_field(c->ends[NEW]);
    bool direct = c->ends[OLD]->n_steps == 1 && c->ends[NEW]->n_steps == 1;
    bool number = direct && a->number == b->number && m->numbered;
    bool only = c->fit.kind != FIT_CONVERT && is_only_of_its_type(m, c);
    int without = score_without_names(m, c, only);
    if (!c->score && !without && c->fit.kind == FIT_SAME && are_left_alone(m, c) &&
        !are_opposites(c))
        without = ASKED;
    if (c->score) {
        c->score += only && is_telling_type(a) ? 20 : only && direct ? 12 : 0;
        c->score += number || are_left_alone(m, c) ? 12 : 0;
    }
    bool evident = number && share_telling_word(c);
    if (direct && !evident && is_half_replaced(c) && c->score >= DIFF_LIKELY)
        c->score = DIFF_LIKELY - 1;
    if (c->score > without)
        c->why = "by its name";
    else
        c->score = without;
}

static int cost_of_fit(const Fit *fit)
{
    switch (fit->kind) {
    case FIT_NONE: return 100;
    case FIT_SAME: return 0;
    case FIT_LIST: return 10;
    case FIT_CONVERT: return (100 - fit->certainty) / 2;
    case FIT_ALIKE: return (100 - fit->certainty) / 6;
    }
    return 100;
}

static void add_candidate(Matching *m, Candidate candidate)
{
    if (m->n == m->capacity) {
        uint32_t capacity = m->capacity ? m->capacity * 2 : 64;
        m->candidates = arena_grow(m->d->arena, m->candidates, m->n * sizeof *m->candidates,
                                   capacity * sizeof *m->candidates);
        m->capacity = capacity;
    }
    m->candidates[m->n++] = candidate;
}

/* Are they in different alternatives of one oneof? What is in "begin" does not come with "finish".
 */
static bool are_in_other_alternatives(const Slot *old, const Slot *new_slot)
{
    const FieldType *a = old->steps[0], *b = new_slot->steps[0];
    return old->n_steps + new_slot->n_steps > 2 && a->oneof && b->oneof &&
           strcmp(a->oneof->name, b->oneof->name) == 0 && strcmp(a->name, b->name) != 0;
}

static bool is_claimed(Matching *m, int end, const Slot *slot);

/* A message in a field of this name at the other end, whose type is not its own. */
static const FieldType *namesake_of_holder(const Matching *m, int end, const Slot *slot)
{
    const FieldType *holder = slot->steps[0];
    const FieldType *namesake = message_field(m->match->ends[!end], bytes_of(holder->name));
    return slot->n_steps > 1 && !slot->shared && namesake &&
                   strcmp(namesake->name, holder->name) == 0
               ? namesake
               : NULL;
}

static bool are_in_namesakes(const Matching *m, const Slot *old, const Slot *new_slot)
{
    const FieldType *namesake = namesake_of_holder(m, OLD, old);
    return namesake && new_slot->n_steps > 1 && new_slot->steps[0] == namesake;
}

/* JSON still calls it by the name that it had. */
static bool have_same_json_name(const Candidate *c)
{
    return c->ends[OLD]->n_steps == 1 && c->ends[NEW]->n_steps == 1 &&
           strcmp(slot_field(c->ends[OLD])->json_name, slot_field(c->ends[NEW])->json_name) == 0;
}

static void consider(Matching *m, Slot *old, Slot *new_slot)
{
    bool shared = old->shared || new_slot->shared;
    Candidate c = {.ends = {old, new_slot}, .why = "by its name"};
    c.fit = *fit_of(m, old, new_slot);
    if (!c.fit.kind || (old->shared && new_slot->shared) ||
        are_in_other_alternatives(old, new_slot) || are_in_namesakes(m, old, new_slot))
        return;
    c.score = score_of_words(m, old, new_slot, &c.fit);
    if (shared && (c.fit.kind != FIT_SAME || words_alike(old->leaf, new_slot->leaf) != 100 ||
                   is_common_word(old->leaf) || old->n_steps + new_slot->n_steps != 3))
        return;
    if (!shared)
        score_of_place(m, &c);
    if (have_same_json_name(&c)) {
        c.score = DIFF_SURE + 15;
        c.why = "the same JSON name";
    } else if (c.fit.named > 1)
        c.score = DIFF_SURE + 5;
    else if (c.fit.named && old->n_steps == 1 && new_slot->n_steps == 1)
        c.score = DIFF_SURE - 10;
    c.score -= cost_of_fit(&c.fit);
    if (m->doubtful && old->n_steps + new_slot->n_steps > 2)
        c.score = least(c.score, DIFF_LIKELY - 1);
    if (old->n_steps + new_slot->n_steps > 2 &&
        strcmp(slot_field(old)->name, slot_field(new_slot)->name) == 0)
        c.score += CLEARLY + 1;
    if (c.score < DIFF_SURE && (is_claimed(m, OLD, old) || is_claimed(m, NEW, new_slot)))
        return;
    if (c.score >= ASKED)
        add_candidate(m, c);
}

/* ---- Fields of messages that are at both ends
 * ---------------------------------------------------- */

static Bytes claim_of(Matching *m, const FieldType *field)
{
    return bytes_of(arena_printf(m->d->arena, "%s.%s", field->parent->full_name, field->name));
}

/* A field goes into, or out of, a message that is at both ends: there it has no other counterpart.
 */
static void claim(Matching *m, const Pairing *pairing)
{
    for (int end = 0; end < 2 && !m->extra; end++) {
        const FieldType *field = slot_field(pairing->ends[end]);
        if (pairing->ends[end]->shared &&
            !table_put(&m->d->claimed[end], claim_of(m, field), (void *)field))
            diff_changed(m->d, end, field->parent->full_name);
    }
}

static bool is_claimed(Matching *m, int end, const Slot *slot)
{
    return slot->n_steps == 1 && table_get(&m->d->claimed[end], claim_of(m, slot_field(slot)));
}

/* ---- Whole messages and their parts ---------------------------------------------------------- */

/* A message goes as a whole, if it can, before its parts are looked at; the outermost first. */
static bool is_whole(const Candidate *c)
{
    const FieldType *field = slot_field(c->ends[OLD]);
    if (!field->message || field->message->well_known != WELL_KNOWN_NONE || field->map)
        return false;
    return c->fit.kind == FIT_SAME || (c->fit.kind == FIT_LIST && c->fit.agreed) ||
           (c->fit.kind == FIT_ALIKE && c->score >= DIFF_SURE);
}

/* Marks what has somewhere to go to. */
static void find_placed(Matching *m)
{
    for (uint32_t i = 0; i < m->n; i++)
        for (int end = 0; end < 2 && m->candidates[i].score >= DIFF_SURE - 5; end++)
            m->placed[end][index_of(m, end, m->candidates[i].ends[end])] = true;
}

/* How many of a message's fields have somewhere to go to. */
static uint32_t count_placed(const Matching *m, int end, const Slot *holder)
{
    uint32_t placed = 0;
    for (uint32_t i = index_of(m, end, holder) + 1; i < m->match->n_slots[end]; i++) {
        const Slot *slot = &m->match->slots[end][i];
        if (slot->n_steps <= holder->n_steps)
            break; /* what is in it follows it */
        placed += slot->parent == holder && m->placed[end][i];
    }
    return placed;
}

/* Does the path to one of them say something of the other? */
static bool is_named_by_path(const Candidate *c)
{
    for (int end = 0; end < 2; end++) {
        const Slot *slot = c->ends[end], *other = c->ends[!end];
        for (uint32_t i = 0; i < slot->context->n; i++) {
            const char *word = slot->context->word[i];
            if (words_have(other->leaf, word) || words_have(other->context, word))
                return true;
        }
    }
    return false;
}

/* Is the message around both about what this one holds? "CreateBookRequest.title" is in its "book".
 */
static bool is_subject(const Matching *m, const Candidate *c)
{
    for (int end = 0; end < 2; end++) {
        const Slot *holder = c->ends[end]->parent;
        if (holder && holder->n_steps == 1 && c->ends[!end]->n_steps == 1 && !holder->shared &&
            words_have_all(&m->around[end], holder->leaf))
            return true;
    }
    return false;
}

/* Fields that leave a message are sure of it where the others leave it as well. */
static int score_of_holders(const Matching *m, Candidate *c)
{
    int score = 0, most = 0;
    if (is_whole(c))
        return 0;
    for (int end = 0; end < 2; end++) {
        const Slot *holder = c->ends[end]->parent;
        if (!holder || holder->shared)
            continue;
        c->placed[end] = count_placed(m, end, holder);
        int share = (int)(100 * c->placed[end] / slot_field(holder)->message->n_fields);
        most = share > most ? share : most;
        score += 8 * share / 100;
    }
    bool both_inside = c->ends[OLD]->n_steps > 1 && c->ends[NEW]->n_steps > 1;
    bool moved = c->ends[OLD]->n_steps != c->ends[NEW]->n_steps;
    bool shared = c->ends[OLD]->shared || c->ends[NEW]->shared;
    bool common = !shared && is_common_name(m, c->ends[OLD]) && is_common_name(m, c->ends[NEW]);
    if (both_inside && words_alike(c->ends[OLD]->leaf, c->ends[NEW]->leaf) < 100)
        score -= 15;
    if (is_subject(m, c))
        return score;
    if (both_inside && most < 34)
        score -= 25;
    else if (moved && most < 50)
        score -= 10;
    if ((moved || both_inside) && common && most < 100 && !is_named_by_path(c))
        score -= both_inside || most < 50 ? 40 : 25;
    return score;
}

static void score_holders(Matching *m)
{
    find_placed(m);
    for (uint32_t i = 0; i < m->n; i++)
        m->candidates[i].of_holders = score_of_holders(m, &m->candidates[i]);
    for (uint32_t i = 0; i < m->n; i++)
        m->candidates[i].score += m->candidates[i].of_holders;
}

static bool is_within(const Slot *slot, const Slot *holder)
{
    while (slot && slot != holder)
        slot = slot->parent;
    return slot != NULL;
}

static void close_around(Matching *m, int end, Slot *taken)
{
    for (uint32_t i = 0; i < m->match->n_slots[end]; i++) {
        Slot *slot = &m->match->slots[end][i];
        if (slot != taken && is_within(slot, taken))
            slot->closed = true;
        else if (slot != taken && is_within(taken, slot))
            slot->opened = slot->closed = true;
    }
}

/* Counts how many fields of each message have their namesake in each other one. */
static void find_between(Matching *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        const Candidate *c = &m->candidates[i];
        const Slot *old = c->ends[OLD]->parent, *new_slot = c->ends[NEW]->parent;
        if (old && new_slot && old->open && new_slot->open &&
            strcmp(slot_field(c->ends[OLD])->name, slot_field(c->ends[NEW])->name) == 0)
            ++m->between[cell_of(m, old, new_slot)];
    }
}

static uint32_t count_fields(const Slot *slot)
{
    return slot_field(slot)->message->n_fields;
}

/* Two messages whose fields are the same by name were renamed; their fields did not move. */
static void add_renamed_holder(Matching *m, Slot *old, Slot *new_slot)
{
    enum { MOST_OF_IT = 60 };
    const FieldType *a = slot_field(old), *b = slot_field(new_slot);
    if (old->pairing || new_slot->pairing || old->closed || new_slot->closed || old->n_steps > 1 ||
        new_slot->n_steps > 1 || !can_open(m, OLD, a) || !can_open(m, NEW, b))
        return;
    uint32_t both = m->between[cell_of(m, old, new_slot)],
             n[2] = {count_fields(old), count_fields(new_slot)};
    if (!both)
        return;
    Fit fit = diff_fit(m->d, a, b);
    if (100 * both >= MOST_OF_IT * (uint32_t)least((int)n[OLD], (int)n[NEW]) &&
        fit.kind == FIT_ALIKE)
        add_candidate(m, (Candidate){.ends = {old, new_slot},
                                     .fit = fit,
                                     .score = DIFF_SURE + (int)(40 * both / (n[OLD] + n[NEW])),
                                     .why = "by what is in it"});
}

/* ---- The best first -------------------------------------------------------------------------- */

static uint32_t steps_of(const Candidate *c)
{
    return c->ends[OLD]->n_steps + c->ends[NEW]->n_steps;
}

static int by_score(const void *p, const void *q)
{
    const Candidate *a = p, *b = q;
    if (is_whole(a) != is_whole(b))
        return is_whole(b) - is_whole(a);
    if (is_whole(a) && steps_of(a) != steps_of(b))
        return (int)steps_of(a) - (int)steps_of(b);
    if (a->score != b->score)
        return b->score - a->score;
    if (steps_of(a) != steps_of(b))
        return (int)steps_of(a) - (int)steps_of(b);
    if (a->ends[OLD] != b->ends[OLD])
        return a->ends[OLD] < b->ends[OLD] ? -1 : 1;
    return a->ends[NEW] < b->ends[NEW] ? -1 : a->ends[NEW] > b->ends[NEW];
}

static bool is_open(const Candidate *c)
{
    return !c->ends[OLD]->pairing && !c->ends[NEW]->pairing && !c->ends[OLD]->closed &&
           !c->ends[NEW]->closed;
}

/* Of two messages that a field could go into, the one that takes more of the others, too. */
static bool is_in_better_message(const Candidate *c, const Candidate *other, int end)
{
    return c->ends[end]->parent && other->ends[end]->parent &&
           c->placed[end] >= other->placed[end] + 2;
}

/* One of two such messages is told part by part at most: a line says what becomes of the other. */
static bool opens_both(const Matching *m, const Candidate *c)
{
    for (int end = 0; end < 2; end++) {
        const FieldType *namesake = namesake_of_holder(m, end, c->ends[end]);
        const Slot *whole = namesake ? direct_slot(m, !end, namesake) : NULL;
        if (whole && whole->opened)
            return true;
    }
    return false;
}

/* Could one of its ends as well go elsewhere? */
static bool has_rival(const Matching *m, const Candidate *c)
{
    for (int end = 0; end < 2; end++)
        for (uint32_t i = c->ends[end]->first; i; i = m->candidates[i - 1].next[end]) {
            const Candidate *other = &m->candidates[i - 1];
            if (other != c && is_open(other) && other->score > c->score - CLEARLY &&
                !is_in_better_message(c, other, !end) && !opens_both(m, other))
                return true;
        }
    return false;
}

/* Each slot knows its candidates, the best first. */
static void link_candidates(Matching *m)
{
    for (uint32_t i = m->n; i > 0; i--)
        for (int end = 0; end < 2; end++) {
            Candidate *c = &m->candidates[i - 1];
            c->next[end] = c->ends[end]->first;
            c->ends[end]->first = i;
        }
}

static void pair_candidate(Matching *m, const Candidate *c)
{
    pair(m, c->ends[OLD], c->ends[NEW], (Pairing){.fit = c->fit, .score = c->score, .why = c->why});
    claim(m, c->ends[OLD]->pairing);
    close_around(m, OLD, c->ends[OLD]);
    close_around(m, NEW, c->ends[NEW]);
    marry_types(m, slot_field(c->ends[OLD]), slot_field(c->ends[NEW]));
}

/* A rival of one may go elsewhere later on: then this one is next. */
static bool pair_best(Matching *m)
{
    bool any = false;
    for (uint32_t i = 0; i < m->n && !any; i++) {
        const Candidate *c = &m->candidates[i];
        if (!is_open(c) || c->score < DIFF_LIKELY || has_rival(m, c) || opens_both(m, c))
            continue;
        pair_candidate(m, c);
        any = true;
    }
    return any;
}

/* What may be the counterpart of a field that has none, the likeliest first. */
static void ask_about_rest(Matching *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        const Candidate *c = &m->candidates[i];
        if (is_open(c) && c->score >= ASKED)
            ask(m, c->ends[OLD], c->ends[NEW]->text);
    }
}

static void *scratch_of(Diffing *d, Scratch *scratch, size_t size)
{
    if (scratch->size < size) {
        scratch->data = arena_alloc(d->arena, 2 * size);
        scratch->size = 2 * size;
    }
    memset(scratch->data, 0, size);
    return scratch->data;
}

/* Of a message with thousands of them, the first ones. */
static void find_open(Matching *m, int end)
{
    Match *match = m->match;
    uint32_t most = most_open(m->d);
    uint32_t n_slots = match->n_slots[end];
    m->open[end] = arena_array(m->d->arena, Slot *, (n_slots < most ? n_slots : most) + 1);
    m->placed[end] = arena_array(m->d->arena, bool, match->n_slots[end] + 1);
    m->fitting[end] = arena_array(m->d->arena, uint32_t, match->n_slots[end] + 1);
    for (uint32_t i = 0; i < match->n_slots[end]; i++) {
        Slot *slot = &match->slots[end][i];
        if (!is_free(slot))
            continue;
        m->n_free[end] += slot->n_steps == 1;
        if (m->n_open[end] == most)
            continue;
        m->open[end][m->n_open[end]++] = slot;
        slot->open = m->n_open[end];
    }
}

static void find_fits(Matching *m)
{
    find_open(m, OLD);
    find_open(m, NEW);
    size_t n = (size_t)m->n_open[OLD] * m->n_open[NEW];
    m->d->compared += n;
    m->fits = scratch_of(m->d, &m->d->fits, n * sizeof *m->fits + 1);
    m->between = scratch_of(m->d, &m->d->between, n * sizeof *m->between + 1);
    for (uint32_t i = 0; i < m->n_open[OLD]; i++)
        for (uint32_t k = 0; k < m->n_open[NEW]; k++) {
            const Slot *old = m->open[OLD][i], *new_slot = m->open[NEW][k];
            Fit fit = diff_fit(m->d, slot_field(old), slot_field(new_slot));
            m->fits[cell_of(m, old, new_slot)] = fit;
            m->fitting[OLD][index_of(m, OLD, old)] += fits_well(&fit) && !new_slot->shared;
            m->fitting[NEW][index_of(m, NEW, new_slot)] += fits_well(&fit) && !old->shared;
        }
}

typedef void (*ForTwo)(Matching *m, Slot *old, Slot *new_slot);

static void for_each_two(Matching *m, ForTwo do_with)
{
    for (uint32_t i = 0; i < m->n_open[OLD]; i++)
        for (uint32_t k = 0; k < m->n_open[NEW]; k++)
            do_with(m, m->open[OLD][i], m->open[NEW][k]);
}

static const Match *match_all(Matching *m)
{
    make_room(m);
    pair_same_names(m);
    add_all_slots(m);
    diff_find_merges(m->d, m->match);
    find_fits(m);
    for_each_two(m, consider);
    score_holders(m);
    find_between(m);
    for_each_two(m, add_renamed_holder);
    if (m->n)
        qsort(m->candidates, m->n, sizeof *m->candidates, by_score);
    link_candidates(m);
    while (pair_best(m))
        ;
    pair_replaced(m);
    ask_about_rest(m);
    return m->match;
}

static Matching matching_of(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    Match *match = arena_make(d->arena, Match);
    *match = (Match){.ends = {old, new_type}};
    return (Matching){
        .d = d,
        .match = match,
        .around = {*diff_words_of_type(d, old->name), *diff_words_of_type(d, new_type->name)}};
}

/* Do the same fields belong together? */
static bool are_same(const Match *a, const Match *b)
{
    if (a->n_pairings != b->n_pairings)
        return false;
    for (uint32_t i = 0; i < a->n_pairings; i++)
        for (int end = 0; end < 2; end++)
            if (strcmp(a->pairings[i].ends[end]->text, b->pairings[i].ends[end]->text) != 0)
                return false;
    return true;
}

const Match *diff_match(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    Matching m = matching_of(d, old, new_type);
    m.doubtful = diff_is_doubtful(d, old, new_type);
    match_all(&m);
    const Match *before = table_put(&d->matches, bytes_of(old->full_name), m.match);
    if (!before || !are_same(before, m.match))
        diff_rematched(d, old, new_type);
    return m.match;
}

const Match *diff_match_extra(Diffing *d, const ExtraPair *extra)
{
    Matching m = matching_of(d, extra->ends[OLD], extra->ends[NEW]);
    m.extra = extra;
    return match_all(&m);
}
