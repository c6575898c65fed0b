//! The sources that a configuration names, each with connections of its own.

use std::sync::Arc;

use super::{Failure, policy};
use crate::config::{self, Config, SignatureAlgorithm, Source, Wire as WireKind};
use crate::domain::vocabulary::Vocabulary;
use crate::identity::tls::{self, ALPN_H2};
use crate::source::magda::{self, MagdaSource};
use crate::source::signature::{Algorithm, KeyReference, Signatories, Signer};
use crate::source::{Connection, GrpcSource, Planned, Sources, Wire};

/// Makes them; nothing is connected yet.
///
/// # Errors
/// Where a certificate or an endpoint cannot be used.
pub fn sources(config: &Config, vocabulary: &Vocabulary) -> Result<Sources, Failure> {
    let mut sources = Sources::default();
    for source in &config.sources {
        let certificate = source.certificate.as_ref().unwrap_or(&config.tls.certificate);
        let key = source.key.as_ref().unwrap_or(&config.tls.key);
        let own = policy::credentials(certificate, key)?;
        let authorities = tls::certificates(&policy::read(&source.ca)?).map_err(Failure::misconfigured)?;
        let alpn: &[&[u8]] = match source.wire {
            WireKind::Grpc => &[ALPN_H2],
            WireKind::Magda => &[],
        };
        let client = tls::client_config(&own, &authorities, alpn).map_err(Failure::misconfigured)?;
        let wrong = || {
            Failure::configuration(format_args!(
                "source \"{}\": write its endpoint as https://host:port",
                source.name
            ))
        };
        let wire = match source.wire {
            WireKind::Grpc => {
                let endpoint = source.endpoint.parse().map_err(|_| wrong())?;
                let connection = Connection::to(&endpoint, Arc::new(client)).ok_or_else(wrong)?;
                let methods =
                    vocabulary.methods().filter(|method| *method.source == source.name).map(|method| &**method);
                let wire = GrpcSource::new(connection, &source.endpoint, config.limits.answer_bytes, methods);
                Wire::Grpc(Box::new(wire.map_err(Failure::misconfigured)?))
            }
            WireKind::Magda => {
                let endpoint = source.endpoint.parse().map_err(|_| wrong())?;
                let limits = magda::Limits { body: config.limits.answer_bytes, ..magda::Limits::default() };
                let wire = MagdaSource::new(&endpoint, client, limits).map_err(|_| wrong())?;
                let wire = with_signatures(wire, source)?;
                Wire::Magda(Box::new(Planned::new(wire)))
            }
        };
        sources.insert(&source.name, wire);
    }
    Ok(sources)
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
