//! `plimsoll top`: the running bot in a terminal, over its API.

mod view;

use crate::config::Config;
use crate::ctl::Door;
use anyhow::Context;
use clap::Args;
use plimsoll_web::dto::{DetailDto, EventDto, LedgerDto, MetricsDto, PageDto, StatusDto};
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::{DefaultTerminal, Terminal};
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use view::{Asking, Page, Screen};

/// How often the bot is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take; then the last one is shown, with its age.
const ANSWER: Duration = Duration::from_secs(2);
/// How often keys are looked for.
const KEYS_EVERY: Duration = Duration::from_millis(100);
/// Values of the worth that are kept for its line: ten minutes.
pub(crate) const WORTH_MAX: usize = 600;
/// Size of the one picture that `--once` prints.
const ONCE: (u16, u16) = (140, 44);

/// Arguments.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// The bot's configuration: tells address and data folder.
    #[arg(long, value_name = "FILE", default_value = "config/plimsoll.yaml")]
    config: PathBuf,
    /// Print one picture as text and end.
    #[arg(long)]
    once: bool,
}

/// Shows the bot until `q`.
///
/// # Errors
/// The bot takes no questions, there is no token, or no terminal.
pub fn main(args: &TopArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let door = Door::of(&config)?;
    anyhow::ensure!(
        door.token.is_some(),
        "there is no admin token at {}: start the bot once, it makes one",
        crate::run::token_path(&config).display()
    );
    let screen = Screen::new(door.address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut top = Top { runtime, door, screen };
    if args.once {
        top.look();
        if let Some(trouble) = &top.screen.trouble {
            anyhow::bail!("{trouble}");
        }
        let mut terminal = Terminal::new(TestBackend::new(ONCE.0, ONCE.1))?;
        terminal.draw(|frame| view::draw(frame, &mut top.screen))?;
        crate::screen::say(&view::text(terminal.backend().buffer()));
        return Ok(ExitCode::SUCCESS);
    }
    let mut terminal = ratatui::try_init().context("this is no terminal; `plimsoll top --once` prints one picture")?;
    let done = top.run(&mut terminal);
    ratatui::restore();
    done.map(|()| ExitCode::SUCCESS)
}

struct Top {
    runtime: tokio::runtime::Runtime,
    door: Door,
    screen: Screen,
}

impl Top {
    fn run(&mut self, terminal: &mut DefaultTerminal) -> anyhow::Result<()> {
        let mut asked: Option<Instant> = None;
        // bounded: by the key that ends it.
        loop {
            if asked.is_none_or(|at| at.elapsed() >= ASK_EVERY) {
                asked = Some(Instant::now());
                self.look();
            }
            terminal.draw(|frame| view::draw(frame, &mut self.screen))?;
            if !event::poll(KEYS_EVERY)? {
                continue;
            }
            let Event::Key(key) = event::read()? else { continue };
            if key.kind != KeyEventKind::Press {
                continue;
            }
            let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if interrupt || !self.key(key.code) {
                return Ok(());
            }
        }
    }

    /// Takes a key; `false` ends.
    fn key(&mut self, key: KeyCode) -> bool {
        let screen = &mut self.screen;
        if let Some(asking) = screen.asking.take() {
            match key {
                KeyCode::Char('y' | 'Y') => self.order(&asking),
                _ => screen.said = Some("nothing was done".to_owned()),
            }
            return true;
        }
        match key {
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Up | KeyCode::Char('k') => screen.choose(-1),
            KeyCode::Down | KeyCode::Char('j') => screen.choose(1),
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => screen.page = screen.page.next(),
            KeyCode::Char('1') => screen.page = Page::Symbols,
            KeyCode::Char('2') => screen.page = Page::Memory,
            KeyCode::Char('3') => screen.page = Page::Events,
            KeyCode::Char('a') => screen.all = !screen.all,
            KeyCode::Char('p') => screen.ask("pause"),
            KeyCode::Char('r') => screen.ask("resume"),
            KeyCode::Char('d') => screen.ask("drain"),
            KeyCode::Char('c') => screen.ask("cancel_all"),
            KeyCode::Char('f') => screen.ask("flatten"),
            _ => {}
        }
        true
    }

    fn order(&mut self, asking: &Asking) {
        let path = match &asking.symbol {
            Some(symbol) => format!("/api/symbols/{symbol}/control/{}", asking.verb),
            None => format!("/api/control/{}", asking.verb),
        };
        let answer = self.call("POST", &path);
        self.screen.said = Some(match answer {
            Ok((200, _)) => format!("{} was taken", asking.verb),
            Ok((_, body)) => {
                let why: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
                why.get("detail").and_then(|d| d.as_str()).unwrap_or("refused").to_owned()
            }
            Err(error) => format!("{error:#}"),
        });
    }

    /// Asks for everything that is shown.
    fn look(&mut self) {
        let done = self.ask_all();
        match done {
            Ok(()) => {
                self.screen.trouble = None;
                self.screen.seen = Some(Instant::now());
            }
            Err(error) => self.screen.trouble = Some(format!("{error:#}")),
        }
    }

    fn ask_all(&mut self) -> anyhow::Result<()> {
        let status: StatusDto = self.get("/api/status")?;
        let metrics: MetricsDto = self.get("/api/system/metrics/current")?;
        self.screen.take(status, metrics);
        if let Some(symbol) = self.screen.chosen() {
            // A symbol that is no longer traded is gone with the next status.
            let detail: Option<DetailDto> = self.get(&format!("/api/symbols/{symbol}")).ok();
            self.screen.detail = detail;
        }
        match self.screen.page {
            Page::Memory => self.screen.ledger = Some(self.get::<LedgerDto>("/api/ledger")?),
            Page::Events | Page::Symbols => self.screen.events = self.get::<PageDto<EventDto>>("/api/events?limit=50")?.items,
        }
        Ok(())
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let (status, body) = self.call("GET", path)?;
        anyhow::ensure!(status == 200, "{path} answers {status}");
        serde_json::from_slice(&body).with_context(|| format!("{path} answers something else; is it another version?"))
    }

    fn call(&self, method: &str, path: &str) -> anyhow::Result<(u16, bytes::Bytes)> {
        let asked = async {
            tokio::time::timeout(ANSWER, self.door.ask(method, path))
                .await
                .with_context(|| format!("no answer within {} s", ANSWER.as_secs()))?
        };
        self.runtime.block_on(asked)
    }
}
