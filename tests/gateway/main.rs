//! The gateway as its callers meet it: every reason, every method, bad certificates, reloads, conventions, audit.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::large_futures,
    reason = "a test may fail loudly"
)]

mod audit;
mod conventions;
mod drain;
mod guarded;
mod handshake;
mod hanging;
#[path = "../log_common/mod.rs"]
mod log_common;
mod methods;
mod operation;
mod overtaken;
mod parties;
mod partners;
mod raw;
mod reasons;
mod reflection;
mod registers;
mod reload;
mod spy;
mod storage;
#[path = "../support/mod.rs"]
mod support;
mod troubles;
mod walk;
