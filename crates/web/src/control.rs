//! Commands: what would happen, in numbers, and that it does.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, body};
use http::StatusCode;
use plimsoll_market::{Price, Round, Symbol, format_units};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::auth::{Caller, Noted, Via};
use crate::convert::{money, shown_price};
use crate::dto::{AtStakeDto, DoneDto, PreviewDto};
use crate::error::ApiError;
use crate::extract::Path;
use crate::guard::too_large;
use crate::limits::{BODY_BYTES_MAX, PREVIEW_KEYS, PREVIEW_SENTENCES};
use crate::ports::{SymbolNow, System, Verb};
use crate::routes::{Answer, App, Shared};

/// What confirms a command.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirm {
    /// The word of the preview; those with a session need it where the preview has one.
    #[serde(default)]
    confirm: Option<String>,
}

pub(crate) async fn preview_symbol(State(shared): App, Path((id, verb)): Path<(String, String)>) -> Answer<PreviewDto> {
    let (verb, symbols, _) = meant(&shared, Some(&id), &verb)?;
    Ok(Json(preview(verb, &symbols, &shared.ports.source.system(), &[])))
}

pub(crate) async fn preview_all(State(shared): App, Path(verb): Path<String>) -> Answer<PreviewDto> {
    let (verb, symbols, _) = meant(&shared, None, &verb)?;
    Ok(Json(preview(verb, &symbols, &shared.ports.source.system(), &waiting(&shared, verb)?)))
}

pub(crate) async fn symbol(
    State(shared): App,
    Extension(caller): Extension<Caller>,
    Path((id, verb)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    command(&shared, &caller, Some(&id), &verb, request).await
}

pub(crate) async fn all(
    State(shared): App,
    Extension(caller): Extension<Caller>,
    Path(verb): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    command(&shared, &caller, None, &verb, request).await
}

async fn command(shared: &Arc<Shared>, caller: &Caller, id: Option<&str>, verb: &str, request: Request) -> Result<Response, ApiError> {
    // A body is read to its limit, so that the connection can go on.
    let body = body::to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| too_large())?;
    let (verb, symbols, symbol) = meant(shared, id, verb)?;
    let blank = body.iter().all(u8::is_ascii_whitespace);
    let said = if blank { Some(Confirm::default()) } else { serde_json::from_slice(&body).ok() };
    let Some(Confirm { confirm: said }) = said else {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_body", "the body is not empty, and no {\"confirm\":\"word\"} either")
            .hint("/api/openapi.json says what is wanted"));
    };
    let preview = preview(verb, &symbols, &shared.ports.source.system(), &waiting(shared, verb)?);
    if let (Some(word), Via::Session { .. }) = (&preview.confirm, &caller.via)
        && said.as_deref() != Some(word)
    {
        return Err(ApiError::new(StatusCode::CONFLICT, "confirm_needed", preview.text)
            .hint("ask for the preview, and send its word as {\"confirm\":\"word\"}; it changes with what would happen"));
    }
    let taken = shared.ports.control.command(symbol, verb).await?;
    let noted = match preview.positions.as_slice() {
        [] => format!("{} orders", preview.orders_canceled),
        held => format!("{} orders, {} positions", preview.orders_canceled, held.len()),
    };
    let symbols = taken.symbols.iter().map(Symbol::to_string).collect();
    let mut response = Json(DoneDto { verb: verb.as_str().to_owned(), symbols, detail: taken.detail }).into_response();
    response.extensions_mut().insert(Noted(noted));
    Ok(response)
}

/// The verb, the symbols that it is for, and the one that was named.
type Meant = (Verb, Vec<Arc<SymbolNow>>, Option<Symbol>);

fn meant(shared: &Shared, id: Option<&str>, verb: &str) -> Result<Meant, ApiError> {
    let known = Verb::ALL.map(Verb::as_str).join(", ");
    let Some(verb) = Verb::parse(verb) else {
        let shown: String = verb.chars().take(40).collect();
        return Err(ApiError::new(StatusCode::NOT_FOUND, "unknown_verb", format!("no command is called {shown}"))
            .hint(format!("commands are {known}")));
    };
    let one = id.map(|id| shared.find(id)).transpose()?;
    if one.is_some() && verb.command().is_none() {
        let why = format!("{} is for the whole process", verb.as_str());
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "refused", why).hint("pause the symbol instead"));
    }
    let symbol = one.as_ref().map(|(symbol, _)| *symbol);
    Ok((verb, one.map_or_else(|| shared.live.symbols(), |(_, now)| vec![now]), symbol))
}

