//! The auditor's questions: which criteria there are, how the log is searched by them, and in which pages. Who may
//! ask, and that the question is itself an entry, is the business of whoever serves them.

mod present;

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

pub use present::present;

use crate::disclosure::entry::Kind;
use crate::disclosure::keys::TokenKind;
use crate::disclosure::read::{Entry, Found, ReadError, Reader};
use crate::disclosure::record::{Column, Record, RecordBuilder};
use crate::disclosure::store::Store;
use crate::proto::audit::ListDisclosuresRequest;

/// Entries of a page, unless fewer are asked for.
pub const PAGE: usize = 100;
/// The most entries of a page.
pub const MAX_PAGE: usize = 1000;
/// Entries that are opened for one page at the most: a page may be short, or empty, and have a next.
const SCAN: u64 = 10_000;
/// Entries that are opened at a time.
const CHUNK: u64 = 256;
/// Bytes of one criterion.
const MAX_CRITERION: usize = 256;

type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T, ReadError>> + Send + 'a>>;

/// The log as an auditor reads it, whatever database keeps it.
pub trait Ledger: Send + Sync {
    /// Number of entries.
    fn size(&self) -> Reading<'_, u64>;
    /// The entries of a range, by index.
    fn entries(&self, range: Range<u64>) -> Reading<'_, Vec<Entry>>;
    /// The entries of a range that name a value, by index; complete up to the head.
    fn find<'a>(
        &'a self,
        kind: TokenKind,
        value: &'a [u8],
        range: Range<u64>,
        limit: usize,
    ) -> Reading<'a, Found>;
}

impl<S: Store> Ledger for Reader<S> {
    fn size(&self) -> Reading<'_, u64> {
        Box::pin(self.size())
    }

    fn entries(&self, range: Range<u64>) -> Reading<'_, Vec<Entry>> {
        Box::pin(self.entries(range))
    }

    fn find<'a>(
        &'a self,
        kind: TokenKind,
        value: &'a [u8],
        range: Range<u64>,
        limit: usize,
    ) -> Reading<'a, Found> {
        Box::pin(self.find(kind, value, range, limit))
    }
}

/// What an auditor asks. What is left out does not narrow.
#[derive(Clone, Default)]
pub struct Question {
    subject: Option<String>,
    organisation: Option<String>,
    end_user: Option<String>,
    case: Option<String>,
    protocol: Option<String>,
    purpose: Option<String>,
    outcome: Option<String>,
    kind: Option<Kind>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    page: usize,
    position: Option<Position>,
}

/// Where a page starts, in the log as it was when the first page was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    size: u64,
    next: u64,
}

/// The question is not one: a criterion too long, a kind or a time that there is not, or a token of other criteria.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// One page of entries.
pub struct Page {
    /// The entries, by index.
    pub entries: Vec<Entry>,
    /// The token of the next page; empty where there is none.
    pub next: String,
    /// Size of the log when the first page was made.
    pub size: u64,
}

