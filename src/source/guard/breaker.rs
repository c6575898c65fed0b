//! A breaker: a source that failed some times in a row is left alone for a while, then tried with one question.
//!
//! ```text
//! closed ── enough failures in a row ──► open ── pause over ──► half open: one question passes
//!    ▲                                     ▲                        │
//!    └────────── it answers ───────────────│──────────────────────── ┤
//!                                          └──── it fails ──────────┘
//! ```

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::source::condition::Verdict;

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Questions pass.
    Closed,
    /// None does.
    Open,
    /// One does, to try.
    HalfOpen,
}

/// The breaker of one source. A question that passes costs one read of an integer.
pub struct Breaker {
    source: Box<str>,
    /// Failures in a row that open it.
    limit: u32,
    pause: Duration,
    /// How long a trial may take before another question may try.
    trial: Duration,
    began: Instant,
    failures: AtomicU32,
    /// 0: closed. Else when the pause, or the trial, is over: microseconds since it began, doubled, odd for a trial.
    until: AtomicU64,
    opened: AtomicU64,
}

/// A question that passed. What becomes of it is told; where it is dropped untold, another one tries.
pub struct Passage<'b> {
    breaker: &'b Breaker,
    /// What this trial wrote; 0: no trial.
    trial: u64,
}

impl Breaker {
    /// A closed one. `limit` failures in a row open it for `pause`; a trial takes at most `deadline`.
    pub fn new(source: &str, limit: u32, pause: Duration, deadline: Duration) -> Self {
        Self {
            source: source.into(),
            limit,
            pause,
            trial: deadline.max(pause),
            began: Instant::now(),
            failures: AtomicU32::new(0),
            until: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        }
    }

    /// Whether a question might pass; if not, how long none will.
    pub fn check(&self) -> Result<(), Duration> {
        match self.until.load(Ordering::Acquire) {
            0 => Ok(()),
            until => self.over(until).map(|_| ()),
        }
    }

    /// Passes a question, or says how long none will pass.
    pub fn pass(&self) -> Result<Passage<'_>, Duration> {
        let until = self.until.load(Ordering::Acquire);
        if until == 0 {
            return Ok(Passage { breaker: self, trial: 0 });
        }
        let now = self.over(until)?;
        let trial = moment(now + self.trial) | 1;
        match self.until.compare_exchange(until, trial, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                tracing::info!(source = %self.source, "a source is tried with one question");
                Ok(Passage { breaker: self, trial })
            }
            // Somebody else tries, or it has just closed.
            Err(0) => Ok(Passage { breaker: self, trial: 0 }),
            Err(_) => Err(self.pause),
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        match self.until.load(Ordering::Acquire) {
            0 => State::Closed,
            until if until & 1 == 1 || self.over(until).is_ok() => State::HalfOpen,
            _ => State::Open,
        }
    }

    /// How often it opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// The time since it began, where `until` is over.
    fn over(&self, until: u64) -> Result<Duration, Duration> {
        let (now, until) = (self.began.elapsed(), Duration::from_micros(until >> 1));
        match until.saturating_sub(now) {
            Duration::ZERO => Ok(now),
            left => Err(left),
        }
    }

    fn answers(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.until.load(Ordering::Relaxed) != 0 && self.until.swap(0, Ordering::AcqRel) != 0 {
            tracing::info!(source = %self.source, "a source answers again: questions pass");
        }
    }

    fn fails(&self, trial: u64) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        // A trial that fails opens it again; where it is open already, what was under way changes nothing.
        if trial == 0 && failures < self.limit {
            return;
        }
        let open = moment(self.began.elapsed() + self.pause);
        if self.until.compare_exchange(trial, open, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.opened.fetch_add(1, Ordering::Relaxed);
            let pause_ms = u64::try_from(self.pause.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(source = %self.source, failures, pause_ms, "a source fails: it is left alone");
        }
    }
}

/// A moment as it is kept; never 0, and even.
fn moment(since: Duration) -> u64 {
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX).clamp(1, u64::MAX >> 1) << 1
}

impl Passage<'_> {
    /// What the attempt says of the source.
    pub fn tell(mut self, verdict: Verdict) {
        match verdict {
            Verdict::Answers => self.breaker.answers(),
            Verdict::Fails => self.breaker.fails(self.trial),
            Verdict::Unclear => return,
        }
        self.trial = 0;
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if self.trial != 0 {
            let now = moment(self.breaker.began.elapsed());
            let _ = self.breaker.until.compare_exchange(self.trial, now, Ordering::AcqRel, Ordering::Acquire);
            tracing::debug!(source = %self.breaker.source, "a trial told nothing: another question tries");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    fn breaker() -> Breaker {
        Breaker::new("s", 3, PAUSE, Duration::from_secs(1))
    }

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.pass().ok().unwrap().tell(Verdict::Fails);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn enough_failures_in_a_row_open_it_and_one_trial_closes_it() {
        let breaker = breaker();
        fail(&breaker, 2);
        breaker.pass().ok().unwrap().tell(Verdict::Answers);
        fail(&breaker, 2);
        breaker.pass().ok().unwrap().tell(Verdict::Unclear);
        assert_eq!(breaker.state(), State::Closed, "an answer begins the row anew");
        fail(&breaker, 1);
        assert_eq!((breaker.state(), breaker.check(), breaker.opened()), (State::Open, Err(PAUSE), 1));
        tokio::time::advance(PAUSE / 2).await;
        assert_eq!(breaker.pass().err(), Some(PAUSE / 2), "what is told is true");
        tokio::time::advance(PAUSE / 2).await;
        let trial = breaker.pass().ok().unwrap();
        assert_eq!((breaker.state(), breaker.pass().is_err()), (State::HalfOpen, true), "one at a time");
        trial.tell(Verdict::Fails);
        assert_eq!((breaker.state(), breaker.opened()), (State::Open, 2));
        tokio::time::advance(PAUSE).await;
        breaker.pass().ok().unwrap().tell(Verdict::Answers);
        assert_eq!(breaker.state(), State::Closed);
        fail(&breaker, 2);
        assert_eq!(breaker.state(), State::Closed, "and the row begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_tells_nothing_leaves_the_next_one_to_try() {
        let breaker = breaker();
        fail(&breaker, 3);
        tokio::time::advance(PAUSE).await;
        for verdict in [None, Some(Verdict::Unclear)] {
            let trial = breaker.pass().ok().unwrap();
            if let Some(verdict) = verdict {
                trial.tell(verdict);
            }
            assert_eq!(breaker.state(), State::HalfOpen);
        }
        breaker.pass().ok().unwrap().tell(Verdict::Answers);
        assert_eq!(breaker.state(), State::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_under_way_neither_opens_it_twice_nor_keeps_it_open() {
        let breaker = breaker();
        let under_way: Vec<_> = (0..5).map(|_| breaker.pass().ok().unwrap()).collect();
        let last = breaker.pass().ok().unwrap();
        for passage in under_way {
            passage.tell(Verdict::Fails);
        }
        assert_eq!((breaker.state(), breaker.opened()), (State::Open, 1));
        last.tell(Verdict::Answers);
        assert_eq!(breaker.state(), State::Closed, "whoever answers, answers");
    }
}
