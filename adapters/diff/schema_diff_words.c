/* Names as words: "VmImage" and "vm_images" are vm and image, and "enabled" is what "enable" is. */
#include "adapters/diff/schema_diff_internal.h"

#include "adapters/text/singular.h"

#include <ctype.h>
#include <stdlib.h>

/* Words that API designers use for each other; the first of a line stands for all of it. */
static const char *const synonyms[][6] = {
    {"address", "addr"},
    {"configuration", "config", "conf", "cfg"},
    {"count", "num"},
    {"description", "desc"},
    {"destination", "dest"},
    {"device", "dev"},
    {"directory", "dir"},
    {"id", "ids", "identifier"},
    {"info", "information"},
    {"max", "maximum"},
    {"message", "msg"},
    {"min", "minimum"},
    {"parameter", "param"},
    {"repository", "repo"},
    {"specification", "spec"},
    {"status", "state", "stat"},
    {"uri", "url"},
};
enum { N_SYNONYMS = sizeof synonyms / sizeof *synonyms };

static bool ends_with(const char *word, const char *ending)
{
    return bytes_end_with(bytes_of(word), ending);
}

static void cut(char *word, size_t n)
{
    word[strlen(word) - n] = '\0';
}

static void to_singular(Arena *arena, char *word)
{
    strcpy(word, arena_text(arena, singular_of(bytes_of(word), arena))); /* which is no longer */
}

/* What is left of a word in all its forms: "deploy" of "deploying" and of "deployed". */
static void to_stem(char *word)
{
    static const char *const endings[] = {"eability", "ability", "eable", "able", "icity",
                                          "ation",    "ing",     "ion",   "ed",   "e"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t size = strlen(endings[i]);
        if (strlen(word) >= size + 4 && ends_with(word, endings[i])) {
            cut(word, size);
            return;
        }
    }
}

static void to_synonym(char *word)
{
    for (size_t i = 0; i < N_SYNONYMS; i++)
        for (size_t k = 1; k < 6 && synonyms[i][k]; k++)
            if (strcmp(word, synonyms[i][k]) == 0) {
                strcpy(word, synonyms[i][0]);
                return;
            }
}

enum { LONGEST_WORD = 63, ROOM = 80, SHORTEST_PART = 4 };

/* "plaintext" and "ciphertext": what kind of a text it is, and that it is one. NULL: one word. */
static char *second_word(char *word)
{
    size_t size = strlen(word), end = strlen("text");
    return size >= end + SHORTEST_PART && ends_with(word, "text") ? word + size - end : NULL;
}

static void add_word(Arena *arena, Words *words, char *word)
{
    if (words->n == MOST_WORDS || !word[0])
        return;
    char *second = second_word(word), rest[ROOM];
    if (second) {
        strcpy(rest, second);
        *second = '\0';
        add_word(arena, words, word);
        add_word(arena, words, rest);
        return;
    }
    to_singular(arena, word);
    to_synonym(word);
    to_stem(word);
    words->word[words->n++] = arena_string(arena, word);
}

/* Does a new word begin at this letter? In "VmImage" and "GPUDriver" at I and D. */
static bool begins_word(const char *name, size_t at)
{
    if (at == 0 || !isupper((unsigned char)name[at]))
        return false;
    return islower((unsigned char)name[at - 1]) || isdigit((unsigned char)name[at - 1]) ||
           (isupper((unsigned char)name[at - 1]) && islower((unsigned char)name[at + 1]));
}

/* Names that API guidelines have for each other (AIP-158). */
static const char *usual_name(const char *name)
{
    return strcmp(name, "max_results") == 0 ? "page_size" : name;
}

Words words_of(Arena *arena, const char *name)
{
    Words words = {0};
    name = usual_name(name);
    char word[ROOM];
    size_t size = 0;
    for (size_t i = 0; name[i]; i++) {
        bool part = isalnum((unsigned char)name[i]);
        if (size && (!part || begins_word(name, i))) {
            word[size] = '\0';
            add_word(arena, &words, word);
            size = 0;
        }
        if (part && size < LONGEST_WORD)
            word[size++] = (char)tolower((unsigned char)name[i]);
    }
    word[size] = '\0';
    add_word(arena, &words, word);
    return words;
}

bool words_have(const Words *words, const char *word)
{
    for (uint32_t i = 0; i < words->n; i++)
        if (words->word[i] == word ||
            (words->word[i][0] == word[0] && strcmp(words->word[i], word) == 0))
            return true;
    return false;
}

bool words_have_all(const Words *words, const Words *some)
{
    for (uint32_t i = 0; i < some->n; i++)
        if (!words_have(words, some->word[i]))
            return false;
    return true;
}

bool word_is_one_of(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

void words_drop(Words *words, const char *word)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < words->n; i++)
        if (strcmp(words->word[i], word) != 0)
            words->word[n++] = words->word[i];
    words->n = n;
}

void words_join(Words *words, const Words *more)
{
    for (uint32_t i = 0; i < more->n && words->n < MOST_WORDS; i++)
        if (!words_have(words, more->word[i]))
            words->word[words->n++] = more->word[i];
}

int words_alike(const Words *a, const Words *b)
{
    uint32_t both = 0;
    for (uint32_t i = 0; i < a->n; i++)
        both += words_have(b, a->word[i]);
    for (uint32_t i = 0; i < b->n; i++)
        both += words_have(a, b->word[i]);
    return a->n + b->n ? (int)(100 * both / (a->n + b->n)) : 0;
}

/* "v1", "v1beta1" */
static bool is_version(const char *word)
{
    return word[0] == 'v' && isdigit((unsigned char)word[1]);
}

