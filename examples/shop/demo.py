#!/usr/bin/python3
"""The shop's story, told by running it: `make demo`; with ONCE=1 it ends when it is told.

Three versions of one service and clients of each, before them one gateway. Every call is shown with the
answer and the reason; what was promised about it is checked. Ends with 0 only if all of it was so.
"""
import json
import os
import signal
import sys
import time

from followers import Listener, Waiter, progress
from rollout import a_build_with_a_fault
from shop.hosting.v2 import hosting_pb2 as hosting
from stage import SITES, Stage, v1, v2, v3, wait_for


def four_clients_one_order(stage):
    stage.page.scene("Four clients, one order", """\
Only the v3 backend runs: it speaks gRPC, and only v3. A v1 client comes with JSON over HTTP/1.1, another \
with gRPC, a v2 client with Connect, a v3 client with gRPC. Each speaks as it always did.""")
    page = stage.page
    made = stage.curl("a v1 client orders, with REST", "/v1/orders", "--json", json.dumps({
        "customer": "ada", "street": "1 Kirkgate", "city": "Leeds", "zip": "LS1",
        "items": [{"sku": "teapot", "quantity": 1}], "totalCents": "1999"}))
    page.check("it is created, and has v1's shape: cents, a flat street, PENDING",
               made.status == 200 and made.json.get("totalCents") == "1999"
               and made.json.get("street") == "1 Kirkgate" and made.json.get("status") == "PENDING")
    page.check("v3 answered", made.log.get("served_version") == "v3")
    page.check("the client is told that v1 ages", "deprecation" in made.headers and "sunset" in made.headers)
    order_id = made.json.get("id", "")

    same = stage.curl("it reads the order again", f"/v1/orders/{order_id}")
    page.check("and sees the same", same.status == 200 and same.json == made.json)

    old = stage.grpc("a v1 client reads it, with gRPC", "v1", "Get", v1.GetRequest(id=order_id))
    page.check("customer ada, 1999 cents, PENDING", old.code == "OK" and old.reply.customer == "ada"
               and old.reply.total_cents == 1999 and old.reply.status == v1.PENDING)

    middle = stage.curl("a v2 client reads it, with Connect's JSON", "/shop.orders.v2.Orders/Get",
                        "--json", json.dumps({"id": order_id}))
    page.check("customerId, a total of units and nanos, an address of its own, QUEUED",
               middle.json.get("customerId") == "ada" and middle.json.get("status") == "QUEUED"
               and middle.json.get("total") == {"units": "19", "nanos": 990000000}
               and middle.json.get("shipping", {}).get("street") == "1 Kirkgate")
    page.check("v1 never said a currency: the change list did", middle.json.get("currency") == "EUR")

    new = stage.grpc("a v3 client reads it, with gRPC", "v3", "Get", v3.GetRequest(id=order_id))
    page.check("buyer.id, delivery.address, PLACED", new.code == "OK" and new.reply.buyer.id == "ada"
               and new.reply.delivery.address.postal_code == "LS1" and new.reply.state == v3.PLACED)

    v3_made = stage.grpc("the v3 client orders, too", "v3", "Create", v3.CreateRequest(order=v3.Order(
        buyer=v3.Buyer(id="grace"), currency="EUR", total=v3.Money(units=5),
        lines=[v3.Line(sku="kite", quantity=2)])))
    page.check("the bytes went through untouched", v3_made.code == "OK"
               and v3_made.log.get("served_why") == "native")
    seen = stage.curl("and the v1 client sees that order as its own kind", f"/v1/orders/{v3_made.reply.id}"
                      if v3_made.reply else "/v1/orders/none")
    page.check("500 cents, customer grace", seen.json.get("totalCents") == "500"
               and seen.json.get("customer") == "grace")

    told = stage.explain("why so? The gateway explains any request, before it is made", "GET",
                         f"/v1/orders/{order_id}", "v3")
    page.check("version and rule, route, instance, and each field that is not the same",
               "by the rule prefix" in told and "cents_to_money" in told)
    return order_id


