//! The guards that stand before the sources: made of what the configuration says, and shown to the operator.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::config::Source;
use crate::gateway::Policy;
use crate::source::Sources;
use crate::source::guard::{Bounds, Guard, Observed, State};

/// The guard of a source, one for all runtimes.
pub fn guard(source: &Source) -> Arc<Guard> {
    let bounds = Bounds {
        concurrency: source.concurrency,
        queue: source.queue,
        per_second: source.pace(),
        deadline: Duration::from_millis(source.deadline_ms),
        retries: source.retries,
        failures: source.failures,
        pause: Duration::from_millis(source.pause_ms),
    };
    Arc::new(Guard::new(&source.name, bounds))
}

/// The guards of the sources that the policy of now has.
#[derive(Clone)]
pub struct Guards(Arc<ArcSwap<Policy>>);

impl Guards {
    /// Those of this policy, and of what replaces it.
    pub fn of(policy: Arc<ArcSwap<Policy>>) -> Self {
        Self(policy)
    }

    /// How a source fares.
    pub fn observe(&self, source: &str) -> Option<Observed> {
        let policy = self.0.load();
        let mut guards = policy.sources.first()?.guards();
        guards.find(|(name, _)| *name == source).map(|(_, guard)| guard.observe())
    }

    /// Shows how each source fares: done when somebody looks, so that questions need not count for it.
    pub fn show(&self) {
        let policy = self.0.load();
        for (name, guard) in policy.sources.iter().take(1).flat_map(Sources::guards) {
            let (source, seen) = (name.to_owned(), guard.observe());
            let gauge = |name, value| metrics::gauge!(name, "source" => source.clone()).set(value);
            let count = |name, value| metrics::counter!(name, "source" => source.clone()).absolute(value);
            gauge(
                "sluis_source_state",
                match seen.state {
                    State::Closed => 0.0,
                    State::HalfOpen => 1.0,
                    State::Open => 2.0,
                },
            );
            gauge("sluis_source_in_flight", whole(seen.in_flight));
            gauge("sluis_source_queued", whole(seen.queued));
            count("sluis_source_retries_total", seen.retried);
            count("sluis_source_opened_total", seen.opened);
            count("sluis_source_turned_away_total", seen.turned_away);
        }
    }
}

fn whole(count: usize) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}
