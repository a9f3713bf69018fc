"""Creates an order by a generated client, and reads it.   use_client.py FOLDER URL

FOLDER is the package that openapi-python-client has made: client_orders_v1, _v2 or _v3.
"""
import importlib
import pathlib
import sys

folder, url = pathlib.Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(folder.parent))
package = folder.name
models = importlib.import_module(f"{package}.models")


def operation(name):
    return importlib.import_module(f"{package}.api.orders.orders_{name}")


ORDERS = {
    "client_orders_v1": lambda: models.Order(customer="ada", total_cents="1999", items=[models.Item(sku="teapot", quantity=1)]),
    "client_orders_v2": lambda: models.Order(customer_id="ada", total=models.Money(units="19", nanos=990000000), currency="EUR"),
    "client_orders_v3": lambda: models.OrderInput(buyer=models.BuyerInput(id="ada"), currency="EUR",
                                                  total=models.Money(units="19", nanos=990000000)),
}

with importlib.import_module(f"{package}.client").Client(base_url=url) as client:
    made = operation("create").sync(client=client, body=ORDERS[package]())
    read = operation("get").sync(made.id, client=client)
    assert read.to_dict() == made.to_dict() and made.id, (made, read)
    assert "ada" in str(read.to_dict()), read
    lost = operation("get").sync(client=client, id="nowhere")
    assert (lost.status, lost.code, lost.retryable) == (404, "NOT_FOUND", False), lost
print(f"order {made.id} was created and read")
