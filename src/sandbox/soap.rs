//! The question of a GeefPersoon 02.02 request, read out of its SOAP envelope.
//! Not a SOAP stack: one operation, one question, no attachments, headers skipped.

use std::collections::HashMap;

use quick_xml::{NsReader, escape::resolve_predefined_entity, events::Event, name::ResolveResult};

/// SOAP 1.1 envelope.
pub const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The operation's namespace; below `Verzoek` and `Repliek` nothing is qualified.
pub const GEEF_PERSOON: &str = "http://magda.vlaanderen.be/persoon/soap/geefpersoon/v02_02";

const MAX_DEPTH: usize = 16;

/// The question, as far as it could be read: absent elements are empty.
#[derive(Debug, Default)]
pub struct Question {
    leaves: HashMap<String, String>,
}

impl Question {
    /// Text of an element below `Verzoek`, such as `Context/Bericht/Afzender/Referte`.
    pub fn text(&self, path: &str) -> &str {
        self.leaves.get(path).map_or("", String::as_str)
    }

    /// The INSZ asked for, whatever it looks like.
    pub fn insz(&self) -> &str {
        self.text("Vragen/Vraag/Inhoud/Criteria/INSZ")
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
pub fn parse(body: &[u8]) -> Result<Question, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| Fault::NotXml)?;
    let mut reader = NsReader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut question = Question::default();
    let mut closed = false;
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|_| Fault::NotXml)?;
        match event {
            Event::Start(start) => {
                if closed || path.len() >= MAX_DEPTH {
                    return Err(Fault::NotXml);
                }
                let name = start.local_name().as_ref().to_owned();
                expect(&path, &name, &namespace)?;
                path.push(name);
                let leaf = leaf(&path);
                if !leaf.is_empty() && question.leaves.insert(leaf, String::new()).is_some() {
                    return Err(Fault::Repeated);
                }
            }
            Event::Empty(start) => expect(&path, start.local_name().as_ref(), &namespace)?,
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
fn expect(path: &[String], name: &str, namespace: &ResolveResult) -> Result<(), Fault> {
    let bound = match namespace {
        ResolveResult::Bound(bound) => bound.as_ref(),
        ResolveResult::Unbound => "",
        ResolveResult::Unknown(_) => return Err(Fault::NotXml),
    };
    match (path, name) {
        ([], "Envelope") | ([_], "Header" | "Body") if bound == ENVELOPE => Ok(()),
        ([] | [_], _) => Err(Fault::NotSoap),
        ([_, part, ..], _) if part == "Header" => Ok(()),
        ([_, _], "GeefPersoon") if bound == GEEF_PERSOON => Ok(()),
        ([_, _, _], "Verzoek") | ([_, _, _, _, ..], _) if bound.is_empty() => Ok(()),
        _ => Err(Fault::UnknownOperation),
    }
}

/// The path below `Envelope/Body/GeefPersoon/Verzoek`; empty elsewhere.
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
    if let Some(leaf) = question.leaves.get_mut(&leaf(path)) {
        leaf.push_str(text.trim_matches(['\n', '\r', '\t', ' ']));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(inside: &str) -> String {
        format!(
            r#"<e:Envelope xmlns:e="{ENVELOPE}"><e:Header><x xmlns="urn:x"><y/></x></e:Header><e:Body>
            <GeefPersoon xmlns="{GEEF_PERSOON}"><Verzoek xmlns="">{inside}</Verzoek></GeefPersoon></e:Body></e:Envelope>"#
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