def mistakes_are_told(stage, order_id):
    stage.page.scene("Mistakes are told, each in the client's own tongue", """\
v3 takes no order of nobody, and says so of buyer.id. A v1 client knows that field as customer, and is told \
of customer.""")
    page = stage.page
    rest = stage.curl("v1 REST, without a customer", "/v1/orders", "--json", '{"totalCents": "100"}')
    page.check("400, as application/problem+json, and it names the field",
               rest.status == 400 and "problem+json" in rest.headers.get("content-type", "")
               and "customer" in json.dumps(rest.json))
    rpc = stage.grpc("v1 gRPC, the same", "v1", "Create", v1.CreateRequest(order=v1.Order(total_cents=100)))
    page.check("INVALID_ARGUMENT, and it names the field",
               rpc.code == "INVALID_ARGUMENT" and "customer" in rpc.message)
    connect = stage.curl("v2 Connect, the same", "/shop.orders.v2.Orders/Create",
                         "--json", '{"order": {"total": {"units": "1"}}}')
    page.check("400, invalid_argument in Connect's spelling, and it names v2's field",
               connect.status == 400 and connect.json.get("code") == "invalid_argument"
               and "customer_id" in json.dumps(connect.json))
    unknown = stage.curl("a version that nobody made", "/v9/orders/" + order_id)
    page.check("404, not a guess", unknown.status == 404)
    rpc = stage.grpc("v1 gRPC asks for an order that is not there", "v1", "Get", v1.GetRequest(id="no-7"))
    page.check("NOT_FOUND, as the service said it", rpc.code == "NOT_FOUND")
    typo = stage.curl("a field that v1 does not have", "/v1/orders", "--json", '{"custommer": "ada"}')
    page.check("400, and the nearest name that is known", typo.status == 400
               and "customer" in json.dumps(typo.json))


def v3_dies(stage, order_id):
    stage.page.scene("The v3 backend is killed", """\
Nobody is left. The route of orders is loud: the whole cause, and a request id to quote. The route of \
recommendations is graceful: a default that was checked against the schema when the config was loaded.""")
    page = stage.page
    stage.backends["v3"].kill()
    loud = stage.curl("v1 REST reads the order", f"/v1/orders/{order_id}")
    request_id = loud.json.get("request_id", "")
    page.check("503, retryable, with the chain of causes",
               loud.status == 503 and loud.json.get("retryable") is True and loud.json.get("causes"))
    page.check("the request id is in the log", request_id and loud.log.get("request_id") == request_id)
    rpc = stage.grpc("v3 gRPC reads it", "v3", "Get", v3.GetRequest(id=order_id))
    page.check("UNAVAILABLE", rpc.code == "UNAVAILABLE")
    graceful = stage.curl("v1 REST asks for recommendations", "/v1/recommendations?customer=ada")
    page.check("200 with the default, in v1's shape, and marked",
               graceful.status == 200
               and graceful.json == {"items": [{"sku": "classic-mug", "quantity": 1}]})
    page.check("Passerelle-Degraded says why", "passerelle-degraded" in graceful.headers)

    stage.page.scene("The v3 backend comes back", "No restart, no reload: the gateway tries again by itself.")
    stage.backends["v3"].start()

    def recovered():
        status, headers, _ = stage.fetch(f"http://127.0.0.1:{stage.port}/v1/recommendations")
        return status == 200 and "passerelle-degraded" not in headers

    began = time.monotonic()
    came_back = wait_for(recovered)
    page.check(f"the graceful route has recovered, {time.monotonic() - began:.1f} s later", came_back)
    stage.wait_until_tried_again("v3")
    made = stage.grpc("and so has the loud one", "v3", "Create", v3.CreateRequest(order=v3.Order(
        buyer=v3.Buyer(id="ada"), currency="EUR", total=v3.Money(units=1))))
    page.check("OK", made.code == "OK")


def an_older_one_helps_out(stage):
    stage.page.scene("A v3 client, served by the v1 backend", """\
Another instance, years old, still runs v1 and has its own copy of the orders. v3 is killed once more; the \
change lists work in both directions, so v1 can answer, and what it cannot say is marked.""")
    page = stage.page
    stage.backends["v1"].start()
    stage.backends["v1"].stub().Create(v1.CreateRequest(order=v1.Order(
        id="legacy-7", customer="ada", street="1 Kirkgate", city="Leeds", zip="LS1", total_cents=4250,
        status=v1.PAID, comment="leave it with the neighbours")))
    stage.wait_until_tried_again("v1")
    stage.backends["v3"].kill()
    read = stage.grpc("v3 gRPC reads an order that v1 has", "v3", "Get", v3.GetRequest(id="legacy-7"))
    page.check("it has v3's shape: buyer.id, 42 units and 500000000 nanos, PAID",
               read.code == "OK" and read.reply.buyer.id == "ada" and read.reply.total.units == 42
               and read.reply.total.nanos == 500000000 and read.reply.state == v3.PAID)
    page.check("the comment has no place in v3: the loss is marked",
               any(key.startswith("passerelle-lost") for key in read.headers))
    stage.backends["v3"].start()
    stage.backends["v2"].start()


