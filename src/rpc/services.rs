//! The services beside the exchanges: audit, and health and reflection by tonic's routes.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tower::ServiceExt as _;

use super::audit::{Audit, LIST_DISCLOSURES};
use super::exchange::{self, Body};
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
    request_bytes: usize,
}

/// How long a caller who may not have reflection waits for its refusal.
const REFUSAL: Duration = Duration::from_secs(10);

impl Services {
    /// The services; an auditor's question may hold `request_bytes` bytes.
    pub fn new(
        audit: Audit,
        health: HealthServer<HealthService>,
        reflection: Option<Reflection>,
        request_bytes: usize,
    ) -> Self {
        let reflection = reflection.map(|reflection| {
            let (server, old) = reflection.servers();
            Routes::new(server).add_service(old).prepare()
        });
        Self { audit, health: Routes::new(health).prepare(), reflection, request_bytes }
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
        peer: &PeerCertificate,
        request: Request<Incoming>,
    ) -> Response<Body> {
        if request.uri().path() == LIST_DISCLOSURES {
            return self.audit.serve(peer, request, self.request_bytes).await;
        }
        let routes = match &self.reflection {
            Some(routes) if reflection::serves(request.uri().path()) => {
                if let Some(refused) = self.unknown(gateway, peer, &request).await {
                    return refused;
                }
                routes
            }
            _ => &self.health,
        };
        match routes.clone().oneshot(request).await {
            Ok(response) => response.map(Either::Right),
            Err(never) => match never {},
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
        let arrival = exchange::arrival(at, request.uri().path(), request.headers(), Ok(Bytes::new()), REFUSAL);
        // Who is no caller identifies as nobody: with a reason and an entry where its key is known.
        let refused = match gateway.identify(&policy, peer, &arrival).await {
            Err(refused) => refused,
            Ok(_) => Refused::unlogged(Unlogged::Stranger),
        };
        Some(exchange::refusal(&refused))
    }
}
