#include "loadtest/plans/peers.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include "order_v1.pb.h"

using google::protobuf::util::TypeResolver;

static TypeResolver *resolver()
{
    static TypeResolver *one = google::protobuf::util::NewTypeResolverForDescriptorPool(
        "type.googleapis.com", bench::v1::Order::descriptor()->file()->pool());
    return one;
}

static std::string url(const char *type)
{
    return std::string("type.googleapis.com/") + type;
}

size_t libprotobuf_from_json(const char *type, const uint8_t *data, size_t size)
{
    std::string out, in(reinterpret_cast<const char *>(data), size);
    return google::protobuf::util::JsonToBinaryString(resolver(), url(type), in, &out).ok()
               ? out.size()
               : 0;
}

size_t libprotobuf_to_json(const char *type, const uint8_t *data, size_t size)
{
    std::string out, in(reinterpret_cast<const char *>(data), size);
    return google::protobuf::util::BinaryToJsonString(resolver(), url(type), in, &out).ok()
               ? out.size()
               : 0;
}
