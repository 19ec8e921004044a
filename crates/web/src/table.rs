//! The table of every route: what it needs, what it changes, and what answers it. The router is made of it, and nothing else is.

use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::MethodRouter;
use axum::{Router, middleware};
use http::Method;

use crate::auth::{self, Enter, Scope, enter};
use crate::openapi::Doc;
use crate::routes::Shared;
use crate::{control, desk, dto, logs, openapi, pprof, routes, settings, system};

/// What a request must bring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Nothing, from wherever it comes.
    Nothing,
    /// Nothing; but who is known is told more, or gets rid of what he has.
    Known,
    /// Nothing from this machine while `web.open_reading` is set, [`Scope::Read`] else.
    OpenReading,
    /// A session or a token that may do so much.
    Scope(Scope),
}

/// What a request does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It looks.
    Reads,
    /// It changes something, and is written down under this word.
    Changes(&'static str),
}

/// A route, for whoever wants to go through all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteRule {
    /// Its method; GET stands for HEAD, too.
    pub method: Method,
    /// Its path, with `{names}` of its parts.
    pub path: &'static str,
    /// What a request must bring.
    pub needs: Needs,
    /// What it does.
    pub effect: Effect,
}

/// A route and what answers it.
pub(crate) struct Route {
    pub(crate) rule: RouteRule,
    pub(crate) doc: Doc,
    handler: MethodRouter<Arc<Shared>>,
}

const READ: Needs = Needs::Scope(Scope::Read);
const CONTROL: Needs = Needs::Scope(Scope::Control);
const ADMIN: Needs = Needs::Scope(Scope::Admin);

fn get<H: Handler<T, Arc<Shared>>, T: 'static>(path: &'static str, needs: Needs, handler: H, doc: Doc) -> Route {
    Route { doc, rule: RouteRule { method: Method::GET, path, needs, effect: Effect::Reads }, handler: axum::routing::get(handler) }
}

fn post<H: Handler<T, Arc<Shared>>, T: 'static>(path: &'static str, needs: Needs, effect: Effect, handler: H, doc: Doc) -> Route {
    Route { doc, rule: RouteRule { method: Method::POST, path, needs, effect }, handler: axum::routing::post(handler) }
}

fn delete<H: Handler<T, Arc<Shared>>, T: 'static>(path: &'static str, needs: Needs, action: &'static str, handler: H, doc: Doc) -> Route {
    let effect = Effect::Changes(action);
    Route { doc, rule: RouteRule { method: Method::DELETE, path, needs, effect }, handler: axum::routing::delete(handler) }
}

