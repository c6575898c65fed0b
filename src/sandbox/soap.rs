//! The question of a request, read out of its SOAP envelope.
//! Not a SOAP stack: one operation, one question, no attachments, headers skipped.

use quick_xml::{NsReader, escape::resolve_predefined_entity, events::Event, name::ResolveResult};

use super::operation::Operation;

/// SOAP 1.1 envelope.
pub const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";

const MAX_DEPTH: usize = 16;

/// The question, as far as it could be read: absent elements are empty.
#[derive(Debug)]
pub struct Question {
    /// The service that is asked.
    pub operation: &'static Operation,
    leaves: Vec<(String, String)>,
}

impl Question {
    /// Text of an element below `Verzoek`, such as `Context/Bericht/Afzender/Referte`.
    pub fn text(&self, path: &str) -> &str {
        self.leaves.iter().find(|(known, _)| known == path).map_or("", |(_, text)| text)
    }

    /// Texts of an element that recurs.
    pub fn texts<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        self.leaves.iter().filter(move |(known, _)| known == path).map(|(_, text)| text.as_str())
    }

    /// The INSZ asked for, whatever it looks like.
    pub fn insz(&self) -> &str {
        self.text(self.operation.insz)
    }
}

/// Why a request ends in a SOAP fault.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not well-formed, not UTF-8, too deep, or with a DTD.
    NotXml,
    /// No SOAP envelope of version 1.1 around it.
    NotSoap,
    /// Another operation, or elements in a namespace that the schema does not give them.
    UnknownOperation,
    /// An element of the question appears twice.
    Repeated,
}

/// Reads a request.
pub fn parse(body: &[u8], operation: &'static Operation) -> Result<Question, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| Fault::NotXml)?;
    let mut reader = NsReader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut question = Question { operation, leaves: Vec::new() };
    let mut closed = false;
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|_| Fault::NotXml)?;
        match event {
            Event::Start(start) => {
                if closed || path.len() >= MAX_DEPTH {
                    return Err(Fault::NotXml);
                }
                let name = start.local_name().as_ref().to_owned();
                expect(operation, &path, &name, &namespace)?;
                path.push(name);
                let leaf = leaf(&path);
                if !operation.repeats && question.leaves.iter().any(|(known, _)| *known == leaf) {
                    return Err(Fault::Repeated);
                }
                if !leaf.is_empty() {
                    question.leaves.push((leaf, String::new()));
                }
            }
            Event::Empty(start) => expect(operation, &path, start.local_name().as_ref(), &namespace)?,
            Event::End(_) => {
                path.pop();
                closed = path.is_empty();
            }
            Event::Text(text) => add(&mut question, &path, &text.xml10_content())?,
            Event::CData(text) => add(&mut question, &path, &text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|_| Fault::NotXml)?;
                let name = reference.xml10_content();
                match (character, resolve_predefined_entity(&name)) {
                    (Some(character), _) => add(&mut question, &path, character.encode_utf8(&mut [0; 4]))?,
                    (None, Some(text)) => add(&mut question, &path, text)?,
                    (None, None) => return Err(Fault::NotXml),
                }
            }
            Event::DocType(_) | Event::PI(_) => return Err(Fault::NotXml),
            Event::Decl(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match (closed, question.leaves.is_empty()) {
        (false, _) => Err(Fault::NotXml),
        (true, true) => Err(Fault::UnknownOperation),
        (true, false) => Ok(question),
    }
}

/// Envelope, body, operation; below that, nothing is qualified. Headers may hold anything.
fn expect(operation: &Operation, path: &[String], name: &str, namespace: &ResolveResult) -> Result<(), Fault> {
    let bound = match namespace {
        ResolveResult::Bound(bound) => bound.as_ref(),
        ResolveResult::Unbound => "",
        ResolveResult::Unknown(_) => return Err(Fault::NotXml),
    };
    match (path, name) {
        ([], "Envelope") | ([_], "Header" | "Body") if bound == ENVELOPE => Ok(()),
        ([] | [_], _) => Err(Fault::NotSoap),
        ([_, part, ..], _) if part == "Header" => Ok(()),
        ([_, _], name) if name == operation.name && bound == operation.namespace => Ok(()),
        ([_, _, _], "Verzoek") | ([_, _, _, _, ..], _) if bound.is_empty() => Ok(()),
        _ => Err(Fault::UnknownOperation),
    }
}

