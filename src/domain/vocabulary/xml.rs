//! Paths in XML, as the options write them: names of elements, and of an attribute at the end.

/// A path below an element. Empty, it is the element itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlPath<'a> {
    /// From the outermost to the innermost.
    pub elements: Vec<XmlName<'a>>,
    /// The attribute that it ends in.
    pub attribute: Option<XmlName<'a>>,
}

/// The name of an element or attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XmlName<'a> {
    /// The namespace that it brings along.
    pub namespace: Option<&'a str>,
    /// The name without a prefix.
    pub local: &'a str,
}

impl<'a> XmlPath<'a> {
    /// Reads a path. `None` where it is no names separated by "/".
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut path = Self { elements: Vec::new(), attribute: None };
        if text == "." {
            return Some(path);
        }
        let mut steps = steps(text).peekable();
        while let Some(step) = steps.next() {
            match step.strip_prefix('@') {
                Some(name) if steps.peek().is_none() => path.attribute = Some(XmlName::parse(name)?),
                Some(_) => return None,
                None => path.elements.push(XmlName::parse(step)?),
            }
        }
        Some(path)
    }
}

/// Splits at each "/" that is none of a namespace.
fn steps(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.split(move |char| {
        inside = (inside || char == '{') && char != '}';
        char == '/' && !inside
    })
}

impl<'a> XmlName<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (namespace, local) = match text.strip_prefix('{') {
            None => (None, text),
            Some(rest) => rest.split_once('}').map(|(namespace, local)| (Some(namespace), local))?,
        };
        let sound = local.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && local.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let bound = namespace
            .is_none_or(|uri| !uri.is_empty() && !uri.contains(['{', '<', '>', '"', '&', ' ', '\t', '\n']));
        (sound && bound).then_some(Self { namespace, local })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_element_names_that_may_end_in_an_attribute() {
        type Parsed = Option<(&'static [&'static str], Option<&'static str>)>;
        let table: [(&str, Parsed); 16] = [
            (".", Some((&[], None))),
            ("INSZ", Some((&["INSZ"], None))),
            ("@DatumBegin", Some((&[], Some("DatumBegin")))),
            ("Achternamen/Achternaam", Some((&["Achternamen", "Achternaam"], None))),
            ("INSZ/@IsFictief", Some((&["INSZ"], Some("IsFictief")))),
            ("{http://x/y}Naam/Voornaam", Some((&["{http://x/y}Naam", "Voornaam"], None))),
            ("Naam/@{urn:x}taal", Some((&["Naam"], Some("{urn:x}taal")))),
            ("", None),
            ("/INSZ", None),
            ("INSZ/", None),
            ("@A/B", None),
            ("Naam/.", None),
            ("x:Naam", None),
            ("{}Naam", None),
            ("{urn:x", None),
            ("{urn:x}", None),
        ];
        let shown = |name: XmlName<'_>| {
            name.namespace.map_or_else(|| name.local.to_owned(), |uri| format!("{{{uri}}}{}", name.local))
        };
        for (xml, expected) in table {
            let path = XmlPath::parse(xml).map(|path| {
                (path.elements.into_iter().map(shown).collect::<Vec<_>>(), path.attribute.map(shown))
            });
            let expected = expected.map(|(elements, attribute)| {
                (elements.iter().map(|name| (*name).to_owned()).collect(), attribute.map(str::to_owned))
            });
            assert_eq!(path, expected, "{xml}");
        }
    }
}
