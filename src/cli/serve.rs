//! `sluis serve`: the gateway, from its configuration to its last answer.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, mpsc, watch};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::{Failure, policy, sources::sources};
use crate::audit::Ledger;
use crate::clock;
use crate::config::Config;
use crate::disclosure::entry::Kind;
use crate::disclosure::keys::LogKeys;
use crate::disclosure::log::{Health, InForce, Settings};
use crate::disclosure::record::{Column, RecordBuilder};
use crate::disclosure::seal::Draft;
use crate::disclosure::store::Store;
use crate::disclosure::{DisclosureLog, Log};
use crate::domain::causes::causes;
use crate::domain::vocabulary::Vocabulary;
use crate::gateway::{Gateway, Methods, Policy};
use crate::identity::token::TokenVerifier;
use crate::rpc::admission::Admission;
use crate::rpc::audit::Audit;
use crate::rpc::exchange::Bounds;
use crate::rpc::listener::{self, Shared, Worker};
use crate::rpc::services::Services;
use crate::store::sqlite::{SqliteSettings, SqliteStore};
use crate::telemetry::{self, Meters};

/// Run the gateway
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "sluis.toml")]
    pub config: PathBuf,
}

/// Bearer tokens that are remembered at once.
const TOKENS: usize = 65_536;
/// Connections that wait for one runtime to take them.
const DEALT: usize = 64;

/// Runs until SIGTERM or SIGINT; SIGHUP reads the registry, certificates and instruments anew.
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
                    Ok(()) => tracing::info!("reloaded"),
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
    config: Config,
    vocabulary: Arc<Vocabulary>,
    policy: Arc<ArcSwap<Policy>>,
    epoch: watch::Sender<u64>,
    shared: Arc<Shared>,
    drain: watch::Sender<bool>,
    log: Arc<Log>,
    threads: Vec<std::thread::JoinHandle<()>>,
    /// One reload at a time, or an older policy could follow a newer one under its epoch.
    reloading: Mutex<()>,
    store: Option<SqliteStore>,
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
    let vocabulary = Arc::new(Vocabulary::embedded().map_err(Failure::misconfigured)?);
    let loaded = policy::load(&config, &vocabulary)?;
    warn_of_broken(&loaded.catalogue);
    let keys = Arc::new(LogKeys::load(&config.log.key).map_err(Failure::misconfigured)?);
    let settings = Settings {
        deadline: Duration::from_millis(config.log.deadline_ms),
        accept_missing_mark: config.log.accept_missing_mark,
        policy: Some(InForce { registry: *loaded.registry.hash(), detail: policy::describe(&loaded) }),
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
    let blueprint = Blueprint {
        log: Arc::clone(&log),
        ledger,
        health,
        vocabulary: Arc::clone(&vocabulary),
        methods: Arc::new(Methods::of(&vocabulary).map_err(Failure::misconfigured)?),
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
    let metrics = serve_metrics(&config, &log).await?;
    let running = Running {
        gateway,
        metrics,
        config,
        vocabulary,
        policy,
        epoch,
        shared,
        drain,
        log,
        threads,
        reloading: Mutex::new(()),
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

async fn serve_metrics(config: &Config, log: &Arc<Log>) -> Result<Option<SocketAddr>, Failure> {
    let Some(wanted) = config.listen.metrics else { return Ok(None) };
    let listener = bind(wanted).await?;
    let bound = address(&listener)?;
    let log = Arc::clone(log);
    tokio::spawn(telemetry::serve(listener, move || can_disclose(&log)));
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

/// What each runtime is built from.
struct Blueprint {
    log: Arc<Log>,
    ledger: Arc<dyn Ledger>,
    health: HealthServer<HealthService>,
    vocabulary: Arc<Vocabulary>,
    methods: Arc<Methods>,
    policy: Arc<ArcSwap<Policy>>,
    epochs: watch::Receiver<u64>,
    tokens: Arc<TokenVerifier>,
    shared: Arc<Shared>,
    config: Config,
}

type Workers = (Vec<mpsc::Sender<std::net::TcpStream>>, Vec<std::thread::JoinHandle<()>>);

impl Blueprint {
    /// One thread for each runtime, each with its own connections to the sources.
    fn workers(&self) -> Result<Workers, Failure> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = self.config.listen.workers.unwrap_or(cores).max(1);
        let mut senders = Vec::with_capacity(count);
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let worker = Arc::new(self.worker()?);
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

    fn worker(&self) -> Result<Worker, Failure> {
        let gateway = Arc::new(Gateway {
            log: DisclosureLog::new(Arc::clone(&self.log), clock::now),
            sources: sources(&self.config, &self.vocabulary)?,
            methods: Arc::clone(&self.methods),
            policy: Arc::clone(&self.policy),
            epochs: self.epochs.clone(),
            tokens: Arc::clone(&self.tokens),
            test: self.config.test,
            clock: clock::now,
        });
        let audit = Audit::new(Arc::clone(&gateway), Arc::clone(&self.ledger));
        let services = Services::new(audit, self.health.clone(), Bounds::of(&self.shared.limits));
        Ok(Worker { gateway, services, meters: Meters::new(), shared: Arc::clone(&self.shared) })
    }
}

impl Running {
    /// Reads registry, trust and instruments anew. What identifies callers is replaced as one, and only if all of
    /// it can be used; an instrument that is broken closes alone. Raises the policy epoch first, so that no
    /// answer that was settled under the old policy leaves after this.
    ///
    /// # Errors
    /// Where the old registry stays in force.
    pub async fn reload(&self) -> Result<(), Failure> {
        let _one_at_a_time = self.reloading.lock().await;
        let loaded = policy::load(&self.config, &self.vocabulary)?;
        warn_of_broken(&loaded.catalogue);
        let detail = policy::describe(&loaded);
        let mut record = RecordBuilder::new();
        record.text(Column::Detail, &detail).bytes(Column::RegistryHash, loaded.registry.hash());
        let draft = Draft::new(Kind::Config, record.build());
        self.log.raise_epoch(draft).await.map_err(Failure::unreachable)?;
        let epoch = self.log.epoch();
        self.policy.store(Arc::new(Policy { registry: loaded.registry, catalogue: loaded.catalogue, epoch }));
        self.shared.tls.store(loaded.tls);
        self.epoch.send_replace(epoch);
        Ok(())
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
