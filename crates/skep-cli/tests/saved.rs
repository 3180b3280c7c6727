//! Saved files: written, restored, looked into; and what is told when one is bad.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use support::{Run, skep};
use tempfile::TempDir;

/// A folder to work in, with a small cluster's file.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().expect("a folder for the test"));
        folder.save_made_up("30");
        folder
    }

    /// Saves a made-up cluster with so many tasks as `a.skep`.
    fn save_made_up(&self, tasks: &str) {
        let sizes = ["--tasks", tasks, "--nodes", "4"];
        self.good(&[&["save", "--synthetic", "a.skep"], &sizes[..]].concat());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Run {
        Run::of(skep().current_dir(self.0.path()).args(args))
    }

    #[track_caller]
    fn good(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{args:?}");
        run.stdout
    }

    /// Asserts that it is refused in one line.
    #[track_caller]
    fn refused(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{args:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        run.stderr
    }

    /// Saves lines given on standard input, and shows no progress, however long it takes.
    fn save_lines(&self, lines: &str, file: &str) -> Run {
        self.fed(&["save", "-q", file], lines.as_bytes())
    }

    /// Runs with bytes on standard input, through a pipe.
    fn fed(&self, args: &[&str], bytes: &[u8]) -> Run {
        use std::io::Write;
        let mut command = skep();
        command.current_dir(self.0.path()).args(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut input = child.stdin.take().expect("a pipe");
        // Whoever refuses the beginning reads no more.
        let _ = input.write_all(bytes);
        drop(input);
        child.wait_with_output().expect("it ends").into()
    }

    fn names(&self) -> Vec<String> {
        support::names(self.0.path())
    }
}

/// It is read several times, and comes once.
#[cfg(unix)]
#[test]
fn a_file_may_come_through_a_pipe() {
    let folder = Folder::new();
    let file = fs::read(folder.path("a.skep")).expect("saved");
    let lines = folder.good(&["restore", "a.skep", "-q", "--to", "/dev/stdout"]);
    let args = ["restore", "/dev/stdin", "-q", "--to", "/dev/stdout"];
    let run = folder.fed(&args, &file);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert_eq!(run.stdout, lines);
    let run = folder.fed(&["restore", "/dev/stdin", "-q"], &file[..file.len() / 2]);
    assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 1));
    let run = folder.fed(&["inspect", "/dev/stdin"], &file);
    assert_eq!(run.code, Some(0));
}

#[test]
fn inspect_tells_of_ten_tables() {
    let folder = Folder::new();
    let table = folder.good(&["inspect", "a.skep"]);
    for text in ["table", "schema", "task", "volume", "in the file", "at 10"] {
        assert!(table.contains(text), "{text}: {table}");
    }
    let json = folder.run(&["inspect", "a.skep", "--json"]).json();
    let tables = json["tables"].as_array().expect("a list");
    assert_eq!(tables.len(), 10);
    assert_eq!((&json["version"], &json["format"]), (&10.into(), &1.into()));
    assert_eq!(
        (&tables[8]["table"], &tables[8]["objects"]),
        (&"task".into(), &30.into())
    );
    let length = fs::metadata(folder.path("a.skep")).expect("the file").len();
    assert_eq!(json["file_bytes"], length);
    let parts = tables
        .iter()
        .map(|table| table["file_bytes"].as_u64().expect("a number"));
    assert_eq!(
        parts.sum::<u64>() + 28 + 21,
        length,
        "head, tables, end mark"
    );
}

#[test]
fn inspect_shows_objects() {
    let folder = Folder::new();
    let list = folder.good(&["inspect", "a.skep", "--table", "node"]);
    assert_eq!(list.lines().count(), 4, "{list}");
    let id = &list[..25];
    let object = folder.good(&["inspect", "a.skep", "--object", id]);
    let object: serde_json::Value = serde_json::from_str(&object).expect("JSON");
    assert_eq!(object["id"], id);
    let line = folder
        .run(&["inspect", "a.skep", "--object", id, "--json"])
        .json();
    assert_eq!((&line["table"], &line["object"]), (&"node".into(), &object));
    let lines = folder.good(&["inspect", "a.skep", "--table", "node", "--json"]);
    assert_eq!(lines.lines().count(), 4);
    assert!(
        folder
            .refused(&["inspect", "a.skep", "--table", "x"])
            .contains("no table \"x\"")
    );
    let other = folder.refused(&["inspect", "a.skep", "--table", "task", "--object", id]);
    assert_eq!(other, format!("error: a.skep: no object {id}\n"));
}

