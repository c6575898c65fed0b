//! Canonical protobuf of what was read: fields in the order of their numbers, nothing that an absent field says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{FieldDescriptor, Kind};

use crate::domain::vocabulary::xml_value;

/// What the text of an element or attribute is read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    /// 0 or 1, or as XML Schema writes a boolean.
    Flag,
    /// Base64.
    Bytes,
    Whole(Whole),
    /// A closed list of codes: the text of each, and its number.
    Codes(Box<[(Box<str>, i32)]>),
}

/// A whole number: what fits, and how protobuf writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    least: i128,
    most: i128,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Varint,
    Zigzag,
    Fixed32,
    Fixed64,
}

impl Whole {
    const fn signed32(form: Form) -> Self {
        Self { least: i32::MIN as i128, most: i32::MAX as i128, form }
    }

    const fn signed64(form: Form) -> Self {
        Self { least: i64::MIN as i128, most: i64::MAX as i128, form }
    }

    const fn up_to(most: u64, form: Form) -> Self {
        Self { least: 0, most: most as i128, form }
    }
}

impl Scalar {
    /// How a field is read. `None` where its type is none that a text can stand for: of an enum, where two of its
    /// values have the same text; of a fraction, since amounts are exact and `double` is not.
    pub(super) fn of(field: &FieldDescriptor) -> Option<Self> {
        let whole = match field.kind() {
            Kind::String => return Some(Self::Text),
            Kind::Bool => return Some(Self::Flag),
            Kind::Bytes => return Some(Self::Bytes),
            Kind::Enum(list) => {
                let mut codes: Vec<(Box<str>, i32)> =
                    list.values().filter_map(|value| Some((xml_value(&value)?, value.number()))).collect();
                codes.sort();
                let once = codes.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a != b));
                return (once && !codes.is_empty()).then(|| Self::Codes(codes.into()));
            }
            Kind::Int32 => Whole::signed32(Form::Varint),
            Kind::Int64 => Whole::signed64(Form::Varint),
            Kind::Sint32 => Whole::signed32(Form::Zigzag),
            Kind::Sint64 => Whole::signed64(Form::Zigzag),
            Kind::Sfixed32 => Whole::signed32(Form::Fixed32),
            Kind::Sfixed64 => Whole::signed64(Form::Fixed64),
            Kind::Uint32 => Whole::up_to(u32::MAX.into(), Form::Varint),
            Kind::Uint64 => Whole::up_to(u64::MAX, Form::Varint),
            Kind::Fixed32 => Whole::up_to(u32::MAX.into(), Form::Fixed32),
            Kind::Fixed64 => Whole::up_to(u64::MAX, Form::Fixed64),
            Kind::Float | Kind::Double | Kind::Message(_) => return None,
        };
        Some(Self::Whole(whole))
    }
}

/// The text is none that the field's type knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// How a field holds its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// One, whose default is the same as none.
    One,
    /// One, whose presence is told.
    Presence,
    /// Any number, each with its own key.
    Many,
    /// Any number, in one run.
    Packed,
}

/// A value that was read, or the sign that one was: then without bytes.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub number: u32,
    /// Of a packed field the value alone, of others with its key.
    pub bytes: Vec<u8>,
    packed: bool,
}

impl Piece {
    /// A message; `None` stands for one that tells nothing.
    pub(super) fn message(number: u32, content: Option<&[u8]>) -> Self {
        let mut bytes = Vec::new();
        if let Some(content) = content {
            bytes.reserve(content.len() + 8);
            delimited(number, content, &mut bytes);
        }
        Self { number, bytes, packed: false }
    }

    /// One value. Without bytes where the text is what an absent field already says.
    pub(super) fn scalar(number: u32, scalar: &Scalar, holds: Holds, text: &str) -> Result<Self, Unreadable> {
        let packed = holds == Holds::Packed;
        let silent = Self { number, bytes: Vec::new(), packed };
        let text = if *scalar == Scalar::Text { text } else { text.trim_matches([' ', '\t', '\n', '\r']) };
        if text.is_empty() && (*scalar != Scalar::Text || holds == Holds::One) {
            return Ok(silent);
        }
        let mut value = Vec::new();
        let wire = encode(scalar, text, &mut value)?;
        let says_nothing = wire != WireType::LengthDelimited && value.iter().all(|byte| *byte == 0);
        if holds == Holds::One && says_nothing {
            return Ok(silent);
        }
        let mut bytes = Vec::with_capacity(value.len() + 8);
        if wire == WireType::LengthDelimited {
            delimited(number, &value, &mut bytes);
        } else {
            if !packed {
                encode_key(number, wire, &mut bytes);
            }
            bytes.extend_from_slice(&value);
        }
        Ok(Self { bytes, ..silent })
    }
}

