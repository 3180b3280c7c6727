//! Bad input is one line that tells file, line, column, value and remedy; the exit code is 2, and
//! nothing is done.

mod support;

use std::fs;
use std::io::Write;
use std::process::Stdio;

use support::{Files, NODES, PODS, Run, replay, skep};

/// Asserts that the files are refused with just this line.
#[track_caller]
fn refused(nodes: impl AsRef<[u8]>, pods: impl AsRef<[u8]>, message: &str) {
    let files = Files::new(nodes, pods);
    let run = files.replay(&["--csv-out", "out.csv"]);
    assert_eq!(run.stderr, format!("error: {message}\n"));
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert_eq!(
        files.names(),
        ["nodes.csv", "pods.csv"],
        "nothing was left behind"
    );
}

/// The sound pods with one text in place of another.
#[track_caller]
fn pods(from: &str, to: &str) -> String {
    assert!(PODS.contains(from), "{from} is not in the sound pods");
    PODS.replacen(from, to, 1)
}

/// The sound nodes with one text in place of another.
#[track_caller]
fn nodes(from: &str, to: &str) -> String {
    assert!(NODES.contains(from), "{from} is not in the sound nodes");
    NODES.replacen(from, to, 1)
}

const NODE_COLUMNS: &str = "the columns are sn,cpu_milli,memory_mib,gpu,model";
const POD_COLUMNS: &str = "the columns are name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,\
                           qos,pod_phase,creation_time,deletion_time,scheduled_time";

#[test]
fn a_missing_file_is_refused() {
    let files = Files::sound();
    fs::remove_file(files.path("pods.csv")).expect("it was there");
    let run = files.replay(&[]);
    assert_eq!(run.stderr, "error: pods.csv: there is no such file\n");
    assert_eq!(run.code, Some(2));
}

#[test]
fn a_folder_is_refused() {
    let files = Files::sound();
    fs::remove_file(files.path("nodes.csv")).expect("it was there");
    fs::create_dir(files.path("nodes.csv")).expect("a writable folder");
    assert_eq!(
        files.replay(&[]).stderr,
        "error: nodes.csv: it is a folder, not a file\n"
    );
}

#[test]
fn an_empty_file_is_refused() {
    refused(
        "",
        PODS,
        "nodes.csv:1: the file is empty; it must begin with sn,cpu_milli,memory_mib,gpu,model",
    );
    refused(
        "\n\r\n",
        PODS,
        "nodes.csv:1: the file is empty; it must begin with sn,cpu_milli,memory_mib,gpu,model",
    );
}

#[test]
fn a_file_without_rows_is_refused() {
    let header = NODES.lines().next().expect("a header");
    let message = "nodes.csv:2: no node; write at least one row below the header";
    refused(header, PODS, message);
    refused(format!("{header}\n"), PODS, message);
    let header = PODS.lines().next().expect("a header");
    refused(
        NODES,
        header,
        "pods.csv:2: no pod; write at least one row below the header",
    );
}

#[test]
fn a_missing_column_is_refused() {
    let message = format!("nodes.csv:1: column model: missing; {NODE_COLUMNS}");
    refused("sn,cpu_milli,memory_mib,gpu\na,1,1,0\n", PODS, &message);
    let header = PODS.lines().next().expect("a header");
    for (at, column) in header.split(',').enumerate() {
        let without = |line: &str| {
            let mut cells: Vec<_> = line.split(',').collect();
            cells.remove(at);
            cells.join(",") + "\n"
        };
        let message = format!("pods.csv:1: column {column}: missing; {POD_COLUMNS}");
        refused(
            NODES,
            PODS.lines().map(without).collect::<String>(),
            &message,
        );
    }
}

#[test]
fn an_unknown_column_is_refused() {
    let message = format!("nodes.csv:1: column 2: \"cpu\": unknown column; {NODE_COLUMNS}");
    refused(nodes("cpu_milli", "cpu"), PODS, &message);
    let message = format!("pods.csv:1: column 12: \"zone\": unknown column; {POD_COLUMNS}");
    refused(
        NODES,
        pods("scheduled_time\n", "scheduled_time,zone\n"),
        &message,
    );
}

#[test]
fn a_column_that_is_there_twice_is_refused() {
    let message = "nodes.csv:1: column 3: \"cpu_milli\": a column that is there already; \
                   remove one of the two";
    refused(nodes("memory_mib", "cpu_milli"), PODS, message);
}

