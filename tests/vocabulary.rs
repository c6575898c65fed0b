//! The vocabulary against what it is to describe: every field of the embedded descriptors, and every element and
//! attribute of MAGDA's official answers and of the service's published element tree.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, say that it was skipped, and look where the official messages are"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use quick_xml::events::Event;
use sluis::domain::vocabulary::{Manner, Method, Sensitivity, Vocabulary, rule, xml_value};

const GET_PERSON: &str = "/sluis.rijksregister.v1.PersonService/GetPerson";

fn method(path: &str) -> std::sync::Arc<Method> {
    Vocabulary::embedded().unwrap().method(path).unwrap().clone()
}

fn names(way: &[FieldDescriptor]) -> String {
    way.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".")
}

/// Every way below a message.
fn ways(message: &MessageDescriptor) -> Vec<Vec<FieldDescriptor>> {
    let mut all = Vec::new();
    let mut open: Vec<Vec<_>> = message.fields().map(|field| vec![field]).collect();
    while let Some(way) = open.pop() {
        if let Kind::Message(inner) = way.last().unwrap().kind() {
            open.extend(inner.fields().map(|field| [way.clone(), vec![field]].concat()));
        }
        all.push(way);
    }
    all
}

/// The ways below `GetPersonResponse`, by where they stand in XML below `Inhoud`.
fn by_xml() -> BTreeMap<String, Vec<FieldDescriptor>> {
    let mut all = BTreeMap::new();
    for way in ways(&method(GET_PERSON).output) {
        let steps =
            way.iter().map(|field| rule(field).xml.unwrap_or_else(|| panic!("{}: no xml", names(&way))));
        let path = steps.filter(|step| **step != *".").collect::<Vec<_>>().join("/");
        let leaf = !matches!(way.last().unwrap().kind(), Kind::Message(_));
        if leaf {
            let second = all.insert(path, way.clone());
            assert!(second.is_none(), "{}: another field has the same place in XML", names(&way));
        }
    }
    all
}

/// Whether any field on the way is of that sensitivity.
fn covered(way: &[FieldDescriptor], by: Sensitivity) -> bool {
    way.iter().any(|field| rule(field).sensitivity == by)
}

#[test]
fn the_embedded_exchanges_are_these() {
    let vocabulary = Vocabulary::embedded().unwrap();
    let methods: Vec<_> = vocabulary.methods().map(|one| (&*one.name, &*one.source, one.manner)).collect();
    let expected = [
        ("sandbox.housing.v1.HousingService.GetHousingFile", "housing", Manner::Read),
        ("sluis.ksz.v1.ChildBenefitService.GetChildBenefits", "ksz", Manner::Read),
        ("sluis.ksz.v1.DisabilityService.GetDisabilityFile", "ksz", Manner::Read),
        ("sluis.ksz.v1.DisabilityService.GetDisabilityFileByPeriod", "ksz", Manner::Read),
        ("sluis.ksz.v1.EmploymentService.GetEmploymentRelations", "ksz", Manner::Read),
        ("sluis.ksz.v1.IncapacityService.GetIncapacity", "ksz", Manner::Read),
        ("sluis.ksz.v1.LivingWageService.GetLivingWageAmounts", "ksz", Manner::Read),
        ("sluis.ksz.v1.LivingWageService.GetLivingWagePeriods", "ksz", Manner::Read),
        ("sluis.ksz.v1.PensionService.GetPensionRights", "ksz", Manner::Read),
        ("sluis.ksz.v1.SocialStatusService.GetSocialStatuses", "ksz", Manner::Read),
        ("sluis.ksz.v1.UnemploymentService.GetUnemploymentBenefits", "ksz", Manner::Read),
        ("sluis.rijksregister.v1.PersonService.GetPerson", "rijksregister", Manner::Read),
        ("sluis.zorg.v1.IsolationService.GetIsolation", "zorg", Manner::Read),
    ];
    assert_eq!(methods, expected, "the audit service is no exchange");
    // Services of one file are pinned together.
    let hashes: BTreeSet<_> = vocabulary.methods().map(|one| one.descriptor_hash).collect();
    let files: BTreeSet<_> =
        vocabulary.methods().map(|one| one.output.parent_file().name().to_owned()).collect();
    assert_eq!(hashes.len(), files.len());
}

