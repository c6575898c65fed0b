//! The program as its users meet it: real processes, exit statuses, what they print.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::large_futures,
    reason = "a test may fail loudly"
)]

mod commands;
mod process;
mod stay;
#[path = "../support/mod.rs"]
mod support;
mod traced;
