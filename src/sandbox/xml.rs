//! Just enough XML to write an answer: elements nest as closures do, text is escaped.

use quick_xml::escape::escape;

/// A document being written.
#[derive(Default)]
pub struct Xml(String);

impl Xml {
    /// What was written.
    pub fn finish(self) -> String {
        self.0
    }

    /// An element with content. `attributes` may be empty.
    pub fn element(&mut self, name: &str, attributes: &[(&str, &str)], content: impl FnOnce(&mut Self)) {
        self.0.push('<');
        self.0.push_str(name);
        for (key, value) in attributes {
            self.0.push(' ');
            self.0.push_str(key);
            self.0.push_str("=\"");
            self.0.push_str(&escape(*value));
            self.0.push('"');
        }
        self.0.push('>');
        content(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// An element with text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.element(name, &[], |xml| xml.0.push_str(&escape(text)));
    }

    /// `Code` and `Omschrijving`, as MAGDA writes every code.
    pub fn code(&mut self, name: &str, attributes: &[(&str, &str)], code: &str, label: &str) {
        self.element(name, attributes, |xml| {
            xml.text("Code", code);
            xml.text("Omschrijving", label);
        });
    }

    /// `String` and `Taal`, as OSLO addresses write every name.
    pub fn dutch(&mut self, name: &str, text: &str) {
        self.element(name, &[], |xml| {
            xml.text("String", text);
            xml.text("Taal", "nl");
        });
    }

    /// XML that is written already.
    pub fn raw(&mut self, xml: &str) {
        self.0.push_str(xml);
    }
}
