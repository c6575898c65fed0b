//! All instruments together: which of them is in force at an instant.
//!
//! A broken file closes alone. But it still closes what it was to replace: neither an older version
//! of its own id nor an instrument that it supersedes comes back because of a typing error.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use super::instrument::{Broken, Instrument, InstrumentError, Validity, read};
use super::vocabulary::Vocabulary;

/// The instruments that the gateway knows. Immutable: a reload makes another one.
#[derive(Debug)]
pub struct Catalogue {
    protocols: BTreeMap<Box<str>, Protocol>,
    broken: Vec<Broken>,
    remarks: Vec<InstrumentError>,
    hash: [u8; 32],
}

/// All versions of one instrument.
#[derive(Debug)]
pub struct Protocol {
    /// The latest first day first.
    versions: Vec<Instrument>,
    /// When the versions that could not be read would be in force; `None` if that could not be read either.
    unread: Vec<Option<Validity>>,
    superseded: Option<Supersession>,
}

#[derive(Debug)]
struct Supersession {
    by: Box<str>,
    validity: Option<Validity>,
}

impl Supersession {
    /// A file whose first day cannot be read counts as having begun.
    fn start(&self) -> Timestamp {
        self.validity.map_or(Timestamp::MIN, |validity| validity.start())
    }
}

/// Why an instrument opens nothing now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotInForce {
    /// Its first day is still to come.
    NotYet(Date),
    /// Its last day, itself included, is over.
    Expired(Date),
    /// Another instrument took its place, whether or not that one is still in force itself.
    Superseded {
        /// The id of the other one.
        by: Box<str>,
        /// The first day of the other one, if it could be read.
        from: Option<Date>,
    },
    /// The file that would be in force has errors.
    Broken,
}

impl fmt::Display for NotInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet(from) => write!(f, "not in force before {from}"),
            Self::Expired(until) => write!(f, "expired after {until}"),
            Self::Superseded { by, from: None } => write!(f, "superseded by {by}"),
            Self::Superseded { by, from: Some(from) } => write!(f, "superseded by {by} from {from}"),
            Self::Broken => f.write_str("its file has errors"),
        }
    }
}

impl Catalogue {
    /// Compiles files, given as name and text.
    pub fn compile<N: AsRef<str>, T: AsRef<str>>(files: &[(N, T)], vocabulary: &Vocabulary) -> Self {
        let mut instruments = Vec::with_capacity(files.len());
        let mut broken = Vec::new();
        for (file, text) in files {
            match read(file.as_ref(), text.as_ref(), vocabulary) {
                Ok(instrument) => instruments.push(instrument),
                Err(faulty) => broken.push(*faulty),
            }
        }
        let instruments = without_twins(instruments, &mut broken);
        let hash = hash(&instruments);
        let mut protocols: BTreeMap<Box<str>, Protocol> = BTreeMap::new();
        for faulty in &broken {
            if let Some(id) = &faulty.id {
                entry(&mut protocols, id).unread.push(faulty.validity);
            }
        }
        for instrument in instruments {
            entry(&mut protocols, &instrument.id.clone()).versions.push(instrument);
        }
        for protocol in protocols.values_mut() {
            protocol.versions.sort_by_key(|version| std::cmp::Reverse(version.validity.start()));
        }
        let mut catalogue = Self { protocols, broken, remarks: Vec::new(), hash };
        catalogue.supersede();
        catalogue
    }

    /// All versions of an instrument. `None`: nobody knows it.
    pub fn protocol(&self, id: &str) -> Option<&Protocol> {
        self.protocols.get(id)
    }

    /// Whether both are words of one instrument, in force or not: what others may be told, and not only what a caller
    /// wrote.
    pub fn publishes(&self, protocol: &str, purpose: &str) -> bool {
        self.protocol(protocol)
            .is_some_and(|known| known.versions().iter().any(|version| version.purpose(purpose).is_some()))
    }

