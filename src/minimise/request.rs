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
pub fn undeclared(
    trie: &Trie,
    input: &[u8],
    limits: &Limits,
) -> Result<Option<String>, FilterError> {
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
        return Ok(Some(declared.map_or_else(
            || format!("#{number}"),
            |field| field.name().to_owned(),
        )));
    }
    Ok(None)
}
