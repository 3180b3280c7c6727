//! Runs the program as a user would.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A header and rows that are sound: two nodes and three pods.
pub const NODES: &str = "\
sn,cpu_milli,memory_mib,gpu,model
cpu-node,8000,16384,0,
gpu-node,16000,32768,2,T4
";
/// See [`NODES`].
pub const PODS: &str = "\
name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,\
creation_time,deletion_time,scheduled_time
a,4000,1024,0,0,,LS,Running,0,100,0
b,4000,1024,1,500,T4,BE,Failed,10,90,12
c,4000,1024,2,1000,,Burstable,Pending,95,200,
";

/// The names of what is in a folder, in order.
pub fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("the folder is there");
    let name = |file: std::io::Result<fs::DirEntry>| {
        let name = file.expect("readable").file_name();
        name.to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = files.map(name).collect();
    names.sort();
    names
}

/// A folder with input files.
pub struct Files {
    folder: TempDir,
}

impl Files {
    /// The sound files.
    pub fn sound() -> Self {
        Self::new(NODES, PODS)
    }

    /// Files with this text.
    pub fn new(nodes: impl AsRef<[u8]>, pods: impl AsRef<[u8]>) -> Self {
        let files = Self {
            folder: TempDir::new().expect("a folder for the test"),
        };
        fs::write(files.path("nodes.csv"), nodes).expect("a writable folder");
        fs::write(files.path("pods.csv"), pods).expect("a writable folder");
        files
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The names of the files that are there.
    pub fn names(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.path()).expect("the folder is there");
        let mut names: Vec<_> = files
            .map(|file| {
                file.expect("readable")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// Replays the files from within the folder.
    pub fn replay(&self, more: &[&str]) -> Run {
        let mut command = skep();
        command.current_dir(self.folder.path());
        command
            .args(["replay", "--nodes", "nodes.csv", "--pods", "pods.csv"])
            .args(more);
        Run::of(&mut command)
    }
}

/// The program.
pub fn skep() -> Command {
    Command::new(env!("CARGO_BIN_EXE_skep"))
}

/// Replays what the arguments say.
pub fn replay(args: &[&str]) -> Run {
    Run::of(skep().arg("replay").args(args))
}

/// What a run of the program came to.
pub struct Run {
    /// Its exit code, if it was not killed.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Run {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.output().expect("the program starts"))
    }

    /// The JSON that it printed, which is the only line on stdout.
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(
            self.stdout.lines().count(),
            1,
            "{}{}",
            self.stdout,
            self.stderr
        );
        serde_json::from_str(&self.stdout).expect("stdout is JSON")
    }

    /// Asserts that the replay ended well and its books balance, and returns its summary.
    pub fn balanced(&self) -> serde_json::Value {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        let summary = self.json();
        assert_eq!(summary["books"]["balanced"], true, "{summary}");
        assert_eq!(summary["end"], "complete", "{summary}");
        summary
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The rows of a CSV file without its header, and the header.
pub fn rows(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(path).expect("the file is there");
    let mut lines = text
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    (header, lines.collect())
}
