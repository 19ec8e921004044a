use core::time::Duration;

use plimsoll_exchange::binance::server::{
    ApiError, CancelTarget, ClientText, List, ModifyOrder, NewOrder, Object, Params, ResponseType, parse_batch, write_order,
    write_queried_order, write_user_trade,
};
use plimsoll_market::{Instrument, Notional, OrderStatus, PositionSide, Qty, Time};
use plimsoll_sim::VenueError;
use plimsoll_sim::venue::{AccountId, OrderRow};

use super::market::page;
use super::{Desk, done};
use crate::convert;
use crate::limits::{BATCH_CANCEL_MAX, BATCH_PLACE_MAX, PAGE_MAX};

/// Longest span of `userTrades`, in milliseconds: seven days.
const TRADES_SPAN_MS: u64 = 7 * 24 * 3_600_000;

fn refused(error: VenueError) -> ApiError {
    convert::refused(&error)
}

/// Writes an order as the reply to a change of it.
fn changed(instrument: &Instrument, row: &OrderRow) -> String {
    let mut out = String::with_capacity(512);
    write_order(&mut out, &convert::order(instrument, row));
    out
}

fn queried(out: &mut String, instrument: &Instrument, row: &OrderRow) {
    write_queried_order(out, &convert::order(instrument, row));
}

/// Writes outcomes one by one: orders and errors mixed, as batches are answered.
fn mixed(outcomes: Vec<Result<String, ApiError>>) -> String {
    let mut out = String::new();
    let mut list = List::new(&mut out);
    for outcome in outcomes {
        list.item(|out| match outcome {
            Ok(order) => out.push_str(&order),
            Err(error) => error.write(out),
        });
    }
    list.end();
    out
}

impl Desk {
    fn parse_order(&self, params: &Params) -> Result<NewOrder, ApiError> {
        let order = NewOrder::parse(params, |symbol| self.hub.find(symbol))?;
        // One-way accounts only: a side of a position is named in hedge mode.
        if order.position_side == PositionSide::Both { Ok(order) } else { Err(ApiError::position_side_mismatch()) }
    }

    pub(super) fn place(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let order = self.parse_order(params)?;
        let instrument = self.listed(order.symbol)?;
        let row = self.at_venue(now, |venue, sink| venue.place(now, account, convert::new_order(&order), sink)).map_err(refused)?;
        let told = match order.response {
            ResponseType::Result => row,
            // An acknowledgement says that the order was taken, even when it has filled already.
            ResponseType::Ack => OrderRow { status: OrderStatus::New, filled: Qty::ZERO, cost: Notional::ZERO, ..row },
        };
        Ok(changed(&instrument, &told))
    }

    pub(super) fn test_order(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let order = convert::new_order(&self.parse_order(params)?);
        self.at_venue(now, |venue, sink| venue.check_order(now, account, &order, sink)).map_err(refused)?;
        Ok("{}".to_owned())
    }

    pub(super) fn modify(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let change = ModifyOrder::parse(params, |symbol| self.hub.find(symbol))?;
        let instrument = self.listed(change.symbol)?;
        let target = convert::order_ref(change.target);
        let open = self.venue.open_order(account, change.symbol, target);
        if open.is_ok_and(|row| row.side != change.side) {
            return Err(ApiError::invalid_data("side"));
        }
        let row = self
            .at_venue(now, |venue, sink| venue.amend(now, account, change.symbol, target, change.price, change.qty, sink))
            .map_err(refused)?;
        Ok(changed(&instrument, &row))
    }

    pub(super) fn cancel(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let instrument = self.instrument(params)?;
        let target = CancelTarget::parse(params)?;
        self.cancel_one(now, account, &instrument, target)
    }

    fn cancel_one(&mut self, now: Time, account: AccountId, instrument: &Instrument, target: CancelTarget) -> Result<String, ApiError> {
        let row = self
            .at_venue(now, |venue, sink| venue.cancel(now, account, instrument.symbol, convert::order_ref(target), sink))
            .map_err(refused)?;
        Ok(changed(instrument, &row))
    }

    pub(super) fn place_batch(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let orders = parse_batch(params, BATCH_PLACE_MAX)?;
        self.count_orders(now, account, u32::try_from(orders.len()).unwrap_or(u32::MAX))?;
        Ok(mixed(orders.iter().map(|order| self.place(now, account, order)).collect()))
    }

    pub(super) fn modify_batch(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let orders = parse_batch(params, BATCH_PLACE_MAX)?;
        self.count_orders(now, account, u32::try_from(orders.len()).unwrap_or(u32::MAX))?;
        Ok(mixed(orders.iter().map(|order| self.modify(now, account, order)).collect()))
    }

