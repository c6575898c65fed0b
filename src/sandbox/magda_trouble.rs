//! How MAGDA misbehaves.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use super::{
    body::{Piece, Script},
    magda::{Magda, fault, xml},
    reply::{self, Answer, Exception},
    soap::Question,
    trouble::{Trouble, UNDECLARED},
};

const CHUNK: usize = 64 * 1024;
const HUGE: u64 = 512;

/// The answer, or what is made of it.
pub fn play(magda: &Magda, trouble: Trouble, question: &Question) -> Response<Script> {
    let file = &*magda.content(question, question.insz());
    let other = &*magda.content(question, magda.someone_else());
    let answer =
        |content: &str| reply::answer(question, &magda.reference(), &Answer { content, exceptions: &[] });
    let refusal = |exception| xml(StatusCode::OK, reply::refusal(question, &magda.reference(), &exception));
    let good = |body: Script| xml(StatusCode::OK, body);
    match trouble {
        Trouble::Slow => good(answer(file).into()),
        Trouble::SoapFault => fault("Server", &format!("Onverwachte fout bij {UNDECLARED}")),
        Trouble::Throttled => fault("Server", "Exceeded the max throttle rate of 10 within 1000ms"),
        Trouble::ServerError => page(),
        Trouble::Unavailable => refusal(Exception::UNAVAILABLE),
        Trouble::NotInscribed => refusal(Exception::NOT_INSCRIBED),
        Trouble::AccessRefused => refusal(Exception::ACCESS_REFUSED),
        Trouble::Garbage => {
            good(Bytes::from_static(b"\x00\xff\xfe<<<&&\x80 niet-opgegeven-persoonsgegeven").into())
        }
        Trouble::Truncated => {
            let mut half = answer(file).into_bytes();
            half.truncate(half.len() / 2);
            good(half.into())
        }
        Trouble::Expansion => good(expansion(&answer(file)).into()),
        Trouble::Huge => good(huge(&answer(file))),
        Trouble::SomeoneElse => good(answer(other).into()),
        Trouble::TwoPeople => good(answer(&format!("{file}{other}")).into()),
        Trouble::Undeclared => good(answer(&undeclared(file)).into()),
        Trouble::PersonalStatus => personal(),
        Trouble::Closed => {
            let mut half = answer(file).into_bytes();
            half.truncate(half.len() / 2);
            good(Script::new([Piece::Bytes(half.into()), Piece::Pause, Piece::Break]))
        }
        Trouble::InvalidUtf8 => good(invalid_utf8(&answer(file)).into()),
    }
}

fn page() -> Response<Script> {
    let mut page = xml(StatusCode::INTERNAL_SERVER_ERROR, format!("<html><h1>500</h1>{UNDECLARED}</html>"));
    page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    page
}

fn personal() -> Response<Script> {
    let detail = format!("<Persoon><Naam>{UNDECLARED}</Naam></Persoon>");
    let mut fault = xml(StatusCode::INTERNAL_SERVER_ERROR, reply::fault("Server", UNDECLARED, &detail));
    fault.headers_mut().insert("x-persoon", HeaderValue::from_static(UNDECLARED));
    fault.headers_mut().insert("warning", HeaderValue::from_static(UNDECLARED));
    fault
}

/// Ten entities, each ten times the one before, in place of the last name: small on the wire.
fn expansion(answer: &str) -> String {
    let mut entities = "<!ENTITY e0 \"lol\">".to_owned();
    for level in 1..10 {
        let inside = format!("&e{};", level - 1).repeat(10);
        let _ = write!(entities, "<!ENTITY e{level} \"{inside}\">");
    }
    let dtd = format!("?><!DOCTYPE soapenv:Envelope [{entities}]>");
    let name = format!("<Achternaam>{}<", Trouble::Expansion.name());
    answer.replacen("?>", &dtd, 1).replace(&name, "<Achternaam>&e9;<")
}

/// A valid answer, with nationalities until 32 MiB are full.
fn huge(answer: &str) -> Script {
    let one = "<Nationaliteit><Code>150</Code><Omschrijving>Belg</Omschrijving></Nationaliteit>";
    let chunk = Bytes::from(one.repeat(CHUNK / one.len() + 1));
    let (before, after) = answer.split_once("</Nationaliteiten>").unwrap_or((answer, ""));
    let after = format!("</Nationaliteiten>{after}");
    Script::new([
        Piece::Bytes(before.to_owned().into()),
        Piece::Repeat(chunk, HUGE),
        Piece::Bytes(after.into()),
    ])
}

/// Gives every element an attribute, and every element that has children three more: an unknown
/// one, one of a known name in an unknown place, and one of its own name in another namespace.
pub fn undeclared(file: &str) -> String {
    let mut out = String::with_capacity(file.len() * 8);
    let mut rest = file;
    while let Some((before, from)) = rest.split_once('<') {
        out.push_str(before);
        let Some((tag, after)) = from.split_once('>') else { break };
        rest = after;
        if tag.starts_with('/') {
            let _ = write!(out, "<{tag}>");
            continue;
        }
        let name = tag.split(' ').next().unwrap_or(tag);
        let _ = write!(out, "<{tag} Verborgen=\"{UNDECLARED}\">");
        if after.starts_with('<') {
            let name_elsewhere =
                format!("<Naam><Achternamen><Achternaam>{UNDECLARED}</Achternaam></Achternamen></Naam>");
            let _ = write!(out, "<Verborgen><INSZ>{UNDECLARED}</INSZ>{name_elsewhere}</Verborgen>");
            let _ = write!(out, "<u:{name} xmlns:u=\"urn:sandbox:undeclared\">{UNDECLARED}</u:{name}>");
        }
    }
    out + rest
}

fn invalid_utf8(answer: &str) -> Vec<u8> {
    let name = Trouble::InvalidUtf8.name();
    let Some((before, after)) = answer.split_once(name) else { return Vec::new() };
    [before.as_bytes(), b"Vand\xc3\x28ck", after.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undeclared_reaches_every_element() {
        let decorated = undeclared("<A x=\"1\"><B>tekst</B><B></B></A>");
        assert_eq!(decorated.matches("Verborgen=").count(), 3);
        assert_eq!(decorated.matches("<Verborgen>").count(), 2);
        assert!(decorated.contains(">tekst</B>"));
        assert!(decorated.ends_with("</A>"));
    }
}
