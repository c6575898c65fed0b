//! From text to a draft: shapes and words are checked here, names and fields in `compile`.

use toml::Spanned;
use toml::de::DeTable;

use super::fault::Faults;
use super::permission::Permission;
use super::section::{Section, owned, word_of};
use super::{Issuer, Kind, Mark, Party, Provenance, Purpose, Text, Title, Upstream, Validity};

const KEYS: [&str; 13] = [
    "id",
    "version",
    "kind",
    "text",
    "title",
    "issuer",
    "supersedes",
    "validity",
    "party",
    "purpose",
    "flow",
    "upstream",
    "provenance",
];
const FLOW_KEYS: [&str; 10] = [
    "from",
    "to",
    "method",
    "purpose",
    "request",
    "answer",
    "permissions",
    "article",
    "justification",
    "descriptors",
];

/// What could be read of a file. Absent parts have their fault noted.
pub(super) struct Draft<'t> {
    pub id: Option<Spanned<&'t str>>,
    pub version: Option<Spanned<&'t str>>,
    pub kind: Option<Kind>,
    pub text: Option<Text>,
    pub title: Option<Title>,
    pub issuer: Option<Issuer>,
    pub supersedes: Vec<Spanned<&'t str>>,
    pub validity: Option<Validity>,
    pub parties: Vec<DraftParty<'t>>,
    pub purposes: Vec<DraftPurpose<'t>>,
    pub flows: Vec<DraftFlow<'t>>,
    pub provenance: Vec<Provenance>,
}

/// A party, with its name apart: a flow may mean one that is otherwise faulty.
pub(super) struct DraftParty<'t> {
    pub name: Spanned<&'t str>,
    pub party: Option<Party>,
}

/// A purpose, with its id apart.
pub(super) struct DraftPurpose<'t> {
    pub id: Spanned<&'t str>,
    pub purpose: Option<Purpose>,
}

/// A flow, of which nothing is looked up yet.
pub(super) struct DraftFlow<'t> {
    pub section: Section<'t>,
    pub from: Vec<Spanned<&'t str>>,
    pub to: Vec<Spanned<&'t str>>,
    pub method: Option<Spanned<&'t str>>,
    pub purpose: Option<Spanned<&'t str>>,
    pub request: Vec<Spanned<&'t str>>,
    pub answer: Vec<Spanned<&'t str>>,
    pub permissions: Vec<Spanned<Permission>>,
    pub article: Option<Spanned<&'t str>>,
    pub descriptors: Option<Spanned<&'t str>>,
}

/// Reads a file's table, noting every fault.
pub(super) fn parse<'t>(table: &'t DeTable<'t>, faults: &mut Faults<'_>) -> Draft<'t> {
    let file = Section::file(table, &KEYS, faults);
    file.require("title", faults);
    let title = title(file, faults);
    let common = upstream(file, faults);
    let draft = Draft {
        id: file.required_name("id", faults),
        version: version(file, faults),
        kind: file.required_word("kind", &Kind::WORDS, faults),
        text: file.required_word("text", &Text::WORDS, faults),
        title,
        issuer: issuer(file, faults),
        supersedes: file.names("supersedes", faults),
        validity: validity(file, faults),
        parties: parties(file, faults),
        purposes: purposes(file, &common, faults),
        flows: flows(file, faults),
        provenance: provenance(file, faults),
    };
    for key in ["party", "purpose"] {
        file.require(key, faults);
    }
    if draft.kind.is_some_and(Kind::is_issued) {
        file.require("issuer", faults);
    }
    draft
}

fn version<'t>(file: Section<'t>, faults: &mut Faults<'_>) -> Option<Spanned<&'t str>> {
    let version = file.required_text("version", faults)?;
    let text = version.get_ref().as_bytes();
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if text.len() <= 32 && text.iter().all(allowed) {
        return Some(version);
    }
    faults.at(version.span(), "`version` is 1 to 32 of letters, digits, `.` and `-`");
    None
}

fn title(of: Section<'_>, faults: &mut Faults<'_>) -> Option<Title> {
    let title = of.section("title", &["nl", "en"], faults)?;
    let (nl, en) = (title.required_text("nl", faults), title.required_text("en", faults));
    Some(Title { nl: owned(&nl?), en: owned(&en?) })
}

