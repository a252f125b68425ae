//! What the server's process uses, as Linux tells it in `/proc`.

use std::fs;
use std::time::Duration;

use crate::cli::error::CliError;

/// The kernel counts CPU time for `/proc` in hundredths of a second, on every platform that Linux runs on today.
const TICK: Duration = Duration::from_millis(10);

/// A process that is looked at.
pub struct Watched {
    pid: i32,
    cpu_at_begin: Duration,
}

/// What it used while it was measured.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// CPU time of all its threads.
    pub cpu: Duration,
    /// Resident memory at the end.
    pub memory_bytes: u64,
    /// The most resident memory since its start.
    pub memory_bytes_max: u64,
}

impl Watched {
    /// The process of this id.
    pub fn new(pid: i32) -> Self {
        Self { pid, cpu_at_begin: Duration::ZERO }
    }

    /// Resident memory now.
    pub fn memory_bytes(&self) -> Result<u64, CliError> {
        self.status("VmRSS:")
    }

    /// The most resident memory since its start.
    pub fn memory_bytes_max(&self) -> Result<u64, CliError> {
        self.status("VmHWM:")
    }

    /// Open descriptors now.
    pub fn descriptors(&self) -> Result<u64, CliError> {
        let path = format!("/proc/{}/fd", self.pid);
        Ok(fs::read_dir(&path).map_err(CliError::io(path))?.count() as u64)
    }

    /// Begins to measure.
    pub fn begin(&mut self) -> Result<(), CliError> {
        self.cpu_at_begin = self.cpu()?;
        Ok(())
    }

    /// What it used since [`Watched::begin`].
    pub fn end(&self) -> Result<Used, CliError> {
        let cpu = self.cpu()?.saturating_sub(self.cpu_at_begin);
        Ok(Used { cpu, memory_bytes: self.memory_bytes()?, memory_bytes_max: self.memory_bytes_max()? })
    }

    fn cpu(&self) -> Result<Duration, CliError> {
        let stat = self.read("stat")?;
        cpu_of(&stat).ok_or_else(|| CliError::Failed(format!("/proc/{}/stat is not as expected", self.pid)))
    }

    fn status(&self, name: &str) -> Result<u64, CliError> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024)
            .ok_or_else(|| CliError::Failed(format!("/proc/{}/status does not tell {name}", self.pid)))
    }

    fn read(&self, file: &str) -> Result<String, CliError> {
        let path = format!("/proc/{}/{file}", self.pid);
        fs::read_to_string(&path).map_err(CliError::io(path))
    }
}

/// User and system time: the 14th and 15th field, counted behind the name, which may hold anything.
fn cpu_of(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(TICK * (user + system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 100 1 1";
        assert_eq!(cpu_of(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu_of("7 (a"), None);
    }
}
