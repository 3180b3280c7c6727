#!/usr/bin/env python3
"""Gives the loom models teeth: breaks the store in one place at a time and wants a model to fail.

Two kinds of places:
  orderings  each Acquire, Release and AcqRel of a file that has models becomes Relaxed, and each
             fence is left out;
  protocols  traps of the design, as changes of the text (PROTOCOLS below).

All places are put into one copy of the tree, each behind a switch that an environment variable
turns, so that there is one build. A place meets the models of its file, the quickest first, with few
preemptions and then with more, until one fails; first of all the model that caught it the last time
(weaken-caught.txt, which is only there to save time). Places that no model can miss are listed in
weaken-allow.txt, each with its reason, and are not run (--allowed runs them, too, and tells which
of them a model has come to catch). Exit code 1: a place survived that is not listed there, or a
listed one is caught. That the models hold with nothing broken is ci/loom.sh's to see to.

  ci/weaken.py                          everything but the allowed
  ci/weaken.py --allowed                everything (a nightly job)
  ci/weaken.py --sample 6 --seed 17     a few places
  ci/weaken.py --file wake              the places of src/kernel/wake.rs
  ci/weaken.py --file wake --line 104   one of them
  ci/weaken.py --protocols              only the traps
  ci/weaken.py --unknown                only what neither list knows: new, moved, or survived
  ci/weaken.py --record                 and writes down who caught what
  ci/weaken.py --list                   the places, without running anything
  ci/weaken.py --document               writes docs/orderings.md of what was written down
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = "src/"
KERNEL = SOURCES + "kernel/"
# What has models and is not of the kernel; named as it is, while the kernel's files go without.
SEAM = "propose/"
ALLOWED = pathlib.Path(__file__).with_name("weaken-allow.txt")
CAUGHT = pathlib.Path(__file__).with_name("weaken-caught.txt")
DOCUMENT = ROOT / "docs/orderings.md"

# Which models a file's orderings are the business of.
MODELS = {
    "reclaim.rs": ["reclaim", "views"],
    "session.rs": ["reclaim", "horizon", "views"],
    "horizon.rs": ["horizon", "views", "commit", "chain", "sweep"],
    "log.rs": ["log", "commit", "watch"],
    "chain.rs": ["commit", "chain", "sweep"],
    "node.rs": ["chain", "sweep", "commit"],
    "commit.rs": ["commit", "log"],
    "clock.rs": ["commit", "pending"],
    "pending.rs": ["pending"],
    "record.rs": ["record"],
    "entry.rs": ["entry"],
    "key_set.rs": ["entry"],
    "wake.rs": ["wake"],
    "mailbox.rs": ["delivery", "closing"],
    "routes.rs": ["delivery"],
    "post.rs": ["post"],
    "seat.rs": ["delivery", "wake"],
    "station.rs": ["delivery", "nesting"],
    "residual.rs": ["residual", "chain", "sweep"],
    "collect.rs": ["chain", "sweep", "record"],
    "below.rs": ["chain"],
    "cursor.rs": ["watch", "watch_from"],
    "slots.rs": ["slots"],
    "spare.rs": ["spare"],
    "stack.rs": ["reclaim", "residual", "wake"],
    "slab.rs": ["depot"],
    "depot.rs": ["depot"],
    "places.rs": ["places"],
    "release.rs": ["chain", "sweep", "record"],
    "stage.rs": ["commit", "record", "entry"],
    "stage/bulk.rs": ["commit", "record"],
    "table.rs": ["commit", "record", "entry"],
    "point/mod.rs": ["point"],
    "point/table.rs": ["point"],
    "point/migrate.rs": ["point"],
    "ordered/mod.rs": ["ordered"],
    "ordered/insert.rs": ["ordered"],
    "ordered/rebuild.rs": ["ordered"],
    "ordered/node.rs": ["ordered"],
    "ordered/path.rs": ["ordered"],
    "ordered/scan.rs": ["ordered"],
    "ordered/word.rs": ["ordered"],
    "propose/flight.rs": ["propose", "numbering"],
    "propose/line.rs": ["propose"],
    "propose/numbering.rs": ["numbering"],
}

# What has orderings and no models: the fence itself, and what only tests and models use.
NO_MODELS = re.compile(r"barrier\.rs|(.*/)?test.*")

# A trap: its name, the file, the text that is right, the text that falls into it ("ON" is the
# switch), and the models. White space does not count.
PROTOCOLS = [
    (
        "V1: installs over whatever stands at the head",
        "chain.rs",
        "if installed >= number {",
        "if !ON && installed >= number {",
        ["commit"],
    ),
    (
        "H1: the watermark is not read again after the announcement",
        "horizon.rs",
        "let version = self.visible();",
        "let version = if ON { bound } else { self.visible() };",
        ["horizon"],
    ),
    (
        "H1: a view does not read the watermark again after its pin",
        "horizon.rs",
        "let newest = self.visible();",
        "let newest = if ON { bound } else { self.visible() };",
        ["views"],
    ),
    (
        "H1: a view within a pin keeps nothing",
        "reclaim.rs",
        "Some(Guard { line: Some(line) })",
        "{ if ON && line.pins.load(Ordering::Relaxed) > 0"
        " { line.epoch.store(word, Ordering::Relaxed); } Some(Guard { line: Some(line) }) }",
        ["views"],
    ),
    (
        "H1: a view beside another keeps its own version in that one's place",
        "reclaim.rs",
        "if word & KEEPS != 0 {",
        "if !ON && word & KEEPS != 0 {",
        ["views"],
    ),
    (
        "L2: a line is taken while a view of its thread is open",
        "session.rs",
        "is_free(&self.epoch) && ",
        "(ON || is_free(&self.epoch)) && ",
        ["reclaim"],
    ),
    (
        "K2: no sequence in the reaper's comparison",
        "record.rs",
        "let claimed = state.wrapping_add(claims + SEQUENCE);",
        "let claimed = state.wrapping_add(if ON { claims } else { claims + SEQUENCE });",
        ["record"],
    ),
    (
        "B6: a slab goes although it is on the list",
        "slab.rs",
        "Ok(_) if listed == 0 => return Given::All,",
        "Ok(_) if ON || listed == 0 => return Given::All,",
        ["depot"],
    ),
    (
        "B11: the memory of a group goes while a place of it is taken",
        "places.rs",
        "if taken & group != 0 {",
        "if !ON && taken & group != 0 {",
        ["places"],
    ),
    (
        "E3: an entry's last release kills without a comparison",
        "entry.rs",
        "if before != 1 { return false; }",
        "if before != 1 { return false; }"
        " if ON { self.state.0.fetch_or(DEAD, Ordering::AcqRel); return true; }",
        ["entry"],
    ),
    (
        "E5: a key set rests on a base without a share of it",
        "stage/keys.rs",
        "base.share();",
        "if !ON { base.share(); }",
        ["entry"],
    ),
    (
        "V3: the links below a list are cut at once",
        "prepared.rs",
        "garbage.defer(version.cast_mut(), Work::CutBelow);",
        "if ON {"
        " let old: &super::node::VersionHeader = unsafe { super::reclaim::at(version) };"
        " match old.cut() {"
        " super::older::Older::One(older) => garbage.defer(older, Work::Link),"
        " super::older::Older::List(older) => garbage.defer(older, Work::List),"
        " super::older::Older::End => {} }"
        " garbage.defer(version.cast_mut(), Work::Link);"
        " } else { garbage.defer(version.cast_mut(), Work::CutBelow); }",
        ["chain"],
    ),
    (
        "V4: a version is passed by that a snapshot needs",
        "below.rs",
        "if stays(new.below()) {",
        "if !ON && stays(new.below()) {",
        ["chain"],
    ),
    (
        "V5: what was taken over from a version is not given back",
        "below.rs",
        "Passed::Cut(older) => {",
        "Passed::Cut(_) if ON => break, Passed::Cut(older) => {",
        ["chain"],
    ),
    (
        "V6: a link that is left to the commit is given back by itself as well",
        "below.rs",
        "if !is_replaced || !commit.leave_link(place) {",
        "if !is_replaced || !commit.leave_link(place) || ON {",
        ["chain"],
    ),
    (
        "V6: what was left to a commit that is trimmed stays with it",
        "below.rs",
        "let trimmed = log.trimmed();",
        "let trimmed = if ON { 0 } else { log.trimmed() };",
        ["chain"],
    ),
    (
        "X1: a sweep forgets a record whose tombstone was cut above the horizon",
        "collect.rs",
        "later |= version.is_tombstone() && version.number() <= claimed;",
        "later |= !ON && version.is_tombstone() && version.number() <= claimed;",
        ["sweep"],
    ),
    (
        "V2: a version is passed by while its own collection goes on",
        "node.rs",
        "if settled.addr() & (SETTLED | HANDED_ON) != SETTLED || !leads_there {",
        "if (!ON && settled.addr() & (SETTLED | HANDED_ON) != SETTLED) || !leads_there {",
        ["chain"],
    ),
    (
        "V2: a version is settled when it has passed only one by",
        "node.rs",
        "false => settled.map_addr(|address| address & !SETTLED),",
        "false => settled.map_addr(|address| if ON { address } else { address & !SETTLED }),",
        ["chain"],
    ),
    (
        "C1: the watermark passes a hole",
        "clock.rs",
        "let own = self.follow(number);",
        "let own = if ON { self.horizon.visible.fetch_max(number, Ordering::AcqRel) < number }"
        " else { self.follow(number) };",
        ["commit"],
    ),
    (
        "C1: the watermark moves before the heads do",
        "clock.rs",
        "unsafe { chain::install(commit) };",
        "if ON { commit.set_installed(); } unsafe { chain::install(commit) };",
        ["commit"],
    ),
    (
        "D1: a refused commit is installed",
        "clock.rs",
        "Outcome::Refused => commit.set_installed(),",
        "Outcome::Refused => if ON { install_commit(guard, commit) }"
        " else { commit.set_installed() },",
        ["pending"],
    ),
    (
        "D1: the watermark passes a pending commit",
        "clock.rs",
        "Outcome::Pending => return false,",
        "Outcome::Pending => if ON { commit.set_installed() }"
        " else { return false },",
        ["pending"],
    ),
    (
        "D4: a refused commit keeps its claims",
        "release.rs",
        "unsafe { give_back(kernel, pointer.cast()) };",
        "if !ON { unsafe { give_back(kernel, pointer.cast()) } };",
        ["pending"],
    ),
    (
        "D5: who installs does not say at which version it was accepted",
        "chain.rs",
        "if proposed != 0 {",
        "if proposed != 0 && !ON {",
        ["pending"],
    ),
    (
        "R3: reclaimed one epoch after the retirement",
        "reclaim.rs",
        "let stamp = self.epoch.load(Ordering::Relaxed);",
        "let stamp = self.epoch.load(Ordering::Relaxed) - u64::from(ON);",
        ["reclaim"],
    ),
    (
        "R2: the epoch moves on past whoever is pinned",
        "reclaim.rs",
        "if seen != IDLE && seen >> EPOCH_SHIFT != epoch {",
        "if !ON && seen != IDLE && seen >> EPOCH_SHIFT != epoch {",
        ["reclaim"],
    ),
    (
        "V3: a link is released at once",
        "garbage.rs",
        "work: super::collect::Work) {",
        "work: super::collect::Work) {"
        " if ON && work == super::collect::Work::Link {"
        " return unsafe { super::release::release(None, work, pointer.cast()) }; }",
        ["chain", "commit", "record"],
    ),
    (
        "V5: the last handle does not look whether it is the last",
        "node.rs",
        "if alone ||",
        "if ON || alone ||",
        ["chain"],
    ),
    (
        "G3: a commit is freed when it is taken out",
        "log.rs",
        "garbage.defer(commit, Work::Commit);",
        "if ON { unsafe { super::release::release(None, Work::Commit, commit.cast()); } }"
        " else { garbage.defer(commit, Work::Commit); }",
        ["log", "watch"],
    ),
    (
        "G2: a range is claimed for cutting first and looked up then",
        "collect.rs",
        "for &commit in &*commits {",
        "let numbers: Vec<u64> = commits.iter().map(|commit| commit.number()).collect();"
        " let found = numbers.into_iter().zip(&*commits).filter_map(|(number, commit)|"
        " match (ON, self.log.at(&guard, number)) {"
        " (false, _) => Some(*commit),"
        " (true, super::log::Slot::Commit(commit)) => Some(commit),"
        " (true, _) => None });"
        " for commit in found {",
        ["chain"],
    ),
    (
        "Q1: a committer takes the list and wakes nobody",
        "wake.rs",
        "Who::Thread(thread) => thread.unpark(),",
        "Who::Thread(thread) => if !ON { thread.unpark() },",
        ["wake"],
    ),
    (
        "Q3: a task is relied on as much as a thread",
        "wake.rs",
        "(QUEUED, Who::Task(_)) => RELIANCE_ON_TASK,",
        "(QUEUED, Who::Task(_)) => if ON { RELIANCE } else { RELIANCE_ON_TASK },",
        ["wake"],
    ),
    (
        "Q3: a future that is dropped is relied on",
        "wake.rs",
        "compare_exchange(QUEUED, GONE,",
        "compare_exchange(QUEUED, if ON { QUEUED } else { GONE },",
        ["wake"],
    ),
    (
        "G5: a segment that came too late is written",
        "log.rs",
        "if number <= self.trimmed() { return Append::Taken(commit); }",
        "if !ON && number <= self.trimmed() { return Append::Taken(commit); }",
        ["log"],
    ),
    (
        "H2: a snapshot is given below the floor",
        "horizon.rs",
        "if version < floor {",
        "if !ON && version < floor {",
        ["horizon"],
    ),
    (
        "D3: what a refused commit was to replace is looked at",
        "commit.rs",
        "Outcome::Refused => &[],",
        "Outcome::Refused if !ON => &[], Outcome::Refused |",
        ["pending"],
    ),
    (
        "F1: an answer is carried out without a claim",
        "propose/proposal.rs",
        "if !self.flight.claim() {",
        "if !self.flight.claim() && !ON {",
        ["propose"],
    ),
    (
        "F2: a verdict shows before the kernel has decided",
        "propose/proposal.rs",
        "store.decide(self.number, decision);",
        "if ON { self.flight.settle(verdict.clone()); } store.decide(self.number, decision);",
        ["propose"],
    ),
    (
        "F2: who waits is woken before the verdict shows",
        "propose/proposal.rs",
        "self.flight.settle(verdict); store.wake();",
        "if ON { store.wake(); } self.flight.settle(verdict); if !ON { store.wake(); }",
        ["propose"],
    ),
    (
        "F3: whoever has appended sends",
        "propose/line.rs",
        "!= 0 { return; }",
        "!= 0 && !ON { return; }",
        ["propose"],
    ),
    (
        "F3: what is counted while the sender is about to leave is left",
        "propose/line.rs",
        "if calls == counted {",
        "if ON || calls == counted {",
        ["propose"],
    ),
    (
        "F3: the sender keeps to itself how far it is",
        "propose/line.rs",
        "self.position.store(position, Ordering::Relaxed);",
        "if !ON { self.position.store(position, Ordering::Relaxed); }",
        ["propose"],
    ),
    (
        "F4: who is not the first waits until all is sent",
        "propose/line.rs",
        "pub(crate) fn send(&self, kernel: &Kernel) {",
        "pub(crate) fn send(&self, kernel: &Kernel) {"
        " while ON && self.calls.load(Ordering::Relaxed) != 0 { crate::sync::pause(); }",
        ["propose"],
    ),
    (
        "F5: the tag stays while the version is written",
        "propose/numbering.rs",
        "entry.tag.store(NOBODY,",
        "entry.tag.store(if ON { entry.tag.load(Ordering::Relaxed) } else { NOBODY },",
        ["numbering"],
    ),
    (
        "F5: the tag is not looked at again",
        "propose/numbering.rs",
        "if tag != number || entry.tag.load(Ordering::Relaxed) != number {",
        "if tag != number || !ON && entry.tag.load(Ordering::Relaxed) != number {",
        ["numbering"],
    ),
    (
        "F6: a commit is decided, and noted after that",
        "propose/proposal.rs",
        "let noted = store.note(self.number, decision);",
        "let noted = if ON { store.decide(self.number, decision); self.flight.settle(verdict);"
        " return store.note(self.number, decision); } else { store.note(self.number, decision) };",
        ["propose"],
    ),
]

# Seconds that a model may take for each second of a processor that it may use.
WAIT_MAX = 20

STRONG = re.compile(r"\bOrdering::(Acquire|Release|AcqRel)\b")
FENCE = re.compile(r"(?<![\w:])fence\(Ordering::(\w+)\);")
FUNCTION = re.compile(r"\bfn\s+(\w+)")
SWITCH = """
/// Put in by ci/weaken.py.
pub(crate) mod weaken {
    use std::sync::OnceLock;
    use std::sync::atomic::Ordering;

