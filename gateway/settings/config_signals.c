/* Weak signals, and what customers say. */
#include "gateway/settings/settings.h"

void config_read_signals(ConfigReader *reader)
{
    static const Passerelle__Config__Signals defaults = PASSERELLE__CONFIG__SIGNALS__INIT;
    const Passerelle__Config__Signals *said = reader->file.content->signals;
    const Passerelle__Config__Signals *text = said ? said : &defaults;
    reader->config->signals = (SignalsConfig){.on = text->on,
                                              .warm_up = text->warm_up,
                                              .forgotten = text->forgotten,
                                              .failures = text->failures,
                                              .clients = text->clients,
                                              .calls = text->calls,
                                              .every = text->every,
                                              .keep = text->keep,
                                              .per_hour = text->per_hour};
}

void config_read_feedback(ConfigReader *reader)
{
    static const Passerelle__Config__Feedback defaults = PASSERELLE__CONFIG__FEEDBACK__INIT;
    const Passerelle__Config__Feedback *said = reader->file.content->feedback;
    const Passerelle__Config__Feedback *text = said ? said : &defaults;
    reader->config->feedback = (FeedbackConfig){
        .keep = text->keep, .size = text->size, .entries = text->entries, .window = text->window};
    if (said && !reader->config->store.sqlite && !reader->config->store.postgresql)
        config_tell(reader, "feedback", "store: {}", "what customers say is kept in a store");
}
