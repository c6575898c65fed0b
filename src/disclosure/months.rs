//! The months in which entries that name somebody were made: by what the clock said then, which may have been
//! anything. Search tokens are of one month each, so a search that left one out would be silently short.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::entry::Class;
use super::keys::{LogKeys, Token, TokenKind};

/// The months, shared by who appends and who searches. There are 65,536 at the most, and one more each month where
/// the clock is right.
#[derive(Debug, Default)]
pub struct Months(Mutex<BTreeSet<u16>>);

impl Months {
    /// The months of entries that are there.
    pub(super) fn new(months: BTreeSet<u16>) -> Self {
        Self(Mutex::new(months))
    }

    /// Takes the months of entries to come, before they are durable: who sees an entry finds it.
    pub(super) fn extend(&self, months: impl Iterator<Item = u16>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(months);
    }

    /// What a value looks like in each month.
    pub(super) fn tokens(&self, keys: &LogKeys, kind: TokenKind, value: &[u8]) -> Vec<Token> {
        let months = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        months.iter().map(|&month| keys.token(Class::Disclosure, month, kind, value)).collect()
    }
}
