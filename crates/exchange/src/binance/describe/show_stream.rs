use super::report::{Exact, Report, When, amount, money, reference, yes};
use super::{Context, Kind};
use crate::binance::decode::{
    AccountConfig, AccountUpdate, AlgoOrder, DepthUpdate, ForceOrder, Kline, MarginCall, Mark, Message, OrderUpdate, Reply, Ticker,
    TradeLite, command, decode,
};
use crate::binance::error::ApiError;
use crate::binance::wire::DecodeError;
use crate::instruments::SymbolIndex;
use plimsoll_market::{Holding, Price, Qty, Side};

impl Context<'_> {
    pub(super) fn name(&self, index: SymbolIndex) -> &str {
        self.instruments.get(index).map_or("?", |i| i.symbol.as_str())
    }

    pub(super) fn price(&self, price: Price) -> Exact {
        Exact(i128::from(price.units()), self.scales.price)
    }

    pub(super) fn qty(&self, qty: Qty) -> Exact {
        Exact(i128::from(qty.units()), self.scales.qty)
    }

    pub(super) fn holding(&self, holding: Holding) -> Exact {
        Exact(i128::from(holding.units()), self.scales.qty)
    }
}

pub(super) fn show(report: &mut Report, context: &Context<'_>, kind: Kind, bytes: &[u8]) -> Result<Option<()>, DecodeError> {
    match kind {
        Kind::Event | Kind::Reply => {
            let grant = context.ledger.grant(DepthUpdate::line("describe.depth"));
            let grant = grant.map_err(|_| DecodeError::Shape { what: "no memory for a depth update" })?;
            let mut buffer = DepthUpdate::new(grant);
            message(report, context, &decode(bytes, &context.instruments, &mut buffer)?);
        }
        Kind::Command => {
            let command = command(bytes)?;
            report.title(format_args!("command {}", command.method));
            report.field("id", command.id);
            report.rows("params", &command.params, Clone::clone);
        }
        Kind::Error => {
            let found = ApiError::decode(bytes)?;
            error(report, &found);
        }
        _ => return Ok(None),
    }
    Ok(Some(()))
}

pub(super) fn error(report: &mut Report, error: &ApiError) {
    report.title("error");
    report.field("code", error.code);
    report.field("text", error.text);
    report.field("class", error.class().as_str());
    report.field("outcome", format_args!("{:?}", error.outcome()));
    report.field("reject", format_args!("{:?}", error.reject()));
}

fn message(report: &mut Report, context: &Context<'_>, message_: &Message<'_>) {
    match message_ {
        Message::Depth(update) => depth(report, context, update),
        Message::BookTicker(ticker) => {
            report.title("bookTicker");
            report.field("symbol", context.name(ticker.symbol));
            report.field("update id", ticker.update_id);
            let top = &ticker.top;
            report.field("bid", format_args!("{} x {}", context.price(top.bid), context.qty(top.bid_qty)));
            report.field("ask", format_args!("{} x {}", context.price(top.ask), context.qty(top.ask_qty)));
            report.field("time", When(top.time));
        }
        Message::AggTrade(agg) => {
            report.title("aggTrade");
            report.field("symbol", context.name(agg.symbol));
            report.maybe("id", agg.id);
            report.field("trades", format_args!("{} to {}", agg.first_id, agg.trade.id));
            trade(report, context, &agg.trade);
        }
        Message::Trade(single) => {
            report.title("trade");
            report.field("symbol", context.name(single.symbol));
            report.field("id", single.trade.id);
            report.field("origin", format_args!("{:?}", single.origin));
            trade(report, context, &single.trade);
        }
        Message::Kline(bar) => kline(report, context, bar),
        Message::Mark(price) => mark(report, context, price),
        Message::Ticker(figures) | Message::MiniTicker(figures) => ticker(report, context, figures),
        Message::ForceOrder(order) => force_order(report, context, order),
        Message::OrderUpdate(update) => order_update(report, context, update),
        Message::AccountUpdate(update) => account_update(report, context, update),
        Message::TradeLite(fill) => trade_lite(report, context, fill),
        Message::AlgoUpdate(order) => {
            report.title("ALGO_UPDATE");
            algo_order(report, order);
        }
        Message::AccountConfig(AccountConfig::Leverage { symbol, leverage }) => {
            report.title("ACCOUNT_CONFIG_UPDATE");
            report.field("symbol", symbol);
            report.field("leverage", leverage);
        }
        Message::AccountConfig(AccountConfig::MultiAssets(on)) => {
            report.title("ACCOUNT_CONFIG_UPDATE");
            report.field("multi-assets", yes(*on));
        }
        Message::MarginCall(call) => margin_call(report, context, call),
        Message::ListenKeyExpired(expired) => {
            report.title("listenKeyExpired");
            report
                .maybe("key", expired.key.as_ref().map(|k| format!("{}… ({} characters)", k.chars().take(4).collect::<String>(), k.len())));
            report.field("event time", When(expired.event_time));
        }
        Message::TriggerReject(reject) => {
            report.title("CONDITIONAL_ORDER_TRIGGER_REJECT");
            report.field("symbol", reject.symbol);
            report.field("order id", reject.order_id);
            report.field("reason", reject.reason);
            report.field("event time", When(reject.event_time));
        }
        Message::Reply(answer) => reply(report, answer),
        Message::Ignored { kind } => {
            report.title(format_args!("event {kind}"));
            report.field("use", "none: the bot passes over it");
        }
        Message::Unlisted { kind, symbol } => {
            report.title(format_args!("event {kind}"));
            report.field("symbol", symbol);
            report.field("use", "none: the symbol is not in use");
        }
        Message::Batch(events) => {
            report.title(format_args!("{} events in one frame", events.len()));
            for event in events.iter().take(crate::limits::DESCRIBE_ROWS_MAX) {
                message(report, context, event);
            }
        }
    }
}

