//! The account: balances, positions, settings, fees, money movements, listen keys.

use super::market_stream::listed;
use super::market_stream::scales;
use super::orders::{Listing, read_position_side};
use crate::binance::wire::{Dec, DecodeError, Flag, Int, Limited, MaybeUint, Reader, Uint, cut, parse, parse_list};
use crate::instruments::{Instruments, SymbolIndex};
use crate::limits::{LIST_MAX, LISTEN_KEY_MAX};
use arrayvec::ArrayString;
use plimsoll_market::{Amount, Balance, Bps, PositionReport, PositionSide, RefPrice, Symbol, Time, TradeId};
use serde::Deserialize;
use std::borrow::Cow;

/// An asset of the account, from `account` or `balance`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AssetBalance {
    /// Wallet and free balance in the shared words.
    pub balance: Balance,
    /// Cross wallet balance, units of 1e-8.
    pub cross_wallet: i128,
    /// Cross profit not yet realised, units of 1e-8.
    pub cross_unrealized: i128,
}

/// A position of a symbol in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PositionInfo {
    /// The symbol.
    pub symbol: SymbolIndex,
    /// Size, entry, liquidation price and leverage; the last is zero where the exchange did not tell it (v3).
    pub report: PositionReport,
    /// Mark price; `None` where absent (`account`).
    pub mark: Option<RefPrice>,
    /// Profit not yet realised, units of 1e-8 of the quote asset.
    pub unrealized: i128,
    /// Whether it has margin of its own; `None` where absent (v3).
    pub isolated: Option<bool>,
    /// When it changed last; zero for never.
    pub time: Time,
}

/// The account as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountInfo {
    /// Wallet balance of all assets, units of 1e-8 of the US dollar.
    pub wallet: i128,
    /// Profit not yet realised, units of 1e-8.
    pub unrealized: i128,
    /// Margin balance: wallet and unrealised, units of 1e-8.
    pub margin: i128,
    /// Maintenance margin needed, units of 1e-8.
    pub maintenance: i128,
    /// What is free for new orders, units of 1e-8.
    pub available: i128,
    /// Whether the account may trade; `None` where absent (v3).
    pub can_trade: Option<bool>,
    /// Whether all assets together are margin; `None` where absent (v3).
    pub multi_assets: Option<bool>,
    /// The assets.
    pub assets: Vec<AssetBalance>, // tidy: bounded by LIST_MAX, lives while a reply is handled
    /// The positions of symbols in use.
    pub positions: Listing<PositionInfo>,
}

/// Reads `account`, v2 or v3.
///
/// # Errors
/// A malformed body or a value off its symbol's scale.
pub fn account(body: &[u8], instruments: &Instruments) -> Result<AccountInfo, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        #[serde(borrow)]
        total_wallet_balance: Dec<'a>,
        total_unrealized_profit: Dec<'a>,
        total_margin_balance: Dec<'a>,
        total_maint_margin: Dec<'a>,
        available_balance: Dec<'a>,
        #[serde(default)]
        can_trade: Option<Flag>,
        #[serde(default)]
        multi_assets_margin: Option<Flag>,
        #[serde(borrow)]
        assets: Limited<WireAsset<'a>, LIST_MAX>,
        #[serde(borrow)]
        positions: Limited<WirePosition<'a>, LIST_MAX>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct WireAsset<'a> {
        asset: &'a str,
        #[serde(borrow)]
        wallet_balance: Dec<'a>,
        cross_wallet_balance: Dec<'a>,
        #[serde(default)]
        cross_un_pnl: Dec<'a>,
        available_balance: Dec<'a>,
        #[serde(default)]
        update_time: MaybeUint,
    }
    let reader = Reader { message: "account" };
    let wire: Wire<'_> = parse(reader.message, body)?;
    let asset = |a: &WireAsset<'_>| {
        Ok(AssetBalance {
            balance: Balance {
                asset: reader.asset("asset", a.asset)?,
                wallet: reader.money("walletBalance", a.wallet_balance)?,
                available: Some(reader.money("availableBalance", a.available_balance)?),
                time: Time::from_millis(a.update_time.0.unwrap_or(0)),
            },
            cross_wallet: reader.money("crossWalletBalance", a.cross_wallet_balance)?,
            cross_unrealized: reader.maybe_money("crossUnPnl", a.cross_un_pnl)?.unwrap_or(0),
        })
    };
    Ok(AccountInfo {
        wallet: reader.money("totalWalletBalance", wire.total_wallet_balance)?,
        unrealized: reader.money("totalUnrealizedProfit", wire.total_unrealized_profit)?,
        margin: reader.money("totalMarginBalance", wire.total_margin_balance)?,
        maintenance: reader.money("totalMaintMargin", wire.total_maint_margin)?,
        available: reader.money("availableBalance", wire.available_balance)?,
        can_trade: wire.can_trade.map(|f| f.0),
        multi_assets: wire.multi_assets_margin.map(|f| f.0),
        assets: wire.assets.0.iter().map(asset).collect::<Result<_, DecodeError>>()?,
        positions: Listing::collect(&wire.positions.0, |p| read_position(reader, p, instruments))?,
    })
}