#[test]
fn bad_numbers_are_refused() {
    let from_to = "a whole number of thousandths of a CPU from 0 to 4294967295";
    for (cell, what) in [
        ("many", format!("not a whole number; write {from_to}")),
        ("1.5", format!("not a whole number; write {from_to}")),
        ("0x10", format!("not a whole number; write {from_to}")),
        ("+5", format!("not a whole number; write {from_to}")),
        ("1e3", format!("not a whole number; write {from_to}")),
        ("5.", format!("not a whole number; write {from_to}")),
        (".0", format!("not a whole number; write {from_to}")),
        ("5.0.0", format!("not a whole number; write {from_to}")),
        ("-1.0", format!("negative; write {from_to}")),
        ("-1", format!("negative; write {from_to}")),
        (
            "4294967296",
            "too large; the most is 4294967295 thousandths of a CPU".to_owned(),
        ),
        (
            "99999999999999999999999",
            "too large; the most is 4294967295 thousandths of a CPU".to_owned(),
        ),
    ] {
        let message = format!("nodes.csv:2: column cpu_milli: \"{cell}\": {what}");
        refused(nodes("8000", cell), PODS, &message);
    }
    let message = "nodes.csv:2: column cpu_milli: \"\": empty; \
                   write a whole number of thousandths of a CPU";
    refused(nodes("8000", ""), PODS, message);
}

#[test]
fn bad_times_are_refused() {
    let seconds = "a whole number of seconds from 0 to 4503599627370496";
    let message =
        format!("pods.csv:2: column deletion_time: \"soon\": not a whole number; write {seconds}");
    refused(NODES, pods("0,100,0", "0,soon,0"), &message);
    let message = format!("pods.csv:2: column creation_time: \"-3\": negative; write {seconds}");
    refused(NODES, pods("0,100,0", "-3,100,0"), &message);
    let message =
        format!("pods.csv:2: column scheduled_time: \"x\": not a whole number; write {seconds}");
    refused(NODES, pods("0,100,0", "0,100,x"), &message);
    let message = "pods.csv:3: column deletion_time: \"9\": before creation_time 10; \
                   a pod is deleted after it";
    refused(NODES, pods("10,90,12", "10,9,12"), message);
}

#[test]
fn duplicate_names_are_refused() {
    let message =
        "nodes.csv:3: column sn: \"cpu-node\": a name that line 2 has too; each must differ";
    refused(nodes("gpu-node", "cpu-node"), PODS, message);
    let message = "pods.csv:4: column name: \"a\": a name that line 2 has too; each must differ";
    refused(NODES, pods("\nc,", "\na,"), message);
}

#[test]
fn an_unknown_gpu_model_is_refused() {
    let message = "pods.csv:3: column gpu_spec: \"T4|H100\": unknown GPU model H100; \
                   the nodes have: T4";
    refused(NODES, pods("500,T4", "500,T4|H100"), message);
    let message = "pods.csv:3: column gpu_spec: \"T4||\": an empty model name; write A or A|B";
    refused(NODES, pods("500,T4", "500,T4||"), message);
    let message = "pods.csv:3: column gpu_spec: \"T4\": unknown GPU model T4; \
                   no node has a GPU";
    refused(nodes("2,T4", "0,"), PODS, message);
}

#[test]
fn gpus_that_contradict_themselves_are_refused() {
    let message = "nodes.csv:3: column model: \"\": empty, but the node has 2 GPUs; \
                   write their model";
    refused(nodes("2,T4", "2,"), PODS, message);
    let message = "nodes.csv:2: column model: \"T4\": a GPU model on a node without a GPU; \
                   empty it or write gpu";
    refused(nodes("0,\n", "0,T4\n"), PODS, message);
    let message = "nodes.csv:3: column gpu: \"65\": too large; the most is 64 GPUs";
    refused(nodes("2,T4", "65,T4"), PODS, message);
    let message = "pods.csv:3: column gpu_milli: \"1001\": too large; \
                   the most is 1000 thousandths of a GPU";
    refused(NODES, pods("1,500", "1,1001"), message);
    let message = "pods.csv:3: column gpu_milli: \"0\": nothing of a GPU, but num_gpu is 1; \
                   write 1 to 1000";
    refused(NODES, pods("1,500", "1,0"), message);
    let message = "pods.csv:2: column gpu_milli: \"7\": a share of a GPU, but num_gpu is 0; \
                   write 0, or num_gpu 1";
    refused(NODES, pods("0,0,", "0,7,"), message);
    let message = "pods.csv:4: column gpu_milli: \"500\": a share, but num_gpu is more than 1; \
                   only one GPU is shared: write 1000";
    refused(NODES, pods("2,1000", "2,500"), message);
}

#[test]
fn unknown_words_are_refused() {
    let message = "pods.csv:2: column pod_phase: \"Sleeping\": unknown phase; \
                   write Running, Succeeded, Failed or Pending";
    refused(NODES, pods("LS,Running", "LS,Sleeping"), message);
    let message = "pods.csv:2: column qos: \"XL\": unknown quality of service; \
                   write LS, BE, Burstable, Guaranteed";
    refused(NODES, pods("LS,Running", "XL,Running"), message);
}

#[test]
fn rows_of_the_wrong_width_are_refused() {
    let message = "nodes.csv:2: column model: missing: the row has 4 cells, the header 5";
    refused(nodes("0,\n", "0\n"), PODS, message);
    let message = "nodes.csv:3: column 6: \"west\": too many: the row has 6 cells, the header 5";
    refused(nodes("T4\n", "T4,west\n"), PODS, message);
    let cut = PODS
        .trim_end()
        .rsplit_once(",Pending")
        .expect("it is there")
        .0;
    let message = "pods.csv:4: column pod_phase: missing: the row has 7 cells, the header 11";
    refused(NODES, cut, message);
}

