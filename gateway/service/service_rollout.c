/* Rollouts: what they roll out, to whom first, and how they are judged. */
#include "gateway/service/service_internal.h"

#include "base/arena.h"

enum { TEXTS_OF_TIERS = 5 };

typedef Passerelle__Config__Rollout RolloutText;

/* ---- What is rolled out ---------------------------------------------------------------------- */

/* Lists in a network are not read yet. */
static bool has_build(const Service *service, const char *build)
{
    for (uint32_t i = 0; i < service->n_instances; i++)
        if (strcmp(service->instances[i].build, build) == 0)
            return true;
    return service_is_listed_afar(service);
}

static const char *hint_of_build(ConfigReader *reader, const Service *service, const char *build)
{
    const char **builds = arena_array(reader->arena, const char *, service->n_instances);
    size_t n = 0;
    for (uint32_t i = 0; i < service->n_instances; i++)
        if (service->instances[i].build[0])
            builds[n++] = service->instances[i].build;
    return config_hint(reader, build, builds, n);
}

static void read_build(ConfigReader *reader, const char *build, const char *path,
                       RolloutDefinition *rollout)
{
    rollout->build = build;
    path = config_path(reader, "%s.candidate.build", path);
    if (!build[0])
        config_tell(reader, path, NULL, "a build has a name");
    else if (!has_build(rollout->service, build))
        config_doubt(reader, path, hint_of_build(reader, rollout->service, build),
                     "no instance of %s has the build %s", rollout->service->name, build);
}

static bool is_spoken(const Service *service, const Version *version)
{
    for (uint32_t i = 0; i < service->n_instances; i++)
        if (service->instances[i].versions >> version->index & 1)
            return true;
    return service_is_listed_afar(service);
}

static void read_version(ConfigReader *reader, const char *name, const char *path,
                         RolloutDefinition *rollout)
{
    const Service *service = rollout->service;
    path = config_path(reader, "%s.candidate.version", path);
    rollout->version = config_find_version(reader, service, name, path);
    if (!rollout->version)
        return;
    if (service->n_versions < 2)
        config_tell(reader, path, NULL, "%s has no other version that serves meanwhile",
                    service->name);
    else if (!is_spoken(service, rollout->version))
        config_doubt(reader, path, NULL, "no instance of %s speaks %s", service->name, name);
}

static void read_candidate(ConfigReader *reader, const Passerelle__Config__Candidate *text,
                           const char *path, RolloutDefinition *rollout)
{
    if (!text)
        return;
    if (!text->build == !text->version) {
        config_tell(reader, config_path(reader, "%s.candidate", path),
                    "build: 3.1.0, or version: v3",
                    "exactly one of build and version is rolled out");
        return;
    }
    if (text->build)
        read_build(reader, text->build, path, rollout);
    else
        read_version(reader, text->version, path, rollout);
    rollout->candidate = arena_printf(reader->arena, "%s %s", text->build ? "build" : "version",
                                      text->build ? text->build : text->version);
    rollout->name =
        arena_printf(reader->arena, "%s %s", rollout->service->name, rollout->candidate);
    rollout->id = bytes_hash(bytes_of(rollout->name)) | 1;
    rollout->told = bytes_of(
        arena_printf(reader->arena, ROLLOUT_MEMBER "=%016llx", (unsigned long long)rollout->id));
}

/* ---- Whom it reaches ------------------------------------------------------------------------- */

static void read_pilots(ConfigReader *reader, const RolloutText *text, const char *path,
                        RolloutDefinition *rollout)
{
    rollout->pilots = (const char *const *)text->pilot;
    rollout->n_pilots = (uint32_t)text->n_pilot;
    if (text->n_pilot > ROLLOUT_PILOTS_MOST)
        config_tell(reader, config_path(reader, "%s.pilot", path), NULL,
                    "there can be %d of them, with a star for several clients",
                    ROLLOUT_PILOTS_MOST);
    for (uint32_t i = 0; i < rollout->n_pilots; i++) {
        const char *pilot = rollout->pilots[i], *star = strchr(pilot, '*');
        const char *where = config_path(reader, "%s.pilot[%u]", path, i);
        if (strcmp(pilot, "*") == 0)
            config_tell(reader, where, NULL, "all clients cannot be pilots, who are not judged");
        else if (!pilot[0] || (star && star[1]))
            config_tell(reader, where, "test-*",
                        "a pilot is a client's name, which may have a star at its end");
    }
}

static bool read_tier(const char *text, RolloutTier *tier)
{
    uint64_t clients;
    *tier = (RolloutTier){.text = text, .kind = ROLLOUT_TIER_ALL};
    if (strcmp(text, "all") == 0)
        return true;
    double percent = config_percent(text);
    if (percent > 0 && percent < 100) {
        tier->share = percent / 100;
        tier->kind = ROLLOUT_TIER_SHARE;
        return true;
    }
    tier->kind = ROLLOUT_TIER_CLIENTS;
    if (!bytes_to_u64(bytes_of(text), &clients) || !clients || clients > ROLLOUT_CLIENTS_MOST)
        return false;
    tier->clients = (uint32_t)clients;
    return true;
}