/// Reads `balance`, v2 or v3.
///
/// # Errors
/// A malformed body or more than [`LIST_MAX`] assets.
pub fn balances(body: &[u8]) -> Result<Vec<AssetBalance>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        asset: &'a str,
        #[serde(borrow)]
        balance: Dec<'a>,
        cross_wallet_balance: Dec<'a>,
        #[serde(default)]
        cross_un_pnl: Dec<'a>,
        available_balance: Dec<'a>,
        #[serde(default)]
        update_time: MaybeUint,
    }
    let reader = Reader { message: "balance" };
    let wire: Limited<Wire<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    let asset = |a: &Wire<'_>| {
        Ok(AssetBalance {
            balance: Balance {
                asset: reader.asset("asset", a.asset)?,
                wallet: reader.money("balance", a.balance)?,
                available: Some(reader.money("availableBalance", a.available_balance)?),
                time: Time::from_millis(a.update_time.0.unwrap_or(0)),
            },
            cross_wallet: reader.money("crossWalletBalance", a.cross_wallet_balance)?,
            cross_unrealized: reader.maybe_money("crossUnPnl", a.cross_un_pnl)?.unwrap_or(0),
        })
    };
    wire.0.iter().map(asset).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePosition<'a> {
    symbol: &'a str,
    #[serde(default)]
    position_side: Option<&'a str>,
    #[serde(borrow)]
    position_amt: Dec<'a>,
    #[serde(default)]
    entry_price: Dec<'a>,
    #[serde(default)]
    mark_price: Dec<'a>,
    // `positionRisk` and `account` write it with different capitals.
    #[serde(alias = "unRealizedProfit")]
    unrealized_profit: Dec<'a>,
    #[serde(default)]
    liquidation_price: Dec<'a>,
    #[serde(default)]
    leverage: MaybeUint,
    #[serde(default)]
    margin_type: Option<&'a str>,
    #[serde(default)]
    isolated: Option<Flag>,
    #[serde(default)]
    update_time: MaybeUint,
}

fn read_position(
    reader: Reader,
    wire: &WirePosition<'_>,
    instruments: &Instruments,
) -> Result<super::market_stream::Found<PositionInfo>, DecodeError> {
    let scales = listed!(instruments, reader, wire.symbol);
    let leverage = wire.leverage.0.unwrap_or(0);
    Ok(Ok(PositionInfo {
        symbol: scales.index,
        report: PositionReport {
            side: read_position_side(reader, "positionSide", wire.position_side)?,
            holding: reader.holding("positionAmt", wire.position_amt, &scales)?,
            entry: reader.maybe_reference("entryPrice", wire.entry_price)?.unwrap_or(RefPrice::ZERO),
            liquidation: reader.maybe_reference("liquidationPrice", wire.liquidation_price)?.unwrap_or(RefPrice::ZERO),
            leverage: u16::try_from(leverage).map_err(|_| reader.word("leverage", "beyond 65535"))?,
        },
        mark: reader.maybe_reference("markPrice", wire.mark_price)?,
        unrealized: reader.money("unRealizedProfit", wire.unrealized_profit)?,
        isolated: wire.margin_type.map(|t| t.eq_ignore_ascii_case("isolated")).or(wire.isolated.map(|f| f.0)),
        time: Time::from_millis(wire.update_time.0.unwrap_or(0)),
    }))
}

/// Reads `positionRisk`, v2 (all symbols) or v3 (only symbols with a position or orders).
///
/// # Errors
/// A malformed body, a value off its symbol's scale, or more than [`LIST_MAX`] positions.
pub fn positions(body: &[u8], instruments: &Instruments) -> Result<Listing<PositionInfo>, DecodeError> {
    let reader = Reader { message: "positionRisk" };
    let wire: Limited<WirePosition<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    Listing::collect(&wire.0, |p| read_position(reader, p, instruments))
}

