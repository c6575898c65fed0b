//! The log as it is on disk, and what is missing from it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use sluis::config::Config;
use sluis::disclosure::entry::Kind;
use sluis::disclosure::keys::LogKeys;
use sluis::disclosure::read::{Entry, Reader};
use sluis::disclosure::record::Column;
use sluis::sandbox::pseudonym;
use sluis::store::sqlite::{SqliteSettings, SqliteStore};
use uuid::Uuid;

use crate::load::{Answer, Seen};

/// The entries that were read so far.
#[derive(Default)]
pub struct Ledger(Vec<Logged>);

/// What the checks need of an entry.
struct Logged {
    id: Uuid,
    kind: Kind,
    closes: Option<u64>,
    source: String,
    subject: String,
    outcome: String,
    digest: Vec<u8>,
}

/// What the journal has for the person of a question that broke off: the gateway died while it asked.
const UNREAD: &str = "-";

/// A question that a source saw.
#[derive(Debug)]
pub struct Question {
    pub source: &'static str,
    trace: String,
    subject: String,
}

impl Ledger {
    /// Reads what has come since, beside a gateway or after its death.
    pub async fn read_on(&mut self, config: &Config) {
        let keys = Arc::new(LogKeys::load(&config.log.key).unwrap());
        let store = SqliteStore::open_to_read(SqliteSettings::new(&config.log.database)).await.unwrap();
        // It searches for nothing, so it needs no months.
        let reader = Reader::new(store.clone(), keys, Arc::default());
        let entries = reader.entries(self.0.len() as u64..reader.size().await.unwrap()).await.unwrap();
        self.0.extend(entries.iter().map(logged));
        store.close().await;
    }

    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The indexes of entries of a kind.
    pub fn of_kind(&self, kind: Kind) -> BTreeSet<u64> {
        (0..).zip(&self.0).filter(|(_, entry)| entry.kind == kind).map(|(index, _)| index).collect()
    }

    /// The indexes of questions that an entry of this kind closes.
    pub fn closed_by(&self, kind: Kind) -> BTreeSet<u64> {
        self.0.iter().filter(|entry| entry.kind == kind).filter_map(|entry| entry.closes).collect()
    }

    /// The indexes of questions that nothing closes.
    pub fn open(&self) -> BTreeSet<u64> {
        let closed: BTreeSet<_> = self.0.iter().filter_map(|entry| entry.closes).collect();
        self.of_kind(Kind::Asked).difference(&closed).copied().collect()
    }
}

fn logged(entry: &Entry) -> Logged {
    let record = &entry.opened.record;
    let text = |column| record.text(column).unwrap_or_default().to_owned();
    Logged {
        id: entry.leaf.entry_id,
        kind: entry.leaf.kind,
        closes: entry.closes,
        source: text(Column::Source),
        subject: pseudonym(&text(Column::SubjectAsked)),
        outcome: text(Column::Outcome),
        digest: record.bytes(Column::ResponseDigest).unwrap_or_default().to_vec(),
    }
}

/// What the sources wrote down before they answered.
pub fn journal(file: &Path) -> Vec<Question> {
    let text = std::fs::read_to_string(file).unwrap();
    // A line that is being written may lack its end.
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let question = |line: &str| {
        let columns: Vec<_> = line.trim_end().split('\t').collect();
        let source = if columns[0] == "magda" { "rijksregister" } else { "housing" };
        Question { source, trace: columns[1].to_owned(), subject: columns[2].to_owned() }
    };
    lines.map(question).collect()
}

/// What was seen and is not in the log, or is there otherwise.
#[derive(Debug)]
pub struct Losses {
    /// Answers that clients saw.
    pub answers: Vec<String>,
    /// Questions that sources saw.
    pub questions: Vec<String>,
    /// Questions that were closed more than once.
    pub closings: Vec<String>,
}

impl Losses {
    pub fn of(ledger: &Ledger, seen: &[Seen], journal: &[Question]) -> Self {
        let by_id: BTreeMap<_, _> =
            ledger.0.iter().map(|entry| (entry.id.simple().to_string(), entry)).collect();
        let unasked = |question: &&Question| {
            !by_id.get(&question.trace).is_some_and(|entry| {
                entry.kind == Kind::Asked
                    && entry.source == question.source
                    && (entry.subject == question.subject || question.subject == UNREAD)
            })
        };
        let mut closings = BTreeMap::new();
        for asked in ledger.0.iter().filter_map(|entry| entry.closes) {
            *closings.entry(asked).or_insert(0) += 1;
        }
        Self {
            answers: seen.iter().filter_map(|seen| fault(ledger, seen)).collect(),
            questions: journal.iter().filter(unasked).map(|question| format!("{question:?}")).collect(),
            closings: closings
                .into_iter()
                .filter(|&(_, times)| times > 1)
                .map(|(asked, times)| format!("question {asked}: closed {times} times"))
                .collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        let Self { answers, questions, closings } = self;
        [answers, questions, closings].iter().all(|losses| losses.is_empty())
    }
}

/// What the log lacks of an answer.
fn fault(ledger: &Ledger, seen: &Seen) -> Option<String> {
    let index = usize::try_from(seen.index).unwrap();
    let Some(entry) = ledger.0.get(index) else { return Some(format!("entry {index}: not there")) };
    let as_answered = entry.kind == seen.answer.kind()
        && match &seen.answer {
            Answer::Released { digest } => entry.outcome == "RELEASED" && entry.digest == digest,
            Answer::Refused { reason } => entry.outcome == *reason && entry.digest.is_empty(),
        };
    match (entry.id == seen.id, as_answered) {
        (false, _) => Some(format!("entry {index}: another one than the answer names")),
        (true, false) => {
            Some(format!("entry {index}: {} {}, not what was answered", entry.kind, entry.outcome))
        }
        (true, true) => None,
    }
}
