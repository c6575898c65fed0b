//! Reflection: what is served now, in both versions, to whoever is registered and to nobody else.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use sluis::cli::client::{Client, Refusal, Reply};
use sluis::domain::reason::Reason;
use sluis::frame;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse};

use crate::partners::added;
use crate::raw::{revoke, unregistered};
use crate::spy::{Says, Spy};
use crate::support::caller::Caller;
use crate::support::{Plan, World};
use crate::walk::{Logged, Walk};

const VERSIONS: [&str; 2] = ["v1", "v1alpha"];

/// One question in a stream of its own. Both versions have one form on the wire.
async fn ask(client: &Client, version: &str, question: MessageRequest) -> Result<Reply, Box<Refusal>> {
    let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
    let question = ServerReflectionRequest { host: "here".into(), message_request: Some(question) };
    client.call(&path, "", &[], &question.encode_to_vec()).await
}

async fn answer(world: &World, version: &str, question: MessageRequest) -> MessageResponse {
    let reply = ask(&world.client("stad-leuven"), version, question).await.unwrap();
    ServerReflectionResponse::decode(reply.message).unwrap().message_response.unwrap()
}

async fn services(world: &World, version: &str) -> Vec<String> {
    let MessageResponse::ListServicesResponse(list) =
        answer(world, version, MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list")
    };
    list.service.into_iter().map(|service| service.name).collect()
}

#[tokio::test]
async fn reflection_tells_what_is_served_now_partners_included() {
    let world = World::start("reflection").await;
    let spy = Spy::start(&world, Says::Message(Vec::new())).await;
    let own = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "sandbox.housing.v1.HousingService",
        "sluis.audit.v1.AuditService",
        "sluis.rijksregister.v1.PersonService",
    ];
    let partner = "parking.permits.v1.PermitService";
    for version in VERSIONS {
        let listed = services(&world, version).await;
        assert!(own.iter().all(|name| listed.iter().any(|one| one == name)), "{listed:?}");
        assert!(!listed.iter().any(|one| one == partner), "nobody has thought of it");
    }
    added(&world, &spy).await;
    for version in VERSIONS {
        let listed = services(&world, version).await;
        assert!(listed.iter().any(|one| one == partner), "{listed:?}");
        // Each with all that a client needs to read it.
        for symbol in listed.iter().map(String::as_str).chain([
            "parking.permits.v1.PermitService.GetPermit",
            "parking.permits.v1.Permit.zone",
            "sandbox.housing.v1.FileStatus",
            "sluis.options.v1.field",
        ]) {
            let answer = answer(&world, version, MessageRequest::FileContainingSymbol(symbol.into())).await;
            let MessageResponse::FileDescriptorResponse(files) = answer else { panic!("{symbol}: {answer:?}") };
            let mut pool = DescriptorPool::new();
            // In no order: what lacks an import comes again.
            let all = &files.file_descriptor_proto;
            for file in all.iter().cycle().take(all.len() * all.len()) {
                let _ = pool.decode_file_descriptor_proto(&**file);
            }
            assert_eq!(pool.files().count(), files.file_descriptor_proto.len(), "{symbol}");
        }
    }
}

#[tokio::test]
async fn reflection_says_what_it_does_not_know() {
    let world = World::start("reflection-unknown").await;
    for question in [
        MessageRequest::FileContainingSymbol("no.such.Thing".into()),
        MessageRequest::FileContainingSymbol(String::new()),
        MessageRequest::FileByFilename("../../etc/passwd".into()),
        MessageRequest::AllExtensionNumbersOfType("no.such.Thing".into()),
        MessageRequest::FileContainingExtension(ExtensionRequest {
            containing_type: "google.protobuf.FieldOptions".into(),
            extension_number: -1,
        }),
    ] {
        let answer = answer(&world, "v1", question.clone()).await;
        let MessageResponse::ErrorResponse(error) = answer else { panic!("{question:?}: {answer:?}") };
        assert_eq!(error.error_code, 5, "NOT_FOUND");
    }
    let options = "google.protobuf.FieldOptions";
    let numbers = answer(&world, "v1", MessageRequest::AllExtensionNumbersOfType(options.into())).await;
    assert!(
        matches!(&numbers, MessageResponse::AllExtensionNumbersResponse(all) if all.extension_number.contains(&50501))
    );
    let extension = ExtensionRequest { containing_type: options.into(), extension_number: 50501 };
    let file = answer(&world, "v1", MessageRequest::FileContainingExtension(extension)).await;
    assert!(matches!(file, MessageResponse::FileDescriptorResponse(_)));
    let file =
        answer(&world, "v1", MessageRequest::FileByFilename("sluis/options/v1/options.proto".into())).await;
    assert!(matches!(file, MessageResponse::FileDescriptorResponse(_)));
}

#[tokio::test]
async fn reflection_is_for_who_is_registered_and_where_it_is_on() {
    let list = || MessageRequest::ListServices(String::new());
    let world = World::start("reflection-strangers").await;
    let stranger = unregistered(&world, "stranger");
    let client =
        Client::new(&world.address(), &world.setting.authority(), &stranger.certificate, &stranger.key)
            .unwrap();
    let mut walk = Walk::new();
    let diest = world.client("stad-diest");
    ask(&diest, "v1", list()).await.expect("registered");
    revoke(&world, "stad-diest");
    world.running().reload().await.unwrap();
    for version in VERSIONS {
        let outcome = ask(&client, version, list()).await;
        walk.meet("a stranger", outcome, Reason::CallerNotRegistered, Logged::Nothing);
        let outcome = ask(&diest, version, list()).await;
        walk.meet("revoked on an open connection", outcome, Reason::CertificateRevoked, Logged::Refused);
    }
    walk.hold_against_log(&world).await;

    let off = Plan { configure: |text| text.replace("reflection = true", ""), ..Plan::default() };
    let world = World::planned("reflection-off", off).await;
    let mut walk = Walk::new();
    for version in VERSIONS {
        let outcome = ask(&world.client("stad-leuven"), version, list()).await;
        walk.meet("off", outcome, Reason::TokenRejected, Logged::Refused);
    }
    walk.hold_against_log(&world).await;
}

/// A body that says one thing, and does not end.
struct Lingering(Option<Bytes>);

impl Body for Lingering {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |said| Poll::Ready(Some(Ok(Frame::data(said)))))
    }
}

#[tokio::test]
async fn a_drain_does_not_wait_for_who_lingers_in_reflection() {
    let mut world = World::start("reflection-drain").await;
    let issued = &world.setting.party("stad-leuven").unwrap().issued;
    let caller = Caller::connect(&world.address(), &world.setting.authority(), issued).await;
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let body = Lingering(Some(frame::frame(&question.encode_to_vec())));
    let running = world.running.take().unwrap();
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let (whole, ()) = tokio::join!(caller.send(path, &[], body.boxed()), async {
        // On the same connection, and so after the stream has begun.
        caller.call("/grpc.health.v1.Health/Check", &[], b"").await;
        running.stop().await;
    });
    let whole = whole.unwrap();
    assert!(!whole.broken && whole.body.len() > 100, "it was answered, and let go: {whole:?}");
    assert_eq!(whole.trailers["grpc-status"], "0");
}
