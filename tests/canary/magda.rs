//! Answers and troubles of MAGDA.

use std::net::SocketAddr;

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use sluis::clock;
use sluis::domain::grant::Trie;
use sluis::domain::instrument::Upstream;
use sluis::domain::vocabulary::Vocabulary;
use sluis::identity::tls::{self, Credentials};
use sluis::sandbox::Played;
use sluis::source::magda::Envelope;
use uuid::Uuid;

use crate::support::document::{Dom, GEEF_PERSOON, answer, official_answers, reply};
use crate::support::flock::{Flock, birds};
use crate::support::source::Saying;
use crate::support::{Ask, NO_LONGER_PROTECTED, PERSON, PIETER, PROTECTED, Plan, World};
use crate::{Cage, LONG_CODE, leave, question};

#[tokio::test]
async fn of_a_magda_answer_exactly_the_granted_canaries_leave() {
    let mut cage = Cage::start("canary-magda").await;
    let mut people = sandbox_people(&cage, &[PIETER, PROTECTED, NO_LONGER_PROTECTED]).await;
    let official = official_answers();
    people.extend(
        official.into_iter().filter(|(name, _)| name != "notfound" && name != "10630345934").step_by(4),
    );
    let caller = cage.caller("stad-leuven").await;
    let mut flown = 0;
    for (subject, xml) in &people {
        let mut person = Dom::parse(xml).first("Persoon").unwrap().clone();
        plant(&mut person, subject, &mut cage.flock);
        cage.magda.say(Saying::soap(&answer(&person.write(), "")));
        // The end of its protection is a canary too, no date: it stands.
        let protected = person.first("NietMededeelbaarAdres").is_some();
        for purpose in ["parking-offender", "attest"] {
            let mut granted = person.granted(purpose);
            granted.retain(|(field, _)| !(protected && field.contains("main_residence")));
            let whole =
                cage.ask(&caller, &Ask { subject, purpose, ..Ask::default() }, &question(subject)).await;
            assert_eq!(whole.outcome(), "RELEASED", "{subject}");
            leave(&whole, granted.into_iter().map(|(_, value)| value), &[]);
            flown += birds(&whole.body).len();
        }
    }
    assert!(flown > 30 && birds(people[0].1.as_bytes()).is_empty());

    for (saying, outcome, granted) in troubles(&mut cage.flock) {
        cage.magda.say(saying.clone());
        let whole = cage.ask(&caller, &Ask::default(), &question(PIETER)).await;
        assert_eq!(whole.outcome(), outcome, "{saying:?}");
        leave(&whole, granted.into_iter(), &[]);
    }
    let said = cage.silent().await;
    // The code of an exception is said, so that it is no wonder of deafness that the rest is not.
    assert!(said.contains("40005"));
}

/// Replaces every value, save the number of the person itself and the one flag that is read.
fn plant(person: &mut Dom, subject: &str, flock: &mut Flock) {
    person.each_value(&mut |name, value| {
        let kept = name == "INSZ" && value.trim() == subject || name == "@GebruikelijkeVoornaam";
        if !kept {
            *value = flock.next();
        }
    });
}

/// The answers of the sandbox about these people.
async fn sandbox_people(cage: &Cage, people: &[&str]) -> Vec<(String, String)> {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let sandbox = World::sources(&cage.setting, &cage.folder.0, &Plan::default(), anywhere).await;
    let read = |path| std::fs::read(path).unwrap();
    let own = &cage.setting.party("stad-leuven").unwrap().issued;
    let own = Credentials::from_pem(&read(&own.certificate), &read(&own.key)).unwrap();
    let authorities = tls::certificates(&read(&cage.setting.authority())).unwrap();
    let config = tls::client_config(&own, &authorities, &[]).unwrap();
    let stream = tokio::net::TcpStream::connect(sandbox.address(Played::Magda)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);

    let vocabulary = Vocabulary::embedded().unwrap();
    let upstream = Upstream {
        magda_identification: Some("leuven.be/ovo000000/ipdc001-aip".into()),
        magda_quality_code: None,
    };
    let mut answers = Vec::new();
    for subject in people {
        let method = vocabulary.method(PERSON).unwrap();
        let answer = Trie::compile(&method.output, &["person"]).unwrap();
        let envelope =
            Envelope::write(method, &question(subject), &answer, &upstream, Uuid::nil(), clock::now()).unwrap();
        let request = Request::builder().method(Method::POST).uri(&*envelope.path).header("host", "localhost");
        let request = request.header("content-type", "text/xml").body(Full::new(envelope.body)).unwrap();
        let answer =
            sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        answers.push(((*subject).to_owned(), String::from_utf8(answer.to_vec()).unwrap()));
    }
    answers
}

