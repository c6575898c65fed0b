//! What may be spent on asking again: a tenth of what is asked, and a small reserve, so that a source in trouble is not
//! asked twice as much for it.

use std::sync::atomic::{AtomicU32, Ordering};

/// What a retry costs, and a question earns one of: ten to one.
const PRICE: u32 = 10;
/// No more than ten retries are saved up: what was asked long ago gives nothing.
const MOST: u32 = 10 * PRICE;

/// The budget of one source.
pub struct Budget(AtomicU32);

impl Budget {
    /// A full one.
    pub const fn new() -> Self {
        Self(AtomicU32::new(MOST))
    }

    /// A question is asked for the first time.
    pub fn earn(&self) {
        // As a rule it is full, and nothing is written. That two who earn at once go one beyond is no matter.
        if self.0.load(Ordering::Relaxed) < MOST {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Pays for a retry, where there is enough.
    pub fn spend(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| saved.checked_sub(PRICE)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_tenth_of_what_is_asked_beyond_a_small_reserve() {
        let budget = Budget::new();
        for asked in 0..1000_u32 {
            budget.earn();
            let retried = (0..asked).filter(|_| budget.spend()).count();
            assert!(retried <= 10);
        }
        let budget = Budget::new();
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10);
        let retried = (0..1000).filter(|_| {
            budget.earn();
            budget.spend()
        });
        assert_eq!(retried.count(), 100);
        for _ in 0..1000 {
            budget.earn();
        }
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10, "nothing is saved up beyond that");
    }
}
