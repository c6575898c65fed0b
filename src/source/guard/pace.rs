//! A pace: so many questions within each second, as a platform's throttle counts them.
//!
//! A turn comes back a second after its question went out, so that in no second, wherever it begins, more go out than
//! there are turns. A bucket that fills steadily would let through nearly twice as many in its first second.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The second of the throttle, and what a question may lose on its way: the source counts when it arrives.
pub const WINDOW: Duration = Duration::from_millis(1050);

/// The turns of one source.
pub struct Pace {
    turns: Arc<Semaphore>,
    per_second: usize,
}

/// A question's turn. Dropped before the question went out, it is free again at once.
pub struct Turn {
    _held: OwnedSemaphorePermit,
}

impl Pace {
    /// At most `per_second` questions within a second; at least one.
    pub fn new(per_second: u32) -> Self {
        let per_second = usize::try_from(per_second).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS);
        Self { turns: Arc::new(Semaphore::new(per_second)), per_second }
    }

    /// A turn, where there is one and nobody waits.
    pub fn at_once(&self) -> Option<Turn> {
        Arc::clone(&self.turns).try_acquire_owned().ok().map(|held| Turn { _held: held })
    }

    /// A turn, first come first served. Whoever goes away no longer waits.
    pub async fn turn(&self) -> Option<Turn> {
        // The turns are never closed.
        Arc::clone(&self.turns).acquire_owned().await.ok().map(|held| Turn { _held: held })
    }

    /// How long it takes at least until whoever comes behind `ahead` others has a turn.
    pub fn wait(&self, ahead: usize) -> Duration {
        WINDOW.saturating_mul(u32::try_from(ahead / self.per_second).unwrap_or(u32::MAX))
    }
}

impl Turn {
    /// The question goes out now.
    pub fn spend(self) {
        tokio::spawn(async move {
            tokio::time::sleep(WINDOW).await;
            drop(self);
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_sees_more_than_the_pace_and_nobody_waits_longer_than_it_takes() {
        let (pace, began) = (Arc::new(Pace::new(10)), Instant::now());
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..95 {
            let pace = Arc::clone(&pace);
            asking.spawn(async move {
                pace.turn().await.unwrap().spend();
                began.elapsed()
            });
        }
        let mut went = asking.join_all().await;
        went.sort_unstable();
        for (first, eleventh) in went.iter().zip(went.iter().skip(10)) {
            assert!(*eleventh > *first + Duration::from_secs(1), "{first:?} {eleventh:?}");
        }
        assert_eq!(went[9], Duration::ZERO, "who comes first does not wait");
        assert!(went[94] < Duration::from_secs(10), "nearly ten in each second: {:?}", went[94]);
        assert!(went[94] >= pace.wait(94), "what is told beforehand is never too much");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_goes_away_neither_holds_nor_keeps_a_turn() {
        let pace = Pace::new(1);
        drop(pace.at_once().unwrap());
        let began = Instant::now();
        pace.at_once().unwrap().spend();
        assert!(pace.at_once().is_none());
        assert!(tokio::time::timeout(Duration::from_millis(10), pace.turn()).await.is_err());
        pace.turn().await.unwrap().spend();
        assert!(began.elapsed() < WINDOW + Duration::from_millis(5));
    }
}