fn issuer(file: Section<'_>, faults: &mut Faults<'_>) -> Option<Issuer> {
    let issuer = file.section("issuer", &["name", "number", "date", "url"], faults)?;
    let name = issuer.required_text("name", faults);
    let number = issuer.text("number", faults).as_ref().map(owned);
    let date = issuer.date("date", faults);
    let url = issuer.text("url", faults);
    if let Some(url) = url.as_ref().filter(|url| !url.get_ref().starts_with("https://")) {
        faults.at(url.span(), "`url` begins with https://");
    }
    Some(Issuer { name: owned(&name?), number, date, url: url.as_ref().map(owned) })
}

fn validity(file: Section<'_>, faults: &mut Faults<'_>) -> Option<Validity> {
    file.require("validity", faults);
    let validity = file.section("validity", &["from", "until"], faults)?;
    validity.require("from", faults);
    let (from, until) = (validity.date("from", faults), validity.date("until", faults));
    if validity.has("until") && until.is_none() {
        return None;
    }
    let from = from?;
    if let Some(until) = until.filter(|until| *until < from) {
        let message = format!("`until` ({until}) lies before `from` ({from}): it is the last day in force");
        faults.at(validity.span("until"), message);
        return None;
    }
    let compiled = Validity::new(from, until);
    if compiled.is_none() {
        let message = "a day beyond the calendar: leave `until` out for an indefinite time";
        faults.at(validity.span("until"), message);
    }
    compiled
}

fn parties<'t>(file: Section<'t>, faults: &mut Faults<'_>) -> Vec<DraftParty<'t>> {
    let keys = ["name", "title", "kbo", "ovo", "capacity"];
    let mut parties: Vec<DraftParty<'t>> = Vec::new();
    for section in file.sections("party", &keys, faults) {
        let name = section.required_name("name", faults);
        let party = party(section, name.as_ref(), faults);
        let Some(name) = name else { continue };
        let mut others = parties.iter();
        if others.any(|other| other.name.get_ref() == name.get_ref()) {
            faults.at(name.span(), format!("a second party is named `{}`", name.get_ref()));
        }
        let key = party.as_ref().and_then(Party::key);
        let mut others = parties.iter().filter_map(|other| other.party.as_ref());
        if key.is_some() && others.any(|other| other.key() == key) {
            faults.at(section.span("kbo"), "a second party has this `kbo`: tell them apart by `ovo`");
        }
        parties.push(DraftParty { name, party });
    }
    parties
}

fn party(section: Section<'_>, name: Option<&Spanned<&str>>, faults: &mut Faults<'_>) -> Option<Party> {
    let title = section.required_text("title", faults);
    let (kbo, ovo) = (section.text("kbo", faults), section.text("ovo", faults));
    let capacity = section.text("capacity", faults).as_ref().map(owned);
    let kbo = parsed(kbo.as_ref(), faults)?;
    let ovo = parsed(ovo.as_ref(), faults)?;
    if kbo.is_some_and(crate::domain::party::Kbo::is_shared) && ovo.is_none() {
        faults.at(section.span("kbo"), "many organisations share this `kbo`: add `ovo`");
    }
    Some(Party { name: (*name?.get_ref()).into(), title: owned(&title?), kbo, ovo, capacity })
}