fn reply(report: &mut Report, answer: &Reply) {
    report.title("answer to a command");
    report.field("id", answer.id);
    report.maybe("listed streams", answer.listed);
    match &answer.error {
        None => report.field("result", "done"),
        Some(error) => {
            report.field("code", error.code);
            report.field("text", error.text);
        }
    }
}

fn depth(report: &mut Report, context: &Context<'_>, update: &DepthUpdate) {
    report.title(if update.partial { "depthUpdate, the top of the book" } else { "depthUpdate" });
    report.field("symbol", context.name(update.symbol));
    report.field("updates", format_args!("{} to {}", update.first_id, update.last_id));
    report.maybe("follows", update.previous_id);
    report.field("time", When(update.time));
    for (name, side) in [("bids", Side::Buy), ("asks", Side::Sell)] {
        let changes: Vec<_> = update.changes().iter().filter(|c| c.side == side).collect();
        report.rows(name, &changes, |c| format!("{} x {}", context.price(c.level.price), context.qty(c.level.qty)));
    }
}

fn trade(report: &mut Report, context: &Context<'_>, trade: &plimsoll_market::Trade) {
    report.field("price", context.price(trade.price));
    report.field("quantity", context.qty(trade.qty));
    report.field("taker", trade.taker.as_str());
    report.field("time", When(trade.time));
}

fn kline(report: &mut Report, context: &Context<'_>, bar: &Kline) {
    report.title("kline");
    report.field("symbol", context.name(bar.symbol));
    report.field("interval", bar.interval);
    report.field("open time", When(bar.candle.open_time));
    report.field("close time", When(bar.close_time));
    report.field("closed", yes(bar.closed));
    report.field("candle", super::show_market::candle_text(context, &bar.candle));
    report.maybe("trade ids", bar.trades.map(|(first, last)| format!("{first} to {last}")));
}

pub(super) fn mark(report: &mut Report, context: &Context<'_>, mark: &Mark) {
    report.title("mark price");
    report.field("symbol", context.name(mark.symbol));
    report.field("mark", reference(mark.price.mark));
    report.field("index", reference(mark.price.index));
    report.maybe("settlement", mark.settle.map(reference));
    report.maybe("funding rate", mark.funding_e8.map(|rate| money(i128::from(rate))));
    report.field("next funding", When(mark.price.next_funding));
    report.field("time", When(mark.price.time));
}

pub(super) fn ticker(report: &mut Report, context: &Context<'_>, ticker: &Ticker) {
    report.title(if ticker.mini { "24hrMiniTicker" } else { "24hrTicker" });
    report.field("symbol", context.name(ticker.symbol));
    let [open, high, low, last] = [ticker.open, ticker.high, ticker.low, ticker.last].map(reference);
    report.field("prices", format_args!("open {open} high {high} low {low} last {last}"));
    report.maybe("average", ticker.average.map(reference));
    report.field("volume", context.qty(ticker.volume));
    report.field("turnover", money(ticker.turnover));
    report.maybe("trades", ticker.trades);
    report.field("time", When(ticker.event_time));
}

