#include "loadtest/plans/peers.h"

#include "order_v1.pb-c.h"

#include <stdlib.h>

static size_t round_trip(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, size, data);
    if (!message)
        return 0;
    size_t packed_size = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(packed_size);
    protobuf_c_message_pack(message, packed);
    free(packed);
    protobuf_c_message_free_unpacked(message, NULL);
    return packed_size;
}

size_t protobuf_c_round_trip(int list, const uint8_t *data, size_t size)
{
    return round_trip(list ? &bench__v1__order_list__descriptor : &bench__v1__order__descriptor,
                      data, size);
}
