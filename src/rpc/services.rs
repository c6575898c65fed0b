//! The services beside the exchanges: audit, and health and reflection by tonic's routes.

use http::{Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use tonic::Status;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tower::ServiceExt as _;

use super::audit::{Audit, LIST_DISCLOSURES};
use super::exchange::{self, Body, Bounds, Session};
use super::reflection::{self, Reflection};
use crate::disclosure::{Refused, Unlogged};
use crate::gateway::Gateway;
use crate::identity::certificate::PeerCertificate;

/// Audit, health, and reflection where it is on.
#[derive(Clone)]
pub struct Services {
    audit: Audit,
    health: Routes,
    reflection: Option<Routes>,
    bounds: Bounds,
}

/// The most bytes of a question about health: the name of a service.
const HEALTH_BYTES: usize = 1024;

impl Services {
    /// The services. An auditor's question may hold as many bytes as `bounds` says; the others have its deadline.
    pub fn new(
        audit: Audit,
        health: HealthServer<HealthService>,
        reflection: Option<Reflection>,
        bounds: Bounds,
    ) -> Self {
        let health = health.max_decoding_message_size(HEALTH_BYTES);
        let reflection = reflection.map(|reflection| {
            let (server, old) = reflection.servers();
            Routes::new(server).add_service(old).prepare()
        });
        Self { audit, health: Routes::new(health).prepare(), reflection, bounds }
    }

    /// True where a path is one of these services'.
    pub fn serve(&self, path: &str) -> bool {
        path.starts_with("/grpc.health.v1.Health/")
            || path == LIST_DISCLOSURES
            || self.reflection.is_some() && reflection::serves(path)
    }

    /// Answers a call.
    pub async fn respond(
        &self,
        gateway: &Gateway,
        session: &Session,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let peer = &session.peer;
        if request.uri().path() == LIST_DISCLOSURES {
            return self.audit.serve(session, request, self.bounds.request_bytes).await;
        }
        let routes = match &self.reflection {
            Some(routes) if reflection::serves(request.uri().path()) => {
                if let Some(refused) = self.unknown(gateway, peer, &request).await {
                    return refused;
                }
                routes
            }
            // Of a stranger no message is read, here neither.
            _ if !gateway.knows(peer) => return exchange::refusal(&Refused::unlogged(Unlogged::Stranger)),
            _ => &self.health,
        };
        // Until the question is read: watching health has no end.
        match tokio::time::timeout(self.bounds.deadline, routes.clone().oneshot(request)).await {
            Ok(Ok(response)) => response.map(Either::Right),
            Ok(Err(never)) => match never {},
            Err(_) => Status::deadline_exceeded("send the question").into_http().map(Either::Right),
        }
    }

    /// The refusal of who is not registered, or no longer: a token is not asked for, as nothing here is about anybody.
    async fn unknown(
        &self,
        gateway: &Gateway,
        peer: &PeerCertificate,
        request: &Request<Incoming>,
    ) -> Option<Response<Body>> {
        let (policy, at) = (gateway.policy.load_full(), (gateway.clock)());
        if policy.registry.caller(peer, at).is_ok() {
            return None;
        }
        let arrival = exchange::arrival(at, request.uri().path(), request.headers(), self.bounds.deadline);
        // Who is no caller identifies as nobody: with a reason and an entry where its key is known.
        let refused = match gateway.identify(&policy, peer, &arrival).await {
            Err(refused) => refused,
            Ok(_) => Refused::unlogged(Unlogged::Stranger),
        };
        Some(exchange::refusal(&refused))
    }
}
