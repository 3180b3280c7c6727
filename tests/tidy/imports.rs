//! Rules about who names what: imports point down, atomics and threads come through one door, and
//! nothing locks.

use crate::source::{Source, names, path_at, positions};
use crate::{ALLOWED, IMPORTS, WAITING};

/// What waits for another thread.
const LOCKS: [&str; 8] = [
    "Mutex", "RwLock", "Condvar", "Once", "OnceLock", "LazyLock", "Barrier", "mpsc",
];

/// What looks again and again, or sleeps, until another thread has done something.
const WAITS: [&str; 6] = [
    "pause",
    "spin_loop",
    "yield_now",
    "park",
    "park_timeout",
    "sleep",
];

/// What a module may import, if the table knows it.
fn allowed(module: &str) -> Option<&'static [&'static str]> {
    let row = IMPORTS.iter().find(|(name, _)| *name == module);
    row.map(|(_, imports)| *imports)
}

pub fn is_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The paths of the crate that a line names: without `crate::`.
pub fn crate_paths(code: &str) -> impl Iterator<Item = &str> {
    positions(code, "crate").filter_map(|at| path_at(code, at).strip_prefix("crate::"))
}

/// Tests of the whole store that need the kernel's insides.
const LOOKS_UP: &str = "src/kernel/limit.rs";

pub fn imports_point_down(source: &Source) -> Vec<String> {
    if source.path == LOOKS_UP {
        return Vec::new();
    }
    let Some(module) = source.module() else {
        return Vec::new();
    };
    let Some(allowed) = allowed(module) else {
        return vec![source.fault(
            0,
            format_args!("the table of imports does not know {module}"),
        )];
    };
    let mut faults = Vec::new();
    let depth = source.path.matches('/').count() - usize::from(source.path.ends_with("/mod.rs"));
    let above = "super::".repeat(depth);
    for (at, code) in source.code.iter().enumerate() {
        for path in crate_paths(code) {
            let known = is_below(path, module) || allowed.iter().any(|name| is_below(path, name));
            if !known {
                faults.push(source.fault(at, format_args!("{module} may not import {path:?}")));
            }
        }
        if code.contains(&above) && at < source.tests_from {
            faults.push(source.fault(at, "name the crate's modules from `crate::`"));
        }
    }
    faults
}

fn is_allowed(source: &Source, name: &str) -> bool {
    ALLOWED.contains(&(source.path.as_str(), name))
}

/// What a line names of `std::sync`, one by one.
fn sync_names(code: &str) -> Vec<&str> {
    let starts = ["std::sync::", "core::sync::"].into_iter();
    let starts = starts.flat_map(|path| code.match_indices(path).map(|(at, path)| at + path.len()));
    let names = starts.flat_map(|at| {
        let rest = &code[at..];
        let list = rest
            .strip_prefix('{')
            .map(|list| list.split('}').next().unwrap_or_default());
        list.unwrap_or(path_at(rest, 0)).split(',').map(str::trim)
    });
    names.filter_map(|name| name.split("::").next()).collect()
}

pub fn names_the_door(source: &Source) -> Vec<String> {
    let around = |code: &str| {
        let sync = sync_names(code);
        let sync = sync
            .iter()
            .any(|name| *name != "Arc" && !is_allowed(source, name));
        let local = code.contains("thread_local!") && !is_allowed(source, "thread_local!");
        sync || local
            || names(code, "std::thread")
            || code.contains("loom::")
            || code.contains("shuttle::")
    };
    let bad = source.shipped().filter(|(_, code)| around(code));
    let is_door = source.path == "src/sync.rs" || source.is_below("src/sync/");
    let bad = bad.filter(|_| source.is_below("src/") && !is_door);
    bad.map(|(at, _)| source.fault(at, "atomics and threads come through crate::sync"))
        .collect()
}

pub fn takes_no_locks(source: &Source) -> Vec<String> {
    let lock = |code: &str| {
        LOCKS
            .into_iter()
            .find(|lock| names(code, lock) && !is_allowed(source, lock))
    };
    let found = source.shipped().filter(|_| source.is_below("src/"));
    let found = found.filter_map(|(at, code)| Some((at, lock(code)?)));
    found
        .map(|(at, lock)| source.fault(at, format_args!("{lock} waits for another thread")))
        .collect()
}

