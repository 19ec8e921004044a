//! Answers about the process itself: its figures over time, its tasks, its connections, its channels; and what it earned.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use plimsoll_bounded::{TaskState, TaskStatus};
use plimsoll_market::{Symbol, Time};
use serde::Deserialize;

use crate::dto::{ChannelsDto, PnlDailyDto, PoolDto, SystemDailyDto, SystemDto, TaskDto, TasksDto};
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::limits::{
    CHANNELS_MAX, DAYS_DEFAULT, DAYS_MAX, HOLDERS_MAX, LIST_MAX, POINTS_DEFAULT, POINTS_MAX, RANGE_DEFAULT, SAMPLES_RANGE_MAX,
    SYSTEM_POINTS_MIN, TASKS_MAX,
};
use crate::ports::{DaysRange, SystemRange};
use crate::routes::{Answer, App, Shared, number};
use crate::when;

pub(crate) async fn history(State(shared): App, Query(query): Query<SystemQuery>) -> Result<Response, ApiError> {
    let range = query.samples(shared.ports.source.now())?;
    // Two samples make a row.
    let turn = shared.turn(range.points / 2).await?;
    let mut points = shared.ports.history.system(range).await?;
    points.truncate(range.points);
    shared.send_page(turn, &SystemDto { from_ms: range.from.millis(), to_ms: range.to.millis(), points })
}

pub(crate) async fn daily(State(shared): App, Query(query): Query<SystemQuery>) -> Result<Response, ApiError> {
    let range = query.days(shared.ports.source.now())?;
    let turn = shared.turn(DAYS_MAX as usize / 2).await?;
    let mut days = shared.ports.history.system_daily(range).await?;
    // A range that begins within a day has that day, too.
    days.truncate(DAYS_MAX as usize + 1);
    shared.send_page(turn, &SystemDailyDto { from_ms: range.from.millis(), to_ms: range.to.millis(), days })
}

pub(crate) async fn pnl(State(shared): App, Query(query): Query<SystemQuery>) -> Result<Response, ApiError> {
    pnl_days(&shared, None, &query).await
}

pub(crate) async fn pnl_of_symbol(
    State(shared): App,
    Path(id): Path<String>,
    Query(query): Query<SystemQuery>,
) -> Result<Response, ApiError> {
    let (symbol, _) = shared.find(&id)?;
    pnl_days(&shared, Some(&symbol), &query).await
}

async fn pnl_days(shared: &Arc<Shared>, symbol: Option<&Symbol>, query: &SystemQuery) -> Result<Response, ApiError> {
    let range = query.days(shared.ports.source.now())?;
    let turn = shared.turn(LIST_MAX).await?;
    let mut days = shared.ports.history.pnl_daily(symbol, range).await?;
    days.truncate(LIST_MAX);
    shared.send_page(turn, &PnlDailyDto { from_ms: range.from.millis(), to_ms: range.to.millis(), days })
}

pub(crate) async fn tasks(State(shared): App) -> Result<Response, ApiError> {
    let mut tasks = known(shared.ports.source.tasks(), "tasks")?;
    tasks.extend(shared.own_tasks());
    // What needs attention first; those that live before those that were.
    tasks.sort_by_key(|task| (!task.overdue, matches!(task.state, TaskState::Ended(_))));
    let count = |wanted: fn(&TaskStatus) -> bool| tasks.iter().filter(|task| wanted(task)).count();
    let live = count(|task| matches!(task.state, TaskState::Running));
    let overdue = count(|task| task.overdue);
    let left_out = tasks.len().saturating_sub(TASKS_MAX);
    let rows = tasks.iter().take(TASKS_MAX).map(TaskDto::new).collect::<Vec<_>>();
    let turn = shared.turn(rows.len()).await?;
    shared.send_page(turn, &TasksDto { live, overdue, left_out, tasks: rows })
}

pub(crate) async fn pool(State(shared): App) -> Answer<PoolDto> {
    let mut pool = known(shared.ports.source.pool(), "connections to the database")?;
    pool.held.truncate(HOLDERS_MAX);
    Ok(Json(pool))
}

pub(crate) async fn channels(State(shared): App) -> Answer<ChannelsDto> {
    let mut channels = known(shared.ports.source.channels(), "alert channels")?;
    channels.truncate(CHANNELS_MAX);
    Ok(Json(ChannelsDto { channels }))
}

fn known<T>(value: Option<T>, what: &str) -> Result<T, ApiError> {
    let unknown = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", format!("the {what} are not known now"));
    value.ok_or_else(|| unknown().hint("trading goes on; try again in a moment"))
}

impl Shared {
    /// The tasks that serve connections and subscribers.
    fn own_tasks(self: &Arc<Self>) -> impl Iterator<Item = TaskStatus> {
        [&self.live_tasks, &self.log_tasks, &self.connections].into_iter().flat_map(|tasks| tasks.status())
    }
}

/// `?from=INSTANT&to=INSTANT&points=500`. Text, so that a wrong figure is answered with a sentence.
#[derive(Deserialize)]
pub(crate) struct SystemQuery {
    from: Option<String>,
    to: Option<String>,
    points: Option<String>,
}

impl SystemQuery {
    fn samples(&self, now: Time) -> Result<SystemRange, ApiError> {
        let (from, to) = self.range(now, RANGE_DEFAULT, SAMPLES_RANGE_MAX, "an instant before `to`, at most 7 days")?;
        let points = number(self.points.as_deref(), "points", SYSTEM_POINTS_MIN as u64..=POINTS_MAX as u64, "a number from 8 to 10000")?;
        Ok(SystemRange { from, to, points: points.map_or(POINTS_DEFAULT, |points| points as usize) })
    }

    fn days(&self, now: Time) -> Result<DaysRange, ApiError> {
        if let Some(points) = &self.points {
            return Err(ApiError::bad_query("points", points, "left out: days are not thinned out"));
        }
        let day = std::time::Duration::from_secs(86_400);
        let (from, to) = self.range(now, day * DAYS_DEFAULT, day * DAYS_MAX, "an instant before `to`, at most 365 days")?;
        Ok(DaysRange { from, to })
    }

    fn range(&self, now: Time, default: std::time::Duration, most: std::time::Duration, wanted: &str) -> Result<(Time, Time), ApiError> {
        let instant = |key: &str, text: &Option<String>| {
            let read = |text: &String| when::parse(text).ok_or_else(|| ApiError::bad_query(key, text, when::WANTED));
            text.as_ref().map(read).transpose()
        };
        let to = instant("to", &self.to)?.unwrap_or(now);
        let earlier = Time::from_millis(to.millis().saturating_sub(default.as_millis() as u64));
        let from = instant("from", &self.from)?.unwrap_or(earlier);
        if from >= to || to.since(from) > most {
            let value = format!("{} to={}", from.millis(), to.millis());
            return Err(ApiError::bad_query("from", &value, wanted));
        }
        Ok((from, to))
    }
}
