//! What the bytes of a response, their number and their absence can tell: what is withheld looks like what is absent,
//! sizes have a limit in each direction, and an answer is about the person asked for or their announced replacement.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod support;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use sluis::proto::audit::{Kind, ListDisclosuresRequest};
use support::caller::{Caller, Whole};
use support::child::Gateway;
use support::document::answer;
use support::source::Saying;
use support::stage::{Stage, ask_as, scripted};
use support::{Ask, Folder, HOUSING, NOBODY, PIETER, REPLACED, REPLACEMENT, World};

/// A file with a name, and with these addresses.
fn person(insz: &str, addresses: &str) -> String {
    format!(
        "<Persoon><INSZ>{insz}</INSZ><Naam><Achternamen><Achternaam>Peeters</Achternaam></Achternamen></Naam>\
         <Adressen>{addresses}</Adressen></Persoon>"
    )
}

fn exception(code: &str, severity: &str, annotations: &[(&str, &str)]) -> String {
    let annotation = |(name, value): &(&str, &str)| {
        format!("<Annotatie><Naam>{name}</Naam><Waarde>{value}</Waarde></Annotatie>")
    };
    let annotations: String = annotations.iter().map(annotation).collect();
    format!(
        "<Uitzonderingen><Uitzondering><Identificatie>{code}</Identificatie><Oorsprong>RR</Oorsprong>\
         <Type>{severity}</Type><Diagnose>x</Diagnose><Annotaties>{annotations}</Annotaties></Uitzondering></Uitzonderingen>"
    )
}

const HOME: &str = "<Hoofdverblijfplaats DatumBegin='2020-01-01'><Straatnaam><String>Kerkstraat</String></Straatnaam>\
    <Huisnummer>1</Huisnummer><Postcode>3000</Postcode></Hoofdverblijfplaats>";
const PROTECTION: &str = "<NietMededeelbaarAdres DatumBegin='2020-01-01'><Periode><Begindatum>2020-01-01</Begindatum>\
    <Einddatum>2999-12-31</Einddatum></Periode></NietMededeelbaarAdres>";

/// A response without what differs from one to the next: the entry's place and id, and the day and hour.
fn comparable(whole: &Whole) -> String {
    let mut headers = whole.headers.clone();
    for name in ["sluis-log-index", "sluis-entry-id", "date"] {
        let value = headers.get_mut(name).unwrap();
        *value = "x".repeat(if name == "sluis-log-index" { 1 } else { value.len() }).parse().unwrap();
    }
    // In the order in which they came.
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    format!(
        "{} {headers:?} {} {:?} {:?} {}",
        whole.status, whole.frames, whole.body, whole.trailers, whole.broken
    )
}

/// Asks once for each saying, and fails unless the responses, the questions at the source and the entries are alike.
async fn indistinguishable(stage: &Stage, caller: &Caller, ask: &Ask<'_>, sayings: &[Saying]) -> Bytes {
    let source = if ask.method == HOUSING { &stage.housing } else { &stage.magda };
    let mut seen: Vec<(String, usize, u64)> = Vec::new();
    let mut before = stage.world.verify().await;
    let mut message = Bytes::new();
    for saying in sayings {
        source.say(saying.clone());
        let asked = source.heard().len();
        let whole = stage.ask(caller, ask).await;
        let size = stage.world.verify().await;
        assert_eq!(whole.log_index() + 1, size, "the entry that it names is the last one");
        message = whole.message();
        seen.push((comparable(&whole), source.heard().len() - asked, size - before));
        before = size;
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
    assert_eq!((seen[0].1, seen[0].2), (1, 2), "one question, two entries");
    message
}

#[tokio::test]
async fn a_protected_address_an_absent_one_and_an_unknown_person_look_alike() {
    let stage = Stage::start("alike").await;
    let caller = stage.caller("stad-leuven").await;
    let found = |addresses: &str| Saying::soap(&answer(&person(PIETER, addresses), ""));
    let [before, after] = [format!("{PROTECTION}{HOME}"), format!("{HOME}{PROTECTION}")];
    let unreadable = after.replace("2999-12-31", "ooit");
    let endless = after.replace("<Einddatum>2999-12-31</Einddatum>", "");
    let bare = format!("{HOME}<NietMededeelbaarAdres/>");
    let alike = [&before, &after, &unreadable, &endless, &bare, PROTECTION, ""].map(found);
    let message = indistinguishable(&stage, &caller, &Ask::default(), &alike).await;
    assert!(message.windows(7).any(|window| window == b"Peeters"));

    // Of who asks for the address alone, nothing is left: as of a person whom nobody knows.
    let only = [("sluis-fields", "person.main_residence.street_name,person.main_residence.house_number")];
    let only = Ask { more: &only, ..Ask::default() };
    let nobody =
        ["30001", "30002", "15021"].map(|code| Saying::soap(&answer("", &exception(code, "FOUT", &[]))));
    let message = indistinguishable(&stage, &caller, &only, &[&alike[..], &nobody].concat()).await;
    assert!(message.is_empty());
    // As long as nothing is protected, it is there.
    for home in [HOME.to_owned(), after.replace("2999-12-31", "2020-12-31")] {
        stage.magda.say(found(&home));
        assert!(stage.ask(&caller, &only).await.message().windows(10).any(|window| window == b"Kerkstraat"));
    }
}

/// A field of protobuf with a short text or message.
fn field(number: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&[number << 3 | 2, u8::try_from(value.len()).unwrap()], value].concat()
}

