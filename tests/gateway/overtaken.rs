//! What changes while a source is thinking: whoever lost the right to ask meanwhile gets nothing of the answer.

use std::time::Duration;

use sluis::proto::audit::{Kind, ListDisclosuresRequest};
use sluis::sandbox::Played;

use crate::raw;
use crate::support::{Ask, Plan, World};

/// The sandbox answers about this person after a delay.
const SLOW: &str = "70723190146";

fn edit(world: &World, file: &str, from: &str, to: &str) {
    let path = world.setting.dir.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// Asks the slow source, changes and reloads while it thinks, and gives what came of the question.
async fn overtaken(name: &str, change: fn(&World)) -> String {
    let plan = Plan { delay: Duration::from_millis(1500), ..Plan::default() };
    let world = World::planned(name, plan).await;
    let ask = Ask { subject: SLOW, ..Ask::default() };
    let meanwhile = async {
        while world.sandbox.questions(Played::Magda) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        change(&world);
        world.running().reload().await.unwrap();
    };
    let (ended, ()) = tokio::join!(world.call(&ask), meanwhile);
    let refusal = ended.unwrap_err();
    let entries = world.entries(ListDisclosuresRequest::default()).await;
    let closing = entries.iter().find(|entry| entry.asked.is_some()).unwrap();
    assert_eq!(Some(closing.index), refusal.log_index);
    assert_eq!(closing.kind, Kind::Refused as i32);
    assert!(closing.fields_released.is_empty());
    world.verify().await;
    refusal.reason.unwrap()
}

#[tokio::test]
async fn an_answer_does_not_reach_whose_certificate_was_revoked_meanwhile() {
    assert_eq!(overtaken("revoked", |world| raw::revoke(world, "stad-leuven")).await, "CERTIFICATE_REVOKED");
}

#[tokio::test]
async fn an_answer_does_not_reach_whose_key_was_struck_off_meanwhile() {
    let strike = |world: &World| {
        let key = world.setting.party("stad-leuven").unwrap().issued.thumbprint.to_string();
        edit(world, "pki/registry.toml", &key, &format!("sha256:{}", "A".repeat(43)));
    };
    assert_eq!(overtaken("struck", strike).await, "CALLER_NOT_REGISTERED");
}

#[tokio::test]
async fn an_answer_does_not_leave_under_an_instrument_that_ended_meanwhile() {
    let end =
        |world: &World| edit(world, "protocols/rr-leuven.toml", "[validity]", "[validity]\nuntil = 2025-12-31");
    assert_eq!(overtaken("ended", end).await, "PROTOCOL_NOT_IN_FORCE");
}
