//! Checkpoints: `c2sp.org/tlog-checkpoint` in a `c2sp.org/signed-note`, signed with Ed25519.
//! Not here: cosignatures, which readers of a note skip.

use std::fmt;
use std::str::FromStr;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::merkle::Hash;

/// signed-note's number for Ed25519.
const ED25519: u8 = 1;

/// What a log says of itself: so many entries, with this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let origin = lines.next().filter(|origin| !origin.is_empty())?.to_owned();
        let digits = lines.next()?;
        let size = digits.parse::<u64>().ok().filter(|size| size.to_string() == digits)?;
        let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
        lines.next().is_none().then_some(Self { origin, size, root })
    }

    /// The signed note; the key bears the origin's name.
    pub fn sign(&self, key: &SigningKey) -> String {
        let text = self.text();
        let verifier = VerifierKey::new(&self.origin, key.verifying_key());
        let signed = [&verifier.id[..], &key.sign(text.as_bytes()).to_bytes()].concat();
        format!("{text}\n— {} {}\n", self.origin, STANDARD.encode(signed))
    }
}

/// The public key of a log, in signed-note's text form `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl VerifierKey {
    /// The key under the log's name.
    pub fn new(name: &str, key: VerifyingKey) -> Self {
        let mut hash = Sha256::new();
        hash.update(name);
        hash.update([b'\n', ED25519]);
        hash.update(key.as_bytes());
        let [a, b, c, d, ..] = <Hash>::from(hash.finalize());
        Self { name: name.to_owned(), id: [a, b, c, d], key }
    }

    /// The log's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens a note: the checkpoint in it, if this log signed it with this key.
    pub fn open(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        // The text ends with the first of the two line ends.
        let text = note.get(..=text.len()).ok_or(NoteError::Malformed)?;
        let prefix = format!("— {} ", self.name);
        let ours = signatures.lines().filter_map(|line| line.strip_prefix(&prefix)).any(|line| {
            let bytes = STANDARD.decode(line).unwrap_or_default();
            bytes.split_first_chunk::<4>().is_some_and(|(id, signature)| {
                *id == self.id
                    && Signature::from_slice(signature)
                        .is_ok_and(|sig| self.key.verify_strict(text.as_bytes(), &sig).is_ok())
            })
        });
        if !ours {
            return Err(NoteError::Unsigned);
        }
        let checkpoint = Checkpoint::parse(text).ok_or(NoteError::Malformed)?;
        if checkpoint.origin == self.name { Ok(checkpoint) } else { Err(NoteError::Malformed) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519][..], self.key.as_bytes()].concat();
        let id = u32::from_be_bytes(self.id);
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        // Base64 may hold a plus sign; a name may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Malformed);
        };
        let bytes = STANDARD.decode(key).map_err(|_| NoteError::Malformed)?;
        let key = match bytes.split_first() {
            Some((&ED25519, key)) => VerifyingKey::try_from(key).ok(),
            _ => None,
        };
        let key = Self::new(name, key.ok_or(NoteError::Malformed)?);
        if key.to_string() == text { Ok(key) } else { Err(NoteError::Malformed) }
    }
}

/// Why a note is not this log's checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// It is not a signed checkpoint, or not a verifier key.
    Malformed,
    /// It bears no valid signature by this key.
    Unsigned,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a signed checkpoint of this log",
            Self::Unsigned => "no valid signature by the log's key",
        })
    }
}

impl std::error::Error for NoteError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "gateway.example/disclosures/2026";

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[5; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: ORIGIN.to_owned(), size: 20_852, root: [8; 32] }
    }

    #[test]
    fn a_note_opens_with_the_key_in_its_text_form() {
        let note = checkpoint().sign(&key());
        let text = VerifierKey::new(ORIGIN, key().verifying_key()).to_string();
        let verifier: VerifierKey = text.parse().unwrap();
        assert_eq!(verifier.open(&note), Ok(checkpoint()));
        let witnessed = format!("{note}— witness.example {}\n", STANDARD.encode([1; 68]));
        assert_eq!(verifier.open(&witnessed), Ok(checkpoint()));
    }

    /// Key and signature line made by the Go reference's published example key.
    #[test]
    fn the_published_example_key_has_its_published_id() {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let verifier: VerifierKey = text.parse().unwrap();
        assert_eq!(verifier.id, [0xc7, 0x4f, 0x20, 0xa3]);
        assert_eq!(verifier.to_string(), text);
        assert!(text.replace("c74f20a3", "c74f20a4").parse::<VerifierKey>().is_err());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let note = checkpoint().sign(&key()).into_bytes();
        let verifier = VerifierKey::new(ORIGIN, key().verifying_key());
        for at in 0..note.len() {
            let mut forged = note.clone();
            forged[at] ^= 1;
            let opened = String::from_utf8(forged).map(|forged| verifier.open(&forged));
            assert!(!matches!(opened, Ok(Ok(_))), "byte {at}");
        }
        let other = VerifierKey::new(ORIGIN, SigningKey::from_bytes(&[6; 32]).verifying_key());
        let note = String::from_utf8(note).unwrap();
        assert_eq!(other.open(&note), Err(NoteError::Unsigned));
    }
}