static bool is_larger(const RolloutTier *tier, const RolloutTier *before)
{
    if (tier->kind != before->kind)
        return tier->kind > before->kind;
    return tier->kind == ROLLOUT_TIER_CLIENTS ? tier->clients > before->clients
                                              : tier->share > before->share;
}

static void read_tiers(ConfigReader *reader, const RolloutText *text, const char *path,
                       RolloutDefinition *rollout)
{
    static const char *const usual[TEXTS_OF_TIERS] = {"1", "10", "100", "1000", "all"};
    const char *const *texts = text->n_tiers ? (const char *const *)text->tiers : usual;
    uint32_t n = text->n_tiers ? (uint32_t)text->n_tiers : TEXTS_OF_TIERS;
    path = config_path(reader, "%s.tiers", path);
    if (n > ROLLOUT_TIERS_MOST) {
        config_tell(reader, path, NULL, "there can be %d tiers", ROLLOUT_TIERS_MOST);
        return;
    }
    RolloutTier *tiers = arena_array(reader->arena, RolloutTier, n);
    for (uint32_t i = 0; i < n; i++) {
        if (!read_tier(texts[i], &tiers[i])) {
            config_tell(reader, config_path(reader, "%s[%u]", path, i), "\"5 %\"",
                        "%s is no tier: a number of clients from 1 to %d, a share of them, or all",
                        texts[i], ROLLOUT_CLIENTS_MOST);
            return;
        }
        if (i && !is_larger(&tiers[i], &tiers[i - 1]))
            config_tell(reader, config_path(reader, "%s[%u]", path, i), NULL,
                        "%s is not larger than the tier before it, %s", texts[i], texts[i - 1]);
    }
    if (tiers[n - 1].kind != ROLLOUT_TIER_ALL)
        config_tell(reader, path, "[1, 10, 100, 1000, all]", "the last tier is all");
    rollout->tiers = tiers;
    rollout->n_tiers = n;
}

/* ---- How it is judged ------------------------------------------------------------------------ */

static void read_posted(ConfigReader *reader, const Passerelle__Config__Judging *text,
                        const char *path, RolloutDefinition *rollout)
{
    RolloutJudging *judging = &rollout->judging;
    path = config_path(reader, "%s.posted", path);
    if (text->n_posted > ROLLOUT_POSTED_MOST) {
        config_tell(reader, path, NULL, "there can be %d of them", ROLLOUT_POSTED_MOST);
        return;
    }
    judging->posted = (const char *const *)text->posted;
    for (uint32_t i = 0; i < text->n_posted; i++) {
        const char *name = judging->posted[i], *where = config_path(reader, "%s[%u]", path, i);
        if (!config_is_word(name, "_-"))
            config_tell(reader, where, NULL, "a name has letters, digits, _ and -");
        for (int k = 0; k < ROLLOUT_POSTED + (int)i; k++)
            if (strcmp(name, rollout_metric_name(rollout, (RolloutMetric)k)) == 0)
                config_tell(reader, where, NULL, "there is another metric with the name %s", name);
        judging->n_posted++;
        judging->metrics |= 1u << (ROLLOUT_POSTED + i);
    }
}

static void read_judging(ConfigReader *reader, const Passerelle__Config__Judging *said,
                         const char *path, RolloutDefinition *rollout)
{
    static const Passerelle__Config__Judging defaults = PASSERELLE__CONFIG__JUDGING__INIT;
    const Passerelle__Config__Judging *text = said ? said : &defaults;
    RolloutJudging *judging = &rollout->judging;
    *judging = (RolloutJudging){
        .alpha = text->alpha, .least = text->least, .every = text->every, .slow = text->slow / 100};
    path = config_path(reader, "%s.judge", path);
    if (!(text->alpha > 0) || text->alpha > 0.5)
        config_tell(reader, config_path(reader, "%s.alpha", path), "0.05",
                    "a probability above 0 and up to 0.5 is expected");
    if (!(text->slow >= 50) || text->slow >= 100)
        config_tell(reader, config_path(reader, "%s.slow", path), "99",
                    "a percentage from 50 to below 100 is expected");
    for (size_t i = 0; i < text->n_metrics; i++)
        judging->metrics |= 1u << text->metrics[i];
    if (!text->n_metrics)
        judging->metrics = (1u << ROLLOUT_POSTED) - 1;
    read_posted(reader, text, path, rollout);
}

/* ---- Which clients there are ----------------------------------------------------------------- */

static bool has_claim(const IdentityConfig *identity, const char *claim)
{
    if (strcmp(claim, "tenant") == 0)
        return identity->tenant_header;
    if (strcmp(claim, "class") == 0)
        return identity->class_header;
    for (uint32_t i = 0; i < identity->n_claims; i++)
        if (strcmp(identity->claims[i].name, claim) == 0)
            return true;
    return false;
}

