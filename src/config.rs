//! `sluis.toml`: what an operator sets. Unknown keys are refused; paths are relative to the file.

mod source;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub use source::{AnswerSignature, KeyReference, Signature, SignatureAlgorithm, Source, Spared, Wire};

/// The gateway's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Accept test numbers (month 61 to 72). Never in production.
    #[serde(default)]
    pub test: bool,
    /// What bearer tokens must name as their audience.
    pub audience: String,
    /// Where the gateway listens.
    pub listen: Listen,
    /// The gateway's own certificate.
    pub tls: Tls,
    /// The registry of organisations, systems and issuers.
    pub registry: PathBuf,
    /// The folder of instruments.
    pub protocols: PathBuf,
    /// The disclosure log.
    pub log: LogSettings,
    /// Sizes, counts and deadlines.
    #[serde(default)]
    pub limits: Limits,
    /// The sources, by the name that the vocabulary gives them.
    #[serde(default, rename = "source")]
    pub sources: Vec<Source>,
    /// The file that all this was read from.
    #[serde(skip)]
    file: PathBuf,
}

/// Addresses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// gRPC over mTLS.
    pub gateway: SocketAddr,
    /// Metrics and liveness: plain HTTP, loopback only.
    pub metrics: Option<SocketAddr>,
    /// Where the bound addresses are written, for who started the gateway on port 0.
    pub bound: Option<PathBuf>,
    /// Runtimes that serve connections. Default: one for each core.
    pub workers: Option<usize>,
    /// Tell registered callers which services there are (`grpc.reflection`). Off unless set: who may ask knows its
    /// service, and a partner's descriptors may not be everybody's.
    #[serde(default)]
    pub reflection: bool,
}

/// The gateway's own certificate. Whom it accepts stands in the registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM chain.
    pub certificate: PathBuf,
    /// PEM key, readable by its owner alone.
    pub key: PathBuf,
}

/// The disclosure log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// Its name, in checkpoints. One for each log, for ever.
    pub origin: String,
    /// The SQLite file.
    pub database: PathBuf,
    /// The key file, outside the database.
    pub key: PathBuf,
    /// The high-water mark, outside the database.
    pub head: PathBuf,
    /// How long an entry may take before nothing leaves, in milliseconds.
    #[serde(default = "default_append")]
    pub deadline_ms: u64,
    /// Open a log whose high-water mark is lost, once you know that its database is the newest. For one start.
    #[serde(default)]
    pub accept_missing_mark: bool,
}

/// What is read of a question; what is let through must not be more.
const MAX_REQUEST: usize = 4 * 1024 * 1024;

const fn default_append() -> u64 {
    2000
}

/// Bounds. Every one has a default that fits a municipality.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// How long a TLS handshake may take, in milliseconds.
    pub handshake_ms: u64,
    /// Calls at once on one connection.
    pub streams: u32,
    /// Bytes of a request's headers.
    pub header_bytes: u32,
    /// Bytes of a request message.
    pub request_bytes: usize,
    /// Bytes of a source's answer.
    pub answer_bytes: usize,
    /// The longest that an exchange may take, in milliseconds. A caller may ask for less.
    pub deadline_ms: u64,
    /// How long a drain waits for exchanges that are under way, in milliseconds.
    pub drain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            handshake_ms: 5000,
            streams: 256,
            header_bytes: 16 * 1024,
            request_bytes: 64 * 1024,
            answer_bytes: 4 * 1024 * 1024,
            deadline_ms: 10_000,
            drain_ms: 10_000,
        }
    }
}

