"""OpenAPI documents: what `passerelle openapi` makes of schemas, bindings, comments and the config."""
import json
import re
import subprocess

import pytest
from backends import v1, v2, v3
from gateway import BINARY, ORDERS, SHOP, SHOP_CONFIG, Gateway, instances
from google.protobuf.descriptor import FieldDescriptor as F

PROTO = """\
syntax = "proto3";
package zoo.v1;
import "google/api/annotations.proto"; import "google/api/field_behavior.proto"; import "google/api/httpbody.proto";
import "google/protobuf/any.proto"; import "google/protobuf/duration.proto"; import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto"; import "google/protobuf/struct.proto"; import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

// Keeps animals.
//
// All of them.
service Zoo {
  // Finds one.
  rpc Get(GetRequest) returns (Animal) { option (google.api.http) = {get: "/v1/{name=cages/*/animals/*}"}; }
  rpc Put(PutRequest) returns (Animal) {
    option deprecated = true;
    option (google.api.http) = {patch: "/v1/{animal.name=animals/*}" body: "animal" response_body: "friends"};
  }
  rpc Move(MoveRequest) returns (google.protobuf.Empty) { option (google.api.http) = {post: "/v1/animals/{id}:move" body: "*"}; }
  rpc Find(FindRequest) returns (stream Animal) { option (google.api.http) = {get: "/v1/animals" additional_bindings {get: "/v1/find/{text=**}"}}; }
  rpc Photo(PhotoRequest) returns (google.api.HttpBody) { option (google.api.http) = {put: "/v1/photos/{id}" body: "photo"}; }
  rpc Other(GetRequest) returns (Animal) { option (google.api.http) = {delete: "/v1/cages/{place}/animals/{animal}"}; }
  rpc Odd(GetRequest) returns (Animal) { option (google.api.http) = {custom {kind: "FEED" path: "/v1/feed"}}; }
  rpc Quiet(GetRequest) returns (Unused);
}
// What it is.
enum Kind {
  UNKNOWN = 0;
  // With wings.
  BIRD = 1;
  FISH = 2 [deprecated = true];
}
message Animal {
  // Its name.
  string name = 1 [(google.api.field_behavior) = REQUIRED];
  int64 weight = 2 [deprecated = true]; uint64 count = 3; int32 age = 4; fixed32 chip = 5;
  double x = 6; float y = 7; bool tame = 8; bytes photo = 9;
  Kind kind = 10 [(google.api.field_behavior) = OUTPUT_ONLY];
  repeated Animal friends = 11; map<string, Kind> relatives = 12; map<int32, Animal> young = 13; map<bool, int64> eats = 14;
  oneof cage { string number = 15; Cage built = 16; Cage rented = 17; }
  google.protobuf.Timestamp born = 18; google.protobuf.Duration sleeps = 19; google.protobuf.FieldMask mask = 20;
  google.protobuf.Struct notes = 21; google.protobuf.Value value = 22; google.protobuf.ListValue list = 23;
  google.protobuf.Any any = 24; google.protobuf.Int64Value maybe = 25; google.protobuf.StringValue text = 26;
  google.protobuf.NullValue nothing = 27; optional string nick_name = 28;
  string secret = 29 [(google.api.field_behavior) = INPUT_ONLY];
}
message Cage { int32 rooms = 1; }
message GetRequest { string name = 1; string place = 2; string animal = 3; }
message PutRequest { Animal animal = 1; google.protobuf.FieldMask update_mask = 2; int64 revision = 3; }
message MoveRequest { int64 id = 1; Cage to = 2; string why = 3 [(google.api.field_behavior) = REQUIRED]; }
message FindRequest {
  string text = 1; Filter filter = 2; repeated Kind kinds = 3; map<string, string> labels = 4; repeated Cage cages = 5; FindRequest or = 6;
}
message Filter { Kind kind = 1; google.protobuf.Timestamp since = 2; int64 most = 3 [(google.api.field_behavior) = REQUIRED]; }
message PhotoRequest { string id = 1; google.api.HttpBody photo = 2; }
message Unused { int32 nothing = 1; }
"""
CONFIG = """\
listen: ["127.0.0.1:1"]
services:
  - name: zoo
    versions: [{name: v1, package: zoo.v1, schema: zoo.binpb, deprecated: 2026-03-01, sunset: 2099-03-01}]
    instances: ["127.0.0.1:2"]
"""
METHODS = {"v1": v1, "v2": v2, "v3": v3}