/// One step of a symbol's leverage table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bracket {
    /// Its number, from 1.
    pub number: u16,
    /// The most leverage here.
    pub leverage: u16,
    /// From this position value on, units of 1e-8.
    pub floor: i128,
    /// Up to this position value, units of 1e-8.
    pub cap: i128,
    /// Maintenance margin as a part of the position's value, units of 1e-8.
    pub maintenance: i128,
    /// What the maintenance margin is less by, units of 1e-8.
    pub deduction: i128,
}

/// A symbol's leverage table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Brackets {
    /// The symbol's name.
    pub symbol: Symbol,
    /// The steps, least value first.
    pub brackets: Vec<Bracket>, // tidy: bounded by the reply's limit, lives while a reply is handled
}

/// Reads `leverageBracket`, of one symbol or all.
///
/// # Errors
/// A malformed body.
pub fn leverage_brackets(body: &[u8]) -> Result<Vec<Brackets>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        symbol: &'a str,
        #[serde(borrow)]
        brackets: Limited<WireBracket<'a>, 64>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct WireBracket<'a> {
        bracket: Uint,
        initial_leverage: Uint,
        #[serde(borrow)]
        notional_cap: Dec<'a>,
        notional_floor: Dec<'a>,
        maint_margin_ratio: Dec<'a>,
        cum: Dec<'a>,
    }
    let reader = Reader { message: "leverageBracket" };
    let narrow = |n: Uint| u16::try_from(n.0).map_err(|_| reader.word("leverageBracket", "beyond 65535"));
    let bracket = |b: &WireBracket<'_>| {
        Ok(Bracket {
            number: narrow(b.bracket)?,
            leverage: narrow(b.initial_leverage)?,
            floor: reader.money("notionalFloor", b.notional_floor)?,
            cap: reader.money("notionalCap", b.notional_cap)?,
            maintenance: reader.money("maintMarginRatio", b.maint_margin_ratio)?,
            deduction: reader.money("cum", b.cum)?,
        })
    };
    let read = |w: &Wire<'_>| {
        let brackets = w.brackets.0.iter().map(bracket).collect::<Result<_, DecodeError>>()?;
        Ok(Brackets { symbol: reader.symbol("symbol", w.symbol)?, brackets })
    };
    // Asked for one symbol, some versions send the object alone.
    if body.trim_ascii_start().first() == Some(&b'{') {
        return parse::<Wire<'_>>(reader.message, body).and_then(|w| Ok(vec![read(&w)?]));
    }
    parse_list::<Wire<'_>, LIST_MAX>(reader.message, body)?.0.iter().map(read).collect()
}

/// A symbol's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SymbolConfig {
    /// The symbol's name.
    pub symbol: Symbol,
    /// Whether positions have margin of their own.
    pub isolated: bool,
    /// Whether margin is added by itself.
    pub auto_add_margin: bool,
    /// Leverage.
    pub leverage: u16,
    /// The most that a position may be worth, units of 1e-8; `None` for no limit.
    pub notional_max: Option<i128>,
}

/// Reads `symbolConfig`.
///
/// # Errors
/// A malformed body.
pub fn symbol_configs(body: &[u8]) -> Result<Vec<SymbolConfig>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        margin_type: &'a str,
        #[serde(default)]
        is_auto_add_margin: Flag,
        leverage: Uint,
        #[serde(borrow, default)]
        max_notional_value: Dec<'a>,
    }
    let reader = Reader { message: "symbolConfig" };
    let wire: Limited<Wire<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    let read = |w: &Wire<'_>| {
        Ok(SymbolConfig {
            symbol: reader.symbol("symbol", w.symbol)?,
            isolated: w.margin_type.eq_ignore_ascii_case("isolated"),
            auto_add_margin: w.is_auto_add_margin.0,
            leverage: u16::try_from(w.leverage.0).map_err(|_| reader.word("leverage", "beyond 65535"))?,
            notional_max: read_cap(reader, w.max_notional_value)?,
        })
    };
    wire.0.iter().map(read).collect()
}

/// "INF" stands for no limit.
fn read_cap(reader: Reader, value: Dec<'_>) -> Result<Option<i128>, DecodeError> {
    if value.0 == "INF" { Ok(None) } else { reader.maybe_money("maxNotionalValue", value) }
}

