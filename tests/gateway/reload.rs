//! What changes while the gateway runs: registry, revocations and issuers as one, instruments each alone.

use std::fs;
use std::path::PathBuf;

use sluis::cli::demo::Setting;
use sluis::clock;
use sluis::domain::reason::Reason;
use sluis::proto::audit::{Kind, ListDisclosuresRequest};
use sluis::rpc::audit::LIST_DISCLOSURES;
use sluis::store::sqlite::{SqliteSettings, SqliteStore};

use crate::log_common::Troubled;
use crate::raw::revoke;
use crate::spy::{Says, Spy, instead_of, on_store};
use crate::support::{Ask, Folder, PERSON, PIETER, World};
use crate::walk::{Logged, Walk};

fn file(world: &World, name: &str) -> PathBuf {
    world.setting.dir.join(name)
}

fn edit(world: &World, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(file(world, name)).unwrap();
    assert!(text.contains(from), "{name} holds {from}");
    fs::write(file(world, name), text.replace(from, to)).unwrap();
}

async fn configurations(world: &World) -> Vec<String> {
    let configs = ListDisclosuresRequest { kind: Kind::Config.into(), ..ListDisclosuresRequest::default() };
    world.entries(configs).await.into_iter().map(|entry| entry.registry_hash).collect()
}

#[tokio::test]
async fn what_identifies_callers_is_replaced_as_one_or_not_at_all() {
    let world = World::start("as-one").await;
    let mut walk = Walk::new();
    let diest = Ask { who: "stad-diest", ..Ask::default() };
    let city = world.client("stad-leuven");
    let (token, question) = (world.token("stad-leuven"), world.question(PERSON, PIETER));
    let metadata = Ask::default().metadata();
    let before = configurations(&world).await;
    assert_eq!(before.iter().map(String::len).collect::<Vec<_>>(), [64], "the start names its registry");

    // Diest is revoked; the keys of Leuven's issuer are others; those of the OCMW's cannot be read.
    let elsewhere = Folder::new("other-keys");
    let other = Setting::make(&elsewhere.0, clock::now()).unwrap();
    revoke(&world, "stad-diest");
    let ours = file(&world, "pki/jwks/stad-leuven.json");
    fs::copy(other.dir.join("pki/jwks/stad-leuven.json"), ours).unwrap();
    let broken = file(&world, "pki/jwks/ocmw-leuven.json");
    let sound = fs::read(&broken).unwrap();
    fs::write(&broken, "{}").unwrap();
    let failure = world.running().reload().await.unwrap_err();
    assert!(failure.message.contains("ocmw-leuven.json"), "{}", failure.message);
    assert_eq!(configurations(&world).await, before, "nothing changed, nothing is said");
    city.call(PERSON, &token, &metadata, &question).await.expect("the old registry stands");
    walk.meet("not revoked yet", world.call(&diest).await, Reason::RequesterNotParty, Logged::Refused);

    fs::write(&broken, sound).unwrap();
    let diest_connected = world.client("stad-diest");
    let hello = diest_connected.call(PERSON, &world.token("stad-diest"), &diest.metadata(), &question).await;
    walk.meet("the last time", hello, Reason::RequesterNotParty, Logged::Refused);
    world.running().reload().await.unwrap();
    let after = configurations(&world).await;
    assert_eq!(after.len(), before.len() + 1);
    assert_ne!(after.last(), before.last(), "another registry");
    let outcome = city.call(PERSON, &token, &metadata, &question).await;
    walk.meet("a token verified before", outcome, Reason::TokenRejected, Logged::Refused);
    let outcome = diest_connected.call(PERSON, &world.token("stad-diest"), &diest.metadata(), &question).await;
    walk.meet("an old connection", outcome, Reason::CertificateRevoked, Logged::Refused);
    assert_eq!(world.call(&diest).await.unwrap_err().reason, None, "a new one does not come about");
    world.call(&Ask { who: "ocmw-leuven", ..Ask::default() }).await.expect("the OCMW goes on");
    walk.hold_against_log(&world).await;
    world.verify().await;
}

