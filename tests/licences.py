#!/usr/bin/env python3
"""Holds the licence of every dependency to the list in deny.toml. Python's standard library only.

    cargo metadata --format-version 1 | python3 tests/licences.py deny.toml

SPDX expressions (SPDX 2.3, annex D): OR, AND, WITH, parentheses, and the old "/" for OR.
"""

import json
import re
import sys
import tomllib


def satisfied(expression, allowed):
    """Whether an SPDX expression can be met with allowed licences only. ValueError where it is none."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def term():
        if not tokens:
            raise ValueError("it ends too early")
        name = tokens.pop(0)
        if name == "(":
            met = either()
            if not tokens or tokens.pop(0) != ")":
                raise ValueError("a parenthesis is not closed")
            return met
        if name in (")", "OR", "AND", "WITH"):
            raise ValueError(f"`{name}` where a licence should stand")
        if tokens[:1] == ["WITH"]:
            tokens.pop(0)
            name += " WITH " + (tokens.pop(0) if tokens else "")
        return name in allowed

    def both():
        met = term()
        while tokens[:1] == ["AND"]:
            tokens.pop(0)
            met = term() and met
        return met

    def either():
        met = both()
        while tokens[:1] == ["OR"]:
            tokens.pop(0)
            met = both() or met
        return met

    met = either()
    if tokens:
        raise ValueError(f"`{tokens[0]}` is one too many")
    return met


def check_the_checker():
    allowed = {"MIT", "ISC", "Apache-2.0 WITH LLVM-exception"}
    for expression, expected in [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only/MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only AND GPL-2.0-only", True),
        ("(MIT OR GPL-3.0-only) AND GPL-2.0-only", False),
        ("(MIT OR GPL-3.0-only) AND ISC", True),
        ("Apache-2.0", False),
        ("Apache-2.0 WITH LLVM-exception", True),
    ]:
        assert satisfied(expression, allowed) is expected, expression
    for broken in ["", "MIT OR", "(MIT", "MIT)", "MIT ISC", "AND MIT"]:
        try:
            satisfied(broken, allowed)
        except ValueError:
            continue
        raise AssertionError(broken)


def main():
    check_the_checker()
    with open(sys.argv[1], "rb") as file:
        rules = tomllib.load(file)
    allowed = set(rules["licenses"]["allow"])
    banned = {ban["name"]: ban["reason"] for ban in rules["bans"]["deny"]}
    packages = json.load(sys.stdin)["packages"]
    faults = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        try:
            if not satisfied(package["license"] or "", allowed):
                faults.append(f"{name}: {package['license']} is not allowed by {sys.argv[1]}")
        except ValueError as fault:
            faults.append(f"{name}: its licence {package['license']!r} cannot be read: {fault}")
        if package["name"] in banned:
            faults.append(f"{name}: banned, {banned[package['name']]}")
        if package["source"] is not None and not package["source"].startswith("registry+"):
            faults.append(f"{name}: comes from {package['source']}, not from the registry")
    print("\n".join(sorted(faults)) or f"{len(packages)} packages, all under allowed licences")
    return 1 if faults or not packages else 0


if __name__ == "__main__":
    sys.exit(main())
