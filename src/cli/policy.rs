//! What decisions rest on, read from the files that the configuration names.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;

use super::{Failure, protocol};
use crate::config::Config;
use crate::domain::catalogue::Catalogue;
use crate::domain::instrument::sha256_text;
use crate::domain::vocabulary::Vocabulary;
use crate::identity::registry::Registry;
use crate::identity::tls::{self, Credentials};

/// Registry, trust and instruments, read together.
pub struct Loaded {
    /// Who may call.
    pub registry: Arc<Registry>,
    /// TLS for the listener: the gateway's certificate, and what client certificates are held against.
    pub tls: Arc<ServerConfig>,
    /// The instruments. A broken one is closed; the others stand.
    pub catalogue: Catalogue,
}

/// Reads all of it. What identifies callers is loaded as one, or not at all.
///
/// # Errors
/// Where the registry, a certificate, a revocation list or issuer keys cannot be used.
pub fn load(config: &Config, vocabulary: &Vocabulary) -> Result<Loaded, Failure> {
    let registry = Registry::load(&config.registry).map_err(Failure::configuration)?;
    let own = credentials(&config.tls.certificate, &config.tls.key)?;
    let tls = tls::server_config(&own, registry.trust()).map_err(Failure::configuration)?;
    let catalogue =
        Catalogue::compile(&protocol::load(&config.protocols).map_err(Failure::configuration)?, vocabulary);
    Ok(Loaded { registry: Arc::new(registry), tls: Arc::new(tls), catalogue })
}

/// A certificate chain and its key.
///
/// # Errors
/// Where a file cannot be read, or does not hold what it should.
pub fn credentials(certificate: &Path, key: &Path) -> Result<Credentials, Failure> {
    Credentials::from_pem(&read(certificate)?, &read(key)?)
        .map_err(|error| Failure::configuration(format_args!("{}: {error}", certificate.display())))
}

/// The bytes of a file.
///
/// # Errors
/// Where it cannot be read; the message names it.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::configuration(format_args!("{}: {error}", path.display())))
}

/// What was loaded, for the log: hashes, no names of people.
pub fn describe(loaded: &Loaded) -> String {
    format!("catalogue {}", sha256_text(&loaded.catalogue.hash()))
}
