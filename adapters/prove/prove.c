#include "adapters/prove/prove.h"

#include "adapters/changes/change_list.h"
#include "adapters/compile/plan_compile.h"
#include "adapters/mapping/loss.h"
#include "adapters/prove/oracle.h"
#include "adapters/prove/there_and_back.h"
#include "adapters/prove/tree_random.h"
#include "adapters/prove/tree_scatter.h"
#include "adapters/run/plan_run.h"

enum { SHRINK_TRIES = 3000, PROGRESS_EVERY = 1000 };

/* One type in one direction, or the request or response of one method that has a counterpart of its
   own. */
typedef struct Case {
    const Mapping *mapping;
    OracleRole role;
    LossCounts counts;     /* from the loss report */
    const Plan *wire;      /* protobuf to protobuf */
    const Plan *to_json;   /* protobuf to JSON of the target type */
    const Plan *from_json; /* that JSON to protobuf */
} Case;

/* All types in one direction. */
typedef struct Direction {
    const MappingSet *set;
    const char *name; /* "v1 to v3" */
    TreeHints hints;
    Declared declared; /* for this direction and back */
    Case *cases;
    uint32_t n_cases;
} Direction;

typedef struct Proof {
    OracleChain chain;
    Direction directions[2]; /* downwards, upwards */
    bool upwards;
    const ProveOptions *options;
    ProveOutcome *outcome;
    const Case *now;
    bool json;     /* convert this message by way of JSON */
    uint64_t form; /* seed for tree_scatter; 0: not scattered */
} Proof;

/* The result for a message: a tree, or the text of an error. */
typedef struct Verdict {
    Tree *tree;
    const char *error;
    bool by_list; /* the error is one of the change list */
} Verdict;

static Verdict refused(Arena *arena, Result r)
{
    bool by_list =
        r.error->fault == &FAULT_CANNOT_CONVERT || r.error->fault == &FAULT_FIELD_REQUIRED;
    return (Verdict){NULL, error_text(arena, r), by_list};
}

static Verdict verdict_of(Arena *arena, const MessageType *type, Bytes wire)
{
    Verdict v = {0};
    Result r = tree_parse(arena, type, wire, &v.tree);
    if (failed(r))
        return refused(arena, r);
    tree_forget_raw(v.tree); /* it is written again as an input, in one form */
    return v;
}

static Result run(Arena *arena, const Plan *plan, Bytes from, Bytes *to_out)
{
    Buffer out = buffer_in(arena);
    PlanInput input = {.bytes = from};
    PlanRun report = {0};
    Result r = plan_run(plan, &input, arena, &out, &report);
    *to_out = buffer_bytes(&out);
    return r;
}

static void write_form(const Tree *tree, uint64_t form, Buffer *wire)
{
    Random random;
    random_seed_fixed(&random, form);
    if (form)
        tree_scatter(tree, &random, wire);
    else
        tree_write(tree, wire);
}

static Verdict by_plan(const Proof *p, Arena *arena, const Tree *tree)
{
    Buffer wire = buffer_in(arena);
    Bytes out, json;
    write_form(tree, p->form, &wire);
    Result r = run(arena, p->now->wire, buffer_bytes(&wire), &out);
    if (!failed(r) && p->json) {
        r = run(arena, p->now->to_json, buffer_bytes(&wire), &json);
        if (!failed(r))
            r = run(arena, p->now->from_json, json, &out);
    }
    return failed(r) ? refused(arena, r) : verdict_of(arena, p->now->mapping->to, out);
}

static Verdict by_oracle(const Proof *p, Arena *arena, const Tree *tree)
{
    Verdict v = {0};
    Result r = oracle_convert(arena, &p->chain, p->upwards, p->now->role, tree, &v.tree);
    return failed(r) ? refused(arena, r) : v;
}

static bool agree(const Proof *p, const Verdict *a, const Verdict *b)
{
    return !a->tree == !b->tree && (!a->tree || tree_equal(&p->chain.known, a->tree, b->tree));
}

/* Whether it is an error that the loss report does not have. */
static bool is_untold(const Proof *p, const Verdict *plan)
{
    return plan->by_list && !p->now->counts.n_loud && !p->now->counts.any;
}

