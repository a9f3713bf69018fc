/* Plurals of English, as API designers write them. */
#include "adapters/text/singular.h"

#include "base/arena.h"
#include "tests/unit/check.h"

static void a_plural_becomes_one_of_it(void **state)
{
    static const char *const rows[][2] = {
        {"books", "book"},
        {"policies", "policy"},
        {"series", "series"},
        {"species", "species"},
        {"movies", "movie"},
        {"shelves", "shelf"},
        {"bookshelves", "bookshelf"},
        {"bookShelves", "bookShelf"},
        {"book_shelves", "book_shelf"},
        {"halves", "half"},
        {"leaves", "leaf"},
        {"archives", "archive"},
        {"drives", "drive"},
        {"addresses", "address"},
        {"classes", "class"},
        {"boxes", "box"},
        {"indexes", "index"},
        {"indices", "index"},
        {"subIndices", "subIndex"},
        {"branches", "branch"},
        {"caches", "cache"},
        {"dishes", "dish"},
        {"hashes", "hash"},
        {"statuses", "status"},
        {"status", "status"},
        {"aliases", "alias"},
        {"alias", "alias"},
        {"buses", "bus"},
        {"houses", "house"},
        {"releases", "release"},
        {"databases", "database"},
        {"services", "service"},
        {"prices", "price"},
        {"sizes", "size"},
        {"analyses", "analysis"},
        {"analysis", "analysis"},
        {"news", "news"},
        {"axes", "axis"},
        {"taxes", "tax"},
        {"people", "person"},
        {"class", "class"},
        {"queries", "query"},
        {"keys", "key"},
        {"data", "data"},
        {"menus", "menu"},
        {"ties", "tie"},
        {"is", "is"},
        {"s", "s"},
        {"dns", "dns"},
        {"ids", "id"},
        {"", ""},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_bytes(singular_of(bytes_of(rows[i][0]), arena), rows[i][1]);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plural_becomes_one_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
