//! What an answer tells apart from its data: what `settle` judges by, and what never enters an answer.

use std::fmt;

/// Facts of one answer about one person.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// False where the source knows no such person, or has no data about them.
    pub found: bool,
    /// The identifier of the person that the answer is about, as the source wrote it (not checksum-checked).
    pub returned: Option<Box<str>>,
    /// The answer names nobody at all.
    pub unnamed: bool,
    /// The identifier that the source announced as the replacement of the one asked for.
    pub replacement: Option<Box<str>>,
    /// The source marks the address as not to be communicated.
    pub protected_address: bool,
    /// The last day of that protection, as the source wrote it. Absent or unreadable: it stands.
    pub protected_until: Option<Box<str>>,
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts").field("found", &self.found).finish_non_exhaustive()
    }
}
