//! What an account holds, written as the exchange writes it.

use plimsoll_market::{Amount, Asset, Holding, Instrument, PositionSide, RefPrice};

use super::json::{List, Object, money, short};
use super::orders::position_side_word;

/// An account's money, units of 1e-8 of its asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BalanceRow {
    /// The settlement asset.
    pub asset: Asset,
    /// Deposits, realised profit, fees and funding together.
    pub wallet: i128,
    /// Unrealised profit of all positions.
    pub unrealized: i128,
    /// Margin bound by positions.
    pub position_margin: i128,
    /// Margin bound by orders.
    pub order_margin: i128,
    /// Maintenance margin.
    pub maintenance: i128,
    /// Free for new orders.
    pub available: i128,
    /// What there is of the exchange's own coin, in which fees may be paid; no margin.
    pub coin: Option<Amount>,
    /// When the wallet last changed, in milliseconds.
    pub updated_ms: u64,
}

/// A position and the settings of its symbol, money in units of 1e-8.
#[derive(Clone, Copy, Debug)]
pub struct PositionRow<'a> {
    /// The contract and its digits.
    pub instrument: &'a Instrument,
    /// Which position.
    pub side: PositionSide,
    /// Size and direction.
    pub holding: Holding,
    /// Average entry price.
    pub entry: RefPrice,
    /// Entry price that covers the commissions.
    pub break_even: RefPrice,
    /// Mark price.
    pub mark: RefPrice,
    /// Unrealised profit.
    pub unrealized: i128,
    /// Signed value at the mark price.
    pub notional: i128,
    /// Margin bound by the position.
    pub position_margin: i128,
    /// Margin bound by the symbol's orders.
    pub order_margin: i128,
    /// Maintenance margin.
    pub maintenance: i128,
    /// Price of liquidation; zero when there is none.
    pub liquidation: RefPrice,
    /// Leverage set.
    pub leverage: u16,
    /// Largest position value at this leverage.
    pub notional_max: i128,
    /// Whether its margin is its own.
    pub isolated: bool,
    /// When it last changed, in milliseconds; zero when never.
    pub updated_ms: u64,
}

/// An account as a whole.
#[derive(Clone, Copy, Debug)]
pub struct AccountRow<'a> {
    /// Its money.
    pub balance: BalanceRow,
    /// All positions, flat ones too.
    pub positions: &'a [PositionRow<'a>],
    /// Whether it is in multi-assets mode.
    pub multi_assets: bool,
    /// Whether it pays fees in the exchange's own coin.
    pub fee_burn: bool,
}

impl BalanceRow {
    fn margin_balance(&self) -> i128 {
        self.wallet + self.unrealized
    }

    fn withdrawable(&self) -> i128 {
        self.available.min(self.wallet).max(0)
    }

    /// The row of the coin.
    fn of_coin(&self) -> Option<Self> {
        let Amount { asset, units } = self.coin?;
        let none = Self { unrealized: 0, position_margin: 0, order_margin: 0, maintenance: 0, coin: None, ..*self };
        Some(Self { asset, wallet: units, available: units, ..none })
    }

    fn write_asset(&self, out: &mut String) {
        Object::new(out)
            .quoted("asset", self.asset)
            .quoted("walletBalance", money(self.wallet))
            .quoted("unrealizedProfit", money(self.unrealized))
            .quoted("marginBalance", money(self.margin_balance()))
            .quoted("maintMargin", money(self.maintenance))
            .quoted("initialMargin", money(self.position_margin + self.order_margin))
            .quoted("positionInitialMargin", money(self.position_margin))
            .quoted("openOrderInitialMargin", money(self.order_margin))
            .quoted("crossWalletBalance", money(self.wallet))
            .quoted("crossUnPnl", money(self.unrealized))
            .quoted("availableBalance", money(self.available))
            .quoted("maxWithdrawAmount", money(self.withdrawable()))
            .bare("marginAvailable", true)
            .bare("updateTime", self.updated_ms)
            .end();
    }

    fn write_totals(&self, object: &mut Object<'_>) {
        object
            .quoted("totalInitialMargin", money(self.position_margin + self.order_margin))
            .quoted("totalMaintMargin", money(self.maintenance))
            .quoted("totalWalletBalance", money(self.wallet))
            .quoted("totalUnrealizedProfit", money(self.unrealized))
            .quoted("totalMarginBalance", money(self.margin_balance()))
            .quoted("totalPositionInitialMargin", money(self.position_margin))
            .quoted("totalOpenOrderInitialMargin", money(self.order_margin))
            .quoted("totalCrossWalletBalance", money(self.wallet))
            .quoted("totalCrossUnPnl", money(self.unrealized))
            .quoted("availableBalance", money(self.available))
            .quoted("maxWithdrawAmount", money(self.withdrawable()))
            .with("assets", |out| {
                out.push('[');
                self.write_asset(out);
                if let Some(coin) = self.of_coin() {
                    out.push(',');
                    coin.write_asset(out);
                }
                out.push(']');
            });
    }
}

