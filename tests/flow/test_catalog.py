"""What the gateway tells clients of its services: the catalog (RFC 9727), and pages of versions."""
import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from gateway import SHOP_CONFIG, Gateway, instances
from google.protobuf import descriptor_pb2
from processes import eventually
from raw import Raw

DATED = SHOP_CONFIG.replace("package: shop.orders.v1,", "package: shop.orders.v1, deprecated: 2026-03-01, sunset: 2099-03-01, released: 2020-01-02,")
CATALOG = DATED + "  - {match: /apis/orders/v3, instances: [{address: '127.0.0.1:1', protocol: http}]}\ncatalog: {}\n"
STAFF_ONLY = DATED.replace("  - {match: orders,", "  - {match: orders.Orders/Get, allow: [{client: [ada]}]}\n"
                           "  - {match: orders.Orders/List, allow: [{client: [ada, bob], version: [v2]}]}\n"
                           "  - {match: orders, allow: [{client: [root]}],").replace(
    "log:", "identity_header: x-client\ntrusted_proxies: [127.0.0.1]\nlog:") + 'catalog: {url: "https://api.example.com/", path: /meta/}\n'


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """No backend is needed to be asked what there is."""
    with Gateway(tmp_path_factory.mktemp("catalog"), CATALOG, instances=instances(("v3", 7003))) as running:
        yield running


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """Some clients may call little."""
    with Gateway(tmp_path_factory.mktemp("closed"), STAFF_ONLY, instances=instances(("v3", 7003))) as running:
        yield running


def get(gateway, path, client=None):
    answer = gateway.http("GET", path, headers={"x-client": client} if client else {})
    return answer.json if answer.status == 200 else answer.status


# ---- Pages ---------------------------------------------------------------------------------------------------------

def test_the_catalog_is_a_linkset_that_leads_to_each_page(gateway):
    answer = gateway.http("GET", "/.well-known/api-catalog", headers={"accept": "application/linkset+json"})
    assert answer.headers["content-type"] == 'application/linkset+json;profile="https://www.rfc-editor.org/info/rfc9727"'
    assert answer.headers["link"] == '</.well-known/api-catalog>; rel="api-catalog"'
    first, *versions = answer.json["linkset"]
    assert first == {"anchor": "/.well-known/api-catalog", "item": [{"href": "/apis/orders", "title": "orders"}]}
    assert [one["anchor"] for one in versions] == [f"/apis/orders/{version}" for version in ("v1", "v2", "v3")]
    assert versions[0]["successor-version"][0]["href"] == "/apis/orders/v2" and "successor-version" not in versions[2]
    for links in versions:
        for relation in "service-meta", "service-desc":
            (link,) = links[relation]
            found = gateway.http("GET", link["href"])
            assert (found.status, found.headers["content-type"]) == (200, link["type"])


def test_head_has_the_link_and_no_body(gateway):
    answer = gateway.http("HEAD", "/.well-known/api-catalog")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["link"] == '</.well-known/api-catalog>; rel="api-catalog"'


def test_the_page_of_a_service_has_its_versions_with_states_dates_and_methods(gateway):
    page = get(gateway, "/apis/orders")
    assert (page["name"], page["url"]) == ("orders", "/apis/orders")
    v1, v2, v3 = page["versions"]
    methods = {method["rpc"]: method for method in v1.pop("methods")}
    assert v1 == {"service": "orders", "name": "v1", "package": "shop.orders.v1", "state": "deprecated", "default": True,
                  "released": "2020-01-02", "deprecated": "2026-03-01", "sunset": "2099-03-01", "successor": "v2",
                  "url": "/apis/orders/v1", "openapi": "/apis/orders/v1/openapi.json"}
    assert methods["/shop.orders.v1.Orders/Get"] == {"rpc": "/shop.orders.v1.Orders/Get", "http": ["GET /v1/orders/{id}"]}
    assert methods["/shop.orders.v1.Orders/Watch"]["streams"] == "responses" and len(methods) == 7
    assert (v2["state"], v2["successor"], v3["state"]) == ("current", "v3", "current") and "successor" not in v3
    assert {"streams": "both", "rpc": "/shop.orders.v3.Orders/Lookup"} in v3["methods"]
    assert get(gateway, "/apis/orders/v2") == v2


