#!/usr/bin/env python3
"""What Skep is built from: licences, sources and duplicates of all dependencies, from the lock file.

Two circles of packages:
  shipped   what the library with all its features brings to who uses it: only permissive licences,
            no package in two versions but those listed here
  workshop  the program, tests, benches and peers besides: weak copyleft is welcome, and duplicates
            that are listed here

Needs no network once the lock file's packages are there. Advisories are not looked at here: their
database is not to be had without one (ci/supply.sh asks cargo-deny, where it is).
Exit code 1: something is not as it should be, and is told.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict

PERMISSIVE = {"MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "Unlicense",
              "BSL-1.0", "CC0-1.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"}
WEAK_COPYLEFT = {"MPL-2.0", "MPL-2.0+"}
# Under these flags only: for who checks Skep, not for who uses it.
CHECKERS = {"cfg(loom)", "cfg(shuttle)"}
# Shipped in two versions: traits without code, of which postcard (feature `save`) wants both.
SHIPPED_TWICE = {"embedded-io"}
# In two versions in the workshop: of which each is wanted by packages that are not ours to change.
DUPLICATES = {"embedded-io", "getrandom", "hashbrown", "r-efi", "rand_core", "syn", "thiserror",
              "thiserror-impl", "windows-sys"}


def is_allowed(licence, allowed):
    """Whether a licence expression can be met: `A OR B`, `A/B`, `A AND B`, brackets."""
    either = r"\s+OR\s+|/"
    bracket = re.search(r"\(([^()]*)\)", licence)
    if bracket:
        inner = "MIT" if is_allowed(bracket[1], allowed) else "no"
        return is_allowed(licence[:bracket.start()] + inner + licence[bracket.end():], allowed)
    return any(all(part.strip() in allowed for part in re.split(r"\s+AND\s+", choice))
               for choice in re.split(either, licence))


def shipped_from(root, nodes):
    """The packages that a build of `root` for its users needs."""
    found, left = set(), [root]
    while left:
        package = left.pop()
        if package in found:
            continue
        found.add(package)
        for dependency in nodes[package]["deps"]:
            kinds = dependency["dep_kinds"]
            if any(it["kind"] != "dev" and it["target"] not in CHECKERS for it in kinds):
                left.append(dependency["pkg"])
    return found


def versions(packages):
    found = defaultdict(set)
    for package in packages:
        found[package["name"]].add(package["version"])
    return {name: sorted(them) for name, them in found.items() if len(them) > 1}


def faults(metadata, shipped):
    own = set(metadata["workspace_members"])
    others = [package for package in metadata["packages"] if package["id"] not in own]
    for package in others:
        name, licence = f"{package['name']} {package['version']}", package["license"] or "none"
        allowed = PERMISSIVE if package["id"] in shipped else PERMISSIVE | WEAK_COPYLEFT
        if not is_allowed(licence, allowed):
            yield f"{name}: licence {licence}"
        if not (package["source"] or "").startswith("registry+"):
            yield f"{name}: not from a registry"
    for name, them in versions([it for it in others if it["id"] in shipped]).items():
        if name in SHIPPED_TWICE:
            continue
        yield f"shipped in two versions: {name} {', '.join(them)}"
    twice = versions(others)
    for name in sorted(twice.keys() - DUPLICATES):
        yield f"in two versions, and not listed in this script: {name} {', '.join(twice[name])}"
    for name in sorted(DUPLICATES - twice.keys()):
        yield f"listed in this script, but in one version: {name}"


def main():
    assert is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0", PERMISSIVE)
    assert not is_allowed("MIT AND GPL-3.0", PERMISSIVE) and not is_allowed("none", PERMISSIVE)
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features"]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    root = next(it["id"] for it in metadata["packages"] if it["name"] == "skep")
    shipped = shipped_from(root, nodes)
    for package in sorted((packages[it] for it in shipped - {root}), key=lambda it: it["name"]):
        print(f"{package['name']:24} {package['version']:12} {package['license']}")
    print(f"shipped with all features: {len(shipped) - 1} packages;"
          f" in the workshop: {len(packages) - len(metadata['workspace_members'])}")
    found = list(faults(metadata, shipped))
    for fault in found:
        print(f"error: {fault}", file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
