use super::report::{Report, When, amount, money, reference, yes};
use super::show_stream::algo_order;
use super::{Context, Kind};
use crate::binance::decode as d;
use crate::binance::wire::DecodeError;
use plimsoll_market::Source;

pub(super) fn show(report: &mut Report, context: &Context<'_>, kind: Kind, bytes: &[u8]) -> Result<Option<()>, DecodeError> {
    match kind {
        Kind::Order | Kind::Orders | Kind::Batch | Kind::UserTrades | Kind::Amendments => orders(report, context, kind, bytes)?,
        Kind::AlgoOrder | Kind::AlgoOrders | Kind::AlgoCanceled => algo(report, kind, bytes)?,
        Kind::Account | Kind::Balance | Kind::PositionRisk => holdings(report, context, kind, bytes)?,
        Kind::LeverageBracket | Kind::SymbolConfig | Kind::AccountConfig | Kind::CommissionRate | Kind::Leverage => {
            settings(report, kind, bytes)?;
        }
        Kind::HedgeMode => {
            report.title("positionSide/dual");
            report.field("hedge mode", yes(d::hedge_mode(bytes)?));
        }
        Kind::MultiAssets => {
            report.title("multiAssetsMargin");
            report.field("multi-assets", yes(d::multi_assets(bytes)?));
        }
        Kind::FeeBurn => {
            report.title("feeBurn");
            report.field("fees in BNB", yes(d::fee_burn(bytes)?));
        }
        Kind::Done => {
            d::done(bytes)?;
            report.title("confirmation");
            report.field("result", "done");
        }
        Kind::EmptyObject => {
            // Renewing and closing a listen key are confirmed so.
            d::listen_key(bytes)?;
            report.title("confirmation without content");
        }
        Kind::EmptyList => report.title("empty list"),
        Kind::PositionMargin => {
            let moved = d::margin_moved(bytes)?;
            report.title("positionMargin");
            report.field("amount", money(moved.amount));
            report.field("direction", if moved.added { "added" } else { "taken" });
        }
        Kind::MarginHistory => {
            report.title("positionMargin/history");
            report.rows("movements", &d::margin_changes(bytes)?, |m| {
                format!("{} {} {} {:?} {}", m.symbol, amount(m.amount), if m.added { "added" } else { "taken" }, m.side, When(m.time))
            });
        }
        Kind::Countdown => {
            let countdown = d::countdown(bytes)?;
            report.title("countdownCancelAll");
            report.field("symbol", countdown.symbol);
            report.field("after", format_args!("{} ms", countdown.after_ms));
        }
        Kind::Income => {
            report.title("income");
            report.rows("movements", &d::income(bytes)?, |i| {
                let symbol = i.symbol.map_or("-".to_owned(), |s| s.to_string());
                let trade = i.trade.map_or(String::new(), |t| format!(" trade {t}"));
                format!("{symbol} {:?} {} transaction {}{trade} {}", i.kind, amount(i.amount), i.transaction, When(i.time))
            });
        }
        Kind::ListenKey => {
            report.title("listenKey");
            report.maybe("key", d::listen_key(bytes)?.map(|key| format!("{key:?}, {} characters", key.as_str().len())));
        }
        Kind::AdlQuantile => {
            report.title("adlQuantile");
            report.rows("symbols", &d::adl_quantiles(bytes)?, |q| {
                format!("{} long {:?} short {:?} both {:?}", q.symbol, q.long, q.short, q.both)
            });
        }
        Kind::OrderLimits => {
            report.title("rateLimit/order");
            report.rows("limits", &d::order_limits(bytes)?, super::report::limit_text);
        }
        _ => return Ok(None),
    }
    Ok(Some(()))
}

fn order_text(context: &Context<'_>, order: &d::OrderReply) -> String {
    let r = &order.report;
    let average = if r.average.units() == 0 { String::new() } else { format!(" average {}", reference(r.average)) };
    let value = order.filled_value.map_or(String::new(), |v| format!(" worth {}", money(v)));
    format!(
        "{} order {} client {} {:?} {} {:?} {:?}/{:?} {} price {} quantity {} filled {}{average}{value}{} at {}",
        context.name(order.symbol),
        r.order_id,
        order.client,
        order.origin,
        r.side.as_str(),
        order.position_side,
        order.kind,
        order.tif,
        r.status.as_str(),
        context.price(r.price),
        context.qty(r.qty),
        context.qty(r.filled),
        if r.reduce_only { " reduce-only" } else { "" },
        When(r.time)
    )
}

fn orders(report: &mut Report, context: &Context<'_>, kind: Kind, bytes: &[u8]) -> Result<(), DecodeError> {
    match kind {
        Kind::Order => {
            let order = d::order(bytes, &context.instruments, Source::Reply)?;
            report.title("order");
            report.rows("orders", &[order], |o| order_text(context, o));
        }
        Kind::Orders => {
            report.title("orders");
            report.rows("orders", &d::orders(bytes, &context.instruments)?.items, |o| order_text(context, o));
        }
        Kind::Batch => {
            report.title("batch of orders");
            report.rows("elements", &d::batch(bytes, &context.instruments)?, |element| match element {
                Ok(order) => order_text(context, order),
                Err(error) => format!("refused: {} {} ({:?})", error.code, error.text, error.reject()),
            });
        }
        Kind::UserTrades => {
            report.title("userTrades");
            report.rows("executions", &d::user_trades(bytes, &context.instruments)?.items, |t| {
                let f = &t.fill;
                format!(
                    "{} trade {} order {} {} {:?} {} x {} fee {} realised {} {} {}",
                    context.name(t.symbol),
                    f.trade_id,
                    f.order_id,
                    f.side.as_str(),
                    t.position_side,
                    context.price(f.price),
                    context.qty(f.qty),
                    amount(f.fee),
                    money(f.realized.units),
                    if f.maker { "maker" } else { "taker" },
                    When(f.time)
                )
            });
        }
        _ => {
            report.title("orderAmendment");
            report.rows("amendments", &d::amendments(bytes)?, |a| {
                let ((p0, p1), (q0, q1)) = (a.price, a.qty_e8);
                format!(
                    "{} order {} price {} to {} quantity {} to {} number {} {}",
                    a.symbol,
                    a.order_id,
                    reference(p0),
                    reference(p1),
                    money(q0),
                    money(q1),
                    a.count,
                    When(a.time)
                )
            });
        }
    }
    Ok(())
}