static bool disagree(void *owner, const Tree *tree)
{
    const Proof *p = owner;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Verdict plan = by_plan(p, arena, tree), oracle = by_oracle(p, arena, tree);
    bool different = !agree(p, &plan, &oracle) || is_untold(p, &plan);
    arena_free(arena);
    return different;
}

static void tell_verdict(Buffer *out, const char *who, const Verdict *verdict)
{
    buffer_printf(out, "  %s: ", who);
    if (verdict->tree)
        tree_print(verdict->tree, out);
    else
        buffer_add_text(out, verdict->error);
    buffer_add_byte(out, '\n');
}

static void tell(const Proof *p, Arena *arena, Tree *tree)
{
    Buffer *out = &(Buffer){.arena = arena};
    tree_shrink(tree, disagree, (void *)(uintptr_t)p, SHRINK_TRIES);
    Verdict plan = by_plan(p, arena, tree), oracle = by_oracle(p, arena, tree);
    buffer_printf(out, "%s to %s%s\n  message: ", p->now->mapping->from->full_name,
                  p->now->mapping->to->full_name, p->json ? " by way of JSON" : "");
    tree_print(tree, out);
    buffer_add_byte(out, '\n');
    tell_verdict(out, "plan", &plan);
    tell_verdict(out, "oracle", &oracle);
    if (is_untold(p, &plan))
        buffer_add_text(out, "  report: no error\n");
    p->outcome->counter_example = buffer_bytes(out);
    p->outcome->disproved = true;
}

static Verdict hold_against(const Proof *p, Arena *keep, Arena *arena, Tree *tree)
{
    Verdict plan = by_plan(p, arena, tree), oracle = by_oracle(p, arena, tree);
    p->outcome->n_run++;
    if (!agree(p, &plan, &oracle) || is_untold(p, &plan))
        tell(p, keep, tree);
    else if (plan.tree)
        p->outcome->n_converted++;
    else
        p->outcome->n_refused++;
    return plan;
}

/* The way back of a case. */
static const Case *find_back(const Direction *direction, const Case *there)
{
    for (uint32_t i = 0; i < direction->n_cases; i++) {
        const Case *back = &direction->cases[i];
        if (back->mapping->from == there->mapping->to &&
            back->mapping->to == there->mapping->from &&
            !back->role.method == !there->role.method && back->role.output == there->role.output)
            return back;
    }
    return NULL;
}

/* ---- There and back -------------------------------------------------------------------------- */

static const Case *turn_round(Proof *p, const Case *there)
{
    p->upwards = !p->upwards;
    return p->now = find_back(&p->directions[p->upwards], there);
}

static void on_loss(void *owner, const Loss *loss)
{
    note_loss(owner, loss);
}

/* Converts by one plan and records the counted losses. NULL: refused. */
static Tree *follow(Arena *arena, const Case *way, const Tree *tree, Counted *counted)
{
    Buffer wire = buffer_in(arena), out = wire;
    PlanRun report = {.on_loss = on_loss, .owner = counted};
    tree_write(tree, &wire);
    PlanInput input = {.bytes = buffer_bytes(&wire)};
    Result r = plan_run(way->wire, &input, arena, &out, &report);
    Verdict v =
        failed(r) ? refused(arena, r) : verdict_of(arena, way->mapping->to, buffer_bytes(&out));
    return v.tree;
}

/* Whether the message returns different without a declared loss; *what_out is the field. */
static bool loses_in_silence(const Proof *p, Arena *arena, const Tree *tree, Tree **back_out,
                             const char **what_out)
{
    const Case *there = p->now;
    const Case *back = find_back(&p->directions[!p->upwards], there);
    Counted counted = counted_in(arena), again = counted_in(arena);
    Tree *other = back ? follow(arena, there, tree, &counted) : NULL;
    bool respelled;
    if (!other || !(*back_out = follow(arena, back, other, &counted)))
        return false;
    *what_out = find_undeclared(arena, &p->directions[p->upwards].declared, &counted, tree,
                                *back_out, &respelled);
    if (*what_out || !respelled || p->directions[0].hints.serialized)
        return *what_out; /* trees have no unknown fields, but bytes fields may contain some */
    /* If a text returned in another spelling, converting it again must give the same result. */
    Tree *twice = follow(arena, there, *back_out, &again);
    if (twice)
        *what_out = find_undeclared(arena, &p->directions[!p->upwards].declared, &counted, other,
                                    twice, &respelled);
    return *what_out;
}

