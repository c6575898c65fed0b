//! Every service that is asked over MAGDA against what the platform publishes of it, where that lies beside the
//! project: `MAGDA_CASES` names the folder of the official messages. No element is without a field, and no field invented.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, say that it was skipped, and look where the official messages are"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use quick_xml::events::Event;
use sluis::domain::vocabulary::{Method, Sensitivity, Vocabulary, rule};

/// The published element tree of a method's service, and the one element of the answer that the method is about, where
/// the service gives a choice.
const TREES: &[(&str, &str, &str)] = &[
    ("sluis.ksz.v1.ChildBenefitService.GetChildBenefits", "Gezin.GeefKindVoordelenDienst-02.01", ""),
    (
        "sluis.ksz.v1.DisabilityService.GetDisabilityFile",
        "SocZek.GeefDossierHandicapDienst-03.00",
        "ConsultFilesByDateResponse",
    ),
    (
        "sluis.ksz.v1.DisabilityService.GetDisabilityFileByPeriod",
        "SocZek.GeefDossierHandicapDienst-03.00",
        "ConsultFilesByPeriodResponse",
    ),
    ("sluis.ksz.v1.EmploymentService.GetEmploymentRelations", "Werk.GeefWerkrelatiesDienst-02.00", ""),
    ("sluis.ksz.v1.IncapacityService.GetIncapacity", "SocZek.GeefArbeidsongeschiktheidDienst-01.00", ""),
    ("sluis.ksz.v1.LivingWageService.GetLivingWageAmounts", "SocZek.GeefLeefloonbedragenDienst-02.00", ""),
    ("sluis.ksz.v1.LivingWageService.GetLivingWagePeriods", "SocZek.GeefLeefloonperiodesDienst-02.00", ""),
    ("sluis.ksz.v1.PensionService.GetPensionRights", "SocZek.GeefPensioenrechtenDienst-02.00", ""),
    ("sluis.ksz.v1.SocialStatusService.GetSocialStatuses", "SocZek.GeefSociaalStatuutDienst-03.00", ""),
    (
        "sluis.ksz.v1.UnemploymentService.GetUnemploymentBenefits",
        "SocZek.GeefVervangingsinkomenUitWerkloosheidDienst-02.01",
        "",
    ),
    ("sluis.rijksregister.v1.PersonService.GetPerson", "Persoon.GeefPersoonDienst-02.02", ""),
];

/// What answers hold beside their own schema: the language of a description, which is the one that was asked for.
fn is_apart(path: &str) -> bool {
    path.ends_with("/Omschrijving/@Taal")
}

fn official() -> Option<PathBuf> {
    let folder = std::env::var("MAGDA_CASES").ok().map(PathBuf::from).filter(|folder| folder.is_dir());
    if folder.is_none() {
        eprintln!("skipped: MAGDA_CASES names no folder of official messages");
    }
    folder
}

/// The ways to all values below a message, by where they stand in XML below `Inhoud`.
fn by_xml(message: &MessageDescriptor) -> BTreeMap<String, Vec<FieldDescriptor>> {
    let mut all = BTreeMap::new();
    let mut open: Vec<Vec<_>> = message.fields().map(|field| vec![field]).collect();
    while let Some(way) = open.pop() {
        if let Kind::Message(inner) = way.last().unwrap().kind() {
            open.extend(inner.fields().map(|field| [way.clone(), vec![field]].concat()));
            continue;
        }
        let name = way.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".");
        let step = |field: &FieldDescriptor| rule(field).xml.unwrap_or_else(|| panic!("{name}: no xml"));
        let steps: Vec<_> = way.iter().map(step).filter(|step| **step != *".").collect();
        assert!(all.insert(steps.join("/"), way).is_none(), "{name}: another field stands in the same place");
    }
    all
}

fn methods() -> Vec<(std::sync::Arc<Method>, &'static str, &'static str)> {
    let vocabulary = Vocabulary::embedded().unwrap();
    let magda: Vec<_> = vocabulary.methods().filter(|method| method.magda.is_some()).collect();
    assert_eq!(magda.len(), TREES.len(), "every method over MAGDA has its tree");
    let found = |(name, tree, branch): &(&str, _, _)| {
        (vocabulary.method_by_name(name).unwrap().clone(), *tree, *branch)
    };
    TREES.iter().map(found).collect()
}

/// Leaves of the answer in a tree: elements without elements in them, and attributes.
fn published(tree: &str, branch: &str) -> BTreeSet<String> {
    let answer = tree.split_once(" response (Antwoord/Inhoud)").unwrap().1;
    let (mut path, mut inner, mut all) = (Vec::<&str>::new(), BTreeSet::new(), BTreeSet::new());
    for line in answer.lines().skip(2).filter(|line| !line.trim().is_empty() && !line.contains("<choice>")) {
        let name = line.trim().split(' ').next().unwrap().trim_end_matches(['?', '+', '*']);
        path.truncate((line.len() - line.trim_start().len()) / 2 - 1);
        if !name.starts_with('@') {
            inner.insert(path.join("/"));
        }
        path.push(name);
        if path[0] == branch || branch.is_empty() {
            all.insert(path.join("/"));
        }
    }
    all.difference(&inner).cloned().collect()
}