/// Where one is called, its file is in the table of waits, with what bounds it.
pub fn waits_for_nobody(source: &Source) -> Vec<String> {
    let waits = |code: &str| {
        WAITS.into_iter().find(|wait| {
            let called = positions(code, wait).any(|at| code[at + wait.len()..].starts_with('('));
            called && !WAITING.contains(&(source.path.as_str(), wait))
        })
    };
    let is_door = source.path == "src/sync.rs" || source.is_below("src/sync/");
    let lines = source
        .shipped()
        .filter(|_| source.is_below("src/") && !is_door);
    let found = lines.filter_map(|(at, code)| Some((at, waits(code)?)));
    found
        .map(|(at, wait)| source.fault(at, format_args!("{wait} waits for another thread")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{accepts, refuses};

    #[test]
    fn an_import_upward_is_refused() {
        let rule = imports_point_down;
        refuses(rule, "src/kernel/log.rs", "use crate::txn::Transaction;");
        refuses(rule, "src/kernel/log.rs", "fn a() { crate::store::a() }");
        refuses(rule, "src/table/query.rs", "use crate::txn::append;");
        refuses(rule, "src/txn/read.rs", "use crate::{kernel, table};");
        accepts(
            rule,
            "src/table/query.rs",
            "use crate::txn::reads::TableReads;",
        );
        accepts(
            rule,
            "src/kernel/log.rs",
            "pub(crate) use crate::sync::fence; // crate::txn::a",
        );
    }

    #[test]
    fn a_way_around_the_table_is_refused() {
        let rule = imports_point_down;
        refuses(rule, "src/store.rs", "use super::watch::filter;");
        refuses(rule, "src/table/mod.rs", "use super::txn;");
        refuses(rule, "src/table/query.rs", "use super::super::txn;");
        accepts(rule, "src/table/query.rs", "use super::span::Span;");
        accepts(
            rule,
            "src/kernel/point/mod.rs",
            "use super::reclaim::Guard;",
        );
    }

    #[test]
    fn a_module_that_the_table_does_not_know_is_refused() {
        let rule = imports_point_down;
        refuses(rule, "src/news.rs", "//! News.");
        refuses(rule, "src/news/mod.rs", "//! News.");
        accepts(rule, "src/lib.rs", "mod news;");
    }

    #[test]
    fn a_way_around_the_door_is_refused() {
        let rule = names_the_door;
        refuses(rule, "src/txn/mod.rs", "use std::sync::atomic::AtomicU64;");
        refuses(
            rule,
            "src/txn/mod.rs",
            "use std::sync::{Arc, atomic::AtomicU64};",
        );
        refuses(rule, "src/txn/mod.rs", "std::thread::yield_now();");
        refuses(rule, "src/kernel/log.rs", "loom::model(|| {});");
        refuses(rule, "src/kernel/log.rs", "shuttle::thread::park();");
        refuses(
            rule,
            "src/kernel/log.rs",
            "std::thread_local! { static A: u8 = 0; }",
        );
        accepts(rule, "src/id/mod.rs", "thread_local! { static A: u8 = 0; }");
        accepts(rule, "src/txn/mod.rs", "use std::sync::Arc;");
        accepts(
            rule,
            "src/txn/mod.rs",
            "const A: u8 = if cfg!(loom) { 1 } else { 2 };",
        );
        accepts(rule, "src/sync.rs", "pub(crate) use std::thread;");
        accepts(
            rule,
            "src/sync/counted.rs",
            "std::thread_local! { static A: u8 = 0; }",
        );
        refuses(rule, "src/synchronous.rs", "pub(crate) use std::thread;");
        accepts(rule, "tests/a.rs", "use std::thread;");
    }

    #[test]
    fn a_lock_is_refused() {
        let rule = takes_no_locks;
        for lock in LOCKS {
            refuses(rule, "src/watch/a.rs", &format!("struct A({lock}<u8>);"));
        }
        accepts(
            rule,
            "src/txn/a.rs",
            "fn a(b: impl FnOnce(), c: OnceCell<u8>)",
        );
        accepts(rule, "tests/a.rs", "struct A(Mutex<u8>);");
    }

    #[test]
    fn a_wait_is_refused() {
        let rule = waits_for_nobody;
        for wait in WAITS {
            let spins = format!("while !a.load() {{ thread::{wait}(b); }}");
            refuses(rule, "src/kernel/log.rs", &spins);
            refuses(rule, "src/txn/append.rs", &spins);
        }
        accepts(rule, "src/kernel/clock.rs", "pause();");
        refuses(rule, "src/kernel/clock.rs", "thread::yield_now();");
        accepts(
            rule,
            "src/kernel/wake.rs",
            "thread.unpark(); a.is_parked();",
        );
        accepts(
            rule,
            "src/kernel/log.rs",
            "use crate::sync::pause; // pause()",
        );
        accepts(rule, "src/sync.rs", "std::hint::spin_loop();");
    }
}
