//! The sources that a configuration names: the vocabulary in which they are asked, and the wires to them. Read and
//! replaced as one, at the start and at each reload.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use sha2::{Digest, Sha256};

use super::guards::guard;
use super::{Failure, policy};
use crate::config::{self, Config, SignatureAlgorithm, Source, Wire as WireKind};
use crate::domain::vocabulary::{MAX_SET, Vocabulary};
use crate::gateway::Methods;
use crate::identity::tls::{self, ALPN_H2};
use crate::source::guard::Guard;
use crate::source::magda::{self, MagdaSource};
use crate::source::signature::{Algorithm, KeyReference, Signatories, Signer};
use crate::source::{Connection, GrpcSource, Planned, Sources, Wire};

/// What the gateway can ask, and how.
pub struct Reach {
    /// The gateway's own vocabulary and the partners' descriptor sets.
    pub vocabulary: Arc<Vocabulary>,
    /// The methods of it.
    pub methods: Arc<Methods>,
    /// For each runtime, the sources with connections of its own.
    pub sources: Arc<[Sources]>,
    made: Vec<Made>,
}

/// A source's wires, one for each runtime, and what they were made of.
struct Made {
    settings: Source,
    /// Over the certificates and the keys.
    files: [u8; 32],
    wires: Vec<Arc<Wire>>,
    guard: Arc<Guard>,
}

impl Reach {
    /// Reads all of it; nothing is connected yet. A source of which nothing changed since `old` keeps its connections.
    ///
    /// # Errors
    /// Where a descriptor set, a certificate or an endpoint cannot be used. Then nothing of it is.
    pub fn load(config: &Config, runtimes: usize, old: Option<&Self>) -> Result<Self, Failure> {
        let vocabulary = vocabulary(config)?;
        let methods = Methods::of(&vocabulary).map_err(Failure::misconfigured)?;
        let kept = old.map_or(&[][..], |old| &old.made);
        let made = config.sources.iter().map(|source| Made::new(config, source, runtimes, kept));
        let made = made.collect::<Result<Vec<_>, _>>()?;
        let sources = (0..runtimes).map(|runtime| {
            let mut sources = Sources::default();
            for one in &made {
                if let Some(wire) = one.wires.get(runtime) {
                    sources.insert(&one.settings.name, Arc::clone(wire), Arc::clone(&one.guard));
                }
            }
            sources
        });
        let sources = sources.collect();
        Ok(Self { vocabulary: Arc::new(vocabulary), methods: Arc::new(methods), sources, made })
    }
}

/// The gateway's own vocabulary, and the descriptor sets that the configuration names.
///
/// # Errors
/// Where a set cannot be read, or is refused; the message names source and file.
pub fn vocabulary(config: &Config) -> Result<Vocabulary, Failure> {
    let mut vocabulary = Vocabulary::embedded().map_err(Failure::misconfigured)?;
    for source in &config.sources {
        let Some(file) = &source.descriptors else { continue };
        let refused = |error: &dyn std::fmt::Display| {
            Failure::configuration(format_args!("source \"{}\": {}: {error}", source.name, file.display()))
        };
        let set = read_set(file).map_err(|error| refused(&error))?;
        vocabulary = vocabulary.with(&source.name, &set).map_err(|error| refused(&error))?;
    }
    for source in &config.sources {
        check_wire(source, &vocabulary)?;
    }
    Ok(vocabulary)
}

/// Each method says by its options which wire it is made for. Over another one the question would lack what the source
/// needs, or nobody would look whom the answer is about.
fn check_wire(source: &Source, vocabulary: &Vocabulary) -> Result<(), Failure> {
    let mut methods = vocabulary.methods().filter(|method| *method.source == *source.name);
    let wrong = methods.find(|method| method.magda.is_some() != (source.wire == WireKind::Magda));
    let Some(method) = wrong else { return Ok(()) };
    let (wire, mend) = match source.wire {
        WireKind::Magda => ("MAGDA", "has no `magda` in (sluis.options.v1.method): say its question there"),
        WireKind::Grpc => ("gRPC", "is made for MAGDA: write wire = \"magda\""),
    };
    let (source, method) = (&source.name, &method.name);
    Err(Failure::configuration(format_args!("source \"{source}\" is asked over {wire}, and {method} {mend}")))
}

/// What closes nothing but looks like a mistake.
pub fn remarks(config: &Config, vocabulary: &Vocabulary) -> Vec<String> {
    let named = |source: &&Source| vocabulary.methods().any(|method| *method.source == *source.name);
    let nobody = config.sources.iter().filter(|source| !named(source));
    nobody
        .map(|source| format!("source \"{}\": no method names it, so it is never asked", source.name))
        .collect()
}

