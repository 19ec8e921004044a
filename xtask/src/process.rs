//! Runs other programs: prints the command, passes its output on, says how long it took.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::report::{Outcome, seconds};

/// A command that works in the workspace's root.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// The cargo that runs this tool.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()), arguments)
}

/// Runs to the end with the terminal's own output.
pub(crate) fn step(mut command: Command) -> Result<Outcome> {
    let shown = show(&command);
    println!("$ {shown}");
    let started = Instant::now();
    let status = command.status().with_context(|| format!("could not start `{shown}`"))?;
    println!("  ({})", seconds(started.elapsed()));
    Ok(judge(&shown, status))
}

/// Runs to the end, writing each line into `log` and passing those on to the terminal that `shows` wants there. Each of both outputs
/// has a copy of it.
pub(crate) fn step_logged(mut command: Command, log: &Path, shows: impl FnMut(&str) -> bool + Clone + Send) -> Result<Outcome> {
    let shown = show(&command);
    println!("$ {shown}");
    let started = Instant::now();
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().with_context(|| format!("could not start `{shown}`"))?;
    let file = Mutex::new(File::create(log).with_context(|| format!("could not create {}", log.display()))?);
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let copied = std::thread::scope(|scope| {
        let (mut on_errors, mut on_output) = (shows.clone(), shows);
        let tell_error = move |line: &str| {
            if on_errors(line) {
                eprintln!("{line}");
            }
        };
        let tell = move |line: &str| {
            if on_output(line) {
                println!("{line}");
            }
        };
        let file = &file;
        let errors = scope.spawn(move || pass_on(errors, file, tell_error));
        let output = pass_on(output, file, tell);
        let errors = errors.join().unwrap_or_else(|_| bail!("the reader of `{shown}` panicked"));
        output.and(errors)
    });
    let status = child.wait()?;
    copied.context("could not read the command's output")?;
    println!("  ({}, kept in {})", seconds(started.elapsed()), log.display());
    Ok(judge(&shown, status))
}

/// Runs to the end or until `limit`, then ends that one process.
pub(crate) fn step_within(mut command: Command, limit: Duration) -> Result<Outcome> {
    let shown = show(&command);
    println!("$ {shown}");
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).spawn().with_context(|| format!("could not start `{shown}`"))?;
    let status = wait_within(&mut child, limit)?;
    println!("  ({})", seconds(started.elapsed()));
    Ok(match status {
        Some(status) => judge(&shown, status),
        None => Outcome::Failed(format!("`{shown}` had not ended after {}", seconds(limit))),
    })
}

/// What a command prints; an error when it fails.
pub(crate) fn capture(mut command: Command) -> Result<String> {
    let shown = show(&command);
    let output = command.output().with_context(|| format!("could not start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed something that is not text"))
}

/// Whether a command can be started here and succeeds, its output thrown away.
pub(crate) fn works(mut command: Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The first of these programs that is on the search path.
pub(crate) fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names.iter().find_map(|name| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()))
}

fn pass_on(stream: Option<impl Read>, log: &Mutex<File>, mut show: impl FnMut(&str)) -> Result<()> {
    let Some(stream) = stream else { bail!("the output was not piped") };
    for line in BufReader::new(stream).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        show(&line);
        let mut log = log.lock().map_err(|_| anyhow::anyhow!("the log's writer panicked"))?;
        writeln!(log, "{line}")?;
    }
    Ok(())
}

fn wait_within(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn judge(shown: &str, status: ExitStatus) -> Outcome {
    if status.success() { Outcome::Passed } else { Outcome::Failed(format!("`{shown}` ended with {status}")) }
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    command.get_args().fold(name, |line, argument| line + " " + &argument.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let outcome = step_within(command("sleep", &["60"]), Duration::from_millis(50)).unwrap();
        assert!(matches!(outcome, Outcome::Failed(why) if why.contains("had not ended")));
    }

    #[test]
    fn a_failing_command_fails_and_a_good_one_passes() {
        assert_eq!(step(command("true", &[])).unwrap(), Outcome::Passed);
        assert!(matches!(step(command("false", &[])).unwrap(), Outcome::Failed(_)));
        assert!(step(command("no-such-program-anywhere", &[])).is_err());
    }

    #[test]
    fn both_streams_reach_the_log() {
        let log = std::env::temp_dir().join(format!("xtask-log-{}", std::process::id()));
        step_logged(command("sh", &["-c", "echo one; echo two >&2"]), &log, |_| true).unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_file(&log).unwrap();
        assert!(text.contains("one\n") && text.contains("two\n"), "{text:?}");
    }
}