def document(config, *options):
    done = subprocess.run([BINARY, "openapi", config, *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The zoo's descriptor set, with comments."""
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "zoo.proto").write_text(PROTO)
    subprocess.run(["protoc", f"-I{folder}", f"-I{SHOP}/proto", "-I/usr/include", "--include_imports", "--include_source_info",
                    f"--descriptor_set_out={folder}/zoo.binpb", "zoo.proto"], check=True)
    return folder


def zoo_of(folder, rest=""):
    (folder / "zoo.yaml").write_text(CONFIG + rest)
    return document(folder / "zoo.yaml")


@pytest.fixture(scope="module")
def zoo(folder):
    return zoo_of(folder)


def schemas(zoo):
    return zoo["components"]["schemas"]


def parameters(operation, of):
    return {one["name"]: one["schema"] for one in operation["parameters"] if one["in"] == of}


# ---- The shop, in each version -------------------------------------------------------------------------------------

TYPES = {F.TYPE_STRING: ("string", None), F.TYPE_INT32: ("integer", "int32"), F.TYPE_UINT32: ("integer", "uint32"),
         F.TYPE_INT64: ("string", "int64"), F.TYPE_BOOL: ("boolean", None)}


def expected(field):
    """What the schema of a field begins with."""
    if field.label == F.LABEL_REPEATED:
        return ("array", None)
    if field.type in (F.TYPE_MESSAGE, F.TYPE_ENUM):
        return (field.message_type or field.enum_type).name
    return TYPES[field.type]


def found(schema):
    reference = schema.get("$ref", "").rpartition("/")[2].removesuffix(".Input")
    return reference or (schema["type"], schema.get("format"))


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_the_document_of_each_version_of_the_shop_is_what_its_schema_is(tmp_path, version):
    gateway = Gateway(tmp_path, SHOP_CONFIG, instances=instances(("v3", 7003)))
    gateway.write()
    told = document(gateway.file, "--service", "orders", "--version", version)
    file = METHODS[version].DESCRIPTOR
    service = file.services_by_name["Orders"]
    operations = {one["operationId"]: one for path in told["paths"].values() for one in path.values()}
    streams_in = {method.name for method in service.methods if method.name in ("Import", "Lookup")}  # without a binding
    assert {name.split("_")[1] for name in operations} == {method.name for method in service.methods} - streams_in
    for name, schema in schemas(told).items():
        if name.startswith("passerelle."):
            continue
        message = file.message_types_by_name.get(name.removesuffix(".Input"))
        if message:
            assert {key: found(value) for key, value in schema["properties"].items()} == \
                {field.json_name: expected(field) for field in message.fields}, name
        else:
            assert schema["enum"] == [value.name for value in file.enum_types_by_name[name].values]
    assert all(path.startswith(f"/{version}/") for path in told["paths"])
    assert not [name for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(told)) if name not in schemas(told)]


def test_what_requests_must_have_is_not_demanded_of_responses(tmp_path):
    gateway = Gateway(tmp_path, SHOP_CONFIG, instances=instances(("v3", 7003)))
    gateway.write()
    told = document(gateway.file, "--service", "orders")
    order, given = schemas(told)["Order"], schemas(told)["Order.Input"]
    assert given["required"] == ["buyer", "currency"] and given["properties"]["currency"]["minLength"] == 1
    assert given["additionalProperties"] is False and given["properties"]["buyer"]["$ref"].endswith("/Buyer.Input")
    assert "required" not in order and "additionalProperties" not in order
    create = told["paths"]["/v3/orders"]["post"]
    assert create["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Order.Input")
    assert create["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/Order")
    assert "Order.Input" not in schemas(document(gateway.file, "--service", "orders", "--version", "v1"))


# ---- Paths and parameters ------------------------------------------------------------------------------------------