#[test]
fn the_person_and_the_protection_are_found_where_they_stand() {
    let person = method(GET_PERSON);
    assert_eq!(&*person.subject_path, "insz");
    assert_eq!(names(person.subject_returned.as_ref().unwrap()), "person.insz");
    assert_eq!(names(person.protected_address.as_ref().unwrap()), "person.address_protection");
    assert_eq!(names(person.protected_until.as_ref().unwrap()), "person.address_protection.ends_on");
    let housing = method("/sandbox.housing.v1.HousingService/GetHousingFile");
    assert_eq!(names(housing.subject_returned.as_ref().unwrap()), "file.insz");
    assert_eq!(names(housing.protected_until.as_ref().unwrap()), "file.address_protection.ends_on");
    assert!(housing.magda.is_none());
    assert!(method("/sluis.zorg.v1.IsolationService/GetIsolation").subject_returned.is_none());
}

#[test]
fn the_question_goes_over_magda_in_the_order_of_the_schema() {
    let person = method(GET_PERSON);
    let magda = person.magda.as_ref().unwrap();
    let content: Vec<_> = magda.content.iter().map(|one| (&*one.path, &*one.field, &*one.value)).collect();
    assert_eq!(content, [("Criteria/INSZ", "insz", ""), ("Bron", "", "RR"), ("Taal", "language", "nl")]);
    assert_eq!((&*magda.service, &*magda.version), ("GeefPersoon", "02.02.0000"));
    let Kind::Enum(language) = person.input.get_field_by_name("language").unwrap().kind() else { panic!() };
    let values: Vec<_> = language.values().map(|value| xml_value(&value)).collect();
    assert_eq!(values, [None, Some("nl".into()), Some("fr".into()), Some("de".into()), Some("en".into())]);
}

#[test]
fn numbers_addresses_and_free_text_are_marked_wherever_they_stand() {
    for (xml, way) in by_xml() {
        let last = xml.rsplit('/').next().unwrap();
        let place = names(&way);
        if last == "INSZ" {
            assert!(covered(&way, Sensitivity::Identifier), "{place}");
            let own = ["person.insz", "person.reference_file.insz", "person.cancelled_file.insz"];
            let third = way.iter().any(|field| rule(field).third_person);
            assert_eq!(third, !own.contains(&place.as_str()), "{place}");
        }
        if last == "Tekst" {
            assert!(covered(&way, Sensitivity::FreeText), "{place}");
        }
        if last == "@GebruikelijkeVoornaam" || last == "@IsFictief" || last == "IsOverleden" {
            let field = way.last().unwrap();
            assert!(field.kind() == Kind::Bool && field.supports_presence(), "{place}: unknown is not false");
        }
        // Of all that stands in `Adressen`, two things tell no address.
        let apart = ["Persoon/Adressen/NietMededeelbaarAdres/", "Persoon/Adressen/PlaatsHerkomst/"];
        if xml.starts_with("Persoon/Adressen/") && !apart.iter().any(|other| xml.starts_with(other)) {
            assert!(covered(&way, Sensitivity::Address), "{place}");
        }
    }
}

#[test]
fn what_gives_an_address_away_is_an_address_too() {
    let all = by_xml();
    for xml in [
        "Persoon/Beheerder/Plaats/Gemeente/Naam",
        "Persoon/Statussen/Status/Code",
        "Persoon/Identiteitsbewijzen/Identiteitsbewijs/Plaats/Gemeente/Naam",
        "Persoon/PlaatsenInschrijving/PlaatsInschrijving/Opvangcentrum/Code",
        "Persoon/WettelijkeSamenwoning/Plaats/Gemeente/Naam",
        "Persoon/LijkbezorgingEnRitueel/PlaatsRegistratie/Naam",
        "Persoon/GekozenWoonplaats/Tekst",
        "Persoon/Contactgegevens/Telefoon",
    ] {
        assert!(covered(&all[xml], Sensitivity::Address), "{xml}");
    }
    assert!(!covered(&all["Persoon/Geboorte/Plaats/Gemeente/Naam"], Sensitivity::Address));
    assert!(!all["Persoon/Referentiepersoon/Positie/Code"].iter().any(|field| rule(field).third_person));
}