/// The bytes of a descriptor set; of one that is too large, as many as tell that.
///
/// # Errors
/// Where the file cannot be read.
pub fn read_set(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut set = Vec::new();
    File::open(file)?.take(MAX_SET as u64 + 1).read_to_end(&mut set)?;
    Ok(set)
}

impl Made {
    fn new(config: &Config, source: &Source, runtimes: usize, kept: &[Self]) -> Result<Self, Failure> {
        let (certificate, key) = shown(config, source);
        let client = tls_towards(config, source)?;
        let mut files = Sha256::new();
        let signing = source.signature.iter().flat_map(|own| [&own.certificate, &own.key]);
        for file in [certificate, key, &source.ca].into_iter().chain(signing).chain(&source.answer_signer) {
            files.update(Sha256::digest(policy::read(file)?));
        }
        let files = files.finalize().into();
        // A wire knows no descriptors: those come with each question.
        let settings = Source { descriptors: None, ..source.clone() };
        let same = |old: &&Self| old.settings == settings && old.files == files && old.wires.len() == runtimes;
        if let Some(old) = kept.iter().find(same) {
            return Ok(Self { settings, files, wires: old.wires.clone(), guard: Arc::clone(&old.guard) });
        }
        let wires = (0..runtimes).map(|_| wire(config, source, client.clone()).map(Arc::new));
        Ok(Self { files, wires: wires.collect::<Result<_, _>>()?, guard: guard(&settings), settings })
    }
}

/// Certificate and key that the gateway shows to a source.
fn shown<'a>(config: &'a Config, source: &'a Source) -> (&'a PathBuf, &'a PathBuf) {
    (
        source.certificate.as_ref().unwrap_or(&config.tls.certificate),
        source.key.as_ref().unwrap_or(&config.tls.key),
    )
}

/// The gateway as client of a source.
///
/// # Errors
/// Where a certificate or key cannot be used.
pub fn tls_towards(config: &Config, source: &Source) -> Result<ClientConfig, Failure> {
    let (certificate, key) = shown(config, source);
    let own = policy::credentials(certificate, key)?;
    let authorities = tls::certificates(&policy::read(&source.ca)?)
        .map_err(|error| Failure::configuration(format_args!("{}: {error}", source.ca.display())))?;
    let alpn: &[&[u8]] = match source.wire {
        WireKind::Grpc => &[ALPN_H2],
        WireKind::Magda => &[],
    };
    tls::client_config(&own, &authorities, alpn).map_err(Failure::misconfigured)
}

fn wire(config: &Config, source: &Source, client: ClientConfig) -> Result<Wire, Failure> {
    let wrong = || {
        Failure::configuration(format_args!(
            "source \"{}\": write its endpoint as https://host:port",
            source.name
        ))
    };
    let endpoint = source.endpoint.parse().map_err(|_| wrong())?;
    Ok(match source.wire {
        WireKind::Grpc => {
            let connection = Connection::to(&endpoint, Arc::new(client)).ok_or_else(wrong)?;
            Wire::Grpc(Box::new(GrpcSource::new(connection, &source.endpoint, config.limits.answer_bytes)))
        }
        WireKind::Magda => {
            let limits = magda::Limits { body: config.limits.answer_bytes, ..magda::Limits::default() };
            let wire = MagdaSource::new(&endpoint, client, limits).map_err(|_| wrong())?;
            let wire = with_signatures(wire, source)?;
            Wire::Magda(Box::new(Planned::new(wire)))
        }
    })
}

/// Has questions signed and answers verified as the configuration says.
fn with_signatures(mut wire: MagdaSource, source: &Source) -> Result<MagdaSource, Failure> {
    if let Some(signature) = &source.signature {
        let own = policy::credentials(&signature.certificate, &signature.key)?;
        let algorithm = match signature.algorithm {
            SignatureAlgorithm::RsaSha256 => Algorithm::RsaSha256,
            SignatureAlgorithm::RsaSha512 => Algorithm::RsaSha512,
        };
        let reference = match signature.key_reference {
            config::KeyReference::BinaryToken => KeyReference::BinaryToken,
            config::KeyReference::PathToken => KeyReference::PathToken,
            config::KeyReference::X509Data => KeyReference::X509Data,
        };
        let signer = Signer::new(own.key(), own.chain(), algorithm, reference)
            .map_err(|error| Failure::configuration(format_args!("{}: {error}", signature.key.display())))?;
        wire = wire.signing(Arc::new(signer));
    }
    if let Some(file) = &source.answer_signer {
        let certificates = tls::certificates(&policy::read(file)?).map_err(Failure::misconfigured)?;
        let signatories = Signatories::of(&certificates)
            .map_err(|error| Failure::configuration(format_args!("{}: {error}", file.display())))?;
        wire = wire.signed_by(signatories);
    }
    Ok(wire)
}