def test_variables_with_patterns_become_segments_and_paths_of_one_shape_are_one(zoo):
    assert list(zoo["paths"]) == ["/v1/cages/{cage}/animals/{animal}", "/v1/animals/{animal}", "/v1/animals/{id}:move",
                                  "/v1/animals", "/v1/find/{text}", "/v1/photos/{id}"]
    both = zoo["paths"]["/v1/cages/{cage}/animals/{animal}"]
    assert set(both) == {"get", "delete"}
    for operation in both.values():
        assert list(parameters(operation, "path")) == ["cage", "animal"]
    assert parameters(both["delete"], "path")["cage"] == {"type": "string", "minLength": 1}
    assert list(parameters(both["delete"], "query")) == ["name"] and list(parameters(both["get"], "query")) == ["place", "animal"]


def test_a_variable_has_the_type_of_its_field(zoo):
    move = zoo["paths"]["/v1/animals/{id}:move"]["post"]
    assert parameters(move, "path")["id"]["format"] == "int64"
    (text,) = [one for one in zoo["paths"]["/v1/find/{text}"]["get"]["parameters"] if one["in"] == "path"]
    assert "several segments" in text["description"] and text["schema"] == {"type": "string"}


def test_the_query_has_what_neither_path_nor_body_has(zoo):
    query = parameters(zoo["paths"]["/v1/animals"]["get"], "query")
    assert list(query) == ["text", "filter.kind", "filter.since", "filter.most", "kinds", "labels"]  # not lists of messages, nor itself again
    assert query["kinds"] == {"type": "array", "items": {"$ref": "#/components/schemas/Kind"}}
    assert query["filter.since"]["format"] == "date-time"
    (labels,) = [one for one in zoo["paths"]["/v1/animals"]["get"]["parameters"] if one["name"] == "labels"]
    assert labels["style"] == "deepObject" and labels["schema"]["additionalProperties"] == {"type": "string"}
    put = zoo["paths"]["/v1/animals/{animal}"]["patch"]
    assert list(parameters(put, "query")) == ["updateMask", "revision"]
    assert "text" not in parameters(zoo["paths"]["/v1/find/{text}"]["get"], "query")


def test_bodies_are_a_field_or_what_the_path_leaves(zoo):
    put, move = zoo["paths"]["/v1/animals/{animal}"]["patch"], zoo["paths"]["/v1/animals/{id}:move"]["post"]
    assert put["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Animal.Input")
    assert put["responses"]["200"]["content"]["application/json"]["schema"]["type"] == "array"
    body = move["requestBody"]["content"]["application/json"]["schema"]
    assert list(body["properties"]) == ["to", "why"] and body["required"] == ["why"] and body["additionalProperties"] is False
    photo = zoo["paths"]["/v1/photos/{id}"]["put"]
    assert photo["requestBody"]["content"] == {"*/*": {"schema": {}}}
    assert photo["responses"]["200"]["content"] == {"*/*": {"schema": {}}}


def test_streams_have_three_forms(zoo):
    content = zoo["paths"]["/v1/animals"]["get"]["responses"]["200"]["content"]
    assert set(content) == {"application/json", "application/x-ndjson", "text/event-stream"}
    item = content["application/x-ndjson"]["schema"]["anyOf"]
    assert [one["$ref"].rpartition("/")[2] for one in item] == ["Animal", "passerelle.StreamError"]
    assert content["application/json"]["schema"]["items"]["anyOf"] == item


