/* Methods: which are the same, also in another service or under another name. */
#include "adapters/diff/schema_diff_internal.h"

#include <ctype.h>

static const MethodType *other_method(const Diffing *d, int end, const MethodType *method)
{
    return table_get(&d->methods[end], bytes_of(method->path));
}

static const ServiceType *service_named(const Diffing *d, int end, const char *name)
{
    return table_get(&d->services[end], bytes_of(name));
}

/* The service that has the counterparts of this one's methods, or has its name. */
static const ServiceType *other_service(Diffing *d, int end, const ServiceType *service)
{
    const ServiceType *other = table_get(&d->service_partners[end], bytes_of(service->full_name));
    if (!other)
        other = service_named(d, !end, side_name(&d->sides[end], service->full_name));
    if (other)
        return other;
    const List *list = lists_get(&d->services_by_words[!end], diff_name_key(d, service->name));
    return list->n == 1 ? list->items[0] : NULL;
}

/* How many of a service's methods have no counterpart. */
static uint32_t *free_methods(const Diffing *d, int end, const ServiceType *service)
{
    return table_get(&d->free_methods[end], bytes_of(service->full_name));
}

static bool pair(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    table_put(&d->methods[OLD], bytes_of(old->path), (void *)new_method);
    table_put(&d->methods[NEW], bytes_of(new_method->path), (void *)old);
    table_put(&d->spoken, bytes_of(old->input->full_name), (void *)old->input);
    table_put(&d->spoken, bytes_of(old->output->full_name), (void *)old->output);
    diff_changed(d, OLD, old->input->full_name);
    diff_changed(d, OLD, old->output->full_name);
    const ServiceType *services[2] = {old->service, new_method->service};
    for (int end = 0; end < 2; end++) {
        --*free_methods(d, end, services[end]);
        Bytes name = bytes_of(services[end]->full_name);
        if (!table_get(&d->service_partners[end], name))
            table_put(&d->service_partners[end], name, (void *)services[!end]);
    }
    return true;
}

/* ---- Types ----------------------------------------------------------------------------------- */

static bool same_streams(const MethodType *a, const MethodType *b)
{
    return a->client_streaming == b->client_streaming && a->server_streaming == b->server_streaming;
}

static bool types_go_together(const Diffing *d, const MethodType *a, const MethodType *b)
{
    return same_streams(a, b) && diff_partner(d, OLD, a->input) == b->input &&
           diff_partner(d, OLD, a->output) == b->output;
}

/* The types are counterparts, or could be: as alike as `least`. */
static bool type_fits(Diffing *d, const MessageType *old, const MessageType *new_type, int least)
{
    return diff_partner(d, OLD, old) == new_type ||
           diff_free_messages_alike(d, old, new_type) >= least;
}

static bool types_fit(Diffing *d, const MethodType *a, const MethodType *b, int least)
{
    return same_streams(a, b) && type_fits(d, a->input, b->input, least) &&
           type_fits(d, a->output, b->output, least);
}

static bool may_be_partners(const Diffing *d, const MessageType *old, const MessageType *new_type)
{
    const MessageType *partner = diff_partner(d, OLD, old);
    return partner ? partner == new_type : !diff_partner(d, NEW, new_type);
}

static bool marry_types(Diffing *d, const MethodType *a, const MethodType *b)
{
    bool more = diff_marry_messages(d, a->input, b->input);
    more |= diff_marry_messages(d, a->output, b->output);
    if (a->operation_response && b->operation_response)
        more |= diff_marry_messages(d, a->operation_response, b->operation_response);
    if (a->operation_metadata && b->operation_metadata)
        more |= diff_marry_messages(d, a->operation_metadata, b->operation_metadata);
    return more;
}

/* ---- Where to look --------------------------------------------------------------------------- */

/* "GET /projects/ * /books/ *" of get: "/v1/{name=projects/ * /books/ *}", whatever its variables
 * are called. */
static const char *http_key(Arena *arena, const HttpRule *rule)
{
    Buffer key = buffer_in(arena);
    buffer_printf(&key, "%s ", rule->verb);
    const char *path = rule->path;
    if (path[0] == '/' && path[1] == 'v' && isdigit((unsigned char)path[2]))
        while (*path && *++path != '/')
            ;
    while (*path) {
        size_t name = path[0] == '{' ? strcspn(path + 1, "=}") + 1 : 0;
        if (name && path[name] == '}')
            buffer_add_byte(&key, '*');
        else if (!name && *path != '}')
            buffer_add_byte(&key, (uint8_t)*path);
        path += name ? name : 1;
        path += name && *path;
    }
    buffer_add_byte(&key, 0);
    return (const char *)key.data;
}

