//! `grpc.reflection`, v1 and v1alpha: the services of the policy of now, the partners' among them. Descriptors only, and
//! only to whose key is registered (the caller of this module sees to that).
//!
//! Two partners may give files of one name. A symbol is answered with its file and all that it imports, from one pool, so
//! that a client need not ask for a file by its name; where it does, the pool that this stream spoke of last comes first.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use prost::Message;
use prost_reflect::{DescriptorPool, FileDescriptor};
use tokio::sync::watch;
use tonic::codegen::tokio_stream::Stream;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::server_reflection_server::{ServerReflection, ServerReflectionServer};
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};
use tonic_reflection::pb::v1alpha;
use tonic_reflection::pb::v1alpha::server_reflection_server::{
    ServerReflection as OldReflection, ServerReflectionServer as OldServer,
};

use crate::gateway::Policy;

/// Bytes of one question: a name.
const QUESTION: usize = 4096;

/// The services that are told beside the exchanges.
const OWN: [&str; 4] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "sluis.audit.v1.AuditService",
];

/// True where a path is a method of reflection.
pub fn serves(path: &str) -> bool {
    path.starts_with("/grpc.reflection.v1.ServerReflection/")
        || path.starts_with("/grpc.reflection.v1alpha.ServerReflection/")
}

/// Tells what is served now.
#[derive(Clone)]
pub struct Reflection {
    policy: Arc<ArcSwap<Policy>>,
    draining: watch::Receiver<bool>,
    /// Descriptors of the services that are gRPC's own.
    grpc: DescriptorPool,
}

impl Reflection {
    /// Of a policy that may be replaced. `draining` ends what goes on.
    pub fn new(policy: Arc<ArcSwap<Policy>>, draining: watch::Receiver<bool>) -> Self {
        let mut grpc = DescriptorPool::new();
        for set in [
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            v1alpha::FILE_DESCRIPTOR_SET,
        ] {
            if grpc.decode_file_descriptor_set(set).is_err() {
                tracing::warn!("a service of gRPC's own has no descriptors: reflection does without");
            }
        }
        Self { policy, draining, grpc }
    }

    /// The service in both versions.
    pub fn servers(self) -> (ServerReflectionServer<Self>, OldServer<Self>) {
        (
            ServerReflectionServer::new(self.clone()).max_decoding_message_size(QUESTION),
            OldServer::new(self).max_decoding_message_size(QUESTION),
        )
    }

    /// Answers one question. `last` is the pool that the stream spoke of last.
    fn answer(
        &self,
        request: ServerReflectionRequest,
        last: &mut Option<DescriptorPool>,
    ) -> ServerReflectionResponse {
        let policy = self.policy.load();
        let pools = || last.iter().chain(policy.vocabulary.pools()).chain([&self.grpc]);
        let asked = request.message_request.as_ref();
        let found = match asked {
            Some(MessageRequest::FileByFilename(name)) => pools().find_map(|pool| pool.get_file_by_name(name)),
            Some(MessageRequest::FileContainingSymbol(name)) => pools().find_map(|pool| holding(pool, name)),
            Some(MessageRequest::FileContainingExtension(asked)) => pools().find_map(|pool| {
                let message = pool.get_message_by_name(&asked.containing_type)?;
                Some(message.get_extension(u32::try_from(asked.extension_number).ok()?)?.parent_file())
            }),
            _ => None,
        };
        let response = match (asked, &found) {
            (Some(MessageRequest::ListServices(_)), _) => self.list(&policy),
            (Some(MessageRequest::AllExtensionNumbersOfType(name)), _) => numbers(pools(), name),
            (Some(_), Some(file)) => MessageResponse::FileDescriptorResponse(with_imports(file)),
            (Some(_), None) => error(Code::NotFound, "nothing of that name is served here"),
            (None, _) => {
                error(Code::InvalidArgument, "ask for a file, a symbol, an extension or the list of services")
            }
        };
        if let Some(file) = found {
            *last = Some(file.parent_pool().clone());
        }
        ServerReflectionResponse {
            valid_host: request.host.clone(),
            original_request: Some(request),
            message_response: Some(response),
        }
    }

    fn list(&self, policy: &Policy) -> MessageResponse {
        let exchanges = policy.vocabulary.methods().filter_map(|method| method.name.rsplit_once('.'));
        let known = |name: &&str| {
            policy.vocabulary.pools().chain([&self.grpc]).any(|pool| pool.get_service_by_name(name).is_some())
        };
        let mut names: BTreeSet<&str> = exchanges.map(|(service, _)| service).collect();
        names.extend(OWN.iter().copied().filter(known));
        let service = names.into_iter().map(|name| ServiceResponse { name: name.to_owned() }).collect();
        MessageResponse::ListServicesResponse(ListServiceResponse { service })
    }
}