    pub(super) fn cancel_batch(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let instrument = self.instrument(params)?;
        // ccxt writes the first name in lower case.
        let ids = params.maybe_array(["orderIdList", "orderidlist"])?;
        let texts = params.maybe_array(["origClientOrderIdList", "origclientorderidlist"])?;
        let targets: Vec<Result<CancelTarget, ApiError>> = match (ids, texts) {
            (Some(ids), _) => {
                let target = |id: String| id.parse().map(CancelTarget::OrderId).map_err(|_| ApiError::illegal("orderIdList", "integers"));
                ids.into_iter().map(target).collect()
            }
            (None, Some(texts)) => {
                let target = |text: String| ClientText::from(&text).map(CancelTarget::ClientId).map_err(|_| ApiError::client_id_long());
                texts.into_iter().map(target).collect()
            }
            (None, None) => return Err(ApiError::either("orderIdList", "origClientOrderIdList")),
        };
        if targets.is_empty() || targets.len() > BATCH_CANCEL_MAX {
            return Err(ApiError::batch_length());
        }
        let cancel = |target: Result<CancelTarget, ApiError>| self.cancel_one(now, account, &instrument, target?);
        Ok(mixed(targets.into_iter().map(cancel).collect()))
    }

    pub(super) fn cancel_all(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let symbol = self.instrument(params)?.symbol;
        self.at_venue(now, |venue, sink| venue.cancel_all(now, account, symbol, sink)).map_err(refused)?;
        Ok(done("The operation of cancel all open order is done."))
    }

    pub(super) fn countdown(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let symbol = self.instrument(params)?.symbol;
        params.need("countdownTime")?;
        let millis = params.maybe_millis("countdownTime")?.unwrap_or(0);
        let after = (millis > 0).then(|| Duration::from_millis(millis));
        self.at_venue(now, |venue, sink| venue.countdown_cancel_all(now, account, symbol, after, sink)).map_err(refused)?;
        let mut out = String::new();
        Object::new(&mut out).quoted("symbol", symbol).quoted("countdownTime", millis).end();
        Ok(out)
    }

    pub(super) fn query_order(&self, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let instrument = self.instrument(params)?;
        let target = convert::order_ref(CancelTarget::parse(params)?);
        let row = self.venue.order(account, instrument.symbol, target).map_err(refused)?;
        let mut out = String::new();
        queried(&mut out, &instrument, &row);
        Ok(out)
    }

    pub(super) fn open_order(&self, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let instrument = self.instrument(params)?;
        let target = convert::order_ref(CancelTarget::parse(params)?);
        let row = self.venue.open_order(account, instrument.symbol, target).map_err(refused)?;
        let mut out = String::new();
        queried(&mut out, &instrument, &row);
        Ok(out)
    }

    pub(super) fn open_orders(&self, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let symbol = self.maybe_instrument(params)?.map(|instrument| instrument.symbol);
        let rows = self.venue.open_orders(account, symbol).map_err(refused)?;
        self.order_list(&rows)
    }

    pub(super) fn all_orders(&self, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let instrument = self.instrument(params)?;
        let page = page(params, "orderId", 500, PAGE_MAX)?;
        let rows = self.venue.all_orders(account, instrument.symbol, page).map_err(refused)?;
        self.order_list(&rows)
    }

    fn order_list(&self, rows: &[OrderRow]) -> Result<String, ApiError> {
        let mut out = String::with_capacity(rows.len() * 480 + 2);
        let mut list = List::new(&mut out);
        for row in rows {
            let instrument = self.listed(row.symbol)?;
            list.item(|out| queried(out, &instrument, row));
        }
        list.end();
        Ok(out)
    }

    pub(super) fn user_trades(&self, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let instrument = self.instrument(params)?;
        let order = params.maybe_millis("orderId")?;
        let mut page = page(params, "fromId", 500, PAGE_MAX)?;
        if let Some(start) = page.start {
            let last = Time::from_millis(start.millis().saturating_add(TRADES_SPAN_MS));
            match page.end {
                Some(end) if end.millis() > last.millis() => return Err(ApiError::span_long(TRADES_SPAN_MS / 3_600_000)),
                Some(_) => {}
                None => page.end = Some(last),
            }
        }
        let rows = self.venue.user_trades(account, instrument.symbol, order, page).map_err(refused)?;
        let mut out = String::with_capacity(rows.len() * 400 + 2);
        let mut list = List::new(&mut out);
        for row in &rows {
            list.item(|out| write_user_trade(out, &convert::fill(&instrument, row)));
        }
        list.end();
        Ok(out)
    }
}
