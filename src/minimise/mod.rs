//! Minimisation on the wire format: only granted tags are copied, whatever a source sends.
//!
//! What leaves is canonical: the bytes that a decoder which knows the granted fields, and no
//! others, would encode again. Fields in order of number, each once; the last value of a singular
//! field, its messages merged; map entries by key, the last of each; numbers cut to their width;
//! implicit defaults left out. So what a source can say beside its values (order, padding,
//! repetition, unknown tags) does not pass.
//!
//! A message left empty passes only where a path opens it whole; otherwise its presence, or the number of such
//! elements, would tell what is not granted. In a `oneof` the last member wins, granted or not: a granted member that was
//! replaced by an undeclared one is no part of what the source says.
//!
//! Pure: bytes in, bytes out. Nothing here panics, and memory stays proportional to the limits.

mod exact;
mod fast;
mod fit;
mod output;
pub mod probe;
pub mod request;
mod wire;

#[cfg(test)]
mod generate;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;

use crate::domain::grant::{PathSet, Trie};

/// What a message may measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages (and groups) within each other, below the outermost.
    pub depth: u32,
    /// Bytes, of what comes in and of what goes out.
    pub bytes: usize,
    /// Tags, granted or not, over all depths.
    pub fields: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 32, bytes: 4 << 20, fields: 1 << 18 }
    }
}

/// The granted part of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Filtered {
    /// Canonically encoded.
    pub bytes: Vec<u8>,
    /// The declared paths that had a value.
    pub paths: PathSet,
}

impl Filtered {
    /// Nothing at all: a message without fields.
    pub fn nothing() -> Self {
        Self { bytes: Vec::new(), paths: PathSet::default() }
    }
}

impl fmt::Debug for Filtered {
    /// Never the bytes: they are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filtered").field("len", &self.bytes.len()).field("paths", &self.paths).finish()
    }
}

/// Why bytes are no message that the gateway takes. Says nothing of their content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// The bytes end within a value.
    Truncated,
    /// A varint of more than 64 bits.
    Varint,
    /// A tag with number 0, above 2^29 - 1, or without a wire type.
    Tag,
    /// The end of a group that was not begun.
    Group,
    /// A string that is not UTF-8.
    Utf8,
    /// More bytes than [`Limits::bytes`].
    TooLarge,
    /// More tags than [`Limits::fields`].
    TooMany,
    /// Deeper than [`Limits::depth`].
    TooDeep,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the message ends within a value",
            Self::Varint => "the message holds a varint of more than 64 bits",
            Self::Tag => "the message holds an invalid tag",
            Self::Group => "the message ends a group that it did not begin",
            Self::Utf8 => "the message holds a string that is not UTF-8",
            Self::TooLarge => "the message is too large",
            Self::TooMany => "the message has too many fields",
            Self::TooDeep => "the message nests too deeply",
        })
    }
}

impl Error for FilterError {}

/// Copies what `trie` grants of `input`, a message of [`Trie::message`].
///
/// A field on another wire type than the declared one counts as unknown, as protobuf has it. What is not
/// granted is skipped, not checked.
pub fn filter(trie: &Trie, input: &[u8], limits: &Limits) -> Result<Filtered, FilterError> {
    match fast::filter(trie, input, limits)? {
        Some(filtered) => Ok(filtered),
        None => exact::filter(trie, input, limits),
    }
}
