"""The operators' web page: its files, who may load them, and what a browser may do with them."""
import gzip
import os
import pathlib

import pytest
from gateway import Gateway
from operators import CONFIG, HASHES, own_user, plain

WEB = pathlib.Path(__file__).parents[2] / "gateway/page/web"
FILES = sorted(path for path in WEB.rglob("*") if path.is_file() and not path.name.startswith("."))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("page"), CONFIG, **HASHES) as running:
        yield running


def test_everybody_gets_each_file_of_the_folder(gateway):
    guest = plain(gateway)
    for path in FILES:
        answer = guest("GET", f"/page/{path.relative_to(WEB)}")
        assert (answer.status, answer.body) == (200, path.read_bytes()), path
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
