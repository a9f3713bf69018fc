/* Descriptor sets that the build makes and puts into the program. */
#ifndef GATEWAY_CONFIG_SET_H
#define GATEWAY_CONFIG_SET_H

#include "base/bytes.h"

extern const Bytes config_set; /* config.proto: what a config's text is read against */
extern const Bytes own_set;    /* the services that the gateway itself gives: gRPC's health and reflection */

#endif
