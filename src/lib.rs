//! Sluis, a gateway between authorities.

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