static bool still_loses(void *owner, const Tree *tree)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const char *what;
    Tree *back;
    bool loses = loses_in_silence(owner, arena, tree, &back, &what);
    arena_free(arena);
    return loses;
}

static void tell_loss(const Proof *p, Arena *arena, Tree *tree)
{
    Buffer *out = &(Buffer){.arena = arena};
    const char *what = "";
    Tree *back = tree;
    tree_shrink(tree, still_loses, (void *)(uintptr_t)p, SHRINK_TRIES);
    loses_in_silence(p, arena, tree, &back, &what);
    buffer_printf(out, "%s to %s and back: %s is lost, and nothing declares it\n  message: ",
                  p->now->mapping->from->full_name, p->now->mapping->to->full_name, what);
    tree_print(tree, out);
    buffer_add_text(out, "\n  comes back: ");
    tree_print(back, out);
    buffer_add_byte(out, '\n');
    p->outcome->counter_example = buffer_bytes(out);
    p->outcome->disproved = true;
}

static void hold_losses(Proof *p, Arena *keep, Arena *arena, Tree *tree)
{
    const char *what;
    Tree *back;
    if (!p->outcome->disproved && loses_in_silence(p, arena, tree, &back, &what))
        tell_loss(p, keep, tree);
}

/* Proves one message: there and back. */
static void prove_one(Proof *p, Arena *keep, Random *random, const Case *first)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Tree *tree = tree_random(arena, random, &p->directions[p->upwards].hints, first->mapping->from);
    p->now = first;
    p->json = p->options->json && random_below(random, 4) == 0;
    p->form =
        random_below(random, 2) && !p->directions[0].hints.serialized ? random_next(random) : 0;
    Verdict there = hold_against(p, keep, arena, tree);
    if (there.tree && !p->outcome->disproved)
        hold_losses(p, keep, arena, tree);
    const Case *back = turn_round(p, first);
    if (there.tree && back && !p->outcome->disproved)
        hold_against(p, keep, arena, there.tree);
    p->upwards = !p->upwards;
    arena_free(arena);
}

/* ---- One direction --------------------------------------------------------------------------- */

/* The common data of the cases of one direction. */
typedef struct CaseMaker {
    Arena *arena;
    const MappingSet *set, *common;
    const MappingSet *identity; /* of the target's schema */
    PlanCache *cache;
    LossCounter *losses;
    Case *cases;
    uint32_t n;
} CaseMaker;

static Result compile(const CaseMaker *m, const Mapping *mapping, Codec from, Codec to,
                      const MappingSet *types, const Plan **plan_out)
{
    PlanOptions options = {.from = from,
                           .to = to,
                           .unknown = UNKNOWN_COUNT,
                           .types = types,
                           .common_types = m->common,
                           .cache = m->cache};
    return plan_compile(m->arena, mapping, &options, plan_out);
}

static Result make_case(CaseMaker *m, const Mapping *mapping, OracleRole role)
{
    Case *made = &m->cases[m->n++];
    const Mapping *same = mapping_set_find(m->identity, mapping->to);
    *made = (Case){.mapping = mapping, .role = role};
    made->counts = loss_count(m->losses, mapping);
    Result r = compile(m, mapping, CODEC_PROTO, CODEC_PROTO, m->set, &made->wire);
    if (!failed(r))
        r = compile(m, mapping, CODEC_PROTO, CODEC_JSON, m->set, &made->to_json);
    if (!failed(r))
        r = compile(m, same, CODEC_JSON, CODEC_PROTO, m->identity, &made->from_json);
    return failed(r) ? FAIL_OVER(m->arena, r, FAULT_BAD_CHANGES, "compiling the plan of %s",
                                 mapping->from->full_name)
                     : OK;
}

static const MethodType *method_by_path(const Schema *schema, Bytes path)
{
    for (uint32_t i = 0; i < schema->n_services; i++) {
        for (uint32_t k = 0; k < schema->services[i].n_methods; k++) {
            if (bytes_are(path, schema->services[i].methods[k].path))
                return &schema->services[i].methods[k];
        }
    }
    return NULL;
}

