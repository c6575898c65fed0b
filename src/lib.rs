//! Sluis, a gateway between authorities: personal data leave only as far as a published instrument opens them, and
//! not before the log says so.
//!
//! # The exchange in five sentences
//!
//! A caller is *identified* by the registered key of its certificate, and its end user by a token that is bound to it.
//! What it wants is *decided* by the instrument that it names: purpose, method, recipient, and every field of the
//! request, before anyone is asked. The question is written to the log, durably, and only then is the source *asked*.
//! The answer is *settled* at the moment of release: still in force, about that person, address not protected, and of
//! its bytes only what is granted. That disclosure, too, is in the log before a byte of it leaves; and so is every
//! refusal of a known caller.
//!
//! [`gateway`] is these sentences as code, on one screen.
//!
//! # Modules, in reading order
//!
//! | module | what |
//! |---|---|
//! | [`gateway`] | the exchange |
//! | [`domain`] | pure: parties, numbers of people, instruments, `decide`, `settle`, reasons |
//! | [`minimise`] | pure: the filter on the wire format; what a request sends undeclared |
//! | [`disclosure`] | the one door out, and the log behind it |
//! | [`store`] | the log in SQLite: the only SQL |
//! | [`source`] | wires to the sources: gRPC, and MAGDA's SOAP |
//! | [`identity`] | certificate, registry, token, revocation |
//! | [`audit`] | what an auditor may ask of the log, and in which pages |
//! | [`rpc`] | the listener, and the one mapping of reasons to gRPC |
//! | [`frame`], [`stream`] | gRPC's framing, and TLS streams as HTTP/2 had best have them: for listener and wire alike |
//! | [`proto`] | generated types of the few packages that the gateway speaks itself |
//! | [`sandbox`] | the sources, played with synthetic people |
//! | [`config`], [`telemetry`], [`clock`] | `sluis.toml`; metrics and liveness; the one reader of the clock |
//! | [`cli`] | the commands, and the only place that wires everything |
//!
//! `docs/architecture.md` says which of them may name which, and what holds throughout.

pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod disclosure;
pub mod domain;
pub mod frame;
pub mod gateway;
pub mod identity;
pub mod minimise;
pub mod proto;
pub mod rpc;
pub mod sandbox;
pub mod source;
pub mod store;
pub mod stream;
pub mod telemetry;
