/* AccessWords: who may call, in the words of the config: for `check` and `explain`. */
#ifndef GATEWAY_ACCESS_WORDS_H
#define GATEWAY_ACCESS_WORDS_H

#include "gateway/config/config.h"

/* "required"; not of UNSAID. */
const char *access_mode_name(Authenticate mode);

/* The method's name, or its kind: "jwt". */
const char *access_method_name(const CredentialConfig *method);

/* What the rule demands: members of a JSON object. */
void access_words_add_rule(const AllowRule *rule, Buffer *out);

#endif
