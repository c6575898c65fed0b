//! Exchanges with the Crossroads Bank as the sandbox plays it: what each instrument lets through of synthetic people, and how
//! its faults end.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod support;

use prost::Message as _;
use prost_reflect::DynamicMessage;
use sluis::proto::audit::Kind;
use sluis::sandbox::Trouble;
use support::{Ask, NOBODY, PIETER, STATUSES, World};

const SOFIE: &str = "90662732454";
const THOMAS: &str = "93670835581";
const ELISE: &str = "94721736056";
const INGE: &str = "72620257649";
const GREET: &str = "61630346897";

const AMOUNTS: &str = "/sluis.ksz.v1.LivingWageService/GetLivingWageAmounts";
const PERIODS: &str = "/sluis.ksz.v1.LivingWageService/GetLivingWagePeriods";
const FILES: &str = "/sluis.ksz.v1.DisabilityService/GetDisabilityFile";

/// Asks the sandbox; the answer as text, or the reason. And the index of the entry.
async fn ask(world: &World, method: &str, subject: &str, request: &str) -> (String, u64) {
    let (protocol, purpose) = match method {
        STATUSES => ("ksz-gss-leuven", "automatic-grant"),
        _ => ("ksz-inquiry-leuven", "social-inquiry"),
    };
    let ask = Ask { who: "ocmw-leuven", method, subject, protocol, purpose, ..Ask::default() };
    let known = world.vocabulary.method(method).unwrap();
    let text = format!("insz: '{subject}' {request}");
    let request = DynamicMessage::parse_text_format(known.input.clone(), &text).unwrap().encode_to_vec();
    let client = world.client(ask.who);
    match client.call(method, &world.token(ask.who), &ask.metadata(), &request).await {
        Ok(reply) => (world.answer(method, &reply).to_string(), reply.log_index.unwrap()),
        Err(refusal) => (refusal.reason.clone().unwrap_or_default(), refusal.log_index.unwrap()),
    }
}

const BOTH: &str = "statuses: {name: 'BIM_BVT' date: '2026-01-15'} statuses: {name: 'LIVING_WAGES_PCSA_HELP' date: '2026-01-15'}";

#[tokio::test]
async fn a_status_is_yes_or_no_and_until_when() {
    let world = World::start("statuses").await;
    let (answer, index) = ask(&world, STATUSES, SOFIE, BOTH).await;
    assert_eq!(
        answer,
        "person{statuses:[{name:\"BIM_BVT\",result_code:\"1\",periods:[{begin:\"2025-01-01\",end:\"2026-12-31\"}]},\
         {name:\"LIVING_WAGES_PCSA_HELP\",result_code:\"1\",periods:[{begin:\"2025-04-01\"}]}]}"
    );
    let entry = world.entry(index).await;
    assert_eq!((entry.kind, &*entry.subject_returned), (Kind::Released as i32, SOFIE));
    assert!(entry.fields_released.contains(&"person.statuses.result_code".to_owned()));
    let (answer, _) = ask(&world, STATUSES, PIETER, BOTH).await;
    assert_eq!(
        answer,
        "person{statuses:[{name:\"BIM_BVT\",result_code:\"0\"},{name:\"LIVING_WAGES_PCSA_HELP\",result_code:\"0\"}]}"
    );
    assert_eq!(ask(&world, STATUSES, NOBODY, BOTH).await.0, "");
    // What the status depends on besides is not declared.
    let more = "statuses: {name: 'BIM_BVT' date: '2026-01-15' age: {minimum: 18}}";
    assert_eq!(ask(&world, STATUSES, SOFIE, more).await.0, "FIELDS_NOT_COVERED");
    world.verify().await;
}

#[tokio::test]
async fn a_living_wage_is_told_without_the_partner() {
    let world = World::start("living-wage").await;
    let whole = ask(&world, AMOUNTS, SOFIE, "year: 2025").await.0;
    assert!(whole.contains("amount:\"15697.80\"") && whole.matches("year_month:").count() == 9, "{whole}");
    for (subject, other) in [(THOMAS, ELISE), (ELISE, THOMAS)] {
        let (answer, index) = ask(&world, AMOUNTS, subject, "year: 2025").await;
        // Of a month, not how much: that may be the other's.
        assert!(answer.contains("amount:\"10465.20\"") && !answer.contains("872.10"), "{answer}");
        assert!(!answer.contains(other), "{answer}");
        assert_eq!(world.entry(index).await.subject_returned, subject);
    }
    // A year without payment names nobody.
    let (answer, index) = ask(&world, AMOUNTS, PIETER, "year: 2025 years_back: 2").await;
    assert_eq!(
        answer,
        "years:[{year:\"2023\",paid:false},{year:\"2024\",paid:false},{year:\"2025\",paid:false}]"
    );
    assert_eq!(world.entry(index).await.subject_returned, "");
    let (answer, _) = ask(&world, PERIODS, SOFIE, "begin: '2025-01-01'").await;
    assert!(answer.contains("ocmw_enterprise_number:\"0212165526\"") && !answer.contains("insz"), "{answer}");
    assert_eq!(ask(&world, PERIODS, PIETER, "begin: '2025-01-01'").await.0, "", "no data is an answer");
}

#[tokio::test]
async fn a_disability_file_holds_the_parts_that_are_granted() {
    let world = World::start("disability").await;
    let day = "reference_date: '2026-01-15'";
    let (answer, _) = ask(&world, FILES, INGE, day).await;
    for part in [
        "total_points:12",
        "month_amount:\"618.45\"",
        "income_category:INCOME_CATEGORY_B",
        "vsb{status{value:\"NO_DATA_FOUND\"}}",
    ] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    assert!(!answer.contains("card") && !answer.contains("legislation"), "{answer}");
    let (partial, index) = ask(&world, FILES, GREET, day).await;
    assert!(partial.contains("total_points:9") && partial.contains("TECHNICAL_ERROR"), "{partial}");
    assert_eq!(world.entry(index).await.kind, Kind::Released as i32, "a part is an answer");
    assert_eq!(ask(&world, FILES, PIETER, day).await.0, "", "no file is an answer");
}

#[tokio::test]
async fn its_faults_end_as_those_of_any_source() {
    let world = World::start("ksz-faults").await;
    for (trouble, reason) in [
        (Trouble::NotInscribed, "SUBJECT_NOT_REGISTERED"),
        (Trouble::AccessRefused, "SOURCE_REFUSED"),
        (Trouble::Unavailable, "SOURCE_UNAVAILABLE"),
        (Trouble::Throttled, "SOURCE_THROTTLED"),
        (Trouble::SomeoneElse, "SOURCE_ANSWER_INVALID"),
        (Trouble::TwoPeople, "SOURCE_ANSWER_INVALID"),
        (Trouble::Truncated, "SOURCE_ANSWER_INVALID"),
        (Trouble::Expansion, "SOURCE_ANSWER_INVALID"),
    ] {
        let (outcome, index) = ask(&world, STATUSES, trouble.insz(), BOTH).await;
        assert_eq!(outcome, reason, "{trouble:?}");
        assert_eq!(world.entry(index).await.outcome, reason, "{trouble:?}");
    }
    let (answer, _) = ask(&world, STATUSES, Trouble::Undeclared.insz(), BOTH).await;
    assert!(answer.starts_with("person{statuses:["), "{answer}");
    assert!(!answer.contains(sluis::sandbox::UNDECLARED), "{answer}");
}