/* "Beta" of "MetadataV1Beta" */
static bool is_stage_behind(const char *version, const char *word)
{
    return is_version(version) &&
           (bytes_start_with(bytes_of(word), "alpha") || bytes_start_with(bytes_of(word), "beta"));
}

Words words_of_type(Arena *arena, const char *name)
{
    const char *dot = strrchr(name, '.');
    Words all = words_of(arena, dot ? dot + 1 : name), words = {0};
    for (uint32_t i = 0; i < all.n; i++)
        if (!is_version(all.word[i]) && !(i && is_stage_behind(all.word[i - 1], all.word[i])))
            words.word[words.n++] = all.word[i];
    return words.n ? words : all;
}

/* ---- Words of the one version for those of the other ----------------------------------------- */

typedef struct Phrase {
    Words words;
    const char *stands_for;
} Phrase;

/* The words of a phrase, which stand in one text with spaces. */
static Words words_in(Arena *arena, const char *phrase)
{
    Words words = {0};
    while (words.n < MOST_WORDS && *phrase) {
        size_t size = strcspn(phrase, " ");
        words.word[words.n++] = arena_text(arena, bytes(phrase, size));
        phrase += size + (phrase[size] == ' ');
    }
    return words;
}

void diff_same_words(Diffing *d, const char *old, const char *new_words)
{
    const char *const phrases[] = {old, new_words};
    for (int i = 0; i < 2; i++) {
        Phrase *phrase = arena_make(d->arena, Phrase);
        *phrase = (Phrase){words_in(d->arena, phrases[i]), new_words};
        list_add(d->arena, &d->same_words, phrase);
    }
    d->words = d->type_names = table_in(d->arena); /* what was kept has other words now */
}

static bool is_at(const Words *words, uint32_t at, const Words *phrase)
{
    for (uint32_t i = 0; i < phrase->n; i++)
        if (at + i >= words->n || strcmp(words->word[at + i], phrase->word[i]) != 0)
            return false;
    return true;
}

/* The longest phrase that is there, or NULL. */
static const Phrase *phrase_at(const Diffing *d, const Words *words, uint32_t at)
{
    const Phrase *longest = NULL;
    for (uint32_t i = 0; i < d->same_words.n; i++) {
        const Phrase *phrase = d->same_words.items[i];
        if (is_at(words, at, &phrase->words) && (!longest || phrase->words.n > longest->words.n))
            longest = phrase;
    }
    return longest;
}

static Words in_same_words(const Diffing *d, const Words *words)
{
    Words same = {0};
    for (uint32_t i = 0; i < words->n;) {
        const Phrase *phrase = phrase_at(d, words, i);
        same.word[same.n++] = phrase ? phrase->stands_for : words->word[i];
        i += phrase ? phrase->words.n : 1;
    }
    return same;
}

/* ---- Kept ------------------------------------------------------------------------------------ */

const Words *diff_words(Diffing *d, const char *name)
{
    Words *words = table_get(&d->words, bytes_of(name));
    if (!words) {
        words = arena_make(d->arena, Words);
        Words plain = words_of(d->arena, name);
        *words = in_same_words(d, &plain);
        table_put(&d->words, bytes_of(name), words);
    }
    return words;
}

typedef struct TypeName {
    Words words;
    const char *key, *noun_key;
} TypeName;

static int by_text(const void *p, const void *q)
{
    return strcmp(*(const char *const *)p, *(const char *const *)q);
}

const char *diff_key_of_words(Diffing *d, const Words *words)
{
    const char *sorted[MOST_WORDS];
    memcpy(sorted, words->word, sizeof sorted);
    qsort(sorted, words->n, sizeof *sorted, by_text);
    Buffer key = buffer_in(d->arena);
    for (uint32_t i = 0; i < words->n; i++)
        if (!i || strcmp(sorted[i], sorted[i - 1]) != 0)
            buffer_printf(&key, "%s ", sorted[i]);
    buffer_add_byte(&key, 0);
    return (const char *)key.data;
}

static const TypeName *type_name(Diffing *d, const char *name)
{
    const char *dot = strrchr(name, '.'), *innermost = dot ? dot + 1 : name;
    TypeName *known = table_get(&d->type_names, bytes_of(innermost));
    if (!known) {
        known = arena_make(d->arena, TypeName);
        Words plain = words_of_type(d->arena, innermost);
        known->words = in_same_words(d, &plain);
        known->key = diff_key_of_words(d, &known->words);
        Words noun = {.n = known->words.n ? known->words.n - 1 : 0};
        memcpy(noun.word, known->words.word + 1, noun.n * sizeof *noun.word);
        known->noun_key = diff_key_of_words(d, &noun);
        table_put(&d->type_names, bytes_of(innermost), known);
    }
    return known;
}

const Words *diff_words_of_type(Diffing *d, const char *name)
{
    return &type_name(d, name)->words;
}

const char *diff_name_key(Diffing *d, const char *name)
{
    return type_name(d, name)->key;
}

const char *diff_noun_key(Diffing *d, const char *name)
{
    return type_name(d, name)->noun_key;
}

/* ---- Letters --------------------------------------------------------------------------------- */

const char *diff_letters(Diffing *d, const char *name)
{
    Buffer letters = buffer_in(d->arena);
    for (; *name; name++)
        if (isalnum((unsigned char)*name))
            buffer_add_byte(&letters, (uint8_t)tolower((unsigned char)*name));
    buffer_add_byte(&letters, 0);
    return (const char *)letters.data;
}