#[test]
fn a_quote_that_is_left_open_is_refused() {
    let message = "nodes.csv:2: column sn: \"cpu-node,8000,16384,0,\\ngpu-node,16000,32768,2,T4\": \
                   the cell runs over the end of its line; close its quote";
    refused(nodes("cpu-node", "\"cpu-node"), PODS, message);
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let mut bytes = NODES.as_bytes().to_vec();
    let at = NODES.find("gpu-node").expect("it is there");
    bytes[at] = 0xff;
    let message =
        "nodes.csv:3: column sn: \"\u{fffd}pu-node\": not UTF-8 text; save the file as UTF-8";
    refused(bytes, PODS, message);
}

#[test]
fn a_row_without_a_name_is_refused() {
    let message = "nodes.csv:2: column sn: \"\": empty; every row needs a name";
    refused(nodes("cpu-node", ""), PODS, message);
}

#[test]
fn blank_lines_and_crlf_do_not_shift_the_line_that_is_told() {
    let text = nodes("8000", "many").replace('\n', "\r\n");
    let text = text.replacen("model\r\n", "model\r\n\r\n\r\n", 1);
    let message = "nodes.csv:4: column cpu_milli: \"many\": not a whole number; \
                   write a whole number of thousandths of a CPU from 0 to 4294967295";
    refused(text, PODS, message);
}

#[test]
fn one_file_alone_is_a_usage_error() {
    for args in [["--nodes", "nodes.csv"], ["--pods", "pods.csv"]] {
        let run = replay(&args);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    }
}

#[test]
fn bad_arguments_are_usage_errors() {
    for args in [
        &["--schedulers", "0"][..],
        &["--agents", "1000"],
        &["--speed", "0"],
        &["--speed", "NaN"],
        &["--duration-max", "-1"],
        &["--soak", "0s"],
        &["--soak", "long"],
        &["--soak", "1s", "--duration-max", "1"],
        &["--synthetic-nodes", "0"],
        &[
            "--nodes",
            "n.csv",
            "--pods",
            "p.csv",
            "--synthetic-tasks",
            "5",
        ],
        &["--no-such-flag"],
    ] {
        let run = replay(args);
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.stderr);
        assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    }
    let run = support::Run::of(&mut skep());
    assert_eq!(run.code, Some(2), "no command shows the help and fails");
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_the_replay() {
    let files = Files::sound();
    for (out, what) in [
        ("no/such/folder.csv", "there is no such folder"),
        (".", "it is a folder"),
        ("pods.csv", "it is the input"),
        ("./nodes.csv", "it is the input"),
    ] {
        let run = files.replay(&["--csv-out", out]);
        assert_eq!(
            run.stderr,
            format!("error: {out}: {what}; name another --csv-out\n")
        );
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    }
    assert_eq!(
        fs::read_to_string(files.path("pods.csv")).expect("it is there"),
        PODS
    );
}

/// Runs the program on what comes through a pipe: `begin`, then lines without an end, but for so
/// many portions. With the run, how many of these were taken.
#[cfg(unix)]
fn fed(command: &str, begin: &[u8], portions: usize) -> (Run, usize) {
    let mut command_line = skep();
    command_line.args([command, "/dev/stdin"]);
    command_line
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command_line.spawn().expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    let begun = input.write_all(begin).is_ok();
    let portion = b"y\n".repeat(1 << 15);
    let taken = (0..portions).take_while(|_| begun && input.write_all(&portion).is_ok());
    let taken = taken.count();
    drop(input);
    let run = child.wait_with_output().expect("it ends");
    (Run::from(run), taken)
}

/// What is given by mistake may be long, or have no end.
#[cfg(unix)]
#[test]
fn what_is_no_saved_file_is_not_read_to_its_end() {
    const PORTIONS: usize = 1_000;
    for command in ["restore", "inspect"] {
        let (run, taken) = fed(command, &[], PORTIONS);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{command}");
        let told = "error: /dev/stdin: at byte 0: it is no saved version of a store\n";
        assert_eq!(run.stderr, told);
        assert!(taken < PORTIONS / 10, "{command}: {taken}");
    }
}

/// Nor is what begins as one.
#[cfg(unix)]
#[test]
fn what_goes_on_as_no_saved_file_is_not_read_to_its_end() {
    const PORTIONS: usize = 1_000;
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("a.skep");
    let made = Run::of(skep().args(["save", "-q", "--synthetic"]).arg(&path));
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let file = std::fs::read(&path).expect("it was written");
    // Its head; and all of it.
    for begin in [&file[..28], &file[..]] {
        for command in ["restore", "inspect"] {
            let (run, taken) = fed(command, begin, PORTIONS);
            assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{command}");
            let told = "it does not keep to the format: ";
            assert!(run.stderr.contains(told), "{command}: {}", run.stderr);
            assert!(taken < PORTIONS / 10, "{command}: {taken}");
        }
    }
}