def test_the_document_of_a_version_is_served(gateway):
    document = get(gateway, "/apis/orders/v2/openapi.json")
    assert (document["openapi"], document["info"]["title"], document["info"]["version"]) == ("3.1.0", "orders", "v2")
    assert document["paths"]["/v2/orders/{id}"]["get"]["operationId"] == "Orders_Get"


@pytest.mark.parametrize("path", ["/apis", "/apis/", "/apis/orders/", "/apis/nothing", "/apis/orders/v9", "/apis/orders/v1/x",
                                  "/apis/orders/v1/openapi.json/x", "/apis/orders//", "/.well-known/api-catalog/"])
def test_what_is_no_page_is_not_found(gateway, path):
    assert get(gateway, path) == 404


@pytest.mark.parametrize("path", ["/apis/orders/v9", "/apis/orders/v9/openapi.json"])
def test_a_page_of_a_version_that_does_not_exist_lists_those_that_there_are(gateway, path):
    assert gateway.http("GET", path).json["detail"].endswith(f"GET {path}: orders has no version v9; there are v1, v2, v3")
    assert "no version" not in gateway.http("GET", path.replace("orders", "nothing")).json["detail"]


def test_who_may_not_see_a_service_is_told_no_version_of_it(closed):
    answer = closed.http("GET", "/meta/orders/v9", headers={"x-client": "nobody"})
    assert answer.status in (403, 404) and "v3" not in answer.body.decode()


def test_pages_are_read_only(gateway):
    answer = gateway.http("POST", "/apis/orders", {})
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_without_a_catalog_there_are_no_pages(tmp_path):
    with Gateway(tmp_path, instances=instances(("v3", 7003))) as plain:
        assert get(plain, "/.well-known/api-catalog") == get(plain, "/apis/orders") == 404


def test_an_unlisted_service_is_on_no_page_and_a_catalog_may_have_no_documents(tmp_path):
    config = SHOP_CONFIG.replace("  - name: orders\n", "  - name: orders\n    catalog: false\n") + """\
catalog: {openapi: false}
"""
    with Gateway(tmp_path, config, instances=instances(("v3", 7003))) as plain:
        assert get(plain, "/.well-known/api-catalog") == {"linkset": [{"anchor": "/.well-known/api-catalog", "item": []}]}
        assert get(plain, "/apis/orders") == 404
        plain.write(config.replace("    catalog: false\n", ""))
        plain.reload()
        eventually(lambda: get(plain, "/apis/orders") != 404)
        assert "openapi" not in get(plain, "/apis/orders/v1") and get(plain, "/apis/orders/v1/openapi.json") == 404


# ---- Who sees what -------------------------------------------------------------------------------------------------

def test_a_client_sees_the_methods_that_it_may_call_and_versions_and_services_that_have_some(closed):
    def seen(client):
        page = get(closed, "/meta/orders", client)
        return page if page == 404 else {one["name"]: [m["rpc"].rpartition("/")[2] for m in one["methods"]] for one in page["versions"]}

    assert seen("ada") == {"v1": ["Get"], "v2": ["Get", "List"], "v3": ["Get"]}
    assert seen("bob") == {"v2": ["List"]}
    assert seen("eve") == 404
    assert len(seen("root")["v1"]) == 5


def test_links_and_documents_have_only_what_the_client_sees(closed):
    links = get(closed, "/.well-known/api-catalog", "bob")["linkset"]
    assert [one["anchor"] for one in links] == ["https://api.example.com/.well-known/api-catalog", "https://api.example.com/meta/orders/v2"]
    assert get(closed, "/.well-known/api-catalog", "eve")["linkset"][0]["item"] == []
    document = get(closed, "/meta/orders/v2/openapi.json", "bob")
    assert list(document["paths"]) == ["/v2/orders", "/v2/customers/{customer_id}/orders"]
    assert list(document["paths"]["/v2/orders"]) == ["get"] and document["servers"] == [{"url": "https://api.example.com"}]
    assert "Order" in document["components"]["schemas"] and "SetStatusRequest" not in json.dumps(document)
    assert get(closed, "/meta/orders/v1/openapi.json", "bob") == 404
    headers = closed.http("GET", "/meta/orders", headers={"x-client": "bob"}).headers
    assert headers["cache-control"] == "private, no-cache" and "api.example.com/.well-known" in headers["link"]