#[test]
fn fields_and_the_published_element_trees_are_the_same() {
    let Some(cases) = official() else { return };
    for (method, tree, branch) in methods() {
        let tree = std::fs::read_to_string(cases.join(format!("../trees/{tree}.txt"))).unwrap();
        let leaves = published(&tree, branch);
        let known = by_xml(&method.output);
        assert!(leaves.len() > 5, "{}", method.name);
        // A tree may end where a schema goes on: then there are fields below the leaf.
        let below = |leaf: &String| known.keys().any(|path| path.starts_with(&format!("{leaf}/")));
        let missing: Vec<_> = leaves.iter().filter(|leaf| !known.contains_key(*leaf) && !below(leaf)).collect();
        assert!(missing.is_empty(), "{}: no field for {missing:#?}", method.name);
        let cut: Vec<_> = leaves.iter().filter(|leaf| !known.contains_key(*leaf)).collect();
        let ending = |path: &str| path.rsplit('/').next().unwrap().to_owned();
        let endings: BTreeSet<_> = leaves.iter().map(|leaf| ending(leaf)).collect();
        for path in known.keys() {
            // The trees leave the attributes of a simple text out.
            let text = path.strip_suffix("/@language").or(path.strip_suffix("/@Taal"));
            let told = text.is_some_and(|text| endings.contains(&ending(text)))
                || endings.contains(&ending(path))
                || cut.iter().any(|cut| path.starts_with(&***cut));
            assert!(told, "{}: {path} is in no tree", method.name);
        }
    }
}

#[test]
fn every_leaf_of_the_official_answers_has_a_field() {
    let Some(cases) = official() else { return };
    let mut answers = BTreeMap::<String, usize>::new();
    for (method, tree, branch) in methods() {
        let magda = method.magda.as_ref().unwrap();
        let domain = tree.split('.').next().unwrap();
        let folder = cases.join(format!("{domain}/{}/{}", magda.service, magda.version));
        let Ok(files) = folder.read_dir() else { continue };
        let known = by_xml(&method.output);
        for file in files {
            let file = file.unwrap().path();
            let leaves = leaves(&std::fs::read_to_string(&file).unwrap());
            let leaves = leaves.iter().filter(|leaf| branch.is_empty() || leaf.starts_with(branch));
            for leaf in leaves {
                *answers.entry(method.name.to_string()).or_default() += 1;
                assert!(known.contains_key(leaf) || is_apart(leaf), "{}: no field for {leaf}", file.display());
            }
        }
    }
    assert_eq!(answers.len(), 4, "{answers:?}");
}

/// Elements without elements in them, and attributes, by their path below `Inhoud`.
fn leaves(xml: &str) -> BTreeSet<String> {
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    let (mut path, mut leaves, mut leaf) = (Vec::<String>::new(), BTreeSet::new(), false);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                leaf = true;
                for attribute in start.attributes().map(Result::unwrap) {
                    let name = attribute.key.as_ref().to_owned();
                    if !name.starts_with("xmlns") {
                        leaves.extend(below_content(&path).map(|path| format!("{path}/@{name}")));
                    }
                }
            }
            Event::End(_) => {
                leaves.extend(below_content(&path).filter(|_| leaf));
                path.pop();
                leaf = false;
            }
            Event::Eof => return leaves,
            _ => {}
        }
    }
}

fn below_content(path: &[String]) -> Option<String> {
    let content = path.iter().position(|element| element == "Inhoud")?;
    path.get(content + 1..).filter(|rest| !rest.is_empty()).map(|rest| rest.join("/"))
}

/// Whether any field on the way is of that sensitivity.
fn covered(way: &[FieldDescriptor], by: Sensitivity) -> bool {
    way.iter().any(|field| rule(field).sensitivity == by)
}

#[test]
fn what_names_places_heals_or_tells_freely_is_marked_in_every_service() {
    for (method, ..) in methods().iter().filter(|(method, ..)| &*method.source == "ksz") {
        for (xml, way) in by_xml(&method.output) {
            let last = xml.rsplit('/').next().unwrap();
            let place = format!("{}: {xml}", method.name);
            let whose =
                way.iter().any(|field| rule(field).subject || rule(field).party || rule(field).third_person);
            if ["INSZ", "ssin", "Begunstigde", "Rechthebbende", "@replacedBy"].contains(&last) {
                assert!(covered(&way, Sensitivity::Identifier), "{place}");
                assert!(whose || last == "@replacedBy", "{place}: whose number is it?");
            }
            if ["Partner", "Begunstigde", "Kind"].iter().any(|third| xml.split('/').any(|step| step == *third))
            {
                assert!(way.iter().any(|field| rule(field).third_person), "{place}");
            }
            if ["fieldValue", "description"].contains(&last)
                || xml.ends_with("Detail/Waarde")
                || xml.ends_with("Informatie/Waarde")
            {
                assert!(covered(&way, Sensitivity::FreeText), "{place}");
            }
            if ["Adres", "address"].iter().any(|address| xml.split('/').any(|step| step == *address)) {
                assert!(covered(&way, Sensitivity::Address), "{place}");
            }
            if ["results", "attest", "SociaalStatuut"]
                .iter()
                .any(|part| xml.split('/').any(|step| step == *part))
            {
                assert!(covered(&way, Sensitivity::Special), "{place}");
            }
        }
    }
}
