//! Sluis, a gateway between authorities.

pub mod cli;
pub mod clock;
pub mod config;
pub mod disclosure;
pub mod domain;
pub mod frame;
pub mod identity;
pub mod minimise;
pub mod proto;
pub mod sandbox;
pub mod source;
pub mod store;
