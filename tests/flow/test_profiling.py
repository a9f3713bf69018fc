"""Profiles of a gateway that serves, and is in the sandbox; read by the official proto of pprof (tests/flow/pprof)."""
import contextlib
import gzip
import importlib.util
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from backends import Backend
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from operators import command, on_socket
from processes import eventually
from test_large_messages import KIB, body_of, post

CONFIG = SHOP_CONFIG.replace("admin: {address: 127.0.0.1:$admin}", """\
admin:
  address: 127.0.0.1:$admin
  socket: unix:$folder/admin.sock
  profiles: {longest: 3s, heap: true}""") + "loops: 1\nsandbox: true\n"
LONGEST = 3
SANITIZED = "asan" in BINARY or "tsan" in BINARY
with_jemalloc = pytest.mark.skipif(SANITIZED, reason="a sanitizer has an allocator of its own")
in_time = pytest.mark.skipif("tsan" in BINARY, reason="ThreadSanitizer hands signals on when it suits it")


def pprof_messages():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", f"-I{Path(__file__).parent}/pprof", f"--python_out={folder}", "profile.proto"], check=True)
        found = importlib.util.spec_from_file_location("pprof_profile_pb2", f"{folder}/profile_pb2.py")
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module


PPROF = pprof_messages()


class Profile:
    """`stacks`: [(its functions, the innermost first, and what was counted of it)]"""

    def __init__(self, body):
        self.message = PPROF.Profile.FromString(gzip.decompress(body))
        texts = self.message.string_table
        assert texts[0] == ""
        names = {function.id: texts[function.name] for function in self.message.function}
        self.names = {location.id: [names[line.function_id] for line in location.line] for location in self.message.location}
        self.types = [(texts[kind.type], texts[kind.unit]) for kind in self.message.sample_type]
        self.files = [texts[mapping.filename] for mapping in self.message.mapping]
        self.comments = [texts[comment] for comment in self.message.comment]
        self.default = texts[self.message.default_sample_type]
        self.total = sum(sample.value[1] for sample in self.message.sample)
        self.stacks = [([name for location in sample.location_id for name in self.names[location]], sample.value[1])
                       for sample in self.message.sample]

    def threads(self):
        return {self.message.string_table[label.str] for sample in self.message.sample for label in sample.label}


def share(stacks, function):
    """Of all that was counted, what is in this function or in what it has called."""
    return sum(value for stack, value in stacks if function in stack) / sum(value for _, value in stacks)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Backend("v3") as backend, Gateway(tmp_path_factory.mktemp("profiling"), CONFIG,
                                           instances=instances(("v3", backend.port))) as gateway:
        yield gateway


@contextlib.contextmanager
def busy(gateway):
    """Calls whose messages are work for the loop, all the time."""
    over, body = threading.Event(), body_of(40 * KIB)

    def call():
        while not over.is_set():
            assert post(gateway, body).status == 200

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        over.set()
        for caller in callers:
            caller.join()


def ask(gateway, path):
    return on_socket(gateway.folder / "admin.sock", "GET", path)


def test_a_profile_is_complete(gateway):
    with busy(gateway):
        answer = ask(gateway, "/debug/profile?seconds=1")
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "cpu.pb.gz" in answer.headers["content-disposition"]
    profile = Profile(answer.body)
    assert profile.types == [("samples", "count"), ("cpu", "nanoseconds")] and profile.default == "cpu"
    assert profile.message.period == 10_000_000
    assert 1e9 <= profile.message.duration_nanos < 60e9
    assert abs(profile.message.time_nanos / 1e9 - time.time()) < 120
    assert profile.total == 10_000_000 * sum(sample.value[0] for sample in profile.message.sample)
    assert profile.files[0].endswith("/" + Path(BINARY).name) and any("libc.so" in file for file in profile.files)
    assert len(profile.message.string_table[profile.message.mapping[0].build_id]) == 40
    assert profile.comments[0].startswith("passerelle ")
    assert " 0 lost, 0 cut, 0 threads unseen" in profile.comments[1]
    assert eventually(lambda: gateway.events("profile_begun"))


@in_time
def test_profiles_say_what_a_busy_gateway_does(gateway):
    """As many as it takes: who shares its machine with others gets few samples in a second."""
    stacks, threads, costs, end = [], set(), [], time.monotonic() + 60
    with busy(gateway):
        while sum(value for _, value in stacks) < 30 * 10_000_000 and time.monotonic() < end:
            profile = Profile(ask(gateway, "/debug/profile?seconds=1").body)
            stacks += profile.stacks
            threads |= profile.threads()
            costs.append(float(profile.comments[1].split("sampling took ")[1].split(" %")[0]))
    # Bodies of JSON are read, and converted: nothing else takes as long.
    assert share(stacks, "plan_run") > 0.2
    assert share(stacks, "worker_run") > 0.5
    assert "loop 0" in threads
    assert min(costs) < 2
    # No frame of the handler is in a profile, and callers are in it only once.
    assert not any({"on_tick", "take_sample", "unwind_interrupted", "backtrace"} & set(stack) for stack, _ in stacks)
    assert all(stack.count("worker_run") <= 1 for stack, _ in stacks)


@with_jemalloc
def test_a_profile_of_the_heap_says_who_holds_memory(gateway):
    answer = ask(gateway, "/debug/heap")
    assert answer.status == 200, answer.body
    profile = Profile(answer.body)
    assert profile.types == [("inuse_objects", "count"), ("inuse_space", "bytes")] and profile.default == "inuse_space"
    assert profile.message.period == 512 * 1024
    assert profile.total > MIB_OF_RECORDS
    assert share(profile.stacks, "request_ring_init") > 0.2  # room for the records of calls is what an idle gateway holds most of
    assert not any("malloc" in stack or "calloc" in stack for stack, _ in profile.stacks)  # whoever has called them is the innermost