fn force_order(report: &mut Report, context: &Context<'_>, order: &ForceOrder) {
    report.title("forceOrder");
    report.field("symbol", context.name(order.symbol));
    report.field("side", order.side.as_str());
    report.field("kind", format_args!("{:?} {:?}", order.kind, order.tif));
    report.field("price", reference(order.price));
    report.field("average", reference(order.average));
    report.field("quantity", context.qty(order.qty));
    report.field("last quantity", context.qty(order.last_qty));
    report.field("filled", context.qty(order.filled));
    report.field("status", order.status.as_str());
    report.field("time", When(order.time));
}

fn order_update(report: &mut Report, context: &Context<'_>, update: &OrderUpdate) {
    let order = &update.report;
    report.title("ORDER_TRADE_UPDATE");
    report.field("symbol", context.name(update.symbol));
    report.field("execution", format_args!("{:?}", update.execution));
    report.field("order id", order.order_id);
    report.field("client id", update.client);
    report.field("origin", format_args!("{:?}", update.origin));
    report.field("side", order.side.as_str());
    report.field("position side", format_args!("{:?}", update.position_side));
    report.field("kind", format_args!("{:?} {:?}, placed as {:?}", update.kind, update.tif, update.original_kind));
    report.field("status", order.status.as_str());
    report.field("price", context.price(order.price));
    report.field("quantity", context.qty(order.qty));
    report.field("filled", context.qty(order.filled));
    report.field("average", reference(order.average));
    report.field("reduce only", yes(order.reduce_only));
    report.field("time", When(order.time));
    if let Some(fill) = &order.fill {
        report.field("fill", format_args!("{} x {} trade {}", context.price(fill.price), context.qty(fill.qty), fill.trade_id));
        report.field("fee", amount(fill.fee));
        report.field("realised", money(fill.realized.units));
        report.field("maker", yes(fill.maker));
    }
}

fn account_update(report: &mut Report, context: &Context<'_>, update: &AccountUpdate) {
    report.title("ACCOUNT_UPDATE");
    report.field("reason", format_args!("{:?}", update.reason));
    report.field("time", When(update.time));
    report.rows("balances", &update.balances, |b| {
        format!("{} wallet {} cross {} change {}", b.asset, money(b.wallet), money(b.cross), money(b.change))
    });
    report.rows("positions", &update.positions, |p| {
        format!(
            "{} {:?} {} entry {} break-even {} unrealised {}{}",
            context.name(p.symbol),
            p.report.side,
            context.holding(p.report.holding),
            reference(p.report.entry),
            p.break_even.map_or("-".to_owned(), |b| reference(b).to_string()),
            money(p.unrealized),
            if p.isolated { format!(" isolated {}", money(p.isolated_wallet)) } else { String::new() }
        )
    });
}

fn trade_lite(report: &mut Report, context: &Context<'_>, fill: &TradeLite) {
    report.title("TRADE_LITE");
    report.field("symbol", context.name(fill.symbol));
    report.field("order id", fill.order_id);
    report.field("client id", fill.client);
    report.field("side", fill.side.as_str());
    report.field("order", format_args!("{} x {}", context.price(fill.price), context.qty(fill.qty)));
    report.field("fill", format_args!("{} x {} trade {}", context.price(fill.last_price), context.qty(fill.last_qty), fill.trade_id));
    report.field("maker", yes(fill.maker));
    report.field("time", When(fill.time));
}

pub(super) fn algo_order(report: &mut Report, order: &AlgoOrder) {
    report.field("symbol", order.symbol);
    report.field("algo id", order.algo_id);
    report.field("client id", order.client);
    report.field("side", order.side.as_str());
    report.field("position side", format_args!("{:?}", order.position_side));
    report.field("kind", format_args!("{:?} {:?}", order.kind, order.tif));
    report.field("status", format_args!("{:?}", order.status));
    report.maybe("trigger", order.trigger.map(reference));
    report.maybe("price", order.price.map(reference));
    report.maybe("quantity", order.qty_e8.map(money));
    report.field("reduce only", yes(order.reduce_only));
    report.maybe("order id", order.order_id);
    report.field("time", When(order.time));
}

fn margin_call(report: &mut Report, context: &Context<'_>, call: &MarginCall) {
    report.title("MARGIN_CALL");
    report.maybe("cross wallet", call.cross_wallet.map(money));
    report.field("event time", When(call.event_time));
    report.rows("positions", &call.positions, |p| {
        let holding = p.holding.map_or("?".to_owned(), |h| context.holding(h).to_string());
        format!(
            "{} {:?} {holding} mark {} unrealised {} maintenance {}",
            p.symbol,
            p.side,
            reference(p.mark),
            money(p.unrealized),
            money(p.maintenance)
        )
    });
}