/// The account's settings (`accountConfig`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountSettings {
    /// Whether it may trade.
    pub can_trade: bool,
    /// Whether long and short positions are kept apart.
    pub hedge_mode: bool,
    /// Whether all assets together are margin.
    pub multi_assets: bool,
    /// The fee tier.
    pub fee_tier: u64,
}

/// Reads `accountConfig`.
///
/// # Errors
/// A malformed body.
pub fn account_settings(body: &[u8]) -> Result<AccountSettings, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        #[serde(default)]
        fee_tier: Uint,
        can_trade: Flag,
        dual_side_position: Flag,
        multi_assets_margin: Flag,
    }
    let wire: Wire = parse("accountConfig", body)?;
    Ok(AccountSettings {
        can_trade: wire.can_trade.0,
        hedge_mode: wire.dual_side_position.0,
        multi_assets: wire.multi_assets_margin.0,
        fee_tier: wire.fee_tier.0,
    })
}

/// The account's fees on a symbol (`commissionRate`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommissionRate {
    /// The symbol's name.
    pub symbol: Symbol,
    /// Of an order that rested; negative is a rebate.
    pub maker: Bps,
    /// Of an order that took.
    pub taker: Bps,
}

/// Reads `commissionRate`.
///
/// # Errors
/// A malformed body.
pub fn commission_rate(body: &[u8]) -> Result<CommissionRate, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        #[serde(borrow)]
        maker_commission_rate: Dec<'a>,
        taker_commission_rate: Dec<'a>,
    }
    let reader = Reader { message: "commissionRate" };
    let wire: Wire<'_> = parse(reader.message, body)?;
    Ok(CommissionRate {
        symbol: reader.symbol("symbol", wire.symbol)?,
        maker: reader.rate("makerCommissionRate", wire.maker_commission_rate)?,
        taker: reader.rate("takerCommissionRate", wire.taker_commission_rate)?,
    })
}

/// Reads `positionSide/dual`: whether the account is in hedge mode.
///
/// # Errors
/// A malformed body.
pub fn hedge_mode(body: &[u8]) -> Result<bool, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        dual_side_position: Flag,
    }
    Ok(parse::<Wire>("positionSide/dual", body)?.dual_side_position.0)
}

/// Reads `multiAssetsMargin`: whether all assets together are margin.
///
/// # Errors
/// A malformed body.
pub fn multi_assets(body: &[u8]) -> Result<bool, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        multi_assets_margin: Flag,
    }
    Ok(parse::<Wire>("multiAssetsMargin", body)?.multi_assets_margin.0)
}

/// Reads `feeBurn`: whether fees are paid in BNB.
///
/// # Errors
/// A malformed body.
pub fn fee_burn(body: &[u8]) -> Result<bool, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        fee_burn: Flag,
    }
    Ok(parse::<Wire>("feeBurn", body)?.fee_burn.0)
}

/// The answer to setting a leverage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeverageSet {
    /// The symbol's name.
    pub symbol: Symbol,
    /// The leverage now.
    pub leverage: u16,
    /// The most that a position may be worth at it, units of 1e-8; `None` for no limit.
    pub notional_max: Option<i128>,
}

/// Reads the answer to `POST leverage`.
///
/// # Errors
/// A malformed body.
pub fn leverage_set(body: &[u8]) -> Result<LeverageSet, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        leverage: Uint,
        #[serde(borrow, default)]
        max_notional_value: Dec<'a>,
    }
    let reader = Reader { message: "leverage" };
    let wire: Wire<'_> = parse(reader.message, body)?;
    Ok(LeverageSet {
        symbol: reader.symbol("symbol", wire.symbol)?,
        leverage: u16::try_from(wire.leverage.0).map_err(|_| reader.word("leverage", "beyond 65535"))?,
        notional_max: read_cap(reader, wire.max_notional_value)?,
    })
}

/// Reads an answer that only says that it is done (`marginType`, `positionSide/dual`, `allOpenOrders`, …).
///
/// # Errors
/// A malformed body, or one whose code says that it is not done.
pub fn done(body: &[u8]) -> Result<(), DecodeError> {
    #[derive(Deserialize)]
    struct Wire {
        code: Int,
    }
    let wire: Wire = parse("confirmation", body)?;
    if wire.code.0 == 200 { Ok(()) } else { Err(DecodeError::Shape { what: "confirmation does not say 200" }) }
}

