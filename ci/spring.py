#!/usr/bin/env python3
"""Gives the shuttle scenarios teeth: springs each trap of weaken.py's list, one at a time, and says
which scenarios fail. Orderings are not looked at: shuttle's memory is sequentially consistent.

  ci/spring.py                      all traps
  ci/spring.py E1 D12               those whose names begin so
  ci/spring.py --executions 500     so many executions of each scenario

Exit code 1: a trap that is listed in EXPECTED below is not found. The others are told, and are for
the loom models to find.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import weaken

# Traps that some scenario must find. What is missing here needs a state of a few steps' length, or
# an ordering: ci/weaken.py has a model for it.
EXPECTED = [
    "D3: the watermark is not read again after the announcement",
    "D9: an entry's last release kills without a comparison",
    "D10: the links below a list are cut at once",
    "V4: a version is passed by that a snapshot needs",
    "D12: the watermark moves before the heads do",
    "D13: a refused commit is installed",
    "D13: the watermark passes a pending commit",
    "D13: a refused commit keeps its claims",
    "E1: reclaimed one epoch after the retirement",
    "E1: the epoch moves on past whoever is pinned",
    "E2: the last handle does not look whether it is the last",
    "T1: a commit is freed when it is taken out",
    "W1: a committer takes the list and wakes nobody",
]


def build(tree, target):
    """Builds the scenarios of the tree; their program."""
    environment = dict(
        os.environ,
        RUSTFLAGS="--cfg shuttle -A warnings",
        CARGO_TARGET_DIR=str(target),
        CARGO_PROFILE_RELEASE_LTO="off",
        CARGO_PROFILE_RELEASE_DEBUG="0",
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS="16",
    )
    command = ["cargo", "test", "--release", "-p", "shuttle-tests", "--lib", "--no-run"]
    built = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    found = re.search(r"Executable.*\((.*)\)", built.stderr)
    if built.returncode != 0 or not found:
        sys.exit(built.stderr)
    program = pathlib.Path(found.group(1))
    return program if program.is_absolute() else tree / program


def scenarios(program):
    """The names of all scenarios."""
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    return re.findall(r"^(\S+): test$", listed.stdout, re.MULTILINE)


def finds(program, scenario, place, options):
    """Whether a scenario fails with a place broken: by an assertion, a crash or without an end."""
    environment = dict(
        os.environ,
        WEAKEN=str(place.number),
        SHUTTLE_EXECUTIONS=str(options.executions),
    )
    try:
        ran = subprocess.run(
            [program, "--exact", scenario],
            env=environment,
            capture_output=True,
            timeout=options.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    return ran.returncode != 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("traps", nargs="*", help="only traps whose names begin so")
    parser.add_argument("--executions", type=int, default=1000, help="of each scenario")
    parser.add_argument("--seconds", type=float, default=120, help="a scenario's time at most")
    parser.add_argument("--scenarios", nargs="+", help="only those with one of these in the name")
    parser.add_argument("--target", help="a target directory to keep")
    options = parser.parse_args()
    missed = []
    with tempfile.TemporaryDirectory(prefix="spring-") as scratch:
        tree = pathlib.Path(scratch) / "tree"
        ignored = shutil.ignore_patterns("target", ".git", "corpus", "artifacts")
        shutil.copytree(weaken.ROOT, tree, ignore=ignored)
        places = [place for place in weaken.break_all(tree) if place.protocol]
        program = build(tree, options.target or pathlib.Path(scratch) / "target")
        words = options.scenarios or [""]
        names = [name for name in scenarios(program) if any(word in name for word in words)]
        for place in places:
            if options.traps and not place.what.startswith(tuple(options.traps)):
                continue
            found = [name for name in names if finds(program, name, place, options)]
            short = ", ".join(name.split("::")[-1] for name in found)
            print(f"{place.what} -> {short or 'none'}", flush=True)
            if place.what in EXPECTED and not found:
                missed.append(place.what)
    for what in missed:
        print(f"not found: {what}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
