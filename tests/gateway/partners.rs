//! Descriptor sets that change while the gateway runs: what is on its way meets the new one.

use std::fmt::Write as _;

use sluis::cli::token;
use sluis::clock;
use sluis::domain::instrument::sha256_text;
use sluis::domain::reason::Reason;
use sluis::domain::vocabulary::Vocabulary;

use crate::spy::{Says, Spy};
use crate::support::{PIETER, World};
use crate::walk::{Logged, Walk};

const METHOD: &str = "/parking.permits.v1.PermitService/GetPermit";

/// The block of docs/partners.md in a language.
fn block(language: &str) -> &'static str {
    let page = include_str!("../../docs/partners.md");
    page.split_once(&format!("```{language}\n")).unwrap().1.split("```").next().unwrap()
}

/// Writes the set of a text beside the configuration; gives the pin of its method.
fn write_set(world: &World, proto: &str) -> String {
    let folder = world.setting.dir.join("partner");
    let options = folder.join("sluis/options/v1");
    std::fs::create_dir_all(&options).unwrap();
    std::fs::write(options.join("options.proto"), include_str!("../../proto/sluis/options/v1/options.proto"))
        .unwrap();
    std::fs::write(folder.join("permits.proto"), proto).unwrap();
    let mut compiler = protox::Compiler::new([&folder]).unwrap();
    compiler.include_imports(true).open_file(folder.join("permits.proto")).unwrap();
    let set = compiler.encode_file_descriptor_set();
    std::fs::write(world.setting.dir.join("permits.binpb"), &set).unwrap();
    let vocabulary = Vocabulary::embedded().unwrap().with("parking", &set).unwrap();
    sha256_text(&vocabulary.method(METHOD).unwrap().descriptor_hash)
}

/// Makes the partner a source of the running gateway.
pub async fn added(world: &World, spy: &Spy) {
    let pin = write_set(world, block("proto"));
    let instrument = block("toml").replace("sha256:…", &pin);
    std::fs::write(world.setting.dir.join("protocols/parking.toml"), instrument).unwrap();
    let mut config = std::fs::read_to_string(world.setting.config()).unwrap();
    write!(
        config,
        "\n[[source]]\nname = \"parking\"\nwire = \"grpc\"\nendpoint = \"https://{}\"\nca = \"pki/ca.pem\"\n\
         descriptors = \"permits.binpb\"\n",
        spy.address
    )
    .unwrap();
    std::fs::write(world.setting.config(), config).unwrap();
    world.running().reload().await.unwrap().sources.unwrap();
}

async fn call(world: &World) -> Result<sluis::cli::client::Reply, Box<sluis::cli::client::Refusal>> {
    let party = world.setting.party("stad-leuven").unwrap();
    let token = token::mint(&party.token(), clock::now()).unwrap();
    let metadata =
        [("sluis-protocol", "parking"), ("sluis-purpose", "parking-control"), ("sluis-case", "PV-1")];
    let question = [&[0x0a, 11][..], PIETER.as_bytes()].concat();
    world.client("stad-leuven").call(METHOD, &token, &metadata, &question).await
}

/// A permit: the number, and a zone.
fn permit() -> Vec<u8> {
    let inner = [&[0x0a, 11][..], PIETER.as_bytes(), b"\x1a\x04zone"].concat();
    [&[0x0a, u8::try_from(inner.len()).unwrap()][..], &inner].concat()
}

#[tokio::test]
async fn a_set_that_changes_while_the_source_is_asked_wins() {
    let world = World::start("partner-asked").await;
    let spy = Spy::start(&world, Says::Message(permit())).await;
    added(&world, &spy).await;
    let mut walk = Walk::new();
    let proto = block("proto");
    let config = std::fs::read_to_string(world.setting.config()).unwrap();
    let without = config.split_once("\n[[source]]\nname = \"parking\"").unwrap().0;
    // What is written meanwhile as set and configuration, and whether the answer may still leave.
    for (set, written, leaves) in [
        (proto.to_owned(), &*config, true),
        (proto.replace("string zone = 3 ", "string zone = 9 "), &config, false),
        (
            proto.replace(
                "repeated string plates = 2 [(sluis.options.v1.field) = {}]",
                "repeated string plates = 2",
            ),
            &config,
            false,
        ),
        (proto.to_owned(), without, false),
    ] {
        write_set(&world, proto);
        std::fs::write(world.setting.config(), &config).unwrap();
        world.running().reload().await.unwrap().sources.unwrap();
        let (outcome, ()) = tokio::join!(call(&world), async {
            spy.question().await;
            write_set(&world, &set);
            std::fs::write(world.setting.config(), written).unwrap();
            world.running().reload().await.unwrap().sources.unwrap();
            spy.answer();
        });
        if leaves {
            assert_eq!(&outcome.unwrap().message[..], b"\x0a\x06\x1a\x04zone");
        } else {
            walk.meet("changed", outcome, Reason::ProtocolNotInForce, Logged::Denied);
        }
    }
    walk.hold_against_log(&world).await;
    world.verify().await;
}

#[tokio::test]
async fn a_source_of_which_nothing_changed_keeps_its_connection() {
    let world = World::start("partner-kept").await;
    let spy = Spy::start(&world, Says::Message(permit())).await;
    added(&world, &spy).await;
    for _ in 0..3 {
        let (outcome, ()) = tokio::join!(call(&world), async {
            spy.question().await;
            spy.answer();
        });
        outcome.unwrap();
        world.running().reload().await.unwrap().sources.unwrap();
    }
    let workers =
        world.config.listen.workers.unwrap_or_else(|| std::thread::available_parallelism().unwrap().get());
    assert!(spy.connections() <= workers, "{} connections", spy.connections());
}