/// Money put into or taken from a position's own margin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MarginMoved {
    /// How much, units of 1e-8.
    pub amount: i128,
    /// Whether it was put in.
    pub added: bool,
}

/// Reads the answer to `POST positionMargin`.
///
/// # Errors
/// A malformed body, or one whose code says that it is not done.
pub fn margin_moved(body: &[u8]) -> Result<MarginMoved, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        amount: Dec<'a>,
        #[serde(rename = "type")]
        kind: Uint,
    }
    done(body)?;
    let reader = Reader { message: "positionMargin" };
    let wire: Wire<'_> = parse(reader.message, body)?;
    Ok(MarginMoved { amount: reader.money("amount", wire.amount)?, added: wire.kind.0 == 1 })
}

/// One movement of a position's own margin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MarginChange {
    /// The symbol's name.
    pub symbol: Symbol,
    /// How much.
    pub amount: Amount,
    /// Whether it was put in.
    pub added: bool,
    /// Which position.
    pub side: PositionSide,
    /// When.
    pub time: Time,
}

/// Reads `positionMargin/history`.
///
/// # Errors
/// A malformed body.
pub fn margin_changes(body: &[u8]) -> Result<Vec<MarginChange>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        #[serde(rename = "type")]
        kind: Uint,
        #[serde(borrow)]
        amount: Dec<'a>,
        asset: &'a str,
        time: Uint,
        #[serde(default)]
        position_side: Option<&'a str>,
    }
    let reader = Reader { message: "positionMargin/history" };
    let wire: Limited<Wire<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    let read = |w: &Wire<'_>| {
        let asset = reader.asset("asset", w.asset)?;
        Ok(MarginChange {
            symbol: reader.symbol("symbol", w.symbol)?,
            amount: reader.amount("amount", w.amount, asset)?,
            added: w.kind.0 == 1,
            side: read_position_side(reader, "positionSide", w.position_side)?,
            time: w.time.time(),
        })
    };
    wire.0.iter().map(read).collect()
}

/// The dead man's switch as confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Countdown {
    /// The symbol's name.
    pub symbol: Symbol,
    /// After how long everything is cancelled; zero for never.
    pub after_ms: u64,
}

/// Reads the answer to `countdownCancelAll`.
///
/// # Errors
/// A malformed body.
pub fn countdown(body: &[u8]) -> Result<Countdown, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        countdown_time: Uint,
    }
    let reader = Reader { message: "countdownCancelAll" };
    let wire: Wire<'_> = parse(reader.message, body)?;
    Ok(Countdown { symbol: reader.symbol("symbol", wire.symbol)?, after_ms: wire.countdown_time.0 })
}

/// What a money movement was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IncomeKind {
    /// Between wallets.
    Transfer,
    /// Realised profit.
    RealizedPnl,
    /// Funding.
    FundingFee,
    /// A fee.
    Commission,
    /// Something else; the exchange's word, cut.
    Other(ArrayString<40>),
}

/// One money movement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Income {
    /// The symbol's name; `None` for movements of the account.
    pub symbol: Option<Symbol>,
    /// What it was.
    pub kind: IncomeKind,
    /// How much; positive is received.
    pub amount: Amount,
    /// The exchange's id of it, unique within its kind.
    pub transaction: u64,
    /// The execution that caused it; `None` for others.
    pub trade: Option<TradeId>,
    /// When.
    pub time: Time,
}

/// Reads `income`.
///
/// # Errors
/// A malformed body or more than [`LIST_MAX`] movements.
pub fn income(body: &[u8]) -> Result<Vec<Income>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        income_type: &'a str,
        #[serde(borrow)]
        income: Dec<'a>,
        asset: &'a str,
        time: Uint,
        tran_id: Uint,
        #[serde(default)]
        trade_id: MaybeUint,
    }
    let reader = Reader { message: "income" };
    let wire: Limited<Wire<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    let read = |w: &Wire<'_>| {
        let asset = reader.asset("asset", w.asset)?;
        Ok(Income {
            symbol: if w.symbol.is_empty() { None } else { Some(reader.symbol("symbol", w.symbol)?) },
            kind: match w.income_type {
                "TRANSFER" => IncomeKind::Transfer,
                "REALIZED_PNL" => IncomeKind::RealizedPnl,
                "FUNDING_FEE" => IncomeKind::FundingFee,
                "COMMISSION" => IncomeKind::Commission,
                other => IncomeKind::Other(cut(other)),
            },
            amount: Amount::new(asset, reader.money("income", w.income)?),
            transaction: w.tran_id.0,
            trade: w.trade_id.0.map(TradeId),
            time: w.time.time(),
        })
    };
    wire.0.iter().map(read).collect()
}

