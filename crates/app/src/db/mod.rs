//! Verbs on the database: `backup`, `restore`, `db check`, `db migrate`, `db copy` and `export`.
//!
//! What only reads may run beside the bot; what writes takes its lock, so that a bot that runs is never worked on.

mod export;
mod report;

pub use export::{ExportArgs, columns_help, main as export};

/// Rows of files, in either form.
pub mod rows {
    pub use super::export::{Cell, Column, Format, Kind, column, lines};
}

use crate::cli::ConfigArgs;
use crate::config::Config;
use crate::run::{PART_TIMEOUT, store_config};
use crate::screen::say;
use crate::threads::edge;
use anyhow::Context;
use clap::{Args, Subcommand};
use plimsoll_storage::StoreConfig;
use plimsoll_storage::tool::{self, Contents, Progress, Replace, ToolError};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Something was found, and nothing was changed.
const EXIT_FOUND: u8 = 1;
/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(2);

/// Where a backup goes.
#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    file: ConfigArgs,
    /// The file to write, which must not be there yet; without it a dated one in data_dir/backups, of which the last seven stay.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// What to go back to.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup.
    #[arg(value_name = "FILE")]
    backup: PathBuf,
    #[command(flatten)]
    file: ConfigArgs,
}

/// Work on the database.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Check everything that is stored: the file itself, every row, and whether totals, slots and orders follow from the fills.
    ///
    /// May run beside the bot and changes nothing. Exit code 0: nothing is wrong; 1: something is, and each finding says what to do;
    /// 2: it could not be checked.
    Check(ConfigArgs),
    /// Bring the database up to date with this version, all steps or none, after a backup in data_dir/backups.
    ///
    /// `plimsoll run` does the same by itself. Exit code 0: it is up to date; 1: with --dry-run, something is to be done; 2: it could
    /// not be done, and nothing was changed.
    Migrate(MigrateArgs),
    /// Copy the whole database to another one, SQLite or PostgreSQL, and compare both.
    ///
    /// May run beside the bot: what is copied is how everything was at one instant. The target must not be in use. It is as it was
    /// unless everything was copied and compared.
    Copy(CopyArgs),
}

/// Whether to do it.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    file: ConfigArgs,
    /// Only tell what is to be done.
    #[arg(long)]
    dry_run: bool,
}

/// From where to where.
#[derive(Debug, Args)]
pub struct CopyArgs {
    /// The target: `sqlite:PATH`, `postgres://USER:PASSWORD@HOST/DATABASE`, or `env:NAME` for an url in the environment, where other
    /// users of the machine cannot see it.
    #[arg(long, value_name = "URL")]
    to: String,
    /// The source, written like the target; without it the database of the configuration.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Replace what the target holds; a file that is replaced stays beside the new one under a dated name.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    file: ConfigArgs,
}

/// Makes a backup.
///
/// # Errors
/// Whatever stands against it; no file is left then.
pub fn backup(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let config = store(&args.file)?;
    let made = wait(async {
        match &args.to {
            Some(file) => tool::backup_to(&config, file).await,
            None => tool::backup(&config).await,
        }
    })?;
    say(&format!("{} is complete and passed its check: {}", made.file.display(), show(&made.contents)));
    Ok(ExitCode::SUCCESS)
}

/// Goes back to a backup.
///
/// # Errors
/// Whatever stands against it; nothing is changed then.
pub fn restore(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let config = store(&args.file)?;
    let restored = wait(tool::restore(&config, &args.backup))?;
    say(&format!("{} is back: {}", args.backup.display(), show(&restored.contents)));
    match restored.replaced {
        Some(old) => say(&format!("what was there before is {}", old.display())),
        None => say("there was no database before"),
    }
    say("the next start fetches what the exchange has executed since, and books it once");
    Ok(ExitCode::SUCCESS)
}

/// Works on the database.
///
/// # Errors
/// Whatever stands against it.
pub fn main(command: &DbCommand) -> anyhow::Result<ExitCode> {
    match command {
        DbCommand::Check(file) => check(file),
        DbCommand::Migrate(args) => migrate(args),
        DbCommand::Copy(args) => copy(args),
    }
}

