//! Reads the tables of an instrument's file: only keys that the format knows, each of its own type.
//! A fault is noted with its line, and reading goes on.

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, suggest};

/// The longest text that a key may hold, in bytes: these texts reach pages, the log and denials.
const LONGEST_TEXT: usize = 2000;

/// One table of the file, of which all keys are known.
#[derive(Clone, Copy)]
pub(super) struct Section<'t> {
    name: &'t str,
    table: &'t DeTable<'t>,
    /// Where it begins, for a key that is missing.
    start: usize,
}

impl<'t> Section<'t> {
    /// The file itself.
    pub(super) fn file(table: &'t DeTable<'t>, keys: &[&str], faults: &mut Faults<'_>) -> Self {
        let section = Self { name: "the file", table, start: 0 };
        section.refuse_unknown(keys, faults);
        section
    }

    fn open(
        name: &'t str,
        value: &'t Spanned<DeValue<'t>>,
        keys: &[&str],
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            faults.at(value.span(), format!("`{name}` is a table here"));
            return None;
        };
        let start = value.span().start;
        let section = Self { name, table, start };
        section.refuse_unknown(keys, faults);
        Some(section)
    }

    fn refuse_unknown(&self, keys: &[&str], faults: &mut Faults<'_>) {
        for key in self.table.keys() {
            let word = key.get_ref();
            if !keys.contains(&word.as_ref()) {
                let instead = suggest(word, keys.iter().copied());
                let message = format!("{} has no key `{word}`{instead}", self.name);
                faults.at(key.span(), message);
            }
        }
    }

    /// Whether the key is there, rightly or wrongly filled.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Whether the key holds a list of nothing.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        let list = self.value(key).and_then(|value| value.get_ref().as_array());
        list.is_some_and(|items| items.is_empty())
    }

    /// Where the key's value stands, or else the table.
    pub(super) fn span(&self, key: &str) -> std::ops::Range<usize> {
        self.value(key).map_or(self.start..self.start, Spanned::span)
    }

    fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        let mut entries = self.table.iter();
        entries.find_map(|(name, value)| (name.get_ref() == key).then_some(value))
    }

    /// Notes that the key is missing, if it is.
    pub(super) fn require(&self, key: &str, faults: &mut Faults<'_>) {
        if !self.has(key) {
            let message = format!("{} lacks the key `{key}`", self.name);
            faults.at(self.start..self.start, message);
        }
    }

    /// A text, where there is one.
    pub(super) fn text(&self, key: &str, faults: &mut Faults<'_>) -> Option<Spanned<&'t str>> {
        text_of(key, self.value(key)?, faults)
    }

    /// A text that must be there.
    pub(super) fn required_text(&self, key: &str, faults: &mut Faults<'_>) -> Option<Spanned<&'t str>> {
        self.require(key, faults);
        self.text(key, faults)
    }

    /// A name that must be there: `[a-z0-9-]{1,64}`.
    pub(super) fn required_name(&self, key: &str, faults: &mut Faults<'_>) -> Option<Spanned<&'t str>> {
        let text = self.required_text(key, faults)?;
        name_of(key, text, faults)
    }

    /// A list of texts, none of them twice. Absent: empty.
    pub(super) fn texts(&self, key: &str, faults: &mut Faults<'_>) -> Vec<Spanned<&'t str>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let message = format!("`{key}` is a list here: write it in square brackets");
            faults.at(value.span(), message);
            return Vec::new();
        };
        let mut texts: Vec<Spanned<&'t str>> = Vec::with_capacity(items.len());
        for item in items {
            let Some(text) = text_of(key, item, faults) else { continue };
            if texts.iter().any(|other| other.get_ref() == text.get_ref()) {
                let message = format!("`{key}` names `{}` twice", text.get_ref());
                faults.at(text.span(), message);
            } else {
                texts.push(text);
            }
        }
        texts
    }

    /// A list of names: `[a-z0-9-]{1,64}`, none of them twice. Absent: empty.
    pub(super) fn names(&self, key: &str, faults: &mut Faults<'_>) -> Vec<Spanned<&'t str>> {
        let texts = self.texts(key, faults);
        let names = texts.into_iter();
        names.filter_map(|text| name_of(key, text, faults)).collect()
    }

    /// The meaning of one of a closed list of words, which must be there.
    pub(super) fn required_word<T: Copy>(
        &self,
        key: &str,
        words: &[(&str, T)],
        faults: &mut Faults<'_>,
    ) -> Option<T> {
        let text = self.required_text(key, faults)?;
        word_of(key, &text, words, faults)
    }

    /// A date without time or offset, where there is one.
    pub(super) fn date(&self, key: &str, faults: &mut Faults<'_>) -> Option<Date> {
        let value = self.value(key)?;
        let date = civil_date(value.get_ref());
        if date.is_none() {
            let message = format!("`{key}` is a date: write it as 2026-01-31, without quotes");
            faults.at(value.span(), message);
        }
        date
    }

    /// A table inside this one, where there is one.
    pub(super) fn section(&self, key: &'t str, keys: &[&str], faults: &mut Faults<'_>) -> Option<Section<'t>> {
        Self::open(key, self.value(key)?, keys, faults)
    }

    /// The tables of a list (`[[key]]`). Absent: empty.
    pub(super) fn sections(&self, key: &'t str, keys: &[&str], faults: &mut Faults<'_>) -> Vec<Section<'t>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let message = format!("`{key}` is a list of tables: write [[{key}]]");
            faults.at(value.span(), message);
            return Vec::new();
        };
        let tables = items.iter();
        tables.filter_map(|item| Self::open(key, item, keys, faults)).collect()
    }
}

