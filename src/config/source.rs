//! A source: how it is reached, and what is signed on the way.

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
}