/// The path below operation and `Verzoek`; empty elsewhere.
fn leaf(path: &[String]) -> String {
    match path {
        [_, part, _, _, rest @ ..] if part == "Body" => rest.join("/"),
        _ => String::new(),
    }
}

fn add(question: &mut Question, path: &[String], text: &str) -> Result<(), Fault> {
    if path.is_empty() && !text.trim().is_empty() {
        return Err(Fault::NotXml);
    }
    let leaf = leaf(path);
    if let Some((_, known)) = question.leaves.iter_mut().rev().find(|(known, _)| *known == leaf) {
        known.push_str(text.trim_matches(['\n', '\r', '\t', ' ']));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::operation::{GEEF_PERSOON, SOCIAAL_STATUUT};
    use super::*;

    const NAMESPACE: &str = GEEF_PERSOON.namespace;
    static OPERATION: Operation = GEEF_PERSOON;
    static STATUSES: Operation = SOCIAAL_STATUUT;

    fn parse(body: &[u8]) -> Result<Question, Fault> {
        super::parse(body, &OPERATION)
    }

    fn request(inside: &str) -> String {
        format!(
            r#"<e:Envelope xmlns:e="{ENVELOPE}"><e:Header><x xmlns="urn:x"><y/></x></e:Header><e:Body>
            <GeefPersoon xmlns="{NAMESPACE}"><Verzoek xmlns="">{inside}</Verzoek></GeefPersoon></e:Body></e:Envelope>"#
        )
    }

    #[test]
    fn reads_a_question() {
        let question = parse(request("<Context><Naam>Geef&amp;&#65;</Naam></Context>").as_bytes()).unwrap();
        assert_eq!(question.text("Context/Naam"), "Geef&A");
        assert_eq!(question.text("Context/Versie"), "");
        assert_eq!(question.insz(), "");
    }

    #[test]
    fn what_recurs_is_read_in_its_order() {
        let body = request("<Vragen><Naam>a</Naam><Naam>b</Naam></Vragen>")
            .replace(NAMESPACE, STATUSES.namespace)
            .replace("GeefPersoon", STATUSES.name);
        let question = super::parse(body.as_bytes(), &STATUSES).unwrap();
        assert_eq!(question.texts("Vragen/Naam").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn refuses_what_is_no_request() {
        let body = request("<Context/><Vragen/>");
        let cases = [
            (format!("<!DOCTYPE e [<!ENTITY a 'b'>]>{body}"), Fault::NotXml),
            (format!("<?run it?>{body}"), Fault::NotXml),
            (request("<Context>&a;</Context>"), Fault::NotXml),
            (request("<Context>"), Fault::NotXml),
            (body.clone() + &body, Fault::NotXml),
            (body.clone() + "tail", Fault::NotXml),
            (body[..body.len() - 3].to_owned(), Fault::NotXml),
            (request(&"<a>".repeat(40)), Fault::NotXml),
            (String::new(), Fault::NotXml),
            (body.replace(ENVELOPE, "http://www.w3.org/2003/05/soap-envelope"), Fault::NotSoap),
            (body.replace("v02_02", "v02_01"), Fault::UnknownOperation),
            (body.replace("GeefPersoon", "GeefPasfoto"), Fault::UnknownOperation),
            (body.replace(r#"Verzoek xmlns="""#, "Verzoek"), Fault::UnknownOperation),
            (
                format!(r#"<e:Envelope xmlns:e="{ENVELOPE}"><e:Body></e:Body></e:Envelope>"#),
                Fault::UnknownOperation,
            ),
            (request("<Vragen><Vraag>1</Vraag><Vraag>2</Vraag></Vragen>"), Fault::Repeated),
        ];
        for (body, fault) in cases {
            assert_eq!(parse(body.as_bytes()).err(), Some(fault), "{body}");
        }
        assert_eq!(parse(b"\xff\xfe").err(), Some(Fault::NotXml));
    }
}