#[tokio::test]
async fn of_a_partner_they_look_alike_too() {
    let stage = Stage::start("alike-partner").await;
    let caller = stage.caller("ocmw-leuven").await;
    let (number, name) = (field(1, PIETER), field(2, "HS-1"));
    let address = field(4, field(1, "Kerkstraat"));
    let protection = |until: &str| field(5, field(2, until));
    let file = |parts: &[&[u8]]| Saying::message(&field(1, parts.concat()));
    let alike = [
        file(&[&number, &name]),
        file(&[&number, &name, &address, &protection("2999-12-31")]),
        file(&[&protection(""), &number, &name, &address]),
        file(&[&number, &name, &address, &field(5, "")]),
        file(&[&number, &name, &protection("2999-12-31")]),
    ];
    let message = indistinguishable(&stage, &caller, &Ask::housing(PIETER), &alike).await;
    assert_eq!(message, field(1, [number.clone(), name.clone()].concat()));

    let only = [("sluis-fields", "file.address")];
    let only = Ask { more: &only, ..Ask::housing(PIETER) };
    let status = Saying { status: 200, ..Saying::default() }.with("content-type", "application/grpc");
    let unknown =
        [Saying::message(b""), status.with("grpc-status", "5"), Saying::message(&[]).after("grpc-status", "5")];
    let message = indistinguishable(&stage, &caller, &only, &[&alike[..], &unknown].concat()).await;
    assert!(message.is_empty());
}

/// Limits small enough to be met: bytes of a source's answer, and of a request.
const ANSWER: usize = 20_000;
const REQUEST: usize = 300;

fn small(text: &str) -> String {
    format!("{text}\n[limits]\nanswer_bytes = {ANSWER}\nrequest_bytes = {REQUEST}\nheader_bytes = 8192\n")
}

#[tokio::test]
async fn an_answer_may_be_as_large_as_the_limit_and_not_a_byte_larger() {
    let stage = Stage::configured("answer-limit", |text| small(&text)).await;
    let (stad, ocmw) = (stage.caller("stad-leuven").await, stage.caller("ocmw-leuven").await);
    for (over, outcome) in [(0, "RELEASED"), (1, "MESSAGE_TOO_LARGE")] {
        let mut padded = Saying::soap(&answer(&person(PIETER, ""), "")).body.to_vec();
        padded.resize(ANSWER + over, b' ');
        stage.magda.say(Saying { body: padded.into(), ..Saying::text(200, "") });
        let whole = stage.ask(&stad, &Ask::default()).await;
        assert_eq!(whole.outcome(), outcome, "MAGDA, {over} over");

        stage.housing.say(Saying::message(&large(ANSWER + over)));
        let whole = stage.ask(&ocmw, &Ask::housing(PIETER)).await;
        assert_eq!(whole.outcome(), outcome, "partner, {over} over");
        if over == 0 {
            assert_eq!(whole.message(), field(1, field(1, PIETER)));
        } else {
            let entry = stage.world.entry(whole.log_index()).await;
            assert_eq!((entry.kind, &*entry.outcome), (Kind::Failed as i32, "MESSAGE_TOO_LARGE"));
        }
    }
}

