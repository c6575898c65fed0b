//! Requests are held to the same tries: what is not granted is refused by name, never dropped in silence.

use prost_reflect::{Kind as Declared, MessageDescriptor};

use super::fit::Fit;
use super::wire::{Budget, Reader, Token, Value};
use super::{FilterError, Limits};
use crate::domain::grant::{Arity, Kind, Node, Trie};

/// The path of the first field in `input`, a message of [`Trie::message`], that `trie` does not grant; none if it
/// grants all. A tag that the message does not declare, or not with that wire type, is named by its
/// number (`person.#99`).
///
/// Any tag counts, even one with a default value. An empty message on the way to granted fields does not: it
/// cannot be told from one whose granted fields hold their defaults.
pub fn undeclared(trie: &Trie, input: &[u8], limits: &Limits) -> Result<Option<String>, FilterError> {
    let mut budget = Budget::new(limits, input)?;
    search(trie.root(), trie.message(), input, &mut budget, 0)
}

fn search(
    node: Node<'_>,
    message: &MessageDescriptor,
    input: &[u8],
    budget: &mut Budget,
    depth: u32,
) -> Result<Option<String>, FilterError> {
    let mut reader = Reader::new(input, depth);
    while let Some(Token { number, value }) = reader.next(budget)? {
        if let Some(field) = node.field(number) {
            if Fit::granted(field, &value)?.is_none() {
                return Ok(Some(format!("#{number}")));
            }
            if let (Some(child), Declared::Message(inner), Value::Bytes(bytes)) =
                (field.child(), field.descriptor().kind(), value)
                && let Some(found) = search(child, &inner, bytes, budget, budget.deeper(depth)?)?
            {
                return Ok(Some(format!("{}.{found}", field.descriptor().name())));
            }
            continue;
        }
        let declared = message
            .get_field(number)
            .filter(|field| Fit::of(Kind::of(field), Arity::of(field), &value).is_some());
        return Ok(Some(declared.map_or_else(|| format!("#{number}"), |field| field.name().to_owned())));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use prost_reflect::prost::Message;
    use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage, Value};

    use super::*;
    use crate::domain::grant::specimen::everything;
    use crate::minimise::generate::Generator;
    use crate::minimise::oracle::{prune, render};

    const GRANTED: [&str; 7] =
        ["text", "inner.name", "inner.deep", "by_number.value.name", "maybe", "loose", "legacy.number"];

    fn named(input: &[u8]) -> Result<Option<String>, FilterError> {
        undeclared(&Trie::compile(&everything(), &GRANTED).unwrap(), input, &Limits::default())
    }

    #[test]
    fn the_first_undeclared_field_is_named() {
        let cases: [(&[u8], Option<&str>); 15] = [
            (b"", None),
            (b"\x72\x01x\xf0\x01\x01", None),
            (b"\x72\x01x\x08\x01\x10\x01", Some("i32")),
            (b"\x08\x00", Some("i32")),
            (b"\x9a\x06\x01x", Some("#99")),
            (b"\x8a\x01\x03\x0a\x01n", None),
            (b"\x8a\x01\x00", None),
            (b"\x8a\x01\x02\x10\x01", Some("inner.count")),
            (b"\x8a\x01\x04\x9a\x06\x01x", Some("inner.#99")),
            (b"\x8a\x01\x02\x1a\x00", None),
            (b"\x8a\x01\x04\x1a\x02\x2a\x00", Some("inner.deep.more")),
            (b"\xda\x01\x04\x08\x01\x12\x00", None),
            (b"\xda\x01\x06\x08\x01\x12\x02\x10\x01", Some("by_number.value.count")),
            (b"\xb2\x02\x03\x2b\x2c\x08", Some("legacy.old")),
            // Declared, but not with that wire type.
            (b"\x70\x01", Some("#14")),
        ];
        for (input, expected) in cases {
            assert_eq!(named(input), Ok(expected.map(str::to_owned)), "{input:x?}");
        }
        assert_eq!(named(b"\x72\x05x"), Err(FilterError::Truncated));
        assert_eq!(named(b"\x72\x02\xc3\x28"), Err(FilterError::Utf8));
    }

    /// Drops empty messages, and entries of maps that hold one: their presence is no value.
    fn without_empty(message: &mut DynamicMessage) {
        let on_the_way = |field: &FieldDescriptor| ["inner", "legacy", "by_number"].contains(&field.name());
        for field in message.descriptor().fields().filter(on_the_way) {
            match message.get_field_mut(&field) {
                Value::Message(inner) => {
                    without_empty(inner);
                    if inner.encoded_len() == 0 {
                        message.clear_field(&field);
                    }
                }
                Value::Map(entries) => entries.retain(|_, value| {
                    value.as_message_mut().is_none_or(|inner| {
                        without_empty(inner);
                        inner.encoded_len() > 0
                    })
                }),
                _ => {}
            }
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_granted_and_what_is_named_is_not(
            tape in proptest::collection::vec(any::<u8>(), 0..60),
            ordered: bool,
        ) {
            let bytes = Generator { ordered, tape: tape.iter(), paths: &GRANTED }.message(&everything(), "", 0);
            let trie = Trie::compile(&everything(), &GRANTED).unwrap();
            match undeclared(&trie, &bytes, &Limits::default()) {
                Ok(Some(path)) => prop_assert!(!trie.covers(&path)),
                Ok(None) => {
                    let mut message = DynamicMessage::decode(everything(), &bytes[..]).unwrap();
                    let mut granted = message.clone();
                    prune(&mut granted, "", &GRANTED);
                    without_empty(&mut message);
                    without_empty(&mut granted);
                    prop_assert_eq!(render(&granted), render(&message));
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }
}
