//! Single facts of a message, whether they are granted or not: what is judged before anything is released.

use prost_reflect::{FieldDescriptor, Kind as Declared, MessageDescriptor};

use super::fit::{Fit, is_default};
use super::wire::{Budget, Reader, Token, Value};
use super::{FilterError, Limits};
use crate::domain::grant::{Arity, Kind, PathError};

/// The way to one field. Reads it as a decoder would: the last value wins, messages merge, a `oneof` holds its last
/// member only. Reads no more of a message than it needs.
#[derive(Clone, Debug)]
pub struct Probe {
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
struct Step {
    number: u32,
    kind: Kind,
    arity: Arity,
    /// The other members of its `oneof`.
    rivals: Vec<(u32, Kind, Arity)>,
}

impl Probe {
    /// Compiles a way: fields from the root to the one that is looked for. It may go through repeated
    /// messages, not through groups, maps or `Any`.
    ///
    /// Errors as paths do: [`PathError::Empty`] for no way at all, [`PathError::Unknown`] for a field that is not
    /// one of the message before it.
    pub fn compile(
        message: &MessageDescriptor,
        way: &[FieldDescriptor],
    ) -> Result<Self, PathError> {
        let path: Box<str> = way
            .iter()
            .map(FieldDescriptor::name)
            .collect::<Vec<_>>()
            .join(".")
            .into();
        if way.is_empty() {
            return Err(PathError::Empty { path });
        }
        let mut at = Declared::Message(message.clone());
        let mut steps = Vec::new();
        for field in way {
            match &at {
                Declared::Message(message) if message == field.parent_message() => {}
                Declared::Message(message) => {
                    return Err(PathError::Unknown {
                        path,
                        message: message.full_name().into(),
                        nearest: Vec::new(),
                    });
                }
                _ => {
                    return Err(PathError::BelowScalar {
                        path,
                        field: field.name().into(),
                    });
                }
            }
            if field.is_group() {
                return Err(PathError::Group { path });
            }
            if field.is_map() || field.parent_message().full_name() == "google.protobuf.Any" {
                return Err(PathError::Opaque { path });
            }
            steps.push(Step::of(field));
            at = field.kind();
        }
        Ok(Self { steps })
    }

    /// The texts of a string field: at most one if nothing on the way is repeated, else in the order of the message.
    /// None for a field that is no string, none for an implicit empty one.
    pub fn texts<'i>(&self, input: &'i [u8], limits: &Limits) -> Result<Vec<&'i str>, FilterError> {
        let mut texts = Vec::new();
        if self
            .steps
            .last()
            .is_some_and(|step| step.kind == Kind::String)
        {
            self.visit(input, limits, &mut |value| {
                if let Value::Bytes(text) = value {
                    texts.push(str::from_utf8(text).map_err(|_| FilterError::Utf8)?);
                }
                Ok(())
            })?;
        }
        Ok(texts)
    }

    /// The last of [`texts`](Self::texts). Where something on the way is repeated, look at all of them instead.
    pub fn text<'i>(
        &self,
        input: &'i [u8],
        limits: &Limits,
    ) -> Result<Option<&'i str>, FilterError> {
        Ok(self.texts(input, limits)?.pop())
    }

    /// Is the field present, anywhere? An implicit default (`false`, 0, the empty text) is not.
    pub fn present(&self, input: &[u8], limits: &Limits) -> Result<bool, FilterError> {
        let mut present = false;
        self.visit(input, limits, &mut |_| {
            present = true;
            Ok(())
        })?;
        Ok(present)
    }

    fn visit<'i>(
        &self,
        input: &'i [u8],
        limits: &Limits,
        visit: &mut impl FnMut(Value<'i>) -> Result<(), FilterError>,
    ) -> Result<(), FilterError> {
        let mut budget = Budget::new(limits, input)?;
        follow(&self.steps, &[input], &mut budget, 0, visit)
    }
}

impl Step {
    fn of(field: &FieldDescriptor) -> Self {
        let oneof = field.containing_oneof();
        let rivals = oneof
            .iter()
            .flat_map(|oneof| oneof.fields().collect::<Vec<_>>());
        Self {
            number: field.number(),
            kind: Kind::of(field),
            arity: Arity::of(field),
            rivals: rivals
                .filter(|rival| rival.number() != field.number())
                .map(|rival| (rival.number(), Kind::of(&rival), Arity::of(&rival)))
                .collect(),
        }
    }

    fn is_cleared_by(&self, number: u32, value: &Value<'_>) -> bool {
        self.rivals
            .iter()
            .any(|(rival, kind, arity)| *rival == number && Fit::of(*kind, *arity, value).is_some())
    }
}

