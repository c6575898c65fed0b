//! The log's keys, all from one file of 64 secret bytes: a master from which every sealing and
//! searching key is derived (HKDF-SHA256, RFC 5869; labels in `docs/log-format.md`), and the
//! Ed25519 seed that signs checkpoints.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::checkpoint::VerifierKey;
use super::entry::{Class, Leaf};
use super::merkle::Hash;

const PREFIX: &str = "sluis-log-key-v1 ";

/// HMAC-SHA256 with its key already absorbed.
pub(super) type Keyed = Hmac<Sha256>;

/// A search token: what a value looks like in the database, for one class and period.
pub type Token = [u8; 16];

/// By what entries can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TokenKind {
    /// The data subject: by the number that the source returned, or was asked about where it returned none.
    Subject = 0,
    /// The end user.
    User = 1,
    /// The requesting organisation.
    Organisation = 2,
    /// The requester's case.
    Case = 3,
    /// The data subject, by the number that was asked about, where the source returned another.
    Asked = 4,
}

impl TokenKind {
    /// Every kind, in the order of the stored tokens.
    pub const ALL: [Self; 5] = [Self::Subject, Self::User, Self::Organisation, Self::Case, Self::Asked];

    fn label(self) -> &'static [u8] {
        match self {
            Self::Subject | Self::Asked => b"subj",
            Self::User => b"user",
            Self::Organisation => b"org",
            Self::Case => b"case",
        }
    }
}

/// The log's secrets. Nothing of them is shown by `Debug`.
pub struct LogKeys {
    master: Keyed,
    head: Keyed,
    place: Keyed,
    signer: SigningKey,
    periods: ArcSwap<Vec<Arc<PeriodKeys>>>,
}

/// The keys of one class and period.
struct PeriodKeys {
    class: Class,
    period: u16,
    enc: Keyed,
    idx: Keyed,
}

impl LogKeys {
    /// Makes a new key file that only its owner can read, and loads it. An existing file is left
    /// as it is, and is an error.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let mut secret = Zeroizing::new([0; 64]);
        getrandom::fill(&mut secret[..]).map_err(KeyError::Random)?;
        // Room for all of it beforehand: a string that grows leaves its old bytes behind.
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 2 * secret.len()));
        text.push_str(PREFIX);
        STANDARD.encode_string(&secret[..], &mut text);
        text.push('\n');
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        Ok(Self::from_secret(&secret))
    }

    /// Loads a key file. On Unix a file that others than its owner can read is refused.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let file = |source| KeyError::File { path: path.to_owned(), source };
        check_mode(path)?;
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(file)?);
        let malformed = || KeyError::Malformed(path.to_owned());
        let encoded = text.trim_end().strip_prefix(PREFIX).ok_or_else(malformed)?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| malformed())?);
        let secret: Zeroizing<[u8; 64]> = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| malformed())?);
        Ok(Self::from_secret(&secret))
    }

    /// Keys from 64 secret bytes: the master, then the Ed25519 seed.
    pub fn from_secret(secret: &[u8; 64]) -> Self {
        let (ikm, seed) = secret.split_at(32);
        // HKDF-Extract.
        let prk = Zeroizing::new(mac(&keyed(b"sluis-log-v1"), &[ikm]));
        let master = keyed(&prk[..]);
        let mut signing = Zeroizing::new([0; 32]);
        signing.copy_from_slice(seed);
        Self {
            head: keyed(&expand(&master, &[b"dl1/head"])[..]),
            place: keyed(&expand(&master, &[b"dl1/place"])[..]),
            signer: SigningKey::from_bytes(&signing),
            periods: ArcSwap::default(),
            master,
        }
    }

    /// The public key that opens the checkpoints of the log with this name.
    pub fn verifier(&self, origin: &str) -> VerifierKey {
        VerifierKey::new(origin, self.signer.verifying_key())
    }

    /// The key that signs checkpoints.
    pub(super) fn signer(&self) -> &SigningKey {
        &self.signer
    }

    /// Tells the log's own head from a planted one.
    pub(super) fn head_mac(&self, size: u64, root: &Hash, restarted: u64) -> Hash {
        mac(&self.head, &[&size.to_be_bytes(), root, &restarted.to_be_bytes()])
    }

    /// Ties a leaf to its index and to the question that it closes, so that a verifier can name
    /// the entry that was moved or planted. (The root alone would only tell that one was.)
    pub(super) fn place_mac(&self, index: u64, leaf_hash: &Hash, closes: Option<u64>) -> [u8; 16] {
        // No log reaches the number that is too large to be raised, and no store hands it out.
        let closes = closes.map_or(0, |asked| asked.saturating_add(1)).to_be_bytes();
        first_half(&mac(&self.place, &[&index.to_be_bytes(), leaf_hash, &closes]))
    }

    /// The key that seals one entry, used once.
    pub(super) fn entry_key(&self, leaf: &Leaf) -> Zeroizing<Hash> {
        let keys = self.period(leaf.class, leaf.period);
        expand(&keys.enc, &[b"dl1/dek", leaf.entry_id.as_bytes()])
    }

    /// What `value` looks like in entries of one class and period.
    pub fn token(&self, class: Class, period: u16, kind: TokenKind, value: &[u8]) -> Token {
        first_half(&mac(&self.period(class, period).idx, &[kind.label(), value]))
    }

    fn period(&self, class: Class, period: u16) -> Arc<PeriodKeys> {
        let same = |keys: &&Arc<PeriodKeys>| keys.period == period && keys.class == class;
        if let Some(keys) = self.periods.load().iter().rev().find(same) {
            return keys.clone();
        }
        let scope = [&[class as u8][..], &period.to_be_bytes()].concat();
        let derived = Arc::new(PeriodKeys {
            class,
            period,
            enc: keyed(&expand(&self.master, &[b"dl1/enc", &scope])[..]),
            idx: keyed(&expand(&self.master, &[b"dl1/idx", &scope])[..]),
        });
        self.periods.rcu(|known| {
            let mut known = Vec::clone(known);
            known.push(derived.clone());
            known
        });
        derived
    }
}

