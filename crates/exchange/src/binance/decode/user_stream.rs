//! The account's stream: orders, executions, balances, positions, settings, and the end of the listen key.

use super::market_stream::{Found, listed, scales};
use super::orders::{
    AlgoOrder, ClientText, OrderKind, OrderTif, Origin, read_algo_status, read_position_side, read_price, read_side, read_status,
};
use crate::binance::wire::{Dec, DecodeError, Flag, Limited, MaybeUint, Reader, Uint, cut, parse};
use crate::instruments::{Instruments, SymbolIndex};
use crate::limits::{LIST_MAX, LISTEN_KEY_MAX};
use arrayvec::ArrayString;
use plimsoll_market::{
    Asset, ClientId, Fill, Holding, OrderId, OrderReport, PositionReport, PositionSide, Price, Qty, RefPrice, Side, Source, Symbol, Time,
    TradeId,
};
use serde::Deserialize;
use std::borrow::Cow;

/// What happened to an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Execution {
    /// It entered the book.
    New,
    /// It filled, some or all.
    Trade,
    /// It was withdrawn.
    Canceled,
    /// It ended by its time in force, or the exchange ended it.
    Expired,
    /// Its price or quantity was changed.
    Amendment,
    /// It is an order of the exchange: a liquidation or deleveraging.
    Calculated,
    /// It was refused when triggered.
    Rejected,
    /// Something that this build does not know; the state counts.
    Other,
}

/// The state of an order of the account, with its execution (`ORDER_TRADE_UPDATE`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderUpdate {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// State and execution in the shared words; `report.fill` is there when something was executed.
    pub report: OrderReport,
    /// What happened.
    pub execution: Execution,
    /// The position it works on.
    pub position_side: PositionSide,
    /// The client id as text.
    pub client: ClientText,
    /// Who made it; the exchange's own orders are never ours.
    pub origin: Origin,
    /// The exchange's kind.
    pub kind: OrderKind,
    /// The kind that it was placed as: a triggered stop is a limit or market order now.
    pub original_kind: OrderKind,
    /// The exchange's time in force.
    pub tif: OrderTif,
    /// When the message was sent.
    pub event_time: Time,
}

/// A fill told early, without fee; the order update with the same trade id follows (`TRADE_LITE`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TradeLite {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// Our id, when the order is ours.
    pub id: Option<ClientId>,
    /// The client id as text.
    pub client: ClientText,
    /// The order.
    pub order_id: OrderId,
    /// The execution's id.
    pub trade_id: TradeId,
    /// Direction of the order.
    pub side: Side,
    /// Limit price of the order.
    pub price: Price,
    /// Quantity of the order.
    pub qty: Qty,
    /// Price of the execution.
    pub last_price: Price,
    /// Quantity of the execution.
    pub last_qty: Qty,
    /// Whether the order was the resting one.
    pub maker: bool,
    /// The exchange's time of it.
    pub time: Time,
}

/// Why balances or positions changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AccountReason {
    /// A fill.
    Order,
    /// Funding was paid or received.
    FundingFee,
    /// Money came in.
    Deposit,
    /// Money went out.
    Withdraw,
    /// Money moved between wallets or into a position's margin.
    Transfer,
    /// The exchange changed something about margin, assets or insurance.
    Other(ArrayString<40>),
}

/// One asset's new balance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BalanceChange {
    /// The asset.
    pub asset: Asset,
    /// Wallet balance, units of 1e-8.
    pub wallet: i128,
    /// Cross wallet balance, units of 1e-8.
    pub cross: i128,
    /// What changed beside profit and fees, units of 1e-8.
    pub change: i128,
}

/// One position's new state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PositionChange {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// Size and entry; the message does not tell liquidation price and leverage, which are zero here.
    pub report: PositionReport,
    /// Price at which closing brings nothing, fees counted; `None` where absent.
    pub break_even: Option<RefPrice>,
    /// Profit not yet realised, units of 1e-8 of the quote asset.
    pub unrealized: i128,
    /// Whether it has margin of its own.
    pub isolated: bool,
    /// Margin of its own, units of 1e-8.
    pub isolated_wallet: i128,
}

