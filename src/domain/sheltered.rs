//! What is left of an answer about somebody whose address is protected.

use prost_reflect::FieldDescriptor;

use super::grant::Trie;
use super::vocabulary::{Sensitivity, rule};

/// A trie without the fields that tell where a person lives. It is made with the trie itself, before anybody knows of
/// whom an answer will be: work that only protected people cause would tell who they are by the time that it takes.
#[derive(Debug)]
pub struct Sheltered {
    /// The fields that stay.
    pub answer: Trie,
    /// The declared paths that hold an address.
    pub withheld: Vec<Box<str>>,
}

impl Sheltered {
    /// What is left of `all`.
    pub fn of(all: &Trie) -> Self {
        let tells_where = |field: &FieldDescriptor| rule(field).sensitivity == Sensitivity::Address;
        let mut withheld: Vec<Box<str>> = Vec::new();
        for leaf in all.leaves().filter(|leaf| leaf.way.iter().any(tells_where)) {
            let name = all.path(leaf.path);
            if !withheld.iter().any(|known| &**known == name) {
                withheld.push(name.into());
            }
        }
        Self { answer: all.without(tells_where), withheld }
    }
}
