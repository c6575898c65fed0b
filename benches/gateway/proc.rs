//! What Linux says of a process and of the machine.

use std::process::Command;

use crate::Fallible;

/// Linux counts processor time in hundredths of a second for whoever reads /proc (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// In the program.
    pub user: f64,
    /// In the kernel, on its behalf.
    pub system: f64,
}

impl Cpu {
    /// Both.
    pub fn total(self) -> f64 {
        self.user + self.system
    }

    /// What was taken since an earlier reading.
    pub fn since(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// Resident memory, in MiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// The most that it ever was.
    pub peak: f64,
    /// Now.
    pub now: f64,
}

/// The processor time of a process, all its threads and the children it waited for.
pub fn cpu(pid: u32) -> Fallible<Cpu> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything; field 3 follows it (proc(5)).
    let (_, fields) = stat.rsplit_once(") ").ok_or("/proc says nothing of the process")?;
    let ticks: Vec<f64> =
        fields.split(' ').skip(11).take(4).map(str::parse).collect::<Result<_, std::num::ParseFloatError>>()?;
    let &[user, system, children_user, children_system] = ticks.as_slice() else {
        return Err("/proc says too little of the process".into());
    };
    Ok(Cpu {
        user: (user + children_user) / TICKS_PER_SECOND,
        system: (system + children_system) / TICKS_PER_SECOND,
    })
}

/// The resident memory of a process.
pub fn memory(pid: u32) -> Fallible<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Fallible<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line in /proc")?;
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes / 1024.0)
    };
    Ok(Memory { peak: field("VmHWM:")?, now: field("VmRSS:")? })
}

/// The machine in one line: processor, cores, system, compiler.
pub fn machine() -> Fallible<String> {
    let processors = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism()?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let rustc = Command::new("rustc").arg("-V").output()?;
    let rustc = String::from_utf8(rustc.stdout)?;
    Ok(format!("{model}, {cores} cores, Linux {}, {}", kernel.trim(), rustc.trim()))
}

/// The load of the machine over the last minute: how quiet it is.
pub fn load_average() -> Fallible<String> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}