#[test]
fn there_and_back_through_lines() {
    let folder = Folder::new();
    let told = folder.good(&["restore", "a.skep", "--to", "lines.jsonl"]);
    assert!(
        told.contains("restored in") && told.contains("every name unique"),
        "{told}"
    );
    folder.good(&["save", "--from", "lines.jsonl", "b.skep"]);
    folder.good(&["restore", "b.skep", "--to", "again.jsonl", "--quiet"]);
    let lines = |name: &str| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(folder.path(name)).expect("the lines");
        let lines = text.lines().map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            // A store counts its own versions.
            assert!(line["meta"]["version"].take().is_u64());
            line
        });
        lines.collect()
    };
    assert_eq!(lines("lines.jsonl").len(), 63);
    assert_eq!(lines("lines.jsonl"), lines("again.jsonl"));
    // The same from standard input; without times they are those of the program.
    let first = lines("lines.jsonl").remove(0);
    let bare = serde_json::json!({"table": first["table"], "object": first["object"]});
    let run = folder.save_lines(&format!("\n{bare}\n\n"), "c.skep");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let json = folder.run(&["restore", "c.skep", "--json", "-q"]).json();
    assert_eq!(json["restored"], true);
    assert_eq!(json["tables"][0]["objects"], 1);
}

#[test]
fn the_same_arguments_write_the_same_file_over_the_older_one() {
    let folder = Folder::new();
    let before = fs::read(folder.path("a.skep")).expect("the file");
    folder.save_made_up("30");
    assert_eq!(fs::read(folder.path("a.skep")).expect("the file"), before);
    folder.save_made_up("31");
    assert_ne!(fs::read(folder.path("a.skep")).expect("the file"), before);
    assert_eq!(folder.names(), ["a.skep"]);
}

#[test]
fn a_bad_file_is_refused_with_its_place_and_nothing_is_left() {
    let folder = Folder::new();
    let file = fs::read(folder.path("a.skep")).expect("the file");
    fs::write(folder.path("cut.skep"), &file[..300]).expect("a writable folder");
    let mut damaged = file;
    damaged[400] ^= 1;
    fs::write(folder.path("damaged.skep"), damaged).expect("a writable folder");
    for command in ["restore", "inspect"] {
        let cut = folder.refused(&[command, "cut.skep"]);
        assert!(cut.starts_with("error: cut.skep: at byte "), "{cut}");
        assert!(
            cut.contains(", table ") && cut.contains("ends before"),
            "{cut}"
        );
        assert!(
            folder
                .refused(&[command, "damaged.skep"])
                .contains("checksum")
        );
        assert!(
            folder
                .refused(&[command, "no.skep"])
                .contains("there is no such file")
        );
        assert!(folder.refused(&[command, "."]).contains("it is a folder"));
    }
    folder.refused(&["restore", "damaged.skep", "--to", "lines.jsonl"]);
    assert!(
        folder
            .refused(&["restore", "a.skep", "--to", "a.skep"])
            .contains("it is the input")
    );
    assert!(
        folder
            .refused(&["save", "--synthetic", "no/a.skep"])
            .contains("no such folder")
    );
    assert_eq!(folder.names(), ["a.skep", "cut.skep", "damaged.skep"]);
}

#[test]
fn a_byte_order_mark_is_passed_over_where_lines_begin() {
    let folder = Folder::new();
    folder.good(&["restore", "a.skep", "--to", "lines.jsonl", "-q"]);
    let lines = fs::read_to_string(folder.path("lines.jsonl")).expect("the lines");
    let marked = folder.save_lines(&format!("\u{feff}{lines}"), "b.skep");
    assert_eq!(marked.code, Some(0), "{}", marked.stderr);
    folder.good(&["restore", "b.skep", "--to", "again.jsonl", "-q"]);
    let within = folder.save_lines(&format!("\n\u{feff}{lines}"), "c.skep");
    assert!(
        within.stderr.contains(":2: expected value"),
        "{}",
        within.stderr
    );
}

