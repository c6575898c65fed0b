//! The gateway as its operator runs it: a process of its own, which says all that it can say.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use sluis::cli::demo::Setting;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A gateway that does not start or stop by then never does.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Gateway {
    process: Child,
    pub address: String,
    metrics: String,
    said: Arc<Mutex<Vec<u8>>>,
    speaking: Mutex<mpsc::Receiver<()>>,
    listening: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Starts `sluis serve`, with its log of operation at its most talkative.
    pub fn start(setting: &Setting) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_sluis"))
            .args(["serve", "--config"])
            .arg(setting.config())
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (spoke, speaking) = mpsc::channel();
        let listening = vec![
            listen(process.stdout.take().unwrap(), Arc::clone(&said), spoke.clone()),
            listen(process.stderr.take().unwrap(), Arc::clone(&said), spoke),
        ];
        let bound = setting.dir.join("bound.json");
        while !bound.exists() {
            speaking.recv_timeout(PATIENCE).unwrap();
        }
        let bound: Value = serde_json::from_slice(&std::fs::read(bound).unwrap()).unwrap();
        let address = |name: &str| bound[name].as_str().unwrap().to_owned();
        let (address, metrics) = (address("gateway"), address("metrics"));
        Self { process, address, metrics, said, speaking: Mutex::new(speaking), listening }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it says a text, after so many bytes that it had said already; gives how many those are then.
    pub fn hear(&self, text: &str, after: usize) -> usize {
        let speaking = self.speaking.lock().unwrap();
        loop {
            let said = String::from_utf8_lossy(&self.said.lock().unwrap()[after..]).into_owned();
            if said.lines().any(|line| line.contains(text)) {
                return after + said.len();
            }
            assert!(speaking.recv_timeout(PATIENCE).is_ok(), "it does not say {text}");
        }
    }

    /// How much it has said.
    pub fn said(&self) -> usize {
        self.said.lock().unwrap().len()
    }

    /// A page of the port of metrics and liveness, headers included.
    pub async fn page(&self, path: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.metrics).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: sluis\r\n\r\n").as_bytes()).await.unwrap();
        let mut page = Vec::new();
        stream.read_to_end(&mut page).await.unwrap();
        page
    }

    /// The most memory that it held at once, in bytes; none where the system does not tell.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
    }

    /// Drains and stops it; gives all that it said.
    pub async fn stop(mut self) -> Vec<u8> {
        let id = self.process.id();
        let told = Command::new("sh").arg("-c").arg(format!("kill -TERM {id}")).status().unwrap();
        assert!(told.success());
        tokio::task::spawn_blocking(move || {
            let ended = self.process.wait().unwrap();
            assert!(ended.success(), "{ended}");
            self.listening.drain(..).for_each(|thread| thread.join().unwrap());
            std::mem::take(&mut *self.said.lock().unwrap())
        })
        .await
        .unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

fn listen(
    stream: impl Read + Send + 'static,
    said: Arc<Mutex<Vec<u8>>>,
    spoke: mpsc::Sender<()>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            said.lock().unwrap().append(&mut line);
            let _ = spoke.send(());
        }
    })
}