/// The keys whose values count from a restart on; none for other commands.
///
/// # Errors
/// The process could not begin anew with the file as it is.
fn waiting(shared: &Shared, verb: Verb) -> Result<Vec<String>, ApiError> {
    if verb != Verb::Restart {
        return Ok(Vec::new());
    }
    shared.ports.settings.at_restart().map_err(|why| {
        ApiError::new(StatusCode::CONFLICT, "refused", why)
            .hint("mend the configuration's file, or put a backup in its place; nothing was changed")
    })
}

/// Says what a command would do, by what the engines last told. `waiting` are keys that count from a restart on.
pub(crate) fn preview(verb: Verb, symbols: &[Arc<SymbolNow>], system: &System, waiting: &[String]) -> PreviewDto {
    let (cancels, closes) = match verb {
        Verb::CancelAll => (true, false),
        Verb::Flatten => (true, true),
        Verb::Stop => (system.on_stop != "keep", system.on_stop == "flatten"),
        Verb::Pause | Verb::Resume | Verb::Drain | Verb::Rearm | Verb::CleanupSlots | Verb::Resync | Verb::Restart => (false, false),
    };
    let orders: usize = symbols.iter().map(|now| now.status.orders.len()).sum();
    let held = symbols.iter().filter(|now| !now.status.holding.is_flat());
    let positions: Vec<AtStakeDto> = held.filter(|_| closes).map(|now| at_stake(now)).collect();
    let mut sentences: Vec<String> =
        symbols.iter().take(PREVIEW_SENTENCES).map(|now| sentence(verb, now, (cancels, closes), system.on_stop)).collect();
    let more = symbols.len().saturating_sub(PREVIEW_SENTENCES);
    if more > 0 {
        sentences.push(format!("The same for {more} more symbols."));
    }
    if verb == Verb::Stop {
        sentences.insert(0, "The process stops.".to_owned());
    }
    if verb == Verb::Restart {
        let some: Vec<&str> = waiting.iter().take(PREVIEW_KEYS).map(String::as_str).collect();
        let counts = match (some.join(", "), waiting.len().saturating_sub(PREVIEW_KEYS)) {
            (none, _) if none.is_empty() => "nothing of the configuration waits for it".to_owned(),
            (all, 0) => format!("from then on count {all}"),
            (some, more) => format!("from then on count {some} and {more} more"),
        };
        sentences.insert(0, format!("The process begins anew and does not trade for some seconds; {counts}."));
    }
    let orders_canceled = if cancels { orders as u64 } else { 0 };
    PreviewDto {
        verb: verb.as_str().to_owned(),
        symbols: symbols.iter().map(|now| now.status.symbol.to_string()).collect(),
        text: sentences.join(" "),
        orders_canceled,
        confirm: word(verb, symbols, (cancels, closes)),
        positions,
    }
}

fn at_stake(now: &SymbolNow) -> AtStakeDto {
    let SymbolNow { instrument, status } = now;
    AtStakeDto {
        symbol: status.symbol.to_string(),
        qty: format_units(i128::from(status.holding.units()), instrument.qty_scale).to_string(),
        value: shown_price(now).and_then(|price| worth(now, price)).map(money),
        asset: instrument.quote.to_string(),
        unrealized: status.pnl.unrealized.map(money),
    }
}

/// What the position is worth at a price, without its sign, in units of 1e-8 of the quote asset.
fn worth(now: &SymbolNow, price: Price) -> Option<i128> {
    now.instrument.amount(price * now.status.holding.qty(), Round::Nearest).ok().map(|amount| amount.units)
}