static void index_method(Diffing *d, int end, const MethodType *method)
{
    const Words *words = diff_words_of_type(d, method->name);
    for (uint32_t i = 0; i < words->n; i++)
        lists_add(&d->methods_by_word[end], words->word[i], method);
    lists_add(&d->methods_by_name[end], method->name, method);
    lists_add(&d->methods_by_noun[end], diff_noun_key(d, method->name), method);
    lists_add(&d->methods_by_type[end], method->input->full_name, method);
    if (method->output != method->input)
        lists_add(&d->methods_by_type[end], method->output->full_name, method);
    if (method->http)
        lists_add(&d->methods_by_http[end], http_key(d->arena, method->http), method);
    table_put(&d->methods_by_path[end], bytes_of(method->path), (void *)method);
    list_add(d->arena, &d->all_methods[end], method);
}

/* Of the service that it is in: "booking" of Bookings, of BookingService and of BookingsApi. */
static Words noun_of_service(Diffing *d, const MethodType *method)
{
    Words noun = *diff_words_of_type(d, method->service->name);
    words_drop(&noun, "service");
    words_drop(&noun, "api");
    return noun;
}

/* "trace" of TraceService, if it is the only one. */
static Words subject_of(Diffing *d, int end)
{
    Words none = {0};
    return d->services[end].n == 1 ? noun_of_service(d, d->all_methods[end].items[0]) : none;
}

static void find_subject(Diffing *d)
{
    if (!d->all_methods[OLD].n || !d->all_methods[NEW].n)
        return;
    Words subjects[2] = {subject_of(d, OLD), subject_of(d, NEW)};
    if (words_alike(&subjects[OLD], &subjects[NEW]) == 100)
        d->subject = subjects[OLD];
}

void diff_index_methods(Diffing *d)
{
    for (int end = 0; end < 2; end++) {
        const ChangeSide *side = &d->sides[end];
        for (uint32_t i = 0; i < side->schema->n_services; i++) {
            const ServiceType *service = &side->schema->services[i];
            if (!diff_serves(side, service))
                continue;
            uint32_t *n = arena_make(d->arena, uint32_t);
            *n = service->n_methods;
            table_put(&d->free_methods[end], bytes_of(service->full_name), n);
            lists_add(&d->services_by_words[end], diff_name_key(d, service->name), service);
            table_put(&d->services[end], bytes_of(side_name(side, service->full_name)),
                      (void *)service);
            for (uint32_t k = 0; k < service->n_methods; k++)
                index_method(d, end, &service->methods[k]);
        }
    }
    find_subject(d);
}

static void add_methods_of_type(Diffing *d, int end, const MessageType *type, Candidates *out)
{
    const MessageType *partner = diff_partner(d, !end, type);
    if (partner)
        candidates_add(out, lists_get(&d->methods_by_type[end], partner->full_name));
}

/* What is at that end and may be like this method, which is at the other one. */
static void find_candidates(Diffing *d, int end, const MethodType *method, Candidates *out)
{
    out->n = 0;
    if (method->http)
        candidates_add(out, lists_get(&d->methods_by_http[end], http_key(d->arena, method->http)));
    candidates_add(out, lists_get(&d->methods_by_name[end], method->name));
    const Words *words = diff_words_of_type(d, method->name);
    for (uint32_t i = 0; i < words->n; i++)
        candidates_add(out, lists_get(&d->methods_by_word[end], words->word[i]));
    add_methods_of_type(d, end, method->input, out);
    add_methods_of_type(d, end, method->output, out);
    candidates_add(out, &d->all_methods[end]);
    const ServiceType *other = other_service(d, !end, method->service);
    for (uint32_t i = 0; other && other->n_methods <= MOST_NAMESAKES && i < other->n_methods; i++) {
        const void *items[] = {&other->methods[i]};
        candidates_add(out, &(List){items, 1, 1});
    }
}

/* ---- Names ----------------------------------------------------------------------------------- */

typedef bool (*Eager)(Diffing *d, const MethodType *old);

/* For each method of the old version that has no counterpart yet. */
static bool for_each_free(Diffing *d, Eager eager)
{
    const List *all = &d->all_methods[OLD];
    bool more = false;
    for (uint32_t i = 0; i < all->n; i++)
        if (!other_method(d, OLD, all->items[i]))
            more |= eager(d, all->items[i]);
    return more;
}

static const MethodType *method_named(const Diffing *d, int end, const ServiceType *service,
                                      const char *name)
{
    const char *path = arena_printf(d->arena, "/%s/%s", service->full_name, name);
    return table_get(&d->methods_by_path[end], bytes_of(path));
}