def everyone_at_home(stage):
    stage.page.scene("All three are up", "Each client is now served by an instance that speaks its version.")
    page = stage.page
    for version in stage.backends:
        stage.wait_until_tried_again(version)
    for version, module in (("v1", v1), ("v2", v2), ("v3", v3)):
        read = stage.grpc(f"{version} gRPC lists orders", version, "List", module.ListRequest())
        page.check(f"by the {version} backend", read.code == "OK"
                   and read.log.get("served_version") == version)


def one_page_of_many_calls(stage):
    stage.page.scene("One page out of many calls", """\
The panel's page about a customer is made of six calls, which the gateway makes at once. Three go well, one of them in v1, \
whose backend has gone: another version answers. Nobody serves the stock, reviews take five seconds, and points are garbage: these legs are graceful. The \
page is there when the slowest leg's time is over, and says what became of each.""")
    page = stage.page
    stage.extras.start()
    stage.backends["v1"].kill()
    old = stage.grpc("a v1 client orders", "v1", "Create", v1.CreateRequest(order=v1.Order(
        customer="linus", street="1 Kirkgate", city="Leeds", zip="LS1", total_cents=1999)))
    made = stage.grpc("a v2 client orders", "v2", "Create", v2.CreateRequest(order=v2.Order(
        customer_id="linus", currency="EUR", total=v2.Money(units=7), items=[v2.Item(sku="teapot", quantity=1)])))
    got = stage.curl("the panel reads the customer's page", "/panel/customers/linus")
    states = {leg["name"]: leg["state"] for leg in got.json.get("legs", ())}
    order_id, old_id = made.reply and made.reply.id, old.reply and old.reply.id
    page.check("200, with the v2 order and the recommendations", got.status == 200 and got.json.get("recommendations")
               and order_id in [order["id"] for order in got.json.get("orders", ())])
    page.check("and the v1 order in cents, from another version",
               {"id": old_id, "totalCents": "1999"} in got.json.get("inCents", ()))
    page.check("the report says what is missing",
               states == {"orders": "ok", "tips": "ok", "in_cents": "ok", "teapots": "failed", "reviews": "skipped",
                          "points": "degraded"} and "teapots" not in got.json)
    page.check("and so does passerelle-legs", "teapots; state=failed" in got.headers.get("passerelle-legs", ""))
    took = got.log.get("total_ms", 0)
    page.check(f"it was there after {took:.0f} ms: reviews had 300 ms, and not five seconds", 300 <= took < 1000)
    told = stage.explain("what the page is made of", "GET", "/panel/customers/linus", "v1")
    page.check("each leg, with its timeout and its fallbacks", "leg       teapots: /shop.stock.v1.Stock/Count" in told)


