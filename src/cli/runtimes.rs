//! The runtimes that serve connections: a thread each, with a gateway of its own on what all share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;

use super::Failure;
use crate::audit::Ledger;
use crate::clock;
use crate::config::Config;
use crate::disclosure::{DisclosureLog, Log};
use crate::gateway::{Gateway, Policy};
use crate::identity::token::TokenVerifier;
use crate::rpc::audit::Audit;
use crate::rpc::exchange::Bounds;
use crate::rpc::listener::{self, Shared, Worker};
use crate::rpc::reflection::Reflection;
use crate::rpc::services::Services;
use crate::telemetry::Meters;

/// Connections that wait for one runtime to take them.
const DEALT: usize = 64;

/// How many there are.
pub(super) fn count(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    config.listen.workers.unwrap_or(cores).max(1)
}

/// What each runtime is built from.
pub(super) struct Blueprint {
    pub(super) log: Arc<Log>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) health: HealthServer<HealthService>,
    pub(super) policy: Arc<ArcSwap<Policy>>,
    pub(super) epochs: watch::Receiver<u64>,
    pub(super) tokens: Arc<TokenVerifier>,
    pub(super) shared: Arc<Shared>,
    pub(super) config: Config,
}

type Workers = (Vec<mpsc::Sender<std::net::TcpStream>>, Vec<std::thread::JoinHandle<()>>);

impl Blueprint {
    /// One thread for each runtime, each with its own connections to the sources.
    pub(super) fn workers(&self) -> Result<Workers, Failure> {
        let count = count(&self.config);
        let mut senders = Vec::with_capacity(count);
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let worker = Arc::new(self.worker(number));
            let (sender, dealt) = mpsc::channel(DEALT);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                // What the log woke runs before what those wake in turn: answers to many calls then leave as one
                // write, not each by itself.
                .global_queue_interval(1)
                .build()
                .map_err(|error| Failure::unavailable(format_args!("no runtime: {error}")))?;
            let thread = std::thread::Builder::new()
                .name(format!("sluis-{number}"))
                .spawn(move || runtime.block_on(listener::serve(worker, dealt)))
                .map_err(Failure::unreachable)?;
            senders.push(sender);
            threads.push(thread);
        }
        Ok((senders, threads))
    }

    fn worker(&self, number: usize) -> Worker {
        let gateway = Arc::new(Gateway {
            log: DisclosureLog::new(Arc::clone(&self.log), clock::now),
            runtime: number,
            policy: Arc::clone(&self.policy),
            epochs: self.epochs.clone(),
            tokens: Arc::clone(&self.tokens),
            test: self.config.test,
            clock: clock::now,
        });
        let audit = Audit::new(Arc::clone(&gateway), Arc::clone(&self.ledger));
        let reflection = self.config.listen.reflection;
        let reflection =
            reflection.then(|| Reflection::new(Arc::clone(&self.policy), self.shared.draining.clone()));
        let services = Services::new(audit, self.health.clone(), reflection, Bounds::of(&self.shared.limits));
        Worker { gateway, services, meters: Meters::new(), shared: Arc::clone(&self.shared) }
    }
}