#[tokio::test]
async fn a_broken_instrument_closes_alone() {
    let world = World::start("broken").await;
    let mut walk = Walk::new();
    let before = world.call(&Ask::default()).await.unwrap();
    let text = fs::read_to_string(file(&world, "protocols/rr-leuven.toml")).unwrap();
    let pinned = &text[text.find("sha256:").unwrap()..][..15];
    for (from, to) in [
        ("[[flow]]", "[[fluw]]"),
        ("person.name.last_names", "person.name.last_name"),
        (pinned, "sha256:00000000"),
    ] {
        let sound = fs::read_to_string(file(&world, "protocols/rr-leuven.toml")).unwrap();
        edit(&world, "protocols/rr-leuven.toml", from, to);
        world.running().reload().await.unwrap();
        walk.meet(to, world.call(&Ask::default()).await, Reason::ProtocolNotInForce, Logged::Refused);
        world.call(&Ask::housing(PIETER)).await.expect("the others are open");
        fs::write(file(&world, "protocols/rr-leuven.toml"), sound).unwrap();
    }
    world.running().reload().await.unwrap();
    let after = world.call(&Ask::default()).await.unwrap();
    assert_eq!(before.message, after.message, "mended");
    let (before, after) = (before.log_index.unwrap(), after.log_index.unwrap());
    let (before, after) = (world.entry(before).await, world.entry(after).await);
    assert_eq!(before.policy_epoch + 4, after.policy_epoch);
    assert_eq!(configurations(&world).await.len(), 1 + 4, "one at the start, one for each reload");
    walk.hold_against_log(&world).await;
}

/// What happens to the instrument while the source is asked, and whether the answer may still leave.
#[rustfmt::skip]
const EDITS: [(&str, &str, &str, bool); 5] = [
    ("housing-sandbox.toml", "from = 2025-01-01", "from = 2025-01-01\nuntil = 2025-12-31", false),
    ("housing-sandbox.toml", "[validity]", "# A comment is not content.\n[validity]", true),
    ("housing-sandbox.toml", "version = \"1\"", "version = \"2\"", false),
    ("housing-sandbox.toml", "[[flow]]", "[[fluw]]", false),
    ("rr-leuven.toml", "from = 2024-01-01", "from = 2024-01-01\nuntil = 2025-12-31", true),
];

#[tokio::test]
async fn an_instrument_that_stops_while_the_source_is_asked_wins() {
    let mut world = World::start("stops").await;
    let spy = Spy::start(&world, Says::File(PIETER)).await;
    instead_of(&mut world, "housing", &spy).await;
    let mut walk = Walk::new();
    let sound = fs::read_to_string(file(&world, "protocols/housing-sandbox.toml")).unwrap();
    for (name, from, to, leaves) in EDITS {
        fs::write(file(&world, "protocols/housing-sandbox.toml"), &sound).unwrap();
        world.running().reload().await.unwrap();
        let ask = Ask::housing(PIETER);
        let (outcome, ()) = tokio::join!(world.call(&ask), async {
            spy.question().await;
            edit(&world, &format!("protocols/{name}"), from, to);
            world.running().reload().await.unwrap();
            spy.answer();
        });
        if leaves {
            assert!(!outcome.unwrap().message.is_empty(), "{to}");
        } else {
            walk.meet(to, outcome, Reason::ProtocolNotInForce, Logged::Denied);
        }
    }
    walk.hold_against_log(&world).await;
    world.verify().await;
}

