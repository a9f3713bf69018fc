/* The config's own schema, a FileDescriptorSet made from config.proto by the build. */
#ifndef GATEWAY_CONFIG_SET_H
#define GATEWAY_CONFIG_SET_H

#include "base/bytes.h"

extern const Bytes config_set;

#endif
