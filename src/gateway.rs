//! The exchange, on one screen: identify, decide, admit, ask, retrieve, settle, disclose — or refuse.
//! It takes a caller's certificate, a method, metadata and bytes, and gives released bytes or a refusal; it knows no
//! transport.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::disclosure::{
    Asked, DisclosureLog, Known, Party, Refused, Released, Unlogged, Unreleased, Withheld,
};
use crate::domain::catalogue::Catalogue;
use crate::domain::decide::{Knowledge, Permit, decide};
use crate::domain::grant::{PathError, Trie};
use crate::domain::reason::{Denial, NO_MESSAGE, Reason};
use crate::domain::request::{Call, Caller, ExchangeRequest, Metadata};
use crate::domain::subject::InszRules;
use crate::domain::vocabulary::{Method, Vocabulary};
use crate::identity::certificate::PeerCertificate;
use crate::identity::registry::Registry;
use crate::identity::token::TokenVerifier;
use crate::identity::{self, Shown, Unidentified};
use crate::minimise::probe::Probe;
use crate::minimise::{self, Limits};
use crate::source::guard::{Place, TurnedAway};
use crate::source::{FactProbes, SourceError, Sources};

/// What a decision rests on, replaced as one.
pub struct Policy {
    /// Organisations, their systems and issuers, and what is revoked.
    pub registry: Arc<Registry>,
    /// The instruments.
    pub catalogue: Catalogue,
    /// The vocabulary in which they are written.
    pub vocabulary: Arc<Vocabulary>,
    /// The methods of it, as they are served.
    pub methods: Arc<Methods>,
    /// The sources, for each runtime with connections of its own.
    pub sources: Arc<[Sources]>,
    /// The policy epoch of the store from which on this holds.
    pub epoch: u64,
}

/// A call, as it arrived.
pub struct Arrival<'a> {
    /// When.
    pub at: Timestamp,
    /// `/package.Service/Method`.
    pub path: &'a str,
    /// The metadata.
    pub metadata: Metadata,
    /// The bearer token, where there is one.
    pub bearer: Option<&'a str>,
    /// The controller on whose behalf a processor asks.
    pub on_behalf_of: Option<&'a str>,
    /// How long the caller waits from now on.
    pub left: Duration,
}

impl Arrival<'_> {
    fn shown<'a>(&'a self, peer: &'a PeerCertificate) -> Shown<'a> {
        let Self { bearer, on_behalf_of, ref metadata, .. } = *self;
        let (purpose, case) = (metadata.purpose.as_deref(), metadata.case.as_deref());
        Shown { peer, bearer, on_behalf_of, purpose, case }
    }
}

/// The exchange core of one runtime. What is shared between runtimes stands behind `Arc`.
pub struct Gateway {
    /// The one door out.
    pub log: DisclosureLog,
    /// Which of the runtimes this is: it asks over the connections of that number.
    pub runtime: usize,
    /// What decisions rest on.
    pub policy: Arc<ArcSwap<Policy>>,
    /// The epoch of the policy, as it is replaced.
    pub epochs: watch::Receiver<u64>,
    /// Verifies bearer tokens, and remembers those that it verified.
    pub tokens: Arc<TokenVerifier>,
    /// Test numbers are accepted.
    pub test: bool,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// The methods that are served.
pub struct Methods(HashMap<Box<str>, Served>);

/// A method, with what is read of its messages.
struct Served {
    method: Arc<Method>,
    /// Where requests name the data subject.
    subject: Probe,
    /// Where answers tell what is judged.
    facts: FactProbes,
}

/// A method of which something that must be read cannot be.
#[derive(Debug)]
pub struct Unprobed {
    method: Box<str>,
    source: PathError,
}

impl fmt::Display for Unprobed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: move the data subject, or what tells a fact, out of maps, groups and Any", self.method)
    }
}

impl std::error::Error for Unprobed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl Methods {
    /// All exchanges of a vocabulary.
    ///
    /// # Errors
    /// Where a data subject or a fact stands at a place that cannot be probed.
    pub fn of(vocabulary: &Vocabulary) -> Result<Self, Unprobed> {
        let served = vocabulary.methods().map(|method| {
            let unprobed = |source| Unprobed { method: method.name.clone(), source };
            let subject = Probe::compile(&method.input, &method.subject).map_err(unprobed)?;
            let facts = FactProbes::of(method).map_err(unprobed)?;
            Ok((method.path.clone(), Served { method: Arc::clone(method), subject, facts }))
        });
        served.collect::<Result<_, _>>().map(Self)
    }

    fn get(&self, path: &str) -> Result<&Served, Reason> {
        self.0.get(path).ok_or(Reason::MethodUnknown)
    }
}

/// How long an answer waits for a policy whose epoch the store knows already.
const REPLACEMENT: Duration = Duration::from_secs(1);

/// How often an answer is settled anew because the policy changed under it, before nothing leaves.
const SETTLEMENTS: usize = 8;