/// The value as it stands behind its key, or, where it is delimited, behind its length.
fn encode(scalar: &Scalar, text: &str, out: &mut Vec<u8>) -> Result<WireType, Unreadable> {
    match scalar {
        Scalar::Text => out.extend_from_slice(text.as_bytes()),
        Scalar::Bytes => {
            // XML Schema lets base64 be broken into lines.
            let text: String = text.split_ascii_whitespace().collect();
            STANDARD.decode_vec(text, out).map_err(|_| Unreadable)?;
        }
        Scalar::Flag => {
            let flag = match text {
                "1" | "true" => 1,
                "0" | "false" => 0,
                _ => return Err(Unreadable),
            };
            encode_varint(flag, out);
            return Ok(WireType::Varint);
        }
        Scalar::Codes(codes) => {
            let at = codes.binary_search_by(|(code, _)| (**code).cmp(text)).map_err(|_| Unreadable)?;
            let (_, number) = codes.get(at).ok_or(Unreadable)?;
            encode_varint(i64::from(*number).cast_unsigned(), out);
            return Ok(WireType::Varint);
        }
        Scalar::Whole(whole) => return encode_whole(*whole, text, out),
    }
    Ok(WireType::LengthDelimited)
}

fn encode_whole(whole: Whole, text: &str, out: &mut Vec<u8>) -> Result<WireType, Unreadable> {
    let number = number(text).filter(|n| (whole.least..=whole.most).contains(n)).ok_or(Unreadable)?;
    // What fits a signed type is kept as its bits, what does not is above it.
    let bits = match i64::try_from(number) {
        Ok(signed) => signed.cast_unsigned(),
        Err(_) => u64::try_from(number).map_err(|_| Unreadable)?,
    };
    match whole.form {
        Form::Varint => encode_varint(bits, out),
        Form::Zigzag => {
            let signed = bits.cast_signed();
            encode_varint(((signed << 1) ^ (signed >> 63)).cast_unsigned(), out);
        }
        Form::Fixed32 => {
            out.extend(bits.to_le_bytes().into_iter().take(4));
            return Ok(WireType::ThirtyTwoBit);
        }
        Form::Fixed64 => {
            out.extend(bits.to_le_bytes());
            return Ok(WireType::SixtyFourBit);
        }
    }
    Ok(WireType::Varint)
}

/// A whole number in its one form. Zeros in front, or a plus, are those of a code, which is no number: to drop
/// them would change it.
fn number(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (1..=20).contains(&digits.len());
    let canonical = !digits.starts_with('0') || text == "0";
    if plain && canonical { text.parse().ok() } else { None }
}

/// The fields of one message in the order of their numbers; what repeats keeps the order of the document.
pub(super) fn message(mut pieces: Vec<Piece>) -> Vec<u8> {
    pieces.sort_by_key(|piece| piece.number);
    let mut out = Vec::with_capacity(pieces.iter().map(|piece| piece.bytes.len()).sum());
    for run in pieces.chunk_by(|one, next| one.packed && one.number == next.number) {
        match run {
            [piece] if !piece.packed => out.extend_from_slice(&piece.bytes),
            packed => {
                let values: Vec<u8> = packed.iter().flat_map(|piece| &piece.bytes).copied().collect();
                if let Some(first) = packed.first().filter(|_| !values.is_empty()) {
                    delimited(first.number, &values, &mut out);
                }
            }
        }
    }
    out
}

/// A field of that number that holds `content`.
fn delimited(number: u32, content: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_one_form() {
        for (text, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("-7", Some(-7)),
            ("18446744073709551615", Some(i128::from(u64::MAX))),
            ("", None),
            ("-", None),
            ("-0", None),
            ("+7", None),
            ("07", None),
            ("-07", None),
            ("00", None),
            ("7.0", None),
            ("7 ", None),
            ("1e3", None),
            ("0x7", None),
            ("\u{664}", None),
            ("100000000000000000000000000000000000000000000", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }
}
