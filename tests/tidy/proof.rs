//! Rules about what must be argued: unsafe blocks, kept within the kernel, and memory orderings.

use crate::source::{Source, names, positions};

const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

pub fn unsafe_is_walled_in(source: &Source) -> Vec<String> {
    let walled = source.is_below("src/") && !source.is_below("src/kernel/");
    let root = source.path.ends_with("src/main.rs") || source.path.ends_with("src/lib.rs");
    // An allocator that counts is unsafe, and so is the handler of a signal that stops a thread.
    let measures = source.is_below("crates/measure/") || source.is_below("crates/bench-compare/");
    let mut programs = ["derive/", "shuttle-tests/", "crates/"].into_iter();
    let program = programs.any(|folder| source.is_below(folder)) && !measures;
    let top = source.path.matches('/').count() == 1 || source.path.ends_with("/mod.rs");
    let opens = (walled && top && source.path != "src/lib.rs") || (program && root);
    let mut faults = Vec::new();
    if opens
        && !source
            .code
            .iter()
            .any(|code| code == "#![forbid(unsafe_code)]")
    {
        faults.push(source.fault(0, "open the module with #![forbid(unsafe_code)]"));
    }
    let lines = source.code.iter().enumerate();
    let unsafes = lines.filter(|(_, code)| (walled || program) && names(code, "unsafe"));
    faults.extend(unsafes.map(|(at, _)| source.fault(at, "unsafe outside of the kernel")));
    faults
}

pub fn unsafe_is_argued(source: &Source) -> Vec<String> {
    let lines = source.code.iter().enumerate();
    let blocks = lines.filter(|(_, code)| {
        let mut found = positions(code, "unsafe").map(|at| code[at + 6..].trim_start());
        found.any(|rest| rest.starts_with('{') || rest.starts_with("impl"))
    });
    let bare = blocks.filter(|(at, _)| !source.argument(*at).any(|why| why.contains("SAFETY:")));
    bare.map(|(at, _)| source.fault(at, "say above why it is sound: SAFETY"))
        .collect()
}

/// The orderings that lines of code name.
fn orderings(code: &[String]) -> Vec<String> {
    let named = ORDERINGS.iter().filter(|ordering| {
        let path = format!("Ordering::{ordering}");
        code.iter().any(|code| names(code, &path))
    });
    named.map(|ordering| format!("{ordering}:")).collect()
}

/// The name is of an ordering of the statement: of several, of the one that matters.
pub fn orderings_are_argued(source: &Source) -> Vec<String> {
    let is_bare = |at: usize| {
        let own = orderings(&source.code[source.statement(at)..=at]);
        let begins = |why: &str| own.iter().any(|name| why.starts_with(name));
        !source.argument(at).any(begins)
    };
    let bare = source.shipped().filter(|(at, code)| {
        let named = !orderings(&[(*code).to_owned()]).is_empty();
        source.is_below("src/") && named && is_bare(*at)
    });
    bare.map(|(at, _)| source.fault(at, "argue the ordering above, its name first"))
        .collect()
}

pub fn seqcst_is_for_fences(source: &Source) -> Vec<String> {
    let bad = source.shipped().filter(|(_, code)| {
        source.is_below("src/") && names(code, "Ordering::SeqCst") && !names(code, "fence")
    });
    bad.map(|(at, _)| source.fault(at, "loom models SeqCst in fences only"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{accepts, refuses};

    const WALL: &str = "#![forbid(unsafe_code)]";

    #[test]
    fn a_module_without_the_wall_is_refused() {
        let rule = unsafe_is_walled_in;
        for path in [
            "src/store.rs",
            "src/txn/mod.rs",
            "derive/src/lib.rs",
            "shuttle-tests/src/lib.rs",
            "crates/a/src/main.rs",
        ] {
            refuses(rule, path, "//! A.");
            accepts(rule, path, WALL);
        }
        accepts(rule, "src/txn/read.rs", "//! A.");
        accepts(rule, "src/kernel/mod.rs", "//! A.");
    }

    #[test]
    fn unsafe_outside_of_the_kernel_is_refused() {
        let rule = unsafe_is_walled_in;
        refuses(rule, "src/txn/read.rs", "fn a() { unsafe { b() } }");
        refuses(rule, "crates/a/src/b.rs", "unsafe impl Send for A {}");
        accepts(rule, "src/kernel/log.rs", "unsafe fn a() {}");
        accepts(rule, "src/txn/read.rs", "// Nothing is unsafe here.");
    }

    #[test]
    fn unsafe_without_an_argument_is_refused() {
        let rule = unsafe_is_argued;
        refuses(rule, "src/kernel/a.rs", "let a = unsafe { b() };");
        refuses(
            rule,
            "src/kernel/a.rs",
            "// SAFETY: A1.\nc();\nlet a = unsafe { b() };",
        );
        refuses(rule, "src/kernel/a.rs", "unsafe impl Send for A {}");
        accepts(
            rule,
            "src/kernel/a.rs",
            "// SAFETY: A1.\nlet a =\n    unsafe { b() };",
        );
        accepts(rule, "src/kernel/a.rs", "unsafe fn a() {}");
    }

    #[test]
    fn an_ordering_without_an_argument_is_refused() {
        let rule = orderings_are_argued;
        let load = "a.load(Ordering::Acquire);";
        refuses(rule, "src/kernel/a.rs", load);
        refuses(rule, "src/kernel/a.rs", &format!("// Relaxed: a.\n{load}"));
        refuses(
            rule,
            "src/kernel/a.rs",
            &format!("// Why: Acquire.\n{load}"),
        );
        refuses(
            rule,
            "src/kernel/a.rs",
            &format!("// Acquire: a.\n{load}\n{load}"),
        );
        accepts(rule, "src/kernel/a.rs", &format!("// Acquire: a.\n{load}"));
        accepts(rule, "src/kernel/a.rs", "a.sort_by(|_, _| Ordering::Less);");
        let exchange =
            "a.compare_exchange(\n    b,\n    Ordering::AcqRel,\n    Ordering::Relaxed,\n)";
        refuses(
            rule,
            "src/kernel/a.rs",
            &format!("// Acquire: a.\nlet c = {exchange};"),
        );
        accepts(
            rule,
            "src/kernel/a.rs",
            &format!("// AcqRel: a.\nlet c = {exchange};"),
        );
    }

    #[test]
    fn an_access_with_seqcst_is_refused() {
        refuses(
            seqcst_is_for_fences,
            "src/kernel/a.rs",
            "a.load(Ordering::SeqCst)",
        );
        accepts(
            seqcst_is_for_fences,
            "src/kernel/a.rs",
            "fence(Ordering::SeqCst)",
        );
    }
}
