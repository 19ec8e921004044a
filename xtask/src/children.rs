//! Programs that run beside this tool: their output kept in a file, ended by their process id, whatever becomes of us.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::process::works;

/// Lines of a program that wait to be looked at; the file has them all.
const LINES_WAITING: usize = 1_024;

/// Reads process ids from its input; when that ends without a farewell, this tool is gone, and it ends what is left.
/// They get three seconds: what they work on is thrown away anyhow.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
pids='' folder=''
while read -r word value; do
  case "$word" in
    pid) pids="$pids $value" ;;
    gone) kept=''; for pid in $pids; do [ "$pid" = "$value" ] || kept="$kept $pid"; done; pids=$kept ;;
    folder) folder=$value ;;
    done) exit 0 ;;
  esac
done
alive() { for pid in $pids; do kill -0 "$pid" 2>/dev/null && return 0; done; return 1; }
for pid in $pids; do kill -TERM "$pid" 2>/dev/null; done
turns=0
while alive && [ "$turns" -lt 3 ]; do sleep 1; turns=$((turns + 1)); done
for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
[ -z "$folder" ] || rm -rf "$folder"
"#;

/// Ends what this tool started if the tool itself is interrupted or killed, and removes its temporary folder.
pub(crate) struct Watchdog {
    child: Child,
    input: Arc<Mutex<ChildStdin>>,
    folder: PathBuf,
}

