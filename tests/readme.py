#!/usr/bin/env python3
"""Does what README.md says about calling the gateway, word for word, and compares what comes of it.

    python3 tests/readme.py target/debug/sluis

Needs grpcio, grpcio-tools and buf-bin beside the python3 that runs it.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def read_readme():
    """Of the section on calling the gateway: its commands and program, its words for a shell, and what each prints."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("\n## Ask the gateway\n")[1].split("\n## ")[0]
    blocks = dict(re.findall(r"```(console|python|text|sh|json)\n(.*?)```", section, re.DOTALL))
    commands = [line.removeprefix("$ ") for line in blocks["console"].splitlines()]
    return commands, blocks["python"], blocks["sh"], blocks["text"] + blocks["json"]


def demo(sluis, folder):
    """The demo, once it has told its story."""
    process = subprocess.Popen(
        [sluis, "demo", "--stay", "--dir", folder], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    told = []
    for line in process.stdout:
        told.append(line)
        if line.startswith("demo: "):
            return process
    sys.exit("".join(told) + f"the demo ended with status {process.wait()}")


def main():
    sluis = pathlib.Path(sys.argv[1]).resolve()
    commands, program, shell, expected = read_readme()
    with tempfile.TemporaryDirectory(prefix="sluis-readme-") as place:
        folder = pathlib.Path(place)
        (folder / "proto").symlink_to(ROOT / "proto")
        (folder / "client.py").write_text(program, encoding="utf-8")
        script = "\n".join(["set -e", *commands, shell]).replace("DIR", str(folder / "demo"))
        path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), str(sluis.parent), os.environ["PATH"]])
        process = demo(sluis, folder / "demo")
        try:
            done = subprocess.run(
                ["bash", "-c", script], cwd=folder, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE, text=True
            )
        finally:
            process.terminate()
            process.stdout.read()
            ended = process.wait()
    if (done.returncode, done.stdout, ended) != (0, expected, 0):
        sys.exit(f"README.md says\n{expected}\nand it is, with status {done.returncode}\n{done.stdout}\ndemo: {ended}")
    print("README.md: its clients print what it says")


if __name__ == "__main__":
    main()
