//! Which instrument is in force, told by the published files themselves.

use std::sync::LazyLock;

use super::*;

const FILES: [(&str, &str); 7] = [
    ("protocols/covid19-diest.toml", include_str!("../../../protocols/covid19-diest.toml")),
    ("protocols/housing-sandbox.toml", include_str!("../../../protocols/housing-sandbox.toml")),
    ("protocols/rr-28-2009.toml", include_str!("../../../protocols/rr-28-2009.toml")),
    ("protocols/rr-9-2020.toml", include_str!("../../../protocols/rr-9-2020.toml")),
    ("protocols/rr-leuven.toml", include_str!("../../../protocols/rr-leuven.toml")),
    ("protocols/ksz-gss-leuven.toml", include_str!("../../../protocols/ksz-gss-leuven.toml")),
    ("protocols/ksz-inquiry-leuven.toml", include_str!("../../../protocols/ksz-inquiry-leuven.toml")),
];
const PERSON: &str = "/sluis.rijksregister.v1.PersonService/GetPerson";
const HOUSING: &str = "/sandbox.housing.v1.HousingService/GetHousingFile";

fn vocabulary() -> &'static Vocabulary {
    static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::embedded().unwrap());
    &VOCABULARY
}

fn published() -> Catalogue {
    Catalogue::compile(&FILES, vocabulary())
}

