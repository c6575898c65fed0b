//! What each step of an exchange costs, in this process, one at a time: the median of many short batches.

use std::future::{Future as _, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use sluis::cli::{policy, token};
use sluis::clock;
use sluis::disclosure::commitment::{Seed, commit};
use sluis::disclosure::entry::Kind;
use sluis::disclosure::keys::LogKeys;
use sluis::disclosure::record::{Column, Record, RecordBuilder};
use sluis::disclosure::seal::{Draft, seal};
use sluis::domain::decide::{Knowledge, Permit, decide};
use sluis::domain::facts::Facts;
use sluis::domain::request::{Call, ExchangeRequest, Metadata};
use sluis::domain::settle::settle;
use sluis::domain::subject::InszRules;
use sluis::domain::vocabulary::{Manner, Method, Vocabulary};
use sluis::frame;
use sluis::gateway::brussels;
use sluis::identity::certificate::PeerCertificate;
use sluis::identity::token::TokenVerifier;
use sluis::identity::{Shown, identify};
use sluis::minimise::probe::Probe;
use sluis::minimise::{self, Limits};
use sluis::source::guard::{Bounds, Guard};
use sluis::source::magda;
use sluis::source::signature::{Algorithm, KeyReference, Signatories, Signer};

use crate::Fallible;
use crate::rounds::median;
use crate::world::{METADATA, METHOD, World};

/// Batches of one step, and how long each lasts about.
const BATCHES: usize = 31;
const BATCH: Duration = Duration::from_millis(2);

/// More tokens than the verifier that forgets remembers.
const TOKENS: usize = 8;

/// One step.
pub struct Step {
    /// What is done.
    pub name: String,
    /// How long it takes, in nanoseconds.
    pub wall: f64,
    /// Processor time in nanoseconds, where it is not the same.
    pub cpu: Option<f64>,
    /// How often an exchange does it; nothing where it depends.
    pub times: Option<u32>,
}

/// All that an exchange consults.
struct Bench {
    loaded: policy::Loaded,
    method: Arc<Method>,
    subject: Probe,
    returned: Probe,
    peer: PeerCertificate,
    tokens: Vec<String>,
    question: Bytes,
    answer: Bytes,
    now: Timestamp,
}

/// Measures all steps that touch neither disk nor network.
pub fn run(world: &World) -> Fallible<Vec<Step>> {
    let bench = Bench::make(world)?;
    let permit = bench.permit()?;
    let mut steps = Vec::new();
    bench.identity(&mut steps)?;
    bench.decision(&permit, &mut steps)?;
    bench.log(&permit, world, &mut steps)?;
    guard(&mut steps)?;
    let message = world.answer.clone();
    steps.push(timed("frame a message of the answer's size", 2, || frame::frame(&message)));
    steps.push(timed("read the clock", 7, clock::now));
    signatures(&mut steps)?;
    Ok(steps)
}

/// Of sources over SOAP that ask for it.
fn signatures(steps: &mut Vec<Step>) -> Fallible<()> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let certificate = CertificateParams::new([])?.self_signed(&key)?;
    let chain = [certificate.der().clone()];
    let private = PrivateKeyDer::try_from(key.serialize_der())?;
    let signer = Signer::new(&private, &chain, Algorithm::default(), KeyReference::default())?;
    let signatories = Signatories::of(&chain)?;
    let body = "<Persoon><INSZ>84631230189</INSZ></Persoon>".repeat(6800 / 44);
    let message = format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Header/><soapenv:Body>\
         {body}</soapenv:Body></soapenv:Envelope>"
    );
    let answer = signer.sign(&message)?;
    let limits = magda::Limits::default();
    steps.push(timed("sign a SOAP message of 6.8 kB (RSA-2048)", 0, || signer.sign(&message).is_ok()));
    steps.push(timed("verify one", 0, || signatories.verify(&answer, &limits).is_ok()));
    Ok(())
}

