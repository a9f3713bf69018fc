"""The rows of the table: which work is done, by whom, and what is aimed at."""
from beside import peers
from beside.peers import ENVOY, GRPC_GATEWAY, HAPROXY, HAPROXY_EQUAL, NGHTTPX, NGINX, VANGUARD

PLAIN, CONVERTED = "", "converted"


class Row:
    """
    `ours`: {PLAIN or CONVERTED: load}, the first of which peers are compared with. `theirs`: the load of peers, by default the plain one.
    `unread`: what HAProxy is asked for at its port h1 where others convert. `unit`: of what `cpu` is told.
    """

    def __init__(self, group, name, port, ours, others, theirs=None, unread=None, unit="call"):
        self.group, self.name, self.port, self.ours = group, name, port, ours
        self.whole_name = f"{group}: {name}"
        self.others, self.theirs, self.unread, self.unit = others, theirs or ours[PLAIN], unread, unit

    def arms(self):
        """(contender, name of the arm, port, load) of each."""
        for label, load in self.ours.items():
            yield peers.OURS, f"{peers.OURS.name}{', ' if label else ''}{label}", self.port, load
        for other in self.others:
            if self.port in other.ports:
                yield other, other.name, self.port, self.theirs
        if self.unread:
            yield HAPROXY, f"{HAPROXY.name}, unread", "h1", self.unread


def rows(shop):
    proxies = (HAPROXY, HAPROXY_EQUAL, NGINX, NGHTTPX, ENVOY)
    bare = (HAPROXY, NGINX, NGHTTPX, ENVOY)
    every = (*proxies, VANGUARD)

    def passed(name, port, load, others, group="Passed on"):
        return Row(group, name, port, {PLAIN: load}, others)

    def stream(name, others=bare, changed=True, **more):
        ours = {PLAIN: shop.stream(**more)} | ({CONVERTED: shop.stream("v1", **more)} if changed else {})
        return Row("Streams of 10,000 messages", name, "h2", ours, others, unit="message")

    def converted(name, of, unread=None, others=(ENVOY, GRPC_GATEWAY, VANGUARD)):
        return Row("Converted to gRPC", name, "rest", {CONVERTED: of("v1"), PLAIN: of("v3")}, others, of("v3"), unread)

    return [
        passed("HTTP/1.1, 57 B", "h1", shop.http1(), proxies),
        passed("HTTP/1.1, 64 KiB", "h1", shop.http1_large(connections=32), bare),
        passed("HTTP/1.1, 4,500 connections", "h1", shop.http1(connections=4500), (HAPROXY, NGINX, ENVOY)),
        passed("HTTP/1.1, a new connection for each call", "h1", shop.http1(connections=16, fresh=True), bare),
        Row("Passed on", "gRPC unary, 100 in flight", "h2", {PLAIN: shop.unary(), CONVERTED: shop.unary("v1")}, every),
        passed("gRPC unary, 1 in flight on each of 64 connections", "h2", shop.unary(connections=64, streams=1), every),
        passed("HTTP/1.1", "h1s", shop.http1(tls=True), bare, "TLS"),
        passed("gRPC unary, 100 in flight", "h2s", shop.unary(tls=True), bare, "TLS"),
        passed("HTTP/1.1, a new connection for each call", "h1s", shop.http1(connections=8, fresh=True, tls=True), bare, "TLS"),
        stream("small", (*proxies, VANGUARD)),
        stream("small, in windows of 4 KiB", changed=False, window=4096),
        stream("of mixed sizes, 14 B to 17 KB", changed=False, right=shop.mixed, reply="mixed"),
        stream("small, each in a packet of its own", reply="drips"),
        converted("REST GET", shop.rest),
        converted("REST POST", shop.rest_post, shop.rest_unread()),
        converted("REST list of 1,000", shop.rest_list),
        converted("Connect", shop.connect, others=(ENVOY, VANGUARD)),
        converted("gRPC-Web", shop.grpc_web, others=(ENVOY, VANGUARD)),
    ]


class Aim:
    """
    What one line of the issue's table asks for. `figure(results)`: the figure, or None where it was not measured. `show`: how
    figures are written.
    """

    def __init__(self, what, at_most, figure, show="{:.2f}"):
        self.what, self.at_most, self.figure, self.show = what, at_most, figure, show

    def judge(self, results):
        figure = self.figure(results)
        verdict = "not measured" if figure is None else "met" if figure <= self.at_most else "missed"
        return {"what": self.what, "at_most": self.at_most, "figure": figure, "verdict": verdict,
                "aim_text": self.show.format(self.at_most), "figure_text": "-" if figure is None else self.show.format(figure)}


def ratio(row, peer, arm=None):
    """Of one row: what ours costs, or that arm of ours, by what the peer does."""
    def figure(results):
        ratios = results["rows"].get(row, {}).get("ratios", {})
        found = ratios.get(f"{arm or peers.OURS.name} / {peer}")
        return found and found["ratio"]
    return figure


def at(path):
    """A figure of the results by the names that lead to it."""
    def figure(results):
        for name in path:
            results = results.get(name) if results else None
        return results
    return figure


def aims():
    ours_changed = f"{peers.OURS.name}, {CONVERTED}"
    http, unary, small = "Passed on: HTTP/1.1, 57 B", "Passed on: gRPC unary, 100 in flight", "Streams of 10,000 messages: small"
    found = [Aim(f"HTTP/1.1 passed on, beside {peer}", 0.85, ratio(http, peer.name)) for peer in (HAPROXY, NGINX, NGHTTPX)]
    found += [Aim(f"gRPC unary passed on, beside {peer}", most, ratio(unary, peer.name)) for peer, most in ((HAPROXY, 0.70), (NGHTTPX, 0.95))]
    found += [Aim(f"gRPC stream of small messages, same version, beside {peer}", most, ratio(small, peer.name))
              for peer, most in ((HAPROXY, 0.90), (NGHTTPX, 1.10))]
    found.append(Aim("gRPC stream, version changed: instructions for each message more than unchanged", 600,
                     at(("instructions", "change of a message of a stream")), "{:,.0f}"))
    found += [Aim(f"{kind}, converted, beside {peer} unconverted", most, ratio(f"Converted to gRPC: {kind}", peer.name, ours_changed))
              for kind in ("REST GET", "REST POST", "REST list of 1,000")
              for peer, most in ((ENVOY, 0.15), (GRPC_GATEWAY, 0.20), (VANGUARD, 0.10))]
    found.append(Aim("REST POST v1 to gRPC v3, beside HAProxy passing it unread, h1 to h1", 1.0,
                     ratio("Converted to gRPC: REST POST", "HAProxy, unread", ours_changed)))
    found += [Aim(f"version change: {name}", most, ratio(row, peers.OURS.name, ours_changed))
              for name, row, most in (("gRPC unary", unary, 1.08), ("REST list of 1,000", "Converted to gRPC: REST list of 1,000", 1.25))]
    found.append(Aim("p99 at 70 % load, converted, beside HAProxy unread", 1.0, at(("p99_ratio",))))
    found.append(Aim("a new TLS connection for each call, beside Envoy", 1.0,
                     ratio("TLS: HTTP/1.1, a new connection for each call", ENVOY.name)))
    found += [Aim(f"bytes of an idle {what}", most, at(("memory", what, peers.OURS.name)), "{:,.0f}")
              for what, most in (("HTTP/1.1 connection", 1024), ("HTTP/2 connection", 6144), ("HTTP/2 stream", 4096), ("service", 16384))]
    return found