/// What a body may hold before its sender notices that nobody reads on: windows and buffers on the way.
const ON_THE_WAY: u64 = 16 << 20;

#[tokio::test]
async fn a_source_that_never_ends_is_cut_off_and_asked_again() {
    let stage = Stage::configured("endless", |text| small(&text)).await;
    let (stad, ocmw) = (stage.caller("stad-leuven").await, stage.caller("ocmw-leuven").await);
    let chunk = Bytes::from(vec![b' '; 16 << 10]);
    let good_soap = Saying::soap(&answer(&person(PIETER, ""), ""));
    let good = Saying::message(&field(1, field(1, PIETER)));
    // More rounds than a connection's window could bear if what was cut off still counted.
    for round in 1..=20 {
        stage.magda.say(Saying { endless: Some(chunk.clone()), ..good_soap.clone() });
        assert_eq!(stage.ask(&stad, &Ask::default()).await.outcome(), "MESSAGE_TOO_LARGE");
        stage.housing.say(Saying { endless: Some(chunk.clone()), ..good.clone() });
        // More than its message announced: that tells before the limit does.
        assert_eq!(stage.ask(&ocmw, &Ask::housing(PIETER)).await.outcome(), "SOURCE_ANSWER_INVALID");
        // Both answers are over: dropped by their senders, who were told.
        stage.magda.over(round).await;
        stage.housing.over(round).await;
    }
    for sent in [stage.magda.sent(), stage.housing.sent()] {
        assert!(sent < 20 * ON_THE_WAY, "{sent} bytes were taken");
    }
    stage.magda.say(good_soap);
    stage.housing.say(good);
    assert_eq!(stage.ask(&stad, &Ask::default()).await.outcome(), "RELEASED");
    assert_eq!(stage.ask(&ocmw, &Ask::housing(PIETER)).await.outcome(), "RELEASED");
}

/// The most that can be minimised, and the default limit of an answer.
const LARGEST: usize = 4 << 20;

/// An answer of so many bytes, filled up with remarks, which nobody is granted.
fn large(size: usize) -> Vec<u8> {
    let length = |value: usize| {
        [value & 0x7f | 0x80, value >> 7 & 0x7f | 0x80, value >> 14 & 0x7f | 0x80, value >> 21]
            .map(|byte| u8::try_from(byte).unwrap())
    };
    let known = field(1, PIETER);
    let rest = size - known.len() - 10;
    let file = [&known[..], &[11 << 3 | 2], &length(rest), &vec![b'x'; rest]].concat();
    let answer = [&[0x0a], &length(file.len())[..], &file].concat();
    assert_eq!(answer.len(), size);
    answer
}

#[tokio::test]
async fn memory_is_bounded_however_large_the_answers_are() {
    let folder = Folder::new("memory");
    let (setting, magda, housing) = scripted(&folder, |text| text).await;
    let gateway = Gateway::start(&setting);
    let party = |name| &setting.party(name).unwrap().issued;
    let stad = Caller::connect(&gateway.address, &setting.authority(), party("stad-leuven")).await;
    let ocmw = Caller::connect(&gateway.address, &setting.authority(), party("ocmw-leuven")).await;
    let question = [&[0x0a, 11], PIETER.as_bytes()].concat();
    let soap = async || ask_as(&setting, &stad, &Ask::default(), &question).await.outcome();
    let grpc = async || ask_as(&setting, &ocmw, &Ask::housing(PIETER), &question).await.outcome();

    let good = Saying::soap(&answer(&person(PIETER, ""), ""));
    magda.say(good.clone());
    housing.say(Saying::message(&large(100)));
    assert_eq!((soap().await, grpc().await), ("RELEASED".to_owned(), "RELEASED".to_owned()));
    let before = gateway.peak_memory();
    for (size, outcome) in [(LARGEST, "RELEASED"), (LARGEST + 1, "MESSAGE_TOO_LARGE")] {
        housing.say(Saying::message(&large(size)));
        assert_eq!(grpc().await, outcome);
    }
    let chunk = Bytes::from(vec![b' '; 64 << 10]);
    magda.say(Saying { endless: Some(chunk.clone()), ..good });
    housing.say(Saying { endless: Some(chunk), ..Saying::message(&large(LARGEST)) });
    for _ in 0..4 {
        assert_eq!((soap().await, grpc().await), ("MESSAGE_TOO_LARGE".into(), "SOURCE_ANSWER_INVALID".into()));
    }
    if let (Some(before), Some(after)) = (before, gateway.peak_memory()) {
        assert!(after - before < 12 * LARGEST as u64, "{before} bytes, then {after}");
    }
}

