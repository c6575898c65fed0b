//! What stands before a source, one for each, shared by all runtimes: so many questions at once, so many that wait, so
//! many in a second, a deadline, a few retries of what is only read, and a pause for a source that fails.
//!
//! ```text
//! admit   breaker closed? a turn of the pace, a place; or a bounded wait for them   → Place
//! ask     put the question, tell the breaker, perhaps put it again                  → answer
//! ```
//!
//! As long as nothing is wrong a question takes a place and gives it back: no allocation, and no lock but the
//! semaphore's own, for the few instructions in which it counts.

mod breaker;
mod budget;
mod pace;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout};

pub use breaker::State;

use self::breaker::{Breaker, Passage};
use self::budget::Budget;
use self::pace::{Pace, Turn, WINDOW};
use super::condition::{SourceError, Verdict};
use crate::domain::vocabulary::Manner;

/// How long a source that was down is given before it is asked again.
const BACKOFF: Duration = Duration::from_millis(50);

/// What a source is asked, and no more.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Questions at once.
    pub concurrency: usize,
    /// Questions that wait for a place or a turn.
    pub queue: usize,
    /// Questions within a second, where the source counts them.
    pub per_second: Option<u32>,
    /// How long one attempt may take.
    pub deadline: Duration,
    /// Attempts beyond the first, of what is only read.
    pub retries: u32,
    /// Failures in a row after which it is left alone.
    pub failures: u32,
    /// For how long.
    pub pause: Duration,
}

/// The guard of one source.
pub struct Guard {
    bounds: Bounds,
    places: Semaphore,
    pace: Option<Pace>,
    queued: AtomicUsize,
    breaker: Breaker,
    budget: Budget,
    retried: AtomicU64,
    turned_away: AtomicU64,
}

/// Why a question was not admitted. Nobody was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnedAway {
    /// Why.
    pub error: SourceError,
    /// When it is worth coming back, where that is known.
    pub after: Option<Duration>,
}

/// What an operator sees of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Where its breaker stands.
    pub state: State,
    /// Questions that have a place.
    pub in_flight: usize,
    /// Questions that wait.
    pub queued: usize,
    /// Attempts beyond the first, since the start.
    pub retried: u64,
    /// How often it was left alone, since the start.
    pub opened: u64,
    /// Questions that were not admitted, since the start.
    pub turned_away: u64,
}

/// A question's place at the source. Dropped, it is free for the next.
#[must_use = "a place that is not used is kept from others"]
pub struct Place<'g> {
    guard: &'g Guard,
    turn: Option<Turn>,
    passage: Passage<'g>,
    _held: SemaphorePermit<'g>,
}