/// The meaning of one of a closed list of words.
pub(super) fn word_of<T: Copy>(
    key: &str,
    text: &Spanned<&str>,
    words: &[(&str, T)],
    faults: &mut Faults<'_>,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| word == text.get_ref());
    if found.is_none() {
        let instead = suggest(text.get_ref(), words.iter().map(|(word, _)| *word));
        let message = format!("`{key}` cannot be `{}`{instead}", text.get_ref());
        faults.at(text.span(), message);
    }
    found.map(|(_, meaning)| *meaning)
}

/// The text, without its place.
pub(super) fn owned(text: &Spanned<&str>) -> Box<str> {
    (*text.get_ref()).into()
}

fn text_of<'t>(
    key: &str,
    value: &'t Spanned<DeValue<'t>>,
    faults: &mut Faults<'_>,
) -> Option<Spanned<&'t str>> {
    let DeValue::String(text) = value.get_ref() else {
        let message = format!("`{key}` is a text: write it in quotes");
        faults.at(value.span(), message);
        return None;
    };
    let control = text.chars().any(|c| c.is_control() && c != '\n');
    if text.trim().is_empty() || text.len() > LONGEST_TEXT || control {
        let message = format!("`{key}` is 1 to {LONGEST_TEXT} bytes of text, without control characters");
        faults.at(value.span(), message);
        return None;
    }
    Some(Spanned::new(value.span(), text.as_ref()))
}

fn name_of<'t>(key: &str, text: Spanned<&'t str>, faults: &mut Faults<'_>) -> Option<Spanned<&'t str>> {
    let name = text.get_ref().as_bytes();
    let allowed = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    if name.len() <= 64 && name.iter().all(allowed) {
        return Some(text);
    }
    let message = format!("`{key}` is a name of 1 to 64 of a-z, 0-9 and `-`");
    faults.at(text.span(), message);
    None
}

fn civil_date(value: &DeValue<'_>) -> Option<Date> {
    let DeValue::Datetime(datetime) = value else {
        return None;
    };
    if datetime.time.is_some() || datetime.offset.is_some() {
        return None;
    }
    let date = datetime.date?;
    let year = i16::try_from(date.year).ok()?;
    Date::new(year, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?).ok()
}
