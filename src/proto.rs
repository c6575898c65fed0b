//! Types generated from `proto/` for the packages that the gateway itself speaks. A source's package has none:
//! it is served from its descriptors ([`crate::domain::vocabulary`]).

/// `sluis.options.v1`: what descriptors say beside names and types.
#[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic, reason = "generated")]
pub mod options {
    include!(concat!(env!("OUT_DIR"), "/sluis.options.v1.rs"));
}

/// `sluis.audit.v1`: what an auditor asks. Without `Debug`, as its records name people.
#[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic, reason = "generated")]
pub mod audit {
    include!(concat!(env!("OUT_DIR"), "/sluis.audit.v1.rs"));
}

/// `sandbox.housing.v1`: the sandbox's partner that speaks gRPC.
#[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic, reason = "generated")]
pub mod sandbox {
    include!(concat!(env!("OUT_DIR"), "/sandbox.housing.v1.rs"));
}
