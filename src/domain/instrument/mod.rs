//! A published instrument: what its file says, and what that opens.
//!
//! One file is one immutable version. It is content only: its text becomes an [`Instrument`], or a
//! [`Broken`] that says line by line what to mend. Each flow becomes a [`Grant`], which is all that
//! the gateway decides by. The format is described in `protocols/README.md`.

mod canonical;
mod compile;
mod fault;
mod flow;
mod parse;
mod permission;
mod section;
mod validity;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::civil::Date;

use super::grant::Trie;
use super::party::{Kbo, OvoCode};
use super::sheltered::Sheltered;
use super::vocabulary::Method;

pub use canonical::sha256_text;
pub use compile::read;
pub use fault::InstrumentError;
pub use permission::{Permission, Permissions};
pub use validity::Validity;

/// A party as the law knows it: the KBO number, and the OVO code where that number is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyKey {
    /// Number of the enterprise.
    pub kbo: Kbo,
    /// Tells apart the organisations that share it.
    pub ovo: Option<OvoCode>,
}

/// One version of an instrument, read without a fault.
#[derive(Debug)]
pub struct Instrument {
    /// The file it was read from.
    pub file: Box<str>,
    /// What callers name, `[a-z0-9-]{1,64}`.
    pub id: Box<str>,
    /// Tells the versions of one id apart, `[A-Za-z0-9.-]{1,32}`.
    pub version: Box<str>,
    /// What it is in law.
    pub kind: Kind,
    /// Whether this file or another publication is the instrument itself.
    pub text: Text,
    /// What it is called.
    pub title: Title,
    /// Who made it, where it is not an agreement of its parties.
    pub issuer: Option<Issuer>,
    /// The instruments that it puts out of force, by id, from its own first day.
    pub supersedes: Vec<Box<str>>,
    /// When it is in force, unless superseded.
    pub validity: Validity,
    /// Who takes part.
    pub parties: Vec<Party>,
    /// What for.
    pub purposes: Vec<Purpose>,
    /// Where each part of the file comes from.
    pub provenance: Vec<Provenance>,
    /// SHA-256 over the canonical JSON of the file.
    pub content_hash: [u8; 32],
    /// What each flow opens. No two share purpose and method.
    pub grants: Vec<Arc<Grant>>,
}

impl Instrument {
    /// Whether a purpose is declared, with or without a flow.
    pub fn purpose(&self, id: &str) -> Option<&Purpose> {
        self.purposes.iter().find(|purpose| &*purpose.id == id)
    }

    /// What a purpose opens of a method (its gRPC path, `/package.Service/Method`).
    pub fn grant(&self, purpose: &str, method_path: &str) -> Option<&Arc<Grant>> {
        let mut grants = self.grants.iter();
        grants.find(|grant| &*grant.purpose == purpose && &*grant.method.path == method_path)
    }
}

/// What one flow of an instrument opens: a purpose, a method, from whom to whom, and the fields in
/// each direction. Everything else stays closed.
#[derive(Debug)]
pub struct Grant {
    /// The instrument's id.
    pub protocol: Box<str>,
    /// The instrument's version.
    pub version: Box<str>,
    /// The instrument's content hash.
    pub content_hash: [u8; 32],
    /// The id of the purpose.
    pub purpose: Box<str>,
    /// What allows the purpose.
    pub legal_basis: Box<str>,
    /// The article of the instrument that opens the flow, cited in denials.
    pub article: Box<str>,
    /// What is called.
    pub method: Arc<Method>,
    /// Who may receive.
    pub recipients: Vec<PartyKey>,
    /// Who answers.
    pub sources: Vec<PartyKey>,
    /// The fields that a request may hold.
    pub request: Trie,
    /// The fields that an answer may hold.
    pub answer: Trie,
    /// What is left of them where the address is protected.
    pub sheltered: Sheltered,
    /// The paths of `answer`, as declared, one a line: for the log.
    pub fields_text: Box<str>,
    /// How the source knows this purpose.
    pub upstream: Upstream,
    /// What the flow may show apart from ordinary data.
    pub permissions: Permissions,
    /// When the instrument is in force, unless superseded: judged again at release.
    pub validity: Validity,
}

impl Grant {
    /// Whether the party may receive.
    pub fn is_recipient(&self, party: PartyKey) -> bool {
        self.recipients.contains(&party)
    }
}

