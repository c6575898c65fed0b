//! Every reason that the gateway can give, provoked.

use std::collections::HashSet;

use sluis::cli::client::Client;
use sluis::cli::token::{self, TokenArgs};
use sluis::clock;
use sluis::domain::reason::Reason;
use sluis::rpc::audit::LIST_DISCLOSURES;
use tonic_types::StatusExt as _;

use crate::audit::damaged;
use crate::raw::{Raw, revoke, unregistered};
use crate::registers::{malformed_cases, malformed_numbers};
use crate::support::{Ask, ISOLATION, PERSON, PIETER, World};
use crate::troubles::{cancelled, log_unavailable, own_fault, slow_and_gone, sources};
use crate::walk::{Logged, Walk};

#[tokio::test]
async fn every_reason_has_its_code_its_details_and_its_entry() {
    let mut world = World::start("reasons").await;
    let mut walk = Walk::new();
    callers(&world, &mut walk).await;
    tokens(&world, &mut walk).await;
    requests(&world, &mut walk).await;
    instruments(&world, &mut walk).await;
    fields(&world, &mut walk).await;
    sources(&world, &mut walk).await;
    slow_and_gone(&mut world, &mut walk).await;
    revoked(&world, &mut walk).await;
    walk.hold_against_log(&world).await;
    own_fault(&mut world, &mut walk).await;
    log_unavailable(&mut world, &mut walk).await;
    damaged(&world, &mut walk).await;

    // Whoever went away hears nothing: the log alone names this one.
    walk.seen.extend(cancelled().await);
    let all: HashSet<Reason> = Reason::ALL.into_iter().collect();
    assert_eq!(walk.seen, all, "and no reason is out of reach");
}

async fn callers(world: &World, walk: &mut Walk) {
    let stranger = unregistered(world, "stranger");
    let client =
        Client::new(&world.address(), &world.setting.authority(), &stranger.certificate, &stranger.key)
            .unwrap();
    for token in ["", &world.token("stad-leuven")] {
        let question = world.question(PERSON, PIETER);
        let outcome = client.call(PERSON, token, &Ask::default().metadata(), &question).await;
        walk.meet("an unregistered key", outcome, Reason::CallerNotRegistered, Logged::Nothing);
    }
    for message in [&b""[..], b"\xff"] {
        let (client, token) = (world.client("stad-leuven"), world.token("stad-leuven"));
        let outcome = client.call(LIST_DISCLOSURES, &token, &[], message).await;
        walk.meet("a city reads the log", outcome, Reason::AuditorOnly, Logged::Refused);
    }
    let on_behalf = [("sluis-on-behalf-of", "ocmw-leuven")];
    let outcome = world.call(&Ask { more: &on_behalf, ..Ask::default() }).await;
    walk.meet("for whom it may not act", outcome, Reason::RequesterNotParty, Logged::Refused);
    let twice = [("sluis-on-behalf-of", "stad-leuven"), ("sluis-on-behalf-of", "ocmw-leuven")];
    let outcome = world.call(&Ask { more: &twice, ..Ask::default() }).await;
    walk.meet("for two at once", outcome, Reason::RequesterNotParty, Logged::Refused);
}