def test_options_names_the_methods_of_http_that_lead_to_what_pages_show(closed):
    def allow(client, path, verb="OPTIONS"):
        answer = closed.http(verb, path, headers={"x-client": client})
        return set(answer.headers["allow"].split(", ")) if answer.status == 204 else answer.status

    assert allow("bob", "/v2/orders") == allow("ada", "/v2/orders") == {"GET", "HEAD", "OPTIONS"}
    assert allow("root", "/v2/orders") == {"POST", "OPTIONS"}
    assert allow("bob", "/v1/orders") == allow("bob", "/v1/nothing") == allow("eve", "/v2/orders") == allow("bob", "/v2/orders", "PURGE") == 403


# ---- Documents are made when they are asked for --------------------------------------------------------------------

def made(gateway):
    """Documents, for no other call of these tests has the work pool do something."""
    return int(gateway.metric("passerelle_work_jobs_total"))


def document(gateway, client=None, version="v2", **headers):
    if client:
        headers["x-client"] = client
    return gateway.http("GET", f"/meta/orders/{version}/openapi.json", headers=headers)


def test_a_document_is_made_once_in_the_work_pool_for_all_who_may_call_the_same(tmp_path):
    with Gateway(tmp_path, STAFF_ONLY, instances=instances(("v3", 7003))) as running:
        assert made(running) == 0
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda i: document(running, "bob"), range(32)))
        assert {(one.status, one.body) for one in answers} == {(200, answers[0].body)}
        assert made(running) == 1
        root, ada, bob = (document(running, client) for client in ("root", "ada", "bob"))
        assert len({one.headers["etag"] for one in (root, ada, bob)}) == 3 and made(running) == 3
        assert document(running, "eve").status == 404 and made(running) == 3
        running.write(running.config.replace("client: [ada, bob]", "client: [ada, bob, eve]"))
        running.reload()
        assert eventually(lambda: document(running, "eve").status == 200)
        assert document(running, "eve").body == document(running, "bob").body == bob.body and made(running) == 4


def test_a_document_has_a_strong_tag_and_is_not_sent_again_to_who_has_it(gateway):
    first = gateway.http("GET", "/apis/orders/v2/openapi.json")
    tag = first.headers["etag"]
    assert tag.startswith('"') and tag.endswith('"') and len(tag) > 16
    for known in tag, f'W/{tag}', f'"other", {tag}', "*":
        again = gateway.http("GET", "/apis/orders/v2/openapi.json", headers={"if-none-match": known})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == "max-age=60" and "content-type" not in again.headers
    for unknown in '"other"', tag.strip('"'):
        again = gateway.http("GET", "/apis/orders/v2/openapi.json", headers={"if-none-match": unknown})
        assert (again.status, again.body) == (200, first.body)
    assert gateway.http("GET", "/apis/orders/v3/openapi.json", headers={"if-none-match": tag}).status == 200
    head = gateway.http("HEAD", "/apis/orders/v2/openapi.json")
    assert (head.status, head.headers["etag"], head.headers["content-length"]) == (200, tag, str(len(first.body)))


@pytest.mark.parametrize("path", ["/apis/orders/v2", "/apis/orders/v2/openapi.json"])
def test_who_refuses_identity_gets_a_coding_that_it_takes(gateway, path):
    plain = gateway.http("GET", path)
    packed = gateway.http("GET", path, headers={"accept-encoding": "gzip, identity;q=0"})
    assert (packed.status, packed.headers["content-encoding"], gzip.decompress(packed.body)) == (200, "gzip", plain.body)
    assert "accept-encoding" in packed.headers["vary"] and "accept-encoding" in plain.headers["vary"]
    assert packed.headers.get("etag", "W/").startswith("W/")  # a strong tag is of other bytes
    for none in "identity;q=0", "*;q=0", "unheard-of, identity;q=0":
        answer = gateway.http("GET", path, headers={"accept-encoding": none})
        assert (answer.status, answer.json["reason"]) == (406, "NOT_ACCEPTABLE"), none


def test_what_is_kept_should_have_room_for_one(tmp_path):
    config = CATALOG.replace("catalog: {}", "catalog: {document_bytes: 2MiB, kept_bytes: SIZE}")
    for size, doubts in ("1MiB", True), ("2MiB", False), ("0", False):
        gateway = Gateway(tmp_path, config.replace("SIZE", size), instances=instances(("v3", 7003)))
        gateway.write()
        assert ("catalog.kept_bytes: less than document_bytes" in gateway.check().stdout) == doubts, size


