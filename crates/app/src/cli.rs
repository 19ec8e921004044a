//! The command line.

use crate::config::{Config, read_file, schema};
use crate::{ctl, db, decode, history, journal, logins, memory, rebuild, run, testnet};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Wrong arguments, configuration or environment; nothing was begun.
pub const EXIT_USAGE: u8 = 2;
/// Stopped, but not everything is known to be withdrawn or closed.
pub const EXIT_UNCLEAN: u8 = 3;
/// Stopped in order by itself, because memory was at its limit.
pub const EXIT_MEMORY: u8 = 4;

/// A perpetual-futures trading bot that knows its own limits.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Trade as configured (the default).
    Run(RunArgs),
    /// Serve a local exchange that speaks Binance's protocol.
    Testnet(testnet::TestnetArgs),
    /// Show the memory plan: every buffer with its limit, and their sum.
    Ledger(LedgerArgs),
    /// Give an order to a running bot, or ask how it is.
    Ctl(ctl::CtlArgs),
    /// Watch a running bot in the terminal, and pause, resume, drain, cancel and flatten with a key.
    Top(crate::top::TopArgs),
    /// Set the dashboard's password, read from standard input; the bot must be stopped.
    ///
    /// For a dashboard that is to be reached from elsewhere at its first start, and for passwords that were forgotten. All sessions
    /// end, and one-time codes are removed. Beside a running bot, `plimsoll ctl forget-password` does the same by a link.
    Password(ConfigArgs),
    /// Read a message of an exchange from standard input and print what was understood.
    Decode(decode::DecodeArgs),
    /// Tell the engines of a journal again what they were told, and compare what they answer.
    ///
    /// Exit code 0: they answer the same; 1: they do not, and the first difference is shown; 2: a file is damaged.
    Replay(journal::ReplayArgs),
    /// Compare what is stored with the exchange's history, and have the next start book it anew.
    ///
    /// Exit code 0: they agree, or it was written; 1: they differ and nothing was changed.
    Rebuild(rebuild::RebuildArgs),
    /// Write a checked copy of the database to a file; a running bot is not disturbed.
    Backup(db::BackupArgs),
    /// Put a backup in the place of the database, after checking all of it; the bot must be stopped.
    ///
    /// Either everything is done or nothing, whenever it is cut short. The database before stays beside it under a dated name.
    Restore(db::RestoreArgs),
    /// Check the database, bring it up to date, or copy it to another one.
    Db {
        #[command(subcommand)]
        command: db::DbCommand,
    },
    /// Write fills, orders, round trips or equity to a CSV or Parquet file.
    #[command(after_long_help = db::columns_help())]
    Export(db::ExportArgs),
    /// Send a test message over a channel of the configuration.
    Alert {
        #[command(subcommand)]
        command: AlertCommand,
    },
    /// Trade history with the engine that trades live, and write a report.
    Backtest(history::BacktestArgs),
    /// Search over parameters on history, with walk-forward trials and guards against overfitting, and write a ready configuration.
    #[command(after_long_help = history::RANGES_HELP)]
    Sweep(history::SweepArgs),
    /// Propose a grid for a contract out of its volatility, fees, filters and your capital, say why, and try it on history.
    Advise(history::AdviseArgs),
    /// Make tapes of history for backtests, list and check them.
    Data {
        #[command(subcommand)]
        command: history::DataCommand,
    },
    /// Check the configuration, or print its schema.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Subcommand)]
enum AlertCommand {
    /// Send a test message now, past rules and queues, and tell whether the service took it.
    Test {
        /// The channel's name.
        channel: String,
        /// Where the configuration is.
        #[command(flatten)]
        file: ConfigArgs,
    },
}

/// What to show of the memory plan.
#[derive(Debug, Args, Clone)]
struct LedgerArgs {
    /// Where the configuration is.
    #[command(flatten)]
    file: ConfigArgs,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Tell all mistakes at once.
    Check(ConfigArgs),
    /// Print the JSON schema.
    Schema,
}

/// Where the configuration is.
#[derive(Debug, Args, Clone)]
pub struct ConfigArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "config/plimsoll.yaml")]
    pub config: PathBuf,
}

/// How to run.
#[derive(Debug, Args, Clone)]
pub struct RunArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub file: ConfigArgs,
    /// Start the local exchange and the books on it anew.
    #[arg(long)]
    pub fresh: bool,
}

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Run(RunArgs { file: ConfigArgs { config: "config/plimsoll.yaml".into() }, fresh: false }));
    let done = match command {
        Command::Run(args) => run_file(args),
        Command::Testnet(args) => testnet::main(args),
        Command::Ledger(args) => load(&args.file).and_then(|config| memory::main(&config, args.json)),
        Command::Alert { command: AlertCommand::Test { channel, file } } => {
            load(&file).and_then(|config| run::test_alert(&config, &channel))
        }
        Command::Ctl(args) => ctl::main(args),
        Command::Top(args) => crate::top::main(&args),
        Command::Password(args) => logins::main(&args),
        Command::Decode(args) => decode::main(&args),
        Command::Replay(args) => journal::main(&args),
        Command::Rebuild(args) => rebuild::main(&args),
        Command::Backup(args) => db::backup(&args),
        Command::Restore(args) => db::restore(&args),
        Command::Db { command } => db::main(&command),
        Command::Export(args) => db::export(&args),
        Command::Backtest(args) => history::backtest(&args),
        Command::Advise(args) => history::advise(&args),
        Command::Sweep(args) => history::sweep(&args),
        Command::Data { command } => history::data(&command),
        Command::Config { command: ConfigCommand::Check(args) } => load(&args).map(|config| {
            crate::screen::say(&format!("{} is right: {} symbols on {:?}", args.config.display(), config.symbols.len(), config.exchange));
            ExitCode::SUCCESS
        }),
        Command::Config { command: ConfigCommand::Schema } => {
            serde_json::to_string_pretty(&schema()).map_err(anyhow::Error::from).map(|text| {
                crate::screen::say(&text);
                ExitCode::SUCCESS
            })
        }
    };
    done.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::from(EXIT_USAGE)
    })
}

fn run_file(RunArgs { file: ConfigArgs { config: path }, fresh }: RunArgs) -> anyhow::Result<ExitCode> {
    let start = || {
        let text = read_file(&path)?;
        let config = Config::parse(&text, &path)?;
        run::main(config, run::Origin { path: path.clone(), text }, fresh)
    };
    start().map_err(|error| crate::again::fall_back(&path, error))
}

fn load(args: &ConfigArgs) -> anyhow::Result<Config> {
    Ok(Config::load(&args.config)?)
}

/// Tells an error and what lies beneath it.
#[expect(clippy::print_stderr, reason = "the last word of a command that failed")]
fn complain(error: &anyhow::Error) {
    eprintln!("plimsoll: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}
