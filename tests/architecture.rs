//! The layout is a rule: which module may name which, how long a file may be, and who may open the one door.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Each module of the library, and the modules that it may name. What is missing here is a fault.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("clock", &[]),
    ("frame", &[]),
    ("stream", &[]),
    ("domain", &["proto"]),
    ("minimise", &["domain"]),
    ("disclosure", &["domain", "minimise"]),
    ("store", &["disclosure", "domain"]),
    ("source", &["minimise", "disclosure", "domain", "frame", "stream"]),
    ("identity", &["domain"]),
    ("gateway", &["domain", "minimise", "disclosure", "source", "identity"]),
    ("audit", &["disclosure", "domain", "proto"]),
    (
        "rpc",
        &[
            "gateway",
            "audit",
            "identity",
            "disclosure",
            "domain",
            "proto",
            "frame",
            "stream",
            "config",
            "telemetry",
        ],
    ),
    ("sandbox", &["domain", "source", "proto", "frame"]),
    ("config", &["domain"]),
    ("telemetry", &["domain"]),
    ("cli", &["*"]),
];

/// Crates that the pure modules may not name.
const IMPURE: &[&str] = &["tokio", "tonic", "sqlx", "hyper", "tracing", "metrics"];
const PURE: &[&str] = &["domain", "minimise"];

const LONGEST: usize = 400;

#[test]
fn the_layout_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut faults = String::new();
    for folder in ["src", "tests", "benches"] {
        for file in rust_files(&root.join(folder)) {
            let text = std::fs::read_to_string(&file).unwrap();
            let name = file.strip_prefix(root).unwrap().display().to_string();
            let length = text.lines().count();
            if length > LONGEST {
                writeln!(faults, "{name}: {length} lines, more than {LONGEST}: split it by what it is about")
                    .unwrap();
            }
            if folder == "src" {
                judge(&name, &text, &mut faults);
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

fn judge(name: &str, text: &str, faults: &mut String) {
    let module = name.trim_start_matches("src/").split(['/', '.']).next().unwrap();
    if ["lib", "main"].contains(&module) {
        return;
    }
    let Some((_, allowed)) = MAY_NAME.iter().find(|(known, _)| *known == module) else {
        writeln!(faults, "{name}: module {module} is not in the table of tests/architecture.rs").unwrap();
        return;
    };
    let code = without_comments(text);
    let line_of = |at: usize| code[..at].matches('\n').count() + 1;
    for (at, named) in names_after(&code, "crate::") {
        let known = MAY_NAME.iter().any(|(known, _)| *known == named);
        if known && named != module && !allowed.contains(&named) && !allowed.contains(&"*") {
            writeln!(faults, "{name}:{}: {module} may not use {named}", line_of(at)).unwrap();
        }
    }
    for banned in IMPURE.iter().filter(|_| PURE.contains(&module)) {
        for (at, _) in code.match_indices(&format!("{banned}::")) {
            writeln!(faults, "{name}:{}: {module} is pure and may not use {banned}", line_of(at)).unwrap();
        }
    }
    if module != "source" {
        for (at, _) in code.match_indices("Withheld::seal(") {
            writeln!(faults, "{name}:{}: only source seals an answer", line_of(at)).unwrap();
        }
    }
}

/// The text with its comments emptied; lines keep their numbers.
fn without_comments(text: &str) -> String {
    let kept =
        |line: &'_ str| if line.trim_start().starts_with("//") { String::new() } else { line.to_owned() };
    text.lines().map(kept).collect::<Vec<_>>().join("\n")
}

/// The identifiers that stand after `prefix`, and where: also each first one within `crate::{a::{b, c}, d}`, over as
/// many lines as that takes.
fn names_after<'a>(code: &'a str, prefix: &str) -> Vec<(usize, &'a str)> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let from = at + prefix.len();
        let Some(list) = code[from..].strip_prefix('{') else {
            names.push((from, word(&code[from..])));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (offset, char) in list.char_indices() {
            match char {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                _ if begins && !char.is_whitespace() => {
                    names.push((from + 1 + offset, word(&list[offset..])));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return files };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn the_judge_sees_a_breach() {
    let mut faults = String::new();
    judge(
        "src/domain/x.rs",
        "use crate::gateway::Gateway;\nuse crate::{store, domain};\ntokio::spawn(x);\n// crate::cli\nuse crate::{\n    \
         domain::{a, rpc},\n    audit::b,\n};",
        &mut faults,
    );
    judge("src/rpc/x.rs", "Withheld::seal(asked, answer, facts)", &mut faults);
    judge("src/unknown.rs", "", &mut faults);
    let expected = [
        "src/domain/x.rs:1: domain may not use gateway",
        "src/domain/x.rs:2: domain may not use store",
        "src/domain/x.rs:7: domain may not use audit",
        "src/domain/x.rs:3: domain is pure and may not use tokio",
        "src/rpc/x.rs:1: only source seals an answer",
        "src/unknown.rs: module unknown is not in the table of tests/architecture.rs",
    ];
    assert_eq!(faults.lines().collect::<Vec<_>>(), expected);
}
