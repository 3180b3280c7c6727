//! A source as the rules see it: its code and its comments apart.

/// A source, split into what the compiler reads and what a person reads; texts in quotes are
/// neither. All three have the same lines.
pub struct Source {
    /// From the project's root.
    pub path: String,
    /// As they are.
    pub lines: Vec<String>,
    /// What the compiler reads.
    pub code: Vec<String>,
    /// What a person reads.
    pub comments: Vec<String>,
    /// The innermost bracket that is open where each line begins.
    within: Vec<Option<char>>,
    /// From this line on it is a test module.
    pub tests_from: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let (code, comments) = split(text);
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (lines, code, comments) = (lines(text), lines(&code), lines(&comments));
        let mut open = Vec::new();
        let mut within = Vec::new();
        for line in &code {
            within.push(open.last().copied());
            for bracket in line.chars() {
                match bracket {
                    '(' | '[' | '{' => open.push(bracket),
                    ')' | ']' | '}' => drop(open.pop()),
                    _ => {}
                }
            }
        }
        let begins = |pair: &[String]| {
            let gate = pair[0].starts_with("#[cfg(test)]") || pair[0].starts_with("#[cfg(all(test");
            gate && pair[1].starts_with("mod ") && pair[1].ends_with('{')
        };
        let tests_from = match path.starts_with("tests/") || path.contains("/tests") {
            true => 0,
            false => code.windows(2).position(begins).unwrap_or(code.len()),
        };
        Self {
            path: path.to_owned(),
            lines,
            code,
            comments,
            within,
            tests_from,
        }
    }

    pub fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    pub fn fault(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }

    /// The numbers and the code of lines, without those of tests.
    pub fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .iter()
            .map(String::as_str)
            .enumerate()
            .take(self.tests_from)
    }

    /// The top module below `src` that it is of.
    pub fn module(&self) -> Option<&str> {
        let path = self.path.strip_prefix("src/")?;
        let module = path.split('/').next()?.trim_end_matches(".rs");
        (module != "lib").then_some(module)
    }

    /// The first line of the statement (or match arm) that a line is of.
    pub fn statement(&self, line: usize) -> usize {
        let mut first = line;
        while let Some(above) = first.checked_sub(1) {
            let code = self.code[above].trim_end();
            let listed = matches!(self.within[first], Some('(' | '['));
            let ended = code.ends_with([';', '{', '}']) || (code.ends_with(',') && !listed);
            if ended || (code.is_empty() && self.comments[above].trim().is_empty()) {
                break;
            }
            first = above;
        }
        first
    }

    /// The comments on the statement of a line, and above it.
    pub fn argument(&self, line: usize) -> impl Iterator<Item = &str> {
        let comments = self.comments[self.statement(line)..=line].iter();
        comments.map(|comment| comment.trim().trim_start_matches('/').trim_start())
    }
}

/// Code and comments of a text, each with blanks for the other; quoted texts are blank in both.
fn split(text: &str) -> (String, String) {
    let characters: Vec<char> = text.chars().collect();
    let (mut code, mut comments) = (String::new(), String::new());
    let mut at = 0;
    while at < characters.len() {
        let rest = &characters[at..];
        let (length, is_comment) = match rest {
            ['/', '/', ..] => (line_length(rest), true),
            ['/', '*', ..] => (block_length(rest), true),
            ['"', ..] => (quoted_length(rest), false),
            ['r', '"' | '#', ..]
                if !at.checked_sub(1).is_some_and(|at| is_word(characters[at])) =>
            {
                (raw_length(rest), false)
            }
            ['\'', '\\', ..] => (
                3 + rest.iter().skip(3).take_while(|c| **c != '\'').count() + 1,
                false,
            ),
            ['\'', _, '\'', ..] => (3, false),
            _ => (0, false),
        };
        for character in &rest[..length.min(rest.len())] {
            let blank = if *character == '\n' { '\n' } else { ' ' };
            code.push(blank);
            comments.push(if is_comment { *character } else { blank });
        }
        if length == 0 {
            code.push(rest[0]);
            comments.push(if rest[0] == '\n' { '\n' } else { ' ' });
        }
        at += length.max(1);
    }
    (code, comments)
}

pub fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn line_length(rest: &[char]) -> usize {
    rest.iter()
        .take_while(|character| **character != '\n')
        .count()
}

fn block_length(rest: &[char]) -> usize {
    let end = rest.windows(2).position(|pair| pair == ['*', '/']);
    end.map_or(rest.len(), |end| end + 2)
}

fn quoted_length(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// 0 if it is a raw name.
fn raw_length(rest: &[char]) -> usize {
    let hashes = rest[1..]
        .iter()
        .take_while(|character| **character == '#')
        .count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let end: Vec<char> = std::iter::once('"')
        .chain((0..hashes).map(|_| '#'))
        .collect();
    let body = rest[2 + hashes..]
        .windows(end.len())
        .position(|window| window == end);
    2 + hashes + body.unwrap_or(rest.len()) + end.len()
}

/// Where a word or a path stands in code, not as a part of a longer word.
pub fn positions<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| {
            let before = code[..*at].chars().next_back();
            let after = code[at + word.len()..].chars().next();
            !before.is_some_and(|c| is_word(c) || c == '$') && !after.is_some_and(is_word)
        })
}

pub fn names(code: &str, word: &str) -> bool {
    positions(code, word).next().is_some()
}

/// The path that begins at a place in code.
pub fn path_at(code: &str, at: usize) -> &str {
    let rest = &code[at..];
    let end = rest
        .find(|c: char| !is_word(c) && c != ':')
        .unwrap_or(rest.len());
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_neither_code_nor_comment() {
        let text = r##"let a = "// b \" c"; // d "e"
let f = ('"', '\'', r#"g "// h"#, &'i str); /* j
k */ l"##;
        let source = Source::new("src/a.rs", text);
        let code = source.code.join("\n");
        for word in ["let", "a", "f", "str", "l"] {
            assert!(names(&code, word), "{word} in {code}");
        }
        for word in ["b", "c", "d", "e", "g", "h", "j", "k"] {
            assert!(!names(&code, word), "{word} in {code}");
        }
        let comments = source.comments.join("\n");
        for word in ["d", "e", "j", "k"] {
            assert!(names(&comments, word), "{word} in {comments}");
        }
        for word in ["let", "b", "g", "h", "str"] {
            assert!(!names(&comments, word), "{word} in {comments}");
        }
    }

    #[test]
    fn an_argument_is_a_statements_own() {
        let text =
            "// A.\nfoo(\n    a,\n    b,\n);\nmatch c {\n    // B.\n    D => e,\n    F => g,\n}";
        let source = Source::new("src/a.rs", text);
        let argument = |line| source.argument(line).collect::<String>();
        assert_eq!(argument(3), "A.");
        assert_eq!(argument(5), "");
        assert_eq!(argument(7), "B.");
        assert_eq!(argument(8), "");
    }

    #[test]
    fn a_test_module_is_not_shipped() {
        let source = Source::new("src/a.rs", "a\n#[cfg(test)]\nmod tests {\nb\n}");
        assert_eq!(source.shipped().count(), 1);
        assert_eq!(Source::new("src/a/tests.rs", "a").shipped().count(), 0);
    }
}
