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
    ("source", &["minimise", "disclosure", "domain", "frame", "stream", "clock"]),
    ("identity", &["domain"]),
    ("gateway", &["domain", "minimise", "disclosure", "source", "identity", "clock"]),
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
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for named in names_after(line, "crate::") {
            let known = MAY_NAME.iter().any(|(known, _)| *known == named);
            if known && named != module && !allowed.contains(&named) && !allowed.contains(&"*") {
                writeln!(faults, "{name}:{}: {module} may not use {named}", number + 1).unwrap();
            }
        }
        if PURE.contains(&module) {
            for banned in IMPURE {
                if line.contains(&format!("{banned}::")) {
                    writeln!(faults, "{name}:{}: {module} is pure and may not use {banned}", number + 1)
                        .unwrap();
                }
            }
        }
        if line.contains("Withheld::seal(") && module != "source" {
            writeln!(faults, "{name}:{}: only source seals an answer", number + 1).unwrap();
        }
    }
}

/// The identifiers that stand after `prefix` in a line, also within `crate::{a, b}`.
fn names_after<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices(prefix) {
        let rest = &line[at + prefix.len()..];
        let end = if rest.starts_with('{') { rest.find('}').unwrap_or(rest.len()) } else { rest.len() };
        let list = rest[..end].trim_start_matches('{');
        let several = rest.starts_with('{');
        for part in list.split(',').take(if several { usize::MAX } else { 1 }) {
            let word = part.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            names.push(word);
        }
    }
    names
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
        "use crate::gateway::Gateway;\nuse crate::{store, domain};\ntokio::spawn(x);",
        &mut faults,
    );
    judge("src/rpc/x.rs", "Withheld::seal(asked, answer, facts)", &mut faults);
    judge("src/unknown.rs", "", &mut faults);
    let expected = [
        "src/domain/x.rs:1: domain may not use gateway",
        "src/domain/x.rs:2: domain may not use store",
        "src/domain/x.rs:3: domain is pure and may not use tokio",
        "src/rpc/x.rs:1: only source seals an answer",
        "src/unknown.rs: module unknown is not in the table of tests/architecture.rs",
    ];
    assert_eq!(faults.lines().collect::<Vec<_>>(), expected);
}
