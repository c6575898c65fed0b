//! The folder that a demo lives in: a throw-away authority, registry, instruments, log key, configuration, and a list
//! of clients for whoever wants to play along.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::pki::{Issued, Pki, Profile, Subject};
use crate::cli::token::TokenArgs;
use crate::disclosure::keys::LogKeys;
use crate::domain::party::{OrganisationId, SystemName};

/// What bearer tokens name as their audience.
pub const AUDIENCE: &str = "sluis-demo";

/// The example instruments, as they stand in `protocols/`.
const INSTRUMENTS: [(&str, &str); 7] = [
    ("ksz-gss-leuven.toml", include_str!("../../../protocols/ksz-gss-leuven.toml")),
    ("ksz-inquiry-leuven.toml", include_str!("../../../protocols/ksz-inquiry-leuven.toml")),
    ("rr-leuven.toml", include_str!("../../../protocols/rr-leuven.toml")),
    ("rr-28-2009.toml", include_str!("../../../protocols/rr-28-2009.toml")),
    ("rr-9-2020.toml", include_str!("../../../protocols/rr-9-2020.toml")),
    ("covid19-diest.toml", include_str!("../../../protocols/covid19-diest.toml")),
    ("housing-sandbox.toml", include_str!("../../../protocols/housing-sandbox.toml")),
];

/// An organisation of the demo: id, name, KBO number, role, system. The KBO numbers are those of the instruments.
const ORGANISATIONS: [(&str, &str, &str, &str, &str); 5] = [
    ("stad-leuven", "Stad Leuven", "0207521503", "requester", "parking"),
    ("ocmw-leuven", "OCMW Leuven", "0212165526", "requester", "social-file"),
    ("stad-diest", "Stad Diest", "0999999922", "requester", "quarantine"),
    ("stad-kortrijk", "Stad Kortrijk", "0207494678", "requester", "library"),
    ("audit-leuven", "DPO of Leuven (sandbox)", "0999999625", "auditor", "audit"),
];

/// A client of the demo.
pub struct Party {
    /// The organisation's id.
    pub organisation: &'static str,
    /// The system's name.
    pub system: &'static str,
    /// Requester or auditor.
    pub role: &'static str,
    /// Certificate and key.
    pub issued: Issued,
    /// The key of its token issuer.
    pub issuer_key: PathBuf,
}

impl Party {
    /// What makes a token for its end user.
    pub fn token(&self) -> TokenArgs {
        TokenArgs {
            issuer_key: self.issuer_key.clone(),
            issuer: issuer(self.organisation),
            audience: AUDIENCE.to_owned(),
            subject: format!("someone@{}.example", self.organisation),
            certificate: self.issued.certificate.clone(),
            lifetime: 300,
            purpose: None,
            case: None,
        }
    }
}

fn issuer(organisation: &str) -> String {
    format!("https://issuer.{organisation}.example")
}

/// The demo's folder.
pub struct Setting {
    /// The folder.
    pub dir: PathBuf,
    /// The clients.
    pub parties: Vec<Party>,
    /// Certificate and key of the sources.
    pub sources: Issued,
    pki: Pki,
    gateway: Issued,
}