#[test]
fn bad_lines_are_refused_by_number() {
    let folder = Folder::new();
    folder.good(&["restore", "a.skep", "--to", "lines.jsonl", "-q"]);
    let lines = fs::read_to_string(folder.path("lines.jsonl")).expect("the lines");
    let first = lines.lines().next().expect("a line").to_owned();
    let seconds = "\"created_at\":{\"secs_since_epoch\":";
    let late = first.replacen(seconds, &format!("{seconds}9999"), 1);
    assert_ne!(late, first);
    let cases = [
        (late, ":1: a time of its meta is after July 2554"),
        (format!("{first}\n\n{first}\n"), ":3: cluster "),
        (
            format!("{first}\n{{\"table\":\n"),
            ":2: EOF while parsing a value at character 9; an object takes one line",
        ),
        (
            "[{\"table\":\"x\",\"object\":1}]".to_owned(),
            ":1: map in the place of a string",
        ),
        (
            "null".to_owned(),
            ":1: null in the place of an object with `table`",
        ),
        (
            "{\"table\":\"x\",\"object\":1}".to_owned(),
            ":1: no table \"x\"; there are cluster,",
        ),
        (
            "{\"table\":\"node\",\"object\":{}}".to_owned(),
            ":1: missing field",
        ),
        (
            "{\"table\":\"node\",\"objekt\":{}}".to_owned(),
            ":1: unknown field",
        ),
        ("\u{89}SKEP".to_owned(), ":1: expected value"),
    ];
    for (lines, told) in cases {
        let run = folder.save_lines(&lines, "b.skep");
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{lines}");
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        let told = format!("error: standard input{told}");
        assert!(run.stderr.starts_with(&told), "{told}: {}", run.stderr);
    }
    // Two nodes of one key are refused, two configs of one name, too.
    let config = lines.lines().nth(1).expect("a config");
    let other = config.replacen("\"id\":\"", "\"id\":\"0", 1);
    let start = other.find("\"id\":\"").expect("an ID") + 6;
    let other = [&other[..start + 25], &other[start + 26..]].concat();
    let run = folder.save_lines(&format!("{config}\n{other}\n"), "b.skep");
    assert!(
        run.stderr.contains("by_name config-") && run.code == Some(2),
        "{}",
        run.stderr
    );
    assert_eq!(folder.names(), ["a.skep", "lines.jsonl"]);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_what_has_secrets() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let mode = |name: &str| {
        let metadata = fs::metadata(folder.path(name)).expect("the file");
        metadata.permissions().mode() & 0o777
    };
    folder.good(&["restore", "a.skep", "--to", "lines.jsonl", "-q"]);
    assert_eq!((mode("a.skep"), mode("lines.jsonl")), (0o600, 0o600));
    // Whatever the older file allowed.
    for name in ["a.skep", "lines.jsonl"] {
        let open = fs::Permissions::from_mode(0o644);
        fs::set_permissions(folder.path(name), open).expect("it is ours");
    }
    folder.good(&["restore", "a.skep", "--to", "lines.jsonl", "-q"]);
    folder.good(&["save", "--from", "lines.jsonl", "a.skep", "-q"]);
    assert_eq!((mode("a.skep"), mode("lines.jsonl")), (0o600, 0o600));
}

/// Neither may the partial file be read by others, which is there while input is read.
#[cfg(unix)]
#[test]
fn only_the_owner_may_read_what_is_not_complete() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let mut command = skep();
    command
        .current_dir(folder.0.path())
        .args(["save", "-q", "--allow-empty", "b.skep"]);
    let mut child = command
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let partial = (0..6_000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        let names = folder.names();
        names.into_iter().find(|name| name.starts_with(".skep-"))
    });
    let partial = folder.path(&partial.expect("a file that is not complete"));
    let metadata = fs::metadata(partial).expect("it is there");
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}

/// What would otherwise be lost without a word: a field that nobody reads, and one of two.
#[test]
fn fields_that_are_unknown_or_told_twice_are_refused_by_name() {
    let folder = Folder::new();
    let tasks = ["inspect", "a.skep", "--table", "task", "--json"];
    let tasks = folder.good(&tasks);
    let first = tasks.lines().next().expect("a task");
    assert_eq!(folder.save_lines(first, "b.skep").code, Some(0));
    let cases = [
        ("\"node_id\":", "\"nodeid\":", "unknown field `nodeid`"),
        ("\"hostname\":", "\"hostnaem\":", "unknown field `hostnaem`"),
        (
            "\"slot\":",
            "\"slot\":9,\"slot\":",
            "duplicate field `slot`",
        ),
        (
            "\"ipv6\":",
            "\"ipv6\":true,\"ipv6\":",
            "duplicate field `ipv6`",
        ),
        (
            "\"labels\":{",
            "\"labels\":{\"tier\":\"1\",\"tier\":\"2\"",
            "duplicate field `tier`",
        ),
        (
            "\"nanos_since_epoch\":",
            "\"nanos\":",
            "unknown field `nanos`",
        ),
        (
            "\"table\":",
            "\"table\":\"node\",\"table\":",
            "duplicate field `table`",
        ),
        ("\"meta\":", "\"mata\":", "unknown field `mata`"),
    ];
    for (from, to, told) in cases {
        assert!(first.contains(from), "{from}: {first}");
        let line = first.replacen(from, to, 1);
        let run = folder.save_lines(&format!("\n{line}\n"), "c.skep");
        let told = format!("error: standard input:2: {told}");
        assert!(run.stderr.starts_with(&told), "{told}: {}", run.stderr);
        // And where in the line, just behind the name.
        let place = run.stderr.trim_end().rsplit_once(" at character ");
        let place: usize = place.and_then(|(_, at)| at.parse().ok()).expect("a place");
        let name = told.trim_end_matches('`').rsplit_once('`').expect("a name");
        assert!(line[..place].contains(name.1), "{}", run.stderr);
        assert_eq!(run.code, Some(2));
    }
    assert_eq!(folder.names(), ["a.skep", "b.skep"]);
}

