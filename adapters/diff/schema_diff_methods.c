/* Methods: which are the same, also in another service or under another name. */
#include "adapters/diff/schema_diff_internal.h"

static bool is_own(const Diffing *d, int end, const ServiceType *service)
{
    return diff_in_package(&d->sides[end], service->full_name);
}

static const MethodType *other_method(const Diffing *d, int end, const MethodType *method)
{
    return table_get(&d->methods[end], bytes_of(method->path));
}

static bool pair(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    table_put(&d->methods[OLD], bytes_of(old->path), (void *)new_method);
    table_put(&d->methods[NEW], bytes_of(new_method->path), (void *)old);
    table_put(&d->spoken, bytes_of(old->input->full_name), (void *)old->input);
    table_put(&d->spoken, bytes_of(old->output->full_name), (void *)old->output);
    diff_changed(d, OLD, old->input->full_name);
    diff_changed(d, OLD, old->output->full_name);
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

static bool marry_types(Diffing *d, const MethodType *a, const MethodType *b)
{
    bool more = diff_marry_messages(d, a->input, b->input);
    more |= diff_marry_messages(d, a->output, b->output);
    return more;
}

/* ---- Names ----------------------------------------------------------------------------------- */

typedef bool (*Eager)(Diffing *d, const MethodType *old);

/* For each method of the old version that has no counterpart yet. */
static bool for_each_free(Diffing *d, Eager eager)
{
    const Schema *schema = d->sides[OLD].schema;
    bool more = false;
    for (uint32_t i = 0; i < schema->n_services; i++) {
        const ServiceType *service = &schema->services[i];
        for (uint32_t k = 0; is_own(d, OLD, service) && k < service->n_methods; k++)
            if (!other_method(d, OLD, &service->methods[k]))
                more |= eager(d, &service->methods[k]);
    }
    return more;
}

static const MethodType *method_named(const ServiceType *service, const char *name)
{
    for (uint32_t i = 0; i < service->n_methods; i++)
        if (strcmp(service->methods[i].name, name) == 0)
            return &service->methods[i];
    return NULL;
}

static const ServiceType *same_service(const Diffing *d, const ServiceType *old)
{
    const ChangeSide *side = &d->sides[NEW];
    const char *name = side_name(&d->sides[OLD], old->full_name);
    for (uint32_t i = 0; i < side->schema->n_services; i++) {
        const ServiceType *service = &side->schema->services[i];
        if (is_own(d, NEW, service) && strcmp(side_name(side, service->full_name), name) == 0)
            return service;
    }
    return NULL;
}

/* The same service and name: the types are each other's, whatever is in them. */
static bool pair_same(Diffing *d, const MethodType *old)
{
    const ServiceType *service = same_service(d, old->service);
    const MethodType *same = service ? method_named(service, old->name) : NULL;
    if (!same)
        return false;
    if (same_streams(old, same))
        marry_types(d, old, same);
    return pair(d, old, same);
}

static uint32_t shared_names(const ServiceType *a, const ServiceType *b)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->n_methods; i++)
        n += method_named(b, a->methods[i].name) != NULL;
    return n;
}

/* The same name in another service: in that one which has most of the others, too. */
static bool pair_moved(Diffing *d, const MethodType *old)
{
    const Schema *schema = d->sides[NEW].schema;
    const MethodType *best = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; i < schema->n_services; i++) {
        const ServiceType *service = &schema->services[i];
        const MethodType *method =
            is_own(d, NEW, service) ? method_named(service, old->name) : NULL;
        uint32_t shared = method ? shared_names(old->service, service) : 0;
        if (shared <= most || other_method(d, NEW, method) || !types_fit(d, old, method, 40))
            continue;
        most = shared;
        best = method;
    }
    if (!best)
        return false;
    marry_types(d, old, best);
    return pair(d, old, best);
}

/* The verbs of every resource: another of them is another method. */
static bool is_standard(const char *word)
{
    static const char *const verbs[] = {"get",    "list",  "create", "creat",
                                        "update", "updat", "delete", "delet"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(word, verbs[i]) == 0)
            return true;
    return false;
}

/* What a standard method is about: "audience list" of ListAudienceLists. */
static Words noun_of(const Words *name)
{
    Words noun = {0};
    for (uint32_t i = 1; i < name->n; i++)
        noun.word[noun.n++] = name->word[i];
    return noun;
}