    /// All instruments that could be read, in force or not, by id, the latest version first.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.protocols.values().flat_map(|protocol| &protocol.versions)
    }

    /// The files that open nothing, and why.
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// What closes nothing but looks like a mistake.
    pub fn remarks(&self) -> &[InstrumentError] {
        &self.remarks
    }

    /// SHA-256 over the sorted content hashes of the instruments that could be read.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    fn supersede(&mut self) {
        let read =
            self.instruments().map(|one| (&one.file, Some(&one.id), Some(one.validity), &one.supersedes));
        let unread = self.broken.iter().map(|one| (&one.file, one.id.as_ref(), one.validity, &one.supersedes));
        let mut found = Vec::new();
        for (file, id, validity, supersedes) in read.chain(unread) {
            for other in supersedes {
                let by = id.unwrap_or(file).clone();
                found.push((file.clone(), other.clone(), Supersession { by, validity }));
            }
        }
        for (file, id, supersession) in found {
            let Some(protocol) = self.protocols.get_mut(&id) else {
                let message = format!("it supersedes `{id}`, which no file here has as its id");
                let message = message.into();
                self.remarks.push(InstrumentError { file, line: None, message });
                continue;
            };
            let earlier = protocol.superseded.as_ref();
            if earlier.is_none_or(|earlier| supersession.start() < earlier.start()) {
                protocol.superseded = Some(supersession);
            }
        }
    }
}

impl Protocol {
    /// The version in force at an instant: of several, the one that began last.
    pub fn in_force(&self, now: Timestamp) -> Result<&Instrument, NotInForce> {
        if let Some(other) = self.superseded.as_ref().filter(|other| other.start() <= now) {
            return Err(NotInForce::Superseded {
                by: other.by.clone(),
                from: other.validity.map(|validity| validity.from),
            });
        }
        let version = self.versions.iter().find(|version| version.validity.contains(now));
        let start = version.map(|version| version.validity.start());
        let hides = |unread: &Option<Validity>| match unread {
            None => true,
            Some(validity) => validity.contains(now) && Some(validity.start()) >= start,
        };
        match version {
            _ if self.unread.iter().any(hides) => Err(NotInForce::Broken),
            Some(version) => Ok(version),
            None => Err(self.not_in_force(now)),
        }
    }

    /// All versions that could be read, the latest first day first.
    pub fn versions(&self) -> &[Instrument] {
        &self.versions
    }

    fn not_in_force(&self, now: Timestamp) -> NotInForce {
        let validities = || self.versions.iter().map(|version| version.validity);
        let coming = validities().filter(|validity| !validity.has_begun(now));
        let over = validities().filter_map(|validity| validity.until);
        match (coming.map(|validity| validity.from).min(), over.max()) {
            (Some(from), _) => NotInForce::NotYet(from),
            (None, Some(until)) => NotInForce::Expired(until),
            (None, None) => NotInForce::Broken,
        }
    }
}

fn entry<'p>(protocols: &'p mut BTreeMap<Box<str>, Protocol>, id: &str) -> &'p mut Protocol {
    protocols.entry(id.into()).or_insert_with(|| Protocol {
        versions: Vec::new(),
        unread: Vec::new(),
        superseded: None,
    })
}

/// Two files with the same id and version, or the same id and first day, contradict each other:
/// neither counts.
fn without_twins(instruments: Vec<Instrument>, broken: &mut Vec<Broken>) -> Vec<Instrument> {
    let twin_of = |one: &Instrument| {
        let mut others = instruments.iter().filter(|other| other.id == one.id && other.file != one.file);
        others
            .find(|other| other.version == one.version || other.validity.from == one.validity.from)
            .map(|other| other.file.clone())
    };
    let twins: Vec<Option<Box<str>>> = instruments.iter().map(twin_of).collect();
    let mut alone = Vec::with_capacity(instruments.len());
    for (one, twin) in instruments.into_iter().zip(twins) {
        let Some(twin) = twin else {
            alone.push(one);
            continue;
        };
        let message = format!(
            "{twin} is also a file of `{}`, with this version or this first day: give the later one its own",
            one.id,
        );
        broken.push(Broken {
            errors: vec![InstrumentError { file: one.file.clone(), line: None, message: message.into() }],
            file: one.file,
            id: Some(one.id),
            version: Some(one.version),
            validity: Some(one.validity),
            supersedes: one.supersedes,
        });
    }
    alone
}

fn hash(instruments: &[Instrument]) -> [u8; 32] {
    let mut hashes: Vec<[u8; 32]> = instruments.iter().map(|one| one.content_hash).collect();
    hashes.sort_unstable();
    Sha256::digest(hashes.concat()).into()
}

#[cfg(test)]
mod tests;