impl Bench {
    fn make(world: &World) -> Fallible<Self> {
        let vocabulary = Vocabulary::embedded()?;
        let loaded = policy::load(&world.config, &vocabulary)?;
        let method = Arc::clone(vocabulary.method(METHOD).ok_or("no such method")?);
        let subject = Probe::compile(&method.input, &method.subject)?;
        let way = method.subject_returned.as_ref().ok_or("the answer does not say whom it is about")?;
        let returned = Probe::compile(&method.output, way)?;
        let party = world.party()?;
        let certificate = CertificateDer::from_pem_slice(&std::fs::read(&party.issued.certificate)?)?;
        let now = clock::now();
        let tokens = (0..TOKENS).map(|_| token::mint(&party.token(), now)).collect::<Result<_, _>>()?;
        Ok(Self {
            peer: PeerCertificate::from_der(&certificate)?,
            subject,
            returned,
            question: world.question.clone(),
            answer: world.answer.clone(),
            loaded,
            method,
            tokens,
            now,
        })
    }

    fn identity(&self, steps: &mut Vec<Step>) -> Fallible<()> {
        let registry = &self.loaded.registry;
        let organisation =
            Arc::clone(&registry.caller(&self.peer, self.now).map_err(|_| "no caller")?.organisation);
        let verify = |verifier: &TokenVerifier, token: &str| {
            verifier.verify(token, &self.peer, &organisation, registry, self.now)
        };
        let token = self.tokens.first().ok_or("no token")?;
        let remembers = TokenVerifier::new(sluis::cli::demo::AUDIENCE, 64);
        verify(&remembers, token)?;
        steps.push(timed("verify a token that is remembered", 0, || verify(&remembers, token).is_ok()));
        let forgets = TokenVerifier::new(sluis::cli::demo::AUDIENCE, 2);
        let mut turn = self.tokens.iter().cycle();
        steps.push(timed("verify a token for the first time (ES256)", 0, || {
            turn.next().is_some_and(|token| verify(&forgets, token).is_ok())
        }));
        let shown =
            Shown { peer: &self.peer, bearer: Some(token), on_behalf_of: None, purpose: None, case: None };
        steps.push(timed("identify: key, revocation, remembered token", 1, || {
            identify(registry, &remembers, shown, self.now).is_ok()
        }));
        Ok(())
    }

    fn request(&self) -> Fallible<ExchangeRequest> {
        let verifier = TokenVerifier::new(sluis::cli::demo::AUDIENCE, 64);
        let shown = Shown {
            peer: &self.peer,
            bearer: self.tokens.first().map(|t| &**t),
            on_behalf_of: None,
            purpose: None,
            case: None,
        };
        let caller = identify(&self.loaded.registry, &verifier, shown, self.now).map_err(|_| "no caller")?;
        self.parse(&caller)
    }

    fn parse(&self, caller: &sluis::domain::request::Caller) -> Fallible<ExchangeRequest> {
        let [protocol, purpose, case] = METADATA.map(|(_, value)| Some(value.into()));
        let metadata = Metadata { protocol, purpose, case, ..Metadata::default() };
        let call = Call {
            asked_at: self.now,
            method: &self.method,
            metadata: &metadata,
            subject: self.subject.text(&self.question, &Limits::default())?,
            body: &self.question,
            digest: Sha256::digest(&self.question).into(),
        };
        let rules = InszRules { test: true, today: brussels(self.now) };
        Ok(ExchangeRequest::parse(caller, &call, rules).map_err(|denial| denial.reason.name())?)
    }

    fn permit(&self) -> Fallible<Permit> {
        self.decide(self.request()?).ok_or_else(|| "the question is refused".into())
    }

    fn decide(&self, request: ExchangeRequest) -> Option<Permit> {
        let undeclared = |trie: &_, body: &[u8]| {
            minimise::request::undeclared(trie, body, &Limits::default()).map_err(|_| ())
        };
        let catalogue = &self.loaded.catalogue;
        decide(request, &Knowledge { catalogue, epoch: 1, undeclared, now: self.now }).ok()
    }

    fn decision(&self, permit: &Permit, steps: &mut Vec<Step>) -> Fallible<()> {
        let caller = &permit.request().caller;
        steps.push(timed("parse the request", 1, || self.parse(caller).is_ok()));
        let parsed = steps.last().map_or(0.0, |step| step.wall);
        let mut decided = timed("decide", 1, || self.parse(caller).ok().and_then(|parsed| self.decide(parsed)));
        decided.wall -= parsed;
        steps.push(decided);
        let limits = Limits::default();
        steps.push(timed("read the facts of the answer", 1, || {
            self.returned.text(&self.answer, &limits).is_ok()
        }));
        let returned = self.returned.text(&self.answer, &limits)?.map(Into::into);
        let facts = Facts { found: true, returned, ..Facts::default() };
        let catalogue = &self.loaded.catalogue;
        if settle(permit, &facts, catalogue, self.now).is_err() {
            return Err("the answer is not settled".into());
        }
        steps.push(timed("settle", 1, || settle(permit, &facts, catalogue, self.now).is_ok()));
        steps.push(timed("filter the answer on the wire", 1, || {
            minimise::filter(permit.answer(), &self.answer, &limits).is_ok()
        }));
        Ok(())
    }

