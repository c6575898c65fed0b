//! Protobuf's wire format: reading tags and values, writing varints.

use super::{FilterError, Limits};

/// What is left of the limits while a message is read.
pub(super) struct Budget {
    fields: u32,
    depth: u32,
}

impl Budget {
    /// Refuses a message that is too long at once.
    pub(super) fn new(limits: &Limits, input: &[u8]) -> Result<Self, FilterError> {
        if input.len() > limits.bytes {
            return Err(FilterError::TooLarge);
        }
        Ok(Self {
            fields: limits.fields,
            depth: limits.depth,
        })
    }

    fn spend(&mut self) -> Result<(), FilterError> {
        self.fields = self.fields.checked_sub(1).ok_or(FilterError::TooMany)?;
        Ok(())
    }

    /// The depth below `depth`.
    pub(super) fn deeper(&self, depth: u32) -> Result<u32, FilterError> {
        if depth >= self.depth {
            Err(FilterError::TooDeep)
        } else {
            Ok(depth + 1)
        }
    }
}

/// A value as it stands on the wire.
#[derive(Clone, Copy)]
pub(super) enum Value<'i> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'i [u8]),
    /// Skipped as it was read.
    Group,
    Fixed32(u32),
}

pub(super) struct Token<'i> {
    pub(super) number: u32,
    pub(super) value: Value<'i>,
}

/// Reads one message, field by field.
pub(super) struct Reader<'i> {
    rest: &'i [u8],
    depth: u32,
}

const END_GROUP: u8 = 4;

impl<'i> Reader<'i> {
    /// A reader of a message that stands at `depth`.
    pub(super) fn new(message: &'i [u8], depth: u32) -> Self {
        Self {
            rest: message,
            depth,
        }
    }

    /// The next field; none at the end.
    #[inline]
    pub(super) fn next(&mut self, budget: &mut Budget) -> Result<Option<Token<'i>>, FilterError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        budget.spend()?;
        let (number, wire) = tag(&mut self.rest)?;
        let value = match wire {
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => Value::Fixed64(fixed64(&mut self.rest)?),
            2 => Value::Bytes(bytes(&mut self.rest)?),
            3 => {
                self.skip_group(number, budget)?;
                Value::Group
            }
            END_GROUP => return Err(FilterError::Group),
            _ => Value::Fixed32(fixed32(&mut self.rest)?),
        };
        Ok(Some(Token { number, value }))
    }

    #[cold]
    fn skip_group(&mut self, number: u32, budget: &mut Budget) -> Result<(), FilterError> {
        let mut depth = budget.deeper(self.depth)?;
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            budget.spend()?;
            let (number, wire) = tag(&mut self.rest)?;
            match wire {
                0 => drop(varint(&mut self.rest)?),
                1 => drop(fixed64(&mut self.rest)?),
                2 => drop(bytes(&mut self.rest)?),
                3 => {
                    depth = budget.deeper(depth)?;
                    open.push(number);
                }
                END_GROUP if number != *innermost => return Err(FilterError::Group),
                END_GROUP => {
                    depth -= 1;
                    open.pop();
                }
                _ => drop(fixed32(&mut self.rest)?),
            }
        }
        Ok(())
    }
}

#[inline]
fn tag(rest: &mut &[u8]) -> Result<(u32, u8), FilterError> {
    let tag = u32::try_from(varint(rest)?).map_err(|_| FilterError::Tag)?;
    let wire = (tag & 7) as u8;
    if tag < 8 || wire > 5 {
        Err(FilterError::Tag)
    } else {
        Ok((tag >> 3, wire))
    }
}

#[inline]
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, FilterError> {
    match rest.split_first() {
        Some((byte, tail)) if *byte < 0x80 => {
            *rest = tail;
            Ok(u64::from(*byte))
        }
        _ => long_varint(rest),
    }
}

fn long_varint(rest: &mut &[u8]) -> Result<u64, FilterError> {
    let mut value = 0;
    for (nth, byte) in rest.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * nth);
        if *byte < 0x80 {
            *rest = rest.get(nth + 1..).unwrap_or_default();
            // The tenth byte has room for one bit.
            return if nth == 9 && *byte > 1 {
                Err(FilterError::Varint)
            } else {
                Ok(value)
            };
        }
    }
    Err(if rest.len() < 10 {
        FilterError::Truncated
    } else {
        FilterError::Varint
    })
}

#[inline]
pub(super) fn fixed64(rest: &mut &[u8]) -> Result<u64, FilterError> {
    let (value, tail) = rest.split_first_chunk().ok_or(FilterError::Truncated)?;
    *rest = tail;
    Ok(u64::from_le_bytes(*value))
}

#[inline]
pub(super) fn fixed32(rest: &mut &[u8]) -> Result<u32, FilterError> {
    let (value, tail) = rest.split_first_chunk().ok_or(FilterError::Truncated)?;
    *rest = tail;
    Ok(u32::from_le_bytes(*value))
}

#[inline]
fn bytes<'i>(rest: &mut &'i [u8]) -> Result<&'i [u8], FilterError> {
    let length = usize::try_from(varint(rest)?).map_err(|_| FilterError::Truncated)?;
    let (value, tail) = rest
        .split_at_checked(length)
        .ok_or(FilterError::Truncated)?;
    *rest = tail;
    Ok(value)
}

/// Appends `value` in as few bytes as it takes.
#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// The bytes that [`put_varint`] takes: 1 to 10.
#[inline]
pub(super) fn varint_len(value: u64) -> usize {
    match value.checked_ilog2() {
        Some(bits) => bits as usize / 7 + 1,
        None => 1,
    }
}

/// The same bytes, one by one.
pub(super) fn varint_bytes(value: u64) -> impl Iterator<Item = u8> {
    let len = varint_len(value);
    (0..len).map(move |nth| {
        let more = if nth + 1 < len { 0x80 } else { 0 };
        ((value >> (7 * nth)) & 0x7f) as u8 | more
    })
}
