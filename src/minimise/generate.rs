//! Valid messages in every form that the wire format allows, from a tape of choices.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::oracle::{join, part, whole};
use super::wire::put_varint;

/// Stands in every text that is not granted, at any depth, and in no other.
pub(super) const CANARY: &[u8] = b"<canary>";

pub(super) struct Generator<'a> {
    pub(super) ordered: bool,
    pub(super) tape: std::slice::Iter<'a, u8>,
    pub(super) paths: &'a [&'a str],
}

impl Generator<'_> {
    /// A message at a path: fields again and again, in any order or in that of their numbers.
    pub(super) fn message(&mut self, message: &MessageDescriptor, at: &str, depth: u32) -> Vec<u8> {
        let mut pieces = Vec::new();
        let fields: Vec<_> = message.fields().collect();
        let mut last = None;
        for _ in 0..self.pick(if depth == 0 { 24 } else { 6 }) {
            let mut piece = Vec::new();
            match self.pick(8) {
                0 => self.unknown(message, &mut piece, depth),
                1 | 2 if last.is_some() => {}
                _ if fields.is_empty() => self.unknown(message, &mut piece, depth),
                _ => last = fields.get(self.pick(fields.len())),
            }
            if let Some(field) = last {
                self.field(field, at, &mut piece, depth);
            }
            pieces.push((last.map(FieldDescriptor::number), piece));
        }
        if self.ordered {
            pieces.sort_by_key(|(number, _)| *number);
        }
        pieces.into_iter().flat_map(|(_, piece)| piece).collect()
    }

    fn field(&mut self, field: &FieldDescriptor, at: &str, out: &mut Vec<u8>, depth: u32) {
        let path = join(at, field.name());
        let packable = !matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Message(_));
        if field.is_group() {
            self.group(field.number(), out, depth);
        } else if field.is_list() && packable && self.pick(2) == 0 {
            let mut run = Vec::new();
            for _ in 0..self.pick(4) {
                self.value(&field.kind(), &path, &mut run, depth);
            }
            self.key(field.number(), 2, out);
            self.delimited(&run, out);
        } else {
            self.key(field.number(), field.kind().wire_type() as u32, out);
            self.value(&field.kind(), &path, out, depth);
        }
    }

    fn value(&mut self, kind: &Kind, path: &str, out: &mut Vec<u8>, depth: u32) {
        match kind {
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => {
                let bits = [0, 1, 1 << 63, 1.5_f64.to_bits(), f64::NAN.to_bits()];
                out.extend(bits[self.pick(bits.len())].to_le_bytes());
            }
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => {
                let bits = [0, 1, 1 << 31, 1.5_f32.to_bits(), f32::NAN.to_bits()];
                out.extend(bits[self.pick(bits.len())].to_le_bytes());
            }
            Kind::String | Kind::Bytes => {
                let mut text = match self.pick(5) {
                    0 => Vec::new(),
                    1 => "Zoë".into(),
                    2 => vec![b'x'; 200],
                    _ => vec![b'a'; self.pick(20)],
                };
                let map = path
                    .strip_suffix(".key")
                    .filter(|map| part(map, self.paths));
                if !whole(path, self.paths) && map.is_none() {
                    text.extend(CANARY);
                }
                self.delimited(&text, out);
            }
            Kind::Message(message) if depth < 8 => {
                // What stands in an Any, or in a group, is never granted.
                let opaque = message.full_name() == "google.protobuf.Any";
                let inner = self.message(message, if opaque { "?" } else { path }, depth + 1);
                self.delimited(&inner, out);
            }
            Kind::Message(_) => self.delimited(&[], out),
            _ => {
                let values = [
                    0,
                    1,
                    5,
                    127,
                    128,
                    300,
                    1 << 31,
                    (1 << 32) - 1,
                    1 << 32,
                    1 << 35 | 5,
                    u64::MAX,
                    u64::MAX - 1,
                ];
                let value = values[self.pick(values.len())];
                self.varint(value, out);
            }
        }
    }

    /// A tag that the message does not declare.
    fn unknown(&mut self, message: &MessageDescriptor, out: &mut Vec<u8>, depth: u32) {
        let numbers = [44, 60, 100, 127, 4999, (1 << 29) - 1];
        let number = numbers[self.pick(numbers.len())];
        if message.get_field(number).is_some() || message.is_map_entry() && number == 100 {
            return;
        }
        let wire = if number == 100 {
            2
        } else {
            [0, 1, 2, 3, 5][self.pick(5)]
        };
        match wire {
            3 => return self.group(number, out, depth),
            wire => self.key(number, wire, out),
        }
        match wire {
            0 => self.varint(77, out),
            1 => out.extend(*CANARY.first_chunk::<8>().unwrap()),
            2 => self.delimited(CANARY, out),
            _ => out.extend([1, 2, 3, 4]),
        }
    }

    fn group(&mut self, number: u32, out: &mut Vec<u8>, depth: u32) {
        self.key(number, 3, out);
        if self.pick(2) == 0 {
            self.key(1, 2, out);
            self.delimited(CANARY, out);
        }
        if depth < 8 && self.pick(3) == 0 {
            self.group(77, out, depth + 1);
        }
        self.key(number, 4, out);
    }

    fn delimited(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.varint(bytes.len() as u64, out);
        out.extend(bytes);
    }

    fn key(&mut self, number: u32, wire: u32, out: &mut Vec<u8>) {
        self.varint(u64::from(number << 3 | wire), out);
    }

    /// Sometimes longer than it need be.
    fn varint(&mut self, value: u64, out: &mut Vec<u8>) {
        let start = out.len();
        put_varint(out, value);
        if self.pick(16) == 15 && out.len() - start < 9 {
            *out.last_mut().unwrap() |= 0x80;
            out.extend([0x80, 0]);
        }
    }

    /// A number below `bound`; 0 when the tape is at its end.
    fn pick(&mut self, bound: usize) -> usize {
        self.tape
            .next()
            .map_or(0, |byte| usize::from(*byte) % bound)
    }
}