def test_a_document_that_is_too_large_is_refused_and_not_made_again(tmp_path):
    config = CATALOG.replace("catalog: {}", "catalog: {path: /meta, document_bytes: 4KiB}")
    with Gateway(tmp_path, config, instances=instances(("v3", 7003))) as running:
        for _ in range(3):
            answer = document(running)
            assert (answer.status, answer.json["reason"]) == (501, "UNSUPPORTED")
            assert answer.json["detail"].endswith("the document of orders v2 is larger than catalog.document_bytes (4096); "
                                                  "`passerelle openapi` prints it")
        assert made(running) == 1


def test_of_many_documents_those_asked_for_last_are_kept(tmp_path):
    config = CATALOG.replace("catalog: {}", "catalog: {path: /meta, kept_bytes: SIZE}")
    with Gateway(tmp_path, config.replace("SIZE", "1MiB"), instances=instances(("v3", 7003))) as running:
        sizes = [len(document(running, version=version).body) for version in ("v1", "v2", "v3")]
        assert made(running) == 3
        running.write(running.config.replace("1MiB", str(sum(sizes) - 1)))
        running.reload()
        eventually(lambda: running.events("config_loaded"))
        for version in "v1", "v2", "v1", "v3":  # v2 goes
            assert document(running, version=version).status == 200
        assert made(running) == 6
        assert document(running, version="v1").status == 200 and made(running) == 6
        assert document(running, version="v2").status == 200 and made(running) == 7


# ---- Nobody waits any more -----------------------------------------------------------------------------------------

MANY = 150


def write_many(folder):
    """Services of one descriptor set, which is so large that each document is the work of a good while; the config."""
    files = descriptor_pb2.FileDescriptorSet()
    large = files.file.add(name="large.proto", package="large", syntax="proto3")
    for i in range(10000):
        message = large.message_type.add(name=f"Message{i}")
        for k in range(1, 9):
            message.field.add(name=f"field_{k}", number=k, type=9, label=1)
        large.source_code_info.location.add(path=[4, i], span=[i, 0, 1], leading_comments=f" What message {i} is for.\n")
    for i in range(MANY):
        file = files.file.add(name=f"s{i}.proto", package=f"s{i}", syntax="proto3", dependency=["large.proto"])
        file.service.add(name="S").method.add(name="Do", input_type=".large.Message1", output_type=".large.Message2")
    (folder / "many.binpb").write_bytes(files.SerializeToString())
    return """
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: "-"
loops: 2
work_threads: 1
drain: 200ms
catalog: {}
services:
""" + "".join(f"  - {{name: s{i}, versions: [{{name: v1, package: s{i}, schema: {folder}/many.binpb}}], instances: ['127.0.0.1:1']}}\n" for i in range(MANY))


@pytest.fixture
def many(tmp_path):
    gateway = Gateway(tmp_path, write_many(tmp_path)).start()
    yield gateway
    if gateway.process.running():
        gateway.stop()


def ask_all(gateway):
    """Clients that wait for a document each."""
    clients = [Raw(gateway.port) for _ in range(MANY)]
    for i, client in enumerate(clients):
        client.send(f"GET /apis/s{i}/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
    eventually(lambda: gateway.metric("passerelle_work_waiting") > MANY / 2)
    return clients


def test_documents_whose_clients_have_left_are_not_made(many):
    for client in ask_all(many):
        client.socket.close()
    eventually(lambda: many.metric("passerelle_work_waiting") == 0)
    eventually(lambda: many.metric("passerelle_work_running") == 0)
    assert made(many) < MANY / 2
    assert many.http("GET", f"/apis/s{MANY - 1}/v1/openapi.json").status == 200


@pytest.mark.parametrize("signals", [1, 2])
def test_the_end_of_the_process_waits_for_no_document(many, signals):
    clients = ask_all(many)
    for _ in range(signals):
        many.process.child.terminate()
        time.sleep(0.1)
    assert many.process.wait() == 0
    assert "cut off" in many.events("stopped")[-1]["message"] and not many.events("work_left")
    for client in clients:
        client.socket.close()