fn algo(report: &mut Report, kind: Kind, bytes: &[u8]) -> Result<(), DecodeError> {
    match kind {
        Kind::AlgoOrder => {
            let order = d::algo_order(bytes)?;
            report.title("algoOrder");
            algo_order(report, &order);
        }
        Kind::AlgoOrders => {
            let orders = d::algo_orders(bytes)?;
            report.title(format_args!("{} algoOrders", orders.len()));
            for order in orders.iter().take(crate::limits::DESCRIBE_ROWS_MAX) {
                algo_order(report, order);
            }
        }
        _ => {
            let canceled = d::algo_canceled(bytes)?;
            report.title("algoOrder withdrawn");
            report.field("algo id", canceled.algo_id);
            report.field("done", yes(canceled.done));
        }
    }
    Ok(())
}

fn holdings(report: &mut Report, context: &Context<'_>, kind: Kind, bytes: &[u8]) -> Result<(), DecodeError> {
    let asset = |a: &d::AssetBalance| {
        let available = a.balance.available.map_or("?".to_owned(), |v| money(v).to_string());
        format!("{} wallet {} cross {} available {available}", a.balance.asset, money(a.balance.wallet), money(a.cross_wallet))
    };
    let position = |p: &d::PositionInfo| {
        let mark = p.mark.map_or(String::new(), |m| format!(" mark {}", reference(m)));
        let leverage = if p.report.leverage == 0 { String::new() } else { format!(" leverage {}", p.report.leverage) };
        let margin = p.isolated.map_or("", |isolated| if isolated { " isolated" } else { " crossed" });
        format!(
            "{} {:?} {} entry {}{mark} unrealised {} liquidation {}{leverage}{margin}",
            context.name(p.symbol),
            p.report.side,
            context.holding(p.report.holding),
            reference(p.report.entry),
            money(p.unrealized),
            reference(p.report.liquidation)
        )
    };
    match kind {
        Kind::Account => {
            let account = d::account(bytes, &context.instruments)?;
            report.title("account");
            report.field("wallet", money(account.wallet));
            report.field("unrealised", money(account.unrealized));
            report.field("margin", money(account.margin));
            report.field("maintenance", money(account.maintenance));
            report.field("available", money(account.available));
            report.maybe("may trade", account.can_trade.map(yes));
            report.maybe("multi-assets", account.multi_assets.map(yes));
            report.rows("assets", &account.assets, asset);
            report.rows("positions", &account.positions.items, position);
        }
        Kind::Balance => {
            report.title("balance");
            report.rows("assets", &d::balances(bytes)?, asset);
        }
        _ => {
            report.title("positionRisk");
            report.rows("positions", &d::positions(bytes, &context.instruments)?.items, position);
        }
    }
    Ok(())
}

fn settings(report: &mut Report, kind: Kind, bytes: &[u8]) -> Result<(), DecodeError> {
    let cap = |cap: Option<i128>| cap.map_or("none".to_owned(), |c| money(c).to_string());
    match kind {
        Kind::LeverageBracket => {
            for table in d::leverage_brackets(bytes)?.iter().take(crate::limits::DESCRIBE_ROWS_MAX) {
                report.title(format_args!("leverageBracket {}", table.symbol));
                report.rows("brackets", &table.brackets, |b| {
                    format!(
                        "{} leverage {} from {} to {} maintenance {} less {}",
                        b.number,
                        b.leverage,
                        money(b.floor),
                        money(b.cap),
                        money(b.maintenance),
                        money(b.deduction)
                    )
                });
            }
        }
        Kind::SymbolConfig => {
            report.title("symbolConfig");
            report.rows("symbols", &d::symbol_configs(bytes)?, |c| {
                format!(
                    "{} {} leverage {} most {}{}",
                    c.symbol,
                    if c.isolated { "isolated" } else { "crossed" },
                    c.leverage,
                    cap(c.notional_max),
                    if c.auto_add_margin { " adds margin" } else { "" }
                )
            });
        }
        Kind::AccountConfig => {
            let config = d::account_settings(bytes)?;
            report.title("accountConfig");
            report.field("may trade", yes(config.can_trade));
            report.field("hedge mode", yes(config.hedge_mode));
            report.field("multi-assets", yes(config.multi_assets));
            report.field("fee tier", config.fee_tier);
        }
        Kind::CommissionRate => {
            let rate = d::commission_rate(bytes)?;
            report.title("commissionRate");
            report.field("symbol", rate.symbol);
            report.field("maker", rate.maker);
            report.field("taker", rate.taker);
        }
        _ => {
            let set = d::leverage_set(bytes)?;
            report.title("leverage");
            report.field("symbol", set.symbol);
            report.field("leverage", set.leverage);
            report.field("most", cap(set.notional_max));
        }
    }
    Ok(())
}
