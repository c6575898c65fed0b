//! A whole world on loopback: sources, gateway on SQLite, certificates, clients. Every test gets its own.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests, which may fail loudly"
)]

pub mod caller;
pub mod child;
pub mod document;
pub mod flock;
pub mod reader;
pub mod schema;
pub mod source;
pub mod stage;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use sluis::cli::client::{Client, Refusal, Reply};
use sluis::cli::demo::Setting;
use sluis::cli::serve::{self, Running};
use sluis::cli::{log, token};
use sluis::clock;
use sluis::config::Config;
use sluis::domain::vocabulary::Vocabulary;
use sluis::identity::tls::{self, Credentials};
use sluis::proto::audit::{Disclosure, ListDisclosuresRequest};
use sluis::sandbox::{Played, Sandbox, Settings};

pub const PERSON: &str = "/sluis.rijksregister.v1.PersonService/GetPerson";
pub const HOUSING: &str = "/sandbox.housing.v1.HousingService/GetHousingFile";
pub const STATUSES: &str = "/sluis.ksz.v1.SocialStatusService/GetSocialStatuses";
pub const ISOLATION: &str = "/sluis.zorg.v1.IsolationService/GetIsolation";

/// Synthetic people of the sandbox.
pub const PIETER: &str = "84631230189";
pub const ANNELIES: &str = "86710230694";
pub const PROTECTED: &str = "88690338414";
pub const NO_LONGER_PROTECTED: &str = "79642539688";
pub const REPLACED: &str = "91700198825";
pub const REPLACEMENT: &str = "91702141496";
pub const NOBODY: &str = "85673003360";

/// A folder of its own, removed at the end unless the test failed.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sluis-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// What a test may set before its world starts.
pub struct Plan {
    /// How long the slow person's answer takes.
    pub delay: Duration,
    /// The configuration, as text, may be changed.
    pub configure: fn(String) -> String,
    /// Journal of the sources.
    pub journal: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { delay: Duration::from_secs(30), configure: |text| text, journal: false }
    }
}

pub struct World {
    pub setting: Setting,
    pub sandbox: Sandbox,
    pub config: Config,
    pub running: Option<Running>,
    pub vocabulary: Vocabulary,
    pub folder: Folder,
}

impl World {
    pub async fn start(name: &str) -> Self {
        Self::planned(name, Plan::default()).await
    }

    pub async fn planned(name: &str, plan: Plan) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = Folder::new(name);
        let setting = Setting::make(&folder.0, clock::now()).unwrap();
        let sandbox = Self::sources(&setting, &folder.0, &plan, SocketAddr::from(([127, 0, 0, 1], 0))).await;
        setting.configure(sandbox.address(Played::Magda), sandbox.address(Played::Housing)).unwrap();
        let text = std::fs::read_to_string(setting.config()).unwrap();
        std::fs::write(setting.config(), (plan.configure)(text)).unwrap();
        let config = Config::read(&setting.config()).unwrap();
        let running = serve::start(config.clone()).await.unwrap();
        let vocabulary = Vocabulary::embedded().unwrap();
        Self { setting, sandbox, config, running: Some(running), vocabulary, folder }
    }

    pub async fn sources(setting: &Setting, dir: &Path, plan: &Plan, housing: SocketAddr) -> Sandbox {
        let read = |path: &Path| std::fs::read(path).unwrap();
        let own =
            Credentials::from_pem(&read(&setting.sources.certificate), &read(&setting.sources.key)).unwrap();
        let authorities = tls::certificates(&read(&setting.authority())).unwrap();
        Sandbox::start(Settings {
            magda: SocketAddr::from(([127, 0, 0, 1], 0)),
            housing,
            tls: tls::source_server_config(&own, &authorities, &[]).unwrap(),
            identifications: ["001", "002", "003", "004"]
                .map(|n| format!("leuven.be/ovo000000/ipdc{n}-aip"))
                .to_vec(),
            journal: plan.journal.then(|| dir.join("journal.tsv")),
            delay: plan.delay,
        })
        .await
        .unwrap()
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub fn address(&self) -> String {
        self.running().gateway.to_string()
    }

    /// A client with an organisation's registered certificate.
    pub fn client(&self, organisation: &str) -> Client {
        let issued = &self.setting.party(organisation).unwrap().issued;
        Client::new(&self.address(), &self.setting.authority(), &issued.certificate, &issued.key).unwrap()
    }

    /// A fresh token of an organisation's issuer, bound to its certificate.
    pub fn token(&self, organisation: &str) -> String {
        token::mint(&self.setting.party(organisation).unwrap().token(), clock::now()).unwrap()
    }

    /// The request message of a method about a person.
    pub fn question(&self, method: &str, subject: &str) -> Vec<u8> {
        let input = self.vocabulary.method(method).unwrap().input.clone();
        let mut message = DynamicMessage::new(input);
        message.set_field_by_name("insz", Value::String(subject.to_owned()));
        message.encode_to_vec()
    }

    /// The answer message of a method, read by its descriptor.
    pub fn answer(&self, method: &str, reply: &Reply) -> DynamicMessage {
        DynamicMessage::decode(self.vocabulary.method(method).unwrap().output.clone(), reply.message.clone())
            .unwrap()
    }

    /// One call, with a new connection.
    pub async fn call(&self, ask: &Ask<'_>) -> Result<Reply, Box<Refusal>> {
        let metadata = ask.metadata();
        let question = self.question(ask.method, ask.subject);
        self.client(ask.who).call(ask.method, &self.token(ask.who), &metadata, &question).await
    }

    /// All entries that fit, asked as the auditor.
    pub async fn entries(&self, request: ListDisclosuresRequest) -> Vec<Disclosure> {
        let (client, token) = (self.client("audit-leuven"), self.token("audit-leuven"));
        log::ask(&client, &token, request, usize::MAX).await.unwrap().entries
    }

    /// The entry of an index.
    pub async fn entry(&self, index: u64) -> Disclosure {
        let entries = self.entries(ListDisclosuresRequest::default()).await;
        entries.into_iter().find(|entry| entry.index == index).unwrap()
    }

    /// Verifies the log, with its keys; gives its size.
    pub async fn verify(&self) -> u64 {
        log::verify(&self.config, Vec::new()).await.map_err(|failure| failure.message).unwrap().report.size
    }

    /// Stops the gateway.
    pub async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }
}

/// A question; by default the city's about a parking offender.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub who: &'a str,
    pub method: &'a str,
    pub subject: &'a str,
    pub protocol: &'a str,
    pub purpose: &'a str,
    pub case: &'a str,
    pub more: &'a [(&'a str, &'a str)],
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            who: "stad-leuven",
            method: PERSON,
            subject: PIETER,
            protocol: "rr-leuven",
            purpose: "parking-offender",
            case: "PV-2026/000123",
            more: &[],
        }
    }
}

impl<'a> Ask<'a> {
    /// The OCMW's question to the housing partner.
    pub fn housing(subject: &'a str) -> Self {
        Self {
            who: "ocmw-leuven",
            method: HOUSING,
            subject,
            protocol: "housing-sandbox",
            purpose: "rent-subsidy-followup",
            ..Self::default()
        }
    }

    pub fn metadata(&self) -> Vec<(&'a str, &'a str)> {
        let mut metadata =
            vec![("sluis-protocol", self.protocol), ("sluis-purpose", self.purpose), ("sluis-case", self.case)];
        metadata.extend_from_slice(self.more);
        metadata
    }
}
