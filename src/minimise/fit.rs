//! Whether a value on the wire is one of the declared field, and what it means.

use super::FilterError;
use super::wire::Value;
use crate::domain::grant::{Arity, Field, Kind};

/// How a value belongs to a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is one value (a message, a map entry).
    One,
    /// It is a packed run of values.
    Run,
}

impl Fit {
    /// None where the wire type is not the declared one: the value then counts as an unknown field.
    #[inline]
    pub(super) fn of(kind: Kind, arity: Arity, value: &Value<'_>) -> Option<Self> {
        match (value, Wire::of(kind)) {
            (Value::Varint(_), Wire::Varint)
            | (Value::Fixed64(_), Wire::Fixed64)
            | (Value::Fixed32(_), Wire::Fixed32)
            | (Value::Bytes(_), Wire::Bytes)
            | (Value::Group, Wire::Group) => Some(Self::One),
            // Both encodings are read, whichever is declared.
            (Value::Bytes(_), Wire::Varint | Wire::Fixed64 | Wire::Fixed32)
                if !arity.is_singular() =>
            {
                Some(Self::Run)
            }
            _ => None,
        }
    }

    /// The same for a field of a trie; refuses a granted string that is not UTF-8.
    #[inline]
    pub(super) fn granted(
        field: Field<'_>,
        value: &Value<'_>,
    ) -> Result<Option<Self>, FilterError> {
        match value {
            Value::Bytes(text)
                if field.kind() == Kind::String
                    && field.is_granted()
                    && str::from_utf8(text).is_err() =>
            {
                Err(FilterError::Utf8)
            }
            _ => Ok(Self::of(field.kind(), field.arity(), value)),
        }
    }
}

/// Protobuf's wire types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    Group = 3,
    Fixed32 = 5,
}

impl Wire {
    /// The wire type of one value.
    #[inline]
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Bool
            | Kind::Enum => Self::Varint,
            Kind::Fixed64 | Kind::Double => Self::Fixed64,
            Kind::Fixed32 | Kind::Float => Self::Fixed32,
            Kind::String | Kind::Bytes | Kind::Message => Self::Bytes,
            Kind::Group => Self::Group,
        }
    }
}

/// The value that a decoder of `kind` sees, as it is encoded again: 32-bit kinds are cut, and int32 and
/// enums extended with their sign.
#[inline]
pub(super) fn normalised(kind: Kind, value: u64) -> u64 {
    let low = value & 0xffff_ffff;
    match kind {
        Kind::Int32 | Kind::Enum if low & 0x8000_0000 != 0 => low | 0xffff_ffff_0000_0000,
        Kind::Int32 | Kind::Enum | Kind::Uint32 | Kind::Sint32 => low,
        Kind::Bool => u64::from(value != 0),
        _ => value,
    }
}

/// Is it the default of an implicit field, which is the same as none? (Negative zero is, to prost as to us.)
#[inline]
pub(super) fn is_default(kind: Kind, absent: u64, value: &Value<'_>) -> bool {
    match (kind, value) {
        (_, Value::Varint(value)) => normalised(kind, *value) == absent,
        (Kind::Double, Value::Fixed64(bits)) => bits << 1 == 0,
        (Kind::Float, Value::Fixed32(bits)) => bits << 1 == 0,
        (_, Value::Fixed64(bits)) => *bits == 0,
        (_, Value::Fixed32(bits)) => *bits == 0,
        (_, Value::Bytes(bytes)) => bytes.is_empty(),
        (_, Value::Group) => false,
    }
}
