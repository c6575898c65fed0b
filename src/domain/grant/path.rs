//! Field paths: their places in a grant, sets of them, and what can be wrong with one.

use std::error::Error;
use std::fmt;

use super::Trie;

/// The place of a path among those that an instrument declares, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathIndex(pub(super) u16);

impl PathIndex {
    /// The place as an index into [`Trie::paths`].
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// Which of the declared paths had a value.
///
/// The first 64 take no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathSet {
    first: u64,
    rest: Vec<u64>,
}

impl PathSet {
    /// Adds a path.
    pub fn insert(&mut self, path: PathIndex) {
        let (word, bit) = place(path);
        let Some(word) = word.checked_sub(1) else {
            self.first |= bit;
            return;
        };
        if self.rest.len() <= word {
            self.rest.resize(word + 1, 0);
        }
        if let Some(bits) = self.rest.get_mut(word) {
            *bits |= bit;
        }
    }

    /// Is the path among them?
    pub fn contains(&self, path: PathIndex) -> bool {
        let (word, bit) = place(path);
        let bits = match word.checked_sub(1) {
            None => self.first,
            Some(word) => self.rest.get(word).copied().unwrap_or(0),
        };
        bits & bit != 0
    }

    /// Did no path have a value?
    pub fn is_empty(&self) -> bool {
        self.first == 0 && self.rest.iter().all(|bits| *bits == 0)
    }

    /// The paths as they were declared in `trie`, in that order.
    pub fn names<'a>(&'a self, trie: &'a Trie) -> impl Iterator<Item = &'a str> {
        (0_u16..)
            .zip(trie.paths())
            .filter(|(index, _)| self.contains(PathIndex(*index)))
            .map(|(_, path)| &**path)
    }
}

fn place(path: PathIndex) -> (usize, u64) {
    (path.get() / 64, 1 << (path.get() % 64))
}

/// Why a path cannot be granted. `path` is the path as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathError {
    /// The path, or a name between two dots, is empty.
    Empty {
        /// The path.
        path: Box<str>,
    },
    /// The message does not declare a field of that name.
    Unknown {
        /// The path.
        path: Box<str>,
        /// Full name of the message.
        message: Box<str>,
        /// The names that come nearest, at most three.
        nearest: Vec<Box<str>>,
    },
    /// Another path of the same list opens the same field.
    Duplicate {
        /// The path.
        path: Box<str>,
        /// The other one.
        other: Box<str>,
    },
    /// The path goes on below a field that holds no message.
    BelowScalar {
        /// The path.
        path: Box<str>,
        /// Name of that field.
        field: Box<str>,
    },
    /// The path comes to a `google.protobuf.Any`, which may hold anything.
    Opaque {
        /// The path.
        path: Box<str>,
    },
    /// The path comes to a group of proto2.
    Group {
        /// The path.
        path: Box<str>,
    },
    /// The path names the key of a map, which is opened with its values only.
    MapKey {
        /// The path.
        path: Box<str>,
    },
    /// The path names a message that holds itself, directly or not.
    Recursive {
        /// The path.
        path: Box<str>,
        /// Full name of the message.
        message: Box<str>,
    },
    /// The paths open more fields, or deeper ones, than the gateway keeps.
    TooLarge {
        /// The path at which it was noticed.
        path: Box<str>,
    },
    /// The path is not (wholly) granted, so that nobody can ask for it.
    NotCovered {
        /// The path.
        path: Box<str>,
    },
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { path } => write!(f, "\"{path}\" holds an empty name"),
            Self::Unknown {
                path,
                message,
                nearest,
            } => {
                write!(f, "\"{path}\": {message} has no such field")?;
                for (nth, name) in nearest.iter().enumerate() {
                    write!(
                        f,
                        "{}\"{name}\"",
                        if nth == 0 { "; nearest: " } else { ", " }
                    )?;
                }
                Ok(())
            }
            Self::Duplicate { path, other } if path == other => {
                write!(f, "\"{path}\" is declared twice")
            }
            Self::Duplicate { path, other } => {
                write!(
                    f,
                    "\"{path}\" and \"{other}\" open the same field: keep one"
                )
            }
            Self::BelowScalar { path, field } => {
                write!(f, "\"{path}\": nothing stands below \"{field}\"")
            }
            Self::Opaque { path } => {
                write!(
                    f,
                    "\"{path}\": google.protobuf.Any is opaque and cannot be granted"
                )
            }
            Self::Group { path } => write!(f, "\"{path}\": a group cannot be granted"),
            Self::MapKey { path } => {
                write!(
                    f,
                    "\"{path}\": a key is opened with its values: name the map, or a field of its values"
                )
            }
            Self::Recursive { path, message } => {
                write!(
                    f,
                    "\"{path}\": {message} holds itself and cannot be granted whole: name its fields"
                )
            }
            Self::TooLarge { path } => write!(f, "\"{path}\" opens too many fields"),
            Self::NotCovered { path } => write!(f, "\"{path}\" is not granted"),
        }
    }
}

impl Error for PathError {}
