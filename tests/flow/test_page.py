"""The operators' web page: its files, who may load them, and what a browser may do with them."""
import gzip
import pathlib

import pytest
from gateway import Gateway
from operators import CONFIG, HASHES, plain

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