MIB_OF_RECORDS = 4 << 20


@pytest.mark.skipif(not SANITIZED, reason="this gateway has jemalloc")
def test_with_another_allocator_there_is_no_profile_of_the_heap(gateway):
    assert ask(gateway, "/debug/heap").status == 409
    assert ask(gateway, "/debug/allocator").status == 501


@with_jemalloc
def test_the_allocator_tells_its_statistics(gateway):
    told = ask(gateway, "/debug/allocator").json
    assert told["jemalloc"]["stats"]["allocated"] > 0
    assert told["jemalloc"]["arenas"]["bin"]


def test_the_lag_of_each_loop_is_told(gateway):
    with busy(gateway):
        answer = eventually(lambda: (answer := ask(gateway, "/debug/loops")).json["loops"][0]["lag_ms"]["max"] > 0 and answer)
    loop, = answer.json["loops"]
    assert loop["loop"] == 0
    assert loop["lag_ms"]["p50"] <= loop["lag_ms"]["p99"] <= loop["lag_ms"]["max"] < 60000
    longest = loop["longest"]
    assert longest[0]["ms"] == loop["lag_ms"]["max"]
    assert longest == sorted(longest, key=lambda turn: -turn["ms"])
    assert all(turn["at"].startswith("20") and turn["stood_ms"] >= 0 for turn in longest)


@pytest.mark.parametrize("query", ["seconds=0", f"seconds={LONGEST + 1}", "seconds=x", "seconds=", "hz=100", "seconds=1&hz=1"])
def test_other_parameters_are_refused(gateway, query):
    answer = ask(gateway, f"/debug/profile?{query}")
    assert answer.status == 400
    assert f"seconds=N, from 1 to {LONGEST}" in answer.json["detail"]


def test_the_heap_takes_no_parameters(gateway):
    assert ask(gateway, "/debug/heap?seconds=1").status == 400


def begin(gateway, seconds):
    """The socket of a request for a profile that is being taken."""
    asking = socket.socket(socket.AF_UNIX)
    asking.connect(str(gateway.folder / "admin.sock"))
    asking.sendall(f"GET /debug/profile?seconds={seconds} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return asking


def test_one_is_taken_at_a_time_and_ends_when_its_asker_goes(gateway):
    with begin(gateway, LONGEST):
        refused = eventually(lambda: (answer := ask(gateway, "/debug/profile?seconds=1")).status == 409 and answer)
        assert refused.json["detail"].startswith(f"a CPU profile of {LONGEST} s is being taken since 20")
        assert ask(gateway, "/debug/heap").status == 409
        assert gateway.admin("/healthz").status == 200  # nobody else waits for it
    gone = time.monotonic()
    assert eventually(lambda: b"being taken" not in ask(gateway, "/debug/heap").body)
    assert time.monotonic() - gone < LONGEST


def test_no_page_of_another_site_takes_one(gateway):
    for path in ("/debug/profile?seconds=1", "/debug/heap"):
        for fields in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            assert on_socket(gateway.folder / "admin.sock", "GET", path, fields).status == 403


def test_who_asks_for_the_head_takes_none(gateway):
    began = time.monotonic()
    assert on_socket(gateway.folder / "admin.sock", "HEAD", "/debug/profile?seconds=1").status == 200
    assert time.monotonic() - began < 1


def test_only_operators_may_take_them(gateway):
    for path in ("/debug/profile", "/debug/heap", "/debug/allocator"):
        assert gateway.admin(path).status == 401


def test_the_command_writes_a_file(gateway):
    file = gateway.folder / "cpu.pb.gz"
    done = command(gateway, "profile", "--seconds", "1", "-o", file)
    assert done.returncode == 0, done.stderr
    assert Profile(file.read_bytes()).types[1] == ("cpu", "nanoseconds")
    assert str(file) in done.stdout
    done = command(gateway, "profile", "--heap", "-o", file)
    assert done.returncode == (1 if SANITIZED else 0), done.stderr
    assert Profile(file.read_bytes()).types[1] == ("cpu" if SANITIZED else "inuse_space", "nanoseconds" if SANITIZED else "bytes")


def test_the_command_tells_what_is_wrong(gateway):
    file = gateway.folder / "none.pb.gz"
    for words, code, told in ((("--seconds", "0"), 1, "from 1 to"), (("--seconds", "x"), 2, "number"), (("--heap", "--seconds", "1"), 2, "--heap")):
        done = command(gateway, "profile", *words, "-o", file)
        assert done.returncode == code and told in done.stderr, done.stderr
    assert command(gateway, "profile", "--heap").returncode == 2  # no file is named
    done = command(gateway, "profile", "--heap", "-o", gateway.folder / "none/file")
    assert done.returncode == 1 and "none/file" in done.stderr
    assert not file.exists()


def test_samples_of_the_heap_begin_and_end_with_the_config_and_a_stop_does_not_wait_for_a_profile(tmp_path):
    with Gateway(tmp_path, CONFIG.replace(", heap: true", "").replace("longest: 3s", "longest: 600s"), instances=instances(("v3", 1))) as gateway:
        refused = ask(gateway, "/debug/heap")
        assert refused.status == 409 and "admin.profiles.heap" in refused.json["detail"]
        gateway.write(gateway.config.replace("longest: 600s", "longest: 600s, heap: true"))
        gateway.reload()
        assert SANITIZED or eventually(lambda: ask(gateway, "/debug/heap").status == 200)
        asking = begin(gateway, 600)
        assert eventually(lambda: b"being taken" in ask(gateway, "/debug/profile?seconds=1").body)
    with asking:
        assert b"503" in asking.recv(100)
