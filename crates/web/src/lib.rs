//! The HTTP API, live updates over WebSocket, and the embedded dashboard, on loopback unless told otherwise.
//!
//! It shows what [`Source`] and [`History`] tell and hands commands to [`Control`]; it deliberately decides nothing, stores
//! nothing but a short window of prices, and never makes trading wait: statuses are copies, and every connection,
//! subscriber, page and frame has a limit that is planned in the ledger. What a request must bring is said in one table of routes;
//! without a login or a token only a few of them answer, and of these only to this machine.
//!
//! Read [`Web`] and [`Source`] first.
//!
//! ```no_run
//! # use plimsoll_web::{AdminToken, Ports, Web, WebConfig, WebError};
//! # use plimsoll_bounded::{Ledger, Sealed, Tasks};
//! # async fn run(ports: Ports, tasks: Tasks, ledger: Ledger<Sealed>) -> Result<(), WebError> {
//! let (token, origin) = AdminToken::load_or_create("data/secrets/admin.token".as_ref())?;
//! println!("admin token was {origin:?}");
//! let web = Web::start(WebConfig::new(token), ports, &tasks, &ledger).await?;
//! println!("dashboard: {}", web.url());
//! web.stop().await;
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
extern crate self as plimsoll_web;

mod assets;
mod auth;
mod config;
mod control;
mod convert;
mod desk;
pub mod dto;
mod error;
mod extract;
mod guard;
mod impatient;
pub mod limits;
mod live;
mod logs;
#[cfg(test)]
#[path = "../examples/made_up/mod.rs"]
mod made_up;
mod openapi;
mod operator;
mod ports;
mod pprof;
mod routes;
mod server;
mod session;
mod settings;
mod system;
mod table;
mod tape;
mod tls;
mod token;
mod when;

pub use auth::{
    AuditEntry, AuditsWanted, LoginChange, Logins, Peer, Scope, SessionRow, TokenRow, UserRow, Vault, VaultError, password_row,
};
pub use config::{PORT_DEFAULT, TlsFiles, WebConfig};
pub use convert::{LedgerSum, money};
pub use error::{Class, WebError};
pub use live::Viewers;
pub use operator::Operator;
pub use ports::{
    CandleLength, Control, ControlError, Cursor, DaysRange, Desk, EquityLine, EquityRange, Health, History, HistoryError, LinkNow, LogFeed,
    LogListener, LogNews, LogsWanted, Mode, Page, PageRequest, Ports, ProfileRefused, Profiler, RowsWanted, Source, SymbolNow, System,
    SystemMetrics, SystemRange, Taken, Verb,
};
pub use server::{Web, WebHandle};
pub use settings::{Fixed, Settings, SettingsError};
pub use table::{Effect, Needs, RouteRule};
pub use tape::FillTape;
pub use token::{AdminToken, Origin, TokenError};
