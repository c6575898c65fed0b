//! A partner that nobody has thought of, added to a gateway that runs: as docs/partners.md says, word for word; and what
//! becomes of sets that may not be.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::large_futures,
    reason = "a test may fail loudly"
)]

mod page;
mod place;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
