"""Nothing is leaked: valgrind looks at a gateway that had calls of every kind, failures and a reload."""
import grpc
import pytest
from backends import Backend, client, order_v3, v1, v3
from gateway import BINARY, SANDBOX, Gateway, instances
from processes import eventually

VALGRIND = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite", "--soname-synonyms=somalloc=*jemalloc*"]


def test_valgrind_has_nothing_to_say_at_exit(tmp_path):
    if "asan" in BINARY or "tsan" in BINARY:
        pytest.skip("a sanitizer looks already")
    if SANDBOX:
        pytest.skip("valgrind makes system calls of its own in the process, which the sandbox refuses")
    with Backend("v3") as backend:
        with Gateway(tmp_path, under=VALGRIND, instances=instances(("v3", backend.port))) as gateway:
            stub = client(gateway, "v3")
            made = stub.Import(iter(v3.CreateRequest(order=order_v3()) for _ in range(3)))
            assert len(list(stub.Lookup(iter(v3.GetRequest(id=i) for i in made.ids)))) == 3
            assert client(gateway, "v1").Get(v1.GetRequest(id=made.ids[0])).customer == "ada"
            assert gateway.http("POST", "/v1/orders", "{", {"Content-Type": "application/json"}).status == 400
            with pytest.raises(grpc.RpcError):
                stub.List(v3.ListRequest(), timeout=0.5, metadata=[("shop-delay", "30")])
            gateway.reload()
            assert gateway.http("GET", "/v1/orders").status == 200
            watching = stub.Watch(v3.WatchRequest(id=made.ids[0]))
            next(watching)
            watching.cancel()
            eventually(lambda: backend.told("cancelled", method="Watch"))
            backend.kill()
            assert gateway.http("GET", "/v1/recommendations").status == 200