impl Limits {
    /// The longest that an exchange may take.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

/// Why the configuration cannot be used, with the file and, where known, the line.
#[derive(Debug)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// Where it cannot be read, or says something that it may not.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError(format!("{}: {error}", file.display())))?;
        Self::parse(file, &text)
    }

    /// What a text says that stands, or is to stand, in `file`.
    ///
    /// # Errors
    /// Where it says something that it may not.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| text.get(..span.start).map_or(0, count_lines));
            ConfigError(format!("{}:{}: {}", file.display(), line + 1, error.message()))
        })?;
        config.resolve(file.parent().unwrap_or(Path::new(".")));
        file.clone_into(&mut config.file);
        config.check().map_err(|fault| ConfigError(format!("{}: {fault}", file.display())))?;
        Ok(config)
    }

    /// The file that it was read from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    fn resolve(&mut self, base: &Path) {
        let paths = [
            &mut self.tls.certificate,
            &mut self.tls.key,
            &mut self.registry,
            &mut self.protocols,
            &mut self.log.database,
            &mut self.log.key,
            &mut self.log.head,
        ];
        let of_sources = self.sources.iter_mut().flat_map(|source| {
            let signature = source.signature.as_mut().map(|own| [&mut own.certificate, &mut own.key]);
            let files = std::iter::once(&mut source.ca).chain(&mut source.certificate).chain(&mut source.key);
            files
                .chain(&mut source.descriptors)
                .chain(&mut source.answer_signer)
                .chain(signature.into_iter().flatten())
        });
        for path in paths.into_iter().chain(&mut self.listen.bound).chain(of_sources) {
            *path = base.join(&*path);
        }
    }

    fn check(&self) -> Result<(), String> {
        if let Some(metrics) = self.listen.metrics
            && !metrics.ip().is_loopback()
        {
            return Err(format!(
                "listen.metrics = \"{metrics}\" is not a loopback address: write \"127.0.0.1:PORT\""
            ));
        }
        let origin = self.log.origin.as_str();
        if origin.is_empty() || !origin.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+') {
            return Err(format!(
                "log.origin = \"{origin}\" is no name for checkpoints: write a host and a path, as \"sluis.example/2026\""
            ));
        }
        let Limits { connections, streams, request_bytes, .. } = self.limits;
        if connections == 0 || streams == 0 {
            return Err(
                "limits.connections and limits.streams: write at least 1, or nobody can call".to_owned()
            );
        }
        for (key, milliseconds) in [
            ("limits.handshake_ms", self.limits.handshake_ms),
            ("limits.deadline_ms", self.limits.deadline_ms),
            ("log.deadline_ms", self.log.deadline_ms),
        ] {
            if milliseconds == 0 {
                return Err(format!("{key} = 0: write at least 1, or nothing is ever done in time"));
            }
        }
        if request_bytes > MAX_REQUEST {
            return Err(format!(
                "limits.request_bytes = {request_bytes}: no question is read beyond {MAX_REQUEST}"
            ));
        }
        for (index, source) in self.sources.iter().enumerate() {
            if self.sources.iter().take(index).any(|other| other.name == source.name) {
                return Err(format!("source \"{}\" is named twice: remove one", source.name));
            }
            if !source.endpoint.starts_with("https://") {
                return Err(format!("source \"{}\": write its endpoint as https://host:port", source.name));
            }
            if source.concurrency == 0 || source.deadline_ms == 0 {
                return Err(format!(
                    "source \"{}\": concurrency and deadline_ms: write at least 1, or it is never asked",
                    source.name
                ));
            }
            if source.certificate.is_some() != source.key.is_some() {
                return Err(format!("source \"{}\": give both certificate and key, or neither", source.name));
            }
            source.check_signatures()?;
        }
        Ok(())
    }
}

fn count_lines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
audience = "sluis"
registry = "registry.toml"
protocols = "protocols"
[listen]
gateway = "127.0.0.1:0"
[tls]
certificate = "a"
key = "b"
[log]
origin = "o"
database = "log.db"
key = "k"
head = "h"
"#;

    fn read(text: &str) -> Result<Config, String> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("sluis-config-{}-{n}.toml", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let config = Config::read(&file).map_err(|error| error.to_string());
        std::fs::remove_file(&file).unwrap();
        config
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = read(GOOD).unwrap();
        assert_eq!(config.registry, std::env::temp_dir().join("registry.toml"));
        assert_eq!(config.limits.deadline(), Duration::from_secs(10));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (addition, expected) in [
            ("[limit]\nstreams = 1\n", ":15: unknown field `limit`"),
            ("[limits]\nstreams = \"many\"\n", ":16: invalid type"),
            ("[[source]]\nname = \"x\"\nwire = \"smtp\"\n", ":17: unknown variant `smtp`"),
            ("[limits]\nstreams = 0\n", "at least 1"),
            ("[limits]\ndeadline_ms = 0\n", "limits.deadline_ms = 0"),
            ("[limits]\nhandshake_ms = 0\n", "limits.handshake_ms = 0"),
            (
                "[[source]]\nname = \"x\"\nwire = \"grpc\"\nendpoint = \"https://x\"\nca = \"c\"\ndeadline_ms = 0\n",
                "never asked",
            ),
            ("[limits]\nrequest_bytes = 4194305\n", "beyond 4194304"),
            (
                "[[source]]\nname = \"x\"\nwire = \"grpc\"\nendpoint = \"https://x\"\nca = \"c\"\nconcurrency = 0\n",
                "or it is never asked",
            ),
            (
                "[[source]]\nname = \"x\"\nwire = \"grpc\"\nendpoint = \"http://x\"\nca = \"c\"\n",
                "write its endpoint as https://",
            ),
            (
                "[[source]]\nname = \"x\"\nwire = \"magda\"\nendpoint = \"https://x\"\nca = \"c\"\nanswer_signature = \"required\"\n",
                "together, or neither",
            ),
            (
                "[[source]]\nname = \"x\"\nwire = \"grpc\"\nendpoint = \"https://x\"\nca = \"c\"\nsignature = { certificate = \"c\", key = \"k\" }\n",
                "only SOAP is signed",
            ),
        ] {
            let error = read(&format!("{GOOD}{addition}")).err().unwrap_or_default();
            assert!(error.contains(expected), "{error}");
        }
        for origin in ["", "two words", "a+b", "line\\nbreak"] {
            let error = read(&GOOD.replace("\"o\"", &format!("\"{origin}\""))).err().unwrap_or_default();
            assert!(error.contains("no name for checkpoints"), "{origin}: {error}");
        }
        let public = GOOD.replace("[tls]", "metrics = \"192.0.2.1:80\"\n[tls]");
        assert!(read(&public).err().unwrap().contains("loopback"));
    }
}