/// Lines are put into the store by the thousands: what a line refers to may be far behind it.
#[test]
fn lines_may_come_in_any_order() {
    let folder = Folder::new();
    let sizes = ["--tasks", "30", "--nodes", "10100", "-q"];
    folder.good(&[&["save", "--synthetic", "b.skep"], &sizes[..]].concat());
    folder.good(&["restore", "b.skep", "--to", "lines.jsonl", "-q"]);
    let lines = fs::read_to_string(folder.path("lines.jsonl")).expect("the lines");
    let backwards: Vec<&str> = lines.lines().rev().collect();
    let at = |table: &str| {
        let begin = format!("{{\"table\":\"{table}\"");
        let place = backwards.iter().position(|line| line.starts_with(&begin));
        place.expect("a line of the table")
    };
    assert!(at("extension") > at("resource") + 10_000);
    let run = folder.save_lines(&backwards.join("\n"), "c.skep");
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    folder.good(&["restore", "c.skep", "--to", "again.jsonl", "-q"]);
    let objects = |lines: &str| -> Vec<serde_json::Value> {
        let object = |line| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
        let lines = lines.lines().map(object);
        lines.map(|mut line| line["object"].take()).collect()
    };
    let again = fs::read_to_string(folder.path("again.jsonl")).expect("the lines");
    assert!(objects(&lines) == objects(&again));
    // A kind that nobody brings is still missed, by the line that asks for it.
    let lacking = backwards
        .iter()
        .filter(|line| !line.starts_with("{\"table\":\"extension\""));
    let lacking: Vec<&str> = lacking.copied().collect();
    let run = folder.save_lines(&lacking.join("\n"), "d.skep");
    let resource = at("resource") + 1;
    let told = format!("error: standard input:{resource}: resource ");
    assert!(run.stderr.starts_with(&told), "{}", run.stderr);
    let why = "no extension is of the kind";
    assert!(run.stderr.contains(why), "{}", run.stderr);
}

#[test]
fn a_secret_that_is_told_in_the_wrong_way_is_not_repeated() {
    let folder = Folder::new();
    let secret = folder.good(&["inspect", "a.skep", "--table", "secret", "--json"]);
    let line = secret.lines().next().expect("a secret");
    let data = line.find("\"data\":[").expect("its bytes") + 8;
    let end = data + line[data..].find(']').expect("their end");
    let line = format!(
        "{}[\"hunter2-nobody\"]{}",
        &line[..data - 1],
        &line[end + 1..]
    );
    let run = folder.save_lines(&line, "b.skep");
    let told = "error: standard input:1: a secret that is neither bytes nor a text at char";
    assert!(run.stderr.starts_with(told), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
}

/// A character that has no sign takes six bytes in a line, and one in an object.
#[test]
fn a_line_may_be_as_long_as_its_object_asks_for() {
    let folder = Folder::new();
    let extension = folder.good(&["inspect", "a.skep", "--table", "extension", "--json"]);
    let line = extension.lines().next().expect("an extension");
    let text = "\\u0001".repeat(11 << 20);
    let long = line.replacen(
        "\"description\":\"",
        &format!("\"description\":\"{text}"),
        1,
    );
    assert!(long.len() > 64 << 20);
    let run = folder.save_lines(&long, "b.skep");
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
}

#[test]
fn help_teaches() {
    let folder = Folder::new();
    for command in ["save", "restore", "inspect"] {
        let help = folder.good(&[command, "--help"]);
        assert!(
            help.contains("Examples:") && help.contains("Exit codes:"),
            "{help}"
        );
    }
    for command in ["save", "restore"] {
        let help = folder.good(&[command, "--help"]);
        for part in ["  1    ", "  130  interrupted by Ctrl-C", "(0600)"] {
            assert!(help.contains(part), "no {part} in {help}");
        }
    }
    assert!(folder.good(&["--help"]).contains("inspect"));
}
