//! Lines of JSON, as the program reads them: any bytes; and objects of each table, with changed
//! parts. What is read can be saved, and restored as it was.

use arbitrary::{Arbitrary, Unstructured};
use skep::cluster::{self, catalogue};
use skep_cli::reading;

/// An object of each table, a line each.
const SAMPLES: &str = include_str!("lines.jsonl");
/// What parts are changed to.
const VALUES: [&str; 16] = [
    "null",
    "true",
    "0",
    "-1",
    "1e308",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "\"\"",
    "\"\\u0000\"",
    "\"id\"",
    "[]",
    "[255,256]",
    "{}",
    "{\"secs\":18446744073709551615,\"nanos\":4294967295}",
    "}",
];

/// A line.
#[derive(Arbitrary, Clone, Debug)]
pub enum Line {
    /// Any bytes.
    Bytes(Vec<u8>),
    /// A table's object, changed.
    Object {
        /// Which.
        table: u8,
        /// Which parts, and to what.
        #[arbitrary(with = few_changes)]
        changes: Vec<(u16, Value)>,
    },
}

/// What a part is changed to.
#[derive(Arbitrary, Clone, Debug)]
pub enum Value {
    /// One of a few.
    Known(u8),
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
    /// What stands at another part.
    Other(u16),
}

fn few_changes(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<(u16, Value)>> {
    let count = u.int_in_range(0..=3)?;
    (0..count).map(|_| u.arbitrary()).collect()
}

/// The parts of a line that are no punctuation: from where to where. Texts of samples have none.
fn parts(line: &str) -> Vec<(usize, usize)> {
    let punctuation = |character: char| "{}[]:,".contains(character);
    let mut parts = Vec::new();
    let mut from = 0;
    for part in line.split(punctuation) {
        if !part.is_empty() {
            parts.push((from, from + part.len()));
        }
        from += part.len() + 1;
    }
    parts
}

impl Value {
    fn text(&self, line: &str) -> String {
        match self {
            Self::Known(at) => VALUES[usize::from(*at) % VALUES.len()].to_owned(),
            Self::Number(number) => number.to_string(),
            // As JSON writes it, as far as it is printable.
            Self::Text(text) => format!("\"{}\"", text.replace(['"', '\\'], "_")),
            Self::Other(at) => {
                let parts = parts(line);
                let (from, to) = parts[usize::from(*at) % parts.len()];
                line[from..to].to_owned()
            }
        }
    }
}

impl Line {
    fn bytes(&self) -> Vec<u8> {
        let (table, changes) = match self {
            Self::Bytes(bytes) => return bytes.clone(),
            Self::Object { table, changes } => (usize::from(*table), changes),
        };
        let samples: Vec<&str> = SAMPLES.lines().collect();
        let mut line = samples[table % samples.len()].to_owned();
        for (at, value) in changes {
            let parts = parts(&line);
            let (from, to) = parts[usize::from(*at) % parts.len()];
            let text = value.text(&line);
            line.replace_range(from..to, &text);
        }
        line.into_bytes()
    }
}

/// Has lines read; tells whether they were accepted.
///
/// # Panics
/// If they are refused without a word or with more than a line, or cannot be saved and restored.
pub fn play(lines: &[Line]) -> bool {
    let lines: Vec<Vec<u8>> = lines.iter().map(Line::bytes).collect();
    let bytes = lines.join(&b'\n');
    let store = match reading::lines(&bytes) {
        Ok(store) => store,
        Err(error) => {
            assert!(!error.is_empty() && !error.contains('\n'), "{error:?}");
            return false;
        }
    };
    let mut file = Vec::new();
    let saved = store.save(&catalogue(), &mut file);
    let saved = saved.expect("what could be read can be written");
    let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
    assert!(saved.objects <= lines, "{} objects", saved.objects);
    let restored = cluster::builder().build();
    let told = restored.restore(&catalogue(), &file[..]);
    told.expect("what was written can be read");
    let mut again = Vec::new();
    let saved = restored.save(&catalogue(), &mut again);
    saved.expect("it was saved before");
    assert_eq!(file, again);
    true
}
