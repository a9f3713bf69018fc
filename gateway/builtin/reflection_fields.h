/* The fields of grpc.reflection's messages, alike in v1 and v1alpha. For reflection*.c. */
#ifndef GATEWAY_REFLECTION_FIELDS_H
#define GATEWAY_REFLECTION_FIELDS_H

/* ServerReflectionRequest */
enum {
    ASK_HOST = 1,
    ASK_FILE = 3,
    ASK_SYMBOL = 4,
    ASK_EXTENSION = 5,
    ASK_EXTENSION_NUMBERS = 6,
    ASK_SERVICES = 7,
};

/* ServerReflectionResponse. FILES, SERVICES: repeated 1; a service: name 1; ERROR: code 1, message
   2; EXTENSION_NUMBERS: type 1, repeated number 2. */
enum {
    SAY_HOST = 1,
    SAY_REQUEST = 2,
    SAY_FILES = 4,
    SAY_EXTENSION_NUMBERS = 5,
    SAY_SERVICES = 6,
    SAY_ERROR = 7,
};

#endif
