//! Any message: fields in any order, repeated, replaced, split. Collects the fields of a message, then writes them in order.

use std::collections::BTreeMap;

use super::fit::{Fit, normalised};
use super::output::Output;
use super::wire::{Budget, Reader, Token, Value};
use super::{FilterError, Filtered, Limits};
use crate::domain::grant::{Arity, Field, Kind, Node, Trie};

pub(super) fn filter(trie: &Trie, input: &[u8], limits: &Limits) -> Result<Filtered, FilterError> {
    let budget = Budget::new(limits, input)?;
    let mut pass = Pass {
        output: Output::new(input.len(), limits),
        budget,
    };
    pass.message(trie.root(), &[input], 0)?;
    Ok(pass.output.into_filtered())
}

/// A granted field, as it was met.
#[derive(Clone, Copy)]
struct Found<'t, 'i> {
    field: Field<'t>,
    value: Value<'i>,
    fit: Fit,
}

impl<'i> Found<'_, 'i> {
    fn bytes(&self) -> Option<&'i [u8]> {
        match self.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

struct Pass {
    output: Output,
    budget: Budget,
}

impl Pass {
    /// A message in one part, or in several that merge: decoding them one after the other is the merge.
    fn message(&mut self, node: Node<'_>, parts: &[&[u8]], depth: u32) -> Result<(), FilterError> {
        let found = self.collect(node, parts, depth)?;
        for same in found.chunk_by(|a, b| a.field.number() == b.field.number()) {
            self.field(same, depth)?;
        }
        Ok(())
    }

    /// The granted fields that count, by number, each number's in the order in which they came.
    fn collect<'t, 'i>(
        &mut self,
        node: Node<'t>,
        parts: &[&'i [u8]],
        depth: u32,
    ) -> Result<Vec<Found<'t, 'i>>, FilterError> {
        let mut found: Vec<Found<'t, 'i>> = Vec::new();
        // Of each oneof, the member that holds it, and since when.
        let mut holders: BTreeMap<u16, (u32, usize)> = BTreeMap::new();
        for part in parts {
            let mut reader = Reader::new(part, depth);
            while let Some(Token { number, value }) = reader.next(&mut self.budget)? {
                let Some(field) = node.member(number) else {
                    continue;
                };
                let Some(fit) = Fit::granted(field, &value)? else {
                    continue;
                };
                if let Some(oneof) = field.oneof() {
                    let holder = holders.entry(oneof).or_insert((number, found.len()));
                    if holder.0 != number {
                        *holder = (number, found.len());
                    }
                }
                if field.is_granted() {
                    found.push(Found { field, value, fit });
                }
            }
        }
        let mut places = 0..;
        found.retain(|Found { field, .. }| {
            let place = places.next().unwrap_or(usize::MAX);
            let holder = field.oneof().and_then(|oneof| holders.get(&oneof));
            holder.is_none_or(|(number, since)| *number == field.number() && place >= *since)
        });
        found.sort_by_key(|found| found.field.number());
        Ok(found)
    }

    /// All that was found of one field.
    fn field(&mut self, same: &[Found<'_, '_>], depth: u32) -> Result<(), FilterError> {
        let Some(Found {
            field, value: last, ..
        }) = same.last().copied()
        else {
            return Ok(());
        };
        let parts = same.iter().filter_map(Found::bytes);
        match (field.arity(), field.child()) {
            (Arity::Map, Some(entry)) => self.map(field, entry, parts, depth),
            (Arity::Repeated, Some(child)) => {
                for part in parts {
                    self.inner(field, child, &[part], depth)?;
                }
                Ok(())
            }
            (_, Some(child)) => self
                .inner(field, child, &parts.collect::<Vec<_>>(), depth)
                .map(drop),
            (Arity::Packed, None) => {
                let open = self.output.open(field, parts.map(<[u8]>::len).sum());
                self.values(same)?;
                self.output.close_run(&open)
            }
            (Arity::Repeated, None) => self.values(same),
            _ => self.output.value(field, &last),
        }
    }

    fn values(&mut self, same: &[Found<'_, '_>]) -> Result<(), FilterError> {
        for Found { field, value, fit } in same {
            match value {
                Value::Bytes(run) if *fit == Fit::Run => self.output.run(*field, run)?,
                value => self.output.value(*field, value)?,
            }
        }
        Ok(())
    }

    /// A message in a field. Says if anything of it stays.
    fn inner(
        &mut self,
        field: Field<'_>,
        child: Node<'_>,
        parts: &[&[u8]],
        depth: u32,
    ) -> Result<bool, FilterError> {
        let depth = self.budget.deeper(depth)?;
        let open = self
            .output
            .open(field, parts.iter().map(|part| part.len()).sum());
        self.message(child, parts, depth)?;
        self.output.close_message(field, &open)
    }

    /// The entries of a map by key, the last of each.
    fn map<'i>(
        &mut self,
        field: Field<'_>,
        entry: Node<'_>,
        parts: impl Iterator<Item = &'i [u8]>,
        depth: u32,
    ) -> Result<(), FilterError> {
        let depth = self.budget.deeper(depth)?;
        let (Some(key), Some(value)) = (entry.field(1), entry.field(2)) else {
            return Ok(());
        };
        let mut entries = Vec::new();
        for part in parts {
            let found = self.collect(entry, &[part], depth)?;
            let text = found
                .iter()
                .rfind(|found| found.field.number() == 1)
                .map(|found| found.value);
            entries.push((KeyOrder::of(key, text), text, found));
        }
        entries.sort_by_key(|(order, ..)| *order);
        for same in entries.chunk_by(|(a, ..), (b, ..)| a == b) {
            let Some((_, text, found)) = same.last() else {
                continue;
            };
            let values: Vec<_> = found
                .iter()
                .filter(|found| found.field.number() == 2)
                .collect();
            let open = self.output.open(
                field,
                values
                    .iter()
                    .filter_map(|found| found.bytes())
                    .map(<[u8]>::len)
                    .sum(),
            );
            self.output.entry_scalar(key, *text)?;
            if let Some(child) = value.child() {
                let parts: Vec<_> = values.iter().filter_map(|found| found.bytes()).collect();
                // The key was opened for the value's sake: it goes with it.
                if !self.inner(value, child, &parts, depth)? {
                    self.output.cancel(&open);
                    continue;
                }
            } else {
                self.output
                    .entry_scalar(value, values.last().map(|found| found.value))?;
                self.output.mark(value);
            }
            self.output.close(&open)?;
        }
        Ok(())
    }
}

/// The order in which the entries of a map are written: strings by their bytes, numbers as they are encoded, unsigned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum KeyOrder<'i> {
    Number(u64),
    Text(&'i [u8]),
}

impl<'i> KeyOrder<'i> {
    fn of(field: Field<'_>, value: Option<Value<'i>>) -> Self {
        match value {
            Some(Value::Bytes(text)) => Self::Text(text),
            Some(Value::Varint(value)) => Self::Number(normalised(field.kind(), value)),
            Some(Value::Fixed64(value)) => Self::Number(value),
            Some(Value::Fixed32(value)) => Self::Number(value.into()),
            None if field.kind() == Kind::String => Self::Text(&[]),
            Some(Value::Group) | None => Self::Number(0),
        }
    }
}
