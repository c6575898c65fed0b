//! What decisions rest on, read from the files that the configuration names.

use std::os::unix::fs::PermissionsExt as _;
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
    let registry = Registry::load(&config.registry).map_err(Failure::misconfigured)?;
    let own = credentials(&config.tls.certificate, &config.tls.key)?;
    let tls = tls::server_config(&own, registry.trust()).map_err(Failure::misconfigured)?;
    let catalogue =
        Catalogue::compile(&protocol::load(&config.protocols).map_err(Failure::misconfigured)?, vocabulary);
    Ok(Loaded { registry: Arc::new(registry), tls: Arc::new(tls), catalogue })
}

/// A certificate chain and its key.
///
/// # Errors
/// Where a file cannot be read, does not hold what it should, or holds a key that others than its owner may read.
pub fn credentials(certificate: &Path, key: &Path) -> Result<Credentials, Failure> {
    let cannot = |error| Failure::configuration(format_args!("{}: {error}", key.display()));
    let mode = std::fs::metadata(key).map_err(cannot)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Failure::configuration(format_args!(
            "{key}: mode {mode:o}: others may read this key; run `chmod 600 {key}`",
            key = key.display(),
            mode = mode & 0o777
        )));
    }
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
pub fn describe(loaded: &Loaded, vocabulary: &Vocabulary) -> String {
    format!(
        "catalogue {}, vocabulary {}",
        sha256_text(&loaded.catalogue.hash()),
        sha256_text(&vocabulary.hash())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tls_key_that_others_may_read_is_refused() {
        let key = std::env::temp_dir().join(format!("sluis-tls-key-{}", std::process::id()));
        std::fs::write(&key, "no key").unwrap();
        for (mode, told) in [(0o644, "chmod 600"), (0o640, "chmod 600"), (0o600, "no certificate")] {
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
            let failure = credentials(&key, &key).unwrap_err();
            assert!(failure.message.contains(told), "{mode:o}: {}", failure.message);
        }
        std::fs::remove_file(&key).unwrap();
    }
}
