//! The guards that stand before the sources: made once for a process, and shown to the operator.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Source};
use crate::source::guard::{Bounds, Guard, Observed, State};

/// The guards of all sources, by name; one set for a process.
#[derive(Clone)]
pub struct Guards(Arc<[(Box<str>, Arc<Guard>)]>);

impl Guards {
    /// As the configuration bounds each.
    pub fn of(config: &Config) -> Self {
        let guard = |source: &Source| {
            let bounds = Bounds {
                concurrency: source.concurrency,
                queue: source.queue,
                per_second: source.pace(),
                deadline: Duration::from_millis(source.deadline_ms),
                retries: source.retries,
                failures: source.failures,
                pause: Duration::from_millis(source.pause_ms),
            };
            (source.name.as_str().into(), Arc::new(Guard::new(&source.name, bounds)))
        };
        Self(config.sources.iter().map(guard).collect())
    }

    /// The guard of a source.
    pub fn guard(&self, source: &str) -> Option<Arc<Guard>> {
        self.0.iter().find(|(name, _)| **name == *source).map(|(_, guard)| Arc::clone(guard))
    }

    /// How a source fares.
    pub fn observe(&self, source: &str) -> Option<Observed> {
        self.guard(source).map(|guard| guard.observe())
    }

    /// Shows how each source fares: done when somebody looks, so that questions need not count for it.
    pub fn show(&self) {
        for (name, guard) in &*self.0 {
            let (source, seen) = (name.to_string(), guard.observe());
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
