//! Files of stores in which resources of two kinds may have one name.

mod support;

use std::fs;

use support::{Run, skep};
use tempfile::TempDir;

/// Two kinds, and a resource of each; both resources have one name.
fn lines(kinds: [&str; 2]) -> String {
    let annotations =
        |name: &str| format!(r#""annotations":{{"name":"{name}","labels":{{}},"indices":[]}}"#);
    let extension = |id: u32, name: &str| {
        let named = annotations(name);
        format!(r#"{{"table":"extension","object":{{"id":"{id:025}",{named},"description":""}}}}"#)
    };
    let resource = |id: u32, kind: &str| {
        let named = annotations("main");
        let more = format!(r#""kind":"{kind}","payload":{{"type_url":"","value":[]}}"#);
        format!(r#"{{"table":"resource","object":{{"id":"{id:025}",{named},{more}}}}}"#)
    };
    let [one, other] = kinds;
    let lines = [
        extension(1, "pool"),
        extension(2, "route"),
        resource(3, one),
        resource(4, other),
    ];
    lines.join("\n")
}

#[test]
fn resources_of_two_kinds_may_have_one_name_where_that_is_said() {
    let folder = TempDir::new().expect("a folder for the test");
    let run = |args: &[&str]| Run::of(skep().current_dir(folder.path()).args(args));
    fs::write(folder.path().join("two"), lines(["pool", "route"])).expect("writable");
    fs::write(folder.path().join("one"), lines(["pool", "POOL"])).expect("writable");

    let refused = run(&["save", "a.skep", "--from", "two"]);
    assert_eq!(refused.code, Some(2));
    let told = "error: two:3: resource 0000000000000000000000003: the name \"main\" is taken by \
                0000000000000000000000004; if resources of two kinds may have one name, \
                say --names-in-kind\n";
    assert_eq!(refused.stderr, told);
    let save = ["save", "a.skep", "--names-in-kind", "--from"];
    let in_one = run(&[&save[..], &["one"]].concat());
    assert_eq!(in_one.code, Some(2));
    assert!(
        in_one.stderr.contains("one:4: resource "),
        "{}",
        in_one.stderr
    );
    assert!(!in_one.stderr.contains("--names"), "{}", in_one.stderr);
    assert_eq!(run(&[&save[..], &["two"]].concat()).code, Some(0));

    let refused = run(&["restore", "a.skep"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("say --names-in-kind"),
        "{}",
        refused.stderr
    );
    let restored = run(&["restore", "a.skep", "--names-in-kind"]);
    assert_eq!((restored.code, &*restored.stderr), (Some(0), ""));
}
