//! `sluis serve`: the gateway, from its configuration to its last answer.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, watch};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::guards::Guards;
use super::runtimes::{self, Blueprint};
use super::sources::{self, Reach};
use super::{Failure, policy};
use crate::clock;
use crate::config::Config;
use crate::disclosure::Log;
use crate::disclosure::entry::Kind;
use crate::disclosure::keys::LogKeys;
use crate::disclosure::log::{Health, InForce, Settings};
use crate::disclosure::record::{Column, RecordBuilder};
use crate::disclosure::seal::Draft;
use crate::disclosure::store::Store;
use crate::domain::causes::causes;
use crate::gateway::Policy;
use crate::identity::token::TokenVerifier;
use crate::rpc::admission::Admission;
use crate::rpc::listener::{self, Shared};
use crate::store::sqlite::{SqliteSettings, SqliteStore};
use crate::telemetry;

/// Run the gateway
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "sluis.toml")]
    pub config: PathBuf,
}

/// Bearer tokens that are remembered at once.
const TOKENS: usize = 65_536;

/// Runs until SIGTERM or SIGINT; SIGHUP reads registry, certificates, instruments and sources anew.
///
/// # Errors
/// Where the gateway cannot start, or its listener breaks.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    telemetry::start_tracing();
    let config = Config::read(&args.config).map_err(Failure::misconfigured)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format_args!("no runtime: {error}")))?;
    runtime.block_on(async {
        // Before the address is known: whoever knows it may send a signal.
        let signals = Signals::heed()?;
        let running = start(config).await?;
        tracing::info!(gateway = %running.gateway, "serving");
        signals.until_told(&running).await;
        tracing::info!("draining");
        running.stop().await;
        tracing::info!("stopped");
        Ok(())
    })
}

/// The signals that a gateway heeds.
pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Heeds them from here on: one that comes while the gateway starts is not lost, and does not kill it.
    ///
    /// # Errors
    /// Where signals cannot be received.
    pub fn heed() -> Result<Self, Failure> {
        let on = |kind| signal(kind).map_err(|error| Failure::unavailable(format_args!("signals: {error}")));
        Ok(Self {
            hangup: on(SignalKind::hangup())?,
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
        })
    }

    /// Returns on SIGTERM or SIGINT; reloads on SIGHUP.
    pub async fn until_told(mut self, running: &Running) {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => match running.reload().await {
                    Ok(Reloaded { sources: Ok(()) }) => tracing::info!("reloaded"),
                    Ok(Reloaded { sources: Err(failure) }) => {
                        tracing::error!(%failure, "sources not reloaded: the old ones stand, with their descriptors; all else is reloaded");
                    }
                    Err(failure) => {
                        tracing::error!(%failure, "not reloaded: the old registry and instruments stand");
                    }
                },
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
            }
        }
    }
}

/// A gateway that serves.
pub struct Running {
    /// Where it listens.
    pub gateway: SocketAddr,
    /// Where metrics and liveness are.
    pub metrics: Option<SocketAddr>,
    /// What stands before the sources.
    pub guards: Guards,
    config: Config,
    policy: Arc<ArcSwap<Policy>>,
    epoch: watch::Sender<u64>,
    shared: Arc<Shared>,
    drain: watch::Sender<bool>,
    log: Arc<Log>,
    threads: Vec<std::thread::JoinHandle<()>>,
    /// What the policy's sources were made of. Held while one reload goes on, or an older policy could follow a newer
    /// one under its epoch.
    reach: Mutex<Reach>,
    store: Option<SqliteStore>,
}

/// What a reload replaced beside registry and instruments.
#[derive(Debug)]
pub struct Reloaded {
    /// The sources with their descriptors, or why the old ones stand.
    pub sources: Result<(), Failure>,
}

/// Starts a gateway on its SQLite log.
///
/// # Errors
/// Where a file, an address or the log cannot be used.
pub async fn start(config: Config) -> Result<Running, Failure> {
    let store = SqliteStore::open(SqliteSettings::new(&config.log.database)).await.map_err(|error| {
        Failure::unavailable(format_args!("{}: {}", config.log.database.display(), causes(&error)))
    })?;
    let running = start_with(config, store.clone()).await?;
    Ok(Running { store: Some(store), ..running })
}

