//! A gateway in a process of its own, the page that says how a partner is added to it, and that partner.

use std::path::{Path, PathBuf};
use std::process::Command;

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};
use sluis::cli::client::{Client, Refusal, Reply};
use sluis::cli::demo::Setting;
use sluis::cli::{log, token};
use sluis::clock;
use sluis::domain::vocabulary::Vocabulary;
use sluis::proto::audit::{Disclosure, ListDisclosuresRequest};

use crate::support::child::Gateway;
use crate::support::source::{Saying, Source, Speaks};
use crate::support::{Folder, PIETER};

pub const METHOD: &str = "/parking.permits.v1.PermitService/GetPermit";

pub struct Place {
    pub setting: Setting,
    pub gateway: Gateway,
    pub source: Source,
    _folder: Folder,
}

/// The blocks of docs/partners.md in one language.
pub fn blocks(language: &str) -> Vec<String> {
    let page = include_str!("../../docs/partners.md");
    let fence = format!("```{language}\n");
    let blocks = page.split(&fence).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// What a command line left behind.
pub struct Done {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub async fn start(name: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = Folder::new(name);
        let setting = Setting::make(&folder.0, clock::now()).unwrap();
        let source = Source::start(&setting, Speaks::Http2).await;
        // As a gRPC server without a health service.
        source.say(
            Saying { status: 200, ..Saying::default() }
                .with("content-type", "application/grpc")
                .with("grpc-status", "12"),
        );
        let nowhere = ([127, 0, 0, 1], 9).into();
        setting.configure(nowhere, nowhere).unwrap();
        let gateway = Gateway::start(&setting);
        Self { setting, gateway, source, _folder: folder }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.setting.dir.join(name)
    }

    /// A command line of the page, in the gateway's folder.
    pub fn run(&self, line: &str) -> Done {
        let line = line
            .replace("https://parking.example:8445", &format!("https://{}", self.source.address))
            .replace("$(pidof sluis)", &self.gateway.id().to_string());
        let program = Path::new(env!("CARGO_BIN_EXE_sluis")).parent().unwrap().display().to_string();
        let script = format!("PATH=\"{program}:$PATH\"; {line}");
        let output = Command::new("sh").args(["-c", &script]).current_dir(&self.setting.dir).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { exit: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The same, where all must go well.
    pub fn done(&self, line: &str) -> String {
        let done = self.run(line);
        assert_eq!(done.exit, 0, "{line}: {}{}", done.out, done.err);
        done.out
    }

    /// Has the gateway reload, and waits until it says this.
    pub fn reload(&self, says: &str) {
        let before = self.gateway.said();
        self.done("kill -HUP $(pidof sluis)");
        self.gateway.hear(says, before);
    }

    /// All that the page says, up to the reload.
    pub fn add(&self) {
        std::fs::write(self.file("permits.proto"), &blocks("proto")[0]).unwrap();
        let mut told = String::new();
        for block in &blocks("console") {
            for line in block.lines() {
                let line = line.strip_prefix("$ ").unwrap();
                if line.starts_with("kill") {
                    self.reload(": reloaded");
                } else {
                    told += &self.done(line);
                }
                if line.starts_with("sluis source add") {
                    self.write_instrument(&told);
                }
            }
        }
    }

    /// The page's instrument, with the line that `add` printed.
    pub fn write_instrument(&self, told: &str) {
        let pin = told.lines().rfind(|line| line.starts_with("descriptors = \"sha256:")).unwrap();
        let text = blocks("toml")[0].replace("descriptors = \"sha256:…\"", pin);
        assert!(text.contains(pin));
        std::fs::write(self.file("protocols/parking.toml"), text).unwrap();
    }

    pub async fn call(&self) -> Result<Reply, Box<Refusal>> {
        let metadata =
            [("sluis-protocol", "parking"), ("sluis-purpose", "parking-control"), ("sluis-case", "PV-1")];
        // Field 1 of the request.
        let question = [&[0x0a, 11][..], PIETER.as_bytes()].concat();
        let (client, token) = self.client("stad-leuven");
        client.call(METHOD, &token, &metadata, &question).await
    }

    fn client(&self, organisation: &str) -> (Client, String) {
        let party = self.setting.party(organisation).unwrap();
        let issued = &party.issued;
        let address = &self.gateway.address;
        let client = Client::new(address, &self.setting.authority(), &issued.certificate, &issued.key).unwrap();
        (client, token::mint(&party.token(), clock::now()).unwrap())
    }

    pub async fn entries(&self, request: ListDisclosuresRequest) -> Vec<Disclosure> {
        let (client, token) = self.client("audit-leuven");
        log::ask(&client, &token, request, usize::MAX).await.unwrap().entries
    }

    /// The vocabulary with the set as it stands in the folder.
    pub fn vocabulary(&self) -> Vocabulary {
        let set = std::fs::read(self.file("permits.binpb")).unwrap();
        Vocabulary::embedded().unwrap().with("parking", &set).unwrap()
    }

    /// Has the partner answer with a permit in which every field has a value.
    pub fn answer(&self) {
        let output = self.vocabulary().method(METHOD).unwrap().output.clone();
        let mut answer = DynamicMessage::new(output);
        let permit = answer.get_field_by_name_mut("permit").unwrap().as_message_mut().unwrap();
        let fields: Vec<_> = permit.descriptor().fields().collect();
        for field in fields {
            let text = Value::String(if field.name() == "insz" {
                PIETER.into()
            } else {
                format!("the {}", field.name())
            });
            let value = match field.kind() {
                prost_reflect::Kind::Bool => Value::Bool(field.name() != "address_protected"),
                prost_reflect::Kind::Message(inner) => {
                    let mut message = DynamicMessage::new(inner);
                    message.set_field_by_name("street", Value::String("Hopstraat".into()));
                    Value::Message(message)
                }
                _ if field.is_list() => Value::List(vec![text]),
                _ => text,
            };
            permit.set_field(&field, value);
        }
        self.source.say(Saying::message(&prost::Message::encode_to_vec(&answer)));
    }
}
