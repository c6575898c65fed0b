//! Answers of MAGDA, as a test reads them: a small document in memory, and by hand what an instrument opens of it.

#![allow(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may say that it skips, and look where the official messages are"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use prost_reflect::{DynamicMessage, Value};
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Namespace of GeefPersoon 02.02.
pub const GEEF_PERSOON: &str = "http://magda.vlaanderen.be/persoon/soap/geefpersoon/v02_02";

/// What `rr-leuven` opens for a parking offender, read off the instrument by hand: field, and where it stands
/// below `Persoon`.
pub const PARKING: &[(&str, &str)] = &[
    ("name.last_names", "Naam/Achternamen/Achternaam"),
    ("name.first_names.name", "Naam/Voornamen/Voornaam"),
    ("name.first_names.usual", "Naam/Voornamen/Voornaam/@GebruikelijkeVoornaam"),
    ("main_residence.street_name.text", "Adressen/Hoofdverblijfplaats/Straatnaam/String"),
    ("main_residence.street_name.language", "Adressen/Hoofdverblijfplaats/Straatnaam/Taal"),
    ("main_residence.house_number", "Adressen/Hoofdverblijfplaats/Huisnummer"),
    ("main_residence.box_number", "Adressen/Hoofdverblijfplaats/Busnummer"),
    ("main_residence.postal_code", "Adressen/Hoofdverblijfplaats/Postcode"),
    ("main_residence.municipality_name.text", "Adressen/Hoofdverblijfplaats/Gemeentenaam/String"),
    ("main_residence.municipality_name.language", "Adressen/Hoofdverblijfplaats/Gemeentenaam/Taal"),
    ("main_residence.country_name.text", "Adressen/Hoofdverblijfplaats/Land/String"),
    ("main_residence.country_name.language", "Adressen/Hoofdverblijfplaats/Land/Taal"),
];

/// What it opens for an attest beyond that.
const ATTEST: &[(&str, &str)] = &[
    ("civil_states.code", "BurgerlijkeStaten/BurgerlijkeStaat/Code"),
    ("civil_states.description", "BurgerlijkeStaten/BurgerlijkeStaat/Omschrijving"),
    ("civil_states.valid_from", "BurgerlijkeStaten/BurgerlijkeStaat/@DatumBegin"),
    ("reference_person.position.code", "Referentiepersoon/Positie/Code"),
    ("reference_person.position.description", "Referentiepersoon/Positie/Omschrijving"),
    ("reference_person.position.description_language", "Referentiepersoon/Positie/Omschrijving/@Taal"),
    ("reference_person.valid_until", "Referentiepersoon/@DatumEinde"),
];

/// What a purpose of `rr-leuven` opens.
pub fn opened(purpose: &str) -> Vec<(&'static str, &'static str)> {
    let more = if purpose == "attest" { ATTEST } else { &[] };
    PARKING.iter().chain(more).copied().collect()
}

/// Values by field, in a stable order; those of one field in the order of the document.
pub type Values = Vec<(String, String)>;

#[derive(Clone, Default, Debug)]
pub struct Dom {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
    pub children: Vec<Dom>,
}