/* Did the resource that both are about get the other's name? */
static bool is_renamed_resource(Diffing *d, const Words *old, const Words *new_name)
{
    Words was = noun_of(old), is = noun_of(new_name);
    const Schema *schema = d->sides[OLD].schema;
    for (uint32_t i = 0; was.n && i < schema->n_messages; i++) {
        const MessageType *type = &schema->messages[i], *partner = diff_partner(d, OLD, type);
        if (!partner || !diff_in_package(&d->sides[OLD], type->full_name))
            continue;
        Words a = *diff_words_of_type(d, type->name), b = *diff_words_of_type(d, partner->name);
        if (words_alike(&a, &was) == 100 && words_alike(&b, &is) == 100)
            return true;
    }
    return false;
}

static const MethodType *free_method(Diffing *d, int end, const ServiceType *service,
                                     const char *verb, const Words *noun)
{
    for (uint32_t i = 0; i < service->n_methods; i++) {
        const MethodType *method = &service->methods[i];
        Words words = *diff_words_of_type(d, method->name);
        Words rest = noun_of(&words);
        if (!other_method(d, end, method) && words.n && strcmp(words.word[0], verb) == 0 &&
            words_alike(&rest, noun) == 100)
            return method;
    }
    return NULL;
}

/* Did a resource get another name? Its standard methods are gone, those of the other are new, and
   what Get answers has mostly the same fields: more of them where it has few. */
