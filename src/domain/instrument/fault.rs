//! What is wrong with an instrument's file, and what to write instead.

use std::fmt;
use std::ops::Range;

/// One fault of one file. Displayed as `protocols/x.toml:12: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstrumentError {
    /// The file, as it was named to us.
    pub file: Box<str>,
    /// The line at fault, from 1. Absent where the fault is of the file as a whole.
    pub line: Option<usize>,
    /// What is wrong, and what to write instead.
    pub message: Box<str>,
}

impl fmt::Display for InstrumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for InstrumentError {}

/// Collects the faults of one file, so that its author mends them all at once.
pub(super) struct Faults<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<InstrumentError>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// A fault of what stands at `span` (bytes of the text).
    pub(super) fn at(&mut self, span: Range<usize>, message: impl Into<Box<str>>) {
        let before = self.text.as_bytes().iter().take(span.start);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        self.push(Some(line), message);
    }

    /// A fault of the file as a whole.
    pub(super) fn whole(&mut self, message: impl Into<Box<str>>) {
        self.push(None, message);
    }

    fn push(&mut self, line: Option<usize>, message: impl Into<Box<str>>) {
        self.found.push(InstrumentError { file: self.file.into(), line, message: message.into() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All faults, in the order of the file.
    pub(super) fn into_errors(mut self) -> Vec<InstrumentError> {
        self.found.sort_by_key(|fault| fault.line);
        self.found.dedup();
        self.found
    }
}

/// ` (did you mean ...?)` with the closest of the words that would have been right, or else all of them.
pub(super) fn suggest<'w>(wrong: &str, right: impl IntoIterator<Item = &'w str>) -> String {
    let mut words: Vec<&str> = right.into_iter().collect();
    words.sort_by_key(|word| (distance(wrong, word), *word));
    match words.first() {
        None => " (there are none)".to_owned(),
        Some(word) if distance(wrong, word) <= 1 + wrong.len() / 4 => {
            format!(" (did you mean `{word}`?)")
        }
        Some(_) => {
            words.truncate(12);
            format!(" (write one of: {})", words.join(", "))
        }
    }
}

/// Levenshtein distance, over bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let cells = row.iter_mut();
        for (cell, y) in cells.zip(std::iter::once(None).chain(b.bytes().map(Some))) {
            let above = *cell;
            if let Some(y) = y {
                left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            }
            *cell = left;
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_book() {
        for (a, b, expected) in
            [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("same", "same", 0), ("ab", "ba", 2)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_near_word_is_proposed_and_a_far_one_answered_with_the_list() {
        assert_eq!(suggest("purpse", ["method", "purpose"]), " (did you mean `purpose`?)");
        assert_eq!(suggest("x", ["photos", "judicial"]), " (write one of: photos, judicial)");
        assert_eq!(suggest("x", []), " (there are none)");
    }

    #[test]
    fn faults_come_in_the_order_of_the_file() {
        let mut faults = Faults::new("a.toml", "one\ntwo\nthree");
        faults.at(8..9, "third");
        faults.at(4..5, "second");
        faults.whole("all of it");
        let shown: Vec<_> = faults.into_errors().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a.toml: all of it", "a.toml:2: second", "a.toml:3: third"]);
    }
}
