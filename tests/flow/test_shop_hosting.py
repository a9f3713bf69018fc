"""The shop's hosting, as it is in examples/shop/shop.yaml: a site is made once, also if the gateway is killed; or undone."""
import signal

import pytest
from backends import Backend
from gateway import SHOP, Gateway
from processes import eventually

CONFIG = (SHOP / "shop.yaml").read_text()
for own, here in (("127.0.0.1:8080", "127.0.0.1:$port"), ("127.0.0.1:9901", "127.0.0.1:$admin"), ("127.0.0.1:7005", "127.0.0.1:$hosting"),
                  ("orders.binpb", "$orders"), ("orders-v", "$shop/orders-v"), ("hosting-v", "$shop/hosting-v"),
                  ("lease: 2s, look: 200ms", "lease: 1s, look: 50ms"), ("initial_backoff: 100ms", "initial_backoff: 10ms"),
                  ("max_backoff: 2s", "max_backoff: 50ms"), ("every: 200ms", "every: 50ms")):
    assert own in CONFIG
    CONFIG = CONFIG.replace(own, here)


@pytest.fixture(scope="module")
def hosting():
    with Backend("hosting", arguments=["--slow", "0.1", "--fail", "0.3", "--seed", "3"]) as backend:
        yield backend


@pytest.fixture
def gateway(tmp_path, hosting):
    with Gateway(tmp_path, CONFIG, hosting=hosting.port) as gateway:
        yield gateway


def create(gateway, name):
    """The path of the operation."""
    answer = gateway.http("POST", "/v1/sites", {"name": name, "plan": "small"})
    assert answer.status == 202 and answer.json["status"] == "IN_WORK"
    return answer.headers["location"]


def ended(gateway, path):
    """The operation, as v1 has it, when it is done."""
    answer = gateway.http("POST", f"{path}:wait", {"timeout": "30s"}, {"api-version": "v1"})
    assert answer.json["done"]
    return answer.json


def effects(hosting, path, name):
    things = (path.removeprefix("/v1/operations/"), name)
    return [told["what"] for told in hosting.told("effect") if told["on"] in things]


def test_the_shops_config_has_no_mistake_and_no_doubt(tmp_path):
    done = Gateway(tmp_path, CONFIG, hosting=7005).check()
    assert done.returncode == 0 and "jobs of hosting.Sites/Create in v2" in done.stdout
    assert "gateway.yaml:" not in done.stdout + done.stderr  # where a doubt is about


def test_a_site_is_made_once_though_the_gateway_is_killed_before_it_hears_of_its_machine(gateway, hosting):
    path = create(gateway, "kites")
    eventually(lambda: effects(hosting, path, "kites"))
    gateway.process.child.send_signal(signal.SIGKILL)
    gateway.process.child.wait()
    gateway.start()
    told = ended(gateway, path)
    assert told["response"]["status"] == "ONLINE" and told["response"]["address"].startswith("10.0.0.")
    assert effects(hosting, path, "kites") == ["reserve", "configure", "publish", "announce"]
    assert gateway.http("GET", "/v1/sites/kites").json == {
        "name": "kites", "plan": "small", "address": told["response"]["address"], "status": "ONLINE"}


def test_a_site_whose_machine_breaks_is_undone_the_last_step_first(gateway, hosting):
    path = create(gateway, "broken-kites")
    assert ended(gateway, path)["error"]["code"] == 9  # FAILED_PRECONDITION
    assert effects(hosting, path, "broken-kites") == ["reserve", "configure", "erase", "release"]
    assert gateway.http("GET", "/v1/sites/broken-kites").status == 404