/// The change is in the log, but not yet everywhere, when the answer is settled: it must be settled again.
#[tokio::test]
async fn a_change_that_commits_first_wins_over_an_answer_that_was_settled_before_it() {
    let mut world = World::start("stale").await;
    let spy = Spy::start(&world, Says::File(PIETER)).await;
    instead_of(&mut world, "housing", &spy).await;
    world.stop().await;
    let store =
        Troubled::new(SqliteStore::open(SqliteSettings::new(&world.config.log.database)).await.unwrap());
    on_store(&mut world, store.clone()).await;
    let mut walk = Walk::new();
    for leaves in [true, false] {
        let change =
            if leaves { ("rr-leuven.toml", "2024-01-01") } else { ("housing-sandbox.toml", "2025-01-01") };
        let expired = format!("{}\nuntil = 2025-12-31", change.1);
        let ask = Ask::housing(PIETER);
        let (outcome, reloaded) = tokio::join!(world.call(&ask), async {
            spy.question().await;
            edit(&world, &format!("protocols/{}", change.0), change.1, &expired);
            let (begun, go) = store.hold();
            let (reloaded, ()) = tokio::join!(world.running().reload(), async {
                begun.notified().await;
                spy.answer();
                // Meanwhile the answer arrives and is settled under the old policy. Should it be late, it is
                // settled under the new one: it ends the same.
                for _ in 0..4 {
                    let health =
                        world.client("stad-leuven").call("/grpc.health.v1.Health/Check", "", &[], b"").await;
                    health.unwrap();
                }
                go.notify_one();
            });
            reloaded
        });
        reloaded.unwrap();
        if leaves {
            assert!(!outcome.unwrap().message.is_empty());
        } else {
            walk.meet("settled again", outcome, Reason::ProtocolNotInForce, Logged::Denied);
        }
    }
    walk.hold_against_log(&world).await;
}

#[tokio::test]
async fn two_organisations_that_share_a_number_stay_apart() {
    let world = World::start("apart").await;
    let mut walk = Walk::new();
    let shared = "0316380841";
    edit(
        &world,
        "pki/registry.toml",
        "kbo = \"0999999922\"",
        &format!("kbo = \"{shared}\"\novo = \"OVO999911\""),
    );
    let unmarked = world.running().reload().await;
    unmarked.expect("one alone has its OVO code");
    edit(&world, "pki/registry.toml", "kbo = \"0207494678\"", &format!("kbo = \"{shared}\""));
    assert!(world.running().reload().await.is_err(), "without an OVO code nobody can tell them apart");
    edit(
        &world,
        "pki/registry.toml",
        &format!("kbo = \"{shared}\"\nroles"),
        &format!("kbo = \"{shared}\"\novo = \"OVO999912\"\nroles"),
    );
    let text = fs::read_to_string(file(&world, "protocols/rr-leuven.toml")).unwrap();
    let text = text
        .replace("id = \"rr-leuven\"", "id = \"rr-apart\"")
        .replace("stad-leuven", "stad-diest")
        .replace("kbo = \"0207521503\"", &format!("kbo = \"{shared}\"\novo = \"OVO999911\""));
    fs::write(file(&world, "protocols/rr-apart.toml"), text).unwrap();
    world.running().reload().await.unwrap();

    let ask = Ask { who: "stad-diest", protocol: "rr-apart", ..Ask::default() };
    let released = world.call(&ask).await.unwrap();
    let other = Ask { who: "stad-kortrijk", ..ask };
    let refusal = walk.meet("the other", world.call(&other).await, Reason::RequesterNotParty, Logged::Refused);
    for (organisation, indexes) in [
        (format!("{shared}/OVO999911"), vec![released.log_index.unwrap() - 1, released.log_index.unwrap()]),
        (format!("{shared}/OVO999912"), vec![refusal.log_index.unwrap()]),
        (shared.to_owned(), vec![]),
    ] {
        let of =
            ListDisclosuresRequest { organisation: organisation.clone(), ..ListDisclosuresRequest::default() };
        let found: Vec<u64> = world.entries(of).await.iter().map(|entry| entry.index).collect();
        assert_eq!(found, indexes, "{organisation}");
    }
    let token = world.token("stad-diest");
    let outcome = world.client("stad-kortrijk").call(LIST_DISCLOSURES, &token, &[], b"").await;
    walk.meet("with the other's token", outcome, Reason::TokenRejected, Logged::Refused);
}