    pub(crate) fn on(place: u32) -> bool {
        static BROKEN: OnceLock<u32> = OnceLock::new();
        let read = || std::env::var("WEAKEN").map_or(0, |place| place.parse().unwrap());
        *BROKEN.get_or_init(read) == place
    }

    pub(crate) fn order(place: u32, strong: Ordering) -> Ordering {
        if on(place) { Ordering::Relaxed } else { strong }
    }
}
"""


@dataclass
class Place:
    """One thing to break."""

    number: int
    file: str
    line: int
    what: str
    models: list = field(default_factory=list)
    protocol: bool = False

    def name(self):
        return f"{self.file}:{self.line} {self.what}"

    def key(self):
        """What the list of the allowed calls it: without the line, which moves."""
        return f"{self.file} {self.what}"


def path_of(file):
    """Where a file of MODELS stands."""
    return (SOURCES if file.startswith(SEAM) else KERNEL) + file


def without_tests(lines):
    """Where a file's own tests begin."""
    for at, line in enumerate(lines[:-1]):
        below = lines[at + 1]
        is_own = below.startswith("mod ") and below.endswith("{")
        if is_own and line.startswith(("#[cfg(test)]", "#[cfg(all(test")):
            return at
    return len(lines)


def break_orderings(file, text, places):
    """The text with a switch at each ordering and fence."""
    lines = text.split("\n")
    function, seen = "-", {}
    for at in range(without_tests(lines)):
        code, comment = lines[at], ""
        if code.lstrip().startswith("//"):
            continue
        found = FUNCTION.search(code)
        if found:
            function = found.group(1)

        def place(what):
            seen[(function, what)] = seen.get((function, what), 0) + 1
            named = f"{function} {what} {seen[(function, what)]}"
            number = len(places) + 1
            places.append(Place(number, path_of(file), at + 1, named, MODELS[file]))
            return number

        def fence(found):
            number = place(f"fence-{found.group(1)}")
            return f"if !crate::sync::weaken::on({number}) {{ {found.group(0)} }}"

        def order(found):
            number = place(found.group(1))
            return f"crate::sync::weaken::order({number}, {found.group(0)})"

        if FENCE.search(code):
            lines[at] = FENCE.sub(fence, code) + comment
        else:
            lines[at] = STRONG.sub(order, code) + comment
    return "\n".join(lines)