impl Dom {
    pub fn parse(xml: &str) -> Self {
        let mut reader = Reader::from_str(xml);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => open.push(Self::named(&start)),
                Event::Empty(start) => open.last_mut().unwrap().children.push(Self::named(&start)),
                Event::End(_) => {
                    let done = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(done);
                }
                Event::Text(text) => open.last_mut().unwrap().text += &text,
                Event::GeneralRef(name) => {
                    open.last_mut().unwrap().text += resolve_predefined_entity(&name).unwrap();
                }
                Event::Eof => return open.pop().unwrap(),
                _ => {}
            }
        }
    }

    fn named(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(Result::unwrap).map(|attribute| {
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).unwrap();
            (attribute.key.as_ref().to_owned(), value.into_owned())
        });
        let name = start.local_name().as_ref().to_owned();
        Self { name, attributes: attributes.collect(), ..Self::default() }
    }

    /// The values at a path of element names that may end in an attribute.
    pub fn values(&self, path: &str) -> Vec<String> {
        let (step, rest) = path.split_once('/').unwrap_or((path, ""));
        if let Some(attribute) = step.strip_prefix('@') {
            let found = self.attributes.iter().filter(|(name, _)| name == attribute);
            return found.map(|(_, value)| value.clone()).collect();
        }
        if path.is_empty() {
            return vec![self.text.trim().to_owned()];
        }
        self.children.iter().filter(|child| child.name == step).flat_map(|child| child.values(rest)).collect()
    }

    /// The element of that name, wherever it stands first.
    pub fn first(&self, name: &str) -> Option<&Self> {
        if self.name == name { Some(self) } else { self.children.iter().find_map(|child| child.first(name)) }
    }

    pub fn first_mut(&mut self, name: &str) -> Option<&mut Self> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter_mut().find_map(|child| child.first_mut(name))
    }

    /// What a purpose opens of this element `Persoon`.
    pub fn granted(&self, purpose: &str) -> Values {
        let mut values = Vec::new();
        for (field, path) in opened(purpose) {
            let found = self.values(path).into_iter().filter(|value| !value.is_empty());
            values.extend(found.map(|value| (format!("person.{field}"), value)));
        }
        in_order(values)
    }

    /// Visits every text of an element without children, and every attribute, but for namespaces.
    pub fn each_value(&mut self, visit: &mut impl FnMut(&str, &mut String)) {
        for (name, value) in self.attributes.iter_mut().filter(|(name, _)| !name.starts_with("xmlns")) {
            visit(&format!("@{name}"), value);
        }
        if self.children.is_empty() && !self.text.trim().is_empty() {
            visit(&self.name.clone(), &mut self.text);
        }
        self.children.iter_mut().for_each(|child| child.each_value(visit));
    }

    /// As text again, without namespaces.
    pub fn write(&self) -> String {
        let mut out = format!("<{}", self.name);
        for (name, value) in self.attributes.iter().filter(|(name, _)| !name.starts_with("xmlns")) {
            write!(out, " {name}=\"{}\"", escape(value)).unwrap();
        }
        out.push('>');
        out.push_str(&escape(&self.text));
        self.children.iter().for_each(|child| out.push_str(&child.write()));
        write!(out, "</{}>", self.name).unwrap();
        out
    }
}

/// A reply of GeefPersoon around what stands in `Repliek`.
pub fn reply(content: &str) -> String {
    format!(
        "<q:GeefPersoonResponse xmlns:q='{GEEF_PERSOON}'><Repliek>{content}</Repliek></q:GeefPersoonResponse>"
    )
}

/// A reply of GeefPersoon with one answer: content, and what stands beside it.
pub fn answer(content: &str, beside: &str) -> String {
    let content = if content.is_empty() { String::new() } else { format!("<Inhoud>{content}</Inhoud>") };
    reply(&format!("<Antwoorden><Antwoord>{content}{beside}</Antwoord></Antwoorden>"))
}

/// The values of a message, read by its descriptor.
pub fn values_of(message: &DynamicMessage) -> Values {
    let mut values = Vec::new();
    collect("", message, &mut values);
    in_order(values)
}

fn collect(at: &str, message: &DynamicMessage, values: &mut Values) {
    for (field, value) in message.fields() {
        let path = format!("{at}{}", field.name());
        match value {
            Value::List(list) => list.iter().for_each(|value| one(&path, value, values)),
            value => one(&path, value, values),
        }
    }
}

fn one(path: &str, value: &Value, values: &mut Values) {
    match value {
        Value::Message(inner) => collect(&format!("{path}."), inner, values),
        Value::String(text) => values.push((path.to_owned(), text.clone())),
        Value::Bool(flag) => values.push((path.to_owned(), u8::from(*flag).to_string())),
        other => panic!("{path}: no such value in XML: {other:?}"),
    }
}

fn in_order(mut values: Values) -> Values {
    // Stable: the values of one field stay in their order.
    values.sort_by(|(a, _), (b, _)| a.cmp(b));
    values
}

/// The folder of the official messages, or a word that there is none.
pub fn official() -> Option<PathBuf> {
    let folder = std::env::var("MAGDA_CASES").ok().map(PathBuf::from).filter(|folder| folder.is_dir());
    if folder.is_none() {
        // Past the test harness, which swallows what a passing test prints.
        let mut terminal = std::io::stderr();
        writeln!(terminal, "skipped: MAGDA_CASES names no folder of official messages").unwrap();
    }
    folder
}

/// Name (an INSZ, or `notfound`) and content of each official answer of GeefPersoon.
pub fn official_answers() -> Vec<(String, String)> {
    let Some(folder) = official() else { return Vec::new() };
    let folder = folder.join("Persoon/GeefPersoon/02.02.0000");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 30, "the official answers are there");
    let name = |file: &PathBuf| file.file_stem().unwrap().to_string_lossy().into_owned();
    files.iter().map(|file| (name(file), std::fs::read_to_string(file).unwrap())).collect()
}
