//! What a file's text makes: an instrument, or all that is wrong with it.

mod faults;

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::domain::vocabulary::{FieldRule, Sensitivity, Vocabulary};

/// Without a fault. Lines are counted from 1 at `id`.
const SOUND: &str = r#"id = "example"
version = "1"
kind = "protocol"
text = "authored"

[title]
nl = "Voorbeeld"
en = "Example"

[validity]
from = 2025-01-01
until = 2025-12-31

[[party]]
name = "source"
title = "A source"
kbo = "0999999823"

[[party]]
name = "city"
title = "A city"
kbo = "0207521503"
[[purpose]]
id = "follow-up"
legal_basis = "A law"
title = { nl = "Opvolging", en = "Follow-up" }

[[flow]]
from = ["source"]
to = ["city"]
method = "sandbox.housing.v1.HousingService.GetHousingFile"
purpose = "follow-up"
article = "art. 3"
justification = "Because."
request = ["insz"]
answer = ["file.status", "file.address"]
descriptors = "HOUSING"

[[provenance]]
block = "all"
mark = "illustrative"
source = "A test"
"#;

const HOUSING: &str = "sandbox.housing.v1.HousingService.GetHousingFile";
const PERSON: &str = "sluis.rijksregister.v1.PersonService.GetPerson";
const ISOLATION: &str = "sluis.zorg.v1.IsolationService.GetIsolation";

fn vocabulary() -> &'static Vocabulary {
    static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::embedded().unwrap());
    &VOCABULARY
}

fn pin(vocabulary: &Vocabulary, method: &str) -> String {
    sha256_text(&vocabulary.method_by_name(method).unwrap().descriptor_hash)
}

fn sound(vocabulary: &Vocabulary) -> String {
    SOUND.replace("HOUSING", &pin(vocabulary, HOUSING))
}

