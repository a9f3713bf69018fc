#include "adapters/text/singular.h"

#include "base/arena.h"

typedef struct Ending {
    const char *plural, *singular;
} Ending;

/* Words, and ends of words, that no rule finds. */
static const Ending irregular[] = {
    {"people", "person"},
    {"children", "child"},
    /* that look like plurals */
    {"news", "news"},
    {"dns", "dns"},
    {"sms", "sms"},
    {"gps", "gps"},
    {"tls", "tls"},
    {"series", "series"},
    {"species", "species"},
    {"alias", "alias"},
    {"atlas", "atlas"},
    {"bias", "bias"},
    {"canvas", "canvas"},
    {"lens", "lens"},
    /* -ies that is not of -y */
    {"cookies", "cookie"},
    {"movies", "movie"},
    {"calories", "calorie"},
    /* -ves that is not of -ve */
    {"shelves", "shelf"},
    {"halves", "half"},
    {"calves", "calf"},
    {"selves", "self"},
    {"wolves", "wolf"},
    {"leaves", "leaf"},
    {"loaves", "loaf"},
    {"thieves", "thief"},
    {"scarves", "scarf"},
    {"knives", "knife"},
    {"wives", "wife"},
    /* -es that is not of -e */
    {"aliases", "alias"},
    {"atlases", "atlas"},
    {"biases", "bias"},
    {"canvases", "canvas"},
    {"lenses", "lens"},
    {"buses", "bus"},
    {"statuses", "status"},
    {"bonuses", "bonus"},
    {"campuses", "campus"},
    {"viruses", "virus"},
    {"focuses", "focus"},
    {"quizzes", "quiz"},
    {"heroes", "hero"},
    {"potatoes", "potato"},
    {"tomatoes", "tomato"},
    {"axes", "axis"},
    {"caches", "cache"},
    {"niches", "niche"},
    /* from Latin and Greek */
    {"indices", "index"},
    {"vertices", "vertex"},
    {"matrices", "matrix"},
    {"analyses", "analysis"},
    {"diagnoses", "diagnosis"},
    {"hypotheses", "hypothesis"},
    {"crises", "crisis"},
    {"menus", "menu"},
    {"cpus", "cpu"},
    {"gpus", "gpu"},
};

/* By the letters, the first that fits. */
static const Ending rules[] = {
    {"ies", "y"}, {"sses", "ss"}, {"xes", "x"}, {"ches", "ch"}, {"shes", "sh"},
    {"ss", "ss"}, {"us", "us"},   {"is", "is"}, {"s", ""},
};

enum { SHORTEST_STEM = 2, N_RULES = sizeof rules / sizeof *rules };

/* "buses" is an end of "buses" and of "minibuses", and "axes" none of "taxes": the word before
   begins anew, or is as long as a word is. */
static bool is_end_of(Bytes word, const char *end)
{
    size_t size = strlen(end);
    if (word.size < size)
        return false;
    size_t before = word.size - size;
    Bytes last = bytes_slice(word, before, word.size);
    bool begins = before == 0 || word.data[before - 1] == '_' || word.data[before - 1] == '-';
    if (bytes_are(last, end))
        return begins || before > SHORTEST_STEM;
    return bytes_are_nocase(last, end) && last.data[0] >= 'A' && last.data[0] <= 'Z' &&
           bytes_are(bytes_slice(last, 1, size), end + 1);
}

/* The letters that both have in common stay as they are written: "bookShelves", "bookShelf". */
static Bytes replaced(Bytes word, Ending ending, Arena *arena)
{
    size_t same = 0, end = word.size - strlen(ending.plural);
    while (ending.singular[same] && ending.plural[same] == ending.singular[same])
        same++;
    return bytes_of(arena_printf(arena, "%.*s%s", (int)(end + same), (const char *)word.data,
                                 ending.singular + same));
}

Bytes singular_of(Bytes plural, Arena *arena)
{
    for (size_t i = 0; i < sizeof irregular / sizeof *irregular; i++)
        if (is_end_of(plural, irregular[i].plural))
            return replaced(plural, irregular[i], arena);
    for (size_t i = 0; i < N_RULES; i++)
        if (bytes_end_with(plural, rules[i].plural) &&
            plural.size >= strlen(rules[i].plural) + SHORTEST_STEM)
            return replaced(plural, rules[i], arena);
    return plural;
}
