//! `plimsoll replay FILE…`: tells each engine again what it was told, and compares what it answers.

use super::writer::SUFFIX;
use anyhow::Context;
use clap::Args;
use plimsoll_journal::{Answer, Difference, End, Ending, Head, Report, Step, Told, replay, show_action, show_event, utc};
use std::fmt::Write;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is replayed answers otherwise.
const EXIT_DIFFERENT: u8 = 1;
/// A file cannot be read to its end.
const EXIT_DAMAGED: u8 = 2;

/// What to replay.
#[derive(Debug, Args, Clone)]
pub struct ReplayArgs {
    /// Segments of a journal, or folders of them (`data/journal`).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>, // tidy: bounded by the command line
    /// Print every event with its actions.
    #[arg(long)]
    show: bool,
}

/// `plimsoll replay`.
///
/// # Errors
/// A file or folder that is not there.
pub fn main(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    // An engine that fails is part of what is replayed: it is told in the summary.
    std::panic::set_hook(Box::new(|_| {}));
    let paths = files(&args.files)?;
    let show = |head: &Head, step: &Step| {
        if args.show {
            crate::screen::say(&lines(head, step));
        }
    };
    replay_all(&paths, show, crate::screen::say).map(ExitCode::from)
}

/// Replays segments in their order and returns the exit code; `say` gets a summary of each.
///
/// # Errors
/// A file that is not there.
pub fn replay_all(paths: &[PathBuf], show: impl Fn(&Head, &Step), mut say: impl FnMut(&str)) -> anyhow::Result<u8> {
    let build = super::build();
    let (mut different, mut damaged) = (false, false);
    let mut before: Option<Report> = None;
    for path in paths {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let name = path.display();
        let report = match replay(BufReader::new(file), &show) {
            Ok(Some(report)) => report,
            Ok(None) => {
                say(&format!("{name}:\n  its writer was killed before the beginning was whole; nothing to replay"));
                continue;
            }
            Err((damage, report)) => {
                damaged = true;
                let read = report.map_or_else(String::new, |report| format!("{}\n", summary(&report, build)));
                say(&format!("{name}:\n{read}  DAMAGED: it {damage}"));
                before = None;
                continue;
            }
        };
        different |= report.difference.is_some();
        let mut text = format!("{name}:\n{}", summary(&report, build));
        if let Some(before) = &before
            && follows(before, &report)
            && before.difference.is_none()
            && before.state != report.began
        {
            different = true;
            text.push_str("\n  DIFFERENT: it does not begin with the engine as it stands at the end of the segment before");
        }
        say(&text);
        before = Some(report);
    }
    Ok(match (damaged, different) {
        (true, _) => EXIT_DAMAGED,
        (false, true) => EXIT_DIFFERENT,
        (false, false) => 0,
    })
}

/// Whether a segment goes on where another ends.
fn follows(before: &Report, next: &Report) -> bool {
    let (a, b) = (&before.head, &next.head);
    b.follows
        && before.ending == Ending::Marked(End::Full)
        && (a.run, a.segment + 1, &a.account, a.instrument.symbol) == (b.run, b.segment, &b.account, b.instrument.symbol)
}

/// Folders are replaced by the segments in them, those of a symbol in their order.
fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let listed = std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        let mut inside = Vec::new();
        for entry in listed {
            let path = entry?.path();
            if path.to_str().is_some_and(|path| path.ends_with(SUFFIX)) {
                inside.push(path);
            }
        }
        anyhow::ensure!(!inside.is_empty(), "{} holds no segment of a journal", path.display());
        inside.sort_by_cached_key(|path| order(path));
        files.append(&mut inside);
    }
    Ok(files)
}

/// By symbol, then by time: a name is time, symbol, number.
fn order(path: &Path) -> (String, String) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (time, rest) = name.split_once('-').unwrap_or(("", name));
    let symbol = rest.rsplit_once('-').map_or(rest, |(symbol, _)| symbol);
    (symbol.to_owned(), time.to_owned())
}

fn summary(report: &Report, build: u32) -> String {
    let head = &report.head;
    let mut text = format!(
        "  {} of account {}, run {}, segment {}: {} events and {} actions from {} to {}",
        head.instrument.symbol,
        head.account,
        head.run,
        head.segment,
        report.events,
        report.actions,
        utc(head.began),
        utc(report.until)
    );
    let mut line = |told: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        if write!(text, "\n  {told}").is_err() {
            tracing::debug!("a line of the summary is missing");
        }
    };
    if head.lost > 0 {
        line(format_args!("before it {} events or more were not recorded", head.lost));
    }
    if head.build != build {
        line(format_args!("written by another build of version {}: what differs may come from that", head.program));
    }
    match report.ending {
        Ending::Unread => {}
        Ending::Marked(End::Full) => line(format_args!("ends because it was long enough")),
        Ending::Marked(End::Gap(lost)) => line(format_args!("ends with a gap: {lost} events or more were not recorded")),
        Ending::Marked(End::Fault) => line(format_args!("ends because the engine failed")),
        Ending::Marked(End::Rebuilt) => line(format_args!("ends because the engine was built anew")),
        Ending::Marked(End::Stopped) => line(format_args!("ends because the symbol stopped")),
        Ending::Unmarked => line(format_args!("ends without a mark: its writer was killed, or still writes")),
        Ending::Torn(bytes) => line(format_args!("its writer was killed: the last {bytes} bytes are torn and left out")),
    }
    match &report.difference {
        None => line(format_args!("{}", if report.ending == Ending::Unread { "identical up to there" } else { "identical" })),
        Some(difference) => line(format_args!("{}", differs(head, difference))),
    }
    text
}

fn differs(head: &Head, difference: &Difference) -> String {
    let Difference { number, step, got } = difference;
    let told = match &step.told {
        Told::Event(told) => show_event(told, &head.instrument),
        Told::Halted => "halted".to_owned(),
    };
    format!(
        "DIFFERENT from event {number} on, {} {told}\n    recorded:{}\n    answered now:{}",
        utc(step.now),
        answer(head, &step.answer),
        answer(head, got)
    )
}

fn answer(head: &Head, answer: &Answer) -> String {
    match answer {
        Answer::Actions(actions) if actions.is_empty() => "\n      nothing".to_owned(),
        Answer::Actions(actions) => actions.iter().map(|a| format!("\n      {}", show_action(a, &head.instrument))).collect(),
        Answer::Failed(words) => format!("\n      the engine failed: {words}"),
    }
}

/// A step as `--show` prints it.
pub fn lines(head: &Head, step: &Step) -> String {
    let told = match &step.told {
        Told::Event(told) => show_event(told, &head.instrument),
        Told::Halted => "halted".to_owned(),
    };
    let mut text = format!("{} {} {told}", utc(step.now), head.instrument.symbol);
    match &step.answer {
        Answer::Actions(actions) => text.extend(actions.iter().map(|a| format!("\n    → {}", show_action(a, &head.instrument)))),
        Answer::Failed(_) => text.push_str("\n    → the engine failed"),
    }
    text
}