async fn tokens(world: &World, walk: &mut Walk) {
    let good = world.setting.party("stad-leuven").unwrap().token();
    let other = world.setting.party("ocmw-leuven").unwrap().token();
    let now = clock::now();
    let minted = |args: &TokenArgs, at| token::mint(args, at).unwrap();
    let minutes = |n: i64| jiff::SignedDuration::from_mins(n);
    let fresh = minted(&good, now);
    let tampered = format!("{}A{}", &fresh[..40], &fresh[41..]);
    let unsigned = format!("{}.", fresh.rsplit_once('.').unwrap().0);
    for (what, token, cause) in [
        ("no token", String::new(), "no bearer token"),
        ("garbage", "a.b.c".into(), "not a JWT"),
        ("expired", minted(&good, now - minutes(10)), "expired"),
        ("not yet valid", minted(&good, now + minutes(10)), "compare the clocks"),
        (
            "bound to another client",
            minted(&TokenArgs { certificate: other.certificate.clone(), ..good.clone() }, now),
            "bound to another",
        ),
        (
            "signed by another",
            minted(&TokenArgs { issuer_key: other.issuer_key.clone(), ..good.clone() }, now),
            "kid",
        ),
        ("of another issuer", minted(&TokenArgs { issuer: other.issuer.clone(), ..good.clone() }, now), "iss"),
        (
            "for another audience",
            minted(&TokenArgs { audience: "elsewhere".into(), ..good.clone() }, now),
            "aud",
        ),
        ("another's token", minted(&other, now), "kid"),
        ("tampered", tampered, "the token"),
        ("unsigned", unsigned, "signature"),
        ("unbound", unbound(&good), "add cnf"),
    ] {
        let question = world.question(PERSON, PIETER);
        let client = world.client("stad-leuven");
        let outcome = client.call(PERSON, &token, &Ask::default().metadata(), &question).await;
        let refusal = walk.meet(what, outcome, Reason::TokenRejected, Logged::Refused);
        let told = refusal.status.get_error_details().error_info().unwrap().metadata["cause"].clone();
        assert!(told.contains(cause), "{what}: {told}");
        let outcome = client.call(LIST_DISCLOSURES, &token, &[], b"").await;
        walk.meet(format!("{what}, of the log"), outcome, Reason::TokenRejected, Logged::Refused);
    }
}

/// A token that anyone could use: without `cnf`.
fn unbound(args: &TokenArgs) -> String {
    let key = jsonwebtoken::EncodingKey::from_ec_pem(&std::fs::read(&args.issuer_key).unwrap()).unwrap();
    let now = clock::now().as_second();
    let claims = serde_json::json!({
        "iss": args.issuer, "aud": args.audience, "sub": args.subject, "iat": now, "exp": now + 60,
    });
    jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256), &claims, &key).unwrap()
}

