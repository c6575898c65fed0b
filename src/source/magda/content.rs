//! Fills the content of a question: elements, attributes and groups where the method's options say, with values of
//! the request, or with what the permit opens of the answer. Written in canonical form (exclusive XML canonicalisation 1.0).

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};

use super::answer::is_xml_char;
use crate::domain::grant::Trie;
use crate::domain::vocabulary::{Element, Flag, Form, XmlName, XmlPath, xml_value};
use crate::source::SourceError;
use crate::source::signature::escape;

const INTERNAL: SourceError = SourceError::Internal;

/// An element of the question.
#[derive(Default)]
pub(super) struct Node<'o> {
    name: Option<XmlName<'o>>,
    attributes: Vec<(XmlName<'o>, String)>,
    text: String,
    children: Vec<Self>,
}

/// Fills a node with `elements`, about `message`; `answer` is what the permit opens.
pub(super) fn fill<'o>(
    node: &mut Node<'o>,
    elements: &'o [Element],
    message: &DynamicMessage,
    answer: &Trie,
) -> Result<(), SourceError> {
    for element in elements {
        let path = XmlPath::parse(&element.path).ok_or(INTERNAL)?;
        let mut stands = false;
        if element.elements.is_empty() {
            for text in texts(element, message, answer)? {
                stands = true;
                node.place(&path, Node { text, ..Node::default() })?;
            }
        } else {
            for inner in groups(element, message)? {
                let mut group = Node::default();
                fill(&mut group, &element.elements, &inner, answer)?;
                if !group.children.is_empty() || !group.text.is_empty() {
                    stands = true;
                    node.place(&path, group)?;
                }
            }
        }
        if element.required && !stands {
            return Err(SourceError::QuestionMalformed);
        }
    }
    Ok(())
}

/// The messages that a group is about.
fn groups(element: &Element, message: &DynamicMessage) -> Result<Vec<DynamicMessage>, SourceError> {
    if element.field.is_empty() {
        return Ok(vec![message.clone()]);
    }
    let one = |value: Value| match value {
        Value::Message(inner) => Ok(inner),
        _ => Err(INTERNAL),
    };
    values(&element.field, message)?.into_iter().map(|(_, value)| one(value)).collect()
}

/// The texts of an element: none where its field is absent and nothing stands in its place.
fn texts(element: &Element, message: &DynamicMessage, answer: &Trie) -> Result<Vec<String>, SourceError> {
    let value = &element.value;
    if !element.opened_by.is_empty() {
        let open = element.opened_by.iter().any(|path| answer.reaches(path));
        return Ok(match (open, value.is_empty()) {
            (true, false) => vec![value.clone()],
            (false, false) => Vec::new(),
            (_, true) => vec![flag(open, element.flag())],
        });
    }
    if !element.field.is_empty() {
        let found = values(&element.field, message)?;
        if !found.is_empty() {
            let texts = found.into_iter().map(|(field, value)| text(&field, &value, element.flag()));
            let texts: Vec<_> = texts.collect::<Result<_, _>>()?;
            let fitting = texts.iter().all(|text| fits(element.form(), text));
            return if fitting { Ok(texts) } else { Err(SourceError::QuestionMalformed) };
        }
    }
    Ok(if value.is_empty() { Vec::new() } else { vec![value.clone()] })
}

/// Whether a text has that form.
fn fits(form: Form, text: &str) -> bool {
    let day = |text: &str| text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok();
    match form {
        Form::Unspecified => true,
        Form::Date => day(text),
        Form::Month => day(&format!("{text}-01")),
        Form::Year => text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit()),
        Form::Quarter => text
            .split_once('Q')
            .is_some_and(|(year, quarter)| fits(Form::Year, year) && matches!(quarter, "1" | "2" | "3" | "4")),
    }
}

/// The values of the field at the end of a path, that are there.
fn values(path: &str, message: &DynamicMessage) -> Result<Vec<(FieldDescriptor, Value)>, SourceError> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let field = message.descriptor().get_field_by_name(name).ok_or(INTERNAL)?;
    if !message.has_field(&field) {
        return Ok(Vec::new());
    }
    let value = message.get_field(&field).into_owned();
    match (rest, value) {
        (Some(rest), Value::Message(inner)) => values(rest, &inner),
        (Some(_), _) => Err(INTERNAL),
        (None, Value::List(all)) => Ok(all.into_iter().map(|value| (field.clone(), value)).collect()),
        (None, value) => Ok(vec![(field, value)]),
    }
}

