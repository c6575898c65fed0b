//! The same filter over decoded messages, by names: slow, obvious, and sharing nothing with the one under test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fmt::Write;

use prost_reflect::prost::Message;
use prost_reflect::prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value};

/// Do maps stand in it as maps do? prost-reflect takes an entry of any other wire type for one, where every other
/// decoder takes it for an unknown field: of such a message it is no oracle.
pub(super) fn maps_are_maps(message: &MessageDescriptor, mut bytes: &[u8]) -> bool {
    while let Ok((number, wire)) = decode_key(&mut bytes) {
        let field = message.get_field(number);
        if wire != WireType::LengthDelimited && field.as_ref().is_some_and(FieldDescriptor::is_map) {
            return false;
        }
        let mut content = bytes;
        if skip_field(wire, number, &mut bytes, DecodeContext::default()).is_err() {
            return true;
        }
        if let (WireType::LengthDelimited, Some(Kind::Message(inner))) = (wire, field.map(|field| field.kind()))
        {
            decode_varint(&mut content).unwrap();
            if !maps_are_maps(&inner, &content[..content.len() - bytes.len()]) {
                return false;
            }
        }
    }
    true
}

/// Is the path, or one above it, among the granted ones?
pub(super) fn whole(path: &str, paths: &[&str]) -> bool {
    paths
        .iter()
        .any(|granted| path.strip_prefix(granted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Is one below it?
pub(super) fn part(path: &str, paths: &[&str]) -> bool {
    paths.iter().any(|granted| granted.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

pub(super) fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.into() } else { format!("{at}.{name}") }
}

/// Removes what is not granted.
pub(super) fn prune(message: &mut DynamicMessage, at: &str, paths: &[&str]) {
    message.take_unknown_fields().for_each(drop);
    message.take_extensions().for_each(drop);
    for field in message.descriptor().fields() {
        let path = join(at, field.name());
        if !message.has_field(&field) {
            continue;
        }
        let any = |kind: &Kind| kind.as_message().is_some_and(|m| m.full_name() == "google.protobuf.Any");
        let opaque = any(&field.kind())
            || field.is_map() && any(&field.kind().as_message().unwrap().map_entry_value_field().kind());
        if field.is_group() || opaque || !(whole(&path, paths) || part(&path, paths)) {
            message.clear_field(&field);
            continue;
        }
        let keep = |at: &str, value: &mut Value| {
            let Some(inner) = value.as_message_mut() else {
                return true;
            };
            prune(inner, at, paths);
            whole(at, paths) || inner.encoded_len() > 0
        };
        let stays = match message.get_field_mut(&field) {
            Value::List(values) => {
                values.retain_mut(|value| keep(&path, value));
                true
            }
            Value::Map(entries) => {
                entries.retain(|_, value| keep(&join(&path, "value"), value));
                true
            }
            value => keep(&path, value),
        };
        if !stays {
            message.clear_field(&field);
        }
    }
}

/// A message as text: maps in order, floats by their bits, so that equal means equal.
pub(super) fn render(message: &DynamicMessage) -> String {
    let mut text = String::from("{");
    for (field, value) in message.fields() {
        write!(text, "{}={} ", field.number(), render_value(value)).unwrap();
    }
    for unknown in message.unknown_fields() {
        write!(text, "#{} ", unknown.number()).unwrap();
    }
    text + "}"
}

fn render_value(value: &Value) -> String {
    match value {
        Value::F32(value) => format!("{:x}", value.to_bits()),
        Value::F64(value) => format!("{:x}", value.to_bits()),
        Value::Message(message) => render(message),
        Value::List(values) => values.iter().map(|value| render_value(value) + ",").collect(),
        Value::Map(entries) => {
            let mut entries: Vec<String> = entries
                .iter()
                .map(|(key, value): (&MapKey, _)| format!("{key:?}:{},", render_value(value)))
                .collect();
            entries.sort();
            entries.concat()
        }
        value => format!("{value:?}"),
    }
}

/// Does it hold a map of several entries, whose order prost-reflect leaves to chance?
pub(super) fn is_unordered(message: &DynamicMessage) -> bool {
    fn any(value: &Value) -> bool {
        match value {
            Value::Message(message) => is_unordered(message),
            Value::List(values) => values.iter().any(any),
            Value::Map(entries) => entries.len() > 1 || entries.values().any(any),
            _ => false,
        }
    }
    message.fields().any(|(_, value)| any(value))
}