    fn log(&self, permit: &Permit, world: &World, steps: &mut Vec<Step>) -> Fallible<()> {
        let keys = LogKeys::load(&world.config.log.key)?;
        steps.push(timed("put an entry's record together", 2, || record(permit)));
        let record = record(permit);
        let seed = Seed::new([7; 32]);
        steps.push(timed("of sealing: commitments to its columns", 0, || commit(&seed, &record)));
        let draft = Draft::new(Kind::Asked, record);
        seal(&keys, &draft, self.now, &[7; 42]).map_err(|_| "the entry is not sealed")?;
        steps.push(timed("seal an entry: commitments, cipher, leaf, tokens", 2, || {
            seal(&keys, &draft, self.now, &[7; 42]).is_ok()
        }));
        let random = &mut [0; 42];
        steps.push(timed("fetch 42 random bytes from the system", 2, || getrandom::fill(random)));
        Ok(())
    }
}

/// A place at a source that fares well, taken and given back; the question itself costs nothing here.
fn guard(steps: &mut Vec<Step>) -> Fallible<()> {
    let second = Duration::from_secs(1);
    let bounds = Bounds {
        concurrency: 100,
        queue: 100,
        per_second: None,
        deadline: second,
        retries: 1,
        failures: 10,
        pause: second,
    };
    let guard = Guard::new("housing", bounds);
    let ask = async || {
        let place = guard.admit(second).await.ok()?;
        place.ask(Manner::Read, second, |_| ready(Ok(()))).await.ok()
    };
    // Where nothing is wrong, it never waits.
    let at_once = || match pin!(ask()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(())) => Ok(()),
        _ => Err("no place at the source"),
    };
    at_once()?;
    steps.push(timed("a place at the source, taken and given back", 1, at_once));
    Ok(())
}

/// The record of a question, with every column that one has.
fn record(permit: &Permit) -> Record {
    let (request, grant) = (permit.request(), permit.grant());
    let caller = &request.caller;
    RecordBuilder::new()
        .time(Column::TimeAsked, request.asked_at)
        .text(Column::Requester, &caller.requester.reference)
        .text(Column::System, caller.system.as_str())
        .bytes(Column::Key, &caller.key)
        .text(Column::EndUser, &caller.end_user)
        .text(Column::AssertedBy, &caller.asserted_by)
        .text(Column::Case, request.case.as_str())
        .text(Column::Source, &request.method.source)
        .text(Column::Method, &request.method.path)
        .text(Column::Manner, request.method.manner.name())
        .text(Column::Instrument, &grant.protocol)
        .text(Column::InstrumentVersion, &grant.version)
        .bytes(Column::InstrumentHash, &grant.content_hash)
        .text(Column::Purpose, &grant.purpose)
        .text(Column::LegalBasis, &grant.legal_basis)
        .text(Column::SubjectAsked, request.subject.as_str())
        .text(Column::FieldsRequested, &grant.fields_text)
        .number(Column::PolicyEpoch, permit.epoch())
        .bytes(Column::RequestDigest, &request.digest)
        .bytes(Column::RegistryHash, &caller.registry)
        .build()
}

/// An entry such as the gateway writes, to be appended.
pub fn draft(world: &World) -> Fallible<Draft> {
    Ok(Draft::new(Kind::Asked, record(&Bench::make(world)?.permit()?)))
}

fn timed<T>(name: &str, times: u32, mut step: impl FnMut() -> T) -> Step {
    let mut count: u32 = 1;
    while batch(count, &mut step) < BATCH && count < 1 << 24 {
        count *= 2;
    }
    let batches = (0..BATCHES).map(|_| batch(count, &mut step).as_secs_f64() * 1e9 / f64::from(count));
    Step { name: name.to_owned(), wall: median(batches.collect()), cpu: None, times: Some(times) }
}

fn batch<T>(count: u32, step: &mut impl FnMut() -> T) -> Duration {
    let started = Instant::now();
    for _ in 0..count {
        black_box(step());
    }
    started.elapsed()
}
