//! The command line of `sluis pki`.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Issued, Pki, PkiError, Profile, Subject};
use crate::cli::output::Output;
use crate::domain::party::{OrganisationId, SystemName};

/// Make certificates and token keys for trials
#[derive(Debug, clap::Args)]
pub struct PkiArgs {
    /// What to do
    #[command(subcommand)]
    pub command: PkiCommand,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum PkiCommand {
    /// Make an authority and its empty revocation list
    Init {
        /// Where it lives
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Issue a certificate and print the thumbprint to register
    Issue {
        /// Where the authority lives
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// What the certificate is for
        #[arg(long)]
        profile: Profile,
        /// The system's name
        #[arg(long)]
        name: SystemName,
        /// Its organisation's id
        #[arg(long, value_name = "ID")]
        organisation: Option<OrganisationId>,
        /// DNS name or IP address of a server; may be given again
        #[arg(long, value_name = "NAME")]
        san: Vec<String>,
        /// For people the thumbprint alone
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Put a certificate on the revocation list
    Revoke {
        /// Where the authority lives
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The certificate
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
    },
    /// Make the key with which an organisation signs its end users' tokens, and its JWKS
    Issuer {
        /// Where the authority lives
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The organisation's id
        #[arg(long, value_name = "ID")]
        organisation: OrganisationId,
    },
}

/// Does it, and prints what there is to register: on `issue` the thumbprint of the key, else the
/// files.
pub fn run(args: &PkiArgs, now: Timestamp, out: &mut dyn Write) -> Result<(), PkiError> {
    let line = match &args.command {
        PkiCommand::Init { dir } => {
            let pki = Pki::create(dir, now)?;
            format!("{}\n{}", pki.authority().display(), pki.revocations().display())
        }
        PkiCommand::Issue { dir, profile, name, organisation, san, output } => {
            let subject = Subject { name, organisation: organisation.as_ref(), sans: san };
            let Issued { certificate, key, thumbprint } = Pki::open(dir)?.issue(*profile, subject, now)?;
            match output {
                Output::Table => thumbprint.to_string(),
                Output::Json => serde_json::json!({
                    "certificate": certificate, "key": key, "thumbprint": thumbprint.to_string(),
                })
                .to_string(),
            }
        }
        PkiCommand::Revoke { dir, certificate } => {
            let pki = Pki::open(dir)?;
            pki.revoke(certificate, now)?;
            pki.revocations().display().to_string()
        }
        PkiCommand::Issuer { dir, organisation } => {
            Pki::open(dir)?.issuer(organisation)?.jwks.display().to_string()
        }
    };
    writeln!(out, "{line}").map_err(|error| PkiError::io(Path::new("standard output"), error))
}