/// Changed balances and positions (`ACCOUNT_UPDATE`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountUpdate {
    /// Why.
    pub reason: AccountReason,
    /// The changed balances; may be empty.
    pub balances: Vec<BalanceChange>, // tidy: bounded by LIST_MAX, lives while a message is handled
    /// The changed positions of symbols in use; may be empty.
    pub positions: Vec<PositionChange>, // tidy: bounded by LIST_MAX, lives while a message is handled
    /// How many positions of other symbols changed.
    pub unlisted: usize,
    /// The exchange's time of the change (`T`); equal to that of the fill that caused it.
    pub time: Time,
    /// When the message was sent.
    pub event_time: Time,
}

/// A changed setting (`ACCOUNT_CONFIG_UPDATE`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountConfig {
    /// A symbol's leverage; the name stands for symbols not in use too.
    Leverage {
        /// The symbol.
        symbol: Symbol,
        /// The new leverage.
        leverage: u16,
    },
    /// Whether all assets together are margin.
    MultiAssets(bool),
}

/// One position that runs short of margin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShortPosition {
    /// The symbol's name.
    pub symbol: Symbol,
    /// Which position.
    pub side: PositionSide,
    /// Its size, when the symbol is in use.
    pub holding: Option<Holding>,
    /// Mark price.
    pub mark: RefPrice,
    /// Profit not yet realised, units of 1e-8 of the quote asset.
    pub unrealized: i128,
    /// Maintenance margin needed, units of 1e-8 of the quote asset.
    pub maintenance: i128,
}

/// A warning that margin runs short (`MARGIN_CALL`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MarginCall {
    /// Cross wallet balance, units of 1e-8; `None` where absent.
    pub cross_wallet: Option<i128>,
    /// The positions in danger.
    pub positions: Vec<ShortPosition>, // tidy: bounded by LIST_MAX, lives while a message is handled
    /// When the message was sent.
    pub event_time: Time,
}

/// The end of a listen key: nothing more comes on its stream (`listenKeyExpired`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenKeyExpired {
    /// The key; `None` where absent.
    pub key: Option<ArrayString<LISTEN_KEY_MAX>>,
    /// When the message was sent.
    pub event_time: Time,
}

/// A conditional order whose order was refused when triggered (`CONDITIONAL_ORDER_TRIGGER_REJECT`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TriggerReject {
    /// The symbol's name.
    pub symbol: Symbol,
    /// The order.
    pub order_id: OrderId,
    /// The exchange's reason, cut.
    pub reason: ArrayString<160>,
    /// When the message was sent.
    pub event_time: Time,
}

