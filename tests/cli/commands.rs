//! Commands that answer and end.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use sluis::cli::demo::Setting;
use sluis::clock;

use crate::process::{Done, run};
use crate::support::Folder;

/// Commands and their own commands, as help lists them.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.split("Commands:").nth(1).unwrap_or_default().split("\n\n").next().unwrap();
    let names = listed.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_helps() {
    let mut seen = BTreeSet::new();
    let mut left = vec![Vec::new()];
    while let Some(command) = left.pop() {
        let mut arguments: Vec<String> = command.clone();
        arguments.push("--help".to_owned());
        let done = run(&arguments);
        assert_eq!((done.exit, done.err.as_str()), (0, ""), "{arguments:?}");
        assert!(done.out.contains("Usage: sluis"), "{arguments:?}");
        left.extend(subcommands(&done.out).into_iter().map(|name| [command.clone(), vec![name]].concat()));
        seen.insert(command.join(" "));
    }
    for command in [
        "demo",
        "serve",
        "check-config",
        "token",
        "protocol check",
        "log query",
        "log verify",
        "sandbox",
        "source list",
        "source probe",
        "source lint",
        "source build",
        "source add",
    ] {
        assert!(seen.contains(command), "{command} in {seen:?}");
    }
    assert!(seen.iter().filter(|command| command.starts_with("pki ")).count() >= 3, "{seen:?}");
}

#[test]
fn a_wrong_command_line_is_usage() {
    for arguments in [&[][..], &["frobnicate"], &["serve", "--no-such"], &["log", "verify"], &["log", "query"]]
    {
        let done = run(arguments);
        assert_eq!((done.exit, done.out.as_str()), (2, ""), "{arguments:?}");
        assert!(done.err.contains("Usage"), "{arguments:?}: {}", done.err);
    }
}

#[test]
fn the_trial_authority_says_how_it_ended() {
    let folder = Folder::new("pki");
    let dir = folder.0.join("pki");
    let issue = |more: &[&str]| {
        let named = ["pki", "issue", "--name", "x", "--dir", dir.to_str().unwrap()];
        run([&named[..], more].concat())
    };
    let occupied = folder.0.join("occupied");
    fs::write(&occupied, "a file").unwrap();
    let done = run(["pki", "init", "--dir", occupied.to_str().unwrap()]);
    assert_eq!(done.exit, 4, "{}", done.err);
    assert_eq!(issue(&["--profile", "caller"]).exit, 4, "no authority there");
    assert_eq!(run(["pki", "init", "--dir", dir.to_str().unwrap()]).exit, 0);
    let done = issue(&["--profile", "gateway"]);
    assert_eq!(done.exit, 2, "{}", done.err);
    let issued = issue(&["--profile", "caller", "--output", "json"]).json();
    assert!(Path::new(issued["certificate"].as_str().unwrap()).exists());
    assert_eq!(issued["thumbprint"].as_str().map(str::len), Some(50), "{issued}");
    let again = issue(&["--profile", "caller"]);
    assert_eq!(again.exit, 3, "{}", again.err);
}

#[test]
fn people_of_the_sandbox_are_listed_both_ways() {
    let table = run(["sandbox", "--list"]);
    let json = run(["sandbox", "--list", "--output", "json"]).json();
    let people = json.as_array().unwrap();
    assert!(people.len() >= 40);
    assert!(people.iter().all(|person| table.out.contains(person["insz"].as_str().unwrap())));
}

/// A demo's folder, configured but not running.
fn configured(name: &str) -> (Folder, Setting) {
    let folder = Folder::new(name);
    let setting = Setting::make(&folder.0, clock::now()).unwrap();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    setting.configure(nowhere, nowhere).unwrap();
    (folder, setting)
}

