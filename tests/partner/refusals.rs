//! Sets that a running gateway does not take, and sets that close what an instrument opened.

use sluis::proto::audit::{Kind, ListDisclosuresRequest};

use crate::place::{METHOD, Place, blocks};

/// Builds the set anew from other text.
fn build(place: &Place, proto: &str, more: &str) {
    std::fs::write(place.file("permits.proto"), proto).unwrap();
    place.done(&format!("sluis source build permits.proto {more} --output permits.binpb"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_may_not_be_leaves_the_old_one_in_force_and_holds_up_nothing_else() {
    let place = Place::start("partner-refused").await;
    place.add();
    place.answer();
    let sound = std::fs::read(place.file("permits.binpb")).unwrap();
    let proto = blocks("proto").remove(0);
    let foreign = proto.replace("package parking.permits.v1", "package sluis.parking.v1");
    let others = proto.replace("source: \"parking\"", "source: \"housing\"");
    let served = proto
        .replace("package parking.permits.v1", "package sandbox.housing.v1")
        .replace("service PermitService", "service HousingService")
        .replace("rpc GetPermit(", "rpc GetHousingFile(");
    for (text, said) in [
        (foreign, "package sluis.parking.v1 is the gateway's own"),
        (others, "its `source` is \\\"housing\\\""),
        (served, "it is served already, by the gateway's own vocabulary (source \\\"housing\\\")"),
        (proto.replace("subject: true, ", ""), "no field of the request is the data subject"),
    ] {
        build(&place, &text, "");
        place.reload(&said.replace("\\\"", "\""));
        place.call().await.expect("the old set is in force");
    }
    // Options of the partner's own making, compiled by what does not know better.
    let options = include_str!("../../proto/sluis/options/v1/options.proto");
    std::fs::create_dir_all(place.file("own/sluis/options/v1")).unwrap();
    let lax = options.replace("bool third_person = 3;", "bool third_person = 33;");
    std::fs::write(place.file("own/sluis/options/v1/options.proto"), lax).unwrap();
    std::fs::write(place.file("own/permits.proto"), &proto).unwrap();
    let mut compiler = protox::Compiler::new([place.file("own")]).unwrap();
    compiler.include_imports(true).open_file(place.file("own/permits.proto")).unwrap();
    for (bytes, said) in [
        (compiler.encode_file_descriptor_set(), "sluis.options.v1.Field.third_person is another one"),
        (b"no set".to_vec(), "not an encoded google.protobuf.FileDescriptorSet"),
        (Vec::new(), "nothing of it would be served"),
    ] {
        std::fs::write(place.file("permits.binpb"), bytes).unwrap();
        place.reload(said);
        place.call().await.expect("the old set is in force");
    }
    std::fs::remove_file(place.file("permits.binpb")).unwrap();
    place.reload("permits.binpb: No such file");
    place.call().await.expect("the old set is in force");

    // What else was read anew is in force: an instrument, while the set is still at fault.
    let instrument = std::fs::read_to_string(place.file("protocols/parking.toml")).unwrap();
    let ended = instrument.replace("from = 2026-01-01", "from = 2026-01-01\nuntil = 2026-01-31");
    std::fs::write(place.file("protocols/parking.toml"), ended).unwrap();
    place.reload("all else is reloaded");
    let refusal = place.call().await.unwrap_err();
    assert_eq!(refusal.reason.as_deref(), Some("PROTOCOL_NOT_IN_FORCE"));
    std::fs::write(place.file("permits.binpb"), sound).unwrap();
    std::fs::write(place.file("protocols/parking.toml"), instrument).unwrap();
    place.reload(": reloaded");
    place.call().await.expect("mended");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_tags_and_labels_close_the_instrument_and_a_removed_set_leaves_nothing() {
    let place = Place::start("partner-changed").await;
    place.add();
    place.answer();
    let proto = blocks("proto").remove(0);
    for (from, to) in [
        ("string zone = 3 ", "string zone = 9 "),
        (
            "string zone = 3 [(sluis.options.v1.field) = {}]",
            "string zone = 3 [(sluis.options.v1.field).history = true]",
        ),
    ] {
        assert!(proto.contains(from), "{from}");
        build(&place, &proto.replace(from, to), "");
        place.reload("the descriptors of parking.permits.v1.PermitService.GetPermit are other ones");
        let refusal = place.call().await.unwrap_err();
        assert_eq!(refusal.reason.as_deref(), Some("PROTOCOL_NOT_IN_FORCE"), "{to}");
        build(&place, &proto, "");
        place.reload(": reloaded");
        place.call().await.expect("as it was");
    }

    let config = std::fs::read_to_string(place.file("sluis.toml")).unwrap();
    let (without, _) = config.split_once("\n[[source]]\nname = \"parking\"").unwrap();
    std::fs::write(place.file("sluis.toml"), without).unwrap();
    let heard = place.source.heard().len();
    place.reload(": reloaded");
    let refusal = place.call().await.unwrap_err();
    assert_eq!(refusal.reason.as_deref(), Some("METHOD_UNKNOWN"));
    let refused = ListDisclosuresRequest { kind: Kind::Refused.into(), ..ListDisclosuresRequest::default() };
    let entry = place.entries(refused).await.pop().unwrap();
    assert_eq!(Some(entry.index), refusal.log_index);
    assert_eq!((entry.method.as_str(), entry.outcome.as_str()), (METHOD, "METHOD_UNKNOWN"));
    assert_eq!(place.source.heard().len(), heard, "nobody asked it");
}
