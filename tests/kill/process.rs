//! The gateway as a process of its own.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use sluis::cli::demo::Setting;
use tokio::process::{Child, Command};

const FOLDER: &str = "SLUIS_TEST_KILL_FOLDER";
const LATE: &str = "SLUIS_TEST_KILL_LATE";

/// A gateway that runs; killed when dropped.
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: String,
}

impl Process {
    /// The product: `sluis serve`.
    pub async fn serve(setting: &Setting) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluis"));
        command.arg("serve").arg("--config").arg(setting.config());
        Self::start(setting, command).await
    }

    /// The gateway in this test binary, with a store that is so many rows late.
    pub async fn late(setting: &Setting, late: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "the_child_serves", "--nocapture"]);
        command.env(FOLDER, &setting.dir).env(LATE, late.to_string());
        Self::start(setting, command).await
    }

    async fn start(setting: &Setting, mut command: Command) -> Self {
        let (bound, said) = (setting.dir.join("bound.json"), setting.dir.join("gateway.err"));
        let _ = std::fs::remove_file(&bound);
        let stderr = OpenOptions::new().create(true).append(true).open(&said).unwrap();
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(stderr).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        loop {
            // Renamed into place: where it is, all of it is.
            if let Ok(text) = std::fs::read_to_string(&bound) {
                let bound: serde_json::Value = serde_json::from_str(&text).unwrap();
                return Self { child, address: bound["gateway"].as_str().unwrap().to_owned() };
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the gateway ended at its start: {status}\n{}", std::fs::read_to_string(&said).unwrap());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// kill -9. On return it is gone.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// kill -TERM. On return it has ended, of itself and well.
    pub async fn terminate(mut self) {
        let kill = format!("kill -TERM {}", self.child.id().unwrap());
        assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "{status}");
    }
}

/// The folder, and by how many rows to be late, where this process is the child of [`Process::late`].
pub fn late_child() -> Option<(PathBuf, usize)> {
    let late = std::env::var_os(LATE)?.to_str()?.parse().ok()?;
    Some((std::env::var_os(FOLDER)?.into(), late))
}

/// Returns when the parent is gone, and its end of standard input with it.
pub async fn until_orphaned() {
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await
        .unwrap()
        .unwrap();
}
