"""Pages in headless Chromium call the shop from another origin: REST by fetch, Connect and gRPC-Web by connect-web."""
import functools
import http.server
import json
import pathlib
import shutil
import subprocess
import threading

import pytest
from backends import Backend
from certificates import certificate
from gateway import ORDERS, SHOP_CONFIG, Gateway, instances
from processes import eventually, free_port

HERE = pathlib.Path(__file__).resolve().parent

CORS = """
  - {address: '127.0.0.1:$secure', tls: {certificate: $folder/server.pem, key: $folder/server.key}}
cors: {origins: ['http://127.0.0.1:$pages'], credentials: $credentials, max_age: 1s}
"""


class Pages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Site:
    """A web site with the page."""

    def __init__(self, folder):
        handler = functools.partial(Pages, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def page(self):
        return f"http://127.0.0.1:{self.port}/page.html"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    assert (HERE / "node_modules").exists(), "what the page needs is not installed: npm ci in tests/browser"
    made = tmp_path_factory.mktemp("pages")
    subprocess.run(["node", "drive.mjs", "bundle", str(made / "page.js")], cwd=HERE, check=True, timeout=100)
    shutil.copy(ORDERS, made / "orders.binpb")
    (made / "page.html").write_text("<!doctype html><script src=page.js></script>")
    return made


@pytest.fixture(scope="module")
def site(folder):
    return Site(folder)


@pytest.fixture(scope="module")
def other_site(folder):
    """The same page, of an origin that the gateway does not know."""
    return Site(folder)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """browser(page, story, argument...): what the story gives."""
    child = subprocess.Popen(["node", "drive.mjs", str(tmp_path_factory.mktemp("profile"))], cwd=HERE, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(page, story, *arguments):
        child.stdin.write(json.dumps({"page": page, "story": story, "arguments": arguments}) + "\n")
        child.stdin.flush()
        answer = json.loads(child.stdout.readline())
        assert "told" in answer, answer["error"]
        return answer["told"]

    yield tell
    child.stdin.close()
    assert child.wait(30) == 0


@pytest.fixture(scope="module")
def backend():
    with Backend("v3") as running:
        yield running


def gateway_for(folder, backend, site, credentials):
    certificate(folder)
    config = SHOP_CONFIG.replace("\nadmin:", CORS + "admin:", 1)
    return Gateway(folder, config, instances=instances(("v3", backend.port)), pages=site.port, secure=free_port(),
                   credentials=str(credentials).lower())


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, backend, site):
    with gateway_for(tmp_path_factory.mktemp("gateway"), backend, site, False) as running:
        yield running


@pytest.fixture(scope="module", params=["HTTP/1.1", "HTTP/2"])
def url(request, gateway):
    """Browsers speak HTTP/2 under TLS only."""
    return f"http://{gateway.address}" if request.param == "HTTP/1.1" else f"https://127.0.0.1:{gateway.words['secure']}"


def test_a_page_uses_rest(browser, site, gateway, url):
    told = browser(site.page, "rest", url)
    assert (told["made"], told["version"], told["missing"], told["patched"]) == (200, "v1", 404, "DELIVERED")
    assert told["requestId"] and told["problemType"].startswith("application/problem+json")
    assert told["problem"]["code"] == "NOT_FOUND" and "ORDER_NOT_FOUND" in json.dumps(told["problem"])
    assert told["watched"] == told["events"] == ["DELIVERED"]
    asked = [line for line in gateway.log() if line.get("verb") == "OPTIONS"]
    assert asked and all(line["http_status"] == 204 for line in asked)


@pytest.mark.parametrize("kind", ["connect", "connect-binary", "connect-get", "grpc-web"])
def test_a_page_uses_connect_web(browser, site, backend, url, kind):
    left = len(backend.told("cancelled", method="Watch"))
    told = browser(site.page, "rpc", url, kind)
    made = told["made"]
    assert made["buyer"] == {"id": "ada"} and made["state"] == "PLACED"
    assert told["got"] == {"id": made["id"], "customer": "ada", "totalCents": "1999", "status": "PENDING"}
    assert (told["header"], told["trailers"]) == ("hello", ["good bye", "AQI"])
    assert told["watched"] == [1, 4]
    error = told["error"]
    assert (error["code"], error["message"]) == ("NotFound", "there is no order nowhere")
    assert error["details"] == ["google.rpc.ErrorInfo"] and error["requestId"]
    assert told["codes"] == ["InvalidArgument", "Unavailable", "Unauthenticated", "DataLoss"]
    assert (told["late"], told["left"]) == ("DeadlineExceeded", "Canceled")
    assert (told["streamError"]["code"], told["streamError"]["details"]) == ("NotFound", ["google.rpc.ErrorInfo"])
    eventually(lambda: len(backend.told("cancelled", method="Watch")) > left)


def test_connect_get_asks_by_url(browser, site, gateway):
    browser(site.page, "rpc", f"http://{gateway.address}", "connect-get")
    lines = [line for line in gateway.log() if line.get("path", "").endswith("Orders/Get")]
    assert any(line["verb"] == "GET" for line in lines)


def test_what_a_page_may_read(browser, site, other_site, gateway, url):
    assert browser(site.page, "may", url) == {"plain": 200, "preflighted": 200, "withCookies": "TypeError",
                                              "sent": "opaque"}
    assert browser(other_site.page, "may", url) == {"plain": "TypeError", "preflighted": "TypeError",
                                                    "withCookies": "TypeError", "sent": "opaque"}


def test_a_page_may_send_its_cookies_where_the_config_says_so(browser, site, other_site, backend, tmp_path):
    with gateway_for(tmp_path, backend, site, True) as gateway:
        url = f"http://{gateway.address}"
        assert browser(site.page, "may", url) == {"plain": 200, "preflighted": 200, "withCookies": 200, "sent": "opaque"}
        assert browser(other_site.page, "may", url)["withCookies"] == "TypeError"
