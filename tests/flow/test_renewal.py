"""Certificates with `watch: true`: new files behind their paths are taken by themselves; what does not fit is told, and not used."""
import shutil
import socket
import ssl
import subprocess

import pytest
from gateway import BINARY, Gateway
from operators import Authority
from processes import eventually, free_port

CONFIG = """
listen:
  - 127.0.0.1:$port
  - address: 127.0.0.1:$secure
    tls: {certificate: default.pem, key: default.key, certificates: [{certificate: shop.pem, key: shop.key}], watch: true}
  - address: 127.0.0.1:$still
    tls: {certificate: default.pem, key: default.key}
admin: 127.0.0.1:$admin
log: "-"
loops: 1
watch_every: 30ms
services: []
"""


class World:
    def __init__(self, folder, gateway, authority):
        self.folder, self.gateway, self.authority = folder, gateway, authority

    def subject(self, port="secure", host="localhost"):
        """Of the certificate that a new client is shown."""
        context = ssl.create_default_context(cafile=self.folder / "ca.pem")
        with socket.create_connection(("127.0.0.1", self.gateway.words[port]), 20) as peer, \
                context.wrap_socket(peer, server_hostname=host) as secure:
            return dict(part[0] for part in secure.getpeercert()["subject"])["commonName"]

    def sign(self, name, subject, host):
        """A new pair beside the one in use: to be put in its place."""
        self.authority.sign(f"new-{name}", f"/CN={subject}", f"DNS:{host}")

    def put(self, name, *ends):
        for end in ends or ("pem", "key"):
            shutil.move(self.folder / f"new-{name}.{end}", self.folder / f"{name}.{end}")

    def told(self, event):
        return len(self.gateway.events(event))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("renewal")
    authority = Authority(folder)
    authority.sign("default", "/CN=default", "DNS:localhost")
    authority.sign("shop", "/CN=shop", "DNS:shop.example")
    with Gateway(folder, CONFIG, secure=free_port(), still=free_port()) as gateway:
        yield World(folder, gateway, authority)


def test_a_new_pair_is_taken_by_itself_and_without_watch_by_a_reload(world):
    ends = world.gateway.metric("passerelle_certificate_ends_timestamp_seconds", where=f"listener 127.0.0.1:{world.gateway.words['secure']}")
    assert (world.subject(), world.subject("still")) == ("default", "default")
    world.sign("default", "second", "localhost")
    world.put("default")
    eventually(lambda: world.subject() == "second")
    eventually(lambda: world.told("certificate_renewed") == 1)
    assert "listener 127.0.0.1:" in world.gateway.events("certificate_renewed")[0]["message"]
    shown = world.gateway.metric("passerelle_certificate_ends_timestamp_seconds", where=f"listener 127.0.0.1:{world.gateway.words['secure']}")
    assert shown >= ends
    assert world.subject("still") == "default" and world.told("config_loaded") == 0
    world.gateway.reload()
    eventually(lambda: world.subject("still") == "second")


def test_a_certificate_for_a_name_is_taken_too(world):
    world.sign("shop", "another shop", "shop.example")
    world.put("shop")
    eventually(lambda: world.subject(host="shop.example") == "another shop")
    assert world.subject(host="localhost") != "another shop"


def test_half_a_file_is_waited_for_then_told_and_the_last_good_pair_stays(world):
    before, renewed = world.subject(), world.told("certificate_renewed")
    world.sign("default", "third", "localhost")
    whole = (world.folder / "new-default.pem").read_bytes()
    (world.folder / "default.pem").write_bytes(whole[:len(whole) // 2])
    told = world.told("certificate_not_taken")
    eventually(lambda: world.told("certificate_not_taken") == told + 1)
    line = world.gateway.events("certificate_not_taken")[-1]
    assert line["level"] == "error" and "default.pem" in line["causes"][0]["doing"]
    assert world.subject() == before and world.told("certificate_renewed") == renewed
    world.put("default")
    eventually(lambda: world.subject() == "third")
    assert world.told("certificate_not_taken") == told + 1


def test_a_key_of_another_pair_is_told(world):
    before, told = world.subject(), world.told("certificate_not_taken")
    world.sign("default", "fourth", "localhost")
    world.put("default", "key")
    eventually(lambda: world.told("certificate_not_taken") == told + 1)
    assert "does not match the certificate" in world.gateway.events("certificate_not_taken")[-1]["causes"][0]["doing"]
    assert world.subject() == before
    world.put("default", "pem")
    eventually(lambda: world.subject() == "fourth")


def test_a_certificate_that_has_ended_does_not_take_the_place_of_a_good_one(world):
    before, told = world.subject(), world.told("certificate_not_taken")
    world.authority.sign("new-default", "/CN=ended", "DNS:localhost", days=-1)
    world.put("default")
    eventually(lambda: world.told("certificate_not_taken") == told + 1)
    assert "default.pem has ended" in world.gateway.events("certificate_not_taken")[-1]["causes"][0]["doing"]
    assert world.subject() == before
    world.sign("default", "fifth", "localhost")
    world.put("default")
    eventually(lambda: world.subject() == "fifth")
    assert world.told("certificate_fits") == 0


def test_the_same_files_put_back_end_what_was_told(world):
    good = {end: (world.folder / f"default.{end}").read_bytes() for end in ("pem", "key")}
    told, renewed = world.told("certificate_not_taken"), world.told("certificate_renewed")
    (world.folder / "default.key").write_text("nothing")
    eventually(lambda: world.told("certificate_not_taken") == told + 1)
    for end, text in good.items():
        (world.folder / f"default.{end}").write_bytes(text)
    eventually(lambda: world.told("certificate_fits") == 1)
    assert world.told("certificate_not_taken") == told + 1 and world.told("certificate_renewed") == renewed


def test_nothing_to_watch_is_a_mistake(world):
    config = world.folder / "wrong.yaml"
    config.write_text("listen: ['127.0.0.1:0']\nroutes: [{match: /, instances: [{address: 'gw:1', tls: {watch: true}}]}]\n")
    done = subprocess.run([BINARY, "check", config], capture_output=True, text=True)
    assert done.returncode == 1 and "tls.watch: there is no certificate to watch" in done.stdout