fn sentence(verb: Verb, now: &SymbolNow, (cancels, closes): (bool, bool), on_stop: &str) -> String {
    let SymbolNow { instrument, status } = now;
    let name = status.symbol;
    let orders = match status.orders.len() {
        1 => "1 order".to_owned(),
        count => format!("{count} orders"),
    };
    let position = || {
        let stake = at_stake(now);
        let side = if status.holding.units() < 0 { "short" } else { "long" };
        let qty = stake.qty.trim_start_matches('-').to_owned();
        let value = stake.value.as_deref().map_or_else(|| "unknown".to_owned(), brief);
        let gain = stake.unrealized.as_deref().map_or_else(|| "unknown".to_owned(), brief);
        format!("{qty} {} {side}, worth {value} {}, unrealised {gain}", instrument.base, instrument.quote)
    };
    match verb {
        Verb::Pause => format!("{name} opens nothing more: its opening orders are withdrawn, closing goes on."),
        Verb::Resume => match status.lock {
            Some(lock) => format!("{name} may open again once {} has been lifted or is over.", lock.rule.as_str()),
            None => format!("{name} may open again."),
        },
        Verb::Drain => format!("{name} opens nothing more and tells when nothing is left to sell."),
        Verb::Rearm => match status.lock {
            Some(lock) => format!("{name}: what {} has locked is lifted, and it may open again.", lock.rule.as_str()),
            None => format!("{name} has nothing locked; a halt is lifted."),
        },
        Verb::CleanupSlots => format!("{name}: slots that hold nothing and have no order are dropped."),
        Verb::Resync => format!("{name}: fills, position and open orders are fetched again."),
        Verb::Stop | Verb::Restart if (on_stop == "keep" || verb == Verb::Restart) && status.holding.is_flat() => {
            format!("{name}: {orders} stay at the exchange.")
        }
        Verb::Stop | Verb::Restart if on_stop == "keep" || verb == Verb::Restart => {
            format!("{name}: {orders} and the position of {} stay at the exchange.", position())
        }
        Verb::CancelAll | Verb::Flatten | Verb::Stop | Verb::Restart => match (cancels, closes, status.holding.is_flat()) {
            (_, true, false) => format!("{name}: {orders} are withdrawn, and the position of {} is closed at market.", position()),
            (_, true, true) => format!("{name}: {orders} are withdrawn; there is no position to close."),
            (_, false, false) => format!("{name}: {orders} are withdrawn; the position of {} stays.", position()),
            (_, false, true) => format!("{name}: {orders} are withdrawn; there is no position."),
        },
    }
}

/// Money with two digits, for a sentence.
fn brief(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, digits)) => format!("{whole}.{}", digits.get(..2).unwrap_or(digits)),
        None => text.to_owned(),
    }
}

/// Words that are easy to read and to type.
const WORDS: [&str; 32] = [
    "anchor", "ballast", "barge", "beacon", "bow", "buoy", "cabin", "canal", "cargo", "chart", "coral", "deck", "dock", "ferry", "galley",
    "gull", "harbour", "hull", "jetty", "keel", "lagoon", "mast", "mooring", "oar", "pier", "reef", "rudder", "sail", "shore", "stern",
    "tide", "wharf",
];

/// The word that confirms a command that withdraws, closes, or lifts a lock. It changes when the symbols, their sides, what is locked, or
/// the size of what is at stake change so much that somebody who confirmed the one might not want the other.
fn word(verb: Verb, symbols: &[Arc<SymbolNow>], (cancels, closes): (bool, bool)) -> Option<String> {
    if !matches!(verb, Verb::Flatten | Verb::CancelAll | Verb::Rearm | Verb::Stop | Verb::Restart) {
        return None;
    }
    let mut mark = Mark::new();
    mark.add(verb.as_str().as_bytes());
    for now in symbols {
        let status = &now.status;
        mark.add(status.symbol.as_str().as_bytes());
        if cancels {
            mark.add(&[magnitude(status.orders.len() as i128)]);
        }
        if closes {
            let worth = shown_price(now).and_then(|price| worth(now, price)).unwrap_or(0);
            mark.add(&[status.holding.side().map_or(0, |side| 1 + side as u8), magnitude(worth)]);
        }
        if verb == Verb::Rearm {
            mark.add(status.lock.map_or("", |lock| lock.rule.as_str()).as_bytes());
        }
    }
    let place = usize::try_from(mark.0 % WORDS.len() as u64).unwrap_or(0);
    let number = mark.0 / WORDS.len() as u64 % 90 + 10;
    WORDS.get(place).map(|word| format!("{word}{number}"))
}

/// Which power of four it is near: what trades meanwhile does not change the word at every fill.
const fn magnitude(value: i128) -> u8 {
    (i128::BITS - value.leading_zeros()).div_ceil(2) as u8
}

/// FNV-1a: the same on every machine and after every restart.
struct Mark(u64);

impl Mark {
    const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::MadeUp;
    use plimsoll_market::{Holding, Time};
    use std::time::Duration;