fn check(config: &Path) -> Done {
    run(["check-config".as_ref(), "--config".as_ref(), config.as_os_str()])
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{} holds {from}", file.display());
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn check_config_says_what_is_in_force_and_what_to_mend() {
    let (_folder, setting) = configured("check");
    let config = setting.config();
    let good = check(&config);
    assert_eq!((good.exit, good.err.as_str()), (0, ""), "{}", good.out);
    assert!(good.out.contains("counts as enacted"), "{}", good.out);
    let json = run(["check-config", "--config", config.to_str().unwrap(), "--output", "json"]).json();
    assert_eq!(
        json["in_force"],
        serde_json::json!([
            "housing-sandbox",
            "ksz-gss-leuven",
            "ksz-inquiry-leuven",
            "rr-9-2020",
            "rr-leuven"
        ])
    );
    assert_eq!((&json["faults"], &json["remarks"]), (&serde_json::json!([]), &serde_json::json!([])));

    let sound = fs::read_to_string(&config).unwrap();
    edit(&config, "name = \"housing\"", "name = \"huosing\"");
    let remarked = check(&config);
    assert_eq!(remarked.exit, 0, "{}", remarked.err);
    assert!(remarked.out.contains("\"huosing\": no method names it"), "{}", remarked.out);
    fs::write(&config, sound).unwrap();

    // (file, what is written wrong, exit status, what the message says)
    for (file, from, to, exit, said) in [
        ("protocols/rr-leuven.toml", "person.name.last_names", "person.name.last_name", 1, "rr-leuven.toml:"),
        ("protocols/rr-leuven.toml", "[[flow]]", "[[flow]", 1, "rr-leuven.toml:"),
        ("sluis.toml", "audience", "audiance", 3, "sluis.toml:3: unknown field `audiance`"),
        ("sluis.toml", "wire = \"magda\"", "wire = \"smtp\"", 3, "unknown variant `smtp`"),
        ("sluis.toml", "wire = \"magda\"", "wire = \"grpc\"", 3, "is made for MAGDA"),
        ("sluis.toml", "wire = \"grpc\"", "wire = \"magda\"", 3, "is asked over MAGDA, and"),
        (
            "sluis.toml",
            "registry = \"pki/registry.toml\"",
            "registry = \"elsewhere.toml\"",
            3,
            "elsewhere.toml",
        ),
        ("pki/registry.toml", "kbo = \"0207521503\"", "kbo = \"0207521504\"", 3, "registry.toml:"),
        ("pki/registry.toml", "crl.pem", "none.pem", 3, "none.pem"),
        ("pki/jwks/stad-leuven.json", "\"kty\"", "\"ktx\"", 3, "stad-leuven.json"),
        ("log.key", "sluis-log-key-v1", "sluis-log-key-v9", 3, "log.key"),
    ] {
        let path = setting.dir.join(file);
        let sound = fs::read_to_string(&path).unwrap();
        edit(&path, from, to);
        let done = check(&config);
        assert_eq!(done.exit, exit, "{file} with {to}: {}{}", done.out, done.err);
        assert!(format!("{}{}", done.out, done.err).contains(said), "{said}: {}{}", done.out, done.err);
        fs::write(&path, sound).unwrap();
    }
    let missing = check(&setting.dir.join("none.toml"));
    assert_eq!(missing.exit, 3);
    assert!(missing.err.starts_with("sluis: ") && missing.err.contains("none.toml"), "{}", missing.err);
    assert_eq!(check(&config).exit, 0, "mended");
}

#[test]
fn protocol_check_judges_files_and_folders() {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/protocols");
    let good = run(["protocol", "check", "--dir", own]);
    assert_eq!((good.exit, good.err.as_str()), (0, ""));
    assert!(good.out.contains("7 sound, 0 faulty"), "{}", good.out);
    assert!(run(["protocol", "check", "--dir", own, "--output", "json"]).json().is_object());

    let (_folder, setting) = configured("protocol");
    let file = setting.dir.join("protocols/housing-sandbox.toml");
    edit(&file, "file.applicant", "file.aplicant");
    let faulty = run(["protocol", "check", file.to_str().unwrap()]);
    assert_eq!(faulty.exit, 1);
    assert!(faulty.out.contains("housing-sandbox.toml:") && faulty.out.contains("aplicant"), "{}", faulty.out);
    assert_eq!(run(["protocol", "check", "--dir", "/none/such"]).exit, 3);
}

#[test]
fn serve_says_why_it_does_not_start() {
    let (_folder, setting) = configured("serve");
    let config = setting.config();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    edit(&config, "gateway = \"127.0.0.1:0\"", &format!("gateway = \"{address}\""));
    let done = run(["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(done.exit, 4, "{}", done.err);
    assert!(done.err.contains(&address), "{}", done.err);
    assert_eq!(run(["serve", "--config", "/none/such.toml"]).exit, 3);
    edit(&config, "database = \"log.db\"", "database = \"none/log.db\"");
    let done = run(["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(done.exit, 4, "{}", done.err);
}