impl fmt::Debug for LogKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogKeys")
    }
}

/// HMAC-SHA256 keyed with at most 64 bytes (RFC 2104 pads the key with zeros).
pub(super) fn keyed(key: &[u8]) -> Keyed {
    let mut block = Zeroizing::new([0; 64]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Keyed::new((&*block).into())
}

fn mac(key: &Keyed, parts: &[&[u8]]) -> Hash {
    let mut mac = key.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// One block of HKDF-Expand.
fn expand(prk: &Keyed, label: &[&[u8]]) -> Zeroizing<Hash> {
    let mut mac = prk.clone();
    for part in label {
        mac.update(part);
    }
    mac.update(&[1]);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn first_half(hash: &Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    let meta = std::fs::metadata(path);
    let mode = meta.map_err(|source| KeyError::File { path: path.to_owned(), source })?;
    let mode = mode.permissions().mode() & 0o777;
    if mode.trailing_zeros() >= 6 { Ok(()) } else { Err(KeyError::Mode { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> Result<(), KeyError> {
    Ok(())
}

/// Why there are no keys.
#[derive(Debug)]
pub enum KeyError {
    /// The file cannot be read or made.
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than the owner may read the file.
    Mode {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not a key file.
    Malformed(PathBuf),
    /// The system gave no random bytes.
    Random(getrandom::Error),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "key file {}", path.display()),
            Self::Mode { path, mode } => write!(
                f,
                "key file {path} has mode {mode:o}: others may read it; run `chmod 600 {path}`",
                path = path.display()
            ),
            Self::Malformed(path) => {
                write!(f, "{} is not a log key file ({PREFIX}…)", path.display())
            }
            Self::Random(_) => f.write_str("no random bytes from the operating system"),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            Self::Random(source) => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use hkdf::Hkdf;

    use super::*;

    #[test]
    fn derivation_is_hkdf_as_another_library_does_it() {
        let keys = LogKeys::from_secret(&[3; 64]);
        let master = Hkdf::<Sha256>::new(Some(b"sluis-log-v1"), &[3; 32]);
        let mut idx = [0; 32];
        master.expand(b"dl1/idx\x01\x00\x52", &mut idx).unwrap();
        let token = mac(&keyed(&idx), &[b"subj", b"00610100156"]);
        let made = keys.token(Class::Disclosure, 82, TokenKind::Subject, b"00610100156");
        assert_eq!(made, token[..16]);
    }

    #[test]
    fn tokens_differ_by_kind_class_and_period() {
        let keys = LogKeys::from_secret(&[3; 64]);
        let mut seen = std::collections::HashSet::new();
        // The fifth is the first again, of another number.
        for kind in TokenKind::ALL.into_iter().take(4) {
            for class in [Class::Administrative, Class::Disclosure] {
                for period in [0, 1, 256] {
                    assert!(seen.insert(keys.token(class, period, kind, b"x")));
                }
            }
        }
    }

    #[test]
    fn no_number_that_is_planted_has_the_place_of_none() {
        let keys = LogKeys::from_secret(&[3; 64]);
        let none = keys.place_mac(7, &[9; 32], None);
        assert!([0, 1, u64::MAX].iter().all(|&asked| keys.place_mac(7, &[9; 32], Some(asked)) != none));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("sluis-key-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let made = LogKeys::create(&path).unwrap();
        assert!(matches!(LogKeys::create(&path), Err(KeyError::File { .. })), "never overwritten");
        let read = LogKeys::load(&path).unwrap();
        assert_eq!(made.signer.to_bytes(), read.signer.to_bytes());

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = LogKeys::load(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "sluis-log-key-v1 AAAA\n").unwrap();
        assert!(matches!(LogKeys::load(&path), Err(KeyError::Malformed(_))));
        std::fs::remove_file(&path).unwrap();
    }
}