/// Starts a gateway on a store of the caller's.
///
/// # Errors
/// Where a file, an address or the log cannot be used.
pub async fn start_with<S: Store>(config: Config, store: S) -> Result<Running, Failure> {
    telemetry::start_metrics();
    let reach = Reach::load(&config, runtimes::count(&config), None)?;
    let loaded = policy::load(&config, &reach.vocabulary)?;
    warn_of_broken(&loaded.catalogue);
    for remark in sources::remarks(&config, &reach.vocabulary) {
        tracing::warn!(remark);
    }
    let keys = Arc::new(LogKeys::load(&config.log.key).map_err(Failure::misconfigured)?);
    let settings = Settings {
        deadline: Duration::from_millis(config.log.deadline_ms),
        accept_missing_mark: config.log.accept_missing_mark,
        policy: Some(InForce {
            registry: *loaded.registry.hash(),
            detail: policy::describe(&loaded, &reach.vocabulary),
        }),
        ..Settings::new(&config.log.origin)
    };
    let log = Log::open(store.clone(), keys, config.log.head.clone(), settings, clock::now).await;
    let log = Arc::new(log.map_err(Failure::unreachable)?);
    let ledger = Arc::new(log.reader(store));

    let epoch = log.epoch();
    let (epoch, epochs) = watch::channel(epoch);
    let policy = Arc::new(ArcSwap::from_pointee(Policy {
        registry: loaded.registry,
        catalogue: loaded.catalogue,
        vocabulary: Arc::clone(&reach.vocabulary),
        methods: Arc::clone(&reach.methods),
        sources: Arc::clone(&reach.sources),
        epoch: *epochs.borrow(),
    }));
    let (drain, draining) = watch::channel(false);
    let shared = Arc::new(Shared {
        tls: ArcSwap::new(loaded.tls),
        limits: config.limits.clone(),
        admission: Admission::new(config.limits.connections),
        draining,
    });
    let reporter = HealthReporter::new();
    let health = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
    tokio::spawn(tell_health(Arc::clone(&log), reporter, shared.draining.clone()));
    let guards = Guards::of(Arc::clone(&policy));
    let blueprint = Blueprint {
        log: Arc::clone(&log),
        ledger,
        health,
        policy: Arc::clone(&policy),
        epochs,
        tokens: Arc::new(TokenVerifier::new(&config.audience, TOKENS)),
        shared: Arc::clone(&shared),
        config: config.clone(),
    };
    let listener = bind(config.listen.gateway).await?;
    let gateway = address(&listener)?;
    let (workers, threads) = blueprint.workers()?;
    tokio::spawn(listener::accept(listener, workers, Arc::clone(&shared)));
    let metrics = serve_metrics(&config, &log, guards.clone()).await?;
    let running = Running {
        gateway,
        metrics,
        guards,
        config,
        policy,
        epoch,
        shared,
        drain,
        log,
        threads,
        reach: Mutex::new(reach),
        store: None,
    };
    running.announce()?;
    Ok(running)
}

async fn bind(wanted: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(wanted).await.map_err(|error| Failure::unavailable(format_args!("{wanted}: {error}")))
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(Failure::unreachable)
}

async fn serve_metrics(config: &Config, log: &Arc<Log>, guards: Guards) -> Result<Option<SocketAddr>, Failure> {
    let Some(wanted) = config.listen.metrics else { return Ok(None) };
    let listener = bind(wanted).await?;
    let bound = address(&listener)?;
    let log = Arc::clone(log);
    tokio::spawn(telemetry::serve(listener, move || guards.show(), move || can_disclose(&log)));
    Ok(Some(bound))
}

/// Why nothing can be disclosed, if that is so.
fn can_disclose(log: &Log) -> Result<(), String> {
    match log.health() {
        Health::Well | Health::MarkFailing(_) => Ok(()),
        Health::Failing(why) | Health::Unavailable(why) | Health::Halted(why) => {
            Err(format!("the disclosure log: {why}"))
        }
    }
}