/* Messages of the package on both sides: what is in the one may become the other. */
static bool have_own_types(const Diffing *d, const MethodType *old, const MethodType *new_method)
{
    return same_streams(old, new_method) &&
           diff_in_package(&d->sides[OLD], old->input->full_name) &&
           diff_in_package(&d->sides[OLD], old->output->full_name) &&
           diff_in_package(&d->sides[NEW], new_method->input->full_name) &&
           diff_in_package(&d->sides[NEW], new_method->output->full_name);
}

/* The same service and name: the types are each other's, whatever is in them. */
static bool pair_same(Diffing *d, const MethodType *old)
{
    const ServiceType *service = other_service(d, OLD, old->service);
    const MethodType *same = service ? method_named(d, NEW, service, old->name) : NULL;
    bool renamed =
        service &&
        service != service_named(d, NEW, side_name(&d->sides[OLD], old->service->full_name));
    if (!same || other_method(d, NEW, same) || (renamed && !have_own_types(d, old, same)))
        return false;
    if (same_streams(old, same))
        marry_types(d, old, same);
    return pair(d, old, same);
}

static uint32_t shared_names(const Diffing *d, const ServiceType *a, const ServiceType *b)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->n_methods && i < MOST_NAMESAKES; i++)
        n += method_named(d, NEW, b, a->methods[i].name) != NULL;
    return n;
}

static bool is_standard(const char *word);

/* "Get" of a service says nothing without what the service is about. */
static bool says_its_noun(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    const Words *words = diff_words_of_type(d, old->name);
    Words nouns[2] = {noun_of_service(d, old), noun_of_service(d, new_method)};
    return words->n > 1 || !is_standard(words->word[0]) ||
           words_alike(&nouns[OLD], &nouns[NEW]) >= 50 ||
           other_service(d, OLD, old->service) == new_method->service;
}

/* The same name in another service: in that one which has most of the others, too. */
static bool pair_moved(Diffing *d, const MethodType *old)
{
    const List *list = lists_get(&d->methods_by_name[NEW], old->name);
    const MethodType *best = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; list->n <= MOST_NAMESAKES && i < list->n; i++) {
        const MethodType *method = list->items[i];
        if (other_method(d, NEW, method) || !types_fit(d, old, method, 40) ||
            !says_its_noun(d, old, method))
            continue;
        uint32_t shared = shared_names(d, old->service, method->service);
        if (shared <= most)
            continue;
        most = shared;
        best = method;
    }
    if (!best)
        return false;
    marry_types(d, old, best);
    return pair(d, old, best);
}

/* ---- Verbs and nouns ------------------------------------------------------------------------- */