#[tokio::test]
async fn what_cannot_be_minimised_is_too_large_whatever_the_configuration_takes() {
    let stage = Stage::configured("larger", |text| format!("{text}\n[limits]\nanswer_bytes = 8000000\n")).await;
    stage.housing.say(Saying::message(&large(LARGEST + 1)));
    let caller = stage.caller("ocmw-leuven").await;
    assert_eq!(stage.ask(&caller, &Ask::housing(PIETER)).await.outcome(), "MESSAGE_TOO_LARGE");
}

/// A request that never ends.
struct Endless(Arc<AtomicU64>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = Bytes::from_static(&[0; 4096]);
        self.0.fetch_add(chunk.len() as u64, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }
}

#[tokio::test]
async fn a_request_may_be_as_large_as_the_limit_and_not_a_byte_larger() {
    let stage = Stage::configured("request-limit", |text| small(&text)).await;
    let caller = stage.caller("ocmw-leuven").await;
    stage.housing.say(Saying::message(b""));
    let ask = Ask::housing(NOBODY);
    let question = stage.world.question(HOUSING, NOBODY);
    for (over, outcome, heard) in [(0, "RELEASED", 1), (1, "MESSAGE_TOO_LARGE", 1)] {
        let day = REQUEST + over - question.len() - 3;
        let long =
            [&question[..], &[0x12, 0x80 | u8::try_from(day & 0x7f).unwrap(), u8::try_from(day >> 7).unwrap()]];
        let long = [&long.concat()[..], &vec![b'x'; day]].concat();
        assert_eq!(long.len(), REQUEST + over);
        let whole = ask_as(&stage.world.setting, &caller, &ask, &long).await;
        assert_eq!((whole.outcome(), stage.housing.heard().len()), (outcome.to_owned(), heard));
        assert_eq!(stage.world.entry(whole.log_index()).await.outcome, outcome);
    }
    let sent = Arc::new(AtomicU64::new(0));
    let token = format!("Bearer {}", stage.world.token("ocmw-leuven"));
    let mut headers = ask.metadata();
    headers.push(("authorization", &token));
    let whole = caller.send(HOUSING, &headers, Endless(Arc::clone(&sent)).boxed()).await.unwrap();
    // Its prefix announces nothing.
    assert_eq!(whole.outcome(), "REQUEST_MALFORMED");
    assert!(sent.load(Ordering::SeqCst) < 1 << 20, "the window of a stream, and little more");
    // The connection is as good as new.
    assert_eq!(stage.ask(&caller, &ask).await.outcome(), "RELEASED");
    assert_eq!(stage.housing.heard().len(), 2);
}