/// What MAGDA may say instead of an answer or around it: each with how it ends, and which canaries may leave.
fn troubles(flock: &mut Flock) -> Vec<(Saying, &'static str, Vec<String>)> {
    let mut troubles = Vec::new();
    let mut trouble = |saying, outcome| troubles.push((saying, outcome, Vec::new()));
    for (status, words, outcome) in [
        (500, "", "SOURCE_UNAVAILABLE"),
        (200, "", "SOURCE_UNAVAILABLE"),
        (500, "Exceeded the max throttle rate of 10 within 1000ms", "SOURCE_THROTTLED"),
    ] {
        let mut c = || flock.next();
        let fault = format!(
            "<e:Fault><faultcode>{}</faultcode><faultstring>{words} {}</faultstring><faultactor>{}</faultactor>\
             <detail><Uitzondering><Identificatie>{}</Identificatie><Diagnose>{}</Diagnose></Uitzondering>\
             <Persoon><Naam a='{}'>{}</Naam></Persoon></detail></e:Fault>",
            c(),
            c(),
            c(),
            c(),
            c(),
            c(),
            c(),
        );
        let saying = Saying { status, ..Saying::soap(&fault) };
        trouble(
            ["x-persoon", "warning", "set-cookie", "server", "content-location"]
                .iter()
                .fold(saying, |saying, name| saying.with(name, &c())),
            outcome,
        );
    }
    for (code, outcome) in [
        ("40003", "SUBJECT_NOT_REGISTERED"),
        ("40005", "SOURCE_REFUSED"),
        ("99995", "SOURCE_THROTTLED"),
        ("99996", "SOURCE_UNAVAILABLE"),
        ("20001", "INTERNAL"),
        ("45700", "SOURCE_ANSWER_INVALID"),
        ("", "SOURCE_ANSWER_INVALID"),
        (LONG_CODE, "SOURCE_ANSWER_INVALID"),
        ("30001", "RELEASED"),
        ("15021", "RELEASED"),
    ] {
        let whole = exception(code, "FOUT", flock);
        trouble(Saying::soap(&reply(&whole)), outcome);
        let person = person(flock).write();
        let beside = exception(code, "FOUT", flock);
        trouble(Saying::soap(&answer(&person, &beside)), outcome);
    }
    for (status, outcome) in [
        (302, "SOURCE_ANSWER_INVALID"),
        (404, "SOURCE_REFUSED"),
        (429, "SOURCE_THROTTLED"),
        (500, "SOURCE_UNAVAILABLE"),
        (503, "SOURCE_UNAVAILABLE"),
    ] {
        let page = format!("<html><h1>{}</h1></html>", flock.next());
        trouble(Saying::text(status, &page).with("location", &format!("/{}", flock.next())), outcome);
    }
    let good = answer(&person(flock).write(), "");
    let halved = good[..good.len() / 2].to_owned();
    let unnamed = good.replacen(PIETER, &flock.next(), 1);
    let twice = answer(
        &format!("{}{}", person(flock).write(), person(flock).write().replacen(PIETER, PROTECTED, 1)),
        "",
    );
    let bird = flock.next();
    for text in [&halved, &unnamed, &twice, &good.replace(GEEF_PERSOON, &bird)] {
        trouble(Saying::soap(text), "SOURCE_ANSWER_INVALID");
    }
    let whole = String::from_utf8(Saying::soap(&good).body.to_vec()).unwrap();
    let entity = format!("<!DOCTYPE e:Envelope [<!ENTITY k \"{}\">]>{whole}", flock.next());
    for text in
        [flock.next(), entity, format!("{whole}<{}/>", flock.next()), format!("{whole}{}", flock.next())]
    {
        trouble(Saying::text(200, &text), "SOURCE_ANSWER_INVALID");
    }
    let mut broken = Saying::soap(&good);
    broken.body = [&broken.body[..], b"\xc3\x28"].concat().into();
    trouble(broken, "SOURCE_ANSWER_INVALID");
    troubles.extend(good_with_more(flock));
    troubles
}

fn person(flock: &mut Flock) -> Dom {
    let text = format!(
        "<Persoon><INSZ>{PIETER}</INSZ><Naam><Achternamen><Achternaam>x</Achternaam></Achternamen></Naam>\
         <Geslacht><Code>1</Code></Geslacht></Persoon>"
    );
    let mut person = Dom::parse(&text).children.remove(0);
    plant(&mut person, PIETER, flock);
    person
}

fn exception(code: &str, severity: &str, flock: &mut Flock) -> String {
    let mut c = || flock.next();
    let code = if code.is_empty() { c() } else { code.to_owned() };
    format!(
        "<Uitzonderingen><Uitzondering><Identificatie>{code}</Identificatie><Oorsprong>{}</Oorsprong>\
         <Type>{severity}</Type><Diagnose>{}</Diagnose><Omstandigheid>{}</Omstandigheid><Annotaties><Annotatie>\
         <Naam>{}</Naam><Waarde>{}</Waarde></Annotatie></Annotaties><ElementReferenties><Element>{}</Element>\
         </ElementReferenties></Uitzondering></Uitzonderingen>",
        c(),
        c(),
        c(),
        c(),
        c(),
        c(),
    )
}

/// Good answers, with canaries where an answer says nothing.
fn good_with_more(flock: &mut Flock) -> Vec<(Saying, &'static str, Vec<String>)> {
    let mut said = Vec::new();
    let warned = exception("45700", "WAARSCHUWING", flock);
    for (before, inside, after, beside) in [
        ("", "", "", &*warned),
        ("", "<!-- BIRD -->", "<?BIRD BIRD?>", ""),
        ("<Achternaam2>BIRD</Achternaam2>", "<b>BIRD</b>", "<![CDATA[BIRD]]>BIRD", ""),
        (
            "<u:Achternaam xmlns:u='urn:BIRD'>BIRD</u:Achternaam>",
            "<u:b xmlns:u='urn:BIRD' u:c='BIRD'/>",
            "",
            "",
        ),
        ("<Achternamen><Achternaam>BIRD</Achternaam></Achternamen>", "<Achternaam>BIRD</Achternaam>", "", ""),
    ] {
        let mut content = person(flock).write();
        let granted =
            birds(content.split_once("<Achternaam>").unwrap().1.split_once('<').unwrap().0.as_bytes());
        content = content.replacen("<Achternaam>", &format!("{before}<Achternaam>{inside}"), 1);
        content = content.replacen("</Achternamen>", &format!("{after}</Achternamen>"), 1);
        while content.contains("BIRD") {
            content = content.replacen("BIRD", &flock.next(), 1);
        }
        said.push((
            Saying::soap(&answer(&content, beside)).with("x-persoon", &flock.next()),
            "RELEASED",
            granted,
        ));
    }
    said
}
