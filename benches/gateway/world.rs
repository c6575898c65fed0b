//! What is measured, each in a process of its own: the gateway as the demo sets it up, and its peers, all on
//! loopback with certificates of one throw-away authority; and the one question that they are asked.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message as _;
use sluis::cli::client::Client;
use sluis::cli::demo::{Party, Setting};
use sluis::cli::{policy, token};
use sluis::clock;
use sluis::config::Config;
use sluis::identity::tls;
use sluis::proto::sandbox::{Dwelling, GetHousingFileRequest, GetHousingFileResponse, HousingFile};
use sluis::sandbox::{Played, Sandbox, Settings};

use crate::Fallible;
use crate::load::{Caller, Target};
use crate::proc::{self, Cpu, Memory};
use crate::rounds;

/// The one method that is asked.
pub const METHOD: &str = "/sandbox.housing.v1.HousingService/GetHousingFile";
/// Who asks.
const REQUESTER: &str = "ocmw-leuven";
/// About whom: somebody who exists in the sandbox only.
const SUBJECT: &str = "84631230189";
/// On which ground.
pub const METADATA: [(&str, &str); 3] = [
    ("sluis-protocol", "housing-sandbox"),
    ("sluis-purpose", "rent-subsidy-followup"),
    ("sluis-case", "BENCH-2026/1"),
];

/// How long a process may take to start.
const START: Duration = Duration::from_secs(30);

/// What is measured. The order is that of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The source, asked directly.
    Bare,
    /// The tonic pass-through before it.
    Pass,
    /// The gateway before it.
    Gateway,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bare, Self::Pass, Self::Gateway];

    /// What it is called in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare tonic server",
            Self::Pass => "minimal tonic pass-through",
            Self::Gateway => "sluis, durable log",
        }
    }
}

/// A process, ended when this is dropped.
pub struct Process {
    child: Child,
    /// A peer ends when this does, so also when the benchmark is killed.
    _alive: Option<ChildStdin>,
    target: Target,
}

/// The three processes and who asks them.
pub struct World {
    /// The setting of the demo.
    pub setting: Setting,
    /// The gateway's configuration.
    pub config: Config,
    /// The question.
    pub question: Bytes,
    /// The source's whole answer.
    pub answer: Bytes,
    processes: [Process; 3],
}

impl World {
    /// Starts all of it in an empty folder.
    pub async fn start(dir: &Path) -> Fallible<Self> {
        let setting = Setting::make(dir, clock::now())?;
        let question: Bytes =
            GetHousingFileRequest { insz: SUBJECT.to_owned(), ..Default::default() }.encode_to_vec().into();
        let answer = sandbox_answer(&setting, &question).await?;
        let released = granted(&answer)?;
        let file = setting.dir.join("answer.bin");
        std::fs::write(&file, &answer)?;

        let source = Issued { certificate: &setting.sources.certificate, key: &setting.sources.key };
        let bare = source.peer(&setting, "bare", &[("--answer", &file.display().to_string())])?;
        let bare = Process::announcing(bare, answer.clone())?;
        let upstream = bare.target.address;
        setting.configure(upstream, upstream)?;
        allow(&setting.config(), rounds::LOADED.connections * rounds::LOADED.streams)?;
        let config = Config::read(&setting.config())?;
        let own = Issued { certificate: &config.tls.certificate, key: &config.tls.key };
        let pass = own.peer(&setting, "pass", &[("--upstream", &upstream.to_string())])?;
        let pass = Process::announcing(pass, answer.clone())?;
        let gateway = Process::gateway(&setting, &config, released).await?;
        Ok(Self { setting, config, question, answer, processes: [bare, pass, gateway] })
    }

    /// What a variant is, as its caller sees it.
    pub fn target(&self, variant: Variant) -> &Target {
        &self.process(variant).target
    }

    /// The processor time that a variant's process has taken.
    pub fn cpu(&self, variant: Variant) -> Fallible<Cpu> {
        proc::cpu(self.process(variant).child.id())
    }

    /// The memory of a variant's process.
    pub fn memory(&self, variant: Variant) -> Fallible<Memory> {
        proc::memory(self.process(variant).child.id())
    }

    /// The registered client.
    pub fn party(&self) -> Fallible<&Party> {
        Ok(self.setting.party(REQUESTER).ok_or("the demo has no such client")?)
    }

    /// A caller with a fresh token. All variants get the same headers, whether they look at them or not.
    pub fn caller(&self) -> Fallible<Caller> {
        let party = self.party()?;
        let (certificate, key) = (&party.issued.certificate, &party.issued.key);
        let caller =
            Caller::new(certificate, key, &self.setting.authority(), &METADATA, self.question.clone())?;
        caller.bearing(&token::mint(&party.token(), clock::now())?)
    }