/// Follows the steps into a message that came in `parts`.
fn follow<'i>(
    steps: &[Step],
    parts: &[&'i [u8]],
    budget: &mut Budget,
    depth: u32,
    visit: &mut impl FnMut(Value<'i>) -> Result<(), FilterError>,
) -> Result<(), FilterError> {
    let Some((step, below)) = steps.split_first() else {
        return Ok(());
    };
    let mut found = Vec::new();
    for part in parts {
        let mut reader = Reader::new(part, depth);
        while let Some(Token { number, value }) = reader.next(budget)? {
            if number == step.number {
                // An empty packed run is no value.
                let fit = Fit::of(step.kind, step.arity, &value);
                let empty = fit == Some(Fit::Run) && matches!(value, Value::Bytes([]));
                found.extend(fit.filter(|_| !empty).map(|_| value));
            } else if step.is_cleared_by(number, &value) {
                found.clear();
            }
        }
    }
    if step.kind == Kind::Message && !below.is_empty() {
        let depth = budget.deeper(depth)?;
        let parts: Vec<&[u8]> = found
            .iter()
            .filter_map(|value| {
                if let Value::Bytes(bytes) = value {
                    Some(*bytes)
                } else {
                    None
                }
            })
            .collect();
        // Parts of one message merge; elements of a list do not.
        let size = if step.arity.is_singular() {
            parts.len()
        } else {
            1
        };
        return parts
            .chunks(size.max(1))
            .try_for_each(|parts| follow(below, parts, budget, depth, visit));
    }
    if step.arity.is_singular() {
        let last = found.pop().filter(|value| {
            // An enum's implicit default is 0: such enums are open, and begin with it.
            step.arity == Arity::Explicit || !is_default(step.kind, 0, value)
        });
        return last.map_or(Ok(()), visit);
    }
    found.into_iter().try_for_each(visit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use prost_reflect::{DynamicMessage, Value as Decoded};

    use super::*;
    use crate::domain::grant::specimen::{everything, named};
    use crate::minimise::generate::Generator;

    const WAYS: [&str; 21] = [
        "text",
        "maybe_text",
        "inner.name",
        "inner.deep.note",
        "a",
        "b",
        "c",
        "c.name",
        "inner.x",
        "inner.y",
        "inners.name",
        "inners.list.note",
        "texts",
        "ints",
        "legacy.must",
        "legacy.p",
        "tree.left.label",
        "flag",
        "colour",
        "double",
        "nothing",
    ];

    fn way(path: &str) -> Option<Vec<FieldDescriptor>> {
        let mut at = everything();
        let mut way = Vec::new();
        for name in path.split('.') {
            let field = at.get_field_by_name(name)?;
            if let Declared::Message(inner) = field.kind() {
                at = inner;
            }
            way.push(field);
        }
        Some(way)
    }

    /// All values at the end of the way, as prost-reflect decodes them.
    fn decoded(message: &DynamicMessage, way: &[FieldDescriptor], values: &mut Vec<Decoded>) {
        let Some((field, below)) = way
            .split_first()
            .filter(|(field, _)| message.has_field(field))
        else {
            return;
        };
        let value = message.get_field(field).into_owned();
        for value in if let Decoded::List(list) = value {
            list
        } else {
            vec![value]
        } {
            match value.as_message() {
                Some(inner) if !below.is_empty() => decoded(inner, below, values),
                _ => values.push(value),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn reads_what_a_decoder_reads(tape in proptest::collection::vec(any::<u8>(), 0..400), ordered: bool) {
            let bytes = Generator { ordered, tape: tape.iter(), paths: &[] }.message(&everything(), "", 0);
            let message = DynamicMessage::decode(everything(), &bytes[..]).unwrap();
            for way in WAYS.map(|path| way(path).unwrap()) {
                let probe = Probe::compile(&everything(), &way).unwrap();
                let mut values = Vec::new();
                decoded(&message, &way, &mut values);
                let texts: Vec<&str> = values.iter().filter_map(Decoded::as_str).collect();
                prop_assert_eq!(probe.present(&bytes, &Limits::default()), Ok(!values.is_empty()));
                prop_assert_eq!(probe.text(&bytes, &Limits::default()), Ok(texts.last().copied()));
                prop_assert_eq!(probe.texts(&bytes, &Limits::default()), Ok(texts));
            }
        }

        #[test]
        fn withstands_anything(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for way in WAYS.map(|path| way(path).unwrap()) {
                let probe = Probe::compile(&everything(), &way).unwrap();
                let _ = probe.texts(&bytes, &Limits::default());
            }
        }
    }

    #[test]
    fn ways_that_lead_nowhere_are_refused() {
        let refused = |way: &[FieldDescriptor]| Probe::compile(&everything(), way).unwrap_err();
        let foreign = named("t.Tree").get_field_by_name("label").unwrap();
        assert!(matches!(refused(&[]), PathError::Empty { .. }));
        assert!(matches!(
            refused(std::slice::from_ref(&foreign)),
            PathError::Unknown { .. }
        ));
        let text = everything().get_field_by_name("text").unwrap();
        assert!(matches!(
            refused(&[text, foreign]),
            PathError::BelowScalar { .. }
        ));
        assert!(matches!(
            refused(&way("by_number").unwrap()),
            PathError::Opaque { .. }
        ));
        assert!(matches!(
            refused(&way("any.value").unwrap()),
            PathError::Opaque { .. }
        ));
        assert!(matches!(
            refused(&way("legacy.old").unwrap()),
            PathError::Group { .. }
        ));
    }

    #[test]
    fn malformed_bytes_are_errors_on_the_way_only() {
        let probe = |path: &str| Probe::compile(&everything(), &way(path).unwrap()).unwrap();
        let name = probe("inner.name");
        let limits = Limits::default();
        assert_eq!(
            name.text(b"\x8a\x01\x02\x0a\x05", &limits),
            Err(FilterError::Truncated)
        );
        assert_eq!(
            name.text(b"\x8a\x01\x04\x0a\x02\xc3\x28", &limits),
            Err(FilterError::Utf8)
        );
        assert_eq!(name.text(b"\x92\x01\x02\x0a\x05", &limits), Ok(None));
        let shallow = Limits { depth: 0, ..limits };
        assert_eq!(
            name.text(b"\x8a\x01\x00", &shallow),
            Err(FilterError::TooDeep)
        );
        assert_eq!(
            probe("text").text(b"\x72\x01x", &Limits { bytes: 2, ..limits }),
            Err(FilterError::TooLarge)
        );
    }
}