def a_site_takes_its_time(stage):
    stage.page.scene("A site takes its time", """\
A machine is reserved and configured, the site is published and announced: each call is slow, and one in five \
fails, before or after it had its effect. So a site is a job: its client is answered when it is stored, and \
whoever wants to know follows it in his own way. In the middle of it the gateway is killed.""")
    page = stage.page
    stage.hosting.start()
    told = stage.explain("what it takes", "POST", "/v1/sites", "v2")
    page.check("each step, what makes it harmless to repeat, and how it is undone", "once by its idempotency key" in told
               and "undo      publish: /shop.hosting.v2.Backstage/Unpublish" in told)
    made = stage.curl("a v1 client wants a site, with REST", "/v1/sites", "--json", '{"name": "kites", "plan": "small"}')
    link, name = made.headers.get("location", ""), made.json.get("operation", "none")
    page.check("202 at once: IN_WORK, no machine yet, and the address where to ask for it",
               made.status == 202 and made.json.get("status") == "IN_WORK" and "address" not in made.json
               and link == f"/v1/{name}" and "retry-after" in made.headers)
    waiter, listener = Waiter(stage.port, name, "v2"), Listener(stage.port, name)
    page.step("a browser follows it", f"curl -N -H 'accept: text/event-stream' http://127.0.0.1:{stage.port}{link}")
    seen = stage.grpc("a v2 client reads the site, with gRPC", "v2", "Get", hosting.GetRequest(name="kites"), stub=SITES)
    page.check("PROVISIONING, and it is the same operation", seen.code == "OK" and seen.reply.state == hosting.PROVISIONING
               and seen.reply.operation == name)
    page.step("and waits for that", f'grpc v2 Operations.WaitOperation({{"name": "{name}"}})')
    killed_before_it_hears(stage)
    polled_until_it_is_done(stage, link)
    both_were_told(page, waiter.join(), listener.join())
    each_effect_was_made_once(stage, name)


def killed_before_it_hears(stage):
    page = stage.page
    reserved = wait_for(lambda: stage.hosting.told("effect"))
    killed = stage.serving()
    os.kill(killed, signal.SIGKILL)
    page.step("a machine is reserved, and the gateway is killed before it hears of it", f"kill -9 {killed}")
    page.check("the machine is there", reserved and reserved[0]["what"] == "reserve")
    page.check("another process serves", wait_for(lambda: stage.serving() not in (None, killed) and stage.is_ready()))
    again = stage.curl("somebody else wants the same site", "/v2/sites", "--json", '{"name": "kites", "plan": "large"}')
    page.check("409: the job is not forgotten", again.status == 409 and again.json.get("reason") == "JOB_BUSY")


def polled_until_it_is_done(stage, link):
    page, statuses, url = stage.page, [], f"http://127.0.0.1:{stage.port}{link}"
    page.step("the v1 client asks for it, as often as it may", f"curl -H 'api-version: v1' {url}")
    while not statuses or statuses[-1] == 202 and len(statuses) < 20:
        if statuses:
            time.sleep(int(headers["retry-after"]))
        status, headers, body = stage.fetch(url, "-H", "api-version: v1")
        operation = json.loads(body)
        page.answer(" ".join([str(status), *progress(operation)]))
        statuses.append(status)
    site = operation.get("response", {})
    page.answer(json.dumps(site))
    page.check(f"{len(statuses) - 1} times 202, then 200", statuses[0] == 202 and statuses[-1] == 200)
    page.check("v1's site is ONLINE, with a flat address", site.get("@type", "").endswith("shop.hosting.v1.Site")
               and site.get("status") == "ONLINE" and site.get("address", "").startswith("10."))


def both_were_told(page, waiter, listener):
    site = hosting.Site()
    page.step("the v2 client has waited, and asked again when it was broken off", "; ".join(waiter.broken))
    found = waiter.operation.response.Unpack(site)
    page.answer(str(site).replace("\n", " "))
    page.check("the operation is done, with v2's site: LIVE, with an endpoint", found and site.state == hosting.LIVE
               and site.endpoint.address.startswith("10."))
    page.step("the browser has followed, and connected again when it was broken off", "; ".join(listener.broken))
    show_states(page, listener)
    page.check("it was told of each state, up to the end", listener.states()[-1:] == [("done", "announce")])


def show_states(page, listener):
    page.answer(" > ".join(" ".join(filter(None, state)) for state in listener.states()))


def effects_on(stage, *things):
    """What the services have really done, in this order."""
    return [told["what"] for told in stage.hosting.told("effect") if told["on"] in things]


def each_effect_was_made_once(stage, name):
    page, job = stage.page, name.removeprefix("operations/")
    keys = [(told["method"], told["metadata"].get("idempotency-key", "")) for told in stage.hosting.told("call")]
    reserved = [key for method, key in keys if method == "Reserve"]
    page.step("what the services were asked", "; ".join(f"{method} {key}" for method, key in keys if job in key))
    page.check(f"Reserve {len(reserved)} times, with the same key", len(reserved) > 1 and set(reserved) == {f'"{job}-reserve"'})
    made = effects_on(stage, job, "kites")
    page.step("what they did", ", ".join(made))
    page.check("each once", made == ["reserve", "configure", "publish", "announce"])
    read = stage.curl("the site is read now", "/v1/sites/kites")
    page.check("from the service: the job is over", read.json.get("status") == "ONLINE" and read.log.get("instance")
               and "passerelle-job" not in read.headers)