    fn symbols() -> Vec<Arc<SymbolNow>> {
        let market = MadeUp::new(3, Time::from_millis(1_700_000_000_000), Duration::from_secs(60));
        crate::ports::Source::symbols(market.as_ref())
    }

    fn system(on_stop: &'static str) -> System {
        let market = MadeUp::new(3, Time::from_millis(1_700_000_000_000), Duration::from_secs(1));
        System { on_stop, ..crate::ports::Source::system(market.as_ref()) }
    }

    #[test]
    fn what_only_looks_or_opens_needs_no_word() {
        let (symbols, system) = (symbols(), system("cancel"));
        for verb in Verb::ALL {
            let wanted = matches!(verb, Verb::Flatten | Verb::CancelAll | Verb::Rearm | Verb::Stop | Verb::Restart);
            let said = preview(verb, &symbols, &system, &[]);
            assert_eq!(said.confirm.is_some(), wanted, "{}", verb.as_str());
            assert_eq!(said.symbols, ["BTCUSDT", "ETHUSDT"]);
            assert!(symbols.iter().all(|now| said.text.contains(now.status.symbol.as_str())), "{}", said.text);
        }
    }

    #[test]
    fn numbers_are_those_of_the_engines() {
        let symbols = symbols();
        let orders: usize = symbols.iter().map(|now| now.status.orders.len()).sum();
        let held = symbols.iter().filter(|now| !now.status.holding.is_flat()).count();
        assert!(orders > 0 && held > 0);
        for (verb, on_stop, canceled, closed) in [
            (Verb::Flatten, "keep", orders, held),
            (Verb::CancelAll, "keep", orders, 0),
            (Verb::Rearm, "flatten", 0, 0),
            (Verb::Stop, "keep", 0, 0),
            (Verb::Stop, "cancel", orders, 0),
            (Verb::Stop, "flatten", orders, held),
            (Verb::Restart, "flatten", 0, 0),
        ] {
            let said = preview(verb, &symbols, &system(on_stop), &[]);
            assert_eq!((said.orders_canceled, said.positions.len()), (canceled as u64, closed), "{} {on_stop}", verb.as_str());
        }
        let now = symbols.iter().find(|now| !now.status.holding.is_flat()).unwrap();
        let stake = at_stake(now);
        let (price, scales) = (shown_price(now).unwrap(), now.instrument.price_scale + now.instrument.qty_scale);
        let value = i128::from(price.units()) * i128::from(now.status.holding.units().abs()) * 10_i128.pow(u32::from(8 - scales));
        assert_eq!(stake.value, Some(money(value)));
        assert_eq!(stake.unrealized, now.status.pnl.unrealized.map(money));
    }

    #[test]
    fn the_word_changes_with_what_would_happen_but_not_with_every_fill() {
        let symbols = symbols();
        let change = |change: &dyn Fn(&mut SymbolNow)| {
            let mut changed = symbols.clone();
            let mut first = SymbolNow::clone(&changed[0]);
            change(&mut first);
            changed[0] = Arc::new(first);
            changed
        };
        let of = |verb, symbols: &[Arc<SymbolNow>]| preview(verb, symbols, &system("cancel"), &[]).confirm.unwrap();
        let words: Vec<String> = [Verb::Flatten, Verb::CancelAll, Verb::Rearm, Verb::Stop].map(|verb| of(verb, &symbols)).to_vec();
        assert!((1..4).all(|at| !words[..at].contains(&words[at])), "{words:?}");
        assert_ne!(of(Verb::Flatten, &symbols[..1]), words[0]);
        let units = symbols[0].status.holding.units().max(4);
        let held = |units: i64| change(&|now: &mut SymbolNow| now.status.holding = Holding::from_units(units));
        assert_eq!(of(Verb::Flatten, &held(units)), of(Verb::Flatten, &held(units + 1)), "one lot more is the same");
        assert_ne!(of(Verb::Flatten, &held(units)), of(Verb::Flatten, &held(-units)));
        assert_ne!(of(Verb::Flatten, &held(units)), of(Verb::Flatten, &held(8 * units)));
        assert_ne!(of(Verb::Flatten, &held(units)), of(Verb::Flatten, &held(0)));
        let fewer = change(&|now: &mut SymbolNow| now.status.orders.truncate(1));
        assert_ne!(of(Verb::CancelAll, &fewer), words[1]);
    }
}
