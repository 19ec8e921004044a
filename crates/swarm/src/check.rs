//! What is compared with the venue when a world has come to rest.

use crate::bot::TAG;
use crate::disk::Disk;
use plimsoll_market::{ClientId, Qty, Side, Symbol, Totals, TradeId};
use plimsoll_position::invariants::{Broken, Invariant, Truth, agree, agree_out_of_order, no_order_twice, position_agrees};
use plimsoll_sim::limits::{COIN_PRICE, PAGE_MAX};
use plimsoll_sim::venue::{AccountId, Page, TradeRow, Venue};

pub(crate) const ACCOUNT: AccountId = AccountId(0);

/// Our open orders of a symbol at the venue.
pub(crate) fn ours_open(venue: &Venue, symbol: Symbol) -> Vec<ClientId> {
    let open = venue.open_orders(ACCOUNT, Some(symbol)).unwrap_or_default();
    open.iter().filter_map(|row| ClientId::parse(&row.client_id).ok()).filter(|id| id.tag() == TAG).collect()
}

/// No slot of a symbol has two open orders.
pub(crate) fn legs(venue: &Venue, symbol: Symbol) -> Result<(), Broken> {
    no_order_twice(&ours_open(venue, symbol))
}

/// What takes from its leg is at the exchange as an order that can only reduce: no strategy of these worlds holds both ways.
pub(crate) fn only_reduces(venue: &Venue, symbol: Symbol) -> Result<(), Broken> {
    let open = venue.open_orders(ACCOUNT, Some(symbol)).unwrap_or_default();
    let closes = |id: ClientId| id.tag() == TAG && !id.leg().opens(id.side());
    let mut closing = open.iter().filter(|row| ClientId::parse(&row.client_id).is_ok_and(closes));
    match closing.find(|row| !row.reduce_only) {
        Some(row) => Err(Broken::new(Invariant::ReducesOnly, &format_args!("{symbol}: order {} could open", row.client_id))),
        None => Ok(()),
    }
}

/// All executions of a symbol that the venue remembers, after one of them.
pub(crate) fn executions(venue: &Venue, symbol: Symbol, after: Option<TradeId>) -> Option<Vec<TradeRow>> {
    let (mut all, mut from) = (Vec::new(), after.map_or(0, |id| id.0 + 1));
    loop {
        let page = Page { from_id: Some(from), start: None, end: None, limit: PAGE_MAX };
        let trades = venue.user_trades(ACCOUNT, symbol, None, page).ok()?;
        let Some(last) = trades.last() else { return Some(all) };
        from = last.trade_id + 1;
        all.extend(trades);
    }
}

/// What fees in the exchange's own coin are worth: its price is whole there, so that a sum of them is exact however it is divided.
fn worth(coin: i128) -> i128 {
    coin * i128::from(COIN_PRICE.units()) / 100_000_000
}

/// What the venue says of a symbol since trading began there: what was executed before is nobody's to book.
pub(crate) fn truth(venue: &Venue, symbol: Symbol, began: Option<TradeId>) -> Option<Truth> {
    let position = venue.position(ACCOUNT, symbol).ok()?;
    let trades = executions(venue, symbol, began)?;
    let sum = |side: Side| trades.iter().filter(|trade| trade.side == side).fold(Qty::ZERO, |sum, trade| sum + trade.qty);
    Some(Truth {
        holding: position.holding,
        cost: Some(position.cost),
        fills: trades.len() as u64,
        bought: sum(Side::Buy),
        sold: sum(Side::Sell),
        fees: trades.iter().filter(|trade| !trade.in_coin).map(|trade| trade.commission).sum(),
        other_fees: trades.iter().filter(|trade| trade.in_coin).map(|trade| worth(trade.commission)).sum(),
        realized: trades.iter().map(|trade| trade.realized).sum(),
    })
}

/// How much of the books can be compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Compare {
    /// Everything.
    All,
    /// Everything but how cash is divided between profit and cost: executions were booked out of their order.
    OutOfOrder,
    /// The position: the books began after the account.
    Position,
}

/// What is stored against the venue.
pub(crate) fn books(venue: &Venue, symbol: Symbol, disk: &Disk, began: Option<TradeId>, compare: Compare) -> Result<(), Broken> {
    let totals = disk.totals.unwrap_or(Totals::EMPTY);
    // What waits for the coin's price is known all the same.
    let waiting = totals.waiting.map_or(0, |waiting| worth(waiting.amount.units));
    let totals = Totals { other_fees: totals.other_fees + waiting, waiting: None, ..totals };
    let Some(truth) = truth(venue, symbol, began) else {
        return Err(Broken::new(Invariant::PositionAgrees, &"the venue does not know the symbol"));
    };
    match compare {
        Compare::All => agree(&totals, &truth),
        Compare::OutOfOrder => {
            let scale = venue.instrument(symbol).map_or(0, |instrument| instrument.price_scale + instrument.qty_scale);
            agree_out_of_order(&totals, &truth, 10_i128.pow(u32::from(8_u8.saturating_sub(scale))))
        }
        Compare::Position => position_agrees(&totals, &Truth { cost: None, ..truth }),
    }
}