def what_cannot_be_is_undone(stage):
    stage.page.scene("What cannot be is undone", """\
Another site's machine breaks while it is set up. No retry helps: what was done is undone, the last of it first.""")
    page = stage.page
    made = stage.curl("a v1 client wants a site", "/v1/sites", "--json", '{"name": "broken-kites", "plan": "small"}')
    name = made.json.get("operation", "none")
    page.check("202, as always", made.status == 202)
    page.step("it follows it", f"curl -N -H 'accept: text/event-stream' http://127.0.0.1:{stage.port}/v1/{name}")
    listener = Listener(stage.port, name).join()
    show_states(page, listener)
    last = listener.told[-1] if listener.told else {}
    page.answer(json.dumps(last.get("error")))
    page.check("the operation is done, with an error", last.get("done") and last.get("error", {}).get("code"))
    done = effects_on(stage, name.removeprefix("operations/"), "broken-kites")
    page.step("what the services did", ", ".join(done))
    page.check("what was configured is erased, then what was reserved is released",
               done == ["reserve", "configure", "erase", "release"])
    gone = stage.curl("the site is read", "/v1/sites/broken-kites")
    page.check("404: there is none", gone.status == 404)


def a_version_ends(stage):
    stage.page.scene("v1 ends, without a restart", """\
The operator moves v1's sunset into the past and sends SIGHUP. A config with a mistake is refused, and the \
running one stays.""")
    page = stage.page
    good = stage.config
    stage.replace("versions: [v1]", "versions: [v7]")
    said = stage.reload()
    page.step("a config that names version v7", "kill -HUP " + str(stage.gateway.child.pid))
    page.answer("\n".join(said))
    page.check("refused, and it says where", any("v7" in line for line in said))
    alive = stage.curl("v1 REST lists orders", "/v1/orders")
    page.check("the old config is at work", alive.status == 200)

    stage.config = good
    stage.replace("deprecated: 2026-03-01, sunset: 2028-03-01", "deprecated: 2019-03-01, sunset: 2020-03-01")
    said = stage.reload()
    page.step("a good one: v1's sunset is past", "kill -HUP " + str(stage.gateway.child.pid))
    page.answer("\n".join(said))
    gone = stage.curl("v1 REST lists orders", "/v1/orders")
    page.check("410 Gone, and it lists what is supported", gone.status == 410
               and "v2" in json.dumps(gone.json) and "v3" in json.dumps(gone.json))
    rpc = stage.grpc("v1 gRPC lists orders", "v1", "List", v1.ListRequest())
    page.check("UNIMPLEMENTED", rpc.code == "UNIMPLEMENTED")
    stage.config = good
    stage.reload()


def tell(stage):
    stage.start_gateway()
    stage.backends["v3"].start()
    order_id = four_clients_one_order(stage)
    mistakes_are_told(stage, order_id)
    v3_dies(stage, order_id)
    an_older_one_helps_out(stage)
    everyone_at_home(stage)
    one_page_of_many_calls(stage)
    a_site_takes_its_time(stage)
    what_cannot_be_is_undone(stage)
    a_build_with_a_fault(stage)
    a_version_ends(stage)


def serve(stage):
    stage.page.put()
    stage.page.put(f"Serving on http://127.0.0.1:{stage.port} until Ctrl-C; metrics on "
                   f"http://127.0.0.1:{stage.admin}/metrics; config in {stage.folder}/shop.yaml", "title")
    stage.page.put(f"curl http://127.0.0.1:{stage.port}/v2/orders", "code", 4)
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()


def main():
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    stage = Stage()
    code = 1
    try:
        tell(stage)
        page = stage.page
        page.put()
        page.put(f"{page.good + page.bad} promises, {page.bad} not kept", "bad" if page.bad else "good")
        if os.environ.get("ONCE") != "1":
            serve(stage)
        code = 1 if page.bad else 0
    except KeyboardInterrupt:
        code = 130
    finally:
        ended = stage.stop()
    sys.exit(code or (1 if ended else 0))


if __name__ == "__main__":
    main()