/// A listen key: whoever knows it reads the account's stream, so it is not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ListenKey(ArrayString<LISTEN_KEY_MAX>);

impl ListenKey {
    /// Keeps a key.
    ///
    /// # Errors
    /// Empty, longer than [`LISTEN_KEY_MAX`], or with characters that do not belong into an address.
    pub fn new(text: &str) -> Result<Self, DecodeError> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        match ArrayString::from(text) {
            Ok(key) if plain => Ok(Self(key)),
            _ => Err(DecodeError::Shape { what: "listen key is empty, too long or has odd characters" }),
        }
    }

    /// The key, for the stream's address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Debug for ListenKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ListenKey({}…)", self.0.get(..4).unwrap_or_default())
    }
}

/// Reads the answer to `POST`, `PUT` or `DELETE listenKey`; the last two may be empty objects.
///
/// # Errors
/// A malformed body or key.
pub fn listen_key(body: &[u8]) -> Result<Option<ListenKey>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(rename = "listenKey", borrow, default)]
        key: Option<Cow<'a, str>>,
    }
    parse::<Wire<'_>>("listenKey", body)?.key.map(|key| ListenKey::new(&key)).transpose()
}

/// A position's place in the queue of those to be deleveraged, 0 (last) to 4 (first).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdlQuantile {
    /// The symbol's name.
    pub symbol: Symbol,
    /// Of the long position.
    pub long: Option<u8>,
    /// Of the short position.
    pub short: Option<u8>,
    /// Of the net position.
    pub both: Option<u8>,
}

/// Reads `adlQuantile`.
///
/// # Errors
/// A malformed body.
pub fn adl_quantiles(body: &[u8]) -> Result<Vec<AdlQuantile>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        symbol: &'a str,
        adl_quantile: Quantile,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "UPPERCASE")]
    struct Quantile {
        #[serde(default)]
        long: MaybeUint,
        #[serde(default)]
        short: MaybeUint,
        #[serde(default)]
        both: MaybeUint,
    }
    let reader = Reader { message: "adlQuantile" };
    let wire: Limited<Wire<'_>, LIST_MAX> = parse_list(reader.message, body)?;
    let narrow = |n: MaybeUint| n.0.and_then(|n| u8::try_from(n).ok());
    let read = |w: &Wire<'_>| {
        let Quantile { long, short, both } = w.adl_quantile;
        Ok(AdlQuantile { symbol: reader.symbol("symbol", w.symbol)?, long: narrow(long), short: narrow(short), both: narrow(both) })
    };
    wire.0.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_keys_are_checked_and_not_shown() {
        let key = listen_key(br#"{"listenKey":"abcdEFGH1234"}"#).unwrap().unwrap();
        assert_eq!((key.as_str(), format!("{key:?}")), ("abcdEFGH1234", "ListenKey(abcd…)".to_owned()));
        assert_eq!(listen_key(b"{}").unwrap(), None);
        for bad in [r#"{"listenKey":"a/../b"}"#, r#"{"listenKey":""}"#, "[]", "5"] {
            assert!(listen_key(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(ListenKey::new(&"a".repeat(LISTEN_KEY_MAX)).is_ok());
        assert!(ListenKey::new(&"a".repeat(LISTEN_KEY_MAX + 1)).is_err());
    }

    #[test]
    fn a_confirmation_must_say_200() {
        assert!(done(br#"{"code":200,"msg":"success"}"#).is_ok());
        assert!(done(br#"{"code":"200","msg":"success"}"#).is_ok());
        assert!(done(br#"{"code":-4046,"msg":"No need to change margin type."}"#).is_err());
        assert!(done(b"{}").is_err());
    }

    #[test]
    fn assets_are_names() {
        let bad = br#"[{"asset":"US DT","balance":"1","crossWalletBalance":"1","availableBalance":"1"}]"#;
        assert!(matches!(balances(bad), Err(DecodeError::Name { field: "asset", .. })));
        let good = br#"[{"asset":"USDT","balance":"1","crossWalletBalance":"1","availableBalance":"0.5"}]"#;
        assert_eq!(balances(good).unwrap()[0].balance.asset.as_str(), "USDT");
    }
}
