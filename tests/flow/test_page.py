"""The operators' web page: its files, who may load them, and what a browser may do with them."""
import contextlib
import gzip
import json
import os
import pathlib
import socket
import sys
import time

import pytest
from gateway import SHOP_CONFIG, Gateway
from operators import CONFIG, HASHES, TOKENS, own_user, plain
from processes import eventually

WEB = pathlib.Path(__file__).parents[2] / "gateway/page/web"
sys.path.insert(0, str(WEB.parent))
from embed_assets import content_of  # noqa: E402

FILES = sorted(path for path in WEB.rglob("*") if path.is_file() and not path.name.startswith("."))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("page"), CONFIG, **HASHES) as running:
        yield running


def test_everybody_gets_each_file_of_the_folder(gateway):
    guest = plain(gateway)
    for path in FILES:
        answer = guest("GET", f"/page/{path.relative_to(WEB)}")
        assert (answer.status, answer.body) == (200, content_of(WEB, path)), path
    assert guest("GET", "/").body == (WEB / "index.html").read_bytes()


def test_a_browser_gets_them_packed_and_once(gateway):
    answer = plain(gateway)("GET", "/", **{"Accept-Encoding": "br, gzip"})
    assert answer.headers["content-encoding"] == "gzip" and answer.headers["vary"] == "accept-encoding"
    assert gzip.decompress(answer.body) == (WEB / "index.html").read_bytes()
    again = plain(gateway)("GET", "/", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"") and again.headers["etag"] == answer.headers["etag"]
    assert plain(gateway)("GET", "/", **{"If-None-Match": 'W/"0"'}).status == 200


def test_a_head_tells_the_size_alone_and_a_range_is_the_whole(gateway):
    size = len((WEB / "index.html").read_bytes())
    head = plain(gateway)("HEAD", "/")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(size))
    assert len(plain(gateway)("GET", "/", Range="bytes=0-3").body) == size


@pytest.mark.parametrize("path", ["/", "/page/index.html"])
def test_nothing_runs_in_the_page_but_its_own_files(gateway, path):
    fields = plain(gateway)("GET", path).headers
    policy = {name: values for name, *values in map(str.split, fields["content-security-policy"].split(";"))}
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["img-src"] == ["'self'"]
    assert policy["require-trusted-types-for"] == ["'script'"] and policy["trusted-types"] == ["'none'"]
    assert fields["cross-origin-opener-policy"] == "same-origin" and fields["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/config", "/nothing", "/audit"])
def test_no_response_is_taken_for_something_else(gateway, path):
    fields = plain(gateway)("GET", path).headers
    assert fields["x-content-type-options"] == "nosniff" and fields["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in fields["content-security-policy"] and fields["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path, status", [
    ("/page", 404), ("/page/", 404), ("/page/nothing.js", 404), ("/page/../../../etc/passwd", 404),
    ("/page/..%2f..%2fasset.c", 404), ("/page/%2e%2e/asset.c", 404), ("/page/index.html%00", 404), ("/page//index.html", 404),
    ("/page/../audit", 401)])  # it is the page /audit
def test_paths_lead_nowhere_else(gateway, path, status):
    answer = plain(gateway)("GET", path)
    assert answer.status == status and answer.json["status"] == status


def test_files_are_only_read(gateway):
    for path in ("/", "/page/index.html"):
        answer = plain(gateway, "ops")("POST", path)
        assert answer.status == 405 and answer.headers["allow"] == "GET, HEAD"


def test_whoever_asks_is_told_who_that_is(gateway):
    told = plain(gateway)("GET", "/whoami").json
    assert (told["name"], told["role"], told["by"]) == (None, "guest", None) and told["version"] and told["node"]
    assert plain(gateway, "wrong")("GET", "/whoami").json == told
    for name, role in (("reader", "read"), ("ops", "operate")):
        known = plain(gateway, name)("GET", "/whoami").json
        assert (known["name"], known["role"], known["by"]) == (name, role, "token")
    assert own_user(gateway)("GET", "/whoami").json == {**told, "name": f"uid {os.geteuid()}", "role": "operate", "by": "socket"}


ACT = "/instance/return?address=127.0.0.1:1"


def attempts(gateway):
    own = f"http://127.0.0.1:{gateway.admin_port}"
    return [
        ({}, 200),  # curl
        ({"Sec-Fetch-Site": "same-origin", "Origin": own}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": own}, 200),  # a browser says no Sec-Fetch-Site to what is neither TLS nor localhost
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": own}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, 403),  # another port of this machine
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),  # a frame in a sandbox
        ({"Origin": f"http://127.0.0.1:{gateway.admin_port}.evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Host": "rebound.example", "Origin": "http://rebound.example"}, 421),
        ({"Host": "rebound.example", "Origin": "http://rebound.example"}, 421)]