fn check(file: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let config = store(file)?;
    let found = wait(tool::check(&config))?;
    report::lines(&found).for_each(|line| say(&line));
    Ok(if found.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
}

fn migrate(args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let config = store(&args.file)?;
    let plan = wait(tool::plan(&config))?;
    say(&format!("the database is at {}", plan.applied.last().map_or("no step yet", String::as_str)));
    match plan.pending.last() {
        Some(last) => say(&format!("this version needs {last}; to be done: {}", plan.pending.join(", "))),
        None if plan.rigid => {}
        None => say("nothing is to be done: this version needs no more"),
    }
    if plan.rigid {
        say("the file was made by an older version and never becomes smaller; to be done: a copy that can takes its place");
    }
    if args.dry_run && (plan.rigid || !plan.pending.is_empty()) {
        return Ok(ExitCode::from(EXIT_FOUND));
    }
    if !plan.pending.is_empty() {
        let done = wait(tool::migrate(&config))?;
        match done.backup {
            Some(backup) => say(&format!("before that everything was saved in {}", backup.display())),
            None => say("there was nothing to save before"),
        }
        say(&format!("done: {}", done.done.join(", ")));
    }
    if plan.rigid
        && let Some(done) = wait(tool::loosen(&config))?
    {
        say(&format!("the file has {} KiB, and had {} KiB", done.after.div_ceil(1_024), done.before.div_ceil(1_024)));
        if let Some(old) = done.replaced {
            say(&format!("what was there before is {}; it is not needed any more", old.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn copy(args: &CopyArgs) -> anyhow::Result<ExitCode> {
    let to = of_url(&args.to)?;
    let from = match &args.from {
        Some(url) => of_url(url)?,
        None => store(&args.file)?,
    };
    let replace = if args.replace { Replace::Yes } else { Replace::No };
    let mut told = Instant::now();
    let mut tell = |progress: Progress<'_>| {
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            let what = if progress.comparing { "compared" } else { "copied" };
            say(&format!("{}: {} of {} rows {what} …", progress.table, progress.rows, progress.of));
        }
    };
    let copied = wait(tool::copy(&from, &to, replace, &mut tell))?;
    for table in &copied.tables {
        say(&format!("{:<24} {:>12} rows, checksum {:032x}", table.table, table.rows, table.checksum));
    }
    let rows: u64 = copied.tables.iter().map(|table| table.rows).sum();
    say(&format!("{rows} rows of {} tables are the same in both", copied.tables.len()));
    if let Some(old) = copied.replaced {
        say(&format!("what was there before is {}", old.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The database of the configuration.
fn store(file: &ConfigArgs) -> anyhow::Result<StoreConfig> {
    store_config(&Config::load(&file.config)?)
}

/// An url of the command line, or of the environment.
fn of_url(url: &str) -> anyhow::Result<StoreConfig> {
    let url = match url.strip_prefix("env:") {
        Some(name) => std::env::var(name).with_context(|| format!("the environment has no {name}, which is to hold an url"))?,
        None => url.to_owned(),
    };
    Ok(StoreConfig::of_url(url)?)
}

/// Runs one piece of work to its end, or to Ctrl-C: whatever it has not finished is as if it had never begun.
fn wait<T>(work: impl Future<Output = Result<T, ToolError>>) -> anyhow::Result<T> {
    crate::log::begin("warn");
    let runtime = edge().context("cannot start threads")?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(PART_TIMEOUT);
    Ok(done?)
}

/// What a file holds, in a line.
fn show(contents: &Contents) -> String {
    let tables: Vec<String> =
        contents.tables.iter().filter(|table| table.rows > 0).map(|table| format!("{} {}", table.rows, table.table)).collect();
    let tables = if tables.is_empty() { "no rows".to_owned() } else { tables.join(", ") };
    format!("{} KiB, schema {}, {tables}", contents.bytes.div_ceil(1_024), contents.step)
}
