//! Tokens whose signature was verified. Two generations: when the young one is full it becomes the
//! old one, and the old one is forgotten; so nothing is searched or sorted to make room.

use std::collections::HashMap;
use std::sync::Arc;

use super::Verified;

type Generation = HashMap<Box<str>, Arc<Verified>>;

pub(super) struct Cache {
    young: Generation,
    old: Generation,
    half: usize,
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: Generation::new(), old: Generation::new(), half: capacity.div_ceil(2).max(1) }
    }

    pub(super) fn find(&mut self, token: &str) -> Option<Arc<Verified>> {
        if let Some(known) = self.young.get(token) {
            return Some(known.clone());
        }
        let (token, known) = self.old.remove_entry(token)?;
        self.put(token, known.clone());
        Some(known)
    }

    pub(super) fn insert(&mut self, token: &str, verified: Arc<Verified>) {
        self.put(token.into(), verified);
    }

    fn put(&mut self, token: Box<str>, verified: Arc<Verified>) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, verified);
    }
}
