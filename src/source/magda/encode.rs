//! Canonical protobuf of what was read: fields in the order of their numbers, nothing that an absent field says.

use prost::encoding::{WireType, encode_key, encode_varint};

use super::plan::Scalar;

/// The text is none that the field's type knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// One field; none where the text is what an absent field already says. With `presence` an empty
/// or false value is told.
pub(super) fn encode(
    number: u32,
    scalar: Scalar,
    presence: bool,
    text: &str,
) -> Result<Option<Vec<u8>>, Unreadable> {
    let mut field = Vec::new();
    let value = match (scalar, text) {
        (Scalar::Text, _) => {
            if presence || !text.is_empty() {
                delimited(number, text.as_bytes(), &mut field);
            }
            return Ok((!field.is_empty()).then_some(field));
        }
        (_, "") => return Ok(None),
        (Scalar::Flag, "1" | "true") => 1,
        (Scalar::Flag, "0" | "false") => 0,
        (Scalar::Flag, _) => return Err(Unreadable),
    };
    if value == 0 && !presence {
        return Ok(None);
    }
    encode_key(number, WireType::Varint, &mut field);
    encode_varint(value, &mut field);
    Ok(Some(field))
}

/// The fields of one message in the order of their numbers; what repeats keeps the order of the document.
pub(super) fn message(mut fields: Vec<(u32, Vec<u8>)>) -> Vec<u8> {
    fields.sort_by_key(|(number, _)| *number);
    fields.into_iter().flat_map(|(_, field)| field).collect()
}

/// A field of that number that holds `content`.
pub(super) fn delimited(number: u32, content: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}
