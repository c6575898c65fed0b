//! Canaries: every value of an answer is replaced by a text that nothing else holds. Exactly those that a purpose
//! opens leave the gateway, byte by byte; the others stand nowhere: in no message, header, trailer or error detail, not
//! in what the process says at its most talkative, not on the page of metrics, in no file that it writes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod ksz;
mod magda;
mod partner;
#[path = "../support/mod.rs"]
mod support;

use sluis::cli::client::Client;
use sluis::cli::demo::Setting;
use sluis::cli::{log, token};
use sluis::clock;
use sluis::proto::audit::ListDisclosuresRequest;
use support::caller::{Caller, Whole};
use support::child::Gateway;
use support::flock::{Flock, birds, silent, silent_below};
use support::source::Source;
use support::stage::{ask_as, scripted};
use support::{Ask, Folder, NOBODY, PIETER, PROTECTED};

/// What a source may write as the code of an exception: digits that could be somebody's telephone number.
const LONG_CODE: &str = "6407198512";

/// What the process may say to nobody but the log.
const PRIVATE: &[&str] =
    &[LONG_CODE, "someone@", "PV-2026/000123", "Bearer ", "eyJ", PIETER, PROTECTED, NOBODY];

/// A gateway in a process of its own, between callers and sources of the test's.
struct Cage {
    setting: Setting,
    magda: Source,
    housing: Source,
    gateway: Gateway,
    folder: Folder,
    flock: Flock,
}

impl Cage {
    async fn start(name: &str) -> Self {
        let folder = Folder::new(name);
        let (setting, magda, housing) = scripted(&folder, |text| text).await;
        let gateway = Gateway::start(&setting);
        Self { setting, magda, housing, gateway, folder, flock: Flock::default() }
    }

    async fn caller(&self, organisation: &str) -> Caller {
        let issued = &self.setting.party(organisation).unwrap().issued;
        Caller::connect(&self.gateway.address, &self.setting.authority(), issued).await
    }

    async fn ask(&self, caller: &Caller, ask: &Ask<'_>, message: &[u8]) -> Whole {
        let whole = ask_as(&self.setting, caller, ask, message).await;
        let refused = whole.headers.contains_key("grpc-status");
        let expected: &[&str] = if refused {
            &[
                "content-length",
                "content-type",
                "date",
                "grpc-message",
                "grpc-status",
                "grpc-status-details-bin",
                "sluis-entry-id",
                "sluis-log-index",
            ]
        } else {
            &["content-type", "date", "sluis-entry-id", "sluis-log-index"]
        };
        let names: Vec<_> =
            whole.header_names().into_iter().filter(|name| refused || name != "content-length").collect();
        assert!(names.iter().all(|name| expected.contains(&name.as_str())), "{names:?}");
        assert!(whole.trailers.keys().all(|name| name == "grpc-status"), "{:?}", whole.trailers);
        whole
    }

    /// After all exchanges: nothing of any answer stands anywhere else. Gives what the process said.
    async fn silent(self) -> String {
        let party = self.setting.party("audit-leuven").unwrap();
        let client = Client::new(
            &self.gateway.address,
            &self.setting.authority(),
            &party.issued.certificate,
            &party.issued.key,
        );
        let token = token::mint(&party.token(), clock::now()).unwrap();
        let entries = log::ask(&client.unwrap(), &token, ListDisclosuresRequest::default(), usize::MAX)
            .await
            .unwrap()
            .entries;
        assert!(entries.len() > 20);
        let told: Vec<u8> = entries.iter().flat_map(prost::Message::encode_to_vec).collect();
        silent("what auditors are told", &told, &[]);

        assert!(self.folder.0.join("log.db").is_file());
        let metrics = self.gateway.page("/metrics").await;
        assert!(String::from_utf8_lossy(&metrics).contains("sluis_exchanges_released_total"));
        silent("the metrics", &metrics, PRIVATE);
        silent("the page of liveness", &self.gateway.page("/live").await, PRIVATE);
        silent_below(&self.folder.0, &[PIETER, PROTECTED, NOBODY, "PV-2026/000123"]);
        let said = self.gateway.stop().await;
        assert!(said.windows(5).any(|word| word == b"TRACE"), "the process was talkative");
        silent("what the process says", &said, PRIVATE);
        silent_below(&self.folder.0, &[PIETER, PROTECTED, NOBODY, "PV-2026/000123"]);
        String::from_utf8_lossy(&said).into_owned()
    }
}

/// Fails unless exactly these canaries leave, and no private word but what is known to be granted.
fn leave(whole: &Whole, granted: impl Iterator<Item = String>, known: &[&str]) {
    let mut granted = granted.flat_map(|value| birds(value.as_bytes())).collect::<Vec<_>>();
    granted.sort();
    assert_eq!(birds(&whole.everything()), granted, "{whole:?}");
    let all = whole.everything();
    for word in PRIVATE.iter().filter(|word| !known.contains(word)) {
        assert!(!all.windows(word.len()).any(|window| window == word.as_bytes()), "{word} leaves: {whole:?}");
    }
}

fn question(subject: &str) -> Vec<u8> {
    [&[0x0a, 11], subject.as_bytes()].concat()
}