impl Watchdog {
    /// Starts to watch, and makes a temporary folder that is gone afterwards.
    pub(crate) fn start(what: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("plimsoll-{what}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
        let mut command = Command::new("sh");
        // A group of its own: an interrupt from the terminal is for us alone.
        command.args(["-c", WATCHDOG]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().context("could not start sh")?;
        let input = child.stdin.take().context("the input was piped")?;
        let watchdog = Self { child, input: Arc::new(Mutex::new(input)), folder };
        tell(&watchdog.input, &format!("folder {}", watchdog.folder.display()));
        Ok(watchdog)
    }

    /// The temporary folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        tell(&self.input, "done");
        if let Err(error) = self.child.wait() {
            eprintln!("the watchdog did not end: {error}");
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("could not remove {}: {error}", self.folder.display());
        }
    }
}

/// Without a watchdog the programs are still ended when dropped; only an interrupt would leave them.
fn tell(input: &Mutex<ChildStdin>, line: &str) {
    let written = input.lock().map(|mut input| writeln!(input, "{line}"));
    if !matches!(written, Ok(Ok(()))) {
        eprintln!("the watchdog could not be told: {line}");
    }
}

/// A program in a process group of its own. Dropped, it is killed.
pub(crate) struct Program {
    name: String,
    child: Child,
    watchdog: Arc<Mutex<ChildStdin>>,
    lines: Receiver<String>,
    readers: Vec<JoinHandle<()>>,
    log: PathBuf,
}

impl Program {
    /// Starts a program whose output, both streams together, goes into `log`.
    pub(crate) fn start(watchdog: &Watchdog, name: &str, mut command: Command, log: &Path) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let file = Arc::new(Mutex::new(File::create(log).with_context(|| format!("could not create {}", log.display()))?));
        let mut child = command.spawn().with_context(|| format!("could not start {name}"))?;
        tell(&watchdog.input, &format!("pid {}", child.id()));
        let (sender, lines) = sync_channel(LINES_WAITING);
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|stream| keep(stream, Arc::clone(&file), sender.clone())));
        readers.extend(child.stderr.take().map(|stream| keep(stream, file, sender)));
        Ok(Self { name: name.to_owned(), child, watchdog: Arc::clone(&watchdog.input), lines, readers, log: log.to_path_buf() })
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that `wanted` turns into something.
    pub(crate) fn wait_for_line<T>(&mut self, what: &str, limit: Duration, wanted: impl Fn(&str) -> Option<T>) -> Result<T> {
        let until = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!("{} did not say {what} within {limit:?}; see {}", self.name, self.log.display()),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it said {what}: {}", self.name, self.last_words());
                }
            }
        }
    }

    /// Fails when the program has ended.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself with {status}: {}", self.name, self.last_words()),
        }
    }

    /// Sends a signal, such as `INT`.
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        let mut kill = Command::new("kill");
        kill.arg(format!("-{signal}")).arg(self.pid().to_string());
        if works(kill) { Ok(()) } else { bail!("could not send {signal} to {}", self.name) }
    }

    /// Waits for the end; `None` when it has not come within `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.forget();
                return Ok(Some(status));
            }
            if began.elapsed() > limit {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks the program to end, and kills it when it does not.
    pub(crate) fn stop(mut self, signal: &str, limit: Duration) -> Result<ExitStatus> {
        self.must_run()?;
        self.signal(signal)?;
        self.wait(limit)?.with_context(|| format!("{} did not end within {limit:?} of {signal}", self.name))
    }

    /// Its output so far.
    pub(crate) fn output(&self) -> Result<String> {
        let bytes = std::fs::read(&self.log).with_context(|| format!("could not read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn last_words(&self) -> String {
        let output = self.output().unwrap_or_default();
        let lines: Vec<&str> = output.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    /// The process has been waited for: its id may be another's from now on. Its output has ended, too.
    fn forget(&mut self) {
        tell(&self.watchdog, &format!("gone {}", self.child.id()));
        for reader in self.readers.drain(..) {
            if reader.join().is_err() {
                eprintln!("the reader of {} panicked", self.name);
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.readers.is_empty() {
            return;
        }
        // An error means that it has just ended.
        drop(self.child.kill());
        if let Err(error) = self.child.wait() {
            eprintln!("{} could not be waited for: {error}", self.name);
        }
        self.forget();
    }
}

/// Copies lines into the file, and as many as fit to whoever looks at them.
fn keep(stream: impl Read + Send + 'static, file: Arc<Mutex<File>>, lines: SyncSender<String>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            let written = file.lock().map(|mut file| writeln!(file, "{line}"));
            if !matches!(written, Ok(Ok(()))) {
                eprintln!("a line of output could not be kept");
            }
            // Full: nobody waits for a line any more.
            drop(lines.try_send(line));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn lives(pid: u32) -> bool {
        // The state stands behind the name in brackets; a zombie has ended. The command line is empty for a moment while a
        // program becomes another one.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }

    #[test]
    fn lines_are_read_and_the_end_is_the_programs_own() {
        let watchdog = Watchdog::start("children-lines").unwrap();
        let log = watchdog.folder().join("log");
        let mut program =
            Program::start(&watchdog, "sh", shell("trap 'exit 7' INT; echo at 42; while :; do sleep 0.05; done"), &log).unwrap();
        let number = program.wait_for_line("a number", Duration::from_secs(10), |line| line.strip_prefix("at ")?.parse::<u32>().ok());
        assert_eq!(number.unwrap(), 42);
        program.must_run().unwrap();
        assert_eq!(program.output().unwrap(), "at 42\n");
        assert_eq!(program.stop("INT", Duration::from_secs(10)).unwrap().code(), Some(7));
        let folder = watchdog.folder().to_owned();
        drop(watchdog);
        assert!(!folder.exists());
    }

    #[test]
    fn a_program_that_ends_early_says_why() {
        let watchdog = Watchdog::start("children-early").unwrap();
        let log = watchdog.folder().join("log");
        let mut program = Program::start(&watchdog, "sh", shell("echo no port >&2; exit 2"), &log).unwrap();
        let error = program.wait_for_line("an address", Duration::from_secs(10), |_| None::<()>).unwrap_err();
        assert!(error.to_string().contains("no port"), "{error}");
    }

    #[test]
    fn a_dropped_program_is_ended() {
        let watchdog = Watchdog::start("children-drop").unwrap();
        let log = watchdog.folder().join("log");
        let mut program = Program::start(&watchdog, "sleep", shell("echo up; exec sleep 60"), &log).unwrap();
        program.wait_for_line("up", Duration::from_secs(10), |line| (line == "up").then_some(())).unwrap();
        let pid = program.pid();
        assert!(lives(pid));
        drop(program);
        assert!(!lives(pid));
    }

    #[test]
    fn when_this_tool_is_gone_the_watchdog_ends_the_rest() {
        let folder = std::env::temp_dir().join(format!("plimsoll-orphan-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut orphan = Command::new("sleep").arg("60").spawn().unwrap();
        let mut watchdog = Command::new("sh").args(["-c", WATCHDOG]).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = watchdog.stdin.take().unwrap();
        writeln!(input, "pid 999999999\npid {}\ngone 999999999\nfolder {}", orphan.id(), folder.display()).unwrap();
        // Closed without a farewell, as by the kernel when this process is killed.
        drop(input);
        let began = Instant::now();
        let status = orphan.wait().unwrap();
        assert!(!status.success() && began.elapsed() < Duration::from_secs(20));
        assert!(watchdog.wait().is_ok());
        assert!(!folder.exists());
    }
}