    const fn process(&self, variant: Variant) -> &Process {
        let [bare, pass, gateway] = &self.processes;
        match variant {
            Variant::Bare => bare,
            Variant::Pass => pass,
            Variant::Gateway => gateway,
        }
    }
}

/// A certificate and its key.
struct Issued<'a> {
    certificate: &'a Path,
    key: &'a Path,
}

impl Issued<'_> {
    fn peer(&self, setting: &Setting, role: &str, more: &[(&str, &str)]) -> Fallible<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--peer", role]).args(more.iter().flat_map(|&(flag, value)| [flag, value]));
        command.arg("--certificate").arg(self.certificate).arg("--key").arg(self.key);
        command.arg("--ca").arg(setting.authority());
        Ok(command)
    }
}

impl Process {
    /// A peer, which says its address on its first line.
    fn announcing(mut command: Command, answer: Bytes) -> Fallible<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (alive, out) = (child.stdin.take(), child.stdout.take().ok_or("no standard output")?);
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse().map_err(|_| "a peer did not start")?;
        Ok(Self { child, _alive: alive, target: Target { address, answer, logged: false } })
    }

    async fn gateway(setting: &Setting, config: &Config, answer: Bytes) -> Fallible<Self> {
        let bound = config.listen.bound.as_ref().ok_or("the gateway does not say where it listens")?;
        let log = std::fs::File::create(setting.dir.join("gateway.txt"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluis"));
        command.arg("serve").arg("--config").arg(setting.config());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let target = Target { address: SocketAddr::from(([127, 0, 0, 1], 0)), answer, logged: true };
        let mut gateway = Self { child: command.spawn()?, _alive: None, target };
        let started = Instant::now();
        while !bound.exists() {
            if let Some(status) = gateway.child.try_wait()? {
                return Err(format!("the gateway ended: {status}; see {}", setting.dir.display()).into());
            }
            if started.elapsed() > START {
                return Err("the gateway did not start".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let said: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(bound)?)?;
        let address = said.get("gateway").and_then(serde_json::Value::as_str).ok_or("no address")?;
        gateway.target.address = address.parse()?;
        Ok(gateway)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets so many questions at the source at once: what is measured is what they cost, not how they wait.
fn allow(config: &Path, questions: usize) -> Fallible<()> {
    let text = std::fs::read_to_string(config)?;
    let housing = "name = \"housing\"\n";
    std::fs::write(config, text.replace(housing, &format!("{housing}concurrency = {questions}\n")))?;
    Ok(())
}

/// What the sandbox's housing partner says, asked over its own wire.
async fn sandbox_answer(setting: &Setting, question: &[u8]) -> Fallible<Bytes> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let own = policy::credentials(&setting.sources.certificate, &setting.sources.key)?;
    let authorities = tls::certificates(&std::fs::read(setting.authority())?)?;
    let sandbox = Sandbox::start(Settings {
        magda: any,
        housing: any,
        tls: tls::source_server_config(&own, &authorities, &[])?,
        identifications: Vec::new(),
        journal: None,
        delay: Duration::ZERO,
    })
    .await?;
    let issued = &setting.party(REQUESTER).ok_or("the demo has no such client")?.issued;
    let address = sandbox.address(Played::Housing).to_string();
    let client = Client::new(&address, &setting.authority(), &issued.certificate, &issued.key)?;
    let reply = client.call(METHOD, "", &[], question).await;
    Ok(reply.map_err(|refusal| format!("the sandbox refused: {:?}", refusal.status))?.message)
}

/// What the instrument leaves of an answer, written out by hand: what every answer of the gateway must be.
fn granted(answer: &Bytes) -> Fallible<Bytes> {
    let whole = GetHousingFileResponse::decode(answer.clone())?.file.ok_or("the sandbox knows nobody")?;
    let dwelling = whole.dwelling.map(|dwelling| Dwelling {
        epc_label: dwelling.epc_label,
        monthly_rent_cents: dwelling.monthly_rent_cents,
        ..Default::default()
    });
    let file = HousingFile {
        insz: whole.insz,
        file_number: whole.file_number,
        applicant: whole.applicant,
        address: whole.address,
        decisions: whole.decisions,
        household_size: whole.household_size,
        income_band: whole.income_band,
        status: whole.status,
        opened_on: whole.opened_on,
        changed_on: whole.changed_on,
        dwelling,
        ..Default::default()
    };
    Ok(GetHousingFileResponse { file: Some(file) }.encode_to_vec().into())
}

/// A folder for one run, beside the build, so on a disk: a temporary folder may be in memory, where a commit costs
/// nothing.
pub struct Folder {
    /// Where.
    pub path: PathBuf,
}

impl Folder {
    /// An empty folder.
    pub fn make(wanted: Option<&Path>) -> Fallible<Self> {
        let parent = wanted.unwrap_or(Path::new(env!("CARGO_TARGET_TMPDIR")));
        let path = parent.join(format!("bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it is in the build folder, or where the user asked for it.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
