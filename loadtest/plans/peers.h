/* What the plans are measured beside. Each takes and gives bytes; the result is thrown away. */
#ifndef LOADTEST_PLANS_PEERS_H
#define LOADTEST_PLANS_PEERS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* libprotobuf's util::JsonToBinaryString and BinaryToJsonString. The size of the result; 0: it
   failed. */
size_t libprotobuf_from_json(const char *type, const uint8_t *data, size_t size);
size_t libprotobuf_to_json(const char *type, const uint8_t *data, size_t size);

/* protobuf-c: unpacks and packs a bench.v1.Order or OrderList. */
size_t protobuf_c_round_trip(int list, const uint8_t *data, size_t size);

#ifdef __cplusplus
}
#endif

#endif