/// What an instrument is in law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An agreement between authorities (e-government decree, art. 8; law of 30 July 2018, art. 20).
    Protocol,
    /// A decision of a committee.
    Deliberation,
    /// A permission by a minister or a former sectoral committee.
    Authorisation,
    /// A royal or government decree.
    Decree,
    /// Terms that parties join.
    Framework,
    /// A law that prescribes the exchange itself.
    LegalObligation,
}

impl Kind {
    /// The words of the file format.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("protocol", Self::Protocol),
        ("deliberation", Self::Deliberation),
        ("authorisation", Self::Authorisation),
        ("decree", Self::Decree),
        ("framework", Self::Framework),
        ("legal-obligation", Self::LegalObligation),
    ];

    /// The word of the file format.
    pub fn name(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, kind)| *kind == self);
        found.map_or("", |(word, _)| word)
    }

    /// Whether somebody other than its parties makes it.
    pub(crate) fn is_issued(self) -> bool {
        matches!(self, Self::Deliberation | Self::Authorisation | Self::Decree)
    }
}

/// Whether the file is the instrument itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// The file is the text that the parties agree to.
    Authored,
    /// The file renders a text published elsewhere, which prevails.
    Transcribed,
}

impl Text {
    /// The words of the file format.
    pub const WORDS: [(&'static str, Self); 2] =
        [("authored", Self::Authored), ("transcribed", Self::Transcribed)];
}

/// A title in the two languages of the pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// In Dutch.
    pub nl: Box<str>,
    /// In English.
    pub en: Box<str>,
}

/// Who made the instrument, and where to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The authority or committee.
    pub name: Box<str>,
    /// Its number for the decision ("28/2009").
    pub number: Option<Box<str>>,
    /// The day of the decision.
    pub date: Option<Date>,
    /// Where it is published.
    pub url: Option<Box<str>>,
}

/// One party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// How the file means it.
    pub name: Box<str>,
    /// What it is called.
    pub title: Box<str>,
    /// Its number. May be absent as long as it stands in no flow.
    pub kbo: Option<Kbo>,
    /// Its code, where others share the number.
    pub ovo: Option<OvoCode>,
    /// In what capacity it takes part.
    pub capacity: Option<Box<str>>,
}

impl Party {
    /// What the registry knows it by.
    pub fn key(&self) -> Option<PartyKey> {
        let ovo = self.ovo;
        self.kbo.map(|kbo| PartyKey { kbo, ovo })
    }
}

/// What data are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// What callers name, `[a-z0-9-]{1,64}`.
    pub id: Box<str>,
    /// For people.
    pub title: Title,
    /// What allows it.
    pub legal_basis: Box<str>,
    /// The exception that allows special categories or judicial data (GDPR art. 9(2), art. 10).
    pub special_ground: Option<Box<str>>,
    /// How the source knows it, the instrument's own upstream filled in.
    pub upstream: Upstream,
}

/// How a source knows the purpose. The caller never chooses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// MAGDA: Afzender/Identificatie, the URI of controller, processor, finality and environment.
    pub magda_identification: Option<Box<str>>,
    /// MAGDA: Afzender/Hoedanigheid, being phased out there.
    pub magda_quality_code: Option<Box<str>>,
}

/// Where a part of the file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// A part of the file ("flow"), one of its entries ("flow.attest"), or "all".
    pub block: Box<str>,
    /// How good the source is.
    pub mark: Mark,
    /// The source, or what is missing in it.
    pub source: Box<str>,
}

/// How a part of a file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Read in a public text.
    Found,
    /// Read in part.
    Partial,
    /// Remembered, not looked up.
    Memory,
    /// Composed by us for the purpose: it is not the published text.
    Illustrative,
}

impl Mark {
    /// The words of the file format.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("found", Self::Found),
        ("partial", Self::Partial),
        ("memory", Self::Memory),
        ("illustrative", Self::Illustrative),
    ];

    /// The word of the file format.
    pub fn name(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, mark)| *mark == self);
        found.map_or("", |(word, _)| word)
    }
}

/// A file that opens nothing, and what of it could be read: it still closes what it was to replace,
/// so that a typing error never brings an older, wider instrument back.
#[derive(Debug)]
pub struct Broken {
    /// The file.
    pub file: Box<str>,
    /// Its id, if that could be read.
    pub id: Option<Box<str>>,
    /// Its version, if that could be read.
    pub version: Option<Box<str>>,
    /// When it would be in force, if that could be read.
    pub validity: Option<Validity>,
    /// What it was to put out of force.
    pub supersedes: Vec<Box<str>>,
    /// Everything that is wrong.
    pub errors: Vec<InstrumentError>,
}
