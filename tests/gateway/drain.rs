//! The gateway stops: what is under way ends well, nothing new begins, and the log is whole.

use sluis::domain::reason::Reason;
use sluis::proto::audit::ListDisclosuresRequest;
use tokio::net::TcpStream;

use crate::spy::{Says, Spy, instead_of};
use crate::support::{Ask, HOUSING, PIETER, Plan, World};
use crate::walk::kind_of;

#[tokio::test]
async fn what_is_under_way_is_finished_and_nothing_new_is_taken() {
    let mut world = World::start("drain").await;
    let spy = Spy::start(&world, Says::File(PIETER)).await;
    instead_of(&mut world, "housing", &spy).await;
    let address = world.running().gateway;
    let ask = Ask::housing(PIETER);
    let (client, token) = (world.client(ask.who), world.token(ask.who));
    let (metadata, question) = (ask.metadata(), world.question(HOUSING, PIETER));
    let running = world.running.take().unwrap();

    let under_way = client.call(HOUSING, &token, &metadata, &question);
    let (reply, ()) = tokio::join!(under_way, async {
        spy.question().await;
        let stopping = tokio::spawn(running.stop());
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!stopping.is_finished(), "it waits for what is under way");
        spy.answer();
        stopping.await.unwrap();
    });
    let reply = reply.unwrap();
    assert!(!reply.message.is_empty());
    let after = client.call(HOUSING, &token, &metadata, &question).await.unwrap_err();
    assert_eq!((after.reason, after.status.code()), (None, tonic::Code::Unavailable));

    let size = world.verify().await;
    assert_eq!(reply.log_index, Some(size - 1), "the disclosure is the last entry");
}

/// A drain that takes too long cuts off what is left; the log says that it was.
#[tokio::test]
async fn whoever_outlasts_the_drain_is_cut_off_and_closed_in_the_log() {
    let short = |text: String| format!("{text}\n[limits]\ndrain_ms = 100\n");
    let mut world = World::planned("cut-off", Plan { configure: short, ..Plan::default() }).await;
    let spy = Spy::start(&world, Says::File(PIETER)).await;
    instead_of(&mut world, "housing", &spy).await;
    let running = world.running.take().unwrap();
    let ask = Ask::housing(PIETER);
    let issued = &world.setting.party(ask.who).unwrap().issued;
    let address = running.gateway.to_string();
    let client =
        sluis::cli::client::Client::new(&address, &world.setting.authority(), &issued.certificate, &issued.key);
    let (client, token) = (client.unwrap(), world.token(ask.who));
    let (metadata, question) = (ask.metadata(), world.question(HOUSING, PIETER));
    let (cut, ()) = tokio::join!(client.call(HOUSING, &token, &metadata, &question), async {
        spy.question().await;
        running.stop().await;
    });
    assert_eq!(cut.unwrap_err().reason, None);
    world.verify().await;

    world.running = Some(sluis::cli::serve::start(world.config.clone()).await.unwrap());
    let entries = world.entries(ListDisclosuresRequest::default()).await;
    let asked = entries.iter().find(|entry| kind_of(entry) == "KIND_ASKED").unwrap();
    let closed: Vec<_> = entries.iter().filter(|entry| entry.asked == Some(asked.index)).collect();
    assert_eq!(closed.len(), 1);
    let how = (kind_of(closed[0]), closed[0].outcome.as_str());
    assert_eq!(how, ("KIND_FAILED", Reason::Cancelled.name()));
}
