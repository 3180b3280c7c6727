//! The whole program, in sizes that say nothing about speed: what it writes, and what it refuses.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// As small as it can be asked for.
const TINY: [&str; 10] = [
    "--records",
    "1000",
    "--rounds",
    "1",
    "--millis",
    "1",
    "--operations",
    "1000",
    "--stops",
    "2",
];

fn run(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_bench-compare"));
    program.args(arguments).output().expect("it can be started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs it; what it printed.
fn done(arguments: &[&str]) -> String {
    let output = run(&[&TINY, arguments].concat());
    let errors = text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    text(&output.stdout)
}

/// Runs it in vain; the one line that it says.
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
    assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
    assert!(told.starts_with("error: "), "{arguments:?}: {told}");
    assert!(output.stdout.is_empty(), "{arguments:?} did something");
    told
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_store_runs_every_rate_and_all_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (csv, plots, document) = (at("rates.csv"), at("new/plots"), at("compared.md"));
    let outputs = ["--csv", &csv, "--plots", &plots, "--markdown", &document];
    let rates = ["--workloads", "abcdefghiopqrs", "--threads", "1,3"];
    let told = done(&[&rates[..], &outputs].concat());
    for part in [
        "| RwLock<BTreeMap> ",
        "3 threads",
        "CPU ns",
        "--threads 1,3",
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    let samples = read(Path::new(&csv));
    for store in [
        "skep",
        "surrealmx",
        "concread",
        "redb",
        "SkipMap",
        "ArcSwap<imbl>",
    ] {
        for figure in ["operations/s", "CPU ns an operation", "most attempts"] {
            let line = format!("\nb,{store},3,1,{figure},");
            assert!(samples.contains(&line), "no {line} in {samples}");
        }
    }
    let document = read(Path::new(&document));
    assert!(document.contains("### r: rows"), "{document}");
    assert!(document.contains("](new/plots/a.svg)"), "{document}");
    for letter in "abcdefghiopqrs".chars() {
        let chart = read(&Path::new(&plots).join(format!("{letter}.svg")));
        assert!(chart.starts_with("<svg") && chart.trim_end().ends_with("</svg>"));
        assert!(chart.contains(">\nskep\n<"), "{chart}");
    }
}

#[test]
fn what_is_several_figures_runs_and_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let document = folder.path().join("compared.md");
    let document = document.to_string_lossy();
    let special = [
        "--workloads",
        "jklm",
        "--peers",
        "btree,imbl",
        "--clock",
        "cpu",
    ];
    let csv = folder.path().join("figures.csv");
    let outputs = ["--markdown", &document, "--csv", &csv.to_string_lossy()];
    let told = done(&[&special[..], &outputs].concat());
    for part in [
        "snapshot right",
        "read p99, ns",
        "writers stopped",
        "CPU ns each",
        "<= 240: ",
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    assert!(!told.contains("surrealmx |"), "{told}");
    let samples = read(&csv);
    for store in ["skep", "ArcSwap<imbl>"] {
        let line = |figure: &str| format!("\nj,{store},1,1,{figure},");
        let right = format!("{}1\n", line("snapshot right"));
        assert!(samples.contains(&right), "{samples}");
        for quantile in ["p50", "p99", "p99.9"] {
            let line = line(&format!("\"read {quantile}, ns\""));
            assert!(samples.contains(&line), "no {line} in {samples}");
        }
    }
    let document = read(Path::new(&*document));
    assert!(
        document.contains("of the time that threads ran"),
        "{document}"
    );
}

#[test]
fn wrong_words_are_refused_in_a_line() {
    assert!(refused(&["--workloads", "az"]).contains("no workload z"));
    assert!(refused(&["--workloads", ""]).contains("at least one workload"));
    assert!(refused(&["--peers", "sqlite"]).contains("papaya"));
    assert!(refused(&["--threads", "0"]).contains("threads"));
    assert!(refused(&["--clock", "sun"]).contains("wall"));
    assert!(refused(&["--rounds", "none"]).contains("rounds"));
    assert!(refused(&["--fast"]).contains("--fast"));
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("it can be written");
    let below = file.join("below").to_string_lossy().into_owned();
    for option in ["--plots", "--csv", "--markdown"] {
        assert!(refused(&[option, &below]).contains(&below), "{option}");
    }
    // What earlier runs wrote is there still.
    let kept = ["kept.csv", "kept.md"].map(|name| folder.path().join(name));
    let [csv, document] = &kept;
    for path in &kept {
        std::fs::write(path, "kept").expect("it can be written");
    }
    let (csv, document) = (csv.to_string_lossy(), document.to_string_lossy());
    refused(&["--csv", &csv, "--markdown", &below]);
    refused(&["--csv", &below, "--markdown", &document]);
    for path in &kept {
        assert_eq!(read(path), "kept", "{}", path.display());
    }
}

#[test]
fn help_teaches_with_examples() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    let help = text(&output.stdout);
    for part in [
        "Examples:",
        "--plots docs/plots",
        "  m  a thread stopped",
        "ArcSwap<imbl>",
    ] {
        assert!(help.contains(part), "no {part} in {help}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_nobody_reads_or_that_is_full_is_no_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv = folder.path().join("rates.csv");
    let arguments = ["--workloads", "ab", "--peers", "papaya", "--threads", "1"];
    let started = |more: &[&str], output: Stdio| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_bench-compare"));
        program.args(TINY).args(arguments).args(more).stdout(output);
        program.stderr(Stdio::piped());
        let started = program.spawn().expect("it can be started");
        let output = started.wait_with_output().expect("it ends");
        (output.status.code(), text(&output.stderr))
    };
    let unread = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        Stdio::from(writer)
    };
    // Who had enough ends it; but what is to be written to a file is.
    let (code, told) = started(&[], unread());
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = started(&["--csv", &csv.to_string_lossy()], unread());
    assert_eq!(code, Some(0), "{told}");
    let samples = read(&csv);
    assert!(samples.contains("\na,papaya,") && samples.contains("\nb,papaya,"));
    let full = std::fs::File::options().write(true).open("/dev/full");
    let (code, told) = started(&[], full.expect("it is there").into());
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("cannot write the standard output"), "{told}");
}