impl Setting {
    /// Makes all that does not depend on addresses.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn make(dir: &Path, now: Timestamp) -> Result<Self, Failure> {
        let dir = std::path::absolute(dir).map_err(Failure::unreachable)?;
        if dir.join("pki").exists() {
            return Err(Failure::configuration(format_args!(
                "{}: holds a demo already: remove it, or give another --dir. (To start its gateway again: sluis serve \
                 --config {0}/sluis.toml)",
                dir.display()
            )));
        }
        make_folder(&dir.join("protocols"))?;
        let pki = Pki::create(&dir.join("pki"), now).map_err(Failure::unreachable)?;
        let local = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let issue = |profile, organisation: Option<&str>, name: &str, sans: &[String]| {
            let name: SystemName = name.parse().map_err(Failure::misconfigured)?;
            let organisation: Option<OrganisationId> =
                organisation.map(str::parse).transpose().map_err(Failure::misconfigured)?;
            let subject = Subject { name: &name, organisation: organisation.as_ref(), sans };
            pki.issue(profile, subject, now).map_err(Failure::unreachable)
        };
        let gateway = issue(Profile::Gateway, None, "gateway", &local)?;
        let sources = issue(Profile::Source, None, "sources", &local)?;
        let mut parties = Vec::new();
        for (organisation, _, _, role, system) in ORGANISATIONS {
            let issued = issue(Profile::Caller, Some(organisation), system, &[])?;
            let id: OrganisationId = organisation.parse().map_err(Failure::misconfigured)?;
            let issuer_key = pki.issuer(&id).map_err(Failure::unreachable)?.key;
            parties.push(Party { organisation, system, role, issued, issuer_key });
        }
        for (name, text) in INSTRUMENTS {
            write(&dir.join("protocols").join(name), text)?;
        }
        LogKeys::create(&dir.join("log.key")).map_err(Failure::unreachable)?;
        let setting = Self { dir, parties, sources, pki, gateway };
        write(&setting.dir.join("pki/registry.toml"), &setting.registry())?;
        Ok(setting)
    }

    /// The client of an organisation.
    pub fn party(&self, organisation: &str) -> Option<&Party> {
        self.parties.iter().find(|party| party.organisation == organisation)
    }

    /// The certificate of those who issue all certificates of the demo.
    pub fn authority(&self) -> PathBuf {
        self.pki.authority()
    }

    /// The configuration of the gateway.
    pub fn config(&self) -> PathBuf {
        self.dir.join("sluis.toml")
    }

    fn registry(&self) -> String {
        let mut text = String::from(
            "# Who may call the gateway of this demo.\n[callers]\nauthorities = \"ca.pem\"\nrevocations = [\"crl.pem\"]\n",
        );
        for ((id, name, kbo, role, system), party) in ORGANISATIONS.iter().zip(&self.parties) {
            let (issuer, key) = (issuer(id), party.issued.thumbprint.to_string());
            let _ = write!(
                text,
                "\n[[organisation]]\nid = \"{id}\"\nname = \"{name}\"\nkbo = \"{kbo}\"\nroles = [\"{role}\"]\n\
                 [organisation.issuer]\nissuer = \"{issuer}\"\njwks = \"jwks/{id}.json\"\n\
                 [[organisation.system]]\nname = \"{system}\"\nkey = \"{key}\"\n"
            );
        }
        text
    }

    /// Writes the configuration, now that the sources' addresses are known.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn configure(&self, magda: SocketAddr, housing: SocketAddr) -> Result<(), Failure> {
        let file = |path: &Path| path.strip_prefix(&self.dir).unwrap_or(path).display().to_string();
        let text = format!(
            r#"# The gateway of the demo. Paths are relative to this file.
test = true                       # synthetic people only: their numbers are no citizen's
audience = "{AUDIENCE}"
registry = "pki/registry.toml"
protocols = "protocols"

[listen]
gateway = "127.0.0.1:0"
metrics = "127.0.0.1:0"
bound = "bound.json"
reflection = true                 # for curl-like clients; off unless it is set

[tls]
certificate = "{certificate}"
key = "{key}"

[log]
origin = "sluis.example/demo"
database = "log.db"
key = "log.key"
head = "log.head"

[[source]]
name = "rijksregister"
wire = "magda"
endpoint = "https://{magda}"
ca = "{ca}"
per_second = 0                    # a played source has no throttle; the real one has

[[source]]
name = "ksz"
wire = "magda"
endpoint = "https://{magda}"
ca = "{ca}"

[[source]]
name = "housing"
wire = "grpc"
endpoint = "https://{housing}"
ca = "{ca}"
"#,
            certificate = file(&self.gateway.certificate),
            key = file(&self.gateway.key),
            ca = file(&self.authority()),
        );
        write(&self.config(), &text)
    }

    /// Writes `endpoints.json`: how to call the gateway as each client.
    ///
    /// # Errors
    /// Where the folder cannot be written, or this program's own path is not known.
    pub fn announce(&self, gateway: SocketAddr) -> Result<(), Failure> {
        let program = std::env::current_exe().map_err(Failure::unreachable)?;
        let clients: Vec<Value> = self.parties.iter().map(|party| client(&program, party)).collect();
        let endpoints = json!({
            "gateway": gateway.to_string(),
            "ca": self.authority(),
            "config": self.config(),
            "database": format!("sqlite://{}", self.dir.join("log.db").display()),
            "clients": clients,
        });
        write(&self.dir.join("endpoints.json"), &format!("{endpoints:#}\n"))
    }
}

fn client(program: &Path, party: &Party) -> Value {
    let TokenArgs { issuer_key, issuer, audience, subject, certificate, .. } = party.token();
    json!({
        "name": format!("{}.{}", party.organisation, party.system),
        "organisation": party.organisation,
        "role": party.role,
        "certificate": party.issued.certificate,
        "key": party.issued.key,
        "token": [
            program.display().to_string(), "token".to_owned(),
            "--issuer-key".to_owned(), issuer_key.display().to_string(),
            "--issuer".to_owned(), issuer,
            "--audience".to_owned(), audience,
            "--subject".to_owned(), subject,
            "--certificate".to_owned(), certificate.display().to_string(),
        ],
    })
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path)
        .map_err(|error| Failure::unavailable(format_args!("{}: {error}", path.display())))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure::unavailable(format_args!("{}: {error}", path.display())))
}