/// Lists every route.
pub(crate) fn routes() -> Vec<Route> {
    use Effect::{Changes, Reads};
    use Needs::{Known, Nothing, OpenReading};
    vec![
        // Whoever runs us looks whether we live.
        get("/livez", Nothing, routes::livez, Doc::json::<dto::HealthDto>("health", "Whether the process lives").or_unready()),
        get("/readyz", Nothing, routes::readyz, Doc::json::<dto::HealthDto>("health", "Whether every symbol trades").or_unready()),
        get(
            "/metrics",
            OpenReading,
            routes::prometheus,
            Doc::text("health", "All metrics in Prometheus' text format", "text/plain; version=0.0.4; charset=utf-8"),
        ),
        // Logins.
        get("/api/auth/status", Known, auth::status, Doc::json::<dto::AuthStatusDto>("auth", "Who asks, and what a page needs to go on")),
        post(
            "/api/auth/setup",
            Known,
            Changes("setup"),
            auth::setup,
            Doc::json::<dto::AuthStatusDto>("auth", "Sets the first password, by the code of the printed link").takes::<auth::Setup>(),
        ),
        post(
            "/api/auth/login",
            Known,
            Changes("login"),
            auth::login,
            Doc::json::<dto::AuthStatusDto>("auth", "Begins a session").takes::<auth::Login>(),
        ),
        post("/api/auth/logout", READ, Changes("logout"), auth::logout, Doc::nothing("auth", "Ends this session")),
        post(
            "/api/auth/password",
            ADMIN,
            Changes("password"),
            auth::set_password,
            Doc::json::<dto::AuthStatusDto>("auth", "Sets another password, and ends all other sessions").takes::<auth::ChangePassword>(),
        ),
        post(
            "/api/auth/reset",
            ADMIN,
            Changes("reset"),
            auth::reset,
            Doc::json::<dto::ResetDto>("auth", "Forgets the password; with the admin token of the file alone"),
        ),
        get("/api/auth/sessions", ADMIN, auth::sessions, Doc::json::<dto::SessionsDto>("auth", "Who is logged in")),
        delete(
            "/api/auth/sessions",
            ADMIN,
            "sessions.end",
            auth::end_other_sessions,
            Doc::json::<dto::EndedDto>("auth", "Ends all sessions but this one"),
        ),
        delete("/api/auth/sessions/{id}", ADMIN, "sessions.end", auth::end_session, Doc::nothing("auth", "Ends a session")),
        post(
            "/api/auth/totp/begin",
            ADMIN,
            Changes("totp.begin"),
            auth::begin_totp,
            Doc::json::<dto::TotpDto>("auth", "Begins to set one-time codes up").takes::<auth::BeginTotp>(),
        ),
        post(
            "/api/auth/totp/confirm",
            ADMIN,
            Changes("totp.confirm"),
            auth::confirm_totp,
            Doc::json::<dto::RecoveryDto>("auth", "Confirms one-time codes by a first one").takes::<auth::ConfirmTotp>(),
        ),
        post(
            "/api/auth/totp/remove",
            ADMIN,
            Changes("totp.remove"),
            auth::remove_totp,
            Doc::nothing("auth", "Removes one-time codes").takes::<auth::RemoveTotp>(),
        ),
        get("/api/auth/tokens", ADMIN, auth::tokens, Doc::json::<dto::TokensDto>("auth", "The tokens for programs")),
        post(
            "/api/auth/tokens",
            ADMIN,
            Changes("tokens.make"),
            auth::make_token,
            Doc::json::<dto::TokenMadeDto>("auth", "Makes a token, and tells it once").takes::<auth::MakeToken>(),
        ),
        delete("/api/auth/tokens/{id}", ADMIN, "tokens.revoke", auth::revoke_token, Doc::nothing("auth", "Revokes a token")),
        get("/api/audit", ADMIN, auth::audit, Doc::page::<dto::AuditDto>("auth", "What was done, newest first").query(openapi::AUDIT)),
        get("/api/openapi.json", Nothing, openapi::document, Doc::text("health", "This document", "application/json")),
        // Trading.
        get("/api/status", OpenReading, routes::status, Doc::json::<dto::StatusDto>("trading", "The whole bot at a glance")),
        get("/api/symbols", READ, routes::symbols, Doc::list::<dto::SummaryDto>("trading", "Every symbol at a glance")),
        get("/api/symbols/{id}", READ, routes::symbol, Doc::json::<dto::DetailDto>("trading", "A symbol in full")),
        get("/api/symbols/{id}/slots", READ, routes::slots, Doc::page::<dto::SlotDto>("trading", "Its slots, the highest price first")),
        get("/api/symbols/{id}/orders", READ, routes::orders, Doc::page::<dto::OrderDto>("trading", "Its stored orders, newest first")),
        get("/api/symbols/{id}/fills", READ, routes::fills, Doc::page::<dto::FillDto>("trading", "Its executions, newest first")),
        get(
            "/api/symbols/{id}/funding",
            READ,
            routes::funding,
            Doc::page::<dto::FundingDto>("trading", "Its funding payments, newest first"),
        ),
        get(
            "/api/symbols/{id}/pnl/daily",
            READ,
            system::pnl_of_symbol,
            Doc::json::<dto::PnlDailyDto>("trading", "What it earned on each day").query(openapi::DAYS),
        ),
        get(
            "/api/equity",
            READ,
            routes::equity,
            Doc::json::<dto::EquityDto>("trading", "The equity line, thinned out").query(openapi::EQUITY),
        ),
        get(
            "/api/pnl/daily",
            READ,
            system::pnl,
            Doc::json::<dto::PnlDailyDto>("trading", "What all symbols earned on each day").query(openapi::DAYS),
        ),
        get("/api/events", READ, routes::events, Doc::page::<dto::EventDto>("trading", "What people were told, newest first")),
        get(
            "/api/symbols/{id}/candles",
            READ,
            desk::candles,
            Doc::json::<dto::CandlesDto>("trading", "Its candles, oldest first").query(openapi::CANDLES),
        ),
        get(
            "/api/orders",
            READ,
            desk::orders,
            Doc::table::<dto::OrderDto>("trading", "Orders of all symbols, newest first").query(openapi::ORDERS),
        ),
        get(
            "/api/fills",
            READ,
            desk::fills,
            Doc::table::<dto::FillDto>("trading", "Executions of all symbols, newest first").query(openapi::FILLS),
        ),
        get("/api/strategies", READ, desk::strategies, Doc::json::<dto::StrategiesDto>("trading", "What trades, and what it has earned")),
        get("/api/risk", READ, desk::risk, Doc::json::<dto::GuardsDto>("trading", "Everything that guards the account and its symbols")),
        post(
            "/api/symbols/{id}/control/{verb}/preview",
            CONTROL,
            Reads,
            control::preview_symbol,
            Doc::json::<dto::PreviewDto>("control", "What a command for a symbol would do"),
        ),
        post(
            "/api/symbols/{id}/control/{verb}",
            CONTROL,
            Changes("control"),
            control::symbol,
            Doc::json::<dto::DoneDto>("control", "Commands a symbol").may_take::<control::Confirm>(),
        ),
        post(
            "/api/control/{verb}/preview",
            CONTROL,
            Reads,
            control::preview_all,
            Doc::json::<dto::PreviewDto>("control", "What a command for all symbols would do"),
        ),
        post(
            "/api/control/{verb}",
            CONTROL,
            Changes("control"),
            control::all,
            Doc::json::<dto::DoneDto>("control", "Commands all symbols, or the process").may_take::<control::Confirm>(),
        ),
        // The configuration.
        get("/api/config", ADMIN, settings::current, Doc::json::<dto::ConfigDto>("config", "The configuration as the process knows it")),
        post(
            "/api/config/preview",
            ADMIN,
            Reads,
            settings::preview,
            Doc::json::<dto::ConfigPreviewDto>("config", "What a text would change, and what is wrong with it").takes::<settings::Text>(),
        ),
        post(
            "/api/config/apply",
            ADMIN,
            Changes("config.apply"),
            settings::apply,
            Doc::json::<dto::ConfigAppliedDto>("config", "Replaces the file, and takes over what counts at once")
                .takes::<settings::Change>(),
        ),
        get("/api/config/backups", ADMIN, settings::backups, Doc::json::<dto::ConfigBackupsDto>("config", "The backups, newest first")),
        get("/api/config/backups/{id}", ADMIN, settings::backup, Doc::json::<dto::ConfigBackupTextDto>("config", "The text of a backup")),
        post(
            "/api/config/backups/{id}/restore",
            ADMIN,
            Changes("config.restore"),
            settings::restore,
            Doc::json::<dto::ConfigAppliedDto>("config", "Puts a backup in the file's place").takes::<settings::Back>(),
        ),
        delete("/api/config/backups/{id}", ADMIN, "config.forget", settings::forget, Doc::nothing("config", "Removes a backup")),
        // The process.
        get(
            "/api/logs",
            READ,
            logs::list,
            Doc::page::<dto::LogDto>("process", "Stored lines of the log, newest first").query(openapi::LOGS),
        ),
        get("/api/ledger", READ, routes::ledger, Doc::json::<dto::LedgerDto>("process", "Every buffer with its limit")),
        get(
            "/api/system/metrics/current",
            OpenReading,
            routes::metrics,
            Doc::json::<dto::MetricsDto>("process", "Memory and processor now"),
        ),
        get(
            "/api/system/metrics",
            READ,
            system::history,
            Doc::json::<dto::SystemDto>("process", "Samples of the process, thinned out").query(openapi::SAMPLES),
        ),
        get(
            "/api/system/metrics/daily",
            READ,
            system::daily,
            Doc::json::<dto::SystemDailyDto>("process", "Days of the process").query(openapi::DAYS),
        ),
        get("/api/tasks", READ, system::tasks, Doc::json::<dto::TasksDto>("process", "Tasks that run, and those that ended lately")),
        get("/api/pool", READ, system::pool, Doc::json::<dto::PoolDto>("process", "Connections to the database")),
        get("/api/streams", READ, desk::streams, Doc::json::<dto::StreamsDto>("process", "Connections to the exchange")),
        get("/api/rates", READ, desk::rates, Doc::json::<dto::RatesDto>("process", "What the exchange allows, and what is used of it")),
        get("/api/disk", READ, desk::disk, Doc::json::<dto::DiskDto>("process", "What our files take")),
        get("/api/journal", READ, desk::journal, Doc::json::<dto::JournalDto>("process", "What is recorded of the engines")),
        get("/api/alerts/channels", READ, system::channels, Doc::json::<dto::ChannelsDto>("process", "Channels for alerts")),
        get(
            "/debug/pprof/heap",
            ADMIN,
            pprof::heap,
            Doc::text("process", "A profile of the memory, in pprof's format", "application/octet-stream"),
        ),
        get(
            "/debug/pprof/profile",
            ADMIN,
            pprof::cpu,
            Doc::text("process", "A profile of the processor, in pprof's format", "application/octet-stream").query(openapi::PROFILE),
        ),
        // Live.
        get("/ws", READ, routes::live, Doc::socket("live", "Live updates").query(openapi::WATCH)),
        get("/ws/logs", READ, logs::live, Doc::socket("live", "The log as it is written").query(openapi::LOGS_LIVE)),
    ]
}

/// Makes the router: each route behind its own door.
pub(crate) fn router(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    routes().into_iter().fold(Router::new(), |router, Route { rule, handler, doc: _ }| {
        let door = Enter { shared: Arc::clone(shared), needs: rule.needs, effect: rule.effect };
        router.route(rule.path, handler.layer(middleware::from_fn_with_state(door, enter)))
    })
}