impl Gateway {
    /// One exchange, from the caller's bytes to the released ones. The message is not received before it is known who
    /// sends it.
    ///
    /// # Errors
    /// The refusal, which is in the log unless it is one of the few that cannot be.
    pub async fn exchange(
        &self,
        peer: &PeerCertificate,
        arrival: Arrival<'_>,
        message: impl Future<Output = Result<Bytes, Denial>>,
    ) -> Result<Released, Refused> {
        let began = Instant::now();
        let left = || arrival.left.saturating_sub(began.elapsed());
        let policy = self.policy.load_full();
        let caller = self.identify(&policy, peer, &arrival).await?;
        let body = message.await;
        let (permit, facts) = self.permit(&policy, caller, &arrival, &body).await?;
        let (permit, place) = self.admit(&policy, permit, left()).await?;
        // Whoever waited is judged anew where the policy changed meanwhile: nobody is asked under a right that ended.
        let changed = self.policy.load().epoch != permit.epoch();
        let current = changed.then(|| self.policy.load_full());
        let current = current.as_ref().unwrap_or(&policy);
        let (permit, facts) = if changed {
            let caller = self.identify(current, peer, &arrival).await?;
            self.permit(current, caller, &arrival, &body).await?
        } else {
            (permit, facts)
        };
        let asked = self.log.ask(permit).await?;
        let withheld = self.retrieve(current, asked, place, facts, left()).await?;
        self.release(withheld, peer, &arrival).await
    }

