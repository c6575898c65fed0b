//! Services that nobody wrote code for: descriptors in a test's own words, and what comes of questions and answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod answers;
mod kinds;
mod people;
mod questions;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use prost_reflect::DynamicMessage;
use sluis::domain::facts::Facts;
use sluis::domain::grant::Trie;
use sluis::domain::vocabulary::{Method, Vocabulary};
use sluis::source::SourceError;
use sluis::source::magda::{Limits, Plan};

/// The number that every question is about.
const ASKED: &str = "85673003360";
const OTHER: &str = "62710512470";

/// A service whose descriptors stand in a test.
#[derive(Default)]
struct Service<'a> {
    /// Options of the method, and of its question.
    method: &'a str,
    magda: &'a str,
    /// Fields of the request beside the number, and of the answer.
    request: &'a str,
    answer: &'a str,
    /// Further messages.
    more: &'a str,
}

impl Service<'_> {
    fn compile(&self) -> Arc<Method> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Self { method, magda, request, answer, more } = self;
        let text = format!(
            r#"syntax = "proto3"; package t; import "sluis/options/v1/options.proto";
            service S {{ rpc M(Ask) returns (Answer) {{ option (sluis.options.v1.method) = {{
              source: "s" manner: MANNER_READ {method}
              magda: {{service: "Geef" version: "01.00.0000" namespace: "urn:s" path: "/p" {magda}}}
            }}; }} }}
            message Ask {{ string insz = 1 [(sluis.options.v1.field).subject = true]; {request} }}
            message Answer {{ {answer} }} {more}"#
        );
        // `[x: "A"]` is short for an option of a field.
        let text = text.replace("[x: ", "[(sluis.options.v1.field) = {xml: ").replace(";;", "}];");
        let name = format!("sluis-proto-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("t.proto"), &text).unwrap();
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
        let mut compiler = protox::Compiler::new([folder.as_path(), own.as_ref()]).unwrap();
        compiler.include_imports(true);
        compiler.open_file("t.proto").unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let set = compiler.encode_file_descriptor_set();
        std::fs::remove_dir_all(&folder).unwrap();
        Vocabulary::from_descriptor_set(&set).unwrap().method("/t.S/M").unwrap().clone()
    }
}

/// A reply with this content, and with what stands beside it.
fn reply(content: &str, beside: &str) -> String {
    format!(
        "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><s:GeefResponse xmlns:s='urn:s'>\
         <Repliek><Antwoorden><Antwoord><Inhoud>{content}</Inhoud>{beside}</Antwoord></Antwoorden></Repliek>\
         </s:GeefResponse></e:Body></e:Envelope>"
    )
}

/// What a content comes to, of what the paths open: the answer as text, and the facts.
fn read(method: &Method, paths: &[&str], content: &str) -> Result<(String, Facts), SourceError> {
    read_reply(method, paths, &reply(content, ""))
}

fn read_reply(method: &Method, paths: &[&str], xml: &str) -> Result<(String, Facts), SourceError> {
    let plan = Plan::compile(method, &Trie::compile(&method.output, paths).unwrap()).unwrap();
    let retrieved = plan.read(xml.as_bytes(), ASKED, &Limits::default()).map_err(|failure| failure.error)?;
    let answer = DynamicMessage::decode(method.output.clone(), retrieved.answer.clone()).unwrap();
    assert!(answer.unknown_fields().next().is_none());
    // One form: what a decoder would write again.
    assert_eq!(prost::Message::encode_to_vec(&answer), retrieved.answer, "{answer}");
    Ok((answer.to_string(), retrieved.facts))
}
