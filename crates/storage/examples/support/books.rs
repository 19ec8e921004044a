//! A bot's bookkeeping in small, for the example and the tests that check what it leaves behind.

use plimsoll_market::{
    Amount, Asset, Booked, ClientId, Fill, Leg, Notional, Order, OrderId, OrderStatus, Price, Qty, Record, Side, SlotRow, Tag, Time,
    Totals, TradeId,
};

/// What an engine does with the fill that has this number: even ones sell what the odd one before bought.
pub fn record(number: u64, before: &Totals) -> Record {
    let side = if number.is_multiple_of(2) { Side::Sell } else { Side::Buy };
    let leg = Leg::new(0, ((number - 1) / 2 % 20) as i32).expect("below 20");
    let price = Price::from_units(6_000_000 + i64::from(leg.index()) * 100 + if side == Side::Sell { 100 } else { 0 });
    let qty = Qty::from_units(5);
    let id = ClientId::new(Tag(9), 1_700_000_000, leg, side, number);
    let time = Time::from_millis(1_700_000_000_000 + number);
    let usdt = Asset::new("USDT").expect("a constant");
    let (realized, fee) = if side == Side::Sell { (500, 7) } else { (0, 3) };
    let fill = Fill {
        trade_id: TradeId(number),
        order_id: OrderId(u128::from(number) + 10),
        id: Some(id),
        side,
        price,
        qty,
        fee: Amount::new(usdt, fee),
        realized: Amount::new(usdt, realized),
        maker: true,
        time,
    };
    // Every third order is open still, a part of it filled.
    let status = if number.is_multiple_of(3) { OrderStatus::PartiallyFilled } else { OrderStatus::Filled };
    let order = Order {
        id,
        order_id: Some(OrderId(u128::from(number) + 10)),
        price,
        qty,
        filled: qty,
        status,
        reduce_only: side == Side::Sell,
        time,
    };
    let held = if side == Side::Buy { qty } else { Qty::ZERO };
    let slot = SlotRow { leg, held, cost: price * held };
    let mut totals = *before;
    totals.watermark = Some(TradeId(number));
    totals.holding += qty.signed(side);
    totals.cost = if side == Side::Buy { totals.cost + price * qty } else { Notional::ZERO };
    totals.realized += realized;
    totals.fees += fee;
    totals.fills += 1;
    match side {
        Side::Buy => totals.bought += qty,
        Side::Sell => totals.sold += qty,
    }
    Record {
        order: Some(order),
        fill: Some(Booked { fill, leg: Some(leg), realized, slot_realized: realized }),
        slot: Some(slot),
        funding: None,
        totals,
    }
}