def test_no_page_of_another_site_acts(gateway):
    refused = gateway.metric("passerelle_admin_refused_total", reason="origin")
    for fields, status in attempts(gateway):
        answer = gateway.http("POST", ACT, headers={"Authorization": f"Bearer {'o' * 40}", **fields}, port=gateway.admin_port)
        assert answer.status == status, fields
    more = sum(status == 403 for _, status in attempts(gateway))
    assert gateway.metric("passerelle_admin_refused_total", reason="origin") == refused + more


def test_whoever_only_reads_may_come_from_anywhere(gateway):
    answer = plain(gateway, "reader")("GET", "/healing", **{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"})
    assert answer.status == 200 and "access-control-allow-origin" not in answer.headers  # so no page gets to see it


class Watcher:
    """A reader of /live."""

    def __init__(self, gateway, *pages, token="reader", **fields):
        query = "&".join(f"page={page.replace('?', '%3F').replace('=', '%3D')}" for page in pages)
        self.socket = socket.create_connection(("127.0.0.1", gateway.admin_port), timeout=10)
        said = {"Host": "localhost", "Authorization": f"Bearer {TOKENS[token]}", **fields}
        head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        self.socket.sendall(f"GET /live?{query} HTTP/1.1\r\n{head}\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.fields = dict(line.decode().strip().lower().split(": ", 1) for line in iter(self.file.readline, b"\r\n"))

    def _lines(self):
        while size := int(self.file.readline(), 16):
            yield from self.file.read(size).decode().split("\n\n")[:-1]
            self.file.readline()

    def __iter__(self):
        """What is told of each page: (page, status, body)."""
        for event in self._lines():
            if event.startswith("event: page\n"):
                data = json.loads(event.split("\ndata: ")[1])
                yield data["page"], data["status"], data["body"]

    def close(self):
        self.file.close()
        self.socket.close()


def readers(gateway):
    return gateway.metric("passerelle_admin_live_readers")


def test_a_reader_gets_what_the_pages_say_and_what_they_say_anew(gateway):
    watcher = Watcher(gateway, "/healing", "/rollouts", "/usage?service=orders", "/requests/" + "0" * 32)
    told, seen = iter(watcher), {}
    assert watcher.fields["content-type"] == "text/event-stream" and watcher.fields["cache-control"] == "no-store"
    for page, status, body in (next(told) for _ in range(4)):
        seen[page] = status, body
        answer = plain(gateway, "reader")("GET", page)
        assert (status, body) == (answer.status, answer.json)
    assert sorted(status for status, _ in seen.values()) == [200, 200, 404, 404]
    plain(gateway, "ops")("POST", "/instance/drain?address=127.0.0.1:1&for=1m", passerelle_why="</script><b>")
    page, status, body = next(told)
    assert (page, status) == ("/healing", 200) and body["now"][0]["why"].endswith("</script><b>")
    plain(gateway, "ops")("POST", "/instance/return?address=127.0.0.1:1")
    assert readers(gateway) == 1
    watcher.close()
    eventually(lambda: readers(gateway) == 0)


def test_a_page_may_have_any_name_that_its_pattern_allows(gateway):
    with contextlib.closing(Watcher(gateway, "/requests/%00", "/jobs/%00a")) as watcher:
        told = iter(watcher)
        assert {next(told)[:2] for _ in range(2)} == {("/requests/\0", 404), ("/jobs/\0a", 404)}
    eventually(lambda: readers(gateway) == 0)


@pytest.mark.parametrize("query, status", [
    ("", 400), ("?page=", 400), ("?page=/nothing", 400), ("?page=/metrics", 400), ("?page=/live", 400), ("?page=/reload", 400),
    ("?page=/", 400), ("?page=/page/app.js", 400), ("?page=/healing&x=1", 400), ("?page=%zz", 400), ("?/healing", 400),
    ("?page=/healing?" + "x" * 2000, 400), ("?page=" + "&page=".join(f"/jobs/{i}" for i in range(17)), 400),
    ("?page=" + "&page=".join(["/healing"] * 17), 200)])  # one page
def test_only_pages_that_there_are_can_be_watched(gateway, query, status):
    assert plain(gateway, "reader")("HEAD", "/live" + query).status == status


def test_who_may_not_read_may_not_watch(gateway):
    assert plain(gateway)("GET", "/live?page=/config").status == 401
    for fields in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert plain(gateway, "reader")("GET", "/live?page=/config", **fields).status == 403


def test_one_reader_too_many_is_told_to_ask_for_the_pages(gateway):
    watchers = [Watcher(gateway, "/config") for _ in range(32)]
    assert {watcher.status for watcher in watchers} == {200}
    answer = plain(gateway, "reader")("GET", "/live?page=/config")
    assert answer.status == 503 and answer.headers["retry-after"] == "1"
    assert gateway.metric("passerelle_admin_refused_total", reason="busy") >= 1
    assert plain(gateway, "reader")("GET", "/config").status == 200
    for watcher in watchers:
        watcher.close()
    eventually(lambda: readers(gateway) == 0)
    Watcher(gateway, "/config").close()


def test_a_reload_lets_all_in_anew(tmp_path):
    with Gateway(tmp_path, CONFIG + "drain: 5s\n", **HASHES) as gateway:
        watcher = Watcher(gateway, "/config")
        told = iter(watcher)
        assert next(told)[2]["generation"] == 1
        gateway.write(reader="0" * 64)
        gateway.reload()
        assert next(told, None) is None
        watcher.close()
        assert plain(gateway, "reader")("GET", "/live?page=/config").status == 401


def test_who_reads_nothing_is_dropped_and_counted(tmp_path):
    """A page that is larger than what the kernel takes."""
    many = ", ".join(f"{{address: '127.0.0.1:{i}', protocol: grpc, build: {'x' * 60}}}" for i in range(1, 3001))
    with Gateway(tmp_path, CONFIG.replace("{address: '127.0.0.1:1', protocol: grpc}", many), **HASHES) as gateway:
        slow = socket.socket(socket.AF_UNIX)
        slow.connect(str(tmp_path / "admin.sock"))
        slow.sendall(b"GET /live?page=/config HTTP/1.1\r\nHost: localhost\r\n\r\n")
        quick = Watcher(gateway, "/config")
        assert len(next(iter(quick))[2]["services"][0]["instances"]) == 3000
        assert readers(gateway) == 2
        eventually(lambda: gateway.metric("passerelle_admin_live_dropped_total") == 1)
        assert readers(gateway) == 1
        quick.close()
        slow.close()


def test_readers_end_when_the_gateway_drains(tmp_path):
    with Gateway(tmp_path, CONFIG + "drain: 5s\n", **HASHES) as gateway:
        watcher = Watcher(gateway, "/healing")
        told = iter(watcher)
        assert next(told)[0] == "/healing"
        began = time.monotonic()
        assert plain(gateway, "ops")("POST", "/drain").status == 200
        assert next(told, None) is None and time.monotonic() - began < 4
        watcher.close()


def test_the_matrix_tells_who_still_speaks_an_old_version_and_what_that_loses(run_shop):
    socket_too = "admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock'}"
    gateway = run_shop("v3", config=SHOP_CONFIG.replace("admin: {address: 127.0.0.1:$admin}", socket_too)).gateway
    for version, n in (("v1", 3), ("v3", 2)):
        for _ in range(n):
            assert gateway.http("GET", f"/{version}/orders").status == 200
    orders, = [one for one in own_user(gateway)("GET", "/matrix").json["services"] if one["service"] == "orders"]
    assert orders["versions"] == ["v1", "v2", "v3"]
    cells = {(cell["client_version"], cell["served_version"]): cell for cell in orders["cells"]}
    assert set(cells) == {("v1", "v3"), ("v3", "v3")}
    old, own = cells["v1", "v3"], cells["v3", "v3"]
    assert (old["calls"], own["calls"], own["loses"], own["losses"]) == (3, 2, [], 0)
    assert 0 < old["p50_ms"] <= old["p99_ms"] < 10000
    assert old["loses"] and {loss["field"] for loss in old["lost"]} <= set(old["loses"]) and old["losses"] == sum(loss["calls"] for loss in old["lost"])


def test_readers_end_when_another_process_takes_over_and_find_it(tmp_path):
    with Gateway(tmp_path, CONFIG, options=["--supervise"], **HASHES) as gateway:
        watcher = Watcher(gateway, "/config")
        told = iter(watcher)
        assert next(told)[0] == "/config"
        assert plain(gateway, "ops")("POST", "/upgrade").status == 200
        assert next(told, None) is None
        watcher.close()
        again = eventually(lambda: (one := Watcher(gateway, "/config")).status == 200 and one)
        assert next(iter(again))[0] == "/config"
        again.close()
