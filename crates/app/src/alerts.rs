//! Where every alert of the process goes: the stored events, the notifier's channels, the counters.

use plimsoll_market::{Alert, Name, Severity, Symbol};
use plimsoll_monitor::{AlertMetrics, ChannelSample};
use plimsoll_notify::{Notifier, NotifierStatus, Origin};
use plimsoll_storage::{HistoryEvent, HistoryWriter};
use std::sync::Arc;

/// The way of an alert. Cheap to clone; never waits.
#[derive(Clone)]
pub struct Alerts {
    history: HistoryWriter,
    notifier: Notifier,
    metrics: Arc<AlertMetrics>,
}

impl Alerts {
    /// Joins what an alert reaches.
    pub fn new(history: HistoryWriter, notifier: Notifier, metrics: AlertMetrics) -> Self {
        Self { history, notifier, metrics: Arc::new(metrics) }
    }

    /// Stores an alert, counts it, and has it told to whom the rules name.
    pub fn raise(&self, account: Option<&Name>, symbol: Option<&Symbol>, alert: Alert) {
        let origin = match (account, symbol) {
            (Some(account), Some(symbol)) => Origin::symbol(account.as_str(), symbol.as_str()),
            (Some(account), None) => Origin::account(account.as_str()),
            (None, _) => Origin::process(),
        };
        self.tell(&origin, &alert);
        self.history.event(HistoryEvent { account: account.copied(), symbol: symbol.copied(), alert });
    }

    /// The same about a thing of the process: a task, a stream, a rule.
    pub fn raise_of(&self, subject: &str, alert: Alert) {
        self.tell(&Origin::process().about(subject), &alert);
        self.history.event(HistoryEvent { account: None, symbol: None, alert });
    }

    fn tell(&self, origin: &Origin, alert: &Alert) {
        match alert.severity {
            Severity::Info => tracing::info!(code = alert.code.as_str(), "{}", alert.text),
            Severity::Warning => tracing::warn!(code = alert.code.as_str(), "{}", alert.text),
            Severity::Critical => tracing::error!(code = alert.code.as_str(), "{}", alert.text),
        }
        self.metrics.raised(alert.severity);
        // What the notifier has no room for is counted by it; the stored event stays.
        self.notifier.submit_for(alert, origin);
    }

    /// Where samples and events are stored.
    pub fn history(&self) -> &HistoryWriter {
        &self.history
    }

    /// How the channels do.
    pub fn status(&self) -> NotifierStatus {
        self.notifier.status()
    }

    /// Brings the exported figures up to date.
    pub fn show(&self) {
        let status = self.status();
        let channels = status.channels.iter().map(|channel| ChannelSample {
            up: channel.up,
            queued: channel.queued,
            sent: channel.sent,
            failed: channel.failed,
            dropped: channel.dropped,
        });
        let suppressed = status.channels.iter().map(|channel| channel.suppressed).max().unwrap_or(0);
        self.metrics.observe(channels, suppressed);
    }
}
