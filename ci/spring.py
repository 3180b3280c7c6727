#!/usr/bin/env python3
"""Gives the shuttle scenarios teeth: springs each trap of weaken.py's list, one at a time, and says
which scenarios fail. Orderings are not looked at: shuttle's memory is sequentially consistent.

  ci/spring.py                      all traps
  ci/spring.py R3 C1                those whose names begin so
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
    "H1: the watermark is not read again after the announcement",
    "E3: an entry's last release kills without a comparison",
    "V3: the links below a list are cut at once",
    "V4: a version is passed by that a snapshot needs",
    "V6: a link that is left to the commit is given back by itself as well",
    "C1: the watermark passes a hole",
    "C1: the watermark moves before the heads do",
    "D1: a refused commit is installed",
    "D1: the watermark passes a pending commit",
    "D4: a refused commit keeps its claims",
    "R3: reclaimed one epoch after the retirement",
    "R2: the epoch moves on past whoever is pinned",
    "V5: the last handle does not look whether it is the last",
    "G3: a commit is freed when it is taken out",
    "Q1: a committer takes the list and wakes nobody",
]


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
        unknown = set(EXPECTED) - {place.what for place in places}
        if unknown:
            sys.exit(f"no such traps: {', '.join(sorted(unknown))}")
        target = options.target or pathlib.Path(scratch) / "target"
        program = weaken.build(tree, target, "shuttle")
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
