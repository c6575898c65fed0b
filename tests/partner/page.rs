//! docs/partners.md, done.

use prost_reflect::DynamicMessage;
use sluis::cli::demo::Setting;
use sluis::clock;
use sluis::proto::audit::{Kind, ListDisclosuresRequest};

use crate::place::{METHOD, Place, blocks};
use crate::support::PIETER;
use crate::support::source::{Source, Speaks};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_says_brings_a_partner_to_an_exchange() {
    let place = Place::start("partner-page").await;
    let unknown = place.call().await.unwrap_err();
    assert_eq!(unknown.reason.as_deref(), Some("METHOD_UNKNOWN"), "nobody has thought of it");
    place.add();
    place.answer();
    let heard = place.source.heard().len();
    let reply = place.call().await.unwrap();

    let output = place.vocabulary().method(METHOD).unwrap().output.clone();
    let answer = DynamicMessage::decode(output, reply.message.clone()).unwrap();
    assert_eq!(
        answer.to_string(),
        r#"permit{plates:["the plates"],zone:"the zone",valid_until:"the valid_until"}"#
    );
    let question = &place.source.heard()[heard..];
    assert_eq!((question.len(), question[0].path.as_str()), (1, METHOD));
    assert_eq!(question[0].body[5..], [&[0x0a, 11][..], PIETER.as_bytes()].concat());

    let entry = place
        .entries(ListDisclosuresRequest { kind: Kind::Released.into(), ..Default::default() })
        .await
        .pop()
        .unwrap();
    assert_eq!((entry.method.as_str(), entry.source.as_str()), (METHOD, "parking"));
    assert_eq!(entry.fields_released, ["permit.plates", "permit.zone", "permit.valid_until"]);
    let configurations =
        place.entries(ListDisclosuresRequest { kind: Kind::Config.into(), ..Default::default() }).await;
    let details: Vec<_> =
        configurations.iter().map(|entry| entry.detail.rsplit_once("vocabulary ").unwrap().1).collect();
    assert!(matches!(details[..], [before, after] if before != after), "{details:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_say_what_they_found_and_what_to_mend() {
    let place = Place::start("partner-commands").await;
    std::fs::write(place.file("permits.proto"), &blocks("proto")[0]).unwrap();
    assert_eq!(place.done("sluis source lint permits.proto --source parking"), "0 refused, 0 warnings\n");
    let before = std::fs::read_to_string(place.file("sluis.toml")).unwrap();
    place.add();
    let after = std::fs::read_to_string(place.file("sluis.toml")).unwrap();
    assert!(after.starts_with(&before), "what stood there stands, comments and all");

    // A wire that needs more said than this set says.
    std::fs::write(place.file("magda.toml"), &before).unwrap();
    let line = "sluis source add parking --wire magda --endpoint https://localhost:1 --ca pki/ca.pem --descriptors permits.binpb \
                --config magda.toml";
    let done = place.run(line);
    assert!(done.exit == 3 && done.err.contains("is asked over MAGDA"), "{}", done.err);
    assert_eq!(std::fs::read_to_string(place.file("magda.toml")).unwrap(), before, "nothing is written");

    let listed: serde_json::Value =
        serde_json::from_str(&place.done("sluis source list --output json")).unwrap();
    let parking = listed.as_array().unwrap().iter().find(|one| one["name"] == "parking").unwrap();
    assert_eq!(parking["methods"], serde_json::json!(["parking.permits.v1.PermitService.GetPermit"]));
    assert_eq!(parking["certificate"]["expired"], false);
    assert!(place.done("sluis source list").contains("ours 20"));

    let probed = place.done("sluis source probe parking");
    let steps: Vec<&str> = probed.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(steps, ["resolve", "connect", "tls", "alpn", "grpc"], "{probed}");
    let nobody = place.source.heard().into_iter().all(|heard| heard.path == "/grpc.health.v1.Health/Check");
    assert!(nobody, "a probe asks about nobody");

    for (line, exit, said) in [
        (
            "sluis source add parking --endpoint https://localhost:1 --ca pki/ca.pem --descriptors permits.binpb",
            3,
            "is there already",
        ),
        (
            "sluis source add other --endpoint https://localhost:1 --ca pki/ca.pem --descriptors permits.binpb",
            1,
            "its `source` is \"parking\"",
        ),
        (
            "sluis source add parking2 --endpoint https://localhost:1 --ca pki/ca.pem --descriptors none.binpb",
            3,
            "none.binpb",
        ),
        ("sluis source lint permits.binpb --source parking --config sluis.toml", 0, "0 refused"),
        ("sluis source lint permits.binpb --source other", 1, "1 to mend"),
        ("sluis source build none.proto --output x.binpb", 1, "none.proto"),
        ("sluis source probe nobody", 3, "there are: rijksregister, ksz, housing, parking"),
        // Nobody listens at the port of the demo's housing partner here.
        ("sluis source probe housing", 4, "connect: "),
        ("sluis source list --config none.toml", 3, "none.toml"),
    ] {
        let done = place.run(line);
        assert_eq!(done.exit, exit, "{line}: {}{}", done.out, done.err);
        assert!(format!("{}{}", done.out, done.err).contains(said), "{line}: {}{}", done.out, done.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_names_the_step_that_fails() {
    let place = Place::start("partner-probe").await;
    place.add();
    let config = std::fs::read_to_string(place.file("sluis.toml")).unwrap();
    let (address, port) = (place.source.address.to_string(), place.source.address.port());
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = other.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = other.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    place.done("sluis pki init --dir other");
    let of_another_name = stranger(&place, "other.example").await;
    let trusts_others = stranger(&place, "127.0.0.1").await;
    for (from, to, said) in [
        (address.clone(), format!("no-such-host.invalid:{port}"), "resolve: "),
        (address.clone(), "127.0.0.1:9".to_owned(), "connect: "),
        (address.clone(), silent.to_string(), "tls: it does not speak TLS"),
        (address.clone(), of_another_name.address.to_string(), "tls: its certificate is not for 127.0.0.1"),
        (address.clone(), trusts_others.address.to_string(), "tls: the source broke off"),
        (
            "ca = \"pki/ca.pem\"\ndescriptors".to_owned(),
            "ca = \"other/ca.pem\"\ndescriptors".to_owned(),
            "tls: its certificate is not of an authority in",
        ),
    ] {
        assert!(config.contains(&from), "{from}");
        std::fs::write(place.file("sluis.toml"), config.replace(&from, &to)).unwrap();
        let done = place.run("sluis source probe parking");
        assert_eq!(done.exit, 4, "{to}: {}", done.err);
        assert!(done.err.contains(said), "{to}: {}", done.err);
        assert!(done.out.lines().last().unwrap().contains("FAILED"), "{}", done.out);
    }
}

/// A service with a certificate for this name, which trusts gateways of another authority.
async fn stranger(place: &Place, name: &str) -> Source {
    place.done(&format!("sluis pki issue --dir pki --profile source --name s{} --san {name}", name.len()));
    let setting = Setting::make(&place.file(&format!("elsewhere-{name}")), clock::now()).unwrap();
    for (kind, to) in [("pem", &setting.sources.certificate), ("key", &setting.sources.key)] {
        std::fs::copy(place.file(&format!("pki/s{}.{kind}", name.len())), to).unwrap();
    }
    Source::start(&setting, Speaks::Http2).await
}
