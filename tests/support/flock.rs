//! Canaries: texts that nothing else holds, put into answers to see which of them leave.

use std::path::Path;

/// How each begins; six digits follow.
const SONG: &str = "kanarie";
const LENGTH: usize = SONG.len() + 6;

/// Makes canaries, each once.
#[derive(Default)]
pub struct Flock(u32);

impl Flock {
    pub fn next(&mut self) -> String {
        self.0 += 1;
        format!("{SONG}{:06}", self.0)
    }
}

/// All canaries in some bytes, in order, as often as they stand.
pub fn birds(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut found: Vec<_> =
        text.match_indices(SONG).filter_map(|(at, _)| text.get(at..at + LENGTH)).map(str::to_owned).collect();
    found.sort();
    found
}

/// Fails where a canary stands in some bytes, also one that was written as numbers; or any of these words.
pub fn silent(place: &str, bytes: &[u8], words: &[&str]) {
    let hexadecimal = SONG.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let decimal = SONG.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    let text = String::from_utf8_lossy(bytes);
    for word in [SONG, &hexadecimal, &hexadecimal.to_uppercase(), &decimal].iter().chain(words) {
        let Some(at) = text.find(word) else { continue };
        let around: String = text[..at].chars().rev().take(300).collect();
        panic!("{word} stands in {place} after {}", around.chars().rev().collect::<String>());
    }
}

/// Fails where one stands in a file of this folder or below.
pub fn silent_below(folder: &Path, words: &[&str]) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            silent_below(&path, words);
        } else {
            silent(&path.display().to_string(), &std::fs::read(&path).unwrap(), words);
        }
    }
}
