//! Carries alerts to people: by log, webhook, Telegram, Slack, Discord, e-mail, Feishu, DingTalk and WeCom.
//!
//! [`Notifier::submit`] takes an alert and returns at once. Rules choose by code, severity, account and symbol who is told. A key
//! that was told cools down, and what comes meanwhile is counted and told as one digest. Each channel has a task, queues, a rate
//! limit and pauses of its own: one that is dead slows neither another nor the sender, and says what it lost once it works again.
//!
//! It decides nothing about trading and knows nothing of it. It keeps nothing on disk: what is not told when the process dies is
//! in the log only. Addresses, tokens and passwords are in no error, log or status.
//!
//! Read [`Config`] and [`Notifier`] first.
//!
//! ```
//! use plimsoll_bounded::{Ledger, Plan, Tasks};
//! use plimsoll_market::{Alert, AlertCode, Severity, Time};
//! use plimsoll_notify::{ChannelConfig, ChannelKind, Config, Notifier, limits};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::new("bot-1");
//! config.channels.push(ChannelConfig::new("log", ChannelKind::Log));
//!
//! let mut plan = Plan::new("notify");
//! plan.add(Tasks::line("tasks", Notifier::tasks(&config), limits::TASK_FUTURE_BYTES))?;
//! Notifier::plan(&mut plan, &config)?;
//! let ledger = Ledger::open(4 << 20).seal()?;
//! let mut grants = ledger.admit(&plan)?;
//! let tasks = Tasks::new(grants.take("tasks")?);
//!
//! let notifier = Notifier::start(&config, &mut grants, &tasks)?;
//! notifier.submit(&Alert::new(Severity::Warning, AlertCode::Memory, Time::ZERO, &"resident 612 MiB of 500 MiB"));
//! let status = notifier.stop(Duration::from_secs(1)).await;
//! assert_eq!(status.channels[0].sent, 1);
//! # Ok(())
//! # }
//! ```

mod check;
mod clock;
mod commander;
mod config;
mod delivery;
mod error;
mod http;
mod inbox;
mod letter;
pub mod limits;
mod notifier;
mod pipeline;
mod render;
mod secret;
mod sign;
mod smtp;
mod status;
mod talk;
mod target;
mod transport;

pub use commander::{Commander, CommanderError, Desk};
pub use config::{
    ChannelConfig, ChannelKind, Config, Email, Hook, Mistake, Rate, Retry, Robot, Rule, Security, Telegram, TextLimit, Webhook,
};
pub use error::{Class, SendError};
pub use http::CaError;
pub use inbox::Submitted;
pub use letter::Origin;
pub use notifier::{Notifier, StartError, TestError, send_test};
pub use secret::{Note, Secret};
pub use status::{ChannelStatus, NotifierStatus};
pub use talk::{Deed, Order, Question};
