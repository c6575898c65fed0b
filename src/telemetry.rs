//! What operators see: a log of operation, metrics and liveness. None of it holds a personal datum; the disclosure
//! log is elsewhere.

use std::convert::Infallible;
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::Counter;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::domain::reason::Reason;

static PROMETHEUS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts the log of operation on standard error; `RUST_LOG` sets its level.
pub fn start_tracing() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = lines.with_ansi(std::io::stderr().is_terminal()).try_init();
}

/// Starts to count; once for a process.
pub fn start_metrics() {
    PROMETHEUS.get_or_init(|| PrometheusBuilder::new().install_recorder().ok());
}

/// How exchanges end, counted. Cheap to hold and to raise.
pub struct Meters {
    released: Counter,
    refused: Vec<(Reason, Counter)>,
    micros: Counter,
}

impl Meters {
    /// Counters of this process.
    pub fn new() -> Self {
        let refused = |reason: Reason| {
            (reason, metrics::counter!("sluis_exchanges_refused_total", "reason" => reason.name()))
        };
        Self {
            released: metrics::counter!("sluis_exchanges_released_total"),
            refused: Reason::ALL.into_iter().map(refused).collect(),
            micros: metrics::counter!("sluis_exchange_microseconds_total"),
        }
    }

    /// Counts an exchange that took `micros` microseconds.
    pub fn count(&self, outcome: Result<(), Reason>, micros: u64) {
        self.micros.increment(micros);
        match outcome {
            Ok(()) => self.released.increment(1),
            Err(reason) => {
                if let Some((_, counter)) = self.refused.iter().find(|(known, _)| *known == reason) {
                    counter.increment(1);
                }
            }
        }
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}

/// Serves `/metrics` and `/live` on a loopback port of their own, as long as it is polled. `show` sets what is not
/// counted as it happens; `live` says whether the gateway can disclose, and if not, why.
pub async fn serve(
    listener: TcpListener,
    show: impl Fn() + Clone + Send + 'static,
    live: impl Fn() -> Result<(), String> + Clone + Send + 'static,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: asking again at once would leave no time for anything else.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (show, live) = (show.clone(), live.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let response = respond(&request, &show, &live);
                async move { Ok::<_, Infallible>(response) }
            });
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn respond<B>(
    request: &Request<B>,
    show: &impl Fn(),
    live: &impl Fn() -> Result<(), String>,
) -> Response<Full<Bytes>> {
    let (status, text) = match request.uri().path() {
        "/metrics" => {
            show();
            let text = PROMETHEUS.get().and_then(Option::as_ref).map(PrometheusHandle::render);
            (StatusCode::OK, text.unwrap_or_default())
        }
        "/live" => match live() {
            Ok(()) => (StatusCode::OK, "live\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        _ => (StatusCode::NOT_FOUND, "/metrics or /live\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}
