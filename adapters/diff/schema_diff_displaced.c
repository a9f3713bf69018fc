/*
 * Names that went to something else: what was an Image is a BootImage now, and an Image is new.
 *
 *     old: Image            GetImageRequest       ListImagesRequest
 *            \                   \                     \
 *     new:  BootImage  Image  GetBootImageRequest ...  ListBootImagesRequest ...
 *
 * The content tells: most of it is in the message with the longer name, little in the one of the
 * same name. And it is not one message alone: its requests went the same way.
 */
#include "adapters/diff/schema_diff_internal.h"

enum { LEAST_FIELDS = 4, MOST_OF_IT = 60, MUCH_MORE = 15, LEAST_COMPANIONS = 3 };

/* Bounds of the time: of larger messages, and of more names, nothing is looked for. */
enum { MOST_FIELDS = 256, MOST_DISPLACED = 64 };

static const MessageType *same_name(const Diffing *d, int end, const MessageType *message)
{
    const ChangeSide *side = &d->sides[!end];
    const char *name = side_name(&d->sides[end], message->full_name);
    const MessageType *same = side_message(side, d->arena, bytes_of(name));
    return same && diff_in_package(side, same->full_name) ? same : NULL;
}

static bool holds(const MessageType *message, const MessageType *inner)
{
    for (uint32_t i = 0; i < message->n_fields; i++)
        if (field_element_message(&message->fields[i]) == inner)
            return true;
    return false;
}

/* The message of a longer name that has what this one had; NULL where there is none. */
static const MessageType *new_home(Diffing *d, const MessageType *old, const MessageType *same)
{
    const Words *name = diff_words_of_type(d, old->name);
    int share = diff_similar_fields(d, old, same), most = share + MUCH_MORE - 1;
    const MessageType *best = NULL;
    Candidates candidates;
    diff_message_candidates(d, NEW, old, &candidates);
    for (uint32_t i = 0; i < candidates.n; i++) {
        const MessageType *other = candidates.items[i];
        const Words *words = diff_words_of_type(d, other->name);
        if (!diff_in_package(&d->sides[NEW], other->full_name) || !words_have_all(words, name) ||
            other->n_fields > MOST_FIELDS || same_name(d, NEW, other) || holds(same, other))
            continue;
        int likeness = diff_similar_fields(d, old, other);
        if (likeness >= MOST_OF_IT && likeness > most) {
            most = likeness;
            best = other;
        }
    }
    return best;
}

/* "get boot image request" of "get image request"; no words where it has not the old ones. */
static Words replaced(const Words *words, const Words *old, const Words *new_words)
{
    Words out = {0};
    bool found = false;
    for (uint32_t i = 0; i < words->n;) {
        uint32_t k = 0;
        while (!found && k < old->n && i + k < words->n &&
               strcmp(words->word[i + k], old->word[k]) == 0)
            k++;
        bool here = !found && k == old->n;
        const Words one = {{words->word[i]}, 1}, *next = here ? new_words : &one;
        if (out.n + next->n > MOST_WORDS)
            return (Words){0};
        for (k = 0; k < next->n; k++)
            out.word[out.n++] = next->word[k];
        found |= here;
        i += here ? old->n : 1;
    }
    return found ? out : (Words){0};
}

/* What went the same way as the two; NULL where nothing of that name, or more than one, is new. The
   two words may have been learned to be the same. */
static const MessageType *companion_of(Diffing *d, const MessageType *message,
                                       const MessageType *old, const MessageType *home)
{
    if (message->map_entry || !diff_in_package(&d->sides[OLD], message->full_name))
        return NULL;
    Words name = replaced(diff_words_of_type(d, message->name), diff_words_of_type(d, old->name),
                          diff_words_of_type(d, home->name));
    const List *list = lists_get(&d->by_words[NEW], diff_key_of_words(d, &name));
    const MessageType *companion = NULL;
    for (uint32_t i = 0; name.n && list->n <= MOST_NAMESAKES && i < list->n; i++) {
        const MessageType *other = list->items[i];
        if (!diff_in_package(&d->sides[NEW], other->full_name) || same_name(d, NEW, other))
            continue;
        if (companion)
            return NULL;
        companion = other;
    }
    return companion;
}

static List companions_of(Diffing *d, const MessageType *old, const MessageType *home)
{
    const Schema *schema = d->sides[OLD].schema;
    List companions = {0};
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        const MessageType *message = &schema->messages[i];
        if (message != old && companion_of(d, message, old, home))
            list_add(d->arena, &companions, message);
    }
    return companions;
}

/* Does the message of this name have little of it? Then its content may be elsewhere. */
static const MessageType *unlike_namesake(Diffing *d, const MessageType *old)
{
    bool may_be = old->n_fields >= LEAST_FIELDS && old->n_fields <= MOST_FIELDS &&
                  !old->map_entry && diff_in_package(&d->sides[OLD], old->full_name);
    const MessageType *same = may_be ? same_name(d, OLD, old) : NULL;
    return same && same->n_fields <= MOST_FIELDS && diff_shared_fields(d, old, same) < MOST_OF_IT
               ? same
               : NULL;
}

void diff_displaced_types(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    for (uint32_t i = 0, n = 0; i < schema->n_messages && n < MOST_DISPLACED; i++) {
        const MessageType *old = &schema->messages[i];
        const MessageType *same = unlike_namesake(d, old);
        const MessageType *home = same ? new_home(d, old, same) : NULL;
        if (!home)
            continue;
        n++;
        List companions = companions_of(d, old, home);
        if (companions.n < LEAST_COMPANIONS || !diff_marry_messages(d, old, home))
            continue;
        for (uint32_t k = 0; k < companions.n; k++)
            diff_marry_messages(d, companions.items[k],
                                companion_of(d, companions.items[k], old, home));
    }
}