fn errors(text: &str, vocabulary: &Vocabulary) -> Vec<String> {
    let errors = read("x.toml", text, vocabulary).map_or_else(|broken| broken.errors, |_| Vec::new());
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_sound_file_becomes_an_instrument_with_its_grants() {
    let vocabulary = vocabulary();
    let instrument = read("x.toml", &sound(vocabulary), vocabulary).unwrap();
    assert_eq!((&*instrument.id, &*instrument.version), ("example", "1"));
    let path = "/sandbox.housing.v1.HousingService/GetHousingFile";
    let grant = instrument.grant("follow-up", path).unwrap();
    assert_eq!(&*grant.protocol, "example");
    assert_eq!(grant.content_hash, instrument.content_hash);
    assert_eq!((&*grant.article, &*grant.legal_basis), ("art. 3", "A law"));
    assert_eq!(&*grant.fields_text, "file.status\nfile.address");
    let kbo = "0207521503".parse().unwrap();
    assert!(grant.is_recipient(PartyKey { kbo, ovo: None }));
    let other = "OVO000001".parse().unwrap();
    assert!(!grant.is_recipient(PartyKey { kbo, ovo: Some(other) }));
    assert!(grant.request.covers("insz") && !grant.request.covers("reference_date"));
    assert!(grant.answer.covers("file.address.street"));
    assert!(!grant.answer.covers("file.landlord.name"));
    assert!(instrument.grant("follow-up", "/sluis.rijksregister.v1.PersonService/GetPerson").is_none());
    assert!(instrument.grant("other", path).is_none());
}

#[test]
fn all_faults_of_a_file_are_told_at_once_in_its_order() {
    let vocabulary = vocabulary();
    let text = sound(vocabulary)
        .replace("kind = \"protocol\"", "kind = \"treaty\"")
        .replace("0207521503", "0207521504")
        .replace("file.status", "file.remarks\", \"file.nothing")
        .replace("purpose = \"follow-up\"", "purpose = \"x\"");
    let lines: Vec<_> =
        read("x.toml", &text, vocabulary).unwrap_err().errors.iter().map(|one| one.line).collect();
    assert_eq!(lines, [Some(3), Some(22), Some(32), Some(36), Some(36)]);
}

#[test]
fn a_missing_pin_is_told_with_the_line_to_add() {
    let vocabulary = vocabulary();
    let line = format!("descriptors = \"{}\"", pin(vocabulary, HOUSING));
    let text = sound(vocabulary).replace(&line, "");
    assert_eq!(
        errors(&text, vocabulary),
        [format!("x.toml:28: flow lacks the key `descriptors`: write {line}")]
    );
}

#[test]
fn addresses_of_a_source_without_a_flag_need_a_permission_of_their_own() {
    let vocabulary = vocabulary();
    let text = sound(vocabulary)
        .replace(HOUSING, ISOLATION)
        .replace(&pin(vocabulary, HOUSING), &pin(vocabulary, ISOLATION))
        .replace("\"file.status\", \"file.address\"", "\"isolation.address.street\"");
    let needs = |word| {
        format!(
            "x.toml:36: \"isolation.address.street\" needs the permission `{word}`: leave it out, or add \"{word}\" to `permissions`"
        )
    };
    assert_eq!(errors(&text, vocabulary), [needs("special_categories"), needs("unflagged_address")]);
    let text =
        text.replace("request =", "permissions = [\"special_categories\", \"unflagged_address\"]\nrequest =");
    let ground = "x.toml:35: `special_categories` needs a ground (GDPR art. 9(2), art. 10): add `special_ground` to purpose `follow-up`";
    assert_eq!(errors(&text, vocabulary), [ground]);
    let text = text.replace("legal_basis =", "special_ground = \"GDPR art. 9(2)(i)\"\nlegal_basis =");
    assert_eq!(errors(&text, vocabulary), [""; 0]);
}

#[test]
fn a_protected_address_can_be_granted() {
    let vocabulary = vocabulary();
    let text = sound(vocabulary)
        .replace("\"file.status\", \"file.address\"", "\"file.address\", \"file.address_protection\"")
        .replace("request =", "permissions = [\"protected_address\"]\nrequest =");
    let instrument = read("x.toml", &text, vocabulary).unwrap();
    assert!(instrument.grants[0].answer.covers("file.address_protection"));
    assert!(instrument.grants[0].permissions.contains(Permission::ProtectedAddress));
}

/// The register's flag is about the data subject's own address.
#[test]
fn a_third_persons_address_counts_as_unflagged() {
    let vocabulary = vocabulary();
    let text = sound(vocabulary)
        .replace(HOUSING, PERSON)
        .replace(&pin(vocabulary, HOUSING), &pin(vocabulary, PERSON))
        .replace("\"file.status\", \"file.address\"", "\"person.shared_residences.insz\"");
    let text = format!("{text}[upstream]\nmagda_identification = \"a.be/b/c-aip\"\n");
    let needs = |word| {
        format!(
            "x.toml:36: \"person.shared_residences.insz\" needs the permission `{word}`: leave it out, or add \"{word}\" to `permissions`"
        )
    };
    assert_eq!(errors(&text, vocabulary), [needs("third_persons"), needs("unflagged_address")]);
}

#[test]
fn a_source_over_magda_needs_its_identification_per_purpose() {
    let vocabulary = vocabulary();
    let text = sound(vocabulary)
        .replace(HOUSING, PERSON)
        .replace(&pin(vocabulary, HOUSING), &pin(vocabulary, PERSON))
        .replace("\"file.status\", \"file.address\"", "\"person.name\"");
    let fault = "x.toml:31: sluis.rijksregister.v1.PersonService.GetPerson is asked over MAGDA: purpose `follow-up` needs `magda_identification` in its `upstream`";
    assert_eq!(errors(&text, vocabulary), [fault]);
    let upstream = "[upstream]\nmagda_identification = \"a.be/b/c-aip\"\nmagda_quality_code = \"601\"\n";
    let whole = format!("{text}\n{upstream}");
    let instrument = read("x.toml", &whole, vocabulary).unwrap();
    assert_eq!(instrument.grants[0].upstream.magda_identification.as_deref(), Some("a.be/b/c-aip"));
    let own =
        whole.replace("[[flow]]", "[purpose.upstream]\nmagda_identification = \"a.be/b/d-aip\"\n[[flow]]");
    let instrument = read("x.toml", &own, vocabulary).unwrap();
    let upstream = &instrument.grants[0].upstream;
    assert_eq!(upstream.magda_identification.as_deref(), Some("a.be/b/d-aip"));
    assert_eq!(upstream.magda_quality_code.as_deref(), Some("601"));
    let bad = whole.replace("a.be/b/c-aip", "a.be/<b>");
    assert!(errors(&bad, vocabulary)[0].contains("`magda_identification` is 1 to 120 of letters"));
}

#[test]
fn two_flows_never_merge() {
    let vocabulary = vocabulary();
    let text = sound(vocabulary);
    let flow = &text[text.find("[[flow]]").unwrap()..text.find("[[provenance]]").unwrap()];
    let twice = text.replace(flow, &format!("{flow}{flow}"));
    let fault = "a second flow opens this method for this purpose: give each its own purpose";
    assert_eq!(errors(&twice, vocabulary), [format!("x.toml:43: {fault}")]);
}

#[test]
fn the_content_hash_is_of_what_is_said_not_of_how() {
    let vocabulary = vocabulary();
    let text = sound(vocabulary);
    let hash = |text: &str| read("x.toml", text, vocabulary).unwrap().content_hash;
    let moved = text
        .replace("id = \"example\"\nversion = \"1\"\n", "version = '1' # first\nid = \"\"\"example\"\"\"\n");
    assert_eq!(hash(&moved), hash(&text));
    assert_ne!(hash(&text.replace("Because.", "Because!")), hash(&text));
    assert_ne!(hash(&text.replace("2025-12-31", "2025-12-30")), hash(&text));
    let turned = text.replace("\"file.status\", \"file.address\"", "\"file.address\", \"file.status\"");
    assert_ne!(hash(&turned), hash(&text), "the order of a list counts");
}

#[test]
fn a_broken_file_still_tells_what_it_is() {
    let vocabulary = vocabulary();
    let text = sound(vocabulary).replace("version = \"1\"", "version = \"1\"\nsupersedes = [\"older\"]");
    for (right, wrong) in [("Because.", ""), ("[[provenance]]", "[[provenance]")] {
        let broken = read("x.toml", &text.replace(right, wrong), vocabulary).unwrap_err();
        assert_eq!(broken.id.as_deref(), Some("example"), "{wrong}");
        assert_eq!(broken.version.as_deref(), Some("1"));
        assert_eq!(broken.supersedes, ["older".into()]);
        assert_eq!(broken.validity.unwrap().from, "2025-01-01".parse().unwrap());
    }
}

#[test]
fn each_kind_of_data_needs_its_own_word() {
    let rule = |sensitivity, third_person, history| FieldRule {
        subject: false,
        sensitivity,
        third_person,
        history,
        information_types: Vec::new(),
        law_article: None,
        xml: None,
        fact: None,
        party: false,
        among: false,
    };
    for (sensitivity, word) in [
        (Sensitivity::Ordinary, None),
        (Sensitivity::Identifier, None),
        (Sensitivity::Address, None),
        (Sensitivity::ProtectedAddress, Some("protected_address")),
        (Sensitivity::Special, Some("special_categories")),
        (Sensitivity::Judicial, Some("judicial")),
        (Sensitivity::Photo, Some("photos")),
        (Sensitivity::FreeText, Some("free_text")),
    ] {
        let words = |permissions: Permissions| permissions.iter().map(Permission::name).collect::<Vec<_>>();
        let alone = words(permission::needed(&rule(sensitivity, false, false)));
        assert_eq!(alone, word.into_iter().collect::<Vec<_>>());
        let all = words(permission::needed(&rule(sensitivity, true, true)));
        assert_eq!(&all[..2], ["third_persons", "history"]);
        assert_eq!(&all[2..], alone);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_makes_the_reader_panic(cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[\\[\\]{}=\"'#.,a-z0-9 \n\\\\-]{0,6}"), 1..4)) {
        let vocabulary = vocabulary();
        let mut text = sound(vocabulary);
        for (at, length, instead) in cuts {
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            text.replace_range(at..end, &instead);
        }
        for error in errors(&text, vocabulary) {
            prop_assert!(error.starts_with("x.toml:"), "{}", error);
        }
    }
}