/* Requests and responses whose counterpart depends on the method. */
static Result make_method_cases(CaseMaker *m)
{
    size_t at = 0;
    Result r = OK;
    for (const TableEntry *entry; (entry = table_next(&m->set->by_method, &at)) && !failed(r);) {
        const MethodMapping *method = entry->value;
        const Mapping *mappings[2] = {method->input, method->output};
        for (int output = 0; output < 2 && !failed(r); output++) {
            const Mapping *mapping = mappings[output];
            OracleRole role = {method_by_path(m->set->from, entry->key), output};
            if (mapping && mapping_set_find(m->set, mapping->from) != mapping)
                r = make_case(m, mapping, role);
        }
    }
    return r;
}

static Result make_cases(CaseMaker *m)
{
    const MappingSet *set = m->set;
    m->cases = arena_array(m->arena, Case, set->n_mappings + 2 * set->by_method.n + 1);
    Result r = mapping_set_identity(m->arena, set->to, &m->identity);
    for (uint32_t i = 0; !failed(r) && i < set->n_mappings; i++) {
        const Mapping *mapping = set->mappings[i];
        bool own =
            mapping->from->schema == set->from && mapping_set_find(set, mapping->from) == mapping;
        if (own && !mapping->from->map_entry)
            r = make_case(m, mapping, (OracleRole){0});
    }
    return failed(r) ? r : make_method_cases(m);
}

static Result prepare(Arena *arena, const Proof *p, bool upwards, Direction *made)
{
    Problems problems = problems_in(arena);
    *made = (Direction){0};
    Result r =
        changes_compose(arena, p->chain.lists, p->chain.n_lists, upwards, &problems, &made->set);
    if (failed(r))
        return r;
    if (!made->set)
        return FAIL(arena, FAULT_BAD_CHANGES, "composing the chain: %s", problems.items[0].reason);
    made->name = arena_printf(arena, "%s to %s", made->set->from_version, made->set->to_version);
    tree_hints(arena, made->set, &made->hints);
    made->hints.known = p->chain.known;
    CaseMaker maker = {.arena = arena,
                       .set = made->set,
                       .common = p->options->common,
                       .cache = plan_cache_new(arena, arena),
                       .losses = loss_counter_new(arena)};
    r = make_cases(&maker);
    made->cases = maker.cases;
    made->n_cases = maker.n;
    return r;
}

static void prove_direction(Proof *p, Arena *arena)
{
    const Direction *direction = &p->directions[p->upwards];
    Random random;
    random_seed_fixed(&random, p->options->seed + p->upwards);
    for (uint64_t i = 0; i < p->options->n_messages && !p->outcome->disproved; i++) {
        if (!direction->n_cases)
            return;
        prove_one(p, arena, &random, &direction->cases[i % direction->n_cases]);
        if (p->options->on_progress && i % PROGRESS_EVERY == 0)
            p->options->on_progress(p->options->owner, direction->name, i, p->options->n_messages);
    }
}

static TreeTypes known_types(Arena *arena, const ChangeList *const *lists, uint32_t n_lists,
                             const ProveOptions *options)
{
    const Schema **schemas = arena_array(arena, const Schema *, 2 * n_lists + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_lists; i++) {
        for (int end = 0; end < 2; end++)
            schemas[n++] = lists[i]->sides[end].schema;
    }
    if (options->common)
        schemas[n++] = options->common->from;
    return (TreeTypes){schemas, n};
}

Result prove_chain(Arena *arena, const ChangeList *const *lists, uint32_t n_lists,
                   const ProveOptions *options, ProveOutcome *outcome_out)
{
    *outcome_out = (ProveOutcome){0};
    Proof proof = {.options = options, .outcome = outcome_out};
    proof.chain = (OracleChain){lists, n_lists, known_types(arena, lists, n_lists, options)};
    for (int upwards = 0; upwards < 2; upwards++) {
        Result r = prepare(arena, &proof, upwards, &proof.directions[upwards]);
        if (failed(r))
            return r;
    }
    for (int upwards = 0; upwards < 2; upwards++) {
        Direction *there = &proof.directions[upwards], *back = &proof.directions[!upwards];
        declared_losses(arena, there->set, back->set, &there->hints, &there->declared);
        there->declared.choices = n_lists == 1;
    }
    for (int upwards = 1; upwards >= 0 && !outcome_out->disproved; upwards--) {
        proof.upwards = upwards;
        prove_direction(&proof, arena);
    }
    return OK;
}