/// The file that holds a symbol: a type or service, or what stands within one.
fn holding(pool: &DescriptorPool, symbol: &str) -> Option<FileDescriptor> {
    let named = |name: &str| {
        let service = pool.get_service_by_name(name).map(|service| service.parent_file());
        let message = || pool.get_message_by_name(name).map(|message| message.parent_file());
        let values = || pool.get_enum_by_name(name).map(|values| values.parent_file());
        service.or_else(message).or_else(values)
    };
    let extension = || pool.get_extension_by_name(symbol).map(|extension| extension.parent_file());
    named(symbol).or_else(extension).or_else(|| {
        let (outer, inner) = symbol.rsplit_once('.')?;
        let method = pool
            .get_service_by_name(outer)
            .is_some_and(|one| one.methods().any(|method| method.name() == inner));
        let field = pool.get_message_by_name(outer).is_some_and(|one| {
            one.get_field_by_name(inner).is_some() || one.oneofs().any(|oneof| oneof.name() == inner)
        });
        (method || field).then(|| named(outer)).flatten()
    })
}

/// A file with all that it imports, itself first.
fn with_imports(file: &FileDescriptor) -> FileDescriptorResponse {
    let mut imported = BTreeMap::new();
    let mut left: Vec<FileDescriptor> = file.dependencies().collect();
    while let Some(file) = left.pop() {
        if !imported.contains_key(file.name()) {
            left.extend(file.dependencies());
            imported.insert(file.name().to_owned(), file.encode_to_vec());
        }
    }
    let file_descriptor_proto = std::iter::once(file.encode_to_vec()).chain(imported.into_values()).collect();
    FileDescriptorResponse { file_descriptor_proto }
}

/// The numbers at which a message is extended, by anybody.
fn numbers<'a>(pools: impl Iterator<Item = &'a DescriptorPool>, name: &str) -> MessageResponse {
    let (mut known, mut numbers) = (false, BTreeSet::new());
    for message in pools.filter_map(|pool| pool.get_message_by_name(name)) {
        known = true;
        numbers.extend(message.extensions().filter_map(|extension| i32::try_from(extension.number()).ok()));
    }
    if !known {
        return error(Code::NotFound, "no message of that name is served here");
    }
    MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
        base_type_name: name.to_owned(),
        extension_number: numbers.into_iter().collect(),
    })
}

fn error(code: Code, message: &str) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse { error_code: code.into(), error_message: message.to_owned() })
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream = Answers<ServerReflectionResponse>;

    async fn server_reflection_info(
        &self,
        questions: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let conversation = Conversation::new(self, questions.into_inner(), Some, Some);
        Ok(Response::new(Box::pin(conversation)))
    }
}

#[tonic::async_trait]
impl OldReflection for Reflection {
    type ServerReflectionInfoStream = Answers<v1alpha::ServerReflectionResponse>;

    async fn server_reflection_info(
        &self,
        questions: Request<Streaming<v1alpha::ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        // Of one form on the wire: only the name of the package changed.
        let conversation =
            Conversation::new(self, questions.into_inner(), |old| recast(&old), |new| recast(&new));
        Ok(Response::new(Box::pin(conversation)))
    }
}

fn recast<A: Message, B: Message + Default>(from: &A) -> Option<B> {
    B::decode(&*from.encode_to_vec()).ok()
}

/// One stream of questions, each answered before the next is read.
struct Conversation<Q, A> {
    reflection: Reflection,
    questions: Streaming<Q>,
    last: Option<DescriptorPool>,
    drained: Pin<Box<dyn Future<Output = ()> + Send>>,
    heard: fn(Q) -> Option<ServerReflectionRequest>,
    told: fn(ServerReflectionResponse) -> Option<A>,
}

impl<Q, A> Conversation<Q, A> {
    fn new(
        reflection: &Reflection,
        questions: Streaming<Q>,
        heard: fn(Q) -> Option<ServerReflectionRequest>,
        told: fn(ServerReflectionResponse) -> Option<A>,
    ) -> Self {
        let mut draining = reflection.draining.clone();
        let drained = Box::pin(async move {
            // The sender is gone only when the gateway is.
            let _ = draining.wait_for(|&draining| draining).await;
        });
        Self { reflection: reflection.clone(), questions, last: None, drained, heard, told }
    }
}

impl<Q, A> Stream for Conversation<Q, A> {
    type Item = Result<A, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.drained.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        let question = match Pin::new(&mut self.questions).poll_next(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Err(status))) => return Poll::Ready(Some(Err(status))),
            Poll::Ready(Some(Ok(question))) => question,
        };
        let malformed = || Status::invalid_argument("the question cannot be read");
        let Some(question) = (self.heard)(question) else { return Poll::Ready(Some(Err(malformed()))) };
        let mut last = self.last.take();
        let answer = self.reflection.answer(question, &mut last);
        self.last = last;
        Poll::Ready(Some((self.told)(answer).ok_or_else(malformed)))
    }
}
