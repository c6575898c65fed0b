//! An answer of MAGDA, read a second time: plainly, from a whole document in memory, and for any service. And the other
//! way: a content that has a value for everything that descriptors know.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use sluis::domain::vocabulary::{rule, xml_value};

use super::document::Dom;

/// Names of elements, and of an attribute at the end.
fn place(field: &FieldDescriptor) -> Option<(Vec<String>, Option<String>)> {
    let xml = rule(field).xml?;
    let mut steps: Vec<_> = xml.split('/').filter(|step| *step != ".").map(str::to_owned).collect();
    let attribute = steps.pop_if(|step| step.starts_with('@')).map(|name| name[1..].to_owned());
    Some((steps, attribute))
}

fn all<'a>(element: &'a Dom, path: &[String]) -> Vec<&'a Dom> {
    match path {
        [] => vec![element],
        [first, rest @ ..] => {
            let fitting = element.children.iter().filter(|child| child.name == *first);
            fitting.flat_map(|child| all(child, rest)).collect()
        }
    }
}

/// The message that an element should come to, of what the paths open. `at` is the way to it, with a dot at its end.
pub fn expected(element: &Dom, message: &MessageDescriptor, at: &str, granted: &[&str]) -> DynamicMessage {
    let mut expected = DynamicMessage::new(message.clone());
    for field in message.fields() {
        let path = format!("{at}{}", field.name());
        let whole = granted.iter().any(|grant| path == **grant || path.starts_with(&format!("{grant}.")));
        let part = granted.iter().any(|grant| grant.starts_with(&format!("{path}.")));
        let Some((steps, attribute)) = place(&field).filter(|_| whole || part) else { continue };
        let mut values = Vec::new();
        for element in all(element, &steps) {
            if let Kind::Message(inner) = field.kind() {
                let nested = self::expected(element, &inner, &format!("{path}."), granted);
                if whole || nested != DynamicMessage::new(inner) {
                    values.push(Value::Message(nested));
                }
                continue;
            }
            let text = match &attribute {
                None => Some(element.text.trim().to_owned()),
                Some(name) => {
                    element.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
                }
            };
            values.extend(text.and_then(|text| value(&field.kind(), &text)));
        }
        if field.is_list() && !values.is_empty() {
            expected.set_field(&field, Value::List(values));
        } else if !field.is_list() {
            assert!(values.len() < 2, "{path} stands once");
            if let Some(value) = values.pop() {
                expected.set_field(&field, value);
            }
        }
    }
    expected
}

fn value(kind: &Kind, text: &str) -> Option<Value> {
    Some(match kind {
        Kind::String => Value::String(text.to_owned()),
        _ if text.is_empty() => return None,
        Kind::Bool => Value::Bool(matches!(text, "1" | "true")),
        Kind::Int32 => Value::I32(text.parse().unwrap()),
        Kind::Int64 => Value::I64(text.parse().unwrap()),
        Kind::Uint32 => Value::U32(text.parse().unwrap()),
        Kind::Enum(list) => {
            let mut codes = list.values().filter(|code| xml_value(code).as_deref() == Some(text));
            Value::EnumNumber(codes.next().unwrap().number())
        }
        other => panic!("no service has a {other:?}"),
    })
}

/// A content that has everything: each text is what `text` says for a field at a path, what repeats stands twice.
pub fn specimen(message: &MessageDescriptor, text: &mut impl FnMut(&str, &FieldDescriptor) -> String) -> Dom {
    let mut content = Dom { name: "Inhoud".into(), ..Dom::default() };
    fill(&mut content, message, "", text);
    content
}

fn fill(
    element: &mut Dom,
    message: &MessageDescriptor,
    at: &str,
    text: &mut impl FnMut(&str, &FieldDescriptor) -> String,
) {
    for field in message.fields() {
        let path = format!("{at}{}", field.name());
        let Some((mut steps, attribute)) = place(&field) else { continue };
        let last = if attribute.is_none() { steps.pop() } else { None };
        let mut parent = &mut *element;
        for step in &steps {
            parent = child(parent, step);
        }
        for _ in 0..=usize::from(field.is_list()) {
            let place = match &last {
                None => &mut *parent,
                Some(name) if field.is_list() => {
                    parent.children.push(Dom { name: name.clone(), ..Dom::default() });
                    parent.children.last_mut().unwrap()
                }
                Some(name) => child(parent, name),
            };
            match (field.kind(), &attribute) {
                (Kind::Message(inner), _) => fill(place, &inner, &format!("{path}."), text),
                (_, Some(name)) => place.attributes.push((name.clone(), text(&path, &field))),
                (_, None) => place.text = text(&path, &field),
            }
        }
    }
}

fn child<'a>(parent: &'a mut Dom, name: &str) -> &'a mut Dom {
    let known = parent.children.iter().rposition(|child| child.name == name);
    let at = known.unwrap_or_else(|| {
        parent.children.push(Dom { name: name.to_owned(), ..Dom::default() });
        parent.children.len() - 1
    });
    &mut parent.children[at]
}
