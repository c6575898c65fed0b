//! A walk over the leaves from the first on, holding each to the rules that need no key. Opening
//! the log and verifying it are both such a walk.

use std::collections::BTreeSet;
use std::fmt;

use super::entry::{self, Kind, Leaf, LeafError};
use super::merkle::Frontier;
use super::seal::UnopenedError;
use super::store::StoredLeaf;

/// What is wrong with one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is not there.
    Missing,
    /// Its stored form is not that of a row.
    Malformed,
    /// Its leaf breaks a rule.
    Leaf(LeafError),
    /// Its stored hash is not that of its leaf.
    LeafHash,
    /// It is not what the log appended at this index.
    Place,
    /// Entry 0, and only entry 0, is GENESIS.
    Genesis,
    /// It closes something that is not an open question.
    Closes,
    /// Its kind cannot stand without the question that it closes, or must not close one.
    Unasked,
    /// It was open at a restart, and no INTERRUPTED entry closed it.
    Unclosed,
    /// Its payload is not there.
    PayloadMissing,
    /// Its payload does not open.
    Payload(UnopenedError),
    /// It closes another question than its record says.
    Asked,
    /// Its search tokens are not those of its record.
    Tokens,
    /// The search index does not know it.
    Unsearchable,
    /// The search index knows it by what it does not say.
    Misfiled,
    /// It lies beyond the head.
    Beyond,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it is missing",
            Self::Malformed => "its row is malformed",
            Self::Leaf(error) => return error.fmt(f),
            Self::LeafHash => "its leaf is not the one that was hashed",
            Self::Place => "it is not what the log appended at this place",
            Self::Genesis => "entry 0, and only entry 0, is GENESIS",
            Self::Closes => "it closes what is not an open question",
            Self::Unasked => "its kind and the question that it closes do not agree",
            Self::Unclosed => "it was open at a restart and never closed",
            Self::PayloadMissing => "its payload is missing",
            Self::Payload(error) => return error.fmt(f),
            Self::Asked => "its record names another question than it closes",
            Self::Tokens => "its search tokens are not those of its record",
            Self::Unsearchable => "the search index lacks it",
            Self::Misfiled => "the search index has it under what it does not say",
            Self::Beyond => "it lies beyond the head",
        })
    }
}

/// The first entry that does not fit, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The entry's index.
    pub index: u64,
    /// What is wrong with it.
    pub flaw: Flaw,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}", self.index, self.flaw)
    }
}

impl std::error::Error for Fault {}

/// Where a walk stands.
#[derive(Default)]
pub(super) struct Walk {
    /// The tree so far.
    pub tree: Frontier,
    /// The questions not closed yet.
    pub open: BTreeSet<u64>,
}

impl Walk {
    /// Takes the next leaf.
    pub fn step(&mut self, stored: &StoredLeaf) -> Result<Leaf, Fault> {
        let index = self.tree.size();
        let fault = |flaw| Fault { index, flaw };
        if stored.index != index {
            return Err(fault(Flaw::Missing));
        }
        if entry::leaf_hash(&stored.leaf) != stored.leaf_hash {
            return Err(fault(Flaw::LeafHash));
        }
        let leaf = Leaf::decode(&stored.leaf).map_err(|error| fault(Flaw::Leaf(error)))?;
        if (leaf.kind == Kind::Genesis) != (index == 0) {
            return Err(fault(Flaw::Genesis));
        }
        match stored.closes {
            Some(_) if !leaf.kind.closes() => return Err(fault(Flaw::Unasked)),
            None if leaf.kind.must_close() => return Err(fault(Flaw::Unasked)),
            Some(asked) if !self.open.remove(&asked) => return Err(fault(Flaw::Closes)),
            _ => {}
        }
        if leaf.kind == Kind::Asked {
            self.open.insert(index);
        }
        self.tree.append(stored.leaf_hash);
        Ok(leaf)
    }

    /// Whether no question is older than the last restart, which should have closed it.
    pub fn settled_before(&self, restarted: u64) -> Result<(), Fault> {
        match self.open.first() {
            Some(&index) if index < restarted => Err(Fault { index, flaw: Flaw::Unclosed }),
            _ => Ok(()),
        }
    }
}
