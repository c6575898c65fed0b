//! Nothing of a person in what operators see, however much they ask to see.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use sluis::cli::client::Client;
use sluis::proto::audit::ListDisclosuresRequest;
use sluis::sandbox::{self, Trouble, UNDECLARED};

use crate::process::{Going, SLUIS};
use crate::support::{Ask, Folder, PERSON, REPLACED, World};

fn secrets() -> Vec<String> {
    let people = sandbox::list().unwrap();
    let mut secrets: Vec<String> = people.iter().map(|person| person.insz.clone()).collect();
    let named = people.iter().filter(|person| Trouble::of(&person.insz).is_none());
    let words = named.flat_map(|person| person.name.split(' ')).filter(|word| word.len() > 3);
    secrets.extend(words.map(str::to_owned));
    secrets.extend([REPLACED, UNDECLARED, "someone@", "Hopplukkersstraat", "PV-2026"].map(str::to_owned));
    secrets
}

/// A gateway of its own process; what it says goes to a file.
fn serve(world: &World, said: &Path) -> Going {
    let bound = world.setting.dir.join("bound.json");
    std::fs::remove_file(&bound).unwrap();
    let mut command = Command::new(SLUIS);
    command.args(["serve", "--config", world.setting.config().to_str().unwrap()]).env("RUST_LOG", "trace");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(said).unwrap());
    let going = Going::start(&mut command);
    while !bound.exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    going
}

fn client(world: &World, who: &str) -> Client {
    let bound = std::fs::read_to_string(world.setting.dir.join("bound.json")).unwrap();
    let bound: serde_json::Value = serde_json::from_str(&bound).unwrap();
    let issued = &world.setting.party(who).unwrap().issued;
    let address = bound["gateway"].as_str().unwrap();
    Client::new(address, &world.setting.authority(), &issued.certificate, &issued.key).unwrap()
}

/// Everybody, over both wires, and everything that goes wrong; then an auditor.
async fn story(world: &World) {
    let (city, ocmw) = (client(world, "stad-leuven"), client(world, "ocmw-leuven"));
    let (city_token, ocmw_token) = (world.token("stad-leuven"), world.token("ocmw-leuven"));
    // One in three, and all who mean trouble.
    let people = sandbox::list().unwrap().into_iter().enumerate();
    let people = people.filter(|(n, person)| n % 3 == 0 || Trouble::of(&person.insz).is_some());
    for (_, person) in people {
        let hurry = [("grpc-timeout", "400m")];
        for (client, token, ask) in [
            (&city, &city_token, Ask { more: &hurry, subject: &person.insz, ..Ask::default() }),
            (&ocmw, &ocmw_token, Ask { more: &hurry, ..Ask::housing(&person.insz) }),
        ] {
            let question = world.question(ask.method, ask.subject);
            let _ = client.call(ask.method, token, &ask.metadata(), &question).await;
        }
    }
    for person in sandbox::list().unwrap().iter().take(5) {
        let case = Ask { case: &person.insz, subject: &person.name, ..Ask::default() };
        let question = world.question(PERSON, case.subject);
        let _ = city.call(PERSON, &city_token, &case.metadata(), &question).await;
        let path = format!("/{}/{}", person.insz, person.insz);
        let _ = city.call(&path, &city_token, &case.metadata(), &question).await;
        let _ = city.call(PERSON, &person.insz, &case.metadata(), &question).await;
    }
    let auditor = client(world, "audit-leuven");
    let request = ListDisclosuresRequest::default();
    let found = sluis::cli::log::ask(&auditor, &world.token("audit-leuven"), request, usize::MAX)
        .await
        .unwrap()
        .entries;
    assert!(found.len() > 100);
}

#[tokio::test]
async fn the_log_of_operation_names_nobody() {
    let mut world = World::start("traced").await;
    world.stop().await;
    let folder = Folder::new("said");
    let said = folder.0.join("stderr");
    let mut going = serve(&world, &said);
    story(&world).await;
    going.signal("HUP");
    going.signal("TERM");
    assert_eq!(going.wait(), Some(0));

    let said = std::fs::read_to_string(&said).unwrap();
    assert!(said.contains("serving") && said.contains("stopped"), "it does speak");
    assert!(said.contains("h2::"), "and lets others speak");
    for secret in secrets() {
        assert_eq!(said.find(&secret).map(|at| said[..at].lines().count()), None, "{secret}: line of stderr");
    }
    world.verify().await;
}
