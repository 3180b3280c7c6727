//! The other store: how its program is built, and what goes to it and comes from it.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::str::FromStr;

/// Where Debian's packages have the sources of Go's libraries, and which of them is needed.
const LIBRARIES: &str = "/usr/share/gocode";
const MEMDB: &str = "src/github.com/hashicorp/go-memdb";
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/go-memdb");
/// What would change how the program runs, if somebody had set it.
const SETTINGS: [&str; 5] = ["GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG", "GOFLAGS"];

/// Why there are no figures.
#[derive(Debug)]
pub enum Error {
    /// What is to be installed first.
    Missing(&'static str),
    /// What the compiler says.
    NotBuilt(String),
    /// A program that cannot be run, or talked to.
    System(&'static str, io::Error),
    /// The stand-in ended; it has said why.
    Ended,
    /// An answer that is none.
    NotUnderstood(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(
                f,
                "{what} is not there. On Debian: \
                 apt-get install golang-go golang-github-hashicorp-go-memdb-dev"
            ),
            Self::NotBuilt(why) => write!(f, "the stand-in cannot be built:\n{why}"),
            Self::System(what, error) => write!(f, "{what}: {error}"),
            Self::Ended => write!(f, "the stand-in has ended"),
            Self::NotUnderstood(line) => write!(f, "the stand-in answered {line:?}"),
        }
    }
}

/// The program, built.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    /// What the compiler says of itself.
    pub compiler: String,
}

/// Builds it beside the program that runs, which is in the target directory.
pub fn build() -> Result<Program, Error> {
    let own = std::env::current_exe().map_err(|it| Error::System("where this program is", it))?;
    let folder = own.parent().unwrap_or(Path::new("."));
    let path = folder.join("go-memdb");
    let version = go(folder, &["version"])?;
    if !Path::new(LIBRARIES).join(MEMDB).is_dir() {
        return Err(Error::Missing("the library go-memdb"));
    }
    let target = path.to_string_lossy();
    go(folder, &["build", "-o", &target, "."])?;
    let compiler = version.trim().to_owned();
    Ok(Program { path, compiler })
}

/// Runs the compiler; what it wrote to its standard output.
fn go(folder: &Path, arguments: &[&str]) -> Result<String, Error> {
    let mut command = Command::new("go");
    for setting in SETTINGS {
        command.env_remove(setting);
    }
    let output = command
        .args(arguments)
        .current_dir(SOURCES)
        .env("GO111MODULE", "off")
        .env("GOPATH", LIBRARIES)
        .env("GOCACHE", folder.join("go-build"))
        .output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Missing("the compiler go"),
        _ => Error::System("the compiler go", error),
    })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::NotBuilt(why))
    }
}

/// What it says of a workload: of one operation of each thread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// The time that it took, with the collector's work.
    pub nanoseconds: f64,
    /// What it allocated.
    pub bytes: f64,
    /// The time that it took between two collections.
    pub between: f64,
}

/// Its answer: whose figures they are, and the figures.
#[derive(Debug, PartialEq)]
struct Answer(String, Figures);

impl FromStr for Answer {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self, Error> {
        let read = || {
            let mut words = line.split_whitespace();
            let name = words.next()?.to_owned();
            let mut figure = || words.next()?.parse().ok();
            let figures = Figures {
                nanoseconds: figure()?,
                bytes: figure()?,
                between: figure()?,
            };
            let is_all = words.next().is_none();
            is_all.then_some(Self(name, figures))
        };
        read().ok_or_else(|| Error::NotUnderstood(line.to_owned()))
    }
}

/// It runs until this is dropped.
#[derive(Debug)]
pub struct StandIn {
    process: Child,
    /// `None`: it is to end.
    asked: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl StandIn {
    /// Starts it; its errors go where ours go.
    pub fn start(program: &Program) -> Result<Self, Error> {
        let mut command = Command::new(&program.path);
        for setting in SETTINGS {
            command.env_remove(setting);
        }
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = process.map_err(|it| Error::System("the stand-in", it))?;
        let asked = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().ok_or(Error::Ended)?);
        Ok(Self {
            process,
            asked,
            answers,
        })
    }

    /// Has it measure a workload for at least so long.
    pub fn measure(&mut self, name: &str, millis: u64) -> Result<Figures, Error> {
        let line = self.ask(&format!("measure {name} {millis}"))?;
        let Answer(whose, figures) = line.parse()?;
        if whose == name {
            Ok(figures)
        } else {
            Err(Error::NotUnderstood(line))
        }
    }

    /// Asks it how large its tasks are, and tells it in a sentence.
    pub fn sizes(&mut self) -> Result<String, Error> {
        let line = self.ask("sizes")?;
        let mut words = line.split_whitespace().skip(1);
        let (Some(serialized), Some(heap)) = (words.next(), words.next()) else {
            return Err(Error::NotUnderstood(line));
        };
        Ok(format!(
            "A task of the stand-in is {serialized} bytes in protobuf's encoding; its heap has \
             {heap} bytes for each, all indexes included."
        ))
    }

    fn ask(&mut self, question: &str) -> Result<String, Error> {
        let broken = |error| Error::System("the stand-in", error);
        let asked = self.asked.as_mut().ok_or(Error::Ended)?;
        writeln!(asked, "{question}").map_err(broken)?;
        let mut line = String::new();
        match self.answers.read_line(&mut line).map_err(broken)? {
            0 => Err(Error::Ended),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // It ends where its questions do.
        self.asked = None;
        if let Err(error) = self.process.wait() {
            eprintln!("the stand-in: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_name_and_three_figures() {
        let figures = Figures {
            nanoseconds: 12_732.5,
            bytes: 2_752.0,
            between: 7_300.0,
        };
        let answer = "view_get 12732.5 2752.0 7300.0".parse::<Answer>();
        let answer = answer.expect("it is one");
        assert_eq!(answer, Answer("view_get".into(), figures));
        for line in [
            "",
            "view_get",
            "view_get 1 2",
            "view_get 1 2 x",
            "view_get 1 2 3 4",
        ] {
            assert!(line.parse::<Answer>().is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_missing_is_told_with_what_to_install() {
        let told = Error::Missing("the compiler go").to_string();
        assert!(told.contains("apt-get install golang-go golang-github-hashicorp-go-memdb-dev"));
    }
}