impl PositionRow<'_> {
    /// Whether there is anything to tell: `v3` leaves out what is flat and has no orders.
    fn is_used(&self) -> bool {
        !self.holding.is_flat() || self.order_margin != 0
    }

    fn price(&self, price: RefPrice) -> impl core::fmt::Display {
        short(i128::from(price.units()), usize::from(self.instrument.price_scale))
    }

    fn isolated_margin(&self) -> i128 {
        if self.isolated { self.position_margin } else { 0 }
    }

    const fn margin_word(&self) -> &'static str {
        if self.isolated { "isolated" } else { "cross" }
    }
}

/// Writes the balances (`v2/balance`, `v3/balance`).
pub fn write_balances(out: &mut String, alias: &str, balance: &BalanceRow) {
    let mut list = List::new(out);
    for balance in [Some(*balance), balance.of_coin()].into_iter().flatten() {
        list.item(|out| {
            Object::new(out)
                .text("accountAlias", alias)
                .quoted("asset", balance.asset)
                .quoted("balance", money(balance.wallet))
                .quoted("crossWalletBalance", money(balance.wallet))
                .quoted("crossUnPnl", money(balance.unrealized))
                .quoted("availableBalance", money(balance.available))
                .quoted("maxWithdrawAmount", money(balance.withdrawable()))
                .bare("marginAvailable", true)
                .bare("updateTime", balance.updated_ms)
                .end();
        });
    }
    list.end();
}

/// Writes the account with all symbols (`v2/account`).
pub fn write_account_v2(out: &mut String, account: &AccountRow<'_>) {
    let mut object = Object::new(out);
    object
        .bare("feeTier", 0)
        .bare("feeBurn", account.fee_burn)
        .bare("canTrade", true)
        .bare("canDeposit", true)
        .bare("canWithdraw", true)
        .bare("updateTime", 0)
        .bare("multiAssetsMargin", account.multi_assets)
        .bare("tradeGroupId", -1);
    account.balance.write_totals(&mut object);
    object
        .with("positions", |out| {
            let mut list = List::new(out);
            for position in account.positions {
                list.item(|out| {
                    Object::new(out)
                        .quoted("symbol", position.instrument.symbol)
                        .quoted("initialMargin", money(position.position_margin + position.order_margin))
                        .quoted("maintMargin", money(position.maintenance))
                        .quoted("unrealizedProfit", money(position.unrealized))
                        .quoted("positionInitialMargin", money(position.position_margin))
                        .quoted("openOrderInitialMargin", money(position.order_margin))
                        .quoted("leverage", position.leverage)
                        .bare("isolated", position.isolated)
                        .quoted("entryPrice", position.price(position.entry))
                        .quoted("breakEvenPrice", position.price(position.break_even))
                        .quoted("maxNotional", short(position.notional_max, 0))
                        .quoted("bidNotional", "0")
                        .quoted("askNotional", "0")
                        .quoted("positionSide", position_side_word(position.side))
                        .quoted("positionAmt", position.instrument.show_holding(position.holding))
                        .quoted("notional", money(position.notional))
                        .quoted("isolatedWallet", money(position.isolated_margin()))
                        .bare("updateTime", position.updated_ms)
                        .end();
                });
            }
            list.end();
        })
        .end();
}

/// Writes the account with the symbols in use (`v3/account`, `v2/account.status`).
pub fn write_account_v3(out: &mut String, account: &AccountRow<'_>) {
    let mut object = Object::new(out);
    account.balance.write_totals(&mut object);
    object
        .with("positions", |out| {
            let mut list = List::new(out);
            for position in account.positions.iter().filter(|position| position.is_used()) {
                list.item(|out| {
                    Object::new(out)
                        .quoted("symbol", position.instrument.symbol)
                        .quoted("positionSide", position_side_word(position.side))
                        .quoted("positionAmt", position.instrument.show_holding(position.holding))
                        .quoted("unrealizedProfit", money(position.unrealized))
                        .quoted("isolatedMargin", money(position.isolated_margin()))
                        .quoted("notional", money(position.notional))
                        .quoted("isolatedWallet", money(position.isolated_margin()))
                        .quoted("initialMargin", money(position.position_margin + position.order_margin))
                        .quoted("maintMargin", money(position.maintenance))
                        .bare("updateTime", position.updated_ms)
                        .end();
                });
            }
            list.end();
        })
        .end();
}

/// Writes positions with leverage and margin type, flat ones too (`v2/positionRisk`).
pub fn write_positions_v2<'a>(out: &mut String, positions: impl Iterator<Item = &'a PositionRow<'a>>) {
    let mut list = List::new(out);
    for position in positions {
        list.item(|out| {
            Object::new(out)
                .quoted("symbol", position.instrument.symbol)
                .quoted("positionAmt", position.instrument.show_holding(position.holding))
                .quoted("entryPrice", position.price(position.entry))
                .quoted("breakEvenPrice", position.price(position.break_even))
                .quoted("markPrice", money(position.mark.units().into()))
                .quoted("unRealizedProfit", money(position.unrealized))
                .quoted("liquidationPrice", short(position.liquidation.units().into(), 0))
                .quoted("leverage", position.leverage)
                .quoted("maxNotionalValue", short(position.notional_max, 0))
                .quoted("marginType", position.margin_word())
                .quoted("isolatedMargin", money(position.isolated_margin()))
                .quoted("isAutoAddMargin", "false")
                .quoted("positionSide", position_side_word(position.side))
                .quoted("notional", money(position.notional))
                .quoted("isolatedWallet", money(position.isolated_margin()))
                .bare("updateTime", position.updated_ms)
                .bare("isolated", position.isolated)
                .bare("adlQuantile", 0)
                .end();
        });
    }
    list.end();
}