/// The published files, one of them changed.
fn changed(file: &str, right: &str, wrong: &str) -> Catalogue {
    let change = |(name, text): (&'static str, &'static str)| {
        assert!(!name.contains(file) || text.contains(right), "{name} does not hold {right}");
        (name, if name.contains(file) { text.replace(right, wrong) } else { text.to_owned() })
    };
    Catalogue::compile(&FILES.map(change), vocabulary())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn judge(catalogue: &Catalogue, id: &str, now: &str) -> Result<Box<str>, NotInForce> {
    let version = catalogue.protocol(id).unwrap().in_force(at(now));
    version.map(|one| one.version.clone())
}

#[test]
fn the_published_files_are_sound() {
    let catalogue = published();
    let errors = catalogue.broken().iter().flat_map(|broken| &broken.errors).chain(catalogue.remarks());
    assert_eq!(errors.map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    for (file, _) in FILES {
        let id = file.trim_start_matches("protocols/").trim_end_matches(".toml");
        assert!(catalogue.protocol(id).is_some(), "a file is named after its id: {file}");
    }
}

#[test]
fn two_purposes_open_two_field_sets_and_two_requests() {
    let catalogue = published();
    let leuven = catalogue.protocol("rr-leuven").unwrap().in_force(at("2026-11-22T12:00:00Z")).unwrap();
    let parking = leuven.grant("parking-offender", PERSON).unwrap();
    let attest = leuven.grant("attest", PERSON).unwrap();
    for (path, in_parking, in_attest) in [
        ("person.name.last_names", true, true),
        ("person.main_residence.street_name.text", true, true),
        ("person.civil_states.code", false, true),
        ("person.reference_person.position.code", false, true),
        ("person.reference_person.insz", false, false),
        ("person.reference_person.name", false, false),
        ("person.civil_states.partner", false, false),
        ("person.household_members", false, false),
        ("person.insz", false, false),
        ("person.nationalities", false, false),
    ] {
        assert_eq!(
            (parking.answer.covers(path), attest.answer.covers(path)),
            (in_parking, in_attest),
            "{path}"
        );
    }
    assert!(attest.request.covers("language") && !parking.request.covers("language"));
    assert_ne!(parking.upstream, attest.upstream);
    assert_eq!(parking.recipients.len(), 2, "city and OCMW are two controllers");

    let housing = catalogue.protocol("housing-sandbox").unwrap().in_force(at("2026-11-22T12:00:00Z")).unwrap();
    let rent = housing.grant("rent-subsidy-followup", HOUSING).unwrap();
    let quality = housing.grant("dwelling-quality", HOUSING).unwrap();
    assert!(rent.request.covers("reference_date") && !quality.request.covers("reference_date"));
    assert!(!rent.answer.covers("file.remarks") && !rent.answer.covers("file.landlord"));
    assert_ne!(rent.recipients, quality.recipients);
}

/// RR 28/2009 opened art. 3, 1°, 2° and 5°; decision 9/2020 took that away.
#[test]
fn the_narrower_successor_closes_what_the_old_one_opened() {
    let catalogue = published();
    let (last, first) = ("2020-02-09T22:59:59.999999Z", "2020-02-09T23:00:00Z");
    let old = catalogue.protocol("rr-28-2009").unwrap();
    let grant = old.in_force(at(last)).unwrap().grant("library-members", PERSON).unwrap();
    for path in
        ["person.insz", "person.name.last_names", "person.birth.date", "person.main_residence.postal_code"]
    {
        assert!(grant.answer.covers(path), "{path}");
    }
    let superseded = NotInForce::Superseded { by: "rr-9-2020".into(), from: Some(date("2020-02-10")) };
    for now in [first, "2026-11-22T12:00:00Z"] {
        assert_eq!(judge(&catalogue, "rr-28-2009", now), Err(superseded.clone()));
        let new = catalogue.protocol("rr-9-2020").unwrap().in_force(at(now)).unwrap();
        assert!(new.purpose("library-members").is_some() && new.grants.is_empty(), "it opens nothing");
    }
    assert_eq!(superseded.to_string(), "superseded by rr-9-2020 from 2020-02-10");
    assert_eq!(judge(&catalogue, "rr-9-2020", last), Err(NotInForce::NotYet(date("2020-02-10"))));
}

#[test]
fn a_successor_closes_for_ever_and_even_when_its_file_is_broken() {
    let now = "2026-11-22T12:00:00Z";
    let by = || Box::from("rr-9-2020");
    let from = Some(date("2020-02-10"));

    let ended = changed("rr-9-2020", "from = 2020-02-10", "from = 2020-02-10\nuntil = 2020-12-31");
    assert_eq!(judge(&ended, "rr-9-2020", now), Err(NotInForce::Expired(date("2020-12-31"))));
    assert_eq!(judge(&ended, "rr-28-2009", now), Err(NotInForce::Superseded { by: by(), from }));

    let faulty = changed("rr-9-2020", "number = \"9/2020\"", "nummer = \"9/2020\"");
    assert_eq!(faulty.broken().len(), 1);
    assert_eq!(faulty.broken()[0].errors[0].line, Some(16));
    assert_eq!(judge(&faulty, "rr-9-2020", now), Err(NotInForce::Broken));
    assert_eq!(judge(&faulty, "rr-28-2009", now), Err(NotInForce::Superseded { by: by(), from }));
    assert!(judge(&faulty, "rr-28-2009", "2019-01-01T00:00:00Z").is_ok());
    assert!(judge(&faulty, "rr-leuven", now).is_ok(), "others work on");

    let undated = changed("rr-9-2020", "from = 2020-02-10", "from = \"soon\"");
    let closed = Err(NotInForce::Superseded { by: by(), from: None });
    assert_eq!(judge(&undated, "rr-28-2009", "2019-01-01T00:00:00Z"), closed);
}

#[test]
fn an_expired_protocol_tells_its_last_day_and_a_coming_one_its_first() {
    let catalogue = published();
    for (now, expected) in [
        ("2021-01-11T22:59:59Z", Err(NotInForce::NotYet(date("2021-01-12")))),
        ("2021-01-11T23:00:00Z", Ok("1".into())),
        ("2022-03-11T22:59:59Z", Ok("1".into())),
        ("2022-03-11T23:00:00Z", Err(NotInForce::Expired(date("2022-03-11")))),
    ] {
        assert_eq!(judge(&catalogue, "covid19-diest", now), expected, "{now}");
    }
    assert!(catalogue.protocol("covid19-leuven").is_none());
}

/// The housing protocol with a second version, changed as told.
fn with_second_version(changes: &[(&str, &str)]) -> Catalogue {
    let mut second =
        FILES[1].1.replace("version = \"1\"", "version = \"2\"").replace("2025-01-01", "2026-07-01");
    for (right, wrong) in changes {
        assert!(second.contains(right), "{right}");
        second = second.replace(right, wrong);
    }
    Catalogue::compile(&[(FILES[1].0, FILES[1].1), ("second.toml", second.as_str())], vocabulary())
}

#[test]
fn of_several_versions_the_one_that_began_last_counts() {
    let (before, after) = ("2026-06-30T21:59:59Z", "2026-06-30T22:00:00Z");
    let both = with_second_version(&[]);
    assert_eq!(judge(&both, "housing-sandbox", before), Ok("1".into()));
    assert_eq!(judge(&both, "housing-sandbox", after), Ok("2".into()));
    assert_eq!(both.protocol("housing-sandbox").unwrap().versions().len(), 2);

    let ended = with_second_version(&[("from = 2026-07-01", "from = 2026-07-01\nuntil = 2026-07-31")]);
    assert_eq!(judge(&ended, "housing-sandbox", "2026-08-01T12:00:00Z"), Ok("1".into()));

    let faulty = with_second_version(&[("kind =", "kin =")]);
    assert_eq!(judge(&faulty, "housing-sandbox", before), Ok("1".into()));
    assert_eq!(judge(&faulty, "housing-sandbox", after), Err(NotInForce::Broken), "not back to version 1");

    let undated = with_second_version(&[("from = 2026-07-01", "")]);
    assert_eq!(judge(&undated, "housing-sandbox", before), Err(NotInForce::Broken));
}

#[test]
fn files_that_contradict_each_other_are_both_broken() {
    for change in [("version = \"2\"", "version = \"1\""), ("2026-07-01", "2025-01-01")] {
        let catalogue = with_second_version(&[change]);
        let shown: Vec<_> = catalogue.broken().iter().map(|broken| broken.errors[0].to_string()).collect();
        assert_eq!(shown.len(), 2);
        assert_eq!(
            shown[0],
            "protocols/housing-sandbox.toml: second.toml is also a file of `housing-sandbox`, with this version or this first day: give the later one its own"
        );
        assert_eq!(judge(&catalogue, "housing-sandbox", "2026-11-22T12:00:00Z"), Err(NotInForce::Broken));
    }
}

#[test]
fn to_supersede_what_is_not_there_is_remarked() {
    let catalogue = changed("rr-9-2020", "[\"rr-28-2009\"]", "[\"rr-28-2010\"]");
    let remarks: Vec<_> = catalogue.remarks().iter().map(ToString::to_string).collect();
    assert_eq!(
        remarks,
        ["protocols/rr-9-2020.toml: it supersedes `rr-28-2010`, which no file here has as its id"]
    );
}

#[test]
fn the_catalogue_hash_is_of_the_contents_not_of_their_order() {
    let mut turned = FILES;
    turned.reverse();
    assert_eq!(Catalogue::compile(&turned, vocabulary()).hash(), published().hash());
    assert_ne!(Catalogue::compile(&FILES[1..], vocabulary()).hash(), published().hash());
}
