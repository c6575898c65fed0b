//! What an operator sets of a source: how it is reached, what is signed, and what it is spared.

use std::path::PathBuf;

use serde::Deserialize;

/// A source and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The name that the vocabulary gives it.
    pub name: String,
    /// Which wire it speaks.
    pub wire: Wire,
    /// `https://host:port`.
    pub endpoint: String,
    /// PEM certificates of those who issue its certificate.
    pub ca: PathBuf,
    /// PEM chain of the gateway's certificate at this source. Default: the gateway's own.
    pub certificate: Option<PathBuf>,
    /// PEM key of that certificate.
    pub key: Option<PathBuf>,
    /// How the gateway signs its questions. Default: not at all.
    pub signature: Option<Signature>,
    /// Whether an answer must be signed.
    #[serde(default)]
    pub answer_signature: AnswerSignature,
    /// PEM certificates of those who may sign answers.
    pub answer_signer: Option<PathBuf>,
    /// An encoded `google.protobuf.FileDescriptorSet`, imports included, of what this source serves beside the
    /// gateway's own vocabulary.
    pub descriptors: Option<PathBuf>,
    /// Questions at once.
    #[serde(default = "Spared::concurrency")]
    pub concurrency: usize,
    /// Questions that wait for their turn.
    #[serde(default = "Spared::queue")]
    pub queue: usize,
    /// Questions within a second; 0: as many as come. Default: by the wire.
    pub per_second: Option<u32>,
    /// How long one attempt may take, in milliseconds.
    #[serde(default = "Spared::deadline_ms")]
    pub deadline_ms: u64,
    /// How often what is only read is asked again.
    #[serde(default = "Spared::retries")]
    pub retries: u32,
    /// Failures in a row after which the source is left alone.
    #[serde(default = "Spared::failures")]
    pub failures: u32,
    /// For how long, in milliseconds.
    #[serde(default = "Spared::pause_ms")]
    pub pause_ms: u64,
}

/// A signature of the SOAP body of questions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// PEM chain of the signing key.
    pub certificate: PathBuf,
    /// PEM key, RSA, readable by its owner alone.
    pub key: PathBuf,
    /// How it is made.
    #[serde(default)]
    pub algorithm: SignatureAlgorithm,
    /// How it says whose key made it.
    #[serde(default)]
    pub key_reference: KeyReference,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureAlgorithm {
    /// RSA with SHA-256.
    #[default]
    RsaSha256,
    /// RSA with SHA-512.
    RsaSha512,
}

/// How a signature says whose key made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyReference {
    /// WS-Security, the certificate as a token.
    #[default]
    BinaryToken,
    /// WS-Security, the chain as a token.
    PathToken,
    /// XML Signature alone.
    X509Data,
}

/// Whether an answer must be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerSignature {
    /// A signature is not looked at.
    #[default]
    None,
    /// An answer without a good signature is none.
    Required,
}

/// The protocol that a source speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Wire {
    /// gRPC, as the gateway itself.
    Grpc,
    /// MAGDA's SOAP 02.00.
    Magda,
}

impl Wire {
    /// Its name, as the file has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Magda => "magda",
        }
    }
}

/// What a source is spared where the configuration does not say.
pub struct Spared;

impl Spared {
    /// With the queue fewer than `limits.streams`, so that a source that hangs never fills a caller's connection.
    pub const fn concurrency() -> usize {
        100
    }

    /// As many again may wait.
    pub const fn queue() -> usize {
        100
    }

    /// Half of `limits.deadline_ms`: what waited may still be asked.
    pub const fn deadline_ms() -> u64 {
        5000
    }

    /// Once more.
    pub const fn retries() -> u32 {
        1
    }

    /// More than one question, or the retries of a few, can cause.
    pub const fn failures() -> u32 {
        10
    }

    /// About as long as a caller waits.
    pub const fn pause_ms() -> u64 {
        5000
    }
}

impl Source {
    /// A signature that is asked for and never looked at would be worse than none.
    pub(super) fn check_signatures(&self) -> Result<(), String> {
        let required = self.answer_signature == AnswerSignature::Required;
        if required != self.answer_signer.is_some() {
            return Err(format!(
                "source \"{}\": write answer_signature = \"required\" and answer_signer = \"FILE\" together, or neither",
                self.name
            ));
        }
        if self.wire == Wire::Grpc && (required || self.signature.is_some()) {
            return Err(format!("source \"{}\": only SOAP is signed: leave the signatures out", self.name));
        }
        Ok(())
    }

    /// Questions within a second. MAGDA's platform throttles at ten (99995).
    pub const fn pace(&self) -> Option<u32> {
        match (self.per_second, self.wire) {
            (Some(0), _) | (None, Wire::Grpc) => None,
            (Some(pace), _) => Some(pace),
            (None, Wire::Magda) => Some(10),
        }
    }
}