/// Writes the positions in use, without settings (`v3/positionRisk`).
pub fn write_positions_v3<'a>(out: &mut String, positions: impl Iterator<Item = &'a PositionRow<'a>>) {
    let mut list = List::new(out);
    for position in positions.filter(|position| position.is_used()) {
        list.item(|out| {
            Object::new(out)
                .quoted("symbol", position.instrument.symbol)
                .quoted("positionSide", position_side_word(position.side))
                .quoted("positionAmt", position.instrument.show_holding(position.holding))
                .quoted("entryPrice", position.price(position.entry))
                .quoted("breakEvenPrice", position.price(position.break_even))
                .quoted("markPrice", money(position.mark.units().into()))
                .quoted("unRealizedProfit", money(position.unrealized))
                .quoted("liquidationPrice", short(position.liquidation.units().into(), 0))
                .quoted("isolatedMargin", short(position.isolated_margin(), 0))
                .quoted("notional", money(position.notional))
                .quoted("marginAsset", position.instrument.quote)
                .quoted("isolatedWallet", short(position.isolated_margin(), 0))
                .quoted("initialMargin", money(position.position_margin + position.order_margin))
                .quoted("maintMargin", money(position.maintenance))
                .quoted("positionInitialMargin", money(position.position_margin))
                .quoted("openOrderInitialMargin", money(position.order_margin))
                .bare("adl", u8::from(!position.holding.is_flat()))
                .quoted("bidNotional", "0")
                .quoted("askNotional", "0")
                .bare("updateTime", position.updated_ms)
                .end();
        });
    }
    list.end();
}

/// Writes the settings of symbols (`symbolConfig`).
pub fn write_symbol_config<'a>(out: &mut String, positions: impl Iterator<Item = &'a PositionRow<'a>>) {
    let mut list = List::new(out);
    for position in positions {
        list.item(|out| {
            Object::new(out)
                .quoted("symbol", position.instrument.symbol)
                .quoted("marginType", if position.isolated { "ISOLATED" } else { "CROSSED" })
                .bare("isAutoAddMargin", false)
                .bare("leverage", position.leverage)
                .quoted("maxNotionalValue", short(position.notional_max, 0))
                .end();
        });
    }
    list.end();
}

/// Writes the settings of an account (`accountConfig`).
pub fn write_account_config(out: &mut String, multi_assets: bool) {
    Object::new(out)
        .bare("feeTier", 0)
        .bare("canTrade", true)
        .bare("canDeposit", true)
        .bare("canWithdraw", true)
        .bare("dualSidePosition", false)
        .bare("updateTime", 0)
        .bare("multiAssetsMargin", multi_assets)
        .bare("tradeGroupId", -1)
        .end();
}

/// Writes what a key may do (`apiRestrictions`).
pub fn write_api_restrictions(out: &mut String, withdraw: bool) {
    Object::new(out)
        .bare("ipRestrict", false)
        .bare("createTime", 0)
        .bare("enableReading", true)
        .bare("enableWithdrawals", withdraw)
        .bare("enableInternalTransfer", false)
        .bare("enableMargin", false)
        .bare("enableFutures", true)
        .bare("permitsUniversalTransfer", false)
        .bare("enableVanillaOptions", false)
        .bare("enableSpotAndMarginTrading", false)
        .end();
}

/// Money that came or went.
#[derive(Clone, Copy, Debug)]
pub struct IncomeRow<'a> {
    /// The contract.
    pub instrument: &'a Instrument,
    /// The exchange's word for what it is.
    pub kind: &'a str,
    /// Signed, units of 1e-8.
    pub amount: Amount,
    /// Its number.
    pub id: u64,
    /// The trade it belongs to.
    pub trade_id: Option<u64>,
    /// When, in milliseconds.
    pub time_ms: u64,
}

/// Writes one entry of `income`.
pub fn write_income(out: &mut String, income: &IncomeRow<'_>) {
    let mut object = Object::new(out);
    object
        .quoted("symbol", income.instrument.symbol)
        .quoted("incomeType", income.kind)
        .quoted("income", money(income.amount.units))
        .quoted("asset", income.amount.asset)
        .quoted("info", income.kind)
        .bare("time", income.time_ms)
        .bare("tranId", income.id);
    match income.trade_id {
        Some(id) => object.quoted("tradeId", id),
        None => object.quoted("tradeId", ""),
    }
    .end();
}
