//! Whom an answer names, held against the number that it was asked about, while it is read.

use std::collections::BTreeSet;

use super::plan::Scope;

/// A set of people of whom the person asked for must be one.
type Circle = BTreeSet<Box<str>>;

/// The people that an answer has named so far.
pub(super) struct People<'a> {
    asked: &'a str,
    open: Vec<Open>,
    /// The number that was asked about was named.
    theirs: bool,
    /// Who could be meant where it was not.
    others: Option<Circle>,
    /// A part that names somebody elsewhere names nobody here.
    nameless: bool,
}

enum Open {
    /// Each number in it is the person's, and there is one.
    Each { named: bool },
    /// One of the numbers in it is the person's.
    Among(Circle),
}

/// Of two people, or partly of nobody.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Several;

impl<'a> People<'a> {
    pub(super) fn new(asked: &'a str) -> Self {
        Self { asked, open: Vec::new(), theirs: false, others: None, nameless: false }
    }

    /// A message begins that is about somebody.
    pub(super) fn open(&mut self, scope: Scope) {
        self.open.push(match scope {
            Scope::Each => Open::Each { named: false },
            Scope::Among => Open::Among(Circle::new()),
        });
    }

    /// The message that began last ends.
    pub(super) fn close(&mut self) {
        match self.open.pop() {
            Some(Open::Each { named }) => self.nameless |= !named,
            Some(Open::Among(circle)) if !circle.is_empty() => self.one_of(circle),
            Some(Open::Among(_)) | None => {}
        }
    }

    /// The number of whom the answer is about.
    pub(super) fn subject(&mut self, number: &str) {
        if number.is_empty() {
            return;
        }
        for open in &mut self.open {
            if let Open::Each { named } = open {
                *named = true;
            }
        }
        self.one_of(Circle::from([number.into()]));
    }

    /// The number of somebody whom the answer names.
    pub(super) fn party(&mut self, number: &str) {
        if number.is_empty() {
            return;
        }
        let mut open = self.open.iter_mut().rev();
        let circle = open.find_map(|open| match open {
            Open::Among(circle) => Some(circle),
            Open::Each { .. } => None,
        });
        match circle {
            Some(circle) => _ = circle.insert(number.into()),
            None => self.one_of(Circle::from([number.into()])),
        }
    }

    fn one_of(&mut self, circle: Circle) {
        if circle.contains(self.asked) {
            self.theirs = true;
        } else {
            self.others = Some(match self.others.take() {
                None => circle,
                Some(others) => others.into_iter().filter(|number| circle.contains(number)).collect(),
            });
        }
    }

    /// Whether nobody at all was named.
    pub(super) fn is_unnamed(&self) -> bool {
        !self.theirs && self.others.is_none()
    }

    /// The number of whom the answer is about, if it names anybody; `replacement` is as good as the number that was
    /// asked about. An answer about somebody else tells whose it is, so that it can be refused and logged.
    pub(super) fn returned(self, replacement: Option<&str>) -> Result<Option<Box<str>>, Several> {
        let Some(others) = self.others else {
            return match (self.theirs, self.nameless) {
                (true, true) => Err(Several),
                (theirs, _) => Ok(theirs.then(|| self.asked.into())),
            };
        };
        let replaced = replacement.filter(|number| others.contains(*number));
        match (replaced, others.iter().next()) {
            _ if self.nameless => Err(Several),
            (Some(number), _) => Ok(Some(number.into())),
            (None, Some(first)) if !self.theirs => Ok(Some(first.clone())),
            (None, _) => Err(Several),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Option<&str> = Some("new");

    /// Words of a small language: `[` and `(` open each and among, `]` and `)` close, `=x` is a subject, `x` a party.
    fn returned(said: &str, replacement: Option<&str>) -> Result<Option<String>, Several> {
        let mut people = People::new("own");
        for word in said.split_whitespace() {
            match word {
                "[" => people.open(Scope::Each),
                "(" => people.open(Scope::Among),
                "]" | ")" => people.close(),
                _ => match word.strip_prefix('=') {
                    Some(number) => people.subject(number),
                    None => people.party(word),
                },
            }
        }
        people.returned(replacement).map(|number| number.map(String::from))
    }

    #[test]
    fn every_part_of_an_answer_is_about_one_person() {
        let about = |number: &str| Ok(Some(number.to_owned()));
        for (said, replacement, expected) in [
            ("", None, Ok(None)),
            ("=own", None, about("own")),
            ("=own =own", None, about("own")),
            ("=other", None, about("other")),
            ("=own =other", None, Err(Several)),
            ("=other =own", None, Err(Several)),
            ("=other =another", None, Err(Several)),
            ("=new", NEW, about("new")),
            ("=own =new", NEW, about("new")),
            ("=own =other", NEW, Err(Several)),
            ("=new =other", NEW, Err(Several)),
            ("[ =own ] [ =own ]", None, about("own")),
            ("[ =own ] [ ]", None, Err(Several)),
            ("[ ]", None, Ok(None)),
            ("[ =other ] [ ]", None, Err(Several)),
            ("( own other )", None, about("own")),
            ("( other own ) ( own )", None, about("own")),
            ("( )", None, Ok(None)),
            ("( own ) ( )", None, about("own")),
            ("( own other ) ( other )", None, Err(Several)),
            ("( other another )", None, about("another")),
            ("( a b ) ( b c )", None, about("b")),
            ("( a b ) ( c )", None, Err(Several)),
            ("( own ( other ) )", None, Err(Several)),
            ("( ( own other ) other )", None, Err(Several)),
            ("( new other ) ( own )", NEW, about("new")),
            ("other", None, about("other")),
            ("own", None, about("own")),
        ] {
            assert_eq!(returned(said, replacement), expected, "{said}");
        }
    }

    #[test]
    fn who_names_nobody_is_told_from_who_names_another() {
        let mut people = People::new("own");
        people.open(Scope::Each);
        people.close();
        assert!(people.is_unnamed());
        people.party("other");
        assert!(!people.is_unnamed());
    }
}
