//! What tests of `decide` and `settle` judge by: the embedded vocabulary, the example instruments, and a caller.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::date;

use super::catalogue::Catalogue;
use super::decide::{Knowledge, Permit, decide};
use super::party::{Kbo, Organisation, Role};
use super::request::{Call, Caller, ExchangeRequest, Metadata};
use super::subject::InszRules;
use super::vocabulary::Vocabulary;

pub const PERSON: &str = "/sluis.rijksregister.v1.PersonService/GetPerson";
pub const HOUSING: &str = "/sandbox.housing.v1.HousingService/GetHousingFile";
pub const ISOLATION: &str = "/sluis.zorg.v1.IsolationService/GetIsolation";
pub const SUBJECT: &str = "85673003360";

pub const LEUVEN: &str = "0207521503";
pub const OCMW: &str = "0212165526";
pub const DIEST: &str = "0999999922";
pub const KORTRIJK: &str = "0207494678";

pub static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::embedded().unwrap());
pub static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| catalogue(ToOwned::to_owned));

/// The example instruments, each text changed before it is compiled.
pub fn catalogue(change: impl Fn(&str) -> String) -> Catalogue {
    let files = [
        ("rr-leuven.toml", include_str!("../../protocols/rr-leuven.toml")),
        ("rr-28-2009.toml", include_str!("../../protocols/rr-28-2009.toml")),
        ("rr-9-2020.toml", include_str!("../../protocols/rr-9-2020.toml")),
        ("covid19-diest.toml", include_str!("../../protocols/covid19-diest.toml")),
        ("housing-sandbox.toml", include_str!("../../protocols/housing-sandbox.toml")),
    ];
    Catalogue::compile(&files.map(|(name, text)| (name, change(text))), &VOCABULARY)
}

pub fn now() -> Timestamp {
    "2026-11-22T11:00:00Z".parse().unwrap()
}

pub fn caller(kbo: &str, roles: &[Role]) -> Caller {
    let kbo: Kbo = kbo.parse().unwrap();
    Caller {
        requester: Arc::new(Organisation::new("someone".parse().unwrap(), "Someone", kbo, None, roles)),
        processor: None,
        system: "system".parse().unwrap(),
        key: [1; 32],
        end_user: "user".into(),
        asserted_by: "issuer".into(),
        registry: [2; 32],
    }
}

/// A question, complete.
pub fn request(kbo: &str, path: &str, protocol: &str, purpose: &str, fields: Option<&str>) -> ExchangeRequest {
    let metadata = Metadata {
        protocol: Some(protocol.into()),
        purpose: Some(purpose.into()),
        case: Some("PV-1".into()),
        fields: fields.map(Into::into),
        ..Metadata::default()
    };
    let call = Call {
        asked_at: now(),
        method: VOCABULARY.method(path).unwrap(),
        metadata: &metadata,
        subject: Some(SUBJECT),
        body: &Bytes::new(),
        digest: [0; 32],
    };
    let rules = InszRules { test: true, today: date(2026, 11, 22) };
    ExchangeRequest::parse(&caller(kbo, &[Role::Requester]), &call, rules).unwrap()
}

pub fn knowledge(catalogue: &Catalogue, now: Timestamp) -> Knowledge<'_> {
    Knowledge { catalogue, epoch: 7, undeclared: |_, _| Ok(None), now }
}

/// Leave to ask about a parking offender.
pub fn permit(purpose: &str, fields: Option<&str>) -> Permit {
    let request = request(LEUVEN, PERSON, "rr-leuven", purpose, fields);
    decide(request, &knowledge(&CATALOGUE, now())).ok().unwrap()
}