/// Has `grpc.health.v1` follow the log, second by second, until the gateway drains: then nothing is served, and who
/// watches is let go, or the drain would wait for them.
async fn tell_health(log: Arc<Log>, mut reporter: HealthReporter, mut draining: watch::Receiver<bool>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let mut told = None;
    loop {
        tokio::select! {
            _ = draining.wait_for(|&draining| draining) => break,
            _ = seconds.tick() => {}
        }
        let serving = can_disclose(&log).is_ok();
        if told != Some(serving) {
            let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
            reporter.set_service_status("", status).await;
            told = Some(serving);
        }
    }
    reporter.set_service_status("", ServingStatus::NotServing).await;
    reporter.clear_service_status("").await;
    reporter.set_service_status("", ServingStatus::NotServing).await;
}

fn warn_of_broken(catalogue: &crate::domain::catalogue::Catalogue) {
    for error in catalogue.broken().iter().flat_map(|file| &file.errors) {
        tracing::warn!(%error, "an instrument is closed until this is mended");
    }
}

impl Running {
    /// Reads registry, trust, instruments and sources anew. What identifies callers is replaced as one, and only if
    /// all of it can be used; so are the sources with their descriptors, by themselves, so that a partner's mistake
    /// does not hold up a revocation; an instrument that is broken closes alone. Raises the policy epoch first, so
    /// that no answer that was settled under the old policy leaves after this.
    ///
    /// # Errors
    /// Where the old registry stays in force, and with it all else.
    pub async fn reload(&self) -> Result<Reloaded, Failure> {
        let mut reach = self.reach.lock().await;
        let (fresh, sources) = match self.reach_anew(&reach) {
            Ok(fresh) => (Some(fresh), Ok(())),
            Err(failure) => (None, Err(failure)),
        };
        let next = fresh.as_ref().unwrap_or(&reach);
        let loaded = policy::load(&self.config, &next.vocabulary)?;
        warn_of_broken(&loaded.catalogue);
        let detail = policy::describe(&loaded, &next.vocabulary);
        let mut record = RecordBuilder::new();
        record.text(Column::Detail, &detail).bytes(Column::RegistryHash, loaded.registry.hash());
        let draft = Draft::new(Kind::Config, record.build());
        self.log.raise_epoch(draft).await.map_err(Failure::unreachable)?;
        let epoch = self.log.epoch();
        self.policy.store(Arc::new(Policy {
            registry: loaded.registry,
            catalogue: loaded.catalogue,
            vocabulary: Arc::clone(&next.vocabulary),
            methods: Arc::clone(&next.methods),
            sources: Arc::clone(&next.sources),
            epoch,
        }));
        self.shared.tls.store(loaded.tls);
        self.epoch.send_replace(epoch);
        if let Some(fresh) = fresh {
            *reach = fresh;
        }
        Ok(Reloaded { sources })
    }

    /// The sources that the configuration's file names now. Of all else it says, what it said at the start holds.
    fn reach_anew(&self, old: &Reach) -> Result<Reach, Failure> {
        let mut config = self.config.clone();
        config.sources = Config::read(self.config.file()).map_err(Failure::misconfigured)?.sources;
        // As many as there are: how many cores may be used now is another matter.
        Reach::load(&config, old.sources.len(), Some(old))
    }

    /// The last checkpoint that the log signed.
    pub fn checkpoint(&self) -> String {
        self.log.checkpoint()
    }

    /// Stops accepting, finishes what is under way, closes the log.
    pub async fn stop(self) {
        self.drain.send_replace(true);
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        let _ = joined.await;
        self.log.shutdown().await;
        // The write-ahead log goes back into the file, so that the file alone is the log.
        if let Some(store) = self.store {
            store.close().await;
        }
    }

    /// Writes the bound addresses, for who started the gateway on port 0.
    fn announce(&self) -> Result<(), Failure> {
        let Some(file) = &self.config.listen.bound else { return Ok(()) };
        let bound = serde_json::json!({
            "gateway": self.gateway.to_string(),
            "metrics": self.metrics.map(|address| address.to_string()),
        });
        // Renamed into place: whoever waits for the file reads all of it.
        let part = file.with_extension("part");
        std::fs::write(&part, bound.to_string())
            .and_then(|()| std::fs::rename(&part, file))
            .map_err(|error| Failure::unavailable(format_args!("{}: {error}", file.display())))
    }
}