impl Guard {
    /// A guard of a source that nobody has asked yet.
    pub fn new(source: &str, bounds: Bounds) -> Self {
        Self {
            bounds,
            places: Semaphore::new(bounds.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            pace: bounds.per_second.map(Pace::new),
            queued: AtomicUsize::new(0),
            breaker: Breaker::new(source, bounds.failures.max(1), bounds.pause, bounds.deadline),
            budget: Budget::new(),
            retried: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
        }
    }

    /// A place at the source, at once or after a wait of at most `left`. Whoever stops waiting leaves the queue.
    ///
    /// # Errors
    /// At once where the source is left alone, where the queue is full, and where the wait would be too long; else at
    /// the end of the wait.
    pub async fn admit(&self, left: Duration) -> Result<Place<'_>, TurnedAway> {
        let admitted = self.place(left).await;
        if admitted.is_err() {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// How the source fares.
    pub fn observe(&self) -> Observed {
        Observed {
            state: self.breaker.state(),
            in_flight: self.bounds.concurrency.saturating_sub(self.places.available_permits()),
            queued: self.queued.load(Ordering::Relaxed),
            retried: self.retried.load(Ordering::Relaxed),
            opened: self.breaker.opened(),
            turned_away: self.turned_away.load(Ordering::Relaxed),
        }
    }

    async fn place(&self, left: Duration) -> Result<Place<'_>, TurnedAway> {
        self.breaker.check().map_err(TurnedAway::left_alone)?;
        let (turn, held) = match self.at_once() {
            Some(at_once) => at_once,
            None => self.wait(left).await?,
        };
        // It may have opened while this one waited.
        let passage = self.breaker.pass().map_err(TurnedAway::left_alone)?;
        Ok(Place { guard: self, turn, passage, _held: held })
    }

    fn at_once(&self) -> Option<(Option<Turn>, SemaphorePermit<'_>)> {
        let turn = match &self.pace {
            Some(pace) => Some(pace.at_once()?),
            None => None,
        };
        Some((turn, self.places.try_acquire().ok()?))
    }

    async fn wait(&self, left: Duration) -> Result<(Option<Turn>, SemaphorePermit<'_>), TurnedAway> {
        let queued = Queued::join(&self.queued);
        let soonest = self.pace.as_ref().map(|pace| pace.wait(queued.ahead)).filter(|wait| !wait.is_zero());
        if queued.ahead >= self.bounds.queue || soonest.is_some_and(|soonest| soonest >= left) {
            return Err(TurnedAway { error: SourceError::Throttled, after: soonest });
        }
        let waiting = async {
            // The turn first: it stays good until the question goes out, and a place is not kept from anybody for it.
            let turn = match &self.pace {
                Some(pace) => pace.turn().await,
                None => None,
            };
            (turn, self.places.acquire().await)
        };
        match timeout(left, waiting).await {
            Ok((turn, Ok(held))) => Ok((turn, held)),
            // The places are never closed.
            Ok((_, Err(_))) => Err(TurnedAway { error: SourceError::Internal, after: None }),
            Err(_) if self.pace.is_some() => Err(TurnedAway { error: SourceError::Throttled, after: soonest }),
            Err(_) => Err(TurnedAway { error: SourceError::TooSlow, after: None }),
        }
    }
}

impl TurnedAway {
    fn left_alone(after: Duration) -> Self {
        Self { error: SourceError::Down, after: Some(after) }
    }
}

impl Place<'_> {
    /// Puts the question, and what is only read once more where the source cannot have answered it, as long as there
    /// is time and budget. `put` is told how long it may take.
    ///
    /// # Errors
    /// What the last attempt said.
    pub async fn ask<T, F>(
        self,
        manner: Manner,
        left: Duration,
        put: impl Fn(Duration) -> F,
    ) -> Result<T, SourceError>
    where
        F: Future<Output = Result<T, SourceError>>,
    {
        let Self { guard, mut turn, mut passage, _held } = self;
        let began = Instant::now();
        let mut again = if manner == Manner::Read { guard.bounds.retries } else { 0 };
        let mut given = left.min(guard.bounds.deadline);
        guard.budget.earn();
        loop {
            if let Some(turn) = turn.take() {
                turn.spend();
            }
            let outcome = put(given).await;
            let error = match outcome {
                Ok(answer) => {
                    passage.tell(Verdict::Answers);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            passage.tell(error.verdict(given == guard.bounds.deadline));
            if again == 0 || !error.retried() {
                return Err(error);
            }
            again -= 1;
            let remaining = left.saturating_sub(began.elapsed());
            (turn, passage) = guard.once_more(error, remaining).await.ok_or(error)?;
            given = left.saturating_sub(began.elapsed()).min(guard.bounds.deadline);
        }
    }
}

impl Guard {
    /// Waits until the question may be put again: where there is time and budget, and the source is not left alone.
    async fn once_more(&self, error: SourceError, left: Duration) -> Option<(Option<Turn>, Passage<'_>)> {
        // A throttle looks back a second, whether it is ours or one that we share with others.
        let wait = if error == SourceError::Throttled { WINDOW } else { BACKOFF };
        if wait >= left || self.breaker.check().is_err() || !self.budget.spend() {
            return None;
        }
        sleep(wait).await;
        let turn = match &self.pace {
            Some(pace) => Some(timeout(left.saturating_sub(wait), pace.turn()).await.ok()??),
            None => None,
        };
        let passage = self.breaker.pass().ok()?;
        self.retried.fetch_add(1, Ordering::Relaxed);
        Some((turn, passage))
    }
}

/// One of those who wait.
struct Queued<'g> {
    queued: &'g AtomicUsize,
    /// How many waited before.
    ahead: usize,
}

impl<'g> Queued<'g> {
    fn join(queued: &'g AtomicUsize) -> Self {
        Self { queued, ahead: queued.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
    }
}
