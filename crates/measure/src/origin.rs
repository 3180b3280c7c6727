//! Where figures come from: the machine, how busy it was, when, and by which command. A figure
//! without them is nothing that anybody could look at again.

use std::fmt;
use std::fs;
use std::time::SystemTime;

/// Where figures come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The processor, its cores and caches.
    pub machine: String,
    /// The moment at which measuring began, in universal time.
    pub date: String,
    /// Threads that ran or wanted to before it, on the average of a minute.
    pub load: String,
    /// What was asked for, so that a shell takes it.
    pub command: String,
}

impl Origin {
    /// Of the program that runs now; `start` is how it is started, without its arguments.
    #[must_use]
    pub fn here(start: &str) -> Self {
        let arguments = std::env::args_os().skip(1);
        let arguments = arguments.map(|argument| quoted(&argument.to_string_lossy()));
        let words: Vec<String> = std::iter::once(start.to_owned()).chain(arguments).collect();
        Self {
            machine: machine(),
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            load: load(),
            command: words.join(" "),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            machine,
            date,
            load,
            command,
        } = self;
        write!(f, "{machine}; {date}; load before it {load}\n{command}")
    }
}

/// Cores that this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The counts of threads that are measured where nothing else is said: one, two, and the cores.
#[must_use]
pub fn usual_threads() -> Vec<usize> {
    let mut threads = vec![1, 2, cores()];
    threads.sort_unstable();
    threads.dedup();
    threads
}

/// A word as a shell takes it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./,=:+@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn machine() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| field(&text, "model name"))
        .unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH));
    let caches: Vec<String> = [2, 3].into_iter().filter_map(cache).collect();
    let mut parts = vec![processor, format!("{} cores", cores())];
    parts.extend(caches);
    parts.join(", ")
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    values.next()
}

/// The size of a level of the caches.
fn cache(level: u32) -> Option<String> {
    let size = format!("/sys/devices/system/cpu/cpu0/cache/index{level}/size");
    let size = fs::read_to_string(size).ok()?;
    Some(format!("L{level} {}iB", size.trim()))
}

fn load() -> String {
    let loads = fs::read_to_string("/proc/loadavg").ok();
    let first = loads.as_deref().and_then(|text| text.split(' ').next());
    first.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_quoted_words_as_they_were() {
        assert_eq!(quoted("--peers=redb,imbl"), "--peers=redb,imbl");
        assert_eq!(quoted("two words"), "'two words'");
        assert_eq!(quoted("RwLock<Map>"), "'RwLock<Map>'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 1\nmodel name\t: Some Processor\nmodel name\t: other\n";
        assert_eq!(field(text, "model name").as_deref(), Some("Some Processor"));
        assert_eq!(field(text, "name"), None);
    }

    #[test]
    fn the_usual_threads_are_each_count_once() {
        let threads = usual_threads();
        assert!(threads.starts_with(&[1]) && threads.is_sorted_by(|a, b| a < b));
        assert!(threads.contains(&2) && threads.contains(&cores()));
    }
}
