use plimsoll_exchange::binance::server::{
    AccountRow, ApiError, Bracket, IncomeRow, List, Object, Params, PositionRow, write_account_config, write_account_v2, write_account_v3,
    write_api_restrictions, write_assets_mode_update, write_balances, write_brackets, write_income, write_positions_v2, write_positions_v3,
    write_symbol_config,
};
use plimsoll_market::{Amount, Asset, Instrument, Time, format_units};
use plimsoll_sim::VenueError;
use plimsoll_sim::venue::{self, AccountId, IncomeKind, MarginType};

use super::market::page;
use super::{Desk, done};
use crate::convert;
use crate::hub::ListenEnd;
use crate::keys::KeyEntry;
use crate::limits::PAGE_MAX;

fn refused(error: VenueError) -> ApiError {
    convert::refused(&error)
}

impl Desk {
    fn asset(&self) -> Result<Asset, ApiError> {
        self.hub.listed.get(0).map(|listed| listed.listing.instrument.quote).ok_or_else(ApiError::unknown)
    }

    /// Calls with the positions of an account: of the symbol named, or of all.
    fn with_positions<T>(
        &self,
        account: AccountId,
        params: Option<&Params>,
        then: impl FnOnce(&[PositionRow<'_>]) -> T,
    ) -> Result<T, ApiError> {
        let one = params.map(|params| self.maybe_instrument(params)).transpose()?.flatten();
        let rows: Vec<(Instrument, venue::PositionRow)> = match one {
            Some(instrument) => vec![(instrument, self.venue.position(account, instrument.symbol).map_err(refused)?)],
            None => {
                let rows = self.venue.positions(account).map_err(refused)?;
                rows.into_iter().map(|row| Ok((self.listed(row.symbol)?, row))).collect::<Result<_, ApiError>>()?
            }
        };
        let rows: Vec<PositionRow<'_>> = rows.iter().map(|(instrument, row)| convert::position(instrument, row)).collect();
        Ok(then(&rows))
    }

    pub(super) fn balance(&self, account: AccountId) -> Result<String, ApiError> {
        let balance = convert::balance(self.asset()?, &self.venue.balance(account).map_err(refused)?, self.opened);
        let mut out = String::new();
        write_balances(&mut out, "plimsoll", &balance);
        Ok(out)
    }

    fn with_account<T>(&mut self, account: AccountId, then: impl FnOnce(&AccountRow<'_>) -> T) -> Result<T, ApiError> {
        let balance = convert::balance(self.asset()?, &self.venue.balance(account).map_err(refused)?, self.opened);
        let entry = self.entry(account)?;
        let (multi_assets, fee_burn) = (entry.multi_assets, self.venue.burns(account));
        self.with_positions(account, None, |positions| then(&AccountRow { balance, positions, multi_assets, fee_burn }))
    }

    pub(super) fn account_v2(&mut self, account: AccountId) -> Result<String, ApiError> {
        let mut out = String::new();
        self.with_account(account, |row| write_account_v2(&mut out, row))?;
        Ok(out)
    }

    pub(super) fn account_v3(&mut self, account: AccountId) -> Result<String, ApiError> {
        let mut out = String::new();
        self.with_account(account, |row| write_account_v3(&mut out, row))?;
        Ok(out)
    }

    pub(super) fn position_risk_v2(&self, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let mut out = String::new();
        self.with_positions(account, Some(params), |rows| write_positions_v2(&mut out, rows.iter()))?;
        Ok(out)
    }

    pub(super) fn position_risk_v3(&self, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let mut out = String::new();
        self.with_positions(account, Some(params), |rows| write_positions_v3(&mut out, rows.iter()))?;
        Ok(out)
    }

    pub(super) fn symbol_config(&self, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let mut out = String::new();
        self.with_positions(account, Some(params), |rows| write_symbol_config(&mut out, rows.iter()))?;
        Ok(out)
    }

    pub(super) fn leverage_bracket(&self, params: &Params) -> Result<String, ApiError> {
        let one = self.maybe_instrument(params)?;
        let mut out = String::new();
        let mut list = List::new(&mut out);
        for listed in self.hub.listed.iter() {
            let symbol = listed.listing.instrument.symbol;
            if one.is_some_and(|instrument| instrument.symbol != symbol) {
                continue;
            }
            let brackets = self.venue.brackets(symbol).map_err(refused)?.iter().map(|bracket| Bracket {
                cap: bracket.notional_max,
                leverage: bracket.leverage_max,
                maintenance: bracket.maintenance,
                deduction: bracket.deduction,
            });
            list.item(|out| write_brackets(out, symbol, brackets));
        }
        list.end();
        Ok(out)
    }

    fn entry(&mut self, account: AccountId) -> Result<&mut KeyEntry, ApiError> {
        self.keys.entry(account).ok_or_else(ApiError::key_refused)
    }

    pub(super) fn account_config(&mut self, account: AccountId) -> Result<String, ApiError> {
        let mut out = String::new();
        write_account_config(&mut out, self.entry(account)?.multi_assets);
        Ok(out)
    }

    pub(super) fn key_rights(&self, account: AccountId) -> String {
        let mut out = String::new();
        write_api_restrictions(&mut out, self.keys.may_withdraw(account));
        out
    }

    pub(super) fn commission_rate(&self, params: &Params) -> Result<String, ApiError> {
        let instrument = self.instrument(params)?;
        let rate = |ppm: i32| format_units(i128::from(ppm), 6);
        let mut out = String::new();
        Object::new(&mut out)
            .quoted("symbol", instrument.symbol)
            .quoted("makerCommissionRate", rate(instrument.maker_fee.ppm()))
            .quoted("takerCommissionRate", rate(instrument.taker_fee.ppm()))
            .quoted("rpiCommissionRate", rate(0))
            .end();
        Ok(out)
    }

    pub(super) fn get_multi_assets(&mut self, account: AccountId) -> Result<String, ApiError> {
        Ok(format!("{{\"multiAssetsMargin\":{}}}", self.entry(account)?.multi_assets))
    }

    pub(super) fn set_multi_assets(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let wanted = params.need_flag("multiAssetsMargin")?;
        let entry = self.entry(account)?;
        if entry.multi_assets == wanted {
            return Err(ApiError::assets_mode_same());
        }
        entry.multi_assets = wanted;
        let mut event = String::new();
        write_assets_mode_update(&mut event, wanted, now.millis());
        self.hub.tell_owner(account, "ACCOUNT_CONFIG_UPDATE", event);
        Ok(done("success"))
    }

    pub(super) fn get_fee_burn(&mut self, account: AccountId) -> Result<String, ApiError> {
        Ok(format!("{{\"feeBurn\":{}}}", self.venue.burns(account)))
    }

    pub(super) fn set_fee_burn(&mut self, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let wanted = params.need_flag("feeBurn")?;
        self.venue.set_burn(account, wanted).map_err(refused)?;
        Ok(done("success"))
    }

    pub(super) fn order_rate_limit(&self) -> String {
        let limits = self.rates.limits();
        let mut out = String::new();
        let mut list = List::new(&mut out);
        for (interval, count, limit) in [("SECOND", 10, limits.orders_per_10s), ("MINUTE", 1, limits.orders_per_minute)] {
            list.item(|out| {
                Object::new(out)
                    .quoted("rateLimitType", "ORDERS")
                    .quoted("interval", interval)
                    .bare("intervalNum", count)
                    .bare("limit", limit)
                    .end();
            });
        }
        list.end();
        out
    }

    pub(super) fn adl_quantile(&self, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let mut out = String::new();
        self.with_positions(account, Some(params), |rows| {
            let mut list = List::new(&mut out);
            for row in rows.iter().filter(|row| !row.holding.is_flat()) {
                list.item(|out| {
                    Object::new(out)
                        .quoted("symbol", row.instrument.symbol)
                        .bare("adlQuantile", "{\"LONG\":0,\"SHORT\":0,\"BOTH\":1}")
                        .end();
                });
            }
            list.end();
        })?;
        Ok(out)
    }

    pub(super) fn income(&self, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let symbol = self.maybe_instrument(params)?.map(|instrument| instrument.symbol);
        let page = page(params, "fromId", 100, PAGE_MAX)?;
        let kind = match params.maybe("incomeType")? {
            None => None,
            Some(word) => match IncomeKind::parse(word) {
                Some(kind) => Some(kind),
                // The exchange knows many kinds; of the others there is nothing here.
                None => return Ok("[]".to_owned()),
            },
        };
        let rows = self.venue.income(account, symbol, kind, page).map_err(refused)?;
        let mut out = String::with_capacity(rows.len() * 200 + 2);
        let mut list = List::new(&mut out);
        for row in &rows {
            let instrument = self.listed(row.symbol)?;
            let income = IncomeRow {
                instrument: &instrument,
                kind: row.kind.as_str(),
                amount: Amount::new(if row.in_coin { convert::coin(&instrument) } else { instrument.quote }, row.amount),
                id: row.id,
                trade_id: row.trade_id,
                time_ms: row.time.millis(),
            };
            list.item(|out| write_income(out, &income));
        }
        list.end();
        Ok(out)
    }

    pub(super) fn set_leverage(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let symbol = self.instrument(params)?.symbol;
        let wanted = params.need_integer("leverage")?;
        let leverage = u16::try_from(wanted).map_err(|_| ApiError::refused(-4028, format!("Leverage {wanted} is not valid")))?;
        let most = self.at_venue(now, |venue, sink| venue.set_leverage(now, account, symbol, leverage, sink)).map_err(refused)?;
        let mut out = String::new();
        Object::new(&mut out).bare("leverage", leverage).quoted("maxNotionalValue", most / 100_000_000).quoted("symbol", symbol).end();
        Ok(out)
    }

    pub(super) fn set_margin_type(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let symbol = self.instrument(params)?.symbol;
        let margin = match params.need("marginType")? {
            "ISOLATED" => MarginType::Isolated,
            "CROSSED" => MarginType::Cross,
            _ => return Err(ApiError::invalid_data("marginType")),
        };
        self.at_venue(now, |venue, sink| venue.set_margin_type(now, account, symbol, margin, sink)).map_err(refused)?;
        Ok(done("success"))
    }

    pub(super) fn set_position_mode(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let hedge = params.need_flag("dualSidePosition")?;
        self.at_venue(now, |venue, sink| venue.set_hedge_mode(now, account, hedge, sink)).map_err(refused)?;
        Ok(done("success"))
    }

    pub(super) fn start_stream(&mut self, now: Time, account: AccountId) -> Result<String, ApiError> {
        self.keys.start_listen(now, account).map(|text| format!("{{\"listenKey\":\"{text}\"}}"))
    }

    pub(super) fn keep_stream(&mut self, now: Time, account: AccountId, params: &Params) -> Result<String, ApiError> {
        let text = params.maybe("listenKey")?;
        self.keys.keep_listen(now, account, text).map(|text| format!("{{\"listenKey\":\"{text}\"}}"))
    }

    pub(super) fn close_stream(&mut self, account: AccountId) -> Result<String, ApiError> {
        self.keys.stop_listen(account)?;
        self.hub.end_listen(account, ListenEnd::Closed);
        Ok("{}".to_owned())
    }
}