/* Verbs that APIs use for each other; the first of a line stands for all of it. */
static const char *const verbs[][8] = {
    {"get", "fetch", "read", "retriev", "describ", "lookup", "show"},
    {"list", "query", "search", "find", "enumerat"},
    {"creat", "create", "add", "insert", "register"},
    {"updat", "update", "patch", "modify", "edit", "put", "set"},
    {"delet", "delete", "remov", "destroy", "unregister"},
    {"clear", "flush", "reset", "purg"},
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

static const char *plain_verb(const char *word)
{
    for (size_t i = 0; i < N_VERBS; i++)
        for (size_t k = 0; k < 8 && verbs[i][k]; k++)
            if (strcmp(word, verbs[i][k]) == 0)
                return verbs[i][0];
    return word;
}

/* The verbs of every resource: another of them is another method. */
static bool is_standard(const char *word)
{
    static const char *const words[] = {"get",    "list",  "create", "creat",
                                        "update", "updat", "delete", "delet"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

static Words words_of_method(Diffing *d, const MethodType *method)
{
    return *diff_words_of_type(d, method->name);
}

/* What a standard method is about: "audience list" of ListAudienceLists. */
static Words noun_of(const Words *name)
{
    Words noun = {0};
    for (uint32_t i = 1; i < name->n; i++)
        noun.word[noun.n++] = name->word[i];
    return noun;
}

/* "CreateBooking" of the one service, and "Create" of Bookings: the noun is where it was not. */
static bool say_the_same(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    Words a = words_of_method(d, old), b = words_of_method(d, new_method);
    Words around[2] = {noun_of_service(d, old), noun_of_service(d, new_method)};
    if (strcmp(plain_verb(a.word[0]), plain_verb(b.word[0])) != 0)
        return false;
    Words nouns[2] = {noun_of(&a), noun_of(&b)}, full[2] = {nouns[OLD], nouns[NEW]};
    bool said = nouns[OLD].n || nouns[NEW].n;
    for (int end = 0; end < 2; end++) {
        words_join(&full[end], &around[end]);
        if (!nouns[end].n)
            nouns[end] = around[end];
    }
    return said && words_have_all(&full[NEW], &nouns[OLD]) &&
           words_have_all(&full[OLD], &nouns[NEW]);
}

/* Did the resource that both are about get the other's name? */
static bool is_renamed_resource(Diffing *d, const Words *old, const Words *new_name)
{
    Words was = noun_of(old), is = noun_of(new_name);
    const List *list = lists_get(&d->by_words[OLD], diff_key_of_words(d, &was));
    for (uint32_t i = 0; was.n && list->n <= MOST_NAMESAKES && i < list->n; i++) {
        const MessageType *type = list->items[i], *partner = diff_partner(d, OLD, type);
        if (partner && diff_in_package(&d->sides[OLD], type->full_name) &&
            words_alike(diff_words_of_type(d, partner->name), &is) == 100)
            return true;
    }
    return false;
}

/* A method of the service that is about this, and has no counterpart. */
static const MethodType *free_method(Diffing *d, int end, const ServiceType *service,
                                     const char *verb, const char *noun)
{
    const List *list = lists_get(&d->methods_by_noun[end], noun);
    for (uint32_t i = 0; list->n <= MOST_NAMESAKES && i < list->n; i++) {
        const MethodType *method = list->items[i];
        const Words *words = diff_words_of_type(d, method->name);
        if (method->service == service && !other_method(d, end, method) && words->n &&
            strcmp(words->word[0], verb) == 0)
            return method;
    }
    return NULL;
}

/* Did a resource get another name? Its standard methods are gone, those of the other are new, and
   what Get answers has mostly the same fields: more of them where it has few. */
static bool is_replaced_resource(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    enum { MOST_OF_IT = 70, MOST_OF_MUCH = 55, MUCH = 8, LEAST_METHODS = 2 };
    const char *was = diff_noun_key(d, old->name), *is = diff_noun_key(d, new_method->name);
    int n = 0, content = 0;
    uint32_t n_fields = 0;
    for (size_t i = 0; i < N_VERBS; i++) {
        const MethodType *x = free_method(d, OLD, old->service, verbs[i][0], was);
        const MethodType *y = free_method(d, NEW, new_method->service, verbs[i][0], is);
        if (!x != !y)
            return false;
        n += x != NULL;
        if (x && i == 0 && diff_in_package(&d->sides[OLD], x->output->full_name)) {
            content = diff_shared_fields(d, x->output, y->output);
            n_fields = x->output->n_fields;
        }
    }
    return n >= LEAST_METHODS && content >= (n_fields >= MUCH ? MOST_OF_MUCH : MOST_OF_IT);
}

/* Get, List, Create of another noun are methods of another resource, unless that one is alike. */
static bool is_of_another_resource(Diffing *d, const MethodType *old, const MethodType *new_method,
                                   int names)
{
    Words verb = *diff_words_of_type(d, old->name);
    if (names == 100 || !is_standard(verb.word[0]))
        return false;
    return !diff_in_package(&d->sides[OLD], old->output->full_name) ||
           !type_fits(d, old->output, new_method->output, DIFF_LIKELY);
}

/* "ListPids" and "Pids": a verb that only asks came or went. */
static bool drops_verb(const Words *longer, const Words *rest)
{
    Words noun = noun_of(longer);
    return longer->n == rest->n + 1 && words_alike(&noun, rest) == 100 &&
           (strcmp(longer->word[0], "get") == 0 || strcmp(longer->word[0], "list") == 0);
}

/* Is it the method's very own, as GetBookRequest is GetBook's? */
static bool is_named_for(Diffing *d, const MessageType *type, const MethodType *method)
{
    static const char *const ends[] = {"request", "respons", "result", "reply"};
    Words name = *diff_words_of_type(d, type->name), words = *diff_words_of_type(d, method->name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        words_drop(&name, ends[i]);
    return words_alike(&name, &words) == 100;
}

/* Counterparts, or each the very own of two methods whose names tell that they go together. */
static bool own_types_fit(Diffing *d, const MessageType *old, const MethodType *old_method,
                          const MessageType *new_type, const MethodType *new_method)
{
    return type_fits(d, old, new_type, 40) ||
           (is_named_for(d, old, old_method) && is_named_for(d, new_type, new_method) &&
            may_be_partners(d, old, new_type));
}

static bool are_named_for_methods(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    return same_streams(old, new_method) &&
           own_types_fit(d, old->input, old, new_method->input, new_method) &&
           own_types_fit(d, old->output, old, new_method->output, new_method);
}

/* Did a method get a longer or shorter name? */
static bool is_longer(const Words *a, const Words *b)
{
    return (words_have_all(a, b) || words_have_all(b, a)) && !is_standard(a->word[0]);
}

enum { ALIKE = 60 };

/* How alike two methods are whose types could go together; 0 when they are not. */
static int likeness_of_names(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    Words a = words_of_method(d, old), b = words_of_method(d, new_method);
    if (!a.n || !b.n || !says_its_noun(d, old, new_method))
        return 0;
    if (drops_verb(&a, &b) || drops_verb(&b, &a))
        return types_fit(d, old, new_method, 40) ? 90 : 0;
    if ((is_standard(a.word[0]) && !words_have(&b, a.word[0])) ||
        (is_standard(b.word[0]) && !words_have(&a, b.word[0])))
        return 0;
    int score = words_alike(&a, &b);
    bool renamed = false;
    if (strcmp(a.word[0], b.word[0]) == 0) {
        renamed = is_renamed_resource(d, &a, &b);
        if (renamed)
            score = 100;
        else if (is_standard(a.word[0]) && score < 100 &&
                 may_be_partners(d, old->input, new_method->input) &&
                 may_be_partners(d, old->output, new_method->output) &&
                 is_replaced_resource(d, old, new_method))
            return 90;
    }
    if (score < ALIKE || is_of_another_resource(d, old, new_method, score))
        return 0;
    if (types_fit(d, old, new_method, 40))
        return score;
    if (score == 100 && have_own_types(d, old, new_method) &&
        other_service(d, OLD, old->service) == new_method->service)
        return 85;
    return (renamed || is_longer(&a, &b)) && are_named_for_methods(d, old, new_method)
               ? score - 10 + diff_shared_fields(d, old->input, new_method->input) / 10
               : 0;
}

static bool may_go_together(const Diffing *d, const MethodType *old, const MethodType *new_method)
{
    return same_streams(old, new_method) && may_be_partners(d, old->input, new_method->input) &&
           may_be_partners(d, old->output, new_method->output);
}

static bool have_same_binding(const Diffing *d, const MethodType *a, const MethodType *b)
{
    return a->http && b->http &&
           strcmp(http_key(d->arena, a->http), http_key(d->arena, b->http)) == 0;
}

/* A type of the package that no other method of that version asks with. */
static bool is_own_request(const Diffing *d, int end, const MethodType *method)
{
    const List *list = lists_get(&d->methods_by_type[end], method->input->full_name);
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->n && n < 2; i++)
        n += ((const MethodType *)list->items[i])->input == method->input;
    return n == 1 && diff_in_package(&d->sides[end], method->input->full_name);
}

/* Types that are counterparts, and whose methods nothing else could be. */
static bool only_types_tell(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    Words a = words_of_method(d, old), b = words_of_method(d, new_method);
    bool standard = is_standard(plain_verb(a.word[0])) || is_standard(plain_verb(b.word[0]));
    return types_go_together(d, old, new_method) && is_own_request(d, OLD, old) &&
           is_own_request(d, NEW, new_method) &&
           (!standard || strcmp(plain_verb(a.word[0]), plain_verb(b.word[0])) == 0);
}

/* What speaks for two methods, from 0 to 100. */
static int method_likeness(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    int score = likeness_of_names(d, old, new_method);
    if (score < 88 && may_go_together(d, old, new_method) && say_the_same(d, old, new_method) &&
        (types_fit(d, old, new_method, 40) || are_named_for_methods(d, old, new_method)))
        score = 88;
    if (score < 80 && may_go_together(d, old, new_method) && have_same_binding(d, old, new_method))
        score = 80;
    if (score < 70 && only_types_tell(d, old, new_method))
        score = 70;
    return score;
}

static const MethodType *most_alike(Diffing *d, int end, const MethodType *method)
{
    Candidates candidates;
    find_candidates(d, end, method, &candidates);
    const MethodType *best = NULL;
    int most = 0, second = 0;
    for (uint32_t i = 0; i < candidates.n; i++) {
        const MethodType *other = candidates.items[i];
        if (other_method(d, end, other))
            continue;
        const MethodType *a = end == NEW ? method : other, *b = end == NEW ? other : method;
        int score = method_likeness(d, a, b);
        second = score > most ? most : score > second ? score : second;
        best = score > most ? other : best;
        most = score > most ? score : most;
    }
    return most > second ? best : NULL;
}

static bool pair_renamed(Diffing *d, const MethodType *old)
{
    const MethodType *alike = most_alike(d, NEW, old);
    if (!alike || most_alike(d, OLD, alike) != old)
        return false;
    marry_types(d, old, alike);
    return pair(d, old, alike);
}

/* The only method of a service that has no counterpart; NULL where there is none, or several. */
static const MethodType *only_left(const Diffing *d, int end, const ServiceType *service)
{
    for (uint32_t i = 0; *free_methods(d, end, service) == 1 && i < service->n_methods; i++)
        if (!other_method(d, end, &service->methods[i]))
            return &service->methods[i];
    return NULL;
}

/* Types of the API's own that are counterparts, or could be by what is in them. */
static bool own_type_fits(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    return diff_in_package(&d->sides[OLD], old->full_name) &&
           type_fits(d, old, new_type, DIFF_LIKELY);
}

/* What is left of a service at both ends, if the types of the one go to those of the other. */
static bool pair_left(Diffing *d, const MethodType *old)
{
    const ServiceType *service = other_service(d, OLD, old->service);
    const MethodType *left = service ? only_left(d, NEW, service) : NULL;
    if (!left || only_left(d, OLD, old->service) != old || !same_streams(old, left) ||
        is_standard(diff_words_of_type(d, old->name)->word[0]) ||
        is_standard(diff_words_of_type(d, left->name)->word[0]))
        return false;
    bool input = own_type_fits(d, old->input, left->input);
    bool output = own_type_fits(d, old->output, left->output);
    if ((!input && !output) || !may_be_partners(d, old->input, left->input) ||
        !may_be_partners(d, old->output, left->output))
        return false;
    marry_types(d, old, left);
    return pair(d, old, left);
}

/* ---- What methods lead to -------------------------------------------------------------------- */

static void reach_all(Diffing *d)
{
    for (int end = 0; end < 2; end++) {
        size_t at = 0;
        for (const TableEntry *entry; (entry = table_next(&d->methods[end], &at));) {
            const MethodType *other = entry->value;
            diff_add_with_all(d, &d->reached[!end], other->input);
            diff_add_with_all(d, &d->reached[!end], other->output);
        }
    }
}

bool diff_pair_methods(Diffing *d)
{
    bool more = for_each_free(d, pair_same);
    more |= for_each_free(d, pair_moved);
    if (!more)
        more = for_each_free(d, pair_renamed);
    if (!more)
        more = for_each_free(d, pair_left);
    reach_all(d);
    return more;
}

/* ---- Told ------------------------------------------------------------------------------------ */

static const char *method_name(const Diffing *d, int end, const MethodType *method)
{
    return arena_printf(d->arena, "%s.%s", side_name(&d->sides[end], method->service->full_name),
                        method->name);
}

/* Are they counterparts, or can they become what the method alone says? */
static bool can_go_together(const Diffing *d, const MessageType *old, const MessageType *new_type)
{
    return diff_partner(d, OLD, old) == new_type ||
           (diff_in_package(&d->sides[OLD], old->full_name) &&
            diff_in_package(&d->sides[NEW], new_type->full_name));
}

static bool methods_go_together(const Diffing *d, const MethodType *a, const MethodType *b)
{
    return same_streams(a, b) && can_go_together(d, a->input, b->input) &&
           can_go_together(d, a->output, b->output);
}

static void add_extra(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    if (diff_partner(d, OLD, old) != new_type)
        diff_add_extra(d, (ExtraPair){{old, new_type}, {NULL, NULL}});
}

/* What is in the operations that two methods begin. */
static void add_held(Diffing *d, const MessageType *old, const MessageType *new_type)
{
    if (old && new_type && can_go_together(d, old, new_type))
        add_extra(d, old, new_type);
}

void diff_method_types(Diffing *d)
{
    const List *all = &d->all_methods[OLD];
    for (uint32_t i = 0; i < all->n; i++) {
        const MethodType *old = all->items[i], *other = other_method(d, OLD, old);
        if (!other || !methods_go_together(d, old, other))
            continue;
        add_extra(d, old->input, other->input);
        add_extra(d, old->output, other->output);
        add_held(d, old->operation_response, other->operation_response);
        add_held(d, old->operation_metadata, other->operation_metadata);
    }
}

/* ---- Options --------------------------------------------------------------------------------- */

/* "POST /v1/{name=orders/ *}:close body *" */
static const char *binding_text(Diffing *d, const HttpRule *rule)
{
    return arena_printf(d->arena, "%s %s%s%s%s%s", rule->verb, rule->path,
                        rule->body[0] ? " body " : "", rule->body,
                        rule->response_body[0] ? " response_body " : "", rule->response_body);
}

static bool same_binding(const HttpRule *a, const HttpRule *b)
{
    return strcmp(a->verb, b->verb) == 0 && strcmp(a->path, b->path) == 0 &&
           strcmp(a->body, b->body) == 0 && strcmp(a->response_body, b->response_body) == 0;
}

/* The first one is the rule itself. */
static const HttpRule *binding_at(const HttpRule *rule, uint32_t i)
{
    return i ? &rule->additional[i - 1] : rule;
}

static uint32_t count_bindings(const HttpRule *rule)
{
    return rule ? 1 + rule->n_additional : 0;
}

static bool has_binding(const HttpRule *rule, const HttpRule *binding)
{
    for (uint32_t i = 0; i < count_bindings(rule); i++)
        if (same_binding(binding_at(rule, i), binding))
            return true;
    return false;
}

/* Each version has its own bindings at the gateway: no line of the list is needed. */
static void tell_bindings(Diffing *d, const char *name, const HttpRule *old, const HttpRule *is)
{
    bool changed = old && is && !has_binding(is, old) && !has_binding(old, is);
    if (changed)
        diff_add(d, BREAKS_JSON, false, name, "its HTTP binding changed: %s, now %s",
                 binding_text(d, old), binding_text(d, is));
    for (uint32_t i = changed; i < count_bindings(old); i++)
        if (!has_binding(is, binding_at(old, i)))
            diff_add(d, BREAKS_JSON, false, name, "an HTTP binding removed: %s",
                     binding_text(d, binding_at(old, i)));
    for (uint32_t i = changed; i < count_bindings(is); i++)
        if (!has_binding(old, binding_at(is, i)))
            diff_add(d, 0, false, name, "an HTTP binding added: %s",
                     binding_text(d, binding_at(is, i)));
}

static const char *idempotency_level(const MethodType *method)
{
    return method->no_side_effects ? "NO_SIDE_EFFECTS"
           : method->idempotent    ? "IDEMPOTENT"
                                   : "IDEMPOTENCY_UNKNOWN";
}

/* What the old version allows and the new one does not, as a question; NULL if there is nothing. */
static const char *lost_level(Diffing *d, const MethodType *old, const MethodType *other)
{
    const char *version = d->sides[NEW].version;
    if (old->idempotent && !other->idempotent)
        return arena_printf(d->arena, "%s in %s: is it safe to repeat calls of %s%s?",
                            idempotency_level(other), version, d->sides[OLD].version,
                            old->no_side_effects ? ", and may GET be refused" : "");
    return old->no_side_effects && !other->no_side_effects
               ? arena_printf(d->arena, "%s in %s: may GET be refused?", idempotency_level(other),
                              version)
               : NULL;
}

static void tell_level(Diffing *d, const char *name, const MethodType *old, const MethodType *other)
{
    const char *was = idempotency_level(old), *is = idempotency_level(other);
    bool get = old->no_side_effects && !other->no_side_effects; /* of Connect, in both codecs */
    if (strcmp(was, is) != 0)
        diff_add(d,
                 (get ? BREAKS_WIRE | BREAKS_JSON : 0) |
                     (lost_level(d, old, other) ? BREAKS_SOURCE : 0),
                 false, name, "idempotency_level %s became %s", was, is);
}

static void tell_held(Diffing *d, const char *name, const char *part, const MessageType *old,
                      const MessageType *is)
{
    if (old && is ? diff_partner(d, OLD, old) == is : old == is)
        return;
    diff_add(d, old && is ? BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE : 0, false, name,
             "the %s of its operation: %s, now %s", part, old ? old->name : "not declared",
             is ? is->name : "not declared");
}

/* What else a client of the method sees. */
static void tell_options(Diffing *d, const char *name, const MethodType *old,
                         const MethodType *other)
{
    tell_bindings(d, name, old->http, other->http);
    tell_level(d, name, old, other);
    tell_held(d, name, "response", old->operation_response, other->operation_response);
    tell_held(d, name, "metadata", old->operation_metadata, other->operation_metadata);
    if (old->deprecated != other->deprecated)
        diff_add(d, 0, false, name,
                 other->deprecated ? "is deprecated now" : "is not deprecated any more");
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* What is not clear enough for a guess: the same verb for a noun that is alike, or what it answers.
 */
static int weak_likeness(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    Words a = words_of_method(d, old), b = words_of_method(d, new_method);
    bool verb = a.n && b.n && strcmp(plain_verb(a.word[0]), plain_verb(b.word[0])) == 0;
    bool output = diff_in_package(&d->sides[OLD], old->output->full_name) &&
                  diff_partner(d, OLD, old->output) == new_method->output;
    Words nouns[2] = {noun_of(&a), noun_of(&b)};
    int alike = words_alike(&nouns[OLD], &nouns[NEW]);
    return alike >= 40 && verb ? 50 + alike / 2 : output && (verb || alike) ? 50 : 0;
}

/* "; or did it become Bookings.Create?": at most three, the likeliest first. */
static const char *question(Diffing *d, const MethodType *old)
{
    enum { MOST_ASKED = 3 };
    const MethodType *asked[MOST_ASKED + 1];
    int scores[MOST_ASKED + 1];
    uint32_t n = 0;
    Candidates candidates;
    find_candidates(d, NEW, old, &candidates);
    for (uint32_t i = 0; i < candidates.n; i++) {
        const MethodType *method = candidates.items[i];
        int score = other_method(d, NEW, method) ? 0 : weak_likeness(d, old, method);
        if (!score)
            continue;
        uint32_t at = n;
        for (; at > 0 && scores[at - 1] < score; at--) {
            scores[at] = scores[at - 1];
            asked[at] = asked[at - 1];
        }
        scores[at] = score;
        asked[at] = method;
        n = n < MOST_ASKED ? n + 1 : n;
    }
    const char *text = "";
    for (uint32_t i = 0; i < n; i++)
        text = arena_printf(d->arena, "%s%s%s", text, i ? " or " : "; or did it become ",
                            method_name(d, NEW, asked[i]));
    return n ? arena_printf(d->arena, "%s?", text) : "";
}

/* A call of the old version that nothing answers. */
static void tell_lost(Diffing *d, const MethodType *old, const char *why, const char *question)
{
    buffer_printf(&d->method_lines, "  %s: {removed: \"%s\"}  # decide: calls of %s fail%s\n",
                  method_name(d, OLD, old), why, d->sides[OLD].version, question);
}

/* "stream Order" */
static const char *streamed(Diffing *d, bool stream, const MessageType *type)
{
    return arena_printf(d->arena, "%s%s", stream ? "stream " : "", type->name);
}

static const char *types_of(Diffing *d, const MethodType *method)
{
    return arena_printf(d->arena, "%s to %s", streamed(d, method->client_streaming, method->input),
                        streamed(d, method->server_streaming, method->output));
}

/* The same name, and types that are not each other's. */
static void tell_other_types(Diffing *d, const MethodType *old, const MethodType *other,
                             const char *name)
{
    diff_add(d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, false, name, "other types: %s, now %s",
             types_of(d, old), types_of(d, other));
    if (!methods_go_together(d, old, other)) /* else "Order to Line" says what becomes of them */
        tell_lost(d, old,
                  arena_printf(d->arena, "its types are others in %s", d->sides[NEW].version), "");
}

static void tell_renamed(Diffing *d, const MethodType *old, const MethodType *other,
                         const char *name, const char *to)
{
    bool moved = strcmp(old->name, other->name) == 0;
    Words was = *diff_words_of_type(d, old->name), is = *diff_words_of_type(d, other->name);
    bool named = words_alike(&was, &is) >= ALIKE;
    bool alike = named && (moved || diff_shared_fields(d, old->input, other->input) ||
                           diff_shared_fields(d, old->output, other->output));
    const char *why = moved   ? "by its name"
                      : alike ? "by its name and types"
                      : named ? "by its name"
                              : "by its types";
    const char *lost = lost_level(d, old, other);
    diff_add(d, BREAKS_WIRE | BREAKS_SOURCE, true, name, "%s to %s", moved ? "moved" : "renamed",
             to);
    buffer_printf(&d->method_lines, "  %s: %s%s\n", name, to,
                  lost ? arena_printf(d->arena, "  # decide: a guess, %s; %s", why, lost)
                       : diff_guess(d, alike ? DIFF_SURE : DIFF_LIKELY, why));
}

static void tell_method(Diffing *d, const MethodType *old)
{
    const MethodType *other = other_method(d, OLD, old);
    const char *name = method_name(d, OLD, old), *version = d->sides[NEW].version;
    const char *to = other ? method_name(d, NEW, other) : NULL;
    bool same = to && strcmp(name, to) == 0;
    if (!other || (!same && !methods_go_together(d, old, other))) {
        diff_add(d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, false, name, "method removed");
        tell_lost(d, old, arena_printf(d->arena, "%s has no such method", version),
                  question(d, old));
        return;
    }
    if (!same)
        tell_renamed(d, old, other, name, to);
    else if (!types_go_together(d, old, other))
        tell_other_types(d, old, other, name);
    if (!methods_go_together(d, old, other))
        return;
    tell_options(d, name, old, other);
    if (same && lost_level(d, old, other))
        buffer_printf(&d->method_lines, "  %s: %s  # decide: %s\n", name, to,
                      lost_level(d, old, other));
}

void diff_methods(Diffing *d)
{
    for (uint32_t i = 0; i < d->all_methods[OLD].n; i++)
        tell_method(d, d->all_methods[OLD].items[i]);
    for (uint32_t i = 0; i < d->all_methods[NEW].n; i++) {
        const MethodType *method = d->all_methods[NEW].items[i];
        if (!other_method(d, NEW, method))
            diff_add(d, 0, false, method_name(d, NEW, method), "method added");
    }
}
