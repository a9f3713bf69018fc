/* How often the gateway may work around what is broken. */
#include "gateway/settings/settings.h"

#include "base/clock.h"

#define MINUTE (60 * SECOND)

/* Generous: one that is exceeded is worth a look. Those that stop take capacity away or add load,
   and nothing else bounds them. */
static const HealingLimit defaults[HEALING_ACTS] = {
    [HEALING_EJECT] = {10 * MINUTE, 5, 100, true},
    [HEALING_CHECK] = {10 * MINUTE, 5, 300, false},
    [HEALING_BREAKER] = {10 * MINUTE, 5, 100, false},
    [HEALING_RECONNECT] = {10 * MINUTE, 5, 300, false},
    [HEALING_RESTART] = {10 * MINUTE, 5, 0, false},
    [HEALING_RETRY] = {MINUTE, 100, 10, false},
    [HEALING_HEDGE] = {MINUTE, 100, 20, true},
    [HEALING_SHED] = {MINUTE, 100, 1, false},
    [HEALING_OLDER] = {MINUTE, 100, 10, false},
    [HEALING_CELL] = {MINUTE, 100, 10, false},
    [HEALING_SCHEMA] = {10 * MINUTE, 5, 0, false},
    [HEALING_DISCOVERY] = {10 * MINUTE, 5, 0, false},
    [HEALING_ALL_USED] = {10 * MINUTE, 5, 0, false},
};

static bool may_stop(HealingAct act)
{
    return act == HEALING_EJECT || act == HEALING_CHECK || act == HEALING_RETRY ||
           act == HEALING_HEDGE;
}

static void read_rate(ConfigReader *reader, HealingAct act, const char *name,
                      const Passerelle__Config__HealingRate *text)
{
    HealingLimit *limit = &reader->config->healing[act];
    *limit = defaults[act];
    if (!text)
        return;
    if (text->has_per)
        limit->per = text->per;
    if (text->has_at_most)
        limit->at_most = text->at_most;
    if (text->has_percent)
        limit->percent = text->percent;
    if (text->has_stop)
        limit->stop = text->stop;
    if (limit->stop && !may_stop(act))
        config_tell(reader, config_path(reader, "healing.%s.stop", name), "leave it out",
                    "this act cannot be stopped: without it, more would fail");
}

void config_read_healing(ConfigReader *reader)
{
    static const Passerelle__Config__Healing none = PASSERELLE__CONFIG__HEALING__INIT;
    const Passerelle__Config__Healing *said = reader->file.content->healing;
    const Passerelle__Config__Healing *text = said ? said : &none;
    read_rate(reader, HEALING_EJECT, "eject", text->eject);
    read_rate(reader, HEALING_CHECK, "check", text->check);
    read_rate(reader, HEALING_BREAKER, "breaker", text->breaker);
    read_rate(reader, HEALING_RECONNECT, "reconnect", text->reconnect);
    read_rate(reader, HEALING_RESTART, "restart", text->restart);
    read_rate(reader, HEALING_RETRY, "retry", text->retry);
    read_rate(reader, HEALING_HEDGE, "hedge", text->hedge);
    read_rate(reader, HEALING_SHED, "shed", text->shed);
    read_rate(reader, HEALING_OLDER, "older", text->older);
    read_rate(reader, HEALING_CELL, "cell", text->cell);
    read_rate(reader, HEALING_SCHEMA, "schema", text->schema);
    read_rate(reader, HEALING_DISCOVERY, "discovery", text->discovery);
    read_rate(reader, HEALING_ALL_USED, "all_used", text->all_used);
}