/// `None` for a fault, `Some(None)` for an absent text.
#[expect(clippy::option_option, reason = "absent is not faulty")]
fn parsed<T: std::str::FromStr>(text: Option<&Spanned<&str>>, faults: &mut Faults<'_>) -> Option<Option<T>>
where
    T::Err: std::fmt::Display,
{
    let Some(text) = text else { return Some(None) };
    match text.get_ref().parse() {
        Ok(value) => Some(Some(value)),
        Err(error) => {
            faults.at(text.span(), format!("`{}`: {error}", text.get_ref()));
            None
        }
    }
}

fn purposes<'t>(file: Section<'t>, common: &Upstream, faults: &mut Faults<'_>) -> Vec<DraftPurpose<'t>> {
    let keys = ["id", "title", "legal_basis", "special_ground", "upstream"];
    let mut purposes: Vec<DraftPurpose<'t>> = Vec::new();
    for section in file.sections("purpose", &keys, faults) {
        let id = section.required_name("id", faults);
        section.require("title", faults);
        let title = title(section, faults);
        let legal_basis = section.required_text("legal_basis", faults);
        let special_ground = section.text("special_ground", faults).as_ref().map(owned);
        let own = upstream(section, faults);
        let Some(id) = id else { continue };
        let mut others = purposes.iter();
        if others.any(|other| other.id.get_ref() == id.get_ref()) {
            faults.at(id.span(), format!("a second purpose has the id `{}`", id.get_ref()));
        }
        let purpose = title.zip(legal_basis).map(|(title, legal_basis)| Purpose {
            id: (*id.get_ref()).into(),
            title,
            legal_basis: owned(&legal_basis),
            special_ground,
            upstream: Upstream {
                magda_identification: own.magda_identification.or(common.magda_identification.clone()),
                magda_quality_code: own.magda_quality_code.or(common.magda_quality_code.clone()),
            },
        });
        purposes.push(DraftPurpose { id, purpose });
    }
    purposes
}

/// The lengths are those of MAGDA's Afzender/Identificatie and Afzender/Hoedanigheid.
fn upstream(of: Section<'_>, faults: &mut Faults<'_>) -> Upstream {
    let keys = ["magda_identification", "magda_quality_code"];
    let Some(section) = of.section("upstream", &keys, faults) else {
        return Upstream::default();
    };
    let mut code = |key, longest: usize| {
        let text = section.text(key, faults)?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"./_:-".contains(byte);
        if text.get_ref().len() > longest || !text.get_ref().as_bytes().iter().all(plain) {
            let message = format!("`{key}` is 1 to {longest} of letters, digits and `. / _ : -`");
            faults.at(text.span(), message);
        }
        Some(owned(&text))
    };
    Upstream {
        magda_identification: code("magda_identification", 120),
        magda_quality_code: code("magda_quality_code", 24),
    }
}

fn flows<'t>(file: Section<'t>, faults: &mut Faults<'_>) -> Vec<DraftFlow<'t>> {
    let mut flows = Vec::new();
    for section in file.sections("flow", &FLOW_KEYS, faults) {
        for key in ["from", "to", "request", "answer"] {
            section.require(key, faults);
        }
        section.required_text("justification", faults);
        flows.push(DraftFlow {
            section,
            from: section.names("from", faults),
            to: section.names("to", faults),
            method: section.required_text("method", faults),
            purpose: section.required_text("purpose", faults),
            request: section.texts("request", faults),
            answer: section.texts("answer", faults),
            permissions: permissions(section, faults),
            article: section.required_text("article", faults),
            descriptors: section.text("descriptors", faults),
        });
    }
    flows
}

fn permissions(flow: Section<'_>, faults: &mut Faults<'_>) -> Vec<Spanned<Permission>> {
    let mut permissions = Vec::new();
    for text in flow.texts("permissions", faults) {
        if let Some(one) = word_of("permissions", &text, &Permission::WORDS, faults) {
            permissions.push(Spanned::new(text.span(), one));
        }
    }
    permissions
}

/// Every part that the file has must say where it comes from.
fn provenance(file: Section<'_>, faults: &mut Faults<'_>) -> Vec<Provenance> {
    let parts = ["title", "issuer", "supersedes", "validity", "party", "purpose", "flow", "upstream"];
    let mut all: Vec<Provenance> = Vec::new();
    let words: Vec<(&str, ())> = parts.iter().chain(&["all"]).map(|part| (*part, ())).collect();
    file.require("provenance", faults);
    let sections = file.sections("provenance", &["block", "mark", "source"], faults);
    for section in &sections {
        let block = section.required_text("block", faults);
        let mark = section.required_word("mark", &Mark::WORDS, faults);
        let source = section.required_text("source", faults);
        let (Some(block), Some(mark), Some(source)) = (block, mark, source) else {
            continue;
        };
        let part = Spanned::new(block.span(), part_of(block.get_ref()));
        if word_of("block", &part, &words, faults).is_some() {
            all.push(Provenance { block: owned(&block), mark, source: owned(&source) });
        }
    }
    // Where an entry is faulty itself, nobody knows what it was to cover.
    if sections.is_empty() || all.len() < sections.len() {
        return all;
    }
    for part in parts.into_iter().filter(|part| file.has(part)) {
        let mut blocks = all.iter().map(|one| part_of(&one.block));
        if !blocks.any(|block| block == part || block == "all") {
            let message =
                format!("no `provenance` says where `{part}` comes from: add one with block = \"{part}\"");
            faults.at(file.span(part), message);
        }
    }
    all
}

/// "flow" of "flow.attest".
fn part_of(block: &str) -> &str {
    block.split('.').next().unwrap_or_default()
}
