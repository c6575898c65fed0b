//! What can go wrong in `sluis pki`.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::cli::Exit;

/// Why the authority did not do it.
#[derive(Debug)]
pub enum PkiError {
    /// The file cannot be read or written.
    Io(PathBuf, std::io::Error),
    /// The file is there already; nothing is overwritten.
    Exists(PathBuf),
    /// The file does not hold what its name says.
    Malformed(PathBuf),
    /// The certificate is not of this authority.
    Foreign(PathBuf),
    /// A server's certificate needs a name.
    ServerWithoutName,
    /// The operating system gives no randomness.
    NoRandomness,
    /// The profiles cannot be read.
    Profiles,
    /// The certificate or list cannot be made.
    Refused(rcgen::Error),
}

impl PkiError {
    pub(super) fn io(path: &Path, error: std::io::Error) -> Self {
        Self::Io(path.to_owned(), error)
    }

    /// How a command ends with it.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Io(..) | Self::NoRandomness => Exit::Unavailable,
            Self::ServerWithoutName => Exit::Usage,
            Self::Exists(_) | Self::Malformed(_) | Self::Foreign(_) | Self::Profiles | Self::Refused(_) => {
                Exit::Configuration
            }
        }
    }
}

impl fmt::Display for PkiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, _) => write!(f, "{}: cannot be read or written", path.display()),
            Self::Exists(path) => {
                write!(f, "{}: is there already; move it away to make another", path.display())
            }
            Self::Malformed(path) => write!(f, "{}: does not hold what it should", path.display()),
            Self::Foreign(path) => {
                write!(f, "{}: was not issued by this authority; look at --dir", path.display())
            }
            Self::ServerWithoutName => {
                f.write_str("a server's certificate needs a DNS name or IP address: add --san")
            }
            Self::NoRandomness => f.write_str("the operating system gives no randomness"),
            Self::Profiles => f.write_str("certs/profiles.toml is not what this version reads"),
            Self::Refused(_) => f.write_str("the certificate or list cannot be made"),
        }
    }
}

impl std::error::Error for PkiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}