def break_protocol(protocol, texts, places):
    """Puts a trap into the text of its file."""
    name, file, right, wrong, models = protocol
    words = [re.escape(word) for word in right.split()]
    pattern = re.compile(r"\s+".join(words))
    found = pattern.findall(texts[file])
    if len(found) != 1:
        sys.exit(f"{name}: the text is {len(found)} times in {file}; correct the script")
    start = pattern.search(texts[file]).start()
    line = texts[file].count("\n", 0, start) + 1
    place = Place(len(places) + 1, path_of(file), line, name, models, protocol=True)
    places.append(place)
    switch = f"crate::sync::weaken::on({place.number})"
    wrong = re.sub(r"\bON\b", lambda _: switch, wrong)
    texts[file] = pattern.sub(lambda _: wrong, texts[file])


def break_all(tree):
    """Puts all places into the tree; what they are."""
    texts, places = {}, []
    for path in sorted([*(tree / KERNEL).rglob("*.rs"), *(tree / SOURCES / SEAM).rglob("*.rs")]):
        file = str(path.relative_to(tree)).removeprefix(KERNEL).removeprefix(SOURCES)
        lines = path.read_text().split("\n")
        code = "\n".join(line for line in lines[: without_tests(lines)] if "//" not in line)
        ordered = STRONG.search(code) or FENCE.search(code)
        if ordered and file not in MODELS and not NO_MODELS.match(file):
            sys.exit(f"{file} orders and has no models: say in MODELS which")
    for file in MODELS:
        path = tree / path_of(file)
        if path.exists():
            texts[file] = break_orderings(file, path.read_text(), places)
    for protocol in PROTOCOLS:
        file = protocol[1]
        if file not in texts:
            texts[file] = (tree / path_of(file)).read_text()
        break_protocol(protocol, texts, places)
    for file, text in texts.items():
        (tree / path_of(file)).write_text(text)
    door = tree / "src/sync.rs"
    door.write_text(door.read_text() + SWITCH)
    return places


