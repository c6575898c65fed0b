//! What the sources were asked, written before they answer: the other half of the proof that
//! every question has its entry in the disclosure log.

use std::{
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use http::HeaderMap;
use sha2::{Digest, Sha256};

/// A source that the sandbox plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Played {
    /// The Rijksregister behind MAGDA.
    Magda,
    /// The native partner.
    Housing,
}

impl Played {
    /// As the journal writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Magda => "magda",
            Self::Housing => "housing",
        }
    }
}

/// Counts questions, and writes them down if there is a file.
pub struct Journal {
    file: Option<Mutex<File>>,
    magda: AtomicU64,
    housing: AtomicU64,
}

impl Journal {
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        let file = path.map(open).transpose()?.map(Mutex::new);
        Ok(Self { file, magda: AtomicU64::new(0), housing: AtomicU64::new(0) })
    }

    /// Notes a question. The reference is the trace id of `traceparent` (W3C Trace Context);
    /// what cannot be read is written as `-`.
    pub fn note(&self, source: Played, headers: &HeaderMap, insz: Option<&str>) -> io::Result<()> {
        self.counter(source).fetch_add(1, Ordering::SeqCst);
        let Some(file) = &self.file else { return Ok(()) };
        let trace = trace_id(headers).unwrap_or("-");
        let subject = insz.map_or_else(|| "-".to_owned(), pseudonym);
        let line = format!("{}\t{trace}\t{subject}\n", source.name());
        // One write for each line, so that a reader never sees two questions mixed.
        file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
    }

    /// How many questions this source has received.
    pub fn questions(&self, source: Played) -> u64 {
        self.counter(source).load(Ordering::SeqCst)
    }

    const fn counter(&self, source: Played) -> &AtomicU64 {
        match source {
            Played::Magda => &self.magda,
            Played::Housing => &self.housing,
        }
    }
}

fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get("traceparent")?.to_str().ok()?.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

/// The first 16 hexadecimal digits of the SHA-256 of an INSZ.
pub fn pseudonym(insz: &str) -> String {
    let digest = Sha256::digest(insz.as_bytes());
    digest.iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