static bool is_replaced_resource(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    enum { MOST_OF_IT = 70, MOST_OF_MUCH = 55, MUCH = 8, LEAST_METHODS = 2 };
    static const char *const verbs[] = {"get", "list", "creat", "updat", "delet"};
    Words a = *diff_words_of_type(d, old->name), b = *diff_words_of_type(d, new_method->name);
    Words was = noun_of(&a), is = noun_of(&b);
    int n = 0, content = 0;
    uint32_t n_fields = 0;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const MethodType *x = free_method(d, OLD, old->service, verbs[i], &was);
        const MethodType *y = free_method(d, NEW, new_method->service, verbs[i], &is);
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

static bool may_be_partners(const Diffing *d, const MessageType *old, const MessageType *new_type)
{
    const MessageType *partner = diff_partner(d, OLD, old);
    return partner ? partner == new_type : !diff_partner(d, NEW, new_type);
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
static int method_likeness(Diffing *d, const MethodType *old, const MethodType *new_method)
{
    Words a = *diff_words_of_type(d, old->name), b = *diff_words_of_type(d, new_method->name);
    if (!a.n || !b.n)
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
    return (renamed || is_longer(&a, &b)) && are_named_for_methods(d, old, new_method)
               ? score - 10 + diff_shared_fields(d, old->input, new_method->input) / 10
               : 0;
}

/* The one that is most like it, if no other is as much; NULL when there is none. */
static const MethodType *most_alike(Diffing *d, int end, const MethodType *method)
{
    const Schema *schema = d->sides[!end].schema;
    const MethodType *best = NULL;
    int most = 0, second = 0;
    for (uint32_t i = 0; i < schema->n_services; i++) {
        const ServiceType *service = &schema->services[i];
        for (uint32_t k = 0; is_own(d, !end, service) && k < service->n_methods; k++) {
            const MethodType *other = &service->methods[k];
            if (other_method(d, !end, other))
                continue;
            const MethodType *a = end == OLD ? method : other, *b = end == OLD ? other : method;
            int score = method_likeness(d, a, b);
            second = score > most ? most : score > second ? score : second;
            best = score > most ? other : best;
            most = score > most ? score : most;
        }
    }
    return most > second ? best : NULL;
}

static bool pair_renamed(Diffing *d, const MethodType *old)
{
    const MethodType *alike = most_alike(d, OLD, old);
    if (!alike || most_alike(d, NEW, alike) != old)
        return false;
    marry_types(d, old, alike);
    return pair(d, old, alike);
}

/* The only method of a service that has no counterpart; NULL where there is none, or several. */
static const MethodType *only_left(const Diffing *d, int end, const ServiceType *service)
{
    const MethodType *left = NULL;
    for (uint32_t i = 0; i < service->n_methods; i++) {
        if (other_method(d, end, &service->methods[i]))
            continue;
        if (left)
            return NULL;
        left = &service->methods[i];
    }
    return left;
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
    const ServiceType *service = same_service(d, old->service);
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

static bool same_http(const HttpRule *a, const HttpRule *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a->verb, b->verb) == 0 && strcmp(a->path, b->path) == 0 &&
           strcmp(a->body, b->body) == 0;
}

static const char *method_name(const Diffing *d, int end, const MethodType *method)
{
    return arena_printf(d->arena, "%s.%s", side_name(&d->sides[end], method->service->full_name),
                        method->name);
}

/* Are they counterparts, or can they become what the method alone says? */
static bool can_go_together(const Diffing *d, const MessageType *old, const MessageType *new_type)
{
    return diff_partner(d, OLD, old) == new_type ||
           (old->well_known == WELL_KNOWN_NONE && new_type->well_known == WELL_KNOWN_NONE);
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

void diff_method_types(Diffing *d)
{
    const Schema *schema = d->sides[OLD].schema;
    for (uint32_t i = 0; i < schema->n_services; i++) {
        const ServiceType *service = &schema->services[i];
        for (uint32_t k = 0; is_own(d, OLD, service) && k < service->n_methods; k++) {
            const MethodType *old = &service->methods[k], *other = other_method(d, OLD, old);
            if (!other || !methods_go_together(d, old, other))
                continue;
            add_extra(d, old->input, other->input);
            add_extra(d, old->output, other->output);
        }
    }
}

static void tell_method(Diffing *d, const MethodType *old)
{
    const MethodType *other = other_method(d, OLD, old);
    const char *name = method_name(d, OLD, old), *version = d->sides[NEW].version;
    const char *to = other ? method_name(d, NEW, other) : NULL;
    bool same = to && strcmp(name, to) == 0;
    if (!other || (!same && !methods_go_together(d, old, other))) {
        diff_add(d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, false, name, "method removed");
        buffer_printf(&d->method_lines, "  %s: {removed: \"%s has no such method\"}\n", name,
                      version);
    } else if (same && !types_go_together(d, old, other)) {
        diff_add(d, BREAKS_WIRE | BREAKS_JSON | BREAKS_SOURCE, false, name,
                 "other types: %s to %s, now %s to %s", old->input->name, old->output->name,
                 other->input->name, other->output->name);
        if (methods_go_together(d, old, other))
            return; /* "Order to Line" says what becomes of them */
        buffer_printf(&d->method_lines, "  %s: {removed: \"its types are others in %s\"}\n", name,
                      version);
    } else if (same) {
        if (!same_http(old->http, other->http))
            diff_add(d, BREAKS_JSON, false, name, "its HTTP binding changed");
    } else {
        bool moved = strcmp(old->name, other->name) == 0;
        Words was = *diff_words_of_type(d, old->name), is = *diff_words_of_type(d, other->name);
        bool alike = words_alike(&was, &is) >= ALIKE &&
                     (moved || diff_shared_fields(d, old->input, other->input) ||
                      diff_shared_fields(d, old->output, other->output));
        diff_add(d, BREAKS_WIRE | BREAKS_SOURCE, true, name, "%s to %s",
                 moved ? "moved" : "renamed", to);
        buffer_printf(&d->method_lines, "  %s: %s%s\n", name, to,
                      diff_guess(d, alike ? DIFF_SURE : DIFF_LIKELY,
                                 moved                             ? "by its name"
                                 : alike                           ? "by its name and types"
                                 : words_alike(&was, &is) >= ALIKE ? "by its name"
                                                                   : "by its types"));
    }
}

void diff_methods(Diffing *d)
{
    for (int end = 0; end < 2; end++) {
        const ChangeSide *side = &d->sides[end];
        for (uint32_t i = 0; i < side->schema->n_services; i++) {
            const ServiceType *service = &side->schema->services[i];
            for (uint32_t k = 0; is_own(d, end, service) && k < service->n_methods; k++) {
                const MethodType *method = &service->methods[k];
                if (end == OLD)
                    tell_method(d, method);
                else if (!other_method(d, NEW, method))
                    diff_add(d, 0, false, method_name(d, NEW, method), "method added");
            }
        }
    }
}
