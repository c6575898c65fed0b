//! Answers of the Crossroads Bank's services: a value for everything that their descriptors know, and what may leave of it.

use prost_reflect::{FieldDescriptor, Kind};
use sluis::cli::protocol;
use sluis::config::Config;
use sluis::domain::catalogue::Catalogue;
use sluis::domain::vocabulary::{Fact, Method, Vocabulary, rule, xml_value};

use crate::support::document::Dom;
use crate::support::flock::birds;
use crate::support::reader::specimen;
use crate::support::source::Saying;
use crate::support::{Ask, PIETER};
use crate::{Cage, leave};

/// The request beside the number, for each method that an instrument opens.
const REQUESTS: &[(&str, &str)] = &[
    ("GetSocialStatuses", "statuses: {name: 'BIM_BVT' date: '2026-01-01'}"),
    ("GetLivingWageAmounts", "year: 2023"),
    ("GetLivingWagePeriods", "begin: '2023-01-01'"),
    ("GetDisabilityFile", "reference_date: '2026-01-01'"),
    ("GetPensionRights", "begin: '2023-01-01' end: '2023-12-31' pillar: 1"),
    ("GetUnemploymentBenefits", "paid_sums: {begin: '2023-01' end: '2023-12' limited: false}"),
    ("GetIncapacity", "year_quarter: '2023Q4'"),
    ("GetEmploymentRelations", "begin: '2023-01-01'"),
    ("GetChildBenefits", "begin: '2023-01'"),
];

/// The text of a field that is no canary.
fn plain(field: &FieldDescriptor) -> Option<String> {
    let rule = rule(field);
    match (rule.fact, field.kind()) {
        (Some(Fact::Status), _) => Some("DATA_FOUND".into()),
        (Some(Fact::StatusCode), _) => Some("MSG00000".into()),
        // Whether it leaves is seen as well as of a canary.
        _ if rule.subject || rule.party => Some(PIETER.into()),
        (_, Kind::Enum(list)) => list.values().find_map(|code| xml_value(&code)).map(Into::into),
        (_, Kind::String) => None,
        _ => Some("1".into()),
    }
}

fn reply(method: &Method, content: &Dom) -> String {
    let magda = method.magda.as_ref().unwrap();
    format!(
        "<q:{0}Response xmlns:q='{1}'><Repliek><Antwoorden><Antwoord>{2}</Antwoord></Antwoorden></Repliek></q:{0}Response>",
        magda.service,
        magda.namespace,
        content.write()
    )
}

#[tokio::test]
async fn of_each_services_answer_exactly_the_granted_canaries_leave() {
    let mut cage = Cage::start("canary-ksz").await;
    let caller = cage.caller("ocmw-leuven").await;
    let vocabulary = Vocabulary::embedded().unwrap();
    let files = protocol::load(&Config::read(&cage.setting.config()).unwrap().protocols).unwrap();
    let catalogue = Catalogue::compile(&files, &vocabulary);
    let mut seen = 0;
    for grant in catalogue.instruments().flat_map(|one| &one.grants).filter(|one| &*one.method.source == "ksz")
    {
        let method = &grant.method;
        let (_, request) =
            REQUESTS.iter().find(|(name, _)| method.name.ends_with(&format!(".{name}"))).unwrap();
        let text = format!("insz: '{PIETER}' {request}");
        let request = prost_reflect::DynamicMessage::parse_text_format(method.input.clone(), &text).unwrap();
        let request = prost::Message::encode_to_vec(&request);
        let paths: Vec<&str> = grant.answer.paths().iter().map(|path| &**path).collect();
        let opens =
            |path: &str| paths.iter().any(|grant| path == *grant || path.starts_with(&format!("{grant}.")));
        let mut granted = Vec::new();
        let content = specimen(&method.output, &mut |path, field| {
            plain(field).unwrap_or_else(|| {
                let bird = cage.flock.next();
                granted.extend(opens(path).then(|| bird.clone()));
                bird
            })
        });
        assert!(birds(content.write().as_bytes()).len() > granted.len() + 3, "{}: most stay in", method.name);
        cage.magda.say(Saying::soap(&reply(method, &content)));
        let ask = Ask {
            who: "ocmw-leuven",
            method: &method.path,
            subject: PIETER,
            protocol: &grant.protocol,
            purpose: &grant.purpose,
            ..Ask::default()
        };
        let whole = cage.ask(&caller, &ask, &request).await;
        assert_eq!(whole.outcome(), "RELEASED", "{}", method.name);
        seen += granted.len();
        // The person's own number is among the children, of whom the inquiry may know.
        let known: &[&str] = if opens("files.children.insz") { &[PIETER] } else { &[] };
        leave(&whole, granted.into_iter(), known);
    }
    assert!(seen > 40, "{seen}");
    cage.silent().await;
}
