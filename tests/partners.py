#!/usr/bin/env python3
"""Builds the set of docs/partners.md with buf, with protoc and with sluis: a gateway takes each, and pins the same.

    python3 tests/partners.py target/debug/sluis

Needs grpcio-tools and buf-bin beside the python3 that runs it.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUF = pathlib.Path(sys.executable).parent / "buf"


def main():
    sluis = pathlib.Path(sys.argv[1]).resolve()
    page = (ROOT / "docs/partners.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="sluis-partners-") as place:
        folder = pathlib.Path(place)
        protos = folder / "protos"
        shutil.copytree(ROOT / "proto/sluis/options", protos / "sluis/options")
        (protos / "permits.proto").write_text(page.split("```proto\n")[1].split("```")[0], encoding="utf-8")
        subprocess.run([sluis, "demo", "--dir", folder / "demo"], check=True, stdout=subprocess.DEVNULL)
        builders = {
            "buf": [BUF, "build", "-o", "../buf.binpb"],
            "protoc": [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--include_imports",
                       "--descriptor_set_out=../protoc.binpb", "permits.proto"],
            "sluis": [sluis, "source", "build", "permits.proto", "--output", "../sluis.binpb"],
        }  # fmt: skip
        pins = {}
        for name, command in builders.items():
            subprocess.run(command, check=True, cwd=protos, stdout=subprocess.DEVNULL)
            config = folder / "demo" / f"with-{name}.toml"
            shutil.copy(folder / "demo/sluis.toml", config)
            added = subprocess.check_output(
                [sluis, "source", "add", "parking", "--endpoint", "https://localhost:1", "--ca", folder / "demo/pki/ca.pem",
                 "--descriptors", folder / f"{name}.binpb", "--config", config, "--output", "json"],
                text=True,
            )  # fmt: skip
            pins[name] = json.loads(added)["methods"][0]["descriptors"]
    if len(set(pins.values())) != 1:
        sys.exit(f"the same file, and other pins: {pins}")
    print("docs/partners.md: buf, protoc and sluis build sets that pin the same")


if __name__ == "__main__":
    main()