#[tokio::test]
async fn floods_of_headers_are_refused_by_the_listener() {
    let stage = Stage::configured("headers", |text| small(&text)).await;
    let caller = stage.caller("ocmw-leuven").await;
    stage.housing.say(Saying::message(b""));
    let ask = Ask::housing(NOBODY);
    let before = stage.world.verify().await;
    let (long, names): (_, Vec<_>) = ("x".repeat(9000), (0..400).map(|n| format!("x-{n}")).collect());
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let flood = async |more: &[(&str, &str)]| {
        let body = http_body_util::Full::new(Bytes::new()).boxed();
        caller.send(HOUSING, &[&ask.metadata()[..], more].concat(), body).await
    };
    for more in
        [&[("x-long", &*long)][..], &[("sluis-request-id", &*long)], &[("authorization", &*long)], &many]
    {
        let whole = flood(more).await.unwrap();
        assert_eq!((whole.status, whole.body.len(), whole.headers.len()), (431, 0, 0), "{whole:?}");
    }
    assert_eq!(flood(&[("x-long", &long[..4000])]).await.unwrap().outcome(), "TOKEN_REJECTED", "as a call");
    // Far beyond, the connection ends.
    let far = long.repeat(20);
    assert!(
        flood(&[("x-long", &far)]).await.is_ok_and(|whole| whole.status == 431) || flood(&[]).await.is_err()
    );
    assert_eq!((stage.world.verify().await, stage.housing.heard().len()), (before + 1, 0), "one call, no more");
    let caller = stage.caller("ocmw-leuven").await;
    assert_eq!(stage.ask(&caller, &ask).await.outcome(), "RELEASED");
}

#[tokio::test]
async fn a_replaced_number_is_answered_under_the_new_one_and_the_log_has_both() {
    let world = World::start("replaced").await;
    let reply = world.call(&Ask { subject: REPLACED, ..Ask::default() }).await.unwrap();
    assert!(!reply.message.is_empty());
    let index = reply.log_index.unwrap();
    let entry = world.entry(index).await;
    assert_eq!((&*entry.subject_asked, &*entry.subject_returned), (REPLACED, REPLACEMENT));
    // By the old number the question is found, by the new one the disclosure.
    for (subject, expected) in [(REPLACED, entry.asked.unwrap()), (REPLACEMENT, index)] {
        let request =
            ListDisclosuresRequest { subject: subject.to_owned(), ..ListDisclosuresRequest::default() };
        assert!(world.entries(request).await.iter().any(|entry| entry.index == expected), "{subject}");
    }
}

#[tokio::test]
async fn an_answer_about_anyone_but_the_announced_replacement_is_refused() {
    let stage = Stage::start("replacement").await;
    let caller = stage.caller("stad-leuven").await;
    let announced = |numbers: &[(&str, &str)]| exception("30004", "WAARSCHUWING", numbers);
    let both = [("OudINSZ", PIETER), ("NieuwINSZ", REPLACEMENT)];
    for (about, beside, outcome) in [
        (REPLACEMENT, announced(&both), "RELEASED"),
        (PIETER, announced(&both), "RELEASED"),
        (REPLACEMENT, String::new(), "SOURCE_ANSWER_INVALID"),
        (REPLACEMENT, announced(&[]), "SOURCE_ANSWER_INVALID"),
        // A different replacement than the one answered about.
        (NOBODY, announced(&both), "SOURCE_ANSWER_INVALID"),
        (REPLACEMENT, announced(&[("OudINSZ", PIETER), ("NieuwINSZ", NOBODY)]), "SOURCE_ANSWER_INVALID"),
        // Somebody else's replacement, and two at once.
        (REPLACEMENT, announced(&[("OudINSZ", NOBODY), ("NieuwINSZ", REPLACEMENT)]), "SOURCE_ANSWER_INVALID"),
        (REPLACEMENT, announced(&[both[0], both[1], ("NieuwINSZ", NOBODY)]), "SOURCE_ANSWER_INVALID"),
        // Another exception announces nothing.
        (REPLACEMENT, exception("30042", "WAARSCHUWING", &both), "SOURCE_ANSWER_INVALID"),
        ("", announced(&both), "SOURCE_ANSWER_INVALID"),
    ] {
        stage.magda.say(Saying::soap(&answer(&person(about, HOME), &beside)));
        let whole = stage.ask(&caller, &Ask::default()).await;
        assert_eq!(whole.outcome(), outcome, "{about} {beside}");
        let entry = stage.world.entry(whole.log_index()).await;
        let (kind, returned) =
            if outcome == "RELEASED" { (Kind::Released, about) } else { (Kind::Refused, "") };
        assert_eq!(
            (entry.kind, &*entry.subject_asked, &*entry.subject_returned),
            (kind as i32, PIETER, returned)
        );
        assert_eq!(entry.fields_released.is_empty(), outcome != "RELEASED");
    }
}