pub(super) fn order_update(bytes: &[u8], instruments: &Instruments) -> Result<Found<OrderUpdate>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        #[serde(rename = "T", default)]
        time: MaybeUint,
        #[serde(borrow)]
        o: Body<'a>,
    }
    #[derive(Deserialize)]
    struct Body<'a> {
        s: &'a str,
        #[serde(borrow)]
        c: Cow<'a, str>,
        #[serde(rename = "S")]
        side: &'a str,
        o: &'a str,
        #[serde(default)]
        ot: Option<&'a str>,
        f: &'a str,
        q: Dec<'a>,
        p: Dec<'a>,
        #[serde(default)]
        ap: Dec<'a>,
        x: &'a str,
        #[serde(rename = "X")]
        status: &'a str,
        i: Uint,
        #[serde(default)]
        l: Dec<'a>,
        z: Dec<'a>,
        #[serde(rename = "L", default)]
        last_price: Dec<'a>,
        #[serde(rename = "N", default)]
        fee_asset: Option<&'a str>,
        #[serde(default)]
        n: Dec<'a>,
        #[serde(rename = "T", default)]
        time: MaybeUint,
        #[serde(default)]
        t: MaybeUint,
        #[serde(default)]
        m: Flag,
        #[serde(rename = "R", default)]
        reduce_only: Flag,
        #[serde(default)]
        ps: Option<&'a str>,
        #[serde(default)]
        rp: Dec<'a>,
    }
    let reader = Reader { message: "ORDER_TRADE_UPDATE" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    let order = wire.o;
    let scales = listed!(instruments, reader, order.s);
    let side = read_side(reader, "o.S", order.side)?;
    let id = ClientId::parse(&order.c).ok();
    let order_id = OrderId(u128::from(order.i.0));
    let time = Time::from_millis(order.time.0.or(wire.time.0).unwrap_or(wire.event_time.0));
    let execution = match order.x {
        "NEW" => Execution::New,
        "TRADE" => Execution::Trade,
        "CANCELED" => Execution::Canceled,
        "EXPIRED" => Execution::Expired,
        "AMENDMENT" => Execution::Amendment,
        "CALCULATED" => Execution::Calculated,
        "REJECTED" => Execution::Rejected,
        _ => Execution::Other,
    };
    let last_qty = if order.l.is_empty() { Qty::ZERO } else { reader.qty("o.l", order.l, &scales)? };
    // Liquidations come as CALCULATED, first without and then with an execution; the trade id tells. A zero id is none.
    let executed = matches!(execution, Execution::Trade | Execution::Calculated) && !last_qty.is_zero();
    let fill = match (executed, order.t.0) {
        (true, Some(trade)) if trade > 0 => {
            let fee_asset = order.fee_asset.filter(|a| !a.is_empty());
            // Both are missing or none: half a fee is that of a damaged message, and a fill is booked once, with the fee that it has then.
            if order.n.is_empty() && fee_asset.is_some() {
                return Err(reader.missing("o.n"));
            }
            let asset_known = fee_asset.is_some();
            let fee_asset = fee_asset.map_or(Ok(scales.quote), |asset| reader.asset("o.N", asset))?;
            // Deliveries and settlements come without a fee.
            let fee = reader.amount("o.n", order.n, fee_asset)?;
            if fee.units != 0 && !asset_known {
                return Err(reader.missing("o.N"));
            }
            Some(Fill {
                trade_id: TradeId(trade),
                order_id,
                id,
                side,
                price: reader.price("o.L", order.last_price, &scales)?,
                qty: last_qty,
                fee,
                realized: reader.amount("o.rp", order.rp, scales.quote)?,
                maker: order.m.0,
                time,
            })
        }
        // A fill that cannot be booked once and only once is no fill: the catch-up has to bring it.
        (true, _) if execution == Execution::Trade => return Err(reader.missing("o.t")),
        _ => None,
    };
    let kind = OrderKind::read(order.o);
    let tif = OrderTif::read(order.f);
    let report = OrderReport {
        id,
        order_id,
        side,
        price: read_price(reader, "o.p", order.p, &scales)?,
        qty: reader.qty("o.q", order.q, &scales)?,
        filled: reader.qty("o.z", order.z, &scales)?,
        average: reader.maybe_reference("o.ap", order.ap)?.unwrap_or(RefPrice::ZERO),
        status: read_status(reader, "o.X", order.status)?,
        kind: kind.order_type(),
        tif: tif.time_in_force(),
        reduce_only: order.reduce_only.0,
        fill,
        time,
        source: Source::Stream,
    };
    Ok(Ok(OrderUpdate {
        symbol: scales.index,
        report,
        execution,
        position_side: read_position_side(reader, "o.ps", order.ps)?,
        client: cut(&order.c),
        origin: Origin::read(&order.c),
        kind,
        original_kind: order.ot.map_or(kind, OrderKind::read),
        tif,
        event_time: wire.event_time.time(),
    }))
}

pub(super) fn trade_lite(bytes: &[u8], instruments: &Instruments) -> Result<Found<TradeLite>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        #[serde(rename = "T", default)]
        time: MaybeUint,
        s: &'a str,
        #[serde(borrow)]
        q: Dec<'a>,
        p: Dec<'a>,
        #[serde(default)]
        m: Flag,
        #[serde(borrow)]
        c: Cow<'a, str>,
        #[serde(rename = "S")]
        side: &'a str,
        #[serde(rename = "L")]
        last_price: Dec<'a>,
        l: Dec<'a>,
        t: Uint,
        i: Uint,
    }
    let reader = Reader { message: "TRADE_LITE" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    let scales = listed!(instruments, reader, wire.s);
    Ok(Ok(TradeLite {
        symbol: scales.index,
        id: ClientId::parse(&wire.c).ok(),
        client: cut(&wire.c),
        order_id: OrderId(u128::from(wire.i.0)),
        trade_id: TradeId(wire.t.0),
        side: read_side(reader, "S", wire.side)?,
        price: read_price(reader, "p", wire.p, &scales)?,
        qty: reader.qty("q", wire.q, &scales)?,
        last_price: reader.price("L", wire.last_price, &scales)?,
        last_qty: reader.qty("l", wire.l, &scales)?,
        maker: wire.m.0,
        time: Time::from_millis(wire.time.0.unwrap_or(wire.event_time.0)),
    }))
}