async fn requests(world: &World, walk: &mut Walk) {
    let client = world.client("stad-leuven");
    let token = world.token("stad-leuven");
    let good = Ask::default().metadata();
    let question = world.question(PERSON, PIETER);
    let without = |name: &str| good.iter().copied().filter(|(key, _)| *key != name).collect::<Vec<_>>();
    let with = |more: &[(&'static str, &'static str)]| [good.as_slice(), more].concat();
    let malformed = Reason::RequestMalformed;
    for (what, metadata, message, reason) in [
        ("no protocol", without("sluis-protocol"), &question[..], malformed),
        ("no purpose", without("sluis-purpose"), &question, malformed),
        ("no case", without("sluis-case"), &question, Reason::CaseMalformed),
        ("two purposes", with(&[("sluis-purpose", "attest")]), &question, malformed),
        ("two protocols", with(&[("sluis-protocol", "rr-leuven")]), &question, malformed),
        ("two cases", with(&[("sluis-case", "B")]), &question, Reason::CaseMalformed),
        (
            "two masks",
            with(&[("sluis-fields", "person.name"), ("sluis-fields", "person.name")]),
            &question,
            malformed,
        ),
        ("a mask that is none", with(&[("sluis-fields", "person.*")]), &question, malformed),
        ("a number as request id", with(&[("sluis-request-id", PIETER)]), &question, malformed),
        (
            "two request ids",
            with(&[("sluis-request-id", "a"), ("sluis-request-id", "b")]),
            &question,
            malformed,
        ),
        ("garbage", good.clone(), b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0b", malformed),
        ("a field cut short", good.clone(), b"\x0a\x0b8463", malformed),
        ("no UTF-8", good.clone(), b"\x0a\x02\xc3\x28", malformed),
        ("no subject", good.clone(), b"", Reason::SubjectMalformed),
        ("too large", good.clone(), &vec![0; 65 * 1024], Reason::MessageTooLarge),
    ] {
        walk.meet(what, client.call(PERSON, &token, &metadata, message).await, reason, Logged::Refused);
    }
    for number in malformed_numbers() {
        let outcome = world.call(&Ask { subject: &number, ..Ask::default() }).await;
        walk.meet(number, outcome, Reason::SubjectMalformed, Logged::Refused);
    }
    for case in malformed_cases() {
        let outcome = world.call(&Ask { case: &case, ..Ask::default() }).await;
        walk.meet(case, outcome, Reason::CaseMalformed, Logged::Refused);
    }
    let auditor = world.client("audit-leuven");
    for (what, message, reason) in [
        ("garbage for the log", &b"\xff\xff\xff"[..], malformed),
        ("a page token of nobody", b"\x5a\x04abcd", malformed),
        ("a kind that there is not", b"\x60\x63", malformed),
        ("too large for the log", &vec![0; 65 * 1024], Reason::MessageTooLarge),
    ] {
        let outcome = auditor.call(LIST_DISCLOSURES, &world.token("audit-leuven"), &[], message).await;
        walk.meet(what, outcome, reason, Logged::Refused);
    }
    frames(world, walk).await;
}

/// What no good client would put around a message.
async fn frames(world: &World, walk: &mut Walk) {
    let mut raw = Raw::open(world, &world.setting.party("stad-leuven").unwrap().issued).await;
    let bearer = format!("Bearer {}", world.token("stad-leuven"));
    let mut headers = Ask::default().metadata();
    headers.push(("authorization", &bearer));
    let mut announced = vec![0, 0x7f, 0xff, 0xff, 0xff];
    announced.extend(world.question(PERSON, PIETER));
    for (what, body, reason) in [
        ("compressed", &b"\x01\0\0\0\x01x"[..], Reason::RequestMalformed),
        ("half a prefix", b"\0\0", Reason::RequestMalformed),
        ("shorter than it says", b"\0\0\0\0\x09x", Reason::RequestMalformed),
        ("two messages", b"\0\0\0\0\0\0\0\0\0\0", Reason::RequestMalformed),
        ("2 GiB announced", &announced, Reason::MessageTooLarge),
    ] {
        for path in [PERSON, LIST_DISCLOSURES] {
            let reason = if path == PERSON { reason } else { Reason::AuditorOnly };
            let refusal = raw.send(path, &headers, body.to_vec()).await.refusal();
            walk.meet(format!("{what} at {path}"), Err(refusal), reason, Logged::Refused);
        }
    }
}

async fn instruments(world: &World, walk: &mut Walk) {
    let ask = Ask::default();
    let expired = Ask {
        who: "stad-diest",
        method: ISOLATION,
        protocol: "covid19-diest",
        purpose: "quarantine-enforcement",
        ..ask
    };
    let superseded = Ask { who: "stad-kortrijk", protocol: "rr-28-2009", purpose: "library-members", ..ask };
    let others = Ask { purpose: "dwelling-quality", ..Ask::housing(PIETER) };
    for (what, ask, reason) in [
        ("unknown protocol", Ask { protocol: "rr-gent", ..ask }, Reason::ProtocolUnknown),
        ("unknown purpose", Ask { purpose: "marketing", ..ask }, Reason::PurposeUnknown),
        ("expired", expired, Reason::ProtocolNotInForce),
        ("superseded", superseded, Reason::ProtocolNotInForce),
        ("no party", Ask { who: "stad-diest", ..ask }, Reason::RequesterNotParty),
        ("a purpose of another party", others, Reason::RequesterNotParty),
        ("an auditor asks for data", Ask { who: "audit-leuven", ..ask }, Reason::RequesterNotParty),
        (
            "a method of another purpose",
            Ask { protocol: "rr-leuven", purpose: "attest", ..Ask::housing(PIETER) },
            Reason::PurposeNotCovered,
        ),
    ] {
        let refusal = walk.meet(what, world.call(&ask).await, reason, Logged::Refused);
        // Words of the caller's own are not repeated to it; published ones are.
        let published = !matches!(reason, Reason::ProtocolUnknown | Reason::PurposeUnknown);
        assert_eq!(refusal.metadata.contains_key("protocol"), published, "{what}");
        if reason == Reason::ProtocolNotInForce {
            assert!(refusal.metadata.contains_key("article"), "{what}: says what closed it");
        }
    }
    let token = world.token("stad-leuven");
    for path in [
        "/sluis.rijksregister.v1.PersonService/GetPersons",
        "/sluis.audit.v1.AuditService/Delete",
        "/x",
        "/84631230189",
    ] {
        let outcome = world.client("stad-leuven").call(path, &token, &ask.metadata(), b"").await;
        walk.meet(path, outcome, Reason::MethodUnknown, Logged::Refused);
    }
}

async fn fields(world: &World, walk: &mut Walk) {
    let beyond = [("sluis-fields", "person.name.last_names,person.civil_states.code")];
    let refusal = walk.meet(
        "more than the grant opens",
        world.call(&Ask { more: &beyond, ..Ask::default() }).await,
        Reason::FieldsNotCovered,
        Logged::Refused,
    );
    assert_eq!(refusal.metadata["field"], "person.civil_states.code");
    assert_eq!(refusal.metadata["article"], "first purpose");
    // What is no name of a field may be anything: it is repeated nowhere.
    let free = [("sluis-fields", "person.name.last_names,person.Kerkstraat_12,Jan.Janssens")];
    let outcome = world.call(&Ask { more: &free, ..Ask::default() }).await;
    let refusal = walk.meet("free text", outcome, Reason::FieldsNotCovered, Logged::Refused);
    assert_eq!(refusal.metadata["field"], "person");
    let entry = world.entry(refusal.log_index.unwrap()).await;
    assert_eq!(entry.fields_requested, ["person.name.last_names", "person"]);
    assert_eq!(entry.fields_withheld.iter().map(|one| &*one.field).collect::<Vec<_>>(), ["person"]);

    let city = Ask { who: "stad-leuven", purpose: "dwelling-quality", ..Ask::housing(PIETER) };
    for (what, ask, more, field) in [
        (
            "a reference date that the purpose does not declare",
            city,
            &b"\x12\x0a2020-01-01"[..],
            "reference_date",
        ),
        ("a tag that no version declares", city, b"\x9a\x06\x01x", "#99"),
        ("a language for a letter", Ask::default(), b"\x10\x02", "language"),
        ("a subject that is a number", Ask::default(), b"\x08\x01", "#1"),
    ] {
        let message = [&world.question(ask.method, PIETER)[..], more].concat();
        let client = world.client(ask.who);
        let outcome = client.call(ask.method, &world.token(ask.who), &ask.metadata(), &message).await;
        let refusal = walk.meet(what, outcome, Reason::FieldsNotCovered, Logged::Refused);
        assert_eq!(refusal.metadata["field"], field, "{what}");
    }
    let attest = Ask { purpose: "attest", ..Ask::default() };
    let message = [&world.question(PERSON, PIETER)[..], b"\x10\x63"].concat();
    let client = world.client("stad-leuven");
    let outcome = client.call(PERSON, &world.token("stad-leuven"), &attest.metadata(), &message).await;
    walk.meet("a language that there is not", outcome, Reason::RequestMalformed, Logged::Failed);
}

/// A certificate that was good when the connection was opened.
async fn revoked(world: &World, walk: &mut Walk) {
    let client = world.client("stad-kortrijk");
    let ask = Ask { who: "stad-kortrijk", ..Ask::default() };
    let question = world.question(PERSON, PIETER);
    let token = world.token(ask.who);
    let before = client.call(PERSON, &token, &ask.metadata(), &question).await;
    walk.meet("before it is revoked", before, Reason::RequesterNotParty, Logged::Refused);
    revoke(world, ask.who);
    world.running().reload().await.unwrap();
    for path in [PERSON, LIST_DISCLOSURES] {
        let after = client.call(path, &token, &ask.metadata(), &question).await;
        walk.meet("the same connection", after, Reason::CertificateRevoked, Logged::Refused);
    }
}
