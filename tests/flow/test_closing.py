"""How HTTP/1.1 connections end: what was said arrives whole, and nobody is surprised."""
import json
import time

from raw import Raw


def test_an_error_before_the_end_of_a_long_request_arrives_whole_and_says_that_the_connection_ends(shop):
    """Else a client would send its next request there: into a connection that is about to be closed."""
    piece = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    with Raw(shop.gateway.port) as connection:
        connection.send("POST /shop.orders.v3.Orders/Nothing HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n").send(piece)
        time.sleep(0.3)  # by now the answer is on its way, and on it comes
        for _ in range(500):
            connection.send(piece)
        connection.send("0\r\n\r\n")
        told = connection.read_all()
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ") and b"connection: close" in head.lower()
    assert json.loads(body)["code"] == "unimplemented"


def test_an_upload_that_goes_on_slowly_behind_its_error_does_not_cost_the_error(shop):
    """The client reads only when it has sent everything: three seconds after the answer."""
    with Raw(shop.gateway.port) as connection:
        connection.send("POST /shop.orders.v3.Orders/Nothing HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(30):
            connection.send("5\r\nhello\r\n")
            time.sleep(0.1)
        connection.send("0\r\n\r\n")
        told = connection.read_all()
    assert told.startswith(b"HTTP/1.1 404 ") and told.endswith(b"}")