# ---- Schemas -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("field, schema", [
    ("weight", {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$", "deprecated": True}),
    ("count", {"type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$"}),
    ("age", {"type": "integer", "format": "int32", "minimum": -2147483648, "maximum": 2147483647}),
    ("chip", {"type": "integer", "format": "uint32", "minimum": 0, "maximum": 4294967295}),
    ("x", {"type": "number", "format": "double"}),
    ("tame", {"type": "boolean"}),
    ("photo", {"type": "string", "format": "byte", "contentEncoding": "base64"}),
    ("kind", {"$ref": "#/components/schemas/Kind", "readOnly": True}),
    ("friends", {"type": "array", "items": {"$ref": "#/components/schemas/Animal"}}),
    ("relatives", {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Kind"}}),
    ("young", {"type": "object", "propertyNames": {"pattern": "^-?[0-9]{1,20}$"},
               "additionalProperties": {"$ref": "#/components/schemas/Animal"}}),
    ("eats", {"type": "object", "propertyNames": {"enum": ["false", "true"]},
              "additionalProperties": {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"}}),
    ("built", {"$ref": "#/components/schemas/Cage"}),
    ("born", {"type": "string", "format": "date-time"}),
    ("sleeps", {"type": "string", "pattern": "^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$"}),
    ("mask", {"type": "string"}),
    ("notes", {"type": "object"}),
    ("value", {}),
    ("list", {"type": "array", "items": {}}),
    ("maybe", {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"}),
    ("text", {"type": "string"}),
    ("nothing", {"type": "null"}),
    ("nickName", {"type": "string"}),
    ("secret", {"type": "string", "writeOnly": True}),
])
def test_a_field_is_what_protobufs_json_makes_of_it(zoo, field, schema):
    assert schemas(zoo)["Animal"]["properties"][field] == schema


def test_of_a_oneof_at_most_one_member_is_allowed(zoo):
    pairs = [set(one["required"]) for one in schemas(zoo)["Animal"]["not"]["anyOf"]]
    assert pairs == [{"number", "built"}, {"number", "rented"}, {"built", "rented"}]


def test_an_any_has_a_type_and_whatever_else(zoo):
    any_of_it = schemas(zoo)["Animal"]["properties"]["any"]
    assert any_of_it["properties"] == {"@type": {"type": "string"}} and "additionalProperties" not in any_of_it


def test_only_what_is_used_is_there(zoo):
    assert {name for name in schemas(zoo) if not name.startswith("passerelle.")} == \
        {"Animal", "Animal.Input", "Cage", "Kind"}


def test_errors_are_problems(zoo):
    for path in zoo["paths"].values():
        for operation in path.values():
            assert operation["responses"]["default"] == {"$ref": "#/components/responses/passerelle.Error"}
    (media,) = zoo["components"]["responses"]["passerelle.Error"]["content"]
    assert media == "application/problem+json" and {"reason", "code", "details"} <= set(schemas(zoo)["passerelle.Problem"]["properties"])


# ---- Comments and deprecation --------------------------------------------------------------------------------------

def test_comments_are_descriptions(zoo):
    assert zoo["tags"] == [{"name": "Zoo", "description": "Keeps animals.\n\nAll of them."}]
    assert zoo["paths"]["/v1/cages/{cage}/animals/{animal}"]["get"]["description"] == "Finds one."
    assert schemas(zoo)["Animal"]["properties"]["name"]["description"] == "Its name."
    assert schemas(zoo)["Kind"]["description"] == "What it is.\n- `BIRD`: With wings.\n- `FISH` (deprecated)"


def test_a_deprecated_version_says_so_with_its_dates(folder, zoo):
    assert zoo["info"]["description"] == "Deprecated since 2026-03-01. It is served until 2099-03-01."
    assert all(operation["deprecated"] for path in zoo["paths"].values() for operation in path.values())
    (folder / "zoo.yaml").write_text(CONFIG.replace(", deprecated: 2026-03-01, sunset: 2099-03-01", ""))
    told = document(folder / "zoo.yaml")
    deprecated = [one["operationId"] for path in told["paths"].values() for one in path.values() if one.get("deprecated")]
    assert deprecated == ["Zoo_Put"] and "description" not in told["info"]


# ---- What the config says ------------------------------------------------------------------------------------------

def test_routes_say_how_json_is_written_and_what_is_refused(folder):
    told = zoo_of(folder, "routes: [{match: zoo, json: {proto_names: true, enums_as_numbers: true}, unknown_fields: count}]\n")
    assert "nick_name" in schemas(told)["Animal"]["properties"]
    assert schemas(told)["Kind"]["enum"] == [0, 1, 2] and schemas(told)["Kind"]["type"] == "integer"
    assert "additionalProperties" not in schemas(told)["Animal.Input"]
    assert "filter.kind" in parameters(told["paths"]["/v1/animals"]["get"], "query")


def test_null_is_allowed_in_responses_where_a_route_writes_it(folder):
    null = {"type": "null"}
    told = zoo_of(folder, "routes: [{match: zoo.Zoo/Get, json: {nulls: true}}]\n")
    animal, asked = schemas(told)["Animal"]["properties"], schemas(told)["Animal.Input"]["properties"]
    assert animal["born"] == {"anyOf": [{"type": "string", "format": "date-time"}, null]}
    assert asked["born"] == {"type": "string", "format": "date-time"}
    members = {name for name, schema in animal.items() if null in schema.get("anyOf", ())}
    assert members == {"born", "sleeps", "mask", "notes", "list", "any", "maybe", "text"}
    assert not any("anyOf" in schema for schema in schemas(zoo_of(folder))["Animal"]["properties"].values())


def test_what_a_route_demands_is_required_where_it_is_said(folder):
    told = zoo_of(folder, """\
routes:
  - match: zoo.Zoo/Put
    parameters: {revision: {required: true}, animal.built.rooms: {required: true}, animal.friends.secret: {required: true}, animal.text: {required: true}}
  - {match: zoo.Zoo/Move, parameters: {to.rooms: {required: true}, to: {required: true}, id: {required: true}}}
""")
    put, move = told["paths"]["/v1/animals/{animal}"]["patch"], told["paths"]["/v1/animals/{id}:move"]["post"]
    assert {one["name"] for one in put["parameters"] if one.get("required")} == {"animal", "revision"}
    assert put["requestBody"]["content"]["application/json"]["schema"]["allOf"] == [
        {"properties": {"built": {"required": ["rooms"], "properties": {"rooms": {}}}}},
        {"properties": {"friends": {"items": {"required": ["secret"], "properties": {"secret": {"minLength": 1}}}}}},
        {"required": ["text"], "properties": {"text": {}}}]
    assert move["requestBody"]["content"]["application/json"]["schema"]["allOf"] == [
        {"required": ["to"], "properties": {"to": {}}}, {"properties": {"to": {"required": ["rooms"], "properties": {"rooms": {}}}}}]


@pytest.mark.parametrize("version, body", [("v1", {"required": ["name"], "properties": {"name": {"minLength": 1}}}),
                                           ("v2", {"required": ["name"], "properties": {"name": {"minLength": 1}}})])
def test_the_key_of_a_jobs_resource_is_required_in_each_version(tmp_path, version, body):
    config = (SHOP / "shop.yaml").read_text().replace("orders.binpb", ORDERS).replace("orders-v", f"{SHOP}/orders-v").replace("hosting-v", f"{SHOP}/hosting-v")
    (tmp_path / "shop.yaml").write_text(config)
    told = document(tmp_path / "shop.yaml", "--service", "hosting", "--version", version)
    create = told["paths"][f"/{version}/sites"]["post"]
    assert create["requestBody"]["content"]["application/json"]["schema"]["allOf"] == [body]
    assert create["responses"]["202"]["content"]["application/json"]["schema"]["$ref"].endswith("/Site")


def test_conventions_of_other_servers_are_told(folder):
    told = zoo_of(folder, """\
errors: {shape: google}
routes:
  - {match: zoo.Zoo/Find, json: {stream: result}, rest: {status_from: x-http-code}}
  - {match: zoo.Zoo/Get, errors: {shape: problem}, rest: {alt: true}}
  - {match: zoo.Zoo/Put, rest: {alt: true}}
""")
    find, get = told["paths"]["/v1/animals"]["get"]["responses"], told["paths"]["/v1/cages/{cage}/animals/{animal}"]["get"]["responses"]
    line = find["200"]["content"]["application/json"]["schema"]
    assert line["properties"]["result"] == {"$ref": "#/components/schemas/Animal"} and find["3XX"] == find["2XX"]
    assert find["2XX"]["content"] == find["200"]["content"] and not {"2XX", "3XX"} & {*get}
    assert list(get["200"]["content"]) == ["application/json", "application/x-protobuf"]
    put = told["paths"]["/v1/animals/{animal}"]["patch"]["responses"]
    assert list(put["200"]["content"]) == ["application/json"]  # a part of the message has no form in protobuf
    assert find["default"]["$ref"].endswith("/passerelle.GoogleError") and get["default"]["$ref"].endswith("/passerelle.Error")
    assert list(told["components"]["responses"]["passerelle.GoogleError"]["content"]) == ["application/json"]
    assert schemas(told)["passerelle.GoogleError"]["required"] == ["error"]


def test_the_url_of_the_gateway_is_the_server(folder):
    (folder / "zoo.yaml").write_text(CONFIG)
    assert document(folder / "zoo.yaml")["servers"] == [{"url": "/"}]
    assert document(folder / "zoo.yaml", "--url", "https://api.example.com")["servers"] == [{"url": "https://api.example.com"}]
    (folder / "zoo.yaml").write_text(CONFIG + 'catalog: {}\n')
    assert document(folder / "zoo.yaml")["servers"] == [{"url": "/"}]
    (folder / "zoo.yaml").write_text(CONFIG + 'catalog: {url: "https://zoo.example.com/"}\n')
    assert document(folder / "zoo.yaml")["servers"] == [{"url": "https://zoo.example.com"}]
    assert document(folder / "zoo.yaml", "--url", "https://api.example.com")["servers"] == [{"url": "https://api.example.com"}]


def test_versions_with_the_same_path_need_the_header(tmp_path):
    config = CONFIG.replace("[{name: v1, package: zoo.v1, schema: zoo.binpb, deprecated: 2026-03-01, sunset: 2099-03-01}]",
                            "[{name: v1, package: t.v1, schema: t.binpb}, {name: v2, package: t.v2, schema: t.binpb}]").replace(
        '["127.0.0.1:2"]', '[{address: "127.0.0.1:2", versions: [v1, v2]}]')
    for version in "v1", "v2":
        (tmp_path / f"{version}.proto").write_text(
            f'syntax = "proto3"; package t.{version}; import "google/api/annotations.proto"; message M {{ string id = 1; }}\n'
            'service S { rpc Get(M) returns (M) { option (google.api.http) = {get: "/things/{id}"}; } }\n')
    subprocess.run(["protoc", f"-I{tmp_path}", f"-I{SHOP}/proto", "-I/usr/include", "--include_imports", f"--descriptor_set_out={tmp_path}/t.binpb",
                    "v1.proto", "v2.proto"], check=True)
    (tmp_path / "t.yaml").write_text(config)
    for version, required in ("v1", None), ("v2", True):
        told = document(tmp_path / "t.yaml", "--version", version)
        (header,) = [one for one in told["paths"]["/things/{id}"]["get"]["parameters"] if one["in"] == "header"]
        assert (header["name"], header["schema"]["enum"], header.get("required")) == ("api-version", [version], required)


def test_clients_are_told_how_they_prove_who_they_are(folder):
    (folder / "keys.yaml").write_text("keys: []\n")
    told = zoo_of(folder, """\
authentication:
  - jwt: {issuer: 'https://issuer', audience: [zoo], keys_url: 'https://issuer/keys'}
  - {name: key, api_keys: {file: keys.yaml, header: x-key}}
routes: [{match: zoo.Zoo/Get, authenticate: none}, {match: zoo.Zoo/Find, authentication: [key]}]
""")
    assert told["components"]["securitySchemes"] == {
        "token_1": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "key": {"type": "apiKey", "in": "header", "name": "x-key"}}
    security = {one["operationId"]: one["security"] for path in told["paths"].values() for one in path.values()}
    assert security["Zoo_Get"] == [] and {"key": []} in security["Zoo_Find"] and {"token_1": []} in security["Zoo_Move"]


@pytest.mark.parametrize("options, told", [
    (["--service", "nothing"], "there is no service nothing: the services are zoo"),
    (["--version", "v9"], "zoo has no version v9: there are v1"),
])
def test_what_does_not_exist_is_told(folder, options, told):
    (folder / "zoo.yaml").write_text(CONFIG)
    done = subprocess.run([BINARY, "openapi", folder / "zoo.yaml", *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and told in done.stderr and not done.stdout
