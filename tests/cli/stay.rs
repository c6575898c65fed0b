//! A demo that stays: played along with as a newcomer would, then stopped, copied, tampered with.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sqlx::Connection as _;

use crate::process::{Done, Going, SLUIS, piped, run};
use crate::support::Folder;

/// What `endpoints.json` says.
struct Endpoints(Value);

impl Endpoints {
    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap()
    }

    fn client(&self, organisation: &str) -> &Value {
        let clients = self.0["clients"].as_array().unwrap();
        clients.iter().find(|client| client["organisation"] == organisation).unwrap()
    }

    /// A fresh token, by the words that the file gives.
    fn token(&self, organisation: &str) -> String {
        let words: Vec<&str> = self.client(organisation)["token"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect();
        let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn query(&self, organisation: &str, more: &[&str]) -> Done {
        let client = self.client(organisation);
        let file = |key: &str| client[key].as_str().unwrap();
        let token = self.token(organisation);
        let mut arguments = vec!["log", "query", "--gateway", self.text("gateway"), "--ca", self.text("ca")];
        arguments.extend(["--certificate", file("certificate"), "--key", file("key"), "--token", &token]);
        arguments.extend(more);
        run(arguments)
    }
}

/// Starts a demo in a folder; gives its last line and what it wrote there.
fn demo(folder: &Path) -> (Going, String, Endpoints) {
    let mut going = Going::start(&mut piped(&["demo", "--stay", "--dir", folder.to_str().unwrap()]));
    let mut told = String::new();
    for line in going.lines() {
        told = line.unwrap();
        if told.starts_with("demo: ") {
            break;
        }
    }
    let text = fs::read_to_string(folder.join("endpoints.json")).unwrap();
    (going, told, Endpoints(serde_json::from_str(&text).unwrap()))
}

#[test]
fn a_demo_that_stays_can_be_played_with_and_verified() {
    let folder = Folder::new("stay");
    let (mut going, told, endpoints) = demo(&folder.0);
    let [released, refused, size] = numbers(&told);
    metrics(&folder.0, released, refused);
    let early = fs::read_to_string(folder.0.join("log.head")).unwrap();
    queries(&endpoints);

    let config = endpoints.text("config").to_owned();
    let verified = run(["log", "verify", "--config", &config, "--output", "json"]);
    assert_eq!(verified.exit, 0, "{}", verified.err);
    let report = verified.json();
    assert!(report["size"].as_u64().unwrap() > size, "queries are entries too");
    assert!(run(["log", "verify", "--config", &config]).out.contains("log verified at size"));

    going.signal("HUP");
    let reloaded = || endpoints.query("audit-leuven", &["--output", "json"]).json();
    while reloaded().as_array().unwrap().iter().filter(|entry| entry["kind"] == "CONFIG").count() < 2 {}
    going.signal("TERM");
    assert_eq!(going.wait(), Some(0), "it drains, and ends well");
    tampered(&folder.0, &config, report["public_key"].as_str().unwrap(), &early);
}

/// `demo: R released, F refused, log verified at size N`.
fn numbers(told: &str) -> [u64; 3] {
    assert!(
        told.starts_with("demo: ") && told.contains(" released, ") && told.contains("log verified at size ")
    );
    let numbers: Vec<u64> = told.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    let numbers: [u64; 3] = numbers.try_into().unwrap();
    assert!(numbers[0] >= 2 && numbers[1] >= 5 && numbers[2] > 10, "{told}");
    numbers
}

/// What the operator's port counts is what the story told.
fn metrics(folder: &Path, released: u64, refused: u64) {
    let bound: Value = serde_json::from_str(&fs::read_to_string(folder.join("bound.json")).unwrap()).unwrap();
    let mut stream = TcpStream::connect(bound["metrics"].as_str().unwrap()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let counted = |name: &str| -> u64 {
        text.lines()
            .filter(|line| line.starts_with(name))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    };
    assert_eq!(counted("sluis_exchanges_released_total"), released);
    assert_eq!(counted("sluis_exchanges_refused_total{"), refused);
    assert_eq!(counted("sluis_exchanges_refused_total{reason=\"PURPOSE_UNKNOWN\"}"), 1, "{text}");
    assert_eq!(counted("sluis_exchanges_refused_total{reason=\"INTERNAL\"}"), 0);
    // The partner that was down was asked once more; both sources are asked again by now.
    assert_eq!(counted("sluis_source_retries_total{source=\"housing\"}"), 1);
    for source in ["housing", "rijksregister"] {
        for name in ["state", "in_flight", "queued", "opened_total", "turned_away_total"] {
            assert!(text.contains(&format!("sluis_source_{name}{{source=\"{source}\"}} 0\n")), "{text}");
        }
    }
}

fn queries(endpoints: &Endpoints) {
    let table = endpoints.query("audit-leuven", &["--subject", "84631230189"]);
    assert_eq!(table.exit, 0, "{}", table.err);
    assert!(table.out.contains("RELEASED") && table.out.contains("person.name.last_names"), "{}", table.out);
    let whole = endpoints.query("audit-leuven", &["--outcome", "PURPOSE_UNKNOWN", "--output", "json"]);
    assert_eq!(whole.err, "");
    let json = whole.json();
    assert_eq!((json.as_array().unwrap().len(), json[0]["kind"].as_str()), (1, Some("REFUSED")));
    assert!(table.out.ends_with(" entries\n"), "{}", table.out);
    let limited = endpoints.query("audit-leuven", &["--limit", "3", "--output", "json"]);
    assert_eq!(limited.json().as_array().unwrap().len(), 3);
    assert_eq!(limited.err, "sluis: stopped at --limit: there may be more entries\n");
    let limited = endpoints.query("audit-leuven", &["--limit", "2"]);
    assert!(limited.out.ends_with("\n2 entries, and there may be more: raise --limit\n"), "{}", limited.out);
    let none = endpoints.query("audit-leuven", &["--limit", "0"]);
    assert_eq!((none.exit, none.out.as_str()), (2, ""));
    let city = endpoints.query("stad-leuven", &[]);
    assert_eq!((city.exit, city.out.as_str()), (1, ""));
    assert!(city.err.contains("AUDITOR_ONLY"), "{}", city.err);
    let refused = endpoints.query("audit-leuven", &["--from", "yesterday"]);
    assert_eq!(refused.exit, 2);
    let client = endpoints.client("audit-leuven");
    let file = |key: &str| client[key].as_str().unwrap();
    let nobody = TcpStream::connect("127.0.0.1:9").is_err();
    let gone = run([
        "log",
        "query",
        "--gateway",
        "127.0.0.1:9",
        "--ca",
        endpoints.text("ca"),
        "--certificate",
        file("certificate"),
        "--key",
        file("key"),
        "--token",
        "x",
    ]);
    assert!(!nobody || gone.exit == 4, "{}", gone.err);
}

/// On a copy that somebody changed, `verify` ends with 1 and names the first entry that does not fit.
fn tampered(folder: &Path, config: &str, public_key: &str, early: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = folder.join("log.db");
    let copy = folder.join("copy.db");
    let by_key = |file: &Path, key: &str| {
        run(["log", "verify", "--database", file.to_str().unwrap(), "--public-key", key])
    };
    fs::copy(&database, &copy).unwrap();
    let whole = by_key(&copy, public_key);
    assert!(whole.exit == 0 && !whole.out.contains("NOT verified"), "{}", whole.out);
    tail(&runtime, &copy, public_key, early);
    let swapped = "UPDATE log_entry SET leaf = (SELECT leaf FROM log_entry WHERE idx = 9) WHERE idx = 7";
    runtime.block_on(tamper(&copy, "DROP TRIGGER log_entry_no_update", swapped));
    let done = by_key(&copy, public_key);
    assert_eq!((done.exit, done.out.as_str()), (1, ""));
    assert!(done.err.contains("does not verify") && done.err.contains("entry 7"), "{}", done.err);

    let emptied = "UPDATE log_payload SET sealed = zeroblob(length(sealed)) WHERE idx = 6";
    runtime.block_on(tamper(&database, "DROP TRIGGER log_payload_no_update", emptied));
    let done = run(["log", "verify", "--config", config]);
    assert_eq!(done.exit, 1);
    assert!(done.err.contains("entry 6"), "{}", done.err);
    assert_eq!(by_key(&folder.join("none.db"), public_key).exit, 4);
    assert_eq!(by_key(&copy, "no+key").exit, 3);
}

/// With the public key alone, `verify` says of which entries at the end it knows nothing; where that is all of them, the
/// log does not verify.
fn tail(runtime: &tokio::runtime::Runtime, log: &Path, public_key: &str, early: &str) {
    let (copy, note) = (log.with_extension("early"), log.with_extension("note"));
    fs::copy(log, &copy).unwrap();
    fs::write(&note, early).unwrap();
    let by_key = |more: &[&str]| {
        let mut words = vec!["log", "verify", "--database", copy.to_str().unwrap(), "--public-key", public_key];
        words.extend(more);
        run(words)
    };
    let size = by_key(&["--output", "json"]).json()["size"].as_u64().unwrap();
    let signed: u64 = early.lines().nth(1).unwrap().parse().unwrap();
    assert!(signed < size);

    runtime.block_on(tamper(&copy, "PRAGMA user_version", "UPDATE log_head SET checkpoint = ''"));
    let nothing = by_key(&[]);
    assert_eq!((nothing.exit, nothing.out.as_str()), (1, ""));
    assert!(nothing.err.contains("no signature covers"), "{}", nothing.err);

    let kept = ["--checkpoint", note.to_str().unwrap()];
    let table = by_key(&kept);
    assert_eq!(table.exit, 0, "of a log in use a tail without signature is usual: {}", table.err);
    assert!(table.out.starts_with(&format!("log verified at size {signed}\n")), "{}", table.out);
    let told = format!("NOT verified: the last {} of {size} entries", size - signed);
    assert!(table.out.contains(&told), "{}", table.out);
    let json = by_key(&[&kept[..], &["--output", "json"]].concat()).json();
    let numbers = ["verified_size", "unverified", "signed"].map(|key| json[key].as_u64().unwrap());
    assert_eq!(numbers, [signed, size - signed, signed]);
}

async fn tamper(file: &Path, trigger: &'static str, change: &'static str) {
    let mut database = sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    for statement in [trigger, change] {
        sqlx::query(statement).execute(&mut database).await.unwrap();
    }
    database.close().await.unwrap();
}

#[test]
fn a_demo_that_does_not_stay_ends_with_its_line_and_leaves_nothing() {
    let done = run(["demo"]);
    assert_eq!(done.exit, 0, "{}", done.err);
    numbers(done.out.lines().last().unwrap());
    let lives = done.out.lines().find_map(|line| line.strip_prefix("The demo lives in ")).unwrap();
    assert!(!Path::new(lives).exists(), "{lives}");
    assert!(Path::new(SLUIS).exists());
}