fn flag(flag: bool, form: Flag) -> String {
    match form {
        Flag::Words => flag.to_string(),
        Flag::Unspecified | Flag::Digits => u8::from(flag).to_string(),
    }
}

fn text(field: &FieldDescriptor, value: &Value, form: Flag) -> Result<String, SourceError> {
    match (value, field.kind()) {
        (Value::String(text), _) if text.chars().all(is_xml_char) => Ok(text.clone()),
        (Value::Bool(value), _) => Ok(flag(*value, form)),
        (Value::I32(number), _) => Ok(number.to_string()),
        (Value::I64(number), _) => Ok(number.to_string()),
        (Value::U32(number), _) => Ok(number.to_string()),
        (Value::U64(number), _) => Ok(number.to_string()),
        (Value::EnumNumber(number), Kind::Enum(kind)) => {
            let word = kind.get_value(*number).and_then(|value| xml_value(&value));
            word.map(Into::into).ok_or(SourceError::QuestionMalformed)
        }
        (Value::String(_), _) => Err(SourceError::QuestionMalformed),
        _ => Err(INTERNAL),
    }
}

impl<'o> Node<'o> {
    /// Puts a text or a group where the path says. Its parents are those that stand last, or new ones.
    fn place(&mut self, path: &XmlPath<'o>, mut node: Self) -> Result<(), SourceError> {
        let (last, parents) = path.elements.split_last().ok_or(INTERNAL)?;
        if let Some(attribute) = path.attribute {
            // Of an element that is not there, nothing is said.
            let mut at = Some(self);
            for name in &path.elements {
                at = at.and_then(|node| node.children.last_mut().filter(|child| child.name == Some(*name)));
            }
            if let Some(element) = at {
                element.attributes.push((attribute, node.text));
            }
            return Ok(());
        }
        let mut at = self;
        for name in parents {
            if at.children.last().is_none_or(|child| child.name != Some(*name)) {
                at.children.push(Self { name: Some(*name), ..Self::default() });
            }
            at = at.children.last_mut().ok_or(INTERNAL)?;
        }
        node.name = Some(*last);
        at.children.push(node);
        Ok(())
    }

    /// Writes what stands in the node.
    pub(super) fn write(&self, out: &mut String) {
        self.inside(&mut Vec::new(), out);
    }

    fn inside(&self, bound: &mut Vec<(String, &'o str)>, out: &mut String) {
        escape(&self.text, false, out);
        for child in &self.children {
            let known = bound.len();
            child.element(bound, out);
            bound.truncate(known);
        }
    }

    /// `bound` are the prefixes that elements around this one declare.
    fn element(&self, bound: &mut Vec<(String, &'o str)>, out: &mut String) {
        let Some(name) = self.name else { return };
        let mut attributes: Vec<_> = self.attributes.iter().collect();
        attributes.sort_by_key(|(name, _)| (name.namespace, name.local));
        let label = prefixed(name, "o");
        let mut labels = Vec::with_capacity(attributes.len());
        let mut declared: Vec<(String, &'o str)> =
            name.namespace.map(|uri| ("o".into(), uri)).into_iter().collect();
        for (place, (attribute, _)) in attributes.iter().enumerate() {
            let prefix = if attribute.namespace == Some(XML) { "xml".into() } else { format!("a{place}") };
            labels.push(prefixed(*attribute, &prefix));
            declared.extend(attribute.namespace.filter(|uri| *uri != XML).map(|uri| (prefix, uri)));
        }
        declared.sort();
        out.extend(["<", &label]);
        for (prefix, uri) in declared {
            let known = bound.iter().rev().find(|(known, _)| *known == prefix);
            if known.is_none_or(|(_, known)| *known != uri) {
                out.extend([" xmlns:", &prefix, "=\""]);
                escape(uri, true, out);
                out.push('"');
                bound.push((prefix, uri));
            }
        }
        for (label, (_, value)) in labels.iter().zip(attributes) {
            out.extend([" ", label, "=\""]);
            escape(value, true, out);
            out.push('"');
        }
        out.push('>');
        self.inside(bound, out);
        out.extend(["</", &label, ">"]);
    }
}

/// The namespace whose prefix is bound to it for ever.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

fn prefixed(name: XmlName<'_>, prefix: &str) -> String {
    if name.namespace.is_some() { format!("{prefix}:{}", name.local) } else { name.local.to_owned() }
}