def build(tree, target, explorer="loom"):
    """Builds the models of the tree, or the scenarios of another explorer; their program."""
    environment = dict(
        os.environ,
        RUSTFLAGS=f"--cfg {explorer} -A warnings",
        CARGO_TARGET_DIR=str(target),
        CARGO_PROFILE_RELEASE_LTO="off",
        CARGO_PROFILE_RELEASE_DEBUG="0",
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS="16",
    )
    command = ["cargo", "test", "--release", "-p", f"{explorer}-tests", "--lib", "--no-run"]
    built = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    found = re.search(r"Executable.*\((.*)\)", built.stderr)
    if built.returncode != 0 or not found:
        sys.exit(built.stderr)
    program = pathlib.Path(found.group(1))
    return program if program.is_absolute() else tree / program


def run(program, model, place, bound, seconds_max):
    """Runs one model with one place broken: "held", "failed" or "endless", and the seconds. At most
    `seconds_max` of a processor: on a machine that others use, too, it may well take longer."""
    environment = dict(
        os.environ, WEAKEN=str(place), LOOM_MAX_PREEMPTIONS=str(bound), RUST_BACKTRACE="0"
    )
    limited = ["bash", "-c", f'ulimit -t {seconds_max}; exec "$@"', "model"]
    started = time.monotonic()
    try:
        ran = subprocess.run(
            [*limited, program, "--exact", model, "--test-threads", "1"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=seconds_max * WAIT_MAX,
            check=False,
        )
        outcome = "held" if ran.returncode == 0 else "failed"
        if ran.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            outcome = "endless"
    except subprocess.TimeoutExpired:
        outcome = "endless"
    return outcome, time.monotonic() - started


class Models:
    """The program of the models, and how they fare with nothing broken."""

    def __init__(self, program, options):
        self.program, self.options = program, options
        self.lock = threading.Lock()
        self.sound = {}

    def names(self, places):
        """The models of the places' files."""
        command = [self.program, "--list"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True)
        names = re.findall(r"^(models::\S+): test$", listed.stdout, re.MULTILINE)
        wanted = {model for place in places for model in place.models}
        return [name for name in names if name.split("::")[1] in wanted]

    def holds(self, name, bound):
        """Whether a model holds with nothing broken (with few preemptions it may not come to all
        that it expects), and the seconds it takes."""
        with self.lock:
            if (name, bound) not in self.sound:
                outcome, seconds = run(self.program, name, 0, bound, self.options.seconds)
                self.sound[name, bound] = outcome == "held", seconds
            return self.sound[name, bound]

    def catches(self, place, name, bound):
        """Whether a model catches a broken place; None: it did not get through."""
        outcome, _ = run(self.program, name, place.number, bound, self.options.seconds)
        if outcome == "endless":
            return None
        return outcome == "failed" and self.holds(name, bound)[0]

    def judge(self, place, names, before):
        """Who catches a broken place, as the model's name and the preemptions it took, or none;
        and whether a model did not get through."""
        name, _, bound = (before or "").partition(" at ")
        if f"models::{name}" in names and self.catches(place, f"models::{name}", int(bound)):
            return before, False
        endless = False
        quick = {name: self.holds(name, self.options.bounds[0])[1] for name in names}
        for bound in self.options.bounds:
            for name in sorted(names, key=quick.get):
                if bound == self.options.bounds[0] and not self.holds(name, bound)[0]:
                    continue
                catches = self.catches(place, name, bound)
                if catches:
                    return f"{name.removeprefix('models::')} at {bound}", False
                endless |= catches is None
        return None, endless


def listed(path):
    """Of a list of places: key to what is said of it."""
    said = {}
    lines = path.read_text().splitlines() if path.exists() else []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            key, _, words = line.rpartition(": ") if path == CAUGHT else line.partition(": ")
            if not words.strip():
                sys.exit(f"{path.name}: nothing is said: {line}")
            said[" ".join(key.split())] = words.strip()
    return said


def record(verdicts, places):
    """Writes down who caught what, and keeps what was written of the other places."""
    said = listed(CAUGHT)
    said.update({place.key(): caught for place, _, caught in verdicts if caught})
    lines = [f"{place.key()}: {said[place.key()]}" for place in places if place.key() in said]
    opener = "# The model that caught each place the last time. Written by weaken.py --record.\n"
    CAUGHT.write_text(opener + "\n".join(lines) + "\n")


def document(places):
    """What is known of each place, as a page for readers."""
    caught, allowed = listed(CAUGHT), listed(ALLOWED)
    lines = [
        "# Orderings, and what needs them",
        "",
        "Every Acquire, Release, AcqRel and fence of the kernel and of the proposer's seam, and every",
        "trap of the design, with the loom model that fails when it alone is weakened (or the trap",
        "sprung) and the preemptions that this took; or why no model can miss it. What the traps",
        "break is in [invariants.md](invariants.md). Written by",
        "`python3 ci/weaken.py --document` from what `--record` wrote down; `ci/nightly.sh` weakens all",
        "of them.",
    ]
    files = {}
    for place in places:
        files.setdefault("traps" if place.protocol else place.file, []).append(place)
    for file, own in files.items():
        lines += ["", f"## {file}", "", "| what | who fails |", "|---|---|"]
        for place in own:
            known = caught.get(place.key())
            if known:
                model, _, bound = known.partition(" at ")
                known = f"`{model}`, at {bound}"
            reason = allowed.get(place.key())
            said = known or (f"none: {reason}" if reason else "none known yet")
            lines.append(f"| {place.what} | {said} |")
    DOCUMENT.write_text("\n".join(lines) + "\n")


def choose(places, options):
    """The places that are asked for."""
    chosen = places
    if options.file:
        named = [path_of(file.removesuffix(".rs") + ".rs") for file in options.file]
        chosen = [place for place in chosen if place.file in named]
    if options.line:
        chosen = [place for place in chosen if place.line == options.line]
    if options.protocols:
        chosen = [place for place in chosen if place.protocol]
    if options.unknown:
        known = {**listed(CAUGHT), **listed(ALLOWED)}
        chosen = [place for place in chosen if place.key() not in known]
    if options.sample:
        seed = options.seed if options.seed is not None else time.time_ns()
        print(f"seed {seed}")
        reasons = listed(ALLOWED)
        chosen = [place for place in chosen if place.key() not in reasons]
        count = min(options.sample, len(chosen))
        chosen = sorted(random.Random(seed).sample(chosen, count), key=lambda place: place.number)
    return chosen


def verdict_of(caught, endless, reason):
    """A word for the table and a line for the reader."""
    if caught and reason:
        return "stale", f"caught by {caught}: take it off the list of the allowed"
    if caught:
        return "needed", f"caught by {caught}"
    if reason:
        return "allowed", f"allowed: {reason}"
    return "survived", "SURVIVED" + (", with a model cut short" if endless else "")


def report(program, chosen, options):
    """Breaks the chosen places, one at a time; each with its verdict."""
    reasons, before, verdicts = listed(ALLOWED), listed(CAUGHT), []
    models = Models(program, options)
    broken = [place for place in chosen if options.allowed or place.key() not in reasons]
    names = models.names(broken)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        judged = {}
        for place in broken:
            own = [name for name in names if name.split("::")[1] in place.models]
            judged[place.number] = pool.submit(models.judge, place, own, before.get(place.key()))
        for place in chosen:
            result = judged.get(place.number)
            caught, endless = result.result() if result else (None, False)
            verdict, line = verdict_of(caught, endless, reasons.get(place.key()))
            verdicts.append((place, verdict, caught))
            print(f"{place.name()} -> {line}", flush=True)
    return verdicts


def unknown_keys(places):
    """Lines of the list of the allowed that name no place."""
    keys = {place.key() for place in places}
    return [key for key in listed(ALLOWED) if key not in keys]


def table(verdicts):
    """Prints how the places of each file fared."""
    columns = ["needed", "allowed", "stale", "survived"]
    rows = {}
    for place, verdict, _ in verdicts:
        file = "the traps" if place.protocol else place.file.removeprefix(KERNEL)
        rows.setdefault(file, []).append(verdict)
    rows["all"] = [verdict for _, verdict, _ in verdicts]
    print(f"{'file':<20}{'places':>8}" + "".join(f"{name:>10}" for name in columns))
    for file, row in rows.items():
        counts = "".join(f"{row.count(name):>10}" for name in columns)
        print(f"{file:<20}{len(row):>8}{counts}", flush=True)


def numbers(text):
    """Preemption bounds, as in 1,2."""
    return [int(number) for number in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--file", nargs="+", help="only these files, as in log, point/table or propose/line"
    )
    parser.add_argument("--line", type=int, help="only this line of the file")
    parser.add_argument("--list", action="store_true", help="list the places and stop")
    parser.add_argument("--protocols", action="store_true", help="only the traps")
    parser.add_argument("--unknown", action="store_true", help="only what neither list knows")
    parser.add_argument("--sample", type=int, help="only so many places, drawn at random")
    parser.add_argument("--seed", type=int, help="which ones")
    parser.add_argument("--allowed", action="store_true", help="run the allowed places, too")
    parser.add_argument("--record", action="store_true", help="write down who caught what")
    jobs = os.cpu_count() if os.environ.get("CI") else 1
    parser.add_argument("--document", action="store_true", help="only write docs/orderings.md")
    parser.add_argument("--jobs", type=int, default=jobs, help="models run at once")
    parser.add_argument("--bounds", type=numbers, default=[1, 2, 3], help="preemptions, as in 1,2")
    parser.add_argument(
        "--seconds", type=int, default=120, help="a model's time of a processor at most"
    )
    parser.add_argument("--target", help="a target directory to keep")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weaken-") as scratch:
        tree = pathlib.Path(scratch) / "tree"
        ignored = shutil.ignore_patterns("target", ".git", "corpus", "artifacts")
        shutil.copytree(ROOT, tree, ignore=ignored)
        places = break_all(tree)
        chosen = choose(places, options)
        if options.list:
            for place in chosen:
                print(place.name())
            return 0
        if options.document:
            document(places)
            return 0
        if not chosen:
            sys.exit("no such place")
        for key in unknown_keys(places):
            sys.exit(f"{ALLOWED.name}: no such place: {key}")
        started = time.monotonic()
        program = build(tree, options.target or pathlib.Path(scratch) / "target")
        verdicts = report(program, chosen, options)
    if options.record:
        record(verdicts, places)
        document(places)
    table(verdicts)
    print(f"{time.monotonic() - started:.0f} s")
    return 1 if any(verdict in ("stale", "survived") for _, verdict, _ in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
