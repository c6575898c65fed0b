//! The canonical encoding, as it is written.

use super::fit::{Wire, is_default, normalised};
use super::wire::{Value, fixed32, fixed64, put_varint, varint, varint_bytes, varint_len};
use super::{FilterError, Filtered, Limits};
use crate::domain::grant::{Arity, Field, PathSet};

/// What is written so far.
pub(super) struct Output {
    bytes: Vec<u8>,
    paths: PathSet,
    most: usize,
}

/// A record whose length is not known yet.
#[must_use]
pub(super) struct Open {
    start: usize,
    content: usize,
    width: usize,
}

impl Output {
    pub(super) fn new(capacity: usize, limits: &Limits) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
            paths: PathSet::default(),
            most: limits.bytes,
        }
    }

    pub(super) fn into_filtered(self) -> Filtered {
        Filtered {
            bytes: self.bytes,
            paths: self.paths,
        }
    }

    /// Begins a record of about `expected` bytes.
    pub(super) fn open(&mut self, field: Field<'_>, expected: usize) -> Open {
        let start = self.bytes.len();
        self.key(field, Wire::Bytes);
        let width = varint_len(expected as u64);
        self.bytes.extend(std::iter::repeat_n(0, width));
        Open {
            start,
            content: self.bytes.len(),
            width,
        }
    }

    fn is_empty(&self, open: &Open) -> bool {
        self.bytes.len() == open.content
    }

    /// Takes everything back that was written since, tag included.
    pub(super) fn cancel(&mut self, open: &Open) {
        self.bytes.truncate(open.start);
    }

    /// Ends a record: writes its length.
    pub(super) fn close(&mut self, open: &Open) -> Result<(), FilterError> {
        let length = (self.bytes.len() - open.content) as u64;
        let prefix = open.content - open.width..open.content;
        if varint_len(length) == open.width {
            let room = self.bytes.get_mut(prefix).unwrap_or_default();
            room.iter_mut()
                .zip(varint_bytes(length))
                .for_each(|(room, byte)| *room = byte);
        } else {
            self.bytes.splice(prefix, varint_bytes(length));
        }
        self.bounded()
    }

    /// Ends a record that holds a message: an empty one stays only where its presence is granted. Says if it stays.
    pub(super) fn close_message(
        &mut self,
        field: Field<'_>,
        open: &Open,
    ) -> Result<bool, FilterError> {
        if field.is_whole() {
            self.mark(field);
        } else if self.is_empty(open) {
            self.cancel(open);
            return Ok(false);
        }
        self.close(open).map(|()| true)
    }

    /// Ends a packed run; one without values goes.
    pub(super) fn close_run(&mut self, open: &Open) -> Result<(), FilterError> {
        if self.is_empty(open) {
            self.cancel(open);
            return Ok(());
        }
        self.close(open)
    }

    /// One value, with a tag or none as the field declares; nothing for an implicit default.
    pub(super) fn value(&mut self, field: Field<'_>, value: &Value<'_>) -> Result<(), FilterError> {
        if self.write(field, value) {
            self.mark(field);
        }
        self.bounded()
    }

    /// The values of a packed run.
    pub(super) fn run(&mut self, field: Field<'_>, mut run: &[u8]) -> Result<(), FilterError> {
        while !run.is_empty() {
            let value = match Wire::of(field.kind()) {
                Wire::Fixed64 => Value::Fixed64(fixed64(&mut run)?),
                Wire::Fixed32 => Value::Fixed32(fixed32(&mut run)?),
                _ => Value::Varint(varint(&mut run)?),
            };
            self.value(field, &value)?;
        }
        Ok(())
    }

    /// The scalar key or value of a map entry; an absent one counts as the default.
    pub(super) fn entry_scalar(
        &mut self,
        field: Field<'_>,
        value: Option<Value<'_>>,
    ) -> Result<(), FilterError> {
        let absent = match Wire::of(field.kind()) {
            Wire::Varint => Value::Varint(field.absent()),
            Wire::Fixed64 => Value::Fixed64(0),
            Wire::Fixed32 => Value::Fixed32(0),
            Wire::Bytes | Wire::Group => Value::Bytes(&[]),
        };
        self.write(field, &value.unwrap_or(absent));
        self.bounded()
    }

    /// The path of this field had a value.
    pub(super) fn mark(&mut self, field: Field<'_>) {
        self.paths.insert(field.path());
    }

    fn write(&mut self, field: Field<'_>, value: &Value<'_>) -> bool {
        match field.arity() {
            Arity::Implicit if is_default(field.kind(), field.absent(), value) => return false,
            Arity::Packed => {}
            _ => self.key(field, Wire::of(field.kind())),
        }
        match value {
            Value::Varint(value) => put_varint(&mut self.bytes, normalised(field.kind(), *value)),
            Value::Fixed64(bits) => self.bytes.extend_from_slice(&bits.to_le_bytes()),
            Value::Fixed32(bits) => self.bytes.extend_from_slice(&bits.to_le_bytes()),
            Value::Bytes(bytes) => {
                put_varint(&mut self.bytes, bytes.len() as u64);
                self.bytes.extend_from_slice(bytes);
            }
            Value::Group => {}
        }
        true
    }

    fn key(&mut self, field: Field<'_>, wire: Wire) {
        put_varint(
            &mut self.bytes,
            u64::from(field.number() << 3 | wire as u32),
        );
    }

    fn bounded(&self) -> Result<(), FilterError> {
        if self.bytes.len() > self.most {
            Err(FilterError::TooLarge)
        } else {
            Ok(())
        }
    }
}