pub(super) fn account_update(bytes: &[u8], instruments: &Instruments) -> Result<AccountUpdate, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        #[serde(rename = "T", default)]
        time: MaybeUint,
        #[serde(borrow)]
        a: Body<'a>,
    }
    #[derive(Deserialize)]
    struct Body<'a> {
        m: &'a str,
        #[serde(rename = "B", borrow, default)]
        balances: Limited<WireBalance<'a>, LIST_MAX>,
        #[serde(rename = "P", borrow, default)]
        positions: Limited<WirePosition<'a>, LIST_MAX>,
    }
    #[derive(Deserialize)]
    struct WireBalance<'a> {
        a: &'a str,
        #[serde(borrow)]
        wb: Dec<'a>,
        cw: Dec<'a>,
        #[serde(default)]
        bc: Dec<'a>,
    }
    #[derive(Deserialize)]
    struct WirePosition<'a> {
        s: &'a str,
        #[serde(borrow)]
        pa: Dec<'a>,
        ep: Dec<'a>,
        #[serde(default)]
        bep: Dec<'a>,
        #[serde(default)]
        up: Dec<'a>,
        #[serde(default)]
        mt: Option<&'a str>,
        #[serde(default)]
        iw: Dec<'a>,
        #[serde(default)]
        ps: Option<&'a str>,
    }
    let reader = Reader { message: "ACCOUNT_UPDATE" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    let reason = match wire.a.m {
        "ORDER" => AccountReason::Order,
        "FUNDING_FEE" => AccountReason::FundingFee,
        "DEPOSIT" => AccountReason::Deposit,
        "WITHDRAW" => AccountReason::Withdraw,
        "MARGIN_TRANSFER" | "ASSET_TRANSFER" => AccountReason::Transfer,
        other => AccountReason::Other(cut(other)),
    };
    let balance = |b: &WireBalance<'_>| {
        Ok(BalanceChange {
            asset: reader.asset("a.B.a", b.a)?,
            wallet: reader.money("a.B.wb", b.wb)?,
            cross: reader.money("a.B.cw", b.cw)?,
            change: reader.maybe_money("a.B.bc", b.bc)?.unwrap_or(0),
        })
    };
    let balances = wire.a.balances.0.iter().map(balance).collect::<Result<_, DecodeError>>()?;
    let positions = super::orders::Listing::collect(&wire.a.positions.0, |p| {
        let scales = listed!(instruments, reader, p.s);
        Ok(Ok(PositionChange {
            symbol: scales.index,
            report: PositionReport {
                side: read_position_side(reader, "a.P.ps", p.ps)?,
                holding: reader.holding("a.P.pa", p.pa, &scales)?,
                entry: reader.maybe_reference("a.P.ep", p.ep)?.unwrap_or(RefPrice::ZERO),
                liquidation: RefPrice::ZERO,
                leverage: 0,
            },
            break_even: reader.maybe_reference("a.P.bep", p.bep)?,
            unrealized: reader.maybe_money("a.P.up", p.up)?.unwrap_or(0),
            isolated: p.mt.is_some_and(|mt| mt.eq_ignore_ascii_case("isolated")),
            isolated_wallet: reader.maybe_money("a.P.iw", p.iw)?.unwrap_or(0),
        }))
    })?;
    Ok(AccountUpdate {
        reason,
        balances,
        positions: positions.items,
        unlisted: positions.unlisted,
        time: Time::from_millis(wire.time.0.unwrap_or(wire.event_time.0)),
        event_time: wire.event_time.time(),
    })
}

pub(super) fn account_config(bytes: &[u8]) -> Result<Option<AccountConfig>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, default)]
        ac: Option<Leverage<'a>>,
        #[serde(default)]
        ai: Option<Assets>,
    }
    #[derive(Deserialize)]
    struct Leverage<'a> {
        s: &'a str,
        l: Uint,
    }
    #[derive(Deserialize)]
    struct Assets {
        j: Flag,
    }
    let reader = Reader { message: "ACCOUNT_CONFIG_UPDATE" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    if let Some(Leverage { s, l }) = wire.ac {
        let leverage = u16::try_from(l.0).map_err(|_| reader.word("ac.l", "beyond 65535"))?;
        return Ok(Some(AccountConfig::Leverage { symbol: reader.symbol("ac.s", s)?, leverage }));
    }
    Ok(wire.ai.map(|assets| AccountConfig::MultiAssets(assets.j.0)))
}

