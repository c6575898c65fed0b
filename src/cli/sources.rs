//! The sources that a configuration names, each with connections of its own and behind a guard that all runtimes share.

use std::sync::Arc;
use std::time::Duration;

use super::{Failure, policy};
use crate::config::{Config, Source, Wire as WireKind};
use crate::domain::vocabulary::Vocabulary;
use crate::identity::tls::{self, ALPN_H2};
use crate::source::guard::{Bounds, Guard, Observed, State};
use crate::source::magda::{self, MagdaSource};
use crate::source::{Connection, GrpcSource, Planned, Sources, Wire};

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

    fn guard(&self, source: &str) -> Option<Arc<Guard>> {
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

/// Makes the sources; nothing is connected yet.
///
/// # Errors
/// Where a certificate or an endpoint cannot be used.
pub fn sources(config: &Config, vocabulary: &Vocabulary, guards: &Guards) -> Result<Sources, Failure> {
    let mut sources = Sources::default();
    for source in &config.sources {
        let certificate = source.certificate.as_ref().unwrap_or(&config.tls.certificate);
        let key = source.key.as_ref().unwrap_or(&config.tls.key);
        let own = policy::credentials(certificate, key)?;
        let authorities = tls::certificates(&policy::read(&source.ca)?).map_err(Failure::misconfigured)?;
        let alpn: &[&[u8]] = match source.wire {
            WireKind::Grpc => &[ALPN_H2],
            WireKind::Magda => &[],
        };
        let client = tls::client_config(&own, &authorities, alpn).map_err(Failure::misconfigured)?;
        let wrong = || {
            Failure::configuration(format_args!(
                "source \"{}\": write its endpoint as https://host:port",
                source.name
            ))
        };
        let wire = match source.wire {
            WireKind::Grpc => {
                let endpoint = source.endpoint.parse().map_err(|_| wrong())?;
                let connection = Connection::to(&endpoint, Arc::new(client)).ok_or_else(wrong)?;
                let methods =
                    vocabulary.methods().filter(|method| *method.source == source.name).map(|method| &**method);
                let wire = GrpcSource::new(connection, &source.endpoint, config.limits.answer_bytes, methods);
                Wire::Grpc(Box::new(wire.map_err(Failure::misconfigured)?))
            }
            WireKind::Magda => {
                let endpoint = source.endpoint.parse().map_err(|_| wrong())?;
                let limits = magda::Limits { body: config.limits.answer_bytes, ..magda::Limits::default() };
                let wire = MagdaSource::new(&endpoint, client, limits).map_err(|_| wrong())?;
                Wire::Magda(Box::new(Planned::new(wire)))
            }
        };
        if let Some(guard) = guards.guard(&source.name) {
            sources.insert(&source.name, wire, guard);
        }
    }
    Ok(sources)
}
