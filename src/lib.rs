//! Sluis, a gateway between authorities.

pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod frame;
pub mod identity;
pub mod minimise;
pub mod proto;