pub(super) fn margin_call(bytes: &[u8], instruments: &Instruments) -> Result<MarginCall, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        #[serde(borrow, default)]
        cw: Dec<'a>,
        #[serde(borrow, default)]
        p: Limited<WirePosition<'a>, LIST_MAX>,
    }
    #[derive(Deserialize)]
    struct WirePosition<'a> {
        s: &'a str,
        #[serde(default)]
        ps: Option<&'a str>,
        #[serde(borrow)]
        pa: Dec<'a>,
        mp: Dec<'a>,
        up: Dec<'a>,
        mm: Dec<'a>,
    }
    let reader = Reader { message: "MARGIN_CALL" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    let position = |p: &WirePosition<'_>| {
        let scales = instruments.scales(p.s);
        Ok(ShortPosition {
            symbol: reader.symbol("p.s", p.s)?,
            side: read_position_side(reader, "p.ps", p.ps)?,
            holding: scales.map(|scales| reader.holding("p.pa", p.pa, &scales)).transpose()?,
            mark: reader.reference("p.mp", p.mp)?,
            unrealized: reader.money("p.up", p.up)?,
            maintenance: reader.money("p.mm", p.mm)?,
        })
    };
    Ok(MarginCall {
        cross_wallet: reader.maybe_money("cw", wire.cw)?,
        positions: wire.p.0.iter().map(position).collect::<Result<_, DecodeError>>()?,
        event_time: wire.event_time.time(),
    })
}

pub(super) fn listen_key_expired(bytes: &[u8]) -> Result<ListenKeyExpired, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        #[serde(rename = "listenKey", borrow, default)]
        key: Option<Cow<'a, str>>,
    }
    let wire: Wire<'_> = parse("listenKeyExpired", bytes)?;
    Ok(ListenKeyExpired { key: wire.key.map(|key| cut(&key)), event_time: wire.event_time.time() })
}

pub(super) fn algo_update(bytes: &[u8]) -> Result<AlgoOrder, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        #[serde(rename = "T", default)]
        time: MaybeUint,
        #[serde(borrow)]
        o: Body<'a>,
    }
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        caid: Cow<'a, str>,
        aid: Uint,
        o: &'a str,
        s: &'a str,
        #[serde(rename = "S")]
        side: &'a str,
        #[serde(default)]
        ps: Option<&'a str>,
        f: &'a str,
        #[serde(default)]
        q: Dec<'a>,
        #[serde(rename = "X")]
        status: &'a str,
        #[serde(default)]
        ai: MaybeUint,
        #[serde(default)]
        tp: Dec<'a>,
        #[serde(default)]
        p: Dec<'a>,
        #[serde(rename = "R", default)]
        reduce_only: Flag,
    }
    let reader = Reader { message: "ALGO_UPDATE" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    let order = wire.o;
    Ok(AlgoOrder {
        symbol: reader.symbol("o.s", order.s)?,
        algo_id: order.aid.0,
        client: cut(&order.caid),
        side: read_side(reader, "o.S", order.side)?,
        position_side: read_position_side(reader, "o.ps", order.ps)?,
        kind: OrderKind::read(order.o),
        tif: OrderTif::read(order.f),
        status: read_algo_status(reader, "o.X", order.status)?,
        trigger: reader.maybe_reference("o.tp", order.tp)?,
        price: reader.maybe_reference("o.p", order.p)?,
        qty_e8: reader.maybe_money("o.q", order.q)?,
        reduce_only: order.reduce_only.0,
        order_id: order.ai.0.map(|id| OrderId(u128::from(id))),
        time: Time::from_millis(wire.time.0.unwrap_or(wire.event_time.0)),
    })
}

pub(super) fn trigger_reject(bytes: &[u8]) -> Result<TriggerReject, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "E")]
        event_time: Uint,
        #[serde(rename = "or", borrow)]
        order: Body<'a>,
    }
    #[derive(Deserialize)]
    struct Body<'a> {
        s: &'a str,
        i: Uint,
        #[serde(borrow)]
        r: Cow<'a, str>,
    }
    let reader = Reader { message: "CONDITIONAL_ORDER_TRIGGER_REJECT" };
    let wire: Wire<'_> = parse(reader.message, bytes)?;
    Ok(TriggerReject {
        symbol: reader.symbol("or.s", wire.order.s)?,
        order_id: OrderId(u128::from(wire.order.i.0)),
        reason: cut(&wire.order.r),
        event_time: wire.event_time.time(),
    })
}
