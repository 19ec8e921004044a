//! Notices that somebody wrote the configuration's file, and has it taken over.

use super::{Applied, Settings, SettingsError};
use crate::alerts::Alerts;
use plimsoll_bounded::Task;
use plimsoll_gateway::Clock;
use plimsoll_market::{Alert, AlertCode, Severity};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What tells that a file was written; its length and time.
type Mark = Option<(u64, SystemTime)>;

fn mark(settings: &Settings) -> Mark {
    let about = std::fs::metadata(&settings.file().path).ok()?;
    Some((about.len(), about.modified().ok()?))
}

/// Looks at the file every two seconds; what was written, and stays as it is for two seconds, is taken over. A file that is wrong is
/// told once, and changes nothing.
pub async fn watch_file(settings: Arc<Settings>, alerts: Alerts, clock: Clock, task: Task) {
    task.pulse.expect_every(LOOK_EVERY * 30);
    // What was written between the start and now is looked at, too.
    let (mut known, mut seen): (Mark, Mark) = (None, None);
    while task.stop.or(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        task.pulse.beat();
        let now = mark(&settings);
        // Editors write in several steps, and some take the file away for a moment.
        if now.is_none() || std::mem::replace(&mut seen, now) != now || now == known {
            continue;
        }
        let (severity, text) = match settings.take_file().await {
            Ok(None) => {
                known = now;
                continue;
            }
            Err(SettingsError::Busy) => continue,
            Ok(Some(applied)) => (Severity::Info, told(&applied)),
            Err(SettingsError::Wrong(problems)) => {
                let first = problems.first().map_or_else(String::new, |first| format!("{} {}", first.key, first.text));
                (
                    Severity::Warning,
                    format!("nothing of the configuration's file was taken over, it has {} mistakes: {}", problems.len(), first.trim()),
                )
            }
            Err(error) => (Severity::Warning, format!("nothing of the configuration's file was taken over: {error}")),
        };
        known = now;
        alerts.raise(None, None, Alert::new(severity, AlertCode::Command, clock.now(), &text));
    }
}

/// A change in a sentence.
fn told(applied: &Applied) -> String {
    match (applied.live.len(), applied.restart.len()) {
        (0, 0) => "the configuration's file was changed, but no value in it".to_owned(),
        (live, 0) => format!("the configuration's file was changed: {live} values count from now on"),
        (live, restart) => format!("the configuration's file was changed: {live} values count from now on, {restart} with the next start"),
    }
}