#[test]
fn every_field_is_explained() {
    let mut faults = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("proto")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert!(lines.len() <= 400, "{}: {} lines", path.display(), lines.len());
        for (before, line) in lines.iter().zip(&lines[1..]) {
            let declares = ["message ", "enum ", "service ", "rpc "].iter().any(|word| line.starts_with(word));
            let number = line.split(" = ").nth(1).and_then(|rest| rest.chars().next());
            let field = number.is_some_and(|digit| digit.is_ascii_digit()) && line.split(' ').count() >= 3;
            if (declares || field) && !before.starts_with("//") && !line.ends_with("_UNSPECIFIED = 0;") {
                faults.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "without a comment:\n{}", faults.join("\n"));
}

/// Where the official messages are, if they are here.
fn official(test: &str) -> Option<PathBuf> {
    let folder = std::env::var("MAGDA_CASES").ok();
    if folder.is_none() {
        skipped(test, "MAGDA_CASES is not set");
    }
    folder.map(PathBuf::from)
}

/// Says so past the test harness, which swallows what a passing test prints.
fn skipped(test: &str, why: &str) {
    let mut terminal = std::io::stderr();
    writeln!(terminal, "{test}: skipped, because {why}").unwrap();
}

#[test]
fn every_leaf_of_the_official_answers_has_a_field() {
    let Some(cases) = official("every_leaf_of_the_official_answers_has_a_field") else { return };
    let known = by_xml();
    let (mut answers, mut unknown) = (0, BTreeSet::new());
    for entry in std::fs::read_dir(cases.join("Persoon/GeefPersoon/02.02.0000")).unwrap() {
        let path = entry.unwrap().path();
        let leaves = leaves(&std::fs::read_to_string(&path).unwrap());
        answers += usize::from(leaves.contains_key("Persoon/INSZ"));
        for (leaf, value) in leaves {
            match known.get(&leaf) {
                None => _ = unknown.insert(leaf),
                Some(way) if way.last().unwrap().kind() == Kind::Bool => {
                    assert!(["0", "1", "false", "true"].contains(&&*value), "{leaf} is no flag");
                }
                Some(_) => {}
            }
        }
    }
    assert!(answers >= 30, "only {answers} answers hold a person");
    assert!(unknown.is_empty(), "no field stands for: {unknown:#?}");
}

/// Elements without children, and attributes, by their path below `Inhoud`.
fn leaves(xml: &str) -> BTreeMap<String, String> {
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    let (mut path, mut leaves) = (Vec::<String>::new(), BTreeMap::new());
    let (mut text, mut leaf) = (String::new(), false);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                (leaf, text) = (true, String::new());
                for attribute in start.attributes().map(Result::unwrap) {
                    let name = attribute.key.as_ref().to_owned();
                    let value = attribute.value.into_owned();
                    if !name.starts_with("xmlns") {
                        keep(&mut leaves, &path, &format!("/@{name}"), value);
                    }
                }
            }
            Event::Text(part) => text.push_str(&part),
            Event::End(_) => {
                if leaf {
                    keep(&mut leaves, &path, "", text.trim().to_owned());
                }
                path.pop();
                leaf = false;
            }
            Event::Eof => return leaves,
            _ => {}
        }
    }
}

fn keep(leaves: &mut BTreeMap<String, String>, path: &[String], last: &str, value: String) {
    if let Some(content) = path.iter().position(|element| element == "Inhoud") {
        leaves.insert(path[content + 1..].join("/") + last, value);
    }
}

#[test]
fn fields_and_the_published_element_tree_are_the_same() {
    let Some(cases) = official("fields_and_the_published_element_tree_are_the_same") else { return };
    let Ok(tree) = std::fs::read_to_string(cases.join("../trees/Persoon.GeefPersoonDienst-02.02.txt")) else {
        return skipped("fields_and_the_published_element_tree_are_the_same", "there is no tree");
    };
    let known: BTreeSet<String> = by_xml().into_keys().collect();
    let answer = tree.split_once("# Persoon.GeefPersoonDienst-02.02 response").unwrap().1;
    let (mut path, mut inner, mut published) = (Vec::<&str>::new(), BTreeSet::new(), BTreeSet::new());
    for line in answer.lines().skip(2).filter(|line| !line.trim().is_empty() && !line.contains("<choice>")) {
        let name = line.trim().split(' ').next().unwrap().trim_end_matches(['?', '+', '*']);
        path.truncate((line.len() - line.trim_start().len()) / 2 - 1);
        if !name.starts_with('@') {
            inner.insert(path.join("/"));
        }
        path.push(name);
        published.insert(path.join("/"));
    }
    let leaves: BTreeSet<_> = published.difference(&inner).cloned().collect();
    let missing: Vec<_> = leaves.difference(&known).collect();
    assert!(missing.is_empty() && leaves.len() > 500, "{} leaves; no field for {missing:#?}", leaves.len());
    // The other way round: shared messages have fields that not every place fills, but none is invented.
    let endings: BTreeSet<_> = leaves.iter().filter_map(|leaf| leaf.rsplit('/').next()).collect();
    // (The tree does not unfold the language of a code's text; the schema's type `Code` has it.)
    for path in known.iter().filter(|path| !path.ends_with("/Omschrijving/@Taal")) {
        assert!(endings.contains(path.rsplit('/').next().unwrap()), "{path}");
    }
}