/* `path` is that of the text. */
static void read_cohort(ConfigReader *reader, const Passerelle__Config__Cohort *text,
                        const char *path, bool of_rollout, CohortSource *source)
{
    if (!text)
        return;
    if (!!text->header + !!text->claim + !!text->field != 1) {
        config_tell(reader, path, "header: x-account, or claim: account",
                    "exactly one of header, claim and field tells clients apart");
        return;
    }
    *source = (CohortSource){.claim = text->claim, .field = text->field};
    if (text->header)
        source->header =
            config_field_name(reader, text->header, config_path(reader, "%s.header", path));
    if (text->claim && !has_claim(&reader->config->identity, text->claim))
        config_tell(reader, config_path(reader, "%s.claim", path), NULL,
                    "identity has neither %s_header nor a claim %s in claim_headers", text->claim,
                    text->claim);
    if (text->field && !of_rollout)
        config_tell(reader, config_path(reader, "%s.field", path), NULL,
                    "requests of other services have other fields: it belongs into a rollout");
}

/* ---- All of it ------------------------------------------------------------------------------- */

static Impact highest_impact(const Config *config, const Service *service)
{
    Impact highest = IMPACT_LOW;
    bool any = false;
    for (uint32_t i = 0; i < config->n_routes; i++) {
        const Route *route = &config->routes[i];
        if (route->service != service)
            continue;
        highest = any && highest > route->impact ? highest : route->impact;
        any = true;
    }
    return highest;
}

static void add_rollout(ConfigReader *reader, const RolloutText *text, const char *path,
                        RolloutDefinition *rollout)
{
    Config *config = reader->config;
    Service *service = &config->services[rollout->service->index];
    if (service->rollout) {
        config_tell(reader, config_path(reader, "%s.service", path), NULL,
                    "%s has another rollout, of %s: a service can have one at a time",
                    service->name, service->rollout->candidate);
        return;
    }
    read_pilots(reader, text, path, rollout);
    read_tiers(reader, text, path, rollout);
    read_judging(reader, text->judge, path, rollout);
    if (text->cohort)
        read_cohort(reader, text->cohort, config_path(reader, "%s.cohort", path), true,
                    &rollout->cohort);
    rollout->on_bad = text->on_bad == PASSERELLE__CONFIG__ON_BAD__ON_BAD_PAUSE ? ROLLOUT_PAUSE
                                                                               : ROLLOUT_ROLL_BACK;
    rollout->on_good =
        text->on_good == PASSERELLE__CONFIG__ON_GOOD__ON_GOOD_WAIT ? ROLLOUT_WAIT : ROLLOUT_ADVANCE;
    rollout->impact = highest_impact(config, service);
    rollout->index = config->n_rollouts++;
    service->rollout = rollout;
}

void config_read_rollouts(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    RolloutDefinition *rollouts = arena_array(reader->arena, RolloutDefinition, text->n_rollouts);
    CohortSource source = {0};
    read_cohort(reader, text->cohort, "cohort", false, &source);
    reader->config->rollouts = rollouts;
    for (size_t i = 0; i < text->n_rollouts; i++) {
        const char *path = config_path(reader, "rollouts[%zu]", i);
        RolloutDefinition *rollout = &rollouts[reader->config->n_rollouts];
        *rollout = (RolloutDefinition){.cohort = source};
        if (!text->rollouts[i]->service)
            continue;
        rollout->service = config_find_service(reader, text->rollouts[i]->service,
                                               config_path(reader, "%s.service", path));
        if (!rollout->service)
            continue;
        read_candidate(reader, text->rollouts[i]->candidate, path, rollout);
        if (rollout->name)
            add_rollout(reader, text->rollouts[i], path, rollout);
    }
}

/* Of all methods of its service. */
static Result make_cohort_keys(ConfigReader *reader, const RolloutDefinition *rollout,
                               const char *path)
{
    const Service *service = rollout->service;
    const Method *first = NULL;
    bool any = false;
    for (uint32_t i = 0; i < service->n_versions; i++) {
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            Method *method = &service->versions[i].methods[k];
            MethodExtras *extras = method_extras(reader->arena, method);
            Result r = service_make_key(reader, method, rollout->cohort.field, &extras->cohort_key,
                                        &extras->to_cohort_key);
            if (failed(r))
                return r;
            first = first ? first : method;
            any |= extras->cohort_key != NULL;
        }
    }
    if (first && !any)
        service_tell_no_key(reader, config_path(reader, "%s.cohort.field", path), service->name,
                            rollout->cohort.field, first);
    return OK;
}

Result service_make_cohort_keys(ConfigReader *reader)
{
    const Config *config = reader->config;
    Result r = OK;
    for (uint32_t i = 0; !failed(r) && i < config->n_rollouts; i++)
        if (config->rollouts[i].cohort.field)
            r = make_cohort_keys(reader, &config->rollouts[i],
                                 config_path(reader, "rollouts[%u]", i));
    return r;
}
