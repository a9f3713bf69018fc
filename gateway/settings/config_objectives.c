/* How many of the calls must not fail. */
#include "gateway/settings/settings.h"

/* By impact: one in a hundred, in a thousand, in ten thousand may fail. */
static const double defaults[IMPACTS] = {
    [IMPACT_LOW] = 99, [IMPACT_HIGH] = 99.9, [IMPACT_CATASTROPHIC] = 99.99};

static void read_one(ConfigReader *reader, const char *text, const char *path, Impact impact,
                     double *objective)
{
    if (!text)
        return;
    double percent = config_percent(text);
    if (percent > 0 && percent < 100)
        *objective = percent;
    else
        config_tell(reader, config_path(reader, "%s.%s", path, impact_name(impact)), "99.9 %",
                    "%s is not a share of the calls above 0 %% and below 100 %%", text);
}

void config_read_objectives(ConfigReader *reader, const Passerelle__Config__Objectives *text,
                            const char *path, double objectives[IMPACTS])
{
    if (!text)
        return;
    read_one(reader, text->low, path, IMPACT_LOW, &objectives[IMPACT_LOW]);
    read_one(reader, text->high, path, IMPACT_HIGH, &objectives[IMPACT_HIGH]);
    read_one(reader, text->catastrophic, path, IMPACT_CATASTROPHIC,
             &objectives[IMPACT_CATASTROPHIC]);
}

void config_read_all_objectives(ConfigReader *reader)
{
    double *objectives = reader->config->objectives;
    memcpy(objectives, defaults, sizeof defaults);
    config_read_objectives(reader, reader->file.content->objectives, "objectives", objectives);
}