    /// What is known before anyone is asked, judged under one policy.
    async fn permit<'p>(
        &self,
        policy: &'p Policy,
        caller: Caller,
        arrival: &Arrival<'_>,
        body: &Result<Bytes, Denial>,
    ) -> Result<(Permit, &'p FactProbes), Refused> {
        let (request, facts) = self.parse(policy, caller, arrival, body).await?;
        Ok((self.decide(policy, request).await?, facts))
    }

    /// Whether the key of a certificate is registered: nothing more need be read of who is a stranger.
    pub fn knows(&self, peer: &PeerCertificate) -> bool {
        self.policy.load().registry.system(peer.key()).is_some()
    }

    /// The caller, by registered key and bound token.
    ///
    /// # Errors
    /// A stranger is refused without an entry; a known party whose certificate or token does not hold, with one.
    pub async fn identify(
        &self,
        policy: &Policy,
        peer: &PeerCertificate,
        arrival: &Arrival<'_>,
    ) -> Result<Caller, Refused> {
        match identity::identify(&policy.registry, &self.tokens, arrival.shown(peer), arrival.at) {
            Ok(caller) => Ok(caller),
            Err(Unidentified { denial, system: None }) => {
                let revoked = denial.reason == Reason::CertificateRevoked;
                let stranger = if revoked { Unlogged::StrangerRevoked } else { Unlogged::Stranger };
                Err(Refused::unlogged(stranger))
            }
            Err(Unidentified { denial, system: Some(system) }) => {
                let party = Party {
                    organisation: &system.organisation,
                    system: system.name.as_str(),
                    key: peer.key().as_bytes(),
                    registry: policy.registry.hash(),
                };
                let known = Known::of_party(&party, arrival.at, arrival.path, &arrival.metadata);
                Err(self.log.refuse(&known, denial).await)
            }
        }
    }

    /// The question, and where its answer will tell what is judged.
    async fn parse<'p>(
        &self,
        policy: &'p Policy,
        caller: Caller,
        arrival: &Arrival<'_>,
        body: &Result<Bytes, Denial>,
    ) -> Result<(ExchangeRequest, &'p FactProbes), Refused> {
        let served = policy.methods.get(arrival.path);
        match served.map_err(Denial::from).and_then(|served| self.request(served, &caller, arrival, body)) {
            Ok(parsed) => Ok(parsed),
            Err(denial) => {
                let method = served.ok().map(|served| &*served.method);
                let digest = body.as_ref().ok().map(|body| Sha256::digest(body).into());
                let known = Known::of_caller(&caller, arrival.at, arrival.path, &arrival.metadata)
                    .asking(method, digest.as_ref());
                Err(self.log.refuse(&known, denial).await)
            }
        }
    }

    fn request<'p>(
        &self,
        served: &'p Served,
        caller: &Caller,
        arrival: &Arrival<'_>,
        body: &Result<Bytes, Denial>,
    ) -> Result<(ExchangeRequest, &'p FactProbes), Denial> {
        let body = body.as_ref().map_err(Denial::clone)?;
        let subject = served
            .subject
            .text(body, &Limits::default())
            .map_err(|_| Denial::from(Reason::RequestMalformed).because(NO_MESSAGE))?;
        let call = Call {
            asked_at: arrival.at,
            method: &served.method,
            metadata: &arrival.metadata,
            subject,
            body,
            digest: Sha256::digest(body).into(),
        };
        let rules = InszRules { test: self.test, today: brussels(arrival.at) };
        Ok((ExchangeRequest::parse(caller, &call, rules)?, &served.facts))
    }

    async fn decide(&self, policy: &Policy, request: ExchangeRequest) -> Result<Permit, Refused> {
        let knowledge =
            Knowledge { catalogue: &policy.catalogue, epoch: policy.epoch, undeclared, now: (self.clock)() };
        match decide(request, &knowledge) {
            Ok(permit) => Ok(permit),
            Err(refusal) => {
                let request = &refusal.request;
                let published = policy.catalogue.publishes(&request.protocol, &request.purpose);
                let known = Known::of_refusal(&refusal, published);
                Err(self.log.refuse(&known, refusal.denial.clone()).await)
            }
        }
    }

    /// A place at the source. Where there is none, nobody was asked, and the refusal is the only entry.
    async fn admit<'p>(
        &self,
        policy: &'p Policy,
        permit: Permit,
        left: Duration,
    ) -> Result<(Permit, Place<'p>), Refused> {
        let admitted = match policy.sources.get(self.runtime) {
            Some(sources) => sources.admit(&permit.request().method.source, left).await,
            None => Err(TurnedAway { error: SourceError::Internal, after: None }),
        };
        match admitted {
            Ok(place) => Ok((permit, place)),
            Err(turned_away) => {
                let denial = Denial { after: turned_away.after, ..Reason::from(turned_away.error).into() };
                let refusal = permit.refused(denial.clone());
                // Who has a permit named a published instrument and purpose.
                Err(self.log.refuse(&Known::of_refusal(&refusal, true), denial).await)
            }
        }
    }

    async fn retrieve(
        &self,
        policy: &Policy,
        asked: Asked,
        place: Place<'_>,
        facts: &FactProbes,
        left: Duration,
    ) -> Result<Withheld, Refused> {
        // The log took all the time that there was: nobody waits for what the source would say.
        if left.is_zero() {
            return Err(self.log.fail(asked, Reason::SourceTooSlow).await);
        }
        let Some(sources) = policy.sources.get(self.runtime) else {
            return Err(self.log.fail(asked, Reason::Internal).await);
        };
        match sources.retrieve(asked, place, facts, left).await {
            Ok(withheld) => Ok(withheld),
            Err(failed) => Err(self.log.fail(failed.asked, failed.error.into()).await),
        }
    }

    /// Settles and discloses. Where the policy changed in between, the caller is identified and the answer settled
    /// anew under the new one, so that a revocation or a suspension that commits first, wins.
    async fn release(
        &self,
        mut withheld: Withheld,
        peer: &PeerCertificate,
        arrival: &Arrival<'_>,
    ) -> Result<Released, Refused> {
        for _ in 0..SETTLEMENTS {
            let policy = self.policy.load_full();
            if let Err(denial) = self.still_known(&policy, withheld.asked(), peer, arrival) {
                return Err(self.log.deny(withheld.into_asked(), denial).await);
            }
            let settled = match withheld.settle(&policy.catalogue, policy.epoch, (self.clock)()) {
                Ok(settled) => settled,
                Err(unsettled) => return Err(self.log.deny(unsettled.asked, unsettled.denial).await),
            };
            match self.log.disclose(settled).await {
                Ok(released) => return Ok(released),
                Err(Unreleased::Log(refused)) => return Err(*refused),
                Err(Unreleased::Stale { withheld: again, epoch }) => {
                    withheld = *again;
                    self.policy_of(epoch).await;
                }
            }
        }
        Err(self.log.fail(withheld.into_asked(), Reason::Internal).await)
    }

    /// Whether the registry of now still knows the caller as the one that asked.
    fn still_known(
        &self,
        policy: &Policy,
        asked: &Asked,
        peer: &PeerCertificate,
        arrival: &Arrival<'_>,
    ) -> Result<(), Denial> {
        let caller = &asked.permit().request().caller;
        if *policy.registry.hash() == caller.registry {
            return Ok(());
        }
        // At the time of the call: a token that has expired since was good when it was shown.
        match identity::identify(&policy.registry, &self.tokens, arrival.shown(peer), arrival.at) {
            Ok(now) if now.is_same_party(caller) => Ok(()),
            Ok(_) => Err(Reason::RequesterNotParty.into()),
            Err(unidentified) => Err(unidentified.denial),
        }
    }

    /// Waits until the policy is the one of `epoch` or a later one, for as long as a replacement may take.
    async fn policy_of(&self, epoch: u64) {
        let mut epochs = self.epochs.clone();
        let _ = tokio::time::timeout(REPLACEMENT, epochs.wait_for(|&current| current >= epoch)).await;
    }
}

/// The day in Belgium.
pub fn brussels(now: Timestamp) -> Date {
    let zone = TimeZone::get("Europe/Brussels").unwrap_or(TimeZone::UTC);
    now.to_zoned(zone).date()
}

fn undeclared(trie: &Trie, body: &[u8]) -> Result<Option<String>, ()> {
    minimise::request::undeclared(trie, body, &Limits::default()).map_err(|_| ())
}
