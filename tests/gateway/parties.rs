//! Who asks for whom, and what a refusal repeats of what a stranger to an instrument wrote.

use std::fs;

use prost::Message as _;
use sluis::cli::token::{self, TokenArgs};
use sluis::clock;
use sluis::domain::reason::Reason;
use sluis::proto::audit::ListDisclosuresRequest;
use sluis::rpc::audit::LIST_DISCLOSURES;

use crate::support::{Ask, NOBODY, World};
use crate::walk::{Logged, Walk};

/// Registers Kortrijk as processor of Leuven and of its auditor.
async fn processor(world: &World) {
    let registry = world.setting.dir.join("pki/registry.toml");
    let key = world.setting.party("stad-kortrijk").unwrap().issued.thumbprint.to_string();
    let text = fs::read_to_string(&registry).unwrap();
    let acting = format!("{key}\"\nacts_for = [\"stad-leuven\", \"audit-leuven\"]");
    fs::write(registry, text.replace(&format!("{key}\""), &acting)).unwrap();
    world.running().reload().await.unwrap();
}

#[tokio::test]
async fn a_processor_asks_with_its_controllers_right_and_both_are_named() {
    let world = World::start("processor").await;
    processor(&world).await;
    let mut walk = Walk::new();
    let kortrijk = Ask { who: "stad-kortrijk", ..Ask::default() };
    walk.meet("its own right", world.call(&kortrijk).await, Reason::RequesterNotParty, Logged::Refused);
    let on_behalf = [("sluis-on-behalf-of", "stad-leuven")];
    let reply = world.call(&Ask { more: &on_behalf, ..kortrijk }).await.unwrap();
    let entry = world.entry(reply.log_index.unwrap()).await;
    assert_eq!((entry.requester.as_str(), entry.processor.as_str()), ("0207521503", "0207494678"));
    for other in ["ocmw-leuven", "nobody", "", "85673003360"] {
        let on_behalf = [("sluis-on-behalf-of", other)];
        let outcome = world.call(&Ask { more: &on_behalf, ..kortrijk }).await;
        walk.meet(other, outcome, Reason::RequesterNotParty, Logged::Refused);
    }
    walk.hold_against_log(&world).await;
}

#[tokio::test]
async fn a_processor_does_not_read_the_log_for_an_auditor() {
    let world = World::start("processor-audits").await;
    processor(&world).await;
    let (client, token) = (world.client("stad-kortrijk"), world.token("stad-kortrijk"));
    let (metadata, question) =
        ([("sluis-on-behalf-of", "audit-leuven")], ListDisclosuresRequest::default().encode_to_vec());
    let outcome = client.call(LIST_DISCLOSURES, &token, &metadata, &question).await;
    let mut walk = Walk::new();
    walk.meet("for an auditor", outcome, Reason::AuditorOnly, Logged::Refused);
    walk.hold_against_log(&world).await;
}

#[tokio::test]
async fn a_refusal_repeats_published_words_only() {
    let world = World::start("published").await;
    let stranger = |purpose| Ask { who: "stad-diest", purpose, ..Ask::default() };
    let refusal = world.call(&stranger("parking-offender")).await.unwrap_err();
    assert_eq!(refusal.reason.as_deref(), Some("REQUESTER_NOT_PARTY"));
    assert_eq!(refusal.metadata["purpose"], "parking-offender");
    let refusal = world.call(&stranger(NOBODY)).await.unwrap_err();
    assert_eq!(refusal.reason.as_deref(), Some("REQUESTER_NOT_PARTY"));
    assert!(!format!("{:?}", refusal.metadata).contains(NOBODY), "{:?}", refusal.metadata);
}

#[tokio::test]
async fn a_token_for_one_purpose_or_case_is_good_for_no_other() {
    let world = World::start("asserted").await;
    let mut walk = Walk::new();
    let ask = Ask::default();
    let question = world.question(ask.method, ask.subject);
    let plain = world.setting.party(ask.who).unwrap().token();
    let say = |text: &str| Some(text.to_owned());
    for (asserted, good) in [
        (TokenArgs { purpose: say(ask.purpose), case: say(ask.case), ..plain.clone() }, true),
        (TokenArgs { purpose: say("attest"), ..plain.clone() }, false),
        (TokenArgs { case: say("PV-2026/000124"), ..plain.clone() }, false),
    ] {
        let token = token::mint(&asserted, clock::now()).unwrap();
        let outcome = world.client(ask.who).call(ask.method, &token, &ask.metadata(), &question).await;
        if good {
            outcome.unwrap();
        } else {
            walk.meet("asserted otherwise", outcome, Reason::TokenRejected, Logged::Refused);
        }
    }
    walk.hold_against_log(&world).await;
}
