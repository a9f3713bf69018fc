"""When API keys were last used, how often, and by which gateway."""
import json
import time

import pytest
from gateway import Gateway
from operators import command
from processes import eventually
from test_access import key

CONFIG = """
listen: ['127.0.0.1:$port']
node: $node
admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock'}
store: $store
api_keys_unused: $unused
authentication: [{api_keys: {file: $keys, look: 50ms}}]
routes: [{match: /x/, instances: ['127.0.0.1:1']}]
"""


def gateway_of(folder, node, keys, store, unused="90d", config=CONFIG):
    (folder / node).mkdir(exist_ok=True)
    return Gateway(folder / node, config, node=node, keys=keys, store=store, unused=unused)


@pytest.fixture
def keys(tmp_path):
    """A file with the keys of ada, who calls, and of bob, who does not; and ada's."""
    file = tmp_path / "api-keys.yaml"
    ada = key("make", file, "ada")[1].strip()
    key("make", file, "bob")
    return file, ada


def call(gateway, secret, n=1):
    for _ in range(n):
        assert gateway.http("GET", "/x/", headers={"x-api-key": secret}).status != 401


def used(gateway, file, *words):
    """The rows of `passerelle key list --used`, by client."""
    done = command(gateway, "key", "list", file, "--used", "--json", *words)
    assert done.returncode == 0, done.stderr
    return {row["client"]: row for row in json.loads(done.stdout)["keys"]}


def page(gateway):
    return {row["id"]: row for row in json.loads(command_page(gateway))["keys"]}


def command_page(gateway):
    from operators import on_socket
    return on_socket(gateway.folder / "admin.sock", "GET", "/keys").body


def test_each_call_counts_at_its_gateway_and_for_all_that_share_the_store(tmp_path, keys):
    file, ada = keys
    before = time.time()
    with gateway_of(tmp_path, "gw1", file, tmp_path / "store.db") as first:
        with gateway_of(tmp_path, "gw2", file, tmp_path / "store.db") as second:
            assert used(first, file)["ada"]["calls"] == 0 and "last" not in used(first, file)["ada"]
            call(first, ada, 3)
            call(second, ada, 2)
            assert first.http("GET", "/x/", headers={"x-api-key": ada[:-1] + "_"}).status == 401  # no use of any key
            eventually(lambda: used(first, file)["ada"]["calls"] >= 3)
            assert used(second, file)["ada"]["calls"] >= 2
        # The second one has written what it counted when it stopped.
        row = eventually(lambda: used(first, file)["ada"]["calls"] == 5 and used(first, file)["ada"])
        assert row["last"].startswith("20") and before - 86400 < time.mktime(time.strptime(row["last"], "%Y-%m-%dT%H:%M:%SZ")) < before + 2 * 86400
        whole = page(first)[ada[:12]]
        assert {one["node"]: one["calls"] for one in whole["gateways"]} == {"gw1": 3, "gw2": 2} and not whole["unused"]
        assert used(first, file)["bob"]["calls"] == 0
        lines = command(first, "key", "list", file, "--used").stdout.splitlines()
        assert lines[0].split()[-3:] == ["LAST", "USED", "CALLS"] and lines[1].split()[-1] == "5" and lines[2].split()[-2:] == ["never", "0"]
        (file.parent / "gw1" / "gateway.yaml").touch()
    with gateway_of(tmp_path, "gw1", file, tmp_path / "store.db") as again:
        eventually(lambda: used(again, file)["ada"]["calls"] == 5)
        call(again, ada)
        eventually(lambda: used(again, file)["ada"]["calls"] == 6)


def test_a_key_that_nobody_uses_is_told_and_one_that_is_used_is_not(tmp_path, keys):
    file, ada = keys
    with gateway_of(tmp_path, "gw1", file, tmp_path / "store.db") as gateway:
        eventually(lambda: gateway.metric("passerelle_api_keys", state="used") == 2)  # both are known since just now
    with gateway_of(tmp_path, "gw1", file, tmp_path / "store.db", unused="1s") as gateway:
        call(gateway, ada)
        told = eventually(lambda: gateway.events("key_unused"))
        bob = key("list", file)[1].splitlines()[2].split()[0]
        assert bob in told[0]["message"]
        assert gateway.metric("passerelle_api_keys", state="unused") >= 1


def test_without_a_store_a_gateway_tells_of_itself(tmp_path, keys):
    file, ada = keys
    config = CONFIG.replace("store: $store\n", "")
    with gateway_of(tmp_path, "gw1", file, "", config=config) as gateway:
        call(gateway, ada, 4)
        assert used(gateway, file)["ada"]["calls"] == 4
        # A key that is gone is not shown any more, and a file that was changed forgets nothing.
        key("revoke", file, page(gateway)[ada[:12]]["id"].replace(ada[:12], key("list", file)[1].splitlines()[2].split()[0]))
        eventually(lambda: list(page(gateway)) == [ada[:12]])
        assert used(gateway, file)["ada"]["calls"] == 4
