"""Makes the shop's descriptor set and Python stubs: stubs.py PROTO_FOLDER SET_OUT STUBS_OUT STAMP."""
import pathlib
import subprocess
import sys

proto, descriptor_set, stubs, stamp = sys.argv[1:]
orders = [f"shop/orders/{version}/orders.proto" for version in ("v1", "v2", "v3")]
panel = ["shop/panel/v1/panel.proto", "shop/stock/v1/stock.proto", "shop/extras/v1/extras.proto"]  # which the gateway alone reads
hosting = ["shop/hosting/v1/hosting.proto", "shop/hosting/v2/hosting.proto", "shop/machines/v1/machines.proto"]
shared = ["google/api/http.proto", "google/api/annotations.proto", "google/api/field_behavior.proto",
          "google/rpc/status.proto"]
operations = "google/longrunning/operations.proto"  # which the gateway serves: for clients of jobs

# One set with all versions and everything they import: what the gateway reads.
subprocess.run(["protoc", f"-I{proto}", "--include_imports", "--include_source_info", f"--descriptor_set_out={descriptor_set}",
                *orders, *panel, *hosting, "google/rpc/status.proto"], check=True)

served = pathlib.Path(proto).parents[2] / "gateway/job_view/proto"
pathlib.Path(stubs).mkdir(parents=True, exist_ok=True)
subprocess.run(["protoc", f"-I{proto}", f"-I{served}", f"--python_out={stubs}", *orders, *hosting, *shared, operations], check=True)
subprocess.run(["protoc", f"-I{proto}", f"-I{served}", f"--grpc_out={stubs}",
                "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", *orders, *hosting, operations], check=True)
pathlib.Path(stamp).touch()
