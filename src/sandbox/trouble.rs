//! People that do not exist even here: asking about one of them makes the source misbehave.
//!
//! All are TST numbers of men "born" on 31 December 1970, so a newcomer can type them and a test
//! can name them. Both wires know them; where a wire has no such fault, its nearest is played.

/// Text that no instrument opens. It stands in everything that a misbehaving source says beyond
/// the answer asked for, so that a test can look for it wherever it must not be.
pub const UNDECLARED: &str = "niet-opgegeven-persoonsgegeven";

/// A way in which a source misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // `Trouble::description` says what each does, for people too.
pub enum Trouble {
    Slow,
    SoapFault,
    ServerError,
    Unavailable,
    Throttled,
    NotInscribed,
    AccessRefused,
    Garbage,
    Truncated,
    Expansion,
    Huge,
    SomeoneElse,
    TwoPeople,
    Undeclared,
    PersonalStatus,
    Closed,
    InvalidUtf8,
}

impl Trouble {
    /// Every trouble, in the order in which `sluis sandbox --list` shows them.
    pub const ALL: [Self; 17] = [
        Self::Slow,
        Self::SoapFault,
        Self::ServerError,
        Self::Unavailable,
        Self::Throttled,
        Self::NotInscribed,
        Self::AccessRefused,
        Self::Garbage,
        Self::Truncated,
        Self::Expansion,
        Self::Huge,
        Self::SomeoneElse,
        Self::TwoPeople,
        Self::Undeclared,
        Self::PersonalStatus,
        Self::Closed,
        Self::InvalidUtf8,
    ];

    /// The trouble that this INSZ stands for.
    pub fn of(insz: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trouble| trouble.insz() == insz)
    }

    /// The reserved INSZ: eleven digits, a valid TST number.
    pub const fn insz(self) -> &'static str {
        self.row().0
    }

    /// A short name, in kebab case.
    pub const fn name(self) -> &'static str {
        self.row().1
    }

    /// What happens, on both wires.
    pub const fn description(self) -> &'static str {
        self.row().2
    }

    const fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Slow => ("70723190146", "slow", "waits for the configured delay, then answers well"),
            Self::SoapFault => ("70723190344", "soap-fault", "SOAP fault naming a person; gRPC INTERNAL"),
            Self::ServerError => {
                ("70723190542", "server-error", "HTTP 500 with a web page, no SOAP, no gRPC status")
            }
            Self::Unavailable => ("70723190740", "unavailable", "99996, source unavailable; gRPC UNAVAILABLE"),
            Self::Throttled => (
                "70723190938",
                "throttled",
                "99995, throttle rate exceeded, as SOAP fault; gRPC RESOURCE_EXHAUSTED",
            ),
            Self::NotInscribed => {
                ("70723191136", "not-inscribed", "40003, no inscription for the INSZ; gRPC FAILED_PRECONDITION")
            }
            Self::AccessRefused => {
                ("70723191334", "access-refused", "40005, access refused; gRPC PERMISSION_DENIED")
            }
            Self::Garbage => ("70723191532", "garbage", "bytes that are neither XML nor a message"),
            Self::Truncated => ("70723191730", "truncated", "half an answer, properly ended"),
            Self::Expansion => (
                "70723191928",
                "expansion",
                "a DTD whose entities expand; gRPC: compression that nobody agreed on",
            ),
            Self::Huge => ("70723192126", "huge", "a well-formed answer of 32 MiB"),
            Self::SomeoneElse => ("70723192324", "someone-else", "the file of another person, unannounced"),
            Self::TwoPeople => ("70723192522", "two-people", "the person asked for, and another"),
            Self::Undeclared => (
                "70723192720",
                "undeclared",
                "undeclared elements, attributes and field numbers, at every depth",
            ),
            Self::PersonalStatus => (
                "70723192918",
                "personal-status",
                "an error whose text, headers, trailers and details name a person",
            ),
            Self::Closed => {
                ("70723193116", "closed", "the connection or stream breaks in the midst of the answer")
            }
            Self::InvalidUtf8 => ("70723193314", "invalid-utf8", "a name that is not UTF-8"),
        }
    }
}