impl Question {
    /// Reads a question.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(request: &ListDisclosuresRequest) -> Result<Self, Malformed> {
        let text = |text: &String| match text.len() {
            0 => Ok(None),
            1..=MAX_CRITERION => Ok(Some(text.clone())),
            _ => Err(Malformed),
        };
        let time = |time: &Option<prost_reflect::prost_types::Timestamp>| {
            time.as_ref()
                .map(|time| Timestamp::new(time.seconds, time.nanos).map_err(|_| Malformed))
                .transpose()
        };
        let kind = match u8::try_from(request.kind).map_err(|_| Malformed)? {
            0 => None,
            number => Some(Kind::from_number(number).ok_or(Malformed)?),
        };
        let mut question = Self {
            subject: text(&request.subject)?,
            organisation: text(&request.organisation)?,
            end_user: text(&request.end_user)?,
            case: text(&request.case)?,
            protocol: text(&request.protocol)?,
            purpose: text(&request.purpose)?,
            outcome: text(&request.outcome)?,
            kind,
            from: time(&request.period_from)?,
            until: time(&request.period_until)?,
            page: match usize::try_from(request.page_size).unwrap_or(MAX_PAGE) {
                0 => PAGE,
                asked => asked.min(MAX_PAGE),
            },
            position: None,
        };
        if !request.page_token.is_empty() {
            question.position = Some(question.position_of(&request.page_token).ok_or(Malformed)?);
        }
        Ok(question)
    }

    /// What the question's own entry says: whom it asks about, and by which criteria. The data subject and the case
    /// stand in their own columns, where they are found again.
    pub fn describe<'a>(&'a self, record: &mut RecordBuilder<'a>, names: &'a mut String) {
        // Without a column of their own: those of requester and end user are the auditor's.
        let valued = |value: &Option<String>| value.as_ref().map(|value| format!(" {value}"));
        let bare = |given: bool| given.then(String::new);
        for (name, value) in [
            ("subject", bare(self.subject.is_some())),
            ("organisation", valued(&self.organisation)),
            ("end_user", valued(&self.end_user)),
            ("case", bare(self.case.is_some())),
            ("protocol", bare(self.protocol.is_some())),
            ("purpose", bare(self.purpose.is_some())),
            ("outcome", valued(&self.outcome)),
            ("kind", bare(self.kind.is_some())),
            ("period", bare(self.from.or(self.until).is_some())),
        ] {
            if let Some(value) = value {
                names.push_str(if names.is_empty() { "criteria: " } else { ", " });
                names.extend([name, &value]);
            }
        }
        let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
        record
            .text(Column::SubjectAsked, text(&self.subject))
            .text(Column::Case, text(&self.case))
            .text(Column::Instrument, text(&self.protocol))
            .text(Column::Purpose, text(&self.purpose))
            .text(Column::Detail, names);
    }

    fn fits(&self, entry: &Entry) -> bool {
        let record = &entry.opened.record;
        let is = |wanted: &Option<String>, columns: &[Column]| match wanted {
            None => true,
            Some(wanted) => columns.iter().any(|&column| record.text(column) == Some(wanted)),
        };
        self.kind.is_none_or(|kind| entry.leaf.kind == kind)
            && is(&self.subject, &[Column::SubjectAsked, Column::SubjectReturned])
            && is(&self.organisation, &[Column::Requester, Column::Processor])
            && is(&self.end_user, &[Column::EndUser])
            && is(&self.case, &[Column::Case])
            && is(&self.protocol, &[Column::Instrument])
            && is(&self.purpose, &[Column::Purpose])
            && is(&self.outcome, &[Column::Outcome])
            && self.in_period(record)
    }

    fn in_period(&self, record: &Record) -> bool {
        if self.from.is_none() && self.until.is_none() {
            return true;
        }
        record.time(Column::TimeAsked).is_some_and(|asked| {
            self.from.is_none_or(|from| asked >= from) && self.until.is_none_or(|until| asked < until)
        })
    }

    /// The criterion by which the log is searched: the one that few entries share. An organisation's entries are so
    /// many that reading all is no worse.
    fn narrowest(&self) -> Option<(TokenKind, &str)> {
        let by = |kind, text: &'_ Option<String>| text.is_some().then_some(kind);
        by(TokenKind::Subject, &self.subject)
            .zip(self.subject.as_deref())
            .or(by(TokenKind::Case, &self.case).zip(self.case.as_deref()))
            .or(by(TokenKind::User, &self.end_user).zip(self.end_user.as_deref()))
    }

    fn token_of(&self, position: Position) -> String {
        let mut bytes = Vec::with_capacity(24);
        bytes.extend(position.size.to_be_bytes());
        bytes.extend(position.next.to_be_bytes());
        bytes.extend(self.fingerprint());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn position_of(&self, token: &str) -> Option<Position> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let (next, fingerprint) = rest.split_first_chunk::<8>()?;
        let position = Position { size: u64::from_be_bytes(*size), next: u64::from_be_bytes(*next) };
        (fingerprint == self.fingerprint() && position.next <= position.size).then_some(position)
    }

    /// Of the criteria, so that a token goes on with the question that it was made for.
    fn fingerprint(&self) -> [u8; 8] {
        let mut hash = Sha256::new();
        let texts = [
            &self.subject,
            &self.organisation,
            &self.end_user,
            &self.case,
            &self.protocol,
            &self.purpose,
            &self.outcome,
        ];
        for text in texts {
            let text = text.as_deref().unwrap_or_default();
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.update([self.kind.map_or(0, |kind| kind as u8)]);
        for time in [self.from, self.until] {
            hash.update(time.map_or(i64::MIN, Timestamp::as_microsecond).to_be_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        digest.first_chunk().copied().unwrap_or_default()
    }
}

/// One page of the answer. Entries that were appended since the first page do not shift the pages.
///
/// # Errors
/// Where the log cannot be read, or an entry is not what was appended.
pub async fn list(ledger: &dyn Ledger, question: &Question) -> Result<Page, ReadError> {
    let Position { size, next } = match question.position {
        Some(position) => Position { size: position.size.min(ledger.size().await?), ..position },
        None => Position { size: ledger.size().await?, next: 0 },
    };
    let mut page = Vec::new();
    let mut at = next;
    let last = size.min(next.saturating_add(SCAN));
    while at < last && page.len() < question.page {
        let (entries, reached) = if let Some((kind, value)) = question.narrowest() {
            let found = ledger.find(kind, value.as_bytes(), at..size, question.page).await?;
            (found.entries, found.next.unwrap_or(size))
        } else {
            let end = last.min(at + CHUNK);
            (ledger.entries(at..end).await?, end)
        };
        at = reached;
        for entry in entries.into_iter().filter(|entry| question.fits(entry)) {
            if page.len() == question.page {
                at = entry.index;
                break;
            }
            page.push(entry);
        }
    }
    let next = if at < size { question.token_of(Position { size, next: at }) } else { String::new() };
    Ok(Page { entries: page, next, size })
}
