//! What the documents say is so: reasons, keys and their defaults as in the code; tests that are cited exist, and so
//! does what a link leads to.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sluis::cli::Exit;
use sluis::config::{Limits, Spared};
use sluis::domain::catalogue::Catalogue;
use sluis::domain::reason::Reason;
use sluis::domain::vocabulary::Vocabulary;
use sluis::rpc::status::code;
use sluis::source::condition::{CONDITIONS, Condition, Outcome, Sign, Verdict};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// The files below a folder that end in `suffix`.
fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, suffix));
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    found
}

/// Words in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names of the tests in the sources: functions under a test attribute, and those within `proptest!`.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["src", "tests"] {
        for file in files(&root().join(folder), ".rs") {
            let text = std::fs::read_to_string(file).unwrap();
            for after in text.split("#[test]").skip(1).chain(text.split("#[tokio::test").skip(1)) {
                let name = after.split_once("fn ").and_then(|(_, rest)| rest.split(['(', '<']).next());
                names.extend(name.map(str::to_owned));
            }
        }
    }
    names
}

/// The name of a reason's status, as gRPC writes it.
fn status(reason: Reason) -> String {
    let mut text = String::new();
    for letter in format!("{:?}", code(reason)).chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

#[test]
fn the_readme_lists_every_reason_with_its_code_and_remedy() {
    let mut table = String::from("| code | reason | what to do |\n|---|---|---|\n");
    for reason in Reason::ALL {
        let code = status(reason);
        writeln!(table, "| {code} | `{reason}` | {} |", reason.remedy()).unwrap();
    }
    assert!(read("README.md").contains(&table), "README.md should say:\n{table}");
}

#[test]
fn the_readme_lists_every_key_of_the_configuration() {
    let (readme, source) = (read("README.md"), read("src/config/source.rs") + &read("src/config.rs"));
    let keys = quoted(&readme).flat_map(|key| key.split('.')).collect::<BTreeSet<_>>();
    let structs =
        [source.split("pub struct ConfigError").next().unwrap(), &read("src/config/source.rs")].concat();
    let declared = structs.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("    pub ")?.split_once(": ")?;
        let key = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        key.then_some(if name == "sources" { "source" } else { name })
    });
    let missing = declared.filter(|key| !keys.contains(key)).collect::<Vec<_>>();
    assert!(missing.is_empty(), "README.md does not explain {missing:?}");

    // Debug shows `name: value` for each.
    let limits = format!("{:?}", Limits::default());
    for (key, default) in limits.trim_matches(|c: char| "Limits {}".contains(c)).split(", ").map(|pair| {
        let (key, default) = pair.split_once(": ").unwrap();
        (key.trim(), default.trim())
    }) {
        let row = format!("| `limits.{key}` | {default} |");
        assert!(readme.contains(&row), "README.md should have a row `{row}`");
    }
}

#[test]
fn the_readme_lists_what_a_source_is_spared() {
    let readme = read("README.md");
    for (key, default) in [
        ("concurrency", Spared::concurrency() as u64),
        ("queue", Spared::queue() as u64),
        ("deadline_ms", Spared::deadline_ms()),
        ("retries", Spared::retries().into()),
        ("failures", Spared::failures().into()),
        ("pause_ms", Spared::pause_ms()),
    ] {
        let row = format!("| `source.{key}` | {default} |");
        assert!(readme.contains(&row), "README.md should have a row `{row}`");
    }
    let streams = Limits::default().streams as usize;
    assert!(Spared::concurrency() + Spared::queue() < streams, "a source that hangs would fill a connection");
}

#[test]
fn the_page_of_errors_is_the_table_in_the_code() {
    let mut table = String::from(
        "| where | sign | what it is | the caller is told | asked again | the source fails |\n|---|---|---|---|---|---|\n",
    );
    for Condition { sign, means, what } in CONDITIONS {
        let (place, sign) = match sign {
            Sign::NoConnection => ("transport", "not sent".to_owned()),
            Sign::BrokeOff => ("transport", "broken off".to_owned()),
            Sign::Silence => ("transport", "silence".to_owned()),
            Sign::TooLarge => ("transport", "too large".to_owned()),
            Sign::Unreadable => ("transport", "unreadable".to_owned()),
            Sign::Http(status) => ("HTTP, for SOAP", format!("`{status}`")),
            Sign::NoGrpc(status) => ("HTTP, for gRPC", format!("`{status}`")),
            Sign::Grpc(status) => ("gRPC", format!("`{status}`")),
            Sign::Fault(phrase) => ("SOAP Fault", format!("`{phrase}`")),
            Sign::Code(code) => ("MAGDA", format!("`{code}`")),
            Sign::Status(status) => ("KSZ", format!("`{status}`")),
        };
        let (comes_to, again, fails) = match means {
            Ok(Outcome::Content) => ("OK, the content stands".to_owned(), "", "no"),
            Ok(Outcome::NotFound) => ("OK, nobody found".to_owned(), "", "no"),
            Ok(Outcome::Filtered) => ("OK, nothing left".to_owned(), "", "no"),
            Err(error) => {
                let fails = match (error.verdict(true), error.verdict(false)) {
                    (Verdict::Fails, Verdict::Fails) => "yes",
                    (Verdict::Fails, _) => "after `source.deadline_ms`",
                    (Verdict::Answers, _) => "no",
                    (Verdict::Unclear, _) => "unclear",
                };
                let reason = Reason::from(error);
                (format!("{} `{reason}`", status(reason)), if error.retried() { "yes" } else { "" }, fails)
            }
        };
        writeln!(table, "| {place} | {sign} | {what} | {comes_to} | {again} | {fails} |").unwrap();
    }
    assert!(read("docs/errors.md").contains(&table), "docs/errors.md should say:\n{table}");
}

#[test]
fn the_readme_lists_the_exit_codes() {
    let readme = read("README.md");
    for exit in [Exit::Success, Exit::Fault, Exit::Usage, Exit::Configuration, Exit::Unavailable] {
        let row = format!("| {} | {} |", exit as u8, format!("{exit:?}").to_lowercase());
        assert!(readme.contains(&row), "README.md should have a row `{row}`");
    }
}

#[test]
fn every_test_that_the_threats_name_exists() {
    let (threats, tests) = (read("docs/threats.md"), tests());
    let mut cited = 0;
    for (number, line) in threats.lines().enumerate().filter(|(_, line)| line.starts_with("| ")) {
        for name in quoted(line.split('|').nth(3).unwrap()) {
            cited += 1;
            assert!(tests.contains(name), "docs/threats.md:{}: no test is called {name}", number + 1);
        }
    }
    assert!(cited > 40, "{cited} tests cited: has the table another form?");
}

#[test]
fn the_architecture_names_every_module_and_only_files_that_exist() {
    let text = read("docs/architecture.md");
    let named = quoted(&text).collect::<BTreeSet<_>>();
    for entry in std::fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            name == "main" || name == "lib" || named.contains(&*name),
            "docs/architecture.md does not name {name}"
        );
    }
    for path in named.iter().filter(|name| name.starts_with("src/") || name.starts_with("tests/")) {
        assert!(root().join(path).exists(), "docs/architecture.md names {path}, which is not there");
    }
}

#[test]
fn the_example_of_the_format_is_sound() {
    let page = read("protocols/README.md");
    let text = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let catalogue = Catalogue::compile(&[("example.toml", text)], &Vocabulary::embedded().unwrap());
    let faults = catalogue.broken().iter().flat_map(|file| &file.errors).map(ToString::to_string);
    assert_eq!(faults.collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(catalogue.instruments().map(|one| one.grants.len()).sum::<usize>(), 1);
}

#[test]
fn links_lead_somewhere() {
    let folders = ["docs", "protocols", "certs"].map(|folder| files(&root().join(folder), ".md"));
    let pages = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|page| root().join(page));
    for page in pages.into_iter().chain(folders.into_iter().flatten()) {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            let there = path.is_empty() || link.contains("://") || page.parent().unwrap().join(path).exists();
            assert!(there, "{}: {link} leads nowhere", page.display());
        }
    }
}
